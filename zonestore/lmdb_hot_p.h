/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_hot_p.h — records of zones that change again and again, for the doors to LMDB.
 *
 * The page that names the roots of all tables is written with every transaction anyway. A few records
 * of zones have room in it, so that a zone changed alone costs no pages of the table of zones. A zone
 * whose record stands there has one in the table too, which is older: whoever reads the table asks
 * here as well. The record that was put there first leaves first, into the log (lmdb_log_p.h).
 *
 * Results are LMDB's. */
#pragma once

#include <lmdb.h>

#include "base/bytes.h"
#include "zonestore/lmdb_log_p.h"

#define LMDB_HOT_MAX       8    /* records */
#define LMDB_HOT_VALUE_MAX 1600 /* octets of one */
#define LMDB_HOT_BYTES     3300 /* of all, with what LMDB adds: they stay in one page */

struct lmdb_hot {
	MDB_dbi zones;
	unsigned count;
	struct {
		uint64_t number;
		size_t bytes; /* in the page */
	} at[LMDB_HOT_MAX];   /* oldest first */
};

/* Finds out which there are, and checks what stands beside the roots, when all tables are there. */
MUST_USE int lmdb_hot_load(MDB_txn *txn, MDB_dbi zones, struct lmdb_hot *hot);

/* Puts the record of a zone, of LMDB_HOT_VALUE_MAX octets at most, here. The table has one of it, the
 * log has none. */
MUST_USE int lmdb_hot_put(struct lmdb_hot *hot, MDB_txn *txn, uint64_t number, struct bytes value,
                          struct lmdb_log *log);

/* Removes the record of a zone; none is no error. */
MUST_USE int lmdb_hot_drop(struct lmdb_hot *hot, MDB_txn *txn, uint64_t number);

/* Replaces the value that the table has of a zone by the one here, if there is one. */
MUST_USE int lmdb_hot_value(MDB_txn *txn, uint64_t number, MDB_val *value);
