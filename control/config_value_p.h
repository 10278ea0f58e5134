/* SPDX-License-Identifier: MIT
 *
 * control/config_value_p.h — nodes of a configuration, and the values read out of them.
 *
 * A reader notes an error (config_error.c) and returns false where a node does not hold such a
 * value; whoever called it goes on with the next setting. */
#pragma once

#include "control/config.h"

#define CONFIG_SETTINGS_MAX 16 /* in one map */
#define CONFIG_QUOTE_MAX    80 /* of a value, as errors show it */

struct config_load;

enum node_kind {
	NODE_NULL, /* nothing, "~" or "null" */
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
	NODE_SKIPPED, /* the list of zones, read later */
};

struct node {
	enum node_kind kind;
	uint32_t line; /* from 1 */
	uint32_t len;  /* of text */
	char *text;    /* NODE_TEXT and keys; followed by a NUL */
	struct node *first;
	struct node *next;
	struct node *value; /* of a key of a map */
};

/* Writes octets from a file between quotes, cut and with control characters made harmless. */
const char *quote(const char *text, size_t len, char out[static CONFIG_QUOTE_MAX]);

/* The near miss, if there is one: keeps the closest candidate seen. */
struct suggestion {
	const char *for_text;
	char best[64]; /* "": nothing is near */
	size_t distance;
};

void suggestion_try(struct suggestion *s, const char *candidate);
/* " (did you mean x?)" or "". */
const char *suggestion_print(const struct suggestion *s, char out[static CONFIG_QUOTE_MAX]);

/* config_value.c: each notes an error and returns false where the node does not hold such a value.
 */

struct setting {
	const char *name;
	/* NULL: the name is known, and the value read elsewhere. */
	void (*read_fn)(struct config_load *l, const struct node *value, void *to);
};

/* Reads a map by its table of settings; unknown and repeated settings are errors. */
bool value_map(struct config_load *l, const struct node *map, const struct setting *settings,
               size_t count, void *to);
bool value_list(struct config_load *l, const struct node *list, size_t *count);
bool value_text(struct config_load *l, const struct node *n, const char *wanted);
bool value_number(struct config_load *l, const struct node *n, uint64_t range[2], uint64_t *out);
bool value_size(struct config_load *l, const struct node *n, uint64_t range[2], uint64_t *out);
bool value_time(struct config_load *l, const struct node *n, uint64_t range[2], uint32_t *out);
bool value_word(struct config_load *l, const struct node *n, char *out, size_t cap);
bool value_address(struct config_load *l, const struct node *n, uint16_t port, struct addr *out);
bool value_path(struct config_load *l, const struct node *n, char *out, size_t cap);
bool value_choice(struct config_load *l, const struct node *n, const char *const *names,
                  unsigned *out);
/* A domain name; `what` it names: "key", "zone". */
bool value_name(struct config_load *l, uint32_t line, struct bytes text, struct name_buf *out);

/* Takes an array that lives as long as the arena; notes an error and returns NULL beyond its
 * budget. */
void *list_new(struct config_load *l, struct arena *arena, uint32_t line, size_t count,
               size_t size);

/* The value of `name` in a map, or NULL. */
const struct node *yaml_node_find(const struct node *map, const char *name);

/* `path` as it is meant in the configuration file: relative to the file's folder. False if it is
 * too long. */
bool path_resolve(const struct config_load *l, const char *path, char *out, size_t cap);
