/* SPDX-License-Identifier: MIT
 *
 * transfer/primary.c — the primaries of a shard: who waits for them, how much may run, how they
 * are. */
#include "transfer/primary_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"

void primaries_init(struct primaries *all, struct io *io)
{
	*all = (struct primaries){ .io = io, .seed = env_random_u64(io->env) };
	for (unsigned job = 0; job < JOBS; job++) {
		for (unsigned lane = 0; lane < LANES; lane++) {
			link_init(&all->ready[job][lane]);
		}
	}
}

static void primary_free(struct primary *p)
{
	assert(p->users == 0 && p->conns == NULL);
	for (unsigned job = 0; job < JOBS; job++) {
		assert(p->running[job] == 0);
		for (unsigned lane = 0; lane < LANES; lane++) {
			assert(link_alone(&p->waiting[job][lane]));
			assert(link_alone(&p->ready[job][lane]));
		}
	}
	p->all->count--;
	tsig_key_unref(p->key);
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

static bool key_same(const struct tsig_key *a, const struct tsig_key *b)
{
	return a == b || (a != NULL && b != NULL && tsig_key_equal(a, b));
}

static bool source_same(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && (a->family == 0 || addr_same_ip(a, b));
}

static struct primary *primary_new(struct primaries *all, const struct addr *addr,
                                   const struct addr *source, struct tsig_key *key)
{
	struct primary *p = mem_zero(1, sizeof(*p));

	*p = (struct primary){ .all = all, .addr = *addr, .source = *source };
	p->key = key == NULL ? NULL : tsig_key_ref(key);
	for (unsigned job = 0; job < JOBS; job++) {
		for (unsigned lane = 0; lane < LANES; lane++) {
			link_init(&p->waiting[job][lane]);
			link_init(&p->ready[job][lane]);
		}
	}
	all->count++;
	return p;
}

struct primary *primary_get(struct primaries *all, const struct addr *addr,
                            const struct addr *source, struct tsig_key *key)
{
	uint64_t hash = hash_bytes(all->seed, bytes_of(addr->ip, sizeof(addr->ip))) + addr->port;
	struct primary **bucket = &all->buckets[hash % PRIMARY_BUCKETS];
	struct primary *p = *bucket;

	while (p != NULL && !(addr_equal(&p->addr, addr) && source_same(&p->source, source) &&
	                      key_same(p->key, key))) {
		p = p->chain;
	}
	if (p == NULL) {
		sweep_bucket(all);
		p = primary_new(all, addr, source, key);
		p->chain = *bucket;
		*bucket = p;
	}
	p->users++;
	return p;
}

void primary_put(struct primary *p)
{
	assert(p->users > 0);
	p->users--;
	p->used_ns = io_now_ns(p->all->io);
}

/* What of a limit is open to a lane. */
static uint32_t lane_share(uint32_t limit, enum lane lane)
{
	return lane < LANE_DUE ? limit : limit - limit / 4;
}

/* Lists or unlists the lanes of a primary, after anything about them changed. */
static void ready_update(struct primary *p, enum job job)
{
	for (enum lane lane = 0; lane < LANES; lane++) {
		struct link *l = &p->ready[job][lane];
		bool listed = !link_alone(l);
		bool may = !link_alone(&p->waiting[job][lane]) &&
		           p->running[job] < lane_share(p->all->per_primary_max[job], lane);

		if (may && !listed) {
			link_append(&p->all->ready[job][lane], l);
		} else if (!may && listed) {
			link_remove(l);
		}
	}
}

void primary_enqueue(struct primary *p, enum job job, enum lane lane, struct link *l)
{
	assert(link_alone(l));
	link_append(&p->waiting[job][lane], l);
	ready_update(p, job);
}

void primary_dequeue(struct primary *p, enum job job, enum lane lane, struct link *l)
{
	assert(!link_alone(l));
	(void)lane;
	link_remove(l);
	ready_update(p, job);
}

struct link *primaries_take(struct primaries *all, enum job job)
{
	for (enum lane lane = 0; lane < LANES; lane++) {
		struct link *head = &all->ready[job][lane];
		struct primary *p;
		struct link *l;

		if (link_alone(head) ||
		    all->running[job] >= lane_share(all->running_max[job], lane)) {
			continue;
		}
		p = container_of(head->next, struct primary, ready[job][lane]);
		l = p->waiting[job][lane].next;
		link_remove(head->next); /* to the end of the round, if it stays */
		link_remove(l);
		p->running[job]++;
		all->running[job]++;
		ready_update(p, job);
		return l;
	}
	return NULL;
}

void primary_slot_end(struct primary *p, enum job job)
{
	assert(p->running[job] > 0 && p->all->running[job] > 0);
	p->running[job]--;
	p->all->running[job]--;
	ready_update(p, job);
}

bool primary_down(const struct primary *p)
{
	return p->down_until_ns > io_now_ns(p->all->io);
}

void primary_connected(struct primary *p, uint64_t latency_ns)
{
	p->failures = 0;
	p->down_until_ns = 0;
	p->latency_ns = p->latency_ns == 0 ? latency_ns : (p->latency_ns * 7 + latency_ns) / 8;
}

void primary_unreached(struct primary *p, enum err e)
{
	uint64_t now = io_now_ns(p->all->io);
	uint64_t wait_s = PRIMARY_DOWN_FIRST_S;

	p->last_error = e;
	if (p->down_until_ns > now) {
		return; /* an attempt that began before this was known */
	}
	for (unsigned i = 0; i < p->failures && wait_s < PRIMARY_DOWN_MAX_S; i++) {
		wait_s *= 2;
	}
	p->failures++;
	wait_s = wait_s < PRIMARY_DOWN_MAX_S ? wait_s : PRIMARY_DOWN_MAX_S;
	p->down_until_ns = now + wait_s * NS_PER_S;
}
