/* SPDX-License-Identifier: MIT
 *
 * zonestore/versions.c — what is kept of a zone, and what is to be kept next.
 *
 * The second half makes plans: pure functions of what is kept now and of what happens. Who makes
 * plans come true is commit.c. */
#include "zonestore/versions_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/store_p.h"

/* ---- life ---- */

struct versions *versions_new(uint32_t room)
{
	return mem_zero(1, sizeof(struct versions) + room * sizeof(struct version_older));
}

void versions_free(struct versions *v)
{
	if (v == NULL) {
		return;
	}
	snapshot_unref(v->aside);
	for (uint32_t i = 0; i < v->count; i++) {
		snapshot_unref(v->older[i].snap);
	}
	free(v);
}

static void versions_retired(struct epoch_item *item)
{
	versions_free(container_of(item, struct versions, retire));
}

void versions_retire(struct epoch *epoch, struct versions *v)
{
	if (v != NULL) {
		epoch_retire(epoch, &v->retire, versions_retired);
	}
}

bool versions_empty(const struct versions *v)
{
	return v->aside == NULL && !v->pinned && !v->line.known && v->count == 0;
}

/* ---- reading ---- */

static const struct versions *zone_more(const struct zone *zone)
{
	return atomic_load_explicit(&zone->more, memory_order_acquire);
}

/* What is served according to the same look at the zone that yielded `v`. */
static const struct snapshot *served_of(const struct zone *zone, const struct versions *v)
{
	return v != NULL ? v->served : zone_newest(zone);
}

const struct snapshot *zone_have(const struct zone *zone)
{
	const struct versions *v = zone_more(zone);

	return v != NULL && v->aside != NULL ? v->aside : zone_newest(zone);
}

/* The newest older version with that serial. NULL also if several with different content have it:
 * nobody can tell which of them is meant. */
static const struct snapshot *older_find(const struct versions *v, struct serial serial)
{
	const struct snapshot *found = NULL;

	for (uint32_t i = 0; i < v->count; i++) {
		const struct snapshot *snap = v->older[i].snap;
		if (!serial_equal(snap->serial, serial)) {
			continue;
		}
		if (found != NULL && !snapshot_same(found, snap)) {
			return NULL;
		}
		found = found == NULL ? snap : found;
	}
	return found;
}

const struct snapshot *zone_kept(const struct zone *zone, struct serial serial)
{
	const struct versions *v = zone_more(zone);
	const struct snapshot *served = served_of(zone, v);

	if (served != NULL && serial_equal(served->serial, serial)) {
		return served;
	}
	return v == NULL ? NULL : older_find(v, serial);
}

static bool root_is(const struct snapshot *snap, const struct id *root)
{
	struct snapshot_facts facts;

	if (snap == NULL) {
		return false;
	}
	snapshot_facts(snap, &facts);
	return id_equal(&facts.root, root);
}

const struct snapshot *zone_kept_root(const struct zone *zone, const struct id *root)
{
	const struct versions *v = zone_more(zone);
	const struct snapshot *served = served_of(zone, v);

	if (root_is(served, root)) {
		return served;
	}
	for (uint32_t i = 0; v != NULL && i < v->count; i++) {
		if (root_is(v->older[i].snap, root)) {
			return v->older[i].snap;
		}
	}
	return v != NULL && root_is(v->aside, root) ? v->aside : NULL;
}

enum hold_reason zone_hold(const struct zone *zone)
{
	const struct versions *v = zone_more(zone);

	return v == NULL ? HOLD_NONE : v->why;
}

bool zone_pinned(const struct zone *zone)
{
	const struct versions *v = zone_more(zone);

	return v != NULL && v->pinned;
}

struct lister {
	struct version_view *out;
	size_t cap;
	size_t count;
};

static void list_add(struct lister *l, enum version_kind kind, const struct snapshot *snap)
{
	if (l->count < l->cap) {
		l->out[l->count] = (struct version_view){ snapshot_ref(snap), kind, HOLD_NONE };
	}
	l->count++;
}

size_t zone_versions(const struct zone *zone, struct version_view *out, size_t cap)
{
	const struct versions *v = zone_more(zone);
	const struct snapshot *served = served_of(zone, v);
	struct lister l = { out, cap, 0 };

	if (v != NULL && v->aside != NULL) {
		list_add(&l, VERSION_ASIDE, v->aside);
		if (cap > 0) {
			out[0].why = v->why;
		}
	}
	if (served != NULL) {
		list_add(&l, VERSION_SERVED, served);
	}
	for (uint32_t i = 0; v != NULL && i < v->count; i++) {
		list_add(&l, VERSION_OLDER, v->older[i].snap);
	}
	return l.count;
}

/* ---- plans ---- */

void plan_begin(struct version_plan *p, const struct snapshot *served, const struct versions *now)
{
	*p = (struct version_plan){ .served = served, .now = now };
	if (now != NULL) {
		p->aside = now->aside == NULL ? NULL : snapshot_ref(now->aside);
		p->why = now->why;
		p->pinned = now->pinned;
		p->line = now->line;
	}
}

void plan_fini(struct version_plan *p)
{
	snapshot_unref(p->snap);
	snapshot_unref(p->aside);
	p->snap = NULL;
	p->aside = NULL;
}

static struct serial serial_newest(struct serial a, struct serial b)
{
	return serial_newer(b, a) ? b : a;
}

static void plan_aside(struct version_plan *p, struct snapshot *snap, enum hold_reason why)
{
	assert((snap == NULL) == (why == HOLD_NONE));
	snapshot_unref(p->aside);
	p->aside = snap;
	p->why = why;
}

/* The serial under which a version goes out, and what that makes of the zone's line: above what was
 * served until the primary's own serial has passed it. */
static struct serial line_next(struct serial_line *line, struct serial source)
{
	if (!line->own || serial_newer(source, line->top)) {
		*line = (struct serial_line){ 0 };
		return source;
	}
	line->top.n++;
	return line->top;
}

/* The serial under which a version that the primary sent would be served. */
static struct serial serial_for(struct version_plan *p, const struct snapshot *snap, bool again)
{
	return again ? p->served->serial : line_next(&p->line, snap->source_serial);
}

/* Serves a version that came from the primary (taken; nobody else sees it). The same one again takes
 * the place of the one before. */
static void plan_publish(struct version_plan *p, struct snapshot *snap)
{
	bool again = p->served != NULL && snapshot_same(p->served, snap);

	snap->serial = serial_for(p, snap, again);
	if (again) {
		snapshot_set_counts(snap, snapshot_counts(p->served));
	}
	p->fresh = again ? NULL : snap;
	p->snap = snap;
	p->pushes = p->served != NULL && !again;
	plan_aside(p, NULL, HOLD_NONE);
}

void plan_arrival(struct version_plan *p, struct snapshot *snap, enum hold_reason hold)
{
	bool rejected = p->why == HOLD_REJECTED && snapshot_same(p->aside, snap);

	if (p->served != NULL) { /* there is something to be counted against */
		struct snapshot *counted = snapshot_copy(snap, snap->serial);
		snapshot_unref(snap);
		snap = counted;
	}
	p->fresh = snap;
	if (rejected) {
		plan_aside(p, snap, HOLD_REJECTED);
	} else if (hold != HOLD_NONE) {
		plan_aside(p, snap, hold);
	} else if (p->pinned && p->aside == NULL && p->served->origin != SNAPSHOT_BY_ROLLBACK &&
	           snapshot_same(p->served, snap)) {
		snapshot_unref(snap); /* the same again: there is nothing to be put aside */
		p->fresh = NULL;
	} else if (p->pinned) {
		plan_aside(p, snap, HOLD_PINNED);
	} else {
		plan_publish(p, snap);
	}
}

/* Serves the version that is aside. Readers see that one, so it is another that gets the serial. */
static void plan_publish_aside(struct version_plan *p)
{
	plan_publish(p, snapshot_copy(p->aside, p->aside->source_serial));
}

/* To go back to: what was served before comes first if what is served has the same serial. */
static const struct snapshot *rollback_target(const struct version_plan *p, struct serial serial)
{
	for (uint32_t i = 0; p->now != NULL && i < p->now->count; i++) {
		if (serial_equal(p->now->older[i].snap->serial, serial)) {
			return p->now->older[i].snap;
		}
	}
	return p->served != NULL && serial_equal(p->served->serial, serial) ? p->served : NULL;
}

/* The serial of a rollback. */
static struct serial line_back(struct version_plan *p, struct serial old, bool same_serial)
{
	struct serial_line *line = &p->line;

	line->top = line->known ? serial_newest(line->top, p->served->serial) : p->served->serial;
	line->known = true;
	if (same_serial) {
		return old;
	}
	line->own = true;
	line->top.n++;
	return line->top;
}

enum err plan_rollback(struct version_plan *p, struct serial serial, bool same_serial,
                       int64_t now_s)
{
	const struct snapshot *target = rollback_target(p, serial);

	if (target == NULL) {
		return ERR_NOT_FOUND;
	}
	p->pinned = true;
	if (target == p->served) {
		return ERR_OK;
	}
	if (p->aside == NULL && p->served->origin != SNAPSHOT_BY_ROLLBACK) {
		/* Differences go on from what the primary sent last. */
		plan_aside(p, snapshot_ref(p->served), HOLD_PINNED);
	}
	p->snap = snapshot_copy(target, line_back(p, target->serial, same_serial));
	p->snap->origin = SNAPSHOT_BY_ROLLBACK;
	p->snap->received_at_s = time_pack(now_s);
	p->fresh = p->snap;
	p->pushes = true;
	return ERR_OK;
}

enum err plan_pin(struct version_plan *p)
{
	if (p->served == NULL) {
		return ERR_NOT_FOUND;
	}
	p->pinned = true;
	return ERR_OK;
}

enum err plan_release(struct version_plan *p)
{
	if (!p->pinned) {
		return ERR_NOT_FOUND;
	}
	p->pinned = false;
	if (p->why == HOLD_PINNED) {
		plan_publish_aside(p);
	}
	return ERR_OK;
}

enum err plan_accept(struct version_plan *p)
{
	if (p->aside == NULL) {
		return ERR_NOT_FOUND;
	}
	plan_publish_aside(p);
	return ERR_OK;
}

enum err plan_reject(struct version_plan *p)
{
	if (p->aside == NULL) {
		return ERR_NOT_FOUND;
	}
	p->why = HOLD_REJECTED;
	return ERR_OK;
}

/* ---- limits ---- */

static bool too_old(const struct version_older *o, const struct version_limits *keep, int64_t now_s)
{
	return keep->age_s != 0 && now_s - (int64_t)o->replaced_at_s > (int64_t)keep->age_s;
}

struct versions *plan_versions(struct version_plan *p, const struct version_limits *keep,
                               int64_t now_s)
{
	uint32_t have = p->now == NULL ? 0 : p->now->count;
	uint32_t room = keep->count < VERSIONS_KEPT_MAX ? keep->count : VERSIONS_KEPT_MAX;
	struct versions *v = versions_new(have + 1 < room ? have + 1 : room);

	v->served = p->snap != NULL ? p->snap : p->served;
	v->aside = p->aside;
	v->why = p->why;
	v->pinned = p->pinned;
	v->line = p->line;
	p->aside = NULL;
	if (p->pushes && room > 0) {
		v->older[v->count++] = (struct version_older){ .snap = snapshot_ref(p->served),
			                                       .replaced_at_s = time_pack(now_s) };
	}
	for (uint32_t i = 0; i < have && v->count < room; i++) {
		if (too_old(&p->now->older[i], keep, now_s)) {
			break; /* so are those after it */
		}
		v->older[v->count] = p->now->older[i];
		(void)snapshot_ref(v->older[v->count++].snap);
	}
	if (versions_empty(v)) {
		versions_free(v);
		return NULL;
	}
	return v;
}

/* How many of the first have no more octets than that; the first of them all has. */
static uint32_t versions_fit(const struct versions *v, uint64_t bytes)
{
	uint64_t sum = 0;
	uint32_t fit = 0;

	for (; fit < v->count; fit++) {
		sum += v->older[fit].bytes;
		if (fit > 0 && sum > bytes) {
			break;
		}
	}
	return fit;
}

bool versions_exceed(const struct versions *v, const struct version_limits *keep, int64_t now_s)
{
	return v->count > 0 &&
	       (v->count > keep->count || too_old(&v->older[v->count - 1], keep, now_s) ||
	        versions_fit(v, versions_bytes_max(keep, v->served)) < v->count);
}

uint64_t versions_bytes_max(const struct version_limits *keep, const struct snapshot *snap)
{
	if (keep->bytes != 0) {
		return keep->bytes;
	}
	return snap != NULL && snap->bytes > VERSIONS_BYTES_MIN ? snap->bytes : VERSIONS_BYTES_MIN;
}

void versions_trim(struct versions *v, uint64_t bytes)
{
	uint32_t fit = versions_fit(v, bytes);

	for (uint32_t i = fit; i < v->count; i++) {
		snapshot_unref(v->older[i].snap);
	}
	v->count = fit;
}
