/* SPDX-License-Identifier: MIT
 *
 * zonestore/node.c — looking into nodes. */
#include "base/hash.h"
#include "zonestore/tree_p.h"

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

/* Children whose heads are below `head`, and not above it. */
static void heads_count(const struct node *n, uint32_t head, unsigned *below, unsigned *upto)
{
	const uint32_t *heads = branch_heads(n);
	unsigned count = shape_count(n);
	unsigned less = 0;
	unsigned same = 0;

	for (unsigned i = 0; i < count; i++) { /* no early end: this becomes a few instructions */
		less += heads[i] < head;
		same += heads[i] == head;
	}
	*below = less;
	*upto = less + same;
}

unsigned branch_child(const struct node *n, struct bytes key)
{
	unsigned common = branch_common(n);
	struct bytes first = branch_key(n, 0);
	int order = memcmp(key.at, first.at, key.len < common ? key.len : common);
	unsigned low;
	unsigned high;

	if (order != 0 || key.len < common) {
		return order > 0 ? shape_count(n) - 1 : 0;
	}
	heads_count(n, key_head(key, common), &low, &high);
	/* Those before `low` are not greater, those from `high` on are. */
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (bytes_compare(branch_key(n, middle), key) <= 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low == 0 ? 0 : low - 1;
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
