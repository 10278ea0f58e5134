/* SPDX-License-Identifier: MIT
 *
 * transfer/transfer.c — one shard's engine: zones come and go, slots are filled, time passes. */
#include "transfer/transfer_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "transfer/conn_p.h"
#include "transfer/refresh_p.h"

static void on_due(struct io_timer *timer);
static void on_pump(struct io_timer *timer);
static void on_changed(void *self);
static void on_news(void *self, const struct primary *p, enum primary_news news);

unsigned transfer_zone_bytes(void)
{
	static_assert(sizeof(struct refresh) % 8 == 0, "the zone stands right behind it");
	return sizeof(struct refresh);
}

enum err transfer_new(const struct transfer_options *options, struct transfer **out)
{
	struct transfer *t = mem_zero(1, sizeof(*t));
	struct primaries *p = &t->primaries;

	assert(options->io != NULL && options->events != NULL);
	assert(options->store != NULL && options->pool != NULL);
	t->options = *options;
	t->io = options->io;
	t->events = options->events;
	t->due_timer.fn = on_due;
	t->pump_timer.fn = on_pump;
	primaries_init(p, t->io, options->quotas);
	p->owner = (struct primaries_owner){ t, on_changed, on_news };
	p->slots_max[JOB_PULL] = options->sessions_max != 0 ? options->sessions_max : SESSIONS_MAX;
	p->slots_max[JOB_ASK] = ASKS_MAX;
	due_init(&t->due, store_region(options->store), io_now_ns(t->io));
	asks_init(&t->asks, t->io);
	notifier_init(&t->notifier, t);
	*out = t;
	return ERR_OK;
}

static struct refresh *refresh_of(const struct zone *zone)
{
	struct refresh *z = zone_engine(zone);

	assert(z != NULL); /* started */
	return z;
}

void transfer_free(struct transfer *t)
{
	struct due_item *item;
	uint64_t at_ns;

	if (t == NULL) {
		return;
	}
	t->stopping = true; /* nothing begins any more */
	t->primaries.stopping = true;
	while ((item = due_first(&t->due, &at_ns)) != NULL) {
		struct refresh *z = container_of(item, struct refresh, due);
		struct zone *zone = refresh_zone(z);

		refresh_drop(z);
		transfer_policy_set(t, zone, NULL);
	}
	notifier_fini(&t->notifier);
	conn_close_all(&t->primaries);
	asks_fini(&t->asks);
	primaries_fini(&t->primaries);
	io_timer_clear(t->io, &t->due_timer);
	io_timer_clear(t->io, &t->pump_timer);
	due_fini(&t->due);
	free(t);
}

void transfer_settle(struct transfer *t)
{
	uint64_t until = io_now_ns(t->io) + REFRESH_NOTE_MS * NS_PER_MS + (1ULL << DUE_TICK_BITS);
	struct due_item *item;
	uint64_t at_ns;

	/* Those whose intents are not noted are due by then, to be noted. */
	while ((item = due_first(&t->due, &at_ns)) != NULL && at_ns <= until) {
		refresh_settle(container_of(item, struct refresh, due));
		due_set(&t->due, item, DUE_NEVER);
	}
}

/* ---- turns ---- */

static bool pump_one(struct transfer *t)
{
	struct link *l = NULL;

	if (t->committing < COMMITS_MAX) {
		l = primaries_take(&t->primaries, JOB_PULL);
	}
	if (l == NULL) {
		l = primaries_take(&t->primaries, JOB_ASK);
	}
	if (l != NULL) {
		refresh_run(container_of(l, struct refresh, link));
	}
	return l != NULL;
}

/* Sets the timer to what is due first. */
static void rearm(struct transfer *t)
{
	uint64_t at_ns;

	if (due_first(&t->due, &at_ns) == NULL || at_ns == DUE_NEVER) {
		io_timer_clear(t->io, &t->due_timer);
	} else if (!io_timer_is_set(&t->due_timer) || t->due_timer.at_ns != at_ns) {
		io_timer_set(t->io, &t->due_timer, at_ns == 0 ? 1 : at_ns);
	}
}

/* Zones whose primary came back, or is to be tried. */
static bool wake_some(struct transfer *t)
{
	for (unsigned i = 0; i < WAKES_MAX; i++) {
		struct link *l = primaries_wake(&t->primaries);

		if (l == NULL) {
			return false;
		}
		refresh_wake(container_of(l, struct refresh, link));
	}
	return true;
}

/* Once a turn, after everything that happened in it: so requests go out together. */
static void on_pump(struct io_timer *timer)
{
	struct transfer *t = container_of(timer, struct transfer, pump_timer);
	unsigned begun = 0;
	bool more = wake_some(t);

	while (begun < PUMP_MAX && pump_one(t)) {
		begun++;
	}
	conns_flush(&t->primaries);
	rearm(t);
	if (more || begun == PUMP_MAX) {
		transfer_pump(t); /* let others run */
	}
}

void transfer_pump(struct transfer *t)
{
	if (!t->stopping && !io_timer_is_set(&t->pump_timer)) {
		io_timer_set(t->io, &t->pump_timer, 1);
	}
}

static void on_changed(void *self)
{
	transfer_pump(self);
}

static void on_news(void *self, const struct primary *p, enum primary_news news)
{
	struct transfer *t = self;

	switch (news) {
	case PRIMARY_WENT_DOWN:
		EVENT(t->events, EVENT_PRIMARY_DOWN, F_ADDR("primary", &p->addr),
		      F_ERR("error", p->last_error));
		break;
	case PRIMARY_CAME_UP:
		EVENT(t->events, EVENT_PRIMARY_UP, F_ADDR("primary", &p->addr));
		break;
	case PRIMARY_CAN_LESS:
		EVENT(t->events, EVENT_PRIMARY_ABILITY, F_ADDR("primary", &p->addr),
		      F_STR("ability", primary_ability_print(p->ability)));
		break;
	}
}

static void on_due(struct io_timer *timer)
{
	struct transfer *t = container_of(timer, struct transfer, due_timer);
	uint64_t now = io_now_ns(t->io);
	struct due_item *item;
	uint64_t at_ns;

	due_advance(&t->due, now);
	for (unsigned i = 0; i < PUMP_MAX; i++) {
		item = due_first(&t->due, &at_ns);
		if (item == NULL || at_ns > now) {
			break;
		}
		refresh_due(container_of(item, struct refresh, due));
	}
	transfer_pump(t);
}

/* ---- zones ---- */

struct retired_policy {
	struct epoch_item item;
	struct zone_policy *policy;
};

static void policy_unref_retired(struct epoch_item *item)
{
	struct retired_policy *r = container_of(item, struct retired_policy, item);

	zone_policy_unref(r->policy);
	free(r);
}

void transfer_policy_set(struct transfer *t, struct zone *zone, struct zone_policy *policy)
{
	struct zone_policy *old = (struct zone_policy *)zone_policy(zone);
	struct retired_policy *r;

	zone_set_policy(zone, policy == NULL ? NULL : zone_policy_ref(policy));
	if (old == NULL || t->options.epoch == NULL) {
		zone_policy_unref(old);
		return;
	}
	r = mem_zero(1, sizeof(*r));
	r->policy = old;
	epoch_retire(t->options.epoch, &r->item, policy_unref_retired);
}

void transfer_zone_start(struct transfer *t, struct zone *zone, struct zone_policy *policy)
{
	if (zone_policy(zone) != policy) { /* else the zone's reference becomes the engine's */
		transfer_policy_set(t, zone, policy);
	}
	refresh_start(t, zone);
	transfer_pump(t);
}

void transfer_zone_change(struct transfer *t, struct zone *zone, struct zone_policy *policy)
{
	bool refetch = zone_policy_refetch(zone_policy(zone), policy);

	transfer_policy_set(t, zone, policy);
	refresh_policy_changed(refresh_of(zone), refetch);
	transfer_pump(t);
}

void transfer_zone_stop(struct transfer *t, struct zone *zone,
                        void (*done)(void *self, struct zone *), void *self)
{
	refresh_stop(refresh_of(zone), done, self);
	transfer_pump(t);
}

void transfer_zone_refresh(struct transfer *t, struct zone *zone)
{
	refresh_want(refresh_of(zone), WANT_REFRESH);
	transfer_pump(t);
}

void transfer_zone_retransfer(struct transfer *t, struct zone *zone)
{
	refresh_want(refresh_of(zone), WANT_WHOLE);
	transfer_pump(t);
}

void transfer_zone_notified(struct transfer *t, struct zone *zone, const struct transfer_notice *n)
{
	transfer_count(&t->counts.notifies_in, 1);
	refresh_notified(refresh_of(zone), n);
	transfer_pump(t);
}

void transfer_zone_report(struct transfer *t, struct zone *zone, struct transfer_zone_report *out)
{
	(void)t;
	refresh_report(refresh_of(zone), out);
}

void transfer_on_publish(struct transfer *t, struct publish_event event)
{
	const struct zone_policy *policy = zone_policy(event.zone);

	if (policy == NULL || zone_engine(event.zone) == NULL) {
		return;
	}
	for (size_t i = 0; i < policy->notify_count; i++) {
		notifier_tell(&t->notifier, event.zone, &policy->notify[i]);
	}
}

void transfer_notify_rate(struct transfer *t, uint32_t per_second)
{
	atomic_store_explicit(&t->notifier.rate, per_second, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void transfer_counts(const struct transfer *t, struct transfer_counts *out)
{
	*out = (struct transfer_counts){
		.sessions = load(&t->counts.sessions),
		.transfers_done = load(&t->counts.transfers_done),
		.transfers_failed = load(&t->counts.transfers_failed),
		.bytes_in = load(&t->counts.bytes_in),
		.soa_queries = load(&t->counts.soa_queries),
		.notifies_in = load(&t->counts.notifies_in),
		.notifies_out = load(&t->counts.notifies_out),
		.notifies_owed = load(&t->counts.notifies_owed),
		.notifies_dropped = load(&t->counts.notifies_dropped),
		.compared = load(&t->counts.compared),
		.compared_differ = load(&t->counts.compared_differ),
		.notify_silent = load(&t->counts.notify_silent),
	};
}
