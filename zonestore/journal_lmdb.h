/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_lmdb.h — the durable journal in a folder of the disk (LMDB).
 *
 * Commits are synchronous. The file's map grows by itself up to a limit. A lock file keeps a second
 * daemon away. After a commit failed the files are opened anew with the next begin(), so that a
 * full disk is a matter of trying again.
 *
 * A file of another format, one that is cut short, or one
 * that LMDB does not recognise is refused with a sentence for the operator.
 *
 * A guarded database carries a mark from before it is opened until it was loaded. If the mark is
 * there at the start, the last one died, and another process reads everything first. A damaged
 * database is set aside, under another name, and an empty one takes its place. */
#pragma once

#include "base/env.h"
#include "zonestore/journal.h"

#define JOURNAL_START_BYTES (64ULL * 1024 * 1024)
#define JOURNAL_MAX_BYTES   (1ULL << 40) /* address space, not memory */

struct journal_lmdb_options {
	const char *path;          /* a folder; made, with its parents, for the owner alone */
	uint64_t size_start_bytes; /* mapped at first; 0: JOURNAL_START_BYTES */
	uint64_t size_max_bytes;   /* the database grows no further; 0: JOURNAL_MAX_BYTES */
	size_t log_most; /* records in the log before they are moved; 0: as a daemon has */
	/* Guards against damage that LMDB dies of: looks at the database in another process, by
	 * journal_lmdb_check(). ERR_STORE_CORRUPT if that found damage or died of it. NULL: no
	 * guard, and a damaged database is refused. */
	enum err (*check)(void *self, const char *path);
	void *check_self;
	const struct env *env; /* of a guarded one */
};

/* Opens or makes the database. On success `why` is empty, or the path where a damaged one was set
 * aside. On failure `why` (of `why_cap` octets) is a sentence that names the
 * path: ERR_BUSY (another process has it), ERR_STORE_CORRUPT, ERR_DISK (also for an unknown
 * format), ERR_DISK_FULL, ERR_DISK_READONLY. */
MUST_USE enum err journal_lmdb_new(const struct journal_lmdb_options *options, struct journal **out,
                                   char *why, size_t why_cap);

/* Reads all of a database that no process has open, but one that waits for this. Dies of some kinds
 * of damage, or takes for ever: call it in a process of its own. ERR_STORE_CORRUPT; all else is no
 * judgement about the database. */
MUST_USE enum err journal_lmdb_check(const char *path);
