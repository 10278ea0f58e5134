/* SPDX-License-Identifier: MIT
 *
 * control/config_templates.c — the section `templates`. */
#include "base/hash.h"
#include "control/config_p.h"

/* The settings stand first, so that readers of settings read into an entry. */
struct template_entry {
	struct config_settings settings;
	struct zone_template *template;
};

static struct zone_template *template_find(const struct config_load *l, const char *name)
{
	uint64_t hash = hash_bytes(l->c->zone_seed, bytes_str(name));
	uint32_t i = name_table_first(&l->template_names, hash);

	for (; i != 0; i = l->template_names.next[i - 1]) {
		if (strcmp(l->templates[i - 1].name, name) == 0) {
			return &l->templates[i - 1];
		}
	}
	return NULL;
}

static void read_name(struct config_load *l, const struct node *n, void *to)
{
	struct zone_template *t = ((struct template_entry *)to)->template;

	if (value_word(l, n, t->name, sizeof(t->name)) && template_find(l, t->name) != NULL) {
		load_error(l, n->line, "a second template with the name %s", t->name);
	}
}

static void read_template(struct config_load *l, const struct node *n)
{
	static const struct setting settings[] = {
		{ "name", read_name },
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
	struct zone_template t = { .index = UINT32_MAX };
	struct template_entry e = { .template = &t };

	settings_default(&e.settings);
	if (!value_map(l, n, settings, ARRAY_LEN(settings), &e)) {
		return;
	}
	if (n->kind != NODE_MAP || yaml_node_find(n, "name") == NULL) {
		load_error(l, n->line, "a template needs a name");
		return;
	}
	t.settings = e.settings;
	l->templates[l->template_count] = t;
	name_table_add(&l->template_names, hash_bytes(l->c->zone_seed, bytes_str(t.name)),
	               (uint32_t)l->template_count);
	l->template_count++;
}

void read_templates(struct config_load *l, const struct node *section)
{
	size_t before = l->errors->error_count;
	size_t count;

	if (value_list(l, section, &count)) {
		if (count > CONFIG_TEMPLATES_MAX) {
			load_error(l, section->line, "more than %d templates",
			           CONFIG_TEMPLATES_MAX);
			return;
		}
		l->templates = mem_zero(count, sizeof(*l->templates));
		for (const struct node *i = section->first; i != NULL; i = i->next) {
			read_template(l, i->value);
		}
	}
	l->templates_failed = l->errors->error_count > before;
}

struct zone_template *template_ref(struct config_load *l, const struct node *n)
{
	struct suggestion near = { .for_text = n->text };
	char quoted[CONFIG_QUOTE_MAX], hint[CONFIG_QUOTE_MAX];
	struct zone_template *t;

	if (!value_text(l, n, "the name of a template")) {
		return NULL;
	}
	t = template_find(l, n->text);
	if (t != NULL || l->templates_failed) {
		return t;
	}
	for (size_t i = 0; i < l->template_count; i++) {
		suggestion_try(&near, l->templates[i].name);
	}
	load_error(l, n->line, "there is no template %s%s", quote(n->text, n->len, quoted),
	           suggestion_print(&near, hint));
	return NULL;
}
