/* SPDX-License-Identifier: MIT
 *
 * zonestore/record.c — writing and reading the journal's values. */
#include "zonestore/record_p.h"

#include "base/hash.h"

#define FLAG_NOTIFIED 1U
#define FLAG_FAILED   2U
#define FLAGS_KNOWN   3U
#define CHECK_LEN     8U

void node_value_write(const struct pool *pool, struct node_handle node, struct buffer *out)
{
	struct node_handle children[NODE_CHILDREN_MAX];
	unsigned count = node_children(pool, node, children);
	size_t at;

	buffer_u8(out, RECORD_FORMAT);
	at = out->len;
	buffer_u32(out, 0);
	node_encode(pool, node, out);
	store_u32(out->at + at, (uint32_t)(out->len - at - 4));
	for (unsigned i = 0; i < count; i++) {
		assert(node_seq(pool, children[i]) != 0);
		buffer_u64(out, node_seq(pool, children[i]));
	}
}

enum err node_value_read(struct bytes value, struct node_value *out)
{
	struct reader r = reader_of(value);
	uint8_t format;
	uint32_t len;

	if (!reader_u8(&r, &format) || format != RECORD_FORMAT || !reader_u32(&r, &len) ||
	    !reader_take(&r, len, &out->content) ||
	    !reader_take(&r, reader_left(&r), &out->children) || out->children.len % 8 != 0 ||
	    out->children.len / 8 > NODE_CHILDREN_MAX) {
		return ERR_STORE_CORRUPT;
	}
	return ERR_OK;
}

static void failure_write(const struct zone_timers *t, struct buffer *out)
{
	const struct addr *a = &t->last_error_primary;

	buffer_u16(out, (uint16_t)t->last_error);
	buffer_u64(out, (uint64_t)t->last_error_at_s);
	buffer_u8(out, a->family);
	buffer_u16(out, a->port);
	buffer_put(out, bytes_of(a->ip, a->family == 4 ? 4 : a->family == 6 ? 16 : 0));
}

void zone_value_begin(struct name apex, const struct zone_timers *timers, unsigned version_count,
                      struct buffer *out)
{
	bool failed = timers->last_error != ERR_OK;

	assert(out->len == 0 && version_count <= RECORD_VERSIONS_MAX);
	buffer_u8(out, RECORD_FORMAT);
	buffer_u8(out,
	          (uint8_t)((timers->notified ? FLAG_NOTIFIED : 0) | (failed ? FLAG_FAILED : 0)));
	buffer_u8(out, apex.len);
	buffer_put(out, name_bytes(apex));
	buffer_u64(out, (uint64_t)timers->refreshed_at_s);
	buffer_u64(out, (uint64_t)timers->refresh_at_s);
	buffer_u64(out, (uint64_t)timers->expire_at_s);
	buffer_u64(out, (uint64_t)timers->failing_since_s);
	if (failed) {
		failure_write(timers, out);
	}
	buffer_u16(out, (uint16_t)version_count);
}

void zone_value_add(const struct pool *pool, const struct snapshot *snap, struct buffer *out)
{
	struct node_handle roots[2];
	size_t at;

	snapshot_roots(snap, roots);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t seq = roots[i].n == 0 ? 0 : node_seq(pool, roots[i]);
		assert((seq != 0) == (roots[i].n != 0));
		buffer_u64(out, seq);
	}
	at = out->len;
	buffer_u32(out, 0);
	snapshot_encode(snap, out);
	store_u32(out->at + at, (uint32_t)(out->len - at - 4));
}

/* Damage is what this finds; attackers do not write the journal. */
static uint64_t zone_check(uint64_t number, struct bytes value)
{
	return hash_fixed(value) ^ number * 0x9e3779b97f4a7c15ULL;
}

void zone_value_end(uint64_t number, struct buffer *out)
{
	buffer_u64(out, zone_check(number, buffer_bytes(out)));
}

static bool read_time(struct reader *r, int64_t *out)
{
	uint64_t v;

	if (!reader_u64(r, &v)) {
		return false;
	}
	*out = (int64_t)v;
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

static bool read_head(struct reader *r, struct zone_value *out)
{
	struct zone_timers *t = &out->timers;
	struct bytes apex;
	uint8_t format;
	uint8_t flags;
	uint8_t len;
	uint16_t count;

	if (!reader_u8(r, &format) || format != RECORD_FORMAT || !reader_u8(r, &flags) ||
	    (flags & ~FLAGS_KNOWN) != 0 || !reader_u8(r, &len) || !reader_take(r, len, &apex) ||
	    name_view(apex, &out->apex) != ERR_OK || out->apex.len != len) {
		return false;
	}
	if (!read_time(r, &t->refreshed_at_s) || !read_time(r, &t->refresh_at_s) ||
	    !read_time(r, &t->expire_at_s) || !read_time(r, &t->failing_since_s) ||
	    ((flags & FLAG_FAILED) != 0 && !read_failure(r, t)) || !reader_u16(r, &count)) {
		return false;
	}
	t->notified = (flags & FLAG_NOTIFIED) != 0;
	out->version_count = count;
	return count <= RECORD_VERSIONS_MAX;
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
	return read_head(&out->versions, out) ? ERR_OK : ERR_STORE_CORRUPT;
}

enum err zone_value_version(struct zone_value *v, struct zone_version *out)
{
	uint32_t len;

	if (!reader_u64(&v->versions, &out->roots[0]) ||
	    !reader_u64(&v->versions, &out->roots[1]) || !reader_u32(&v->versions, &len) ||
	    !reader_take(&v->versions, len, &out->record)) {
		return ERR_STORE_CORRUPT;
	}
	return ERR_OK;
}
