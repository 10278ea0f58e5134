/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_in.c — judges a NOTIFY that came in (RFC 1996). */
#include "dns/message.h"
#include "transfer/transfer.h"

/* RFC 1996 §3.7: the answer section may hold the new SOA, as a hint. */
static bool read_hint(struct reader *r, const struct header *h, struct name apex,
                      struct serial *out)
{
	struct rr_scratch scratch;
	struct rr rr;
	struct soa soa;

	if (h->ancount == 0 || rr_read(r, &scratch, &rr) != ERR_OK || rr.type != TYPE_SOA ||
	    rr.class != CLASS_IN || !name_equal(rr.owner, apex) ||
	    soa_view(rr.rdata, &soa) != ERR_OK) {
		return false;
	}
	out->n = soa.serial;
	return true;
}

enum err transfer_notify_judge(const struct zone *zone, const struct addr *from,
                               const struct tsig_key *key, struct bytes message,
                               struct transfer_notice *out)
{
	const struct zone_policy *policy = zone_policy(zone);
	struct reader r = reader_of(message);
	struct transfer_notice notice = { .from = *from };
	struct question q;
	struct header h;

	TRY(header_read(&r, &h));
	if ((h.flags & FLAG_QR) != 0 || header_opcode(&h) != OPCODE_NOTIFY || h.qdcount != 1) {
		return ERR_WIRE_HEADER;
	}
	TRY(question_read(&r, &q));
	if (q.type != TYPE_SOA || q.class != CLASS_IN ||
	    !name_equal(name_of(&q.name), zone_apex(zone))) {
		return ERR_PEER_MISMATCH;
	}
	if (policy == NULL || !policy_may_notify(policy, from, key)) {
		return ERR_NOT_ALLOWED;
	}
	notice.has_serial = read_hint(&r, &h, zone_apex(zone), &notice.serial);
	*out = notice;
	return ERR_OK;
}
