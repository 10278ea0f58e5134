/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/sync_test.c — many zones at one primary: what is kept to, what is not held up, what is
 * learned. */
#include <limits.h>
#include <stdio.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/transfer/world.h"
#include "transfer/conn_p.h"
#include "transfer/refresh_p.h"
#include "transfer/transfer_p.h"

#define ZONES 400U

struct farm {
	struct world w;
	struct zone *zones[ZONES];
	unsigned count;
};

/* Primaries that have any zone at serial 1, and "example.", which is run. */
static void farm_init(struct farm *f, uint64_t seed, unsigned primaries)
{
	*f = (struct farm){ 0 };
	world_init(&f->w, seed, primaries, false);
	f->w.unchecked = true;
	for (unsigned i = 0; i < primaries; i++) {
		f->w.primaries[i]->script.any_apex = true;
	}
}

static void farm_add(struct farm *f, unsigned count)
{
	char name[32];

	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "z%u.", f->count);
		f->zones[f->count++] = world_add(&f->w, name);
	}
}

static void farm_fini(struct farm *f)
{
	world_fini(&f->w);
}

static void tell(struct farm *f, struct zone *zone, uint32_t serial)
{
	struct transfer_notice n = { .from = f->w.primaries[0]->at,
		                     .has_serial = true,
		                     .serial = { serial } };

	transfer_zone_notified(f->w.transfer, zone, &n);
}

static void tell_all(struct farm *f, uint32_t serial)
{
	for (unsigned i = 0; i < f->count; i++) {
		tell(f, f->zones[i], serial);
	}
}

static unsigned with_serial(const struct farm *f, uint32_t serial)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->count; i++) {
		const struct snapshot *snap = zone_borrow(f->zones[i]);

		n += snap != NULL && snapshot_serial(snap).n == serial;
	}
	return n;
}

static struct primary *primary_at(struct farm *f, unsigned index)
{
	struct primary *p = primary_get(&f->w.transfer->primaries, &f->w.policy->primaries[index]);

	primary_put(p);
	return p;
}

static unsigned asked(const struct farm *f, unsigned kinds)
{
	const struct script *s = &f->w.primaries[0]->script;
	unsigned n = 0;

	for (unsigned kind = 1; kind <= SCRIPT_AXFR; kind *= 2) {
		n += (kinds & kind) != 0 ? s->asked[kind] : 0;
	}
	return n;
}

TEST(sync, a_lower_serial_costs_a_request_and_no_connection)
{
	unsigned conns, lower = 0;
	struct farm f;

	farm_init(&f, 1, 1);
	f.w.primaries[0]->script.serial = 10;
	world_start(&f.w);
	farm_add(&f, ZONES);
	world_run_s(&f.w, 20);
	cr_assert(eq(uint, with_serial(&f, 10), ZONES));
	conns = f.w.primaries[0]->connections;
	f.w.primaries[0]->script.serial = 5;
	tell_all(&f, 5);
	world_run_s(&f.w, 4);
	for (unsigned i = 0; i < ZONES; i++) {
		lower += zone_timers(f.zones[i]).last_error == ERR_SERIAL_OLD;
	}
	cr_expect(eq(uint, lower, ZONES));
	cr_expect(eq(uint, asked(&f, SCRIPT_IXFR), ZONES));
	cr_expect(eq(uint, asked(&f, SCRIPT_AXFR), ZONES + 1), "the first loads");
	cr_expect(le(uint, f.w.primaries[0]->connections - conns, POLICY_CONNECTIONS));
	farm_fini(&f);
}

TEST(sync, an_announced_change_does_not_wait_behind_an_answer_that_stalls)
{
	struct farm f;
	uint64_t from;

	farm_init(&f, 2, 1);
	world_start(&f.w);
	farm_add(&f, 20);
	world_run_s(&f.w, 20);
	f.w.primaries[0]->script.serial = 2;
	f.w.primaries[0]->script.fault_arg = 100;
	script_fail(&f.w.primaries[0]->script, SCRIPT_STALL, SCRIPT_IXFR, 1);
	from = world_now_ns(&f.w);
	tell_all(&f, 2);
	while (with_serial(&f, 2) < 19 && world_now_ns(&f.w) - from < 40 * NS_PER_S) {
		sim_run_for(f.w.sim, NS_PER_MS);
	}
	cr_expect(eq(uint, with_serial(&f, 2), 19));
	cr_expect(lt(u64, world_now_ns(&f.w) - from, 4 * CONN_LOOK_MS * NS_PER_MS));
	farm_fini(&f);
}

/* Other shards have all the connections there may be, for ever. */
TEST(sync, a_request_that_no_connection_takes_has_a_deadline)
{
	struct primary *p;
	struct farm f;

	farm_init(&f, 3, 1);
	world_start(&f.w);
	world_run_s(&f.w, 20);
	p = primary_at(&f, 0);
	for (unsigned i = 0; i < POLICY_CONNECTIONS; i++) {
		cr_assert(quota_conn_take(p->quota, POLICY_CONNECTIONS));
	}
	f.w.primaries[0]->script.serial = 2;
	tell(&f, f.w.zone, 2);
	world_run_s(&f.w, PULL_WAIT_S + 2);
	cr_expect(eq(int, f.w.last_error, ERR_BUSY));
	cr_expect(not(primary_down(p)), "it is no fault of the primary's");
	for (unsigned i = 0; i < POLICY_CONNECTIONS; i++) {
		quota_conn_give(p->quota);
	}
	world_run_until(&f.w, 2, 200);
	farm_fini(&f);
}

TEST(sync, keeps_to_queries_per_second)
{
	struct farm f;
	unsigned before;

	farm_init(&f, 4, 1);
	f.w.policy->primaries[0].pace.queries_per_s = 20;
	world_start(&f.w);
	farm_add(&f, 200);
	world_run_s(&f.w, 1);
	for (unsigned s = 0; s < 5; s++) {
		before = asked(&f, SCRIPT_ALL);
		world_run_s(&f.w, 1);
		cr_expect(le(uint, asked(&f, SCRIPT_ALL) - before, 22), "second %u", s);
		cr_expect(ge(uint, asked(&f, SCRIPT_ALL) - before, 18), "second %u", s);
	}
	farm_fini(&f);
}

TEST(sync, a_dead_primary_does_not_slow_the_next_one_down)
{
	struct farm f;

	farm_init(&f, 5, 2);
	f.w.policy->primaries[0].pace.queries_per_s = 10;
	script_node_down(f.w.primaries[0]);
	world_start(&f.w);
	farm_add(&f, ZONES);
	world_run_s(&f.w, 3);
	cr_expect(eq(uint, with_serial(&f, 1), ZONES));
	farm_fini(&f);
}

TEST(sync, keeps_to_transfers_and_connections)
{
	struct transfer_counts counts;
	struct primary *p;
	struct farm f;

	farm_init(&f, 6, 1);
	f.w.policy->primaries[0].pace = (struct policy_pace){ .connections = 2, .transfers = 5 };
	world_start(&f.w);
	world_run_s(&f.w, 1);
	p = primary_at(&f, 0);
	script_fail(&f.w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_ALL, UINT_MAX);
	farm_add(&f, ZONES);
	for (unsigned i = 0; i < 200; i++) {
		sim_run_for(f.w.sim, 20 * NS_PER_MS);
		transfer_counts(f.w.transfer, &counts);
		cr_assert(le(u64, counts.sessions, 5));
		cr_assert(le(uint, p->conn_count, 2));
		cr_assert(le(u32, quota_conns(p->quota), 2));
	}
	cr_expect(ge(u64, counts.sessions, 4), "one is kept for NOTIFY");
	farm_fini(&f);
}

TEST(sync, zones_that_are_parked_follow_a_changed_source)
{
	struct zone_policy *policy;
	struct farm f;

	farm_init(&f, 7, 1);
	script_node_down(f.w.primaries[0]);
	world_start(&f.w);
	farm_add(&f, 50);
	world_run_s(&f.w, 60);
	policy = zone_policy_new();
	policy->primary_count = 1;
	policy->primaries = mem_zero(1, sizeof(*policy->primaries));
	policy->primaries[0] = f.w.policy->primaries[0];
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &policy->primaries[0].source), ERR_OK));
	for (unsigned i = 0; i < f.count; i++) {
		transfer_zone_change(f.w.transfer, f.zones[i], policy);
	}
	world_run_s(&f.w, 1);
	script_node_up(f.w.primaries[0]);
	world_run_s(&f.w, 60);
	cr_expect(eq(uint, with_serial(&f, 1), 50), "within a minute of its coming back");
	zone_policy_unref(policy);
	farm_fini(&f);
}

TEST(sync, a_primary_that_only_closes_is_down_and_nothing_is_learned_of_it)
{
	static const unsigned octets[] = { 0, 1, 40 };

	for (size_t i = 0; i < ARRAY_LEN(octets); i++) {
		unsigned conns;
		struct farm f;

		farm_init(&f, 10 + i, 1);
		f.w.primaries[0]->script.fault_arg = octets[i];
		script_fail(&f.w.primaries[0]->script, SCRIPT_CLOSE, SCRIPT_ALL, UINT_MAX);
		world_start(&f.w);
		farm_add(&f, ZONES);
		world_run_s(&f.w, 5);
		conns = f.w.primaries[0]->connections;
		cr_expect(primary_down(primary_at(&f, 0)), "%u octets", octets[i]);
		world_run_s(&f.w, 100);
		cr_expect(le(uint, f.w.primaries[0]->connections - conns, 30), "%u in 100 s",
		          f.w.primaries[0]->connections - conns);
		script_fail(&f.w.primaries[0]->script, SCRIPT_FINE, 0, 0);
		world_run_s(&f.w, 40);
		cr_expect(eq(uint, with_serial(&f, 1), ZONES), "%u octets", octets[i]);
		cr_expect(eq(int, primary_at(&f, 0)->ability, ABILITY_PIPELINE), "%u octets",
		          octets[i]);
		farm_fini(&f);
	}
}

/* A cut network says nothing about what a primary can do. */
TEST(sync, an_outage_teaches_nothing)
{
	struct addr here;
	struct farm f;

	farm_init(&f, 20, 1);
	world_start(&f.w);
	farm_add(&f, ZONES);
	world_run_s(&f.w, 20);
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &here), ERR_OK));
	f.w.primaries[0]->script.serial = 2;
	tell_all(&f, 2);
	sim_run_for(f.w.sim, 1500 * 1000);
	sim_cut(f.w.sim, &here, &f.w.primaries[0]->at, true);
	world_run_s(&f.w, 9);
	sim_cut(f.w.sim, &here, &f.w.primaries[0]->at, false);
	world_run_s(&f.w, 120);
	cr_expect(eq(uint, with_serial(&f, 2), ZONES));
	cr_expect(eq(int, primary_at(&f, 0)->ability, ABILITY_PIPELINE));
	farm_fini(&f);
}

/* One request tells whether there is news and what, once it is known that the primary says so. */
TEST(sync, a_sweep_over_connections_asks_no_soa)
{
	struct farm f;
	unsigned soa;

	farm_init(&f, 21, 1);
	world_start(&f.w);
	farm_add(&f, ZONES);
	world_run_s(&f.w, 20);
	for (unsigned i = 0; i < f.count; i++) {
		transfer_zone_refresh(f.w.transfer, f.zones[i]); /* by IXFR: no news */
	}
	world_run_s(&f.w, 850);
	cr_expect(primary_at(&f, 0)->tells_by_ixfr);
	soa = asked(&f, SCRIPT_SOA);
	f.w.primaries[0]->script.serial = 2;
	world_run_s(&f.w, 170);
	cr_expect(eq(uint, with_serial(&f, 2), ZONES));
	cr_expect(lt(uint, asked(&f, SCRIPT_SOA) - soa, ZONES / 10),
	          "only while no connection was open");
	farm_fini(&f);
}

TEST(sync, what_has_no_answer_or_is_refused_halves_the_window)
{
	struct primary *p;
	struct farm f;
	uint32_t size;

	farm_init(&f, 22, 1);
	world_start(&f.w);
	farm_add(&f, 200);
	world_run_s(&f.w, 10);
	p = primary_at(&f, 0);
	size = p->windows[JOB_PULL].size;
	cr_assert(gt(u32, size, WINDOW_FIRST));
	f.w.primaries[0]->script.fault_arg = RCODE_REFUSED;
	script_fail(&f.w.primaries[0]->script, SCRIPT_RCODE, SCRIPT_ALL, UINT_MAX);
	farm_add(&f, 100);
	world_run_s(&f.w, 5);
	cr_expect(le(u32, p->windows[JOB_PULL].size, size / 2), "refused");
	size = p->windows[JOB_PULL].size;
	script_fail(&f.w.primaries[0]->script, SCRIPT_SILENT, SCRIPT_ALL, UINT_MAX);
	farm_add(&f, 50);
	world_run_s(&f.w, 60);
	cr_expect(lt(u32, p->windows[JOB_PULL].size, size), "silent");
	farm_fini(&f);
}
