/* SPDX-License-Identifier: MIT */
#include "dns/name.h"

#include "base/env.h"
#include "tests/test.h"

#define SEED 0x6e616d65

static struct name parse(const char *text, struct name_buf *buf)
{
	cr_assert(eq(int, name_parse(bytes_str(text), NULL, buf), ERR_OK), "%s", text);
	return name_of(buf);
}

static const char *print(struct name n, char text[NAME_TEXT_MAX])
{
	struct writer w = writer_of(text, NAME_TEXT_MAX - 1);

	cr_assert(name_print(n, &w));
	text[w.len] = '\0';
	return text;
}

/* A message of names: where to read, and what comes of it. */
static const struct {
	const char *title;
	const char *octets;
	size_t len;
	size_t at;
	enum err want;
	const char *text;
	size_t end;
} reads[] = {
#define M(s) s, sizeof(s) - 1
	{ "root", M("\0"), 0, ERR_OK, ".", 1 },
	{ "plain", M("\3www\2Ex\0x"), 0, ERR_OK, "www.Ex.", 8 },
	{ "one pointer", M("\2ex\0\3www\300\0x"), 4, ERR_OK, "www.ex.", 10 },
	{ "pointer alone", M("\2ex\0\300\0"), 4, ERR_OK, "ex.", 6 },
	{ "pointer to a pointer", M("\2ex\0\1a\300\0\1b\300\4"), 8, ERR_OK, "b.a.ex.", 12 },
	{ "pointer into a name", M("\1a\2ex\0\1b\300\2"), 6, ERR_OK, "b.ex.", 10 },
	{ "pointer to the root label", M("\1a\0\1b\300\2"), 3, ERR_OK, "b.", 7 },
	{ "pointer to itself", M("\300\0"), 0, ERR_WIRE_NAME, "", 0 },
	{ "pointer to its own label", M("\1a\300\0"), 0, ERR_WIRE_NAME, "", 0 },
	{ "pointer forward", M("\300\2\1a\0"), 0, ERR_WIRE_NAME, "", 0 },
	{ "pointer past the end", M("\1a\0\377\377"), 3, ERR_WIRE_NAME, "", 0 },
	{ "two pointers in a circle", M("\1a\300\4\1b\300\0"), 4, ERR_WIRE_NAME, "", 0 },
	{ "half a pointer", M("\1a\0\300"), 3, ERR_WIRE_SHORT, "", 0 },
	{ "label cut off", M("\5abc"), 0, ERR_WIRE_SHORT, "", 0 },
	{ "no root label", M("\1a"), 0, ERR_WIRE_SHORT, "", 0 },
	{ "nothing", M(""), 0, ERR_WIRE_SHORT, "", 0 },
	{ "label of 64 octets", M("\100abc"), 0, ERR_WIRE_NAME, "", 0 },
	{ "reserved label type", M("\200abc"), 0, ERR_WIRE_NAME, "", 0 },
	{ "zero octet in a label", M("\3a\0b\0"), 0, ERR_OK, "a\\000b.", 5 },
#undef M
};

TEST(name, reads_names_from_messages)
{
	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		struct reader r = reader_of(bytes_of(reads[i].octets, reads[i].len));
		struct name_buf buf;
		char text[NAME_TEXT_MAX];

		r.pos = reads[i].at;
		cr_expect(eq(int, name_read(&r, &buf), reads[i].want), "%s", reads[i].title);
		if (reads[i].want == ERR_OK) {
			cr_expect(
				eq(str, (char *)print(name_of(&buf), text), (char *)reads[i].text),
				"%s", reads[i].title);
			cr_expect(eq(sz, r.pos, reads[i].end), "%s", reads[i].title);
		} else {
			cr_expect(eq(sz, r.pos, reads[i].at), "%s", reads[i].title);
		}
	}
}

/* Labels of `each` octets until `total` octets of name are there, the root label among them. */
static size_t fill(uint8_t *to, size_t total, size_t each)
{
	size_t len = 0;

	while (len + 1 < total) {
		size_t left = total - len - 2;
		size_t label = left < each ? left : each;

		if (total - (len + 1 + label) == 2) {
			label--; /* a label takes two octets at least */
		}
		to[len++] = (uint8_t)label;
		memset(to + len, 'x', label);
		len += label;
	}
	to[len++] = 0;
	return len;
}

TEST(name, holds_255_octets_and_no_more)
{
	static const size_t each[] = { 1, 7, 62, 63 };
	uint8_t wire[300];

	for (size_t total = 250; total <= 260; total++) {
		for (size_t i = 0; i < ARRAY_LEN(each); i++) {
			enum err want = total <= 255 ? ERR_OK : ERR_WIRE_NAME;
			struct bytes b;
			struct reader r;
			struct name_buf buf, again;
			struct name view;
			char text[NAME_TEXT_MAX];

			if (each[i] == 1 && total % 2 == 0) {
				continue; /* names of one-octet labels have odd lengths */
			}
			b = bytes_of(wire, fill(wire, total, each[i]));
			cr_assert(eq(sz, b.len, total));
			r = reader_of(b);
			cr_expect(eq(int, name_read(&r, &buf), want), "%zu by %zu", total, each[i]);
			cr_expect(eq(int, name_view(b, &view), want), "%zu by %zu", total, each[i]);
			if (want != ERR_OK) {
				continue;
			}
			cr_expect(eq(sz, view.len, total));
			cr_expect(eq(int, view.labels, buf.labels));
			print(view, text);
			cr_expect(eq(int, name_parse(bytes_str(text), NULL, &again), ERR_OK));
			cr_expect(name_equal(view, name_of(&again)));
		}
	}
}

/* A pointer that takes a name over 255 octets is refused, wherever the labels stand. */
TEST(name, counts_octets_across_pointers)
{
	uint8_t wire[300];
	size_t base = fill(wire, 250, 63);

	for (size_t label = 1; label <= 8; label++) {
		struct reader r = reader_of(bytes_of(wire, base + label + 3));
		struct name_buf buf;

		wire[base] = (uint8_t)label;
		memset(wire + base + 1, 'y', label);
		wire[base + 1 + label] = 0xc0;
		wire[base + 2 + label] = 0;
		r.pos = base;
		cr_expect(eq(int, name_read(&r, &buf), label <= 4 ? ERR_OK : ERR_WIRE_NAME));
	}
}

/* 8,000 pointers, each to the one before: work that a peer may not make us do. */
TEST(name, follows_a_bounded_number_of_pointers)
{
	static uint8_t wire[0x4000];
	size_t len = 1;

	for (; len + 2 <= sizeof(wire); len += 2) {
		store_u16(wire + len, (uint16_t)(0xc000 | (len == 1 ? 0 : len - 2)));
	}
	for (size_t pointers = 1; pointers < 8000; pointers += pointers < 200 ? 1 : 500) {
		struct reader r = reader_of(bytes_of(wire, len));
		struct name_buf buf;

		r.pos = 1 + 2 * (pointers - 1);
		cr_expect(eq(int, name_read(&r, &buf), pointers <= 128 ? ERR_OK : ERR_WIRE_NAME),
		          "%zu pointers", pointers);
	}
}

TEST(name, views_refuse_pointers)
{
	struct name n;

	cr_expect(eq(int, name_view(bytes_of("\1a\300\0", 4), &n), ERR_WIRE_NAME));
	cr_expect(eq(int, name_view(bytes_of("\1a", 2), &n), ERR_WIRE_SHORT));
	cr_expect(eq(int, name_view(bytes_of("\1a\0more", 7), &n), ERR_OK));
	cr_expect(eq(int, n.len, 3));
	cr_expect(eq(int, n.labels, 1));
}

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
	const char *text;
	const char *origin; /* NULL: none given */
	const char *want;   /* NULL: refused */
} texts[] = {
	{ ".", NULL, "." },
	{ ".", "example.", "." },
	{ "@", NULL, "." },
	{ "@", "Example.", "Example." },
	{ "www", "example.", "www.example." },
	{ "www.", "example.", "www." },
	{ "www", NULL, "www." },
	{ "a.b.c", NULL, "a.b.c." },
	{ "\\@", NULL, "\\@." },
	{ "a\\.b", NULL, "a\\.b." },
	{ "a\\.", "example.", "a\\..example." },
	{ "\\000\\255", NULL, "\\000\\255." },
	{ "\\065\\.b", NULL, "A\\.b." },
	{ "\\a\\b", NULL, "ab." },
	{ "\\\\", NULL, "\\\\." },
	{ "\\032", NULL, "\\032." },
	{ "\\ x", NULL, "\\032x." },
	{ "a@b", NULL, "a\\@b." },
	{ "\\\"\\;\\(\\)\\$", NULL, "\\\"\\;\\(\\)\\$." },
	{ "\xc3\xa9", NULL, "\\195\\169." },
	{ "*.example", NULL, "*.example." },
	{ "_sip._tcp.EXAMPLE.", NULL, "_sip._tcp.EXAMPLE." },
	{ L63, NULL, L63 "." },
	{ L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi.",
	  NULL,
	  L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi." },
	{ L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij.",
	  NULL, NULL },
	{ L63 "." L63 "." L63, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij.",
	  NULL },
	{ L63 "l", NULL, NULL },
	{ "", NULL, NULL },
	{ "", "example.", NULL },
	{ "..", NULL, NULL },
	{ ".a", NULL, NULL },
	{ "a..b", NULL, NULL },
	{ "\\", NULL, NULL },
	{ "a\\", NULL, NULL },
	{ "\\1", NULL, NULL },
	{ "\\12", NULL, NULL },
	{ "\\12x", NULL, NULL },
	{ "\\256", NULL, NULL },
	{ "\\999", NULL, NULL },
	{ "a b", NULL, NULL },
	{ "a\tb", NULL, NULL },
};

TEST(name, parses_presentation_form)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct name_buf origin_buf, buf;
		struct name origin = { 0 };
		char text[NAME_TEXT_MAX];
		enum err e;

		if (texts[i].origin != NULL) {
			origin = parse(texts[i].origin, &origin_buf);
		}
		e = name_parse(bytes_str(texts[i].text), texts[i].origin != NULL ? &origin : NULL,
		               &buf);
		cr_expect(eq(int, e, texts[i].want != NULL ? ERR_OK : ERR_TEXT), "%s",
		          texts[i].text);
		if (e == ERR_OK && texts[i].want != NULL) {
			cr_expect(
				eq(str, (char *)print(name_of(&buf), text), (char *)texts[i].want));
		}
	}
}

TEST(name, prints_whole_or_not_at_all)
{
	struct name_buf buf;
	struct name n = parse("a\\000b.c.", &buf);
	char text[16];

	for (size_t cap = 0; cap < sizeof(text); cap++) {
		struct writer w = writer_of(text, cap);
		bool fits = cap >= strlen("a\\000b.c.");

		cr_expect(eq(int, name_print(n, &w), fits), "%zu", cap);
		cr_expect(eq(sz, w.len, fits ? strlen("a\\000b.c.") : 0));
	}
}

/* RFC 4034 §6.1, with two of its labels in octets that need escapes. */
static const char *const canonical[] = {
	".",
	"example.",
	"a.example.",
	"yljkjljk.a.example.",
	"Z.a.example.",
	"zABC.a.EXAMPLE.",
	"z.example.",
	"\\001.z.example.",
	"*.z.example.",
	"\\200.z.example.",
	"z0.example.",
	"examplf.",
	"examplf0.",
};

TEST(name, orders_canonically)
{
	for (size_t i = 0; i < ARRAY_LEN(canonical); i++) {
		for (size_t j = 0; j < ARRAY_LEN(canonical); j++) {
			struct name_buf a, b;
			int got = name_compare(parse(canonical[i], &a), parse(canonical[j], &b));

			cr_expect(eq(int, (got > 0) - (got < 0), (i > j) - (i < j)), "%s and %s",
			          canonical[i], canonical[j]);
		}
	}
}

static const struct {
	const char *a;
	const char *b;
	bool equal;
	bool a_within_b;
	unsigned common;
} pairs[] = {
	{ ".", ".", true, true, 0 },
	{ "a.", ".", false, true, 0 },
	{ ".", "a.", false, false, 0 },
	{ "WWW.Example.COM.", "www.eXAMPLE.com.", true, true, 3 },
	{ "a.b.c.", "B.C.", false, true, 2 },
	{ "b.c.", "a.b.c.", false, false, 2 },
	{ "x.b.c.", "y.b.c.", false, false, 2 },
	{ "xb.c.", "b.c.", false, false, 1 },
	{ "\\001b.c.", "b.c.", false, false, 1 },
	{ "a\\.b.c.", "b.c.", false, false, 1 },
	{ "[.", "{.", false, false, 0 },
	{ "@a.", "`a.", false, false, 0 },
	{ "\\193.", "\\225.", false, false, 0 },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaab.", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaac.", false, false, 0 },
};

TEST(name, compares_pairs)
{
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct name_buf a_buf, b_buf;
		struct name a = parse(pairs[i].a, &a_buf);
		struct name b = parse(pairs[i].b, &b_buf);

		cr_expect(eq(int, name_equal(a, b), pairs[i].equal), "%s %s", pairs[i].a,
		          pairs[i].b);
		cr_expect(eq(int, name_hash(7, a) == name_hash(7, b), pairs[i].equal), "%s %s",
		          pairs[i].a, pairs[i].b);
		cr_expect(eq(int, name_within(a, b), pairs[i].a_within_b), "%s %s", pairs[i].a,
		          pairs[i].b);
		cr_expect(eq(uint, name_common(a, b), pairs[i].common), "%s %s", pairs[i].a,
		          pairs[i].b);
		cr_expect(eq(uint, name_common(b, a), pairs[i].common), "%s %s", pairs[i].a,
		          pairs[i].b);
	}
}

TEST(name, strips_labels)
{
	struct name_buf buf;
	struct name n = parse("a.bc.def.", &buf);
	char text[NAME_TEXT_MAX];

	cr_expect(eq(str, (char *)print(name_strip(n, 0), text), "a.bc.def."));
	cr_expect(eq(str, (char *)print(name_strip(n, 2), text), "def."));
	cr_expect(eq(str, (char *)print(name_strip(n, 3), text), "."));
	cr_expect(eq(int, name_strip(n, 1).labels, 2));
	cr_expect(name_is_wildcard(parse("*.a.", &buf)));
	cr_expect(not(name_is_wildcard(parse("*a.", &buf))));
}

/* A random name of few letters, so that equal labels and mere differences of case are common. */
static struct name random_name(struct env_fake *f, struct name_buf *buf)
{
	uint8_t wire[NAME_MAX_LEN + 1];
	size_t len = 0;
	unsigned labels = env_random_below(&f->env, 6);
	struct name n;

	while (labels-- > 0) {
		unsigned label =
			1 + env_random_below(&f->env, env_random_below(&f->env, 8) ? 4 : 63);
		bool any = env_random_below(&f->env, 4) == 0;

		if (len + label + 2 > NAME_MAX_LEN) {
			break;
		}
		wire[len++] = (uint8_t)label;
		for (; label > 0; label--) {
			wire[len++] = any ? (uint8_t)env_random_u32(&f->env)
			                  : (uint8_t) "aAbB"[env_random_below(&f->env, 4)];
		}
	}
	wire[len++] = 0;
	cr_assert(eq(int, name_view(bytes_of(wire, len), &n), ERR_OK));
	name_copy(n, buf);
	return name_of(buf);
}

/* The definition, octet by octet: labels from the right, as lower case strings. */
static int naive_compare(struct name a, struct name b)
{
	for (unsigned i = 1; i <= a.labels && i <= b.labels; i++) {
		struct name x = name_strip(a, a.labels - i);
		struct name y = name_strip(b, b.labels - i);

		for (unsigned k = 1; k <= x.at[0] && k <= y.at[0]; k++) {
			int order = octet_lower(x.at[k]) - octet_lower(y.at[k]);

			if (order != 0) {
				return order;
			}
		}
		if (x.at[0] != y.at[0]) {
			return x.at[0] - y.at[0];
		}
	}
	return a.labels - b.labels;
}

TEST(name, random_names_keep_their_properties)
{
	struct env_fake f;

	env_fake_init(&f, SEED);
	for (unsigned i = 0; i < 20000; i++) {
		struct name_buf a_buf, b_buf, again, lower;
		struct name a = random_name(&f, &a_buf);
		struct name b = random_name(&f, &b_buf);
		int got = name_compare(a, b);
		int want = naive_compare(a, b);
		char text[NAME_TEXT_MAX];

		cr_assert(eq(int, name_parse(bytes_str(print(a, text)), NULL, &again), ERR_OK));
		cr_assert(eq(int, again.len, a.len));
		cr_assert(eq(int, memcmp(again.octets, a.at, a.len), 0), "%s", text);
		cr_assert(eq(int, again.labels, a.labels));
		cr_assert(eq(int, (got > 0) - (got < 0), (want > 0) - (want < 0)), "%s", text);
		cr_assert(eq(int, name_equal(a, b), want == 0), "%s", text);
		name_lower(a, &lower);
		cr_assert(name_equal(a, name_of(&lower)));
		cr_assert(eq(u64, name_hash(i, a), name_hash(i, name_of(&lower))));
		for (unsigned k = 0; k < a.len; k++) {
			cr_assert(eq(int, lower.octets[k], octet_lower(a.at[k])));
		}
	}
}
