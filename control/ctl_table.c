/* SPDX-License-Identifier: MIT
 *
 * control/ctl_table.c — tables, colours, and times as people say them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "control/ctl_p.h"

static const char *const colours[] = {
	[COLOUR_NONE] = "",          [COLOUR_GOOD] = "\033[32m", [COLOUR_BUSY] = "\033[36m",
	[COLOUR_BAD] = "\033[1;31m", [COLOUR_DIM] = "\033[2m",
};

void colour_begin(const struct ctl *ctl, enum ctl_colour colour)
{
	if (ctl->colour) {
		fputs(colours[colour], ctl->out);
	}
}

void colour_end(const struct ctl *ctl, enum ctl_colour colour)
{
	if (ctl->colour && colour != COLOUR_NONE) {
		fputs("\033[0m", ctl->out);
	}
}

void text_print(const struct ctl *ctl, const char *text, int width)
{
	size_t len = strlen(text);
	size_t want = (size_t)abs(width);

	for (size_t i = len; width > 0 && i < want; i++) {
		fputc(' ', ctl->out);
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		fputc(c < ' ' || c == 0x7f ? '?' : c, ctl->out);
	}
	for (size_t i = len; width < 0 && i < want; i++) {
		fputc(' ', ctl->out);
	}
}

static void widen(struct table *t, size_t column, const char *text)
{
	size_t len = strlen(text);

	if (len > t->widths[column]) {
		t->widths[column] = len;
	}
}

void table_add(struct table *t, const char *const cells[], enum ctl_colour colour)
{
	if (t->count == t->cap) {
		t->cap = t->cap == 0 ? 64 : t->cap * 2;
		t->rows = mem_grow(t->rows, t->cap * sizeof(*t->rows));
		t->colours = mem_grow(t->colours, t->cap * sizeof(*t->colours));
	}
	for (size_t i = 0; i < t->columns; i++) {
		size_t len = strlen(cells[i]) + 1;

		widen(t, i, cells[i]);
		t->rows[t->count][i] = mem_new(len);
		memcpy(t->rows[t->count][i], cells[i], len);
	}
	t->colours[t->count++] = colour;
}

static void row_print(const struct table *t, const struct ctl *ctl, const char *const *cells,
                      enum ctl_colour colour)
{
	for (size_t i = 0; i < t->columns; i++) {
		bool right = (t->right >> i & 1) != 0;
		bool last = i + 1 == t->columns;
		int width = last && !right ? 0 : (int)t->widths[i];
		enum ctl_colour of_cell = i == 1 ? colour : COLOUR_NONE;

		colour_begin(ctl, of_cell);
		text_print(ctl, cells[i], right ? width : -width);
		colour_end(ctl, of_cell);
		fputs(last ? "\n" : "  ", ctl->out);
	}
}

void table_flush(struct table *t, const struct ctl *ctl)
{
	if (!t->headed && t->count > 0) {
		for (size_t i = 0; i < t->columns; i++) {
			widen(t, i, t->heads[i]);
		}
		row_print(t, ctl, t->heads, COLOUR_NONE);
		t->headed = true;
	}
	for (size_t i = 0; i < t->count; i++) {
		row_print(t, ctl, (const char *const *)t->rows[i], t->colours[i]);
		for (size_t k = 0; k < t->columns; k++) {
			free(t->rows[i][k]);
		}
	}
	t->count = 0;
}

void table_fini(struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		for (size_t k = 0; k < t->columns; k++) {
			free(t->rows[i][k]);
		}
	}
	free(t->rows);
	free(t->colours);
	t->rows = NULL;
	t->colours = NULL;
}

const char *time_span(int64_t seconds, char out[static CTL_TIME_MAX])
{
	static const struct {
		int64_t from;
		int64_t unit;
		const char *name;
	} units[] = {
		{ 2 * 86400, 86400, "d" },
		{ 2 * 3600, 3600, "h" },
		{ 2 * 60, 60, "min" },
		{ 0, 1, "s" },
	};
	size_t i = 0;

	while (seconds < units[i].from && units[i].from > 0) {
		i++;
	}
	snprintf(out, CTL_TIME_MAX, "%lld %s", (long long)(seconds / units[i].unit), units[i].name);
	return out;
}

const char *time_relative(const char *rfc3339, int64_t now_s, char out[static CTL_TIME_MAX])
{
	char span[CTL_TIME_MAX];
	struct tm tm = { 0 };
	const char *end = strptime(rfc3339, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int64_t at_s;

	if (end == NULL || *end != '\0') {
		return "-";
	}
	at_s = timegm(&tm);
	if (at_s > now_s) {
		snprintf(out, CTL_TIME_MAX, "in %.40s", time_span(at_s - now_s, span));
	} else {
		snprintf(out, CTL_TIME_MAX, "%.40s ago", time_span(now_s - at_s, span));
	}
	return out;
}

const char *number_short(uint64_t bytes, char out[static CTL_TIME_MAX])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double v = (double)bytes;
	size_t i = 0;

	while (v >= 1024 && i + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		i++;
	}
	snprintf(out, CTL_TIME_MAX, i == 0 || v >= 100 ? "%.0f %s" : "%.1f %s", v, units[i]);
	return out;
}

const char *micros_short(uint64_t us, char out[static CTL_TIME_MAX])
{
	if (us < 1000) {
		snprintf(out, CTL_TIME_MAX, "%" PRIu64 " us", us);
	} else if (us < 1000000) {
		snprintf(out, CTL_TIME_MAX, "%.1f ms", (double)us / 1000);
	} else {
		snprintf(out, CTL_TIME_MAX, "%.1f s", (double)us / 1000000);
	}
	return out;
}
