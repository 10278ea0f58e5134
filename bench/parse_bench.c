/* SPDX-License-Identifier: MIT
 *
 * bench/parse_bench.c — from the messages of a transfer to a version: records a second and core.
 *
 *	parse_bench [DELEGATIONS]
 *
 * A registry's zone (two NS each, every third with glue, every fourth with DS) is made, written into
 * the messages of an AXFR, and then, against the processor's clock, read record by record and built
 * into a version, as a transfer does it without its socket and its TSIG. The best of three counts. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "transfer/xfr_out.h"

#define DELEGATIONS_DEFAULT 200000U
#define TRIES               3
#define LINE_MAX_LEN        256

struct bench {
	struct pool *pool;
	struct epoch *epoch;
	struct name_buf apex;
	struct rr_scratch *scratch;
	uint8_t *messages; /* one after the other, each with its length before it */
	size_t len;
	size_t cap;
	uint64_t records;
};

static void must(enum err e, const char *what)
{
	if (e != ERR_OK) {
		fprintf(stderr, "parse_bench: %s: %s\n", what, err_text(e));
		exit(1);
	}
}

static double cpu_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct builder *begin(struct bench *b)
{
	struct builder_options options = { .pool = b->pool, .apex = name_of(&b->apex) };

	return builder_new(&options);
}

static struct snapshot *end(struct builder *builder)
{
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct snapshot *snap = NULL;

	must(builder_freeze(builder, &origin, &snap), "builder_freeze");
	builder_free(builder);
	return snap;
}

static void add(struct bench *b, struct builder *builder, const char *line)
{
	struct name apex = name_of(&b->apex);
	struct rr rr;

	must(rr_parse(bytes_str(line), &apex, 86400, b->scratch, &rr), line);
	must(builder_add(builder, &rr), line);
}

static struct snapshot *registry(struct bench *b, unsigned delegations)
{
	struct builder *builder = begin(b);
	char line[LINE_MAX_LEN];

	add(b, builder, "@ IN SOA a.nic.tld. host.nic.tld. 1 1800 900 604800 86400");
	add(b, builder, "@ IN NS a.nic.tld.");
	add(b, builder, "a.nic IN A 192.0.2.1");
	for (unsigned i = 0; i < delegations; i++) {
		unsigned host = i % 977;
		snprintf(line, sizeof(line), "customer%07u IN NS ns1.hoster%u.example.", i, host);
		add(b, builder, line);
		snprintf(line, sizeof(line), "customer%07u IN NS ns2.hoster%u.example.", i, host);
		add(b, builder, line);
		if (i % 3 == 0) {
			snprintf(line, sizeof(line), "ns.customer%07u IN A 10.%u.%u.%u", i,
			         i >> 16 & 255, i >> 8 & 255, i & 255);
			add(b, builder, line);
		}
		if (i % 4 == 0) {
			snprintf(line, sizeof(line), "customer%07u IN DS %u 13 2 %056x%08x", i,
			         i & 0xffff, 7, i);
			add(b, builder, line);
		}
	}
	return end(builder);
}

static void keep(struct bench *b, struct bytes message)
{
	if (b->len + 2 + message.len > b->cap) {
		b->cap = (b->cap + message.len + 2) * 2;
		b->messages = mem_grow(b->messages, b->cap);
	}
	store_u16(b->messages + b->len, (uint16_t)message.len);
	memcpy(b->messages + b->len + 2, message.at, message.len);
	b->len += 2 + message.len;
}

/* The AXFR of a version, as it would go over a connection. */
static void record_messages(struct bench *b, const struct snapshot *snap)
{
	struct question q = { b->apex, TYPE_AXFR, CLASS_IN };
	struct tsig_stream unsigned_stream = { 0 };
	struct xfr_out_request request = { .snap = snap, .question = &q, .tsig = &unsigned_stream };
	uint8_t *buffer = mem_new(MESSAGE_MAX_LEN);
	struct xfr_out *x;
	struct bytes message;

	tsig_stream_init(&unsigned_stream, NULL);
	x = xfr_out_new(&request);
	for (;;) {
		must(xfr_out_next(x, buffer, MESSAGE_MAX_LEN, 0, &message), "xfr_out_next");
		if (message.len == 0) {
			break;
		}
		keep(b, message);
	}
	xfr_out_free(x);
	free(buffer);
}

static void read_message(struct bench *b, struct builder *builder, struct bytes message)
{
	struct reader r = reader_of(message);
	struct question q;
	struct header h;
	struct rr rr;

	must(header_read(&r, &h), "header_read");
	for (unsigned i = 0; i < h.qdcount; i++) {
		must(question_read(&r, &q), "question_read");
	}
	for (unsigned i = 0; i < h.ancount; i++) {
		must(rr_read(&r, b->scratch, &rr), "rr_read");
		must(builder_add(builder, &rr), "builder_add");
		b->records++;
	}
}

static double try_once(struct bench *b)
{
	double start = cpu_s();
	struct builder *builder = begin(b);
	struct snapshot *snap;
	double took;

	b->records = 0;
	for (size_t at = 0; at < b->len;) {
		size_t len = load_u16(b->messages + at);
		read_message(b, builder, bytes_of(b->messages + at + 2, len));
		at += 2 + len;
	}
	snap = end(builder);
	took = cpu_s() - start;
	snapshot_unref(snap);
	epoch_collect(b->epoch);
	return took;
}

int main(int argc, char **argv)
{
	unsigned long want = argc > 1 ? strtoul(argv[1], NULL, 10) : DELEGATIONS_DEFAULT;
	struct bench b = { .epoch = epoch_new(), .scratch = mem_new(sizeof(struct rr_scratch)) };
	struct pool_options options = { .env = env_system(), .epoch = b.epoch };
	struct snapshot *snap;
	struct utsname host;
	double best = 0;

	if (want == 0 || want > 9999999) {
		fprintf(stderr, "usage: parse_bench [DELEGATIONS]\n");
		return 2;
	}
	must(pool_new(&options, &b.pool), "pool_new");
	must(name_parse(bytes_str("tld."), NULL, &b.apex), "name_parse");
	snap = registry(&b, (unsigned)want);
	record_messages(&b, snap);
	snapshot_unref(snap);
	epoch_collect(b.epoch);
	for (int i = 0; i < TRIES; i++) {
		double took = try_once(&b);
		best = i == 0 || took < best ? took : best;
	}
	uname(&host);
	printf("machine: %s %s, one core\n", host.sysname, host.release);
	printf("an AXFR of %lu delegations, %llu records, %zu octets of messages\n", want,
	       (unsigned long long)b.records, b.len);
	printf("records parsed and built into a version %14.0f a second and core\n",
	       (double)b.records / best);
	free(b.messages);
	free(b.scratch);
	epoch_free(b.epoch);
	pool_free(b.pool);
	return 0;
}
