/* SPDX-License-Identifier: MIT
 *
 * control/ctl_status.c — the commands about the daemon: status, reload, stop. */
#include <inttypes.h>

#include "control/ctl_p.h"

static void line(const struct ctl *ctl, const char *head, const char *text)
{
	text_print(ctl, head, -12);
	fprintf(ctl->out, "%s\n", text);
}

static void print_zones(const struct ctl *ctl, const json_t *status)
{
	static const struct {
		const char *name;
		enum ctl_colour colour;
	} states[] = {
		{ "ok", COLOUR_GOOD },     { "refreshing", COLOUR_BUSY }, { "new", COLOUR_BUSY },
		{ "failing", COLOUR_BAD }, { "expired", COLOUR_BAD },
	};
	const json_t *by_state = json_object_get(status, "zones_by_state");

	text_print(ctl, "zones", -12);
	fprintf(ctl->out, "%" PRIu64, member_count(status, "zones"));
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		uint64_t count = member_count(by_state, states[i].name);
		enum ctl_colour colour = count > 0 ? states[i].colour : COLOUR_DIM;

		fputs(i == 0 ? ": " : ", ", ctl->out);
		colour_begin(ctl, colour);
		fprintf(ctl->out, "%" PRIu64 " %s", count, states[i].name);
		colour_end(ctl, colour);
	}
	if (member_count(status, "zones_held") > 0 || member_count(status, "zones_pinned") > 0) {
		fprintf(ctl->out, "; %" PRIu64 " held, %" PRIu64 " pinned",
		        member_count(status, "zones_held"), member_count(status, "zones_pinned"));
	}
	if (member_count(status, "zones_differ") > 0) {
		fprintf(ctl->out, "; %" PRIu64 " whose primaries differ",
		        member_count(status, "zones_differ"));
	}
	fputs(json_is_true(json_object_get(status, "loading")) ? " (still loading)\n" : "\n",
	      ctl->out);
}

static void print_primaries(const struct ctl *ctl, const json_t *status)
{
	uint64_t down = member_count(status, "primaries_down");

	text_print(ctl, "primaries", -12);
	fprintf(ctl->out, "%" PRIu64 ": ", member_count(status, "primaries"));
	colour_begin(ctl, down > 0 ? COLOUR_BAD : COLOUR_DIM);
	fprintf(ctl->out, "%" PRIu64 " down", down);
	colour_end(ctl, down > 0 ? COLOUR_BAD : COLOUR_DIM);
	fputc('\n', ctl->out);
}

static void print_store(const struct ctl *ctl, const json_t *status)
{
	const json_t *error = json_object_get(status, "store_error");
	char disk[CTL_TIME_MAX], memory[CTL_TIME_MAX], text[256];

	snprintf(text, sizeof(text),
	         "%s on disk; %s in memory: %" PRIu64 " nodes, %" PRIu64 " record set bodies",
	         number_short(member_count(status, "store_bytes"), disk),
	         number_short(member_count(status, "memory_bytes"), memory),
	         member_count(status, "nodes"), member_count(status, "bodies"));
	line(ctl, "store", text);
	if (json_is_object(error)) {
		text_print(ctl, "", -12);
		colour_begin(ctl, COLOUR_BAD);
		fprintf(ctl->out, "not writing: %s", member_text(error, "text"));
		colour_end(ctl, COLOUR_BAD);
		fputc('\n', ctl->out);
	}
}

/* What is out of the ordinary about NOTIFY; mostly nothing. */
static void print_notify(const struct ctl *ctl, const json_t *s)
{
	char text[256];

	if (member_count(s, "notifies_limited") + member_count(s, "notifies_owed") +
	            member_count(s, "notifies_dropped") + member_count(s, "notify_silent") ==
	    0) {
		return;
	}
	snprintf(text, sizeof(text),
	         "%" PRIu64 " zones to be told of, %" PRIu64 " targets silent, %" PRIu64
	         " given up; %" PRIu64 " received beyond the limits",
	         member_count(s, "notifies_owed"), member_count(s, "notify_silent"),
	         member_count(s, "notifies_dropped"), member_count(s, "notifies_limited"));
	line(ctl, "notify", text);
}

enum ctl_exit ctl_status(const struct ctl *ctl)
{
	char since[CTL_TIME_MAX], bytes[CTL_TIME_MAX], text[256];
	enum ctl_exit result;
	json_t *s = ctl_get(ctl, "GET", "/v1/status", "", &result);

	if (s == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, s);
		json_decref(s);
		return CTL_YES;
	}
	snprintf(text, sizeof(text), "%.32s, started %s, %" PRIu64 " workers",
	         member_text(s, "version"),
	         time_relative(member_text(s, "started_at"), env_wall_s(ctl->env), since),
	         member_count(s, "workers"));
	line(ctl, "axfarmd", text);
	print_zones(ctl, s);
	print_primaries(ctl, s);
	print_store(ctl, s);
	snprintf(text, sizeof(text),
	         "%" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " running; %s received",
	         member_count(s, "transfers_done"), member_count(s, "transfers_failed"),
	         member_count(s, "transfers_running"),
	         number_short(member_count(s, "bytes_in"), bytes));
	line(ctl, "transfers", text);
	snprintf(text, sizeof(text),
	         "%" PRIu64 " SOA queries, %" PRIu64 " NOTIFY received, %" PRIu64 " sent",
	         member_count(s, "soa_queries"), member_count(s, "notifies_in"),
	         member_count(s, "notifies_out"));
	line(ctl, "refresh", text);
	print_notify(ctl, s);
	snprintf(text, sizeof(text),
	         "%" PRIu64 " queries, %" PRIu64 " transfers out (%" PRIu64 " IXFR, %" PRIu64
	         " AXFR); %s sent",
	         member_count(s, "queries"), member_count(s, "transfers_out"),
	         member_count(s, "transfers_out_ixfr"), member_count(s, "transfers_out_axfr"),
	         number_short(member_count(s, "bytes_out"), bytes));
	line(ctl, "answered", text);
	json_decref(s);
	return CTL_YES;
}

enum ctl_exit ctl_reload(const struct ctl *ctl)
{
	enum ctl_exit result;
	json_t *r = ctl_get(ctl, "POST", "/v1/reload", "not reloaded", &result);

	if (r == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, r);
	} else {
		fprintf(ctl->out,
		        "reloaded: %" PRIu64 " zones, %" PRIu64 " added, %" PRIu64
		        " removed, %" PRIu64 " changed\n",
		        member_count(r, "zones"), member_count(r, "added"),
		        member_count(r, "removed"), member_count(r, "changed"));
	}
	json_decref(r);
	return CTL_YES;
}

enum ctl_exit ctl_stop(const struct ctl *ctl)
{
	enum ctl_exit result;
	json_t *r = ctl_get(ctl, "POST", "/v1/stop", "", &result);

	if (r == NULL) {
		return result;
	}
	if (ctl->json) {
		json_print(ctl, r);
	} else {
		fputs("the daemon is stopping\n", ctl->out);
	}
	json_decref(r);
	return CTL_YES;
}
