/* SPDX-License-Identifier: MIT
 *
 * bench/disk_store.c — a store with its threads, and what goes into it. */
#include "bench/disk_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "zonestore/journal_lmdb.h"

#define LINE_LEN 200
#define LARGE    "registry.example."
#define NOW_S    1700000000

struct update {
	struct commit commit;
	struct bench *b;
	uint64_t began_ns;
	bool large;
};

uint64_t now_ns(void)
{
	return env_mono_ns(env_system());
}

double secs_since(uint64_t began_ns)
{
	return (double)(now_ns() - began_ns) / 1e9;
}

void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "disk_bench: %s\n", what);
		exit(1);
	}
}

/* ---- the store ---- */

static void post(void *self, unsigned shard, struct store_task *task)
{
	struct bench *b = self;

	(void)shard;
	task->link[0] = NULL;
	pthread_mutex_lock(&b->lock);
	*b->last = task;
	b->last = (struct store_task **)&task->link[0];
	pthread_cond_signal(&b->mail);
	pthread_mutex_unlock(&b->lock);
}

static void loaded(void *self)
{
	struct bench *b = self;

	pthread_mutex_lock(&b->lock);
	b->loaded = true;
	pthread_cond_signal(&b->mail);
	pthread_mutex_unlock(&b->lock);
}

static void *disk_run(void *arg)
{
	store_run(((struct bench *)arg)->st, loaded, arg);
	return NULL;
}

static void apex_parse(const char *text, struct name_buf *out)
{
	must(name_parse(bytes_str(text), NULL, out) == ERR_OK, text);
}

static void apex_of(unsigned index, struct name_buf *out)
{
	char text[64];

	snprintf(text, sizeof(text), "customer-%u.example.", index);
	apex_parse(text, out);
}

static void zones_add(struct bench *b)
{
	struct name_buf apex;
	struct zone *zone;

	for (unsigned i = 0; i < b->zones; i++) {
		apex_of(i, &apex);
		must(store_add(b->st, name_of(&apex), &zone) == ERR_OK, "add");
	}
	if (b->delegations > 0) {
		apex_parse(LARGE, &apex);
		must(store_add(b->st, name_of(&apex), &zone) == ERR_OK, "add");
	}
}

/* Starts the disk thread and waits until it has loaded. */
static void disk_start(struct bench *b)
{
	pthread_create(&b->disk, NULL, disk_run, b);
	pthread_mutex_lock(&b->lock);
	while (!b->loaded) {
		pthread_cond_wait(&b->mail, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
}

void bench_open(struct bench *b)
{
	struct journal_lmdb_options journal_options = { .path = b->folder };
	struct pool_options pool_options = { .env = env_system() };
	struct store_options options = { .env = env_system(),
		                         .events = &b->events,
		                         .shard_count = 1,
		                         .post = post,
		                         .post_self = b };
	pthread_condattr_t attr;
	char why[256];

	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->mail, &attr);
	pthread_condattr_destroy(&attr);
	events_init(&b->events, env_system(), STDERR_FILENO);
	atomic_store(&b->events.level, LEVEL_WARNING);
	b->first = NULL;
	b->last = &b->first;
	b->loaded = false;
	b->waits = (struct waits){ 0 };
	b->epoch = epoch_new();
	b->participant = epoch_join(b->epoch);
	pool_options.epoch = b->epoch;
	options.epoch = b->epoch;
	must(journal_lmdb_new(&journal_options, &options.journal, why, sizeof(why)) == ERR_OK, why);
	must(pool_new(&pool_options, &b->pool) == ERR_OK, "pool");
	options.pool = b->pool;
	must(store_new(&options, &b->st) == ERR_OK, "store");
	zones_add(b);
	disk_start(b);
}

void bench_close(struct bench *b)
{
	store_stop(b->st);
	pthread_join(b->disk, NULL);
	epoch_offline(b->epoch, b->participant);
	store_free(b->st);
	while (epoch_collect(b->epoch) > 0) {
	}
	epoch_free(b->epoch);
	pool_free(b->pool);
	pthread_cond_destroy(&b->mail);
	pthread_mutex_destroy(&b->lock);
}

void bench_sleep(struct bench *b, uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000),
		                  .tv_nsec = (long)(until_ns % 1000000000) };
	int timed_out = 0;

	epoch_offline(b->epoch, b->participant);
	pthread_mutex_lock(&b->lock);
	while (b->first == NULL && timed_out == 0) {
		timed_out = pthread_cond_timedwait(&b->mail, &b->lock, &until);
	}
	pthread_mutex_unlock(&b->lock);
}

void bench_turn(struct bench *b, bool wait)
{
	struct store_task *task;

	epoch_offline(b->epoch, b->participant);
	pthread_mutex_lock(&b->lock);
	while (wait && b->first == NULL) {
		pthread_cond_wait(&b->mail, &b->lock);
	}
	task = b->first;
	b->first = NULL;
	b->last = &b->first;
	pthread_mutex_unlock(&b->lock);
	epoch_quiet(b->epoch, b->participant);
	while (task != NULL) {
		struct store_task *next = task->link[0];
		task->fn(task);
		task = next;
	}
}

void bench_settle(struct bench *b)
{
	while (b->under_way > 0 || b->large_under_way) {
		bench_turn(b, true);
	}
	epoch_offline(b->epoch, b->participant);
}

struct store_stats bench_stats(struct bench *b)
{
	struct store_stats stats;

	store_stats(b->st, &stats);
	return stats;
}

/* ---- updates ---- */

static void update_done(struct commit *commit, enum err e)
{
	struct update *u = container_of(commit, struct update, commit);
	uint64_t wait = now_ns() - u->began_ns;
	struct waits *w = &u->b->waits;

	must(e == ERR_OK, err_code(e));
	if (u->large) {
		u->b->large_under_way = false;
	} else {
		w->max_ns = wait > w->max_ns ? wait : w->max_ns;
		w->sum_ns += wait;
		w->count++;
		u->b->under_way--;
	}
	free(u);
}

static struct update *update_new(struct bench *b)
{
	struct update *u = mem_zero(1, sizeof(*u));

	u->b = b;
	u->commit.done = update_done;
	u->began_ns = now_ns();
	return u;
}

static void update_commit(struct bench *b, struct zone *zone, struct snapshot *snap,
                          struct update *u)
{
	struct zone_timers t = { .refreshed_at_s = NOW_S, .refresh_at_s = NOW_S + 10800 };

	must(store_commit(b->st, zone, snap, &t, &u->commit) == ERR_OK, "commit");
}

void hosting_commit(struct bench *b, unsigned i, struct snapshot *snap)
{
	struct name_buf apex;

	apex_of(i, &apex);
	b->under_way++;
	update_commit(b, store_find(b->st, name_of(&apex)), snap, update_new(b));
}

struct zone *large_zone(struct bench *b)
{
	struct name_buf apex;

	apex_parse(LARGE, &apex);
	return store_find(b->st, name_of(&apex));
}

void large_commit(struct bench *b, struct snapshot *snap)
{
	struct update *u = update_new(b);

	u->large = true;
	b->large_under_way = true;
	update_commit(b, large_zone(b), snap, u);
}

/* ---- content ---- */

static void change(struct bench *b, struct builder *builder, const char *line, bool add)
{
	struct rr rr;

	must(rr_parse(bytes_str(line), NULL, 3600, &b->scratch, &rr) == ERR_OK, line);
	must((add ? builder_add(builder, &rr) : builder_delete(builder, &rr)) == ERR_OK, line);
}

static struct snapshot *freeze(struct builder *builder)
{
	struct builder_origin origin = { SNAPSHOT_BY_AXFR, { 0 }, NOW_S };
	struct snapshot *snap = NULL;

	must(builder_freeze(builder, &origin, &snap) == ERR_OK, "freeze");
	builder_free(builder);
	return snap;
}

static void soa(struct bench *b, struct builder *builder, const char *apex, uint32_t serial)
{
	char line[LINE_LEN];

	snprintf(line, sizeof(line),
	         "%s SOA ns1.hoster.example. hostmaster.%s %u 10800 3600 604800 3600", apex, apex,
	         serial);
	change(b, builder, line, true);
}

struct snapshot *hosting_version(struct bench *b, unsigned i, uint32_t serial)
{
	static const char *const lines[] = {
		"%s NS ns1.hoster.example.",
		"%s NS ns2.hoster.example.",
		"%s MX 10 mail.%s",
		"%s TXT \"v=spf1 include:_spf.hoster.example -all\"",
		"_dmarc.%s TXT \"v=DMARC1; p=none\"",
		"www.%s CNAME %s",
		"ftp.%s CNAME %s",
		"autoconfig.%s CNAME autoconfig.hoster.example.",
	};
	struct builder_options options = { .pool = b->pool };
	struct builder *builder;
	struct name_buf apex;
	char name[64];
	char line[LINE_LEN];

	apex_of(i, &apex);
	snprintf(name, sizeof(name), "customer-%u.example.", i);
	options.apex = name_of(&apex);
	builder = builder_new(&options);
	soa(b, builder, name, serial);
	for (size_t at = 0; at < ARRAY_LEN(lines); at++) {
		const char *second = strstr(strstr(lines[at], "%s") + 2, "%s");
		snprintf(line, sizeof(line), lines[at], name, second == NULL ? "" : name);
		change(b, builder, line, true);
	}
	snprintf(line, sizeof(line), "%s A 198.%u.%u.%u", name, 18 + serial % 100, i >> 8 & 255,
	         i & 255);
	change(b, builder, line, true);
	snprintf(line, sizeof(line), "%s AAAA 2001:db8:%x::%x", name, i >> 16, i & 0xffff);
	change(b, builder, line, true);
	snprintf(line, sizeof(line), "mail.%s A 198.20.%u.%u", name, i >> 8 & 255, i & 255);
	change(b, builder, line, true);
	return freeze(builder);
}

static struct builder *large_builder(struct bench *b, const struct snapshot *base)
{
	struct name_buf apex;
	struct builder_options options = { .pool = b->pool, .base = base };

	apex_parse(LARGE, &apex);
	options.apex = name_of(&apex);
	return builder_new(&options);
}

static void glue_line(const struct bench *b, unsigned i, char line[LINE_LEN])
{
	snprintf(line, LINE_LEN, "ns1.d%07u." LARGE " A 10.%u.%u.%u", i, i >> 16 & 255, i & 255,
	         b->glue[i]);
}

static void delegation_add(struct bench *b, struct builder *builder, unsigned i)
{
	static const char hex[] = "0123456789abcdef";
	char line[LINE_LEN];
	char digest[65] = "";

	if (i % 3 == 0) {
		snprintf(line, sizeof(line), "d%07u." LARGE " NS ns1.d%07u." LARGE, i, i);
		change(b, builder, line, true);
	} else {
		snprintf(line, sizeof(line), "d%07u." LARGE " NS ns1.host%u.example.", i, i % 5000);
		change(b, builder, line, true);
	}
	snprintf(line, sizeof(line), "d%07u." LARGE " NS ns2.host%u.example.", i, i % 5000);
	change(b, builder, line, true);
	if (i % 4 == 0) {
		for (unsigned at = 0; at < 64; at++) {
			digest[at] = hex[(i * 2654435761U >> (at % 28)) & 15];
		}
		snprintf(line, sizeof(line), "d%07u." LARGE " DS %u 13 2 %s", i, i & 0xffff,
		         digest);
		change(b, builder, line, true);
	}
	if (i % 3 == 0) {
		glue_line(b, i, line);
		change(b, builder, line, true);
	}
}

struct snapshot *large_version(struct bench *b)
{
	struct builder *builder = large_builder(b, NULL);

	b->glue = b->glue == NULL ? mem_zero(b->delegations, 1) : b->glue;
	soa(b, builder, LARGE, ++b->large_serial);
	change(b, builder, LARGE " NS ns1.hoster.example.", true);
	for (unsigned i = 0; i < b->delegations; i++) {
		delegation_add(b, builder, i);
	}
	return freeze(builder);
}

struct snapshot *large_patched(struct bench *b, unsigned delegation)
{
	struct builder *builder = large_builder(b, zone_newest(large_zone(b)));
	char line[LINE_LEN];

	delegation -= delegation % 3;
	soa(b, builder, LARGE, ++b->large_serial);
	glue_line(b, delegation, line);
	change(b, builder, line, false);
	b->glue[delegation]++;
	glue_line(b, delegation, line);
	change(b, builder, line, true);
	return freeze(builder);
}
