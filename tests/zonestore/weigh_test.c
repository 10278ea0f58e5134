/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/weigh_test.c — what differs between two versions, counted. */
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"
#include "zonestore/weigh_p.h"

/* Nodes and bodies of a tree, each with its octets; for comparing with in no time. */
struct piece_set {
	uint32_t at[4096];
	size_t count;
};

static bool set_has(const struct piece_set *s, uint32_t piece)
{
	for (size_t i = 0; i < s->count; i++) {
		if (s->at[i] == piece) {
			return true;
		}
	}
	return false;
}

static void set_add_tree(struct piece_set *s, const struct pool *pool, uint32_t handle)
{
	const struct node *n = node_at(pool, (struct node_handle){ handle });
	bool leaf = shape_level(n) == 0;

	cr_assert(lt(sz, s->count, ARRAY_LEN(s->at)));
	s->at[s->count++] = handle;
	for (unsigned i = 0; i < (leaf ? shape_sets(n) : shape_count(n)); i++) {
		if (!leaf) {
			set_add_tree(s, pool, n->links[i]);
		}
	}
}

static void set_of(struct piece_set *s, const struct snapshot *snap)
{
	s->count = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (snap->roots[i].n != 0) {
			set_add_tree(s, snapshot_pool(snap), snap->roots[i].n);
		}
	}
}

/* Octets of the nodes that `older` has and `newer` has not. */
static uint64_t nodes_unshared(const struct snapshot *older, const struct snapshot *newer)
{
	struct piece_set *a = mem_zero(1, sizeof(*a));
	struct piece_set *b = mem_zero(1, sizeof(*b));
	uint64_t bytes = 0;

	set_of(a, older);
	set_of(b, newer);
	for (size_t i = 0; i < a->count; i++) {
		if (!set_has(b, a->at[i])) {
			bytes += heap_piece_bytes(&snapshot_pool(older)->heap, a->at[i]);
		}
	}
	free(a);
	free(b);
	return bytes;
}

/* What differs, counted in steps of `budget`; returns octets. */
static uint64_t weigh(struct snapshot *fresh, const struct snapshot *before, unsigned budget)
{
	struct weigher *w = weigher_new(fresh, before, fresh);
	unsigned steps = 1;
	uint64_t bytes;

	while (!weigher_step(w, budget)) {
		cr_assert(lt(uint, steps++, 100000));
	}
	bytes = w->bytes;
	weigher_free(w);
	return bytes;
}

TEST(weigh, counts_records_and_memory_that_differ)
{
	struct world w;
	struct model m;
	struct snapshot *before;

	world_init(&w, 77);
	model_init(&m, "example.net.");
	model_grow(&m, &w.fake.env, 2000);
	before = model_build(&m, w.pool, NULL);
	for (unsigned round = 0; round < 20; round++) {
		struct snapshot_counts counts;
		struct snapshot *plain;
		struct snapshot *after;
		uint64_t nodes;
		uint64_t alone;
		uint64_t bytes;
		model_grow(&m, &w.fake.env, round * round);
		plain = model_build(&m, w.pool, NULL);
		after = snapshot_copy(plain, plain->serial);
		snapshot_unref(plain);
		bytes = weigh(after, before, UINT32_MAX);
		counts = snapshot_counts(after);
		cr_expect(eq(i64, (int64_t)counts.added - counts.deleted,
		             (int64_t)after->records - before->records));
		alone = heap_piece_bytes(&w.pool->heap, heap_handle(&w.pool->heap, before));
		nodes = nodes_unshared(before, after);
		cr_expect(ge(u64, bytes, nodes + alone));
		cr_expect(nodes > 0 || bytes == alone);
		cr_expect(eq(u64, weigh(after, before, 1 + round), bytes), "in small steps");
		cr_expect(eq(u32, snapshot_counts(after).added, counts.added));
		cr_expect(eq(u32, snapshot_counts(after).deleted, counts.deleted));
		snapshot_unref(before);
		before = after;
	}
	snapshot_unref(before);
	model_fini(&m);
	world_fini(&w);
}
