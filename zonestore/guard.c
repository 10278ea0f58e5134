/* SPDX-License-Identifier: MIT
 *
 * zonestore/guard.c — marks a database that is being read, and sets one aside. */
#include "zonestore/guard_p.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_FILE    "loading"
#define ASIDE_PREFIX GUARD_FILE ".damaged-"
#define FILE_MODE    0600
#define FOLDER_MODE  0700

static bool path_join(char out[static PATH_MAX], const char *folder, const char *name)
{
	return (size_t)snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

void guard_sync(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		(void)fsync(fd); /* a file system that cannot is no worse than before */
		close(fd);
	}
}

bool guard_marked(const char *folder)
{
	char path[PATH_MAX];

	return path_join(path, folder, MARK_FILE) && access(path, F_OK) == 0;
}

void guard_mark(const char *folder)
{
	char path[PATH_MAX];
	int fd;

	if (!path_join(path, folder, MARK_FILE)) {
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE);
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
		guard_sync(folder);
	}
}

/* Not waited for: a mark that comes back costs one check. */
void guard_unmark(const char *folder)
{
	char path[PATH_MAX];

	if (path_join(path, folder, MARK_FILE)) {
		(void)unlink(path);
	}
}

/* LMDB's two first pages: a head (16), its magic (4), its version (4), both in the order of this
 * machine. */
bool guard_versions_differ(const char *folder)
{
	char path[PATH_MAX];
	uint8_t first[4];
	uint8_t second[4];
	long page = sysconf(_SC_PAGESIZE);
	bool differ = false;
	int fd;

	if (page <= 0 || !path_join(path, folder, GUARD_FILE)) {
		return false;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return false;
	}
	if (pread(fd, first, sizeof(first), 20) == (ssize_t)sizeof(first) &&
	    pread(fd, second, sizeof(second), page + 20) == (ssize_t)sizeof(second)) {
		differ = memcmp(first, second, sizeof(first)) != 0;
	}
	close(fd);
	return differ;
}

/* The second in the name of a database set aside; below 0: it is something else. */
static long long aside_second(const char *name)
{
	char *end;
	long long n;

	if (strncmp(name, ASIDE_PREFIX, sizeof(ASIDE_PREFIX) - 1) != 0) {
		return -1;
	}
	errno = 0;
	n = strtoll(name + sizeof(ASIDE_PREFIX) - 1, &end, 10);
	return errno == 0 && *end == '\0' && n < LLONG_MAX ? n : -1;
}

struct aside {
	unsigned count;
	long long oldest;
	long long newest;
};

static struct aside aside_find(const char *folder)
{
	struct aside a = { 0 };
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (dir == NULL) {
		return a;
	}
	while ((entry = readdir(dir)) != NULL) {
		long long n = aside_second(entry->d_name);
		if (n >= 0) {
			a.oldest = a.count == 0 || n < a.oldest ? n : a.oldest;
			a.newest = n > a.newest ? n : a.newest;
			a.count++;
		}
	}
	closedir(dir);
	return a;
}

static bool aside_path(char out[static PATH_MAX], const char *folder, long long second)
{
	return (size_t)snprintf(out, PATH_MAX, "%s/" ASIDE_PREFIX "%lld", folder, second) <
	       PATH_MAX;
}

static void aside_prune(const char *folder)
{
	char path[PATH_MAX];
	struct aside a = aside_find(folder);

	while (a.count > GUARD_KEPT_MAX && aside_path(path, folder, a.oldest) &&
	       unlink(path) == 0) {
		a = aside_find(folder);
	}
}

enum err guard_set_aside(const char *folder, int64_t now_s, char *where, size_t where_cap)
{
	char from[PATH_MAX];
	char to[PATH_MAX];
	struct aside a = aside_find(folder);
	long long second = now_s > 0 ? now_s : 0;

	/* Two in a second, or a clock that was set: the newest has the highest number. */
	if (a.count > 0 && second <= a.newest) {
		second = a.newest + 1;
	}
	if (!path_join(from, folder, GUARD_FILE) || !aside_path(to, folder, second)) {
		return ERR_DISK;
	}
	if (rename(from, to) != 0) {
		return errno == EROFS || errno == EACCES || errno == EPERM ? ERR_DISK_READONLY
		                                                           : ERR_DISK;
	}
	aside_prune(folder);
	guard_sync(folder);
	snprintf(where, where_cap, "%s", to);
	return ERR_OK;
}

int guard_folder(const char *path)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part)) {
		return ENAMETOOLONG;
	}
	memcpy(part, path, len + 1);
	for (size_t i = 1; i <= len; i++) {
		if (part[i] != '/' && part[i] != '\0') {
			continue;
		}
		part[i] = '\0';
		if (mkdir(part, FOLDER_MODE) != 0 && errno != EEXIST) {
			return errno;
		}
		part[i] = path[i];
	}
	return 0;
}
