/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include "tests/test.h"

/* The build for collisions (meson option xxh_bits) keeps fewer bits; these hold in it as well. */
TEST(hash, depends_on_the_octets_alone)
{
	uint8_t a[80];
	uint8_t b[81];

	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] = b[i + 1] = (uint8_t)(i * 7);
	}
	for (size_t len = 0; len <= sizeof(a); len++) {
		struct bytes at = bytes_of(a, len);
		struct bytes shifted = bytes_of(b + 1, len);
		cr_expect(eq(u64, hash_bytes(5, at), hash_bytes(5, shifted)), "%zu octets", len);
		cr_expect(eq(u64, hash_fixed(at), hash_fixed(shifted)), "%zu octets", len);
	}
}

TEST(hash, every_seed_orders_a_table_differently)
{
	unsigned same = 0;

	for (uint64_t seed = 0; seed < 64; seed++) {
		struct bytes b = bytes_str("example.com");
		same += hash_bytes(seed, b) == hash_bytes(seed + 1, b);
	}
#if !defined(AXFARM_XXH_BITS) || AXFARM_XXH_BITS >= 32
	cr_expect(eq(uint, same, 0));
#else
	cr_expect(same < 64);
#endif
}

/* Node boundaries of zone trees are decided by hash_fixed(): the values are part of the format that
 * members share. FNV-1a 64 of the published vectors, through the avalanche; computed once, by hand,
 * with another program. */
TEST(hash, the_fixed_hash_is_part_of_the_format)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = { { "", 0xefd01f60ba992926 },
		      { "a", 0x82a2a958a9bece5b },
		      { "foobar", 0x2c22194922d1672b },
		      { "www.example", 0x76640e7735c9681c } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(eq(u64, hash_fixed(bytes_str(cases[i].text)), cases[i].want), "'%s'",
		          cases[i].text);
	}
}

/* As published with XXH3. */
TEST(hash, the_check_value_is_part_of_the_format)
{
	cr_expect(eq(u64, hash_check(bytes_str("")), 0x2d06800538d394c2));
	cr_expect(eq(u64, hash_check(bytes_str("a")), 0xe6c632b61e964e1f));
	cr_expect(eq(u64, hash_check(bytes_str("abc")), 0x78af5f94892f3950));
}

TEST(hash, the_fixed_hash_spreads_its_low_bits)
{
	unsigned hits[16] = { 0 };

	for (unsigned i = 0; i < 16000; i++) {
		uint8_t name[4];
		store_u32(name, i);
		hits[hash_fixed(bytes_of(name, sizeof(name))) & 15]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
		cr_expect(hits[i] > 800 && hits[i] < 1200, "%zu: %u of 16000", i, hits[i]);
	}
}
