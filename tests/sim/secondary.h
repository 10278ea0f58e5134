/* SPDX-License-Identifier: MIT
 *
 * tests/sim/secondary.h — the node under test: engine and store as the daemon has them, on a
 * simulated network and a disk in memory, which may be slow or fail.
 *
 * The disk thread's work is done at the end of a turn, `write_ms` late at most, and what it answers
 * is heard `answer_ms` late at most. A crash leaves what was durable and loses everything else.
 *
 * Ownership: init/fini; policies are referenced. */
#pragma once

#include "ring/sim.h"
#include "tests/sim/truth.h"
#include "transfer/transfer.h"
#include "zonestore/journal_memory.h"
#include "zonestore/versions.h"

enum zone_life {
	ZONE_ABSENT,   /* not configured */
	ZONE_RUNNING,  /* the engine runs it */
	ZONE_STOPPING, /* the engine was asked to let go */
	ZONE_STOPPED,  /* it has */
};

struct secondary_zone {
	enum zone_life life;
	bool goes; /* it is removed once it is stopped */
	struct zone *zone;
	struct zone_policy *policy; /* NULL while absent */
	unsigned acts;              /* operator's acts on their way to the disk */
};

enum secondary_act {
	ACT_ROLLBACK,
	ACT_ROLLBACK_SAME,
	ACT_PIN,
	ACT_RELEASE,
	ACT_ACCEPT,
	ACT_REJECT
};

/* What others do at certain moments; all are set. */
struct secondary_hooks {
	void *self;
	void (*turn)(void *self); /* a turn ends */
	void (*publish)(void *self, struct publish_event event);
	void (*event)(void *self, enum event_kind kind, const struct event_field *fields,
	              size_t count);
	void (*line)(void *self, const char *line, size_t len);
};

struct secondary {
	struct sim *sim;
	struct io *io;
	struct addr at;
	const struct truth *truth;
	struct tsig_key *key;
	struct secondary_hooks hooks;
	struct events events;
	bool up;
	struct epoch *epoch;
	unsigned epoch_slot;
	struct pool *pool;
	struct store *store;
	struct transfer *transfer;
	struct secondary_zone zones[TRUTH_ZONES_MAX];
	/* The disk. */
	struct memory_disk *disk;
	uint32_t write_ms;
	uint32_t answer_ms;
	bool disk_due;
	struct io_timer disk_timer;
	struct io_timer answer_timer;
	struct store_task *first;
	struct store_task **last;
	/* NOTIFYs come in here. */
	struct io_socket udp;
	struct io_op datagrams;
	uint64_t notifies;
};

struct secondary_options {
	struct sim *sim;
	const struct truth *truth;
	struct tsig_key *key; /* NULL: nothing is signed */
	struct secondary_hooks hooks;
	enum event_level level; /* of lines */
};

void secondary_init(struct secondary *s, const struct secondary_options *options);

/* Nothing runs any more; turns of the sim that follow end what is in flight. */
void secondary_fini(struct secondary *s);

/* Begins with what the disk has. Needs a turn of the sim since the last end. */
void secondary_start(struct secondary *s);

/* Ends: all that was accepted becomes durable / the disk takes `writes` more writes and no more. What
 * the pool still has then is in *left, which should be nothing. */
void secondary_stop(struct secondary *s, struct pool_stats *left);
void secondary_crash(struct secondary *s, uint64_t writes, struct pool_stats *left);

/* Adds a zone / changes its policy (a reference is taken). */
void secondary_add(struct secondary *s, unsigned zone, struct zone_policy *policy);
void secondary_change(struct secondary *s, unsigned zone, struct zone_policy *policy);

/* Has the engine let go of a zone, and forgets it if `goes`. Begins to run it again. */
void secondary_zone_stop(struct secondary *s, unsigned zone, bool goes);
void secondary_zone_go(struct secondary *s, unsigned zone);

/* An operator's act; nothing happens if it is not possible. True if it began. */
bool secondary_act(struct secondary *s, unsigned zone, enum secondary_act act, uint32_t serial);

/* Reads what a crash would leave of a zone now, with other code than what runs: the newest version's
 * facts, or false if there is none. */
bool secondary_durable(const struct secondary *s, unsigned zone, struct snapshot_facts *out);
