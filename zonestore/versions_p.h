/* SPDX-License-Identifier: MIT
 *
 * zonestore/versions_p.h — what is kept of a zone besides the version that is served.
 *
 * Immutable once readers see it: a change makes another, and the one before is retired. Zones that
 * have nothing but a served version have none.
 *
 * Ownership: references to all snapshots in it but `served`, which is the zone's. */
#pragma once

#include "base/epoch.h"
#include "zonestore/snapshot_p.h"
#include "zonestore/versions.h"

/* The serials of a zone that was rolled back (versions.h). */
struct serial_line {
	struct serial top; /* what was served under the highest number */
	bool known;        /* there was a rollback: `top` is valid */
	bool own;          /* serials are the zone's own */
};

struct version_older {
	struct snapshot *snap;
	uint32_t bytes;         /* of memory that the version after it does not use; saturates */
	uint32_t replaced_at_s; /* wall clock */
};

struct versions {
	struct epoch_item retire;
	const struct snapshot *served; /* borrowed; NULL: nothing is */
	struct snapshot *aside;        /* NULL: none */
	enum hold_reason why;          /* HOLD_NONE: there is no aside */
	bool pinned;
	struct serial_line line;
	uint32_t count;
	struct version_older older[]; /* newest first */
};

struct versions *versions_new(uint32_t room);
void versions_free(struct versions *v); /* nobody sees it; NULL is a no-op */

/* Frees it once nobody sees it any more. */
void versions_retire(struct epoch *epoch, struct versions *v);

/* True if it says nothing: then there need be none. */
bool versions_empty(const struct versions *v);

/* A zone's next versions in the making. */
struct version_plan {
	const struct snapshot *served; /* now; NULL: nothing is */
	const struct versions *now;    /* what else is kept; NULL: nothing */
	/* what comes of it */
	struct snapshot *snap;  /* is served next: a reference; NULL: what is served now */
	struct snapshot *aside; /* a reference; NULL: none */
	enum hold_reason why;
	bool pinned;
	struct snapshot *fresh; /* of those two, if its differences are to be counted */
	bool pushes;            /* what is served now becomes an older version */
	struct serial_line line;
};

/* Begins with everything as it is. */
void plan_begin(struct version_plan *p, const struct snapshot *served, const struct versions *now);
void plan_fini(struct version_plan *p); /* gives up what plan_versions() has not taken */

/* A version from the primary (taken). */
void plan_arrival(struct version_plan *p, struct snapshot *snap, enum hold_reason hold);

/* The operator's acts (versions.h). */
MUST_USE enum err plan_rollback(struct version_plan *p, struct serial serial, bool same_serial,
                                int64_t now_s);
MUST_USE enum err plan_pin(struct version_plan *p);
MUST_USE enum err plan_release(struct version_plan *p);
MUST_USE enum err plan_accept(struct version_plan *p);
MUST_USE enum err plan_reject(struct version_plan *p);

/* What is kept then, by count and age; NULL: nothing else. Takes p->aside. */
struct versions *plan_versions(struct version_plan *p, const struct version_limits *keep,
                               int64_t now_s);

/* True if there are more older versions than the limits allow. */
bool versions_exceed(const struct versions *v, const struct version_limits *keep, int64_t now_s);

/* Lets go of the oldest versions beyond a sum of octets; the first stays. */
void versions_trim(struct versions *v, uint64_t bytes);

/* What limits.bytes means for a zone that serves `snap`. */
uint64_t versions_bytes_max(const struct version_limits *keep, const struct snapshot *snap);

/* ---- commit.c, for the disk thread ---- */

/* Ends a commit whose `err` is set; runs on the owner shard. */
void commit_finish(struct store_task *task);

/* Goes on with what is left to be done before a zone's record is written, because it may take long:
 * true when it is done. */
MUST_USE bool commit_weigh(struct commit *c);

/* Gives up a commit that nobody waits for any more: the store ends. */
void commit_forget(struct commit *c);
