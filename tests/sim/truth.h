/* SPDX-License-Identifier: MIT
 *
 * tests/sim/truth.h — what the zones of the scripted primaries are and were, apart from all code
 * under test but the builder, which tells the root of a version's content.
 *
 * A zone is a tree of versions, each made of its parent with a few records changed. Each zone has
 * slots, which are a record or nothing. Every version whose content is its own has a record that no
 * other has, and each step of differences deletes the one and adds the other: differences of another
 * version than the one at hand cannot be applied unnoticed. Serials are used once, but where two
 * primaries diverge: they have other content under the same serial.
 *
 * Ownership: init/fini. */
#pragma once

#include "base/env.h"
#include "tests/transfer/script.h"

#define TRUTH_ZONES_MAX 60
#define TRUTH_SLOTS_MAX 240
#define TRUTH_NONE      (-1)

struct truth_version {
	uint32_t serial;
	uint32_t mark;    /* of content that is its own */
	int parent;       /* TRUTH_NONE: differences do not lead here */
	uint32_t holders; /* primaries that ever had it; bits */
	bool built;       /* the root is known */
	struct id root;
	uint8_t values[TRUTH_SLOTS_MAX]; /* 0: no record */
};

struct truth_zone {
	struct name_buf apex;
	char text[32];
	unsigned slots;
	bool diverges;
	uint32_t top; /* newest serial ever used */
	uint32_t refresh_s, retry_s, expire_s;
	struct truth_version *versions;
	int count;
	int cap;
};

struct truth {
	struct env_fake dice;
	struct epoch *epoch;
	struct pool *pool;
	unsigned zone_count;
	struct truth_zone zones[TRUTH_ZONES_MAX];
};

void truth_init(struct truth *t, uint64_t seed, unsigned zones);
void truth_fini(struct truth *t);

/* A number below `below`, by the dice of the scenario. */
uint32_t truth_dice(struct truth *t, uint32_t below);

/* Makes a version out of another: with the next serial that is free; with a lower one; with a
 * serial above all there ever were; with the serial of that one but other content. */
enum truth_step { TRUTH_NEXT, TRUTH_LOWER, TRUTH_ABOVE, TRUTH_BESIDE };
int truth_make(struct truth *t, unsigned zone, int parent, enum truth_step step);

/* The root of a version's content. */
const struct id *truth_root(struct truth *t, unsigned zone, int version);

/* The version with that serial of a primary and that content; TRUTH_NONE if no primary had it. */
int truth_find(struct truth *t, unsigned zone, uint32_t serial, const struct id *root);

/* The zone with that apex; -1. */
int truth_zone_of(const struct truth *t, struct name apex);

/* Calls for every record of a version but SOA and the NS of the apex. */
void truth_records(const struct truth_zone *z, int version, struct script_sink *sink);

/* Calls for those that `from` has (`deleted`) and `to` has not, or the other way round. */
void truth_difference(const struct truth_zone *z, int from, int to, bool deleted,
                      struct script_sink *sink);
