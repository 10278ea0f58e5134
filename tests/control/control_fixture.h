/* SPDX-License-Identifier: MIT
 *
 * tests/control/control_fixture.h — a daemon that is none, behind a control socket that is one. */
#pragma once

#include <stdatomic.h>
#include <time.h>

#include "base/arena.h"
#include "control/control.h"
#include "control/ctl_p.h"

#define FAKE_NOW_S  1800000000 /* 2027-01-15T08:00:00Z */
#define FAKE_HELD   1          /* the zone with versions: held, served and older */
#define FAKE_SOURCE 4294967281U

struct fake_daemon {
	struct control_ops ops;
	struct events events;
	struct control *control;
	char folder[32];
	char path[64];

	/* What it pretends. Zone 0 is 0/25.2.0.192.in-addr.arpa., zone i is zone<i>.example., with
	 * the states in turn; zone 0 is new, so nothing of it is served. */
	size_t zones;
	size_t fail_page_at; /* the zone before which a page fails; 0: none */
	size_t export_bytes;
	enum err export_end; /* after those */
	enum err reload;
	size_t primaries; /* the first is down, the second can do little, the fourth is unused */
	uint64_t primaries_left_out;
	bool primaries_fail;
	const char *check_lines;
	enum err check_end;
	bool check_thinks; /* for ever, after those lines */

	struct control_version_act act; /* the last */
	_Atomic unsigned acts;
	_Atomic unsigned refreshes, retransfers, stops, reloads;
	_Atomic bool export_stopped; /* put() said so */
	_Atomic bool check_stopped;
};

/* Starts it in a new folder. */
void fake_start(struct fake_daemon *d);
/* Stops it and removes the folder. */
void fake_stop(struct fake_daemon *d);

/* The zone as the fake daemon tells it. */
void fake_zone(const struct fake_daemon *d, size_t i, struct control_zone *out);

/* The primary as the fake daemon tells it. */
void fake_primary(size_t i, struct control_primary *out);

/* The octet of an export at `pos`. */
char fake_export_octet(size_t pos);

/* One call; returns the status, or 0 without an answer. *body is NULL or a string to be freed. */
unsigned fake_call(const struct fake_daemon *d, const char *method, const char *target,
                   char **body);
