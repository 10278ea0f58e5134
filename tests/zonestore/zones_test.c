/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/zones_test.c — the table of zones against a list. */
#include "zonestore/zones_p.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "zonestore/store_p.h"

#define UNIVERSE 600
#define SEED     20260101

struct world {
	struct env_fake env;
	struct epoch *epoch;
	struct zone_map map;
	struct zone *model[UNIVERSE]; /* by number; NULL: not in the table */
	size_t count;
};

/* Nested names: each number's name is below that of another. */
static void name_number(unsigned i, struct name_buf *out)
{
	char text[NAME_TEXT_MAX];
	size_t len = 0;

	for (unsigned depth = 0; i > 0 && depth < 20; depth++, i /= 3) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%u.",
		                        i % 2 == 0 ? 'x' : 'X', i);
	}
	snprintf(text + len, sizeof(text) - len, ".");
	if (len > 0) {
		text[len] = '\0';
	}
	cr_assert(eq(int, name_parse(bytes_str(text), NULL, out), ERR_OK), "%s", text);
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

static void world_init(struct world *w)
{
	*w = (struct world){ 0 };
	env_fake_init(&w->env, SEED);
	w->epoch = epoch_new();
	zone_map_init(&w->map, &w->env.env, w->epoch);
}

static void world_fini(struct world *w)
{
	for (unsigned i = 0; i < UNIVERSE; i++) {
		free(w->model[i]);
	}
	zone_map_fini(&w->map);
	epoch_free(w->epoch);
}

static void toggle(struct world *w, unsigned i)
{
	if (w->model[i] == NULL) {
		struct zone *twin = zone_new(i);
		w->model[i] = zone_new(i);
		cr_assert(eq(int, zone_map_add(&w->map, w->model[i]), ERR_OK));
		cr_assert(eq(int, zone_map_add(&w->map, twin), ERR_BUSY));
		free(twin);
		w->count++;
	} else {
		zone_map_remove(&w->map, w->model[i]);
		free(w->model[i]);
		w->model[i] = NULL;
		w->count--;
	}
}

/* What the table should find for a name: its own zone, or that of the nearest name above. */
static struct zone *model_enclosing(const struct world *w, unsigned i)
{
	for (unsigned depth = 0; i > 0 && depth < 20; depth++, i /= 3) {
		if (w->model[i] != NULL) {
			return w->model[i];
		}
	}
	return w->model[0];
}

static void check(const struct world *w, unsigned i)
{
	struct name_buf name;
	struct name_buf below;
	struct name origin;

	name_number(i, &name);
	for (unsigned at = 0; at < name.len; at++) { /* case does not matter */
		name.octets[at] ^= name.octets[at] == 'x' || name.octets[at] == 'X' ? 0x20 : 0;
	}
	cr_assert(zone_map_find(&w->map, name_of(&name)) == w->model[i]);
	cr_assert(zone_map_find_enclosing(&w->map, name_of(&name)) == model_enclosing(w, i));
	origin = name_of(&name);
	if (name_parse(bytes_str("a.b.c.d.e.f.g"), &origin, &below) == ERR_OK) {
		cr_assert(zone_map_find_enclosing(&w->map, name_of(&below)) ==
		          model_enclosing(w, i));
	}
}

static bool count_visit(void *self, struct zone *zone)
{
	(void)zone;
	return ++*(size_t *)self < 1000000;
}

static bool first_visit(void *self, struct zone *zone)
{
	(void)zone;
	++*(size_t *)self;
	return false;
}

TEST(zones, finds_what_a_list_would)
{
	struct world w;

	world_init(&w);
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 3000; i++) {
			size_t seen = 0;
			/* Rounds that fill and rounds that empty the table. */
			unsigned n = env_random_below(&w.env.env, UNIVERSE);
			if ((w.model[n] == NULL) == (round % 2 == 0) ||
			    env_random_below(&w.env.env, 8) == 0) {
				toggle(&w, n);
			}
			check(&w, env_random_below(&w.env.env, UNIVERSE));
			cr_assert(eq(sz, atomic_load(&w.map.count), w.count));
			if (i % 500 == 0) {
				zone_map_each(&w.map, count_visit, &seen);
				cr_assert(eq(sz, seen, w.count));
			}
		}
		for (unsigned i = 0; i < UNIVERSE; i++) {
			check(&w, i);
		}
		epoch_collect(w.epoch);
	}
	world_fini(&w);
}

TEST(zones, stops_when_the_visitor_says_so)
{
	struct world w;
	size_t seen = 0;

	world_init(&w);
	zone_map_each(&w.map, first_visit, &seen);
	cr_expect(eq(sz, seen, 0));
	for (unsigned i = 1; i < 10; i++) {
		toggle(&w, i);
	}
	zone_map_each(&w.map, first_visit, &seen);
	cr_expect(eq(sz, seen, 1));
	world_fini(&w);
}

TEST(zones, is_small_and_becomes_small_again)
{
	struct world w;
	size_t empty;

	world_init(&w);
	empty = zone_map_bytes(&w.map);
	for (unsigned i = 0; i < UNIVERSE; i++) {
		toggle(&w, i);
	}
	cr_expect(le(sz, zone_map_bytes(&w.map), UNIVERSE * 17));
	for (unsigned i = 0; i < UNIVERSE; i++) {
		toggle(&w, i);
	}
	cr_expect(le(sz, zone_map_bytes(&w.map), 4 * empty));
	world_fini(&w);
}

TEST(zones, keeps_a_zone_within_what_a_million_allow)
{
	cr_expect(le(sz, sizeof(struct zone), 80));
}
