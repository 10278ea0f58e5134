/* SPDX-License-Identifier: MIT
 *
 * daemon/daemon_p.h — the wiring: one daemon, its shards, and what they share.
 *
 *	main thread     reads the configuration, starts everything, waits for signals, reloads
 *	shards          one thread and one ring each: sockets, transfers, answers
 *	disk thread     store_run()
 *	control         libmicrohttpd's threads, calling ops.c
 *
 * Shards read three things that others replace: the zone table (store), policies (on the zone) and
 * the keyring (struct applied), all under the epoch. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "answer/answer.h"
#include "base/epoch.h"
#include "base/event.h"
#include "control/config.h"
#include "control/ops.h"
#include "ring/io.h"
#include "transfer/transfer.h"
#include "zonestore/store.h"

#define SHARDS_MAX       CONFIG_WORKERS_MAX
#define CALL_DEADLINE_S  CONTROL_DEADLINE_S
#define APPLY_DEADLINE_S 120 /* for all shards to have taken a new configuration */

/* Freeing a million zones one by one takes seconds that nobody gains by: the system takes memory back at
 * once. Only builds that look for leaks free all. */
#if defined(__SANITIZE_ADDRESS__)
#define DAEMON_FREES_ALL true
#elif defined(__has_feature)
#define DAEMON_FREES_ALL __has_feature(address_sanitizer)
#else
#define DAEMON_FREES_ALL false
#endif

/* Counters that only their shard writes and anybody reads. */
struct shard_counts {
	_Atomic uint64_t queries;
	_Atomic uint64_t transfers_out;      /* begun: AXFR and IXFR */
	_Atomic uint64_t transfers_out_ixfr; /* ended well: differences */
	_Atomic uint64_t transfers_out_axfr; /* and whole zones */
	_Atomic uint64_t bytes_out;          /* octets of both */
	_Atomic uint64_t notifies_limited;   /* not answered: too many of one source, or in all */
};

static inline void count_more(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
	                      memory_order_relaxed);
}

static inline void count_one(_Atomic uint64_t *counter)
{
	count_more(counter, 1);
}

struct daemon;
struct notice_mail;
struct notify_limit;
struct server;
struct xfr_share;

struct shard {
	struct daemon *d;
	unsigned index;
	unsigned epoch_slot;
	pthread_t thread;
	bool started;
	struct io *io;
	struct server *server;
	struct xfr_share *share; /* of transfers out */
	struct transfer *transfer;
	struct answer_scratch *scratch;
	struct shard_counts counts;
	struct notify_limit *notify_limit;
	struct notice_mail *early; /* NOTIFYs that came before the engines ran */
	unsigned early_count;
	bool engines_run;
	uint64_t told_at_s; /* the second in which `told` lines of the log were strangers' doing */
	unsigned told;
};

/* What one reading of the configuration became. Immutable while shards see it; replaced whole. */
struct applied {
	struct epoch_item retire;
	struct config *config;  /* owned */
	struct tsig_key **keys; /* by index of config->keys, referenced */
	size_t key_count;
	struct zone_policy **policies; /* by index of config->settings, referenced */
	size_t policy_count;
	uint32_t *zones; /* in the configuration's order: places in the store */
	size_t zone_count;
};

struct daemon {
	const char *config_path;
	const struct env *env;
	struct events events;
	struct epoch *epoch;
	struct pool *pool;
	struct store *store;
	struct control *control;
	struct control_ops ops;
	struct quotas *quotas; /* of primaries, over all shards */
	struct shard shards[SHARDS_MAX];
	unsigned shard_count;
	pthread_t disk_thread;
	bool disk_started;
	_Atomic bool loaded; /* the store has read its journal; engines may run */
	_Atomic(struct applied *) applied;
	pthread_rwlock_t apply_lock; /* written by whoever applies, read by listings */
	unsigned apply_slot;         /* epoch participant of whoever holds apply_lock for writing */
	int64_t started_at_s;

	/* Start and stop, between the main thread and the shards. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned shards_ready; /* have their sockets, or failed */
	enum err start_err;
	unsigned shards_running; /* take mails: their engines are made */
	unsigned shards_ended;   /* have left their turns */
	bool go;
	bool stop;
	bool teardown;
	bool store_ready; /* the journal was read */
	char why[256];    /* why a shard could not start */
};

/* ---- shard.c ---- */

/* Starts shard threads: each makes its ring and binds its sockets, then waits for shards_go(). */
MUST_USE enum err shards_start(struct daemon *d);
void shards_go(struct daemon *d);   /* returns when all take mails */
void shards_stop(struct daemon *d); /* ends their turns; rings stay for late mails */

/* Tells the engine its share of `notify-rate`; any thread, while the engine is there. */
void shard_notify_rate(struct shard *s, const struct config *config);
void shards_free(struct daemon *d); /* ends their threads; nobody posts any more */

/* Carries a store task to a shard (store_options.post). */
void shard_post_task(void *self, unsigned shard, struct store_task *task);

/* ---- apply.c ---- */

/* Takes `config` (heap, also on failure). The first: makes keys and policies, before there is a
 * store. */
MUST_USE enum err daemon_prepare(struct daemon *d, struct config *config, char *why,
                                 size_t why_cap);

/* Adds the first configuration's zones to the store, before it is loaded. */
MUST_USE enum err daemon_first_zones(struct daemon *d, char *why, size_t why_cap);

/* The store is loaded and the shards run: starts all zones' engines. Not on a shard. */
MUST_USE enum err daemon_start_engines(struct daemon *d);

/* Reads the file again and puts it in force; on failure nothing changed and `why` tells. Not on a
 * shard, one at a time. */
MUST_USE enum err daemon_reload(struct daemon *d, struct control_reload *out, char *why,
                                size_t why_cap);
void applied_free(struct applied *a);

/* Releases the policies of zones whose engines never ran. No shard runs any more. */
void daemon_drop_policies(struct daemon *d);

/* Told by the disk thread once the journal was read (store_run()). */
void daemon_loaded(void *self);

/* ---- ops.c ---- */

void daemon_control_ops(struct daemon *d, struct control_ops *out);
