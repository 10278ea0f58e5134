/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include "base/codec.h"
#include "tests/test.h"

static void expect_hex(const uint8_t *at, size_t len, const char *want)
{
	uint8_t text[128];
	struct writer w = writer_of(text, sizeof(text));

	cr_assert(base16_encode(bytes_of(at, len), &w));
	cr_expect(bytes_equal(writer_bytes(&w), bytes_str(want)), "%.*s", (int)w.len, text);
}

/* FIPS 180-4's examples. */
TEST(digest, vectors_of_sha256)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "", "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855" },
		{ "abc", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248D6A61D20638B8E5C026930C3E6039A33CE45964FF2167F6ECEDD419DB06C1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct digest d;
		struct id id;
		char half[33] = { 0 };
		uint8_t out[32];
		digest_init(&d);
		digest_update(&d, bytes_str(cases[i].text));
		digest_final(&d, out);
		expect_hex(out, sizeof(out), cases[i].want);
		id_of(bytes_str(cases[i].text), &id);
		memcpy(half, cases[i].want, 32);
		expect_hex(id.octets, sizeof(id.octets), half);
	}
}

TEST(digest, pieces_and_copies_make_no_difference)
{
	const char *text =
		"the quick brown fox jumps over the lazy dog, twice, to pass one block of 64";
	uint8_t whole[32];
	uint8_t part[32];
	struct digest d;

	digest_init(&d);
	digest_update(&d, bytes_str(text));
	digest_final(&d, whole);
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		struct digest copy;
		digest_init(&d);
		digest_update(&d, bytes_of(text, cut));
		copy = d;
		digest_update(&d, bytes_str("something else"));
		digest_update(&copy, bytes_str(text + cut));
		digest_final(&copy, part);
		cr_expect(memcmp(whole, part, sizeof(whole)) == 0, "cut at %zu", cut);
	}
}

TEST(digest, ids_are_compared_whole)
{
	struct id a;
	struct id b;

	id_of(bytes_str("a"), &a);
	b = a;
	cr_expect(id_equal(&a, &b));
	for (size_t i = 0; i < sizeof(b.octets); i++) {
		b.octets[i] ^= 0x10;
		cr_expect(not(id_equal(&a, &b)), "octet %zu", i);
		cr_expect(not(secret_equal(&a, &b, sizeof(a))), "octet %zu", i);
		b.octets[i] ^= 0x10;
	}
	cr_expect(secret_equal(&a, &b, sizeof(a)));
	cr_expect(secret_equal("x", "y", 0), "nothing equals nothing");
}

TEST(digest, wiping_leaves_zeros)
{
	uint8_t secret[40];

	memset(secret, 0x5a, sizeof(secret));
	secret_wipe(secret, sizeof(secret) - 1);
	for (size_t i = 0; i < sizeof(secret) - 1; i++) {
		cr_expect(eq(u8, secret[i], 0));
	}
	cr_expect(eq(u8, secret[sizeof(secret) - 1], 0x5a));
}

/* FIPS 180-4's examples. */
TEST(digest, vectors_of_sha384_and_sha512)
{
	static const struct {
		enum digest_long_kind kind;
		const char *text;
		const char *want;
	} cases[] = {
		{ DIGEST_SHA384, "abc",
		  "CB00753F45A35E8BB5A03D699AC65007272C32AB0EDED1631A8B605A43FF5BED"
		  "8086072BA1E7CC2358BAECA134C825A7" },
		{ DIGEST_SHA512, "abc",
		  "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A"
		  "2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes text = bytes_str(cases[i].text);
		uint8_t out[DIGEST_LONG_MAX];
		struct digest_long d;
		digest_long_init(&d, cases[i].kind);
		digest_long_update(&d, bytes_of(text.at, 1));
		digest_long_update(&d, bytes_of(text.at + 1, text.len - 1));
		expect_hex(out, digest_long_final(&d, out), cases[i].want);
	}
}
