/* SPDX-License-Identifier: MIT */
#include "dns/message.h"

#include "tests/test.h"

#define HEADER(qd, an, ns, ar) "\x12\x34\x84\x05\0" qd "\0" an "\0" ns "\0" ar
#define QUESTION               "\2ex\0\0\6\0\1"
#define RR_A                   "\300\14\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1"
#define OPT                    "\0\0\x29\x10\0\0\0\x80\0\0\0"
#define OPT_OPTION             "\0\0\x29\4\xd0\xab\3\0\0\0\6\0\3\0\2xy"
#define OPT_HALF_OPTION        "\0\0\x29\4\xd0\0\0\0\0\0\5\0\3\0\2x"
#define OPT_NOT_ROOT           "\300\14\0\x29\4\xd0\0\0\0\0\0\0"
#define TSIG                   "\1k\0\0\xfa\0\xff\0\0\0\0\0\0"
#define M(s)                                                                                       \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}

static const struct {
	const char *title;
	struct bytes message;
	enum err want;
	size_t tsig_at;
	bool edns;
} tails[] = {
	{ "nothing", M(HEADER("\1", "\0", "\0", "\0") QUESTION), ERR_OK, 0, false },
	{ "records alone", M(HEADER("\1", "\1", "\1", "\1") QUESTION RR_A RR_A RR_A), ERR_OK, 0,
	  false },
	{ "OPT", M(HEADER("\1", "\1", "\0", "\1") QUESTION RR_A OPT), ERR_OK, 0, true },
	{ "OPT with an option", M(HEADER("\1", "\0", "\0", "\1") QUESTION OPT_OPTION), ERR_OK, 0,
	  true },
	{ "OPT and TSIG", M(HEADER("\1", "\0", "\0", "\2") QUESTION OPT TSIG), ERR_OK, 31, true },
	{ "TSIG alone", M(HEADER("\1", "\1", "\0", "\1") QUESTION RR_A TSIG), ERR_OK, 36, false },
	{ "OPT after another record", M(HEADER("\1", "\0", "\0", "\2") QUESTION RR_A OPT), ERR_OK,
	  0, true },
	{ "two OPT", M(HEADER("\1", "\0", "\0", "\2") QUESTION OPT OPT), ERR_WIRE_TSIG, 0, false },
	{ "OPT in the answer", M(HEADER("\1", "\1", "\0", "\0") QUESTION OPT), ERR_WIRE_TSIG, 0,
	  false },
	{ "OPT in the authority", M(HEADER("\1", "\0", "\1", "\0") QUESTION OPT), ERR_WIRE_TSIG, 0,
	  false },
	{ "OPT of another name", M(HEADER("\1", "\0", "\0", "\1") QUESTION OPT_NOT_ROOT),
	  ERR_WIRE_TSIG, 0, false },
	{ "half an option", M(HEADER("\1", "\0", "\0", "\1") QUESTION OPT_HALF_OPTION),
	  ERR_WIRE_RDATA, 0, false },
	{ "TSIG before the last", M(HEADER("\1", "\0", "\0", "\2") QUESTION TSIG OPT),
	  ERR_WIRE_TSIG, 0, false },
	{ "two TSIG", M(HEADER("\1", "\0", "\0", "\2") QUESTION TSIG TSIG), ERR_WIRE_TSIG, 0,
	  false },
	{ "TSIG in the answer", M(HEADER("\1", "\1", "\0", "\0") QUESTION TSIG), ERR_WIRE_TSIG, 0,
	  false },
	{ "fewer records than counted", M(HEADER("\1", "\2", "\0", "\0") QUESTION RR_A),
	  ERR_WIRE_SHORT, 0, false },
	{ "more records than counted", M(HEADER("\1", "\1", "\0", "\0") QUESTION RR_A RR_A),
	  ERR_WIRE_TRAILING, 0, false },
	{ "an octet left over", M(HEADER("\1", "\0", "\0", "\0") QUESTION "x"), ERR_WIRE_TRAILING,
	  0, false },
	{ "rdata cut off",
	  M(HEADER("\1", "\1", "\0", "\0") QUESTION "\300\14\0\1\0\1\0\0\0\1\0\4\x7f"),
	  ERR_WIRE_SHORT, 0, false },
	{ "owner with a reserved label", M(HEADER("\1", "\1", "\0", "\0") QUESTION "\100a"),
	  ERR_WIRE_NAME, 0, false },
};

TEST(message, finds_what_stands_at_the_end)
{
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		struct reader r = reader_of(tails[i].message);
		struct header h;
		struct question q;
		struct message_tail tail;
		size_t pos;

		cr_assert(eq(int, header_read(&r, &h), ERR_OK));
		cr_assert(eq(int, question_read(&r, &q), ERR_OK));
		pos = r.pos;
		cr_expect(eq(int, message_tail_read(&r, &h, &tail), tails[i].want), "%s",
		          tails[i].title);
		cr_expect(eq(sz, r.pos, pos), "the reader is not moved");
		if (tails[i].want == ERR_OK) {
			cr_expect(eq(sz, tail.tsig_at, tails[i].tsig_at), "%s", tails[i].title);
			cr_expect(eq(int, tail.edns.present, tails[i].edns), "%s", tails[i].title);
		}
	}
}

/* Every count says more than there can be: the walk ends with the message. */
TEST(message, counts_are_not_believed)
{
	static const char wire[] = "\0\0\0\0\377\377\377\377\377\377\377\377";
	struct reader r = reader_of(bytes_of(wire, 12));
	struct header h;
	struct message_tail tail;

	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_expect(eq(int, message_tail_read(&r, &h, &tail), ERR_WIRE_SHORT));
}

TEST(message, reads_header_and_question)
{
	struct bytes whole = M(HEADER("\1", "\2", "\3", "\4") QUESTION);

	for (size_t len = 0; len <= whole.len; len++) {
		struct reader r = reader_of(bytes_of(whole.at, len));
		struct header h;
		struct question q;
		enum err e = header_read(&r, &h);

		cr_expect(eq(int, e, len < MESSAGE_HEADER_LEN ? ERR_WIRE_SHORT : ERR_OK));
		if (e != ERR_OK) {
			continue;
		}
		cr_expect(eq(int, h.id, 0x1234));
		cr_expect(eq(int, h.flags, FLAG_QR | FLAG_AA | RCODE_REFUSED));
		cr_expect(eq(int, header_opcode(&h), OPCODE_QUERY));
		cr_expect(eq(int, header_rcode(&h), RCODE_REFUSED));
		cr_expect(h.qdcount == 1 && h.ancount == 2 && h.nscount == 3 && h.arcount == 4);
		e = question_read(&r, &q);
		cr_expect(eq(int, e, len < whole.len ? ERR_WIRE_SHORT : ERR_OK));
		if (e == ERR_OK) {
			cr_expect(eq(int, q.type, TYPE_SOA));
			cr_expect(eq(int, q.class, CLASS_IN));
			cr_expect(eq(int, q.name.len, 4));
		}
	}
	cr_expect(eq(int, header_opcode(&(struct header){ .flags = 0x2000 }), OPCODE_NOTIFY));
}

TEST(message, reads_edns_fields)
{
	struct bytes whole = M(HEADER("\0", "\0", "\0", "\1") OPT_OPTION);
	struct bytes dnssec = M(HEADER("\0", "\0", "\0", "\1") OPT);
	struct reader r = reader_of(whole);
	struct header h;
	struct message_tail tail;

	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	cr_expect(eq(int, tail.edns.version, 3));
	cr_expect(eq(int, tail.edns.extended_rcode, 0xab));
	cr_expect(eq(int, tail.edns.udp_size, 1232));
	cr_expect(eq(int, tail.edns.dnssec_ok, false));
	cr_expect(bytes_equal(tail.edns.options, bytes_of("\0\3\0\2xy", 6)));
	r = reader_of(dnssec);
	r.pos = MESSAGE_HEADER_LEN;
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	cr_expect(eq(int, tail.edns.dnssec_ok, true));
	cr_expect(eq(int, tail.edns.udp_size, 4096));
}
