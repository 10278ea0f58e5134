/* SPDX-License-Identifier: MIT
 *
 * transfer/primary_p.h — the primaries of a shard: who waits for them, how much may run, how they
 * are.
 *
 * There is one object for each address, source address and key, however many zones it has. Zones
 * wait at it in lanes, once for a question over UDP (JOB_ASK) and once for a connection (JOB_PULL).
 * What runs is limited for each primary and in all; the last quarter of either limit is kept for
 * lanes before LANE_DUE, so that a sweep of refreshes or first loads never fills it.
 *
 * A primary to which no connection can be made is down for a while that doubles with each failure:
 * one attempt in that time costs it a packet, all others are answered from here.
 *
 * Ownership: primaries belong to the table; primary_get() and primary_put() count their users, and
 * one without users or connections may go. Links are fields of what waits. */
#pragma once

#include "dns/tsig.h"
#include "ring/io.h"

#define PRIMARY_DOWN_FIRST_S 1
#define PRIMARY_DOWN_MAX_S   10
#define PRIMARY_KEEP_S       600 /* what is known of an unused primary */
#define PRIMARY_BUCKETS      1024

enum lane {
	LANE_OPERATOR,
	LANE_NOTIFY,
	LANE_EXPIRING,
	LANE_DUE,
	LANE_FIRST,
	LANES,
};

enum job { JOB_ASK, JOB_PULL, JOBS };

/* A place in a circular list, or its head. */
struct link {
	struct link *next;
	struct link *prev;
};

struct conn;
struct primaries;

struct primary {
	struct primaries *all;
	struct addr addr;
	struct addr source;   /* family 0: any */
	struct tsig_key *key; /* referenced; NULL: unsigned */
	struct primary *chain;
	uint32_t users;
	uint32_t running[JOBS];
	struct link waiting[JOBS][LANES];
	struct link ready[JOBS][LANES]; /* in the table's list, while a lane may run */
	struct conn *conns;
	unsigned conn_count;
	/* Health. */
	unsigned failures; /* to connect, in a row */
	enum err last_error;
	uint64_t down_until_ns;
	uint64_t latency_ns; /* to connect, smoothed */
	uint64_t used_ns;
};

struct primaries {
	struct io *io;
	uint64_t seed;
	struct primary *buckets[PRIMARY_BUCKETS];
	uint32_t count;
	uint32_t sweep; /* the bucket to look through next */
	uint32_t running[JOBS];
	uint32_t running_max[JOBS];     /* in all */
	uint32_t per_primary_max[JOBS]; /* each */
	struct link ready[JOBS][LANES];
	unsigned idle_conns;
};

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}

static inline bool link_alone(const struct link *l)
{
	return l->next == l;
}

static inline void link_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}

void primaries_init(struct primaries *all, struct io *io);
/* Nobody uses or waits for a primary any more (asserted). */
void primaries_fini(struct primaries *all);

/* Finds or makes the primary; the caller is a user of it until primary_put(). */
struct primary *primary_get(struct primaries *all, const struct addr *addr,
                            const struct addr *source, struct tsig_key *key);
void primary_put(struct primary *p);

/* Puts `l`, which is alone, at the end of a lane / takes it out again. */
void primary_enqueue(struct primary *p, enum job job, enum lane lane, struct link *l);
void primary_dequeue(struct primary *p, enum job job, enum lane lane, struct link *l);

/* Takes the next that may run out of its lane, with a slot for it; NULL if none may. Among the
 * primaries of a lane it goes round. */
struct link *primaries_take(struct primaries *all, enum job job);

/* Gives a slot back. */
void primary_slot_end(struct primary *p, enum job job);

/* True while it is not worth trying. */
bool primary_down(const struct primary *p);

void primary_connected(struct primary *p, uint64_t latency_ns);
void primary_unreached(struct primary *p, enum err e);
