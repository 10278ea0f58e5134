/* SPDX-License-Identifier: MIT
 *
 * control/ops.h — all that the control interface may ask of the daemon.
 *
 * Called on control threads; the daemon answers by messages to the shards that own the zones, so
 * that control never touches a zone. Every call has a deadline (CONTROL_DEADLINE_S, ERR_BUSY).
 *
 * Ownership: what is filled in is the caller's; names in struct control_zone are copies. */
#pragma once

#include "base/addr.h"
#include "base/digest.h"
#include "control/ops_primaries.h"
#include "control/ops_store.h"
#include "dns/name.h"

#define CONTROL_DEADLINE_S   10
#define CONTROL_PAGE         512  /* zones a call of zone_page at most */
#define CONTROL_VERSIONS_MAX 1024 /* of a zone; no more are told */
#define CONTROL_REASON_MAX   512  /* octets of a reason in words */

enum control_zone_state {
	CONTROL_ZONE_NEW,
	CONTROL_ZONE_OK,
	CONTROL_ZONE_REFRESHING,
	CONTROL_ZONE_FAILING,
	CONTROL_ZONE_EXPIRED,
	CONTROL_ZONE_STATES,
};

/* Why a version is kept aside instead of being served. */
enum control_hold {
	CONTROL_HOLD_NONE,
	CONTROL_HOLD_PINNED,
	CONTROL_HOLD_REJECTED,
	CONTROL_HOLD_NO_NS,
	CONTROL_HOLD_SHRUNK,
	CONTROL_HOLD_ZONEMD,
	CONTROL_HOLD_LIMIT,
	CONTROL_HOLDS,
};

enum control_origin { CONTROL_BY_AXFR, CONTROL_BY_IXFR, CONTROL_BY_ROLLBACK, CONTROL_ORIGINS };

struct control_zone {
	struct name_buf name;
	enum control_zone_state state;
	bool served; /* the fields up to received_at_s are valid */
	uint32_t serial;
	uint32_t source_serial; /* of what is served, as the primary sent it */
	struct id root;
	uint32_t records;
	uint64_t bytes;
	struct addr primary; /* whom the served version came from */
	enum control_origin origin;
	int64_t received_at_s; /* wall clock; 0: never, as below */
	int64_t refreshed_at_s;
	int64_t refresh_at_s;
	int64_t expire_at_s;
	int64_t failing_since_s;
	enum err last_error; /* ERR_OK: none */
	struct addr last_error_primary;
	struct addr differs; /* a primary with our serial and other content; family 0: none */
	int64_t last_error_at_s;
	bool pinned;            /* what comes is not served */
	enum control_hold held; /* why a version is kept aside; CONTROL_HOLD_NONE: none is */
	uint32_t held_serial;   /* of it, as the primary sent it */
	int64_t held_received_at_s;
	uint16_t versions; /* kept, all of them */
};

enum control_version_kind {
	CONTROL_VERSION_SERVED,
	CONTROL_VERSION_ASIDE,
	CONTROL_VERSION_OLDER,
	CONTROL_VERSION_KINDS,
};

/* One kept version of a zone. */
struct control_version {
	enum control_version_kind kind;
	enum control_hold why; /* CONTROL_VERSION_ASIDE */
	enum control_origin origin;
	uint32_t serial;
	uint32_t source_serial;
	struct id root;
	int64_t received_at_s;
	struct addr primary;
	uint32_t records;
	uint32_t added;
	uint32_t deleted;
};

/* Names one of a zone's versions. */
enum control_pick_kind { CONTROL_PICK_CURRENT, CONTROL_PICK_HELD, CONTROL_PICK_SERIAL };
struct control_pick {
	enum control_pick_kind kind;
	uint32_t serial;
};

/* False: nobody listens any more; stop. Of no octets it is a question only. */
typedef bool (*control_put)(void *to, struct bytes text);

/* Where text of any length goes, and what to say where there is none. */
struct control_sink {
	control_put put;
	void *to;
	char *why; /* CONTROL_REASON_MAX: on failure, the reason where the error alone does not tell */
};

/* What an operator does about the versions of a zone. */
enum control_act {
	CONTROL_ROLLBACK,
	CONTROL_PIN,
	CONTROL_RELEASE,
	CONTROL_ACCEPT,
	CONTROL_REJECT,
};

struct control_version_act {
	enum control_act act;
	uint32_t serial;  /* CONTROL_ROLLBACK: to which version */
	bool same_serial; /* and under its old serial */
};

struct control_status {
	char version[32];
	int64_t started_at_s;
	unsigned workers;
	uint64_t zones;
	uint64_t zones_by_state[CONTROL_ZONE_STATES];
	uint64_t zones_held, zones_pinned, zones_differ;
	uint64_t primaries, primaries_down; /* addresses */
	bool loading;
	bool store_failing;
	enum err store_error;
	uint64_t store_bytes;   /* on disk */
	uint64_t bodies, nodes; /* in memory */
	uint64_t memory_bytes;  /* of bodies, nodes and tables */
	uint64_t queries, transfers_done, transfers_failed, transfers_running;
	uint64_t bytes_in, notifies_in, notifies_out, soa_queries, transfers_out;
	uint64_t transfers_out_ixfr, transfers_out_axfr, bytes_out;
	uint64_t notifies_limited, notifies_owed, notifies_dropped, notify_silent, compared;
	uint64_t compared_differ; /* as transfer.h says, all of them */
};

struct control_reload {
	uint64_t zones, added, removed, changed;
};

struct control_ops {
	void *self;
	enum err (*status)(void *self, struct control_status *out);
	/* Fills up to `cap` zones from *cursor (0 first) on; *count 0 is the end. The order is of
	 * no meaning but stable while no zone comes or goes. */
	enum err (*zone_page)(void *self, uint64_t *cursor, struct control_zone *out, size_t cap,
	                      size_t *count);
	enum err (*zone_get)(void *self, struct name name,
	                     struct control_zone *out); /* ERR_NOT_FOUND */
	enum err (*zone_refresh)(void *self, struct name name);
	enum err (*zone_retransfer)(void *self, struct name name);
	/* Writes a version as a zone file. ERR_NOT_FOUND: there is no such zone or version. */
	enum err (*zone_export)(void *self, struct name name, const struct control_pick *pick,
	                        const struct control_sink *sink);
	/* Applies the configuration file again; on failure nothing changed and `why` tells. */
	enum err (*reload)(void *self, struct control_reload *out, char *why, size_t why_cap);
	void (*stop)(void *self);
	/* Fills the kept versions, what is aside and what is served first, then from the newest on: up
	 * to `cap`; *count is how many there are. */
	enum err (*zone_history)(void *self, struct name name, struct control_version *out,
	                         size_t cap, size_t *count);
	/* Writes what differs between two versions, SOA first, one record a line after "-" (only in
	 * the first) or "+" (only in the second). Nothing is written of versions that are the same. */
	enum err (*zone_diff)(void *self, struct name name, const struct control_pick pick[2],
	                      const struct control_sink *sink);
	/* Ends once it is durable and visible. ERR_NOT_FOUND without a reason in `why`: there is no
	 * such zone; with one: there is nothing to do it to. */
	enum err (*zone_act)(void *self, struct name name, const struct control_version_act *act,
	                     char why[CONTROL_REASON_MAX]);
	/* Fills in all primaries; on failure nothing. */
	enum err (*primaries)(void *self, struct control_primaries *out);
	enum err (*store_stats)(void *self, struct control_store *out);
	/* Verifies all that is in memory and on the disk; findings go to the sink, a line each, and a
	 * last line that begins with CONTROL_CHECK_CLEAN or CONTROL_CHECK_DAMAGED. An error: it
	 * could not be found out. */
	enum err (*store_check)(void *self, const struct control_sink *sink);
};
