/* SPDX-License-Identifier: MIT
 *
 * transfer/soa_query.c — asks a primary for a zone's serial, over UDP. */
#include "transfer/soa_query_p.h"

static const struct ask_rule rule = {
	.opcode = OPCODE_QUERY,
	.tries = 3,
	.wait_s = { 1, 2, 4 },
};

/* Reads the SOA of the apex out of the answer section. */
static enum err read_serial(const struct ask *a, const struct ask_answer *answer,
                            struct serial *out)
{
	struct reader r = answer->records;
	struct rr_scratch scratch;
	struct rr rr;
	struct soa soa;

	TRY(err_from_rcode(header_rcode(&answer->header)));
	if ((answer->header.flags & FLAG_AA) == 0) {
		return ERR_PEER_NOTAUTH;
	}
	for (unsigned i = 0; i < answer->header.ancount; i++) {
		TRY(rr_read(&r, &scratch, &rr));
		if (rr.type == TYPE_SOA && rr.class == CLASS_IN &&
		    name_equal(rr.owner, a->o.apex)) {
			TRY(soa_view(rr.rdata, &soa));
			out->n = soa.serial;
			return ERR_OK;
		}
	}
	return ERR_ZONE_NO_SOA;
}

static void on_done(struct ask *a, enum err e, const struct ask_answer *answer)
{
	struct soa_query *q = container_of(a, struct soa_query, ask);
	struct soa_answer out = { .verdict = SOA_SILENT, .err = e };

	if (e == ERR_OK && (answer->header.flags & FLAG_TC) != 0) {
		out.verdict = SOA_TRUNCATED;
	} else if (e == ERR_OK) {
		out.err = read_serial(a, answer, &out.serial);
		out.verdict = out.err == ERR_OK ? SOA_SERIAL : SOA_FAILED;
	}
	q->done(q, out);
}

enum err soa_query_begin(struct asks *all, struct soa_query *q,
                         const struct soa_query_options *options)
{
	struct ask_options o = { .rule = &rule,
		                 .to = options->to,
		                 .from = options->from,
		                 .apex = options->apex,
		                 .key = options->key,
		                 .done = on_done };

	assert(options->done != NULL);
	q->done = options->done;
	return ask_begin(all, &q->ask, &o);
}

void soa_query_end(struct soa_query *q)
{
	ask_end(&q->ask);
}
