/* SPDX-License-Identifier: MIT
 *
 * zonestore/guard_p.h — the files beside a database that say how it fares.
 *
 * "loading" stands in the folder from before the database is opened until all of it was read: who
 * finds it at the start knows that the last one died on the way. "data.mdb.damaged-N" is a database
 * that was set aside at second N; the newest few are kept. */
#pragma once

#include "base/bytes.h"

#define GUARD_KEPT_MAX 3 /* databases set aside */
#define GUARD_FILE     "data.mdb"

bool guard_marked(const char *folder);

/* Makes the mark, durably, or takes it away. A disk that does not let us is no worse than before. */
void guard_mark(const char *folder);
void guard_unmark(const char *folder);

/* True if the version of LMDB that a database is for stands there in two ways: then it is damaged, and
 * not for another version. */
bool guard_versions_differ(const char *folder);

/* Renames the database, which nobody has open, and removes the oldest of those set aside before.
 * `where` becomes the path of it. ERR_DISK, ERR_DISK_READONLY: it is where it was. */
MUST_USE enum err guard_set_aside(const char *folder, int64_t now_s, char *where, size_t where_cap);

/* Makes the folder and its parents. Returns 0, or the error of the system. */
MUST_USE int guard_folder(const char *folder);

/* Makes new names in the folder durable. */
void guard_sync(const char *folder);
