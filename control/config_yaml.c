/* SPDX-License-Identifier: MIT
 *
 * control/config_yaml.c — YAML events made into nodes (door to libyaml).
 *
 * An alias is the node it names, shared; it can only name a node that is complete, so there are no
 * cycles, and since every list and map is read by a table of fixed depth, aliases of aliases cost
 * nothing. Texts may be secrets: libyaml's copies are wiped. */
#include <yaml.h>

#include "base/digest.h"
#include "control/config_p.h"

struct source {
	struct config_load *l;
	struct bytes text;
	yaml_parser_t parser;
	yaml_event_t event; /* the current one */
	bool live;          /* `event` holds something */
	bool anchored;      /* an anchor was met since it was last cleared */
};

static void source_drop(struct source *s)
{
	if (!s->live) {
		return;
	}
	if (s->event.type == YAML_SCALAR_EVENT) {
		secret_wipe(s->event.data.scalar.value, s->event.data.scalar.length);
	}
	yaml_event_delete(&s->event);
	s->live = false;
}

static bool line_has_colons(struct bytes text, size_t line)
{
	const char *at = (const char *)text.at;
	const char *end = at + text.len;
	const char *stop;

	for (; line > 0 && at != NULL; line--) {
		at = memchr(at, '\n', (size_t)(end - at));
		at = at == NULL ? NULL : at + 1;
	}
	if (at == NULL) {
		return false;
	}
	stop = memchr(at, '\n', (size_t)(end - at));
	return memmem(at, (size_t)((stop == NULL ? end : stop) - at), "::", 2) != NULL;
}

static void source_complain(struct source *s)
{
	const yaml_parser_t *p = &s->parser;
	bool address = line_has_colons(s->text, p->problem_mark.line);

	load_error(s->l, (uint32_t)p->problem_mark.line + 1, "this is not YAML: %s%s%s%s",
	           p->problem != NULL ? p->problem : "unreadable", p->context != NULL ? " " : "",
	           p->context != NULL ? p->context : "",
	           address ? " (an IPv6 address needs quotes: \"::1@53\")" : "");
}

/* Moves to the next event; false after an error, which is noted. */
static bool source_next(struct source *s)
{
	source_drop(s);
	if (yaml_parser_parse(&s->parser, &s->event) == 0) {
		source_complain(s);
		return false;
	}
	s->live = true;
	return true;
}

static bool source_init(struct source *s, struct config_load *l, struct bytes text)
{
	*s = (struct source){ .l = l, .text = text };
	if (yaml_parser_initialize(&s->parser) == 0) {
		load_error(l, 0, "no memory to read it");
		return false;
	}
	yaml_parser_set_encoding(&s->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&s->parser, text.at, text.len);
	return true;
}

static void source_fini(struct source *s)
{
	yaml_parser_t *p = &s->parser;

	source_drop(s);
	if (p->buffer.start != NULL) {
		secret_wipe(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
	}
	if (p->raw_buffer.start != NULL) {
		secret_wipe(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
	}
	yaml_parser_delete(p);
}

static uint32_t source_line(const struct source *s)
{
	return (uint32_t)s->event.start_mark.line + 1;
}

static struct node *node_new(struct source *s, enum node_kind kind)
{
	struct node *n = arena_take(s->l->nodes, sizeof(*n));

	if (n == NULL) {
		load_error(s->l, source_line(s), "the configuration is too large");
		return NULL;
	}
	*n = (struct node){ .kind = kind, .line = source_line(s) };
	return n;
}

static bool text_is_null(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;

	return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static struct node *node_of_scalar(struct source *s)
{
	size_t len = s->event.data.scalar.length;
	struct node *n;

	if (text_is_null(&s->event)) {
		return node_new(s, NODE_NULL);
	}
	n = node_new(s, NODE_TEXT);
	if (n == NULL) {
		return NULL;
	}
	n->text = arena_take(s->l->nodes, len + 1);
	if (n->text == NULL || len > UINT32_MAX) {
		load_error(s->l, n->line, "the configuration is too large");
		return NULL;
	}
	memcpy(n->text, s->event.data.scalar.value, len);
	n->text[len] = '\0';
	n->len = (uint32_t)len;
	return n;
}

static struct node *node_of_alias(struct source *s)
{
	const char *name = (const char *)s->event.data.alias.anchor;
	char quoted[CONFIG_QUOTE_MAX];

	for (size_t i = s->l->anchor_count; i > 0; i--) {
		if (strcmp(s->l->anchors[i - 1].name, name) == 0) {
			return s->l->anchors[i - 1].node;
		}
	}
	load_error(s->l, source_line(s), "no anchor %s stands before this alias",
	           quote(name, strlen(name), quoted));
	return NULL;
}

/* Remembers a complete node under the name of its anchor. */
static bool anchor_add(struct source *s, struct bytes name, struct node *n)
{
	struct config_load *l = s->l;
	uint8_t *copy;

	s->anchored = true;
	copy = arena_take(l->nodes, name.len + 1);
	if (l->anchor_count == CONFIG_ANCHORS_MAX || copy == NULL) {
		load_error(l, n->line, "more than %d anchors", CONFIG_ANCHORS_MAX);
		return false;
	}
	memcpy(copy, name.at, name.len);
	copy[name.len] = '\0';
	l->anchors[l->anchor_count++] = (struct anchor){ (const char *)copy, n };
	return true;
}

static struct node *node_build(struct source *s, unsigned depth);

/* Passes over the list that begins at the current event. */
static bool source_skip(struct source *s)
{
	size_t open = 1;

	while (open > 0) {
		if (!source_next(s)) {
			return false;
		}
		open += s->event.type == YAML_SEQUENCE_START_EVENT ||
		        s->event.type == YAML_MAPPING_START_EVENT;
		open -= s->event.type == YAML_SEQUENCE_END_EVENT ||
		        s->event.type == YAML_MAPPING_END_EVENT;
	}
	return true;
}

static bool node_is(const struct node *n, const char *text)
{
	return n->kind == NODE_TEXT && strcmp(n->text, text) == 0;
}

/* The value of a key; of the whole file (depth 0) the zones are left for later. */
static struct node *node_of_value(struct source *s, const struct node *key, unsigned depth)
{
	struct node *n;

	if (depth > 0 || !node_is(key, "zones") || s->event.type != YAML_SEQUENCE_START_EVENT) {
		return node_build(s, depth + 1);
	}
	n = node_new(s, NODE_SKIPPED);
	return n != NULL && source_skip(s) ? n : NULL;
}

static bool node_fill_map(struct source *s, struct node *map, unsigned depth)
{
	struct node **tail = &map->first;

	for (;;) {
		struct node *key;

		if (!source_next(s)) {
			return false;
		}
		if (s->event.type == YAML_MAPPING_END_EVENT) {
			return true;
		}
		if (s->event.type != YAML_SCALAR_EVENT) {
			load_error(s->l, source_line(s), "the name of a setting is expected here");
			return false;
		}
		key = node_of_scalar(s);
		if (key == NULL || !source_next(s)) {
			return false;
		}
		key->value = node_of_value(s, key, depth);
		if (key->value == NULL) {
			return false;
		}
		*tail = key;
		tail = &key->next;
	}
}

static bool node_fill_list(struct source *s, struct node *list, unsigned depth)
{
	struct node **tail = &list->first;

	for (;;) {
		struct node *item;
		struct node *link;

		if (!source_next(s)) {
			return false;
		}
		if (s->event.type == YAML_SEQUENCE_END_EVENT) {
			return true;
		}
		item = node_build(s, depth + 1);
		/* A node may stand in several lists (aliases), so lists have links of their own. */
		link = item == NULL ? NULL : node_new(s, NODE_NULL);
		if (link == NULL) {
			return false;
		}
		link->value = item;
		*tail = link;
		tail = &link->next;
	}
}

static struct bytes event_anchor(const yaml_event_t *e)
{
	const yaml_char_t *name = NULL;

	if (e->type == YAML_SCALAR_EVENT) {
		name = e->data.scalar.anchor;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		name = e->data.sequence_start.anchor;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		name = e->data.mapping_start.anchor;
	}
	return name == NULL ? (struct bytes){ 0 } : bytes_str((const char *)name);
}

/* Builds the list or map that begins at the current event. */
static struct node *node_of_collection(struct source *s, unsigned depth)
{
	bool list = s->event.type == YAML_SEQUENCE_START_EVENT;
	struct node *n = node_new(s, list ? NODE_LIST : NODE_MAP);

	if (n == NULL) {
		return NULL;
	}
	if (depth >= CONFIG_DEPTH_MAX) {
		load_error(s->l, n->line, "lists and maps stand in each other too deeply");
		return NULL;
	}
	return (list ? node_fill_list(s, n, depth) : node_fill_map(s, n, depth)) ? n : NULL;
}

/* Builds the node that begins at the current event; the current event is then its end. */
static struct node *node_build(struct source *s, unsigned depth)
{
	char name[CONFIG_QUOTE_MAX];
	struct bytes anchor = event_anchor(&s->event);
	struct node *n;

	if (s->event.type == YAML_ALIAS_EVENT) {
		return node_of_alias(s);
	}
	if (anchor.len >= sizeof(name)) {
		load_error(s->l, source_line(s), "an anchor of more than %zu characters",
		           sizeof(name) - 1);
		return NULL;
	}
	if (anchor.len > 0) {
		memcpy(name, anchor.at, anchor.len); /* the event is gone when the node is whole */
	}
	n = s->event.type == YAML_SCALAR_EVENT ? node_of_scalar(s) : node_of_collection(s, depth);
	if (n != NULL && anchor.len > 0 && !anchor_add(s, bytes_of(name, anchor.len), n)) {
		return NULL;
	}
	return n;
}

/* Moves to the map that the file is. An empty file leaves the end of the stream as the event. */
static bool source_begin(struct source *s)
{
	do {
		if (!source_next(s)) {
			return false;
		}
	} while (s->event.type == YAML_STREAM_START_EVENT ||
	         s->event.type == YAML_DOCUMENT_START_EVENT);
	return true;
}

/* After the map there may be nothing more. */
static bool source_end(struct source *s)
{
	if (!source_next(s) || !source_next(s)) {
		return false;
	}
	if (s->event.type != YAML_STREAM_END_EVENT) {
		load_error(s->l, source_line(s), "a second YAML document; one is enough");
		return false;
	}
	return true;
}

struct node *yaml_read(struct config_load *l, struct bytes text)
{
	struct node *root = NULL;
	struct source s;

	l->nodes = &l->tree;
	if (!source_init(&s, l, text)) {
		return NULL;
	}
	if (source_begin(&s)) {
		if (s.event.type == YAML_STREAM_END_EVENT) {
			load_error(l, 1, "the configuration is empty");
		} else if (s.event.type != YAML_MAPPING_START_EVENT) {
			load_error(l, source_line(&s),
			           "the configuration has to be a map of sections: server, "
			           "database, control, log, keys, primaries, templates, zones");
		} else {
			root = node_build(&s, 0);
		}
	}
	if (root != NULL && !source_end(&s)) {
		root = NULL;
	}
	source_fini(&s);
	return root;
}

/* Moves into the list `zones`: the event is its begin. False at the end of the map. */
static bool source_find_zones(struct source *s)
{
	if (!source_begin(s)) {
		return false;
	}
	for (;;) {
		bool zones;

		if (!source_next(s) || s->event.type != YAML_SCALAR_EVENT) {
			return false;
		}
		zones = strcmp((const char *)s->event.data.scalar.value, "zones") == 0;
		if (!source_next(s)) {
			return false;
		}
		if (s->event.type != YAML_SEQUENCE_START_EVENT &&
		    s->event.type != YAML_MAPPING_START_EVENT) {
			continue;
		}
		if (zones && s->event.type == YAML_SEQUENCE_START_EVENT) {
			return true;
		}
		if (!source_skip(s)) {
			return false;
		}
	}
}

void yaml_each_zone(struct config_load *l, struct bytes text,
                    void (*entry_fn)(struct config_load *l, const struct node *entry))
{
	struct source s;

	l->nodes = &l->entry;
	if (!source_init(&s, l, text)) {
		return;
	}
	if (source_find_zones(&s)) {
		while (!l->errors->more && source_next(&s) &&
		       s.event.type != YAML_SEQUENCE_END_EVENT) {
			const struct node *entry = node_build(&s, 1);

			if (entry == NULL) {
				break;
			}
			entry_fn(l, entry);
			/* What has an anchor may be named again. */
			if (!s.anchored) {
				arena_reset(&l->entry);
			}
		}
	}
	source_fini(&s);
}
