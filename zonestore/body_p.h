/* SPDX-License-Identifier: MIT
 *
 * zonestore/body_p.h — the octets of a record set body, in memory and in serialised leaves alike.
 *
 *	one rdata below 32 KiB   ttl (4)  type (2)  its length (2)  rdata
 *	else                     ttl (4)  type (2)  0x8000 | count >> 8 (2)  (count & 255) << 24 |
 *	                         length of the rest (4)  { length (2)  rdata }...
 *
 * Rdatas are in stored form (stored_p.h), sorted and different. Integers are big-endian. Bodies
 * that are not record sets (an SOA with its serial zeroed, a primary's address) have the first
 * form.
 *
 * Ownership: views. Functions but body_check() trust the octets. */
#pragma once

#include "dns/rr.h"
#include "zonestore/buffer_p.h"

#define BODY_HEAD       8U /* octets before a single rdata */
#define BODY_HEAD_MANY  12U
#define BODY_MANY       0x8000U
#define BODY_RDATAS_MAX 65535U
#define BODY_BYTES_MAX  0xffffffU /* of all rdatas with their lengths */

/* Of an RRset: which one. Sets of an owner name are sorted by it: type << 16 | covered type. */
struct set_kind {
	uint32_t n;
};

static inline uint32_t body_ttl(const uint8_t *body)
{
	return load_u32(body);
}

static inline uint16_t body_type(const uint8_t *body)
{
	return load_u16(body + 4);
}

static inline bool body_is_many(const uint8_t *body)
{
	return (body[6] & 0x80) != 0;
}

static inline uint32_t body_count(const uint8_t *body)
{
	return body_is_many(body) ? (uint32_t)body[7] << 8 | body[8] : 1;
}

/* Octets of the whole body. */
static inline size_t body_len(const uint8_t *body)
{
	return body_is_many(body) ? BODY_HEAD_MANY + (load_u32(body + 8) & BODY_BYTES_MAX)
	                          : (size_t)BODY_HEAD + load_u16(body + 6);
}

/* The rdatas: the one alone, or all with their lengths. A single one of 32 KiB or more has the
 * second form, and is yielded alone as well. */
static inline struct bytes body_rdatas(const uint8_t *body)
{
	size_t len = body_len(body);

	if (!body_is_many(body)) {
		return bytes_of(body + BODY_HEAD, len - BODY_HEAD);
	}
	return body_count(body) == 1 ? bytes_of(body + BODY_HEAD_MANY + 2, len - BODY_HEAD_MANY - 2)
	                             : bytes_of(body + BODY_HEAD_MANY, len - BODY_HEAD_MANY);
}

static inline bool type_covers(uint16_t type)
{
	return type == TYPE_RRSIG || type == TYPE_SIG;
}

/* The kind of a record; an RRSIG's begins with the type it covers (RFC 4034 §3.1). */
static inline struct set_kind set_kind_of(uint16_t type, struct bytes rdata)
{
	uint32_t covers = type_covers(type) && rdata.len >= 2 ? load_u16(rdata.at) : 0;

	return (struct set_kind){ (uint32_t)type << 16 | covers };
}

static inline struct set_kind body_kind(const uint8_t *body)
{
	uint16_t type = body_type(body);
	struct bytes rdatas;

	if (!type_covers(type)) {
		return (struct set_kind){ (uint32_t)type << 16 };
	}
	rdatas = body_rdatas(body);
	return set_kind_of(type, body_count(body) == 1
	                                 ? rdatas
	                                 : bytes_of(rdatas.at + 2, load_u16(rdatas.at)));
}

/* Walks the rdatas of a body. {0} is at the end. */
struct body_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool single;
};

static inline struct body_reader body_read(const uint8_t *body)
{
	struct bytes rdatas = body_rdatas(body);

	return (struct body_reader){ rdatas.at, rdatas.at + rdatas.len, body_count(body) == 1 };
}

static inline bool body_next(struct body_reader *r, struct bytes *rdata)
{
	if (r->single) {
		*rdata = bytes_of(r->at, (size_t)(r->end - r->at));
		*r = (struct body_reader){ 0 };
		return true;
	}
	if (r->at == r->end) {
		return false;
	}
	*rdata = bytes_of(r->at + 2, load_u16(r->at));
	r->at = rdata->at + rdata->len;
	return true;
}

/* Octets of all rdatas in uncompressed wire form. */
uint64_t body_wire_len(const uint8_t *body, unsigned apex_len);

/* Makes a body in `out`, rdata by rdata, in order and without duplicates. */
struct body_maker {
	struct buffer *out;
	size_t start; /* where the body begins in `out` */
	size_t count;
};

struct body_maker body_begin(struct buffer *out, uint16_t type);
void body_add(struct body_maker *m, struct bytes rdata);

/* True once it has more rdatas or octets than a set may have: body_end() will refuse it. */
static inline bool body_over(const struct body_maker *m)
{
	return m->count > BODY_RDATAS_MAX ||
	       m->out->len - m->start > BODY_HEAD_MANY + (size_t)BODY_BYTES_MAX;
}

/* Ends a body of at least one rdata. ERR_LIMIT_BYTES: more rdatas or octets than a set may have. */
MUST_USE enum err body_end(struct body_maker *m, uint32_t ttl);

/* Views the body of a record set at the beginning of `octets`, which may go on after it and may
 * come from anywhere: everything is checked. ERR_STORE_CORRUPT. */
MUST_USE enum err body_check(struct bytes octets, struct bytes *out);

/* The longest relative name in its rdatas; 0 if there is none. */
unsigned body_name_max(const uint8_t *body);
