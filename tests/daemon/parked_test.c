/* SPDX-License-Identifier: MIT
 *
 * Questions that wait for a zone, over a store whose disk thread is the test and a struct io whose
 * timers are run by hand. */
#include "daemon/parked_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "zonestore/journal_memory.h"

struct lot {
	struct io io;
	struct daemon *d;
	struct shard *shard;
	struct parking parking;
	struct events events;
	struct memory_disk *disk;
	struct zone *zone;
	unsigned timers;  /* set and neither run nor cleared */
	unsigned resumed; /* questions */
	size_t octets;    /* of those */
};

static void timer_set(struct io *io, struct io_timer *t, uint64_t at_ns)
{
	container_of(io, struct lot, io)->timers += t->at_ns == 0;
	t->at_ns = at_ns;
}

static void timer_clear(struct io *io, struct io_timer *t)
{
	container_of(io, struct lot, io)->timers -= t->at_ns != 0;
	t->at_ns = 0;
}

static const struct io_ops hand_ops = { .timer_set = timer_set, .timer_clear = timer_clear };

static void timer_run(struct lot *lot, struct io_timer *t)
{
	timer_clear(&lot->io, t);
	t->fn(t);
}

static void post(void *self, unsigned shard, struct store_task *task)
{
	(void)self;
	cr_assert(eq(uint, shard, 0));
	task->fn(task);
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

static void lot_init(struct lot *lot)
{
	struct pool_options pool_options = { .env = env_system(),
		                             .parts = 4,
		                             .span_bytes = 1U << 28 };
	struct store_options options = {
		.env = env_system(), .shard_count = 1, .post = post, .post_self = lot
	};
	struct name_buf apex;

	*lot = (struct lot){ .io = { .ops = &hand_ops, .env = env_system() } };
	lot->d = mem_zero(1, sizeof(*lot->d));
	lot->shard = &lot->d->shards[0];
	*lot->shard = (struct shard){ .d = lot->d, .io = &lot->io };
	lot->parking.shard = lot->shard;
	lot->events = (struct events){ .level = LEVEL_ERROR,
		                       .env = env_system(),
		                       .write_fn = write_nothing };
	lot->disk = memory_disk_new();
	lot->d->epoch = epoch_new();
	pool_options.epoch = lot->d->epoch;
	cr_assert(eq(int, pool_new(&pool_options, &lot->d->pool), ERR_OK));
	options.events = &lot->events;
	options.epoch = lot->d->epoch;
	options.pool = lot->d->pool;
	options.journal = journal_memory_new(lot->disk);
	cr_assert(eq(int, store_new(&options, &lot->d->store), ERR_OK));
	cr_assert(eq(int, name_parse(bytes_str("example."), NULL, &apex), ERR_OK));
	cr_assert(eq(int, store_add(lot->d->store, name_of(&apex), &lot->zone), ERR_OK));
}

static void lot_fini(struct lot *lot)
{
	parking_fini(&lot->parking);
	cr_expect(eq(sz, lot->parking.count, 0));
	cr_expect(eq(sz, lot->parking.bytes, 0));
	cr_expect(eq(uint, lot->timers, 0));
	store_free(lot->d->store);
	epoch_free(lot->d->epoch);
	pool_free(lot->d->pool);
	memory_disk_free(lot->disk);
	free(lot->d);
}

static void resume(struct parked *p)
{
	struct lot *lot = p->owner;

	lot->resumed++;
	lot->octets += p->message.len;
	cr_expect(bytes_equal(p->message, bytes_str("question")));
}

static struct parked *park(struct lot *lot)
{
	char text[] = "question"; /* gone after the call */
	struct parked like = { .resume = resume, .owner = lot, .message = bytes_str(text) };

	return parked_new(&lot->parking, lot->zone, &like);
}

TEST(parked, resumes_when_the_zone_was_read)
{
	struct lot lot;

	lot_init(&lot);
	cr_assert(park(&lot) != NULL && park(&lot) != NULL);
	cr_expect(eq(uint, lot.timers, 2));
	cr_assert(eq(int, store_load(lot.d->store), ERR_OK));
	cr_expect(eq(uint, lot.resumed, 2));
	cr_expect(eq(sz, lot.octets, 16));
	cr_expect(eq(sz, lot.parking.count, 0));
	cr_expect(park(&lot) == NULL, "nothing to wait for");
	lot_fini(&lot);
}

TEST(parked, waits_no_longer_than_it_may)
{
	struct lot lot;
	struct parked *p;

	lot_init(&lot);
	p = park(&lot);
	cr_assert(p != NULL);
	cr_expect(le(u64, p->timer.at_ns, env_mono_ns(env_system()) + PARKED_WAIT_MS * NS_PER_MS));
	timer_run(&lot, &p->timer);
	cr_expect(eq(uint, lot.resumed, 1));
	cr_assert(eq(int, store_load(lot.d->store), ERR_OK));
	cr_expect(eq(uint, lot.resumed, 1), "once");
	lot_fini(&lot);
}

TEST(parked, is_forgotten)
{
	struct lot lot;
	struct parked *p;

	lot_init(&lot);
	p = park(&lot);
	cr_assert(p != NULL && park(&lot) != NULL);
	parked_forget(p);
	parked_forget(p);
	cr_expect(eq(uint, lot.timers, 1));
	parking_close(&lot.parking);
	cr_assert(eq(int, store_load(lot.d->store), ERR_OK));
	cr_expect(eq(uint, lot.resumed, 0));
	lot_fini(&lot);
}

TEST(parked, is_freed_where_no_word_comes)
{
	struct lot lot;

	lot_init(&lot);
	cr_assert(park(&lot) != NULL && park(&lot) != NULL);
	parking_close(&lot.parking);
	lot_fini(&lot);
	cr_expect(eq(uint, lot.resumed, 0));
}

TEST(parked, is_bounded)
{
	uint8_t *large = mem_zero(1, PARKED_MAX_BYTES);
	struct parked like = { .resume = resume };
	struct lot lot;

	lot_init(&lot);
	for (unsigned i = 0; i < PARKED_MAX; i++) {
		cr_assert(park(&lot) != NULL);
	}
	cr_expect(park(&lot) == NULL);
	cr_assert(eq(int, store_load(lot.d->store), ERR_OK));
	cr_expect(eq(uint, lot.resumed, PARKED_MAX));
	lot_fini(&lot);
	lot_init(&lot);
	cr_assert(park(&lot) != NULL);
	like.owner = &lot;
	like.message = bytes_of(large, PARKED_MAX_BYTES);
	cr_expect(parked_new(&lot.parking, lot.zone, &like) == NULL);
	parking_close(&lot.parking);
	lot_fini(&lot);
	free(large);
}
