/* SPDX-License-Identifier: MIT
 *
 * zonestore/check_memory.c — verifying what is in memory.
 *
 * The versions are walked down from their roots; every node and body is looked at once, and counted
 * each time that something refers to it. Others may make and drop references meanwhile, but those
 * that were counted stay as long as the versions do. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/check_p.h"
#include "zonestore/snapshot_p.h"
#include "zonestore/tally_p.h"

/* A node or body, and how often it was referred to. */
struct seen {
	uint32_t handle; /* 0: free */
	uint32_t refs;
	uint32_t place; /* of a node's tally */
};

struct seen_map {
	struct seen *at;
	size_t size; /* a power of two */
	size_t count;
};

struct walker {
	struct pool *pool;
	struct teller t;
	struct seen_map nodes;
	struct seen_map bodies;
	struct tally *tallies; /* of nodes, in the order of their being seen */
	size_t tally_cap;
	struct buffer octets;
	uint64_t steps;
};

/* ---- what was seen ---- */

static struct seen *map_slot(const struct seen_map *m, uint32_t handle)
{
	size_t i = (handle * 0x9e3779b97f4a7c15ULL) >> 20 & (m->size - 1);

	while (m->at[i].handle != 0 && m->at[i].handle != handle) {
		i = (i + 1) & (m->size - 1);
	}
	return &m->at[i];
}

static void map_grow(struct seen_map *m)
{
	struct seen_map bigger = { .size = m->size == 0 ? 1024 : 2 * m->size, .count = m->count };

	bigger.at = mem_zero(bigger.size, sizeof(*bigger.at));
	for (size_t i = 0; i < m->size; i++) {
		if (m->at[i].handle != 0) {
			*map_slot(&bigger, m->at[i].handle) = m->at[i];
		}
	}
	free(m->at);
	*m = bigger;
}

/* Counts a reference. True if it is the first. */
static bool map_see(struct seen_map *m, uint32_t handle, struct seen **out)
{
	if (4 * (m->count + 1) > 3 * m->size) {
		map_grow(m);
	}
	*out = map_slot(m, handle);
	(*out)->refs++;
	if ((*out)->handle != 0) {
		return false;
	}
	(*out)->handle = handle;
	(*out)->place = (uint32_t)m->count++;
	return true;
}

/* ---- bodies ---- */

static void body_see(struct walker *w, struct body_handle h, bool is_set)
{
	const uint8_t *octets = pool_body(w->pool, h);
	struct bytes whole = bytes_of(octets, body_len(octets));
	struct body_handle found;
	struct bytes checked;
	struct seen *seen;

	if (!map_see(&w->bodies, h.n, &seen)) {
		return;
	}
	if (is_set && body_check(whole, &checked) != ERR_OK) {
		teller_find(&w->t, "body %" PRIu32 ": it is not well formed", h.n);
	}
	found = pool_intern(w->pool, whole);
	if (found.n != h.n) {
		teller_find(&w->t, "body %" PRIu32 ": its table does not lead to it", h.n);
	}
	pool_body_unref(w->pool, found);
}

/* ---- nodes ---- */

static void node_look(struct walker *w, struct node_handle h)
{
	struct node_handle found;
	struct id id;

	w->octets.len = 0;
	node_encode(w->pool, h, &w->octets);
	id_of(buffer_bytes(&w->octets), &id);
	if (!id_equal(&id, node_id(w->pool, h))) {
		teller_find(&w->t, "node %" PRIu32 ": its content is not what its id says", h.n);
	}
	found = node_find(w->pool, node_id(w->pool, h));
	if (found.n != h.n) {
		teller_find(&w->t, "node %" PRIu32 ": its table does not lead to it", h.n);
	}
	node_unref(w->pool, found);
}

static size_t place_new(struct walker *w, const struct seen *seen)
{
	if (seen->place >= w->tally_cap) {
		w->tally_cap = w->tally_cap == 0 ? 1024 : 2 * w->tally_cap;
		w->tallies = mem_grow(w->tallies, w->tally_cap * sizeof(*w->tallies));
	}
	w->tallies[seen->place] = (struct tally){ 0 };
	return seen->place;
}

/* Sees a node and all below it; its tally. Recursion is as deep as a tree. */
static struct tally node_see(struct walker *w, struct node_handle h)
{
	const struct node *n = node_at(w->pool, h);
	struct seen *seen;
	struct tally sum = { 0 };
	size_t place;

	if (!map_see(&w->nodes, h.n, &seen)) {
		return w->tallies[seen->place];
	}
	place = place_new(w, seen);
	if (!teller_goes_on(&w->t, ++w->steps, "nodes")) {
		return sum;
	}
	node_look(w, h);
	if (shape_level(n) == 0) {
		for (unsigned i = 0; i < shape_sets(n); i++) {
			body_see(w, (struct body_handle){ n->links[i] }, true);
		}
		tally_leaf(w->pool, h, &sum);
	} else {
		for (unsigned i = 0; i < shape_count(n); i++) {
			struct tally child = node_see(w, (struct node_handle){ n->links[i] });
			tally_add(&sum, &child);
		}
	}
	w->tallies[place] = sum;
	return sum;
}

/* ---- versions ---- */

static void version_tell(struct walker *w, const struct snapshot *snap, const char *wrong)
{
	char text[NAME_TEXT_MAX];
	struct writer out = writer_of(text, sizeof(text) - 1);

	if (!name_print(snapshot_apex(snap), &out)) {
		out.len = 0;
	}
	text[out.len] = '\0';
	teller_find(&w->t, "zone %.256s: serial %" PRIu32 ": %s", text, snap->serial.n, wrong);
}

static void version_see(struct walker *w, const struct snapshot *snap)
{
	struct bytes soa = body_rdatas(pool_body(w->pool, snap->soa));
	struct tally sum = { 0 };

	body_see(w, snap->soa, false);
	body_see(w, snap->primary, false);
	for (unsigned i = 0; i < 2; i++) {
		if (snap->roots[i].n != 0) {
			struct tally tree = node_see(w, snap->roots[i]);
			tally_add(&sum, &tree);
		}
	}
	if (w->t.deaf) {
		return;
	}
	if (sum.records + 1 != snap->records) {
		version_tell(w, snap, "it has another number of records");
	} else if (tally_bytes(&sum, snap->apex_len, soa) != snap->bytes) {
		version_tell(w, snap, "it has another number of octets");
	}
}

/* ---- references and totals ---- */

static void refs_look(struct walker *w)
{
	for (size_t i = 0; i < w->nodes.size; i++) {
		const struct seen *s = &w->nodes.at[i];
		if (s->handle != 0 &&
		    atomic_load(&node_at(w->pool, (struct node_handle){ s->handle })->refs) <
		            s->refs) {
			teller_find(&w->t, "node %" PRIu32 ": fewer references than there are",
			            s->handle);
		}
	}
	for (size_t i = 0; i < w->bodies.size; i++) {
		const struct seen *s = &w->bodies.at[i];
		const struct body *body;
		if (s->handle == 0) {
			continue;
		}
		body = heap_at(&w->pool->heap, s->handle);
		if (atomic_load(&body->refs) < s->refs) {
			teller_find(&w->t, "body %" PRIu32 ": fewer references than there are",
			            s->handle);
		}
	}
}

static void totals_look(struct walker *w)
{
	struct pool_stats stats;

	pool_stats(w->pool, &stats);
	if (stats.nodes < w->nodes.count || stats.bodies < w->bodies.count) {
		teller_find(&w->t, "the pool counts fewer nodes or bodies than there are");
	}
}

enum err check_memory(struct pool *pool, const struct snapshot *const *snaps, size_t count,
                      const struct check_sink *sink)
{
	struct walker w = { .pool = pool, .t = teller_of(sink, "memory") };

	for (size_t i = 0; i < count && !w.t.deaf; i++) {
		version_see(&w, snaps[i]);
	}
	if (!w.t.deaf) {
		refs_look(&w);
		totals_look(&w);
		teller_say(&w.t,
		           "%zu versions, %zu nodes, %zu record set bodies: %" PRIu64 " findings",
		           count, w.nodes.count, w.bodies.count, w.t.findings);
	}
	free(w.nodes.at);
	free(w.bodies.at);
	free(w.tallies);
	buffer_fini(&w.octets);
	return teller_result(&w.t);
}
