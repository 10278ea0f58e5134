/* SPDX-License-Identifier: MIT
 *
 * transfer/session.c — one transfer in, as a state machine without I/O. */
#include "transfer/session_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"

/* Records out of the zone that are ignored before the primary is taken to be confused. */
#define SESSION_OUTSIDE_MAX 100000

#define SOA_NUMBERS_LEN   20 /* serial and four timers at the end of the rdata */
#define SOA_RDATA_MAX_LEN (2 * NAME_MAX_LEN + SOA_NUMBERS_LEN)

#define MAY(state) (1U << (state))

static const struct {
	const char *name;
	unsigned edges; /* may go to */
} rules[SESSION_STATES] = {
	[SESSION_READY] = { "ready", MAY(SESSION_ASKED) | MAY(SESSION_FAILED) },
	[SESSION_ASKED] = { "asked",
	                    MAY(SESSION_ASKED) | MAY(SESSION_RECEIVING) | MAY(SESSION_FAILED) },
	[SESSION_RECEIVING] = { "receiving",
	                        MAY(SESSION_DONE) | MAY(SESSION_CURRENT) | MAY(SESSION_FAILED) },
	[SESSION_DONE] = { "done", 0 },
	[SESSION_CURRENT] = { "current", 0 },
	[SESSION_FAILED] = { "failed", 0 },
};

/* The first SOA, kept until it is known whether the zone comes whole. */
struct held_soa {
	struct name_buf owner;
	uint32_t ttl;
	uint16_t rdata_len;
	uint8_t rdata[SOA_RDATA_MAX_LEN];
};

static void session_move(struct session *s, enum session_state to)
{
	assert(to < SESSION_STATES);
	assert((rules[s->state].edges & MAY(to)) != 0);
	s->state = to;
}

void session_init(struct session *s, const struct session_options *options)
{
	assert(options->kind != SESSION_IXFR || options->have != NULL);
	assert(options->pool != NULL && options->limits != NULL);
	*s = (struct session){ .options = *options, .limits = *options->limits };
	s->options.limits = NULL;
	if (options->have != NULL) {
		s->options.have = snapshot_ref(options->have);
		s->grammar.have = snapshot_source_serial(options->have);
	}
	if (options->key != NULL) {
		s->options.key = tsig_key_ref(options->key);
	}
	s->grammar.axfr = options->kind == SESSION_AXFR;
}

/* Frees all that only the reading of an answer needs. */
static void session_drop_work(struct session *s)
{
	builder_free(s->builder);
	s->builder = NULL;
	free(s->held);
	s->held = NULL;
}

void session_fini(struct session *s)
{
	session_drop_work(s);
	tsig_stream_fini(&s->tsig);
	snapshot_unref(s->made);
	snapshot_unref((struct snapshot *)s->options.have);
	tsig_key_unref(s->options.key);
	*s = (struct session){ 0 };
}

void session_fail(struct session *s, enum err e)
{
	assert(e != ERR_OK);
	session_drop_work(s);
	s->err = e;
	session_move(s, SESSION_FAILED);
}

/* RFC 1995 §3: the SOA of the client's version stands in the authority section; with the primary's
 * serial, not with the one under which the version is served. */
static bool put_have(const struct session *s, struct composer *c)
{
	uint8_t rdata[SOA_RDATA_MAX_LEN];
	struct rr_scratch scratch;
	struct rr soa;

	snapshot_soa(s->options.have, &scratch, &soa);
	assert(soa.rdata.len > SOA_NUMBERS_LEN && soa.rdata.len <= sizeof(rdata));
	memcpy(rdata, soa.rdata.at, soa.rdata.len);
	store_u32(rdata + soa.rdata.len - SOA_NUMBERS_LEN, s->grammar.have.n);
	soa.rdata.at = rdata;
	return composer_rr(c, SECTION_AUTHORITY, &soa);
}

enum err session_request(struct session *s, struct session_clock now, uint8_t *at,
                         struct bytes *out)
{
	struct composer c;
	bool ixfr = s->options.kind == SESSION_IXFR;

	assert(s->state == SESSION_READY || s->state == SESSION_ASKED);
	composer_init(&c, at, SESSION_REQUEST_MAX_LEN);
	if (!composer_question(&c, s->options.apex, ixfr ? TYPE_IXFR : TYPE_AXFR, CLASS_IN)) {
		return ERR_BUDGET;
	}
	if (ixfr && !put_have(s, &c)) {
		return ERR_BUDGET;
	}
	composer_finish(&c, s->options.id, 0);
	tsig_stream_fini(&s->tsig);
	tsig_stream_init(&s->tsig, s->options.key);
	TRY(tsig_sign_request(&s->tsig, &c.w, (uint64_t)now.wall_s));
	*out = writer_bytes(&c.w);
	if (s->state == SESSION_READY) {
		s->started_ns = now.mono_ns;
	}
	s->progress_ns = now.mono_ns;
	session_move(s, SESSION_ASKED);
	return ERR_OK;
}

uint64_t session_deadline_ns(const struct session *s)
{
	uint64_t idle = s->progress_ns + s->limits.idle_time_s * NS_PER_S;
	uint64_t total = s->started_ns + s->limits.transfer_time_s * NS_PER_S;

	return idle < total ? idle : total;
}

enum session_state session_late(struct session *s, uint64_t now_ns)
{
	if (s->state != SESSION_ASKED && s->state != SESSION_RECEIVING) {
		return s->state;
	}
	if (now_ns >= s->started_ns + s->limits.transfer_time_s * NS_PER_S) {
		session_fail(s, ERR_LIMIT_TIME);
	} else if (now_ns >= s->progress_ns + s->limits.idle_time_s * NS_PER_S) {
		session_fail(s, s->state == SESSION_ASKED ? ERR_PEER_TIMEOUT : ERR_LIMIT_IDLE);
	}
	return s->state;
}

const char *session_kind_print(const struct session *s)
{
	switch (s->form) {
	case SESSION_FORM_WHOLE:
		return "AXFR";
	case SESSION_FORM_DIFFERENCES:
		return "IXFR";
	case SESSION_FORM_UNKNOWN:
		break;
	}
	return s->options.kind == SESSION_IXFR ? "IXFR" : "AXFR";
}

struct snapshot *session_take_snapshot(struct session *s)
{
	struct snapshot *made = s->made;

	assert(s->state == SESSION_DONE && made != NULL);
	s->made = NULL;
	return made;
}

/* RFC 5936 §2.2.1: what every message of the answer has in common with the request. */
static enum err check_header(const struct session *s, const struct header *h)
{
	if ((h->flags & FLAG_QR) == 0 || h->id != s->options.id ||
	    header_opcode(h) != OPCODE_QUERY) {
		return ERR_PEER_MISMATCH;
	}
	return h->qdcount <= 1 ? ERR_OK : ERR_WIRE_HEADER;
}

static enum err check_question(const struct session *s, const struct header *h, struct reader *r)
{
	struct question q;

	if (h->qdcount == 0) {
		return ERR_OK; /* allowed after the first message, and some leave it out there too */
	}
	TRY(question_read(r, &q));
	if (q.class != CLASS_IN || !name_equal(name_of(&q.name), s->options.apex) ||
	    q.type != (s->options.kind == SESSION_IXFR ? TYPE_IXFR : TYPE_AXFR)) {
		return ERR_PEER_MISMATCH;
	}
	return ERR_OK;
}

bool session_fits(const struct session *s, struct bytes message)
{
	struct reader r = reader_of(message);
	struct header h;

	return header_read(&r, &h) == ERR_OK && check_header(s, &h) == ERR_OK &&
	       check_question(s, &h, &r) == ERR_OK;
}

static enum err check_tsig(struct session *s, struct bytes message, size_t tsig_at,
                           const struct header *h, int64_t wall_s)
{
	if (s->options.key != NULL && tsig_at == 0 && s->state == SESSION_ASKED) {
		/* Not to be believed; but it fails the session anyway, and an operator is told more
		 * by what the primary said than by its not having signed it. */
		return header_rcode(h) != RCODE_NOERROR ? err_from_rcode(header_rcode(h))
		                                        : ERR_TSIG_MISSING;
	}
	return tsig_verify_answer(&s->tsig, message, tsig_at, (uint64_t)wall_s);
}

static enum err check_rcode(struct session *s, const struct header *h,
                            const struct message_tail *tail)
{
	uint16_t extended = tail->edns.present ? tail->edns.extended_rcode : 0;
	enum err e = err_from_rcode((uint16_t)(extended << 4 | header_rcode(h)));

	if (e != ERR_OK) {
		s->in_step = true; /* nothing follows what refuses */
		return e;
	}
	/* RFC 5936 §2.2.1 wants AA in a good answer, but Knot does not set it. */
	return h->ancount > 0 ? ERR_OK : ERR_XFR_EMPTY;
}

/* Reads and verifies all that stands before the records. */
static enum err message_open(struct session *s, struct bytes message, int64_t wall_s,
                             struct reader *r, struct header *h)
{
	struct message_tail tail = { 0 };

	*r = reader_of(message);
	TRY(header_read(r, h));
	TRY(check_header(s, h));
	TRY(check_question(s, h, r));
	if (h->arcount > 0) {
		TRY(message_tail_read(r, h, &tail));
	}
	/* Nothing follows what refuses, signed or not: the connection may serve on. */
	s->in_step = header_rcode(h) != RCODE_NOERROR;
	TRY(check_tsig(s, message, tail.tsig_at, h, wall_s));
	return check_rcode(s, h, &tail);
}

/* Begins a version: on top of ours for differences, else from nothing. */
static void begin_version(struct session *s, enum session_form form)
{
	struct builder_options options = {
		.pool = s->options.pool,
		.apex = s->options.apex,
		.base = form == SESSION_FORM_DIFFERENCES ? s->options.have : NULL,
		.records_max = s->limits.transfer_records,
		.allow_no_ns = s->options.allow_no_ns,
	};

	assert(s->builder == NULL && s->form == SESSION_FORM_UNKNOWN);
	s->form = form;
	s->builder = builder_new(&options);
}

/* Some primaries send what lies outside of the zone (RFC 5936 §3.4 has them not do it): it is
 * ignored and counted. */
static enum err ignore_outside(struct session *s, enum err e)
{
	if (e != ERR_ZONE_OUTSIDE) {
		return e;
	}
	s->outside++;
	return s->outside <= SESSION_OUTSIDE_MAX ? ERR_OK : ERR_ZONE_OUTSIDE;
}

/* Begins the version with the first SOA, which had been held. */
static enum err begin_whole(struct session *s)
{
	struct rr soa = { .owner = name_of(&s->held->owner),
		          .type = TYPE_SOA,
		          .class = CLASS_IN,
		          .ttl = s->held->ttl,
		          .rdata = { s->held->rdata, s->held->rdata_len } };

	begin_version(s, SESSION_FORM_WHOLE);
	return builder_add(s->builder, &soa);
}

/* The SOA of the new version: is it news? */
static enum err take_first(struct session *s, const struct rr *soa)
{
	struct serial serial = s->grammar.target;

	if (s->options.have != NULL && !s->options.force) {
		struct serial have = snapshot_source_serial(s->options.have);

		if (serial_equal(serial, have)) {
			session_move(s, SESSION_CURRENT);
			return ERR_OK;
		}
		if (!serial_newer(serial, have)) {
			return ERR_SERIAL_OLD;
		}
	}
	s->held = mem_new(sizeof(*s->held));
	name_copy(soa->owner, &s->held->owner);
	s->held->ttl = soa->ttl;
	assert(soa->rdata.len <= sizeof(s->held->rdata)); /* two names and five numbers: checked */
	s->held->rdata_len = (uint16_t)soa->rdata.len;
	memcpy(s->held->rdata, soa->rdata.at, soa->rdata.len);
	return ERR_OK;
}

static enum err take_record(struct session *s, const struct rr *rr)
{
	bool is_soa = rr->type == TYPE_SOA && name_equal(rr->owner, s->options.apex);
	struct soa soa = { 0 };

	s->records++;
	if (s->limits.transfer_records != 0 && s->records > s->limits.transfer_records) {
		return ERR_LIMIT_RECORDS;
	}
	if (rr->class != CLASS_IN) {
		return ERR_ZONE_CLASS;
	}
	if (is_soa) {
		TRY(soa_view(rr->rdata, &soa));
	}
	TRY(xfr_grammar_step(&s->grammar, is_soa, (struct serial){ soa.serial }));
	if (s->grammar.act == XFR_HOLD) {
		return take_first(s, rr);
	}
	if (s->builder == NULL && s->grammar.state == XFR_DELETING) {
		begin_version(s, SESSION_FORM_DIFFERENCES);
	} else if (s->builder == NULL) {
		TRY(begin_whole(s));
	}
	switch (s->grammar.act) {
	case XFR_ADD:
		return ignore_outside(s, builder_add(s->builder, rr));
	case XFR_DELETE:
		return ignore_outside(s, builder_delete(s->builder, rr));
	case XFR_MARK:
	case XFR_HOLD:
		break;
	}
	return ERR_OK;
}

/* The last record was read: the version is made if all of it was signed and is a zone. */
static enum err session_finish(struct session *s, int64_t wall_s)
{
	struct builder_origin origin = {
		.origin = s->form == SESSION_FORM_DIFFERENCES ? SNAPSHOT_BY_IXFR : SNAPSHOT_BY_AXFR,
		.primary = s->options.primary,
		.received_at_s = wall_s,
	};

	if (!tsig_stream_complete(&s->tsig)) {
		return ERR_TSIG_MISSING; /* RFC 8945 §5.3.1: the last message is signed */
	}
	TRY(builder_freeze(s->builder, &origin, &s->made));
	session_drop_work(s);
	s->in_step = true;
	session_move(s, SESSION_DONE);
	return ERR_OK;
}

static enum err take_message(struct session *s, struct bytes message, struct session_clock now,
                             struct rr_scratch *scratch)
{
	struct reader r;
	struct header h;
	struct rr rr;

	s->messages++;
	s->bytes += message.len;
	if (s->limits.transfer_bytes != 0 && s->bytes > s->limits.transfer_bytes) {
		return ERR_LIMIT_BYTES;
	}
	TRY(message_open(s, message, now.wall_s, &r, &h));
	if (s->state == SESSION_ASKED) {
		session_move(s, SESSION_RECEIVING);
	}
	for (unsigned i = 0; i < h.ancount; i++) {
		TRY(rr_read(&r, scratch, &rr));
		/* RFC 1995 §2: a single SOA is the whole answer, also if we do not like it. */
		s->in_step = i == 0 && h.ancount == 1 && s->options.kind == SESSION_IXFR &&
		             s->state == SESSION_RECEIVING && s->grammar.state == XFR_START;
		TRY(take_record(s, &rr));
		if (s->state == SESSION_CURRENT) {
			s->in_step = s->options.kind == SESSION_IXFR && h.ancount == 1;
			return ERR_OK;
		}
	}
	if (h.nscount == 0 && h.arcount == 0 && reader_left(&r) > 0) {
		return ERR_WIRE_TRAILING;
	}
	return s->grammar.state == XFR_END ? session_finish(s, now.wall_s) : ERR_OK;
}

enum session_state session_message(struct session *s, struct bytes message,
                                   struct session_clock now, struct rr_scratch *scratch)
{
	enum err e;

	assert(s->state == SESSION_ASKED || s->state == SESSION_RECEIVING);
	session_touch(s, now.mono_ns);
	e = take_message(s, message, now, scratch);
	if (e != ERR_OK) {
		session_fail(s, e);
	}
	return s->state;
}
