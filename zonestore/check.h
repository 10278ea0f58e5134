/* SPDX-License-Identifier: MIT
 *
 * zonestore/check.h — verifies every node, reference and count, on the disk and in memory.
 *
 * What is found is told a line each, for people, and after CHECK_TOLD_MAX lines only counted. Damage
 * never harms who looks for it, but for what LMDB itself dies of: a database is looked at in a
 * process of its own.
 *
 * Ownership: everything is borrowed for the call. */
#pragma once

#include "base/env.h"
#include "zonestore/builder.h"
#include "zonestore/journal.h"

#define CHECK_TOLD_MAX 1000
#define CHECK_LINE_MAX 512
#define CHECK_TELL_S   5 /* between lines that say how far it is */

struct check_sink {
	/* False: nobody listens; stop. Asked often, with NULL for the line, where nothing is told. */
	bool (*tell)(void *self, const char *line);
	void *self;
	const struct env *env;
};

/* Verifies what a journal has: every value is well formed; children and roots are there, were
 * written before, and are what is said of them; what versions count is what is there. Takes about 60
 * octets of memory a node. ERR_OK: all is well; ERR_STORE_CORRUPT: it was told; ERR_STOPPING: nobody
 * listens; others: it could not be read. */
MUST_USE enum err check_journal(struct journal *j, const struct check_sink *sink);

/* Verifies versions in memory and all that they refer to: nodes hash to their ids, nodes and bodies
 * are interned once, references are not fewer than those found, counts are right. Other threads may
 * go on. The versions are held by the caller. Results as above. */
MUST_USE enum err check_memory(struct pool *pool, const struct snapshot *const *snaps, size_t count,
                               const struct check_sink *sink);
