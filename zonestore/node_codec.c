/* SPDX-License-Identifier: MIT
 *
 * zonestore/node_codec.c — nodes as octets, and back with every octet checked.
 *
 * A leaf is read owner by owner into a tree writer of its own, which makes the very same octets
 * again if, and only if, they were well formed: what is not checked here is caught by the
 * comparison of ids at the end. */
#include <stdlib.h>

#include "zonestore/tree_writer_p.h"

#define NODE_HEAD 2U

static void leaf_encode(const struct pool *pool, const struct node *n, struct buffer *out)
{
	struct leaf_walk walk = leaf_walk(n);
	const uint8_t *from = walk.at;
	const uint32_t *links;
	struct leaf_entry e;

	while (leaf_next(&walk, &e, &links)) {
		buffer_put(out, bytes_of(from, (size_t)(walk.at - from)));
		from = walk.at;
		for (unsigned i = 0; i < e.sets; i++) {
			const uint8_t *body = pool_body(pool, (struct body_handle){ links[i] });
			buffer_put(out, bytes_of(body, body_len(body)));
		}
	}
}

void node_encode(const struct pool *pool, struct node_handle node, struct buffer *out)
{
	const struct node *n = node_at(pool, node);

	buffer_u8(out, (uint8_t)shape_level(n));
	buffer_u8(out, (uint8_t)shape_count(n));
	if (shape_level(n) == 0) {
		leaf_encode(pool, n, out);
		return;
	}
	for (unsigned i = 0; i < shape_count(n); i++) {
		struct bytes key = branch_key(n, i);
		struct node_handle child = { n->links[i] };
		buffer_put(out, bytes_of(node_id(pool, child)->octets, sizeof(struct id)));
		buffer_u16(out, (uint16_t)key.len);
		buffer_put(out, key);
	}
}

static enum err head_read(struct reader *r, uint8_t *level, uint8_t *count)
{
	if (!reader_u8(r, level) || !reader_u8(r, count) || *level >= NODE_LEVELS_MAX ||
	    *count == 0 || *count > NODE_MAX) {
		return ERR_STORE_CORRUPT;
	}
	return ERR_OK;
}

enum err node_child_ids(struct bytes octets, struct id out[static NODE_CHILDREN_MAX],
                        unsigned *count)
{
	struct reader r = reader_of(octets);
	uint8_t level;
	uint8_t children;

	TRY(head_read(&r, &level, &children));
	*count = level == 0 ? 0 : children;
	for (unsigned i = 0; i < *count; i++) {
		struct bytes id;
		struct bytes key;
		uint16_t len;
		if (!reader_take(&r, sizeof(struct id), &id) || !reader_u16(&r, &len) ||
		    !reader_take(&r, len, &key)) {
			return ERR_STORE_CORRUPT;
		}
		memcpy(out[i].octets, id.at, sizeof(out[i].octets));
	}
	return ERR_OK;
}

/* ---- leaves ---- */

static bool entry_len_check(struct reader *r, unsigned *out)
{
	uint8_t high;
	uint8_t low;

	if (!reader_u8(r, &high)) {
		return false;
	}
	*out = high;
	if (high >= 128) {
		if (!reader_u8(r, &low)) {
			return false;
		}
		*out = (high & 127U) << 8 | low;
	}
	return true;
}

/* A leaf being read. */
struct leaf_input {
	struct reader r;
	unsigned key_len;
	uint8_t key[KEY_MAX];
	struct set_item *items;
	size_t item_cap;
};

struct owner_input {
	unsigned sets;
	const uint8_t *cases;
};

/* Reads an entry's head; the key is put together in `in`. */
static bool entry_check(struct leaf_input *in, struct owner_input *owner)
{
	struct bytes rest = { 0 };
	struct bytes cases;
	unsigned shared;
	unsigned len;
	uint16_t more;
	uint8_t flags;

	if (!entry_len_check(&in->r, &shared) || !entry_len_check(&in->r, &len) ||
	    shared > in->key_len || shared + len > KEY_MAX || !reader_take(&in->r, len, &rest) ||
	    !reader_u8(&in->r, &flags)) {
		return false;
	}
	memcpy(in->key + shared, rest.at, len);
	in->key_len = shared + len;
	owner->sets = flags & ENTRY_SETS_MORE;
	if (owner->sets == ENTRY_SETS_MORE) {
		if (!reader_u16(&in->r, &more)) {
			return false;
		}
		owner->sets = more;
	}
	owner->cases = NULL;
	if ((flags & ENTRY_CASED) != 0) {
		if (!reader_take(&in->r, key_cases_len(in->key_len), &cases)) {
			return false;
		}
		owner->cases = cases.at;
	}
	return true;
}

/* Reads the sets of an owner; their kinds must ascend. */
static enum err sets_check(struct leaf_input *in, unsigned count)
{
	uint32_t last = 0;

	if (count > in->item_cap) {
		in->item_cap = count;
		in->items = mem_grow(in->items, count * sizeof(*in->items));
	}
	for (unsigned i = 0; i < count; i++) {
		struct bytes left = bytes_of(in->r.whole.at + in->r.pos, reader_left(&in->r));
		struct bytes body;
		uint32_t kind;
		TRY(body_check(left, &body));
		kind = body_kind(body.at).n;
		if (i > 0 && kind <= last) {
			return ERR_STORE_CORRUPT;
		}
		last = kind;
		in->items[i] = (struct set_item){ .octets = body };
		in->r.pos += body.len;
	}
	return ERR_OK;
}

static enum err owner_input(struct leaf_input *in, struct tree_writer *w, bool last)
{
	struct owner_input owner;
	struct bytes before = bytes_of(w->last, w->last_len);
	struct bytes key;

	if (!entry_check(in, &owner) || owner.sets == 0) {
		return ERR_STORE_CORRUPT;
	}
	key = bytes_of(in->key, in->key_len);
	if (!key_check(key) || (owner.cases != NULL && !key_cases_check(key, owner.cases)) ||
	    (w->owners > 0 && bytes_compare(before, key) >= 0)) {
		return ERR_STORE_CORRUPT;
	}
	TRY(sets_check(in, owner.sets));
	if (last && reader_left(&in->r) > 0) {
		return ERR_STORE_CORRUPT;
	}
	tree_writer_owner(w, key, owner.cases, in->items, owner.sets);
	if (!last && w->owners == 0) {
		return ERR_STORE_CORRUPT; /* the leaf should have ended here */
	}
	return ERR_OK;
}

static enum err leaf_read(struct leaf_input *in, struct tree_writer *w, const struct id *id,
                          struct node_handle *out)
{
	struct node_handle made;
	uint8_t level;
	uint8_t owners;
	enum err e = head_read(&in->r, &level, &owners);

	for (unsigned i = 0; e == ERR_OK && i < owners; i++) {
		e = owner_input(in, w, i + 1 == owners);
	}
	if (e != ERR_OK) {
		return e;
	}
	made = tree_writer_finish(w);
	if (!id_equal(node_id(w->pool, made), id)) {
		node_unref(w->pool, made);
		return ERR_STORE_CORRUPT; /* another way of writing the same owners */
	}
	*out = made;
	return ERR_OK;
}

static enum err leaf_decode(struct pool *pool, struct bytes octets, const struct id *id,
                            struct node_handle *out)
{
	struct leaf_input in = { .r = reader_of(octets) };
	struct tree_writer w;
	enum err e;

	tree_writer_init(&w, pool);
	e = leaf_read(&in, &w, id, out);
	tree_writer_fini(&w);
	free(in.items);
	return e;
}

/* ---- branches ---- */

/* The largest key in a node. O(levels). */
static size_t last_key(const struct pool *pool, struct node_handle h, uint8_t key[static KEY_MAX])
{
	const struct node *n = node_at(pool, h);
	struct leaf_walk walk;
	struct leaf_entry e;
	const uint32_t *links;
	size_t len = 0;

	while (shape_level(n) > 0) {
		n = node_at(pool, (struct node_handle){ n->links[shape_count(n) - 1] });
	}
	walk = leaf_walk(n);
	while (leaf_next(&walk, &e, &links)) {
		memcpy(key + e.shared, e.rest.at, e.rest.len);
		len = e.shared + e.rest.len;
	}
	return len;
}

/* Checks one child against what the branch says of it. */
static bool child_check(const struct pool *pool, struct reader *r, unsigned level,
                        struct node_handle child)
{
	struct bytes id;
	struct bytes key;
	uint16_t len;

	return child.n != 0 && reader_take(r, sizeof(struct id), &id) && reader_u16(r, &len) &&
	       reader_take(r, len, &key) && node_level(pool, child) + 1 == level &&
	       memcmp(node_id(pool, child), id.at, id.len) == 0 &&
	       bytes_equal(node_first_key(pool, child), key);
}

static enum err children_check(const struct pool *pool, struct bytes octets,
                               const struct node_handle *children, unsigned count)
{
	struct reader r = reader_of(octets);
	uint8_t last[KEY_MAX];
	size_t last_len = 0;
	uint8_t level;
	uint8_t said;

	TRY(head_read(&r, &level, &said));
	if (said != count) {
		return ERR_STORE_CORRUPT;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!child_check(pool, &r, level, children[i]) ||
		    (i > 0 && bytes_compare(bytes_of(last, last_len),
		                            node_first_key(pool, children[i])) >= 0)) {
			return ERR_STORE_CORRUPT;
		}
		last_len = last_key(pool, children[i], last);
	}
	return reader_left(&r) == 0 ? ERR_OK : ERR_STORE_CORRUPT;
}

enum err node_decode(struct pool *pool, struct bytes octets, const struct node_handle *children,
                     unsigned count, struct node_handle *out)
{
	struct tree_writer w;
	struct id id;
	enum err e = ERR_OK;

	if (octets.len < NODE_HEAD) {
		return ERR_STORE_CORRUPT;
	}
	id_of(octets, &id);
	*out = node_find(pool, &id);
	if (out->n != 0) {
		return ERR_OK;
	}
	if (octets.at[0] == 0) {
		return leaf_decode(pool, octets, &id, out);
	}
	TRY(children_check(pool, octets, children, count));
	tree_writer_init(&w, pool);
	for (unsigned i = 0; i < count; i++) {
		tree_writer_node(&w, children[i], node_first_key(pool, children[i]));
		if (i + 1 < count && tree_writer_at_boundary(&w, octets.at[0])) {
			e = ERR_STORE_CORRUPT; /* the branch should have ended here */
			break;
		}
	}
	if (e == ERR_OK) {
		*out = tree_writer_branch(&w, octets.at[0]);
		assert(id_equal(node_id(pool, *out), &id)); /* every octet was compared */
	}
	tree_writer_fini(&w);
	return e;
}
