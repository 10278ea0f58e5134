/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_out.h — a transfer to a secondary, as a generator of messages.
 *
 * The generator holds one version by reference, so updates cannot tear it. The dispatcher asks for
 * one message after the other as its connection drains: no I/O here.
 *
 * Ownership: new/free. */
#pragma once

#include "transfer/policy.h"
#include "zonestore/store.h"

struct xfr_out;

struct xfr_out_request {
	const struct snapshot *snap;     /* referenced */
	const struct snapshot *from;     /* IXFR: the version that the client has (zone_kept());
	                                  * referenced. NULL: it is not kept */
	const struct question *question; /* AXFR or IXFR */
	uint16_t id;
	uint16_t flags;   /* of the request: RD is copied */
	struct edns edns; /* present: answered with EDNS in the first message */
	bool has_serial;  /* IXFR: the serial that the client has */
	struct serial serial;
	bool udp;                 /* IXFR over UDP: one message with the SOA alone (RFC 1995 §2) */
	struct tsig_stream *tsig; /* taken (moved): signs the stream; key NULL: unsigned */
};

/* Reads the client's SOA serial out of an IXFR request's authority section (RFC 1995 §3). */
MUST_USE enum err xfr_out_read_serial(struct reader after_question, const struct header *h,
                                      struct serial *out);

struct xfr_out *xfr_out_new(const struct xfr_out_request *request);
void xfr_out_free(struct xfr_out *x);

/* Composes the next message into `buffer` (at least 64 KiB); empty at the end. ERR_WIRE_SHORT if a
 * record with its TSIG fits no message: the transfer cannot go on. */
MUST_USE enum err xfr_out_next(struct xfr_out *x, uint8_t *buffer, size_t cap, uint64_t now_s,
                               struct bytes *message);

struct xfr_out_totals {
	uint64_t messages;
	uint64_t records;
	uint64_t bytes;
	struct serial serial;
	const char *kind; /* "AXFR", "IXFR" */
	struct name zone; /* borrowed, as is the key's name: as long as the generator lives */
	struct name key;  /* len 0: unsigned */
};
void xfr_out_totals(const struct xfr_out *x, struct xfr_out_totals *out);
