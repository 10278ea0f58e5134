/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/world.h — an engine with a real store, in simulated time, before scripted
 * primaries.
 *
 * After every version that becomes visible it is checked that a primary really had it, and that
 * serials do not go back unless the test says that they may.
 *
 * Ownership: init/fini. */
#pragma once

#include "tests/transfer/script_node.h"
#include "transfer/transfer.h"
#include "zonestore/journal_memory.h"

#define WORLD_PRIMARIES 3

struct world {
	struct sim *sim;
	struct io *io; /* of the engine */
	struct epoch *epoch;
	unsigned epoch_slot;
	struct pool *pool;
	struct memory_disk *disk;
	struct store *store;
	struct events events;
	struct transfer *transfer;
	struct zone_policy *policy;
	struct tsig_key *key;
	struct script_node *primaries[WORLD_PRIMARIES]; /* 192.0.2.1 and on */
	unsigned primary_count;
	struct zone *zone; /* "example." */
	unsigned happened[EVENT_COUNT];
	enum err last_error; /* of the last event with one */
	enum event_kind last_with_error;
	char last_kind[8]; /* of the last transfer done */
	uint64_t last_records;
	uint64_t published_at_ns; /* when the last version became visible */
	uint32_t published_serial;
	unsigned published;
	bool may_go_back;
	bool unchecked;    /* what is served need not be what the primary's serial says */
	char held_for[40]; /* reason of the last version held */
	bool disk_stands;  /* the disk thread does nothing */
};

/* Primaries with the zone "example." at serial 1, and an engine that does not run the zone yet. */
void world_init(struct world *w, uint64_t seed, unsigned primaries, bool signed_);
void world_fini(struct world *w);

/* Adds the zone and runs it. */
void world_start(struct world *w);

/* Adds another zone and runs it; primaries need `any_apex`. */
struct zone *world_add(struct world *w, const char *apex);

/* Ends the process and begins another on the same disk. */
void world_restart(struct world *w);

void world_run_s(struct world *w, uint64_t seconds);

/* Runs until the zone is served with this serial; fails the test after `limit_s`. Returns the time
 * that it took in nanoseconds. */
uint64_t world_run_until(struct world *w, uint32_t serial, uint64_t limit_s);

/* Has the disk thread work again after `disk_stands`. */
void world_disk_go(struct world *w);

/* Serial served; 0: none. */
uint32_t world_serial(const struct world *w);

enum transfer_zone_state world_state(struct world *w);

/* Gives all primaries a newer zone. */
void world_bump(struct world *w, uint32_t serial);

/* A NOTIFY from the primary `index`, with its serial if `hint`. */
void world_notify(struct world *w, unsigned index, bool hint);

uint64_t world_now_ns(const struct world *w);
