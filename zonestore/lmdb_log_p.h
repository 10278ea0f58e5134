/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_log_p.h — records of zones in the order in which they came, for the doors to LMDB.
 *
 * Zones that change under load stand anywhere in the table of zones: each costs a page, which is
 * most of what its update costs. So their records go to the end of a table of their own, as many to a
 * page as have room, and much later, when there are many to each page of the table of zones, into
 * that in order of their numbers. A few are moved with each transaction, so that none takes long.
 *
 *	put -> log: entries 1, 2, 3 ... -> when there are many, all zones' newest, sorted
 *	                                     -> table of zones, some with each transaction
 *	                                          -> those entries are removed
 *
 * As long as there is an entry of a zone, the newest one says what its record is: it, or, if it is
 * empty, the one in the table of zones. A zone is never in the log before it is in the table. Entries
 * are numbered without gaps; in front of its record each has the zone's number and its complement. What
 * is in memory is only where each zone's newest entry is.
 *
 * Results are LMDB's; MDB_CORRUPTED also for a log that has gaps.
 *
 * Ownership: init/fini. */
#pragma once

#include <lmdb.h>

#include "base/bytes.h"

#define LMDB_LOG_NAME      "recent"
#define LMDB_LOG_MOST      32768U /* entries, before they are moved, unless told otherwise */
#define LMDB_LOG_VALUE_MAX 1800U  /* octets of a record: two entries to a page at least */

/* Where the newest entry of a zone is. */
struct log_slot {
	uint64_t number;
	uint64_t entry; /* 0: the slot is free */
};

struct lmdb_log {
	MDB_dbi dbi;
	MDB_dbi zones;
	size_t most;    /* entries, before they are moved; 0: LMDB_LOG_MOST */
	uint64_t first; /* entry that is there; equal to `next`: none is */
	uint64_t next;
	struct log_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t used;
	uint64_t *moving; /* numbers of zones, ascending */
	size_t moving_count;
	size_t moving_at;     /* the next one to be moved */
	uint64_t moving_end;  /* entries below it are moved */
	uint64_t moved_below; /* entries below it may be removed */
	size_t appended;      /* in the open transaction */
	uint64_t touched;     /* pages of the map, at most, since whoever counts them cleared it */
};

/* Finds out what there is. What was known of it is forgotten in any case, but for `most`. */
MUST_USE int lmdb_log_load(struct lmdb_log *log, MDB_txn *txn, MDB_dbi dbi, MDB_dbi zones);
void lmdb_log_fini(struct lmdb_log *log); /* `most` stays */

/* Is there an entry of that zone? */
bool lmdb_log_has(const struct lmdb_log *log, uint64_t number);

/* Appends a record; an empty one says that the table of zones has it. After a failure, or if the
 * transaction is not committed, the log has to be loaded again. */
MUST_USE int lmdb_log_put(struct lmdb_log *log, MDB_txn *txn, uint64_t number, struct bytes value);

/* Moves and removes some of what there is, at the end of a transaction. */
MUST_USE int lmdb_log_tend(struct lmdb_log *log, MDB_txn *txn);

/* Replaces the value that the table has of a zone by the one here, if there is one. */
MUST_USE int lmdb_log_value(const struct lmdb_log *log, MDB_txn *txn, uint64_t number,
                            MDB_val *value);
