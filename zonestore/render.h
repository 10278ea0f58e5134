/* SPDX-License-Identifier: MIT
 *
 * zonestore/render.h — all records of a version as they stand in messages, for transfers out.
 *
 * The walk is that of a snapshot_cursor; the records are written where they are to be sent from. Names
 * are compressed (RFC 1035 §4.1.4) against the apex, the owner name before, and the last name in
 * rdata that was not below the apex: that costs no search. Names keep their case.
 *
 * A walk is a plain value: a copy of it goes on from the same place. What it makes of a place depends
 * on nothing but the version and what stands in the message already.
 *
 * Ownership: borrows from the snapshot, which whoever walks holds by reference. */
#pragma once

#include "zonestore/snapshot.h"

struct snapshot_render {
	const struct snapshot *snap;
	bool ended;           /* there are no more records */
	uint64_t opaque[160]; /* private */
};

void snapshot_render_init(struct snapshot_render *r, const struct snapshot *snap);

/* Appends records to `message`, which holds its header at least, until the next one may not fit or
 * there are none; returns how many. None at all, and not at the end: the next one is longer than what
 * is left. `apex_at` is where the apex stands in the message as the version spells it; 0: nowhere. */
unsigned snapshot_render_next(struct snapshot_render *r, struct writer *message, unsigned apex_at);
