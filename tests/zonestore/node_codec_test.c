/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"
#include "zonestore/node_p.h"

/* Writes a tree children first and reads it into another pool, as the disk side does. */
static struct node_handle carry(struct pool *from, struct node_handle node, struct pool *to)
{
	struct node_handle children[NODE_CHILDREN_MAX];
	struct id ids[NODE_CHILDREN_MAX];
	struct node_handle out = { 0 };
	struct buffer octets = { 0 };
	unsigned said;
	unsigned count = node_children(from, node, children);
	struct id id = *node_id(from, node);

	node_encode(from, node, &octets);
	cr_assert(eq(int, node_child_ids(buffer_bytes(&octets), ids, &said), ERR_OK));
	cr_assert(eq(uint, said, count));
	for (unsigned i = 0; i < count; i++) {
		cr_assert(id_equal(&ids[i], node_id(from, children[i])));
		children[i] = carry(from, children[i], to);
	}
	cr_assert(eq(int, node_decode(to, buffer_bytes(&octets), children, count, &out), ERR_OK));
	cr_assert(id_equal(&id, node_id(to, out)));
	for (unsigned i = 0; i < count; i++) {
		node_unref(to, children[i]);
	}
	buffer_fini(&octets);
	return out;
}

static struct snapshot *carry_snapshot(struct pool *from, const struct snapshot *snap,
                                       struct pool *to)
{
	struct node_handle roots[2];
	struct snapshot *out = NULL;
	struct buffer octets = { 0 };
	struct id ids[2];

	snapshot_roots(snap, roots);
	snapshot_encode(snap, &octets);
	cr_assert(eq(int, snapshot_root_ids(buffer_bytes(&octets), ids), ERR_OK));
	for (unsigned i = 0; i < 2; i++) {
		if (roots[i].n != 0) {
			cr_assert(id_equal(&ids[i], node_id(from, roots[i])));
			roots[i] = carry(from, roots[i], to);
		}
	}
	cr_assert(eq(int, snapshot_decode(to, buffer_bytes(&octets), roots, &out), ERR_OK));
	node_unref(to, roots[0]);
	node_unref(to, roots[1]);
	buffer_fini(&octets);
	return out;
}

TEST(node_codec, reads_what_it_wrote)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world w;
		struct world other;
		struct model m;
		struct snapshot *snap;
		struct snapshot *copy;
		struct id a;
		struct id b;
		world_init(&w, seed);
		world_init(&other, seed + 100);
		model_init(&m, seed % 2 == 0 ? "." : "Example.net.");
		model_grow(&m, &w.fake.env, seed % 4 == 0 ? 3000 : 100 * seed);
		snap = model_build(&m, w.pool, NULL);
		copy = carry_snapshot(w.pool, snap, other.pool);
		a = world_root(snap);
		b = world_root(copy);
		cr_assert(id_equal(&a, &b));
		snapshot_unref(snap);
		model_check(&m, copy);
		snapshot_unref(copy);
		model_fini(&m);
		world_fini(&w);
		world_fini(&other);
	}
}

/* Reads spoilt octets as a leaf: refused, or, if they happen to be right, written back the same. */
static void read_spoilt(struct pool *pool, struct bytes octets)
{
	struct node_handle out = { 0 };
	struct buffer again = { 0 };
	enum err e = node_decode(pool, octets, NULL, 0, &out);

	if (e == ERR_OK) {
		node_encode(pool, out, &again);
		cr_assert(bytes_equal(buffer_bytes(&again), octets));
		node_unref(pool, out);
		buffer_fini(&again);
	} else {
		cr_assert(eq(int, e, ERR_STORE_CORRUPT));
	}
}

TEST(node_codec, refuses_spoilt_leaves)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	struct node_handle roots[2];
	struct buffer octets = { 0 };
	uint8_t *spoilt;
	unsigned refused = 0;

	world_init(&w, 7);
	model_init(&m, "example.net.");
	model_grow(&m, &w.fake.env, 14);
	snap = model_build(&m, w.pool, NULL);
	snapshot_roots(snap, roots);
	node_encode(w.pool, roots[0], &octets);
	cr_assert(eq(uint, node_level(w.pool, roots[0]), 0));
	snapshot_unref(snap);
	(void)epoch_collect(w.epoch);
	for (size_t len = 0; len < octets.len; len++) {
		struct node_handle out;
		enum err e = node_decode(w.pool, bytes_of(octets.at, len), NULL, 0, &out);
		cr_assert(eq(int, e, ERR_STORE_CORRUPT), "cut at %zu", len);
		refused++;
	}
	for (unsigned i = 0; i < 20000; i++) {
		spoilt = mem_new(octets.len);
		memcpy(spoilt, octets.at, octets.len);
		for (unsigned n = 1 + i % 3; n > 0; n--) {
			size_t at = env_random_below(&w.fake.env, (uint32_t)octets.len);
			spoilt[at] = (uint8_t)env_random_below(&w.fake.env, 256);
		}
		read_spoilt(w.pool, bytes_of(spoilt, octets.len));
		free(spoilt);
	}
	cr_assert(refused > 0);
	buffer_fini(&octets);
	model_fini(&m);
	world_fini(&w);
}

/* A branch is refused unless its children are the very nodes it names. */
TEST(node_codec, refuses_branches_with_other_children)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	struct node_handle roots[2];
	struct node_handle children[NODE_CHILDREN_MAX];
	struct node_handle out;
	struct node_handle swap;
	struct buffer octets = { 0 };
	unsigned count;

	world_init(&w, 8);
	model_init(&m, "example.net.");
	model_grow(&m, &w.fake.env, 1500);
	snap = model_build(&m, w.pool, NULL);
	snapshot_roots(snap, roots);
	count = node_children(w.pool, roots[0], children);
	cr_assert(count >= 2);
	node_encode(w.pool, roots[0], &octets);
	octets.at[octets.len - 1] ^= 1; /* another id, so that it is not found but read */
	cr_expect(eq(int, node_decode(w.pool, buffer_bytes(&octets), children, count, &out),
	             ERR_STORE_CORRUPT));
	octets.at[octets.len - 1] ^= 1;
	octets.at[1] = (uint8_t)(count - 1);
	cr_expect(eq(int, node_decode(w.pool, buffer_bytes(&octets), children, count - 1, &out),
	             ERR_STORE_CORRUPT));
	octets.at[1] = (uint8_t)count;
	octets.at[2] ^= 1;
	swap = children[0];
	children[0] = children[1];
	cr_expect(eq(int, node_decode(w.pool, buffer_bytes(&octets), children, count, &out),
	             ERR_STORE_CORRUPT));
	children[0] = swap;
	cr_expect(eq(int, node_decode(w.pool, buffer_bytes(&octets), children, count, &out),
	             ERR_STORE_CORRUPT));
	buffer_fini(&octets);
	snapshot_unref(snap);
	model_fini(&m);
	world_fini(&w);
}
