/* SPDX-License-Identifier: MIT
 *
 * zonestore/stored_p.h — rdata as it is stored: names at or below the apex without the apex.
 *
 * In rdata of types whose names may be compressed (RFC 3597 §4), a name at or below the apex ends,
 * after its own labels, with the octet 0xC0 in place of the apex and the root; so equal record sets
 * of different zones are equal octets. All other rdata is stored as it is. Order is canonical (RFC
 * 4034 §6.3) for the stored form: octets with names in lower case, 0xC0 as itself.
 *
 * Ownership: views. Functions but stored_check() trust the octets. */
#pragma once

#include "dns/rdata.h"
#include "zonestore/buffer_p.h"

#define STORED_APEX 0xC0

static inline bool stored_is_relative(uint16_t type)
{
	return type <= TYPE_MX && (0xD3FCU >> type & 1) != 0; /* 2-9, 12, 14, 15 */
}

/* Where the names of a relative type stand. */
struct stored_layout {
	unsigned skip;  /* octets before the first */
	unsigned names; /* one right after the other */
};

static inline struct stored_layout stored_layout(uint16_t type)
{
	switch (type) {
	case TYPE_MX:
		return (struct stored_layout){ 2, 1 };
	case TYPE_SOA:
	case 14: /* MINFO */
		return (struct stored_layout){ 0, 2 };
	default:
		return (struct stored_layout){ 0, 1 };
	}
}

/* Appends the stored form of checked, uncompressed rdata. */
void stored_put(uint16_t type, struct bytes rdata, struct name apex, struct buffer *out);

/* The rdata in wire form: `stored` itself where no name is relative, else written to `out`, which
 * has RDATA_MAX_LEN octets. */
struct bytes stored_wire(uint16_t type, struct bytes stored, struct name apex, uint8_t *out);
size_t stored_wire_len(uint16_t type, struct bytes stored, unsigned apex_len);

int stored_compare(uint16_t type, struct bytes a, struct bytes b);

/* The longest relative name, in octets without the apex; 0 if there is none. */
unsigned stored_name_max(uint16_t type, struct bytes stored);

/* True for what stored_put() makes of some rdata of the type under some apex. */
bool stored_check(uint16_t type, struct bytes stored);
