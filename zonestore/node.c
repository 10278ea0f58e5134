/* SPDX-License-Identifier: MIT
 *
 * zonestore/node.c — looking into nodes. */
#include "base/hash.h"
#include "zonestore/leaf_p.h"

#define SEQ_MASK ((1ULL << 56) - 1)

const struct id *node_id(const struct pool *pool, struct node_handle node)
{
	assert(node.n != 0);
	return &node_at(pool, node)->id;
}

unsigned node_level(const struct pool *pool, struct node_handle node)
{
	return shape_level(node_at(pool, node));
}

unsigned node_children(const struct pool *pool, struct node_handle node,
                       struct node_handle out[static NODE_CHILDREN_MAX])
{
	const struct node *n = node_at(pool, node);

	if (shape_level(n) == 0) {
		return 0;
	}
	for (unsigned i = 0; i < shape_count(n); i++) {
		out[i].n = n->links[i];
	}
	return shape_count(n);
}

uint64_t node_seq(const struct pool *pool, struct node_handle node)
{
	return atomic_load_explicit(&node_at(pool, node)->mark, memory_order_relaxed) & SEQ_MASK;
}

void node_set_seq(struct pool *pool, struct node_handle node, uint64_t seq)
{
	struct node *n = node_at(pool, node);
	uint64_t name_max = (uint64_t)node_name_max(n) << 56;

	assert(seq <= SEQ_MASK);
	atomic_store_explicit(&n->mark, name_max | seq, memory_order_relaxed);
}

struct bytes node_first_key(const struct pool *pool, struct node_handle node)
{
	const struct node *n = node_at(pool, node);
	struct leaf_entry e;

	if (shape_level(n) > 0) {
		return branch_key(n, 0);
	}
	(void)entry_read(leaf_walk(n).at, &e);
	return e.rest;
}

bool node_ends(struct bytes key, unsigned level, unsigned count, size_t bytes)
{
	uint8_t octets[KEY_MAX + 1];

	assert(key.len <= KEY_MAX);
	if (count >= NODE_MAX || bytes >= NODE_BYTES_CUT) {
		return true;
	}
	if (count < NODE_MIN) {
		return false;
	}
	memcpy(octets, key.at, key.len);
	octets[key.len] = (uint8_t)level;
	return (hash_fixed(bytes_of(octets, key.len + 1)) & NODE_HASH_MASK) == 0;
}
