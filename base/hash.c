/* SPDX-License-Identifier: MIT
 *
 * base/hash.c — the door to xxHash. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#ifndef AXFARM_XXH_BITS
#define AXFARM_XXH_BITS 64
#endif

uint64_t hash_bytes(uint64_t seed, struct bytes b)
{
	uint64_t h = XXH3_64bits_withSeed(b.at, b.len, seed);

	return AXFARM_XXH_BITS == 64 ? h : h & ((1ULL << (AXFARM_XXH_BITS & 63)) - 1);
}

uint64_t hash_check(struct bytes b)
{
	return XXH3_64bits(b.at, b.len);
}

uint64_t hash_fixed(struct bytes b)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < b.len; i++) {
		h = (h ^ b.at[i]) * 0x100000001b3ULL;
	}
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}
