/* SPDX-License-Identifier: MIT
 *
 * transfer/primary_report.c — what is told of primaries. */
#include "transfer/primary_p.h"
#include "transfer/transfer_p.h"

#define STEPS_MAX 16384U /* along what waits, in one go */

static_assert((unsigned)TRANSFER_LANES == (unsigned)LANES &&
                      (unsigned)TRANSFER_LANE_NOTIFY == (unsigned)LANE_NOTIFY &&
                      (unsigned)TRANSFER_LANE_EXPIRING == (unsigned)LANE_EXPIRING &&
                      (unsigned)TRANSFER_LANE_DUE == (unsigned)LANE_DUE &&
                      (unsigned)TRANSFER_LANE_FIRST == (unsigned)LANE_FIRST,
              "the same lanes");
static_assert((unsigned)TRANSFER_SERIAL == (unsigned)ABILITY_SERIAL &&
                      (unsigned)TRANSFER_SINGLE == (unsigned)ABILITY_SINGLE,
              "the same abilities");

/* Counts what waits in each lane. The sum is known, so it is enough to walk along all lanes at once
 * until only one goes on: that one has the rest. A million zones in one lane cost nothing so. */
static void count_waiting(const struct primary *p, uint32_t *steps,
                          struct transfer_primary_report *out)
{
	const struct link *heads = p->waiting[JOB_PULL];
	const struct link *at[LANES];
	uint32_t left = p->waiting_count[JOB_PULL];
	enum lane last = LANE_FIRST;
	unsigned going = LANES;

	for (enum lane lane = 0; lane < LANES; lane++) {
		at[lane] = heads[lane].next;
	}
	while (left > 0) {
		going = 0;
		for (enum lane lane = 0; lane < LANES; lane++) {
			going += at[lane] != &heads[lane];
			last = at[lane] != &heads[lane] ? lane : last;
		}
		if (going < 2 || *steps < going) {
			break;
		}
		for (enum lane lane = 0; lane < LANES; lane++) {
			if (at[lane] != &heads[lane]) {
				at[lane] = at[lane]->next;
				out->waiting[lane]++;
				left--;
				--*steps;
			}
		}
	}
	out->waiting_rough = left > 0 && going > 1;
	out->waiting[last] += left;
}

/* Whoever holds the primary waits for a slot, has one, or is parked. */
static uint32_t parked(const struct primary *p)
{
	uint32_t others = 0;

	for (unsigned job = 0; job < JOBS; job++) {
		others += p->waiting_count[job] + p->slots[job].running;
	}
	assert(p->users >= others);
	return p->users - others;
}

static void report_health(const struct primary *p, struct transfer_primary_report *out)
{
	uint64_t now = io_now_ns(p->all->io);
	uint64_t try_at = p->probe_timer.at_ns;

	out->next_try_ns = UINT64_MAX;
	if (p->failed_ns != 0) {
		out->last_error = p->last_error;
		out->failed_ns = now - p->failed_ns;
	}
	if (!primary_down(p)) {
		return;
	}
	out->down = true;
	out->trying = p->health == PRIMARY_PROBED;
	out->down_ns = now - p->down_since_ns;
	if (!out->trying && !link_alone(&p->parked) && io_timer_is_set(&p->probe_timer)) {
		out->next_try_ns = try_at > now ? try_at - now : 0;
	}
}

static void report(const struct primary *p, uint32_t *steps, struct transfer_primary_report *out)
{
	uint64_t now = io_now_ns(p->all->io);
	bool borne = p->conn_bears != 0 && now - p->bears_ns < PRIMARY_BEARS_S * NS_PER_S;

	*out = (struct transfer_primary_report){
		.addr = p->addr,
		.connections = p->conn_count,
		.connections_borne = borne ? p->conn_bears : 0,
		.parked = parked(p),
		.asks_running = p->slots[JOB_ASK].running,
		.asks_waiting = p->waiting_count[JOB_ASK],
		.window = p->windows[JOB_PULL].size,
		.asks_window = p->windows[JOB_ASK].size,
		.ability = (enum transfer_ability)p->ability,
		.deaf = primary_deaf(p),
		.connect_ns = p->latency_ns,
		.answer_ns = p->windows[JOB_PULL].smooth_ns,
		.rest_ns = window_rest_ns(&p->windows[JOB_PULL]),
		.ask_ns = p->windows[JOB_ASK].smooth_ns,
		.pace = p->pace,
	};
	for (enum lane lane = 0; lane < LANES; lane++) {
		out->running[lane] = p->slots[JOB_PULL].in_lane[lane];
	}
	count_waiting(p, steps, out);
	report_health(p, out);
}

bool transfer_primaries(struct transfer *t, uint32_t *place,
                        void (*visit)(void *self, const struct transfer_primary_report *report),
                        void *self)
{
	uint32_t steps = STEPS_MAX;
	uint32_t count = 0;

	while (*place < PRIMARY_BUCKETS && count < TRANSFER_PRIMARIES_PAGE) {
		const struct primary *p = t->primaries.buckets[(*place)++];

		for (; p != NULL; p = p->chain) {
			struct transfer_primary_report out;

			report(p, &steps, &out);
			visit(self, &out);
			count++;
		}
	}
	return *place < PRIMARY_BUCKETS;
}
