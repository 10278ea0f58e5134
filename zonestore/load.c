/* SPDX-License-Identifier: MIT
 *
 * zonestore/load.c — from the journal into memory.
 *
 * Records of zones come first: their timers, and the number of the last node that each waits for.
 * Then all nodes, once, in the order they were written. A node's children were written before it,
 * so it is made at once; a zone is served as soon as its last node is there. Every node is checked
 * against its id. One that is damaged, or lacks a child, is left out, and in the end the zones that
 * miss it are fetched again. References that the loader holds keep all nodes; when it lets go of
 * them, those that no zone needs leave memory and, by the way of all dropped nodes, the journal.
 *
 * The same octets may stand under two numbers: a node left memory, came back, and a crash kept the
 * first from being removed. Whatever names the first is garbage, so the later number counts. */
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/record_p.h"
#include "zonestore/store_p.h"

/* A zone that waits for its nodes. */
struct want {
	uint64_t seq;      /* of the later root */
	struct zone *zone; /* only the disk thread frees zones */
	uint32_t number;   /* of its record */
};

struct loader {
	struct store *st;
	struct want *wants; /* sorted by seq */
	size_t want_count;
	size_t want_cap;
	size_t want_next;
	uint64_t *seqs;            /* of the nodes that are there, ascending */
	struct node_handle *nodes; /* a reference each */
	size_t node_count;
	size_t node_cap;
	uint64_t seq_max;
	uint64_t bytes;
	int64_t now_s;
};

static void tell_corrupt(struct loader *l, const struct zone *zone, const char *what)
{
	struct event_field name = zone != NULL ? F_NAME("zone", name_bytes(zone_apex(zone)))
	                                       : F_STR("zone", "(unknown)");

	EVENT(l->st->o.events, EVENT_STORE_CORRUPT, name, F_STR("what", what));
}

/* ---- records of zones ---- */

static void want_add(struct loader *l, struct want want)
{
	if (l->want_count == l->want_cap) {
		l->want_cap = l->want_cap == 0 ? 256 : 2 * l->want_cap;
		l->wants = mem_grow(l->wants, l->want_cap * sizeof(*l->wants));
	}
	l->wants[l->want_count++] = want;
}

/* What could not be read is fetched again. Not a matter of expiry: nothing is served. */
static void zone_refetch(struct loader *l, struct zone *zone, const char *what)
{
	struct zone_timers timers = { .refresh_at_s = l->now_s };

	tell_corrupt(l, zone, what);
	store_note(l->st, zone, &timers);
}

/* The zone in the table that the record is about; NULL if the record is to be forgotten. */
static struct zone *record_zone(struct loader *l, uint64_t number, const struct zone_value *v)
{
	struct store *st = l->st;
	struct zone *zone;

	epoch_quiet(st->o.epoch, st->disk.participant);
	zone = store_find(st, v->apex);
	epoch_offline(st->o.epoch, st->disk.participant);
	if (zone != NULL && zone->number != 0) {
		/* Removed, added again, and the first record's end not yet durable. */
		numbers_add(&st->disk.zone_drops, zone->number);
	}
	if (zone == NULL) {
		numbers_add(&st->disk.zone_drops, number);
	}
	return zone;
}

static enum err load_record(void *self, uint64_t number, struct bytes value)
{
	struct loader *l = self;
	struct disk *d = &l->st->disk;
	struct zone_value v;
	struct zone *zone;
	uint64_t last;

	if (number < UINT32_MAX) {
		d->next_number = (uint32_t)number + 1; /* ascending */
	}
	if (number >= UINT32_MAX || zone_value_read(number, value, &v) != ERR_OK) {
		tell_corrupt(l, NULL, "record");
		numbers_add(&d->zone_drops, number);
		return ERR_OK;
	}
	zone = record_zone(l, number, &v);
	if (zone == NULL) {
		return ERR_OK;
	}
	zone->number = (uint32_t)number;
	pthread_mutex_lock(&l->st->queue.lock);
	zone_timers_set(zone, &v.timers);
	pthread_mutex_unlock(&l->st->queue.lock);
	if (v.version_count == 0) {
		return ERR_OK;
	}
	if (zone_value_last_root(&v, &last) != ERR_OK) {
		zone_refetch(l, zone, "record");
		return ERR_OK;
	}
	want_add(l, (struct want){ .seq = last, .zone = zone, .number = zone->number });
	return ERR_OK;
}

static int want_compare(const void *a, const void *b)
{
	const struct want *x = a;
	const struct want *y = b;

	return x->seq != y->seq ? (x->seq > y->seq) - (x->seq < y->seq)
	                        : (x->number > y->number) - (x->number < y->number);
}

/* ---- nodes ---- */

/* The node with that number, borrowed; none if it is not there. */
static struct node_handle node_by_number(const struct loader *l, uint64_t seq)
{
	size_t lo = 0;
	size_t hi = l->node_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (l->seqs[mid] < seq) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo < l->node_count && l->seqs[lo] == seq ? l->nodes[lo] : (struct node_handle){ 0 };
}

static void node_add(struct loader *l, uint64_t seq, struct node_handle node)
{
	struct pool *pool = l->st->o.pool;
	uint64_t before = node_seq(pool, node);

	if (l->node_count == l->node_cap) {
		l->node_cap = l->node_cap == 0 ? 1024 : 2 * l->node_cap;
		l->seqs = mem_grow(l->seqs, l->node_cap * sizeof(*l->seqs));
		l->nodes = mem_grow(l->nodes, l->node_cap * sizeof(*l->nodes));
	}
	l->seqs[l->node_count] = seq;
	l->nodes[l->node_count++] = node;
	if (before != 0) {
		numbers_add(&l->st->disk.drops, before);
	}
	node_set_seq(pool, node, seq);
}

static enum err node_make(struct loader *l, struct bytes value, struct node_handle *out)
{
	struct node_handle children[NODE_CHILDREN_MAX];
	struct node_value v;
	unsigned count;

	TRY(node_value_read(value, &v));
	count = (unsigned)node_value_children(&v);
	for (unsigned i = 0; i < count; i++) {
		children[i] = node_by_number(l, node_value_child(&v, i));
		if (children[i].n == 0) {
			return ERR_STORE_CORRUPT;
		}
	}
	return node_decode(l->st->o.pool, v.content, children, count, out);
}

/* ---- versions ---- */

static struct node_handle find_node(const void *self, uint64_t number)
{
	return node_by_number(self, number);
}

/* The versions that the record names. */
static enum err versions_make(struct loader *l, uint64_t number, struct restored *out)
{
	struct journal *j = l->st->o.journal;
	struct node_source nodes = { find_node, l };
	struct zone_value v;
	struct bytes value;

	TRY(j->ops->get_zone(j, number, &value));
	TRY(zone_value_read(number, value, &v));
	return zone_restore(l->st->o.pool, &v, &nodes, out);
}

/* Serves what a zone waited for, or has it fetched again. */
static void want_fulfil(struct loader *l, const struct want *w)
{
	struct zone *zone = w->zone;
	struct restored r;
	enum err e;

	if (zone->number != w->number) {
		return; /* this record is not the zone's newest */
	}
	e = versions_make(l, w->number, &r);
	if (e != ERR_OK) {
		zone_refetch(l, zone, e == ERR_NOT_FOUND ? "node" : "version");
		return;
	}
	zone_set_expired(zone, zone->expire_at_s != 0 && l->now_s >= zone->expire_at_s);
	if (r.lost > 0) {
		tell_corrupt(l, zone, "older version");
	}
	atomic_store_explicit(&zone->more, r.more, memory_order_release);
	atomic_store_explicit(&zone->newest, r.served, memory_order_release);
	atomic_fetch_add(&l->st->disk.zones_loaded, 1);
}

static void wants_fulfil(struct loader *l, uint64_t seq)
{
	while (l->want_next < l->want_count && l->wants[l->want_next].seq <= seq) {
		want_fulfil(l, &l->wants[l->want_next++]);
	}
}

static enum err load_node(void *self, uint64_t seq, struct bytes value)
{
	struct loader *l = self;
	struct node_handle node;

	l->seq_max = seq;
	l->bytes += value.len;
	if (node_make(l, value, &node) == ERR_OK) {
		node_add(l, seq, node);
	} else {
		numbers_add(&l->st->disk.drops, seq);
	}
	wants_fulfil(l, seq);
	return ERR_OK;
}

/* ---- all of it ---- */

static enum err load_all(struct loader *l)
{
	struct journal *j = l->st->o.journal;
	enum err records = j->ops->scan_zones(j, load_record, l);
	enum err nodes;

	if (l->want_count > 0) {
		qsort(l->wants, l->want_count, sizeof(*l->wants), want_compare);
	}
	nodes = j->ops->scan_nodes(j, load_node, l);
	wants_fulfil(l, UINT64_MAX);
	return records != ERR_OK ? records : nodes;
}

static void tell_loaded(struct loader *l, uint64_t began_ns)
{
	struct store *st = l->st;
	double secs = (double)(env_mono_ns(st->o.env) - began_ns) / (double)NS_PER_S;

	EVENT(st->o.events, EVENT_STORE_LOADED,
	      F_UINT("zones", atomic_load(&st->disk.zones_loaded)), F_UINT("nodes", l->node_count),
	      F_UINT("bytes", l->bytes), F_REAL("secs", secs));
}

/* The journal could not be read to its end. What is in memory is written to a new one if it is
 * damaged; what is not is fetched, as zones without a version are. */
static void load_failed(struct store *st, enum err e)
{
	epoch_quiet(st->o.epoch, st->disk.participant);
	if (e == ERR_STORE_CORRUPT) {
		e = store_reset(st);
	}
	epoch_offline(st->o.epoch, st->disk.participant);
	if (e == ERR_OK) {
		st->o.journal->ops->loaded(st->o.journal);
	} else {
		atomic_store(&st->disk.failing, (int)e);
		EVENT(st->o.events, EVENT_STORE_FAILED, F_ERR("error", e));
	}
}

enum err store_load(struct store *st)
{
	struct loader l = { .st = st, .now_s = env_wall_s(st->o.env) };
	uint64_t began_ns = env_mono_ns(st->o.env);
	enum err e;

	atomic_store(&st->disk.loading, true);
	e = load_all(&l);
	st->disk.next_seq = l.seq_max + 1;
	if (e == ERR_OK) {
		st->o.journal->ops->loaded(st->o.journal);
	} else {
		load_failed(st, e);
	}
	tell_loaded(&l, began_ns);
	for (size_t i = 0; i < l.node_count; i++) {
		node_unref(st->o.pool, l.nodes[i]);
	}
	free(l.wants);
	free(l.seqs);
	free(l.nodes);
	disk_stats_update(st);
	atomic_store(&st->disk.loading, false);
	return e;
}
