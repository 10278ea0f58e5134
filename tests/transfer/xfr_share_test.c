/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/xfr_share_test.c — pages are kept for those who come after, in few places. */
#include "transfer/xfr_share.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "tests/test.h"
#include "tests/transfer/script.h"

struct bench {
	struct env_fake fake;
	struct epoch *epoch;
	struct pool *pool;
	struct script script;
	struct xfr_share *share;
	struct snapshot_render walk;
};

static void bench_init(struct bench *b, unsigned size)
{
	struct pool_options options = { .parts = 4, .span_bytes = 1U << 30 };

	*b = (struct bench){ .share = xfr_share_new() };
	env_fake_init(&b->fake, 5);
	b->epoch = epoch_new();
	options.env = &b->fake.env;
	options.epoch = b->epoch;
	cr_assert(eq(int, pool_new(&options, &b->pool), ERR_OK));
	script_init(&b->script, "example.", NULL);
	b->script.size = size;
}

static void bench_fini(struct bench *b)
{
	xfr_share_free(b->share);
	script_fini(&b->script);
	epoch_free(b->epoch);
	pool_free(b->pool);
}

static void keep(struct bench *b, struct xfr_run *run, uint64_t message, uint64_t record)
{
	uint8_t octets[8];

	store_u64(octets, message);
	xfr_run_keep(run, (struct xfr_place){ message, record }, bytes_of(octets, 8), 7, &b->walk);
}

static bool has(struct xfr_run *run, uint64_t message, uint64_t record)
{
	const struct xfr_page *page = xfr_run_find(run, (struct xfr_place){ message, record });

	if (page == NULL) {
		return false;
	}
	cr_expect(eq(uint, page->count, 7));
	cr_expect(eq(sz, page->len, 8));
	cr_expect(eq(u64, load_u64(page->octets), message));
	return true;
}

TEST(xfr_share, is_for_two_or_more_with_a_large_version)
{
	struct bench b;
	struct snapshot *small;
	struct snapshot *large;
	struct xfr_run *run;

	bench_init(&b, 100);
	small = script_build(&b.script, 1, b.pool);
	b.script.size = 50000;
	large = script_build(&b.script, 1, b.pool);
	cr_expect(eq(ptr, xfr_share_join(b.share, small), NULL));
	cr_expect(eq(ptr, xfr_share_join(NULL, large), NULL));
	run = xfr_share_join(b.share, large);
	cr_assert(ne(ptr, run, NULL));
	keep(&b, run, 1, 400);
	cr_expect(not(has(run, 1, 400)), "nobody comes after");
	cr_expect(eq(ptr, xfr_share_join(b.share, large), run));
	keep(&b, run, 1, 400);
	cr_expect(has(run, 1, 400));
	cr_expect(not(has(run, 1, 401)), "cut elsewhere");
	cr_expect(not(has(run, 2, 400)));
	xfr_run_leave(run);
	cr_expect(has(run, 1, 400));
	xfr_run_leave(run);
	xfr_run_leave(NULL);
	snapshot_unref(small);
	snapshot_unref(large);
	bench_fini(&b);
}

TEST(xfr_share, has_few_versions_at_once)
{
	struct bench b;
	struct snapshot *snaps[XFR_SHARE_RUNS_MAX + 1];
	struct xfr_run *runs[XFR_SHARE_RUNS_MAX + 1];

	bench_init(&b, 50000);
	for (unsigned i = 0; i <= XFR_SHARE_RUNS_MAX; i++) {
		snaps[i] = script_build(&b.script, 1 + i, b.pool);
		runs[i] = xfr_share_join(b.share, snaps[i]);
		cr_expect(eq(int, runs[i] != NULL, i < XFR_SHARE_RUNS_MAX));
	}
	xfr_run_leave(runs[1]);
	runs[1] = xfr_share_join(b.share, snaps[XFR_SHARE_RUNS_MAX]);
	cr_expect(ne(ptr, runs[1], NULL), "one was left");
	for (unsigned i = 0; i <= XFR_SHARE_RUNS_MAX; i++) {
		xfr_run_leave(runs[i]);
		snapshot_unref(snaps[i]);
	}
	bench_fini(&b);
}

/* Two that are far apart do not take each other's pages away; the longest unused go. */
TEST(xfr_share, keeps_what_is_used)
{
	enum { AWAY = 10 * XFR_SHARE_PLACES };
	struct bench b;
	struct snapshot *snap;
	struct xfr_run *run;

	bench_init(&b, 50000);
	snap = script_build(&b.script, 1, b.pool);
	run = xfr_share_join(b.share, snap);
	cr_assert(eq(ptr, xfr_share_join(b.share, snap), run));
	keep(&b, run, 3, 30);
	for (unsigned i = 1; i <= 3 * XFR_SHARE_WAYS; i++) {
		keep(&b, run, 3 + i * AWAY, 30);
		cr_expect(has(run, 3, 30));
		cr_expect(has(run, 3 + i * AWAY, 30));
	}
	for (unsigned i = 1; i <= XFR_SHARE_WAYS; i++) {
		keep(&b, run, 3 + i * AWAY, 31);
	}
	cr_expect(not(has(run, 3, 30)));
	xfr_run_leave(run);
	xfr_run_leave(run);
	snapshot_unref(snap);
	bench_fini(&b);
}
