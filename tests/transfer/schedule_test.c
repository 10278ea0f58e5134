/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/schedule_test.c — intervals from SOAs, limits and dice. */
#include "transfer/schedule_p.h"

#include "tests/test.h"

static const struct policy_limits limits = { .min_refresh_s = 60,
	                                     .max_refresh_s = 86400,
	                                     .min_retry_s = 10,
	                                     .max_retry_s = 3600,
	                                     .min_expire_s = 3600 };

TEST(schedule, keeps_intervals_within_their_limits)
{
	static const struct {
		const char *name;
		uint32_t refresh, retry, expire;
		uint32_t want_refresh, want_retry, want_expire;
	} cases[] = {
		{ "as the zone has it", 7200, 900, 1209600, 7200, 900, 1209600 },
		{ "floors", 1, 1, 1, 60, 10, 3600 },
		{ "ceilings", 864000, 86400, 1209600, 86400, 3600, 1209600 },
		{ "zeros", 0, 0, 0, 60, 10, 3600 },
		{ "expire below refresh and retry", 86400, 3600, 7200, 86400, 3600, 90000 },
		{ "no end", UINT32_MAX, UINT32_MAX, UINT32_MAX, 86400, 3600, UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct soa soa = { .refresh_s = cases[i].refresh,
			           .retry_s = cases[i].retry,
			           .expire_s = cases[i].expire };
		struct schedule s;

		schedule_init(&s, &soa, &limits);
		cr_expect(eq(u32, s.refresh_s, cases[i].want_refresh), "%s", cases[i].name);
		cr_expect(eq(u32, s.retry_s, cases[i].want_retry), "%s", cases[i].name);
		cr_expect(eq(u32, s.expire_s, cases[i].want_expire), "%s", cases[i].name);
	}
}

TEST(schedule, never_asks_without_pause)
{
	struct soa soa = { 0 };
	struct policy_limits none = { 0 };
	struct schedule s;

	schedule_init(&s, &soa, &none);
	cr_expect(eq(u32, s.refresh_s, SCHEDULE_RETRY_FLOOR_S));
	cr_expect(eq(u32, s.retry_s, SCHEDULE_RETRY_FLOOR_S));
	cr_expect(eq(u32, schedule_backoff_s(&none, 1), SCHEDULE_RETRY_FLOOR_S));
}

TEST(schedule, shortens_delays_by_up_to_a_tenth)
{
	struct env_fake fake;
	uint64_t least = UINT64_MAX, most = 0;

	env_fake_init(&fake, 7);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t ms = schedule_delay_ms(&fake.env, 100);

		least = ms < least ? ms : least;
		most = ms > most ? ms : most;
	}
	cr_expect(ge(u64, least, 90000));
	cr_expect(lt(u64, least, 90200));
	cr_expect(le(u64, most, 100000));
	cr_expect(gt(u64, most, 99800));
}

TEST(schedule, spreads_what_begins_together)
{
	unsigned parts[10] = { 0 };
	struct env_fake fake;

	env_fake_init(&fake, 7);
	for (unsigned i = 0; i < 9000; i++) {
		uint64_t ms = schedule_spread_ms(&fake.env, 1000);

		cr_assert(ge(u64, ms, 100000));
		cr_assert(le(u64, ms, 1000000));
		parts[ms == 1000000 ? 9 : ms / 100000]++;
	}
	for (unsigned i = 1; i < 10; i++) {
		cr_expect(gt(uint, parts[i], 900), "part %u", i);
		cr_expect(lt(uint, parts[i], 1100), "part %u", i);
	}
	cr_expect(eq(u64, schedule_spread_ms(&fake.env, 0), 0));
}

TEST(schedule, backs_off_by_doubling)
{
	static const struct {
		unsigned failures;
		uint32_t want;
	} cases[] = { { 0, 10 },   { 1, 10 },    { 2, 20 },    { 3, 40 },
		      { 9, 2560 }, { 10, 3600 }, { 255, 3600 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(eq(u32, schedule_backoff_s(&limits, cases[i].failures), cases[i].want),
		          "%u failures", cases[i].failures);
	}
}

TEST(schedule, spreads_what_is_overdue_at_start)
{
	static const struct schedule day = { 86400, 3600, 604800 };
	static const struct schedule minute = { 60, 10, 3600 };
	struct env_fake fake;
	uint64_t most = 0;

	env_fake_init(&fake, 7);
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t ms = schedule_start_ms(&fake.env, &day, 1000, 2000);

		most = ms > most ? ms : most;
		cr_assert(lt(u64, schedule_start_ms(&fake.env, &minute, 0, 2000), 6000));
	}
	cr_expect(gt(u64, most, 29000));
	cr_expect(lt(u64, most, SCHEDULE_START_MAX_S * 1000));
	cr_expect(eq(u64, schedule_start_ms(&fake.env, &day, 2500, 2000), 500000), "not due");
	cr_expect(eq(u64, schedule_start_ms(&fake.env, &minute, 90000, 2000), 60000),
	          "a clock that was wrong");
}
