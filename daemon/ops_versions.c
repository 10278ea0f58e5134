/* SPDX-License-Identifier: MIT
 *
 * daemon/ops_versions.c — what the control interface asks of a zone's versions.
 *
 * Versions leave their zone's shard by reference and are walked on the control thread, which may
 * take as long as its reader does. Acts are begun on the shard and end when they are durable and
 * visible; while another commit of the zone is under way they are tried again. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "daemon/job_p.h"
#include "daemon/ops_p.h"
#include "dns/rdata.h"
#include "transfer/policy.h"
#include "zonestore/diff.h"

#define TEXT_BYTES   (RDATA_TEXT_MAX + 2 * NAME_TEXT_MAX)
#define TRY_AGAIN_MS 5
#define SERIALS_TOLD 16 /* of those kept, where another was asked for */

enum control_hold ops_hold(enum hold_reason why)
{
	static const enum control_hold holds[HOLD_REASONS] = {
		[HOLD_NONE] = CONTROL_HOLD_NONE,         [HOLD_PINNED] = CONTROL_HOLD_PINNED,
		[HOLD_REJECTED] = CONTROL_HOLD_REJECTED, [HOLD_NO_NS] = CONTROL_HOLD_NO_NS,
		[HOLD_SHRUNK] = CONTROL_HOLD_SHRUNK,     [HOLD_ZONEMD] = CONTROL_HOLD_ZONEMD,
		[HOLD_LIMIT] = CONTROL_HOLD_LIMIT,
	};

	static_assert((unsigned)HOLD_REASONS == (unsigned)CONTROL_HOLDS, "one for each");
	return holds[why];
}

enum control_origin ops_origin(enum snapshot_origin origin)
{
	switch (origin) {
	case SNAPSHOT_BY_IXFR:
		return CONTROL_BY_IXFR;
	case SNAPSHOT_BY_ROLLBACK:
		return CONTROL_BY_ROLLBACK;
	case SNAPSHOT_BY_AXFR:
		break;
	}
	return CONTROL_BY_AXFR;
}

/* ---- picking versions ---- */

struct pick_job {
	struct shard_job job;
	struct name_buf name;
	struct control_pick pick[2];
	unsigned count;
	struct snapshot *snaps[2]; /* references */
	char why[CONTROL_REASON_MAX];
};

/* "serial 42 is not kept; kept are 41, 40" */
static void tell_kept(const struct zone *zone, uint32_t serial, char why[CONTROL_REASON_MAX])
{
	struct version_view views[SERIALS_TOLD];
	size_t count = zone_versions(zone, views, SERIALS_TOLD);
	size_t told = count < SERIALS_TOLD ? count : SERIALS_TOLD;
	size_t len = (size_t)snprintf(why, CONTROL_REASON_MAX, "serial %u is not kept", serial);
	const char *gap = "; kept are ";

	static_assert(64 + SERIALS_TOLD * sizeof(", 4294967295") < CONTROL_REASON_MAX, "fits");
	for (size_t i = 0; i < told; i++) {
		if (views[i].kind != VERSION_ASIDE) {
			len += (size_t)snprintf(why + len, CONTROL_REASON_MAX - len, "%s%u", gap,
			                        snapshot_serial(views[i].snap).n);
			gap = ", ";
		}
		snapshot_unref(views[i].snap);
	}
	if (told < count) {
		snprintf(why + len, CONTROL_REASON_MAX - len, " and older ones");
	}
}

/* The version, borrowed; NULL with a reason if there is none. */
static const struct snapshot *pick_find(const struct zone *zone, const struct control_pick *pick,
                                        char why[CONTROL_REASON_MAX])
{
	const struct snapshot *held = zone_hold(zone) != HOLD_NONE ? zone_have(zone) : NULL;
	const struct snapshot *found = NULL;

	switch (pick->kind) {
	case CONTROL_PICK_CURRENT:
		found = zone_borrow(zone);
		if (found == NULL) {
			snprintf(why, CONTROL_REASON_MAX, "nothing of the zone is served");
		}
		return found;
	case CONTROL_PICK_HELD:
		if (held == NULL) {
			snprintf(why, CONTROL_REASON_MAX, "nothing is held");
		}
		return held;
	case CONTROL_PICK_SERIAL:
		found = zone_kept(zone, (struct serial){ pick->serial });
		if (found == NULL && held != NULL &&
		    snapshot_source_serial(held).n == pick->serial) {
			found = held;
		}
		if (found == NULL) {
			tell_kept(zone, pick->serial, why);
		}
		return found;
	}
	return NULL;
}

static enum err pick_job_run(struct shard *s, struct shard_job *job)
{
	struct pick_job *j = container_of(job, struct pick_job, job);
	const struct zone *zone = store_find(s->d->store, name_of(&j->name));

	if (zone == NULL) {
		return ERR_NOT_FOUND;
	}
	for (unsigned i = 0; i < j->count; i++) {
		const struct snapshot *snap = pick_find(zone, &j->pick[i], j->why);
		if (snap == NULL) {
			return ERR_NOT_FOUND;
		}
		j->snaps[i] = snapshot_ref(snap);
	}
	return ERR_OK;
}

static void pick_job_free(struct shard_job *job)
{
	struct pick_job *j = container_of(job, struct pick_job, job);

	snapshot_unref(j->snaps[0]);
	snapshot_unref(j->snaps[1]);
	free(j);
}

static enum err send_and_wait(struct daemon *d, struct shard_job *job, struct name name)
{
	TRY(job_send(job, &d->shards[store_shard_of(d->store, name)]));
	return job_wait(job, CALL_DEADLINE_S);
}

/* A job that finds `count` versions. */
static struct pick_job *pick_new(struct name name, const struct control_pick *pick, unsigned count)
{
	struct pick_job *j = mem_zero(1, sizeof(*j));

	job_init(&j->job, pick_job_run, pick_job_free);
	name_copy(name, &j->name);
	j->count = count;
	memcpy(j->pick, pick, count * sizeof(*pick));
	return j;
}

/* Runs it. On failure it is let go of, and `why` may have the reason. */
static enum err pick_versions(struct daemon *d, struct pick_job *j, char why[CONTROL_REASON_MAX])
{
	enum err e = send_and_wait(d, &j->job, name_of(&j->name));

	if (e == ERR_OK) {
		return ERR_OK;
	}
	if (e == ERR_NOT_FOUND) { /* else the shard may still be at it */
		memcpy(why, j->why, CONTROL_REASON_MAX);
	}
	job_release(&j->job);
	return e;
}

/* ---- records as text ---- */

struct text {
	const struct control_sink *sink;
	struct writer writer;
	uint8_t buffer[TEXT_BYTES];
};

static struct text *text_new(const struct control_sink *sink)
{
	struct text *t = mem_new(sizeof(*t));

	t->sink = sink;
	t->writer = writer_of(t->buffer, sizeof(t->buffer));
	return t;
}

/* A record on a line of its own, after `sign` if that is not 0. */
static enum err text_rr(struct text *t, uint8_t sign, const struct rr *rr)
{
	t->writer.len = 0;
	if ((sign != 0 && !writer_u8(&t->writer, sign)) || !rr_print(rr, &t->writer)) {
		return ERR_TEXT;
	}
	return t->sink->put(t->sink->to, writer_bytes(&t->writer)) ? ERR_OK : ERR_STOPPING;
}

static enum err text_set(struct text *t, struct name owner, const struct rrset *set,
                         struct rr_scratch *scratch)
{
	struct rrset_reader reader = rrset_read(set);
	struct rr rr = { .owner = owner, .type = set->type, .class = CLASS_IN, .ttl = set->ttl };

	while (rrset_next(&reader, scratch, &rr.rdata)) {
		TRY(text_rr(t, 0, &rr));
	}
	return ERR_OK;
}

static enum err text_all(struct text *t, const struct snapshot *snap, struct rr_scratch *scratch)
{
	struct snapshot_cursor cursor;
	struct rrset set;
	struct rr soa;

	snapshot_soa(snap, scratch, &soa);
	TRY(text_rr(t, 0, &soa));
	snapshot_cursor_init(&cursor, snap);
	while (snapshot_cursor_next(&cursor, &set)) {
		TRY(text_set(t, name_of(&cursor.owner), &set, scratch));
	}
	return ERR_OK;
}

enum err ops_zone_export(void *self, struct name name, const struct control_pick *pick,
                         const struct control_sink *sink)
{
	struct pick_job *j = pick_new(name, pick, 1);
	struct rr_scratch *scratch;
	struct text *t;
	enum err e;

	TRY(pick_versions(self, j, sink->why));
	t = text_new(sink);
	scratch = mem_new(sizeof(*scratch));
	e = text_all(t, j->snaps[0], scratch);
	free(scratch);
	free(t);
	job_release(&j->job);
	return e;
}

/* ---- differences ---- */

/* One side's records that the other lacks: a walk, and the record it stands at. */
struct half {
	struct snapshot_diff walk;
	struct rr_scratch scratch;
	struct rr rr;
	bool more;
	uint8_t sign;
};

static void half_next(struct half *h)
{
	h->more = snapshot_diff_next(&h->walk, &h->scratch, &h->rr);
}

static struct half *half_new(uint8_t sign, const struct snapshot *have, const struct snapshot *lack)
{
	struct half *h = mem_new(sizeof(*h));

	h->sign = sign;
	snapshot_diff_init(&h->walk, have, lack);
	half_next(h);
	return h;
}

/* Records of NSEC3 names come after all others, as in the walk. */
static bool is_late(const struct rr *rr)
{
	return rr->type == TYPE_NSEC3 || (rr->type == TYPE_RRSIG && rr->rdata.len >= 2 &&
	                                  load_u16(rr->rdata.at) == TYPE_NSEC3);
}

/* True if what is deleted comes before what is added; at one owner name it does. */
static bool comes_first(const struct half *deleted, const struct half *added)
{
	bool late[2];

	if (!deleted->more || !added->more) {
		return deleted->more;
	}
	late[0] = is_late(&deleted->rr);
	late[1] = is_late(&added->rr);
	if (late[0] != late[1]) {
		return late[1];
	}
	return name_compare(deleted->rr.owner, added->rr.owner) <= 0;
}

static enum err diff_soa(struct text *t, const struct snapshot *a, const struct snapshot *b)
{
	struct rr_scratch *scratch = mem_new(2 * sizeof(*scratch));
	struct rr from, to;
	enum err e = ERR_OK;

	snapshot_soa(a, &scratch[0], &from);
	snapshot_soa(b, &scratch[1], &to);
	if (from.ttl != to.ttl || !bytes_equal(from.rdata, to.rdata)) {
		e = text_rr(t, '-', &from);
		e = e == ERR_OK ? text_rr(t, '+', &to) : e;
	}
	free(scratch);
	return e;
}

static enum err diff_records(struct text *t, const struct snapshot *a, const struct snapshot *b)
{
	struct half *deleted = half_new('-', a, b);
	struct half *added = half_new('+', b, a);
	enum err e = ERR_OK;

	while (e == ERR_OK && (deleted->more || added->more)) {
		struct half *h = comes_first(deleted, added) ? deleted : added;

		e = text_rr(t, h->sign, &h->rr);
		half_next(h);
	}
	free(deleted);
	free(added);
	return e;
}

enum err ops_zone_diff(void *self, struct name name, const struct control_pick pick[2],
                       const struct control_sink *sink)
{
	struct pick_job *j = pick_new(name, pick, 2);
	struct text *t;
	enum err e;

	TRY(pick_versions(self, j, sink->why));
	t = text_new(sink);
	e = diff_soa(t, j->snaps[0], j->snaps[1]);
	if (e == ERR_OK) {
		e = diff_records(t, j->snaps[0], j->snaps[1]);
	}
	free(t);
	job_release(&j->job);
	return e;
}

/* ---- history ---- */

struct history_job {
	struct shard_job job;
	struct name_buf name;
	size_t count;  /* there are */
	size_t filled; /* references among `views` */
	struct version_view views[CONTROL_VERSIONS_MAX];
};

static enum err history_job_run(struct shard *s, struct shard_job *job)
{
	struct history_job *j = container_of(job, struct history_job, job);
	const struct zone *zone = store_find(s->d->store, name_of(&j->name));

	if (zone == NULL) {
		return ERR_NOT_FOUND;
	}
	j->count = zone_versions(zone, j->views, CONTROL_VERSIONS_MAX);
	j->filled = j->count < CONTROL_VERSIONS_MAX ? j->count : CONTROL_VERSIONS_MAX;
	return ERR_OK;
}

static void history_job_free(struct shard_job *job)
{
	struct history_job *j = container_of(job, struct history_job, job);

	for (size_t i = 0; i < j->filled; i++) {
		snapshot_unref(j->views[i].snap);
	}
	free(j);
}

static void version_fill(const struct version_view *v, struct control_version *out)
{
	static const enum control_version_kind kinds[] = {
		[VERSION_SERVED] = CONTROL_VERSION_SERVED,
		[VERSION_ASIDE] = CONTROL_VERSION_ASIDE,
		[VERSION_OLDER] = CONTROL_VERSION_OLDER,
	};
	struct snapshot_facts f;

	snapshot_facts(v->snap, &f);
	*out = (struct control_version){
		.kind = kinds[v->kind],
		.why = ops_hold(v->kind == VERSION_ASIDE ? v->why : HOLD_NONE),
		.origin = ops_origin(f.origin),
		.serial = f.serial.n,
		.source_serial = f.source_serial.n,
		.root = f.root,
		.received_at_s = f.received_at_s,
		.primary = f.primary,
		.records = f.records,
		.added = f.added,
		.deleted = f.deleted,
	};
}

enum err ops_zone_history(void *self, struct name name, struct control_version *out, size_t cap,
                          size_t *count)
{
	struct history_job *j = mem_zero(1, sizeof(*j));
	enum err e;

	job_init(&j->job, history_job_run, history_job_free);
	name_copy(name, &j->name);
	e = send_and_wait(self, &j->job, name);
	if (e == ERR_OK) {
		for (size_t i = 0; i < j->filled && i < cap; i++) {
			version_fill(&j->views[i], &out[i]);
		}
		*count = j->count;
	}
	job_release(&j->job);
	return e;
}

/* ---- acts ---- */

struct act_job {
	struct shard_job job;
	struct name_buf name;
	struct control_version_act act;
	struct commit commit;
	char why[CONTROL_REASON_MAX];
};

static void act_done(struct commit *c, enum err e)
{
	job_finish(&container_of(c, struct act_job, commit)->job, e);
}

static enum err act_begin(struct store *st, struct zone *zone, struct act_job *j)
{
	struct serial serial = { j->act.serial };

	switch (j->act.act) {
	case CONTROL_ROLLBACK:
		return store_rollback(st, zone, serial, j->act.same_serial, &j->commit);
	case CONTROL_PIN:
		return store_pin(st, zone, &j->commit);
	case CONTROL_RELEASE:
		return store_release(st, zone, &j->commit);
	case CONTROL_ACCEPT:
		return store_accept(st, zone, &j->commit);
	case CONTROL_REJECT:
		return store_reject(st, zone, &j->commit);
	}
	return ERR_NOT_FOUND;
}

/* Why there was nothing to do it to. */
static void act_tell(const struct zone *zone, struct act_job *j)
{
	switch (j->act.act) {
	case CONTROL_ROLLBACK:
		tell_kept(zone, j->act.serial, j->why);
		return;
	case CONTROL_PIN:
		snprintf(j->why, sizeof(j->why), "nothing of the zone is served");
		return;
	case CONTROL_RELEASE:
		snprintf(j->why, sizeof(j->why), "the zone is not pinned");
		return;
	case CONTROL_ACCEPT:
	case CONTROL_REJECT:
		snprintf(j->why, sizeof(j->why), "nothing is held");
		return;
	}
}

static enum err act_job_run(struct shard *s, struct shard_job *job)
{
	struct act_job *j = container_of(job, struct act_job, job);
	struct zone *zone = store_find(s->d->store, name_of(&j->name));
	const struct zone_policy *policy;
	enum err e;

	if (zone == NULL) {
		return ERR_NOT_FOUND;
	}
	if (zone_engine(zone) == NULL) {
		snprintf(j->why, sizeof(j->why), "the store is still being loaded");
		return ERR_BUSY;
	}
	policy = zone_policy(zone);
	j->commit = (struct commit){ .done = act_done, .keep = policy->history };
	job->later = true; /* the commit may be done before we know that it began */
	e = act_begin(s->d->store, zone, j);
	if (e != ERR_OK) {
		job->later = false;
	}
	if (e == ERR_NOT_FOUND) {
		act_tell(zone, j);
	}
	return e;
}

static void act_job_free(struct shard_job *job)
{
	free(container_of(job, struct act_job, job));
}

/* Tries once; ERR_BUSY also if it did not come to an end in time, which *again then denies. */
static enum err act_once(struct daemon *d, struct name name, const struct control_version_act *act,
                         char why[CONTROL_REASON_MAX], bool *again)
{
	struct act_job *j = mem_zero(1, sizeof(*j));
	enum err e;

	job_init(&j->job, act_job_run, act_job_free);
	name_copy(name, &j->name);
	j->act = *act;
	e = job_send(&j->job, &d->shards[store_shard_of(d->store, name)]);
	*again = e == ERR_BUSY;
	if (e == ERR_OK) {
		e = job_wait(&j->job, CALL_DEADLINE_S);
		*again = e == ERR_BUSY && job_done(&j->job, &e) && e == ERR_BUSY;
	}
	if (e != ERR_BUSY || *again) {
		memcpy(why, j->why, CONTROL_REASON_MAX);
	} else { /* the shard, or the disk, may still be at it */
		snprintf(why, CONTROL_REASON_MAX, "it is not done yet, and may still be");
	}
	job_release(&j->job);
	return e;
}

enum err ops_zone_act(void *self, struct name name, const struct control_version_act *act,
                      char why[CONTROL_REASON_MAX])
{
	uint64_t until = env_mono_ns(env_system()) + CALL_DEADLINE_S * NS_PER_S;
	bool again = true;
	enum err e = ERR_BUSY;

	while (again && env_mono_ns(env_system()) < until) {
		e = act_once(self, name, act, why, &again);
		if (again) {
			poll(NULL, 0, TRY_AGAIN_MS);
		}
	}
	if (again && why[0] == '\0') {
		snprintf(why, CONTROL_REASON_MAX, "another change of the zone is under way");
	}
	return e;
}
