/* SPDX-License-Identifier: MIT
 *
 * control/config_server.c — the sections `server`, `database`, `control` and `log`. */
#include "control/config_p.h"

static bool listed_before(const struct addr *list, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++) {
		if (addr_equal(&list[i], a)) {
			return true;
		}
	}
	return false;
}

static void read_listen(struct config_load *l, const struct node *n, void *to)
{
	struct config *c = to;
	char text[ADDR_TEXT_MAX];
	struct addr *list;
	size_t count;

	if (!value_list(l, n, &count)) {
		return;
	}
	if (count == 0 || count > CONFIG_LISTEN_MAX) {
		load_error(l, n->line, "has %zu addresses; list 1 to %d", count, CONFIG_LISTEN_MAX);
		return;
	}
	list = list_new(l, &c->arena, n->line, count, sizeof(*list));
	if (list == NULL) {
		return;
	}
	c->listen_count = 0;
	for (const struct node *i = n->first; i != NULL; i = i->next) {
		struct addr *a = &list[c->listen_count];

		if (!value_address(l, i->value, CONFIG_DNS_PORT, a)) {
			continue;
		}
		if (listed_before(list, c->listen_count, a)) {
			load_error(l, i->value->line, "%s is listed twice", addr_print(a, text));
			continue;
		}
		c->listen_count++;
	}
	c->listen = list;
}

static void read_workers(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, CONFIG_WORKERS_MAX };
	uint64_t workers;

	if (value_number(l, n, range, &workers)) {
		((struct config *)to)->workers = (unsigned)workers;
	}
}

static void read_user(struct config_load *l, const struct node *n, void *to)
{
	struct config *c = to;

	value_word(l, n, c->user, sizeof(c->user));
}

static void read_rate(struct config_load *l, const struct node *n, uint32_t *out)
{
	uint64_t range[2] = { 0, CONFIG_RATE_MAX };
	uint64_t rate;

	if (value_number(l, n, range, &rate)) {
		*out = (uint32_t)rate;
	}
}

static void read_notify_rate(struct config_load *l, const struct node *n, void *to)
{
	read_rate(l, n, &((struct config *)to)->notify_rate);
}

static void read_notify_in_rate(struct config_load *l, const struct node *n, void *to)
{
	read_rate(l, n, &((struct config *)to)->notify_in_rate);
}

static void read_notify_refused_rate(struct config_load *l, const struct node *n, void *to)
{
	read_rate(l, n, &((struct config *)to)->notify_refused_rate);
}

void read_server(struct config_load *l, const struct node *section)
{
	static const struct setting settings[] = {
		{ "listen", read_listen },
		{ "workers", read_workers },
		{ "user", read_user },
		{ "notify-rate", read_notify_rate },
		{ "notify-in-rate", read_notify_in_rate },
		{ "notify-refused-rate", read_notify_refused_rate },
	};

	value_map(l, section, settings, ARRAY_LEN(settings), l->c);
}

static void read_database_path(struct config_load *l, const struct node *n, void *to)
{
	struct config *c = to;

	value_path(l, n, c->database_path, sizeof(c->database_path));
}

static void read_max_size(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { CONFIG_DATABASE_LEAST_BYTES, CONFIG_SIZE_MAX_BYTES };

	value_size(l, n, range, &((struct config *)to)->database_size_bytes);
}

void read_database(struct config_load *l, const struct node *section)
{
	static const struct setting settings[] = {
		{ "path", read_database_path },
		{ "max-size", read_max_size },
	};

	value_map(l, section, settings, ARRAY_LEN(settings), l->c);
}

static void read_socket(struct config_load *l, const struct node *n, void *to)
{
	struct config *c = to;

	value_path(l, n, c->socket_path, sizeof(c->socket_path));
}

void read_control(struct config_load *l, const struct node *section)
{
	static const struct setting settings[] = { { "socket", read_socket } };

	value_map(l, section, settings, ARRAY_LEN(settings), l->c);
}

static void read_level(struct config_load *l, const struct node *n, void *to)
{
	static const char *const names[] = { "error", "warning", "info", "debug", NULL };
	unsigned level;

	static_assert(LEVEL_ERROR == 0 && LEVEL_DEBUG == 3, "names stand in the order of levels");
	if (value_choice(l, n, names, &level)) {
		((struct config *)to)->log_level = (enum event_level)level;
	}
}

static void read_format(struct config_load *l, const struct node *n, void *to)
{
	static const char *const names[] = { "text", "json", NULL };
	unsigned format;

	static_assert(EVENT_FORMAT_TEXT == 0, "names stand in the order of formats");
	static_assert(EVENT_FORMAT_JSON == 1, "names stand in the order of formats");
	if (value_choice(l, n, names, &format)) {
		((struct config *)to)->log_format = (enum event_format)format;
	}
}

void read_log(struct config_load *l, const struct node *section)
{
	static const struct setting settings[] = {
		{ "level", read_level },
		{ "format", read_format },
	};

	value_map(l, section, settings, ARRAY_LEN(settings), l->c);
}
