/* SPDX-License-Identifier: MIT
 *
 * zonestore/reset.c — a journal that is damaged is left, and all that is in memory is written anew.
 *
 * Numbers of nodes and zones belong to the journal that is left. Whatever remembers one forgets it;
 * then every zone is noted, and a note writes the nodes that are not on the disk. */
#include <limits.h>
#include <stdlib.h>

#include "zonestore/pool_p.h"
#include "zonestore/store_p.h"

static void removals_forget(struct removal *r)
{
	for (; r != NULL; r = r->next) {
		r->zone->number = 0;
	}
}

/* queue.lock is held. */
static bool zone_forget(void *self, struct zone *zone)
{
	struct store *st = self;

	zone->number = 0;
	store_note_push(st, zone);
	return true;
}

enum err store_reset(struct store *st)
{
	struct journal *j = st->o.journal;
	struct disk *d = &st->disk;
	char where[PATH_MAX] = "";

	TRY(j->ops->reset(j, where, sizeof(where)));
	EVENT(st->o.events, EVENT_STORE_SET_ASIDE, F_STR("path", where));
	pool_forget_seqs(st->o.pool);
	numbers_fini(&d->drops);
	numbers_fini(&d->zone_drops);
	drops_forget(&st->drops);
	/* next_seq and next_number go on: a number that is still on its way to be dropped, and that of a
	 * zone which was removed during a commit, means nothing else. */
	pthread_mutex_lock(&st->queue.lock);
	removals_forget(d->removals);
	removals_forget(st->queue.removals);
	zone_map_each(&st->zones, zone_forget, st);
	pthread_mutex_unlock(&st->queue.lock);
	return ERR_OK;
}
