/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include "tests/test.h"

static const uint8_t octets[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

TEST(bytes, compares_as_memcmp_with_prefixes_first)
{
	static const struct {
		const char *a;
		const char *b;
		int want;
	} cases[] = { { "", "", 0 },      { "", "a", -1 },       { "a", "", 1 },
		      { "a", "a", 0 },    { "a", "ab", -1 },     { "b", "ab", 1 },
		      { "ab", "aa", 1 },  { "\xff", "\x01", 1 }, { "A", "a", -1 },
		      { "abc", "ab", 1 }, { "abc", "abd", -1 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes a = bytes_str(cases[i].a);
		struct bytes b = bytes_str(cases[i].b);
		int c = bytes_compare(a, b);
		cr_expect(eq(int, (c > 0) - (c < 0), cases[i].want), "case %zu", i);
		cr_expect(eq(int, bytes_equal(a, b), cases[i].want == 0), "case %zu", i);
	}
	cr_expect(bytes_equal((struct bytes){ 0 }, bytes_of("x", 0)), "empty views are equal");
}

TEST(bytes, integers_are_big_endian)
{
	uint8_t out[8];

	cr_expect(eq(u16, load_u16(octets), 0x0102));
	cr_expect(eq(u32, load_u32(octets), 0x01020304));
	cr_expect(eq(u64, load_u64(octets), 0x0102030405060708));
	store_u16(out, 0x0102);
	cr_expect(memcmp(out, octets, 2) == 0);
	store_u32(out, 0x01020304);
	cr_expect(memcmp(out, octets, 4) == 0);
	store_u64(out, 0x0102030405060708);
	cr_expect(memcmp(out, octets, 8) == 0);
	store_u64(out, UINT64_MAX);
	cr_expect(eq(u64, load_u64(out), UINT64_MAX));
	cr_expect(eq(u32, load_u32(out), UINT32_MAX));
	cr_expect(eq(u16, load_u16(out), UINT16_MAX));
}

TEST(bytes, a_reader_reads_in_order)
{
	struct reader r = reader_of(bytes_of(octets, sizeof(octets)));
	struct bytes b = { 0 };
	uint8_t v8 = 0;
	uint16_t v16 = 0;
	uint32_t v32 = 0;
	uint64_t v64 = 0;

	cr_assert(reader_u8(&r, &v8) && reader_u16(&r, &v16) && reader_u32(&r, &v32));
	cr_assert(reader_u64(&r, &v64));
	cr_expect(eq(u8, v8, 0x01));
	cr_expect(eq(u16, v16, 0x0203));
	cr_expect(eq(u32, v32, 0x04050607));
	cr_expect(eq(u64, v64, 0x08090a0b0c0d0e0f));
	cr_expect(eq(sz, reader_left(&r), 0));
	cr_expect(reader_take(&r, 0, &b) && b.len == 0, "nothing can be taken from the end");
	cr_expect(not(reader_take(&r, 1, &b)));
}

/* Every read of every width from every length: it fails if and only if octets are missing, and then
 * leaves the reader where it was. Run under AddressSanitizer, it also proves that nothing is read
 * past the end. */
TEST(bytes, a_reader_that_is_too_short_stays_where_it_is)
{
	for (size_t len = 0; len <= 9; len++) {
		struct bytes b;
		uint8_t v8;
		uint16_t v16;
		uint32_t v32;
		uint64_t v64;
		struct reader r = reader_of(bytes_of(octets, len));
		cr_expect(eq(int, reader_u8(&r, &v8), len >= 1));
		cr_expect(eq(sz, r.pos, len >= 1 ? 1 : 0));
		r.pos = 0;
		cr_expect(eq(int, reader_u16(&r, &v16), len >= 2));
		cr_expect(eq(sz, r.pos, len >= 2 ? 2 : 0));
		r.pos = 0;
		cr_expect(eq(int, reader_u32(&r, &v32), len >= 4));
		cr_expect(eq(sz, r.pos, len >= 4 ? 4 : 0));
		r.pos = 0;
		cr_expect(eq(int, reader_u64(&r, &v64), len >= 8));
		cr_expect(eq(sz, r.pos, len >= 8 ? 8 : 0));
		r.pos = 0;
		cr_expect(eq(int, reader_take(&r, 5, &b), len >= 5));
		cr_expect(eq(sz, r.pos, len >= 5 ? 5 : 0));
	}
}

TEST(bytes, a_huge_length_cannot_wrap)
{
	struct reader r = reader_of(bytes_of(octets, sizeof(octets)));
	struct bytes b;
	uint8_t v;

	cr_assert(reader_u8(&r, &v));
	cr_expect(not(reader_take(&r, SIZE_MAX, &b)));
	cr_expect(eq(sz, r.pos, 1));
}

TEST(bytes, a_writer_never_passes_its_end)
{
	for (size_t cap = 0; cap <= 9; cap++) {
		uint8_t buffer[16];
		struct writer w = writer_of(buffer, cap);
		memset(buffer, 0xee, sizeof(buffer));
		cr_expect(eq(int, writer_u8(&w, 1), cap >= 1));
		w.len = 0;
		cr_expect(eq(int, writer_u16(&w, 1), cap >= 2));
		w.len = 0;
		cr_expect(eq(int, writer_u32(&w, 1), cap >= 4));
		w.len = 0;
		cr_expect(eq(int, writer_u64(&w, 1), cap >= 8));
		cr_expect(eq(sz, w.len, cap >= 8 ? 8 : 0), "a put that does not fit moves nothing");
		w.len = 0;
		cr_expect(eq(int, writer_str(&w, "hello"), cap >= 5));
		for (size_t i = cap; i < sizeof(buffer); i++) {
			cr_expect(eq(u8, buffer[i], 0xee), "octet %zu beyond %zu", i, cap);
		}
	}
}

TEST(bytes, a_writer_writes_in_order)
{
	uint8_t buffer[20];
	struct writer w = writer_of(buffer, sizeof(buffer));

	cr_assert(writer_u8(&w, 1) && writer_u16(&w, 0x0203) && writer_u32(&w, 0x04050607));
	cr_assert(writer_u64(&w, 0x08090a0b0c0d0e0f) && writer_str(&w, "ab"));
	cr_assert(writer_put(&w, (struct bytes){ 0 }));
	cr_expect(eq(sz, writer_left(&w), 3));
	cr_expect(memcmp(buffer, octets, 15) == 0 && memcmp(buffer + 15, "ab", 2) == 0);
	cr_expect(bytes_equal(writer_bytes(&w), bytes_of(buffer, 17)));
}
