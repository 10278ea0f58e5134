/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/store_kill.c — SIGKILL at any moment of a stream of updates, on LMDB.
 *
 * usage: store_kill [ROUNDS]
 *
 * A child opens the database, loads it, and goes on with all zones, group after group: versions come
 * and are held, zones are rolled back, pinned and released, old versions are let go of. Before each
 * act it says what will be kept of the zone, and afterwards that it is acknowledged. The parent kills
 * it at a random moment, opens the database itself and expects every zone whole and either way: as
 * acknowledged last, or as tried after that. The next child goes on from there. In the end all zones
 * are removed, and nothing may be left in the database. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/hash.h"
#include "tests/zonestore/content.h"
#include "tests/zonestore/folder.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/store_p.h"
#include "zonestore/versions_p.h"

#define ZONES     6
#define ROUNDS    50
#define KILL_US   40000 /* at most, after the child began */
#define STEPS_MAX 1000000

static const unsigned filling_of[ZONES] = { 0, 3, 10, 60, 200, 900 };

struct life {
	struct events events;
	struct epoch *epoch;
	unsigned participant;
	struct pool *pool;
	struct store *st;
	struct journal *journal;
	struct store_task *tasks;
	unsigned corrupt; /* zones that were reported damaged */
	unsigned done;
};

static void die(const char *what)
{
	fprintf(stderr, "store_kill: %s\n", what);
	_exit(2);
}

static void post(void *self, unsigned shard, struct store_task *task)
{
	struct life *l = self;

	(void)shard;
	task->link[0] = l->tasks;
	l->tasks = task;
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

static void watch(void *self, enum event_kind kind, const struct event_field *fields, size_t count)
{
	struct life *l = self;

	(void)fields;
	(void)count;
	l->corrupt += kind == EVENT_STORE_CORRUPT || kind == EVENT_STORE_FAILED;
}

/* A killed start is looked into; what it left is whole, or the test has failed. */
static enum err look_apart(void *self, const char *path)
{
	int status;
	pid_t pid = fork();

	(void)self;
	if (pid == 0) {
		_exit((int)journal_lmdb_check(path));
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		die("a healthy database does not look so");
	}
	return ERR_OK;
}

static void life_begin(struct life *l, const char *path)
{
	struct journal_lmdb_options journal_options = {
		.path = path, .log_most = 16, .check = look_apart, .env = env_system()
	};
	struct pool_options pool_options = { .env = env_system(), .parts = 4 };
	struct store_options options = { .env = env_system(), .shard_count = 1, .post = post };
	char why[256] = "";

	*l = (struct life){ .events = { .level = LEVEL_INFO, .env = env_system() } };
	l->events.self = l;
	l->events.write_fn = write_nothing;
	l->events.watch_fn = watch;
	l->epoch = epoch_new();
	l->participant = epoch_join(l->epoch);
	pool_options.epoch = l->epoch;
	if (journal_lmdb_new(&journal_options, &l->journal, why, sizeof(why)) != ERR_OK) {
		die(why);
	}
	if (pool_new(&pool_options, &l->pool) != ERR_OK) {
		die("pool");
	}
	options.events = &l->events;
	options.epoch = l->epoch;
	options.pool = l->pool;
	options.journal = l->journal;
	options.post_self = l;
	if (store_new(&options, &l->st) != ERR_OK) {
		die("store");
	}
	for (unsigned i = 0; i < ZONES; i++) {
		struct name_buf apex;
		struct zone *zone;
		content_apex(i, &apex);
		if (store_add(l->st, name_of(&apex), &zone) != ERR_OK) {
			die("add");
		}
	}
	if (store_load(l->st) != ERR_OK) {
		die("load");
	}
	epoch_quiet(l->epoch, l->participant);
}

static void life_turn(struct life *l)
{
	while (l->tasks != NULL) {
		struct store_task *task = l->tasks;
		l->tasks = task->link[0];
		task->fn(task);
	}
	epoch_quiet(l->epoch, l->participant);
}

static void life_settle(struct life *l)
{
	for (unsigned i = 0; i < STEPS_MAX && (store_step(l->st) || l->tasks != NULL); i++) {
		life_turn(l);
	}
}

static void life_end(struct life *l)
{
	life_turn(l);
	epoch_offline(l->epoch, l->participant);
	store_free(l->st);
	while (epoch_collect(l->epoch) > 0) {
	}
	epoch_free(l->epoch);
	pool_free(l->pool);
}

static struct zone *life_zone(const struct life *l, unsigned index)
{
	struct name_buf apex;

	content_apex(index, &apex);
	return store_find(l->st, name_of(&apex));
}

/* ---- what is kept of a zone, in a number ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	uint64_t both[2] = { h, v };

	return hash_fixed(bytes_of(both, sizeof(both)));
}

static uint64_t mix_version(uint64_t h, const struct snapshot *snap)
{
	struct snapshot_facts facts;
	uint64_t root;

	snapshot_facts(snap, &facts);
	memcpy(&root, facts.root.octets, sizeof(root));
	return mix(mix(h, root), (uint64_t)facts.serial.n << 32 | facts.source_serial.n);
}

static uint64_t digest(const struct snapshot *served, const struct versions *v)
{
	uint64_t h = served == NULL ? 1 : mix_version(2, served);

	if (v == NULL) {
		return h;
	}
	h = mix(h, (uint64_t)v->why << 1 | v->pinned);
	h = mix(h, v->line.known ? (uint64_t)v->line.top.n << 1 | v->line.own : UINT64_MAX);
	h = v->aside == NULL ? h : mix_version(h, v->aside);
	for (uint32_t i = 0; i < v->count; i++) {
		h = mix_version(h, v->older[i].snap);
	}
	return h;
}

static uint64_t zone_digest(const struct zone *zone)
{
	return digest(zone_newest(zone), atomic_load(&zone->more));
}

/* ---- the child ---- */

enum say { SAY_TRY, SAY_DONE };

struct word {
	uint64_t digest;
	uint32_t serial;
	uint16_t zone;
	uint16_t say;
};

struct update {
	struct commit commit;
	struct life *life;
	struct word word;
	int fd;
};

static void say(const struct update *u, enum say what)
{
	struct word word = u->word;

	word.say = (uint16_t)what;
	if (write(u->fd, &word, sizeof(word)) != (ssize_t)sizeof(word)) {
		die("write");
	}
}

static void update_done(struct commit *commit, enum err e)
{
	struct update *u = container_of(commit, struct update, commit);

	if (e != ERR_OK || zone_digest(commit->zone) != u->word.digest) {
		die(e != ERR_OK ? "commit" : "not as planned");
	}
	say(u, SAY_DONE);
	u->life->done++;
}

enum act { ACT_COMMIT, ACT_HOLD, ACT_ROLLBACK, ACT_PIN, ACT_RELEASE, ACT_ACCEPT, ACT_REJECT };

/* The oldest version; 0 if there is none. */
static struct serial oldest(const struct zone *zone)
{
	const struct versions *v = atomic_load(&zone->more);

	return v == NULL || v->count == 0 ? (struct serial){ 0 }
	                                  : v->older[v->count - 1].snap->serial;
}

static enum err act_plan(struct version_plan *p, enum act act, struct zone *zone,
                         struct snapshot *snap, struct update *u)
{
	plan_begin(p, zone_newest(zone), atomic_load(&zone->more));
	switch (act) {
	case ACT_ROLLBACK:
		return plan_rollback(p, oldest(zone), u->word.serial % 2 == 0, 0);
	case ACT_PIN:
		return plan_pin(p);
	case ACT_RELEASE:
		return plan_release(p);
	case ACT_ACCEPT:
		return plan_accept(p);
	case ACT_REJECT:
		return plan_reject(p);
	case ACT_COMMIT:
	case ACT_HOLD:
		break;
	}
	u->commit.hold = act == ACT_HOLD ? HOLD_SHRUNK : HOLD_NONE;
	plan_arrival(p, snapshot_ref(snap), u->commit.hold);
	return ERR_OK;
}

/* Says what an act will come to. False: there is nothing to do it to. */
static bool act_foretell(enum act act, struct zone *zone, struct snapshot *snap, struct update *u)
{
	struct version_plan p;
	struct versions *v;
	enum err e = act_plan(&p, act, zone, snap, u);

	if (e == ERR_OK) {
		v = plan_versions(&p, &u->commit.keep, 1700000000);
		u->word.digest = digest(p.snap != NULL ? p.snap : p.served, v);
		versions_free(v);
		say(u, SAY_TRY);
	}
	plan_fini(&p);
	snap->serial = snap->source_serial;
	return e == ERR_OK;
}

/* Does what was foretold; takes `snap`. */
static enum err act_begin(enum act act, struct zone *zone, struct snapshot *snap, struct update *u)
{
	struct zone_timers t = { .refreshed_at_s = 1700000000 + u->word.serial };
	struct store *st = u->life->st;

	if (act == ACT_COMMIT || act == ACT_HOLD) {
		return store_commit(st, zone, snap, &t, &u->commit);
	}
	snapshot_unref(snap);
	switch (act) {
	case ACT_ROLLBACK:
		return store_rollback(st, zone, oldest(zone), u->word.serial % 2 == 0, &u->commit);
	case ACT_PIN:
		return store_pin(st, zone, &u->commit);
	case ACT_RELEASE:
		return store_release(st, zone, &u->commit);
	case ACT_ACCEPT:
		return store_accept(st, zone, &u->commit);
	case ACT_REJECT:
	case ACT_COMMIT:
	case ACT_HOLD:
		break;
	}
	return store_reject(st, zone, &u->commit);
}

static enum act act_of(uint32_t serial, unsigned zone)
{
	static const enum act acts[] = { ACT_COMMIT,   ACT_COMMIT, ACT_HOLD,    ACT_COMMIT,
		                         ACT_ROLLBACK, ACT_COMMIT, ACT_PIN,     ACT_RELEASE,
		                         ACT_COMMIT,   ACT_HOLD,   ACT_ACCEPT,  ACT_COMMIT,
		                         ACT_ROLLBACK, ACT_REJECT, ACT_RELEASE, ACT_COMMIT };

	return acts[(serial + 5 * zone) % (sizeof(acts) / sizeof(acts[0]))];
}

static void update_begin(struct update *u)
{
	uint32_t serial = u->word.serial;
	unsigned i = u->word.zone;
	/* Sizes change from time to time, so that nodes come and go; and so do limits. */
	unsigned filling = filling_of[i] + (serial / 8 % 2) * filling_of[i] / 3;
	struct snapshot *snap = content_version(u->life->pool, i, serial, filling);
	struct zone *zone = life_zone(u->life, i);
	enum act act = act_of(serial, i);

	u->commit.done = update_done;
	u->commit.keep =
		(struct version_limits){ .count = serial % 50 == 0 ? 1 : 6, .bytes = UINT64_MAX };
	if (!act_foretell(act, zone, snap, u)) {
		act = ACT_COMMIT;
		(void)act_foretell(act, zone, snap, u);
	}
	if (act_begin(act, zone, snap, u) != ERR_OK) {
		die("queue");
	}
}

static void child_run(const char *path, uint32_t serial, int fd)
{
	struct update updates[ZONES];
	struct life l;

	life_begin(&l, path);
	for (;; serial++) {
		l.done = 0;
		for (unsigned i = 0; i < ZONES; i++) {
			updates[i] = (struct update){ .life = &l, .fd = fd };
			updates[i].word = (struct word){ .serial = serial, .zone = (uint16_t)i };
			update_begin(&updates[i]);
			if (serial % 3 == 0) { /* together, or one by one */
				(void)store_step(l.st);
				life_turn(&l);
			}
		}
		while (l.done < ZONES) {
			(void)store_step(l.st);
			life_turn(&l);
		}
	}
}

/* ---- the parent ---- */

struct heard {
	uint32_t serial; /* of the last group */
	uint64_t tried[ZONES];
	uint64_t done[ZONES];
	unsigned words;
};

static void hear(struct heard *h, int fd)
{
	struct word word;

	while (read(fd, &word, sizeof(word)) == (ssize_t)sizeof(word)) {
		h->serial = word.serial;
		(word.say == SAY_TRY ? h->tried : h->done)[word.zone] = word.digest;
		h->words++;
	}
}

/* Lets a child live for a while, from its first word on. */
static void round_run(const char *path, struct heard *h, unsigned live_us)
{
	struct pollfd p;
	int fds[2];
	pid_t child;

	if (pipe(fds) != 0) {
		die("pipe");
	}
	child = fork();
	if (child == 0) {
		close(fds[0]);
		child_run(path, h->serial + 1, fds[1]);
	}
	close(fds[1]);
	p = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	if (live_us % 4 == 0) {
		usleep(live_us / 10); /* while it opens and loads */
	} else {
		poll(&p, 1, 10000);
		usleep(live_us);
	}
	kill(child, SIGKILL);
	hear(h, fds[0]);
	close(fds[0]);
	waitpid(child, NULL, 0);
}

/* Are all versions of a zone whole? */
static bool zone_whole(const struct zone *zone, unsigned index)
{
	struct version_view views[16];
	size_t count = zone_versions(zone, views, 16);
	bool whole = count <= 16;

	for (size_t i = 0; i < count && i < 16; i++) {
		whole = content_whole(views[i].snap, index) && whole;
		snapshot_unref(views[i].snap);
	}
	return whole;
}

/* Every zone is whole, and as it was said to be; returns how many are not. */
static unsigned check(const char *path, struct heard *h)
{
	unsigned faults;
	struct life l;

	life_begin(&l, path);
	faults = l.corrupt;
	for (unsigned i = 0; i < ZONES; i++) {
		struct zone *zone = life_zone(&l, i);
		uint64_t is = zone_digest(zone);
		bool whole = zone_whole(zone, i);
		if (!whole || (is != h->done[i] && is != h->tried[i])) {
			fprintf(stderr, "zone %u: neither as acknowledged nor as tried%s\n", i,
			        whole ? "" : ", not whole");
			faults++;
		}
		h->done[i] = h->tried[i] = is;
	}
	life_settle(&l);
	life_end(&l);
	return faults;
}

static enum err count_node(void *self, uint64_t seq, struct bytes value)
{
	(void)seq;
	(void)value;
	++*(unsigned *)self;
	return ERR_OK;
}

static unsigned remove_all(const char *path)
{
	unsigned left = 0;
	struct life l;

	life_begin(&l, path);
	for (unsigned i = 0; i < ZONES; i++) {
		store_remove(l.st, life_zone(&l, i));
	}
	life_settle(&l);
	(void)l.journal->ops->scan_nodes(l.journal, count_node, &left);
	(void)l.journal->ops->scan_zones(l.journal, count_node, &left);
	life_end(&l);
	return left;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : ROUNDS;
	struct heard h = { 0 };
	struct env_fake dice;
	struct folder f;
	unsigned faults = 0;
	unsigned left;
	uint64_t seed = env_random_u64(env_system());

	printf("seed %llu\n", (unsigned long long)seed);
	env_fake_init(&dice, seed);
	folder_make(&f);
	for (unsigned i = 0; i < ZONES; i++) {
		h.done[i] = digest(NULL, NULL);
	}
	for (unsigned i = 0; i < rounds; i++) {
		round_run(f.path, &h, env_random_below(&dice.env, KILL_US));
		faults += check(f.path, &h);
	}
	left = remove_all(f.path);
	folder_remove(f.path);
	printf("%u kills, %u groups of %u zones, %u faults, %u records left\n", rounds, h.serial,
	       ZONES, faults, left);
	return faults == 0 && left == 0 && h.words > 0 ? 0 : 1;
}
