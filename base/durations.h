/* SPDX-License-Identifier: MIT
 *
 * base/durations.h — how long things took, counted in fixed memory.
 *
 * A bucket for every quarter of a doubling, from a microsecond to some minutes: quantiles are at
 * most a quarter too high, never too low. Plain data: one thread adds, others read a copy. */
#pragma once

#include "base/bytes.h"

#define DURATIONS_BUCKETS 112

struct durations {
	uint64_t count;
	uint64_t sum_ns;
	uint64_t max_ns;
	uint64_t buckets[DURATIONS_BUCKETS];
};

void durations_add(struct durations *d, uint64_t ns);

/* What `per_mille` of them did not exceed (1000: the longest); 0 if there are none. */
uint64_t durations_quantile(const struct durations *d, unsigned per_mille);

uint64_t durations_mean(const struct durations *d);
