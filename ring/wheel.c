/* SPDX-License-Identifier: MIT
 *
 * ring/wheel.c — the timer wheel. */
#include "ring/wheel_p.h"

#define DIGIT_MASK (WHEEL_SLOTS - 1)

static_assert(UINT64_MAX / IO_TIMER_TICK_NS >> (WHEEL_LEVEL_BITS * WHEEL_LEVELS) == 0,
              "the levels cover all of time");

/* The first tick that is not before `at_ns`: timers may be late, never early. */
static uint64_t tick_of(uint64_t at_ns)
{
	if (at_ns > WHEEL_FAR_NS) {
		at_ns = WHEEL_FAR_NS;
	}
	return at_ns / IO_TIMER_TICK_NS + (at_ns % IO_TIMER_TICK_NS != 0);
}

static unsigned digit(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * WHEEL_LEVEL_BITS)) & DIGIT_MASK;
}

static void link_at(struct io_timer *t, struct io_timer **head)
{
	t->next = *head;
	t->back = head;
	if (t->next != NULL) {
		t->next->back = &t->next;
	}
	*head = t;
}

static void link_due(struct wheel *w, struct io_timer *t)
{
	assert(*w->due_tail == NULL);
	link_at(t, w->due_tail);
	w->due_tail = &t->next;
}

static void wheel_place(struct wheel *w, struct io_timer *t)
{
	uint64_t tick = tick_of(t->at_ns);
	unsigned level;
	unsigned slot;

	if (tick <= w->now) {
		link_due(w, t);
		return;
	}
	level = (unsigned)(63 - __builtin_clzll(tick ^ w->now)) / WHEEL_LEVEL_BITS;
	slot = digit(tick, level);
	assert(level < WHEEL_LEVELS);
	assert(slot > digit(w->now, level));
	link_at(t, &w->slots[level * WHEEL_SLOTS + slot]);
	w->occupied[level] |= 1ULL << slot;
}

/* Takes a timer off whatever list it is on, and keeps the bitmap true. */
static void wheel_unlink(struct wheel *w, struct io_timer *t)
{
	uintptr_t at = (uintptr_t)t->back;
	uintptr_t first = (uintptr_t)&w->slots[0];

	*t->back = t->next;
	if (t->next != NULL) {
		t->next->back = t->back;
	} else if (w->due_tail == &t->next) {
		w->due_tail = t->back;
	} else if (at >= first && at < first + sizeof(w->slots)) {
		size_t i = (at - first) / sizeof(w->slots[0]);
		w->occupied[i / WHEEL_SLOTS] &= ~(1ULL << i % WHEEL_SLOTS);
	}
	t->next = NULL;
	t->back = NULL;
}

void wheel_init(struct wheel *w, uint64_t now_ns)
{
	*w = (struct wheel){ .now = now_ns / IO_TIMER_TICK_NS };
	w->due_tail = &w->due;
}

static void list_forget(struct io_timer **head)
{
	while (*head != NULL) {
		struct io_timer *t = *head;
		*head = t->next;
		t->at_ns = 0;
		t->next = NULL;
		t->back = NULL;
	}
}

void wheel_fini(struct wheel *w)
{
	for (size_t i = 0; i < ARRAY_LEN(w->slots); i++) {
		list_forget(&w->slots[i]);
	}
	list_forget(&w->due);
	list_forget(&w->firing);
	*w = (struct wheel){ 0 };
}

void wheel_set(struct wheel *w, struct io_timer *t, uint64_t at_ns)
{
	assert(t->fn != NULL);
	wheel_clear(w, t);
	t->at_ns = at_ns == 0 ? 1 : at_ns;
	wheel_place(w, t);
}

void wheel_clear(struct wheel *w, struct io_timer *t)
{
	if (t->at_ns == 0) {
		return;
	}
	assert(t->back != NULL);
	wheel_unlink(w, t);
	t->at_ns = 0;
}

/* Finds the earliest occupied slot. Levels are looked at from below, since every slot of a level
 * ends before the next slot of the level above begins. */
static bool wheel_next(const struct wheel *w, unsigned *level, uint64_t *tick)
{
	for (unsigned l = 0; l < WHEEL_LEVELS; l++) {
		if (w->occupied[l] != 0) {
			unsigned slot = (unsigned)__builtin_ctzll(w->occupied[l]);
			unsigned low = l * WHEEL_LEVEL_BITS;
			uint64_t above = w->now >> (low + WHEEL_LEVEL_BITS);
			*level = l;
			*tick = (above << WHEEL_LEVEL_BITS | slot) << low;
			assert(*tick > w->now);
			return true;
		}
	}
	return false;
}

uint64_t wheel_next_ns(const struct wheel *w)
{
	unsigned level;
	uint64_t tick;

	if (w->due != NULL) {
		return 0;
	}
	return wheel_next(w, &level, &tick) ? tick * IO_TIMER_TICK_NS : WHEEL_NEVER_NS;
}

/* Begins the slot of `level` at `tick`: what is in it becomes due or moves down. */
static void wheel_begin_slot(struct wheel *w, unsigned level, uint64_t tick)
{
	struct io_timer **head = &w->slots[level * WHEEL_SLOTS + digit(tick, level)];

	w->now = tick;
	while (*head != NULL) {
		struct io_timer *t = *head;
		wheel_unlink(w, t);
		wheel_place(w, t);
	}
}

static void wheel_advance(struct wheel *w, uint64_t until)
{
	unsigned level;
	uint64_t tick;

	while (wheel_next(w, &level, &tick) && tick <= until) {
		wheel_begin_slot(w, level, tick);
	}
	if (until > w->now) {
		w->now = until;
	}
}

void wheel_run(struct wheel *w, uint64_t now_ns)
{
	assert(w->firing == NULL); /* a timer's function does not run timers */
	wheel_advance(w, now_ns / IO_TIMER_TICK_NS);
	w->firing = w->due;
	if (w->firing != NULL) {
		w->firing->back = &w->firing;
	}
	w->due = NULL;
	w->due_tail = &w->due;
	while (w->firing != NULL) {
		struct io_timer *t = w->firing;
		wheel_unlink(w, t);
		t->at_ns = 0;
		t->fn(t);
	}
}
