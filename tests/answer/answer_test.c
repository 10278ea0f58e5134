/* SPDX-License-Identifier: MIT
 *
 * One zone with everything that makes answers differ, and a table of questions with the whole
 * response expected, as text: RCODE, flags, and the records of each section. */
#include "answer/answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "zonestore/journal_memory.h"

#include "tests/test.h"

#define TEXT_MAX (256 * 1024)
#define SERVERS  40 /* of one delegation */

static const char *const zone_text[] = {
	"example. 3600 IN SOA ns1.example. host.example. 7 3600 600 86400 300",
	"example. 3600 IN NS ns1.example.",
	"example. 3600 IN NS ns2.other.",
	"example. 3600 IN MX 10 mail.example.",
	"ns1.example. 3600 IN A 192.0.2.1",
	"ns1.example. 3600 IN AAAA 2001:db8::1",
	"mail.example. 300 IN A 192.0.2.25",
	"Www.example. 60 IN CNAME web.example.",
	"web.example. 60 IN A 192.0.2.80",
	"out.example. 60 IN CNAME www.elsewhere.",
	"loop.example. 60 IN CNAME loop2.example.",
	"loop2.example. 60 IN CNAME loop.example.",
	"dloop.example. 60 IN DNAME dloop2.example.",
	"dloop2.example. 60 IN DNAME dloop.example.",
	"c0.example. 60 IN CNAME c1.example.",
	"c1.example. 60 IN CNAME c2.example.",
	"c2.example. 60 IN CNAME c3.example.",
	"c3.example. 60 IN CNAME c4.example.",
	"c4.example. 60 IN CNAME c5.example.",
	"c5.example. 60 IN CNAME c6.example.",
	"c6.example. 60 IN CNAME c7.example.",
	"c7.example. 60 IN CNAME c8.example.",
	"c8.example. 60 IN CNAME c9.example.",
	"c9.example. 60 IN CNAME d0.example.",
	"d0.example. 60 IN CNAME d1.example.",
	"d1.example. 60 IN CNAME d2.example.",
	"d2.example. 60 IN CNAME d3.example.",
	"d3.example. 60 IN CNAME d4.example.",
	"d4.example. 60 IN CNAME d5.example.",
	"d5.example. 60 IN CNAME d6.example.",
	"d6.example. 60 IN CNAME d7.example.",
	"deep.empty.example. 60 IN TXT \"here\"",
	"*.wild.example. 60 IN TXT \"any\"",
	"there.wild.example. 60 IN A 192.0.2.9",
	"*.cwild.example. 60 IN CNAME web.example.",
	"sub.example. 3600 IN NS ns.sub.example.",
	"sub.example. 3600 IN NS ns1.example.",
	"sub.example. 3600 IN DS 1 8 2 "
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	"ns.sub.example. 3600 IN A 192.0.2.53",
	"hidden.sub.example. 3600 IN A 192.0.2.54",
	"tosub.example. 60 IN CNAME x.sub.example.",
	"dn.example. 60 IN DNAME dt.example.",
	"a.dt.example. 60 IN A 192.0.2.77",
	"long.example. 60 IN DNAME "
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.",
	"_sip._tcp.example. 60 IN SRV 1 2 5060 mail.example.",
	"two.example. 60 IN A 192.0.2.2",
	"two.example. 60 IN TXT \"both\"",
};

struct fixture {
	struct env_fake env;
	struct events events;
	struct memory_disk *disk;
	struct epoch *epoch;
	struct pool *pool;
	struct store *store;
	struct answer_scratch *scratch;
	struct rr_scratch *rr;
	char *text;
	enum err committed;
};

static struct fixture *committing; /* the fixture whose commit is under way */

static void post_now(void *self, unsigned shard, struct store_task *task)
{
	(void)self;
	cr_assert(eq(uint, shard, 0));
	task->fn(task);
}

static void on_committed(struct commit *c, enum err e)
{
	(void)c;
	committing->committed = e;
}

static struct name_buf name_text(const char *text)
{
	struct name_buf out;

	cr_assert(eq(int, name_parse(bytes_str(text), NULL, &out), ERR_OK), "%s", text);
	return out;
}

static struct snapshot *build(struct fixture *f, const char *apex_text, const char *const *lines,
                              size_t count)
{
	struct name_buf apex = name_text(apex_text);
	struct builder_options options = { .pool = f->pool, .apex = name_of(&apex) };
	struct builder *b = builder_new(&options);
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct snapshot *snap = NULL;

	for (size_t i = 0; i < count; i++) {
		struct rr rr;
		cr_assert(eq(int, rr_parse(bytes_str(lines[i]), NULL, 60, f->rr, &rr), ERR_OK),
		          "%s", lines[i]);
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK), "%s", lines[i]);
	}
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	return snap;
}

static void serve(struct fixture *f, const char *apex_text, const char *const *lines, size_t count)
{
	struct name_buf apex = name_text(apex_text);
	struct zone_timers timers = { .refresh_at_s = 1 };
	struct commit c = { .done = on_committed };
	struct zone *zone;

	committing = f;
	f->committed = ERR_BUSY;
	cr_assert(eq(int, store_add(f->store, name_of(&apex), &zone), ERR_OK));
	if (count == 0) {
		return; /* known, but nothing to serve */
	}
	cr_assert(eq(int,
	             store_commit(f->store, zone, build(f, apex_text, lines, count), &timers, &c),
	             ERR_OK));
	while (store_step(f->store)) {
	}
	cr_assert(eq(int, f->committed, ERR_OK));
}

static void fixture_init(struct fixture *f)
{
	struct pool_options pool_options = { 0 };
	struct store_options options;

	*f = (struct fixture){ 0 };
	env_fake_init(&f->env, 1);
	events_init(&f->events, &f->env.env, 2);
	f->epoch = epoch_new();
	f->disk = memory_disk_new();
	pool_options = (struct pool_options){ .env = &f->env.env, .epoch = f->epoch };
	cr_assert(eq(int, pool_new(&pool_options, &f->pool), ERR_OK));
	options = (struct store_options){ .env = &f->env.env,
		                          .events = &f->events,
		                          .epoch = f->epoch,
		                          .pool = f->pool,
		                          .journal = journal_memory_new(f->disk),
		                          .shard_count = 1,
		                          .post = post_now };
	cr_assert(eq(int, store_new(&options, &f->store), ERR_OK));
	cr_assert(eq(int, store_load(f->store), ERR_OK));
	f->scratch = mem_zero(1, sizeof(*f->scratch));
	f->rr = mem_zero(1, sizeof(*f->rr));
	f->text = mem_zero(1, TEXT_MAX);
	serve(f, "example.", zone_text, ARRAY_LEN(zone_text));
	serve(f, "empty-zone.", NULL, 0);
}

static void fixture_fini(struct fixture *f)
{
	store_free(f->store);
	epoch_free(f->epoch);
	pool_free(f->pool);
	memory_disk_free(f->disk);
	free(f->scratch);
	free(f->rr);
	free(f->text);
}

/* Writes the response as text: "NOERROR aa" and a line a record, "an ...", "au ...", "ad ...". */
static void response_text(struct fixture *f)
{
	static const char *const rcodes[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
		                              "NOTIMP",  "REFUSED", "YXDOMAIN" };
	static const char *const sections[] = { "an ", "au ", "ad " };
	struct bytes message = writer_bytes(&f->scratch->composer.w);
	struct reader r = reader_of(message);
	struct writer w = writer_of(f->text, TEXT_MAX - 1);
	struct question q;
	struct header h;
	struct rr rr;

	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_assert(ne(int, h.flags &FLAG_QR, 0));
	w.len = (size_t)sprintf(f->text, "%s%s%s\n", rcodes[header_rcode(&h)],
	                        h.flags & FLAG_AA ? " aa" : "", h.flags & FLAG_TC ? " tc" : "");
	for (int i = 0; i < h.qdcount; i++) {
		cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	}
	uint16_t counts[] = { h.ancount, h.nscount, h.arcount };
	for (size_t s = 0; s < 3; s++) {
		for (int i = 0; i < counts[s]; i++) {
			cr_assert(eq(int, rr_read(&r, f->rr, &rr), ERR_OK));
			if (rr.type != TYPE_OPT) {
				cr_assert(writer_str(&w, sections[s]) && rr_print(&rr, &w));
			}
		}
	}
	cr_assert(eq(sz, reader_left(&r), 0));
	f->text[w.len] = '\0';
	for (char *c = f->text; *c != '\0'; c++) {
		*c = *c == '\t' ? ' ' : *c;
	}
}

static void ask(struct fixture *f, const char *name, uint16_t type, bool udp, uint16_t size)
{
	struct question q = { name_text(name), type, CLASS_IN };
	struct answer_request rq = { .header = { .id = 77, .qdcount = 1 },
		                     .question = &q,
		                     .udp = udp,
		                     .edns = { .present = size != 0, .udp_size = size } };

	answer_query(f->store, &rq, f->scratch);
	response_text(f);
}

#define SOA300 "au example. 300 IN SOA ns1.example. host.example. 7 3600 600 86400 300\n"
#define NS1                                                                                        \
	"ad ns1.example. 3600 IN A 192.0.2.1\n"                                                    \
	"ad ns1.example. 3600 IN AAAA 2001:db8::1\n"

#define SUB                                                                                        \
	"au sub.example. 3600 IN NS ns.sub.example.\n"                                             \
	"au sub.example. 3600 IN NS ns1.example.\n"                                                \
	"ad ns.sub.example. 3600 IN A 192.0.2.53\n" NS1

static const struct {
	const char *name;
	uint16_t type;
	const char *want;
} cases[] = {
	{ "example.", TYPE_SOA,
	  "NOERROR aa\nan example. 3600 IN SOA ns1.example. host.example. 7 3600 600 86400 300\n" },
	{ "example.", TYPE_NS,
	  "NOERROR aa\nan example. 3600 IN NS ns1.example.\nan example. 3600 IN NS "
	  "ns2.other.\n" NS1 },
	{ "EXAMPLE.", TYPE_MX,
	  /* names are compressed against the question's spelling */
	  "NOERROR aa\nan EXAMPLE. 3600 IN MX 10 mail.EXAMPLE.\nad mail.EXAMPLE. 300 IN A "
	  "192.0.2.25\n" },
	{ "example.", TYPE_A, "NOERROR aa\n" SOA300 },
	{ "web.example.", TYPE_A, "NOERROR aa\nan web.example. 60 IN A 192.0.2.80\n" },
	{ "www.example.", TYPE_A,
	  "NOERROR aa\nan www.example. 60 IN CNAME web.example.\nan web.example. 60 IN A "
	  "192.0.2.80\n" },
	{ "www.example.", TYPE_CNAME, "NOERROR aa\nan www.example. 60 IN CNAME web.example.\n" },
	{ "www.example.", TYPE_AAAA,
	  "NOERROR aa\nan www.example. 60 IN CNAME web.example.\n" SOA300 },
	{ "out.example.", TYPE_A, "NOERROR aa\nan out.example. 60 IN CNAME www.elsewhere.\n" },
	{ "nope.example.", TYPE_A, "NXDOMAIN aa\n" SOA300 },
	{ "empty.example.", TYPE_A, "NOERROR aa\n" SOA300 },
	{ "x.empty.example.", TYPE_A, "NXDOMAIN aa\n" SOA300 },
	{ "wild.example.", TYPE_TXT, "NOERROR aa\n" SOA300 },
	{ "x.wild.example.", TYPE_TXT, "NOERROR aa\nan x.wild.example. 60 IN TXT \"any\"\n" },
	{ "x.y.wild.example.", TYPE_TXT, "NOERROR aa\nan x.y.wild.example. 60 IN TXT \"any\"\n" },
	{ "x.wild.example.", TYPE_A, "NOERROR aa\n" SOA300 },
	{ "there.wild.example.", TYPE_TXT, "NOERROR aa\n" SOA300 },
	{ "x.there.wild.example.", TYPE_TXT, "NXDOMAIN aa\n" SOA300 },
	{ "*.wild.example.", TYPE_TXT, "NOERROR aa\nan *.wild.example. 60 IN TXT \"any\"\n" },
	{ "q.cwild.example.", TYPE_A,
	  "NOERROR aa\nan q.cwild.example. 60 IN CNAME web.example.\nan web.example. 60 IN A "
	  "192.0.2.80\n" },
	{ "sub.example.", TYPE_A, "NOERROR\n" SUB },
	{ "hidden.sub.example.", TYPE_A, "NOERROR\n" SUB },
	{ "sub.example.", TYPE_DS,
	  "NOERROR aa\nan sub.example. 3600 IN DS 1 8 2 "
	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n" },
	{ "tosub.example.", TYPE_A,
	  "NOERROR aa\nan tosub.example. 60 IN CNAME x.sub.example.\n" SUB },
	{ "a.dn.example.", TYPE_A,
	  "NOERROR aa\nan dn.example. 60 IN DNAME dt.example.\nan a.dn.example. 60 IN CNAME "
	  "a.dt.example.\nan a.dt.example. 60 IN A 192.0.2.77\n" },
	{ "b.dn.example.", TYPE_A,
	  "NXDOMAIN aa\nan dn.example. 60 IN DNAME dt.example.\nan b.dn.example. 60 IN CNAME "
	  "b.dt.example.\n" SOA300 },
	{ "b.dn.example.", TYPE_CNAME,
	  "NOERROR aa\nan dn.example. 60 IN DNAME dt.example.\nan b.dn.example. 60 IN CNAME "
	  "b.dt.example.\n" },
	{ "dn.example.", TYPE_DNAME, "NOERROR aa\nan dn.example. 60 IN DNAME dt.example.\n" },
	{ "_sip._tcp.example.", TYPE_SRV,
	  "NOERROR aa\nan _sip._tcp.example. 60 IN SRV 1 2 5060 mail.example.\nad mail.example. "
	  "300 IN A 192.0.2.25\n" },
	{ "two.example.", TYPE_ANY, "NOERROR aa\nan two.example. 60 IN A 192.0.2.2\n" },
	{ "www.example.", TYPE_ANY, "NOERROR aa\nan www.example. 60 IN CNAME web.example.\n" },
	{ "example.", TYPE_ANY,
	  "NOERROR aa\nan example. 3600 IN SOA ns1.example. host.example. 7 3600 600 86400 300\n" },
	{ "elsewhere.", TYPE_A, "REFUSED\n" },
	{ ".", TYPE_NS, "REFUSED\n" },
	{ "empty-zone.", TYPE_SOA, "SERVFAIL\n" },
	{ "example.", TYPE_AXFR, "NOTIMP\n" },
	{ "example.", TYPE_OPT, "FORMERR\n" },
};

TEST(answer, says_what_the_zone_says)
{
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&f, cases[i].name, cases[i].type, true, 1232);
		cr_expect(eq(str, f.text, (char *)cases[i].want), "%s type %u", cases[i].name,
		          cases[i].type);
	}
	fixture_fini(&f);
}

TEST(answer, ends_every_chain)
{
	struct fixture f;

	fixture_init(&f);
	ask(&f, "loop.example.", TYPE_A, false, 0);
	cr_expect(eq(int, strncmp(f.text, "NOERROR aa\n", 11), 0));
	cr_expect(eq(uint, f.scratch->composer.counts[1], 2), "each link once");
	ask(&f, "a.dloop.example.", TYPE_A, false, 0);
	cr_expect(eq(int, strncmp(f.text, "NOERROR aa\n", 11), 0));
	cr_expect(eq(uint, f.scratch->composer.counts[1], 4), "two DNAMEs, two CNAMEs");
	ask(&f, "c0.example.", TYPE_A, false, 0);
	cr_expect(eq(uint, f.scratch->composer.counts[1], ANSWER_CHAIN_MAX));
	fixture_fini(&f);
}

/* RFC 9471 §3.1: all glue below the cut, or TC. */
TEST(answer, leaves_out_no_glue)
{
	static char lines[2 + 2 * SERVERS][80];
	const char *zone[2 + 2 * SERVERS];
	struct fixture f;

	fixture_init(&f);
	snprintf(lines[0], 80, "many. 60 IN SOA ns.many. h.many. 1 60 60 60 60");
	snprintf(lines[1], 80, "many. 60 IN NS ns.elsewhere.");
	for (unsigned i = 0; i < SERVERS; i++) {
		snprintf(lines[2 + i], 80, "sub.many. 60 IN NS n%u.sub.many.", i);
		snprintf(lines[2 + SERVERS + i], 80, "n%u.sub.many. 60 IN A 192.0.2.%u", i, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		zone[i] = lines[i];
	}
	serve(&f, "many.", zone, ARRAY_LEN(zone));
	ask(&f, "x.sub.many.", TYPE_A, false, 0);
	cr_expect(eq(uint, f.scratch->composer.counts[2], SERVERS));
	cr_expect(eq(uint, f.scratch->composer.counts[3], SERVERS));
	cr_expect(eq(int, strncmp(f.text, "NOERROR\n", 8), 0));
	ask(&f, "x.sub.many.", TYPE_A, true, 1232);
	cr_expect(eq(int, strncmp(f.text, "NOERROR tc\n", 11), 0));
	fixture_fini(&f);
}

TEST(answer, refuses_a_substituted_name_that_is_too_long)
{
	struct fixture f;
	char name[300];

	fixture_init(&f);
	snprintf(name, sizeof(name), "%060d.%060d.long.example.", 1, 2);
	ask(&f, name, TYPE_A, false, 0);
	cr_expect(eq(int, strncmp(f.text, "YXDOMAIN aa\nan long.example. 60 IN DNAME", 39), 0));
	cr_expect(eq(uint, f.scratch->composer.counts[1], 1));
	fixture_fini(&f);
}

/* An RRset goes in whole or the answer says TC; the message stays within what the client takes. */
TEST(answer, truncates_at_whole_sets)
{
	static const uint16_t sizes[] = { 0, 512, 700, 1232, 4096 };
	const char *lines[103] = { "big. 60 IN SOA a.big. b.big. 1 2 3 4 5", "big. 60 IN NS a.big.",
		                   "a.big. 60 IN A 192.0.2.1" };
	char *text = mem_new(100 * 80);
	struct fixture f;

	fixture_init(&f);
	for (int i = 0; i < 100; i++) {
		lines[3 + i] = text + i * 80;
		snprintf(text + i * 80, 80, "many.big. 60 IN TXT \"%040d\"", i);
	}
	serve(&f, "big.", lines, ARRAY_LEN(lines));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		ask(&f, "many.big.", TYPE_TXT, true, sizes[i]);
		cr_expect(eq(str, f.text, "NOERROR aa tc\n"));
		size_t most = sizes[i] < 512 ? 512 : sizes[i] > 1232 ? 1232 : sizes[i];
		cr_expect(le(sz, f.scratch->composer.w.len, most));
	}
	ask(&f, "many.big.", TYPE_TXT, false, 0);
	cr_expect(eq(int, strncmp(f.text, "NOERROR aa\n", 11), 0));
	cr_expect(eq(uint, f.scratch->composer.counts[1], 100));
	free(text);
	fixture_fini(&f);
}

TEST(answer, answers_bad_questions_and_other_classes)
{
	struct fixture f;
	struct question q = { name_text("example."), TYPE_A, CLASS_CH };
	struct answer_request rq = { .header = { .id = 9, .qdcount = 1 }, .question = &q };

	fixture_init(&f);
	answer_query(f.store, &rq, f.scratch);
	response_text(&f);
	cr_expect(eq(str, f.text, "REFUSED\n"));
	rq.question = NULL;
	answer_query(f.store, &rq, f.scratch);
	response_text(&f);
	cr_expect(eq(str, f.text, "FORMERR\n"));
	fixture_fini(&f);
}

TEST(answer, puts_the_extended_rcode_into_edns)
{
	struct fixture f;
	struct question q = { name_text("example."), TYPE_A, CLASS_IN };
	struct answer_request rq = { .header = { .id = 9, .qdcount = 1, .flags = FLAG_RD },
		                     .question = &q,
		                     .udp = true,
		                     .edns = { .present = true, .version = 1, .udp_size = 512 } };
	struct message_tail tail;
	struct header h;
	struct reader r;

	fixture_init(&f);
	answer_empty(&rq, RCODE_BADVERS, 0, f.scratch);
	r = reader_of(writer_bytes(&f.scratch->composer.w));
	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	cr_expect(eq(uint, header_rcode(&h), 0));
	cr_expect(eq(uint, tail.edns.extended_rcode, 1));
	cr_expect(eq(uint, tail.edns.version, 0));
	cr_expect(ne(uint, h.flags & FLAG_RD, 0));
	fixture_fini(&f);
}
