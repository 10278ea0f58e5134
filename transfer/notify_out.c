/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_out.c — tells others of new versions. */
#include "transfer/notify_out_p.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "transfer/owed_p.h"
#include "transfer/transfer_p.h"

enum target_state {
	TARGET_ANSWERS,
	TARGET_SILENT,
	TARGET_PROBED,
	TARGET_STATES,
};

#define MAY(state) (1U << (state))

static const unsigned edges[TARGET_STATES] = {
	[TARGET_ANSWERS] = MAY(TARGET_SILENT),
	[TARGET_SILENT] = MAY(TARGET_PROBED),
	[TARGET_PROBED] = MAY(TARGET_SILENT) | MAY(TARGET_ANSWERS),
};

struct notify_target {
	struct notifier *n;
	struct notify_target *chain;
	struct policy_target to; /* the key is referenced */
	enum target_state state;
	struct owed owed;
	struct link notices; /* under way */
	unsigned running;
	unsigned window; /* so many may run */
	struct io_timer timer;
	uint64_t asked_ns;  /* when the oldest that waits for any answer was sent; 0: none does */
	uint64_t next_ns;   /* the rate: when the next would go, if they were evenly spread */
	uint64_t silent_ns; /* since when; of SILENT and PROBED, as what follows */
	uint64_t probed_ns; /* the last time */
	uint32_t probe_s;   /* from one to the next */
	uint64_t dropped;   /* zones */
	uint64_t used_ns;
};

/* A notice under way. */
struct notice_out {
	struct notify_target *target;
	struct zone *zone;
	struct snapshot *snap; /* referenced: what it tells of; NULL: nothing is there */
	struct notice_out *chain;
	struct link link; /* in those of the target */
	bool again;       /* there is a newer version by now */
	struct ask ask;
};

static const struct ask_rule patient = {
	.opcode = OPCODE_NOTIFY, .flags = FLAG_AA, .tries = 5, .wait_s = { 2, 4, 8, 16, 30 }
};
static const struct ask_rule probe = {
	.opcode = OPCODE_NOTIFY, .flags = FLAG_AA, .tries = 1, .wait_s = { NOTIFY_PROBE_WAIT_S }
};

static void target_on_timer(struct io_timer *timer);

void notifier_init(struct notifier *n, struct transfer *t)
{
	*n = (struct notifier){ .t = t,
		                .seed = env_random_u64(t->io->env),
		                .owed_max = NOTICES_MAX };
	atomic_init(&n->rate, NOTIFY_RATE);
}

static uint64_t now_ns(const struct notifier *n)
{
	return io_now_ns(n->t->io);
}

static void target_move(struct notify_target *p, enum target_state to)
{
	assert((edges[p->state] & MAY(to)) != 0);
	p->state = to;
	if (to == TARGET_ANSWERS) {
		transfer_count(&p->n->t->counts.notify_silent, UINT64_MAX); /* one less */
	}
}

/* ---- targets ---- */

static bool target_is(const struct notify_target *p, const struct policy_target *to)
{
	const struct tsig_key *a = p->to.key, *b = to->key;

	return addr_equal(&p->to.addr, &to->addr) && p->to.source.family == to->source.family &&
	       (to->source.family == 0 || addr_same_ip(&p->to.source, &to->source)) &&
	       (a == b || (a != NULL && b != NULL && tsig_key_equal(a, b)));
}

static void target_free(struct notify_target *p)
{
	assert(p->running == 0);
	if (p->state != TARGET_ANSWERS) {
		transfer_count(&p->n->t->counts.notify_silent, UINT64_MAX);
	}
	io_timer_clear(p->n->t->io, &p->timer);
	owed_fini(&p->owed);
	tsig_key_unref(p->to.key);
	free(p);
}

/* Forgets those in one bucket that had nothing to be told for long; the buckets take turns. */
static void sweep_bucket(struct notifier *n)
{
	struct notify_target **at = &n->targets[n->sweep];
	uint64_t now = now_ns(n);

	n->sweep = (n->sweep + 1) % NOTIFY_TARGETS;
	while (*at != NULL) {
		struct notify_target *p = *at;

		if (p->running == 0 && p->owed.count == 0 &&
		    now - p->used_ns > NOTIFY_KEEP_S * NS_PER_S) {
			*at = p->chain;
			target_free(p);
		} else {
			at = &p->chain;
		}
	}
}

static struct notify_target *target_get(struct notifier *n, const struct policy_target *to)
{
	uint64_t hash =
		hash_bytes(n->seed, bytes_of(to->addr.ip, sizeof(to->addr.ip))) + to->addr.port;
	struct notify_target **bucket = &n->targets[hash % NOTIFY_TARGETS];
	struct notify_target *p = *bucket;

	while (p != NULL && !target_is(p, to)) {
		p = p->chain;
	}
	if (p == NULL) {
		sweep_bucket(n);
		p = mem_zero(1, sizeof(*p));
		p->n = n;
		p->to = *to;
		p->to.key = to->key == NULL ? NULL : tsig_key_ref(to->key);
		p->window = NOTICES_RUNNING_MIN;
		p->timer.fn = target_on_timer;
		link_init(&p->notices);
		p->chain = *bucket;
		*bucket = p;
	}
	p->used_ns = now_ns(n);
	return p;
}

/* ---- what waits ---- */

static void owed_count(struct notifier *n)
{
	atomic_store_explicit(&n->t->counts.notifies_owed, n->owed, memory_order_relaxed);
}

static bool has_room(const struct notify_target *p)
{
	uint32_t left = p->n->owed < p->n->owed_max ? p->n->owed_max - p->n->owed : 0;

	return p->state == TARGET_ANSWERS ? left > 0 : p->owed.count < left;
}

static void target_drop(struct notify_target *p, uint32_t zones)
{
	p->dropped += zones;
	transfer_count(&p->n->t->counts.notifies_dropped, zones);
}

static void target_owe(struct notify_target *p, const struct zone *zone)
{
	struct notifier *n = p->n;
	uint32_t place = store_place(n->t->options.store, zone);

	if (owed_has(&p->owed, place)) {
		return; /* it will be told of the newest */
	}
	if (!has_room(p)) {
		target_drop(p, 1);
		return;
	}
	n->owed += owed_add(&p->owed, place);
	owed_count(n);
}

/* The zone that waits longest; NULL if none does. */
static struct zone *target_take(struct notify_target *p)
{
	uint32_t place;

	if (!owed_take(&p->owed, &place)) {
		return NULL;
	}
	p->n->owed--;
	owed_count(p->n);
	return store_zone_at(p->n->t->options.store, place);
}

/* Gives up what waits. */
static void target_drop_all(struct notify_target *p)
{
	target_drop(p, p->owed.count);
	p->n->owed -= p->owed.count;
	owed_fini(&p->owed);
	owed_count(p->n);
}

/* ---- notices ---- */

static struct notice_out **notice_bucket(struct notifier *n, const struct zone *zone)
{
	return &n->running[name_hash(n->seed, zone_apex(zone)) % NOTIFY_BUCKETS];
}

/* Our SOA, so that the secondary knows at once whether it is news (RFC 1996 §3.7). */
static bool on_compose(struct ask *a, struct composer *c)
{
	struct notice_out *o = container_of(a, struct notice_out, ask);
	struct rr soa;

	if (o->snap == NULL) {
		return true;
	}
	snapshot_soa(o->snap, &o->target->n->t->scratch, &soa);
	return composer_rr(c, SECTION_ANSWER, &soa);
}

/* May another refusal be logged? A target that refuses all refuses thousands a second. */
static bool may_log(struct notifier *n)
{
	uint64_t now_s = now_ns(n) / NS_PER_S;

	if (now_s != n->told_at_s) {
		n->told_at_s = now_s;
		n->told = 0;
	}
	return n->told++ < NOTIFY_LINES_MAX;
}

static void report(const struct notice_out *o, enum err e)
{
	struct notify_target *p = o->target;
	struct events *ev = p->n->t->events;
	struct bytes apex = name_bytes(zone_apex(o->zone));

	if (e == ERR_OK) {
		EVENT(ev, EVENT_NOTIFY_OUT, F_NAME("zone", apex), F_ADDR("to", &p->to.addr),
		      F_UINT("serial", o->snap == NULL ? 0 : snapshot_serial(o->snap).n));
	} else if (may_log(p->n)) {
		EVENT(ev, EVENT_NOTIFY_OUT_FAILED, F_NAME("zone", apex), F_ADDR("to", &p->to.addr),
		      F_ERR("error", e));
	}
}

/* Ends a notice, if it has not ended, and frees it. */
static void notice_free(struct notice_out *o)
{
	struct notify_target *p = o->target;
	struct notice_out **at = notice_bucket(p->n, o->zone);

	ask_end(&o->ask);
	link_remove(&o->link);
	while (*at != o) {
		at = &(*at)->chain;
	}
	*at = o->chain;
	p->running--;
	snapshot_unref(o->snap);
	free(o);
}

static void on_done(struct ask *a, enum err e, const struct ask_answer *answer);

/* The settings may have changed while the zone waited. */
static bool is_target(const struct notify_target *p, const struct zone *zone)
{
	const struct zone_policy *policy = zone_policy(zone);

	for (size_t i = 0; policy != NULL && i < policy->notify_count; i++) {
		if (target_is(p, &policy->notify[i])) {
			return true;
		}
	}
	return false;
}

/* Sends a notice. ERR_NOT_FOUND: there is none to be sent. After a failure of this machine the zone
 * waits again. */
static enum err notice_begin(struct notify_target *p, struct zone *zone,
                             const struct ask_rule *rule)
{
	struct notifier *n = p->n;
	struct ask_options options = { .rule = rule,
		                       .to = p->to.addr,
		                       .from = p->to.source,
		                       .apex = zone_apex(zone),
		                       .key = p->to.key,
		                       .compose = on_compose,
		                       .done = on_done };
	struct notice_out **bucket = notice_bucket(n, zone);
	const struct snapshot *snap = zone_newest(zone);
	struct notice_out *o;
	enum err e;

	if (!is_target(p, zone)) {
		return ERR_NOT_FOUND;
	}
	o = mem_zero(1, sizeof(*o));
	o->target = p;
	o->zone = zone;
	o->snap = snap == NULL ? NULL : snapshot_ref(snap);
	o->chain = *bucket;
	*bucket = o;
	link_append(&p->notices, &o->link);
	p->running++;
	e = ask_begin(&n->t->asks, &o->ask, &options);
	if (e != ERR_OK) {
		report(o, e);
		notice_free(o);
		if (err_class(e) == ERR_CLASS_LOCAL) {
			target_owe(p, zone);
		}
		return e;
	}
	transfer_count(&n->t->counts.notifies_out, 1);
	p->asked_ns = p->asked_ns != 0 ? p->asked_ns : now_ns(n);
	return ERR_OK;
}

/* ---- the pace ---- */

/* When the rate allows the next one. */
static uint64_t rate_ns(const struct notify_target *p)
{
	uint64_t burst = NOTIFY_BURST_MS * NS_PER_MS;

	return p->next_ns > burst ? p->next_ns - burst : 0;
}

static void rate_count(struct notify_target *p, enum err e)
{
	uint32_t rate = atomic_load_explicit(&p->n->rate, memory_order_relaxed);
	uint64_t now = now_ns(p->n);

	if (err_class(e) == ERR_CLASS_LOCAL) {
		p->next_ns = now + (NOTIFY_BURST_MS + NOTIFY_AGAIN_MS) * NS_PER_MS;
	} else if (e == ERR_OK && rate > 0) {
		p->next_ns = (p->next_ns > now ? p->next_ns : now) + NS_PER_S / rate;
	}
}

/* Sets the timer to what comes first. */
static void target_arm(struct notify_target *p)
{
	struct io *io = p->n->t->io;
	uint64_t at = UINT64_MAX;

	if (p->state == TARGET_ANSWERS) {
		if (p->asked_ns != 0) {
			at = p->asked_ns + NOTIFY_SILENT_S * NS_PER_S;
		}
		if (p->owed.count > 0 && p->running < p->window && rate_ns(p) < at) {
			at = rate_ns(p);
		}
	} else if (p->state == TARGET_SILENT && p->owed.count > 0) {
		at = p->probed_ns + p->probe_s * NS_PER_S;
	}
	if (at == UINT64_MAX) {
		io_timer_clear(io, &p->timer);
	} else if (p->timer.at_ns != at) {
		io_timer_set(io, &p->timer, at);
	}
}

/* Sends what waits, as far as it may. */
static void target_go(struct notify_target *p)
{
	struct zone *zone;

	while (p->state == TARGET_ANSWERS && p->running < p->window && rate_ns(p) <= now_ns(p->n) &&
	       (zone = target_take(p)) != NULL) {
		rate_count(p, notice_begin(p, zone, &patient));
	}
	target_arm(p);
}

/* ---- silence ---- */

/* Nothing was answered for a while: all that is under way waits for better times. */
static void target_silent(struct notify_target *p)
{
	while (!link_alone(&p->notices)) {
		struct notice_out *o = container_of(p->notices.next, struct notice_out, link);
		struct zone *zone = o->zone;

		notice_free(o);
		target_owe(p, zone);
	}
	transfer_count(&p->n->t->counts.notify_silent, 1);
	target_move(p, TARGET_SILENT);
	p->silent_ns = p->asked_ns;
	p->asked_ns = 0;
	p->probed_ns = now_ns(p->n);
	p->probe_s = NOTIFY_PROBE_FIRST_S;
	EVENT(p->n->t->events, EVENT_NOTIFY_SILENT, F_ADDR("to", &p->to.addr),
	      F_UINT("zones", p->owed.count));
}

static void target_probe(struct notify_target *p)
{
	enum err e = ERR_NOT_FOUND;
	struct zone *zone;

	while (e == ERR_NOT_FOUND && (zone = target_take(p)) != NULL) {
		e = notice_begin(p, zone, &probe);
	}
	p->probed_ns = now_ns(p->n);
	if (e == ERR_OK) {
		target_move(p, TARGET_PROBED);
	}
}

/* The probe was not answered. */
static void target_still_silent(struct notify_target *p)
{
	uint64_t silent_s = (now_ns(p->n) - p->silent_ns) / NS_PER_S;

	target_move(p, TARGET_SILENT);
	p->asked_ns = 0;
	p->probe_s = p->probe_s * 2 < NOTIFY_PROBE_MAX_S ? p->probe_s * 2 : NOTIFY_PROBE_MAX_S;
	if (silent_s >= NOTIFY_GIVE_UP_S) {
		EVENT(p->n->t->events, EVENT_NOTIFY_GIVEN_UP, F_ADDR("to", &p->to.addr),
		      F_UINT("zones", p->owed.count), F_UINT("secs", silent_s));
		target_drop_all(p);
		p->silent_ns = now_ns(p->n);
	}
}

static void target_answered(struct notify_target *p)
{
	uint64_t now = now_ns(p->n);

	if (p->state == TARGET_PROBED) {
		target_move(p, TARGET_ANSWERS);
		p->window = NOTICES_RUNNING_MIN;
		EVENT(p->n->t->events, EVENT_NOTIFY_ANSWERED, F_ADDR("to", &p->to.addr),
		      F_UINT("secs", (now - p->silent_ns) / NS_PER_S),
		      F_UINT("zones", p->owed.count), F_UINT("dropped", p->dropped));
		p->dropped = 0;
	} else if (p->window < NOTICES_RUNNING_MAX) {
		p->window++;
	}
	p->asked_ns = p->running > 0 ? now : 0;
}

static void target_on_timer(struct io_timer *timer)
{
	struct notify_target *p = container_of(timer, struct notify_target, timer);

	switch (p->state) {
	case TARGET_ANSWERS:
		if (p->asked_ns != 0 && p->asked_ns + NOTIFY_SILENT_S * NS_PER_S <= now_ns(p->n)) {
			target_silent(p);
		}
		break;
	case TARGET_SILENT:
		target_probe(p);
		break;
	case TARGET_PROBED:
	case TARGET_STATES:
		break;
	}
	target_go(p);
}

static void on_done(struct ask *a, enum err e, const struct ask_answer *answer)
{
	struct notice_out *o = container_of(a, struct notice_out, ask);
	struct notify_target *p = o->target;
	struct zone *zone = o->zone;
	bool again = o->again || (e != ERR_OK && p->state == TARGET_PROBED);

	if (e == ERR_OK) {
		report(o, err_from_rcode(header_rcode(&answer->header)));
	} else if (!again) {
		report(o, e); /* others were answered meanwhile */
	}
	notice_free(o);
	if (e == ERR_OK) {
		target_answered(p);
	}
	if (again) {
		target_owe(p, zone);
	}
	if (p->state == TARGET_PROBED) {
		target_still_silent(p);
	}
	target_go(p);
}

/* ---- from outside ---- */

static struct notice_out *notice_find(struct notifier *n, const struct zone *zone,
                                      const struct notify_target *target)
{
	struct notice_out *o = *notice_bucket(n, zone);

	while (o != NULL && !(o->zone == zone && (target == NULL || o->target == target))) {
		o = o->chain;
	}
	return o;
}

void notifier_tell(struct notifier *n, struct zone *zone, const struct policy_target *target)
{
	struct notify_target *p = target_get(n, target);
	struct notice_out *o = notice_find(n, zone, p);

	if (o != NULL && (o->ask.tries <= 1 || p->state == TARGET_PROBED)) {
		o->again = true; /* its answer should not be long in coming */
		return;
	}
	if (o != NULL) {
		notice_free(o); /* tells of an older version, and waits longer and longer */
	}
	target_owe(p, zone);
	target_go(p);
}

static void forget_owed(struct notifier *n, const struct zone *zone)
{
	uint32_t place = store_place(n->t->options.store, zone);

	for (unsigned i = 0; i < NOTIFY_TARGETS && n->owed > 0; i++) {
		for (struct notify_target *p = n->targets[i]; p != NULL; p = p->chain) {
			n->owed -= owed_remove(&p->owed, place);
		}
	}
	owed_count(n);
}

void notifier_forget(struct notifier *n, struct zone *zone)
{
	struct notice_out *o;

	forget_owed(n, zone);
	while ((o = notice_find(n, zone, NULL)) != NULL) {
		struct notify_target *p = o->target;

		notice_free(o);
		if (p->state == TARGET_PROBED) {
			target_move(p, TARGET_SILENT); /* it was not asked, so to say */
		}
		p->asked_ns = p->running > 0 ? p->asked_ns : 0;
		target_go(p);
	}
}

void notifier_fini(struct notifier *n)
{
	for (unsigned i = 0; i < NOTIFY_TARGETS; i++) {
		while (n->targets[i] != NULL) {
			struct notify_target *p = n->targets[i];

			while (!link_alone(&p->notices)) {
				notice_free(container_of(p->notices.next, struct notice_out, link));
			}
			n->targets[i] = p->chain;
			target_free(p);
		}
	}
}
