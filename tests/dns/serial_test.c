/* SPDX-License-Identifier: MIT */
#include "dns/serial.h"

#include "base/bytes.h"
#include "tests/test.h"

/* RFC 1982 §3.2 with SERIAL_BITS 32; §5 of the same for the pairs without order. */
static const struct {
	uint32_t a;
	uint32_t b;
	bool newer;
	bool older;
} cases[] = {
	{ 0, 0, false, false },
	{ 1, 0, true, false },
	{ 44, 0, true, false },
	{ 100, 44, true, false },
	{ 0, 0xffffffff, true, false },
	{ 100, 0xffffffff, true, false },
	{ 0x7fffffff, 0, true, false },
	{ 0x80000000, 0, false, false },
	{ 0x80000001, 0, false, true },
	{ 0xffffffff, 0x7fffffff, false, false },
	{ 0xfffffffe, 0x7fffffff, true, false },
	{ 2024010101, 2023123199, true, false },
};

TEST(serial, orders_as_rfc_1982)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct serial a = { cases[i].a };
		struct serial b = { cases[i].b };

		cr_expect(eq(int, serial_newer(a, b), cases[i].newer), "%u %u", a.n, b.n);
		cr_expect(eq(int, serial_newer(b, a), cases[i].older), "%u %u", b.n, a.n);
		cr_expect(eq(int, serial_equal(a, b), a.n == b.n), "%u %u", a.n, b.n);
	}
}
