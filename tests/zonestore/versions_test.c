/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/versions_test.c — which versions are kept, served and put aside, and under which
 * serials. */
#include "zonestore/versions_p.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"

#define VIEWS_MAX 64

/* A farm of one zone that says what is kept of it. */
struct scene {
	struct farm f;
	struct memory_disk *disk;
	struct version_limits keep;
	char text[400];
};

static const struct version_limits keep_twenty = { .count = 20 };

static void scene_init(struct scene *s)
{
	*s = (struct scene){ .keep = keep_twenty };
	s->disk = memory_disk_new();
	farm_start(&s->f, journal_memory_new(s->disk), 1);
}

static void scene_fini(struct scene *s)
{
	farm_fini(&s->f);
	memory_disk_free(s->disk);
}

/* The daemon dies and is started again. */
static void scene_restart(struct scene *s)
{
	farm_fini(&s->f);
	farm_start(&s->f, journal_memory_new(s->disk), 1);
}

static struct zone *zone_of(struct scene *s)
{
	return farm_zone(&s->f, 0);
}

static enum err settle(struct scene *s, struct farm_commit *c, enum err e)
{
	if (e != ERR_OK) {
		return e;
	}
	s->f.outstanding++;
	farm_settle(&s->f);
	cr_assert(eq(uint, c->done, 1));
	return c->err;
}

/* The primary sends a version. */
static enum err arrive(struct scene *s, uint32_t serial, enum hold_reason hold)
{
	struct snapshot *snap = content_version(s->f.pool, 0, serial, 3);
	struct zone_timers timers = farm_timers(serial);
	struct farm_commit c;
	enum err e;

	farm_commit_init(&s->f, &c);
	c.commit.keep = s->keep;
	c.commit.hold = hold;
	e = store_commit(s->f.st, zone_of(s), snap, &timers, &c.commit);
	if (e != ERR_OK) {
		snapshot_unref(snap);
	}
	return settle(s, &c, e);
}

static enum err rollback(struct scene *s, uint32_t serial, bool same_serial)
{
	struct serial to = { serial };
	struct farm_commit c;

	farm_commit_init(&s->f, &c);
	c.commit.keep = s->keep;
	return settle(s, &c, store_rollback(s->f.st, zone_of(s), to, same_serial, &c.commit));
}

static enum err act(struct scene *s,
                    enum err (*fn)(struct store *st, struct zone *zone, struct commit *c))
{
	struct farm_commit c;

	farm_commit_init(&s->f, &c);
	c.commit.keep = s->keep;
	return settle(s, &c, fn(s->f.st, zone_of(s), &c.commit));
}

/* "6(3) aside 5:pinned older 5 4 pinned": what is served (and its source serial if that is another),
 * what is aside and why, older ones, and whether the zone is pinned. */
static const char *kept(struct scene *s)
{
	static const char *const why[] = { "none",   "pinned", "rejected", "no-ns",
		                           "shrunk", "zonemd", "limit" };
	struct version_view views[VIEWS_MAX];
	size_t count = zone_versions(zone_of(s), views, VIEWS_MAX);
	char aside[32] = "";
	char served[32] = "-";
	char older[300] = "";

	for (size_t i = 0; i < count; i++) {
		struct snapshot_facts facts;
		char serial[24];
		snapshot_facts(views[i].snap, &facts);
		cr_assert(content_whole(views[i].snap, 0));
		snprintf(serial, sizeof(serial),
		         serial_equal(facts.serial, facts.source_serial) ? "%u" : "%u(%u)",
		         facts.serial.n, facts.source_serial.n);
		if (views[i].kind == VERSION_SERVED) {
			snprintf(served, sizeof(served), "%s", serial);
		} else if (views[i].kind == VERSION_ASIDE) {
			snprintf(aside, sizeof(aside), " aside %s:%s", serial, why[views[i].why]);
		} else {
			size_t at = strlen(older);
			snprintf(older + at, sizeof(older) - at, "%s %s", at == 0 ? " older" : "",
			         serial);
		}
		snapshot_unref(views[i].snap);
	}
	snprintf(s->text, sizeof(s->text), "%s%s%s%s", served, aside, older,
	         zone_pinned(zone_of(s)) ? " pinned" : "");
	return s->text;
}

/* Expects it, now and after a restart. */
static void expect_kept(struct scene *s, const char *want)
{
	cr_expect(eq(str, (char *)kept(s), (char *)want));
	scene_restart(s);
	cr_expect(eq(str, (char *)kept(s), (char *)want), "after a restart");
}

static uint32_t have(struct scene *s)
{
	const struct snapshot *snap = zone_have(zone_of(s));

	return snap == NULL ? 0 : snapshot_source_serial(snap).n;
}

static void arrive_all(struct scene *s, uint32_t first, uint32_t last)
{
	for (uint32_t serial = first; serial <= last; serial++) {
		cr_assert(eq(int, arrive(s, serial, HOLD_NONE), ERR_OK));
	}
}

TEST(versions, keeps_what_was_served_before)
{
	struct scene s;

	scene_init(&s);
	expect_kept(&s, "-");
	arrive_all(&s, 1, 4);
	expect_kept(&s, "4 older 3 2 1");
	s.keep.count = 2;
	arrive_all(&s, 5, 5);
	expect_kept(&s, "5 older 4 3");
	s.keep.count = 0;
	arrive_all(&s, 6, 6);
	expect_kept(&s, "6");
	scene_fini(&s);
}

TEST(versions, rolls_back_under_a_higher_serial_until_the_primary_passes_it)
{
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 3, 5);
	cr_assert(eq(int, rollback(&s, 4, false), ERR_OK));
	expect_kept(&s, "6(4) aside 5:pinned older 5 4 3 pinned");
	cr_expect(eq(u32, have(&s), 5));
	cr_assert(eq(int, arrive(&s, 6, HOLD_NONE), ERR_OK));
	expect_kept(&s, "6(4) aside 6:pinned older 5 4 3 pinned");
	cr_assert(eq(int, act(&s, store_release), ERR_OK));
	expect_kept(&s, "7(6) older 6(4) 5 4 3");
	cr_expect(eq(u32, have(&s), 6));
	cr_assert(eq(int, arrive(&s, 7, HOLD_NONE), ERR_OK));
	expect_kept(&s, "8(7) older 7(6) 6(4) 5 4 3");
	cr_assert(eq(int, arrive(&s, 7, HOLD_NONE), ERR_OK)); /* the same again */
	expect_kept(&s, "8(7) older 7(6) 6(4) 5 4 3");
	cr_assert(eq(int, arrive(&s, 10, HOLD_NONE), ERR_OK)); /* passed */
	expect_kept(&s, "10 older 8(7) 7(6) 6(4) 5 4 3");
	cr_assert(eq(int, arrive(&s, 2, HOLD_NONE), ERR_OK)); /* as the primary says */
	expect_kept(&s, "2 older 10 8(7) 7(6) 6(4) 5 4 3");
	scene_fini(&s);
}

TEST(versions, rolls_back_under_the_old_serial)
{
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 3);
	cr_assert(eq(int, rollback(&s, 1, true), ERR_OK));
	expect_kept(&s, "1 aside 3:pinned older 3 2 1 pinned");
	cr_assert(eq(int, rollback(&s, 2, false), ERR_OK)); /* above all that was served */
	expect_kept(&s, "4(2) aside 3:pinned older 1 3 2 1 pinned");
	cr_assert(eq(int, rollback(&s, 2, true), ERR_OK));
	cr_assert(eq(int, act(&s, store_release), ERR_OK));
	expect_kept(&s, "5(3) older 2 4(2) 1 3 2 1");
	scene_fini(&s);
	scene_init(&s);
	arrive_all(&s, 1, 3);
	cr_assert(eq(int, rollback(&s, 1, true), ERR_OK));
	cr_assert(eq(int, act(&s, store_release), ERR_OK));
	expect_kept(&s, "3 older 1 3 2 1");
	scene_fini(&s);
}

TEST(versions, pins_and_releases)
{
	struct scene s;

	scene_init(&s);
	cr_expect(eq(int, act(&s, store_pin), ERR_NOT_FOUND), "nothing is served");
	arrive_all(&s, 1, 1);
	cr_expect(eq(int, act(&s, store_release), ERR_NOT_FOUND), "not pinned");
	cr_assert(eq(int, act(&s, store_pin), ERR_OK));
	expect_kept(&s, "1 pinned");
	arrive_all(&s, 2, 3);
	expect_kept(&s, "1 aside 3:pinned pinned");
	cr_expect(eq(u32, have(&s), 3));
	cr_assert(eq(int, act(&s, store_release), ERR_OK));
	expect_kept(&s, "3 older 1");
	cr_assert(eq(int, act(&s, store_pin), ERR_OK));
	cr_assert(eq(int, arrive(&s, 4, HOLD_SHRUNK), ERR_OK));
	expect_kept(&s, "3 aside 4:shrunk older 1 pinned");
	cr_assert(eq(int, act(&s, store_release), ERR_OK));
	expect_kept(&s, "3 aside 4:shrunk older 1");
	scene_fini(&s);
}

TEST(versions, holds_accepts_and_rejects)
{
	struct scene s;

	scene_init(&s);
	cr_expect(eq(int, act(&s, store_accept), ERR_NOT_FOUND));
	cr_expect(eq(int, act(&s, store_reject), ERR_NOT_FOUND));
	cr_assert(eq(int, arrive(&s, 1, HOLD_ZONEMD), ERR_OK));
	expect_kept(&s, "- aside 1:zonemd");
	cr_expect(eq(u32, have(&s), 1));
	cr_expect(zone_borrow(zone_of(&s)) == NULL);
	cr_assert(eq(int, act(&s, store_accept), ERR_OK));
	expect_kept(&s, "1");
	cr_assert(eq(int, arrive(&s, 2, HOLD_SHRUNK), ERR_OK));
	cr_assert(eq(int, act(&s, store_reject), ERR_OK));
	expect_kept(&s, "1 aside 2:rejected");
	cr_assert(eq(int, arrive(&s, 2, HOLD_NONE), ERR_OK)); /* not another */
	expect_kept(&s, "1 aside 2:rejected");
	cr_assert(eq(int, arrive(&s, 3, HOLD_NONE), ERR_OK));
	expect_kept(&s, "3 older 1");
	cr_assert(eq(int, arrive(&s, 4, HOLD_LIMIT), ERR_OK));
	cr_assert(eq(int, act(&s, store_reject), ERR_OK));
	cr_assert(eq(int, act(&s, store_accept), ERR_OK));
	expect_kept(&s, "4 older 3 1");
	cr_assert(eq(int, act(&s, store_pin), ERR_OK));
	cr_assert(eq(int, arrive(&s, 5, HOLD_NONE), ERR_OK));
	cr_assert(eq(int, act(&s, store_accept), ERR_OK));
	expect_kept(&s, "5 older 4 3 1 pinned");
	scene_fini(&s);
}

TEST(versions, finds_versions_by_serial_and_by_content)
{
	struct snapshot_facts facts;
	struct serial two = { 2 };
	struct serial five = { 5 };
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 3);
	cr_assert(zone_kept(zone_of(&s), two) != NULL);
	cr_expect(eq(u32, snapshot_serial(zone_kept(zone_of(&s), two)).n, 2));
	cr_expect(zone_kept(zone_of(&s), five) == NULL);
	snapshot_facts(zone_kept(zone_of(&s), two), &facts);
	cr_expect(zone_kept_root(zone_of(&s), &facts.root) == zone_kept(zone_of(&s), two));
	facts.root.octets[0] ^= 1;
	cr_expect(zone_kept_root(zone_of(&s), &facts.root) == NULL);
	scene_fini(&s);
}

TEST(versions, refuses_two_commits_of_a_zone_at_once)
{
	struct zone_timers timers = farm_timers(2);
	struct farm_commit first;
	struct farm_commit second;
	struct snapshot *snap;
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 1);
	farm_commit_init(&s.f, &first);
	farm_commit_init(&s.f, &second);
	cr_assert(eq(int, store_pin(s.f.st, zone_of(&s), &first.commit), ERR_OK));
	snap = content_version(s.f.pool, 0, 2, 3);
	cr_expect(eq(int, store_commit(s.f.st, zone_of(&s), snap, &timers, &second.commit),
	             ERR_BUSY));
	cr_expect(eq(u32, snapshot_serial(snap).n, 2));
	cr_assert(eq(int, settle(&s, &first, ERR_OK), ERR_OK));
	cr_expect(
		eq(int, store_commit(s.f.st, zone_of(&s), snap, &timers, &second.commit), ERR_OK));
	cr_assert(eq(int, settle(&s, &second, ERR_OK), ERR_OK));
	expect_kept(&s, "1 aside 2:pinned pinned");
	scene_fini(&s);
}

TEST(versions, removes_a_zone_after_its_commit)
{
	struct farm_commit c;
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 2);
	farm_commit_init(&s.f, &c);
	cr_assert(eq(int, store_pin(s.f.st, zone_of(&s), &c.commit), ERR_OK));
	store_remove(s.f.st, zone_of(&s));
	cr_expect(zone_of(&s) == NULL);
	cr_expect(eq(int, settle(&s, &c, ERR_OK), ERR_NOT_FOUND));
	farm_settle(&s.f);
	scene_restart(&s);
	expect_kept(&s, "-");
	scene_fini(&s);
}

TEST(versions, an_act_does_not_serve_an_expired_zone)
{
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 2);
	zone_set_expired(zone_of(&s), true);
	cr_assert(eq(int, rollback(&s, 1, false), ERR_OK));
	cr_expect(zone_borrow(zone_of(&s)) == NULL);
	arrive_all(&s, 3, 3);
	cr_expect(zone_borrow(zone_of(&s)) != NULL, "a primary is there again");
	scene_fini(&s);
}

/* What was served is lost with all that is kept, but not under which serial it went out: secondaries
 * would not take what the primary sends under one below. Two restarts come before the primary. */
TEST(versions, a_zone_that_is_damaged_keeps_its_line_of_serials)
{
	struct memory_record r;
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 2);
	cr_assert(eq(int, rollback(&s, 1, false), ERR_OK));
	cr_assert(eq(int, rollback(&s, 2, false), ERR_OK));
	expect_kept(&s, "4(2) aside 2:pinned older 3(1) 2 1 pinned");
	while (memory_disk_node(s.disk, 0, &r)) {
		memory_disk_lose_node(s.disk, r.key);
	}
	scene_restart(&s);
	expect_kept(&s, "-");
	farm_settle(&s.f);
	expect_kept(&s, "-");
	cr_assert(eq(int, arrive(&s, 2, HOLD_NONE), ERR_OK));
	expect_kept(&s, "5(2)");
	scene_fini(&s);
}

/* The node of the version that came first is lost: that one is, and the rest is not. */
TEST(versions, leaves_out_an_older_version_that_is_damaged)
{
	struct memory_record r;
	struct scene s;

	scene_init(&s);
	arrive_all(&s, 1, 4);
	cr_assert(eq(int, rollback(&s, 2, false), ERR_OK));
	expect_kept(&s, "5(2) aside 4:pinned older 4 3 2 1 pinned");
	cr_assert(memory_disk_node(s.disk, 2, &r));
	memory_disk_lose_node(s.disk, r.key); /* of 3 */
	scene_restart(&s);
	cr_expect(eq(str, (char *)kept(&s), "5(2) aside 4:pinned older 4 2 1 pinned"));
	cr_expect(eq(uint, s.f.counts[EVENT_STORE_CORRUPT], 1));
	farm_settle(&s.f); /* writes a record without it */
	scene_restart(&s);
	cr_expect(eq(uint, s.f.counts[EVENT_STORE_CORRUPT], 0));
	cr_expect(eq(str, (char *)kept(&s), "5(2) aside 4:pinned older 4 2 1 pinned"));
	cr_assert(memory_disk_node(s.disk, 2, &r));
	memory_disk_lose_node(s.disk, r.key); /* of 4 */
	scene_restart(&s);
	cr_expect(eq(str, (char *)kept(&s), "5(2) older 2 1 pinned"));
	cr_expect(eq(u32, have(&s), 2), "the primary is asked again from here");
	cr_assert(memory_disk_node(s.disk, 1, &r));
	memory_disk_lose_node(s.disk, r.key); /* of 2, which is what is served */
	scene_restart(&s);
	cr_expect(eq(str, (char *)kept(&s), "-"));
	scene_fini(&s);
}

TEST(versions, prunes_by_age)
{
	struct scene s;

	scene_init(&s);
	s.keep.age_s = 100;
	arrive_all(&s, 1, 2);
	s.f.env.wall_at_0_s += 60;
	arrive_all(&s, 3, 3);
	expect_kept(&s, "3 older 2 1");
	s.f.env.wall_at_0_s += 120; /* the clock began anew with the restart */
	store_prune(s.f.st, zone_of(&s), &s.keep);
	farm_settle(&s.f);
	cr_expect(eq(str, (char *)kept(&s), "3 older 2"));
	scene_fini(&s);
}

/* A version of which much has to be counted lets others go before it. */
TEST(versions, a_large_difference_is_counted_in_parts)
{
	struct memory_disk *disk = memory_disk_new();
	struct snapshot_facts facts;
	struct farm_commit large;
	struct farm_commit small;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 2);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 0), ERR_OK));
	cr_assert(eq(int, farm_commit(&f, &large, 0, 2, 40000), ERR_OK));
	cr_assert(eq(int, farm_commit(&f, &small, 1, 2, 3), ERR_OK));
	(void)store_step(f.st);
	(void)store_step(f.st);
	farm_turn(&f);
	cr_expect(eq(uint, small.done, 1));
	cr_expect(eq(uint, large.done, 0));
	farm_settle(&f);
	cr_expect(eq(int, large.err, ERR_OK));
	snapshot_facts(zone_borrow(farm_zone(&f, 0)), &facts);
	cr_expect(eq(u32, facts.added, 40002), "with both TXT records");
	cr_expect(eq(u32, facts.deleted, 2));
	/* One that fails on the way has nothing left behind. */
	cr_assert(eq(int, farm_commit(&f, &large, 0, 3, 0), ERR_OK));
	(void)store_step(f.st);
	memory_disk_fail(disk, 1, ERR_DISK);
	farm_settle(&f);
	cr_expect(eq(int, large.err, ERR_DISK));
	cr_expect(eq(u32, farm_serial(&f, 0), 2));
	farm_fini(&f);
	memory_disk_free(disk);
}
