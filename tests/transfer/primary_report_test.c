/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/primary_report_test.c — what is told of primaries that are down, or busy. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/transfer/world.h"
#include "transfer/transfer_p.h"

#define ZONES 200

static void add_zones(struct world *w, unsigned count)
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
		world_add(w, name);
	}
}

struct wanted {
	struct addr addr;
	unsigned found;
	struct transfer_primary_report report;
};

static void look(void *self, const struct transfer_primary_report *report)
{
	struct wanted *want = self;

	if (addr_equal(&report->addr, &want->addr)) {
		want->found++;
		want->report = *report;
	}
}

static struct transfer_primary_report report_of(struct world *w, unsigned index)
{
	struct wanted want = { .addr = w->primaries[index]->at };
	uint32_t place = 0;

	while (transfer_primaries(w->transfer, &place, look, &want)) {
	}
	cr_assert(eq(uint, want.found, 1));
	return want.report;
}

TEST(primary_report, tells_of_one_that_is_down_since_when_and_why)
{
	struct transfer_primary_report r;
	struct world w;

	world_init(&w, 1, 1, false);
	script_node_down(w.primaries[0]);
	add_zones(&w, ZONES);
	world_run_s(&w, 100);
	r = report_of(&w, 0);
	cr_expect(r.down);
	cr_expect(eq(u32, r.parked, ZONES));
	cr_expect(eq(int, r.last_error, ERR_PEER_REFUSED));
	cr_expect(ge(u64, r.down_ns, 99 * NS_PER_S));
	cr_expect(le(u64, r.down_ns, 100 * NS_PER_S), "not since the last try");
	cr_expect(le(u64, r.failed_ns, 21 * NS_PER_S));
	cr_expect(not(r.trying));
	cr_expect(le(u64, r.next_try_ns, 20 * NS_PER_S));
	cr_expect(eq(u32, r.connections, 0));
	cr_expect(eq(u64, r.answer_ns, 0));
	script_node_up(w.primaries[0]);
	world_run_s(&w, 30);
	r = report_of(&w, 0);
	cr_expect(not(r.down));
	cr_expect(eq(u32, r.parked, 0));
	cr_expect(eq(int, r.last_error, ERR_PEER_REFUSED), "the last is still known");
	cr_expect(ge(u64, r.failed_ns, 10 * NS_PER_S));
	cr_expect(eq(u64, r.next_try_ns, UINT64_MAX));
	cr_expect(gt(u64, r.answer_ns, 0));
	cr_expect(gt(u64, r.rest_ns, 0));
	world_fini(&w);
}

TEST(primary_report, tells_when_nobody_is_about_to_try)
{
	struct transfer_primary_report r;
	struct world w;

	world_init(&w, 2, 2, false);
	script_node_down(w.primaries[0]);
	add_zones(&w, ZONES);
	world_run_s(&w, 5);
	r = report_of(&w, 0);
	cr_expect(r.down);
	cr_expect(eq(u32, r.parked, 0), "the other one has them");
	cr_expect(eq(u64, r.next_try_ns, UINT64_MAX));
	r = report_of(&w, 1);
	cr_expect(not(r.down));
	cr_expect(eq(int, r.last_error, ERR_OK));
	world_fini(&w);
}

TEST(primary_report, tells_who_is_being_tried)
{
	struct sim_link slow = sim_link_calm;
	struct transfer_primary_report r;
	struct world w;
	unsigned tries = 0;

	world_init(&w, 3, 1, false);
	slow.delay_min_ns = slow.delay_max_ns = 50 * NS_PER_MS;
	sim_link_default(w.sim, &slow);
	script_node_down(w.primaries[0]);
	add_zones(&w, 3);
	world_run_s(&w, 1);
	for (unsigned i = 0; i < 3000 && tries == 0; i++) {
		sim_run_for(w.sim, 10 * NS_PER_MS);
		r = report_of(&w, 0);
		cr_assert(r.down);
		cr_assert(eq(u32, r.parked + r.running[TRANSFER_LANE_FIRST], 3));
		cr_assert(r.next_try_ns == UINT64_MAX || r.trying == false);
		tries += r.trying;
	}
	cr_expect(gt(uint, tries, 0));
	world_fini(&w);
}

TEST(primary_report, tells_of_one_that_is_busy)
{
	struct sim_link slow = sim_link_calm;
	struct transfer_primary_report r;
	struct world w;

	world_init(&w, 4, 1, true);
	w.policy->primaries[0].pace =
		(struct policy_pace){ .connections = 3, .queries_per_s = 1000000 };
	w.primaries[0]->deaf_to_udp = true;
	world_start(&w);
	world_run_until(&w, 1, 1);
	world_run_s(&w, 20);
	slow.delay_min_ns = slow.delay_max_ns = 50 * NS_PER_MS;
	sim_link_default(w.sim, &slow);
	add_zones(&w, ZONES);
	sim_run_for(w.sim, 20 * NS_PER_MS);
	transfer_zone_refresh(w.transfer, w.zone);
	r = report_of(&w, 0);
	cr_expect(not(r.down));
	cr_expect(ge(u32, r.window, 8));
	cr_expect(gt(u32, r.running[TRANSFER_LANE_FIRST], 0));
	cr_expect(eq(u32, r.running[TRANSFER_LANE_FIRST] + r.waiting[TRANSFER_LANE_FIRST], ZONES));
	cr_expect(eq(u32, r.waiting[TRANSFER_LANE_OPERATOR], 1));
	cr_expect(eq(u32, r.waiting[TRANSFER_LANE_DUE], 0));
	cr_expect(not(r.waiting_rough));
	cr_expect(eq(u32, r.parked, 0));
	cr_expect(ge(u32, r.connections, 1));
	cr_expect(le(u32, r.connections, 3));
	cr_expect(eq(u32, r.connections_borne, 0));
	cr_expect(eq(int, r.ability, TRANSFER_PIPELINED));
	cr_expect(eq(u32, r.pace.connections, 3));
	cr_expect(eq(u32, r.pace.transfers, POLICY_TRANSFERS));
	cr_expect(eq(u32, r.pace.queries_per_s, 1000000));
	cr_expect(gt(u64, r.connect_ns, 0));
	world_run_s(&w, 10);
	r = report_of(&w, 0);
	for (unsigned i = 0; i < TRANSFER_LANES; i++) {
		cr_expect(eq(u32, r.running[i] + r.waiting[i], 0), "lane %u", i);
	}
	world_fini(&w);
}

TEST(primary_report, tells_what_a_primary_cannot)
{
	struct transfer_primary_report r;
	struct world w;

	world_init(&w, 5, 1, false);
	w.primaries[0]->closes = true;
	w.primaries[0]->deaf_to_udp = true;
	w.primaries[0]->conns_max = 2;
	w.primaries[0]->script.refresh_s = 60;
	add_zones(&w, ZONES);
	world_run_s(&w, 100);
	r = report_of(&w, 0);
	cr_expect(eq(int, r.ability, TRANSFER_SINGLE));
	cr_expect(r.deaf);
	cr_expect(le(u32, r.connections_borne, 2));
	world_fini(&w);
}

/* ---- counting ---- */

struct sum {
	unsigned count;
	struct transfer_primary_report last;
};

static void add(void *self, const struct transfer_primary_report *report)
{
	struct sum *sum = self;

	sum->count++;
	sum->last = *report;
}

static void enqueue(struct primary *p, enum lane lane, struct link *links, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		link_init(&links[i]);
		primary_enqueue(p, JOB_PULL, lane, &links[i]);
		p->users++;
	}
}

static void dequeue(struct primary *p, struct link *links, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		primary_dequeue(p, JOB_PULL, &links[i]);
		primary_put(p);
	}
}

TEST(primary_report, counts_what_waits_in_lanes_of_any_length)
{
	static const struct {
		unsigned counts[LANES];
		bool rough;
	} cases[] = {
		{ { 0, 0, 0, 0, 0 }, false },         { { 0, 0, 0, 0, 1 }, false },
		{ { 1, 2, 3, 4, 5 }, false },         { { 0, 3, 0, 0, 200000 }, false },
		{ { 200000, 3, 0, 5000, 9 }, false }, { { 0, 0, 0, 90000, 110000 }, true },
	};
	struct link *links = mem_new(220000 * sizeof(*links));

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy_primary like = { .addr = { .family = 4, .port = 53 } };
		struct sum sum = { 0 };
		struct world w;
		struct primary *p;
		uint32_t place = 0, at = 0, total = 0;

		world_init(&w, 6, 1, false);
		p = primary_get(&w.transfer->primaries, &like);
		for (unsigned lane = 0; lane < LANES; lane++) {
			enqueue(p, lane, links + at, cases[i].counts[lane]);
			at += cases[i].counts[lane];
		}
		primary_put(p);
		while (transfer_primaries(w.transfer, &place, add, &sum)) {
		}
		cr_assert(eq(uint, sum.count, 1));
		cr_expect(eq(int, sum.last.waiting_rough, cases[i].rough), "case %zu", i);
		for (unsigned lane = 0; lane < LANES; lane++) {
			total += sum.last.waiting[lane];
			cr_expect(cases[i].rough || sum.last.waiting[lane] == cases[i].counts[lane],
			          "case %zu, lane %u: %u", i, lane, sum.last.waiting[lane]);
		}
		cr_expect(eq(u32, total, at));
		cr_expect(eq(u32, sum.last.parked, 0));
		dequeue(p, links, at);
		world_fini(&w);
	}
	free(links);
}

TEST(primary_report, visits_thousands_page_by_page)
{
	struct sum sum = { 0 };
	struct world w;
	unsigned pages = 1;
	uint32_t place = 0;

	world_init(&w, 7, 1, false);
	for (unsigned i = 0; i < 5000; i++) {
		struct policy_primary like = {
			.addr = { .family = 4, .port = (uint16_t)(i + 1), .ip = { 10 } }
		};

		primary_put(primary_get(&w.transfer->primaries, &like));
	}
	for (unsigned before = 0; transfer_primaries(w.transfer, &place, add, &sum); pages++) {
		cr_expect(le(uint, sum.count - before, TRANSFER_PRIMARIES_PAGE + 50));
		before = sum.count;
	}
	cr_expect(eq(uint, sum.count, 5000));
	cr_expect(gt(uint, pages, 10));
	world_fini(&w);
}
