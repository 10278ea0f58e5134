/* SPDX-License-Identifier: MIT
 *
 * tests/sim/run.c — one run from one seed. */
#include "tests/sim/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "zonestore/check.h"

uint32_t run_dice(struct run *r, uint32_t below)
{
	return truth_dice(&r->truth, below);
}

static uint64_t now_ns(const struct run *r)
{
	return env_mono_ns(sim_env(r->sim));
}

const char *plant_print(enum plant plant)
{
	static const char *const names[PLANTS] = { "none", "foreign", "early", "back",
		                                   "leak", "stuck",   "heap" };

	assert(plant < PLANTS);
	return names[plant];
}

/* ---- hooks of the node ---- */

/* The last node that was written is lost: what refers to it would not survive. */
static void lose_node(struct memory_disk *disk)
{
	struct memory_record node, last = { 0 };

	for (size_t i = 0; memory_disk_node(disk, i, &node); i++) {
		last = node;
	}
	if (last.at != NULL) {
		memory_disk_lose_node(disk, last.key);
	}
}

static void on_turn(void *self)
{
	struct run *r = self;

	if (r->plant == PLANT_EARLY && r->judge.turns % 512 == 511) {
		lose_node(r->node.disk);
	}
	judge_turn(&r->judge);
}

static void on_publish(void *self, struct publish_event event)
{
	struct run *r = self;
	int zone = truth_zone_of(&r->truth, zone_apex(event.zone));

	judge_published(&r->judge, (unsigned)zone, event.snap);
}

static void on_event(void *self, enum event_kind kind, const struct event_field *fields,
                     size_t count)
{
	struct run *r = self;
	uint8_t octet = (uint8_t)kind;

	(void)fields;
	(void)count;
	if (kind == EVENT_ZONE_PUBLISHED) {
		return; /* emitted only where somebody reads it */
	}
	r->judge.trace = hash_bytes(r->judge.trace, bytes_of(&octet, 1));
}

static void on_line(void *self, const char *line, size_t len)
{
	struct run *r = self;

	if (r->judge.verbose) {
		printf("%12.6f %.*s", (double)now_ns(r) / (double)NS_PER_S, (int)len, line);
	}
}

static void on_notify(void *self, int zone, uint32_t serial)
{
	struct run *r = self;

	judge_told(&r->judge, zone, serial);
}

/* ---- policies ---- */

static void policy_primaries(struct run *r, struct zone_policy *p)
{
	unsigned order[PRIMARIES_MAX];
	unsigned most = r->primary_count < RUN_POLICY_PRIMARIES_MAX ? r->primary_count
	                                                            : RUN_POLICY_PRIMARIES_MAX;

	for (unsigned i = 0; i < r->primary_count; i++) {
		unsigned at = run_dice(r, i + 1);

		order[i] = order[at];
		order[at] = i;
	}
	p->primary_count = 1 + run_dice(r, most);
	p->primaries = mem_zero(p->primary_count, sizeof(*p->primaries));
	for (size_t i = 0; i < p->primary_count; i++) {
		struct tsig_key *key = r->primaries[order[i]]->script.key;

		p->primaries[i].addr = r->primaries[order[i]]->at;
		p->primaries[i].key = key == NULL ? NULL : tsig_key_ref(key);
		p->primaries[i].pace = r->paces[order[i]];
		snprintf(p->primaries[i].name, sizeof(p->primaries[i].name), "p%u", order[i]);
	}
}

struct zone_policy *run_policy(struct run *r)
{
	struct zone_policy *p = zone_policy_new();

	policy_primaries(r, p);
	p->limits.min_refresh_s = 5;
	p->limits.min_retry_s = 3; /* what is announced early is there before the next look */
	p->limits.max_retry_s = RUN_MAX_RETRY_S;
	p->limits.min_expire_s = 60;
	p->limits.idle_time_s = 4 + run_dice(r, 12);
	p->limits.transfer_time_s = 60 + run_dice(r, 200);
	p->guard.follow_lower = run_dice(r, 4) == 0;
	p->guard.shrink_records = run_dice(r, 4) == 0 ? 10 : 1000;
	p->guard.shrink_percent = 50;
	if (run_dice(r, 8) == 0) {
		p->guard.limit = GUARD_HOLD;
		p->guard.records_max = 40 + run_dice(r, 100);
	}
	p->history.count = run_dice(r, 6);
	p->newest = run_dice(r, 3) == 0;
	p->compare_s = run_dice(r, 3) == 0 ? 20 + run_dice(r, 100) : 0;
	if (run_dice(r, 3) == 0) {
		p->notify_count = 1;
		p->notify = mem_zero(1, sizeof(*p->notify));
		p->notify[0].addr = r->primaries[run_dice(r, r->primary_count)]->at;
	}
	return p;
}

struct primary_peer *run_primary_of(struct run *r, const struct zone_policy *policy, size_t place)
{
	return r->primaries[policy->primaries[place].addr.ip[3] - 1];
}

/* ---- the node ---- */

void run_node_down(struct run *r, bool crash, uint32_t down_ms)
{
	struct pool_stats left;

	judge_note(&r->judge, "the node %s for %u ms", crash ? "crashes" : "stops", down_ms);
	judge_ending(&r->judge);
	if (crash) {
		secondary_crash(&r->node, run_dice(r, 3) == 0 ? run_dice(r, 12) : 0, &left);
	} else {
		secondary_stop(&r->node, &left);
	}
	judge_ended(&r->judge, &left);
	r->crashes += crash;
	r->restart_ns = now_ns(r) + down_ms * NS_PER_MS;
}

void run_node_up(struct run *r)
{
	judge_note(&r->judge, "the node begins");
	secondary_start(&r->node);
	judge_started(&r->judge);
}

void run_zone_add(struct run *r, unsigned zone)
{
	struct zone_policy *policy = run_policy(r);

	judge_note(&r->judge, "%s is added", r->truth.zones[zone].text);
	judge_forget(&r->judge, zone);
	secondary_add(&r->node, zone, policy);
	zone_policy_unref(policy);
}

void run_notify(struct run *r, unsigned primary, unsigned zone, const uint32_t *serial)
{
	if (r->primaries[primary]->up) {
		judge_note(&r->judge, "p%u tells of %s: serial %lld", primary,
		           r->truth.zones[zone].text, serial == NULL ? -1LL : (long long)*serial);
		primary_peer_notify(r->primaries[primary], zone, &r->node.at, serial);
	}
}

/* ---- beginning and end ---- */

/* Some primaries are spared: fewer connections, transfers or questions than there may be. */
static struct policy_pace pace_of(struct run *r)
{
	struct policy_pace p = { .transfers = r->sessions };

	if (r->sessions == 0 && run_dice(r, 4) == 0) {
		p.transfers = 1 + run_dice(r, 20);
	}
	if (run_dice(r, 4) == 0) {
		p.connections = 1 + run_dice(r, 4);
	}
	if (run_dice(r, 6) == 0) {
		p.queries_per_s = 10 + run_dice(r, 100);
	}
	return p;
}

static void primaries_begin(struct run *r)
{
	char text[300];

	r->key = script_key("k", "a secret of the simulator");
	r->primary_count = 1 + run_dice(r, PRIMARIES_MAX);
	for (unsigned i = 0; i < r->primary_count; i++) {
		struct primary_peer *p =
			primary_peer_new(r->sim, &r->truth, i, run_dice(r, 3) == 0 ? NULL : r->key);

		p->on_notify = on_notify;
		p->on_notify_self = r;
		r->primaries[i] = p;
		r->paces[i] = pace_of(r);
		r->judge.primaries[i].addr = p->at;
		r->judge.primaries[i].conns_max =
			r->paces[i].connections != 0 ? r->paces[i].connections : POLICY_CONNECTIONS;
		r->judge.primary_count = r->primary_count;
		primary_peer_print(p, text, sizeof(text));
		judge_note(&r->judge, "p%u: %s; allowed: %u connections, %u transfers, %u a second",
		           i, text, r->paces[i].connections, r->paces[i].transfers,
		           r->paces[i].queries_per_s);
		for (unsigned z = 0; z < r->truth.zone_count; z++) {
			primary_peer_hold(p, z, 0);
		}
	}
}

static void begin(struct run *r, const struct run_options *options)
{
	struct secondary_options node = { .truth = &r->truth };
	uint64_t seed = options->seed;

	judge_init(&r->judge, seed);
	r->plant = options->plant;
	r->sim = sim_new(seed);
	truth_init(&r->truth, seed + 1, 10 + (unsigned)(seed * 7 % (TRUTH_ZONES_MAX - 9)));
	r->judge.sim = r->sim;
	r->judge.truth = &r->truth;
	r->judge.node = &r->node;
	r->judge.verbose = options->verbose;
	primaries_begin(r);
	node.sim = r->sim;
	node.key = r->key;
	node.hooks = (struct secondary_hooks){ r, on_turn, on_publish, on_event, on_line };
	node.level = options->verbose ? LEVEL_DEBUG : LEVEL_ERROR;
	secondary_init(&r->node, &node);
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		run_zone_add(r, z);
	}
	run_node_up(r);
	r->primaries[0]->foreign = r->plant == PLANT_FOREIGN;
}

struct told {
	char first[CHECK_LINE_MAX];
};

static bool tell(void *self, const char *line)
{
	struct told *told = self;

	if (line != NULL && told->first[0] == '\0') {
		snprintf(told->first, sizeof(told->first), "%s", line);
	}
	return true;
}

static void check_disk(struct run *r)
{
	struct told told = { "" };
	struct check_sink sink = { .tell = tell, .self = &told, .env = sim_env(r->sim) };
	struct journal *j = journal_memory_new(r->node.disk);

	if (check_journal(j, &sink) != ERR_OK) {
		judge_fail(&r->judge, -1, "the journal is damaged: %s", told.first);
	}
	j->ops->free(j);
}

static void no_sockets(struct run *r)
{
	size_t open;

	sim_run_for(r->sim, NS_PER_S); /* what is in flight ends */
	open = sim_sockets(r->node.io);
	if (open > 0) {
		judge_fail(&r->judge, -1, "%zu sockets outlive the engine", open);
	}
}

static void leak(struct run *r)
{
	for (unsigned z = 0; z < r->truth.zone_count && r->plant == PLANT_LEAK; z++) {
		const struct snapshot *snap = zone_borrow(r->node.zones[z].zone);

		if (snap != NULL) {
			snapshot_ref(snap);
			return;
		}
	}
}

static void end(struct run *r)
{
	leak(r);
	run_node_down(r, false, 0);
	no_sockets(r);
	run_node_up(r); /* all that was served is there */
	run_node_down(r, true, 0);
	no_sockets(r);
	check_disk(r);
	for (unsigned i = 0; i < r->primary_count; i++) {
		primary_peer_down(r->primaries[i]);
	}
	sim_run_for(r->sim, NS_PER_S);
	r->judge.trace ^= sim_trace(r->sim);
	sim_free(r->sim);
	secondary_fini(&r->node);
	for (unsigned i = 0; i < r->primary_count; i++) {
		primary_peer_free(r->primaries[i]);
	}
	tsig_key_unref(r->key);
	truth_fini(&r->truth);
}

static void result(const struct run *r, struct run_result *out)
{
	*out = (struct run_result){ .zones = r->truth.zone_count,
		                    .primaries = r->primary_count,
		                    .turns = r->judge.turns,
		                    .visible = r->judge.visible,
		                    .audits = r->judge.audits,
		                    .crashes = r->crashes,
		                    .calm_s = r->calm_s,
		                    .virtual_s = (double)now_ns(r) / (double)NS_PER_S };
	for (unsigned i = 0; i < r->primary_count; i++) {
		out->answers += r->primaries[i]->answers;
		out->faults += r->primaries[i]->faults;
	}
}

void run_again(const struct run_options *options, char *out, size_t cap)
{
	char sessions[32] = "";

	if (options->sessions != 0) {
		snprintf(sessions, sizeof(sessions), " --sessions %u", options->sessions);
	}
	snprintf(out, cap, "%s%s%s", sessions, options->plant == PLANT_NONE ? "" : " --plant ",
	         options->plant == PLANT_NONE ? "" : plant_print(options->plant));
}

void run_seed(const struct run_options *options, struct run_result *out)
{
	struct run *r = mem_zero(1, sizeof(*r));
	char again[64];

	begin(r, options);
	run_again(options, again, sizeof(again));
	r->judge.again = again;
	storm_run(r);
	calm_run(r);
	result(r, out);
	end(r);
	out->trace = r->judge.trace;
	if (options->plant == PLANT_HEAP) {
		(void)!mem_new(100);
	}
	free(r);
}
