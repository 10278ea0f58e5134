/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/primary_test.c — lanes, slots and the health of primaries. */
#include "transfer/primary_p.h"

#include "tests/test.h"

struct world {
	struct env_fake fake;
	struct io io;
	struct primaries all;
	uint32_t each;
};

static void timer_set(struct io *io, struct io_timer *t, uint64_t at_ns)
{
	(void)io;
	t->at_ns = at_ns;
}

static void timer_clear(struct io *io, struct io_timer *t)
{
	(void)io;
	t->at_ns = 0;
}

static const struct io_ops timers_only = { .timer_set = timer_set, .timer_clear = timer_clear };

static void world_init(struct world *w, uint32_t each, uint32_t total)
{
	env_fake_init(&w->fake, 1);
	w->fake.now_ns = 1000 * NS_PER_S;
	w->io = (struct io){ .ops = &timers_only, .env = &w->fake.env };
	w->each = each;
	primaries_init(&w->all, &w->io, NULL);
	for (unsigned job = 0; job < JOBS; job++) {
		w->all.slots_max[job] = total;
	}
}

static struct primary *get(struct world *w, const char *text)
{
	struct policy_primary like = { .pace.transfers = w->each };
	struct primary *p;

	cr_assert(eq(int, addr_parse(text, 53, &like.addr), ERR_OK));
	p = primary_get(&w->all, &like);
	for (unsigned job = 0; job < JOBS; job++) {
		p->windows[job].size = w->each;
	}
	return p;
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
		primary_slot_end(p, JOB_PULL, i);
	}
	primary_put(p);
	primaries_fini(&w.all);
}

TEST(primary, takes_the_last_lane_first_now_and_then)
{
	struct world w;
	struct link urgent[40], due;
	struct primary *p;
	unsigned at = 0;

	world_init(&w, 1, 100);
	p = get(&w, "192.0.2.1");
	link_init(&due);
	primary_enqueue(p, JOB_PULL, LANE_DUE, &due);
	for (unsigned i = 0; i < ARRAY_LEN(urgent); i++) {
		link_init(&urgent[i]);
		primary_enqueue(p, JOB_PULL, LANE_OPERATOR, &urgent[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(urgent) && at == 0; i++) {
		struct link *l = primaries_take(&w.all, JOB_PULL);

		at = l == &due ? i + 1 : 0;
		primary_slot_end(p, JOB_PULL, l == &due ? LANE_DUE : LANE_OPERATOR);
	}
	cr_expect(eq(uint, at, LANE_REST_EVERY));
	for (unsigned i = 0; i < ARRAY_LEN(urgent); i++) {
		if (!link_alone(&urgent[i])) {
			primary_dequeue(p, JOB_PULL, &urgent[i]);
		}
	}
	primary_put(p);
	primaries_fini(&w.all);
}

static uint32_t fill(struct slots *s, uint32_t limit, enum lane lane)
{
	uint32_t count = 0;

	while (slots_open(s, limit, lane)) {
		slots_take(s, lane);
		count++;
	}
	return count;
}

/* A lane has all it can get; the others find their shares free. */
static void expect_shares(uint32_t limit, enum lane greedy)
{
	struct slots s = { 0 };

	cr_expect(ge(u32, 2 * fill(&s, limit, greedy), limit), "no less than half");
	for (enum lane l = 0; l < LANES; l++) {
		uint32_t got = fill(&s, limit, l);

		cr_expect(l == greedy || got >= lane_share(limit, l),
		          "limit %u, lane %u beside %u got %u", limit, l, greedy, got);
	}
	cr_expect(le(u32, s.running, limit));
}

TEST(primary, keeps_a_share_for_every_lane)
{
	static const uint32_t limits[] = { 1, 2, 3, 4, 8, 16, 64, 512 };

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		for (enum lane greedy = 0; greedy < LANES; greedy++) {
			expect_shares(limits[i], greedy);
		}
	}
	cr_expect(eq(u32, lane_share(4, LANE_NOTIFY), 1));
	cr_expect(eq(u32, lane_share(512, LANE_FIRST), 32));
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
		primary_slot_end(p[i % 2], JOB_ASK, LANE_DUE);
	}
	primary_put(p[0]);
	primary_put(p[1]);
	primaries_fini(&w.all);
}

/* Fails so that the primary is down, whoever is to try is found by `l`. */
static void probe_fails(struct world *w, struct primary *p, const struct link *l)
{
	cr_assert(primary_admits(p, l, false));
	primary_unreached(p, ERR_PEER_REFUSED);
	primary_unreached(p, ERR_PEER_REFUSED); /* began before: counts once */
	primary_probe_over(p, l);
	(void)w;
}

TEST(primary, is_tried_by_one_at_a_time_and_after_longer_and_longer)
{
	static const uint64_t waits_s[] = { 1, 2, 4, 8, 16, 20, 20 };
	struct world w;
	struct link a, b;
	struct primary *p;

	world_init(&w, 8, 100);
	p = get(&w, "192.0.2.1");
	cr_expect(not(primary_down(p)));
	for (unsigned i = 0; i < ARRAY_LEN(waits_s); i++) {
		probe_fails(&w, p, &a);
		cr_expect(primary_down(p));
		w.fake.now_ns += waits_s[i] * NS_PER_S - 1;
		cr_expect(not(primary_admits(p, &a, false)), "failure %u", i);
		w.fake.now_ns += 1;
	}
	cr_expect(primary_admits(p, &a, false));
	cr_expect(primary_admits(p, &a, false), "it goes on");
	cr_expect(not(primary_admits(p, &b, false)), "one at a time");
	cr_expect(not(primary_admits(p, &b, true)));
	primary_probe_over(p, &a); /* it could not: another does, soon */
	cr_expect(not(primary_admits(p, &b, false)));
	cr_expect(primary_admits(p, &b, true), "who has reason to need not wait");
	primary_answered(p);
	cr_expect(not(primary_down(p)));
	cr_expect(primary_admits(p, &a, false));
	w.fake.now_ns += PRIMARY_DOWN_MAX_S * NS_PER_S;
	probe_fails(&w, p, &a); /* after it was well for long, the first wait is short again */
	w.fake.now_ns += waits_s[0] * NS_PER_S;
	cr_expect(primary_admits(p, &a, false));
	primary_answered(p);
	primary_put(p);
	primaries_fini(&w.all);
}

TEST(primary, is_not_down_for_a_fault_of_ours)
{
	struct world w;
	struct primary *p;

	world_init(&w, 8, 100);
	p = get(&w, "192.0.2.1");
	primary_unreached(p, ERR_SYSTEM);
	primary_unreached(p, ERR_NO_MEMORY);
	cr_expect(not(primary_down(p)));
	primary_put(p);
	primaries_fini(&w.all);
}

TEST(primary, learns_what_a_peer_can_do_and_tries_again_after_a_day)
{
	struct world w;
	struct primary *p;

	world_init(&w, 8, 100);
	p = get(&w, "192.0.2.1");
	primary_can(p, ABILITY_SINGLE);
	primary_can(p, ABILITY_SERIAL);
	cr_expect(eq(int, p->ability, ABILITY_SINGLE), "no step back");
	primary_bears(p, 2);
	cr_expect(eq(u32, primary_conns_max(p), 2));
	primary_put(get(&w, "192.0.2.1"));
	cr_expect(eq(int, p->ability, ABILITY_SINGLE));
	w.fake.now_ns += PRIMARY_LEARN_S * NS_PER_S;
	primary_put(get(&w, "192.0.2.1"));
	cr_expect(eq(int, p->ability, ABILITY_SERIAL));
	cr_expect(eq(u32, primary_conns_max(p), POLICY_CONNECTIONS));
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
		struct policy_primary like = {
			.addr = { .family = 4, .port = (uint16_t)(i + 1), .ip = { 10 } }
		};

		primary_put(primary_get(&w.all, &like));
	}
	cr_expect(eq(u32, w.all.count, PRIMARY_BUCKETS));
	primaries_fini(&w.all);
}
