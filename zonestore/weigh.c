/* SPDX-License-Identifier: MIT
 *
 * zonestore/weigh.c — how much differs between two versions: records, and memory.
 *
 * Two walks over the records that one version has and the other has not, then one over the nodes of
 * the older trees, which passes over every node that the newer tree has in the same place. All of
 * it can be left and gone on with. */
#include "zonestore/weigh_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define LINKS_AHEAD 64U /* looked at for the same body */

struct weigher *weigher_new(struct snapshot *fresh, const struct snapshot *before,
                            const struct snapshot *after)
{
	struct weigher *w = mem_new(sizeof(*w));

	w->fresh = fresh;
	w->before = before;
	w->after = after;
	w->stage = WEIGH_ADDED;
	w->begun = false;
	w->counts = (struct snapshot_counts){ 0 };
	w->bytes = 0;
	w->depth = 0;
	return w;
}

void weigher_free(struct weigher *w)
{
	free(w);
}

static void weigher_next(struct weigher *w)
{
	w->stage++;
	w->begun = false;
}

/* ---- records ---- */

/* Counts records that `have` has and `lack` has not; true when there are no more. */
static bool count_step(struct weigher *w, const struct snapshot *have, const struct snapshot *lack,
                       uint32_t *count, unsigned *budget)
{
	struct rr rr;

	if (!w->begun) {
		snapshot_diff_init(&w->diff, have, lack);
		w->begun = true;
	}
	for (; *budget > 0; --*budget) {
		if (!snapshot_diff_next(&w->diff, &w->scratch, &rr)) {
			return true;
		}
		++*count;
	}
	return false;
}

/* ---- memory ---- */

static uint64_t piece_bytes(const struct weigher *w, uint32_t handle)
{
	return heap_piece_bytes(&snapshot_pool(w->before)->heap, handle);
}

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

/* The node of the newer tree's level in which a key stands or would stand; none if the tree is
 * lower. */
static struct node_handle node_towards(const struct weigher *w, struct bytes key, unsigned level)
{
	const struct pool *pool = snapshot_pool(w->before);
	struct node_handle h = w->after->roots[w->stage - WEIGH_NAMES];
	const struct node *n;

	if (h.n == 0 || shape_level(node_at(pool, h)) < level) {
		return (struct node_handle){ 0 };
	}
	for (n = node_at(pool, h); shape_level(n) > level; n = node_at(pool, h)) {
		h.n = n->links[child_towards(n, key)];
	}
	return h;
}

/* Adds the bodies of a leaf that the other does not name. Links are not sorted, but where leaves
 * are alike, so are their links: what is far off counts as not there. */
static void weigh_bodies(struct weigher *w, const struct node *leaf, struct node_handle other)
{
	const struct node *theirs = other.n == 0 ? NULL : node_at(snapshot_pool(w->before), other);
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
			w->bytes += piece_bytes(w, leaf->links[i]);
		}
	}
}

/* Adds a node, unless the newer tree has it as well; the children of a branch are next. */
static void weigh_node(struct weigher *w, struct node_handle h, unsigned *budget)
{
	const struct pool *pool = snapshot_pool(w->before);
	const struct node *n = node_at(pool, h);
	unsigned level = shape_level(n);
	struct node_handle other = node_towards(w, node_first_key(pool, h), level);

	--*budget;
	if (other.n == h.n) {
		return;
	}
	w->bytes += piece_bytes(w, h.n);
	if (level == 0) {
		unsigned more = shape_sets(n) / 8;
		weigh_bodies(w, n, other);
		*budget = *budget > more ? *budget - more : 0;
		return;
	}
	assert(w->depth < NODE_LEVELS_MAX);
	w->path[w->depth].node = h;
	w->path[w->depth++].next = 0;
}

/* Weighs the nodes of a tree of the older version; true when there are no more. */
static bool tree_step(struct weigher *w, unsigned *budget)
{
	struct node_handle root = w->before->roots[w->stage - WEIGH_NAMES];

	if (!w->begun && root.n != 0) {
		weigh_node(w, root, budget);
	}
	w->begun = true;
	while (w->depth > 0) {
		const struct node *n =
			node_at(snapshot_pool(w->before), w->path[w->depth - 1].node);
		unsigned i = w->path[w->depth - 1].next++;
		if (*budget == 0) {
			w->path[w->depth - 1].next--;
			return false;
		}
		if (i == shape_count(n)) {
			w->depth--;
		} else {
			weigh_node(w, (struct node_handle){ n->links[i] }, budget);
		}
	}
	return true;
}

/* ---- all of it ---- */

static bool stage_step(struct weigher *w, unsigned *budget)
{
	switch (w->stage) {
	case WEIGH_ADDED:
		return w->fresh == NULL ||
		       count_step(w, w->fresh, w->before, &w->counts.added, budget);
	case WEIGH_DELETED:
		return w->fresh == NULL ||
		       count_step(w, w->before, w->fresh, &w->counts.deleted, budget);
	case WEIGH_NAMES:
	case WEIGH_NSEC3:
		return w->after == NULL || tree_step(w, budget);
	case WEIGH_DONE:
		break;
	}
	return false;
}

bool weigher_step(struct weigher *w, unsigned budget)
{
	while (w->stage != WEIGH_DONE && stage_step(w, &budget)) {
		weigher_next(w);
	}
	if (w->stage != WEIGH_DONE) {
		return false;
	}
	if (w->fresh != NULL) {
		snapshot_set_counts(w->fresh, w->counts);
	}
	if (w->after != NULL) {
		const struct heap *heap = &snapshot_pool(w->before)->heap;
		w->bytes += heap_piece_bytes(heap, heap_handle(heap, w->before));
	}
	return true;
}
