/* SPDX-License-Identifier: MIT
 *
 * tests/ring/io_suite.c — what every struct io does, whatever is behind it. */
#include <stdlib.h>

#include "tests/ring/world.h"
#include "tests/test.h"

#define SEED 99

static void on_guard(struct io_timer *t)
{
	struct world *w = container_of(t, struct world, guard);

	w->timed_out = true;
	io_stop(w->a);
}

void world_run(struct world *w)
{
	w->guard.fn = on_guard;
	io_timer_set(w->a, &w->guard, io_now_ns(w->a) + WORLD_LIMIT_NS);
	io_run(w->a);
	io_timer_clear(w->a, &w->guard);
	cr_assert(not(w->timed_out), "nothing happened for too long");
}

void world_end(struct world *w)
{
	io_stop(w->a);
}

struct pause {
	struct io_timer timer;
	struct world *w;
};

static void on_pause_over(struct io_timer *t)
{
	world_end(container_of(t, struct pause, timer)->w);
}

static void world_pause(struct world *w, uint64_t ns)
{
	struct pause p = { .timer.fn = on_pause_over, .w = w };

	io_timer_set(w->a, &p.timer, io_now_ns(w->a) + ns);
	world_run(w);
	cr_assert(not(io_timer_is_set(&p.timer)));
}

static uint8_t octet(size_t stream, size_t i)
{
	return (uint8_t)(stream * 131 + i * 7 + i / 256);
}

/* --- Echo: many connections, random lengths ------------------------------------------------ */

#define ECHO_CONNS   120
#define ECHO_ROUNDS  4
#define ECHO_MAX_LEN 40000

struct echo {
	struct world *w;
	struct io_socket listener;
	struct io_op accept;
	struct env_fake dice;
	struct echo_server *servers[ECHO_CONNS];
	struct echo_client *clients;
	size_t accepted, finished, ended;
};

struct echo_server {
	struct echo *echo;
	struct io_socket s;
	struct io_op recv, send;
	uint8_t *out;   /* being sent */
	uint8_t *queue; /* to be sent next */
	size_t queue_len;
};

struct echo_client {
	struct echo *echo;
	struct io_op connect, recv, send;
	struct io_socket s;
	size_t number, len, got;
	int round;
	uint8_t out[ECHO_MAX_LEN];
};

static void echo_check_end(struct echo *e)
{
	if (e->finished == ECHO_CONNS && e->ended == ECHO_CONNS) {
		world_end(e->w);
	}
}

static void server_flush(struct echo_server *s)
{
	size_t len = s->queue_len;

	if (s->send.waiting || len == 0) {
		return;
	}
	free(s->out);
	s->out = s->queue;
	s->queue = NULL;
	s->queue_len = 0;
	io_send(s->echo->w->b, &s->send, s->s, bytes_of(s->out, len));
}

static void server_on_send(struct io_op *op, struct io_done done)
{
	cr_assert(eq(int, done.err, ERR_OK));
	server_flush(container_of(op, struct echo_server, send));
}

static void server_on_recv(struct io_op *op, struct io_done done)
{
	struct echo_server *s = container_of(op, struct echo_server, recv);

	cr_assert(eq(int, done.err, ERR_OK));
	if (done.end) {
		cr_assert(done.more == false && s->send.waiting == false);
		io_close(s->echo->w->b, s->s);
		s->echo->ended++;
		echo_check_end(s->echo);
		return;
	}
	cr_assert(done.more && done.data.len > 0);
	s->queue = realloc(s->queue, s->queue_len + done.data.len);
	memcpy(s->queue + s->queue_len, done.data.at, done.data.len);
	s->queue_len += done.data.len;
	io_return(s->echo->w->b, done.lease);
	server_flush(s);
}

static void echo_on_accept(struct io_op *op, struct io_done done)
{
	struct echo *e = container_of(op, struct echo, accept);
	struct echo_server *s;

	if (done.err == ERR_STOPPING) {
		return;
	}
	cr_assert(done.err == ERR_OK && done.more && io_socket_open(done.socket));
	cr_assert(addr_same_ip(&done.peer, &e->w->from));
	s = calloc(1, sizeof(*s));
	e->servers[e->accepted++] = s;
	s->echo = e;
	s->s = done.socket;
	s->recv.fn = server_on_recv;
	s->send.fn = server_on_send;
	io_recv(e->w->b, &s->recv, s->s);
}

static void client_say(struct echo_client *c)
{
	c->len = 1 + env_random_below(&c->echo->dice.env, ECHO_MAX_LEN);
	c->got = 0;
	for (size_t i = 0; i < c->len; i++) {
		c->out[i] = octet(c->number + (size_t)c->round, i);
	}
	io_send(c->echo->w->a, &c->send, c->s, bytes_of(c->out, c->len));
}

static void client_on_send(struct io_op *op, struct io_done done)
{
	(void)op;
	cr_assert(eq(int, done.err, ERR_OK));
}

static void client_on_recv(struct io_op *op, struct io_done done)
{
	struct echo_client *c = container_of(op, struct echo_client, recv);

	if (done.err == ERR_STOPPING) {
		c->echo->finished++;
		echo_check_end(c->echo);
		return;
	}
	cr_assert(done.err == ERR_OK && done.more && !done.end);
	for (size_t i = 0; i < done.data.len; i++) {
		cr_assert(done.data.at[i] == octet(c->number + (size_t)c->round, c->got + i));
	}
	c->got += done.data.len;
	io_return(c->echo->w->a, done.lease);
	if (c->got == c->len && ++c->round < ECHO_ROUNDS) {
		/* All came back, so all was sent; its completion may be in this very turn still. */
		if (!c->send.waiting) {
			client_say(c);
		} else {
			c->round = ECHO_ROUNDS;
		}
	}
	if (c->got == c->len && c->round == ECHO_ROUNDS) {
		io_close(c->echo->w->a, c->s);
	}
}

static void client_on_connect(struct io_op *op, struct io_done done)
{
	struct echo_client *c = container_of(op, struct echo_client, connect);

	cr_assert(eq(int, done.err, ERR_OK));
	cr_assert(io_socket_open(done.socket));
	c->s = done.socket;
	io_recv(c->echo->w->a, &c->recv, c->s);
	client_say(c);
}

static void case_echo(struct world *w)
{
	struct echo e = { .w = w, .accept.fn = echo_on_accept };

	env_fake_init(&e.dice, SEED);
	cr_assert(eq(int, io_listen(w->b, &w->at, &e.listener), ERR_OK));
	io_accept(w->b, &e.accept, e.listener);
	e.clients = calloc(ECHO_CONNS, sizeof(*e.clients));
	for (size_t i = 0; i < ECHO_CONNS; i++) {
		struct echo_client *c = &e.clients[i];
		c->echo = &e;
		c->number = i;
		c->connect.fn = client_on_connect;
		c->recv.fn = client_on_recv;
		c->send.fn = client_on_send;
		io_connect(w->a, &c->connect, &w->at, i % 2 == 0 ? NULL : &w->from);
	}
	world_run(w);
	cr_expect(eq(sz, e.accepted, ECHO_CONNS));
	io_close(w->b, e.listener);
	for (size_t i = 0; i < ECHO_CONNS; i++) {
		free(e.servers[i]->out);
		free(e.servers[i]->queue);
		free(e.servers[i]);
	}
	while (e.accept.waiting) { /* the last word of the listener */
		world_pause(w, NS_PER_MS);
	}
	free(e.clients);
}

/* --- A pair of connected sockets, for what follows ------------------------------------------ */

struct pair {
	struct world *w;
	struct io_socket listener;
	struct io_socket near; /* on a */
	struct io_socket far;  /* on b */
	struct io_op accept, connect;
};

static void pair_check(struct pair *p)
{
	if (io_socket_open(p->near) && io_socket_open(p->far) && !p->accept.waiting) {
		world_end(p->w);
	}
}

static void pair_on_accept(struct io_op *op, struct io_done done)
{
	struct pair *p = container_of(op, struct pair, accept);

	if (done.more) {
		p->far = done.socket;
		io_close(p->w->b, p->listener);
	} else {
		cr_assert(eq(int, done.err, ERR_STOPPING));
	}
	pair_check(p);
}

static void pair_on_connect(struct io_op *op, struct io_done done)
{
	struct pair *p = container_of(op, struct pair, connect);

	cr_assert(eq(int, done.err, ERR_OK));
	p->near = done.socket;
	pair_check(p);
}

static void pair_open(struct pair *p, struct world *w)
{
	*p = (struct pair){ .w = w, .near = IO_SOCKET_NONE, .far = IO_SOCKET_NONE };
	p->accept.fn = pair_on_accept;
	p->connect.fn = pair_on_connect;
	cr_assert(eq(int, io_listen(w->b, &w->at, &p->listener), ERR_OK));
	io_accept(w->b, &p->accept, p->listener);
	io_connect(w->a, &p->connect, &w->at, NULL);
	world_run(w);
}

/* An operation that only notes what it heard. */
struct note {
	struct io_op op;
	struct io *io;
	struct world *w;
	int last;  /* completions with more == false */
	int heard; /* all of them */
	size_t octets;
	struct io_done done; /* the last one */
	int *ends_left;      /* counts down; the world ends at zero */
};

static void on_note(struct io_op *op, struct io_done done)
{
	struct note *n = container_of(op, struct note, op);

	cr_assert(eq(int, n->last, 0), "heard of it after its last completion");
	for (size_t i = 0; i < done.data.len; i++) {
		cr_assert(done.data.at[i] == octet(0, n->octets + i));
	}
	n->octets += done.data.len;
	n->heard++;
	io_return(n->io, done.lease);
	done.lease = (struct io_lease){ NULL };
	done.data = (struct bytes){ 0 };
	n->done = done;
	if (!done.more) {
		n->last++;
		if (n->ends_left != NULL && --*n->ends_left == 0) {
			world_end(n->w);
		}
	}
}

static struct note note_on(struct world *w, struct io *io, int *ends_left)
{
	return (struct note){ .op.fn = on_note, .io = io, .w = w, .ends_left = ends_left };
}

/* --- Cases on a pair ------------------------------------------------------------------------ */

#define BIG_LEN (6U << 20)

static uint8_t *pattern(size_t len)
{
	uint8_t *at = malloc(len);

	for (size_t i = 0; i < len; i++) {
		at[i] = octet(0, i);
	}
	return at;
}

/* One send larger than every buffer on the way; then an end; and the other side may still send. */
static void case_big_send(struct world *w)
{
	uint8_t *big = pattern(BIG_LEN);
	struct pair p;
	int left = 1;
	struct note send, recv;

	pair_open(&p, w);
	send = note_on(w, w->a, &left);
	recv = note_on(w, w->b, &left);
	io_send(w->a, &send.op, p.near, bytes_of(big, BIG_LEN));
	io_recv(w->b, &recv.op, p.far);
	world_run(w);
	cr_expect(eq(int, send.last, 1));
	cr_expect(eq(int, send.done.err, ERR_OK));
	io_close(w->a, p.near);
	left = 1;
	world_run(w);
	cr_expect(eq(sz, recv.octets, BIG_LEN));
	cr_expect(recv.last == 1 && recv.done.end && recv.done.err == ERR_OK);
	io_close(w->b, p.far);
	free(big);
}

/* A peer that does not read: the send waits, and is cancelled. */
static void case_cancel(struct world *w)
{
	uint8_t *big = pattern(BIG_LEN * 2);
	struct pair p;
	int left = 2;
	struct note send, recv;

	pair_open(&p, w);
	send = note_on(w, w->a, &left);
	recv = note_on(w, w->a, &left);
	io_recv(w->a, &recv.op, p.near);
	io_send(w->a, &send.op, p.near, bytes_of(big, BIG_LEN * 2));
	world_pause(w, 50 * NS_PER_MS);
	cr_expect(send.op.waiting && send.heard == 0);
	cr_expect(recv.op.waiting && recv.heard == 0);
	io_cancel(w->a, &send.op);
	io_cancel(w->a, &send.op); /* once is enough, twice is no harm */
	io_cancel(w->a, &recv.op);
	cr_expect(send.heard == 0 && recv.heard == 0, "a handler ran inside io_cancel()");
	world_run(w);
	cr_expect(send.last == 1 && send.done.err == ERR_STOPPING);
	cr_expect(recv.last == 1 && recv.done.err == ERR_STOPPING);
	io_cancel(w->a, &recv.op); /* does not wait: nothing to do */
	/* The same op and the same socket may be used again. */
	recv = note_on(w, w->a, &left);
	left = 1;
	io_recv(w->a, &recv.op, p.near);
	io_close(w->b, p.far);
	world_run(w);
	cr_expect(eq(int, recv.last, 1));
	io_close(w->a, p.near);
	free(big);
}

static void case_close_with_waiting(struct world *w)
{
	uint8_t *big = pattern(BIG_LEN * 2);
	struct pair p;
	int left = 2;
	struct note send, recv;

	pair_open(&p, w);
	send = note_on(w, w->a, &left);
	recv = note_on(w, w->a, &left);
	io_recv(w->a, &recv.op, p.near);
	io_send(w->a, &send.op, p.near, bytes_of(big, BIG_LEN * 2));
	world_pause(w, 20 * NS_PER_MS);
	io_close(w->a, p.near);
	cr_expect(send.heard == 0 && recv.heard == 0, "a handler ran inside io_close()");
	world_run(w);
	cr_expect(send.done.err == ERR_STOPPING && recv.done.err == ERR_STOPPING);
	cr_expect(send.last == 1 && recv.last == 1);
	io_close(w->b, p.far);
	free(big);
}

/* Octets that are already there when the op is cancelled are not heard of. */
static void case_cancel_beats_data(struct world *w)
{
	uint8_t *some = pattern(3000);
	struct pair p;
	int left = 1;
	struct note send, recv;

	pair_open(&p, w);
	send = note_on(w, w->b, &left);
	recv = note_on(w, w->a, &left);
	io_send(w->b, &send.op, p.far, bytes_of(some, 3000));
	world_run(w);
	left = 1;
	io_recv(w->a, &recv.op, p.near);
	io_cancel(w->a, &recv.op);
	world_run(w);
	cr_expect(recv.heard == 1 && recv.done.err == ERR_STOPPING);
	io_close(w->a, p.near);
	io_close(w->b, p.far);
	free(some);
}

/* The peer closes while octets of ours are unread: its system resets, and the send hears of it. */
static void case_reset(struct world *w)
{
	uint8_t *big = pattern(BIG_LEN * 2);
	struct pair p;
	int left = 1;
	struct note send;

	pair_open(&p, w);
	send = note_on(w, w->a, &left);
	io_send(w->a, &send.op, p.near, bytes_of(big, BIG_LEN * 2));
	world_pause(w, 20 * NS_PER_MS);
	io_close(w->b, p.far);
	world_run(w);
	cr_expect(eq(int, send.done.err, ERR_PEER_CLOSED));
	io_close(w->a, p.near);
	free(big);
}

static void case_refused(struct world *w)
{
	struct addr nobody = w->at;
	int left = 1;
	struct note n = note_on(w, w->a, &left);

	nobody.port++;
	io_connect(w->a, &n.op, &nobody, NULL);
	cr_expect(n.op.waiting && n.heard == 0);
	world_run(w);
	cr_expect(n.last == 1 && n.done.err == ERR_PEER_REFUSED);
	cr_expect(not(io_socket_open(n.done.socket)));

	/* A source that is not ours fails here, and still not inside io_connect(). */
	n = note_on(w, w->a, &left);
	left = 1;
	cr_assert(eq(int, addr_parse("203.0.113.99", 0, &nobody), ERR_OK));
	io_connect(w->a, &n.op, &w->at, &nobody);
	cr_expect(n.op.waiting && n.heard == 0);
	world_run(w);
	cr_expect(n.last == 1 && n.done.err == ERR_PEER_UNREACHABLE);

	n = note_on(w, w->a, &left);
	left = 1;
	io_connect(w->a, &n.op, &w->at, NULL);
	io_cancel(w->a, &n.op);
	world_run(w);
	cr_expect(n.last == 1 && n.done.err == ERR_STOPPING);
}

/* --- Datagrams ------------------------------------------------------------------------------ */

#define DATAGRAMS 200

struct udp {
	struct world *w;
	struct io_socket server, client;
	struct io_op server_recv, client_recv;
	size_t answered, heard;
	int stopped;
};

static void udp_on_question(struct io_op *op, struct io_done done)
{
	struct udp *u = container_of(op, struct udp, server_recv);
	uint8_t copy[IO_DATAGRAM_MAX_LEN];

	if (!done.more) {
		cr_assert(eq(int, done.err, ERR_STOPPING));
		u->stopped++;
		return;
	}
	cr_assert(addr_equal(&done.local, &u->w->at), "the address that was asked");
	cr_assert(addr_same_ip(&done.peer, &u->w->from));
	memcpy(copy, done.data.at, done.data.len);
	cr_assert(eq(int,
	             io_udp_send(u->w->b, u->server, &done.peer, &done.local,
	                         bytes_of(copy, done.data.len)),
	             ERR_OK));
	u->answered++;
	io_return(u->w->b, done.lease);
}

static void udp_ask(struct udp *u)
{
	uint8_t q[IO_DATAGRAM_MAX_LEN];
	size_t len = u->heard * 37 % (sizeof(q) + 1);

	len = u->heard == DATAGRAMS - 1 ? sizeof(q) : len;
	for (size_t i = 0; i < len; i++) {
		q[i] = octet(u->heard, i);
	}
	cr_assert(eq(int, io_udp_send(u->w->a, u->client, &u->w->at, NULL, bytes_of(q, len)),
	             ERR_OK));
	memset(q, 0, sizeof(q)); /* it was copied */
}

static void udp_on_answer(struct io_op *op, struct io_done done)
{
	struct udp *u = container_of(op, struct udp, client_recv);
	size_t want = u->heard * 37 % (IO_DATAGRAM_MAX_LEN + 1);

	if (!done.more) {
		cr_assert(eq(int, done.err, ERR_STOPPING));
		u->stopped++;
		return;
	}
	want = u->heard == DATAGRAMS - 1 ? IO_DATAGRAM_MAX_LEN : want;
	cr_assert(addr_equal(&done.peer, &u->w->at), "answers come from the address asked");
	cr_assert(eq(sz, done.data.len, want));
	for (size_t i = 0; i < done.data.len; i++) {
		cr_assert(done.data.at[i] == octet(u->heard, i));
	}
	io_return(u->w->a, done.lease);
	if (++u->heard < DATAGRAMS) {
		udp_ask(u);
	} else {
		world_end(u->w);
	}
}

/* Questions and answers one after the other; `any` has the server listen on the wildcard. */
static void udp_talk(struct world *w, bool any)
{
	struct udp u = { .w = w };
	struct addr listen = w->at;
	struct addr own = w->from;

	own.port = 0;
	if (any) {
		memset(listen.ip, 0, sizeof(listen.ip));
	}
	u.server_recv.fn = udp_on_question;
	u.client_recv.fn = udp_on_answer;
	cr_assert(eq(int, io_udp_open(w->b, &listen, &u.server), ERR_OK));
	cr_assert(eq(int, io_udp_open(w->a, &own, &u.client), ERR_OK));
	io_udp_recv(w->b, &u.server_recv, u.server);
	io_udp_recv(w->a, &u.client_recv, u.client);
	udp_ask(&u);
	world_run(w);
	cr_expect(eq(sz, u.answered, DATAGRAMS));
	io_close(w->b, u.server);
	io_close(w->a, u.client);
	while (u.stopped < 2) {
		world_pause(w, NS_PER_MS);
	}
}

static void case_udp(struct world *w)
{
	udp_talk(w, false);
	udp_talk(w, true);
}

static void case_udp_other_family(struct world *w)
{
	struct addr own = w->from;
	struct addr other;
	struct io_socket s;

	own.port = 0;
	cr_assert(eq(int, addr_parse(own.family == 4 ? "::1" : "127.0.0.1", 53, &other), ERR_OK));
	cr_assert(eq(int, io_udp_open(w->a, &own, &s), ERR_OK));
	cr_expect(
		eq(int, io_udp_send(w->a, s, &other, NULL, bytes_str("x")), ERR_PEER_UNREACHABLE));
	io_close(w->a, s);
}

/* --- Timers and mails ----------------------------------------------------------------------- */

#define BELLS 50

struct bell {
	struct io_timer timer;
	struct bells *all;
	uint64_t at_ns;
};

struct bells {
	struct world *w;
	struct bell bells[BELLS];
	uint64_t last_ns;
	size_t rang;
};

static void on_bell(struct io_timer *t)
{
	struct bell *b = container_of(t, struct bell, timer);
	uint64_t now = io_now_ns(b->all->w->a);

	cr_assert(now >= b->at_ns, "early");
	cr_assert(b->at_ns / IO_TIMER_TICK_NS + 1 >= b->all->last_ns / IO_TIMER_TICK_NS);
	b->all->last_ns = b->at_ns;
	if (++b->all->rang == BELLS / 2) {
		world_end(b->all->w);
	}
}

static void case_timers(struct world *w)
{
	struct bells all = { .w = w };
	uint64_t start = io_now_ns(w->a);

	for (size_t i = 0; i < BELLS; i++) {
		struct bell *b = &all.bells[i];
		*b = (struct bell){ .timer.fn = on_bell, .all = &all };
		b->at_ns = start + i * 17 % BELLS * 2 * NS_PER_MS;
		io_timer_set(w->a, &b->timer, b->at_ns);
	}
	for (size_t i = 0; i < BELLS; i += 2) {
		io_timer_clear(w->a, &all.bells[i].timer);
	}
	world_run(w);
	world_pause(w, 5 * NS_PER_MS);
	cr_expect(eq(sz, all.rang, BELLS / 2), "cleared ones stay silent");
	cr_expect(io_now_ns(w->a) >= all.last_ns);
}

struct post {
	struct io_mail mail;
	struct world *w;
	int number;
	int *next;
	int last;
};

static void on_post(struct io_mail *mail)
{
	struct post *p = container_of(mail, struct post, mail);

	cr_assert(eq(int, p->number, *p->next), "in the order of posting");
	if ((*p->next)++ == p->last) {
		world_end(p->w);
	}
}

/* A mailbox of the worlds of tests takes 8. */
static void case_mails(struct world *w)
{
	struct post posts[12];
	int next = 0;

	for (int i = 0; i < 12; i++) {
		posts[i] = (struct post){ .mail.fn = on_post, .w = w, .number = i, .next = &next };
		posts[i].last = 9;
	}
	for (int i = 0; i < 8; i++) {
		cr_assert(eq(int, io_post(w->b, &posts[i].mail), ERR_OK));
	}
	cr_expect(eq(int, io_post(w->b, &posts[10].mail), ERR_BUSY));
	io_post_reply(w->b, &posts[8].mail);
	io_post_reply(w->b, &posts[9].mail);
	world_run(w);
	cr_expect(eq(int, next, 10));
	cr_expect(eq(int, io_post(w->b, &posts[10].mail), ERR_OK), "there is room again");
	posts[10].last = 10;
	world_run(w);
	cr_expect(eq(int, next, 11));
}

const struct io_case io_cases[] = {
	{ "echo", case_echo },
	{ "big send", case_big_send },
	{ "cancel", case_cancel },
	{ "cancel beats data", case_cancel_beats_data },
	{ "close with waiting", case_close_with_waiting },
	{ "reset", case_reset },
	{ "refused", case_refused },
	{ "udp", case_udp },
	{ "udp of the other family", case_udp_other_family },
	{ "timers", case_timers },
	{ "mails", case_mails },
};
const size_t io_cases_count = ARRAY_LEN(io_cases);
