/* SPDX-License-Identifier: MIT
 *
 * zonestore/snapshot.h — one immutable version of one zone.
 *
 * A snapshot does not change after builder_freeze() makes it, so any shard reads it without locks.
 * Owner names stand in canonical order (RFC 4034 §6.1); comparison ignores case, which is kept. The
 * SOA is not in the tree of records but in the snapshot itself; NSEC3 records and the RRSIGs that
 * cover them are in a second tree, whatever else their owner name has.
 *
 * Ownership:  borrow  good until the end of this shard turn; costs nothing (zone_borrow()).
 *             ref     good until snapshot_unref(); for what outlives a turn (a transfer out, a
 * peer). Views (struct rrset, struct owner_view) live as long as the snapshot they came from. */
#pragma once

#include "base/addr.h"
#include "base/digest.h"
#include "dns/rr.h"
#include "dns/serial.h"

struct snapshot;

struct snapshot *snapshot_ref(const struct snapshot *snap);
void snapshot_unref(struct snapshot *snap); /* NULL is a no-op; any thread; freeing is deferred */

/* Where a version came from. */
enum snapshot_origin { SNAPSHOT_BY_AXFR = 1, SNAPSHOT_BY_IXFR = 2, SNAPSHOT_BY_ROLLBACK = 3 };

struct snapshot_facts {
	struct serial serial;        /* under which it is served */
	struct serial source_serial; /* of the SOA as the primary sent it */
	struct id root;              /* id of the content without the SOA: both trees */
	uint32_t records;            /* the SOA counted */
	uint64_t bytes;              /* octets of the records in uncompressed wire form */
	enum snapshot_origin origin;
	struct addr primary;   /* whom it came from */
	int64_t received_at_s; /* wall clock */
	uint32_t added; /* records that the version served before it has not; SOA not counted */
	uint32_t deleted;
};

void snapshot_facts(const struct snapshot *snap, struct snapshot_facts *out);
struct serial snapshot_serial(const struct snapshot *snap);
struct serial snapshot_source_serial(const struct snapshot *snap);

/* Whether the apex has NS records, without which a zone cannot do (RFC 1034 §4.2.1). */
bool snapshot_has_ns(const struct snapshot *snap);

/* The apex as this version's SOA spells it. */
struct name snapshot_apex(const struct snapshot *snap);

/* The SOA record: name and rdata are borrowed from `snap` or written to `scratch`. */
void snapshot_soa(const struct snapshot *snap, struct rr_scratch *scratch, struct rr *out);

/* A record set: type, TTL and its rdatas in canonical order (RFC 4034 §6.3), for which the apex in
 * names of compressible types counts as one octet 0xC0. RRSIGs are one set per covered type. */
struct rrset {
	uint16_t type;
	uint16_t covers; /* RRSIG and SIG: the covered type; else 0 */
	uint32_t ttl;
	uint32_t count;    /* rdatas, at least 1 */
	struct bytes body; /* as stored: relative names inside; read by rrset_next() */
	struct name apex;  /* what they are relative to */
};

/* Reads the rdatas one after the other, each in uncompressed wire form: in place where it has no
 * relative name, else in `scratch`, which the next call overwrites. */
struct rrset_reader {
	struct rrset set;
	size_t pos;
};

struct rrset_reader rrset_read(const struct rrset *set);
MUST_USE bool rrset_next(struct rrset_reader *r, struct rr_scratch *scratch, struct bytes *rdata);

/* One owner name and its record sets; the SOA is not among those of the apex. */
struct owner_view {
	const struct snapshot *snap;
	const uint8_t *sets; /* private */
	uint16_t set_count;
	uint8_t tree; /* private */
};

/* Finds the owner name `owner` itself, which is at or below the apex (asserted); its NSEC3 sets only
 * if it has no others. False where no record has it (it may be an empty non-terminal). O(log
 * names), no allocation, no lock. */
MUST_USE bool snapshot_owner(const struct snapshot *snap, struct name owner,
                             struct owner_view *out);

/* The set of `type` (and `covers`) at an owner name; false if there is none. */
MUST_USE bool owner_rrset(const struct owner_view *owner, uint16_t type, uint16_t covers,
                          struct rrset *out);

/* The set number `index` < set_count, in order of type. */
void owner_rrset_at(const struct owner_view *owner, unsigned index, struct rrset *out);

enum snapshot_match {
	SNAPSHOT_FOUND,    /* `owner` has records; the wanted type may be among them or not */
	SNAPSHOT_EMPTY,    /* the name, or the wildcard for it, is an empty non-terminal (RFC 4592
	                    * §2.2.2) */
	SNAPSHOT_WILDCARD, /* `owner` is the wildcard that answers for the name (RFC 4592 §3.3.1) */
	SNAPSHOT_REFERRAL, /* at or below a zone cut: `owner` is the cut's, with its NS */
	SNAPSHOT_DNAME,    /* below a DNAME: `owner` has it (RFC 6672 §3.2) */
	SNAPSHOT_NO_NAME,  /* no such name; the closest encloser has `encloser_labels` labels */
};

struct snapshot_place {
	enum snapshot_match match;
	struct owner_view owner;
	unsigned owner_labels; /* labels of the owner found: name_strip() of the query name yields
	                        * it, except for a wildcard, whose parent it counts */
	unsigned encloser_labels; /* labels of the closest encloser */
};

/* Finds the place in the zone that answers for `name` (at or below the apex, asserted): walks from
 * the apex down past zone cuts and DNAMEs (RFC 1034 §4.3.2). With `below_cuts` the name is looked
 * up as if there were no cuts (glue); the apex itself is no cut. For type DS the parent side
 * answers: pass `at_cut` = true so that a cut exactly at `name` is FOUND and not a referral (RFC
 * 4035 §3.1.4.1). */
struct snapshot_place snapshot_find(const struct snapshot *snap, struct name name, bool at_cut,
                                    bool below_cuts);

/* Walks all records in canonical order of owner names, NSEC3 owners last; SOA not included. Borrows
 * from the snapshot only, which the caller holds by reference if the walk outlives a turn. */
struct snapshot_cursor {
	const struct snapshot *snap;
	struct name_buf owner; /* of the set last yielded, absolute, as spelled */
	uint64_t opaque[92];   /* private */
};

void snapshot_cursor_init(struct snapshot_cursor *c, const struct snapshot *snap);
MUST_USE bool snapshot_cursor_next(struct snapshot_cursor *c, struct rrset *out);
