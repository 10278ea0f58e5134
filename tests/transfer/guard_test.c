/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/guard_test.c — versions that are well-formed and look wrong, judged. */
#include "transfer/guard_p.h"

#include <stdio.h>

#include "base/env.h"
#include "dns/rdata.h"
#include "tests/test.h"

#define ZONEMD_BAD_HEX                                                                             \
	"000000000000000000000000000000000000000000000000"                                         \
	"000000000000000000000000000000000000000000000000"

struct bench {
	struct env_fake fake;
	struct epoch *epoch;
	struct pool *pool;
	struct name_buf apex;
};

static void bench_init(struct bench *b)
{
	struct pool_options options;

	env_fake_init(&b->fake, 5);
	b->epoch = epoch_new();
	options = (struct pool_options){
		.env = &b->fake.env, .epoch = b->epoch, .parts = 4, .span_bytes = 1U << 30
	};
	cr_assert(eq(int, pool_new(&options, &b->pool), ERR_OK));
	cr_assert(eq(int, name_parse(bytes_str("example."), NULL, &b->apex), ERR_OK));
}

static void bench_fini(struct bench *b)
{
	epoch_free(b->epoch);
	pool_free(b->pool);
}

static void add(struct bench *b, struct builder *to, const char *line)
{
	static struct rr_scratch scratch;
	struct name apex = name_of(&b->apex);
	struct rr rr;

	cr_assert(eq(int, rr_parse(bytes_str(line), &apex, 300, &scratch, &rr), ERR_OK), "%s",
	          line);
	cr_assert(eq(int, builder_add(to, &rr), ERR_OK), "%s", line);
}

/* What is to be in a version besides the SOA; `records` counts that. */
struct content {
	unsigned records;
	bool no_ns;
	const char *zonemd; /* NULL: none */
};

static struct snapshot *version(struct bench *b, const struct content *content)
{
	struct builder_options options = { .pool = b->pool,
		                           .apex = name_of(&b->apex),
		                           .allow_no_ns = true };
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder *to = builder_new(&options);
	struct snapshot *out;
	unsigned count = 1;
	char line[200];

	add(b, to, "@ IN SOA ns hostmaster 7 1000 100 10000 60");
	if (!content->no_ns) {
		add(b, to, "@ IN NS ns");
		count++;
	}
	if (content->zonemd != NULL) {
		add(b, to, content->zonemd);
		count++;
	}
	for (unsigned i = 0; count + i < content->records; i++) {
		snprintf(line, sizeof(line), "h%u IN A 192.0.2.1", i);
		add(b, to, line);
	}
	cr_assert(eq(int, builder_freeze(to, &origin, &out), ERR_OK));
	builder_free(to);
	return out;
}

static const struct policy_guard defaults = {
	.no_ns = GUARD_REFUSE,
	.shrunk = GUARD_HOLD,
	.shrink_percent = 90,
	.shrink_records = 1000,
	.zonemd = GUARD_HOLD,
	.limit = GUARD_REFUSE,
};

static struct guard_verdict judge(struct bench *b, const struct policy_guard *guard,
                                  const struct content *fresh, unsigned served)
{
	struct guard_case c = { .guard = guard, .fresh = version(b, fresh) };
	struct content before = { .records = served };
	struct snapshot *snap = served == 0 ? NULL : version(b, &before);
	struct guard_verdict v;

	c.served = snap;
	c.zonemd = guard_wants_zonemd(&c) ? snapshot_zonemd_verify(c.fresh) : ZONEMD_NONE;
	v = guard_judge(&c);
	if (v.act == GUARD_HOLD) {
		/* Nothing else is as good any more. */
		c.served = NULL;
		c.expired = true;
		if (v.why != HOLD_SHRUNK) {
			struct guard_verdict expired = guard_judge(&c);

			cr_expect(eq(int, expired.act, GUARD_OFF));
			cr_expect(eq(int, expired.why, v.why), "and it is said");
		}
	}
	snapshot_unref((struct snapshot *)c.fresh);
	snapshot_unref(snap);
	return v;
}

/* A set share of a zone of a set size. */
TEST(guard, knows_what_is_too_small)
{
	static const struct {
		unsigned served, fresh, percent, records;
		bool shrunk;
	} cases[] = {
		{ 1001, 100, 90, 1000, true },  { 1001, 101, 90, 1000, false },
		{ 1000, 2, 90, 1000, false },   /* not over 1000 */
		{ 1200, 120, 90, 1000, false }, /* 90 of a hundred, not more */
		{ 1200, 119, 90, 1000, true },  { 1200, 2, 99, 1000, true },
		{ 1200, 12, 99, 1000, false },  { 100, 98, 1, 0, true },
		{ 100, 99, 1, 0, false },       { 100, 100, 1, 0, false },
		{ 100, 200, 1, 0, false },      { 3, 2, 1, 0, true },
		{ 0, 2, 1, 0, false }, /* nothing to compare with */
	};
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy_guard guard = defaults;
		struct content fresh = { .records = cases[i].fresh };
		struct guard_verdict v;

		guard.shrink_percent = (uint8_t)cases[i].percent;
		guard.shrink_records = cases[i].records;
		v = judge(&b, &guard, &fresh, cases[i].served);
		cr_expect(eq(int, v.act, cases[i].shrunk ? GUARD_HOLD : GUARD_OFF), "case %zu", i);
		cr_expect(eq(int, v.why, cases[i].shrunk ? HOLD_SHRUNK : HOLD_NONE), "case %zu", i);
		guard.shrunk = GUARD_REFUSE;
		v = judge(&b, &guard, &fresh, cases[i].served);
		cr_expect(eq(int, v.act, cases[i].shrunk ? GUARD_REFUSE : GUARD_OFF));
		cr_expect(eq(int, v.err, cases[i].shrunk ? ERR_GUARD_SHRUNK : ERR_OK));
		guard.shrunk = GUARD_OFF;
		v = judge(&b, &guard, &fresh, cases[i].served);
		cr_expect(eq(int, v.act, GUARD_OFF), "not looked at");
	}
	bench_fini(&b);
}

TEST(guard, knows_what_is_too_large)
{
	struct content fresh = { .records = 10 };
	struct policy_guard guard = defaults;
	struct snapshot_facts facts;
	struct guard_verdict v;
	struct snapshot *snap;
	struct bench b;

	bench_init(&b);
	snap = version(&b, &fresh);
	snapshot_facts(snap, &facts);
	snapshot_unref(snap);
	guard.records_max = 10;
	guard.bytes_max = facts.bytes;
	cr_expect(eq(int, judge(&b, &guard, &fresh, 0).act, GUARD_OFF), "just fits");
	guard.records_max = 9;
	v = judge(&b, &guard, &fresh, 0);
	cr_expect(eq(int, v.act, GUARD_REFUSE));
	cr_expect(eq(int, v.err, ERR_GUARD_RECORDS));
	guard.records_max = 0;
	guard.bytes_max--;
	v = judge(&b, &guard, &fresh, 0);
	cr_expect(eq(int, v.act, GUARD_REFUSE));
	cr_expect(eq(int, v.err, ERR_GUARD_BYTES));
	guard.limit = GUARD_HOLD;
	v = judge(&b, &guard, &fresh, 0);
	cr_expect(eq(int, v.act, GUARD_HOLD));
	cr_expect(eq(int, v.why, HOLD_LIMIT));
	bench_fini(&b);
}

TEST(guard, looks_for_ns)
{
	struct content fresh = { .records = 10, .no_ns = true };
	struct policy_guard guard = defaults;
	struct guard_verdict v;
	struct bench b;

	bench_init(&b);
	v = judge(&b, &guard, &fresh, 10);
	cr_expect(eq(int, v.act, GUARD_REFUSE));
	cr_expect(eq(int, v.err, ERR_ZONE_NO_NS));
	guard.no_ns = GUARD_HOLD;
	v = judge(&b, &guard, &fresh, 10);
	cr_expect(eq(int, v.act, GUARD_HOLD));
	cr_expect(eq(int, v.why, HOLD_NO_NS));
	bench_fini(&b);
}

TEST(guard, looks_at_zonemd)
{
	static const struct {
		const char *zonemd;
		bool bad;
	} cases[] = {
		{ "@ IN ZONEMD 7 1 1 " ZONEMD_BAD_HEX, true },
		{ "@ IN ZONEMD 7 1 240 " ZONEMD_BAD_HEX, false }, /* private algorithm */
		{ NULL, false },
	};
	struct bench b;

	bench_init(&b);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct content fresh = { .records = 10, .zonemd = cases[i].zonemd };
		struct policy_guard guard = defaults;
		struct guard_verdict v = judge(&b, &guard, &fresh, 0);

		cr_expect(eq(int, v.act, cases[i].bad ? GUARD_HOLD : GUARD_OFF), "case %zu", i);
		cr_expect(eq(int, v.why, cases[i].bad ? HOLD_ZONEMD : HOLD_NONE), "case %zu", i);
		guard.zonemd = GUARD_REFUSE;
		v = judge(&b, &guard, &fresh, 0);
		cr_expect(eq(int, v.act, cases[i].bad ? GUARD_REFUSE : GUARD_OFF), "case %zu", i);
		cr_expect(eq(int, v.err, cases[i].bad ? ERR_GUARD_ZONEMD : ERR_OK), "case %zu", i);
		guard.zonemd = GUARD_OFF;
		v = judge(&b, &guard, &fresh, 0);
		cr_expect(eq(int, v.act, GUARD_OFF), "case %zu", i);
	}
	bench_fini(&b);
}

/* Of several objections a refusal comes before a hold, and the first before the others. */
TEST(guard, weighs_objections)
{
	struct content fresh = { .records = 10,
		                 .no_ns = true,
		                 .zonemd = "@ IN ZONEMD 7 1 1 " ZONEMD_BAD_HEX };
	struct policy_guard guard = { .no_ns = GUARD_HOLD,
		                      .shrunk = GUARD_HOLD,
		                      .shrink_percent = 50,
		                      .zonemd = GUARD_HOLD };
	struct guard_verdict v;
	struct bench b;

	bench_init(&b);
	v = judge(&b, &guard, &fresh, 100);
	cr_expect(eq(int, v.act, GUARD_HOLD));
	cr_expect(eq(int, v.why, HOLD_NO_NS));
	guard.zonemd = GUARD_REFUSE;
	v = judge(&b, &guard, &fresh, 100);
	cr_expect(eq(int, v.act, GUARD_REFUSE));
	cr_expect(eq(int, v.err, ERR_GUARD_ZONEMD));
	guard.shrunk = GUARD_REFUSE;
	v = judge(&b, &guard, &fresh, 100);
	cr_expect(eq(int, v.err, ERR_GUARD_SHRUNK));
	bench_fini(&b);
}

TEST(guard, has_a_sentence_for_every_reason)
{
	for (int why = 0; why < HOLD_REASONS; why++) {
		cr_expect(gt(sz, strlen(guard_reason_print((enum hold_reason)why)), 8));
	}
}
