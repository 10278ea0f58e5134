/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal.h — what the disk thread may ask of a durable store.
 *
 * Three tables: nodes by sequence number (written in ascending order, children before parents),
 * zones by number, and metadata by name. Writes happen inside begin/commit; after commit() returned
 * ERR_OK they survive a crash, before that none of them does. One thread. Two implementations: LMDB
 * (journal_lmdb.h), and memory with injected faults (journal_memory.h) for tests.
 *
 * Errors: what a put, drop or commit returns ends the transaction's chance: abort it (after
 * commit() it is over already). ERR_BUSY means that the journal has to grow first: begin and do it
 * all again at once. ERR_DISK_FULL, ERR_DISK_READONLY, ERR_DISK: try again later.
 * ERR_STORE_CORRUPT: the journal's own structure is damaged: reset() is the way on.
 *
 * At the start several threads may read, each through a reader of its own.
 *
 * Ownership: octets passed in are borrowed for the call; octets handed out are valid until the next
 * call on the journal, those given to a visitor until it returns. A visitor may call get_*, and
 * nothing else; an error it returns ends the scan and is the scan's. */
#pragma once

#include "base/bytes.h"

struct journal;

typedef enum err (*journal_visit)(void *self, uint64_t key, struct bytes value);

struct journal_stats {
	uint64_t used_bytes;    /* what is stored takes */
	uint64_t size_bytes;    /* of the file: with space to be used again */
	uint64_t limit_bytes;   /* which it may not exceed */
	uint64_t written_bytes; /* since the start; 0 if the system does not say */
	uint64_t commits;
};

/* Numbers of a table. */
struct journal_range {
	uint64_t first;
	uint64_t last;
	uint64_t count; /* 0: there is none */
};

/* Reads what was committed when it was opened, on any one thread at a time. Octets are good until it
 * is freed. While there is a reader nobody calls the journal. */
struct journal_reader;

struct journal_reader_ops {
	enum err (*get_node)(struct journal_reader *r, uint64_t seq,
	                     struct bytes *out); /* ERR_NOT_FOUND */
	enum err (*get_zone)(struct journal_reader *r, uint64_t number, struct bytes *out);
	/* Those from range.first to range.last, ascending; count does not matter. */
	enum err (*scan_zones)(struct journal_reader *r, struct journal_range range,
	                       journal_visit visit, void *self);
	/* All of them, ascending. ERR_STORE_CORRUPT also if they are not as many as there should be. */
	enum err (*scan_nodes)(struct journal_reader *r, journal_visit visit, void *self);
	void (*free)(struct journal_reader *r);
};

struct journal_reader {
	const struct journal_reader_ops *ops;
};

struct journal_ops {
	enum err (*begin)(struct journal *j);
	enum err (*commit)(struct journal *j); /* ends the transaction either way */
	void (*abort)(struct journal *j);
	enum err (*put_node)(struct journal *j, uint64_t seq, struct bytes value);
	enum err (*drop_node)(struct journal *j, uint64_t seq); /* absent is no error */
	enum err (*get_node)(struct journal *j, uint64_t seq,
	                     struct bytes *out); /* ERR_NOT_FOUND */
	enum err (*put_zone)(struct journal *j, uint64_t number, struct bytes value);
	enum err (*drop_zone)(struct journal *j, uint64_t number);
	enum err (*get_zone)(struct journal *j, uint64_t number, struct bytes *out);
	enum err (*put_meta)(struct journal *j, const char *name, struct bytes value);
	enum err (*get_meta)(struct journal *j, const char *name, struct bytes *out);
	enum err (*scan_nodes)(struct journal *j, journal_visit visit, void *self); /* ascending */
	enum err (*scan_zones)(struct journal *j, journal_visit visit, void *self);
	enum err (*zones_range)(struct journal *j, struct journal_range *out);
	enum err (*nodes_range)(struct journal *j, struct journal_range *out);
	enum err (*reader_new)(struct journal *j, struct journal_reader **out);
	/* Reading it at the start has ended, and nobody died of it. */
	void (*loaded)(struct journal *j);
	/* Puts the durable state aside, outside of transactions, and begins an empty one. `where` is
	 * where it is now. On failure nothing was put aside, or the next begin() tries to open it. */
	enum err (*reset)(struct journal *j, char *where, size_t where_cap);
	void (*stats)(struct journal *j, struct journal_stats *out);
	void (*free)(struct journal *j);
};

struct journal {
	const struct journal_ops *ops;
};
