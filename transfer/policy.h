/* SPDX-License-Identifier: MIT
 *
 * transfer/policy.h — the settings of a zone that transfers look at.
 *
 * Zones with equal settings share one policy. A policy is immutable; a changed configuration brings
 * new ones. Any shard reads it through zone_policy(), between two announcements to the epoch; what
 * outlives a turn holds a reference.
 *
 * Ownership: new/ref/unref (atomic). The arrays are the policy's own. */
#pragma once

#include "base/addr.h"
#include "dns/tsig.h"
#include "zonestore/store.h"

/* What may be asked of a primary, by all shards together. */
struct policy_pace {
	uint32_t connections;   /* 0: POLICY_CONNECTIONS */
	uint32_t transfers;     /* requests for transfers at once; 0: POLICY_TRANSFERS */
	uint32_t queries_per_s; /* requests of any kind, a second; 0: no limit */
};

#define POLICY_CONNECTIONS 8U
#define POLICY_TRANSFERS   512U

/* One address of one primary, in the order in which they are tried. */
struct policy_primary {
	struct addr addr;
	struct addr source;   /* family 0: any */
	struct tsig_key *key; /* referenced; NULL: unsigned */
	char name[64];        /* as configured, for people */
	struct policy_pace pace;
};

/* An entry matches if the address is in the range and, where a key is named, the message was signed
 * with that very key. `any_addr` entries match by key alone. */
struct policy_access {
	bool any_addr;
	struct addr_range range;
	struct tsig_key *key; /* referenced; NULL: no key asked for */
};

struct policy_target {
	struct addr addr;
	struct addr source;
	struct tsig_key *key;
};

struct policy_limits {
	uint64_t transfer_bytes;   /* of messages, one transfer; default 1 GiB */
	uint32_t transfer_records; /* default 0: no limit of its own */
	uint32_t transfer_time_s;  /* default 2 h */
	uint32_t idle_time_s;      /* default 30 s */
	uint32_t min_refresh_s;    /* default 60 s */
	uint32_t max_refresh_s;    /* default 1 d */
	uint32_t min_retry_s;      /* default 10 s */
	uint32_t max_retry_s;      /* default 1 h */
	uint32_t min_expire_s;     /* default 1 h */
	uint32_t max_expire_s;     /* default 0: none */
};

/* What becomes of a version that a guard objects to. */
enum guard_act { GUARD_OFF, GUARD_HOLD, GUARD_REFUSE };

/* What is looked at before a version is served. */
struct policy_guard {
	enum guard_act no_ns;    /* no NS at the apex; never off. Default: refuse */
	enum guard_act shrunk;   /* default: hold */
	uint8_t shrink_percent;  /* lost more than this share of its records; default 90 */
	uint32_t shrink_records; /* of a zone that had more than so many; default 1000 */
	enum guard_act zonemd;   /* has a ZONEMD that is wrong (RFC 8976); default: hold */
	enum guard_act limit;    /* has more records or octets than these; default: refuse */
	uint32_t records_max;    /* 0: no limit */
	uint64_t bytes_max;      /* of the records in uncompressed wire form; 0: no limit */
	bool follow_lower;       /* on-lower-serial: follow; default: ignore */
};

struct zone_policy {
	_Atomic uint32_t refs;
	struct policy_primary *primaries;
	size_t primary_count;
	struct policy_access *allow_notify; /* besides the primaries */
	size_t allow_notify_count;
	struct policy_access *allow_transfer;
	size_t allow_transfer_count;
	struct policy_target *notify;
	size_t notify_count;
	struct policy_limits limits;
	struct policy_guard guard;
	bool newest;                   /* primary-policy: newest; default: ordered */
	uint32_t compare_s;            /* compare-primaries; 0: never; default 1 d */
	struct version_limits history; /* default 20 versions, 7 days, the zone's own size */
};

/* A policy without primaries, access or targets, and default limits; the caller fills it before it
 * is shown to anyone (arrays from mem_new(), keys referenced). */
struct zone_policy *zone_policy_new(void);
struct zone_policy *zone_policy_ref(struct zone_policy *p);
void zone_policy_unref(struct zone_policy *p);

/* True if a change from `a` to `b` calls for fetching the zone again: primaries or their keys
 * differ. */
bool zone_policy_refetch(const struct zone_policy *a, const struct zone_policy *b);
bool zone_policy_equal(const struct zone_policy *a, const struct zone_policy *b);

/* May `from`, having signed with `key` (NULL: unsigned), notify / transfer? The primaries may notify from
 * their addresses, signed or not. */
bool policy_may_notify(const struct zone_policy *p, const struct addr *from,
                       const struct tsig_key *key);
bool policy_may_transfer(const struct zone_policy *p, const struct addr *from,
                         const struct tsig_key *key);
