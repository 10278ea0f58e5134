/* SPDX-License-Identifier: MIT
 *
 * transfer/rounds.c — which of a zone's primaries is asked, when there are several. */
#include "transfer/rounds_p.h"

#include "transfer/refresh_events_p.h"

/* True once in `every_s` on average, if it is called after each `elapsed_s`. */
static bool dice(const struct refresh *z, uint64_t elapsed_s, uint32_t every_s)
{
	return env_random_below(refresh_engine(z)->io->env, every_s) < elapsed_s;
}

static unsigned primary_count(const struct refresh *z)
{
	size_t count = refresh_policy(z)->primary_count;

	return count < UINT8_MAX ? (unsigned)count : UINT8_MAX - 1;
}

static uint64_t elapsed_s(const struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	int64_t now = env_wall_s(refresh_engine(z)->io->env);

	return now > timers.refreshed_at_s ? (uint64_t)(now - timers.refreshed_at_s) : 0;
}

uint8_t round_sender(const struct refresh *z)
{
	const struct zone_policy *policy = refresh_policy(z);
	const struct snapshot *have = zone_have(refresh_zone(z));
	struct snapshot_facts facts;

	if (have == NULL) {
		return ROUND_OF_NOBODY;
	}
	snapshot_facts(have, &facts);
	for (unsigned i = 0; i < primary_count(z); i++) {
		if (addr_equal(&policy->primaries[i].addr, &facts.primary)) {
			return (uint8_t)i;
		}
	}
	return ROUND_OF_NOBODY;
}

/* ---- the first, and elections ---- */

void round_init(struct refresh *z, unsigned count)
{
	bool told = (z->wants & WANT_NEWS) != 0;

	round_end(z);
	z->first = 0;
	if (told && z->notifier < count) {
		z->first = z->notifier;
	} else if (refresh_policy(z)->newest && count > 1 && (z->wants & WANT_SERIAL) == 0) {
		z->marks |= ROUND_ELECTS | ROUND_ELECTED;
	} else if (z->last < count && !(z->last > 0 && dice(z, elapsed_s(z), ROUND_RETURN_S))) {
		z->first = z->last;
	}
}

void round_end(struct refresh *z)
{
	if (round_compares(z)) {
		refresh_engine(z)->comparing--;
	}
	z->marks &= (uint8_t) ~(ROUND_ELECTS | ROUND_ELECTED | ROUND_HEARD | ROUND_COMPARES);
}

static void elect(struct refresh *z, struct serial serial)
{
	unsigned index = refresh_primary_index(z);

	if (z->lower == LOWER_NONE || serial_newer(serial, z->best) ||
	    (serial_equal(serial, z->best) && index == z->last)) {
		z->lower = (uint8_t)index;
		z->best = serial;
	}
	z->marks |= index == z->last ? ROUND_HEARD : 0;
	z->tried++;
	if (z->tried < primary_count(z)) {
		z->method = REFRESH_BY_SOA;
		refresh_enqueue(z);
	} else if (!round_elected(z)) {
		assert(false); /* there is one */
	}
}

/* The best has what we have: the zone is in step with it. */
static void elected_same(struct refresh *z, const struct addr *primary)
{
	refresh_event_current(z, primary, z->best);
	z->last = z->lower;
	z->lower = LOWER_BARRED;
	refresh_move(z, REFRESH_IDLE);
	refresh_confirmed(z);
}

static void elected_lower(struct refresh *z, const struct addr *primary, bool may_follow)
{
	z->error = (uint8_t)attempt_note_lower(z, primary, z->best);
	z->error_at = z->lower;
	z->lower = may_follow ? z->lower : LOWER_NONE;
	refresh_round_over(z);
}

bool round_elected(struct refresh *z)
{
	const struct snapshot *have = zone_have(refresh_zone(z));
	bool whole = have == NULL || (z->serves & (WANT_WHOLE | WANT_REFETCH)) != 0;
	struct addr primary;
	bool may_follow;

	if (!round_elects(z) || z->lower == LOWER_NONE) {
		z->marks &= (uint8_t)~ROUND_ELECTS;
		return false;
	}
	may_follow = round_may_follow(z, z->lower);
	primary = refresh_policy(z)->primaries[z->lower].addr;
	z->marks &= (uint8_t) ~(ROUND_ELECTS | ROUND_HEARD);
	if (!whole && serial_equal(z->best, snapshot_source_serial(have))) {
		elected_same(z, &primary);
	} else if (!whole && !serial_newer(z->best, snapshot_source_serial(have))) {
		elected_lower(z, &primary, may_follow);
	} else {
		z->first = z->lower;
		z->tried = 0;
		z->lower = LOWER_NONE;
		z->method = whole ? REFRESH_BY_AXFR : REFRESH_BY_IXFR;
		refresh_enqueue(z);
	}
	return true;
}

bool round_may_follow(const struct refresh *z, unsigned index)
{
	if (zone_expired(refresh_zone(z)) || z->last >= primary_count(z)) {
		return true; /* nothing is served, or nobody is stuck to */
	}
	return index == z->last || (round_elects(z) && (z->marks & ROUND_HEARD) != 0);
}

/* ---- comparing ---- */

static bool same_primary(const struct zone_policy *policy, unsigned a, unsigned b)
{
	return strcmp(policy->primaries[a].name, policy->primaries[b].name) == 0;
}

/* One by dice of those that are not the sender's; ROUND_OF_NOBODY: there is none. */
static uint8_t pick_other(const struct refresh *z, uint8_t sender)
{
	const struct zone_policy *policy = refresh_policy(z);
	uint8_t picked = ROUND_OF_NOBODY;
	uint32_t seen = 0;

	for (unsigned i = 0; i < primary_count(z); i++) {
		if (sender != ROUND_OF_NOBODY && same_primary(policy, i, sender)) {
			continue;
		}
		seen++;
		if (env_random_below(refresh_engine(z)->io->env, seen) == 0) {
			picked = (uint8_t)i;
		}
	}
	return picked;
}

bool round_compare(struct refresh *z, uint64_t elapsed)
{
	struct transfer *t = refresh_engine(z);
	const struct zone_policy *policy = refresh_policy(z);
	uint8_t other;

	assert(z->state == REFRESH_IDLE && z->serves == 0);
	if (policy->compare_s == 0 || primary_count(z) < 2 || z->wants != 0 ||
	    t->comparing >= COMPARISONS_MAX || !dice(z, elapsed, policy->compare_s)) {
		return false;
	}
	other = pick_other(z, round_sender(z));
	if (other == ROUND_OF_NOBODY) {
		return false;
	}
	z->marks |= ROUND_COMPARES;
	t->comparing++;
	z->first = other;
	z->tried = 0;
	z->lane = LANE_FIRST;
	z->method = REFRESH_BY_SOA;
	refresh_enqueue(z);
	return true;
}

/* Nothing came of a comparison, or all that there was to be known. */
static void compare_over(struct refresh *z)
{
	if (z->state != REFRESH_IDLE) {
		refresh_move(z, REFRESH_IDLE);
	}
	round_end(z);
	refresh_wait_on(z);
}

bool round_compare_failed(struct refresh *z)
{
	if (!round_compares(z)) {
		return false;
	}
	compare_over(z);
	return true;
}

void round_compared(struct refresh *z, struct snapshot *snap)
{
	const struct snapshot *have = zone_have(refresh_zone(z));
	struct snapshot_facts theirs, ours;

	assert(round_compares(z) && have != NULL);
	snapshot_facts(snap, &theirs);
	snapshot_facts(have, &ours);
	if (serial_equal(theirs.source_serial, ours.source_serial)) {
		bool same = id_equal(&theirs.root, &ours.root);

		transfer_count(&refresh_engine(z)->counts.compared, 1);
		if (!same) {
			transfer_count(&refresh_engine(z)->counts.compared_differ, 1);
			refresh_event_differs(z, &theirs.primary, theirs.source_serial);
			z->marks |= ZONE_DIFFERS;
			z->differs = z->first;
		} else if (z->differs == z->first) {
			z->marks &= (uint8_t)~ZONE_DIFFERS;
		}
	}
	snapshot_unref(snap);
	compare_over(z);
}

bool round_heard(struct refresh *z, struct serial serial)
{
	const struct snapshot *have = zone_have(refresh_zone(z));

	if (round_elects(z)) {
		elect(z, serial);
		return true;
	}
	if (!round_compares(z)) {
		return false;
	}
	if (!serial_equal(serial, snapshot_source_serial(have))) {
		compare_over(z);
		return true;
	}
	z->method = REFRESH_BY_AXFR;
	refresh_enqueue(z);
	return true;
}
