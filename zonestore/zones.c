/* SPDX-License-Identifier: MIT
 *
 * zonestore/zones.c — open addressing without a lock for readers. */
#include "zonestore/zones_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "zonestore/store_p.h"

#define ARRAY_MIN     64U
#define SLOT_EMPTY    0U
#define SLOT_GONE     1U  /* a zone stood here: probing goes on */
#define SNAPSHOT_READ 56  /* octets of a version that a lookup reads */
#define ROOT_FETCH    256 /* octets of a root that are fetched with it */
#define ADDRESS_BITS  48U
#define ADDRESS_MASK  ((1ULL << ADDRESS_BITS) - 1)

struct zone_array {
	struct epoch_item retire;
	size_t size; /* below 2^32 */
	_Atomic uint64_t slots[];
};

/* A hash may have few bits (the collision build): spread them. */
static uint64_t hash_spread(uint64_t h)
{
	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

/* `lower` is in lower case. */
static uint64_t lower_hash(const struct zone_map *m, struct name lower)
{
	return hash_spread(hash_bytes(m->seed, name_bytes(lower)));
}

static uint64_t apex_hash(const struct zone_map *m, struct name apex)
{
	struct name_buf lower;

	name_lower(apex, &lower);
	return lower_hash(m, name_of(&lower));
}

static size_t slot_home(const struct zone_array *a, uint64_t hash)
{
	return (size_t)((uint64_t)(uint32_t)hash * a->size >> 32);
}

static uint64_t slot_of(struct zone *zone, uint64_t hash)
{
	uint64_t address = (uint64_t)(uintptr_t)zone;

	assert((address & ~ADDRESS_MASK) == 0 && address > SLOT_GONE);
	return address | (hash & ~ADDRESS_MASK);
}

static struct zone *slot_zone(uint64_t slot)
{
	return (struct zone *)(uintptr_t)(slot & ADDRESS_MASK);
}

static bool slot_taken(uint64_t slot)
{
	return slot != SLOT_EMPTY && slot != SLOT_GONE;
}

static struct zone_array *array_new(size_t size)
{
	struct zone_array *a = mem_zero(1, sizeof(*a) + size * sizeof(a->slots[0]));

	assert(size <= UINT32_MAX);
	a->size = size;
	return a;
}

static void array_free_retired(struct epoch_item *item)
{
	free(container_of(item, struct zone_array, retire));
}

void zone_map_init(struct zone_map *m, const struct env *env, struct epoch *epoch)
{
	*m = (struct zone_map){ .epoch = epoch, .seed = env_random_u64(env) };
	pthread_mutex_init(&m->lock, NULL);
	atomic_store(&m->array, array_new(ARRAY_MIN));
}

void zone_map_fini(struct zone_map *m)
{
	free(atomic_load(&m->array));
	pthread_mutex_destroy(&m->lock);
}

/* The zone with this apex, or NULL; `*place` is its slot. What the slot held is returned, and not
 * read again: it may be another zone's by now. */
static struct zone *array_find(const struct zone_array *a, uint64_t hash, struct name apex,
                               size_t *place)
{
	for (size_t i = slot_home(a, hash);; i = i + 1 == a->size ? 0 : i + 1) {
		uint64_t slot = atomic_load_explicit(&a->slots[i], memory_order_acquire);
		if (slot == SLOT_EMPTY) {
			return NULL;
		}
		if (slot == SLOT_GONE || ((slot ^ hash) & ~ADDRESS_MASK) != 0) {
			continue;
		}
		__builtin_prefetch(slot_zone(slot)); /* the apex may stand in the next line */
		if (name_equal(zone_apex(slot_zone(slot)), apex)) {
			*place = i;
			return slot_zone(slot);
		}
	}
}

/* Puts a zone into the first free slot. The array has one; writers only. */
static bool array_put(struct zone_array *a, uint64_t hash, struct zone *zone)
{
	size_t i = slot_home(a, hash);
	uint64_t slot = atomic_load_explicit(&a->slots[i], memory_order_relaxed);

	while (slot_taken(slot)) {
		i = i + 1 == a->size ? 0 : i + 1;
		slot = atomic_load_explicit(&a->slots[i], memory_order_relaxed);
	}
	atomic_store_explicit(&a->slots[i], slot_of(zone, hash), memory_order_release);
	return slot == SLOT_EMPTY;
}

/* Replaces the array by one that fits the zones that are there. */
static void map_rebuild(struct zone_map *m, size_t count)
{
	struct zone_array *old = atomic_load(&m->array);
	size_t size = count * 2 > ARRAY_MIN ? count * 2 : ARRAY_MIN; /* half full */
	struct zone_array *a = array_new(size);

	m->used = 0;
	for (size_t i = 0; i < old->size; i++) {
		uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
		if (slot_taken(slot)) {
			struct zone *zone = slot_zone(slot);
			m->used += array_put(a, apex_hash(m, zone_apex(zone)), zone);
		}
	}
	atomic_store_explicit(&m->array, a, memory_order_release);
	epoch_retire(m->epoch, &old->retire, array_free_retired);
}

void zone_map_reserve(struct zone_map *m, size_t count)
{
	pthread_mutex_lock(&m->lock);
	if (atomic_load_explicit(&m->array, memory_order_relaxed)->size < count * 2) {
		map_rebuild(m, count);
	}
	pthread_mutex_unlock(&m->lock);
}

enum err zone_map_add(struct zone_map *m, struct zone *zone)
{
	struct name apex = zone_apex(zone);
	uint64_t hash = apex_hash(m, apex);
	struct zone_array *a;
	size_t place;
	enum err e = ERR_BUSY;

	pthread_mutex_lock(&m->lock);
	a = atomic_load_explicit(&m->array, memory_order_relaxed);
	if (array_find(a, hash, apex, &place) == NULL) {
		/* At most three quarters full, zones that are gone counted. */
		if ((m->used + 1) * 4 > a->size * 3) {
			map_rebuild(m, atomic_load(&m->count) + 1);
			a = atomic_load_explicit(&m->array, memory_order_relaxed);
		}
		if (apex.labels > atomic_load(&m->labels_max)) {
			atomic_store(&m->labels_max, apex.labels);
		}
		m->used += array_put(a, hash, zone);
		atomic_fetch_add(&m->count, 1);
		e = ERR_OK;
	}
	pthread_mutex_unlock(&m->lock);
	return e;
}

void zone_map_remove(struct zone_map *m, struct zone *zone)
{
	struct name apex = zone_apex(zone);
	struct zone_array *a;
	struct zone *found;
	size_t count;
	size_t place = 0;

	pthread_mutex_lock(&m->lock);
	a = atomic_load_explicit(&m->array, memory_order_relaxed);
	found = array_find(a, apex_hash(m, apex), apex, &place);
	assert(found == zone);
	atomic_store_explicit(&a->slots[place], SLOT_GONE, memory_order_release);
	count = atomic_fetch_sub(&m->count, 1) - 1;
	if (a->size > ARRAY_MIN && count < a->size / 8) {
		map_rebuild(m, count);
	}
	pthread_mutex_unlock(&m->lock);
}

struct zone *zone_map_find(const struct zone_map *m, struct name apex)
{
	const struct zone_array *a = atomic_load_explicit(&m->array, memory_order_acquire);
	size_t place;

	return array_find(a, apex_hash(m, apex), apex, &place);
}

/* Has what a lookup in a zone reads next brought near: version and root, which for most zones is the
 * only node, at once. Addresses only: nothing is read here, and nothing wrong if they have changed. */
static void zone_fetch(const struct zone *zone)
{
	uint32_t newest = atomic_load_explicit(&zone->newest, memory_order_relaxed);
	uint32_t root = atomic_load_explicit(&zone->root, memory_order_relaxed);
	uintptr_t snap = (uintptr_t)heap_placed(zone, newest);
	uintptr_t node = (uintptr_t)heap_placed(zone, root);

	__builtin_prefetch((const void *)snap);
	__builtin_prefetch((const void *)(snap + SNAPSHOT_READ));
	for (size_t line = 0; line < ROOT_FETCH; line += 64) {
		__builtin_prefetch((const void *)(node + line));
	}
}

struct zone *zone_map_find_enclosing(const struct zone_map *m, struct name name)
{
	const struct zone_array *a = atomic_load_explicit(&m->array, memory_order_acquire);
	unsigned labels_max = atomic_load_explicit(&m->labels_max, memory_order_relaxed);
	struct name_buf lower;
	struct zone *zone;
	size_t place;

	if (name.labels > labels_max) {
		name = name_strip(name, name.labels - labels_max);
	}
	name_lower(name, &lower); /* once for all suffixes */
	for (name = name_of(&lower);; name = name_strip(name, 1)) {
		zone = array_find(a, lower_hash(m, name), name, &place);
		if (zone != NULL) {
			zone_fetch(zone);
			return zone;
		}
		if (name.labels == 0) {
			return NULL;
		}
	}
}

void zone_map_each(const struct zone_map *m, bool (*visit)(void *self, struct zone *zone),
                   void *self)
{
	const struct zone_array *a = atomic_load_explicit(&m->array, memory_order_acquire);

	for (size_t i = 0; i < a->size; i++) {
		uint64_t slot = atomic_load_explicit(&a->slots[i], memory_order_acquire);
		if (slot_taken(slot) && !visit(self, slot_zone(slot))) {
			return;
		}
	}
}

size_t zone_map_bytes(const struct zone_map *m)
{
	const struct zone_array *a = atomic_load_explicit(&m->array, memory_order_acquire);

	return sizeof(*a) + a->size * sizeof(a->slots[0]);
}
