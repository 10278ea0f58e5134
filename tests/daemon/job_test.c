/* SPDX-License-Identifier: MIT
 *
 * Jobs over a struct io of the test's own, whose mails are run by hand: what matters is who frees. */
#include "daemon/job_p.h"

#include <stdlib.h>

#include "base/arena.h"

#include "tests/test.h"

struct hand {
	struct io io;
	struct io_mail *mail; /* posted, not yet run */
	bool full;
};

struct probe {
	struct shard_job job;
	enum err answer;
	bool later;
	bool at_once; /* a job that may end later has ended, and its caller has gone, when fn returns */
	unsigned *freed;
};

static enum err hand_post(struct io *io, struct io_mail *mail, bool reply)
{
	struct hand *h = container_of(io, struct hand, io);

	if (h->full && !reply) {
		return ERR_BUSY;
	}
	h->mail = mail;
	return ERR_OK;
}

static const struct io_ops hand_ops = { .post = hand_post };

static void hand_run(struct hand *h)
{
	struct io_mail *mail = h->mail;

	h->mail = NULL;
	mail->fn(mail);
}

static enum err probe_run(struct shard *s, struct shard_job *job)
{
	struct probe *p = container_of(job, struct probe, job);

	cr_assert(eq(ptr, s, job->shard));
	job->later = p->later;
	if (p->at_once) {
		job_finish(job, ERR_OK);
		job_release(job); /* as another thread may */
		return ERR_OK;
	}
	return p->answer;
}

static void probe_free(struct shard_job *job)
{
	struct probe *p = container_of(job, struct probe, job);

	(*p->freed)++;
	free(p);
}

static struct probe *probe_new(unsigned *freed)
{
	struct probe *p = mem_zero(1, sizeof(*p));

	job_init(&p->job, probe_run, probe_free);
	p->freed = freed;
	return p;
}

TEST(job, gives_back_what_the_shard_said)
{
	struct hand h = { .io = { .ops = &hand_ops } };
	struct shard s = { .io = &h.io };
	unsigned freed = 0;
	struct probe *p = probe_new(&freed);

	p->answer = ERR_NOT_FOUND;
	cr_assert(eq(int, job_send(&p->job, &s), ERR_OK));
	hand_run(&h);
	cr_expect(eq(int, job_wait(&p->job, 1), ERR_NOT_FOUND));
	cr_expect(eq(uint, freed, 0), "the caller still reads it");
	job_release(&p->job);
	cr_expect(eq(uint, freed, 1));
}

TEST(job, outlives_a_caller_that_gave_up)
{
	struct hand h = { .io = { .ops = &hand_ops } };
	struct shard s = { .io = &h.io };
	unsigned freed = 0;
	struct probe *p = probe_new(&freed);

	cr_assert(eq(int, job_send(&p->job, &s), ERR_OK));
	cr_expect(eq(int, job_wait(&p->job, 0), ERR_BUSY));
	job_release(&p->job);
	cr_expect(eq(uint, freed, 0), "the shard has it yet");
	hand_run(&h);
	cr_expect(eq(uint, freed, 1));
}

TEST(job, may_end_later_than_its_function)
{
	struct hand h = { .io = { .ops = &hand_ops } };
	struct shard s = { .io = &h.io };
	unsigned freed = 0;
	struct probe *p = probe_new(&freed);
	enum err e;

	p->later = true;
	cr_assert(eq(int, job_send(&p->job, &s), ERR_OK));
	hand_run(&h);
	cr_expect(eq(int, job_wait(&p->job, 0), ERR_BUSY));
	cr_expect(not(job_done(&p->job, &e)));
	job_finish(&p->job, ERR_DISK);
	cr_expect(eq(int, job_wait(&p->job, 0), ERR_DISK));
	cr_expect(job_done(&p->job, &e));
	cr_expect(eq(int, e, ERR_DISK));
	job_release(&p->job);
	cr_expect(eq(uint, freed, 1));
}

TEST(job, may_be_gone_when_its_function_returns)
{
	struct hand h = { .io = { .ops = &hand_ops } };
	struct shard s = { .io = &h.io };
	unsigned freed = 0;
	struct probe *p = probe_new(&freed);

	p->later = true;
	p->at_once = true;
	cr_assert(eq(int, job_send(&p->job, &s), ERR_OK));
	hand_run(&h);
	cr_expect(eq(uint, freed, 1));
}

TEST(job, of_which_there_is_one_is_never_refused)
{
	struct hand h = { .io = { .ops = &hand_ops }, .full = true };
	struct shard s = { .io = &h.io };
	unsigned freed = 0;
	struct probe *p = probe_new(&freed);

	job_send_always(&p->job, &s);
	hand_run(&h);
	cr_expect(eq(int, job_wait(&p->job, 1), ERR_OK));
	job_release(&p->job);
	cr_expect(eq(uint, freed, 1));
}

TEST(job, stays_with_the_caller_when_the_mailbox_is_full)
{
	struct hand h = { .io = { .ops = &hand_ops }, .full = true };
	struct shard s = { .io = &h.io };
	unsigned freed = 0;
	struct probe *p = probe_new(&freed);

	cr_expect(eq(int, job_send(&p->job, &s), ERR_BUSY));
	cr_expect(eq(uint, freed, 0));
	job_release(&p->job);
	cr_expect(eq(uint, freed, 1));
}
