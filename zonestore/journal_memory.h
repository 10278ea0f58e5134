/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_memory.h — a journal in memory, with a disk that fails when told to.
 *
 * The `struct memory_disk` is what survives a crash; a journal on it can be thrown away and another
 * one opened, which sees what was committed. Faults are counted in writes: every put, drop and
 * commit is one. For tests and the simulator.
 *
 * Ownership: the disk is the caller's (new/free) and outlives its journals, of which there is one
 * at a time. */
#pragma once

#include "zonestore/journal.h"

struct memory_disk;

struct memory_disk *memory_disk_new(void);
void memory_disk_free(struct memory_disk *disk);

/* A disk with what is durable on this one and without its faults: what a crash would leave now. */
struct memory_disk *memory_disk_copy(const struct memory_disk *disk);

struct journal *journal_memory_new(struct memory_disk *disk);

/* The write number `nth` from now (1: the next) fails with `e`, and so do those after it until
 * memory_disk_heal(); what was not committed then is lost. 0 for `nth` fails nothing. */
void memory_disk_fail(struct memory_disk *disk, uint64_t nth, enum err e);

/* Only the write number `nth` from now fails. */
void memory_disk_fail_once(struct memory_disk *disk, uint64_t nth, enum err e);
void memory_disk_heal(struct memory_disk *disk);

/* Scans end with `e` after `count` records, until the journal is reset or the disk healed. */
void memory_disk_fail_scan(struct memory_disk *disk, size_t count, enum err e);

/* Writes and commits since the disk was made. */
uint64_t memory_disk_writes(const struct memory_disk *disk);
uint64_t memory_disk_commits(const struct memory_disk *disk);

/* What is durable, by place in order of key, for damaging it: false beyond the end. The octets may
 * be changed in place. */
struct memory_record {
	uint64_t key;
	uint8_t *at;
	size_t len;
};

MUST_USE bool memory_disk_node(struct memory_disk *disk, size_t index, struct memory_record *out);
MUST_USE bool memory_disk_zone(struct memory_disk *disk, size_t index, struct memory_record *out);

/* Loses a node, as no journal ever should. */
void memory_disk_lose_node(struct memory_disk *disk, uint64_t seq);
