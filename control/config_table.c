/* SPDX-License-Identifier: MIT
 *
 * control/config_table.c — chains of indices under hashes, and the settings that zones share. */
#include <stdlib.h>

#include "base/hash.h"
#include "control/config_p.h"

#define NAME_TABLE_BUCKETS 65536U

uint32_t name_table_first(const struct name_table *t, uint64_t hash)
{
	return t->buckets == NULL ? 0 : t->buckets[hash % NAME_TABLE_BUCKETS];
}

void name_table_add(struct name_table *t, uint64_t hash, uint32_t index)
{
	if (t->buckets == NULL) {
		t->buckets = mem_zero(NAME_TABLE_BUCKETS, sizeof(*t->buckets));
	}
	if (index >= t->cap) {
		t->cap = (size_t)index * 2 + 16;
		t->next = mem_grow(t->next, t->cap * sizeof(*t->next));
	}
	t->next[index] = t->buckets[hash % NAME_TABLE_BUCKETS];
	t->buckets[hash % NAME_TABLE_BUCKETS] = index + 1;
}

void name_table_fini(struct name_table *t)
{
	free(t->buckets);
	free(t->next);
	*t = (struct name_table){ 0 };
}

/* Equality and hash go by the fields, never by the octets of a struct: it has holes. */

static uint64_t mix(uint64_t seed, uint64_t v)
{
	return hash_bytes(seed, bytes_of(&v, sizeof(v)));
}

static uint64_t access_hash(uint64_t h, const struct config_access *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		h = mix(h, (uint64_t)list[i].any_addr << 32 | list[i].key);
		h = hash_bytes(h, bytes_of(list[i].range.lo.ip, sizeof(list[i].range.lo.ip)));
		h = hash_bytes(h, bytes_of(list[i].range.hi.ip, sizeof(list[i].range.hi.ip)));
	}
	return mix(h, count);
}

static uint64_t guard_hash(uint64_t h, const struct config_settings *s)
{
	const struct config_history *k = &s->history;
	const struct config_guard *g = &s->guard;

	h = mix(mix(h, (uint64_t)k->versions << 32 | k->age_s), k->bytes);
	h = mix(h, (uint64_t)g->no_ns << 12 | (uint64_t)g->shrink << 8 | (uint64_t)g->zonemd << 4 |
	                   (uint64_t)g->size);
	h = mix(h, (uint64_t)g->shrink_percent << 32 | g->shrink_records);
	h = mix(mix(h, g->max_records), g->max_bytes);
	return mix(h, (uint64_t)s->compare_s << 2 | (uint64_t)s->newest << 1 | s->follow_lower);
}

static uint64_t settings_hash(uint64_t seed, const struct config_settings *s)
{
	const struct config_limits *m = &s->limits;
	uint64_t h =
		hash_bytes(seed, bytes_of(s->primaries, s->primary_count * sizeof(*s->primaries)));

	h = access_hash(h, s->allow_notify, s->allow_notify_count);
	h = access_hash(h, s->allow_transfer, s->allow_transfer_count);
	for (size_t i = 0; i < s->notify_count; i++) {
		h = mix(h, (uint64_t)s->notify[i].addr.port << 32 | s->notify[i].key);
		h = hash_bytes(h, bytes_of(s->notify[i].addr.ip, sizeof(s->notify[i].addr.ip)));
	}
	h = mix(mix(h, s->notify_count), m->transfer_bytes);
	h = mix(h, (uint64_t)m->transfer_records << 32 | m->transfer_time_s);
	h = mix(h, (uint64_t)m->idle_time_s << 32 | m->min_refresh_s);
	h = mix(h, (uint64_t)m->max_refresh_s << 32 | m->min_retry_s);
	h = mix(h, (uint64_t)m->max_retry_s << 32 | m->min_expire_s);
	return guard_hash(mix(h, m->max_expire_s), s);
}

static bool access_equal(const struct config_access *a, const struct config_access *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (a[i].any_addr != b[i].any_addr || a[i].key != b[i].key ||
		    !addr_equal(&a[i].range.lo, &b[i].range.lo) ||
		    !addr_equal(&a[i].range.hi, &b[i].range.hi)) {
			return false;
		}
	}
	return true;
}

static bool target_equal(const struct config_target *a, const struct config_target *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (a[i].key != b[i].key || !addr_equal(&a[i].addr, &b[i].addr) ||
		    !addr_equal(&a[i].source, &b[i].source)) {
			return false;
		}
	}
	return true;
}

static bool limits_equal(const struct config_limits *a, const struct config_limits *b)
{
	return a->transfer_bytes == b->transfer_bytes &&
	       a->transfer_records == b->transfer_records &&
	       a->transfer_time_s == b->transfer_time_s && a->idle_time_s == b->idle_time_s &&
	       a->min_refresh_s == b->min_refresh_s && a->max_refresh_s == b->max_refresh_s &&
	       a->min_retry_s == b->min_retry_s && a->max_retry_s == b->max_retry_s &&
	       a->min_expire_s == b->min_expire_s && a->max_expire_s == b->max_expire_s;
}

static bool guards_equal(const struct config_settings *a, const struct config_settings *b)
{
	const struct config_guard *g = &a->guard, *h = &b->guard;

	return a->history.versions == b->history.versions && a->history.age_s == b->history.age_s &&
	       a->history.bytes == b->history.bytes && g->no_ns == h->no_ns &&
	       g->shrink == h->shrink && g->zonemd == h->zonemd && g->size == h->size &&
	       g->shrink_percent == h->shrink_percent && g->shrink_records == h->shrink_records &&
	       g->max_records == h->max_records && g->max_bytes == h->max_bytes &&
	       a->follow_lower == b->follow_lower && a->newest == b->newest &&
	       a->compare_s == b->compare_s;
}

static bool settings_equal(const struct config_settings *a, const struct config_settings *b)
{
	if (a->primary_count != b->primary_count ||
	    a->allow_notify_count != b->allow_notify_count ||
	    a->allow_transfer_count != b->allow_transfer_count ||
	    a->notify_count != b->notify_count) {
		return false;
	}
	return bytes_equal(bytes_of(a->primaries, a->primary_count * sizeof(*a->primaries)),
	                   bytes_of(b->primaries, b->primary_count * sizeof(*b->primaries))) &&
	       access_equal(a->allow_notify, b->allow_notify, a->allow_notify_count) &&
	       access_equal(a->allow_transfer, b->allow_transfer, a->allow_transfer_count) &&
	       target_equal(a->notify, b->notify, a->notify_count) &&
	       limits_equal(&a->limits, &b->limits) && guards_equal(a, b);
}

/* Copies a list into the configuration's own arena; false beyond its budget. */
static bool list_keep(struct config_load *l, uint32_t line, const void **list, size_t len)
{
	void *copy;

	if (len == 0) {
		*list = NULL;
		return true;
	}
	copy = list_new(l, &l->c->arena, line, len, 1);
	if (copy == NULL) {
		return false;
	}
	memcpy(copy, *list, len);
	*list = copy;
	return true;
}

static bool settings_keep(struct config_load *l, uint32_t line, struct config_settings *s)
{
	return list_keep(l, line, (const void **)&s->primaries,
	                 s->primary_count * sizeof(*s->primaries)) &&
	       list_keep(l, line, (const void **)&s->allow_notify,
	                 s->allow_notify_count * sizeof(*s->allow_notify)) &&
	       list_keep(l, line, (const void **)&s->allow_transfer,
	                 s->allow_transfer_count * sizeof(*s->allow_transfer)) &&
	       list_keep(l, line, (const void **)&s->notify, s->notify_count * sizeof(*s->notify));
}

bool settings_intern(struct config_load *l, uint32_t line, const struct config_settings *s,
                     uint32_t *out)
{
	struct config *c = l->c;
	uint64_t hash = settings_hash(c->zone_seed, s);
	struct config_settings kept = *s;

	for (uint32_t i = name_table_first(&l->settings_table, hash); i != 0;
	     i = l->settings_table.next[i - 1]) {
		if (settings_equal(&c->settings[i - 1], s)) {
			*out = i - 1;
			return true;
		}
	}
	if (!settings_keep(l, line, &kept)) {
		return false;
	}
	if ((c->settings_count & (c->settings_count - 1)) == 0) {
		size_t cap = c->settings_count == 0 ? 1 : c->settings_count * 2;
		c->settings = mem_grow(c->settings, cap * sizeof(*c->settings));
	}
	*out = (uint32_t)c->settings_count;
	c->settings[c->settings_count++] = kept;
	name_table_add(&l->settings_table, hash, *out);
	return true;
}
