/* SPDX-License-Identifier: MIT
 *
 * zonestore/diff.h — what one version has and another has not.
 *
 * Walks the trees of two versions of a zone side by side and passes over every node that both
 * share, so that the cost is in proportion to what differs. A record whose TTL or whose spelling
 * differs is not the same. The SOA is not part of it.
 *
 *	deletions of an IXFR   records of the old version that the new one lacks
 *	additions              records of the new version that the old one lacks
 *
 * Ownership: borrows both versions, which the caller holds. */
#pragma once

#include "zonestore/snapshot.h"

struct snapshot_diff {
	const struct snapshot *have;
	const struct snapshot *lack;
	uint64_t steps_left;   /* owners and nodes that may be looked at before it pauses */
	bool paused;           /* the last call ended for that: refill steps_left */
	struct name_buf owner; /* of the record last yielded, as `have` spells it */
	uint64_t opaque[192];  /* private */
};

/* Begins the walk over the records of `have` that `lack`, a version of the same zone, lacks. It never
 * pauses unless steps_left is set afterwards. */
void snapshot_diff_init(struct snapshot_diff *d, const struct snapshot *have,
                        const struct snapshot *lack);

/* Yields the next record in the order of snapshot_cursor; its octets are good until the next call.
 * False at the end, or if d->paused, with nothing lost: what is called next goes on. */
MUST_USE bool snapshot_diff_next(struct snapshot_diff *d, struct rr_scratch *scratch,
                                 struct rr *out);
