/* SPDX-License-Identifier: MIT
 *
 * bench/disk_bench.c — what durability costs: commits, bytes written, and the time of a restart.
 *
 * usage: disk_bench [ZONES] [FOLDER]
 *
 * One thread is the only shard, another the disk thread, LMDB is in a new folder below FOLDER (the
 * current one by default, since /tmp may be no disk). ZONES hosting zones of 12 records arrive as
 * fast as they are built; then single updates on an idle store; then 10,000 updates a second; then
 * everything is closed and loaded again. Written bytes are those given to write() (/proc/self/io). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/store.h"

#define ZONES      100000U
#define WINDOW     4096U /* commits under way */
#define SINGLES    200U
#define RATE       10000U /* updates a second */
#define RATE_S     3U
#define RATE_ZONES 2000U
#define LINE_LEN   200

struct bench {
	struct events events;
	struct epoch *epoch;
	unsigned participant;
	struct pool *pool;
	struct store *st;
	pthread_t disk;
	pthread_mutex_t lock;
	pthread_cond_t mail;
	struct store_task *first;
	struct store_task **last;
	bool loaded;
	const char *folder;
	unsigned zones;
	unsigned under_way;
	uint64_t wait_max_ns;
	uint64_t wait_sum_ns;
	uint64_t waits;
};

struct update {
	struct commit commit;
	struct bench *b;
	struct update *next; /* free ones */
	uint64_t began_ns;
};

static uint64_t now_ns(void)
{
	return env_mono_ns(env_system());
}

static double secs_since(uint64_t began_ns)
{
	return (double)(now_ns() - began_ns) / 1e9;
}

static void must(bool good, const char *what)
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

static void apex_of(unsigned index, struct name_buf *out)
{
	char text[64];

	snprintf(text, sizeof(text), "customer-%u.example.", index);
	must(name_parse(bytes_str(text), NULL, out) == ERR_OK, text);
}

static void bench_open(struct bench *b)
{
	struct journal_lmdb_options journal_options = { .path = b->folder };
	struct pool_options pool_options = { .env = env_system() };
	struct store_options options = { .env = env_system(),
		                         .events = &b->events,
		                         .shard_count = 1,
		                         .post = post,
		                         .post_self = b };
	struct name_buf apex;
	struct zone *zone;
	char why[256];

	events_init(&b->events, env_system(), STDERR_FILENO);
	atomic_store(&b->events.level, LEVEL_WARNING);
	b->first = NULL;
	b->last = &b->first;
	b->loaded = false;
	b->epoch = epoch_new();
	b->participant = epoch_join(b->epoch);
	pool_options.epoch = b->epoch;
	options.epoch = b->epoch;
	must(journal_lmdb_new(&journal_options, &options.journal, why, sizeof(why)) == ERR_OK, why);
	must(pool_new(&pool_options, &b->pool) == ERR_OK, "pool");
	options.pool = b->pool;
	must(store_new(&options, &b->st) == ERR_OK, "store");
	for (unsigned i = 0; i < b->zones; i++) {
		apex_of(i, &apex);
		must(store_add(b->st, name_of(&apex), &zone) == ERR_OK, "add");
	}
}

/* Starts the disk thread and waits until it has loaded. */
static void bench_run(struct bench *b)
{
	pthread_create(&b->disk, NULL, disk_run, b);
	pthread_mutex_lock(&b->lock);
	while (!b->loaded) {
		pthread_cond_wait(&b->mail, &b->lock);
	}
	pthread_mutex_unlock(&b->lock);
}

static void bench_close(struct bench *b)
{
	store_stop(b->st);
	pthread_join(b->disk, NULL);
	epoch_offline(b->epoch, b->participant);
	store_free(b->st);
	while (epoch_collect(b->epoch) > 0) {
	}
	epoch_free(b->epoch);
	pool_free(b->pool);
}

/* Runs what the disk thread answered; waits for something if there is nothing and `wait`. */
static void bench_turn(struct bench *b, bool wait)
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

/* ---- zones ---- */

static void add(struct builder *b, struct rr_scratch *scratch, const char *line)
{
	struct rr rr;

	must(rr_parse(bytes_str(line), NULL, 3600, scratch, &rr) == ERR_OK, line);
	must(builder_add(b, &rr) == ERR_OK, line);
}

/* A hosting zone of 12 records: two of the names, two of the addresses and the serial are its own. */
static struct snapshot *version(struct bench *b, unsigned i, uint32_t serial,
                                struct rr_scratch *scratch)
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
	struct builder_origin origin = { SNAPSHOT_BY_AXFR, { 0 }, 1700000000 };
	struct builder_options options = { .pool = b->pool };
	struct snapshot *snap = NULL;
	struct builder *builder;
	struct name_buf apex;
	char name[64];
	char line[LINE_LEN];

	apex_of(i, &apex);
	snprintf(name, sizeof(name), "customer-%u.example.", i);
	options.apex = name_of(&apex);
	builder = builder_new(&options);
	snprintf(line, sizeof(line),
	         "%s SOA ns1.hoster.example. hostmaster.%s %u 10800 3600 604800 3600", name, name,
	         serial);
	add(builder, scratch, line);
	for (size_t at = 0; at < ARRAY_LEN(lines); at++) {
		const char *second = strstr(lines[at], "%s");
		second = strstr(second + 2, "%s");
		snprintf(line, sizeof(line), lines[at], name, second == NULL ? "" : name);
		add(builder, scratch, line);
	}
	snprintf(line, sizeof(line), "%s A 198.%u.%u.%u", name, 18 + (serial & 1), i >> 8 & 255,
	         i & 255);
	add(builder, scratch, line);
	snprintf(line, sizeof(line), "%s AAAA 2001:db8:%x::%x", name, i >> 16, i & 0xffff);
	add(builder, scratch, line);
	snprintf(line, sizeof(line), "mail.%s A 198.20.%u.%u", name, i >> 8 & 255, i & 255);
	add(builder, scratch, line);
	must(builder_freeze(builder, &origin, &snap) == ERR_OK, "freeze");
	builder_free(builder);
	return snap;
}

static void update_done(struct commit *commit, enum err e)
{
	struct update *u = container_of(commit, struct update, commit);
	uint64_t wait = now_ns() - u->began_ns;
	struct bench *b = u->b;

	must(e == ERR_OK, err_code(e));
	b->wait_max_ns = wait > b->wait_max_ns ? wait : b->wait_max_ns;
	b->wait_sum_ns += wait;
	b->waits++;
	b->under_way--;
	free(u);
}

static void update_begin(struct bench *b, unsigned i, struct snapshot *snap)
{
	struct update *u = mem_zero(1, sizeof(*u));
	struct zone_timers t = { .refreshed_at_s = 1700000000, .refresh_at_s = 1700010800 };
	struct name_buf apex;

	apex_of(i, &apex);
	u->b = b;
	u->commit.done = update_done;
	u->began_ns = now_ns();
	must(store_commit(b->st, store_find(b->st, name_of(&apex)), snap, &t, &u->commit) == ERR_OK,
	     "commit");
	b->under_way++;
}

static void waits_reset(struct bench *b)
{
	b->wait_max_ns = 0;
	b->wait_sum_ns = 0;
	b->waits = 0;
}

/* ---- measurements ---- */

/* Octets that this process wrote. (write_bytes counts whole large folios of the page cache.) */
static uint64_t written_bytes(void)
{
	unsigned long long written = 0;
	char line[128];
	FILE *f = fopen("/proc/self/io", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "wchar: %llu", &written) == 1) {
			break;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return written;
}

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	unsigned long long resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL) {
		must(fscanf(f, "%llu %llu", &pages, &resident) == 2, "statm");
		fclose(f);
	}
	return resident * 4096;
}

static uint64_t commits_so_far(struct bench *b)
{
	struct store_stats stats;

	store_stats(b->st, &stats);
	return stats.journal.commits;
}

static void measure_arrival(struct bench *b, struct rr_scratch *scratch)
{
	uint64_t written = written_bytes();
	uint64_t began = now_ns();
	uint64_t building_ns = 0;
	struct store_stats stats;
	double secs;

	for (unsigned i = 0; i < b->zones; i++) {
		uint64_t at = now_ns();
		struct snapshot *snap = version(b, i, 1, scratch);
		building_ns += now_ns() - at;
		update_begin(b, i, snap);
		bench_turn(b, b->under_way >= WINDOW);
	}
	while (b->under_way > 0) {
		bench_turn(b, true);
	}
	secs = secs_since(began);
	written = written_bytes() - written;
	store_stats(b->st, &stats);
	printf("arrival of %u zones of 12 records   %8.2f s (%.0f zones/s; %.2f s of it "
	       "building)\n",
	       b->zones, secs, b->zones / secs, (double)building_ns / 1e9);
	printf("  transactions                      %8llu\n",
	       (unsigned long long)stats.journal.commits);
	printf("  written, occupied, file           %8.1f MB, %.1f MB, %.1f MB (written %.2f times "
	       "what it occupies)\n",
	       (double)written / 1e6, (double)stats.journal.used_bytes / 1e6,
	       (double)stats.journal.size_bytes / 1e6,
	       (double)written / (double)stats.journal.used_bytes);
	printf("  nodes, bodies, pool               %8llu, %llu, %.1f MB; resident %.1f MB\n",
	       (unsigned long long)stats.pool.nodes, (unsigned long long)stats.pool.bodies,
	       (double)stats.pool.mapped_bytes / 1e6, (double)resident_bytes() / 1e6);
}

static void measure_singles(struct bench *b, struct rr_scratch *scratch)
{
	uint64_t written = written_bytes();

	waits_reset(b);
	for (unsigned i = 0; i < SINGLES; i++) {
		usleep(50000); /* idle in between */
		update_begin(b, i, version(b, i, 2, scratch));
		while (b->under_way > 0) {
			bench_turn(b, true);
		}
	}
	written = written_bytes() - written;
	printf("single updates on an idle store     %8.2f ms each (most %.2f ms), %.1f kB "
	       "written\n",
	       (double)b->wait_sum_ns / (double)b->waits / 1e6, (double)b->wait_max_ns / 1e6,
	       (double)written / SINGLES / 1e3);
}

static void measure_rate(struct bench *b, struct rr_scratch *scratch)
{
	unsigned zones = b->zones < RATE_ZONES ? b->zones : RATE_ZONES;
	uint64_t commits = commits_so_far(b);
	uint64_t written = written_bytes();
	uint64_t began = now_ns();
	unsigned count = 0;
	double secs;

	waits_reset(b);
	while (count < RATE * RATE_S) {
		unsigned due = (unsigned)((double)(now_ns() - began) * RATE / 1e9);
		/* A zone has one commit at a time: never more under way than there are zones. */
		while (count < due && count < RATE * RATE_S && b->under_way < zones / 2) {
			update_begin(b, count % zones,
			             version(b, count % zones, 3 + count / zones, scratch));
			count++;
		}
		bench_turn(b, false);
		usleep(500);
	}
	secs = secs_since(began);
	while (b->under_way > 0) {
		bench_turn(b, true);
	}
	commits = commits_so_far(b) - commits;
	written = written_bytes() - written;
	printf("%u updates/s for %u s              %8.0f updates/s, %.1f commits/s, wait %.2f ms "
	       "(most %.2f ms), %.1f MB/s written\n",
	       RATE, RATE_S, count / secs, (double)commits / secs,
	       (double)b->wait_sum_ns / (double)b->waits / 1e6, (double)b->wait_max_ns / 1e6,
	       (double)written / secs / 1e6);
}

static void measure_restart(struct bench *b)
{
	struct store_stats stats;
	uint64_t began;
	double opened;
	double all;

	began = now_ns();
	bench_open(b);
	opened = secs_since(began);
	bench_run(b);
	all = secs_since(began);
	store_stats(b->st, &stats);
	printf("restart with %llu zones           %8.2f s until all are served (%.2f s of it "
	       "adding "
	       "them)\n",
	       (unsigned long long)stats.zones_loaded, all, opened);
	printf("  resident                          %8.1f MB\n", (double)resident_bytes() / 1e6);
	bench_close(b);
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	char folder[4096];
	char file[4200];
	uint64_t began;

	b.zones = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ZONES;
	snprintf(folder, sizeof(folder), "%s/disk-bench-XXXXXX", argc > 2 ? argv[2] : ".");
	must(mkdtemp(folder) != NULL, folder);
	b.folder = folder;
	pthread_mutex_init(&b.lock, NULL);
	pthread_cond_init(&b.mail, NULL);
	bench_open(&b);
	bench_run(&b);
	measure_arrival(&b, scratch);
	measure_singles(&b, scratch);
	measure_rate(&b, scratch);
	began = now_ns();
	bench_close(&b);
	printf("stop                                %8.2f s\n", secs_since(began));
	measure_restart(&b);
	for (size_t i = 0; i < 3; i++) {
		static const char *const files[] = { "data.mdb", "lock.mdb", "axfarmd.lock" };
		snprintf(file, sizeof(file), "%s/%s", folder, files[i]);
		unlink(file);
	}
	rmdir(folder);
	free(scratch);
	return 0;
}
