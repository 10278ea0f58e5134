/* SPDX-License-Identifier: MIT
 *
 * zonestore/diff.c — two trees walked side by side.
 *
 * Each side stands before an item: a node not yet opened, or an owner. Items are compared by their
 * first keys:
 *
 *	the same node on both sides   both pass over it
 *	equal keys, nodes             the one of the higher level is opened, or both
 *	equal keys, owners            their sets are compared
 *	have's is smaller             opened if a node; an owner is yielded whole
 *	lack's is smaller             passed over if it ends before have's, else opened */
#include "zonestore/diff.h"

#include "zonestore/snapshot_p.h"
#include "zonestore/stored_p.h"

/* A side's place in its tree. */
struct side {
	const struct pool *pool;
	bool done;
	struct node_handle node; /* the item, if not yet opened; none: it is an owner */
	struct bytes key;        /* first key of the item */
	struct leaf_walk walk;   /* after the owner at hand */
	struct owner {
		const uint32_t *links;
		unsigned sets;
		const uint8_t *cases;
	} owner;
	unsigned depth;
	struct {
		struct node_handle node;
		unsigned next; /* child to go to next */
	} path[NODE_LEVELS_MAX];
	uint8_t octets[KEY_MAX]; /* of an owner's key */
};

/* What is being yielded of an owner. */
struct diff_state {
	struct side have;
	struct side lack;
	unsigned tree;
	bool yielding;       /* there may be more of have's owner */
	bool both;           /* lack has the owner as well, spelled the same */
	unsigned set;        /* of have's owner */
	const uint8_t *body; /* the set at hand; NULL: the next is to be looked at */
	struct body_reader ours;
	struct body_reader theirs;
	struct bytes their_rdata;
	bool their_more;
};

static_assert(sizeof(struct diff_state) <= sizeof(((struct snapshot_diff *)0)->opaque),
              "the walk has room");

static struct diff_state *state_of(struct snapshot_diff *d)
{
	return (struct diff_state *)(void *)d->opaque;
}

/* ---- one side ---- */

static void side_to_node(struct side *s, struct node_handle node)
{
	s->node = node;
	s->key = node_first_key(s->pool, node);
}

/* Goes to the next owner of the leaf; false at its end. */
static bool side_to_owner(struct side *s)
{
	struct leaf_entry e;

	if (!leaf_next(&s->walk, &e, &s->owner.links)) {
		return false;
	}
	memcpy(s->octets + e.shared, e.rest.at, e.rest.len);
	s->node.n = 0;
	s->key = bytes_of(s->octets, e.shared + e.rest.len);
	s->owner.sets = e.sets;
	s->owner.cases = e.cases;
	return true;
}

/* Goes to what follows the node that was the item. */
static void side_after_node(struct side *s)
{
	while (s->depth > 0) {
		const struct node *n = node_at(s->pool, s->path[s->depth - 1].node);
		unsigned i = s->path[s->depth - 1].next;
		if (i < shape_count(n)) {
			s->path[s->depth - 1].next++;
			side_to_node(s, (struct node_handle){ n->links[i] });
			return;
		}
		s->depth--;
	}
	s->done = true;
}

static void side_open(struct side *s)
{
	const struct node *n = node_at(s->pool, s->node);

	if (shape_level(n) == 0) {
		s->walk = leaf_walk(n);
		(void)side_to_owner(s); /* a leaf has one */
		return;
	}
	assert(s->depth < NODE_LEVELS_MAX);
	s->path[s->depth].node = s->node;
	s->path[s->depth].next = 1;
	s->depth++;
	side_to_node(s, (struct node_handle){ n->links[0] });
}

static void side_after_owner(struct side *s)
{
	if (!side_to_owner(s)) {
		side_after_node(s);
	}
}

static void side_begin(struct side *s, const struct snapshot *snap, unsigned tree)
{
	s->pool = snapshot_pool(snap);
	s->depth = 0;
	s->done = snap->roots[tree].n == 0;
	if (!s->done) {
		side_to_node(s, snap->roots[tree]);
	}
}

/* True if the item, a node, ends before `key`: what follows it in its branch does not begin after. */
static bool side_ends_before(const struct side *s, struct bytes key)
{
	const struct node *n;
	unsigned i;

	if (s->depth == 0) {
		return false;
	}
	n = node_at(s->pool, s->path[s->depth - 1].node);
	i = s->path[s->depth - 1].next;
	return i < shape_count(n) && bytes_compare(branch_key(n, i), key) <= 0;
}

/* ---- both ---- */

static void lack_passes(struct side *lack, struct bytes key)
{
	if (lack->node.n == 0) {
		side_after_owner(lack);
	} else if (side_ends_before(lack, key)) {
		side_after_node(lack);
	} else {
		side_open(lack);
	}
}

static void nodes_meet(struct side *have, struct side *lack)
{
	unsigned ours = have->node.n == 0 ? 0 : node_level(have->pool, have->node) + 1;
	unsigned theirs = lack->node.n == 0 ? 0 : node_level(lack->pool, lack->node) + 1;

	if (have->node.n == lack->node.n) {
		side_after_node(have);
		side_after_node(lack);
		return;
	}
	if (ours >= theirs) {
		side_open(have);
	}
	if (theirs >= ours) {
		side_open(lack);
	}
}

static bool cases_equal(const struct side *a, const struct side *b)
{
	if (a->owner.cases == NULL || b->owner.cases == NULL) {
		return a->owner.cases == b->owner.cases;
	}
	return memcmp(a->owner.cases, b->owner.cases, key_cases_len(a->key.len)) == 0;
}

/* Goes on to the next owner of which something may have to be yielded; false at the end of the
 * trees, or after so many steps. Each moves one side at least. */
static bool next_owner(struct diff_state *s, uint64_t *steps_left)
{
	while (!s->have.done && *steps_left > 0) {
		int order = s->lack.done ? -1 : bytes_compare(s->have.key, s->lack.key);
		--*steps_left;
		if (order > 0) {
			lack_passes(&s->lack, s->have.key);
		} else if (order < 0 && s->have.node.n != 0) {
			side_open(&s->have);
		} else if (order == 0 && (s->have.node.n != 0 || s->lack.node.n != 0)) {
			nodes_meet(&s->have, &s->lack);
		} else {
			s->both = order == 0 && cases_equal(&s->have, &s->lack);
			s->set = 0;
			s->body = NULL;
			return true;
		}
	}
	return false;
}

/* Goes on to the next set of have's owner that lack's does not share; false after the last. */
static bool next_set(struct diff_state *s)
{
	const struct pool *pool = s->have.pool;

	while (s->set < s->have.owner.sets) {
		struct body_handle ours = { s->have.owner.links[s->set++] };
		struct body_handle theirs = { 0 };
		s->body = pool_body(pool, ours);
		s->ours = body_read(s->body);
		s->theirs = (struct body_reader){ 0 };
		if (s->both) {
			theirs = sets_find(pool, s->lack.owner.links, s->lack.owner.sets,
			                   body_kind(s->body));
		}
		if (theirs.n == ours.n) {
			continue;
		}
		if (theirs.n != 0 && body_ttl(pool_body(pool, theirs)) == body_ttl(s->body)) {
			s->theirs = body_read(pool_body(pool, theirs));
		}
		s->their_more = body_next(&s->theirs, &s->their_rdata);
		return true;
	}
	s->body = NULL;
	return false;
}

/* Goes on to the next rdata of the set at hand that lack's set has not. */
static bool next_rdata(struct diff_state *s, struct bytes *out)
{
	uint16_t type = body_type(s->body);

	while (body_next(&s->ours, out)) {
		int order = -1;
		while (s->their_more && (order = stored_compare(type, s->their_rdata, *out)) < 0) {
			s->their_more = body_next(&s->theirs, &s->their_rdata);
		}
		if (!s->their_more || order != 0 || !bytes_equal(s->their_rdata, *out)) {
			return true;
		}
	}
	return false;
}

/* Leaves the owner at hand. */
static void owner_done(struct diff_state *s)
{
	if (!s->lack.done && s->lack.node.n == 0 && bytes_equal(s->have.key, s->lack.key)) {
		side_after_owner(&s->lack);
	}
	side_after_owner(&s->have);
	s->yielding = false;
}

void snapshot_diff_init(struct snapshot_diff *d, const struct snapshot *have,
                        const struct snapshot *lack)
{
	struct diff_state *s = state_of(d);

	assert(snapshot_pool(have) == snapshot_pool(lack));
	memset(d, 0, sizeof(*d));
	d->have = have;
	d->lack = lack;
	d->steps_left = UINT64_MAX;
	side_begin(&s->have, have, 0);
	side_begin(&s->lack, lack, 0);
}

static void yield(struct snapshot_diff *d, struct bytes stored, struct rr_scratch *scratch,
                  struct rr *out)
{
	struct diff_state *s = state_of(d);
	struct name apex = snapshot_apex(d->have);
	uint16_t type = body_type(s->body);
	bool fits = key_name(s->have.key, s->have.owner.cases, apex, &d->owner);

	assert(fits); /* snapshot_names_fit() */
	*out = (struct rr){ .owner = name_of(&d->owner),
		            .type = type,
		            .class = CLASS_IN,
		            .ttl = body_ttl(s->body),
		            .rdata = stored_wire(type, stored, apex, scratch->rdata) };
}

bool snapshot_diff_next(struct snapshot_diff *d, struct rr_scratch *scratch, struct rr *out)
{
	struct diff_state *s = state_of(d);
	struct bytes stored;

	d->paused = false;
	for (;;) {
		if (s->body != NULL && next_rdata(s, &stored)) {
			yield(d, stored, scratch, out);
			return true;
		}
		if (s->yielding && next_set(s)) {
			continue;
		}
		if (s->yielding) {
			owner_done(s);
		}
		s->yielding = next_owner(s, &d->steps_left);
		if (s->yielding) {
			continue;
		}
		if (!s->have.done) {
			d->paused = true;
			return false;
		}
		if (s->tree == 1) {
			return false;
		}
		s->tree = 1;
		side_begin(&s->have, d->have, 1);
		side_begin(&s->lack, d->lack, 1);
	}
}
