/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/script.c — a primary that does as it is told, without a network. */
#include "tests/transfer/script.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"

/* Plain assertions: the simulator, which has no test framework, uses scripts too. */
static void must(enum err e)
{
	assert(e == ERR_OK);
	(void)e;
}

struct name_buf script_name(const char *text)
{
	struct name_buf n;

	must(name_parse(bytes_str(text), NULL, &n));
	return n;
}

struct tsig_key *script_key(const char *name, const char *secret)
{
	struct name_buf n = script_name(name);
	struct tsig_key_options options = { .name = name_of(&n),
		                            .algorithm = TSIG_HMAC_SHA256,
		                            .secret = bytes_str(secret) };
	struct tsig_key *key;

	must(tsig_key_new(&options, &key));
	return key;
}

void script_init(struct script *s, const char *apex, struct tsig_key *key)
{
	*s = (struct script){ .apex = script_name(apex),
		              .serial = 1,
		              .size = SCRIPT_SIZE,
		              .refresh_s = 1000,
		              .retry_s = 100,
		              .expire_s = 10000,
		              .wall_s = 1000 };
	s->key = key == NULL ? NULL : tsig_key_ref(key);
}

void script_fini(struct script *s)
{
	tsig_key_unref(s->key);
	*s = (struct script){ 0 };
}

void script_fail(struct script *s, enum script_fault fault, unsigned kinds, unsigned times)
{
	s->fault = fault;
	s->fault_kinds = kinds;
	s->fault_times = times;
}

/* ---- records ---- */

static void record(const struct script *s, const char *line, struct rr_scratch *scratch,
                   struct rr *out)
{
	struct name apex = name_of(&s->apex);

	must(rr_parse(bytes_str(line), &apex, 300, scratch, out));
}

static void soa_record(const struct script *s, uint32_t serial, struct rr_scratch *scratch,
                       struct rr *out)
{
	char line[200];

	snprintf(line, sizeof(line), "@ 300 IN SOA ns hostmaster.ns %u %u %u %u 60", serial,
	         s->refresh_s, s->retry_s, s->expire_s);
	record(s, line, scratch, out);
}

static void host_record(const struct script *s, uint32_t n, struct rr_scratch *scratch,
                        struct rr *out)
{
	char line[200];

	snprintf(line, sizeof(line), "h%u 300 IN A 10.%u.%u.%u", n, n >> 16 & 255, n >> 8 & 255,
	         n & 255);
	record(s, line, scratch, out);
}

/* Addresses at that serial. */
static uint32_t size_at(const struct script *s, uint32_t serial)
{
	return serial >= s->small_from && serial <= s->small_to ? s->small_size : s->size;
}

/* True if the zone has the address number `n` at that serial. */
static bool has_host(const struct script *s, uint32_t serial, uint32_t n)
{
	return n - serial < size_at(s, serial);
}

struct snapshot *script_build(const struct script *s, uint32_t serial, struct pool *pool)
{
	static struct rr_scratch scratch;
	struct builder_options options = { .pool = pool, .apex = name_of(&s->apex) };
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder *b = builder_new(&options);
	struct snapshot *snap;
	struct rr rr;

	soa_record(s, serial, &scratch, &rr);
	must(builder_add(b, &rr));
	record(s, "@ 300 IN NS ns", &scratch, &rr);
	must(builder_add(b, &rr));
	for (uint32_t i = 0; i < size_at(s, serial); i++) {
		host_record(s, serial + i, &scratch, &rr);
		must(builder_add(b, &rr));
	}
	must(builder_freeze(b, &origin, &snap));
	builder_free(b);
	return snap;
}

/* ---- answers ---- */

/* An answer in the making: records are put into messages, which are signed and collected. */
struct making {
	struct script_sink sink;
	struct script *s;
	struct tsig_stream *tsig;
	struct question q;
	uint16_t id;
	uint16_t flags;
	unsigned messages;
	unsigned in_message;
	struct composer c;
	uint8_t buffer[MESSAGE_MAX_LEN];
	struct script_answer out;
	bool udp;
};

static void open_message(struct making *m)
{
	const struct script *s = m->s;
	uint16_t type = s->now == SCRIPT_BAD_QUESTION ? TYPE_TXT : m->q.type;

	composer_init(&m->c, m->buffer, s->per_message == 0 ? 16384 : sizeof(m->buffer));
	composer_reserve(&m->c, m->tsig->key == NULL ? 0 : tsig_len(m->tsig->key));
	m->in_message = 0;
	if (m->messages == 0) {
		bool fits = composer_question(&m->c, name_of(&m->q.name), type, CLASS_IN);

		assert(fits);
		(void)fits;
	}
}

static void sign(struct making *m, bool last)
{
	const struct script *s = m->s;
	struct tsig_stream *t = m->tsig;
	size_t before = m->c.w.len;

	if (t->key == NULL || s->now == SCRIPT_UNSIGNED) {
		return;
	}
	if (last && s->now == SCRIPT_UNSIGNED_LAST) {
		return;
	}
	/* tsig_sign_answer() signs the first and each hundredth; `last` signs any. */
	must(tsig_sign_answer(t, &m->c.w,
	                      last || s->signed_every == 0 || m->messages % s->signed_every == 0,
	                      s->wall_s));
	if (last && s->now == SCRIPT_BAD_MAC) {
		assert(m->c.w.len > before);
		m->c.w.at[m->c.w.len - 10] ^= 1; /* before id, error and length of other */
	}
}

static void close_message(struct making *m, bool last)
{
	const struct script *s = m->s;
	uint16_t flags = m->flags;
	struct bytes b;

	if (s->now == SCRIPT_NO_AA) {
		flags &= (uint16_t)~FLAG_AA;
	} else if (s->now == SCRIPT_NOT_ANSWER) {
		flags &= (uint16_t)~FLAG_QR;
	} else if (s->now == SCRIPT_BAD_OPCODE) {
		flags |= OPCODE_STATUS << 11;
	}
	b = composer_finish(&m->c, s->now == SCRIPT_BAD_ID ? m->id ^ 1 : m->id, flags);
	sign(m, last);
	b = writer_bytes(&m->c.w);
	if (s->now == SCRIPT_CUT) {
		b.len -= 3;
	}
	m->out.at = mem_grow(m->out.at, m->out.len + 2 + b.len);
	store_u16(m->out.at + m->out.len, (uint16_t)b.len);
	memcpy(m->out.at + m->out.len + 2, b.at, b.len);
	m->out.len += 2 + b.len;
	m->messages++;
}

static void put(struct making *m, const struct rr *rr)
{
	unsigned most = m->s->per_message == 0 ? UINT_MAX : m->s->per_message;

	if (m->in_message >= most || !composer_rr(&m->c, SECTION_ANSWER, rr)) {
		bool fits;

		close_message(m, false);
		open_message(m);
		fits = composer_rr(&m->c, SECTION_ANSWER, rr);
		assert(fits);
		(void)fits;
	}
	m->in_message++;
}

static void put_line(struct making *m, const char *line)
{
	static struct rr_scratch scratch;
	struct rr rr;

	record(m->s, line, &scratch, &rr);
	put(m, &rr);
}

static void put_soa(struct making *m, uint32_t serial)
{
	static struct rr_scratch scratch;
	struct rr rr;

	soa_record(m->s, serial, &scratch, &rr);
	put(m, &rr);
}

static void put_host(struct making *m, uint32_t n)
{
	static struct rr_scratch scratch;
	struct rr rr;

	host_record(m->s, n, &scratch, &rr);
	put(m, &rr);
}

/* What may be wrong with a record in the middle. */
static void put_oddity(struct making *m)
{
	char line[200];
	static const uint8_t four[4] = { 1, 2, 3, 4 };
	struct rr rr = { .owner = name_of(&m->s->apex),
		         .type = TYPE_A,
		         .class = CLASS_CH,
		         .ttl = 1,
		         .rdata = { four, sizeof(four) } };

	switch (m->s->now) {
	case SCRIPT_OUTSIDE:
		put_line(m, "www.elsewhere. 300 IN A 10.0.0.1");
		break;
	case SCRIPT_CLASS:
		put(m, &rr);
		break;
	case SCRIPT_META:
		rr.class = CLASS_IN;
		rr.type = TYPE_ANY;
		put(m, &rr);
		break;
	case SCRIPT_CNAME:
		put_line(m, "h 300 IN A 10.0.0.1");
		put_line(m, "h 300 IN CNAME ns");
		break;
	case SCRIPT_ZONEMD:
		snprintf(line, sizeof(line), "@ 300 IN ZONEMD %u 1 1 %096d", m->s->serial, 0);
		put_line(m, line);
		break;
	default:
		break;
	}
}

static void put_end(struct making *m, uint32_t serial)
{
	if (m->s->now == SCRIPT_NO_END) {
		return;
	}
	put_soa(m, m->s->now == SCRIPT_LATE_SOA ? serial + 1 : serial);
	if (m->s->now == SCRIPT_TRAILING) {
		put_line(m, "late 300 IN A 10.0.0.1");
	}
}

static void put_whole(struct making *m)
{
	const struct script *s = m->s;

	put_soa(m, s->serial);
	if (s->now != SCRIPT_NO_NS) {
		put_line(m, "@ 300 IN NS ns");
	}
	put_oddity(m);
	if (s->content != NULL) {
		s->content->records(s, &m->sink);
	} else {
		for (uint32_t i = 0; i < size_at(s, s->serial); i++) {
			put_host(m, s->serial + i);
		}
	}
	put_end(m, s->serial);
}

static void put_deleting(struct making *m, uint32_t serial)
{
	put_soa(m, serial);
	if (m->s->now == SCRIPT_NO_NS) {
		put_line(m, "@ 300 IN NS ns");
	} else if (m->s->now == SCRIPT_UNKNOWN_DELETE) {
		put_line(m, "nobody 300 IN A 10.0.0.1");
	}
}

static void put_adding(struct making *m, uint32_t serial)
{
	put_soa(m, serial);
	put_oddity(m);
	if (m->s->now == SCRIPT_KNOWN_ADD) {
		put_line(m, "@ 300 IN NS ns");
	}
}

/* Differences from `have`, one for each serial. */
static void put_steps(struct making *m, uint32_t have)
{
	const struct script *s = m->s;

	for (uint32_t n = have; n != s->serial; n++) {
		put_deleting(m, n);
		for (uint32_t h = n; h - n < size_at(s, n); h++) {
			if (!has_host(s, n + 1, h)) {
				put_host(m, h);
			}
		}
		put_adding(m, n + 1);
		for (uint32_t h = n + 1; h - n - 1 < size_at(s, n + 1); h++) {
			if (!has_host(s, n, h)) {
				put_host(m, h);
			}
		}
	}
}

static void put_differences(struct making *m, uint32_t have)
{
	const struct script *s = m->s;

	if (s->content != NULL && !s->content->knows(s, have)) {
		put_whole(m);
		return;
	}
	put_soa(m, s->serial);
	if (s->content != NULL) {
		s->content->changes(s, have, &m->sink);
	} else {
		put_steps(m, have);
	}
	put_end(m, s->serial);
}

static void sink_put(struct script_sink *sink, const struct rr *rr)
{
	put(container_of(sink, struct making, sink), rr);
}

static void sink_step(struct script_sink *sink, bool adding, uint32_t serial)
{
	struct making *m = container_of(sink, struct making, sink);

	if (adding) {
		put_adding(m, serial);
	} else {
		put_deleting(m, serial);
	}
}

static void put_answer(struct making *m, struct reader authority)
{
	static struct rr_scratch scratch;
	const struct script *s = m->s;
	struct soa soa;
	struct rr rr;

	if (s->now == SCRIPT_RCODE || s->now == SCRIPT_EMPTY || s->now == SCRIPT_TRUNCATED) {
		m->flags |= (uint16_t)(s->now == SCRIPT_RCODE ? s->fault_arg : 0);
		m->flags |= s->now == SCRIPT_TRUNCATED ? FLAG_TC : 0;
	} else if (m->q.type == TYPE_SOA) {
		put_soa(m, s->serial);
	} else if (m->q.type == TYPE_AXFR) {
		put_whole(m);
	} else {
		must(rr_read(&authority, &scratch, &rr));
		must(soa_view(rr.rdata, &soa));
		if (!serial_newer((struct serial){ s->serial }, (struct serial){ soa.serial })) {
			put_soa(m, s->serial);
		} else if (s->now == SCRIPT_WHOLE) {
			put_whole(m);
		} else {
			put_differences(m, soa.serial);
		}
	}
}

static struct tsig_key *find_key(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	const struct script *s = self;

	return s->key != NULL && name_equal(tsig_key_name(s->key), name) &&
	                       tsig_key_algorithm(s->key) == algorithm
	               ? s->key
	               : NULL;
}

static enum script_kind kind_of(uint16_t type)
{
	return type == TYPE_SOA ? SCRIPT_SOA : type == TYPE_IXFR ? SCRIPT_IXFR : SCRIPT_AXFR;
}

/* The fault of this answer, counted down. */
static enum script_fault take_fault(struct script *s, enum script_kind kind)
{
	if ((s->fault_kinds & kind) == 0 || s->fault_times == 0) {
		return SCRIPT_FINE;
	}
	s->fault_times -= s->fault_times == UINT_MAX ? 0 : 1;
	return s->fault;
}

struct script_answer script_ask(struct script *s, struct bytes request, bool udp)
{
	struct making *m = mem_zero(1, sizeof(*m));
	struct tsig_keyring ring = { s, find_key };
	struct reader r = reader_of(request);
	struct tsig_stream tsig = { 0 };
	struct message_tail tail;
	struct script_answer out;
	struct tsig_request signed_request;
	struct tsig_record bad;
	struct header h;
	bool served;

	must(header_read(&r, &h));
	must(question_read(&r, &m->q));
	must(message_tail_read(&r, &h, &tail));
	if (s->any_apex) {
		s->apex = m->q.name;
	}
	served = s->content == NULL || s->content->choose(s, name_of(&m->q.name));
	s->asked[kind_of(m->q.type)]++;
	s->now = take_fault(s, kind_of(m->q.type));
	signed_request = (struct tsig_request){ request, tail.tsig_at, s->wall_s };
	m->sink = (struct script_sink){ sink_put, sink_step };
	m->s = s;
	m->udp = udp;
	m->id = h.id;
	m->flags = FLAG_QR | FLAG_AA;
	m->tsig = &tsig;
	tsig_stream_init(&tsig, NULL);
	if (tsig_verify_request(&tsig, &ring, &signed_request, &bad) != ERR_OK ||
	    (s->key != NULL && tail.tsig_at == 0)) {
		s->now = SCRIPT_RCODE;
		s->fault_arg = RCODE_NOTAUTH;
	} else if (!served) {
		s->now = SCRIPT_RCODE;
		s->fault_arg = RCODE_REFUSED;
	}
	open_message(m);
	put_answer(m, r);
	close_message(m, true);
	out = m->out;
	tsig_stream_fini(&tsig);
	free(m);
	return out;
}
