/* SPDX-License-Identifier: MIT
 *
 * tests/sim/judge.h — what must always be so, looked at after every turn of the node under test.
 *
 *	- What is served is a version that the primary it came from really had: its content, not its
 *	  serial alone.
 *	- Serials do not go back, those of the primary nor those that are served, unless somebody said
 *	  that they may.
 *	- What is visible is durable: what a crash leaves is what was visible or something newer.
 *	- Nothing is served after it expired, and pins hold, also over an end of the node.
 *	- No primary has more connections than is allowed.
 *	- Nothing goes round without end.
 *
 * A violation is printed, with what replays it, and ends the program with 1.
 *
 * Ownership: init/fini; all else is borrowed. */
#pragma once

#include "tests/sim/primary.h"
#include "tests/sim/secondary.h"

#define JUDGE_HELD_MAX 8
#define JUDGE_TOLD_MAX 64 /* serials that others may still hear of */

/* A version as others saw it. */
struct seen {
	uint32_t serial;
	uint32_t source;
	struct id root;
};

struct judge_zone {
	const struct snapshot *snap; /* borrowed at the end of the last turn */
	bool seen;                   /* a version has been visible since the zone was added */
	struct seen last;
	bool may_go_back; /* somebody said so, and something is still under way */
	uint64_t said_ns;
	bool steady;      /* nothing may go back now, whatever the policy */
	bool was_expired; /* since a version was last served */
	/* As the last turn left it. */
	bool expired;
	int64_t confirmed_s; /* by a primary, the last time before it expired */
	bool pinned;
	bool late; /* an operator had a version served for the first time: nobody confirmed it since */
	int64_t late_s;
	bool acting;                 /* an operator's act was on its way when the node ended */
	const struct snapshot *have; /* what the primary sent last, served or kept aside */
	bool had;
	struct seen had_last;   /* by the primary's serial */
	struct seen had_before; /* a turn ago */
};

/* The last serials that a zone was served with, if only for a part of a turn. */
struct judge_serials {
	uint32_t at[JUDGE_TOLD_MAX];
	unsigned count;
};

/* A version that is held over many turns, as a transfer out does. */
struct judge_held {
	struct snapshot *snap;
	struct seen seen;
};

struct judge {
	uint64_t seed;
	const char *again; /* options besides the seed that replay the run */
	struct sim *sim;
	struct truth *truth;
	struct secondary *node;
	struct env_fake dice;
	unsigned primary_count;
	struct {
		struct addr addr;
		size_t conns_max; /* that the operator allows */
	} primaries[PRIMARIES_MAX];
	struct judge_zone zones[TRUTH_ZONES_MAX];
	struct judge_serials serials[TRUTH_ZONES_MAX];
	struct judge_held held[JUDGE_HELD_MAX];
	uint64_t turns;
	uint64_t turns_now; /* without the clock moving */
	uint64_t now_ns;
	uint64_t visible; /* versions that became so */
	uint64_t audits;
	uint64_t trace;
	bool verbose;
};

void judge_init(struct judge *j, uint64_t seed);

/* Prints and ends the program. `zone` -1: it is about none. */
__attribute__((format(printf, 3, 4), noreturn)) void judge_fail(struct judge *j, int zone,
                                                                const char *format, ...);

/* Says in the trace what is done to the world. */
__attribute__((format(printf, 2, 3))) void judge_note(struct judge *j, const char *format, ...);

/* A version becomes visible. */
void judge_published(struct judge *j, unsigned zone, const struct snapshot *snap);

/* A turn has ended. */
void judge_turn(struct judge *j);

/* The node has begun again: what it loaded. */
void judge_started(struct judge *j);

/* The node is down: nobody holds anything; `left` is what its pool still had. */
void judge_ending(struct judge *j);
void judge_ended(struct judge *j, const struct pool_stats *left);

/* Serials of a zone may go back until all that was asked for is done. */
void judge_allow(struct judge *j, unsigned zone);

/* The zone was removed. */
void judge_forget(struct judge *j, unsigned zone);

/* Takes a reference, or gives it back and looks whether the version is still what it was. */
void judge_hold(struct judge *j, unsigned slot, unsigned zone);

/* True if the zone is in step with `version`, served where nothing keeps it from that. */
bool judge_current(struct judge *j, unsigned zone, int version);

/* Somebody was told of a version. */
void judge_told(struct judge *j, int zone, uint32_t serial);
