/* SPDX-License-Identifier: MIT
 *
 * zonestore/tree_writer_p.h — makes a tree of owner names that arrive in order.
 *
 * The writer collects owners until node_ends() says that the leaf is whole, interns the leaf and
 * hands it to the level above, and so on up. Where it is at a boundary, a whole node of an older
 * tree may take the place of its owners. What it makes depends only on the owners.
 *
 * Ownership: init/fini; holds references to the nodes it made until finish hands out the root. */
#pragma once

#include "zonestore/leaf_p.h"

/* A record set to write: its body's octets (borrowed for the call), and its handle if the body is
 * in the pool already and held by someone. */
struct set_item {
	struct bytes octets;
	struct body_handle known; /* none: not known */
};

struct tree_level;

struct tree_writer {
	struct pool *pool;
	struct buffer octets;  /* the leaf, serialised */
	struct buffer entries; /* its entries as they stand in memory */
	struct leaf_set *sets; /* its sets, in order */
	size_t set_count;
	size_t set_cap;
	struct leaf_mark marks[LEAF_MARKS_MAX]; /* heads: where the keys end in mark_keys */
	struct buffer mark_keys;
	unsigned owners;
	unsigned name_max;
	unsigned last_len; /* key of the last owner */
	uint8_t last[KEY_MAX];
	struct tree_level *levels[NODE_LEVELS_MAX + 1]; /* branches in the making, from 1 */
};

void tree_writer_init(struct tree_writer *w, struct pool *pool);
void tree_writer_fini(struct tree_writer *w);

/* Adds an owner, whose key is greater than the last (asserted), with 1 to OWNER_SETS_MAX sets in
 * order of kind. `cases` may be NULL. */
void tree_writer_owner(struct tree_writer *w, struct bytes key, const uint8_t *cases,
                       const struct set_item *sets, size_t count);

/* True if a node of that level may be taken whole. */
bool tree_writer_at_boundary(const struct tree_writer *w, unsigned level);

/* Adds a node of an older tree (a reference is made) with its first key, none of whose owners
 * changed. */
void tree_writer_node(struct tree_writer *w, struct node_handle node, struct bytes first_key);

/* Makes one branch of that level of the nodes added (all of the level below, and no more of them
 * than go into one branch), whether or not it would end there; a reference. */
struct node_handle tree_writer_branch(struct tree_writer *w, unsigned level);

/* Ends the tree and yields its root, a reference; none if it has no owners. */
struct node_handle tree_writer_finish(struct tree_writer *w);
