/* SPDX-License-Identifier: MIT */
#include "zonestore/pool_p.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

#define BODIES 3000

/* A body of type A with a TTL and an address. */
static struct bytes body_of(uint8_t octets[static 12], uint32_t ttl, uint32_t address)
{
	store_u32(octets, ttl);
	store_u16(octets + 4, TYPE_A);
	store_u16(octets + 6, 4);
	store_u32(octets + 8, address);
	return bytes_of(octets, 12);
}

/* Equal octets are one body, different ones are not, whatever their hashes are. */
TEST(pool, interns_each_body_once)
{
	struct world w;
	struct pool_stats stats;
	struct body_handle *handles = mem_new(BODIES * sizeof(*handles));
	uint8_t octets[12];

	world_init(&w, 1);
	for (unsigned i = 0; i < BODIES; i++) {
		handles[i] = pool_intern(w.pool, body_of(octets, i % 3, i));
		cr_assert(memcmp(pool_body(w.pool, handles[i]), octets, 12) == 0);
	}
	for (unsigned i = 0; i < BODIES; i++) {
		struct body_handle again = pool_intern(w.pool, body_of(octets, i % 3, i));
		cr_assert(eq(u32, again.n, handles[i].n));
	}
	pool_stats(w.pool, &stats);
	cr_expect(eq(u64, stats.bodies, BODIES));
	cr_expect(eq(u64, stats.body_bytes, BODIES * 16));
	for (unsigned i = 0; i < BODIES; i++) {
		pool_body_unref(w.pool, handles[i]);
		cr_assert(memcmp(pool_body(w.pool, handles[i]), body_of(octets, i % 3, i).at, 12) ==
		          0);
		pool_body_unref(w.pool, handles[i]);
	}
	free(handles);
	world_fini(&w);
}

TEST(pool, interns_many_as_one_by_one)
{
	struct world w;
	uint8_t octets[100][12];
	struct bytes bodies[100];
	struct body_handle handles[100];

	world_init(&w, 2);
	for (unsigned i = 0; i < 100; i++) {
		bodies[i] = body_of(octets[i], 1, i % 37);
	}
	for (unsigned count = 0; count <= 100; count += 9) {
		pool_intern_many(w.pool, bodies, count, handles);
		for (unsigned i = 0; i < count; i++) {
			struct body_handle h = pool_intern(w.pool, bodies[i]);
			cr_assert(eq(u32, h.n, handles[i].n));
			pool_body_unref(w.pool, h);
		}
		for (unsigned i = 0; i < count; i++) {
			pool_body_unref(w.pool, handles[i]);
		}
	}
	world_fini(&w);
}

static void note_drop(void *self, uint64_t seq)
{
	*(uint64_t *)self += seq;
}

/* Nodes that have a number on disk are reported when they go, and only then. */
TEST(pool, tells_which_numbered_nodes_are_gone)
{
	struct world w;
	struct model m;
	struct snapshot *one;
	struct snapshot *two;
	struct node_handle roots[2];
	struct node_handle found;
	struct id id;
	uint64_t dropped = 0;

	world_init(&w, 3);
	pool_set_drop_fn(w.pool, note_drop, &dropped);
	model_init(&m, "example.");
	one = model_build(&m, w.pool, NULL);
	two = model_build(&m, w.pool, NULL);
	snapshot_roots(one, roots);
	id = *node_id(w.pool, roots[0]);
	cr_expect(eq(u64, node_seq(w.pool, roots[0]), 0));
	node_set_seq(w.pool, roots[0], 77);
	cr_expect(eq(u64, node_seq(w.pool, roots[0]), 77));
	found = node_find(w.pool, &id);
	cr_expect(eq(u32, found.n, roots[0].n));
	snapshot_unref(one);
	snapshot_unref(two);
	(void)epoch_collect(w.epoch);
	cr_expect(eq(u64, dropped, 0));
	node_unref(w.pool, found);
	cr_expect(eq(u64, dropped, 77));
	cr_expect(eq(u32, node_find(w.pool, &id).n, 0));
	model_fini(&m);
	world_fini(&w);
}

/* Zones of equal content but for SOA and apex share everything. */
TEST(pool, parked_zones_share_their_tree)
{
	struct world w;
	struct pool_stats stats;
	struct snapshot *snaps[50];

	world_init(&w, 4);
	for (unsigned i = 0; i < 50; i++) {
		char apex[32];
		struct model m;
		snprintf(apex, sizeof(apex), "parked%u.example.", i);
		model_init(&m, apex);
		m.serial = 1000 + i;
		snaps[i] = model_build(&m, w.pool, NULL);
		model_check(&m, snaps[i]);
		model_fini(&m);
	}
	pool_stats(w.pool, &stats);
	cr_expect(eq(u64, stats.nodes, 1));
	cr_expect(eq(u64, stats.bodies, 3), "NS, SOA and primary");
	cr_expect(stats.snapshot_bytes <= 50 * 112);
	for (unsigned i = 0; i < 50; i++) {
		snapshot_unref(snaps[i]);
	}
	world_fini(&w);
}
