/* SPDX-License-Identifier: MIT
 *
 * zonestore/builder.h — makes a version out of records (AXFR), or out of a version and differences
 * (IXFR).
 *
 * Records may come in any order; the result depends on the content alone. In canonical order they
 * stream into finished nodes; what is out of order waits in the builder's arena and is merged at
 * the end, within its budget. A builder with a base applies deletions and additions in the order
 * given and shares every node of the base that did not change.
 *
 * Ownership: new/free, one owner, one shard. A failed call leaves the builder good only for
 * builder_free(). Snapshots and pool outlive neither the epoch nor each other: the pool last. */
#pragma once

#include "base/epoch.h"
#include "zonestore/snapshot.h"

/* Record set bodies and nodes of all zones, each once. Shared by all shards. */
struct pool;

struct pool_options {
	const struct env *env; /* for the hash seed */
	struct epoch *epoch;   /* decides when snapshots and what only they hold are freed */
	unsigned parts;        /* parts with a lock each, a power of two; 0: 256 */
	size_t span_bytes;     /* address space reserved; 0: 32 GiB, which is the most */
};

MUST_USE enum err pool_new(const struct pool_options *options, struct pool **out);
void pool_free(struct pool *pool); /* everything that used it is gone (asserted) */

struct pool_stats {
	uint64_t bodies;
	uint64_t nodes;
	uint64_t body_bytes; /* with headers and rounding */
	uint64_t node_bytes;
	uint64_t snapshot_bytes;
	uint64_t table_bytes;
	uint64_t mapped_bytes; /* taken from the system */
};

void pool_stats(const struct pool *pool, struct pool_stats *out);

struct builder;

struct builder_options {
	struct pool *pool;
	struct name apex;            /* copied */
	const struct snapshot *base; /* NULL: from nothing; else referenced until builder_free() */
	size_t budget_bytes;         /* of scratch memory; 0: 1 GiB */
	uint32_t records_max;        /* 0: no limit but the format's */
	bool allow_no_ns;            /* make a version without NS at the apex, too */
};

struct builder *builder_new(const struct builder_options *options);
void builder_free(struct builder *b); /* NULL is a no-op */

/* Adds a record. Exact duplicates (names in rdata compared without case where RFC 4034 §6.2 says
 * so) are one record when building from nothing, and ERR_XFR_MISMATCH over a base. A set's TTL is
 * the smallest of its records' TTLs; over a base, that of the records added. ERR_ZONE_OUTSIDE (not
 * below the apex: the caller may skip it and go on, the builder stays good), ERR_ZONE_TYPE,
 * ERR_ZONE_CLASS (likewise), ERR_LIMIT_RECORDS, ERR_BUDGET. The SOA at the apex replaces the one
 * before; below the apex an SOA is ERR_ZONE_OUTSIDE. */
MUST_USE enum err builder_add(struct builder *b, const struct rr *rr);

/* Deletes a record (TTL ignored). Without a base it is ERR_XFR_MISMATCH, as is, here or in
 * builder_freeze(), a record that is not there. Deleting an SOA only checks its serial against the
 * current one. */
MUST_USE enum err builder_delete(struct builder *b, const struct rr *rr);

struct builder_origin {
	enum snapshot_origin origin;
	struct addr primary;
	int64_t received_at_s;
};

/* Checks the zone (exactly one SOA, NS at the apex, no CNAME beside other data but RRSIG and NSEC,
 * no second CNAME or DNAME) and yields the version, with one reference. The builder is then only
 * good for builder_free(). */
MUST_USE enum err builder_freeze(struct builder *b, const struct builder_origin *origin,
                                 struct snapshot **out);
