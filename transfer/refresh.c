/* SPDX-License-Identifier: MIT
 *
 * transfer/refresh.c — the life of a zone: when its primaries are asked, and what comes of it. */
#include "transfer/refresh_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "transfer/refresh_events_p.h"
#include "transfer/rounds_p.h"
#include "transfer/schedule_p.h"

#define WANTED_AGAIN_MS 1000
#define MANY_LOAD       8 /* first loads at once, under way or on their way to the disk */
#define ASK_FEW         4 /* questions over UDP to one primary at once */

#define MAY(state) (1U << (state))

static const unsigned edges[REFRESH_STATES] = {
	[REFRESH_IDLE] = MAY(REFRESH_QUEUED) | MAY(REFRESH_PARKED),
	[REFRESH_PARKED] = MAY(REFRESH_IDLE),
	[REFRESH_QUEUED] = MAY(REFRESH_IDLE) | MAY(REFRESH_QUEUED) | MAY(REFRESH_ASKING) |
	                   MAY(REFRESH_PULLING),
	[REFRESH_ASKING] = MAY(REFRESH_IDLE) | MAY(REFRESH_QUEUED),
	[REFRESH_PULLING] = MAY(REFRESH_IDLE) | MAY(REFRESH_QUEUED) | MAY(REFRESH_COMMITTING),
	[REFRESH_COMMITTING] = MAY(REFRESH_IDLE),
};

void refresh_move(struct refresh *z, enum refresh_state to)
{
	assert(to < REFRESH_STATES);
	assert((edges[z->state] & MAY(to)) != 0);
	z->state = (uint8_t)to;
}

const struct zone_policy *refresh_policy(const struct refresh *z)
{
	return zone_policy(refresh_zone(z));
}

static int64_t wall_s(const struct refresh *z)
{
	return env_wall_s(refresh_engine(z)->io->env);
}

enum job refresh_job(const struct refresh *z)
{
	return z->method == REFRESH_BY_SOA ? JOB_ASK : JOB_PULL;
}

/* Primaries that a round goes through. */
static unsigned primary_count(const struct zone_policy *policy)
{
	return policy->primary_count < UINT8_MAX ? (unsigned)policy->primary_count : UINT8_MAX - 1;
}

/* The round's first, then the others in their order. */
unsigned refresh_primary_index(const struct refresh *z)
{
	if (z->tried == 0) {
		return z->first;
	}
	return z->tried <= z->first ? z->tried - 1U : z->tried;
}

const struct policy_primary *refresh_primary(const struct refresh *z)
{
	assert(refresh_primary_index(z) < refresh_policy(z)->primary_count);
	return &refresh_policy(z)->primaries[refresh_primary_index(z)];
}

/* The intervals of the zone; false, and those of an empty SOA, while there is no version. */
static bool schedule_of(const struct refresh *z, const struct snapshot *snap, struct schedule *out)
{
	struct soa soa = { 0 };
	struct rr rr;

	if (snap != NULL) {
		snapshot_soa(snap, &refresh_engine(z)->scratch, &rr);
		if (soa_view(rr.rdata, &soa) != ERR_OK) {
			assert(false); /* checked when the version was made */
		}
	}
	schedule_init(out, &soa, &refresh_policy(z)->limits);
	return snap != NULL;
}

/* ---- waiting ---- */

/* A zone of which nothing was ever served, because all that came is held, does not expire. */
static bool may_expire(const struct refresh *z, const struct zone_timers *timers)
{
	return timers->expire_at_s != 0 && zone_newest(refresh_zone(z)) != NULL &&
	       !zone_expired(refresh_zone(z));
}

static uint64_t expire_ns(const struct refresh *z, const struct zone_timers *timers)
{
	int64_t left = timers->expire_at_s - wall_s(z);

	if (!may_expire(z, timers)) {
		return DUE_NEVER;
	}
	return io_now_ns(refresh_engine(z)->io) + (left > 0 ? (uint64_t)left * NS_PER_S : 0);
}

/* A NOTIFY is neither satisfied nor noted. */
static bool is_unnoted(const struct refresh *z, const struct zone_timers *timers)
{
	return ((z->wants | z->serves) & WANT_NEWS) != 0 && !timers->notified;
}

static uint64_t note_ns(const struct refresh *z)
{
	return io_now_ns(refresh_engine(z)->io) + REFRESH_NOTE_MS * NS_PER_MS;
}

/* Has the zone wake up after `delay_ms` (DUE_NEVER: never), or for its expiry if that is earlier. */
static void wait_for(struct refresh *z, uint64_t delay_ms)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	uint64_t expire = expire_ns(z, &timers);
	uint64_t at = delay_ms == DUE_NEVER
	                      ? DUE_NEVER
	                      : io_now_ns(refresh_engine(z)->io) + delay_ms * NS_PER_MS;

	if (is_unnoted(z, &timers) && note_ns(z) < at) {
		at = note_ns(z);
	}
	due_set(&refresh_engine(z)->due, &z->due, at < expire ? at : expire);
}

/* Has the zone wake up to note what a NOTIFY told, if it does not sooner. */
static void note_later(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	struct due *due = &refresh_engine(z)->due;

	if (is_unnoted(z, &timers) && note_ns(z) < due_at(due, &z->due)) {
		due_set(due, &z->due, note_ns(z));
	}
}

void refresh_settle(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	bool brings = z->state == REFRESH_COMMITTING && z->pull->snap == NULL &&
	              (z->wants & WANT_NEWS) == 0;

	if (is_unnoted(z, &timers) && !brings) {
		timers.notified = true;
		store_note_soon(refresh_engine(z)->options.store, refresh_zone(z), &timers);
	}
}

/* Goes by what the timers say, after a wake-up for something else. */
void refresh_wait_on(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	int64_t left = timers.refresh_at_s - wall_s(z);

	if (primary_count(refresh_policy(z)) == 0 ||
	    (z->state != REFRESH_IDLE && z->state != REFRESH_PARKED && !round_compares(z))) {
		wait_for(z, DUE_NEVER);
	} else {
		wait_for(z, left > 0 ? (uint64_t)left * 1000 : 0);
	}
}

/* ---- rounds and attempts ---- */

/* A question over UDP is for a primary that is asked now and then. One with connections, or with many
 * zones that wait for it, is asked for IXFR at once if it tells by its SOA alone that there is no news:
 * one request then says both whether and what. A primary that is down, or silent over UDP, is tried over
 * TCP, since it must bear that in the end. */
static bool better_by_ixfr(const struct primary *p)
{
	bool much = p->conn_count > 0 || p->slots[JOB_ASK].running >= ASK_FEW;

	return primary_down(p) || primary_deaf(p) ||
	       (p->tells_by_ixfr && p->ability == ABILITY_PIPELINE && much);
}

static void choose_method(struct refresh *z)
{
	if (z->method != REFRESH_BY_SOA) {
		return;
	}
	if (primary_deaf(z->primary)) {
		z->method = zone_have(refresh_zone(z)) == NULL ? REFRESH_BY_AXFR : REFRESH_BY_IXFR;
	} else if (!round_elects(z) && !round_compares(z) && better_by_ixfr(z->primary)) {
		z->method = REFRESH_BY_IXFR;
	}
}

void refresh_enqueue(struct refresh *z)
{
	assert(z->primary == NULL);
	z->primary = primary_get(&refresh_engine(z)->primaries, refresh_primary(z));
	choose_method(z);
	refresh_move(z, REFRESH_QUEUED);
	link_init(&z->link);
	primary_enqueue(z->primary, refresh_job(z), z->lane, &z->link);
	if (round_compares(z)) {
		refresh_wait_on(z); /* a refresh that comes due ends it */
	} else {
		wait_for(z, DUE_NEVER);
	}
}

static void dequeue(struct refresh *z)
{
	assert(z->state == REFRESH_QUEUED);
	primary_dequeue(z->primary, refresh_job(z), &z->link);
	primary_put(z->primary);
	z->primary = NULL;
}

/* The zone waits for its first primary that is down to come back, besides for its retry. */
static void park(struct refresh *z)
{
	const struct zone_policy *policy = refresh_policy(z);

	assert(z->state == REFRESH_IDLE && z->primary == NULL);
	for (unsigned i = 0; i < primary_count(policy); i++) {
		struct primary *p =
			primary_get(&refresh_engine(z)->primaries, &policy->primaries[i]);

		if (primary_down(p)) {
			z->primary = p;
			refresh_move(z, REFRESH_PARKED);
			link_init(&z->link);
			primary_park(p, &z->link);
			return;
		}
		primary_put(p);
	}
}

static void unpark(struct refresh *z)
{
	assert(z->state == REFRESH_PARKED);
	link_remove(&z->link);
	primary_put(z->primary);
	z->primary = NULL;
	refresh_move(z, REFRESH_IDLE);
}

/* How the next primary is asked first. */
static enum refresh_method method_first(const struct refresh *z)
{
	uint8_t wants = z->wants | z->serves;

	if (round_elects(z)) {
		return REFRESH_BY_SOA;
	}
	if (zone_have(refresh_zone(z)) == NULL || (wants & (WANT_WHOLE | WANT_REFETCH)) != 0) {
		return REFRESH_BY_AXFR;
	}
	return (wants & (WANT_NEWS | WANT_REFRESH)) != 0 ? REFRESH_BY_IXFR : REFRESH_BY_SOA;
}

/* Where a round waits that nobody asked for. */
static enum lane lane_due(const struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	int64_t whole = timers.expire_at_s - timers.refreshed_at_s;

	if (zone_have(refresh_zone(z)) == NULL) {
		return LANE_FIRST;
	}
	if (timers.expire_at_s != 0 && (timers.expire_at_s - wall_s(z)) * 4 < whole) {
		return LANE_EXPIRING;
	}
	return LANE_DUE;
}

static enum lane lane_of(const struct refresh *z)
{
	if ((z->wants & (WANT_REFRESH | WANT_WHOLE)) != 0) {
		return LANE_OPERATOR;
	}
	return (z->wants & WANT_NEWS) != 0 ? LANE_NOTIFY : lane_due(z);
}

static void round_begin(struct refresh *z)
{
	unsigned count = primary_count(refresh_policy(z));

	assert(z->state == REFRESH_IDLE);
	if (count == 0) {
		wait_for(z, DUE_NEVER);
		return;
	}
	round_init(z, count);
	z->tried = 0;
	z->lower = LOWER_NONE;
	z->error = ERR_OK;
	z->lane = (uint8_t)lane_of(z);
	z->method = (uint8_t)method_first(z);
	refresh_enqueue(z);
}

/* Leaves any state but COMMITTING for IDLE. */
void refresh_give_up(struct refresh *z)
{
	switch ((enum refresh_state)z->state) {
	case REFRESH_QUEUED:
		dequeue(z);
		refresh_move(z, REFRESH_IDLE);
		break;
	case REFRESH_PARKED:
		unpark(z);
		break;
	case REFRESH_ASKING:
	case REFRESH_PULLING:
		attempt_end(z);
		refresh_move(z, REFRESH_IDLE);
		break;
	case REFRESH_IDLE:
	case REFRESH_COMMITTING:
	case REFRESH_STATES:
		break;
	}
	z->wants |= z->serves & (uint8_t)~WANT_LOWER;
	z->serves = 0;
	round_end(z);
}

/* A serial was told by NOTIFY, and the version has it or a newer one. */
static bool brings_news(const struct refresh *z, uint8_t set, const struct snapshot *snap)
{
	return (set & WANT_SERIAL) != 0 && snap != NULL &&
	       !serial_newer(z->notified, snapshot_source_serial(snap));
}

/* The notified serial has come, or nothing is known of it. */
static bool news_satisfied(const struct refresh *z, uint8_t set)
{
	return (set & WANT_SERIAL) == 0 || brings_news(z, set, zone_have(refresh_zone(z)));
}

/* After a round: begins the next if something was wanted meanwhile. */
static void go_on(struct refresh *z, uint64_t delay_ms)
{
	assert(z->state == REFRESH_IDLE);
	if (z->wants != 0) {
		round_begin(z);
	} else {
		wait_for(z, delay_ms);
	}
}

/* The last error is of a primary that stands before the one that answered now, which was asked first
 * because it worked the last time. That it is in the other's place is no reason to conceal it. */
static bool is_passed_over(const struct refresh *z, const struct zone_timers *timers)
{
	const struct zone_policy *policy = refresh_policy(z);

	for (unsigned i = 0; z->tried == 0 && i < z->first && i < policy->primary_count; i++) {
		if (timers->last_error != ERR_OK &&
		    addr_equal(&policy->primaries[i].addr, &timers->last_error_primary)) {
			return z->first == z->last;
		}
	}
	return false;
}

/* Notes an attempt that failed; of what a round's last one had to say, the operator is told. */
static void note_error(const struct refresh *z, struct zone_timers *timers)
{
	const struct zone_policy *policy = refresh_policy(z);

	if (z->error == ERR_OK) {
		timers->last_error = is_passed_over(z, timers) ? timers->last_error : ERR_OK;
		return;
	}
	timers->last_error = (enum err)z->error;
	timers->last_error_at_s = wall_s(z);
	if (z->error_at < policy->primary_count) {
		timers->last_error_primary = policy->primaries[z->error_at].addr;
	}
}

/* What loads together is not to be refreshed together. */
static bool many_load(const struct refresh *z)
{
	const struct transfer *t = refresh_engine(z);

	return t->committing + t->primaries.slots[JOB_PULL].in_lane[LANE_FIRST] >= MANY_LOAD;
}

uint64_t refresh_timers_fresh(const struct refresh *z, const struct snapshot *snap,
                              struct zone_timers *timers)
{
	struct schedule s;
	uint64_t delay_ms;
	int64_t now = wall_s(z);
	bool known = schedule_of(z, snap, &s);

	assert(known);
	(void)known;
	delay_ms = zone_have(refresh_zone(z)) == NULL && many_load(z)
	                   ? schedule_spread_ms(refresh_engine(z)->io->env, s.refresh_s)
	                   : schedule_delay_ms(refresh_engine(z)->io->env, s.refresh_s);
	timers->refreshed_at_s = now;
	timers->refresh_at_s = now + (int64_t)(delay_ms / 1000);
	timers->expire_at_s = now + s.expire_s;
	timers->failing_since_s = 0;
	timers->notified = (z->wants & WANT_NEWS) != 0 && !brings_news(z, z->wants, snap);
	note_error(z, timers);
	return delay_ms;
}

/* The zone is in step: serve it, forget failures. */
static void recovered(struct refresh *z, bool was_failing)
{
	bool was_expired = zone_expired(refresh_zone(z));

	z->failures = 0;
	z->serves = 0;
	if (was_expired) {
		zone_set_expired(refresh_zone(z), false);
	}
	if (was_failing || was_expired) {
		refresh_event_recovered(z);
	}
}

/* A primary has what we have. */
void refresh_confirmed(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	bool was_failing = timers.failing_since_s != 0;
	int64_t elapsed_s = wall_s(z) - timers.refreshed_at_s;
	bool was_due = z->serves == 0; /* nobody waits for what it would find */
	uint64_t delay_ms;

	if ((z->wants & WANT_NEWS) != 0 && (z->wants & WANT_SERIAL) != 0 &&
	    news_satisfied(z, z->wants)) {
		z->wants &= (uint8_t) ~(WANT_NEWS | WANT_SERIAL);
	}
	delay_ms = refresh_timers_fresh(z, zone_have(refresh_zone(z)), &timers);
	z->marks &= (uint8_t)~ZONE_AWAITS;
	if ((z->serves & WANT_NEWS) != 0 && !news_satisfied(z, z->serves)) {
		/* No primary has what was announced, yet: look again soon, but no one was wrong. */
		uint32_t soon_s = schedule_backoff_s(&refresh_policy(z)->limits, 1);

		z->marks |= ZONE_AWAITS;
		if (delay_ms > (uint64_t)soon_s * 1000) {
			delay_ms = schedule_delay_ms(refresh_engine(z)->io->env, soon_s);
			/* Not a second too early: it would be asked in vain, and not so soon again. */
			timers.refresh_at_s = wall_s(z) + (int64_t)(delay_ms / 1000) + 1;
		}
	}
	store_note(refresh_engine(z)->options.store, refresh_zone(z), &timers);
	store_prune(refresh_engine(z)->options.store, refresh_zone(z), &refresh_policy(z)->history);
	recovered(z, was_failing);
	if (!was_due || elapsed_s <= 0 || !round_compare(z, (uint64_t)elapsed_s)) {
		go_on(z, delay_ms);
	}
}

/* Begins a round for something wanted; after a failure not in the same second, so that a flood of
 * NOTIFYs does not become one of attempts. */
static void round_wanted(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));

	if (z->failures > 0 && timers.last_error_at_s == wall_s(z)) {
		refresh_settle(z); /* the wake-up is for the round */
		wait_for(z, WANTED_AGAIN_MS);
	} else {
		round_begin(z);
	}
}

/* How long to wait after a round that failed. Without a version, and where news are known to be
 * there, the wait doubles from the policy's least; otherwise it is the SOA's retry. */
static uint64_t retry_ms(const struct refresh *z)
{
	struct schedule s;
	uint32_t wait_s = schedule_backoff_s(&refresh_policy(z)->limits, z->failures);

	if (schedule_of(z, zone_have(refresh_zone(z)), &s) &&
	    (z->wants == 0 || s.retry_s < wait_s)) {
		wait_s = s.retry_s;
	}
	return schedule_delay_ms(refresh_engine(z)->io->env, wait_s);
}

/* Every primary was tried in vain. What the round served is wanted still, but for an operator's
 * wish to try; what came meanwhile is tried at once. */
static void round_failed(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	bool again = z->wants != 0;
	uint64_t delay_ms;

	z->wants |= z->serves & (uint8_t) ~(WANT_REFRESH | WANT_LOWER);
	z->serves = 0;
	z->failures = z->failures < UINT8_MAX ? (uint8_t)(z->failures + 1) : UINT8_MAX;
	delay_ms = retry_ms(z);
	timers.refresh_at_s = wall_s(z) + (int64_t)(delay_ms / 1000);
	timers.failing_since_s = timers.failing_since_s != 0 ? timers.failing_since_s : wall_s(z);
	timers.notified = (z->wants & WANT_NEWS) != 0;
	note_error(z, &timers);
	store_note(refresh_engine(z)->options.store, refresh_zone(z), &timers);
	refresh_move(z, REFRESH_IDLE);
	if (again) {
		round_wanted(z);
	} else {
		park(z);
		wait_for(z, delay_ms);
	}
}

/* No primary has our serial or a newer one, but one has a lower one that is to be followed: because
 * of the policy, or because nothing is served any more. */
static bool follows(const struct refresh *z)
{
	const struct zone_policy *policy = refresh_policy(z);

	return z->lower < primary_count(policy) && (z->serves & WANT_LOWER) == 0 &&
	       (policy->guard.follow_lower || zone_expired(refresh_zone(z)));
}

/* The next primary, the one to follow, or the end of the round, which has not failed if one of the
 * primaries had our serial. */
void refresh_attempt_failed(struct refresh *z, enum err e)
{
	if (round_compare_failed(z)) {
		return;
	}
	z->error = (uint8_t)e;
	z->error_at = (uint8_t)refresh_primary_index(z);
	z->tried++;
	if ((z->serves & WANT_LOWER) == 0 && z->tried < primary_count(refresh_policy(z))) {
		z->method = (uint8_t)method_first(z);
		refresh_enqueue(z);
	} else if (!round_elected(z)) {
		refresh_round_over(z);
	}
}

void refresh_round_over(struct refresh *z)
{
	if (follows(z)) {
		z->serves |= WANT_LOWER;
		z->error = ERR_OK;
		z->first = z->lower;
		z->tried = 0;
		z->method = REFRESH_BY_AXFR;
		refresh_enqueue(z);
	} else if (z->lower == LOWER_BARRED) {
		refresh_move(z, REFRESH_IDLE);
		refresh_confirmed(z);
	} else {
		round_failed(z);
	}
}

void refresh_lower(struct refresh *z, enum err e)
{
	if (z->lower != LOWER_BARRED && !round_elects(z) && !round_compares(z) &&
	    round_may_follow(z, refresh_primary_index(z))) {
		z->lower = (uint8_t)refresh_primary_index(z);
	}
	refresh_attempt_failed(z, e);
}

/* A primary has no news. If it was asked because of a newer serial that was announced, one of the
 * others may have it. */
void refresh_no_news(struct refresh *z, const struct addr *primary)
{
	const struct snapshot *have = zone_have(refresh_zone(z));

	if (round_heard(z, snapshot_source_serial(have))) {
		return;
	}
	refresh_event_current(z, primary, snapshot_source_serial(have));
	z->last = (uint8_t)refresh_primary_index(z);
	z->lower = LOWER_BARRED;
	if ((z->serves & WANT_NEWS) != 0 && !news_satisfied(z, z->serves) &&
	    z->tried + 1U < primary_count(refresh_policy(z))) {
		z->tried++;
		z->method = (uint8_t)method_first(z);
		refresh_enqueue(z);
		return;
	}
	refresh_move(z, REFRESH_IDLE);
	refresh_confirmed(z);
}

void refresh_committed(struct refresh *z, uint64_t delay_ms, bool was_failing)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	uint8_t news = WANT_NEWS | WANT_SERIAL;

	if ((z->serves & WANT_NEWS) != 0 && !news_satisfied(z, z->serves)) {
		z->wants |= news; /* it was not yet what had been announced */
	} else if ((z->wants & WANT_SERIAL) != 0 && news_satisfied(z, z->wants)) {
		z->wants &= (uint8_t)~news;
	}
	if (timers.notified && (z->wants & WANT_NEWS) == 0) {
		timers.notified = false;
		store_note(refresh_engine(z)->options.store, refresh_zone(z), &timers);
	}
	refresh_move(z, REFRESH_IDLE);
	z->marks &= (uint8_t) ~(ZONE_DIFFERS | ZONE_AWAITS); /* of the version before */
	delay_ms = round_elects(z) ? ROUND_AGAIN_MS : delay_ms;
	round_end(z);
	recovered(z, was_failing);
	go_on(z, delay_ms);
}

void refresh_commit_failed(struct refresh *z, enum err e)
{
	z->error = (uint8_t)e;
	z->error_at = (uint8_t)refresh_primary_index(z);
	round_failed(z);
}

/* ---- from outside ---- */

static void expire(struct refresh *z)
{
	zone_set_expired(refresh_zone(z), true);
	refresh_event_expired(z, snapshot_serial(zone_newest(refresh_zone(z))));
}

static bool is_expired(const struct refresh *z, const struct zone_timers *timers)
{
	return may_expire(z, timers) && timers->expire_at_s <= wall_s(z);
}

void refresh_due(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	bool expires = is_expired(z, &timers);

	if (expires) {
		expire(z);
	}
	if (round_compares(z) && (expires || timers.refresh_at_s <= wall_s(z))) {
		refresh_give_up(z);
	}
	if (z->state != REFRESH_COMMITTING) { /* what comes then, the commit's own would undo */
		refresh_settle(z);
	}
	if ((z->state != REFRESH_IDLE && z->state != REFRESH_PARKED) ||
	    (expires && timers.refresh_at_s > wall_s(z))) {
		refresh_wait_on(z);
	} else if (z->state == REFRESH_PARKED && primary_count(refresh_policy(z)) == 1 &&
	           primary_down(z->primary)) {
		wait_for(z, retry_ms(z)); /* nothing has changed: it is woken when that does */
	} else {
		refresh_give_up(z);
		round_begin(z); /* also if the wall clock went back meanwhile */
	}
}

void refresh_wake(struct refresh *z)
{
	const struct zone_policy *policy = refresh_policy(z);
	struct addr addr = z->primary->addr;
	bool probe = primary_down(z->primary);

	unpark(z);
	round_begin(z);
	/* Whoever tries begins with the primary that is to be tried. */
	for (unsigned i = 0; probe && i < primary_count(policy); i++) {
		if (addr_equal(&policy->primaries[i].addr, &addr) && z->first != i) {
			dequeue(z);
			z->first = (uint8_t)i;
			z->method = (uint8_t)method_first(z);
			refresh_enqueue(z);
			break;
		}
	}
}

void refresh_start(struct transfer *t, struct zone *zone)
{
	struct refresh *z = zone_engine_start(zone);
	struct zone_timers timers = zone_timers(zone);
	struct schedule s;

	assert(refresh_zone(z) == zone);
	store_set_engine(t->options.store, zone_shard(zone), t);
	z->last = round_sender(z);
	z->notifier = UINT8_MAX;
	z->wants = timers.notified ? WANT_NEWS : 0;
	due_set(&t->due, &z->due, DUE_NEVER);
	if (zone_newest(zone) != NULL && (zone_expired(zone) || is_expired(z, &timers))) {
		expire(z); /* the store may have seen it while loading, but tells nobody */
	}
	if (!schedule_of(z, zone_have(zone), &s) || timers.notified || zone_expired(zone)) {
		round_begin(z);
	} else if (primary_count(refresh_policy(z)) == 0) {
		wait_for(z, DUE_NEVER);
	} else {
		wait_for(z, schedule_start_ms(t->io->env, &s, timers.refresh_at_s, wall_s(z)));
	}
}

void refresh_want(struct refresh *z, uint8_t wants)
{
	z->wants |= wants;
	if (round_compares(z)) {
		refresh_give_up(z);
	}
	if (z->state == REFRESH_PULLING || z->state == REFRESH_COMMITTING) {
		return; /* when that is over */
	}
	refresh_give_up(z);
	round_begin(z);
}

/* Remembers what a NOTIFY told; a serial only if every one that came told one. The one that a
 * running round is for counts as well: an older NOTIFY that comes late must not replace it. */
static void remember(struct refresh *z, const struct transfer_notice *n)
{
	const struct zone_policy *policy = refresh_policy(z);
	bool newer = n->has_serial && serial_newer(n->serial, z->notified);
	bool rests = z->state == REFRESH_IDLE || z->state == REFRESH_PARKED;

	if (rests && (z->marks & ZONE_AWAITS) != 0 && z->wants == 0 && !newer) {
		z->wants |= WANT_SERIAL; /* of what is awaited */
	} else if (!n->has_serial) {
		z->wants &= (uint8_t)~WANT_SERIAL;
	} else if ((z->wants & WANT_NEWS) == 0 && (z->serves & WANT_SERIAL) != 0 &&
	           serial_newer(z->notified, n->serial)) {
		z->wants |= WANT_SERIAL;
	} else if ((z->wants & WANT_NEWS) == 0) {
		z->wants |= WANT_SERIAL;
		z->notified = n->serial;
	} else if (newer) {
		z->notified = n->serial;
	}
	z->wants |= WANT_NEWS;
	z->notifier = UINT8_MAX;
	for (unsigned i = 0; i < primary_count(policy) && z->notifier == UINT8_MAX; i++) {
		if (addr_same_ip(&policy->primaries[i].addr, &n->from)) {
			z->notifier = (uint8_t)i;
		}
	}
}

/* Who sends a NOTIFY is there. */
static void hint(const struct refresh *z)
{
	const struct zone_policy *policy = refresh_policy(z);
	struct primary *p;

	if (z->notifier < policy->primary_count) {
		p = primary_get(&refresh_engine(z)->primaries, &policy->primaries[z->notifier]);
		primary_hint(p);
		primary_put(p);
	}
}

void refresh_notified(struct refresh *z, const struct transfer_notice *n)
{
	const struct snapshot *have = zone_have(refresh_zone(z));

	if (n->has_serial && have != NULL &&
	    serial_equal(n->serial, snapshot_source_serial(have)) &&
	    !zone_expired(refresh_zone(z))) {
		return; /* told of what we have */
	}
	if (z->state != REFRESH_COMMITTING &&
	    (round_compares(z) || (round_elects(z) && n->has_serial))) {
		refresh_give_up(z); /* the latter keeps a serial where this one will stand */
	}
	remember(z, n);
	hint(z);
	switch ((enum refresh_state)z->state) {
	case REFRESH_QUEUED:
	case REFRESH_ASKING:
		if (z->lane <= LANE_NOTIFY && !(round_elects(z) && z->notifier != UINT8_MAX)) {
			note_later(z);
			return; /* its turn comes no later, and it will see what was remembered */
		}
		refresh_give_up(z);
		round_begin(z);
		break;
	case REFRESH_PARKED:
		unpark(z);
		round_wanted(z);
		break;
	case REFRESH_IDLE:
		round_wanted(z);
		break;
	case REFRESH_PULLING:
	case REFRESH_COMMITTING:
	case REFRESH_STATES:
		note_later(z); /* and begins when that is over */
		break;
	}
}

/* New limits hold for the interval that runs. */
static void reschedule(struct refresh *z)
{
	struct zone_timers timers = zone_timers(refresh_zone(z));
	struct schedule s;

	if (schedule_of(z, zone_have(refresh_zone(z)), &s) && timers.refreshed_at_s != 0) {
		int64_t wait_s = timers.failing_since_s != 0 ? s.retry_s : s.refresh_s;
		int64_t from_s = timers.failing_since_s != 0 ? wall_s(z) : timers.refreshed_at_s;

		timers.expire_at_s = timers.refreshed_at_s + s.expire_s;
		if (timers.refresh_at_s > from_s + wait_s) {
			timers.refresh_at_s = from_s + wait_s;
		}
		store_note(refresh_engine(z)->options.store, refresh_zone(z), &timers);
	}
	refresh_wait_on(z);
}

void refresh_policy_changed(struct refresh *z, bool refetch)
{
	if (!refetch) {
		store_prune(refresh_engine(z)->options.store, refresh_zone(z),
		            &refresh_policy(z)->history);
		if (z->state == REFRESH_PARKED || z->state == REFRESH_QUEUED) {
			refresh_give_up(z); /* its primary may be asked from another address now */
			round_begin(z);
		}
		reschedule(z);
		return;
	}
	z->notifier = UINT8_MAX;
	z->last = UINT8_MAX;
	z->failures = 0;
	z->marks &= (uint8_t)~ZONE_DIFFERS;
	z->wants |= WANT_REFETCH;
	if (z->state != REFRESH_COMMITTING) {
		refresh_give_up(z);
		round_begin(z);
	}
}

void refresh_release(struct refresh *z)
{
	struct transfer *t = refresh_engine(z);

	assert(z->state == REFRESH_IDLE);
	notifier_forget(&t->notifier, refresh_zone(z));
	due_remove(&t->due, &z->due);
	zone_engine_stop(refresh_zone(z));
}

void refresh_drop(struct refresh *z)
{
	if (z->state == REFRESH_COMMITTING && !attempt_uncommit(z)) {
		z->pull->owner = NULL;
		refresh_move(z, REFRESH_IDLE);
	}
	refresh_give_up(z);
	refresh_release(z);
}

void refresh_stop(struct refresh *z, void (*done)(void *self, struct zone *zone), void *self)
{
	struct zone *zone = refresh_zone(z);

	if (z->state == REFRESH_COMMITTING && !attempt_uncommit(z)) {
		z->pull->stopped = done;
		z->pull->stopped_self = self;
		return;
	}
	refresh_give_up(z);
	transfer_policy_set(refresh_engine(z), zone, NULL);
	refresh_release(z);
	done(self, zone);
}
