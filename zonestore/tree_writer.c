/* SPDX-License-Identifier: MIT
 *
 * zonestore/tree_writer.c — owners to leaves, leaves to branches, up to the root. */
#include "zonestore/tree_writer_p.h"

#include <stdlib.h>

#define LEAF_HEAD   2U  /* level and number of owners */
#define CHILD_HEAD  18U /* id and length of first key */
#define INTERN_MANY 64U

struct leaf_set {
	size_t at; /* its body in tree_writer.octets */
	uint32_t len;
	struct body_handle known;
};

struct tree_level {
	bool emitted; /* a branch of this level was made */
	unsigned count;
	unsigned name_max;
	size_t bytes; /* serialised */
	struct node_handle children[NODE_MAX];
	uint16_t ends[NODE_MAX]; /* of first keys, in `keys` */
	struct buffer keys;
};

void tree_writer_init(struct tree_writer *w, struct pool *pool)
{
	*w = (struct tree_writer){ .pool = pool };
}

void tree_writer_fini(struct tree_writer *w)
{
	for (unsigned k = 0; k <= NODE_LEVELS_MAX; k++) {
		struct tree_level *l = w->levels[k];
		if (l == NULL) {
			continue;
		}
		for (unsigned i = 0; i < l->count; i++) {
			node_unref(w->pool, l->children[i]);
		}
		buffer_fini(&l->keys);
		free(l);
	}
	buffer_fini(&w->octets);
	buffer_fini(&w->entries);
	buffer_fini(&w->mark_keys);
	free(w->sets);
	*w = (struct tree_writer){ 0 };
}

static unsigned max(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void entry_len_put(struct buffer *out, unsigned v)
{
	if (v >= 128) {
		buffer_u8(out, (uint8_t)(0x80 | v >> 8));
	}
	buffer_u8(out, (uint8_t)v);
}

static uint8_t *piece(struct tree_writer *w, size_t len, uint32_t *handle)
{
	*handle = heap_take(&w->pool->heap, len, *handle);
	return heap_at(&w->pool->heap, *handle);
}

/* ---- branches ---- */

static struct tree_level *level_at(struct tree_writer *w, unsigned k)
{
	assert(k > 0 && k <= NODE_LEVELS_MAX);
	if (w->levels[k] == NULL) {
		w->levels[k] = mem_zero(1, sizeof(struct tree_level));
		w->levels[k]->bytes = LEAF_HEAD;
	}
	return w->levels[k];
}

static struct bytes level_key(const struct tree_level *l, unsigned i)
{
	size_t from = i == 0 ? 0 : l->ends[i - 1];

	return bytes_of(l->keys.at + from, l->ends[i] - from);
}

/* Serialises a branch into w->octets, which is free while no leaf is in the making. */
static void level_encode(struct tree_writer *w, const struct tree_level *l, unsigned k)
{
	w->octets.len = 0;
	buffer_u8(&w->octets, (uint8_t)k);
	buffer_u8(&w->octets, (uint8_t)l->count);
	for (unsigned i = 0; i < l->count; i++) {
		__builtin_prefetch(node_at(w->pool, l->children[i]));
	}
	for (unsigned i = 0; i < l->count; i++) {
		buffer_put(&w->octets, bytes_of(node_id(w->pool, l->children[i])->octets, 16));
		buffer_u16(&w->octets, (uint16_t)level_key(l, i).len);
		buffer_put(&w->octets, level_key(l, i));
	}
}

/* Octets that all first keys of a level but the first begin with: what second and last share. */
static size_t level_common(const struct tree_level *l)
{
	return l->count == 1 ? 0 : key_common(level_key(l, 1), level_key(l, l->count - 1));
}

static size_t branch_bytes(const struct tree_level *l)
{
	return sizeof(struct node) + l->count * (2 * sizeof(uint32_t) + sizeof(uint16_t)) +
	       sizeof(uint16_t) + l->keys.len;
}

/* Makes the branch in memory; the children's references move into it. */
static struct node_handle level_make(struct tree_writer *w, struct tree_level *l, unsigned k,
                                     const struct id *id)
{
	uint32_t handle = l->children[0].n;
	struct node *n = (void *)piece(w, branch_bytes(l), &handle);
	uint32_t *heads = n->links + l->count;
	uint16_t *ends = (uint16_t *)(heads + l->count);
	size_t common = level_common(l);

	n->id = *id;
	atomic_init(&n->mark, (uint64_t)l->name_max << 56);
	atomic_init(&n->refs, 1);
	n->shape = k | l->count << 4;
	for (unsigned i = 0; i < l->count; i++) {
		n->links[i] = l->children[i].n;
		heads[i] = i == 0 ? 0 : key_head(level_key(l, i), common);
		ends[i] = l->ends[i];
	}
	ends[l->count] = (uint16_t)common;
	if (l->keys.len > 0) {
		memcpy(ends + l->count + 1, l->keys.at, l->keys.len);
	}
	return pool_node_add(w->pool, handle);
}

static void level_add(struct tree_writer *w, unsigned k, struct node_handle child,
                      struct bytes key);

/* Makes a branch of what level `k` has collected, and hands it up. */
static void level_close(struct tree_writer *w, unsigned k)
{
	struct tree_level *l = w->levels[k];
	struct node_handle node;
	struct id id;

	level_encode(w, l, k);
	id_of(buffer_bytes(&w->octets), &id);
	node = node_find(w->pool, &id);
	if (node.n == 0) {
		node = level_make(w, l, k, &id);
	} else {
		for (unsigned i = 0; i < l->count; i++) {
			node_unref(w->pool, l->children[i]);
		}
	}
	l->count = 0;
	l->name_max = 0;
	l->bytes = LEAF_HEAD;
	l->keys.len = 0;
	l->emitted = true;
	level_add(w, k + 1, node, node_first_key(w->pool, node));
}

/* Takes the reference to `child`, a node of level k - 1 that begins with `key`. */
static void level_add(struct tree_writer *w, unsigned k, struct node_handle child, struct bytes key)
{
	struct tree_level *l = level_at(w, k);

	assert(l->count < NODE_MAX && node_level(w->pool, child) == k - 1);
	buffer_put(&l->keys, key);
	l->children[l->count] = child;
	l->ends[l->count] = (uint16_t)l->keys.len;
	l->count++;
	l->bytes += CHILD_HEAD + key.len;
	l->name_max = max(l->name_max, node_name_max(node_at(w->pool, child)));
	if (node_ends(key, k, l->count, l->bytes)) {
		level_close(w, k);
	}
}

/* ---- leaves ---- */

/* Looks up or makes the bodies of the leaf; each handle is a reference then. */
static void leaf_bodies(struct tree_writer *w, uint32_t *links)
{
	struct bytes octets[INTERN_MANY];
	struct body_handle handles[INTERN_MANY];
	size_t places[INTERN_MANY];
	size_t count = 0;

	for (size_t i = 0; i < w->set_count; i++) {
		const struct leaf_set *set = &w->sets[i];
		if (set->known.n != 0) {
			pool_body_ref(w->pool, set->known);
			links[i] = set->known.n;
		} else {
			octets[count] = bytes_of(w->octets.at + set->at, set->len);
			places[count++] = i;
		}
		if (count == INTERN_MANY || i + 1 == w->set_count) {
			pool_intern_many(w->pool, octets, count, handles);
			while (count > 0) {
				count--;
				links[places[count]] = handles[count].n;
			}
		}
	}
}

/* Notes the owner just put, if it is one that has a mark. */
static void mark_note(struct tree_writer *w, struct bytes key)
{
	struct leaf_mark *m;

	if (w->owners == 0 || w->owners % LEAF_MARK_EVERY != 0) {
		return;
	}
	buffer_put(&w->mark_keys, key);
	m = &w->marks[w->owners / LEAF_MARK_EVERY - 1];
	m->head = (uint32_t)w->mark_keys.len;
	m->entry = (uint16_t)w->entries.len;
	m->sets = (uint16_t)w->set_count;
}

/* Writes the marks at `out`. */
static void marks_put(const struct tree_writer *w, uint8_t *out)
{
	unsigned count = leaf_mark_count(w->owners);
	uint16_t common;
	size_t from = 0;
	struct leaf_entry first;

	if (count == 0) {
		return;
	}
	(void)entry_read(w->entries.at, &first);
	common = (uint16_t)key_common(first.rest, bytes_of(w->last, w->last_len));
	for (unsigned i = 0; i < count; i++) {
		struct leaf_mark m = w->marks[i];
		struct bytes key = bytes_of(w->mark_keys.at + from, m.head - from);
		from = m.head;
		m.head = key_head(key, common);
		memcpy(out + i * sizeof(m), &m, sizeof(m));
	}
	memcpy(out + count * sizeof(struct leaf_mark), &common, sizeof(common));
}

static struct node_handle leaf_make(struct tree_writer *w, const struct id *id)
{
	size_t links = w->set_count * sizeof(uint32_t);
	size_t before = sizeof(struct node) + links + leaf_marks_bytes(w->owners);
	uint32_t handle = load_u32(id->octets);
	struct node *n = (void *)piece(w, before + w->entries.len, &handle);

	n->id = *id;
	atomic_init(&n->mark, (uint64_t)w->name_max << 56);
	atomic_init(&n->refs, 1);
	n->shape = w->owners << 4 | (uint32_t)w->set_count << 11;
	leaf_bodies(w, n->links);
	marks_put(w, (uint8_t *)n + sizeof(*n) + links);
	memcpy((uint8_t *)n + before, w->entries.at, w->entries.len);
	return pool_node_add(w->pool, handle);
}

static void leaf_close(struct tree_writer *w)
{
	struct node_handle node;
	struct id id;

	assert(w->set_count < LEAF_SETS_MAX);
	w->octets.at[1] = (uint8_t)w->owners;
	id_of(buffer_bytes(&w->octets), &id);
	node = node_find(w->pool, &id);
	if (node.n == 0) {
		node = leaf_make(w, &id);
	}
	w->owners = 0;
	w->set_count = 0;
	w->name_max = 0;
	w->octets.len = 0;
	w->entries.len = 0;
	w->mark_keys.len = 0;
	level_add(w, 1, node, node_first_key(w->pool, node));
}

static void entry_put(struct tree_writer *w, struct bytes key, const uint8_t *cases, uint8_t cut,
                      size_t count)
{
	struct buffer *out = &w->entries;
	size_t shared = w->owners == 0 ? 0 : key_common(bytes_of(w->last, w->last_len), key);
	size_t start = out->len;
	uint8_t sets = (uint8_t)(count < ENTRY_SETS_MORE ? count : ENTRY_SETS_MORE);

	entry_len_put(out, (unsigned)shared);
	entry_len_put(out, (unsigned)(key.len - shared));
	buffer_put(out, bytes_of(key.at + shared, key.len - shared));
	buffer_u8(out, sets | cut | (cases != NULL ? ENTRY_CASED : 0));
	if (sets == ENTRY_SETS_MORE) {
		buffer_u16(out, (uint16_t)count);
	}
	if (cases != NULL) {
		buffer_put(out, bytes_of(cases, key_cases_len(key.len)));
	}
	buffer_put(&w->octets, bytes_of(out->at + start, out->len - start));
	memcpy(w->last + shared, key.at + shared, key.len - shared);
	w->last_len = (unsigned)key.len;
}

static void sets_room(struct tree_writer *w, size_t count)
{
	if (w->set_count + count > w->set_cap) {
		w->set_cap = 2 * (w->set_count + count);
		w->sets = mem_grow(w->sets, w->set_cap * sizeof(*w->sets));
	}
}

void tree_writer_owner(struct tree_writer *w, struct bytes key, const uint8_t *cases,
                       const struct set_item *sets, size_t count)
{
	uint8_t cut = 0;

	assert(count > 0 && count <= OWNER_SETS_MAX && key.len <= KEY_MAX);
	assert(w->owners == 0 || bytes_compare(bytes_of(w->last, w->last_len), key) < 0);
	for (size_t i = 0; i < count; i++) {
		uint16_t type = body_type(sets[i].octets.at);
		cut |= type == TYPE_NS ? ENTRY_NS : type == TYPE_DNAME ? ENTRY_DNAME : 0;
	}
	if (w->owners == 0) {
		w->octets.len = 0;
		buffer_u16(&w->octets, 0); /* level 0; the number comes when it is known */
	}
	entry_put(w, key, cases, cut, count);
	w->name_max = max(w->name_max, key_wire_len(key));
	sets_room(w, count);
	for (size_t i = 0; i < count; i++) {
		struct bytes octets = sets[i].octets;
		w->sets[w->set_count++] =
			(struct leaf_set){ w->octets.len, (uint32_t)octets.len, sets[i].known };
		w->name_max = max(w->name_max, body_name_max(octets.at));
		buffer_put(&w->octets, octets);
	}
	mark_note(w, key);
	w->owners++;
	if (node_ends(key, 0, w->owners, w->octets.len)) {
		leaf_close(w);
	}
}

/* ---- whole nodes, and the end ---- */

bool tree_writer_at_boundary(const struct tree_writer *w, unsigned level)
{
	if (w->owners > 0) {
		return false;
	}
	for (unsigned k = 1; k <= level; k++) {
		if (w->levels[k] != NULL && w->levels[k]->count > 0) {
			return false;
		}
	}
	return true;
}

void tree_writer_node(struct tree_writer *w, struct node_handle node, struct bytes first_key)
{
	unsigned level = node_level(w->pool, node);

	assert(tree_writer_at_boundary(w, level));
	level_add(w, level + 1, node_ref(w->pool, node), first_key);
}

struct node_handle tree_writer_branch(struct tree_writer *w, unsigned level)
{
	struct tree_level *up;

	assert(w->owners == 0 && level > 0 && level < NODE_LEVELS_MAX);
	if (w->levels[level]->count > 0) {
		level_close(w, level);
	}
	up = w->levels[level + 1];
	assert(up != NULL && up->count == 1);
	up->count = 0;
	return up->children[0];
}

static bool levels_idle(const struct tree_writer *w, unsigned from)
{
	for (unsigned k = from; k <= NODE_LEVELS_MAX; k++) {
		if (w->levels[k] != NULL && (w->levels[k]->count > 0 || w->levels[k]->emitted)) {
			return false;
		}
	}
	return true;
}

/* A branch with one child is no root: it is what remained of a larger tree. */
static struct node_handle root_trim(struct pool *pool, struct node_handle root)
{
	while (root.n != 0 && node_level(pool, root) > 0 && shape_count(node_at(pool, root)) == 1) {
		struct node_handle child = { node_at(pool, root)->links[0] };
		node_ref(pool, child);
		node_unref(pool, root);
		root = child;
	}
	return root;
}

struct node_handle tree_writer_finish(struct tree_writer *w)
{
	struct node_handle root = { 0 };

	if (w->owners > 0) {
		leaf_close(w);
	}
	for (unsigned k = 1; !levels_idle(w, k); k++) {
		struct tree_level *l = level_at(w, k);
		if (l->count == 1 && !l->emitted && levels_idle(w, k + 1)) {
			root = l->children[0];
			l->count = 0;
			break;
		}
		if (l->count > 0) {
			level_close(w, k);
		}
	}
	return root_trim(w->pool, root);
}
