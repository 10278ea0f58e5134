/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_view.h — a database as it stood at one moment, whoever writes to it meanwhile.
 *
 * A journal (journal.h) that only reads: scans, gets and stats; the rest is not there. It is one read
 * transaction of LMDB from beginning to end, so a daemon may use the database at the same time, but
 * not in the same process. While it lasts, the daemon uses no page of that moment again. */
#pragma once

#include "zonestore/journal.h"

/* Opens the database in the folder. On failure `why` is a sentence: ERR_NOT_FOUND (there is none),
 * ERR_BUSY (no more readers), ERR_STORE_CORRUPT, ERR_DISK. Damage may kill the process, here and with
 * every call: use a process of its own. */
MUST_USE enum err journal_view_new(const char *path, struct journal **out, char *why,
                                   size_t why_cap);
