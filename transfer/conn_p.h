/* SPDX-License-Identifier: MIT
 *
 * transfer/conn_p.h — connections to a primary, and the requests that go over them.
 *
 * Many requests share few connections: they are sent one behind the other and their answers found by
 * id, in whatever order they come (RFC 7766 §6.2.1.1, RFC 9103 §6). What is urgent has connections of
 * its own, so that it does not wait behind what is bulky. A request that no connection takes yet waits
 * at its primary. After their last answer connections stay for a short while.
 *
 * Not every primary can do that. One that closes, drops or mixes up what it is asked so is recognised
 * by it, is asked less at a time from then on (enum primary_ability), and what it owes is asked again:
 * that is no failure of the request (RFC 7766 §6.2.3).
 *
 *	CONNECTING* --connected--> BUSY* --last answer--> IDLE* --request--> BUSY
 *	     |                      |                      |
 *	     +------ broken --------+------- too long -----+----> CLOSING* --operations ended--> gone
 *
 * Ownership: a request is a field of what asks, from conn_request() until done() or conn_abandon().
 * Connections free themselves. */
#pragma once

#include "ring/io.h"
#include "ring/stream.h"
#include "transfer/primary_p.h"

#define CONN_CONNECT_S    5
#define CONN_IDLE_S       5
#define CONN_IDLE_MAX     1024 /* idle connections of all primaries of a shard */
#define CONN_LOOK_MS      100 /* between looks at a connection with requests behind others, or idle */
#define CONN_DEPTH_MAX    64 /* requests on one connection */
#define CONN_GROW_DEPTH   2  /* requests on every connection before there is another */
#define CONN_ORPHANS_MAX  16 /* answers that nobody waits for any more, of one connection */
#define CONN_SILENCE_S    4  /* least time after which a request is held to have been dropped */
#define CONN_OCCUPIED_NS  (50 * NS_PER_MS)  /* one answer takes so long: others go elsewhere */
#define CONN_PROMPT_NS    (500 * NS_PER_MS) /* closed so soon after an answer: because of it */
#define CONN_STRIKES_MAX  3  /* connections in a row that end so, before it is a habit */
#define CONN_PROOFS_MIN   64 /* requests in a row answered behind others that make up for them */
#define CONN_STRIKE_S     1  /* least time between those that only lose requests */
#define REQUEST_TRIES_MAX 8  /* connections in a row that end without an answer to anybody */
#define REQUEST_SENDS_MAX 64 /* connections at all that one request is sent over */
#define REQUEST_MAX_LEN   4096

enum request_next {
	REQUEST_MORE,   /* the answer goes on */
	REQUEST_OVER,   /* the answer is complete */
	REQUEST_BROKEN, /* nothing more is wanted, and more may come: the connection ends */
};

struct request_ops {
	/* Composes the message with r->id into REQUEST_MAX_LEN octets; again for another connection. */
	enum err (*compose)(struct request *r, uint8_t *at, struct bytes *out);
	/* Does the message answer this very question? Asked where answers may have been mixed up. */
	bool (*fits)(const struct request *r, struct bytes message);
	/* Takes a message of the answer; nothing else is done in here. */
	enum request_next (*message)(struct request *r, struct bytes message);
	/* The last word: ERR_OK after OVER and BROKEN, or why there will be no answer. */
	void (*done)(struct request *r, enum err e);
};

struct request {
	const struct request_ops *ops;
	bool urgent;
	/* private from here */
	struct primary *primary; /* NULL: not under way */
	struct conn *conn;       /* NULL: waits at the primary */
	struct request *next;
	uint64_t queued_ns; /* when it began to wait at the primary */
	uint64_t sent_ns;   /* 0: not sent yet */
	uint64_t first_ns;  /* first octets of the answer; 0: none yet */
	uint64_t heard_ns;  /* see request_heard_ns() */
	uint16_t id;
	uint8_t tries;  /* connections that brought no answer to anybody */
	uint8_t sends;  /* connections at all */
	bool overtaken; /* one that was sent after it was answered */
	bool connected; /* a connection for it came to be */
};

/* Begins a request, whose ops and urgency are set. done() is called from in here only if the request
 * cannot be composed. What is to be sent goes with conns_flush(). */
void conn_request(struct primary *p, struct request *r);

/* Ends a request whose answer nobody waits for any more, without done(). */
void conn_abandon(struct request *r);

/* Ends with `e` all requests that no connection has taken: the primary was found to be down, and those
 * need not find out, too. */
void conn_give_up(struct primary *p, enum err e);

/* True while it waits at the primary for a connection to take it. */
static inline bool request_waits(const struct request *r)
{
	return r->primary != NULL && r->conn == NULL;
}

/* When octets last came over the connection of a request that is under way, since it was sent; 0 if
 * none did. What overtakes it does not count. */
uint64_t request_heard_ns(const struct request *r);

/* Sends what was asked since the last time. */
void conns_flush(struct primaries *all);

/* Ends all connections of all primaries: no request is under way (asserted). What still waits for
 * completions is freed by them. */
void conn_close_all(struct primaries *all);
