/* SPDX-License-Identifier: MIT
 *
 * zonestore/find.c — looking names up in a version.
 *
 * A key begins with the keys of all names above it, so that one search for the place of a key
 * passes the owners above it that stand in the same leaf, and its two neighbours tell which of the
 * names above exist. Entries are read without being put together: what the last one had in common
 * with the key says where the next one stands, unless both share exactly that much. */
#include "zonestore/snapshot_p.h"

#define NODE_FETCH 512 /* octets of a node that are fetched as soon as it is known */
#define SETS_FETCH 4   /* bodies of an owner that are */

/* Has a node brought near, as much of it as most have. */
static void node_fetch(const struct node *n)
{
	for (size_t line = 0; line < NODE_FETCH; line += 64) {
		__builtin_prefetch((const uint8_t *)n + line);
	}
}

/* The end of a search. */
struct seek {
	bool exact;
	const uint32_t *links; /* of the owner found, if exact */
	unsigned sets;
	uint8_t flags;
	size_t common;       /* octets that the owner before shares with the key */
	size_t common_next;  /* the same of the owner after, which is greater */
	size_t first_common; /* the same of the leaf's first owner */
	size_t first_len;
	/* the topmost owner above the key, in this leaf and not the apex, that has NS or DNAME */
	const uint32_t *cut_links; /* NULL: none */
	unsigned cut_sets;
	size_t cut_len;
	uint8_t cut_flags;
};

/* Where the leaf after the one found begins; branch NULL: that was the last. */
struct next_leaf {
	const struct node *branch;
	unsigned child;
};

static struct bytes next_key(struct next_leaf next)
{
	return next.branch == NULL ? (struct bytes){ 0 } : branch_key(next.branch, next.child);
}

/* The last child of `n`, the first left out, whose head is not above `head`; 0 if there is none. */
static unsigned heads_upto(const struct node *n, uint32_t head)
{
	const uint32_t *heads = branch_heads(n);
	unsigned count = shape_count(n);
	unsigned upto = 0;

	for (unsigned i = 1; i < count; i++) { /* no early end: this becomes a few instructions */
		upto += heads[i] <= head;
	}
	return upto;
}

/* The child of a branch in which `key` stands or would stand: the last whose first key is not
 * greater; the first if all are. */
static unsigned branch_child(const struct node *n, struct bytes key)
{
	unsigned count = shape_count(n);
	unsigned common = branch_common(n);
	const uint8_t *second = branch_keys(n) + branch_ends(n)[0];
	unsigned low = 1;
	unsigned high;
	uint32_t head;

	if (key.len < common || !octets_same(key.at, second, common)) {
		size_t len = key.len < common ? key.len : common;
		return memcmp(key.at, second, len) > 0 ? count - 1 : 0;
	}
	head = key_head(key, common);
	high = heads_upto(n, head);
	if (high == 0 || branch_heads(n)[high] != head) {
		return high;
	}
	for (high++; low < high;) { /* where heads are the same, all of the key decides */
		unsigned middle = (low + high) / 2;
		if (branch_heads(n)[middle] < head ||
		    bytes_compare(branch_key(n, middle), key) <= 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low - 1;
}

/* Walks down to the leaf. */
static const struct node *descend(const struct pool *pool, struct node_handle root,
                                  struct bytes key, struct next_leaf *next)
{
	const struct node *n = node_at(pool, root);

	while (shape_level(n) > 0) {
		unsigned i = branch_child(n, key);
		if (i + 1 < shape_count(n)) {
			*next = (struct next_leaf){ n, i + 1 };
		}
		n = node_at(pool, (struct node_handle){ n->links[i] });
		node_fetch(n);
	}
	return n;
}

/* How an entry stands to the key: its order, and what they share. */
static int entry_order(const struct leaf_entry *e, struct bytes key, size_t *common)
{
	size_t at = *common;
	size_t i = 0;

	if (e->shared > at) {
		return -1; /* differs from the key where the one before did */
	}
	if (e->shared < at) {
		*common = e->shared;
		return 1; /* greater than the one before where that had the key's octet */
	}
	while (i < e->rest.len && at < key.len && e->rest.at[i] == key.at[at]) {
		i++;
		at++;
	}
	*common = at;
	if (i == e->rest.len) {
		return at == key.len ? 0 : -1;
	}
	return at < key.len && e->rest.at[i] < key.at[at] ? -1 : 1;
}

/* Notes an owner above the key that may be a cut. */
static void seek_note(struct seek *s, const struct leaf_entry *e, const uint32_t *links)
{
	size_t len = e->shared + e->rest.len;

	if ((e->flags & (ENTRY_NS | ENTRY_DNAME)) != 0 && len > 0 && s->cut_links == NULL) {
		s->cut_links = links;
		s->cut_sets = e->sets;
		s->cut_len = len;
		s->cut_flags = e->flags;
	}
}

/* Notes the owner that was looked for, and has its sets fetched: they are read next. */
static void seek_found(const struct pool *pool, struct seek *s, const struct leaf_entry *e,
                       const uint32_t *links)
{
	s->exact = true;
	s->links = links;
	s->sets = e->sets;
	s->flags = e->flags;
	for (unsigned i = 0; i < e->sets && i < SETS_FETCH; i++) {
		__builtin_prefetch(pool_body(pool, (struct body_handle){ links[i] }));
	}
}

/* True if a label ends within the first `len` < 4 octets of a head. */
static bool head_has_end(uint32_t head, size_t len)
{
	uint32_t octets = head | UINT32_MAX >> 8 * len;

	return ((octets - 0x01010101U) & ~octets & 0x80808080U) != 0;
}

/* Moves the walk on past the last marked owner whose head says that it is before the key, if
 * there is none above the key among those passed; *common is what the last one shares with it.
 * Heads end with zeros where keys do, and no label begins with a zero: heads that differ first
 * differ where the keys do. */
static void seek_skip(const struct node *leaf, struct bytes key, struct leaf_walk *walk,
                      size_t *common)
{
	unsigned count = leaf_mark_count(shape_count(leaf));
	const struct leaf_mark *marks = leaf_marks(leaf);
	struct leaf_walk start;
	uint32_t head;
	unsigned before = 0;
	size_t from;
	size_t shared;

	if (count == 0 || *common < (from = leaf_common(leaf))) {
		return;
	}
	head = key_head(key, from);
	for (unsigned i = 0; i < count; i++) { /* no early end: this has no branches */
		before += marks[i].head < head;
	}
	if (before == 0) {
		return;
	}
	marks += before - 1;
	shared = from + (unsigned)__builtin_clz(marks->head ^ head) / 8;
	if (head_has_end(head, shared - from)) {
		return;
	}
	start = leaf_walk(leaf);
	*walk = (struct leaf_walk){ start.at + marks->entry, start.links + marks->sets,
		                    start.left - before * LEAF_MARK_EVERY - 1 };
	*common = shared;
}

static void seek_leaf(const struct pool *pool, const struct node *leaf, struct bytes key,
                      struct seek *s)
{
	struct leaf_walk walk = leaf_walk(leaf);
	struct leaf_entry e;
	const uint32_t *links;
	size_t common = 0;
	bool first = true;

	while (leaf_next(&walk, &e, &links)) {
		int order = entry_order(&e, key, &common);
		if (first) {
			s->first_common = common;
			s->first_len = e.rest.len;
		}
		if (order > 0) {
			s->common_next = common;
			return;
		}
		s->common = common;
		if (order == 0) {
			seek_found(pool, s, &e, links);
			return;
		}
		if (common == e.shared + e.rest.len) {
			seek_note(s, &e, links);
		}
		if (first) {
			seek_skip(leaf, key, &walk, &common);
			s->common = common;
			first = false;
		}
	}
	s->common_next = SIZE_MAX; /* in another leaf */
}

static void seek(const struct snapshot *snap, unsigned tree, struct bytes key, struct seek *s)
{
	const struct node *leaf;
	struct next_leaf next = { 0 };

	s->exact = false;
	s->common = 0;
	s->common_next = 0;
	s->first_common = 0;
	s->first_len = 0;
	s->cut_links = NULL;
	if (snap->roots[tree].n == 0) {
		return;
	}
	leaf = descend(snapshot_pool(snap), snap->roots[tree], key, &next);
	seek_leaf(snapshot_pool(snap), leaf, key, s);
	if (s->common_next == SIZE_MAX) {
		s->common_next = key_common(next_key(next), key);
	}
}

static struct owner_view view_of(const struct snapshot *snap, const uint32_t *links, unsigned sets,
                                 unsigned tree)
{
	return (struct owner_view){ .snap = snap,
		                    .sets = (const uint8_t *)links,
		                    .set_count = (uint16_t)sets,
		                    .tree = (uint8_t)tree };
}

bool snapshot_owner(const struct snapshot *snap, struct name owner, struct owner_view *out)
{
	struct key key;
	struct seek s;

	assert(name_within(owner, snapshot_apex(snap)));
	key_of_name(owner, snap->apex_labels, &key);
	for (unsigned tree = 0; tree < 2; tree++) {
		seek(snap, tree, key_bytes(&key), &s);
		if (s.exact) {
			*out = view_of(snap, s.links, s.sets, tree);
			return true;
		}
	}
	return false;
}

/* A question to the tree. */
struct quest {
	const struct snapshot *snap;
	struct bytes key;
	unsigned labels; /* of the name */
	bool below_cuts;
	struct snapshot_place *place;
};

static void quest_found(const struct quest *q, enum snapshot_match match, const uint32_t *links,
                        unsigned sets, size_t key_len)
{
	unsigned labels = q->labels;

	if (key_len < q->key.len) {
		labels = key_labels(bytes_of(q->key.at, key_len)) + q->snap->apex_labels;
	}
	*q->place = (struct snapshot_place){
		.match = match,
		.owner = view_of(q->snap, links, sets, 0),
		.owner_labels = labels,
		.encloser_labels = labels,
	};
}

/* An owner above the key. */
struct above {
	const uint32_t *links;
	unsigned sets;
	uint8_t flags;
	size_t len; /* of its key */
};

/* Judges an owner above the key: true if the walk from the apex ends there. */
static bool quest_stops(const struct quest *q, struct above a)
{
	if (a.len > 0 && !q->below_cuts && (a.flags & ENTRY_NS) != 0) {
		quest_found(q, SNAPSHOT_REFERRAL, a.links, a.sets, a.len);
		return true;
	}
	if ((a.flags & ENTRY_DNAME) != 0) {
		quest_found(q, SNAPSHOT_DNAME, a.links, a.sets, a.len);
		return true;
	}
	return false;
}

/* Looks up and judges the name above the key that has the first `len` octets of it. */
static bool quest_stops_at(const struct quest *q, size_t len)
{
	struct seek s;

	seek(q->snap, 0, bytes_of(q->key.at, len), &s);
	return s.exact && quest_stops(q, (struct above){ s.links, s.sets, s.flags, len });
}

/* Octets of the key up to the end of the label that begins at `from`, which is not its end. */
static size_t label_after(struct bytes key, size_t from)
{
	const uint8_t *end = memchr(key.at + from, 0, key.len - from);

	return end == NULL ? key.len : (size_t)(end - key.at) + 1;
}

/* Looks at the owners above the key that stand before its leaf, the apex first. Only where the
 * leaf's first owner is itself below such a name can there be one. */
static bool quest_above(const struct quest *q, const struct seek *s)
{
	if (q->key.len == 0) {
		return false;
	}
	if (q->snap->apex_dname && quest_stops_at(q, 0)) {
		return true;
	}
	for (size_t len = label_after(q->key, 0); len <= s->first_common && len < q->key.len;
	     len = label_after(q->key, len)) {
		if (len != s->first_len && quest_stops_at(q, len)) {
			return true;
		}
	}
	return false;
}

/* Looks at the owners above the key within its leaf. Mostly there is one cut at most; if the first
 * does not stop the walk, those below it are looked up one by one. */
static bool quest_within(const struct quest *q, const struct seek *s)
{
	struct above first = { s->cut_links, s->cut_sets, s->cut_flags, s->cut_len };

	if (s->cut_links == NULL) {
		return false;
	}
	if (quest_stops(q, first)) {
		return true;
	}
	for (size_t len = label_after(q->key, s->cut_len); len < q->key.len;
	     len = label_after(q->key, len)) {
		if (quest_stops_at(q, len)) {
			return true;
		}
	}
	return false;
}

/* The name does not exist: the wildcard below its closest encloser, or nothing (RFC 4592 §3.3.1).
 * A wildcard that is an empty non-terminal answers as one. */
static void quest_wildcard(const struct quest *q, size_t encloser_len)
{
	uint8_t key[KEY_MAX + 2];
	struct seek s;
	unsigned labels;

	memcpy(key, q->key.at, encloser_len);
	key[encloser_len] = '*';
	key[encloser_len + 1] = 0;
	seek(q->snap, 0, bytes_of(key, encloser_len + 2), &s);
	labels = key_labels(bytes_of(key, encloser_len)) + q->snap->apex_labels;
	*q->place = (struct snapshot_place){ .match = SNAPSHOT_NO_NAME,
		                             .owner_labels = labels,
		                             .encloser_labels = labels };
	if (s.exact) {
		q->place->match = SNAPSHOT_WILDCARD;
		q->place->owner = view_of(q->snap, s.links, s.sets, 0);
	} else if (s.common_next == encloser_len + 2) {
		q->place->match = SNAPSHOT_EMPTY;
	}
}

/* Octets of the key up to the end of the last label within `len`. */
static size_t label_end(struct bytes key, size_t len)
{
	while (len > 0 && key.at[len - 1] != 0) {
		len--;
	}
	return len;
}

static void quest_missing(const struct quest *q, const struct seek *s)
{
	size_t common = s->common > s->common_next ? s->common : s->common_next;

	if (s->common_next < q->key.len) {
		quest_wildcard(q, label_end(q->key, common));
		return;
	}
	*q->place = (struct snapshot_place){ .match = SNAPSHOT_EMPTY,
		                             .owner_labels = q->labels,
		                             .encloser_labels = q->labels };
}

struct snapshot_place snapshot_find(const struct snapshot *snap, struct name name, bool at_cut,
                                    bool below_cuts)
{
	struct snapshot_place place;
	struct quest q = {
		.snap = snap, .labels = name.labels, .below_cuts = below_cuts, .place = &place
	};
	struct key key;
	struct seek s;

	if (snap->roots[0].n != 0) { /* before the key is made: a small zone is one node */
		node_fetch(node_at(snapshot_pool(snap), snap->roots[0]));
	}
	assert(name.labels >= snap->apex_labels && name.len >= snap->apex_len);
	key_of_name(name, snap->apex_labels, &key);
	q.key = key_bytes(&key);
	seek(snap, 0, q.key, &s);
	if (quest_above(&q, &s) || quest_within(&q, &s)) {
		return place;
	}
	if (!s.exact) {
		quest_missing(&q, &s);
		return place;
	}
	quest_found(&q, SNAPSHOT_FOUND, s.links, s.sets, q.key.len);
	if (q.key.len > 0 && !at_cut && !below_cuts && (s.flags & ENTRY_NS) != 0) {
		place.match = SNAPSHOT_REFERRAL;
	}
	return place;
}
