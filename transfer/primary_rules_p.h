/* SPDX-License-Identifier: MIT
 *
 * transfer/primary_rules_p.h — the limits of a shard's primaries, and the words for how they are. */
#pragma once

#define PRIMARY_DOWN_FIRST_S 1
#define PRIMARY_DOWN_MAX_S   20
#define PRIMARY_PROVEN_S     2  /* after which one that came back is trusted with all its zones */
#define PRIMARY_WAKE_MS      50 /* between looks whether some more of them may wake */
#define PRIMARY_KEEP_S       86400 /* what is known of an unused primary */
#define PRIMARY_LEARN_S      86400 /* until it is tried whether it can do more by now */
#define PRIMARY_BEARS_S      600   /* until more connections are tried again */
#define PRIMARY_DEAF_S       600   /* until a primary that is silent over UDP is asked so again */
#define PRIMARY_AGAIN_MS     20    /* until a shard tries again that the quota refused */
#define PRIMARY_ASKS_MAX     256   /* questions over UDP at once */
#define PRIMARY_BUCKETS      1024

enum job { JOB_ASK, JOB_PULL, JOBS };

enum primary_health { PRIMARY_UP, PRIMARY_DOWN, PRIMARY_PROBED };

/* What it can do with a connection; each less than the one before. */
enum primary_ability {
	ABILITY_PIPELINE, /* many requests, answered in any order (RFC 7766 §6.2.1.1) */
	ABILITY_SERIAL,   /* one after the other */
	ABILITY_SINGLE,   /* one, then it closes */
};

enum primary_news { PRIMARY_WENT_DOWN, PRIMARY_CAME_UP, PRIMARY_CAN_LESS };
