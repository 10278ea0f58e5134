/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/journal_view_test.c — databases that are read only, and flipped bits in them.
 *
 * LMDB allows a process to have a database open once, and dies of some kinds of damage: everything
 * here that reads is a process of its own. */
#include "zonestore/journal_view.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "tests/zonestore/folder.h"
#include "zonestore/check.h"
#include "zonestore/journal_lmdb.h"
#include "zonestore/versions.h"

#define ZONES       3
#define VERSIONS    3
#define FLIPS       400
#define FLIP_ENDS_S 20 /* a look at one */

static const unsigned filling_of[ZONES] = { 0, 40, 300 };

static bool tell_nobody(void *self, const char *line)
{
	(void)self;
	(void)line;
	return true;
}

/* Status of `fn`'s process: below 0 if it died of a signal. */
static int in_child(int (*fn)(const char *path), const char *path)
{
	struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		alarm(FLIP_ENDS_S);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* LMDB prints what it dies of */
		for (int sig = 1; sig < 32; sig++) {
			signal(sig, SIG_DFL); /* Criterion's and the sanitizers' */
		}
		_exit(fn(path));
	}
	cr_assert(pid > 0);
	while (waitpid(pid, &status, 0) != pid) {
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What the check of a database says: an enum err. */
static int check(const char *path)
{
	struct check_sink sink = { .tell = tell_nobody, .env = env_system() };
	struct journal *j;
	char why[512];
	enum err e = journal_view_new(path, &j, why, sizeof(why));

	if (e == ERR_OK) {
		e = check_journal(j, &sink);
		j->ops->free(j);
	}
	return (int)e;
}

static int look(const char *path)
{
	return (int)journal_lmdb_check(path);
}

static enum err look_apart(void *self, const char *path)
{
	int status = in_child(look, path);

	(void)self;
	return status < 0 ? ERR_STORE_CORRUPT : (enum err)status;
}

static struct journal *guarded_open(const char *path)
{
	struct journal_lmdb_options o = { .path = path, .check = look_apart, .env = env_system() };
	struct journal *j = NULL;
	char why[PATH_MAX];

	return journal_lmdb_new(&o, &j, why, sizeof(why)) == ERR_OK ? j : NULL;
}

static uint32_t serial_of(unsigned index, unsigned version)
{
	return 10 * (version + 1) + index;
}

static void publish_all(struct farm *f)
{
	for (unsigned v = 0; v < VERSIONS; v++) {
		for (unsigned i = 0; i < ZONES; i++) {
			uint32_t serial = serial_of(i, v);
			struct zone_timers timers = farm_timers(serial);
			struct farm_commit c;

			farm_commit_init(f, &c);
			c.commit.keep = (struct version_limits){ .count = 10, .bytes = 1 << 24 };
			f->outstanding++;
			cr_assert(eq(
				int,
				store_commit(f->st, farm_zone(f, i),
			                     content_version(f->pool, i, serial, filling_of[i] + v),
			                     &timers, &c.commit),
				ERR_OK));
			farm_settle(f);
			cr_assert(eq(int, c.err, ERR_OK));
		}
	}
}

TEST(journal_view, reads_what_another_process_has_open)
{
	struct folder folder;
	struct farm f;

	folder_make(&folder);
	cr_expect(eq(int, in_child(check, folder.path), ERR_NOT_FOUND));
	farm_start(&f, guarded_open(folder.path), ZONES);
	cr_expect(eq(int, in_child(check, folder.path), ERR_OK), "empty");
	publish_all(&f);
	cr_expect(eq(int, in_child(check, folder.path), ERR_OK), "in use");
	cr_expect(eq(int, farm_publish(&f, 0, 99, 5), ERR_OK), "and goes on being written");
	farm_fini(&f);
	cr_expect(eq(int, in_child(check, folder.path), ERR_OK), "left");
	folder_remove(folder.path);
}

/* Dies while it reads. */
static int die_reading(const char *path)
{
	struct journal *j;
	char why[512];

	if (journal_view_new(path, &j, why, sizeof(why)) == ERR_OK) {
		raise(SIGKILL);
	}
	return 1;
}

/* The size of the file after a zone was written so often. */
static uint64_t write_often(struct farm *f, struct journal *j, uint32_t serial, unsigned times)
{
	struct journal_stats stats;

	for (unsigned i = 0; i < times; i++) {
		cr_assert(eq(int, farm_publish(f, 2, serial + i, filling_of[2] + i % 2), ERR_OK));
	}
	j->ops->stats(j, &stats);
	return stats.size_bytes;
}

TEST(journal_view, one_that_died_keeps_no_page_from_reuse)
{
	struct folder folder;
	struct journal *j;
	uint64_t before;
	struct farm f;

	folder_make(&folder);
	j = guarded_open(folder.path);
	farm_start(&f, j, ZONES);
	before = write_often(&f, j, 100, 20);
	cr_expect(eq(int, in_child(die_reading, folder.path), -SIGKILL));
	cr_expect(lt(u64, write_often(&f, j, 200, 80), 2 * before));
	farm_fini(&f);
	folder_remove(folder.path);
}

/* ---- flipped bits ---- */

struct image {
	uint8_t *at;
	size_t len;
};

static void image_path(const char *folder, char out[static PATH_MAX + 16])
{
	snprintf(out, PATH_MAX + 16, "%s/data.mdb", folder);
}

static void image_make(struct image *image)
{
	char path[PATH_MAX + 16];
	struct folder folder;
	struct stat st;
	struct farm f;
	int fd;

	folder_make(&folder);
	farm_start(&f, guarded_open(folder.path), ZONES);
	publish_all(&f);
	farm_fini(&f);
	image_path(folder.path, path);
	fd = open(path, O_RDONLY);
	cr_assert(fstat(fd, &st) == 0);
	*image = (struct image){ mem_new((size_t)st.st_size), (size_t)st.st_size };
	cr_assert(read(fd, image->at, image->len) == (ssize_t)image->len);
	close(fd);
	folder_remove(folder.path);
}

static void image_write(const struct image *image, const char *folder)
{
	char path[PATH_MAX + 16];
	int fd;

	image_path(folder, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	cr_assert(write(fd, image->at, image->len) == (ssize_t)image->len);
	close(fd);
}

/* What is served and kept of a zone: 0 what there should be, 1 less of it, 2 something else. */
static int zone_verdict(struct farm *f, unsigned index)
{
	struct version_view views[16];
	size_t count = zone_versions(farm_zone(f, index), views, ARRAY_LEN(views));
	int verdict = count == VERSIONS ? 0 : 1;

	for (size_t i = 0; i < count; i++) {
		uint32_t serial = snapshot_serial(views[i].snap).n;
		bool known = serial % 10 == index && serial < 10 * (VERSIONS + 1);
		/* A first serial that is the right one may be gone, and then an older one is served. */
		if (!content_whole(views[i].snap, index) || !known) {
			verdict = 2;
		}
		snapshot_unref(views[i].snap);
	}
	return verdict;
}

/* A start with what is there: 0 all is there, 1 less, 2 something wrong. */
static int start(const char *path)
{
	struct journal *j = guarded_open(path);
	struct farm f;
	int worst = 0;

	if (j == NULL) {
		return 100;
	}
	farm_init(&f, j);
	for (unsigned i = 0; i < ZONES; i++) {
		farm_add(&f, i);
	}
	(void)!store_load(f.st);
	for (unsigned i = 0; i < ZONES; i++) {
		int verdict = zone_verdict(&f, i);
		worst = verdict > worst ? verdict : worst;
	}
	farm_settle(&f);
	for (unsigned i = 0; i < ZONES; i++) {
		if (farm_publish(&f, i, 200 + i, filling_of[i]) != ERR_OK) {
			worst = 101;
		}
	}
	farm_settle(&f);
	farm_fini(&f);
	return worst;
}

/* A start that dies of it is followed by one that does not. */
static int start_twice(const char *path)
{
	int status = in_child(start, path);

	return status < 0 ? in_child(start, path) : status;
}

TEST(journal_view, a_flipped_bit_is_found_or_in_no_use)
{
	struct image image;
	struct env_fake env;
	unsigned found = 0;
	unsigned lost = 0;

	/* Hundreds of lives: on a disk that waits for nothing, if there is one. */
	if (access("/dev/shm", W_OK) == 0) {
		setenv("TMPDIR", "/dev/shm", 1);
	}
	image_make(&image);
	env_fake_init(&env, 20261121);
	for (unsigned i = 0; i < FLIPS; i++) {
		size_t at = env_random_u64(&env.env) % image.len;
		uint8_t bit = (uint8_t)(1U << env_random_below(&env.env, 8));
		struct folder folder;
		int checked, started;

		folder_make(&folder);
		image.at[at] ^= bit;
		image_write(&image, folder.path);
		image.at[at] ^= bit;
		checked = in_child(check, folder.path);
		started = start_twice(folder.path);
		cr_expect(checked <= 0 || checked == ERR_STORE_CORRUPT,
		          "octet %zu bit %u: check %d", at, bit, checked);
		cr_expect(started == 0 || started == 1, "octet %zu bit %u: start %d", at, bit,
		          started);
		cr_expect(started == 0 || checked != 0, "octet %zu bit %u: lost, and not found", at,
		          bit);
		found += checked != 0;
		lost += started != 0;
		folder_remove(folder.path);
	}
	cr_expect(gt(uint, found, FLIPS / 20), "%u found, %u lost", found, lost);
	free(image.at);
}
