/* SPDX-License-Identifier: MIT
 *
 * transfer/conn_inner_p.h — a connection, as its two files see it: conn.c has what it does, conn_learn.c
 * what is learned from it. */
#pragma once

#include "transfer/conn_p.h"

enum conn_state {
	CONN_CONNECTING,
	CONN_BUSY,
	CONN_IDLE,
	CONN_CLOSING,
	CONN_STATES,
};

/* Octets on their way out. */
struct conn_buffer {
	uint8_t *at;
	size_t len;
	size_t cap;
};

struct conn {
	struct io *io;
	struct primary *primary; /* NULL when closing */
	struct conn *next;       /* of the primary */
	struct conn **back;
	enum conn_state state;
	bool urgent;       /* kept for what is urgent */
	bool retired;      /* takes no more requests */
	bool piped;        /* had several requests at once */
	unsigned pins;     /* handlers that run: not to be freed under them */
	uint32_t served;   /* requests answered */
	uint32_t count;    /* requests under way */
	uint64_t heard_ns; /* last octets; 0: none yet */
	uint64_t answered_ns;
	uint64_t opened_ns;
	struct request *requests; /* oldest first */
	struct request **requests_end;
	uint16_t orphans[CONN_ORPHANS_MAX]; /* ids */
	unsigned orphan_count;
	struct io_socket socket;
	struct io_op write; /* connect, then sends */
	struct io_op recv;
	struct io_timer timer;
	struct stream stream;
	struct link dirty;          /* in the table's list, while there is something to send */
	struct conn_buffer out;     /* gathers requests, each after its length */
	struct conn_buffer sending; /* with the kernel */
};

static inline uint64_t conn_now(const struct conn *c)
{
	return io_now_ns(c->io);
}

/* ---- conn_learn.c ---- */

/* A connection ended with `e`: true if it is the number of connections that the primary minds. */
bool conn_too_many(const struct conn *c, enum err e);

/* A connection that had come to be ended with `e`: what that says about the primary. */
void conn_learn_end(const struct conn *c, enum err e);

/* The first message of the answer to `r` came. */
void conn_note_answer(struct conn *c, struct request *r);

/* Was something lost that it was asked? */
bool conn_dropped(const struct conn *c);
