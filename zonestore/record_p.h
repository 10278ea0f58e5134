/* SPDX-License-Identifier: MIT
 *
 * zonestore/record_p.h — the values of the journal: zones and nodes.
 *
 *	node  format (1)  length (4)  content  { number of a child (8) }...
 *	zone  format (1)  flags (1)  apex (1 + n)  four times (8 each)
 *	      failed: error (2)  time (8)  family (1)  port (2)  address (4 or 16)
 *	      versions (2)  { number of each tree's root, 0: none (8 + 8)  length (4)  version }...
 *	      check (8)
 *
 * A node's content is what its id is made of, so damage shows; a zone's record has a check value
 * over its number and itself. The newest version comes first. Integers are big-endian. Whatever is
 * read here may be damaged: nothing is trusted.
 *
 * Ownership: views into the value. */
#pragma once

#include "zonestore/node_p.h"
#include "zonestore/store.h"

#define RECORD_FORMAT       1
#define RECORD_VERSIONS_MAX 4096

struct node_value {
	struct bytes content;
	struct bytes children; /* eight octets each */
};

static inline size_t node_value_children(const struct node_value *v)
{
	return v->children.len / 8;
}

static inline uint64_t node_value_child(const struct node_value *v, size_t index)
{
	return load_u64(v->children.at + 8 * index);
}

/* Appends the value of a node whose children have their numbers. */
void node_value_write(const struct pool *pool, struct node_handle node, struct buffer *out);

/* ERR_STORE_CORRUPT. */
MUST_USE enum err node_value_read(struct bytes value, struct node_value *out);

struct zone_value {
	struct name apex;
	struct zone_timers timers;
	unsigned version_count;
	struct reader versions; /* read by zone_value_version() */
};

struct zone_version {
	uint64_t roots[2];   /* numbers; 0: none */
	struct bytes record; /* of snapshot_encode() */
};

/* Appends the value of zone `number` up to its versions, then each version, then the end. The
 * buffer holds nothing else.
 */
void zone_value_begin(struct name apex, const struct zone_timers *timers, unsigned version_count,
                      struct buffer *out);
void zone_value_add(const struct pool *pool, const struct snapshot *snap, struct buffer *out);
void zone_value_end(uint64_t number, struct buffer *out);

/* ERR_STORE_CORRUPT. */
MUST_USE enum err zone_value_read(uint64_t number, struct bytes value, struct zone_value *out);
MUST_USE enum err zone_value_version(struct zone_value *v, struct zone_version *out);
