/* SPDX-License-Identifier: MIT
 *
 * ring/mailbox_p.h — many threads put mails in, one takes all of them out.
 *
 * Senders push on a list with one compare-and-swap; the owner takes the whole list with one
 * exchange and turns it round, so the mails of one sender come out in its order. Since nothing is
 * ever popped alone, a reused address does no harm. The number waiting is bounded. */
#pragma once

#include <stdatomic.h>

#include "ring/io.h"

struct mailbox {
	_Atomic(struct io_mail *) newest;
	_Atomic unsigned count; /* put in and not yet taken */
	unsigned max;
};

/* Puts a mail in; false, and the mail stays the caller's, if `max` wait and it is not a reply. Any
 * thread. */
MUST_USE static inline bool mailbox_put(struct mailbox *box, struct io_mail *mail, bool reply)
{
	struct io_mail *old;

	if (atomic_fetch_add_explicit(&box->count, 1, memory_order_relaxed) >= box->max && !reply) {
		atomic_fetch_sub_explicit(&box->count, 1, memory_order_relaxed);
		return false;
	}
	old = atomic_load_explicit(&box->newest, memory_order_relaxed);
	do {
		mail->next = old;
		/* Sequentially consistent: the sender looks next whether the owner sleeps, and the
		 * owner, having said that it will, looks here. One of them sees the other. */
	} while (!atomic_compare_exchange_weak(&box->newest, &old, mail));
	return true;
}

static inline bool mailbox_empty(const struct mailbox *box)
{
	return atomic_load(&box->newest) == NULL;
}

/* Takes everything that waits, oldest first. The owner's thread only. */
static inline struct io_mail *mailbox_take(struct mailbox *box)
{
	struct io_mail *mail;
	struct io_mail *oldest = NULL;
	unsigned count = 0;

	if (atomic_load_explicit(&box->newest, memory_order_relaxed) == NULL) {
		return NULL;
	}
	mail = atomic_exchange_explicit(&box->newest, NULL, memory_order_acquire);
	while (mail != NULL) {
		struct io_mail *next = mail->next;
		mail->next = oldest;
		oldest = mail;
		mail = next;
		count++;
	}
	atomic_fetch_sub_explicit(&box->count, count, memory_order_relaxed);
	return oldest;
}

/* Takes and runs everything that waits now; returns how many. */
static inline size_t mailbox_run(struct mailbox *box)
{
	struct io_mail *mail = mailbox_take(box);
	size_t count = 0;

	while (mail != NULL) {
		struct io_mail *next = mail->next; /* the function may free its mail */
		mail->next = NULL;
		mail->fn(mail);
		mail = next;
		count++;
	}
	return count;
}
