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
	uint64_t bytes;
	uint32_t received_at_s; /* 1970-2106 */
	_Atomic uint32_t refs;
	struct serial serial;        /* under which it is served */
	struct serial source_serial; /* of the primary's SOA */
	struct node_handle roots[2]; /* names; NSEC3 names; none if there are none */
	struct body_handle soa;      /* stored form, serial zeroed */
	struct body_handle primary;  /* family (1), port (2), address (16) */
	uint32_t records;
	uint8_t origin : 2;
	bool apex_dname : 1; /* the apex has a DNAME */
	bool counted : 1;    /* struct snapshot_counts follows the apex */
	uint8_t apex_len;
	uint8_t apex_labels;
	uint8_t apex[];
};

static inline struct pool *snapshot_pool(const struct snapshot *snap)
{
	return heap_owner(snap);
}

/* Records that differ from the version served before. Without: everything, since there was none. */
struct snapshot_counts {
	uint32_t added;
	uint32_t deleted;
};

struct snapshot_counts snapshot_counts(const struct snapshot *snap);

/* `snap` is `counted`, and nobody else sees it. */
void snapshot_set_counts(struct snapshot *snap, struct snapshot_counts counts);

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
	struct body_handle from;     /* reference, taken; none: made of `primary` */
	struct serial serial;
	struct serial source_serial;
	uint32_t records;
	bool counted;
	struct snapshot_counts counts;
	uint64_t bytes;
	enum snapshot_origin origin;
	struct addr primary;
	int64_t received_at_s;
};

/* True if the names of the trees fit under an apex of that length. */
bool snapshot_names_fit(const struct pool *pool, const struct node_handle roots[2],
                        struct body_handle soa, unsigned apex_len);

struct snapshot *snapshot_new(struct pool *pool, const struct snapshot_parts *parts);

/* A version with the same trees, SOA and origin, to be counted or served under another serial. */
struct snapshot *snapshot_copy(const struct snapshot *of, struct serial serial);

/* True if both have the same content, SOA and its source serial included. */
bool snapshot_same(const struct snapshot *a, const struct snapshot *b);

/* A version's record (snapshot_codec.c), read: views. */
struct snapshot_record {
	struct snapshot_parts parts; /* without trees and bodies */
	struct id roots[2];
	uint32_t soa_ttl;
	struct bytes soa; /* stored form, serial zeroed */
	bool like_soa;    /* as in the record before */
	bool like_from;
};

/* Appends a record that leaves out what is as in the one before it, that of `like`. */
void snapshot_encode_after(const struct snapshot *snap, const struct snapshot *like,
                           struct buffer *out);

/* Reads a record; `before` is the one that it was written after (NULL: none). ERR_STORE_CORRUPT. */
MUST_USE enum err snapshot_record_read(struct bytes octets, const struct snapshot_record *before,
                                       struct snapshot_record *out);

/* Makes the version of a record and its trees (borrowed; their ids are checked). `like` is the
 * version that the record before made, or NULL. *out is a reference. ERR_STORE_CORRUPT. */
MUST_USE enum err snapshot_record_make(struct pool *pool, const struct snapshot_record *record,
                                       const struct node_handle roots[static 2],
                                       const struct snapshot *like, struct snapshot **out);

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
