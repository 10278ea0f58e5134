/* SPDX-License-Identifier: MIT
 *
 * control/config.c — reads a configuration from its first byte to the last zone. */
#include "control/config.h"

#include <stdlib.h>

#include "base/digest.h"
#include "control/config_p.h"

typedef void (*section_reader)(struct config_load *l, const struct node *section);

/* The sections, in the order in which they are read: each may name what stands before it here,
 * wherever it stands in the file. */
static const struct setting sections[] = {
	{ "server", NULL }, { "database", NULL },  { "control", NULL },   { "log", NULL },
	{ "keys", NULL },   { "primaries", NULL }, { "templates", NULL }, { "zones", NULL },
};

static const section_reader readers[] = {
	read_server, read_database,  read_control,   read_log,
	read_keys,   read_primaries, read_templates, NULL, /* zones: load_zones() */
};

static_assert(ARRAY_LEN(sections) == ARRAY_LEN(readers), "a reader for each section");

/* What holds if the file does not say otherwise: every address, port 53. */
static void config_init(struct config_load *l)
{
	static const struct addr any[] = { { .family = 4, .port = CONFIG_DNS_PORT },
		                           { .family = 6, .port = CONFIG_DNS_PORT } };
	struct config *c = l->c;

	arena_init(&c->arena, CONFIG_TREE_BYTES);
	c->zone_seed = env_random_u64(l->host->env);
	c->listen = any;
	c->listen_count = ARRAY_LEN(any);
	c->notify_rate = CONFIG_NOTIFY_RATE;
	c->notify_in_rate = CONFIG_NOTIFY_IN_RATE;
	c->notify_refused_rate = CONFIG_NOTIFY_REFUSED_RATE;
	c->log_level = LEVEL_INFO;
	c->log_format = EVENT_FORMAT_TEXT;
	snprintf(c->database_path, sizeof(c->database_path), "/var/lib/axfarm");
	snprintf(c->socket_path, sizeof(c->socket_path), "/run/axfarm/axfarm.sock");
}

/* Reads an entry, and those like it that follow. */
static void load_zone_entry(struct config_load *l, const struct node *entry)
{
	const struct plain_run *run;
	size_t before = l->c->zone_count;

	read_zone_entry(l, entry);
	if (l->c->zone_count == before + 1 && plain_next(&l->plain, entry->line, &run)) {
		read_zone_run(l, run);
	}
}

static void load_zones(struct config_load *l, const struct node *zones, struct bytes text)
{
	if (zones == NULL || zones->kind == NODE_NULL) {
		return;
	}
	if (zones->kind != NODE_SKIPPED) {
		size_t mark = setting_enter(l, "zones");
		load_error(l, zones->line, "a list is expected: [ ... ]");
		setting_leave(l, mark);
		return;
	}
	yaml_each_zone(l, text, load_zone_entry);
}

static void load_text(struct config_load *l, struct bytes text)
{
	const struct node *root = yaml_read(l, text);

	if (root == NULL) {
		return;
	}
	value_map(l, root, sections, ARRAY_LEN(sections), NULL);
	for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
		const struct node *section = yaml_node_find(root, sections[i].name);
		size_t mark;

		if (section == NULL || readers[i] == NULL) {
			continue;
		}
		mark = setting_enter(l, sections[i].name);
		readers[i](l, section);
		setting_leave(l, mark);
	}
	load_zones(l, yaml_node_find(root, "zones"), text);
}

static void load_fini(struct config_load *l)
{
	zones_finish(l);
	arena_wipe(&l->tree); /* secrets stood there */
	arena_fini(&l->tree);
	arena_fini(&l->entry);
	name_table_fini(&l->key_names);
	name_table_fini(&l->primary_names);
	name_table_fini(&l->template_names);
	name_table_fini(&l->settings_table);
	free(l->templates);
	plain_fini(&l->plain);
}

static void load_file(struct config_load *l, const char *path)
{
	struct config_file f;
	const char *why = "";

	if (l->host->read_fn(l->host->self, path, &f, &why) != ERR_OK) {
		load_error(l, 0, "cannot be read: %s", why);
		return;
	}
	if (l->plain_allowed && plain_find(&l->plain, bytes_of(f.text, f.len))) {
		load_text(l, bytes_of(l->plain.reduced, l->plain.reduced_len));
	} else {
		load_text(l, bytes_of(f.text, f.len));
	}
	if (f.world_readable && l->has_secrets) {
		load_warning(l, "everyone may read this file, and it holds secrets; chmod o-r it");
	}
	secret_wipe(f.text, f.len);
	free(f.text);
}

enum err config_load_once(const struct config_host *host, const char *path, bool plain_allowed,
                          struct config *c, struct config_errors *errors)
{
	struct config_load *l = mem_zero(1, sizeof(*l));
	bool plain;
	enum err e;

	*errors = (struct config_errors){ 0 };
	*l = (struct config_load){
		.host = host, .c = c, .errors = errors, .file = path, .plain_allowed = plain_allowed
	};
	arena_init(&l->tree, CONFIG_TREE_BYTES);
	arena_init(&l->entry, CONFIG_TREE_BYTES);
	config_init(l);
	if (strlen(path) > CONFIG_PATH_MAX_LEN) {
		load_error(l, 0, "the path is longer than %d octets", CONFIG_PATH_MAX_LEN);
	} else {
		memcpy(c->path, path, strlen(path) + 1);
		load_file(l, path);
	}
	plain = l->plain.run_count > 0;
	e = load_failed(l) ? ERR_CONFIG : ERR_OK;
	if (plain && (e != ERR_OK || !plain_all_read(&l->plain))) {
		e = ERR_BUSY;
	}
	load_fini(l);
	free(l);
	return e;
}

enum err config_load_from(const struct config_host *host, const char *path, struct config *out,
                          struct config_errors *errors)
{
	struct config *c = mem_zero(1, sizeof(*c));
	enum err e = config_load_once(host, path, true, c, errors);

	if (e == ERR_BUSY) {
		config_fini(c);
		e = config_load_once(host, path, false, c, errors);
	}
	if (e == ERR_OK) {
		*out = *c;
	} else {
		config_fini(c);
	}
	free(c);
	return e;
}

enum err config_load(const char *path, struct config *out, struct config_errors *errors)
{
	struct config_host host = { .env = env_system(), .read_fn = config_file_read };

	return config_load_from(&host, path, out, errors);
}

void config_forget_zones(struct config *c)
{
	free(c->zones);
	free(c->zone_names);
	free(c->zone_index);
	c->zones = NULL;
	c->zone_count = 0;
	c->zone_names = NULL;
	c->zone_names_len = 0;
	c->zone_index = NULL;
	c->zone_index_cap = 0;
}

void config_fini(struct config *c)
{
	if (c->key_count > 0) {
		secret_wipe(c->keys, c->key_count * sizeof(*c->keys));
	}
	free(c->keys);
	free(c->primaries);
	free(c->settings);
	config_forget_zones(c);
	arena_fini(&c->arena);
	*c = (struct config){ 0 };
}
