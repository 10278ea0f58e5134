/* SPDX-License-Identifier: MIT */
#include "base/env.h"

#include "tests/test.h"

TEST(env, the_system_clock_never_goes_back)
{
	const struct env *env = env_system();
	uint64_t last = env_mono_ns(env);

	for (int i = 0; i < 1000; i++) {
		uint64_t now = env_mono_ns(env);
		cr_assert(now >= last);
		last = now;
	}
	cr_expect(env_wall_s(env) > 1700000000, "wall time is seconds since 1970");
}

TEST(env, system_randomness_does_not_repeat)
{
	const struct env *env = env_system();
	uint64_t seen[512];

	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		seen[i] = env_random_u64(env);
		for (size_t j = 0; j < i; j++) {
			cr_assert(seen[i] != seen[j], "64 bits came twice");
		}
	}
}

TEST(env, any_amount_of_system_randomness_is_filled)
{
	const struct env *env = env_system();
	static const size_t lens[] = { 1, 7, 255, 256, 257, 1024, 5000 };

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		uint8_t first[5001] = { 0 };
		uint8_t some[5001] = { 0 };
		first[lens[i]] = 0xa5;
		/* An octet that stays 0 in 40 draws was not filled (chance: 2^-320 each). */
		for (int draw = 0; draw < 40; draw++) {
			env->random(env->self, first, lens[i]);
			for (size_t k = 0; k < lens[i]; k++) {
				some[k] |= first[k];
			}
		}
		for (size_t k = 0; k < lens[i]; k++) {
			cr_assert(some[k] != 0, "octet %zu of %zu", k, lens[i]);
		}
		cr_expect(eq(u8, first[lens[i]], 0xa5), "written past %zu octets", lens[i]);
	}
}

TEST(env, choices_stay_below_their_bound_and_reach_all)
{
	struct env_fake f;
	unsigned hits[10] = { 0 };

	env_fake_init(&f, 42);
	for (int i = 0; i < 10000; i++) {
		uint32_t v = env_random_below(&f.env, ARRAY_LEN(hits));
		cr_assert(v < ARRAY_LEN(hits));
		hits[v]++;
	}
	for (size_t i = 0; i < ARRAY_LEN(hits); i++) {
		cr_expect(hits[i] > 800 && hits[i] < 1200, "%zu came %u times of 10000", i,
		          hits[i]);
	}
	cr_expect(eq(u32, env_random_below(&f.env, 1), 0));
}

TEST(env, the_fake_is_a_function_of_its_seed)
{
	struct env_fake a;
	struct env_fake b;
	struct env_fake c;
	bool differs = false;

	env_fake_init(&a, 7);
	env_fake_init(&b, 7);
	env_fake_init(&c, 8);
	for (int i = 0; i < 100; i++) {
		uint64_t v = env_random_u64(&a.env);
		cr_assert(eq(u64, v, env_random_u64(&b.env)));
		differs |= v != env_random_u64(&c.env);
	}
	cr_expect(differs, "another seed gives other numbers");
	cr_expect(eq(u32, env_random_u32(&a.env), env_random_u32(&b.env)));
}

TEST(env, the_fake_clock_stands_still_until_told)
{
	struct env_fake f;
	int64_t wall;

	env_fake_init(&f, 1);
	wall = env_wall_s(&f.env);
	cr_expect(eq(u64, env_mono_ns(&f.env), 0));
	cr_expect(eq(u64, env_mono_ns(&f.env), 0));
	f.now_ns += NS_PER_S - 1;
	cr_expect(eq(i64, env_wall_s(&f.env), wall));
	f.now_ns += 1;
	cr_expect(eq(i64, env_wall_s(&f.env), wall + 1));
	cr_expect(eq(u64, env_mono_ns(&f.env), NS_PER_S));
	f.now_ns += 500 * NS_PER_MS;
	cr_expect(eq(u64, env_mono_ns(&f.env), 1500 * NS_PER_MS));
}
