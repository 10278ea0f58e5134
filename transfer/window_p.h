/* SPDX-License-Identifier: MIT
 *
 * transfer/window_p.h — how many requests a primary bears at once, found out by asking it.
 *
 * The window doubles from answer to answer until the latency rises for the first time; from then on
 * it grows by one for each window of answers, as long as the latency is flat. A request without an
 * answer halves it, and so does a share of refusals that other zones alone do not explain. The
 * latency at rest is the least that was seen in this period and the one before.
 *
 * Pure: the caller has the clock. Ownership: a value; the zero value is not one, see window_init(). */
#pragma once

#include "base/bytes.h"

#define WINDOW_FIRST        16U                /* requests, before anything is known */
#define WINDOW_SLACK_NS     (4U * 1000 * 1000) /* latency above twice that at rest: still flat */
#define WINDOW_PERIOD_NS    (30ULL * 1000 * 1000 * 1000)
#define WINDOW_OUTCOMES     32U /* answers that refusals are counted among ... */
#define WINDOW_REFUSALS_MAX 8U  /* ... and so many of them are too many */

struct window {
	uint32_t size; /* requests at once */
	uint32_t max;
	uint32_t grown;         /* answers since it grew last */
	bool doubling;          /* until the latency rises or something is lost */
	uint32_t refusals;      /* the last answers: a bit each, 1 if it was a refusal */
	uint64_t least_ns[2];   /* latency: of this period, of the one before; 0: unknown */
	uint64_t period_end_ns; /* of this period */
	uint64_t smooth_ns;     /* latency, smoothed */
	uint64_t whole_ns;      /* not halved again before this */
};

void window_init(struct window *w, uint32_t max);

/* A new limit; the window shrinks to it. */
void window_limit(struct window *w, uint32_t max);

/* An answer began `latency_ns` after its request was sent. `busy`: about as many ran as may, shares of idle
 * lanes apart. */
void window_answered(struct window *w, uint64_t latency_ns, bool busy, uint64_t now_ns);

/* What an answer said: refused (REFUSED, SERVFAIL), or not. */
void window_judged(struct window *w, bool refused, uint64_t now_ns);

/* A request had no answer in time, or was cut off. */
void window_lost(struct window *w, uint64_t now_ns);

/* The latency at rest; 0 if it is not known. */
uint64_t window_rest_ns(const struct window *w);
