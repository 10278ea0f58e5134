/* SPDX-License-Identifier: MIT
 *
 * zonestore/check_journal.c — verifying what is on the disk.
 *
 * Nodes are read once in the order they were written, so that children come before their parents. A
 * leaf is made in a pool of our own, counted, and forgotten; what is remembered of a node is its
 * number, its id and its counts; a branch is put together again from its children. Then the records of zones are compared with their roots, and last
 * the marks of reached nodes go from parents to children, newest first. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/check_p.h"
#include "zonestore/record_p.h"
#include "zonestore/tally_p.h"

/* What is remembered of a node. */
struct checked {
	uint64_t seq;
	struct id id;
	struct tally tally;
	uint8_t level;
	bool good;
	bool reached; /* a version needs it */
};

struct checker {
	struct journal *j;
	struct teller t;
	struct epoch *epoch;
	struct pool *pool;
	struct checked *nodes; /* by seq, ascending */
	size_t count;
	size_t cap;
	uint64_t *apexes; /* hashes of the names of zones */
	size_t zones;
	size_t zone_cap;
	uint64_t versions;
	uint64_t bytes; /* of node values */
	struct buffer content;
};

static struct checked *node_of(const struct checker *c, uint64_t seq)
{
	size_t lo = 0;
	size_t hi = c->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (c->nodes[mid].seq < seq) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo < c->count && c->nodes[lo].seq == seq ? &c->nodes[lo] : NULL;
}

/* ---- leaves ---- */

/* The largest key of a leaf in memory. */
static size_t leaf_last_key(const struct pool *pool, struct node_handle leaf,
                            uint8_t out[static KEY_MAX])
{
	struct leaf_walk walk = leaf_walk(node_at(pool, leaf));
	const uint32_t *links;
	struct leaf_entry e;
	size_t len = 0;

	while (leaf_next(&walk, &e, &links)) {
		memcpy(out + e.shared, e.rest.at, e.rest.len);
		len = e.shared + e.rest.len;
	}
	return len;
}

static enum err leaf_look(struct checker *c, struct bytes content, struct checked *out)
{
	struct node_handle leaf;

	TRY(node_decode(c->pool, content, NULL, 0, &leaf));
	tally_leaf(c->pool, leaf, &out->tally);
	node_unref(c->pool, leaf);
	return ERR_OK;
}

/* The content of the leaf below a node that comes first, or last. O(levels) reads. */
static enum err leaf_below(struct checker *c, uint64_t seq, bool last, struct bytes *out)
{
	struct node_value v;
	struct bytes value;

	for (unsigned i = 0; i < NODE_LEVELS_MAX; i++) {
		TRY(c->j->ops->get_node(c->j, seq, &value));
		TRY(node_value_read(value, &v));
		if (v.level == 0) {
			*out = v.content;
			return ERR_OK;
		}
		if (v.child_count == 0) {
			break;
		}
		seq = v.children[last ? v.child_count - 1 : 0];
	}
	return ERR_STORE_CORRUPT;
}

/* The largest key below a node that is good. */
static enum err last_key(struct checker *c, uint64_t seq, uint8_t out[static KEY_MAX], size_t *len)
{
	struct node_handle leaf;
	struct bytes content;

	TRY(leaf_below(c, seq, true, &content));
	TRY(node_decode(c->pool, content, NULL, 0, &leaf));
	*len = leaf_last_key(c->pool, leaf, out);
	node_unref(c->pool, leaf);
	return ERR_OK;
}

/* The smallest one, which is good until the next read. */
static enum err first_key(struct checker *c, uint64_t seq, struct bytes *out)
{
	struct bytes content;
	struct bytes head;
	struct reader r;
	uint8_t len;
	uint8_t more;
	size_t whole;

	TRY(leaf_below(c, seq, false, &content));
	r = reader_of(content);
	/* Level, owners, and what is shared with no key before. */
	if (!reader_take(&r, 3, &head) || !reader_u8(&r, &len)) {
		return ERR_STORE_CORRUPT;
	}
	whole = len;
	if (len >= 128) {
		if (!reader_u8(&r, &more)) {
			return ERR_STORE_CORRUPT;
		}
		whole = (size_t)(len & 127) << 8 | more;
	}
	return whole <= KEY_MAX && reader_take(&r, whole, out) ? ERR_OK : ERR_STORE_CORRUPT;
}

/* ---- branches ---- */

/* A branch being put together again from its children. */
struct branch {
	uint64_t seq;
	const struct node_value *v;
	struct buffer *content; /* as its id is made of */
	uint8_t last[KEY_MAX];  /* the largest key of the child before */
	size_t last_len;
};

/* What is wrong about a child; NULL if nothing is. */
static const char *child_look(struct checker *c, struct branch *b, unsigned i, struct checked *out)
{
	uint64_t seq = b->v->children[i];
	const struct checked *child = seq < b->seq ? node_of(c, seq) : NULL;
	struct bytes key;

	if (seq >= b->seq) {
		return "a child was not written before it";
	}
	if (child == NULL) {
		return "a child is missing";
	}
	if (!child->good) {
		return "a child is damaged";
	}
	if (child->level + 1U != b->v->level) {
		return "a child is of another level";
	}
	if (first_key(c, seq, &key) != ERR_OK) {
		return "a child cannot be read again";
	}
	if (i > 0 && bytes_compare(bytes_of(b->last, b->last_len), key) >= 0) {
		return "its children are not in order";
	}
	buffer_put(b->content, bytes_of(child->id.octets, sizeof(child->id.octets)));
	buffer_u16(b->content, (uint16_t)key.len);
	buffer_put(b->content, key);
	tally_add(&out->tally, &child->tally);
	if (i + 1 == b->v->child_count) {
		return NULL;
	}
	if (node_ends(key, b->v->level, i + 1, b->content->len)) {
		return "it should have ended before";
	}
	return last_key(c, seq, b->last, &b->last_len) == ERR_OK ? NULL
	                                                         : "a child cannot be read again";
}

static const char *branch_look(struct checker *c, const struct node_value *v, struct checked *out)
{
	struct branch b = { .seq = out->seq, .v = v, .content = &c->content };
	const char *wrong = NULL;
	struct id id;

	if (v->level >= NODE_LEVELS_MAX || v->child_count == 0) {
		return "it is not well formed";
	}
	c->content.len = 0;
	buffer_u8(&c->content, (uint8_t)v->level);
	buffer_u8(&c->content, (uint8_t)v->child_count);
	for (unsigned i = 0; i < v->child_count && wrong == NULL; i++) {
		wrong = child_look(c, &b, i, out);
	}
	if (wrong != NULL) {
		return wrong;
	}
	id_of(buffer_bytes(&c->content), &id);
	return id_equal(&id, &v->id) ? NULL : "its children are not those that its id says";
}

/* ---- nodes ---- */

static struct checked *node_add(struct checker *c, uint64_t seq)
{
	if (c->count == c->cap) {
		c->cap = c->cap == 0 ? 1024 : c->cap + c->cap / 2;
		c->nodes = mem_grow(c->nodes, c->cap * sizeof(*c->nodes));
	}
	c->nodes[c->count] = (struct checked){ .seq = seq };
	return &c->nodes[c->count++];
}

static const char *node_look(struct checker *c, struct bytes value, struct checked *out)
{
	struct node_value v;

	if (node_value_read(value, &v) != ERR_OK) {
		return "it is not well formed";
	}
	out->level = (uint8_t)v.level;
	if (v.level > 0) {
		out->id = v.id;
		return branch_look(c, &v, out);
	}
	id_of(v.content, &out->id);
	return leaf_look(c, v.content, out) == ERR_OK ? NULL : "it is not well formed";
}

static enum err visit_node(void *self, uint64_t seq, struct bytes value)
{
	struct checker *c = self;
	struct checked *node = node_add(c, seq);
	const char *wrong = node_look(c, value, node);

	c->bytes += value.len;
	node->good = wrong == NULL;
	if (!node->good) {
		teller_find(&c->t, "node %" PRIu64 ": %s", seq, wrong);
	}
	return teller_goes_on(&c->t, c->count, "nodes") ? ERR_OK : ERR_STOPPING;
}

/* ---- zones ---- */

/* What is wrong about a tree of a version; NULL if nothing is. */
static const char *root_look(struct checker *c, uint64_t seq, const struct id *id,
                             struct tally *sum)
{
	static const struct id none;
	struct checked *root = node_of(c, seq);

	if (seq == 0) {
		return id_equal(id, &none) ? NULL : "a tree is missing";
	}
	if (root == NULL) {
		return "a tree is missing";
	}
	root->reached = true;
	if (!root->good) {
		return "a tree is damaged";
	}
	if (!id_equal(&root->id, id)) {
		return "a tree is not the one that it names";
	}
	tally_add(sum, &root->tally);
	return NULL;
}

static const char *version_look(struct checker *c, const struct zone_version *v)
{
	const struct snapshot_parts *parts = &v->record.parts;
	const char *wrong = NULL;
	struct tally sum = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		const char *tree = root_look(c, v->roots[i], &v->record.roots[i], &sum);
		wrong = wrong == NULL ? tree : wrong;
	}
	if (wrong != NULL) {
		return wrong;
	}
	if (v->roots[0] == 0) {
		return "it has no names";
	}
	if (sum.records + 1 != parts->records) {
		return "it has another number of records";
	}
	return tally_bytes(&sum, parts->apex.len, v->record.soa) == parts->bytes
	               ? NULL
	               : "it has another number of octets";
}

static void apex_note(struct checker *c, struct name apex)
{
	if (c->zones == c->zone_cap) {
		c->zone_cap = c->zone_cap == 0 ? 1024 : c->zone_cap + c->zone_cap / 2;
		c->apexes = mem_grow(c->apexes, c->zone_cap * sizeof(*c->apexes));
	}
	c->apexes[c->zones++] = name_hash(0, apex);
}

/* `which` says which of its versions; "": the zone itself. */
static void zone_tell(struct checker *c, struct name apex, const char *which, const char *wrong)
{
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text) - 1);

	if (!name_print(apex, &w)) {
		w.len = 0;
	}
	text[w.len] = '\0';
	teller_find(&c->t, "zone %.256s: %s%s", text, which, wrong);
}

static void versions_look(struct checker *c, struct zone_value *v)
{
	struct zone_version version;
	enum err e;

	while ((e = zone_value_version(v, &version)) == ERR_OK) {
		const char *wrong = version_look(c, &version);

		c->versions++;
		if (wrong != NULL) {
			char which[32];

			snprintf(which, sizeof(which), "serial %" PRIu32 ": ",
			         version.record.parts.serial.n);
			zone_tell(c, v->apex, which, wrong);
		}
	}
	if (e != ERR_NOT_FOUND) {
		zone_tell(c, v->apex, "", "its versions are not well formed");
	}
}

static enum err visit_zone(void *self, uint64_t number, struct bytes value)
{
	struct checker *c = self;
	struct zone_value v;

	if (number >= UINT32_MAX || zone_value_read(number, value, &v) != ERR_OK) {
		teller_find(&c->t, "record %" PRIu64 ": it is not well formed", number);
	} else {
		apex_note(c, v.apex);
		versions_look(c, &v);
	}
	return teller_goes_on(&c->t, c->zones, "zones") ? ERR_OK : ERR_STOPPING;
}

/* ---- what nobody needs ---- */

/* Marks what reached nodes refer to. Children have lower numbers. */
static enum err mark_reached(struct checker *c)
{
	for (size_t i = c->count; i-- > 0;) {
		const struct checked *node = &c->nodes[i];
		struct node_value v;
		struct bytes value;

		if (!node->reached || node->level == 0) {
			continue;
		}
		if (c->j->ops->get_node(c->j, node->seq, &value) != ERR_OK ||
		    node_value_read(value, &v) != ERR_OK) {
			continue; /* told already */
		}
		for (unsigned k = 0; k < v.child_count; k++) {
			struct checked *child = node_of(c, v.children[k]);
			if (child != NULL && child->seq < node->seq) {
				child->reached = true;
			}
		}
		if (!teller_goes_on(&c->t, i, "nodes to be reached")) {
			return ERR_STOPPING;
		}
	}
	return ERR_OK;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* How many of the numbers, which are sorted then, stand there more than once. */
static size_t count_twice(uint64_t *numbers, size_t count)
{
	size_t twice = 0;

	if (count > 0) {
		qsort(numbers, count, sizeof(*numbers), compare_numbers);
	}
	for (size_t i = 1; i < count; i++) {
		twice += numbers[i] == numbers[i - 1];
	}
	return twice;
}

static size_t nodes_twice(const struct checker *c)
{
	uint64_t *numbers = mem_new((c->count + 1) * sizeof(*numbers));
	size_t count = 0;
	size_t twice;

	for (size_t i = 0; i < c->count; i++) {
		if (c->nodes[i].good) {
			numbers[count++] = load_u64(c->nodes[i].id.octets);
		}
	}
	twice = count_twice(numbers, count);
	free(numbers);
	return twice;
}

static void tell_summary(struct checker *c)
{
	size_t unreached = 0;
	size_t twice = count_twice(c->apexes, c->zones);

	for (size_t i = 0; i < c->count; i++) {
		unreached += !c->nodes[i].reached;
	}
	if (twice > 0) {
		teller_say(&c->t, "%zu zones have a record that another replaced", twice);
	}
	twice = nodes_twice(c);
	if (twice > 0) {
		teller_say(&c->t, "%zu nodes are there more than once", twice);
	}
	if (unreached > 0) {
		teller_say(&c->t, "%zu nodes are needed by no version: they are to be removed",
		           unreached);
	}
	teller_say(&c->t,
	           "%zu zones, %" PRIu64 " versions, %zu nodes, %" PRIu64 " octets: %" PRIu64
	           " findings",
	           c->zones, c->versions, c->count, c->bytes, c->t.findings);
}

/* Scans; a structure that LMDB cannot follow is a finding, and the end of this table. */
static enum err scan(struct checker *c,
                     enum err (*scan_fn)(struct journal *j, journal_visit visit, void *self),
                     journal_visit visit, const char *table)
{
	enum err e = scan_fn(c->j, visit, c);

	if (e == ERR_STORE_CORRUPT) {
		teller_find(&c->t, "the table of %s is damaged in itself", table);
		return ERR_OK;
	}
	return e;
}

static enum err check_all(struct checker *c)
{
	TRY(scan(c, c->j->ops->scan_nodes, visit_node, "nodes"));
	TRY(scan(c, c->j->ops->scan_zones, visit_zone, "zones"));
	TRY(mark_reached(c));
	tell_summary(c);
	return teller_result(&c->t);
}

enum err check_journal(struct journal *j, const struct check_sink *sink)
{
	struct checker c = { .j = j, .t = teller_of(sink, "disk"), .epoch = epoch_new() };
	struct pool_options options = { .env = sink->env, .epoch = c.epoch, .parts = 1 };
	enum err e = pool_new(&options, &c.pool);

	if (e == ERR_OK) {
		e = check_all(&c);
		pool_free(c.pool);
	}
	epoch_free(c.epoch);
	buffer_fini(&c.content);
	free(c.nodes);
	free(c.apexes);
	return e;
}
