/* SPDX-License-Identifier: MIT */
#include "dns/rdata_p.h"

#include <stdio.h>

#include "tests/test.h"

TEST(types, reads_every_type_as_it_prints_it)
{
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		char buf[TYPE_TEXT_MAX];
		uint16_t got;
		const char *text = type_print((uint16_t)type, buf);
		cr_assert(eq(int, type_parse(bytes_str(text), &got), ERR_OK), "%s", text);
		cr_assert(eq(u16, got, type));
		(void)snprintf(buf, sizeof(buf), "type%u", type);
		cr_assert(eq(int, type_parse(bytes_str(buf), &got), ERR_OK), "%s", buf);
		cr_assert(eq(u16, got, type));
	}
}

TEST(types, reads_every_class_as_it_prints_it)
{
	for (unsigned class = 0; class <= UINT16_MAX; class ++) {
		char buf[TYPE_TEXT_MAX];
		uint16_t got;
		const char *text = class_print((uint16_t) class, buf);
		cr_assert(eq(int, class_parse(bytes_str(text), &got), ERR_OK), "%s", text);
		cr_assert(eq(u16, got, class));
	}
}

TEST(types, refuses_what_is_none)
{
	static const char *const bad[] = { "",        "TYPE",          "TYPE65536", "TYPE-1",
		                           "TYPE1x",  "TYPE 1",        "AA",        "CLASS1",
		                           "1",       "NSAP_PTR",      "TYPE+1",    "TYPE0x1",
		                           "NXNAME ", "TYPE4294967297" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint16_t got;
		cr_expect(eq(int, type_parse(bytes_str(bad[i]), &got), ERR_TEXT), "%s", bad[i]);
	}
}

TEST(types, knows_mnemonics_in_any_case)
{
	static const struct {
		const char *text;
		uint16_t want;
	} cases[] = { { "mx", TYPE_MX },   { "NSec3Param", TYPE_NSEC3PARAM },
		      { "nsap-ptr", 23 },  { "TA", 32768 },
		      { "dlv", 32769 },    { "WALLET", 262 },
		      { "type00257", 257 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint16_t got;
		cr_expect(eq(int, type_parse(bytes_str(cases[i].text), &got), ERR_OK));
		cr_expect(eq(u16, got, cases[i].want));
	}
}

TEST(types, knows_meta_types)
{
	static const uint16_t meta[] = { 0,         TYPE_OPT,  128,       TYPE_TKEY,
		                         TYPE_TSIG, TYPE_IXFR, TYPE_AXFR, TYPE_ANY };
	static const uint16_t data[] = { TYPE_A, 99, 103, 109, 127, 256, 32768, 65280, 65535 };

	for (size_t i = 0; i < ARRAY_LEN(meta); i++) {
		cr_expect(type_is_meta(meta[i]), "%u", meta[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(data); i++) {
		cr_expect(not(type_is_meta(data[i])), "%u", data[i]);
	}
}
