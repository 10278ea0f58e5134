/* SPDX-License-Identifier: MIT
 *
 * control/ctl_versions.c — the commands about versions of zones. */
#include <inttypes.h>
#include <string.h>

#include "control/ctl_p.h"

const char *hold_text(const char *why)
{
	static const struct {
		const char *why;
		const char *text;
	} texts[] = {
		{ "pinned", "the zone is pinned" },  { "rejected", "rejected by an operator" },
		{ "no-ns", "no NS at the apex" },    { "shrunk", "lost too many of its records" },
		{ "zonemd", "its ZONEMD is wrong" }, { "limit", "larger than the zone may be" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (strcmp(texts[i].why, why) == 0) {
			return texts[i].text;
		}
	}
	return why;
}

/* ---- the list ---- */

static void version_row(struct table *t, const struct ctl *ctl, const json_t *v)
{
	char serial[CTL_TIME_MAX], source[CTL_TIME_MAX], records[CTL_TIME_MAX];
	char added[CTL_TIME_MAX], deleted[CTL_TIME_MAX], received[CTL_TIME_MAX], state[160];
	const char *why = member_text(v, "why");
	const char *name = member_text(v, "state");
	const char *cells[] = {
		count_text(v, "serial", serial),
		state,
		count_text(v, "source_serial", source),
		count_text(v, "records", records),
		count_text(v, "added", added),
		count_text(v, "deleted", deleted),
		member_text(v, "received_by"),
		time_relative(member_text(v, "received_at"), env_wall_s(ctl->env), received),
		text_or_dash(v, "primary"),
		member_text(v, "root"),
	};

	snprintf(state, sizeof(state), "%.20s%s%.100s", name, why[0] != '\0' ? ": " : "",
	         hold_text(why));
	table_add(t, cells,
	          strcmp(name, "served") == 0 ? COLOUR_GOOD
	          : why[0] != '\0'            ? COLOUR_BAD
	                                      : COLOUR_NONE);
}

static void print_history(const struct ctl *ctl, const json_t *history)
{
	static const char *const heads[] = { "SERIAL",  "STATE", "PRIMARY'S", "RECORDS", "ADDED",
		                             "DELETED", "BY",    "RECEIVED",  "FROM",    "ROOT" };
	struct table t = { .heads = heads,
		           .columns = ARRAY_LEN(heads),
		           .right = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 };
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(history, "versions"), i, v)
	{
		version_row(&t, ctl, v);
	}
	table_flush(&t, ctl);
	table_fini(&t);
}

enum ctl_exit ctl_zone_history(const struct ctl *ctl, const char *name)
{
	char target[CTL_TARGET_MAX];
	enum ctl_exit result = CTL_NO;
	json_t *history;

	if (!zone_target(ctl, name, "/history", target)) {
		return CTL_NO;
	}
	history = ctl_get(ctl, "GET", target, name, &result);
	if (history == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, history);
	} else {
		print_history(ctl, history);
	}
	json_decref(history);
	return CTL_YES;
}

/* ---- text ---- */

/* Appends "NAME=TEXT" to a query. */
static bool query_add(char target[static CTL_TARGET_MAX], const char *name, const char *text)
{
	size_t len = strlen(target);

	len += (size_t)snprintf(target + len, CTL_TARGET_MAX - len,
	                        "%c%s=", strchr(target, '?') == NULL ? '?' : '&', name);
	return len < CTL_TARGET_MAX && target_add(target, CTL_TARGET_MAX, text);
}

enum ctl_exit ctl_zone_show(const struct ctl *ctl, const char *name)
{
	char target[CTL_TARGET_MAX];
	struct ctl_copied copied;

	if (!zone_target(ctl, name, "/export", target)) {
		return CTL_NO;
	}
	if (ctl->serial != NULL && !query_add(target, "serial", ctl->serial)) {
		ctl_complain(ctl, name, "bad-request", "this is no serial");
		return CTL_NO;
	}
	return ctl_copy(ctl, "GET", target, name, &copied);
}

enum ctl_exit ctl_zone_diff(const struct ctl *ctl, char *const words[static 3])
{
	char target[CTL_TARGET_MAX];
	struct ctl_copied copied;

	if (!zone_target(ctl, words[0], "/diff", target)) {
		return CTL_TROUBLE;
	}
	if (!query_add(target, "a", words[1]) || !query_add(target, "b", words[2])) {
		ctl_complain(ctl, words[0], "bad-request", "these are no serials");
		return CTL_TROUBLE;
	}
	if (ctl_copy(ctl, "GET", target, words[0], &copied) != CTL_YES) {
		return CTL_TROUBLE;
	}
	return copied.octets > 0 ? CTL_NO : CTL_YES;
}

/* ---- acts ---- */

/* What is so after the act, in one line. */
static void print_done(const struct ctl *ctl, const json_t *done)
{
	static const struct {
		const char *action;
		const char *text;
	} texts[] = {
		{ "rollback", "rolled back" }, { "pin", "pinned" },      { "release", "released" },
		{ "accept", "accepted" },      { "reject", "rejected" },
	};
	const json_t *now = json_object_get(done, "now");
	const json_t *held = json_object_get(now, "held");
	const char *action = member_text(done, "action");
	char serial[CTL_TIME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		action = strcmp(texts[i].action, action) == 0 ? texts[i].text : action;
	}
	text_print(ctl, member_text(done, "zone"), 0);
	fprintf(ctl->out, ": %s; serves serial %s", action, count_text(now, "serial", serial));
	if (member_count(now, "serial") != member_count(now, "source_serial")) {
		fprintf(ctl->out, " (the primary's %" PRIu64 ")",
		        member_count(now, "source_serial"));
	}
	if (json_is_object(held)) {
		fprintf(ctl->out, "; serial %" PRIu64 " is held: %s", member_count(held, "serial"),
		        hold_text(member_text(held, "why")));
	}
	fputc('\n', ctl->out);
}

static enum ctl_exit act(const struct ctl *ctl, const char *name, const char *target)
{
	enum ctl_exit result = CTL_NO;
	json_t *done = ctl_get(ctl, "POST", target, name, &result);

	if (done == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, done);
	} else {
		print_done(ctl, done);
	}
	json_decref(done);
	return CTL_YES;
}

enum ctl_exit ctl_zone_rollback(const struct ctl *ctl, const char *name, const char *serial)
{
	char target[CTL_TARGET_MAX];

	if (!zone_target(ctl, name, "/rollback", target)) {
		return CTL_NO;
	}
	if (!query_add(target, "serial", serial) ||
	    (ctl->same_serial && !query_add(target, "same_serial", "1"))) {
		ctl_complain(ctl, name, "bad-request", "this is no serial");
		return CTL_NO;
	}
	return act(ctl, name, target);
}

enum ctl_exit ctl_zone_decide(const struct ctl *ctl, const char *name, const char *action)
{
	char target[CTL_TARGET_MAX], path[32];

	snprintf(path, sizeof(path), "/%s", action);
	return zone_target(ctl, name, path, target) ? act(ctl, name, target) : CTL_NO;
}
