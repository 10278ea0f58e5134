/* SPDX-License-Identifier: MIT */
#include "ring/refusal_p.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ring/uring.h"
#include "tests/test.h"

#define WHY_MAX 300

TEST(refusal, names_the_setting)
{
	static const struct {
		struct refusal facts;
		const char *names;
		enum err want;
	} cases[] = {
		{ { EPERM, 2, "6.6.0", SIZE_MAX }, "kernel.io_uring_disabled (now 2)", ERR_SYSTEM },
		{ { EPERM, 1, "6.6.0", SIZE_MAX }, "kernel.io_uring_group", ERR_SYSTEM },
		{ { EPERM, 0, "6.6.0", SIZE_MAX }, "seccomp", ERR_SYSTEM },
		{ { EPERM, -1, "6.1.0", SIZE_MAX }, "seccomp", ERR_SYSTEM },
		{ { ENOSYS, -1, "6.1.0-18-amd64", 8192 }, "seccomp", ERR_SYSTEM },
		{ { ENOSYS, -1, "4.19.0-27-amd64", 8192 },
		  "Linux 4.19.0-27-amd64 is too old",
		  ERR_SYSTEM },
		{ { EINVAL, -1, "5.15.0", 8192 }, "Linux 5.15.0 is too old", ERR_SYSTEM },
		{ { ENOMEM, -1, "6.1.0", 64 }, "ulimit -l, now 64 KiB", ERR_NO_MEMORY },
		{ { ENOMEM, -1, "6.1.0", SIZE_MAX }, "errno 12", ERR_NO_MEMORY },
		{ { EMFILE, -1, "6.1.0", 64 }, "ulimit -n", ERR_SYSTEM },
		{ { EIO, -1, "6.1.0", 64 }, "errno 5", ERR_SYSTEM },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[WHY_MAX] = "";

		cr_expect(
			eq(int, refusal_explain(&cases[i].facts, why, sizeof(why)), cases[i].want));
		cr_expect(strstr(why, cases[i].names) != NULL, "%s: %s", cases[i].names, why);
		cr_expect(strchr(why, '\n') == NULL && strlen(why) < 250, "one sentence");
	}
}

/* Makes a system call fail with an errno from here on, in this process. */
static void forbid(int syscall_number, uint32_t errnum)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)syscall_number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		_exit(99);
	}
}

/* Runs the probe in a child that may not call this; returns what it said. */
static int probe_forbidden(int syscall_number, uint32_t errnum, char why[static WHY_MAX])
{
	int pipes[2];
	int status;
	pid_t pid;
	ssize_t len;

	cr_assert(pipe(pipes) == 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		char text[WHY_MAX] = "";
		enum err e;
		forbid(syscall_number, errnum);
		e = uring_probe(text, sizeof(text));
		_exit(write(pipes[1], text, strlen(text)) < 0 ? 98 : (int)e);
	}
	close(pipes[1]);
	len = read(pipes[0], why, WHY_MAX - 1);
	why[len > 0 ? len : 0] = '\0';
	close(pipes[0]);
	cr_assert(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(refusal, tells_a_seccomp_filter)
{
	static const struct {
		int number;
		uint32_t errnum;
	} cases[] = {
		{ SYS_io_uring_setup, EPERM },    { SYS_io_uring_setup, ENOSYS },
		{ SYS_io_uring_register, EPERM }, { SYS_io_uring_enter, EPERM },
		{ SYS_io_uring_enter, ENOSYS },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[WHY_MAX];

		cr_expect(eq(int, probe_forbidden(cases[i].number, cases[i].errnum, why),
		             ERR_SYSTEM));
		cr_expect(strstr(why, "seccomp") != NULL, "case %zu: %s", i, why);
	}
}

TEST(refusal, has_no_reason_here)
{
	char why[WHY_MAX] = "";

	cr_expect(eq(int, uring_probe(why, sizeof(why)), ERR_OK), "%s", why);
}

/* In a child without privileges whose lockable memory is `kib`, a user of its own, since the kernel
 * counts for each user and gives back late: 0 whole, 1 reduced, 2 refused with
 * the setting named. */
static int ring_with_memlock(rlim_t kib)
{
	int status;
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0) {
		uid_t user = 100000 + (uid_t)(getpid() & 0xffff);
		struct rlimit limit = { kib * 1024, kib * 1024 };
		struct uring_options options = { .env = env_system() };
		char why[WHY_MAX] = "";
		struct io *io;

		if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
		    (geteuid() == 0 && setuid(user) != 0)) {
			_exit(99);
		}
		if (uring_new(&options, &io, why, sizeof(why)) != ERR_OK) {
			_exit(strstr(why, "ulimit -l") != NULL ? 2 : 98);
		}
		status = uring_info(io).reduced ? 1 : 0;
		io_free(io);
		_exit(status);
	}
	cr_assert(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(refusal, shrinks_before_it_gives_up_for_lack_of_lockable_memory)
{
	int none = ring_with_memlock(0);

	if (geteuid() != 0) {
		cr_skip_test("what this user has locked elsewhere would count as well");
	}
	cr_expect(eq(int, ring_with_memlock(4 * 1024), 0));
	if (none == 0) {
		cr_log_info("this kernel does not count rings against ulimit -l");
		return;
	}
	cr_expect(eq(int, none, 2));
	cr_expect(eq(int, ring_with_memlock(200), 1));
}
