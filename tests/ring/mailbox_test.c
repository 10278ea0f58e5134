/* SPDX-License-Identifier: MIT */
#include "ring/mailbox_p.h"

#include <pthread.h>
#include <sched.h>

#include "tests/test.h"

#define SENDERS  4
#define MAILS    20000
#define SLOTS    64 /* mails of a sender, used again and again */
#define WAIT_MAX 16

struct letter {
	struct io_mail mail;
	struct sender *from;
	unsigned number;
	_Atomic bool busy;
};

struct sender {
	struct mailbox *box;
	struct letter letters[SLOTS];
	unsigned received; /* by the owner */
	unsigned refused;
};

static void on_letter(struct io_mail *mail)
{
	struct letter *l = container_of(mail, struct letter, mail);

	cr_assert(eq(u32, l->number, l->from->received), "out of order");
	l->from->received++;
	atomic_store(&l->busy, false);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (unsigned n = 0; n < MAILS; n++) {
		struct letter *l = &s->letters[n % SLOTS];
		while (atomic_load(&l->busy)) {
			sched_yield();
		}
		l->mail.fn = on_letter;
		l->from = s;
		l->number = n;
		atomic_store(&l->busy, true);
		while (!mailbox_put(s->box, &l->mail, false)) {
			s->refused++;
			sched_yield();
		}
	}
	return NULL;
}

TEST(mailbox, loses_nothing_and_keeps_each_senders_order)
{
	struct mailbox box = { .max = WAIT_MAX };
	static struct sender senders[SENDERS];
	pthread_t threads[SENDERS];
	size_t got = 0;
	unsigned refused = 0;

	for (int i = 0; i < SENDERS; i++) {
		senders[i].box = &box;
		pthread_create(&threads[i], NULL, send_all, &senders[i]);
	}
	while (got < SENDERS * MAILS) {
		size_t batch = mailbox_run(&box);
		cr_assert(batch <= WAIT_MAX, "%zu waited", batch);
		got += batch;
		sched_yield();
	}
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(threads[i], NULL);
		cr_expect(eq(u32, senders[i].received, MAILS));
		refused += senders[i].refused;
	}
	cr_expect(refused > 0, "it was never full");
	cr_expect(mailbox_empty(&box));
	cr_expect(eq(u32, atomic_load(&box.count), 0));
}

static void on_nothing(struct io_mail *mail)
{
	mail->fn = NULL;
}

TEST(mailbox, refuses_when_full_but_never_a_reply)
{
	struct mailbox box = { .max = 3 };
	struct io_mail mails[5];

	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		mails[i] = (struct io_mail){ .fn = on_nothing };
		cr_expect(eq(int, mailbox_put(&box, &mails[i], false), i < 3));
	}
	cr_expect(mailbox_put(&box, &mails[3], true));
	cr_expect(eq(sz, mailbox_run(&box), 4));
	cr_expect(mails[3].fn == NULL && mails[4].fn != NULL);
	cr_expect(mailbox_put(&box, &mails[4], false), "there is room again");
	cr_expect(eq(sz, mailbox_run(&box), 1));
}
