/* SPDX-License-Identifier: MIT */
#include "zonestore/diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

static bool has(const struct model *m, const struct rr *rr)
{
	for (size_t i = 0; i < m->count; i++) {
		struct rr r = model_view(&m->rrs[i]);
		if (r.type == rr->type && r.ttl == rr->ttl && bytes_equal(r.rdata, rr->rdata) &&
		    bytes_equal(name_bytes(r.owner), name_bytes(rr->owner))) {
			return true;
		}
	}
	return false;
}

/* Counts the records of `a` that `b` lacks, by looking for each. */
static size_t missing(const struct model *a, const struct model *b)
{
	size_t count = 0;

	for (size_t i = 0; i < a->count; i++) {
		struct rr rr = model_view(&a->rrs[i]);
		count += !has(b, &rr);
	}
	return count;
}

/* All that is yielded is missing, and it is as much as is missing, in order. */
static size_t check_steps(const struct model *a, const struct snapshot *have, const struct model *b,
                          const struct snapshot *lack, uint32_t steps_max)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct snapshot_diff d;
	struct rr rr;
	size_t seen = 0;

	snapshot_diff_init(&d, have, lack);
	do {
		d.steps_left = steps_max == 0 ? d.steps_left : steps_max;
		while (snapshot_diff_next(&d, scratch, &rr)) {
			cr_assert(has(a, &rr));
			cr_assert(not(has(b, &rr)));
			seen++;
		}
		cr_assert(steps_max > 0 || !d.paused);
	} while (d.paused);
	cr_assert(eq(sz, seen, missing(a, b)));
	free(scratch);
	return seen;
}

/* However often the walk pauses, it finds the same. */
static size_t check_diff(const struct model *a, const struct snapshot *have, const struct model *b,
                         const struct snapshot *lack)
{
	size_t seen = check_steps(a, have, b, lack, 0);

	cr_assert(eq(sz, check_steps(a, have, b, lack, 1), seen));
	cr_assert(eq(sz, check_steps(a, have, b, lack, 7), seen));
	return seen;
}

static void change(struct model *m, struct env *env, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		size_t victim = env_random_below(env, (uint32_t)m->count);
		if (m->rrs[victim].owner.len > m->apex.len) {
			model_delete(m, victim);
		}
	}
	model_grow(m, env, count);
	m->serial++;
}

TEST(diff, finds_what_a_scan_finds)
{
	static const unsigned changes[] = { 0, 1, 3, 20, 400 };

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct world w;
		struct model a;
		struct model b;
		struct snapshot *one;
		struct snapshot *two;
		world_init(&w, seed);
		printf("seed %llu\n", (unsigned long long)seed);
		model_init(&a, "Example.");
		model_grow(&a, &w.fake.env, seed % 4 == 0 ? 2000 : 150);
		model_copy(&a, &b);
		change(&b, &w.fake.env, changes[seed % ARRAY_LEN(changes)]);
		one = model_build(&a, w.pool, NULL);
		two = model_build(&b, w.pool, NULL);
		(void)check_diff(&a, one, &b, two);
		(void)check_diff(&b, two, &a, one);
		cr_assert(eq(sz, check_diff(&a, one, &a, one), 0));
		snapshot_unref(one);
		snapshot_unref(two);
		model_fini(&a);
		model_fini(&b);
		world_fini(&w);
	}
}

/* Applying the difference to the old version yields the new one. */
static void apply(struct world *w, const struct snapshot *old, const struct snapshot *next)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct builder *b = builder_new(&(struct builder_options){
		.pool = w->pool, .apex = snapshot_apex(old), .base = old });
	struct builder_origin origin = { .origin = SNAPSHOT_BY_IXFR };
	struct snapshot *made = NULL;
	struct snapshot_diff d;
	struct rr rr;
	struct id x;
	struct id y;

	snapshot_diff_init(&d, old, next);
	while (snapshot_diff_next(&d, scratch, &rr)) {
		cr_assert(eq(int, builder_delete(b, &rr), ERR_OK));
	}
	snapshot_diff_init(&d, next, old);
	while (snapshot_diff_next(&d, scratch, &rr)) {
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	}
	cr_assert(eq(int, builder_freeze(b, &origin, &made), ERR_OK));
	x = world_root(made);
	y = world_root(next);
	cr_assert(id_equal(&x, &y));
	builder_free(b);
	snapshot_unref(made);
	free(scratch);
}

TEST(diff, applied_to_the_old_version_gives_the_new)
{
	for (uint64_t seed = 40; seed < 52; seed++) {
		struct world w;
		struct model a;
		struct model b;
		struct snapshot *one;
		struct snapshot *two;
		world_init(&w, seed);
		model_init(&a, "example.");
		model_init(&b, "example.");
		model_grow(&a, &w.fake.env, 400);
		model_grow(&b, &w.fake.env, seed % 3 == 0 ? 5 : 900);
		one = model_build(&a, w.pool, NULL);
		two = model_build(&b, w.pool, NULL);
		apply(&w, one, two);
		apply(&w, two, one);
		snapshot_unref(one);
		snapshot_unref(two);
		model_fini(&a);
		model_fini(&b);
		world_fini(&w);
	}
}
