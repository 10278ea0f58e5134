/* SPDX-License-Identifier: MIT
 *
 * base/arena.h — memory that is given back all at once, within a budget.
 *
 * An arena hands out pieces of large blocks and forgets them together in arena_reset() or
 * arena_fini(). Taking more than its budget yields NULL, which the caller turns into ERR_BUDGET;
 * within the budget allocation does not fail (the process aborts if the system has no memory).
 *
 * Ownership: init/fini, storage is the caller's; {0} is the zero state with a budget of nothing. */
#pragma once

#include "base/bytes.h"

#define ARENA_BLOCK_BYTES (64U * 1024)
#define ARENA_LARGE_FROM  (4U << 20)           /* an arena of that size grows by more at a time: */
#define ARENA_LARGE_BYTES ((2U << 20) - 4096U) /* nearly a large page */

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	uint8_t *at;                /* next free octet of the newest block */
	size_t left;                /* octets left in it */
	size_t used_bytes;          /* taken from the system */
	size_t budget_bytes;
};

void arena_init(struct arena *a, size_t budget_bytes);
void arena_fini(struct arena *a);

/* Forgets everything handed out; keeps one block for what comes next. */
void arena_reset(struct arena *a);

/* Overwrites everything handed out, for arenas that held secrets. */
void arena_wipe(struct arena *a);

/* Returns `len` octets aligned to 8, not cleared; NULL if the budget does not allow it. */
void *arena_take(struct arena *a, size_t len);

/* Copies `b` into the arena, unaligned and dense. NULL if the budget does not allow it. */
uint8_t *arena_copy(struct arena *a, struct bytes b);

/* Memory for what is large, touched all over and soon given back: on large pages where the system
 * has them. `len` is the same for both. Aborts instead of returning NULL. */
void *mem_large_new(size_t len);
void mem_large_free(void *at, size_t len); /* NULL is a no-op */

/* malloc, calloc and realloc that abort instead of returning NULL, for what has a bound elsewhere.
 */
void *mem_new(size_t len);
void *mem_zero(size_t count, size_t len);
void *mem_grow(void *at, size_t len);
