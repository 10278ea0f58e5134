/* SPDX-License-Identifier: MIT
 *
 * zonestore/merge.c — an older tree and sorted changes make a new tree, in one walk over what
 * changed. */
#include <stdlib.h>

#include "zonestore/change_p.h"

struct merge {
	struct owner_maker *m;
	struct tree_writer w;
	const struct change_slot *changes;
	size_t next;
	size_t count;
	size_t fetched;       /* changes asked for to be brought near */
	uint8_t key[KEY_MAX]; /* of the old owner at hand */
};

/* Where a node's owners end: before `key`, or nowhere. */
struct bound {
	bool ends;
	struct bytes key;
};

/* True if the next change concerns a name before `bound`. */
static bool change_before(const struct merge *g, struct bound bound)
{
	if (g->next == g->count) {
		return false;
	}
	return !bound.ends || bytes_compare(change_key(g->changes[g->next].change), bound.key) < 0;
}

static size_t owner_run(const struct merge *g)
{
	struct bytes key = change_key(g->changes[g->next].change);
	size_t run = 1;

	while (g->next + run < g->count &&
	       bytes_equal(change_key(g->changes[g->next + run].change), key)) {
		run++;
	}
	return run;
}

/* Writes the owner that the next changes are about. */
static enum err merge_owner(struct merge *g, struct owner_old old)
{
	struct bytes key = change_key(g->changes[g->next].change);
	size_t run = owner_run(g);

	for (; g->fetched < g->next + run + CHANGES_AHEAD && g->fetched < g->count; g->fetched++) {
		change_fetch(g->changes[g->fetched].change);
	}
	TRY(owner_apply(g->m, old, g->changes + g->next, run));
	g->next += run;
	if (g->m->item_count > 0) {
		tree_writer_owner(&g->w, key, g->m->cases, g->m->items, g->m->item_count);
	}
	return ERR_OK;
}

static enum err merge_new_owners(struct merge *g, struct bound bound)
{
	while (change_before(g, bound)) {
		TRY(merge_owner(g, (struct owner_old){ 0 }));
	}
	return ERR_OK;
}

/* Writes an owner as it was. */
static void keep_owner(struct merge *g, struct bytes key, struct owner_old old)
{
	struct owner_maker *m = g->m;

	owner_keep(m, old);
	tree_writer_owner(&g->w, key, old.cases, m->items, m->item_count);
}

static enum err merge_leaf(struct merge *g, const struct node *leaf, struct bound bound)
{
	struct leaf_walk walk = leaf_walk(leaf);
	struct leaf_entry e;
	const uint32_t *links;

	while (leaf_next(&walk, &e, &links)) {
		struct owner_old old = { links, e.sets, e.cases };
		struct bytes key = bytes_of(g->key, e.shared + e.rest.len);
		memcpy(g->key + e.shared, e.rest.at, e.rest.len);
		TRY(merge_new_owners(g, (struct bound){ true, key }));
		if (g->next < g->count &&
		    bytes_equal(change_key(g->changes[g->next].change), key)) {
			TRY(merge_owner(g, old));
		} else {
			keep_owner(g, key, old);
		}
	}
	return merge_new_owners(g, bound);
}

static void leaf_prefetch(const struct pool *pool, const struct node *leaf)
{
	for (unsigned i = 0; i < shape_sets(leaf); i++) {
		__builtin_prefetch(pool_body(pool, (struct body_handle){ leaf->links[i] }));
	}
}

/* Asks for what will be read of each child, changed or not. */
static void branch_prefetch(const struct pool *pool, const struct node *n)
{
	for (unsigned i = 0; i < shape_count(n); i++) {
		const struct node *child = node_at(pool, (struct node_handle){ n->links[i] });
		__builtin_prefetch(child, 1);
		__builtin_prefetch((const uint8_t *)child + sizeof(*child) - 1, 1);
	}
}

/* Merges the node that begins with `first` and ends at `bound`. Recursion is as deep as the tree. */
static enum err merge_node(struct merge *g, struct node_handle h, struct bytes first,
                           struct bound bound)
{
	const struct node *n = node_at(g->m->pool, h);
	unsigned level = shape_level(n);

	if (!change_before(g, bound) && tree_writer_at_boundary(&g->w, level)) {
		tree_writer_node(&g->w, h, first);
		return ERR_OK;
	}
	if (level == 0) {
		leaf_prefetch(g->m->pool, n);
		return merge_leaf(g, n, bound);
	}
	branch_prefetch(g->m->pool, n);
	for (unsigned i = 0; i < shape_count(n); i++) {
		struct bound inner = bound;
		if (i + 1 < shape_count(n)) {
			inner = (struct bound){ true, branch_key(n, i + 1) };
		}
		TRY(merge_node(g, (struct node_handle){ n->links[i] }, branch_key(n, i), inner));
	}
	return ERR_OK;
}

enum err tree_merge(struct owner_maker *m, struct node_handle old,
                    const struct change_slot *changes, size_t count, struct node_handle *out)
{
	struct merge *g;
	struct bound everything = { 0 };
	enum err e;

	if (count == 0) {
		*out = node_ref(m->pool, old);
		return ERR_OK;
	}
	g = mem_zero(1, sizeof(*g));
	g->m = m;
	g->changes = changes;
	g->count = count;
	tree_writer_init(&g->w, m->pool);
	e = old.n == 0 ? merge_new_owners(g, everything)
	               : merge_node(g, old, node_first_key(m->pool, old), everything);
	if (e == ERR_OK) {
		assert(g->next == count);
		*out = tree_writer_finish(&g->w);
	}
	tree_writer_fini(&g->w);
	free(g);
	return e;
}
