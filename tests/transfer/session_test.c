/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/session_test.c — sessions fed with whole answers, good and bad, message by
 * message. */
#include "transfer/session_p.h"

#include <limits.h>
#include <stdlib.h>

#include "base/env.h"
#include "tests/test.h"
#include "tests/transfer/script.h"

struct bench {
	struct env_fake fake;
	struct epoch *epoch;
	struct pool *pool;
	struct script script;
	struct tsig_key *key;
	struct policy_limits limits;
	struct snapshot *have;
	struct session session;
	struct rr_scratch scratch;
	struct session_clock now;
};

static void bench_init(struct bench *b, bool signed_)
{
	struct pool_options options;

	*b = (struct bench){ .now = { NS_PER_S, 1000 } };
	env_fake_init(&b->fake, 11);
	b->epoch = epoch_new();
	options = (struct pool_options){
		.env = &b->fake.env, .epoch = b->epoch, .parts = 4, .span_bytes = 1U << 30
	};
	cr_assert(eq(int, pool_new(&options, &b->pool), ERR_OK));
	b->key = signed_ ? script_key("k", "a secret of the test") : NULL;
	script_init(&b->script, "example.", b->key);
	b->limits = (struct policy_limits){ .transfer_bytes = 1 << 20,
		                            .transfer_time_s = 60,
		                            .idle_time_s = 10 };
}

static void bench_fini(struct bench *b)
{
	session_fini(&b->session);
	snapshot_unref(b->have);
	script_fini(&b->script);
	tsig_key_unref(b->key);
	epoch_free(b->epoch);
	pool_free(b->pool);
}

/* Begins a session that has the version of serial `have` (0: none). */
static void begin(struct bench *b, enum session_kind kind, uint32_t have, bool force)
{
	struct session_options options = { .apex = name_of(&b->script.apex),
		                           .pool = b->pool,
		                           .kind = kind,
		                           .force = force,
		                           .id = 0x1234,
		                           .key = b->key,
		                           .limits = &b->limits };

	session_fini(&b->session);
	snapshot_unref(b->have);
	b->have = have == 0 ? NULL : script_build(&b->script, have, b->pool);
	options.have = b->have;
	session_init(&b->session, &options);
}

/* Asks the script and feeds its messages; returns how many were taken. */
static unsigned run(struct bench *b)
{
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct bytes request;
	struct script_answer answer;
	unsigned taken = 0;
	size_t pos = 0;

	cr_assert(eq(int, session_request(&b->session, b->now, at, &request), ERR_OK));
	answer = script_ask(&b->script, request, false);
	while (pos < answer.len &&
	       (b->session.state == SESSION_ASKED || b->session.state == SESSION_RECEIVING)) {
		size_t len = load_u16(answer.at + pos);

		session_message(&b->session, bytes_of(answer.at + pos + 2, len), b->now,
		                &b->scratch);
		pos += 2 + len;
		taken++;
	}
	free(answer.at);
	return taken;
}

static struct id root_of(const struct snapshot *snap)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	return facts.root;
}

/* The session made the very version that its serial has. */
static void check_made(struct bench *b, uint32_t serial)
{
	struct snapshot *want = script_build(&b->script, serial, b->pool);
	struct snapshot *made;
	struct id want_root = root_of(want), made_root;

	cr_assert(eq(int, b->session.state, SESSION_DONE), "%s", err_code(b->session.err));
	made = session_take_snapshot(&b->session);
	made_root = root_of(made);
	cr_expect(eq(u32, snapshot_serial(made).n, serial));
	cr_expect(id_equal(&want_root, &made_root), "content of serial %u", serial);
	cr_expect(b->session.in_step);
	snapshot_unref(made);
	snapshot_unref(want);
}

TEST(session, takes_a_whole_zone)
{
	static const unsigned per_message[] = { 0, 1, 2, 7, 100 };

	for (unsigned s = 0; s < 2; s++) {
		struct bench b;

		bench_init(&b, s == 1);
		for (size_t i = 0; i < ARRAY_LEN(per_message); i++) {
			b.script.per_message = per_message[i];
			b.script.serial = 5;
			begin(&b, SESSION_AXFR, 0, false);
			cr_expect(ge(uint, run(&b), 1));
			check_made(&b, 5);
			cr_expect(eq(u64, b.session.records, SCRIPT_SIZE + 3));
			cr_expect(eq(str, (char *)session_kind_print(&b.session), "AXFR"));
		}
		bench_fini(&b);
	}
}

TEST(session, applies_differences)
{
	static const unsigned per_message[] = { 0, 1, 3 };

	for (unsigned s = 0; s < 2; s++) {
		struct bench b;

		bench_init(&b, s == 1);
		for (size_t i = 0; i < ARRAY_LEN(per_message); i++) {
			b.script.per_message = per_message[i];
			for (uint32_t to = 4; to < 40; to += 7) {
				b.script.serial = to;
				begin(&b, SESSION_IXFR, 3, false);
				run(&b);
				check_made(&b, to);
				cr_expect(eq(str, (char *)session_kind_print(&b.session), "IXFR"));
			}
		}
		bench_fini(&b);
	}
}

TEST(session, takes_the_whole_zone_in_answer_to_ixfr)
{
	struct bench b;

	bench_init(&b, true);
	b.script.serial = 9;
	b.script.per_message = 5;
	script_fail(&b.script, SCRIPT_WHOLE, SCRIPT_IXFR, UINT_MAX);
	begin(&b, SESSION_IXFR, 3, false);
	run(&b);
	check_made(&b, 9);
	cr_expect(eq(str, (char *)session_kind_print(&b.session), "AXFR"), "what came");
	bench_fini(&b);
}

TEST(session, sees_that_there_is_no_news)
{
	static const struct {
		enum session_kind kind;
		uint32_t have;
		bool force;
		enum session_state state;
		enum err err;
		bool in_step;
	} cases[] = {
		{ SESSION_IXFR, 7, false, SESSION_CURRENT, ERR_OK, true },
		{ SESSION_IXFR, 8, false, SESSION_FAILED, ERR_SERIAL_OLD, true },
		{ SESSION_AXFR, 7, false, SESSION_CURRENT, ERR_OK, false },
		{ SESSION_AXFR, 8, false, SESSION_FAILED, ERR_SERIAL_OLD, false },
		{ SESSION_AXFR, 8, true, SESSION_DONE, ERR_OK, true },
		{ SESSION_AXFR, 7, true, SESSION_DONE, ERR_OK, true },
		{ SESSION_AXFR, 0x80000007U, false, SESSION_FAILED, ERR_SERIAL_OLD, false },
	};
	struct bench b;

	bench_init(&b, false);
	b.script.serial = 7;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&b, cases[i].kind, cases[i].have, cases[i].force);
		run(&b);
		cr_expect(eq(int, b.session.state, cases[i].state), "case %zu", i);
		cr_expect(eq(int, b.session.err, cases[i].err), "case %zu", i);
		cr_expect(eq(int, b.session.in_step, cases[i].in_step), "case %zu", i);
		cr_expect(eq(u32, session_serial(&b.session).n, 7), "case %zu", i);
	}
	bench_fini(&b);
}

/* Answers that must fail the session, and how. `arg` is an RCODE. */
static const struct fault_case {
	enum script_fault fault;
	unsigned kinds;
	unsigned arg;
	enum err want;
} fault_cases[] = {
	{ SCRIPT_RCODE, SCRIPT_ALL, RCODE_FORMERR, ERR_PEER_FORMERR },
	{ SCRIPT_RCODE, SCRIPT_ALL, RCODE_SERVFAIL, ERR_PEER_SERVFAIL },
	{ SCRIPT_RCODE, SCRIPT_ALL, RCODE_NOTIMP, ERR_PEER_NOTIMP },
	{ SCRIPT_RCODE, SCRIPT_ALL, RCODE_REFUSED, ERR_PEER_REFUSED_QUERY },
	{ SCRIPT_RCODE, SCRIPT_ALL, RCODE_NOTAUTH, ERR_PEER_NOTAUTH },
	{ SCRIPT_BAD_ID, SCRIPT_ALL, 0, ERR_PEER_MISMATCH },
	{ SCRIPT_BAD_QUESTION, SCRIPT_ALL, 0, ERR_PEER_MISMATCH },
	{ SCRIPT_BAD_OPCODE, SCRIPT_ALL, 0, ERR_PEER_MISMATCH },
	{ SCRIPT_NOT_ANSWER, SCRIPT_ALL, 0, ERR_PEER_MISMATCH },
	{ SCRIPT_EMPTY, SCRIPT_ALL, 0, ERR_XFR_EMPTY },
	{ SCRIPT_TRAILING, SCRIPT_ALL, 0, ERR_XFR_TRAILING },
	{ SCRIPT_LATE_SOA, SCRIPT_ALL, 0, ERR_XFR_ORDER },
	{ SCRIPT_UNKNOWN_DELETE, SCRIPT_IXFR, 0, ERR_XFR_MISMATCH },
	{ SCRIPT_KNOWN_ADD, SCRIPT_IXFR, 0, ERR_XFR_MISMATCH },
	{ SCRIPT_CLASS, SCRIPT_ALL, 0, ERR_ZONE_CLASS },
	{ SCRIPT_META, SCRIPT_ALL, 0, ERR_ZONE_TYPE },
	{ SCRIPT_NO_NS, SCRIPT_ALL, 0, ERR_ZONE_NO_NS },
	{ SCRIPT_CNAME, SCRIPT_ALL, 0, ERR_ZONE_CNAME },
};

static void check_fault(struct bench *b, const struct fault_case *c, enum session_kind kind)
{
	b->script.serial = 4;
	begin(b, kind, kind == SESSION_IXFR ? 3 : 0, false);
	b->script.fault_arg = c->arg;
	script_fail(&b->script, c->fault, c->kinds, UINT_MAX);
	run(b);
	cr_expect(eq(int, b->session.state, SESSION_FAILED), "fault %d", c->fault);
	cr_expect(eq(int, b->session.err, c->want), "fault %d: %s", c->fault,
	          err_code(b->session.err));
	cr_expect(eq(ptr, b->session.made, NULL));
	cr_expect(eq(ptr, b->session.builder, NULL), "nothing is kept");
}

TEST(session, refuses_every_bad_answer)
{
	for (unsigned s = 0; s < 2; s++) {
		struct bench b;

		bench_init(&b, s == 1);
		for (size_t i = 0; i < ARRAY_LEN(fault_cases); i++) {
			check_fault(&b, &fault_cases[i], SESSION_IXFR);
			if ((fault_cases[i].kinds & SCRIPT_AXFR) != 0) {
				check_fault(&b, &fault_cases[i], SESSION_AXFR);
			}
		}
		bench_fini(&b);
	}
}

/* An SOA as octets, right or not. */
struct raw_soa {
	const char *owner;
	uint16_t class;
	unsigned names;
	unsigned numbers_len;
	uint32_t serial;
};

static void put_raw_soa(struct writer *w, const struct raw_soa *soa)
{
	static const uint8_t numbers[24] = { 0 };
	struct name_buf owner = script_name(soa->owner);
	size_t len_at;

	cr_assert(writer_put(w, name_bytes(name_of(&owner))) && writer_u16(w, TYPE_SOA) &&
	          writer_u16(w, soa->class) && writer_u32(w, 60));
	len_at = w->len;
	cr_assert(writer_u16(w, 0));
	for (unsigned i = 0; i < soa->names; i++) {
		cr_assert(writer_u8(w, 0));
	}
	cr_assert(writer_u32(w, soa->serial) &&
	          writer_put(w, bytes_of(numbers, soa->numbers_len - 4)));
	store_u16(w->at + len_at, (uint16_t)(w->len - len_at - 2));
}

/* A transfer of a zone with an NS, from one SOA to the other. */
static struct bytes raw_transfer(uint8_t *at, const struct raw_soa *first,
                                 const struct raw_soa *last)
{
	struct writer w = writer_of(at, 1024);
	struct name_buf apex = script_name("example.");

	cr_assert(writer_u16(&w, 0x1234) && writer_u16(&w, FLAG_QR | FLAG_AA) &&
	          writer_u16(&w, 0) && writer_u16(&w, 3) && writer_u16(&w, 0) && writer_u16(&w, 0));
	put_raw_soa(&w, first);
	cr_assert(writer_put(&w, name_bytes(name_of(&apex))) && writer_u16(&w, TYPE_NS) &&
	          writer_u16(&w, CLASS_IN) && writer_u32(&w, 60) && writer_u16(&w, 1) &&
	          writer_u8(&w, 0));
	put_raw_soa(&w, last);
	return writer_bytes(&w);
}

/* What counts as a broken SOA, and is refused whatever the guards say. */
TEST(session, refuses_a_broken_soa)
{
	const struct raw_soa right = { "example.", CLASS_IN, 2, 20, 7 };
	const struct {
		struct raw_soa first;
		struct raw_soa last;
		enum err want;
	} cases[] = {
		{ { "example.", CLASS_IN, 2, 20, 7 }, { "EXAMPLE.", CLASS_IN, 2, 20, 7 }, ERR_OK },
		{ { "example.", CLASS_IN, 2, 16, 7 }, right, ERR_WIRE_RDATA },
		{ { "example.", CLASS_IN, 2, 24, 7 }, right, ERR_WIRE_RDATA },
		{ { "example.", CLASS_IN, 1, 20, 7 }, right, ERR_WIRE_RDATA },
		{ { "example.", CLASS_CH, 2, 20, 7 }, right, ERR_ZONE_CLASS },
		{ { "www.example.", CLASS_IN, 2, 20, 7 }, right, ERR_XFR_ORDER },
		{ { "example.org.", CLASS_IN, 2, 20, 7 }, right, ERR_XFR_ORDER },
		{ right, { "example.", CLASS_IN, 2, 20, 8 }, ERR_XFR_ORDER },
		{ right, { "example.", CLASS_IN, 2, 16, 7 }, ERR_WIRE_RDATA },
		{ right, { "example.", CLASS_CH, 2, 20, 7 }, ERR_ZONE_CLASS },
	};
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct bytes request;
	struct bench b;

	bench_init(&b, false);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t message[1024];

		begin(&b, SESSION_AXFR, 0, false);
		cr_assert(eq(int, session_request(&b.session, b.now, at, &request), ERR_OK));
		session_message(&b.session, raw_transfer(message, &cases[i].first, &cases[i].last),
		                b.now, &b.scratch);
		cr_expect(eq(int, b.session.err, cases[i].want), "case %zu: %s", i,
		          err_code(b.session.err));
		cr_expect(eq(int, b.session.state,
		             cases[i].want == ERR_OK ? SESSION_DONE : SESSION_FAILED));
	}
	bench_fini(&b);
}

TEST(session, refuses_a_message_that_is_cut)
{
	struct bench b;

	bench_init(&b, false);
	b.script.serial = 4;
	begin(&b, SESSION_AXFR, 0, false);
	script_fail(&b.script, SCRIPT_CUT, SCRIPT_ALL, UINT_MAX);
	run(&b);
	cr_expect(eq(int, b.session.state, SESSION_FAILED));
	cr_expect(eq(int, err_class(b.session.err), ERR_CLASS_WIRE));
	bench_fini(&b);
}

TEST(session, waits_for_what_does_not_come)
{
	struct bench b;

	bench_init(&b, true);
	b.script.serial = 4;
	begin(&b, SESSION_AXFR, 0, false);
	script_fail(&b.script, SCRIPT_NO_END, SCRIPT_ALL, UINT_MAX);
	run(&b);
	cr_expect(eq(int, b.session.state, SESSION_RECEIVING));
	cr_expect(eq(u64, session_deadline_ns(&b.session), 11 * NS_PER_S), "idle time");
	cr_expect(eq(int, session_late(&b.session, 11 * NS_PER_S - 1), SESSION_RECEIVING));
	cr_expect(eq(int, session_late(&b.session, 11 * NS_PER_S), SESSION_FAILED));
	cr_expect(eq(int, b.session.err, ERR_LIMIT_IDLE));
	bench_fini(&b);
}

TEST(session, keeps_its_deadlines)
{
	struct bench b;
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct bytes request;

	bench_init(&b, false);
	begin(&b, SESSION_AXFR, 0, false);
	cr_assert(eq(int, session_request(&b.session, b.now, at, &request), ERR_OK));
	cr_expect(eq(int, session_late(&b.session, 11 * NS_PER_S), SESSION_FAILED));
	cr_expect(eq(int, b.session.err, ERR_PEER_TIMEOUT), "never a word");
	begin(&b, SESSION_AXFR, 0, false);
	cr_assert(eq(int, session_request(&b.session, b.now, at, &request), ERR_OK));
	session_touch(&b.session, 59 * NS_PER_S);
	cr_expect(eq(u64, session_deadline_ns(&b.session), 61 * NS_PER_S), "total time");
	cr_expect(eq(int, session_late(&b.session, 61 * NS_PER_S), SESSION_FAILED));
	cr_expect(eq(int, b.session.err, ERR_LIMIT_TIME));
	bench_fini(&b);
}

TEST(session, keeps_its_limits)
{
	struct bench b;

	bench_init(&b, false);
	b.script.per_message = 2;
	b.limits.transfer_bytes = 300;
	begin(&b, SESSION_AXFR, 0, false);
	run(&b);
	cr_expect(eq(int, b.session.err, ERR_LIMIT_BYTES));
	b.limits.transfer_bytes = 1 << 20;
	b.limits.transfer_records = SCRIPT_SIZE;
	begin(&b, SESSION_AXFR, 0, false);
	run(&b);
	cr_expect(eq(int, b.session.err, ERR_LIMIT_RECORDS));
	b.limits.transfer_records = SCRIPT_SIZE + 3;
	begin(&b, SESSION_AXFR, 0, false);
	run(&b);
	check_made(&b, 1);
	bench_fini(&b);
}

TEST(session, does_not_ask_for_authority)
{
	struct bench b;

	bench_init(&b, false);
	script_fail(&b.script, SCRIPT_NO_AA, SCRIPT_ALL, UINT_MAX);
	begin(&b, SESSION_AXFR, 0, false);
	run(&b);
	check_made(&b, 1); /* as from Knot */
	bench_fini(&b);
}

TEST(session, ignores_what_lies_outside)
{
	struct bench b;

	bench_init(&b, false);
	b.script.serial = 4;
	script_fail(&b.script, SCRIPT_OUTSIDE, SCRIPT_ALL, UINT_MAX);
	begin(&b, SESSION_AXFR, 0, false);
	run(&b);
	check_made(&b, 4);
	cr_expect(eq(u64, b.session.outside, 1));
	begin(&b, SESSION_IXFR, 3, false);
	run(&b);
	check_made(&b, 4);
	cr_expect(eq(u64, b.session.outside, 1));
	bench_fini(&b);
}

TEST(session, believes_only_what_is_signed)
{
	static const struct {
		enum script_fault fault;
		enum err want;
	} cases[] = { { SCRIPT_BAD_MAC, ERR_TSIG_BADSIG },
		      { SCRIPT_UNSIGNED, ERR_TSIG_MISSING },
		      { SCRIPT_UNSIGNED_LAST, ERR_TSIG_MISSING } };
	struct bench b;

	bench_init(&b, true);
	b.script.per_message = 5;
	b.script.serial = 4;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&b, SESSION_AXFR, 0, false);
		script_fail(&b.script, cases[i].fault, SCRIPT_ALL, UINT_MAX);
		run(&b);
		cr_expect(eq(int, b.session.state, SESSION_FAILED), "case %zu", i);
		cr_expect(eq(int, b.session.err, cases[i].want), "case %zu: %s", i,
		          err_code(b.session.err));
	}
	bench_fini(&b);
}

TEST(session, allows_unsigned_messages_between)
{
	struct bench b;

	bench_init(&b, true);
	b.script.size = 400;
	b.script.per_message = 1;
	b.script.signed_every = 100;
	begin(&b, SESSION_AXFR, 0, false);
	cr_expect(eq(uint, run(&b), 403));
	check_made(&b, 1);
	bench_fini(&b);
}

TEST(session, knows_when_its_clock_is_wrong)
{
	struct bench b;

	bench_init(&b, true);
	begin(&b, SESSION_AXFR, 0, false);
	b.script.wall_s = 1000 + TSIG_FUDGE_S + 100;
	run(&b);
	cr_expect(eq(int, b.session.state, SESSION_FAILED));
	cr_expect(eq(int, b.session.err, ERR_TSIG_BADTIME));
	bench_fini(&b);
}

TEST(session, asks_again_over_another_connection)
{
	struct bench b;
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct bytes request;

	bench_init(&b, true);
	begin(&b, SESSION_AXFR, 0, false);
	cr_assert(eq(int, session_request(&b.session, b.now, at, &request), ERR_OK));
	b.now.mono_ns += 3 * NS_PER_S;
	b.now.wall_s += 3;
	run(&b);
	check_made(&b, 1);
	cr_expect(eq(u64, b.session.started_ns, NS_PER_S), "the time of the first counts");
	bench_fini(&b);
}

TEST(session, ends_with_its_connection)
{
	struct bench b;

	bench_init(&b, false);
	begin(&b, SESSION_AXFR, 0, false);
	session_fail(&b.session, ERR_PEER_REFUSED);
	cr_expect(eq(int, b.session.state, SESSION_FAILED));
	b.script.per_message = 4;
	begin(&b, SESSION_AXFR, 0, false);
	script_fail(&b.script, SCRIPT_NO_END, SCRIPT_ALL, UINT_MAX);
	run(&b);
	session_fail(&b.session, ERR_PEER_CLOSED);
	cr_expect(eq(int, b.session.err, ERR_PEER_CLOSED));
	cr_expect(eq(ptr, b.session.builder, NULL));
	bench_fini(&b);
}
