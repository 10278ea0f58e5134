/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/lmdb_hot_test.c — records of zones, wherever they stand, against an array. */
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/env.h"
#include "tests/test.h"
#include "tests/zonestore/folder.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/journal_view.h"
#include "zonestore/lmdb_hot_p.h"

#define NUMBERS 40U
#define LEN_MAX 2500U

/* What the journal must have of each zone; length 0: nothing. */
struct model {
	uint16_t len[NUMBERS];
	uint8_t fill[NUMBERS];
};

static struct journal *open_at(const char *path)
{
	struct journal_lmdb_options o = { .path = path, .log_most = 100 };
	struct journal *j = NULL;
	char why[256] = "";

	cr_assert(eq(int, journal_lmdb_new(&o, &j, why, sizeof(why)), ERR_OK), "%s", why);
	return j;
}

static void expect_value(const struct model *m, uint64_t number, struct bytes value)
{
	cr_assert(lt(u64, number, NUMBERS));
	cr_assert(eq(sz, value.len, m->len[number]), "zone %u", (unsigned)number);
	for (size_t i = 0; i < value.len; i++) {
		cr_assert(value.at[i] == m->fill[number]);
	}
}

struct seen {
	const struct model *model;
	unsigned count;
};

static enum err see(void *self, uint64_t number, struct bytes value)
{
	struct seen *s = self;

	expect_value(s->model, number, value);
	s->count++;
	return ERR_OK;
}

static unsigned model_count(const struct model *m)
{
	unsigned count = 0;

	for (unsigned i = 0; i < NUMBERS; i++) {
		count += m->len[i] > 0;
	}
	return count;
}

static void expect_reader(struct journal *j, const struct model *m)
{
	struct journal_range all = { 0, NUMBERS, 0 };
	struct seen seen = { m, 0 };
	struct journal_reader *r;
	struct bytes value;

	cr_assert(eq(int, j->ops->reader_new(j, &r), ERR_OK));
	for (unsigned i = 1; i < NUMBERS; i++) {
		enum err e = r->ops->get_zone(r, i, &value);
		cr_assert(eq(int, e, m->len[i] > 0 ? ERR_OK : ERR_NOT_FOUND));
		if (e == ERR_OK) {
			expect_value(m, i, value);
		}
	}
	cr_assert(eq(int, r->ops->scan_zones(r, all, see, &seen), ERR_OK));
	cr_expect(eq(uint, seen.count, model_count(m)));
	r->ops->free(r);
}

static void expect_all(struct journal *j, const struct model *m)
{
	struct seen seen = { m, 0 };
	struct journal_range range;
	struct bytes value;

	for (unsigned i = 1; i < NUMBERS; i++) {
		enum err e = j->ops->get_zone(j, i, &value);
		cr_assert(eq(int, e, m->len[i] > 0 ? ERR_OK : ERR_NOT_FOUND));
		if (e == ERR_OK) {
			expect_value(m, i, value);
		}
	}
	cr_assert(eq(int, j->ops->scan_zones(j, see, &seen), ERR_OK));
	cr_expect(eq(uint, seen.count, model_count(m)));
	cr_assert(eq(int, j->ops->zones_range(j, &range), ERR_OK));
	cr_expect(eq(u64, range.count, model_count(m)));
	expect_reader(j, m);
}

/* Another process looks at the database. */
static void expect_view(const char *path, const struct model *m)
{
	struct seen seen = { m, 0 };
	struct journal *view;
	char why[256] = "";

	cr_assert(eq(int, journal_view_new(path, &view, why, sizeof(why)), ERR_OK), "%s", why);
	cr_assert(eq(int, view->ops->scan_zones(view, see, &seen), ERR_OK));
	cr_expect(eq(uint, seen.count, model_count(m)));
	view->ops->free(view);
}

static void act(struct journal *j, const struct env *env, struct model *m)
{
	static uint8_t octets[LEN_MAX];
	/* Mostly the same few zones. */
	unsigned number =
		1 + env_random_below(env, env_random_below(env, 2) == 0 ? 6 : NUMBERS - 1);

	if (env_random_below(env, 8) == 0) {
		cr_assert(eq(int, j->ops->drop_zone(j, number), ERR_OK));
		m->len[number] = 0;
		return;
	}
	m->len[number] =
		(uint16_t)(1 +
	                   env_random_below(env, env_random_below(env, 4) == 0 ? LEN_MAX : 400));
	m->fill[number] = (uint8_t)env_random_u32(env);
	memset(octets, m->fill[number], m->len[number]);
	cr_assert(eq(int, j->ops->put_zone(j, number, bytes_of(octets, m->len[number])), ERR_OK));
}

TEST(lmdb_hot, records_are_found_wherever_they_stand)
{
	struct folder f;
	struct env_fake dice;
	struct model model = { 0 };
	struct model before;
	struct journal *j;

	folder_make(&f);
	env_fake_init(&dice, 20261121);
	j = open_at(f.path);
	for (unsigned round = 0; round < 3000; round++) {
		static const unsigned counts[] = { 1, 1, 1, 2, 2, 3, 12 };
		unsigned count = counts[env_random_below(&dice.env, ARRAY_LEN(counts))];
		before = model;
		cr_assert(eq(int, j->ops->begin(j), ERR_OK));
		while (count-- > 0) {
			act(j, &dice.env, &model);
		}
		if (env_random_below(&dice.env, 10) == 0) {
			j->ops->abort(j);
			model = before;
		} else {
			cr_assert(eq(int, j->ops->commit(j), ERR_OK));
		}
		if (round % 50 == 0) {
			expect_all(j, &model);
		}
		if (round % 100 == 99) {
			j->ops->free(j);
			cr_assert(eq(int, journal_lmdb_check(f.path), ERR_OK));
			expect_view(f.path, &model);
			j = open_at(f.path);
			expect_all(j, &model);
		}
	}
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(lmdb_hot, a_zone_that_changes_alone_costs_no_page_of_its_table)
{
	uint8_t octets[300] = { 0 };
	struct journal_stats first;
	struct journal_stats last;
	struct folder f;
	struct journal *j;

	folder_make(&f);
	j = open_at(f.path);
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	for (uint64_t number = 1; number < 20000; number++) {
		cr_assert(eq(int, j->ops->put_zone(j, number, bytes_of(octets, sizeof(octets))),
		             ERR_OK));
	}
	cr_assert(eq(int, j->ops->commit(j), ERR_OK));
	j->ops->stats(j, &first);
	for (unsigned i = 0; i < 100; i++) {
		octets[0] = (uint8_t)i;
		cr_assert(eq(int, j->ops->begin(j), ERR_OK));
		cr_assert(eq(int, j->ops->put_zone(j, 777, bytes_of(octets, sizeof(octets))),
		             ERR_OK));
		cr_assert(eq(int, j->ops->commit(j), ERR_OK));
	}
	j->ops->stats(j, &last);
	if (first.written_bytes > 0) { /* the system counts them */
		cr_expect(le(u64, last.written_bytes - first.written_bytes, 100 * 3 * 4096),
		          "the roots and the list of free pages");
	}
	j->ops->free(j);
	folder_remove(f.path);
}
