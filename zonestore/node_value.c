/* SPDX-License-Identifier: MIT
 *
 * zonestore/node_value.c — writing and reading the journal's values of nodes. */
#include "zonestore/record_p.h"
#include "zonestore/tree_p.h"
#include "zonestore/varint_p.h"

/* 1 was both, with a branch's content and eight octets for each child. */
#define FORMAT_LEAF   2
#define FORMAT_BRANCH 3

static uint64_t zigzag(uint64_t from, uint64_t to)
{
	return to >= from ? (to - from) << 1 : (from - to) << 1 | 1;
}

static uint64_t zagzig(uint64_t from, uint64_t v)
{
	return (v & 1) == 0 ? from + (v >> 1) : from - (v >> 1);
}

void node_value_write(const struct pool *pool, struct node_handle node, struct buffer *out)
{
	struct node_handle children[NODE_CHILDREN_MAX];
	unsigned count = node_children(pool, node, children);
	const struct id *id = node_id(pool, node);
	uint64_t before = 0;

	if (count == 0) {
		buffer_u8(out, FORMAT_LEAF);
		node_encode(pool, node, out);
		return;
	}
	buffer_u8(out, FORMAT_BRANCH);
	buffer_u8(out, (uint8_t)node_level(pool, node));
	buffer_put(out, bytes_of(id->octets, sizeof(id->octets)));
	for (unsigned i = 0; i < count; i++) {
		uint64_t seq = node_seq(pool, children[i]);
		assert(seq != 0);
		buffer_varint(out, i == 0 ? seq : zigzag(before, seq));
		before = seq;
	}
}

static enum err children_read(struct reader *r, struct node_value *out)
{
	uint64_t before = 0;
	uint64_t v;

	while (reader_left(r) > 0) {
		if (out->child_count == NODE_CHILDREN_MAX || !reader_varint(r, &v)) {
			return ERR_STORE_CORRUPT;
		}
		before = out->child_count == 0 ? v : zagzig(before, v);
		out->children[out->child_count++] = before;
	}
	return out->child_count > 0 ? ERR_OK : ERR_STORE_CORRUPT;
}

enum err node_value_read(struct bytes value, struct node_value *out)
{
	struct reader r = reader_of(value);
	struct bytes id;
	uint8_t format;
	uint8_t level;

	out->level = 0;
	out->child_count = 0;
	out->content = bytes_of(NULL, 0);
	if (!reader_u8(&r, &format) || reader_left(&r) == 0) {
		return ERR_STORE_CORRUPT;
	}
	if (format == FORMAT_LEAF) {
		return reader_take(&r, reader_left(&r), &out->content) ? ERR_OK : ERR_STORE_CORRUPT;
	}
	if (format != FORMAT_BRANCH || !reader_u8(&r, &level) || level == 0 ||
	    !reader_take(&r, sizeof(out->id.octets), &id)) {
		return ERR_STORE_CORRUPT;
	}
	out->level = level;
	memcpy(out->id.octets, id.at, id.len);
	return children_read(&r, out);
}

/* The serialised form of the branch that has these children (node_p.h). */
static void branch_content(const struct pool *pool, const struct node_handle *children,
                           unsigned count, struct buffer *out)
{
	buffer_u8(out, (uint8_t)(node_level(pool, children[0]) + 1));
	buffer_u8(out, (uint8_t)count);
	for (unsigned i = 0; i < count; i++) {
		const struct id *id = node_id(pool, children[i]);
		struct bytes key = node_first_key(pool, children[i]);
		buffer_put(out, bytes_of(id->octets, sizeof(id->octets)));
		buffer_u16(out, (uint16_t)key.len);
		buffer_put(out, key);
	}
}

static enum err branch_make(struct pool *pool, const struct node_value *v,
                            const struct node_handle *children, struct node_handle *out)
{
	struct buffer content = { 0 };
	struct node_handle made;
	enum err e;

	branch_content(pool, children, v->child_count, &content);
	e = node_decode(pool, buffer_bytes(&content), children, v->child_count, &made);
	buffer_fini(&content);
	if (e == ERR_OK &&
	    (!id_equal(node_id(pool, made), &v->id) || node_level(pool, made) != v->level)) {
		node_unref(pool, made);
		e = ERR_STORE_CORRUPT; /* a branch, but not the one that was written */
	}
	if (e == ERR_OK) {
		*out = made;
	}
	return e;
}

enum err node_value_make(struct pool *pool, const struct node_value *v,
                         const struct node_handle *children, struct node_handle *out)
{
	if (v->child_count > 0) {
		return branch_make(pool, v, children, out);
	}
	if (v->content.at[0] != 0) {
		return ERR_STORE_CORRUPT; /* a branch's form */
	}
	return node_decode(pool, v->content, NULL, 0, out);
}
