/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/folder.h — a folder of its own for a test, removed afterwards with its files. */
#pragma once

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
	char path[PATH_MAX];
};

/* Aborts if it cannot be made. */
static inline void folder_make(struct folder *f)
{
	const char *base = getenv("TMPDIR");

	snprintf(f->path, sizeof(f->path), "%s/axfarm-test-XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(f->path) == NULL) {
		perror(f->path);
		abort();
	}
}

static inline int folder_remove_one(const char *path, const struct stat *st, int flag,
                                    struct FTW *where)
{
	(void)st;
	(void)flag;
	(void)where;
	return remove(path);
}

/* Removes the folder and all that is in it. */
static inline void folder_remove(const char *path)
{
	nftw(path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
