/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/guard_test.c — the mark, and databases set aside. */
#include "zonestore/guard_p.h"

#include "tests/test.h"
#include "tests/zonestore/folder.h"

static void database_make(const struct folder *f)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->path, GUARD_FILE);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	cr_assert(fd >= 0);
	close(fd);
}

static bool aside_there(const struct folder *f, unsigned second)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s.damaged-%u", f->path, GUARD_FILE, second);
	return access(path, F_OK) == 0;
}

TEST(guard, marks_and_unmarks)
{
	struct folder f;

	folder_make(&f);
	cr_expect(not(guard_marked(f.path)));
	guard_mark(f.path);
	cr_expect(guard_marked(f.path));
	guard_mark(f.path);
	guard_unmark(f.path);
	cr_expect(not(guard_marked(f.path)));
	guard_unmark(f.path);
	folder_remove(f.path);
}

TEST(guard, keeps_the_newest_that_were_set_aside)
{
	char where[PATH_MAX];
	struct folder f;

	folder_make(&f);
	for (unsigned i = 0; i < GUARD_KEPT_MAX + 2; i++) {
		database_make(&f);
		cr_assert(eq(int, guard_set_aside(f.path, 100, where, sizeof(where)), ERR_OK));
		cr_expect(aside_there(&f, 100) || i >= GUARD_KEPT_MAX);
		cr_expect(eq(int, access(where, F_OK), 0));
	}
	for (unsigned i = 0; i < 10; i++) {
		database_make(&f);
		cr_assert(eq(int, guard_set_aside(f.path, 200 + i, where, sizeof(where)), ERR_OK));
	}
	for (unsigned i = 0; i < 10; i++) {
		cr_expect(eq(int, aside_there(&f, 200 + i), i >= 10 - GUARD_KEPT_MAX));
	}
	folder_remove(f.path);
}

TEST(guard, says_when_there_is_nothing_to_set_aside)
{
	char where[PATH_MAX] = "";
	struct folder f;

	folder_make(&f);
	cr_expect(ne(int, guard_set_aside(f.path, 1, where, sizeof(where)), ERR_OK));
	cr_expect(eq(str, where, ""));
	folder_remove(f.path);
}
