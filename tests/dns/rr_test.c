/* SPDX-License-Identifier: MIT */
#include "dns/rdata.h"
#include "tests/test.h"

/* Records in messages. The message begins with "ex." at 0 and "www.ex." at 4. */
#define HEAD                  "\2ex\0\3www\300\0"
#define HEAD_LEN              10
#define FIXED(type, ttl, len) type "\0\1" ttl len
#define TTL_60                "\0\0\0\74"

static const struct {
	const char *title;
	const char *octets;
	size_t len;
	enum err want;
	const char *text;
} reads[] = {
#define M(s) HEAD s, HEAD_LEN + sizeof(s) - 1
	{ "A", M("\300\4" FIXED("\0\1", TTL_60, "\0\4") "\1\2\3\4"), ERR_OK,
	  "www.ex.\t60\tIN\tA\t1.2.3.4\n" },
	{ "owner of its own", M("\1a\300\0" FIXED("\0\1", TTL_60, "\0\4") "\1\2\3\4"), ERR_OK,
	  "a.ex.\t60\tIN\tA\t1.2.3.4\n" },
	{ "A of class CH", M("\300\0\0\1\0\3" TTL_60 "\0\3\1\2\3"), ERR_OK,
	  "ex.\t60\tCH\tA\t\\# 3 010203\n" },
	{ "SRV of class CH is opaque", M("\300\0\0\41\0\3" TTL_60 "\0\2\300\0"), ERR_OK,
	  "ex.\t60\tCH\tSRV\t\\# 2 C000\n" },
	{ "MX, compressed", M("\300\0" FIXED("\0\17", TTL_60, "\0\4") "\0\12\300\4"), ERR_OK,
	  "ex.\t60\tIN\tMX\t10 www.ex.\n" },
	{ "MX, in part", M("\300\0" FIXED("\0\17", TTL_60, "\0\6") "\0\12\1m\300\0"), ERR_OK,
	  "ex.\t60\tIN\tMX\t10 m.ex.\n" },
	{ "SOA, compressed",
	  M("\300\0" FIXED("\0\6", TTL_60, "\0\30") "\300\4\300\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4"
	                                            "\0\0\0\5"),
	  ERR_OK, "ex.\t60\tIN\tSOA\twww.ex. ex. 1 2 3 4 5\n" },
	{ "SRV, compressed by an old sender",
	  M("\300\0" FIXED("\0\41", TTL_60, "\0\10") "\0\1\0\2\0\3\300\4"), ERR_OK,
	  "ex.\t60\tIN\tSRV\t1 2 3 www.ex.\n" },
	{ "RP, compressed", M("\300\0" FIXED("\0\21", TTL_60, "\0\4") "\300\4\300\0"), ERR_OK,
	  "ex.\t60\tIN\tRP\twww.ex. ex.\n" },
	{ "DNAME must not be compressed", M("\300\0" FIXED("\0\47", TTL_60, "\0\2") "\300\0"),
	  ERR_WIRE_NAME, "" },
	{ "NSEC must not be compressed",
	  M("\300\0" FIXED("\0\57", TTL_60, "\0\5") "\300\0\0\1\100"), ERR_WIRE_NAME, "" },
	{ "name past its rdata", M("\300\0" FIXED("\0\2", TTL_60, "\0\3") "\3www\0"),
	  ERR_WIRE_SHORT, "" },
	{ "rdata past its name", M("\300\0" FIXED("\0\2", TTL_60, "\0\3") "\300\0\0"),
	  ERR_WIRE_RDATA, "" },
	{ "empty NS", M("\300\0" FIXED("\0\2", TTL_60, "\0\0")), ERR_WIRE_SHORT, "" },
	{ "empty A", M("\300\0" FIXED("\0\1", TTL_60, "\0\0")), ERR_WIRE_RDATA, "" },
	{ "long A", M("\300\0" FIXED("\0\1", TTL_60, "\0\5") "\1\2\3\4\5"), ERR_WIRE_RDATA, "" },
	{ "empty unknown", M("\300\0" FIXED("\377\0", TTL_60, "\0\0")), ERR_OK,
	  "ex.\t60\tIN\tTYPE65280\t\\# 0\n" },
	{ "rdata past the message", M("\300\0" FIXED("\377\0", TTL_60, "\0\2") "\1"),
	  ERR_WIRE_SHORT, "" },
	{ "NS past the message", M("\300\0" FIXED("\0\2", TTL_60, "\0\5") "\3ww"), ERR_WIRE_SHORT,
	  "" },
	{ "head past the message", M("\300\0\0\1\0\1\0\0\0"), ERR_WIRE_SHORT, "" },
	{ "pointer forward", M("\300\0" FIXED("\0\2", TTL_60, "\0\2") "\300\26"), ERR_WIRE_NAME,
	  "" },
	{ "TTL with its top bit", M("\300\0" FIXED("\0\1", "\200\0\0\1", "\0\4") "\1\2\3\4"),
	  ERR_OK, "ex.\t0\tIN\tA\t1.2.3.4\n" },
#undef M
};

TEST(rr, reads_records_from_messages)
{
	static struct rr_scratch scratch;

	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		struct reader r = { bytes_of(reads[i].octets, reads[i].len), HEAD_LEN };
		struct rr rr;
		char text[256];
		struct writer w = writer_of(text, sizeof(text));
		enum err e = rr_read(&r, &scratch, &rr);
		cr_expect(eq(int, e, reads[i].want), "%s", reads[i].title);
		if (e != ERR_OK) {
			continue;
		}
		cr_expect(eq(sz, reader_left(&r), 0), "%s", reads[i].title);
		cr_expect(rr_print(&rr, &w));
		cr_expect(bytes_equal(writer_bytes(&w), bytes_str(reads[i].text)), "%s: %.*s",
		          reads[i].title, (int)w.len, text);
	}
}

TEST(rr, leaves_rdata_without_names_in_the_message)
{
	static struct rr_scratch scratch;
	static const uint8_t message[] = "\0\0\20\0\1\0\0\0\1\0\3\2hi";
	struct reader r = reader_of(bytes_of(message, sizeof(message) - 1));
	struct rr rr;

	cr_assert(eq(int, rr_read(&r, &scratch, &rr), ERR_OK));
	cr_expect(rr.rdata.at == message + 11);
}

TEST(rr, keeps_the_ttl_of_opt)
{
	static struct rr_scratch scratch;
	static const uint8_t message[] = "\0\0\51\4\320\200\0\200\0\0\0";
	struct reader r = reader_of(bytes_of(message, sizeof(message) - 1));
	struct rr rr;

	cr_assert(eq(int, rr_read(&r, &scratch, &rr), ERR_OK));
	cr_expect(eq(u32, rr.ttl, 0x80008000U));
	cr_expect(eq(u16, rr.class, 1232));
}

TEST(rr, views_soa)
{
	static const uint8_t rdata[] = "\1a\0\1b\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5";
	size_t len = sizeof(rdata) - 1;
	struct soa soa;

	cr_assert(eq(int, soa_view(bytes_of(rdata, len), &soa), ERR_OK));
	cr_expect(eq(uint, soa.mname.len, 3));
	cr_expect(eq(ptr, (void *)soa.rname.at, (void *)(rdata + 3)));
	cr_expect(eq(u32, soa.serial, 1));
	cr_expect(eq(u32, soa.refresh_s, 2));
	cr_expect(eq(u32, soa.retry_s, 3));
	cr_expect(eq(u32, soa.expire_s, 4));
	cr_expect(eq(u32, soa.minimum_s, 5));
	for (size_t cut = 0; cut < len; cut++) {
		cr_expect(ne(int, soa_view(bytes_of(rdata, cut), &soa), ERR_OK));
	}
}

static const struct {
	const char *line;
	const char *text; /* NULL: refused */
} lines[] = {
	{ "www 300 IN A 1.2.3.4", "www.ex.\t300\tIN\tA\t1.2.3.4\n" },
	{ "www IN 300 A 1.2.3.4", "www.ex.\t300\tIN\tA\t1.2.3.4\n" },
	{ "www\tA\t1.2.3.4", "www.ex.\t60\tIN\tA\t1.2.3.4\n" },
	{ "@ in 1h30m mx 10 mail", "ex.\t5400\tIN\tMX\t10 mail.ex.\n" },
	{ "a.b. 0 CLASS3 TYPE65280 \\# 2 abcd", "a.b.\t0\tCH\tTYPE65280\t\\# 2 ABCD\n" },
	{ "@ CH A \\# 1 00", "ex.\t60\tCH\tA\t\\# 1 00\n" },
	{ "@ CH TXT \"a b\" c", "ex.\t60\tCH\tTXT\t\"a b\" \"c\"\n" },
	{ "* NS @", "*.ex.\t60\tIN\tNS\tex.\n" },
	{ "a\\.b TXT \"\"", "a\\.b.ex.\t60\tIN\tTXT\t\"\"\n" },
	{ "www 2147483647 A 1.2.3.4", "www.ex.\t2147483647\tIN\tA\t1.2.3.4\n" },
	{ "www 2147483648 A 1.2.3.4", NULL },
	{ "@ CH A 1.2.3.4", NULL },
	{ "www A", NULL },
	{ "www", NULL },
	{ "", NULL },
	{ "www 1 2 A 1.2.3.4", NULL },
	{ "www IN IN A 1.2.3.4", NULL },
	{ "www IN NOTYPE 1", NULL },
	{ "www A 1.2.3.4 x", NULL },
	{ "\"www\" A 1.2.3.4", NULL },
};

TEST(rr, reads_lines)
{
	static struct rr_scratch scratch;
	struct name_buf buf;

	cr_assert(eq(int, name_parse(bytes_str("ex."), NULL, &buf), ERR_OK));
	struct name origin = name_of(&buf);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct rr rr;
		char text[256];
		struct writer w = writer_of(text, sizeof(text));
		enum err e = rr_parse(bytes_str(lines[i].line), &origin, 60, &scratch, &rr);
		cr_expect(eq(int, e, lines[i].text == NULL ? ERR_TEXT : ERR_OK), "%s",
		          lines[i].line);
		if (e == ERR_OK && lines[i].text != NULL) {
			cr_expect(rr_print(&rr, &w));
			cr_expect(bytes_equal(writer_bytes(&w), bytes_str(lines[i].text)), "%.*s",
			          (int)w.len, text);
		}
	}
}

TEST(rr, prints_all_or_nothing)
{
	static struct rr_scratch scratch;
	struct rr rr;
	char text[64];

	cr_assert(
		eq(int, rr_parse(bytes_str("a. 1 IN A 1.2.3.4"), NULL, 0, &scratch, &rr), ERR_OK));
	for (size_t cap = 0; cap < sizeof("a.\t1\tIN\tA\t1.2.3.4\n") - 1; cap++) {
		struct writer w = writer_of(text, cap);
		cr_expect(not(rr_print(&rr, &w)));
		cr_expect(eq(sz, w.len, 0));
	}
}
