/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdlib.h>

#include "tests/test.h"

TEST(arena, hands_out_aligned_separate_pieces)
{
	struct arena a;
	uint8_t *last = NULL;

	arena_init(&a, 1 << 20);
	for (size_t len = 0; len < 300; len++) {
		uint8_t *at = arena_take(&a, len);
		cr_assert(at != NULL);
		cr_expect(eq(sz, (uintptr_t)at & 7, 0));
		memset(at, (int)len, len);
		if (last != NULL && len > 1) {
			cr_expect(eq(int, last[len - 2], (int)(uint8_t)(len - 1)));
		}
		last = at;
	}
	arena_fini(&a);
}

TEST(arena, copies_densely)
{
	struct arena a;
	uint8_t *one;
	uint8_t *two;

	arena_init(&a, 1 << 20);
	one = arena_copy(&a, bytes_str("abc"));
	two = arena_copy(&a, bytes_str("defg"));
	cr_assert(one != NULL && two != NULL);
	cr_expect(two == one + 3);
	cr_expect(memcmp(one, "abcdefg", 7) == 0);
	cr_expect(arena_copy(&a, (struct bytes){ 0 }) != NULL);
	arena_fini(&a);
}

TEST(arena, an_empty_copy_into_an_empty_arena_is_an_address)
{
	struct arena a;

	arena_init(&a, 0);
	cr_expect(arena_copy(&a, (struct bytes){ 0 }) != NULL);
	arena_fini(&a);
}

TEST(arena, stops_at_its_budget)
{
	static const size_t budgets[] = {
		0, 1, 8, 100, 4096, ARENA_BLOCK_BYTES, 3 * 64 * 1024 + 17
	};

	for (size_t i = 0; i < ARRAY_LEN(budgets); i++) {
		struct arena a;
		size_t got = 0;
		arena_init(&a, budgets[i]);
		while (arena_take(&a, 8) != NULL) {
			got += 8;
			cr_assert(got <= budgets[i], "budget %zu", budgets[i]);
		}
		/* At most the tail of a block that was too small for one more piece is lost. */
		cr_expect(got + 16 > budgets[i], "took %zu of %zu", got, budgets[i]);
		cr_expect(a.used_bytes <= budgets[i]);
		arena_fini(&a);
	}
}

TEST(arena, refuses_lengths_that_overflow)
{
	struct arena a;

	arena_init(&a, 1 << 20);
	cr_expect(arena_take(&a, SIZE_MAX) == NULL);
	cr_expect(arena_take(&a, SIZE_MAX - 8) == NULL);
	cr_expect(arena_take(&a, (1 << 20) + 1) == NULL);
	cr_expect(arena_take(&a, 1 << 20) != NULL, "nothing had been used up by the refusals");
	arena_fini(&a);
}

TEST(arena, reset_gives_the_whole_budget_back)
{
	struct arena a;

	arena_init(&a, 256 * 1024);
	for (int round = 0; round < 50; round++) {
		cr_assert(arena_take(&a, 100) != NULL);
		cr_assert(arena_take(&a, ARENA_BLOCK_BYTES + 1) != NULL);
		cr_assert(arena_take(&a, ARENA_BLOCK_BYTES) != NULL);
		arena_reset(&a);
		cr_expect(a.used_bytes <= ARENA_BLOCK_BYTES);
	}
	arena_fini(&a);
}

TEST(arena, its_zero_state_is_safe)
{
	struct arena a = { 0 };

	cr_expect(arena_take(&a, 1) == NULL);
	arena_reset(&a);
	arena_fini(&a);
	arena_fini(&a);
}

TEST(arena, mem_never_returns_null_for_nothing)
{
	void *a = mem_new(0);
	uint8_t *b = mem_zero(0, 0);
	uint8_t *c = mem_zero(3, 5);

	cr_expect(a != NULL && b != NULL);
	for (size_t i = 0; i < 15; i++) {
		cr_expect(eq(int, c[i], 0));
	}
	memset(c, 7, 15);
	c = mem_grow(c, 100);
	cr_expect(eq(int, c[14], 7));
	free(a);
	free(b);
	free(c);
}

/* Large blocks are handed out and given back like small ones. */
TEST(arena, grows_by_large_blocks_once_it_is_large)
{
	struct arena a;
	uint8_t *last = NULL;

	arena_init(&a, (size_t)64 << 20);
	for (unsigned round = 0; round < 3; round++) {
		size_t pieces = 0;
		while ((last = arena_take(&a, 1000)) != NULL) {
			memset(last, (int)pieces, 1000);
			pieces++;
		}
		cr_expect(pieces > ((size_t)64 << 20) / 1010, "took %zu", pieces);
		cr_expect(a.used_bytes <= (size_t)64 << 20);
		arena_reset(&a);
		cr_expect(a.used_bytes <= ARENA_BLOCK_BYTES);
	}
	arena_fini(&a);
}

TEST(arena, large_memory_can_be_used_to_its_end)
{
	static const size_t lens[] = { 1, 4096, ARENA_LARGE_BYTES - 1, ARENA_LARGE_BYTES,
		                       (5U << 20) + 3 };

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		uint8_t *at = mem_large_new(lens[i]);
		at[0] = 1;
		at[lens[i] - 1] = 2;
		mem_large_free(at, lens[i]);
	}
	mem_large_free(NULL, 1);
	mem_large_free(NULL, (size_t)16 << 20);
}
