/* SPDX-License-Identifier: MIT
 *
 * zonestore/cursor.c — walking all records of a version. */
#include "zonestore/snapshot_p.h"

/* What struct snapshot_cursor keeps in `opaque`. */
struct cursor_state {
	struct leaf_walk walk;
	const uint32_t *links; /* sets of the owner at hand not yet yielded */
	unsigned sets;
	unsigned tree;
	unsigned last_tree; /* the walk ends after it */
	unsigned depth;     /* branches on the way to the leaf */
	struct {
		struct node_handle node;
		unsigned next; /* child to go to next */
	} path[NODE_LEVELS_MAX];
	uint8_t key[KEY_MAX];
};

static_assert(sizeof(struct cursor_state) <= sizeof(((struct snapshot_cursor *)0)->opaque),
              "the cursor has room");

static struct cursor_state *state_of(struct snapshot_cursor *c)
{
	return (struct cursor_state *)(void *)c->opaque;
}

/* Goes down to the first leaf of a node. */
static void cursor_down(const struct pool *pool, struct cursor_state *s, struct node_handle h)
{
	const struct node *n = node_at(pool, h);

	while (shape_level(n) > 0) {
		assert(s->depth < NODE_LEVELS_MAX);
		s->path[s->depth].node = h;
		s->path[s->depth].next = 1;
		s->depth++;
		h.n = n->links[0];
		n = node_at(pool, h);
	}
	s->walk = leaf_walk(n);
}

/* Goes on to the next leaf, or to the next tree; false at the end. */
static bool cursor_leaf(const struct snapshot *snap, struct cursor_state *s)
{
	while (s->depth > 0) {
		const struct node *n = node_at(snapshot_pool(snap), s->path[s->depth - 1].node);
		unsigned i = s->path[s->depth - 1].next;
		if (i < shape_count(n)) {
			s->path[s->depth - 1].next++;
			cursor_down(snapshot_pool(snap), s, (struct node_handle){ n->links[i] });
			return true;
		}
		s->depth--;
	}
	if (s->tree == s->last_tree || snap->roots[1].n == 0) {
		return false;
	}
	s->tree = 1;
	cursor_down(snapshot_pool(snap), s, snap->roots[1]);
	return true;
}

void snapshot_cursor_init(struct snapshot_cursor *c, const struct snapshot *snap)
{
	struct cursor_state *s = state_of(c);

	memset(c, 0, sizeof(*c));
	c->snap = snap;
	s->last_tree = 1;
	if (snap->roots[0].n != 0) {
		cursor_down(snapshot_pool(snap), s, snap->roots[0]);
	}
}

void snapshot_cursor_init_tree(struct snapshot_cursor *c, const struct snapshot *snap,
                               unsigned tree)
{
	struct cursor_state *s = state_of(c);

	assert(tree < 2);
	memset(c, 0, sizeof(*c));
	c->snap = snap;
	s->tree = tree;
	s->last_tree = tree;
	if (snap->roots[tree].n != 0) {
		cursor_down(snapshot_pool(snap), s, snap->roots[tree]);
	}
}

bool snapshot_cursor_next(struct snapshot_cursor *c, struct rrset *out)
{
	struct cursor_state *s = state_of(c);
	struct leaf_entry e;

	if (s->sets == 0) {
		bool fits;
		while (!leaf_next(&s->walk, &e, &s->links)) {
			if (!cursor_leaf(c->snap, s)) {
				return false;
			}
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
