/* SPDX-License-Identifier: MIT
 *
 * zonestore/cursor_p.h — the leaves of a version, one after the other.
 *
 * Ownership: plain values; they borrow from the snapshot, which whoever walks holds. */
#pragma once

#include "zonestore/snapshot_p.h"

struct leaf_path {
	unsigned tree;
	unsigned last_tree; /* the walk ends after it */
	unsigned depth;     /* branches on the way to the leaf */
	struct {
		struct node_handle node;
		unsigned next; /* child to go to next */
	} path[NODE_LEVELS_MAX];
};

/* Goes to the first leaf of trees `tree` to `last_tree`; NULL if they are empty. */
const struct node *leaf_path_first(struct leaf_path *p, const struct snapshot *snap, unsigned tree,
                                   unsigned last_tree);

/* Goes on to the next leaf; NULL at the end. */
const struct node *leaf_path_next(struct leaf_path *p, const struct snapshot *snap);

/* The next leaf, if it is of the same branch; else NULL. */
const struct node *leaf_path_sibling(const struct leaf_path *p, const struct snapshot *snap);
