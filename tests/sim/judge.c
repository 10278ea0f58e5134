/* SPDX-License-Identifier: MIT
 *
 * tests/sim/judge.c — what must always be so. */
#include "tests/sim/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hash.h"

#define TURNS_MAX      3000000 /* of a run */
#define TURNS_NOW_MAX  100000  /* while the clock stands */
#define SWEEP_EVERY    16      /* turns: what costs more */
#define AUDIT_ONE_IN   24      /* versions that became visible */
#define EXPIRE_SLACK_S 2

void judge_init(struct judge *j, uint64_t seed)
{
	*j = (struct judge){ .seed = seed, .again = "" };
	env_fake_init(&j->dice, seed ^ 0x6a756467);
}

static double seconds(const struct judge *j)
{
	return (double)env_mono_ns(sim_env(j->sim)) / (double)NS_PER_S;
}

static const char *zone_text(const struct judge *j, int zone)
{
	return zone < 0 ? "-" : j->truth->zones[zone].text;
}

void judge_fail(struct judge *j, int zone, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	printf("VIOLATION seed %" PRIu64 " at %.6f s zone %s: ", j->seed, seconds(j),
	       zone_text(j, zone));
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\nreplay: ./dev sim --seed %" PRIu64 "%s -v\n", j->seed, j->again);
	fflush(stdout);
	_exit(1);
}

static void trace_mix(struct judge *j, struct bytes b)
{
	j->trace = hash_bytes(j->trace, b);
}

void judge_note(struct judge *j, const char *format, ...)
{
	char line[400];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	len = len < (int)sizeof(line) ? len : (int)sizeof(line) - 1;
	trace_mix(j, bytes_of(line, (size_t)len));
	if (j->verbose) {
		printf("%12.6f * %s\n", seconds(j), line);
	}
}

static struct seen seen_of(const struct snapshot *snap)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	return (struct seen){ facts.serial.n, facts.source_serial.n, facts.root };
}

static bool seen_same(const struct seen *a, const struct seen *b)
{
	return a->serial == b->serial && a->source == b->source && id_equal(&a->root, &b->root);
}

static bool newer(uint32_t a, uint32_t b)
{
	return serial_newer((struct serial){ a }, (struct serial){ b });
}

/* ---- what is served ---- */

static void check_content(struct judge *j, unsigned zone, const struct snapshot *snap)
{
	struct snapshot_facts facts;
	int version;

	snapshot_facts(snap, &facts);
	version = truth_find(j->truth, zone, facts.source_serial.n, &facts.root);
	if (version == TRUTH_NONE) {
		judge_fail(j, (int)zone,
		           "serves serial %u (the primary's %u) with content that no primary had",
		           facts.serial.n, facts.source_serial.n);
	}
	if ((j->truth->zones[zone].versions[version].holders >> (facts.primary.ip[3] - 1) & 1) ==
	    0) {
		judge_fail(j, (int)zone, "serves serial %u of a primary that never had it",
		           facts.source_serial.n);
	}
}

/* What the primary sent last is not newer than what is served under a primary's serial: that was allowed
 * when it came, or was what a rollback asked for. It may be served some time. */
static bool lower_waits(const struct judge_zone *jz)
{
	const struct seen *had = &jz->had_before;
	bool other = had->source == jz->last.serial && !id_equal(&had->root, &jz->last.root);

	return jz->had && jz->last.serial == jz->last.source &&
	       (other || newer(jz->last.serial, had->source));
}

static bool may_go_back(const struct judge *j, unsigned zone)
{
	const struct judge_zone *jz = &j->zones[zone];

	return !jz->steady && (jz->may_go_back || jz->was_expired ||
	                       j->node->zones[zone].policy->guard.follow_lower);
}

static void check_serial(struct judge *j, unsigned zone, const struct seen *now)
{
	const struct judge_zone *jz = &j->zones[zone];

	if (!jz->seen || newer(now->serial, jz->last.serial) || seen_same(now, &jz->last)) {
		return;
	}
	if (now->serial == jz->last.serial && id_equal(&now->root, &jz->last.root)) {
		return; /* the same again, under the primary's serial */
	}
	if (!lower_waits(jz) && !may_go_back(j, zone)) {
		judge_fail(j, (int)zone, "serial went from %u (the primary's %u) to %u (%u)",
		           jz->last.serial, jz->last.source, now->serial, now->source);
	}
}

/* The same for what the primary sent last, which may not be served yet. */
static void check_have(struct judge *j, unsigned zone, const struct snapshot *have)
{
	struct judge_zone *jz = &j->zones[zone];
	uint32_t before = jz->had_last.source;

	if (have == jz->have && snapshot_source_serial(have).n == before) {
		return;
	}
	check_content(j, zone, have);
	jz->have = have;
	jz->had_last = seen_of(have);
	if (jz->had && newer(before, jz->had_last.source) && !may_go_back(j, zone)) {
		judge_fail(j, (int)zone, "serial of the primary went from %u to %u", before,
		           jz->had_last.source);
	}
	jz->had = true;
}

/* Looks at what a crash would leave, by way of a copy of the disk. */
static void audit(struct judge *j, unsigned zone, const struct seen *now)
{
	struct snapshot_facts facts = { 0 };
	bool found = secondary_durable(j->node, zone, &facts);
	struct seen durable = { facts.serial.n, facts.source_serial.n, facts.root };

	j->audits++;
	if (!found || !seen_same(&durable, now)) {
		judge_fail(j, (int)zone,
		           "serves serial %u, which is not durable: a crash leaves %s %u",
		           now->serial, found ? "serial" : "nothing,", facts.serial.n);
	}
}

static void remember_serial(struct judge *j, unsigned zone, uint32_t serial)
{
	struct judge_serials *list = &j->serials[zone];

	list->at[list->count++ % JUDGE_TOLD_MAX] = serial;
}

static void remember(struct judge *j, unsigned zone, const struct seen *now)
{
	remember_serial(j, zone, now->serial);
	j->zones[zone].seen = true;
	j->zones[zone].last = *now;
}

static void check_visible(struct judge *j, unsigned zone, const struct snapshot *snap)
{
	struct judge_zone *jz = &j->zones[zone];
	struct seen now = seen_of(snap);

	check_content(j, zone, snap);
	check_serial(j, zone, &now);
	if (j->node->zones[zone].acts == 0 && env_random_below(&j->dice.env, AUDIT_ONE_IN) == 0) {
		audit(j, zone, &now);
	}
	trace_mix(j, bytes_of(&now, sizeof(now)));
	jz->late_s = zone_timers(j->node->zones[zone].zone).refreshed_at_s;
	jz->late = jz->snap == NULL && env_wall_s(sim_env(j->sim)) > jz->late_s + EXPIRE_SLACK_S;
	remember(j, zone, &now);
	jz->was_expired = false;
	j->visible++;
}

/* Returns whether the zone is busy. */
static bool check_running(struct judge *j, unsigned zone)
{
	const struct secondary_zone *z = &j->node->zones[zone];
	struct judge_zone *jz = &j->zones[zone];
	struct transfer_zone_report report;
	struct zone_timers timers;
	int64_t now_s = env_wall_s(sim_env(j->sim));

	if (z->life != ZONE_RUNNING) {
		return z->life == ZONE_STOPPING;
	}
	timers = zone_timers(z->zone);
	jz->late = jz->late && jz->snap != NULL && timers.refreshed_at_s == jz->late_s;
	if (jz->snap != NULL && timers.expire_at_s != 0 && !jz->late &&
	    now_s > timers.expire_at_s + EXPIRE_SLACK_S) {
		judge_fail(j, (int)zone, "is served %lld s after it expired",
		           (long long)(now_s - timers.expire_at_s));
	}
	transfer_zone_report(j->node->transfer, z->zone, &report);
	if (jz->may_go_back && j->now_ns >= jz->said_ns + NS_PER_S && z->acts == 0 &&
	    !report.busy && report.state == TRANSFER_ZONE_OK) {
		jz->may_go_back = false; /* all that was asked for is done */
	}
	return report.busy;
}

static void check_zone(struct judge *j, unsigned zone)
{
	const struct secondary_zone *z = &j->node->zones[zone];
	struct judge_zone *jz = &j->zones[zone];
	const struct snapshot *snap, *have;

	if (z->life == ZONE_ABSENT) {
		judge_forget(j, zone);
		return;
	}
	snap = zone_borrow(z->zone);
	have = zone_have(z->zone);
	jz->had_before = jz->had_last;
	jz->expired = zone_expired(z->zone);
	jz->pinned = zone_pinned(z->zone);
	if (jz->expired) {
		jz->was_expired = true;
		jz->confirmed_s = zone_timers(z->zone).refreshed_at_s;
	}
	if (have != NULL) {
		check_have(j, zone, have);
	}
	if (snap == NULL && jz->snap != NULL && !zone_expired(z->zone)) {
		judge_fail(j, (int)zone, "is not served any more, and has not expired");
	}
	if (snap != NULL && (snap != jz->snap || snapshot_serial(snap).n != jz->last.serial)) {
		check_visible(j, zone, snap);
	}
	jz->snap = snap;
}

static void count_turn(struct judge *j)
{
	uint64_t now = env_mono_ns(sim_env(j->sim));

	j->turns++;
	j->turns_now = now == j->now_ns ? j->turns_now + 1 : 0;
	j->now_ns = now;
	if (j->turns_now > TURNS_NOW_MAX || j->turns > TURNS_MAX) {
		judge_fail(j, -1,
		           "goes round without end: %" PRIu64 " turns, %" PRIu64
		           " of them while the clock stands",
		           j->turns, j->turns_now);
	}
}

static void check_primaries(struct judge *j)
{
	for (unsigned i = 0; i < j->primary_count; i++) {
		size_t conns = sim_connections(j->node->io, &j->primaries[i].addr);

		if (conns > j->primaries[i].conns_max) {
			judge_fail(j, -1, "%zu connections to p%u, which is to have %zu", conns, i,
			           j->primaries[i].conns_max);
		}
	}
}

void judge_published(struct judge *j, unsigned zone, const struct snapshot *snap)
{
	check_content(j, zone, snap);
	remember_serial(j, zone, snapshot_serial(snap).n);
}

static void sweep(struct judge *j)
{
	struct transfer_counts counts;
	unsigned busy = 0;

	for (unsigned i = 0; i < j->truth->zone_count; i++) {
		busy += check_running(j, i);
	}
	check_primaries(j);
	transfer_counts(j->node->transfer, &counts);
	if (counts.sessions > busy) {
		judge_fail(j, -1, "%" PRIu64 " sessions for %u zones that are busy",
		           counts.sessions, busy);
	}
}

void judge_turn(struct judge *j)
{
	count_turn(j);
	for (unsigned i = 0; i < j->truth->zone_count; i++) {
		check_zone(j, i);
	}
	if (j->turns % SWEEP_EVERY == 0) {
		sweep(j);
	}
}

/* ---- ends and beginnings ---- */

static void check_again(struct judge *j, unsigned zone, const struct seen *now)
{
	const struct zone *z = j->node->zones[zone].zone;
	const struct judge_zone *jz = &j->zones[zone];

	/* A version may have come, if only the same again, that the end of the node overtook. */
	if (jz->expired && zone_borrow(z) != NULL && seen_same(now, &jz->last) &&
	    zone_timers(z).refreshed_at_s == jz->confirmed_s) {
		judge_fail(j, (int)zone, "had expired, and is served again");
	}
	if (!jz->acting && jz->pinned != zone_pinned(z)) {
		judge_fail(j, (int)zone,
		           jz->pinned ? "was pinned and is not any more"
		                      : "was not pinned and is now");
	}
}

void judge_started(struct judge *j)
{
	for (unsigned i = 0; i < j->truth->zone_count; i++) {
		const struct secondary_zone *z = &j->node->zones[i];
		struct judge_zone *jz = &j->zones[i];
		const struct snapshot *snap;
		struct seen now;

		jz->snap = NULL;
		snap = z->life == ZONE_ABSENT ? NULL : zone_newest(z->zone);
		if (snap == NULL) {
			if (z->life != ZONE_ABSENT && jz->seen) {
				judge_fail(j, (int)i, "lost what it served: serial %u",
				           jz->last.serial);
			}
			continue;
		}
		now = seen_of(snap);
		if (jz->seen) {
			check_again(j, i, &now);
		}
		jz->have = NULL;
		check_have(j, i, zone_have(z->zone));
		check_content(j, i, snap);
		check_serial(j, i, &now);
		remember(j, i, &now);
		jz->expired = zone_expired(z->zone);
		jz->pinned = zone_pinned(z->zone);
		jz->confirmed_s = zone_timers(z->zone).refreshed_at_s;
		jz->was_expired = jz->was_expired || jz->expired;
		jz->snap = zone_borrow(z->zone);
	}
}

void judge_ending(struct judge *j)
{
	for (unsigned i = 0; i < JUDGE_HELD_MAX; i++) {
		snapshot_unref(j->held[i].snap);
		j->held[i].snap = NULL;
	}
	for (unsigned i = 0; i < TRUTH_ZONES_MAX; i++) {
		j->zones[i].snap = NULL;
		j->zones[i].acting = j->node->zones[i].acts > 0;
	}
}

void judge_ended(struct judge *j, const struct pool_stats *left)
{
	if (left->bodies > 0 || left->nodes > 0 || left->snapshot_bytes > 0) {
		judge_fail(j, -1,
		           "references outlive their owners: %" PRIu64 " record sets, %" PRIu64
		           " nodes, %" PRIu64 " octets of versions",
		           left->bodies, left->nodes, left->snapshot_bytes);
	}
}

void judge_allow(struct judge *j, unsigned zone)
{
	j->zones[zone].may_go_back = true;
	j->zones[zone].said_ns = env_mono_ns(sim_env(j->sim));
}

void judge_forget(struct judge *j, unsigned zone)
{
	j->zones[zone] = (struct judge_zone){ 0 };
}

void judge_hold(struct judge *j, unsigned slot, unsigned zone)
{
	struct judge_held *h = &j->held[slot % JUDGE_HELD_MAX];
	const struct secondary_zone *z = &j->node->zones[zone];
	const struct snapshot *snap;

	if (h->snap != NULL) {
		struct seen now = seen_of(h->snap);

		if (!seen_same(&now, &h->seen)) {
			judge_fail(j, -1, "a version changed while it was held");
		}
		snapshot_unref(h->snap);
		h->snap = NULL;
		return;
	}
	snap = z->life == ZONE_ABSENT ? NULL : zone_borrow(z->zone);
	if (snap != NULL) {
		h->snap = snapshot_ref(snap);
		h->seen = seen_of(snap);
	}
}

/* ---- in step ---- */

bool judge_current(struct judge *j, unsigned zone, int version)
{
	const struct secondary_zone *z = &j->node->zones[zone];
	const struct truth_version *v = &j->truth->zones[zone].versions[version];
	const struct snapshot *have;
	struct transfer_zone_report report;
	struct seen seen;
	bool kept;

	if (!j->node->up || z->life != ZONE_RUNNING) {
		return false;
	}
	have = zone_have(z->zone);
	kept = zone_pinned(z->zone) || zone_hold(z->zone) != HOLD_NONE;
	transfer_zone_report(j->node->transfer, z->zone, &report);
	if (have == NULL || report.state == TRANSFER_ZONE_FAILING ||
	    report.state == TRANSFER_ZONE_EXPIRED || (report.state == TRANSFER_ZONE_NEW && !kept)) {
		return false; /* others do not know yet that it is */
	}
	seen = seen_of(have);
	if (seen.source != v->serial ||
	    !id_equal(&seen.root, truth_root(j->truth, zone, version))) {
		return false;
	}
	return kept || zone_borrow(z->zone) == have;
}

void judge_told(struct judge *j, int zone, uint32_t serial)
{
	const struct judge_serials *list = zone < 0 ? NULL : &j->serials[zone];

	for (unsigned i = 0; list != NULL && i < list->count && i < JUDGE_TOLD_MAX; i++) {
		if (list->at[i] == serial) {
			return;
		}
	}
	judge_fail(j, zone, "others were told of serial %u, which was not served", serial);
}
