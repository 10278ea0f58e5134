/* SPDX-License-Identifier: MIT
 *
 * base/durations.c — buckets by the exponent and the two bits after the first of 1.024 µs units. */
#include "base/durations.h"

#define UNIT_SHIFT 10

static unsigned bucket_of(uint64_t ns)
{
	uint64_t units = ns >> UNIT_SHIFT;
	unsigned exponent;
	unsigned bucket;

	if (units < 4) {
		return (unsigned)units;
	}
	exponent = 63 - (unsigned)__builtin_clzll(units);
	bucket = 4 * (exponent - 1) + (unsigned)(units >> (exponent - 2) & 3);
	return bucket < DURATIONS_BUCKETS ? bucket : DURATIONS_BUCKETS - 1;
}

/* The first duration that is beyond it. */
static uint64_t bucket_end_ns(unsigned bucket)
{
	if (bucket < 4) {
		return (uint64_t)(bucket + 1) << UNIT_SHIFT;
	}
	return (uint64_t)(5 + bucket % 4) << (bucket / 4 - 1 + UNIT_SHIFT);
}

void durations_add(struct durations *d, uint64_t ns)
{
	d->count++;
	d->sum_ns += ns;
	d->max_ns = ns > d->max_ns ? ns : d->max_ns;
	d->buckets[bucket_of(ns)]++;
}

uint64_t durations_quantile(const struct durations *d, unsigned per_mille)
{
	uint64_t rank = (d->count * per_mille + 999) / 1000;
	uint64_t seen = 0;

	for (unsigned i = 0; i < DURATIONS_BUCKETS - 1; i++) {
		seen += d->buckets[i];
		if (seen >= rank) {
			uint64_t end = bucket_end_ns(i);
			return end < d->max_ns ? end : d->max_ns;
		}
	}
	return d->max_ns;
}

uint64_t durations_mean(const struct durations *d)
{
	return d->count == 0 ? 0 : d->sum_ns / d->count;
}
