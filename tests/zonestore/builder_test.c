/* SPDX-License-Identifier: MIT */
#include "zonestore/builder.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

static const struct builder_origin by_ixfr = { .origin = SNAPSHOT_BY_IXFR };

static const char *const apexes[] = { "Example.COM.", "x.", "deep.down.example.net.", "." };

TEST(builder, any_order_gives_one_tree)
{
	for (uint64_t seed = 1; seed <= 24; seed++) {
		struct world w;
		struct model m;
		struct snapshot *sorted;
		struct snapshot *mixed;
		struct id a;
		struct id b;
		world_init(&w, seed);
		model_init(&m, apexes[seed % ARRAY_LEN(apexes)]);
		model_grow(&m, &w.fake.env,
		           1 + env_random_below(&w.fake.env, seed % 8 == 0 ? 3000 : 300));
		model_sort(&m);
		sorted = model_build(&m, w.pool, NULL);
		mixed = model_build(&m, w.pool, &w.fake.env);
		a = world_root(sorted);
		b = world_root(mixed);
		cr_assert(id_equal(&a, &b), "seed %llu", (unsigned long long)seed);
		model_check(&m, sorted);
		model_check(&m, mixed);
		snapshot_unref(sorted);
		snapshot_unref(mixed);
		model_fini(&m);
		world_fini(&w);
	}
}

/* Deletes some records, changes the TTL of some sets, adds some records. */
static void mutate(struct model *m, struct env *env, unsigned deletes, unsigned adds)
{
	for (unsigned i = 0; i < deletes && m->count > 1; i++) {
		size_t victim = env_random_below(env, (uint32_t)m->count);
		if (m->rrs[victim].type != TYPE_NS || m->rrs[victim].owner.len > m->apex.len) {
			model_delete(m, victim);
		}
	}
	for (unsigned i = 0; i < 1 + adds / 8; i++) {
		struct model_rr like = m->rrs[env_random_below(env, (uint32_t)m->count)];
		for (size_t j = 0; j < m->count; j++) {
			struct model_rr *r = &m->rrs[j];
			if (r->type == like.type && like.type != TYPE_RRSIG &&
			    name_equal(name_of(&r->owner), name_of(&like.owner))) {
				r->ttl = like.ttl ^ 0x1000;
			}
		}
	}
	model_grow(m, env, adds);
	for (size_t i = 0; i < m->count; i++) { /* what was added to a set has its TTL */
		for (size_t j = 0; j < i; j++) {
			struct rr a = model_view(&m->rrs[j]);
			struct rr b = model_view(&m->rrs[i]);
			if (a.type == b.type && a.ttl != b.ttl && a.type != TYPE_RRSIG &&
			    name_equal(a.owner, b.owner)) {
				m->rrs[i].ttl = a.ttl;
			}
		}
	}
	m->serial++;
}

static struct builder *builder_over(struct pool *pool, const struct snapshot *base)
{
	return builder_new(&(struct builder_options){
		.pool = pool, .apex = snapshot_apex(base), .base = base });
}

/* Applies a chain of differences to a version, all in one builder; checks the result against the
 * zone built from nothing. */
static void chain_step(struct world *w, struct model *m, struct snapshot **snap)
{
	struct env *env = &w->fake.env;
	struct builder *b = builder_over(w->pool, *snap);
	struct snapshot *next = NULL;
	struct snapshot *whole;
	unsigned steps = 1 + env_random_below(env, 3);
	struct id a;
	struct id c;

	for (unsigned i = 0; i < steps; i++) {
		struct model before;
		model_copy(m, &before);
		mutate(m, env, env_random_below(env, 20), env_random_below(env, 20));
		model_difference(&before, m, b);
		model_fini(&before);
	}
	cr_assert(eq(int, builder_freeze(b, &by_ixfr, &next), ERR_OK));
	builder_free(b);
	snapshot_unref(*snap);
	*snap = next;
	whole = model_build(m, w->pool, env);
	a = world_root(next);
	c = world_root(whole);
	model_check(m, next);
	cr_assert(id_equal(&a, &c));
	snapshot_unref(whole);
	(void)epoch_collect(w->epoch);
}

TEST(builder, an_applied_difference_equals_the_transferred_zone)
{
	for (uint64_t seed = 100; seed < 112; seed++) {
		struct world w;
		struct model m;
		struct snapshot *snap;
		world_init(&w, seed);
		printf("seed %llu\n", (unsigned long long)seed);
		model_init(&m, apexes[seed % ARRAY_LEN(apexes)]);
		model_grow(&m, &w.fake.env, seed % 4 == 0 ? 1500 : 200);
		snap = model_build(&m, w.pool, &w.fake.env);
		for (unsigned i = 0; i < 12; i++) {
			chain_step(&w, &m, &snap);
		}
		snapshot_unref(snap);
		model_fini(&m);
		world_fini(&w);
	}
}
