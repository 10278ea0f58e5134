/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"
#include "zonestore/builder.h"
#include "zonestore/snapshot_p.h"

TEST(snapshot_codec, reads_what_it_wrote)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	struct snapshot *back = NULL;
	struct snapshot_facts a;
	struct snapshot_facts b;
	struct node_handle roots[2];
	struct buffer octets = { 0 };

	world_init(&w, 1);
	model_init(&m, "Example.Net.");
	model_grow(&m, &w.fake.env, 200);
	m.serial = 99;
	snap = model_build(&m, w.pool, NULL);
	snapshot_encode(snap, &octets);
	snapshot_roots(snap, roots);
	cr_assert(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), roots, &back), ERR_OK));
	snapshot_facts(snap, &a);
	snapshot_facts(back, &b);
	cr_expect(id_equal(&a.root, &b.root));
	cr_expect(eq(u64, a.bytes, b.bytes));
	cr_expect(eq(int, a.origin, b.origin));
	cr_expect(addr_equal(&a.primary, &b.primary));
	cr_expect(eq(i64, a.received_at_s, b.received_at_s));
	snapshot_unref(snap);
	(void)epoch_collect(w.epoch);
	model_check(&m, back);
	snapshot_unref(back);
	buffer_fini(&octets);
	model_fini(&m);
	world_fini(&w);
}

/* A version with nothing but its SOA, or without NS, may have been kept for an operator to see. */
TEST(snapshot_codec, reads_versions_without_ns)
{
	struct world w;

	world_init(&w, 4);
	for (unsigned i = 0; i < 2; i++) {
		struct model m;
		struct builder_options options = { .pool = w.pool, .allow_no_ns = true };
		struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
		struct builder *b;
		struct rr_scratch *scratch = mem_new(sizeof(*scratch));
		struct rr rr;
		struct snapshot *snap, *back = NULL;
		struct id a, c;
		struct node_handle roots[2];
		struct buffer octets = { 0 };

		model_init(&m, "example.net.");
		model_delete(&m, 0);
		model_grow(&m, &w.fake.env, i == 0 ? 0 : 1);
		options.apex = name_of(&m.apex);
		b = builder_new(&options);
		model_soa(&m, scratch, &rr);
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
		for (size_t k = 0; k < m.count; k++) {
			rr = model_view(&m.rrs[k]);
			cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
		}
		cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
		builder_free(b);
		snapshot_encode(snap, &octets);
		snapshot_roots(snap, roots);
		cr_expect(eq(int, roots[0].n == 0 && roots[1].n == 0, m.count == 0));
		cr_assert(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), roots, &back),
		             ERR_OK));
		a = world_root(snap);
		c = world_root(back);
		cr_expect(id_equal(&a, &c));
		model_check(&m, back);
		snapshot_unref(snap);
		snapshot_unref(back);
		buffer_fini(&octets);
		free(scratch);
		model_fini(&m);
	}
	world_fini(&w);
}

/* Spoilt records are refused or yield a version that can be read; roots must be those named. */
TEST(snapshot_codec, refuses_spoilt_records)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	struct snapshot *back = NULL;
	struct node_handle roots[2];
	struct node_handle none[2] = { 0 };
	struct node_handle swapped[2];
	struct id ids[2];
	struct buffer octets = { 0 };

	world_init(&w, 2);
	model_init(&m, "example.net.");
	model_grow(&m, &w.fake.env, 300);
	snap = model_build(&m, w.pool, NULL);
	snapshot_encode(snap, &octets);
	snapshot_roots(snap, roots);
	cr_assert(roots[1].n != 0);
	swapped[0] = roots[1];
	swapped[1] = roots[0];
	for (size_t len = 0; len < octets.len; len++) {
		struct bytes cut = bytes_of(octets.at, len);
		cr_expect(eq(int, snapshot_decode(w.pool, cut, roots, &back), ERR_STORE_CORRUPT));
		cr_expect(eq(int, snapshot_root_ids(cut, ids), ERR_STORE_CORRUPT));
	}
	cr_expect(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), none, &back),
	             ERR_STORE_CORRUPT));
	cr_expect(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), swapped, &back),
	             ERR_STORE_CORRUPT));
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = env_random_below(&w.fake.env, (uint32_t)octets.len);
		uint8_t before = octets.at[at];
		octets.at[at] = (uint8_t)env_random_below(&w.fake.env, 256);
		if (snapshot_decode(w.pool, buffer_bytes(&octets), roots, &back) == ERR_OK) {
			snapshot_unref(back);
			(void)epoch_collect(w.epoch);
		}
		octets.at[at] = before;
	}
	snapshot_unref(snap);
	buffer_fini(&octets);
	model_fini(&m);
	world_fini(&w);
}

/* A tree whose names are too long for an apex is not joined to it. */
TEST(snapshot_codec, refuses_an_apex_that_makes_names_too_long)
{
	struct world w;
	struct model m;
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;
	struct snapshot *snap;
	struct snapshot *back = NULL;
	struct node_handle roots[2];
	struct buffer octets = { 0 };
	struct buffer longer = { 0 };
	uint8_t label[LABEL_MAX_LEN + 1];

	world_init(&w, 3);
	model_init(&m, "example.");
	rr = model_view(&m.rrs[0]);
	memset(&scratch->owner, 0, sizeof(scratch->owner));
	memset(label, 'a', sizeof(label));
	label[0] = LABEL_MAX_LEN;
	for (unsigned i = 0; i < 3; i++) {
		memcpy(scratch->owner.octets + 64 * i, label, 64);
	}
	memcpy(scratch->owner.octets + 192, m.apex.octets, m.apex.len);
	scratch->owner.len = (uint8_t)(192 + m.apex.len);
	scratch->owner.labels = 4;
	rr.owner = name_of(&scratch->owner);
	cr_assert(model_add(&m, &rr));
	snap = model_build(&m, w.pool, NULL);
	snapshot_encode(snap, &octets);
	snapshot_roots(snap, roots);
	for (unsigned extra = 0; extra <= 1; extra++) {
		uint8_t more = (uint8_t)(NAME_MAX_LEN - 192 - m.apex.len - 1 + extra);
		enum err e;
		longer.len = 0;
		buffer_put(&longer, bytes_of(octets.at, 2));
		buffer_u8(&longer, (uint8_t)(m.apex.len + 1 + more));
		buffer_u8(&longer, more);
		buffer_put(&longer, bytes_of(label + 1, more));
		buffer_put(&longer, bytes_of(octets.at + 3, octets.len - 3));
		e = snapshot_decode(w.pool, buffer_bytes(&longer), roots, &back);
		cr_expect(eq(int, e, extra == 0 ? ERR_OK : ERR_STORE_CORRUPT));
		if (e == ERR_OK) {
			snapshot_unref(back);
		}
	}
	snapshot_unref(snap);
	buffer_fini(&octets);
	buffer_fini(&longer);
	free(scratch);
	model_fini(&m);
	world_fini(&w);
}

/* A count that is not the tree's shows when a difference takes more away. */
TEST(snapshot_codec, counts_that_lie_do_no_harm)
{
	struct builder_origin origin = { .origin = SNAPSHOT_BY_IXFR };
	struct world w;
	struct model m;
	struct model less;
	struct snapshot *snap;
	struct snapshot *back = NULL;
	struct snapshot *next = NULL;
	struct node_handle roots[2];
	struct buffer octets = { 0 };
	struct builder *b;

	world_init(&w, 4);
	model_init(&m, "example.net.");
	model_grow(&m, &w.fake.env, 50);
	snap = model_build(&m, w.pool, NULL);
	snapshot_encode(snap, &octets);
	snapshot_roots(snap, roots);
	snap->bytes = UINT64_MAX - 5;
	octets.len = 0;
	snapshot_encode(snap, &octets);
	cr_expect(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), roots, &back),
	             ERR_STORE_CORRUPT));
	snap->bytes = 400;
	snap->records = 0;
	octets.len = 0;
	snapshot_encode(snap, &octets);
	cr_expect(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), roots, &back),
	             ERR_STORE_CORRUPT));
	snap->records = 3;
	octets.len = 0;
	snapshot_encode(snap, &octets);
	cr_assert(eq(int, snapshot_decode(w.pool, buffer_bytes(&octets), roots, &back), ERR_OK));
	model_init(&less, "example.net.");
	less.serial = 2;
	b = builder_new(&(struct builder_options){
		.pool = w.pool, .apex = snapshot_apex(back), .base = back });
	model_difference(&m, &less, b);
	cr_expect(eq(int, builder_freeze(b, &origin, &next), ERR_STORE_CORRUPT));
	builder_free(b);
	snapshot_unref(back);
	snapshot_unref(snap);
	buffer_fini(&octets);
	model_fini(&less);
	model_fini(&m);
	world_fini(&w);
}
