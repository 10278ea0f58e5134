/* SPDX-License-Identifier: MIT
 *
 * zonestore/node_p.h — nodes of zone trees, as the disk side and replication see them.
 *
 * A node is immutable and interned by its id: leaf (a run of owner names with their record sets) or
 * branch (children). Equal nodes are one, in all versions of all zones. Its serialised form is what
 * the id is the hash of; it is self-contained for a leaf, and for a branch it has the ids of the
 * children. Integers in it are big-endian.
 *
 *	leaf    level 0 (1)  owners (1)  { entry (leaf_p.h)  bodies (body_p.h) }...
 *	branch  level (1)  children (1)  { id (16)  length of first key (2)  first key }...
 *
 * Ownership: a handle counts as a reference only where a comment says so; node_ref/node_unref. A
 * node that lost its last reference is gone at once, so whoever reads one without holding a
 * reference must be protected by a snapshot that does. Any thread. */
#pragma once

#include "zonestore/buffer_p.h"
#include "zonestore/builder.h"

#define NODE_CHILDREN_MAX 64
#define NODE_LEVELS_MAX   12

/* Where a node is in the pool; 0 is none (an empty tree). */
struct node_handle {
	uint32_t n;
};

const struct id *node_id(const struct pool *pool, struct node_handle node);

/* 0 for a leaf. */
unsigned node_level(const struct pool *pool, struct node_handle node);

/* Lists the children of a branch (borrowed), in order; returns how many, 0 for a leaf. */
unsigned node_children(const struct pool *pool, struct node_handle node,
                       struct node_handle out[static NODE_CHILDREN_MAX]);

struct node_handle node_ref(struct pool *pool, struct node_handle node);
void node_unref(struct pool *pool, struct node_handle node); /* none is a no-op */

/* Appends the serialised form to `out`. O(octets). */
void node_encode(const struct pool *pool, struct node_handle node, struct buffer *out);

/* Lists the children's ids of a serialised node, which is checked only as far as that takes.
 * ERR_STORE_CORRUPT. */
MUST_USE enum err node_child_ids(struct bytes octets, struct id out[static NODE_CHILDREN_MAX],
                                 unsigned *count);

/* Finds the node with that id, or makes it of its serialised form. `children` are those of a
 * branch, in order (borrowed; their ids, levels and first keys are checked). Everything is checked:
 * the octets may come from anywhere. *out is a reference. ERR_STORE_CORRUPT. */
MUST_USE enum err node_decode(struct pool *pool, struct bytes octets,
                              const struct node_handle *children, unsigned count,
                              struct node_handle *out);

/* Finds a node by id: a reference, or none. */
struct node_handle node_find(struct pool *pool, const struct id *id);

/* A number that the disk thread gives to a node that it wrote; 0 until then, below 2^56. Only the
 * disk thread calls these. */
uint64_t node_seq(const struct pool *pool, struct node_handle node);
void node_set_seq(struct pool *pool, struct node_handle node, uint64_t seq);

/* Has all nodes forget their numbers: what they were written to is gone. O(nodes). */
void pool_forget_seqs(struct pool *pool);

/* Has `fn` called with the number of every node that had one and is gone. On the thread that
 * dropped the last reference: mostly the one that runs epoch_collect(), but a builder may be the
 * last holder too. Set before anything is shared; NULL for none. */
void pool_set_drop_fn(struct pool *pool, void (*fn)(void *self, uint64_t seq), void *self);

/* ---- versions ---- */

/* The trees of a version, borrowed: names, and NSEC3 names (none where there is none). */
void snapshot_roots(const struct snapshot *snap, struct node_handle out[static 2]);

/* Appends the record of a version: ids of its trees, SOA, apex, facts; not the nodes. */
void snapshot_encode(const struct snapshot *snap, struct buffer *out);

/* The ids of the trees that a version's record names; the second is all zero where there is none.
 * ERR_STORE_CORRUPT. */
MUST_USE enum err snapshot_root_ids(struct bytes octets, struct id out[static 2]);

/* Makes a version of its record and its trees (borrowed; their ids are checked). *out is a
 * reference. ERR_STORE_CORRUPT. */
MUST_USE enum err snapshot_decode(struct pool *pool, struct bytes octets,
                                  const struct node_handle roots[static 2], struct snapshot **out);
