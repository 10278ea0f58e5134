/* SPDX-License-Identifier: MIT */
#include "zonestore/change_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "tests/test.h"
#include "zonestore/stored_p.h"

static struct change *random_change(struct env *env, struct arena *arena, uint32_t number)
{
	static const char *const words[] = { "a", "b", "aa", "prefix-one", "prefix-two", "zz" };
	struct change *c = arena_take(arena, sizeof(*c) + KEY_MAX);
	unsigned labels = env_random_below(env, 4);

	*c = (struct change){ .kind = { (uint32_t)TYPE_A << 16 }, .ttl = number, .rdata_len = 4 };
	for (unsigned i = 0; i < labels; i++) {
		const char *word = words[env_random_below(env, ARRAY_LEN(words))];
		memcpy(c->octets + c->key_len, word, strlen(word) + 1);
		c->key_len = (uint16_t)(c->key_len + strlen(word) + 1);
	}
	store_u32(c->octets + c->key_len, env_random_below(env, 3));
	return c;
}

static int order(const struct change *a, const struct change *b)
{
	int c = bytes_compare(change_key(a), change_key(b));

	c = c != 0 ? c : bytes_compare(change_rdata(a), change_rdata(b));
	return c != 0 ? c : (a->ttl > b->ttl) - (a->ttl < b->ttl);
}

/* By key, then rdata, and equal ones in order of arrival, however many there are. */
TEST(change, sorting_is_stable)
{
	static const size_t counts[] = { 0, 1, 2, 11, 12, 13, 100, 255, 256, 300, 5000 };
	struct env_fake fake;

	env_fake_init(&fake, 9);
	for (size_t n = 0; n < ARRAY_LEN(counts); n++) {
		size_t count = counts[n];
		struct arena arena;
		struct change_slot *slots = mem_zero(2 * count, sizeof(*slots));
		arena_init(&arena, SIZE_MAX / 2);
		for (size_t i = 0; i < count; i++) {
			slots[i].change = random_change(&fake.env, &arena, (uint32_t)i);
		}
		changes_sort(slots, slots + count, count);
		for (size_t i = 1; i < count; i++) {
			cr_assert(order(slots[i - 1].change, slots[i].change) < 0, "%zu of %zu", i,
			          count);
		}
		free(slots);
		arena_fini(&arena);
	}
}
