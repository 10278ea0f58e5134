/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/versions_model_test.c — random acts on a zone's versions, against lists.
 *
 * The model says in the simplest way what versions.h promises. Between acts the daemon is started
 * again, or dies with an act on its way; disks fail, and journals are damaged and begun anew. What
 * was acknowledged is there afterwards, and what failed has changed nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "zonestore/versions_p.h"

#define SEEDS     40
#define ACTS      150
#define OLDER_MAX 200
#define VIEWS_MAX (OLDER_MAX + 2)

/* A version: its content follows from source serial and filling. */
struct mversion {
	uint32_t serial;
	uint32_t source;
	unsigned filling;
	bool back; /* made by a rollback */
	int64_t replaced_at_s;
};

struct model {
	bool has_served;
	bool has_aside;
	bool pinned;
	bool own;        /* serials are the zone's own ... */
	bool back_known; /* ... or were put back */
	uint32_t top;
	enum hold_reason why;
	struct mversion served;
	struct mversion aside;
	struct mversion older[OLDER_MAX];
	unsigned count;
};

struct play {
	struct farm f;
	struct memory_disk *disk;
	struct env_fake dice;
	struct version_limits keep;
	struct model now;
	struct model next; /* when the act at hand has succeeded */
	struct farm_commit commit;
	int64_t wall_s;
};

static uint32_t dice(struct play *p, uint32_t below)
{
	return env_random_below(&p->dice.env, below);
}

static struct zone *zone_of(struct play *p)
{
	return farm_zone(&p->f, 0);
}

/* ---- the model ---- */

static bool newer(uint32_t a, uint32_t b)
{
	return serial_newer((struct serial){ a }, (struct serial){ b });
}

static bool same_content(const struct mversion *a, const struct mversion *b)
{
	return a->source == b->source && a->filling == b->filling;
}

static void model_limit(struct model *m, const struct version_limits *keep, int64_t now_s)
{
	unsigned count = m->count < keep->count ? m->count : keep->count;

	for (unsigned i = 0; i < count; i++) {
		if (keep->age_s != 0 && now_s - m->older[i].replaced_at_s > keep->age_s) {
			count = i;
		}
	}
	m->count = count;
}

/* Something else is served from now on. */
static void model_serve(struct model *m, const struct mversion *v, int64_t now_s)
{
	if (m->has_served) {
		memmove(m->older + 1, m->older, (OLDER_MAX - 1) * sizeof(m->older[0]));
		m->older[0] = m->served;
		m->older[0].replaced_at_s = now_s;
		m->count += m->count < OLDER_MAX;
	}
	m->served = *v;
	m->has_served = true;
}

static void model_publish(struct model *m, struct mversion v, int64_t now_s)
{
	m->has_aside = false;
	m->why = HOLD_NONE;
	v.back = false;
	if (m->has_served && same_content(&v, &m->served)) {
		v.serial = m->served.serial;
		m->served = v;
		return;
	}
	v.serial = v.source;
	if (m->own && !newer(v.source, m->top)) {
		v.serial = ++m->top;
	} else {
		m->own = false;
		m->back_known = false;
	}
	model_serve(m, &v, now_s);
}

static void model_arrive(struct model *m, const struct mversion *v, enum hold_reason hold,
                         int64_t now_s)
{
	bool rejected = m->has_aside && m->why == HOLD_REJECTED && same_content(v, &m->aside);

	if (!m->has_aside && m->pinned && hold == HOLD_NONE && !m->served.back &&
	    same_content(v, &m->served)) {
		return; /* nothing new */
	}
	if (rejected || hold != HOLD_NONE || m->pinned) {
		m->aside = *v;
		m->aside.serial = v->source;
		m->has_aside = true;
		m->why = rejected ? HOLD_REJECTED : hold != HOLD_NONE ? hold : HOLD_PINNED;
	} else {
		model_publish(m, *v, now_s);
	}
}

static enum err model_rollback(struct model *m, uint32_t serial, bool same_serial, int64_t now_s)
{
	struct mversion to = { 0 };
	bool found = false;

	for (unsigned i = m->count; i-- > 0;) {
		if (m->older[i].serial == serial) {
			to = m->older[i];
			found = true;
		}
	}
	if (!found) {
		m->pinned = m->pinned || (m->has_served && m->served.serial == serial);
		return m->has_served && m->served.serial == serial ? ERR_OK : ERR_NOT_FOUND;
	}
	m->pinned = true;
	if (!m->has_aside && !m->served.back) {
		m->aside = m->served;
		m->has_aside = true;
		m->why = HOLD_PINNED;
	}
	if (!m->back_known || newer(m->served.serial, m->top)) {
		m->top = m->served.serial;
	}
	m->back_known = true;
	if (!same_serial) {
		m->own = true;
		to.serial = ++m->top;
	}
	to.back = true;
	model_serve(m, &to, now_s);
	return ERR_OK;
}

static enum err model_release(struct model *m, int64_t now_s)
{
	if (!m->pinned) {
		return ERR_NOT_FOUND;
	}
	m->pinned = false;
	if (m->has_aside && m->why == HOLD_PINNED) {
		model_publish(m, m->aside, now_s);
	}
	return ERR_OK;
}

/* ---- looking ---- */

static void expect_version(const struct snapshot *snap, const struct mversion *want)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	cr_assert(eq(u32, facts.serial.n, want->serial));
	cr_assert(eq(u32, facts.source_serial.n, want->source));
	cr_assert(eq(u32, facts.records, want->filling + CONTENT_RECORDS));
	cr_assert(eq(int, facts.origin == SNAPSHOT_BY_ROLLBACK, want->back));
	cr_assert(content_whole(snap, 0));
}

static void expect_kept(struct play *p, uint32_t serial)
{
	const struct snapshot *got = zone_kept(zone_of(p), (struct serial){ serial });
	const struct model *m = &p->now;
	const struct mversion *want = NULL;
	bool clear = true;

	for (unsigned i = 0; i < m->count; i++) {
		if (m->older[i].serial == serial) {
			clear = clear && (want == NULL || same_content(want, &m->older[i]));
			want = want == NULL ? &m->older[i] : want;
		}
	}
	if (m->has_served && m->served.serial == serial) {
		clear = true;
		want = &m->served;
	}
	cr_assert(eq(int, got != NULL, want != NULL && clear));
	if (got != NULL) {
		expect_version(got, want);
	}
}

static void expect_model(struct play *p)
{
	struct version_view *views = mem_new(VIEWS_MAX * sizeof(*views));
	size_t count = zone_versions(zone_of(p), views, VIEWS_MAX);
	const struct model *m = &p->now;
	size_t at = 0;

	cr_assert(eq(sz, count, m->count + m->has_served + m->has_aside));
	cr_assert(eq(int, zone_pinned(zone_of(p)), m->pinned));
	cr_assert(eq(int, zone_hold(zone_of(p)), m->has_aside ? m->why : HOLD_NONE));
	if (m->has_aside) {
		cr_assert(eq(int, views[at].kind, VERSION_ASIDE));
		cr_assert(eq(int, views[at].why, m->why));
		cr_assert(views[at].snap == zone_have(zone_of(p)));
		expect_version(views[at++].snap, &m->aside);
	}
	if (m->has_served) {
		cr_assert(eq(int, views[at].kind, VERSION_SERVED));
		cr_assert(views[at].snap == zone_borrow(zone_of(p)));
		expect_version(views[at++].snap, &m->served);
	}
	for (unsigned i = 0; i < m->count; i++) {
		cr_assert(eq(int, views[at].kind, VERSION_OLDER));
		expect_version(views[at++].snap, &m->older[i]);
	}
	for (size_t i = 0; i < count; i++) {
		snapshot_unref(views[i].snap);
	}
	free(views);
	expect_kept(p, 1 + dice(p, 30));
	if (m->count > 0) {
		expect_kept(p, m->older[dice(p, m->count)].serial);
	}
}

/* ---- acting ---- */

static enum err arrive(struct play *p)
{
	bool again = p->now.has_served && dice(p, 4) == 0;
	struct mversion v = { .source = 1 + dice(p, 30), .filling = dice(p, 3) };
	enum hold_reason hold = dice(p, 4) == 0 ? HOLD_NO_NS + dice(p, 4) : HOLD_NONE;
	struct zone_timers t = { .refresh_at_s = 1700000000 };
	struct snapshot *snap;
	enum err e;

	if (again) {
		v = p->now.has_aside ? p->now.aside : p->now.served;
		v.serial = v.source;
		v.back = false;
	}
	snap = content_version(p->f.pool, 0, v.source, v.filling);
	model_arrive(&p->next, &v, hold, p->wall_s);
	p->commit.commit.hold = hold;
	e = store_commit(p->f.st, zone_of(p), snap, &t, &p->commit.commit);
	if (e != ERR_OK) {
		snapshot_unref(snap);
	}
	return e;
}

static enum err rollback(struct play *p)
{
	bool same_serial = dice(p, 3) == 0;
	uint32_t serial = 1 + dice(p, 30);
	enum err want;
	enum err e;

	if (p->now.count > 0 && dice(p, 4) > 0) {
		serial = p->now.older[dice(p, p->now.count)].serial;
	}
	want = model_rollback(&p->next, serial, same_serial, p->wall_s);
	e = store_rollback(p->f.st, zone_of(p), (struct serial){ serial }, same_serial,
	                   &p->commit.commit);
	cr_assert(eq(int, e, want));
	return e;
}

static enum err pin(struct play *p)
{
	enum err e = store_pin(p->f.st, zone_of(p), &p->commit.commit);

	cr_assert(eq(int, e, p->now.has_served ? ERR_OK : ERR_NOT_FOUND));
	p->next.pinned = true;
	return e;
}

static enum err release(struct play *p)
{
	enum err e = store_release(p->f.st, zone_of(p), &p->commit.commit);

	cr_assert(eq(int, e, model_release(&p->next, p->wall_s)));
	return e;
}

static enum err judge(struct play *p)
{
	bool accepts = dice(p, 2) == 0;
	enum err e;

	if (accepts) {
		e = store_accept(p->f.st, zone_of(p), &p->commit.commit);
	} else {
		e = store_reject(p->f.st, zone_of(p), &p->commit.commit);
	}
	cr_assert(eq(int, e, p->now.has_aside ? ERR_OK : ERR_NOT_FOUND));
	if (accepts && e == ERR_OK) {
		model_publish(&p->next, p->next.aside, p->wall_s);
	}
	p->next.why = !accepts ? HOLD_REJECTED : p->next.why;
	return e;
}

/* An act, begun: ERR_NOT_FOUND if it was none. */
static enum err act(struct play *p)
{
	farm_commit_init(&p->f, &p->commit);
	p->commit.commit.keep = p->keep;
	p->next = p->now;
	switch (dice(p, 10)) {
	case 0:
	case 1:
		return rollback(p);
	case 2:
		return pin(p);
	case 3:
	case 4:
		return release(p);
	case 5:
		return judge(p);
	default:
		return arrive(p);
	}
}

static void start(struct play *p)
{
	farm_start(&p->f, journal_memory_new(p->disk), 1);
	p->f.env.wall_at_0_s = p->wall_s - (int64_t)(p->f.env.now_ns / NS_PER_S);
}

/* Something goes wrong on the disk soon: nothing, room, growth, or the whole journal. */
static void trouble(struct play *p)
{
	static const enum err faults[] = { ERR_DISK, ERR_DISK_FULL, ERR_BUSY, ERR_STORE_CORRUPT };

	memory_disk_heal(p->disk);
	if (dice(p, 3) == 0) {
		memory_disk_fail_once(p->disk, 1 + dice(p, 8), faults[dice(p, 4)]);
	}
}

static void note(struct play *p)
{
	struct zone_timers t = zone_timers(zone_of(p));

	t.failing_since_s = p->wall_s;
	store_note(p->f.st, zone_of(p), &t);
}

static void crash_or_settle(struct play *p)
{
	p->f.outstanding++;
	if (dice(p, 8) > 0) {
		farm_settle(&p->f);
		cr_assert(eq(uint, p->commit.done, 1));
		if (p->commit.err == ERR_OK) {
			p->now = p->next;
		}
		return;
	}
	/* The daemon dies before anybody hears that it was durable, or before it was. */
	if (dice(p, 2) == 0) {
		uint64_t commits = memory_disk_commits(p->disk);
		(void)store_step(p->f.st);
		if (memory_disk_commits(p->disk) > commits) {
			p->now = p->next;
		}
	} else {
		p->f.outstanding = 0;
	}
	farm_fini(&p->f);
	start(p);
}

static void round_play(struct play *p)
{
	enum err e;

	trouble(p);
	if (dice(p, 10) == 0) {
		p->wall_s += dice(p, 100);
		p->f.env.wall_at_0_s = p->wall_s - (int64_t)(p->f.env.now_ns / NS_PER_S);
	}
	if (dice(p, 10) == 0) {
		note(p);
	}
	e = act(p);
	if (e == ERR_OK) {
		model_limit(&p->next, &p->keep, p->wall_s);
		crash_or_settle(p);
	}
	expect_model(p);
	if (dice(p, 12) == 0) {
		farm_fini(&p->f);
		start(p);
		expect_model(p);
	}
}

/* Of the limits, bytes are not the model's matter. */
static void limits_choose(struct play *p)
{
	p->keep = (struct version_limits){ .count = dice(p, 2) == 0 ? 3 : 20,
		                           .age_s = dice(p, 2) == 0 ? 0 : 300,
		                           .bytes = UINT64_MAX };
}

static void seed_play(uint64_t seed)
{
	struct play *p = mem_zero(1, sizeof(*p));
	struct memory_record left;

	printf("seed %llu\n", (unsigned long long)seed);
	env_fake_init(&p->dice, seed);
	p->disk = memory_disk_new();
	p->wall_s = 1700000000;
	limits_choose(p);
	start(p);
	for (unsigned i = 0; i < ACTS; i++) {
		round_play(p);
	}
	memory_disk_heal(p->disk);
	p->f.env.now_ns += STORE_RETRY_S * NS_PER_S;
	store_remove(p->f.st, zone_of(p));
	farm_settle(&p->f);
	cr_expect(not(memory_disk_zone(p->disk, 0, &left)), "nothing is left of it");
	cr_expect(not(memory_disk_node(p->disk, 0, &left)));
	farm_fini(&p->f);
	memory_disk_free(p->disk);
	free(p);
}

TEST(versions_model, random_acts_faults_and_restarts)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		seed_play(seed);
	}
}
