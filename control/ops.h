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

struct control_zone {
	struct name_buf name;
	enum control_zone_state state;
	bool served; /* the fields up to received_at_s are valid */
	uint32_t serial;
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
};
