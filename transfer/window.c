/* SPDX-License-Identifier: MIT
 *
 * transfer/window.c — how many requests a primary bears at once. */
#include "transfer/window_p.h"

void window_init(struct window *w, uint32_t max)
{
	assert(max > 0);
	*w = (struct window){ .max = max, .doubling = true };
	w->size = WINDOW_FIRST < max ? WINDOW_FIRST : max;
}

void window_limit(struct window *w, uint32_t max)
{
	assert(max > 0);
	w->max = max;
	w->size = w->size < max ? w->size : max;
}

uint64_t window_rest_ns(const struct window *w)
{
	if (w->least_ns[0] == 0 || w->least_ns[1] == 0) {
		return w->least_ns[0] + w->least_ns[1];
	}
	return w->least_ns[0] < w->least_ns[1] ? w->least_ns[0] : w->least_ns[1];
}

static void note_latency(struct window *w, uint64_t latency_ns, uint64_t now_ns)
{
	if (now_ns >= w->period_end_ns) {
		w->least_ns[1] = w->least_ns[0];
		w->least_ns[0] = 0;
		w->period_end_ns = now_ns + WINDOW_PERIOD_NS;
	}
	latency_ns = latency_ns == 0 ? 1 : latency_ns;
	if (w->least_ns[0] == 0 || latency_ns < w->least_ns[0]) {
		w->least_ns[0] = latency_ns;
	}
	w->smooth_ns = w->smooth_ns == 0 ? latency_ns : (w->smooth_ns * 7 + latency_ns) / 8;
}

void window_answered(struct window *w, uint64_t latency_ns, bool busy, uint64_t now_ns)
{
	bool flat;

	note_latency(w, latency_ns, now_ns);
	flat = w->smooth_ns <= 2 * window_rest_ns(w) + WINDOW_SLACK_NS;
	if (!flat) {
		w->doubling = false;
	}
	if (!flat || !busy || w->size >= w->max) {
		return; /* what is not made use of says nothing about what could be borne */
	}
	w->grown++;
	if (w->doubling || w->grown >= w->size) {
		w->size++;
		w->grown = 0;
	}
}

void window_lost(struct window *w, uint64_t now_ns)
{
	if (now_ns < w->whole_ns) {
		return; /* sent before it was halved */
	}
	w->size = w->size > 1 ? w->size / 2 : 1;
	w->grown = 0;
	w->doubling = false;
	w->refusals = 0;
	w->whole_ns = now_ns + w->smooth_ns;
}

void window_judged(struct window *w, bool refused, uint64_t now_ns)
{
	static_assert(WINDOW_OUTCOMES == 8 * sizeof(w->refusals), "a bit each");
	w->refusals = w->refusals << 1 | (refused ? 1U : 0U);
	if (refused && (unsigned)__builtin_popcount(w->refusals) >= WINDOW_REFUSALS_MAX) {
		window_lost(w, now_ns);
	}
}
