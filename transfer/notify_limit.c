/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_limit.c — how many NOTIFYs a second are taken of each source. */
#include "transfer/notify_limit.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"

#define WAYS 8U /* places that a source may stand in */
#define SETS (NOTIFY_SOURCES / WAYS)

/* The account of a rate: the time up to which what came would have taken, evenly spread. */
struct source {
	uint64_t prefix; /* of the address; in IPv4 all of it */
	uint64_t until_ns[NOTIFY_LIMIT_KINDS];
	uint8_t family; /* 0: nobody */
};

struct notify_limit {
	const struct env *env;
	uint64_t seed;
	struct source sources[SETS][WAYS];
};

static_assert(sizeof(struct source) * NOTIFY_SOURCES <= 128U * 1024, "as the header says");

struct notify_limit *notify_limit_new(const struct env *env)
{
	struct notify_limit *l = mem_zero(1, sizeof(*l));

	l->env = env;
	l->seed = env_random_u64(env);
	return l;
}

void notify_limit_free(struct notify_limit *l)
{
	free(l);
}

static uint64_t account(const struct source *s)
{
	return s->until_ns[0] > s->until_ns[1] ? s->until_ns[0] : s->until_ns[1];
}

/* The source's entry: found, or in place of the one with the least to its account. */
static struct source *source_of(struct notify_limit *l, const struct addr *from)
{
	uint64_t prefix;
	struct source *set, *least;

	memcpy(&prefix, from->ip, sizeof(prefix)); /* IPv4 stands in four octets before zeros */
	set = l->sources[(hash_bytes(l->seed, bytes_of(from->ip, sizeof(prefix))) + from->family) %
	                 SETS];
	least = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].family == from->family && set[i].prefix == prefix) {
			return &set[i];
		}
		if (account(&set[i]) < account(least)) {
			least = &set[i];
		}
	}
	*least = (struct source){ .prefix = prefix, .family = from->family };
	return least;
}

bool notify_limit_take(struct notify_limit *l, const struct addr *from, enum notify_limit_kind kind,
                       uint32_t per_second)
{
	uint64_t now = env_mono_ns(l->env);
	uint64_t *until;

	if (per_second == 0) {
		return true;
	}
	until = &source_of(l, from)->until_ns[kind];
	if (*until > now + NOTIFY_SOURCE_BURST_MS * NS_PER_MS) {
		return false;
	}
	*until = (*until > now ? *until : now) + NS_PER_S / per_second;
	return true;
}
