/* SPDX-License-Identifier: MIT
 *
 * zonestore/pool.c — interning of bodies and nodes. */
#include "zonestore/pool_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/hash.h"
#include "zonestore/tree_p.h"

#define PARTS_DEFAULT 256U
#define PARTS_MAX     65536U
#define AHEAD         12 /* bodies whose table lines are fetched before they are looked for */

static struct pool_part *parts_new(unsigned count)
{
	struct pool_part *parts = aligned_alloc(64, count * sizeof(struct pool_part));

	if (parts == NULL) {
		abort();
	}
	memset(parts, 0, count * sizeof(struct pool_part));
	for (unsigned i = 0; i < count; i++) {
		/* Not all the same, so that they do not all grow at the same moment. */
		parts[i].table.first_buckets = 4 + i % 4;
	}
	return parts;
}

enum err pool_new(const struct pool_options *options, struct pool **out)
{
	unsigned parts = options->parts == 0 ? PARTS_DEFAULT : options->parts;
	struct pool *pool;

	assert(parts <= PARTS_MAX && (parts & (parts - 1)) == 0);
	pool = mem_zero(1, sizeof(*pool));
	if (heap_init(&pool->heap, options->span_bytes, pool) != ERR_OK) {
		free(pool);
		return ERR_NO_MEMORY;
	}
	pool->epoch = options->epoch;
	pool->seed = env_random_u64(options->env);
	pool->part_count = parts;
	pool->part_shift = 33 + (unsigned)__builtin_clz(parts); /* the top bits choose */
	pool->bodies = parts_new(parts);
	pool->nodes = parts_new(parts);
	*out = pool;
	return ERR_OK;
}

static void parts_free(struct pool_part *parts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		assert(parts[i].table.count == 0 && parts[i].bytes == 0);
		table_fini(&parts[i].table);
	}
	free(parts);
}

void pool_free(struct pool *pool)
{
	if (pool == NULL) {
		return;
	}
	assert(atomic_load(&pool->snapshot_bytes) == 0);
	parts_free(pool->bodies, pool->part_count);
	parts_free(pool->nodes, pool->part_count);
	heap_fini(&pool->heap);
	free(pool);
}

static void part_stats(struct pool_part *part, uint64_t *count, uint64_t *bytes, uint64_t *table)
{
	latch_take(&part->latch);
	*count += part->table.count;
	*bytes += part->bytes;
	*table += table_bytes(&part->table);
	latch_give(&part->latch);
}

void pool_stats(const struct pool *pool, struct pool_stats *out)
{
	struct pool_stats s = { 0 };

	for (unsigned i = 0; i < pool->part_count; i++) {
		part_stats(&pool->bodies[i], &s.bodies, &s.body_bytes, &s.table_bytes);
		part_stats(&pool->nodes[i], &s.nodes, &s.node_bytes, &s.table_bytes);
	}
	s.snapshot_bytes = atomic_load_explicit(&pool->snapshot_bytes, memory_order_relaxed);
	s.mapped_bytes = heap_mapped_bytes(&pool->heap) + s.table_bytes;
	*out = s;
}

void pool_set_drop_fn(struct pool *pool, void (*fn)(void *self, uint64_t seq), void *self)
{
	pool->drop_fn = fn;
	pool->drop_self = self;
}

static struct pool_part *part_of(const struct pool *pool, struct pool_part *parts, uint64_t hash)
{
	return &parts[pool->part_count == 1 ? 0 : hash >> pool->part_shift];
}

/* ---- references ---- */

static void refs_add(_Atomic uint32_t *refs)
{
	if (atomic_load_explicit(refs, memory_order_relaxed) < POOL_REFS_STUCK) {
		atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
	}
}

/* Drops a reference that is not the last; false, and nothing done, if it is. */
static bool refs_drop_early(_Atomic uint32_t *refs)
{
	uint32_t n = atomic_load_explicit(refs, memory_order_relaxed);

	assert(n > 0);
	while (n > 1) {
		if (n >= POOL_REFS_STUCK ||
		    atomic_compare_exchange_weak_explicit(refs, &n, n - 1, memory_order_release,
		                                          memory_order_relaxed)) {
			return true;
		}
	}
	return false;
}

/* Drops a reference under the latch of the part; true if nobody is left. */
static bool refs_drop_last(_Atomic uint32_t *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

/* ---- bodies ---- */

struct body_query {
	const struct pool *pool;
	struct bytes want;
};

static struct body *body_at(const struct pool *pool, uint32_t handle)
{
	return heap_at(&pool->heap, handle);
}

static bool body_match(void *self, uint32_t handle)
{
	const struct body_query *q = self;
	const uint8_t *octets = body_at(q->pool, handle)->octets;

	return body_len(octets) == q->want.len && memcmp(octets, q->want.at, q->want.len) == 0;
}

static uint64_t body_hash_of(const struct pool *pool, struct bytes octets)
{
	return table_spread(hash_bytes(pool->seed, octets));
}

static uint64_t body_hash(void *self, uint32_t handle)
{
	const struct body_query *q = self;
	const uint8_t *octets = body_at(q->pool, handle)->octets;

	return body_hash_of(q->pool, bytes_of(octets, body_len(octets)));
}

static const void *body_address(void *self, uint32_t handle)
{
	const struct body_query *q = self;

	return body_at(q->pool, handle);
}

static const struct table_ops body_ops = { body_match, body_hash, body_address };

static uint32_t body_new(struct pool *pool, struct bytes octets, uint64_t hash)
{
	uint32_t handle = heap_take(&pool->heap, sizeof(struct body) + octets.len, (uint32_t)hash);
	struct body *body = body_at(pool, handle);

	atomic_init(&body->refs, 1);
	memcpy(body->octets, octets.at, octets.len);
	return handle;
}

/* Says where the buckets are now; under the latch. */
static void part_note(struct pool_part *part)
{
	atomic_store_explicit(&part->buckets, (uintptr_t)part->table.buckets, memory_order_relaxed);
	atomic_store_explicit(&part->bucket_count, part->table.bucket_count, memory_order_relaxed);
}

static struct body_handle intern(struct pool *pool, struct bytes octets, uint64_t hash)
{
	struct pool_part *part = part_of(pool, pool->bodies, hash);
	struct body_query q = { pool, octets };
	uint32_t handle;

	assert(octets.len >= BODY_HEAD && body_len(octets.at) == octets.len);
	latch_take(&part->latch);
	handle = table_find(&part->table, hash, &body_ops, &q);
	if (handle != 0) {
		refs_add(&body_at(pool, handle)->refs);
	} else {
		handle = body_new(pool, octets, hash);
		part->bytes += heap_piece_bytes(&pool->heap, handle);
		table_add(&part->table, hash, handle, &body_ops, &q);
		part_note(part);
	}
	latch_give(&part->latch);
	return (struct body_handle){ handle };
}

struct body_handle pool_intern(struct pool *pool, struct bytes octets)
{
	return intern(pool, octets, body_hash_of(pool, octets));
}

/* Has the table line of a hash fetched; any other if the table is just moving. */
static void part_prefetch(const struct pool_part *part, uint64_t hash)
{
	uint32_t count = atomic_load_explicit(&part->bucket_count, memory_order_relaxed);
	uintptr_t buckets = atomic_load_explicit(&part->buckets, memory_order_relaxed);
	uintptr_t home = buckets + table_home(hash, count) * sizeof(struct table_bucket);

	__builtin_prefetch((const void *)home, 1);
}

void pool_intern_many(struct pool *pool, const struct bytes *octets, size_t count,
                      struct body_handle *out)
{
	uint64_t hashes[AHEAD];

	for (size_t i = 0; i < count + AHEAD; i++) {
		if (i >= AHEAD) {
			out[i - AHEAD] = intern(pool, octets[i - AHEAD], hashes[i % AHEAD]);
		}
		if (i < count) {
			hashes[i % AHEAD] = body_hash_of(pool, octets[i]);
			part_prefetch(part_of(pool, pool->bodies, hashes[i % AHEAD]),
			              hashes[i % AHEAD]);
		}
	}
}

void pool_body_ref(struct pool *pool, struct body_handle h)
{
	refs_add(&body_at(pool, h.n)->refs);
}

void pool_body_unref(struct pool *pool, struct body_handle h)
{
	struct body *body = body_at(pool, h.n);
	struct body_query q = { pool, { 0 } };
	struct pool_part *part;
	uint64_t hash;
	bool last;

	assert(h.n != 0);
	if (refs_drop_early(&body->refs)) {
		return;
	}
	hash = body_hash(&q, h.n);
	part = part_of(pool, pool->bodies, hash);
	latch_take(&part->latch);
	last = refs_drop_last(&body->refs);
	if (last) {
		table_remove(&part->table, hash, h.n, &body_ops, &q);
		part_note(part);
		part->bytes -= heap_piece_bytes(&pool->heap, h.n);
	}
	latch_give(&part->latch);
	if (last) {
		heap_give(&pool->heap, h.n);
	}
}

/* ---- nodes ---- */

struct node_query {
	const struct pool *pool;
	const struct id *want;
};

static bool node_match(void *self, uint32_t handle)
{
	const struct node_query *q = self;

	return id_equal(&node_at(q->pool, (struct node_handle){ handle })->id, q->want);
}

/* Seeded although ids are cryptographic: a few bits of them can be chosen by trying. */
static uint64_t node_hash_of(const struct pool *pool, const struct id *id)
{
	return table_spread(hash_bytes(pool->seed, bytes_of(id->octets, sizeof(id->octets))));
}

static uint64_t node_hash(void *self, uint32_t handle)
{
	const struct node_query *q = self;

	return node_hash_of(q->pool, &node_at(q->pool, (struct node_handle){ handle })->id);
}

static const void *node_address(void *self, uint32_t handle)
{
	const struct node_query *q = self;

	return node_at(q->pool, (struct node_handle){ handle });
}

static const struct table_ops node_ops = { node_match, node_hash, node_address };

struct node_handle node_find(struct pool *pool, const struct id *id)
{
	uint64_t hash = node_hash_of(pool, id);
	struct pool_part *part = part_of(pool, pool->nodes, hash);
	struct node_query q = { pool, id };
	struct node_handle found;

	latch_take(&part->latch);
	found.n = table_find(&part->table, hash, &node_ops, &q);
	if (found.n != 0) {
		refs_add(&node_at(pool, found)->refs);
	}
	latch_give(&part->latch);
	return found;
}

static void seq_forget(void *self, uint32_t handle)
{
	node_set_seq(self, (struct node_handle){ handle }, 0);
}

void pool_forget_seqs(struct pool *pool)
{
	for (unsigned i = 0; i < pool->part_count; i++) {
		struct pool_part *part = &pool->nodes[i];
		latch_take(&part->latch);
		table_each(&part->table, seq_forget, pool);
		latch_give(&part->latch);
	}
}

struct node_handle node_ref(struct pool *pool, struct node_handle node)
{
	if (node.n != 0) {
		refs_add(&node_at(pool, node)->refs);
	}
	return node;
}

/* Frees a node that no table knows, and what it refers to. Recursion is as deep as a tree. */
static void node_drop(struct pool *pool, struct node_handle h)
{
	struct node *node = node_at(pool, h);
	unsigned level = shape_level(node);
	unsigned count = level == 0 ? shape_sets(node) : shape_count(node);
	uint64_t seq = node_seq(pool, h);

	if (seq != 0 && pool->drop_fn != NULL) {
		pool->drop_fn(pool->drop_self, seq);
	}
	for (unsigned i = 0; i < count; i++) {
		if (i + AHEAD < count) {
			__builtin_prefetch(heap_at(&pool->heap, node->links[i + AHEAD]), 1);
		}
		if (level == 0) {
			pool_body_unref(pool, (struct body_handle){ node->links[i] });
		} else {
			node_unref(pool, (struct node_handle){ node->links[i] });
		}
	}
	heap_give(&pool->heap, h.n);
}

struct node_handle pool_node_add(struct pool *pool, uint32_t fresh)
{
	struct node_handle h = { fresh };
	struct node *node = node_at(pool, h);
	uint64_t hash = node_hash_of(pool, &node->id);
	struct pool_part *part = part_of(pool, pool->nodes, hash);
	struct node_query q = { pool, &node->id };
	uint32_t found;

	latch_take(&part->latch);
	found = table_find(&part->table, hash, &node_ops, &q);
	if (found != 0) {
		refs_add(&node_at(pool, (struct node_handle){ found })->refs);
	} else {
		part->bytes += heap_piece_bytes(&pool->heap, fresh);
		table_add(&part->table, hash, fresh, &node_ops, &q);
	}
	latch_give(&part->latch);
	if (found != 0) {
		node_drop(pool, h);
		h.n = found;
	}
	return h;
}

void node_unref(struct pool *pool, struct node_handle h)
{
	struct node *node;
	struct pool_part *part;
	uint64_t hash;
	bool last;

	if (h.n == 0) {
		return;
	}
	node = node_at(pool, h);
	if (refs_drop_early(&node->refs)) {
		return;
	}
	hash = node_hash_of(pool, &node->id);
	part = part_of(pool, pool->nodes, hash);
	latch_take(&part->latch);
	last = refs_drop_last(&node->refs);
	if (last) {
		struct node_query q = { pool, &node->id };
		table_remove(&part->table, hash, h.n, &node_ops, &q);
		part->bytes -= heap_piece_bytes(&pool->heap, h.n);
	}
	latch_give(&part->latch);
	if (last) {
		node_drop(pool, h);
	}
}
