/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/model.c — a zone as a sorted array of records. */
#include "tests/zonestore/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "dns/rdata.h"
#include "tests/test.h"

/* What stands at an owner name, so that no random zone has a CNAME beside other data. */
enum owner_class { OWNER_DATA, OWNER_ALIAS, OWNER_CUT, OWNER_DNAME, OWNER_NSEC3, OWNER_CLASSES };

struct rr model_view(const struct model_rr *m)
{
	return (struct rr){ .owner = name_of(&m->owner),
		            .type = m->type,
		            .class = CLASS_IN,
		            .ttl = m->ttl,
		            .rdata = bytes_of(m->rdata, m->rdata_len) };
}

struct name_buf name_text(const char *text)
{
	struct name_buf out;

	cr_assert(eq(int, name_parse(bytes_str(text), NULL, &out), ERR_OK), "%s", text);
	return out;
}

static uint16_t covers_of(uint16_t type, const uint8_t *rdata)
{
	return type == TYPE_RRSIG || type == TYPE_SIG ? load_u16(rdata) : 0;
}

static bool is_nsec3(const struct model_rr *m)
{
	return m->type == TYPE_NSEC3 || covers_of(m->type, m->rdata) == TYPE_NSEC3;
}

static int compare(const void *x, const void *y)
{
	const struct model_rr *a = x;
	const struct model_rr *b = y;
	int c = is_nsec3(a) - is_nsec3(b);

	c = c != 0 ? c : name_compare(name_of(&a->owner), name_of(&b->owner));
	c = c != 0 ? c : a->type - b->type;
	c = c != 0 ? c : covers_of(a->type, a->rdata) - covers_of(b->type, b->rdata);
	return c != 0 ? c
	              : rdata_compare(a->type, bytes_of(a->rdata, a->rdata_len),
	                              bytes_of(b->rdata, b->rdata_len));
}

void model_sort(struct model *m)
{
	qsort(m->rrs, m->count, sizeof(*m->rrs), compare);
}

bool model_add(struct model *m, const struct rr *rr)
{
	struct model_rr *n;

	for (size_t i = 0; i < m->count; i++) {
		struct rr have = model_view(&m->rrs[i]);
		if (have.type == rr->type && name_equal(have.owner, rr->owner) &&
		    rdata_compare(rr->type, have.rdata, rr->rdata) == 0) {
			return false;
		}
	}
	if (m->count == m->cap) {
		m->cap = m->cap == 0 ? 64 : 2 * m->cap;
		m->rrs = mem_grow(m->rrs, m->cap * sizeof(*m->rrs));
	}
	n = &m->rrs[m->count++];
	*n = (struct model_rr){ .type = rr->type,
		                .ttl = rr->ttl,
		                .rdata = mem_new(rr->rdata.len),
		                .rdata_len = (uint16_t)rr->rdata.len };
	name_copy(rr->owner, &n->owner);
	if (rr->rdata.len > 0) {
		memcpy(n->rdata, rr->rdata.at, rr->rdata.len);
	}
	return true;
}

void model_delete(struct model *m, size_t index)
{
	free(m->rrs[index].rdata);
	m->rrs[index] = m->rrs[--m->count];
}

void model_init(struct model *m, const char *apex)
{
	struct name_buf ns = name_text("ns1.elsewhere.test.");
	struct rr rr = { .type = TYPE_NS, .class = CLASS_IN, .ttl = 3600 };

	*m = (struct model){ .apex = name_text(apex), .serial = 1 };
	rr.owner = name_of(&m->apex);
	rr.rdata = name_bytes(name_of(&ns));
	cr_assert(model_add(m, &rr));
}

void model_fini(struct model *m)
{
	for (size_t i = 0; i < m->count; i++) {
		free(m->rrs[i].rdata);
	}
	free(m->rrs);
	*m = (struct model){ 0 };
}

void model_copy(const struct model *from, struct model *to)
{
	*to = (struct model){ .apex = from->apex, .serial = from->serial };
	to->rrs = mem_zero(from->cap, sizeof(*to->rrs));
	to->count = from->count;
	to->cap = from->cap;
	for (size_t i = 0; i < from->count; i++) {
		to->rrs[i] = from->rrs[i];
		to->rrs[i].rdata = mem_new(from->rrs[i].rdata_len);
		memcpy(to->rrs[i].rdata, from->rrs[i].rdata, from->rrs[i].rdata_len);
	}
}

/* ---- random records ---- */

/* A label from a small set, so that names collide and nest. */
static unsigned random_label(struct env *env, uint8_t *out)
{
	static const char *const odd[] = { "*",    "\x00",   "\x01", "\x00\x00",
		                           "\xff", "a\x00z", ".",    "@Q" };
	uint32_t n = env_random_below(env, 400);
	unsigned len;

	if (n < ARRAY_LEN(odd)) {
		len = n == 3 ? 2 : n == 5 ? 3 : n == 7 ? 2 : 1;
		memcpy(out + 1, odd[n], len);
	} else if (n < 12) {
		len = LABEL_MAX_LEN;
		memset(out + 1, (int)('a' + n - 8), len);
	} else {
		char text[16];
		len = (unsigned)snprintf(text, sizeof(text), "%s%u", n % 3 == 0 ? "Host" : "h", n);
		memcpy(out + 1, text, len);
	}
	out[0] = (uint8_t)len;
	return len + 1;
}

static void random_below_apex(const struct model *m, struct env *env, struct name_buf *out)
{
	static const unsigned labels[] = { 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4 };
	unsigned count = labels[env_random_below(env, ARRAY_LEN(labels))];
	unsigned at = 0;

	for (unsigned i = 0; i < count && at + LABEL_MAX_LEN + 1U + m->apex.len < NAME_MAX_LEN;
	     i++) {
		at += random_label(env, out->octets + at);
		out->labels = (uint8_t)(i + 1);
	}
	out->labels = (uint8_t)((at == 0 ? 0 : out->labels) + m->apex.labels);
	memcpy(out->octets + at, m->apex.octets, m->apex.len);
	out->len = (uint8_t)(at + m->apex.len);
}

static uint64_t hash_name(struct name n)
{
	struct name_buf lower;

	name_lower(n, &lower);
	return hash_fixed(name_bytes(name_of(&lower)));
}

/* Spells letters by a hash of the name in lower case: the same name is always spelled the same. */
static void spell(const struct model *m, struct name_buf *n)
{
	uint64_t h = hash_name(name_of(n));

	for (unsigned i = 0; i + m->apex.len < n->len; i++) {
		uint8_t c = octet_lower(n->octets[i]);
		if (c >= 'a' && c <= 'z') {
			bool upper = h % 4 == 0 && (h >> (i % 50) & 4) != 0;
			n->octets[i] = (uint8_t)(upper ? c - 32 : c);
		}
	}
}

static enum owner_class class_of(const struct model *m, struct name owner)
{
	static const uint8_t classes[16] = { OWNER_ALIAS, OWNER_ALIAS, OWNER_CUT,
		                             OWNER_CUT,   OWNER_CUT,   OWNER_DNAME,
		                             OWNER_NSEC3, OWNER_NSEC3, OWNER_NSEC3 };
	enum owner_class c = classes[hash_name(owner) >> 8 & 15];

	if (owner.labels == m->apex.labels) {
		return OWNER_DATA;
	}
	return c == OWNER_NSEC3 && owner.labels != m->apex.labels + 1 ? OWNER_DATA : c;
}

static void put_target(const struct model *m, struct env *env, struct writer *w)
{
	struct name_buf target;
	struct name_buf far = name_text("Mail.Elsewhere.test.");
	bool fits;

	random_below_apex(m, env, &target);
	spell(m, &target);
	fits = writer_put(w, name_bytes(name_of(env_random_below(env, 3) == 0 ? &far : &target)));
	cr_assert(fits);
}

static void put_octets(struct env *env, struct writer *w, size_t len)
{
	bool fits = true;

	while (len-- > 0) {
		fits = fits && writer_u8(w, (uint8_t)env_random_below(env, 4));
	}
	cr_assert(fits);
}

static void put_rrsig(struct env *env, struct writer *w, uint16_t covers)
{
	static const uint8_t rest[] = {
		8, 2, 0, 0, 14, 16, 0, 0, 0, 9, 0, 0, 0, 1, 0, 7, 1, 'S', 0
	};
	bool fits = writer_u16(w, covers) && writer_put(w, bytes_of(rest, sizeof(rest)));

	cr_assert(fits);
	put_octets(env, w, 3);
}

static void put_nsec3(struct env *env, struct writer *w)
{
	static const uint8_t head[] = { 1, 0, 0, 0, 0, 20 };
	static const uint8_t tail[] = { 0, 1, 0x40 };
	bool fits = writer_put(w, bytes_of(head, sizeof(head)));

	put_octets(env, w, 20);
	fits = fits && writer_put(w, bytes_of(tail, sizeof(tail)));
	cr_assert(fits);
}

static void put_text(struct env *env, struct writer *w)
{
	size_t len = 1 + env_random_below(env, 3) * env_random_below(env, 60);
	bool fits = writer_u8(w, (uint8_t)len);

	cr_assert(fits);
	put_octets(env, w, len);
}

/* Types that may stand at an owner of a class; RRSIGs cover one of them. */
static uint16_t random_type(struct env *env, enum owner_class class)
{
	static const uint16_t data[] = { TYPE_A,  TYPE_A,   TYPE_A,   TYPE_AAAA, TYPE_MX,
		                         TYPE_MX, TYPE_TXT, TYPE_SRV, 65280,     TYPE_RRSIG };
	static const uint16_t alias[] = { TYPE_CNAME, TYPE_CNAME, TYPE_CNAME, TYPE_RRSIG };
	static const uint16_t cut[] = { TYPE_NS, TYPE_NS, TYPE_NS, TYPE_DS, TYPE_A, TYPE_RRSIG };
	static const uint16_t dname[] = { TYPE_DNAME, TYPE_DNAME, TYPE_A, TYPE_RRSIG };
	static const uint16_t nsec3[] = { TYPE_NSEC3, TYPE_NSEC3, TYPE_RRSIG };

	switch (class) {
	case OWNER_ALIAS:
		return alias[env_random_below(env, ARRAY_LEN(alias))];
	case OWNER_CUT:
		return cut[env_random_below(env, ARRAY_LEN(cut))];
	case OWNER_DNAME:
		return dname[env_random_below(env, ARRAY_LEN(dname))];
	case OWNER_NSEC3:
		return nsec3[env_random_below(env, ARRAY_LEN(nsec3))];
	default:
		return data[env_random_below(env, ARRAY_LEN(data))];
	}
}

static void put_rdata(const struct model *m, struct env *env, struct writer *w, uint16_t type)
{
	bool fits = true;

	switch (type) {
	case TYPE_MX:
	case TYPE_SRV:
		put_octets(env, w, type == TYPE_MX ? 2 : 6);
		put_target(m, env, w);
		break;
	case TYPE_NS:
	case TYPE_CNAME:
	case TYPE_DNAME:
		put_target(m, env, w);
		break;
	case TYPE_TXT:
		put_text(env, w);
		break;
	case TYPE_DS:
		fits = writer_u32(w, 0x00010802);
		put_octets(env, w, 32);
		break;
	case TYPE_NSEC3:
		put_nsec3(env, w);
		break;
	default:
		put_octets(env, w, type == TYPE_A ? 4 : type == TYPE_AAAA ? 16 : 7);
		break;
	}
	cr_assert(fits);
}

static bool has_type(const struct model *m, struct name owner, uint16_t type)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->rrs[i].type == type && name_equal(name_of(&m->rrs[i].owner), owner)) {
			return true;
		}
	}
	return false;
}

void model_random(const struct model *m, struct env *env, struct rr_scratch *scratch,
                  struct rr *out)
{
	struct writer w = writer_of(scratch->rdata, sizeof(scratch->rdata));
	enum owner_class class;
	uint16_t type;

	do {
		random_below_apex(m, env, &scratch->owner);
		spell(m, &scratch->owner);
		class = class_of(m, name_of(&scratch->owner));
		type = random_type(env, class);
	} while ((type == TYPE_CNAME || type == TYPE_DNAME) &&
	         has_type(m, name_of(&scratch->owner), type));
	if (type == TYPE_RRSIG) {
		put_rrsig(env, &w, class == OWNER_NSEC3 ? TYPE_NSEC3 : TYPE_A);
	} else {
		put_rdata(m, env, &w, type);
	}
	*out = (struct rr){ .owner = name_of(&scratch->owner),
		            .type = type,
		            .class = CLASS_IN,
		            .ttl = (uint32_t)(hash_name(name_of(&scratch->owner)) >> 16 & 0xfff) +
		                   type,
		            .rdata = writer_bytes(&w) };
}

void model_grow(struct model *m, struct env *env, size_t count)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;

	for (size_t i = 0; i < count; i++) {
		model_random(m, env, scratch, &rr);
		(void)model_add(m, &rr);
	}
	free(scratch);
}

/* ---- versions ---- */

void model_soa(const struct model *m, struct rr_scratch *scratch, struct rr *out)
{
	struct writer w = writer_of(scratch->rdata, sizeof(scratch->rdata));
	struct name_buf far = name_text("HostKeeper.elsewhere.test.");
	bool fits = writer_u8(&w, 3) && writer_str(&w, "ns1") &&
	            writer_put(&w, name_bytes(name_of(&m->apex))) &&
	            writer_put(&w, name_bytes(name_of(&far))) && writer_u32(&w, m->serial) &&
	            writer_u64(&w, 0x00000e1000000384) && writer_u64(&w, 0x0012750000000e10);

	cr_assert(fits);
	*out = (struct rr){ .owner = name_of(&m->apex),
		            .type = TYPE_SOA,
		            .class = CLASS_IN,
		            .ttl = 7200,
		            .rdata = writer_bytes(&w) };
}

static void add_all(const struct model *m, struct builder *b, struct env *env)
{
	size_t *order = mem_new(m->count * sizeof(*order));

	for (size_t i = 0; i < m->count; i++) {
		size_t j = env == NULL ? i : env_random_below(env, (uint32_t)i + 1);
		order[i] = i;
		order[i] = order[j];
		order[j] = i;
	}
	for (size_t i = 0; i < m->count; i++) {
		struct rr rr = model_view(&m->rrs[order[i]]);
		cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	}
	free(order);
}

static void add_soa(const struct model *m, struct builder *b)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;

	model_soa(m, scratch, &rr);
	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	free(scratch);
}

struct snapshot *model_build(const struct model *m, struct pool *pool, struct env *env)
{
	struct builder *b =
		builder_new(&(struct builder_options){ .pool = pool, .apex = name_of(&m->apex) });
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR, .received_at_s = 1 };
	struct snapshot *snap = NULL;

	add_soa(m, b);
	add_all(m, b, env);
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	return snap;
}

/* Counts how often the record stands in the model with that TTL: 0 or 1. */
static bool model_has(const struct model *m, const struct model_rr *want)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->rrs[i].ttl == want->ttl && compare(&m->rrs[i], want) == 0) {
			return true;
		}
	}
	return false;
}

void model_difference(const struct model *from, const struct model *to, struct builder *b)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;

	model_soa(from, scratch, &rr);
	cr_assert(eq(int, builder_delete(b, &rr), ERR_OK));
	for (size_t i = 0; i < from->count; i++) {
		rr = model_view(&from->rrs[i]);
		if (!model_has(to, &from->rrs[i])) {
			cr_assert(eq(int, builder_delete(b, &rr), ERR_OK));
		}
	}
	add_soa(to, b);
	for (size_t i = 0; i < to->count; i++) {
		rr = model_view(&to->rrs[i]);
		if (!model_has(from, &to->rrs[i])) {
			cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
		}
	}
	free(scratch);
}

/* The model's record that equals one of a set, from index `from` to `to`. */
static const struct model_rr *model_match(const struct model *m, const struct rrset *set,
                                          struct name owner, struct bytes rdata)
{
	for (size_t i = 0; i < m->count; i++) {
		const struct model_rr *r = &m->rrs[i];
		if (r->type == set->type && name_equal(name_of(&r->owner), owner) &&
		    rdata_compare(r->type, bytes_of(r->rdata, r->rdata_len), rdata) == 0) {
			return r;
		}
	}
	return NULL;
}

static void check_set(const struct model *m, const struct rrset *set, struct name owner, size_t at)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rrset_reader r = rrset_read(set);
	struct bytes rdata;
	uint32_t count = 0;

	while (rrset_next(&r, scratch, &rdata)) {
		const struct model_rr *want = model_match(m, set, owner, rdata);
		cr_assert(want != NULL);
		cr_assert(eq(u32, set->ttl, want->ttl));
		cr_assert(eq(u16, set->covers, covers_of(want->type, want->rdata)));
		cr_assert(bytes_equal(name_bytes(owner), name_bytes(name_of(&want->owner))));
		cr_assert(bytes_equal(rdata, bytes_of(want->rdata, want->rdata_len)));
		cr_assert(want >= &m->rrs[at] && want < &m->rrs[at + set->count]);
		count++;
	}
	cr_assert(eq(u32, count, set->count));
	free(scratch);
}

void model_check(struct model *m, const struct snapshot *snap)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct snapshot_cursor c;
	struct snapshot_facts facts;
	struct rrset set;
	struct rr soa;
	struct rr want;
	struct rr_scratch *other = mem_new(sizeof(*other));
	size_t seen = 0;
	uint64_t bytes = 0;

	model_sort(m);
	snapshot_cursor_init(&c, snap);
	while (snapshot_cursor_next(&c, &set)) {
		cr_assert(seen + set.count <= m->count);
		check_set(m, &set, name_of(&c.owner), seen);
		seen += set.count;
	}
	cr_assert(eq(sz, seen, m->count));
	snapshot_soa(snap, scratch, &soa);
	model_soa(m, other, &want);
	cr_assert(bytes_equal(soa.rdata, want.rdata));
	cr_assert(bytes_equal(name_bytes(soa.owner), name_bytes(want.owner)));
	for (size_t i = 0; i < m->count; i++) {
		bytes += m->rrs[i].owner.len + 10U + m->rrs[i].rdata_len;
	}
	snapshot_facts(snap, &facts);
	cr_assert(eq(u32, facts.records, (uint32_t)seen + 1));
	cr_assert(eq(u64, facts.bytes, bytes + soa.owner.len + 10 + soa.rdata.len));
	cr_assert(eq(u32, facts.serial.n, m->serial));
	free(scratch);
	free(other);
}

/* ---- pools ---- */

void world_init(struct world *w, uint64_t seed)
{
	env_fake_init(&w->fake, seed);
	w->epoch = epoch_new();
	cr_assert(eq(int,
	             pool_new(&(struct pool_options){ .env = &w->fake.env, .epoch = w->epoch },
	                      &w->pool),
	             ERR_OK));
}

void world_fini(struct world *w)
{
	struct pool_stats stats;

	(void)epoch_collect(w->epoch);
	pool_stats(w->pool, &stats);
	cr_assert(eq(u64, stats.bodies, 0));
	cr_assert(eq(u64, stats.nodes, 0));
	cr_assert(eq(u64, stats.body_bytes + stats.node_bytes + stats.table_bytes, 0));
	pool_free(w->pool);
	epoch_free(w->epoch);
}

struct id world_root(const struct snapshot *snap)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	return facts.root;
}
