/* SPDX-License-Identifier: MIT
 *
 * tests/sim/storm.c — what befalls the world: changes of zones, faults, and operators. */
#include <inttypes.h>

#include "tests/sim/run.h"

#define ACTS_MIN  150
#define ACTS_MORE 450
#define PPM       1000000U

static uint64_t now_ns(const struct run *r)
{
	return env_mono_ns(sim_env(r->sim));
}

static unsigned dice_zone(struct run *r)
{
	return run_dice(r, r->truth.zone_count);
}

static struct primary_peer *dice_primary(struct run *r)
{
	return r->primaries[run_dice(r, r->primary_count)];
}

/* ---- zones change at their primaries ---- */

/* A zone whose primaries are lower may be fetched whole without anybody's word only if it must not. */
static void announce(struct run *r, const struct primary_peer *p, unsigned zone)
{
	const struct truth_zone *z = &r->truth.zones[zone];
	uint32_t serial = z->versions[p->held[zone]].serial;
	uint32_t kind = run_dice(r, 10);

	if (kind < 2) {
		return; /* it does not */
	}
	run_notify(r, p->index, zone, kind < 5 ? NULL : &serial);
	if (kind == 9) {
		run_notify(r, p->index, zone, NULL);
	}
}

static void zone_changes(struct run *r, unsigned zone, enum truth_step step)
{
	struct truth_zone *z = &r->truth.zones[zone];
	int other = TRUTH_NONE;

	r->heads[zone] = truth_make(&r->truth, zone, r->heads[zone], step);
	if (z->diverges && run_dice(r, 3) == 0) {
		other = truth_make(&r->truth, zone, r->heads[zone], TRUTH_BESIDE);
	}
	judge_note(&r->judge, "%s changes to serial %u%s", z->text,
	           z->versions[r->heads[zone]].serial, other == TRUTH_NONE ? "" : ", twofold");
	for (unsigned i = 0; i < r->primary_count; i++) {
		if (run_dice(r, 10) < 7) {
			primary_peer_hold(r->primaries[i], zone,
			                  other != TRUTH_NONE && i % 2 == 1 ? other
			                                                    : r->heads[zone]);
			announce(r, r->primaries[i], zone);
		}
	}
}

/* Primaries catch up with what they had missed. */
static void primary_syncs(struct run *r)
{
	struct primary_peer *p = dice_primary(r);

	judge_note(&r->judge, "p%u catches up", p->index);
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		if (p->held[z] != r->heads[z]) {
			primary_peer_hold(p, z, r->heads[z]);
			announce(r, p, z);
		}
	}
}

static void primary_goes_back(struct run *r)
{
	struct primary_peer *p = dice_primary(r);
	unsigned zone = dice_zone(r);
	const struct truth_zone *z = &r->truth.zones[zone];
	int parent = p->held[zone] == TRUTH_NONE ? TRUTH_NONE : z->versions[p->held[zone]].parent;

	if (parent != TRUTH_NONE) {
		judge_note(&r->judge, "p%u goes back to serial %u of %s", p->index,
		           z->versions[parent].serial, z->text);
		primary_peer_hold(p, zone, parent);
		announce(r, p, zone);
	}
}

static void primary_loses_zone(struct run *r)
{
	struct primary_peer *p = dice_primary(r);
	unsigned zone = dice_zone(r);

	judge_note(&r->judge, "p%u does not serve %s any more", p->index,
	           r->truth.zones[zone].text);
	p->held[zone] = TRUTH_NONE;
}

/* Of old news, or of none, or by somebody else. */
static void stray_notify(struct run *r)
{
	struct primary_peer *p = dice_primary(r);
	unsigned zone = dice_zone(r);
	const struct truth_zone *z = &r->truth.zones[zone];
	uint32_t serial = z->versions[run_dice(r, (uint32_t)z->count)].serial;

	run_notify(r, p->index, zone, run_dice(r, 2) == 0 ? NULL : &serial);
}

static void changes(struct run *r)
{
	switch (run_dice(r, 20)) {
	case 0:
		zone_changes(r, dice_zone(r), TRUTH_LOWER);
		break;
	case 1:
		primary_goes_back(r);
		break;
	case 2:
		primary_loses_zone(r);
		break;
	case 3:
	case 4:
		primary_syncs(r);
		break;
	case 5:
	case 6:
		stray_notify(r);
		break;
	default:
		zone_changes(r, dice_zone(r), TRUTH_NEXT);
		break;
	}
}

/* ---- faults ---- */

static void link_changes(struct run *r)
{
	static const struct sim_link lossy = { .delay_min_ns = 5 * NS_PER_MS,
		                               .delay_max_ns = 400 * NS_PER_MS,
		                               .loss_ppm = 250000,
		                               .duplicate_ppm = 100000,
		                               .piece_max_len = 600,
		                               .window_len = 4000 };
	static const struct sim_link narrow = { .delay_min_ns = 20 * NS_PER_MS,
		                                .delay_max_ns = 40 * NS_PER_MS,
		                                .piece_max_len = 1200,
		                                .window_len = 3000,
		                                .rate_bytes_s = 10000 };
	static const struct sim_link breaking = { .delay_min_ns = 1 * NS_PER_MS,
		                                  .delay_max_ns = 3 * NS_PER_MS,
		                                  .reset_ppm = 100000,
		                                  .piece_max_len = 1400,
		                                  .window_len = 65535 };
	const struct sim_link *links[] = { &sim_link_calm, &sim_link_calm, &sim_link_rough,
		                           &lossy,         &narrow,        &breaking };
	uint32_t kind = run_dice(r, ARRAY_LEN(links));
	struct primary_peer *p = dice_primary(r);

	judge_note(&r->judge, "link to p%u: kind %u", p->index, kind);
	sim_link_set(r->sim, &p->at, &r->node.at, links[kind]);
	if (run_dice(r, 4) == 0) {
		judge_note(&r->judge, "link to p%u is cut", p->index);
		sim_cut(r->sim, &p->at, &r->node.at, true);
	}
}

static void primary_changes(struct run *r)
{
	struct primary_peer *p = dice_primary(r);

	if (!p->up) {
		judge_note(&r->judge, "p%u comes back", p->index);
		primary_peer_up(p);
	} else if (run_dice(r, 3) == 0) {
		judge_note(&r->judge, "p%u dies", p->index);
		primary_peer_down(p);
	} else {
		p->fault_ppm = run_dice(r, 3) == 0 ? 0 : run_dice(r, r->storm.faults_ppm_max);
		judge_note(&r->judge, "p%u: %u of a million answers fail", p->index, p->fault_ppm);
	}
}

static void disk_changes(struct run *r)
{
	static const enum err errors[] = { ERR_DISK_FULL, ERR_DISK, ERR_DISK_READONLY };
	struct secondary *s = &r->node;
	enum err e = errors[run_dice(r, ARRAY_LEN(errors))];
	uint32_t nth = 1 + run_dice(r, 30);

	switch (run_dice(r, 6)) {
	case 0:
		judge_note(&r->judge, "the disk fails after %u writes", nth);
		memory_disk_fail(s->disk, nth, e);
		break;
	case 1:
		judge_note(&r->judge, "the disk fails once, after %u writes", nth);
		memory_disk_fail_once(s->disk, nth, e);
		break;
	case 2:
		s->write_ms = run_dice(r, 3000);
		s->answer_ms = run_dice(r, 500);
		judge_note(&r->judge, "the disk takes %u and %u ms", s->write_ms, s->answer_ms);
		break;
	case 3:
		s->write_ms = 0;
		s->answer_ms = run_dice(r, 20);
		judge_note(&r->judge, "the disk is fast");
		break;
	default:
		judge_note(&r->judge, "the disk is well");
		memory_disk_heal(s->disk);
		break;
	}
}

static void faults(struct run *r)
{
	switch (run_dice(r, 10)) {
	case 0:
	case 1:
	case 2:
		link_changes(r);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		primary_changes(r);
		break;
	case 7:
	case 8:
		disk_changes(r);
		break;
	default:
		if (run_dice(r, r->storm.ends_one_in) == 0) {
			bool crash = run_dice(r, 4) != 0;

			run_node_down(r, crash, 2 + run_dice(r, run_dice(r, 2) == 0 ? 50 : 20000));
		}
		break;
	}
}

/* ---- operators ---- */

/* New settings may have the zone fetched again whatever the serial, and what is under way may still
 * go by the old ones. */
static void policy_changes(struct run *r, unsigned zone)
{
	struct zone_policy *policy = run_policy(r);

	judge_note(&r->judge, "%s has another policy", r->truth.zones[zone].text);
	judge_allow(&r->judge, zone);
	secondary_change(&r->node, zone, policy);
	zone_policy_unref(policy);
}

static void zone_acts(struct run *r, unsigned zone)
{
	static const char *const names[] = { "rollback", "rollback --same-serial",
		                             "pin",      "release",
		                             "accept",   "reject" };
	struct secondary_zone *z = &r->node.zones[zone];
	enum secondary_act act = (enum secondary_act)run_dice(r, ARRAY_LEN(names));
	struct version_view views[8];
	size_t count = zone_versions(z->zone, views, ARRAY_LEN(views));
	uint32_t serial = 0;

	count = count < ARRAY_LEN(views) ? count : ARRAY_LEN(views);
	for (size_t i = 0; i < count; i++) {
		if (run_dice(r, (uint32_t)i + 1) == 0) {
			serial = snapshot_serial(views[i].snap).n;
		}
		snapshot_unref(views[i].snap);
	}
	if (secondary_act(&r->node, zone, act, serial)) {
		judge_note(&r->judge, "%s %s %u", names[act], r->truth.zones[zone].text, serial);
		if (act == ACT_ROLLBACK_SAME) {
			judge_allow(&r->judge, zone);
		}
		if (run_dice(r, 2) == 0) { /* what comes meets the act on its way to the disk */
			zone_changes(r, zone, TRUTH_NEXT);
		}
	}
}

static void zone_goes(struct run *r, unsigned zone)
{
	bool goes = run_dice(r, 2) == 0;

	judge_note(&r->judge, "%s is %s", r->truth.zones[zone].text, goes ? "removed" : "stopped");
	secondary_zone_stop(&r->node, zone, goes);
}

static void retransfer(struct run *r, unsigned zone)
{
	judge_note(&r->judge, "retransfer %s", r->truth.zones[zone].text);
	if (r->plant != PLANT_BACK) {
		judge_allow(&r->judge, zone);
	}
	transfer_zone_retransfer(r->node.transfer, r->node.zones[zone].zone);
}

static void command(struct run *r, unsigned zone)
{
	switch (run_dice(r, 12)) {
	case 0:
		zone_goes(r, zone);
		break;
	case 1:
	case 2:
		retransfer(r, zone);
		break;
	case 3:
	case 4:
		policy_changes(r, zone);
		break;
	case 5:
	case 6:
	case 7:
		zone_acts(r, zone);
		break;
	case 8:
	case 9:
		judge_hold(&r->judge, run_dice(r, JUDGE_HELD_MAX), zone);
		break;
	default:
		judge_note(&r->judge, "refresh %s", r->truth.zones[zone].text);
		transfer_zone_refresh(r->node.transfer, r->node.zones[zone].zone);
		break;
	}
}

static void operators(struct run *r)
{
	unsigned zone = dice_zone(r);

	switch (r->node.zones[zone].life) {
	case ZONE_RUNNING:
		command(r, zone);
		break;
	case ZONE_STOPPED:
		judge_note(&r->judge, "%s runs again", r->truth.zones[zone].text);
		secondary_zone_go(&r->node, zone);
		break;
	case ZONE_ABSENT:
		run_zone_add(r, zone);
		break;
	case ZONE_STOPPING:
		break;
	}
}

/* ---- the storm ---- */

/* Storms differ: what is rare in one is all there is in another. */
static void storm_init(struct run *r)
{
	static const uint32_t pauses[] = { 60, 400, 1200, 1200, 1200, 3000 };
	static const uint32_t faults[] = { 20000, 300000, 600000, 1000000 };
	struct storm *s = &r->storm;

	*s = (struct storm){ .acts = ACTS_MIN + run_dice(r, ACTS_MORE),
		             .pause_max_ms = pauses[run_dice(r, ARRAY_LEN(pauses))],
		             .faults_ppm_max = faults[run_dice(r, ARRAY_LEN(faults))],
		             .ends_one_in = 1 + run_dice(r, 4),
		             .changes = 1 + run_dice(r, 8),
		             .faults = run_dice(r, 9),
		             .commands = run_dice(r, 6) };
	judge_note(&r->judge,
	           "storm: %u acts, %u ms apart at most; %u changes to %u faults to %u commands",
	           s->acts, s->pause_max_ms, s->changes, s->faults, s->commands);
}

static void storm_act(struct run *r)
{
	const struct storm *s = &r->storm;
	uint32_t kind = run_dice(r, s->changes + s->faults + s->commands);

	if (kind < s->changes || !r->node.up) {
		changes(r);
	} else if (kind < s->changes + s->faults) {
		faults(r);
	} else {
		operators(r);
	}
}

void storm_run(struct run *r)
{
	storm_init(r);
	for (uint32_t i = 0; i < r->storm.acts; i++) {
		sim_run_for(r->sim, (1 + run_dice(r, r->storm.pause_max_ms)) * NS_PER_MS);
		if (!r->node.up && now_ns(r) >= r->restart_ns) {
			run_node_up(r);
		}
		storm_act(r);
	}
}

void storm_end(struct run *r)
{
	judge_note(&r->judge, "the faults stop");
	r->node.write_ms = 0;
	r->node.answer_ms = 2;
	memory_disk_heal(r->node.disk);
	for (unsigned i = 0; i < r->primary_count; i++) {
		struct primary_peer *p = r->primaries[i];

		sim_link_set(r->sim, &p->at, &r->node.at, &sim_link_calm);
		p->fault_ppm = 0;
		while (!p->up) {
			sim_run_for(r->sim, NS_PER_MS);
			primary_peer_up(p);
		}
	}
	if (!r->node.up) {
		sim_run_for(r->sim, 10 * NS_PER_MS);
		run_node_up(r);
	}
}
