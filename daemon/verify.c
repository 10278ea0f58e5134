/* SPDX-License-Identifier: MIT
 *
 * daemon/verify.c — a database verified by another process, which may die of what it finds. */
#include "daemon/verify_p.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/process_p.h"
#include "zonestore/check.h"
#include "zonestore/journal_view.h"

#define STATUS_DAMAGED 3
#define STATUS_TROUBLE 2
#define BLOCK_BYTES    4096
#define LOOK_MS        100 /* between looks whether anybody listens */

/* ---- the other process ---- */

static bool tell_line(void *self, const char *line)
{
	(void)self;
	return line == NULL || (printf("%s\n", line) >= 0 && fflush(stdout) == 0);
}

/* Dying is told by whoever waits for us: no core as large as the database, and no signal held back. */
static void prepare_to_die(const char *path)
{
	struct rlimit no_core = { 0, 0 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &no_core);
	sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	alarm(process_check_limit_s(path));
}

int verify_database(const char *path)
{
	struct check_sink sink = { .tell = tell_line, .env = env_system() };
	char why[CHECK_LINE_MAX];
	struct journal *journal;
	enum err e;

	prepare_to_die(path);
	e = journal_view_new(path, &journal, why, sizeof(why));
	if (e != ERR_OK) {
		printf("disk: %s\n", why);
	} else {
		e = check_journal(journal, &sink);
		journal->ops->free(journal);
	}
	if (fflush(stdout) != 0) {
		return EXIT_FAILURE;
	}
	return e == ERR_OK ? EXIT_SUCCESS : e == ERR_STORE_CORRUPT ? STATUS_DAMAGED : EXIT_FAILURE;
}

/* ---- this one ---- */

static bool put_text(const struct control_sink *sink, const char *text)
{
	return sink->put(sink->to, bytes_str(text));
}

/* Another program image, not only another process: threads of ours may hold locks. */
static enum err start(const char *path, pid_t *pid, int *out)
{
	char *argv[] = { "axfarmd", "--verify-database", (char *)(uintptr_t)path, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2];
	int rc;

	if (pipe2(ends, O_CLOEXEC) != 0) {
		return ERR_SYSTEM;
	}
	posix_spawn_file_actions_init(&actions);
	rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	if (rc == 0) {
		rc = posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environ);
	}
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (rc != 0) {
		close(ends[0]);
		return ERR_SYSTEM;
	}
	*out = ends[0];
	return ERR_OK;
}

/* Passes on what comes until its end. False: nobody listens. */
static bool pass_on(int from, const struct control_sink *sink)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	uint8_t block[BLOCK_BYTES];
	ssize_t len;

	for (;;) {
		if (poll(&p, 1, LOOK_MS) == 0) {
			if (!sink->put(sink->to, bytes_of(NULL, 0))) {
				return false;
			}
			continue;
		}
		len = read(from, block, sizeof(block));
		if (len < 0 && errno == EINTR) {
			continue;
		}
		if (len <= 0) {
			return true;
		}
		if (!sink->put(sink->to, bytes_of(block, (size_t)len))) {
			return false;
		}
	}
}

static enum err verdict(int status, const struct control_sink *sink)
{
	char line[128];

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
		return ERR_OK;
	}
	if (WIFEXITED(status)) {
		return WEXITSTATUS(status) == STATUS_DAMAGED ? ERR_STORE_CORRUPT : ERR_SYSTEM;
	}
	if (process_died_of_damage(status)) {
		snprintf(line, sizeof(line), "\ndisk: reading it ended by a signal: %s\n",
		         strsignal(WTERMSIG(status)));
		return put_text(sink, line) ? ERR_STORE_CORRUPT : ERR_STOPPING;
	}
	return ERR_SYSTEM;
}

enum err verify_elsewhere(const char *path, const struct control_sink *sink)
{
	int status = 0;
	bool heard;
	pid_t pid;
	int from;

	TRY(start(path, &pid, &from));
	heard = pass_on(from, sink);
	close(from);
	if (!heard) {
		kill(pid, SIGKILL); /* it changes nothing */
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return ERR_SYSTEM;
		}
	}
	return heard ? verdict(status, sink) : ERR_STOPPING;
}

bool verify_conclude(bool damaged, const struct control_sink *sink)
{
	return damaged ? put_text(sink,
	                          CONTROL_CHECK_DAMAGED "what is wrong stands above; what zones "
	                                                "miss is fetched again at the next start\n")
	               : put_text(sink, CONTROL_CHECK_CLEAN "nothing is wrong\n");
}

static bool put_out(void *to, struct bytes text)
{
	return fwrite(text.at, 1, text.len, to) == text.len && fflush(to) == 0;
}

int verify_alone(const char *path)
{
	struct control_sink sink = { .put = put_out, .to = stdout };
	enum err e = verify_elsewhere(path, &sink);
	bool damaged = e == ERR_STORE_CORRUPT;

	if (e != ERR_OK && !damaged) {
		fprintf(stderr, "axfarmd: the database could not be checked: %s\n", err_text(e));
		return STATUS_TROUBLE;
	}
	if (!verify_conclude(damaged, &sink)) {
		return STATUS_TROUBLE;
	}
	return damaged ? EXIT_FAILURE : EXIT_SUCCESS;
}
