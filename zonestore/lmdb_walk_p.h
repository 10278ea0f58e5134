/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_walk_p.h — goes through all that an LMDB database has, for journal_lmdb.c.
 *
 * Results are LMDB's; MDB_CORRUPTED also for what LMDB itself would not notice. */
#pragma once

#include <lmdb.h>

#include "base/bytes.h"

#define LMDB_FREE_TABLE 0 /* LMDB's own */
#define LMDB_MAIN_TABLE 1
#define LMDB_TABLES     4 /* nodes, zones, meta, and the log */

/* What a walk through a table of numbers must meet: so many, each above the last. */
struct walk {
	uint64_t last; /* the number met last */
	size_t left;
	bool begun;
};

MUST_USE int walk_begin(struct walk *w, MDB_txn *txn, MDB_dbi dbi);
MUST_USE int walk_next(struct walk *w, const MDB_val *key);

/* Checks the list of free pages: LMDB believes it, and writes to what stands there. */
MUST_USE int walk_free_list(MDB_txn *txn);
MUST_USE int walk_free_pages(MDB_env *env); /* as things stand */

/* Looks at how long the file is, and says how large the map is. A file may end before its last page
 * only by pages that are free; reading any other one would kill us with SIGBUS. So the file is made
 * whole first, and cut again if it should not have been that short. */
MUST_USE int walk_file(MDB_env *env, uint64_t *map_bytes);

/* Reads all tables. They are all there, or none: they are made in one transaction. */
MUST_USE int walk_tables(MDB_env *env);
