/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_out_p.h — tells others of new versions (RFC 1996).
 *
 * A target is an address, a source address and a key. It owes itself a list of zones that it is
 * still to be told of (owed_p.h), each once and the oldest first: what is sent tells of the newest
 * version. So many notices are under way at once, more with each answer, and no more than
 * `notify-rate` a second.
 *
 *	ANSWERS* --no answer to anything for NOTIFY_SILENT_S--> SILENT* --probe--> PROBED*
 *	   ^                                                      ^                   |
 *	   |                                                      +-----no answer-----+
 *	   +---------------------------an answer--------------------------------------+
 *
 * A silent target costs one datagram a probe, at intervals that double up to NOTIFY_PROBE_MAX_S,
 * and 12 to 24 octets for each zone it is to be told of when it answers again. Zones wait at it as
 * long as there is room: a silent target may take half of the room that the others leave, two a
 * third each, and so on. What finds none, and what a target did not answer to for NOTIFY_GIVE_UP_S,
 * is dropped and counted: the target's own refresh has to find it.
 *
 * (* waits; ANSWERS for NOTIFY_SILENT_S with something under way, PROBED for NOTIFY_PROBE_WAIT_S.)
 *
 * Ownership: init/fini; targets and notices are the notifier's. It borrows zones until they are
 * told of, or notifier_forget(). */
#pragma once

#include "transfer/ask_p.h"
#include "transfer/policy.h"
#include "zonestore/store.h"

#define NOTICES_MAX          (2U << 20)    /* zones to be told of, of all targets of a shard */
#define NOTICES_RUNNING_MIN  32U           /* under way, of a target that was not heard of yet */
#define NOTICES_RUNNING_MAX  512U          /* under way, of each target */
#define NOTIFY_RATE          10000U        /* a second and target, unless told otherwise */
#define NOTIFY_BURST_MS      20U           /* worth of that rate may go at once */
#define NOTIFY_AGAIN_MS      1000U         /* after this machine could not send */
#define NOTIFY_SILENT_S      5U            /* without any answer: two tries of the oldest */
#define NOTIFY_PROBE_FIRST_S 5U            /* between probes of a silent target */
#define NOTIFY_PROBE_MAX_S   60U           /* at the most */
#define NOTIFY_PROBE_WAIT_S  3U            /* for the answer */
#define NOTIFY_GIVE_UP_S     (24U * 3600U) /* of silence */
#define NOTIFY_KEEP_S        600U          /* what is known of a target with nothing to be told */
#define NOTIFY_LINES_MAX     20U           /* of the log about refusals, a second and shard */
#define NOTIFY_BUCKETS       1024U
#define NOTIFY_TARGETS       1024U

struct transfer;
struct notice_out;
struct notify_target;

struct notifier {
	struct transfer *t;
	uint64_t seed;
	_Atomic uint32_t rate;                         /* a second and target; 0: no limit */
	uint32_t owed_max;                             /* NOTICES_MAX */
	uint32_t owed;                                 /* zones that wait, at all targets */
	uint32_t sweep;                                /* the bucket to look through next */
	uint64_t told_at_s;                            /* the second in which ... */
	uint32_t told;                                 /* ... so many refusals were logged */
	struct notice_out *running[NOTIFY_BUCKETS];    /* by apex */
	struct notify_target *targets[NOTIFY_TARGETS]; /* by address */
};

void notifier_init(struct notifier *n, struct transfer *t);
void notifier_fini(struct notifier *n);

/* Tells a target of the zone's newest version. */
void notifier_tell(struct notifier *n, struct zone *zone, const struct policy_target *target);

/* Drops all that concerns the zone. O(targets) while any zone waits. */
void notifier_forget(struct notifier *n, struct zone *zone);
