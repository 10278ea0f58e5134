/* SPDX-License-Identifier: MIT
 *
 * daemon/process.c — users, directories, limits, and the service manager. */
#include "daemon/process_p.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zonestore/journal_lmdb.h"

#define CHECK_STATUS_DAMAGED 3
#define CHECK_MIN_S          120U
#define CHECK_BYTES_PER_S    (8ULL << 20) /* slower than any disk that is well */

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

/* ---- a look at the database by somebody who may die of it ---- */

unsigned process_check_limit_s(const char *path)
{
	char file[PATH_MAX];
	struct stat st = { 0 };

	snprintf(file, sizeof(file), "%s/data.mdb", path);
	(void)stat(file, &st);
	return CHECK_MIN_S + (unsigned)((uint64_t)st.st_size / CHECK_BYTES_PER_S);
}

int process_database_checker(const char *path)
{
	struct rlimit no_core = { 0, 0 };
	sigset_t none;
	enum err e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &no_core); /* as large as the database */
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	alarm(process_check_limit_s(path));
	e = journal_lmdb_check(path);
	if (e == ERR_OK) {
		return EXIT_SUCCESS;
	}
	return e == ERR_STORE_CORRUPT ? CHECK_STATUS_DAMAGED : EXIT_FAILURE;
}

bool process_died_of_damage(int status)
{
	switch (WIFSIGNALED(status) ? WTERMSIG(status) : 0) {
	case SIGABRT:
	case SIGALRM:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGSEGV:
		return true;
	default:
		return false;
	}
}

static enum err check_verdict(int status)
{
	if (!WIFEXITED(status)) {
		return process_died_of_damage(status) ? ERR_STORE_CORRUPT : ERR_SYSTEM;
	}
	switch (WEXITSTATUS(status)) {
	case EXIT_SUCCESS:
		return ERR_OK;
	case CHECK_STATUS_DAMAGED:
		return ERR_STORE_CORRUPT;
	default:
		return ERR_SYSTEM;
	}
}

/* Another program image, not only another process: threads of ours may hold locks. */
enum err process_check_database(void *self, const char *path)
{
	char text[64];
	char *argv[] = { "axfarmd", "--check-database", (char *)(uintptr_t)path, NULL };
	int status;
	pid_t pid;

	(void)self;
	snprintf(text, sizeof(text), "EXTEND_TIMEOUT_USEC=%llu",
	         (unsigned long long)process_check_limit_s(path) * 1000000ULL);
	process_notify(text);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0) {
		return ERR_SYSTEM;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return ERR_SYSTEM;
		}
	}
	return check_verdict(status);
}
