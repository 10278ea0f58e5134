/* SPDX-License-Identifier: MIT */
#include "zonestore/table_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "tests/test.h"

#define ITEMS 20000

/* Items are numbers from 1; their hash has as many bits as the case says. */
struct items {
	uint64_t mask;
	uint32_t want;
	uint64_t matches; /* times that an item was looked at */
	uint64_t hashes;  /* times that the table asked for a hash */
};

static uint64_t item_hash(const struct items *it, uint32_t handle)
{
	return table_spread((handle * 0x9e3779b97f4a7c15ULL >> 20) & it->mask);
}

static bool match(void *self, uint32_t handle)
{
	struct items *it = self;

	it->matches++;
	return handle == it->want;
}

static uint64_t hash(void *self, uint32_t handle)
{
	struct items *it = self;

	it->hashes++;
	return item_hash(it, handle);
}

static const void *address(void *self, uint32_t handle)
{
	(void)handle;
	return self;
}

static const struct table_ops ops = { match, hash, address };

static uint32_t find(struct table *t, struct items *it, uint32_t handle)
{
	it->want = handle;
	return table_find(t, item_hash(it, handle), &ops, it);
}

/* Adds and removes at random and compares with an array of flags. */
static void churn(uint64_t mask, unsigned items, unsigned rounds)
{
	struct env_fake fake;
	struct items it = { .mask = mask };
	struct table t = { 0 };
	bool *in = mem_zero(items + 1, sizeof(*in));

	env_fake_init(&fake, mask);
	for (unsigned i = 0; i < rounds; i++) {
		uint32_t handle = 1 + env_random_below(&fake.env, items);
		cr_assert(eq(u32, find(&t, &it, handle), in[handle] ? handle : 0));
		if (in[handle]) {
			table_remove(&t, item_hash(&it, handle), handle, &ops, &it);
		} else {
			table_add(&t, item_hash(&it, handle), handle, &ops, &it);
		}
		in[handle] = !in[handle];
	}
	for (uint32_t handle = 1; handle <= items; handle++) {
		cr_assert(eq(u32, find(&t, &it, handle), in[handle] ? handle : 0));
		if (in[handle]) {
			table_remove(&t, item_hash(&it, handle), handle, &ops, &it);
		}
	}
	cr_expect(eq(u32, t.count, 0));
	cr_expect(eq(sz, table_bytes(&t), 0));
	free(in);
}

TEST(table, agrees_with_an_array)
{
	churn(UINT64_MAX, ITEMS, 8 * ITEMS);
}

TEST(table, bears_hashes_of_eight_bits_and_of_none)
{
	churn(0xff, 2000, 8000);
	churn(0, 300, 2000);
}

TEST(table, stays_dense_and_looks_at_few_items)
{
	struct items it = { .mask = UINT64_MAX };
	struct table t = { 0 };

	for (uint32_t handle = 1; handle <= ITEMS; handle++) {
		table_add(&t, item_hash(&it, handle), handle, &ops, &it);
		cr_assert(handle < 200 || table_bytes(&t) < (size_t)handle * 13 + 4096);
	}
	it.matches = 0;
	for (uint32_t handle = ITEMS + 1; handle <= 2 * ITEMS; handle++) {
		cr_assert(eq(u32, find(&t, &it, handle), 0));
	}
	cr_expect(it.matches < ITEMS / 4, "%llu", (unsigned long long)it.matches);
	table_fini(&t);
}

/* Most items move to a larger table, and nearly all to a smaller one, without their hash. */
TEST(table, hashes_few_items_again)
{
	struct items it = { .mask = UINT64_MAX };
	struct table t = { 0 };

	for (uint32_t handle = 1; handle <= 10 * ITEMS; handle++) {
		table_add(&t, item_hash(&it, handle), handle, &ops, &it);
	}
	cr_expect(it.hashes < 10 * ITEMS * 3 / 4, "%llu", (unsigned long long)it.hashes);
	it.hashes = 0;
	for (uint32_t handle = 1; handle <= 10 * ITEMS; handle++) {
		table_remove(&t, item_hash(&it, handle), handle, &ops, &it);
	}
	cr_expect(it.hashes < 10 * ITEMS / 8, "%llu", (unsigned long long)it.hashes);
	cr_expect(eq(u32, t.count, 0));
}
