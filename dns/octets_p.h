/* SPDX-License-Identifier: MIT
 *
 * dns/octets_p.h — octets compared without regard to the case of ASCII letters, eight at a time. */
#pragma once

#include "dns/name.h"

static inline uint64_t octets_repeat(uint8_t octet)
{
	return 0x0101010101010101ULL * octet;
}

/* Brings the ASCII letters among eight octets to lower case. Each octet's upper bit serves as the
 * carry of a comparison with 'A' and with the octet after 'Z'. */
static inline uint64_t octets_lower(uint64_t v)
{
	uint64_t low = v & octets_repeat(0x7f);
	uint64_t from_a = low + octets_repeat(0x80 - 'A');
	uint64_t beyond_z = low + octets_repeat(0x7f - 'Z');
	uint64_t upper = (from_a ^ beyond_z) & ~v & octets_repeat(0x80);

	return v | upper >> 2;
}

/* One to seven octets as a number that orders as they do among strings of the same length. */
static inline uint64_t octets_few(const uint8_t *at, size_t len)
{
	if (len >= 4) {
		return (uint64_t)load_u32(at) << 32 | load_u32(at + len - 4);
	}
	if (len >= 2) {
		return (uint64_t)load_u16(at) << 16 | load_u16(at + len - 2);
	}
	return at[0];
}

/* memcmp() that ignores the case of ASCII letters. */
static inline int octets_compare(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint64_t x, y;

	for (; len >= 8; a += 8, b += 8, len -= 8) {
		x = octets_lower(load_u64(a));
		y = octets_lower(load_u64(b));
		if (x != y) {
			return x < y ? -1 : 1;
		}
	}
	if (len == 0) {
		return 0;
	}
	x = octets_lower(octets_few(a, len));
	y = octets_lower(octets_few(b, len));
	return (x > y) - (x < y);
}

/* Notes where each label begins. */
static inline void name_offsets(struct name n, uint8_t out[static NAME_MAX_LABELS])
{
	uint8_t at = 0;

	for (unsigned i = 0; i < n.labels; i++) {
		out[i] = at;
		at = (uint8_t)(at + 1 + n.at[at]);
	}
}
