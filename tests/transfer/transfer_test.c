/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/transfer_test.c — many zones at once: limits, lanes, starts. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/transfer/world.h"
#include "transfer/lanes_p.h"
#include "transfer/window_p.h"

#define ZONES 400

static void add_zones(struct world *w, struct zone **zones, unsigned count)
{
	char name[32];

	for (unsigned i = 0; i < w->primary_count; i++) {
		w->primaries[i]->script.any_apex = true;
	}
	if (w->zone == NULL) { /* not started */
		cr_assert(eq(int, store_load(w->store), ERR_OK));
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "z%u.", i);
		zones[i] = world_add(w, name);
	}
}

static unsigned loaded(struct zone **zones, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		n += zone_borrow(zones[i]) != NULL;
	}
	return n;
}

TEST(transfer, loads_many_zones_over_few_connections)
{
	struct zone *zones[ZONES];
	struct transfer_counts counts;
	struct slots slots = { 0 };
	struct world w;

	while (slots_open(&slots, WINDOW_FIRST, LANE_FIRST)) {
		slots_take(&slots, LANE_FIRST);
	}
	cr_assert(lt(u32, slots.running, WINDOW_FIRST), "others' shares are kept");
	world_init(&w, 1, 1, true);
	add_zones(&w, zones, ZONES);
	sim_run_for(w.sim, 50000);
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.sessions, slots.running));
	world_run_s(&w, 2);
	cr_expect(eq(uint, loaded(zones, ZONES), ZONES));
	cr_expect(le(uint, w.primaries[0]->connections, POLICY_CONNECTIONS - 1));
	transfer_counts(w.transfer, &counts);
	cr_expect(eq(u64, counts.sessions, 0));
	cr_expect(eq(u64, counts.transfers_done, ZONES));
	cr_expect(eq(u64, counts.transfers_failed, 0));
	cr_expect(gt(u64, counts.bytes_in, ZONES * 300));
	world_fini(&w);
}

TEST(transfer, a_notify_overtakes_first_loads)
{
	struct zone *zones[ZONES];
	struct sim_link slow = sim_link_calm;
	struct world w;
	struct transfer_notice notice;
	uint64_t from;

	world_init(&w, 2, 1, true);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 20);
	slow.delay_min_ns = slow.delay_max_ns = 50 * NS_PER_MS;
	sim_link_default(w.sim, &slow);
	w.primaries[0]->script.any_apex = true;
	add_zones(&w, zones, ZONES);
	sim_run_for(w.sim, 500 * NS_PER_MS);
	cr_assert(lt(uint, loaded(zones, ZONES), ZONES / 2), "they are at it");
	w.primaries[0]->script.serial = 2;
	from = world_now_ns(&w);
	notice = (struct transfer_notice){ .from = w.primaries[0]->at,
		                           .has_serial = true,
		                           .serial = { 2 } };
	transfer_zone_notified(w.transfer, w.zone, &notice);
	world_run_until(&w, 2, 1);
	cr_expect(lt(u64, world_now_ns(&w) - from, 300 * NS_PER_MS), "to connect and to ask");
	cr_expect(lt(uint, loaded(zones, ZONES), ZONES));
	world_fini(&w);
}

TEST(transfer, a_dead_primary_is_not_asked_for_each_zone)
{
	struct zone *zones[ZONES];
	struct world w;

	world_init(&w, 3, 2, false);
	script_node_down(w.primaries[0]);
	add_zones(&w, zones, ZONES);
	world_run_s(&w, 2);
	cr_expect(eq(uint, loaded(zones, ZONES), ZONES), "from the other one");
	cr_expect(ge(uint, w.primaries[1]->script.asked[SCRIPT_AXFR], ZONES));
	world_fini(&w);
}

/* Found by the simulator: it accepts, says nothing and closes, which each zone found out for itself. */
TEST(transfer, a_primary_that_closes_without_a_word_is_not_asked_for_each_zone)
{
	struct zone *zones[ZONES];
	struct world w;
	unsigned before;

	world_init(&w, 8, 2, false);
	script_fail(&w.primaries[0]->script, SCRIPT_CLOSE, SCRIPT_ALL, UINT_MAX);
	add_zones(&w, zones, ZONES);
	world_run_s(&w, 2);
	cr_expect(eq(uint, loaded(zones, ZONES), ZONES), "from the other one");
	cr_expect(lt(uint, w.primaries[0]->connections, ZONES / 4));
	before = w.primaries[0]->connections;
	world_run_s(&w, 900);
	cr_expect(lt(uint, w.primaries[0]->connections - before, 900 / 10));
	script_fail(&w.primaries[0]->script, SCRIPT_FINE, SCRIPT_ALL, 0);
	world_bump(&w, 2);
	script_node_down(w.primaries[1]);
	for (unsigned i = 0; i < ZONES; i++) {
		transfer_zone_refresh(w.transfer, zones[i]);
	}
	world_run_s(&w, 30);
	for (unsigned i = 0; i < ZONES; i++) {
		cr_assert(eq(u32, snapshot_serial(zone_borrow(zones[i])).n, 2), "it is back");
	}
	world_fini(&w);
}

TEST(transfer, a_stalled_primary_holds_up_no_other)
{
	struct zone *zones[ZONES];
	struct zone_policy *other;
	struct world w;

	world_init(&w, 4, 2, false);
	script_fail(&w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_ALL, UINT_MAX);
	other = zone_policy_new();
	other->primary_count = 1;
	other->primaries = mem_zero(1, sizeof(*other->primaries));
	other->primaries[0] = w.policy->primaries[1];
	add_zones(&w, zones, ZONES / 2);
	for (unsigned i = ZONES / 2; i < ZONES; i++) {
		char name[32];
		struct name_buf apex;

		snprintf(name, sizeof(name), "z%u.", i);
		apex = script_name(name);
		cr_assert(eq(int, store_add(w.store, name_of(&apex), &zones[i]), ERR_OK));
		transfer_zone_start(w.transfer, zones[i], other);
	}
	world_run_s(&w, 2);
	cr_expect(eq(uint, loaded(zones + ZONES / 2, ZONES / 2), ZONES / 2));
	cr_expect(eq(uint, loaded(zones, ZONES / 2), 0));
	/* Once a session there has heard nothing for 30 s, those that wait go elsewhere. */
	world_run_s(&w, 35);
	cr_expect(eq(uint, loaded(zones, ZONES), ZONES), "from their second primary");
	zone_policy_unref(other);
	world_fini(&w);
}

TEST(transfer, spreads_refreshes)
{
	struct zone *zones[ZONES];
	struct world w;
	unsigned worst = 0, before;

	world_init(&w, 5, 1, false);
	add_zones(&w, zones, ZONES);
	world_run_s(&w, 90);
	before = w.primaries[0]->script.asked[SCRIPT_SOA];
	cr_expect(eq(uint, before, 0), "not before a tenth of the refresh time");
	for (unsigned s = 0; s < 80; s++) { /* what loaded together is not refreshed together */
		unsigned asked;

		world_run_s(&w, 10);
		asked = w.primaries[0]->script.asked[SCRIPT_SOA];
		worst = asked - before > worst ? asked - before : worst;
		before = asked;
	}
	cr_expect(ge(uint, before, ZONES * 3 / 4));
	cr_expect(lt(uint, worst, 20), "five in ten seconds on the average");
	world_fini(&w);
}

/* Found by the simulator: each question over UDP took seconds to fail, one after the other. */
TEST(transfer, a_primary_that_is_silent_over_udp_is_asked_over_tcp)
{
	struct zone *zones[ZONES];
	struct world w;

	world_init(&w, 6, 1, false);
	w.primaries[0]->deaf_to_udp = true;
	add_zones(&w, zones, ZONES);
	world_run_s(&w, 1000 + 30);
	cr_expect(eq(uint, loaded(zones, ZONES), ZONES));
	cr_expect(ge(uint, w.happened[EVENT_REFRESH_CURRENT], ZONES), "each was refreshed");
	world_fini(&w);
}

/* Found by the simulator: of those told by a primary that says nothing more, one after the other tried;
 * and so did those that had to wait for another's connection. */
TEST(transfer, news_of_a_primary_that_is_silent_come_from_another)
{
	for (unsigned single = 0; single < 2; single++) {
		struct zone *zones[ZONES];
		struct transfer_notice notice;
		struct world w;
		unsigned current = 0;

		world_init(&w, 7 + single, 2, false);
		w.primaries[0]->closes = single == 1;
		add_zones(&w, zones, ZONES);
		world_run_s(&w, 20);
		cr_assert(eq(uint, loaded(zones, ZONES), ZONES));
		script_fail(&w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_ALL, UINT_MAX);
		world_bump(&w, 2);
		notice = (struct transfer_notice){ .from = w.primaries[0]->at,
			                           .has_serial = true,
			                           .serial = { 2 } };
		for (unsigned i = 0; i < ZONES; i++) {
			transfer_zone_notified(w.transfer, zones[i], &notice);
		}
		/* What had begun has waited in vain, twice; and who has tried since, too. */
		world_run_s(&w, 70 + single * 30);
		for (unsigned i = 0; i < ZONES; i++) {
			current += snapshot_serial(zone_borrow(zones[i])).n == 2;
		}
		cr_expect(ge(uint, current + 1, ZONES), "but for one that tries");
		world_fini(&w);
	}
}
