/* SPDX-License-Identifier: MIT
 *
 * zonestore/commit.c — what is kept of a zone becomes what was planned: durable, then visible.
 *
 *	owner shard   plan -> queue .............................. finish: publish, done()
 *	disk thread                  weigh, write the record, commit _/
 *
 * The plan is final but for two things that may take long in a large zone, and are therefore left to
 * the disk thread: counting differences, and with that how many older versions have room. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/codec.h"
#include "zonestore/store_p.h"
#include "zonestore/versions_p.h"
#include "zonestore/weigh_p.h"

#define WEIGH_SLICE 16384U /* records that are counted before others have their turn */

/* ---- beginning ---- */

static struct versions *zone_more(const struct zone *zone)
{
	return atomic_load_explicit(&zone->more, memory_order_acquire);
}

static void commit_plan(struct version_plan *p, const struct zone *zone)
{
	plan_begin(p, zone_newest(zone), zone_more(zone));
}

/* Hands a plan (taken) to the disk thread. */
static enum err commit_push(struct store *st, struct zone *zone, struct version_plan *p,
                            struct commit *c)
{
	struct store_queue *q = &st->queue;
	enum err e = ERR_OK;

	assert(c->done != NULL);
	c->store = st;
	c->zone = zone;
	c->fresh = p->fresh;
	c->pushes = p->pushes;
	c->more = plan_versions(p, &c->keep, env_wall_s(st->o.env));
	c->snap = p->snap;
	c->err = ERR_OK;
	c->weighed = false;
	c->weigher = NULL;
	c->next = NULL;
	c->since_ns = env_mono_ns(st->o.env);
	c->begun_ns = 0;
	pthread_mutex_lock(&q->lock);
	assert((zone->marks & MARK_REMOVED) == 0);
	if (q->stop) {
		e = ERR_STOPPING;
	} else if ((zone->marks & MARK_COMMITTING) != 0 || q->commit_count >= STORE_QUEUE_MAX) {
		e = ERR_BUSY;
	} else {
		zone->marks |= MARK_COMMITTING;
		if (!c->comes) {
			c->timers = zone_timers(zone);
		}
		*q->commits_end = c;
		q->commits_end = &c->next;
		q->commit_count++;
		q->fresh_count++;
		store_queue_wake(st, q->fresh_count >= STORE_GROUP_MAX ? 0 : q->commit_at_ns);
	}
	pthread_mutex_unlock(&q->lock);
	if (e != ERR_OK) {
		versions_free(c->more);
		snapshot_unref(c->snap);
	}
	return e;
}

enum err store_commit(struct store *st, struct zone *zone, struct snapshot *snap,
                      const struct zone_timers *timers, struct commit *c)
{
	struct version_plan p;
	enum err e;

	assert(snap != NULL && serial_equal(snap->serial, snap->source_serial));
	commit_plan(&p, zone);
	plan_arrival(&p, snapshot_ref(snap), c->hold);
	c->comes = true;
	c->timers = *timers;
	e = commit_push(st, zone, &p, c);
	if (e == ERR_OK) {
		snapshot_unref(snap);
	} else {
		snap->serial = snap->source_serial;
	}
	return e;
}

/* An operator's act whose plan has come to `e`. */
static enum err commit_act(struct store *st, struct zone *zone, struct version_plan *p, enum err e,
                           struct commit *c)
{
	if (e != ERR_OK) {
		plan_fini(p);
		return e;
	}
	c->comes = false;
	return commit_push(st, zone, p, c);
}

enum err store_rollback(struct store *st, struct zone *zone, struct serial serial, bool same_serial,
                        struct commit *c)
{
	struct version_plan p;
	enum err e;

	commit_plan(&p, zone);
	e = plan_rollback(&p, serial, same_serial, env_wall_s(st->o.env));
	return commit_act(st, zone, &p, e, c);
}

enum err store_pin(struct store *st, struct zone *zone, struct commit *c)
{
	struct version_plan p;

	commit_plan(&p, zone);
	return commit_act(st, zone, &p, plan_pin(&p), c);
}

enum err store_release(struct store *st, struct zone *zone, struct commit *c)
{
	struct version_plan p;

	commit_plan(&p, zone);
	return commit_act(st, zone, &p, plan_release(&p), c);
}

enum err store_accept(struct store *st, struct zone *zone, struct commit *c)
{
	struct version_plan p;

	commit_plan(&p, zone);
	return commit_act(st, zone, &p, plan_accept(&p), c);
}

enum err store_reject(struct store *st, struct zone *zone, struct commit *c)
{
	struct version_plan p;

	commit_plan(&p, zone);
	return commit_act(st, zone, &p, plan_reject(&p), c);
}

/* Of a commit that the store makes for itself. */
static void prune_done(struct commit *c, enum err e)
{
	(void)e; /* a failing disk is told elsewhere, and another look follows */
	free(c);
}

void store_prune(struct store *st, struct zone *zone, const struct version_limits *keep)
{
	const struct versions *v = zone_more(zone);
	struct version_plan p;
	struct commit *c;

	if (v == NULL || !versions_exceed(v, keep, env_wall_s(st->o.env))) {
		return;
	}
	c = mem_zero(1, sizeof(*c));
	c->done = prune_done;
	c->keep = *keep;
	commit_plan(&p, zone);
	if (commit_act(st, zone, &p, ERR_OK, c) != ERR_OK) {
		free(c);
	}
}

/* ---- on the disk thread ---- */

/* What is to be counted for a commit, if anything is. */
static struct weigher *commit_weigher(const struct commit *c)
{
	const struct snapshot *before = zone_newest(c->zone);
	bool pushes = c->pushes && c->more != NULL && c->more->count > 0;

	if (before == NULL || (c->fresh == NULL && !pushes)) {
		return NULL;
	}
	return weigher_new(c->fresh, before, pushes ? c->snap : NULL);
}

bool commit_weigh(struct commit *c)
{
	struct weigher *w = c->weigher;

	if (c->weighed) {
		return true;
	}
	if (w == NULL) {
		w = commit_weigher(c);
		c->weigher = w;
	}
	if (w != NULL && !weigher_step(w, WEIGH_SLICE)) {
		return false;
	}
	if (w != NULL && w->after != NULL) {
		c->more->older[0].bytes = w->bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)w->bytes;
	}
	if (c->more != NULL) {
		const struct snapshot *next = c->snap != NULL ? c->snap : zone_newest(c->zone);
		versions_trim(c->more, versions_bytes_max(&c->keep, next));
	}
	weigher_free(w);
	c->weigher = NULL;
	c->weighed = true;
	return true;
}

/* ---- ending ---- */

static void publish_tell(struct store *st, struct zone *zone, const struct snapshot *snap)
{
	struct snapshot_facts facts;
	char root[2 * sizeof(facts.root.octets) + 1] = "";
	struct writer w = writer_of(root, sizeof(root) - 1);

	if (event_level(EVENT_ZONE_PUBLISHED) >
	    (enum event_level)atomic_load_explicit(&st->o.events->level, memory_order_relaxed)) {
		return;
	}
	snapshot_facts(snap, &facts);
	if (!base16_encode(bytes_of(facts.root.octets, sizeof(facts.root.octets)), &w)) {
		return;
	}
	for (size_t i = 0; i < w.len; i++) {
		root[i] |= 0x20; /* lower case, as everywhere where people compare ids */
	}
	EVENT(st->o.events, EVENT_ZONE_PUBLISHED, F_NAME("zone", name_bytes(zone_apex(zone))),
	      F_UINT("serial", facts.serial.n), F_STR("root", root),
	      F_UINT("records", facts.records));
}

/* Makes a durable version the one that every shard reads. Takes the reference. Nothing here can
 * fail. */
static void store_publish(struct store *st, struct zone *zone, struct snapshot *snap, bool comes)
{
	struct snapshot *old = zone_served(zone);

	assert(snap != old);
	zone_set_newest(zone, snap); /* pairs with the acquire load in zone_newest() */
	if (comes) {
		zone_set_expired(zone, false);
	}
	publish_tell(st, zone, snap);
	for (unsigned i = 0; i < st->subscriber_count; i++) {
		struct subscriber *s = &st->subscribers[i];
		s->on_publish(s->self, (struct publish_event){ zone, old, snap });
	}
	snapshot_unref(old); /* those who borrowed it have it until their turns end */
}

/* Everything that a commit was about is what is so from now on. */
static void commit_publish(struct commit *c)
{
	struct store *st = c->store;
	struct zone *zone = c->zone;
	struct versions *before = zone_more(zone);

	/* First what else is kept: who finds the new version finds the one before it as well. */
	atomic_store_explicit(&zone->more, c->more, memory_order_release);
	if (c->snap != NULL) {
		store_publish(st, zone, c->snap, c->comes);
	} else if (c->comes) {
		zone_set_expired(zone, false); /* a primary is there */
	}
	versions_retire(st->o.epoch, before);
}

void commit_forget(struct commit *c)
{
	weigher_free(c->weigher);
	snapshot_unref(c->snap);
	versions_free(c->more);
	if (c->done == prune_done) {
		free(c);
	}
}

/* A zone that was removed while its commit was under way has waited for it. */
static void commit_finish_removed(struct commit *c)
{
	struct store *st = c->store;
	struct zone *zone = c->zone;

	snapshot_unref(c->snap);
	versions_free(c->more);
	pthread_mutex_lock(&st->queue.lock);
	st->queue.commit_count--;
	zone->marks &= (uint8_t) ~(MARK_COMMITTING | MARK_AGAIN);
	pthread_mutex_unlock(&st->queue.lock);
	c->done(c, ERR_NOT_FOUND);
	pthread_mutex_lock(&st->queue.lock);
	store_removal_push(st, zone);
	pthread_mutex_unlock(&st->queue.lock);
}

void commit_finish(struct store_task *task)
{
	struct commit *c = container_of(task, struct commit, task);
	struct store *st = c->store;
	struct zone *zone = c->zone;
	bool removed;

	weigher_free(c->weigher); /* the disk failed meanwhile */
	c->weigher = NULL;
	pthread_mutex_lock(&st->queue.lock);
	removed = (zone->marks & MARK_REMOVED) != 0; /* by this very thread */
	if (!removed && c->comes && c->err == ERR_OK) {
		zone_timers_set(zone, &c->timers);
	}
	pthread_mutex_unlock(&st->queue.lock);
	if (removed) {
		commit_finish_removed(c);
		return;
	}
	if (c->err == ERR_OK) {
		commit_publish(c);
	} else {
		snapshot_unref(c->snap);
		versions_free(c->more);
	}
	c->snap = NULL;
	c->more = NULL;
	pthread_mutex_lock(&st->queue.lock);
	st->queue.commit_count--;
	zone->marks &= (uint8_t)~MARK_COMMITTING;
	if (c->err == ERR_OK && (zone->marks & (MARK_NOTED | MARK_WRITING)) == MARK_NOTED) {
		zone->marks |= MARK_STANDS; /* unless it was noted anew, below */
	}
	if ((zone->marks & MARK_AGAIN) != 0) {
		zone->marks &= (uint8_t)~MARK_AGAIN;
		store_note_push(st, zone);
	}
	pthread_mutex_unlock(&st->queue.lock);
	c->done(c, c->err);
}

void store_subscribe(struct store *st, struct subscriber subscriber)
{
	assert(st->subscriber_count < STORE_SUBSCRIBERS_MAX);
	st->subscribers[st->subscriber_count++] = subscriber;
}
