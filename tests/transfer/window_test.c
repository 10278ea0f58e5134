/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/window_test.c — how many requests a primary bears: found, kept below, given up. */
#include "transfer/window_p.h"

#include "base/env.h"
#include "tests/test.h"

#define REST_NS (10 * NS_PER_MS)

/* A primary that answers `most` at a time within the rest latency, and others after them. */
static uint64_t latency(const struct window *w, uint32_t most)
{
	return REST_NS * (w->size > most ? w->size / most : 1);
}

static void answers(struct window *w, unsigned count, uint32_t most, bool busy, uint64_t *now)
{
	for (unsigned i = 0; i < count; i++) {
		*now += REST_NS / w->size;
		window_answered(w, latency(w, most), busy, *now);
		window_judged(w, false, *now);
	}
}

TEST(window, doubles_until_the_latency_rises_and_then_holds)
{
	uint64_t now = NS_PER_S;
	struct window w;

	window_init(&w, 10000);
	cr_expect(eq(u32, w.size, WINDOW_FIRST));
	answers(&w, WINDOW_FIRST, 100, true, &now);
	cr_expect(eq(u32, w.size, 2 * WINDOW_FIRST), "one more for each answer");
	answers(&w, 1000, 100, true, &now);
	cr_expect(ge(u32, w.size, 100));
	cr_expect(lt(u32, w.size, 400), "%u: not far beyond what is borne", w.size);
	cr_expect(not(w.doubling));
}

TEST(window, grows_by_one_for_a_window_of_answers_once_it_was_halved)
{
	uint64_t now = NS_PER_S;
	struct window w;

	window_init(&w, 1000);
	answers(&w, 100 - WINDOW_FIRST, 1000, true, &now);
	cr_assert(eq(u32, w.size, 100));
	window_lost(&w, now);
	cr_expect(eq(u32, w.size, 50));
	window_lost(&w, now);
	cr_expect(eq(u32, w.size, 50), "what was sent before is no more news");
	answers(&w, 49, 1000, true, &now);
	cr_expect(eq(u32, w.size, 50));
	answers(&w, 1, 1000, true, &now);
	cr_expect(eq(u32, w.size, 51));
	for (unsigned i = 0; i < 20; i++) {
		now += 10 * NS_PER_S;
		window_lost(&w, now);
	}
	cr_expect(eq(u32, w.size, 1), "and no less");
}

TEST(window, grows_only_where_it_is_made_use_of)
{
	uint64_t now = NS_PER_S;
	struct window w;

	window_init(&w, 1000);
	answers(&w, 1000, 1000, false, &now);
	cr_expect(eq(u32, w.size, WINDOW_FIRST));
	window_limit(&w, 3);
	cr_expect(eq(u32, w.size, 3));
	answers(&w, 1000, 1000, true, &now);
	cr_expect(eq(u32, w.size, 3));
}

TEST(window, takes_many_refusals_for_too_much_and_few_for_what_they_are)
{
	uint64_t now = NS_PER_S;
	struct window w;

	window_init(&w, 64);
	answers(&w, 100, 1000, true, &now);
	cr_assert(eq(u32, w.size, 64));
	for (unsigned i = 0; i < 1000; i++) { /* every tenth zone is not ours to have */
		now += NS_PER_MS;
		window_judged(&w, i % 10 == 0, now);
	}
	cr_expect(eq(u32, w.size, 64));
	for (unsigned i = 0; i < 2 * WINDOW_REFUSALS_MAX; i++) {
		now += NS_PER_MS;
		window_judged(&w, i % 2 == 0, now);
	}
	cr_expect(eq(u32, w.size, 32));
}

TEST(window, forgets_a_latency_that_is_no_more)
{
	uint64_t now = NS_PER_S;
	struct window w;

	window_init(&w, 64);
	window_answered(&w, NS_PER_MS, true, now);
	cr_expect(eq(u64, window_rest_ns(&w), NS_PER_MS));
	for (unsigned i = 0; i < 3; i++) { /* the network has become longer */
		now += WINDOW_PERIOD_NS;
		window_answered(&w, 100 * NS_PER_MS, true, now);
	}
	cr_expect(eq(u64, window_rest_ns(&w), 100 * NS_PER_MS));
}
