/* SPDX-License-Identifier: MIT */
#include "dns/rdata.h"

#include "base/env.h"
#include "dns/rdata_p.h"
#include "tests/dns/rdata_vectors.h"
#include "tests/test.h"

#define SEED            0x72646174
#define MUTATIONS       60 /* of each good case */
#define WIRE_ROOM       8192
#define TEXT_ROOM       65536
#define CASES_MIN       500
#define COMPARE_SAMPLES 24

static const struct name_buf root_buf = { .len = 1, .octets = { 0 } };

/* ---- vectors ---- */

static void judge_text(const struct rdata_case *c, struct bytes text)
{
	uint8_t octets[WIRE_ROOM];
	struct writer w = writer_of(octets, sizeof(octets));
	struct name root = name_of(&root_buf);

	cr_expect(eq(int, rdata_parse(c->type, text, &root, &w), ERR_OK), "line %u: %.*s", c->line,
	          (int)text.len, text.at);
	cr_expect(bytes_equal(writer_bytes(&w), c->wire), "line %u: %.*s", c->line, (int)text.len,
	          text.at);
}

static void judge_case(const struct rdata_case *c, void *arg)
{
	char text[TEXT_ROOM];
	struct writer w = writer_of(text, sizeof(text));

	(void)arg;
	if (c->kind == RDATA_CASE_WIRE) {
		cr_expect(ne(int, rdata_check(c->type, c->wire), ERR_OK), "line %u", c->line);
		return;
	}
	if (c->kind == RDATA_CASE_TEXT) {
		cr_expect(eq(int, rdata_parse(c->type, c->texts[0], NULL, &w), ERR_TEXT), "line %u",
		          c->line);
		cr_expect(eq(sz, w.len, 0));
		return;
	}
	cr_expect(eq(int, rdata_check(c->type, c->wire), ERR_OK), "line %u", c->line);
	cr_expect(rdata_print(c->type, c->wire, &w), "line %u", c->line);
	cr_expect(bytes_equal(writer_bytes(&w), c->texts[0]), "line %u: printed %.*s", c->line,
	          (int)w.len, text);
	for (unsigned i = 0; i < c->text_count; i++) {
		judge_text(c, c->texts[i]);
	}
	w.len = 0;
	cr_expect(generic_print(c->wire, &w));
	judge_text(c, writer_bytes(&w));
}

TEST(rdata, agrees_with_every_vector)
{
	cr_expect(ge(uint, rdata_cases_each(judge_case, NULL), CASES_MIN));
}

static void mark_type(const struct rdata_case *c, void *arg)
{
	bool *seen = arg;

	seen[c->type] |= c->kind == RDATA_CASE_OK;
}

TEST(rdata, has_a_vector_for_every_type_with_a_layout)
{
	static bool seen[UINT16_MAX + 1];

	rdata_cases_each(mark_type, seen);
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		cr_expect(layout_of((uint16_t)type) == NULL || seen[type], "type %u", type);
	}
}

/* ---- properties, on good cases and on what grows from them by change ---- */

static struct bytes mutate(const struct env *env, struct bytes from, uint8_t *at)
{
	size_t len = from.len;

	memcpy(at, from.at, from.len);
	for (unsigned i = env_random_below(env, 3) + 1; i > 0; i--) {
		switch (env_random_below(env, 4)) {
		case 0:
			len = env_random_below(env, (uint32_t)len + 1);
			break;
		case 1:
			at[len++] = (uint8_t)env_random_below(env, 256);
			break;
		case 2:
			at[env_random_below(env, (uint32_t)len + 1)] =
				(uint8_t)env_random_below(env, 256);
			break;
		default:
			at[env_random_below(env, (uint32_t)len + 1)] ^= 0x20;
			break;
		}
	}
	return bytes_of(at, len);
}

/* What is accepted prints, and is read back as what it was; the three ways of checking agree. */
static bool judge_wire(uint16_t type, struct bytes wire)
{
	char text[TEXT_ROOM];
	uint8_t again[WIRE_ROOM];
	struct writer w = writer_of(text, sizeof(text));
	struct writer back = writer_of(again, sizeof(again));
	struct writer copy = writer_of(again, sizeof(again));
	struct reader r = reader_of(wire);
	bool accepted = rdata_check(type, wire) == ERR_OK;
	bool read = rdata_read(&r, type, wire.len, &copy) == ERR_OK;

	/* Inside of a message, a name may be a pointer to octets before; alone it may not. */
	cr_expect(ge(int, read, accepted), "type %u", type);
	cr_expect(ge(int, !accepted + bytes_equal(writer_bytes(&copy), wire), 1), "type %u", type);
	if (!accepted) {
		return false;
	}
	cr_expect(rdata_print(type, wire, &w), "type %u", type);
	cr_expect(eq(int, rdata_parse(type, writer_bytes(&w), NULL, &back), ERR_OK),
	          "type %u: %.*s", type, (int)w.len, text);
	cr_expect(bytes_equal(writer_bytes(&back), wire), "type %u: %.*s", type, (int)w.len, text);
	for (size_t cap = w.len / 2; cap < w.len; cap += 1 + w.len / 16) {
		struct writer small = writer_of(text, cap);
		cr_expect(not(rdata_print(type, wire, &small)));
		cr_expect(eq(sz, small.len, 0));
	}
	return true;
}

struct growth {
	struct env_fake env;
	unsigned accepted;
	unsigned refused;
};

static void judge_growth(const struct rdata_case *c, void *arg)
{
	struct growth *g = arg;
	uint8_t octets[WIRE_ROOM];

	if (c->kind != RDATA_CASE_OK) {
		return;
	}
	for (size_t len = 0; len <= c->wire.len; len++) {
		(void)judge_wire(c->type, bytes_of(c->wire.at, len));
	}
	for (unsigned i = 0; i < MUTATIONS; i++) {
		if (judge_wire(c->type, mutate(&g->env.env, c->wire, octets))) {
			g->accepted++;
		} else {
			g->refused++;
		}
	}
}

TEST(rdata, prints_and_reads_back_all_it_accepts)
{
	struct growth g = { 0 };

	env_fake_init(&g.env, SEED);
	rdata_cases_each(judge_growth, &g);
	cr_expect(gt(uint, g.accepted, CASES_MIN));
	cr_expect(gt(uint, g.refused, CASES_MIN));
}

/* The canonical form, made the long way: every name that compares without case is lowered. */
static struct bytes canonical(uint16_t type, struct bytes wire, uint8_t *at)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned count = rdata_caseless_names(type, wire, names);

	memcpy(at, wire.at, wire.len);
	for (unsigned i = 0; i < count; i++) {
		for (size_t j = names[i].offset; j < (size_t)names[i].offset + names[i].len; j++) {
			at[j] = octet_lower(at[j]);
		}
	}
	return bytes_of(at, wire.len);
}

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void judge_order(const struct rdata_case *c, void *arg)
{
	struct growth *g = arg;
	static uint8_t octets[COMPARE_SAMPLES][WIRE_ROOM];
	static uint8_t lower[2][WIRE_ROOM];
	struct bytes samples[COMPARE_SAMPLES];
	unsigned count = 0;

	if (c->kind != RDATA_CASE_OK) {
		return;
	}
	for (unsigned i = 0; i < 4 * COMPARE_SAMPLES && count < COMPARE_SAMPLES; i++) {
		samples[count] = mutate(&g->env.env, c->wire, octets[count]);
		count += rdata_check(c->type, samples[count]) == ERR_OK;
	}
	for (unsigned i = 0; i < count; i++) {
		for (unsigned j = 0; j < count; j++) {
			int want = bytes_compare(canonical(c->type, samples[i], lower[0]),
			                         canonical(c->type, samples[j], lower[1]));
			int got = rdata_compare(c->type, samples[i], samples[j]);
			cr_expect(eq(int, sign(got), sign(want)), "type %u", c->type);
			g->accepted++;
		}
	}
}

TEST(rdata, orders_by_canonical_form)
{
	struct growth g = { 0 };

	env_fake_init(&g.env, SEED + 1);
	rdata_cases_each(judge_order, &g);
	cr_expect(gt(uint, g.accepted, 10 * CASES_MIN));
}

TEST(rdata, compares_names_without_case_and_text_with)
{
	static const struct {
		uint16_t type;
		const char *a;
		const char *b;
		int want;
	} cases[] = {
		{ TYPE_MX, "1 Mail.Example.", "1 mail.example.", 0 },
		{ TYPE_SOA, "A. B. 1 2 3 4 5", "a. b. 1 2 3 4 5", 0 },
		{ TYPE_RRSIG, "A 8 1 1 1 1 1 Ex. aaaa", "A 8 1 1 1 1 1 eX. aaaa", 0 },
		{ TYPE_RRSIG, "A 8 1 1 1 1 1 Ex. aaaa", "A 8 1 1 1 1 1 eX. aaab", -1 },
		{ TYPE_SRV, "0 0 1 b.", "0 0 1 A.", 1 },
		{ TYPE_NSEC, "A. A", "a. A", -1 }, /* RFC 6840 §5.1 */
		{ TYPE_TXT, "A", "a", -1 },
		{ TYPE_NS, "a.", "aa.", -1 }, /* the length octet decides */
		{ TYPE_A, "1.2.3.4", "1.2.3.4", 0 },
		{ 38, "64 ::1 A.", "64 ::1 a.", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t a[64], b[64];
		struct writer wa = writer_of(a, sizeof(a));
		struct writer wb = writer_of(b, sizeof(b));
		cr_assert(eq(int, rdata_parse(cases[i].type, bytes_str(cases[i].a), NULL, &wa), 0));
		cr_assert(eq(int, rdata_parse(cases[i].type, bytes_str(cases[i].b), NULL, &wb), 0));
		int got = rdata_compare(cases[i].type, writer_bytes(&wa), writer_bytes(&wb));
		cr_expect(eq(int, sign(got), cases[i].want), "%s", cases[i].a);
	}
}

TEST(rdata, prints_the_longest_within_its_limit)
{
	static uint8_t wire[RDATA_MAX_LEN];
	static uint8_t again[RDATA_MAX_LEN];
	static char text[RDATA_TEXT_MAX];
	struct writer nsec = writer_of(wire, sizeof(wire));
	struct writer w = writer_of(text, sizeof(text));
	struct writer back = writer_of(again, sizeof(again));

	/* A next name of 255 octets, each written as four, and every type there is. */
	for (unsigned i = 0; i < NAME_MAX_LEN - 1; i++) {
		cr_assert(writer_u8(&nsec, i % 64 == 0 ? (i == 192 ? 61 : 63) : 1));
	}
	cr_assert(writer_u8(&nsec, 0));
	for (unsigned window = 0; window < 256; window++) {
		cr_assert(writer_u16(&nsec, (uint16_t)(window << 8 | 32)));
		memset(wire + nsec.len, 0xff, 32);
		nsec.len += 32;
	}
	cr_assert(eq(int, rdata_check(TYPE_NSEC, writer_bytes(&nsec)), ERR_OK));
	cr_assert(rdata_print(TYPE_NSEC, writer_bytes(&nsec), &w));
	cr_assert(eq(int, rdata_parse(TYPE_NSEC, writer_bytes(&w), NULL, &back), ERR_OK));
	cr_expect(bytes_equal(writer_bytes(&back), writer_bytes(&nsec)));
}

/* ---- names inside ---- */

TEST(rdata, finds_names)
{
	static const struct {
		uint16_t type;
		const char *text;
		unsigned compressible;
		unsigned caseless;
		struct rdata_name want[RDATA_NAMES_MAX];
	} cases[] = {
		{ TYPE_NS, "ns.ex.", 1, 1, { { 0, 7 } } },
		{ TYPE_MX, "1 ex.", 1, 1, { { 2, 4 } } },
		{ TYPE_SOA, "a. bb. 1 2 3 4 5", 2, 2, { { 0, 3 }, { 3, 4 } } },
		{ 14, "a. bb.", 2, 2, { { 0, 3 }, { 3, 4 } } },
		{ 17, "a. bb.", 0, 2, { { 0, 3 }, { 3, 4 } } },
		{ 26, "1 a. bb.", 0, 2, { { 2, 3 }, { 5, 4 } } },
		{ TYPE_SRV, "1 2 3 .", 0, 1, { { 6, 1 } } },
		{ 35, "1 2 s abc \"\" ex.", 0, 1, { { 11, 4 } } },
		{ TYPE_RRSIG, "A 8 1 1 1 1 1 ex. aaaa", 0, 1, { { 18, 4 } } },
		{ TYPE_DNAME, "ex.", 0, 1, { { 0, 4 } } },
		{ 38, "0 ::", 0, 0, { { 0, 0 } } },
		{ 38, "64 :: ex.", 0, 1, { { 9, 4 } } },
		{ TYPE_NSEC, "ex. A", 0, 0, { { 0, 0 } } },
		{ TYPE_TXT, "ex.", 0, 0, { { 0, 0 } } },
		{ 64, "1 ex.", 0, 0, { { 0, 0 } } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t octets[64];
		struct writer w = writer_of(octets, sizeof(octets));
		struct rdata_name got[RDATA_NAMES_MAX];
		uint16_t type = cases[i].type;
		cr_assert(eq(int, rdata_parse(type, bytes_str(cases[i].text), NULL, &w), ERR_OK));
		struct bytes rdata = writer_bytes(&w);
		cr_expect(eq(uint, rdata_compressible_names(type, rdata, got),
		             cases[i].compressible));
		cr_assert(eq(uint, rdata_caseless_names(type, rdata, got), cases[i].caseless));
		for (unsigned j = 0; j < cases[i].caseless; j++) {
			cr_expect(eq(uint, got[j].offset, cases[i].want[j].offset), "%zu", i);
			cr_expect(eq(uint, got[j].len, cases[i].want[j].len), "%zu", i);
		}
	}
}
