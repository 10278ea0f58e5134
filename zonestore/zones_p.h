/* SPDX-License-Identifier: MIT
 *
 * zonestore/zones_p.h — the table of zones, by apex.
 *
 * One array of octets in eights: a zone's address with 16 bits of the apex's hash above it, found by
 * linear probing. Readers take no lock; writers take one. A full array is replaced by a copy and
 * retired, so readers stand between two announcements to the epoch.
 *
 * Ownership: zones are the caller's and outlive their place here by an epoch. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/env.h"
#include "base/epoch.h"
#include "dns/name.h"

struct zone;
struct zone_array;

struct zone_map {
	_Atomic(struct zone_array *) array;
	_Atomic size_t count;
	_Atomic unsigned labels_max; /* of any zone's apex that was ever here */
	struct epoch *epoch;
	uint64_t seed;
	pthread_mutex_t lock; /* writers */
	size_t used;          /* slots that are or were taken */
};

void zone_map_init(struct zone_map *m, const struct env *env, struct epoch *epoch);
void zone_map_fini(struct zone_map *m); /* no reader is left */

/* Makes room for so many zones at once. */
void zone_map_reserve(struct zone_map *m, size_t count);

/* ERR_BUSY if a zone with this apex is there. */
MUST_USE enum err zone_map_add(struct zone_map *m, struct zone *zone);
void zone_map_remove(struct zone_map *m, struct zone *zone); /* it is there (asserted) */

struct zone *zone_map_find(const struct zone_map *m, struct name apex);
struct zone *zone_map_find_enclosing(const struct zone_map *m, struct name name);
void zone_map_each(const struct zone_map *m, bool (*visit)(void *self, struct zone *zone),
                   void *self);

size_t zone_map_bytes(const struct zone_map *m);
