/* SPDX-License-Identifier: MIT
 *
 * daemon/ops.c — what the control interface asks, answered by jobs on the shards.
 *
 * Runs on control threads, which never touch a zone: a zone is looked at on the shard that owns it,
 * and a version leaves it by reference. Listings hold apply_lock for reading, so that the zones
 * they walk stay. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "daemon/daemon_p.h"
#include "daemon/job_p.h"
#include "daemon/ops_p.h"

/* ---- one zone ---- */

enum zone_act { ACT_GET, ACT_REFRESH, ACT_RETRANSFER };

struct zone_job {
	struct shard_job job;
	enum zone_act act;
	struct name_buf name;
	struct control_zone out;
};

static enum control_zone_state state_of(enum transfer_zone_state state)
{
	static const enum control_zone_state states[] = {
		[TRANSFER_ZONE_NEW] = CONTROL_ZONE_NEW,
		[TRANSFER_ZONE_OK] = CONTROL_ZONE_OK,
		[TRANSFER_ZONE_REFRESHING] = CONTROL_ZONE_REFRESHING,
		[TRANSFER_ZONE_FAILING] = CONTROL_ZONE_FAILING,
		[TRANSFER_ZONE_EXPIRED] = CONTROL_ZONE_EXPIRED,
	};

	return states[state];
}

/* While the store is being loaded no engine runs; what is served by then is told all the same. */
static enum control_zone_state zone_state(struct shard *s, struct zone *zone, struct addr *differs)
{
	struct transfer_zone_report report;

	*differs = (struct addr){ 0 };
	if (zone_engine(zone) == NULL) {
		return zone_expired(zone)          ? CONTROL_ZONE_EXPIRED
		       : zone_borrow(zone) == NULL ? CONTROL_ZONE_NEW
		                                   : CONTROL_ZONE_OK;
	}
	transfer_zone_report(s->transfer, zone, &report);
	*differs = report.differs;
	return state_of(report.state);
}

/* What is kept aside of a zone. */
static void zone_fill_held(const struct zone *zone, struct control_zone *out)
{
	const struct snapshot *have = zone_have(zone);
	struct snapshot_facts f;

	out->pinned = zone_pinned(zone);
	out->held = ops_hold(zone_hold(zone));
	out->versions = (uint16_t)zone_versions(zone, NULL, 0);
	if (out->held != CONTROL_HOLD_NONE && have != NULL) {
		snapshot_facts(have, &f);
		out->held_serial = f.source_serial.n;
		out->held_received_at_s = f.received_at_s;
	}
}

static void zone_fill(struct shard *s, struct zone *zone, struct control_zone *out)
{
	const struct snapshot *snap = zone_borrow(zone);
	struct zone_timers t = store_timers(s->d->store, zone); /* it may still be loading */
	struct snapshot_facts f;

	*out = (struct control_zone){
		.served = snap != NULL,
		.refreshed_at_s = t.refreshed_at_s,
		.refresh_at_s = t.refresh_at_s,
		.expire_at_s = t.expire_at_s,
		.failing_since_s = t.failing_since_s,
		.last_error = t.last_error,
		.last_error_primary = t.last_error_primary,
		.last_error_at_s = t.last_error_at_s,
	};
	out->state = zone_state(s, zone, &out->differs);
	name_copy(zone_apex(zone), &out->name);
	zone_fill_held(zone, out);
	if (snap != NULL) {
		snapshot_facts(snap, &f);
		out->serial = f.serial.n;
		out->source_serial = f.source_serial.n;
		out->root = f.root;
		out->records = f.records;
		out->bytes = f.bytes;
		out->primary = f.primary;
		out->origin = ops_origin(f.origin);
		out->received_at_s = f.received_at_s;
	}
}

static enum err zone_job_run(struct shard *s, struct shard_job *job)
{
	struct zone_job *j = container_of(job, struct zone_job, job);
	struct zone *zone = store_find(s->d->store, name_of(&j->name));

	if (zone == NULL) {
		return ERR_NOT_FOUND;
	}
	if (zone_engine(zone) == NULL && (j->act == ACT_REFRESH || j->act == ACT_RETRANSFER)) {
		return ERR_BUSY; /* still loading */
	}
	switch (j->act) {
	case ACT_GET:
		zone_fill(s, zone, &j->out);
		return ERR_OK;
	case ACT_REFRESH:
		transfer_zone_refresh(s->transfer, zone);
		return ERR_OK;
	case ACT_RETRANSFER:
		transfer_zone_retransfer(s->transfer, zone);
		return ERR_OK;
	}
	return ERR_NOT_FOUND;
}

static void zone_job_free(struct shard_job *job)
{
	free(container_of(job, struct zone_job, job));
}

/* Runs one act on the zone's owner. *out is the job, for job_release() by the caller, on success.
 */
static enum err zone_act(struct daemon *d, struct name name, enum zone_act act,
                         struct zone_job **out)
{
	struct zone_job *j = mem_zero(1, sizeof(*j));
	enum err e;

	job_init(&j->job, zone_job_run, zone_job_free);
	j->act = act;
	name_copy(name, &j->name);
	e = job_send(&j->job, &d->shards[store_shard_of(d->store, name)]);
	if (e == ERR_OK) {
		e = job_wait(&j->job, CALL_DEADLINE_S);
	}
	if (e != ERR_OK || out == NULL) {
		job_release(&j->job);
		return e;
	}
	*out = j;
	return ERR_OK;
}

static enum err ops_zone_get(void *self, struct name name, struct control_zone *out)
{
	struct zone_job *j;

	TRY(zone_act(self, name, ACT_GET, &j));
	*out = j->out;
	job_release(&j->job);
	return ERR_OK;
}

static enum err ops_zone_refresh(void *self, struct name name)
{
	return zone_act(self, name, ACT_REFRESH, NULL);
}

static enum err ops_zone_retransfer(void *self, struct name name)
{
	return zone_act(self, name, ACT_RETRANSFER, NULL);
}

/* ---- listings ---- */

/* Versions of the zone, and the octets of them all. */
static void zone_fill_sizes(const struct zone *zone, struct control_zone *out)
{
	struct version_view views[CONTROL_VERSIONS_MAX];
	size_t count = zone_versions(zone, views, ARRAY_LEN(views));
	struct snapshot_facts f;

	out->versions = (uint16_t)count;
	for (size_t i = 0; i < count && i < ARRAY_LEN(views); i++) {
		snapshot_facts(views[i].snap, &f);
		out->bytes += f.bytes;
		snapshot_unref(views[i].snap);
	}
}

struct page_job {
	struct shard_job job;
	struct zone **zones;
	size_t *at; /* where each zone's row goes */
	size_t count;
	enum page_what what;
	struct control_zone *rows;
};

static enum err page_job_run(struct shard *s, struct shard_job *job)
{
	struct page_job *j = container_of(job, struct page_job, job);

	for (size_t i = 0; i < j->count; i++) {
		switch (j->what) {
		case PAGE_STATES:
			j->rows[i].state = zone_state(s, j->zones[i], &j->rows[i].differs);
			j->rows[i].held = ops_hold(zone_hold(j->zones[i]));
			j->rows[i].pinned = zone_pinned(j->zones[i]);
			break;
		case PAGE_SIZES:
			zone_fill_sizes(j->zones[i], &j->rows[i]);
			break;
		case PAGE_ALL:
			zone_fill(s, j->zones[i], &j->rows[i]);
			break;
		}
	}
	return ERR_OK;
}

static void page_job_free(struct shard_job *job)
{
	struct page_job *j = container_of(job, struct page_job, job);

	free(j->zones);
	free(j->at);
	free(j->rows);
	free(j);
}

static struct page_job *page_job_new(size_t cap, enum page_what what)
{
	struct page_job *j = mem_zero(1, sizeof(*j));

	job_init(&j->job, page_job_run, page_job_free);
	j->what = what;
	j->zones = mem_new(cap * sizeof(*j->zones));
	j->at = mem_new(cap * sizeof(*j->at));
	j->rows = mem_zero(cap, sizeof(*j->rows));
	return j;
}

static enum err page_job_collect(struct daemon *d, struct page_job *j, unsigned shard,
                                 struct control_zone *out)
{
	enum err e = job_send(&j->job, &d->shards[shard]);

	if (e == ERR_OK) {
		e = job_wait(&j->job, CALL_DEADLINE_S);
	}
	for (size_t i = 0; e == ERR_OK && i < j->count; i++) {
		out[j->at[i]] = j->rows[i];
	}
	return e;
}

/* Fills rows of the zones [first, first + count) of the configuration. Lock held for reading. */
static enum err page_fill(struct daemon *d, size_t first, size_t count, enum page_what what,
                          struct control_zone *out)
{
	const struct applied *a = atomic_load(&d->applied);
	struct page_job *jobs[SHARDS_MAX] = { 0 };
	enum err e = ERR_OK;

	for (size_t i = 0; i < count; i++) {
		struct zone *zone = store_zone_at(d->store, a->zones[first + i]);
		struct page_job **j = &jobs[zone_shard(zone)];
		if (*j == NULL) {
			*j = page_job_new(count, what);
		}
		(*j)->zones[(*j)->count] = zone;
		(*j)->at[(*j)->count++] = i;
	}
	for (unsigned i = 0; i < d->shard_count; i++) {
		if (jobs[i] != NULL) {
			enum err got = page_job_collect(d, jobs[i], i, out);
			e = e == ERR_OK ? got : e;
			job_release(&jobs[i]->job);
		}
	}
	return e;
}

static enum err ops_zone_page(void *self, uint64_t *cursor, struct control_zone *out, size_t cap,
                              size_t *count)
{
	struct daemon *d = self;
	const struct applied *a;
	enum err e = ERR_OK;

	pthread_rwlock_rdlock(&d->apply_lock);
	a = atomic_load(&d->applied);
	*count = 0;
	if (*cursor < a->zone_count) {
		size_t left = a->zone_count - (size_t)*cursor;
		size_t take = left < cap ? left : cap;
		e = page_fill(d, (size_t)*cursor, take, PAGE_ALL, out);
		if (e == ERR_OK) {
			*count = take;
			*cursor += take;
		}
	}
	pthread_rwlock_unlock(&d->apply_lock);
	return e;
}

/* ---- status ---- */

enum err ops_each_zone(struct daemon *d, enum page_what what,
                       void (*visit)(void *self, const struct control_zone *row), void *self)
{
	struct control_zone *rows = mem_new(CONTROL_PAGE * sizeof(*rows));
	size_t zone_count;
	enum err e = ERR_OK;

	pthread_rwlock_rdlock(&d->apply_lock);
	zone_count = ((const struct applied *)atomic_load(&d->applied))->zone_count;
	for (size_t at = 0; at < zone_count && e == ERR_OK; at += CONTROL_PAGE) {
		size_t take = zone_count - at < CONTROL_PAGE ? zone_count - at : CONTROL_PAGE;
		e = page_fill(d, at, take, what, rows);
		for (size_t i = 0; e == ERR_OK && i < take; i++) {
			visit(self, &rows[i]);
		}
	}
	pthread_rwlock_unlock(&d->apply_lock);
	free(rows);
	return e;
}

static void count_state(void *self, const struct control_zone *row)
{
	struct control_status *out = self;

	out->zones_by_state[row->state]++;
	out->zones_held += row->held != CONTROL_HOLD_NONE;
	out->zones_pinned += row->pinned;
	out->zones_differ += row->differs.family != 0;
}

static void sum_counts(const struct daemon *d, struct control_status *out)
{
	for (unsigned i = 0; i < d->shard_count; i++) {
		const struct shard *s = &d->shards[i];
		struct transfer_counts t = { 0 };

		out->queries += atomic_load_explicit(&s->counts.queries, memory_order_relaxed);
		out->transfers_out +=
			atomic_load_explicit(&s->counts.transfers_out, memory_order_relaxed);
		out->transfers_out_ixfr +=
			atomic_load_explicit(&s->counts.transfers_out_ixfr, memory_order_relaxed);
		out->transfers_out_axfr +=
			atomic_load_explicit(&s->counts.transfers_out_axfr, memory_order_relaxed);
		out->bytes_out += atomic_load_explicit(&s->counts.bytes_out, memory_order_relaxed);
		transfer_counts(s->transfer, &t);
		out->transfers_running += t.sessions;
		out->transfers_done += t.transfers_done;
		out->transfers_failed += t.transfers_failed;
		out->bytes_in += t.bytes_in;
		out->soa_queries += t.soa_queries;
		out->notifies_in += t.notifies_in;
		out->notifies_out += t.notifies_out;
		out->notifies_owed += t.notifies_owed;
		out->notifies_dropped += t.notifies_dropped;
		out->notify_silent += t.notify_silent;
		out->compared += t.compared;
		out->compared_differ += t.compared_differ;
		out->notifies_limited +=
			atomic_load_explicit(&s->counts.notifies_limited, memory_order_relaxed);
	}
}

static enum err ops_status(void *self, struct control_status *out)
{
	struct daemon *d = self;
	struct store_stats stats;

	*out = (struct control_status){ .version = AXFARM_VERSION,
		                        .started_at_s = d->started_at_s,
		                        .workers = d->shard_count };
	store_stats(d->store, &stats);
	out->zones = stats.zones;
	out->loading = !atomic_load(&d->loaded);
	out->store_failing = store_failing(d->store, &out->store_error);
	out->store_bytes = stats.journal.used_bytes;
	out->bodies = stats.pool.bodies;
	out->nodes = stats.pool.nodes;
	out->memory_bytes = stats.pool.mapped_bytes;
	sum_counts(d, out);
	TRY(ops_count_primaries(d, out));
	return ops_each_zone(d, PAGE_STATES, count_state, out);
}

/* ---- the daemon itself ---- */

static enum err ops_reload(void *self, struct control_reload *out, char *why, size_t why_cap)
{
	return daemon_reload(self, out, why, why_cap);
}

static void ops_stop(void *self)
{
	(void)self;
	/* The main thread waits for signals: one way to end for everybody. */
	kill(getpid(), SIGTERM);
}

void daemon_control_ops(struct daemon *d, struct control_ops *out)
{
	*out = (struct control_ops){
		.self = d,
		.status = ops_status,
		.zone_page = ops_zone_page,
		.zone_get = ops_zone_get,
		.zone_refresh = ops_zone_refresh,
		.zone_retransfer = ops_zone_retransfer,
		.zone_export = ops_zone_export,
		.zone_history = ops_zone_history,
		.zone_diff = ops_zone_diff,
		.zone_act = ops_zone_act,
		.primaries = ops_primaries,
		.store_stats = ops_store_stats,
		.store_check = ops_store_check,
		.reload = ops_reload,
		.stop = ops_stop,
	};
}
