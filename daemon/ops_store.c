/* SPDX-License-Identifier: MIT
 *
 * daemon/ops_store.c — what the control interface asks of the store. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "daemon/job_p.h"
#include "daemon/ops_p.h"
#include "daemon/verify_p.h"
#include "zonestore/check.h"

static void add_sizes(void *self, const struct control_zone *row)
{
	struct control_store *out = self;

	out->versions += row->versions;
	out->wire_bytes += row->bytes;
}

enum err ops_store_stats(void *self, struct control_store *out)
{
	struct daemon *d = self;
	struct store_stats s;

	store_stats(d->store, &s);
	*out = (struct control_store){
		.zones = s.zones,
		.nodes = s.pool.nodes,
		.bodies = s.pool.bodies,
		.node_bytes = s.pool.node_bytes,
		.body_bytes = s.pool.body_bytes,
		.table_bytes = s.pool.table_bytes,
		.snapshot_bytes = s.pool.snapshot_bytes,
		.mapped_bytes = s.pool.mapped_bytes,
		.disk_used_bytes = s.journal.used_bytes,
		.disk_size_bytes = s.journal.size_bytes,
		.commits = s.journal.commits,
		.updates = s.disk.updates,
		.notes = s.disk.notes,
		.nodes_written = s.disk.nodes_written,
		.nodes_dropped = s.disk.nodes_dropped,
		.failures = s.disk.failures,
		.value_bytes = s.disk.value_bytes,
		.written_bytes = s.journal.written_bytes,
		.commits_waiting = s.commits_waiting,
		.drops_waiting = s.disk.drops_waiting,
		.wait = s.disk.wait,
		.durable = s.disk.durable,
		.transactions = s.disk.transactions,
	};
	return ops_each_zone(d, PAGE_SIZES, add_sizes, out);
}

/* ---- check ---- */

/* References to versions. */
struct refs {
	const struct snapshot **at;
	size_t count;
	size_t cap;
};

static void refs_add(struct refs *r, const struct snapshot *snap)
{
	if (r->count == r->cap) {
		r->cap = r->cap == 0 ? 1024 : 2 * r->cap;
		r->at = mem_grow(r->at, r->cap * sizeof(struct snapshot *));
	}
	r->at[r->count++] = snap;
}

static void refs_fini(struct refs *r)
{
	for (size_t i = 0; i < r->count; i++) {
		snapshot_unref((struct snapshot *)(uintptr_t)r->at[i]); /* it is ours */
	}
	free(r->at);
	*r = (struct refs){ 0 };
}

/* References to the versions of a shard's zones among some of the configuration. */
struct refs_job {
	struct shard_job job;
	struct zone *zones[CONTROL_PAGE];
	size_t count;
	struct refs refs;
	struct version_view views[CONTROL_VERSIONS_MAX];
};

static enum err refs_job_run(struct shard *s, struct shard_job *job)
{
	struct refs_job *j = container_of(job, struct refs_job, job);

	(void)s;
	for (size_t i = 0; i < j->count; i++) {
		size_t count = zone_versions(j->zones[i], j->views, CONTROL_VERSIONS_MAX);
		for (size_t k = 0; k < count && k < CONTROL_VERSIONS_MAX; k++) {
			refs_add(&j->refs, j->views[k].snap);
		}
	}
	return ERR_OK;
}

static void refs_job_free(struct shard_job *job)
{
	struct refs_job *j = container_of(job, struct refs_job, job);

	refs_fini(&j->refs);
	free(j);
}

/* Adds references to all versions of those of the zones (places in the store) that are the shard's. */
static enum err collect(struct daemon *d, unsigned shard, const uint32_t *zones, size_t count,
                        struct refs *out)
{
	struct refs_job *j = mem_zero(1, sizeof(*j));
	enum err e;

	job_init(&j->job, refs_job_run, refs_job_free);
	for (size_t i = 0; i < count; i++) {
		struct zone *zone = store_zone_at(d->store, zones[i]);
		if (zone_shard(zone) == shard) {
			j->zones[j->count++] = zone;
		}
	}
	e = job_send(&j->job, &d->shards[shard]);
	if (e == ERR_OK) {
		e = job_wait(&j->job, CALL_DEADLINE_S);
	}
	for (size_t i = 0; e == ERR_OK && i < j->refs.count; i++) {
		refs_add(out, j->refs.at[i]);
	}
	if (e == ERR_OK) {
		j->refs.count = 0; /* they are in `out` */
	}
	job_release(&j->job);
	return e;
}

static enum err collect_all(struct daemon *d, struct refs *out)
{
	const struct applied *a;
	enum err e = ERR_OK;

	pthread_rwlock_rdlock(&d->apply_lock);
	a = atomic_load(&d->applied);
	for (size_t at = 0; at < a->zone_count && e == ERR_OK; at += CONTROL_PAGE) {
		size_t left = a->zone_count - at;
		size_t take = left < CONTROL_PAGE ? left : CONTROL_PAGE;
		for (unsigned i = 0; i < d->shard_count && e == ERR_OK; i++) {
			e = collect(d, i, a->zones + at, take, out);
		}
	}
	pthread_rwlock_unlock(&d->apply_lock);
	return e;
}

static bool tell_sink(void *self, const char *line)
{
	const struct control_sink *sink = self;

	if (line == NULL) {
		return sink->put(sink->to, bytes_of(NULL, 0));
	}
	return sink->put(sink->to, bytes_str(line)) && sink->put(sink->to, bytes_str("\n"));
}

static enum err check_in_memory(struct daemon *d, const struct control_sink *sink)
{
	struct check_sink told = { .tell = tell_sink,
		                   .self = (void *)(uintptr_t)sink,
		                   .env = d->env };
	struct refs refs = { 0 };
	enum err e = collect_all(d, &refs);

	if (e == ERR_OK) {
		e = check_memory(d->pool, refs.at, refs.count, &told);
	}
	refs_fini(&refs);
	return e;
}

static char *database_path(struct daemon *d)
{
	char *path;

	pthread_rwlock_rdlock(&d->apply_lock);
	path = strdup(((const struct applied *)atomic_load(&d->applied))->config->database_path);
	pthread_rwlock_unlock(&d->apply_lock);
	if (path == NULL) {
		abort();
	}
	return path;
}

enum err ops_store_check(void *self, const struct control_sink *sink)
{
	struct daemon *d = self;
	enum err memory;
	enum err disk;
	char *path;

	if (!sink->put(sink->to, bytes_str("memory: looking\n"))) {
		return ERR_STOPPING;
	}
	memory = check_in_memory(d, sink);
	if (memory != ERR_OK && memory != ERR_STORE_CORRUPT) {
		return memory;
	}
	path = database_path(d);
	disk = verify_elsewhere(path, sink);
	free(path);
	if (disk != ERR_OK && disk != ERR_STORE_CORRUPT) {
		return disk;
	}
	return verify_conclude(memory != ERR_OK || disk != ERR_OK, sink) ? ERR_OK : ERR_STOPPING;
}
