/* SPDX-License-Identifier: MIT
 *
 * control/config.h — the configuration file, read and judged as a whole.
 *
 * A configuration is either right from the first line to the last, or it is not used: config_load()
 * tells up to ten errors, each with file, line, setting, and what would be right. Names have become
 * indices and wire form, sizes have become octets, times seconds. Zones with equal settings share
 * one struct config_settings, and names of zones stand one after the other, so that a million zones
 * take some 56 octets each. docs/man/axfarm.yaml.5 describes the settings.
 *
 * Ownership: config_load() fills a struct that the caller owns; config_fini() frees what it holds,
 * also of {0}, and wipes the secrets. Everything in it is immutable and lives as long as it. */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/event.h"
#include "control/config_settings.h"
#include "dns/name.h"
#include "dns/tsig.h"

#define CONFIG_FILE_MAX_BYTES (512U << 20) /* of the file and of each file it names */
#define CONFIG_ZONES_MAX      (16U << 20)
#define CONFIG_NAME_MAX_LEN   63 /* of primaries and templates */
#define CONFIG_PATH_MAX_LEN   4095
#define CONFIG_SOCKET_MAX_LEN 107 /* sun_path without its NUL */
#define CONFIG_USER_MAX_LEN   32
#define CONFIG_WORKERS_MAX    256
#define CONFIG_ERRORS_MAX     10
#define CONFIG_WARNINGS_MAX   10
#define CONFIG_MESSAGE_MAX    512
#define CONFIG_RATE_MAX       100000000U /* a second */

#define CONFIG_NOTIFY_RATE         10000U /* defaults */
#define CONFIG_NOTIFY_IN_RATE      100000U
#define CONFIG_NOTIFY_REFUSED_RATE 50U

#define CONFIG_DNS_PORT 53

struct config_key {
	struct name_buf name;
	enum tsig_algorithm algorithm;
	uint8_t min_mac_len; /* `truncated-mac`; 0: the full MAC only */
	uint16_t secret_len;
	uint8_t secret[TSIG_SECRET_MAX_LEN];
};

#define CONFIG_CONNECTIONS_MAX 1024 /* max-connections */
#define CONFIG_TRANSFERS_MAX   65535
#define CONFIG_QUERIES_MAX     1000000

struct config_primary {
	char name[CONFIG_NAME_MAX_LEN + 1];
	const struct addr *addresses; /* tried in this order; at least one */
	size_t address_count;
	uint32_t key;        /* index into keys; CONFIG_NO_KEY */
	struct addr source4; /* family 0: any; ports are 0 */
	struct addr source6;
	uint32_t max_connections; /* of each address; 0: the default */
	uint32_t max_transfers;
	uint32_t queries_per_s; /* 0: no limit */
};

/* A place in the index of zones. */
struct config_slot {
	uint32_t zone; /* + 1; 0 is empty */
	uint32_t hash; /* of the apex: most other names differ here already */
};

struct config_zone {
	uint32_t name_at;  /* into zone_names */
	uint32_t settings; /* index into settings */
};

struct config {
	char path[CONFIG_PATH_MAX_LEN + 1]; /* of the file, as it was given */

	/* server */
	const struct addr *listen; /* default 0.0.0.0@53 and ::@53; no duplicates */
	size_t listen_count;
	unsigned workers;                   /* 0: one per core */
	char user[CONFIG_USER_MAX_LEN + 1]; /* "": stay who we are */
	uint32_t notify_rate;               /* a second to each target; 0: no limit */
	uint32_t notify_in_rate;      /* a second from a source that may notify; 0: no limit */
	uint32_t notify_refused_rate; /* and from one that may not */

	/* database */
	char database_path[CONFIG_PATH_MAX_LEN + 1]; /* default /var/lib/axfarm */
	uint64_t database_size_bytes; /* most the database may take; 0: as much as the disk has */

	/* control */
	char socket_path[CONFIG_SOCKET_MAX_LEN + 1]; /* default /run/axfarm/axfarm.sock */

	/* log */
	enum event_level log_level;
	enum event_format log_format;

	struct config_key *keys;
	size_t key_count;
	struct config_primary *primaries;
	size_t primary_count;
	struct config_settings *settings;
	size_t settings_count;
	struct config_zone *zones;
	size_t zone_count;

	/* Storage behind the accessors below. */
	uint8_t *zone_names; /* wire form, one after the other */
	size_t zone_names_len;
	struct config_slot *zone_index; /* open addressing */
	size_t zone_index_cap;
	uint64_t zone_seed;
	struct arena arena; /* arrays */
};

/* What is wrong, in sentences ready to print: "axfarm.yaml:12: keys.algorithm: ...". */
struct config_errors {
	size_t error_count;
	size_t warning_count;
	bool more; /* there were more than fit */
	char errors[CONFIG_ERRORS_MAX][CONFIG_MESSAGE_MAX];
	char warnings[CONFIG_WARNINGS_MAX][CONFIG_MESSAGE_MAX];
};

/* One file as it was read; `text` is the caller's to wipe and free(). */
struct config_file {
	char *text; /* followed by a NUL that is not counted */
	size_t len;
	bool world_readable;
};

/* All that loading asks of the world. */
struct config_host {
	void *self;
	const struct env *env;
	/* Reads a whole regular file of at most CONFIG_FILE_MAX_BYTES; on failure a static
	 * sentence is in *why. */
	enum err (*read_fn)(void *self, const char *path, struct config_file *out,
	                    const char **why);
};

/* Reads the file at `path` and every file it names. On success *out is the caller's and errors may
 * hold warnings; on ERR_CONFIG *out is untouched and errors says why. O(size of the files). */
MUST_USE enum err config_load(const char *path, struct config *out, struct config_errors *errors);

/* As config_load(), from another world. */
MUST_USE enum err config_load_from(const struct config_host *host, const char *path,
                                   struct config *out, struct config_errors *errors);

void config_fini(struct config *c);

/* Forgets the zones, once they are known elsewhere: there are none any more. */
void config_forget_zones(struct config *c);

/* Prints a line for each error ("error: ...") and each warning ("warning: ..."). */
void config_errors_print(const struct config_errors *errors, FILE *to);

/* The zone's apex in the case it was written in; borrows from `c`. */
struct name config_zone_name(const struct config *c, size_t zone);

/* Finds a zone by its apex, whatever the case. O(1). */
bool config_zone_find(const struct config *c, struct name apex, size_t *zone);
