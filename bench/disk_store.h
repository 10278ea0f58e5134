/* SPDX-License-Identifier: MIT
 *
 * bench/disk_store.h — a store on LMDB with one shard, the caller's thread, and the zones that
 * bench/disk_bench.c puts into it.
 *
 * Hosting zones have 12 records; of each, two names, three addresses and the serial are its own. The
 * large zone is a registry's: delegations with two NS, every third with glue, every fourth with DS. */
#pragma once

#include <pthread.h>

#include "dns/rdata.h"
#include "zonestore/store.h"

/* What updates waited for, from store_commit() until they were visible. */
struct waits {
	uint64_t max_ns;
	uint64_t sum_ns;
	uint64_t count;
};

struct bench {
	const char *folder;
	unsigned zones;       /* hosting zones */
	unsigned delegations; /* of the large zone */
	/* set by bench_open() */
	struct events events;
	struct epoch *epoch;
	unsigned participant;
	struct pool *pool;
	struct store *st;
	pthread_t disk;
	pthread_mutex_t lock;
	pthread_cond_t mail;
	struct store_task *first;
	struct store_task **last;
	bool loaded;
	unsigned under_way;
	bool large_under_way;
	struct waits waits; /* of updates of hosting zones */
	struct rr_scratch scratch;
	uint8_t *glue; /* last octet of the glue of each delegation */
	uint32_t large_serial;
};

uint64_t now_ns(void);
double secs_since(uint64_t began_ns);
void must(bool good, const char *what);

/* Opens the database, adds the zones, and starts the disk thread; returns when all is loaded. */
void bench_open(struct bench *b);
void bench_close(struct bench *b);

/* Runs what the disk thread answered; waits for something if there is nothing and `wait`. */
void bench_turn(struct bench *b, bool wait);
/* Waits for something to run, at most until then. */
void bench_sleep(struct bench *b, uint64_t until_ns);

/* Waits until nothing is under way. */
void bench_settle(struct bench *b);

struct store_stats bench_stats(struct bench *b);

/* A version of hosting zone `i`. */
struct snapshot *hosting_version(struct bench *b, unsigned i, uint32_t serial);
void hosting_commit(struct bench *b, unsigned i, struct snapshot *snap);

/* The large zone from nothing, or with the address of one glue record changed. */
struct snapshot *large_version(struct bench *b);
struct snapshot *large_patched(struct bench *b, unsigned delegation);
void large_commit(struct bench *b, struct snapshot *snap);
struct zone *large_zone(struct bench *b);
