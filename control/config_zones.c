/* SPDX-License-Identifier: MIT
 *
 * control/config_zones.c — the section `zones`, its files, and the table of zones. */
#include <stdlib.h>

#include "control/config_p.h"

/* The settings stand first, so that readers of settings read into an entry. */
struct zone_entry {
	struct config_settings settings;
	const struct node *name;
	const struct node *file;
	uint32_t index; /* of the settings in the configuration */
};

struct name config_zone_name(const struct config *c, size_t zone)
{
	struct name n = { 0 };
	size_t at;
	enum err e;

	assert(zone < c->zone_count);
	at = c->zones[zone].name_at;
	e = name_view(bytes_of(c->zone_names + at, c->zone_names_len - at), &n);
	assert(e == ERR_OK);
	(void)e;
	return n;
}

static uint32_t zone_hash(const struct config *c, struct name apex)
{
	return (uint32_t)name_hash(c->zone_seed, apex);
}

/* The place in the index where the apex is, or would be. */
static size_t zone_slot(const struct config *c, struct name apex, uint32_t hash)
{
	size_t mask = c->zone_index_cap - 1;
	size_t at = hash & mask;

	for (; c->zone_index[at].zone != 0; at = (at + 1) & mask) {
		if (c->zone_index[at].hash == hash &&
		    name_equal(config_zone_name(c, c->zone_index[at].zone - 1), apex)) {
			break;
		}
	}
	return at;
}

bool config_zone_find(const struct config *c, struct name apex, size_t *zone)
{
	size_t at;

	if (c->zone_index_cap == 0) {
		return false;
	}
	at = zone_slot(c, apex, zone_hash(c, apex));
	if (c->zone_index[at].zone == 0) {
		return false;
	}
	*zone = c->zone_index[at].zone - 1;
	return true;
}

/* Keeps at least a third of the index empty. */
static void zone_index_grow(struct config *c)
{
	struct config_slot *old = c->zone_index;
	size_t old_cap = c->zone_index_cap;

	if (c->zone_count * 3 < old_cap * 2) {
		return;
	}
	c->zone_index_cap = old_cap == 0 ? 64 : old_cap * 2;
	c->zone_index = mem_zero(c->zone_index_cap, sizeof(*c->zone_index));
	for (size_t i = 0; i < old_cap; i++) {
		size_t at = old[i].hash & (c->zone_index_cap - 1);

		while (old[i].zone != 0 && c->zone_index[at].zone != 0) {
			at = (at + 1) & (c->zone_index_cap - 1);
		}
		if (old[i].zone != 0) {
			c->zone_index[at] = old[i];
		}
	}
	free(old);
}

static void zone_room(struct config_load *l, size_t name_len)
{
	struct config *c = l->c;

	if (c->zone_count == l->zones_cap) {
		l->zones_cap = l->zones_cap == 0 ? 64 : l->zones_cap * 2;
		c->zones = mem_grow(c->zones, l->zones_cap * sizeof(*c->zones));
		l->zone_origins =
			mem_grow(l->zone_origins, l->zones_cap * sizeof(*l->zone_origins));
	}
	if (c->zone_names_len + name_len > l->zone_names_cap) {
		l->zone_names_cap = (l->zone_names_cap + name_len) * 2;
		c->zone_names = mem_grow(c->zone_names, l->zone_names_cap);
	}
}

/* Adds a zone; `origin` says where it stands. */
static void zone_add(struct config_load *l, struct name apex, uint32_t settings,
                     struct zone_origin origin)
{
	struct config *c = l->c;
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text));
	uint32_t hash = zone_hash(c, apex);
	size_t at;

	if (c->zone_count == CONFIG_ZONES_MAX || c->zone_names_len > UINT32_MAX - NAME_MAX_LEN) {
		if (!l->errors->more) {
			load_error(l, origin.line, "more than %u zones", CONFIG_ZONES_MAX);
			l->errors->more = true;
		}
		return;
	}
	zone_index_grow(c);
	at = zone_slot(c, apex, hash);
	if (c->zone_index[at].zone != 0) {
		struct zone_origin first = l->zone_origins[c->zone_index[at].zone - 1];

		if (!name_print(apex, &w)) {
			w.len = 0;
		}
		load_error(l, origin.line, "zone %.*s is listed twice, first at %.200s:%u",
		           (int)w.len, text, l->zone_files[first.file], (unsigned)first.line);
		return;
	}
	zone_room(l, apex.len);
	memcpy(c->zone_names + c->zone_names_len, apex.at, apex.len);
	c->zones[c->zone_count] = (struct config_zone){ (uint32_t)c->zone_names_len, settings };
	l->zone_origins[c->zone_count] = origin;
	c->zone_names_len += apex.len;
	c->zone_index[at] = (struct config_slot){ (uint32_t)++c->zone_count, hash };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The name on a line, without white space and comment. Empty if there is none. */
static struct bytes line_name(const char *from, const char *end)
{
	const char *hash = memchr(from, '#', (size_t)(end - from));

	end = hash != NULL ? hash : end;
	while (from < end && is_blank(*from)) {
		from++;
	}
	while (end > from && is_blank(end[-1])) {
		end--;
	}
	return bytes_of(from, (size_t)(end - from));
}

/* Reads one name a line, without copies. */
static void zone_lines(struct config_load *l, const struct config_file *f, uint32_t settings)
{
	static const char byte_order_mark[] = "\xef\xbb\xbf";
	struct zone_origin origin = { .line = 1, .file = (uint32_t)l->zone_file_count - 1 };
	const char *at = f->text;
	const char *end = f->text + f->len;
	struct name_buf name;

	if (f->len >= 3 && memcmp(at, byte_order_mark, 3) == 0) {
		at += 3;
	}
	for (; at < end && !l->errors->more; origin.line++) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		struct bytes text;

		stop = stop == NULL ? end : stop;
		text = line_name(at, stop);
		if (text.len > 0 && value_name(l, origin.line, text, &name)) {
			zone_add(l, name_of(&name), settings, origin);
		}
		at = stop == end ? end : stop + 1;
	}
}

/* Remembers a file's name for what is said about its lines; returns the copy. */
static const char *zone_file_add(struct config_load *l, const char *path)
{
	l->zone_files = mem_grow(l->zone_files, (l->zone_file_count + 1) * sizeof(char *));
	l->zone_files[l->zone_file_count] = mem_new(strlen(path) + 1);
	memcpy(l->zone_files[l->zone_file_count], path, strlen(path) + 1);
	return l->zone_files[l->zone_file_count++];
}

static void zone_file_read(struct config_load *l, const struct zone_entry *e)
{
	char path[CONFIG_PATH_MAX_LEN + 1];
	const char *why = "";
	const char *file = l->file;
	struct config_file f;

	if (!value_path(l, e->file, path, sizeof(path))) {
		return;
	}
	if (l->zone_file_count > CONFIG_ZONE_FILES_MAX) {
		load_error(l, e->file->line, "more than %d files of zones", CONFIG_ZONE_FILES_MAX);
		return;
	}
	if (l->host->read_fn(l->host->self, path, &f, &why) != ERR_OK) {
		load_error(l, e->file->line, "cannot read %.200s: %s", path, why);
		return;
	}
	l->file = zone_file_add(l, path);
	zone_lines(l, &f, e->index);
	l->file = file;
	free(f.text);
}

static void read_name(struct config_load *l, const struct node *n, void *to)
{
	if (value_text(l, n, "the zone's name, such as example.com")) {
		((struct zone_entry *)to)->name = n;
	}
}

static void read_file(struct config_load *l, const struct node *n, void *to)
{
	if (value_text(l, n, "the path of a file with one zone name a line")) {
		((struct zone_entry *)to)->file = n;
	}
}

static const struct setting zone_settings[] = {
	{ "name", read_name },
	{ "file", read_file },
	{ "template", NULL }, /* looked up before all else: the others change what it says */
	{ "primaries", read_zone_primaries },
	{ "allow-notify", read_allow_notify },
	{ "allow-transfer", read_allow_transfer },
	{ "notify", read_notify },
	{ "limits", read_limits },
	{ "history", read_history },
	{ "guard", read_guard },
	{ "on-lower-serial", read_on_lower_serial },
	{ "primary-policy", read_primary_policy },
	{ "compare-primaries", read_compare_primaries },
};

/* Finds the template that the entry names; *out NULL if it names none. */
static bool entry_template(struct config_load *l, const struct node *n, struct zone_template **out)
{
	const struct node *name = n->kind == NODE_MAP ? yaml_node_find(n, "template") : NULL;
	size_t mark;

	*out = NULL;
	if (name == NULL) {
		return true;
	}
	mark = setting_enter(l, "template");
	*out = template_ref(l, name);
	setting_leave(l, mark);
	return *out != NULL;
}

/* True if the entry has nothing of its own but what it is called. */
static bool entry_is_plain(const struct node *n)
{
	for (const struct node *key = n->first; key != NULL; key = key->next) {
		if (strcmp(key->text, "name") != 0 && strcmp(key->text, "file") != 0 &&
		    strcmp(key->text, "template") != 0) {
			return false;
		}
	}
	return true;
}

/* Finds or makes the settings of the entry. */
static bool entry_settings(struct config_load *l, const struct node *n, struct zone_template *t,
                           struct zone_entry *e)
{
	bool plain = t != NULL && entry_is_plain(n);

	if (plain && t->index != UINT32_MAX) {
		e->index = t->index;
		return true;
	}
	if (e->settings.primary_count == 0) {
		if (!l->templates_failed) {
			load_error(l, n->line, "%s has no primaries, and neither has %s",
			           e->name != NULL ? "the zone" : "the list of zones",
			           t != NULL ? "its template" : "it a template");
		}
		return false;
	}
	if (!settings_intern(l, n->line, &e->settings, &e->index)) {
		return false;
	}
	if (plain) {
		t->index = e->index;
	}
	return true;
}

void read_zone_entry(struct config_load *l, const struct node *n)
{
	size_t before = l->errors->error_count;
	struct zone_entry e = { 0 };
	struct zone_template *template;
	struct name_buf name;
	size_t mark = setting_enter(l, "zones");

	if (l->zone_file_count == 0) {
		zone_file_add(l, l->file);
	}
	settings_default(&e.settings);
	if (entry_template(l, n, &template)) {
		if (template != NULL) {
			e.settings = template->settings;
		}
		value_map(l, n, zone_settings, ARRAY_LEN(zone_settings), &e);
		if (l->errors->error_count == before && (e.name == NULL) == (e.file == NULL)) {
			load_error(l, n->line, "a zone needs a name, a list of zones a file: %s",
			           e.name == NULL ? "here is neither" : "here are both");
		}
	}
	if (l->errors->error_count == before && entry_settings(l, n, template, &e)) {
		setting_leave(l, mark);
		setting_enter(l, e.name != NULL ? "zones.name" : "zones.file");
		if (e.file != NULL) {
			zone_file_read(l, &e);
		} else if (value_name(l, e.name->line, bytes_of(e.name->text, e.name->len),
		                      &name)) {
			zone_add(l, name_of(&name), e.index,
			         (struct zone_origin){ .line = e.name->line });
		}
	}
	setting_leave(l, mark);
}

static void run_name(void *self, uint32_t line, struct bytes text)
{
	struct config_load *l = self;
	struct name_buf name;

	if (value_name(l, line, text, &name)) {
		zone_add(l, name_of(&name), l->c->zones[l->run_first].settings,
		         (struct zone_origin){ .line = line });
	}
}

void read_zone_run(struct config_load *l, const struct plain_run *run)
{
	l->run_first = l->c->zone_count - 1;
	plain_each(run, l, run_name);
}

void zones_finish(struct config_load *l)
{
	struct config *c = l->c;

	/* What grew by doubling stays for as long as the daemon runs. */
	if (c->zone_count > 0) {
		c->zones = mem_grow(c->zones, c->zone_count * sizeof(*c->zones));
		c->zone_names = mem_grow(c->zone_names, c->zone_names_len);
	}
	for (size_t i = 0; i < l->zone_file_count; i++) {
		free(l->zone_files[i]);
	}
	free(l->zone_files);
	free(l->zone_origins);
}
