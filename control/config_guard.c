/* SPDX-License-Identifier: MIT
 *
 * control/config_guard.c — which versions of a zone are kept, which are not served, and whose they are. */
#include "control/config_p.h"

#define COMPARE_LEAST_S 1 /* between two comparisons of a zone */

/* ---- history ---- */

static void read_versions(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, CONFIG_VERSIONS_MAX };
	uint64_t versions;

	if (value_number(l, n, range, &versions)) {
		((struct config_history *)to)->versions = (uint32_t)versions;
	}
}

static void read_age(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, INT32_MAX };

	value_time(l, n, range, &((struct config_history *)to)->age_s);
}

/* "auto", or a size. */
static void read_bytes(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 1024, CONFIG_SIZE_MAX_BYTES };
	uint64_t *bytes = &((struct config_history *)to)->bytes;
	char quoted[CONFIG_QUOTE_MAX];

	if (n->kind != NODE_TEXT || (n->text[0] >= '0' && n->text[0] <= '9')) {
		value_size(l, n, range, bytes);
	} else if (strcmp(n->text, "auto") == 0) {
		*bytes = 0;
	} else {
		load_error(l, n->line, "%s is not a size; write auto, or octets such as 64M",
		           quote(n->text, n->len, quoted));
	}
}

void read_history(struct config_load *l, const struct node *n, void *to)
{
	static const struct setting settings[] = {
		{ "versions", read_versions },
		{ "age", read_age },
		{ "bytes", read_bytes },
	};

	value_map(l, n, settings, ARRAY_LEN(settings), &((struct config_settings *)to)->history);
}

/* ---- guard ---- */

static void read_act(struct config_load *l, const struct node *n, enum config_act *out)
{
	static const char *const names[] = { "refuse", "hold", "off", NULL };
	static const enum config_act acts[] = { CONFIG_REFUSE, CONFIG_HOLD, CONFIG_OFF };
	unsigned at;

	if (value_choice(l, n, names, &at)) {
		*out = acts[at];
	}
}

/* Where there is no "off". */
static void read_act_always(struct config_load *l, const struct node *n, enum config_act *out)
{
	static const char *const names[] = { "refuse", "hold", NULL };
	unsigned at;

	if (value_choice(l, n, names, &at)) {
		*out = at == 0 ? CONFIG_REFUSE : CONFIG_HOLD;
	}
}

static void read_no_ns(struct config_load *l, const struct node *n, void *to)
{
	read_act_always(l, n, &((struct config_guard *)to)->no_ns);
}

static void read_shrink(struct config_load *l, const struct node *n, void *to)
{
	read_act(l, n, &((struct config_guard *)to)->shrink);
}

static void read_zonemd(struct config_load *l, const struct node *n, void *to)
{
	read_act(l, n, &((struct config_guard *)to)->zonemd);
}

static void read_size(struct config_load *l, const struct node *n, void *to)
{
	read_act_always(l, n, &((struct config_guard *)to)->size);
}

static void read_count(struct config_load *l, const struct node *n, uint64_t range[2],
                       uint32_t *out)
{
	uint64_t v;

	if (value_number(l, n, range, &v)) {
		*out = (uint32_t)v;
	}
}

static void read_shrink_percent(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 1, 99 };

	read_count(l, n, range, &((struct config_guard *)to)->shrink_percent);
}

static void read_shrink_records(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, UINT32_MAX };

	read_count(l, n, range, &((struct config_guard *)to)->shrink_records);
}

static void read_max_records(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, UINT32_MAX };

	read_count(l, n, range, &((struct config_guard *)to)->max_records);
}

static void read_max_bytes(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, CONFIG_SIZE_MAX_BYTES };

	value_size(l, n, range, &((struct config_guard *)to)->max_bytes);
}

void read_guard(struct config_load *l, const struct node *n, void *to)
{
	static const struct setting settings[] = {
		{ "no-ns", read_no_ns },
		{ "shrink", read_shrink },
		{ "shrink-percent", read_shrink_percent },
		{ "shrink-records", read_shrink_records },
		{ "zonemd", read_zonemd },
		{ "size", read_size },
		{ "max-records", read_max_records },
		{ "max-bytes", read_max_bytes },
	};

	value_map(l, n, settings, ARRAY_LEN(settings), &((struct config_settings *)to)->guard);
}

/* ---- which primary ---- */

void read_primary_policy(struct config_load *l, const struct node *n, void *to)
{
	static const char *const names[] = { "ordered", "newest", NULL };
	unsigned at;

	if (value_choice(l, n, names, &at)) {
		((struct config_settings *)to)->newest = at == 1;
	}
}

void read_compare_primaries(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { COMPARE_LEAST_S, INT32_MAX };
	uint32_t *seconds = &((struct config_settings *)to)->compare_s;

	if (n->kind == NODE_TEXT && strcmp(n->text, "off") == 0) {
		*seconds = 0;
	} else {
		value_time(l, n, range, seconds);
	}
}

/* ---- on-lower-serial ---- */

void read_on_lower_serial(struct config_load *l, const struct node *n, void *to)
{
	static const char *const names[] = { "ignore", "follow", NULL };
	unsigned at;

	if (value_choice(l, n, names, &at)) {
		((struct config_settings *)to)->follow_lower = at == 1;
	}
}
