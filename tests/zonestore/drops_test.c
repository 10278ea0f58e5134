/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "tests/test.h"
#include "zonestore/store_p.h"

TEST(drops, are_taken_in_order_when_they_are_ready)
{
	static const uint64_t seqs[] = { 9, 3, 12, 1, UINT64_C(1) << 50, 4 };
	static const uint64_t sorted[] = { 1, 3, 4, 9, 12, UINT64_C(1) << 50 };
	struct numbers taken;
	struct drops drops;

	drops_init(&drops);
	for (size_t i = 0; i < ARRAY_LEN(seqs); i++) {
		drops_add(&drops, seqs[i]);
	}
	cr_expect(eq(sz, drops_waiting(&drops), 6));
	taken = drops_take(&drops);
	cr_expect(eq(sz, numbers_left(&taken), 0), "not before they are sorted");
	drops_sort(&drops);
	cr_expect(eq(sz, drops_waiting(&drops), 6));
	taken = drops_take(&drops);
	cr_assert(eq(sz, numbers_left(&taken), 6));
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
		cr_expect(eq(u64, taken.at[i], sorted[i]));
	}
	numbers_fini(&taken);
	cr_expect(eq(sz, drops_waiting(&drops), 0));
	drops_fini(&drops);
}

TEST(drops, that_come_after_sorting_wait_for_the_next_time)
{
	struct numbers taken;
	struct drops drops;

	drops_init(&drops);
	drops_add(&drops, 5);
	drops_sort(&drops);
	drops_add(&drops, 2);
	drops_sort(&drops); /* does nothing: what is ready was not taken */
	cr_expect(eq(sz, drops_waiting(&drops), 2));
	taken = drops_take(&drops);
	cr_expect(eq(sz, numbers_left(&taken), 1));
	numbers_fini(&taken);
	drops_sort(&drops);
	taken = drops_take(&drops);
	cr_assert(eq(sz, numbers_left(&taken), 1));
	cr_expect(eq(u64, taken.at[0], 2));
	numbers_fini(&taken);
	drops_fini(&drops);
}

TEST(drops, are_forgotten_with_the_journal_that_they_were_in)
{
	struct numbers taken;
	struct drops drops;

	drops_init(&drops);
	drops_add(&drops, 5);
	drops_sort(&drops);
	drops_add(&drops, 6);
	drops_forget(&drops);
	cr_expect(eq(sz, drops_waiting(&drops), 0));
	drops_sort(&drops);
	taken = drops_take(&drops);
	cr_expect(eq(sz, numbers_left(&taken), 0));
	drops_fini(&drops);
}
