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

static uint64_t model_first(const uint64_t *at, const struct due_item *items)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < ITEMS; i++) {
		if (items[i].place != 0 && at[i] < best) {
			best = at[i];
		}
	}
	return best;
}

TEST(due, agrees_with_an_array_under_random_steps)
{
	static struct due_item items[ITEMS];
	static uint64_t at[ITEMS];
	struct due due = { 0 };
	struct env_fake fake;

	env_fake_init(&fake, SEED);
	printf("seed %d\n", SEED);
	for (unsigned step = 0; step < STEPS; step++) {
		uint32_t i = env_random_below(&fake.env, ITEMS);
		uint64_t first_ns = UINT64_MAX;

		if (items[i].place != 0 && env_random_below(&fake.env, 4) == 0) {
			due_remove(&due, &items[i]);
		} else {
			at[i] = env_random_below(&fake.env, 1000);
			due_set(&due, &items[i], at[i]);
			cr_assert(eq(u64, due_at(&due, &items[i]), at[i]));
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
