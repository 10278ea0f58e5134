/* SPDX-License-Identifier: MIT */
#include "base/durations.h"

#include "tests/test.h"

TEST(durations, nothing_is_zero)
{
	struct durations d = { 0 };

	cr_expect(eq(u64, durations_quantile(&d, 500), 0));
	cr_expect(eq(u64, durations_quantile(&d, 1000), 0));
	cr_expect(eq(u64, durations_mean(&d), 0));
}

TEST(durations, quantiles_are_never_too_low_and_at_most_a_quarter_too_high)
{
	for (uint64_t ns = 4096; ns < UINT64_C(1) << 38; ns += ns / 7) {
		struct durations d = { 0 };
		uint64_t median;
		durations_add(&d, ns);
		durations_add(&d, UINT64_C(1) << 40);
		median = durations_quantile(&d, 500);
		cr_expect(ge(u64, median, ns));
		cr_expect(le(u64, median, ns + ns / 4 + 1024));
		cr_expect(eq(u64, durations_quantile(&d, 1000), UINT64_C(1) << 40));
	}
}

TEST(durations, of_many)
{
	struct durations d = { 0 };
	uint64_t p50;
	uint64_t p99;

	for (uint64_t i = 1; i <= 1000; i++) {
		durations_add(&d, i * 1000000);
	}
	p50 = durations_quantile(&d, 500);
	p99 = durations_quantile(&d, 990);
	cr_expect(ge(u64, p50, 500000000));
	cr_expect(le(u64, p50, 625000000));
	cr_expect(ge(u64, p99, 990000000));
	cr_expect(le(u64, p99, 1000000000), "never above the longest");
	cr_expect(eq(u64, d.max_ns, 1000000000));
	cr_expect(eq(u64, durations_mean(&d), 500500000));
}

TEST(durations, the_shortest_and_the_longest_have_a_place)
{
	struct durations d = { 0 };

	durations_add(&d, 0);
	durations_add(&d, UINT64_MAX);
	cr_expect(eq(u64, d.buckets[0], 1));
	cr_expect(eq(u64, d.buckets[DURATIONS_BUCKETS - 1], 1));
	cr_expect(eq(u64, durations_quantile(&d, 1000), UINT64_MAX));
}
