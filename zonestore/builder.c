/* SPDX-License-Identifier: MIT
 *
 * zonestore/builder.c — records in, a version out.
 *
 * There are two sides, one for each tree of a version. Without a base, what comes in canonical
 * order goes owner by owner into the side's tree writer; what comes too late for that, the first
 * records and everything over a base wait as changes. */
#include <stdlib.h>

#include "zonestore/change_p.h"
#include "zonestore/snapshot_p.h"
#include "zonestore/stored_p.h"

#define BUDGET_DEFAULT (1024UL * 1024 * 1024)
#define STREAM_FROM    256U /* records that wait in any case, so that small zones are made once */
#define SOA_FIXED_LEN  10U  /* type, class, TTL and length of rdata */

enum { SIDE_NAMES, SIDE_NSEC3, SIDES };

struct side {
	struct tree_writer writer;
	uint8_t key[KEY_MAX]; /* of the owner being collected */
	unsigned key_len;
	uint64_t key_number;       /* of it in builder.key_number */
	bool open;                 /* there is one */
	struct arena arena;        /* of its records' rdata */
	struct change_slot *group; /* its records; room for twice group_cap, to sort them */
	size_t group_count;
	size_t group_cap;
	struct change *late; /* first change that waits */
	struct change **late_end;
	size_t late_count;
};

struct builder {
	struct pool *pool;
	struct snapshot *base;
	struct name_buf apex;
	struct name_buf soa_owner; /* how the apex is spelled; len 0: no SOA yet */
	struct buffer soa;         /* stored rdata */
	uint32_t soa_ttl;
	uint32_t difference;
	uint32_t records_max;
	bool allow_no_ns;
	uint64_t records_added;
	size_t budget_bytes;
	struct arena arena; /* changes that wait */
	struct buffer rdata;
	struct owner_maker maker;
	struct name_buf last_owner; /* whose key is `key` */
	struct key key;
	uint64_t key_number; /* keys made so far */
	struct bytes stored; /* rdata of the record at hand */
	struct side sides[SIDES];
};

struct builder *builder_new(const struct builder_options *options)
{
	struct builder *b = mem_zero(1, sizeof(*b));
	size_t budget = options->budget_bytes == 0 ? BUDGET_DEFAULT : options->budget_bytes;

	b->pool = options->pool;
	b->budget_bytes = budget;
	b->records_max = options->records_max == 0 ? UINT32_MAX : options->records_max;
	b->allow_no_ns = options->allow_no_ns;
	name_copy(options->apex, &b->apex);
	arena_init(&b->arena, budget);
	for (unsigned i = 0; i < SIDES; i++) {
		struct side *s = &b->sides[i];
		tree_writer_init(&s->writer, b->pool);
		arena_init(&s->arena, budget);
		s->late_end = &s->late;
	}
	b->maker.pool = b->pool;
	b->maker.apex_len = options->apex.len;
	if (options->base != NULL) {
		struct name apex = snapshot_apex(options->base);
		assert(name_equal(apex, options->apex));
		b->base = snapshot_ref(options->base);
		b->maker.over_base = true;
		name_copy(apex, &b->soa_owner);
		b->soa_ttl = body_ttl(pool_body(b->pool, b->base->soa));
		buffer_put(&b->soa, body_rdatas(pool_body(b->pool, b->base->soa)));
		store_u32(b->soa.at + b->soa.len - SOA_NUMBERS_LEN, b->base->source_serial.n);
	}
	return b;
}

void builder_free(struct builder *b)
{
	if (b == NULL) {
		return;
	}
	for (unsigned i = 0; i < SIDES; i++) {
		struct side *s = &b->sides[i];
		tree_writer_fini(&s->writer);
		arena_fini(&s->arena);
		free(s->group);
	}
	snapshot_unref(b->base);
	arena_fini(&b->arena);
	buffer_fini(&b->soa);
	buffer_fini(&b->rdata);
	owner_maker_fini(&b->maker);
	free(b);
}

/* ---- one record ---- */

/* RFC 2181 §8: a set top bit means zero. */
static uint32_t ttl_of(const struct rr *rr)
{
	return rr->ttl > TTL_MAX ? 0 : rr->ttl;
}

/* True while the scratch memory is within its budget; `more` is about to be taken. */
static bool budget_allows(const struct builder *b, size_t more)
{
	size_t used = b->arena.used_bytes + more;

	for (unsigned i = 0; i < SIDES; i++) {
		const struct side *s = &b->sides[i];
		used += s->arena.used_bytes + s->late_count * CHANGE_SORT_BYTES +
		        s->group_cap * CHANGE_SORT_BYTES;
	}
	return used <= b->budget_bytes;
}

/* Keeps the key of the owner at hand in b->key; records of one owner mostly come together. */
static enum err owner_note(struct builder *b, struct name owner)
{
	if (bytes_equal(name_bytes(owner), name_bytes(name_of(&b->last_owner)))) {
		return ERR_OK;
	}
	if (!name_within(owner, name_of(&b->apex))) {
		return ERR_ZONE_OUTSIDE;
	}
	name_copy(owner, &b->last_owner);
	key_of_name(owner, b->apex.labels, &b->key);
	b->key_number++;
	return ERR_OK;
}

/* NSEC3 records and their signatures make the second tree (RFC 5155 §3). */
static struct side *side_of(struct builder *b, struct set_kind kind)
{
	bool nsec3 = kind.n == (uint32_t)TYPE_NSEC3 << 16 ||
	             kind.n == ((uint32_t)TYPE_RRSIG << 16 | TYPE_NSEC3);

	return &b->sides[nsec3 ? SIDE_NSEC3 : SIDE_NAMES];
}

/* Copies the record at hand, of b->key and b->stored, into an arena. NULL if the budget is spent. */
static struct change *change_new(struct builder *b, struct arena *arena, const struct change *head)
{
	size_t cases = b->key.cased ? key_cases_len(b->key.len) : 0;
	struct change *c = arena_take(arena, sizeof(*c) + b->key.len + cases + b->stored.len);
	uint8_t *at;

	if (c == NULL || !budget_allows(b, 0)) {
		return NULL;
	}
	*c = *head;
	c->key_len = b->key.len;
	c->cased = b->key.cased;
	c->rdata_len = (uint16_t)b->stored.len;
	memcpy(c->octets, b->key.octets, b->key.len);
	at = c->octets + b->key.len;
	memcpy(at, b->key.cases, cases);
	if (b->stored.len > 0) {
		memcpy(at + cases, b->stored.at, b->stored.len);
	}
	return c;
}

/* Puts the record at hand into the list of those that wait. */
static enum err late_add(struct builder *b, struct side *s, const struct change *head)
{
	struct change *c = change_new(b, &b->arena, head);

	if (c == NULL) {
		return ERR_BUDGET;
	}
	*s->late_end = c;
	s->late_end = &c->next;
	s->late_count++;
	return ERR_OK;
}

/* Puts the record at hand into the group of the owner being collected. */
static enum err group_add(struct builder *b, struct side *s, const struct change *head)
{
	struct change *c = change_new(b, &s->arena, head);

	if (s->group_count == s->group_cap) {
		s->group_cap = s->group_cap == 0 ? 16 : 2 * s->group_cap;
		s->group = mem_grow(s->group, 2 * s->group_cap * sizeof(*s->group));
	}
	if (c == NULL) {
		return ERR_BUDGET;
	}
	s->group[s->group_count++].change = c;
	return ERR_OK;
}

/* Writes the owner that was being collected. */
static enum err group_close(struct builder *b, struct side *s)
{
	if (!s->open) {
		return ERR_OK;
	}
	owner_changes_sort(s->group, s->group + s->group_count, s->group_count);
	TRY(owner_apply(&b->maker, (struct owner_old){ 0 }, s->group, s->group_count));
	tree_writer_owner(&s->writer, bytes_of(s->key, s->key_len), b->maker.cases, b->maker.items,
	                  b->maker.item_count);
	s->group_count = 0;
	s->open = false;
	arena_reset(&s->arena);
	return ERR_OK;
}

/* Views the stored form of the record's rdata, which may be the rdata itself. */
static void rdata_note(struct builder *b, const struct rr *rr)
{
	if (!stored_is_relative(rr->type)) {
		b->stored = rr->rdata;
		return;
	}
	b->rdata.len = 0;
	stored_put(rr->type, rr->rdata, name_of(&b->apex), &b->rdata);
	b->stored = buffer_bytes(&b->rdata);
}

static enum err record_change(struct builder *b, const struct rr *rr, bool deletes)
{
	struct change head = { .ttl = ttl_of(rr), .difference = b->difference, .deletes = deletes };
	struct side *s;
	int order;

	rdata_note(b, rr);
	head.kind = set_kind_of(rr->type, rr->rdata);
	s = side_of(b, head.kind);
	if (b->base != NULL || b->records_added <= STREAM_FROM) {
		return late_add(b, s, &head);
	}
	if (s->open && s->key_number == b->key_number) {
		return group_add(b, s, &head); /* as most do: no key to compare */
	}
	order = s->open ? bytes_compare(key_bytes(&b->key), bytes_of(s->key, s->key_len)) : 1;
	if (order < 0) {
		return late_add(b, s, &head);
	}
	if (order > 0) {
		TRY(group_close(b, s));
		memcpy(s->key, b->key.octets, b->key.len);
		s->key_len = b->key.len;
		s->key_number = b->key_number;
		s->open = true;
	}
	return group_add(b, s, &head);
}

static enum err record_check(struct builder *b, const struct rr *rr)
{
	if (rr->class != CLASS_IN) {
		return ERR_ZONE_CLASS;
	}
	if (type_is_meta(rr->type)) {
		return ERR_ZONE_TYPE;
	}
	return owner_note(b, rr->owner);
}

static bool at_apex(const struct builder *b, struct name owner)
{
	return owner.labels == b->apex.labels;
}

static void soa_set(struct builder *b, const struct rr *rr)
{
	name_copy(rr->owner, &b->soa_owner);
	b->soa.len = 0;
	stored_put(TYPE_SOA, rr->rdata, name_of(&b->apex), &b->soa);
	b->soa_ttl = ttl_of(rr);
}

enum err builder_add(struct builder *b, const struct rr *rr)
{
	TRY(record_check(b, rr));
	if (rr->type == TYPE_SOA) {
		if (!at_apex(b, rr->owner)) {
			return ERR_ZONE_OUTSIDE;
		}
		soa_set(b, rr);
		return ERR_OK;
	}
	if (++b->records_added >= b->records_max) { /* the SOA counts as well */
		return ERR_LIMIT_RECORDS;
	}
	return record_change(b, rr, false);
}

enum err builder_delete(struct builder *b, const struct rr *rr)
{
	TRY(record_check(b, rr));
	if (b->base == NULL) {
		return ERR_XFR_MISMATCH;
	}
	if (rr->type == TYPE_SOA) {
		struct soa soa;
		TRY(soa_view(rr->rdata, &soa));
		if (!at_apex(b, rr->owner) ||
		    soa.serial != soa_stored_serial(buffer_bytes(&b->soa)).n) {
			return ERR_XFR_MISMATCH;
		}
		b->difference++;
		return ERR_OK;
	}
	return record_change(b, rr, true);
}

/* ---- the end ---- */

/* Applies what waits to a tree. Takes nothing; *out is a reference. */
static enum err side_merge(struct builder *b, struct side *s, struct node_handle old,
                           struct node_handle *out)
{
	size_t slots_len = 2 * s->late_count * sizeof(struct change_slot);
	struct change_slot *slots = mem_large_new(slots_len);
	size_t count = 0;
	enum err e;

	for (struct change *c = s->late; c != NULL; c = c->next) {
		slots[count++].change = c;
	}
	assert(count == s->late_count);
	changes_sort(slots, slots + count, count);
	e = tree_merge(&b->maker, old, slots, count, out);
	mem_large_free(slots, slots_len);
	return e;
}

static enum err side_finish(struct builder *b, struct side *s, struct node_handle base,
                            struct node_handle *out)
{
	struct node_handle streamed = node_ref(b->pool, base);
	enum err e;

	if (b->base == NULL) {
		TRY(group_close(b, s));
		streamed = tree_writer_finish(&s->writer);
	}
	e = side_merge(b, s, streamed, out);
	node_unref(b->pool, streamed);
	return e;
}

/* What every zone must have (RFC 1034 §4.2.1). */
static enum err zone_check(const struct builder *b, struct node_handle names)
{
	if (b->soa_owner.len == 0) {
		return ERR_ZONE_NO_SOA;
	}
	return b->allow_no_ns || tree_has_ns(b->pool, names) ? ERR_OK : ERR_ZONE_NO_NS;
}

/* Counts of the new version: the SOA and what the changes came to. */
static enum err zone_count(const struct builder *b, struct snapshot_parts *parts)
{
	int64_t records = b->maker.records + 1;
	int64_t bytes = b->maker.bytes + b->soa_owner.len + SOA_FIXED_LEN;

	bytes += (int64_t)stored_wire_len(TYPE_SOA, buffer_bytes(&b->soa), b->apex.len);
	if (b->base != NULL) {
		struct bytes soa = body_rdatas(pool_body(b->pool, b->base->soa));
		records += (int64_t)b->base->records - 1;
		bytes += (int64_t)b->base->bytes - b->apex.len - SOA_FIXED_LEN;
		bytes -= (int64_t)stored_wire_len(TYPE_SOA, soa, b->apex.len);
	}
	if (records < SNAPSHOT_RECORDS_MIN || bytes <= 0) {
		return ERR_STORE_CORRUPT; /* what the base's record said of it is not true */
	}
	if (records > b->records_max) {
		return ERR_LIMIT_RECORDS;
	}
	parts->records = (uint32_t)records;
	parts->bytes = (uint64_t)bytes;
	return ERR_OK;
}

static enum err builder_parts(struct builder *b, struct snapshot_parts *parts)
{
	struct node_handle base[SIDES] = { 0 };

	if (b->base != NULL) {
		snapshot_roots(b->base, base);
	}
	for (unsigned i = 0; i < SIDES; i++) {
		TRY(side_finish(b, &b->sides[i], base[i], &parts->roots[i]));
	}
	TRY(zone_check(b, parts->roots[SIDE_NAMES]));
	return zone_count(b, parts);
}

enum err builder_freeze(struct builder *b, const struct builder_origin *origin,
                        struct snapshot **out)
{
	struct snapshot_parts parts = {
		.apex = name_of(&b->soa_owner),
		.origin = origin->origin,
		.primary = origin->primary,
		.received_at_s = origin->received_at_s,
	};
	enum err e = builder_parts(b, &parts);

	if (e != ERR_OK) {
		node_unref(b->pool, parts.roots[0]);
		node_unref(b->pool, parts.roots[1]);
		return e;
	}
	parts.soa = soa_intern(b->pool, b->soa_ttl, buffer_bytes(&b->soa));
	parts.serial = soa_stored_serial(buffer_bytes(&b->soa));
	parts.source_serial = parts.serial;
	*out = snapshot_new(b->pool, &parts);
	return ERR_OK;
}
