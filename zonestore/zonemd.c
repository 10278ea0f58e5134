/* SPDX-License-Identifier: MIT
 *
 * zonestore/zonemd.c — a version's records in canonical form and order, digested.
 *
 * RFC 8976 §3.3.1: all records once, by owner name, type and rdata (RFC 4034 §6), but for the
 * ZONEMD records at the apex and the RRSIGs that cover them. Both trees are walked side by side,
 * since names of NSEC3 records stand between all others. */
#include "zonestore/zonemd.h"

#include <stdlib.h>

#include "zonestore/snapshot_p.h"
#include "zonestore/stored_p.h"

#define ZONEMD_SCHEME_SIMPLE 1U
#define ZONEMD_ALGORITHMS    2U
#define OWNER_AND_HEAD_MAX   (NAME_MAX_LEN + 10U) /* type, class, TTL, length of rdata */

static const struct {
	enum digest_long_kind kind;
	size_t len;
} algorithms[ZONEMD_ALGORITHMS] = {
	{ DIGEST_SHA384, SHA384_LEN }, /* RFC 8976 §2.2.3: 1 */
	{ DIGEST_SHA512, SHA512_LEN }, /* 2 */
};

/* What the zone says of its digest by one algorithm. */
struct claim {
	unsigned count;
	bool usable;
	struct bytes digest; /* borrowed from the version */
};

/* One tree, and the set that comes next. */
struct side {
	struct snapshot_cursor cursor;
	struct rrset set;
	bool more;
};

/* Where the octets of the zone go. Large, and few zones have need of it. */
struct digesting {
	const struct snapshot *snap;
	struct claim claims[ZONEMD_ALGORITHMS];
	struct digest_long digests[ZONEMD_ALGORITHMS];
	bool wanted[ZONEMD_ALGORITHMS];
	size_t octets; /* digested */
	bool soa_done;
	struct side sides[2];
	struct rr_scratch wire;           /* rdata as on the wire */
	struct rr_scratch other;          /* its canonical form; when sorting, that of another */
	uint32_t places[BODY_RDATAS_MAX]; /* of rdatas within a set */
};

struct zonemd_check {
	struct snapshot *snap;     /* a reference */
	enum zonemd_result result; /* once `over` */
	bool over;
	struct digesting *digesting; /* NULL: nothing is to be digested */
};

static void digest_octets(struct digesting *d, struct bytes b)
{
	d->octets += b.len;
	for (unsigned i = 0; i < ZONEMD_ALGORITHMS; i++) {
		if (d->wanted[i]) {
			digest_long_update(&d->digests[i], b);
		}
	}
}

/* The canonical form of rdata (RFC 4034 §6.2): `rdata` itself, or written to `out`. */
static struct bytes rdata_canonical(uint16_t type, struct bytes rdata, uint8_t *out)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned count = rdata_caseless_names(type, rdata, names);

	if (count == 0) {
		return rdata;
	}
	memmove(out, rdata.at, rdata.len);
	for (unsigned i = 0; i < count; i++) {
		for (size_t at = names[i].offset; at < (size_t)names[i].offset + names[i].len;
		     at++) {
			out[at] = octet_lower(out[at]);
		}
	}
	return bytes_of(out, rdata.len);
}

/* ---- sets ---- */

/* Owner, type, class and TTL, which all records of a set begin with. */
struct set_head {
	uint8_t octets[OWNER_AND_HEAD_MAX];
	size_t len; /* without the length of rdata */
};

static void head_make(struct name owner, uint16_t type, uint32_t ttl, struct set_head *h)
{
	for (size_t i = 0; i < owner.len; i++) {
		h->octets[i] = octet_lower(owner.at[i]);
	}
	h->len = owner.len;
	store_u16(h->octets + h->len, type);
	store_u16(h->octets + h->len + 2, CLASS_IN);
	store_u32(h->octets + h->len + 4, ttl);
	h->len += 8;
}

static void digest_record(struct digesting *d, struct set_head *h, struct bytes canonical)
{
	store_u16(h->octets + h->len, (uint16_t)canonical.len);
	digest_octets(d, bytes_of(h->octets, h->len + 2));
	digest_octets(d, canonical);
}

/* The rdata at `place` of a set of several in stored form. */
static struct bytes stored_at(const struct rrset *set, uint32_t place)
{
	return bytes_of(set->body.at + place + 2, load_u16(set->body.at + place));
}

static struct bytes canonical_at(const struct rrset *set, uint32_t place, uint8_t *out)
{
	struct bytes wire = stored_wire(set->type, stored_at(set, place), set->apex, out);

	return rdata_canonical(set->type, wire, out);
}

struct sorting {
	struct digesting *d;
	const struct rrset *set;
};

static int place_compare(const void *a, const void *b, void *context)
{
	struct sorting *s = context;
	const uint32_t *x = a;
	const uint32_t *y = b;

	return bytes_compare(canonical_at(s->set, *x, s->d->wire.rdata),
	                     canonical_at(s->set, *y, s->d->other.rdata));
}

/* Names that are stored without the apex sort where the apex would not have them. */
static void digest_sorted(struct digesting *d, const struct rrset *set, struct set_head *h)
{
	struct sorting sorting = { d, set };
	uint32_t place = 0;

	for (uint32_t i = 0; i < set->count; i++) {
		d->places[i] = place;
		place += 2U + load_u16(set->body.at + place);
	}
	qsort_r(d->places, set->count, sizeof(d->places[0]), place_compare, &sorting);
	for (uint32_t i = 0; i < set->count; i++) {
		digest_record(d, h, canonical_at(set, d->places[i], d->other.rdata));
	}
}

static void digest_set(struct digesting *d, struct name owner, const struct rrset *set)
{
	struct rrset_reader r = rrset_read(set);
	struct set_head head;
	struct bytes rdata;

	head_make(owner, set->type, set->ttl, &head);
	if (set->count > 1 && stored_is_relative(set->type)) {
		digest_sorted(d, set, &head);
		return;
	}
	while (rrset_next(&r, &d->wire, &rdata)) {
		digest_record(d, &head, rdata_canonical(set->type, rdata, d->other.rdata));
	}
}

/* ---- the zone ---- */

static void digest_soa(struct digesting *d)
{
	struct set_head head;
	struct rr soa;

	snapshot_soa(d->snap, &d->wire, &soa);
	assert(soa.rdata.at == d->wire.rdata);
	store_u32(d->wire.rdata + soa.rdata.len - SOA_NUMBERS_LEN,
	          snapshot_source_serial(d->snap).n);
	head_make(soa.owner, TYPE_SOA, soa.ttl, &head);
	digest_record(d, &head, rdata_canonical(TYPE_SOA, soa.rdata, d->other.rdata));
	d->soa_done = true;
}

static void side_next(struct side *s)
{
	s->more = snapshot_cursor_next(&s->cursor, &s->set);
}

static uint32_t set_order(const struct rrset *set)
{
	return (uint32_t)set->type << 16 | set->covers;
}

/* The side whose set comes first; NULL at the end. */
static struct side *side_first(struct digesting *d)
{
	struct side *a = &d->sides[0];
	struct side *b = &d->sides[1];
	int order;

	if (!a->more || !b->more) {
		return a->more ? a : b->more ? b : NULL;
	}
	order = name_compare(name_of(&a->cursor.owner), name_of(&b->cursor.owner));
	if (order == 0) {
		order = set_order(&a->set) < set_order(&b->set) ? -1 : 1;
	}
	return order < 0 ? a : b;
}

static bool set_is_digested(bool at_apex, const struct rrset *set)
{
	return !at_apex || (set->type != TYPE_ZONEMD &&
	                    !(set->type == TYPE_RRSIG && set->covers == TYPE_ZONEMD));
}

/* Digests sets until so many octets of them are done; false at the end of the zone. */
static bool digest_sets(struct digesting *d, size_t octets)
{
	struct name apex = snapshot_apex(d->snap);
	size_t from = d->octets;
	struct side *s;

	while ((s = side_first(d)) != NULL) {
		struct name owner = name_of(&s->cursor.owner);
		bool at_apex = owner.labels == apex.labels;
		if (!d->soa_done && (!at_apex || s->set.type > TYPE_SOA)) {
			digest_soa(d);
		}
		if (set_is_digested(at_apex, &s->set)) {
			digest_set(d, owner, &s->set);
		}
		side_next(s);
		if (d->octets - from >= octets) {
			return true;
		}
	}
	if (!d->soa_done) {
		digest_soa(d);
	}
	return false;
}

/* ---- what the zone says ---- */

/* Takes note of one ZONEMD record. RFC 8976 §4: a serial other than the SOA's, or a digest of
 * another length, is not right, and neither is any of two records of one kind. */
static void claim_read(const struct snapshot *snap, struct bytes rdata,
                       struct claim claims[static ZONEMD_ALGORITHMS])
{
	struct reader r = reader_of(rdata);
	struct serial serial;
	uint8_t scheme;
	uint8_t algorithm;
	struct claim *c;

	if (!reader_u32(&r, &serial.n) || !reader_u8(&r, &scheme) || !reader_u8(&r, &algorithm) ||
	    scheme != ZONEMD_SCHEME_SIMPLE || algorithm == 0 || algorithm > ZONEMD_ALGORITHMS) {
		return;
	}
	c = &claims[algorithm - 1];
	c->count++;
	c->digest = bytes_of(rdata.at + r.pos, reader_left(&r));
	c->usable = c->count == 1 && serial_equal(serial, snapshot_source_serial(snap)) &&
	            c->digest.len == algorithms[algorithm - 1].len;
}

static void check_over(struct zonemd_check *c, enum zonemd_result result)
{
	c->over = true;
	c->result = result;
}

static void digest_begin(struct digesting *d)
{
	for (unsigned i = 0; i < ZONEMD_ALGORITHMS; i++) {
		d->wanted[i] = d->claims[i].usable;
		digest_long_init(&d->digests[i], algorithms[i].kind);
	}
	for (unsigned i = 0; i < 2; i++) {
		snapshot_cursor_init_tree(&d->sides[i].cursor, d->snap, i);
		side_next(&d->sides[i]);
	}
}

/* Begins to digest, if a claim may be right. */
static void check_begin(struct zonemd_check *c, const struct rrset *set)
{
	struct digesting *d = mem_zero(1, sizeof(*d));
	struct rrset_reader r = rrset_read(set);
	struct bytes rdata;

	c->digesting = d;
	d->snap = c->snap;
	while (rrset_next(&r, &d->wire, &rdata)) {
		claim_read(d->snap, rdata, d->claims);
	}
	if (d->claims[0].count + d->claims[1].count == 0) {
		check_over(c, ZONEMD_UNSUPPORTED);
	} else if (!d->claims[0].usable && !d->claims[1].usable) {
		check_over(c, ZONEMD_BAD);
	} else {
		digest_begin(d);
	}
}

static bool any_is_right(struct digesting *d)
{
	bool right = false;

	for (unsigned i = 0; i < ZONEMD_ALGORITHMS; i++) {
		uint8_t digest[DIGEST_LONG_MAX];
		size_t len = digest_long_final(&d->digests[i], digest);
		right = right || (d->claims[i].usable &&
		                  bytes_equal(d->claims[i].digest, bytes_of(digest, len)));
	}
	return right;
}

struct zonemd_check *zonemd_check_new(const struct snapshot *snap)
{
	struct zonemd_check *c = mem_zero(1, sizeof(*c));
	struct owner_view apex;
	struct rrset set;

	c->snap = snapshot_ref(snap);
	if (snapshot_owner(snap, snapshot_apex(snap), &apex) &&
	    owner_rrset(&apex, TYPE_ZONEMD, 0, &set)) {
		check_begin(c, &set);
	} else {
		check_over(c, ZONEMD_NONE);
	}
	return c;
}

void zonemd_check_free(struct zonemd_check *c)
{
	if (c != NULL) {
		snapshot_unref(c->snap);
		free(c->digesting);
		free(c);
	}
}

bool zonemd_check_step(struct zonemd_check *c, size_t octets)
{
	assert(octets > 0);
	if (c->over || digest_sets(c->digesting, octets)) {
		return !c->over;
	}
	check_over(c, any_is_right(c->digesting) ? ZONEMD_GOOD : ZONEMD_BAD);
	return false;
}

enum zonemd_result zonemd_check_result(const struct zonemd_check *c)
{
	assert(c->over);
	return c->result;
}

enum zonemd_result snapshot_zonemd_verify(const struct snapshot *snap)
{
	struct zonemd_check *c = zonemd_check_new(snap);
	enum zonemd_result result;

	while (zonemd_check_step(c, SIZE_MAX)) {
	}
	result = zonemd_check_result(c);
	zonemd_check_free(c);
	return result;
}
