/* SPDX-License-Identifier: MIT
 *
 * zonestore/store_stats.h — what the store says of itself: how much there is, what the disk does.
 *
 * Counts are since the start of the process. Any thread may ask. */
#pragma once

#include "base/durations.h"
#include "zonestore/builder.h"
#include "zonestore/journal.h"

struct store;

/* The disk thread's work. */
struct store_disk_stats {
	uint64_t updates; /* versions made durable */
	uint64_t notes;   /* records of zones written for their timers alone */
	uint64_t nodes_written;
	uint64_t nodes_dropped;
	uint64_t drops_waiting;   /* nodes that nobody needs and that are still on the disk */
	uint64_t value_bytes;     /* given to the journal, without what it adds */
	uint64_t failures;        /* transactions that failed */
	struct durations wait;    /* from store_commit() to the beginning of its transaction */
	struct durations durable; /* from store_commit() until the version would survive a crash */
	struct durations transactions;
};

struct store_stats {
	struct pool_stats pool;
	struct journal_stats journal;
	struct store_disk_stats disk;
	uint64_t zones;
	uint64_t zones_loaded;
	uint64_t commits_waiting;
	bool loading;
	bool failing;
};

void store_stats(struct store *st, struct store_stats *out);
