/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/notify_out_test.c — secondaries are told, patiently, and of the newest only. */
#include <stdio.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/transfer/world.h"

/* The primaries after the first are secondaries of ours. */
static void begin(struct world *w, uint64_t seed, unsigned targets)
{
	world_init(w, seed, 1 + targets, true);
	w->policy->primary_count = 1;
	for (unsigned i = 0; i < targets; i++) {
		tsig_key_unref(w->policy->primaries[1 + i].key);
	}
	w->policy->notify_count = targets;
	w->policy->notify = mem_zero(targets, sizeof(*w->policy->notify));
	for (unsigned i = 0; i < targets; i++) {
		w->policy->notify[i].addr = w->primaries[1 + i]->at;
		w->policy->notify[i].key = i == 0 ? tsig_key_ref(w->key) : NULL;
	}
	world_start(w);
	world_run_until(w, 1, 1);
}

TEST(notify_out, tells_each_target_once)
{
	struct world w;

	begin(&w, 1, 2);
	world_run_s(&w, 120);
	for (unsigned i = 1; i <= 2; i++) {
		cr_expect(eq(uint, w.primaries[i]->notifies, 1));
		cr_expect(eq(u32, w.primaries[i]->notified_serial, 1));
		cr_expect(eq(int, w.primaries[i]->notify_signed, i == 1), "as configured");
	}
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT], 2));
	world_bump(&w, 2);
	world_notify(&w, 0, true);
	world_run_until(&w, 2, 1);
	world_run_s(&w, 1);
	cr_expect(eq(uint, w.primaries[1]->notifies, 2));
	cr_expect(eq(u32, w.primaries[1]->notified_serial, 2));
	world_fini(&w);
}

TEST(notify_out, repeats_itself_with_patience_and_gives_up)
{
	struct world w;

	world_init(&w, 2, 1, true);
	world_fini(&w);
	begin(&w, 2, 1);
	world_run_s(&w, 1);
	w.primaries[1]->ignores_notify = true;
	w.primaries[1]->notifies = 0;
	world_bump(&w, 2);
	world_notify(&w, 0, true);
	world_run_until(&w, 2, 1);
	{
		static const unsigned at_s[] = { 1, 3, 7, 15, 31 }; /* 2, 4, 8, 16 between */

		for (unsigned i = 0; i < ARRAY_LEN(at_s); i++) {
			world_run_s(&w, at_s[i] - (i == 0 ? 0 : at_s[i - 1]));
			cr_expect(eq(uint, w.primaries[1]->notifies, i + 1), "after %u s", at_s[i]);
		}
	}
	world_run_s(&w, 120);
	cr_expect(eq(uint, w.primaries[1]->notifies, 5));
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT_FAILED], 1));
	world_fini(&w);
}

TEST(notify_out, a_newer_version_takes_the_place_of_an_older)
{
	struct world w;

	begin(&w, 3, 1);
	world_run_s(&w, 1);
	w.primaries[1]->ignores_notify = true;
	for (uint32_t serial = 2; serial < 12; serial++) {
		world_bump(&w, serial);
		world_notify(&w, 0, true);
		world_run_until(&w, serial, 1);
	}
	w.primaries[1]->ignores_notify = false;
	world_run_s(&w, 120);
	cr_expect(eq(u32, w.primaries[1]->notified_serial, 11));
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT], 2), "of the first and of the last");
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT_FAILED], 0));
	world_fini(&w);
}

TEST(notify_out, a_dead_target_delays_nothing)
{
	struct world w;
	char name[32];

	begin(&w, 4, 2);
	w.primaries[0]->script.any_apex = true;
	w.primaries[1]->ignores_notify = true;
	sim_run_for(w.sim, 10 * NS_PER_MS); /* the first version's own */
	w.primaries[2]->notifies = 0;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "z%u.", i);
		world_add(&w, name);
	}
	world_run_s(&w, 2);
	cr_expect(eq(uint, w.primaries[2]->notifies, 200));
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT_FAILED], 0));
	/* The silent one is given up with less and less patience: 32 at a time, 60 s once, then
	 * 3 s. */
	world_run_s(&w, 120);
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT_FAILED], 200));
	world_fini(&w);
}
