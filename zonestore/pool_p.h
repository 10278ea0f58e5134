/* SPDX-License-Identifier: MIT
 *
 * zonestore/pool_p.h — record set bodies and nodes, each once in the process.
 *
 * Both are found in tables that are cut into parts with a latch each: bodies by seeded XXH3,
 * confirmed by comparing octets; nodes by their id. References are counted without a latch, except
 * the last one, which is dropped under the latch of the part: what a table yields is alive.
 *
 * Ownership: intern, find and ref yield references; unref gives them back. Any thread. */
#pragma once

#include "zonestore/body_p.h"
#include "zonestore/heap_p.h"
#include "zonestore/latch_p.h"
#include "zonestore/node_p.h"
#include "zonestore/table_p.h"

#define POOL_REFS_STUCK 0xf0000000U /* from here on never freed */

struct body_handle {
	uint32_t n; /* 0: none */
};

struct body {
	_Atomic uint32_t refs;
	uint8_t octets[]; /* body_p.h */
};

struct pool_part {
	_Alignas(64) struct latch latch;
	struct table table;
	uint64_t bytes; /* of the pieces in the table */
	/* where the buckets stand, for fetching them without the latch: they may have moved */
	_Atomic uintptr_t buckets;
	_Atomic uint32_t bucket_count;
};

struct pool {
	struct heap heap;
	struct epoch *epoch;
	uint64_t seed;
	unsigned part_count;
	unsigned part_shift;
	struct pool_part *bodies;
	struct pool_part *nodes;
	_Atomic uint64_t snapshot_bytes;
	void (*drop_fn)(void *self, uint64_t seq);
	void *drop_self;
	void *keeper; /* the store whose zones stand in the heap */
};

/* The octets of a body. */
static inline const uint8_t *pool_body(const struct pool *pool, struct body_handle h)
{
	return ((const struct body *)heap_at(&pool->heap, h.n))->octets;
}

/* Finds or makes the body with these octets; they are copied. */
struct body_handle pool_intern(struct pool *pool, struct bytes octets);

/* The same for several, which is faster: they are fetched while others are worked on. */
void pool_intern_many(struct pool *pool, const struct bytes *octets, size_t count,
                      struct body_handle *out);

void pool_body_ref(struct pool *pool, struct body_handle h);
void pool_body_unref(struct pool *pool, struct body_handle h);

/* Makes a new node, complete but not yet shared, findable; takes the reference to it. If there is
 * one with its id, that one is yielded and the new one freed with what it refers to. */
struct node_handle pool_node_add(struct pool *pool, uint32_t fresh);
