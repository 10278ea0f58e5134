/* SPDX-License-Identifier: MIT
 *
 * control/ctl_store.c — the commands about the store.
 *
 * What checks a database without a daemon is axfarmd, as a program: this one knows no database. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/ctl_p.h"

static void line(const struct ctl *ctl, const char *head, const char *text)
{
	text_print(ctl, head, -14);
	fprintf(ctl->out, "%s\n", text);
}

static void print_times(const struct ctl *ctl, const char *head, const json_t *times)
{
	char p50[CTL_TIME_MAX], p99[CTL_TIME_MAX], longest[CTL_TIME_MAX], text[256];

	if (member_count(times, "count") == 0) {
		return;
	}
	snprintf(text, sizeof(text), "half within %.20s, 99 of 100 within %.20s, the longest %.20s",
	         micros_short(member_count(times, "p50_us"), p50),
	         micros_short(member_count(times, "p99_us"), p99),
	         micros_short(member_count(times, "max_us"), longest));
	line(ctl, head, text);
}

/* What all versions would take as records in wire form, each by itself, and what they take. */
static void print_sharing(const struct ctl *ctl, const json_t *s)
{
	uint64_t wire = member_count(s, "wire_bytes");
	uint64_t have = member_count(s, "node_bytes") + member_count(s, "body_bytes") +
	                member_count(s, "snapshot_bytes");
	char wire_text[CTL_TIME_MAX], have_text[CTL_TIME_MAX], text[256];

	snprintf(text, sizeof(text), "%s of records in %s of nodes, bodies and versions",
	         number_short(wire, wire_text), number_short(have, have_text));
	if (have > 0) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " (%.2f times)",
		         (double)wire / (double)have);
	}
	line(ctl, "sharing", text);
}

static void print_memory(const struct ctl *ctl, const json_t *s)
{
	char nodes[CTL_TIME_MAX], bodies[CTL_TIME_MAX], tables[CTL_TIME_MAX], all[CTL_TIME_MAX];
	char text[256];

	snprintf(text, sizeof(text), "%" PRIu64 ", with %" PRIu64 " versions",
	         member_count(s, "zones"), member_count(s, "versions"));
	line(ctl, "zones", text);
	snprintf(text, sizeof(text), "%" PRIu64 " nodes (%s), %" PRIu64 " record set bodies (%s)",
	         member_count(s, "nodes"), number_short(member_count(s, "node_bytes"), nodes),
	         member_count(s, "bodies"), number_short(member_count(s, "body_bytes"), bodies));
	line(ctl, "content", text);
	print_sharing(ctl, s);
	snprintf(text, sizeof(text), "%s mapped, %s of it tables",
	         number_short(member_count(s, "mapped_bytes"), all),
	         number_short(member_count(s, "table_bytes"), tables));
	line(ctl, "memory", text);
}

static void print_disk(const struct ctl *ctl, const json_t *s)
{
	char used[CTL_TIME_MAX], size[CTL_TIME_MAX], text[256];

	snprintf(text, sizeof(text), "%s used, a file of %s",
	         number_short(member_count(s, "disk_used_bytes"), used),
	         number_short(member_count(s, "disk_size_bytes"), size));
	line(ctl, "disk", text);
	snprintf(text, sizeof(text), "%" PRIu64 " nodes, %s; %s with what the database adds",
	         member_count(s, "nodes_written"),
	         number_short(member_count(s, "value_bytes"), used),
	         number_short(member_count(s, "written_bytes"), size));
	line(ctl, "written", text);
	snprintf(text, sizeof(text), "%" PRIu64 " nodes, %" PRIu64 " wait",
	         member_count(s, "nodes_dropped"), member_count(s, "drops_waiting"));
	line(ctl, "removed", text);
	snprintf(text, sizeof(text),
	         "%" PRIu64 " with %" PRIu64 " updates; %" PRIu64 " failed; %" PRIu64
	         " updates wait",
	         member_count(s, "commits"), member_count(s, "updates"),
	         member_count(s, "failures"), member_count(s, "commits_waiting"));
	line(ctl, "commits", text);
	print_times(ctl, "  waited", json_object_get(s, "commit_wait"));
	print_times(ctl, "  durable", json_object_get(s, "commit_durable"));
	print_times(ctl, "  took", json_object_get(s, "transactions"));
}

enum ctl_exit ctl_store_stats(const struct ctl *ctl)
{
	enum ctl_exit result;
	json_t *s = ctl_get(ctl, "GET", "/v1/store/stats", "", &result);

	if (s == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, s);
	} else {
		print_memory(ctl, s);
		print_disk(ctl, s);
	}
	json_decref(s);
	return CTL_YES;
}

/* ---- check ---- */

/* The daemon's program: beside this one, or where the shell would find it. */
static void daemon_program(char out[static PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 16);
	char *slash;

	out[len > 0 ? len : 0] = '\0';
	slash = strrchr(out, '/');
	if (slash != NULL) {
		memcpy(slash + 1, "axfarmd", sizeof("axfarmd"));
	}
	if (slash == NULL || access(out, X_OK) != 0) {
		memcpy(out, "axfarmd", sizeof("axfarmd"));
	}
}

static enum ctl_exit check_offline(const struct ctl *ctl)
{
	const char *config = ctl->config_path != NULL ? ctl->config_path : CTL_CONFIG_DEFAULT;
	char program[PATH_MAX];
	char *argv[] = { "axfarmd", "-c", (char *)(uintptr_t)config, "--check-store", NULL };
	int status = 0;
	pid_t pid;
	int rc;

	daemon_program(program);
	fflush(ctl->out);
	rc = posix_spawnp(&pid, program, NULL, NULL, argv, environ);
	if (rc != 0) {
		ctl_complain(ctl, program, "system", strerror(rc));
		return CTL_TROUBLE;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR) {
			return CTL_TROUBLE;
		}
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) > CTL_NO) {
		return CTL_TROUBLE;
	}
	return WEXITSTATUS(status) == 0 ? CTL_YES : CTL_NO;
}

static bool daemon_answers(const struct ctl *ctl)
{
	struct ctl_call call;
	char why[256];
	bool answers = call_begin(&call, ctl->socket_path, "GET", "/v1/status", why);

	call_end(&call);
	return answers;
}

/* True if we know where the database is: a socket alone does not tell. */
static bool config_at_hand(const struct ctl *ctl)
{
	return ctl->config_path != NULL || (strcmp(ctl->socket_path, CTL_SOCKET_DEFAULT) == 0 &&
	                                    access(CTL_CONFIG_DEFAULT, R_OK) == 0);
}

enum ctl_exit ctl_store_check(const struct ctl *ctl)
{
	struct ctl_copied copied;

	if (ctl->offline) {
		return check_offline(ctl);
	}
	if (config_at_hand(ctl) && !daemon_answers(ctl)) {
		fprintf(ctl->err,
		        "axfarmctl: no daemon answers: its database is checked without it\n");
		return check_offline(ctl);
	}
	if (ctl_copy(ctl, "POST", "/v1/store/check", "", &copied) != CTL_YES) {
		return CTL_TROUBLE;
	}
	if (strncmp(copied.line, "clean: ", 7) == 0) {
		return CTL_YES;
	}
	return strncmp(copied.line, "damaged: ", 9) == 0 ? CTL_NO : CTL_TROUBLE;
}
