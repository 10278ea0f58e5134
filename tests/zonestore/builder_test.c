/* SPDX-License-Identifier: MIT */
#include "zonestore/builder.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"
#include "zonestore/diff.h"

static const struct builder_origin by_ixfr = { .origin = SNAPSHOT_BY_IXFR };

static const char *const apexes[] = { "Example.COM.", "x.", "deep.down.example.net.", "." };

TEST(builder, any_order_gives_one_tree)
{
	for (uint64_t seed = 1; seed <= 24; seed++) {
		struct world w;
		struct model m;
		struct snapshot *sorted;
		struct snapshot *mixed;
		struct id a;
		struct id b;
		world_init(&w, seed);
		model_init(&m, apexes[seed % ARRAY_LEN(apexes)]);
		model_grow(&m, &w.fake.env,
		           1 + env_random_below(&w.fake.env, seed % 8 == 0 ? 3000 : 300));
		model_sort(&m);
		sorted = model_build(&m, w.pool, NULL);
		mixed = model_build(&m, w.pool, &w.fake.env);
		a = world_root(sorted);
		b = world_root(mixed);
		cr_assert(id_equal(&a, &b), "seed %llu", (unsigned long long)seed);
		model_check(&m, sorted);
		model_check(&m, mixed);
		snapshot_unref(sorted);
		snapshot_unref(mixed);
		model_fini(&m);
		world_fini(&w);
	}
}

/* Deletes some records, changes the TTL of some sets, adds some records. */
static void mutate(struct model *m, struct env *env, unsigned deletes, unsigned adds)
{
	for (unsigned i = 0; i < deletes && m->count > 1; i++) {
		size_t victim = env_random_below(env, (uint32_t)m->count);
		if (m->rrs[victim].type != TYPE_NS || m->rrs[victim].owner.len > m->apex.len) {
			model_delete(m, victim);
		}
	}
	for (unsigned i = 0; i < 1 + adds / 8; i++) {
		struct model_rr like = m->rrs[env_random_below(env, (uint32_t)m->count)];
		for (size_t j = 0; j < m->count; j++) {
			struct model_rr *r = &m->rrs[j];
			if (r->type == like.type && like.type != TYPE_RRSIG &&
			    name_equal(name_of(&r->owner), name_of(&like.owner))) {
				r->ttl = like.ttl ^ 0x1000;
			}
		}
	}
	model_grow(m, env, adds);
	for (size_t i = 0; i < m->count; i++) { /* what was added to a set has its TTL */
		for (size_t j = 0; j < i; j++) {
			struct rr a = model_view(&m->rrs[j]);
			struct rr b = model_view(&m->rrs[i]);
			if (a.type == b.type && a.ttl != b.ttl && a.type != TYPE_RRSIG &&
			    name_equal(a.owner, b.owner)) {
				m->rrs[i].ttl = a.ttl;
			}
		}
	}
	m->serial++;
}

static struct builder *builder_over(struct pool *pool, const struct snapshot *base)
{
	return builder_new(&(struct builder_options){
		.pool = pool, .apex = snapshot_apex(base), .base = base });
}

/* Applies a chain of differences to a version, all in one builder; checks the result against the
 * zone built from nothing. */
static void chain_step(struct world *w, struct model *m, struct snapshot **snap)
{
	struct env *env = &w->fake.env;
	struct builder *b = builder_over(w->pool, *snap);
	struct snapshot *next = NULL;
	struct snapshot *whole;
	unsigned steps = 1 + env_random_below(env, 3);
	struct id a;
	struct id c;

	for (unsigned i = 0; i < steps; i++) {
		struct model before;
		model_copy(m, &before);
		mutate(m, env, env_random_below(env, 20), env_random_below(env, 20));
		model_difference(&before, m, b);
		model_fini(&before);
	}
	cr_assert(eq(int, builder_freeze(b, &by_ixfr, &next), ERR_OK));
	builder_free(b);
	snapshot_unref(*snap);
	*snap = next;
	whole = model_build(m, w->pool, env);
	a = world_root(next);
	c = world_root(whole);
	model_check(m, next);
	cr_assert(id_equal(&a, &c));
	snapshot_unref(whole);
	(void)epoch_collect(w->epoch);
}

TEST(builder, an_applied_difference_equals_the_transferred_zone)
{
	for (uint64_t seed = 100; seed < 112; seed++) {
		struct world w;
		struct model m;
		struct snapshot *snap;
		world_init(&w, seed);
		printf("seed %llu\n", (unsigned long long)seed);
		model_init(&m, apexes[seed % ARRAY_LEN(apexes)]);
		model_grow(&m, &w.fake.env, seed % 4 == 0 ? 1500 : 200);
		snap = model_build(&m, w.pool, &w.fake.env);
		for (unsigned i = 0; i < 12; i++) {
			chain_step(&w, &m, &snap);
		}
		snapshot_unref(snap);
		model_fini(&m);
		world_fini(&w);
	}
}

/* ---- the rules, as zones in presentation form; a line begins with + or - ---- */

static enum err play(struct builder *b, const struct name *apex, const char *line)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;
	enum err e;

	cr_assert(eq(int, rr_parse(bytes_str(line + 1), apex, 300, scratch, &rr), ERR_OK), "%s",
	          line);
	e = line[0] == '+' ? builder_add(b, &rr) : builder_delete(b, &rr);
	free(scratch);
	return e;
}

/* Plays the lines, freezes, and yields the first error. */
static enum err play_all(struct builder *b, const struct name *apex, const char *const *lines,
                         struct snapshot **out)
{
	for (; *lines != NULL; lines++) {
		enum err e = play(b, apex, *lines);
		if (e != ERR_OK) {
			return e;
		}
	}
	return builder_freeze(b, &by_ixfr, out);
}

#define SOA_1 "+@ 3600 IN SOA ns.test. ops.test. 1 2 3 4 5"
#define OLD_1 "-@ 3600 IN SOA ns.test. ops.test. 1 2 3 4 5"
#define SOA_2 "+@ 3600 IN SOA ns.test. ops.test. 2 2 3 4 5"
#define OLD_2 "-@ 3600 IN SOA ns.test. ops.test. 2 2 3 4 5"
#define SOA_3 "+@ 3600 IN SOA ns.test. ops.test. 3 2 3 4 5"
#define NS    "+@ 3600 IN NS ns.test."

/* Prints a version: "owner TTL TYPE rdata;" for each record. */
static void print_zone(const struct snapshot *snap, char *out, size_t cap)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct writer w = writer_of(out, cap - 1);
	struct snapshot_cursor c;
	struct rrset set;
	bool fits = true;

	snapshot_cursor_init(&c, snap);
	while (snapshot_cursor_next(&c, &set)) {
		struct rrset_reader r = rrset_read(&set);
		struct bytes rdata;
		char type[TYPE_TEXT_MAX];
		char ttl[16];
		snprintf(ttl, sizeof(ttl), " %u ", set.ttl);
		while (rrset_next(&r, scratch, &rdata)) {
			fits = fits && name_print(name_of(&c.owner), &w) && writer_str(&w, ttl) &&
			       writer_str(&w, type_print(set.type, type)) && writer_u8(&w, ' ') &&
			       rdata_print(set.type, rdata, &w) && writer_u8(&w, ';');
		}
	}
	cr_assert(fits);
	out[w.len] = 0;
	free(scratch);
}

struct rule {
	const char *name;
	const char *base[8]; /* none: from nothing */
	const char *steps[16];
	enum err want;
	const char *zone; /* what is in it then, but the SOA and the apex NS */
};

static const struct rule rules[] = {
	{ "no SOA", {}, { NS, NULL }, ERR_ZONE_NO_SOA, NULL },
	{ "no NS", {}, { SOA_1, "+a IN NS ns.test.", NULL }, ERR_ZONE_NO_NS, NULL },
	{ "outside", {}, { SOA_1, NS, "+a.other. IN A 192.0.2.1", NULL }, ERR_ZONE_OUTSIDE, NULL },
	{ "SOA below", {}, { SOA_1, "+a IN SOA a. b. 1 2 3 4 5", NULL }, ERR_ZONE_OUTSIDE, NULL },
	{ "class", {}, { SOA_1, "+a CH TXT x", NULL }, ERR_ZONE_CLASS, NULL },
	{ "meta type", {}, { SOA_1, "+a IN TYPE255 \\# 0", NULL }, ERR_ZONE_TYPE, NULL },
	{ "deleting from nothing",
	  {},
	  { SOA_1, NS, "-a IN A 192.0.2.1", NULL },
	  ERR_XFR_MISMATCH,
	  NULL },
	{ "CNAME beside A",
	  {},
	  { SOA_1, NS, "+a IN CNAME b", "+a IN A 192.0.2.1", NULL },
	  ERR_ZONE_CNAME,
	  NULL },
	{ "CNAME beside A, late",
	  {},
	  { SOA_1, NS, "+a IN CNAME b", "+b IN A 192.0.2.1", "+a IN A 192.0.2.1", NULL },
	  ERR_ZONE_CNAME,
	  NULL },
	{ "two CNAMEs",
	  {},
	  { SOA_1, NS, "+a IN CNAME b", "+a IN CNAME c", NULL },
	  ERR_ZONE_CNAME,
	  NULL },
	{ "two DNAMEs",
	  {},
	  { SOA_1, NS, "+a IN DNAME b", "+a IN DNAME c", NULL },
	  ERR_ZONE_CNAME,
	  NULL },
	{ "CNAME beside NSEC and RRSIG",
	  {},
	  { SOA_1, NS, "+a IN CNAME b.test.", "+a IN NSEC b.test. CNAME",
	    "+a IN RRSIG CNAME 8 2 300 20300101000000 20200101000000 7 x. AAAA", NULL },
	  ERR_OK,
	  "a.x. 300 CNAME b.test.;a.x. 300 RRSIG CNAME 8 2 300 20300101000000 20200101000000 7 x. "
	  "AAAA;"
	  "a.x. 300 NSEC b.test. CNAME;" },
	{ "equal records are one",
	  {},
	  { SOA_1, NS, "+a IN A 192.0.2.1", "+a IN A 192.0.2.1", "+a IN MX 1 M.x.",
	    "+b IN A 192.0.2.2", "+a IN MX 1 m.X.", "+A IN A 192.0.2.1", NULL },
	  ERR_OK,
	  "A.x. 300 A 192.0.2.1;A.x. 300 MX 1 M.x.;b.x. 300 A 192.0.2.2;" },
	{ "the smallest TTL is the set's",
	  {},
	  { SOA_1, NS, "+a 500 IN A 192.0.2.1", "+a 400 IN A 192.0.2.2", "+b IN A 192.0.2.2",
	    "+a 450 IN A 192.0.2.3", "+a 350 IN TXT x", NULL },
	  ERR_OK,
	  "a.x. 400 A 192.0.2.1;a.x. 400 A 192.0.2.2;a.x. 400 A 192.0.2.3;a.x. 350 TXT \"x\";b.x. "
	  "300 A 192.0.2.2;" },
	{ "the last SOA counts", {}, { SOA_1, NS, SOA_2, NULL }, ERR_OK, "" },
	{ "adding what is there",
	  { SOA_1, NS, "+a IN A 192.0.2.1", NULL },
	  { OLD_1, SOA_2, "+a IN A 192.0.2.1", NULL },
	  ERR_XFR_MISMATCH,
	  NULL },
	{ "deleting what is not there",
	  { SOA_1, NS, "+a IN A 192.0.2.1", NULL },
	  { OLD_1, "-a IN A 192.0.2.2", SOA_2, NULL },
	  ERR_XFR_MISMATCH,
	  NULL },
	{ "deleting twice",
	  { SOA_1, NS, "+a IN A 192.0.2.1", NULL },
	  { OLD_1, "-a IN A 192.0.2.1", "-a IN A 192.0.2.1", SOA_2, NULL },
	  ERR_XFR_MISMATCH,
	  NULL },
	{ "deleting at a name that is not there",
	  { SOA_1, NS, NULL },
	  { OLD_1, "-a IN A 192.0.2.1", SOA_2, NULL },
	  ERR_XFR_MISMATCH,
	  NULL },
	{ "deleting another SOA",
	  { SOA_1, NS, NULL },
	  { OLD_2, SOA_3, NULL },
	  ERR_XFR_MISMATCH,
	  NULL },
	{ "deleting the apex NS",
	  { SOA_1, NS, NULL },
	  { OLD_1, "-@ IN NS ns.test.", SOA_2, NULL },
	  ERR_ZONE_NO_NS,
	  NULL },
	{ "an owner without records is gone",
	  { SOA_1, NS, "+a IN A 192.0.2.1", "+b IN A 192.0.2.2", NULL },
	  { OLD_1, "-a IN A 192.0.2.1", SOA_2, NULL },
	  ERR_OK,
	  "b.x. 300 A 192.0.2.2;" },
	{ "case does not matter to a deletion",
	  { SOA_1, NS, "+Abc IN MX 5 Mail.x.", NULL },
	  { OLD_1, "-aBC IN MX 5 mAIL.x.", SOA_2, "+aBc IN MX 6 m", NULL },
	  ERR_OK,
	  "aBc.x. 300 MX 6 m.x.;" },
	{ "a TTL changes by deleting and adding",
	  { SOA_1, NS, "+a 500 IN A 192.0.2.1", NULL },
	  { OLD_1, "-a 500 IN A 192.0.2.1", SOA_2, "+a 600 IN A 192.0.2.1", NULL },
	  ERR_OK,
	  "a.x. 600 A 192.0.2.1;" },
	{ "of several differences the last decides",
	  { SOA_1, NS, "+a 500 IN A 192.0.2.1", NULL },
	  { OLD_1, "-a 500 IN A 192.0.2.1", SOA_2, "+a 60 IN A 192.0.2.1", "+b IN A 192.0.2.2",
	    OLD_2, "-a 60 IN A 192.0.2.1", "-b IN A 192.0.2.2", SOA_3, "+a 900 IN A 192.0.2.1",
	    NULL },
	  ERR_OK,
	  "a.x. 900 A 192.0.2.1;" },
	{ "a CNAME replaces an A",
	  { SOA_1, NS, "+a IN A 192.0.2.1", NULL },
	  { OLD_1, "-a IN A 192.0.2.1", SOA_2, "+a IN CNAME b", NULL },
	  ERR_OK,
	  "a.x. 300 CNAME b.x.;" },
	{ "a CNAME joins an A",
	  { SOA_1, NS, "+a IN A 192.0.2.1", NULL },
	  { OLD_1, SOA_2, "+a IN CNAME b", NULL },
	  ERR_ZONE_CNAME,
	  NULL },
};

static void check_rule(const struct rule *r, struct world *w, const struct snapshot *base)
{
	struct name_buf apex_buf = name_text("x.");
	struct name apex = name_of(&apex_buf);
	struct builder *b = builder_new(
		&(struct builder_options){ .pool = w->pool, .apex = apex, .base = base });
	struct snapshot *snap = NULL;
	char text[2000];
	char *rest = text;

	cr_expect(eq(int, play_all(b, &apex, r->steps, &snap), r->want), "%s", r->name);
	builder_free(b);
	if (snap == NULL) {
		return;
	}
	print_zone(snap, text, sizeof(text));
	cr_assert(strncmp(rest, "x. 3600 NS ns.test.;", 20) == 0, "%s: %s", r->name, text);
	rest += 20;
	cr_expect(strcmp(rest, r->zone) == 0, "%s: %s", r->name, rest);
	snapshot_unref(snap);
}

TEST(builder, keeps_the_rules)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		struct name_buf apex_buf = name_text("x.");
		struct name apex = name_of(&apex_buf);
		struct snapshot *base = NULL;
		struct world w;
		world_init(&w, i);
		if (rules[i].base[0] != NULL) {
			struct builder *b = builder_new(
				&(struct builder_options){ .pool = w.pool, .apex = apex });
			cr_assert(eq(int, play_all(b, &apex, rules[i].base, &base), ERR_OK));
			builder_free(b);
		}
		check_rule(&rules[i], &w, base);
		snapshot_unref(base);
		world_fini(&w);
	}
}

static unsigned differ(const struct snapshot *have, const struct snapshot *lack)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct snapshot_diff diff;
	struct rr rr;
	unsigned count = 0;

	snapshot_diff_init(&diff, have, lack);
	while (snapshot_diff_next(&diff, scratch, &rr)) {
		count++;
	}
	free(scratch);
	return count;
}

/* A version that a guard is to look at: without NS, or without anything but its SOA. It can be read
 * as any other, and differences lead to it and from it. */
static void check_without_ns(struct world *w, const char *const *lines, unsigned records)
{
	struct name_buf apex_buf = name_text("x."), below = name_text("a.x.");
	struct name apex = name_of(&apex_buf);
	struct builder_options options = { .pool = w->pool, .apex = apex, .allow_no_ns = true };
	const char *const to_zone[] = { OLD_2, SOA_3, NS, NULL };
	struct builder *b = builder_new(&options);
	struct snapshot *base, *snap, *zone;
	struct snapshot_facts facts;
	struct owner_view owner;

	cr_assert(eq(int, play_all(b, &apex, (const char *[]){ SOA_1, NS, NULL }, &base), ERR_OK));
	builder_free(b);
	options.base = base;
	b = builder_new(&options);
	cr_assert(eq(int, play_all(b, &apex, lines, &snap), ERR_OK));
	builder_free(b);
	snapshot_facts(snap, &facts);
	cr_expect(eq(u32, facts.records, records));
	cr_expect(not(snapshot_has_ns(snap)));
	cr_expect(snapshot_has_ns(base));
	cr_expect(not(snapshot_owner(snap, apex, &owner)));
	cr_expect(eq(int, snapshot_find(snap, apex, false, false).match, SNAPSHOT_EMPTY));
	cr_expect(eq(int, snapshot_owner(snap, name_of(&below), &owner), records > 1));
	cr_expect(eq(uint, differ(snap, base), records - 1));
	cr_expect(eq(uint, differ(base, snap), 1));
	options.base = snap;
	options.allow_no_ns = false;
	b = builder_new(&options);
	cr_assert(eq(int, play_all(b, &apex, to_zone, &zone), ERR_OK));
	builder_free(b);
	cr_expect(eq(uint, differ(zone, snap), 1));
	cr_expect(snapshot_has_ns(zone));
	snapshot_unref(zone);
	snapshot_unref(snap);
	snapshot_unref(base);
}

TEST(builder, makes_versions_without_ns_if_asked_to)
{
	struct world w;

	world_init(&w, 1);
	check_without_ns(
		&w, (const char *[]){ OLD_1, "-@ IN NS ns.test.", SOA_2, "+a IN TXT x", NULL }, 2);
	check_without_ns(&w, (const char *[]){ OLD_1, "-@ IN NS ns.test.", SOA_2, NULL }, 1);
	world_fini(&w);
}

/* The rules hold for large zones as well, whose records go straight into nodes. */
TEST(builder, keeps_the_rules_while_streaming)
{
	struct name_buf apex_buf = name_text("x.");
	struct name apex = name_of(&apex_buf);
	struct world w;
	struct builder *b;
	struct snapshot *snap = NULL;
	struct snapshot_facts facts;
	struct snapshot_cursor c;
	struct rrset set;

	world_init(&w, 1);
	b = builder_new(&(struct builder_options){ .pool = w.pool, .apex = apex });
	cr_assert(eq(int, play(b, &apex, SOA_1), ERR_OK));
	cr_assert(eq(int, play(b, &apex, NS), ERR_OK));
	for (unsigned i = 0; i < 1200; i++) {
		char line[64];
		snprintf(line, sizeof(line), "+%s%04u %u IN A 192.0.2.1", i % 2 == 0 ? "h" : "H",
		         i / 2, i % 2 == 0 ? 600 : 500);
		cr_assert(eq(int, play(b, &apex, line), ERR_OK));
	}
	cr_assert(eq(int, builder_freeze(b, &by_ixfr, &snap), ERR_OK));
	builder_free(b);
	snapshot_facts(snap, &facts);
	cr_expect(eq(u32, facts.records, 602));
	snapshot_cursor_init(&c, snap);
	while (snapshot_cursor_next(&c, &set)) {
		cr_assert(set.type == TYPE_NS || (set.ttl == 500 && c.owner.octets[1] == 'H'));
	}
	snapshot_unref(snap);
	b = builder_new(&(struct builder_options){ .pool = w.pool, .apex = apex });
	cr_assert(eq(int, play(b, &apex, SOA_1), ERR_OK));
	for (unsigned i = 0; i < 600; i++) {
		char line[64];
		snprintf(line, sizeof(line), "+h%04u IN A 192.0.2.1", i);
		cr_assert(eq(int, play(b, &apex, line), ERR_OK));
	}
	cr_assert(eq(int, play(b, &apex, "+h0599 IN CNAME x."), ERR_OK));
	cr_expect(eq(int, play(b, &apex, "+h0600 IN A 192.0.2.1"), ERR_ZONE_CNAME));
	builder_free(b);
	world_fini(&w);
}

/* ---- limits ---- */

/* Adds `count` addresses to one owner, in a scattered order. */
static enum err add_addresses(struct builder *b, struct name owner, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint8_t address[4];
		struct rr rr = { owner, TYPE_A, CLASS_IN, 60, bytes_of(address, 4) };
		enum err e;
		store_u32(address, i * 2654435761U);
		e = builder_add(b, &rr);
		if (e != ERR_OK) {
			return e;
		}
	}
	return ERR_OK;
}

static enum err build_set(struct pool *pool, uint32_t count, uint32_t records_max, size_t budget)
{
	struct name_buf apex = name_text("x.");
	struct name_buf owner = name_text("many.x.");
	struct name at = name_of(&apex);
	struct builder *b = builder_new(&(struct builder_options){
		.pool = pool, .apex = at, .records_max = records_max, .budget_bytes = budget });
	struct snapshot *snap = NULL;
	struct owner_view view;
	struct rrset set;
	enum err e = play(b, &at, SOA_1);

	e = e == ERR_OK ? play(b, &at, NS) : e;
	e = e == ERR_OK ? add_addresses(b, name_of(&owner), count) : e;
	e = e == ERR_OK ? builder_freeze(b, &by_ixfr, &snap) : e;
	builder_free(b);
	if (snap != NULL) {
		cr_assert(snapshot_owner(snap, name_of(&owner), &view));
		cr_assert(owner_rrset(&view, TYPE_A, 0, &set));
		cr_expect(eq(u32, set.count, count));
		snapshot_unref(snap);
	}
	return e;
}

TEST(builder, has_limits)
{
	static const struct {
		uint32_t count;
		uint32_t records_max;
		size_t budget;
		enum err want;
	} cases[] = {
		{ 16000, 0, 0, ERR_OK },
		{ 65535, 0, 0, ERR_OK },
		{ 65536, 0, 0, ERR_LIMIT_BYTES },
		{ 100, 102, 0, ERR_OK }, /* SOA and NS count */
		{ 101, 102, 0, ERR_LIMIT_RECORDS },
		{ 30000, 0, 1 << 20, ERR_BUDGET },
	};
	struct world w;

	world_init(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(
			eq(int,
		           build_set(w.pool, cases[i].count, cases[i].records_max, cases[i].budget),
		           cases[i].want),
			"case %zu", i);
	}
	world_fini(&w);
}

/* A set of more than 16 MiB is refused whether it comes at once or grows. */
TEST(builder, refuses_sets_that_no_one_could_send)
{
	struct name_buf apex = name_text("x.");
	struct name at = name_of(&apex);
	struct world w;
	struct builder *b;
	struct snapshot *snap = NULL;
	uint8_t *rdata = mem_zero(1, 65535);
	struct rr rr = { at, 65280, CLASS_IN, 60, bytes_of(rdata, 65535) };

	world_init(&w, 1);
	b = builder_new(&(struct builder_options){ .pool = w.pool, .apex = at });
	cr_assert(eq(int, play(b, &at, SOA_1), ERR_OK));
	cr_assert(eq(int, play(b, &at, NS), ERR_OK));
	for (unsigned i = 0; i < 256; i++) {
		rdata[0] = (uint8_t)i;
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	}
	cr_expect(eq(int, builder_freeze(b, &by_ixfr, &snap), ERR_LIMIT_BYTES));
	builder_free(b);
	free(rdata);
	world_fini(&w);
}

/* Over a large zone one change makes few new nodes; all others are the base's. */
TEST(builder, shares_what_did_not_change)
{
	struct world w;
	struct model m;
	struct model next;
	struct snapshot *one;
	struct snapshot *two = NULL;
	struct builder *b;
	struct pool_stats before;
	struct pool_stats after;

	world_init(&w, 31);
	model_init(&m, "example.");
	model_grow(&m, &w.fake.env, 4000);
	one = model_build(&m, w.pool, NULL);
	model_copy(&m, &next);
	model_grow(&next, &w.fake.env, 1);
	next.serial++;
	pool_stats(w.pool, &before);
	b = builder_over(w.pool, one);
	model_difference(&m, &next, b);
	cr_assert(eq(int, builder_freeze(b, &by_ixfr, &two), ERR_OK));
	builder_free(b);
	pool_stats(w.pool, &after);
	cr_expect(before.nodes > 60, "%llu", (unsigned long long)before.nodes);
	cr_expect(after.nodes - before.nodes <= 8, "%llu",
	          (unsigned long long)(after.nodes - before.nodes));
	model_check(&next, two);
	snapshot_unref(one);
	snapshot_unref(two);
	model_fini(&m);
	model_fini(&next);
	world_fini(&w);
}

/* ---- nodes that octets end, not counts ---- */

#define BULKY_NAMES 1200U

/* A name of many zero octets, whose key is twice as long, so that branches are full of octets. */
static void bulky_owner(const struct model *m, unsigned number, struct name_buf *out)
{
	size_t at = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned len = i == 0 ? 5 : LABEL_MAX_LEN - i;
		out->octets[at] = (uint8_t)len;
		memset(out->octets + at + 1, 0, len);
		for (unsigned rest = number, d = 5; i == 0 && d > 0; rest /= 10, d--) {
			out->octets[at + d] = (uint8_t)(rest % 10 + 2); /* no letters */
		}
		at += 1 + len;
	}
	memcpy(out->octets + at, m->apex.octets, m->apex.len);
	out->len = (uint8_t)(at + m->apex.len);
	out->labels = (uint8_t)(4 + m->apex.labels);
}

/* A record of an unknown type: mostly small, sometimes larger than a leaf should be. */
static struct rr bulky_rr(const struct model *m, unsigned number, struct rr_scratch *scratch)
{
	size_t len = number % 7 == 0 ? number * 17 % 20000 : number % 3 == 0 ? 700 : 12;

	bulky_owner(m, number, &scratch->owner);
	memset(scratch->rdata, 'x', len);
	store_u32(scratch->rdata, number);
	return (struct rr){ .owner = name_of(&scratch->owner),
		            .type = 65280,
		            .class = CLASS_IN,
		            .ttl = 300,
		            .rdata = bytes_of(scratch->rdata, len < 4 ? 4 : len) };
}

/* The zone of those names of which `there` says so. */
static struct snapshot *bulky_build(const struct model *m, struct pool *pool, const bool *there)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct builder *b =
		builder_new(&(struct builder_options){ .pool = pool, .apex = name_of(&m->apex) });
	struct rr rr = model_view(&m->rrs[0]);
	struct snapshot *snap = NULL;

	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	model_soa(m, scratch, &rr);
	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	for (unsigned i = 0; i < BULKY_NAMES; i++) {
		if (there[i]) {
			rr = bulky_rr(m, i, scratch);
			cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
		}
	}
	cr_assert(eq(int, builder_freeze(b, &by_ixfr, &snap), ERR_OK));
	builder_free(b);
	free(scratch);
	return snap;
}

/* Adds and deletes a run of names; the version changes with `there`. */
static void bulky_change(struct world *w, const struct model *m, struct snapshot **snap,
                         bool *there)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct env *env = &w->fake.env;
	struct builder *b = builder_over(w->pool, *snap);
	struct snapshot *next = NULL;
	unsigned stride = 1 + env_random_below(env, 40) * env_random_below(env, 2);
	unsigned from = env_random_below(env, BULKY_NAMES);
	unsigned count = 1 + env_random_below(env, 1 + env_random_below(env, 300));

	for (unsigned i = from; i < BULKY_NAMES && count > 0; i += stride, count--) {
		struct rr rr = bulky_rr(m, i, scratch);
		cr_assert(eq(int, there[i] ? builder_delete(b, &rr) : builder_add(b, &rr), ERR_OK));
		there[i] = !there[i];
	}
	cr_assert(eq(int, builder_freeze(b, &by_ixfr, &next), ERR_OK));
	builder_free(b);
	snapshot_unref(*snap);
	*snap = next;
	(void)epoch_collect(w->epoch);
	free(scratch);
}

TEST(builder, nodes_full_of_octets_are_the_same_both_ways)
{
	for (uint64_t seed = 700; seed < 703; seed++) {
		struct world w;
		struct model m;
		bool there[BULKY_NAMES];
		struct snapshot *snap;
		world_init(&w, seed);
		model_init(&m, "x.");
		for (unsigned i = 0; i < BULKY_NAMES; i++) {
			there[i] = env_random_below(&w.fake.env, 3) > 0;
		}
		snap = bulky_build(&m, w.pool, there);
		for (unsigned i = 0; i < 40; i++) {
			struct snapshot *whole;
			struct id a;
			struct id b;
			bulky_change(&w, &m, &snap, there);
			whole = bulky_build(&m, w.pool, there);
			a = world_root(snap);
			b = world_root(whole);
			cr_assert(id_equal(&a, &b), "seed %llu, change %u",
			          (unsigned long long)seed, i);
			snapshot_unref(whole);
		}
		snapshot_unref(snap);
		model_fini(&m);
		world_fini(&w);
	}
}

/* The address space of the pool is used up: a clear error, and everything goes on. */
TEST(builder, refuses_what_the_pool_has_no_room_for)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct world w = { 0 };
	struct model m;
	struct snapshot *snap;
	enum err e = ERR_OK;

	env_fake_init(&w.fake, 1);
	w.epoch = epoch_new();
	cr_assert(eq(int,
	             pool_new(&(struct pool_options){ .env = &w.fake.env,
	                                              .epoch = w.epoch,
	                                              .span_bytes = 16U << 20 },
	                      &w.pool),
	             ERR_OK));
	model_init(&m, "x.");
	snap = model_build(&m, w.pool, NULL);
	for (unsigned over = 0; over < 3; over++) {
		struct builder *b = over == 1 ? builder_over(w.pool, snap)
		                              : builder_new(&(struct builder_options){
							.pool = w.pool, .apex = name_of(&m.apex) });
		struct rr rr;
		model_soa(&m, scratch, &rr);
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
		for (unsigned i = 0; i < 4000; i++) { /* forwards, over a base, backwards */
			rr = bulky_rr(&m, 7 * (over == 2 ? 4000 - i : i), scratch);
			rr.rdata = bytes_of(scratch->rdata, 20000);
			e = builder_add(b, &rr);
			if (e != ERR_OK) {
				break;
			}
		}
		if (e == ERR_OK) {
			e = builder_freeze(b, &by_ixfr, &(struct snapshot *){ NULL });
		}
		cr_expect(eq(int, e, ERR_NO_MEMORY), "%u", over);
		builder_free(b);
	}
	model_check(&m, snap);
	snapshot_unref(snap);
	model_fini(&m);
	free(scratch);
	world_fini(&w);
}
