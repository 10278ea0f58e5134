/* SPDX-License-Identifier: MIT
 *
 * ring/refusal.c — from an errno of io_uring to the setting that caused it. */
#include "ring/refusal_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DISABLED_PATH "/proc/sys/kernel/io_uring_disabled"

static void explain_forbidden(const struct refusal *r, char *why, size_t why_cap)
{
	if (r->disabled >= 2) {
		snprintf(why, why_cap,
		         "io_uring is disabled on this machine: set the sysctl "
		         "kernel.io_uring_disabled (now %d) to 0",
		         r->disabled);
	} else if (r->disabled == 1) {
		snprintf(why, why_cap,
		         "io_uring is disabled for this user: set the sysctl "
		         "kernel.io_uring_disabled (now 1) to 0, or put the user into the group "
		         "that "
		         "kernel.io_uring_group names");
	} else {
		snprintf(
			why, why_cap,
			"a seccomp filter (of the container or the service) forbids io_uring (%s): "
			"allow io_uring_setup, io_uring_enter and io_uring_register in it",
			r->errnum == ENOSYS ? "ENOSYS" : "EPERM");
	}
}

/* io_uring came with Linux 5.1; a newer kernel without it was built so, or hides it. */
static bool release_before_io_uring(const char *release)
{
	unsigned major = 0;
	unsigned minor = 0;

	if (sscanf(release, "%u.%u", &major, &minor) != 2) {
		return false;
	}
	return major < 5 || (major == 5 && minor < 1);
}

enum err refusal_explain(const struct refusal *r, char *why, size_t why_cap)
{
	assert(r->errnum > 0);
	if (r->errnum == EINVAL || (r->errnum == ENOSYS && release_before_io_uring(r->release))) {
		snprintf(why, why_cap,
		         "Linux %s is too old: axfarmd needs the io_uring of Linux 6.1 or newer",
		         r->release);
	} else if (r->errnum == EPERM || r->errnum == EACCES || r->errnum == ENOSYS) {
		explain_forbidden(r, why, why_cap);
	} else if (r->errnum == ENOMEM && r->memlock_kib != SIZE_MAX) {
		snprintf(why, why_cap,
		         "the limit of lockable memory (ulimit -l, now %zu KiB) is too low for "
		         "io_uring: raise it (LimitMEMLOCK= in the systemd unit)",
		         r->memlock_kib);
		return ERR_NO_MEMORY;
	} else if (r->errnum == EMFILE || r->errnum == ENFILE) {
		snprintf(why, why_cap,
		         "no file descriptor left for io_uring: raise the limit of open files "
		         "(ulimit -n, LimitNOFILE= in the systemd unit)");
	} else {
		snprintf(why, why_cap, "io_uring cannot be set up: errno %d on Linux %s", r->errnum,
		         r->release);
	}
	return r->errnum == ENOMEM ? ERR_NO_MEMORY : ERR_SYSTEM;
}

static int disabled_setting(void)
{
	int fd = open(DISABLED_PATH, O_RDONLY | O_CLOEXEC);
	char c = 0;
	ssize_t len;

	if (fd < 0) {
		return -1;
	}
	len = read(fd, &c, 1);
	close(fd);
	return len == 1 && c >= '0' && c <= '9' ? c - '0' : -1;
}

enum err refusal_now(int errnum, char *why, size_t why_cap)
{
	struct utsname uts = { .release = "?" };
	struct rlimit memlock = { RLIM_INFINITY, RLIM_INFINITY };
	struct refusal r = { .errnum = errnum, .disabled = disabled_setting() };

	(void)uname(&uts);
	(void)getrlimit(RLIMIT_MEMLOCK, &memlock);
	r.release = uts.release;
	r.memlock_kib = memlock.rlim_cur == RLIM_INFINITY ? SIZE_MAX : memlock.rlim_cur / 1024;
	return refusal_explain(&r, why, why_cap);
}
