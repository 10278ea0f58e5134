/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_out.h — a transfer to a secondary, as a generator of messages.
 *
 * The generator holds its versions by reference, so updates cannot tear it. The dispatcher asks for
 * one message after the other as its connection drains: no I/O here.
 *
 *	the client has what we have, or more    our SOA alone
 *	its version is kept, and what differs   what differs between the two, however many versions
 *	is smaller than the zone                were between (RFC 1995 §4)
 *	else                                    the whole zone, as for AXFR
 *
 * Over UDP all of it is one message, or our SOA alone, for which the client comes by TCP (RFC 1995
 * §2).
 *
 * Ownership: new/free. */
#pragma once

#include "transfer/policy.h"
#include "transfer/xfr_share.h"
#include "zonestore/store.h"

struct xfr_out;

/* Octets of a message, but for one whose first record is longer: beyond 16 KiB no name can be pointed
 * to, and nothing is gained. */
#define XFR_OUT_MESSAGE_LEN (16U * 1024)

struct xfr_out_request {
	const struct snapshot *snap;     /* referenced */
	const struct snapshot *from;     /* IXFR: the version with `serial` (zone_kept());
	                                  * referenced. NULL: it is not kept */
	const struct question *question; /* AXFR or IXFR */
	uint16_t id;
	uint16_t flags;   /* of the request: RD is copied */
	struct edns edns; /* present: answered with EDNS in the first message */
	bool has_serial;  /* IXFR: the serial that the client has */
	struct serial serial;
	bool udp;                 /* one message no longer than the client takes */
	struct xfr_share *share;  /* with others on this shard; NULL: alone */
	struct tsig_stream *tsig; /* taken (moved): signs the stream; key NULL: unsigned */
};

/* Reads the client's SOA serial out of an IXFR request's authority section (RFC 1995 §3). */
MUST_USE enum err xfr_out_read_serial(struct reader after_question, const struct header *h,
                                      struct serial *out);

struct xfr_out *xfr_out_new(const struct xfr_out_request *request);
void xfr_out_free(struct xfr_out *x);

/* Octets that the next message may have: XFR_OUT_MESSAGE_LEN, or MESSAGE_MAX_LEN. */
size_t xfr_out_room(const struct xfr_out *x);

/* Composes the next message into `buffer` (of xfr_out_room() at least); empty at the end, where this
 * took as long as one turn should take and there is nothing to send yet, or where it needs more room:
 * xfr_out_ended() tells. ERR_WIRE_SHORT if a record with its TSIG fits no message: the transfer
 * cannot go on. */
MUST_USE enum err xfr_out_next(struct xfr_out *x, uint8_t *buffer, size_t cap, uint64_t now_s,
                               struct bytes *message);

bool xfr_out_ended(const struct xfr_out *x);

/* What the answer is. */
enum xfr_out_form {
	XFR_OUT_WHOLE,      /* "AXFR" */
	XFR_OUT_DIFFERENCE, /* "IXFR" */
	XFR_OUT_SOA,        /* "SOA" */
};

struct xfr_out_totals {
	uint64_t messages;
	uint64_t records;
	uint64_t bytes;
	struct serial serial;
	enum xfr_out_form form;
	const char *kind; /* its name */
	struct name zone; /* borrowed, as is the key's name: as long as the generator lives */
	struct name key;  /* len 0: unsigned */
};
void xfr_out_totals(const struct xfr_out *x, struct xfr_out_totals *out);
