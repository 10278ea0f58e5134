/* SPDX-License-Identifier: MIT
 *
 * zonestore/record_p.h — the values of the journal: zones and nodes.
 *
 *	leaf    format (1)  content
 *	branch  format (1)  level (1)  id (16)  number of the first child
 *	      { difference to the next one's }...
 *	zone  format (1)  flags (1)  apex (1 + n)  four times (4 each)
 *	      failed: error (2)  time (4)  family (1)  port (2)  address (4 or 16)
 *	      [highest serial served (4), if it was rolled back]  [how many are older]
 *	      [served: version]  [aside: reason (1)  version]
 *	      { older: replaced at (4)  octets that the version after it does not use  version }...
 *	      check (8)
 *	version: number of each tree's root, 0: none  length  record (snapshot_codec.c), written after
 *	      the one before it here
 *
 * A leaf's content is what its id is made of, and a branch's can be made of its children, so damage
 * shows: a change in a large zone writes branches anew, and they cost an octet or two a child. A
 * zone's record has a check value over its number and itself. Numbers of nodes, lengths and counts
 * are varints (the lowest bit of a difference is its sign), other integers big-endian. Whatever is
 * read here may be damaged: nothing is trusted.
 *
 * Ownership: views into the value. */
#pragma once

#include "zonestore/node_p.h"
#include "zonestore/versions_p.h"

#define ZONE_FORMAT 2

struct node_value {
	unsigned level;       /* 0: a leaf */
	struct bytes content; /* of a leaf */
	struct id id;         /* of a branch */
	unsigned child_count;
	uint64_t children[NODE_CHILDREN_MAX]; /* their numbers */
};

/* Appends the value of a node whose children have their numbers. */
void node_value_write(const struct pool *pool, struct node_handle node, struct buffer *out);

/* ERR_STORE_CORRUPT. */
MUST_USE enum err node_value_read(struct bytes value, struct node_value *out);

/* Finds or makes the node that a value is of. `children` are those whose numbers it has (borrowed, all
 * there). *out is a reference. ERR_STORE_CORRUPT. */
MUST_USE enum err node_value_make(struct pool *pool, const struct node_value *v,
                                  const struct node_handle *children, struct node_handle *out);

/* What is kept of a zone. */
struct zone_state {
	struct name apex;
	struct zone_timers timers;
	const struct snapshot *served; /* NULL: nothing is */
	const struct versions *more;   /* NULL: nothing else is kept */
};

/* Writes the value of zone `number`; all trees have their numbers. Overwrites the buffer. */
void zone_value_write(const struct pool *pool, uint64_t number, const struct zone_state *state,
                      struct buffer *out);

/* A value being read. */
struct zone_value {
	struct name apex;
	struct zone_timers timers;
	bool pinned;
	struct serial_line line;
	unsigned version_count; /* all of them */
	/* private from here */
	bool served;
	bool aside;
	bool begun; /* `last` is the version before */
	unsigned older;
	struct reader versions;
	struct snapshot_record last;
};

struct zone_version {
	enum version_kind kind;
	enum hold_reason why;   /* VERSION_ASIDE */
	uint32_t replaced_at_s; /* VERSION_OLDER */
	uint32_t bytes;
	uint64_t roots[2]; /* numbers; 0: none */
	struct snapshot_record record;
};

/* ERR_STORE_CORRUPT. */
MUST_USE enum err zone_value_read(uint64_t number, struct bytes value, struct zone_value *out);

/* Yields one version after the other: what is served, what is aside, then older ones from the
 * newest on. ERR_NOT_FOUND after the last; ERR_STORE_CORRUPT. */
MUST_USE enum err zone_value_version(struct zone_value *v, struct zone_version *out);

/* The highest number of a root that the value names; 0 if it has no version. ERR_STORE_CORRUPT. */
MUST_USE enum err zone_value_last_root(const struct zone_value *v, uint64_t *out);

/* ---- restore.c ---- */

/* Finds the node with a number: borrowed, or none. */
struct node_source {
	struct node_handle (*find)(const void *self, uint64_t number);
	const void *self;
};

struct restored {
	struct snapshot *served; /* NULL: nothing was */
	struct versions *more;   /* NULL: nothing else was kept */
	unsigned lost;           /* versions that were kept and are damaged */
};

/* Makes what a value names. Older versions and one aside that are damaged are left out and counted.
 * ERR_STORE_CORRUPT: what was served is damaged, or the value is; ERR_NOT_FOUND: what was served lacks
 * a node. Then *out has the zone's line of serials, if it has one, and nothing else. */
MUST_USE enum err zone_restore(struct pool *pool, struct zone_value *v,
                               const struct node_source *nodes, struct restored *out);
