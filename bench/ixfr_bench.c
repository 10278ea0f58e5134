/* SPDX-License-Identifier: MIT
 *
 * bench/ixfr_bench.c — what a transfer out of a large zone costs: its difference from an older
 * version, or all of it; and what verifying its ZONEMD does.
 *
 *	ixfr_bench [NAMES]
 *
 * The generator alone, of one processor's time: no sockets. "First octet" is the time until there
 * is a message to send: the difference has been counted by then. "Turns" are the calls that did
 * not yield one, between which a shard does other work; the longest call is what others wait. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/env.h"
#include "dns/message.h"
#include "dns/rdata.h"
#include "transfer/xfr_out.h"
#include "zonestore/builder.h"
#include "zonestore/zonemd.h"

#define NAMES_DEFAULT 1000000
#define TRIES         5 /* the best counts */
#define SEED          2026

struct bench {
	struct env_fake dice;
	struct epoch *epoch;
	struct pool *pool;
	struct name_buf apex;
	struct rr_scratch scratch;
	uint8_t buffer[MESSAGE_MAX_LEN];
	unsigned names;
};

struct times {
	double first_s;
	double last_s;
	double longest_s; /* of one call */
	uint64_t pauses;
	struct xfr_out_totals totals;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(enum err e, const char *what)
{
	if (e != ERR_OK) {
		fprintf(stderr, "ixfr_bench: %s: %s\n", what, err_text(e));
		exit(1);
	}
}

static void add_line(struct bench *b, struct builder *builder, const char *line)
{
	struct name apex = name_of(&b->apex);
	struct rr rr;

	must(rr_parse(bytes_str(line), &apex, 3600, &b->scratch, &rr), line);
	must(builder_add(builder, &rr), line);
}

static void add_soa(struct bench *b, struct builder *builder, unsigned serial)
{
	char line[160];

	snprintf(line, sizeof(line), "@ SOA ns1 hostmaster %u 7200 900 1209600 900", serial);
	add_line(b, builder, line);
}

/* A version with `changes` names more than the base, evenly spread; with no base, the whole zone. */
static struct snapshot *version(struct bench *b, const struct snapshot *base, unsigned changes)
{
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder *builder = builder_new(&(struct builder_options){
		.pool = b->pool, .apex = name_of(&b->apex), .base = base });
	struct snapshot *snap = NULL;
	char line[160];

	add_soa(b, builder, base == NULL ? 1 : 2);
	if (base == NULL) {
		add_line(b, builder, "@ NS ns1.elsewhere.test.");
		/* A digest that is not the zone's: verifying it costs what verifying costs. */
		snprintf(line, sizeof(line), "@ ZONEMD 1 1 1 %048d%048d", 1, 1);
		add_line(b, builder, line);
	}
	for (unsigned i = 0; base == NULL && i < b->names; i++) {
		snprintf(line, sizeof(line), "name%07u NS ns%u.elsewhere.test.", i, i % 1000);
		add_line(b, builder, line);
	}
	for (unsigned i = 0; base != NULL && i < changes; i++) {
		snprintf(line, sizeof(line), "new.name%07u A 192.0.2.1",
		         (unsigned)((uint64_t)i * b->names / changes));
		add_line(b, builder, line);
	}
	must(builder_freeze(builder, &origin, &snap), "freezing");
	builder_free(builder);
	return snap;
}

static void drain(struct bench *b, struct xfr_out *x, struct times *out)
{
	double start = seconds();
	double before = start;
	struct bytes message;

	*out = (struct times){ 0 };
	while (!xfr_out_ended(x)) {
		double now;
		must(xfr_out_next(x, b->buffer, sizeof(b->buffer), 0, &message), "composing");
		now = seconds();
		out->longest_s = now - before > out->longest_s ? now - before : out->longest_s;
		before = now;
		out->pauses += message.len == 0;
		if (message.len > 0 && out->first_s == 0) {
			out->first_s = now - start;
		}
	}
	out->last_s = before - start;
	xfr_out_totals(x, &out->totals);
}

static void measure(struct bench *b, const struct snapshot *snap, const struct snapshot *from,
                    const char *what)
{
	struct question q = { .name = b->apex,
		              .type = from == NULL ? TYPE_AXFR : TYPE_IXFR,
		              .class = CLASS_IN };
	struct times best = { 0 };

	for (unsigned i = 0; i < TRIES; i++) {
		struct tsig_stream tsig = { 0 };
		struct xfr_out_request request = { .snap = snap,
			                           .from = from,
			                           .question = &q,
			                           .has_serial = from != NULL,
			                           .serial = { 1 },
			                           .tsig = &tsig };
		struct xfr_out *x = xfr_out_new(&request);
		struct times t;
		drain(b, x, &t);
		xfr_out_free(x);
		best = i == 0 || t.last_s < best.last_s ? t : best;
	}
	printf("%-34s %s %9" PRIu64 " records %11" PRIu64 " octets  first octet %9.1f us  last "
	       "%11.1f us  %5" PRIu64 " turns, longest %6.1f us\n",
	       what, best.totals.kind, best.totals.records, best.totals.bytes, best.first_s * 1e6,
	       best.last_s * 1e6, best.pauses, best.longest_s * 1e6);
}

static void measure_zonemd(const struct snapshot *snap)
{
	double start = seconds();
	enum zonemd_result result = snapshot_zonemd_verify(snap);
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	printf("%-34s %u records in %.3f s\n",
	       result == ZONEMD_BAD ? "ZONEMD verified, SHA-384" : "ZONEMD not verified",
	       facts.records, seconds() - start);
}

int main(int argc, char **argv)
{
	static const unsigned changes[] = { 1, 1000, 100000, 900000 };
	static struct bench b;
	struct pool_options options = { .env = &b.dice.env };
	struct snapshot *from;

	env_fake_init(&b.dice, SEED);
	b.names = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : NAMES_DEFAULT;
	b.epoch = epoch_new();
	options.epoch = b.epoch;
	must(pool_new(&options, &b.pool), "making the pool");
	must(name_parse(bytes_str("registry.example."), NULL, &b.apex), "the apex");
	from = version(&b, NULL, 0);
	printf("a zone of %u names\n", b.names);
	measure(&b, from, NULL, "all of it");
	for (size_t i = 0; i < ARRAY_LEN(changes) && changes[i] < b.names; i++) {
		struct snapshot *snap = version(&b, from, changes[i]);
		char what[64];
		snprintf(what, sizeof(what), "%u records more", changes[i]);
		measure(&b, snap, from, what);
		snapshot_unref(snap);
		(void)epoch_collect(b.epoch);
	}
	measure_zonemd(from);
	snapshot_unref(from);
	epoch_free(b.epoch);
	pool_free(b.pool);
	return 0;
}
