/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_zones_p.h — records of zones, wherever they stand, for journal_lmdb.c.
 *
 * There are three places: the table, in order of the zones' numbers; beside the roots of the tables
 * (lmdb_hot_p.h), where a zone changed alone costs nothing; the log (lmdb_log_p.h), where many cost
 * little. A zone is in the table in any case; in one of the others at most is a newer record:
 *
 *	new zone ............................. table
 *	in the log, or with others ........... log
 *	alone ................................ beside the roots -> log, when others need the room
 *	too long for these ................... table
 *
 * Whether a zone changes alone is known at the end of a transaction: the first ones wait for it.
 *
 * Results are LMDB's.
 *
 * Ownership: fini; cleared octets are empty, `log.most` set by whoever wants to. */
#pragma once

#include "zonestore/lmdb_hot_p.h"
#include "zonestore/lmdb_log_p.h"

#define LMDB_ZONES_ALONE 2U /* of a transaction; with more of them, pages are shared anyway */

/* A record that waits for the end of its transaction. */
struct zone_waiting {
	uint64_t number;
	size_t len;
	uint8_t octets[LMDB_HOT_VALUE_MAX];
};

struct lmdb_zones {
	MDB_dbi dbi;
	uint64_t last; /* highest number ever put: above it, MDB_APPEND fills pages */
	struct lmdb_hot hot;
	struct lmdb_log log;
	uint64_t *known; /* a bit for each number: the table is known to have it */
	size_t known_words;
	uint64_t touched; /* pages of the map, at most, since whoever counts them cleared it */
	/* the open transaction */
	bool shared; /* more than a few zones have their records changed: nothing waits */
	unsigned waiting_count;
	struct zone_waiting waiting[LMDB_ZONES_ALONE];
	bool undone; /* the last one was not committed: the log is to be loaded again */
	uint64_t last_before;
	struct lmdb_hot hot_before;
};

void lmdb_zones_fini(struct lmdb_zones *z); /* `log.most` stays */

/* Finds out what there is, once all tables are there. `last` is kept if it is higher. */
MUST_USE int lmdb_zones_load(struct lmdb_zones *z, MDB_txn *txn, MDB_dbi dbi, MDB_dbi log);

/* Before what a transaction does. */
MUST_USE int lmdb_zones_begin(struct lmdb_zones *z, MDB_txn *txn);

/* Before what is read after a transaction that was not committed. */
MUST_USE int lmdb_zones_refresh(struct lmdb_zones *z, MDB_txn *txn);

void lmdb_zones_undo(struct lmdb_zones *z); /* it was not committed */

/* At the end of a transaction; what is not urgent as well if `tend`. */
MUST_USE int lmdb_zones_end(struct lmdb_zones *z, MDB_txn *txn, bool tend);

MUST_USE int lmdb_zones_put(struct lmdb_zones *z, MDB_txn *txn, uint64_t number,
                            struct bytes value);
MUST_USE int lmdb_zones_drop(struct lmdb_zones *z, MDB_txn *txn, uint64_t number);

/* Replaces the value that the table has of a zone by a newer one, if there is one. */
MUST_USE int lmdb_zones_value(const struct lmdb_zones *z, MDB_txn *txn, uint64_t number,
                              MDB_val *value);
