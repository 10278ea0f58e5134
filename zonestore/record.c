/* SPDX-License-Identifier: MIT
 *
 * zonestore/record.c — writing and reading the journal's values. */
#include "zonestore/record_p.h"

#include "base/hash.h"
#include "zonestore/store_p.h"
#include "zonestore/varint_p.h"

#define FLAG_NOTIFIED 0x01U
#define FLAG_FAILED   0x02U
#define FLAG_PINNED   0x04U
#define FLAG_LINE     0x08U /* was rolled back */
#define FLAG_OWN      0x10U /* has serials of its own */
#define FLAG_SERVED   0x20U
#define FLAG_ASIDE    0x40U
#define FLAG_OLDER    0x80U
#define CHECK_LEN     8U

/* ---- writing zones ---- */

static void failure_write(const struct zone_timers *t, struct buffer *out)
{
	const struct addr *a = &t->last_error_primary;

	buffer_u16(out, (uint16_t)t->last_error);
	buffer_u32(out, time_pack(t->last_error_at_s));
	buffer_u8(out, a->family);
	buffer_u16(out, a->port);
	buffer_put(out, bytes_of(a->ip, a->family == 4 ? 4 : a->family == 6 ? 16 : 0));
}

static void version_write(const struct pool *pool, const struct snapshot *snap,
                          const struct snapshot *before, struct buffer *out)
{
	struct node_handle roots[2];
	uint8_t *to;
	size_t at;

	snapshot_roots(snap, roots);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t seq = roots[i].n == 0 ? 0 : node_seq(pool, roots[i]);
		assert((seq != 0) == (roots[i].n != 0));
		buffer_varint(out, seq);
	}
	at = out->len;
	buffer_u16(out, 0);
	snapshot_encode_after(snap, before, out);
	to = out->at + at;
	store_u16(to, (uint16_t)(out->len - at - 2));
}

static void more_write(const struct pool *pool, const struct zone_state *state, struct buffer *out)
{
	const struct versions *v = state->more;
	const struct snapshot *before = state->served;

	if (v->aside != NULL) {
		buffer_u8(out, (uint8_t)v->why);
		version_write(pool, v->aside, before, out);
		before = v->aside;
	}
	for (uint32_t i = 0; i < v->count; i++) {
		buffer_u32(out, v->older[i].replaced_at_s);
		buffer_varint(out, v->older[i].bytes);
		version_write(pool, v->older[i].snap, before, out);
		before = v->older[i].snap;
	}
}

static unsigned flags_of(const struct zone_state *state)
{
	const struct versions *v = state->more;
	unsigned flags = 0;

	flags |= state->timers.notified ? FLAG_NOTIFIED : 0;
	flags |= state->timers.last_error != ERR_OK ? FLAG_FAILED : 0;
	flags |= state->served != NULL ? FLAG_SERVED : 0;
	if (v != NULL) {
		flags |= v->pinned ? FLAG_PINNED : 0;
		flags |= v->line.known ? FLAG_LINE : 0;
		flags |= v->line.own ? FLAG_OWN : 0;
		flags |= v->aside != NULL ? FLAG_ASIDE : 0;
		flags |= v->count > 0 ? FLAG_OLDER : 0;
	}
	return flags;
}

/* Damage is what this finds; attackers do not write the journal. */
static uint64_t zone_check(uint64_t number, struct bytes value)
{
	return hash_check(value) ^ number * 0x9e3779b97f4a7c15ULL;
}

void zone_value_write(const struct pool *pool, uint64_t number, const struct zone_state *state,
                      struct buffer *out)
{
	const struct zone_timers *t = &state->timers;
	unsigned flags = flags_of(state);

	out->len = 0;
	buffer_u8(out, ZONE_FORMAT);
	buffer_u8(out, (uint8_t)flags);
	buffer_u8(out, state->apex.len);
	buffer_put(out, name_bytes(state->apex));
	buffer_u32(out, time_pack(t->refreshed_at_s));
	buffer_u32(out, time_pack(t->refresh_at_s));
	buffer_u32(out, time_pack(t->expire_at_s));
	buffer_u32(out, time_pack(t->failing_since_s));
	if ((flags & FLAG_FAILED) != 0) {
		failure_write(t, out);
	}
	if ((flags & FLAG_LINE) != 0) {
		buffer_u32(out, state->more->line.top.n);
	}
	if ((flags & FLAG_OLDER) != 0) {
		buffer_varint(out, state->more->count);
	}
	if (state->served != NULL) {
		version_write(pool, state->served, NULL, out);
	}
	if (state->more != NULL) {
		more_write(pool, state, out);
	}
	buffer_u64(out, zone_check(number, buffer_bytes(out)));
}

/* ---- reading zones ---- */

static bool read_time(struct reader *r, int64_t *out)
{
	uint32_t v;

	if (!reader_u32(r, &v)) {
		return false;
	}
	*out = v;
	return true;
}

static bool read_failure(struct reader *r, struct zone_timers *out)
{
	struct addr *a = &out->last_error_primary;
	struct bytes ip;
	uint16_t error;

	if (!reader_u16(r, &error) || !read_time(r, &out->last_error_at_s) ||
	    !reader_u8(r, &a->family) || !reader_u16(r, &a->port) ||
	    !reader_take(r,
	                 a->family == 4   ? 4
	                 : a->family == 6 ? 16
	                                  : 0,
	                 &ip)) {
		return false;
	}
	if (ip.len > 0) {
		memcpy(a->ip, ip.at, ip.len);
	}
	out->last_error = error < ERR_COUNT ? (enum err)error : ERR_SYSTEM;
	return true;
}

static bool read_timers(struct reader *r, unsigned flags, struct zone_timers *t)
{
	t->notified = (flags & FLAG_NOTIFIED) != 0;
	return read_time(r, &t->refreshed_at_s) && read_time(r, &t->refresh_at_s) &&
	       read_time(r, &t->expire_at_s) && read_time(r, &t->failing_since_s) &&
	       ((flags & FLAG_FAILED) == 0 || read_failure(r, t));
}

/* What is said of the versions before they come. */
static bool read_plan(struct reader *r, unsigned flags, struct zone_value *out)
{
	uint64_t older = 0;

	out->pinned = (flags & FLAG_PINNED) != 0;
	out->line.known = (flags & FLAG_LINE) != 0;
	out->line.own = (flags & FLAG_OWN) != 0;
	out->served = (flags & FLAG_SERVED) != 0;
	out->aside = (flags & FLAG_ASIDE) != 0;
	if ((out->line.known && !reader_u32(r, &out->line.top.n)) ||
	    (out->line.own && !out->line.known) ||
	    ((flags & FLAG_OLDER) != 0 && !reader_varint(r, &older)) || older > VERSIONS_KEPT_MAX) {
		return false;
	}
	out->older = (unsigned)older;
	out->version_count = (unsigned)out->served + (unsigned)out->aside + out->older;
	return true;
}

static bool read_head(struct zone_value *out)
{
	struct reader *r = &out->versions;
	struct bytes apex;
	uint8_t format;
	uint8_t flags;
	uint8_t len;

	if (!reader_u8(r, &format) || format != ZONE_FORMAT || !reader_u8(r, &flags) ||
	    !reader_u8(r, &len) || !reader_take(r, len, &apex) ||
	    name_view(apex, &out->apex) != ERR_OK || out->apex.len != len ||
	    !read_timers(r, flags, &out->timers)) {
		return false;
	}
	return read_plan(r, flags, out);
}

enum err zone_value_read(uint64_t number, struct bytes value, struct zone_value *out)
{
	struct bytes checked = { value.at, value.len - CHECK_LEN };

	*out = (struct zone_value){ 0 };
	if (value.len < CHECK_LEN ||
	    load_u64(value.at + checked.len) != zone_check(number, checked)) {
		return ERR_STORE_CORRUPT;
	}
	out->versions = reader_of(checked);
	return read_head(out) ? ERR_OK : ERR_STORE_CORRUPT;
}

/* What stands before a version of its kind. */
static bool read_kind(struct zone_value *v, struct zone_version *out)
{
	struct reader *r = &v->versions;
	uint64_t bytes;
	uint8_t why;

	if (v->served) {
		v->served = false;
		out->kind = VERSION_SERVED;
		return true;
	}
	if (v->aside) {
		v->aside = false;
		out->kind = VERSION_ASIDE;
		if (!reader_u8(r, &why) || why == HOLD_NONE || why >= HOLD_REASONS) {
			return false;
		}
		out->why = why;
		return true;
	}
	v->older--;
	out->kind = VERSION_OLDER;
	if (!reader_u32(r, &out->replaced_at_s) || !reader_varint(r, &bytes) ||
	    bytes > UINT32_MAX) {
		return false;
	}
	out->bytes = (uint32_t)bytes;
	return true;
}

enum err zone_value_version(struct zone_value *v, struct zone_version *out)
{
	struct reader *r = &v->versions;
	struct zone_version version = { 0 };
	struct bytes record;
	uint16_t len;

	if (!v->served && !v->aside && v->older == 0) {
		return reader_left(r) == 0 ? ERR_NOT_FOUND : ERR_STORE_CORRUPT;
	}
	if (!read_kind(v, &version) || !reader_varint(r, &version.roots[0]) ||
	    !reader_varint(r, &version.roots[1]) || !reader_u16(r, &len) ||
	    !reader_take(r, len, &record) ||
	    snapshot_record_read(record, v->begun ? &v->last : NULL, &version.record) != ERR_OK) {
		return ERR_STORE_CORRUPT;
	}
	v->begun = true;
	v->last = version.record;
	*out = version;
	return ERR_OK;
}

enum err zone_value_last_root(const struct zone_value *v, uint64_t *out)
{
	struct zone_value copy = *v;
	struct zone_version version;
	uint64_t last = 0;
	enum err e;

	while ((e = zone_value_version(&copy, &version)) == ERR_OK) {
		last = version.roots[0] > last ? version.roots[0] : last;
		last = version.roots[1] > last ? version.roots[1] : last;
	}
	if (e != ERR_NOT_FOUND) {
		return e;
	}
	*out = last;
	return ERR_OK;
}
