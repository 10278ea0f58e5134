/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/quota_test.c — limits that shards share. */
#include "transfer/quota.h"

#include "base/env.h"
#include "tests/test.h"

static struct addr at(const char *text)
{
	struct addr a;

	cr_assert(eq(int, addr_parse(text, 53, &a), ERR_OK));
	return a;
}

TEST(quota, is_one_for_each_address)
{
	struct quotas *all = quotas_new();
	struct addr a = at("192.0.2.1"), b = at("192.0.2.1@54");
	struct quota *q[3] = { quota_get(all, &a), quota_get(all, &b), quota_get(all, &a) };

	cr_expect(eq(ptr, q[0], q[2]));
	cr_expect(ne(ptr, q[0], q[1]));
	cr_expect(quota_conn_take(q[0], 2));
	cr_expect(quota_conn_take(q[2], 2));
	cr_expect(not(quota_conn_take(q[0], 2)));
	cr_expect(quota_conn_take(q[1], 2), "another's are its own");
	cr_expect(eq(u32, quota_conns(q[0]), 2));
	quota_conn_give(q[2]);
	cr_expect(quota_conn_take(q[0], 2));
	cr_expect(quota_transfer_take(q[0], 1));
	cr_expect(not(quota_transfer_take(q[2], 1)));
	cr_expect(eq(u32, quota_transfers(q[0]), 1));
	quota_transfer_give(q[0]);
	cr_expect(quota_down(q[0], true), "the first");
	cr_expect(not(quota_down(q[2], true)));
	cr_expect(not(quota_down(q[0], false)));
	cr_expect(quota_down(q[2], false), "the last");
	cr_expect(not(quota_let_go(q[0])));
	quota_want(q[0]);
	cr_expect(quota_let_go(q[2]));
	cr_expect(not(quota_let_go(q[2])), "once for each time");
	quota_hurry(q[0], 100);
	cr_expect(quota_hurried(q[2], 99));
	cr_expect(not(quota_hurried(q[2], 100)));
	for (unsigned i = 0; i < 2; i++) {
		quota_conn_give(q[0]);
	}
	quota_conn_give(q[1]);
	for (unsigned i = 0; i < 3; i++) {
		quota_put(all, q[i]);
	}
	quotas_free(all);
}

TEST(quota, lets_so_many_queries_a_second_pass)
{
	static const uint32_t rates[] = { 1, 3, 100, 12345 };
	struct quotas *all = quotas_new();
	struct addr a = at("192.0.2.1");
	struct quota *q = quota_get(all, &a);
	uint64_t now = NS_PER_S;

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		uint64_t until = now + 10 * NS_PER_S;
		uint32_t passed = 0;

		while (now < until) {
			uint64_t again = quota_query(q, rates[i], now);

			passed += again == 0;
			cr_assert(again == 0 || again > now, "never at once again");
			now = again == 0 ? now : again;
		}
		cr_expect(ge(u32, passed, 10 * rates[i] - 1), "%u of %u", passed, 10 * rates[i]);
		cr_expect(le(u32, passed, 10 * rates[i] + rates[i] / 10 + 2), "%u of %u", passed,
		          10 * rates[i]);
	}
	for (unsigned i = 0; i < 1000; i++) {
		cr_assert(eq(u64, quota_query(q, 0, now), 0), "0 is no limit");
	}
	quota_put(all, q);
	quotas_free(all);
}
