/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

/* What the model says of a name, by scanning all records (RFC 1034 §4.3.2, RFC 4592, RFC 6672). */
static bool has_set(const struct model *m, struct name owner, uint16_t type)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->rrs[i].type == type && name_equal(name_of(&m->rrs[i].owner), owner)) {
			return true;
		}
	}
	return false;
}

static bool in_names(const struct model_rr *r)
{
	return r->type != TYPE_NSEC3 &&
	       !(r->type == TYPE_RRSIG && load_u16(r->rdata) == TYPE_NSEC3);
}

static bool has_records(const struct model *m, struct name owner)
{
	for (size_t i = 0; i < m->count; i++) {
		if (in_names(&m->rrs[i]) && name_equal(name_of(&m->rrs[i].owner), owner)) {
			return true;
		}
	}
	return false;
}

static bool has_below(const struct model *m, struct name owner)
{
	for (size_t i = 0; i < m->count; i++) {
		if (in_names(&m->rrs[i]) && m->rrs[i].owner.labels > owner.labels &&
		    name_within(name_of(&m->rrs[i].owner), owner)) {
			return true;
		}
	}
	return false;
}

struct question {
	struct name name;
	bool at_cut;
	bool below_cuts;
};

/* A name on the way from the apex to the one asked for: true if the walk ends there. */
static bool model_stops(const struct model *m, const struct question *q, struct name at,
                        struct snapshot_place *out)
{
	bool last = at.labels == q->name.labels;
	bool apex = at.labels == m->apex.labels;

	out->owner_labels = at.labels;
	if (!apex && !q->below_cuts && has_set(m, at, TYPE_NS) && !(last && q->at_cut)) {
		out->match = SNAPSHOT_REFERRAL;
		return true;
	}
	if (!last && has_set(m, at, TYPE_DNAME)) {
		out->match = SNAPSHOT_DNAME;
		return true;
	}
	return false;
}

static void model_find(const struct model *m, const struct question *q, struct snapshot_place *out)
{
	struct name name = q->name;
	struct name_buf wild = { .len = 2, .octets = { 1, '*' } };
	struct name encloser;

	for (unsigned labels = m->apex.labels; labels <= name.labels; labels++) {
		if (model_stops(m, q, name_strip(name, name.labels - labels), out)) {
			return;
		}
	}
	out->owner_labels = out->encloser_labels = name.labels;
	out->match = has_records(m, name) ? SNAPSHOT_FOUND : SNAPSHOT_EMPTY;
	if (out->match == SNAPSHOT_FOUND || has_below(m, name)) {
		return;
	}
	for (encloser = name; !has_records(m, encloser) && !has_below(m, encloser);) {
		encloser = name_strip(encloser, 1);
	}
	out->owner_labels = out->encloser_labels = encloser.labels;
	memcpy(wild.octets + 2, encloser.at, encloser.len);
	wild.len = (uint8_t)(wild.len + encloser.len);
	wild.labels = (uint8_t)(encloser.labels + 1);
	out->match = has_records(m, name_of(&wild)) ? SNAPSHOT_WILDCARD
	             : has_below(m, name_of(&wild)) ? SNAPSHOT_EMPTY
	                                            : SNAPSHOT_NO_NAME;
}

/* The owner in the answer is the right one if it has the sets that the model has there. */
static void check_owner(const struct model *m, const struct snapshot_place *got, struct name owner)
{
	static const uint16_t types[] = { TYPE_A,     TYPE_NS,  TYPE_CNAME, TYPE_MX,
		                          TYPE_DNAME, TYPE_TXT, TYPE_DS,    65280 };
	struct rrset set;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		bool found = owner_rrset(&got->owner, types[i], 0, &set);
		cr_assert(eq(int, found, has_set(m, owner, types[i])));
	}
	for (unsigned i = 0; i < got->owner.set_count; i++) {
		owner_rrset_at(&got->owner, i, &set);
		cr_assert(has_set(m, owner, set.type));
	}
}

static void check_one(const struct model *m, const struct snapshot *snap, const struct question *q)
{
	struct snapshot_place got = snapshot_find(snap, q->name, q->at_cut, q->below_cuts);
	struct snapshot_place want = { 0 };
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text) - 1);

	cr_assert(name_print(q->name, &w));
	text[w.len] = 0;
	model_find(m, q, &want);
	cr_assert(eq(int, got.match, want.match), "%s %d %d", text, q->at_cut, q->below_cuts);
	cr_assert(eq(uint, got.owner_labels, want.owner_labels), "%s", text);
	if (got.match == SNAPSHOT_WILDCARD) {
		struct name_buf wild = { .len = 2, .octets = { 1, '*' } };
		struct name encloser = name_strip(q->name, q->name.labels - got.owner_labels);
		memcpy(wild.octets + 2, encloser.at, encloser.len);
		wild.len = (uint8_t)(wild.len + encloser.len);
		wild.labels = (uint8_t)(encloser.labels + 1);
		check_owner(m, &got, name_of(&wild));
	} else if (got.match != SNAPSHOT_EMPTY && got.match != SNAPSHOT_NO_NAME) {
		check_owner(m, &got, name_strip(q->name, q->name.labels - got.owner_labels));
	}
	if (want.match != SNAPSHOT_REFERRAL && want.match != SNAPSHOT_DNAME) {
		cr_assert(eq(uint, got.encloser_labels, want.encloser_labels), "%s", text);
	}
}

static void check_name(const struct model *m, const struct snapshot *snap, struct name name)
{
	struct owner_view view;

	for (unsigned flags = 0; flags < 4; flags++) {
		struct question q = { name, (flags & 1) != 0, (flags & 2) != 0 };
		check_one(m, snap, &q);
	}
	if (has_records(m, name)) {
		cr_assert(snapshot_owner(snap, name, &view));
	}
}

/* Names that the zone has, names near them, and random ones. */
static void check_zone(struct world *w, const struct model *m, const struct snapshot *snap,
                       unsigned questions)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;

	for (unsigned i = 0; i < questions; i++) {
		struct name name;
		model_random(m, &w->fake.env, scratch, &rr);
		name = rr.owner;
		if (i % 3 == 0) {
			name = name_of(
				&m->rrs[env_random_below(&w->fake.env, (uint32_t)m->count)].owner);
		}
		check_name(m, snap, name);
		while (name.labels > m->apex.labels && i % 2 == 0) {
			name = name_strip(name, 1);
			check_name(m, snap, name);
		}
	}
	free(scratch);
}

TEST(find, agrees_with_a_scan_of_all_records)
{
	static const char *const apexes[] = { "Example.COM.", ".", "a.b.c.test." };

	for (uint64_t seed = 500; seed < 530; seed++) {
		struct world w;
		struct model m;
		struct snapshot *snap;
		world_init(&w, seed);
		printf("seed %llu\n", (unsigned long long)seed);
		model_init(&m, apexes[seed % ARRAY_LEN(apexes)]);
		model_grow(&m, &w.fake.env, seed % 5 == 0 ? 2000 : 120);
		snap = model_build(&m, w.pool, &w.fake.env);
		check_zone(&w, &m, snap, seed % 5 == 0 ? 150 : 300);
		snapshot_unref(snap);
		model_fini(&m);
		world_fini(&w);
	}
}

static void add_text(struct model *m, const char *line)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;
	struct name apex = name_of(&m->apex);

	cr_assert(eq(int, rr_parse(bytes_str(line), &apex, 300, scratch, &rr), ERR_OK), "%s", line);
	cr_assert(model_add(m, &rr));
	free(scratch);
}

/* RFC 4592 §2.2.1, and what cuts and DNAMEs hide. */
TEST(find, answers_the_examples_of_the_rfcs)
{
	static const struct {
		const char *name;
		enum snapshot_match match;
		unsigned labels; /* owner_labels */
	} cases[] = {
		{ "example.", SNAPSHOT_FOUND, 1 },
		{ "host3.example.", SNAPSHOT_WILDCARD, 1 },
		{ "foo.bar.example.", SNAPSHOT_WILDCARD, 1 },
		{ "host1.example.", SNAPSHOT_FOUND, 2 },
		{ "sub.*.example.", SNAPSHOT_FOUND, 3 },
		{ "other.*.example.", SNAPSHOT_NO_NAME, 2 },
		{ "_telnet._tcp.host1.example.", SNAPSHOT_NO_NAME, 3 },
		{ "_tcp.host1.example.", SNAPSHOT_EMPTY, 3 },
		{ "host.subdel.example.", SNAPSHOT_REFERRAL, 2 },
		{ "subdel.example.", SNAPSHOT_REFERRAL, 2 },
		{ "ghost.*.example.", SNAPSHOT_NO_NAME, 2 },
		{ "x.y.alias.example.", SNAPSHOT_DNAME, 2 },
		{ "alias.example.", SNAPSHOT_FOUND, 2 },
		{ "q.ent.example.", SNAPSHOT_EMPTY, 2 }, /* *.ent is an empty non-terminal */
	};
	struct world w;
	struct model m;
	struct snapshot *snap;

	world_init(&w, 1);
	model_init(&m, "example.");
	add_text(&m, "*.example. 3600 IN TXT \"this is a wildcard\"");
	add_text(&m, "*.example. 3600 IN MX 10 host1.example.");
	add_text(&m, "sub.*.example. 3600 IN TXT \"this is not a wildcard\"");
	add_text(&m, "host1.example. 3600 IN A 192.0.2.1");
	add_text(&m, "_ssh._tcp.host1.example. 3600 IN SRV 0 0 22 host1.example.");
	add_text(&m, "subdel.example. 3600 IN NS ns.example.com.");
	add_text(&m, "alias.example. 3600 IN DNAME target.example.");
	add_text(&m, "below.*.ent.example. 3600 IN A 192.0.2.9");
	snap = model_build(&m, w.pool, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct name_buf name = name_text(cases[i].name);
		struct snapshot_place p = snapshot_find(snap, name_of(&name), false, false);
		cr_expect(eq(int, p.match, cases[i].match), "%s", cases[i].name);
		cr_expect(eq(uint, p.owner_labels, cases[i].labels), "%s", cases[i].name);
	}
	snapshot_unref(snap);
	model_fini(&m);
	world_fini(&w);
}
