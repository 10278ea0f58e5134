/* SPDX-License-Identifier: MIT
 *
 * control/config_settings.h — the settings that zones may differ in.
 *
 * Zones with equal settings share one struct config_settings. docs/man/axfarm.yaml.5 describes them.
 *
 * Ownership: the arrays are the configuration's (config.h). */
#pragma once

#include "base/addr.h"

#define CONFIG_NO_KEY       UINT32_MAX
#define CONFIG_VERSIONS_MAX 1000 /* older versions of a zone that may be kept */

/* Matches an address in the range that signed with the key; any_addr: by key alone. */
struct config_access {
	bool any_addr;
	struct addr_range range;
	uint32_t key; /* CONFIG_NO_KEY: none asked for */
};

struct config_target {
	struct addr addr;
	struct addr source; /* family 0: any; port is 0 */
	uint32_t key;
};

/* 0 means no limit where that is said. */
struct config_limits {
	uint64_t transfer_bytes;   /* 1 GiB */
	uint32_t transfer_records; /* 0: none of its own */
	uint32_t transfer_time_s;  /* 2 h */
	uint32_t idle_time_s;      /* 30 s */
	uint32_t min_refresh_s;    /* 60 s */
	uint32_t max_refresh_s;    /* 1 d */
	uint32_t min_retry_s;      /* 10 s */
	uint32_t max_retry_s;      /* 1 h */
	uint32_t min_expire_s;     /* 1 h */
	uint32_t max_expire_s;     /* 0: none */
};

/* Older versions of the zone that are kept. */
struct config_history {
	uint32_t versions; /* 20; 0: none */
	uint32_t age_s;    /* 7 d; 0: none */
	uint64_t bytes;    /* of memory that only they use; 0: the zone's own size */
};

/* What becomes of a version that a guard objects to. */
enum config_act { CONFIG_OFF, CONFIG_HOLD, CONFIG_REFUSE };

struct config_guard {
	enum config_act no_ns;   /* refuse; never off */
	enum config_act shrink;  /* hold */
	enum config_act zonemd;  /* hold */
	enum config_act size;    /* refuse; never off */
	uint32_t shrink_percent; /* 90 */
	uint32_t shrink_records; /* 1000 */
	uint32_t max_records;    /* 0: none */
	uint64_t max_bytes;      /* 0: none */
};

/* What zones may differ in. Shared by all zones whose settings are equal. */
struct config_settings {
	const uint32_t *primaries; /* indices into primaries, in the order tried; at least one */
	size_t primary_count;
	const struct config_access *allow_notify; /* besides the primaries */
	size_t allow_notify_count;
	const struct config_access *allow_transfer;
	size_t allow_transfer_count;
	const struct config_target *notify;
	size_t notify_count;
	struct config_limits limits;
	struct config_history history;
	struct config_guard guard;
	bool follow_lower;  /* on-lower-serial: follow; ignore */
	bool newest;        /* primary-policy: newest; ordered */
	uint32_t compare_s; /* compare-primaries: 1 d; 0: off */
};
