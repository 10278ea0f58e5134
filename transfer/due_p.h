/* SPDX-License-Identifier: MIT
 *
 * transfer/due_p.h — all zones of an engine, by the time at which they want attention.
 *
 * A heap with four children a node, in one array: 16 octets a zone, and the zone knows its place.
 * Zones that wait for nothing are in it as well, with DUE_NEVER, so that it is also the list of
 * all.
 *
 * Ownership: init/fini; items are fields of what is listed and borrowed until removed. */
#pragma once

#include "base/bytes.h"

#define DUE_NEVER UINT64_MAX

struct due_item {
	uint32_t place; /* in the heap, counted from 1; 0: not in it */
};

struct due_slot {
	uint64_t at_ns;
	struct due_item *item;
};

struct due {
	struct due_slot *slots;
	uint32_t count;
	uint32_t cap;
};

void due_fini(struct due *d);

/* Adds or moves an item. O(log count). */
void due_set(struct due *d, struct due_item *item, uint64_t at_ns);
void due_remove(struct due *d, struct due_item *item);

/* The item that is due first, and when; NULL if there is none. */
struct due_item *due_first(const struct due *d, uint64_t *at_ns);

/* When `item`, which is in the heap (asserted), is due. */
uint64_t due_at(const struct due *d, const struct due_item *item);
