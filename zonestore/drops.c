/* SPDX-License-Identifier: MIT
 *
 * zonestore/drops.c — numbers of nodes that are gone, from whoever dropped them to the disk thread.
 *
 * They are removed in order of their numbers: nodes that were written one after the other share
 * pages, and mostly go together too.
 *
 *	drops_add() -> fresh -> drops_sort() -> sorted -> drops_take()
 */
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/store_p.h"

void numbers_add(struct numbers *n, uint64_t v)
{
	if (n->count == n->cap) {
		n->cap = n->cap == 0 ? 64 : 2 * n->cap;
		n->at = mem_grow(n->at, n->cap * sizeof(*n->at));
	}
	n->at[n->count++] = v;
}

void numbers_fini(struct numbers *n)
{
	free(n->at);
	*n = (struct numbers){ 0 };
}

void drops_init(struct drops *drops)
{
	*drops = (struct drops){ 0 };
	pthread_mutex_init(&drops->lock, NULL);
}

void drops_fini(struct drops *drops)
{
	drops_forget(drops);
	pthread_mutex_destroy(&drops->lock);
}

void drops_forget(struct drops *drops)
{
	pthread_mutex_lock(&drops->lock);
	numbers_fini(&drops->fresh);
	numbers_fini(&drops->sorted);
	pthread_mutex_unlock(&drops->lock);
}

void drops_add(struct drops *drops, uint64_t seq)
{
	pthread_mutex_lock(&drops->lock);
	numbers_add(&drops->fresh, seq);
	pthread_mutex_unlock(&drops->lock);
}

static int seq_compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

size_t drops_waiting(struct drops *drops)
{
	size_t count;

	pthread_mutex_lock(&drops->lock);
	count = drops->fresh.count + drops->sorted.count;
	pthread_mutex_unlock(&drops->lock);
	return count;
}

void drops_sort(struct drops *drops)
{
	struct numbers taken = { 0 };

	pthread_mutex_lock(&drops->lock);
	if (drops->sorted.count == 0) {
		taken = drops->fresh;
		drops->fresh = (struct numbers){ 0 };
	}
	pthread_mutex_unlock(&drops->lock);
	if (taken.count == 0) {
		return;
	}
	/* Not under the lock: there may be millions. */
	qsort(taken.at, taken.count, sizeof(*taken.at), seq_compare);
	pthread_mutex_lock(&drops->lock);
	assert(drops->sorted.count == 0);
	drops->sorted = taken;
	pthread_mutex_unlock(&drops->lock);
}

struct numbers drops_take(struct drops *drops)
{
	struct numbers taken;

	pthread_mutex_lock(&drops->lock);
	taken = drops->sorted;
	drops->sorted = (struct numbers){ 0 };
	pthread_mutex_unlock(&drops->lock);
	return taken;
}
