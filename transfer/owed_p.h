/* SPDX-License-Identifier: MIT
 *
 * transfer/owed_p.h — zones of which somebody is still to be told, each once, the oldest first.
 *
 * A queue of places in the store (store_place()) and a table that finds a zone's place in the queue:
 * 12 octets a zone when full, 24 right after it grew. What is taken out of the middle leaves a gap
 * that the next growth closes. Nothing is kept while it is empty.
 *
 * Ownership: {0} is empty; fini. */
#pragma once

#include "base/bytes.h"

struct owed {
	uint32_t *queue; /* places by number, modulo cap; 0: a gap */
	uint32_t *table; /* numbers, open addressing, twice cap; 0: free */
	uint32_t cap;    /* a power of two */
	uint32_t first;  /* number of the oldest; numbers begin at 1 */
	uint32_t after;  /* the number that comes next */
	uint32_t count;
};

void owed_fini(struct owed *o);

bool owed_has(const struct owed *o, uint32_t place);

/* Adds a zone at the end; false if it was there already, and keeps its turn. */
bool owed_add(struct owed *o, uint32_t place);

/* Takes out the oldest; false if there is none. */
MUST_USE bool owed_take(struct owed *o, uint32_t *place);

/* Takes a zone out; false if it was not there. */
bool owed_remove(struct owed *o, uint32_t place);
