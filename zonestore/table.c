/* SPDX-License-Identifier: MIT
 *
 * zonestore/table.c — buckets of one cache line, in the order of hashes. */
#include "zonestore/table_p.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/arena.h"

#define FIRST_BUCKETS 4
#define PAST_FOR_EVER 255
#define MAP_BYTES     65536U /* tables from here on are mappings of their own, given back whole */
#define LINE_BYTES    64
#define BUCKETS_AHEAD 3 /* whose items are fetched while a table is resized */

static_assert(sizeof(struct table_bucket) == LINE_BYTES, "a bucket is one cache line");

#ifdef __SSE2__
/* What one instruction compares. */
struct lane {
	char octets __attribute__((vector_size(16)));
};
#endif

static size_t buckets_bytes(uint32_t count)
{
	size_t len = (size_t)count * sizeof(struct table_bucket);

	return len < MAP_BYTES ? len : (len + 4095) / 4096 * 4096;
}

static struct table_bucket *buckets_new(uint32_t count)
{
	size_t len = buckets_bytes(count);
	void *at;

	if (len < MAP_BYTES) {
		at = aligned_alloc(LINE_BYTES, len);
		if (at != NULL) {
			memset(at, 0, len);
		}
	} else {
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		at = at == MAP_FAILED ? NULL : at;
	}
	if (at == NULL) {
		abort();
	}
	return at;
}

static void buckets_free(struct table_bucket *buckets, uint32_t count)
{
	if (buckets_bytes(count) < MAP_BYTES) {
		free(buckets);
	} else {
		munmap(buckets, buckets_bytes(count));
	}
}

void table_fini(struct table *t)
{
	buckets_free(t->buckets, t->bucket_count);
	*t = (struct table){ .first_buckets = t->first_buckets };
}

void table_each(const struct table *t, void (*visit)(void *self, uint32_t handle), void *self)
{
	for (uint32_t b = 0; b < t->bucket_count; b++) {
		const struct table_bucket *bucket = &t->buckets[b];
		for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
			if (bucket->tags[i] != 0) {
				visit(self, bucket->slots[i]);
			}
		}
	}
}

size_t table_bytes(const struct table *t)
{
	return buckets_bytes(t->bucket_count);
}

static uint8_t tag_of(uint64_t hash)
{
	uint8_t tag = (uint8_t)hash;

	return tag == 0 ? 1 : tag;
}

/* A bit for each slot with that tag. */
static unsigned bucket_match(const struct table_bucket *b, uint8_t tag)
{
#ifdef __SSE2__
	struct lane have = *(const struct lane *)(const void *)b;
	struct lane same = { (have.octets ^ (char)tag) == 0 };

	return (unsigned)__builtin_ia32_pmovmskb128(same.octets) & 0xfffU;
#else
	unsigned bits = 0;

	for (unsigned i = 0; i < TABLE_BUCKET_SLOTS; i++) {
		bits |= (unsigned)(b->tags[i] == tag) << i;
	}
	return bits;
#endif
}

static uint32_t bucket_after(const struct table *t, uint32_t i)
{
	return i + 1 == t->bucket_count ? 0 : i + 1;
}

uint32_t table_find(const struct table *t, uint64_t hash, const struct table_ops *ops, void *self)
{
	uint8_t tag = tag_of(hash);
	uint32_t i;

	if (t->count == 0) {
		return 0;
	}
	i = table_home(hash, t->bucket_count);
	for (uint32_t walked = 0; walked < t->bucket_count; walked++) {
		const struct table_bucket *b = &t->buckets[i];
		for (unsigned bits = bucket_match(b, tag); bits != 0; bits &= bits - 1) {
			uint32_t handle = b->slots[__builtin_ctz(bits)];
			if (ops->match(self, handle)) {
				return handle;
			}
		}
		if (b->past == 0) {
			return 0;
		}
		i = bucket_after(t, i);
	}
	return 0;
}

/* What is known of the hash of an item in a slot: whether the bucket is its own, and then which of
 * the two its own will be when there are twice as many. */
#define KNOWN_NOTHING 0U
#define KNOWN_HOME    1U
#define KNOWN_NEXT    2U /* or 3: the second of the two */

static unsigned bucket_known(const struct table_bucket *b, unsigned slot)
{
	return b->known >> 2 * slot & 3U;
}

/* An item on its way into a table. */
struct arrival {
	uint32_t home;
	uint32_t handle;
	uint8_t tag;
	unsigned known; /* if it gets a slot in its own bucket */
};

static struct arrival arrival_of(const struct table *t, uint64_t hash, uint32_t handle)
{
	/* The bucket, and after the point where in it: twice as many buckets take one bit more. */
	uint64_t place = (uint64_t)(uint32_t)(hash >> 16) * t->bucket_count;

	return (struct arrival){ .home = (uint32_t)(place >> 32),
		                 .handle = handle,
		                 .tag = tag_of(hash),
		                 .known = KNOWN_NEXT | (unsigned)(place >> 31 & 1) };
}

static void table_put(struct table *t, struct arrival a)
{
	for (uint32_t i = a.home;; i = bucket_after(t, i)) {
		struct table_bucket *b = &t->buckets[i];
		unsigned empty = bucket_match(b, 0);
		if (empty != 0) {
			unsigned slot = (unsigned)__builtin_ctz(empty);
			uint32_t known;
			b->tags[slot] = a.tag;
			b->slots[slot] = a.handle;
			known = (b->known & ~(3U << 2 * slot)) | a.known << 2 * slot;
			b->known = known & 0xffffffU;
			t->count++;
			return;
		}
		if (b->past != PAST_FOR_EVER) {
			b->past++;
		}
		a.known = KNOWN_NOTHING;
	}
}

/* A table that gets another size. */
struct resize {
	struct table old;
	struct table *t;
	const struct table_ops *ops;
	void *self;
	unsigned known_enough; /* for an item to be moved without its hash */
};

/* Asks for the items of a bucket whose hashes will be computed soon to be brought near. */
static void bucket_prefetch(const struct resize *r, uint32_t i)
{
	const struct table_bucket *b = &r->old.buckets[i];

	for (unsigned s = 0; s < TABLE_BUCKET_SLOTS; s++) {
		if (b->tags[s] != 0 && bucket_known(b, s) < r->known_enough) {
			__builtin_prefetch(r->ops->address(r->self, b->slots[s]));
		}
	}
}

static void slot_move(const struct resize *r, uint32_t i, unsigned slot)
{
	const struct table_bucket *b = &r->old.buckets[i];
	unsigned known = bucket_known(b, slot);
	uint32_t handle = b->slots[slot];
	struct arrival a = { .handle = handle, .tag = b->tags[slot] };

	if (known < r->known_enough) {
		a = arrival_of(r->t, r->ops->hash(r->self, handle), handle);
	} else if (r->t->bucket_count > r->old.bucket_count) {
		a.home = 2 * i + (known & 1U);
		a.known = KNOWN_HOME;
	} else {
		a.home = i / 2;
		a.known = KNOWN_NEXT | (i & 1U);
	}
	table_put(r->t, a);
}

/* To twice as many buckets, half as many, or the first ones. */
static void table_resize(struct table *t, uint32_t bucket_count, const struct table_ops *ops,
                         void *self)
{
	struct resize r = { .old = *t, .t = t, .ops = ops, .self = self };

	assert(t->count == 0 || bucket_count == 2 * t->bucket_count ||
	       2 * bucket_count == t->bucket_count);
	r.known_enough = bucket_count > t->bucket_count ? KNOWN_NEXT : KNOWN_HOME;
	t->buckets = buckets_new(bucket_count);
	t->bucket_count = bucket_count;
	t->count = 0;
	for (uint32_t i = 0; i < r.old.bucket_count; i++) {
		if (i + BUCKETS_AHEAD < r.old.bucket_count) {
			bucket_prefetch(&r, i + BUCKETS_AHEAD);
		}
		for (unsigned s = 0; s < TABLE_BUCKET_SLOTS; s++) {
			if (r.old.buckets[i].tags[s] != 0) {
				slot_move(&r, i, s);
			}
		}
	}
	assert(t->count == r.old.count);
	buckets_free(r.old.buckets, r.old.bucket_count);
}

static uint32_t table_first(const struct table *t)
{
	return t->first_buckets == 0 ? FIRST_BUCKETS : t->first_buckets;
}

void table_add(struct table *t, uint64_t hash, uint32_t handle, const struct table_ops *ops,
               void *self)
{
	uint64_t slots = (uint64_t)t->bucket_count * TABLE_BUCKET_SLOTS;

	assert(handle != 0);
	if (t->bucket_count == 0) {
		table_resize(t, table_first(t), ops, self);
	} else if ((uint64_t)t->count * 20 >= slots * 17) {
		table_resize(t, 2 * t->bucket_count, ops, self);
	}
	table_put(t, arrival_of(t, hash, handle));
}

void table_remove(struct table *t, uint64_t hash, uint32_t handle, const struct table_ops *ops,
                  void *self)
{
	uint8_t tag = tag_of(hash);
	uint32_t i = table_home(hash, t->bucket_count);

	for (uint32_t walked = 0;; walked++) {
		struct table_bucket *b = &t->buckets[i];
		unsigned bits = bucket_match(b, tag);
		assert(walked < t->bucket_count);
		while (bits != 0 && b->slots[__builtin_ctz(bits)] != handle) {
			bits &= bits - 1;
		}
		if (bits != 0) {
			b->tags[__builtin_ctz(bits)] = 0;
			break;
		}
		if (b->past != PAST_FOR_EVER) {
			b->past--;
		}
		i = bucket_after(t, i);
	}
	t->count--;
	if (t->count == 0) {
		table_fini(t);
	} else if (t->bucket_count > 4 * table_first(t) &&
	           (uint64_t)t->count * 4 < (uint64_t)t->bucket_count * TABLE_BUCKET_SLOTS) {
		table_resize(t, t->bucket_count / 2, ops, self);
	}
}
