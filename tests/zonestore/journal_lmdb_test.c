/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/journal_lmdb_test.c — LMDB behind journal.h: what is durable, how it grows, and
 * what it says when the disk does not want to. */
#include "zonestore/journal_lmdb.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/test.h"
#include "tests/zonestore/folder.h"
#include "tests/zonestore/journal_cases.h"

#define MIB (1024ULL * 1024)

static struct journal *journal_open(const char *path, uint64_t start, uint64_t max)
{
	struct journal_lmdb_options o = { path, start, max };
	struct journal *j = NULL;
	char why[256] = "";
	enum err e = journal_lmdb_new(&o, &j, why, sizeof(why));

	cr_assert(eq(int, e, ERR_OK), "%s", why);
	return j;
}

static enum err journal_try(const char *path, char *why, size_t why_cap)
{
	struct journal_lmdb_options o = { .path = path };
	struct journal *j = NULL;
	enum err e = journal_lmdb_new(&o, &j, why, why_cap);

	if (e == ERR_OK) {
		j->ops->free(j);
	}
	return e;
}

/* Puts `count` nodes of `len` octets, from `seq` on, in one transaction. */
static enum err put_many(struct journal *j, uint64_t seq, unsigned count, size_t len)
{
	uint8_t *octets = calloc(1, len);
	enum err e = j->ops->begin(j);
	bool begun = e == ERR_OK;

	for (unsigned i = 0; i < count && e == ERR_OK; i++) {
		memset(octets, (int)(seq + i), len);
		e = j->ops->put_node(j, seq + i, bytes_of(octets, len));
	}
	free(octets);
	if (e == ERR_OK) {
		return j->ops->commit(j);
	}
	if (begun) {
		j->ops->abort(j);
	}
	return e;
}

static size_t file_size(const char *folder)
{
	char path[PATH_MAX + 16];
	struct stat st;

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	cr_assert(stat(path, &st) == 0);
	return (size_t)st.st_size;
}

static void file_cut(const char *folder, off_t len)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/data.mdb", folder);
	cr_assert(truncate(path, len) == 0);
}

TEST(journal_lmdb, keeps_tables_apart_and_in_order)
{
	struct folder f;
	struct journal *j;

	folder_make(&f);
	j = journal_open(f.path, 0, 0);
	journal_case_tables(j);
	j->ops->free(j);
	j = journal_open(f.path, 0, 0);
	journal_case_tables_check(j);
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, forgets_what_was_aborted)
{
	struct folder f;
	struct journal *j;

	folder_make(&f);
	j = journal_open(f.path, 0, 0);
	journal_case_abort(j);
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, reads_while_it_scans)
{
	struct folder f;
	struct journal *j;

	folder_make(&f);
	j = journal_open(f.path, 0, 0);
	journal_case_scan(j);
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, makes_its_folder_for_the_owner_alone)
{
	struct folder f;
	struct journal *j;
	char path[PATH_MAX + 16];
	struct stat st;

	folder_make(&f);
	snprintf(path, sizeof(path), "%s/a", f.path);
	strcat(path, "/b");
	j = journal_open(path, 0, 0);
	cr_assert(stat(path, &st) == 0);
	cr_expect(eq(int, st.st_mode & 0777, 0700));
	strcat(path, "/data.mdb");
	cr_assert(stat(path, &st) == 0);
	cr_expect(eq(int, st.st_mode & 0777, 0600));
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, refuses_a_second_daemon)
{
	struct folder f;
	struct journal *j;
	char why[256];

	folder_make(&f);
	j = journal_open(f.path, 0, 0);
	cr_expect(eq(int, journal_try(f.path, why, sizeof(why)), ERR_BUSY));
	cr_expect(strstr(why, "in use") != NULL && strstr(why, f.path) != NULL, "%s", why);
	j->ops->free(j);
	cr_expect(eq(int, journal_try(f.path, why, sizeof(why)), ERR_OK));
	folder_remove(f.path);
}

TEST(journal_lmdb, grows_before_a_transaction_and_after_one_that_met_the_end)
{
	struct folder f;
	struct journal *j;
	struct journal_stats s;
	struct bytes b;
	unsigned repeats = 0;
	enum err e;

	folder_make(&f);
	j = journal_open(f.path, MIB, 0);
	for (unsigned i = 0; i < 5; i++) {
		cr_assert(eq(int, put_many(j, 1 + 100 * i, 100, 100000), ERR_OK));
	}
	/* 190 MB at once are more than was free: it says so, and then takes them. */
	while ((e = put_many(j, 1000, 2000, 95000)) == ERR_BUSY && repeats < 10) {
		repeats++;
	}
	cr_expect(eq(int, e, ERR_OK));
	cr_expect(gt(uint, repeats, 0));
	j->ops->stats(j, &s);
	cr_expect(gt(u64, s.used_bytes, 230 * MIB));
	cr_expect(eq(u64, s.size_bytes, file_size(f.path)));
	j->ops->free(j);
	j = journal_open(f.path, MIB, 0); /* smaller than the file: no matter */
	cr_assert(eq(int, j->ops->get_node(j, 2999, &b), ERR_OK));
	cr_expect(b.len == 95000 && b.at[94999] == (uint8_t)2999);
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, stops_at_its_limit_and_goes_on_when_there_is_room)
{
	struct folder f;
	struct journal *j;
	unsigned seq = 1;
	enum err e;

	folder_make(&f);
	j = journal_open(f.path, MIB, 4 * MIB);
	while ((e = put_many(j, seq, 10, 10000)) == ERR_OK) {
		seq += 10;
	}
	cr_expect(eq(int, e, ERR_DISK_FULL));
	cr_expect(gt(uint, seq, 200));
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	for (unsigned i = 1; i < 100; i++) {
		cr_assert(eq(int, j->ops->drop_node(j, i), ERR_OK));
	}
	cr_assert(eq(int, j->ops->commit(j), ERR_OK));
	/* LMDB keeps what was freed for one more transaction. */
	cr_assert(eq(int, put_many(j, 1, 0, 1), ERR_OK));
	cr_assert(eq(int, put_many(j, 1, 1, 1), ERR_OK));
	cr_assert(eq(int, put_many(j, seq, 10, 10000), ERR_OK));
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, refuses_an_older_and_a_newer_format_by_name)
{
	static const struct {
		uint8_t value[8];
		size_t len;
		enum err e;
		const char *said;
	} cases[] = {
		{ { 0, 0, 0, 1 }, 4, ERR_DISK, "has format 1," },
		{ { 0, 0, 0, 77, 0xff, 0xff, 0xff, 178 }, 8, ERR_DISK, "has format 77," },
		{ { 0, 0, 0, 77, 0xff, 0xff, 0xff, 0xfd }, 8, ERR_STORE_CORRUPT, "is damaged" },
		{ { 0, 0, 0, 2 }, 7, ERR_STORE_CORRUPT, "is damaged" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes value = bytes_of(cases[i].value, cases[i].len);
		struct folder f;
		struct journal *j;
		char why[256];

		folder_make(&f);
		j = journal_open(f.path, 0, 0);
		cr_assert(eq(int, j->ops->begin(j), ERR_OK));
		cr_assert(eq(int, j->ops->put_meta(j, "format", value), ERR_OK));
		cr_assert(eq(int, j->ops->commit(j), ERR_OK));
		j->ops->free(j);
		cr_expect(eq(int, journal_try(f.path, why, sizeof(why)), cases[i].e));
		cr_expect(strstr(why, cases[i].said) != NULL, "%s", why);
		folder_remove(f.path);
	}
}

TEST(journal_lmdb, refuses_a_file_that_is_cut_or_foreign)
{
	struct folder f;
	struct journal *j;
	char why[512];
	char path[PATH_MAX + 16];
	size_t size;
	int fd;

	folder_make(&f);
	j = journal_open(f.path, 0, 0);
	cr_assert(eq(int, put_many(j, 1, 100, 10000), ERR_OK));
	j->ops->free(j);
	size = file_size(f.path);
	for (size_t len = size - 1; len > size / 2; len -= 100001) {
		file_cut(f.path, (off_t)len);
		cr_expect(eq(int, journal_try(f.path, why, sizeof(why)), ERR_STORE_CORRUPT));
		cr_expect(strstr(why, "damaged") != NULL, "%s", why);
	}
	file_cut(f.path, 100); /* not even the first page */
	cr_expect(ne(int, journal_try(f.path, why, sizeof(why)), ERR_OK));
	snprintf(path, sizeof(path), "%s/data.mdb", f.path);
	fd = open(path, O_WRONLY | O_TRUNC);
	for (unsigned i = 0; i < 4096; i++) {
		cr_assert(write(fd, "not a database! ", 16) == 16);
	}
	close(fd);
	cr_expect(eq(int, journal_try(f.path, why, sizeof(why)), ERR_STORE_CORRUPT));
	folder_remove(f.path);
}

/* Without a full disk: the system refuses to let the file grow. */
TEST(journal_lmdb, goes_on_after_a_write_was_refused)
{
	struct folder f;
	struct journal *j;
	struct rlimit was;
	struct rlimit small;
	struct bytes b;

	folder_make(&f);
	j = journal_open(f.path, 0, 0);
	cr_assert(eq(int, put_many(j, 1, 10, 10000), ERR_OK));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &was);
	small = (struct rlimit){ file_size(f.path) + 4096, was.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	for (unsigned i = 0; i < 3; i++) {
		enum err e = put_many(j, 100, 100, 10000);
		cr_expect(e == ERR_DISK_FULL || e == ERR_DISK, "%s", err_code(e));
	}
	setrlimit(RLIMIT_FSIZE, &was);
	cr_assert(eq(int, put_many(j, 100, 100, 10000), ERR_OK));
	cr_assert(eq(int, j->ops->get_node(j, 10, &b), ERR_OK));
	cr_expect(b.len == 10000 && b.at[0] == 10);
	cr_assert(eq(int, j->ops->get_node(j, 199, &b), ERR_OK));
	j->ops->free(j);
	folder_remove(f.path);
}

TEST(journal_lmdb, survives_a_full_disk)
{
	struct folder f;
	struct journal *j;
	struct bytes b;
	unsigned seq = 1;
	char path[PATH_MAX + 16];
	enum err e;

	folder_make(&f);
	if (!folder_small_disk(f.path)) {
		folder_remove(f.path);
		cr_skip_test("no right to mount a small tmpfs");
	}
	folder_ballast(f.path, 4 * MIB);
	j = journal_open(f.path, 0, 0);
	while ((e = put_many(j, seq, 10, 10000)) == ERR_OK) {
		seq += 10;
	}
	cr_expect(eq(int, e, ERR_DISK_FULL));
	cr_expect(gt(uint, seq, 200));
	for (unsigned i = 0; i < 5; i++) {
		cr_expect(eq(int, put_many(j, seq, 10, 10000), ERR_DISK_FULL));
	}
	for (unsigned i = 1; i < seq; i++) {
		cr_assert(eq(int, j->ops->get_node(j, i, &b), ERR_OK));
		cr_assert(b.len == 10000 && b.at[9999] == (uint8_t)i);
	}
	snprintf(path, sizeof(path), "%s/ballast", f.path);
	cr_assert(unlink(path) == 0);
	cr_assert(eq(int, put_many(j, seq, 10, 10000), ERR_OK));
	j->ops->free(j);
	umount(f.path);
	folder_remove(f.path);
}

TEST(journal_lmdb, says_that_the_disk_is_read_only)
{
	struct folder f;
	char why[256];

	folder_make(&f);
	if (!folder_small_disk(f.path)) {
		folder_remove(f.path);
		cr_skip_test("no right to mount a small tmpfs");
	}
	cr_assert(eq(int, journal_try(f.path, why, sizeof(why)), ERR_OK));
	cr_assert(mount(NULL, f.path, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	cr_expect(eq(int, journal_try(f.path, why, sizeof(why)), ERR_DISK_READONLY));
	cr_expect(strstr(why, "cannot be opened") != NULL, "%s", why);
	umount(f.path);
	folder_remove(f.path);
}
