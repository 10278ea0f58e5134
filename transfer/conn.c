/* SPDX-License-Identifier: MIT
 *
 * transfer/conn.c — connections to a primary, and the requests that go over them. */
#include "transfer/conn_p.h"

#include <stdlib.h>

#include "base/arena.h"

enum conn_state {
	CONN_CONNECTING,
	CONN_BUSY,
	CONN_IDLE,
	CONN_CLOSING,
	CONN_STATES,
};

#define MAY(state) (1U << (state))

static const struct {
	unsigned edges;     /* may go to */
	unsigned timeout_s; /* 0: its requests have deadlines of their own */
} rules[CONN_STATES] = {
	[CONN_CONNECTING] = { MAY(CONN_BUSY) | MAY(CONN_CLOSING), CONN_CONNECT_S },
	[CONN_BUSY] = { MAY(CONN_IDLE) | MAY(CONN_CLOSING), 0 },
	[CONN_IDLE] = { MAY(CONN_BUSY) | MAY(CONN_CLOSING), CONN_IDLE_S },
	[CONN_CLOSING] = { 0, 0 },
};

struct conn {
	struct io *io;
	struct primary *primary; /* NULL when closing */
	struct conn *next;       /* of the primary */
	struct conn **back;
	enum conn_state state;
	unsigned pins; /* handlers that run: not to be freed under them */
	uint32_t served;
	struct io_socket socket;
	struct io_op write; /* connect, then sends */
	struct io_op recv;
	struct io_timer timer;
	struct stream stream;
	struct request *requests;
	uint8_t *out; /* being sent, with its length before it */
	size_t out_len;
	uint64_t opened_ns;
};

static void conn_break(struct conn *c, enum err e);

static void conn_move(struct conn *c, enum conn_state to)
{
	assert(to < CONN_STATES);
	assert((rules[c->state].edges & MAY(to)) != 0);
	if (c->state == CONN_IDLE) {
		c->primary->all->idle_conns--;
	}
	if (to == CONN_IDLE) {
		c->primary->all->idle_conns++;
	}
	c->state = to;
	if (rules[to].timeout_s != 0) {
		io_timer_set(c->io, &c->timer, io_now_ns(c->io) + rules[to].timeout_s * NS_PER_S);
	} else {
		io_timer_clear(c->io, &c->timer);
	}
}

static void conn_free_if_ended(struct conn *c)
{
	if (c->state == CONN_CLOSING && c->pins == 0 && !c->write.waiting && !c->recv.waiting) {
		stream_fini(&c->stream);
		free(c->out);
		free(c);
	}
}

/* Leaves the primary and ends what is in flight; the memory goes with the last completion. */
static void conn_close(struct conn *c)
{
	assert(c->requests == NULL);
	conn_move(c, CONN_CLOSING);
	*c->back = c->next;
	if (c->next != NULL) {
		c->next->back = c->back;
	}
	c->primary->conn_count--;
	c->primary = NULL;
	if (io_socket_open(c->socket)) {
		io_close(c->io, c->socket);
		c->socket = IO_SOCKET_NONE;
	} else {
		io_cancel(c->io, &c->write);
	}
	conn_free_if_ended(c);
}

static struct request *detach(struct conn *c, struct request *r)
{
	struct request **at = &c->requests;

	while (*at != r) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = r->next;
	r->next = NULL;
	r->conn = NULL;
	return r;
}

/* ---- requests ---- */

/* Composes a request and sends it. On failure nothing is sent. */
static enum err conn_send(struct conn *c, struct request *r)
{
	uint8_t at[REQUEST_MAX_LEN];
	struct bytes message;

	assert(!c->write.waiting && io_socket_open(c->socket));
	TRY(r->ops->compose(r, at, &message));
	assert(message.len <= sizeof(at));
	c->out_len = message.len + 2;
	c->out = mem_grow(c->out, c->out_len);
	store_u16(c->out, (uint16_t)message.len); /* RFC 1035 §4.2.2 */
	memcpy(c->out + 2, message.at, message.len);
	io_send(c->io, &c->write, c->socket, bytes_of(c->out, c->out_len));
	return ERR_OK;
}

static void conn_on_write(struct io_op *op, struct io_done done);
static void conn_on_recv(struct io_op *op, struct io_done done);
static void conn_on_timer(struct io_timer *timer);

/* Opens a connection for a request. */
static void conn_open(struct primary *p, struct request *r)
{
	struct conn *c = mem_zero(1, sizeof(*c));

	c->io = p->all->io;
	c->primary = p;
	c->socket = IO_SOCKET_NONE;
	c->write.fn = conn_on_write;
	c->recv.fn = conn_on_recv;
	c->timer.fn = conn_on_timer;
	c->opened_ns = io_now_ns(c->io);
	c->requests = r;
	r->conn = c;
	c->next = p->conns;
	c->back = &p->conns;
	if (c->next != NULL) {
		c->next->back = &c->next;
	}
	p->conns = c;
	p->conn_count++;
	io_timer_set(c->io, &c->timer, c->opened_ns + CONN_CONNECT_S * NS_PER_S);
	io_connect(c->io, &c->write, &p->addr, p->source.family == 0 ? NULL : &p->source);
}

enum err conn_request(struct primary *p, struct request *r)
{
	struct conn *c = p->conns;

	assert(r->conn == NULL && r->next == NULL);
	r->heard_ns = 0;
	r->connected = false;
	while (c != NULL && (c->state != CONN_IDLE || c->write.waiting)) {
		c = c->next;
	}
	if (c == NULL) {
		conn_open(p, r);
		return ERR_OK;
	}
	TRY(conn_send(c, r));
	conn_move(c, CONN_BUSY);
	c->requests = r;
	r->conn = c;
	r->connected = true;
	return ERR_OK;
}

void conn_abandon(struct request *r)
{
	struct conn *c = r->conn;

	if (c == NULL) {
		return;
	}
	detach(c, r);
	if (c->requests == NULL) {
		conn_close(c); /* an answer that comes late must not meet another request */
	}
}

void conn_close_all(struct primaries *all)
{
	for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) {
		for (struct primary *p = all->buckets[i]; p != NULL; p = p->chain) {
			while (p->conns != NULL) {
				conn_close(p->conns);
			}
		}
	}
}

/* ---- what happens ---- */

/* The connection is of no more use. Requests that met a connection already dying go to a new one;
 * the others end. */
static void conn_break(struct conn *c, enum err e)
{
	struct primary *p = c->primary;
	struct request *r = c->requests;
	bool stale = c->served > 0 && e == ERR_PEER_CLOSED;

	c->requests = NULL;
	if (c->state == CONN_CONNECTING) {
		primary_unreached(p, e);
	}
	conn_close(c);
	while (r != NULL) {
		struct request *next = r->next;

		r->next = NULL;
		r->conn = NULL;
		if (stale && r->heard_ns == 0) {
			r->connected = false;
			conn_open(p, r);
		} else {
			r->ops->done(r, e);
		}
		r = next;
	}
}

static void conn_connected(struct conn *c, struct io_socket socket)
{
	struct request *r = c->requests;
	enum err e;

	c->socket = socket;
	primary_connected(c->primary, io_now_ns(c->io) - c->opened_ns);
	r->connected = true;
	io_recv(c->io, &c->recv, c->socket);
	conn_move(c, CONN_BUSY);
	e = conn_send(c, r);
	if (e != ERR_OK) {
		conn_break(c, e);
	}
}

static void conn_on_write(struct io_op *op, struct io_done done)
{
	struct conn *c = container_of(op, struct conn, write);

	if (c->state == CONN_CLOSING) {
		conn_free_if_ended(c);
	} else if (done.err != ERR_OK) {
		conn_break(c, done.err);
	} else if (c->state == CONN_CONNECTING) {
		conn_connected(c, done.socket);
	}
}

/* The answer is over: the connection waits for another request, if there is room for it to. */
static void conn_rest(struct conn *c)
{
	c->served++;
	if (c->primary->all->idle_conns < CONN_IDLE_MAX) {
		conn_move(c, CONN_IDLE);
	} else {
		conn_close(c);
	}
}

static void conn_message(struct conn *c, struct bytes message)
{
	struct request *r = c->requests;

	if (r == NULL) {
		conn_break(c, ERR_PEER_MISMATCH); /* nothing was asked */
		return;
	}
	/* With one request at a time, one with another id is an answer gone wrong: its own check
	 * of the id will say so. */
	switch (r->ops->message(r, message)) {
	case REQUEST_MORE:
		return;
	case REQUEST_OVER:
		detach(c, r);
		conn_rest(c);
		break;
	case REQUEST_BROKEN:
		detach(c, r);
		conn_close(c);
		break;
	}
	r->ops->done(r, ERR_OK);
}

static void conn_on_recv(struct io_op *op, struct io_done done)
{
	struct conn *c = container_of(op, struct conn, recv);
	struct bytes message;

	if (c->state == CONN_CLOSING) {
		io_return(c->io, done.lease);
		conn_free_if_ended(c);
		return;
	}
	if (done.err != ERR_OK || done.end) {
		conn_break(c, done.end ? ERR_PEER_CLOSED : done.err);
		return;
	}
	c->pins++;
	for (struct request *r = c->requests; r != NULL; r = r->next) {
		r->heard_ns = io_now_ns(c->io);
	}
	stream_feed(&c->stream, done.data);
	while (c->state != CONN_CLOSING && stream_next(&c->stream, &message)) {
		conn_message(c, message);
	}
	io_return(c->io, done.lease);
	c->pins--;
	conn_free_if_ended(c);
}

static void conn_on_timer(struct io_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);

	assert(c->state == CONN_CONNECTING || c->state == CONN_IDLE);
	conn_break(c, ERR_PEER_TIMEOUT);
}
