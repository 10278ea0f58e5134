/* SPDX-License-Identifier: MIT
 *
 * bench/restart_make.c — a database of many zones, made without a primary.
 *
 *	restart_make ZONES FOLDER [DELEGATIONS]
 *
 * Writes FOLDER/db and FOLDER/zones.txt, the list of its zones: hosting zones of 12 records (SOA, 2 or
 * 3 NS, MX, A, AAAA, www, mail, SPF and DMARC TXT, CNAMEs; names and addresses differ from zone to
 * zone), and with DELEGATIONS a registry's zone of so many. No refresh is due before tomorrow, so a
 * daemon started on it has nothing to ask anybody. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/store.h"

#define STEPS_COMMITS 2000U /* between two steps of the disk */
#define LINE_LEN      300
#define DAY_S         86400
#define REGISTRY      "registry.example."

struct maker {
	struct events events;
	struct epoch *epoch;
	unsigned participant;
	struct pool *pool;
	struct store *st;
	struct store_task *first;
	struct store_task **last;
	struct rr_scratch scratch;
	unsigned under_way;
	FILE *list;
};

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "restart_make: %s\n", what);
		exit(1);
	}
}

static void post(void *self, unsigned shard, struct store_task *task)
{
	struct maker *m = self;

	(void)shard;
	task->link[0] = NULL;
	*m->last = task;
	m->last = (struct store_task **)&task->link[0];
}

/* Writes what waits, and runs what the store answers. */
static void flush(struct maker *m)
{
	while (m->under_way > 0) {
		struct store_task *task;

		epoch_offline(m->epoch, m->participant);
		(void)store_step(m->st);
		epoch_quiet(m->epoch, m->participant);
		task = m->first;
		m->first = NULL;
		m->last = &m->first;
		while (task != NULL) {
			struct store_task *next = task->link[0];
			task->fn(task);
			task = next;
		}
	}
}

struct update {
	struct commit commit;
	struct maker *m;
};

static void update_done(struct commit *c, enum err e)
{
	struct update *u = container_of(c, struct update, commit);

	must(e == ERR_OK, err_code(e));
	u->m->under_way--;
	free(u);
}

static void add(struct maker *m, struct builder *b, const char *line)
{
	struct rr rr;

	must(rr_parse(bytes_str(line), NULL, 3600, &m->scratch, &rr) == ERR_OK, line);
	must(builder_add(b, &rr) == ERR_OK, line);
}

static struct builder *zone_begin(struct maker *m, const char *name, struct name_buf *apex)
{
	struct builder_options options = { .pool = m->pool, .budget_bytes = (size_t)8 << 30 };
	char line[LINE_LEN];
	struct builder *b;

	must(name_parse(bytes_str(name), NULL, apex) == ERR_OK, name);
	options.apex = name_of(apex);
	b = builder_new(&options);
	snprintf(line, sizeof(line),
	         "%s SOA ns1.hoster.example. hostmaster.%s 1 86400 3600 604800 300", name, name);
	add(m, b, line);
	return b;
}

static void zone_end(struct maker *m, struct builder *b, const struct name_buf *apex)
{
	int64_t now_s = env_wall_s(env_system());
	struct builder_origin origin = { SNAPSHOT_BY_AXFR, { 0 }, now_s };
	struct zone_timers timers = { .refreshed_at_s = now_s,
		                      .refresh_at_s = now_s + DAY_S,
		                      .expire_at_s = now_s + 7 * DAY_S };
	struct update *u = mem_zero(1, sizeof(*u));
	struct snapshot *snap = NULL;
	struct zone *zone = NULL;

	must(builder_freeze(b, &origin, &snap) == ERR_OK, "freeze");
	builder_free(b);
	must(store_add(m->st, name_of(apex), &zone) == ERR_OK, "add");
	u->m = m;
	u->commit.done = update_done;
	must(store_commit(m->st, zone, snap, &timers, &u->commit) == ERR_OK, "commit");
	if (++m->under_way == STEPS_COMMITS) {
		flush(m);
	}
}

static void make_hosting(struct maker *m, unsigned i)
{
	static const char *const lines[] = {
		"%s NS ns1.hoster.example.",
		"%s NS ns2.hoster.example.",
		"%s MX 10 mail.%s",
		"%s TXT \"v=spf1 include:_spf.hoster.example -all\"",
		"_dmarc.%s TXT \"v=DMARC1; p=none; rua=mailto:dmarc@hoster.example\"",
		"www.%s CNAME %s",
		"ftp.%s CNAME %s",
	};
	char name[64];
	char line[LINE_LEN];
	struct name_buf apex;
	struct builder *b;

	snprintf(name, sizeof(name), "shop-%u.example.", i);
	fprintf(m->list, "shop-%u.example\n", i);
	b = zone_begin(m, name, &apex);
	for (size_t at = 0; at < ARRAY_LEN(lines); at++) {
		snprintf(line, sizeof(line), lines[at], name, name);
		add(m, b, line);
	}
	if (i % 2 == 0) {
		snprintf(line, sizeof(line), "%s NS ns3.hoster.example.", name);
	} else {
		snprintf(line, sizeof(line), "autoconfig.%s CNAME mail.%s", name, name);
	}
	add(m, b, line);
	snprintf(line, sizeof(line), "%s A 10.%u.%u.%u", name, i >> 16 & 255, i >> 8 & 255,
	         i & 255);
	add(m, b, line);
	snprintf(line, sizeof(line), "%s AAAA 2001:db8:%x::%x", name, i >> 16, i & 0xffff);
	add(m, b, line);
	snprintf(line, sizeof(line), "mail.%s A 10.%u.%u.%u", name, 128 + (i >> 16 & 127),
	         i >> 8 & 255, i & 255);
	add(m, b, line);
	zone_end(m, b, &apex);
}

static void make_registry(struct maker *m, unsigned delegations)
{
	char line[LINE_LEN];
	struct name_buf apex;
	struct builder *b = zone_begin(m, REGISTRY, &apex);

	fprintf(m->list, "%s\n", REGISTRY);
	add(m, b, REGISTRY " NS ns1.hoster.example.");
	for (unsigned i = 0; i < delegations; i++) {
		snprintf(line, sizeof(line), "d%08u." REGISTRY " NS ns1.host-%u.example.", i,
		         i % 999);
		add(m, b, line);
		snprintf(line, sizeof(line), "d%08u." REGISTRY " NS ns.d%08u." REGISTRY, i, i);
		add(m, b, line);
		snprintf(line, sizeof(line), "ns.d%08u." REGISTRY " A 10.%u.%u.%u", i,
		         i >> 16 & 255, i >> 8 & 255, i & 255);
		add(m, b, line);
	}
	zone_end(m, b, &apex);
}

static void maker_open(struct maker *m, const char *folder)
{
	char path[4096];
	struct journal_lmdb_options journal_options = { .path = path };
	struct pool_options pool_options = { .env = env_system() };
	struct store_options options = { .env = env_system(),
		                         .events = &m->events,
		                         .shard_count = 1,
		                         .post = post,
		                         .post_self = m };
	char why[256];

	snprintf(path, sizeof(path), "%s/zones.txt", folder);
	m->list = fopen(path, "w");
	must(m->list != NULL, path);
	snprintf(path, sizeof(path), "%s/db", folder);
	must(access(path, F_OK) != 0, "there is a database already");
	events_init(&m->events, env_system(), STDERR_FILENO);
	atomic_store(&m->events.level, LEVEL_WARNING);
	m->last = &m->first;
	m->epoch = epoch_new();
	m->participant = epoch_join(m->epoch);
	pool_options.epoch = m->epoch;
	options.epoch = m->epoch;
	must(journal_lmdb_new(&journal_options, &options.journal, why, sizeof(why)) == ERR_OK, why);
	must(pool_new(&pool_options, &m->pool) == ERR_OK, "pool");
	options.pool = m->pool;
	must(store_new(&options, &m->st) == ERR_OK, "store");
	must(store_load(m->st) == ERR_OK, "load");
	epoch_quiet(m->epoch, m->participant);
}

int main(int argc, char **argv)
{
	static struct maker m;
	unsigned zones = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	unsigned delegations = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	struct store_stats stats;

	must(argc > 2, "usage: restart_make ZONES FOLDER [DELEGATIONS]");
	maker_open(&m, argv[2]);
	for (unsigned i = 0; i < zones; i++) {
		make_hosting(&m, i);
	}
	if (delegations > 0) {
		make_registry(&m, delegations);
	}
	flush(&m);
	must(fclose(m.list) == 0, "zones.txt");
	store_stats(m.st, &stats);
	printf("%" PRIu64 " zones, %" PRIu64 " nodes, %" PRIu64 " octets\n", stats.zones,
	       stats.pool.nodes, stats.journal.used_bytes);
	store_free(m.st); /* the journal is whole; memory goes back with the process */
	return 0;
}
