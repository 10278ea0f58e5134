/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/pace_test.c — transactions and waits of updates that come evenly at some rate. */
#include "zonestore/pace_p.h"

#include "base/bytes.h"
#include "tests/test.h"

#define SECOND 1000000000ULL
#define MS     1000000ULL
#define TOOK   (MS / 5) /* by a transaction */

struct run {
	struct pace pace;
	uint64_t now_ns;
	uint64_t transactions;
	uint64_t longest_ns; /* wait for a transaction */
};

/* Updates for so many seconds. */
static void run_on(struct run *r, uint64_t rate, uint64_t secs)
{
	uint64_t gap = SECOND / rate;
	uint64_t end = r->now_ns + secs * SECOND;
	uint64_t oldest = r->now_ns; /* update that waits */

	r->transactions = 0;
	r->longest_ns = 0;
	while (oldest < end) {
		uint64_t now = oldest > r->pace.next_ns ? oldest : r->pace.next_ns;
		now = now > r->now_ns ? now : r->now_ns;
		uint64_t updates = (now - oldest) / gap + 1;
		r->longest_ns = now - oldest > r->longest_ns ? now - oldest : r->longest_ns;
		pace_begin(&r->pace, now);
		pace_count(&r->pace, now, updates);
		r->transactions++;
		oldest += updates * gap;
		r->now_ns = now + TOOK;
	}
}

static void run_begin(struct run *r)
{
	*r = (struct run){ .now_ns = 1000 * SECOND };
}

TEST(pace, an_update_after_a_pause_goes_at_once)
{
	struct run r;

	run_begin(&r);
	run_on(&r, 100, 1);
	cr_expect(eq(u64, r.longest_ns, 0));
	cr_expect(eq(u64, r.transactions, 100));
	run_on(&r, 20000, 2);
	r.now_ns += SECOND;
	run_on(&r, 1, 1);
	cr_expect(eq(u64, r.longest_ns, 0), "whatever was before");
}

TEST(pace, few_updates_hardly_wait)
{
	struct run r;

	run_begin(&r);
	run_on(&r, 1000, 1);
	run_on(&r, 1000, 2);
	cr_expect(lt(u64, r.longest_ns, MS / 4));
	run_on(&r, 2000, 1);
	run_on(&r, 2000, 2);
	cr_expect(lt(u64, r.longest_ns, MS));
}

TEST(pace, more_updates_share_more)
{
	struct run r;

	run_begin(&r);
	run_on(&r, 5000, 1);
	run_on(&r, 5000, 2);
	cr_expect(lt(u64, r.longest_ns, 9 * MS / 2));
	cr_expect(lt(u64, r.transactions, 2 * 5000 / 16));
}

TEST(pace, a_load_has_few_transactions)
{
	static const uint64_t rates[] = { 10000, 20000, 200000 };
	struct run r;

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		run_begin(&r);
		run_on(&r, rates[i], 1);
		cr_expect(lt(u64, r.transactions, 200), "also until the rate is known");
		run_on(&r, rates[i], 2);
		cr_expect(le(u64, r.longest_ns, PACE_MAX_NS));
		cr_expect(le(u64, r.transactions, 2 * SECOND / PACE_MAX_NS + 2));
	}
}

/* A rate that changes is known before many have waited for long, or gone alone. */
TEST(pace, follows_the_rate)
{
	struct run r;

	run_begin(&r);
	run_on(&r, 20000, 1);
	run_on(&r, 1000, 1);
	run_on(&r, 1000, 1);
	cr_expect(lt(u64, r.longest_ns, MS / 4));
	run_on(&r, 20000, 1);
	cr_expect(lt(u64, r.transactions, 200));
}
