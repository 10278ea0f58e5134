/* SPDX-License-Identifier: MIT
 *
 * base/hash.h — seeded XXH3 for tables inside the process (door to xxHash).
 *
 * The seed comes from the system's randomness at start. A seeded hash never leaves the process, and
 * equal hashes prove nothing: bytes are always compared. A build with fewer bits (meson option
 * xxh_bits) makes collisions common, to test just that. */
#pragma once

#include "base/bytes.h"

uint64_t hash_bytes(uint64_t seed, struct bytes b);

/* A fixed, unseeded 64-bit mix that is part of formats and protocols (never of tables): FNV-1a over
 * the octets with a final avalanche. Same on every machine and in every release. */
uint64_t hash_fixed(struct bytes b);

/* A check value for what is stored: finds damage, not attackers. XXH3 without a seed, which is the
 * same on every machine; ten times as fast as hash_fixed(). */
uint64_t hash_check(struct bytes b);
