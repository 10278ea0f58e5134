/* SPDX-License-Identifier: MIT */
#include "ring/wheel_p.h"

#include <stdlib.h>

#include "tests/test.h"

#define SEED   7
#define TIMERS 400
#define TICK   IO_TIMER_TICK_NS

/* The model: every timer's time, and the order in which they fired. */
struct probe {
	struct io_timer timer;
	struct model *model;
	uint64_t want_ns; /* 0: not set */
};

struct model {
	struct wheel wheel;
	struct env_fake dice;
	uint64_t now_ns;
	uint64_t last_tick; /* of what fired last in this run */
	size_t fired;
	struct probe probes[TIMERS];
};

static uint64_t ceil_tick(uint64_t ns)
{
	return ns / TICK + (ns % TICK != 0);
}

static void on_probe(struct io_timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	struct model *m = p->model;
	uint64_t tick = ceil_tick(p->want_ns);

	cr_assert(p->want_ns != 0, "fired though cleared");
	cr_assert(not(io_timer_is_set(t)));
	cr_assert(p->want_ns <= m->now_ns, "fired early");
	cr_assert(tick >= m->last_tick, "fired out of order");
	m->last_tick = tick;
	m->fired++;
	p->want_ns = 0;
}

/* A distance of any magnitude, from the past to weeks. */
static uint64_t any_distance(struct model *m)
{
	unsigned bits = env_random_below(&m->dice.env, 51);

	return env_random_u64(&m->dice.env) & ((1ULL << bits) - 1);
}

static void change_one(struct model *m)
{
	struct probe *p = &m->probes[env_random_below(&m->dice.env, TIMERS)];

	if (env_random_below(&m->dice.env, 3) == 0) {
		wheel_clear(&m->wheel, &p->timer);
		p->want_ns = 0;
		return;
	}
	p->want_ns = m->now_ns + any_distance(m) + 1;
	wheel_set(&m->wheel, &p->timer, p->want_ns);
}

/* The earliest time that is set, 0 if none. */
static uint64_t model_next(const struct model *m)
{
	uint64_t next = 0;

	for (size_t i = 0; i < TIMERS; i++) {
		uint64_t at = m->probes[i].want_ns;
		if (at != 0 && (next == 0 || at < next)) {
			next = at;
		}
	}
	return next;
}

static void model_run(struct model *m, uint64_t to_ns)
{
	m->now_ns = to_ns;
	m->last_tick = 0;
	wheel_run(&m->wheel, to_ns);
	for (size_t i = 0; i < TIMERS; i++) {
		uint64_t at = m->probes[i].want_ns;
		cr_assert(at == 0 || ceil_tick(at) > to_ns / TICK, "a timer did not fire");
		cr_assert(eq(int, at != 0, io_timer_is_set(&m->probes[i].timer)));
	}
}

static struct model *model_new(uint64_t start_ns)
{
	struct model *m = calloc(1, sizeof(*m));

	env_fake_init(&m->dice, SEED);
	m->now_ns = start_ns;
	wheel_init(&m->wheel, start_ns);
	for (size_t i = 0; i < TIMERS; i++) {
		m->probes[i].model = m;
		m->probes[i].timer.fn = on_probe;
	}
	return m;
}

static void model_free(struct model *m)
{
	wheel_fini(&m->wheel);
	for (size_t i = 0; i < TIMERS; i++) {
		cr_expect(not(io_timer_is_set(&m->probes[i].timer)));
	}
	free(m);
}

TEST(wheel, fires_what_a_sorted_list_would)
{
	struct model *m = model_new(123456789012345);

	for (int round = 0; round < 20000; round++) {
		change_one(m);
		if (env_random_below(&m->dice.env, 4) == 0) {
			model_run(m, m->now_ns + any_distance(m) / 64);
		}
	}
	cr_expect(m->fired > 1000, "only %zu fired", m->fired);
	model_free(m);
}

/* What a ring does: sleeps until the wheel says, and finds that no timer is ever late for it. */
TEST(wheel, says_when_to_look_next)
{
	struct model *m = model_new(1);
	size_t looks = 0;

	for (int i = 0; i < TIMERS; i++) {
		m->probes[i].want_ns = m->now_ns + any_distance(m) + TICK;
		wheel_set(&m->wheel, &m->probes[i].timer, m->probes[i].want_ns);
	}
	while (model_next(m) != 0) {
		uint64_t next = wheel_next_ns(&m->wheel);
		cr_assert(next > m->now_ns && next <= ceil_tick(model_next(m)) * TICK);
		model_run(m, next);
		looks++;
	}
	cr_expect(eq(sz, m->fired, TIMERS));
	cr_expect(looks <= TIMERS * WHEEL_LEVELS, "%zu looks", looks);
	cr_expect(eq(u64, wheel_next_ns(&m->wheel), WHEEL_NEVER_NS));
	model_free(m);
}

/* Every distance of the first two levels and the borders of all, from every digit of now. */
TEST(wheel, sweeps_every_distance)
{
	for (uint64_t start = 0; start < WHEEL_SLOTS; start += 3) {
		struct model *m = model_new(start * TICK);
		struct probe *p = &m->probes[0];
		uint64_t distance = 0;

		while (distance < 1ULL << 40) {
			uint64_t before = m->fired;
			p->want_ns = m->now_ns + distance * TICK + 1;
			wheel_set(&m->wheel, &p->timer, p->want_ns);
			m->last_tick = 0;
			m->now_ns = ceil_tick(p->want_ns) * TICK - 1;
			wheel_run(&m->wheel, m->now_ns);
			cr_assert(eq(u64, m->fired, before), "early by %lu", distance);
			m->now_ns++;
			wheel_run(&m->wheel, m->now_ns);
			cr_assert(eq(u64, m->fired, before + 1), "late by %lu", distance);
			distance = distance < 4200 ? distance + 1 : distance * 2 - 1;
		}
		model_free(m);
	}
}

struct again {
	struct io_timer timer;
	struct io_timer *victim;
	struct wheel *wheel;
	int fired;
};

static void on_again(struct io_timer *t)
{
	struct again *a = container_of(t, struct again, timer);

	a->fired++;
	if (a->victim != NULL) {
		wheel_clear(a->wheel, a->victim);
	}
	wheel_set(a->wheel, t, 1); /* in the past */
}

TEST(wheel, timers_may_set_and_clear_timers)
{
	struct wheel w;
	struct again a = { .timer.fn = on_again, .wheel = &w };
	struct again b = { .timer.fn = on_again, .wheel = &w };

	wheel_init(&w, 0);
	a.victim = &b.timer;
	b.victim = &a.timer;
	wheel_set(&w, &a.timer, 5 * TICK);
	wheel_set(&w, &b.timer, 5 * TICK);
	wheel_run(&w, 5 * TICK);
	cr_expect(eq(int, a.fired + b.fired, 1), "the first cleared the second");
	cr_expect(eq(u64, wheel_next_ns(&w), 0), "a time in the past is due at once");
	wheel_run(&w, 5 * TICK);
	cr_expect(eq(int, a.fired + b.fired, 2), "and fires in the next run only");
	wheel_fini(&w);
	cr_expect(not(io_timer_is_set(&a.timer)));
}

TEST(wheel, takes_any_time)
{
	static const uint64_t times[] = { 0, 1, WHEEL_FAR_NS, UINT64_MAX - 1, UINT64_MAX };
	struct wheel w;
	struct again a = { .timer.fn = on_again, .wheel = &w };

	wheel_init(&w, 1000 * TICK);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		wheel_set(&w, &a.timer, times[i]);
		cr_expect(io_timer_is_set(&a.timer));
		wheel_run(&w, 1000 * TICK);
		wheel_clear(&w, &a.timer);
		wheel_clear(&w, &a.timer);
	}
	cr_expect(eq(int, a.fired, 2), "the two in the past");
	wheel_fini(&w);
}
