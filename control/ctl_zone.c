/* SPDX-License-Identifier: MIT
 *
 * control/ctl_zone.c — the commands about zones. */
#include <inttypes.h>
#include <string.h>

#include "control/ctl_p.h"

static enum ctl_colour state_colour(const char *state)
{
	if (strcmp(state, "ok") == 0) {
		return COLOUR_GOOD;
	}
	return strcmp(state, "failing") == 0 || strcmp(state, "expired") == 0 ? COLOUR_BAD
	                                                                      : COLOUR_BUSY;
}

static void zone_row(struct table *t, const struct ctl *ctl, const json_t *zone)
{
	int64_t now_s = env_wall_s(ctl->env);
	char serial[CTL_TIME_MAX], records[CTL_TIME_MAX], received[CTL_TIME_MAX];
	char refresh[CTL_TIME_MAX];
	const char *cells[] = {
		member_text(zone, "name"),
		member_text(zone, "state"),
		count_text(zone, "serial", serial),
		count_text(zone, "records", records),
		time_relative(member_text(zone, "received_at"), now_s, received),
		time_relative(member_text(zone, "refresh_at"), now_s, refresh),
		text_or_dash(zone, "primary"),
		text_or_dash(json_object_get(zone, "last_error"), "text"),
	};

	table_add(t, cells, state_colour(member_text(zone, "state")));
}

static void held_row(struct table *t, const struct ctl *ctl, const json_t *zone)
{
	const json_t *held = json_object_get(zone, "held");
	char serial[CTL_TIME_MAX], held_serial[CTL_TIME_MAX], received[CTL_TIME_MAX];
	const char *cells[] = {
		member_text(zone, "name"),
		hold_text(member_text(held, "why")),
		count_text(held, "serial", held_serial),
		time_relative(member_text(held, "received_at"), env_wall_s(ctl->env), received),
		count_text(zone, "serial", serial),
	};

	table_add(t, cells, COLOUR_BAD);
}

/* A list of zones: which, and how a row is made. */
struct listing {
	const char *query;
	struct table table;
	void (*row)(struct table *t, const struct ctl *ctl, const json_t *zone);
	bool any; /* zone was told */
};

static void page_print(struct listing *l, const struct ctl *ctl, const json_t *page)
{
	const json_t *zones = json_object_get(page, "zones");
	const json_t *zone;
	size_t i;

	json_array_foreach(zones, i, zone)
	{
		if (!ctl->json) {
			l->row(&l->table, ctl, zone);
			continue;
		}
		fputs(l->any ? ",\n" : "\n", ctl->out);
		json_dumpf(zone, ctl->out, JSON_COMPACT);
		l->any = true;
	}
	table_flush(&l->table, ctl);
}

/* Page by page, so that neither side ever holds a million zones. */
static enum ctl_exit list(struct listing *l, const struct ctl *ctl)
{
	enum ctl_exit result = CTL_YES;
	char cursor[32] = "0";

	for (bool first = true; cursor[0] != '\0'; first = false) {
		char target[128];
		json_t *page;

		snprintf(target, sizeof(target), "/v1/zones?limit=%d&cursor=%s&%s", CTL_PAGE_ZONES,
		         cursor, l->query);
		page = ctl_get(ctl, "GET", target, "", &result);
		if (page == NULL) {
			break;
		}
		if (first && ctl->json) {
			fputs("{\"zones\":[", ctl->out);
		}
		page_print(l, ctl, page);
		snprintf(cursor, sizeof(cursor), "%s", member_text(page, "cursor"));
		json_decref(page);
	}
	if (ctl->json && result == CTL_YES) {
		fputs("\n]}\n", ctl->out);
	}
	table_fini(&l->table);
	return result;
}

enum ctl_exit ctl_zone_list(const struct ctl *ctl)
{
	static const char *const heads[] = { "ZONE",     "STATE",   "SERIAL",  "RECORDS",
		                             "RECEIVED", "REFRESH", "PRIMARY", "LAST ERROR" };
	char query[32];
	struct listing l = {
		.query = query,
		.table = { .heads = heads, .columns = ARRAY_LEN(heads), .right = 1 << 2 | 1 << 3 },
		.row = zone_row
	};

	snprintf(query, sizeof(query), "state=%.20s", ctl->state == NULL ? "" : ctl->state);
	return list(&l, ctl);
}

enum ctl_exit ctl_zone_held(const struct ctl *ctl)
{
	static const char *const heads[] = { "ZONE", "WHY", "HELD", "RECEIVED", "SERVED" };
	struct listing l = {
		.query = "held=1",
		.table = { .heads = heads, .columns = ARRAY_LEN(heads), .right = 1 << 2 | 1 << 4 },
		.row = held_row
	};

	return list(&l, ctl);
}

bool zone_target(const struct ctl *ctl, const char *name, const char *action,
                 char target[static CTL_TARGET_MAX])
{
	size_t len;

	snprintf(target, CTL_TARGET_MAX, "/v1/zones/");
	if (name[0] == '\0' || !target_add(target, CTL_TARGET_MAX - 32, name)) {
		ctl_complain(ctl, name, "bad-name", "this is not a domain name");
		return false;
	}
	len = strlen(target);
	snprintf(target + len, CTL_TARGET_MAX - len, "%s", action);
	return true;
}

static void print_field(const struct ctl *ctl, const char *head, const char *text)
{
	fputs("  ", ctl->out);
	text_print(ctl, head, -12);
	text_print(ctl, text, 0);
	fputc('\n', ctl->out);
}

/* A time as it is and as people say it. */
static void print_time(const struct ctl *ctl, const char *head, const json_t *zone,
                       const char *name)
{
	const char *at = member_text(zone, name);
	char relative[CTL_TIME_MAX], text[160];

	if (at[0] == '\0') {
		return;
	}
	snprintf(text, sizeof(text), "%.40s (%s)", at,
	         time_relative(at, env_wall_s(ctl->env), relative));
	print_field(ctl, head, text);
}

static void print_serial(const struct ctl *ctl, const json_t *zone)
{
	uint64_t serial = member_count(zone, "serial");
	uint64_t source = member_count(zone, "source_serial");
	char text[160];

	snprintf(text, sizeof(text), "%" PRIu64, serial);
	print_field(ctl, "serial", text);
	if (serial != source) {
		snprintf(text, sizeof(text), "%" PRIu64, source);
		print_field(ctl, "primary\'s", text);
	}
}

static void print_versions(const struct ctl *ctl, const json_t *zone)
{
	const json_t *held = json_object_get(zone, "held");
	char text[160];

	if (json_is_true(json_object_get(zone, "pinned"))) {
		print_field(ctl, "pinned", "yes");
	}
	if (json_is_object(held)) {
		snprintf(text, sizeof(text), "serial %" PRIu64 ": %.100s",
		         member_count(held, "serial"), hold_text(member_text(held, "why")));
		print_field(ctl, "held", text);
		print_time(ctl, "", held, "received_at");
	}
	snprintf(text, sizeof(text), "%" PRIu64, member_count(zone, "versions"));
	print_field(ctl, "versions", text);
}

static void print_zone(const struct ctl *ctl, const json_t *zone)
{
	const char *state = member_text(zone, "state");
	const json_t *error = json_object_get(zone, "last_error");
	char text[512], bytes[CTL_TIME_MAX];

	text_print(ctl, member_text(zone, "name"), 0);
	fputs("  ", ctl->out);
	colour_begin(ctl, state_colour(state));
	text_print(ctl, state, 0);
	colour_end(ctl, state_colour(state));
	fputc('\n', ctl->out);
	if (json_is_integer(json_object_get(zone, "serial"))) {
		print_serial(ctl, zone);
		print_field(ctl, "root", member_text(zone, "root"));
		snprintf(text, sizeof(text), "%" PRIu64 " (%s)", member_count(zone, "records"),
		         number_short(member_count(zone, "bytes"), bytes));
		print_field(ctl, "records", text);
		snprintf(text, sizeof(text), "%.64s by %.8s", text_or_dash(zone, "primary"),
		         text_or_dash(zone, "received_by"));
		print_field(ctl, "from", text);
	}
	print_time(ctl, "received", zone, "received_at");
	print_time(ctl, "confirmed", zone, "refreshed_at");
	print_time(ctl, "refresh", zone, "refresh_at");
	print_time(ctl, "expires", zone, "expire_at");
	print_time(ctl, "failing", zone, "failing_since");
	print_versions(ctl, zone);
	if (json_is_string(json_object_get(zone, "differs"))) {
		snprintf(text, sizeof(text), "%.60s has this serial with other content",
		         member_text(zone, "differs"));
		print_field(ctl, "differs", text);
	}
	if (json_is_object(error)) {
		snprintf(text, sizeof(text), "%.300s (%.40s, %.60s)", member_text(error, "text"),
		         member_text(error, "code"), text_or_dash(error, "primary"));
		print_field(ctl, "last error", text);
		print_time(ctl, "", error, "at");
	}
}

enum ctl_exit ctl_zone_status(const struct ctl *ctl, const char *name)
{
	char target[CTL_TARGET_MAX];
	enum ctl_exit result = CTL_NO;
	json_t *zone;

	if (!zone_target(ctl, name, "", target)) {
		return CTL_NO;
	}
	zone = ctl_get(ctl, "GET", target, name, &result);
	if (zone == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, zone);
	} else {
		print_zone(ctl, zone);
	}
	json_decref(zone);
	return CTL_YES;
}

enum ctl_exit ctl_zone_act(const struct ctl *ctl, const char *name, const char *action)
{
	char target[CTL_TARGET_MAX], path[32];
	enum ctl_exit result = CTL_NO;
	json_t *done;

	snprintf(path, sizeof(path), "/%s", action);
	if (!zone_target(ctl, name, path, target)) {
		return CTL_NO;
	}
	done = ctl_get(ctl, "POST", target, name, &result);
	if (done == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, done);
	} else {
		fprintf(ctl->out, "%s: %s begun\n", member_text(done, "zone"), action);
	}
	json_decref(done);
	return CTL_YES;
}
