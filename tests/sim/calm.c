/* SPDX-License-Identifier: MIT
 *
 * tests/sim/calm.c — what must come of it when all is well, or nearly.
 *
 * One primary may stay away for a while: zones that have another must do without it. Then changes are
 * announced, in ways that may not be missed; and in the end a primary of each zone goes back to an
 * older version, which must change nothing while another has the newer one. */
#include <inttypes.h>

#include "tests/sim/run.h"

#define STEP_MS      200 /* between looks at what is in step */
#define STOP_STEPS   50  /* of these until a zone is let go */
#define PROBE_S      60  /* within which a primary that is back is noticed */
#define CONNECT_S    10
#define NEWS_S       30 /* within which an announced change is served, all being well */
#define NEWS_ROUNDS  4
#define EARLY_MAX_MS 900  /* a NOTIFY may come so long before the change */
#define TWICE_MAX_MS 30   /* between two changes */
#define HUNG_MS      3000 /* shorter than any wait for an answer */
#define STEADY_S     80
#define ALL_ZONES    UINT64_MAX

static_assert(TRUTH_ZONES_MAX <= 64, "a set of zones is a number");

static uint64_t now_ns(const struct run *r)
{
	return env_mono_ns(sim_env(r->sim));
}

static uint64_t bit(unsigned zone)
{
	return 1ULL << zone;
}

/* ---- in step ---- */

/* Within which a zone is in step once all is well: what runs ends in vain at each primary, the zone
 * waits for its refresh or retry, and fails once more. */
static uint64_t deadline_s(const struct run *r, unsigned zone)
{
	const struct zone_policy *p = r->node.zones[zone].policy;

	return r->truth.zones[zone].refresh_s + 2 * RUN_MAX_RETRY_S + PROBE_S +
	       2 * RUN_POLICY_PRIMARIES_MAX * (p->limits.idle_time_s + CONNECT_S);
}

static void fail_late(struct run *r, unsigned zone, uint64_t since_ns, const char *what)
{
	const struct truth_version *v = &r->truth.zones[zone].versions[r->heads[zone]];
	const struct secondary_zone *z = &r->node.zones[zone];
	const struct snapshot *served = zone_borrow(z->zone), *have = zone_have(z->zone);
	struct zone_timers timers = zone_timers(z->zone);
	int64_t now_s = env_wall_s(sim_env(r->sim));
	struct transfer_zone_report report;

	transfer_zone_report(r->node.transfer, z->zone, &report);
	judge_fail(&r->judge, (int)zone,
	           "is not in step %" PRIu64 " s after %s: primaries have serial %u, it has %u, "
	           "serves %u (state %d%s, refresh in %lld s, failing for %lld s: %s)",
	           (uint64_t)((now_ns(r) - since_ns) / NS_PER_S), what, v->serial,
	           have == NULL ? 0 : snapshot_source_serial(have).n,
	           served == NULL ? 0 : snapshot_serial(served).n, (int)report.state,
	           report.busy ? ", busy" : "", (long long)(timers.refresh_at_s - now_s),
	           timers.failing_since_s == 0 ? 0LL : (long long)(now_s - timers.failing_since_s),
	           err_text(timers.last_error));
}

static uint32_t head_serial(const struct run *r, unsigned zone)
{
	return r->truth.zones[zone].versions[r->heads[zone]].serial;
}

/* Does the zone go back when it becomes current? A primary with a lower serial takes nobody's place while
 * the one that worked last is merely away. */
static bool must_go_back(const struct run *r, unsigned zone)
{
	const struct snapshot *have = zone_have(r->node.zones[zone].zone);

	return have != NULL &&
	       serial_newer(snapshot_source_serial(have), (struct serial){ head_serial(r, zone) });
}

/* Waits until those zones are in step; each has its deadline (0: its own). Returns the seconds. */
static uint64_t wait_current(struct run *r, uint64_t zones, uint64_t limit_s, const char *what)
{
	uint64_t since = now_ns(r);

	for (unsigned z = r->truth.zone_count; z < 64; z++) {
		zones &= ~bit(z);
	}
	while (zones != 0) {
		sim_run_for(r->sim, STEP_MS * NS_PER_MS);
		for (unsigned z = 0; z < r->truth.zone_count; z++) {
			uint64_t s = limit_s != 0 ? limit_s : deadline_s(r, z);

			if ((zones & bit(z)) == 0) {
				continue;
			}
			if (judge_current(&r->judge, z, r->heads[z]) ||
			    (r->one_absent && must_go_back(r, z))) {
				zones &= ~bit(z);
			} else if (now_ns(r) - since > s * NS_PER_S) {
				fail_late(r, z, since, what);
			}
		}
	}
	return (now_ns(r) - since) / NS_PER_S;
}

static void all_hold(struct run *r, unsigned zone, enum truth_step step)
{
	r->heads[zone] = truth_make(&r->truth, zone, r->heads[zone], step);
	for (unsigned i = 0; i < r->primary_count; i++) {
		primary_peer_hold(r->primaries[i], zone, r->heads[zone]);
	}
}

/* ---- after the storm ---- */

static void zones_run(struct run *r)
{
	struct secondary *s = &r->node;

	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		for (unsigned i = 0; s->zones[z].life == ZONE_STOPPING; i++) {
			if (i > STOP_STEPS) {
				judge_fail(&r->judge, (int)z, "is not let go by the engine");
			}
			sim_run_for(r->sim, STEP_MS * NS_PER_MS);
		}
		if (s->zones[z].life == ZONE_STOPPED) {
			secondary_zone_go(s, z);
		} else if (s->zones[z].life == ZONE_ABSENT) {
			run_zone_add(r, z);
		}
	}
}

/* Every primary gets the same version, which is above all that there were; or, where the policy
 * follows and nothing keeps the zone, below. */
static void settle(struct run *r, unsigned zone)
{
	const struct secondary_zone *z = &r->node.zones[zone];
	bool lower = z->policy->guard.follow_lower && !zone_pinned(z->zone) && run_dice(r, 3) == 0;

	all_hold(r, zone, lower ? TRUTH_LOWER : TRUTH_ABOVE);
	judge_note(&r->judge, "%s settles at serial %u", r->truth.zones[zone].text,
	           head_serial(r, zone));
	if (!lower && run_dice(r, 3) == 0) {
		run_notify(r, run_dice(r, r->primary_count), zone, NULL);
	}
}

/* A primary that does not answer yet; NULL: all do. */
static struct primary_peer *absent_begin(struct run *r)
{
	struct primary_peer *p = r->primaries[run_dice(r, r->primary_count)];
	uint32_t kind = run_dice(r, 6);

	if (kind == 0) {
		primary_peer_down(p);
	} else if (kind == 1) {
		sim_cut(r->sim, &p->at, &r->node.at, true);
	} else if (kind == 2) {
		p->silent = true;
	} else {
		return NULL;
	}
	judge_note(&r->judge, "but p%u is away (%u)", p->index, kind);
	return p;
}

static void absent_end(struct run *r, struct primary_peer *p)
{
	judge_note(&r->judge, "p%u is there again", p->index);
	sim_cut(r->sim, &p->at, &r->node.at, false);
	p->silent = false;
	while (!p->up) {
		primary_peer_up(p);
		sim_run_for(r->sim, NS_PER_MS);
	}
}

/* Zones that have another primary than this one. */
static uint64_t zones_without(struct run *r, const struct primary_peer *p)
{
	uint64_t zones = 0;

	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		const struct zone_policy *policy = r->node.zones[z].policy;

		for (size_t i = 0; i < policy->primary_count; i++) {
			if (run_primary_of(r, policy, i) != p) {
				zones |= bit(z);
			}
		}
	}
	return zones;
}

static void after_storm(struct run *r)
{
	struct primary_peer *absent;

	storm_end(r);
	absent = absent_begin(r);
	zones_run(r);
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		settle(r, z);
	}
	if (r->plant == PLANT_STUCK) {
		const struct zone_policy *p = r->node.zones[0].policy;

		for (size_t i = 0; i < p->primary_count; i++) {
			sim_cut(r->sim, &p->primaries[i].addr, &r->node.at, true);
		}
	}
	if (absent != NULL) {
		r->one_absent = true;
		(void)wait_current(r, zones_without(r, absent), 0,
		                   "all primaries but one were well");
		r->one_absent = false;
		absent_end(r, absent);
	}
	r->calm_s = wait_current(r, ALL_ZONES, 0, "the faults stopped");
	judge_note(&r->judge, "all is in step after %" PRIu64 " s", r->calm_s);
}

/* ---- news ---- */

/* Says that a zone has changed, from one of its primaries. */
static void tell(struct run *r, unsigned zone, bool serial)
{
	const struct zone_policy *policy = r->node.zones[zone].policy;
	size_t place = run_dice(r, (uint32_t)policy->primary_count);
	uint32_t head = head_serial(r, zone);

	run_notify(r, run_primary_of(r, policy, place)->index, zone, serial ? &head : NULL);
}

static void change_and_tell(struct run *r, uint64_t zones)
{
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		if ((zones & bit(z)) != 0) {
			all_hold(r, z, TRUTH_ABOVE);
			tell(r, z, run_dice(r, 2) == 0);
		}
	}
}

/* The NOTIFY overtakes the change. */
static void news_early(struct run *r, uint64_t zones)
{
	int before[TRUTH_ZONES_MAX];

	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		uint32_t old = head_serial(r, z) - 1;

		before[z] = r->heads[z];
		if ((zones & bit(z)) != 0) {
			r->heads[z] = truth_make(&r->truth, z, before[z], TRUTH_ABOVE);
			tell(r, z, true);
			if (run_dice(r, 2) == 0) { /* an old one comes late */
				run_notify(r, run_dice(r, r->primary_count), z, &old);
			}
		}
	}
	sim_run_for(r->sim, run_dice(r, EARLY_MAX_MS) * NS_PER_MS);
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		for (unsigned i = 0; i < r->primary_count; i++) {
			primary_peer_hold(r->primaries[i], z, r->heads[z]);
		}
	}
}

/* The node ends before anybody answered: it was told, and must not forget. */
static void news_hung(struct run *r, uint64_t zones)
{
	for (unsigned i = 0; i < r->primary_count; i++) {
		r->primaries[i]->silent = true;
	}
	change_and_tell(r, zones);
	sim_run_for(r->sim, HUNG_MS * NS_PER_MS);
	run_node_down(r, run_dice(r, 2) == 0, 2);
	sim_run_for(r->sim, (2 + run_dice(r, 3000)) * NS_PER_MS);
	for (unsigned i = 0; i < r->primary_count; i++) {
		r->primaries[i]->silent = false;
	}
	run_node_up(r);
}

/* A change that is announced is served soon, and not at the next refresh. */
static void news(struct run *r)
{
	static const char *const names[] = { "an announced change", "the second of two changes",
		                             "a change announced early",
		                             "a change announced before a restart" };

	for (unsigned round = 0; round < NEWS_ROUNDS; round++) {
		uint32_t kind = run_dice(r, ARRAY_LEN(names));
		uint64_t zones = 0;

		for (unsigned z = 0; z < r->truth.zone_count; z++) {
			zones |= run_dice(r, 3) == 0 ? bit(z) : 0;
		}
		judge_note(&r->judge, "news: %s", names[kind]);
		switch (kind) {
		case 1:
			change_and_tell(r, zones);
			sim_run_for(r->sim, run_dice(r, TWICE_MAX_MS) * NS_PER_MS);
			change_and_tell(r, zones);
			break;
		case 2:
			news_early(r, zones);
			break;
		case 3:
			news_hung(r, zones);
			break;
		default:
			change_and_tell(r, zones);
			break;
		}
		(void)wait_current(r, zones, NEWS_S, names[kind]);
	}
}

/* ---- one primary goes back ---- */

/* True if nothing that a primary is known for keeps it from answering. */
static bool reliable(const struct primary_peer *p)
{
	return p->habits.second == SECOND_SERVED && p->habits.conns_max == 0;
}

static bool goes_back(struct run *r, unsigned zone)
{
	const struct zone_policy *policy = r->node.zones[zone].policy;
	int parent = r->truth.zones[zone].versions[r->heads[zone]].parent;

	if (policy->primary_count < 2 || parent == TRUTH_NONE) {
		return false;
	}
	for (size_t i = 0; i < policy->primary_count; i++) {
		if (!reliable(run_primary_of(r, policy, i))) {
			return false;
		}
	}
	primary_peer_hold(run_primary_of(r, policy, run_dice(r, (uint32_t)policy->primary_count)),
	                  zone, parent);
	return true;
}

static void steady(struct run *r)
{
	judge_note(&r->judge, "a primary of each zone goes back, another does not");
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		uint32_t not_there = head_serial(r, z) + 1;

		r->judge.zones[z].steady = goes_back(r, z);
		if (run_dice(r, 4) == 0) {
			run_notify(r, run_dice(r, r->primary_count), z, &not_there);
		}
	}
	sim_run_for(r->sim, STEADY_S * NS_PER_S);
	for (unsigned z = 0; z < r->truth.zone_count; z++) {
		r->judge.zones[z].steady = false;
		for (unsigned i = 0; i < r->primary_count; i++) {
			primary_peer_hold(r->primaries[i], z, r->heads[z]);
		}
	}
	(void)wait_current(r, ALL_ZONES, 0, "a primary went back and came again");
}

void calm_run(struct run *r)
{
	after_storm(r);
	news(r);
	if (run_dice(r, 3) == 0) {
		steady(r);
	}
}
