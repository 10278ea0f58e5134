/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/policy_test.c — who may notify and transfer, and when a change matters. */
#include "transfer/policy.h"

#include "base/arena.h"
#include "tests/test.h"

static struct tsig_key *key_new(const char *name, const char *secret)
{
	struct name_buf buf;
	struct tsig_key_options options = { .algorithm = TSIG_HMAC_SHA256,
		                            .secret = bytes_str(secret) };
	struct tsig_key *key;

	cr_assert(eq(int, name_parse(bytes_str(name), NULL, &buf), ERR_OK));
	options.name = name_of(&buf);
	cr_assert(eq(int, tsig_key_new(&options, &key), ERR_OK));
	return key;
}

static struct addr addr(const char *text)
{
	struct addr a;

	cr_assert(eq(int, addr_parse(text, 53, &a), ERR_OK), "%s", text);
	return a;
}

static struct addr_range range(const char *text)
{
	struct addr_range r;

	cr_assert(eq(int, addr_range_parse(text, &r), ERR_OK), "%s", text);
	return r;
}

/* Primaries 192.0.2.1 (open) and 192.0.2.2 (k1); NOTIFY from a range, and by key k2 from one. */
static struct zone_policy *policy_new(void)
{
	struct zone_policy *p = zone_policy_new();

	p->primary_count = 2;
	p->primaries = mem_zero(2, sizeof(*p->primaries));
	p->primaries[0].addr = addr("192.0.2.1");
	p->primaries[1].addr = addr("192.0.2.2@5300");
	p->primaries[1].key = key_new("k1", "secret-1");
	p->allow_notify_count = 2;
	p->allow_notify = mem_zero(2, sizeof(*p->allow_notify));
	p->allow_notify[0].range = range("198.51.100.0/24");
	p->allow_notify[1].range = range("203.0.113.5-203.0.113.9");
	p->allow_notify[1].key = key_new("k2", "secret-2");
	p->allow_transfer_count = 2;
	p->allow_transfer = mem_zero(2, sizeof(*p->allow_transfer));
	p->allow_transfer[0].range = range("127.0.0.0/8");
	p->allow_transfer[1].any_addr = true;
	p->allow_transfer[1].key = key_new("k2", "secret-2");
	return p;
}

TEST(policy, judges_who_may_notify)
{
	struct zone_policy *p = policy_new();
	struct tsig_key *k1 = key_new("k1", "secret-1");
	struct tsig_key *k2 = key_new("k2", "secret-2");
	struct tsig_key *forged = key_new("k1", "secret-9");
	struct {
		const char *from;
		struct tsig_key *key;
		bool want;
	} cases[] = {
		{ "192.0.2.1@53", NULL, true },    { "192.0.2.1@40000", NULL, true },
		{ "192.0.2.1@53", k2, true },      { "192.0.2.2@53", NULL, true },
		{ "192.0.2.2@53", k1, true },      { "192.0.2.2@53", k2, true },
		{ "192.0.2.2@53", forged, true },  { "198.51.100.77@1", NULL, true },
		{ "198.51.101.0@1", NULL, false }, { "203.0.113.5@1", NULL, false },
		{ "203.0.113.5@1", k2, true },     { "203.0.113.10@1", k2, false },
		{ "2001:db8::1@53", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr from = addr(cases[i].from);

		cr_expect(eq(int, policy_may_notify(p, &from, cases[i].key), cases[i].want),
		          "case %zu", i);
	}
	tsig_key_unref(k1);
	tsig_key_unref(k2);
	tsig_key_unref(forged);
	zone_policy_unref(p);
}

TEST(policy, judges_who_may_transfer)
{
	struct zone_policy *p = policy_new();
	struct tsig_key *k1 = key_new("k1", "secret-1");
	struct tsig_key *k2 = key_new("k2", "secret-2");
	struct addr home = addr("127.0.0.5"), far = addr("2001:db8::5");

	cr_expect(policy_may_transfer(p, &home, NULL));
	cr_expect(policy_may_transfer(p, &home, k1));
	cr_expect(policy_may_transfer(p, &far, k2), "by key from anywhere");
	cr_expect(not(policy_may_transfer(p, &far, k1)));
	cr_expect(not(policy_may_transfer(p, &far, NULL)));
	tsig_key_unref(k1);
	tsig_key_unref(k2);
	zone_policy_unref(p);
}

TEST(policy, nobody_may_anything_without_entries)
{
	struct zone_policy *p = zone_policy_new();
	struct addr a = addr("127.0.0.1");

	cr_expect(not(policy_may_notify(p, &a, NULL)));
	cr_expect(not(policy_may_transfer(p, &a, NULL)));
	zone_policy_unref(p);
}

TEST(policy, equal_configurations_are_equal)
{
	struct zone_policy *a = policy_new(), *b = policy_new();

	cr_expect(zone_policy_equal(a, b), "keys of another load, with the same secrets");
	cr_expect(not(zone_policy_refetch(a, b)));
	b->limits.idle_time_s++;
	cr_expect(not(zone_policy_equal(a, b)));
	cr_expect(not(zone_policy_refetch(a, b)), "limits are no reason to fetch");
	zone_policy_unref(a);
	zone_policy_unref(b);
}

/* Each guard and limit of history counts, and none of them is a reason to fetch. */
TEST(policy, sees_a_change_of_every_guard)
{
	struct zone_policy *a = zone_policy_new();

	for (unsigned i = 0; i < 12; i++) {
		struct zone_policy *b = zone_policy_new();
		struct policy_guard *g = &b->guard;

		cr_expect(zone_policy_equal(a, b));
		g->no_ns = i == 0 ? GUARD_HOLD : g->no_ns;
		g->shrunk = i == 1 ? GUARD_OFF : g->shrunk;
		g->shrink_percent = (uint8_t)(g->shrink_percent - (i == 2));
		g->shrink_records += i == 3;
		g->zonemd = i == 4 ? GUARD_REFUSE : g->zonemd;
		g->limit = i == 5 ? GUARD_HOLD : g->limit;
		g->records_max += i == 6;
		g->bytes_max += i == 7;
		g->follow_lower = i == 8;
		b->history.count += i == 9;
		b->history.age_s += i == 10;
		b->history.bytes += i == 11;
		cr_expect(not(zone_policy_equal(a, b)), "%u", i);
		cr_expect(not(zone_policy_refetch(a, b)));
		zone_policy_unref(b);
	}
	zone_policy_unref(a);
}

TEST(policy, fetches_again_when_primaries_or_keys_change)
{
	struct zone_policy *a = policy_new(), *b = policy_new();

	tsig_key_unref(b->primaries[1].key);
	b->primaries[1].key = key_new("k1", "rotated");
	cr_expect(zone_policy_refetch(a, b), "secret");
	tsig_key_unref(b->primaries[1].key);
	b->primaries[1].key = NULL;
	cr_expect(zone_policy_refetch(a, b), "key gone");
	b->primaries[1].key = key_new("k1", "secret-1");
	cr_expect(not(zone_policy_refetch(a, b)));
	b->primaries[0].addr.port = 54;
	cr_expect(zone_policy_refetch(a, b), "port");
	cr_expect(not(zone_policy_equal(a, b)));
	zone_policy_unref(a);
	zone_policy_unref(b);
}

TEST(policy, lives_as_long_as_its_references)
{
	struct zone_policy *p = policy_new();

	zone_policy_ref(p);
	zone_policy_unref(p);
	cr_expect(eq(sz, p->primary_count, 2));
	zone_policy_unref(p);
	zone_policy_unref(NULL);
}
