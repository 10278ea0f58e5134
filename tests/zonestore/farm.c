/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/farm.c — zones made of their number and serial, and a store to keep them. */
#include "tests/zonestore/farm.h"

#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"

#define SHARDS 2

static void post(void *self, unsigned shard, struct store_task *task)
{
	struct farm *f = self;

	cr_assert(shard < SHARDS);
	task->link[0] = NULL;
	*f->last = task;
	f->last = (struct store_task **)&task->link[0];
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

static void watch(void *self, enum event_kind kind, const struct event_field *fields, size_t count)
{
	struct farm *f = self;

	(void)fields;
	(void)count;
	f->counts[kind]++;
}

void farm_init(struct farm *f, struct journal *journal)
{
	struct pool_options pool_options;
	struct store_options options;

	*f = (struct farm){ 0 };
	env_fake_init(&f->env, 1);
	f->last = &f->first;
	f->events = (struct events){ .level = LEVEL_DEBUG,
		                     .env = &f->env.env,
		                     .self = f,
		                     .write_fn = write_nothing,
		                     .watch_fn = watch };
	f->epoch = epoch_new();
	f->participant = epoch_join(f->epoch);
	pool_options = (struct pool_options){
		.env = &f->env.env, .epoch = f->epoch, .parts = 4, .span_bytes = 1U << 30
	};
	cr_assert(eq(int, pool_new(&pool_options, &f->pool), ERR_OK));
	options = (struct store_options){ .env = &f->env.env,
		                          .events = &f->events,
		                          .epoch = f->epoch,
		                          .pool = f->pool,
		                          .journal = journal,
		                          .shard_count = SHARDS,
		                          .engine_bytes = 2 * sizeof(uint64_t),
		                          .post = post,
		                          .post_self = f };
	cr_assert(eq(int, store_new(&options, &f->st), ERR_OK));
	epoch_quiet(f->epoch, f->participant);
}

void farm_start(struct farm *f, struct journal *journal, unsigned count)
{
	farm_init(f, journal);
	for (unsigned i = 0; i < count; i++) {
		farm_add(f, i);
	}
	cr_assert(eq(int, store_load(f->st), ERR_OK));
}

void farm_fini(struct farm *f)
{
	farm_turn(f);
	cr_assert(eq(uint, f->outstanding, 0));
	epoch_offline(f->epoch, f->participant);
	store_free(f->st);
	while (epoch_collect(f->epoch) > 0) {
	}
	epoch_free(f->epoch);
	pool_free(f->pool);
}

struct zone *farm_zone(struct farm *f, unsigned index)
{
	struct name_buf apex;

	content_apex(index, &apex);
	return store_find(f->st, name_of(&apex));
}

void farm_add(struct farm *f, unsigned index)
{
	struct name_buf apex;
	struct zone *zone;

	content_apex(index, &apex);
	cr_assert(eq(int, store_add(f->st, name_of(&apex), &zone), ERR_OK));
}

struct zone_timers farm_timers(uint32_t serial)
{
	return (struct zone_timers){ .refreshed_at_s = 1700000000 + serial,
		                     .refresh_at_s = 1700001000 + serial,
		                     .expire_at_s = 1700100000 + serial };
}

static void commit_done(struct commit *commit, enum err e)
{
	struct farm_commit *c = container_of(commit, struct farm_commit, commit);

	c->err = e;
	c->done++;
	c->farm->outstanding--;
}

void farm_commit_init(struct farm *f, struct farm_commit *c)
{
	*c = (struct farm_commit){ .farm = f, .err = ERR_BUSY };
	c->commit.done = commit_done;
}

enum err farm_commit(struct farm *f, struct farm_commit *c, unsigned index, uint32_t serial,
                     unsigned filling)
{
	struct snapshot *snap = content_version(f->pool, index, serial, filling);
	struct zone_timers timers = farm_timers(serial);
	enum err e;

	farm_commit_init(f, c);
	e = store_commit(f->st, farm_zone(f, index), snap, &timers, &c->commit);
	if (e == ERR_OK) {
		f->outstanding++;
	} else {
		snapshot_unref(snap);
	}
	return e;
}

void farm_turn(struct farm *f)
{
	while (f->first != NULL) {
		struct store_task *task = f->first;
		f->first = task->link[0];
		if (f->first == NULL) {
			f->last = &f->first;
		}
		task->fn(task);
	}
	epoch_quiet(f->epoch, f->participant);
}

void farm_settle(struct farm *f)
{
	while (store_step(f->st) || f->first != NULL) {
		farm_turn(f);
	}
	farm_turn(f);
}

enum err farm_publish(struct farm *f, unsigned index, uint32_t serial, unsigned filling)
{
	struct farm_commit c;

	cr_assert(eq(int, farm_commit(f, &c, index, serial, filling), ERR_OK));
	farm_settle(f);
	cr_assert(eq(uint, c.done, 1));
	return c.err;
}

uint32_t farm_check(const struct snapshot *snap, unsigned index)
{
	cr_assert(content_whole(snap, index));
	return snapshot_serial(snap).n;
}

uint32_t farm_serial(struct farm *f, unsigned index)
{
	struct zone *zone = farm_zone(f, index);
	const struct snapshot *snap = zone == NULL ? NULL : zone_borrow(zone);

	return snap == NULL ? 0 : farm_check(snap, index);
}
