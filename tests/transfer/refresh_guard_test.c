/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/refresh_guard_test.c — versions that are held, refused or followed, in simulated
 * time. Refresh is 1000 s, retry 100 s, expire 10000 s. */
#include <limits.h>
#include <stdlib.h>

#include "tests/test.h"
#include "tests/transfer/world.h"
#include "transfer/refresh_p.h"

#define SIZE 100 /* addresses of the zone; 5 where it shrank */

/* A zone of SIZE addresses, guarded from 50 records on, served at serial 1. */
static void guarded_init(struct world *w, uint64_t seed, unsigned primaries)
{
	world_init(w, seed, primaries, false);
	for (unsigned i = 0; i < primaries; i++) {
		w->primaries[i]->script.size = SIZE;
		w->primaries[i]->script.small_size = 5;
	}
	w->policy->guard.shrink_records = 50;
}

static void guarded_start(struct world *w, uint64_t seed, unsigned primaries)
{
	guarded_init(w, seed, primaries);
	world_start(w);
	world_run_until(w, 1, 1);
}

/* The primary has a newer zone, and says so. */
static void news(struct world *w, uint32_t serial)
{
	world_bump(w, serial);
	world_notify(w, 0, true);
	world_run_s(w, 1);
}

/* The zone shrinks from one serial on to another. */
static void shrink(struct world *w, uint32_t from, uint32_t to)
{
	for (unsigned i = 0; i < w->primary_count; i++) {
		w->primaries[i]->script.small_from = from;
		w->primaries[i]->script.small_to = to;
	}
}

static unsigned transfers(const struct world *w)
{
	const struct script *s = &w->primaries[0]->script;

	return s->asked[SCRIPT_IXFR] + s->asked[SCRIPT_AXFR];
}

static uint32_t have(const struct world *w)
{
	return snapshot_source_serial(zone_have(w->zone)).n;
}

struct act {
	struct commit commit;
	bool done;
	enum err err;
};

static void on_act(struct commit *c, enum err e)
{
	struct act *a = container_of(c, struct act, commit);

	a->done = true;
	a->err = e;
}

typedef enum err (*act_fn)(struct store *st, struct zone *zone, struct commit *c);

static void operator_acts(struct world *w, act_fn fn)
{
	struct act a = { .commit = { .done = on_act, .keep = w->policy->history } };

	cr_assert(eq(int, fn(w->store, w->zone, &a.commit), ERR_OK));
	world_disk_go(w);
	world_run_s(w, 1);
	cr_assert(a.done && a.err == ERR_OK);
}

/* ---- held ---- */

TEST(refresh_guard, holds_a_zone_that_shrank_and_serves_the_next_that_did_not)
{
	struct world w;
	unsigned before;

	guarded_start(&w, 201, 1);
	shrink(&w, 2, 2);
	news(&w, 2);
	cr_expect(eq(uint, w.happened[EVENT_VERSION_HELD], 1));
	cr_expect(eq(str, w.held_for, "it lost too many of its records"));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_SHRUNK));
	cr_expect(eq(u32, world_serial(&w), 1));
	cr_expect(eq(u32, have(&w), 2));
	before = transfers(&w);
	world_notify(&w, 0, true);
	world_run_s(&w, 30000);
	cr_expect(eq(uint, transfers(&w), before), "not fetched again");
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK), "confirmed: does not expire");
	cr_expect(eq(u32, world_serial(&w), 1));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], 0));
	news(&w, 3);
	cr_expect(eq(u32, world_serial(&w), 3));
	cr_expect(eq(str, w.last_kind, "IXFR"), "from the one held on");
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 0));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_NONE));
	cr_expect(eq(uint, w.happened[EVENT_VERSION_HELD], 1));
	world_fini(&w);
}

TEST(refresh_guard, holds_it_over_a_restart)
{
	struct world w;
	unsigned before;

	guarded_start(&w, 202, 1);
	shrink(&w, 2, 2);
	news(&w, 2);
	before = transfers(&w);
	world_restart(&w);
	world_run_s(&w, 3000);
	cr_expect(eq(u32, world_serial(&w), 1));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_SHRUNK));
	cr_expect(eq(uint, transfers(&w), before));
	operator_acts(&w, store_accept);
	cr_expect(eq(u32, world_serial(&w), 2));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_NONE));
	news(&w, 3);
	cr_expect(eq(u32, world_serial(&w), 3), "growing is no matter");
	world_fini(&w);
}

TEST(refresh_guard, does_not_fetch_again_what_was_rejected)
{
	struct world w;
	unsigned before;

	guarded_start(&w, 203, 1);
	shrink(&w, 2, 3);
	news(&w, 2);
	operator_acts(&w, store_reject);
	cr_expect(eq(int, zone_hold(w.zone), HOLD_REJECTED));
	before = transfers(&w);
	world_run_s(&w, 12000);
	cr_expect(eq(uint, transfers(&w), before));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	news(&w, 3);
	cr_expect(eq(int, zone_hold(w.zone), HOLD_SHRUNK), "another one, judged by itself");
	cr_expect(eq(u32, world_serial(&w), 1));
	news(&w, 4);
	cr_expect(eq(u32, world_serial(&w), 4));
	world_fini(&w);
}

/* What an operator has fetched whole is guarded all the same. */
TEST(refresh_guard, guards_a_retransfer)
{
	struct world w;

	guarded_start(&w, 204, 1);
	shrink(&w, 1, 1);
	transfer_zone_retransfer(w.transfer, w.zone);
	world_run_s(&w, 1);
	cr_expect(eq(int, zone_hold(w.zone), HOLD_SHRUNK));
	cr_expect(eq(uint, w.published, 1));
	world_fini(&w);
}

/* A zone of which nothing good has ever come is not served, does not expire, and is not asked
 * about more often than others. */
TEST(refresh_guard, holds_a_first_version)
{
	struct world w;

	guarded_init(&w, 205, 1);
	w.policy->guard.no_ns = GUARD_HOLD;
	w.unchecked = true;
	script_fail(&w.primaries[0]->script, SCRIPT_NO_NS, SCRIPT_AXFR, 1);
	world_start(&w);
	world_run_s(&w, 30000);
	cr_expect(eq(int, zone_hold(w.zone), HOLD_NO_NS));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_NEW));
	cr_expect(eq(ptr, (void *)(uintptr_t)zone_borrow(w.zone), NULL));
	cr_expect(eq(uint, transfers(&w), 1));
	cr_expect(le(uint, w.primaries[0]->script.asked[SCRIPT_SOA], 34));
	cr_expect(eq(uint, w.happened[EVENT_ZONE_EXPIRED], 0));
	script_node_down(w.primaries[0]);
	world_run_s(&w, 30000);
	cr_expect(eq(uint, w.happened[EVENT_ZONE_EXPIRED], 0), "nothing was served");
	cr_expect(lt(uint, w.happened[EVENT_REFRESH_FAILED], 700), "as often as retry says");
	operator_acts(&w, store_accept);
	cr_expect(eq(u32, world_serial(&w), 1));
	world_fini(&w);
}

/* ---- differences ---- */

/* It may be the differences that are wrong: the whole zone is asked for before it is held. */
TEST(refresh_guard, asks_for_the_whole_zone_before_it_holds_differences)
{
	struct world w;

	guarded_start(&w, 206, 1);
	script_fail(&w.primaries[0]->script, SCRIPT_ZONEMD, SCRIPT_IXFR, 1);
	news(&w, 2);
	cr_expect(eq(u32, world_serial(&w), 2), "as a whole it was fine");
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 1));
	cr_expect(eq(uint, w.happened[EVENT_VERSION_HELD], 0));
	script_fail(&w.primaries[0]->script, SCRIPT_ZONEMD, SCRIPT_ALL, 3);
	news(&w, 3);
	cr_expect(eq(u32, world_serial(&w), 2));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_ZONEMD));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 2));
	script_fail(&w.primaries[0]->script, SCRIPT_FINE, SCRIPT_ALL, 0);
	news(&w, 4); /* its differences leave the wrong ZONEMD in place */
	cr_expect(eq(u32, have(&w), 4));
	cr_expect(eq(str, w.last_kind, "IXFR"));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 2), "known to be wrong: not again");
	cr_expect(eq(uint, w.happened[EVENT_VERSION_HELD], 2));
	world_fini(&w);
}

static bool is_verifying(const struct world *w)
{
	const struct refresh *z = zone_engine(w->zone);

	return z->state == REFRESH_PULLING && z->pull->check != NULL;
}

/* A large zone whose digest is wrong begins to be fetched. */
static void large_start(struct world *w)
{
	guarded_init(w, 300, 1);
	w->primaries[0]->script.size = 20000;
	script_fail(&w->primaries[0]->script, SCRIPT_ZONEMD, SCRIPT_ALL, UINT_MAX);
	world_start(w);
}

/* Runs it until its digest is being verified. */
static void large_until_verifying(struct world *w, uint64_t from_ns, uint64_t step_ns)
{
	sim_run_for(w->sim, from_ns);
	while (!is_verifying(w)) {
		cr_assert(eq(uint, w->happened[EVENT_VERSION_HELD], 0), "in one turn?");
		sim_run_for(w->sim, step_ns);
	}
}

/* A large zone's digest is verified over several turns; whatever happens to the zone in between,
 * nothing is left behind. */
TEST(refresh_guard, verifies_a_large_zone_in_parts)
{
	uint64_t done_ns, took_ns;
	struct world w;

	large_start(&w);
	took_ns = world_now_ns(&w);
	while (w.happened[EVENT_VERSION_HELD] == 0) {
		sim_run_for(w.sim, 1000);
	}
	done_ns = world_now_ns(&w) - took_ns;
	cr_expect(eq(int, zone_hold(w.zone), HOLD_ZONEMD));
	cr_expect(eq(uint, transfers(&w), 1));
	world_fini(&w);

	large_start(&w);
	large_until_verifying(&w, done_ns - 2000, 1);
	transfer_zone_retransfer(w.transfer, w.zone); /* waits for it */
	cr_expect(is_verifying(&w));
	world_run_s(&w, 5);
	cr_expect(eq(uint, transfers(&w), 2));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_ZONEMD));
	world_fini(&w);

	large_start(&w);
	large_until_verifying(&w, done_ns - 2000, 1);
	world_restart(&w);
	world_run_s(&w, 5);
	cr_expect(eq(uint, transfers(&w), 2), "what was under way is gone");
	cr_expect(eq(int, zone_hold(w.zone), HOLD_ZONEMD));
	world_fini(&w);
}

TEST(refresh_guard, holds_a_zone_without_ns)
{
	struct world w;

	guarded_init(&w, 207, 1);
	w.policy->guard.no_ns = GUARD_HOLD;
	world_start(&w);
	world_run_until(&w, 1, 1);
	script_fail(&w.primaries[0]->script, SCRIPT_NO_NS, SCRIPT_ALL, 3);
	news(&w, 2);
	cr_expect(eq(int, zone_hold(w.zone), HOLD_NO_NS));
	cr_expect(eq(str, w.held_for, "no NS at the apex"));
	cr_expect(eq(u32, world_serial(&w), 1));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 1));
	script_fail(&w.primaries[0]->script, SCRIPT_WHOLE, SCRIPT_IXFR, 1);
	news(&w, 3);
	cr_expect(eq(u32, world_serial(&w), 3));
	world_fini(&w);
}

/* ---- refused ---- */

TEST(refresh_guard, refuses_and_asks_the_next_primary)
{
	struct world w;

	guarded_init(&w, 208, 2);
	w.policy->guard.shrunk = GUARD_REFUSE;
	w.unchecked = true;
	world_start(&w);
	world_run_until(&w, 1, 1);
	w.primaries[0]->script.small_from = 2;
	w.primaries[0]->script.small_to = 3;
	news(&w, 2);
	cr_expect(eq(u32, world_serial(&w), 2));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], 1));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 0), "the same as a whole");
	cr_expect(eq(int, w.last_error, ERR_GUARD_SHRUNK));
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_GUARD_SHRUNK), "is not concealed");
	cr_expect(eq(int, zone_hold(w.zone), HOLD_NONE));
	script_node_down(w.primaries[1]);
	news(&w, 3);
	cr_expect(eq(u32, world_serial(&w), 2));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
	world_fini(&w);
}

TEST(refresh_guard, keeps_to_limits_that_change)
{
	struct zone_policy *other;
	struct world w;

	guarded_init(&w, 209, 1);
	w.policy->guard.records_max = 50;
	world_start(&w);
	world_run_s(&w, 5);
	cr_expect(eq(u32, world_serial(&w), 0));
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_GUARD_RECORDS));
	other = zone_policy_new();
	other->primaries = malloc(sizeof(*other->primaries));
	other->primaries[0] = w.policy->primaries[0];
	other->primary_count = 1;
	other->guard.records_max = SIZE + 2;
	transfer_zone_change(w.transfer, w.zone, other);
	zone_policy_unref(other);
	world_run_until(&w, 1, 100);
	world_fini(&w);
}

/* ---- expired ---- */

static void expire(struct world *w)
{
	for (unsigned i = 0; i < w->primary_count; i++) {
		script_node_down(w->primaries[i]);
	}
	world_run_s(w, 10001);
	cr_assert(eq(int, world_state(w), TRANSFER_ZONE_EXPIRED));
	for (unsigned i = 0; i < w->primary_count; i++) {
		script_node_up(w->primaries[i]);
	}
}

TEST(refresh_guard, serves_what_would_be_held_when_there_is_nothing_better)
{
	struct world w;

	guarded_start(&w, 210, 1);
	w.unchecked = true;
	expire(&w);
	world_bump(&w, 2);
	script_fail(&w.primaries[0]->script, SCRIPT_ZONEMD, SCRIPT_ALL, UINT_MAX);
	world_run_until(&w, 2, 200);
	cr_expect(eq(uint, w.happened[EVENT_GUARD_PASSED], 1));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

/* What the primary confirms is that it has the version held: then the older one is served on. */
TEST(refresh_guard, serves_on_when_the_primary_of_a_held_version_is_back)
{
	struct world w;

	guarded_start(&w, 211, 1);
	shrink(&w, 2, 2);
	news(&w, 2);
	expire(&w);
	world_run_s(&w, 200);
	cr_expect(eq(u32, world_serial(&w), 1));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_SHRUNK));
	world_fini(&w);
}

/* ---- lower serials ---- */

TEST(refresh_guard, says_that_a_primary_went_back_to_what_is_kept)
{
	struct world w;

	guarded_start(&w, 212, 1);
	news(&w, 2);
	news(&w, 3);
	world_bump(&w, 2);
	world_run_s(&w, 1001);
	cr_expect(eq(u32, world_serial(&w), 3));
	cr_expect(ge(uint, w.happened[EVENT_SERIAL_BACK], 1));
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER], 0));
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_SERIAL_BACK));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_FAILING));
	world_bump(&w, 3);
	world_run_s(&w, 101);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

TEST(refresh_guard, follows_a_lower_serial)
{
	struct world w;

	guarded_init(&w, 213, 1);
	w.policy->guard.follow_lower = true;
	w.may_go_back = true;
	world_bump(&w, 8);
	world_start(&w);
	world_run_until(&w, 8, 1);
	news(&w, 9);
	news(&w, 10);
	world_bump(&w, 4);
	world_run_until(&w, 4, 1001);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER], 1));
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_FOLLOWED], 1));
	cr_expect(eq(uint, w.happened[EVENT_CONTENT_KNOWN], 0));
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_OK));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	news(&w, 10);
	cr_expect(eq(uint, w.happened[EVENT_CONTENT_KNOWN], 1), "it had been there");
	world_bump(&w, 9);
	world_notify(&w, 0, false); /* IXFR asks, and sees it */
	world_run_until(&w, 9, 1);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_BACK], 1));
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_FOLLOWED], 2));
	cr_expect(eq(uint, w.happened[EVENT_CONTENT_KNOWN], 2));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], 0));
	world_fini(&w);
}

/* A primary that lags is none that was restored. */
TEST(refresh_guard, follows_only_if_no_primary_has_ours)
{
	struct world w;

	guarded_init(&w, 214, 2);
	w.policy->guard.follow_lower = true;
	w.may_go_back = true;
	w.unchecked = true;
	world_bump(&w, 10);
	world_start(&w);
	world_run_until(&w, 10, 1);
	w.primaries[0]->script.serial = 5;
	world_notify(&w, 0, true);
	world_run_s(&w, 5000);
	cr_expect(eq(u32, world_serial(&w), 10));
	cr_expect(ge(uint, w.happened[EVENT_SERIAL_LOWER], 1));
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_FOLLOWED], 0));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	script_node_down(w.primaries[1]);
	world_run_s(&w, 3000);
	cr_expect(eq(u32, world_serial(&w), 10), "it may have it still");
	script_node_up(w.primaries[1]);
	w.primaries[1]->script.serial = 5;
	world_run_until(&w, 5, 1001);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_FOLLOWED], 1));
	world_fini(&w);
}

/* The same where what was announced is nowhere yet, so that the round goes on after the primary that
 * has ours: it is that one which counts. */
TEST(refresh_guard, follows_nobody_while_a_primary_has_ours_but_not_what_was_announced)
{
	struct world w;

	guarded_init(&w, 217, 2);
	w.policy->guard.follow_lower = true;
	w.may_go_back = true;
	w.unchecked = true;
	world_bump(&w, 10);
	world_start(&w);
	world_run_until(&w, 10, 1);
	w.primaries[1]->script.serial = 5;
	w.primaries[0]->script.serial = 11;
	world_notify(&w, 0, true);
	w.primaries[0]->script.serial = 10;
	world_run_s(&w, 5000);
	cr_expect(ge(uint, w.happened[EVENT_SERIAL_LOWER], 1));
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_FOLLOWED], 0));
	cr_expect(eq(u32, world_serial(&w), 10));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

/* To follow may fail as any transfer: then the round has failed, and the next tries again. */
TEST(refresh_guard, tries_again_to_follow)
{
	struct world w;

	guarded_init(&w, 215, 2);
	w.policy->guard.follow_lower = true;
	w.may_go_back = true;
	world_bump(&w, 10);
	world_start(&w);
	world_run_until(&w, 10, 1);
	world_bump(&w, 5);
	script_fail(&w.primaries[0]->script, SCRIPT_RCODE, SCRIPT_AXFR, 1);
	w.primaries[0]->script.fault_arg = RCODE_SERVFAIL;
	world_run_s(&w, 1001);
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FAILED], 1));
	cr_expect(eq(int, zone_timers(w.zone).last_error, ERR_PEER_SERVFAIL));
	world_run_until(&w, 5, 100);
	world_fini(&w);
}

TEST(refresh_guard, takes_any_serial_when_the_zone_has_expired)
{
	struct world w;

	guarded_init(&w, 216, 1);
	w.may_go_back = true;
	world_bump(&w, 10);
	world_start(&w);
	world_run_until(&w, 10, 1);
	expire(&w);
	world_bump(&w, 3);
	world_run_until(&w, 3, 200);
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_FOLLOWED], 1));
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	world_fini(&w);
}

/* ---- a serial line of its own ---- */

static enum err roll_back_to_1(struct store *st, struct zone *zone, struct commit *c)
{
	return store_rollback(st, zone, (struct serial){ 1 }, false, c);
}

/* After a rollback the zone's serial is above the primary's, which is asked with its own. */
TEST(refresh_guard, asks_with_the_primarys_serial_after_a_rollback)
{
	struct world w;
	uint32_t rolled_back;

	guarded_start(&w, 217, 1);
	news(&w, 2);
	operator_acts(&w, roll_back_to_1);
	rolled_back = world_serial(&w);
	cr_expect(gt(u32, rolled_back, 2));
	cr_expect(eq(u32, have(&w), 2));
	world_run_s(&w, 2000);
	cr_expect(eq(int, world_state(&w), TRANSFER_ZONE_OK));
	cr_expect(eq(uint, w.happened[EVENT_SERIAL_LOWER] + w.happened[EVENT_SERIAL_BACK], 0));
	news(&w, 3);
	cr_expect(eq(str, w.last_kind, "IXFR"));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 0));
	cr_expect(eq(u32, have(&w), 3));
	cr_expect(eq(u32, world_serial(&w), rolled_back), "pinned");
	cr_expect(eq(str, w.held_for, "the zone is pinned"));
	operator_acts(&w, store_release);
	cr_expect(gt(u32, world_serial(&w), rolled_back));
	news(&w, 4);
	cr_expect(eq(str, w.last_kind, "IXFR"));
	cr_expect(eq(uint, w.happened[EVENT_TRANSFER_FALLBACK], 0));
	cr_expect(eq(u32, have(&w), 4));
	news(&w, 100);
	cr_expect(eq(u32, world_serial(&w), 100), "the primary's has passed it");
	world_fini(&w);
}

/* What an operator does at the same moment goes first; the version that came waits for it. */
TEST(refresh_guard, waits_for_an_operators_act)
{
	struct act a = { .commit = { .done = on_act } };
	struct world w;

	guarded_start(&w, 218, 1);
	w.disk_stands = true;
	cr_assert(eq(int, store_pin(w.store, w.zone, &a.commit), ERR_OK));
	news(&w, 2);
	world_run_s(&w, 2);
	cr_expect(not(a.done));
	cr_expect(eq(u32, have(&w), 1));
	world_disk_go(&w);
	world_run_s(&w, 1);
	cr_expect(a.done && a.err == ERR_OK);
	cr_expect(eq(u32, have(&w), 2), "did not have to be fetched again");
	cr_expect(eq(uint, transfers(&w), 2));
	cr_expect(eq(int, zone_hold(w.zone), HOLD_PINNED));
	cr_expect(eq(u32, world_serial(&w), 1));
	world_fini(&w);
}

/* Limits of history that a reload changes hold at once. */
TEST(refresh_guard, lets_go_of_versions_that_new_limits_do_not_allow)
{
	struct zone_policy *other;
	struct world w;

	guarded_init(&w, 219, 1);
	w.policy->history.bytes = 1 << 20;
	world_start(&w);
	world_run_until(&w, 1, 1);
	for (uint32_t serial = 2; serial < 8; serial++) {
		news(&w, serial);
	}
	cr_expect(eq(sz, zone_versions(w.zone, NULL, 0), 7));
	other = zone_policy_new();
	other->primaries = malloc(sizeof(*other->primaries));
	other->primaries[0] = w.policy->primaries[0];
	other->primary_count = 1;
	other->history.bytes = 1 << 20;
	other->history.count = 2;
	transfer_zone_change(w.transfer, w.zone, other);
	zone_policy_unref(other);
	world_disk_go(&w);
	world_run_s(&w, 1);
	cr_expect(eq(sz, zone_versions(w.zone, NULL, 0), 3));
	cr_expect(eq(uint, transfers(&w), 7), "nothing was fetched for it");
	world_fini(&w);
}
