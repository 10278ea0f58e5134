/* SPDX-License-Identifier: MIT
 *
 * answer/answer_p.h — one response in the making, shared by the files of this room. */
#pragma once

#include "answer/answer.h"

struct response {
	const struct answer_request *rq;
	const struct snapshot *snap;
	struct answer_scratch *scratch;
	struct composer *c;
	struct name name; /* the name looked up now: the question's, or where a chain led */
	enum rcode rcode;
	bool authoritative;
	bool truncated;
	uint64_t passed[2 * ANSWER_CHAIN_MAX]; /* hashes of the links of the chain so far */
	unsigned passed_count;
};

/* Appends a whole RRset owned by `owner`, or nothing; false where it does not fit. */
MUST_USE bool response_rrset(struct response *r, enum section section, struct name owner,
                             const struct rrset *set);

/* Appends the zone's SOA to the authority section for a negative answer (RFC 2308 §3). */
void response_negative_soa(struct response *r);

/* Answers with the referral of the cut `owner`, whose name is `cut` (RFC 1034 §4.3.2 step 3b). */
void response_referral(struct response *r, const struct owner_view *owner, struct name cut);

/* Adds the addresses of the names that `set` points to, as far as the zone has them and they fit.
 * With `must` (glue of a referral, RFC 9471 §3) what does not fit sets TC. */
void response_addresses(struct response *r, const struct rrset *set, bool must, struct name below);
