/* SPDX-License-Identifier: MIT
 *
 * zonestore/change_p.h — records to add and to delete, sorted, and what becomes of an owner's sets.
 *
 * Changes come in the order in which they happened; sorting is stable, so that those of one record
 * stay in that order. Without a base there are additions only, and equal ones are one. Over a base
 * each deletion must find its record and each addition must not.
 *
 * Ownership: changes point into the builder's arena; owner_apply()'s result lives until the next
 * call. */
#pragma once

#include "zonestore/key_p.h"
#include "zonestore/tree_writer_p.h"

#define CHANGE_READ 64 /* octets that are fetched: most changes have no more */

/* One record to add or delete, with its octets in one piece: key, case bitmap, stored rdata. */
struct change {
	struct change *next; /* in order of arrival */
	struct set_kind kind;
	uint32_t ttl;
	uint32_t difference; /* number of the IXFR difference it belongs to */
	uint16_t key_len;
	uint16_t rdata_len;
	bool deletes;
	bool cased;
	uint8_t octets[];
};

/* Asks for a change to be brought near. */
static inline void change_fetch(const struct change *c)
{
	__builtin_prefetch(c);
	__builtin_prefetch((const uint8_t *)c + CHANGE_READ);
}

static inline struct bytes change_key(const struct change *c)
{
	return bytes_of(c->octets, c->key_len);
}

/* NULL: all in lower case. */
static inline const uint8_t *change_cases(const struct change *c)
{
	return c->cased ? c->octets + c->key_len : NULL;
}

static inline struct bytes change_rdata(const struct change *c)
{
	size_t before = c->key_len + (c->cased ? key_cases_len(c->key_len) : 0);

	return bytes_of(c->octets + before, c->rdata_len);
}

static inline uint16_t kind_type(struct set_kind kind)
{
	return (uint16_t)(kind.n >> 16);
}

/* What is sorted: a change and eight octets of its key. */
struct change_slot {
	uint64_t part;
	struct change *change;
};

#define CHANGES_AHEAD     16                               /* fetched while one is worked on */
#define CHANGE_SORT_BYTES (2 * sizeof(struct change_slot)) /* scratch for each change */

/* Sorts by key, kind and rdata; stable. `spare` has room for `count` slots as well. */
void changes_sort(struct change_slot *slots, struct change_slot *spare, size_t count);

/* The same for changes that all have one key. */
void owner_changes_sort(struct change_slot *slots, struct change_slot *spare, size_t count);

/* Applies changes to owners. */
struct owner_maker {
	struct pool *pool;
	unsigned apex_len;
	bool over_base;
	int64_t records; /* added less removed so far */
	int64_t bytes;   /* the same in octets of wire form */
	/* the result of the last call */
	struct set_item *items;
	size_t item_count;
	const uint8_t *cases;
	/* private */
	size_t item_cap;
	size_t *places; /* of made bodies in `bodies`, SIZE_MAX for kept ones */
	struct buffer bodies;
};

void owner_maker_fini(struct owner_maker *m);

/* An owner as it was; none: {0}. */
struct owner_old {
	const uint32_t *links;
	unsigned sets;
	const uint8_t *cases;
};

/* Applies sorted changes of one owner. The result may have no sets: then the owner is gone.
 * ERR_XFR_MISMATCH, ERR_ZONE_CNAME, ERR_LIMIT_BYTES, ERR_LIMIT_RECORDS, ERR_NO_MEMORY. */
MUST_USE enum err owner_apply(struct owner_maker *m, struct owner_old old,
                              const struct change_slot *changes, size_t count);

/* Makes the owner as it was the result. */
void owner_keep(struct owner_maker *m, struct owner_old old);

/* Makes a tree of an older one (or none) and sorted changes. *out is a reference. Errors as
 * owner_apply(). O(changes * log(owners)). */
MUST_USE enum err tree_merge(struct owner_maker *m, struct node_handle old,
                             const struct change_slot *changes, size_t count,
                             struct node_handle *out);
