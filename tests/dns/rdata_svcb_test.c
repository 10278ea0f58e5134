/* SPDX-License-Identifier: MIT */
#include "dns/rdata.h"
#include "tests/test.h"

#define TYPE_SVCB 64

/* Test vectors of RFC 9460 Appendix D: text, octets; and what it says must fail (D.3). */
static const struct {
	const char *text;
	const char *octets;
	size_t len;
} good[] = {
#define M(s) s, sizeof(s) - 1
	{ "0 foo.example.com.", M("\0\0\3foo\7example\3com\0") },
	{ "1 .", M("\0\1\0") },
	{ "16 foo.example.com. port=53", M("\0\20\3foo\7example\3com\0\0\3\0\2\0\65") },
	{ "1 foo.example.com. key667=hello", M("\0\1\3foo\7example\3com\0\2\233\0\5hello") },
	{ "1 foo.example.com. key667=\"hello\\210qoo\"",
	  M("\0\1\3foo\7example\3com\0\2\233\0\11hello\322qoo") },
	{ "1 foo.example.com. ipv6hint=\"2001:db8::1,2001:db8::53:1\"",
	  M("\0\1\3foo\7example\3com\0\0\6\0\40"
	    "\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1\40\1\15\270\0\0\0\0\0\0\0\0\0\123\0\1") },
	{ "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1",
	  M("\0\20\3foo\7example\3org\0\0\0\0\4\0\1\0\4\0\1\0\11\2h2\5h3-19\0\4\0\4\300\0\2\1") },
	{ "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
	  M("\0\20\3foo\7example\3org\0\0\1\0\14\10f\\oo,bar\2h2") },
	{ "16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2",
	  M("\0\20\3foo\7example\3org\0\0\1\0\14\10f\\oo,bar\2h2") },
#undef M
};

TEST(rdata_svcb, reads_the_vectors_of_rfc_9460)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint8_t octets[256];
		struct writer w = writer_of(octets, sizeof(octets));
		cr_assert(
			eq(int, rdata_parse(TYPE_SVCB, bytes_str(good[i].text), NULL, &w), ERR_OK),
			"%s", good[i].text);
		cr_expect(bytes_equal(writer_bytes(&w), bytes_of(good[i].octets, good[i].len)),
		          "%s", good[i].text);
	}
}

TEST(rdata_svcb, refuses_what_rfc_9460_refuses)
{
	static const char *const bad[] = {
		"1 foo.example.com. key123=abc key123=def",
		"1 foo.example.com. mandatory",
		"1 foo.example.com. alpn",
		"1 foo.example.com. port",
		"1 foo.example.com. ipv4hint",
		"1 foo.example.com. ipv6hint",
		"1 foo.example.com. no-default-alpn=abc",
		"1 foo.example.com. mandatory=key123",
		"1 foo.example.com. mandatory=mandatory",
		"1 foo.example.com. mandatory=key123,key123 key123=abc",
		"1 foo.example.com. mandatory=alpn,, alpn=h2",
		"1 foo.example.com. port=65536",
		"1 foo.example.com. key0123=a",
		"1 foo.example.com. nonsense=a",
		"1 foo.example.com. \"port=53\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t octets[256];
		struct writer w = writer_of(octets, sizeof(octets));
		cr_expect(eq(int, rdata_parse(TYPE_SVCB, bytes_str(bad[i]), NULL, &w), ERR_TEXT),
		          "%s", bad[i]);
	}
}

TEST(rdata_svcb, sorts_parameters)
{
	uint8_t octets[256];
	char text[256];
	struct writer w = writer_of(octets, sizeof(octets));
	struct writer t = writer_of(text, sizeof(text));

	cr_assert(eq(int,
	             rdata_parse(TYPE_SVCB,
	                         bytes_str("1 . key9=x port=1 key500 alpn=h2 mandatory=port,alpn"),
	                         NULL, &w),
	             ERR_OK));
	cr_assert(rdata_print(TYPE_SVCB, writer_bytes(&w), &t));
	cr_expect(bytes_equal(
		writer_bytes(&t),
		bytes_str("1 . mandatory=alpn,port alpn=\"h2\" port=1 key9=\"x\" key500")));
}
