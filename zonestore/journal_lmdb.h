/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_lmdb.h — the durable journal in a folder of the disk (LMDB).
 *
 * Commits are synchronous. The file's map grows by itself up to a limit. A lock file keeps a second
 * daemon away. After a commit failed the files are opened anew with the next begin(), so that a
 * full disk is a matter of trying again. A file of another format, one that is cut short, or one
 * that LMDB does not recognise is refused with a sentence for the operator. */
#pragma once

#include "zonestore/journal.h"

#define JOURNAL_START_BYTES (64ULL * 1024 * 1024)
#define JOURNAL_MAX_BYTES   (1ULL << 40) /* address space, not memory */

struct journal_lmdb_options {
	const char *path;          /* a folder; made, with its parents, for the owner alone */
	uint64_t size_start_bytes; /* mapped at first; 0: JOURNAL_START_BYTES */
	uint64_t size_max_bytes;   /* the database grows no further; 0: JOURNAL_MAX_BYTES */
};

/* Opens or makes the database. On failure `why` (of `why_cap` octets) is a sentence that names the
 * path: ERR_BUSY (another process has it), ERR_STORE_CORRUPT, ERR_DISK (also for an unknown
 * format), ERR_DISK_FULL, ERR_DISK_READONLY. */
MUST_USE enum err journal_lmdb_new(const struct journal_lmdb_options *options, struct journal **out,
                                   char *why, size_t why_cap);
