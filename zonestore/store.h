/* SPDX-License-Identifier: MIT
 *
 * zonestore/store.h — all zones: the table that every shard reads, what is durable, what is
 *visible.
 *
 * One shard owns a zone and is its only writer. A new version goes from the owner to the disk
 * thread, which makes many versions durable with one commit, and comes back to the owner, which
 * publishes it by one atomic store: a version is visible only when it would survive a crash.
 * Readers on any shard find zones and borrow versions without locks, between two announcements to
 * the epoch.
 *
 *	owner shard   builder -> snapshot -> store_commit() ............ publish -> done()
 *	disk thread                                    encode, commit __/
 *
 * Ownership: zones belong to the store; a `struct zone *` is borrowed for a turn, or held by its
 * owner shard until it called store_remove(). Snapshots passed in are taken. */
#pragma once

#include "base/event.h"
#include "zonestore/builder.h"
#include "zonestore/journal.h"
#include "zonestore/keep.h"
#include "zonestore/store_stats.h"

#define STORE_QUEUE_MAX       65536 /* commits waiting for the disk thread */
#define STORE_GROUP_MAX       10000 /* of them go into one transaction */
#define STORE_RETRY_S         5     /* between tries to write after the disk failed */
#define STORE_SUBSCRIBERS_MAX 8
#define STORE_LOADERS_MAX     16

struct store;
struct zone;
struct versions;
struct weigher;

/* A piece of work for another thread; a field of what it is about. */
struct store_task {
	void (*fn)(struct store_task *task);
	void *link[2]; /* for whoever carries it (fits a struct io_mail's needs) */
};

struct store_options {
	const struct env *env;
	struct events *events;
	struct epoch *epoch;
	struct pool *pool;
	struct journal *journal; /* taken */
	unsigned shard_count;
	unsigned engine_bytes; /* room in each zone for the transfer engine; a multiple of 8 */
	/* Carries a task to a shard; never refuses. On the disk thread, at the start on loaders' too. */
	void (*post)(void *self, unsigned shard, struct store_task *task);
	void *post_self;
	unsigned loaders; /* threads that read the journal at the start; 0: the disk thread */
};

MUST_USE enum err store_new(const struct store_options *options, struct store **out);
void store_free(struct store *st); /* the disk thread has stopped */

/* The disk thread, which also starts one that frees what nobody can see any more: loads what the
 * journal has into the zones added so far (calling `loaded` once at
 * the end), forgets journal zones nobody added, then commits until store_stop(), and what was
 * accepted by then. Until `loaded`, readers find zones and borrow versions as they come in, but no
 * shard notes, commits, adds or removes. Versions that are loaded are not told to subscribers; a
 * zone whose stored data is damaged comes without one and with its refresh due.
 *
 * store_load() and store_step() do the same without a thread, for tests and the simulator: a step
 * is one round without waiting, false when there was nothing to do. What store_load() returns is for
 * information: the store is good in any case. */
void store_run(struct store *st, void (*loaded)(void *self), void *self);
MUST_USE enum err store_load(struct store *st); /* ERR_STOPPING after store_stop() */
bool store_step(struct store *st);
void store_stop(struct store *st);

/* True while the last write failed and new versions are held back. */
bool store_failing(const struct store *st, enum err *why);

/* ---- zones ---- */

/* What is kept of a zone besides its versions; survives restarts. Times are wall clock seconds. */
struct zone_timers {
	int64_t refreshed_at_s; /* last time that a primary confirmed or sent a version; 0: never */
	int64_t refresh_at_s;   /* next refresh due */
	int64_t expire_at_s;    /* not served from then on; 0: nothing to expire */
	int64_t failing_since_s; /* 0: the last attempt succeeded */
	bool notified;           /* a NOTIFY was accepted and not yet satisfied */
	enum err last_error;
	struct addr last_error_primary;
	int64_t last_error_at_s;
};

/* Adds a zone, owned by shard hash(apex) % shard_count. ERR_BUSY if it is there already. Any
 * thread, one at a time; readers see it from then on. */
MUST_USE enum err store_add(struct store *st, struct name apex, struct zone **out);
void store_reserve(struct store *st, size_t zones); /* makes room for so many in all */

/* Removes a zone: readers lose it at once, the journal soon, memory when nobody can see it. On the
 * owner shard. A commit of it that is under way ends first, with ERR_NOT_FOUND. */
void store_remove(struct store *st, struct zone *zone);

/* The zone with this very apex / the one closest above or at `name`; NULL if none. No lock. */
struct zone *store_find(const struct store *st, struct name apex);
struct zone *store_find_enclosing(const struct store *st, struct name name);

/* Zones, and the engine's octets with them, stand at multiples of 8 from here, within
 * STORE_REGION_BYTES. */
#define STORE_REGION_BYTES (8ULL << 32)
const void *store_region(const struct store *st);
/* Where a zone stands, in eights from there, for whoever has to remember a million. */
uint32_t store_place(const struct store *st, const struct zone *zone);
struct zone *store_zone_at(const struct store *st, uint32_t place);

size_t store_zone_count(const struct store *st);

/* Calls for every zone, for listing: `visit` returns false to stop. Within a turn of a participant.
 */
void store_each(const struct store *st, bool (*visit)(void *self, struct zone *zone), void *self);

/* The shard that owns, or would own, the zone with this apex. */
unsigned store_shard_of(const struct store *st, struct name apex);

struct name zone_apex(const struct zone *zone); /* as configured */
unsigned zone_shard(const struct zone *zone);

/* The version that is being served, borrowed; NULL if there is none (never loaded, or expired). */
const struct snapshot *zone_borrow(const struct zone *zone);

/* The newest durable version even if expired (owner shard): what IXFR starts from. NULL if none. */
const struct snapshot *zone_newest(const struct zone *zone);

/* Stops or resumes serving (owner shard). An expired zone keeps its version. */
void zone_set_expired(struct zone *zone, bool expired);
bool zone_expired(const struct zone *zone);

/* Timers: read on the owner shard; writing stores them with the next group of commits. Those of a
 * commit under way replace them when it is done. Kept packed, hence by value (seconds 1970-2106).
 */
struct zone_timers zone_timers(const struct zone *zone);

/* The same before `loaded`, while the disk thread still fills them in. */
struct zone_timers store_timers(struct store *st, const struct zone *zone);
void store_note(struct store *st, struct zone *zone, const struct zone_timers *timers);
/* Without waiting for company: for what somebody was told that we know. */
void store_note_soon(struct store *st, struct zone *zone, const struct zone_timers *timers);

/* Two places for the rooms above: the transfer engine's octets (owner shard only; cleared where it
 * starts, NULL while it does not run), behind which the zone stands; and settings that any shard may read
 * (replaced whole; the old one is retired by whoever replaces it). */
void *zone_engine_start(struct zone *zone);
void zone_engine_stop(struct zone *zone);
void *zone_engine(const struct zone *zone);
void store_set_engine(struct store *st, unsigned shard, void *engine); /* all of a shard's zones' */
void *zone_shard_engine(const struct zone *zone);
void zone_set_policy(struct zone *zone, const void *policy);
const void *zone_policy(const struct zone *zone);

/* ---- commits ---- */

struct commit {
	void (*done)(struct commit *c, enum err e); /* on the owner shard; ERR_OK: it is visible */
	struct version_limits keep;                 /* of the versions before this one */
	enum hold_reason hold; /* why it is not to be served; a pinned zone's never is */
	/* private from here */
	struct store_task task;
	struct store *store;
	struct zone *zone;
	struct snapshot *snap;  /* to be served from then on; NULL: what is served now */
	struct versions *more;  /* what else is kept then */
	struct snapshot *fresh; /* whose differences to what is served now are to be counted */
	bool comes;             /* from a primary, with timers */
	bool pushes;            /* what is served now becomes an older version */
	bool weighed;
	struct weigher *weigher; /* while it is */
	struct zone_timers timers;
	uint64_t since_ns;
	uint64_t begun_ns; /* the first transaction that has a part of it; 0: none yet */
	enum err err;
	struct commit *next;
};

/* Makes `snap` (taken), which a primary sent, and `timers` durable, then visible: served, or kept
 * aside if c->hold says so or the zone is pinned. The serial under which it is served is chosen here
 * (versions.h). Owner shard. ERR_BUSY (a commit of the zone is under way, or the queue is full),
 * ERR_STOPPING: nothing was taken. A disk that fails is retried by the caller's choice: done() gets
 * ERR_DISK_*. It gets ERR_NOT_FOUND if the zone was removed meanwhile. */
MUST_USE enum err store_commit(struct store *st, struct zone *zone, struct snapshot *snap,
                               const struct zone_timers *timers, struct commit *c);

struct publish_event {
	struct zone *zone;
	const struct snapshot *old; /* NULL: the first version */
	const struct snapshot *snap;
};

struct subscriber {
	void *self;
	void (*on_publish)(void *self, struct publish_event event); /* on the owner shard */
};

/* Before the shards start. Aborts beyond STORE_SUBSCRIBERS_MAX. */
void store_subscribe(struct store *st, struct subscriber subscriber);
