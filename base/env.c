/* SPDX-License-Identifier: MIT
 *
 * base/env.c — the one place that asks the system for time and randomness. */
#include "base/env.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* Randomness is drawn in blocks, since a system call for each query id would be dear. Thread-local
 * and filled from the system: a cache of the system's state, not a state of the program. */
#define RANDOM_BLOCK_LEN 1024

static uint64_t system_mono_ns(void *self)
{
	struct timespec ts;

	(void)self;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int64_t system_wall_s(void *self)
{
	(void)self;
	return (int64_t)time(NULL);
}

static void system_fill(uint8_t *at, size_t len)
{
	while (len > 0) {
		ssize_t got = getrandom(at, len, 0);
		if (got > 0) {
			at += got;
			len -= (size_t)got;
		} else if (got == 0) {
			abort(); /* a kernel without randomness: nothing here would be safe */
		}
	}
}

static void system_random(void *self, void *out, size_t len)
{
	static _Thread_local uint8_t block[RANDOM_BLOCK_LEN];
	static _Thread_local size_t left;

	(void)self;
	if (len > sizeof(block) / 4) {
		system_fill(out, len);
		return;
	}
	if (left < len) {
		system_fill(block, sizeof(block));
		left = sizeof(block);
	}
	left -= len;
	memcpy(out, block + left, len);
	memset(block + left, 0, len);
}

const struct env *env_system(void)
{
	static const struct env env = { NULL, system_mono_ns, system_wall_s, system_random };

	return &env;
}

uint32_t env_random_u32(const struct env *env)
{
	uint32_t v;

	env->random(env->self, &v, sizeof(v));
	return v;
}

uint64_t env_random_u64(const struct env *env)
{
	uint64_t v;

	env->random(env->self, &v, sizeof(v));
	return v;
}

uint32_t env_random_below(const struct env *env, uint32_t bound)
{
	assert(bound > 0);
	return (uint32_t)((uint64_t)env_random_u32(env) * bound >> 32);
}

static uint64_t fake_mono_ns(void *self)
{
	return ((struct env_fake *)self)->now_ns;
}

static int64_t fake_wall_s(void *self)
{
	struct env_fake *f = self;

	return f->wall_at_0_s + (int64_t)(f->now_ns / NS_PER_S);
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t fake_next(uint64_t s[static 4])
{
	uint64_t out = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return out;
}

static void fake_random(void *self, void *out, size_t len)
{
	struct env_fake *f = self;
	uint8_t *at = out;

	while (len > 0) {
		uint64_t v = fake_next(f->state);
		size_t part = len < sizeof(v) ? len : sizeof(v);
		memcpy(at, &v, part);
		at += part;
		len -= part;
	}
}

void env_fake_init(struct env_fake *f, uint64_t seed)
{
	*f = (struct env_fake){ .wall_at_0_s = 1700000000 };
	f->env = (struct env){ f, fake_mono_ns, fake_wall_s, fake_random };
	for (size_t i = 0; i < ARRAY_LEN(f->state); i++) {
		/* splitmix64 spreads a small seed over the whole state. */
		uint64_t z = seed += 0x9e3779b97f4a7c15ULL;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
		z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
		f->state[i] = z ^ z >> 31;
	}
}
