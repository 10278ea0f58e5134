/* SPDX-License-Identifier: MIT
 *
 * zonestore/snapshot_p.h — what a version is in memory.
 *
 * References are counted with a mark for "retired": the last unref hands the snapshot to the epoch;
 * whoever borrowed it may still make a reference until then, in which case it lives on.
 *
 * Ownership: snapshot_new() takes what struct snapshot_parts holds references to, also the pool's
 * bodies and nodes in it. */
#pragma once

#include "zonestore/leaf_p.h"
#include "zonestore/pool_p.h"

#define SNAPSHOT_RETIRED     0x80000000U
#define SNAPSHOT_RECORDS_MIN 1 /* the SOA */
#define SNAPSHOT_BYTES_MAX   (1ULL << 60)
#define SOA_NUMBERS_LEN      20U /* serial and four timers at the end of SOA rdata */

/* A million of them: a version on its way out has its place in the epoch outside. */
struct snapshot {
	struct pool *pool;
	uint64_t bytes;
	uint32_t received_at_s; /* 1970 to 2106 */
	_Atomic uint32_t refs;
	struct serial serial;
	struct node_handle roots[2]; /* names; NSEC3 names; none if there are none */
	struct body_handle soa;      /* stored form, serial zeroed */
	struct body_handle primary;  /* family (1), port (2), address (16) */
	uint32_t records;
	uint8_t origin;
	bool apex_dname; /* the apex has a DNAME */
	uint8_t apex_len;
	uint8_t apex_labels;
	uint8_t apex[];
};

/* Interns the SOA of stored rdata (the serial in it is ignored). */
struct body_handle soa_intern(struct pool *pool, uint32_t ttl, struct bytes stored);

/* The serial in stored SOA rdata. */
struct serial soa_stored_serial(struct bytes stored);

/* Seconds of the wall clock as they are kept. */
static inline uint32_t time_pack(int64_t s)
{
	return s <= 0 ? 0 : s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

struct snapshot_parts {
	struct name apex;
	struct node_handle roots[2]; /* references, taken */
	struct body_handle soa;      /* reference, taken */
	struct serial serial;
	uint32_t records;
	uint64_t bytes;
	enum snapshot_origin origin;
	struct addr primary;
	int64_t received_at_s;
};

/* True if the names of the trees fit under an apex of that length. */
bool snapshot_names_fit(const struct pool *pool, const struct node_handle roots[2],
                        struct body_handle soa, unsigned apex_len);

struct snapshot *snapshot_new(struct pool *pool, const struct snapshot_parts *parts);

/* The sets of the apex; false if the tree does not have it. */
bool tree_apex(const struct pool *pool, struct node_handle root, const uint32_t **links,
               unsigned *sets);

/* True if the apex has NS records. */
bool tree_has_ns(const struct pool *pool, struct node_handle root);

/* Finds the set of a kind among the `count` at `links`: its handle, or none. */
struct body_handle sets_find(const struct pool *pool, const uint32_t *links, unsigned count,
                             struct set_kind kind);

/* Views a body as a record set of `snap`. */
void rrset_of_body(const struct snapshot *snap, struct body_handle h, struct rrset *out);

/* Begins a walk over the records of one of the two trees alone, which may be empty. */
void snapshot_cursor_init_tree(struct snapshot_cursor *c, const struct snapshot *snap,
                               unsigned tree);
