/* SPDX-License-Identifier: MIT
 *
 * zonestore/leaf_p.h — leaves in memory, and the entries that serialised leaves have as well.
 *
 *	struct node  { body handle }...  [{ mark }...  octets that all keys begin with (2)]  { entry }...
 *
 * An entry is an owner name; entries stand in order of keys (key_p.h), each without what its key
 * shares with the one before. Its sets are the next body handles, sorted by kind.
 *
 *	shared (1-2)  rest (1-2)  the rest of the key  flags (1)  [sets (2)]  [case bitmap]
 *
 * Lengths below 128 take one octet, others two with the top bit set.
 *
 * Every eighth owner but the first has a mark: its head (tree_p.h), and where the entry after it
 * stands, so that a search reads a few entries only. */
#pragma once

#include "zonestore/tree_p.h"

#define ENTRY_CASED     0x80U /* has a case bitmap */
#define ENTRY_NS        0x40U /* has NS or DNAME: names below it may be affected */
#define ENTRY_DNAME     0x20U
#define ENTRY_SETS_MORE 0x1fU /* the number of sets does not fit here and follows */

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
