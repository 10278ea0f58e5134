/* SPDX-License-Identifier: MIT
 *
 * base/epoch.h — when may memory that readers see without locks be freed?
 *
 * Each reader thread is a participant and announces the moments at which it borrows nothing: the
 * end of every turn. Something retired is freed once every participant has announced after the
 * retirement, or is offline (asleep, holding nothing). Announcing is two plain atomic operations;
 * reading costs nothing at all.
 *
 *	participant A   turn | turn | turn |
 *	participant B   turn        | offline ...
 *	                     ^ retire     ^ freed here
 *
 * Ownership: `struct epoch_item` is a field of what is retired; from epoch_retire() on it belongs
 *to the epoch, which calls `free_fn` once, on the thread that runs epoch_collect(). */
#pragma once

#include <stdatomic.h>

#include "base/bytes.h"

#define EPOCH_PARTICIPANTS_MAX 272 /* shards, and the few threads beside them */

struct epoch;

struct epoch_item {
	struct epoch_item *next;
	uint64_t at;
	void (*free_fn)(struct epoch_item *item);
};

struct epoch *epoch_new(void);

/* Frees all that is still retired. No participant may be online. */
void epoch_free(struct epoch *e);

/* Registers a reader and returns its number; it starts offline. Aborts beyond the maximum. */
unsigned epoch_join(struct epoch *e);
void epoch_leave(struct epoch *e, unsigned participant);

/* Announces a moment without borrows; the participant is online from here on. */
void epoch_quiet(struct epoch *e, unsigned participant);

/* Announces that the participant borrows nothing until its next epoch_quiet(). Call before
 * sleeping. */
void epoch_offline(struct epoch *e, unsigned participant);

/* Takes `item`. Any thread. */
void epoch_retire(struct epoch *e, struct epoch_item *item, void (*free_fn)(struct epoch_item *));

/* Frees what no participant can see any more. Any thread, one at a time does the work; returns how
 * many items were freed. Items may retire others. */
size_t epoch_collect(struct epoch *e);

/* The same for `max` items at most. */
size_t epoch_collect_some(struct epoch *e, size_t max);
