/* SPDX-License-Identifier: MIT */
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "zonestore/record_p.h"

struct tree {
	struct farm f;
	struct snapshot *snap;
	struct node_handle root;
	struct node_handle children[NODE_CHILDREN_MAX];
	unsigned count;
};

/* A branch over leaves, and numbers for these that go up and down. */
static void tree_init(struct tree *t)
{
	struct node_handle roots[2];

	farm_init(&t->f, journal_memory_new(NULL));
	t->snap = content_version(t->f.pool, 1, 5, 400);
	snapshot_roots(t->snap, roots);
	t->root = roots[0];
	t->count = node_children(t->f.pool, t->root, t->children);
	cr_assert(gt(uint, t->count, 2));
	for (unsigned i = 0; i < t->count; i++) {
		node_set_seq(t->f.pool, t->children[i],
		             i % 3 == 2 ? (UINT64_C(1) << 55) - i : 1000 + i);
	}
}

static void tree_fini(struct tree *t)
{
	snapshot_unref(t->snap);
	farm_fini(&t->f);
}

TEST(node_value, of_a_leaf_is_its_content)
{
	struct buffer value = { 0 };
	struct buffer content = { 0 };
	struct node_handle made;
	struct node_value v;
	struct tree t;

	tree_init(&t);
	node_value_write(t.f.pool, t.children[0], &value);
	node_encode(t.f.pool, t.children[0], &content);
	cr_assert(eq(int, node_value_read(buffer_bytes(&value), &v), ERR_OK));
	cr_expect(eq(uint, v.child_count, 0));
	cr_expect(bytes_equal(v.content, buffer_bytes(&content)));
	cr_assert(eq(int, node_value_make(t.f.pool, &v, NULL, &made), ERR_OK));
	cr_expect(eq(u32, made.n, t.children[0].n));
	node_unref(t.f.pool, made);
	buffer_fini(&value);
	buffer_fini(&content);
	tree_fini(&t);
}

TEST(node_value, of_a_branch_is_small)
{
	struct buffer value = { 0 };
	struct node_handle made;
	struct node_value v;
	struct tree t;

	tree_init(&t);
	node_value_write(t.f.pool, t.root, &value);
	cr_assert(eq(int, node_value_read(buffer_bytes(&value), &v), ERR_OK));
	cr_assert(eq(uint, v.child_count, t.count));
	for (unsigned i = 0; i < t.count; i++) {
		cr_expect(eq(u64, v.children[i], node_seq(t.f.pool, t.children[i])));
	}
	cr_assert(eq(int, node_value_make(t.f.pool, &v, t.children, &made), ERR_OK));
	cr_expect(eq(u32, made.n, t.root.n));
	node_unref(t.f.pool, made);
	value.len = 0;
	for (unsigned i = 0; i < t.count; i++) {
		node_set_seq(t.f.pool, t.children[i], 100000 + i);
	}
	node_value_write(t.f.pool, t.root, &value);
	cr_expect(le(sz, value.len, 18 + 3 + t.count), "an octet for each child after the first");
	buffer_fini(&value);
	tree_fini(&t);
}

/* What a value with a changed bit names must not be taken for what was written. */
TEST(node_value, of_a_branch_shows_damage)
{
	struct buffer value = { 0 };
	struct node_handle children[NODE_CHILDREN_MAX];
	struct node_handle made;
	struct node_value v;
	struct tree t;

	tree_init(&t);
	node_value_write(t.f.pool, t.root, &value);
	for (size_t len = 0; len < value.len; len++) {
		if (node_value_read(bytes_of(value.at, len), &v) == ERR_OK) {
			cr_assert(lt(uint, v.child_count, t.count));
			cr_assert(eq(int, node_value_make(t.f.pool, &v, t.children, &made),
			             ERR_STORE_CORRUPT));
		}
	}
	for (size_t bit = 8; bit < 18 * 8; bit++) {
		value.at[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (node_value_read(buffer_bytes(&value), &v) == ERR_OK) {
			cr_assert(eq(int, node_value_make(t.f.pool, &v, t.children, &made),
			             ERR_STORE_CORRUPT));
		}
		value.at[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	cr_assert(eq(int, node_value_read(buffer_bytes(&value), &v), ERR_OK));
	memcpy(children, t.children, sizeof(children));
	children[1] = t.children[2]; /* numbers of nodes that are there, but others */
	cr_expect(eq(int, node_value_make(t.f.pool, &v, children, &made), ERR_STORE_CORRUPT));
	children[1] = t.root;
	cr_expect(eq(int, node_value_make(t.f.pool, &v, children, &made), ERR_STORE_CORRUPT));
	buffer_fini(&value);
	tree_fini(&t);
}

TEST(node_value, rejects_what_is_no_value)
{
	static const struct bytes cases[] = {
		{ (const uint8_t *)"", 0 },
		{ (const uint8_t *)"\x02", 1 },
		{ (const uint8_t *)"\x03", 1 },
		{ (const uint8_t *)"\x01\x00\x00\x00\x00", 5 },
		{ (const uint8_t *)"\x03\x01"
		                   "0123456789abcdef",
		  18 },
		{ (const uint8_t *)"\x03\x01"
		                   "0123456789abcdef\x80",
		  19 },
		{ (const uint8_t *)"\x03\x00"
		                   "0123456789abcdef\x01",
		  19 },
		{ (const uint8_t *)"\x04\x01"
		                   "0123456789abcdef\x01",
		  19 },
	};
	uint8_t many[18 + NODE_CHILDREN_MAX + 1] = { 3, 1 };
	struct node_value v;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(eq(int, node_value_read(cases[i], &v), ERR_STORE_CORRUPT), "case %zu", i);
	}
	memset(many + 18, 2, NODE_CHILDREN_MAX + 1);
	cr_expect(eq(int, node_value_read(bytes_of(many, sizeof(many)), &v), ERR_STORE_CORRUPT));
	cr_expect(eq(int, node_value_read(bytes_of(many, sizeof(many) - 1), &v), ERR_OK));
}
