/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/record_test.c — the journal's values come back as written, or not at all. */
#include "zonestore/record_p.h"

#include <stdlib.h>

#include "tests/test.h"
#include "tests/zonestore/farm.h"

static const struct zone_timers cases[] = {
	{ 0 },
	{ .refreshed_at_s = 1, .refresh_at_s = 2, .expire_at_s = 3, .failing_since_s = 4 },
	{ .refreshed_at_s = 1700000000, .notified = true },
	{ .last_error = ERR_PEER_TIMEOUT, .last_error_at_s = 1700000001 },
	{ .last_error = ERR_TSIG_BADSIG,
	  .last_error_at_s = 1700000002,
	  .last_error_primary = { .family = 4, .port = 5300, .ip = { 192, 0, 2, 1 } } },
	{ .last_error = ERR_DISK_FULL,
	  .notified = true,
	  .last_error_primary = { .family = 6, .port = 53, .ip = { 0x20, 1, [15] = 9 } } },
};

static void write(const struct zone_timers *t, struct buffer *out)
{
	struct name_buf apex;

	cr_assert(eq(int, name_parse(bytes_str("a\\000b.example."), NULL, &apex), ERR_OK));
	zone_value_begin(name_of(&apex), t, 0, out);
	zone_value_end(7, out);
}

TEST(record, keeps_timers)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer b = { 0 };
		const struct zone_timers *t = &cases[i];
		struct zone_value v;

		write(t, &b);
		cr_assert(eq(int, zone_value_read(7, buffer_bytes(&b), &v), ERR_OK));
		cr_expect(eq(uint, v.version_count, 0));
		cr_expect(eq(uint, v.apex.labels, 2));
		cr_expect(eq(i64, v.timers.refreshed_at_s, t->refreshed_at_s));
		cr_expect(eq(i64, v.timers.refresh_at_s, t->refresh_at_s));
		cr_expect(eq(i64, v.timers.expire_at_s, t->expire_at_s));
		cr_expect(eq(i64, v.timers.failing_since_s, t->failing_since_s));
		cr_expect(eq(int, v.timers.notified, t->notified));
		cr_expect(eq(int, v.timers.last_error, t->last_error));
		cr_expect(eq(i64, v.timers.last_error_at_s, t->last_error_at_s));
		cr_expect(addr_equal(&v.timers.last_error_primary, &t->last_error_primary));
		buffer_fini(&b);
	}
}

TEST(record, sees_every_flipped_bit_and_every_cut)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer b = { 0 };
		struct zone_value v;

		write(&cases[i], &b);
		for (size_t bit = 0; bit < 8 * b.len; bit++) {
			b.at[bit / 8] ^= (uint8_t)(1U << bit % 8);
			cr_assert(eq(int, zone_value_read(7, buffer_bytes(&b), &v),
			             ERR_STORE_CORRUPT));
			b.at[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		for (size_t len = 0; len < b.len; len++) {
			cr_assert(eq(int, zone_value_read(7, bytes_of(b.at, len), &v),
			             ERR_STORE_CORRUPT));
		}
		cr_expect(eq(int, zone_value_read(8, buffer_bytes(&b), &v), ERR_STORE_CORRUPT),
		          "the record of another zone");
		buffer_fini(&b);
	}
}

TEST(record, keeps_versions)
{
	struct buffer b = { 0 };
	struct farm f;
	struct snapshot *snap;
	struct node_handle roots[2];
	struct zone_version version;
	struct zone_value v;
	struct id ids[2];

	farm_init(&f, journal_memory_new(NULL));
	snap = content_version(f.pool, 1, 5, 10);
	snapshot_roots(snap, roots);
	node_set_seq(f.pool, roots[0], 42);
	zone_value_begin(snapshot_apex(snap), &cases[1], 2, &b);
	zone_value_add(f.pool, snap, &b);
	zone_value_add(f.pool, snap, &b);
	zone_value_end(9, &b);
	cr_assert(eq(int, zone_value_read(9, buffer_bytes(&b), &v), ERR_OK));
	cr_expect(eq(uint, v.version_count, 2));
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(eq(int, zone_value_version(&v, &version), ERR_OK));
		cr_expect(eq(u64, version.roots[0], 42));
		cr_expect(eq(u64, version.roots[1], 0));
		cr_assert(eq(int, snapshot_root_ids(version.record, ids), ERR_OK));
		cr_expect(id_equal(&ids[0], node_id(f.pool, roots[0])));
	}
	cr_expect(eq(int, zone_value_version(&v, &version), ERR_STORE_CORRUPT));
	snapshot_unref(snap);
	buffer_fini(&b);
	farm_fini(&f);
}

TEST(record, splits_a_node_into_content_and_children)
{
	struct buffer b = { 0 };
	struct buffer content = { 0 };
	struct farm f;
	struct snapshot *snap;
	struct node_handle roots[2];
	struct node_handle children[NODE_CHILDREN_MAX];
	struct node_value v;
	unsigned count;

	farm_init(&f, journal_memory_new(NULL));
	snap = content_version(f.pool, 1, 5, 3000);
	snapshot_roots(snap, roots);
	count = node_children(f.pool, roots[0], children);
	cr_assert(gt(uint, count, 1));
	for (unsigned i = 0; i < count; i++) {
		node_set_seq(f.pool, children[i], 100 + i);
	}
	node_value_write(f.pool, roots[0], &b);
	node_encode(f.pool, roots[0], &content);
	cr_assert(eq(int, node_value_read(buffer_bytes(&b), &v), ERR_OK));
	cr_expect(bytes_equal(v.content, buffer_bytes(&content)));
	cr_assert(eq(sz, node_value_children(&v), count));
	for (unsigned i = 0; i < count; i++) {
		cr_expect(eq(u64, node_value_child(&v, i), 100 + i));
	}
	for (size_t len = 0; len < content.len + 5; len++) {
		cr_assert(eq(int, node_value_read(bytes_of(b.at, len), &v), ERR_STORE_CORRUPT));
	}
	snapshot_unref(snap);
	buffer_fini(&b);
	buffer_fini(&content);
	farm_fini(&f);
}
