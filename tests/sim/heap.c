/* SPDX-License-Identifier: MIT
 *
 * tests/sim/heap.c — counts blocks of memory. */
#include "tests/sim/heap.h"

/* The linker's names for what is wrapped, and for what wraps it. */
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *at, size_t len);
void *__real_aligned_alloc(size_t alignment, size_t len);
void __real_free(void *at);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *at, size_t len);
void *__wrap_aligned_alloc(size_t alignment, size_t len);
void __wrap_free(void *at);

static size_t blocks; /* one thread runs */

size_t heap_blocks(void)
{
	return blocks;
}

static void *counted(void *at)
{
	blocks += at != NULL;
	return at;
}

void *__wrap_malloc(size_t len)
{
	return counted(__real_malloc(len));
}

void *__wrap_calloc(size_t count, size_t len)
{
	return counted(__real_calloc(count, len));
}

void *__wrap_realloc(void *at, size_t len)
{
	void *moved = __real_realloc(at, len);

	return at == NULL ? counted(moved) : moved;
}

void *__wrap_aligned_alloc(size_t alignment, size_t len)
{
	return counted(__real_aligned_alloc(alignment, len));
}

void __wrap_free(void *at)
{
	blocks -= at != NULL;
	__real_free(at);
}
