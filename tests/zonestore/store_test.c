/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/store_test.c — zones and versions as the shards see them. */
#include "zonestore/store.h"

#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"

struct heard {
	unsigned count;
	struct publish_event last;
	uint32_t old_serial;
	uint32_t serial;
	uint32_t served; /* what readers saw at that moment */
};

static void hear(void *self, struct publish_event event)
{
	struct heard *h = self;

	h->count++;
	h->last = event;
	h->old_serial = event.old == NULL ? 0 : snapshot_serial(event.old).n;
	h->serial = snapshot_serial(event.snap).n;
	h->served = snapshot_serial(zone_borrow(event.zone)).n;
}

TEST(store, has_the_zones_that_were_added)
{
	struct memory_disk *disk = memory_disk_new();
	struct name_buf below;
	struct name_buf apex;
	struct name origin;
	struct zone *zone;
	uint64_t *engine;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 10);
	cr_expect(eq(sz, store_zone_count(f.st), 10));
	content_apex(3, &apex);
	origin = name_of(&apex);
	cr_expect(eq(int, store_add(f.st, origin, &zone), ERR_BUSY));
	zone = store_find(f.st, origin);
	cr_assert(zone != NULL);
	cr_expect(bytes_equal(name_bytes(zone_apex(zone)), name_bytes(origin)), "case is kept");
	cr_expect(eq(uint, zone_shard(zone), store_shard_of(f.st, origin)));
	cr_assert(eq(int, name_parse(bytes_str("a.b"), &origin, &below), ERR_OK));
	cr_expect(store_find_enclosing(f.st, name_of(&below)) == zone);
	cr_expect(store_find(f.st, name_of(&below)) == NULL);
	cr_expect(zone_borrow(zone) == NULL && zone_newest(zone) == NULL);
	cr_expect(zone_engine(zone) == NULL);
	engine = zone_engine_start(zone);
	cr_expect(engine[0] == 0 && engine[1] == 0 && (void *)(engine + 2) == (void *)zone);
	engine[0] = engine[1] = UINT64_MAX;
	zone_set_policy(zone, &apex);
	cr_expect(zone_engine(zone) == engine && zone_policy(zone) == &apex);
	zone_engine_stop(zone);
	cr_expect(zone_engine(zone) == NULL);
	engine = zone_engine_start(zone);
	cr_expect(engine[0] == 0 && engine[1] == 0, "cleared anew");
	store_remove(f.st, zone);
	cr_expect(store_find(f.st, origin) == NULL);
	cr_expect(store_find_enclosing(f.st, name_of(&below)) == NULL);
	farm_settle(&f);
	farm_add(&f, 3);
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(store, shows_a_version_when_it_is_durable_and_not_before)
{
	struct memory_disk *disk = memory_disk_new();
	struct heard h = { 0 };
	struct farm_commit c;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 2);
	store_subscribe(f.st, (struct subscriber){ &h, hear });
	cr_assert(eq(int, farm_commit(&f, &c, 1, 7, 20), ERR_OK));
	cr_expect(eq(u32, farm_serial(&f, 1), 0), "queued");
	cr_expect(store_step(f.st));
	cr_expect(eq(u64, memory_disk_commits(disk), 1));
	cr_expect(eq(u32, farm_serial(&f, 1), 0), "durable, the owner has not heard");
	cr_expect(eq(uint, c.done, 0));
	farm_turn(&f);
	cr_expect(eq(u32, farm_serial(&f, 1), 7));
	cr_expect(eq(uint, c.done, 1));
	cr_expect(eq(int, c.err, ERR_OK));
	cr_expect(eq(uint, h.count, 1));
	cr_expect(h.last.old == NULL && h.serial == 7 && h.served == 7);
	cr_expect(eq(int, farm_publish(&f, 1, 8, 21), ERR_OK));
	cr_expect(eq(uint, h.count, 2));
	cr_expect(h.old_serial == 7 && h.serial == 8 && h.served == 8);
	cr_expect(eq(uint, f.counts[EVENT_ZONE_PUBLISHED], 2));
	cr_expect(eq(i64, zone_timers(farm_zone(&f, 1)).refresh_at_s, farm_timers(8).refresh_at_s));
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(store, does_not_serve_an_expired_zone_and_keeps_its_version)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;
	struct zone *zone;

	farm_start(&f, journal_memory_new(disk), 1);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 5), ERR_OK));
	zone = farm_zone(&f, 0);
	zone_set_expired(zone, true);
	cr_expect(zone_expired(zone) && zone_borrow(zone) == NULL && zone_newest(zone) != NULL);
	zone_set_expired(zone, false);
	cr_expect(eq(u32, farm_serial(&f, 0), 1));
	zone_set_expired(zone, true);
	cr_assert(eq(int, farm_publish(&f, 0, 2, 5), ERR_OK));
	cr_expect(eq(u32, farm_serial(&f, 0), 2), "a new version ends it");
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(store, keeps_timers_and_what_failed)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(3);
	struct zone_timers got;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 1);
	t.notified = true;
	t.failing_since_s = 1700000005;
	t.last_error = ERR_PEER_REFUSED;
	t.last_error_at_s = 1700000006;
	t.last_error_primary = (struct addr){ .family = 4, .port = 53, .ip = { 192, 0, 2, 7 } };
	store_note(f.st, farm_zone(&f, 0), &t);
	got = zone_timers(farm_zone(&f, 0));
	cr_expect(eq(int, got.last_error, ERR_PEER_REFUSED));
	cr_expect(addr_equal(&got.last_error_primary, &t.last_error_primary));
	cr_expect(got.notified && got.last_error_at_s == t.last_error_at_s &&
	          got.failing_since_s == t.failing_since_s && got.refresh_at_s == t.refresh_at_s);
	t.last_error = ERR_OK;
	t.notified = false;
	store_note(f.st, farm_zone(&f, 0), &t);
	got = zone_timers(farm_zone(&f, 0));
	cr_expect(got.last_error == ERR_OK && got.last_error_at_s == 0 && !got.notified);
	farm_settle(&f);
	farm_fini(&f);
	memory_disk_free(disk);
}

static void count_done(struct commit *c, enum err e)
{
	(void)c;
	(void)e;
}

TEST(store, refuses_commits_beyond_the_queue)
{
	struct memory_disk *disk = memory_disk_new();
	struct commit *commits = mem_zero(STORE_QUEUE_MAX + 1, sizeof(*commits));
	struct zone_timers timers = farm_timers(1);
	struct store_stats stats;
	struct snapshot *snap;
	struct farm f;
	size_t i;

	farm_start(&f, journal_memory_new(disk), STORE_QUEUE_MAX + 1);
	for (i = 0; i <= STORE_QUEUE_MAX; i++) {
		enum err e;
		commits[i].done = count_done;
		/* Of no zone in particular: what is in it does not matter here. */
		snap = content_version(f.pool, 0, 1, 0);
		e = store_commit(f.st, farm_zone(&f, (unsigned)i), snap, &timers, &commits[i]);
		if (e != ERR_OK) {
			cr_expect(eq(int, e, ERR_BUSY));
			snapshot_unref(snap);
			break;
		}
	}
	cr_expect(eq(sz, i, STORE_QUEUE_MAX));
	store_stats(f.st, &stats);
	cr_expect(eq(u64, stats.commits_waiting, STORE_QUEUE_MAX));
	farm_settle(&f);
	store_stats(f.st, &stats);
	cr_expect(eq(u64, stats.commits_waiting, 0));
	cr_expect(eq(u64, stats.zones, STORE_QUEUE_MAX + 1));
	cr_expect(le(u64, memory_disk_commits(disk), 10), "they share few commits");
	farm_fini(&f);
	free(commits);
	memory_disk_free(disk);
}

TEST(store, takes_nothing_once_it_was_stopped)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm_commit before;
	struct farm_commit after;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 2);
	cr_assert(eq(int, farm_commit(&f, &before, 0, 1, 5), ERR_OK));
	store_stop(f.st);
	cr_expect(eq(int, farm_commit(&f, &after, 1, 1, 5), ERR_STOPPING));
	store_run(f.st, NULL, NULL); /* what was accepted is made durable all the same */
	farm_turn(&f);
	cr_expect(eq(int, before.err, ERR_OK));
	cr_expect(eq(u32, farm_serial(&f, 0), 1));
	farm_fini(&f);
	memory_disk_free(disk);
}

/* What commits and borrowers leave behind is freed: farm_fini() asserts that the pool is empty. */
TEST(store, leaves_nothing_behind)
{
	struct memory_disk *disk = memory_disk_new();
	struct store_stats stats;
	struct snapshot *held;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 3);
	for (uint32_t serial = 1; serial < 20; serial++) {
		cr_assert(eq(int, farm_publish(&f, serial % 3, serial, 10 * serial), ERR_OK));
	}
	held = snapshot_ref(zone_newest(farm_zone(&f, 0)));
	store_remove(f.st, farm_zone(&f, 0));
	farm_settle(&f);
	cr_expect(eq(u32, farm_check(held, 0), 18), "a reference outlives the zone");
	snapshot_unref(held);
	store_remove(f.st, farm_zone(&f, 1));
	store_remove(f.st, farm_zone(&f, 2));
	farm_settle(&f);
	store_stats(f.st, &stats);
	cr_expect(eq(u64, stats.pool.nodes, 0));
	cr_expect(eq(u64, stats.pool.bodies, 0));
	cr_expect(eq(u64, stats.journal.used_bytes, 0), "the journal is empty as well");
	farm_fini(&f);
	memory_disk_free(disk);
}
