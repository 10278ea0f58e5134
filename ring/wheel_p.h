/* SPDX-License-Identifier: MIT
 *
 * ring/wheel_p.h — a hierarchical wheel of timers.
 *
 * Time is counted in ticks of IO_TIMER_TICK_NS. Level 0 has one slot a tick, each level above has
 * slots as long as the whole level below. A timer lies on the level of the highest group of bits in
 * which its tick differs from now, and moves down when its slot begins; so it fires at its very
 * tick after at most WHEEL_LEVELS - 1 moves. A bitmap a level finds the next occupied slot: nothing
 * is done for ticks in which nothing happens.
 *
 * Ownership: timers are the caller's; a set timer must stay where it is. */
#pragma once

#include "ring/io.h"

#define WHEEL_LEVEL_BITS 6
#define WHEEL_SLOTS      (1U << WHEEL_LEVEL_BITS)
#define WHEEL_LEVELS     8                /* 2^48 ticks: every time of 64 bits in nanoseconds */
#define WHEEL_FAR_NS     (UINT64_MAX / 2) /* times beyond are this one */
#define WHEEL_NEVER_NS   UINT64_MAX

struct wheel {
	uint64_t now; /* the tick up to which timers have become due */
	uint64_t occupied[WHEEL_LEVELS];
	struct io_timer *slots[WHEEL_LEVELS * WHEEL_SLOTS];
	struct io_timer *due;       /* to fire at the next run, in the order of their ticks */
	struct io_timer **due_tail; /* where the next one is linked */
	struct io_timer *firing;    /* what the present run still has to fire */
};

void wheel_init(struct wheel *w, uint64_t now_ns);

/* Unlinks every timer without firing it. O(timers). */
void wheel_fini(struct wheel *w);

/* O(1). A set timer is moved; a time in the past fires at the next run. */
void wheel_set(struct wheel *w, struct io_timer *t, uint64_t at_ns);
void wheel_clear(struct wheel *w, struct io_timer *t);

/* When wheel_run() has something to do next, to fire or to move down: 0 is at once,
 * WHEEL_NEVER_NS is when nothing is set. O(levels). */
uint64_t wheel_next_ns(const struct wheel *w);

/* Fires what is due at `now_ns`, earlier ticks first. Timers set meanwhile for the past fire at the
 * next run. */
void wheel_run(struct wheel *w, uint64_t now_ns);
