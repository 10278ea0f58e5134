/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/script_node.c — a scripted primary on the simulated network. */
#include "tests/transfer/script_node.h"

#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"

struct script_conn {
	struct script_node *node;
	struct script_conn *next;
	struct io_socket socket;
	struct io_op recv;
	struct io_op send;
	struct stream stream;
	struct script_reply *replies; /* oldest first, the first is being sent */
	bool stalled;                 /* sends nothing any more */
	bool closed;
};

/* An answer that is to be sent. */
struct script_reply {
	struct script_reply *next;
	struct script_answer answer;
	bool close_after;
	bool stall_after;
};

static void reply_drop(struct script_conn *c)
{
	struct script_reply *r = c->replies;

	c->replies = r->next;
	free(r->answer.at);
	free(r);
}

static void conn_free_if_ended(struct script_conn *c)
{
	struct script_conn **at = &c->node->conns;

	if (!c->closed || c->recv.waiting || c->send.waiting) {
		return;
	}
	while (*at != c) {
		at = &(*at)->next;
	}
	*at = c->next;
	stream_fini(&c->stream);
	while (c->replies != NULL) {
		reply_drop(c);
	}
	free(c);
}

static void conn_close(struct script_conn *c)
{
	if (!c->closed) {
		c->closed = true;
		io_close(c->node->io, c->socket);
	}
	conn_free_if_ended(c);
}

/* Cuts the answer short where the fault says so. */
static void cut(const struct script_conn *c, struct script_reply *r)
{
	const struct script *s = &c->node->script;

	if ((s->now == SCRIPT_CLOSE || s->now == SCRIPT_STALL) && s->fault_arg < r->answer.len) {
		r->answer.len = s->fault_arg;
	}
	r->stall_after = s->now == SCRIPT_STALL;
	r->close_after = s->now == SCRIPT_CLOSE || c->node->closes;
}

/* Sends the oldest answer, if none is under way. */
static void conn_go(struct script_conn *c)
{
	while (!c->closed && !c->stalled && !c->send.waiting && c->replies != NULL) {
		struct script_reply *r = c->replies;

		if (r->answer.len > 0) {
			io_send(c->node->io, &c->send, c->socket,
			        bytes_of(r->answer.at, r->answer.len));
			return;
		}
		c->stalled = r->stall_after;
		if (r->close_after) {
			conn_close(c);
			return;
		}
		reply_drop(c);
	}
}

static void conn_answer(struct script_conn *c, struct bytes request)
{
	struct script_reply **end = &c->replies;
	struct script_node *n = c->node;
	struct script_reply *r = mem_zero(1, sizeof(*r));

	n->script.wall_s = (uint64_t)env_wall_s(n->io->env);
	r->answer = script_ask(&n->script, request, false);
	if (n->script.now == SCRIPT_SILENT) {
		free(r->answer.at);
		free(r);
		return;
	}
	cut(c, r);
	while (*end != NULL && (n->manner != SCRIPT_REVERSED || c->send.waiting)) {
		end = &(*end)->next;
	}
	r->next = *end;
	*end = r;
}

/* The last of several answers gets an id that nobody asked with, nearly surely. */
static void mix_up(struct script_conn *c)
{
	struct script_reply *r = c->replies;
	bool several = r != NULL && r->next != NULL;

	while (r != NULL && r->next != NULL) {
		r = r->next;
	}
	if (several && r->answer.len >= 4) {
		store_u16(r->answer.at + 2, load_u16(r->answer.at + 2) ^ 0x5555);
	}
}

/* Requests that came in one piece. */
static void conn_requests(struct script_conn *c)
{
	struct bytes request;

	while (!c->closed && stream_next(&c->stream, &request)) {
		bool busy = c->replies != NULL;

		if (busy && c->node->manner == SCRIPT_HANGS_UP) {
			conn_close(c);
			return;
		}
		if (!busy || c->node->manner != SCRIPT_DROPS) {
			conn_answer(c, request);
		}
		if (c->node->manner == SCRIPT_MIXES_UP) {
			mix_up(c);
		}
	}
	c->stream.fed = (struct bytes){ NULL, 0 };
	conn_go(c);
}

static void on_send(struct io_op *op, struct io_done done)
{
	struct script_conn *c = container_of(op, struct script_conn, send);

	if (c->closed) {
		conn_free_if_ended(c);
	} else if (done.err != ERR_OK) {
		conn_close(c);
	} else {
		c->replies->answer.len = 0; /* it is out */
		conn_go(c);
	}
}

static void on_recv(struct io_op *op, struct io_done done)
{
	struct script_conn *c = container_of(op, struct script_conn, recv);
	struct io *io = c->node->io;

	if (!c->closed && done.err == ERR_OK && !done.end) {
		stream_feed(&c->stream, done.data);
		conn_requests(c);
	}
	io_return(io, done.lease);
	if (c->closed) {
		conn_free_if_ended(c);
	} else if (!done.more) {
		conn_close(c);
	}
}

static void on_accept(struct io_op *op, struct io_done done)
{
	struct script_node *n = container_of(op, struct script_node, accept);
	struct script_conn *c;

	unsigned count = 0;

	if (done.err != ERR_OK) {
		return;
	}
	for (c = n->conns; c != NULL; c = c->next) {
		count += !c->closed;
	}
	if (n->conns_max != 0 && count >= n->conns_max) {
		io_close(n->io, done.socket);
		return;
	}
	c = mem_zero(1, sizeof(*c));
	c->node = n;
	c->socket = done.socket;
	c->recv.fn = on_recv;
	c->send.fn = on_send;
	c->next = n->conns;
	n->conns = c;
	n->connections++;
	io_recv(n->io, &c->recv, c->socket);
}

/* ---- datagrams ---- */

static struct tsig_key *find_key(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	const struct script_node *n = self;

	(void)algorithm;
	return n->script.key != NULL && name_equal(tsig_key_name(n->script.key), name)
	               ? n->script.key
	               : NULL;
}

/* Takes note of a NOTIFY and answers it (RFC 1996 §3.7). */
static void on_notify(struct script_node *n, const struct io_done *done)
{
	static struct rr_scratch scratch;
	struct tsig_keyring ring = { n, find_key };
	struct reader r = reader_of(done->data);
	uint64_t now_s = (uint64_t)env_wall_s(n->io->env);
	struct tsig_stream tsig = { 0 };
	struct tsig_request request;
	struct message_tail tail;
	struct tsig_record bad;
	struct composer c;
	struct question q;
	struct header h;
	struct soa soa;
	struct rr rr;
	uint8_t at[512];

	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	cr_assert(eq(int, h.ancount, 1));
	cr_assert(eq(int, rr_read(&r, &scratch, &rr), ERR_OK));
	cr_assert(eq(int, soa_view(rr.rdata, &soa), ERR_OK));
	tsig_stream_init(&tsig, NULL);
	request = (struct tsig_request){ done->data, tail.tsig_at, now_s };
	cr_assert(eq(int, tsig_verify_request(&tsig, &ring, &request, &bad), ERR_OK));
	n->notifies++;
	n->notified_serial = soa.serial;
	n->notify_signed = tail.tsig_at != 0;
	if (!n->ignores_notify) {
		composer_init(&c, at, sizeof(at));
		cr_assert(composer_question(&c, name_of(&q.name), q.type, q.class));
		composer_finish(&c, h.id, FLAG_QR | FLAG_AA | OPCODE_NOTIFY << 11);
		cr_assert(eq(int, tsig_sign_answer(&tsig, &c.w, true, now_s), ERR_OK));
		(void)!io_udp_send(n->io, n->udp, &done->peer, &done->local, writer_bytes(&c.w));
	}
	tsig_stream_fini(&tsig);
}

static void on_question(struct script_node *n, const struct io_done *done)
{
	struct script_answer answer;

	n->script.wall_s = (uint64_t)env_wall_s(n->io->env);
	answer = script_ask(&n->script, done->data, true);
	if (n->script.now != SCRIPT_SILENT) {
		(void)!io_udp_send(n->io, n->udp, &done->peer, &done->local,
		                   bytes_of(answer.at + 2, answer.len - 2));
	}
	free(answer.at);
}

static void on_datagram(struct io_op *op, struct io_done done)
{
	struct script_node *n = container_of(op, struct script_node, datagrams);
	struct reader r = reader_of(done.data);
	struct header h;

	if (done.err == ERR_OK && !n->deaf_to_udp && header_read(&r, &h) == ERR_OK) {
		if (header_opcode(&h) == OPCODE_NOTIFY) {
			on_notify(n, &done);
		} else {
			on_question(n, &done);
		}
	}
	io_return(n->io, done.lease);
}

void script_node_up(struct script_node *n)
{
	cr_assert(eq(int, io_listen(n->io, &n->at, &n->tcp), ERR_OK));
	cr_assert(eq(int, io_udp_open(n->io, &n->at, &n->udp), ERR_OK));
	io_accept(n->io, &n->accept, n->tcp);
	io_udp_recv(n->io, &n->datagrams, n->udp);
}

void script_node_down(struct script_node *n)
{
	struct script_conn *c = n->conns;

	if (!io_socket_open(n->tcp)) {
		return;
	}
	io_close(n->io, n->tcp);
	io_close(n->io, n->udp);
	n->tcp = n->udp = IO_SOCKET_NONE;
	while (c != NULL) {
		struct script_conn *next = c->next;

		conn_close(c);
		c = next;
	}
}

struct script_node *script_node_new(struct sim *sim, const char *addr, const char *apex,
                                    struct tsig_key *key)
{
	struct script_node *n = mem_zero(1, sizeof(*n));
	struct sim_node_options options = { .addrs = &n->at, .addr_count = 1 };

	cr_assert(eq(int, addr_parse(addr, 53, &n->at), ERR_OK));
	script_init(&n->script, apex, key);
	n->io = sim_node(sim, &options);
	n->accept.fn = on_accept;
	n->datagrams.fn = on_datagram;
	script_node_up(n);
	return n;
}

void script_node_free(struct script_node *n)
{
	cr_assert(eq(ptr, n->conns, NULL), "its connections have ended");
	script_fini(&n->script);
	free(n);
}
