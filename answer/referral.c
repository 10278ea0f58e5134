/* SPDX-License-Identifier: MIT
 *
 * answer/referral.c — delegations with their glue, and addresses that spare a second question. */
#include "answer/answer_p.h"

/* Where the name that matters stands in rdata of types whose target's addresses are worth adding.
 */
static bool target_of(uint16_t type, struct bytes rdata, struct name *out)
{
	size_t skip;

	switch (type) {
	case TYPE_NS:
		skip = 0;
		break;
	case TYPE_MX:
		skip = 2;
		break;
	case TYPE_SRV:
		skip = 6;
		break;
	default:
		return false;
	}
	return rdata.len > skip &&
	       name_view(bytes_of(rdata.at + skip, rdata.len - skip), out) == ERR_OK;
}

/* Adds A and AAAA of one target; false if something of it did not fit. */
static bool addresses_of(struct response *r, struct name target)
{
	struct snapshot_place place = snapshot_find(r->snap, target, false, true);
	struct rrset set;
	bool whole = true;

	if (place.match != SNAPSHOT_FOUND) {
		return true;
	}
	if (owner_rrset(&place.owner, TYPE_A, 0, &set)) {
		whole = response_rrset(r, SECTION_ADDITIONAL, target, &set);
	}
	if (owner_rrset(&place.owner, TYPE_AAAA, 0, &set)) {
		whole = response_rrset(r, SECTION_ADDITIONAL, target, &set) && whole;
	}
	return whole;
}

void response_addresses(struct response *r, const struct rrset *set, bool must, struct name below)
{
	struct rrset_reader reader = rrset_read(set);
	struct bytes rdata;
	struct name target;

	/* Glue is never left out for its number: the message bounds it. */
	for (unsigned i = 0; must ? !r->truncated : i < ANSWER_ADDRESSES_MAX; i++) {
		if (!rrset_next(&reader, &r->scratch->rr, &rdata)) {
			return;
		}
		if (!target_of(set->type, rdata, &target) ||
		    !name_within(target, snapshot_apex(r->snap))) {
			continue;
		}
		/* The target stands in the scratch that the addresses are read through. */
		name_copy(target, &r->scratch->target);
		target = name_of(&r->scratch->target);
		/* RFC 9471 §3.1: glue of servers below the cut is needed; that of others is a
		 * courtesy. */
		if (!addresses_of(r, target) && must && name_within(target, below)) {
			r->truncated = true;
		}
	}
}

void response_referral(struct response *r, const struct owner_view *owner, struct name cut)
{
	struct rrset set;

	/* After a CNAME of ours the answer section speaks with authority (RFC 1034 §4.3.2 step 6).
	 */
	r->authoritative = r->c->counts[1 + SECTION_ANSWER] > 0;
	if (!owner_rrset(owner, TYPE_NS, 0, &set)) {
		return;
	}
	if (!response_rrset(r, SECTION_AUTHORITY, cut, &set)) {
		r->truncated = true;
		return;
	}
	response_addresses(r, &set, true, cut);
}
