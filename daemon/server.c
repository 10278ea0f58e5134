/* SPDX-License-Identifier: MIT
 *
 * daemon/server.c — the listening side of a shard: datagrams, and connections with many queries.
 *
 * A connection answers its messages in the order they came. Answers gather in an output buffer that is
 * sent as one; while it is full, or while a transfer out fills it message by message, what arrives is
 * held unread. A client that goes on asking without reading is cut off at CONN_HELD_MAX.
 *
 * Transfers share a shard's turns: each gives so many octets to them, in the order in which clients
 * took what they had been sent, and others come in between. A client that is slow has one message
 * made for it at a time, one that is fast as many as SEND_MESSAGES_MAX.
 *
 *	READING <----> FULL (input is held)
 *	   \____________\____> CLOSING (nothing starts; freed when no operation waits) */
#include "daemon/dispatch_p.h"
#include "daemon/parked_p.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "ring/stream.h"
#include "transfer/xfr_out.h"

#define CONNS_MAX       16384         /* connections a shard: for one more, an idle one goes */
#define CONN_OUT_BYTES  (64U * 1024)  /* answers gathered before the input waits */
#define CONN_KEPT_BYTES 8192U         /* of its buffer, by one that waits for questions */
#define CONN_HELD_MAX   (128U * 1024) /* input held for a client that does not read */
#define CONN_IDLE_S     15            /* for one whole message to come, RFC 7766 §6.2.3 */
#define CONN_STALL_S    60            /* for the client to take one buffer, whatever it sends */
#define ACCEPT_AGAIN_MS 100           /* after accepting failed */

#define TURN_BYTES          (256U * 1024) /* of transfers in a turn of the shard: 0.2 to 0.4 ms */
#define TURN_MESSAGE_BYTES  1024U         /* what a message costs besides its octets */
#define SEND_MESSAGES_FIRST 2U            /* of a transfer at once, to a new client */
#define SEND_MESSAGES_MAX   8U
#define SEND_PROVEN_BYTES   (512U * 1024) /* taken before a send is longer: buffers take less */
#define SEND_FAST_MS        5             /* taken within that, the next send is twice as long */
#define SEND_SLOW_MS        50            /* after that it is one message */

struct listener {
	struct server *server;
	struct addr addr;
	struct io_socket tcp;
	struct io_socket udp;
	struct io_op accept;
	struct io_op datagrams;
	struct io_timer again; /* accepting failed (no descriptors left): try later */
};

struct conn_list {
	struct conn *first;
	struct conn *last;
};

struct server {
	struct shard *shard;
	struct listener *listeners;
	size_t listener_count;
	struct conn_list busy;
	struct conn_list idle; /* wait for a question; the last heard of first */
	size_t conn_count;
	struct parking parking;
	/* Transfers that wait for a turn, first come first. */
	struct conn *waiting;
	struct conn **waiting_end;
	struct conn *served;   /* it is its turn */
	struct io_timer again; /* for the turns of those */
	uint64_t turn_ns;      /* which turn it is */
	size_t turn_left;      /* octets that transfers may have in it */
};

enum conn_state {
	CONN_READING,
	CONN_FULL,
	CONN_CLOSING,
};

struct conn {
	struct server *server;
	struct conn_list *list; /* that it is in */
	struct conn *next;
	struct conn *prev;
	enum conn_state state;
	struct io_socket socket;
	struct addr peer;
	struct io_op recv;
	struct io_op send;
	struct io_timer timer;
	struct conn *next_waiting;  /* for a turn */
	struct conn **waiting_back; /* NULL: it does not */
	struct stream stream;
	bool ended;            /* the client sends no more */
	bool heard;            /* something was asked since the timer was set */
	bool broken;           /* a transfer cannot go on: nothing after it would be understood */
	struct xfr_out *xfr;   /* a transfer in the making */
	bool xfr_begun;        /* it has a message already */
	struct parked *parked; /* a question that waits for its zone */
	uint64_t xfr_started_ns;
	uint64_t sent_ns;       /* when the send under way began */
	uint64_t sent_bytes;    /* on this connection */
	unsigned send_messages; /* of a transfer, in the next send */
	uint8_t *held;          /* input that waits for room, owned */
	size_t held_len;
	uint8_t *out; /* answers gathered */
	size_t out_len;
	size_t out_cap;
	uint8_t *sending; /* the buffer under way */
	size_t sending_cap;
};

static void conn_pump(struct conn *c);
static void conn_resume(struct parked *p);

/* ---- lists of connections ---- */

static void conn_unlink(struct conn *c)
{
	*(c->prev == NULL ? &c->list->first : &c->prev->next) = c->next;
	*(c->next == NULL ? &c->list->last : &c->next->prev) = c->prev;
}

static void conn_link(struct conn *c, struct conn_list *list)
{
	c->list = list;
	c->prev = NULL;
	c->next = list->first;
	*(c->next == NULL ? &list->last : &c->next->prev) = c;
	list->first = c;
}

/* Puts it where it belongs by now. */
static void conn_sort(struct conn *c)
{
	bool idle = c->state == CONN_READING && c->xfr == NULL && c->parked == NULL &&
	            c->out_len == 0 && !c->send.waiting;
	struct conn_list *list = idle ? &c->server->idle : &c->server->busy;

	if (c->list != list || (idle && c->heard)) {
		conn_unlink(c);
		conn_link(c, list);
	}
}

static void conn_free_if_idle(struct conn *c)
{
	if (c->recv.waiting || c->send.waiting) {
		return;
	}
	assert(c->state == CONN_CLOSING);
	conn_unlink(c);
	c->server->conn_count--;
	stream_fini(&c->stream);
	free(c->held);
	free(c->out);
	free(c->sending);
	free(c);
}

/* ---- turns of transfers ---- */

static void conn_leave_queue(struct conn *c)
{
	if (c->waiting_back == NULL) {
		return;
	}
	*c->waiting_back = c->next_waiting;
	if (c->next_waiting != NULL) {
		c->next_waiting->waiting_back = c->waiting_back;
	} else {
		c->server->waiting_end = c->waiting_back;
	}
	c->next_waiting = NULL;
	c->waiting_back = NULL;
}

static void conn_enter_queue(struct conn *c)
{
	struct server *sv = c->server;

	assert(c->waiting_back == NULL);
	c->waiting_back = sv->waiting_end;
	*sv->waiting_end = c;
	sv->waiting_end = &c->next_waiting;
	if (!io_timer_is_set(&sv->again)) {
		io_timer_set(sv->shard->io, &sv->again, 1);
	}
}

static void turn_begin(struct server *sv)
{
	sv->turn_ns = io_now_ns(sv->shard->io);
	sv->turn_left = TURN_BYTES;
}

static void turn_take(struct server *sv, size_t octets)
{
	sv->turn_left -= octets < sv->turn_left ? octets : sv->turn_left;
}

/* May this transfer go on at once? Else it waits until it is its turn. */
static bool conn_has_turn(struct conn *c)
{
	struct server *sv = c->server;

	if (sv->turn_ns != io_now_ns(sv->shard->io)) {
		turn_begin(sv);
	}
	if (sv->served == c || (sv->waiting == NULL && sv->turn_left > 0)) {
		return true;
	}
	conn_enter_queue(c);
	return false;
}

/* Ends a connection: nothing new starts, what waits is cancelled, memory goes with the last
 * completion. The only way to free one. */
static void conn_close(struct conn *c, enum err why)
{
	struct shard *s = c->server->shard;

	if (c->state != CONN_CLOSING) {
		c->state = CONN_CLOSING;
		conn_sort(c);
		io_timer_clear(s->io, &c->timer);
		conn_leave_queue(c);
		if (c->parked != NULL) {
			parked_forget(c->parked);
		}
		if (c->xfr != NULL) {
			dispatch_transfer_ended(s, c->xfr, &c->peer, c->xfr_started_ns,
			                        why == ERR_OK ? ERR_PEER_CLOSED : why);
			xfr_out_free(c->xfr);
			c->xfr = NULL;
		}
		io_close(s->io, c->socket);
	}
	conn_free_if_idle(c);
}

static void conn_on_timer(struct io_timer *timer)
{
	conn_close(container_of(timer, struct conn, timer), ERR_PEER_TIMEOUT);
}

static void conn_wait(struct conn *c, uint64_t seconds)
{
	struct io *io = c->server->shard->io;

	io_timer_set(io, &c->timer, io_now_ns(io) + seconds * NS_PER_S);
}

/* Makes room for so many octets more in the output. */
static void conn_reserve(struct conn *c, size_t len)
{
	size_t need = c->out_len + len;

	if (need > c->out_cap) {
		c->out_cap = need < 4096 ? 4096 : need;
		c->out = mem_grow(c->out, c->out_cap);
	}
}

/* Appends a message with its length to the output. */
static void conn_put(struct conn *c, struct bytes message)
{
	assert(message.len <= MESSAGE_MAX_LEN);
	conn_reserve(c, 2 + message.len);
	store_u16(c->out + c->out_len, (uint16_t)message.len);
	memcpy(c->out + c->out_len + 2, message.at, message.len);
	c->out_len += 2 + message.len;
}

static void conn_end_transfer(struct conn *c, enum err e)
{
	dispatch_transfer_ended(c->server->shard, c->xfr, &c->peer, c->xfr_started_ns, e);
	xfr_out_free(c->xfr);
	c->xfr = NULL;
	c->broken = e != ERR_OK;
}

/* Makes the next message of the transfer; false if there is none yet, or no more. The first is all
 * that most zones need: memory is taken for it once its length is known. The others are made where
 * they are sent from. */
static bool conn_transfer_message(struct conn *c)
{
	struct server *sv = c->server;
	uint8_t *at = sv->shard->scratch->message;
	size_t room = xfr_out_room(c->xfr);
	struct bytes message;
	enum err e;

	if (c->xfr_begun) {
		conn_reserve(c, 2 + room);
		at = c->out + c->out_len + 2;
	}
	e = xfr_out_next(c->xfr, at, room, (uint64_t)env_wall_s(sv->shard->io->env), &message);
	if (e != ERR_OK) {
		conn_end_transfer(c, e);
		return false;
	}
	if (message.len > 0 && c->xfr_begun) {
		store_u16(at - 2, (uint16_t)message.len);
		c->out_len += 2 + message.len;
	} else if (message.len > 0) {
		conn_put(c, message);
	} else if (xfr_out_room(c->xfr) <= room && !xfr_out_ended(c->xfr)) {
		turn_take(sv, sv->turn_left); /* it took as long as that */
		return false;
	}
	c->xfr_begun = c->xfr_begun || message.len > 0;
	turn_take(sv, message.len + TURN_MESSAGE_BYTES);
	if (xfr_out_ended(c->xfr)) {
		conn_end_transfer(c, ERR_OK);
		return false;
	}
	return true;
}

/* Fills the output from the transfer with what is sent at once, unless others come first. Only what
 * the client takes is made: the memory for one that is slow is a message. */
static void conn_fill_from_transfer(struct conn *c)
{
	size_t limit = (size_t)c->send_messages * (2 + XFR_OUT_MESSAGE_LEN);
	bool more = c->xfr != NULL && !c->send.waiting && c->waiting_back == NULL;

	if (!more || c->out_len >= limit || !conn_has_turn(c)) {
		return;
	}
	if (c->send_messages > 1 && c->xfr_begun) {
		conn_reserve(c, limit - c->out_len);
	}
	while (more && (c->out_len == 0 || c->out_len + 2 + xfr_out_room(c->xfr) <= limit)) {
		more = conn_transfer_message(c);
	}
	if (c->xfr != NULL && c->out_len == 0) {
		conn_enter_queue(c);
	}
}

/* The others have had their turn: now those who wait for one, as long as there is some left. */
static void server_on_again(struct io_timer *timer)
{
	struct server *sv = container_of(timer, struct server, again);

	turn_begin(sv);
	while (sv->waiting != NULL && sv->turn_left > 0) {
		struct conn *c = sv->waiting;

		conn_leave_queue(c);
		sv->served = c;
		c->heard = true; /* it is we who make the client wait */
		conn_pump(c);
		sv->served = NULL;
	}
	if (sv->waiting != NULL) {
		io_timer_set(sv->shard->io, &sv->again, 1);
	}
}

/* Has the question wait; false if it is to be answered as things are. */
static bool conn_park(struct conn *c, struct bytes frame, struct zone *zone)
{
	struct parked like = { .resume = conn_resume, .owner = c, .message = frame };

	c->heard = true;
	c->parked = parked_new(&c->server->parking, zone, &like);
	return c->parked != NULL;
}

static void conn_answer(struct conn *c, struct bytes frame, bool waited)
{
	struct shard *s = c->server->shard;
	struct inbound in = { frame, c->peer, .waited = waited };
	struct zone *unread;
	struct bytes reply;

	switch (dispatch_message(s, &in, &reply, &c->xfr, &unread)) {
	case DISPATCH_WAIT:
		if (!conn_park(c, frame, unread)) {
			conn_answer(c, frame, true);
		}
		break;
	case DISPATCH_REPLY:
		c->heard = true;
		conn_put(c, reply);
		break;
	case DISPATCH_TRANSFER:
		c->heard = true;
		c->xfr_begun = false;
		c->xfr_started_ns = io_now_ns(s->io);
		conn_fill_from_transfer(c);
		break;
	case DISPATCH_DROP:
		break; /* nor does it keep the connection */
	}
}

static bool conn_has_room(const struct conn *c)
{
	return c->xfr == NULL && c->parked == NULL && c->out_len < CONN_OUT_BYTES && !c->broken;
}

/* Keeps what could not be looked at yet. The frames before it have been answered. */
static void conn_hold(struct conn *c)
{
	struct bytes rest = c->stream.fed;
	uint8_t *at;

	if (rest.len == 0) {
		return;
	}
	at = mem_new(rest.len);
	memcpy(at, rest.at, rest.len);
	free(c->held);
	c->held = at;
	c->held_len = rest.len;
	c->stream.fed = (struct bytes){ NULL, 0 };
}

/* Answers as many messages of the input as there is room for. */
static void conn_take(struct conn *c, struct bytes input)
{
	struct bytes frame;

	stream_feed(&c->stream, input);
	while (conn_has_room(c) && stream_next(&c->stream, &frame)) {
		conn_answer(c, frame, false);
	}
	if (!conn_has_room(c)) {
		conn_hold(c);
	}
}

static void conn_take_held(struct conn *c)
{
	uint8_t *held = c->held;
	size_t len = c->held_len;

	c->held = NULL;
	c->held_len = 0;
	conn_take(c, bytes_of(held, len));
	free(held);
}

/* What arrives while something is held goes behind it. */
static enum err conn_input(struct conn *c, struct bytes input)
{
	if (c->held == NULL) {
		conn_take(c, input);
		return ERR_OK;
	}
	if (c->held_len + input.len > CONN_HELD_MAX) {
		return ERR_BUDGET;
	}
	c->held = mem_grow(c->held, c->held_len + input.len);
	memcpy(c->held + c->held_len, input.at, input.len);
	c->held_len += input.len;
	return ERR_OK;
}

static void conn_on_recv(struct io_op *op, struct io_done done)
{
	struct conn *c = container_of(op, struct conn, recv);
	struct io *io = c->server->shard->io;
	enum err e = ERR_OK;

	if (c->state == CONN_CLOSING) {
		io_return(io, done.lease);
		conn_free_if_idle(c);
		return;
	}
	if (done.err == ERR_OK && done.data.len > 0) {
		e = conn_input(c, done.data);
	}
	io_return(io, done.lease);
	c->ended = c->ended || done.end;
	if (done.err != ERR_OK || e != ERR_OK) {
		conn_close(c, done.err != ERR_OK ? done.err : e);
		return;
	}
	conn_pump(c);
}

/* What was sent was taken: learns from the time how much to send next, and keeps one buffer of that
 * length. */
static void conn_sent(struct conn *c)
{
	uint64_t took_ms = (io_now_ns(c->server->shard->io) - c->sent_ns) / NS_PER_MS;
	size_t keep;

	if (took_ms <= SEND_FAST_MS && c->send_messages < SEND_MESSAGES_MAX &&
	    c->sent_bytes >= SEND_PROVEN_BYTES) {
		c->send_messages *= 2;
	} else if (took_ms > SEND_SLOW_MS) {
		c->send_messages = 1;
	}
	keep = c->xfr == NULL ? CONN_KEPT_BYTES
	                      : (size_t)c->send_messages * (2 + XFR_OUT_MESSAGE_LEN);
	if (c->out_len == 0) {
		free(c->out);
		c->out = c->sending;
		c->out_cap = c->sending_cap;
		c->sending = NULL;
		c->sending_cap = 0;
	}
	if (c->out_len == 0 && c->out_cap > keep) {
		free(c->out);
		c->out = NULL;
		c->out_cap = 0;
	}
	if (c->sending_cap > keep) {
		free(c->sending);
		c->sending = NULL;
		c->sending_cap = 0;
	}
}

static void conn_on_send(struct io_op *op, struct io_done done)
{
	struct conn *c = container_of(op, struct conn, send);

	if (c->state == CONN_CLOSING) {
		conn_free_if_idle(c);
		return;
	}
	if (done.err != ERR_OK) {
		conn_close(c, done.err);
		return;
	}
	c->heard = true; /* the client took what there was: its time begins anew */
	conn_sent(c);
	conn_pump(c);
}

static void conn_send(struct conn *c)
{
	struct io *io = c->server->shard->io;
	uint8_t *swap = c->sending;
	size_t swap_cap = c->sending_cap;
	size_t len = c->out_len;

	assert(!c->send.waiting && len > 0);
	c->sending = c->out;
	c->sending_cap = c->out_cap;
	c->out = swap;
	c->out_cap = swap_cap;
	c->out_len = 0;
	c->sent_ns = io_now_ns(io);
	c->sent_bytes += len;
	io_send(io, &c->send, c->socket, bytes_of(c->sending, len));
	conn_wait(c, CONN_STALL_S);
}

/* Decides what the connection waits for now. */
static void conn_pump(struct conn *c)
{
	struct io *io = c->server->shard->io;

	while (c->held != NULL && conn_has_room(c)) {
		conn_take_held(c);
	}
	conn_fill_from_transfer(c);
	if (!c->send.waiting && c->out_len > 0) {
		conn_send(c);
	}
	c->state = c->held != NULL || !conn_has_room(c) ? CONN_FULL : CONN_READING;
	if (!c->recv.waiting && !c->ended) {
		io_recv(io, &c->recv, c->socket);
	}
	if (!c->send.waiting && c->out_len == 0 && c->xfr == NULL && c->parked == NULL &&
	    (c->broken || (c->ended && c->held == NULL))) {
		conn_close(c, ERR_OK);
		return;
	}
	if (!c->send.waiting && c->heard) {
		conn_wait(c, CONN_IDLE_S);
	}
	conn_sort(c);
	c->heard = false;
}

/* The zone was read, or is waited for no longer. */
static void conn_resume(struct parked *p)
{
	struct conn *c = p->owner;

	c->parked = NULL;
	conn_answer(c, p->message, true);
	conn_pump(c);
}

static void conn_new(struct server *sv, const struct io_done *done)
{
	struct conn *c = mem_zero(1, sizeof(*c));

	*c = (struct conn){ .server = sv,
		            .state = CONN_READING,
		            .socket = done->socket,
		            .peer = done->peer,
		            .recv = { .fn = conn_on_recv },
		            .send = { .fn = conn_on_send },
		            .timer = { .fn = conn_on_timer },
		            .send_messages = SEND_MESSAGES_FIRST };
	conn_link(c, &sv->idle);
	sv->conn_count++;
	conn_wait(c, CONN_IDLE_S);
	conn_pump(c);
}

/* Closes the connection that was idle for the longest, so that a new one has room (RFC 7766 §6.2.3
 * lets a server do so at any time). False: all are at work. */
static bool server_make_room(struct server *sv)
{
	if (sv->idle.last == NULL) {
		return false;
	}
	conn_close(sv->idle.last, ERR_PEER_TIMEOUT);
	return true;
}

static void listener_on_accept(struct io_op *op, struct io_done done)
{
	struct listener *l = container_of(op, struct listener, accept);
	struct server *sv = l->server;
	struct io *io = sv->shard->io;

	if (done.err == ERR_OK) {
		if (sv->conn_count < CONNS_MAX || server_make_room(sv)) {
			conn_new(sv, &done);
		} else {
			io_close(io, done.socket);
		}
	}
	if (!done.more && done.err != ERR_STOPPING) {
		io_timer_set(io, &l->again,
		             done.err == ERR_OK ? 1 : io_now_ns(io) + ACCEPT_AGAIN_MS * NS_PER_MS);
	}
}

static void listener_on_again(struct io_timer *timer)
{
	struct listener *l = container_of(timer, struct listener, again);

	io_accept(l->server->shard->io, &l->accept, l->tcp);
}

/* Where a datagram came from, and through what. */
struct datagram {
	struct listener *listener;
	struct bytes message;
	struct addr peer;
	struct addr local;
};

static void udp_transfer(const struct datagram *d, struct xfr_out *x)
{
	struct shard *s = d->listener->server->shard;
	struct bytes message;

	/* One message says it all over UDP (RFC 1995 §2). */
	if (xfr_out_next(x, s->scratch->message, sizeof(s->scratch->message),
	                 (uint64_t)env_wall_s(s->io->env), &message) == ERR_OK &&
	    message.len > 0 &&
	    io_udp_send(s->io, d->listener->udp, &d->peer, &d->local, message) == ERR_OK) {
		dispatch_transfer_ended(s, x, &d->peer, io_now_ns(s->io), ERR_OK);
	}
	xfr_out_free(x);
}

static void datagram_resume(struct parked *p);

static void datagram_answer(const struct datagram *d, bool waited)
{
	struct shard *s = d->listener->server->shard;
	struct inbound in = { d->message, d->peer, .udp = true, .waited = waited };
	struct parked like = { .resume = datagram_resume,
		               .owner = d->listener,
		               .peer = d->peer,
		               .local = d->local,
		               .message = d->message };
	struct xfr_out *x = NULL;
	struct zone *unread;
	struct bytes reply;

	switch (dispatch_message(s, &in, &reply, &x, &unread)) {
	case DISPATCH_REPLY:
		if (io_udp_send(s->io, d->listener->udp, &d->peer, &d->local, reply) != ERR_OK) {
			break; /* a datagram lost on our side; the client asks again */
		}
		break;
	case DISPATCH_WAIT:
		if (parked_new(&d->listener->server->parking, unread, &like) == NULL) {
			datagram_answer(d, true);
		}
		break;
	case DISPATCH_TRANSFER:
		udp_transfer(d, x);
		break;
	case DISPATCH_DROP:
		break;
	}
}

/* The zone was read, or is waited for no longer. */
static void datagram_resume(struct parked *p)
{
	datagram_answer(&(struct datagram){ p->owner, p->message, p->peer, p->local }, true);
}

static void listener_on_datagram(struct io_op *op, struct io_done done)
{
	struct listener *l = container_of(op, struct listener, datagrams);
	struct shard *s = l->server->shard;

	if (done.err == ERR_OK) {
		datagram_answer(&(struct datagram){ l, done.data, done.peer, done.local }, false);
	}
	io_return(s->io, done.lease);
	if (!done.more && done.err != ERR_STOPPING) {
		io_udp_recv(s->io, op, l->udp);
	}
}

static enum err listener_open(struct listener *l, struct io *io, char *why, size_t why_cap)
{
	char text[ADDR_TEXT_MAX];
	enum err e = io_listen(io, &l->addr, &l->tcp);

	if (e == ERR_OK) {
		e = io_udp_open(io, &l->addr, &l->udp);
	}
	if (e != ERR_OK) {
		snprintf(why, why_cap, "server.listen: cannot listen on %s: %s",
		         addr_print(&l->addr, text), err_text(e));
	}
	return e;
}

enum err server_new(struct shard *s, struct server **out, char *why, size_t why_cap)
{
	const struct applied *a = atomic_load(&s->d->applied);
	const struct config *config = a->config;
	struct server *sv = mem_zero(1, sizeof(*sv));
	enum err e = ERR_OK;

	sv->shard = s;
	sv->parking.shard = s;
	sv->waiting_end = &sv->waiting;
	sv->again = (struct io_timer){ .fn = server_on_again };
	sv->listeners = mem_zero(config->listen_count, sizeof(*sv->listeners));
	for (size_t i = 0; i < config->listen_count && e == ERR_OK; i++) {
		struct listener *l = &sv->listeners[sv->listener_count++];
		*l = (struct listener){ .server = sv,
			                .addr = config->listen[i],
			                .tcp = IO_SOCKET_NONE,
			                .udp = IO_SOCKET_NONE,
			                .accept = { .fn = listener_on_accept },
			                .datagrams = { .fn = listener_on_datagram },
			                .again = { .fn = listener_on_again } };
		e = listener_open(l, s->io, why, why_cap);
	}
	*out = sv; /* also on failure: closing needs the ring */
	return e;
}

void server_go(struct server *sv)
{
	for (size_t i = 0; i < sv->listener_count; i++) {
		struct listener *l = &sv->listeners[i];
		io_accept(sv->shard->io, &l->accept, l->tcp);
		io_udp_recv(sv->shard->io, &l->datagrams, l->udp);
	}
}

static void conns_close(struct conn_list *list)
{
	for (struct conn *c = list->first, *next; c != NULL; c = next) {
		next = c->next;
		conn_close(c, ERR_STOPPING);
	}
}

void server_close(struct server *sv)
{
	struct io *io = sv->shard->io;

	parking_close(&sv->parking);
	io_timer_clear(io, &sv->again);
	conns_close(&sv->busy);
	conns_close(&sv->idle);
	for (size_t i = 0; i < sv->listener_count; i++) {
		struct listener *l = &sv->listeners[i];
		io_timer_clear(io, &l->again);
		if (io_socket_open(l->tcp)) {
			io_close(io, l->tcp);
		}
		if (io_socket_open(l->udp)) {
			io_close(io, l->udp);
		}
	}
}

void server_free(struct server *sv)
{
	if (sv == NULL) {
		return;
	}
	assert(sv->conn_count == 0); /* the ring was drained after server_close() */
	parking_fini(&sv->parking);
	free(sv->listeners);
	free(sv);
}
