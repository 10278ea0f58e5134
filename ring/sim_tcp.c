/* SPDX-License-Identifier: MIT
 *
 * ring/sim_tcp.c — connections of the simulator.
 *
 * Each end keeps what it has sent and the peer has not read. One event at a time is under way for
 * each direction: it brings the next piece, or the end, to the peer. If the peer does not receive,
 * the piece lies there (`arrived`) and the next receive gets it. */
#include "ring/sim_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define RESEND_DOUBLINGS_MAX 9 /* 102 s, about what systems take */

static struct sim_end *peer_of(struct sim_end *end)
{
	return &end->conn->ends[end == &end->conn->ends[0] ? 1 : 0];
}

static struct sim *sim_of(const struct sim_sock *s)
{
	return s->node->sim;
}

void sim_conn_unref(struct sim_conn *conn)
{
	assert(conn->refs > 0);
	if (--conn->refs == 0) {
		free(conn->ends[0].sent);
		free(conn->ends[1].sent);
		free(conn);
	}
}

static void sent_drop(struct sim_end *end)
{
	free(end->sent);
	end->sent = NULL;
	end->sent_len = 0;
}

/* Breaks the connection as seen from one end: what waits there hears of it. */
static void end_break(struct sim_end *end, enum err e)
{
	struct sim_sock *s = end->sock;

	if (end->fault != ERR_OK) {
		return;
	}
	end->fault = e;
	end->arrived = false;
	sent_drop(end);
	if (s != NULL && sim_op_wants(s->in)) {
		sim_op_complete(s->node, s->in, (struct io_done){ .err = e });
	}
	if (s != NULL && sim_op_wants(s->out)) {
		sim_op_complete(s->node, s->out, (struct io_done){ .err = e });
	}
}

static void send_reset(struct sim *sim, struct sim_end *to)
{
	struct sim_link link = sim_link_between(sim, &to->addr, &peer_of(to)->addr);

	sim_after(sim, sim_delay(sim, &link),
	          (struct sim_event){ .kind = SIM_EVENT_RESET, .end = to });
}

/* --- Streams -------------------------------------------------------------------------------- */

static void flow_after(struct sim *sim, struct sim_end *end, uint64_t ns)
{
	assert(!end->flowing);
	end->flowing = true;
	sim_after(sim, ns, (struct sim_event){ .kind = SIM_EVENT_PIECE, .end = end });
}

/* Sends the first of what there is on its way. */
static void flow(struct sim *sim, struct sim_end *end)
{
	struct sim_link link = sim_link_between(sim, &end->addr, &peer_of(end)->addr);
	bool something = end->sent_len > 0 || (end->fin && !end->fin_seen);

	if (something && !end->flowing && !end->arrived && end->fault == ERR_OK) {
		flow_after(sim, end, sim_delay(sim, &link));
	}
}

/* The next piece follows closely, as fast as the link allows. */
static void flow_on(struct sim *sim, struct sim_end *end, size_t len)
{
	struct sim_link link = sim_link_between(sim, &end->addr, &peer_of(end)->addr);
	uint64_t gap = link.delay_min_ns / 8;

	if (link.rate_bytes_s > 0) {
		gap = (uint64_t)len * NS_PER_S / link.rate_bytes_s;
	} else {
		gap = env_random_below(&sim->clock.env, (uint32_t)(gap % UINT32_MAX) + 1);
	}
	if (end->sent_len > 0 || (end->fin && !end->fin_seen)) {
		flow_after(sim, end, gap);
	}
}

/* Moves octets of a waiting send to what was sent, as far as the window allows. */
static void pump(struct sim *sim, struct sim_end *end)
{
	struct io_op *op = end->sock == NULL ? NULL : end->sock->out;
	struct sim_link link = sim_link_between(sim, &end->addr, &peer_of(end)->addr);
	size_t len;

	if (!sim_op_wants(op) || (op->kind & SIM_KIND_MASK) != SIM_SEND ||
	    end->sent_len >= link.window_len) {
		return;
	}
	len = link.window_len - end->sent_len;
	len = op->len < len ? op->len : len;
	end->sent = mem_grow(end->sent, end->sent_len + len);
	memcpy(end->sent + end->sent_len, op->at, len);
	end->sent_len += len;
	op->at += len;
	op->len -= len;
	if (op->len == 0) {
		sim_op_complete(end->sock->node, op, (struct io_done){ .err = ERR_OK });
	}
	flow(sim, end);
}

/* Hands what has arrived from `end` to its peer, if that receives. */
static void deliver(struct sim *sim, struct sim_end *end)
{
	struct sim_sock *s = peer_of(end)->sock;
	struct sim_link link = sim_link_between(sim, &end->addr, &peer_of(end)->addr);
	struct io_done done = { .more = true };
	size_t len = end->sent_len;

	end->arrived = s == NULL || !sim_op_wants(s->in);
	if (end->arrived) {
		return;
	}
	if (len == 0) {
		assert(end->fin);
		end->fin_seen = true;
		sim_op_complete(s->node, s->in, (struct io_done){ .end = true });
		return;
	}
	len = len < link.piece_max_len ? len : link.piece_max_len;
	len = 1 + env_random_below(&sim->clock.env, (uint32_t)len);
	done.lease = sim_lease_new(s->node, bytes_of(end->sent, len), &done.data);
	sim_op_complete(s->node, s->in, done);
	end->sent_len -= len;
	memmove(end->sent, end->sent + len, end->sent_len);
	flow_on(sim, end, len);
	pump(sim, end);
}

/* A piece was lost: it comes later, or never. */
static void resend(struct sim *sim, struct sim_end *end)
{
	unsigned doublings = end->tries < RESEND_DOUBLINGS_MAX ? end->tries : RESEND_DOUBLINGS_MAX;

	if (end->tries++ < SIM_RESENDS_MAX) {
		flow_after(sim, end, SIM_RESEND_NS << doublings);
	} else {
		end_break(end, ERR_PEER_TIMEOUT); /* the peer does not learn of it */
	}
}

static void on_piece(struct sim *sim, struct sim_end *end)
{
	struct sim_end *peer = peer_of(end);
	struct sim_link link = sim_link_between(sim, &end->addr, &peer->addr);

	end->flowing = false;
	if (end->fault != ERR_OK) {
		return;
	}
	if (link.cut || sim_chance(sim, link.loss_ppm)) {
		resend(sim, end);
		return;
	}
	end->tries = 0;
	if (sim_chance(sim, link.reset_ppm)) {
		end_break(end, ERR_PEER_CLOSED);
		end_break(peer, ERR_PEER_CLOSED);
	} else if (peer->gone || peer->fault != ERR_OK) {
		end->fin_seen = true;
		if (end->sent_len > 0) {
			send_reset(sim, end); /* nobody is there to read it */
		}
	} else {
		deliver(sim, end);
	}
}

void sim_recv(struct io *io, struct io_op *op, struct io_socket n)
{
	struct sim_sock *s = sim_sock_of(sim_node_of(io), n);
	struct sim_end *peer;

	assert(s->kind == SIM_SOCK_STREAM);
	sim_op_begin(s, op, SIM_RECV);
	peer = peer_of(s->end);
	if (s->end->fault != ERR_OK) {
		sim_op_complete(s->node, op, (struct io_done){ .err = s->end->fault });
	} else if (peer->fin_seen) {
		sim_op_complete(s->node, op, (struct io_done){ .end = true });
	} else if (peer->arrived) {
		deliver(sim_of(s), peer);
	}
}

void sim_send(struct io *io, struct io_op *op, struct io_socket n, struct bytes b)
{
	struct sim_sock *s = sim_sock_of(sim_node_of(io), n);

	assert(s->kind == SIM_SOCK_STREAM);
	assert(b.len > 0 && b.len <= IO_SEND_MAX_LEN);
	sim_op_begin(s, op, SIM_SEND);
	op->at = b.at;
	op->len = b.len;
	if (s->end->fault != ERR_OK || s->end->fin) {
		enum err e = s->end->fin ? ERR_PEER_CLOSED : s->end->fault;
		sim_op_complete(s->node, op, (struct io_done){ .err = e });
		return;
	}
	pump(sim_of(s), s->end);
}

void sim_shutdown(struct io *io, struct io_socket n)
{
	struct sim_sock *s = sim_sock_of(sim_node_of(io), n);

	assert(s->kind == SIM_SOCK_STREAM && s->out == NULL);
	s->end->fin = true;
	flow(sim_of(s), s->end);
}

/* The owner has closed it. What was sent still arrives, unless something received was not read:
 * systems answer that with a reset. */
void sim_end_close(struct sim_end *end)
{
	struct sim_end *peer = peer_of(end);
	struct sim *sim = sim_of(end->sock);

	end->gone = true;
	end->sock->end = NULL;
	end->sock = NULL;
	if (peer->arrived && peer->sent_len > 0 && end->fault == ERR_OK) {
		end->fault = ERR_PEER_CLOSED;
		sent_drop(end);
		send_reset(sim, peer);
	} else if (peer->conn != NULL) {
		end->fin = true;
		flow(sim, end);
	}
	sim_conn_unref(end->conn);
}

/* --- Listening and accepting ---------------------------------------------------------------- */

enum err sim_listen(struct io *io, const struct addr *at, struct io_socket *out)
{
	struct sim_node *node = sim_node_of(io);
	struct sim_sock *s;

	assert(at->port != 0);
	if (!addr_is_any(at) && !sim_node_owns(node, at)) {
		return ERR_PEER_UNREACHABLE;
	}
	s = sim_sock_new(node, SIM_SOCK_LISTENER);
	s->bound = *at;
	*out = sim_sock_number(s);
	return ERR_OK;
}

static struct sim_conn *backlog_take(struct sim_sock *s)
{
	struct sim_conn *conn = s->backlog;

	s->backlog = conn->next;
	s->backlog_count--;
	conn->next = NULL;
	conn->waiting = false;
	return conn;
}

static void accept_waiting(struct sim_sock *listener)
{
	while (listener->backlog != NULL && sim_op_wants(listener->in)) {
		struct sim_conn *conn = backlog_take(listener);
		struct sim_sock *s = sim_sock_new(listener->node, SIM_SOCK_STREAM);

		s->end = &conn->ends[1];
		s->end->sock = s;
		sim_op_complete(listener->node, listener->in,
		                (struct io_done){ .more = true,
		                                  .socket = sim_sock_number(s),
		                                  .peer = conn->ends[0].addr });
	}
}

void sim_accept(struct io *io, struct io_op *op, struct io_socket n)
{
	struct sim_sock *s = sim_sock_of(sim_node_of(io), n);

	assert(s->kind == SIM_SOCK_LISTENER);
	sim_op_begin(s, op, SIM_ACCEPT);
	accept_waiting(s);
}

void sim_listener_close(struct sim_sock *s)
{
	while (s->backlog != NULL) {
		struct sim_conn *conn = backlog_take(s);
		conn->ends[1].gone = true;
		conn->ends[1].fault = ERR_PEER_CLOSED;
		send_reset(sim_of(s), &conn->ends[0]);
		sim_conn_unref(conn);
	}
}

/* --- Connecting ----------------------------------------------------------------------------- */

static const struct addr *source_of(const struct sim_node *node, const struct addr *to,
                                    const struct addr *from)
{
	if (from == NULL || addr_is_any(from)) {
		return sim_node_addr(node, to->family);
	}
	return from->family == to->family && sim_node_owns(node, from) ? from : NULL;
}

void sim_connect(struct io *io, struct io_op *op, const struct addr *to, const struct addr *from)
{
	struct sim_node *node = sim_node_of(io);
	struct sim_sock *s = sim_sock_new(node, SIM_SOCK_STREAM);
	struct sim_conn *conn = mem_zero(1, sizeof(*conn));
	const struct addr *source = source_of(node, to, from);
	struct sim_link link;

	conn->refs = 1;
	conn->ends[0].conn = conn;
	conn->ends[0].sock = s;
	s->end = &conn->ends[0];
	sim_op_begin(s, op, SIM_CONNECT);
	if (source == NULL) {
		sim_op_complete(
			node, op,
			(struct io_done){ .err = ERR_PEER_UNREACHABLE, .socket = IO_SOCKET_NONE });
		return;
	}
	conn->ends[0].addr = *source;
	conn->ends[0].addr.port = node->next_port++;
	if (node->next_port == 0) {
		node->next_port = SIM_PORT_FIRST;
	}
	conn->ends[1].addr = *to;
	link = sim_link_between(node->sim, source, to);
	sim_after(node->sim, sim_delay(node->sim, &link),
	          (struct sim_event){ .kind = SIM_EVENT_CONNECT, .end = s->end });
}

static void answer_connect(struct sim *sim, struct sim_end *end, uint64_t ns, enum err e)
{
	sim_after(sim, ns, (struct sim_event){ .kind = SIM_EVENT_CONNECTED, .end = end, .err = e });
}

static void connect_again(struct sim *sim, struct sim_end *end)
{
	uint64_t wait = NS_PER_S << end->conn->tries;

	if (++end->conn->tries < SIM_CONNECT_TRIES) {
		sim_after(sim, wait, (struct sim_event){ .kind = SIM_EVENT_CONNECT, .end = end });
	} else {
		answer_connect(sim, end, wait, ERR_PEER_TIMEOUT);
	}
}

static void backlog_add(struct sim_sock *listener, struct sim_conn *conn)
{
	struct sim_conn **last = &listener->backlog;

	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = conn;
	listener->backlog_count++;
	conn->waiting = true;
	conn->refs++;
	conn->ends[1].conn = conn;
	accept_waiting(listener);
}

static void on_connect(struct sim *sim, struct sim_end *end)
{
	struct sim_end *peer = peer_of(end);
	struct sim_link link = sim_link_between(sim, &end->addr, &peer->addr);
	struct sim_sock *listener;

	if (end->gone) {
		return;
	}
	if (link.cut || sim_chance(sim, link.loss_ppm)) {
		connect_again(sim, end);
		return;
	}
	if (!sim_has_address(sim, &peer->addr)) {
		answer_connect(sim, end, SIM_UNREACHABLE_NS, ERR_PEER_UNREACHABLE);
		return;
	}
	listener = sim_find(sim, SIM_SOCK_LISTENER, &peer->addr);
	if (listener == NULL) {
		answer_connect(sim, end, sim_delay(sim, &link), ERR_PEER_REFUSED);
	} else if (listener->backlog_count >= IO_LISTEN_BACKLOG) {
		connect_again(sim, end);
	} else {
		answer_connect(sim, end, sim_delay(sim, &link), ERR_OK);
		backlog_add(listener, end->conn);
	}
}

static void on_connected(struct sim_end *end, enum err e)
{
	struct sim_sock *s = end->sock;

	if (s == NULL || !sim_op_wants(s->out)) {
		return; /* cancelled meanwhile */
	}
	sim_op_complete(
		s->node, s->out,
		(struct io_done){ .err = e,
	                          .socket = e == ERR_OK ? sim_sock_number(s) : IO_SOCKET_NONE });
}

void sim_tcp_event(struct sim *sim, const struct sim_event *event)
{
	struct sim_end *end = event->end;

	switch (event->kind) {
	case SIM_EVENT_CONNECT:
		on_connect(sim, end);
		break;
	case SIM_EVENT_CONNECTED:
		on_connected(end, event->err);
		break;
	case SIM_EVENT_PIECE:
		on_piece(sim, end);
		break;
	case SIM_EVENT_RESET:
		if (!sim_link_between(sim, &end->addr, &peer_of(end)->addr).cut) {
			end_break(end, ERR_PEER_CLOSED);
		}
		break;
	case SIM_EVENT_DATAGRAM:
		assert(false);
		break;
	}
}
