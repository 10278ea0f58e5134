/* SPDX-License-Identifier: MIT
 *
 * bench/primary_rate.c — changes zones at a rate and measures when the secondary serves them.
 *
 * Each change raises a zone's serial and is told by NOTIFY at once, again if that is not answered.
 * Of a share of the changes it is measured how long it takes from the NOTIFY to the moment at which
 * the secondary answers with that serial or a newer one: SOA queries follow each other in a
 * quarter of a millisecond, and in an eighth of the time waited once that is more, so a figure is
 * at most that much too large. After the last change every zone that was changed is asked for, a
 * window at a time, until it has its last serial; those that never get there are lost. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "bench/primary_p.h"

#define RATE_SOCKETS      8U /* of which each may reach another thread of the secondary */
#define RATE_TURN_MAX     256U
#define PROBES_MAX        4096U
#define PROBE_FIRST_NS    (300LL * 1000)
#define PROBE_STEP_NS     (250LL * 1000)
#define PROBE_STEP_MAX_NS NS_PER_S
#define PROBE_PART        8 /* of the time waited */
#define NOTIFY_AGAIN_NS   (500LL * NS_PER_MS)
#define DRAIN_NS          (30LL * NS_PER_S)
#define CHECK_WINDOW      64U
#define CHECK_AGAIN_NS    (20LL * NS_PER_MS)
#define CHECK_PATIENCE_NS (2LL * NS_PER_S) /* then the next zone's turn comes */
#define STEP_FRACTION     0.381966         /* of all zones, between one changed zone and the next */

enum rate_phase { RATE_DRIVE, RATE_CHECK };
enum check { CHECK_UNCHANGED, CHECK_CHANGED, CHECK_CURRENT };

/* A change whose arrival is measured. */
struct probe {
	bool used;
	uint8_t nonce;
	uint32_t zone;
	uint32_t serial;
	int64_t told_ns;
	int64_t next_ns;
};

/* A zone that is asked for until it is current, or for a while. */
struct asking {
	bool used;
	uint32_t zone; /* counted from the first */
	int64_t next_ns;
	int64_t until_ns;
};

/* A NOTIFY that was sent, in the order of sending. */
struct sent {
	uint32_t zone;
	int64_t at_ns;
};

struct rate {
	struct source sources[RATE_SOCKETS];
	struct rate_options o;
	enum rate_phase phase;
	uint32_t zones;
	uint32_t zone; /* next, counted from o.first */
	uint32_t step;
	int64_t start_ns;
	int64_t driven_ns; /* when the last change was made */
	uint64_t changes;
	uint64_t total;
	uint64_t resent;
	uint64_t answered;
	uint64_t queries;
	/* NOTIFYs not answered */
	int64_t *told_ns; /* of each zone; 0: answered */
	struct sent *sent;
	size_t sent_cap; /* a power of two */
	size_t sent_head;
	size_t sent_tail;
	/* samples */
	struct probe probes[PROBES_MAX];
	uint16_t heap[PROBES_MAX]; /* of probes, by next_ns */
	uint32_t heap_len;
	uint16_t unused[PROBES_MAX];
	uint32_t unused_len;
	uint64_t sampled;
	uint64_t skipped;
	uint32_t *took_us;
	/* the check at the end */
	uint8_t *checks;
	uint32_t left;
	uint32_t check_next;
	uint32_t asking_count;
	struct asking asking[CHECK_WINDOW];
	int64_t settled_ns;
	int64_t moved_ns; /* when it last got further */
	double cpu_before_us;
};

static double cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static bool rate_send(const struct rate *r, uint32_t zone, const struct writer *w)
{
	return send(r->sources[zone % RATE_SOCKETS].fd, w->at, w->len, MSG_DONTWAIT) > 0;
}

/* ---- probes ---- */

static bool probe_before(const struct rate *r, uint32_t a, uint32_t b)
{
	return r->probes[r->heap[a]].next_ns < r->probes[r->heap[b]].next_ns;
}

static void heap_swap(struct rate *r, uint32_t a, uint32_t b)
{
	uint16_t kept = r->heap[a];

	r->heap[a] = r->heap[b];
	r->heap[b] = kept;
}

static void heap_push(struct rate *r, uint16_t probe)
{
	uint32_t at = r->heap_len++;

	assert(r->heap_len <= PROBES_MAX);
	r->heap[at] = probe;
	while (at > 0 && probe_before(r, at, (at - 1) / 2)) {
		heap_swap(r, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

/* Puts the top where it belongs after its time was changed. */
static void heap_sink(struct rate *r)
{
	uint32_t at = 0;

	for (;;) {
		uint32_t least = at;
		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < r->heap_len && probe_before(r, child, least)) {
				least = child;
			}
		}
		if (least == at) {
			return;
		}
		heap_swap(r, at, least);
		at = least;
	}
}

static void probe_add(struct primary *p, uint32_t zone, int64_t told_ns)
{
	struct rate *r = p->rate;
	uint16_t index;

	if (r->unused_len == 0) {
		r->skipped++;
		return;
	}
	index = r->unused[--r->unused_len];
	r->probes[index] = (struct probe){
		.used = true,
		.nonce = (uint8_t)(r->probes[index].nonce % 15 + 1), /* never 0: the check's id */
		.zone = zone,
		.serial = farm_serial(&p->farm, zone, farm_generation(&p->farm, zone)),
		.told_ns = told_ns,
		.next_ns = told_ns + PROBE_FIRST_NS,
	};
	heap_push(r, index);
}

static void probes_turn(struct primary *p)
{
	struct rate *r = p->rate;

	while (r->heap_len > 0 && r->probes[r->heap[0]].next_ns <= p->now_ns) {
		uint16_t index = r->heap[0];
		struct probe *probe = &r->probes[index];
		uint8_t octets[DATAGRAM_LEN];
		struct writer w = writer_of(octets, sizeof(octets));
		int64_t step = (p->now_ns - probe->told_ns) / PROBE_PART;
		if (!probe->used) {
			r->unused[r->unused_len++] = index;
			heap_swap(r, 0, --r->heap_len);
			heap_sink(r);
			continue;
		}
		step = step < PROBE_STEP_NS ? PROBE_STEP_NS : step;
		step = step > PROBE_STEP_MAX_NS ? PROBE_STEP_MAX_NS : step;
		query_write(p, (uint16_t)(probe->nonce << 12 | index), probe->zone, &w);
		/* Over any socket, whatever thread of the secondary that is. */
		(void)rate_send(r, probe->zone + index, &w);
		r->queries++;
		probe->next_ns = p->now_ns + step;
		heap_sink(r);
	}
}

static void probe_hear(struct primary *p, const struct told *told)
{
	struct rate *r = p->rate;
	struct probe *probe = &r->probes[told->id & (PROBES_MAX - 1)];

	if (probe->used && probe->nonce == told->id >> 12 && probe->zone == told->zone &&
	    told->has_serial && (int32_t)(told->serial - probe->serial) >= 0) {
		r->took_us[r->sampled++] = (uint32_t)((clock_ns() - probe->told_ns) / 1000);
		probe->used = false;
	}
}

static uint32_t probes_waiting(const struct rate *r)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->heap_len; i++) {
		count += r->probes[r->heap[i]].used;
	}
	return count;
}

/* ---- NOTIFY ---- */

static void tell(struct primary *p, uint32_t zone)
{
	struct rate *r = p->rate;
	uint8_t octets[DATAGRAM_LEN];
	struct writer w = writer_of(octets, sizeof(octets));

	notify_write(p, (uint16_t)zone, zone, &w);
	(void)rate_send(r, zone, &w);
	r->told_ns[zone - r->o.first] = p->now_ns;
	if (r->sent_tail - r->sent_head == r->sent_cap) {
		struct sent *grown = mem_new(2 * r->sent_cap * sizeof(*grown));
		for (size_t i = 0; i < r->sent_cap; i++) {
			grown[i] = r->sent[(r->sent_head + i) & (r->sent_cap - 1)];
		}
		free(r->sent);
		r->sent = grown;
		r->sent_head = 0;
		r->sent_tail = r->sent_cap;
		r->sent_cap *= 2;
	}
	r->sent[r->sent_tail++ & (r->sent_cap - 1)] = (struct sent){ zone, p->now_ns };
}

static void tell_again(struct primary *p)
{
	struct rate *r = p->rate;

	for (unsigned i = 0; i < RATE_TURN_MAX && r->sent_head != r->sent_tail; i++) {
		struct sent s = r->sent[r->sent_head & (r->sent_cap - 1)];
		bool waits = r->told_ns[s.zone - r->o.first] == s.at_ns;
		if (waits && p->now_ns - s.at_ns < NOTIFY_AGAIN_NS) {
			return;
		}
		r->sent_head++;
		if (waits) {
			r->resent++;
			tell(p, s.zone);
		}
	}
}

/* ---- changes ---- */

static uint64_t changes_due(const struct primary *p)
{
	const struct rate *r = p->rate;
	uint64_t due = (uint64_t)((p->now_ns - r->start_ns) / 1000) * r->o.per_s / 1000000;

	return due < r->total ? due : r->total;
}

static void drive(struct primary *p)
{
	struct rate *r = p->rate;
	uint64_t due = changes_due(p);
	uint32_t share = r->o.per_s > p->samples_per_s ? p->samples_per_s : r->o.per_s;

	for (unsigned i = 0; i < RATE_TURN_MAX && r->changes < due; i++) {
		uint32_t zone = r->o.first + r->zone;
		r->zone = (uint32_t)(((uint64_t)r->zone + r->step) % r->zones);
		farm_bump(&p->farm, zone);
		p->now_ns = clock_ns();
		tell(p, zone);
		if (r->changes * share / r->o.per_s != (r->changes + 1) * share / r->o.per_s) {
			probe_add(p, zone, p->now_ns);
		}
		if (r->checks[zone - r->o.first] == CHECK_UNCHANGED) {
			r->checks[zone - r->o.first] = CHECK_CHANGED;
			r->left++;
		}
		r->changes++;
	}
	if (r->changes == r->total) {
		r->phase = RATE_CHECK;
		r->driven_ns = p->now_ns;
		r->moved_ns = p->now_ns;
	}
}

/* ---- the check ---- */

/* The next zone that is not known to be current; false: the round is over. */
static bool check_pick(struct rate *r, uint32_t *zone)
{
	while (r->check_next < r->zones) {
		*zone = r->check_next++;
		if (r->checks[*zone] == CHECK_CHANGED) {
			return true;
		}
	}
	return false;
}

/* Asks for a window of zones, and for each again: what is not current yet costs the secondary
 * little. */
static void check_turn(struct primary *p)
{
	struct rate *r = p->rate;

	for (unsigned i = 0; i < CHECK_WINDOW; i++) {
		struct asking *a = &r->asking[i];
		uint8_t octets[DATAGRAM_LEN];
		struct writer w = writer_of(octets, sizeof(octets));
		if (a->used && a->until_ns < p->now_ns) {
			a->used = false;
			r->asking_count--;
		}
		if (!a->used && check_pick(r, &a->zone)) {
			a->used = true;
			a->next_ns = p->now_ns;
			a->until_ns = p->now_ns + CHECK_PATIENCE_NS;
			r->asking_count++;
		}
		if (a->used && a->next_ns <= p->now_ns) {
			query_write(p, 0, r->o.first + a->zone, &w);
			(void)rate_send(r, a->zone, &w);
			a->next_ns = p->now_ns + CHECK_AGAIN_NS;
		}
	}
	if (r->check_next == r->zones && r->asking_count == 0) {
		r->check_next = 0; /* for those that were passed over */
	}
}

static void check_hear(struct primary *p, const struct told *told)
{
	struct rate *r = p->rate;
	uint32_t zone = told->zone - r->o.first;

	if (r->checks[zone] != CHECK_CHANGED || !told->has_serial ||
	    told->serial !=
	            farm_serial(&p->farm, told->zone, farm_generation(&p->farm, told->zone))) {
		return;
	}
	r->checks[zone] = CHECK_CURRENT;
	r->settled_ns = p->now_ns;
	r->moved_ns = p->now_ns;
	r->left--;
	for (unsigned i = 0; i < CHECK_WINDOW; i++) {
		if (r->asking[i].used && r->asking[i].zone == zone) {
			r->asking[i].used = false;
			r->asking_count--;
		}
	}
}

/* ---- life ---- */

static int us_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double quantile_ms(const struct rate *r, double q)
{
	size_t at = (size_t)(q * (double)r->sampled);

	return r->sampled == 0 ? -1 : r->took_us[at < r->sampled ? at : r->sampled - 1] / 1000.0;
}

static void rate_end(struct primary *p)
{
	struct rate *r = p->rate;
	int64_t settle_ns = r->settled_ns > r->driven_ns ? r->settled_ns - r->driven_ns : 0;

	qsort(r->took_us, r->sampled, sizeof(*r->took_us), us_compare);
	printf("{\"changes\": %" PRIu64 ", \"seconds\": %.3f, \"sampled\": %" PRIu64
	       ", \"p50_ms\": %.3f, \"p90_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, "
	       "\"unseen\": %u, \"skipped\": %" PRIu64 ", \"lost\": %u, \"settle_ms\": %.1f, "
	       "\"resent\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"queries\": %" PRIu64
	       ", \"cpu_us\": %.0f}\nok\n",
	       r->changes, (double)(r->driven_ns - r->start_ns) / NS_PER_S, r->sampled,
	       quantile_ms(r, 0.5), quantile_ms(r, 0.9), quantile_ms(r, 0.99), quantile_ms(r, 1),
	       probes_waiting(r), r->skipped, r->left, (double)settle_ns / NS_PER_MS, r->resent,
	       r->answered, r->queries, cpu_us() - r->cpu_before_us);
	for (unsigned i = 0; i < RATE_SOCKETS; i++) {
		close(r->sources[i].fd);
	}
	free(r->told_ns);
	free(r->sent);
	free(r->took_us);
	free(r->checks);
	free(r);
	p->rate = NULL;
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b > 0) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

void rate_begin(struct primary *p, const struct rate_options *options)
{
	struct rate *r = mem_zero(1, sizeof(*r));

	r->o = *options;
	r->zones = options->last - options->first + 1;
	r->step = (uint32_t)(r->zones * STEP_FRACTION) + 1;
	while (common_divisor(r->step, r->zones) > 1) {
		r->step++;
	}
	r->start_ns = p->now_ns;
	r->total = (uint64_t)options->per_s * options->seconds;
	r->told_ns = mem_zero(r->zones, sizeof(*r->told_ns));
	r->checks = mem_zero(r->zones, 1);
	r->sent_cap = 1024;
	r->sent = mem_new(r->sent_cap * sizeof(*r->sent));
	r->took_us = mem_new((r->total + 1) * sizeof(*r->took_us));
	r->cpu_before_us = cpu_us();
	for (uint32_t i = PROBES_MAX; i-- > 0;) {
		r->unused[r->unused_len++] = (uint16_t)i;
	}
	for (unsigned i = 0; i < RATE_SOCKETS; i++) {
		r->sources[i] = (struct source){ SOURCE_RATE, socket_to(p, &options->to) };
		watch(p, EPOLL_CTL_ADD, &r->sources[i], EPOLLIN);
	}
	if (options->seconds == 0) {
		memset(r->checks, CHECK_CHANGED, r->zones);
		r->left = r->zones;
	}
	p->rate = r;
}

void rate_hear(struct primary *p, int fd)
{
	struct rate *r = p->rate;
	uint8_t in[DATAGRAM_LEN];
	struct told told;
	ssize_t len;

	for (unsigned i = 0; i < RATE_TURN_MAX; i++) {
		len = recv(fd, in, sizeof(in), MSG_DONTWAIT);
		if (len < 0) {
			return;
		}
		if (!told_read(p, bytes_of(in, (size_t)len), &told) || told.zone < r->o.first ||
		    told.zone > r->o.last) {
			continue;
		}
		if (told.opcode == OPCODE_NOTIFY && told.rcode == RCODE_NOERROR) {
			r->answered += r->told_ns[told.zone - r->o.first] != 0;
			r->told_ns[told.zone - r->o.first] = 0;
		} else if (told.opcode == OPCODE_QUERY && told.id == 0) {
			check_hear(p, &told);
		} else if (told.opcode == OPCODE_QUERY) {
			probe_hear(p, &told);
		}
	}
}

void rate_turn(struct primary *p)
{
	struct rate *r = p->rate;

	if (r == NULL) {
		return;
	}
	if (r->phase == RATE_DRIVE) {
		drive(p);
	} else {
		check_turn(p);
	}
	tell_again(p);
	probes_turn(p);
	if (r->phase == RATE_CHECK &&
	    ((r->left == 0 && r->heap_len == 0) || p->now_ns - r->driven_ns > DRAIN_NS)) {
		rate_end(p);
	}
}

int64_t rate_due_ns(const struct primary *p)
{
	const struct rate *r = p->rate;
	int64_t due = p->now_ns + NS_PER_S;

	if (r == NULL) {
		return due;
	}
	if (r->phase == RATE_CHECK) {
		due = p->now_ns + NS_PER_MS;
	} else {
		int64_t next =
			r->start_ns + (int64_t)((r->changes + 1) * 1000000 / r->o.per_s) * 1000;
		due = next < due ? next + 1000 : due;
	}
	if (r->heap_len > 0 && r->probes[r->heap[0]].next_ns < due) {
		due = r->probes[r->heap[0]].next_ns;
	}
	return due;
}
