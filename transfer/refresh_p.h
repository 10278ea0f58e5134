/* SPDX-License-Identifier: MIT
 *
 * transfer/refresh_p.h — the life of a zone: when its primaries are asked, and what comes of it.
 *
 * An attempt asks one primary in one way (method); a round goes through the primaries until one has
 * confirmed or sent a version. What is wanted of a zone (a NOTIFY, an operator's command) is
 * remembered as wants, which the next attempt takes up; a round that fails gives them back.
 *
 *	PARKED* --primary up, due, wanted--> IDLE
 *	  ^
 *	  | every primary failed, one is down
 *	  |
 *	IDLE* --due, wanted--> QUEUED* --slot--> ASKING* ----no news----> IDLE
 *	  ^                     ^  |               |
 *	  |                     |  |               | news, or TCP has to tell
 *	  |                     |  |               v
 *	  |   next primary or method <--failed--- QUEUED
 *	  |                     |  |
 *	  |                     |  +---slot---> PULLING* --no news--> IDLE
 *	  |                     +----failed-------+
 *	  |                                       v
 *	  +----------------------------------- COMMITTING*
 *
 * (* waits: IDLE, PARKED and QUEUED for what may take long, and for expiry; the others have deadlines.)
 *
 * Ownership: new/free by the engine; `struct zone` outlives it. */
#pragma once

#include "transfer/primary_p.h"
#include "transfer/pull_p.h"
#include "transfer/soa_query_p.h"
#include "transfer/transfer_p.h"
#include "zonestore/versions.h"

enum refresh_state {
	REFRESH_IDLE,
	REFRESH_QUEUED,
	REFRESH_ASKING,
	REFRESH_PULLING,
	REFRESH_COMMITTING,
	REFRESH_PARKED,
	REFRESH_STATES,
};

enum refresh_method {
	REFRESH_BY_SOA,  /* over UDP */
	REFRESH_BY_IXFR, /* tells both whether there is news and what */
	REFRESH_BY_AXFR,
};

/* What is wanted; a set. */
enum {
	WANT_REFRESH = 1,  /* ask now, by an operator */
	WANT_WHOLE = 2,    /* AXFR, whatever the serial */
	WANT_NEWS = 4,     /* a NOTIFY came */
	WANT_SERIAL = 8,   /* and told the serial in `notified` */
	WANT_REFETCH = 16, /* AXFR, whatever the serial, because the primaries changed */
	WANT_LOWER = 32,   /* AXFR of the primary whose serial is lower; of a round only */
};

/* A NOTIFY that is not satisfied after so long is noted in the store. Most are satisfied sooner, and
 * cost no write of their own. */
#define REFRESH_NOTE_MS 200

/* Marks. */
enum {
	ROUND_ELECTS = 1,   /* all are asked for their serials first; `lower` is who has the best */
	ROUND_ELECTED = 2,  /* they were, whether or not that is over */
	ROUND_HEARD = 4,    /* `last` has told its serial */
	ROUND_COMPARES = 8, /* nothing is wanted; the content of `first` is compared with ours */
	ZONE_DIFFERS = 16,  /* what was compared last was not the same */
	ZONE_AWAITS = 32,   /* nobody had `notified` yet; it is looked for soon */
};

/* In place of a primary to follow. */
enum {
	LOWER_NONE = UINT8_MAX,       /* there is none yet */
	LOWER_BARRED = UINT8_MAX - 1, /* nobody is followed: a primary has our serial */
};

struct refresh_query;

/* One a zone, so it is small. It is the room of the engine in it: the zone stands behind it. */
struct refresh {
	struct primary *primary; /* QUEUED, ASKING, PULLING, PARKED */
	union {
		struct link link;            /* QUEUED, PARKED */
		struct refresh_query *query; /* ASKING */
		struct pull *pull;           /* PULLING, COMMITTING */
	};
	struct due_item due;
	union {
		struct serial notified;
		struct serial best; /* the newest that was heard of, in a round that elects */
	};
	uint8_t state;
	uint8_t lane;
	uint8_t method;
	uint8_t wants;    /* not yet taken up */
	uint8_t serves;   /* taken up by the round that runs */
	uint8_t first;    /* primary that the round begins with */
	uint8_t tried;    /* primaries that failed in it */
	uint8_t failures; /* rounds in a row */
	uint8_t notifier; /* primary that the last NOTIFY came from */
	uint8_t last;     /* primary that last confirmed or sent a version */
	uint8_t error;    /* enum err of the last failed attempt of the round */
	uint8_t error_at; /* and its primary */
	uint8_t lower;    /* primary whose serial was lower than ours in this round; LOWER_... */
	uint8_t marks;    /* ROUND_..., ZONE_... */
	uint8_t differs;  /* primary with the same serial and other content, by ZONE_DIFFERS */
};

static_assert(sizeof(struct refresh) <= 48, "a million of them, and 16 octets each in the heap");
static_assert(offsetof(struct refresh, due) % 8 == 0, "due_p.h");
static_assert(DUE_REGION_BYTES >= STORE_REGION_BYTES, "zones stand there");
static_assert(ERR_COUNT <= UINT8_MAX, "fits");

static inline struct zone *refresh_zone(const struct refresh *z)
{
	return (struct zone *)((uintptr_t)z + sizeof(*z));
}

static inline struct transfer *refresh_engine(const struct refresh *z)
{
	return zone_shard_engine(refresh_zone(z));
}

/* ---- for the engine ---- */

void refresh_start(struct transfer *t, struct zone *zone);

/* Ends what runs; frees. With a commit under way that happens later; `done` is called then. */
void refresh_stop(struct refresh *z, void (*done)(void *self, struct zone *zone), void *self);

/* Ends what runs, at once, and frees; a commit under way is left to itself. */
void refresh_drop(struct refresh *z);

/* Takes up something wanted (a set); remembered if it cannot begin now. */
void refresh_want(struct refresh *z, uint8_t wants);
void refresh_notified(struct refresh *z, const struct transfer_notice *n);

/* Notes what a NOTIFY told and nothing satisfied yet, if it is not noted. */
void refresh_settle(struct refresh *z);

/* The policy changed; `refetch`: so did the primaries, and what runs with the old ones ends. */
void refresh_policy_changed(struct refresh *z, bool refetch);

/* The zone wants attention, as the heap has it. */
void refresh_due(struct refresh *z);

/* The primary at which the zone is parked is up, or wants to be tried. */
void refresh_wake(struct refresh *z);

/* A slot was taken for the zone: begins its attempt (attempt.c). */
void refresh_run(struct refresh *z);

void refresh_report(const struct refresh *z, struct transfer_zone_report *out);

/* ---- between refresh.c and attempt.c ---- */

void refresh_move(struct refresh *z, enum refresh_state to);
const struct zone_policy *refresh_policy(const struct refresh *z);

/* The primary of the attempt at hand, and its entry in the policy. */
unsigned refresh_primary_index(const struct refresh *z);
const struct policy_primary *refresh_primary(const struct refresh *z);

enum job refresh_job(const struct refresh *z);

/* Waits for a slot, with the method set. */
void refresh_enqueue(struct refresh *z);

/* Ends what the attempt uses: slot, primary, query, pull. */
void attempt_end(struct refresh *z);

/* What came of an attempt that is ended. */
void refresh_no_news(struct refresh *z, const struct addr *primary);
void refresh_attempt_failed(struct refresh *z, enum err e);

/* The primary's serial is lower than ours: the attempt failed, but at the end of the round the
 * primary may be followed. */
void refresh_lower(struct refresh *z, enum err e);
void refresh_committed(struct refresh *z, uint64_t delay_ms, bool was_failing);
void refresh_commit_failed(struct refresh *z, enum err e);

/* Fills in the timers of a zone that a primary has just confirmed or sent; returns the delay to the
 * next refresh. */
uint64_t refresh_timers_fresh(const struct refresh *z, const struct snapshot *snap,
                              struct zone_timers *timers);

/* Lets go of the zone: the last step of stopping. */
void refresh_release(struct refresh *z);

/* Drops a commit that the store does not have yet; false if it has it. */
MUST_USE bool attempt_uncommit(struct refresh *z);
