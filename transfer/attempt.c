/* SPDX-License-Identifier: MIT
 *
 * transfer/attempt.c — one attempt of a zone at one primary: a question, a transfer, a commit. */
#include "transfer/guard_p.h"
#include "transfer/refresh_events_p.h"
#include "transfer/rounds_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define COMMIT_AGAIN_MS  100 /* while the store's queue is full */
#define COMMIT_TRIES_MAX 100
#define VERIFY_OCTETS    (256 * 1024) /* of a zone in one turn; some 2 ms */

struct refresh_query {
	struct soa_query query;
	struct refresh *owner;
	uint64_t sent_ns;
};

/* The slot and the primary; what ran with them is over. */
static void leave_primary(struct refresh *z, enum job job)
{
	if (job == JOB_PULL) {
		transfer_count(&refresh_engine(z)->counts.sessions, UINT64_MAX); /* one less */
	}
	primary_slot_end(z->primary, job, z->lane);
	primary_probe_over(z->primary, &z->link);
	primary_put(z->primary);
	z->primary = NULL;
}

void attempt_end(struct refresh *z)
{
	assert(z->state == REFRESH_ASKING || z->state == REFRESH_PULLING);
	if (z->state == REFRESH_ASKING) {
		soa_query_end(&z->query->query);
		free(z->query);
		z->query = NULL;
		leave_primary(z, JOB_ASK);
	} else {
		pull_free(z->pull);
		z->pull = NULL;
		leave_primary(z, JOB_PULL);
	}
}

/* Answers of a primary that may be asked too much; or that does not want to say. */
static bool refuses(enum err e)
{
	return e == ERR_PEER_REFUSED_QUERY || e == ERR_PEER_SERVFAIL;
}

/* ---- asking for the serial ---- */

/* True if a version is kept, served or not, that the primary sent under this serial. */
static bool is_kept(const struct refresh *z, struct serial serial)
{
	size_t cap = zone_versions(refresh_zone(z), NULL, 0);
	struct version_view *views = mem_zero(cap, sizeof(*views));
	size_t count = zone_versions(refresh_zone(z), views, cap);
	bool kept = false;

	assert(count == cap);
	for (size_t i = 0; i < count; i++) {
		kept = kept || serial_equal(snapshot_source_serial(views[i].snap), serial);
		snapshot_unref(views[i].snap);
	}
	free(views);
	return kept;
}

/* The primary has a serial that is lower than ours; says which, and returns what that is. */
enum err attempt_note_lower(const struct refresh *z, const struct addr *primary,
                            struct serial serial)
{
	bool kept = is_kept(z, serial);

	refresh_event_lower(z, kept ? EVENT_SERIAL_BACK : EVENT_SERIAL_LOWER, primary, serial);
	return kept ? ERR_SERIAL_BACK : ERR_SERIAL_OLD;
}

static void on_serial(struct refresh *z, const struct addr *primary, struct serial serial)
{
	struct serial have;

	if (round_heard(z, serial)) {
		return;
	}
	have = snapshot_source_serial(zone_have(refresh_zone(z)));
	if (serial_equal(serial, have)) {
		refresh_no_news(z, primary);
	} else if (serial_newer(serial, have)) {
		z->method = REFRESH_BY_IXFR;
		refresh_enqueue(z);
	} else {
		refresh_lower(z, attempt_note_lower(z, primary, serial));
	}
}

/* What an answer over UDP, or none, says about the primary. */
static void note_answer(const struct refresh *z, const struct soa_answer *answer)
{
	struct primary *p = z->primary;
	struct window *w = &p->windows[JOB_ASK];
	uint64_t now = io_now_ns(refresh_engine(z)->io);

	primary_heard_udp(p, answer->verdict != SOA_SILENT);
	if (answer->verdict == SOA_SILENT) {
		return; /* nobody is asked so for a while */
	}
	primary_answered(p);
	window_answered(w, now - z->query->sent_ns, p->slots[JOB_ASK].running * 2 >= w->size, now);
	window_judged(w, refuses(answer->err), now);
}

/* IXFR over TCP answers the question as well. */
static void ask_by_tcp(struct refresh *z)
{
	z->method = zone_have(refresh_zone(z)) == NULL ? REFRESH_BY_AXFR : REFRESH_BY_IXFR;
}

static void on_soa(struct soa_query *query, struct soa_answer answer)
{
	struct refresh *z = container_of(query, struct refresh_query, query)->owner;
	struct transfer *t = refresh_engine(z);
	struct addr primary = z->primary->addr;

	note_answer(z, &answer);
	attempt_end(z);
	switch (answer.verdict) {
	case SOA_TRUNCATED:
	case SOA_SILENT:
		ask_by_tcp(z);
		refresh_enqueue(z);
		break;
	case SOA_FAILED:
		refresh_event_failed(z, &primary, answer.err);
		refresh_attempt_failed(z, answer.err);
		break;
	case SOA_SERIAL:
		on_serial(z, &primary, answer.serial);
		break;
	}
	transfer_pump(t);
}

static enum err ask(struct refresh *z)
{
	struct soa_query_options options = { .to = z->primary->addr,
		                             .from = z->primary->source,
		                             .apex = zone_apex(refresh_zone(z)),
		                             .key = refresh_primary(z)->key,
		                             .done = on_soa };

	z->query = mem_zero(1, sizeof(*z->query));
	z->query->owner = z;
	z->query->sent_ns = io_now_ns(refresh_engine(z)->io);
	refresh_move(z, REFRESH_ASKING);
	transfer_count(&refresh_engine(z)->counts.soa_queries, 1);
	return soa_query_begin(&refresh_engine(z)->asks, &z->query->query, &options);
}

/* ---- committing ---- */

static void commit_over(struct refresh *z, enum err e)
{
	struct pull *p = z->pull;
	struct transfer *t = refresh_engine(z);
	struct zone *zone = refresh_zone(z);

	z->pull = NULL;
	t->committing--;
	if (e == ERR_OK) {
		transfer_count(&t->counts.transfers_done, 1);
		refresh_event_done(z, p);
		if (zone_hold(zone) != HOLD_NONE) {
			refresh_event_held(z);
		}
	} else {
		transfer_count(&t->counts.transfers_failed, 1);
		refresh_event_pull_failed(z, &p->session, e);
	}
	if (p->stopped != NULL) {
		refresh_move(z, REFRESH_IDLE);
		transfer_policy_set(t, zone, NULL);
		refresh_release(z);
		p->stopped(p->stopped_self, zone);
	} else if (e == ERR_OK) {
		refresh_committed(z, p->delay_ms, p->was_failing);
	} else {
		refresh_commit_failed(z, e);
	}
	pull_free(p);
	transfer_pump(t);
}

static void on_commit(struct commit *c, enum err e)
{
	struct pull *p = container_of(c, struct pull, commit);

	if (p->owner == NULL) {
		pull_free(p);
	} else {
		commit_over(p->owner, e);
	}
}

/* Hands the version to the store; if that is full, or at what an operator wants done about the zone,
 * again a little later. */
static void commit_try(struct refresh *z)
{
	struct pull *p = z->pull;
	struct zone_timers timers = zone_timers(refresh_zone(z));
	enum err e;

	p->was_failing = timers.failing_since_s != 0 || zone_expired(refresh_zone(z));
	p->delay_ms = refresh_timers_fresh(z, p->snap, &timers);
	p->commit.done = on_commit;
	p->commit.keep = refresh_policy(z)->history;
	e = store_commit(refresh_engine(z)->options.store, refresh_zone(z), p->snap, &timers,
	                 &p->commit);
	if (e == ERR_BUSY && ++p->commit_tries < COMMIT_TRIES_MAX) {
		io_timer_set(p->io, &p->timer, io_now_ns(p->io) + COMMIT_AGAIN_MS * NS_PER_MS);
		return;
	}
	if (e != ERR_OK) {
		commit_over(z, e);
		return;
	}
	p->snap = NULL; /* taken */
}

static void on_commit_timer(struct io_timer *timer)
{
	commit_try(container_of(timer, struct pull, timer)->owner);
}

static void commit_begin(struct refresh *z)
{
	struct pull *p = z->pull;

	p->timer.fn = on_commit_timer;
	leave_primary(z, JOB_PULL);
	z->last = (uint8_t)refresh_primary_index(z);
	refresh_move(z, REFRESH_COMMITTING);
	refresh_engine(z)->committing++;
	commit_try(z);
}

bool attempt_uncommit(struct refresh *z)
{
	assert(z->state == REFRESH_COMMITTING);
	if (z->pull->snap == NULL) {
		return false;
	}
	pull_free(z->pull);
	z->pull = NULL;
	refresh_engine(z)->committing--;
	refresh_move(z, REFRESH_IDLE);
	return true;
}

/* ---- pulling ---- */

/* A guard refused what came, and would refuse it however it came. */
static bool refused_for_good(const struct refresh *z, enum err e)
{
	return e == ERR_GUARD_SHRUNK || e == ERR_GUARD_RECORDS || e == ERR_GUARD_BYTES ||
	       (e == ERR_GUARD_ZONEMD && z->pull->session.form == SESSION_FORM_WHOLE);
}

/* After which failures of an IXFR is the whole zone asked of the same primary? All of them, but
 * for those that would befall it just the same. */
static bool axfr_may_help(const struct refresh *z, enum err e)
{
	/* There may be nobody; but who tries for all others tries that, too. */
	bool unheard = e == ERR_PEER_TIMEOUT && z->pull->request.heard_ns == 0 &&
	               primary_down(z->primary) && z->primary->prober != &z->link;

	return !refused_for_good(z, e) && z->method == REFRESH_BY_IXFR && !unheard &&
	       z->pull->request.connected && e != ERR_SERIAL_OLD && e != ERR_TSIG_BADKEY &&
	       e != ERR_TSIG_BADTIME && e != ERR_STOPPING;
}

static void pull_failed(struct refresh *z, enum err e)
{
	struct session *s = &z->pull->session;
	struct serial serial = session_serial(s);
	struct addr primary = z->primary->addr;
	bool again = axfr_may_help(z, e);
	bool lower = !again && e == ERR_SERIAL_OLD;

	if (e == ERR_PEER_TIMEOUT && z->pull->request.connected && z->pull->request.heard_ns == 0 &&
	    z->primary->heard_ns < s->progress_ns) {
		primary_unreached(z->primary, e);
		conn_give_up(z->primary, e);
	}
	if (e == ERR_PEER_TIMEOUT || e == ERR_LIMIT_IDLE) {
		window_lost(&z->primary->windows[JOB_PULL], io_now_ns(refresh_engine(z)->io));
	}
	window_judged(&z->primary->windows[JOB_PULL], refuses(e), io_now_ns(refresh_engine(z)->io));
	if (again) {
		refresh_event_fallback(z, &primary, e);
	} else if (!lower) {
		refresh_event_pull_failed(z, s, e);
		transfer_count(&refresh_engine(z)->counts.transfers_failed, 1);
	}
	attempt_end(z);
	if (again) {
		z->method = REFRESH_BY_AXFR;
		refresh_enqueue(z);
	} else if (lower) {
		on_serial(z, &primary, serial); /* as if it had been asked for that alone */
	} else {
		refresh_attempt_failed(z, e);
	}
}

/* ---- judging ---- */

/* Before a version made of differences is held for its content, the whole zone is asked for, in case
 * that it were the differences that are wrong; but not for each version after one that is held. */
static bool doubtful(const struct refresh *z, const struct guard_verdict *v)
{
	return v->act == GUARD_HOLD && (v->why == HOLD_NO_NS || v->why == HOLD_ZONEMD) &&
	       z->pull->session.form == SESSION_FORM_DIFFERENCES &&
	       zone_hold(refresh_zone(z)) != v->why;
}

/* Says what is remarkable about a version that is to be kept. */
static void tell_of(const struct refresh *z, const struct snapshot *fresh)
{
	const struct snapshot *have = zone_have(refresh_zone(z));
	struct snapshot_facts facts, had = { 0 };
	const struct snapshot *kept;

	snapshot_facts(fresh, &facts);
	if (have == NULL) {
		return;
	}
	snapshot_facts(have, &had);
	if (serial_newer(had.source_serial, facts.source_serial)) {
		refresh_event_lower(z, EVENT_SERIAL_FOLLOWED, &facts.primary, facts.source_serial);
	}
	kept = zone_kept_root(refresh_zone(z), &facts.root);
	if (kept != NULL && !id_equal(&facts.root, &had.root)) {
		refresh_event_known(z, facts.source_serial, snapshot_serial(kept));
	}
}

static struct guard_case case_of(const struct refresh *z)
{
	return (struct guard_case){ .guard = &refresh_policy(z)->guard,
		                    .fresh = z->pull->snap,
		                    .served = zone_borrow(refresh_zone(z)),
		                    .expired = zone_expired(refresh_zone(z)) };
}

/* All is known of a version: is it to be served, held or refused? */
static void judge(struct refresh *z, enum zonemd_result zonemd)
{
	struct pull *p = z->pull;
	struct guard_case c = case_of(z);
	struct guard_verdict v;

	c.zonemd = zonemd;
	v = guard_judge(&c);
	if (v.act == GUARD_REFUSE || doubtful(z, &v)) {
		pull_failed(z, v.err);
		return;
	}
	tell_of(z, p->snap);
	if (v.act == GUARD_HOLD) {
		p->commit.hold = v.why;
	} else if (v.why != HOLD_NONE) {
		refresh_event_passed(z, snapshot_source_serial(p->snap), v.why);
	}
	commit_begin(z);
}

/* Verifies the digest of a version part by part, and lets others run in between. */
static void verify(struct refresh *z)
{
	struct pull *p = z->pull;

	if (zonemd_check_step(p->check, VERIFY_OCTETS)) {
		io_timer_set(p->io, &p->timer, io_now_ns(p->io) + 1);
	} else {
		judge(z, zonemd_check_result(p->check));
	}
}

static void on_verify_timer(struct io_timer *timer)
{
	struct pull *p = container_of(timer, struct pull, timer);
	struct transfer *t = p->t;

	verify(p->owner);
	transfer_pump(t);
}

/* A version is there. */
static void pull_done(struct refresh *z)
{
	struct pull *p = z->pull;
	struct guard_case c;

	p->snap = session_take_snapshot(&p->session);
	window_judged(&z->primary->windows[JOB_PULL], false, io_now_ns(p->io));
	if (round_compares(z)) {
		struct snapshot *snap = p->snap;

		p->snap = NULL;
		attempt_end(z);
		round_compared(z, snap);
		return;
	}
	c = case_of(z);
	if (guard_wants_zonemd(&c)) {
		p->check = zonemd_check_new(p->snap);
		p->timer.fn = on_verify_timer;
		verify(z);
	} else {
		judge(z, ZONEMD_NONE);
	}
}

static void on_pull(struct pull *p)
{
	struct refresh *z = p->owner;
	struct transfer *t = refresh_engine(z);
	struct addr primary = z->primary->addr;

	switch (p->session.state) {
	case SESSION_DONE:
		pull_done(z);
		break;
	case SESSION_CURRENT:
		window_judged(&z->primary->windows[JOB_PULL], false, io_now_ns(p->io));
		z->primary->tells_by_ixfr = z->primary->tells_by_ixfr ||
		                            (z->method == REFRESH_BY_IXFR && p->session.in_step);
		attempt_end(z);
		refresh_no_news(z, &primary);
		break;
	case SESSION_FAILED:
		pull_failed(z, p->session.err);
		break;
	case SESSION_READY:
	case SESSION_ASKED:
	case SESSION_RECEIVING:
	case SESSION_STATES:
		assert(false); /* it has ended */
	}
	transfer_pump(t);
}

static void pull(struct refresh *z)
{
	struct session_options options = {
		.apex = zone_apex(refresh_zone(z)),
		.pool = refresh_engine(z)->options.pool,
		.have = zone_have(refresh_zone(z)),
		.kind = z->method == REFRESH_BY_IXFR ? SESSION_IXFR : SESSION_AXFR,
		.force = (z->serves & (WANT_WHOLE | WANT_REFETCH | WANT_LOWER)) != 0 ||
		         (round_compares(z) && z->method == REFRESH_BY_AXFR),
		.allow_no_ns = refresh_policy(z)->guard.no_ns == GUARD_HOLD,
		.key = refresh_primary(z)->key,
		.limits = &refresh_policy(z)->limits,
		.primary = z->primary->addr,
	};

	z->pull = pull_new(refresh_engine(z), &options, on_pull, z);
	refresh_move(z, REFRESH_PULLING);
	transfer_count(&refresh_engine(z)->counts.sessions, 1);
	refresh_event_started(z, &z->pull->session);
	pull_begin(z->pull, z->primary, lane_urgent(z->lane));
}

/* Is it worth a packet? Others may just have found the primary unreachable. Whose IXFR has just failed
 * there goes on, and an operator may always try. */
static bool admitted(struct refresh *z)
{
	bool fallback = z->method == REFRESH_BY_AXFR && zone_have(refresh_zone(z)) != NULL &&
	                (z->serves & (WANT_WHOLE | WANT_REFETCH)) == 0;
	bool by_hand = z->lane == LANE_OPERATOR;

	return primary_admits(z->primary, &z->link, by_hand) || by_hand || fallback;
}

/* Nothing is sent: the attempt fails of what the primary's last one failed of. */
static void spare(struct refresh *z)
{
	enum err e = z->primary->last_error;

	primary_slot_end(z->primary, refresh_job(z), z->lane);
	primary_put(z->primary);
	z->primary = NULL;
	refresh_attempt_failed(z, e);
}

void refresh_run(struct refresh *z)
{
	struct addr primary = z->primary->addr;
	enum err e;

	assert(z->state == REFRESH_QUEUED && link_alone(&z->link));
	if (round_takes_wants(z)) {
		z->serves |= z->wants;
		z->wants = 0;
	}
	if (z->method == REFRESH_BY_SOA && primary_deaf(z->primary)) {
		/* Others have found out meanwhile: it waits for a connection. */
		primary_slot_end(z->primary, JOB_ASK, z->lane);
		primary_put(z->primary);
		z->primary = NULL;
		ask_by_tcp(z);
		refresh_enqueue(z);
	} else if (!admitted(z)) {
		spare(z);
	} else if (z->method != REFRESH_BY_SOA) {
		pull(z);
	} else {
		e = ask(z);
		if (e != ERR_OK) {
			attempt_end(z);
			refresh_event_failed(z, &primary, e);
			refresh_attempt_failed(z, e);
		}
	}
}
