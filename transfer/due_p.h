/* SPDX-License-Identifier: MIT
 *
 * transfer/due_p.h — all zones of an engine, by the time at which they want attention.
 *
 * A heap with four children a node, in one array: 8 octets a zone, and the zone knows its place.
 * Zones that wait for nothing are in it as well, with DUE_NEVER, so that it is also the list of
 * all. Times are kept in ticks of 8 ms, rounded up, as far as 200 days ahead: what lies beyond is due then.
 * Items stand in one region and are known by their place in it.
 *
 * Ownership: init/fini; items are fields of what is listed and borrowed until removed. */
#pragma once

#include "base/bytes.h"

#define DUE_NEVER UINT64_MAX

struct due_item {
	uint32_t place; /* in the heap, counted from 1; 0: not in it */
};

struct due_slot {
	uint32_t at;   /* ticks since the origin; TICK_NEVER */
	uint32_t item; /* its place in the region, in eights */
};

struct due {
	struct due_slot *slots;
	uint32_t count;
	uint32_t cap;
	const uint8_t *region;
	uint64_t origin; /* tick; never in the future */
};

#define DUE_TICK_BITS    23U /* nanoseconds in a tick: 8.4 ms */
#define DUE_REGION_BYTES (8ULL << 32)

/* Items will be at multiples of 8 from `region`, within DUE_REGION_BYTES. */
void due_init(struct due *d, const void *region, uint64_t now_ns);
void due_fini(struct due *d);

/* To be called now and then as time goes on, by whoever looks what is due. O(1) but for once in 200
 * days. */
void due_advance(struct due *d, uint64_t now_ns);

/* Adds or moves an item; a time before now is now. O(log count). */
void due_set(struct due *d, struct due_item *item, uint64_t at_ns);
void due_remove(struct due *d, struct due_item *item);

/* The item that is due first, and when; NULL if there is none. */
struct due_item *due_first(const struct due *d, uint64_t *at_ns);

/* When `item`, which is in the heap (asserted), is due. */
uint64_t due_at(const struct due *d, const struct due_item *item);
