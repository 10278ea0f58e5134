/* SPDX-License-Identifier: MIT
 *
 * transfer/ask.c — one question over UDP until its answer: SOA queries and NOTIFYs out. */
#include "transfer/ask_p.h"

#include <stdlib.h>

#include "base/arena.h"

/* A socket, and how many wait for answers on it. Out of its place it is replaced: it goes when
 * nobody waits any more. */
struct ask_socket {
	struct asks *all; /* NULL: closed, waits for the last completion */
	struct ask_socket **place;
	struct io *io;
	struct io_socket socket;
	struct io_op recv;
	unsigned uses;
	unsigned pending;
};

void asks_init(struct asks *all, struct io *io)
{
	*all = (struct asks){ .io = io };
}

static void socket_close(struct ask_socket *s)
{
	assert(s->pending == 0);
	if (s->place != NULL) {
		*s->place = NULL;
	}
	s->all = NULL;
	io_close(s->io, s->socket);
	if (!s->recv.waiting) {
		free(s);
	}
}

void asks_fini(struct asks *all)
{
	assert(all->count == 0);
	for (unsigned i = 0; i < 2 * ASK_SOCKETS; i++) {
		struct ask_socket *s = all->sockets[i / ASK_SOCKETS][i % ASK_SOCKETS];

		if (s != NULL) {
			socket_close(s);
		}
	}
}

static void socket_on_datagram(struct io_op *op, struct io_done done);

static enum err socket_new(struct asks *all, uint8_t family, struct ask_socket **place)
{
	struct addr any = { .family = family };
	struct ask_socket *s = mem_zero(1, sizeof(*s));
	enum err e = io_udp_open(all->io, &any, &s->socket);

	if (e != ERR_OK) {
		free(s);
		return e;
	}
	s->all = all;
	s->io = all->io;
	s->place = place;
	s->recv.fn = socket_on_datagram;
	io_udp_recv(s->io, &s->recv, s->socket);
	*place = s;
	return ERR_OK;
}

/* Picks a socket by dice; one that served long enough makes way for another. */
static enum err socket_pick(struct asks *all, uint8_t family, struct ask_socket **out)
{
	unsigned index = env_random_below(all->io->env, ASK_SOCKETS);
	struct ask_socket **place = &all->sockets[family == 6][index];
	struct ask_socket *s = *place;

	if (s != NULL && s->uses >= ASK_SOCKET_USES) {
		*place = NULL;
		s->place = NULL;
		if (s->pending == 0) {
			socket_close(s);
		}
		s = NULL;
	}
	if (s == NULL) {
		TRY(socket_new(all, family, place));
		s = *place;
	}
	s->uses++;
	s->pending++;
	*out = s;
	return ERR_OK;
}

static void socket_leave(struct ask_socket *s)
{
	assert(s->pending > 0);
	s->pending--;
	if (s->pending == 0 && s->place == NULL) {
		socket_close(s);
	}
}

/* Composes the question and, where there is a key, signs it: always the same octets. */
static enum err ask_compose(struct ask *a, uint8_t *at, struct bytes *out)
{
	uint16_t flags = (uint16_t)((unsigned)a->o.rule->opcode << 11 | a->o.rule->flags);
	struct composer c;

	composer_init(&c, at, ASK_MESSAGE_MAX);
	if (a->o.key != NULL) {
		composer_reserve(&c, tsig_len(a->o.key));
	}
	if (!composer_question(&c, a->o.apex, TYPE_SOA, CLASS_IN) ||
	    (a->o.compose != NULL && !a->o.compose(a, &c))) {
		return ERR_BUDGET;
	}
	composer_finish(&c, a->id, flags);
	tsig_stream_fini(&a->tsig);
	tsig_stream_init(&a->tsig, a->o.key);
	TRY(tsig_sign_request(&a->tsig, &c.w, (uint64_t)a->signed_s));
	*out = writer_bytes(&c.w);
	return ERR_OK;
}

/* Sends the next try and waits. */
static enum err ask_send(struct ask *a)
{
	struct io *io = a->all->io;
	uint8_t at[ASK_MESSAGE_MAX];
	struct bytes message;
	uint32_t wait_s = a->o.rule->wait_s[a->tries];

	assert(a->tries < a->o.rule->tries);
	TRY(ask_compose(a, at, &message));
	a->tries++;
	io_timer_set(io, &a->timer, io_now_ns(io) + wait_s * NS_PER_S);
	if (io_udp_send(io, a->socket->socket, &a->o.to, a->o.from.family == 0 ? NULL : &a->o.from,
	                message) != ERR_OK) {
		return ERR_OK; /* as good as lost on the way: the next try may get through */
	}
	return ERR_OK;
}

static void ask_on_timer(struct io_timer *timer)
{
	struct ask *a = container_of(timer, struct ask, timer);
	void (*done)(struct ask *, enum err, const struct ask_answer *) = a->o.done;

	if (a->tries < a->o.rule->tries && ask_send(a) == ERR_OK) {
		return;
	}
	ask_end(a);
	done(a, ERR_PEER_TIMEOUT, NULL);
}

/* An id that no other question to that address has. */
static uint16_t pick_id(const struct asks *all, const struct addr *to)
{
	for (;;) {
		uint16_t id = (uint16_t)env_random_u32(all->io->env);
		const struct ask *a = all->buckets[id % ASK_BUCKETS];

		while (a != NULL && !(a->id == id && addr_equal(&a->o.to, to))) {
			a = a->next;
		}
		if (a == NULL) {
			return id;
		}
	}
}

enum err ask_begin(struct asks *all, struct ask *a, const struct ask_options *options)
{
	struct ask **bucket;
	enum err e;

	assert(options->rule->tries > 0 && options->rule->tries <= ASK_TRIES_MAX);
	assert(options->done != NULL);
	*a = (struct ask){ .o = *options };
	TRY(socket_pick(all, options->to.family, &a->socket));
	a->all = all;
	a->timer.fn = ask_on_timer;
	a->o.key = options->key == NULL ? NULL : tsig_key_ref(options->key);
	a->id = pick_id(all, &a->o.to);
	a->signed_s = env_wall_s(all->io->env);
	bucket = &all->buckets[a->id % ASK_BUCKETS];
	a->next = *bucket;
	a->back = bucket;
	if (a->next != NULL) {
		a->next->back = &a->next;
	}
	*bucket = a;
	all->count++;
	e = ask_send(a);
	if (e != ERR_OK) {
		ask_end(a);
	}
	return e;
}

void ask_end(struct ask *a)
{
	struct asks *all = a->all;

	if (all == NULL) {
		return;
	}
	a->all = NULL;
	all->count--;
	*a->back = a->next;
	if (a->next != NULL) {
		a->next->back = a->back;
	}
	io_timer_clear(all->io, &a->timer);
	tsig_stream_fini(&a->tsig);
	tsig_key_unref(a->o.key);
	a->o.key = NULL;
	socket_leave(a->socket);
	a->socket = NULL;
}

/* ---- answers ---- */

static struct ask *find(struct ask_socket *s, const struct addr *peer, const struct header *h)
{
	struct ask *a = s->all->buckets[h->id % ASK_BUCKETS];

	while (a != NULL && !(a->id == h->id && a->socket == s && addr_equal(&a->o.to, peer) &&
	                      a->o.rule->opcode == header_opcode(h))) {
		a = a->next;
	}
	return a;
}

static bool question_fits(const struct ask *a, const struct header *h, struct reader *r)
{
	struct question q;

	if (h->qdcount == 0) {
		/* Those that refuse what they cannot read, or answer a NOTIFY, may leave it out. */
		return header_rcode(h) != RCODE_NOERROR || a->o.rule->opcode == OPCODE_NOTIFY;
	}
	return h->qdcount == 1 && question_read(r, &q) == ERR_OK && q.type == TYPE_SOA &&
	       q.class == CLASS_IN && name_equal(name_of(&q.name), a->o.apex);
}

/* After a failure the conversation stands where it stood. */
static bool tsig_fits(struct ask *a, struct bytes message, size_t tsig_at)
{
	uint64_t now_s = (uint64_t)env_wall_s(a->all->io->env);

	return tsig_verify_answer(&a->tsig, message, tsig_at, now_s) == ERR_OK;
}

static void socket_on_answer(struct ask_socket *s, const struct addr *peer, struct bytes message)
{
	struct reader r = reader_of(message);
	struct ask_answer answer;
	struct message_tail tail;
	struct ask *a;

	if (header_read(&r, &answer.header) != ERR_OK || (answer.header.flags & FLAG_QR) == 0) {
		return;
	}
	a = find(s, peer, &answer.header);
	if (a == NULL || !question_fits(a, &answer.header, &r) ||
	    message_tail_read(&r, &answer.header, &tail) != ERR_OK ||
	    !tsig_fits(a, message, tail.tsig_at)) {
		return;
	}
	answer.records = r;
	ask_end(a);
	a->o.done(a, ERR_OK, &answer);
}

static void socket_on_datagram(struct io_op *op, struct io_done done)
{
	struct ask_socket *s = container_of(op, struct ask_socket, recv);
	struct io *io = s->io;

	if (s->all == NULL) { /* closed */
		io_return(io, done.lease);
		if (!done.more) {
			free(s);
		}
		return;
	}
	s->pending++; /* it stays while its handler runs */
	if (done.err == ERR_OK) {
		socket_on_answer(s, &done.peer, done.data);
	}
	io_return(io, done.lease);
	if (!done.more && done.err != ERR_STOPPING) {
		io_udp_recv(io, op, s->socket); /* a fault of one datagram is none of the socket */
	}
	socket_leave(s);
}
