/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/full_test.c — a disk or a database that is full, and space that is used again. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "tests/zonestore/folder.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/store_p.h"

#define ZONES 4U
#define LARGE 3U /* the zone that grows until it does not fit */
#define MIB   (1U << 20)

static struct journal *lmdb_open(const struct folder *folder, uint64_t max)
{
	struct journal_lmdb_options o = { .path = folder->path,
		                          .size_max_bytes = max,
		                          .log_most = 200 };
	struct journal *j = NULL;
	char why[256] = "";

	cr_assert(eq(int, journal_lmdb_new(&o, &j, why, sizeof(why)), ERR_OK), "%s", why);
	return j;
}

static void publish_small(struct farm *f, uint32_t serial)
{
	for (unsigned i = 0; i < LARGE; i++) {
		cr_assert(eq(int, farm_publish(f, i, serial, 3), ERR_OK), "zone %u", i);
	}
}

static void expect_small(struct farm *f, uint32_t serial)
{
	for (unsigned i = 0; i < LARGE; i++) {
		cr_expect(eq(u32, farm_serial(f, i), serial), "zone %u", i);
	}
}

/* Has the large zone grow until that fails; the serial of the last version that fitted. */
static uint32_t fill(struct farm *f)
{
	uint32_t serial = 1;
	enum err e;

	while ((e = farm_publish(f, LARGE, serial, 4000 * serial)) == ERR_OK) {
		cr_assert(lt(u32, ++serial, 100));
	}
	cr_expect(eq(int, e, ERR_DISK_FULL));
	cr_expect(gt(u32, serial, 1));
	return serial - 1;
}

static void expect_full(struct farm *f, uint32_t small, uint32_t large)
{
	enum err why;

	expect_small(f, small);
	cr_expect(eq(u32, farm_serial(f, LARGE), large));
	cr_expect(store_failing(f->st, &why));
	cr_expect(eq(int, why, ERR_DISK_FULL));
	cr_expect(eq(uint, f->counts[EVENT_STORE_FAILED], 1));
	cr_expect(eq(uint, f->counts[EVENT_STORE_CORRUPT], 0));
}

/* Lets the pause between tries pass. */
static void wait_retry(struct farm *f)
{
	for (unsigned i = 0; i < 3; i++) {
		f->env.now_ns += (STORE_RETRY_S + 1) * NS_PER_S;
		farm_settle(f);
	}
}

TEST(full, a_disk_keeps_what_was_there_and_goes_on_when_there_is_room)
{
	struct folder folder;
	char ballast[PATH_MAX + 16];
	uint32_t large;
	struct farm f;

	folder_make(&folder);
	if (!folder_small_disk(folder.path)) {
		folder_remove(folder.path);
		cr_skip_test("no right to mount a small tmpfs");
	}
	folder_ballast(folder.path, 5 * MIB);
	farm_start(&f, lmdb_open(&folder, 0), ZONES);
	publish_small(&f, 10);
	large = fill(&f);
	expect_full(&f, 10, large);
	wait_retry(&f);
	farm_fini(&f);
	/* A start on a disk that is full. */
	farm_start(&f, lmdb_open(&folder, 0), ZONES);
	expect_small(&f, 10);
	cr_expect(eq(u32, farm_serial(&f, LARGE), large));
	cr_expect(eq(int, farm_publish(&f, LARGE, 99, 4000 * (large + 2)), ERR_DISK_FULL));
	expect_full(&f, 10, large);
	snprintf(ballast, sizeof(ballast), "%s/ballast", folder.path);
	cr_assert(eq(int, unlink(ballast), 0));
	wait_retry(&f);
	publish_small(&f, 20);
	cr_expect(eq(int, farm_publish(&f, LARGE, 99, 4000 * (large + 1)), ERR_OK));
	cr_expect(eq(uint, f.counts[EVENT_STORE_RECOVERED], 1));
	farm_fini(&f);
	farm_start(&f, lmdb_open(&folder, 0), ZONES);
	expect_small(&f, 20);
	cr_expect(eq(u32, farm_serial(&f, LARGE), 99));
	farm_fini(&f);
	umount(folder.path);
	folder_remove(folder.path);
}

/* The file may not grow, but what is removed from it makes room, though the database is full. */
TEST(full, a_database_at_its_limit_has_room_again_when_a_zone_goes)
{
	struct folder folder;
	struct bytes format;
	uint32_t large;
	struct farm f;

	folder_make(&folder);
	farm_start(&f, lmdb_open(&folder, 4 * MIB), ZONES);
	publish_small(&f, 10);
	large = fill(&f);
	expect_full(&f, 10, large);
	farm_fini(&f);
	farm_start(&f, lmdb_open(&folder, 4 * MIB), ZONES);
	expect_small(&f, 10);
	cr_expect(eq(u32, farm_serial(&f, LARGE), large));
	cr_expect(eq(int, farm_publish(&f, LARGE, 99, 4000 * (large + 2)), ERR_DISK_FULL));
	store_remove(f.st, farm_zone(&f, LARGE));
	wait_retry(&f);
	publish_small(&f, 20);
	cr_expect(eq(uint, f.counts[EVENT_STORE_RECOVERED], 1));
	cr_assert(eq(int, f.st->o.journal->ops->get_meta(f.st->o.journal, "format", &format),
	             ERR_OK));
	cr_expect(eq(sz, format.len, 8), "the format and its complement");
	farm_add(&f, LARGE);
	cr_expect(eq(int, farm_publish(&f, LARGE, 1, 4000 * (large - 1)), ERR_OK));
	farm_fini(&f);
	farm_start(&f, lmdb_open(&folder, 4 * MIB), ZONES);
	expect_small(&f, 20);
	cr_expect(eq(u32, farm_serial(&f, LARGE), 1));
	farm_fini(&f);
	folder_remove(folder.path);
}

TEST(full, versions_that_do_not_fit_do_not_keep_room_from_being_made)
{
	struct folder folder;
	struct farm_commit c;
	unsigned tries = 0;
	uint32_t large;
	struct farm f;

	folder_make(&folder);
	farm_start(&f, lmdb_open(&folder, 2 * MIB), ZONES + 1);
	publish_small(&f, 10);
	large = fill(&f);
	/* A zone that does not fit is tried again and again, while the other one goes. */
	store_remove(f.st, farm_zone(&f, LARGE));
	do {
		cr_assert(eq(int, farm_commit(&f, &c, ZONES, 1, 4000 * (large - 1)), ERR_OK));
		while (c.done == 0) {
			(void)store_step(f.st);
			farm_turn(&f);
		}
		cr_assert(lt(uint, ++tries, 50));
	} while (c.err == ERR_DISK_FULL);
	cr_expect(eq(int, c.err, ERR_OK));
	cr_expect(gt(uint, tries, 1));
	cr_expect(eq(uint, f.counts[EVENT_STORE_RECOVERED], 1));
	farm_fini(&f);
	folder_remove(folder.path);
}

static uint64_t file_size(const struct folder *folder)
{
	char path[PATH_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/data.mdb", folder->path);
	cr_assert(eq(int, stat(path, &st), 0));
	return (uint64_t)st.st_size;
}

TEST(full, space_is_used_again)
{
	struct folder folder;
	uint64_t early = 0;
	struct farm f;

	folder_make(&folder);
	farm_start(&f, lmdb_open(&folder, 0), ZONES);
	for (uint32_t round = 1; round <= 13; round++) {
		publish_small(&f, round);
		/* Replaced twice, then removed. */
		cr_assert(eq(int, farm_publish(&f, LARGE, 100 * round, 20000), ERR_OK));
		cr_assert(eq(int, farm_publish(&f, LARGE, 100 * round + 50, 21000), ERR_OK));
		store_remove(f.st, farm_zone(&f, LARGE));
		farm_settle(&f);
		farm_add(&f, LARGE);
		early = round == 3 ? file_size(&folder) : early;
	}
	cr_expect(le(u64, file_size(&folder), early + early / 10), "%llu bytes, %llu before",
	          (unsigned long long)file_size(&folder), (unsigned long long)early);
	farm_fini(&f);
	folder_remove(folder.path);
}
