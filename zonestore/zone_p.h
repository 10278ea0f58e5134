/* SPDX-License-Identifier: MIT
 *
 * zonestore/zone_p.h — a zone in memory.
 *
 * A piece of the pool's heap; what it refers to there, it knows by its place (heap_placed()). */
#pragma once

#include <stdatomic.h>

#include "base/addr.h"
#include "zonestore/heap_p.h"
#include "zonestore/node_p.h"
#include "zonestore/store.h"

struct versions;

/* Marks of a zone, under queue.lock. */
#define MARK_NOTED      1U /* in the list of notes */
#define MARK_COMMITTING 2U /* between store_commit() and done() */
#define MARK_AGAIN      4U /* noted while committing or writing: to be noted after it */
#define MARK_REMOVED    8U
#define MARK_WRITING    16U /* the note has been read: a new one comes after it */
#define MARK_STANDS     32U /* what was noted stands in the record that a commit wrote */

/* Of the last attempt that failed; zones that are well have none. */
struct zone_failure {
	struct addr primary;
	enum err err; /* ERR_OK: it is known no more */
	uint32_t at_s;
	uint32_t since_s; /* all failed since then; 0: the last succeeded */
};

/* There may be a million of them: everything that most zones do not need is behind a pointer. A piece
 * of the pool's heap, behind the room of the engine. */
struct zone {
	_Atomic(struct versions *) more; /* what else is kept (versions_p.h); NULL: nothing */
	_Atomic(const void *) policy;
	_Atomic uint32_t newest; /* place: served, durable; owner and loaders write */
	_Atomic uint32_t root; /* place of its tree, to be fetched with it; nothing is read there */
	uint32_t note_next;    /* place: in a list of notes */
	uint32_t failure;      /* place of a struct zone_failure */
	uint32_t refreshed_at_s; /* timers: owner writes, under queue.lock */
	uint32_t refresh_at_s;
	uint32_t expire_at_s;
	uint32_t number; /* in the journal; 0: not there yet. Disk thread only */
	uint16_t shard;
	_Atomic bool expired;
	uint8_t marks;
	_Atomic uint8_t reading; /* READING_*, at the start */
	bool notified;
	bool engine_runs;
	uint8_t engine_units; /* room of the engine before the zone, in eights */
	uint8_t apex_labels;
	uint8_t apex_len;
	uint8_t apex[];
};

static inline struct zone *zone_noted_after(const struct zone *zone)
{
	return heap_placed(zone, zone->note_next);
}

/* The served version, as its owner has it. NULL: none. */
static inline struct snapshot *zone_served(const struct zone *zone)
{
	return heap_placed(zone, atomic_load_explicit(&zone->newest, memory_order_acquire));
}

/* Has readers see another version; who sees the place sees the tree. */
static inline void zone_set_newest(struct zone *zone, const struct snapshot *snap)
{
	struct node_handle roots[2] = { 0 };

	if (snap != NULL) {
		snapshot_roots(snap, roots);
	}
	atomic_store_explicit(&zone->root, roots[0].n, memory_order_relaxed);
	atomic_store_explicit(&zone->newest, heap_place(snap), memory_order_release);
}
