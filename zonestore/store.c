/* SPDX-License-Identifier: MIT
 *
 * zonestore/store.c — what owner shards and readers call. */
#include "zonestore/store.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "zonestore/snapshot_p.h"
#include "zonestore/store_p.h"
#include "zonestore/versions_p.h"

/* ---- life ---- */

/* A node left memory: its place on the disk is free. Any thread. */
static void store_node_gone(void *self, uint64_t seq)
{
	struct store *st = self;

	/* What is read at the start and found of no use is dropped in the end (load.c). */
	if (!atomic_load_explicit(&st->disk.loading, memory_order_relaxed)) {
		drops_add(&st->drops, seq);
	}
}

enum err store_new(const struct store_options *options, struct store **out)
{
	struct store *st = mem_zero(1, sizeof(*st));
	pthread_condattr_t attr;

	assert(options->shard_count > 0 && options->shard_count <= UINT16_MAX);
	assert(options->journal != NULL && options->post != NULL);
	assert(options->engine_bytes % 8 == 0 && options->engine_bytes / 8 <= UINT8_MAX);
	st->o = *options;
	st->engines = mem_zero(st->o.shard_count, sizeof(*st->engines));
	st->o.pool->keeper = st;
	zone_map_init(&st->zones, st->o.env, st->o.epoch);
	pthread_mutex_init(&st->queue.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&st->queue.wake, &attr);
	pthread_condattr_destroy(&attr);
	st->queue.commits_end = &st->queue.commits;
	drops_init(&st->drops);
	wanted_init(&st->wanted);
	disk_init(st);
	pool_set_drop_fn(st->o.pool, store_node_gone, st);
	*out = st;
	return ERR_OK;
}

static_assert(offsetof(struct zone, apex) <= 58 && offsetof(struct snapshot, apex) <= 47,
              "a parked zone costs 250 octets in all, of which the engine's room takes 48");

static void *engine_room(const struct zone *zone)
{
	return (uint8_t *)(uintptr_t)zone - (size_t)zone->engine_units * 8;
}

/* A cleared zone, and the room before it. */
static struct zone *zone_new(struct store *st, struct name apex)
{
	struct heap *heap = &st->o.pool->heap;
	size_t len = st->o.engine_bytes + sizeof(struct zone) + apex.len;
	unsigned shard = store_shard_of(st, apex);
	uint8_t *at = heap_at(heap, heap_take(heap, len, shard));
	struct zone *zone = (struct zone *)(void *)(at + st->o.engine_bytes);

	memset(at, 0, len);
	zone->shard = (uint16_t)shard;
	zone->engine_units = (uint8_t)(st->o.engine_bytes / 8);
	zone->apex_len = apex.len;
	zone->apex_labels = apex.labels;
	memcpy(zone->apex, apex.at, apex.len);
	return zone;
}

static void zone_give(struct zone *zone)
{
	struct pool *pool = heap_owner(zone);

	heap_give(&pool->heap, heap_handle(&pool->heap, engine_room(zone)));
}

static void zone_forget_failure(struct zone *zone)
{
	struct pool *pool = heap_owner(zone);

	if (zone->failure != 0) {
		heap_give(&pool->heap, zone->failure);
		zone->failure = 0;
	}
}

void zone_free(struct zone *zone)
{
	snapshot_unref(zone_served(zone));
	versions_free(atomic_load_explicit(&zone->more, memory_order_acquire));
	zone_forget_failure(zone);
	zone_give(zone);
}

static bool zone_free_visit(void *self, struct zone *zone)
{
	(void)self;
	zone_free(zone);
	return true;
}

static void removals_free(struct removal *r)
{
	while (r != NULL) {
		struct removal *next = r->next;
		zone_free(r->zone);
		free(r);
		r = next;
	}
}

static void commits_forget(struct commit *c)
{
	while (c != NULL) {
		struct commit *next = c->next;
		commit_forget(c);
		c = next;
	}
}

void store_free(struct store *st)
{
	if (st == NULL) {
		return;
	}
	pool_set_drop_fn(st->o.pool, NULL, NULL);
	commits_forget(st->queue.commits);
	commits_forget(st->disk.commits);
	removals_free(st->queue.removals);
	removals_free(st->disk.removals);
	zone_map_each(&st->zones, zone_free_visit, NULL);
	zone_map_fini(&st->zones);
	disk_fini(st);
	st->o.journal->ops->free(st->o.journal);
	drops_fini(&st->drops);
	wanted_fini(&st->wanted);
	pthread_cond_destroy(&st->queue.wake);
	pthread_mutex_destroy(&st->queue.lock);
	free(st->engines);
	free(st);
}

bool store_failing(const struct store *st, enum err *why)
{
	*why = (enum err)atomic_load(&st->disk.failing);
	return *why != ERR_OK;
}

/* ---- zones ---- */

unsigned store_shard_of(const struct store *st, struct name apex)
{
	return (unsigned)(name_hash(st->zones.seed + 1, apex) % st->o.shard_count);
}

void store_reserve(struct store *st, size_t zones)
{
	zone_map_reserve(&st->zones, zones);
}

enum err store_add(struct store *st, struct name apex, struct zone **out)
{
	struct zone *zone = zone_new(st, apex);
	enum err e = zone_map_add(&st->zones, zone);

	if (e != ERR_OK) {
		zone_give(zone);
		return e;
	}
	*out = zone;
	return ERR_OK;
}

void store_queue_wake(struct store *st, uint64_t due_ns)
{
	struct store_queue *q = &st->queue;

	if (q->sleeps_until_ns > due_ns) {
		q->sleeps_until_ns = 0; /* once is enough */
		pthread_cond_signal(&q->wake);
	}
}

/* Notes and removals wait a little for company, mostly. queue.lock is held. */
static void queue_aside(struct store *st, uint64_t wait_ns)
{
	struct store_queue *q = &st->queue;
	uint64_t at = env_mono_ns(st->o.env) + wait_ns + 1; /* never 0 */

	if (q->aside_at_ns == 0 || q->aside_at_ns > at) {
		q->aside_at_ns = at;
		store_queue_wake(st, at);
	}
}

void store_removal_push(struct store *st, struct zone *zone)
{
	struct removal *r = mem_zero(1, sizeof(*r));

	r->zone = zone;
	r->next = st->queue.removals;
	st->queue.removals = r;
	queue_aside(st, STORE_ASIDE_NS);
}

void store_remove(struct store *st, struct zone *zone)
{
	zone_map_remove(&st->zones, zone);
	pthread_mutex_lock(&st->queue.lock);
	assert((zone->marks & MARK_REMOVED) == 0);
	zone->marks |= MARK_REMOVED;
	if ((zone->marks & MARK_COMMITTING) == 0) { /* else commit_finish() does it */
		store_removal_push(st, zone);
	}
	pthread_mutex_unlock(&st->queue.lock);
}

struct zone *store_find(const struct store *st, struct name apex)
{
	return zone_map_find(&st->zones, apex);
}

struct zone *store_find_enclosing(const struct store *st, struct name name)
{
	return zone_map_find_enclosing(&st->zones, name);
}

const void *store_region(const struct store *st)
{
	static_assert(HEAP_SPAN_MAX <= STORE_REGION_BYTES, "the heap's span");
	return st->o.pool->heap.base;
}

uint32_t store_place(const struct store *st, const struct zone *zone)
{
	return heap_handle(&st->o.pool->heap, zone);
}

struct zone *store_zone_at(const struct store *st, uint32_t place)
{
	return heap_at(&st->o.pool->heap, place);
}

size_t store_zone_count(const struct store *st)
{
	return atomic_load_explicit(&st->zones.count, memory_order_relaxed);
}

void store_each(const struct store *st, bool (*visit)(void *self, struct zone *zone), void *self)
{
	zone_map_each(&st->zones, visit, self);
}

struct name zone_apex(const struct zone *zone)
{
	return (struct name){ zone->apex, zone->apex_len, zone->apex_labels };
}

unsigned zone_shard(const struct zone *zone)
{
	return zone->shard;
}

const struct snapshot *zone_newest(const struct zone *zone)
{
	return zone_served(zone);
}

const struct snapshot *zone_borrow(const struct zone *zone)
{
	return zone_expired(zone) ? NULL : zone_newest(zone);
}

void zone_set_expired(struct zone *zone, bool expired)
{
	atomic_store_explicit(&zone->expired, expired, memory_order_release);
}

bool zone_expired(const struct zone *zone)
{
	return atomic_load_explicit(&zone->expired, memory_order_acquire);
}

void store_set_engine(struct store *st, unsigned shard, void *engine)
{
	assert(shard < st->o.shard_count);
	st->engines[shard] = engine;
}

void *zone_shard_engine(const struct zone *zone)
{
	const struct pool *pool = heap_owner(zone);
	const struct store *st = pool->keeper;

	return st->engines[zone->shard];
}

void *zone_engine_start(struct zone *zone)
{
	assert(!zone->engine_runs);
	zone->engine_runs = true;
	return memset(engine_room(zone), 0, (size_t)zone->engine_units * 8);
}

void zone_engine_stop(struct zone *zone)
{
	zone->engine_runs = false;
}

void *zone_engine(const struct zone *zone)
{
	return zone->engine_runs ? engine_room(zone) : NULL;
}

void zone_set_policy(struct zone *zone, const void *policy)
{
	atomic_store_explicit(&zone->policy, policy, memory_order_release);
}

const void *zone_policy(const struct zone *zone)
{
	return atomic_load_explicit(&zone->policy, memory_order_acquire);
}

/* ---- timers ---- */

struct zone_timers zone_timers(const struct zone *zone)
{
	struct zone_timers t = { .refreshed_at_s = zone->refreshed_at_s,
		                 .refresh_at_s = zone->refresh_at_s,
		                 .expire_at_s = zone->expire_at_s,
		                 .notified = zone->notified };
	const struct zone_failure *failure = heap_placed(zone, zone->failure);

	if (failure != NULL) {
		t.failing_since_s = failure->since_s;
		t.last_error = failure->err;
		t.last_error_primary = failure->primary;
		t.last_error_at_s = failure->at_s;
	}
	return t;
}

struct zone_timers store_timers(struct store *st, const struct zone *zone)
{
	struct zone_timers t;

	pthread_mutex_lock(&st->queue.lock);
	t = zone_timers(zone);
	pthread_mutex_unlock(&st->queue.lock);
	return t;
}

void zone_timers_set(struct zone *zone, const struct zone_timers *t)
{
	struct pool *pool = heap_owner(zone);
	struct zone_failure *failure;

	zone->refreshed_at_s = time_pack(t->refreshed_at_s);
	zone->refresh_at_s = time_pack(t->refresh_at_s);
	zone->expire_at_s = time_pack(t->expire_at_s);
	zone->notified = t->notified;
	if (t->last_error == ERR_OK && t->failing_since_s == 0) {
		zone_forget_failure(zone);
		return;
	}
	if (zone->failure == 0) {
		zone->failure = heap_take(&pool->heap, sizeof(*failure), zone->shard);
	}
	failure = heap_placed(zone, zone->failure);
	*failure = (struct zone_failure){ .err = t->last_error,
		                          .since_s = time_pack(t->failing_since_s) };
	if (t->last_error != ERR_OK) {
		failure->primary = t->last_error_primary;
		failure->at_s = time_pack(t->last_error_at_s);
	}
}

void store_note_push(struct store *st, struct zone *zone)
{
	if ((zone->marks & (MARK_COMMITTING | MARK_WRITING)) != 0) {
		zone->marks |= MARK_AGAIN;
		return;
	}
	zone->marks &= (uint8_t)~MARK_STANDS;
	if ((zone->marks & (MARK_NOTED | MARK_REMOVED)) == 0) {
		zone->marks |= MARK_NOTED;
		zone->note_next = heap_place(st->queue.notes);
		st->queue.notes = zone;
		queue_aside(st, STORE_ASIDE_NS);
	}
}

void store_note(struct store *st, struct zone *zone, const struct zone_timers *timers)
{
	pthread_mutex_lock(&st->queue.lock);
	assert((zone->marks & MARK_REMOVED) == 0);
	zone_timers_set(zone, timers);
	store_note_push(st, zone);
	pthread_mutex_unlock(&st->queue.lock);
}

void store_note_soon(struct store *st, struct zone *zone, const struct zone_timers *timers)
{
	pthread_mutex_lock(&st->queue.lock);
	assert((zone->marks & MARK_REMOVED) == 0);
	zone_timers_set(zone, timers);
	store_note_push(st, zone);
	if (st->queue.notes != NULL) {
		queue_aside(st, 0);
	}
	pthread_mutex_unlock(&st->queue.lock);
}

/* ---- figures ---- */

void store_stats(struct store *st, struct store_stats *out)
{
	enum err why;

	*out = (struct store_stats){ .zones = store_zone_count(st),
		                     .zones_loaded = atomic_load(&st->disk.zones_loaded),
		                     .loading = atomic_load(&st->disk.loading),
		                     .failing = store_failing(st, &why) };
	pool_stats(st->o.pool, &out->pool);
	pthread_mutex_lock(&st->queue.lock);
	out->commits_waiting = st->queue.commit_count;
	pthread_mutex_unlock(&st->queue.lock);
	pthread_mutex_lock(&st->disk.stats_lock);
	out->journal = st->disk.stats_told.journal;
	out->disk = st->disk.stats_told.disk;
	pthread_mutex_unlock(&st->disk.stats_lock);
}
