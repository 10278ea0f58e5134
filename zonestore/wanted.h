/* SPDX-License-Identifier: MIT
 *
 * zonestore/wanted.h — asking for a zone that was not read from the journal yet.
 *
 * At the start zones come into memory one after the other. Whoever needs one of them now says so, and
 * is told when there is nothing more to wait for. */
#pragma once

#include "zonestore/store.h"

#define STORE_WANTED_MAX 8192 /* askers that wait for a zone while the journal is read */

/* Somebody who waits for a zone to be read; a field of what waits. */
struct store_wanted {
	struct store_task task; /* `fn` is the asker's, and is posted to `shard` once */
	unsigned shard;
	/* private from here */
	struct zone *zone;
	struct store_wanted *next;
};

/* Has a zone that was not read yet read now, before others. ERR_OK: w->task is posted when that is
 * done, or there is nothing to be read; ERR_NOT_FOUND: it is done already, look again; ERR_BUSY:
 * STORE_WANTED_MAX wait. Any thread. */
MUST_USE enum err store_want(struct store *st, struct zone *zone, struct store_wanted *w);

/* True while the zone's version may still come from the journal. */
bool store_unread(const struct store *st, const struct zone *zone);
