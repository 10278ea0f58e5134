/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/zones_threads.c — readers find zones while a writer adds and removes others.
 *
 * A plain program, since Criterion and ThreadSanitizer do not go together. Even zones stay, and are
 * found always; odd ones come and go, and whoever is found has the name asked for. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/store_p.h"

#define READERS 3
#define ZONES   1000
#define ROUNDS  30

struct leaving {
	struct epoch_item retire;
	struct zone *zone;
};

struct world {
	struct epoch *epoch;
	struct zone_map map;
	_Atomic bool stop;
	_Atomic uint64_t looks;
	_Atomic uint64_t faults;
};

static void name_number(unsigned i, struct name_buf *out)
{
	char text[32];

	snprintf(text, sizeof(text), "z%u.example.", i);
	if (name_parse(bytes_str(text), NULL, out) != ERR_OK) {
		abort();
	}
}

static struct zone *zone_new(unsigned i)
{
	struct name_buf apex;
	struct zone *zone;

	name_number(i, &apex);
	zone = mem_zero(1, sizeof(*zone) + apex.len);
	zone->apex_len = apex.len;
	zone->apex_labels = apex.labels;
	memcpy(zone->apex, apex.octets, apex.len);
	return zone;
}

static void *reader_run(void *arg)
{
	struct world *w = arg;
	unsigned me = epoch_join(w->epoch);
	struct name_buf apex;
	struct name_buf below;
	struct name origin;

	for (unsigned i = 0; !atomic_load(&w->stop); i = (i + 7) % ZONES) {
		struct zone *zone;
		epoch_quiet(w->epoch, me);
		name_number(i, &apex);
		zone = zone_map_find(&w->map, name_of(&apex));
		if ((zone == NULL && i % 2 == 0) ||
		    (zone != NULL && !name_equal(zone_apex(zone), name_of(&apex)))) {
			atomic_fetch_add(&w->faults, 1);
		}
		origin = name_of(&apex);
		if (i % 2 == 0 && name_parse(bytes_str("a.b"), &origin, &below) == ERR_OK &&
		    zone_map_find_enclosing(&w->map, name_of(&below)) != zone) {
			atomic_fetch_add(&w->faults, 1);
		}
		atomic_fetch_add_explicit(&w->looks, 1, memory_order_relaxed);
	}
	epoch_leave(w->epoch, me);
	return NULL;
}

static void leaving_free(struct epoch_item *item)
{
	struct leaving *l = container_of(item, struct leaving, retire);

	memset(l->zone, 0xdd, sizeof(*l->zone)); /* who still looks gets nonsense */
	free(l->zone);
	free(l);
}

static void add(struct world *w, struct zone **zones, unsigned i)
{
	zones[i] = zone_new(i);
	if (zone_map_add(&w->map, zones[i]) != ERR_OK) {
		atomic_fetch_add(&w->faults, 1);
	}
}

static void writer_run(struct world *w, struct zone **zones)
{
	for (unsigned round = 0; round < ROUNDS || atomic_load(&w->looks) < 10000; round++) {
		for (unsigned i = 1; i < ZONES; i += 2) {
			add(w, zones, i);
		}
		for (unsigned i = 1; i < ZONES; i += 2) {
			struct leaving *l = mem_zero(1, sizeof(*l));
			l->zone = zones[i];
			zone_map_remove(&w->map, zones[i]);
			epoch_retire(w->epoch, &l->retire, leaving_free);
		}
		epoch_collect(w->epoch);
	}
}

int main(void)
{
	static struct zone *zones[ZONES];
	struct world w = { .epoch = epoch_new() };
	pthread_t readers[READERS];

	zone_map_init(&w.map, env_system(), w.epoch);
	for (unsigned i = 0; i < ZONES; i += 2) {
		add(&w, zones, i);
	}
	for (unsigned i = 0; i < READERS; i++) {
		pthread_create(&readers[i], NULL, reader_run, &w);
	}
	writer_run(&w, zones);
	atomic_store(&w.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(readers[i], NULL);
	}
	for (unsigned i = 0; i < ZONES; i += 2) {
		free(zones[i]);
	}
	zone_map_fini(&w.map);
	epoch_free(w.epoch);
	printf("%llu lookups, %llu faults\n", (unsigned long long)w.looks,
	       (unsigned long long)w.faults);
	return w.faults == 0 ? 0 : 1;
}
