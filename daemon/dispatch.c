/* SPDX-License-Identifier: MIT
 *
 * daemon/dispatch.c — hands an inbound message to the room that answers it, or refuses it.
 *
 * Everything in here is bytes from outside: each step that fails has its own answer. */
#include "daemon/dispatch_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "transfer/notify_limit.h"
#include "transfer/xfr_out.h"
#include "zonestore/versions.h"
#include "zonestore/wanted.h"

#define STRANGER_LINES_MAX 20 /* of the log, a second and shard */

/* A message as far as it could be read. */
struct reading {
	const struct inbound *in;
	struct answer_request rq;
	struct question question;
	struct reader after_question;
	size_t tsig_at;
	struct tsig_stream tsig;
	struct zone *unread;
};

/* A NOTIFY on its way to the shard that owns the zone. The zone is looked up again there: it may be
 * gone by then. */
struct notice_mail {
	struct io_mail mail;
	struct notice_mail *next; /* in the shard's early ones */
	struct shard *owner;
	struct name_buf zone;
	struct transfer_notice notice;
};

static struct tsig_key *keyring_find(const void *self, struct name name,
                                     enum tsig_algorithm algorithm)
{
	const struct applied *a = self;

	for (size_t i = 0; i < a->key_count; i++) {
		if (tsig_key_algorithm(a->keys[i]) == algorithm &&
		    name_equal(tsig_key_name(a->keys[i]), name)) {
			return a->keys[i];
		}
	}
	return NULL;
}

static uint64_t wall_now(const struct shard *s)
{
	return (uint64_t)env_wall_s(s->io->env);
}

static enum dispatch reply_signed(struct shard *s, struct reading *rd, struct bytes *reply)
{
	struct writer *w = &s->scratch->composer.w;

	if (rd->tsig.key != NULL && tsig_sign_answer(&rd->tsig, w, true, wall_now(s)) != ERR_OK) {
		return DISPATCH_DROP;
	}
	*reply = writer_bytes(w);
	return DISPATCH_REPLY;
}

static enum dispatch reply_empty(struct shard *s, struct reading *rd, enum rcode rcode,
                                 uint16_t flags, struct bytes *reply)
{
	rd->rq.reserve = rd->tsig.key == NULL ? 0 : tsig_len(rd->tsig.key);
	answer_empty(&rd->rq, rcode, flags, s->scratch);
	return reply_signed(s, rd, reply);
}

/* May another line be logged that anybody can cause with a datagram? Writing one takes longer than
 * sending one, and the disk has an end. */
static bool stranger_logged(struct shard *s)
{
	uint64_t now_s = io_now_ns(s->io) / NS_PER_S;

	if (now_s != s->told_at_s) {
		s->told_at_s = now_s;
		s->told = 0;
	}
	return s->told++ < STRANGER_LINES_MAX;
}

/* Reads header, question, EDNS. Returns the RCODE of what is wrong; NOERROR if nothing is. */
static enum rcode reading_begin(struct reading *rd, struct reader *r)
{
	enum opcode opcode = header_opcode(&rd->rq.header);
	struct message_tail tail;

	if (opcode != OPCODE_QUERY && opcode != OPCODE_NOTIFY) {
		return RCODE_NOTIMP;
	}
	if (rd->rq.header.qdcount != 1 || question_read(r, &rd->question) != ERR_OK) {
		return RCODE_FORMERR;
	}
	rd->rq.question = &rd->question;
	rd->after_question = *r;
	if (message_tail_read(r, &rd->rq.header, &tail) != ERR_OK) {
		return RCODE_FORMERR;
	}
	rd->rq.edns = tail.edns;
	rd->tsig_at = tail.tsig_at;
	return tail.edns.present && tail.edns.version != 0 ? RCODE_BADVERS : RCODE_NOERROR;
}

/* One more NOTIFY of this peer: may it be answered? What is not answered its sender repeats; whoever
 * sends too many of them is not to cost us more than that. */
static bool notify_passes(struct shard *s, const struct reading *rd, enum notify_limit_kind kind)
{
	const struct applied *a = atomic_load_explicit(&s->d->applied, memory_order_acquire);
	uint32_t rate = kind == NOTIFY_LIMIT_ALLOWED ? a->config->notify_in_rate
	                                             : a->config->notify_refused_rate;

	if (notify_limit_take(s->notify_limit, &rd->in->peer, kind, rate)) {
		return true;
	}
	count_one(&s->counts.notifies_limited);
	return false;
}

static enum dispatch reply_tsig_error(struct shard *s, struct reading *rd,
                                      const struct tsig_record *record, enum err e,
                                      struct bytes *reply)
{
	if (header_opcode(&rd->rq.header) == OPCODE_NOTIFY &&
	    !notify_passes(s, rd, NOTIFY_LIMIT_REFUSED)) {
		return DISPATCH_DROP;
	}
	if (stranger_logged(s)) {
		EVENT(&s->d->events, EVENT_TSIG_FAILED, F_ADDR("from", &rd->in->peer),
		      F_NAME("key", name_bytes(name_of(&record->key_name))), F_ERR("error", e));
	}
	/* The record that tells of the error holds two names, a MAC at the most, and the time. */
	rd->rq.reserve = 2 * NAME_MAX_LEN + TSIG_MAC_MAX_LEN + 64;
	answer_empty(&rd->rq, RCODE_NOTAUTH, 0, s->scratch);
	if (tsig_error_answer(&rd->tsig, record, e, &s->scratch->composer.w, wall_now(s)) !=
	    ERR_OK) {
		return DISPATCH_DROP;
	}
	*reply = writer_bytes(&s->scratch->composer.w);
	return DISPATCH_REPLY;
}

/* Notes the zone as what the answer has to wait for, if it has no version only because it was not
 * read yet. */
static bool reading_waits(struct shard *s, struct reading *rd, struct zone *zone)
{
	if (rd->in->waited || zone == NULL || zone_newest(zone) != NULL ||
	    !store_unread(s->d->store, zone)) {
		return false;
	}
	/* It may have been read between the two looks. */
	rd->unread = zone_newest(zone) == NULL ? zone : NULL;
	return rd->unread != NULL;
}

static enum dispatch handle_query(struct shard *s, struct reading *rd, struct bytes *reply)
{
	if (!atomic_load_explicit(&s->d->loaded, memory_order_relaxed) &&
	    reading_waits(s, rd, answer_zone(s->d->store, &rd->question))) {
		return DISPATCH_WAIT;
	}
	count_one(&s->counts.queries);
	rd->rq.reserve = rd->tsig.key == NULL ? 0 : tsig_len(rd->tsig.key);
	answer_query(s->d->store, &rd->rq, s->scratch);
	return reply_signed(s, rd, reply);
}

/* Gives the notice to the zone's engine; false if it has none yet. */
static bool notice_take(struct notice_mail *m)
{
	struct shard *s = m->owner;
	struct zone *zone = store_find(s->d->store, name_of(&m->zone));

	if (zone == NULL || zone_engine(zone) == NULL) {
		return false;
	}
	transfer_zone_notified(s->transfer, zone, &m->notice);
	return true;
}

/* What comes while the store is being loaded is kept until the engines run: the sender was told that
 * we know. */
static void notice_deliver(struct io_mail *mail)
{
	struct notice_mail *m = container_of(mail, struct notice_mail, mail);
	struct shard *s = m->owner;

	if (notice_take(m) || s->engines_run || s->early_count >= EARLY_NOTICES_MAX) {
		free(m);
		return;
	}
	m->next = s->early;
	s->early = m;
	s->early_count++;
}

void dispatch_engines_run(struct shard *s)
{
	struct notice_mail *m = s->early;

	s->engines_run = true;
	s->early = NULL;
	s->early_count = 0;
	while (m != NULL) {
		struct notice_mail *next = m->next;

		(void)notice_take(m); /* a zone that is gone needs no news */
		free(m);
		m = next;
	}
}

void dispatch_fini(struct shard *s)
{
	while (s->early != NULL) {
		struct notice_mail *m = s->early;

		s->early = m->next;
		free(m);
	}
}

/* Gives the notice to the zone's shard. ERR_BUSY if it has too much to do: unanswered, it will be
 * repeated. */
static enum err notice_send(struct shard *s, const struct zone *zone,
                            const struct transfer_notice *notice)
{
	struct notice_mail *m = mem_new(sizeof(*m));
	enum err e;

	m->mail.fn = notice_deliver;
	m->owner = &s->d->shards[zone_shard(zone)];
	name_copy(zone_apex(zone), &m->zone);
	m->notice = *notice;
	e = io_post(m->owner->io, &m->mail);
	if (e != ERR_OK) {
		free(m);
	}
	return e;
}

static enum dispatch handle_notify(struct shard *s, struct reading *rd, struct bytes *reply)
{
	struct name apex = name_of(&rd->question.name);
	struct zone *zone = store_find(s->d->store, apex);
	struct transfer_notice notice = { 0 };
	enum rcode rcode = RCODE_NOERROR;
	enum err e;

	if (rd->question.class != CLASS_IN || zone == NULL) {
		e = ERR_NOT_FOUND;
		rcode = RCODE_NOTAUTH;
	} else {
		e = transfer_notify_judge(zone, &rd->in->peer, rd->tsig.key, rd->in->message,
		                          &notice);
		rcode = e == ERR_OK            ? RCODE_NOERROR
		        : e == ERR_NOT_ALLOWED ? RCODE_REFUSED
		                               : RCODE_FORMERR;
	}
	if (!notify_passes(s, rd, e == ERR_OK ? NOTIFY_LIMIT_ALLOWED : NOTIFY_LIMIT_REFUSED)) {
		return DISPATCH_DROP;
	}
	if (e == ERR_OK) {
		EVENT(&s->d->events, EVENT_NOTIFY_IN, F_NAME("zone", name_bytes(apex)),
		      F_ADDR("from", &rd->in->peer), F_UINT("serial", notice.serial.n));
		if (notice_send(s, zone, &notice) != ERR_OK) {
			count_one(&s->counts.notifies_limited);
			return DISPATCH_DROP;
		}
	} else if (stranger_logged(s)) {
		EVENT(&s->d->events, EVENT_NOTIFY_REFUSED, F_NAME("zone", name_bytes(apex)),
		      F_ADDR("from", &rd->in->peer), F_ERR("error", e));
	}
	return reply_empty(s, rd, rcode, rcode == RCODE_NOERROR ? FLAG_AA : 0, reply);
}

/* May this transfer of `snap` (NULL: nothing is served) begin? NOERROR, or the RCODE that refuses it. */
static enum rcode transfer_judge(struct shard *s, struct reading *rd, const struct zone *zone,
                                 const struct snapshot *snap)
{
	const struct zone_policy *policy = zone == NULL ? NULL : zone_policy(zone);

	if (zone == NULL || rd->question.class != CLASS_IN) {
		return RCODE_NOTAUTH; /* RFC 5936 §2.2.1 */
	}
	if (policy == NULL || !policy_may_transfer(policy, &rd->in->peer, rd->tsig.key)) {
		if (stranger_logged(s)) {
			EVENT(&s->d->events, EVENT_XFR_OUT_REFUSED,
			      F_NAME("zone", name_bytes(zone_apex(zone))),
			      F_ADDR("to", &rd->in->peer), F_ERR("error", ERR_NOT_ALLOWED));
		}
		return RCODE_REFUSED;
	}
	return snap == NULL ? RCODE_SERVFAIL : RCODE_NOERROR;
}

static enum dispatch handle_transfer(struct shard *s, struct reading *rd, struct bytes *reply,
                                     struct xfr_out **transfer)
{
	struct zone *zone = store_find(s->d->store, name_of(&rd->question.name));
	/* Borrowed once: it may expire on its own shard between two looks. */
	const struct snapshot *snap = zone == NULL ? NULL : zone_borrow(zone);
	enum rcode rcode = transfer_judge(s, rd, zone, snap);
	struct xfr_out_request request;

	if (rcode == RCODE_SERVFAIL && reading_waits(s, rd, zone)) {
		return DISPATCH_WAIT;
	}
	if (rcode == RCODE_NOERROR && rd->in->udp && rd->question.type == TYPE_AXFR) {
		rcode = RCODE_FORMERR; /* RFC 5936 §4.2: TCP only */
	}
	if (rcode != RCODE_NOERROR) {
		return reply_empty(s, rd, rcode, 0, reply);
	}
	request = (struct xfr_out_request){ .snap = snap,
		                            .question = &rd->question,
		                            .id = rd->rq.header.id,
		                            .flags = rd->rq.header.flags,
		                            .edns = rd->rq.edns,
		                            .udp = rd->in->udp,
		                            .share = s->share,
		                            .tsig = &rd->tsig };
	if (rd->question.type == TYPE_IXFR) {
		if (xfr_out_read_serial(rd->after_question, &rd->rq.header, &request.serial) !=
		    ERR_OK) {
			return reply_empty(s, rd, RCODE_FORMERR, 0, reply);
		}
		request.has_serial = true;
		request.from = zone_kept(zone, request.serial);
	}
	count_one(&s->counts.transfers_out);
	*transfer = xfr_out_new(&request);
	return DISPATCH_TRANSFER;
}

static enum dispatch handle(struct shard *s, struct reading *rd, struct bytes *reply,
                            struct xfr_out **transfer)
{
	if (header_opcode(&rd->rq.header) == OPCODE_NOTIFY) {
		return handle_notify(s, rd, reply);
	}
	if (rd->question.type == TYPE_AXFR || rd->question.type == TYPE_IXFR) {
		return handle_transfer(s, rd, reply, transfer);
	}
	return handle_query(s, rd, reply);
}

enum dispatch dispatch_message(struct shard *s, const struct inbound *in, struct bytes *reply,
                               struct xfr_out **transfer, struct zone **unread)
{
	struct reading rd = { .in = in, .rq = { .udp = in->udp } };
	struct reader r = reader_of(in->message);
	struct tsig_keyring ring = { atomic_load_explicit(&s->d->applied, memory_order_acquire),
		                     keyring_find };
	struct tsig_record record;
	enum dispatch out;
	enum rcode rcode;
	enum err e;

	/* What is too short to have an id, or is itself an answer, gets none: no loops. */
	if (header_read(&r, &rd.rq.header) != ERR_OK || (rd.rq.header.flags & FLAG_QR) != 0) {
		return DISPATCH_DROP;
	}
	rcode = reading_begin(&rd, &r);
	if (rcode != RCODE_NOERROR) {
		return reply_empty(s, &rd, rcode, 0, reply);
	}
	e = tsig_verify_request(&rd.tsig, &ring,
	                        &(struct tsig_request){ in->message, rd.tsig_at, wall_now(s) },
	                        &record);
	if (e == ERR_OK) {
		out = handle(s, &rd, reply, transfer);
	} else if (err_class(e) == ERR_CLASS_PEER) {
		out = reply_tsig_error(s, &rd, &record, e, reply);
	} else {
		out = reply_empty(s, &rd, RCODE_FORMERR, 0, reply);
	}
	*unread = rd.unread;
	tsig_stream_fini(&rd.tsig);
	return out;
}

static void done_emit(struct shard *s, const struct xfr_out_totals *t, const struct addr *to,
                      double secs)
{
	double rate = (double)t->bytes / (secs > 0.001 ? secs : 0.001);
	struct event_field fields[10] = {
		F_NAME("zone", name_bytes(t->zone)),
		F_ADDR("to", to),
		F_STR("kind", t->kind),
		F_UINT("messages", t->messages),
		F_UINT("records", t->records),
		F_UINT("bytes", t->bytes),
		F_REAL("secs", secs),
		F_UINT("rate", (uint64_t)rate),
		F_UINT("serial", t->serial.n),
	};
	size_t count = 9;

	if (t->key.len > 0) {
		fields[count++] = F_NAME("key", name_bytes(t->key));
	}
	event_emit(&s->d->events, EVENT_XFR_OUT_DONE, fields, count);
}

void dispatch_transfer_ended(struct shard *s, const struct xfr_out *x, const struct addr *to,
                             uint64_t started_ns, enum err e)
{
	struct xfr_out_totals t;
	double secs = (double)(io_now_ns(s->io) - started_ns) / (double)NS_PER_S;

	xfr_out_totals(x, &t);
	if (e != ERR_OK) {
		EVENT(&s->d->events, EVENT_XFR_OUT_FAILED, F_NAME("zone", name_bytes(t.zone)),
		      F_ADDR("to", to), F_ERR("error", e));
		return;
	}
	count_more(&s->counts.bytes_out, t.bytes);
	switch (t.form) {
	case XFR_OUT_WHOLE:
		count_one(&s->counts.transfers_out_axfr);
		break;
	case XFR_OUT_DIFFERENCE:
		count_one(&s->counts.transfers_out_ixfr);
		break;
	case XFR_OUT_SOA:
		break;
	}
	done_emit(s, &t, to, secs);
}
