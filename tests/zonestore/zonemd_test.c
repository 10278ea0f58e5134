/* SPDX-License-Identifier: MIT */
#include "zonestore/zonemd.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

#define ZONES_RANDOM 30

/* ---- zones from text ---- */

/* What is done to each line before it is read; NULL: nothing. */
typedef void (*line_fn)(char *line);

static struct snapshot *read_zone(struct pool *pool, const char *name, line_fn change)
{
	struct builder_options options = { .pool = pool };
	struct builder_origin origin = { SNAPSHOT_BY_AXFR, { 0 }, 0 };
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct snapshot *snap;
	struct builder *b = NULL;
	char line[4096];
	char path[512];
	struct rr rr;
	FILE *f;

	snprintf(path, sizeof(path), "%s/zonemd/%s.zone", TEST_VECTORS, name);
	f = fopen(path, "r");
	cr_assert(ne(ptr, f, NULL), "%s", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == ';') {
			continue;
		}
		if (change != NULL) {
			change(line);
		}
		cr_assert(eq(int, rr_parse(bytes_str(line), NULL, 0, scratch, &rr), ERR_OK), "%s",
		          line);
		if (b == NULL) {
			options.apex = rr.owner; /* the SOA comes first */
			b = builder_new(&options);
		}
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK), "%s", line);
	}
	fclose(f);
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	free(scratch);
	return snap;
}

/* Verifies at once, and in the smallest steps there are. */
static enum zonemd_result verify(struct pool *pool, const char *name, line_fn change)
{
	struct snapshot *snap = read_zone(pool, name, change);
	enum zonemd_result result = snapshot_zonemd_verify(snap);
	struct zonemd_check *check = zonemd_check_new(snap);
	unsigned steps = 0;

	snapshot_unref(snap); /* the check holds it */
	while (zonemd_check_step(check, 1)) {
		steps++;
	}
	cr_expect(eq(int, zonemd_check_result(check), result));
	cr_expect(not(zonemd_check_step(check, 1)), "over");
	cr_expect(result != ZONEMD_GOOD || steps > 2);
	zonemd_check_free(check);
	return result;
}

/* Replaces `from`, if it is there, by `to`, which is as long. */
static void replace(char *line, const char *from, const char *to)
{
	char *at = strstr(line, from);

	if (at != NULL) {
		memcpy(at, to, strlen(from));
	}
}

static void keep(char *line)
{
	(void)line;
}

static void upper_names(char *line)
{
	bool name = strstr(line, "TXT") == NULL && strstr(line, "ZONEMD") == NULL &&
	            strstr(line, "RRSIG") == NULL && strstr(line, "NAPTR") == NULL &&
	            strstr(line, "DNSKEY") == NULL && strstr(line, "NSEC") == NULL;

	for (char *at = line; *at != '\0' && (name || *at != ' '); at++) {
		*at = (char)(*at >= 'a' && *at <= 'z' ? *at - 32 : *at);
	}
}

static void digest_changed(char *line)
{
	replace(line, " 1 1 c6", " 1 1 c7");
}

static void serial_of_digest_changed(char *line)
{
	replace(line, "ZONEMD  2018031900", "ZONEMD  2018031901");
}

static void serial_of_soa_changed(char *line)
{
	replace(line, "admin.example. 2018031900", "admin.example. 2018031899");
}

static void soa_changed(char *line)
{
	replace(line, "1800 900", "1800 901");
}

static void address_changed(char *line)
{
	replace(line, "203.0.113.63", "203.0.113.62");
}

static void ttl_changed(char *line)
{
	replace(line, "3600   IN  AAAA", "3601   IN  AAAA");
}

static void owner_changed(char *line)
{
	replace(line, "ns2.example.  3600", "ns3.example.  3600");
}

static void scheme_unknown(char *line)
{
	replace(line, " 1 1 c6", " 2 1 c6");
}

static void algorithm_unknown(char *line)
{
	replace(line, " 1 1 c6", " 1 3 c6");
}

static void type_changed(char *line)
{
	replace(line, "ZONEMD  2018031900 1 1 c68090d9", "TXT                    c68090d9");
}

static void first_of_three_wrong(char *line)
{
	replace(line, "1 1 62e6", "1 1 62e7");
}

static void first_and_second_wrong(char *line)
{
	replace(line, "1 1 62e6", "1 1 62e7");
	replace(line, "1 2 08cf", "1 2 08ce");
}

static void scheme_241_is_1(char *line)
{
	replace(line, "2018031900 241 1", "2018031900 001 1");
}

static void scheme_241_is_1_and_second_wrong(char *line)
{
	scheme_241_is_1(line);
	replace(line, "1 2 08cf", "1 2 08ce");
}

/* RFC 8976, appendix A, and what changes of it lead to. */
static const struct {
	const char *zone;
	line_fn change;
	const char *what;
	enum zonemd_result want;
} cases[] = {
	{ "simple", keep, "A.1", ZONEMD_GOOD },
	{ "complex", keep, "A.2", ZONEMD_GOOD },
	{ "multiple", keep, "A.3", ZONEMD_GOOD },
	{ "uri.arpa", keep, "A.4", ZONEMD_GOOD },
	{ "root-servers.net", keep, "A.5", ZONEMD_GOOD },
	{ "simple", upper_names, "names in upper case", ZONEMD_GOOD },
	{ "complex", upper_names, "names in upper case", ZONEMD_GOOD },
	{ "uri.arpa", upper_names, "names in upper case", ZONEMD_GOOD },
	{ "root-servers.net", upper_names, "names in upper case", ZONEMD_GOOD },
	{ "simple", digest_changed, "another digest", ZONEMD_BAD },
	{ "simple", serial_of_digest_changed, "the digest's serial is not the SOA's", ZONEMD_BAD },
	{ "simple", serial_of_soa_changed, "the SOA's serial is not the digest's", ZONEMD_BAD },
	{ "simple", soa_changed, "another SOA", ZONEMD_BAD },
	{ "simple", address_changed, "another address", ZONEMD_BAD },
	{ "simple", ttl_changed, "another TTL", ZONEMD_BAD },
	{ "simple", owner_changed, "another owner", ZONEMD_BAD },
	{ "simple", scheme_unknown, "a scheme that nobody knows", ZONEMD_UNSUPPORTED },
	{ "simple", algorithm_unknown, "an algorithm that nobody knows", ZONEMD_UNSUPPORTED },
	{ "simple", type_changed, "no digest", ZONEMD_NONE },
	{ "multiple", first_of_three_wrong, "one of two is right", ZONEMD_GOOD },
	{ "multiple", first_and_second_wrong, "none is right", ZONEMD_BAD },
	{ "multiple", scheme_241_is_1, "one pair twice, the other right", ZONEMD_GOOD },
	{ "multiple", scheme_241_is_1_and_second_wrong, "one pair twice, the other wrong",
	  ZONEMD_BAD },
};

TEST(zonemd, vectors_of_the_rfc_and_changes_of_them)
{
	struct world w;

	world_init(&w, 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(eq(int, verify(w.pool, cases[i].zone, cases[i].change), cases[i].want),
		          "%s: %s", cases[i].zone, cases[i].what);
	}
	world_fini(&w);
}

/* ---- zones compared with a sorted array ---- */

static struct bytes lowered(const struct model_rr *m, uint8_t *out)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	unsigned count = rdata_caseless_names(m->type, bytes_of(m->rdata, m->rdata_len), names);

	memcpy(out, m->rdata, m->rdata_len);
	for (unsigned i = 0; i < count; i++) {
		for (unsigned at = 0; at < names[i].len; at++) {
			out[names[i].offset + at] = octet_lower(out[names[i].offset + at]);
		}
	}
	return bytes_of(out, m->rdata_len);
}

/* RFC 4034 §6, record by record. */
static int compare_canonical(const void *x, const void *y)
{
	static uint8_t mine[RDATA_MAX_LEN];
	static uint8_t theirs[RDATA_MAX_LEN];
	const struct model_rr *a = x;
	const struct model_rr *b = y;
	int c = name_compare(name_of(&a->owner), name_of(&b->owner));

	c = c != 0 ? c : a->type - b->type;
	return c != 0 ? c : bytes_compare(lowered(a, mine), lowered(b, theirs));
}

static bool is_left_out(const struct model *m, const struct model_rr *rr)
{
	return rr->owner.len == m->apex.len &&
	       (rr->type == TYPE_ZONEMD ||
	        (rr->type == TYPE_RRSIG && load_u16(rr->rdata) == TYPE_ZONEMD));
}

/* Digests the model with its SOA. */
static size_t model_digest(const struct model *m, enum digest_long_kind kind, uint8_t *out)
{
	uint8_t *rdata = mem_new(RDATA_MAX_LEN);
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct digest_long d;
	struct model sorted;
	struct rr soa;
	size_t len;

	model_copy(m, &sorted);
	model_soa(m, scratch, &soa);
	cr_assert(model_add(&sorted, &soa));
	qsort(sorted.rrs, sorted.count, sizeof(*sorted.rrs), compare_canonical);
	digest_long_init(&d, kind);
	for (size_t i = 0; i < sorted.count; i++) {
		const struct model_rr *rr = &sorted.rrs[i];
		uint8_t head[10];
		struct name_buf lower;
		if (is_left_out(m, rr)) {
			continue;
		}
		name_lower(name_of(&rr->owner), &lower);
		store_u16(head, rr->type);
		store_u16(head + 2, CLASS_IN);
		store_u32(head + 4, rr->ttl);
		store_u16(head + 8, rr->rdata_len);
		digest_long_update(&d, name_bytes(name_of(&lower)));
		digest_long_update(&d, bytes_of(head, sizeof(head)));
		digest_long_update(&d, lowered(rr, rdata));
	}
	len = digest_long_final(&d, out);
	model_fini(&sorted);
	free(scratch);
	free(rdata);
	return len;
}

/* Adds a ZONEMD record with the model's digest, and an RRSIG that covers it. */
static void add_zonemd(struct model *m, uint8_t algorithm)
{
	enum digest_long_kind kind = algorithm == 1 ? DIGEST_SHA384 : DIGEST_SHA512;
	uint8_t rdata[6 + DIGEST_LONG_MAX];
	uint8_t signature[18 + 1 + 20] = { 0, TYPE_ZONEMD, 8, 0 };
	struct rr rr = { name_of(&m->apex), TYPE_ZONEMD, CLASS_IN, 3600, { 0 } };

	store_u32(rdata, m->serial);
	rdata[4] = 1;
	rdata[5] = algorithm;
	rr.rdata = bytes_of(rdata, 6 + model_digest(m, kind, rdata + 6));
	cr_assert(model_add(m, &rr));
	rr.type = TYPE_RRSIG;
	rr.rdata = bytes_of(signature, sizeof(signature));
	cr_assert(eq(int, rdata_check(TYPE_RRSIG, rr.rdata), ERR_OK));
	(void)model_add(m, &rr);
}

/* Names of which the one is stored with its apex and the other without: their order is that of
 * whole names all the same. */
static void add_names(struct model *m, const char *apex)
{
	static const char *const before[] = { "", "a.", "a.b.", "A.bc.", "zz.", "a.zzzzzzzzzzzz." };
	static const char *const after[] = { "", "x.", "com.", "zzzzzzzzzzzzzzzz.", "a.b." };
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(before) * ARRAY_LEN(after); i++) {
		struct rr rr = { name_of(&m->apex), TYPE_NS, CLASS_IN, 3600, { 0 } };
		const char *tail = after[i % ARRAY_LEN(after)];
		struct name_buf name;
		snprintf(text, sizeof(text), "%s%s", before[i / ARRAY_LEN(after)],
		         tail[0] == '\0' ? apex : tail);
		name = name_text(text);
		rr.rdata = name_bytes(name_of(&name));
		(void)model_add(m, &rr);
	}
}

static void check_random(struct world *w, struct env *env, const char *apex, size_t records)
{
	struct model m;
	struct snapshot *snap;
	uint8_t *octet;

	model_init(&m, apex);
	add_names(&m, apex);
	model_grow(&m, env, records);
	add_zonemd(&m, 1 + env_random_below(env, 2) % 2);
	snap = model_build(&m, w->pool, env);
	cr_expect(eq(int, snapshot_zonemd_verify(snap), ZONEMD_GOOD));
	snapshot_unref(snap);
	/* A digest of the same length that is not the zone's. */
	octet = m.rrs[m.count - 1].type == TYPE_ZONEMD ? m.rrs[m.count - 1].rdata
	                                               : m.rrs[m.count - 2].rdata;
	octet[6 + env_random_below(env, SHA384_LEN)] ^= 1;
	snap = model_build(&m, w->pool, env);
	cr_expect(eq(int, snapshot_zonemd_verify(snap), ZONEMD_BAD));
	snapshot_unref(snap);
	model_fini(&m);
}

/* With wildcards, cuts, occluded names, NSEC3 owners between all others, mixed case. */
TEST(zonemd, random_zones_have_the_digest_of_their_sorted_records)
{
	static const char *const apexes[] = { "example.", "Long-Label.example.", "m.", "a.b." };
	struct world w;
	struct env *env;

	world_init(&w, 7);
	env = &w.fake.env;
	for (size_t i = 0; i < ZONES_RANDOM; i++) {
		check_random(&w, env, apexes[i % ARRAY_LEN(apexes)], i * i * 2);
	}
	world_fini(&w);
}

/* Every record counts: any that is missing makes the digest wrong. */
TEST(zonemd, a_missing_record_is_noticed_wherever_it_is)
{
	struct world w;
	struct env *env;
	struct model m;

	world_init(&w, 8);
	env = &w.fake.env;
	model_init(&m, "example.");
	model_grow(&m, env, 60);
	add_zonemd(&m, 2);
	for (size_t i = 1; i < m.count; i++) {
		struct model less;
		struct snapshot *snap;
		enum zonemd_result want = is_left_out(&m, &m.rrs[i]) ? ZONEMD_GOOD : ZONEMD_BAD;
		if (m.rrs[i].type == TYPE_ZONEMD) {
			want = ZONEMD_NONE;
		}
		model_copy(&m, &less);
		model_delete(&less, i);
		snap = model_build(&less, w.pool, NULL);
		cr_expect(eq(int, snapshot_zonemd_verify(snap), want), "record %zu", i);
		snapshot_unref(snap);
		model_fini(&less);
	}
	model_fini(&m);
	world_fini(&w);
}

static size_t malloc_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Every version that arrives is looked at, and few have a ZONEMD. */
TEST(zonemd, a_zone_without_one_takes_no_room_for_digesting)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	struct zonemd_check *check;
	size_t before;

	world_init(&w, 9);
	model_init(&m, "example.");
	snap = model_build(&m, w.pool, NULL);
	before = malloc_in_use();
	check = zonemd_check_new(snap);
	cr_expect(lt(sz, malloc_in_use() - before, 1024));
	cr_expect(eq(int, zonemd_check_result(check), ZONEMD_NONE));
	zonemd_check_free(check);
	snapshot_unref(snap);
	model_fini(&m);
	world_fini(&w);
}
