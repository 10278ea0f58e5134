/* SPDX-License-Identifier: MIT
 *
 * control/config_error.c — sentences about what is wrong with a configuration. */
#include <stdarg.h>

#include "control/config_p.h"

/* A suggestion is worth making up to this many changed letters. */
#define SUGGESTION_DISTANCE_MAX 2
#define SUGGESTION_LEN_MAX      (sizeof(((struct suggestion *)NULL)->best) - 1)

static void message_make(char out[static CONFIG_MESSAGE_MAX], const char *prefix,
                         const char *format, va_list args)
{
	int len = snprintf(out, CONFIG_MESSAGE_MAX, "%s", prefix);

	if (len >= 0 && len < CONFIG_MESSAGE_MAX) {
		vsnprintf(out + len, CONFIG_MESSAGE_MAX - (size_t)len, format, args);
	}
}

void load_error(struct config_load *l, uint32_t line, const char *format, ...)
{
	struct config_errors *e = l->errors;
	char prefix[CONFIG_MESSAGE_MAX];
	char where[16] = "";
	va_list args;

	if (e->error_count == CONFIG_ERRORS_MAX) {
		e->more = true;
		return;
	}
	if (line > 0) {
		snprintf(where, sizeof(where), "%u:", (unsigned)line);
	}
	snprintf(prefix, sizeof(prefix), "%.200s:%s %s%s", l->file, where, l->setting,
	         l->setting[0] != '\0' ? ": " : "");
	va_start(args, format);
	message_make(e->errors[e->error_count++], prefix, format, args);
	va_end(args);
}

void load_warning(struct config_load *l, const char *format, ...)
{
	struct config_errors *e = l->errors;
	char prefix[CONFIG_MESSAGE_MAX];
	va_list args;

	if (e->warning_count == CONFIG_WARNINGS_MAX) {
		return;
	}
	snprintf(prefix, sizeof(prefix), "%.200s: ", l->file);
	va_start(args, format);
	message_make(e->warnings[e->warning_count++], prefix, format, args);
	va_end(args);
}

bool load_failed(const struct config_load *l)
{
	return l->errors->error_count > 0;
}

size_t setting_enter(struct config_load *l, const char *name)
{
	size_t mark = strlen(l->setting);

	snprintf(l->setting + mark, sizeof(l->setting) - mark, "%s%s", mark > 0 ? "." : "", name);
	return mark;
}

void setting_leave(struct config_load *l, size_t mark)
{
	assert(mark < sizeof(l->setting));
	l->setting[mark] = '\0';
}

const char *quote(const char *text, size_t len, char out[static CONFIG_QUOTE_MAX])
{
	struct writer w = writer_of(out, CONFIG_QUOTE_MAX - 6); /* ..." and the NUL */
	bool whole = writer_str(&w, "\"");

	for (size_t i = 0; i < len && whole; i++) {
		uint8_t c = (uint8_t)text[i];
		whole = writer_u8(&w, c < ' ' || c == 0x7f ? '?' : c);
	}
	snprintf(out + w.len, CONFIG_QUOTE_MAX - w.len, whole ? "\"" : "...\"");
	return out;
}

/* The least number of letters to change, add, drop or swap with the next one. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][SUGGESTION_LEN_MAX + 1];

	assert(a_len <= SUGGESTION_LEN_MAX && b_len <= SUGGESTION_LEN_MAX);
	for (size_t j = 0; j <= b_len; j++) {
		rows[0][j] = j;
	}
	for (size_t i = 1; i <= a_len; i++) {
		const size_t *two_up = rows[(i + 1) % 3];
		const size_t *up = rows[(i - 1) % 3];
		size_t *row = rows[i % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);

			best = up[j] + 1 < best ? up[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    two_up[j - 2] + 1 < best) {
				best = two_up[j - 2] + 1;
			}
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

void suggestion_try(struct suggestion *s, const char *candidate)
{
	size_t text_len = strlen(s->for_text);
	size_t len = strlen(candidate);
	size_t distance;

	if (text_len > SUGGESTION_LEN_MAX || len > SUGGESTION_LEN_MAX) {
		return;
	}
	distance = edit_distance(s->for_text, text_len, candidate, len);
	if (distance <= SUGGESTION_DISTANCE_MAX && distance * 2 < len &&
	    (s->best[0] == '\0' || distance < s->distance)) {
		memcpy(s->best, candidate, len + 1);
		s->distance = distance;
	}
}

const char *suggestion_print(const struct suggestion *s, char out[static CONFIG_QUOTE_MAX])
{
	out[0] = '\0';
	if (s->best[0] != '\0') {
		snprintf(out, CONFIG_QUOTE_MAX, " (did you mean %.60s?)", s->best);
	}
	return out;
}

void config_errors_print(const struct config_errors *errors, FILE *to)
{
	for (size_t i = 0; i < errors->error_count; i++) {
		fprintf(to, "error: %s\n", errors->errors[i]);
	}
	if (errors->more) {
		fprintf(to, "error: more errors were found; these are the first %d\n",
		        CONFIG_ERRORS_MAX);
	}
	for (size_t i = 0; i < errors->warning_count; i++) {
		fprintf(to, "warning: %s\n", errors->warnings[i]);
	}
}
