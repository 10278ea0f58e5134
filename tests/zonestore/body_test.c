/* SPDX-License-Identifier: MIT */
#include "zonestore/body_p.h"

#include <stdlib.h>

#include "tests/test.h"

/* Makes a body of `count` opaque rdatas of `len` octets, the last octets counting up. */
static enum err make(struct buffer *out, unsigned count, size_t len)
{
	struct body_maker m = body_begin(out, 65280);
	uint8_t *rdata = mem_zero(1, len + 4);

	for (unsigned i = 0; i < count; i++) {
		if (len >= 4) {
			store_u32(rdata, i);
		}
		body_add(&m, bytes_of(rdata, len));
	}
	free(rdata);
	return body_end(&m, 300);
}

TEST(body, keeps_one_and_many)
{
	static const struct {
		unsigned count;
		size_t len;
		size_t bytes; /* of the body; 0: refused */
	} cases[] = {
		{ 1, 0, 8 },
		{ 1, 4, 12 },
		{ 1, 32767, 8 + 32767 },
		{ 1, 32768, 14 + 32768 },
		{ 1, 65535, 14 + 65535 },
		{ 2, 4, 12 + 12 },
		{ 300, 10, 12 + 3600 },
		{ 65535, 4, 12 + 65535 * 6 },
		{ 65536, 4, 0 },
		{ 255, 65535, 12 + 255 * 65537 },
		{ 256, 65535, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer b = { 0 };
		enum err e = make(&b, cases[i].count, cases[i].len);
		struct body_reader r;
		struct bytes rdata;
		struct bytes view;
		unsigned seen = 0;
		if (cases[i].bytes == 0) {
			cr_expect(eq(int, e, ERR_LIMIT_BYTES), "case %zu", i);
			buffer_fini(&b);
			continue;
		}
		cr_assert(eq(int, e, ERR_OK), "case %zu", i);
		cr_expect(eq(sz, b.len, cases[i].bytes));
		cr_expect(eq(sz, body_len(b.at), cases[i].bytes));
		cr_expect(eq(u32, body_count(b.at), cases[i].count));
		cr_expect(eq(u32, body_ttl(b.at), 300));
		cr_expect(eq(u16, body_type(b.at), 65280));
		cr_expect(eq(u64, body_wire_len(b.at, 9), (uint64_t)cases[i].count * cases[i].len));
		for (r = body_read(b.at); body_next(&r, &rdata); seen++) {
			cr_assert(eq(sz, rdata.len, cases[i].len));
			cr_assert(cases[i].len < 4 || load_u32(rdata.at) == seen);
		}
		cr_expect(eq(uint, seen, cases[i].count));
		cr_expect(eq(int, body_check(buffer_bytes(&b), &view), ERR_OK));
		cr_expect(eq(sz, view.len, b.len));
		buffer_fini(&b);
	}
}

static enum err check(const char *octets, size_t len)
{
	struct bytes out;

	return body_check(bytes_of(octets, len), &out);
}

TEST(body, refuses_what_is_no_body)
{
	cr_expect(eq(int, check("\0\0\0\1\0\1\0\4abcd", 12), ERR_OK));
	cr_expect(eq(int, check("\0\0\0\1\0\1\0\4abc", 11), ERR_STORE_CORRUPT), "short");
	cr_expect(eq(int, check("\0\0\0\1\0\1\0\3abc", 11), ERR_STORE_CORRUPT), "no address");
	cr_expect(eq(int, check("\x80\0\0\1\0\1\0\4abcd", 12), ERR_STORE_CORRUPT), "TTL");
	cr_expect(eq(int, check("\0\0\0\1\0\xff\0\4abcd", 12), ERR_STORE_CORRUPT), "type ANY");
	cr_expect(eq(int, check("\0\0\0\1\0\1\x80\0\2\0\0\x0c\0\4abcd\0\4abce", 24), ERR_OK));
	cr_expect(eq(int, check("\0\0\0\1\0\1\x80\0\2\0\0\x0c\0\4abcd\0\4abcd", 24),
	             ERR_STORE_CORRUPT),
	          "twice the same");
	cr_expect(eq(int, check("\0\0\0\1\0\1\x80\0\2\0\0\x0c\0\4abce\0\4abcd", 24),
	             ERR_STORE_CORRUPT),
	          "order");
	cr_expect(eq(int, check("\0\0\0\1\0\1\x81\0\2\0\0\x0c\0\4abcd\0\4abce", 24),
	             ERR_STORE_CORRUPT),
	          "unused bits");
	cr_expect(eq(int, check("\0\0\0\1\0\1\x80\0\1\0\0\x06\0\4abcd", 18), ERR_STORE_CORRUPT),
	          "one in the form of many");
	cr_expect(eq(int, check("\0\0\0\1\0\1\x80\0\0\0\0\0", 12), ERR_STORE_CORRUPT), "none");
}
