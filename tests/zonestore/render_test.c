/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/render_test.c — what is rendered is read back as what the cursor yields. */
#include "zonestore/render.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/message.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

#define PAGES_MAX 100000U

/* The cursor's side: record by record. */
struct yield {
	struct snapshot_cursor cursor;
	struct rrset_reader reader;
	struct rr_scratch scratch;
	struct rr_scratch read; /* the other side's */
	bool in_set;
};

static bool yield_next(struct yield *y, struct rr *out)
{
	struct rrset set;

	while (!y->in_set || !rrset_next(&y->reader, &y->scratch, &out->rdata)) {
		if (!snapshot_cursor_next(&y->cursor, &set)) {
			return false;
		}
		y->reader = rrset_read(&set);
		y->in_set = true;
	}
	out->owner = name_of(&y->cursor.owner);
	out->type = y->reader.set.type;
	out->ttl = y->reader.set.ttl;
	out->class = CLASS_IN;
	return true;
}

/* Begins a message; with a question the apex stands in it. */
static size_t begin(struct writer *w, const struct snapshot *snap, bool question)
{
	w->len = MESSAGE_HEADER_LEN;
	if (!question) {
		return 0;
	}
	cr_assert(writer_put(w, name_bytes(snapshot_apex(snap))));
	cr_assert(writer_u32(w, TYPE_AXFR << 16 | CLASS_IN));
	return MESSAGE_HEADER_LEN;
}

static void check_record(struct yield *y, struct reader *r)
{
	struct rr want;
	struct rr got;

	cr_assert(yield_next(y, &want));
	cr_assert(eq(int, rr_read(r, &y->read, &got), ERR_OK));
	cr_assert(bytes_equal(name_bytes(want.owner), name_bytes(got.owner)), "case as well");
	cr_assert(bytes_equal(want.rdata, got.rdata), "type %u", want.type);
	cr_assert(eq(uint, want.type, got.type));
	cr_assert(eq(u32, want.ttl, got.ttl));
	cr_assert(eq(uint, got.class, CLASS_IN));
}

/* Fails the test unless the version goes through messages of `cap` octets. Each message is rendered
 * twice, from a copy of the walk. Returns the octets of all. */
static size_t check(const struct snapshot *snap, size_t cap, bool question)
{
	struct yield *y = mem_zero(1, sizeof(*y));
	uint8_t *message = mem_new(2 * MESSAGE_MAX_LEN);
	struct snapshot_render render;
	struct rr none;
	size_t all = 0;

	snapshot_cursor_init(&y->cursor, snap);
	snapshot_render_init(&render, snap);
	for (unsigned page = 0; !render.ended; page++) {
		struct snapshot_render copy = render;
		struct writer w = writer_of(message, cap);
		struct writer again = writer_of(message + MESSAGE_MAX_LEN, cap);
		size_t apex_at = begin(&w, snap, question);
		unsigned count = snapshot_render_next(&render, &w, (unsigned)apex_at);
		struct reader r = reader_of(writer_bytes(&w));

		cr_assert(lt(uint, page, PAGES_MAX));
		(void)begin(&again, snap, question);
		cr_assert(eq(uint, snapshot_render_next(&copy, &again, (unsigned)apex_at), count));
		cr_assert(bytes_equal(
			bytes_of(w.at + MESSAGE_HEADER_LEN, w.len - MESSAGE_HEADER_LEN),
			bytes_of(again.at + MESSAGE_HEADER_LEN, again.len - MESSAGE_HEADER_LEN)));
		r.pos = MESSAGE_HEADER_LEN + (question ? snapshot_apex(snap).len + 4U : 0);
		all += w.len - r.pos;
		for (unsigned i = 0; i < count; i++) {
			check_record(y, &r);
		}
		cr_assert(eq(sz, reader_left(&r), 0));
		if (count == 0 && !render.ended) {
			cr_assert(lt(sz, cap, MESSAGE_MAX_LEN));
			cap = MESSAGE_MAX_LEN;
		}
	}
	cr_expect(not(yield_next(y, &none)));
	free(message);
	free(y);
	return all;
}

TEST(render, writes_what_the_cursor_yields)
{
	static const size_t caps[] = { 300, 1000, 16384, 65535 };

	for (unsigned seed = 1; seed <= 12; seed++) {
		struct world w;
		struct model m;
		struct snapshot *snap;

		world_init(&w, seed);
		model_init(&m, seed % 2 == 0 ? "example." : "Sub.Example.");
		model_grow(&m, &w.fake.env, seed * 150);
		snap = model_build(&m, w.pool, NULL);
		for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
			check(snap, caps[i], false);
			check(snap, caps[i], true);
		}
		snapshot_unref(snap);
		model_fini(&m);
		world_fini(&w);
	}
}

/* Builds a version of lines. */
static struct snapshot *version(struct world *w, const char *apex, const char *const *lines)
{
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct name_buf name = name_text(apex);
	struct name of = name_of(&name);
	struct builder *b = builder_new(&(struct builder_options){ .pool = w->pool, .apex = of });
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct snapshot *snap;
	struct rr rr;

	for (; *lines != NULL; lines++) {
		cr_assert(eq(int, rr_parse(bytes_str(*lines), &of, 300, scratch, &rr), ERR_OK),
		          "%s", *lines);
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK), "%s", *lines);
	}
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	free(scratch);
	return snap;
}

/* Where names look alike and are not the same, or are the same and spelled differently. */
TEST(render, points_only_to_what_is_the_same)
{
	static const char *const lines[] = {
		"@ SOA ns1 hostmaster 1 60 60 60 60",
		"@ NS ns1.elsewhere.test.",
		"@ NS ns2.elsewhere.test.",
		"@ NS ns3.Elsewhere.test.",
		"@ NS .",
		"@ NS x.",
		"@ NS y.",
		"@ MX 10 mail",
		"@ MX 20 mail.elsewhere.test.",
		"\\001a CNAME \\001\\002a", /* a key's escapes are not a name's octets */
		"\\001\\002a CNAME \\001a",
		"\\000a.b NS ns.\\000a.b",
		"b NS ns.b",
		"b NS ns.B",
		"b NS b",
		"Cased NS ns.cased",
		"Cased NS ns.Cased",
		"ns.Cased A 192.0.2.1",
		"below.ns.cased A 192.0.2.2",
		"cased2 NS ns.cased2",
		"ns.cased2 A 192.0.2.1",
		"Ns2.cased2 A 192.0.2.1",
		"ns3.cased2 A 192.0.2.1",
		"f TXT \"ns1.elsewhere.test.\"",
		"a.deep.name.with.labels PTR deep.name.with.labels",
		"b.deep.name.with.labels PTR name.with.labels",
		NULL,
	};
	struct world w;
	struct snapshot *snap;

	world_init(&w, 7);
	snap = version(&w, "example.", lines);
	for (size_t cap = 100; cap < 1600; cap += 7) {
		check(snap, cap, cap % 2 == 0);
	}
	check(snap, 65535, true);
	snapshot_unref(snap);
	world_fini(&w);
}

/* Knot DNS 3.2 refuses a message in which a pointer leads to the root alone. */
TEST(render, points_nobody_to_the_root)
{
	static const char *const lines[] = {
		"@ SOA a.test. b.test. 1 60 60 60 60",
		"@ NS a.test.",
		"@ NS b.test.",
		"@ TXT \"one\"",
		"@ MX 0 .",
		"test. NS a.test.",
		"test. NS .",
		"a.test. A 10.0.2.1",
		NULL,
	};
	struct snapshot_render render;
	uint8_t message[1024];
	struct writer w = writer_of(message, sizeof(message));
	struct snapshot *snap;
	struct world world;
	size_t apex_at;

	world_init(&world, 9);
	snap = version(&world, ".", lines);
	check(snap, 200, true);
	check(snap, 16384, true);
	check(snap, 16384, false);
	snapshot_render_init(&render, snap);
	apex_at = begin(&w, snap, true);
	cr_expect(gt(uint, snapshot_render_next(&render, &w, (unsigned)apex_at), 6));
	for (size_t i = MESSAGE_HEADER_LEN + 5; i + 1 < w.len; i++) {
		size_t to = load_u16(message + i) & 0x3fffU;
		cr_expect(not(message[i] >= 0xc0 && to >= MESSAGE_HEADER_LEN && to < w.len &&
		              message[to] == 0),
		          "at %zu", i);
	}
	snapshot_unref(snap);
	world_fini(&world);
}

/* Delegations in order, as registries have them: what compression is for. */
TEST(render, compresses_delegations)
{
	enum { NAMES = 2000 };
	struct world w;
	struct snapshot *snap;
	char(*text)[64] = mem_new(4 * NAMES * sizeof(*text));
	const char **lines = mem_new((4 * NAMES + 3) * sizeof(*lines));
	unsigned count = 0;

	lines[count++] = "@ SOA ns1.a.test. hostmaster.a.test. 1 60 60 60 60";
	lines[count++] = "@ NS ns1.a.test.";
	for (unsigned i = 0; i < NAMES; i++) {
		static const char *const forms[] = { "name%05u NS ns1.hoster.test.",
			                             "name%05u NS ns2.hoster.test.",
			                             "name%05u NS ns3.name%05u",
			                             "ns3.name%05u A 192.0.2.1" };
		for (unsigned k = 0; k < ARRAY_LEN(forms); k++) {
			char *at = text[4 * i + k];
			snprintf(at, sizeof(text[0]), forms[k], i, i);
			lines[count++] = at;
		}
	}
	lines[count] = NULL;
	world_init(&w, 8);
	snap = version(&w, "registry.", lines);
	/* 22 + 4+2, 12 + 4+2, 12 + 4+2, 16 + 4 octets of a name's four records. */
	cr_expect(lt(sz, check(snap, 16384, false), 90 * NAMES));
	snapshot_unref(snap);
	free(lines);
	free(text);
	world_fini(&w);
}
