/* SPDX-License-Identifier: MIT
 *
 * control/ctl_primary.c — the command about primaries. */
#include <inttypes.h>
#include <string.h>

#include "control/ctl_p.h"

#define CELL_MAX 160

static const char *const lanes[] = { "operator", "notify", "expiring", "due", "first" };

static enum ctl_colour state_colour(const char *state)
{
	if (strcmp(state, "down") == 0) {
		return COLOUR_BAD;
	}
	return strcmp(state, "up") == 0 ? COLOUR_GOOD : COLOUR_DIM;
}

/* "down, being tried", "down for 1 of 4 workers" */
static const char *state_cell(const json_t *p, char out[static CELL_MAX])
{
	uint64_t workers = member_count(p, "workers");
	uint64_t down = member_count(p, "workers_down");
	int len = snprintf(out, CELL_MAX, "%.16s", member_text(p, "state"));

	if (down > 0 && down < workers) {
		len += snprintf(out + len, CELL_MAX - (size_t)len,
		                " for %" PRIu64 " of %" PRIu64 " workers", down, workers);
	}
	if (json_is_true(json_object_get(p, "trying"))) {
		snprintf(out + len, CELL_MAX - (size_t)len, ", being tried");
	}
	return out;
}

static const char *names_cell(const json_t *p, char out[static CELL_MAX])
{
	const json_t *names = json_object_get(p, "names");
	const json_t *name;
	size_t i;
	size_t len = 0;

	out[0] = '\0';
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);

		if (text != NULL && len + strlen(text) + 3 < CELL_MAX) {
			len += (size_t)snprintf(out + len, CELL_MAX - len, "%s%s",
			                        len > 0 ? ", " : "", text);
		}
	}
	return out[0] == '\0' ? "-" : out;
}

static const char *connections_cell(const json_t *p, char out[static CELL_MAX])
{
	uint64_t borne = member_count(p, "connections_borne");
	int len = snprintf(out, CELL_MAX, "%" PRIu64 " of %" PRIu64, member_count(p, "connections"),
	                   member_count(p, "max_connections"));

	if (borne > 0) {
		snprintf(out + len, CELL_MAX - (size_t)len, ", bears %" PRIu64, borne);
	}
	return out;
}

/* Transfers that run, of what it bears. */
static const char *running_cell(const json_t *p, char out[static CELL_MAX])
{
	const json_t *running = json_object_get(p, "running");
	char window[CTL_TIME_MAX] = "";
	uint64_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
		sum += member_count(running, lanes[i]);
	}
	snprintf(out, CELL_MAX, "%" PRIu64 " of %s", sum, count_text(p, "window", window));
	return sum == 0 && window[0] == '\0' ? "-" : out;
}

/* "1 operator, 193 first" */
static const char *waiting_cell(const json_t *p, char out[static CELL_MAX])
{
	const json_t *waiting = json_object_get(p, "waiting");
	bool rough = json_is_false(json_object_get(p, "waiting_exact"));
	size_t len = (size_t)snprintf(out, CELL_MAX, "%s", rough ? "about " : "");
	const char *gap = "";

	for (size_t i = 0; i < ARRAY_LEN(lanes); i++) {
		uint64_t count = member_count(waiting, lanes[i]);

		if (count > 0) {
			len += (size_t)snprintf(out + len, CELL_MAX - len, "%s%" PRIu64 " %s", gap,
			                        count, lanes[i]);
			gap = ", ";
		}
	}
	return gap[0] == '\0' ? "-" : out;
}

static const char *ability_cell(const json_t *p, char out[static CELL_MAX])
{
	static const struct {
		const char *code;
		const char *text;
	} abilities[] = {
		{ "pipeline", "pipelines" },
		{ "serial", "one at a time" },
		{ "single", "one a connection" },
	};
	const char *code = member_text(p, "ability");
	const char *text = "-";

	/* Until it has answered, that it can do everything is but a hope. */
	for (size_t i = json_is_null(json_object_get(p, "answer_us")); i < ARRAY_LEN(abilities);
	     i++) {
		text = strcmp(code, abilities[i].code) == 0 ? abilities[i].text : text;
	}
	snprintf(out, CELL_MAX, "%s%s", text,
	         json_is_true(json_object_get(p, "silent_udp")) ? ", no UDP" : "");
	return out;
}

static const char *latency_cell(const json_t *p, const char *name, char out[static CTL_TIME_MAX])
{
	if (!json_is_integer(json_object_get(p, name))) {
		return "-";
	}
	return micros_short(member_count(p, name), out);
}

static void primary_row(struct table *t, const struct ctl *ctl, const json_t *p)
{
	int64_t now_s = env_wall_s(ctl->env);
	const json_t *error = json_object_get(p, "last_error");
	char since[CTL_TIME_MAX], next[CTL_TIME_MAX], parked[CTL_TIME_MAX];
	char connect[CTL_TIME_MAX], answer[CTL_TIME_MAX], rest[CTL_TIME_MAX], at[CTL_TIME_MAX];
	char texts[6][CELL_MAX], last[CELL_MAX] = "-";
	const char *cells[] = {
		member_text(p, "address"),
		state_cell(p, texts[0]),
		names_cell(p, texts[1]),
		time_relative(member_text(p, "down_since"), now_s, since),
		time_relative(member_text(p, "next_try_at"), now_s, next),
		count_text(p, "parked", parked),
		running_cell(p, texts[2]),
		waiting_cell(p, texts[3]),
		connections_cell(p, texts[4]),
		ability_cell(p, texts[5]),
		latency_cell(p, "connect_us", connect),
		latency_cell(p, "answer_us", answer),
		latency_cell(p, "rest_us", rest),
		last,
	};

	static_assert(ARRAY_LEN(cells) <= CTL_COLUMNS_MAX, "fits");
	if (json_is_object(error)) {
		snprintf(last, sizeof(last), "%.100s (%.40s)", member_text(error, "text"),
		         time_relative(member_text(error, "at"), now_s, at));
	}
	table_add(t, cells, state_colour(member_text(p, "state")));
}

static void list_print(const struct ctl *ctl, const json_t *list)
{
	static const char *const heads[] = { "PRIMARY", "STATE",       "NAME",
		                             "DOWN",    "NEXT TRY",    "PARKED",
		                             "RUNNING", "WAITING",     "CONNECTIONS",
		                             "CAN",     "CONNECTS IN", "ANSWERS IN",
		                             "AT REST", "LAST ERROR" };
	struct table t = { .heads = heads, .columns = ARRAY_LEN(heads), .right = 1 << 5 };
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(list, "primaries"), i, p)
	{
		primary_row(&t, ctl, p);
	}
	table_flush(&t, ctl);
	table_fini(&t);
	if (member_count(list, "left_out") > 0) {
		fprintf(ctl->out, "and %" PRIu64 " more\n", member_count(list, "left_out"));
	}
}

enum ctl_exit ctl_primary_list(const struct ctl *ctl)
{
	enum ctl_exit result;
	char target[64];
	json_t *list;

	snprintf(target, sizeof(target), "/v1/primaries?state=%.20s",
	         ctl->state == NULL ? "" : ctl->state);
	list = ctl_get(ctl, "GET", target, "", &result);
	if (list == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, list);
	} else {
		list_print(ctl, list);
	}
	json_decref(list);
	return CTL_YES;
}
