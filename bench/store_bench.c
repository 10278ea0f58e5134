/* SPDX-License-Identifier: MIT
 *
 * bench/store_bench.c — what versions cost: memory a zone and a record, time to build, to patch, to
 * compare and to look up.
 *
 *	store_bench [--json FILE] [ZONES [DELEGATIONS [canonical | random]]]
 *
 * The last argument has only the building in that order done, and often: for a profiler.
 *
 * Zones are a hoster's: SOA, 2 or 3 NS, MX, A, AAAA, www, mail, SPF and DMARC TXT, CNAMEs; with
 * addresses, a TXT and a name of their own. The large zone is a registry's: NS, every third
 * delegation with glue, every fourth with DS. Records are made before the clock starts. Times are
 * of the processor, not of the wall; a lookup is zone, owner name and record set of a name that
 * exists, chosen at random. Memory is the pool's; what the process grew by is shown beside it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/env.h"
#include "dns/rdata.h"
#include "zonestore/builder.h"
#include "zonestore/diff.h"
#include "zonestore/journal_memory.h"
#include "zonestore/store.h"

#define ZONES_DEFAULT       20000
#define DELEGATIONS_DEFAULT 100000
#define LOOKUPS             1000000
#define PATCHES             2000
#define TRIES               5 /* of building the best one counts, of lookups the median */
#define TRIES_PROFILER      20
#define COMMITS_AT_ONCE     1024
#define FIGURES_MAX         64
#define SEED                2026

/* Records made beforehand: octets one after the other. */
struct tape {
	uint8_t *at;
	size_t len;
	size_t cap;
	size_t *starts; /* of each record, to play them in any order */
	size_t count;
	size_t start_cap;
};

/* What a figure should be; neither: nothing was promised. */
struct target {
	double at_most;
	double at_least;
};

struct figure {
	char what[64];
	const char *unit;
	double value;
	struct target target;
};

struct bench {
	struct env_fake dice;
	struct epoch *epoch;
	struct pool *pool;
	struct tape tape;
	struct figure figures[FIGURES_MAX];
	size_t figure_count;
	const char *json; /* file to write the figures to as well; NULL: none */
	char machine[256];
	const char *only; /* order of building for a profiler; NULL: everything */
	unsigned zones;
	unsigned delegations;
};

/* Of this thread on a processor: what else runs on the machine does not count. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t total = 0;
	size_t pages = 0;

	if (f != NULL) {
		if (fscanf(f, "%zu %zu", &total, &pages) != 2) {
			pages = 0;
		}
		fclose(f);
	}
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* ---- tapes ---- */

static void tape_put(struct tape *t, const void *at, size_t len)
{
	if (t->len + len > t->cap) {
		t->cap = 2 * (t->len + len);
		t->at = mem_grow(t->at, t->cap);
	}
	memcpy(t->at + t->len, at, len);
	t->len += len;
}

static void tape_add(struct tape *t, struct name owner, uint16_t type, uint32_t ttl,
                     struct bytes rdata)
{
	uint8_t head[8];

	if (t->count == t->start_cap) {
		t->start_cap = t->start_cap == 0 ? 4096 : 2 * t->start_cap;
		t->starts = mem_grow(t->starts, t->start_cap * sizeof(size_t));
	}
	t->starts[t->count++] = t->len;
	store_u16(head, type);
	store_u32(head + 2, ttl);
	store_u16(head + 6, (uint16_t)rdata.len);
	tape_put(t, head, sizeof(head));
	tape_put(t, &owner.len, 1);
	tape_put(t, &owner.labels, 1);
	tape_put(t, owner.at, owner.len);
	tape_put(t, rdata.at, rdata.len);
}

static struct rr tape_view(const struct tape *t, size_t i)
{
	const uint8_t *at = t->at + t->starts[i];
	struct name owner = { at + 10, at[8], at[9] };

	return (struct rr){ .owner = owner,
		            .type = load_u16(at),
		            .class = CLASS_IN,
		            .ttl = load_u32(at + 2),
		            .rdata = bytes_of(owner.at + owner.len, load_u16(at + 6)) };
}

static void tape_reset(struct tape *t)
{
	t->len = 0;
	t->count = 0;
}

static void tape_fini(struct tape *t)
{
	free(t->at);
	free(t->starts);
	*t = (struct tape){ 0 };
}

static void fail(const char *what, enum err e)
{
	fprintf(stderr, "%s: %s\n", what, err_text(e));
	exit(1);
}

/* Reads one record in presentation form onto the tape. */
static void tape_text(struct tape *t, struct name apex, const char *line)
{
	static struct rr_scratch scratch;
	struct rr rr;
	enum err e = rr_parse(bytes_str(line), &apex, 3600, &scratch, &rr);

	if (e != ERR_OK) {
		fail(line, e);
	}
	tape_add(t, rr.owner, rr.type, rr.ttl, rr.rdata);
}

static struct name_buf name_text(const char *text)
{
	struct name_buf n;
	enum err e = name_parse(bytes_str(text), NULL, &n);

	if (e != ERR_OK) {
		fail(text, e);
	}
	return n;
}

/* ---- building ---- */

/* Plays the tape into a builder and freezes it. */
static struct snapshot *build(struct bench *b, struct name apex)
{
	struct builder_options options = { .pool = b->pool,
		                           .apex = apex,
		                           .budget_bytes = (size_t)8 << 30 };
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder *builder = builder_new(&options);
	struct snapshot *snap = NULL;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < b->tape.count; i++) {
		struct rr rr = tape_view(&b->tape, i);
		e = builder_add(builder, &rr);
	}
	if (e == ERR_OK) {
		e = builder_freeze(builder, &origin, &snap);
	}
	if (e != ERR_OK) {
		fail("building", e);
	}
	builder_free(builder);
	return snap;
}

/* Everything that versions occupy; the heap's rounding and its unused pieces are in what the
 * process grew by. */
static uint64_t pool_bytes(const struct bench *b)
{
	struct pool_stats s;

	pool_stats(b->pool, &s);
	return s.body_bytes + s.node_bytes + s.snapshot_bytes + s.table_bytes;
}

static void print_pool(const struct bench *b)
{
	struct pool_stats s;

	pool_stats(b->pool, &s);
	printf("  bodies %" PRIu64 " (%.1f MB)  nodes %" PRIu64 " (%.1f MB)  versions %.1f MB  "
	       "tables %.1f MB  mapped %.1f MB\n",
	       s.bodies, (double)s.body_bytes / 1e6, s.nodes, (double)s.node_bytes / 1e6,
	       (double)s.snapshot_bytes / 1e6, (double)s.table_bytes / 1e6,
	       (double)s.mapped_bytes / 1e6);
}

static const struct target no_target = { 0 };

static struct target at_most(double value)
{
	return (struct target){ .at_most = value };
}

static struct target at_least(double value)
{
	return (struct target){ .at_least = value };
}

static void row(struct bench *b, const char *what, double value, const char *unit,
                struct target target)
{
	struct figure f = { .unit = unit, .value = value, .target = target };
	char text[64] = "";

	if (b->figure_count == FIGURES_MAX) {
		fail("too many figures", ERR_LIMIT_RECORDS);
	}
	snprintf(f.what, sizeof(f.what), "%s", what);
	b->figures[b->figure_count++] = f;
	if (target.at_most > 0) {
		snprintf(text, sizeof(text), "at most %.10g", target.at_most);
	} else if (target.at_least > 0) {
		snprintf(text, sizeof(text), "at least %.10g", target.at_least);
	}
	printf("%-52s %12.2f %-10s %s\n", what, value, unit, text);
}

/* ---- figures as JSON ---- */

static void json_figure(FILE *out, const struct figure *f, bool last)
{
	fprintf(out, "    {\"what\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", f->what, f->value,
	        f->unit);
	if (f->target.at_most > 0) {
		fprintf(out, ", \"at_most\": %.10g, \"met\": %s", f->target.at_most,
		        f->value <= f->target.at_most ? "true" : "false");
	} else if (f->target.at_least > 0) {
		fprintf(out, ", \"at_least\": %.10g, \"met\": %s", f->target.at_least,
		        f->value >= f->target.at_least ? "true" : "false");
	}
	fprintf(out, "}%s\n", last ? "" : ",");
}

static void json_write(const struct bench *b)
{
	FILE *out = b->json == NULL ? NULL : fopen(b->json, "w");

	if (b->json == NULL) {
		return;
	}
	if (out == NULL) {
		fail(b->json, ERR_DISK);
	}
	fprintf(out, "{\n  \"benchmark\": \"store\",\n  \"machine\": \"%s\",\n  \"figures\": [\n",
	        b->machine);
	for (size_t i = 0; i < b->figure_count; i++) {
		json_figure(out, &b->figures[i], i + 1 == b->figure_count);
	}
	fprintf(out, "  ]\n}\n");
	if (fclose(out) != 0) {
		fail(b->json, ERR_DISK);
	}
}

/* ---- a hoster's zones ---- */

static void hosting_zone(struct bench *b, unsigned n, struct name apex, const char *apex_text)
{
	static const char *const shops[] = {
		"shop", "blog", "cloud", "dev", "intranet", "webmail"
	};
	struct env *env = &b->dice.env;
	char line[512];
	uint32_t ip = env_random_u32(env);
	unsigned pair = env_random_below(env, 8);

	tape_reset(&b->tape);
#define LINE(...) (snprintf(line, sizeof(line), __VA_ARGS__), tape_text(&b->tape, apex, line))
	LINE("@ 3600 IN SOA ns1.hoster.example. hostmaster.hoster.example. %u 14400 3600 1209600 "
	     "300",
	     2026010100 + n % 97);
	LINE("@ 3600 IN NS ns%u.hoster.example.", pair * 2 + 1);
	LINE("@ 3600 IN NS ns%u.hoster.example.", pair * 2 + 2);
	if (n % 2 == 0) {
		LINE("@ 3600 IN NS ns-ext.hoster.example.");
	}
	LINE("@ 300 IN A %u.%u.%u.%u", 1 + (ip >> 24) % 223, ip >> 16 & 255, ip >> 8 & 255,
	     ip & 255);
	LINE("@ 3600 IN MX 10 mail");
	LINE("@ 3600 IN TXT \"v=spf1 mx a ip4:%u.%u.%u.%u include:_spf.hoster.example ~all\"",
	     1 + (ip >> 24) % 223, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	LINE("@ 300 IN AAAA 2001:db8:%x:%x::%x", ip >> 16, ip & 0xffff, 1 + n % 7);
	LINE("_dmarc 3600 IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc@%.*s\"",
	     (int)strlen(apex_text) - 1, apex_text);
	LINE("ftp 3600 IN CNAME @");
	LINE("mail 3600 IN A 192.0.2.%u", env_random_below(env, 200));
	LINE("%s%u 3600 IN CNAME sites%u.hoster.example.", shops[n % 6], env_random_below(env, 20),
	     env_random_below(env, 500));
	LINE("www 3600 IN CNAME @");
#undef LINE
}

/* ---- a store of zones, to look them up in ---- */

struct lookup {
	struct store *st;
	struct events events;
	struct store_task *answers; /* of the disk thread, which this thread plays */
	struct store_task **answers_end;
};

static void post(void *self, unsigned shard, struct store_task *task)
{
	struct lookup *l = self;

	(void)shard;
	task->link[0] = NULL;
	*l->answers_end = task;
	l->answers_end = (struct store_task **)&task->link[0];
}

static void commit_done(struct commit *c, enum err e)
{
	(void)c;
	if (e != ERR_OK) {
		fail("committing", e);
	}
}

/* Makes what was committed visible. */
static void lookup_turn(struct lookup *l)
{
	struct store_task *task;

	while (store_step(l->st)) {
	}
	task = l->answers;
	l->answers = NULL;
	l->answers_end = &l->answers;
	while (task != NULL) {
		struct store_task *next = task->link[0];
		task->fn(task);
		task = next;
	}
}

static void lookup_open(struct bench *b, struct lookup *l, struct memory_disk *disk)
{
	struct store_options options = { .env = &b->dice.env,
		                         .events = &l->events,
		                         .epoch = b->epoch,
		                         .pool = b->pool,
		                         .journal = journal_memory_new(disk),
		                         .shard_count = 1,
		                         .post = post,
		                         .post_self = l };
	enum err e;

	events_init(&l->events, env_system(), STDERR_FILENO);
	atomic_store(&l->events.level, LEVEL_WARNING);
	l->answers_end = &l->answers;
	e = store_new(&options, &l->st);
	e = e == ERR_OK ? store_load(l->st) : e;
	if (e != ERR_OK) {
		fail("store", e);
	}
}

static void lookup_fill(struct lookup *l, struct snapshot *const *snaps, unsigned zones)
{
	struct zone_timers timers = { .refreshed_at_s = 1, .refresh_at_s = 2, .expire_at_s = 3 };
	struct commit *commits = mem_zero(COMMITS_AT_ONCE, sizeof(*commits));

	for (unsigned n = 0; n < zones; n++) {
		struct commit *c = &commits[n % COMMITS_AT_ONCE];
		struct zone *zone;
		enum err e = store_add(l->st, snapshot_apex(snaps[n]), &zone);
		*c = (struct commit){ .done = commit_done };
		e = e == ERR_OK ? store_commit(l->st, zone, snapshot_ref(snaps[n]), &timers, c) : e;
		if (e != ERR_OK) {
			fail("storing", e);
		}
		if ((n + 1) % COMMITS_AT_ONCE == 0) {
			lookup_turn(l);
		}
	}
	lookup_turn(l);
	free(commits);
}

/* A name that is asked for, and a type that it has. */
struct question {
	struct name_buf name;
	size_t digits; /* where the number in the name stands */
	uint16_t type;
};

static struct question question_of(const char *text, uint16_t type)
{
	struct question q = { .name = name_text(text), .type = type };

	while (q.name.octets[q.digits] < '0' || q.name.octets[q.digits] > '9') {
		q.digits++;
	}
	return q;
}

/* Writes the seven digits of a name in wire form. */
static void name_number(uint8_t *digits, unsigned n)
{
	for (unsigned i = 7; i-- > 0; n /= 10) {
		digits[i] = (uint8_t)('0' + n % 10);
	}
}

/* Answers one question as far as to the record set; false if it is not there. */
static bool lookup_one(const struct store *st, struct name name, uint16_t type)
{
	const struct zone *zone = store_find_enclosing(st, name);
	const struct snapshot *snap = zone == NULL ? NULL : zone_borrow(zone);
	struct snapshot_place place;
	struct rrset set;

	if (snap == NULL) {
		return false;
	}
	place = snapshot_find(snap, name, false, false);
	return (place.match == SNAPSHOT_FOUND || place.match == SNAPSHOT_REFERRAL) &&
	       owner_rrset(&place.owner, type, 0, &set);
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nanoseconds for one of many lookups; `number` makes the number in the name. */
static double lookup_time(struct bench *b, const struct store *st, struct question *questions,
                          unsigned kinds, unsigned (*number)(struct bench *b))
{
	double times[TRIES];

	for (unsigned t = 0; t < TRIES; t++) {
		double start = seconds();
		for (unsigned i = 0; i < LOOKUPS; i++) {
			struct question *q = &questions[i % kinds];
			name_number(q->name.octets + q->digits, number(b));
			if (!lookup_one(st, name_of(&q->name), q->type)) {
				fail("a name was not found", ERR_NOT_FOUND);
			}
		}
		times[t] = (seconds() - start) / LOOKUPS * 1e9;
	}
	qsort(times, TRIES, sizeof(times[0]), by_number);
	return times[TRIES / 2];
}

/* ---- a hoster, all of it ---- */

static unsigned customer_number(unsigned n)
{
	return (unsigned)((uint64_t)n * 7919 % 9999991);
}

static unsigned any_customer(struct bench *b)
{
	return customer_number(env_random_below(&b->dice.env, b->zones));
}

static void bench_zone_lookups(struct bench *b, struct snapshot *const *snaps)
{
	struct memory_disk *disk = memory_disk_new();
	struct lookup l = { 0 };
	struct question questions[] = {
		question_of("customer-0000000.example.", TYPE_MX),
		question_of("www.customer-0000000.example.", TYPE_CNAME),
		question_of("mail.customer-0000000.example.", TYPE_A),
	};
	char what[64];

	lookup_open(b, &l, disk);
	lookup_fill(&l, snaps, b->zones);
	snprintf(what, sizeof(what), "lookup of a name among %u zones", b->zones);
	row(b, what, lookup_time(b, l.st, questions, 3, any_customer), "ns", at_most(300));
	store_free(l.st);
	memory_disk_free(disk);
}

static void bench_hosting(struct bench *b)
{
	struct snapshot **snaps = mem_new(b->zones * sizeof(struct snapshot *));
	size_t before = resident_bytes();
	uint64_t records = 0;
	double spent = 0;

	for (unsigned n = 0; n < b->zones; n++) {
		char text[64];
		struct name_buf apex;
		double start;
		snprintf(text, sizeof(text), "customer-%07u.example.", customer_number(n));
		apex = name_text(text);
		hosting_zone(b, n, name_of(&apex), text);
		records += b->tape.count;
		start = seconds();
		snaps[n] = build(b, name_of(&apex));
		spent += seconds() - start;
	}
	printf("\n%u hosting zones, %" PRIu64 " records\n", b->zones, records);
	print_pool(b);
	row(b, "memory a zone (pool)", (double)pool_bytes(b) / b->zones, "octets", at_most(1000));
	row(b, "memory a zone (process growth)", (double)(resident_bytes() - before) / b->zones,
	    "octets", at_most(1000));
	row(b, "records built, one by one zone", (double)records / spent, "a second", no_target);
	if (b->only == NULL) {
		bench_zone_lookups(b, snaps);
	}
	for (unsigned n = 0; n < b->zones; n++) {
		snapshot_unref(snaps[n]);
	}
	free(snaps);
	while (epoch_collect(b->epoch) > 0) {
	}
	row(b, "pool left after removing all", (double)pool_bytes(b), "octets", no_target);
}

/* ---- a registry's zone ---- */

/* One delegation; owners come out in canonical order because numbers have seven digits. */
static void delegation(struct bench *b, unsigned n, struct name apex)
{
	struct env *env = &b->dice.env;
	struct name_buf owner;
	struct name_buf ns;
	char text[96];
	uint8_t octets[64];
	unsigned hoster = (n * 2654435761U >> 8) % 5000;

	snprintf(text, sizeof(text), "name%07u", n);
	if (name_parse(bytes_str(text), &apex, &owner) != ERR_OK) {
		fail(text, ERR_TEXT);
	}
	if (n % 4 == 0) {
		store_u32(octets, (n * 40503U & 0xffff) << 16 | 13 << 8 | 2);
		env->random(env->self, octets + 4, 32);
		tape_add(&b->tape, name_of(&owner), TYPE_DS, 86400, bytes_of(octets, 36));
	}
	for (unsigned i = 1; i <= 2; i++) {
		if (n % 3 == 0) {
			snprintf(text, sizeof(text), "ns%u.name%07u", i, n);
		} else {
			snprintf(text, sizeof(text), "ns%u.hoster%u.example.", i, hoster);
		}
		if (name_parse(bytes_str(text), &apex, &ns) != ERR_OK) {
			fail(text, ERR_TEXT);
		}
		tape_add(&b->tape, name_of(&owner), TYPE_NS, 86400, name_bytes(name_of(&ns)));
	}
	for (unsigned i = 1; i <= 2 && n % 3 == 0; i++) {
		snprintf(text, sizeof(text), "ns%u.name%07u", i, n);
		if (name_parse(bytes_str(text), &apex, &ns) != ERR_OK) {
			fail(text, ERR_TEXT);
		}
		env->random(env->self, octets, 4);
		tape_add(&b->tape, name_of(&ns), TYPE_A, 86400, bytes_of(octets, 4));
	}
}

static void registry_zone(struct bench *b, struct name apex)
{
	tape_reset(&b->tape);
	tape_text(&b->tape, apex,
	          "@ 3600 IN SOA a.nic.example. ops.nic.example. 7 1800 900 604800 300");
	tape_text(&b->tape, apex, "@ 3600 IN NS a.nic.example.");
	tape_text(&b->tape, apex, "@ 3600 IN NS b.nic.example.");
	for (unsigned i = 0; i < b->delegations; i++) {
		delegation(b, i, apex);
	}
}

static unsigned any_delegation(struct bench *b)
{
	return env_random_below(&b->dice.env, b->delegations);
}

static void bench_lookups(struct bench *b, struct snapshot *snap)
{
	struct memory_disk *disk = memory_disk_new();
	struct lookup l = { 0 };
	struct question at = question_of("name0000000.registry.example.", TYPE_NS);
	struct question below = question_of("www.name0000000.registry.example.", TYPE_NS);
	char what[64];

	lookup_open(b, &l, disk);
	lookup_fill(&l, &snap, 1);
	snprintf(what, sizeof(what), "lookup of a delegation among %u", b->delegations);
	row(b, what, lookup_time(b, l.st, &at, 1, any_delegation), "ns", at_most(300));
	row(b, "lookup of a name below a delegation",
	    lookup_time(b, l.st, &below, 1, any_delegation), "ns", at_most(300));
	store_free(l.st);
	memory_disk_free(disk);
}

static void bench_patches(struct bench *b, struct snapshot *snap, struct name apex)
{
	static double times[PATCHES];
	struct builder_origin origin = { .origin = SNAPSHOT_BY_IXFR };

	for (unsigned i = 0; i < PATCHES; i++) {
		uint8_t octets[4];
		char text[64];
		struct name_buf owner;
		struct rr rr = { .type = TYPE_A, .class = CLASS_IN, .ttl = 60 };
		struct snapshot *next = NULL;
		struct builder *builder;
		enum err e;
		snprintf(text, sizeof(text), "new.name%07u", any_delegation(b));
		store_u32(octets, i);
		if (name_parse(bytes_str(text), &apex, &owner) != ERR_OK) {
			fail(text, ERR_TEXT);
		}
		rr.owner = name_of(&owner);
		rr.rdata = bytes_of(octets, 4);
		times[i] = seconds();
		builder = builder_new(
			&(struct builder_options){ .pool = b->pool, .apex = apex, .base = snap });
		e = builder_add(builder, &rr);
		if (e == ERR_OK) {
			e = builder_freeze(builder, &origin, &next);
		}
		builder_free(builder);
		times[i] = seconds() - times[i];
		if (e != ERR_OK) {
			fail("patching", e);
		}
		snapshot_unref(next);
		epoch_collect(b->epoch);
	}
	qsort(times, PATCHES, sizeof(times[0]), by_number);
	row(b, "patch of one record, median", times[PATCHES / 2] * 1e6, "us", at_most(20));
	row(b, "patch of one record, 99th percentile", times[PATCHES * 99 / 100] * 1e6, "us",
	    no_target);
}

/* A version that differs from `snap` by `changes` added records. */
static struct snapshot *changed(struct bench *b, struct snapshot *snap, struct name apex,
                                unsigned changes)
{
	static struct rr_scratch scratch;
	struct builder_origin origin = { .origin = SNAPSHOT_BY_IXFR };
	struct builder_options options = { .pool = b->pool, .apex = apex, .base = snap };
	struct builder *builder = builder_new(&options);
	struct snapshot *next = NULL;
	struct rr rr;
	enum err e = ERR_OK;
	char text[64];

	for (unsigned i = 0; e == ERR_OK && i < changes; i++) {
		snprintf(text, sizeof(text), "new.name%07u 60 IN A 192.0.2.1",
		         (unsigned)((uint64_t)i * b->delegations / changes));
		e = rr_parse(bytes_str(text), &apex, 60, &scratch, &rr);
		e = e == ERR_OK ? builder_add(builder, &rr) : e;
	}
	e = e == ERR_OK ? builder_freeze(builder, &origin, &next) : e;
	builder_free(builder);
	if (e != ERR_OK) {
		fail("changing", e);
	}
	return next;
}

static void bench_diff(struct bench *b, struct snapshot *snap, struct name apex, unsigned changes)
{
	static struct rr_scratch scratch;
	struct snapshot *next = changed(b, snap, apex, changes);
	double times[TRIES];
	char what[64];

	for (unsigned t = 0; t < TRIES; t++) {
		struct snapshot_diff d;
		struct rr rr;
		unsigned seen = 0;
		double start = seconds();
		for (snapshot_diff_init(&d, next, snap); snapshot_diff_next(&d, &scratch, &rr);) {
			seen += rr.type != TYPE_SOA;
		}
		times[t] = seconds() - start;
		if (seen != changes) {
			fail("the difference is another", ERR_NOT_FOUND);
		}
	}
	qsort(times, TRIES, sizeof(times[0]), by_number);
	snprintf(what, sizeof(what), "comparing versions that differ by %u", changes);
	row(b, what, times[TRIES / 2] * 1e6, "us", no_target);
	snapshot_unref(next);
	epoch_collect(b->epoch);
}

/* Builds the zone again with a tenth of its DS records changed, while the old one is held. */
static void bench_replace(struct bench *b, struct name apex, uint64_t alone)
{
	struct snapshot *next;
	uint64_t both;
	unsigned seen = 0;
	double start;

	for (size_t i = 0; i < b->tape.count; i++) {
		struct rr rr = tape_view(&b->tape, i);
		if (rr.type == TYPE_DS && seen++ % 10 == 0) {
			b->tape.at[(size_t)(rr.rdata.at - b->tape.at) + 8] ^= 1;
		}
	}
	start = seconds();
	next = build(b, apex);
	row(b, "records rebuilt, 10% of DS changed", (double)b->tape.count / (seconds() - start),
	    "a second", no_target);
	both = pool_bytes(b);
	row(b, "memory of old and new version", (double)both / (double)alone, "of one",
	    at_most(2.2));
	snapshot_unref(next);
	epoch_collect(b->epoch);
}

/* Puts the records of the tape into random order, one after the other as before. */
static void tape_shuffle(struct bench *b)
{
	struct tape mixed = { 0 };

	for (size_t i = 0; i < b->tape.count; i++) {
		size_t j = env_random_below(&b->dice.env, (uint32_t)i + 1);
		size_t swap = b->tape.starts[i];
		b->tape.starts[i] = b->tape.starts[j];
		b->tape.starts[j] = swap;
	}
	for (size_t i = 0; i < b->tape.count; i++) {
		struct rr rr = tape_view(&b->tape, i);
		tape_add(&mixed, rr.owner, rr.type, rr.ttl, rr.rdata);
	}
	tape_fini(&b->tape);
	b->tape = mixed;
}

/* Builds some times over, the best counts; the versions are dropped. */
static double build_best(struct bench *b, struct name apex)
{
	double best = 0;

	for (unsigned i = 0; i < (b->only == NULL ? TRIES : TRIES_PROFILER); i++) {
		double start = seconds();
		struct snapshot *snap = build(b, apex);
		double spent = seconds() - start;
		best = i == 0 || spent < best ? spent : best;
		snapshot_unref(snap);
		epoch_collect(b->epoch);
	}
	return best;
}

static void bench_registry(struct bench *b)
{
	struct name_buf apex_buf = name_text("registry.example.");
	struct name apex = name_of(&apex_buf);
	struct snapshot *snap;
	struct snapshot_facts facts;
	size_t before;
	size_t grown;
	uint64_t alone;

	registry_zone(b, apex);
	before = resident_bytes();
	snap = build(b, apex);
	grown = resident_bytes() - before;
	alone = pool_bytes(b);
	snapshot_facts(snap, &facts);
	printf("\none zone of %u delegations, %u records\n", b->delegations, facts.records);
	print_pool(b);
	row(b, "memory a record (pool)", (double)alone / facts.records, "octets", at_most(60));
	row(b, "memory a record (process growth)", (double)grown / facts.records, "octets",
	    at_most(60));
	if (b->only == NULL) {
		bench_lookups(b, snap);
		bench_patches(b, snap, apex);
		bench_diff(b, snap, apex, 1);
		bench_diff(b, snap, apex, 1000);
		if (b->delegations >= 100000)
			bench_diff(b, snap, apex, 100000);
		bench_replace(b, apex, alone);
	}
	snapshot_unref(snap);
	epoch_collect(b->epoch);
	if (b->only == NULL || strcmp(b->only, "canonical") == 0) {
		row(b, "records built, canonical order", facts.records / build_best(b, apex),
		    "a second", at_least(5000000));
	}
	tape_shuffle(b);
	if (b->only == NULL || strcmp(b->only, "random") == 0) {
		row(b, "records built, random order", facts.records / build_best(b, apex),
		    "a second", at_least(2500000));
	}
}

static void print_machine(struct bench *b)
{
	struct utsname u;
	char line[256];
	char cpu[128] = "unknown processor";
	FILE *f = fopen("/proc/cpuinfo", "r");

	uname(&u);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "model name", 10) == 0) {
			line[strcspn(line, "\n")] = 0;
			snprintf(cpu, sizeof(cpu), "%.100s", strchr(line, ':') + 2);
			break;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	snprintf(b->machine, sizeof(b->machine), "%.60s %.60s, %ld CPUs, %s", u.sysname, u.release,
	         sysconf(_SC_NPROCESSORS_ONLN), cpu);
	printf("machine: %s\n%-52s %12s %-10s %s\n", b->machine, "", "measured", "", "target");
}

int main(int argc, char **argv)
{
	static struct bench b;
	enum err e;

	if (argc > 2 && strcmp(argv[1], "--json") == 0) {
		b.json = argv[2];
		argc -= 2;
		argv += 2;
	}
	b.zones = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ZONES_DEFAULT;
	b.delegations = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : DELEGATIONS_DEFAULT;
	b.only = argc > 3 ? argv[3] : NULL;
	env_fake_init(&b.dice, SEED);
	b.epoch = epoch_new();
	e = pool_new(&(struct pool_options){ .env = &b.dice.env, .epoch = b.epoch }, &b.pool);
	if (e != ERR_OK) {
		fail("pool", e);
	}
	print_machine(&b);
	if (b.zones > 0) {
		bench_hosting(&b);
	}
	if (b.delegations > 0) {
		bench_registry(&b);
	}
	json_write(&b);
	tape_fini(&b.tape);
	pool_free(b.pool);
	epoch_free(b.epoch);
	return 0;
}
