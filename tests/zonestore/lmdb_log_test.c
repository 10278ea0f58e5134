/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/lmdb_log_test.c — the log of zones' records against an array: it grows, is moved into
 * the table of zones and removed, amid drops, lost transactions and restarts. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/env.h"
#include "tests/test.h"
#include "tests/zonestore/folder.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/journal_view.h"
#include "zonestore/lmdb_log_p.h"

#define NUMBERS  2000U
#define GROUP    1000U /* records in a transaction */
#define ROUNDS   60U   /* some generations of the log ... */
#define LOG_MOST 4000U /* ... of so many entries */

struct world {
	struct folder folder;
	struct env_fake dice;
	struct journal *j;
	uint32_t *have; /* what is in each zone's record; 0: it has none */
	uint32_t *before;
	uint32_t next;
	bool long_ones; /* few, too long for the log; they leave LMDB's pages half empty */
};

static struct journal *open_at(const char *path, size_t most)
{
	struct journal_lmdb_options o = { .path = path, .log_most = most };
	struct journal *j = NULL;
	char why[256] = "";

	cr_assert(eq(int, journal_lmdb_new(&o, &j, why, sizeof(why)), ERR_OK), "%s", why);
	return j;
}

static void put(struct world *w, uint32_t number)
{
	uint8_t octets[2000];
	size_t len = 20;

	if (w->long_ones && env_random_below(&w->dice.env, 500) == 0) {
		len = sizeof(octets);
	}
	memset(octets, 7, len);
	w->have[number] = ++w->next;
	store_u32(octets, w->have[number]);
	cr_assert(eq(int, w->j->ops->put_zone(w->j, number, bytes_of(octets, len)), ERR_OK));
}

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	folder_make(&w->folder);
	env_fake_init(&w->dice, 20261128);
	w->have = mem_zero(NUMBERS, sizeof(*w->have));
	w->before = mem_zero(NUMBERS, sizeof(*w->before));
	w->j = open_at(w->folder.path, LOG_MOST);
	cr_assert(eq(int, w->j->ops->begin(w->j), ERR_OK));
	for (uint32_t i = 1; i < NUMBERS; i++) {
		put(w, i);
	}
	cr_assert(eq(int, w->j->ops->commit(w->j), ERR_OK));
}

static void world_fini(struct world *w)
{
	w->j->ops->free(w->j);
	folder_remove(w->folder.path);
	free(w->have);
	free(w->before);
}

struct seen {
	struct world *w;
	size_t count;
};

static enum err see(void *self, uint64_t number, struct bytes value)
{
	struct seen *s = self;

	cr_assert(lt(u64, number, NUMBERS));
	cr_assert(ge(sz, value.len, 4));
	cr_assert(eq(u32, load_u32(value.at), s->w->have[number]), "zone %u", (unsigned)number);
	s->count++;
	return ERR_OK;
}

static void expect_all(struct world *w, struct journal *j)
{
	struct seen seen = { w, 0 };
	size_t count = 0;

	for (uint32_t i = 1; i < NUMBERS; i++) {
		count += w->have[i] != 0;
	}
	cr_assert(eq(int, j->ops->scan_zones(j, see, &seen), ERR_OK));
	cr_assert(eq(sz, seen.count, count));
}

static void change_some(struct world *w)
{
	for (unsigned i = 0; i < GROUP; i++) {
		uint32_t number = 1 + env_random_below(&w->dice.env, NUMBERS - 1);
		if (env_random_below(&w->dice.env, 50) == 0) {
			w->have[number] = 0;
			cr_assert(eq(int, w->j->ops->drop_zone(w->j, number), ERR_OK));
		} else {
			put(w, number);
		}
	}
}

TEST(lmdb_log, records_are_the_newest_wherever_they_are)
{
	struct world w;
	struct journal *view;
	char why[256];

	world_init(&w);
	w.long_ones = true;
	for (unsigned round = 1; round <= ROUNDS; round++) {
		memcpy(w.before, w.have, NUMBERS * sizeof(*w.have));
		cr_assert(eq(int, w.j->ops->begin(w.j), ERR_OK));
		change_some(&w);
		if (round % 7 == 0) {
			w.j->ops->abort(w.j);
			memcpy(w.have, w.before, NUMBERS * sizeof(*w.have));
		} else {
			cr_assert(eq(int, w.j->ops->commit(w.j), ERR_OK));
		}
		if (round % 5 == 0) {
			expect_all(&w, w.j);
		}
		if (round % 13 == 0) { /* another process, and a restart */
			cr_assert(eq(int, journal_view_new(w.folder.path, &view, why, sizeof(why)),
			             ERR_OK),
			          "%s", why);
			expect_all(&w, view);
			view->ops->free(view);
			w.j->ops->free(w.j);
			cr_assert(eq(int, journal_lmdb_check(w.folder.path), ERR_OK));
			w.j = open_at(w.folder.path, LOG_MOST);
			expect_all(&w, w.j);
		}
	}
	world_fini(&w);
}

/* The file does not grow with the number of updates. */
TEST(lmdb_log, entries_are_removed_in_the_end)
{
	struct journal_stats first = { 0 };
	struct journal_stats last;
	struct world w;

	world_init(&w);
	for (unsigned round = 1; round <= 5 * ROUNDS; round++) {
		cr_assert(eq(int, w.j->ops->begin(w.j), ERR_OK));
		change_some(&w);
		cr_assert(eq(int, w.j->ops->commit(w.j), ERR_OK));
		if (round == ROUNDS) {
			w.j->ops->stats(w.j, &first);
		}
	}
	w.j->ops->stats(w.j, &last);
	cr_expect(le(u64, last.size_bytes, first.size_bytes + first.size_bytes / 4));
	cr_expect(le(u64, last.used_bytes, (LOG_MOST * 3 + NUMBERS) * 100));
	world_fini(&w);
}

/* Updates of zones anywhere in a large table cost few pages, in the log and when they are moved. */
TEST(lmdb_log, many_zones_that_change_share_pages)
{
	enum { ZONES = 40000, EACH = 100 };
	uint8_t octets[300] = { 0 };
	struct journal_stats first;
	struct journal_stats last;
	struct folder f;
	struct journal *j;
	uint32_t at = 1;
	unsigned updates = 0;

	folder_make(&f);
	j = open_at(f.path, 0);
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	for (uint64_t number = 1; number <= ZONES; number++) {
		cr_assert(eq(int, j->ops->put_zone(j, number, bytes_of(octets, sizeof(octets))),
		             ERR_OK));
	}
	cr_assert(eq(int, j->ops->commit(j), ERR_OK));
	j->ops->stats(j, &first);
	while (updates < 2 * LMDB_LOG_MOST) {
		cr_assert(eq(int, j->ops->begin(j), ERR_OK));
		for (unsigned i = 0; i < EACH; i++, updates++) {
			at = at * 1664525 + 1013904223;
			cr_assert(eq(int,
			             j->ops->put_zone(j, 1 + (at >> 8) % ZONES,
			                              bytes_of(octets, sizeof(octets))),
			             ERR_OK));
		}
		cr_assert(eq(int, j->ops->commit(j), ERR_OK));
	}
	j->ops->stats(j, &last);
	if (first.written_bytes > 0) { /* the system counts them */
		cr_expect(lt(u64, (last.written_bytes - first.written_bytes) / updates, 2500));
	}
	j->ops->free(j);
	folder_remove(f.path);
}

/* Where an entry of a zone begins in the file; -1 if it is not there. */
static off_t entry_place(int fd, uint64_t number)
{
	uint8_t head[16];
	uint8_t page[4096];
	ssize_t len;

	store_u64(head, number);
	store_u64(head + 8, ~number);
	for (off_t at = 0; (len = pread(fd, page, sizeof(page), at)) > 0; at += len) {
		uint8_t *found = memmem(page, (size_t)len, head, sizeof(head));
		if (found != NULL) {
			return at + (found - page);
		}
	}
	return -1;
}

static void flip_entry(const char *folder, uint64_t number)
{
	char path[4200];
	uint8_t octet;
	off_t at;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	fd = open(path, O_RDWR);
	cr_assert(ge(int, fd, 0));
	while ((at = entry_place(fd, number)) >= 0) { /* old pages may have it, too */
		cr_assert(eq(int, (int)pread(fd, &octet, 1, at + 7), 1));
		octet ^= 4;
		cr_assert(eq(int, (int)pwrite(fd, &octet, 1, at + 7), 1));
	}
	close(fd);
}

/* Else an older record would pass for the newest one. */
TEST(lmdb_log, an_entry_that_is_damaged_is_found)
{
	struct journal_lmdb_options o = { 0 };
	struct world w;
	char why[256] = "";
	struct journal *j;

	world_init(&w);
	cr_assert(eq(int, w.j->ops->begin(w.j), ERR_OK));
	for (uint32_t i = 1; i < 100; i++) {
		put(&w, 7 * i);
	}
	cr_assert(eq(int, w.j->ops->commit(w.j), ERR_OK));
	w.j->ops->free(w.j);
	cr_assert(eq(int, journal_lmdb_check(w.folder.path), ERR_OK));
	flip_entry(w.folder.path, 77);
	cr_expect(eq(int, journal_lmdb_check(w.folder.path), ERR_STORE_CORRUPT));
	o.path = w.folder.path;
	cr_expect(eq(int, journal_lmdb_new(&o, &j, why, sizeof(why)), ERR_STORE_CORRUPT));
	folder_remove(w.folder.path);
	free(w.have);
	free(w.before);
}
