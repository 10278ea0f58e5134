/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/due_test.c — the heap of due times against a plain array. */
#include "transfer/due_p.h"

#include <stdio.h>

#include "base/env.h"
#include "tests/test.h"

#define SEED  20240611
#define ITEMS 300
#define STEPS 20000

/* Items stand at multiples of 8. */
struct item {
	_Alignas(8) struct due_item due;
};

static uint64_t model_first(const uint64_t *at, const struct item *items)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < ITEMS; i++) {
		if (items[i].due.place != 0 && at[i] < best) {
			best = at[i];
		}
	}
	return best;
}

TEST(due, agrees_with_an_array_under_random_steps)
{
	static struct item items[ITEMS];
	static uint64_t at[ITEMS];
	struct due due;
	struct env_fake fake;

	env_fake_init(&fake, SEED);
	printf("seed %d\n", SEED);
	due_init(&due, items, 0);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t i = env_random_below(&fake.env, ITEMS);
		uint64_t first_ns = UINT64_MAX;

		if (items[i].due.place != 0 && env_random_below(&fake.env, 4) == 0) {
			due_remove(&due, &items[i].due);
		} else {
			at[i] = (uint64_t)env_random_below(&fake.env, 1000) << DUE_TICK_BITS;
			due_set(&due, &items[i].due, at[i]);
			cr_assert(eq(u64, due_at(&due, &items[i].due), at[i]));
		}
		cr_assert(eq(int, due_first(&due, &first_ns) == NULL, due.count == 0));
		cr_assert(eq(u64, first_ns, model_first(at, items)), "step %u", step);
	}
	while (due.count > 0) {
		uint64_t now, next = UINT64_MAX;
		struct due_item *item = due_first(&due, &now);

		due_remove(&due, item);
		cr_assert(eq(u32, item->place, 0));
		if (due_first(&due, &next) != NULL) {
			cr_assert(le(u64, now, next));
		}
	}
	due_fini(&due);
}

TEST(due, rounds_up_to_a_tick_and_is_early_for_nothing_but_what_is_far)
{
	const uint64_t day_ns = 24ULL * 3600 * 1000000000;
	const uint64_t tick_ns = 1ULL << DUE_TICK_BITS;
	struct item item = { 0 };
	struct due due;
	uint64_t at_ns;

	due_init(&due, &item, 1000 * day_ns);
	due_set(&due, &item.due, 1001 * day_ns + 1);
	cr_expect(ge(u64, due_at(&due, &item.due), 1001 * day_ns + 1));
	cr_expect(lt(u64, due_at(&due, &item.due), 1001 * day_ns + 1 + tick_ns));
	due_set(&due, &item.due, 7);
	cr_expect(le(u64, due_at(&due, &item.due), 1000 * day_ns), "what is past is due");
	due_set(&due, &item.due, 100000 * day_ns);
	cr_expect(due_first(&due, &at_ns) == &item.due);
	cr_expect(gt(u64, at_ns, 1200 * day_ns));
	due_set(&due, &item.due, DUE_NEVER);
	cr_expect(eq(u64, due_at(&due, &item.due), DUE_NEVER));
	due_fini(&due);
}

TEST(due, goes_on_after_years)
{
	const uint64_t day_ns = 24ULL * 3600 * 1000000000;
	static struct item items[4];
	struct due due;
	uint64_t at_ns;

	due_init(&due, items, 0);
	due_set(&due, &items[0].due, DUE_NEVER);
	due_set(&due, &items[1].due, 3 * day_ns);
	for (uint64_t now = 0; now < 5000 * day_ns; now += 50 * day_ns) {
		due_advance(&due, now);
		due_set(&due, &items[2].due, now + 8 * day_ns);
		due_set(&due, &items[3].due, now + 5 * day_ns);
		cr_expect(due_first(&due, &at_ns) == &items[1].due, "overdue since long");
		cr_expect(lt(u64, at_ns, now + day_ns * 4));
		cr_expect(ge(u64, due_at(&due, &items[2].due), now + 8 * day_ns));
		cr_expect(lt(u64, due_at(&due, &items[2].due), now + 9 * day_ns));
		cr_expect(lt(u64, due_at(&due, &items[3].due), now + 6 * day_ns));
		cr_expect(eq(u64, due_at(&due, &items[0].due), DUE_NEVER));
	}
	due_fini(&due);
}
