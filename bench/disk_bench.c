/* SPDX-License-Identifier: MIT
 *
 * bench/disk_bench.c — what durability costs: octets written, commits, how long updates wait for
 * them, and the time of a restart.
 *
 *	disk_bench [--json FILE] [ZONES [DELEGATIONS [FOLDER]]]
 *
 * One thread is the only shard, others are the disk thread and its collector. LMDB is in a new folder
 * below FOLDER (the current one by default, since /tmp may be no disk). Written octets are those given
 * to write() by the disk thread; each phase that measures waits has a store opened anew, whose counts
 * begin at zero. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "bench/disk_store.h"
#include "bench/figures.h"

#define ZONES       100000U
#define DELEGATIONS 1000000U
#define WINDOW      4096U /* commits under way */
#define SINGLES     200U
#define CHANGES_MAX 6000U  /* of the large zone: enough for freed nodes to be removed too */
#define RATE        10000U /* updates a second */
#define RATE_S      5U
#define RATE_ZONES  2000U
#define BESIDE_US   3000U /* between small updates while a large zone is under way */
#define REPLACED    10U

static double per_second(uint64_t count, double secs)
{
	return (double)count / secs;
}

static double ms_of(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double mean_ms(const struct waits *w)
{
	return w->count == 0 ? 0 : ms_of(w->sum_ns) / (double)w->count;
}

/* ---- arriving ---- */

static void arrive_all(struct bench *b, uint32_t serial)
{
	for (unsigned i = 0; i < b->zones; i++) {
		hosting_commit(b, i, hosting_version(b, i, serial));
		bench_turn(b, b->under_way >= WINDOW);
	}
	bench_settle(b);
}

static void measure_arrival(struct bench *b, struct figures *f)
{
	struct store_stats stats;
	uint64_t began;
	double secs;

	bench_open(b);
	began = now_ns();
	arrive_all(b, 1);
	secs = secs_since(began);
	stats = bench_stats(b);
	figure(f, "zones of 12 records made and stored", b->zones / secs, "zones/s", 0);
	figure(f, "transactions for them", (double)stats.journal.commits, "", 0);
	figure(f, "occupied by them", (double)stats.journal.used_bytes / 1e6, "MB", 0);
	figure(f, "written for what zones then occupy",
	       (double)stats.journal.written_bytes / (double)stats.journal.used_bytes, "times",
	       2.5);
	bench_close(b);
}

/* Small updates now and then until the large zone is done with. */
static void small_until(struct bench *b, bool (*done)(struct bench *b), uint32_t serial)
{
	unsigned count = 0;

	while (!done(b)) {
		if (b->under_way < b->zones / 2) {
			unsigned i = count++ % b->zones;
			hosting_commit(b, i, hosting_version(b, i, serial + count / b->zones));
		}
		usleep(BESIDE_US);
		bench_turn(b, false);
	}
	bench_settle(b);
}

static bool large_stored(struct bench *b)
{
	return !b->large_under_way;
}

static void measure_large(struct bench *b, struct figures *f)
{
	struct store_stats before;
	struct store_stats after;
	struct snapshot *snap;
	uint64_t began;

	bench_open(b);
	snap = large_version(b);
	before = bench_stats(b);
	began = now_ns();
	large_commit(b, snap);
	small_until(b, large_stored, 2);
	after = bench_stats(b);
	figure(f, "zone of 1,000,000 stored, small updates beside it", secs_since(began), "s", 0);
	figure(f, "written for what the large zone then occupies",
	       (double)(after.journal.written_bytes - before.journal.written_bytes) /
	               (double)(after.journal.used_bytes - before.journal.used_bytes),
	       "times", 2.5);
	figure(f, "beside it: wait for a transaction, 99%",
	       ms_of(durations_quantile(&after.disk.wait, 990)), "ms", 20);
	figure(f, "beside it: longest transaction", ms_of(after.disk.transactions.max_ns), "ms", 0);
	figure(f, "beside it: wait until visible, mean", mean_ms(&b->waits), "ms", 0);
	figure(f, "beside it: wait until visible, longest", ms_of(b->waits.max_ns), "ms", 0);
	bench_close(b);
}

/* ---- changes ---- */

/* Waits until nothing is being removed: a start removes what the last stop left. */
static struct store_stats drops_settle(struct bench *b)
{
	struct store_stats before;
	struct store_stats after = bench_stats(b);

	do {
		before = after;
		usleep(300000);
		after = bench_stats(b);
	} while (after.disk.nodes_dropped != before.disk.nodes_dropped);
	return after;
}

/* Changes until nodes that are gone have been removed as well, which is done many at a time. */
static void measure_changes(struct bench *b, struct figures *f, const char *what)
{
	struct store_stats before;
	struct store_stats after;
	struct store_stats removed;
	unsigned count = 0;
	uint32_t at = 1;

	bench_open(b);
	if (zone_newest(large_zone(b)) == NULL) {
		large_commit(b, large_version(b));
		bench_settle(b);
	}
	before = drops_settle(b);
	removed = before;
	do {
		at = at * 1664525 + 1013904223;
		epoch_quiet(b->epoch, b->participant);
		large_commit(b, large_patched(b, at % b->delegations));
		bench_settle(b);
		count++;
		after = bench_stats(b);
		if (after.disk.nodes_dropped == before.disk.nodes_dropped) {
			removed = after;
		}
	} while (count < CHANGES_MAX && (after.disk.nodes_dropped == before.disk.nodes_dropped ||
	                                 after.disk.drops_waiting > 4096));
	figure(f, what,
	       (double)(after.journal.written_bytes - before.journal.written_bytes) / count / 1024,
	       "KiB", 32);
	figure(f, "  of it without removing nodes that are gone",
	       (double)(removed.journal.written_bytes - before.journal.written_bytes) /
	               (double)(removed.disk.updates - before.disk.updates) / 1024,
	       "KiB", 0);
	figure(f, "  of it nodes and the zone's record",
	       (double)(removed.disk.value_bytes - before.disk.value_bytes) /
	               (double)(removed.disk.updates - before.disk.updates) / 1024,
	       "KiB", 0);
	bench_close(b);
}

static void measure_singles(struct bench *b, struct figures *f)
{
	struct store_stats stats;
	uint64_t written;

	bench_open(b);
	written = bench_stats(b).journal.written_bytes;
	for (unsigned i = 0; i < SINGLES; i++) {
		usleep(50000); /* idle in between */
		epoch_quiet(b->epoch, b->participant);
		hosting_commit(b, i, hosting_version(b, i, 50));
		bench_settle(b);
	}
	stats = bench_stats(b);
	figure(f, "update on an idle store: wait for a transaction, 99%",
	       ms_of(durations_quantile(&stats.disk.wait, 990)), "ms", 1);
	figure(f, "update on an idle store: until visible, mean", mean_ms(&b->waits), "ms", 0);
	figure(f, "update on an idle store: until visible, longest", ms_of(b->waits.max_ns), "ms",
	       0);
	figure(f, "commits for it", (double)stats.journal.commits / SINGLES, "", 1);
	figure(f, "written for a small zone's update",
	       (double)(stats.journal.written_bytes - written) / SINGLES / 1024, "KiB", 0);
	bench_close(b);
}

static void measure_rate(struct bench *b, struct figures *f)
{
	unsigned zones = b->zones < RATE_ZONES ? b->zones : RATE_ZONES;
	struct store_stats before;
	struct store_stats after;
	uint64_t began;
	uint64_t counted = 0;
	unsigned count = 0;
	double secs;
	double counted_secs;

	bench_open(b);
	before = bench_stats(b);
	began = now_ns();
	while (count < RATE * RATE_S) {
		if (count < RATE / 2) { /* what comes after a pause may go in pairs */
			before = bench_stats(b);
			counted = now_ns();
		}
		unsigned due = (unsigned)((double)(now_ns() - began) * RATE / 1e9);
		/* A zone has one commit at a time: never more under way than there are zones. */
		while (count < due && count < RATE * RATE_S && b->under_way < zones / 2) {
			unsigned i = count % zones;
			hosting_commit(b, i, hosting_version(b, i, 100 + count / zones));
			count++;
		}
		bench_turn(b, false);
		usleep(500);
	}
	secs = secs_since(began);
	after = bench_stats(b);
	counted_secs = secs_since(counted);
	bench_settle(b);
	figure(f, "updates a second, wanted 10,000", count / secs, "1/s", 0);
	figure(f, "commits a second at that rate",
	       per_second(after.journal.commits - before.journal.commits, counted_secs), "1/s", 75);
	figure(f, "wait for a transaction at that rate, median",
	       ms_of(durations_quantile(&after.disk.wait, 500)), "ms", 0);
	figure(f, "wait for a transaction at that rate, 99%",
	       ms_of(durations_quantile(&after.disk.wait, 990)), "ms", 0);
	figure(f, "wait for a transaction at that rate, longest", ms_of(after.disk.wait.max_ns),
	       "ms", 20);
	figure(f, "wait until visible at that rate, mean", mean_ms(&b->waits), "ms", 0);
	figure(f, "wait until visible at that rate, longest", ms_of(b->waits.max_ns), "ms", 0);
	figure(f, "longest transaction at that rate", ms_of(after.disk.transactions.max_ns), "ms",
	       0);
	figure(f, "written at that rate",
	       (double)(after.journal.written_bytes - before.journal.written_bytes) / counted_secs /
	               1e6,
	       "MB/s", 0);
	bench_close(b);
}

/* ---- going ---- */

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

static bool large_removed(struct bench *b)
{
	struct store_stats stats = bench_stats(b);

	return stats.disk.nodes_dropped > b->delegations / 50 && stats.disk.drops_waiting < 4096;
}

static void measure_removal(struct bench *b, struct figures *f)
{
	struct store_stats stats;
	uint64_t began;

	bench_open(b);
	epoch_quiet(b->epoch, b->participant);
	began = now_ns();
	store_remove(b->st, large_zone(b));
	small_until(b, large_removed, 150);
	stats = bench_stats(b);
	figure(f, "zone of 1,000,000 removed, small updates beside it", secs_since(began), "s", 0);
	figure(f, "beside that: wait for a transaction, longest", ms_of(stats.disk.wait.max_ns),
	       "ms", 20);
	figure(f, "beside that: wait until visible, mean", mean_ms(&b->waits), "ms", 0);
	figure(f, "beside that: wait until visible, longest", ms_of(b->waits.max_ns), "ms", 0);
	bench_close(b);
}

static void measure_replaced(struct bench *b, struct figures *f)
{
	uint64_t first = 0;
	uint64_t last;

	bench_open(b);
	for (unsigned i = 0; i < REPLACED; i++) {
		arrive_all(b, 200 + i);
		while (bench_stats(b).disk.drops_waiting > 4096 + b->zones / 4) {
			usleep(20000);
		}
		first = i == 3 ? bench_stats(b).journal.size_bytes : first;
	}
	last = bench_stats(b).journal.size_bytes;
	figure(f, "file after replacing all ten times, to after four", (double)last / (double)first,
	       "times", 1.1);
	bench_close(b);
}

/* The large zone in a database of its own. */
static void measure_alone(struct bench *b, struct figures *f)
{
	must(mkdir(b->folder, 0700) == 0, b->folder);
	b->zones = 0;
	free(b->glue);
	b->glue = NULL;
	measure_changes(b, f, "written for a change in 1,000,000");
	folder_remove(b->folder);
}

static void measure_restart(struct bench *b, struct figures *f)
{
	uint64_t began = now_ns();

	bench_open(b);
	figure(f, "restart until all are served", secs_since(began), "s", 0);
	began = now_ns();
	bench_close(b);
	figure(f, "stop", secs_since(began), "s", 0);
}

int main(int argc, char **argv)
{
	static struct figures figures;
	static struct bench b;
	const char *json = NULL;
	char folder[4096];

	if (argc > 2 && strcmp(argv[1], "--json") == 0) {
		json = argv[2];
		argv += 2;
		argc -= 2;
	}
	b.zones = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ZONES;
	b.delegations = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : DELEGATIONS;
	snprintf(folder, sizeof(folder), "%s/disk-bench-XXXXXX", argc > 3 ? argv[3] : ".");
	must(b.zones > 0 && b.delegations > 0,
	     "usage: disk_bench [--json FILE] [ZONES [DELEGATIONS "
	     "[FOLDER]]]");
	must(mkdtemp(folder) != NULL, folder);
	b.folder = folder;
	measure_arrival(&b, &figures);
	measure_restart(&b, &figures);
	measure_singles(&b, &figures);
	measure_rate(&b, &figures);
	measure_replaced(&b, &figures);
	measure_large(&b, &figures);
	measure_changes(&b, &figures, "written for a change in 1,000,000, beside other zones");
	measure_removal(&b, &figures);
	folder_remove(folder);
	measure_alone(&b, &figures);
	free(b.glue);
	must(json == NULL || figures_write(&figures, "disk", json), "cannot write the figures");
	return 0;
}
