/* SPDX-License-Identifier: MIT
 *
 * bench/primary_messages.c — requests into jobs, jobs into messages. */
#include <stdlib.h>

#include "base/arena.h"
#include "bench/primary_p.h"

#define IXFR_CHURN_MAX 500 /* a difference of that much is sent as a whole zone */
#define QUESTION_AT    12U /* in a message */

/* ---- reading ---- */

static bool soa_serial(struct reader *r, uint32_t *serial)
{
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	uint16_t len;

	return name_skip(r) == ERR_OK && reader_u16(r, &type) && reader_u16(r, &class) &&
	       reader_u32(r, &ttl) && reader_u16(r, &len) && type == TYPE_SOA &&
	       name_skip(r) == ERR_OK && name_skip(r) == ERR_OK && reader_u32(r, serial);
}

bool told_read(const struct primary *p, struct bytes message, struct told *out)
{
	struct reader r = reader_of(message);
	struct question q;
	struct header h;

	if (header_read(&r, &h) != ERR_OK || (h.flags & FLAG_QR) == 0 || h.qdcount != 1 ||
	    question_read(&r, &q) != ERR_OK || !farm_find(&p->farm, name_of(&q.name), &out->zone)) {
		return false;
	}
	out->id = h.id;
	out->opcode = header_opcode(&h);
	out->rcode = header_rcode(&h);
	out->has_serial = h.ancount > 0 && soa_serial(&r, &out->serial);
	return true;
}

static struct tsig_key *key_find(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	const struct primary *p = self;

	return p->key != NULL && name_equal(name, tsig_key_name(p->key)) &&
	                       algorithm == tsig_key_algorithm(p->key)
	               ? p->key
	               : NULL;
}

/* Whether the request may be answered as it wishes. */
static bool signature_good(struct primary *p, struct bytes message, size_t tsig_at, struct job *j)
{
	const struct tsig_keyring ring = { p, key_find };
	const struct tsig_request request = { message, tsig_at, p->now_s };
	struct tsig_record record;

	if (tsig_verify_request(&j->tsig, &ring, &request, &record) != ERR_OK) {
		tsig_stream_fini(&j->tsig);
		tsig_stream_init(&j->tsig, NULL);
		return false;
	}
	return p->key == NULL || j->tsig.key != NULL;
}

static void transfer_begin(const struct primary *p, struct job *j, const uint32_t *serial)
{
	struct transfer_out *t = &j->transfer;

	t->to = farm_generation(&p->farm, t->zone);
	t->part = PART_FIRST_SOA;
	t->unit = 0;
	t->record = 0;
	t->whole = serial == NULL || p->farm.churn >= IXFR_CHURN_MAX ||
	           !farm_generation_of(&p->farm, t->zone, *serial, &t->from);
	if (!t->whole && t->from == t->to) {
		j->kind = JOB_SOA;
	}
}

static void job_refuse(struct primary *p, struct job *j, enum rcode rcode)
{
	j->kind = JOB_REFUSAL;
	j->rcode = rcode;
	p->counts.refused++;
}

bool job_read(struct primary *p, struct bytes message, struct job *out)
{
	struct reader r = reader_of(message);
	struct message_tail tail = { .tsig_at = 0 };
	struct question q;
	struct header h;
	uint32_t serial = 0;

	if (header_read(&r, &h) != ERR_OK || h.qdcount != 1 || question_read(&r, &q) != ERR_OK ||
	    r.pos - QUESTION_AT > QUESTION_MAX ||
	    (h.arcount > 0 && message_tail_read(&r, &h, &tail) != ERR_OK)) {
		return false;
	}
	out->id = h.id;
	out->flags = h.flags;
	out->rcode = RCODE_NOERROR;
	out->question_len = (uint16_t)(r.pos - QUESTION_AT);
	memcpy(out->question, message.at + QUESTION_AT, out->question_len);
	if (!signature_good(p, message, tail.tsig_at, out)) {
		p->counts.bad_signatures++;
		job_refuse(p, out, RCODE_NOTAUTH);
	} else if (header_opcode(&h) != OPCODE_QUERY ||
	           !farm_find(&p->farm, name_of(&q.name), &out->transfer.zone)) {
		job_refuse(p, out, RCODE_REFUSED);
	} else if (q.type == TYPE_SOA) {
		out->kind = JOB_SOA;
	} else if (q.type == TYPE_AXFR || q.type == TYPE_IXFR) {
		bool has_serial = q.type == TYPE_IXFR && h.nscount == 1 && soa_serial(&r, &serial);
		out->kind = JOB_TRANSFER;
		transfer_begin(p, out, has_serial ? &serial : NULL);
	} else {
		job_refuse(p, out, RCODE_REFUSED);
	}
	return true;
}

/* ---- jobs ---- */

struct job *job_new(struct primary *p)
{
	struct job *j = p->jobs_free;

	if (j != NULL) {
		p->jobs_free = j->next;
	} else {
		j = mem_zero(1, sizeof(*j));
		tsig_stream_init(&j->tsig, NULL);
	}
	j->next = NULL;
	return j;
}

void job_free(struct primary *p, struct job *j)
{
	j->next = p->jobs_free;
	p->jobs_free = j;
}

/* ---- writing ---- */

static void header_put(struct writer *w, uint16_t id, uint16_t flags, unsigned answers)
{
	const uint16_t head[] = { id, flags, 1, (uint16_t)answers, 0, 0 };
	bool fits = true;

	for (unsigned i = 0; i < ARRAY_LEN(head); i++) {
		fits = fits && writer_u16(w, head[i]);
	}
	must(fits, "a message's header");
}

/* Makes what comes next; false at the end. A unit may be empty. */
static bool transfer_next(const struct primary *p, struct transfer_out *t, struct farm_unit *unit)
{
	const struct farm *f = &p->farm;
	uint16_t generation = t->part == PART_OLD_SOA || t->part == PART_DELETED ? t->from : t->to;

	while (t->part == PART_DELETED || t->part == PART_ADDED) {
		while (!t->whole && t->unit < farm_units(f) &&
		       !farm_changed(f, t->zone, t->unit, t->from, t->to)) {
			t->unit++;
		}
		if (t->unit < farm_units(f)) {
			farm_records(f, t->zone, t->unit++, generation, unit);
			return true;
		}
		t->unit = 0;
		t->part++;
		generation = t->to;
	}
	if (t->part == PART_END) {
		return false;
	}
	farm_soa(f, t->zone, generation, unit);
	t->part = t->part == PART_FIRST_SOA && t->whole ? PART_ADDED : t->part + 1;
	return true;
}

/* Fills a message with records as far as it goes; returns how many. */
static unsigned transfer_fill(const struct primary *p, struct transfer_out *t, struct writer *w,
                              size_t until)
{
	unsigned limit = p->how.message_records > 0 ? p->how.message_records : UINT16_MAX;
	unsigned count = 0;
	struct farm_unit unit;

	while (w->len < until && count < limit) {
		struct transfer_out before = *t;
		if (!transfer_next(p, t, &unit)) {
			break;
		}
		unsigned first = before.record;
		unsigned left = unit.count - first;
		unsigned take = left < limit - count ? left : limit - count;
		size_t from = first > 0 ? unit.ends[first - 1] : 0;
		size_t to = take > 0 ? unit.ends[first + take - 1] : from;
		must(writer_put(w, bytes_of(unit.octets + from, to - from)), "a message");
		count += take;
		t->record = 0;
		if (take < left) {
			*t = before;
			t->record = first + take;
		}
	}
	return count;
}

bool job_write(struct primary *p, struct job *j, struct writer *w)
{
	size_t until = MESSAGE_LEN - FARM_UNIT_MAX_LEN - (j->tsig.key ? tsig_len(p->key) : 0);
	struct transfer_out *t = &j->transfer;
	bool last = true;
	unsigned count = 0;
	struct farm_unit soa;

	header_put(w, j->id, (uint16_t)(FLAG_QR | FLAG_AA), 0);
	must(writer_put(w, bytes_of(j->question, j->question_len)), "a question");
	switch (j->kind) {
	case JOB_TRANSFER:
		count = transfer_fill(p, t, w, until);
		last = t->part == PART_END;
		break;
	case JOB_SOA:
		farm_soa(&p->farm, t->zone, farm_generation(&p->farm, t->zone), &soa);
		must(writer_put(w, writer_bytes(&soa.w)), "an SOA");
		count = 1;
		break;
	case JOB_REFUSAL:
		store_u16(w->at + 2, (uint16_t)(FLAG_QR | (j->flags & 0x7900U) | j->rcode));
		break;
	}
	store_u16(w->at + 6, (uint16_t)count);
	if (j->tsig.key != NULL) {
		must(tsig_sign_answer(&j->tsig, w, last, p->now_s) == ERR_OK, "a signature");
	}
	return last;
}

void query_write(const struct primary *p, uint16_t id, uint32_t zone, struct writer *w)
{
	struct name_buf name;

	farm_name(&p->farm, zone, &name);
	header_put(w, id, 0, 0);
	must(writer_put(w, name_bytes(name_of(&name))) && writer_u16(w, TYPE_SOA) &&
	             writer_u16(w, CLASS_IN),
	     "a question");
}

void notify_write(const struct primary *p, uint16_t id, uint32_t zone, struct writer *w)
{
	struct farm_unit soa;

	query_write(p, id, zone, w);
	store_u16(w->at + 2, OPCODE_NOTIFY << 11 | FLAG_AA);
	store_u16(w->at + 6, 1);
	farm_soa(&p->farm, zone, farm_generation(&p->farm, zone), &soa);
	must(writer_put(w, writer_bytes(&soa.w)), "an SOA");
	if (p->sign_notify) {
		struct tsig_stream s;
		tsig_stream_init(&s, p->key);
		must(tsig_sign_request(&s, w, p->now_s) == ERR_OK, "a signature");
		tsig_stream_fini(&s);
	}
}
