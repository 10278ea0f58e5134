/* SPDX-License-Identifier: MIT
 *
 * zonestore/weigh.c — how much differs between two versions: records, and memory. */
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/diff.h"
#include "zonestore/versions_p.h"

/* Records that `have` has and `lack` has not. */
static uint32_t records_beyond(const struct snapshot *have, const struct snapshot *lack,
                               struct rr_scratch *scratch)
{
	struct snapshot_diff *d = mem_new(sizeof(*d));
	uint32_t count = 0;
	struct rr rr;

	snapshot_diff_init(d, have, lack);
	while (snapshot_diff_next(d, scratch, &rr)) {
		count++;
	}
	free(d);
	return count;
}

void weigh_counts(struct snapshot *snap, const struct snapshot *before)
{
	struct snapshot_counts counts;
	struct rr_scratch *scratch;

	scratch = mem_new(sizeof(*scratch));
	counts.added = records_beyond(snap, before, scratch);
	counts.deleted = records_beyond(before, snap, scratch);
	free(scratch);
	snapshot_set_counts(snap, counts);
}

/* ---- memory ---- */

struct weighing {
	const struct pool *pool;
	struct node_handle newer; /* root of the tree that shares */
	uint64_t bytes;
};

/* The child of a branch in which a key stands or would stand. */
static unsigned child_towards(const struct node *n, struct bytes key)
{
	unsigned lo = 0;
	unsigned hi = shape_count(n) - 1;

	while (lo < hi) {
		unsigned mid = (lo + hi + 1) / 2;
		if (bytes_compare(branch_key(n, mid), key) <= 0) {
			lo = mid;
		} else {
			hi = mid - 1;
		}
	}
	return lo;
}

/* The node of a tree's level in which a key stands or would stand; none if the tree is lower. */
static struct node_handle node_towards(const struct weighing *w, struct bytes key, unsigned level)
{
	struct node_handle h = w->newer;
	const struct node *n;

	if (h.n == 0 || shape_level(node_at(w->pool, h)) < level) {
		return (struct node_handle){ 0 };
	}
	for (n = node_at(w->pool, h); shape_level(n) > level; n = node_at(w->pool, h)) {
		h.n = n->links[child_towards(n, key)];
	}
	return h;
}

#define LINKS_AHEAD 64U /* looked at for the same body */

/* Adds the bodies of a leaf that the other does not name. Links are not sorted, but where leaves
 * are alike, so are their links: what is far off counts as not there. */
static void weigh_bodies(struct weighing *w, const struct node *leaf, struct node_handle other)
{
	const struct node *theirs = other.n == 0 ? NULL : node_at(w->pool, other);
	unsigned count = theirs == NULL ? 0 : shape_sets(theirs);
	unsigned at = 0;

	for (unsigned i = 0; i < shape_sets(leaf); i++) {
		unsigned looked = 0;
		while (looked < count && looked < LINKS_AHEAD &&
		       theirs->links[at] != leaf->links[i]) {
			at = at + 1 == count ? 0 : at + 1;
			looked++;
		}
		if (looked == count || looked == LINKS_AHEAD) {
			w->bytes += heap_piece_bytes(&w->pool->heap, leaf->links[i]);
		}
	}
}

/* Adds a node that the newer tree has not, and what of the nodes below it it has not. Recursion is as
 * deep as the tree. */
static void weigh_node(struct weighing *w, struct node_handle h)
{
	const struct node *n = node_at(w->pool, h);
	struct bytes key = node_first_key(w->pool, h);
	struct node_handle other = node_towards(w, key, shape_level(n));

	if (other.n == h.n) {
		return;
	}
	w->bytes += heap_piece_bytes(&w->pool->heap, h.n);
	if (shape_level(n) == 0) {
		weigh_bodies(w, n, other);
		return;
	}
	for (unsigned i = 0; i < shape_count(n); i++) {
		weigh_node(w, (struct node_handle){ n->links[i] });
	}
}

uint64_t weigh_unshared(const struct snapshot *older, const struct snapshot *newer)
{
	struct weighing w = { .pool = snapshot_pool(older) };

	w.bytes = heap_piece_bytes(&w.pool->heap, heap_handle(&w.pool->heap, older));
	for (unsigned i = 0; i < 2; i++) {
		w.newer = newer->roots[i];
		if (older->roots[i].n != 0) {
			weigh_node(&w, older->roots[i]);
		}
	}
	return w.bytes;
}
