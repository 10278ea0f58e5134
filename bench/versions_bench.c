/* SPDX-License-Identifier: MIT
 *
 * bench/versions_bench.c — what a history costs: microseconds a commit with and without one.
 *
 * usage: versions_bench [ZONES] [OLDER]
 *
 * One thread does what the owner shard and the disk thread do, one after the other, with a journal
 * that keeps nothing: what is measured is the store's own work. Zones have 12 records, of which each update
 * changes one. Prints one line for each length of history, and octets of memory for each older
 * version. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "zonestore/journal_memory.h"
#include "zonestore/versions.h"

#define ZONES  10000U
#define OLDER  20U
#define ROUNDS 6U /* measured; the best counts */

struct bench {
	struct events events;
	struct epoch *epoch;
	unsigned participant;
	struct pool *pool;
	struct store *st;
	struct memory_disk *disk;
	struct journal_ops ops;
	struct store_task *first;
	unsigned zones;
	struct zone **zone;
	struct snapshot **snaps;
	struct commit *commits;
	double best_us[4]; /* build, begin, disk, finish */
};

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "versions_bench: %s\n", what);
		exit(1);
	}
}

static void post(void *self, unsigned shard, struct store_task *task)
{
	struct bench *b = self;

	(void)shard;
	task->link[0] = b->first;
	b->first = task;
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

/* ---- a journal that keeps nothing ---- */

static enum err nothing_put(struct journal *j, uint64_t key, struct bytes value)
{
	(void)j;
	(void)key;
	(void)value;
	return ERR_OK;
}

static enum err nothing_drop(struct journal *j, uint64_t key)
{
	(void)j;
	(void)key;
	return ERR_OK;
}

/* A journal in memory, of which only the beginning is used. */
static struct journal *nothing_new(struct bench *b)
{
	struct journal *j;

	b->disk = memory_disk_new();
	j = journal_memory_new(b->disk);
	b->ops = *j->ops;
	b->ops.put_node = nothing_put;
	b->ops.drop_node = nothing_drop;
	b->ops.put_zone = nothing_put;
	b->ops.drop_zone = nothing_drop;
	j->ops = &b->ops;
	return j;
}

static void bench_init(struct bench *b, unsigned zones)
{
	struct pool_options pool_options = { .env = env_system() };
	struct store_options options = {
		.env = env_system(), .shard_count = 1, .post = post, .post_self = b
	};

	*b = (struct bench){ .zones = zones };
	b->events = (struct events){ .level = LEVEL_ERROR,
		                     .env = env_system(),
		                     .write_fn = write_nothing };
	b->epoch = epoch_new();
	b->participant = epoch_join(b->epoch);
	pool_options.epoch = b->epoch;
	must(pool_new(&pool_options, &b->pool) == ERR_OK, "pool");
	options.events = &b->events;
	options.epoch = b->epoch;
	options.pool = b->pool;
	options.journal = nothing_new(b);
	must(store_new(&options, &b->st) == ERR_OK, "store");
	b->zone = mem_zero(zones, sizeof(struct zone *));
	b->snaps = mem_zero(zones, sizeof(struct snapshot *));
	b->commits = mem_zero(zones, sizeof(struct commit));
	for (unsigned i = 0; i < zones; i++) {
		struct name_buf apex;
		char text[40];
		snprintf(text, sizeof(text), "zone%u.example.", i);
		must(name_parse(bytes_str(text), NULL, &apex) == ERR_OK, text);
		must(store_add(b->st, name_of(&apex), &b->zone[i]) == ERR_OK, text);
	}
	must(store_load(b->st) == ERR_OK, "load");
	epoch_quiet(b->epoch, b->participant);
}

static void bench_fini(struct bench *b)
{
	epoch_offline(b->epoch, b->participant);
	store_free(b->st);
	while (epoch_collect(b->epoch) > 0) {
	}
	epoch_free(b->epoch);
	pool_free(b->pool);
	memory_disk_free(b->disk);
	free(b->zone);
	free(b->snaps);
	free(b->commits);
}

static void add(struct builder *b, struct rr_scratch *scratch, const char *line)
{
	struct rr rr;

	must(rr_parse(bytes_str(line), NULL, 300, scratch, &rr) == ERR_OK, line);
	must(builder_add(b, &rr) == ERR_OK, line);
}

static struct snapshot *version(struct bench *b, struct rr_scratch *scratch, unsigned i,
                                unsigned serial)
{
	static const char *const lines[] = {
		"zone%u.example. NS ns1.hoster.example.",
		"zone%u.example. NS ns2.hoster.example.",
		"zone%u.example. MX 10 mail.zone%u.example.",
		"zone%u.example. TXT \"v=spf1 mx -all\"",
		"_dmarc.zone%u.example. TXT \"v=DMARC1; p=none\"",
		"www.zone%u.example. CNAME zone%u.example.",
		"ftp.zone%u.example. CNAME zone%u.example.",
		"mail.zone%u.example. A 198.18.0.1",
		"zone%u.example. AAAA 2001:db8::1",
		"blog.zone%u.example. A 198.18.0.2",
	};
	struct builder_origin origin = { SNAPSHOT_BY_AXFR, { 0 }, 1700000000 };
	struct builder *builder;
	struct snapshot *snap;
	char line[200];

	builder = builder_new(
		&(struct builder_options){ .pool = b->pool, .apex = zone_apex(b->zone[i]) });
	snprintf(line, sizeof(line),
	         "zone%u.example. SOA ns1.hoster.example. mail.zone%u.example. %u 10800 3600 "
	         "604800 300",
	         i, i, serial);
	add(builder, scratch, line);
	for (size_t at = 0; at < ARRAY_LEN(lines); at++) {
		snprintf(line, sizeof(line), lines[at], i, i);
		add(builder, scratch, line);
	}
	snprintf(line, sizeof(line), "zone%u.example. A 10.%u.%u.%u", i, serial & 255, i >> 8 & 255,
	         i & 255);
	add(builder, scratch, line);
	must(builder_freeze(builder, &origin, &snap) == ERR_OK, "freeze");
	builder_free(builder);
	return snap;
}

static void done(struct commit *c, enum err e)
{
	(void)c;
	must(e == ERR_OK, err_code(e));
}

/* Keeps the best of what a part of a round takes, for each zone. */
static uint64_t lap(struct bench *b, unsigned part, uint64_t since_ns)
{
	uint64_t now = env_mono_ns(env_system());
	double us = (double)(now - since_ns) / 1e3 / b->zones;

	if (b->best_us[part] == 0 || us < b->best_us[part]) {
		b->best_us[part] = us;
	}
	return now;
}

static void finish_all(struct bench *b)
{
	while (b->first != NULL) {
		struct store_task *task = b->first;
		b->first = task->link[0];
		task->fn(task);
	}
	epoch_quiet(b->epoch, b->participant);
}

static void round_run(struct bench *b, struct rr_scratch *scratch, unsigned serial, unsigned older)
{
	struct zone_timers t = { .refresh_at_s = 1700000000 };
	uint64_t at = env_mono_ns(env_system());

	for (unsigned i = 0; i < b->zones; i++) {
		b->snaps[i] = version(b, scratch, i, serial);
	}
	at = lap(b, 0, at);
	for (unsigned i = 0; i < b->zones; i++) {
		b->commits[i] = (struct commit){ .done = done,
			                         .keep = { .count = older, .bytes = UINT64_MAX } };
		must(store_commit(b->st, b->zone[i], b->snaps[i], &t, &b->commits[i]) == ERR_OK,
		     "commit");
	}
	at = lap(b, 1, at);
	while (store_step(b->st)) {
	}
	at = lap(b, 2, at);
	finish_all(b);
	(void)lap(b, 3, at);
	while (store_step(b->st)) {
		finish_all(b);
	}
}

static uint64_t memory(const struct bench *b)
{
	struct pool_stats stats;

	pool_stats(b->pool, &stats);
	return stats.body_bytes + stats.node_bytes + stats.snapshot_bytes;
}

static void measure(unsigned zones, unsigned older)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	uint64_t first = 0;
	struct bench b;

	bench_init(&b, zones);
	for (unsigned serial = 1; serial <= older + ROUNDS + 1; serial++) {
		if (serial == older + 2) {
			memset(b.best_us, 0, sizeof(b.best_us));
		}
		round_run(&b, scratch, serial, older);
		first = serial == 1 ? memory(&b) : first;
	}
	printf("%2u older: build %.2f  commit %.2f  disk %.2f  finish %.2f us a zone, %.0f octets "
	       "an "
	       "older version\n",
	       older, b.best_us[0], b.best_us[1], b.best_us[2], b.best_us[3],
	       older == 0 ? 0.0 : (double)(memory(&b) - first) / zones / older);
	bench_fini(&b);
	free(scratch);
}

int main(int argc, char **argv)
{
	unsigned zones = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ZONES;
	unsigned older = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : OLDER;

	must(zones > 0 && older > 0, "usage: versions_bench [ZONES] [OLDER]");
	measure(zones, 0);
	measure(zones, 1);
	measure(zones, older);
	return 0;
}
