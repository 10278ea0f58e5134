/* SPDX-License-Identifier: MIT
 *
 * zonestore/pace.c — how soon one transaction may follow another. */
#include "zonestore/pace_p.h"

#define ALONE_RATE 1850.0     /* updates a second that nobody waits for */
#define LOOK_NS    5000000U   /* updates are counted for so long to tell their rate ... */
#define MEMORY_NS  40000000.0 /* ... which is an average over about this */

static uint64_t min_ns(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max_ns(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* As many updates share a transaction as the third power of their rate: twice as many updates need
 * fewer transactions, and only as many as were saved wait longer. */
uint64_t pace_interval_ns(const struct pace *p)
{
	double ns = p->rate * p->rate / (ALONE_RATE * ALONE_RATE * ALONE_RATE) * 1e9;

	return ns < PACE_MAX_NS ? (uint64_t)ns : PACE_MAX_NS;
}

void pace_begin(struct pace *p, uint64_t now_ns)
{
	uint64_t pace = pace_interval_ns(p);
	uint64_t earliest = now_ns >= pace ? now_ns - pace : 0;

	/* The transactions of a large zone follow each other; they are not paid for later. */
	p->next_ns = min_ns(max_ns(p->next_ns, earliest), now_ns) + pace;
}

void pace_count(struct pace *p, uint64_t now_ns, uint64_t updates)
{
	uint64_t passed = now_ns - p->since_ns;
	double weight;

	p->count += updates;
	if (passed < LOOK_NS) {
		return;
	}
	weight = (double)passed < MEMORY_NS ? (double)passed / MEMORY_NS : 1;
	p->rate += weight * ((double)p->count * 1e9 / (double)passed - p->rate);
	p->since_ns = now_ns;
	p->count = 0;
}
