/* SPDX-License-Identifier: MIT
 *
 * base/epoch.c — quiescent-state reclamation with a lock only around the retired list. */
#include "base/epoch.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"

#define EPOCH_OFFLINE   UINT64_MAX
#define EPOCH_FREE_SLOT (UINT64_MAX - 1)

struct epoch_slot {
	_Alignas(64) _Atomic uint64_t seen; /* the epoch of the last announcement, or a mark */
};

struct epoch {
	_Atomic uint64_t now;
	_Atomic unsigned slot_count;
	pthread_mutex_t lock; /* over the list and joining */
	struct epoch_item *first;
	struct epoch_item **last;
	_Atomic bool pending; /* the list is not empty: spares the lock */
	struct epoch_slot slots[EPOCH_PARTICIPANTS_MAX];
};

struct epoch *epoch_new(void)
{
	struct epoch *e = aligned_alloc(64, sizeof(*e));

	if (e == NULL) {
		abort();
	}
	memset(e, 0, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
	e->last = &e->first;
	atomic_store(&e->now, 1);
	return e;
}

static size_t epoch_run(struct epoch_item *item)
{
	size_t count = 0;

	while (item != NULL) {
		struct epoch_item *next = item->next;
		item->free_fn(item);
		item = next;
		count++;
	}
	return count;
}

void epoch_free(struct epoch *e)
{
	if (e == NULL) {
		return;
	}
	while (e->first != NULL) {
		struct epoch_item *item = e->first;
		e->first = NULL;
		e->last = &e->first;
		epoch_run(item);
	}
	pthread_mutex_destroy(&e->lock);
	free(e);
}

unsigned epoch_join(struct epoch *e)
{
	unsigned count;
	unsigned slot;

	pthread_mutex_lock(&e->lock);
	count = atomic_load(&e->slot_count);
	for (slot = 0; slot < count; slot++) {
		if (atomic_load(&e->slots[slot].seen) == EPOCH_FREE_SLOT) {
			break;
		}
	}
	assert(slot < EPOCH_PARTICIPANTS_MAX);
	atomic_store(&e->slots[slot].seen, EPOCH_OFFLINE);
	if (slot == count) {
		atomic_store(&e->slot_count, count + 1);
	}
	pthread_mutex_unlock(&e->lock);
	return slot;
}

void epoch_leave(struct epoch *e, unsigned participant)
{
	assert(participant < atomic_load(&e->slot_count));
	atomic_store(&e->slots[participant].seen, EPOCH_FREE_SLOT);
}

void epoch_quiet(struct epoch *e, unsigned participant)
{
	assert(participant < EPOCH_PARTICIPANTS_MAX);
	/* An exchange, so that on no machine a later read of a shared pointer moves before it. */
	(void)atomic_exchange(&e->slots[participant].seen, atomic_load(&e->now));
}

void epoch_offline(struct epoch *e, unsigned participant)
{
	assert(participant < EPOCH_PARTICIPANTS_MAX);
	atomic_store_explicit(&e->slots[participant].seen, EPOCH_OFFLINE, memory_order_release);
}

void epoch_retire(struct epoch *e, struct epoch_item *item, void (*free_fn)(struct epoch_item *))
{
	assert(free_fn != NULL);
	item->next = NULL;
	item->free_fn = free_fn;
	pthread_mutex_lock(&e->lock);
	/* Whoever announces the new number has not seen what was unlinked before it. */
	item->at = atomic_fetch_add(&e->now, 1) + 1;
	*e->last = item;
	e->last = &item->next;
	atomic_store_explicit(&e->pending, true, memory_order_release);
	pthread_mutex_unlock(&e->lock);
}

static uint64_t epoch_oldest(struct epoch *e)
{
	unsigned count = atomic_load(&e->slot_count);
	uint64_t oldest = EPOCH_FREE_SLOT;

	for (unsigned i = 0; i < count; i++) {
		uint64_t seen = atomic_load(&e->slots[i].seen);
		oldest = seen < oldest ? seen : oldest;
	}
	return oldest;
}

size_t epoch_collect_some(struct epoch *e, size_t max)
{
	struct epoch_item *list = NULL;
	struct epoch_item **end = &list;
	size_t count = 0;
	uint64_t oldest;

	if (!atomic_load_explicit(&e->pending, memory_order_acquire)) {
		return 0;
	}
	if (pthread_mutex_trylock(&e->lock) != 0) {
		return 0;
	}
	oldest = epoch_oldest(e);
	while (e->first != NULL && e->first->at <= oldest && count++ < max) {
		*end = e->first;
		end = &e->first->next;
		e->first = e->first->next;
	}
	*end = NULL;
	if (e->first == NULL) {
		e->last = &e->first;
		atomic_store_explicit(&e->pending, false, memory_order_release);
	}
	pthread_mutex_unlock(&e->lock);
	return epoch_run(list);
}

size_t epoch_collect(struct epoch *e)
{
	return epoch_collect_some(e, SIZE_MAX);
}
