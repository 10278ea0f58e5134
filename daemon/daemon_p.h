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

#define SHARDS_MAX       128
#define CALL_DEADLINE_S  CONTROL_DEADLINE_S
#define APPLY_DEADLINE_S 120 /* for all shards to have taken a new configuration */

/* Counters that only their shard writes and anybody reads. */
struct shard_counts {
	_Atomic uint64_t queries;
	_Atomic uint64_t transfers_out;
};

static inline void count_one(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
}

struct daemon;
struct server;

struct shard {
	struct daemon *d;
	unsigned index;
	unsigned epoch_slot;
	pthread_t thread;
	bool started;
	struct io *io;
	struct server *server;
	struct transfer *transfer;
	struct answer_scratch *scratch;
	struct shard_counts counts;
};

/* What one reading of the configuration became. Immutable while shards see it; replaced whole. */
struct applied {
	struct epoch_item retire;
	struct config *config;  /* owned */
	struct tsig_key **keys; /* by index of config->keys, referenced */
	size_t key_count;
	struct zone_policy **policies; /* by index of config->settings, referenced */
	size_t policy_count;
	struct zone **zones; /* by index of the configuration's zones; the store's */
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
	bool go;
	bool stop;
	bool store_ready; /* the journal was read */
	char why[256];    /* why a shard could not start */
};

/* ---- shard.c ---- */

/* Starts shard threads: each makes its ring and binds its sockets, then waits for shards_go(). */
MUST_USE enum err shards_start(struct daemon *d);
void shards_go(struct daemon *d);
void shards_stop(struct daemon *d); /* ends and joins the threads; rings stay for late mails */
void shards_free(struct daemon *d);

/* Carries a store task to a shard (store_options.post). */
void shard_post_task(void *self, unsigned shard, struct store_task *task);

/* A piece of work for a shard's thread that another thread waits for. Embedded in what the work
 * reads and writes, which is freed by whichever side is done with it last, since the caller may
 * give up. */
struct shard_job {
	struct io_mail mail;
	struct shard *shard;
	enum err (*fn)(struct shard *s, struct shard_job *job);
	void (*free_fn)(struct shard_job *job);
	bool later; /* set by `fn`: the work goes on, job_finish() ends it */
	enum err err;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	unsigned holders;
};

/* Sends the job to a shard, where it is done when its `fn` returns (but see `later`). ERR_BUSY if
 * the shard's mailbox is full. The caller keeps its hold and gives it up with job_release(). */
void job_init(struct shard_job *job, enum err (*fn)(struct shard *, struct shard_job *),
              void (*free_fn)(struct shard_job *));
MUST_USE enum err job_send(struct shard_job *job, struct shard *s);

/* On the shard: ends a job whose `fn` had set `later`. */
void job_finish(struct shard_job *job, enum err e);

/* Waits; returns what the job returned, or ERR_BUSY after `deadline_s`. */
MUST_USE enum err job_wait(struct shard_job *job, unsigned deadline_s);
void job_release(struct shard_job *job);

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

/* Told by the disk thread once the journal was read (store_run()). */
void daemon_loaded(void *self);

/* ---- dispatch.c ---- */

struct inbound {
	struct bytes message;
	struct addr peer;
	bool udp;
};

enum dispatch {
	DISPATCH_DROP,     /* no answer */
	DISPATCH_REPLY,    /* the answer is *reply, in the shard's scratch */
	DISPATCH_TRANSFER, /* *transfer answers in many messages; the caller's to free */
};

struct xfr_out;

enum dispatch dispatch_message(struct shard *s, const struct inbound *in, struct bytes *reply,
                               struct xfr_out **transfer);

/* Logs how a transfer out ended; `zone` was kept by the caller. */
void dispatch_transfer_ended(struct shard *s, const struct xfr_out *x, const struct addr *to,
                             uint64_t started_ns, enum err e);

/* ---- server.c ---- */

/* Binds the sockets of one shard; *out is to be closed and freed also on failure. */
MUST_USE enum err server_new(struct shard *s, struct server **out, char *why, size_t why_cap);
void server_go(struct server *sv);

/* Ends everything; the ring still has completions of it, so it is freed after io_free(). */
void server_close(struct server *sv);
void server_free(struct server *sv);

/* ---- ops.c ---- */

void daemon_control_ops(struct daemon *d, struct control_ops *out);

/* ---- process.c ---- */

/* Gives up root for `user` (a name); a no-op if not root or no user. */
MUST_USE enum err process_drop(const char *user, char *why, size_t why_cap);

/* Makes a directory (and its parents) that `user` may write. */
MUST_USE enum err process_make_dir(const char *path, const char *user, char *why, size_t why_cap);

/* Takes as many file descriptors as the hard limit allows. */
void process_raise_limits(void);

/* Tells the service manager ("READY=1", "STOPPING=1", ...) if there is one (sd_notify(3)). */
void process_notify(const char *state);
