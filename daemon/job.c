/* SPDX-License-Identifier: MIT
 *
 * daemon/job.c — jobs, held by two sides, so that a caller who gives up leaves nothing dangling. */
#include "daemon/job_p.h"

#include <errno.h>
#include <time.h>

void job_init(struct shard_job *job, enum err (*fn)(struct shard *, struct shard_job *),
              void (*free_fn)(struct shard_job *))
{
	pthread_condattr_t attr;

	*job = (struct shard_job){ .fn = fn, .free_fn = free_fn, .holders = 1 };
	pthread_mutex_init(&job->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&job->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void job_release(struct shard_job *job)
{
	bool last;

	pthread_mutex_lock(&job->lock);
	assert(job->holders > 0);
	last = --job->holders == 0;
	pthread_mutex_unlock(&job->lock);
	if (last) {
		pthread_mutex_destroy(&job->lock);
		pthread_cond_destroy(&job->changed);
		job->free_fn(job);
	}
}

void job_finish(struct shard_job *job, enum err e)
{
	pthread_mutex_lock(&job->lock);
	assert(!job->done);
	job->err = e;
	job->done = true;
	pthread_cond_broadcast(&job->changed);
	pthread_mutex_unlock(&job->lock);
	job_release(job);
}

static void job_run(struct io_mail *mail)
{
	struct shard_job *job = container_of(mail, struct shard_job, mail);
	enum err e;

	/* A job that goes on later may be finished, and let go by its caller, before `fn` returns. */
	pthread_mutex_lock(&job->lock);
	job->holders++;
	pthread_mutex_unlock(&job->lock);
	e = job->fn(job->shard, job);
	if (!job->later) {
		job_finish(job, e);
	}
	job_release(job);
}

static void job_address(struct shard_job *job, struct shard *s)
{
	assert(job->holders == 1 && !job->done);
	job->mail.fn = job_run;
	job->shard = s;
	job->holders = 2; /* nobody else sees it yet */
}

void job_send_always(struct shard_job *job, struct shard *s)
{
	job_address(job, s);
	io_post_reply(s->io, &job->mail);
}

enum err job_send(struct shard_job *job, struct shard *s)
{
	enum err e;

	job_address(job, s);
	e = io_post(s->io, &job->mail);
	if (e != ERR_OK) {
		job->holders = 1;
	}
	return e;
}

bool job_done(struct shard_job *job, enum err *out)
{
	bool done;

	pthread_mutex_lock(&job->lock);
	done = job->done;
	if (done) {
		*out = job->err;
	}
	pthread_mutex_unlock(&job->lock);
	return done;
}

enum err job_wait(struct shard_job *job, unsigned deadline_s)
{
	uint64_t until = env_mono_ns(env_system()) + deadline_s * NS_PER_S;
	struct timespec ts = { (time_t)(until / NS_PER_S), (long)(until % NS_PER_S) };
	enum err e = ERR_BUSY;
	int rc = 0;

	pthread_mutex_lock(&job->lock);
	while (!job->done && rc != ETIMEDOUT) {
		rc = pthread_cond_timedwait(&job->changed, &job->lock, &ts);
	}
	if (job->done) {
		e = job->err;
	}
	pthread_mutex_unlock(&job->lock);
	return e;
}
