/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/notify_limit_test.c — sources are counted each by itself, in little memory. */
#include "tests/test.h"
#include "transfer/notify_limit.h"

static struct addr addr_of(const char *text)
{
	struct addr a;

	cr_assert(eq(int, addr_parse(text, 53, &a), ERR_OK));
	return a;
}

/* How many of `count` are taken at once. */
static unsigned take(struct notify_limit *l, const char *from, enum notify_limit_kind kind,
                     uint32_t rate, unsigned count)
{
	struct addr a = addr_of(from);
	unsigned taken = 0;

	for (unsigned i = 0; i < count; i++) {
		taken += notify_limit_take(l, &a, kind, rate);
	}
	return taken;
}

TEST(notify_limit, takes_the_rate_and_a_burst)
{
	struct env_fake env;
	struct notify_limit *l;

	env_fake_init(&env, 1);
	env.now_ns = NS_PER_S;
	l = notify_limit_new(&env.env);
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 50, 1000), 51));
	for (unsigned i = 0; i < 10; i++) {
		env.now_ns += NS_PER_S;
		cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 50, 1000), 50));
	}
	env.now_ns += 3600 * NS_PER_S;
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 50, 1000), 51), "no savings");
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 0, 1000), 1000), "no limit");
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_ALLOWED, 100000, 30000), 30000),
	          "counted apart");
	notify_limit_free(l);
}

TEST(notify_limit, tells_sources_apart)
{
	struct env_fake env;
	struct notify_limit *l;

	env_fake_init(&env, 2);
	l = notify_limit_new(&env.env);
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 5, 100), 6));
	cr_expect(eq(uint, take(l, "192.0.2.1@999", NOTIFY_LIMIT_REFUSED, 5, 100), 0), "any port");
	cr_expect(eq(uint, take(l, "192.0.2.2", NOTIFY_LIMIT_REFUSED, 5, 100), 6));
	cr_expect(eq(uint, take(l, "2001:db8::1", NOTIFY_LIMIT_REFUSED, 5, 100), 6));
	cr_expect(eq(uint, take(l, "2001:db8::ffff:1", NOTIFY_LIMIT_REFUSED, 5, 100), 0), "a /64");
	cr_expect(eq(uint, take(l, "2001:db8:0:1::1", NOTIFY_LIMIT_REFUSED, 5, 100), 6));
	/* The same octets in the other family. */
	cr_expect(eq(uint, take(l, "c000:201::", NOTIFY_LIMIT_REFUSED, 5, 100), 6));
	notify_limit_free(l);
}

/* A flood of many sources does not make the one forgotten that sends most. */
TEST(notify_limit, remembers_those_who_send_much)
{
	struct env_fake env;
	struct notify_limit *l;
	unsigned taken;

	env_fake_init(&env, 3);
	l = notify_limit_new(&env.env);
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 50, 100), 51));
	for (unsigned i = 0; i < 200000; i++) {
		struct addr a = { .family = 4,
			          .ip = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		taken = notify_limit_take(l, &a, NOTIFY_LIMIT_REFUSED, 50);
		cr_assert(eq(uint, taken, 1));
	}
	cr_expect(eq(uint, take(l, "192.0.2.1", NOTIFY_LIMIT_REFUSED, 50, 100), 0));
	notify_limit_free(l);
}
