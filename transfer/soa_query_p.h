/* SPDX-License-Identifier: MIT
 *
 * transfer/soa_query_p.h — asks a primary for a zone's serial, over UDP (RFC 1034 §4.3.5).
 *
 * Ownership: a field of what asks, from soa_query_begin() until done() or soa_query_end(). */
#pragma once

#include "dns/serial.h"
#include "transfer/ask_p.h"

struct soa_query;

enum soa_verdict {
	SOA_SERIAL,    /* `serial` is the primary's */
	SOA_TRUNCATED, /* ask over TCP */
	SOA_SILENT,    /* no answer to any try */
	SOA_FAILED,    /* `err` says what it answered */
};

struct soa_answer {
	enum soa_verdict verdict;
	struct serial serial;
	enum err err;
};

struct soa_query {
	struct ask ask;
	void (*done)(struct soa_query *q, struct soa_answer answer);
};

struct soa_query_options {
	struct addr to;
	struct addr from;
	struct name apex; /* borrowed until the end */
	struct tsig_key *key;
	void (*done)(struct soa_query *q, struct soa_answer answer);
};

/* done() is never called from in here. */
MUST_USE enum err soa_query_begin(struct asks *all, struct soa_query *q,
                                  const struct soa_query_options *options);
void soa_query_end(struct soa_query *q);
