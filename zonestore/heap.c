/* SPDX-License-Identifier: MIT
 *
 * zonestore/heap.c — size classes over chunks, with latches per class and stripe. */
#include "zonestore/heap_p.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "zonestore/latch_p.h"

#define CHUNK_UNITS   (HEAP_CHUNK_BYTES / HEAP_UNIT_BYTES)
#define GROW_BYTES    (2U << 20) /* taken from the system at a time: a block, one huge page */
#define PIECE_SMALL   (HEAP_CHUNK_BYTES / 2)
#define BLOCK_CHUNKS  (GROW_BYTES / HEAP_CHUNK_BYTES)
#define BLOCK_FREE    UINT32_MAX /* the bits of a block without any piece */
#define LOW_PART      16         /* of the region: when less than one part is left, it is low */
#define KEPT_PART     16 /* of the used chunks: so many free ones at most keep their pages, */
#define KEPT_MIN      BLOCK_CHUNKS /* or so many if that is more */
#define SPINS         64
#define STRIPES       16
#define STRIPE_CHUNKS 16 /* chunks of a class for each stripe that it may use */
#define NO_CHUNK      0U
#define NO_PIECE      0xffffU
#define CLASS_LARGE   0xff

/* Sizes in octets: every 8 up to 192 (zones, versions), every 16 up to 512, every 32 up to 1024, then 8
 * steps from one power of two to the next, so that rounding wastes 3% on average and 12% at most. */
#define CLASSES_8     24U
#define CLASSES_16    20U
#define CLASSES_32    16U
#define CLASSES_COUNT (CLASSES_8 + CLASSES_16 + CLASSES_32 + 5 * 8)

static_assert(BLOCK_CHUNKS == 32, "the chunks of a block are the bits of a number");

/* What is known of a chunk. Those with a free piece are in their stripe's list. */
struct chunk {
	uint32_t next; /* large: chunks in the run */
	uint32_t prev;
	uint16_t used;  /* pieces handed out */
	uint16_t fresh; /* units handed out at least once: the rest was never touched */
	uint16_t free;  /* first free piece, in units from the start; each names the next */
	uint8_t class;
	uint8_t stripe;
};

struct stripe {
	struct latch latch;
	uint32_t first; /* chunk with a free piece */
	uint32_t last;
};

struct size_class {
	uint32_t piece_bytes;
	_Atomic uint32_t chunk_count;
	struct stripe stripes[STRIPES];
};

struct heap_private {
	size_t span_bytes;
	uint32_t chunks_max;
	struct chunk *chunks; /* one for each chunk of the region; a mapping, touched as needed */
	struct latch latch;   /* over what follows */
	uint32_t ready;       /* chunks that may be read and written */
	uint32_t fresh;       /* chunks handed out at least once */
	uint32_t free_count;
	uint32_t free_from; /* no free chunk below */
	uint32_t *free_map; /* a bit for each chunk, a number for each block */
	uint32_t *kept_map; /* of those, whose pages did not go back to the system */
	_Atomic uint64_t kept;
	_Atomic uint64_t used_chunks;
	struct size_class classes[CLASSES_COUNT];
};

void latch_wait(struct latch *l)
{
	unsigned spins = 0;

	do {
		while (atomic_load_explicit(&l->taken, memory_order_relaxed) != 0) {
			if (++spins > SPINS) {
				sched_yield();
			}
		}
	} while (atomic_exchange_explicit(&l->taken, 1, memory_order_acquire) != 0);
}

static unsigned class_of(size_t len)
{
	unsigned top;

	assert(len > 0 && len <= PIECE_SMALL);
	if (len <= 192) {
		return (unsigned)(len - 1) / 8;
	}
	if (len <= 512) {
		return CLASSES_8 + (unsigned)(len - 193) / 16;
	}
	if (len <= 1024) {
		return CLASSES_8 + CLASSES_16 + (unsigned)(len - 513) / 32;
	}
	top = 31 - (unsigned)__builtin_clz((unsigned)len - 1);
	return CLASSES_8 + CLASSES_16 + CLASSES_32 + (top - 10) * 8 +
	       (unsigned)((len - 1 - ((size_t)1 << top)) >> (top - 3));
}

static uint32_t class_bytes(unsigned class)
{
	unsigned step;

	if (class < CLASSES_8) {
		return (class + 1) * 8;
	}
	class -= CLASSES_8;
	if (class < CLASSES_16) {
		return 192 + (class + 1) * 16;
	}
	class -= CLASSES_16;
	if (class < CLASSES_32) {
		return 512 + (class + 1) * 32;
	}
	class -= CLASSES_32;
	step = 1024U << class / 8;
	return step + (class % 8 + 1) * (step / 8);
}

static uint32_t run_chunks(size_t len)
{
	return (uint32_t)((len + HEAP_CHUNK_BYTES - 1) / HEAP_CHUNK_BYTES);
}

static void *reserve(size_t len, int prot)
{
	void *at = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* Reserves the span at a multiple of HEAP_SPAN_MAX: more than that is asked for, and given back. */
static uint8_t *reserve_span(size_t len)
{
	uint8_t *at = reserve(len + HEAP_SPAN_MAX, PROT_NONE);
	size_t before = (HEAP_SPAN_MAX - (uintptr_t)at % HEAP_SPAN_MAX) % HEAP_SPAN_MAX;

	if (at == NULL) {
		return NULL;
	}
	if (before > 0) {
		munmap(at, before);
	}
	munmap(at + before + len, HEAP_SPAN_MAX - before);
	return at + before;
}

enum err heap_init(struct heap *heap, size_t span_bytes, void *owner)
{
	struct heap_private *p = mem_zero(1, sizeof(*p));

	assert(span_bytes <= HEAP_SPAN_MAX);
	p->span_bytes = span_bytes == 0 ? HEAP_SPAN_MAX : span_bytes;
	p->span_bytes -= p->span_bytes % GROW_BYTES;
	p->chunks_max = (uint32_t)(p->span_bytes / HEAP_CHUNK_BYTES);
	p->chunks = reserve(p->chunks_max * sizeof(struct chunk), PROT_READ | PROT_WRITE);
	p->free_map = reserve(p->chunks_max / 8, PROT_READ | PROT_WRITE);
	p->kept_map = reserve(p->chunks_max / 8, PROT_READ | PROT_WRITE);
	heap->base = reserve_span(p->span_bytes);
	heap->p = p;
	if (p->chunks == NULL || p->free_map == NULL || p->kept_map == NULL || heap->base == NULL ||
	    mprotect(heap->base, GROW_BYTES, PROT_READ | PROT_WRITE) != 0) {
		heap_fini(heap);
		return ERR_NO_MEMORY;
	}
	/* Lookups go all over the region: large pages spare them most misses of the TLB. */
	(void)madvise(heap->base, p->span_bytes, MADV_HUGEPAGE);
	memcpy(heap->base, &owner,
	       sizeof(owner)); /* in chunk 0, which is nobody's: no handle is 0 */
	p->ready = GROW_BYTES / HEAP_CHUNK_BYTES;
	p->fresh = 1;
	p->free_from = 1;
	for (unsigned i = 0; i < CLASSES_COUNT; i++) {
		p->classes[i].piece_bytes = class_bytes(i);
	}
	return ERR_OK;
}

void heap_fini(struct heap *heap)
{
	struct heap_private *p = heap->p;

	if (p == NULL) {
		return;
	}
	if (p->chunks != NULL) {
		munmap(p->chunks, p->chunks_max * sizeof(struct chunk));
	}
	if (p->free_map != NULL) {
		munmap(p->free_map, p->chunks_max / 8);
	}
	if (p->kept_map != NULL) {
		munmap(p->kept_map, p->chunks_max / 8);
	}
	if (heap->base != NULL) {
		munmap(heap->base, p->span_bytes);
	}
	free(p);
	*heap = (struct heap){ 0 };
}

static _Noreturn void heap_full(const char *what)
{
	fprintf(stderr, "axfarm: no memory left for zones: %s\n", what);
	abort();
}

/* ---- chunks; under heap_private.latch ---- */

static bool chunk_is_free(const struct heap_private *p, uint32_t i)
{
	return (p->free_map[i / BLOCK_CHUNKS] >> i % BLOCK_CHUNKS & 1) != 0;
}

/* Sets or clears the bits of some chunks; returns how many that changed. */
static uint32_t map_mark(uint32_t *map, uint32_t first, uint32_t count, bool value)
{
	uint32_t changed = 0;

	for (uint32_t i = first; i < first + count; i++) {
		uint32_t *word = &map[i / BLOCK_CHUNKS];
		uint32_t bit = 1U << i % BLOCK_CHUNKS;
		changed += ((*word & bit) != 0) != value;
		*word = value ? *word | bit : *word & ~bit;
	}
	return changed;
}

static void chunk_mark_free(struct heap_private *p, uint32_t first, uint32_t count)
{
	p->free_count += map_mark(p->free_map, first, count, true);
	if (first < p->free_from) {
		p->free_from = first;
	}
}

static void chunk_mark_used(struct heap_private *p, uint32_t first, uint32_t count)
{
	p->free_count -= map_mark(p->free_map, first, count, false);
	p->kept -= map_mark(p->kept_map, first, count, false);
}

/* Finds a free chunk, in a block that has pieces if there is one: whole blocks go back to the
 * system, and come from it as one large page. */
static uint32_t chunk_reuse_one(struct heap_private *p)
{
	uint32_t found = NO_CHUNK;
	uint32_t from = p->fresh;

	for (uint32_t b = p->free_from / BLOCK_CHUNKS; b * BLOCK_CHUNKS < p->fresh; b++) {
		uint32_t bits = p->free_map[b];
		if (bits == 0) {
			continue;
		}
		from = from == p->fresh ? b * BLOCK_CHUNKS : from;
		if (found == NO_CHUNK || bits != BLOCK_FREE) {
			found = b * BLOCK_CHUNKS + (uint32_t)__builtin_ctz(bits);
		}
		if (bits != BLOCK_FREE) {
			break;
		}
	}
	p->free_from = from;
	return found;
}

/* Finds `count` free chunks in a row. */
static uint32_t chunk_reuse_many(struct heap_private *p, uint32_t count)
{
	uint32_t run = 0;
	uint32_t from = p->fresh;

	for (uint32_t i = p->free_from; i < p->fresh && run < count; i++) {
		if (i % BLOCK_CHUNKS == 0 && p->free_map[i / BLOCK_CHUNKS] == 0) {
			i += BLOCK_CHUNKS - 1; /* none among these */
			run = 0;
			continue;
		}
		run = chunk_is_free(p, i) ? run + 1 : 0;
		if (run == 1 && i < from) {
			from = i; /* the lowest free one */
		}
		if (run == count) {
			p->free_from = from;
			return i + 1 - count;
		}
	}
	return NO_CHUNK;
}

/* Takes `count` chunks in a row from those given back. NO_CHUNK if there are none. */
static uint32_t chunk_reuse(struct heap_private *p, uint32_t count)
{
	uint32_t first = NO_CHUNK;

	if (p->free_count >= count) {
		first = count == 1 ? chunk_reuse_one(p) : chunk_reuse_many(p, count);
	}
	if (first != NO_CHUNK) {
		chunk_mark_used(p, first, count);
	}
	return first;
}

/* Takes never used chunks, and more from the system for them if need be. */
static uint32_t chunk_fresh(struct heap *heap, uint32_t count)
{
	struct heap_private *p = heap->p;
	uint32_t first = p->fresh;

	if (count > p->chunks_max - first) {
		heap_full("the reserved address space is used up");
	}
	if (first + count > p->ready) {
		size_t from = (size_t)p->ready * HEAP_CHUNK_BYTES;
		size_t to = (size_t)(first + count) * HEAP_CHUNK_BYTES;
		to = (to + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES;
		if (mprotect(heap->base + from, to - from, PROT_READ | PROT_WRITE) != 0) {
			heap_full("the system refuses more");
		}
		p->ready = (uint32_t)(to / HEAP_CHUNK_BYTES);
	}
	p->fresh = first + count;
	return first;
}

static uint32_t chunk_take(struct heap *heap, uint32_t count)
{
	struct heap_private *p = heap->p;
	uint32_t first;

	latch_take(&p->latch);
	first = chunk_reuse(p, count);
	if (first == NO_CHUNK) {
		first = chunk_fresh(heap, count);
	}
	latch_give(&p->latch);
	atomic_fetch_add_explicit(&p->used_chunks, count, memory_order_relaxed);
	return first;
}

/* Gives the pages of chunks that nobody uses back to the system; failure only means that they stay.
 * The latch is given meanwhile: nobody can take what is not marked as free. */
static void chunk_drop(struct heap *heap, uint32_t first, uint32_t count)
{
	latch_give(&heap->p->latch);
	(void)madvise(heap->base + (size_t)first * HEAP_CHUNK_BYTES,
	              (size_t)count * HEAP_CHUNK_BYTES, MADV_DONTNEED);
	latch_take(&heap->p->latch);
}

static void chunk_give(struct heap *heap, uint32_t first, uint32_t count)
{
	struct heap_private *p = heap->p;
	uint64_t used = atomic_fetch_sub_explicit(&p->used_chunks, count, memory_order_relaxed);
	uint64_t kept_max = used / KEPT_PART > KEPT_MIN ? used / KEPT_PART : KEPT_MIN;
	uint32_t last = (first + count - 1) / BLOCK_CHUNKS;

	latch_take(&p->latch);
	if (p->kept + count <= kept_max) {
		p->kept += map_mark(p->kept_map, first, count, true);
	} else {
		chunk_drop(heap, first, count);
	}
	chunk_mark_free(p, first, count);
	for (uint32_t b = first / BLOCK_CHUNKS; b <= last; b++) {
		if (p->free_map[b] == BLOCK_FREE) {
			chunk_mark_used(p, b * BLOCK_CHUNKS, BLOCK_CHUNKS);
			chunk_drop(heap, b * BLOCK_CHUNKS, BLOCK_CHUNKS);
			chunk_mark_free(p, b * BLOCK_CHUNKS, BLOCK_CHUNKS);
		}
	}
	latch_give(&p->latch);
}

/* ---- pieces; under stripe.latch ---- */

/* Takes up a chunk behind the others: pieces come from the one that has waited longest, which has had time
 * to lose many more, or all of them. */
static void stripe_link(struct heap_private *p, struct stripe *s, uint32_t i)
{
	p->chunks[i].next = NO_CHUNK;
	p->chunks[i].prev = s->last;
	if (s->last == NO_CHUNK) {
		s->first = i;
	} else {
		p->chunks[s->last].next = i;
	}
	s->last = i;
}

static void stripe_unlink(struct heap_private *p, struct stripe *s, uint32_t i)
{
	struct chunk *c = &p->chunks[i];

	if (c->prev == NO_CHUNK) {
		assert(s->first == i);
		s->first = c->next;
	} else {
		p->chunks[c->prev].next = c->next;
	}
	if (c->next == NO_CHUNK) {
		assert(s->last == i);
		s->last = c->prev;
	} else {
		p->chunks[c->next].prev = c->prev;
	}
}

static uint32_t stripe_grow(struct heap *heap, struct stripe *s, unsigned class, unsigned stripe)
{
	struct heap_private *p = heap->p;
	uint32_t i = chunk_take(heap, 1);

	p->chunks[i] = (struct chunk){ .free = NO_PIECE,
		                       .class = (uint8_t) class,
		                       .stripe = (uint8_t)stripe };
	atomic_fetch_add_explicit(&p->classes[class].chunk_count, 1, memory_order_relaxed);
	stripe_link(p, s, i);
	return i;
}

static uint32_t stripe_take(struct heap *heap, struct stripe *s, unsigned class, unsigned stripe)
{
	struct heap_private *p = heap->p;
	uint32_t i = s->first != NO_CHUNK ? s->first : stripe_grow(heap, s, class, stripe);
	uint32_t units = p->classes[class].piece_bytes / HEAP_UNIT_BYTES;
	struct chunk *c = &p->chunks[i];
	uint32_t at = i * CHUNK_UNITS;

	if (c->free != NO_PIECE) {
		at += c->free;
		memcpy(&c->free, heap_at(heap, at), sizeof(c->free));
	} else {
		at += c->fresh;
		c->fresh = (uint16_t)(c->fresh + units);
	}
	c->used++;
	if (c->free == NO_PIECE && c->fresh + units > CHUNK_UNITS) {
		stripe_unlink(p, s, i);
	}
	return at;
}

static uint32_t large_take(struct heap *heap, size_t len)
{
	uint32_t count = run_chunks(len);
	uint32_t i = chunk_take(heap, count);

	heap->p->chunks[i] = (struct chunk){ .next = count, .class = CLASS_LARGE };
	return i * CHUNK_UNITS;
}

uint32_t heap_take(struct heap *heap, size_t len, uint32_t hint)
{
	struct size_class *class;
	unsigned number;
	unsigned stripe;
	uint32_t chunks;
	uint32_t handle;

	assert(len > 0 && len <= HEAP_PIECE_MAX);
	if (len > PIECE_SMALL) {
		return large_take(heap, len);
	}
	number = class_of(len);
	class = &heap->p->classes[number];
	chunks = atomic_load_explicit(&class->chunk_count, memory_order_relaxed);
	stripe = chunks < 2 * STRIPE_CHUNKS          ? 0
	         : chunks >= STRIPES * STRIPE_CHUNKS ? hint % STRIPES
	                                             : hint % (chunks / STRIPE_CHUNKS);
	latch_take(&class->stripes[stripe].latch);
	handle = stripe_take(heap, &class->stripes[stripe], number, stripe);
	latch_give(&class->stripes[stripe].latch);
	return handle;
}

/* Puts a piece back; true if its chunk is to go back to the system. The first stripe of a size
 * keeps an empty chunk, so that taking and giving one piece does not ask the system each time. */
static bool stripe_give(struct heap *heap, struct stripe *s, uint32_t i, uint32_t handle)
{
	struct heap_private *p = heap->p;
	struct chunk *c = &p->chunks[i];
	uint32_t units = p->classes[c->class].piece_bytes / HEAP_UNIT_BYTES;
	bool was_full = c->free == NO_PIECE && c->fresh + units > CHUNK_UNITS;

	assert(c->used > 0);
	memcpy(heap_at(heap, handle), &c->free, sizeof(c->free));
	c->free = (uint16_t)(handle % CHUNK_UNITS);
	c->used--;
	if (was_full) {
		stripe_link(p, s, i);
	}
	if (c->used > 0 || (c->stripe == 0 && c->next == NO_CHUNK && c->prev == NO_CHUNK)) {
		return false;
	}
	stripe_unlink(p, s, i);
	atomic_fetch_sub_explicit(&p->classes[c->class].chunk_count, 1, memory_order_relaxed);
	return true;
}

void heap_give(struct heap *heap, uint32_t handle)
{
	uint32_t i = handle / CHUNK_UNITS;
	struct chunk *c = &heap->p->chunks[i];
	struct stripe *s;
	bool empty;

	assert(handle != 0 && i < heap->p->chunks_max);
	if (c->class == CLASS_LARGE) {
		assert(handle % CHUNK_UNITS == 0);
		chunk_give(heap, i, c->next);
		return;
	}
	s = &heap->p->classes[c->class].stripes[c->stripe];
	latch_take(&s->latch);
	empty = stripe_give(heap, s, i, handle);
	latch_give(&s->latch);
	if (empty) {
		chunk_give(heap, i, 1);
	}
}

size_t heap_piece_bytes(const struct heap *heap, uint32_t handle)
{
	const struct chunk *c = &heap->p->chunks[handle / CHUNK_UNITS];

	return c->class == CLASS_LARGE ? (size_t)c->next * HEAP_CHUNK_BYTES
	                               : heap->p->classes[c->class].piece_bytes;
}

bool heap_is_low(const struct heap *heap)
{
	const struct heap_private *p = heap->p;
	uint64_t used = atomic_load_explicit(&p->used_chunks, memory_order_relaxed);

	return used > p->chunks_max - p->chunks_max / LOW_PART;
}

uint64_t heap_mapped_bytes(const struct heap *heap)
{
	const struct heap_private *p = heap->p;

	return (atomic_load_explicit(&p->used_chunks, memory_order_relaxed) +
	        atomic_load_explicit(&p->kept, memory_order_relaxed)) *
	       HEAP_CHUNK_BYTES;
}
