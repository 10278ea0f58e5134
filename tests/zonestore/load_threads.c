/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/load_threads.c — several threads read the journal while shards read zones and ask
 * for those that are not there yet.
 *
 * A plain program, since Criterion and ThreadSanitizer do not go together. Zones are small and large,
 * some share their trees, some have lost a node or have a damaged one. Each life is on the same disk:
 * what is whole must come back whole every time, what is damaged must be reported, and nobody who
 * asked must be forgotten. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "tests/zonestore/content.h"
#include "zonestore/journal_memory.h"
#include "zonestore/wanted.h"

#define SHARDS  4
#define LOADERS 4
#define ZONES   600
#define LIVES   8
#define DAMAGED 5 /* nodes */

struct world;

struct asker {
	struct store_wanted wanted;
	struct shard *shard;
	bool waits;
};

struct shard {
	struct world *w;
	unsigned number;
	pthread_t thread;
	pthread_mutex_t lock;
	struct store_task *first;
	struct store_task **last;
	struct asker askers[ZONES];
	unsigned waiting;
	uint64_t told;
};

struct world {
	struct events events;
	struct epoch *epoch;
	struct pool *pool;
	struct store *st;
	struct shard shards[SHARDS];
	unsigned loaders;
	_Atomic bool loaded;
	_Atomic unsigned corrupt;
	_Atomic unsigned faults;
};

static unsigned filling_of(unsigned index)
{
	return index % 100 == 7 ? 4000 : index % 5 * 30;
}

static void fault(struct world *w, const char *what, unsigned index)
{
	fprintf(stderr, "zone %u: %s\n", index, what);
	atomic_fetch_add(&w->faults, 1);
}

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

static struct zone *zone_at(const struct world *w, unsigned index)
{
	struct name_buf apex;

	content_apex(index, &apex);
	return store_find(w->st, name_of(&apex));
}

static void asker_told(struct store_task *task)
{
	struct asker *a =
		container_of(container_of(task, struct store_wanted, task), struct asker, wanted);
	struct shard *s = a->shard;
	unsigned index = (unsigned)(a - s->askers);

	if (!a->waits) {
		fault(s->w, "told twice", index);
	}
	if (store_unread(s->w->st, zone_at(s->w, index))) {
		fault(s->w, "told before it was read", index);
	}
	a->waits = false;
	s->waiting--;
	s->told++;
}

static void shard_look(struct shard *s, unsigned index)
{
	struct world *w = s->w;
	struct zone *zone = zone_at(w, index);
	const struct snapshot *snap = zone_borrow(zone);
	struct asker *a = &s->askers[index];
	enum err e;

	if (snap != NULL) {
		if (!content_whole(snap, index)) {
			fault(w, "not whole", index);
		}
		return;
	}
	if (a->waits || !store_unread(w->st, zone)) {
		return;
	}
	a->shard = s;
	a->wanted.shard = s->number;
	a->wanted.task.fn = asker_told;
	a->waits = true;
	s->waiting++;
	e = store_want(w->st, zone, &a->wanted);
	if (e != ERR_OK) {
		a->waits = false;
		s->waiting--;
	}
	if (e != ERR_OK && e != ERR_NOT_FOUND) {
		fault(w, err_code(e), index);
	}
}

static void *shard_run(void *arg)
{
	struct shard *s = arg;
	struct world *w = s->w;
	unsigned me = epoch_join(w->epoch);

	for (unsigned turn = 0; !atomic_load(&w->loaded) || s->waiting > 0; turn++) {
		epoch_quiet(w->epoch, me);
		shard_mail(s);
		shard_look(s, (turn * 7 + s->number * 150) % ZONES);
	}
	epoch_leave(w->epoch, me);
	return NULL;
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

static void watch(void *self, enum event_kind kind, const struct event_field *fields, size_t count)
{
	struct world *w = self;

	(void)fields;
	(void)count;
	if (kind == EVENT_STORE_CORRUPT) {
		atomic_fetch_add(&w->corrupt, 1);
	}
}

static void world_init(struct world *w, struct memory_disk *disk, unsigned loaders)
{
	struct pool_options pool_options = { .env = env_system() };
	struct store_options options = { .env = env_system(),
		                         .shard_count = SHARDS,
		                         .post = post,
		                         .post_self = w,
		                         .loaders = loaders };
	struct name_buf apex;
	struct zone *zone;

	*w = (struct world){ .loaders = loaders };
	w->events = (struct events){ .level = LEVEL_INFO,
		                     .env = env_system(),
		                     .self = w,
		                     .write_fn = write_nothing,
		                     .watch_fn = watch };
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
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *s = &w->shards[i];
		s->w = w;
		s->number = i;
		s->last = &s->first;
		pthread_mutex_init(&s->lock, NULL);
	}
	for (unsigned i = 0; i < ZONES; i++) {
		content_apex(i, &apex);
		if (store_add(w->st, name_of(&apex), &zone) != ERR_OK) {
			abort();
		}
	}
}

static void world_fini(struct world *w)
{
	store_free(w->st);
	while (epoch_collect(w->epoch) > 0) {
	}
	epoch_free(w->epoch);
	pool_free(w->pool);
}

static void written(struct commit *commit, enum err e)
{
	if (e != ERR_OK) {
		abort();
	}
	free(commit);
}

/* Fills the disk, by one thread. Every other zone has an older version, too. */
static void make(struct world *w, struct memory_disk *disk)
{
	struct zone_timers timers = { .refresh_at_s = 1 };

	world_init(w, disk, 0);
	if (store_load(w->st) != ERR_OK) {
		abort();
	}
	for (unsigned i = 0; i < 2 * ZONES; i++) {
		struct commit *c = mem_zero(1, sizeof(*c));
		unsigned index = i % ZONES;
		if (i >= ZONES && index % 2 == 0) {
			free(c);
			continue;
		}
		c->done = written;
		c->keep = (struct version_limits){ .count = 3 };
		if (store_commit(w->st, zone_at(w, index),
		                 content_version(w->pool, index, 1 + i, filling_of(index)), &timers,
		                 c) != ERR_OK) {
			abort();
		}
		while (store_step(w->st)) {
			for (unsigned s = 0; s < SHARDS; s++) {
				shard_mail(&w->shards[s]);
			}
		}
		for (unsigned s = 0; s < SHARDS; s++) {
			shard_mail(&w->shards[s]);
		}
	}
	world_fini(w);
}

/* Damages the last nodes to be written: they are of newest versions, without which a zone is not
 * served. */
static void damage(struct memory_disk *disk)
{
	struct memory_record r;
	size_t count = 0;

	while (memory_disk_node(disk, count, &r)) {
		count++;
	}
	for (size_t i = 1; i <= DAMAGED; i++) {
		if (!memory_disk_node(disk, count - i, &r)) {
			abort();
		}
		r.at[r.len - 1] ^= 1;
	}
}

static bool live(struct world *w, struct memory_disk *disk, unsigned loaders)
{
	uint64_t told = 0;
	unsigned served = 0;
	enum err e;

	world_init(w, disk, loaders);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_create(&w->shards[i].thread, NULL, shard_run, &w->shards[i]);
	}
	e = store_load(w->st);
	atomic_store(&w->loaded, true);
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_join(w->shards[i].thread, NULL);
		told += w->shards[i].told;
	}
	for (unsigned i = 0; i < ZONES; i++) {
		served += zone_newest(zone_at(w, i)) != NULL;
	}
	printf("%u loaders: %u zones, %u reported, %llu told, %u faults\n", loaders, served,
	       w->corrupt, (unsigned long long)told, w->faults);
	world_fini(w);
	return e == ERR_OK && w->corrupt > 0 && served + w->corrupt == ZONES && w->faults == 0;
}

int main(void)
{
	struct world *w = mem_new(sizeof(*w));
	struct memory_disk *disk = memory_disk_new();
	bool good = true;

	make(w, disk);
	damage(disk);
	for (unsigned i = 0; i < LIVES; i++) {
		good = live(w, disk, 1 + i % LOADERS) && good;
	}
	memory_disk_free(disk);
	free(w);
	return good ? 0 : 1;
}
