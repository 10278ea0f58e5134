/* SPDX-License-Identifier: MIT
 *
 * control/config_primaries.c — the section `primaries`. */
#include <stdlib.h>

#include "base/hash.h"
#include "control/config_p.h"

/* An entry in the making. */
struct primary_entry {
	struct config_primary primary;
	uint32_t name_line; /* 0: no name */
};

static bool primary_find(const struct config_load *l, const char *name, uint32_t *out)
{
	uint64_t hash = hash_bytes(l->c->zone_seed, bytes_str(name));
	uint32_t i = name_table_first(&l->primary_names, hash);

	for (; i != 0; i = l->primary_names.next[i - 1]) {
		if (strcmp(l->c->primaries[i - 1].name, name) == 0) {
			*out = i - 1;
			return true;
		}
	}
	return false;
}

static void read_name(struct config_load *l, const struct node *n, void *to)
{
	struct primary_entry *e = to;

	if (value_word(l, n, e->primary.name, sizeof(e->primary.name))) {
		e->name_line = n->line;
	}
}

static void read_addresses(struct config_load *l, const struct node *n, void *to)
{
	struct config_primary *p = &((struct primary_entry *)to)->primary;
	struct addr *list;
	size_t count;

	if (!value_list(l, n, &count)) {
		return;
	}
	if (count == 0 || count > CONFIG_ADDRESSES_MAX) {
		load_error(l, n->line, "has %zu addresses; list 1 to %d", count,
		           CONFIG_ADDRESSES_MAX);
		return;
	}
	list = list_new(l, &l->c->arena, n->line, count, sizeof(*list));
	if (list == NULL) {
		return;
	}
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		p->address_count +=
			value_address(l, i->value, CONFIG_DNS_PORT, &list[p->address_count]);
	}
	p->addresses = list;
}

static void read_key_name(struct config_load *l, const struct node *n, void *to)
{
	key_ref(l, n, &((struct primary_entry *)to)->primary.key);
}

static void source_set(struct config_load *l, const struct node *n, struct config_primary *p)
{
	struct addr a;

	if (!value_address(l, n, 0, &a)) {
		return;
	}
	if ((a.family == 4 ? p->source4 : p->source6).family != 0) {
		load_error(l, n->line, "a second source for IPv%u", (unsigned)a.family);
	}
	*(a.family == 4 ? &p->source4 : &p->source6) = a;
}

/* One address, or one of IPv4 and one of IPv6. */
static void read_source(struct config_load *l, const struct node *n, void *to)
{
	struct config_primary *p = &((struct primary_entry *)to)->primary;

	if (n->kind != NODE_LIST) {
		source_set(l, n, p);
		return;
	}
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		source_set(l, i->value, p);
	}
}

static void read_limit(struct config_load *l, const struct node *n, uint64_t max, uint32_t *out)
{
	uint64_t range[2] = { 1, max };
	uint64_t v;

	if (value_number(l, n, range, &v)) {
		*out = (uint32_t)v;
	}
}

static void read_connections(struct config_load *l, const struct node *n, void *to)
{
	read_limit(l, n, CONFIG_CONNECTIONS_MAX,
	           &((struct primary_entry *)to)->primary.max_connections);
}

static void read_transfers(struct config_load *l, const struct node *n, void *to)
{
	read_limit(l, n, CONFIG_TRANSFERS_MAX,
	           &((struct primary_entry *)to)->primary.max_transfers);
}

static void read_queries(struct config_load *l, const struct node *n, void *to)
{
	read_limit(l, n, CONFIG_QUERIES_MAX, &((struct primary_entry *)to)->primary.queries_per_s);
}

static void read_primary(struct config_load *l, const struct node *n)
{
	static const struct setting settings[] = {
		{ "name", read_name },
		{ "addresses", read_addresses },
		{ "key", read_key_name },
		{ "source", read_source },
		{ "max-connections", read_connections },
		{ "max-transfers", read_transfers },
		{ "queries-per-second", read_queries },
	};
	struct primary_entry e = { .primary.key = CONFIG_NO_KEY };
	struct config *c = l->c;
	uint32_t other;

	if (!value_map(l, n, settings, ARRAY_LEN(settings), &e)) {
		return;
	}
	if (n->kind != NODE_MAP || yaml_node_find(n, "name") == NULL) {
		load_error(l, n->line, "a primary needs a name");
		return;
	}
	if (yaml_node_find(n, "addresses") == NULL) {
		load_error(l, n->line, "a primary needs addresses");
		return;
	}
	if (e.name_line == 0) {
		return;
	}
	if (primary_find(l, e.primary.name, &other)) {
		load_error(l, e.name_line, "a second primary with the name %s", e.primary.name);
		return;
	}
	if ((c->primary_count & (c->primary_count - 1)) == 0) {
		size_t cap = c->primary_count == 0 ? 1 : c->primary_count * 2;
		c->primaries = mem_grow(c->primaries, cap * sizeof(*c->primaries));
	}
	c->primaries[c->primary_count] = e.primary;
	name_table_add(&l->primary_names, hash_bytes(c->zone_seed, bytes_str(e.primary.name)),
	               (uint32_t)c->primary_count);
	c->primary_count++;
}

void read_primaries(struct config_load *l, const struct node *section)
{
	size_t before = l->errors->error_count;
	size_t count;

	if (value_list(l, section, &count)) {
		if (count > CONFIG_PRIMARIES_MAX) {
			load_error(l, section->line, "more than %d primaries",
			           CONFIG_PRIMARIES_MAX);
			return;
		}
		for (const struct node *i = section->first; i != NULL; i = i->next) {
			read_primary(l, i->value);
		}
	}
	l->primaries_failed = l->errors->error_count > before;
}

bool primary_ref(struct config_load *l, const struct node *n, uint32_t *out)
{
	struct suggestion near = { .for_text = n->text };
	char quoted[CONFIG_QUOTE_MAX], hint[CONFIG_QUOTE_MAX];

	if (!value_text(l, n, "the name of a primary")) {
		return false;
	}
	if (primary_find(l, n->text, out)) {
		return true;
	}
	if (l->primaries_failed) {
		return false;
	}
	for (size_t i = 0; i < l->c->primary_count; i++) {
		suggestion_try(&near, l->c->primaries[i].name);
	}
	load_error(l, n->line, "there is no primary %s in the section primaries%s",
	           quote(n->text, n->len, quoted), suggestion_print(&near, hint));
	return false;
}
