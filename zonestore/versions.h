/* SPDX-License-Identifier: MIT
 *
 * zonestore/versions.h — which versions of a zone are kept, and which of them is served.
 *
 *	served   what answers and transfers out are made of (zone_borrow())
 *	aside    what the primary has sent since, if that is not served: held by a guard, rejected by
 *	         an operator, or come while the zone was pinned. At most one: the newest
 *	older    what was served before, newest first, as far as the limits go. After a rollback
 *	         this has the version that is aside as well, under the serial that it was served with
 *
 * A version has two serials: its own, under which it is served, and that of the primary's SOA.
 * They differ from a rollback on, which goes out above what was last served so that secondaries
 * take it, until the primary's own serial has passed the zone's (RFC 1982 arithmetic).
 *
 * Every change of what is kept or served goes the way of a commit: durable first, then visible.
 *
 * Ownership: what is yielded by reference is the caller's to unref; the rest is borrowed. */
#pragma once

#include "zonestore/store.h"

#define VERSIONS_KEPT_MAX 1000 /* older versions of a zone at most, whatever the settings */

enum version_kind { VERSION_SERVED, VERSION_ASIDE, VERSION_OLDER };

struct version_view {
	struct snapshot *snap; /* a reference */
	enum version_kind kind;
	enum hold_reason why; /* VERSION_ASIDE */
};

/* What the primary sent last, served or not: differences are asked for from here on, and what it
 * has is compared with snapshot_source_serial() of it. Owner shard. NULL if there is none. */
const struct snapshot *zone_have(const struct zone *zone);

/* The served or older version with that (own) serial, borrowed; NULL if it is not kept, or if older
 * ones with different content have it: nobody can tell which of them is meant. Any shard, within a
 * turn. O(versions). */
const struct snapshot *zone_kept(const struct zone *zone, struct serial serial);

/* The kept version with this content; NULL if there is none. Any shard, within a turn. */
const struct snapshot *zone_kept_root(const struct zone *zone, const struct id *root);

/* Why there is a version aside (HOLD_NONE: there is none), and whether the zone is pinned. Any
 * shard, within a turn. */
enum hold_reason zone_hold(const struct zone *zone);
bool zone_pinned(const struct zone *zone);

/* Lists what is kept: aside, served, then older from the newest on. Returns how many there are;
 * fills at most `cap`. Any shard, within a turn. */
size_t zone_versions(const struct zone *zone, struct version_view *out, size_t cap);

/* Operator's acts. All are on the owner shard, end with c->done() as store_commit() does, and return
 * at once with nothing begun: ERR_BUSY (a commit of the zone is under way, or the queue is full: again
 * later), ERR_STOPPING, or what is said below. c->keep is looked at, c->hold is not.
 *
 * Rollback serves the content of the kept version `serial` (an older one before what is served) and
 * pins the zone; under a serial above all that were served, or with `same_serial` under its old one.
 * What the primary sent last is aside from then on. ERR_NOT_FOUND.
 * Pin keeps what is served: what comes is kept aside. Release takes the pin away and serves what had
 * come meanwhile and no guard holds. ERR_NOT_FOUND: nothing is served, or it is not pinned.
 * Accept serves the version that is aside, whatever the reason; a pin stays, for what comes. Reject keeps
 * it from being served until the primary has another. ERR_NOT_FOUND: none is aside.
 *
 * A zone that expired is not served again by any of this, but by a version that a primary sends. */
MUST_USE enum err store_rollback(struct store *st, struct zone *zone, struct serial serial,
                                 bool same_serial, struct commit *c);
MUST_USE enum err store_pin(struct store *st, struct zone *zone, struct commit *c);
MUST_USE enum err store_release(struct store *st, struct zone *zone, struct commit *c);
MUST_USE enum err store_accept(struct store *st, struct zone *zone, struct commit *c);
MUST_USE enum err store_reject(struct store *st, struct zone *zone, struct commit *c);

/* Lets go of older versions that the limits (age, above all) do not allow any more, with the next
 * group of commits. Owner shard; costs nothing for zones without older versions. */
void store_prune(struct store *st, struct zone *zone, const struct version_limits *keep);
