/* SPDX-License-Identifier: MIT
 *
 * zonestore/disk.c — the disk thread: what waits goes into one transaction.
 *
 * A transaction takes versions first, also those that come while it is filled. Then, as far as that
 * delays nobody for long, what is not urgent: records of zones that are gone, noted timers, nodes
 * that are gone. Each of them may cost a page of its own. A version writes the nodes of its trees that have no number yet,
 * children first, and then its zone's record. When the transaction is full in the middle of a tree,
 * the nodes so far are committed and the zone goes to the end of the line: nobody sees nodes that no
 * record names, and the next walk skips them. Nothing is taken off a list before it is durable, so
 * a failed transaction only has to give its nodes their numbers back.
 *
 *	lists -> disk_fill() -> commit -> disk_succeed() -> answers to the shards
 *	                          \ ERR_BUSY: the same again
 *	                           \ else: disk_fail(); notes and drops stay for later */
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/record_p.h"
#include "zonestore/store_p.h"

#define TRANSACTION_BYTES   (8U << 20)   /* of values; LMDB keeps as many dirty pages for good */
#define TRANSACTION_LEAST   (512U << 10) /* that many at least, however slow the disk is */
#define TRANSACTION_LONG_NS (12 * NS_PER_MS) /* others wait for it: the next one takes less */
#define TRANSACTION_COMMITS STORE_GROUP_MAX
#define ASIDE_MAX           1024U           /* notes, removals and drops without versions ... */
#define ASIDE_MAX_NS        (4 * NS_PER_MS) /* ... but not for longer than this */
#define ASIDE_BESIDE_MAX    512U            /* in a transaction with versions */
#define ASIDE_BESIDE_NS     (NS_PER_MS / 4) /* or, if that is longer, ... */
#define ASIDE_BESIDE_PART   5U              /* ... this part of the time between transactions */
#define ROOM_MAX            16384U /* removals and drops if the disk is full: nothing else waits */
#define ROOM_LESS           8U
#define ASIDE_LOOK          16U /* at the clock, after so many of them */
#define REPEATS_MAX         40U /* the map doubles each time */

void disk_init(struct store *st)
{
	struct disk *d = &st->disk;

	d->commits_end = &d->commits;
	d->room_bytes = TRANSACTION_BYTES / 4;
	d->next_seq = 1;
	d->next_number = 1;
	d->participant = epoch_join(st->o.epoch);
	pthread_mutex_init(&d->stats_lock, NULL);
}

void disk_fini(struct store *st)
{
	struct disk *d = &st->disk;

	epoch_leave(st->o.epoch, d->participant);
	pthread_mutex_destroy(&d->stats_lock);
	buffer_fini(&d->value);
	free(d->written);
	free(d->drops.at);
	free(d->zone_drops.at);
}

static void disk_counts_tell(struct store *st)
{
	struct disk *d = &st->disk;

	d->counts.drops_waiting = numbers_left(&d->drops) + drops_waiting(&st->drops);
	pthread_mutex_lock(&d->stats_lock);
	d->stats_told.disk = d->counts;
	pthread_mutex_unlock(&d->stats_lock);
}

void disk_stats_update(struct store *st)
{
	struct disk *d = &st->disk;
	struct journal_stats journal;

	st->o.journal->ops->stats(st->o.journal, &journal);
	pthread_mutex_lock(&d->stats_lock);
	d->stats_told.journal = journal;
	pthread_mutex_unlock(&d->stats_lock);
	disk_counts_tell(st);
}

/* ---- taking over from the shards ---- */

/* queue.lock is held. */
static void disk_take_commits(struct store *st)
{
	struct store_queue *q = &st->queue;
	struct disk *d = &st->disk;

	if (q->commits != NULL) {
		*d->commits_end = q->commits;
		d->commits_end = q->commits_end;
		q->commits = NULL;
		q->commits_end = &q->commits;
		q->fresh_count = 0;
	}
}

static void notes_append(struct disk *d, struct zone *notes)
{
	struct zone *last = d->notes;

	if (last == NULL) {
		d->notes = notes;
		return;
	}
	while (last->note_next != 0) {
		last = zone_noted_after(last);
	}
	last->note_next = heap_place(notes);
}

/* Removals are taken together with the notes: a note of a removed zone was there before its removal.
 * queue.lock is held. */
static void disk_take_aside(struct store *st)
{
	struct store_queue *q = &st->queue;
	struct disk *d = &st->disk;
	struct removal **removals_end = &d->removals;

	while (*removals_end != NULL) {
		removals_end = &(*removals_end)->next;
	}
	*removals_end = q->removals;
	q->removals = NULL;
	notes_append(d, q->notes);
	q->notes = NULL;
	q->aside_at_ns = 0;
}

/* Moves what waits to the lists of the disk thread. */
static void disk_take(struct store *st, bool aside)
{
	struct store_queue *q = &st->queue;
	struct disk *d = &st->disk;

	pthread_mutex_lock(&q->lock);
	disk_take_commits(st);
	if (aside) {
		disk_take_aside(st);
	}
	q->drops_ready = false;
	pthread_mutex_unlock(&q->lock);
	if (numbers_left(&d->drops) == 0) {
		numbers_fini(&d->drops);
		d->drops = drops_take(&st->drops);
	}
}

bool disk_has_work(const struct disk *d)
{
	return d->commits != NULL || d->notes != NULL || d->removals != NULL ||
	       numbers_left(&d->drops) > 0 || numbers_left(&d->zone_drops) > 0;
}

/* ---- filling a transaction ---- */

/* What the open transaction covers of each list. */
struct fill {
	struct commit *commits; /* whose records are in it */
	struct commit **commits_end;
	struct zone *notes_rest; /* first note that is not */
	const struct removal *removals_rest;
	size_t room_only; /* nothing but what makes room, and so many of that; 0: all */
	size_t drops;
	size_t zone_drops;
	size_t notes;
	size_t aside_left; /* how many more of what is not urgent */
	uint64_t aside_until_ns;
};

/* May one more of what is not urgent go along? */
static bool fill_aside(const struct store *st, struct fill *f)
{
	if (f->aside_left == 0) {
		return false;
	}
	if (--f->aside_left % ASIDE_LOOK == 0 && env_mono_ns(st->o.env) >= f->aside_until_ns) {
		f->aside_left = 0;
	}
	return true;
}

static bool disk_full(const struct disk *d)
{
	return d->bytes >= d->room_bytes;
}

static void written_add(struct disk *d, struct node_handle node)
{
	if (d->written_count == d->written_cap) {
		d->written_cap = d->written_cap == 0 ? 256 : 2 * d->written_cap;
		d->written = mem_grow(d->written, d->written_cap * sizeof(*d->written));
	}
	d->written[d->written_count++] = node;
}

/* Writes the nodes of a tree that are not on the disk, children first. `*whole` becomes false if
 * the transaction was full before that was done. Recursion ends at NODE_LEVELS_MAX. */
static enum err disk_put_tree(struct store *st, struct node_handle node, bool *whole)
{
	struct node_handle children[NODE_CHILDREN_MAX];
	struct disk *d = &st->disk;
	unsigned count;

	if (node.n == 0 || node_seq(st->o.pool, node) != 0) {
		return ERR_OK;
	}
	count = node_children(st->o.pool, node, children);
	for (unsigned i = 0; i < count && *whole; i++) {
		TRY(disk_put_tree(st, children[i], whole));
	}
	if (!*whole || disk_full(d)) {
		*whole = false;
		return ERR_OK;
	}
	d->value.len = 0;
	node_value_write(st->o.pool, node, &d->value);
	TRY(st->o.journal->ops->put_node(st->o.journal, d->next_seq, buffer_bytes(&d->value)));
	node_set_seq(st->o.pool, node, d->next_seq++);
	written_add(d, node);
	d->bytes += d->value.len;
	return ERR_OK;
}

static enum err disk_put_version(struct store *st, const struct snapshot *snap, bool *whole)
{
	struct node_handle roots[2];

	snapshot_roots(snap, roots);
	TRY(disk_put_tree(st, roots[0], whole));
	return disk_put_tree(st, roots[1], whole);
}

/* Writes the nodes of all versions of a zone that are not on the disk. Mostly that is the newest
 * one's; after a reset of the journal, all. */
static enum err disk_put_versions(struct store *st, const struct zone_state *state, bool *whole)
{
	const struct versions *v = state->more;

	if (state->served != NULL) {
		TRY(disk_put_version(st, state->served, whole));
	}
	if (v != NULL && v->aside != NULL) {
		TRY(disk_put_version(st, v->aside, whole));
	}
	for (uint32_t i = 0; v != NULL && i < v->count && *whole; i++) {
		TRY(disk_put_version(st, v->older[i].snap, whole));
	}
	return ERR_OK;
}

/* Writes what is kept of a zone: nodes, then, if there was room for them all, its record. */
static enum err disk_put_zone(struct store *st, struct zone *zone, const struct zone_state *state,
                              bool *whole)
{
	struct disk *d = &st->disk;

	TRY(disk_put_versions(st, state, whole));
	if (!*whole) {
		return ERR_OK;
	}
	if (zone->number == 0) {
		zone->number = d->next_number++;
	}
	zone_value_write(st->o.pool, zone->number, state, &d->value);
	d->bytes += d->value.len;
	return st->o.journal->ops->put_zone(st->o.journal, zone->number, buffer_bytes(&d->value));
}

static enum err fill_removals(struct store *st, struct fill *f)
{
	const struct journal_ops *ops = st->o.journal->ops;
	struct disk *d = &st->disk;
	const struct removal *r = d->removals;

	for (; r != NULL && fill_aside(st, f); r = r->next) {
		if (r->zone->number != 0) {
			TRY(ops->drop_zone(st->o.journal, r->zone->number));
		}
	}
	f->removals_rest = r;
	while (f->zone_drops < numbers_left(&d->zone_drops) && fill_aside(st, f)) {
		uint64_t number = d->zone_drops.at[d->zone_drops.first + f->zone_drops];
		TRY(ops->drop_zone(st->o.journal, number));
		f->zone_drops++;
	}
	return ERR_OK;
}

static void disk_commit_push(struct disk *d, struct commit *c)
{
	c->next = NULL;
	*d->commits_end = c;
	d->commits_end = &c->next;
}

static struct commit *disk_commit_pop(struct disk *d)
{
	struct commit *c = d->commits;

	d->commits = c->next;
	if (d->commits == NULL) {
		d->commits_end = &d->commits;
	}
	return c;
}

/* The next version; takes those that came meanwhile once the others are done. */
static struct commit *fill_next(struct store *st)
{
	struct disk *d = &st->disk;

	if (d->commits == NULL) {
		pthread_mutex_lock(&st->queue.lock);
		disk_take_commits(st);
		pthread_mutex_unlock(&st->queue.lock);
	}
	return d->commits;
}

static enum err fill_commit(struct store *st, struct commit *c, bool *whole)
{
	struct zone_state state = { .apex = zone_apex(c->zone), .timers = c->timers };

	if (!commit_weigh(c)) {
		*whole = false;
		return ERR_OK;
	}
	state.served = c->snap != NULL ? c->snap : zone_newest(c->zone);
	state.more = c->more;
	return disk_put_zone(st, c->zone, &state, whole);
}

static enum err fill_commits(struct store *st, struct fill *f)
{
	struct disk *d = &st->disk;

	for (size_t count = 0; count < TRANSACTION_COMMITS && fill_next(st) != NULL; count++) {
		struct commit *c = d->commits;
		bool whole = true;

		if (disk_full(d)) {
			return ERR_OK;
		}
		if (c->begun_ns == 0) {
			c->begun_ns = d->began_ns > c->since_ns ? d->began_ns : c->since_ns;
		}
		TRY(fill_commit(st, c, &whole));
		if (!whole) {
			disk_commit_push(d, disk_commit_pop(d)); /* others go before the rest */
			return ERR_OK;
		}
		disk_commit_pop(d);
		c->next = NULL;
		*f->commits_end = c;
		f->commits_end = &c->next;
	}
	return ERR_OK;
}

static enum err fill_note(struct store *st, struct zone *zone, const struct zone_timers *timers,
                          bool *whole)
{
	struct zone_state state = { .apex = zone_apex(zone),
		                    .timers = *timers,
		                    .served = zone_newest(zone),
		                    .more = atomic_load(&zone->more) };

	return disk_put_zone(st, zone, &state, whole);
}

/* The timers to be written of a noted zone; false if there is nothing to write now. A version under
 * way brings timers of its own, as did one since the note, and until it is published the zone's newest version is not the one
 * that the journal must name. */
static bool note_read(struct store *st, struct zone *zone, struct zone_timers *out)
{
	bool wanted = false;

	pthread_mutex_lock(&st->queue.lock);
	zone->marks |= MARK_WRITING;
	if ((zone->marks & MARK_COMMITTING) != 0) {
		zone->marks |= MARK_AGAIN;
	} else if ((zone->marks & (MARK_REMOVED | MARK_STANDS)) == 0) {
		*out = zone_timers(zone);
		wanted = true;
	}
	pthread_mutex_unlock(&st->queue.lock);
	return wanted;
}

static enum err fill_notes(struct store *st, struct fill *f)
{
	struct zone *zone = st->disk.notes;
	struct zone_timers timers;
	bool whole = true;

	while (zone != NULL && !disk_full(&st->disk) && fill_aside(st, f)) {
		if (note_read(st, zone, &timers)) {
			TRY(fill_note(st, zone, &timers, &whole));
			f->notes++;
		}
		if (!whole) {
			break; /* the next transaction writes the rest of its nodes */
		}
		zone = zone_noted_after(zone);
	}
	f->notes_rest = zone;
	return ERR_OK;
}

static enum err fill_drops(struct store *st, struct fill *f)
{
	struct disk *d = &st->disk;

	while (f->drops < numbers_left(&d->drops) && fill_aside(st, f)) {
		uint64_t seq = d->drops.at[d->drops.first + f->drops];
		TRY(st->o.journal->ops->drop_node(st->o.journal, seq));
		f->drops++;
	}
	return ERR_OK;
}

/* How long what is not urgent may keep versions from being durable. */
static uint64_t aside_beside_ns(const struct store *st)
{
	uint64_t part_ns = pace_interval_ns(&st->disk.pace) / ASIDE_BESIDE_PART;

	return part_ns > ASIDE_BESIDE_NS ? part_ns : ASIDE_BESIDE_NS;
}

static void fill_aside_begin(const struct store *st, struct fill *f)
{
	bool alone = f->commits == NULL && st->disk.commits == NULL;

	f->aside_left = alone ? ASIDE_MAX : ASIDE_BESIDE_MAX;
	f->aside_until_ns = env_mono_ns(st->o.env) + (alone ? ASIDE_MAX_NS : aside_beside_ns(st));
	if (f->room_only > 0) {
		f->aside_left = f->room_only;
		f->aside_until_ns = UINT64_MAX;
	}
}

static enum err disk_fill(struct store *st, struct fill *f)
{
	*f = (struct fill){ .room_only = f->room_only };
	f->commits_end = &f->commits;
	f->notes_rest = st->disk.notes;
	f->removals_rest = st->disk.removals;
	st->disk.bytes = 0;
	if (f->room_only == 0) {
		TRY(fill_commits(st, f));
	}
	fill_aside_begin(st, f);
	TRY(fill_removals(st, f));
	if (f->room_only == 0) {
		TRY(fill_notes(st, f));
	}
	return fill_drops(st, f);
}

/* ---- the outcome ---- */

static void commits_answer(struct store *st, struct commit *c, enum err e)
{
	while (c != NULL) {
		struct commit *next = c->next;
		c->err = e;
		c->task.fn = commit_finish;
		st->o.post(st->o.post_self, c->zone->shard, &c->task); /* may be gone now */
		c = next;
	}
}

static void zone_free_retired(struct epoch_item *item)
{
	struct removal *r = container_of(item, struct removal, retire);

	zone_free(r->zone);
	free(r);
}

static void numbers_cut(struct numbers *n, size_t count)
{
	n->first += count;
	assert(n->first <= n->count);
	if (n->first == n->count) {
		free(n->at);
		*n = (struct numbers){ 0 };
	}
}

/* Takes the notes that the transaction covered off the list. Those that came again while it ran,
 * or wait for a version to be published, are noted anew. */
static void notes_done(struct store *st, const struct zone *rest)
{
	pthread_mutex_lock(&st->queue.lock);
	while (st->disk.notes != rest) {
		struct zone *zone = st->disk.notes;
		st->disk.notes = zone_noted_after(zone);
		zone->marks &= (uint8_t) ~(MARK_NOTED | MARK_WRITING | MARK_STANDS);
		if ((zone->marks & (MARK_AGAIN | MARK_COMMITTING)) == MARK_AGAIN) {
			zone->marks &= (uint8_t)~MARK_AGAIN;
			store_note_push(st, zone);
		}
	}
	pthread_mutex_unlock(&st->queue.lock);
}

/* Retires the zones whose records are gone; one that still stands in the list of notes waits. */
static void removals_done(struct store *st, const struct removal *rest)
{
	struct removal **at = &st->disk.removals;

	while (*at != rest) {
		struct removal *r = *at;
		bool noted;
		pthread_mutex_lock(&st->queue.lock);
		noted = (r->zone->marks & MARK_NOTED) != 0;
		pthread_mutex_unlock(&st->queue.lock);
		if (noted) {
			at = &r->next;
		} else {
			*at = r->next;
			epoch_retire(st->o.epoch, &r->retire, zone_free_retired);
		}
	}
}

static void disk_count(struct store *st, const struct fill *f)
{
	struct disk *d = &st->disk;
	struct store_disk_stats *counts = &d->counts;
	uint64_t now = env_mono_ns(st->o.env);

	for (const struct commit *c = f->commits; c != NULL; c = c->next) {
		counts->updates++;
		durations_add(&counts->wait, c->begun_ns - c->since_ns);
		durations_add(&counts->durable, now - c->since_ns);
	}
	durations_add(&counts->transactions, now - d->began_ns);
	counts->notes += f->notes;
	counts->nodes_written += d->written_count;
	counts->nodes_dropped += f->drops;
	counts->value_bytes += d->bytes;
}

static void disk_succeed(struct store *st, struct fill *f)
{
	struct disk *d = &st->disk;

	disk_count(st, f);
	d->written_count = 0;
	d->retry_at_ns = 0;
	notes_done(st, f->notes_rest);
	numbers_cut(&d->drops, f->drops);
	numbers_cut(&d->zone_drops, f->zone_drops);
	removals_done(st, f->removals_rest);
	if (f->room_only == 0 && atomic_exchange(&d->failing, ERR_OK) != ERR_OK) {
		event_emit(st->o.events, EVENT_STORE_RECOVERED, NULL, 0);
	}
	commits_answer(st, f->commits, ERR_OK);
}

/* The nodes of the transaction are not on the disk after all. */
static void disk_undo(struct store *st)
{
	struct disk *d = &st->disk;

	for (size_t i = 0; i < d->written_count; i++) {
		node_set_seq(st->o.pool, d->written[i], 0);
	}
	d->written_count = 0;
}

/* Back to the head of the line, in order. */
static void commits_restore(struct disk *d, struct fill *f)
{
	if (f->commits == NULL) {
		return;
	}
	*f->commits_end = d->commits;
	if (d->commits == NULL) {
		d->commits_end = f->commits_end;
	}
	d->commits = f->commits;
	f->commits = NULL;
}

static void disk_fail(struct store *st, enum err e)
{
	struct disk *d = &st->disk;
	struct commit *failed = d->commits;

	d->commits = NULL;
	d->commits_end = &d->commits;
	d->counts.failures++;
	d->retry_at_ns = env_mono_ns(st->o.env) + STORE_RETRY_S * NS_PER_S;
	if (atomic_exchange(&d->failing, (int)e) == ERR_OK) {
		EVENT(st->o.events, EVENT_STORE_FAILED, F_ERR("error", e));
	}
	commits_answer(st, failed, e);
}

/* One transaction; the lists are as before if it fails. */
static enum err disk_transact(struct store *st, struct fill *f)
{
	struct journal *j = st->o.journal;
	enum err e;

	st->disk.began_ns = env_mono_ns(st->o.env);
	e = j->ops->begin(j);

	if (e != ERR_OK) {
		*f = (struct fill){ .room_only = f->room_only };
		return e;
	}
	e = disk_fill(st, f);
	if (e == ERR_OK) {
		e = j->ops->commit(j);
	} else {
		j->ops->abort(j);
	}
	if (e != ERR_OK) {
		disk_undo(st);
		commits_restore(&st->disk, f);
	}
	return e;
}

static enum err disk_repeat(struct store *st, struct fill *f)
{
	enum err e = ERR_BUSY;

	for (unsigned i = 0; e == ERR_BUSY && i < REPEATS_MAX; i++) {
		e = disk_transact(st, f);
	}
	return e;
}

/* Versions that do not fit must not keep what makes room from being done. That takes a little room
 * itself: with less of it, less is done at once. */
static void disk_make_room(struct store *st)
{
	struct disk *d = &st->disk;
	enum err e = ERR_DISK_FULL;

	if (d->removals == NULL && numbers_left(&d->drops) == 0 &&
	    numbers_left(&d->zone_drops) == 0) {
		return;
	}
	for (size_t count = ROOM_MAX; e != ERR_OK && count > 0; count /= ROOM_LESS) {
		struct fill f = { .room_only = count };
		e = disk_repeat(st, &f);
		if (e == ERR_OK) {
			disk_succeed(st, &f);
		}
	}
}

/* Large zones are written in transactions of a few milliseconds, as many octets as that takes. */
static void disk_adapt(struct disk *d, uint64_t took_ns)
{
	if (took_ns > TRANSACTION_LONG_NS && d->bytes > d->room_bytes / 2) {
		d->room_bytes = d->room_bytes / 2 > TRANSACTION_LEAST ? d->room_bytes / 2
		                                                      : TRANSACTION_LEAST;
	} else if (took_ns < TRANSACTION_LONG_NS / 2 && d->bytes >= d->room_bytes &&
	           d->room_bytes < TRANSACTION_BYTES) {
		d->room_bytes *= 2;
	}
}

static void disk_write(struct store *st)
{
	struct disk *d = &st->disk;
	struct fill f = { 0 };
	enum err e;

	if (atomic_load(&d->failing) == ERR_DISK_FULL) {
		disk_make_room(st);
	}
	e = disk_repeat(st, &f);
	disk_adapt(d, env_mono_ns(st->o.env) - d->began_ns);

	if (e == ERR_STORE_CORRUPT && store_reset(st) == ERR_OK) {
		e = disk_repeat(st, &f);
	}
	if (e == ERR_OK) {
		disk_succeed(st, &f);
		disk_stats_update(st);
	} else {
		disk_fail(st, e);
		disk_counts_tell(st);
	}
	d->full = d->commits != NULL;
}

bool disk_step(struct store *st, bool aside)
{
	struct disk *d = &st->disk;

	disk_take(st, aside);
	/* A disk that fails is tried again by every new version, and for the rest now and then. */
	if (d->commits == NULL && (!disk_has_work(d) || env_mono_ns(st->o.env) < d->retry_at_ns)) {
		return false;
	}
	epoch_quiet(st->o.epoch, d->participant); /* borrows the noted zones' versions */
	disk_write(st);
	epoch_offline(st->o.epoch, d->participant);
	return true;
}
