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
#include "zonestore/zonemd.h"

struct guard_case {
	const struct policy_guard *guard;
	const struct snapshot *fresh;
	const struct snapshot *served; /* NULL: nothing is, there is nothing to compare with */
	enum zonemd_result zonemd;     /* if guard_wants_zonemd() */
	bool expired;                  /* nothing is served any more: what would be held passes */
};

struct guard_verdict {
	enum guard_act act;   /* GUARD_OFF: it passes */
	enum hold_reason why; /* what it is, or would be, held for; HOLD_NONE: nothing */
	enum err err;         /* the same for whoever refuses it */
};

/* Whether the version's digest has to be verified before it is judged: where that costs much, and
 * may still change the verdict. */
bool guard_wants_zonemd(const struct guard_case *c);

/* Judges a version. What is to be refused is not held. */
struct guard_verdict guard_judge(const struct guard_case *c);

/* Why a version is not served, for people. A static string. */
const char *guard_reason_print(enum hold_reason why);
