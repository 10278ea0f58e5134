/* SPDX-License-Identifier: MIT
 *
 * tests/sim/run.h — one run: a secondary, its primaries and a network, all from one seed.
 *
 *	storm   faults of network, primaries, disk and node, changes of zones, operators' acts
 *	calm    the faults stop; every zone must be in step within its deadline, changes that are
 *	        announced must be served soon
 *	end     stop, start, stop: all is there, and nothing is left
 *
 * Ownership: run_seed() leaves nothing. */
#pragma once

#include "tests/sim/judge.h"

/* Faults of what is under test, planted to see that they are found. */
enum plant {
	PLANT_NONE,
	PLANT_FOREIGN, /* a primary sends what is no version */
	PLANT_EARLY,   /* what is visible is not durable */
	PLANT_BACK,    /* a serial goes back unasked */
	PLANT_LEAK,    /* a reference is not given back */
	PLANT_STUCK,   /* a zone does not hear of the end of the faults */
	PLANT_HEAP,    /* memory is not given back */
	PLANTS,
};

struct run_options {
	uint64_t seed;
	enum plant plant;
	unsigned sessions; /* transfers at once from a primary; 0: by the seed */
	bool verbose;
};

struct run_result {
	uint64_t trace;
	unsigned zones;
	unsigned primaries;
	uint64_t turns;
	uint64_t visible;
	uint64_t audits;
	uint64_t answers; /* of primaries */
	uint64_t faults;  /* of these */
	unsigned crashes;
	uint64_t calm_s; /* until all was in step */
	double virtual_s;
};

/* What a storm is made of. */
struct storm {
	uint32_t acts;
	uint32_t pause_max_ms; /* between two */
	uint32_t faults_ppm_max;
	uint32_t ends_one_in; /* of the chances that the node has to end */
	uint32_t changes;     /* shares of what happens */
	uint32_t faults;
	uint32_t commands;
};

struct run {
	struct sim *sim;
	struct truth truth;
	struct tsig_key *key;
	struct primary_peer *primaries[PRIMARIES_MAX];
	struct policy_pace paces[PRIMARIES_MAX];
	unsigned primary_count;
	struct secondary node;
	struct judge judge;
	enum plant plant;
	unsigned sessions; /* transfers at once from a primary; 0: by the seed */
	struct storm storm;
	int heads[TRUTH_ZONES_MAX]; /* the newest version of each zone */
	uint64_t restart_ns;        /* when a node that is down begins again */
	unsigned crashes;
	bool one_absent; /* a primary is away: zones need not go back */
	uint64_t calm_s;
};

/* Runs one seed; a violation ends the program. */
void run_seed(const struct run_options *options, struct run_result *out);

const char *plant_print(enum plant plant);

/* Writes the options besides the seed that replay a run, each after a space. */
void run_again(const struct run_options *options, char *out, size_t cap);

/* ---- between run.c, storm.c and calm.c ---- */

#define RUN_POLICY_PRIMARIES_MAX 3
#define RUN_MAX_RETRY_S          30 /* of all policies */

uint32_t run_dice(struct run *r, uint32_t below);

/* A policy for a zone, which is the caller's. */
struct zone_policy *run_policy(struct run *r);

/* Ends the node, by a crash or in order; it begins again after `down_ms`. */
void run_node_down(struct run *r, bool crash, uint32_t down_ms);
void run_node_up(struct run *r);

/* Adds a zone with a policy of its own. */
void run_zone_add(struct run *r, unsigned zone);

/* A primary tells the node of what it has. */
void run_notify(struct run *r, unsigned primary, unsigned zone, const uint32_t *serial);

/* The primary of the zone's policy, by its place there. */
struct primary_peer *run_primary_of(struct run *r, const struct zone_policy *policy, size_t place);

/* Changes, faults and commands. */
void storm_run(struct run *r);

/* No more faults: the network is calm, primaries and disk are well. */
void storm_end(struct run *r);

/* What must come of it when all is well. */
void calm_run(struct run *r);
