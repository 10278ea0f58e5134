/* SPDX-License-Identifier: MIT */
#include "zonestore/key_p.h"

#include "base/env.h"
#include "tests/test.h"

static struct name_buf random_name(struct env *env, struct name apex)
{
	struct name_buf out = { 0 };
	unsigned count = env_random_below(env, 5);
	unsigned at = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned len = env_random_below(env, 8) == 0 ? 63 : 1 + env_random_below(env, 3);
		if (at + 1 + len + apex.len > NAME_MAX_LEN) {
			break;
		}
		out.octets[at++] = (uint8_t)len;
		out.labels++;
		while (len-- > 0) {
			static const uint8_t some[] = { 0, 1, 2, 'A', 'a', 'B', 'z', '*', 255 };
			out.octets[at++] = some[env_random_below(env, sizeof(some))];
		}
	}
	memcpy(out.octets + at, apex.at, apex.len);
	out.len = (uint8_t)(at + apex.len);
	out.labels = (uint8_t)(out.labels + apex.labels);
	return out;
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

/* RFC 4034 §6.1, and the way back. */
TEST(key, orders_as_names_do_and_gives_them_back)
{
	static const uint8_t octets[] = "\7example\3org";
	struct name apex;
	struct env_fake fake;

	env_fake_init(&fake, 4);
	cr_assert(eq(int, name_view(bytes_of(octets, sizeof(octets)), &apex), ERR_OK));
	for (unsigned i = 0; i < 20000; i++) {
		struct name_buf a = random_name(&fake.env, apex);
		struct name_buf b = random_name(&fake.env, apex);
		struct name_buf back;
		struct key x;
		struct key y;
		key_of_name(name_of(&a), apex.labels, &x);
		key_of_name(name_of(&b), apex.labels, &y);
		cr_assert(eq(int, sign(bytes_compare(key_bytes(&x), key_bytes(&y))),
		             sign(name_compare(name_of(&a), name_of(&b)))));
		cr_assert(key_check(key_bytes(&x)));
		cr_assert(eq(uint, key_labels(key_bytes(&x)) + apex.labels, a.labels));
		cr_assert(eq(uint, key_wire_len(key_bytes(&x)) + apex.len, a.len));
		cr_assert(eq(int, x.cased, x.cased &&key_cases_check(key_bytes(&x), x.cases)));
		cr_assert(key_name(key_bytes(&x), x.cased ? x.cases : NULL, apex, &back));
		cr_assert(bytes_equal(name_bytes(name_of(&a)), name_bytes(name_of(&back))));
		cr_assert(eq(uint, back.labels, a.labels));
	}
}

/* The longest name of the worst octets fits, and one octet more under a longer apex is refused. */
TEST(key, holds_the_longest_names)
{
	struct name_buf n = { .labels = 4 };
	struct name_buf back;
	struct name root = { (const uint8_t *)"", 1, 0 };
	struct name longer = { (const uint8_t *)"\1x", 3, 1 };
	struct key k;
	unsigned at = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned len = i < 3 ? 63 : 61;
		n.octets[at] = (uint8_t)len;
		at += len + 1;
	}
	n.len = (uint8_t)(at + 1);
	cr_assert(eq(uint, n.len, NAME_MAX_LEN));
	key_of_name(name_of(&n), 0, &k);
	cr_expect(eq(uint, k.len, 2 * 250 + 4));
	cr_assert(key_name(key_bytes(&k), NULL, root, &back));
	cr_expect(name_equal(name_of(&n), name_of(&back)));
	cr_expect(not(key_name(key_bytes(&k), NULL, longer, &back)));
}

TEST(key, refuses_octets_that_no_name_makes)
{
	static const struct {
		const char *octets;
		size_t len;
		bool good;
	} cases[] = {
		{ "", 0, true },        { "a\0", 2, true },    { "a\0b\0", 4, true },
		{ "a", 1, false },      { "\0", 1, false },    { "a\0\0", 3, false },
		{ "A\0", 2, false },    { "\1\1\0", 3, true }, { "\1\2\0", 3, true },
		{ "\1\3\0", 3, false }, { "\1\0", 2, false },  { "\1", 1, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes key = bytes_of(cases[i].octets, cases[i].len);
		cr_expect(eq(int, key_check(key), cases[i].good), "case %zu", i);
	}
}

TEST(key, knows_which_spelling_comes_first)
{
	static const uint8_t first[] = { 0x80 };
	static const uint8_t second[] = { 0x40 };

	cr_expect(key_cases_before(3, first, second));
	cr_expect(not(key_cases_before(3, second, first)));
	cr_expect(key_cases_before(3, second, NULL));
	cr_expect(not(key_cases_before(3, NULL, second)));
	cr_expect(not(key_cases_before(3, NULL, NULL)));
}
