/* SPDX-License-Identifier: MIT
 *
 * bench/rate_bench.c — zones that load, and updates that come at a rate: how long each takes from
 * store_commit() until it is visible, and what it costs in CPU time and written octets.
 *
 *	rate_bench [--json FILE] [ZONES [SECONDS [FOLDER [RATE...]]]]
 *
 * One thread is the only shard. It makes versions of records in wire form, as a transfer does;
 * an update replaces the address of a zone chosen at random, and comes after a pause of random
 * length, as independent updates do. What making versions takes on the shard is told apart by the
 * thread's own clock. LMDB is in a new folder below FOLDER (the current one by default). */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "bench/disk_store.h"
#include "bench/figures.h"

#define ZONES     100000U
#define SECONDS   5U
#define WINDOW    4096U /* commits under way while zones load */
#define RATES_MAX 8U
#define NOW_S     1700000000
#define VERSIONS  20U /* kept, as the daemon does */
#define LARGE     (128 << 10)
#define SETTLE_US 300000U

struct update {
	struct commit commit;
	struct load *load;
	uint32_t zone;
	uint64_t began_ns;
};

struct load {
	struct bench bench;
	struct figures figures;
	char what[32];     /* is measured */
	uint32_t *serials; /* of each zone; 0: it has none yet */
	bool *busy;
	uint64_t seed;
	uint64_t make_ns;
	uint64_t idle_ns; /* of CPU time: going to sleep and waking up */
	uint64_t *waits;  /* of updates, until they were visible */
	size_t wait_count;
	size_t wait_cap;
};

static uint64_t clock_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t random_next(struct load *l)
{
	l->seed = l->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return l->seed >> 33;
}

/* ---- what goes in ---- */

static void apex_make(uint32_t zone, struct name_buf *out)
{
	char text[64];

	snprintf(text, sizeof(text), "customer-%u.example.", zone);
	must(name_parse(bytes_str(text), NULL, out) == ERR_OK, text);
}

/* `label`, if there is one, below `name`. */
static struct name below(const char *label, struct name name, struct name_buf *out)
{
	struct name n = name;
	size_t len = strlen(label);

	if (len == 0) {
		return name;
	}
	out->octets[0] = (uint8_t)len;
	memcpy(out->octets + 1, label, len);
	memcpy(out->octets + 1 + len, name.at, name.len);
	n.at = out->octets;
	n.len = (uint8_t)(name.len + len + 1);
	n.labels = (uint8_t)(name.labels + 1);
	return n;
}

struct making {
	struct builder *builder;
	struct name apex;
};

static void add(struct making *m, const char *label, uint16_t type, struct bytes rdata,
                enum err (*to)(struct builder *, const struct rr *))
{
	struct name_buf owner;
	struct rr rr = { .owner = below(label, m->apex, &owner),
		         .type = type,
		         .class = CLASS_IN,
		         .ttl = 3600,
		         .rdata = rdata };

	must(to(m->builder, &rr) == ERR_OK, "record");
}

static void add_soa(struct making *m, uint32_t serial,
                    enum err (*to)(struct builder *, const struct rr *))
{
	static const uint8_t mname[] = "\3ns1\6hoster\7example";
	static const uint8_t rname[] = "\5admin";
	uint8_t rdata[512];
	struct writer w = writer_of(rdata, sizeof(rdata));

	must(writer_put(&w, bytes_of(mname, sizeof(mname))) &&
	             writer_put(&w, bytes_of(rname, sizeof(rname) - 1)) &&
	             writer_put(&w, name_bytes(m->apex)) && writer_u32(&w, serial) &&
	             writer_u32(&w, 10800) && writer_u32(&w, 3600) && writer_u32(&w, 604800) &&
	             writer_u32(&w, 3600),
	     "SOA");
	add(m, "", TYPE_SOA, writer_bytes(&w), to);
}

static void add_address(struct making *m, uint32_t zone, uint32_t serial,
                        enum err (*to)(struct builder *, const struct rr *))
{
	uint8_t ip[4];

	store_u32(ip, zone * 2654435761U + serial);
	add(m, "", TYPE_A, bytes_of(ip, sizeof(ip)), to);
}

static void add_records(struct making *m, uint32_t zone)
{
	static const uint8_t ns[2][20] = { "\3ns1\6hoster\7example", "\3ns2\6hoster\7example" };
	static const uint8_t spf[] = "\47v=spf1 include:_spf.hoster.example -all";
	static const uint8_t dmarc[] = "\16v=DMARC1; p=no";
	uint8_t mx[2 + NAME_MAX_LEN] = { 0, 10 };
	struct name_buf mail;
	struct name exchange = below("mail", m->apex, &mail);
	uint8_t ip[16] = { 0x20, 1, 0xd, 0xb8 };

	memcpy(mx + 2, exchange.at, exchange.len);
	store_u32(ip + 12, zone);
	for (unsigned i = 0; i < 2; i++) {
		add(m, "", TYPE_NS, bytes_of(ns[i], sizeof(ns[i])), builder_add);
	}
	add(m, "", TYPE_MX, bytes_of(mx, 2U + exchange.len), builder_add);
	add(m, "", TYPE_TXT, bytes_of(spf, sizeof(spf) - 1), builder_add);
	add(m, "", TYPE_AAAA, bytes_of(ip, sizeof(ip)), builder_add);
	add(m, "_dmarc", TYPE_TXT, bytes_of(dmarc, sizeof(dmarc) - 1), builder_add);
	add(m, "mail", TYPE_A, bytes_of(ip + 12, 4), builder_add);
	add(m, "www", TYPE_CNAME, name_bytes(m->apex), builder_add);
	add(m, "ftp", TYPE_CNAME, name_bytes(m->apex), builder_add);
	add(m, "webmail", TYPE_CNAME, name_bytes(exchange), builder_add);
}

/* A zone's next version: the whole of it, or over the one before. */
static struct snapshot *make(struct load *l, uint32_t zone, const struct snapshot *base)
{
	struct builder_origin origin = { base == NULL ? SNAPSHOT_BY_AXFR : SNAPSHOT_BY_IXFR,
		                         { 0 },
		                         NOW_S };
	struct builder_options options = { .pool = l->bench.pool, .base = base };
	struct snapshot *snap = NULL;
	struct name_buf apex;
	struct making m;

	apex_make(zone, &apex);
	options.apex = name_of(&apex);
	m = (struct making){ builder_new(&options), options.apex };
	if (base != NULL) {
		add_soa(&m, l->serials[zone], builder_delete);
		add_address(&m, zone, l->serials[zone], builder_delete);
	}
	add_soa(&m, ++l->serials[zone], builder_add);
	add_address(&m, zone, l->serials[zone], builder_add);
	if (base == NULL) {
		add_records(&m, zone);
	}
	must(builder_freeze(m.builder, &origin, &snap) == ERR_OK, "freeze");
	builder_free(m.builder);
	return snap;
}

static void on_done(struct commit *c, enum err e)
{
	struct update *u = container_of(c, struct update, commit);
	struct load *l = u->load;

	must(e == ERR_OK, err_code(e));
	if (l->wait_count < l->wait_cap) {
		l->waits[l->wait_count++] = now_ns() - u->began_ns;
	}
	l->busy[u->zone] = false;
	l->bench.under_way--;
	free(u);
}

static void update(struct load *l, uint32_t zone)
{
	struct zone_timers t = { .refreshed_at_s = NOW_S, .refresh_at_s = NOW_S + 10800 };
	uint64_t began = clock_of(CLOCK_THREAD_CPUTIME_ID);
	struct update *u = mem_zero(1, sizeof(*u));
	struct name_buf apex;
	struct snapshot *snap;
	struct zone *at;

	apex_make(zone, &apex);
	at = store_find(l->bench.st, name_of(&apex));
	u->load = l;
	u->zone = zone;
	u->commit.done = on_done;
	u->commit.keep = (struct version_limits){ .count = VERSIONS, .age_s = 7 * 86400 };
	snap = make(l, zone, zone_newest(at));
	l->make_ns += clock_of(CLOCK_THREAD_CPUTIME_ID) - began;
	l->busy[zone] = true;
	l->bench.under_way++;
	u->began_ns = now_ns();
	must(store_commit(l->bench.st, at, snap, &t, &u->commit) == ERR_OK, "commit");
}

/* ---- figures ---- */

/* What has been used up to some moment. */
struct spent {
	uint64_t wall_ns;
	uint64_t process_ns;
	uint64_t shard_ns;
	uint64_t disk_ns;
	uint64_t make_ns;
	uint64_t idle_ns;
	struct store_stats stats;
};

static struct spent spent_now(struct load *l)
{
	struct spent s = { .wall_ns = now_ns(),
		           .process_ns = clock_of(CLOCK_PROCESS_CPUTIME_ID),
		           .shard_ns = clock_of(CLOCK_THREAD_CPUTIME_ID),
		           .make_ns = l->make_ns,
		           .idle_ns = l->idle_ns };
	clockid_t disk;

	must(pthread_getcpuclockid(l->bench.disk, &disk) == 0, "clock");
	s.disk_ns = clock_of(disk);
	s.stats = bench_stats(&l->bench);
	return s;
}

static void row(struct load *l, const char *part, double value, const char *unit, double at_most)
{
	char text[64];

	snprintf(text, sizeof(text), "%s: %s", l->what, part);
	figure(&l->figures, text, value, unit, at_most);
}

static void spent_tell(struct load *l, const struct spent *a, size_t count, double at_most_us)
{
	struct spent after = spent_now(l);
	const struct spent *b = &after;
	double us = 1e3 * (double)count;
	double process = (double)(b->process_ns - a->process_ns);
	double shard = (double)(b->shard_ns - a->shard_ns);
	double disk = (double)(b->disk_ns - a->disk_ns);
	double make_ns = (double)(b->make_ns - a->make_ns);
	double idle_ns = (double)(b->idle_ns - a->idle_ns);
	uint64_t commits = b->stats.journal.commits - a->stats.journal.commits;
	uint64_t written = b->stats.journal.written_bytes - a->stats.journal.written_bytes;

	row(l, "CPU without the shard's sleep", (process - idle_ns) / us, "us", at_most_us);
	row(l, "  versions made on the shard", make_ns / us, "us", 0);
	row(l, "  rest of the shard", (shard - make_ns - idle_ns) / us, "us", 0);
	row(l, "  disk thread", disk / us, "us", 0);
	row(l, "  collector", (process - shard - disk) / us, "us", 0);
	row(l, "commits a second", 1e9 * (double)commits / (double)(b->wall_ns - a->wall_ns), "1/s",
	    0);
	row(l, "written", (double)written / (double)count / 1024, "KiB", 0);
}

static void measure_load(struct load *l)
{
	struct spent before = spent_now(l);

	snprintf(l->what, sizeof(l->what), "loading");
	for (uint32_t i = 0; i < l->bench.zones; i++) {
		update(l, i);
		bench_turn(&l->bench, l->bench.under_way >= WINDOW);
	}
	bench_settle(&l->bench);
	row(l, "zones a second", 1e9 * l->bench.zones / (double)(now_ns() - before.wall_ns), "1/s",
	    0);
	spent_tell(l, &before, l->bench.zones, 15);
}

static int wait_compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static double wait_ms(const struct load *l, double part)
{
	return (double)l->waits[(size_t)((double)(l->wait_count - 1) * part)] / 1e6;
}

/* Gaps between independent events have an exponential distribution; this one is cut off at 7 times
 * the mean. */
static uint64_t gap_ns(struct load *l, unsigned rate)
{
	double x = ((double)random_next(l) + 1) / 2147483649.0;
	double gap = 0;

	while (x < 0.5 && gap < 7) {
		x *= 2;
		gap += 0.6931;
	}
	gap += (1 - x) * (1 + (1 - x) * (0.5 + (1 - x) * 0.3863)); /* -ln(x), near enough */
	return (uint64_t)(gap * 1e9 / rate);
}

/* A shard sleeps in one system call, for the network and the store alike; here the store is alone, so
 * sleeping is not what an update costs. What comes in is ended afterwards. */
static void sleep_until(struct load *l, uint64_t until_ns)
{
	uint64_t began = clock_of(CLOCK_THREAD_CPUTIME_ID);

	bench_sleep(&l->bench, until_ns);
	l->idle_ns += clock_of(CLOCK_THREAD_CPUTIME_ID) - began;
	bench_turn(&l->bench, false);
}

static void updates_at(struct load *l, unsigned rate, unsigned secs)
{
	uint64_t began = now_ns();
	uint64_t end = began + (uint64_t)secs * 1000000000;
	uint64_t due = began;

	while (due < end) {
		while (due <= now_ns() && due < end) {
			uint32_t zone = (uint32_t)(random_next(l) % l->bench.zones);
			if (!l->busy[zone] && l->bench.under_way < STORE_QUEUE_MAX / 2) {
				update(l, zone);
			}
			due += gap_ns(l, rate);
		}
		sleep_until(l, due < end ? due : end);
	}
}

static void measure_rate(struct load *l, unsigned rate, unsigned secs)
{
	struct spent before;
	uint64_t took_ns;

	snprintf(l->what, sizeof(l->what), "%u/s", rate);
	usleep(SETTLE_US);
	l->wait_cap = (size_t)rate * secs * 2;
	l->waits = mem_zero(l->wait_cap, sizeof(*l->waits));
	l->wait_count = 0;
	before = spent_now(l);
	updates_at(l, rate, secs);
	bench_settle(&l->bench);
	took_ns = now_ns() - before.wall_ns;
	qsort(l->waits, l->wait_count, sizeof(*l->waits), wait_compare);
	row(l, "updates a second", 1e9 * (double)l->wait_count / (double)took_ns, "1/s", 0);
	row(l, "until visible, median", wait_ms(l, 0.5), "ms", rate == 1000 ? 0.7 : 0);
	row(l, "until visible, 90 of 100", wait_ms(l, 0.9), "ms", 0);
	row(l, "until visible, 99 of 100", wait_ms(l, 0.99), "ms",
	    rate == 1000   ? 2
	    : rate == 5000 ? 5
	                   : 100);
	row(l, "until visible, longest", wait_ms(l, 1), "ms", 0);
	spent_tell(l, &before, l->wait_count, rate == 5000 ? 20 : 0);
	free(l->waits);
	l->wait_cap = 0;
}

/* With what changed last still in the log. */
static void measure_restart(struct load *l)
{
	uint64_t began;

	bench_close(&l->bench);
	began = now_ns();
	bench_open(&l->bench);
	figure(&l->figures, "restart until all are served, one thread", secs_since(began), "s", 0);
	bench_close(&l->bench);
}

static void folder_remove(const char *folder)
{
	static const char *const files[] = { "data.mdb", "lock.mdb", "axfarmd.lock" };
	char file[4200];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(file, sizeof(file), "%s/%s", folder, files[i]);
		unlink(file);
	}
	rmdir(folder);
}

/* As the daemon does (daemon/main.c); and pauses are as short as they are asked for. */
static void process_settle(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE);
	(void)mallopt(M_TRIM_THRESHOLD, LARGE);
	(void)mallopt(M_ARENA_MAX, 2);
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
}

int main(int argc, char **argv)
{
	static const unsigned usual[] = { 1000, 5000, 10000, 20000 };
	static struct load l;
	const char *json = NULL;
	char folder[4096];
	unsigned secs;

	if (argc > 2 && strcmp(argv[1], "--json") == 0) {
		json = argv[2];
		argv += 2;
		argc -= 2;
	}
	l.bench.zones = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ZONES;
	secs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : SECONDS;
	snprintf(folder, sizeof(folder), "%s/rate-bench-XXXXXX", argc > 3 ? argv[3] : ".");
	must(l.bench.zones > 0 && secs > 0,
	     "usage: rate_bench [--json FILE] [ZONES [SECONDS [FOLDER [RATE...]]]]");
	process_settle();
	must(mkdtemp(folder) != NULL, folder);
	l.bench.folder = folder;
	l.serials = mem_zero(l.bench.zones, sizeof(*l.serials));
	l.busy = mem_zero(l.bench.zones, sizeof(*l.busy));
	bench_open(&l.bench);
	measure_load(&l);
	for (unsigned i = 0; i < ARRAY_LEN(usual) && argc <= 4; i++) {
		measure_rate(&l, usual[i], secs);
	}
	for (int i = 4; i < argc && i < (int)RATES_MAX; i++) {
		measure_rate(&l, (unsigned)strtoul(argv[i], NULL, 10), secs);
	}
	measure_restart(&l);
	folder_remove(folder);
	free(l.serials);
	free(l.busy);
	must(json == NULL || figures_write(&l.figures, "rate", json), "cannot write the figures");
	return 0;
}
