/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_read_p.h — readers of an LMDB database for threads beside the disk thread, for
 * journal_lmdb.c.
 *
 * Results of functions are LMDB's. */
#pragma once

#include <lmdb.h>

#include "zonestore/journal.h"
#include "zonestore/lmdb_zones_p.h"

/* How many numbers a table has, the least and the greatest. */
MUST_USE int lmdb_table_range(MDB_txn *txn, MDB_dbi dbi, struct journal_range *out);

/* Opens a reader: a transaction of its own. The environment was opened with MDB_NOTLS. `zones` is
 * borrowed for as long as the reader lives. */
MUST_USE int lmdb_read_new(MDB_env *env, MDB_dbi nodes, const struct lmdb_zones *zones,
                           struct journal_reader **out);
