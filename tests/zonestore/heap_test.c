/* SPDX-License-Identifier: MIT */
#include "zonestore/heap_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "tests/test.h"

#define PIECES 4000

struct piece {
	uint32_t handle;
	size_t len;
	uint8_t fill;
};

static bool piece_whole(const struct heap *heap, const struct piece *p)
{
	const uint8_t *at = heap_at(heap, p->handle);

	for (size_t i = 0; i < p->len; i++) {
		if (at[i] != p->fill) {
			return false;
		}
	}
	return true;
}

static size_t random_len(struct env *env)
{
	switch (env_random_below(env, 40)) {
	case 0:
		return 1 + env_random_below(env, 200000); /* chunks of its own */
	case 1:
	case 2:
	case 3:
		return 1 + env_random_below(env, 33000);
	default:
		return 1 + env_random_below(env, 600);
	}
}

/* Takes and gives back pieces of all sizes; none may touch another, and at the end the system has
 * nearly everything back: an empty chunk is kept for each size, and a few more beside them. */
TEST(heap, pieces_do_not_touch_each_other)
{
	struct env_fake fake;
	struct heap heap;
	struct piece *pieces = mem_zero(PIECES, sizeof(*pieces));
	uint64_t most = 0;

	env_fake_init(&fake, 77);
	cr_assert(eq(int, heap_init(&heap, (size_t)1 << 30, &heap), ERR_OK));
	for (unsigned round = 0; round < 30000; round++) {
		struct piece *p = &pieces[env_random_below(&fake.env, PIECES)];
		if (p->handle != 0) {
			cr_assert(piece_whole(&heap, p));
			heap_give(&heap, p->handle);
			p->handle = 0;
			continue;
		}
		p->len = random_len(&fake.env);
		p->fill = (uint8_t)round;
		p->handle = heap_take(&heap, p->len, round);
		cr_assert(p->handle != 0);
		cr_assert(heap_piece_bytes(&heap, p->handle) >= p->len);
		cr_assert(eq(u32, heap_handle(&heap, heap_at(&heap, p->handle)), p->handle));
		cr_assert(heap_owner(heap_at(&heap, p->handle)) == &heap);
		memset(heap_at(&heap, p->handle), p->fill, p->len);
		most = heap_mapped_bytes(&heap) > most ? heap_mapped_bytes(&heap) : most;
	}
	for (unsigned i = 0; i < PIECES; i++) {
		if (pieces[i].handle != 0) {
			cr_assert(piece_whole(&heap, &pieces[i]));
			heap_give(&heap, pieces[i].handle);
		}
	}
	cr_expect(most > (4U << 20));
	cr_expect(heap_mapped_bytes(&heap) <= 132 * HEAP_CHUNK_BYTES);
	heap_fini(&heap);
	free(pieces);
}

TEST(heap, rounding_wastes_an_eighth_at_most)
{
	struct heap heap;

	cr_assert(eq(int, heap_init(&heap, (size_t)1 << 30, &heap), ERR_OK));
	for (size_t len = 1; len <= 40000; len += 7) {
		uint32_t handle = heap_take(&heap, len, 0);
		size_t bytes = heap_piece_bytes(&heap, handle);
		cr_expect(bytes >= len && (len > 32768 || bytes <= len + 7 + len / 8), "%zu: %zu",
		          len, bytes);
		heap_give(&heap, handle);
	}
	heap_fini(&heap);
}

/* What was given back is used again, also for pieces of other sizes and for large ones. */
TEST(heap, does_not_grow_when_used_over_and_over)
{
	struct heap heap;
	uint32_t *handles = mem_new(20000 * sizeof(*handles));
	uint64_t first = 0;

	cr_assert(eq(int, heap_init(&heap, (size_t)64 << 20, &heap), ERR_OK));
	for (unsigned round = 0; round < 12; round++) {
		size_t len = round % 2 == 0 ? 48 : 1000;
		unsigned count = round % 2 == 0 ? 20000 : 10000;
		uint32_t large;
		for (unsigned i = 0; i < count; i++) {
			handles[i] = heap_take(&heap, len, i);
		}
		large = heap_take(&heap, 5U << 20, 0);
		first = round == 1 ? heap_mapped_bytes(&heap) : first;
		for (unsigned i = 0; i < count; i++) {
			heap_give(&heap, handles[i]);
		}
		heap_give(&heap, large);
	}
	cr_expect(heap_mapped_bytes(&heap) < first);
	heap_fini(&heap);
	free(handles);
}
