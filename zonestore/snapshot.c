/* SPDX-License-Identifier: MIT
 *
 * zonestore/snapshot.c — life, facts and sets of a version. */
#include "zonestore/snapshot_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/stored_p.h"

#define PRIMARY_LEN 19U

struct serial soa_stored_serial(struct bytes stored)
{
	assert(stored.len >= SOA_NUMBERS_LEN);
	return (struct serial){ load_u32(stored.at + stored.len - SOA_NUMBERS_LEN) };
}

static struct body_handle intern_one(struct pool *pool, uint32_t ttl, uint16_t type,
                                     struct bytes rdata)
{
	uint8_t body[BODY_HEAD + 2 * NAME_MAX_LEN + SOA_NUMBERS_LEN];

	assert(rdata.len <= sizeof(body) - BODY_HEAD);
	store_u32(body, ttl);
	store_u16(body + 4, type);
	store_u16(body + 6, (uint16_t)rdata.len);
	memcpy(body + BODY_HEAD, rdata.at, rdata.len);
	return pool_intern(pool, bytes_of(body, BODY_HEAD + rdata.len));
}

struct body_handle soa_intern(struct pool *pool, uint32_t ttl, struct bytes stored)
{
	uint8_t rdata[2 * NAME_MAX_LEN + SOA_NUMBERS_LEN];

	assert(stored.len >= SOA_NUMBERS_LEN && stored.len <= sizeof(rdata));
	memcpy(rdata, stored.at, stored.len);
	store_u32(rdata + stored.len - SOA_NUMBERS_LEN, 0);
	return intern_one(pool, ttl, TYPE_SOA, bytes_of(rdata, stored.len));
}

static struct body_handle primary_intern(struct pool *pool, const struct addr *a)
{
	uint8_t octets[PRIMARY_LEN] = { a->family };

	store_u16(octets + 1, a->port);
	memcpy(octets + 3, a->ip, sizeof(a->ip));
	return intern_one(pool, 0, 0, bytes_of(octets, sizeof(octets)));
}

static struct addr primary_of(const struct snapshot *snap)
{
	const uint8_t *octets = body_rdatas(pool_body(snapshot_pool(snap), snap->primary)).at;
	struct addr a = { .family = octets[0], .port = load_u16(octets + 1) };

	memcpy(a.ip, octets + 3, sizeof(a.ip));
	return a;
}

bool snapshot_names_fit(const struct pool *pool, const struct node_handle roots[2],
                        struct body_handle soa, unsigned apex_len)
{
	unsigned longest = body_name_max(pool_body(pool, soa));

	for (unsigned i = 0; i < 2; i++) {
		unsigned len = roots[i].n == 0 ? 0 : node_name_max(node_at(pool, roots[i]));
		longest = len > longest ? len : longest;
	}
	return longest + apex_len <= NAME_MAX_LEN;
}

bool tree_apex(const struct pool *pool, struct node_handle root, const uint32_t **links,
               unsigned *sets)
{
	const struct node *n;
	struct leaf_walk walk;
	struct leaf_entry e;

	if (root.n == 0) {
		return false;
	}
	for (n = node_at(pool, root); shape_level(n) > 0;) {
		n = node_at(pool, (struct node_handle){ n->links[0] });
	}
	walk = leaf_walk(n);
	if (!leaf_next(&walk, &e, links) || e.rest.len > 0) {
		return false;
	}
	*sets = e.sets;
	return true;
}

struct body_handle sets_find(const struct pool *pool, const uint32_t *links, unsigned count,
                             struct set_kind kind)
{
	for (unsigned i = 0; i < count; i++) {
		struct body_handle h = { links[i] };
		struct set_kind have = body_kind(pool_body(pool, h));
		if (have.n >= kind.n) {
			return have.n == kind.n ? h : (struct body_handle){ 0 };
		}
	}
	return (struct body_handle){ 0 };
}

bool tree_has_ns(const struct pool *pool, struct node_handle root)
{
	struct set_kind ns = { (uint32_t)TYPE_NS << 16 };
	const uint32_t *links;
	unsigned sets;

	return tree_apex(pool, root, &links, &sets) && sets_find(pool, links, sets, ns).n != 0;
}

struct snapshot *snapshot_new(struct pool *pool, const struct snapshot_parts *parts)
{
	size_t len = sizeof(struct snapshot) + parts->apex.len +
	             (parts->counted ? sizeof(struct snapshot_counts) : 0);
	uint32_t handle = heap_take(&pool->heap, len, parts->serial.n);
	struct snapshot *snap = heap_at(&pool->heap, handle);
	struct set_kind dname = { (uint32_t)TYPE_DNAME << 16 };
	const uint32_t *links;
	unsigned sets;

	assert(snapshot_names_fit(pool, parts->roots, parts->soa, parts->apex.len));
	*snap = (struct snapshot){
		.bytes = parts->bytes,
		.received_at_s = time_pack(parts->received_at_s),
		.refs = 1,
		.serial = parts->serial,
		.source_serial = parts->source_serial,
		.roots = { parts->roots[0], parts->roots[1] },
		.soa = parts->soa,
		.primary = parts->from.n != 0 ? parts->from : primary_intern(pool, &parts->primary),
		.records = parts->records,
		.origin = parts->origin & 3,
		.counted = parts->counted,
		.apex_len = parts->apex.len,
		.apex_labels = parts->apex.labels,
	};
	memcpy(snap->apex, parts->apex.at, parts->apex.len);
	if (parts->counted) {
		snapshot_set_counts(snap, parts->counts);
	}
	if (tree_apex(pool, snap->roots[0], &links, &sets)) {
		snap->apex_dname = sets_find(pool, links, sets, dname).n != 0;
	}
	atomic_fetch_add_explicit(&pool->snapshot_bytes, heap_piece_bytes(&pool->heap, handle),
	                          memory_order_relaxed);
	return snap;
}

struct snapshot *snapshot_copy(const struct snapshot *of, struct serial serial)
{
	struct pool *pool = snapshot_pool(of);
	struct snapshot_parts parts = {
		.apex = snapshot_apex(of),
		.roots = { node_ref(pool, of->roots[0]), node_ref(pool, of->roots[1]) },
		.soa = of->soa,
		.from = of->primary,
		.serial = serial,
		.source_serial = of->source_serial,
		.records = of->records,
		.counted = true,
		.counts = snapshot_counts(of),
		.bytes = of->bytes,
		.origin = of->origin,
		.received_at_s = of->received_at_s,
	};

	pool_body_ref(pool, of->soa);
	pool_body_ref(pool, of->primary);
	return snapshot_new(pool, &parts);
}

bool snapshot_same(const struct snapshot *a, const struct snapshot *b)
{
	return a->roots[0].n == b->roots[0].n && a->roots[1].n == b->roots[1].n &&
	       a->soa.n == b->soa.n && serial_equal(a->source_serial, b->source_serial) &&
	       bytes_equal(bytes_of(a->apex, a->apex_len), bytes_of(b->apex, b->apex_len));
}

struct snapshot_counts snapshot_counts(const struct snapshot *snap)
{
	struct snapshot_counts counts = { .added = snap->records - 1 };

	if (snap->counted) {
		memcpy(&counts, snap->apex + snap->apex_len, sizeof(counts));
	}
	return counts;
}

void snapshot_set_counts(struct snapshot *snap, struct snapshot_counts counts)
{
	assert(snap->counted);
	memcpy(snap->apex + snap->apex_len, &counts, sizeof(counts));
}

/* ---- references ---- */

struct snapshot *snapshot_ref(const struct snapshot *snap)
{
	/* Reading is const; counting readers is not. */
	struct snapshot *s = (struct snapshot *)(uintptr_t)snap;
	uint32_t before = atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);

	assert((before & ~SNAPSHOT_RETIRED) < SNAPSHOT_RETIRED - 1);
	return s;
}

static void snapshot_free(struct snapshot *snap)
{
	struct pool *pool = snapshot_pool(snap);
	uint32_t handle = heap_handle(&pool->heap, snap);
	size_t bytes = heap_piece_bytes(&pool->heap, handle);

	node_unref(pool, snap->roots[0]);
	node_unref(pool, snap->roots[1]);
	pool_body_unref(pool, snap->soa);
	pool_body_unref(pool, snap->primary);
	heap_give(&pool->heap, handle);
	atomic_fetch_sub_explicit(&pool->snapshot_bytes, bytes, memory_order_relaxed);
}

/* A version that lost its last reference. */
struct snapshot_end {
	struct epoch_item retire;
	struct snapshot *snap;
};

/* Nobody who could borrow it at the last unref can any more. Somebody may have made a reference
 * meanwhile: then the mark is taken away, and the next last unref retires it again. */
static void snapshot_retired(struct epoch_item *item)
{
	struct snapshot_end *end = container_of(item, struct snapshot_end, retire);
	struct snapshot *snap = end->snap;
	uint32_t refs = atomic_load_explicit(&snap->refs, memory_order_acquire);

	free(end);
	do {
		assert((refs & SNAPSHOT_RETIRED) != 0);
		if (refs == SNAPSHOT_RETIRED) {
			snapshot_free(snap);
			return;
		}
	} while (
		!atomic_compare_exchange_weak_explicit(&snap->refs, &refs, refs & ~SNAPSHOT_RETIRED,
	                                               memory_order_acq_rel, memory_order_acquire));
}

void snapshot_unref(struct snapshot *snap)
{
	uint32_t refs;
	uint32_t less;

	if (snap == NULL) {
		return;
	}
	refs = atomic_load_explicit(&snap->refs, memory_order_relaxed);
	do {
		assert((refs & ~SNAPSHOT_RETIRED) > 0);
		less = refs == 1 ? SNAPSHOT_RETIRED : refs - 1;
	} while (!atomic_compare_exchange_weak_explicit(
		&snap->refs, &refs, less, memory_order_acq_rel, memory_order_relaxed));
	if (refs == 1) {
		struct snapshot_end *end = mem_new(sizeof(*end));
		end->snap = snap;
		epoch_retire(snapshot_pool(snap)->epoch, &end->retire, snapshot_retired);
	}
}

/* ---- facts ---- */

struct serial snapshot_serial(const struct snapshot *snap)
{
	return snap->serial;
}

struct serial snapshot_source_serial(const struct snapshot *snap)
{
	return snap->source_serial;
}

struct name snapshot_apex(const struct snapshot *snap)
{
	return (struct name){ snap->apex, snap->apex_len, snap->apex_labels };
}

bool snapshot_has_ns(const struct snapshot *snap)
{
	return tree_has_ns(snapshot_pool(snap), snap->roots[0]);
}

void snapshot_roots(const struct snapshot *snap, struct node_handle out[static 2])
{
	out[0] = snap->roots[0];
	out[1] = snap->roots[1];
}

static struct id root_id(const struct snapshot *snap)
{
	struct id both[2] = { 0 };
	struct id out;

	if (snap->roots[0].n != 0) {
		both[0] = *node_id(snapshot_pool(snap), snap->roots[0]);
	}
	if (snap->roots[1].n == 0) {
		return both[0];
	}
	both[1] = *node_id(snapshot_pool(snap), snap->roots[1]);
	id_of(bytes_of(both, sizeof(both)), &out);
	return out;
}

void snapshot_facts(const struct snapshot *snap, struct snapshot_facts *out)
{
	struct snapshot_counts counts = snapshot_counts(snap);

	*out = (struct snapshot_facts){
		.serial = snap->serial,
		.source_serial = snap->source_serial,
		.root = root_id(snap),
		.records = snap->records,
		.bytes = snap->bytes,
		.origin = snap->origin,
		.primary = primary_of(snap),
		.received_at_s = snap->received_at_s,
		.added = counts.added,
		.deleted = counts.deleted,
	};
}

void snapshot_soa(const struct snapshot *snap, struct rr_scratch *scratch, struct rr *out)
{
	const uint8_t *body = pool_body(snapshot_pool(snap), snap->soa);
	struct bytes rdata =
		stored_wire(TYPE_SOA, body_rdatas(body), snapshot_apex(snap), scratch->rdata);

	if (rdata.at != scratch->rdata) {
		memcpy(scratch->rdata, rdata.at, rdata.len);
	}
	store_u32(scratch->rdata + rdata.len - SOA_NUMBERS_LEN, snap->serial.n);
	*out = (struct rr){
		.owner = snapshot_apex(snap),
		.type = TYPE_SOA,
		.class = CLASS_IN,
		.ttl = body_ttl(body),
		.rdata = bytes_of(scratch->rdata, rdata.len),
	};
}

/* ---- record sets ---- */

void rrset_of_body(const struct snapshot *snap, struct body_handle h, struct rrset *out)
{
	const uint8_t *body = pool_body(snapshot_pool(snap), h);

	*out = (struct rrset){
		.type = body_type(body),
		.covers = (uint16_t)body_kind(body).n,
		.ttl = body_ttl(body),
		.count = body_count(body),
		.body = body_rdatas(body),
		.apex = snapshot_apex(snap),
	};
}

struct rrset_reader rrset_read(const struct rrset *set)
{
	return (struct rrset_reader){ .set = *set, .pos = 0 };
}

bool rrset_next(struct rrset_reader *r, struct rr_scratch *scratch, struct bytes *rdata)
{
	struct bytes stored = r->set.body;

	if (r->set.count == 1) {
		if (r->pos > 0) {
			return false;
		}
		r->pos = 1;
	} else {
		if (r->pos >= r->set.body.len) {
			return false;
		}
		stored = bytes_of(r->set.body.at + r->pos + 2, load_u16(r->set.body.at + r->pos));
		r->pos += 2 + stored.len;
	}
	*rdata = stored_wire(r->set.type, stored, r->set.apex, scratch->rdata);
	return true;
}

bool owner_rrset(const struct owner_view *owner, uint16_t type, uint16_t covers, struct rrset *out)
{
	struct set_kind kind = { (uint32_t)type << 16 | covers };
	const uint32_t *links = (const void *)owner->sets;
	struct body_handle h = sets_find(snapshot_pool(owner->snap), links, owner->set_count, kind);

	if (h.n == 0) {
		return false;
	}
	rrset_of_body(owner->snap, h, out);
	return true;
}

void owner_rrset_at(const struct owner_view *owner, unsigned index, struct rrset *out)
{
	const uint32_t *links = (const void *)owner->sets;

	assert(index < owner->set_count);
	rrset_of_body(owner->snap, (struct body_handle){ links[index] }, out);
}
