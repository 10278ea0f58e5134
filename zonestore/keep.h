/* SPDX-License-Identifier: MIT
 *
 * zonestore/keep.h — how many versions of a zone are kept, and why one of them is not served. */
#pragma once

#include <stdint.h>

#define VERSIONS_BYTES_MIN 8192 /* so that a small zone has a history of small changes */

/* How many older versions are kept. {0}: none. */
struct version_limits {
	uint32_t count;
	uint32_t age_s; /* since another took their place; 0: no limit */
	/* Of memory that only older versions use; 0: what the zone's records have in wire form, but
	 * VERSIONS_BYTES_MIN at least. The one served last before is kept whatever its size. */
	uint64_t bytes;
};

/* Why a version is kept aside instead of being served (versions.h). */
enum hold_reason {
	HOLD_NONE,
	HOLD_PINNED,   /* an operator pinned the zone, or rolled it back */
	HOLD_REJECTED, /* by an operator */
	HOLD_NO_NS,    /* a guard: no NS at the apex */
	HOLD_SHRUNK,   /* a guard: lost too many of its records */
	HOLD_ZONEMD,   /* a guard: its digest is wrong (RFC 8976) */
	HOLD_LIMIT,    /* a guard: larger than the zone may be */
	HOLD_REASONS,
};
