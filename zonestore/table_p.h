/* SPDX-License-Identifier: MIT
 *
 * zonestore/table_p.h — a hash table of 32-bit handles that knows nothing of what they stand for.
 *
 * A bucket is one cache line: 12 handles, 8 bits of hash for each, and how many items went past it
 * because it was full. An item stands in the first bucket from its own on that had room, so that
 * mostly one line is touched. Doubling keeps it at 43% to 85%, which is 6 to 13 octets for each
 * item; tables that began with different sizes double at different times. Doubling a table sends the
 * items of a bucket to two; for most items it is noted to which, so that few are hashed again.
 *
 * Ownership: {0} is the zero state; the caller locks. */
#pragma once

#include "base/bytes.h"

#define TABLE_BUCKET_SLOTS 12

struct table_bucket {
	uint8_t tags[TABLE_BUCKET_SLOTS]; /* 0: empty */
	uint32_t past : 8;                /* items that went past; 255 is for ever */
	uint32_t known : 24;              /* two bits for each slot: what is known of its hash */
	uint32_t slots[TABLE_BUCKET_SLOTS];
};

struct table {
	struct table_bucket *buckets;
	uint32_t bucket_count;
	uint32_t count;
	uint32_t first_buckets; /* size to begin with; 0: 4 */
};

/* What the table asks about a handle; `self` comes from the call. */
struct table_ops {
	bool (*match)(void *self, uint32_t handle);
	uint64_t (*hash)(void *self, uint32_t handle);
	const void *(*address)(void *self, uint32_t handle); /* to be fetched early */
};

void table_fini(struct table *t);

/* Spreads a hash that may have few bits over 64; table functions take the spread one. Its top 16
 * bits are not used by the table. */
static inline uint64_t table_spread(uint64_t hash)
{
	uint64_t h = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15ULL;

	return h ^ h >> 29;
}

static inline uint32_t table_home(uint64_t hash, uint32_t bucket_count)
{
	return (uint32_t)((uint64_t)(uint32_t)(hash >> 16) * bucket_count >> 32);
}

/* The handle for which ops->match() is true, or 0. */
uint32_t table_find(const struct table *t, uint64_t hash, const struct table_ops *ops, void *self);

/* Adds a handle, which is not there (not checked). Grows first if need be. */
void table_add(struct table *t, uint64_t hash, uint32_t handle, const struct table_ops *ops,
               void *self);

/* Removes a handle, which is there (asserted). Shrinks if mostly empty. */
void table_remove(struct table *t, uint64_t hash, uint32_t handle, const struct table_ops *ops,
                  void *self);

/* Calls for every handle. */
void table_each(const struct table *t, void (*visit)(void *self, uint32_t handle), void *self);

size_t table_bytes(const struct table *t);
