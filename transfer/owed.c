/* SPDX-License-Identifier: MIT
 *
 * transfer/owed.c — zones of which somebody is still to be told, each once, the oldest first. */
#include "transfer/owed_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define OWED_FIRST_CAP 16U

void owed_fini(struct owed *o)
{
	free(o->queue);
	free(o->table);
	*o = (struct owed){ 0 };
}

static uint32_t slots(const struct owed *o)
{
	return 2 * o->cap;
}

/* Places are multiples of a zone's size: mixed, so that they spread. */
static uint32_t home(const struct owed *o, uint32_t place)
{
	return (uint32_t)((place * 0x9e3779b97f4a7c15ULL) >> 32) & (slots(o) - 1);
}

static uint32_t place_of(const struct owed *o, uint32_t number)
{
	return o->queue[number & (o->cap - 1)];
}

/* The slot of the place, or the free one where it would go. */
static uint32_t find(const struct owed *o, uint32_t place)
{
	uint32_t i = home(o, place);

	while (o->table[i] != 0 && place_of(o, o->table[i]) != place) {
		i = (i + 1) & (slots(o) - 1);
	}
	return i;
}

/* Frees a slot; those behind it that could not stand nearer to their home move up. */
static void slot_free(struct owed *o, uint32_t hole)
{
	uint32_t mask = slots(o) - 1;

	for (uint32_t i = (hole + 1) & mask; o->table[i] != 0; i = (i + 1) & mask) {
		uint32_t at = home(o, place_of(o, o->table[i]));

		if (((i - at) & mask) >= ((i - hole) & mask)) {
			o->table[hole] = o->table[i];
			hole = i;
		}
	}
	o->table[hole] = 0;
}

static void append(struct owed *o, uint32_t slot, uint32_t place)
{
	o->queue[o->after & (o->cap - 1)] = place;
	o->table[slot] = o->after++;
	o->count++;
}

/* Makes room, and numbers what is there anew, without gaps. */
static void renew(struct owed *o)
{
	struct owed old = *o;

	*o = (struct owed){ .cap = old.cap == 0              ? OWED_FIRST_CAP
		                   : old.count > old.cap / 2 ? old.cap * 2
		                                             : old.cap,
		            .first = 1,
		            .after = 1 };
	assert(o->cap >= OWED_FIRST_CAP && (o->cap & (o->cap - 1)) == 0);
	o->queue = mem_zero(o->cap, sizeof(*o->queue));
	o->table = mem_zero(slots(o), sizeof(*o->table));
	for (uint32_t n = old.first; n != old.after; n++) {
		uint32_t place = place_of(&old, n);

		if (place != 0) {
			append(o, find(o, place), place);
		}
	}
	assert(o->count == old.count);
	owed_fini(&old);
}

bool owed_has(const struct owed *o, uint32_t place)
{
	return o->count > 0 && o->table[find(o, place)] != 0;
}

bool owed_add(struct owed *o, uint32_t place)
{
	assert(place != 0);
	if (owed_has(o, place)) {
		return false;
	}
	if (o->after - o->first == o->cap || o->after == UINT32_MAX) {
		renew(o);
	}
	append(o, find(o, place), place);
	return true;
}

static void take_out(struct owed *o, uint32_t slot)
{
	uint32_t number = o->table[slot];

	slot_free(o, slot);
	o->queue[number & (o->cap - 1)] = 0;
	if (--o->count == 0) {
		owed_fini(o);
	}
}

bool owed_take(struct owed *o, uint32_t *place)
{
	if (o->count == 0) {
		return false;
	}
	while (place_of(o, o->first) == 0) {
		o->first++;
	}
	*place = place_of(o, o->first);
	take_out(o, find(o, *place));
	return true;
}

bool owed_remove(struct owed *o, uint32_t place)
{
	if (!owed_has(o, place)) {
		return false;
	}
	take_out(o, find(o, place));
	return true;
}
