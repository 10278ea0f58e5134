/* SPDX-License-Identifier: MIT
 *
 * transfer/pull_p.h — a session on the network: its request, its deadline, its commit.
 *
 * Ownership: new/free. A pull whose version is on the way to the disk outlives its zone's engine
 * object: see refresh.c. */
#pragma once

#include "transfer/conn_p.h"
#include "transfer/session_p.h"
#include "zonestore/store.h"

#define PULL_WAIT_S 60 /* for a connection to take the request */

struct refresh;
struct transfer;

struct pull {
	struct transfer *t; /* not to be looked at without an owner */
	struct io *io;
	struct refresh *owner; /* NULL: the engine is gone, the commit goes on by itself */
	void (*done)(struct pull *p);
	struct request request;
	struct session session;
	struct io_timer timer;
	uint64_t ended_ns;
	struct zonemd_check *check; /* of a version that came, while its digest is verified */
	/* Committing. */
	struct snapshot *snap; /* not taken by the store yet */
	struct commit commit;
	unsigned commit_tries;
	uint64_t delay_ms; /* to the next refresh */
	bool was_failing;
	void (*stopped)(void *self, struct zone *zone); /* the zone is to be let go after it */
	void *stopped_self;
};

/* Makes a session; `done` is called when it ended, whatever its state says then. */
struct pull *pull_new(struct transfer *t, const struct session_options *options,
                      void (*done)(struct pull *p), struct refresh *owner);

/* Asks the primary. `done` is called from in here only if the request cannot be composed; then the pull
 * is gone. */
void pull_begin(struct pull *p, struct primary *primary, bool urgent);

/* Ends what is under way, and frees; NULL is a no-op. Not while the store has its commit. */
void pull_free(struct pull *p);
