/* SPDX-License-Identifier: MIT
 *
 * transfer/due.c — all zones of an engine, by the time at which they want attention. */
#include "transfer/due_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define CHILDREN   4U
#define CAP_FIRST  64U
#define TICK_NEVER UINT32_MAX
#define TICK_LAST  (UINT32_MAX - 1)
#define TICKS_OLD  (1U << 31) /* the origin is moved when it is that far behind */

void due_init(struct due *d, const void *region, uint64_t now_ns)
{
	*d = (struct due){ .region = region, .origin = now_ns >> DUE_TICK_BITS };
}

void due_fini(struct due *d)
{
	free(d->slots);
	*d = (struct due){ 0 };
}

/* The order of what lies ahead stays; all that lies behind is due at once. */
void due_advance(struct due *d, uint64_t now_ns)
{
	uint64_t now = now_ns >> DUE_TICK_BITS;
	uint64_t by = now - d->origin;

	if (now < d->origin || by < TICKS_OLD) {
		return;
	}
	d->origin = now;
	for (uint32_t i = 0; i < d->count; i++) {
		uint32_t at = d->slots[i].at;
		if (at != TICK_NEVER) {
			d->slots[i].at = at > by ? (uint32_t)(at - by) : 0;
		}
	}
}

static uint32_t tick_of(const struct due *d, uint64_t at_ns)
{
	uint64_t tick = (at_ns >> DUE_TICK_BITS) + ((at_ns & ((1U << DUE_TICK_BITS) - 1)) != 0);

	if (at_ns == DUE_NEVER) {
		return TICK_NEVER;
	}
	if (tick <= d->origin) {
		return 0;
	}
	return tick - d->origin < TICK_LAST ? (uint32_t)(tick - d->origin) : TICK_LAST;
}

static uint64_t tick_ns(const struct due *d, uint32_t tick)
{
	return tick == TICK_NEVER ? DUE_NEVER : (d->origin + tick) << DUE_TICK_BITS;
}

static struct due_item *slot_item(const struct due *d, struct due_slot slot)
{
	return (struct due_item *)((uintptr_t)d->region + (uintptr_t)slot.item * 8);
}

static uint32_t item_number(const struct due *d, const struct due_item *item)
{
	uintptr_t from = (uintptr_t)item - (uintptr_t)d->region;

	assert(from < DUE_REGION_BYTES && from % 8 == 0);
	return (uint32_t)(from / 8);
}

static void slot_put(struct due *d, uint32_t at, struct due_slot slot)
{
	d->slots[at] = slot;
	slot_item(d, slot)->place = at + 1;
}

static void sift_up(struct due *d, uint32_t at, struct due_slot slot)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / CHILDREN;

		if (d->slots[parent].at <= slot.at) {
			break;
		}
		slot_put(d, at, d->slots[parent]);
		at = parent;
	}
	slot_put(d, at, slot);
}

/* The child of `at` that is due first; `at` itself if it has none. */
static uint32_t first_child(const struct due *d, uint32_t at)
{
	uint64_t begin = (uint64_t)at * CHILDREN + 1;
	uint32_t best = at;

	for (uint64_t i = begin; i < begin + CHILDREN && i < d->count; i++) {
		if (best == at || d->slots[i].at < d->slots[best].at) {
			best = (uint32_t)i;
		}
	}
	return best;
}

static void sift_down(struct due *d, uint32_t at, struct due_slot slot)
{
	for (;;) {
		uint32_t child = first_child(d, at);

		if (child == at || d->slots[child].at >= slot.at) {
			break;
		}
		slot_put(d, at, d->slots[child]);
		at = child;
	}
	slot_put(d, at, slot);
}

/* Puts a slot where it belongs, starting at a place whose slot may be overwritten. */
static void settle(struct due *d, uint32_t at, struct due_slot slot)
{
	if (at > 0 && d->slots[(at - 1) / CHILDREN].at > slot.at) {
		sift_up(d, at, slot);
	} else {
		sift_down(d, at, slot);
	}
}

void due_set(struct due *d, struct due_item *item, uint64_t at_ns)
{
	struct due_slot slot = { tick_of(d, at_ns), item_number(d, item) };

	if (item->place != 0) {
		assert(d->slots[item->place - 1].item == slot.item);
		settle(d, item->place - 1, slot);
		return;
	}
	if (d->count == d->cap) {
		d->cap = d->cap == 0 ? CAP_FIRST : d->cap + d->cap / 2;
		d->slots = mem_grow(d->slots, d->cap * sizeof(*d->slots));
	}
	d->count++;
	sift_up(d, d->count - 1, slot);
}

void due_remove(struct due *d, struct due_item *item)
{
	uint32_t at = item->place - 1;

	assert(item->place != 0 && slot_item(d, d->slots[at]) == item);
	item->place = 0;
	d->count--;
	if (at != d->count) {
		settle(d, at, d->slots[d->count]);
	}
}

struct due_item *due_first(const struct due *d, uint64_t *at_ns)
{
	if (d->count == 0) {
		return NULL;
	}
	*at_ns = tick_ns(d, d->slots[0].at);
	return slot_item(d, d->slots[0]);
}

uint64_t due_at(const struct due *d, const struct due_item *item)
{
	assert(item->place != 0 && item->place <= d->count);
	return tick_ns(d, d->slots[item->place - 1].at);
}
