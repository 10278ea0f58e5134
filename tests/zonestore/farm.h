/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/farm.h — a store with its pool, epoch, clock and journal, driven by hand.
 *
 * Tasks that the store posts to shards wait in a list until farm_turn(). Zones have the content of
 * content.h. A farm over a memory disk can be thrown away like a crashed process, and another one
 * started on the same disk. */
#pragma once

#include "tests/zonestore/content.h"
#include "zonestore/journal_memory.h"
#include "zonestore/store.h"

struct farm {
	struct env_fake env;
	struct events events;
	unsigned counts[EVENT_COUNT]; /* events seen */
	struct epoch *epoch;
	unsigned participant;
	struct pool *pool;
	struct store *st;
	struct store_task *first; /* posted, oldest first */
	struct store_task **last;
	unsigned outstanding; /* commits not yet answered */
};

/* Takes `journal`. */
void farm_init(struct farm *f, struct journal *journal);

/* As farm_init(), with `count` zones added and the journal loaded. */
void farm_start(struct farm *f, struct journal *journal, unsigned count);

/* Answers what was posted, and frees everything. */
void farm_fini(struct farm *f);

struct zone *farm_zone(struct farm *f, unsigned index); /* NULL if there is none */
void farm_add(struct farm *f, unsigned index);

/* Timers that follow from a serial. */
struct zone_timers farm_timers(uint32_t serial);

/* A commit of its own memory. What became of it is counted. */
struct farm_commit {
	struct commit commit;
	struct farm *farm;
	enum err err;
	unsigned done; /* times answered */
};

/* Fills in what a commit of the farm needs. */
void farm_commit_init(struct farm *f, struct farm_commit *c);

enum err farm_commit(struct farm *f, struct farm_commit *c, unsigned index, uint32_t serial,
                     unsigned filling);

/* Runs posted tasks, and announces an end of turn. */
void farm_turn(struct farm *f);

/* Steps and turns until there is nothing to do. */
void farm_settle(struct farm *f);

/* Commits a version and settles; the answer. */
enum err farm_publish(struct farm *f, unsigned index, uint32_t serial, unsigned filling);

/* The serial of a version whose content fits it and its zone; aborts the test if it does not. */
uint32_t farm_check(const struct snapshot *snap, unsigned index);

/* The serial being served, checked; 0 if nothing is. */
uint32_t farm_serial(struct farm *f, unsigned index);
