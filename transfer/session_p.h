/* SPDX-License-Identifier: MIT
 *
 * transfer/session_p.h — one transfer in, as a state machine without I/O.
 *
 * A session composes its request, takes whole DNS messages and the clock, and says where it stands.
 * It verifies TSIG before it believes anything, drives the grammar and the builder, and keeps its
 * limits. Nothing that it does is visible to anyone before its owner takes the version it made.
 *
 *	READY --request--> ASKED* --message--> RECEIVING* --end--> DONE
 *	                     |                    |
 *	                     +--one SOA: no news--+--------------> CURRENT
 *	                     +--anything wrong----+--------------> FAILED
 *
 * (* waits for the peer, until session_deadline_ns().)
 *
 * Ownership: init/fini; storage is the caller's. The version made is the session's until
 * session_take_snapshot(). Messages and `scratch` are borrowed for the call. */
#pragma once

#include "dns/message.h"
#include "dns/tsig.h"
#include "transfer/policy.h"
#include "transfer/xfr_grammar_p.h"
#include "zonestore/builder.h"

#define SESSION_REQUEST_MAX_LEN 4096 /* header, question, SOA, TSIG of the longest names */

enum session_state {
	SESSION_READY,
	SESSION_ASKED,
	SESSION_RECEIVING,
	SESSION_DONE,    /* a version is there to be taken */
	SESSION_CURRENT, /* the primary has what we have */
	SESSION_FAILED,
	SESSION_STATES,
};

enum session_kind { SESSION_AXFR, SESSION_IXFR };

enum session_form {
	SESSION_FORM_UNKNOWN,
	SESSION_FORM_WHOLE,
	SESSION_FORM_DIFFERENCES,
};

struct session_options {
	struct name apex; /* borrowed until session_fini() */
	struct pool *pool;
	const struct snapshot *have; /* NULL: nothing; else referenced until session_fini() */
	enum session_kind kind;      /* IXFR needs `have` (asserted) */
	bool force;                  /* AXFR: take the zone whatever its serial */
	bool allow_no_ns;            /* make a version without NS at the apex, too */
	uint16_t id;
	struct tsig_key *key; /* referenced; NULL: unsigned */
	const struct policy_limits *limits;
	struct addr primary;
};

struct session_clock {
	uint64_t mono_ns;
	int64_t wall_s;
};

struct held_soa;

struct session {
	struct session_options options; /* `limits` is not kept here */
	struct policy_limits limits;
	enum session_state state;
	enum err err;           /* FAILED: why */
	bool in_step;           /* ended at the end of the answer: the connection may serve on */
	enum session_form form; /* of what came */
	struct tsig_stream tsig;
	struct xfr_grammar grammar;
	struct builder *builder;
	struct held_soa *held;
	struct snapshot *made;
	uint64_t started_ns;
	uint64_t progress_ns;
	uint64_t messages;
	uint64_t records;
	uint64_t bytes;
	uint64_t outside; /* records out of the zone, ignored */
};

void session_init(struct session *s, const struct session_options *options);
void session_fini(struct session *s);

/* Composes the request into `at` (SESSION_REQUEST_MAX_LEN octets); the session waits from then on.
 * May be called again before the first message, for another connection. */
MUST_USE enum err session_request(struct session *s, struct session_clock now, uint8_t *at,
                                  struct bytes *out);

/* Does the message have the id and, where it says one, the question of this session's request? */
bool session_fits(const struct session *s, struct bytes message);

/* Takes the next message; returns the state reached. */
enum session_state session_message(struct session *s, struct bytes message,
                                   struct session_clock now, struct rr_scratch *scratch);

/* Octets of a message arrived: the idle time begins anew. */
static inline void session_touch(struct session *s, uint64_t now_ns)
{
	s->progress_ns = now_ns;
}

/* When session_late() must be called: the end of the idle or of the total time. */
uint64_t session_deadline_ns(const struct session *s);

/* Fails with what was exceeded if the deadline has passed. */
enum session_state session_late(struct session *s, uint64_t now_ns);

/* Fails a waiting session from outside: the connection broke, or the zone is taken away. */
void session_fail(struct session *s, enum err e);

/* The serial that the primary announced; 0 before its first record. */
static inline struct serial session_serial(const struct session *s)
{
	return s->grammar.target;
}

/* "AXFR" or "IXFR": what came, once that is known, else what was asked for. */
const char *session_kind_print(const struct session *s);

/* Hands the version over (DONE only, asserted); the caller owns the reference. */
struct snapshot *session_take_snapshot(struct session *s);
