/* SPDX-License-Identifier: MIT
 *
 * transfer/transfer_p.h — the engine of a shard, as its parts see it. */
#pragma once

#include <stdatomic.h>

#include "transfer/ask_p.h"
#include "transfer/due_p.h"
#include "transfer/notify_out_p.h"
#include "transfer/primary_p.h"
#include "transfer/transfer.h"

#define SESSIONS_MAX 16384 /* transfers in at once on this shard, default */
#define ASKS_MAX     1024
#define COMMITS_MAX  2048 /* versions on the way to the disk, of one shard: others wait as long */
#define PUMP_MAX     256  /* attempts begun, or zones looked at, in a row */
#define WAKES_MAX    1024 /* zones woken in a row */

struct transfer_counters {
	_Atomic uint64_t transfers_done;
	_Atomic uint64_t transfers_failed;
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t soa_queries;
	_Atomic uint64_t notifies_in;
	_Atomic uint64_t notifies_out;
	_Atomic uint64_t notifies_owed;
	_Atomic uint64_t notifies_dropped;
	_Atomic uint64_t notify_silent;
	_Atomic uint64_t compared;
	_Atomic uint64_t compared_differ;
	_Atomic uint64_t sessions;
};

struct transfer {
	struct transfer_options options;
	struct io *io;
	struct events *events;
	struct primaries primaries;
	struct asks asks;
	struct notifier notifier;
	struct due due; /* every zone */
	struct io_timer due_timer;
	struct io_timer pump_timer;
	bool stopping;
	unsigned committing;
	unsigned comparing; /* zones whose primaries are being compared */
	struct transfer_counters counts;
	struct rr_scratch scratch; /* of whoever reads a record or an SOA, for that call */
};

/* One writer, any reader. */
static inline void transfer_count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
	                      memory_order_relaxed);
}

/* Has what may run begin at the end of this turn; afterwards the timer of what is due stands right. To
 * be called after everything that comes from outside. */
void transfer_pump(struct transfer *t);

/* Replaces the zone's policy (takes a reference; NULL: none); the old one is released when no shard
 * can be reading it. */
void transfer_policy_set(struct transfer *t, struct zone *zone, struct zone_policy *policy);
