/* SPDX-License-Identifier: MIT
 *
 * transfer/guard_p.h — whether a new version may be served.
 *
 * A version was checked to be a zone when it was made; guards look for what is well-formed and
 * still looks wrong. Pure.
 *
 * Ownership: borrows. */
#pragma once

#include "transfer/policy.h"

struct guard_case {
	const struct policy_guard *guard;
	const struct snapshot *fresh;
	const struct snapshot *served; /* NULL: nothing is, there is nothing to compare with */
	bool expired;                  /* nothing is served any more: what would be held passes */
};

struct guard_verdict {
	enum guard_act act;   /* GUARD_OFF: it passes */
	enum hold_reason why; /* what it is, or would be, held for; HOLD_NONE: nothing */
	enum err err;         /* the same for whoever refuses it */
};

/* Judges a version. What is to be refused is not held. O(octets of the zone) if it has a ZONEMD. */
struct guard_verdict guard_judge(const struct guard_case *c);

/* Why a version is not served, for people. A static string. */
const char *guard_reason_print(enum hold_reason why);
