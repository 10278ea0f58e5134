/* SPDX-License-Identifier: MIT
 *
 * zonestore/pace_p.h — how soon one transaction may follow another.
 *
 * A transaction costs the same whether it has one update or hundreds. As long as updates are few,
 * CPU time is not what is short, and each may have a transaction of its own. The more there are, the
 * longer is the time in which they are collected, up to PACE_MAX_NS:
 *
 *	updates a second   1,000   2,000   3,000   5,000   9,800 and more
 *	collected for (ms)   0.2     0.6     1.4     3.9    15
 *	share a transaction    1       1       4      20   150 and more
 *
 * Ownership: by value; the disk thread's. */
#pragma once

#include <stdint.h>

#define PACE_MAX_NS 15000000U /* 15 ms */

struct pace {
	uint64_t next_ns;  /* earliest time of the next transaction */
	uint64_t since_ns; /* of what is counted but not in `rate` */
	uint64_t count;
	double rate; /* updates a second, of late */
};

/* For how long updates are collected at the rate of late. */
uint64_t pace_interval_ns(const struct pace *p);

/* A transaction begins. Transactions may come in pairs, but not faster in the long run: an update
 * after a pause goes at once. */
void pace_begin(struct pace *p, uint64_t now_ns);

/* It took so many updates. */
void pace_count(struct pace *p, uint64_t now_ns, uint64_t updates);
