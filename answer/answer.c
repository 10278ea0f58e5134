/* SPDX-License-Identifier: MIT
 *
 * answer/answer.c — finds what answers a question and says it (RFC 1034 §4.3.2). */
#include "answer/answer.h"

#include "answer/answer_p.h"

#define RCODE_YXDOMAIN 6 /* RFC 6672 §2.2: the substituted name is too long */

static size_t response_cap(const struct answer_request *rq)
{
	size_t cap = MESSAGE_UDP_MIN_LEN;

	if (!rq->udp) {
		return MESSAGE_MAX_LEN;
	}
	if (rq->edns.present && rq->edns.udp_size > cap) {
		cap = rq->edns.udp_size;
	}
	return cap < ANSWER_UDP_MAX_LEN ? cap : ANSWER_UDP_MAX_LEN;
}

static void response_begin(const struct answer_request *rq, struct answer_scratch *scratch)
{
	struct composer *c = &scratch->composer;

	composer_init(c, scratch->message, response_cap(rq));
	composer_reserve(c, rq->reserve + (rq->edns.present ? EDNS_OPT_LEN : 0));
	/* The question fits: 12 + 255 + 4 octets, OPT and the longest TSIG stay within 1,232 unless
	 * the client can take 512 octets only; then an answer without its question is what is left.
	 */
	if (rq->question != NULL && rq->header.qdcount == 1 &&
	    !composer_question(c, name_of(&rq->question->name), rq->question->type,
	                       rq->question->class)) {
		c->counts[0] = 0;
	}
}

static void response_end(const struct answer_request *rq, enum rcode rcode, uint16_t flags,
                         struct answer_scratch *scratch)
{
	struct composer *c = &scratch->composer;
	uint16_t echoed = rq->header.flags & (FLAG_RD | FLAG_CD);
	uint16_t opcode = rq->header.flags & 0x7800U;

	if (rq->edns.present) {
		struct edns opt = { .present = true,
			            .extended_rcode = (uint8_t)(rcode >> 4),
			            .dnssec_ok = rq->edns.dnssec_ok,
			            .udp_size = ANSWER_UDP_MAX_LEN };
		bool fits = composer_edns(c, &opt);
		assert(fits); /* its room was reserved */
	}
	composer_finish(c, rq->header.id,
	                (uint16_t)(FLAG_QR | opcode | flags | echoed | (rcode & 15)));
}

void answer_empty(const struct answer_request *rq, enum rcode rcode, uint16_t flags,
                  struct answer_scratch *scratch)
{
	response_begin(rq, scratch);
	response_end(rq, rcode, flags, scratch);
}

bool response_rrset(struct response *r, enum section section, struct name owner,
                    const struct rrset *set)
{
	struct composer_mark mark = composer_mark(r->c);
	struct rrset_reader reader = rrset_read(set);
	struct rr rr = { .owner = owner, .type = set->type, .class = CLASS_IN, .ttl = set->ttl };

	while (rrset_next(&reader, &r->scratch->rr, &rr.rdata)) {
		if (!composer_rr(r->c, section, &rr)) {
			composer_rollback(r->c, mark);
			return false;
		}
	}
	return true;
}

/* An RRset that the answer is not an answer without: if it does not fit, TC tells to come by TCP.
 */
static void response_must(struct response *r, enum section section, struct name owner,
                          const struct rrset *set)
{
	if (!r->truncated && !response_rrset(r, section, owner, set)) {
		r->truncated = true;
	}
}

static void response_soa(struct response *r, enum section section, bool negative)
{
	struct soa soa;
	struct rr rr;

	snapshot_soa(r->snap, &r->scratch->rr, &rr);
	/* RFC 2308 §3: a negative answer lives for the lesser of the SOA's TTL and its minimum. */
	if (negative && soa_view(rr.rdata, &soa) == ERR_OK && soa.minimum_s < rr.ttl) {
		rr.ttl = soa.minimum_s;
	}
	if (!r->truncated && !composer_rr(r->c, section, &rr)) {
		r->truncated = true;
	}
}

void response_negative_soa(struct response *r)
{
	response_soa(r, SECTION_AUTHORITY, true);
}

/* RFC 8482 §4.1: one RRset of those at the name stands for ANY. */
static void answer_any(struct response *r, const struct owner_view *owner, bool apex)
{
	struct rrset set;

	if (apex) {
		response_soa(r, SECTION_ANSWER, false);
		return;
	}
	owner_rrset_at(owner, 0, &set);
	response_must(r, SECTION_ANSWER, r->name, &set);
}

/* All sets of the type; RRSIG is one set per covered type. False if there is none. */
static bool answer_type(struct response *r, const struct owner_view *owner, uint16_t type)
{
	bool found = false;
	struct rrset set;

	if (type != TYPE_RRSIG && type != TYPE_SIG) {
		if (!owner_rrset(owner, type, 0, &set)) {
			return false;
		}
		response_must(r, SECTION_ANSWER, r->name, &set);
		if (!r->truncated) {
			response_addresses(r, &set, false, snapshot_apex(r->snap));
		}
		return true;
	}
	for (unsigned i = 0; i < owner->set_count; i++) {
		owner_rrset_at(owner, i, &set);
		if (set.type == type) {
			response_must(r, SECTION_ANSWER, r->name, &set);
			found = true;
		}
	}
	return found;
}

/* Copies a name found in a CNAME to where the chain stands. Its view may be in the rr scratch. */
static bool chain_to(struct response *r, struct name target)
{
	name_copy(target, &r->scratch->target);
	r->scratch->name = r->scratch->target;
	r->name = name_of(&r->scratch->name);
	return name_within(r->name, snapshot_apex(r->snap));
}

/* Notes that the chain passes the set of `type` at `owner`; false if it did before. Two that hash
 * alike end a chain early, no more. */
static bool chain_passes(struct response *r, struct name owner, uint16_t type)
{
	uint64_t hash = name_hash(type, owner);

	for (unsigned i = 0; i < r->passed_count; i++) {
		if (r->passed[i] == hash) {
			return false;
		}
	}
	assert(r->passed_count < ARRAY_LEN(r->passed)); /* two in each of ANSWER_CHAIN_MAX steps */
	r->passed[r->passed_count++] = hash;
	return true;
}

static bool follow_cname(struct response *r, const struct rrset *set)
{
	struct rrset_reader reader = rrset_read(set);
	struct bytes rdata;
	struct name target;

	if (!chain_passes(r, r->name, TYPE_CNAME)) {
		return false; /* a loop: all of it has been said */
	}
	response_must(r, SECTION_ANSWER, r->name, set);
	return !r->truncated && rrset_next(&reader, &r->scratch->rr, &rdata) &&
	       name_view(rdata, &target) == ERR_OK && chain_to(r, target);
}

/* Adds the CNAME that a DNAME stands for (RFC 6672 §3.1, §3.3): same TTL as the DNAME. */
static bool synthesise_cname(struct response *r, const struct rrset *set, struct name target,
                             unsigned owner_labels)
{
	struct name prefix_end = name_strip(r->name, r->name.labels - owner_labels);
	size_t prefix_len = (size_t)(r->name.len - prefix_end.len);
	struct name_buf to = { 0 };
	struct name made;
	struct rr rr = { .owner = r->name, .type = TYPE_CNAME, .class = CLASS_IN, .ttl = set->ttl };

	if (prefix_len + target.len > NAME_MAX_LEN) {
		r->rcode = (enum rcode)RCODE_YXDOMAIN;
		return false;
	}
	memcpy(to.octets, r->name.at, prefix_len);
	memcpy(to.octets + prefix_len, target.at, target.len);
	if (name_view(bytes_of(to.octets, prefix_len + target.len), &made) != ERR_OK) {
		return false;
	}
	rr.rdata = name_bytes(made);
	if (!composer_rr(r->c, SECTION_ANSWER, &rr)) {
		r->truncated = true;
		return false;
	}
	return chain_to(r, made);
}

/* The synthesised CNAME is itself the answer to who asks for CNAME, or for ANY. */
static bool follow_dname(struct response *r, const struct snapshot_place *place, uint16_t type)
{
	struct name owner = name_strip(r->name, r->name.labels - place->owner_labels);
	struct rrset_reader reader;
	struct rrset set;
	struct bytes rdata;
	struct name target;

	if (!owner_rrset(&place->owner, TYPE_DNAME, 0, &set)) {
		return false;
	}
	if (!chain_passes(r, r->name, TYPE_CNAME)) {
		return false;
	}
	if (chain_passes(r, owner, TYPE_DNAME)) {
		response_must(r, SECTION_ANSWER, owner, &set);
	}
	reader = rrset_read(&set);
	return !r->truncated && rrset_next(&reader, &r->scratch->rr, &rdata) &&
	       name_view(rdata, &target) == ERR_OK &&
	       synthesise_cname(r, &set, target, place->owner_labels) && type != TYPE_CNAME &&
	       type != TYPE_ANY;
}

/* Types for which a CNAME is not followed: it may stand beside them (RFC 4034 §2.5), or is asked
 * for. */
static bool type_stays_at_cname(uint16_t type)
{
	return type == TYPE_CNAME || type == TYPE_RRSIG || type == TYPE_NSEC || type == TYPE_ANY;
}

/* Answers from the records of one owner name. True if a CNAME leads on inside the zone. */
static bool answer_owner(struct response *r, const struct snapshot_place *place, uint16_t type)
{
	bool apex =
		place->match == SNAPSHOT_FOUND && r->name.labels == snapshot_apex(r->snap).labels;
	struct rrset set;

	if (!type_stays_at_cname(type) && owner_rrset(&place->owner, TYPE_CNAME, 0, &set)) {
		return follow_cname(r, &set);
	}
	if (type == TYPE_ANY) {
		answer_any(r, &place->owner, apex);
	} else if (type == TYPE_SOA && apex) {
		response_soa(r, SECTION_ANSWER, false);
	} else if (!answer_type(r, &place->owner, type)) {
		response_negative_soa(r);
	}
	return false;
}

/* One step of the way: true if a CNAME or DNAME leads on inside the zone. */
static bool answer_step(struct response *r, uint16_t type)
{
	struct snapshot_place place = snapshot_find(r->snap, r->name, type == TYPE_DS, false);

	switch (place.match) {
	case SNAPSHOT_FOUND:
	case SNAPSHOT_WILDCARD:
		return answer_owner(r, &place, type);
	case SNAPSHOT_EMPTY:
		response_negative_soa(r);
		return false;
	case SNAPSHOT_REFERRAL:
		response_referral(r, &place.owner,
		                  name_strip(r->name, r->name.labels - place.owner_labels));
		return false;
	case SNAPSHOT_DNAME:
		return follow_dname(r, &place, type);
	case SNAPSHOT_NO_NAME:
		r->rcode = RCODE_NXDOMAIN;
		response_negative_soa(r);
		return false;
	}
	return false;
}

struct zone *answer_zone(const struct store *st, const struct question *q)
{
	struct name name = name_of(&q->name);
	struct zone *zone = store_find_enclosing(st, name);

	if (zone != NULL && q->type == TYPE_DS && name.labels > 0 &&
	    name_equal(zone_apex(zone), name)) {
		struct zone *parent = store_find_enclosing(st, name_strip(name, 1));
		return parent != NULL ? parent : zone;
	}
	return zone;
}

/* What can be said of a question without looking at a zone; NOERROR: nothing against it. */
static enum rcode question_judge(const struct answer_request *rq)
{
	if (rq->header.qdcount != 1 || rq->question == NULL) {
		return RCODE_FORMERR;
	}
	if (rq->question->type == TYPE_OPT || rq->question->type == 0) {
		return RCODE_FORMERR;
	}
	if (type_is_meta(rq->question->type) && rq->question->type != TYPE_ANY) {
		return RCODE_NOTIMP;
	}
	return rq->question->class == CLASS_IN ? RCODE_NOERROR : RCODE_REFUSED;
}

static void answer_from(struct response *r, uint16_t type)
{
	unsigned steps = 0;

	r->authoritative = true;
	while (answer_step(r, type) && ++steps < ANSWER_CHAIN_MAX) {
	}
}

enum rcode answer_query(const struct store *st, const struct answer_request *rq,
                        struct answer_scratch *scratch)
{
	struct response r = { .rq = rq, .scratch = scratch, .c = &scratch->composer };
	const struct zone *zone;
	uint16_t flags = 0;

	r.rcode = question_judge(rq);
	response_begin(rq, scratch);
	if (r.rcode == RCODE_NOERROR) {
		zone = answer_zone(st, rq->question);
		r.snap = zone == NULL ? NULL : zone_borrow(zone);
		r.name = name_of(&rq->question->name);
		if (r.snap != NULL) {
			answer_from(&r, rq->question->type);
		} else {
			r.rcode = zone == NULL ? RCODE_REFUSED : RCODE_SERVFAIL;
		}
	}
	if (r.authoritative) {
		flags |= FLAG_AA;
	}
	if (r.truncated) {
		flags |= FLAG_TC;
	}
	response_end(rq, r.rcode, flags, scratch);
	return r.rcode;
}
