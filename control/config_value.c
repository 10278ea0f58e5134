/* SPDX-License-Identifier: MIT
 *
 * control/config_value.c — the values that settings may have. */
#include "control/config_p.h"

static const struct {
	char unit;
	uint64_t octets;
} sizes[] = { { 'K', 1ULL << 10 }, { 'M', 1ULL << 20 }, { 'G', 1ULL << 30 }, { 'T', 1ULL << 40 } };

static const struct {
	char unit;
	uint64_t seconds;
} times[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };

const struct node *yaml_node_find(const struct node *map, const char *name)
{
	for (const struct node *key = map->first; key != NULL; key = key->next) {
		if (key->kind == NODE_TEXT && strcmp(key->text, name) == 0) {
			return key->value;
		}
	}
	return NULL;
}

void *list_new(struct config_load *l, struct arena *arena, uint32_t line, size_t count, size_t size)
{
	void *list = arena_take(arena, count * size);

	if (list == NULL) {
		load_error(l, line, "the configuration is too large");
		return NULL;
	}
	memset(list, 0, count * size);
	return list;
}

static void setting_unknown(struct config_load *l, const struct node *key,
                            const struct setting *settings, size_t count)
{
	struct suggestion near = { .for_text = key->text };
	char quoted[CONFIG_QUOTE_MAX], hint[CONFIG_QUOTE_MAX];
	char known[256];
	struct writer w = writer_of(known, sizeof(known) - 1);

	for (size_t i = 0; i < count; i++) {
		suggestion_try(&near, settings[i].name);
		if (!writer_str(&w, i > 0 ? ", " : "") || !writer_str(&w, settings[i].name)) {
			w.len = 0;
		}
	}
	known[w.len] = '\0';
	quote(key->text, key->len, quoted);
	if (near.best[0] != '\0') {
		load_error(l, key->line, "unknown setting %s%s", quoted,
		           suggestion_print(&near, hint));
	} else {
		load_error(l, key->line, "unknown setting %s; known are %s", quoted, known);
	}
}

/* Finds the setting that a key names, or complains. */
static const struct setting *setting_find(struct config_load *l, const struct node *key,
                                          const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(settings[i].name, key->text) == 0) {
			return &settings[i];
		}
	}
	setting_unknown(l, key, settings, count);
	return NULL;
}

bool value_map(struct config_load *l, const struct node *map, const struct setting *settings,
               size_t count, void *to)
{
	uint32_t lines[CONFIG_SETTINGS_MAX] = { 0 };

	assert(count <= CONFIG_SETTINGS_MAX);
	if (map->kind == NODE_NULL) {
		return true;
	}
	if (map->kind != NODE_MAP) {
		load_error(l, map->line, "a map of settings is expected, such as {%s: ...}",
		           settings[0].name);
		return false;
	}
	for (const struct node *key = map->first; key != NULL; key = key->next) {
		const struct setting *s;
		size_t mark;

		if (key->kind == NODE_NULL) {
			load_error(l, key->line, "a setting without a name");
			continue;
		}
		s = setting_find(l, key, settings, count);
		if (s == NULL) {
			continue;
		}
		mark = setting_enter(l, s->name);
		if (lines[s - settings] != 0) {
			load_error(l, key->line, "is given twice, first at line %u",
			           (unsigned)lines[s - settings]);
		} else if (s->read_fn != NULL) {
			s->read_fn(l, key->value, to);
		}
		if (lines[s - settings] == 0) {
			lines[s - settings] = key->line;
		}
		setting_leave(l, mark);
	}
	return true;
}

bool value_list(struct config_load *l, const struct node *list, size_t *count)
{
	*count = 0;
	if (list->kind == NODE_NULL) {
		return true;
	}
	if (list->kind != NODE_LIST) {
		load_error(l, list->line, "a list is expected: [ ... ]");
		return false;
	}
	for (const struct node *i = list->first; i != NULL; i = i->next) {
		++*count;
	}
	return true;
}

bool value_text(struct config_load *l, const struct node *n, const char *wanted)
{
	if (n->kind == NODE_NULL || (n->kind == NODE_TEXT && n->len == 0)) {
		load_error(l, n->line, "has no value; write %s", wanted);
		return false;
	}
	if (n->kind != NODE_TEXT) {
		load_error(l, n->line, "is a %s; write %s", n->kind == NODE_LIST ? "list" : "map",
		           wanted);
		return false;
	}
	if (memchr(n->text, '\0', n->len) != NULL) {
		load_error(l, n->line, "holds a NUL character; write %s", wanted);
		return false;
	}
	return true;
}

/* Reads the digits at the beginning; false without any. What overflows becomes UINT64_MAX. */
static bool digits_read(const char **at, uint64_t *out)
{
	const char *p = *at;
	uint64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');
		v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
	}
	if (p == *at) {
		return false;
	}
	*at = p;
	*out = v;
	return true;
}

static uint64_t multiply(uint64_t v, uint64_t by)
{
	return v > UINT64_MAX / by ? UINT64_MAX : v * by;
}

static bool range_check(struct config_load *l, const struct node *n, uint64_t value,
                        const uint64_t range[2], const char *wanted)
{
	char quoted[CONFIG_QUOTE_MAX];

	if (value < range[0] || value > range[1]) {
		load_error(l, n->line, "%s is too %s; write %s", quote(n->text, n->len, quoted),
		           value < range[0] ? "small" : "large", wanted);
		return false;
	}
	return true;
}

static bool value_bad(struct config_load *l, const struct node *n, const char *what,
                      const char *wanted)
{
	char quoted[CONFIG_QUOTE_MAX];

	load_error(l, n->line, "%s is not %s; write %s", quote(n->text, n->len, quoted), what,
	           wanted);
	return false;
}

bool value_number(struct config_load *l, const struct node *n, uint64_t range[2], uint64_t *out)
{
	char wanted[80];
	const char *at = n->text;
	uint64_t v;

	snprintf(wanted, sizeof(wanted), "a whole number from %llu to %llu",
	         (unsigned long long)range[0], (unsigned long long)range[1]);
	if (!value_text(l, n, wanted)) {
		return false;
	}
	if (!digits_read(&at, &v) || *at != '\0') {
		return value_bad(l, n, "a whole number", wanted);
	}
	if (!range_check(l, n, v, range, wanted)) {
		return false;
	}
	*out = v;
	return true;
}

static const char *size_print(uint64_t v, char out[static 24])
{
	size_t i = ARRAY_LEN(sizes);

	while (i > 0 && (v == 0 || v % sizes[i - 1].octets != 0)) {
		i--;
	}
	if (i == 0) {
		snprintf(out, 24, "%llu", (unsigned long long)v);
	} else {
		snprintf(out, 24, "%llu%c", (unsigned long long)(v / sizes[i - 1].octets),
		         sizes[i - 1].unit);
	}
	return out;
}

bool value_size(struct config_load *l, const struct node *n, uint64_t range[2], uint64_t *out)
{
	char wanted[120], lo[24], hi[24];
	const char *at = n->text;
	uint64_t v;

	snprintf(wanted, sizeof(wanted), "octets from %s to %s, such as 64M or 1G",
	         size_print(range[0], lo), size_print(range[1], hi));
	if (!value_text(l, n, wanted)) {
		return false;
	}
	if (!digits_read(&at, &v)) {
		return value_bad(l, n, "a size", wanted);
	}
	for (size_t i = 0; i < ARRAY_LEN(sizes) && at[0] != '\0' && at[1] == '\0'; i++) {
		if (at[0] == sizes[i].unit) {
			v = multiply(v, sizes[i].octets);
			at++;
		}
	}
	if (*at != '\0') {
		return value_bad(l, n, "a size", wanted);
	}
	if (!range_check(l, n, v, range, wanted)) {
		return false;
	}
	*out = v;
	return true;
}

static const char *time_print(uint64_t s, char out[static 24])
{
	size_t i = ARRAY_LEN(times) - 1; /* weeks are no one's idea of a limit */

	while (i > 1 && (s == 0 || s % times[i - 1].seconds != 0)) {
		i--;
	}
	snprintf(out, 24, "%llu%c", (unsigned long long)(s / times[i - 1].seconds),
	         times[i - 1].unit);
	return out;
}

bool value_time(struct config_load *l, const struct node *n, uint64_t range[2], uint32_t *out)
{
	char wanted[120], lo[24], hi[24];
	const char *at = n->text;
	uint64_t v;

	assert(range[1] <= UINT32_MAX);
	snprintf(wanted, sizeof(wanted), "a time from %s to %s, such as 30s, 5m, 2h or 1d",
	         time_print(range[0], lo), time_print(range[1], hi));
	if (!value_text(l, n, wanted)) {
		return false;
	}
	if (!digits_read(&at, &v)) {
		return value_bad(l, n, "a time", wanted);
	}
	for (size_t i = 0; i < ARRAY_LEN(times) && at[0] != '\0' && at[1] == '\0'; i++) {
		if (at[0] == times[i].unit) {
			v = multiply(v, times[i].seconds);
			at++;
		}
	}
	if (*at != '\0') {
		return value_bad(l, n, "a time", wanted);
	}
	if (!range_check(l, n, v, range, wanted)) {
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

bool value_word(struct config_load *l, const struct node *n, char *out, size_t cap)
{
	char wanted[80];
	char quoted[CONFIG_QUOTE_MAX];

	snprintf(wanted, sizeof(wanted), "1 to %zu letters, digits, '-', '_' or '.'", cap - 1);
	if (!value_text(l, n, wanted)) {
		return false;
	}
	for (size_t i = 0; i < n->len; i++) {
		char c = n->text[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		            (c >= '0' && c <= '9') || strchr("-_.", c) != NULL;

		if (!good || n->len >= cap) {
			load_error(l, n->line, "%s cannot be used here; write %s",
			           quote(n->text, n->len, quoted), wanted);
			return false;
		}
	}
	memcpy(out, n->text, n->len + 1U);
	return true;
}

bool value_address(struct config_load *l, const struct node *n, uint16_t port, struct addr *out)
{
	const char *wanted = port == 0 ? "192.0.2.1 or \"2001:db8::1\" (no port)"
	                               : "192.0.2.1, 192.0.2.1@5300 or \"2001:db8::1@5300\"";
	const char *at;
	char hint[160];

	if (n->kind == NODE_MAP) {
		load_error(l, n->line, "is a map; write %s (an IPv6 address needs its quotes)",
		           wanted);
		return false;
	}
	if (!value_text(l, n, wanted)) {
		return false;
	}
	at = strchr(n->text, '@');
	if (addr_parse(n->text, port, out) == ERR_OK && (at == NULL || port != 0)) {
		return true;
	}
	if (at != NULL && strcmp(at, "@0") == 0) {
		snprintf(hint, sizeof(hint), "%s (ports are 1 to 65535)", wanted);
		return value_bad(l, n, "an address", hint);
	}
	return value_bad(l, n, "an address", wanted);
}

bool path_resolve(const struct config_load *l, const char *path, char *out, size_t cap)
{
	const char *slash = strrchr(l->c->path, '/');
	size_t folder_len = slash == NULL || path[0] == '/' ? 0 : (size_t)(slash - l->c->path) + 1;
	size_t len = strlen(path);

	if (folder_len + len >= cap) {
		return false;
	}
	memcpy(out, l->c->path, folder_len);
	memcpy(out + folder_len, path, len + 1);
	return true;
}

bool value_path(struct config_load *l, const struct node *n, char *out, size_t cap)
{
	if (!value_text(l, n, "a path")) {
		return false;
	}
	if (!path_resolve(l, n->text, out, cap)) {
		load_error(l, n->line, "the path is longer than %zu octets", cap - 1);
		return false;
	}
	return true;
}

bool value_choice(struct config_load *l, const struct node *n, const char *const *names,
                  unsigned *out)
{
	char wanted[120] = "";
	char quoted[CONFIG_QUOTE_MAX];

	for (unsigned i = 0; names[i] != NULL; i++) {
		size_t len = strlen(wanted);
		const char *between = i == 0 ? "" : names[i + 1] == NULL ? " or " : ", ";

		snprintf(wanted + len, sizeof(wanted) - len, "%s%s", between, names[i]);
	}
	if (!value_text(l, n, wanted)) {
		return false;
	}
	for (unsigned i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], n->text) == 0) {
			*out = i;
			return true;
		}
	}
	load_error(l, n->line, "%s is not known; write %s", quote(n->text, n->len, quoted), wanted);
	return false;
}

/* What is wrong with a name, but for its labels; NULL if nothing is. */
static const char *name_complaint(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] >= 0x80) {
			return "has characters beyond ASCII; write its A-labels (xn--...)";
		}
		if (text.at[i] <= ' ' || text.at[i] == 0x7f) {
			return "is not a domain name: it holds a space";
		}
	}
	return NULL;
}

bool value_name(struct config_load *l, uint32_t line, struct bytes text, struct name_buf *out)
{
	const char *wrong = name_complaint(text);
	char quoted[CONFIG_QUOTE_MAX];

	/* "@" is the origin in a zone file and nothing here. */
	if (wrong == NULL && (text.len == 0 || (text.len == 1 && text.at[0] == '@') ||
	                      name_parse(text, NULL, out) != ERR_OK)) {
		wrong = "is not a domain name: labels have 1 to 63 octets, names at most 255";
	}
	if (wrong != NULL) {
		load_error(l, line, "%s %s", quote((const char *)text.at, text.len, quoted), wrong);
		return false;
	}
	return true;
}
