/* SPDX-License-Identifier: MIT
 *
 * zonestore/varint_p.h — numbers in as many octets as they need.
 *
 * Seven bits to an octet, the lowest first; the top bit says that more follow. */
#pragma once

#include "zonestore/buffer_p.h"

#define VARINT_MAX_LEN 10

static inline void buffer_varint(struct buffer *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7) {
		buffer_u8(b, (uint8_t)(v | 0x80));
	}
	buffer_u8(b, (uint8_t)v);
}

/* False if it does not end, or does not fit. */
MUST_USE static inline bool reader_varint(struct reader *r, uint64_t *out)
{
	uint64_t v = 0;
	uint8_t octet;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (!reader_u8(r, &octet) || (shift == 63 && octet > 1)) {
			return false;
		}
		v |= (uint64_t)(octet & 0x7f) << shift;
		if ((octet & 0x80) == 0) {
			*out = v;
			return true;
		}
	}
	return false;
}
