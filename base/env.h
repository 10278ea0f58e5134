/* SPDX-License-Identifier: MIT
 *
 * base/env.h — the clock and the dice, passed in.
 *
 * Whatever needs time or randomness takes a `const struct env *`. env_system() is the real world;
 * the simulator has another, so that a run is a function of its seed. Monotonic time is for waiting
 * and measuring, wall time only for what must survive a restart and for TSIG. */
#pragma once

#include "base/bytes.h"

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

struct env {
	void *self;
	uint64_t (*mono_ns)(void *self); /* nanoseconds, never back */
	int64_t (*wall_s)(void *self);   /* seconds since 1970, UTC */
	void (*random)(void *self, void *out, size_t len);
};

static inline uint64_t env_mono_ns(const struct env *env)
{
	return env->mono_ns(env->self);
}

static inline int64_t env_wall_s(const struct env *env)
{
	return env->wall_s(env->self);
}

uint32_t env_random_u32(const struct env *env);
uint64_t env_random_u64(const struct env *env);

/* An even choice from 0 to bound - 1; bound > 0. */
uint32_t env_random_below(const struct env *env, uint32_t bound);

/* The real clock, and the system's randomness through a per-thread buffer. */
const struct env *env_system(void);

/* A clock that stands still until told, and seeded randomness (xoshiro256**). For tests. */
struct env_fake {
	struct env env;
	uint64_t now_ns;
	int64_t wall_at_0_s; /* wall time when now_ns is 0 */
	uint64_t state[4];
};

void env_fake_init(struct env_fake *f, uint64_t seed);
