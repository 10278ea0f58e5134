/* SPDX-License-Identifier: MIT
 *
 * answer/answer.h — one query in, one response out, from a version of a zone.
 *
 * The dispatcher has read the message and verified its TSIG; this room looks the question up in the
 * store and composes the response. It borrows versions for the duration of the call, allocates
 * nothing and takes no lock. The response is left in the composer, so that the caller can append a
 * TSIG record (room for it is `reserve`).
 *
 * Ownership: a struct answer_scratch is storage for one call at a time, one a shard. */
#pragma once

#include "dns/message.h"
#include "zonestore/store.h"

#define ANSWER_UDP_MAX_LEN   1232 /* largest UDP response, whatever the client offers */
#define ANSWER_CHAIN_MAX     16   /* CNAMEs and DNAMEs followed for one question */
#define ANSWER_ADDRESSES_MAX 32   /* targets whose addresses are added, but for glue */

struct answer_request {
	struct header header;
	const struct question *question; /* NULL: could not be read */
	struct edns edns;
	bool udp;
	size_t reserve; /* octets kept free for a TSIG record */
};

struct answer_scratch {
	struct composer composer;
	struct rr_scratch rr;
	struct name_buf name;   /* where a chain of CNAMEs stands */
	struct name_buf target; /* a name found in rdata */
	uint8_t message[MESSAGE_MAX_LEN];
};

/* Answers a QUERY for a name and type; AXFR and IXFR are not for here (NOTIMP). The response stands
 * in scratch->composer.w. Returns its RCODE. */
enum rcode answer_query(const struct store *st, const struct answer_request *rq,
                        struct answer_scratch *scratch);

/* The zone that answers: the closest above the name, but the parent's side for DS (RFC 4035
 * §3.1.4.1) if we have it. NULL if none does. */
struct zone *answer_zone(const struct store *st, const struct question *q);

/* Composes a response without records: FORMERR, NOTIMP, REFUSED, NOTAUTH, BADVERS, ... or, with
 * NOERROR and `flags` FLAG_AA, the answer to a NOTIFY (RFC 1996 §4.7). */
void answer_empty(const struct answer_request *rq, enum rcode rcode, uint16_t flags,
                  struct answer_scratch *scratch);
