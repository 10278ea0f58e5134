/* SPDX-License-Identifier: MIT
 *
 * zonestore/disk.c — the disk thread: what waits goes into one transaction.
 *
 * A transaction takes what there is, in this order: records of zones that are gone, versions, noted
 * timers, nodes that are gone. A version writes the nodes of its trees that have no number yet,
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

#define TRANSACTION_BYTES   (8U << 20) /* of values; LMDB keeps as many dirty pages for good */
#define TRANSACTION_COMMITS 10000U
#define TRANSACTION_NOTES   10000U
#define TRANSACTION_DROPS   4096U            /* nodes are removed a few at a time */
#define REPEATS_MAX         40U              /* the map doubles each time */
#define PACE_NS             (20 * NS_PER_MS) /* between transactions under load */
#define ASIDE_NS            (2 * NS_PER_S) /* how long notes, removals and drops wait for others */
#define COLLECT_NS          (20 * NS_PER_MS) /* between looks for memory to free, if busy */
#define COLLECT_IDLE_NS     (250 * NS_PER_MS)

void disk_init(struct store *st)
{
	struct disk *d = &st->disk;

	d->commits_end = &d->commits;
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

void disk_stats_update(struct store *st)
{
	struct journal_stats stats;

	st->o.journal->ops->stats(st->o.journal, &stats);
	pthread_mutex_lock(&st->disk.stats_lock);
	st->disk.stats = stats;
	pthread_mutex_unlock(&st->disk.stats_lock);
}

/* ---- taking over from the shards ---- */

static void disk_take_drops(struct store *st)
{
	struct disk *d = &st->disk;
	struct numbers taken;

	pthread_mutex_lock(&st->drops.lock);
	taken = st->drops.seqs;
	st->drops.seqs = (struct numbers){ 0 };
	pthread_mutex_unlock(&st->drops.lock);
	if (numbers_left(&d->drops) == 0) {
		free(d->drops.at);
		d->drops = taken;
		return;
	}
	for (size_t i = 0; i < taken.count; i++) {
		numbers_add(&d->drops, taken.at[i]);
	}
	free(taken.at);
}

/* Moves everything that waits to the lists of the disk thread. Removals are taken together with the
 * notes: a note of a removed zone was there before its removal. */
static void disk_take(struct store *st)
{
	struct store_queue *q = &st->queue;
	struct disk *d = &st->disk;
	struct zone **notes_end = &d->notes;
	struct removal **removals_end = &d->removals;

	pthread_mutex_lock(&q->lock);
	if (q->commits != NULL) {
		*d->commits_end = q->commits;
		d->commits_end = q->commits_end;
		q->commits = NULL;
		q->commits_end = &q->commits;
		q->fresh_count = 0;
	}
	while (*removals_end != NULL) {
		removals_end = &(*removals_end)->next;
	}
	*removals_end = q->removals;
	q->removals = NULL;
	while (*notes_end != NULL) {
		notes_end = &(*notes_end)->note_next;
	}
	*notes_end = q->notes;
	q->notes = NULL;
	q->aside_since_ns = 0;
	pthread_mutex_unlock(&q->lock);
	disk_take_drops(st);
}

static bool disk_has_work(const struct disk *d)
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
	size_t drops;
	size_t zone_drops;
};

static size_t min_count(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool disk_full(const struct disk *d)
{
	return d->bytes >= TRANSACTION_BYTES;
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

/* Writes a zone's record; `snap` (may be NULL) has its nodes on the disk. */
static enum err disk_put_zone(struct store *st, struct zone *zone, const struct snapshot *snap,
                              const struct zone_timers *timers)
{
	struct disk *d = &st->disk;

	if (zone->number == 0) {
		zone->number = d->next_number++;
	}
	d->value.len = 0;
	zone_value_begin(zone_apex(zone), timers, snap == NULL ? 0 : 1, &d->value);
	if (snap != NULL) {
		zone_value_add(st->o.pool, snap, &d->value);
	}
	zone_value_end(zone->number, &d->value);
	d->bytes += d->value.len;
	return st->o.journal->ops->put_zone(st->o.journal, zone->number, buffer_bytes(&d->value));
}

static enum err fill_removals(struct store *st, struct fill *f)
{
	const struct journal_ops *ops = st->o.journal->ops;
	struct disk *d = &st->disk;
	const struct removal *r = d->removals;

	for (size_t count = 0; r != NULL && count < TRANSACTION_DROPS; count++, r = r->next) {
		if (r->zone->number != 0) {
			TRY(ops->drop_zone(st->o.journal, r->zone->number));
		}
	}
	f->removals_rest = r;
	f->zone_drops = min_count(numbers_left(&d->zone_drops), TRANSACTION_DROPS);
	for (size_t i = 0; i < f->zone_drops; i++) {
		TRY(ops->drop_zone(st->o.journal, d->zone_drops.at[d->zone_drops.first + i]));
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

static enum err fill_commits(struct store *st, struct fill *f)
{
	struct disk *d = &st->disk;

	for (size_t count = 0; d->commits != NULL && count < TRANSACTION_COMMITS; count++) {
		struct commit *c = d->commits;
		struct node_handle roots[2];
		bool whole = true;

		if (disk_full(d)) {
			return ERR_OK;
		}
		snapshot_roots(c->snap, roots);
		TRY(disk_put_tree(st, roots[0], &whole));
		TRY(disk_put_tree(st, roots[1], &whole));
		if (!whole) {
			disk_commit_push(d, disk_commit_pop(d)); /* others go before the rest */
			return ERR_OK;
		}
		TRY(disk_put_zone(st, c->zone, c->snap, &c->timers));
		disk_commit_pop(d);
		c->next = NULL;
		*f->commits_end = c;
		f->commits_end = &c->next;
	}
	return ERR_OK;
}

/* The newest version of a noted zone is on the disk already, but after a reset of the journal. */
static enum err fill_note(struct store *st, struct zone *zone, const struct zone_timers *timers,
                          bool *whole)
{
	const struct snapshot *snap = zone_newest(zone);
	struct node_handle roots[2];

	if (snap != NULL) {
		snapshot_roots(snap, roots);
		TRY(disk_put_tree(st, roots[0], whole));
		TRY(disk_put_tree(st, roots[1], whole));
	}
	return *whole ? disk_put_zone(st, zone, snap, timers) : ERR_OK;
}

/* The timers to be written of a noted zone; false if there is nothing to write now. A version under
 * way brings timers of its own, and until it is published the zone's newest version is not the one
 * that the journal must name. */
static bool note_read(struct store *st, struct zone *zone, struct zone_timers *out)
{
	bool wanted = false;

	pthread_mutex_lock(&st->queue.lock);
	zone->marks |= MARK_WRITING;
	if ((zone->marks & MARK_COMMITTING) != 0) {
		zone->marks |= MARK_AGAIN;
	} else if ((zone->marks & MARK_REMOVED) == 0) {
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

	for (size_t count = 0; zone != NULL && count < TRANSACTION_NOTES; count++) {
		if (disk_full(&st->disk)) {
			break;
		}
		if (note_read(st, zone, &timers)) {
			TRY(fill_note(st, zone, &timers, &whole));
		}
		if (!whole) {
			break; /* the next transaction writes the rest of its nodes */
		}
		zone = zone->note_next;
	}
	f->notes_rest = zone;
	return ERR_OK;
}

static enum err fill_drops(struct store *st, struct fill *f)
{
	struct disk *d = &st->disk;

	f->drops = min_count(numbers_left(&d->drops), TRANSACTION_DROPS);
	for (size_t i = 0; i < f->drops; i++) {
		TRY(st->o.journal->ops->drop_node(st->o.journal, d->drops.at[d->drops.first + i]));
	}
	return ERR_OK;
}

static enum err disk_fill(struct store *st, struct fill *f)
{
	*f = (struct fill){ 0 };
	f->commits_end = &f->commits;
	f->notes_rest = st->disk.notes;
	f->removals_rest = st->disk.removals;
	st->disk.bytes = 0;
	TRY(fill_removals(st, f));
	TRY(fill_commits(st, f));
	TRY(fill_notes(st, f));
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
		st->disk.notes = zone->note_next;
		zone->marks &= (uint8_t) ~(MARK_NOTED | MARK_WRITING);
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

static void disk_succeed(struct store *st, struct fill *f)
{
	struct disk *d = &st->disk;

	d->written_count = 0;
	d->retry_at_ns = 0;
	notes_done(st, f->notes_rest);
	numbers_cut(&d->drops, f->drops);
	numbers_cut(&d->zone_drops, f->zone_drops);
	removals_done(st, f->removals_rest);
	if (atomic_exchange(&d->failing, ERR_OK) != ERR_OK) {
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
	enum err e = j->ops->begin(j);

	if (e != ERR_OK) {
		*f = (struct fill){ 0 };
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

static void disk_write(struct store *st)
{
	struct disk *d = &st->disk;
	struct fill f;
	enum err e = disk_repeat(st, &f);

	if (e == ERR_STORE_CORRUPT && store_reset(st) == ERR_OK) {
		e = disk_repeat(st, &f);
	}
	if (e == ERR_OK) {
		disk_succeed(st, &f);
		disk_stats_update(st);
	} else {
		disk_fail(st, e);
	}
	d->full = d->commits != NULL;
}

bool store_step(struct store *st)
{
	struct disk *d = &st->disk;
	bool wrote = false;

	disk_take(st);
	/* A disk that fails is tried again by every new version, and for the rest now and then. */
	if (d->commits != NULL || (disk_has_work(d) && env_mono_ns(st->o.env) >= d->retry_at_ns)) {
		epoch_quiet(st->o.epoch, d->participant); /* borrows the noted zones' versions */
		disk_write(st);
		epoch_offline(st->o.epoch, d->participant);
		wrote = true;
	}
	return epoch_collect(st->o.epoch) > 0 || wrote;
}

/* ---- the thread ---- */

static uint64_t min_ns(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_ns(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When there will be something to write, as things stand. queue.lock is held.
 *
 * Transactions may come in pairs, but in the long run not faster than one each PACE_NS: a single
 * update goes at once, and under load many share a commit. */
static uint64_t disk_due_ns(const struct store *st)
{
	const struct store_queue *q = &st->queue;
	const struct disk *d = &st->disk;
	uint64_t due = UINT64_MAX;

	if (q->fresh_count >= TRANSACTION_COMMITS || d->full) {
		return 0;
	}
	if (q->fresh_count > 0 || d->commits != NULL) {
		due = d->next_commit_ns;
	}
	if (q->aside_since_ns != 0) {
		due = min_ns(due, max_ns(q->aside_since_ns + ASIDE_NS, d->retry_at_ns));
	}
	if (disk_has_work(d)) {
		due = min_ns(due, max_ns(d->next_commit_ns, d->retry_at_ns));
	}
	return due;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
		                  .tv_nsec = (long)(ns % NS_PER_S) };
}

/* Waits until there is something to write or to free. False when it is time to stop. */
static bool disk_wait(struct store *st, uint64_t collect_ns)
{
	struct store_queue *q = &st->queue;
	uint64_t now = env_mono_ns(st->o.env);
	uint64_t until = now + collect_ns;
	bool stop;

	pthread_mutex_lock(&q->lock);
	while (!q->stop) {
		uint64_t due = min_ns(disk_due_ns(st), until);
		struct timespec ts = timespec_of(due);
		now = env_mono_ns(st->o.env);
		if (due <= now) {
			break;
		}
		q->sleeping = true;
		pthread_cond_timedwait(&q->wake, &q->lock, &ts);
		q->sleeping = false;
	}
	stop = q->stop;
	pthread_mutex_unlock(&q->lock);
	return !stop;
}

static bool disk_is_due(struct store *st, uint64_t now)
{
	bool due;

	pthread_mutex_lock(&st->queue.lock);
	due = disk_due_ns(st) <= now;
	pthread_mutex_unlock(&st->queue.lock);
	return due;
}

/* Removals and drops come without a wake: they are looked for with the memory. */
static void disk_round(struct store *st, bool *busy)
{
	struct disk *d = &st->disk;
	uint64_t now = env_mono_ns(st->o.env);

	if (disk_is_due(st, now)) {
		uint64_t earliest = now >= PACE_NS ? now - PACE_NS : 0;
		d->next_commit_ns = max_ns(d->next_commit_ns, earliest) + PACE_NS;
		*busy = store_step(st);
		return;
	}
	*busy = epoch_collect(st->o.epoch) > 0;
	pthread_mutex_lock(&st->drops.lock);
	if (st->drops.seqs.count > 0) {
		pthread_mutex_unlock(&st->drops.lock);
		pthread_mutex_lock(&st->queue.lock);
		if (st->queue.aside_since_ns == 0) {
			st->queue.aside_since_ns = now;
		}
		pthread_mutex_unlock(&st->queue.lock);
		return;
	}
	pthread_mutex_unlock(&st->drops.lock);
}

void store_run(struct store *st, void (*loaded)(void *self), void *self)
{
	bool busy = true;

	/* What could not be read is reported and fetched again: the daemon goes on. */
	if (store_load(st) != ERR_OK) {
		busy = true;
	}
	if (loaded != NULL) {
		loaded(self);
	}
	while (disk_wait(st, busy ? COLLECT_NS : COLLECT_IDLE_NS)) {
		disk_round(st, &busy);
	}
	/* What was accepted is still made durable, unless the disk fails. */
	do {
		(void)store_step(st);
	} while (st->disk.full || (st->disk.notes != NULL && st->disk.retry_at_ns == 0));
}

void store_stop(struct store *st)
{
	pthread_mutex_lock(&st->queue.lock);
	st->queue.stop = true;
	pthread_cond_signal(&st->queue.wake);
	pthread_mutex_unlock(&st->queue.lock);
}
