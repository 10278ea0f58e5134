/* SPDX-License-Identifier: MIT
 *
 * transfer/conn_p.h — connections to a primary, and the requests that go over them.
 *
 * A request takes an idle connection of its primary or a new one. After its answer the connection
 * stays for a short while and serves others. Where the primary has closed a connection that served
 * before, without a word about the request, the request is sent again over a new one: that is no
 * failure (RFC 7766 §6.2.3).
 *
 *	CONNECTING* --connected--> BUSY* --answer--> IDLE* --request--> BUSY
 *	     |                      |                 |
 *	     +------ broken --------+--- too long ----+----> CLOSING* --operations ended--> gone
 *
 * One request at a time is sent on a connection; they are listed and found by id, so that several
 * may be, once requests are pipelined.
 *
 * Ownership: a request is a field of what asks, from conn_request() until done() or conn_abandon().
 * Connections free themselves. */
#pragma once

#include "ring/io.h"
#include "ring/stream.h"
#include "transfer/primary_p.h"

#define CONN_CONNECT_S  5
#define CONN_IDLE_S     5
#define CONN_IDLE_MAX   256 /* idle connections of all primaries of a shard */
#define REQUEST_MAX_LEN 4096

struct request;

enum request_next {
	REQUEST_MORE,   /* the answer goes on */
	REQUEST_OVER,   /* the answer is complete */
	REQUEST_BROKEN, /* nothing more is wanted, and more may come: the connection ends */
};

struct request_ops {
	/* Composes the message into REQUEST_MAX_LEN octets; again for another connection. */
	enum err (*compose)(struct request *r, uint8_t *at, struct bytes *out);
	/* Takes a message of the answer; nothing else is done in here. */
	enum request_next (*message)(struct request *r, struct bytes message);
	/* The last word: ERR_OK after OVER and BROKEN, or why there will be no answer. */
	void (*done)(struct request *r, enum err e);
};

struct request {
	const struct request_ops *ops;
	struct conn *conn; /* NULL: not under way */
	struct request *next;
	uint64_t heard_ns; /* last octets of the answer; 0: none yet */
	uint16_t id;
	bool connected; /* a connection for it came to be */
};

/* Begins a request, whose ops and id are set. done() is never called from in here; on failure the
 * request is not under way. */
MUST_USE enum err conn_request(struct primary *p, struct request *r);

/* Ends a request whose answer nobody waits for any more, without done(). */
void conn_abandon(struct request *r);

/* Ends all connections of all primaries: no request is under way (asserted). What still waits for
 * completions is freed by them. */
void conn_close_all(struct primaries *all);
