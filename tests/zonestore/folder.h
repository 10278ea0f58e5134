/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/folder.h — a folder of its own for a test, removed afterwards with its files. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
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

/* Mounts a disk of 8 MB of our own, in a mount namespace that ends with the test. False without the
 * right to. */
static inline bool folder_small_disk(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("axfarm-test", path, "tmpfs", 0, "size=8m") == 0;
}

/* Fills `len` octets of the disk with the file "ballast". Aborts if there is no room. */
static inline void folder_ballast(const char *folder, size_t len)
{
	char path[PATH_MAX + 16];
	char page[4096] = { 0 };
	int fd;

	snprintf(path, sizeof(path), "%s/ballast", folder);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (size_t i = 0; i < len / sizeof(page); i++) {
		if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page)) {
			abort();
		}
	}
	close(fd);
}
