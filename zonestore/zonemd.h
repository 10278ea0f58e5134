/* SPDX-License-Identifier: MIT
 *
 * zonestore/zonemd.h — whether a version is what its own digest says (RFC 8976).
 *
 * The ZONEMD records at a zone's apex digest all its other records, so that a zone that was damaged
 * or cut off anywhere on its way is seen to be. It is the primary's statement: the SOA counts with
 * the serial that the primary gave it, whatever it is served under. Signatures are not looked at. */
#pragma once

#include "zonestore/snapshot.h"

enum zonemd_result {
	ZONEMD_NONE,        /* the zone has no ZONEMD */
	ZONEMD_GOOD,        /* one that we can verify is right */
	ZONEMD_BAD,         /* there are some that we can verify, and none is right */
	ZONEMD_UNSUPPORTED, /* there are only schemes or algorithms that we do not know */
};

/* Verifies the ZONEMD records of a version: scheme SIMPLE with SHA-384 and SHA-512, each good for at
 * most one record (RFC 8976 §4). O(octets of the zone) if there is something to verify, else
 * O(log names); memory does not depend on the zone's size. */
enum zonemd_result snapshot_zonemd_verify(const struct snapshot *snap);

/* The same in steps, for a thread that has other things to do. Holds a reference of the version. */
struct zonemd_check;

struct zonemd_check *zonemd_check_new(const struct snapshot *snap);
void zonemd_check_free(struct zonemd_check *c); /* NULL is a no-op */

/* Goes on with some `octets` of the zone's records; false when there are no more, or nothing had to
 * be verified. */
MUST_USE bool zonemd_check_step(struct zonemd_check *c, size_t octets);

/* What came of it, after the last step. */
enum zonemd_result zonemd_check_result(const struct zonemd_check *c);
