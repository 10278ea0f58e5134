/* SPDX-License-Identifier: MIT
 *
 * daemon/ops_p.h — the parts of what the control interface may ask (control/ops.h).
 *
 * ops.c has zones, listings and the daemon itself, ops_versions.c what is asked of versions,
 * ops_primaries.c of primaries, ops_store.c of the store. All of it runs on control threads. */
#pragma once

#include "daemon/daemon_p.h"
#include "zonestore/versions.h"

enum control_hold ops_hold(enum hold_reason why);
enum control_origin ops_origin(enum snapshot_origin origin);

/* What is to be known of each zone. */
enum page_what {
	PAGE_ALL,
	PAGE_STATES, /* state, held, pinned */
	PAGE_SIZES,  /* versions, and `bytes` of them all */
};

/* Calls for every zone of the configuration. */
enum err ops_each_zone(struct daemon *d, enum page_what what,
                       void (*visit)(void *self, const struct control_zone *row), void *self);

/* ops_versions.c */
enum err ops_zone_export(void *self, struct name name, const struct control_pick *pick,
                         const struct control_sink *sink);
enum err ops_zone_history(void *self, struct name name, struct control_version *out, size_t cap,
                          size_t *count);
enum err ops_zone_diff(void *self, struct name name, const struct control_pick pick[2],
                       const struct control_sink *sink);
enum err ops_zone_act(void *self, struct name name, const struct control_version_act *act,
                      char why[CONTROL_REASON_MAX]);

/* ops_primaries.c */
enum err ops_primaries(void *self, struct control_primaries *out);
/* Fills in the counts of primaries. */
enum err ops_count_primaries(struct daemon *d, struct control_status *out);

/* ops_store.c */
enum err ops_store_stats(void *self, struct control_store *out);
enum err ops_store_check(void *self, const struct control_sink *sink);
