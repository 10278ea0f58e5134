/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include "tests/test.h"

TEST(addr, prints_what_it_reads)
{
	static const char *const same[] = { "192.0.2.1@53", "2001:db8::1@5300", "127.0.0.1" };
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		struct addr a;
		cr_assert(eq(int, addr_parse(same[i], 0, &a), ERR_OK), "%s", same[i]);
		cr_expect(eq(str, (char *)addr_print(&a, text), (char *)same[i]));
	}
}

TEST(addr, refuses_what_is_no_address)
{
	static const char *const bad[] = {
		"",      "192.0.2", "192.0.2.1@", "192.0.2.1@0", "192.0.2.1@65536", "fe80::1%eth0",
		"::1@x", "a.b.c.d"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr a;
		cr_expect(eq(int, addr_parse(bad[i], 53, &a), ERR_TEXT), "%s", bad[i]);
	}
}

TEST(addr, matches_ranges)
{
	static const struct {
		const char *range;
		const char *addr;
		bool want;
	} cases[] = {
		{ "198.51.100.0/24", "198.51.100.255", true },
		{ "198.51.100.0/24", "198.51.101.0", false },
		{ "203.0.113.5-203.0.113.9", "203.0.113.9", true },
		{ "203.0.113.5-203.0.113.9", "203.0.113.10", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true },
		{ "2001:db8::/33", "2001:db8:8000::", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr_range r;
		struct addr a;
		cr_assert(eq(int, addr_range_parse(cases[i].range, &r), ERR_OK));
		cr_assert(eq(int, addr_parse(cases[i].addr, 53, &a), ERR_OK));
		cr_expect(eq(int, addr_range_has(&r, &a), cases[i].want), "%s in %s", cases[i].addr,
		          cases[i].range);
	}
}

TEST(addr, refuses_ranges_that_cannot_be_meant)
{
	static const char *const bad[] = { "198.51.100.1/24", "10.0.0.0/33", "10.0.0.9-10.0.0.1",
		                           "10.0.0.1-::1",    "/8",          "10.0.0.0/" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr_range r;
		cr_expect(eq(int, addr_range_parse(bad[i], &r), ERR_TEXT), "%s", bad[i]);
	}
}
