/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_file_test.c — files on the disk. */
#include "control/config_p.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

struct folder {
	char path[32];
	char file[48];
};

static void folder_make(struct folder *f)
{
	snprintf(f->path, sizeof(f->path), "/tmp/axfarm-test-XXXXXX");
	cr_assert(mkdtemp(f->path) != NULL);
	snprintf(f->file, sizeof(f->file), "%s/file", f->path);
}

static void folder_drop(const struct folder *f)
{
	unlink(f->file);
	rmdir(f->path);
}

TEST(config_file, reads_a_file_and_who_may_read_it)
{
	struct config_file got;
	struct folder f;
	const char *why = "";
	FILE *out;

	folder_make(&f);
	out = fopen(f.file, "w");
	fputs("hello", out);
	fclose(out);
	chmod(f.file, 0640);
	cr_assert(eq(int, config_file_read(NULL, f.file, &got, &why), ERR_OK));
	cr_expect(eq(sz, got.len, 5));
	cr_expect(eq(str, got.text, "hello"));
	cr_expect(not(got.world_readable));
	free(got.text);
	chmod(f.file, 0644);
	cr_assert(eq(int, config_file_read(NULL, f.file, &got, &why), ERR_OK));
	cr_expect(got.world_readable);
	free(got.text);
	folder_drop(&f);
}

TEST(config_file, does_not_wait_for_what_is_no_file)
{
	struct config_file got;
	struct folder f;
	const char *why = "";

	folder_make(&f);
	cr_expect(eq(int, config_file_read(NULL, f.file, &got, &why), ERR_NOT_FOUND));
	cr_expect(eq(str, (char *)why, "No such file or directory"));
	cr_expect(eq(int, config_file_read(NULL, f.path, &got, &why), ERR_CONFIG));
	cr_expect(eq(str, (char *)why, "it is not a file"));
	cr_assert(eq(int, mkfifo(f.file, 0600), 0));
	cr_expect(eq(int, config_file_read(NULL, f.file, &got, &why), ERR_CONFIG));
	cr_expect(eq(str, (char *)why, "it is not a file"));
	folder_drop(&f);
}
