/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/store_kill.c — SIGKILL at any moment of a stream of updates, on LMDB.
 *
 * usage: store_kill [ROUNDS]
 *
 * A child opens the database, loads it, and commits versions of all zones, group after group. It
 * says what it will try and what was acknowledged. The parent kills it at a random moment, opens the
 * database itself and expects every zone whole, at a serial between the two. The next child goes on
 * from there. In the end all zones are removed, and nothing may be left in the database. */
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "tests/zonestore/content.h"
#include "tests/zonestore/folder.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/store.h"

#define ZONES     6
#define ROUNDS    50
#define KILL_US   40000 /* at most, after the child began */
#define TRY_MARK  0x80000000U
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
	struct journal_lmdb_options journal_options = { .path = path,
		                                        .check = look_apart,
		                                        .env = env_system() };
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

/* ---- the child ---- */

struct update {
	struct commit commit;
	struct life *life;
};

static void update_done(struct commit *commit, enum err e)
{
	struct update *u = container_of(commit, struct update, commit);

	if (e != ERR_OK) {
		die("commit");
	}
	u->life->done++;
}

static void say(int fd, uint32_t word)
{
	if (write(fd, &word, sizeof(word)) != (ssize_t)sizeof(word)) {
		die("write");
	}
}

static void child_run(const char *path, uint32_t serial, int fd)
{
	struct update updates[ZONES];
	struct life l;

	life_begin(&l, path);
	for (;; serial++) {
		struct zone_timers t = { .refreshed_at_s = 1700000000 + serial };
		say(fd, serial | TRY_MARK);
		l.done = 0;
		for (unsigned i = 0; i < ZONES; i++) {
			/* Sizes change from time to time, so that nodes come and go. */
			unsigned filling = filling_of[i] + (serial / 8 % 2) * filling_of[i] / 3;
			struct snapshot *snap = content_version(l.pool, i, serial, filling);
			updates[i] = (struct update){ .life = &l };
			updates[i].commit.done = update_done;
			if (store_commit(l.st, life_zone(&l, i), snap, &t, &updates[i].commit) !=
			    ERR_OK) {
				die("queue");
			}
			if (serial % 3 == 0) { /* together, or one by one */
				(void)store_step(l.st);
				life_turn(&l);
			}
		}
		while (l.done < ZONES) {
			(void)store_step(l.st);
			life_turn(&l);
		}
		say(fd, serial);
	}
}

/* ---- the parent ---- */

struct heard {
	uint32_t tried;
	uint32_t acked;
};

static void hear(struct heard *h, int fd)
{
	uint32_t word;

	while (read(fd, &word, sizeof(word)) == (ssize_t)sizeof(word)) {
		if ((word & TRY_MARK) != 0) {
			h->tried = word & ~TRY_MARK;
		} else {
			h->acked = word;
		}
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
		child_run(path, h->tried + 1, fds[1]);
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

/* Every zone is whole, and not older than what was acknowledged; returns how many are not. */
static unsigned check(const char *path, const struct heard *h)
{
	unsigned faults;
	struct life l;

	life_begin(&l, path);
	faults = l.corrupt;
	for (unsigned i = 0; i < ZONES; i++) {
		const struct snapshot *snap = zone_newest(life_zone(&l, i));
		uint32_t serial = snap == NULL ? 0 : snapshot_serial(snap).n;
		bool whole = snap == NULL || content_whole(snap, i);
		if (!whole || serial < h->acked || serial > h->tried) {
			fprintf(stderr, "zone %u: serial %u, acknowledged %u, tried %u%s\n", i,
			        serial, h->acked, h->tried, whole ? "" : ", not whole");
			faults++;
		}
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
	for (unsigned i = 0; i < rounds; i++) {
		round_run(f.path, &h, env_random_below(&dice.env, KILL_US));
		faults += check(f.path, &h);
	}
	left = remove_all(f.path);
	folder_remove(f.path);
	printf("%u kills, %u versions of %u zones, %u faults, %u records left\n", rounds, h.tried,
	       ZONES, faults, left);
	return faults == 0 && left == 0 && h.acked > 0 ? 0 : 1;
}
