/* SPDX-License-Identifier: MIT */
#include "dns/message.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "dns/rdata.h"
#include "tests/test.h"

#define SEED 0x636f6d70

/* One record of text; rdata and owner live in `scratch`. */
static struct rr rr_of(const char *line, struct rr_scratch *scratch)
{
	struct rr rr;

	cr_assert(eq(int, rr_parse(bytes_str(line), NULL, 300, scratch, &rr), ERR_OK), "%s", line);
	return rr;
}

static bool put(struct composer *c, enum section section, const char *line)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr = rr_of(line, scratch);
	bool fits = composer_rr(c, section, &rr);

	free(scratch);
	return fits;
}

/* The records of a message, as text. */
static void expect_records(struct bytes message, const char *const *lines, size_t count)
{
	struct rr_scratch *scratch = mem_new(2 * sizeof(*scratch));
	struct reader r = reader_of(message);
	struct header h;
	struct question q;

	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	for (unsigned i = 0; i < h.qdcount; i++) {
		cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	}
	cr_expect(eq(sz, (size_t)h.ancount + h.nscount + h.arcount, count));
	for (size_t i = 0; i < count; i++) {
		struct rr want = rr_of(lines[i], &scratch[0]);
		struct rr got;

		cr_assert(eq(int, rr_read(&r, &scratch[1], &got), ERR_OK), "%s", lines[i]);
		cr_expect(name_equal(got.owner, want.owner), "%s", lines[i]);
		cr_expect(got.type == want.type && got.class == want.class && got.ttl == want.ttl);
		cr_expect(eq(int, rdata_compare(got.type, got.rdata, want.rdata), 0), "%s",
		          lines[i]);
	}
	cr_expect(eq(sz, reader_left(&r), 0));
	free(scratch);
}

static const char *const records[] = {
	"www.example.com. 60 IN A 192.0.2.1",
	"WWW.Example.com. 60 IN AAAA 2001:db8::1",
	"example.com. 60 IN NS ns1.example.com.",
	"example.com. 60 IN NS ns2.example.net.",
	"example.com. 60 IN MX 10 mail.example.com.",
	"example.com. 60 IN SOA ns1.example.com. host.example.com. 7 8 9 10 11",
	"_sip._tcp.example.com. 60 IN SRV 1 2 3 sip.example.com.",
	"x.y.z.example.com. 60 IN CNAME y.z.example.com.",
	"d.example.com. 60 IN DNAME example.net.",
	". 60 IN NS a.root-servers.net.",
	"example.com. 60 IN TXT \"mail.example.com.\"",
};

TEST(composer, writes_what_can_be_read)
{
	uint8_t buf[1024];
	struct composer c;
	struct name_buf q;

	cr_assert(eq(int, name_parse(bytes_str("www.example.com."), NULL, &q), ERR_OK));
	composer_init(&c, buf, sizeof(buf));
	cr_assert(composer_question(&c, name_of(&q), TYPE_ANY, CLASS_IN));
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		cr_assert(put(&c, SECTION_ANSWER, records[i]));
	}
	expect_records(composer_finish(&c, 7, FLAG_QR), records, ARRAY_LEN(records));
}

/* The octets themselves: which names are compressed, against what, and which are not. */
TEST(composer, compresses_what_rfc_3597_allows)
{
	static const char want[] = "\0\7\x84\0\0\1\0\3\0\0\0\0"
				   "\2ex\0\0\2\0\1"
				   "\1a\300\14\0\2\0\1\0\0\0\1\0\2\300\24"
				   "\300\24\0\17\0\1\0\0\0\1\0\6\0\5\1b\300\24"
				   "\300\62\0\41\0\1\0\0\0\1\0\14\0\1\0\2\0\3\1a\2ex";
	uint8_t buf[512];
	struct composer c;

	composer_init(&c, buf, sizeof(buf));
	cr_assert(composer_question(&c, (struct name){ (const uint8_t *)"\2ex", 4, 1 }, TYPE_NS,
	                            CLASS_IN));
	cr_assert(put(&c, SECTION_ANSWER, "a.ex. 1 IN NS a.ex."));
	cr_assert(put(&c, SECTION_ANSWER, "a.ex. 1 IN MX 5 b.a.ex."));
	cr_assert(put(&c, SECTION_ANSWER, "b.a.ex. 1 IN SRV 1 2 3 a.ex."));
	composer_finish(&c, 7, FLAG_QR | FLAG_AA);
	cr_expect(eq(sz, c.w.len, sizeof(want)));
	cr_expect(eq(int, memcmp(buf, want, sizeof(want)), 0));
}

/* The owner of the second record, as it is read back. */
static void second_owner(bool keep_case, const char *first, const char *second, uint8_t octets[4])
{
	uint8_t buf[512];
	struct composer c;
	struct reader r;
	struct name_buf n;

	composer_init(&c, buf, sizeof(buf));
	c.keep_case = keep_case;
	cr_assert(put(&c, SECTION_ANSWER, first));
	cr_assert(put(&c, SECTION_ANSWER, second));
	r = reader_of(composer_finish(&c, 0, 0));
	r.pos = MESSAGE_HEADER_LEN + 5 + 10 + 4; /* after the first record */
	cr_assert(eq(int, name_read(&r, &n), ERR_OK));
	cr_assert(eq(int, n.len, 5));
	memcpy(octets, n.octets, 4);
}

TEST(composer, keeps_the_case_of_letters_on_demand)
{
	uint8_t got[4];

	second_owner(false, "a.B. 1 IN A 192.0.2.1", "A.b. 1 IN A 192.0.2.1", got);
	cr_expect(eq(int, memcmp(got, "\1a\1B", 4), 0));
	second_owner(true, "a.B. 1 IN A 192.0.2.1", "A.b. 1 IN A 192.0.2.1", got);
	cr_expect(eq(int, memcmp(got, "\1A\1b", 4), 0));
	second_owner(true, "a.B. 1 IN A 192.0.2.1", "A.B. 1 IN A 192.0.2.1", got);
	cr_expect(eq(int, memcmp(got, "\1A\1B", 4), 0));
}

/* Whatever the buffer's size: whole records, nothing after its end, no trace of those refused. */
TEST(composer, stops_at_the_end)
{
	uint8_t buf[300];

	for (size_t cap = MESSAGE_HEADER_LEN; cap < 280; cap++) {
		const char *fitting[ARRAY_LEN(records)];
		struct composer c;
		size_t count = 0;

		memset(buf, 0xee, sizeof(buf));
		composer_init(&c, buf, cap);
		for (size_t i = 0; i < ARRAY_LEN(records); i++) {
			size_t len = c.w.len;

			if (put(&c, SECTION_ANSWER, records[i])) {
				fitting[count++] = records[i];
			} else {
				cr_expect(eq(sz, c.w.len, len));
			}
		}
		expect_records(composer_finish(&c, 0, 0), fitting, count);
		for (size_t i = cap; i < sizeof(buf); i++) {
			cr_assert(eq(int, buf[i], 0xee), "octet %zu of %zu", i, cap);
		}
	}
}

TEST(composer, keeps_a_reserve_for_opt)
{
	const size_t full = MESSAGE_HEADER_LEN + 3 + 10 + 4;
	const struct edns edns = { .udp_size = 1232, .dnssec_ok = true, .extended_rcode = 1 };

	for (size_t cap = full; cap <= full + EDNS_OPT_LEN; cap++) {
		uint8_t buf[128];
		struct composer c;
		bool fits = cap == full + EDNS_OPT_LEN;

		composer_init(&c, buf, cap);
		composer_reserve(&c, EDNS_OPT_LEN);
		cr_expect(eq(int, put(&c, SECTION_ANSWER, "a. 1 IN A 192.0.2.1"), fits));
		cr_expect(eq(int, composer_edns(&c, &edns), cap >= 12 + EDNS_OPT_LEN));
		cr_expect(eq(sz, c.reserve, cap >= 12 + EDNS_OPT_LEN ? 0 : EDNS_OPT_LEN));
		if (fits) {
			struct reader r = reader_of(composer_finish(&c, 0, FLAG_QR));
			struct message_tail tail;
			struct header h;

			cr_assert(eq(int, header_read(&r, &h), ERR_OK));
			cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
			cr_expect(tail.edns.present && tail.edns.dnssec_ok);
			cr_expect(eq(int, tail.edns.udp_size, 1232));
			cr_expect(eq(int, tail.edns.extended_rcode, 1));
			cr_expect(h.ancount == 1 && h.arcount == 1);
		}
	}
}

/* A record of a name that begins shortly before offset 0x4000, or after it, and again. */
TEST(composer, points_below_0x4000_only)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	static const char *const after[] = {
		"a.b.c.d.example. 1 IN A 192.0.2.1", "a.b.c.d.example. 1 IN A 192.0.2.2",
		"b.c.d.example. 1 IN A 192.0.2.3",   "d.example. 1 IN NS x.c.d.example.",
		"x.c.d.example. 1 IN A 192.0.2.4",
	};
	static const uint8_t rdata[0x4000];

	for (size_t begin = 0x4000 - 24; begin <= 0x4002; begin++) {
		struct rr filler = { .owner = { (const uint8_t *)"", 1, 0 },
			             .type = 65280,
			             .class = CLASS_IN,
			             .rdata = { rdata, begin - MESSAGE_HEADER_LEN - 11 } };
		struct rr_scratch *scratch = mem_new(sizeof(*scratch));
		struct composer c;
		struct reader r;

		composer_init(&c, buf, sizeof(buf));
		cr_assert(composer_rr(&c, SECTION_ANSWER, &filler));
		cr_assert(eq(sz, c.w.len, begin));
		for (size_t i = 0; i < ARRAY_LEN(after); i++) {
			cr_assert(put(&c, SECTION_ANSWER, after[i]));
		}
		r = reader_of(composer_finish(&c, 0, 0));
		r.pos = begin;
		for (size_t i = 0; i < ARRAY_LEN(after); i++) {
			struct rr got;
			struct name_buf owner;
			struct bytes text = { (const uint8_t *)after[i], strcspn(after[i], " ") };

			cr_assert(eq(int, rr_read(&r, scratch, &got), ERR_OK));
			cr_assert(eq(int, name_parse(text, NULL, &owner), ERR_OK));
			cr_expect(name_equal(got.owner, name_of(&owner)), "%s at %zx", after[i],
			          begin);
		}
		cr_expect(eq(sz, reader_left(&r), 0));
		free(scratch);
	}
}

/* A random name that often has suffixes in common with others. */
static struct name random_name(struct env_fake *f, struct name_buf *buf)
{
	char text[64];
	size_t len = 0;

	for (unsigned i = env_random_below(&f->env, 5); i > 0; i--) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%u.",
		                        "aA"[env_random_below(&f->env, 2)],
		                        env_random_below(&f->env, 40));
	}
	snprintf(text + len, sizeof(text) - len, "%s", len == 0 ? "." : "");
	cr_assert(eq(int, name_parse(bytes_str(text), NULL, buf), ERR_OK));
	return name_of(buf);
}

#define MODEL_MAX 4000

/* Records come and go back to marks; what remains is read back as it was put. More names than the
 * composer remembers, more octets than pointers reach. */
TEST(composer, agrees_with_a_list_under_marks_and_rollbacks)
{
	static uint8_t buf[MESSAGE_MAX_LEN];
	static struct name_buf owners[MODEL_MAX], targets[MODEL_MAX];
	static struct composer c, before;
	struct env_fake f;

	env_fake_init(&f, SEED);
	for (unsigned round = 0; round < 20; round++) {
		struct rr_scratch *scratch = mem_new(sizeof(*scratch));
		size_t cap = round % 2 == 0 ? sizeof(buf) : 600;
		unsigned count = 0;
		struct reader r;

		composer_init(&c, buf, cap);
		c.keep_case = round % 4 < 2;
		for (bool fits = true; fits && count + 5 < MODEL_MAX;) {
			struct composer_mark mark = composer_mark(&c);
			unsigned old = count;

			before = c;
			for (unsigned i = env_random_below(&f.env, 5); i > 0 && fits; i--) {
				struct name target = random_name(&f, &targets[count]);
				struct rr rr = { .owner = random_name(&f, &owners[count]),
					         .type = TYPE_NS,
					         .class = CLASS_IN,
					         .rdata = name_bytes(target) };

				fits = composer_rr(&c, SECTION_ANSWER, &rr);
				count += fits ? 1 : 0;
			}
			if (env_random_below(&f.env, 3) == 0) {
				composer_rollback(&c, mark);
				count = old;
				cr_assert(eq(int,
				             memcmp(c.buckets, before.buckets, sizeof(c.buckets)),
				             0));
				cr_assert(eq(sz, c.w.len, before.w.len));
			}
		}
		r = reader_of(composer_finish(&c, 0, 0));
		cr_assert(eq(int, load_u16(buf + 6), count));
		r.pos = MESSAGE_HEADER_LEN;
		for (unsigned i = 0; i < count; i++) {
			struct rr got;
			struct name owner = name_of(&owners[i]);

			cr_assert(eq(int, rr_read(&r, scratch, &got), ERR_OK));
			cr_assert(name_equal(got.owner, owner));
			if (c.keep_case) {
				cr_assert(bytes_equal(name_bytes(got.owner), name_bytes(owner)));
				cr_assert(bytes_equal(got.rdata, name_bytes(name_of(&targets[i]))));
			} else {
				cr_assert(eq(int,
				             rdata_compare(TYPE_NS, got.rdata,
				                           name_bytes(name_of(&targets[i]))),
				             0));
			}
		}
		cr_assert(eq(sz, reader_left(&r), 0));
		free(scratch);
	}
}
