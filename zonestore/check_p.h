/* SPDX-License-Identifier: MIT
 *
 * zonestore/check_p.h — telling what a check finds.
 *
 * Ownership: a teller borrows its sink. */
#pragma once

#include "zonestore/check.h"

#define CHECK_LOOK_EVERY 1024 /* nodes, between looks at the clock and at who listens */

struct teller {
	const struct check_sink *sink;
	const char *what; /* lines begin with it */
	uint64_t findings;
	uint64_t next_ns; /* when it is told how far we are */
	bool deaf;        /* nobody listens */
};

struct teller teller_of(const struct check_sink *sink, const char *what);

/* Tells a finding, and counts it. */
__attribute__((format(printf, 2, 3))) void teller_find(struct teller *t, const char *format, ...);

/* Tells something that is no finding. */
__attribute__((format(printf, 2, 3))) void teller_say(struct teller *t, const char *format, ...);

/* Says how far it is, now and then. False: stop. */
MUST_USE bool teller_goes_on(struct teller *t, uint64_t done, const char *of_what);

enum err teller_result(const struct teller *t);
