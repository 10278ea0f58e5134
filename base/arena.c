/* SPDX-License-Identifier: MIT
 *
 * base/arena.c — bump allocation over blocks. */
#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct arena_block {
	struct arena_block *next;
	size_t len;
	max_align_t data[];
};

static void *mem_or_abort(void *at)
{
	if (at == NULL) {
		fputs("axfarm: the system is out of memory\n", stderr);
		abort();
	}
	return at;
}

void *mem_new(size_t len)
{
	return mem_or_abort(malloc(len == 0 ? 1 : len));
}

void *mem_zero(size_t count, size_t len)
{
	return mem_or_abort(calloc(count == 0 ? 1 : count, len == 0 ? 1 : len));
}

void *mem_grow(void *at, size_t len)
{
	return mem_or_abort(realloc(at, len == 0 ? 1 : len));
}

void *mem_large_new(size_t len)
{
	void *at;

	if (len < ARENA_LARGE_BYTES) {
		return mem_new(len);
	}
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		return mem_or_abort(NULL);
	}
	(void)madvise(at, len, MADV_HUGEPAGE); /* without, it is only slower */
	return at;
}

void mem_large_free(void *at, size_t len)
{
	if (len < ARENA_LARGE_BYTES) {
		free(at);
	} else if (at != NULL) {
		munmap(at, len);
	}
}

void arena_init(struct arena *a, size_t budget_bytes)
{
	*a = (struct arena){ .budget_bytes = budget_bytes };
}

static void arena_drop(struct arena *a, struct arena_block *keep)
{
	struct arena_block *b = a->blocks;

	while (b != NULL) {
		struct arena_block *next = b->next;
		if (b != keep) {
			mem_large_free(b, sizeof(*b) + b->len);
		}
		b = next;
	}
}

void arena_fini(struct arena *a)
{
	arena_drop(a, NULL);
	*a = (struct arena){ 0 };
}

void arena_wipe(struct arena *a)
{
	for (struct arena_block *b = a->blocks; b != NULL; b = b->next) {
		explicit_bzero(b->data, b->len);
	}
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = a->blocks;

	if (keep != NULL && keep->len > ARENA_BLOCK_BYTES) {
		keep = NULL;
	}
	arena_drop(a, keep);
	a->blocks = keep;
	a->at = NULL;
	a->left = 0;
	a->used_bytes = 0;
	if (keep != NULL) {
		keep->next = NULL;
		a->at = (uint8_t *)keep->data;
		a->left = keep->len;
		a->used_bytes = keep->len;
	}
}

static bool arena_more(struct arena *a, size_t len)
{
	size_t step = a->used_bytes < ARENA_LARGE_FROM ? ARENA_BLOCK_BYTES : ARENA_LARGE_BYTES;
	size_t want = len > step ? len : step;
	struct arena_block *b;

	assert(a->used_bytes <= a->budget_bytes);
	if (want > a->budget_bytes - a->used_bytes) {
		want = len; /* the last block may be small */
	}
	if (want > a->budget_bytes - a->used_bytes) {
		return false;
	}
	b = mem_large_new(sizeof(*b) + want);
	b->next = a->blocks;
	b->len = want;
	a->blocks = b;
	a->at = (uint8_t *)b->data;
	a->left = want;
	a->used_bytes += want;
	return true;
}

void *arena_take(struct arena *a, size_t len)
{
	size_t pad = a->at == NULL ? 0 : (8 - ((uintptr_t)a->at & 7)) & 7;
	void *out;

	if (a->at == NULL || a->left < pad || a->left - pad < len) {
		if (!arena_more(a, len)) {
			return NULL;
		}
		pad = 0;
	}
	out = a->at + pad;
	a->at += pad + len;
	a->left -= pad + len;
	return out;
}

uint8_t *arena_copy(struct arena *a, struct bytes b)
{
	uint8_t *out;

	if (a->left < b.len && !arena_more(a, b.len)) {
		return NULL;
	}
	out = a->at;
	if (b.len > 0) {
		memcpy(out, b.at, b.len);
		a->at += b.len;
		a->left -= b.len;
	} else if (out == NULL) {
		out = (uint8_t *)&a->at; /* a valid address for an empty view */
	}
	return out;
}
