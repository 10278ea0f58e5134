/* SPDX-License-Identifier: MIT
 *
 * tests/sim/truth.c — what the zones of the scripted primaries are and were. */
#include "tests/sim/truth.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"

#define VALUES        40 /* so that zones share record sets */
#define LOWER_BY_MOST 500

static void must(enum err e)
{
	assert(e == ERR_OK);
	(void)e;
}

uint32_t truth_dice(struct truth *t, uint32_t below)
{
	return env_random_below(&t->dice.env, below);
}

static void zone_init(struct truth *t, unsigned index)
{
	struct truth_zone *z = &t->zones[index];
	unsigned size = truth_dice(t, 10);

	snprintf(z->text, sizeof(z->text), "z%u.%s.", index, index % 3 == 0 ? "example" : "test");
	z->apex = script_name(z->text);
	z->slots = size == 0  ? TRUTH_SLOTS_MAX
	           : size < 5 ? 2 + truth_dice(t, 10)
	                      : 10 + truth_dice(t, 60);
	z->diverges = truth_dice(t, 8) == 0;
	/* Some serials wrap soon. */
	z->top =
		truth_dice(t, 4) == 0 ? UINT32_MAX - truth_dice(t, 20) : 2000 + truth_dice(t, 1000);
	z->refresh_s = 15 + truth_dice(t, 60);
	z->retry_s = 3 + truth_dice(t, 12);
	z->expire_s = 120 + truth_dice(t, 400);
}

void truth_init(struct truth *t, uint64_t seed, unsigned zones)
{
	struct pool_options options;

	assert(zones > 0 && zones <= TRUTH_ZONES_MAX);
	*t = (struct truth){ .zone_count = zones };
	env_fake_init(&t->dice, seed);
	t->epoch = epoch_new();
	options = (struct pool_options){
		.env = &t->dice.env, .epoch = t->epoch, .parts = 1, .span_bytes = 1U << 28
	};
	must(pool_new(&options, &t->pool));
	for (unsigned i = 0; i < zones; i++) {
		zone_init(t, i);
		(void)truth_make(t, i, TRUTH_NONE, TRUTH_NEXT);
	}
}

void truth_fini(struct truth *t)
{
	for (unsigned i = 0; i < t->zone_count; i++) {
		free(t->zones[i].versions);
	}
	epoch_free(t->epoch);
	pool_free(t->pool);
}

/* ---- versions ---- */

static bool serial_used(const struct truth_zone *z, uint32_t serial)
{
	for (int i = 0; i < z->count; i++) {
		if (z->versions[i].serial == serial) {
			return true;
		}
	}
	return false;
}

static uint32_t serial_of(struct truth *t, struct truth_zone *z, int parent, enum truth_step step)
{
	uint32_t serial = parent == TRUTH_NONE ? z->top : z->versions[parent].serial;

	switch (step) {
	case TRUTH_BESIDE:
		return serial;
	case TRUTH_ABOVE:
		serial = z->top + 1;
		break;
	case TRUTH_NEXT:
		serial += truth_dice(t, 4) == 0 ? 1 + truth_dice(t, 30) : 1;
		break;
	case TRUTH_LOWER:
		serial -= 1 + truth_dice(t, LOWER_BY_MOST);
		break;
	}
	while (serial_used(z, serial)) {
		serial += step == TRUTH_LOWER ? UINT32_MAX : 1;
	}
	if (serial_newer((struct serial){ serial }, (struct serial){ z->top })) {
		z->top = serial;
	}
	return serial;
}

static void values_change(struct truth *t, const struct truth_zone *z, uint8_t *values)
{
	unsigned kind = truth_dice(t, 20);
	unsigned count = kind == 0 ? z->slots : kind < 4 ? z->slots / 4 : 1 + truth_dice(t, 3);

	if (kind == 1) { /* nearly all are gone */
		memset(values + 1, 0, z->slots - 1);
	}
	for (unsigned i = 0; i < count; i++) {
		values[truth_dice(t, z->slots)] =
			truth_dice(t, 3) == 0 ? 0 : (uint8_t)(1 + truth_dice(t, VALUES));
	}
}

int truth_make(struct truth *t, unsigned zone, int parent, enum truth_step step)
{
	struct truth_zone *z = &t->zones[zone];
	struct truth_version *v;
	bool same = parent != TRUTH_NONE && !z->diverges && truth_dice(t, 10) == 0;

	assert(step != TRUTH_BESIDE || (parent != TRUTH_NONE && z->diverges));
	if (z->count == z->cap) {
		z->cap = z->cap == 0 ? 8 : 2 * z->cap;
		z->versions = mem_grow(z->versions, (size_t)z->cap * sizeof(*z->versions));
	}
	v = &z->versions[z->count];
	*v = (struct truth_version){ .serial = serial_of(t, z, parent, step), .parent = parent };
	if (parent == TRUTH_NONE) {
		for (unsigned i = 0; i < z->slots; i++) {
			v->values[i] = (uint8_t)truth_dice(t, VALUES + 1);
		}
	} else {
		memcpy(v->values, z->versions[parent].values, sizeof(v->values));
	}
	if (same) { /* only the serial is new */
		v->mark = z->versions[parent].mark;
	} else {
		v->mark = (uint32_t)z->count;
		values_change(t, z, v->values);
	}
	if (step == TRUTH_BESIDE) {
		v->parent = z->versions[parent].parent;
	} else if (step == TRUTH_LOWER) {
		v->parent = TRUTH_NONE;
	}
	return z->count++;
}

/* ---- records ---- */

/* A record being put together. */
struct record {
	uint8_t owner[NAME_MAX_LEN];
	uint8_t rdata[NAME_MAX_LEN + 2];
	size_t rdata_len;
	struct rr rr;
};

static struct name name_below(const struct truth_zone *z, const char *label, uint8_t *at)
{
	size_t len = strlen(label);

	at[0] = (uint8_t)len;
	memcpy(at + 1, label, len);
	memcpy(at + 1 + len, z->apex.octets, z->apex.len);
	return (struct name){ at, (uint8_t)(1 + len + z->apex.len), (uint8_t)(z->apex.labels + 1) };
}

static const struct rr *record_end(struct record *r, uint16_t type, const struct name *owner)
{
	r->rr = (struct rr){ .owner = *owner,
		             .type = type,
		             .class = CLASS_IN,
		             .ttl = 300,
		             .rdata = { r->rdata, r->rdata_len } };
	return &r->rr;
}

static void rdata_text(struct record *r, const char *format, unsigned value)
{
	int len = snprintf((char *)r->rdata + 1, 64, format, value);

	r->rdata[0] = (uint8_t)len;
	r->rdata_len = (size_t)len + 1;
}

/* Two slots share an owner name, and of the first two in six also the record set. */
static const struct rr *record_slot(const struct truth_zone *z, unsigned slot, uint8_t value,
                                    struct record *r)
{
	char label[16];
	struct name owner, target;

	memset(r->rdata, 0, 16);
	snprintf(label, sizeof(label), "h%u", slot / 2);
	owner = name_below(z, label, r->owner);
	switch (slot % 6) {
	case 2:
		memcpy(r->rdata, "\x20\x01\x0d\xb8", 4);
		r->rdata[15] = value;
		r->rdata_len = 16;
		return record_end(r, TYPE_AAAA, &owner);
	case 3:
		snprintf(label, sizeof(label), "mx%u", value);
		target = name_below(z, label, r->rdata + 2);
		r->rdata[1] = 10;
		r->rdata_len = 2U + target.len;
		return record_end(r, TYPE_MX, &owner);
	case 4:
		rdata_text(r, "value %u of a text", value);
		return record_end(r, TYPE_TXT, &owner);
	default:
		r->rdata[0] = 10;
		r->rdata[2] = (uint8_t)(slot % 2);
		r->rdata[3] = value;
		r->rdata_len = 4;
		return record_end(r, TYPE_A, &owner);
	}
}

static const struct rr *record_mark(const struct truth_zone *z, uint32_t mark, struct record *r)
{
	struct name owner = name_below(z, "v", r->owner);

	rdata_text(r, "%u", mark);
	return record_end(r, TYPE_TXT, &owner);
}

void truth_records(const struct truth_zone *z, int version, struct script_sink *sink)
{
	const struct truth_version *v = &z->versions[version];
	struct record r;

	for (unsigned i = 0; i < z->slots; i++) {
		if (v->values[i] != 0) {
			sink->put(sink, record_slot(z, i, v->values[i], &r));
		}
	}
	sink->put(sink, record_mark(z, v->mark, &r));
}

void truth_difference(const struct truth_zone *z, int from, int to, bool deleted,
                      struct script_sink *sink)
{
	const struct truth_version *a = &z->versions[from], *b = &z->versions[to];
	const struct truth_version *v = deleted ? a : b;
	struct record r;

	for (unsigned i = 0; i < z->slots; i++) {
		if (a->values[i] != b->values[i] && v->values[i] != 0) {
			sink->put(sink, record_slot(z, i, v->values[i], &r));
		}
	}
	if (a->mark != b->mark) {
		sink->put(sink, record_mark(z, v->mark, &r));
	}
}

/* ---- roots ---- */

struct root_sink {
	struct script_sink sink;
	struct builder *builder;
};

static void root_put(struct script_sink *sink, const struct rr *rr)
{
	must(builder_add(container_of(sink, struct root_sink, sink)->builder, rr));
}

static void root_line(const struct truth_zone *z, struct builder *b, const char *line)
{
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct name apex = name_of(&z->apex);
	struct rr rr;

	must(rr_parse(bytes_str(line), &apex, 300, scratch, &rr));
	must(builder_add(b, &rr));
	free(scratch);
}

const struct id *truth_root(struct truth *t, unsigned zone, int version)
{
	struct truth_zone *z = &t->zones[zone];
	struct truth_version *v = &z->versions[version];
	struct builder_options options = { .pool = t->pool, .apex = name_of(&z->apex) };
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct root_sink sink = { .sink = { .put = root_put } };
	struct snapshot_facts facts;
	struct snapshot *snap;

	if (v->built) {
		return &v->root;
	}
	sink.builder = builder_new(&options);
	root_line(z, sink.builder, "@ 300 IN SOA ns hostmaster.ns 1 1 1 1 60");
	root_line(z, sink.builder, "@ 300 IN NS ns");
	truth_records(z, version, &sink.sink);
	must(builder_freeze(sink.builder, &origin, &snap));
	builder_free(sink.builder);
	snapshot_facts(snap, &facts);
	snapshot_unref(snap);
	epoch_collect(t->epoch);
	v->root = facts.root;
	v->built = true;
	return &v->root;
}

int truth_find(struct truth *t, unsigned zone, uint32_t serial, const struct id *root)
{
	const struct truth_zone *z = &t->zones[zone];

	for (int i = 0; i < z->count; i++) {
		if (z->versions[i].serial == serial && z->versions[i].holders != 0 &&
		    id_equal(truth_root(t, zone, i), root)) {
			return i;
		}
	}
	return TRUTH_NONE;
}

int truth_zone_of(const struct truth *t, struct name apex)
{
	for (unsigned i = 0; i < t->zone_count; i++) {
		if (name_equal(name_of(&t->zones[i].apex), apex)) {
			return (int)i;
		}
	}
	return -1;
}
