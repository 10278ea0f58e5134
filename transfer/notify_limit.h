/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_limit.h — how many NOTIFYs a second are taken of each source.
 *
 * A source is an IPv4 address or an IPv6 /64. Two rates are counted of it apart: of what is allowed,
 * and of what is refused. The table is of a fixed size: a source takes the place of the one with the
 * least to its account, so that whoever sends much is never forgotten for those who send little, and
 * who is forgotten is merely believed once more.
 *
 * Ownership: new/free; one thread. */
#pragma once

#include "base/addr.h"
#include "base/env.h"

#define NOTIFY_SOURCES         4096U /* known at once, of a shard: 128 KiB */
#define NOTIFY_SOURCE_BURST_MS 1000U /* worth of the rate may come at once */

struct notify_limit;

enum notify_limit_kind { NOTIFY_LIMIT_ALLOWED, NOTIFY_LIMIT_REFUSED, NOTIFY_LIMIT_KINDS };

struct notify_limit *notify_limit_new(const struct env *env);
void notify_limit_free(struct notify_limit *l);

/* Counts one more of `from`; false if that is more than `per_second` (0: any number) allows. O(1). */
MUST_USE bool notify_limit_take(struct notify_limit *l, const struct addr *from,
                                enum notify_limit_kind kind, uint32_t per_second);
