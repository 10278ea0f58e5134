/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/owed_test.c — against a plain list. */
#include "base/env.h"
#include "tests/test.h"
#include "transfer/owed_p.h"

#define PLACES 3000U

struct model {
	uint32_t at[PLACES];
	unsigned count;
};

static unsigned model_find(const struct model *m, uint32_t place)
{
	unsigned i = 0;

	while (i < m->count && m->at[i] != place) {
		i++;
	}
	return i;
}

static void model_cut(struct model *m, unsigned at)
{
	m->count--;
	memmove(m->at + at, m->at + at + 1, (m->count - at) * sizeof(m->at[0]));
}

static void step(struct owed *o, struct model *m, uint32_t dice, uint32_t place)
{
	unsigned at = model_find(m, place);
	uint32_t taken;

	if (dice < 50) {
		cr_assert(eq(int, owed_add(o, place), at == m->count));
		if (at == m->count) {
			m->at[m->count++] = place;
		}
	} else if (dice < 70) {
		cr_assert(eq(int, owed_remove(o, place), at < m->count));
		if (at < m->count) {
			model_cut(m, at);
		}
	} else if (owed_take(o, &taken)) {
		cr_assert(eq(u32, taken, m->at[0]));
		model_cut(m, 0);
	} else {
		cr_assert(eq(uint, m->count, 0));
	}
	cr_assert(eq(u32, o->count, m->count));
}

TEST(owed, is_a_queue_that_holds_each_once)
{
	struct env_fake env;
	struct owed o = { 0 };
	struct model m = { .count = 0 };

	for (unsigned seed = 1; seed <= 3; seed++) {
		env_fake_init(&env, seed);
		for (unsigned i = 0; i < 60000; i++) {
			/* First it grows, then it shrinks, and so on. */
			uint32_t range = i / 6000 % 2 == 0 ? 60 : 100;
			uint32_t spread = 1U << env_random_below(&env.env, 12);
			uint32_t place = 1 + env_random_below(&env.env, spread) % (PLACES - 1) * 13;

			step(&o, &m, env_random_below(&env.env, range), place);
		}
	}
	while (m.count > 0) {
		step(&o, &m, 99, 0);
	}
	cr_expect(eq(ptr, o.queue, NULL), "nothing is kept");
	owed_fini(&o);
}

TEST(owed, keeps_a_million_in_their_order)
{
	struct owed o = { 0 };
	uint32_t place;

	for (uint32_t i = 1; i <= 1000000; i++) {
		cr_assert(owed_add(&o, i * 17));
		cr_assert(i % 3 != 0 || owed_remove(&o, i * 17));
	}
	cr_expect(le(u32, o.cap, 1U << 20), "gaps are closed");
	for (uint32_t i = 1; i <= 1000000; i++) {
		if (i % 3 != 0) {
			cr_assert(owed_take(&o, &place));
			cr_assert(eq(u32, place, i * 17));
		}
	}
	cr_expect(not(owed_take(&o, &place)));
	owed_fini(&o);
}
