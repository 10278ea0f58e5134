/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/disk_test.c — how work is grouped into transactions, and what becomes of it when
 * the disk fails. */
#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "zonestore/record_p.h"
#include "zonestore/store_p.h"

static struct farm_commit *commits_new(size_t count)
{
	return mem_zero(count, sizeof(struct farm_commit));
}

static size_t node_count(struct memory_disk *disk)
{
	struct memory_record r;
	size_t count = 0;

	while (memory_disk_node(disk, count, &r)) {
		count++;
	}
	return count;
}

static size_t zone_count(struct memory_disk *disk)
{
	struct memory_record r;
	size_t count = 0;

	while (memory_disk_zone(disk, count, &r)) {
		count++;
	}
	return count;
}

TEST(disk, groups_what_waits_into_one_transaction)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm_commit *c = commits_new(500);
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 500);
	for (unsigned i = 0; i < 500; i++) {
		cr_assert(eq(int, farm_commit(&f, &c[i], i, 1, 3), ERR_OK));
	}
	cr_expect(store_step(f.st));
	cr_expect(eq(u64, memory_disk_commits(disk), 1));
	farm_turn(&f);
	for (unsigned i = 0; i < 500; i++) {
		cr_assert(eq(uint, c[i].done, 1));
		cr_assert(eq(u32, farm_serial(&f, i), 1));
	}
	farm_settle(&f);
	cr_expect(eq(u64, memory_disk_commits(disk), 1));
	farm_fini(&f);
	free(c);
	memory_disk_free(disk);
}

TEST(disk, writes_what_is_shared_once)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;
	uint64_t writes;
	size_t nodes;

	farm_start(&f, journal_memory_new(disk), 1);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 5000), ERR_OK));
	nodes = node_count(disk);
	cr_assert(gt(sz, nodes, 20));
	writes = memory_disk_writes(disk);
	/* The serial and the record that says it: one leaf and what is above it. */
	cr_assert(eq(int, farm_publish(&f, 0, 2, 5000), ERR_OK));
	cr_expect(lt(u64, memory_disk_writes(disk) - writes, 16));
	cr_expect(eq(sz, node_count(disk), nodes), "as many were dropped");
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(disk, spreads_a_large_zone_over_transactions_and_lets_others_pass)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm_commit large;
	struct farm_commit small;
	struct farm f;
	unsigned steps = 0;

	farm_start(&f, journal_memory_new(disk), 2);
	cr_assert(eq(int, farm_commit(&f, &large, 0, 1, 600000), ERR_OK));
	cr_assert(eq(int, farm_commit(&f, &small, 1, 1, 3), ERR_OK));
	cr_expect(store_step(f.st));
	farm_turn(&f);
	cr_expect(eq(uint, large.done, 0));
	cr_expect(store_step(f.st));
	farm_turn(&f);
	cr_expect(eq(uint, small.done, 1));
	while (large.done == 0 && steps < 100) {
		cr_assert(store_step(f.st));
		farm_turn(&f);
		steps++;
	}
	cr_expect(eq(int, large.err, ERR_OK));
	cr_expect(ge(u64, memory_disk_commits(disk), 2));
	cr_expect(eq(u32, farm_serial(&f, 0), 1));
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(disk, notes_a_zone_once_however_often_it_was_noted)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(1);
	struct memory_record r;
	struct zone_value v;
	uint64_t writes;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 3);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 3), ERR_OK));
	writes = memory_disk_writes(disk);
	for (unsigned i = 0; i < 100; i++) {
		t.refresh_at_s = 1700000000 + i;
		store_note(f.st, farm_zone(&f, 0), &t);
		store_note(f.st, farm_zone(&f, 1), &t);
	}
	farm_settle(&f);
	cr_expect(eq(u64, memory_disk_writes(disk) - writes, 3), "two zones and a commit");
	cr_assert(eq(sz, zone_count(disk), 2));
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(memory_disk_zone(disk, i, &r));
		cr_assert(eq(int, zone_value_read(r.key, bytes_of(r.at, r.len), &v), ERR_OK));
		cr_expect(eq(i64, v.timers.refresh_at_s, 1700000099));
		cr_expect(eq(uint, v.version_count, i == 0 ? 1 : 0));
	}
	store_note(f.st, farm_zone(&f, 0), &t); /* and again later */
	farm_settle(&f);
	cr_expect(eq(u64, memory_disk_writes(disk) - writes, 5));
	farm_fini(&f);
	memory_disk_free(disk);
}

static uint64_t notes_written(struct farm *f)
{
	struct store_stats stats;

	store_stats(f->st, &stats);
	return stats.disk.notes;
}

/* A NOTIFY is noted, and mostly the version that it announced is there long before the note's time. */
TEST(disk, a_note_that_a_version_overtook_is_not_written)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(1);
	struct memory_record r;
	struct zone_value v;
	struct farm_commit c;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 1);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 3), ERR_OK));
	t.notified = true;
	store_note(f.st, farm_zone(&f, 0), &t);
	cr_assert(eq(int, farm_commit(&f, &c, 0, 2, 3), ERR_OK));
	cr_expect(disk_step(f.st, false), "not the note's time");
	farm_turn(&f);
	cr_expect(eq(int, c.err, ERR_OK));
	farm_settle(&f);
	cr_expect(eq(u64, notes_written(&f), 0));
	cr_assert(memory_disk_zone(disk, 0, &r));
	cr_assert(eq(int, zone_value_read(r.key, bytes_of(r.at, r.len), &v), ERR_OK));
	cr_expect(not(v.timers.notified));
	/* One that comes later is, also if the one before still waits for its time. */
	store_note(f.st, farm_zone(&f, 0), &t);
	cr_assert(eq(int, farm_commit(&f, &c, 0, 3, 3), ERR_OK));
	cr_expect(disk_step(f.st, false));
	farm_turn(&f);
	store_note(f.st, farm_zone(&f, 0), &t);
	farm_settle(&f);
	cr_expect(eq(u64, notes_written(&f), 1));
	cr_assert(memory_disk_zone(disk, 0, &r));
	cr_assert(eq(int, zone_value_read(r.key, bytes_of(r.at, r.len), &v), ERR_OK));
	cr_expect(v.timers.notified);
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(disk, a_note_waits_for_company_unless_it_is_said_not_to)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(1);
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 2);
	store_note(f.st, farm_zone(&f, 0), &t);
	cr_expect(gt(u64, f.st->queue.aside_at_ns, f.env.now_ns + NS_PER_S));
	store_note_soon(f.st, farm_zone(&f, 1), &t);
	cr_expect(le(u64, f.st->queue.aside_at_ns, f.env.now_ns + 1));
	farm_settle(&f);
	cr_expect(eq(u64, notes_written(&f), 2), "both");
	cr_expect(eq(u64, f.st->queue.aside_at_ns, 0));
	store_note(f.st, farm_zone(&f, 0), &t);
	store_note_soon(f.st, farm_zone(&f, 0), &t);
	cr_expect(le(u64, f.st->queue.aside_at_ns, f.env.now_ns + 1), "noted before");
	farm_fini(&f);
	memory_disk_free(disk);
}

/* The serial that the journal would bring back. */
static uint32_t durable_serial(struct memory_disk *disk, unsigned index)
{
	struct farm f;
	uint32_t serial;

	farm_start(&f, journal_memory_new(disk), index + 1);
	serial = farm_serial(&f, index);
	farm_fini(&f);
	return serial;
}

/* Between the commit of a version and its publication, a note must not put the old one back. */
TEST(disk, does_not_note_an_old_version_over_a_new_one)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(9);
	struct farm_commit c;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 1);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 3), ERR_OK));
	store_note(f.st, farm_zone(&f, 0), &t); /* before the commit */
	cr_assert(eq(int, farm_commit(&f, &c, 0, 2, 3), ERR_OK));
	store_note(f.st, farm_zone(&f, 0), &t); /* under way */
	cr_expect(store_step(f.st));
	store_note(f.st, farm_zone(&f, 0), &t); /* durable, not yet published */
	(void)store_step(f.st);
	cr_expect(eq(u32, durable_serial(disk, 0), 2));
	farm_settle(&f);
	cr_expect(eq(u32, farm_serial(&f, 0), 2));
	store_note(f.st, farm_zone(&f, 0), &t);
	farm_settle(&f);
	cr_expect(eq(u32, durable_serial(disk, 0), 2));
	farm_fini(&f);
	memory_disk_free(disk);
}

static void fail_and_recover(enum err fault)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(77);
	struct farm_commit c[3];
	struct farm f;
	enum err why;

	farm_start(&f, journal_memory_new(disk), 3);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 300), ERR_OK));
	memory_disk_fail(disk, 1, fault);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++) {
			cr_assert(eq(int, farm_commit(&f, &c[i], i, 2, 300), ERR_OK));
		}
		store_note(f.st, farm_zone(&f, 1), &t);
		farm_settle(&f);
		for (unsigned i = 0; i < 3; i++) {
			cr_expect(eq(uint, c[i].done, 1));
			cr_expect(eq(int, c[i].err, fault));
		}
	}
	cr_expect(store_failing(f.st, &why));
	cr_expect(eq(int, why, fault));
	cr_expect(eq(uint, f.counts[EVENT_STORE_FAILED], 1), "said once");
	cr_expect(eq(u32, farm_serial(&f, 0), 1), "what was there is still served");
	cr_expect(eq(u32, farm_serial(&f, 1), 0));
	memory_disk_heal(disk);
	cr_expect(not(store_step(f.st)), "notes wait for their time");
	f.env.now_ns += STORE_RETRY_S * NS_PER_S;
	cr_expect(store_step(f.st));
	cr_expect(not(store_failing(f.st, &why)));
	cr_expect(eq(uint, f.counts[EVENT_STORE_RECOVERED], 1));
	for (unsigned i = 0; i < 3; i++) {
		cr_expect(eq(int, farm_publish(&f, i, 2, 300), ERR_OK));
		cr_expect(eq(u32, durable_serial(disk, i), 2));
	}
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(disk, survives_a_full_disk)
{
	fail_and_recover(ERR_DISK_FULL);
}

TEST(disk, survives_a_read_only_disk)
{
	fail_and_recover(ERR_DISK_READONLY);
}

TEST(disk, tries_at_once_when_a_new_version_comes)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 1);
	memory_disk_fail(disk, 1, ERR_DISK_FULL);
	cr_expect(eq(int, farm_publish(&f, 0, 1, 3), ERR_DISK_FULL));
	memory_disk_heal(disk);
	cr_expect(eq(int, farm_publish(&f, 0, 1, 3), ERR_OK));
	cr_expect(eq(uint, f.counts[EVENT_STORE_RECOVERED], 1));
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(disk, begins_again_when_the_journal_has_to_grow)
{
	for (unsigned nth = 1; nth < 40; nth++) {
		struct memory_disk *disk = memory_disk_new();
		struct farm_commit c[3];
		struct farm f;

		farm_start(&f, journal_memory_new(disk), 3);
		memory_disk_fail_once(disk, nth, ERR_BUSY);
		for (unsigned i = 0; i < 3; i++) {
			cr_assert(eq(int, farm_commit(&f, &c[i], i, 1, 300), ERR_OK));
		}
		farm_settle(&f);
		for (unsigned i = 0; i < 3; i++) {
			cr_assert(eq(int, c[i].err, ERR_OK));
			cr_assert(eq(u32, durable_serial(disk, i), 1));
		}
		cr_expect(eq(uint, f.counts[EVENT_STORE_FAILED], 0));
		farm_fini(&f);
		memory_disk_free(disk);
	}
}

TEST(disk, removes_what_nobody_needs)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;
	size_t nodes;

	farm_start(&f, journal_memory_new(disk), 3);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(eq(int, farm_publish(&f, i, 1, 500), ERR_OK));
	}
	nodes = node_count(disk);
	for (uint32_t serial = 2; serial < 30; serial++) {
		cr_assert(eq(int, farm_publish(&f, 0, serial, 500), ERR_OK));
	}
	cr_expect(eq(sz, node_count(disk), nodes));
	store_remove(f.st, farm_zone(&f, 0));
	cr_expect(eq(sz, zone_count(disk), 3));
	farm_settle(&f);
	cr_expect(eq(sz, zone_count(disk), 2));
	cr_expect(lt(sz, node_count(disk), nodes));
	store_remove(f.st, farm_zone(&f, 1));
	store_remove(f.st, farm_zone(&f, 2));
	farm_settle(&f);
	cr_expect(eq(sz, node_count(disk), 0));
	cr_expect(eq(sz, zone_count(disk), 0));
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(disk, removes_a_zone_that_was_just_noted)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(1);
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 2);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 5), ERR_OK));
	store_note(f.st, farm_zone(&f, 0), &t);
	store_note(f.st, farm_zone(&f, 1), &t);
	store_remove(f.st, farm_zone(&f, 0));
	store_remove(f.st, farm_zone(&f, 1));
	farm_settle(&f);
	cr_expect(eq(sz, zone_count(disk), 0));
	/* A failed transaction in between changes nothing. */
	farm_add(&f, 0);
	cr_assert(eq(int, farm_publish(&f, 0, 2, 5), ERR_OK));
	memory_disk_fail_once(disk, 2, ERR_DISK);
	store_note(f.st, farm_zone(&f, 0), &t);
	store_remove(f.st, farm_zone(&f, 0));
	farm_add(&f, 0);
	farm_settle(&f);
	f.env.now_ns += STORE_RETRY_S * NS_PER_S;
	farm_settle(&f);
	cr_expect(eq(sz, zone_count(disk), 0));
	cr_expect(eq(sz, node_count(disk), 0));
	cr_expect(eq(int, farm_publish(&f, 0, 3, 5), ERR_OK));
	cr_expect(eq(u32, durable_serial(disk, 0), 3));
	farm_fini(&f);
	memory_disk_free(disk);
}
