/* SPDX-License-Identifier: MIT
 *
 * zonestore/wanted_p.h — zones that are waited for, as load.c sees them. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "zonestore/wanted.h"

/* How far a zone has been read at the start (wanted.c). */
#define READING_NOT_BEGUN 0U
#define READING_BEGUN     1U
#define READING_DONE      2U
#define READING_STATE     3U
#define READING_WANTED    4U /* somebody waits for it */

/* Zones that somebody waits for while the journal is being read (wanted.c). */
struct wanted {
	pthread_mutex_t lock;       /* held for a few instructions, or a pass over the lists */
	struct store_wanted *fresh; /* nobody took up, oldest first */
	struct store_wanted **fresh_end;
	struct store_wanted *begun;
	size_t count;               /* in both */
	_Atomic size_t fresh_count; /* spares the lock */
	_Atomic bool over;          /* all was read */
	_Atomic bool stop;
};

void wanted_init(struct wanted *w);
void wanted_fini(struct wanted *w);

/* Takes the zone that was asked for first and that nobody took up; NULL if there is none. */
struct zone *wanted_take(struct wanted *w);

/* Takes up a zone: false if another thread did, or it was read. */
bool zone_begin_reading(struct zone *zone);

/* The zone was read, as far as it can be: tells who waited for it. */
void zone_end_reading(struct store *st, struct zone *zone);

/* Nothing is read any more: tells all who still wait. */
void wanted_end(struct store *st);
