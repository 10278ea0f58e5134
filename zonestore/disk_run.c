/* SPDX-License-Identifier: MIT
 *
 * zonestore/disk_run.c — when the disk thread writes, and the collector: the thread beside it that
 * frees memory.
 *
 * Versions are written at once as long as they are few, and with others the more they are (pace_p.h).
 * What is not urgent waits for company. Freeing a large zone takes long, so it
 * has a thread of its own; what it frees on the disk is removed by the disk thread, many at a time,
 * because each may cost a page. */
#include <stdlib.h>

#include "zonestore/store_p.h"

#define FAILING_NS      (50 * NS_PER_MS)  /* between tries of a disk that fails, at least */
#define DROPS_NS        (3600 * NS_PER_S) /* how long nodes that are gone wait for others */
#define DROPS_MANY      4096U             /* of them do not wait, but ... */
#define DROPS_PART      4U                /* ... so few as a part of all nodes do ... */
#define DROPS_MOST      65536U            /* ... up to that many */
#define COLLECT_NS      (20 * NS_PER_MS)  /* between looks for memory to free, if busy */
#define COLLECT_IDLE_NS (250 * NS_PER_MS)
#define COLLECT_SOME    256U /* things retired are freed between two looks for the end */

static uint64_t min_ns(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_ns(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
		                  .tv_nsec = (long)(ns % NS_PER_S) };
}

bool store_step(struct store *st)
{
	bool wrote;

	drops_sort(&st->drops);
	wrote = disk_step(st, true);
	return epoch_collect(st->o.epoch) > 0 || wrote;
}

/* ---- the collector ---- */

static void collector_init(struct collector *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->wake, &attr);
	pthread_condattr_destroy(&attr);
	c->stop = false;
	c->drops_since_ns = 0;
}

static void collector_fini(struct collector *c)
{
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
}

/* Waits; false when it is time to stop. */
static bool collector_wait(struct store *st, uint64_t wait_ns)
{
	struct collector *c = &st->collector;
	struct timespec until = timespec_of(env_mono_ns(st->o.env) + wait_ns);
	bool stop;

	pthread_mutex_lock(&c->lock);
	if (!c->stop && wait_ns > 0) {
		pthread_cond_timedwait(&c->wake, &c->lock, &until);
	}
	stop = c->stop;
	pthread_mutex_unlock(&c->lock);
	return !stop;
}

/* The more there are, the more of them share a page, and the pages that remain are fuller. */
static bool drops_are_many(const struct store *st, size_t waiting)
{
	struct pool_stats stats;

	if (atomic_load(&st->disk.failing) == ERR_DISK_FULL) {
		return true; /* room is what is wanted */
	}
	if (waiting < DROPS_MANY || waiting >= DROPS_MOST) {
		return waiting >= DROPS_MOST;
	}
	pool_stats(st->o.pool, &stats);
	return waiting >= stats.nodes / DROPS_PART;
}

/* Hands nodes that are gone to the disk thread if they are many, or have waited for long. */
static void collector_hand_over(struct store *st)
{
	struct collector *c = &st->collector;
	uint64_t now = env_mono_ns(st->o.env);
	size_t waiting = drops_waiting(&st->drops);

	if (waiting == 0) {
		c->drops_since_ns = 0;
		return;
	}
	if (c->drops_since_ns == 0) {
		c->drops_since_ns = now;
	}
	if (!drops_are_many(st, waiting) && now - c->drops_since_ns < DROPS_NS) {
		return;
	}
	drops_sort(&st->drops);
	pthread_mutex_lock(&st->queue.lock);
	st->queue.drops_ready = true;
	store_queue_wake(st, 0);
	pthread_mutex_unlock(&st->queue.lock);
}

static void *collector_run(void *arg)
{
	struct store *st = arg;
	uint64_t wait_ns = COLLECT_IDLE_NS;

	while (collector_wait(st, wait_ns)) {
		size_t freed = epoch_collect_some(st->o.epoch, COLLECT_SOME);
		wait_ns = freed == COLLECT_SOME ? 0 : freed > 0 ? COLLECT_NS : COLLECT_IDLE_NS;
		collector_hand_over(st);
	}
	return NULL;
}

static void collector_stop(struct store *st)
{
	struct collector *c = &st->collector;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	collector_fini(c);
}

static void collector_start(struct store *st)
{
	collector_init(&st->collector);
	if (pthread_create(&st->collector.thread, NULL, collector_run, st) != 0) {
		abort(); /* as any start without memory for it */
	}
}

/* ---- the disk thread ---- */

static uint64_t aside_due_ns(const struct store *st)
{
	const struct store_queue *q = &st->queue;

	if (q->aside_at_ns == 0) {
		return UINT64_MAX;
	}
	return max_ns(q->aside_at_ns, max_ns(q->commit_at_ns, st->disk.retry_at_ns));
}

/* When there will be something to write, as things stand. queue.lock is held. */
static uint64_t disk_due_ns(const struct store *st)
{
	const struct store_queue *q = &st->queue;
	const struct disk *d = &st->disk;
	uint64_t due = aside_due_ns(st);

	if (q->fresh_count >= STORE_GROUP_MAX || d->full) {
		return 0;
	}
	if (q->fresh_count > 0 || d->commits != NULL) {
		due = min_ns(due, q->commit_at_ns);
	}
	if (q->drops_ready || disk_has_work(d)) {
		due = min_ns(due, max_ns(q->commit_at_ns, d->retry_at_ns));
	}
	return due;
}

/* Waits until there is something to write. False when it is time to stop. */
static bool disk_wait(struct store *st)
{
	struct store_queue *q = &st->queue;
	bool stop;

	pthread_mutex_lock(&q->lock);
	q->commit_at_ns = st->disk.pace.next_ns;
	while (!q->stop) {
		uint64_t due = disk_due_ns(st);
		struct timespec ts = timespec_of(due);
		if (due <= env_mono_ns(st->o.env)) {
			break;
		}
		q->sleeps_until_ns = due;
		if (due == UINT64_MAX) {
			pthread_cond_wait(&q->wake, &q->lock);
		} else {
			pthread_cond_timedwait(&q->wake, &q->lock, &ts);
		}
		q->sleeps_until_ns = 0;
	}
	stop = q->stop;
	pthread_mutex_unlock(&q->lock);
	return !stop;
}

static void disk_round(struct store *st)
{
	struct disk *d = &st->disk;
	uint64_t now = env_mono_ns(st->o.env);
	uint64_t records = d->counts.updates + d->counts.notes;
	bool aside;

	pthread_mutex_lock(&st->queue.lock);
	aside = aside_due_ns(st) <= now;
	pthread_mutex_unlock(&st->queue.lock);
	pace_begin(&d->pace, now);
	(void)disk_step(st, aside);
	pace_count(&d->pace, now, d->counts.updates + d->counts.notes - records);
	if (atomic_load(&d->failing) != ERR_OK) {
		/* Each opens the database anew, and reads what changed last. */
		d->pace.next_ns = max_ns(d->pace.next_ns, now + FAILING_NS);
	}
}

void store_run(struct store *st, void (*loaded)(void *self), void *self)
{
	collector_start(st);
	/* What could not be read is reported and fetched again: the daemon goes on. */
	if (store_load(st) == ERR_STOPPING) {
		collector_stop(st);
		return; /* nothing was accepted, and what to drop is not known */
	}
	if (loaded != NULL) {
		loaded(self);
	}
	while (disk_wait(st)) {
		disk_round(st);
	}
	collector_stop(st);
	drops_sort(&st->drops);
	/* What was accepted is still made durable, unless the disk fails. */
	do {
		(void)disk_step(st, true);
	} while (st->disk.full || (st->disk.notes != NULL && st->disk.retry_at_ns == 0));
}

void store_stop(struct store *st)
{
	atomic_store(&st->wanted.stop, true);
	pthread_mutex_lock(&st->queue.lock);
	st->queue.stop = true;
	store_queue_wake(st, 0);
	pthread_mutex_unlock(&st->queue.lock);
}
