/* SPDX-License-Identifier: MIT
 *
 * transfer/primary.c — the primaries of a shard: who waits, how much may run, how they are. */
#include "transfer/primary_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"

#define MAY(state) (1U << (state))

static const unsigned edges[] = {
	[PRIMARY_UP] = MAY(PRIMARY_DOWN),
	[PRIMARY_DOWN] = MAY(PRIMARY_DOWN) | MAY(PRIMARY_PROBED) | MAY(PRIMARY_UP),
	[PRIMARY_PROBED] = MAY(PRIMARY_DOWN) | MAY(PRIMARY_UP),
};

static uint64_t now_ns(const struct primary *p)
{
	return io_now_ns(p->all->io);
}

static void changed(const struct primary *p)
{
	if (p->all->owner.changed != NULL) {
		p->all->owner.changed(p->all->owner.self);
	}
}

static void tell(const struct primary *p, enum primary_news news)
{
	if (p->all->owner.tell != NULL) {
		p->all->owner.tell(p->all->owner.self, p, news);
	}
}

/* ---- the table ---- */

void primaries_init(struct primaries *all, struct io *io, struct quotas *quotas)
{
	*all = (struct primaries){ .io = io, .seed = env_random_u64(io->env), .quotas = quotas };
	if (quotas == NULL) {
		all->quotas_own = quotas_new();
		all->quotas = all->quotas_own;
	}
	link_init(&all->wakes);
	link_init(&all->dirty);
	for (unsigned job = 0; job < JOBS; job++) {
		for (unsigned lane = 0; lane < LANES; lane++) {
			link_init(&all->ready[job][lane]);
		}
	}
}

static void primary_free(struct primary *p)
{
	assert(p->users == 0 && p->conns == NULL && link_alone(&p->parked));
	assert(p->unsent[0].first == NULL && p->unsent[1].first == NULL);
	for (unsigned job = 0; job < JOBS; job++) {
		assert(p->slots[job].running == 0);
		for (unsigned lane = 0; lane < LANES; lane++) {
			assert(link_alone(&p->waiting[job][lane]));
			assert(link_alone(&p->ready[job][lane]));
		}
	}
	io_timer_clear(p->all->io, &p->pace_timer);
	io_timer_clear(p->all->io, &p->conn_timer);
	io_timer_clear(p->all->io, &p->probe_timer);
	link_remove(&p->wake);
	if (p->health != PRIMARY_UP) {
		(void)!quota_down(p->quota, false);
	}
	quota_put(p->all->quotas, p->quota);
	p->all->count--;
	free(p);
}

void primaries_fini(struct primaries *all)
{
	for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) {
		while (all->buckets[i] != NULL) {
			struct primary *p = all->buckets[i];

			all->buckets[i] = p->chain;
			primary_free(p);
		}
	}
	assert(all->count == 0);
	quotas_free(all->quotas_own);
}

/* Forgets those in one bucket that nobody has used for long; the buckets take turns. */
static void sweep_bucket(struct primaries *all)
{
	struct primary **at = &all->buckets[all->sweep];
	uint64_t now = io_now_ns(all->io);

	all->sweep = (all->sweep + 1) % PRIMARY_BUCKETS;
	while (*at != NULL) {
		struct primary *p = *at;

		if (p->users == 0 && p->conns == NULL &&
		    now - p->used_ns > PRIMARY_KEEP_S * NS_PER_S) {
			*at = p->chain;
			primary_free(p);
		} else {
			at = &p->chain;
		}
	}
}

static bool source_same(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && (a->family == 0 || addr_same_ip(a, b));
}

static void on_pace(struct io_timer *timer);
static void on_probe(struct io_timer *timer);

static void queue_init(struct request_queue *q)
{
	q->end = &q->first;
}

static struct primary *primary_new(struct primaries *all, const struct policy_primary *like)
{
	struct primary *p = mem_zero(1, sizeof(*p));

	*p = (struct primary){ .all = all, .addr = like->addr, .source = like->source };
	p->quota = quota_get(all->quotas, &p->addr);
	p->pace_timer.fn = on_pace;
	p->probe_timer.fn = on_probe;
	p->learned_ns = now_ns(p);
	window_init(&p->windows[JOB_ASK], PRIMARY_ASKS_MAX);
	window_init(&p->windows[JOB_PULL], POLICY_TRANSFERS);
	link_init(&p->parked);
	link_init(&p->wake);
	queue_init(&p->unsent[0]);
	queue_init(&p->unsent[1]);
	for (unsigned job = 0; job < JOBS; job++) {
		for (unsigned lane = 0; lane < LANES; lane++) {
			link_init(&p->waiting[job][lane]);
			link_init(&p->ready[job][lane]);
		}
	}
	all->count++;
	return p;
}

static void set_pace(struct primary *p, const struct policy_pace *pace)
{
	struct policy_pace to = *pace;

	to.connections = to.connections == 0 ? POLICY_CONNECTIONS : to.connections;
	to.transfers = to.transfers == 0 ? POLICY_TRANSFERS : to.transfers;
	if (to.transfers != p->pace.transfers) {
		window_limit(&p->windows[JOB_PULL], to.transfers);
	}
	p->pace = to;
}

/* What was learned long ago may have changed: one step more is tried. */
static void unlearn(struct primary *p)
{
	if (now_ns(p) - p->learned_ns < PRIMARY_LEARN_S * NS_PER_S) {
		return;
	}
	p->learned_ns = now_ns(p);
	if (p->ability > ABILITY_PIPELINE) {
		p->ability--;
		p->strikes = 0;
	}
}

struct primary *primary_get(struct primaries *all, const struct policy_primary *like)
{
	const struct addr *addr = &like->addr;
	uint64_t hash = hash_bytes(all->seed, bytes_of(addr->ip, sizeof(addr->ip))) + addr->port;
	struct primary **bucket = &all->buckets[hash % PRIMARY_BUCKETS];
	struct primary *p = *bucket;

	while (p != NULL &&
	       !(addr_equal(&p->addr, addr) && source_same(&p->source, &like->source))) {
		p = p->chain;
	}
	if (p == NULL) {
		sweep_bucket(all);
		p = primary_new(all, like);
		p->chain = *bucket;
		*bucket = p;
	}
	set_pace(p, &like->pace);
	unlearn(p);
	p->users++;
	return p;
}

void primary_put(struct primary *p)
{
	assert(p->users > 0);
	p->users--;
	p->used_ns = now_ns(p);
}

/* ---- lanes ---- */

uint32_t primary_conns_max(const struct primary *p)
{
	uint32_t max = p->pace.connections;
	bool bears = p->conn_bears != 0 && now_ns(p) - p->bears_ns < PRIMARY_BEARS_S * NS_PER_S;

	return bears && p->conn_bears < max ? p->conn_bears : max;
}

/* How many may run, lanes apart. */
static uint32_t slots_limit(const struct primary *p, enum job job)
{
	uint32_t limit = p->windows[job].size;

	if (p->health != PRIMARY_UP) {
		return UINT32_MAX; /* one tries, the others are turned away at once */
	}
	if (job == JOB_PULL && p->ability != ABILITY_PIPELINE && limit > primary_conns_max(p)) {
		limit = primary_conns_max(p);
	}
	return limit;
}

/* Lists or unlists the lanes of a primary, after anything about them changed. */
static void ready_update(struct primary *p, enum job job)
{
	uint32_t limit = slots_limit(p, job);

	for (enum lane lane = 0; lane < LANES; lane++) {
		struct link *l = &p->ready[job][lane];
		bool listed = !link_alone(l);
		bool may = !link_alone(&p->waiting[job][lane]) && !p->blocked[lane_urgent(lane)] &&
		           slots_open(&p->slots[job], limit, lane);

		if (may && !listed) {
			link_append(&p->all->ready[job][lane], l);
		} else if (!may && listed) {
			link_remove(l);
		}
	}
}

void primary_update(struct primary *p)
{
	ready_update(p, JOB_ASK);
	ready_update(p, JOB_PULL);
}

void primary_enqueue(struct primary *p, enum job job, enum lane lane, struct link *l)
{
	assert(link_alone(l));
	link_append(&p->waiting[job][lane], l);
	p->waiting_count[job]++;
	ready_update(p, job);
}

void primary_dequeue(struct primary *p, enum job job, struct link *l)
{
	assert(!link_alone(l) && p->waiting_count[job] > 0);
	link_remove(l);
	p->waiting_count[job]--;
	ready_update(p, job);
}

static void on_pace(struct io_timer *timer)
{
	struct primary *p = container_of(timer, struct primary, pace_timer);

	p->blocked[false] = false;
	p->blocked[true] = false;
	primary_update(p);
	changed(p);
}

/* Of the transfers that all shards may have at once, what a lane may fill. */
static uint32_t transfers_max(const struct primary *p, enum lane lane)
{
	uint32_t max = p->pace.transfers;

	return lane_urgent(lane) ? max : max - lane_share(max, LANE_NOTIFY);
}

/* Counts what is to begin against the primary's pace. False: not now, and the lane is blocked. */
static bool pace_take(struct primary *p, enum job job, enum lane lane)
{
	uint64_t now = now_ns(p), at = 0;
	bool yields = !lane_urgent(lane) && quota_hurried(p->quota, now);

	if (job == JOB_PULL && (yields || !quota_transfer_take(p->quota, transfers_max(p, lane)))) {
		at = now + PRIMARY_AGAIN_MS * NS_PER_MS;
		p->blocked[lane_urgent(lane)] = true;
		if (lane_urgent(lane)) {
			quota_hurry(p->quota, at + PRIMARY_AGAIN_MS * NS_PER_MS);
		}
	} else {
		/* Of one that is down nothing is asked, but by who tries. */
		at = p->health != PRIMARY_UP ? 0
		                             : quota_query(p->quota, p->pace.queries_per_s, now);
		if (at == 0) {
			return true;
		}
		if (job == JOB_PULL) {
			quota_transfer_give(p->quota);
		}
		p->blocked[false] = true;
		p->blocked[true] = true;
	}
	io_timer_set(p->all->io, &p->pace_timer, at);
	primary_update(p);
	return false;
}

static struct link *take_from(struct primaries *all, enum job job, enum lane lane)
{
	struct link *head = &all->ready[job][lane];

	while (!link_alone(head) && slots_open(&all->slots[job], all->slots_max[job], lane)) {
		struct primary *p = container_of(head->next, struct primary, ready[job][lane]);
		struct link *l = p->waiting[job][lane].next;

		if (!pace_take(p, job, lane)) {
			continue; /* the lane is off the list */
		}
		link_remove(head->next); /* to the end of the round, if it stays */
		link_remove(l);
		p->waiting_count[job]--;
		slots_take(&p->slots[job], lane);
		slots_take(&all->slots[job], lane);
		ready_update(p, job);
		return l;
	}
	return NULL;
}

struct link *primaries_take(struct primaries *all, enum job job)
{
	bool rest_first = (all->takes[job] + 1) % LANE_REST_EVERY == 0;

	for (unsigned i = 0; i < LANES; i++) {
		enum lane lane = rest_first ? LANES - 1 - i : i;
		struct link *l = take_from(all, job, lane);

		if (l != NULL) {
			all->takes[job]++;
			return l;
		}
	}
	return NULL;
}

void primary_slot_end(struct primary *p, enum job job, enum lane lane)
{
	slots_give(&p->slots[job], lane);
	slots_give(&p->all->slots[job], lane);
	if (job == JOB_PULL) {
		quota_transfer_give(p->quota);
	}
	ready_update(p, job);
}

/* ---- health ---- */

static void health_move(struct primary *p, enum primary_health to)
{
	assert((edges[p->health] & MAY(to)) != 0);
	p->health = to;
	p->prober = NULL;
	p->probe_due = false;
	primary_update(p);
	changed(p);
}

bool primary_admits(struct primary *p, const struct link *l, bool eager)
{
	if (p->health == PRIMARY_DOWN && (eager || now_ns(p) >= p->down_until_ns)) {
		health_move(p, PRIMARY_PROBED);
		p->prober = l;
		return true;
	}
	return p->health == PRIMARY_UP || p->prober == l;
}

/* When somebody is to try, if anybody waits for it. */
static void probe_at(struct primary *p, uint64_t at_ns)
{
	if (!link_alone(&p->parked)) {
		io_timer_set(p->all->io, &p->probe_timer, at_ns);
	}
}

static void wakes_add(struct primary *p)
{
	if (!link_alone(&p->parked) && link_alone(&p->wake)) {
		link_append(&p->all->wakes, &p->wake);
		changed(p);
	}
}

static void on_probe(struct io_timer *timer)
{
	struct primary *p = container_of(timer, struct primary, probe_timer);

	if (p->health == PRIMARY_DOWN) {
		p->probe_due = true;
		wakes_add(p);
	}
	if (p->health == PRIMARY_UP) {
		wakes_add(p);
	} else {
		/* Should whoever is woken find something better to do. */
		probe_at(p, now_ns(p) + PRIMARY_DOWN_MAX_S * NS_PER_S);
	}
}

void primary_hint(struct primary *p)
{
	uint64_t soon = p->failed_ns + PRIMARY_DOWN_FIRST_S * NS_PER_S;

	if (p->health == PRIMARY_DOWN && p->down_until_ns > soon) {
		p->down_until_ns = soon;
		probe_at(p, soon);
	}
}

void primary_probe_over(struct primary *p, const struct link *l)
{
	if (p->health == PRIMARY_PROBED && p->prober == l) {
		health_move(p, PRIMARY_DOWN);
		p->down_until_ns = now_ns(p) + PRIMARY_DOWN_FIRST_S * NS_PER_S;
		probe_at(p, p->down_until_ns);
	}
}

void primary_heard_udp(struct primary *p, bool heard)
{
	p->deaf_until_ns = heard ? 0 : now_ns(p) + PRIMARY_DEAF_S * NS_PER_S;
}

void primary_connected(struct primary *p, uint64_t latency_ns)
{
	p->latency_ns = p->latency_ns == 0 ? latency_ns : (p->latency_ns * 7 + latency_ns) / 8;
}

void primary_answered(struct primary *p)
{
	if (p->health == PRIMARY_UP) {
		return;
	}
	health_move(p, PRIMARY_UP);
	p->up_ns = now_ns(p);
	p->down_until_ns = 0;
	p->conn_bears = 0; /* it may have been about to go */
	io_timer_clear(p->all->io, &p->probe_timer);
	if (quota_down(p->quota, false)) {
		tell(p, PRIMARY_CAME_UP);
	}
	wakes_add(p);
}

/* What was learned since the last answer was learned of its going down. */
static void forget_learned(struct primary *p)
{
	p->strikes = 0;
	p->cautious = false;
	if (p->ability != p->ability_before && p->learned_ns > p->heard_ns) {
		p->ability = p->ability_before;
	}
}

void primary_unreached(struct primary *p, enum err e)
{
	uint64_t wait_s = PRIMARY_DOWN_FIRST_S;
	bool was_up = p->health == PRIMARY_UP;

	if (err_class(e) != ERR_CLASS_PEER) {
		return;
	}
	p->last_error = e;
	if (was_up && now_ns(p) - p->up_ns >= PRIMARY_DOWN_MAX_S * NS_PER_S) {
		p->failures = 0; /* it was well meanwhile */
	}
	if (p->health == PRIMARY_DOWN && p->down_until_ns > now_ns(p)) {
		return; /* an attempt that began before this was known */
	}
	for (unsigned i = 0; i < p->failures && wait_s < PRIMARY_DOWN_MAX_S; i++) {
		wait_s *= 2;
	}
	p->failures++;
	wait_s = wait_s < PRIMARY_DOWN_MAX_S ? wait_s : PRIMARY_DOWN_MAX_S;
	p->failed_ns = now_ns(p);
	p->down_until_ns = p->failed_ns + wait_s * NS_PER_S;
	p->heard = false;
	if (was_up) {
		forget_learned(p);
	}
	p->down_since_ns = was_up ? p->failed_ns : p->down_since_ns;
	health_move(p, PRIMARY_DOWN);
	probe_at(p, p->down_until_ns);
	if (was_up && quota_down(p->quota, true)) {
		tell(p, PRIMARY_WENT_DOWN);
	}
}

void primary_park(struct primary *p, struct link *l)
{
	assert(p->health != PRIMARY_UP && link_alone(l));
	link_append(&p->parked, l);
	if (!io_timer_is_set(&p->probe_timer)) {
		probe_at(p, p->down_until_ns);
	}
}

/* It came back just now, and is asked as much as it may be. */
static bool unproven(const struct primary *p)
{
	return now_ns(p) - p->up_ns < PRIMARY_PROVEN_S * NS_PER_S &&
	       p->slots[JOB_PULL].running + p->waiting_count[JOB_PULL] >= p->windows[JOB_PULL].size;
}

struct link *primaries_wake(struct primaries *all)
{
	while (!link_alone(&all->wakes)) {
		struct primary *p = container_of(all->wakes.next, struct primary, wake);
		bool up = p->health == PRIMARY_UP;

		if (up && unproven(p)) {
			/* It may be gone again at once: no more wake up than it can be asked for. */
			link_remove(&p->wake);
			io_timer_set(all->io, &p->probe_timer,
			             now_ns(p) + PRIMARY_WAKE_MS * NS_PER_MS);
			continue;
		}
		if (!link_alone(&p->parked) && (up || p->probe_due)) {
			if (!up) {
				p->probe_due = false;
				link_remove(&p->wake);
			}
			return p->parked.next;
		}
		link_remove(&p->wake);
	}
	return NULL;
}

const char *primary_ability_print(enum primary_ability ability)
{
	static const char *const texts[] = {
		[ABILITY_PIPELINE] = "many requests at once on a connection",
		[ABILITY_SERIAL] = "one request at a time on a connection",
		[ABILITY_SINGLE] = "one request on each connection",
	};

	return texts[ability];
}

void primary_can(struct primary *p, enum primary_ability ability)
{
	p->strikes = 0;
	if (ability <= p->ability) {
		return;
	}
	p->ability_before = p->ability;
	p->ability = ability;
	p->learned_ns = now_ns(p);
	primary_update(p);
	tell(p, PRIMARY_CAN_LESS);
}

void primary_bears(struct primary *p, uint32_t conns)
{
	assert(conns > 0);
	p->conn_bears = conns;
	p->bears_ns = now_ns(p);
	primary_update(p);
}
