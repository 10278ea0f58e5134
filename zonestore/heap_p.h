/* SPDX-License-Identifier: MIT
 *
 * zonestore/heap_p.h — pieces of one region of address space, known by 32-bit handles.
 *
 * The region is reserved once and taken from the system as it fills. Chunks of 64 KiB are cut into
 * pieces of one size; pieces above half of a chunk get chunks of their own. A handle counts units
 * of 8 octets from the start of the region. Freed pieces are used again, and 2 MiB without any go
 * back to the system; so do chunks without any, when they are many. Sizes have a lock each, and
 * several once much is of that size, so that shards do not wait for each other and few of them do
 * not waste.
 *
 * The region begins at a multiple of HEAP_SPAN_MAX, so that any address in it leads to the heap's
 * owner: pieces need no pointers back.
 *
 * Ownership: new/free; pieces are the caller's from heap_take() to heap_give(). Any thread. */
#pragma once

#include "base/bytes.h"

#define HEAP_UNIT_BYTES  8U
#define HEAP_CHUNK_BYTES 65536U
#define HEAP_SPAN_MAX    ((size_t)HEAP_UNIT_BYTES << 32)
#define HEAP_PIECE_MAX   (32U << 20) /* octets in one piece */

struct heap {
	uint8_t *base; /* first field: heap_at() needs it alone */
	struct heap_private *p;
};

/* Reserves `span_bytes` (0: HEAP_SPAN_MAX); `owner` is what heap_owner() will tell. ERR_NO_MEMORY. */
MUST_USE enum err heap_init(struct heap *heap, size_t span_bytes, void *owner);
void heap_fini(struct heap *heap);

/* Takes a piece of `len` octets, 1 to HEAP_PIECE_MAX (asserted), aligned to 8, not cleared. Takers
 * with different `hint` tend not to meet. Aborts when the region or the system is full. */
uint32_t heap_take(struct heap *heap, size_t len, uint32_t hint);
void heap_give(struct heap *heap, uint32_t handle);

/* What a piece occupies. */
size_t heap_piece_bytes(const struct heap *heap, uint32_t handle);

/* True if so little of the region is left that nothing large should be begun. */
bool heap_is_low(const struct heap *heap);

/* Octets taken from the system, chunks kept in reserve included. */
uint64_t heap_mapped_bytes(const struct heap *heap);

/* The owner of the heap in which `at` points. */
static inline void *heap_owner(const void *at)
{
	return *(void *const *)((uintptr_t)at & ~(uintptr_t)(HEAP_SPAN_MAX - 1));
}

/* The handle of the piece at `at` (NULL: 0), and the piece with a handle in the heap in which `beside`
 * points (0: NULL): for pieces that refer to each other. */
static inline uint32_t heap_place(const void *at)
{
	return at == NULL ? 0 : (uint32_t)((uintptr_t)at % HEAP_SPAN_MAX / HEAP_UNIT_BYTES);
}

static inline void *heap_placed(const void *beside, uint32_t place)
{
	uintptr_t base = (uintptr_t)beside & ~(uintptr_t)(HEAP_SPAN_MAX - 1);

	return place == 0 ? NULL : (void *)(base + (uintptr_t)place * HEAP_UNIT_BYTES);
}

static inline void *heap_at(const struct heap *heap, uint32_t handle)
{
	return heap->base + (size_t)handle * HEAP_UNIT_BYTES;
}

static inline uint32_t heap_handle(const struct heap *heap, const void *at)
{
	return (uint32_t)((size_t)((const uint8_t *)at - heap->base) / HEAP_UNIT_BYTES);
}
