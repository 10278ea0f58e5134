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
#include "dns/name.h"

#define CONTROL_DEADLINE_S 10
#define CONTROL_PAGE       512 /* zones a call of zone_page at most */

enum control_zone_state {
	CONTROL_ZONE_NEW,
	CONTROL_ZONE_OK,
	CONTROL_ZONE_REFRESHING,
	CONTROL_ZONE_FAILING,
	CONTROL_ZONE_EXPIRED,
	CONTROL_ZONE_STATES,
};

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
	bool by_ixfr;
	int64_t received_at_s; /* wall clock; 0: never, as below */
	int64_t refreshed_at_s;
	int64_t refresh_at_s;
	int64_t expire_at_s;
	int64_t failing_since_s;
	enum err last_error; /* ERR_OK: none */
	struct addr last_error_primary;
	int64_t last_error_at_s;
	bool pinned;            /* what comes is not served */
	enum control_hold held; /* why a version is kept aside; CONTROL_HOLD_NONE: none is */
	uint32_t held_serial;   /* of it, as the primary sent it */
	int64_t held_received_at_s;
	uint16_t versions; /* kept, all of them */
};

enum control_version_kind { CONTROL_VERSION_SERVED, CONTROL_VERSION_ASIDE, CONTROL_VERSION_OLDER };
enum control_origin { CONTROL_BY_AXFR, CONTROL_BY_IXFR, CONTROL_BY_ROLLBACK };

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

typedef bool (*control_put)(void *to, struct bytes text); /* false: stop */

struct control_sink {
	control_put put;
	void *to;
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

#define CONTROL_BUCKETS 24 /* of a histogram of times: bucket i counts what took < 2^i * 64 µs */

struct control_times {
	uint64_t buckets[CONTROL_BUCKETS];
	uint64_t max_us;
};

struct control_store {
	uint64_t zones, versions, nodes, bodies;
	uint64_t node_bytes, body_bytes, table_bytes, snapshot_bytes, mapped_bytes;
	uint64_t wire_bytes; /* of all versions of all zones, each by itself, uncompressed */
	uint64_t disk_used_bytes, disk_size_bytes;
	uint64_t commits, updates, nodes_written, nodes_dropped, bytes_written;
	uint64_t commits_waiting, drops_waiting;
	struct control_times wait;     /* of an update, until the transaction that has it begins */
	struct control_times duration; /* of a transaction */
};

struct control_status {
	char version[32];
	int64_t started_at_s;
	unsigned workers;
	uint64_t zones;
	uint64_t zones_by_state[CONTROL_ZONE_STATES];
	bool loading;
	bool store_failing;
	enum err store_error;
	uint64_t store_bytes;   /* on disk */
	uint64_t bodies, nodes; /* in memory */
	uint64_t memory_bytes;  /* of bodies, nodes and tables */
	uint64_t queries, transfers_done, transfers_failed, transfers_running;
	uint64_t bytes_in, notifies_in, notifies_out, soa_queries, transfers_out;
	uint64_t transfers_out_ixfr, transfers_out_axfr, bytes_out;
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
	/* Writes the served version as a zone file through `put` (false: stop). ERR_NOT_FOUND if
	 * there is no such zone or nothing served. */
	enum err (*zone_export)(void *self, struct name name,
	                        bool (*put)(void *to, struct bytes text), void *to);
	/* Applies the configuration file again; on failure nothing changed and `why` has the
	 * reason. */
	enum err (*reload)(void *self, struct control_reload *out, char *why, size_t why_cap);
	void (*stop)(void *self);
	/* Fills the kept versions, newest first: up to `cap`, and how many there are. */
	enum err (*zone_history)(void *self, struct name name, struct control_version *out,
	                         size_t cap, size_t *count);
	/* Writes what differs between two versions, SOA first, one record a line after "-" (only in
	 * the first) or "+". *differ: whether anything does. */
	enum err (*zone_diff)(void *self, struct name name, const struct control_pick pick[2],
	                      const struct control_sink *sink, bool *differ);
	/* Ends once it is durable and visible. ERR_NOT_FOUND: no such zone, or nothing to do it to;
	 * `why` has the reason. */
	enum err (*zone_act)(void *self, struct name name, const struct control_version_act *act,
	                     char *why, size_t why_cap);
	enum err (*store_stats)(void *self, struct control_store *out);
	/* Verifies all that is in memory and on the disk; findings and a summary go to the sink, a
	 * line each. ERR_STORE_CORRUPT: something is wrong. */
	enum err (*store_check)(void *self, const struct control_sink *sink);
};
