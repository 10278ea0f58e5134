/* SPDX-License-Identifier: MIT
 *
 * daemon/shard.c — one thread, one ring, and everything that runs on it.
 *
 *	main: shards_start() ..... all bound? ... drop root, open the store ... shards_go() ...
 *shards_stop() shard:   ring, sockets --> ready, wait -------------------------> engine, turns,
 *tear down */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "daemon/daemon_p.h"
#include "daemon/dispatch_p.h"
#include "ring/uring.h"
#include "transfer/notify_limit.h"
#include "transfer/xfr_share.h"

static void shard_turn_end(void *self)
{
	struct shard *s = self;

	epoch_quiet(s->d->epoch, s->epoch_slot);
}

static void shard_sleep(void *self)
{
	struct shard *s = self;

	epoch_offline(s->d->epoch, s->epoch_slot);
}

/* Store tasks travel as mails; the carrier's two words hold the mail. */
static_assert(sizeof(struct io_mail) <= sizeof((struct store_task){ 0 }.link),
              "a store task carries a mail");

static void task_run(struct io_mail *mail)
{
	struct store_task *task = container_of((void **)(void *)mail, struct store_task, link[0]);

	task->fn(task);
}

void shard_post_task(void *self, unsigned shard, struct store_task *task)
{
	struct daemon *d = self;
	struct io_mail *mail = (struct io_mail *)(void *)task->link;

	assert(shard < d->shard_count);
	mail->fn = task_run;
	io_post_reply(d->shards[shard].io, mail);
}

/* Says how the start went and waits for the word to go. False: stop at once. */
static bool shard_ready(struct shard *s, enum err e, const char *why)
{
	struct daemon *d = s->d;
	bool go;

	pthread_mutex_lock(&d->lock);
	d->shards_ready++;
	if (e != ERR_OK && d->start_err == ERR_OK) {
		d->start_err = e;
		snprintf(d->why, sizeof(d->why), "%s", why);
	}
	pthread_cond_broadcast(&d->changed);
	while (!d->go && !d->stop) {
		pthread_cond_wait(&d->changed, &d->lock);
	}
	go = d->go && !d->stop;
	pthread_mutex_unlock(&d->lock);
	return go && e == ERR_OK;
}

static enum err shard_open(struct shard *s, char *why, size_t why_cap)
{
	struct uring_options options = {
		.env = s->d->env,
		.hooks = { s, shard_turn_end, shard_sleep, shard_turn_end },
	};

	TRY(uring_new(&options, &s->io, why, why_cap));
	return server_new(s, &s->server, why, why_cap);
}

/* One more shard is so far. */
static void shard_count(struct shard *s, unsigned *counter)
{
	struct daemon *d = s->d;

	pthread_mutex_lock(&d->lock);
	(*counter)++;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

/* Zones are spread evenly over the shards, so each may send its part. */
void shard_notify_rate(struct shard *s, const struct config *config)
{
	uint32_t rate = config->notify_rate;
	uint32_t share = (rate + s->d->shard_count - 1) / s->d->shard_count;

	transfer_notify_rate(s->transfer, share);
}

static void shard_run(struct shard *s)
{
	struct transfer_options options = { .io = s->io,
		                            .events = &s->d->events,
		                            .store = s->d->store,
		                            .pool = s->d->pool,
		                            .epoch = s->d->epoch,
		                            .quotas = s->d->quotas };
	enum err e = transfer_new(&options, &s->transfer);

	if (e != ERR_OK) {
		EVENT(&s->d->events, EVENT_SYSTEM_FAILED, F_STR("what", "transfer engine"),
		      F_ERR("error", e));
	}
	shard_count(s, &s->d->shards_running);
	if (e != ERR_OK) {
		return;
	}
	shard_notify_rate(s, ((struct applied *)atomic_load(&s->d->applied))->config);
	server_go(s->server);
	epoch_quiet(s->d->epoch, s->epoch_slot);
	io_run(s->io);
	server_close(s->server);
	transfer_settle(s->transfer);
	if (DAEMON_FREES_ALL) {
		transfer_free(s->transfer);
		s->transfer = NULL; /* a late mail may ask for it */
	}
}

/* Says that the turns are over and waits until every other thread has nothing to post any more. */
static void shard_ended(struct shard *s)
{
	struct daemon *d = s->d;

	epoch_offline(d->epoch, s->epoch_slot);
	shard_count(s, &d->shards_ended);
	pthread_mutex_lock(&d->lock);
	while (!d->teardown) {
		pthread_cond_wait(&d->changed, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
}

static void *shard_main(void *arg)
{
	struct shard *s = arg;
	char why[256] = "";
	sigset_t all;
	enum err e;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	e = shard_open(s, why, sizeof(why));
	if (shard_ready(s, e, why)) {
		shard_run(s);
	} else if (s->server != NULL) {
		server_close(s->server);
	}
	shard_ended(s);
	if (s->io != NULL) {
		io_free(s->io); /* runs the last completions */
		s->io = NULL;
	}
	dispatch_fini(s);
	server_free(s->server);
	xfr_share_free(s->share);
	free(s->scratch);
	notify_limit_free(s->notify_limit);
	return NULL;
}

enum err shards_start(struct daemon *d)
{
	for (unsigned i = 0; i < d->shard_count; i++) {
		struct shard *s = &d->shards[i];
		*s = (struct shard){ .d = d, .index = i };
		s->scratch = mem_zero(1, sizeof(*s->scratch));
		s->notify_limit = notify_limit_new(d->env);
		s->share = xfr_share_new();
		s->epoch_slot = epoch_join(d->epoch);
		if (pthread_create(&s->thread, NULL, shard_main, s) != 0) {
			snprintf(d->why, sizeof(d->why), "cannot start a thread");
			return ERR_SYSTEM;
		}
		s->started = true;
	}
	pthread_mutex_lock(&d->lock);
	while (d->shards_ready < d->shard_count) {
		pthread_cond_wait(&d->changed, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	return d->start_err;
}

void shards_go(struct daemon *d)
{
	pthread_mutex_lock(&d->lock);
	d->go = true;
	pthread_cond_broadcast(&d->changed);
	while (d->shards_running < d->shard_count) {
		pthread_cond_wait(&d->changed, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
}

static unsigned shards_running(const struct daemon *d)
{
	unsigned count = 0;

	for (unsigned i = 0; i < d->shard_count; i++) {
		count += d->shards[i].started ? 1 : 0;
	}
	return count;
}

void shards_stop(struct daemon *d)
{
	unsigned running = shards_running(d);

	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->changed);
	while (d->shards_ready < running) {
		pthread_cond_wait(&d->changed, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
	for (unsigned i = 0; i < d->shard_count; i++) {
		if (d->shards[i].started && d->shards[i].io != NULL) {
			io_stop(d->shards[i].io);
		}
	}
	pthread_mutex_lock(&d->lock);
	while (d->shards_ended < running) {
		pthread_cond_wait(&d->changed, &d->lock);
	}
	pthread_mutex_unlock(&d->lock);
}

void shards_free(struct daemon *d)
{
	pthread_mutex_lock(&d->lock);
	d->teardown = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	for (unsigned i = 0; i < d->shard_count; i++) {
		if (d->shards[i].started) {
			pthread_join(d->shards[i].thread, NULL);
		}
	}
}
