/* SPDX-License-Identifier: MIT
 *
 * control/ops_primaries.h — what the control interface tells of primaries (control/ops.h).
 *
 * One struct control_primary for each address in the section `primaries` of the configuration, whatever
 * is named so and however many workers deal with it: sums and the worst over all workers. */
#pragma once

#include "base/addr.h"

#define CONTROL_PRIMARIES_MAX 65536 /* addresses; no more are looked at */
#define CONTROL_PRIMARY_NAMES 4     /* told of one address */
#define CONTROL_PRIMARY_NAME  64    /* octets of each */

enum control_primary_state {
	CONTROL_PRIMARY_DOWN, /* one of the workers at least could not reach it */
	CONTROL_PRIMARY_UP,
	CONTROL_PRIMARY_UNUSED, /* nothing was asked of it since the start, or for a day */
	CONTROL_PRIMARY_STATES,
};

/* What it can do with a connection. */
enum control_ability {
	CONTROL_CAN_PIPELINE, /* many requests at once */
	CONTROL_CAN_SERIAL,   /* one after the other */
	CONTROL_CAN_SINGLE,   /* one, then it closes */
	CONTROL_ABILITIES,
};

/* In which transfers wait, what comes first first. */
enum control_lane {
	CONTROL_LANE_OPERATOR,
	CONTROL_LANE_NOTIFY,
	CONTROL_LANE_EXPIRING,
	CONTROL_LANE_DUE,
	CONTROL_LANE_FIRST,
	CONTROL_LANES,
};

struct control_primary {
	struct addr addr;
	unsigned name_count;
	char names[CONTROL_PRIMARY_NAMES][CONTROL_PRIMARY_NAME]; /* as configured */
	enum control_primary_state state;
	bool trying;                    /* down, and being tried */
	uint32_t workers, workers_down; /* that deal with it; and could not reach it */
	int64_t down_since_s;           /* wall clock; 0: not, as below */
	int64_t next_try_at_s;          /* 0 also: when a zone wants something of it */
	enum err last_error;            /* to reach it, also if it was since; ERR_OK: none */
	int64_t last_error_at_s;
	uint64_t connections;
	uint64_t connections_borne;      /* it refused more; 0: it did not */
	uint64_t running[CONTROL_LANES]; /* transfers */
	uint64_t waiting[CONTROL_LANES];
	bool waiting_rough; /* the sum of `waiting` is right, the shares may not be */
	uint64_t parked;    /* zones that wait until it is up */
	uint64_t asks_running, asks_waiting; /* questions over UDP */
	uint64_t window, asks_window;        /* requests at once, as it bears */
	enum control_ability ability;
	bool silent_udp;
	uint64_t connect_ns; /* latency: to connect, smoothed; 0: not known, as below */
	uint64_t answer_ns;  /* until the answer of a transfer begins, smoothed ... */
	uint64_t rest_ns;    /* ... and at rest */
	uint64_t ask_ns;     /* of a question over UDP, smoothed */
	uint32_t max_connections, max_transfers; /* limits in force, of all workers together */
	uint32_t queries_per_s;                  /* 0: no limit */
};

/* What is wrong comes first: those that are down, then those that can do less than others, then the
 * others, those with most waiting before them; unused ones last. */
struct control_primaries {
	struct control_primary *rows; /* the caller's to free() */
	size_t count;
	uint64_t left_out; /* addresses beyond CONTROL_PRIMARIES_MAX */
};
