/* SPDX-License-Identifier: MIT
 *
 * zonestore/weigh_p.h — counts what differs between a version and the one served before it.
 *
 * Records that came and went, and the octets of nodes and bodies that only the older version uses,
 * as if no other zone or version did. It costs in proportion to what differs, which may be a whole
 * large zone: a step does a part of it.
 *
 * Ownership: new/free; borrows the versions. */
#pragma once

#include "zonestore/diff.h"
#include "zonestore/snapshot_p.h"

enum weigh_stage { WEIGH_ADDED, WEIGH_DELETED, WEIGH_NAMES, WEIGH_NSEC3, WEIGH_DONE };

struct weigher {
	struct snapshot *fresh;        /* gets the counts; NULL: they are not asked for */
	const struct snapshot *before; /* served now */
	const struct snapshot *after;  /* served next; NULL: memory is not asked for */
	uint64_t bytes;                /* in the end: what only `before` uses */
	/* private from here */
	enum weigh_stage stage;
	bool begun;
	struct snapshot_counts counts;
	unsigned depth;
	struct {
		struct node_handle node;
		unsigned next; /* child to go to next */
	} path[NODE_LEVELS_MAX];
	struct snapshot_diff diff;
	struct rr_scratch scratch;
};

/* `fresh` is counted (snapshot_p.h) and seen by nobody else. */
struct weigher *weigher_new(struct snapshot *fresh, const struct snapshot *before,
                            const struct snapshot *after);
void weigher_free(struct weigher *w); /* NULL is a no-op */

/* Goes on for about `budget` records or nodes; true at the end, which sets the counts of `fresh`. Not
 * to be called again then. */
MUST_USE bool weigher_step(struct weigher *w, unsigned budget);
