/* SPDX-License-Identifier: MIT
 *
 * zonestore/tree_p.h — nodes in memory: their layout, and how one looks into branches.
 *
 *	leaf    struct node  { body handle }...   then see leaf_p.h
 *	branch  struct node  { child handle }...  { head (4) }...  { end of key (2) }...
 *	        octets that all first keys begin with (2)  first keys, one after the other
 *
 * A head is the four octets of a first key after what all of them begin with, as a number (filled
 * up with zeros): comparing heads decides nearly every search. The very first key, which for many
 * branches is the apex's, has none and does not count for what all begin with. */
#pragma once

#include "zonestore/key_p.h"
#include "zonestore/pool_p.h"

/* Where nodes end: after the owner name (child) whose key, with the level as last octet, hashes to
 * zeros, but not before NODE_MIN, and after NODE_MAX or NODE_BYTES_CUT serialised octets at the
 * latest. All of this is part of the format that members share. */
#define NODE_MIN       16U
#define NODE_MAX       64U
#define NODE_BYTES_CUT 16384U
#define NODE_HASH_MASK 15U

#define OWNER_SETS_MAX 65535U
#define LEAF_SETS_MAX  (1U << 21)

struct node {
	struct id id;
	_Atomic uint64_t mark; /* name_max << 56 | number on disk */
	_Atomic uint32_t refs;
	uint32_t shape; /* level (4 bits), owners or children (7), sets (21) */
	uint32_t links[];
};

static_assert(NODE_MAX == NODE_CHILDREN_MAX && NODE_MAX < 128, "fits the bits of shape");

static inline struct node *node_at(const struct pool *pool, struct node_handle h)
{
	return heap_at(&pool->heap, h.n);
}

static inline unsigned shape_level(const struct node *n)
{
	return n->shape & 15;
}

static inline unsigned shape_count(const struct node *n)
{
	return n->shape >> 4 & 127;
}

static inline unsigned shape_sets(const struct node *n)
{
	return n->shape >> 11;
}

/* The longest relative name in owners and relative rdata, in octets without the root label. */
static inline unsigned node_name_max(const struct node *n)
{
	return (unsigned)(atomic_load_explicit(&n->mark, memory_order_relaxed) >> 56);
}

static inline const uint32_t *branch_heads(const struct node *n)
{
	return n->links + shape_count(n);
}

static inline const uint16_t *branch_ends(const struct node *n)
{
	return (const uint16_t *)(branch_heads(n) + shape_count(n));
}

/* The first keys of all children. */
static inline const uint8_t *branch_keys(const struct node *n)
{
	return (const uint8_t *)(branch_ends(n) + shape_count(n) + 1);
}

/* The first key of child `i` of a branch. */
static inline struct bytes branch_key(const struct node *n, unsigned i)
{
	const uint16_t *ends = branch_ends(n);
	unsigned from = i == 0 ? 0 : ends[i - 1];

	return bytes_of(branch_keys(n) + from, ends[i] - from);
}

/* Octets that all first keys but that of the first child begin with. */
static inline unsigned branch_common(const struct node *n)
{
	return branch_ends(n)[shape_count(n)];
}

/* Four octets of a key from `at` on. */
static inline uint32_t key_head(struct bytes key, size_t at)
{
	uint8_t octets[4] = { 0 };

	if (key.len >= at + 4) {
		return load_u32(key.at + at);
	}
	if (key.len > at) {
		memcpy(octets, key.at + at, key.len - at);
	}
	return load_u32(octets);
}

/* The first key of a node, whole in any case. */
struct bytes node_first_key(const struct pool *pool, struct node_handle node);

/* True if a node of that many owners (children) and serialised octets ends after `key`. */
bool node_ends(struct bytes key, unsigned level, unsigned count, size_t bytes);
