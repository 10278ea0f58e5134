/* SPDX-License-Identifier: MIT */
#include "base/codec.h"

#include "base/env.h"
#include "tests/test.h"

typedef bool (*encode_fn)(struct bytes in, struct writer *out);
typedef enum err (*decode_fn)(struct bytes text, struct writer *out);

static const struct {
	const char *name;
	encode_fn encode;
	decode_fn decode;
} codecs[] = {
	{ "base16", base16_encode, base16_decode },
	{ "base32hex", base32hex_encode, base32hex_decode },
	{ "base64", base64_encode, base64_decode },
};

enum { B16, B32, B64 };

static void expect_decoded(int codec, const char *text, const char *want)
{
	uint8_t buffer[64];
	struct writer w = writer_of(buffer, sizeof(buffer));

	cr_expect(eq(int, codecs[codec].decode(bytes_str(text), &w), ERR_OK), "%s of '%s'",
	          codecs[codec].name, text);
	cr_expect(bytes_equal(writer_bytes(&w), bytes_str(want)), "%s of '%s'", codecs[codec].name,
	          text);
}

/* RFC 4648 §10; base32hex as axfarm writes it (DNSSEC's form, RFC 5155 §1.3: no padding). */
TEST(codec, vectors_of_rfc4648)
{
	static const struct {
		const char *plain;
		const char *text[3];
	} cases[] = {
		{ "", { "", "", "" } },
		{ "f", { "66", "co", "Zg==" } },
		{ "fo", { "666F", "cpng", "Zm8=" } },
		{ "foo", { "666F6F", "cpnmu", "Zm9v" } },
		{ "foob", { "666F6F62", "cpnmuog", "Zm9vYg==" } },
		{ "fooba", { "666F6F6261", "cpnmuoj1", "Zm9vYmE=" } },
		{ "foobar", { "666F6F626172", "cpnmuoj1e8", "Zm9vYmFy" } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int c = B16; c <= B64; c++) {
			uint8_t buffer[64];
			struct writer w = writer_of(buffer, sizeof(buffer));
			cr_assert(codecs[c].encode(bytes_str(cases[i].plain), &w));
			cr_expect(bytes_equal(writer_bytes(&w), bytes_str(cases[i].text[c])),
			          "%s of '%s'", codecs[c].name, cases[i].plain);
			expect_decoded(c, cases[i].text[c], cases[i].plain);
		}
	}
}

TEST(codec, reads_either_case)
{
	expect_decoded(B16, "666f6F", "foo");
	expect_decoded(B32, "CPNMUOJ1E8", "foobar");
	expect_decoded(B32, "cPnMuOj1e8", "foobar");
}

TEST(codec, refuses_what_is_not_the_alphabet)
{
	static const struct {
		int codec;
		const char *text;
	} bad[] = {
		{ B16, "6" },      { B16, "6g" },       { B16, "66 6f" },
		{ B16, "0x66" },   { B16, "666" },      { B32, "c" },
		{ B32, "cw" },     { B32, "co======" }, { B32, "c o" },
		{ B32, "cpz" },    { B64, "Zg" },       { B64, "Zg=" },
		{ B64, "Z===" },   { B64, "====" },     { B64, "Zg==Zg==" },
		{ B64, "Zm 9" },   { B64, "Zm-_" },     { B64, "Zg==\n" },
		{ B64, "Zm9vYg" }, { B64, "Zh==" },     { B64, "Zm9=" },
		{ B32, "cp" },     { B16, "\xff\xff" }, { B64, "\xff\xff\xff\xff" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t buffer[64];
		struct writer w = writer_of(buffer, sizeof(buffer));
		cr_expect(
			eq(int, codecs[bad[i].codec].decode(bytes_str(bad[i].text), &w), ERR_TEXT),
			"%s of '%s'", codecs[bad[i].codec].name, bad[i].text);
	}
}

TEST(codec, says_when_the_writer_is_too_small)
{
	static const char *const text[] = { "666F6F62", "cpnmuog", "Zm9vYg==" };

	for (int c = B16; c <= B64; c++) {
		size_t need = strlen(text[c]);
		uint8_t buffer[16];
		for (size_t cap = 0; cap <= need; cap++) {
			struct writer w = writer_of(buffer, cap);
			cr_expect(eq(int, codecs[c].encode(bytes_str("foob"), &w), cap == need));
			cr_expect(eq(sz, w.len, cap == need ? need : 0));
			w = writer_of(buffer, cap);
			cr_expect(eq(int, codecs[c].decode(bytes_str(text[c]), &w),
			             cap >= 4 ? ERR_OK : ERR_BUDGET));
		}
	}
}

TEST(codec, gives_back_any_octets)
{
	struct env_fake f;

	env_fake_init(&f, 1);
	for (int round = 0; round < 600; round++) {
		uint8_t plain[100];
		uint8_t text[256];
		uint8_t back[100];
		size_t len = env_random_below(&f.env, sizeof(plain) + 1);
		int c = round % 3;
		struct writer w = writer_of(text, sizeof(text));
		struct writer v = writer_of(back, sizeof(back));
		f.env.random(f.env.self, plain, len);
		cr_assert(codecs[c].encode(bytes_of(plain, len), &w));
		cr_assert(eq(int, codecs[c].decode(writer_bytes(&w), &v), ERR_OK));
		cr_assert(bytes_equal(writer_bytes(&v), bytes_of(plain, len)), "%s, %zu octets",
		          codecs[c].name, len);
	}
}
