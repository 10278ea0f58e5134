/* SPDX-License-Identifier: MIT
 *
 * daemon/job_p.h — work for a shard that another thread waits for, with a deadline.
 *
 * Ownership: two sides hold a job, the caller and (from job_send() until the work is done) the shard;
 * the side that lets go last frees it. */
#pragma once

#include "daemon/daemon_p.h"

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

/* The same where there is but one such job a shard: a full mailbox does not refuse it. */
void job_send_always(struct shard_job *job, struct shard *s);

/* On the shard: ends a job whose `fn` had set `later`. */
void job_finish(struct shard_job *job, enum err e);

/* Waits; returns what the job returned, or ERR_BUSY after `deadline_s`. */
MUST_USE enum err job_wait(struct shard_job *job, unsigned deadline_s);

/* True if the job is through; what it returned. */
bool job_done(struct shard_job *job, enum err *out);
void job_release(struct shard_job *job);
