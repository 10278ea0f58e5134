/* SPDX-License-Identifier: MIT
 *
 * zonestore/store_p.h — the store's inside: what its files share.
 *
 * store.c is the owner shards' side; the disk thread begins in load.c, disk_run.c says when it
 * writes, disk.c what, drops.c what it removes. zones.c is the table, record.c the form of zones and
 * nodes in the journal. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "zonestore/node_p.h"
#include "zonestore/pace_p.h"
#include "zonestore/store.h"
#include "zonestore/wanted_p.h"
#include "zonestore/zone_p.h"
#include "zonestore/zones_p.h"

#define STORE_ASIDE_NS (2 * NS_PER_S) /* how long notes and removals wait for others */

/* A zone on its way out. */
struct removal {
	struct removal *next;
	struct zone *zone;
	struct epoch_item retire;
};

/* Numbers that wait, oldest first: at[first] to at[count - 1]. */
struct numbers {
	uint64_t *at;
	size_t first;
	size_t count;
	size_t cap;
};

/* What shards hand to the disk thread. */
struct store_queue {
	pthread_mutex_t lock; /* held for a few instructions */
	pthread_cond_t wake;
	struct commit *commits; /* oldest first */
	struct commit **commits_end;
	size_t commit_count; /* accepted and not yet answered */
	size_t fresh_count;  /* of those, not yet taken by the disk thread */
	struct zone *notes;
	struct removal *removals;
	bool stop;
	uint64_t sleeps_until_ns; /* the disk thread waits for `wake`; 0: it does not */
	uint64_t commit_at_ns;    /* when versions have their next transaction, if there are any */
	uint64_t aside_at_ns;     /* when notes and removals are taken; 0: there are none */
	bool drops_ready;         /* there are nodes to be removed */
};

/* Nodes that are gone, on their way off the disk (drops.c). A lock of its own: builders come, too. */
struct drops {
	pthread_mutex_t lock;
	struct numbers fresh;  /* as they came */
	struct numbers sorted; /* for the disk thread; nothing is added until it took them */
};

/* The thread that frees what nobody can see any more (disk_run.c). */
struct collector {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	uint64_t drops_since_ns; /* when the first of those that wait was seen; 0: none waits */
};

/* The disk thread's own. */
struct disk {
	struct commit *commits; /* taken from the queue, oldest first */
	struct commit **commits_end;
	struct zone *notes;
	struct removal *removals;
	struct numbers drops;
	struct numbers zone_drops;   /* records of the journal that belong to no zone */
	struct node_handle *written; /* numbered in the open transaction */
	size_t written_count;
	size_t written_cap;
	size_t bytes;      /* put in the open transaction */
	size_t room_bytes; /* so many may be */
	struct buffer value;
	uint64_t next_seq;
	uint32_t next_number;
	uint64_t began_ns; /* the open transaction */
	uint64_t retry_at_ns;
	struct pace pace;
	bool full; /* the last transaction had no room for all versions */
	unsigned participant;
	_Atomic int failing; /* enum err */
	_Atomic bool loading;
	_Atomic uint64_t zones_loaded;
	struct store_disk_stats counts; /* as they are now */
	pthread_mutex_t stats_lock;
	struct {
		struct journal_stats journal;
		struct store_disk_stats disk;
	} stats_told; /* after the last transaction */
};

struct store {
	struct store_options o;
	void **engines; /* of each shard */
	struct zone_map zones;
	struct subscriber subscribers[STORE_SUBSCRIBERS_MAX];
	unsigned subscriber_count;
	struct store_queue queue;
	struct drops drops;
	struct disk disk;
	struct collector collector;
	struct wanted wanted;
};

void numbers_add(struct numbers *n, uint64_t v);
void numbers_fini(struct numbers *n); /* empty from then on */

static inline size_t numbers_left(const struct numbers *n)
{
	return n->count - n->first;
}

/* ---- store.c and commit.c, for each other and the disk thread ---- */

/* Has the journal forget a zone and memory free it. queue.lock is held. */
void store_removal_push(struct store *st, struct zone *zone);

/* Wakes the disk thread if it would sleep longer than until then. queue.lock is held. */
void store_queue_wake(struct store *st, uint64_t due_ns);

void zone_timers_set(struct zone *zone, const struct zone_timers *timers);
void zone_free(struct zone *zone);
void store_note_push(struct store *st, struct zone *zone); /* queue.lock is held */

/* ---- disk.c ---- */

void disk_init(struct store *st);
void disk_fini(struct store *st);

/* Leaves a damaged journal for an empty one and has everything that is in memory written to it.
 * Disk thread, outside of transactions, within a turn of its participant (reset.c). */
MUST_USE enum err store_reset(struct store *st);

/* Has store_stats() tell what is so now. Disk thread. */
void disk_stats_update(struct store *st);

/* Is there anything left that was taken from the shards? */
bool disk_has_work(const struct disk *d);

/* One transaction, if there is anything to write; what is not urgent is taken over as well if
 * `aside`. False if there was nothing. */
bool disk_step(struct store *st, bool aside);

/* ---- drops.c ---- */

void drops_init(struct drops *drops);
void drops_fini(struct drops *drops);
void drops_forget(struct drops *drops);

/* Adds the number of a node that is gone. Any thread. */
void drops_add(struct drops *drops, uint64_t seq);

size_t drops_waiting(struct drops *drops);

/* Makes what came ready to be taken, unless something is. One thread: the one that frees. */
void drops_sort(struct drops *drops);

/* Takes what is ready, ascending; nothing if none is. Disk thread. */
struct numbers drops_take(struct drops *drops);
