/* SPDX-License-Identifier: MIT
 *
 * control/config_settings.c — the settings that templates and zones have in common. */
#include "control/config_p.h"

static const struct config_limits default_limits = {
	.transfer_bytes = 1ULL << 30,
	.transfer_time_s = 2 * 3600,
	.idle_time_s = 30,
	.min_refresh_s = 60,
	.max_refresh_s = 86400,
	.min_retry_s = 10,
	.max_retry_s = 3600,
	.min_expire_s = 3600,
};

static const struct config_history default_history = { .versions = 20, .age_s = 7 * 86400 };

static const struct config_guard default_guard = {
	.no_ns = CONFIG_REFUSE,
	.shrink = CONFIG_HOLD,
	.zonemd = CONFIG_HOLD,
	.size = CONFIG_REFUSE,
	.shrink_percent = 90,
	.shrink_records = 1000,
};

void settings_default(struct config_settings *out)
{
	*out = (struct config_settings){ .limits = default_limits,
		                         .history = default_history,
		                         .guard = default_guard,
		                         .compare_s = 86400 };
}

/* Makes the array for a list of settings, in the arena of the nodes; NULL with *count 0 where the
 * list is empty or wrong. */
static void *list_begin(struct config_load *l, const struct node *n, size_t size)
{
	size_t count;

	if (!value_list(l, n, &count) || count == 0) {
		return NULL;
	}
	if (count > CONFIG_LIST_MAX) {
		load_error(l, n->line, "has %zu entries; at most %d", count, CONFIG_LIST_MAX);
		return NULL;
	}
	return list_new(l, l->nodes, n->line, count, size);
}

void read_zone_primaries(struct config_load *l, const struct node *n, void *to)
{
	struct config_settings *s = to;
	uint32_t *list = list_begin(l, n, sizeof(*list));
	size_t count = 0;

	for (const struct node *i = list == NULL ? NULL : n->first; i != NULL; i = i->next) {
		bool again = false;

		if (!primary_ref(l, i->value, &list[count])) {
			continue;
		}
		for (size_t k = 0; k < count; k++) {
			again = again || list[k] == list[count];
		}
		if (again) {
			load_error(l, i->value->line, "%s is listed twice", i->value->text);
		}
		count++;
	}
	s->primaries = list;
	s->primary_count = count;
}

/* An entry of an access list or a target, as a map. */
struct endpoint {
	const struct node *address;
	const struct node *source;
	uint32_t key;
};

static void read_endpoint_address(struct config_load *l, const struct node *n, void *to)
{
	(void)l;
	((struct endpoint *)to)->address = n;
}

static void read_endpoint_key(struct config_load *l, const struct node *n, void *to)
{
	key_ref(l, n, &((struct endpoint *)to)->key);
}

static void read_endpoint_source(struct config_load *l, const struct node *n, void *to)
{
	(void)l;
	((struct endpoint *)to)->source = n;
}

static bool read_range(struct config_load *l, const struct node *n, struct addr_range *out)
{
	static const char wanted[] =
		"192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9 or \"2001:db8::/32\"";
	char quoted[CONFIG_QUOTE_MAX];

	if (n->kind == NODE_MAP) {
		load_error(l, n->line, "is a map; write %s (IPv6 needs its quotes)", wanted);
		return false;
	}
	if (!value_text(l, n, wanted)) {
		return false;
	}
	if (addr_range_parse(n->text, out) != ERR_OK) {
		load_error(l, n->line, "%s is not an address or range; write %s%s",
		           quote(n->text, n->len, quoted), wanted,
		           strchr(n->text, '/') != NULL ? " (with no bits set after the prefix)"
		                                        : "");
		return false;
	}
	return true;
}

static bool read_access(struct config_load *l, const struct node *n, struct config_access *out)
{
	static const struct setting settings[] = {
		{ "address", read_endpoint_address },
		{ "key", read_endpoint_key },
	};
	struct endpoint e = { .key = CONFIG_NO_KEY };

	*out = (struct config_access){ .key = CONFIG_NO_KEY };
	if (n->kind != NODE_MAP) {
		return read_range(l, n, &out->range);
	}
	value_map(l, n, settings, ARRAY_LEN(settings), &e);
	out->key = e.key;
	if (e.address != NULL) {
		return read_range(l, e.address, &out->range);
	}
	if (yaml_node_find(n, "key") == NULL) {
		load_error(l, n->line, "an entry needs an address, a key, or both");
		return false;
	}
	out->any_addr = true;
	return true;
}

static void read_access_list(struct config_load *l, const struct node *n,
                             const struct config_access **out, size_t *out_count)
{
	struct config_access *list = list_begin(l, n, sizeof(*list));

	*out = list;
	*out_count = 0;
	for (const struct node *i = list == NULL ? NULL : n->first; i != NULL; i = i->next) {
		*out_count += read_access(l, i->value, &list[*out_count]);
	}
}

void read_allow_notify(struct config_load *l, const struct node *n, void *to)
{
	struct config_settings *s = to;

	read_access_list(l, n, &s->allow_notify, &s->allow_notify_count);
}

void read_allow_transfer(struct config_load *l, const struct node *n, void *to)
{
	struct config_settings *s = to;

	read_access_list(l, n, &s->allow_transfer, &s->allow_transfer_count);
}

static bool read_target(struct config_load *l, const struct node *n, struct config_target *out)
{
	static const struct setting settings[] = {
		{ "address", read_endpoint_address },
		{ "key", read_endpoint_key },
		{ "source", read_endpoint_source },
	};
	struct endpoint e = { .key = CONFIG_NO_KEY };

	*out = (struct config_target){ .key = CONFIG_NO_KEY };
	if (n->kind != NODE_MAP) {
		return value_address(l, n, CONFIG_DNS_PORT, &out->addr);
	}
	value_map(l, n, settings, ARRAY_LEN(settings), &e);
	out->key = e.key;
	if (e.address == NULL) {
		load_error(l, n->line, "a target needs an address");
		return false;
	}
	if (!value_address(l, e.address, CONFIG_DNS_PORT, &out->addr)) {
		return false;
	}
	if (e.source == NULL) {
		return true;
	}
	if (!value_address(l, e.source, 0, &out->source)) {
		return false;
	}
	if (out->source.family != out->addr.family) {
		load_error(l, e.source->line, "the source has to be of the address's family, IPv%u",
		           (unsigned)out->addr.family);
		return false;
	}
	return true;
}

void read_notify(struct config_load *l, const struct node *n, void *to)
{
	struct config_settings *s = to;
	struct config_target *list = list_begin(l, n, sizeof(*list));

	s->notify = list;
	s->notify_count = 0;
	for (const struct node *i = list == NULL ? NULL : n->first; i != NULL; i = i->next) {
		s->notify_count += read_target(l, i->value, &list[s->notify_count]);
	}
}

/* SOA timers are 31 bits of seconds (RFC 1035 §3.3.13 and RFC 2181 §8). */
static void read_time(struct config_load *l, const struct node *n, uint32_t least, uint32_t *out)
{
	uint64_t range[2] = { least, INT32_MAX };

	value_time(l, n, range, out);
}

static void read_transfer_bytes(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 1024, CONFIG_SIZE_MAX_BYTES };

	value_size(l, n, range, &((struct config_limits *)to)->transfer_bytes);
}

static void read_transfer_records(struct config_load *l, const struct node *n, void *to)
{
	uint64_t range[2] = { 0, UINT32_MAX };
	uint64_t records;

	if (value_number(l, n, range, &records)) {
		((struct config_limits *)to)->transfer_records = (uint32_t)records;
	}
}

static void read_transfer_time(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->transfer_time_s);
}

static void read_idle_time(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->idle_time_s);
}

static void read_min_refresh(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->min_refresh_s);
}

static void read_max_refresh(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->max_refresh_s);
}

static void read_min_retry(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->min_retry_s);
}

static void read_max_retry(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->max_retry_s);
}

static void read_min_expire(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 1, &((struct config_limits *)to)->min_expire_s);
}

static void read_max_expire(struct config_load *l, const struct node *n, void *to)
{
	read_time(l, n, 0, &((struct config_limits *)to)->max_expire_s);
}

static void check_order(struct config_load *l, uint32_t line, const char *what,
                        const uint32_t least_most[2])
{
	if (least_most[0] > least_most[1]) {
		load_error(l, line, "min-%s (%us) is above max-%s (%us)", what,
		           (unsigned)least_most[0], what, (unsigned)least_most[1]);
	}
}

void read_limits(struct config_load *l, const struct node *n, void *to)
{
	static const struct setting settings[] = {
		{ "transfer-bytes", read_transfer_bytes },
		{ "transfer-records", read_transfer_records },
		{ "transfer-time", read_transfer_time },
		{ "idle-time", read_idle_time },
		{ "min-refresh", read_min_refresh },
		{ "max-refresh", read_max_refresh },
		{ "min-retry", read_min_retry },
		{ "max-retry", read_max_retry },
		{ "min-expire", read_min_expire },
		{ "max-expire", read_max_expire },
	};
	struct config_limits *limits = &((struct config_settings *)to)->limits;

	if (!value_map(l, n, settings, ARRAY_LEN(settings), limits)) {
		return;
	}
	check_order(l, n->line, "refresh",
	            (uint32_t[]){ limits->min_refresh_s, limits->max_refresh_s });
	check_order(l, n->line, "retry", (uint32_t[]){ limits->min_retry_s, limits->max_retry_s });
	if (limits->max_expire_s != 0) {
		check_order(l, n->line, "expire",
		            (uint32_t[]){ limits->min_expire_s, limits->max_expire_s });
	}
}
