/* SPDX-License-Identifier: MIT
 *
 * transfer/schedule.c — when a zone is asked about again, and when it expires. */
#include "transfer/schedule_p.h"

static uint32_t clamp(uint32_t v, uint32_t floor, uint32_t ceiling)
{
	v = v < floor ? floor : v;
	return ceiling != 0 && v > ceiling ? ceiling : v;
}

void schedule_init(struct schedule *out, const struct soa *soa, const struct policy_limits *limits)
{
	uint64_t least;

	out->refresh_s = clamp(soa->refresh_s, limits->min_refresh_s, limits->max_refresh_s);
	out->retry_s = clamp(soa->retry_s, limits->min_retry_s, limits->max_retry_s);
	/* Zeros would ask without pause, whatever the policy says. */
	out->refresh_s = clamp(out->refresh_s, SCHEDULE_RETRY_FLOOR_S, 0);
	out->retry_s = clamp(out->retry_s, SCHEDULE_RETRY_FLOOR_S, 0);
	out->expire_s = clamp(soa->expire_s, limits->min_expire_s, limits->max_expire_s);
	least = (uint64_t)out->refresh_s + out->retry_s;
	if (out->expire_s < least) {
		out->expire_s = least > UINT32_MAX ? UINT32_MAX : (uint32_t)least;
	}
}

uint64_t schedule_delay_ms(const struct env *env, uint32_t seconds)
{
	uint64_t ms = (uint64_t)seconds * 1000;
	uint64_t most = ms / SCHEDULE_JITTER_PART;

	return ms - (most == 0 ? 0 : env_random_u64(env) % (most + 1));
}

uint64_t schedule_spread_ms(const struct env *env, uint32_t seconds)
{
	uint64_t ms = (uint64_t)seconds * 1000;
	uint64_t least = ms / SCHEDULE_JITTER_PART;

	return least + (ms == 0 ? 0 : env_random_u64(env) % (ms - least + 1));
}

uint32_t schedule_backoff_s(const struct policy_limits *limits, unsigned failures)
{
	uint64_t s = clamp(limits->min_retry_s, SCHEDULE_RETRY_FLOOR_S, 0);

	for (unsigned i = 1; i < failures && s < limits->max_retry_s; i++) {
		s *= 2;
	}
	return limits->max_retry_s != 0 && s > limits->max_retry_s
	               ? clamp(limits->max_retry_s, SCHEDULE_RETRY_FLOOR_S, 0)
	               : (uint32_t)s;
}

uint64_t schedule_start_ms(const struct env *env, const struct schedule *s, int64_t due_s,
                           int64_t now_s)
{
	uint64_t spread_s = s->refresh_s / SCHEDULE_JITTER_PART;

	if (due_s > now_s) {
		uint64_t wait_s = (uint64_t)(due_s - now_s);

		return (wait_s < s->refresh_s ? wait_s : s->refresh_s) * 1000;
	}
	spread_s = spread_s < SCHEDULE_START_MAX_S ? spread_s : SCHEDULE_START_MAX_S;
	return spread_s == 0 ? 0 : env_random_u64(env) % (spread_s * 1000);
}
