/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/notify_out_test.c — secondaries are told, patiently, and of the newest only. */
#include <stdio.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/transfer/world.h"
#include "transfer/transfer_p.h"

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

/* The zone changes, and we hear of it. */
static void news(struct world *w, uint32_t serial)
{
	world_bump(w, serial);
	world_notify(w, 0, true);
	world_run_until(w, serial, 1);
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

/* Two tries, and then a probe now and then: at 10, 20, 40, 80, 140, 200 s. */
TEST(notify_out, repeats_itself_with_patience)
{
	static const unsigned at_s[] = { 1, 3, 11, 21, 41, 81, 141, 201 };
	struct world w;

	begin(&w, 2, 1);
	world_run_s(&w, 1);
	w.primaries[1]->ignores_notify = true;
	w.primaries[1]->notifies = 0;
	news(&w, 2);
	for (unsigned i = 0; i < ARRAY_LEN(at_s); i++) {
		world_run_s(&w, at_s[i] - (i == 0 ? 0 : at_s[i - 1]));
		cr_expect(eq(uint, w.primaries[1]->notifies, i + 1), "after %u s", at_s[i]);
	}
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_SILENT], 1));
	w.primaries[1]->ignores_notify = false;
	world_run_s(&w, 61);
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_ANSWERED], 1));
	cr_expect(eq(u32, w.primaries[1]->notified_serial, 2));
	world_run_s(&w, 600);
	cr_expect(eq(uint, w.primaries[1]->notifies, ARRAY_LEN(at_s) + 1));
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
	cr_expect(le(uint, w.happened[EVENT_NOTIFY_OUT], 3), "of the first, 2, and of the last");
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT_FAILED], 0));
	world_fini(&w);
}

#define ZONES 200U

/* The second target, if there are two, lives. */
static void begin_many(struct world *w, uint64_t seed, unsigned targets, struct zone *others[ZONES])
{
	char name[32];

	begin(w, seed, targets);
	world_run_s(w, 1);
	w->primaries[0]->script.any_apex = true;
	for (unsigned i = 1; i <= targets; i++) {
		w->primaries[i]->notifies = 0;
	}
	w->primaries[1]->ignores_notify = true;
	for (unsigned i = 0; i < ZONES; i++) {
		snprintf(name, sizeof(name), "z%u.", i);
		others[i] = world_add(w, name);
	}
}

TEST(notify_out, a_dead_target_delays_nothing_and_costs_little)
{
	struct zone *others[ZONES];
	struct world w;
	struct transfer_counts counts;

	begin_many(&w, 4, 2, others);
	world_run_s(&w, 2);
	cr_expect(eq(uint, w.primaries[2]->notifies, ZONES));
	world_run_s(&w, 130);
	cr_expect(le(uint, w.primaries[1]->notifies, 2 * NOTICES_RUNNING_MIN + 6));
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_OUT_FAILED], 0), "no line for each");
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.notifies_owed, ZONES));
	cr_expect(eq(u64, counts.notify_silent, 1));
	w.primaries[1]->notifies = 0;
	w.primaries[1]->ignores_notify = false;
	world_run_s(&w, 61);
	cr_expect(eq(uint, w.primaries[1]->notifies, ZONES), "each once");
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.notifies_owed, 0));
	cr_expect(eq(u64, counts.notify_silent, 0));
	cr_expect(eq(u64, counts.notifies_dropped, 0));
	world_fini(&w);
}

TEST(notify_out, a_dead_target_leaves_room_for_others)
{
	struct zone *others[ZONES];
	struct world w;
	struct transfer_counts counts;

	begin_many(&w, 5, 2, others);
	world_run_s(&w, 10);
	w.transfer->notifier.owed_max = ZONES + 10;
	w.primaries[1]->notifies = w.primaries[2]->notifies = 0;
	world_bump(&w, 2);
	for (unsigned i = 0; i < ZONES; i++) {
		transfer_zone_refresh(w.transfer, others[i]);
	}
	world_run_s(&w, 2);
	cr_expect(eq(uint, w.primaries[2]->notifies, ZONES), "the other is told");
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.notifies_dropped, 0), "those that wait already need no room");
	cr_expect(ge(u64, counts.notifies_owed, ZONES - 1), "one may be asked about just now");
	world_fini(&w);
}

TEST(notify_out, what_finds_no_room_is_dropped_and_counted)
{
	struct world w;
	struct transfer_counts counts;

	begin(&w, 6, 2);
	world_run_s(&w, 1);
	w.policy->primaries[0].pace.transfers = 8; /* the live target keeps pace with that */
	w.transfer->notifier.owed_max = 100;
	w.primaries[0]->script.any_apex = true;
	w.primaries[1]->ignores_notify = true;
	news(&w, 2);
	world_run_s(&w, 8); /* it is silent */
	for (unsigned i = 0; i < ZONES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "z%u.", i);
		world_add(&w, name);
	}
	world_run_s(&w, 5);
	cr_expect(eq(uint, w.primaries[2]->notifies, 2 + ZONES), "the other is told of all");
	transfer_counts(w.transfer, &counts);
	cr_expect(ge(u64, counts.notifies_owed, 49));
	cr_expect(le(u64, counts.notifies_owed, 51), "half of the room");
	cr_expect(eq(u64, counts.notifies_dropped + counts.notifies_owed, ZONES + 1));
	world_fini(&w);
}

TEST(notify_out, keeps_to_the_rate)
{
	struct zone *others[ZONES];
	struct world w;

	begin_many(&w, 7, 2, others);
	transfer_notify_rate(w.transfer, 50);
	w.primaries[1]->ignores_notify = false;
	world_run_s(&w, 1);
	for (unsigned i = 1; i <= 2; i++) {
		cr_expect(ge(uint, w.primaries[i]->notifies, 45));
		cr_expect(le(uint, w.primaries[i]->notifies, 55));
	}
	world_run_s(&w, 1);
	cr_expect(le(uint, w.primaries[1]->notifies, 105));
	world_run_s(&w, 3);
	cr_expect(eq(uint, w.primaries[1]->notifies, ZONES));
	cr_expect(eq(uint, w.primaries[2]->notifies, ZONES));
	transfer_notify_rate(w.transfer, 0);
	world_bump(&w, 2);
	for (unsigned i = 0; i < ZONES; i++) {
		transfer_zone_refresh(w.transfer, others[i]);
	}
	world_run_s(&w, 1);
	cr_expect(eq(uint, w.primaries[1]->notifies, 2 * ZONES), "no limit");
	world_fini(&w);
}

static void on_stopped(void *self, struct zone *zone)
{
	struct world *w = self;

	store_remove(w->store, zone);
}

/* Zones that are gone, and targets that are no more, are not told of. */
TEST(notify_out, forgets_what_is_gone)
{
	struct zone *others[ZONES];
	struct world w;
	struct transfer_counts counts;

	begin_many(&w, 8, 1, others);
	world_run_s(&w, 1);
	for (unsigned i = 0; i < ZONES / 2; i++) { /* under way, and waiting */
		transfer_zone_stop(w.transfer, others[i], on_stopped, &w);
	}
	world_run_s(&w, 8);
	for (unsigned i = ZONES / 2; i < ZONES * 3 / 4; i++) {
		transfer_zone_stop(w.transfer, others[i], on_stopped, &w);
	}
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.notifies_owed, ZONES / 4));
	for (unsigned i = ZONES * 3 / 4; i < ZONES * 7 / 8; i++) {
		struct zone_policy *p = zone_policy_new();

		transfer_zone_change(w.transfer, others[i], p);
		zone_policy_unref(p);
	}
	w.primaries[1]->notifies = 0;
	w.primaries[1]->ignores_notify = false;
	world_run_s(&w, 61);
	cr_expect(eq(uint, w.primaries[1]->notifies, ZONES / 8));
	world_fini(&w);
}

TEST(notify_out, gives_up_after_a_day)
{
	struct zone *others[ZONES];
	struct world w;
	struct transfer_counts counts;

	begin_many(&w, 9, 1, others);
	world_run_s(&w, 23 * 3600);
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.notifies_dropped, 0));
	world_run_s(&w, 3600 + 200);
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.notifies_owed, 0));
	cr_expect(eq(u64, counts.notifies_dropped, ZONES));
	cr_expect(eq(uint, w.happened[EVENT_NOTIFY_GIVEN_UP], 1));
	/* But not for ever. */
	w.primaries[1]->ignores_notify = false;
	news(&w, 2);
	world_run_s(&w, 61);
	cr_expect(eq(u32, w.primaries[1]->notified_serial, 2));
	world_fini(&w);
}
