/* SPDX-License-Identifier: MIT
 *
 * bench/xfr_out_bench.c — what making the messages of a transfer costs, without sockets.
 *
 *	xfr_out_bench [--hmac] [DELEGATIONS]
 *
 * A zone of delegations as bench/farm.h has it is built and taken out whole, unsigned and signed, by
 * one processor's time; the best of some runs counts. With --hmac nothing but HMAC-SHA256 over octets
 * that lie ready, message by message: what a signed transfer is measured against. The last line is
 * JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "bench/farm.h"
#include "dns/tsig.h"
#include "transfer/xfr_out.h"
#include "zonestore/builder.h"

#define DELEGATIONS_DEFAULT 1000000
#define TRIES               7
#define SEED                2026
#define HMAC_BYTES          (256U << 20) /* digested for a figure */
#define TIME_S              1000

struct bench {
	struct env_fake dice;
	struct epoch *epoch;
	struct pool *pool;
	struct farm farm;
	struct name_buf apex;
	struct tsig_key *key;
	struct rr_scratch scratch;
	struct farm_unit unit;
	uint8_t buffer[2 * MESSAGE_MAX_LEN];
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
		fprintf(stderr, "xfr_out_bench: %s: %s\n", what, err_text(e));
		exit(1);
	}
}

/* Adds the unit's records: its names end in pointers to a question, which is put before them. */
static void add_unit(struct bench *b, struct builder *builder)
{
	struct writer w = writer_of(b->buffer, sizeof(b->buffer));
	struct reader r;
	struct rr rr;

	memset(b->buffer, 0, MESSAGE_HEADER_LEN);
	w.len = MESSAGE_HEADER_LEN;
	if (!writer_put(&w, name_bytes(name_of(&b->apex))) || !writer_u32(&w, 0) ||
	    !writer_put(&w, writer_bytes(&b->unit.w))) {
		abort();
	}
	r = reader_of(writer_bytes(&w));
	r.pos = MESSAGE_HEADER_LEN + b->apex.len + 4U;
	for (unsigned i = 0; i < b->unit.count; i++) {
		must(rr_read(&r, &b->scratch, &rr), "a record");
		must(builder_add(builder, &rr), "a record");
	}
}

static struct snapshot *version(struct bench *b)
{
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder *builder = builder_new(
		&(struct builder_options){ .pool = b->pool, .apex = name_of(&b->apex) });
	struct snapshot *snap = NULL;

	farm_soa(&b->farm, 0, 0, &b->unit);
	add_unit(b, builder);
	for (uint32_t i = 0; i < farm_units(&b->farm); i++) {
		farm_records(&b->farm, 0, i, 0, &b->unit);
		add_unit(b, builder);
	}
	must(builder_freeze(builder, &origin, &snap), "freezing");
	builder_free(builder);
	return snap;
}

/* Takes all of it once; returns the seconds. */
static double drain(struct bench *b, const struct snapshot *snap, bool signed_,
                    struct xfr_out_totals *totals)
{
	struct question q = { .name = b->apex, .type = TYPE_AXFR, .class = CLASS_IN };
	struct tsig_stream tsig = { 0 };
	struct xfr_out_request request = { .snap = snap, .question = &q, .tsig = &tsig };
	struct xfr_out *x;
	struct bytes message;
	double start = seconds();

	tsig_stream_init(&tsig, signed_ ? b->key : NULL);
	x = xfr_out_new(&request);
	while (!xfr_out_ended(x)) {
		must(xfr_out_next(x, b->buffer, MESSAGE_MAX_LEN, TIME_S, &message), "composing");
	}
	xfr_out_totals(x, totals);
	totals->zone = (struct name){ 0 };
	xfr_out_free(x);
	return seconds() - start;
}

static double measure(struct bench *b, const struct snapshot *snap, bool signed_)
{
	struct xfr_out_totals t = { 0 };
	double best = 1e9;

	for (unsigned i = 0; i < TRIES; i++) {
		double took = drain(b, snap, signed_, &t);
		best = took < best ? took : best;
	}
	printf("%-28s %8" PRIu64 " messages %9" PRIu64 " records %10" PRIu64
	       " octets %8.1f ms %8.1f MB/s %6.1f ns a record\n",
	       signed_ ? "all of it, hmac-sha256" : "all of it", t.messages, t.records, t.bytes,
	       best * 1e3, (double)t.bytes / best / 1e6, best * 1e9 / (double)t.records);
	return (double)t.bytes / best / 1e6;
}

/* MB/s of digesting messages of `len` octets: of a hundred, 99 get no MAC of their own. */
static double hmac_speed(struct bench *b, size_t len)
{
	double best = 0;

	for (unsigned i = 0; i < TRIES; i++) {
		struct tsig_stream tsig;
		double start;
		tsig_stream_init(&tsig, b->key);
		start = seconds();
		for (size_t done = 0; done < HMAC_BYTES; done += len) {
			struct writer w = writer_of(b->buffer, sizeof(b->buffer));
			w.len = len;
			must(tsig_sign_answer(&tsig, &w, false, TIME_S), "signing");
		}
		start = (double)HMAC_BYTES / (seconds() - start) / 1e6;
		best = start > best ? start : best;
		tsig_stream_fini(&tsig);
	}
	return best;
}

static void hmac(struct bench *b)
{
	static const size_t sizes[] = { 4096, 16384, 65535 };

	memset(b->buffer, 0, sizeof(b->buffer));
	printf("{");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		printf("%s\"%zu\": %.1f", i == 0 ? "" : ", ", sizes[i], hmac_speed(b, sizes[i]));
	}
	printf("}\n");
}

static void compose(struct bench *b)
{
	struct pool_options options = { .env = &b->dice.env };
	struct snapshot *snap;
	double plain;
	double with_key;

	b->epoch = epoch_new();
	options.epoch = b->epoch;
	must(pool_new(&options, &b->pool), "making the pool");
	farm_init(&b->farm);
	farm_name(&b->farm, 0, &b->apex);
	snap = version(b);
	plain = measure(b, snap, false);
	with_key = measure(b, snap, true);
	printf("{\"compose_mb_s\": %.1f, \"compose_signed_mb_s\": %.1f}\n", plain, with_key);
	snapshot_unref(snap);
	farm_fini(&b->farm);
	epoch_free(b->epoch);
	pool_free(b->pool);
}

int main(int argc, char **argv)
{
	static struct bench b;
	static const char secret[] = "a secret of thirty-two octets...";
	struct name_buf name;
	struct tsig_key_options key = { .algorithm = TSIG_HMAC_SHA256,
		                        .secret = bytes_str(secret) };
	bool only_hmac = argc > 1 && strcmp(argv[1], "--hmac") == 0;
	const char *count = argc > 1 && !only_hmac ? argv[1] : NULL;

	env_fake_init(&b.dice, SEED);
	must(name_parse(bytes_str("k."), NULL, &name), "a name");
	key.name = name_of(&name);
	must(tsig_key_new(&key, &b.key), "a key");
	b.farm = (struct farm){ .kind = FARM_DELEGATIONS,
		                .zones = 1,
		                .delegations = count == NULL ? DELEGATIONS_DEFAULT
		                                             : (uint32_t)strtoul(count, NULL, 10),
		                .seed = SEED };
	if (only_hmac) {
		hmac(&b);
	} else {
		compose(&b);
	}
	tsig_key_unref(b.key);
	return 0;
}
