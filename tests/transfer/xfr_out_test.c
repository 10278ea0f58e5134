/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/xfr_out_test.c — what we send is what our own session makes the same version of. */
#include "transfer/xfr_out.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/transfer/script.h"
#include "transfer/session_p.h"

struct bench {
	struct env_fake fake;
	struct epoch *epoch;
	struct pool *pool;
	struct script script;
	struct tsig_key *key;
	struct xfr_share *share;
	bool other_case; /* the question's */
	uint8_t *buffer;
};

static void bench_init(struct bench *b, bool signed_)
{
	struct pool_options options;

	*b = (struct bench){ .buffer = mem_new(MESSAGE_MAX_LEN) };
	env_fake_init(&b->fake, 5);
	b->epoch = epoch_new();
	options = (struct pool_options){
		.env = &b->fake.env, .epoch = b->epoch, .parts = 4, .span_bytes = 1U << 30
	};
	cr_assert(eq(int, pool_new(&options, &b->pool), ERR_OK));
	b->key = signed_ ? script_key("k", "a secret of the test") : NULL;
	script_init(&b->script, "example.", b->key);
}

static void bench_fini(struct bench *b)
{
	script_fini(&b->script);
	tsig_key_unref(b->key);
	free(b->buffer);
	epoch_free(b->epoch);
	pool_free(b->pool);
}

static struct tsig_key *find_key(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	const struct bench *b = self;

	(void)name;
	(void)algorithm;
	return b->key;
}

/* What a session asks, read as the dispatcher reads it. */
static struct xfr_out *answer(struct bench *b, struct session *s, const struct snapshot *snap,
                              bool edns)
{
	struct session_clock now = { NS_PER_S, 1000 };
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct xfr_out_request request = { .snap = snap, .edns = { .present = edns } };
	struct tsig_keyring ring = { b, find_key };
	struct tsig_request signed_request;
	struct tsig_stream tsig = { 0 };
	struct message_tail tail;
	struct tsig_record bad;
	struct question q;
	struct bytes message;
	struct reader r;
	struct header h;

	cr_assert(eq(int, session_request(s, now, at, &message), ERR_OK));
	r = reader_of(message);
	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	tsig_stream_init(&tsig, NULL);
	signed_request = (struct tsig_request){ message, tail.tsig_at, 1000 };
	cr_assert(eq(int, tsig_verify_request(&tsig, &ring, &signed_request, &bad), ERR_OK));
	request.question = &q;
	request.id = h.id;
	request.flags = h.flags;
	request.tsig = &tsig;
	request.share = b->share;
	if (b->other_case) {
		q.name.octets[1] ^= 0x20;
	}
	if (q.type == TYPE_IXFR) {
		request.has_serial = true;
		cr_assert(eq(int, xfr_out_read_serial(r, &h, &request.serial), ERR_OK));
	}
	return xfr_out_new(&request);
}

static struct id root_of(const struct snapshot *snap)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	return facts.root;
}

/* Transfers `snap` to a session that has `have`; returns the messages that it took. */
static unsigned transfer(struct bench *b, const struct snapshot *snap, const struct snapshot *have,
                         struct session *s)
{
	static struct rr_scratch scratch;
	struct policy_limits limits = { .transfer_time_s = 60, .idle_time_s = 10 };
	struct session_options options = { .apex = name_of(&b->script.apex),
		                           .pool = b->pool,
		                           .have = have,
		                           .kind = have == NULL ? SESSION_AXFR : SESSION_IXFR,
		                           .id = 7,
		                           .key = b->key,
		                           .limits = &limits };
	struct session_clock now = { NS_PER_S, 1000 };
	struct xfr_out_totals totals;
	struct xfr_out *x;
	struct bytes message;
	unsigned messages = 0;

	session_init(s, &options);
	x = answer(b, s, snap, true);
	for (;;) {
		cr_assert(eq(int, xfr_out_next(x, b->buffer, MESSAGE_MAX_LEN, 1000, &message),
		             ERR_OK));
		if (message.len == 0 && xfr_out_ended(x)) {
			break;
		}
		if (message.len == 0) {
			cr_assert(eq(sz, xfr_out_room(x), MESSAGE_MAX_LEN),
			          "the whole zone needs no walk");
			continue;
		}
		messages++;
		cr_assert(le(int, s->state, SESSION_RECEIVING), "nothing after the end");
		session_message(s, message, now, &scratch);
		cr_assert(ne(int, s->state, SESSION_FAILED), "%s", err_code(s->err));
	}
	xfr_out_totals(x, &totals);
	cr_expect(eq(u64, totals.messages, messages));
	cr_expect(eq(u64, totals.messages, s->messages));
	cr_expect(eq(u64, totals.bytes, s->bytes));
	cr_expect(eq(u64, totals.records, s->records));
	xfr_out_free(x);
	return messages;
}

static void check_copy(struct bench *b, const struct snapshot *snap)
{
	struct session s;
	struct snapshot *made;
	struct id a = root_of(snap), c;

	transfer(b, snap, NULL, &s);
	cr_assert(eq(int, s.state, SESSION_DONE));
	made = session_take_snapshot(&s);
	c = root_of(made);
	cr_expect(id_equal(&a, &c));
	cr_expect(eq(u32, snapshot_serial(made).n, snapshot_serial(snap).n));
	snapshot_unref(made);
	session_fini(&s);
}

TEST(xfr_out, sends_the_version_that_it_holds)
{
	static const uint32_t sizes[] = { 0, 1, 100, 20000 };

	for (unsigned s = 0; s < 2; s++) {
		struct bench b;

		bench_init(&b, s == 1);
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			struct snapshot *snap;

			b.script.size = sizes[i];
			snap = script_build(&b.script, 5, b.pool);
			check_copy(&b, snap);
			snapshot_unref(snap);
		}
		bench_fini(&b);
	}
}

TEST(xfr_out, fills_its_messages)
{
	struct bench b;
	struct session s;
	struct snapshot *snap;

	bench_init(&b, false);
	b.script.size = 10000;
	snap = script_build(&b.script, 1, b.pool);
	/* 24 octets a record: a label of up to six, a pointer, ten fixed, four of address. */
	cr_expect(lt(uint, transfer(&b, snap, NULL, &s), 18));
	session_fini(&s);
	snapshot_unref(snap);
	bench_fini(&b);
}

/* One of several clients. */
struct client {
	struct session session;
	struct xfr_out *x;
	unsigned messages;
	bool done;
};

static void client_begin(struct bench *b, struct client *c, const struct snapshot *snap, unsigned i)
{
	static const struct policy_limits limits = { .transfer_time_s = 60, .idle_time_s = 10 };
	struct tsig_key *key = b->key;
	struct session_options options = { .apex = name_of(&b->script.apex),
		                           .pool = b->pool,
		                           .kind = SESSION_AXFR,
		                           .id = (uint16_t)(100 + i),
		                           .key = i % 3 == 1 ? key : NULL,
		                           .limits = &limits };

	session_init(&c->session, &options);
	b->key = options.key;
	b->other_case = i % 4 == 3;
	c->x = answer(b, &c->session, snap, i % 2 == 0);
	b->other_case = false;
	b->key = key;
}

static void client_step(struct bench *b, struct client *c)
{
	static struct rr_scratch scratch;
	struct session_clock now = { NS_PER_S, 1000 };
	struct bytes message;

	cr_assert(eq(int, xfr_out_next(c->x, b->buffer, MESSAGE_MAX_LEN, 1000, &message), ERR_OK));
	if (message.len > 0) {
		c->messages++;
		session_message(&c->session, message, now, &scratch);
		cr_assert(ne(int, c->session.state, SESSION_FAILED), "%s",
		          err_code(c->session.err));
	} else {
		c->done = xfr_out_ended(c->x);
	}
}

static void client_end(struct client *c, const struct snapshot *snap, bool whole)
{
	struct snapshot *made;
	struct id want = root_of(snap);
	struct id got;

	xfr_out_free(c->x);
	cr_assert(eq(int, c->session.state == SESSION_DONE, whole));
	if (whole) {
		made = session_take_snapshot(&c->session);
		got = root_of(made);
		cr_expect(id_equal(&want, &got));
		snapshot_unref(made);
	}
	session_fini(&c->session);
}

/* Clients of one version and of another, signed and not, that begin and go on at random; one of them
 * goes away in the middle. */
TEST(xfr_out, shares_what_it_made_with_clients_at_any_place)
{
	enum { CLIENTS = 9, GOES = 4, VERSIONS = 2 };
	struct client *clients = mem_zero(CLIENTS, sizeof(*clients));
	struct snapshot *snaps[VERSIONS];
	struct bench b;
	unsigned left = CLIENTS;

	bench_init(&b, true);
	b.share = xfr_share_new();
	b.script.size = 60000; /* more messages than places to keep them */
	snaps[0] = script_build(&b.script, 5, b.pool);
	snaps[1] = script_build(&b.script, 900, b.pool);
	while (left > 0) {
		unsigned i = env_random_below(&b.fake.env, CLIENTS);
		struct client *c = &clients[i];
		if (c->x == NULL && !c->done) {
			client_begin(&b, c, snaps[i % 5 == 0], i);
		}
		for (unsigned n = env_random_below(&b.fake.env, 12); n > 0 && !c->done; n--) {
			client_step(&b, c);
		}
		if (c->x != NULL && (c->done || (i == GOES && c->messages > 20))) {
			client_end(c, snaps[i % 5 == 0], c->done);
			c->x = NULL;
			c->done = true;
			left--;
		}
	}
	xfr_share_free(b.share);
	snapshot_unref(snaps[0]);
	snapshot_unref(snaps[1]);
	free(clients);
	bench_fini(&b);
}

/* Adds a TXT record of `len` octets of rdata. */
static void add_long(struct builder *b, struct name owner, size_t len)
{
	static uint8_t rdata[65536];
	struct rr rr = { .owner = owner,
		         .type = TYPE_TXT,
		         .class = CLASS_IN,
		         .ttl = 5,
		         .rdata = { rdata, len } };

	for (size_t at = 0; at < len; at += 1U + rdata[at]) {
		rdata[at] = (uint8_t)(len - at - 1 > 255 ? 255 : len - at - 1);
	}
	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
}

TEST(xfr_out, sends_records_as_long_as_messages)
{
	static const size_t lens[] = { 100, 16000, 32000, 32700, 33000, 65000, 65300 };
	struct bench b;
	struct snapshot *snap;
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder_options options;
	struct builder *builder;
	struct name_buf owner;
	char text[64];

	bench_init(&b, true);
	snap = script_build(&b.script, 5, b.pool);
	options = (struct builder_options){ .pool = b.pool,
		                            .apex = name_of(&b.script.apex),
		                            .base = snap };
	builder = builder_new(&options);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		snprintf(text, sizeof(text), "t%zu.example.", i);
		owner = script_name(text);
		add_long(builder, name_of(&owner), lens[i]);
	}
	snapshot_unref(snap);
	cr_assert(eq(int, builder_freeze(builder, &origin, &snap), ERR_OK));
	builder_free(builder);
	check_copy(&b, snap);
	snapshot_unref(snap);
	bench_fini(&b);
}

TEST(xfr_out, answers_ixfr)
{
	static const struct {
		uint32_t have;
		enum session_state state;
		const char *kind;
	} cases[] = { { 3, SESSION_DONE, "AXFR" }, { 5, SESSION_CURRENT, "IXFR" } };

	for (unsigned s = 0; s < 2; s++) {
		struct bench b;

		bench_init(&b, s == 1);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct snapshot *snap = script_build(&b.script, 5, b.pool);
			struct snapshot *have = script_build(&b.script, cases[i].have, b.pool);
			struct session session;

			transfer(&b, snap, have, &session);
			cr_expect(eq(int, session.state, cases[i].state));
			cr_expect(eq(str, (char *)session_kind_print(&session),
			             (char *)cases[i].kind));
			session_fini(&session);
			snapshot_unref(have);
			snapshot_unref(snap);
		}
		bench_fini(&b);
	}
}

/* RFC 1995 §2: who asks over UDP, or is ahead of us, gets our SOA alone. */
TEST(xfr_out, answers_with_the_soa_where_that_is_all)
{
	struct bench b;
	struct snapshot *snap;

	bench_init(&b, false);
	snap = script_build(&b.script, 5, b.pool);
	for (unsigned i = 0; i < 2; i++) {
		struct tsig_stream tsig = { 0 };
		struct question q = { .name = b.script.apex, .type = TYPE_IXFR, .class = CLASS_IN };
		struct xfr_out_request request = { .snap = snap,
			                           .question = &q,
			                           .id = 3,
			                           .flags = FLAG_RD,
			                           .udp = i == 0,
			                           .has_serial = true,
			                           .serial = { i == 0 ? 1 : 9 },
			                           .tsig = &tsig };
		struct xfr_out *x = xfr_out_new(&request);
		struct bytes message;
		struct reader r;
		struct header h;

		cr_assert(eq(int, xfr_out_next(x, b.buffer, MESSAGE_MAX_LEN, 1, &message), ERR_OK));
		r = reader_of(message);
		cr_assert(eq(int, header_read(&r, &h), ERR_OK));
		cr_expect(eq(int, h.ancount, 1));
		cr_expect(eq(int, h.qdcount, 1));
		cr_expect(eq(int, h.flags, FLAG_QR | FLAG_AA | FLAG_RD));
		cr_assert(eq(int, xfr_out_next(x, b.buffer, MESSAGE_MAX_LEN, 1, &message), ERR_OK));
		cr_expect(eq(sz, message.len, 0));
		xfr_out_free(x);
	}
	snapshot_unref(snap);
	bench_fini(&b);
}

TEST(xfr_out, reads_the_serial_of_the_client)
{
	struct bench b;
	uint8_t at[512];
	struct composer c;
	struct bytes message;
	struct reader r;
	struct header h;
	struct question q;
	struct serial serial;

	bench_init(&b, false);
	composer_init(&c, at, sizeof(at));
	cr_assert(composer_question(&c, name_of(&b.script.apex), TYPE_IXFR, CLASS_IN));
	message = composer_finish(&c, 1, 0);
	r = reader_of(message);
	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	cr_expect(eq(int, xfr_out_read_serial(r, &h, &serial), ERR_WIRE_HEADER), "no SOA");
	bench_fini(&b);
}
