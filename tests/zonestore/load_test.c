/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/load_test.c — what a restart brings back, and what a crash or damage costs. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "tests/zonestore/folder.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/record_p.h"

#define ZONES 4

/* Sizes that make a leaf, a few leaves, and two levels of branches. */
static const unsigned filling_of[ZONES] = { 0, 40, 700, 5000 };

static void publish_all(struct farm *f, uint32_t serial)
{
	for (unsigned i = 0; i < ZONES; i++) {
		cr_assert(eq(int, farm_publish(f, i, serial + i, filling_of[i]), ERR_OK));
	}
}

static void expect_all(struct farm *f, uint32_t serial)
{
	for (unsigned i = 0; i < ZONES; i++) {
		struct zone_timers got = zone_timers(farm_zone(f, i));
		struct zone_timers want = farm_timers(serial + i);
		cr_expect(eq(u32, farm_serial(f, i), serial + i));
		cr_expect(eq(i64, got.refreshed_at_s, want.refreshed_at_s));
		cr_expect(eq(i64, got.refresh_at_s, want.refresh_at_s));
		cr_expect(eq(i64, got.expire_at_s, want.expire_at_s));
	}
}

static struct journal *lmdb_open(const struct folder *folder)
{
	struct journal_lmdb_options o = { .path = folder->path };
	struct journal *j = NULL;
	char why[256] = "";

	cr_assert(eq(int, journal_lmdb_new(&o, &j, why, sizeof(why)), ERR_OK), "%s", why);
	return j;
}

TEST(load, brings_back_what_was_durable)
{
	struct memory_disk *disk = memory_disk_new();
	struct store_stats stats;
	uint64_t writes;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), ZONES);
	publish_all(&f, 10);
	publish_all(&f, 20);
	farm_fini(&f);
	writes = memory_disk_writes(disk);
	farm_start(&f, journal_memory_new(disk), ZONES);
	expect_all(&f, 20);
	store_stats(f.st, &stats);
	cr_expect(eq(u64, stats.zones_loaded, ZONES));
	cr_expect(not(stats.loading));
	cr_expect(eq(uint, f.counts[EVENT_STORE_LOADED], 1));
	farm_settle(&f);
	cr_expect(eq(u64, memory_disk_writes(disk), writes), "loading writes nothing");
	publish_all(&f, 30); /* and on from there */
	farm_fini(&f);
	farm_start(&f, journal_memory_new(disk), ZONES);
	expect_all(&f, 30);
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(load, brings_it_back_from_lmdb)
{
	struct folder folder;
	struct farm f;

	folder_make(&folder);
	farm_start(&f, lmdb_open(&folder), ZONES);
	for (uint32_t serial = 10; serial <= 50; serial += 10) {
		publish_all(&f, serial);
	}
	farm_fini(&f);
	farm_start(&f, lmdb_open(&folder), ZONES);
	expect_all(&f, 50);
	publish_all(&f, 60);
	store_remove(f.st, farm_zone(&f, 3));
	farm_settle(&f);
	farm_fini(&f);
	farm_start(&f, lmdb_open(&folder), ZONES);
	for (unsigned i = 0; i < 3; i++) {
		cr_expect(eq(u32, farm_serial(&f, i), 60 + i));
	}
	cr_expect(eq(u32, farm_serial(&f, 3), 0));
	farm_fini(&f);
	folder_remove(folder.path);
}

/* A real disk that fills up, is full for a while, and gets room again. */
TEST(load, loses_nothing_on_a_full_disk)
{
	struct folder folder;
	char ballast[PATH_MAX + 16];
	uint32_t serial = 1;
	struct farm f;
	enum err e;

	folder_make(&folder);
	if (!folder_small_disk(folder.path)) {
		folder_remove(folder.path);
		cr_skip_test("no right to mount a small tmpfs");
	}
	folder_ballast(folder.path, 5U << 20);
	farm_start(&f, lmdb_open(&folder), ZONES);
	publish_all(&f, 10);
	/* Ever larger, until it does not fit. */
	while ((e = farm_publish(&f, 3, 100 + serial, 5000 + 5000 * serial)) == ERR_OK) {
		cr_assert(lt(u32, ++serial, 100));
	}
	cr_expect(eq(int, e, ERR_DISK_FULL));
	cr_expect(eq(uint, f.counts[EVENT_STORE_FAILED], 1));
	cr_expect(eq(u32, farm_serial(&f, 0), 10));
	cr_expect(eq(u32, farm_serial(&f, 3), 99 + serial));
	snprintf(ballast, sizeof(ballast), "%s/ballast", folder.path);
	cr_assert(eq(int, unlink(ballast), 0));
	publish_all(&f, 200);
	cr_expect(eq(uint, f.counts[EVENT_STORE_RECOVERED], 1));
	farm_fini(&f);
	farm_start(&f, lmdb_open(&folder), ZONES);
	expect_all(&f, 200);
	cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0));
	farm_fini(&f);
	umount(folder.path);
	folder_remove(folder.path);
}

TEST(load, forgets_zones_that_nobody_added)
{
	struct memory_disk *disk = memory_disk_new();
	struct memory_record r;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), ZONES);
	publish_all(&f, 1);
	farm_fini(&f);
	farm_start(&f, journal_memory_new(disk), 1);
	cr_expect(eq(u32, farm_serial(&f, 0), 1));
	farm_settle(&f);
	cr_expect(memory_disk_zone(disk, 0, &r));
	cr_expect(not(memory_disk_zone(disk, 1, &r)));
	cr_expect(memory_disk_node(disk, 0, &r));
	cr_expect(not(memory_disk_node(disk, 1, &r)), "nor are its nodes there");
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(load, judges_expiry_by_the_wall_clock)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 1);
	cr_assert(eq(int, farm_publish(&f, 0, 1, 3), ERR_OK));
	farm_fini(&f);
	for (int64_t late = -1; late <= 0; late++) {
		farm_init(&f, journal_memory_new(disk));
		f.env.wall_at_0_s = farm_timers(1).expire_at_s + late;
		farm_add(&f, 0);
		cr_assert(eq(int, store_load(f.st), ERR_OK));
		cr_expect(eq(int, zone_expired(farm_zone(&f, 0)), late == 0));
		cr_expect(zone_newest(farm_zone(&f, 0)) != NULL);
		farm_fini(&f);
	}
	memory_disk_free(disk);
}

TEST(load, keeps_notes_of_a_zone_without_a_version)
{
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = { .failing_since_s = 1700000000,
		                 .last_error = ERR_PEER_REFUSED_QUERY,
		                 .last_error_at_s = 1700000001 };
	struct zone_timers got;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 1);
	store_note(f.st, farm_zone(&f, 0), &t);
	farm_settle(&f);
	farm_fini(&f);
	farm_start(&f, journal_memory_new(disk), 1);
	got = zone_timers(farm_zone(&f, 0));
	cr_expect(eq(int, got.last_error, ERR_PEER_REFUSED_QUERY));
	cr_expect(eq(i64, got.failing_since_s, 1700000000));
	cr_expect(zone_newest(farm_zone(&f, 0)) == NULL);
	farm_fini(&f);
	memory_disk_free(disk);
}

/* The number of a damaged record is not given to another zone while the record waits to be dropped.
 */
TEST(load, does_not_use_the_number_of_a_damaged_record_again)
{
	static const unsigned many = 4200; /* more than are dropped in one transaction */
	struct memory_disk *disk = memory_disk_new();
	struct zone_timers t = farm_timers(1);
	struct memory_record r;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), many);
	for (unsigned i = 0; i < many; i++) {
		store_note(f.st, farm_zone(&f, i), &t);
	}
	farm_settle(&f);
	farm_fini(&f);
	cr_assert(memory_disk_zone(disk, many - 1, &r));
	r.at[r.len / 2] ^= 1;
	farm_init(&f, journal_memory_new(disk));
	farm_add(&f, many);
	cr_assert(eq(int, store_load(f.st), ERR_OK));
	cr_assert(eq(int, farm_publish(&f, many, 5, 10), ERR_OK));
	farm_settle(&f);
	cr_expect(memory_disk_zone(disk, 0, &r));
	cr_expect(not(memory_disk_zone(disk, 1, &r)));
	farm_fini(&f);
	farm_init(&f, journal_memory_new(disk));
	farm_add(&f, many);
	cr_assert(eq(int, store_load(f.st), ERR_OK));
	cr_expect(eq(u32, farm_serial(&f, many), 5));
	farm_fini(&f);
	memory_disk_free(disk);
}

/* ---- crashes ---- */

/* A life on the disk until write number `nth` fails: versions one after the other, some together,
 * with notes, a removal and a zone added again in between. `acked` is what was said to be durable;
 * `tried` what was handed in last. */
struct history {
	uint32_t acked[ZONES];
	uint32_t tried[ZONES];
	uint32_t removed; /* zone 1 as it was removed, which may not have become durable */
};

static void live(struct farm *f, struct history *h, uint32_t serial, bool together)
{
	struct zone_timers t = farm_timers(serial);
	struct farm_commit c[ZONES];

	for (unsigned i = 0; i < ZONES; i++) {
		h->tried[i] = serial;
		cr_assert(eq(int, farm_commit(f, &c[i], i, serial, filling_of[i] / 10), ERR_OK));
		if (!together) {
			farm_settle(f);
		}
	}
	farm_settle(f);
	for (unsigned i = 0; i < ZONES; i++) {
		cr_assert(eq(uint, c[i].done, 1));
		h->acked[i] = c[i].err == ERR_OK ? serial : h->acked[i];
		/* Visible is durable: never more than was acknowledged. */
		cr_assert(eq(u32, farm_serial(f, i), h->acked[i]));
	}
	store_note(f->st, farm_zone(f, serial % ZONES), &t);
	farm_settle(f);
}

static void live_all(struct farm *f, struct history *h)
{
	live(f, h, 1, false);
	live(f, h, 2, true);
	live(f, h, 3, false);
	store_remove(f->st, farm_zone(f, 1));
	farm_add(f, 1);
	h->removed = h->acked[1];
	h->acked[1] = 0;
	farm_settle(f);
	live(f, h, 4, true);
	live(f, h, 5, true);
}

static void expect_survived(struct memory_disk *disk, const struct history *h, unsigned nth)
{
	struct memory_record r;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), ZONES);
	for (unsigned i = 0; i < ZONES; i++) {
		uint32_t serial = farm_serial(&f, i);
		bool old = i == 1 && serial == h->removed;
		cr_assert(serial == h->acked[i] || serial == h->tried[i] || old,
		          "write %u: zone %u came back at %u, acknowledged was %u", nth, i, serial,
		          h->acked[i]);
	}
	cr_assert(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0), "write %u", nth);
	farm_settle(&f);
	for (unsigned i = 0; i < ZONES; i++) {
		store_remove(f.st, farm_zone(&f, i));
	}
	farm_settle(&f);
	cr_assert(not(memory_disk_node(disk, 0, &r)), "write %u left a node", nth);
	cr_assert(not(memory_disk_zone(disk, 0, &r)), "write %u left a zone", nth);
	farm_fini(&f);
}

TEST(load, survives_a_crash_at_every_write)
{
	uint64_t writes = UINT64_MAX;

	for (unsigned nth = 1; nth <= writes; nth++) {
		struct memory_disk *disk = memory_disk_new();
		struct history h = { 0 };
		struct farm f;

		farm_start(&f, journal_memory_new(disk), ZONES);
		memory_disk_fail(disk, nth, ERR_DISK);
		live_all(&f, &h);
		farm_fini(&f);
		if (memory_disk_writes(disk) < nth) {
			writes = 0; /* it lived through all of them */
		}
		memory_disk_heal(disk);
		expect_survived(disk, &h, nth);
		memory_disk_free(disk);
	}
}

/* ---- damage ---- */

/* The zones whose trees have nodes with these numbers, by asking the journal who misses it. */
static void expect_damage(struct memory_disk *disk, const char *what)
{
	unsigned gone = 0;
	struct farm f;

	farm_start(&f, journal_memory_new(disk), ZONES);
	for (unsigned i = 0; i < ZONES; i++) {
		uint32_t serial = farm_serial(&f, i);
		struct zone_timers t = zone_timers(farm_zone(&f, i));
		cr_assert(serial == 10 + i || serial == 0, "%s", what);
		if (serial == 0) {
			gone++;
			cr_assert(t.refresh_at_s == env_wall_s(&f.env.env) && t.expire_at_s == 0);
		}
	}
	cr_assert(eq(uint, gone, 1), "%s", what);
	cr_assert(eq(uint, f.counts[EVENT_STORE_CORRUPT], 1), "%s", what);
	farm_fini(&f);
}

static void disk_fill(struct memory_disk *disk)
{
	struct farm f;

	farm_start(&f, journal_memory_new(disk), ZONES);
	publish_all(&f, 10);
	farm_fini(&f);
}

TEST(load, fetches_a_zone_again_whose_node_is_damaged)
{
	struct memory_disk *disk = memory_disk_new();
	struct memory_record r;
	char what[64];

	disk_fill(disk);
	for (size_t n = 0; memory_disk_node(disk, n, &r); n++) {
		/* Every octet of small nodes, some of the many large ones. */
		for (size_t at = 0; at < r.len; at += n < 3 ? 1 : 97) {
			snprintf(what, sizeof(what), "node %zu octet %zu", n, at);
			r.at[at] ^= (uint8_t)(1U << at % 8);
			expect_damage(disk, what);
			r.at[at] ^= (uint8_t)(1U << at % 8);
		}
		if (n > 12) {
			break;
		}
	}
	memory_disk_free(disk);
}

TEST(load, fetches_a_zone_again_whose_node_is_lost)
{
	for (size_t n = 0;; n++) {
		struct memory_disk *disk = memory_disk_new();
		struct memory_record r;
		char what[32];

		disk_fill(disk);
		if (!memory_disk_node(disk, n, &r)) {
			memory_disk_free(disk);
			cr_assert(gt(sz, n, 10));
			break;
		}
		snprintf(what, sizeof(what), "node %zu", n);
		memory_disk_lose_node(disk, r.key);
		expect_damage(disk, what);
		memory_disk_free(disk);
	}
}

/* Scans end early, at every place: nothing that was read is lost, the rest is fetched again, and
 * commits work. */
TEST(load, leaves_a_journal_that_cannot_be_read)
{
	for (size_t count = 0; count < 12; count++) {
		struct memory_disk *disk = memory_disk_new();
		uint32_t had[ZONES];
		struct farm f;

		disk_fill(disk);
		memory_disk_fail_scan(disk, count, ERR_STORE_CORRUPT);
		farm_init(&f, journal_memory_new(disk));
		for (unsigned i = 0; i < ZONES; i++) {
			farm_add(&f, i);
		}
		cr_assert(eq(int, store_load(f.st), ERR_STORE_CORRUPT));
		cr_expect(eq(uint, f.counts[EVENT_STORE_SET_ASIDE], 1));
		for (unsigned i = 0; i < ZONES; i++) {
			had[i] = farm_serial(&f, i);
			cr_expect(had[i] == 0 || had[i] == 10 + i);
		}
		cr_expect(count == 0 || had[0] == 10);
		farm_settle(&f);
		cr_assert(eq(int, farm_publish(&f, 2, 20, 700), ERR_OK));
		cr_expect(eq(uint, f.counts[EVENT_STORE_FAILED], 0));
		had[2] = 20;
		farm_fini(&f);
		farm_start(&f, journal_memory_new(disk), ZONES);
		for (unsigned i = 0; i < ZONES; i++) {
			cr_expect(eq(u32, farm_serial(&f, i), had[i]));
		}
		cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0));
		farm_fini(&f);
		memory_disk_free(disk);
	}
}

/* Commits that meet damage: the journal is left, and everything is in the new one. */
TEST(load, leaves_a_journal_that_cannot_be_written)
{
	for (unsigned nth = 1; nth < 40; nth += 3) {
		struct memory_disk *disk = memory_disk_new();
		struct farm f;

		disk_fill(disk);
		farm_start(&f, journal_memory_new(disk), ZONES);
		store_remove(f.st, farm_zone(&f, 0));
		memory_disk_fail(disk, nth, ERR_STORE_CORRUPT);
		cr_assert(eq(int, farm_publish(&f, 1, 20, 50), ERR_OK));
		cr_assert(eq(int, farm_publish(&f, 3, 21, 9000), ERR_OK));
		cr_expect(eq(uint, f.counts[EVENT_STORE_SET_ASIDE], 1), "write %u", nth);
		cr_expect(eq(uint, f.counts[EVENT_STORE_FAILED], 0));
		farm_settle(&f);
		farm_fini(&f);
		farm_start(&f, journal_memory_new(disk), ZONES);
		cr_expect(eq(u32, farm_serial(&f, 0), 0));
		cr_expect(eq(u32, farm_serial(&f, 1), 20), "write %u", nth);
		cr_expect(eq(u32, farm_serial(&f, 2), 12), "write %u", nth);
		cr_expect(eq(u32, farm_serial(&f, 3), 21), "write %u", nth);
		cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0));
		farm_fini(&f);
		memory_disk_free(disk);
	}
}

/* Scans that fail for a while, at every place: what was not read is neither removed nor overwritten. */
TEST(load, loses_nothing_to_a_journal_that_cannot_be_read_now)
{
	for (size_t count = 0; count < 100; count++) {
		struct memory_disk *disk = memory_disk_new();
		struct farm f;
		enum err e;

		disk_fill(disk);
		memory_disk_fail_scan(disk, count, ERR_DISK);
		farm_init(&f, journal_memory_new(disk));
		for (unsigned i = 0; i < ZONES; i++) {
			farm_add(&f, i);
		}
		e = store_load(f.st);
		cr_assert(e == ERR_DISK || e == ERR_OK);
		cr_assert(eq(int, farm_publish(&f, 2, 20, 700), ERR_OK));
		farm_settle(&f);
		farm_fini(&f);
		memory_disk_heal(disk);
		farm_start(&f, journal_memory_new(disk), ZONES);
		for (unsigned i = 0; i < ZONES; i++) {
			cr_expect(eq(u32, farm_serial(&f, i), i == 2 ? 20 : 10 + i),
			          "zone %u after %zu", i, count);
		}
		cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0), "after %zu", count);
		farm_fini(&f);
		memory_disk_free(disk);
	}
}

/* Numbers as high as no journal gives: they are passed over, and do not come back. */
TEST(load, goes_on_below_numbers_that_are_damaged)
{
	static const uint64_t numbers[] = { UINT64_MAX, 1ULL << 63, 1ULL << 56, UINT32_MAX - 1ULL };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct memory_disk *disk = memory_disk_new();
		struct journal *j;
		struct farm f;

		disk_fill(disk);
		j = journal_memory_new(disk);
		cr_assert(eq(int, j->ops->begin(j), ERR_OK));
		cr_assert(eq(int, j->ops->put_node(j, numbers[i], bytes_of("x", 1)), ERR_OK));
		cr_assert(eq(int, j->ops->put_zone(j, numbers[i], bytes_of("x", 1)), ERR_OK));
		cr_assert(eq(int, j->ops->commit(j), ERR_OK));
		j->ops->free(j);
		farm_start(&f, journal_memory_new(disk), ZONES + 2);
		cr_expect(eq(int, farm_publish(&f, 1, 20, 50), ERR_OK));
		cr_expect(eq(int, farm_publish(&f, ZONES, 20, 50), ERR_OK));
		cr_expect(eq(int, farm_publish(&f, ZONES + 1, 20, 50), ERR_OK));
		farm_fini(&f);
		farm_start(&f, journal_memory_new(disk), ZONES + 2);
		cr_expect(eq(u32, farm_serial(&f, 0), 10));
		cr_expect(eq(u32, farm_serial(&f, 1), 20));
		cr_expect(eq(u32, farm_serial(&f, ZONES), 20), "number %zu", i);
		cr_expect(eq(u32, farm_serial(&f, ZONES + 1), 20), "number %zu", i);
		cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0), "number %zu", i);
		farm_fini(&f);
		memory_disk_free(disk);
	}
}

/* A zone that is removed while its commit is under way has no number of the new journal. */
TEST(load, leaves_a_journal_during_a_removal)
{
	for (unsigned i = 0; i < ZONES; i++) {
		struct memory_disk *disk = memory_disk_new();
		struct farm_commit c;
		struct farm f;

		disk_fill(disk);
		farm_start(&f, journal_memory_new(disk), ZONES);
		cr_assert(eq(int, farm_commit(&f, &c, i, 30, 50), ERR_OK));
		store_remove(f.st, farm_zone(&f, i));
		memory_disk_fail(disk, 1, ERR_STORE_CORRUPT);
		while (store_step(f.st)) { /* the shard hears of it when all is written anew */
		}
		farm_settle(&f);
		cr_expect(eq(int, c.err, ERR_NOT_FOUND));
		cr_expect(eq(uint, f.counts[EVENT_STORE_SET_ASIDE], 1));
		farm_fini(&f);
		farm_start(&f, journal_memory_new(disk), ZONES);
		for (unsigned k = 0; k < ZONES; k++) {
			cr_expect(eq(u32, farm_serial(&f, k), k == i ? 0 : 10 + k),
			          "zone %u without %u", k, i);
		}
		farm_fini(&f);
		memory_disk_free(disk);
	}
}

/* A journal that neither reads nor can be left says so; what was read is served. */
TEST(load, says_when_it_cannot_leave_a_journal)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;

	disk_fill(disk);
	memory_disk_fail_scan(disk, 3, ERR_STORE_CORRUPT);
	memory_disk_fail(disk, 1, ERR_DISK_READONLY);
	farm_init(&f, journal_memory_new(disk));
	for (unsigned i = 0; i < ZONES; i++) {
		farm_add(&f, i);
	}
	cr_assert(eq(int, store_load(f.st), ERR_STORE_CORRUPT));
	cr_expect(eq(uint, f.counts[EVENT_STORE_SET_ASIDE], 0));
	cr_expect(eq(uint, f.counts[EVENT_STORE_FAILED], 1));
	cr_expect(eq(u32, farm_serial(&f, 0), 10));
	memory_disk_heal(disk);
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(load, heals_after_damage)
{
	struct memory_disk *disk = memory_disk_new();
	struct memory_record r;
	struct farm f;

	disk_fill(disk);
	cr_assert(memory_disk_node(disk, 0, &r));
	r.at[r.len / 2] ^= 1;
	farm_start(&f, journal_memory_new(disk), ZONES);
	farm_settle(&f);
	publish_all(&f, 20);
	farm_fini(&f);
	farm_start(&f, journal_memory_new(disk), ZONES);
	expect_all(&f, 20);
	cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0));
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(load, fetches_a_zone_again_whose_record_is_damaged)
{
	struct memory_disk *disk = memory_disk_new();
	struct memory_record r;

	disk_fill(disk);
	cr_assert(memory_disk_zone(disk, 1, &r));
	for (size_t at = 0; at < r.len; at++) {
		unsigned gone = 0;
		struct farm f;
		r.at[at] ^= 0x40;
		farm_start(&f, journal_memory_new(disk), ZONES);
		for (unsigned i = 0; i < ZONES; i++) {
			gone += farm_serial(&f, i) == 0;
		}
		cr_assert(eq(uint, gone, 1));
		cr_assert(eq(uint, f.counts[EVENT_STORE_CORRUPT], 1));
		farm_fini(&f);
		r.at[at] ^= 0x40;
	}
	memory_disk_free(disk);
}

/* ---- damaged pages of a real database ---- */

#define PAGE_BYTES  4096U
#define DAMAGE_ENDS 10 /* seconds that a look may take */

/* A database in memory, to be damaged again and again. */
struct image {
	uint8_t *at;
	size_t len;
};

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*callback)(void));

/* What AddressSanitizer ends a process for would be a signal without it. */
static void die_of_signal(void)
{
	kill(getpid(), SIGKILL);
}
/* LMDB may write over its buffers' ends, where another allocator's things stand in all children. */
#define MAY_DIE_AGAIN true
#else
#define MAY_DIE_AGAIN false
#endif

/* Status of `fn`'s process: below 0 if it died of a signal. */
static int in_child(int (*fn)(const char *path), const char *path)
{
	struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(DAMAGE_ENDS);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* LMDB prints what it dies of */
		for (int sig = 1; sig < 32; sig++) {
			signal(sig, SIG_DFL); /* Criterion's and the sanitizers' */
		}
#if defined(__SANITIZE_ADDRESS__)
		__sanitizer_set_death_callback(die_of_signal);
#endif
		_exit(fn(path));
	}
	cr_assert(pid > 0);
	while (waitpid(pid, &status, 0) != pid) {
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int look(const char *path)
{
	return (int)journal_lmdb_check(path);
}

static enum err look_apart(void *self, const char *path)
{
	int status = in_child(look, path);

	(*(unsigned *)self)++;
	return status < 0 ? ERR_STORE_CORRUPT : (enum err)status;
}

static struct journal *guarded_open(const char *path, unsigned *looks)
{
	struct journal_lmdb_options o = {
		.path = path, .check = look_apart, .check_self = looks, .env = env_system()
	};
	struct journal *j = NULL;
	char why[PATH_MAX];

	return journal_lmdb_new(&o, &j, why, sizeof(why)) == ERR_OK ? j : NULL;
}

/* A daemon's life: opens, loads, commits all zones. 0: all well. */
static int live_once(const char *path)
{
	unsigned looks = 0;
	struct journal *j = guarded_open(path, &looks);
	struct farm f;
	int bad = 0;

	if (j == NULL) {
		return 100;
	}
	farm_init(&f, j);
	for (unsigned i = 0; i < ZONES; i++) {
		farm_add(&f, i);
	}
	(void)!store_load(f.st);
	for (unsigned i = 0; i < ZONES; i++) {
		uint32_t serial = farm_serial(&f, i);
		bad |= serial != 0 && serial != 20 + i && serial != 100 + i;
	}
	farm_settle(&f);
	for (unsigned i = 0; i < ZONES; i++) {
		bad |= farm_publish(&f, i, 100 + i, filling_of[i]) != ERR_OK ? 2 : 0;
	}
	farm_settle(&f);
	farm_fini(&f);
	return bad;
}

/* What a life left: everything, in order. */
static int live_after(const char *path)
{
	unsigned looks = 0;
	struct journal *j = guarded_open(path, &looks);
	struct farm f;
	int bad = 0;

	if (j == NULL) {
		return 100;
	}
	farm_init(&f, j);
	for (unsigned i = 0; i < ZONES; i++) {
		farm_add(&f, i);
	}
	bad |= store_load(f.st) != ERR_OK;
	for (unsigned i = 0; i < ZONES; i++) {
		bad |= farm_serial(&f, i) != 100 + i ? 2 : 0;
	}
	farm_fini(&f);
	return bad;
}

static void data_path(const char *folder, char out[static PATH_MAX + 16])
{
	snprintf(out, PATH_MAX + 16, "%s/data.mdb", folder);
}

static void image_make(struct image *image)
{
	char path[PATH_MAX + 16];
	struct folder folder;
	struct stat st;
	struct farm f;
	int fd;

	folder_make(&folder);
	farm_start(&f, lmdb_open(&folder), ZONES);
	publish_all(&f, 10);
	publish_all(&f, 20);
	farm_fini(&f);
	data_path(folder.path, path);
	fd = open(path, O_RDONLY);
	cr_assert(fstat(fd, &st) == 0);
	*image = (struct image){ malloc((size_t)st.st_size), (size_t)st.st_size };
	cr_assert(read(fd, image->at, image->len) == (ssize_t)image->len);
	close(fd);
	folder_remove(folder.path);
}

static void image_write(const struct image *image, const char *folder)
{
	char path[PATH_MAX + 16];
	int fd;

	data_path(folder, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert(write(fd, image->at, image->len) == (ssize_t)image->len);
	close(fd);
}

static void randomise(uint8_t *at, size_t len, struct env_fake *env)
{
	for (size_t i = 0; i < len; i++) {
		at[i] = (uint8_t)env_random_u32(&env->env);
	}
}

static void page_damage(uint8_t *page, struct env_fake *env)
{
	switch (env_random_u64(&env->env) % 3) {
	case 0:
		memset(page, 0, PAGE_BYTES);
		break;
	case 1:
		randomise(page, PAGE_BYTES, env);
		break;
	default: /* only what LMDB keeps about it */
		randomise(page + 8, 24, env);
	}
}

static void damage_and_start(const struct image *image, uint64_t seed, const size_t *only)
{
	struct image copy = { malloc(image->len), image->len };
	struct env_fake env;
	struct folder folder;
	int status = -1;
	unsigned starts = 0;

	env_fake_init(&env, seed);
	memcpy(copy.at, image->at, image->len);
	for (unsigned i = 0; i < (only != NULL ? 1 : 1 + seed % 3); i++) {
		size_t page =
			only != NULL ? *only : env_random_u64(&env.env) % (copy.len / PAGE_BYTES);
		page_damage(copy.at + page * PAGE_BYTES, &env);
	}
	folder_make(&folder);
	image_write(&copy, folder.path);
	while (starts < 2 && status < 0) {
		status = in_child(live_once, folder.path);
		starts++;
	}
	if (MAY_DIE_AGAIN && status < 0) {
		folder_remove(folder.path);
		free(copy.at);
		return;
	}
	cr_expect(status == 0, "seed %lu page %zd: start %u ended with %d", (unsigned long)seed,
	          only != NULL ? (ssize_t)*only : -1, starts, status);
	status = in_child(live_after, folder.path);
	cr_expect(status == 0, "seed %lu page %zd: afterwards %d", (unsigned long)seed,
	          only != NULL ? (ssize_t)*only : -1, status);
	folder_remove(folder.path);
	free(copy.at);
}

TEST(load, starts_with_damaged_pages)
{
	struct image image;

	image_make(&image);
	for (uint64_t seed = 1; seed <= 60; seed++) {
		damage_and_start(&image, seed, NULL);
	}
	free(image.at);
}

TEST(load, starts_with_any_one_page_damaged)
{
	struct image image;

	image_make(&image);
	for (size_t page = 0; page < image.len / PAGE_BYTES; page++) {
		damage_and_start(&image, 1000 + page, &page);
	}
	free(image.at);
}

/* A start that was killed is looked into, and its database is as good as before. */
TEST(load, keeps_a_healthy_database_after_a_kill)
{
	struct folder folder;
	struct image image;
	unsigned looks = 0;
	char mark[PATH_MAX + 16];
	struct farm f;

	image_make(&image);
	folder_make(&folder);
	image_write(&image, folder.path);
	free(image.at);
	snprintf(mark, sizeof(mark), "%s/loading", folder.path);
	close(open(mark, O_WRONLY | O_CREAT, 0600));
	farm_start(&f, guarded_open(folder.path, &looks), ZONES);
	cr_expect(eq(uint, looks, 1));
	cr_expect(ne(int, access(mark, F_OK), 0), "loaded: the mark is gone");
	for (unsigned i = 0; i < ZONES; i++) {
		cr_expect(eq(u32, farm_serial(&f, i), 20 + i));
	}
	farm_fini(&f);
	farm_start(&f, guarded_open(folder.path, &looks), ZONES);
	cr_expect(eq(uint, looks, 1));
	farm_fini(&f);
	folder_remove(folder.path);
}
