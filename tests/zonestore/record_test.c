/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/record_test.c — the journal's values come back as written, or not at all. */
#include "zonestore/record_p.h"

#include <stdlib.h>

#include "base/hash.h"
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
	struct zone_state state = { .timers = *t };
	struct name_buf apex;

	cr_assert(eq(int, name_parse(bytes_str("a\\000b.example."), NULL, &apex), ERR_OK));
	state.apex = name_of(&apex);
	zone_value_write(NULL, 7, &state, out);
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

/* Versions 5 (served), 8 (aside) and 4 to 1, with the numbers of their trees. */
static void kept_make(struct farm *f, struct zone_state *state)
{
	struct versions *v = versions_new(4);

	state->served = content_version(f->pool, 1, 5, 10);
	v->served = state->served;
	v->aside = content_version(f->pool, 1, 8, 0);
	v->why = HOLD_SHRUNK;
	v->pinned = true;
	v->line = (struct serial_line){ .top = { 7 }, .known = true, .own = true };
	for (uint32_t serial = 4; serial > 0; serial--) {
		v->older[v->count++] =
			(struct version_older){ .snap = content_version(f->pool, 1, serial, 10),
			                        .bytes = 100 * serial,
			                        .replaced_at_s = 1700000000 + serial };
	}
	v->older[1].snap->serial.n = 1000; /* one of the zone's own */
	state->apex = snapshot_apex(state->served);
	state->more = v;
}

static void number_roots(struct farm *f, const struct snapshot *snap, uint64_t number)
{
	struct node_handle roots[2];

	snapshot_roots(snap, roots);
	node_set_seq(f->pool, roots[0], number);
}

static void kept_free(struct farm *f, const struct zone_state *state)
{
	versions_free((struct versions *)(uintptr_t)state->more);
	snapshot_unref((struct snapshot *)(uintptr_t)state->served);
	farm_fini(f);
}

static void kept_write(struct farm *f, const struct zone_state *state, struct buffer *out)
{
	number_roots(f, state->served, 500);
	number_roots(f, state->more->aside, 800);
	for (uint32_t i = 0; i < state->more->count; i++) {
		number_roots(f, state->more->older[i].snap, 400 - i);
	}
	zone_value_write(f->pool, 9, state, out);
}

TEST(record, keeps_versions)
{
	static const enum version_kind kinds[] = { VERSION_SERVED, VERSION_ASIDE, VERSION_OLDER,
		                                   VERSION_OLDER,  VERSION_OLDER, VERSION_OLDER };
	static const uint64_t numbers[] = { 500, 800, 400, 399, 398, 397 };
	static const uint32_t serials[] = { 5, 8, 4, 1000, 2, 1 };
	static const uint32_t sources[] = { 5, 8, 4, 3, 2, 1 };
	struct zone_state state = { .timers = cases[1] };
	struct buffer b = { 0 };
	struct zone_version version;
	struct zone_value v;
	uint64_t last = 0;
	struct farm f;

	farm_init(&f, journal_memory_new(NULL));
	kept_make(&f, &state);
	kept_write(&f, &state, &b);
	cr_assert(eq(int, zone_value_read(9, buffer_bytes(&b), &v), ERR_OK));
	cr_expect(v.pinned && v.line.known && v.line.own);
	cr_expect(eq(u32, v.line.top.n, 7));
	cr_expect(eq(uint, v.version_count, 6));
	cr_assert(eq(int, zone_value_last_root(&v, &last), ERR_OK));
	cr_expect(eq(u64, last, 800));
	for (unsigned i = 0; i < 6; i++) {
		cr_assert(eq(int, zone_value_version(&v, &version), ERR_OK));
		cr_expect(eq(int, version.kind, kinds[i]));
		cr_expect(eq(int, version.why, i == 1 ? HOLD_SHRUNK : HOLD_NONE));
		cr_expect(eq(u64, version.roots[0], numbers[i]));
		cr_expect(eq(u64, version.roots[1], 0));
		cr_expect(eq(u32, version.record.parts.serial.n, serials[i]));
		cr_expect(eq(u32, version.record.parts.source_serial.n, sources[i]));
		cr_expect(eq(u32, version.bytes, i < 2 ? 0 : 100 * (6 - i)));
		cr_expect(eq(u32, version.replaced_at_s, i < 2 ? 0 : 1700000006 - i));
	}
	cr_expect(eq(int, zone_value_version(&v, &version), ERR_NOT_FOUND));
	buffer_fini(&b);
	kept_free(&f, &state);
}

/* Twenty versions of a small zone are no burden. */
TEST(record, is_small)
{
	struct zone_state state = { 0 };
	struct buffer b = { 0 };
	struct versions *v;
	struct farm f;

	farm_init(&f, journal_memory_new(NULL));
	v = versions_new(20);
	state.served = content_version(f.pool, 1, 5, 8);
	state.apex = snapshot_apex(state.served);
	state.more = v;
	number_roots(&f, state.served, 1U << 30);
	for (uint32_t i = 0; i < 20; i++) {
		v->older[v->count++].snap = content_version(f.pool, 1, 100 - i, 8);
		number_roots(&f, v->older[i].snap, (1U << 30) - i);
	}
	zone_value_write(f.pool, 9, &state, &b);
	cr_expect(lt(sz, b.len, 1500));
	buffer_fini(&b);
	kept_free(&f, &state);
}

/* The check value finds damage. Should it not, nothing else is to break. */
TEST(record, survives_damage_that_the_check_misses)
{
	struct zone_state state = { 0 };
	struct buffer b = { 0 };
	struct zone_version version;
	struct zone_value v;
	struct farm f;
	uint64_t last;

	farm_init(&f, journal_memory_new(NULL));
	kept_make(&f, &state);
	kept_write(&f, &state, &b);
	for (unsigned i = 0; i < 30000; i++) {
		struct bytes whole = bytes_of(b.at, b.len - 8);
		size_t at = env_random_below(&f.env.env, (uint32_t)whole.len);
		uint8_t before = b.at[at];
		b.at[at] = (uint8_t)env_random_below(&f.env.env, 256);
		store_u64(b.at + whole.len, hash_check(whole) ^ 9 * 0x9e3779b97f4a7c15ULL);
		if (zone_value_read(9, buffer_bytes(&b), &v) == ERR_OK) {
			(void)!zone_value_last_root(&v, &last);
			for (unsigned n = 0; zone_value_version(&v, &version) == ERR_OK; n++) {
				cr_assert(le(uint, n, VERSIONS_KEPT_MAX + 2));
			}
		}
		b.at[at] = before;
	}
	buffer_fini(&b);
	kept_free(&f, &state);
}
