/* SPDX-License-Identifier: MIT
 *
 * control/config_p.h — how a configuration is read.
 *
 * config_yaml.c makes a tree of nodes of the file, without the list of zones; config_*.c walk it by
 * tables, a reader for each setting; config_yaml.c then reads the zones entry by entry, so that a
 * long list is never in memory as a tree. An error is noted and reading goes on with the next
 * setting; load_failed() tells at the end.
 *
 * Ownership: nodes live in the arenas of struct config_load, which ends with config_load_from(). */
#pragma once

#include "control/config_plain_p.h"
#include "control/config_value_p.h"

#define CONFIG_DEPTH_MAX      8 /* of lists and maps in each other */
#define CONFIG_ANCHORS_MAX    256
#define CONFIG_TREE_BYTES     (2ULL << 30)
#define CONFIG_KEYS_MAX       65536
#define CONFIG_KEY_FILE_MAX   (1U << 20)
#define CONFIG_PRIMARIES_MAX  65536
#define CONFIG_TEMPLATES_MAX  65536
#define CONFIG_LISTEN_MAX     256
#define CONFIG_ADDRESSES_MAX  64 /* of one primary */
#define CONFIG_ZONE_FILES_MAX 4096
#define CONFIG_LIST_MAX       4096 /* entries of a setting that is a list */

#define CONFIG_DATABASE_LEAST_BYTES (1U << 20)
#define CONFIG_SIZE_MAX_BYTES       (1ULL << 50)

struct anchor {
	const char *name;
	struct node *node;
};

struct zone_template {
	char name[CONFIG_NAME_MAX_LEN + 1];
	struct config_settings settings; /* arrays in the tree's arena */
	uint32_t index;                  /* into config.settings; UINT32_MAX: not used yet */
};

/* Where a zone was listed, for the error about the second one. */
struct zone_origin {
	uint32_t line;
	uint32_t file; /* index into zone_files; 0 is the configuration itself */
};

/* Names -> index, for what is listed by name: chains in buckets. */
struct name_table {
	uint32_t *buckets;
	uint32_t *next;
	size_t cap; /* of next */
};

struct config_load {
	const struct config_host *host;
	struct config *c;
	struct config_errors *errors;
	const char *file;    /* the one being read, for messages */
	char setting[128];   /* the one being read: "templates.limits.idle-time" */
	struct arena tree;   /* nodes of all but the zones */
	struct arena entry;  /* nodes of one entry of the zones */
	struct arena *nodes; /* one of the two */
	struct anchor anchors[CONFIG_ANCHORS_MAX];
	size_t anchor_count;
	bool has_secrets; /* in the configuration itself */

	/* A section with errors: names that are missing in it are no news. */
	bool keys_failed;
	bool primaries_failed;
	bool templates_failed;

	struct name_table key_names;
	struct name_table primary_names;
	struct name_table template_names;
	struct zone_template *templates;
	size_t template_count;

	struct name_table settings_table;

	struct zone_origin *zone_origins;
	size_t zones_cap;
	size_t zone_names_cap;
	char **zone_files;
	size_t zone_file_count;

	bool plain_allowed; /* entries that are alike may be read without YAML */
	struct plain plain;
	size_t run_first; /* the zone of the run's first entry */
};

/* config.c: reads it into `c`. ERR_BUSY: with `plain_allowed`, and has to be read without. */
MUST_USE enum err config_load_once(const struct config_host *host, const char *path,
                                   bool plain_allowed, struct config *c,
                                   struct config_errors *errors);

/* config_error.c */

/* Notes an error at `line` of the current file, about the current setting. Never give it a secret. */
__attribute__((format(printf, 3, 4))) void load_error(struct config_load *l, uint32_t line,
                                                      const char *format, ...);
__attribute__((format(printf, 2, 3))) void load_warning(struct config_load *l, const char *format,
                                                        ...);
bool load_failed(const struct config_load *l);

/* Adds a part to the current setting; returns what setting_leave() wants to take it off again. */
size_t setting_enter(struct config_load *l, const char *name);
void setting_leave(struct config_load *l, size_t mark);

/* config_yaml.c */

/* Reads the document into l->tree. NULL after an error. */
struct node *yaml_read(struct config_load *l, struct bytes text);

/* Reads the text once more, for the entries of its list `zones`; stops at the first error of YAML
 * and once enough errors are noted. */
void yaml_each_zone(struct config_load *l, struct bytes text,
                    void (*entry_fn)(struct config_load *l, const struct node *entry));

/* config_table.c */

/* Chains hold index + 1; 0 ends them: for (i = first; i != 0; i = t->next[i - 1]) */
uint32_t name_table_first(const struct name_table *t, uint64_t hash);
void name_table_add(struct name_table *t, uint64_t hash, uint32_t index);
void name_table_add(struct name_table *t, uint64_t hash, uint32_t index);
void name_table_fini(struct name_table *t);

/* Sections, each in its file. */
void read_server(struct config_load *l, const struct node *section);
void read_database(struct config_load *l, const struct node *section);
void read_control(struct config_load *l, const struct node *section);
void read_log(struct config_load *l, const struct node *section);
void read_keys(struct config_load *l, const struct node *section);
void read_primaries(struct config_load *l, const struct node *section);
void read_templates(struct config_load *l, const struct node *section);
void read_zone_entry(struct config_load *l, const struct node *entry);

/* Adds the rest of a run of entries of which read_zone_entry() has just read the first. */
void read_zone_run(struct config_load *l, const struct plain_run *run);

/* config_settings.c: what templates and zones have in common; `to` is a struct config_settings. */
void settings_default(struct config_settings *out);
void read_zone_primaries(struct config_load *l, const struct node *n, void *to);
void read_allow_notify(struct config_load *l, const struct node *n, void *to);
void read_allow_transfer(struct config_load *l, const struct node *n, void *to);
void read_notify(struct config_load *l, const struct node *n, void *to);
void read_limits(struct config_load *l, const struct node *n, void *to);

/* config_guard.c: likewise. */
void read_history(struct config_load *l, const struct node *n, void *to);
void read_guard(struct config_load *l, const struct node *n, void *to);
void read_primary_policy(struct config_load *l, const struct node *n, void *to);
void read_compare_primaries(struct config_load *l, const struct node *n, void *to);
void read_on_lower_serial(struct config_load *l, const struct node *n, void *to);

/* config_table.c: the index of these settings, new or found. Copies the arrays when new. */
bool settings_intern(struct config_load *l, uint32_t line, const struct config_settings *s,
                     uint32_t *out);

/* config_primaries.c: the index of the primary that a setting names. */
bool primary_ref(struct config_load *l, const struct node *n, uint32_t *out);

/* config_templates.c: the template that a setting names, or NULL. */
struct zone_template *template_ref(struct config_load *l, const struct node *n);

/* config_zones.c: gives back what only loading needed. */
void zones_finish(struct config_load *l);

/* config_file.c: reads from the disk, for struct config_host. */
enum err config_file_read(void *self, const char *path, struct config_file *out, const char **why);

/* config_keys.c */

/* The index of the key that a setting names. */
bool key_ref(struct config_load *l, const struct node *n, uint32_t *out);
bool key_find(const struct config_load *l, struct name name, uint32_t *out);
bool key_algorithm(struct config_load *l, uint32_t line, struct bytes text,
                   enum tsig_algorithm *out);
bool key_secret(struct config_load *l, uint32_t line, struct bytes text, struct config_key *key);
/* Copies the key; truncated_mac 0: only full MACs. */
bool key_add(struct config_load *l, uint32_t line, struct config_key *key, uint64_t truncated_mac);

/* config_key_file.c: adds the keys in a file of dnssec-keygen or tsig-keygen. */
struct key_sink {
	struct config_load *l;
	uint64_t truncated_mac;
};
bool key_file_read(struct key_sink *sink, struct bytes text, const char *path);
