/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/model.h — a zone as a sorted array of records, and random ones from a seed.
 *
 * The model is what versions are compared with: every operation is a scan or a sort of the array.
 * Random zones have wildcards, empty non-terminals, cuts with glue, DNAMEs, NSEC3 owners, odd
 * octets and mixed case; what stands at an owner name, its TTLs and its spelling are functions of
 * the name, so that zones made in any way are valid and comparable.
 *
 * Ownership: init/fini. */
#pragma once

#include "base/env.h"
#include "zonestore/builder.h"

struct model_rr {
	struct name_buf owner;
	uint16_t type;
	uint32_t ttl;
	uint8_t *rdata;
	uint16_t rdata_len;
};

struct model {
	struct name_buf apex;
	uint32_t serial;
	struct model_rr *rrs; /* the SOA is not among them; sorted by model_sort() */
	size_t count;
	size_t cap;
};

struct rr model_view(const struct model_rr *m);

/* A zone with nothing but an NS at its apex. */
void model_init(struct model *m, const char *apex);
void model_fini(struct model *m);
void model_copy(const struct model *from, struct model *to);

/* Adds a record unless an equal one is there; false if so. */
bool model_add(struct model *m, const struct rr *rr);
void model_delete(struct model *m, size_t index);

/* Sorts as snapshot_cursor yields: names, then NSEC3 names; by owner, type, covered type. */
void model_sort(struct model *m);

/* Makes a random record that may be added; `scratch` holds it. */
void model_random(const struct model *m, struct env *env, struct rr_scratch *scratch,
                  struct rr *out);

/* Adds up to `count` random records. */
void model_grow(struct model *m, struct env *env, size_t count);

/* The SOA of the model's serial. */
void model_soa(const struct model *m, struct rr_scratch *scratch, struct rr *out);

/* Builds a version from nothing; with `env` the records come in random order. */
struct snapshot *model_build(const struct model *m, struct pool *pool, struct env *env);

/* Brings a version of `from` to `to` with one difference: deletions, then additions. */
void model_difference(const struct model *from, const struct model *to, struct builder *b);

/* Fails the test unless the version has exactly the model's records, in order. */
void model_check(struct model *m, const struct snapshot *snap);

/* A pool and its epoch; world_fini() fails the test unless everything was given back. */
struct world {
	struct env_fake fake;
	struct epoch *epoch;
	struct pool *pool;
};

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);

/* The id of a version's content. */
struct id world_root(const struct snapshot *snap);

/* A name below the model's apex from text; aborts if it is none. */
struct name_buf name_text(const char *text);
