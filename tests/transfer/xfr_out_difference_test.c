/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/xfr_out_difference_test.c — IXFR out: what we send, our own session makes of the
 * old version the new one of. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/transfer/script.h"
#include "tests/zonestore/model.h"
#include "transfer/session_p.h"
#include "transfer/xfr_out.h"

#define ID        7
#define SIGNED_AT 1000
#define CHAIN_LEN 12
#define CALLS_MAX 100000U /* of a generator, before the test gives up */
#define RR_FIXED  10U

/* One exchange, over TCP unless `udp` is the size that the client takes. */
struct exchange {
	struct tsig_key *key;
	struct pool *pool;
	unsigned udp; /* 0: TCP */
	bool ahead;   /* the client has more than we: it will refuse our answer */
	bool edns;
	/* What came of it. */
	struct xfr_out_totals totals;
	unsigned pauses;
	size_t longest; /* message */
};

static struct tsig_key *find_key(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	const struct exchange *ex = self;

	(void)name;
	(void)algorithm;
	return ex->key;
}

/* Reads what the session asks as the dispatcher does. */
static struct xfr_out *ask(struct exchange *ex, struct session *s, const struct snapshot *snap,
                           const struct snapshot *from)
{
	struct session_clock now = { NS_PER_S, SIGNED_AT };
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct xfr_out_request request = { .snap = snap,
		                           .from = from,
		                           .udp = ex->udp > 0,
		                           .has_serial = true,
		                           .edns = { .present = ex->edns,
		                                     .udp_size = (uint16_t)ex->udp } };
	struct tsig_keyring ring = { ex, find_key };
	struct tsig_request to_verify;
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
	cr_assert(eq(int, q.type, TYPE_IXFR));
	cr_assert(eq(int, xfr_out_read_serial(r, &h, &request.serial), ERR_OK));
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	tsig_stream_init(&tsig, NULL);
	to_verify = (struct tsig_request){ message, tail.tsig_at, SIGNED_AT };
	cr_assert(eq(int, tsig_verify_request(&tsig, &ring, &to_verify, &bad), ERR_OK));
	request.question = &q;
	request.id = h.id;
	request.flags = h.flags;
	request.tsig = &tsig;
	return xfr_out_new(&request);
}

/* Asks for the difference from `have`; `from` is what the server knows of it. The session is the
 * caller's to end. */
static void exchange(struct exchange *ex, const struct snapshot *snap, const struct snapshot *have,
                     const struct snapshot *from, struct session *s)
{
	static struct rr_scratch scratch;
	static struct policy_limits limits = { .transfer_time_s = 60, .idle_time_s = 10 };
	struct session_options options = { .apex = snapshot_apex(snap),
		                           .pool = ex->pool,
		                           .have = have,
		                           .kind = SESSION_IXFR,
		                           .id = ID,
		                           .key = ex->key,
		                           .limits = &limits };
	struct session_clock now = { NS_PER_S, SIGNED_AT };
	uint8_t *buffer = mem_new(MESSAGE_MAX_LEN);
	struct xfr_out *x;
	struct bytes message;

	ex->pauses = 0;
	ex->longest = 0;
	session_init(s, &options);
	x = ask(ex, s, snap, from);
	for (unsigned i = 0; !xfr_out_ended(x); i++) {
		cr_assert(lt(uint, i, CALLS_MAX));
		cr_assert(eq(int, xfr_out_next(x, buffer, MESSAGE_MAX_LEN, SIGNED_AT, &message),
		             ERR_OK));
		if (message.len == 0) {
			ex->pauses++;
			continue;
		}
		ex->longest = message.len > ex->longest ? message.len : ex->longest;
		cr_assert(le(int, s->state, SESSION_RECEIVING), "nothing after the end");
		session_message(s, message, now, &scratch);
		cr_assert(eq(int, s->state == SESSION_FAILED, ex->ahead), "%s", err_code(s->err));
	}
	cr_assert(eq(int, xfr_out_next(x, buffer, MESSAGE_MAX_LEN, SIGNED_AT, &message), ERR_OK));
	cr_assert(eq(sz, message.len, 0));
	xfr_out_totals(x, &ex->totals);
	cr_expect(eq(u64, ex->totals.messages, s->messages));
	cr_expect(eq(u64, ex->totals.bytes, s->bytes));
	cr_expect(eq(u64, ex->totals.records, s->records));
	xfr_out_free(x);
	free(buffer);
}

static bool same_version(const struct snapshot *a, const struct snapshot *b)
{
	struct rr_scratch *scratch = mem_zero(2, sizeof(*scratch));
	struct id x = world_root(a);
	struct id y = world_root(b);
	struct rr soa[2];
	bool same;

	snapshot_soa(a, &scratch[0], &soa[0]);
	snapshot_soa(b, &scratch[1], &soa[1]);
	same = id_equal(&x, &y) && soa[0].ttl == soa[1].ttl &&
	       bytes_equal(soa[0].rdata, soa[1].rdata);
	free(scratch);
	return same;
}

/* Fails the test unless a client with `have` gets `snap` out of what is sent; returns the form. */
static enum xfr_out_form check(struct exchange *ex, const struct snapshot *snap,
                               const struct snapshot *have, const struct snapshot *from)
{
	struct snapshot *made;
	struct session s;

	exchange(ex, snap, have, from, &s);
	cr_assert(eq(int, s.state, SESSION_DONE));
	made = session_take_snapshot(&s);
	cr_assert(same_version(made, snap));
	cr_expect(eq(str, (char *)session_kind_print(&s), (char *)ex->totals.kind));
	snapshot_unref(made);
	session_fini(&s);
	return ex->totals.form;
}

/* ---- random zones ---- */

static bool has(const struct model *m, const struct model_rr *rr)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct model_rr *r = &m->rrs[i];
		if (r->type == rr->type && r->ttl == rr->ttl && r->rdata_len == rr->rdata_len &&
		    memcmp(r->rdata, rr->rdata, rr->rdata_len) == 0 &&
		    bytes_equal(name_bytes(name_of(&r->owner)), name_bytes(name_of(&rr->owner)))) {
			return true;
		}
	}
	return false;
}

/* Records of `a` that `b` lacks, and their octets. */
static uint64_t missing(const struct model *a, const struct model *b, uint64_t *octets)
{
	uint64_t count = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (!has(b, &a->rrs[i])) {
			count++;
			*octets += a->rrs[i].owner.len + RR_FIXED + a->rrs[i].rdata_len;
		}
	}
	return count;
}

static bool same_set(const struct model_rr *a, const struct model_rr *b)
{
	return a->type == b->type && name_equal(name_of(&a->owner), name_of(&b->owner)) &&
	       (a->type != TYPE_RRSIG || load_u16(a->rdata) == load_u16(b->rdata));
}

/* Gives the set of a random record another TTL. */
static void change_ttl(struct model *m, struct env *env)
{
	struct model_rr of = m->rrs[env_random_below(env, (uint32_t)m->count)];

	for (size_t i = 0; i < m->count; i++) {
		if (same_set(&m->rrs[i], &of)) {
			m->rrs[i].ttl = of.ttl + 1;
		}
	}
}

/* Spells the owner name of a random record in other letters. */
static void change_case(struct model *m, struct env *env)
{
	struct name_buf of = m->rrs[env_random_below(env, (uint32_t)m->count)].owner;

	for (size_t i = 0; i < m->count; i++) {
		struct name_buf *owner = &m->rrs[i].owner;
		if (!name_equal(name_of(owner), name_of(&of))) {
			continue;
		}
		for (unsigned at = 0; at + m->apex.len < owner->len; at++) {
			uint8_t c = octet_lower(owner->octets[at]);
			bool letter = c >= 'a' && c <= 'z';
			owner->octets[at] = letter ? owner->octets[at] ^ 0x20 : owner->octets[at];
		}
	}
}

/* Spells the first label of the names in a random record's rdata in other letters. Not that of the
 * apex, which has one spelling in all of a version. */
static void change_rdata_case(struct model *m, struct env *env)
{
	struct model_rr *rr = &m->rrs[env_random_below(env, (uint32_t)m->count)];
	struct bytes rdata = bytes_of(rr->rdata, rr->rdata_len);
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned count = rdata_compressible_names(rr->type, rdata, names);

	for (unsigned i = 0; i < count; i++) {
		uint8_t *at = rr->rdata + names[i].offset;
		struct name name;
		cr_assert(eq(int, name_view(bytes_of(at, names[i].len), &name), ERR_OK));
		for (unsigned n = 1; n <= at[0] && !name_equal(name, name_of(&m->apex)); n++) {
			uint8_t c = octet_lower(at[n]);
			at[n] = c >= 'a' && c <= 'z' ? at[n] ^ 0x20 : at[n];
		}
	}
}

/* One spelling of each owner name and one TTL of each set, as versions have them. */
static void make_even(struct model *m)
{
	for (size_t i = 0; i < m->count; i++) {
		for (size_t j = i + 1; j < m->count; j++) {
			struct model_rr *a = &m->rrs[i];
			struct model_rr *b = &m->rrs[j];
			if (name_equal(name_of(&a->owner), name_of(&b->owner))) {
				b->owner = a->owner;
				b->ttl = same_set(a, b) ? a->ttl : b->ttl;
			}
		}
	}
}

/* Makes the next version of a zone. */
static void step(struct model *m, struct env *env)
{
	uint32_t deletions = env_random_below(env, 1 + (uint32_t)m->count / 20);

	m->serial += 1 + env_random_below(env, 5);
	for (uint32_t i = 0; i < deletions; i++) {
		size_t victim = env_random_below(env, (uint32_t)m->count);
		if (m->rrs[victim].owner.len > m->apex.len) {
			model_delete(m, victim);
		}
	}
	model_grow(m, env, env_random_below(env, 1 + (uint32_t)m->count / 20));
	if (env_random_below(env, 2) == 0) {
		change_ttl(m, env);
	}
	if (env_random_below(env, 2) == 0) {
		change_case(m, env);
	}
	if (env_random_below(env, 2) == 0) {
		change_rdata_case(m, env);
	}
	make_even(m);
}

struct chain {
	struct model models[CHAIN_LEN];
	struct snapshot *snaps[CHAIN_LEN];
};

/* Versions of one zone, each built from nothing. */
static void chain_init(struct chain *c, struct world *w, size_t records)
{
	struct env *env = &w->fake.env;

	for (size_t i = 0; i < CHAIN_LEN; i++) {
		if (i == 0) {
			model_init(&c->models[0], "Zone.example.");
			c->models[0].serial = 0xfffffff0; /* it wraps on the way */
			model_grow(&c->models[0], env, records);
		} else {
			model_copy(&c->models[i - 1], &c->models[i]);
			step(&c->models[i], env);
		}
		c->snaps[i] = model_build(&c->models[i], w->pool, env);
	}
}

static void chain_fini(struct chain *c)
{
	for (size_t i = 0; i < CHAIN_LEN; i++) {
		snapshot_unref(c->snaps[i]);
		model_fini(&c->models[i]);
	}
}

/* From every version to the newest: condensed, and no longer than the zone. */
static unsigned check_chain(struct exchange *ex, const struct chain *c)
{
	const struct model *last = &c->models[CHAIN_LEN - 1];
	struct snapshot *snap = c->snaps[CHAIN_LEN - 1];
	struct snapshot_facts facts;
	unsigned differences = 0;

	snapshot_facts(snap, &facts);
	for (size_t i = 0; i + 1 < CHAIN_LEN; i++) {
		uint64_t octets = 0;
		uint64_t records = missing(&c->models[i], last, &octets) +
		                   missing(last, &c->models[i], &octets);
		bool smaller = octets < facts.bytes;
		enum xfr_out_form form = check(ex, snap, c->snaps[i], c->snaps[i]);
		cr_assert(eq(int, form, smaller ? XFR_OUT_DIFFERENCE : XFR_OUT_WHOLE));
		if (smaller) {
			cr_assert(eq(u64, ex->totals.records, records + 4));
			differences++;
		}
		cr_assert(eq(int, check(ex, snap, c->snaps[i], NULL), XFR_OUT_WHOLE));
	}
	return differences;
}

TEST(xfr_out_difference, turns_any_kept_version_into_the_newest)
{
	static const size_t sizes[] = { 0, 1, 10, 100, 400, 1200 };
	struct chain *c = mem_zero(1, sizeof(*c));
	unsigned differences = 0;

	for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
		struct exchange ex = { .edns = i % 3 == 0 };
		struct world w;
		world_init(&w, 100 + i);
		ex.pool = w.pool;
		ex.key = i % 2 == 0 ? NULL : script_key("k", "a secret of the test");
		chain_init(c, &w, sizes[i / 2]);
		differences += check_chain(&ex, c);
		chain_fini(c);
		tsig_key_unref(ex.key);
		world_fini(&w);
	}
	cr_expect(gt(uint, differences, 80), "most are differences: %u", differences);
	free(c);
}

/* ---- special differences ---- */

static void pair_init(struct world *w, struct model *a, struct model *b, size_t records)
{
	world_init(w, 9);
	model_init(a, "example.");
	model_grow(a, &w->fake.env, records);
	model_copy(a, b);
	b->serial++;
}

static void pair_fini(struct world *w, struct model *a, struct model *b)
{
	model_fini(a);
	model_fini(b);
	world_fini(w);
}

TEST(xfr_out_difference, of_the_soa_alone_is_four_records)
{
	struct world w;
	struct model a;
	struct model b;
	struct snapshot *from;
	struct snapshot *snap;
	struct exchange ex = { 0 };

	pair_init(&w, &a, &b, 50);
	ex.pool = w.pool;
	from = model_build(&a, w.pool, NULL);
	snap = model_build(&b, w.pool, NULL);
	cr_expect(eq(int, check(&ex, snap, from, from), XFR_OUT_DIFFERENCE));
	cr_expect(eq(u64, ex.totals.records, 4));
	cr_expect(eq(u64, ex.totals.messages, 1));
	snapshot_unref(from);
	snapshot_unref(snap);
	pair_fini(&w, &a, &b);
}

TEST(xfr_out_difference, is_not_sent_to_who_has_it_or_more)
{
	struct world w;
	struct model a;
	struct model b;
	struct snapshot *from;
	struct snapshot *snap;
	struct exchange ex = { 0 };

	pair_init(&w, &a, &b, 50);
	ex.pool = w.pool;
	from = model_build(&a, w.pool, NULL);
	snap = model_build(&b, w.pool, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct session s;
		ex.ahead = i < 2;
		ex.udp = i % 2 == 0 ? 0 : 512;
		exchange(&ex, from, ex.ahead ? snap : from, ex.ahead ? NULL : from, &s);
		cr_expect(eq(int, s.state, ex.ahead ? SESSION_FAILED : SESSION_CURRENT));
		cr_expect(eq(int, ex.totals.form, XFR_OUT_SOA));
		cr_expect(eq(str, (char *)ex.totals.kind, "SOA"));
		cr_expect(eq(u64, ex.totals.records, 1));
		session_fini(&s);
	}
	snapshot_unref(from);
	snapshot_unref(snap);
	pair_fini(&w, &a, &b);
}

/* Sixteen thousand records in messages of 32 KiB, with and without signatures; found out, and sent,
 * without any call's taking long. */
TEST(xfr_out_difference, of_any_size_is_a_stream_of_messages)
{
	for (unsigned i = 0; i < 2; i++) {
		struct script script;
		struct world w;
		struct exchange ex = { .edns = true };
		struct snapshot *from;
		struct snapshot *snap;

		world_init(&w, 3);
		ex.pool = w.pool;
		ex.key = i == 0 ? NULL : script_key("k", "a secret of the test");
		script_init(&script, "example.", ex.key);
		script.size = 20000;
		from = script_build(&script, 1, w.pool);
		snap = script_build(&script, 8001, w.pool);
		cr_expect(eq(int, check(&ex, snap, from, from), XFR_OUT_DIFFERENCE));
		cr_expect(eq(u64, ex.totals.records, 16004));
		cr_expect(gt(u64, ex.totals.messages, 8));
		cr_expect(ge(uint, ex.pauses, 3), "counting: %u", ex.pauses);
		snapshot_unref(snap);
		/* More than half of it: less to send as a whole. */
		snap = script_build(&script, 14000, w.pool);
		cr_expect(eq(int, check(&ex, snap, from, from), XFR_OUT_WHOLE));
		snapshot_unref(snap);
		snapshot_unref(from);
		script_fini(&script);
		tsig_key_unref(ex.key);
		world_fini(&w);
	}
}

/* Of each thousandth record only: long ways without a record to send, cut into turns. */
TEST(xfr_out_difference, of_what_is_far_apart_pauses_on_the_way)
{
	struct script script;
	struct world w;
	struct exchange ex = { 0 };
	struct builder_origin origin = { .origin = SNAPSHOT_BY_IXFR };
	struct builder_options options;
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct snapshot *from;
	struct snapshot *snap;
	struct builder *b;
	char line[80];
	struct rr rr;

	world_init(&w, 4);
	ex.pool = w.pool;
	script_init(&script, "example.", NULL);
	script.size = 30000;
	from = script_build(&script, 1, w.pool);
	options = (struct builder_options){ .pool = w.pool,
		                            .apex = name_of(&script.apex),
		                            .base = from };
	b = builder_new(&options);
	snapshot_soa(from, scratch, &rr);
	store_u32(scratch->rdata + rr.rdata.len - 20, 2);
	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	for (unsigned i = 1; i <= 30000; i += 30) {
		snprintf(line, sizeof(line), "h%u.example. TXT \"new\"", i);
		cr_assert(eq(int, rr_parse(bytes_str(line), NULL, 300, scratch, &rr), ERR_OK));
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	}
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	cr_expect(eq(int, check(&ex, snap, from, from), XFR_OUT_DIFFERENCE));
	cr_expect(eq(u64, ex.totals.records, 1004));
	/* Deletions of it, of which there are none, are looked for twice. */
	cr_expect(ge(uint, ex.pauses, 4), "%u", ex.pauses);
	snapshot_unref(from);
	snapshot_unref(snap);
	free(scratch);
	script_fini(&script);
	world_fini(&w);
}

/* ---- over UDP ---- */

/* Adds so many addresses at one name. */
static void add_addresses(struct model *m, unsigned count)
{
	struct name_buf owner = name_text("many.example.");

	for (unsigned i = 0; i < count; i++) {
		uint8_t rdata[4] = { 10, 1, (uint8_t)(i >> 8), (uint8_t)i };
		struct rr rr = { name_of(&owner), TYPE_A, CLASS_IN, 300, { rdata, 4 } };
		cr_assert(model_add(m, &rr));
	}
}

/* 16 octets a record, about 200 for the rest, 80 to 90 for a signature. */
static const struct {
	unsigned added, udp;
	bool edns, signed_;
	enum xfr_out_form form;
	size_t longest;
} datagrams[] = {
	{ 1, 512, false, false, XFR_OUT_DIFFERENCE, 512 },
	{ 10, 512, false, false, XFR_OUT_DIFFERENCE, 512 },
	{ 40, 512, false, false, XFR_OUT_SOA, 512 },
	{ 40, 4096, false, false, XFR_OUT_SOA, 512 }, /* no EDNS, no size */
	{ 40, 1232, true, false, XFR_OUT_DIFFERENCE, 1232 },
	{ 40, 300, true, false, XFR_OUT_SOA, 512 },
	{ 40, 1232, true, true, XFR_OUT_DIFFERENCE, 1232 },
	{ 100, 1232, true, false, XFR_OUT_SOA, 1232 },
	{ 100, 4096, true, false, XFR_OUT_SOA, 1232 },
	{ 9000, 1232, true, true, XFR_OUT_SOA, 1232 },
};

TEST(xfr_out_difference, is_one_datagram_or_the_soa)
{
	struct tsig_key *key = script_key("k", "a secret of the test");

	for (size_t i = 0; i < ARRAY_LEN(datagrams); i++) {
		struct world w;
		struct model a;
		struct model b;
		struct session s;
		struct exchange ex = { .udp = datagrams[i].udp,
			               .edns = datagrams[i].edns,
			               .key = datagrams[i].signed_ ? key : NULL };
		struct snapshot *from;
		struct snapshot *snap;

		pair_init(&w, &a, &b, 20);
		add_addresses(&b, datagrams[i].added);
		ex.pool = w.pool;
		from = model_build(&a, w.pool, NULL);
		snap = model_build(&b, w.pool, NULL);
		exchange(&ex, snap, from, from, &s);
		cr_expect(eq(int, ex.totals.form, datagrams[i].form), "case %zu", i);
		cr_expect(le(sz, ex.longest, datagrams[i].longest), "case %zu", i);
		cr_expect(eq(u64, ex.totals.messages, 1), "case %zu", i);
		if (datagrams[i].form == XFR_OUT_DIFFERENCE) {
			cr_expect(eq(u64, ex.totals.records, 4 + datagrams[i].added));
			cr_expect(eq(int, s.state, SESSION_DONE));
		}
		session_fini(&s);
		snapshot_unref(from);
		snapshot_unref(snap);
		pair_fini(&w, &a, &b);
	}
	tsig_key_unref(key);
}

/* A version that is not kept: the whole zone if it is as small as that. */
TEST(xfr_out_difference, is_the_whole_zone_in_one_datagram_if_that_is_small)
{
	struct world w;
	struct model a;
	struct model b;
	struct snapshot *from;
	struct snapshot *snap;
	struct exchange ex = { .udp = 512 };
	struct session s;

	pair_init(&w, &a, &b, 0);
	ex.pool = w.pool;
	from = model_build(&a, w.pool, NULL);
	snap = model_build(&b, w.pool, NULL);
	cr_expect(eq(int, check(&ex, snap, from, NULL), XFR_OUT_WHOLE));
	cr_expect(eq(u64, ex.totals.records, 3));
	snapshot_unref(snap);
	add_addresses(&b, 60);
	snap = model_build(&b, w.pool, NULL);
	exchange(&ex, snap, from, NULL, &s);
	cr_expect(eq(int, ex.totals.form, XFR_OUT_SOA));
	cr_expect(le(sz, ex.longest, 512));
	session_fini(&s);
	snapshot_unref(from);
	snapshot_unref(snap);
	pair_fini(&w, &a, &b);
}

/* A name of 250 octets, four times in one message without EDNS: not even the SOA has room. */
TEST(xfr_out_difference, with_names_too_long_for_a_datagram_says_so)
{
	struct world w;
	struct tsig_stream tsig = { 0 };
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct question q = { .type = TYPE_IXFR, .class = CLASS_IN };
	struct xfr_out_request request = { .question = &q,
		                           .id = ID,
		                           .udp = true,
		                           .has_serial = true,
		                           .serial = { 1 },
		                           .tsig = &tsig };
	uint8_t *buffer = mem_new(MESSAGE_MAX_LEN);
	struct builder_options options;
	struct snapshot *snap;
	struct builder *b;
	struct xfr_out *x;
	struct bytes message;
	struct header h;
	struct reader r;
	char label[61];
	char apex[256];
	char line[1024];
	struct rr rr;

	world_init(&w, 6);
	memset(label, 'a', 60);
	label[60] = '\0';
	snprintf(apex, sizeof(apex), "%s.%s.%s.%s.", label, label, label, label);
	q.name = name_text(apex);
	options = (struct builder_options){ .pool = w.pool, .apex = name_of(&q.name) };
	b = builder_new(&options);
	for (unsigned i = 0; i < 2; i++) {
		label[0] = 'b';
		snprintf(line, sizeof(line), "%s %s %s.%s.%s.%s. %s", apex, i == 0 ? "SOA" : "NS",
		         label, label, label, label, i == 0 ? "x. 2 60 60 60 60" : "");
		cr_assert(eq(int, rr_parse(bytes_str(line), NULL, 300, scratch, &rr), ERR_OK));
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	}
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	request.snap = snap;
	x = xfr_out_new(&request);
	cr_assert(eq(int, xfr_out_next(x, buffer, MESSAGE_MAX_LEN, SIGNED_AT, &message), ERR_OK));
	cr_expect(le(sz, message.len, 512));
	r = reader_of(message);
	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_expect(ne(int, h.flags &FLAG_TC, 0));
	cr_expect(eq(int, h.ancount, 0));
	cr_expect(xfr_out_ended(x));
	xfr_out_free(x);
	snapshot_unref(snap);
	free(buffer);
	free(scratch);
	world_fini(&w);
}
