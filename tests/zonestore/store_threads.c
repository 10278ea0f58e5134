/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/store_threads.c — shards that read all zones while some update theirs, with the
 * disk thread between them.
 *
 * A plain program, since Criterion and ThreadSanitizer do not go together. Every shard reads zones
 * of all shards, also what is kept of them, and expects them whole and their serials never to go
 * back; the first UPDATERS also commit new versions, hold some, roll zones back, pin and release
 * them, prune, note timers, and remove and add zones. A second life on the same disk is read while
 * it is being loaded. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "tests/zonestore/content.h"
#include "zonestore/journal_memory.h"
#include "zonestore/versions.h"

#define SHARDS      4
#define UPDATERS    2
#define ZONES       24
#define UPDATES     300 /* each, of zones */
#define LIVES       2
#define OLDER       5 /* versions kept of each */
#define TRIES_MAX   ZONES
#define REMOVE_EACH 101U     /* turns */
#define LIFE        1000000U /* serials of a life */

struct world;

/* What an updater does to a zone. */
enum act {
	ACT_COMMIT,
	ACT_HOLD,
	ACT_ROLLBACK,
	ACT_PIN,
	ACT_RELEASE,
	ACT_ACCEPT,
	ACT_REJECT,
	ACT_PRUNE,
	ACT_REMOVE,
	ACTS,
};

struct shard {
	struct world *w;
	unsigned number;
	pthread_t thread;
	pthread_mutex_t lock;
	struct store_task *first;
	struct store_task **last;
	unsigned under_way;
	unsigned updates;
	uint32_t seen[ZONES];
	unsigned acts[ACTS]; /* done */
	unsigned step;       /* which act is next */
	unsigned tries;      /* zones that it was not for */
};

struct world {
	struct events events;
	struct epoch *epoch;
	struct pool *pool;
	struct store *st;
	struct shard shards[SHARDS];
	uint32_t first_serial;
	_Atomic bool ready;
	_Atomic unsigned working; /* updaters that are not done */
	_Atomic uint64_t looks;
	_Atomic uint64_t faults;
};

struct update {
	struct commit commit;
	struct shard *shard;
	bool busy;
	bool removed; /* the zone, meanwhile */
	enum act act;
};

static void post(void *self, unsigned number, struct store_task *task)
{
	struct shard *s = &((struct world *)self)->shards[number];

	task->link[0] = NULL;
	pthread_mutex_lock(&s->lock);
	*s->last = task;
	s->last = (struct store_task **)&task->link[0];
	pthread_mutex_unlock(&s->lock);
}

static void shard_mail(struct shard *s)
{
	struct store_task *task;

	pthread_mutex_lock(&s->lock);
	task = s->first;
	s->first = NULL;
	s->last = &s->first;
	pthread_mutex_unlock(&s->lock);
	while (task != NULL) {
		struct store_task *next = task->link[0];
		task->fn(task);
		task = next;
	}
}

static void fault(struct world *w, const char *what, unsigned zone)
{
	fprintf(stderr, "zone %u: %s\n", zone, what);
	atomic_fetch_add(&w->faults, 1);
}

static struct zone *zone_at(const struct world *w, unsigned index)
{
	struct name_buf apex;

	content_apex(index, &apex);
	return store_find(w->st, name_of(&apex));
}

/* All that is kept of a zone is whole, and found by its serial. */
static void look_at_versions(struct shard *s, const struct zone *zone, unsigned index)
{
	struct version_view views[OLDER + 2];
	size_t count = zone_versions(zone, views, OLDER + 2);

	if (count > OLDER + 2) {
		fault(s->w, "more versions than the limit", index);
		count = OLDER + 2;
	}
	for (size_t i = 0; i < count; i++) {
		const struct snapshot *kept = zone_kept(zone, snapshot_serial(views[i].snap));
		if (!content_whole(views[i].snap, index)) {
			fault(s->w, "a kept version is not whole", index);
		}
		if (kept != NULL && !content_whole(kept, index)) {
			fault(s->w, "a version found by serial is not whole", index);
		}
		snapshot_unref(views[i].snap);
	}
	if (zone_hold(zone) >= HOLD_REASONS) {
		fault(s->w, "reason", index);
	}
}

static void shard_look(struct shard *s, unsigned index)
{
	struct zone *zone = zone_at(s->w, index);
	const struct snapshot *snap = zone == NULL ? NULL : zone_borrow(zone);
	struct zone_timers t;
	uint32_t serial;

	if (zone != NULL && !atomic_load(&s->w->ready)) {
		t = store_timers(s->w->st, zone);
		if (t.last_error != ERR_OK && t.last_error != ERR_PEER_TIMEOUT) {
			fault(s->w, "last error", index);
		}
	}
	if (zone != NULL) {
		look_at_versions(s, zone, index);
	}
	if (snap == NULL) {
		return;
	}
	serial = snapshot_serial(snap).n;
	if (serial < s->seen[index]) {
		fault(s->w, "serial went back", index);
	}
	s->seen[index] = serial;
	if (!content_whole(snap, index)) {
		fault(s->w, "not whole", index);
	}
	atomic_fetch_add_explicit(&s->w->looks, 1, memory_order_relaxed);
}

static void update_done(struct commit *commit, enum err e)
{
	struct update *u = container_of(commit, struct update, commit);

	if (e != ERR_OK && !u->removed) {
		fault(u->shard->w, err_code(e), 0);
	}
	u->busy = false;
	u->shard->under_way--;
}

/* The oldest version but the served one, if there are some. */
static struct serial old_serial(const struct zone *zone)
{
	struct version_view views[OLDER + 2];
	size_t count = zone_versions(zone, views, OLDER + 2);
	struct serial serial = { 0 };

	for (size_t i = 0; i < count; i++) {
		serial = snapshot_serial(views[i].snap);
		snapshot_unref(views[i].snap);
	}
	return serial;
}

static enum err update_commit(struct shard *s, struct zone *zone, unsigned index, uint32_t serial,
                              struct update *u)
{
	struct zone_timers t = { .refresh_at_s = 1700000000 + serial };
	struct snapshot *snap = content_version(s->w->pool, index, serial, serial % 11 * 20);
	enum err e;

	t.last_error = serial % 5 == 0 ? ERR_PEER_TIMEOUT : ERR_OK;
	store_note(s->w->st, zone, &t);
	e = store_commit(s->w->st, zone, snap, &t, &u->commit);
	if (e != ERR_OK) {
		snapshot_unref(snap);
	}
	if (e != ERR_OK && e != ERR_BUSY) { /* versions are being pruned */
		fault(s->w, "commit", index);
	}
	return e;
}

/* Begins an act. ERR_NOT_FOUND: there was nothing to do. */
static enum err update_begin(struct shard *s, struct zone *zone, unsigned index, uint32_t serial,
                             struct update *u)
{
	struct store *st = s->w->st;

	switch (u->act) {
	case ACT_HOLD:
		u->commit.hold = HOLD_SHRUNK;
		return update_commit(s, zone, index, serial, u);
	case ACT_ROLLBACK:
		return store_rollback(st, zone, old_serial(zone), false, &u->commit);
	case ACT_PIN:
		return store_pin(st, zone, &u->commit);
	case ACT_RELEASE:
		return store_release(st, zone, &u->commit);
	case ACT_ACCEPT:
		return store_accept(st, zone, &u->commit);
	case ACT_REJECT:
		return store_reject(st, zone, &u->commit);
	case ACT_PRUNE:
		store_prune(st, zone, &(struct version_limits){ .count = OLDER - 2 });
		return ERR_NOT_FOUND;
	case ACT_REMOVE:
		return ERR_NOT_FOUND;
	case ACT_COMMIT:
	case ACTS:
		break;
	}
	return update_commit(s, zone, index, serial, u);
}

/* One act after the other, each as soon as there is a zone to do it to; if there is none, the next. */
static enum act act_of(const struct shard *s)
{
	static const enum act acts[] = { ACT_COMMIT,  ACT_COMMIT, ACT_ROLLBACK, ACT_COMMIT,
		                         ACT_RELEASE, ACT_HOLD,   ACT_COMMIT,   ACT_REJECT,
		                         ACT_COMMIT,  ACT_PRUNE,  ACT_PIN,      ACT_COMMIT,
		                         ACT_HOLD,    ACT_ACCEPT, ACT_ROLLBACK, ACT_COMMIT,
		                         ACT_COMMIT,  ACT_RELEASE };

	return acts[s->step % (sizeof(acts) / sizeof(acts[0]))];
}

static void shard_remove(struct shard *s, struct update *u, struct zone *zone)
{
	u->removed = u->busy; /* its commit ends first, and is told so */
	store_remove(s->w->st, zone);
	s->acts[ACT_REMOVE]++;
}

static void shard_update(struct shard *s, struct update *u, unsigned index, uint32_t serial)
{
	struct zone *zone = zone_at(s->w, index);

	if (zone == NULL || zone_shard(zone) != s->number) {
		return;
	}
	if (serial % REMOVE_EACH == 0) {
		shard_remove(s, u, zone);
		return;
	}
	if (u->busy) {
		return;
	}
	*u = (struct update){ .shard = s, .act = act_of(s) };
	u->commit.done = update_done;
	u->commit.keep = (struct version_limits){ .count = OLDER, .bytes = UINT64_MAX };
	u->busy = update_begin(s, zone, index, serial, u) == ERR_OK;
	if (u->busy || u->act == ACT_PRUNE) {
		s->under_way += u->busy;
		s->updates++;
		s->acts[u->act]++;
		s->tries = TRIES_MAX;
	}
	if (s->tries++ >= TRIES_MAX) {
		s->tries = 0;
		s->step++;
	}
}

/* store_add() is for one thread at a time: the first shard's. */
static void shard_add(struct shard *s, unsigned index)
{
	struct name_buf apex;
	struct zone *zone;

	content_apex(index, &apex);
	if (s->number == 0 && store_find(s->w->st, name_of(&apex)) == NULL &&
	    store_add(s->w->st, name_of(&apex), &zone) != ERR_OK) {
		fault(s->w, "add", index);
	}
}

static void *shard_run(void *arg)
{
	struct shard *s = arg;
	struct world *w = s->w;
	unsigned me = epoch_join(w->epoch);
	struct update updates[ZONES] = { 0 };
	bool updater = s->number < UPDATERS;

	for (uint32_t turn = 1; atomic_load(&w->working) > 0 || s->under_way > 0; turn++) {
		unsigned index = turn * 5 % ZONES;
		epoch_quiet(w->epoch, me);
		shard_mail(s);
		shard_look(s, index);
		shard_look(s, (index + s->number) % ZONES);
		shard_add(s, turn % ZONES);
		if (updater && atomic_load(&w->ready) && s->updates < UPDATES) {
			shard_update(s, &updates[index], index, w->first_serial + turn);
			if (s->updates == UPDATES) {
				atomic_fetch_sub(&w->working, 1);
			}
		}
		if (turn % 16 == 0) {
			epoch_offline(w->epoch, me);
			usleep(200);
		}
	}
	epoch_leave(w->epoch, me);
	return NULL;
}

static void loaded(void *self)
{
	atomic_store(&((struct world *)self)->ready, true);
}

static void *disk_run(void *arg)
{
	struct world *w = arg;

	store_run(w->st, loaded, w);
	return NULL;
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

static void world_init(struct world *w, struct memory_disk *disk)
{
	struct pool_options pool_options = { .env = env_system() };
	struct store_options options = {
		.env = env_system(), .shard_count = SHARDS, .post = post, .post_self = w
	};

	w->events = (struct events){ .level = LEVEL_INFO,
		                     .env = env_system(),
		                     .write_fn = write_nothing };
	w->epoch = epoch_new();
	pool_options.epoch = w->epoch;
	if (pool_new(&pool_options, &w->pool) != ERR_OK) {
		abort();
	}
	options.events = &w->events;
	options.epoch = w->epoch;
	options.pool = w->pool;
	options.journal = journal_memory_new(disk);
	if (store_new(&options, &w->st) != ERR_OK) {
		abort();
	}
	atomic_store(&w->working, UPDATERS);
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &w->shards[i];
		s->w = w;
		s->number = i;
		s->last = &s->first;
		pthread_mutex_init(&s->lock, NULL);
	}
	for (unsigned i = 0; i < ZONES; i++) {
		shard_add(&w->shards[0], i);
	}
}

static void world_run(struct world *w)
{
	pthread_t disk;

	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_create(&w->shards[i].thread, NULL, shard_run, &w->shards[i]);
	}
	pthread_create(&disk, NULL, disk_run, w);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_join(w->shards[i].thread, NULL);
	}
	store_stop(w->st);
	pthread_join(disk, NULL);
}

/* True if each kind of act was done. */
static bool acts_all(const struct world *w)
{
	bool all = true;

	for (unsigned act = 0; act < ACTS; act++) {
		unsigned count = 0;
		for (unsigned i = 0; i < UPDATERS; i++) {
			count += w->shards[i].acts[act];
		}
		printf("%s%u", act == 0 ? "acts: " : " ", count);
		all = all && count > 0;
	}
	printf("\n");
	return all;
}

/* True if nothing went wrong. */
static bool live(struct world *w, struct memory_disk *disk)
{
	struct store_stats stats;

	world_init(w, disk);
	world_run(w);
	store_stats(w->st, &stats);
	store_free(w->st);
	while (epoch_collect(w->epoch) > 0) {
	}
	epoch_free(w->epoch);
	pool_free(w->pool);
	printf("%llu looks, %u updates, %llu zones loaded, %llu transactions, %llu faults\n",
	       (unsigned long long)w->looks, UPDATERS * UPDATES,
	       (unsigned long long)stats.zones_loaded,
	       (unsigned long long)memory_disk_commits(disk), (unsigned long long)w->faults);
	return w->faults == 0 && stats.commits_waiting == 0 && acts_all(w);
}

int main(void)
{
	static struct world worlds[LIVES];
	struct memory_disk *disk = memory_disk_new();
	bool good = true;

	for (unsigned i = 0; i < LIVES; i++) {
		worlds[i].first_serial = i * LIFE;
		good = live(&worlds[i], disk) && good;
	}
	memory_disk_free(disk);
	return good ? 0 : 1;
}
