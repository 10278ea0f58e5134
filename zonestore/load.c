/* SPDX-License-Identifier: MIT
 *
 * zonestore/load.c — from the journal into memory.
 *
 * Records of zones come first: their timers, and the numbers of their trees' roots. Then zones are
 * read in the order in which their newest roots were written, several threads at once, and before
 * them those that somebody asked for. A tree is read from its root down; a node that is in memory
 * already, by its id, is not read below, so what versions and zones share is read once. Every node
 * is checked against the id that names it. A zone that misses one is fetched again. A zone is served
 * as soon as it is read.
 *
 *	records, in ranges -> wait for all -> sort -> zones, a few at a time -> wait for all -> sweep
 *
 * What was read is remembered by number; in the end all numbers of nodes are passed over, and those
 * that no zone needs are dropped.
 *
 * The same octets may stand under two numbers: a node left memory, came back, and a crash kept the
 * first from being removed. Whatever names the first is garbage mostly, and where it is not both are
 * kept until the next start. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/record_p.h"
#include "zonestore/store_p.h"
#include "zonestore/tree_p.h"

#define RANGES_PER_LOADER 16U /* of records: threads that were lucky take more of them */
#define ZONES_AT_A_TIME   16U
#define QUIET_RECORDS     256U /* looked up within one turn of the epoch */

/* Numbers that no journal gets to: what has them is damaged, and new ones do not go on from there. */
#define NODES_BEYOND (1ULL << 55)
#define ZONES_BEYOND (1U << 31)

/* A zone whose nodes are to be read. */
struct unread {
	uint64_t root; /* the later one of its newest version */
	struct zone *zone;
};

struct unreads {
	struct unread *at;
	size_t count;
	size_t cap;
};

/* One of the threads that read. */
struct loader {
	struct loading *l;
	pthread_t thread;
	bool started;
	unsigned participant;
	struct journal_reader *reader;
	struct unreads unreads;
	struct node_handle *held; /* trees of the zone at hand */
	size_t held_count;
	size_t held_cap;
	struct numbers reached;    /* numbers of nodes that were read */
	struct numbers doubtful;   /* the same, of zones that were found damaged */
	struct numbers zone_drops; /* records that are of no use */
	uint64_t records;
	uint64_t bytes;
	uint64_t number_max; /* of a record */
	enum err err;        /* of the journal itself */
};

/* What zone_restore() asks for trees. */
struct finder {
	struct loader *loader;
};

struct loading {
	struct store *st;
	int64_t now_s;
	void (*work)(struct loader *o);
	struct loader loaders[STORE_LOADERS_MAX + 1];
	unsigned loader_count;
	struct journal_range range; /* of records */
	_Atomic uint64_t next_range;
	struct unreads unreads; /* ascending */
	_Atomic size_t next_unread;
	struct numbers reached; /* ascending */
	struct numbers doubtful;
	size_t nodes_kept;
	uint64_t seq_max;
};

static bool loading_stops(const struct loading *l)
{
	return atomic_load_explicit(&l->st->wanted.stop, memory_order_relaxed);
}

static void tell_corrupt(struct loading *l, const struct zone *zone, const char *what)
{
	struct event_field name = zone != NULL ? F_NAME("zone", name_bytes(zone_apex(zone)))
	                                       : F_STR("zone", "(unknown)");

	EVENT(l->st->o.events, EVENT_STORE_CORRUPT, name, F_STR("what", what));
}

/* What could not be read is fetched again. Not a matter of expiry: nothing is served. */
static void zone_refetch(struct loading *l, struct zone *zone, const char *what)
{
	struct zone_timers timers = { .refresh_at_s = l->now_s };

	tell_corrupt(l, zone, what);
	store_note(l->st, zone, &timers);
}

/* What is damaged is left out, and its record written anew without it. */
static void zone_lost(struct loading *l, struct zone *zone)
{
	struct zone_timers timers = zone_timers(zone);

	tell_corrupt(l, zone, "older version");
	store_note(l->st, zone, &timers);
}

/* ---- threads ---- */

static void *loader_run(void *arg)
{
	struct loader *o = arg;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	o->l->work(o);
	return NULL;
}

/* Has all loaders do `work`, each with a reader of its own, and waits for them. The first is this
 * thread. */
static enum err loaders_run(struct loading *l, void (*work)(struct loader *o))
{
	struct journal *j = l->st->o.journal;
	enum err e = ERR_OK;

	l->work = work;
	for (unsigned i = 0; i < l->loader_count; i++) {
		struct loader *o = &l->loaders[i];
		o->err = j->ops->reader_new(j, &o->reader);
		o->started = o->err == ERR_OK && i > 0 &&
		             pthread_create(&o->thread, NULL, loader_run, o) == 0;
	}
	if (l->loaders[0].err == ERR_OK) {
		work(&l->loaders[0]);
	}
	for (unsigned i = 0; i < l->loader_count; i++) {
		struct loader *o = &l->loaders[i];
		if (o->started) {
			pthread_join(o->thread, NULL);
		}
		if (o->reader != NULL) {
			o->reader->ops->free(o->reader);
			o->reader = NULL;
		}
		e = e == ERR_OK ? o->err : e;
	}
	return e;
}

/* ---- records of zones ---- */

static void unreads_add(struct unreads *u, struct unread unread)
{
	if (u->count == u->cap) {
		u->cap = u->cap == 0 ? 256 : 2 * u->cap;
		u->at = mem_grow(u->at, u->cap * sizeof(*u->at));
	}
	u->at[u->count++] = unread;
}

/* Two records of a zone: removed, added again, and the first one's end not yet durable. queue.lock
 * is held. False if the record at hand is the first. */
static bool record_supersedes(struct loader *o, struct zone *zone, uint32_t number)
{
	uint32_t other = zone->number;

	if (other != 0) {
		numbers_add(&o->zone_drops, other < number ? other : number);
	}
	if (other > number) {
		return false;
	}
	zone->number = number;
	return true;
}

/* Is there anything to be made of a record but timers? */
static bool zone_value_says(const struct zone_value *v)
{
	return v->version_count > 0 || v->line.known;
}

static void record_take(struct loader *o, struct zone *zone, uint32_t number, struct zone_value *v)
{
	struct store *st = o->l->st;
	uint64_t root = 0;
	bool takes;

	pthread_mutex_lock(&st->queue.lock);
	takes = record_supersedes(o, zone, number);
	if (takes) {
		zone_timers_set(zone, &v->timers);
	}
	pthread_mutex_unlock(&st->queue.lock);
	if (!takes) {
		return;
	}
	/* What is wrong with the versions is found when they are read. */
	if (v->version_count > 0 && zone_value_last_root(v, &root) != ERR_OK) {
		root = 0;
	}
	if (zone_value_says(v)) {
		unreads_add(&o->unreads, (struct unread){ root, zone });
	}
}

static enum err record_visit(void *self, uint64_t number, struct bytes value)
{
	struct loader *o = self;
	struct store *st = o->l->st;
	struct zone_value v;
	struct zone *zone;

	if (loading_stops(o->l)) {
		return ERR_STOPPING;
	}
	if (o->records++ % QUIET_RECORDS == 0) {
		epoch_quiet(st->o.epoch, o->participant);
	}
	if (number < ZONES_BEYOND) {
		o->number_max = number > o->number_max ? number : o->number_max;
	}
	if (number >= UINT32_MAX || zone_value_read(number, value, &v) != ERR_OK) {
		tell_corrupt(o->l, NULL, "record");
		numbers_add(&o->zone_drops, number);
		return ERR_OK;
	}
	zone = store_find(st, v.apex);
	if (zone == NULL) {
		numbers_add(&o->zone_drops, number);
	} else {
		record_take(o, zone, (uint32_t)number, &v);
	}
	return ERR_OK;
}

/* The part of the records' numbers that `index` of `count` equal parts covers. */
static struct journal_range range_part(struct journal_range whole, uint64_t index, uint64_t count)
{
	uint64_t each = (whole.last - whole.first) / count + 1;
	uint64_t first = whole.first + index * each;

	if (first > whole.last) {
		return (struct journal_range){ 1, 0, 0 };
	}
	return (struct journal_range){ first,
		                       whole.last - first < each ? whole.last : first + each - 1,
		                       1 };
}

static void records_work(struct loader *o)
{
	struct loading *l = o->l;
	uint64_t parts = l->loader_count == 1 ? 1 : RANGES_PER_LOADER * l->loader_count;
	uint64_t part = atomic_fetch_add(&l->next_range, 1);

	for (; part < parts && o->err == ERR_OK; part = atomic_fetch_add(&l->next_range, 1)) {
		struct journal_range range = range_part(l->range, part, parts);
		if (range.first <= range.last) {
			o->err = o->reader->ops->scan_zones(o->reader, range, record_visit, o);
		}
	}
	epoch_offline(l->st->o.epoch, o->participant);
}

static int unread_compare(const void *a, const void *b)
{
	const struct unread *x = a;
	const struct unread *y = b;

	return (x->root > y->root) - (x->root < y->root);
}

static void unreads_gather(struct loading *l)
{
	size_t count = 0;
	bool sorted = true;

	for (unsigned i = 0; i < l->loader_count; i++) {
		count += l->loaders[i].unreads.count;
	}
	l->unreads.at = mem_new((count + 1) * sizeof(*l->unreads.at));
	for (unsigned i = 0; i < l->loader_count; i++) {
		struct unreads *u = &l->loaders[i].unreads;
		for (size_t k = 0; k < u->count; k++) {
			uint64_t before = l->unreads.count == 0
			                          ? 0
			                          : l->unreads.at[l->unreads.count - 1].root;
			sorted = sorted && u->at[k].root >= before;
			l->unreads.at[l->unreads.count++] = u->at[k];
		}
		free(u->at);
		*u = (struct unreads){ 0 };
	}
	if (!sorted) {
		qsort(l->unreads.at, count, sizeof(*l->unreads.at), unread_compare);
	}
}

static enum err records_load(struct loading *l)
{
	struct journal *j = l->st->o.journal;
	uint64_t number_max = 0;
	uint64_t records = 0;
	enum err e = j->ops->zones_range(j, &l->range);

	if (e != ERR_OK || l->range.count == 0) {
		return e;
	}
	e = loaders_run(l, records_work);
	for (unsigned i = 0; i < l->loader_count; i++) {
		records += l->loaders[i].records;
		number_max = l->loaders[i].number_max > number_max ? l->loaders[i].number_max
		                                                   : number_max;
	}
	if (e != ERR_OK && l->range.last < ZONES_BEYOND && l->range.last > number_max) {
		number_max = l->range.last; /* of a record that was not read */
	}
	l->st->disk.next_number = (uint32_t)number_max + 1;
	unreads_gather(l);
	return e == ERR_OK && records != l->range.count ? ERR_STORE_CORRUPT : e;
}

/* ---- nodes ---- */

/* Numbers a node that was read, and remembers that it was. */
static void node_reached(struct loader *o, uint64_t seq, struct node_handle node)
{
	struct pool *pool = o->l->st->o.pool;
	uint64_t before = node_seq(pool, node);

	if (before != seq) {
		numbers_add(&o->reached, seq);
	}
	if (before < seq) {
		node_set_seq(pool, node, seq);
	}
}

static enum err tree_read(struct loader *o, uint64_t seq, unsigned level_max,
                          struct node_handle *out);

/* Reads the children of a branch, and makes it. */
static enum err branch_read(struct loader *o, const struct node_value *v, struct node_handle *out)
{
	struct node_handle children[NODE_CHILDREN_MAX];
	struct pool *pool = o->l->st->o.pool;
	unsigned have = 0;
	enum err e = ERR_OK;

	while (have < v->child_count && e == ERR_OK) {
		e = tree_read(o, v->children[have], v->level, &children[have]);
		have += e == ERR_OK;
	}
	if (e == ERR_OK) {
		e = node_value_make(pool, v, children, out);
	}
	for (unsigned i = 0; i < have; i++) {
		node_unref(pool, children[i]); /* the branch has its own */
	}
	return e;
}

/* Reads the node with a number and all below it that is not in memory: a reference. Its level is
 * below `level_max`, which ends the recursion. */
static enum err tree_read(struct loader *o, uint64_t seq, unsigned level_max,
                          struct node_handle *out)
{
	struct pool *pool = o->l->st->o.pool;
	struct node_value v;
	struct bytes value;

	if (loading_stops(o->l)) {
		return ERR_STOPPING;
	}
	TRY(o->reader->ops->get_node(o->reader, seq, &value));
	TRY(node_value_read(value, &v));
	if (v.level >= level_max) {
		return ERR_STORE_CORRUPT;
	}
	*out = v.level == 0 ? (struct node_handle){ 0 } : node_find(pool, &v.id);
	if (out->n == 0 && v.level > 0) {
		TRY(branch_read(o, &v, out));
	} else if (out->n == 0) {
		TRY(node_value_make(pool, &v, NULL, out));
	}
	o->bytes += value.len;
	node_reached(o, seq, *out);
	return ERR_OK;
}

/* ---- zones ---- */

/* Reads a tree for zone_restore(); the reference is held until the zone is restored. */
static struct node_handle find_tree(const void *self, uint64_t seq)
{
	const struct finder *f = self;
	struct loader *o = f->loader;
	struct node_handle root;

	if (tree_read(o, seq, NODE_LEVELS_MAX, &root) != ERR_OK) {
		return (struct node_handle){ 0 };
	}
	if (o->held_count == o->held_cap) {
		o->held_cap = o->held_cap == 0 ? 64 : 2 * o->held_cap;
		o->held = mem_grow(o->held, o->held_cap * sizeof(*o->held));
	}
	o->held[o->held_count++] = root;
	return root;
}

/* Reads what the journal has of a zone. ERR_NOT_FOUND: there is nothing. */
static enum err zone_make(struct loader *o, const struct zone *zone, struct restored *out)
{
	struct pool *pool = o->l->st->o.pool;
	struct finder finder = { o };
	struct node_source nodes = { find_tree, &finder };
	struct zone_value v;
	struct bytes value;
	enum err e;

	*out = (struct restored){ 0 };
	if (zone->number == 0) {
		return ERR_OK;
	}
	TRY(o->reader->ops->get_zone(o->reader, zone->number, &value));
	TRY(zone_value_read(zone->number, value, &v));
	if (!zone_value_says(&v)) {
		return ERR_OK;
	}
	e = zone_restore(pool, &v, &nodes, out);
	while (o->held_count > 0) {
		node_unref(pool, o->held[--o->held_count]);
	}
	return e;
}

/* A damaged zone's nodes that no other has are not kept. */
static void reached_doubt(struct loader *o, size_t from)
{
	while (o->reached.count > from) {
		numbers_add(&o->doubtful, o->reached.at[--o->reached.count]);
	}
}

/* Reads a zone and serves it, or has it fetched again. */
static void zone_read(struct loader *o, struct zone *zone)
{
	struct loading *l = o->l;
	size_t reached = o->reached.count;
	struct restored r;
	enum err e = zone_make(o, zone, &r);

	if ((e != ERR_OK || r.lost > 0) && loading_stops(l)) { /* it was not looked for */
		versions_free(r.more);
		snapshot_unref(r.served);
		return;
	}
	if (e != ERR_OK || r.lost > 0) {
		reached_doubt(o, reached);
	}
	if (e != ERR_OK) {
		atomic_store_explicit(&zone->more, r.more, memory_order_release);
		zone_refetch(l, zone, e == ERR_NOT_FOUND ? "node" : "version");
	} else if (r.served != NULL || r.more != NULL) {
		zone_set_expired(zone, zone->expire_at_s != 0 && l->now_s >= zone->expire_at_s);
		if (r.lost > 0) {
			zone_lost(l, zone);
		}
		atomic_store_explicit(&zone->more, r.more, memory_order_release);
		zone_set_newest(zone, r.served);
		atomic_fetch_add_explicit(&l->st->disk.zones_loaded, 1, memory_order_relaxed);
	}
	zone_end_reading(l->st, zone);
}

/* Reads zones that somebody waits for. */
static void zones_read_wanted(struct loader *o)
{
	struct zone *zone;

	while ((zone = wanted_take(&o->l->st->wanted)) != NULL) {
		if (zone_begin_reading(zone)) {
			zone_read(o, zone);
		}
	}
}

static void zones_work(struct loader *o)
{
	struct loading *l = o->l;
	size_t at = atomic_fetch_add(&l->next_unread, ZONES_AT_A_TIME);

	zones_read_wanted(o);
	for (; at < l->unreads.count; at = atomic_fetch_add(&l->next_unread, ZONES_AT_A_TIME)) {
		size_t left = l->unreads.count - at;
		size_t count = left < ZONES_AT_A_TIME ? left : ZONES_AT_A_TIME;
		for (size_t i = 0; i < count; i++) {
			struct zone *zone = l->unreads.at[at + i].zone;
			if (loading_stops(l)) {
				o->err = ERR_STOPPING;
				return;
			}
			zones_read_wanted(o);
			if (zone_begin_reading(zone)) {
				zone_read(o, zone);
			}
		}
	}
}

/* ---- the sweep ---- */

static int number_compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

static void numbers_gather(struct numbers *to, struct numbers *from)
{
	for (size_t i = from->first; i < from->count; i++) {
		numbers_add(to, from->at[i]);
	}
	numbers_fini(from);
}

static void numbers_sort(struct numbers *n)
{
	if (n->count > 0) {
		qsort(n->at, n->count, sizeof(*n->at), number_compare);
	}
}

/* True if `seq` is the next of ascending numbers; passes over those before it. */
static bool numbers_pass(struct numbers *n, uint64_t seq)
{
	bool found = false;

	while (n->first < n->count && n->at[n->first] <= seq) {
		found = n->at[n->first] == seq;
		n->first++;
	}
	return found;
}

/* Is the node that a damaged zone shares, or shared, with others in memory? */
static bool node_lives(struct loading *l, uint64_t seq, struct bytes value)
{
	struct pool *pool = l->st->o.pool;
	struct node_handle node;
	struct node_value v;
	bool lives;

	if (node_value_read(value, &v) != ERR_OK) {
		return false;
	}
	if (v.level == 0) {
		id_of(v.content, &v.id);
	}
	node = node_find(pool, &v.id);
	lives = node.n != 0 && node_seq(pool, node) == seq;
	node_unref(pool, node);
	return lives;
}

/* New nodes get higher numbers. */
static void seq_pass(struct loading *l, uint64_t seq)
{
	if (seq > l->seq_max && seq < NODES_BEYOND) {
		l->seq_max = seq;
	}
}

static enum err sweep_visit(void *self, uint64_t seq, struct bytes value)
{
	struct loading *l = self;
	bool reached = numbers_pass(&l->reached, seq);
	bool doubtful = numbers_pass(&l->doubtful, seq);

	seq_pass(l, seq);
	if (reached || (doubtful && node_lives(l, seq, value))) {
		l->nodes_kept++;
	} else {
		numbers_add(&l->st->disk.drops, seq);
	}
	return loading_stops(l) ? ERR_STOPPING : ERR_OK;
}

static enum err sweep(struct loading *l)
{
	struct journal *j = l->st->o.journal;
	struct journal_reader *reader;
	struct journal_range range;
	enum err e;

	for (unsigned i = 0; i < l->loader_count; i++) {
		numbers_gather(&l->reached, &l->loaders[i].reached);
		numbers_gather(&l->doubtful, &l->loaders[i].doubtful);
	}
	numbers_sort(&l->reached);
	numbers_sort(&l->doubtful);
	if (l->reached.count > 0) {
		seq_pass(l, l->reached.at[l->reached.count - 1]);
	}
	if (j->ops->nodes_range(j, &range) == ERR_OK && range.count > 0) {
		seq_pass(l, range.last); /* should the scan end early */
	}
	TRY(j->ops->reader_new(j, &reader));
	e = reader->ops->scan_nodes(reader, sweep_visit, l);
	reader->ops->free(reader);
	return e;
}

/* ---- all of it ---- */

static enum err load_all(struct loading *l)
{
	enum err records = records_load(l);
	enum err zones = records == ERR_STOPPING ? records : loaders_run(l, zones_work);
	enum err e = records != ERR_OK ? records : zones;

	for (unsigned i = 0; i < l->loader_count; i++) {
		numbers_gather(&l->st->disk.zone_drops, &l->loaders[i].zone_drops);
	}
	wanted_end(l->st);
	if (e == ERR_STOPPING) {
		return e;
	}
	zones = sweep(l);
	return e == ERR_OK ? zones : e;
}

static void tell_loaded(struct loading *l, uint64_t began_ns)
{
	struct store *st = l->st;
	double secs = (double)(env_mono_ns(st->o.env) - began_ns) / (double)NS_PER_S;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < l->loader_count; i++) {
		bytes += l->loaders[i].bytes;
	}
	EVENT(st->o.events, EVENT_STORE_LOADED,
	      F_UINT("zones", atomic_load(&st->disk.zones_loaded)), F_UINT("nodes", l->nodes_kept),
	      F_UINT("bytes", bytes), F_REAL("secs", secs));
}

/* The journal could not be read to its end. What is in memory is written to a new one if it is
 * damaged; what is not is fetched, as zones without a version are. If it stays, nothing of it is
 * removed: what was not read may be needed. */
static void load_failed(struct store *st, enum err e)
{
	struct disk *d = &st->disk;

	epoch_quiet(st->o.epoch, st->disk.participant);
	if (e == ERR_STORE_CORRUPT) {
		e = store_reset(st);
	}
	epoch_offline(st->o.epoch, st->disk.participant);
	if (e == ERR_OK) {
		st->o.journal->ops->loaded(st->o.journal);
	} else {
		numbers_fini(&d->drops);
		numbers_fini(&d->zone_drops);
		atomic_store(&d->failing, (int)e);
		EVENT(st->o.events, EVENT_STORE_FAILED, F_ERR("error", e));
	}
}

static struct loading *loading_new(struct store *st)
{
	struct loading *l = mem_zero(1, sizeof(*l));

	assert(st->o.loaders <= STORE_LOADERS_MAX);
	l->st = st;
	l->now_s = env_wall_s(st->o.env);
	l->loader_count = st->o.loaders > 1 ? st->o.loaders : 1;
	for (unsigned i = 0; i < l->loader_count; i++) {
		l->loaders[i].l = l;
		l->loaders[i].participant = epoch_join(st->o.epoch);
	}
	return l;
}

static void loading_free(struct loading *l)
{
	for (unsigned i = 0; i < l->loader_count; i++) {
		struct loader *o = &l->loaders[i];
		epoch_leave(l->st->o.epoch, o->participant);
		free(o->unreads.at);
		free(o->held);
		numbers_fini(&o->reached);
		numbers_fini(&o->doubtful);
		numbers_fini(&o->zone_drops);
	}
	free(l->unreads.at);
	numbers_fini(&l->reached);
	numbers_fini(&l->doubtful);
	free(l);
}

enum err store_load(struct store *st)
{
	uint64_t began_ns = env_mono_ns(st->o.env);
	struct loading *l = loading_new(st);
	enum err e;

	atomic_store(&st->disk.loading, true);
	e = load_all(l);
	st->disk.next_seq = l->seq_max + 1;
	if (e == ERR_OK || e == ERR_STOPPING) {
		st->o.journal->ops->loaded(st->o.journal);
	} else {
		load_failed(st, e);
	}
	if (e != ERR_STOPPING) {
		tell_loaded(l, began_ns);
		disk_stats_update(st);
	}
	loading_free(l);
	atomic_store(&st->disk.loading, false);
	return e;
}
