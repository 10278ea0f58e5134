/* SPDX-License-Identifier: MIT
 *
 * zonestore/cursor.c — walking all records of a version. */
#include "zonestore/cursor_p.h"

/* What struct snapshot_cursor keeps in `opaque`. */
struct cursor_state {
	struct leaf_walk walk;
	const uint32_t *links; /* sets of the owner at hand not yet yielded */
	unsigned sets;
	struct leaf_path path;
	uint8_t key[KEY_MAX];
};

static_assert(sizeof(struct cursor_state) <= sizeof(((struct snapshot_cursor *)0)->opaque),
              "the cursor has room");

static struct cursor_state *state_of(struct snapshot_cursor *c)
{
	return (struct cursor_state *)(void *)c->opaque;
}

/* Goes down to the first leaf of a node. */
static const struct node *path_down(struct leaf_path *p, const struct pool *pool,
                                    struct node_handle h)
{
	const struct node *n = node_at(pool, h);

	while (shape_level(n) > 0) {
		assert(p->depth < NODE_LEVELS_MAX);
		p->path[p->depth].node = h;
		p->path[p->depth].next = 1;
		p->depth++;
		h.n = n->links[0];
		n = node_at(pool, h);
	}
	return n;
}

const struct node *leaf_path_first(struct leaf_path *p, const struct snapshot *snap, unsigned tree,
                                   unsigned last_tree)
{
	*p = (struct leaf_path){ .tree = tree, .last_tree = last_tree };
	if (snap->roots[tree].n != 0) {
		return path_down(p, snapshot_pool(snap), snap->roots[tree]);
	}
	return leaf_path_next(p, snap);
}

const struct node *leaf_path_next(struct leaf_path *p, const struct snapshot *snap)
{
	const struct pool *pool = snapshot_pool(snap);

	while (p->depth > 0) {
		const struct node *n = node_at(pool, p->path[p->depth - 1].node);
		unsigned i = p->path[p->depth - 1].next;
		if (i < shape_count(n)) {
			p->path[p->depth - 1].next++;
			return path_down(p, pool, (struct node_handle){ n->links[i] });
		}
		p->depth--;
	}
	if (p->tree == p->last_tree || snap->roots[1].n == 0) {
		return NULL;
	}
	p->tree = 1;
	return path_down(p, pool, snap->roots[1]);
}

const struct node *leaf_path_sibling(const struct leaf_path *p, const struct snapshot *snap)
{
	const struct node *n;
	unsigned i;

	if (p->depth == 0) {
		return NULL;
	}
	n = node_at(snapshot_pool(snap), p->path[p->depth - 1].node);
	i = p->path[p->depth - 1].next;
	return i < shape_count(n)
	               ? node_at(snapshot_pool(snap), (struct node_handle){ n->links[i] })
	               : NULL;
}

static void cursor_begin(struct snapshot_cursor *c, const struct snapshot *snap, unsigned tree,
                         unsigned last_tree)
{
	struct cursor_state *s = state_of(c);
	const struct node *leaf;

	memset(c, 0, sizeof(*c));
	c->snap = snap;
	leaf = leaf_path_first(&s->path, snap, tree, last_tree);
	if (leaf != NULL) {
		s->walk = leaf_walk(leaf);
	}
}

void snapshot_cursor_init(struct snapshot_cursor *c, const struct snapshot *snap)
{
	cursor_begin(c, snap, 0, 1);
}

void snapshot_cursor_init_tree(struct snapshot_cursor *c, const struct snapshot *snap,
                               unsigned tree)
{
	assert(tree < 2);
	cursor_begin(c, snap, tree, tree);
}

bool snapshot_cursor_next(struct snapshot_cursor *c, struct rrset *out)
{
	struct cursor_state *s = state_of(c);
	struct leaf_entry e;

	if (s->sets == 0) {
		bool fits;
		while (!leaf_next(&s->walk, &e, &s->links)) {
			const struct node *leaf = leaf_path_next(&s->path, c->snap);
			if (leaf == NULL) {
				return false;
			}
			s->walk = leaf_walk(leaf);
		}
		memcpy(s->key + e.shared, e.rest.at, e.rest.len);
		s->sets = e.sets;
		fits = key_name(bytes_of(s->key, e.shared + e.rest.len), e.cases,
		                snapshot_apex(c->snap), &c->owner);
		assert(fits); /* snapshot_names_fit() */
	}
	rrset_of_body(c->snap, (struct body_handle){ *s->links }, out);
	s->links++;
	s->sets--;
	return true;
}
