/* SPDX-License-Identifier: MIT
 *
 * zonestore/tree_p.h — nodes in memory: their layout, and how one looks into them.
 *
 *	leaf    struct node  { body handle }...   { mark }...  entries
 *	branch  struct node  { child handle }...  { head (4) }...  { end of key (2) }...
 *	        octets that all first keys begin with (2)  first keys, one after the other
 *
 * A head is the four octets of a first key after what all of them begin with, as a number (filled
 * up with zeros): comparing heads decides nearly every search. The very first key, which for many
 * branches is the apex's, has none and does not count for what all begin with.
 *
 * An entry is an owner name; entries stand in order of keys (key_p.h), each without what its key
 * shares with the one before. Serialised leaves have the same entries. Its sets are the next body
 * handles, sorted by kind.
 *
 *	shared (1-2)  rest (1-2)  the rest of the key  flags (1)  [sets (2)]  [case bitmap]
 *
 * Lengths below 128 take one octet, others two with the top bit set.
 *
 * Every eighth owner of a leaf but the first has a mark, with its head and where the entry after it
 * stands, so that a search reads a few entries only. After the last mark stands how many octets all
 * keys of the leaf begin with (2); a leaf without marks does not have it. */
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

#define OWNER_SETS_MAX  65535U
#define LEAF_SETS_MAX   (1U << 21)
#define ENTRY_CASED     0x80U /* has a case bitmap */
#define ENTRY_NS        0x40U /* has NS or DNAME: names below it may be affected */
#define ENTRY_DNAME     0x20U
#define ENTRY_SETS_MORE 0x1fU /* the number of sets does not fit here and follows */

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

/* Walks the entries of a leaf, in memory or serialised. */
struct leaf_entry {
	unsigned shared;
	struct bytes rest;
	unsigned sets;
	uint8_t flags;
	const uint8_t *cases; /* of the whole key; NULL: all in lower case */
};

static inline unsigned entry_len_read(const uint8_t **at)
{
	unsigned v = *(*at)++;

	return v < 128 ? v : (v & 127) << 8 | *(*at)++;
}

/* Reads the entry at `at`, which is trusted; returns where it ends. */
static inline const uint8_t *entry_read(const uint8_t *at, struct leaf_entry *e)
{
	e->shared = entry_len_read(&at);
	e->rest.len = entry_len_read(&at);
	e->rest.at = at;
	at += e->rest.len;
	e->flags = *at++;
	e->sets = e->flags & ENTRY_SETS_MORE;
	if (e->sets == ENTRY_SETS_MORE) {
		e->sets = load_u16(at);
		at += 2;
	}
	e->cases = NULL;
	if ((e->flags & ENTRY_CASED) != 0) {
		e->cases = at;
		at += key_cases_len(e->shared + e->rest.len);
	}
	return at;
}

#define LEAF_MARK_EVERY 8U
#define LEAF_MARKS_MAX  ((NODE_MAX - 1) / LEAF_MARK_EVERY)

struct leaf_mark {
	uint32_t head;  /* of the owner's key, after what all keys begin with */
	uint16_t entry; /* octets of entries up to the next owner's */
	uint16_t sets;  /* of all owners up to and with this one */
};

/* What stands before an owner that is not the last of its leaf is below NODE_BYTES_CUT. */
static_assert(NODE_BYTES_CUT <= UINT16_MAX, "fits a mark");

/* Marks of a leaf of so many owners. */
static inline unsigned leaf_mark_count(unsigned owners)
{
	return (owners - 1) / LEAF_MARK_EVERY;
}

/* Octets of the marks and of what follows them. */
static inline size_t leaf_marks_bytes(unsigned owners)
{
	unsigned count = leaf_mark_count(owners);

	return count == 0 ? 0 : count * sizeof(struct leaf_mark) + sizeof(uint16_t);
}

static inline const struct leaf_mark *leaf_marks(const struct node *leaf)
{
	return (const struct leaf_mark *)(leaf->links + shape_sets(leaf));
}

/* Octets that all keys begin with, of a leaf that has marks. */
static inline unsigned leaf_common(const struct node *leaf)
{
	return *(const uint16_t *)(leaf_marks(leaf) + leaf_mark_count(shape_count(leaf)));
}

struct leaf_walk {
	const uint8_t *at;     /* next entry */
	const uint32_t *links; /* its sets */
	unsigned left;
};

static inline struct leaf_walk leaf_walk(const struct node *leaf)
{
	unsigned owners = shape_count(leaf);

	return (struct leaf_walk){ (const uint8_t *)leaf_marks(leaf) + leaf_marks_bytes(owners),
		                   leaf->links, owners };
}

/* Yields the next entry and its sets; false at the end. */
static inline bool leaf_next(struct leaf_walk *w, struct leaf_entry *e, const uint32_t **links)
{
	if (w->left == 0) {
		return false;
	}
	w->left--;
	w->at = entry_read(w->at, e);
	*links = w->links;
	w->links += e->sets;
	return true;
}

/* The first key of a node, whole in any case. */
struct bytes node_first_key(const struct pool *pool, struct node_handle node);

/* True if a node of that many owners (children) and serialised octets ends after `key`. */
bool node_ends(struct bytes key, unsigned level, unsigned count, size_t bytes);
