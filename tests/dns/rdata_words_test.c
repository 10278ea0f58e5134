/* SPDX-License-Identifier: MIT */
#include "dns/rdata_p.h"

#include <stdio.h>

#include "tests/test.h"

TEST(rdata_words, cuts_tokens)
{
	static const struct {
		const char *text;
		const char *want; /* tokens in brackets, quoted ones in braces */
	} cases[] = {
		{ "", "" },
		{ "  \t", "" },
		{ "a b\tc", "[a][b][c]" },
		{ "\"a b\" c", "{a b}[c]" },
		{ "\"a\"\"b\"", "{a}{b}" },
		{ "a\"b\"c", "[a]{b}[c]" },
		{ "a\\ b c", "[a\\ b][c]" },
		{ "\"a\\\"b\"", "{a\\\"b}" },
		{ "\"\"", "{}" },
		{ "a \"b", "[a]" },
		{ "\"a\\\"", "" },
		{ "a\\", "[a\\]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char got[64] = "";
		size_t len = 0;
		struct parser p = { .text = bytes_str(cases[i].text) };
		struct token t;
		while (token_next(&p, &t)) {
			len += snprintf(got + len, sizeof(got) - len,
			                t.quoted ? "{%.*s}" : "[%.*s]", (int)t.text.len,
			                (const char *)t.text.at);
		}
		cr_expect(eq(str, got, (char *)cases[i].want), "%s", cases[i].text);
	}
}

TEST(rdata_words, decodes_escapes)
{
	static const struct {
		const char *text;
		const char *want; /* NULL: refused */
	} cases[] = {
		{ "abc", "abc" },       { "a\\bc", "abc" },  { "\\\\", "\\" },   { "\\\"", "\"" },
		{ "\\065\\066", "AB" }, { "\\255", "\377" }, { "\\256", NULL },  { "\\25", NULL },
		{ "\\", NULL },         { "\\2a5", NULL },   { "\\0655", "A5" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t octets[16];
		struct writer w = writer_of(octets, sizeof(octets));
		enum err e = text_unescape(bytes_str(cases[i].text), &w);
		cr_expect(eq(int, e, cases[i].want == NULL ? ERR_TEXT : ERR_OK), "%s",
		          cases[i].text);
		cr_expect(cases[i].want == NULL ||
		                  bytes_equal(writer_bytes(&w), bytes_str(cases[i].want)),
		          "%s", cases[i].text);
	}
}

TEST(rdata_words, reads_periods)
{
	static const struct {
		const char *text;
		bool good;
		uint32_t want;
	} cases[] = {
		{ "0", true, 0 },          { "3600", true, 3600 },
		{ "1h", true, 3600 },      { "1H30m", true, 5400 },
		{ "2w1d", true, 1296000 }, { "4294967295", true, UINT32_MAX },
		{ "", false, 0 },          { "h", false, 0 },
		{ "1x", false, 0 },        { "1h3", false, 0 },
		{ "-1", false, 0 },        { "4294967296", false, 0 },
		{ "8000w", false, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t got = 0;
		cr_expect(eq(int, period_parse(bytes_str(cases[i].text), &got), cases[i].good),
		          "%s", cases[i].text);
		got = cases[i].good ? got : 0;
		cr_expect(eq(u32, got, cases[i].want), "%s", cases[i].text);
	}
}
