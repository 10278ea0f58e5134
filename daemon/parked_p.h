/* SPDX-License-Identifier: MIT
 *
 * daemon/parked_p.h — questions that wait for their zone to be read from the database.
 *
 * At the start the daemon answers before all zones are in memory. A question about one that is not
 * yet has it read at once (zonestore/wanted.h) and waits here, for a while and among a bounded number
 * of others; beyond either it is answered as if the zone had no version.
 *
 * Ownership: a parking is its server's and used on its shard only. What is parked is the parking's;
 * the one who parked it may hold on to it until it resumes or is forgotten. */
#pragma once

#include "daemon/daemon_p.h"
#include "zonestore/wanted.h"

#define PARKED_MAX       1024       /* questions a shard */
#define PARKED_MAX_BYTES (1U << 20) /* of their messages */
#define PARKED_WAIT_MS   4000       /* then clients give up (resolver(5): 5 s) */

struct parked;

struct parking {
	struct shard *shard;
	struct parked *first;
	size_t count;
	size_t bytes;
};

struct parked {
	void (*resume)(struct parked *p); /* once: look again, with what there is by then */
	void *owner;
	struct addr peer;
	struct addr local;
	struct bytes message; /* its own copy */
	/* private from here */
	struct parking *lot;
	struct store_wanted wanted;
	struct io_timer timer;
	bool resumed; /* or nobody cares any more */
	struct parked *next;
	struct parked **back;
	uint8_t octets[];
};

/* Parks a copy of `like` (its first five fields) until the zone is read. NULL: do not wait. */
struct parked *parked_new(struct parking *lot, struct zone *zone, const struct parked *like);

/* Has it never resume. */
void parked_forget(struct parked *p);

/* Forgets all that waits; nothing is parked any more. */
void parking_close(struct parking *lot);

/* Frees what still waits. No mail comes any more. */
void parking_fini(struct parking *lot);
