/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/wanted_test.c — zones that somebody asks for while the journal is read. */
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "zonestore/record_p.h"
#include "zonestore/store_p.h"

#define ZONES 6

/* Somebody who asks, and what the zone was when the answer came. */
struct asker {
	struct store_wanted wanted;
	struct farm *farm;
	unsigned index;
	unsigned told;
	bool unread;
	uint32_t serial;
};

static void asker_told(struct store_task *task)
{
	struct asker *a =
		container_of(container_of(task, struct store_wanted, task), struct asker, wanted);

	a->told++;
	a->unread = store_unread(a->farm->st, farm_zone(a->farm, a->index));
	a->serial = farm_serial(a->farm, a->index);
}

static enum err ask(struct farm *f, struct asker *a, unsigned index)
{
	*a = (struct asker){ .farm = f, .index = index };
	a->wanted.task.fn = asker_told;
	return store_want(f->st, farm_zone(f, index), &a->wanted);
}

/* Zones with one version each, and one without; closed. */
static struct memory_disk *disk_made(void)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;

	farm_start(&f, journal_memory_new(disk), ZONES);
	for (unsigned i = 0; i + 1 < ZONES; i++) {
		cr_assert(eq(int, farm_publish(&f, i, 10 + i, 300 * i), ERR_OK));
	}
	farm_fini(&f);
	return disk;
}

static void farm_open(struct farm *f, struct memory_disk *disk)
{
	farm_init(f, journal_memory_new(disk));
	for (unsigned i = 0; i < ZONES; i++) {
		farm_add(f, i);
	}
}

TEST(wanted, tells_everybody_once)
{
	struct memory_disk *disk = disk_made();
	struct asker askers[2 * ZONES];
	struct farm f;

	farm_open(&f, disk);
	for (unsigned i = 0; i < ARRAY_LEN(askers); i++) {
		cr_expect(store_unread(f.st, farm_zone(&f, i % ZONES)));
		cr_assert(eq(int, ask(&f, &askers[i], i % ZONES), ERR_OK));
	}
	cr_assert(eq(int, store_load(f.st), ERR_OK));
	farm_turn(&f);
	for (unsigned i = 0; i < ARRAY_LEN(askers); i++) {
		cr_expect(eq(uint, askers[i].told, 1));
		cr_expect(not(askers[i].unread));
		cr_expect(eq(u32, askers[i].serial, i % ZONES == ZONES - 1 ? 0 : 10 + i % ZONES));
	}
	cr_expect(eq(int, ask(&f, &askers[0], 0), ERR_NOT_FOUND), "all is read");
	farm_fini(&f);
	memory_disk_free(disk);
}

/* One that was asked for is there before those that were written earlier. */
struct watch {
	struct farm *farm;
	struct asker *asker;
	unsigned before; /* zones that were there */
};

static void wanted_told_first(struct store_task *task)
{
	struct asker *a =
		container_of(container_of(task, struct store_wanted, task), struct asker, wanted);

	a->told++;
	a->serial = farm_serial(a->farm, a->index);
}

/* Runs tasks as they are posted, as another thread would. */
static void post_run(void *self, unsigned shard, struct store_task *task)
{
	struct watch *w = self;

	(void)shard;
	for (unsigned i = 0; i < ZONES; i++) {
		w->before += farm_serial(w->farm, i) != 0;
	}
	task->fn(task);
}

TEST(wanted, comes_before_the_others)
{
	struct memory_disk *disk = disk_made();
	struct asker asker;
	struct farm f;
	struct watch watch = { &f, &asker, 0 };

	farm_open(&f, disk);
	f.st->o.post = post_run;
	f.st->o.post_self = &watch;
	cr_assert(eq(int, ask(&f, &asker, ZONES - 2), ERR_OK));
	asker.wanted.task.fn = wanted_told_first;
	cr_assert(eq(int, store_load(f.st), ERR_OK));
	cr_expect(eq(uint, asker.told, 1));
	cr_expect(eq(u32, asker.serial, 10 + ZONES - 2));
	cr_expect(eq(uint, watch.before, 1), "only the one that was asked for");
	for (unsigned i = 0; i + 1 < ZONES; i++) {
		cr_expect(eq(u32, farm_serial(&f, i), 10 + i));
	}
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(wanted, hears_of_damage)
{
	struct memory_disk *disk = disk_made();
	struct memory_record r;
	struct asker asker;
	struct farm f;

	cr_assert(memory_disk_node(disk, 0, &r));
	r.at[r.len / 2] ^= 1;
	farm_open(&f, disk);
	cr_assert(eq(int, ask(&f, &asker, 0), ERR_OK));
	cr_assert(eq(int, store_load(f.st), ERR_OK));
	farm_turn(&f);
	cr_expect(eq(uint, asker.told, 1));
	cr_expect(eq(u32, asker.serial, 0));
	cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 1));
	farm_fini(&f);
	memory_disk_free(disk);
}

TEST(wanted, is_bounded)
{
	struct asker *askers = mem_new((STORE_WANTED_MAX + 1) * sizeof(*askers));
	struct memory_disk *disk = disk_made();
	struct farm f;

	farm_open(&f, disk);
	for (size_t i = 0; i < STORE_WANTED_MAX; i++) {
		cr_assert(eq(int, ask(&f, &askers[i], i % ZONES), ERR_OK));
	}
	cr_expect(eq(int, ask(&f, &askers[STORE_WANTED_MAX], 0), ERR_BUSY));
	cr_assert(eq(int, store_load(f.st), ERR_OK));
	farm_turn(&f);
	for (size_t i = 0; i < STORE_WANTED_MAX; i++) {
		cr_assert(eq(uint, askers[i].told, 1));
	}
	cr_expect(eq(uint, askers[STORE_WANTED_MAX].told, 0));
	farm_fini(&f);
	memory_disk_free(disk);
	free(askers);
}

/* A store that is stopped while it reads tells those who wait, drops nothing, and all is there next
 * time. */
TEST(wanted, ends_with_a_stop)
{
	struct memory_disk *disk = disk_made();
	uint64_t writes = memory_disk_writes(disk);
	struct asker asker;
	struct farm f;

	farm_open(&f, disk);
	cr_assert(eq(int, ask(&f, &asker, 2), ERR_OK));
	store_stop(f.st);
	cr_assert(eq(int, store_load(f.st), ERR_STOPPING));
	farm_turn(&f);
	cr_expect(eq(uint, asker.told, 1));
	cr_expect(eq(u32, asker.serial, 0));
	cr_expect(eq(uint, f.counts[EVENT_STORE_CORRUPT], 0));
	cr_expect(eq(uint, f.counts[EVENT_STORE_LOADED], 0));
	farm_fini(&f);
	cr_expect(eq(u64, memory_disk_writes(disk), writes));
	farm_start(&f, journal_memory_new(disk), ZONES);
	for (unsigned i = 0; i + 1 < ZONES; i++) {
		cr_expect(eq(u32, farm_serial(&f, i), 10 + i));
	}
	farm_fini(&f);
	memory_disk_free(disk);
}
