/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_out_p.h — tells others of new versions (RFC 1996).
 *
 * One notice for each zone and target; a newer version replaces what is under way. Each target has
 * its own queue and so many notices under way at once, so that a dead one delays no other; one that
 * stays silent is asked less patiently until it answers again.
 *
 * Ownership: init/fini; notices are the notifier's. A notice borrows its zone until it is over or
 * notifier_forget(). */
#pragma once

#include "transfer/ask_p.h"
#include "transfer/policy.h"
#include "transfer/primary_p.h"
#include "zonestore/store.h"

#define NOTICES_MAX          65536 /* of all zones of a shard, waiting or under way */
#define NOTICES_RUNNING_MAX  32    /* under way, of each target */
#define NOTIFY_BUCKETS       1024
#define NOTIFY_PEERS_BUCKETS 64

struct transfer;
struct notice_out;
struct notify_peer;

struct notifier {
	struct transfer *t;
	uint64_t seed;
	unsigned count;
	struct notice_out *buckets[NOTIFY_BUCKETS];      /* by apex */
	struct notify_peer *peers[NOTIFY_PEERS_BUCKETS]; /* by address */
};

void notifier_init(struct notifier *n, struct transfer *t);
void notifier_fini(struct notifier *n);

/* Tells a target of the zone's newest version. */
void notifier_tell(struct notifier *n, struct zone *zone, const struct policy_target *target);

/* Drops all that concerns the zone. */
void notifier_forget(struct notifier *n, struct zone *zone);
