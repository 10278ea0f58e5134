/* SPDX-License-Identifier: MIT */
#include "base/epoch.h"

#include "tests/test.h"

struct thing {
	struct epoch_item retire;
	unsigned *freed;
	struct epoch *chain; /* where to retire `next` when this one is freed, or NULL */
	struct thing *next;
};

static void thing_free(struct epoch_item *item)
{
	struct thing *t = container_of(item, struct thing, retire);

	(*t->freed)++;
	if (t->chain != NULL) {
		epoch_retire(t->chain, &t->next->retire, thing_free);
	}
}

TEST(epoch, waits_for_every_participant_that_is_online)
{
	struct epoch *e = epoch_new();
	unsigned a = epoch_join(e);
	unsigned b = epoch_join(e);
	unsigned freed = 0;
	struct thing t = { .freed = &freed };

	epoch_quiet(e, a);
	epoch_quiet(e, b);
	epoch_retire(e, &t.retire, thing_free);
	cr_expect(eq(sz, epoch_collect(e), 0), "both may still see it");
	epoch_quiet(e, a);
	cr_expect(eq(sz, epoch_collect(e), 0), "b may still see it");
	epoch_quiet(e, a);
	cr_expect(eq(sz, epoch_collect(e), 0), "a's word does not count for b");
	epoch_quiet(e, b);
	cr_expect(eq(sz, epoch_collect(e), 1));
	cr_expect(eq(uint, freed, 1));
	cr_expect(eq(sz, epoch_collect(e), 0), "freed once");
	epoch_offline(e, a);
	epoch_offline(e, b);
	epoch_free(e);
}

TEST(epoch, who_sleeps_or_left_holds_nothing_up)
{
	struct epoch *e = epoch_new();
	unsigned a = epoch_join(e);
	unsigned b = epoch_join(e);
	unsigned freed = 0;
	struct thing t[3] = { { .freed = &freed }, { .freed = &freed }, { .freed = &freed } };

	epoch_retire(e, &t[0].retire, thing_free);
	cr_expect(eq(sz, epoch_collect(e), 1), "both have never been online");
	epoch_quiet(e, a);
	epoch_quiet(e, b);
	epoch_retire(e, &t[1].retire, thing_free);
	epoch_offline(e, b);
	cr_expect(eq(sz, epoch_collect(e), 0));
	epoch_leave(e, a);
	cr_expect(eq(sz, epoch_collect(e), 1));
	epoch_quiet(e, b);
	epoch_retire(e, &t[2].retire, thing_free);
	cr_expect(eq(sz, epoch_collect(e), 0), "awake again");
	epoch_quiet(e, b);
	cr_expect(eq(sz, epoch_collect(e), 1));
	cr_expect(eq(uint, freed, 3));
	epoch_leave(e, b);
	epoch_free(e);
}

TEST(epoch, frees_in_order_what_is_old_enough)
{
	struct epoch *e = epoch_new();
	unsigned a = epoch_join(e);
	unsigned freed = 0;
	struct thing t[4];

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		t[i] = (struct thing){ .freed = &freed };
	}
	epoch_quiet(e, a);
	epoch_retire(e, &t[0].retire, thing_free);
	epoch_retire(e, &t[1].retire, thing_free);
	epoch_quiet(e, a);
	epoch_retire(e, &t[2].retire, thing_free);
	epoch_retire(e, &t[3].retire, thing_free);
	cr_expect(eq(sz, epoch_collect(e), 2));
	epoch_quiet(e, a);
	cr_expect(eq(sz, epoch_collect(e), 2));
	epoch_leave(e, a);
	epoch_free(e);
}

TEST(epoch, frees_no_more_than_wanted_and_the_rest_later)
{
	struct epoch *e = epoch_new();
	unsigned freed = 0;
	struct thing t[5];

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		t[i] = (struct thing){ .freed = &freed };
		epoch_retire(e, &t[i].retire, thing_free);
	}
	cr_expect(eq(sz, epoch_collect_some(e, 2), 2));
	cr_expect(eq(uint, freed, 2));
	cr_expect(eq(sz, epoch_collect_some(e, 0), 0));
	cr_expect(eq(sz, epoch_collect_some(e, 3), 3));
	cr_expect(eq(sz, epoch_collect_some(e, 3), 0));
	epoch_free(e);
}

TEST(epoch, a_freed_item_may_retire_another)
{
	struct epoch *e = epoch_new();
	unsigned a = epoch_join(e);
	unsigned freed = 0;
	struct thing leaf = { .freed = &freed };
	struct thing root = { .freed = &freed, .chain = e, .next = &leaf };

	epoch_quiet(e, a);
	epoch_retire(e, &root.retire, thing_free);
	epoch_quiet(e, a);
	cr_expect(eq(sz, epoch_collect(e), 1));
	cr_expect(eq(sz, epoch_collect(e), 0));
	epoch_quiet(e, a);
	cr_expect(eq(sz, epoch_collect(e), 1));
	cr_expect(eq(uint, freed, 2));
	epoch_leave(e, a);
	epoch_free(e);
}

TEST(epoch, free_runs_what_is_left_with_what_that_retires)
{
	struct epoch *e = epoch_new();
	unsigned freed = 0;
	struct thing leaf = { .freed = &freed };
	struct thing root = { .freed = &freed, .chain = e, .next = &leaf };

	epoch_retire(e, &root.retire, thing_free);
	epoch_free(e);
	cr_expect(eq(uint, freed, 2));
	epoch_free(NULL);
}

TEST(epoch, numbers_of_those_who_left_are_given_again)
{
	struct epoch *e = epoch_new();
	unsigned last = 0;

	for (int i = 0; i < 3 * EPOCH_PARTICIPANTS_MAX; i++) {
		last = epoch_join(e);
		epoch_leave(e, last);
	}
	cr_expect(eq(uint, last, 0));
	for (unsigned i = 0; i < EPOCH_PARTICIPANTS_MAX; i++) {
		cr_assert(eq(uint, epoch_join(e), i));
	}
	epoch_leave(e, 17);
	cr_expect(eq(uint, epoch_join(e), 17));
	epoch_free(e);
}
