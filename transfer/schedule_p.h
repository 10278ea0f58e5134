/* SPDX-License-Identifier: MIT
 *
 * transfer/schedule_p.h — when a zone is asked about again, and when it expires.
 *
 * Pure arithmetic on a zone's SOA (RFC 1035 §3.3.13), the floors and ceilings of its policy, and
 * dice. Delays are in milliseconds, so that short ones are spread as well. */
#pragma once

#include "base/env.h"
#include "dns/rr.h"
#include "transfer/policy.h"

#define SCHEDULE_JITTER_PART   10 /* a delay is shortened by up to a tenth */
#define SCHEDULE_START_MAX_S   30 /* what is overdue at start is spread over so much at most */
#define SCHEDULE_RETRY_FLOOR_S 1

struct schedule {
	uint32_t refresh_s;
	uint32_t retry_s;
	uint32_t expire_s;
};

/* The zone's intervals, within the limits. Expire is never shorter than refresh and retry together,
 * or a zone would expire while all is well. */
void schedule_init(struct schedule *out, const struct soa *soa, const struct policy_limits *limits);

/* A delay of `seconds`, shortened by up to a tenth by dice. */
uint64_t schedule_delay_ms(const struct env *env, uint32_t seconds);

/* The same, for what begins together with many others: anywhere from a tenth of it on, so that they are
 * not due together for ever. */
uint64_t schedule_spread_ms(const struct env *env, uint32_t seconds);

/* Seconds to wait after the `failures`th failed first load in a row (1 is the first): doubles from
 * min-retry to max-retry. */
uint32_t schedule_backoff_s(const struct policy_limits *limits, unsigned failures);

/* How long a refresh that is due at the wall time `due_s` waits when the engine starts at `now_s`:
 * what is overdue is spread by dice, and a due time too far ahead (a clock that was wrong) is cut
 * to one refresh interval. */
uint64_t schedule_start_ms(const struct env *env, const struct schedule *s, int64_t due_s,
                           int64_t now_s);
