/* SPDX-License-Identifier: MIT */
#include "zonestore/stored_p.h"

#include "tests/test.h"

/* Rdata in presentation form, under example.com., and whether its names get shorter. */
static const struct {
	uint16_t type;
	const char *text;
	size_t saved; /* octets that the stored form is shorter by */
	unsigned name_max;
} cases[] = {
	{ TYPE_NS, "ns1.example.com.", 12, 4 },
	{ TYPE_NS, "NS1.Example.COM.", 12, 4 },
	{ TYPE_NS, "example.com.", 12, 0 },
	{ TYPE_NS, "badexample.com.", 0, 0 },
	{ TYPE_NS, "ns1.example.net.", 0, 0 },
	{ TYPE_NS, "com.", 0, 0 },
	{ TYPE_NS, ".", 0, 0 },
	{ TYPE_MX, "10 mail.example.com.", 12, 5 },
	{ TYPE_MX, "10 mail.example.org.", 0, 0 },
	{ TYPE_CNAME, "a.b.c.d.example.com.", 12, 8 },
	{ TYPE_PTR, "host.example.com.", 12, 5 },
	{ 14, "a.example.com. other.test.", 12, 2 },
	{ 14, "a.example.com. bcd.example.com.", 24, 4 },
	{ TYPE_SOA, "ns.example.com. root.example.com. 1 2 3 4 5", 24, 5 },
	{ TYPE_SRV, "0 0 443 www.example.com.", 0, 0 },
	{ TYPE_DNAME, "other.example.com.", 0, 0 },
	{ TYPE_A, "192.0.2.1", 0, 0 },
	{ TYPE_TXT, "\"example.com\"", 0, 0 },
};

static struct bytes parse(size_t i, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);

	cr_assert(eq(int, rdata_parse(cases[i].type, bytes_str(cases[i].text), NULL, &w), ERR_OK),
	          "%s", cases[i].text);
	return writer_bytes(&w);
}

TEST(stored, leaves_the_apex_out_and_puts_it_back)
{
	static uint8_t wire[RDATA_MAX_LEN];
	static const uint8_t octets[] = "\7eXample\3com";
	struct name apex;

	cr_assert(eq(int, name_view(bytes_of(octets, sizeof(octets)), &apex), ERR_OK));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t space[600];
		struct bytes rdata = parse(i, space, sizeof(space));
		struct buffer stored = { 0 };
		struct bytes back;
		uint16_t type = cases[i].type;
		stored_put(type, rdata, apex, &stored);
		cr_expect(eq(sz, stored.len, rdata.len - cases[i].saved), "%s", cases[i].text);
		back = stored_wire(type, buffer_bytes(&stored), apex, wire);
		cr_expect(eq(sz, back.len, rdata.len), "%s", cases[i].text);
		cr_expect(eq(int, rdata_compare(type, back, rdata), 0), "%s", cases[i].text);
		cr_expect(
			eq(sz, stored_wire_len(type, buffer_bytes(&stored), apex.len), rdata.len));
		cr_expect(eq(uint, stored_name_max(type, buffer_bytes(&stored)), cases[i].name_max),
		          "%s", cases[i].text);
		cr_expect(stored_check(type, buffer_bytes(&stored)), "%s", cases[i].text);
		cr_expect(eq(int, cases[i].saved == 0, back.at != wire), "in place: %s",
		          cases[i].text);
		for (size_t len = 0; len < stored.len && type != TYPE_TXT; len++) {
			cr_expect(not(stored_check(type, bytes_of(stored.at, len))),
			          "%s cut at %zu", cases[i].text, len);
		}
		buffer_fini(&stored);
	}
}

/* The types stored relative are those whose names may be compressed, and no others. */
TEST(stored, relative_types_are_those_of_rfc_3597)
{
	static const uint8_t names[32] = { 1, 'a', 0, 1, 'b', 0 };
	struct rdata_name found[RDATA_NAMES_MAX];

	for (unsigned type = 0; type < 65536; type++) {
		unsigned count = rdata_compressible_names((uint16_t)type,
		                                          bytes_of(names, sizeof(names)), found);
		cr_assert(eq(int, count > 0, stored_is_relative((uint16_t)type)), "type %u", type);
	}
}

TEST(stored, compares_names_without_case)
{
	static const struct {
		uint16_t type;
		const char *a;
		const char *b;
		int order;
	} pairs[] = {
		{ TYPE_NS, "Ns.Example.COM.", "ns.example.com.", 0 },
		{ TYPE_NS, "a.test.", "B.test.", -1 },
		{ TYPE_NS, "B.test.", "a.test.", 1 },
		{ TYPE_MX, "10 MAIL.test.", "10 mail.TEST.", 0 },
		{ TYPE_MX, "65 a.test.", "97 a.test.", -1 },
		{ TYPE_SRV, "1 1 1 Www.test.", "1 1 1 wwW.test.", 0 },
		{ TYPE_SRV, "16705 1 1 a.", "24929 1 1 a.", -1 },
		{ TYPE_DNAME, "X.test.", "x.test.", 0 },
		{ TYPE_TXT, "\"A\"", "\"a\"", -1 },
		{ TYPE_A, "192.0.2.65", "192.0.2.97", -1 },
		{ TYPE_A, "192.0.2.1", "192.0.2.1", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		uint8_t x[300];
		uint8_t y[300];
		struct writer a = writer_of(x, sizeof(x));
		struct writer b = writer_of(y, sizeof(y));
		int c;
		cr_assert(eq(int, rdata_parse(pairs[i].type, bytes_str(pairs[i].a), NULL, &a), 0));
		cr_assert(eq(int, rdata_parse(pairs[i].type, bytes_str(pairs[i].b), NULL, &b), 0));
		c = stored_compare(pairs[i].type, writer_bytes(&a), writer_bytes(&b));
		cr_expect(eq(int, (c > 0) - (c < 0), pairs[i].order), "%s %s", pairs[i].a,
		          pairs[i].b);
	}
}
