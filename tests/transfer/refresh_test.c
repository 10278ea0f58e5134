/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/refresh_test.c — the life of a zone in simulated time, before primaries good and
 * bad. Refresh is 1000 s, retry 100 s, expire 10000 s; delays are up to a tenth shorter. */
#include <limits.h>
#include <stdlib.h>

#include "tests/test.h"
#include "tests/transfer/world.h"

#define S NS_PER_S

static struct zone_timers timers(const struct world *w)
{
	return zone_timers(w->zone);
}

static int64_t wall(const struct world *w)
{
	return env_wall_s(w->io->env);
}

/* ---- well-behaved ---- */

TEST(refresh, loads_a_new_zone_at_once)
{
	for (unsigned s = 0; s < 2; s++) {
		struct world w;

		world_init(&w, 1 + s, 1, s == 1);
		world_start(&w);
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_NEW));
		cr_expect(lt(u64, world_run_until(&w, 1, 1), 10 * NS_PER_MS), "a few round trips");
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
		cr_expect(eq(uint, w.happened[EVENT_TRANSFER_DONE], 1));
		cr_expect(eq(str, w.last_kind, "AXFR"));
		cr_expect(eq(u64, w.last_records, SCRIPT_SIZE + 3));
		cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 0));
		cr_expect(eq(int, timers(&w).refreshed_at_s, wall(&w)));
		cr_expect(eq(int, timers(&w).expire_at_s, wall(&w) + 10000));
		cr_expect(ge(i64, timers(&w).refresh_at_s, wall(&w) + 900));
		cr_expect(le(i64, timers(&w).refresh_at_s, wall(&w) + 1000));
		world_fini(&w);
	}
}

TEST(refresh, asks_for_the_serial_when_due)
{
	struct world w;
	int64_t due;

	world_init(&w, 3, 1, true);
	world_start(&w);
	world_run_until(&w, 1, 1);
	for (unsigned i = 1; i <= 5; i++) {
		due = timers(&w).refresh_at_s;
		world_run_s(&w, (uint64_t)(due - wall(&w)) - 1);
		cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], i - 1), "too early");
		world_run_s(&w, 3);
		cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], i));
		cr_expect(gt(i64, timers(&w).refresh_at_s, due + 890));
		cr_expect(eq(int, timers(&w).expire_at_s, timers(&w).refreshed_at_s + 10000));
	}
	cr_expect(eq(uint, w.primaries[0]->connections, 1), "nothing was transferred again");
	cr_expect(eq(uint, w.happened[EVENT_REFRESH_CURRENT], 5));
	world_fini(&w);
}

TEST(refresh, pulls_differences_when_there_is_news)
{
	struct world w;

	world_init(&w, 4, 1, true);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 4);
	cr_expect(le(u64, world_run_until(&w, 4, 1001), 1001 * S));
	cr_expect(eq(str, w.last_kind, "IXFR"));
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 1));
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 1));
	world_fini(&w);
}

TEST(refresh, reuses_a_connection)
{
	struct world w;

	world_init(&w, 5, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	for (uint32_t serial = 2; serial < 10; serial++) {
		world_bump(&w, serial);
		world_notify(&w, 0, true);
		cr_expect(lt(u64, world_run_until(&w, serial, 1), 5 * NS_PER_MS));
	}
	cr_expect(eq(uint, w.primaries[0]->connections, 1));
	world_run_s(&w, 60);
	cr_expect(eq(ptr, w.primaries[0]->conns, NULL), "not kept for ever");
	world_fini(&w);
}

TEST(refresh, goes_on_where_primaries_close_after_each_answer)
{
	struct world w;

	world_init(&w, 6, 1, false);
	w.primaries[0]->closes = true;
	world_start(&w);
	world_run_until(&w, 1, 1);
	for (uint32_t serial = 2; serial < 10; serial++) {
		world_bump(&w, serial);
		world_notify(&w, 0, true);
		world_run_until(&w, serial, 1);
	}
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], 0));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 0));
	world_fini(&w);
}

TEST(refresh, does_not_mind_a_reused_connection_that_dies)
{
	struct world w;

	world_init(&w, 7, 1, true);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 2);
	w.primaries[0]->script.fault_arg = 0;
	script_fail(&w.primaries[0]->script, SCRIPT_CLOSE, SCRIPT_IXFR, 1);
	world_notify(&w, 0, true);
	world_run_until(&w, 2, 1);
	cr_expect(eq(uint, w.primaries[0]->connections, 2));
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 2));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 0));
	world_fini(&w);
}

/* Datagrams overtake each other: a NOTIFY of an older version does not make the newer one forgotten
 * that the transfer under way was for. */
TEST(refresh, an_older_notify_takes_nothing_away)
{
	struct world w;
	struct transfer_notice notice = { .has_serial = true };

	world_init(&w, 8, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 4); /* has not caught up with what it, or another, told */
	notice.from = w.policy->primaries[0].addr;
	notice.serial.n = 5;
	transfer_zone_notified(w.transfer, w.zone, &notice);
	notice.serial.n = 3;
	transfer_zone_notified(w.transfer, w.zone, &notice);
	world_run_until(&w, 4, 1);
	world_run_s(&w, 1);
	world_bump(&w, 5);
	world_run_until(&w, 5, 30);
	world_fini(&w);
}

/* ---- IXFR that fails ---- */

/* Every way in which IXFR can fail has the whole zone fetched of the same primary. */
TEST(refresh, falls_back_to_axfr_from_every_failure_of_ixfr)
{
	static const struct {
		enum script_fault fault;
		unsigned arg;
		bool signed_;
	} cases[] = {
		{ SCRIPT_RCODE, RCODE_FORMERR, false },
		{ SCRIPT_RCODE, RCODE_NOTIMP, false },
		{ SCRIPT_RCODE, RCODE_REFUSED, false },
		{ SCRIPT_RCODE, RCODE_SERVFAIL, false },
		{ SCRIPT_RCODE, RCODE_NOTAUTH, true },

		{ SCRIPT_BAD_ID, 0, false },
		{ SCRIPT_BAD_QUESTION, 0, false },
		{ SCRIPT_EMPTY, 0, false },
		{ SCRIPT_TRAILING, 0, false },
		{ SCRIPT_LATE_SOA, 0, false },
		{ SCRIPT_UNKNOWN_DELETE, 0, false },
		{ SCRIPT_KNOWN_ADD, 0, false },
		{ SCRIPT_CLASS, 0, false },
		{ SCRIPT_CUT, 0, false },
		{ SCRIPT_NO_NS, 0, false },
		{ SCRIPT_CLOSE, 100, false },
		{ SCRIPT_STALL, 100, false },
		{ SCRIPT_SILENT, 0, false },
		{ SCRIPT_NO_END, 0, false },
		{ SCRIPT_BAD_MAC, 0, true },
		{ SCRIPT_UNSIGNED, 0, true },
		{ SCRIPT_UNSIGNED_LAST, 0, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct script *script;

		world_init(&w, 100 + i, 1, cases[i].signed_);
		script = &w.primaries[0]->script;
		script->per_message = 3;
		world_start(&w);
		world_run_until(&w, 1, 1);
		world_bump(&w, 3);
		script->fault_arg = cases[i].arg;
		script_fail(script, cases[i].fault, SCRIPT_IXFR, UINT_MAX);
		world_notify(&w, 0, true);
		world_run_until(&w, 3, 40);
		cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 1), "case %zu", i);
		cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], 0), "case %zu", i);
		cr_expect(eq(str, w.last_kind, "AXFR"), "case %zu", i);
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK), "case %zu", i);
		world_fini(&w);
	}
}

/* ---- failures ---- */

/* A failed or broken transfer never harms what is served, whatever the primary sends, and the zone
 * comes into step once it is well again. */
TEST(refresh, keeps_what_is_served_whatever_the_primary_sends)
{
	for (enum script_fault fault = SCRIPT_RCODE; fault <= SCRIPT_STALL; fault++) {
		struct world w;
		struct script *script;
		bool harmless = fault == SCRIPT_OUTSIDE || fault == SCRIPT_NO_AA ||
		                fault == SCRIPT_WHOLE || fault == SCRIPT_TRUNCATED ||
		                fault == SCRIPT_UNKNOWN_DELETE || fault == SCRIPT_KNOWN_ADD;

		world_init(&w, 200 + fault, 1, true);
		script = &w.primaries[0]->script;
		script->per_message = 4;
		world_start(&w);
		world_run_until(&w, 1, 1);
		world_bump(&w, 3);
		script->fault_arg = fault == SCRIPT_RCODE ? RCODE_SERVFAIL : 200;
		script_fail(script, fault, harmless ? SCRIPT_IXFR | SCRIPT_AXFR : SCRIPT_ALL,
		            UINT_MAX);
		world_notify(&w, 0, true);
		world_run_s(&w, 300);
		if (world_serial(&w) != 3) {
			cr_expect(eq(u32, world_serial(&w), 1), "fault %d", fault);
			cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING), "fault %d",
			          fault);
			cr_expect(ne(int, timers(&w).last_error, ERR_OK));
			cr_expect(timers(&w).notified, "the NOTIFY is not forgotten");
		}
		script_fail(script, SCRIPT_FINE, 0, 0);
		world_run_until(&w, 3, 200);
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK), "fault %d", fault);
		cr_expect(not(timers(&w).notified), "fault %d", fault);
		world_fini(&w);
	}
}

TEST(refresh, tries_a_first_load_again_with_patience)
{
	struct world w;
	uint64_t waits_s[] = { 10, 20, 40, 80, 160 };

	world_init(&w, 8, 1, false);
	w.primaries[0]->script.fault_arg = RCODE_REFUSED;
	script_fail(&w.primaries[0]->script, SCRIPT_RCODE, SCRIPT_ALL, UINT_MAX);
	world_start(&w);
	world_run_s(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(waits_s); i++) {
		int64_t wait = timers(&w).refresh_at_s - wall(&w);

		cr_expect(ge(i64, wait, (int64_t)(waits_s[i] * 9 / 10 - 3)), "failure %zu", i);
		cr_expect(le(i64, wait, (int64_t)waits_s[i]), "failure %zu", i);
		cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], i + 1));
		cr_expect(eq(int, w.last_error, ERR_PEER_REFUSED_QUERY));
		cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
		world_run_s(&w, (uint64_t)wait + 2);
	}
	script_fail(&w.primaries[0]->script, SCRIPT_FINE, 0, 0);
	world_run_until(&w, 1, 400);
	cr_expect(eq(uint, w.happened[EVENT_ZONE_RECOVERED], 1));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

TEST(refresh, retries_at_the_retry_interval_and_expires)
{
	struct world w;
	int64_t expire_at;

	world_init(&w, 9, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	expire_at = timers(&w).expire_at_s;
	script_node_down(w.primaries[0]);
	world_run_s(&w, 1100);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
	cr_expect(ge(i64, timers(&w).refresh_at_s, wall(&w) - 1));
	cr_expect(le(i64, timers(&w).refresh_at_s, wall(&w) + 100));
	world_run_s(&w, (uint64_t)(expire_at - wall(&w)) - 1);
	cr_expect(eq(u32, world_serial(&w), 1), "served to the last second");
	cr_expect(eq(uint, w.happened[EVENT_ZONE_EXPIRED], 0));
	world_run_s(&w, 2);
	cr_expect(eq(u32, world_serial(&w), 0));
	cr_expect(eq(uint, w.happened[EVENT_ZONE_EXPIRED], 1));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_EXPIRED));
	/* It has not gained a serial: to be served again it only has to be confirmed. */
	script_node_up(w.primaries[0]);
	world_run_until(&w, 1, 150);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	cr_expect(eq(uint, w.happened[EVENT_ZONE_RECOVERED], 1));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_DONE], 1));
	world_fini(&w);
}

TEST(refresh, asks_over_tcp_where_udp_does_not_pass)
{
	struct world w;
	int64_t due;

	world_init(&w, 10, 1, true);
	world_start(&w);
	world_run_until(&w, 1, 1);
	due = timers(&w).refresh_at_s;
	w.primaries[0]->deaf_to_udp = true;
	world_run_s(&w, (uint64_t)(due - wall(&w)));
	world_run_s(&w, 10); /* 1 + 2 + 4 seconds */
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 1));
	cr_expect(eq(uint, w.happened[EVENT_REFRESH_CURRENT], 1));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

TEST(refresh, asks_over_tcp_where_udp_is_too_short)
{
	struct world w;

	world_init(&w, 11, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 2);
	script_fail(&w.primaries[0]->script, SCRIPT_TRUNCATED, SCRIPT_SOA, UINT_MAX);
	world_run_until(&w, 2, 1001);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 1));
	world_fini(&w);
}

/* ---- several primaries ---- */

TEST(refresh, tries_primaries_in_their_order)
{
	struct world w;

	world_init(&w, 12, 3, true);
	script_node_down(w.primaries[0]);
	w.primaries[1]->script.fault_arg = RCODE_REFUSED;
	script_fail(&w.primaries[1]->script, SCRIPT_RCODE, SCRIPT_ALL, UINT_MAX);
	world_start(&w);
	world_run_until(&w, 1, 1);
	cr_expect(eq(uint, w.primaries[1]->script.asked[SCRIPT_AXFR], 1));
	cr_expect(eq(uint, w.primaries[2]->script.asked[SCRIPT_AXFR], 1));
	cr_expect(eq(int, timers(&w).failing_since_s, 0));
	cr_expect(eq(int, timers(&w).last_error, ERR_PEER_REFUSED_QUERY), "is not concealed");
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

TEST(refresh, reports_a_lower_serial_and_asks_the_next)
{
	struct world w;

	world_init(&w, 13, 2, false);
	world_bump(&w, 5);
	world_start(&w);
	world_run_until(&w, 5, 1);
	w.primaries[0]->script.serial = 4;
	w.primaries[1]->script.serial = 6;
	world_run_until(&w, 6, 1001);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER], 1));
	w.primaries[1]->script.serial = 3;
	world_run_s(&w, 1001);
	cr_expect(eq(u32, world_serial(&w), 6), "not taken");
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
	cr_expect(eq(int, timers(&w).last_error, ERR_SERIAL_OLD));
	world_fini(&w);
}

TEST(refresh, compares_serials_as_they_wrap)
{
	struct world w;

	world_init(&w, 14, 1, false);
	world_bump(&w, 0xfffffffdU);
	world_start(&w);
	world_run_until(&w, 0xfffffffdU, 1);
	world_bump(&w, 3);
	world_notify(&w, 0, true);
	world_run_until(&w, 3, 1);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER], 0));
	world_fini(&w);
}

/* ---- NOTIFY ---- */

/* What was announced and is not there yet is looked for soon, whatever others announce meanwhile. */
TEST(refresh, an_older_notify_does_not_put_off_the_look_for_what_is_awaited)
{
	for (unsigned serial = 0; serial < 2; serial++) {
		struct world w;

		world_init(&w, 30 + serial, 1, false);
		w.primaries[0]->script.serial = 3;
		world_start(&w);
		world_run_until(&w, 3, 1);
		w.primaries[0]->script.serial = 5;
		world_notify(&w, 0, true);
		w.primaries[0]->script.serial = 3;
		world_run_s(&w, 1);
		w.primaries[0]->script.serial = 2;
		world_notify(&w, 0, serial == 1);
		w.primaries[0]->script.serial = 3;
		world_run_s(&w, 1);
		world_bump(&w, 5);
		world_run_until(&w, 5, 12);
		world_fini(&w);
	}
}

TEST(refresh, a_notify_brings_the_news_at_once)
{
	for (unsigned hint = 0; hint < 2; hint++) {
		struct world w;

		world_init(&w, 15, 1, true);
		world_start(&w);
		world_run_until(&w, 1, 1);
		world_run_s(&w, 100); /* no connection is left */
		world_bump(&w, 2);
		world_notify(&w, 0, hint == 1);
		cr_expect(lt(u64, world_run_until(&w, 2, 1), 5 * NS_PER_MS));
		cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 0));
		cr_expect(eq(str, w.last_kind, "IXFR"));
		cr_expect(not(timers(&w).notified));
		world_fini(&w);
	}
}

TEST(refresh, a_notify_of_what_we_have_asks_nothing)
{
	struct world w;

	world_init(&w, 16, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_notify(&w, 0, true);
	world_run_s(&w, 5);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 0));
	world_notify(&w, 0, false);
	world_run_s(&w, 5);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 1), "it told no serial");
	cr_expect(not(timers(&w).notified));
	world_fini(&w);
}

TEST(refresh, asks_the_primary_that_notified)
{
	struct world w;

	world_init(&w, 17, 3, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	w.primaries[2]->script.serial = 2;
	world_notify(&w, 2, true);
	world_run_until(&w, 2, 1);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 0));
	cr_expect(eq(uint, w.primaries[2]->script.asked[SCRIPT_IXFR], 1));
	world_fini(&w);
}

TEST(refresh, looks_for_announced_news_at_every_primary)
{
	struct world w;

	world_init(&w, 18, 3, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	/* Told by a listed address that is no primary: the first two lag behind. */
	w.primaries[2]->script.serial = 2;
	transfer_zone_notified(w.transfer, w.zone,
	                       &(struct transfer_notice){ .from = { .family = 4, .ip = { 9 } },
	                                                  .has_serial = true,
	                                                  .serial = { 2 } });
	world_run_until(&w, 2, 1);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 1));
	cr_expect(eq(uint, w.primaries[1]->script.asked[SCRIPT_IXFR], 1));
	world_fini(&w);
}

TEST(refresh, merges_notifies_and_remembers_them_during_a_transfer)
{
	struct world w;

	world_init(&w, 19, 1, true);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 2);
	for (unsigned i = 0; i < 50; i++) {
		world_notify(&w, 0, true);
	}
	sim_run_for(w.sim, NS_PER_MS / 10); /* the request is on its way */
	world_bump(&w, 3);
	for (unsigned i = 0; i < 50; i++) {
		world_notify(&w, 0, true);
	}
	world_run_until(&w, 3, 1);
	cr_expect(le(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 2));
	world_run_s(&w, 1);
	cr_expect(le(uint, w.primaries[0]->script.asked[SCRIPT_IXFR], 2));
	cr_expect(not(timers(&w).notified));
	world_fini(&w);
}

TEST(refresh, a_flood_of_notifies_is_no_flood_of_attempts)
{
	struct world w;

	world_init(&w, 27, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 10);
	world_bump(&w, 2);
	script_node_down(w.primaries[0]);
	for (unsigned i = 0; i < 5000; i++) {
		world_notify(&w, 0, i % 2 == 0);
		sim_run_for(w.sim, NS_PER_MS);
	}
	cr_expect(ge(uint, w.happened[EVENT_TRANSFER_FAILED], 4));
	cr_expect(le(uint, w.happened[EVENT_TRANSFER_FAILED], 12), "in five seconds");
	script_node_up(w.primaries[0]);
	world_notify(&w, 0, true);
	cr_expect(le(u64, world_run_until(&w, 2, 2), 1100 * NS_PER_MS));
	world_fini(&w);
}

TEST(refresh, a_wall_clock_that_went_back_does_not_hold_up_news)
{
	struct world w;
	struct zone_timers t;

	world_init(&w, 29, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 2);
	script_node_down(w.primaries[0]);
	world_notify(&w, 0, true);
	world_run_s(&w, 3);
	cr_expect(ge(uint, w.happened[EVENT_TRANSFER_FAILED], 1));
	script_node_up(w.primaries[0]);
	t = timers(&w);
	t.last_error_at_s = wall(&w) + 3600; /* as it looks afterwards */
	store_note(w.store, w.zone, &t);
	for (unsigned i = 0; i < 40; i++) {
		world_notify(&w, 0, true);
		sim_run_for(w.sim, 100 * NS_PER_MS);
	}
	cr_expect(eq(uint, world_serial(&w), 2));
	world_fini(&w);
}

/* Nothing but silence in answer to IXFR, of a primary that nobody notifies for. */
TEST(refresh, falls_back_from_silence_when_due)
{
	struct world w;

	world_init(&w, 28, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 2);
	script_fail(&w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_IXFR, UINT_MAX);
	world_run_until(&w, 2, 1032);
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 1));
	world_fini(&w);
}

TEST(refresh, a_notify_survives_failure_and_restart)
{
	struct world w;

	world_init(&w, 20, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 10);
	world_bump(&w, 2);
	script_node_down(w.primaries[0]);
	world_notify(&w, 0, true);
	world_run_s(&w, 5);
	cr_expect(timers(&w).notified);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
	world_restart(&w);
	cr_expect(eq(u32, world_serial(&w), 1), "from the disk");
	cr_expect(timers(&w).notified);
	script_node_up(w.primaries[0]);
	world_run_until(&w, 2, 25);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 0));
	world_fini(&w);
}

/* A NOTIFY that is satisfied at once costs no write of its own; one that is not is noted soon. */
TEST(refresh, notes_a_notify_only_if_it_waits)
{
	struct world w;
	struct store_stats before, after;

	world_init(&w, 31, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 10);
	store_stats(w.store, &before);
	for (uint32_t serial = 2; serial < 102; serial++) {
		world_bump(&w, serial);
		world_notify(&w, 0, serial % 2 == 0);
		world_notify(&w, 0, true);
		world_run_until(&w, serial, 1);
		sim_run_for(w.sim, 10 * NS_PER_MS);
	}
	world_run_s(&w, 5);
	store_stats(w.store, &after);
	cr_expect(eq(u64, after.disk.updates - before.disk.updates, 100));
	cr_expect(le(u64, after.disk.notes - before.disk.notes, 50),
	          "of those that told no serial");
	cr_expect(not(timers(&w).notified));
	world_bump(&w, 200);
	script_fail(&w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_ALL, UINT_MAX);
	world_notify(&w, 0, true);
	sim_run_for(w.sim, 190 * NS_PER_MS);
	cr_expect(not(timers(&w).notified));
	sim_run_for(w.sim, 20 * NS_PER_MS);
	cr_expect(timers(&w).notified);
	world_fini(&w);
}

/* Stopped in order, nothing is lost; killed before it is noted, the refresh has to find it. */
TEST(refresh, a_notify_survives_a_stop_at_once_and_a_kill_a_little_later)
{
	static const struct {
		unsigned after_ms;
		bool in_order;
		bool kept;
	} cases[] = {
		{ 1, true, true }, { 150, true, true }, { 150, false, false }, { 250, false, true }
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;

		world_init(&w, 400 + i, 1, false);
		world_start(&w);
		world_run_until(&w, 1, 1);
		world_run_s(&w, 60);
		world_bump(&w, 2);
		script_fail(&w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_ALL, UINT_MAX);
		world_notify(&w, 0, i % 2 == 0);
		sim_run_for(w.sim, cases[i].after_ms * NS_PER_MS);
		if (cases[i].in_order) {
			transfer_settle(w.transfer);
		}
		world_restart(&w);
		cr_expect(eq(u32, world_serial(&w), 1));
		cr_expect(eq(int, timers(&w).notified, cases[i].kept), "case %zu", i);
		script_fail(&w.primaries[0]->script, SCRIPT_FINE, 0, 0);
		if (cases[i].kept) {
			cr_expect(le(u64, world_run_until(&w, 2, 2), 100 * NS_PER_MS));
		} else {
			world_run_until(&w, 2, 1001);
		}
		world_fini(&w);
	}
}

/* ---- restarts ---- */

TEST(refresh, asks_nothing_at_start_that_is_not_due)
{
	struct world w;
	int64_t due;

	world_init(&w, 21, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 200);
	due = timers(&w).refresh_at_s;
	world_restart(&w);
	cr_expect(eq(u32, world_serial(&w), 1));
	cr_expect(eq(i64, timers(&w).refresh_at_s, due));
	world_run_s(&w, (uint64_t)(due - wall(&w)) - 2);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 0));
	world_run_s(&w, 5);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 1));
	cr_expect(eq(uint, w.primaries[0]->connections, 1));
	world_fini(&w);
}

TEST(refresh, judges_expiry_by_the_wall_clock_at_start)
{
	struct world w;

	world_init(&w, 22, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 10);
	script_node_down(w.primaries[0]);
	transfer_free(w.transfer); /* nobody looks after the zone */
	w.transfer = NULL;
	world_run_s(&w, 20000);
	world_restart(&w);
	cr_expect(eq(u32, world_serial(&w), 0), "not served for a moment");
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_EXPIRED));
	cr_expect(eq(uint, w.happened[EVENT_ZONE_EXPIRED], 1));
	script_node_up(w.primaries[0]);
	world_run_until(&w, 1, 150);
	world_fini(&w);
}

/* ---- operators and configuration ---- */

TEST(refresh, an_operator_is_served_at_once)
{
	struct world w;

	world_init(&w, 23, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_bump(&w, 2);
	transfer_zone_refresh(w.transfer, w.zone);
	cr_expect(lt(u64, world_run_until(&w, 2, 1), 10 * NS_PER_MS));
	w.may_go_back = true;
	world_bump(&w, 1);
	transfer_zone_refresh(w.transfer, w.zone);
	world_run_s(&w, 2);
	cr_expect(eq(u32, world_serial(&w), 2), "to ask is not to take");
	transfer_zone_retransfer(w.transfer, w.zone);
	world_run_until(&w, 1, 2);
	cr_expect(eq(str, w.last_kind, "AXFR"));
	world_fini(&w);
}

TEST(refresh, fetches_again_from_changed_primaries)
{
	struct world w;
	struct zone_policy *other;

	world_init(&w, 24, 2, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	other = zone_policy_new();
	other->primary_count = 1;
	other->primaries = malloc(sizeof(*other->primaries));
	other->primaries[0] = w.policy->primaries[1];
	w.primaries[1]->script.serial = 9;
	transfer_zone_change(w.transfer, w.zone, other);
	world_run_until(&w, 9, 1);
	cr_expect(eq(uint, w.primaries[1]->script.asked[SCRIPT_AXFR], 1));
	zone_policy_unref(other);
	world_fini(&w);
}

TEST(refresh, new_limits_hold_for_the_interval_that_runs)
{
	struct world w;
	struct zone_policy *other;

	world_init(&w, 25, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	other = zone_policy_new();
	other->primary_count = 1;
	other->primaries = malloc(sizeof(*other->primaries));
	other->primaries[0] = w.policy->primaries[0];
	other->limits.max_refresh_s = 120;
	transfer_zone_change(w.transfer, w.zone, other);
	world_run_s(&w, 122);
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 1));
	cr_expect(eq(uint, w.primaries[0]->script.asked[SCRIPT_AXFR], 1), "not fetched again");
	zone_policy_unref(other);
	world_fini(&w);
}

static void on_stopped(void *self, struct zone *zone)
{
	struct world *w = self;

	store_remove(w->store, zone);
	w->zone = NULL;
}

TEST(refresh, stops_in_any_state)
{
	for (unsigned step = 0; step < 40; step++) {
		struct world w;

		world_init(&w, 300 + step, 1, true);
		w.primaries[0]->script.per_message = 5;
		w.disk_stands = step % 4 == 3;
		world_start(&w);
		sim_run_for(w.sim, step * 60000);
		transfer_zone_stop(w.transfer, w.zone, on_stopped, &w);
		world_disk_go(&w);
		world_run_s(&w, 1);
		cr_expect(eq(ptr, w.zone, NULL), "step %u", step);
		cr_expect(eq(sz, store_zone_count(w.store), 0), "step %u", step);
		world_fini(&w);
	}
}

TEST(refresh, ends_in_any_state)
{
	for (unsigned step = 0; step < 40; step++) {
		struct world w;

		world_init(&w, 400 + step, 1, true);
		w.primaries[0]->script.per_message = 5;
		world_start(&w);
		sim_run_for(w.sim, step * 60000);
		world_fini(&w);
	}
}

/* ---- the disk ---- */

TEST(refresh, a_disk_that_fails_holds_new_versions_back)
{
	struct world w;

	world_init(&w, 26, 1, false);
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 10);
	memory_disk_fail(w.disk, 1, ERR_DISK_FULL);
	world_bump(&w, 2);
	world_notify(&w, 0, true);
	world_run_s(&w, 60);
	cr_expect(eq(u32, world_serial(&w), 1), "what was there is served");
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
	cr_expect(eq(int, timers(&w).last_error, ERR_DISK_FULL));
	memory_disk_heal(w.disk);
	world_run_until(&w, 2, 120);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

/* ---- hostile networks ---- */

TEST(refresh, comes_into_step_over_a_rough_network)
{
	for (uint64_t seed = 500; seed < 530; seed++) {
		struct world w;

		world_init(&w, seed, 2, seed % 2 == 0);
		sim_link_default(w.sim, &sim_link_rough);
		w.primaries[0]->script.per_message = 2;
		w.primaries[1]->script.per_message = 2;
		world_start(&w);
		world_run_until(&w, 1, 4000);
		for (uint32_t serial = 2; serial < 8; serial++) {
			world_bump(&w, serial);
			if (serial % 2 == 0) {
				world_notify(&w, serial % 4 == 0, true);
			}
			world_run_until(&w, serial, 4000);
		}
		world_fini(&w);
	}
}

TEST(refresh, a_run_is_a_function_of_its_seed)
{
	uint64_t trace[2];

	for (unsigned i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, 77, 2, true);
		sim_link_default(w.sim, &sim_link_rough);
		world_start(&w);
		world_run_s(&w, 3000);
		world_bump(&w, 4);
		world_run_s(&w, 3000);
		trace[i] = sim_trace(w.sim);
		world_fini(&w);
	}
	cr_expect(eq(u64, trace[0], trace[1]));
}
