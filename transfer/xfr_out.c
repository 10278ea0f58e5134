/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_out.c — a transfer to a secondary, as a generator of messages. */
#include "transfer/xfr_out.h"

#include <stdlib.h>

#include "base/arena.h"
#include "zonestore/diff.h"
#include "zonestore/render.h"

/* Of a walk over what differs, in one call: what takes some 0.3 ms when nothing of it is in the
 * caches. A difference of any size holds its shard no longer than that before others have their
 * turn. */
#define XFR_OUT_WALK_STEPS    4096 /* owners and nodes looked at */
#define XFR_OUT_COUNT_RECORDS 4096

#define XFR_OUT_UDP_MAX_LEN 1232 /* largest datagram, whatever the client offers */

/* Left free for OPT and TSIG, whether they come or not: messages of all clients end alike. */
#define XFR_OUT_END_LEN 256U

#define RR_FIXED_LEN       10U                       /* type, class, TTL, length of rdata */
#define RELATIVE_RDATA_MAX (2U * NAME_MAX_LEN + 20U) /* whose names had their apex put to: SOA */

/* What stands next in the stream. */
enum xfr_out_state {
	XFR_OUT_COUNTING,  /* nothing yet: is the difference smaller than the zone? */
	XFR_OUT_FIRST,     /* the SOA */
	XFR_OUT_RECORDS,   /* of the whole zone */
	XFR_OUT_OLD,       /* the SOA that the client has */
	XFR_OUT_DELETIONS, /* what it has too much */
	XFR_OUT_NEW,       /* the SOA again */
	XFR_OUT_ADDITIONS, /* what it lacks */
	XFR_OUT_LAST,      /* the SOA again */
	XFR_OUT_END,
};

struct xfr_out {
	const struct snapshot *snap;
	const struct snapshot *from; /* NULL: no difference can be made */
	struct question question;
	uint16_t id;
	uint16_t flags;
	bool edns;
	size_t udp_cap; /* 0: over TCP */
	enum xfr_out_form form;
	enum xfr_out_state state;
	struct tsig_stream tsig;
	struct xfr_share *share;
	struct xfr_run *run; /* others who are sent the whole of this version; NULL: none */
	union {
		struct snapshot_render render; /* XFR_OUT_WHOLE */
		struct snapshot_diff diff;     /* XFR_OUT_DIFFERENCE, and counting */
	};
	bool same_spelling; /* the question's of the apex as the version's */
	bool too_long;      /* the next record, for a message of the usual length */
	/* Of a difference. */
	bool counting_deletions;
	uint64_t octets_left; /* counting: as long as the zone has more */
	bool paused;          /* by the walk, before what stands next */
	bool pending;         /* the record that did not fit waits for the next message */
	struct rr rr;         /* it */
	uint8_t rdata[RELATIVE_RDATA_MAX];
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

static size_t udp_cap(const struct edns *edns)
{
	size_t cap = MESSAGE_UDP_MIN_LEN;

	if (edns->present && edns->udp_size > cap) {
		cap = edns->udp_size;
	}
	return cap < XFR_OUT_UDP_MAX_LEN ? cap : XFR_OUT_UDP_MAX_LEN;
}

static void walk_difference(struct xfr_out *x, const struct snapshot *have,
                            const struct snapshot *lack)
{
	snapshot_diff_init(&x->diff, have, lack);
	x->diff.steps_left = XFR_OUT_WALK_STEPS;
	x->pending = false;
}

/* Octets of what stands behind a message's records, at most. */
static size_t end_len(const struct xfr_out *x, bool first)
{
	return (x->tsig.key == NULL ? 0 : tsig_len(x->tsig.key)) +
	       (first && x->edns ? EDNS_OPT_LEN : 0);
}

static void begin_whole(struct xfr_out *x)
{
	x->form = XFR_OUT_WHOLE;
	x->state = XFR_OUT_FIRST;
	snapshot_render_init(&x->render, x->snap);
	if (x->udp_cap == 0 && x->same_spelling && end_len(x, true) <= XFR_OUT_END_LEN) {
		x->run = xfr_share_join(x->share, x->snap);
	}
}

static void begin_difference(struct xfr_out *x)
{
	x->form = XFR_OUT_DIFFERENCE;
	x->state = XFR_OUT_FIRST;
	walk_difference(x, x->from, x->snap);
}

/* IXFR of what the client has already, or is ahead of, is the SOA alone (RFC 1995 §2). */
static void begin(struct xfr_out *x, const struct xfr_out_request *request)
{
	struct snapshot_facts facts;

	if (x->question.type == TYPE_IXFR && request->has_serial &&
	    !serial_newer(snapshot_serial(x->snap), request->serial)) {
		x->form = XFR_OUT_SOA;
		x->state = XFR_OUT_FIRST;
	} else if (x->from == NULL) {
		begin_whole(x);
	} else if (x->udp_cap > 0) {
		begin_difference(x); /* as far as it fits one message; no need to count */
	} else {
		snapshot_facts(x->snap, &facts);
		x->octets_left = facts.bytes;
		x->state = XFR_OUT_COUNTING;
		walk_difference(x, x->snap, x->from);
	}
}

struct xfr_out *xfr_out_new(const struct xfr_out_request *request)
{
	struct xfr_out *x = mem_zero(1, sizeof(*x));
	bool ixfr = request->question->type == TYPE_IXFR;

	assert(ixfr || request->question->type == TYPE_AXFR);
	assert(ixfr || !request->udp);
	x->snap = snapshot_ref(request->snap);
	if (ixfr && request->from != NULL) {
		assert(serial_equal(snapshot_serial(request->from), request->serial));
		x->from = snapshot_ref(request->from);
	}
	x->question = *request->question;
	x->same_spelling = bytes_equal(name_bytes(name_of(&x->question.name)),
	                               name_bytes(snapshot_apex(x->snap)));
	x->id = request->id;
	x->flags = (uint16_t)(FLAG_QR | FLAG_AA | (request->flags & FLAG_RD));
	x->edns = request->edns.present;
	x->udp_cap = request->udp ? udp_cap(&request->edns) : 0;
	x->share = request->share;
	x->tsig = *request->tsig;
	*request->tsig = (struct tsig_stream){ 0 };
	begin(x, request);
	return x;
}

void xfr_out_free(struct xfr_out *x)
{
	if (x == NULL) {
		return;
	}
	xfr_run_leave(x->run);
	tsig_stream_fini(&x->tsig);
	snapshot_unref((struct snapshot *)x->snap);
	snapshot_unref((struct snapshot *)x->from);
	free(x);
}

/* ---- records ---- */

/* How far one go at the stream came. */
enum progress {
	PROGRESS_DONE,   /* what stands next in the stream is another */
	PROGRESS_FULL,   /* the record that did not fit comes again */
	PROGRESS_PAUSED, /* enough for this turn */
};

static bool put(struct xfr_out *x, struct composer *c, const struct rr *rr)
{
	if (!composer_rr(c, SECTION_ANSWER, rr)) {
		return false;
	}
	x->totals.records++;
	return true;
}

static enum progress put_soa(struct xfr_out *x, struct composer *c, const struct snapshot *of,
                             struct rr_scratch *scratch)
{
	struct rr soa;

	snapshot_soa(of, scratch, &soa);
	return put(x, c, &soa) ? PROGRESS_DONE : PROGRESS_FULL;
}

/* Records of the whole zone, written where they stand, or as they were for another client: no
 * composer could keep up. */
static enum progress put_records(struct xfr_out *x, struct composer *c)
{
	bool first = x->totals.messages == 0;
	struct xfr_place place = { x->totals.messages, x->totals.records };
	struct writer w = composer_open(c);
	struct xfr_run *run = first || x->too_long ? NULL : x->run;
	const struct xfr_page *page = run == NULL ? NULL : xfr_run_find(run, place);
	size_t before = w.len;
	unsigned count;

	if (page != NULL && writer_put(&w, bytes_of(page->octets, page->len))) {
		count = page->count;
		x->render = page->after;
	} else {
		count = snapshot_render_next(&x->render, &w,
		                             first && x->same_spelling ? MESSAGE_HEADER_LEN : 0);
		if (run != NULL) {
			xfr_run_keep(run, place, bytes_of(w.at + before, w.len - before), count,
			             &x->render);
		}
	}
	composer_adopt(c, SECTION_ANSWER, &w, count);
	x->totals.records += count;
	return x->render.ended ? PROGRESS_DONE : PROGRESS_FULL;
}

/* Keeps the record that did not fit: its owner stands in the walk, its rdata in the version or, with
 * the apex put to its names, in `scratch`. */
static void hold(struct xfr_out *x, const struct rr_scratch *scratch)
{
	x->pending = true;
	if (x->rr.rdata.at == scratch->rdata) {
		assert(x->rr.rdata.len <= sizeof(x->rdata));
		memcpy(x->rdata, x->rr.rdata.at, x->rr.rdata.len);
		x->rr.rdata.at = x->rdata;
	}
}

static enum progress put_difference(struct xfr_out *x, struct composer *c,
                                    struct rr_scratch *scratch)
{
	while (x->pending || snapshot_diff_next(&x->diff, scratch, &x->rr)) {
		if (!put(x, c, &x->rr)) {
			hold(x, scratch);
			return PROGRESS_FULL;
		}
		x->pending = false;
	}
	return x->diff.paused ? PROGRESS_PAUSED : PROGRESS_DONE;
}

/* Counts some of the difference; when it is known to be smaller than the zone or not, the answer
 * begins. */
static enum progress count(struct xfr_out *x, struct rr_scratch *scratch)
{
	struct rr rr;

	for (unsigned i = 0; i < XFR_OUT_COUNT_RECORDS; i++) {
		uint64_t len;
		if (!snapshot_diff_next(&x->diff, scratch, &rr)) {
			if (x->diff.paused) {
				return PROGRESS_PAUSED;
			}
			if (x->counting_deletions) {
				begin_difference(x);
				return PROGRESS_DONE;
			}
			x->counting_deletions = true;
			walk_difference(x, x->from, x->snap);
			continue;
		}
		len = rr.owner.len + RR_FIXED_LEN + rr.rdata.len;
		if (len >= x->octets_left) {
			begin_whole(x);
			return PROGRESS_DONE;
		}
		x->octets_left -= len;
	}
	return PROGRESS_PAUSED;
}

/* ---- the stream ---- */

static enum xfr_out_state state_after_first(enum xfr_out_form form)
{
	switch (form) {
	case XFR_OUT_WHOLE:
		return XFR_OUT_RECORDS;
	case XFR_OUT_DIFFERENCE:
		return XFR_OUT_OLD;
	case XFR_OUT_SOA:
		break;
	}
	return XFR_OUT_END;
}

/* Puts what stands next, and goes on if that is done. */
static enum progress put_next(struct xfr_out *x, struct composer *c, struct rr_scratch *scratch)
{
	enum xfr_out_state next = XFR_OUT_END;
	enum progress p = PROGRESS_DONE;

	switch (x->state) {
	case XFR_OUT_COUNTING:
		return count(x, scratch); /* which moves */
	case XFR_OUT_FIRST:
		p = put_soa(x, c, x->snap, scratch);
		next = state_after_first(x->form);
		break;
	case XFR_OUT_RECORDS:
		p = put_records(x, c);
		next = XFR_OUT_LAST;
		break;
	case XFR_OUT_OLD:
		p = put_soa(x, c, x->from, scratch);
		next = XFR_OUT_DELETIONS;
		break;
	case XFR_OUT_DELETIONS:
		p = put_difference(x, c, scratch);
		next = XFR_OUT_NEW;
		break;
	case XFR_OUT_NEW:
		p = put_soa(x, c, x->snap, scratch);
		next = XFR_OUT_ADDITIONS;
		break;
	case XFR_OUT_ADDITIONS:
		p = put_difference(x, c, scratch);
		next = XFR_OUT_LAST;
		break;
	case XFR_OUT_LAST:
		p = put_soa(x, c, x->snap, scratch);
		break;
	case XFR_OUT_END:
		break;
	}
	if (p == PROGRESS_DONE) {
		if (next == XFR_OUT_ADDITIONS) {
			walk_difference(x, x->snap, x->from);
		}
		x->state = next;
	}
	return p;
}

/* Goes on with the stream as far as it fits. */
static void fill(struct xfr_out *x, struct composer *c)
{
	struct rr_scratch scratch;
	enum progress p = PROGRESS_DONE;

	if (x->form == XFR_OUT_DIFFERENCE || x->state == XFR_OUT_COUNTING) {
		x->diff.steps_left = XFR_OUT_WALK_STEPS;
	}
	while (p == PROGRESS_DONE && x->state != XFR_OUT_END) {
		p = put_next(x, c, &scratch);
	}
	x->paused = p == PROGRESS_PAUSED;
}

/* Begins a message: question and EDNS stand in the first one (RFC 5936 §2.2.1). */
static bool open_message(const struct xfr_out *x, struct composer *c, uint8_t *at, size_t cap)
{
	bool first = x->totals.messages == 0;

	composer_init(c, at, cap);
	c->keep_case = true; /* names arrive as they are spelled here */
	composer_reserve(c, x->run != NULL && !x->too_long ? XFR_OUT_END_LEN : end_len(x, first));
	return !first || composer_question(c, name_of(&x->question.name), x->question.type,
	                                   x->question.class);
}

static enum err close_message(struct xfr_out *x, struct composer *c, uint64_t now_s,
                              struct bytes *message)
{
	struct edns edns = { .present = true, .udp_size = XFR_OUT_UDP_MAX_LEN };

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

/* One message with all of it; else with the SOA alone; else without anything but TC. */
static enum err next_datagram(struct xfr_out *x, uint8_t *buffer, uint64_t now_s,
                              struct bytes *message)
{
	struct composer c;

	for (;;) {
		if (!open_message(x, &c, buffer, x->udp_cap)) {
			c.counts[0] =
				0; /* the longest names and keys leave no room for the question */
		}
		fill(x, &c);
		if (x->state == XFR_OUT_END) {
			break;
		}
		x->totals.records = 0;
		if (x->form == XFR_OUT_SOA) {
			x->flags |= FLAG_TC;
			x->state = XFR_OUT_END;
		} else {
			x->form = XFR_OUT_SOA;
			x->state = XFR_OUT_FIRST;
		}
	}
	return close_message(x, &c, now_s, message);
}

enum err xfr_out_next(struct xfr_out *x, uint8_t *buffer, size_t cap, uint64_t now_s,
                      struct bytes *message)
{
	uint64_t before = x->totals.records;
	struct composer c;

	*message = (struct bytes){ 0 };
	if (x->state == XFR_OUT_END) {
		return ERR_OK;
	}
	assert(cap >= xfr_out_room(x));
	if (x->udp_cap > 0) {
		return next_datagram(x, buffer, now_s, message);
	}
	if (!open_message(x, &c, buffer, xfr_out_room(x))) {
		return ERR_WIRE_SHORT;
	}
	fill(x, &c);
	if (x->totals.records == before) {
		bool gives_up = x->too_long && !x->paused;
		x->too_long = !x->paused;
		return gives_up ? ERR_WIRE_SHORT : ERR_OK;
	}
	x->too_long = false;
	return close_message(x, &c, now_s, message);
}

size_t xfr_out_room(const struct xfr_out *x)
{
	return x->too_long ? MESSAGE_MAX_LEN : XFR_OUT_MESSAGE_LEN;
}

bool xfr_out_ended(const struct xfr_out *x)
{
	return x->state == XFR_OUT_END;
}

void xfr_out_totals(const struct xfr_out *x, struct xfr_out_totals *out)
{
	static const char *const kinds[] = {
		[XFR_OUT_WHOLE] = "AXFR", [XFR_OUT_DIFFERENCE] = "IXFR", [XFR_OUT_SOA] = "SOA"
	};

	*out = x->totals;
	out->form = x->form;
	out->kind = kinds[x->form];
	out->serial = snapshot_serial(x->snap);
	out->zone = name_of(&x->question.name);
	if (x->tsig.key != NULL) {
		out->key = tsig_key_name(x->tsig.key);
	}
}
