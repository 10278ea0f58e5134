/* SPDX-License-Identifier: MIT
 *
 * daemon/process_p.h — the process as the system sees it: whom it runs as, and who watches it. */
#pragma once

#include "base/bytes.h"

/* Gives up root for `user` (a name); a no-op if not root or no user. */
MUST_USE enum err process_drop(const char *user, char *why, size_t why_cap);

/* Makes a directory (and its parents) that `user` may write. */
MUST_USE enum err process_make_dir(const char *path, const char *user, char *why, size_t why_cap);

/* Takes as many file descriptors as the hard limit allows. */
void process_raise_limits(void);

/* Has another process of this program read a database (journal_lmdb_check()), with a time limit that
 * grows with the database. ERR_STORE_CORRUPT if it found damage, died of it, or ran out of time; what
 * else it says is no judgement about the database. */
MUST_USE enum err process_check_database(void *self, const char *path);

/* Seconds that reading all of a database may take. */
unsigned process_check_limit_s(const char *path);

/* True for the wait(2) status of a process that a signal ended of which damage can be the cause. */
bool process_died_of_damage(int status);

/* What that other process does. Returns its exit status. */
int process_database_checker(const char *path);

/* Tells the service manager ("READY=1", "STOPPING=1", ...) if there is one (sd_notify(3)). */
void process_notify(const char *state);
