/* SPDX-License-Identifier: MIT
 *
 * zonestore/wanted.c — zones that are asked for before they were read.
 *
 *	NOT_BEGUN -> BEGUN -> DONE        in zone->reading, by one loader
 *
 * Whoever asks sets READING_WANTED beside that, under the lock and unless it is done; the loader that
 * finds the mark when it is done looks for those who wait. So each of them hears of it, and loaders
 * whose zones nobody asked for take no lock. */
#include "zonestore/store_p.h"

void wanted_init(struct wanted *w)
{
	*w = (struct wanted){ 0 };
	pthread_mutex_init(&w->lock, NULL);
	w->fresh_end = &w->fresh;
}

void wanted_fini(struct wanted *w)
{
	pthread_mutex_destroy(&w->lock);
}

bool store_unread(const struct store *st, const struct zone *zone)
{
	return !atomic_load_explicit(&st->wanted.over, memory_order_acquire) &&
	       (atomic_load_explicit(&zone->reading, memory_order_acquire) & READING_STATE) !=
	               READING_DONE;
}

/* Marks the zone as waited for; false if it was read meanwhile. */
static bool zone_mark_wanted(struct zone *zone)
{
	uint8_t was = atomic_load(&zone->reading);

	do {
		if ((was & READING_STATE) == READING_DONE) {
			return false;
		}
	} while (!atomic_compare_exchange_weak(&zone->reading, &was,
	                                       (uint8_t)(was | READING_WANTED)));
	return true;
}

enum err store_want(struct store *st, struct zone *zone, struct store_wanted *want)
{
	struct wanted *w = &st->wanted;
	enum err e = ERR_OK;

	assert(want->task.fn != NULL && want->shard < st->o.shard_count);
	pthread_mutex_lock(&w->lock);
	if (w->over) {
		e = ERR_NOT_FOUND;
	} else if (w->count >= STORE_WANTED_MAX) {
		e = ERR_BUSY;
	} else if (!zone_mark_wanted(zone)) {
		e = ERR_NOT_FOUND;
	} else {
		want->zone = zone;
		want->next = NULL;
		*w->fresh_end = want;
		w->fresh_end = &want->next;
		w->count++;
		atomic_fetch_add(&w->fresh_count, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return e;
}

struct zone *wanted_take(struct wanted *w)
{
	struct store_wanted *want;

	if (atomic_load_explicit(&w->fresh_count, memory_order_relaxed) == 0) {
		return NULL;
	}
	pthread_mutex_lock(&w->lock);
	want = w->fresh;
	if (want != NULL) {
		w->fresh = want->next;
		if (w->fresh == NULL) {
			w->fresh_end = &w->fresh;
		}
		atomic_fetch_sub(&w->fresh_count, 1);
		want->next = w->begun;
		w->begun = want;
	}
	pthread_mutex_unlock(&w->lock);
	return want == NULL ? NULL : want->zone;
}

bool zone_begin_reading(struct zone *zone)
{
	uint8_t was = atomic_load(&zone->reading);

	do {
		if ((was & READING_STATE) != READING_NOT_BEGUN) {
			return false;
		}
	} while (!atomic_compare_exchange_weak(&zone->reading, &was,
	                                       (uint8_t)(was | READING_BEGUN)));
	return true;
}

/* Moves those of a list that wait for `zone`, or all for NULL, to `out`. Returns how many. */
static size_t list_move(struct store_wanted **list, const struct zone *zone,
                        struct store_wanted **out)
{
	size_t count = 0;

	while (*list != NULL) {
		struct store_wanted *want = *list;
		if (zone != NULL && want->zone != zone) {
			list = &want->next;
			continue;
		}
		*list = want->next;
		want->next = *out;
		*out = want;
		count++;
	}
	return count;
}

static void wanted_answer(struct store *st, const struct zone *zone, bool over)
{
	struct wanted *w = &st->wanted;
	struct store_wanted *done = NULL;
	size_t fresh;

	pthread_mutex_lock(&w->lock);
	w->over = w->over || over;
	fresh = list_move(&w->fresh, zone, &done);
	atomic_fetch_sub(&w->fresh_count, fresh);
	w->count -= fresh + list_move(&w->begun, zone, &done);
	w->fresh_end = &w->fresh;
	while (*w->fresh_end != NULL) {
		w->fresh_end = &(*w->fresh_end)->next;
	}
	pthread_mutex_unlock(&w->lock);
	while (done != NULL) {
		struct store_wanted *next = done->next;
		st->o.post(st->o.post_self, done->shard, &done->task); /* may be gone now */
		done = next;
	}
}

void zone_end_reading(struct store *st, struct zone *zone)
{
	if ((atomic_exchange(&zone->reading, READING_DONE) & READING_WANTED) != 0) {
		wanted_answer(st, zone, false);
	}
}

void wanted_end(struct store *st)
{
	wanted_answer(st, NULL, true);
}
