/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_out.c — a transfer to a secondary, as a generator of messages. */
#include "transfer/xfr_out.h"

#include <stdlib.h>

#include "base/arena.h"

/* What a message is filled to; one record that is longer has a message to itself. Beyond 16 KiB no
 * name can be pointed to, beyond a socket's buffer nothing is gained. */
#define XFR_OUT_MESSAGE_LEN (32 * 1024)

/* What stands next in the stream. */
enum xfr_out_state {
	XFR_OUT_FIRST,   /* the SOA */
	XFR_OUT_RECORDS, /* of the whole zone */
	XFR_OUT_LAST,    /* the SOA again */
	XFR_OUT_END,
	XFR_OUT_STATES,
};

struct xfr_out {
	const struct snapshot *snap;
	struct question question;
	uint16_t id;
	uint16_t flags;
	bool edns;
	bool soa_only; /* the client has it all, or must come by TCP */
	enum xfr_out_state state;
	struct tsig_stream tsig;
	struct snapshot_cursor cursor;
	struct rrset_reader reader; /* of the set at hand */
	bool in_set;
	struct xfr_out_totals totals;
};

enum err xfr_out_read_serial(struct reader after_question, const struct header *h,
                             struct serial *out)
{
	struct reader r = after_question;
	struct rr_scratch scratch;
	struct soa soa;
	struct rr rr;

	for (unsigned i = 0; i < h->ancount; i++) {
		TRY(rr_read(&r, &scratch, &rr));
	}
	if (h->nscount == 0) {
		return ERR_WIRE_HEADER;
	}
	TRY(rr_read(&r, &scratch, &rr));
	if (rr.type != TYPE_SOA) {
		return ERR_WIRE_HEADER;
	}
	TRY(soa_view(rr.rdata, &soa));
	out->n = soa.serial;
	return ERR_OK;
}

/* IXFR of what the client has already, or is ahead of, is the SOA alone (RFC 1995 §2). Differences
 * between two versions are a walk over both trees that is not made here yet; the answer is the
 * whole zone, as RFC 1995 §4 allows. */
static bool answered_by_soa(const struct xfr_out_request *request)
{
	if (request->question->type != TYPE_IXFR) {
		return false;
	}
	return request->udp || (request->has_serial &&
	                        !serial_newer(snapshot_serial(request->snap), request->serial));
}

struct xfr_out *xfr_out_new(const struct xfr_out_request *request)
{
	struct xfr_out *x = mem_zero(1, sizeof(*x));

	assert(request->question->type == TYPE_AXFR || request->question->type == TYPE_IXFR);
	x->snap = snapshot_ref(request->snap);
	x->question = *request->question;
	x->id = request->id;
	x->flags = (uint16_t)(FLAG_QR | FLAG_AA | (request->flags & FLAG_RD));
	x->edns = request->edns.present;
	x->soa_only = answered_by_soa(request);
	x->tsig = *request->tsig;
	*request->tsig = (struct tsig_stream){ 0 };
	snapshot_cursor_init(&x->cursor, x->snap);
	x->totals.serial = snapshot_serial(x->snap);
	x->totals.kind = x->soa_only ? "IXFR" : "AXFR";
	return x;
}

void xfr_out_free(struct xfr_out *x)
{
	if (x == NULL) {
		return;
	}
	tsig_stream_fini(&x->tsig);
	snapshot_unref((struct snapshot *)x->snap);
	free(x);
}

static bool put(struct xfr_out *x, struct composer *c, const struct rr *rr)
{
	if (!composer_rr(c, SECTION_ANSWER, rr)) {
		return false;
	}
	x->totals.records++;
	return true;
}

static bool put_soa(struct xfr_out *x, struct composer *c, struct rr_scratch *scratch)
{
	struct rr soa;

	snapshot_soa(x->snap, scratch, &soa);
	return put(x, c, &soa);
}

/* Puts records until the message is full (false; the record that did not fit comes again) or there
 * are no more. */
static bool put_records(struct xfr_out *x, struct composer *c, struct rr_scratch *scratch)
{
	for (;;) {
		struct rrset_reader before;
		struct rr rr = { .class = CLASS_IN };

		if (!x->in_set) {
			struct rrset set;

			if (!snapshot_cursor_next(&x->cursor, &set)) {
				return true;
			}
			x->reader = rrset_read(&set);
			x->in_set = true;
		}
		before = x->reader;
		if (!rrset_next(&x->reader, scratch, &rr.rdata)) {
			x->in_set = false;
			continue;
		}
		rr.owner = name_of(&x->cursor.owner);
		rr.type = x->reader.set.type;
		rr.ttl = x->reader.set.ttl;
		if (!put(x, c, &rr)) {
			x->reader = before;
			return false;
		}
	}
}

/* Goes on with the stream as far as it fits. */
static void fill(struct xfr_out *x, struct composer *c)
{
	struct rr_scratch scratch;
	bool fits = true;

	while (fits && x->state != XFR_OUT_END) {
		switch (x->state) {
		case XFR_OUT_FIRST:
			fits = put_soa(x, c, &scratch);
			x->state = !fits         ? XFR_OUT_FIRST
			           : x->soa_only ? XFR_OUT_END
			                         : XFR_OUT_RECORDS;
			break;
		case XFR_OUT_RECORDS:
			fits = put_records(x, c, &scratch);
			x->state = fits ? XFR_OUT_LAST : XFR_OUT_RECORDS;
			break;
		case XFR_OUT_LAST:
			fits = put_soa(x, c, &scratch);
			x->state = fits ? XFR_OUT_END : XFR_OUT_LAST;
			break;
		case XFR_OUT_END:
		case XFR_OUT_STATES:
			assert(false);
		}
	}
}

/* Begins a message: question and EDNS stand in the first one (RFC 5936 §2.2.1). */
static bool open_message(const struct xfr_out *x, struct composer *c, uint8_t *at, size_t cap)
{
	bool first = x->totals.messages == 0;

	composer_init(c, at, cap);
	c->keep_case = true; /* names arrive as they are spelled here */
	composer_reserve(c, (x->tsig.key == NULL ? 0 : tsig_len(x->tsig.key)) +
	                            (first && x->edns ? EDNS_OPT_LEN : 0));
	return !first || composer_question(c, name_of(&x->question.name), x->question.type,
	                                   x->question.class);
}

static enum err close_message(struct xfr_out *x, struct composer *c, uint64_t now_s,
                              struct bytes *message)
{
	struct edns edns = { .present = true, .udp_size = 1232 };

	if (x->totals.messages == 0 && x->edns && !composer_edns(c, &edns)) {
		return ERR_WIRE_SHORT;
	}
	*message = composer_finish(c, x->id, x->flags);
	if (x->tsig.key != NULL) {
		/* RFC 8945 §5.3.1 asks for every hundredth; BIND 9.18.49 refuses the unsigned ones. */
		TRY(tsig_sign_answer(&x->tsig, &c->w, true, now_s));
		*message = writer_bytes(&c->w);
	}
	x->totals.messages++;
	x->totals.bytes += message->len;
	return ERR_OK;
}

enum err xfr_out_next(struct xfr_out *x, uint8_t *buffer, size_t cap, uint64_t now_s,
                      struct bytes *message)
{
	uint64_t before = x->totals.records;
	struct composer c;

	assert(cap >= MESSAGE_MAX_LEN);
	*message = (struct bytes){ 0 };
	if (x->state == XFR_OUT_END) {
		return ERR_OK;
	}
	if (!open_message(x, &c, buffer, XFR_OUT_MESSAGE_LEN)) {
		return ERR_WIRE_SHORT;
	}
	fill(x, &c);
	if (x->totals.records == before) {
		/* A record longer than messages are meant to be. */
		if (!open_message(x, &c, buffer, MESSAGE_MAX_LEN)) {
			return ERR_WIRE_SHORT;
		}
		fill(x, &c);
	}
	if (x->totals.records == before) {
		return ERR_WIRE_SHORT;
	}
	return close_message(x, &c, now_s, message);
}

void xfr_out_totals(const struct xfr_out *x, struct xfr_out_totals *out)
{
	*out = x->totals;
	out->zone = name_of(&x->question.name);
	if (x->tsig.key != NULL) {
		out->key = tsig_key_name(x->tsig.key);
	}
}
