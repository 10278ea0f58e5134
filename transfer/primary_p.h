/* SPDX-License-Identifier: MIT
 *
 * transfer/primary_p.h — the primaries of a shard: who waits for them, how much may run, how they
 * are.
 *
 * There is one object for each address and source address, however many zones and keys it has. Zones
 * wait at it in lanes, once for a question over UDP (JOB_ASK) and once for a transfer (JOB_PULL). How
 * many run at once is found out (window_p.h), below what the operator allows (policy_pace, counted
 * over all shards in quota.h). Of what may run, for each primary and in all, every lane has a share
 * kept for it (lanes_p.h).
 *
 * A primary that does not answer is down: zones that want something of it fail at once and park here.
 * One of them at a time tries, after a while that doubles; when it has an answer, all are woken.
 *
 *	UP --unreached--> DOWN* --time, or a hint--> PROBED* --answered--> UP
 *	                   ^---------unreached, lost----'
 *
 * Ownership: primaries belong to the table; primary_get() and primary_put() count their users, and
 * one without users or connections may go. Links are fields of what waits. */
#pragma once

#include "ring/io.h"
#include "transfer/lanes_p.h"
#include "transfer/policy.h"
#include "transfer/quota.h"
#include "transfer/window_p.h"

#define PRIMARY_DOWN_FIRST_S 1
#define PRIMARY_DOWN_MAX_S   20
#define PRIMARY_KEEP_S       86400 /* what is known of an unused primary */
#define PRIMARY_LEARN_S      86400 /* until it is tried whether it can do more by now */
#define PRIMARY_BEARS_S      600   /* until more connections are tried again */
#define PRIMARY_DEAF_S       600   /* until a primary that is silent over UDP is asked so again */
#define PRIMARY_AGAIN_MS     20    /* until a shard tries again that the quota refused */
#define PRIMARY_ASKS_MAX     256   /* questions over UDP at once */
#define PRIMARY_BUCKETS      1024

enum job { JOB_ASK, JOB_PULL, JOBS };

enum primary_health { PRIMARY_UP, PRIMARY_DOWN, PRIMARY_PROBED };

/* What it can do with a connection; each less than the one before. */
enum primary_ability {
	ABILITY_PIPELINE, /* many requests, answered in any order (RFC 7766 §6.2.1.1) */
	ABILITY_SERIAL,   /* one after the other */
	ABILITY_SINGLE,   /* one, then it closes */
};

enum primary_news { PRIMARY_WENT_DOWN, PRIMARY_CAME_UP, PRIMARY_CAN_LESS };

struct conn;
struct request;
struct primaries;

/* Requests that no connection has taken yet, oldest first. */
struct request_queue {
	struct request *first;
	struct request **end;
};

struct primary {
	struct primaries *all;
	struct addr addr;
	struct addr source; /* family 0: any */
	struct quota *quota;
	struct policy_pace pace;
	struct primary *chain;
	uint32_t users, waiting_count[JOBS]; /* these in all lanes */
	/* What waits and runs. */
	struct slots slots[JOBS];
	struct window windows[JOBS];
	struct link waiting[JOBS][LANES];
	struct link ready[JOBS][LANES]; /* in the table's list, while a lane may run */
	bool blocked[2];                /* by its pace, until the timer; [1]: what is urgent */
	struct io_timer pace_timer;
	/* Connections: conn.c's. */
	struct conn *conns;
	unsigned conn_count;
	unsigned urgent_count;          /* of them, kept for what is urgent */
	struct request_queue unsent[2]; /* [1]: urgent */
	struct io_timer conn_timer;     /* no connection could be had: try again */
	bool wants_conn;                /* told the quota so */
	bool heard;                     /* has answered over TCP since it was down */
	unsigned mute;                  /* connections in a row that closed without a word */
	uint32_t conn_bears;            /* connections it was seen to bear; 0: not known */
	uint64_t bears_ns;              /* when */
	enum primary_ability ability;
	uint64_t learned_ns;    /* when ability changed last */
	unsigned strikes;       /* connections in a row that speak for less ability */
	uint64_t strike_ns;     /* the last one that only lost requests */
	uint64_t deaf_until_ns; /* does not answer over UDP: asked over TCP until then */
	bool reorders;      /* was seen to answer later requests first, and the others after them */
	bool tells_by_ixfr; /* answered an IXFR that brings no news with its SOA alone */
	/* Health. */
	enum primary_health health;
	unsigned failures; /* to reach it, in a row */
	enum err last_error;
	uint64_t failed_ns, down_since_ns; /* the last time, the first */
	uint64_t down_until_ns;
	uint64_t latency_ns;       /* to connect, smoothed */
	const struct link *prober; /* PROBED: who tries */
	struct io_timer probe_timer;
	bool probe_due;
	struct link parked;
	struct link wake; /* in the table's list, while parked ones are to be woken */
	uint64_t used_ns;
};

/* The engine, told of what it has to do or say. Any may be NULL. */
struct primaries_owner {
	void *self;
	void (*changed)(void *self); /* something may run that could not */
	void (*tell)(void *self, const struct primary *p, enum primary_news news);
};

struct primaries {
	struct io *io;
	uint64_t seed;
	struct quotas *quotas; /* borrowed, or its own */
	struct quotas *quotas_own;
	struct primaries_owner owner;
	struct primary *buckets[PRIMARY_BUCKETS];
	uint32_t count;
	uint32_t sweep; /* the bucket to look through next */
	struct slots slots[JOBS];
	uint32_t slots_max[JOBS]; /* in all */
	uint32_t takes[JOBS];
	struct link ready[JOBS][LANES];
	struct link wakes; /* primaries with parked ones to wake */
	struct link dirty; /* connections with something to send: conn.c's */
	unsigned idle_conns;
};

/* `quotas` NULL: this shard is alone. */
void primaries_init(struct primaries *all, struct io *io, struct quotas *quotas);
/* Nobody uses or waits for a primary any more (asserted). */
void primaries_fini(struct primaries *all);

/* Finds or makes the primary, with the pace set last; the caller is a user of it until primary_put(). */
struct primary *primary_get(struct primaries *all, const struct policy_primary *like);
void primary_put(struct primary *p);

/* Puts `l`, which is alone, at the end of a lane / takes it out again. */
void primary_enqueue(struct primary *p, enum job job, enum lane lane, struct link *l);
void primary_dequeue(struct primary *p, enum job job, struct link *l);

/* Takes the next that may run out of its lane, with a slot for it; NULL if none may. Among the
 * primaries of a lane it goes round. */
struct link *primaries_take(struct primaries *all, enum job job);

/* Gives a slot back. */
void primary_slot_end(struct primary *p, enum job job, enum lane lane);

/* Something that decides how much may run has changed. */
void primary_update(struct primary *p);

/* How many connections there may be, by pace and by what was learned. */
uint32_t primary_conns_max(const struct primary *p);

/* ---- health ---- */

static inline bool primary_down(const struct primary *p)
{
	return p->health != PRIMARY_UP;
}

/* May what `l` belongs to try? If the primary is down, it is the one that does, when the time has come
 * or it is `eager`: it has reason to believe that the primary is back. */
bool primary_admits(struct primary *p, const struct link *l, bool eager);

/* The attempt that `l` began is over, whatever came of it. */
void primary_probe_over(struct primary *p, const struct link *l);

/* Something speaks for its being back: it is tried soon, though not more often than once a second. */
void primary_hint(struct primary *p);

/* It said nothing to a question over UDP, or did. */
void primary_heard_udp(struct primary *p, bool heard);
static inline bool primary_deaf(const struct primary *p)
{
	return p->deaf_until_ns > io_now_ns(p->all->io);
}

void primary_connected(struct primary *p, uint64_t latency_ns);
/* Octets came from it. */
void primary_answered(struct primary *p);
/* It could not be reached, or did not say a word. Faults of ours do not count. */
void primary_unreached(struct primary *p, enum err e);

/* Has `l`, which is alone, wait until the primary, which is down (asserted), is up. */
void primary_park(struct primary *p, struct link *l);

/* One that is parked and has reason to try: its primary is up, or wants to be probed. The caller takes
 * it off the list. NULL if there is none. */
struct link *primaries_wake(struct primaries *all);

const char *primary_ability_print(enum primary_ability ability);
/* Learns that it can do less than was thought. */
void primary_can(struct primary *p, enum primary_ability ability);
void primary_bears(struct primary *p, uint32_t conns);
