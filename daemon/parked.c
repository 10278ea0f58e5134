/* SPDX-License-Identifier: MIT
 *
 * daemon/parked.c — questions that wait for their zone.
 *
 * Two things may end the waiting: the word that the zone was read, and the clock. The word comes in
 * any case, and frees it. */
#include "daemon/parked_p.h"

#include <stdlib.h>

#include "base/arena.h"

static void parked_free(struct parked *p)
{
	struct parking *lot = p->lot;

	*p->back = p->next;
	if (p->next != NULL) {
		p->next->back = p->back;
	}
	lot->count--;
	lot->bytes -= p->message.len;
	free(p);
}

static void parked_resume(struct parked *p)
{
	if (!p->resumed) {
		p->resumed = true;
		io_timer_clear(p->lot->shard->io, &p->timer);
		p->resume(p);
	}
}

static void parked_late(struct io_timer *timer)
{
	parked_resume(container_of(timer, struct parked, timer));
}

static void parked_told(struct store_task *task)
{
	struct store_wanted *wanted = container_of(task, struct store_wanted, task);
	struct parked *p = container_of(wanted, struct parked, wanted);

	parked_resume(p);
	parked_free(p);
}

struct parked *parked_new(struct parking *lot, struct zone *zone, const struct parked *like)
{
	struct shard *s = lot->shard;
	struct parked *p;

	if (lot->count >= PARKED_MAX || lot->bytes + like->message.len > PARKED_MAX_BYTES) {
		return NULL;
	}
	p = mem_new(sizeof(*p) + like->message.len);
	*p = (struct parked){ .resume = like->resume,
		              .owner = like->owner,
		              .peer = like->peer,
		              .local = like->local,
		              .message = bytes_of(p->octets, like->message.len),
		              .lot = lot,
		              .wanted = { .task = { .fn = parked_told }, .shard = s->index },
		              .timer = { .fn = parked_late },
		              .next = lot->first,
		              .back = &lot->first };
	memcpy(p->octets, like->message.at, like->message.len);
	if (store_want(s->d->store, zone, &p->wanted) != ERR_OK) {
		free(p);
		return NULL;
	}
	if (p->next != NULL) {
		p->next->back = &p->next;
	}
	lot->first = p;
	lot->count++;
	lot->bytes += p->message.len;
	io_timer_set(s->io, &p->timer, io_now_ns(s->io) + PARKED_WAIT_MS * NS_PER_MS);
	return p;
}

void parked_forget(struct parked *p)
{
	p->resumed = true;
	io_timer_clear(p->lot->shard->io, &p->timer);
}

void parking_close(struct parking *lot)
{
	for (struct parked *p = lot->first; p != NULL; p = p->next) {
		parked_forget(p);
	}
}

void parking_fini(struct parking *lot)
{
	while (lot->first != NULL) {
		parked_free(lot->first);
	}
}
