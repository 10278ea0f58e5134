/* SPDX-License-Identifier: MIT
 *
 * transfer/ask_p.h — one question over UDP until its answer: SOA queries and NOTIFYs out.
 *
 * Questions share a handful of sockets of random ports, which are replaced after so many questions;
 * each question has a random id and a random socket. An answer counts if socket, address, id,
 * opcode and question fit and, where there is a key, its TSIG does. What does not fit is ignored
 * and the wait goes on (RFC 5452 §9, RFC 8945 §5.3.2): a forger must not be able to end a question.
 * A question is repeated octet for octet, so that a late answer to an earlier try is one as well.
 *
 * Ownership: a question is a field of what asks, from ask_begin() until done() or ask_end(). */
#pragma once

#include "dns/message.h"
#include "dns/tsig.h"
#include "ring/io.h"

#define ASK_TRIES_MAX   8
#define ASK_SOCKETS     8   /* of each family */
#define ASK_SOCKET_USES 512 /* questions until a socket is replaced */
#define ASK_BUCKETS     256
#define ASK_MESSAGE_MAX 1232 /* fits every path unfragmented */

struct ask;
struct ask_socket;

struct ask_rule {
	enum opcode opcode;
	uint16_t flags; /* besides the opcode */
	unsigned tries;
	uint32_t wait_s[ASK_TRIES_MAX]; /* after each try */
};

/* An answer: the reader stands after the question. Borrowed for the call. */
struct ask_answer {
	struct header header;
	struct reader records;
};

struct ask_options {
	const struct ask_rule *rule;
	struct addr to;
	struct addr from;     /* family 0: any */
	struct name apex;     /* of the question for SOA, IN; borrowed until the end */
	struct tsig_key *key; /* referenced; NULL: unsigned */
	/* Appends records; NULL if there are none. Yields the same each time. */
	bool (*compose)(struct ask *a, struct composer *c);
	/* ERR_OK with the answer, or ERR_PEER_TIMEOUT. The question is over. */
	void (*done)(struct ask *a, enum err e, const struct ask_answer *answer);
};

struct asks;

struct ask {
	struct asks *all; /* NULL: not under way */
	struct ask_options o;
	struct ask *next; /* of its bucket */
	struct ask **back;
	struct ask_socket *socket;
	struct tsig_stream tsig;
	struct io_timer timer;
	int64_t signed_s;
	uint16_t id;
	uint8_t tries;
};

struct asks {
	struct io *io;
	struct ask *buckets[ASK_BUCKETS]; /* by id */
	struct ask_socket *sockets[2][ASK_SOCKETS];
	unsigned count;
};

void asks_init(struct asks *all, struct io *io);
/* Closes the sockets; no question is under way (asserted). */
void asks_fini(struct asks *all);

/* Sends the question. done() is never called from in here. */
MUST_USE enum err ask_begin(struct asks *all, struct ask *a, const struct ask_options *options);

/* Ends a question without done(); a no-op if it is not under way. */
void ask_end(struct ask *a);
