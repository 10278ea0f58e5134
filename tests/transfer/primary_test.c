/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/primary_test.c — lanes, slots and the health of primaries. */
#include "transfer/primary_p.h"

#include "base/arena.h"
#include "tests/test.h"

struct world {
	struct env_fake fake;
	struct io io;
	struct primaries all;
};

static void world_init(struct world *w, uint32_t each, uint32_t total)
{
	env_fake_init(&w->fake, 1);
	w->fake.now_ns = 1000 * NS_PER_S;
	w->io = (struct io){ .env = &w->fake.env };
	primaries_init(&w->all, &w->io);
	for (unsigned job = 0; job < JOBS; job++) {
		w->all.per_primary_max[job] = each;
		w->all.running_max[job] = total;
	}
}

static struct primary *get(struct world *w, const char *text)
{
	struct addr a, any = { 0 };

	cr_assert(eq(int, addr_parse(text, 53, &a), ERR_OK));
	return primary_get(&w->all, &a, &any, NULL);
}

TEST(primary, is_one_object_for_each_address)
{
	struct world w;
	struct primary *a, *b, *c;

	world_init(&w, 4, 4);
	a = get(&w, "192.0.2.1");
	b = get(&w, "192.0.2.1@53");
	c = get(&w, "192.0.2.1@54");
	cr_expect(eq(ptr, a, b));
	cr_expect(ne(ptr, a, c));
	cr_expect(eq(u32, a->users, 2));
	primary_put(a);
	primary_put(b);
	primary_put(c);
	primaries_fini(&w.all);
}

TEST(primary, serves_lanes_in_their_order)
{
	struct world w;
	struct link links[LANES];
	struct primary *p;

	world_init(&w, 100, 100);
	p = get(&w, "192.0.2.1");
	for (unsigned i = LANES; i-- > 0;) {
		link_init(&links[i]);
		primary_enqueue(p, JOB_PULL, i, &links[i]);
	}
	for (unsigned i = 0; i < LANES; i++) {
		cr_assert(eq(ptr, primaries_take(&w.all, JOB_PULL), &links[i]), "lane %u", i);
	}
	cr_expect(eq(ptr, primaries_take(&w.all, JOB_PULL), NULL));
	for (unsigned i = 0; i < LANES; i++) {
		primary_slot_end(p, JOB_PULL);
	}
	primary_put(p);
	primaries_fini(&w.all);
}

TEST(primary, keeps_a_quarter_for_what_is_urgent)
{
	struct world w;
	struct link first[8], notify;
	struct primary *p;

	world_init(&w, 4, 100);
	p = get(&w, "192.0.2.1");
	for (unsigned i = 0; i < ARRAY_LEN(first); i++) {
		link_init(&first[i]);
		primary_enqueue(p, JOB_PULL, LANE_FIRST, &first[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(eq(ptr, primaries_take(&w.all, JOB_PULL), &first[i]));
	}
	cr_assert(eq(ptr, primaries_take(&w.all, JOB_PULL), NULL), "three of four");
	link_init(&notify);
	primary_enqueue(p, JOB_PULL, LANE_NOTIFY, &notify);
	cr_assert(eq(ptr, primaries_take(&w.all, JOB_PULL), &notify));
	primary_slot_end(p, JOB_PULL);
	cr_assert(eq(ptr, primaries_take(&w.all, JOB_PULL), NULL), "still three of four");
	primary_slot_end(p, JOB_PULL);
	cr_assert(eq(ptr, primaries_take(&w.all, JOB_PULL), &first[3]));
	for (unsigned i = 4; i < ARRAY_LEN(first); i++) {
		primary_dequeue(p, JOB_PULL, LANE_FIRST, &first[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		primary_slot_end(p, JOB_PULL);
	}
	cr_expect(eq(ptr, primaries_take(&w.all, JOB_PULL), NULL));
	primary_put(p);
	primaries_fini(&w.all);
}

TEST(primary, goes_round_among_primaries)
{
	struct world w;
	struct link links[2][3];
	struct primary *p[2];

	world_init(&w, 8, 100);
	p[0] = get(&w, "192.0.2.1");
	p[1] = get(&w, "192.0.2.2");
	for (unsigned i = 0; i < 6; i++) {
		link_init(&links[i / 3][i % 3]);
		primary_enqueue(p[i / 3], JOB_ASK, LANE_DUE, &links[i / 3][i % 3]);
	}
	for (unsigned i = 0; i < 6; i++) {
		cr_assert(eq(ptr, primaries_take(&w.all, JOB_ASK), &links[i % 2][i / 2]));
	}
	for (unsigned i = 0; i < 6; i++) {
		primary_slot_end(p[i % 2], JOB_ASK);
	}
	primary_put(p[0]);
	primary_put(p[1]);
	primaries_fini(&w.all);
}

TEST(primary, is_left_alone_for_longer_and_longer)
{
	static const uint64_t waits_s[] = { 1, 2, 4, 8, 10, 10 };
	struct world w;
	struct primary *p;

	world_init(&w, 8, 100);
	p = get(&w, "192.0.2.1");
	cr_expect(not(primary_down(p)));
	for (unsigned i = 0; i < ARRAY_LEN(waits_s); i++) {
		primary_unreached(p, ERR_PEER_REFUSED);
		primary_unreached(p, ERR_PEER_REFUSED); /* began before: counts once */
		w.fake.now_ns += waits_s[i] * NS_PER_S - 1;
		cr_expect(primary_down(p), "failure %u", i);
		w.fake.now_ns += 1;
		cr_expect(not(primary_down(p)), "failure %u", i);
	}
	primary_unreached(p, ERR_PEER_REFUSED);
	primary_connected(p, 5);
	cr_expect(not(primary_down(p)));
	cr_expect(eq(u32, p->failures, 0));
	primary_put(p);
	primaries_fini(&w.all);
}

TEST(primary, is_forgotten_when_nobody_used_it_for_long)
{
	struct world w;

	world_init(&w, 8, 100);
	primary_put(get(&w, "192.0.2.1"));
	w.fake.now_ns += (PRIMARY_KEEP_S + 1) * NS_PER_S;
	for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) { /* each new one looks into one bucket */
		struct addr a = { .family = 4, .port = (uint16_t)(i + 1), .ip = { 10 } },
			    any = { 0 };

		primary_put(primary_get(&w.all, &a, &any, NULL));
	}
	cr_expect(eq(u32, w.all.count, PRIMARY_BUCKETS));
	primaries_fini(&w.all);
}
