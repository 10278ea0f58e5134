/* SPDX-License-Identifier: MIT
 *
 * transfer/transfer.h — one shard's engine that keeps its zones in step with their primaries.
 *
 * For each zone it runs refresh, retry and expire, asks primaries for news, pulls AXFR and IXFR,
 * and hands versions to the store; it judges NOTIFY and tells others of new versions. All calls are
 * on the shard's own thread. Transfers out are generators in transfer/xfr_out.h.
 *
 * Ownership: new/free. Zones are the store's; the engine hangs its own object on each it runs. */
#pragma once

#include "ring/io.h"
#include "transfer/policy.h"
#include "transfer/quota.h"
#include "zonestore/store.h"

struct transfer;

struct transfer_options {
	struct io *io;
	struct events *events;
	struct store *store;
	struct pool *pool;     /* of the store: builders make versions in it */
	struct epoch *epoch;   /* decides when a replaced policy is released; NULL: at once */
	unsigned sessions_max; /* transfers in at once on this shard; 0: 16384 */
	struct quotas *quotas; /* of all shards; NULL: this one is alone */
};

/* The engine's room in each zone (store_options.engine_bytes). */
unsigned transfer_zone_bytes(void);

MUST_USE enum err transfer_new(const struct transfer_options *options, struct transfer **out);

/* The daemon stops: what was told by NOTIFY and is not transferred yet goes to the store. Nothing else
 * follows but transfer_free(). */
void transfer_settle(struct transfer *t);

/* Ends every session at once and frees the engine; zones stay as they are. */
void transfer_free(struct transfer *t);

/* Begins to run a zone (its timers and versions are loaded). Takes a reference of the policy and
 * sets it on the zone. Spread: a refresh that is not due asks nothing. */
void transfer_zone_start(struct transfer *t, struct zone *zone, struct zone_policy *policy);

/* Replaces the policy; fetches again if zone_policy_refetch() says so. */
void transfer_zone_change(struct transfer *t, struct zone *zone, struct zone_policy *policy);

/* Ends whatever runs for the zone and then calls `done` (perhaps at once): from then on the engine
 * knows nothing of it, and store_remove() is allowed. */
void transfer_zone_stop(struct transfer *t, struct zone *zone,
                        void (*done)(void *self, struct zone *), void *self);

/* Operator: ask the primaries now; or fetch the whole zone by AXFR whatever the serial. */
void transfer_zone_refresh(struct transfer *t, struct zone *zone);
void transfer_zone_retransfer(struct transfer *t, struct zone *zone);

/* A NOTIFY that was allowed (any shard judged it, this one owns the zone): an intent that survives
 * a running or failing transfer. `serial` if the message told one (has_serial). */
struct transfer_notice {
	struct addr from;
	bool has_serial;
	struct serial serial;
};
void transfer_zone_notified(struct transfer *t, struct zone *zone, const struct transfer_notice *n);

enum transfer_zone_state {
	TRANSFER_ZONE_NEW,        /* nothing served yet, first load under way or due */
	TRANSFER_ZONE_OK,         /* served and confirmed */
	TRANSFER_ZONE_REFRESHING, /* served, and a primary is being asked or a transfer runs */
	TRANSFER_ZONE_FAILING,    /* the last attempt failed; served if there is a version */
	TRANSFER_ZONE_EXPIRED,    /* not served any more */
};

struct transfer_zone_report {
	enum transfer_zone_state state;
	bool busy;           /* a request or transfer of it is under way */
	struct addr primary; /* the last that confirmed or sent a version */
	char primary_name[64];
	struct addr differs; /* has the same serial with other content; family 0: none is known */
};

void transfer_zone_report(struct transfer *t, struct zone *zone, struct transfer_zone_report *out);

/* Judges an inbound NOTIFY (RFC 1996) for the zone and reads the serial it may tell. Any shard:
 * touches only the policy. ERR_NOT_ALLOWED, or wire errors. The answer is composed by the
 * dispatcher. */
MUST_USE enum err transfer_notify_judge(const struct zone *zone, const struct addr *from,
                                        const struct tsig_key *key, struct bytes message,
                                        struct transfer_notice *out);

/* Subscriber of the store, on the owner's shard: NOTIFY to the policy's targets. */
void transfer_on_publish(struct transfer *t, struct publish_event event);

/* How many NOTIFYs a second go to each target at most; 0: any number. Any thread. Default 10,000. */
void transfer_notify_rate(struct transfer *t, uint32_t per_second);

struct transfer_counts {
	uint64_t sessions; /* now */
	uint64_t transfers_done;
	uint64_t transfers_failed;
	uint64_t bytes_in;
	uint64_t soa_queries;
	uint64_t notifies_in;
	uint64_t notifies_out;
	uint64_t notifies_owed;    /* now: zones that targets are still to be told of */
	uint64_t notifies_dropped; /* of them, given up */
	uint64_t compared;         /* primaries with the same serial, by their content ... */
	uint64_t compared_differ;  /* ... which was not the same */
	uint64_t notify_silent;    /* now: targets that do not answer */
};

/* Lanes in which transfers wait, what comes first first. */
enum transfer_lane {
	TRANSFER_LANE_OPERATOR,
	TRANSFER_LANE_NOTIFY,
	TRANSFER_LANE_EXPIRING,
	TRANSFER_LANE_DUE,
	TRANSFER_LANE_FIRST,
	TRANSFER_LANES,
};

/* What a primary can do with a connection; each less than the one before. */
enum transfer_ability { TRANSFER_PIPELINED, TRANSFER_SERIAL, TRANSFER_SINGLE };

/* A primary as this shard knows it. Latencies are 0 while they are not known. */
struct transfer_primary_report {
	struct addr addr;
	bool down;
	bool trying;          /* down, and somebody tries whether it still is */
	uint64_t down_ns;     /* for so long */
	uint64_t next_try_ns; /* in so long; UINT64_MAX: when a zone wants something of it */
	enum err last_error;  /* to reach it; ERR_OK: there was none */
	uint64_t failed_ns;   /* so long ago */
	uint32_t connections;
	uint32_t connections_borne;       /* refused more; 0: it did not */
	uint32_t running[TRANSFER_LANES]; /* transfers */
	uint32_t waiting[TRANSFER_LANES];
	bool waiting_rough; /* too many in several lanes: the sum is right, shares may not be */
	uint32_t parked;    /* zones that wait until it is up */
	uint32_t asks_running, asks_waiting; /* questions over UDP */
	uint32_t window, asks_window;        /* at once, as it bears */
	enum transfer_ability ability;
	bool deaf;               /* does not answer over UDP */
	uint64_t connect_ns;     /* latency: to connect, smoothed */
	uint64_t answer_ns;      /* until a transfer's answer begins, smoothed ... */
	uint64_t rest_ns;        /* ... and at rest */
	uint64_t ask_ns;         /* of a question over UDP, smoothed */
	struct policy_pace pace; /* defaults filled in */
};

#define TRANSFER_PRIMARIES_PAGE 256 /* visited in one go, and a few more */

/* Visits those primaries that follow *place (0: the first) and moves it; false if there are no more.
 * The work is bounded, however many zones wait. In no order; one address may come more than
 * once (by source). Those that come or go between two calls may be missed. */
bool transfer_primaries(struct transfer *t, uint32_t *place,
                        void (*visit)(void *self, const struct transfer_primary_report *report),
                        void *self);

/* Readable from any thread (relaxed). */
void transfer_counts(const struct transfer *t, struct transfer_counts *out);
