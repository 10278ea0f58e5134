/* SPDX-License-Identifier: MIT
 *
 * transfer/due.c — all zones of an engine, by the time at which they want attention. */
#include "transfer/due_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define CHILDREN  4U
#define CAP_FIRST 64U

void due_fini(struct due *d)
{
	free(d->slots);
	*d = (struct due){ 0 };
}

static void slot_put(struct due *d, uint32_t at, struct due_slot slot)
{
	d->slots[at] = slot;
	slot.item->place = at + 1;
}

static void sift_up(struct due *d, uint32_t at, struct due_slot slot)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / CHILDREN;

		if (d->slots[parent].at_ns <= slot.at_ns) {
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
		if (best == at || d->slots[i].at_ns < d->slots[best].at_ns) {
			best = (uint32_t)i;
		}
	}
	return best;
}

static void sift_down(struct due *d, uint32_t at, struct due_slot slot)
{
	for (;;) {
		uint32_t child = first_child(d, at);

		if (child == at || d->slots[child].at_ns >= slot.at_ns) {
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
	if (at > 0 && d->slots[(at - 1) / CHILDREN].at_ns > slot.at_ns) {
		sift_up(d, at, slot);
	} else {
		sift_down(d, at, slot);
	}
}

void due_set(struct due *d, struct due_item *item, uint64_t at_ns)
{
	struct due_slot slot = { at_ns, item };

	if (item->place != 0) {
		assert(d->slots[item->place - 1].item == item);
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

	assert(item->place != 0 && d->slots[at].item == item);
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
	*at_ns = d->slots[0].at_ns;
	return d->slots[0].item;
}

uint64_t due_at(const struct due *d, const struct due_item *item)
{
	assert(item->place != 0 && item->place <= d->count);
	return d->slots[item->place - 1].at_ns;
}
