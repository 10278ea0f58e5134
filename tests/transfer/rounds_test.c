/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/rounds_test.c — several primaries: whose zone is taken, and whether they agree. */
#include <limits.h>
#include <stdio.h>

#include "tests/test.h"
#include "tests/transfer/world.h"
#include "transfer/rounds_p.h"

static unsigned asked(const struct world *w, unsigned primary)
{
	const struct script *s = &w->primaries[primary]->script;

	return s->asked[SCRIPT_SOA] + s->asked[SCRIPT_IXFR] + s->asked[SCRIPT_AXFR];
}

static unsigned wholes(const struct world *w)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < w->primary_count; i++) {
		sum += w->primaries[i]->script.asked[SCRIPT_AXFR];
	}
	return sum;
}

/* ---- ordered ---- */

TEST(rounds, sticks_to_the_one_that_worked)
{
	struct world w;
	unsigned before;

	world_init(&w, 1, 3, false);
	script_node_down(w.primaries[0]);
	world_start(&w);
	world_run_until(&w, 1, 5);
	before = asked(&w, 1);
	world_run_s(&w, 900);
	cr_expect(eq(uint, asked(&w, 1), before), "not due");
	world_run_s(&w, 110);
	cr_expect(eq(uint, asked(&w, 1), before + 1));
	cr_expect(eq(uint, asked(&w, 2), 0));
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_PEER_REFUSED), "is not concealed");
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

/* On average after an hour, and then it stays. */
TEST(rounds, goes_back_to_the_first_some_time)
{
	uint64_t sum_s = 0;

	for (unsigned i = 0; i < 20; i++) {
		struct world w;
		unsigned before;
		uint64_t from_ns;

		world_init(&w, 100 + i, 2, false);
		script_node_down(w.primaries[0]);
		world_start(&w);
		world_run_until(&w, 1, 5);
		script_node_up(w.primaries[0]);
		from_ns = world_now_ns(&w);
		while (asked(&w, 0) == 0) {
			world_run_s(&w, 100);
			cr_assert(lt(u64, world_now_ns(&w) - from_ns, 40000 * NS_PER_S));
		}
		sum_s += (world_now_ns(&w) - from_ns) / NS_PER_S;
		before = asked(&w, 1);
		world_run_s(&w, 10000);
		cr_expect(eq(uint, asked(&w, 1), before), "is back for good");
		cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_OK));
		world_fini(&w);
	}
	cr_expect(ge(u64, sum_s / 20, 1800));
	cr_expect(le(u64, sum_s / 20, 7200));
}

/* The primary is down until the zone fails, and so long from then on. */
static void away_for(struct world *w, unsigned primary, unsigned seconds)
{
	script_node_down(w->primaries[primary]);
	while (world_state(w) != TRANSFER_ZONE_FAILING) {
		world_run_s(w, 10);
	}
	world_run_s(w, seconds);
	script_node_up(w->primaries[primary]);
	world_run_s(w, 500);
}

/* The first has 10 and the second 12, for ever: 12 is served, and nothing is fetched again. */
TEST(rounds, does_not_bounce_between_serials)
{
	for (unsigned newest = 0; newest < 2; newest++) {
		for (unsigned follow = 0; follow < 2; follow++) {
			struct world w;
			unsigned published;

			world_init(&w, 10 + 2 * newest + follow, 2, false);
			w.policy->newest = newest == 1;
			w.policy->guard.follow_lower = follow == 1;
			w.primaries[0]->script.serial = 10;
			w.primaries[1]->script.serial = 12;
			script_node_down(w.primaries[0]);
			world_start(&w);
			world_run_until(&w, 12, 30);
			script_node_up(w.primaries[0]);
			published = w.published;
			for (unsigned i = 0; i < 100; i++) {
				world_run_s(&w, 500);
				cr_expect(eq(u32, world_serial(&w), 12));
			}
			cr_expect(eq(uint, w.published, published));
			cr_expect(eq(uint, wholes(&w), 1));
			/* Nor while the second is away, before the zone expires. */
			for (unsigned i = 0; i < 5; i++) {
				away_for(&w, 1, 3000);
			}
			cr_expect(eq(uint, w.published, published));
			cr_expect(eq(uint, wholes(&w), 1));
			cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
			world_fini(&w);
		}
	}
}

/* Over TCP a serial that is lower comes another way. */
TEST(rounds, follows_without_datagrams)
{
	struct world w;

	world_init(&w, 27, 2, false);
	w.policy->newest = true;
	w.policy->guard.follow_lower = true;
	w.may_go_back = true;
	w.primaries[0]->deaf_to_udp = w.primaries[1]->deaf_to_udp = true;
	world_bump(&w, 12);
	world_start(&w);
	world_run_until(&w, 12, 30);
	world_bump(&w, 4);
	world_run_until(&w, 4, 1100);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER], 1));
	world_fini(&w);
}

TEST(rounds, follows_the_one_that_it_sticks_to)
{
	for (unsigned newest = 0; newest < 2; newest++) {
		struct world w;

		world_init(&w, 20 + newest, 2, false);
		w.policy->newest = newest == 1;
		w.policy->guard.follow_lower = true;
		w.may_go_back = true;
		world_bump(&w, 12);
		world_start(&w);
		world_run_until(&w, 12, 30);
		w.primaries[0]->script.serial = 5;
		world_run_s(&w, 2100);
		cr_expect(eq(u32, world_serial(&w), 12), "the other has it still");
		w.primaries[1]->script.serial = 4;
		world_run_s(&w, 2100);
		if (newest == 1) {
			cr_expect(eq(u32, world_serial(&w), 5), "the newest of the lower ones");
		}
		cr_expect(ne(u32, world_serial(&w), 12));
		world_fini(&w);
	}
}

/* ---- newest ---- */

TEST(rounds, takes_the_newest_of_all)
{
	for (unsigned s = 0; s < 2; s++) {
		struct world w;

		world_init(&w, 30 + s, 3, s == 1);
		w.policy->newest = true;
		for (unsigned i = 0; i < 3; i++) {
			w.primaries[i]->script.serial = 5 + (i == 1 ? 9 : i);
		}
		world_start(&w);
		world_run_until(&w, 14, 1);
		cr_expect(eq(uint, w.published, 1), "none before it");
		cr_expect(eq(uint, wholes(&w), 1));
		w.primaries[2]->script.serial = 20;
		w.primaries[0]->script.serial = 18;
		world_run_until(&w, 20, 1001);
		cr_expect(eq(uint, w.published, 2));
		cr_expect(eq(str, w.last_kind, "IXFR"));
		cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER], 0));
		/* All agree with it or are older. */
		world_run_s(&w, 3000);
		cr_expect(eq(uint, w.published, 2));
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
		world_fini(&w);
	}
}

TEST(rounds, among_equals_the_one_that_worked_stays)
{
	struct world w;
	struct transfer_zone_report report;

	world_init(&w, 35, 3, false);
	w.policy->newest = true;
	w.primaries[1]->script.serial = 2;
	world_start(&w);
	world_run_until(&w, 2, 1);
	world_bump(&w, 2);
	for (uint32_t serial = 3; serial < 8; serial++) {
		world_run_s(&w, 2000);
		transfer_zone_report(w.transfer, w.zone, &report);
		cr_expect(addr_equal(&report.primary, &w.primaries[1]->at));
		world_bump(&w, serial);
		world_run_until(&w, serial, 1001);
	}
	world_fini(&w);
}

TEST(rounds, one_that_does_not_answer_delays_by_its_timeout)
{
	struct world w;
	int64_t due;

	world_init(&w, 40, 3, false);
	w.policy->newest = true;
	world_start(&w);
	world_run_until(&w, 1, 1);
	w.primaries[1]->script.serial = w.primaries[2]->script.serial = 2;
	script_node_down(w.primaries[0]); /* no answer over UDP, and refuses TCP */
	due = zone_timers(w.zone).refresh_at_s;
	world_run_s(&w, (uint64_t)(due - env_wall_s(w.io->env)));
	world_run_until(&w, 2, 9);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	cr_expect(ne(int, zone_timers(w.zone).last_error, ERR_OK), "is not concealed");
	world_fini(&w);
}

TEST(rounds, the_next_best_serves_if_the_newest_does_not)
{
	struct world w;

	world_init(&w, 41, 3, false);
	w.policy->newest = true;
	world_start(&w);
	world_run_until(&w, 1, 1);
	w.primaries[0]->script.serial = 4;
	w.primaries[1]->script.serial = 3;
	w.primaries[0]->script.fault_arg = RCODE_REFUSED;
	script_fail(&w.primaries[0]->script, SCRIPT_RCODE, SCRIPT_IXFR | SCRIPT_AXFR, UINT_MAX);
	world_run_until(&w, 3, 1001);
	script_fail(&w.primaries[0]->script, SCRIPT_FINE, 0, 0);
	world_run_until(&w, 4, 1001);
	world_fini(&w);
}

TEST(rounds, a_notify_goes_where_the_news_are)
{
	struct world w;

	world_init(&w, 42, 3, false);
	w.policy->newest = true;
	world_start(&w);
	world_run_until(&w, 1, 1);
	w.primaries[2]->script.serial = 2;
	w.primaries[0]->script.asked[SCRIPT_SOA] = 0;
	world_notify(&w, 2, true);
	world_run_until(&w, 2, 1);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 0));
	/* Without a serial, from somebody else: all are asked. */
	w.primaries[1]->script.serial = 3;
	transfer_zone_notified(w.transfer, w.zone,
	                       &(struct transfer_notice){ .from = { .family = 4, .ip = { 9 } } });
	world_run_until(&w, 3, 1);
	world_fini(&w);
}

/* In the midst of an election comes a NOTIFY, which keeps its serial in the same place. */
TEST(rounds, a_notify_during_an_election_is_not_mixed_up_with_it)
{
	for (unsigned hint = 0; hint < 2; hint++) {
		struct world w;

		world_init(&w, 43 + hint, 3, false);
		w.policy->newest = true;
		world_bump(&w, 100);
		world_start(&w);
		world_run_until(&w, 100, 1);
		w.primaries[0]->script.serial = 101;
		transfer_zone_refresh(w.transfer, w.zone);
		sim_run_for(w.sim, NS_PER_MS / 10);
		w.primaries[2]->script.serial = 105;
		world_notify(&w, 2, hint == 1);
		world_run_until(&w, 105, 2);
		world_run_s(&w, 5);
		cr_expect(not(zone_timers(w.zone).notified));
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
		world_fini(&w);
	}
}

/* A primary that was asked already has news: the election that goes on must not count as having looked. */
TEST(rounds, a_notify_of_one_that_was_asked_is_not_swallowed_by_the_election)
{
	for (unsigned who = 0; who < 2; who++) {
		struct world w;
		struct transfer_notice notice = { .from = { .family = 4, .ip = { 9 } } };

		world_init(&w, 46 + who, 3, false);
		w.policy->newest = true;
		world_start(&w);
		world_run_until(&w, 1, 1);
		script_fail(&w.primaries[1]->script, SCRIPT_SILENT, SCRIPT_SOA, 1);
		transfer_zone_refresh(w.transfer, w.zone);
		sim_run_for(w.sim, 100 * NS_PER_MS);
		cr_expect(eq(uint, w.primaries[1]->script.asked[SCRIPT_SOA], 2));
		w.primaries[0]->script.serial = 2;
		if (who == 0) {
			world_notify(&w, 0, false);
		} else {
			transfer_zone_notified(w.transfer, w.zone, &notice);
			transfer_zone_notified(w.transfer, w.zone, &notice);
		}
		cr_expect(le(u64, world_run_until(&w, 2, 5),
		             who == 0 ? 50 * NS_PER_MS : 5 * NS_PER_S));
		world_fini(&w);
	}
}

/* One that only answers over TCP is asked there, and the others all the same. */
TEST(rounds, elects_without_datagrams)
{
	struct world w;

	world_init(&w, 45, 2, true);
	w.policy->newest = true;
	w.primaries[0]->deaf_to_udp = true;
	w.primaries[1]->script.serial = 3;
	world_start(&w);
	world_run_until(&w, 3, 30);
	world_bump(&w, 5);
	w.primaries[1]->script.serial = 7;
	world_run_until(&w, 7, 1020);
	world_fini(&w);
}

/* Serials that are told over TCP count as well when they are lower than ours: the best is followed. */
TEST(rounds, elects_among_lower_serials_without_datagrams)
{
	for (unsigned deaf = 0; deaf < 3; deaf++) {
		struct world w;

		world_init(&w, 46 + deaf, 2, true);
		w.policy->newest = true;
		w.policy->guard.follow_lower = true;
		w.may_go_back = true;
		w.primaries[0]->deaf_to_udp = deaf != 1;
		w.primaries[1]->deaf_to_udp = deaf != 0;
		world_bump(&w, 12);
		world_start(&w);
		world_run_until(&w, 12, 30);
		w.primaries[0]->script.serial = 4;
		w.primaries[1]->script.serial = 5;
		world_run_s(&w, 2100);
		cr_expect(eq(u32, world_serial(&w), 5), "deaf: %u", deaf);
		world_fini(&w);
	}
}

/* ---- comparing ---- */

/* Two with the same serial, the second with more in it. */
static void begin_differing(struct world *w, uint64_t seed, uint32_t compare_s)
{
	world_init(w, seed, 2, true);
	w->policy->compare_s = compare_s;
	w->primaries[1]->script.size = SCRIPT_SIZE + 5;
	world_start(w);
	world_run_until(w, 1, 1);
}

static struct transfer_counts counts_of(struct world *w)
{
	struct transfer_counts counts;

	transfer_counts(w->transfer, &counts);
	return counts;
}

TEST(rounds, reports_the_same_serial_with_other_content)
{
	struct world w;
	struct transfer_zone_report report;

	begin_differing(&w, 50, 1000);
	world_run_s(&w, 5000);
	cr_expect(ge(uint, w.happened[EVENT_CONTENT_DIFFERS], 2));
	cr_expect(eq(u64, counts_of(&w).compared, w.happened[EVENT_CONTENT_DIFFERS]));
	cr_expect(eq(u64, counts_of(&w).compared_differ, w.happened[EVENT_CONTENT_DIFFERS]));
	transfer_zone_report(w.transfer, w.zone, &report);
	cr_expect(addr_equal(&report.differs, &w.primaries[1]->at));
	cr_expect(eq(int, report.state, TRANSFER_ZONE_OK));
	cr_expect(eq(uint, w.published, 1), "it is not served");
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_OK));
	/* They are the same again. */
	w.primaries[1]->script.size = SCRIPT_SIZE;
	world_run_s(&w, 3000);
	transfer_zone_report(w.transfer, w.zone, &report);
	cr_expect(eq(int, report.differs.family, 0));
	world_fini(&w);
}

/* Once a day, of zones that are asked for each 1000 s: some 1 of 86. */
TEST(rounds, compares_as_often_as_it_is_told)
{
	struct world w;

	world_init(&w, 51, 3, false);
	w.policy->compare_s = 10000;
	world_start(&w);
	world_run_s(&w, 1000000);
	cr_expect(ge(u64, counts_of(&w).compared, 70));
	cr_expect(le(u64, counts_of(&w).compared, 130));
	cr_expect(eq(u64, counts_of(&w).compared_differ, 0));
	cr_expect(gt(uint, w.primaries[1]->script.asked[SCRIPT_AXFR], 20));
	cr_expect(gt(uint, w.primaries[2]->script.asked[SCRIPT_AXFR], 20));
	cr_expect(eq(uint, w.published, 1));
	world_fini(&w);
}

TEST(rounds, does_not_compare_where_there_is_nothing_to_compare)
{
	struct world w;

	begin_differing(&w, 52, 0); /* off */
	world_run_s(&w, 20000);
	cr_expect(eq(uint, wholes(&w), 1));
	world_fini(&w);
	world_init(&w, 53, 2, false);
	w.policy->compare_s = 1;
	snprintf(w.policy->primaries[1].name, sizeof(w.policy->primaries[1].name), "p0");
	world_start(&w);
	world_run_s(&w, 20000);
	cr_expect(eq(uint, wholes(&w), 1), "two addresses of one primary");
	world_fini(&w);
	world_init(&w, 54, 2, false);
	w.policy->compare_s = 1;
	world_bump(&w, 5);
	w.primaries[1]->script.serial = 4;
	world_start(&w);
	world_run_s(&w, 20000);
	cr_expect(eq(uint, wholes(&w), 1), "another serial");
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_OK));
	world_fini(&w);
}

/* A comparison is in nobody's way: neither a NOTIFY's, nor an operator's, nor the next refresh's. */
TEST(rounds, a_comparison_gives_way)
{
	for (unsigned how = 0; how < 4; how++) {
		struct world w;

		begin_differing(&w, 60 + how, 1);
		w.policy->limits.idle_time_s = 100000;
		w.policy->limits.transfer_time_s = 100000;
		w.primaries[1]->script.per_message = 1;
		w.primaries[1]->script.fault_arg = 100;
		script_fail(&w.primaries[1]->script, SCRIPT_STALL, SCRIPT_AXFR, UINT_MAX);
		while (w.primaries[1]->script.asked[SCRIPT_AXFR] == 0) {
			world_run_s(&w, 1);
		}
		world_bump(&w, 2);
		if (how == 0) {
			world_notify(&w, 0, true);
			cr_expect(le(u64, world_run_until(&w, 2, 1), 10 * NS_PER_MS));
		} else if (how == 1) {
			transfer_zone_refresh(w.transfer, w.zone);
			cr_expect(le(u64, world_run_until(&w, 2, 1), 10 * NS_PER_MS));
		} else if (how == 2) {
			world_run_until(&w, 2, 1001);
		} else {
			transfer_zone_change(w.transfer, w.zone, w.policy);
			world_run_until(&w, 2, 1001);
		}
		cr_expect(eq(int, world_state(&w) == TRANSFER_ZONE_FAILING, 0));
		world_fini(&w);
	}
}

/* A primary that is down, refuses or breaks off is no failure of the zone's. */
TEST(rounds, a_comparison_that_fails_changes_nothing)
{
	for (unsigned how = 0; how < 3; how++) {
		struct world w;

		begin_differing(&w, 70 + how, 1);
		if (how == 0) {
			script_node_down(w.primaries[1]);
		} else {
			w.primaries[1]->script.fault_arg = how == 1 ? RCODE_REFUSED : 300;
			script_fail(&w.primaries[1]->script, how == 1 ? SCRIPT_RCODE : SCRIPT_CLOSE,
			            SCRIPT_AXFR, UINT_MAX);
		}
		world_run_s(&w, 10000);
		cr_expect(eq(u64, counts_of(&w).compared, 0));
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
		cr_expect(eq(int, zone_timers(w.zone).failing_since_s, 0));
		cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_OK));
		cr_expect(ge(uint, w.happened[EVENT_REFRESH_CURRENT], 9));
		world_fini(&w);
	}
}

/* However many zones there are, and however slow the primary is. */
TEST(rounds, so_many_comparisons_run_at_once)
{
	struct world w;
	unsigned most = 0;

	begin_differing(&w, 80, 1);
	w.primaries[0]->script.any_apex = w.primaries[1]->script.any_apex = true;
	w.primaries[1]->script.fault_arg = 100;
	script_fail(&w.primaries[1]->script, SCRIPT_STALL, SCRIPT_AXFR, UINT_MAX);
	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "z%u.", i);
		world_add(&w, name);
	}
	for (unsigned i = 0; i < 3000; i++) {
		world_run_s(&w, 1);
		most = w.transfer->comparing > most ? w.transfer->comparing : most;
	}
	cr_expect(eq(uint, most, COMPARISONS_MAX));
	world_fini(&w);
}

/* ---- at random ---- */

static void act(struct world *w, struct env_fake *dice, uint32_t *top)
{
	unsigned who = env_random_below(&dice->env, w->primary_count);
	struct script_node *p = w->primaries[who];
	struct transfer_notice stranger = { .from = { .family = 4, .ip = { 9 } },
		                            .has_serial = env_random_below(&dice->env, 2) == 0,
		                            .serial = { *top } };

	switch (env_random_below(&dice->env, 10)) {
	case 0:
	case 1:
		p->script.serial = ++*top;
		break;
	case 2:
		p->script.serial = *top;
		break;
	case 3:
	case 4:
		world_notify(w, who, env_random_below(&dice->env, 2) == 0);
		break;
	case 5:
		transfer_zone_notified(w->transfer, w->zone, &stranger);
		break;
	case 6:
		transfer_zone_refresh(w->transfer, w->zone);
		break;
	case 7:
		p->deaf_to_udp = !p->deaf_to_udp;
		break;
	case 8:
		p->script.fault_arg = RCODE_SERVFAIL;
		script_fail(&p->script,
		            env_random_below(&dice->env, 2) == 0 ? SCRIPT_RCODE : SCRIPT_SILENT,
		            1U << env_random_below(&dice->env, 3), 1 + who);
		break;
	default:
		sim_run_for(w->sim, env_random_below(&dice->env, 2000) * NS_PER_S);
	}
	sim_run_for(w->sim, env_random_below(&dice->env, 3000) * NS_PER_MS / 1000);
}

/* Whatever they do, in whatever order: once all of them are well and agree, the zone is in step. */
TEST(rounds, come_to_rest_after_anything)
{
	for (unsigned seed = 1; seed <= 60; seed++) {
		struct world w;
		struct env_fake dice;
		uint32_t top = 1;

		env_fake_init(&dice, seed);
		world_init(&w, seed, 2 + seed % 2, seed % 3 == 0);
		w.policy->newest = seed % 4 < 2;
		w.policy->compare_s = seed % 5 == 0 ? 0 : 500;
		world_start(&w);
		for (unsigned i = 0; i < 150; i++) {
			act(&w, &dice, &top);
		}
		for (unsigned i = 0; i < w.primary_count; i++) {
			w.primaries[i]->deaf_to_udp = false;
			w.primaries[i]->script.serial = top;
			script_fail(&w.primaries[i]->script, SCRIPT_FINE, 0, 0);
		}
		if (world_serial(&w) != top) {
			world_run_until(&w, top, 1100);
		}
		world_run_s(&w, 3000);
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK), "seed %u", seed);
		cr_expect(eq(u64, counts_of(&w).compared_differ, 0), "seed %u", seed);
		cr_expect(not(zone_timers(w.zone).notified), "seed %u", seed);
		world_fini(&w);
	}
}
