/* SPDX-License-Identifier: MIT
 *
 * daemon/process.c — users, directories, limits, and the service manager. */
#include "daemon/process_p.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct passwd *find_user(const char *user, char *why, size_t why_cap)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL) {
		snprintf(why, why_cap,
		         "server.user: there is no user '%s'; create it (useradd --system %s) or "
		         "name "
		         "another",
		         user, user);
	}
	return pw;
}

enum err process_drop(const char *user, char *why, size_t why_cap)
{
	const struct passwd *pw;

	if (geteuid() != 0 || user[0] == '\0') {
		return ERR_OK;
	}
	pw = find_user(user, why, why_cap);
	if (pw == NULL) {
		return ERR_CONFIG;
	}
	if (initgroups(pw->pw_name, pw->pw_gid) != 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0) {
		snprintf(why, why_cap, "server.user: cannot become '%s': %s", user,
		         strerror(errno));
		return ERR_SYSTEM;
	}
	return ERR_OK;
}

enum err process_make_dir(const char *path, const char *user, char *why, size_t why_cap)
{
	char part[PATH_MAX];
	const struct passwd *pw = NULL;
	bool made = false;

	if (geteuid() == 0 && user[0] != '\0') {
		pw = find_user(user, why, why_cap);
		if (pw == NULL) {
			return ERR_CONFIG;
		}
	}
	for (size_t i = 1;; i++) {
		if (path[i] != '/' && path[i] != '\0') {
			continue;
		}
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		made = mkdir(part, 0755) == 0;
		if (!made && errno != EEXIST) {
			snprintf(why, why_cap, "cannot make the directory %s: %s", part,
			         strerror(errno));
			return ERR_SYSTEM;
		}
		if (path[i] == '\0') {
			break;
		}
	}
	/* Only a directory of our own making is given away. */
	if (made && pw != NULL && chown(path, pw->pw_uid, pw->pw_gid) != 0) {
		snprintf(why, why_cap, "cannot give %s to %s: %s", path, user, strerror(errno));
		return ERR_SYSTEM;
	}
	return ERR_OK;
}

void process_raise_limits(void)
{
	struct rlimit lim;

	/* As many descriptors as we may have: connections are what they are for. */
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &lim) != 0) {
			return; /* the soft limit will do */
		}
	}
}

void process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = path == NULL ? 0 : strlen(path);
	int fd;

	if (len < 2 || len >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@')) {
		return;
	}
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@') {
		sun.sun_path[0] = '\0'; /* an abstract address */
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return;
	}
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&sun,
	           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		perror("axfarmd: sd_notify");
	}
	close(fd);
}
