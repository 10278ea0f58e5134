/* SPDX-License-Identifier: MIT
 *
 * transfer/conn.c — connections to a primary: opened, shared, broken. */
#include "transfer/conn_inner_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define MAY(state) (1U << (state))

static const struct {
	unsigned edges;      /* may go to */
	unsigned timeout_ms; /* of BUSY and IDLE: to look what has become of it */
} rules[CONN_STATES] = {
	[CONN_CONNECTING] = { MAY(CONN_BUSY) | MAY(CONN_CLOSING), CONN_CONNECT_S * 1000 },
	[CONN_BUSY] = { MAY(CONN_IDLE) | MAY(CONN_CLOSING), CONN_LOOK_MS },
	[CONN_IDLE] = { MAY(CONN_BUSY) | MAY(CONN_CLOSING), CONN_LOOK_MS },
	[CONN_CLOSING] = { 0, 0 },
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
	if (rules[to].timeout_ms != 0) {
		io_timer_set(c->io, &c->timer, conn_now(c) + rules[to].timeout_ms * NS_PER_MS);
	} else {
		io_timer_clear(c->io, &c->timer);
	}
}

static void conn_free_if_ended(struct conn *c)
{
	if (c->state == CONN_CLOSING && c->pins == 0 && !c->write.waiting && !c->recv.waiting) {
		stream_fini(&c->stream);
		free(c->out.at);
		free(c->sending.at);
		free(c);
	}
}

/* Leaves the primary and ends what is in flight; the memory goes with the last completion. */
static void conn_close(struct conn *c)
{
	struct primary *p = c->primary;

	assert(c->requests == NULL);
	conn_move(c, CONN_CLOSING);
	link_remove(&c->dirty);
	*c->back = c->next;
	if (c->next != NULL) {
		c->next->back = c->back;
	}
	p->conn_count--;
	p->urgent_count -= c->urgent;
	quota_conn_give(p->quota);
	c->primary = NULL;
	if (io_socket_open(c->socket)) {
		io_close(c->io, c->socket);
		c->socket = IO_SOCKET_NONE;
	} else {
		io_cancel(c->io, &c->write);
	}
	conn_free_if_ended(c);
}

/* ---- lists of requests ---- */

static void queue_push(struct request_queue *q, struct request *r)
{
	r->next = NULL;
	*q->end = r;
	q->end = &r->next;
}

static struct request *queue_pop(struct request_queue *q)
{
	struct request *r = q->first;

	q->first = r->next;
	if (q->first == NULL) {
		q->end = &q->first;
	}
	r->next = NULL;
	return r;
}

static void queue_remove(struct request_queue *q, struct request *r)
{
	struct request **at = &q->first;

	while (*at != r) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = r->next;
	if (q->end == &r->next) {
		q->end = at;
	}
	r->next = NULL;
}

static void conn_add(struct conn *c, struct request *r)
{
	r->conn = c;
	r->sent_ns = 0;
	r->first_ns = 0;
	r->heard_ns = 0;
	r->overtaken = false;
	r->tries++;
	r->sends++;
	*c->requests_end = r;
	c->requests_end = &r->next;
	c->count++;
	c->piped = c->piped || c->count > 1;
}

/* Takes a request off its connection; what was heard goes with it. */
static void conn_detach(struct conn *c, struct request *r)
{
	struct request **at = &c->requests;

	r->heard_ns = request_heard_ns(r);
	while (*at != r) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = r->next;
	if (c->requests_end == &r->next) {
		c->requests_end = at;
	}
	c->count--;
	r->next = NULL;
	r->conn = NULL;
}

uint64_t request_heard_ns(const struct request *r)
{
	const struct conn *c = r->conn;

	if (c == NULL || r->sent_ns == 0 || r->overtaken || c->heard_ns < r->sent_ns) {
		return r->heard_ns;
	}
	return c->heard_ns;
}

static void request_end(struct request *r, enum err e)
{
	r->primary = NULL;
	r->ops->done(r, e);
}

/* ---- sending ---- */

static void buffer_add(struct conn_buffer *b, struct bytes message)
{
	size_t need = b->len + 2 + message.len;

	if (need > b->cap) {
		b->cap = need < 2 * b->cap ? 2 * b->cap : need;
		b->at = mem_grow(b->at, b->cap);
	}
	store_u16(b->at + b->len, (uint16_t)message.len); /* RFC 1035 §4.2.2 */
	memcpy(b->at + b->len + 2, message.at, message.len);
	b->len = need;
}

static bool id_taken(const struct conn *c, uint16_t id)
{
	for (unsigned i = 0; i < c->orphan_count; i++) {
		if (c->orphans[i] == id) {
			return true;
		}
	}
	for (const struct request *r = c->requests; r != NULL; r = r->next) {
		if (r->sent_ns != 0 && r->id == id) {
			return true;
		}
	}
	return false;
}

/* Composes a request behind what is to be sent. On failure nothing of it is. */
static enum err conn_compose(struct conn *c, struct request *r)
{
	uint8_t at[REQUEST_MAX_LEN];
	struct bytes message;

	do {
		r->id = (uint16_t)env_random_u32(c->io->env);
	} while (id_taken(c, r->id));
	TRY(r->ops->compose(r, at, &message));
	assert(message.len <= sizeof(at));
	buffer_add(&c->out, message);
	r->sent_ns = conn_now(c);
	if (link_alone(&c->dirty)) {
		link_append(&c->primary->all->dirty, &c->dirty);
	}
	return ERR_OK;
}

static void conn_flush(struct conn *c)
{
	struct conn_buffer sent = c->sending;

	link_remove(&c->dirty);
	if (c->write.waiting || c->out.len == 0) {
		return; /* goes when what is under way is gone */
	}
	c->sending = c->out;
	c->out = sent;
	c->out.len = 0;
	io_send(c->io, &c->write, c->socket, bytes_of(c->sending.at, c->sending.len));
}

void conns_flush(struct primaries *all)
{
	while (!link_alone(&all->dirty)) {
		conn_flush(container_of(all->dirty.next, struct conn, dirty));
	}
}

/* ---- giving requests to connections ---- */

static void conn_on_write(struct io_op *op, struct io_done done);
static void conn_on_recv(struct io_op *op, struct io_done done);
static void conn_on_timer(struct io_timer *timer);

static struct conn *conn_open(struct primary *p, bool urgent)
{
	struct conn *c = mem_zero(1, sizeof(*c));

	c->io = p->all->io;
	c->primary = p;
	c->urgent = urgent;
	c->socket = IO_SOCKET_NONE;
	c->write.fn = conn_on_write;
	c->recv.fn = conn_on_recv;
	c->timer.fn = conn_on_timer;
	c->opened_ns = conn_now(c);
	c->requests_end = &c->requests;
	link_init(&c->dirty);
	c->next = p->conns;
	c->back = &p->conns;
	if (c->next != NULL) {
		c->next->back = &c->next;
	}
	p->conns = c;
	p->conn_count++;
	p->urgent_count += urgent;
	io_timer_set(c->io, &c->timer, c->opened_ns + CONN_CONNECT_S * NS_PER_S);
	io_connect(c->io, &c->write, &p->addr, p->source.family == 0 ? NULL : &p->source);
	return c;
}

/* Of the connections there may be, one is left to what is urgent, and not more than half. Before a
 * primary was heard there is one, so that it is known what the primary minds if it closes that. */
static bool may_open(const struct primary *p, bool urgent)
{
	uint32_t max = primary_conns_max(p);
	uint32_t most = urgent ? (max + 1) / 2 : max > 1 ? max - 1 : 1;
	uint32_t own = urgent ? p->urgent_count : p->conn_count - p->urgent_count;

	return p->conn_count < max && own < most && !p->all->stopping &&
	       (p->conn_count == 0 || p->heard);
}

static uint32_t depth_max(const struct primary *p)
{
	return p->ability == ABILITY_PIPELINE && !p->cautious ? CONN_DEPTH_MAX : 1;
}

/* An answer that takes long is in the way of those behind it. */
static bool conn_occupied(const struct conn *c)
{
	const struct request *r = c->requests;

	return r != NULL && r->first_ns != 0 && conn_now(c) - r->first_ns > CONN_OCCUPIED_NS;
}

static bool conn_takes(const struct conn *c)
{
	const struct primary *p = c->primary;

	return c->state != CONN_CLOSING && !c->retired && c->count < depth_max(p) &&
	       c->orphan_count < CONN_ORPHANS_MAX &&
	       (p->ability != ABILITY_SINGLE || c->served == 0);
}

/* How welcome another request is; less is better. */
static uint32_t conn_load(const struct conn *c, bool urgent)
{
	return c->count + (conn_occupied(c) ? CONN_DEPTH_MAX : 0) +
	       (c->urgent != urgent && c->count > 0 ? CONN_GROW_DEPTH : 0);
}

/* The connection that is best for a request; NULL: none takes one. */
static struct conn *conn_best(const struct primary *p, bool urgent, bool any)
{
	struct conn *best = NULL;

	for (struct conn *c = p->conns; c != NULL; c = c->next) {
		if (conn_takes(c) && (any || urgent || !c->urgent) &&
		    (best == NULL || conn_load(c, urgent) < conn_load(best, urgent))) {
			best = c;
		}
	}
	return best;
}

/* Of all shards' connections, too, one is left to what is urgent. */
static bool conn_quota_take(struct primary *p, bool urgent)
{
	uint32_t max = primary_conns_max(p);

	return quota_conn_take(p->quota, urgent || max == 1 ? max : max - 1);
}

/* The connection that takes the next request, perhaps a new one; NULL if it has to wait. */
static struct conn *conn_for(struct primary *p, bool urgent)
{
	struct conn *best = conn_best(p, urgent, false);

	if ((best == NULL || conn_load(best, urgent) >= (urgent ? 1 : CONN_GROW_DEPTH)) &&
	    may_open(p, urgent) && conn_quota_take(p, urgent)) {
		return conn_open(p, urgent);
	}
	/* Where there is only what is kept for others, that serves. */
	return best != NULL || p->conn_count > p->urgent_count ? best : conn_best(p, urgent, true);
}

static void conn_give(struct conn *c, struct request *r)
{
	enum err e = ERR_OK;

	conn_add(c, r);
	if (c->state == CONN_CONNECTING) {
		return;
	}
	r->connected = true;
	if (c->state == CONN_IDLE) {
		conn_move(c, CONN_BUSY);
	}
	e = conn_compose(c, r);
	if (e != ERR_OK) { /* longer than a request may be: it cannot be asked at all */
		conn_detach(c, r);
		if (c->count == 0) {
			conn_move(c, CONN_IDLE);
		}
		request_end(r, e);
	}
}

static bool unsent(const struct primary *p)
{
	return p->unsent[0].first != NULL || p->unsent[1].first != NULL;
}

static void conns_assign(struct primary *p)
{
	for (unsigned urgent = 2; urgent-- > 0;) {
		struct request_queue *q = &p->unsent[urgent];

		while (q->first != NULL) {
			struct conn *c = conn_for(p, urgent != 0);

			if (c == NULL) {
				break;
			}
			conn_give(c, queue_pop(q));
		}
	}
	if (unsent(p)) {
		if (p->conn_count == 0) {
			quota_want(p->quota); /* other shards have all that there may be */
		}
		io_timer_set(p->all->io, &p->conn_timer,
		             io_now_ns(p->all->io) + PRIMARY_AGAIN_MS * NS_PER_MS);
	}
}

static void on_conn_again(struct io_timer *timer)
{
	struct primary *p = container_of(timer, struct primary, conn_timer);

	conns_assign(p);
	conns_flush(p->all);
}

void conn_request(struct primary *p, struct request *r)
{
	assert(r->primary == NULL && r->conn == NULL && r->next == NULL);
	r->primary = p;
	r->tries = 0;
	r->sent_ns = 0;
	r->first_ns = 0;
	r->heard_ns = 0;
	r->connected = false;
	r->queued_ns = io_now_ns(p->all->io);
	p->conn_timer.fn = on_conn_again;
	queue_push(&p->unsent[r->urgent], r);
	conns_assign(p);
}

/* ---- ends ---- */

/* May a request that a broken connection owes be asked again? Not one whose answer had begun, nor of a
 * primary that is down by now. */
static bool may_repeat(const struct request *r)
{
	return !primary_down(r->primary) && r->first_ns == 0 && r->tries < REQUEST_TRIES_MAX &&
	       r->sends < REQUEST_SENDS_MAX;
}

/* The connection is of no more use, for no fault of the requests' own: those without an answer go to
 * others, behind what waits there; the rest ends with `e`. A try does not count where others had their
 * answers: so it goes on. */
static void conn_scatter(struct conn *c, enum err e)
{
	struct primary *p = c->primary;
	struct request_queue lost = { .end = &lost.first };

	while (c->requests != NULL) {
		struct request *r = c->requests;

		conn_detach(c, r);
		if (c->served > 0) {
			r->tries--;
		}
		if (may_repeat(r)) {
			r->heard_ns = 0;
			r->connected = false;
			r->queued_ns = conn_now(c);
			queue_push(&p->unsent[r->urgent], r);
		} else {
			queue_push(&lost, r);
		}
	}
	conn_close(c);
	conns_assign(p);
	while (lost.first != NULL) {
		request_end(queue_pop(&lost), e);
	}
}

/* The first request ends with `e`; the others were only behind it. */
static void conn_fail_first(struct conn *c, enum err e)
{
	struct request *first = c->requests;

	if (first != NULL) {
		conn_detach(c, first);
	}
	conn_scatter(c, e);
	if (first != NULL) {
		request_end(first, e);
	}
}

static void conn_fail_all(struct conn *c, enum err e)
{
	struct request_queue lost = { .end = &lost.first };

	while (c->requests != NULL) {
		struct request *r = c->requests;

		conn_detach(c, r);
		queue_push(&lost, r);
	}
	conn_close(c);
	while (lost.first != NULL) {
		request_end(queue_pop(&lost), e);
	}
}

/* The other side ended it, or the network did. Requests that met a connection already dying, or were
 * sent behind others, are asked again; a new connection that only they had dies of them. */
static void conn_break(struct conn *c, enum err e)
{
	struct primary *p = c->primary;
	bool connecting = c->state == CONN_CONNECTING;

	if (conn_too_many(c, e)) {
		conn_scatter(c, e);
		return;
	}
	if (connecting) {
		primary_unreached(p, e);
	} else {
		conn_learn_end(c, e);
	}
	if (!connecting && e == ERR_PEER_CLOSED && (c->served > 0 || c->piped)) {
		conn_scatter(c, e);
	} else if (!connecting && c->piped) {
		conn_fail_first(c, e);
	} else {
		conn_fail_all(c, e);
	}
	if (primary_down(p)) {
		conn_give_up(p, e);
	}
}

/* The primary loses or confuses requests that come before the answer to others. */
static void conn_unable(struct conn *c, bool sure)
{
	conn_learn_lost(c, sure);
	conn_scatter(c, ERR_PEER_MISMATCH);
}

void conn_abandon(struct request *r)
{
	struct conn *c = r->conn;
	struct primary *p = r->primary;

	if (p == NULL) {
		return;
	}
	r->primary = NULL;
	if (c == NULL) {
		queue_remove(&p->unsent[r->urgent], r);
		return;
	}
	conn_detach(c, r);
	if (r->sent_ns == 0 && c->count > 0) {
		return; /* nobody knows of it */
	}
	if (r->sent_ns != 0 && r->first_ns == 0 && c->count > 0 &&
	    c->orphan_count < CONN_ORPHANS_MAX) {
		c->orphans[c->orphan_count++] = r->id; /* what comes for it is passed over */
		return;
	}
	conn_scatter(c, ERR_PEER_CLOSED); /* a late answer must not meet another request */
}

void conn_give_up(struct primary *p, enum err e)
{
	struct request_queue lost = { .end = &lost.first };

	for (unsigned urgent = 0; urgent < 2; urgent++) {
		while (p->unsent[urgent].first != NULL) {
			queue_push(&lost, queue_pop(&p->unsent[urgent]));
		}
	}
	while (lost.first != NULL) {
		request_end(queue_pop(&lost), e);
	}
}

void conn_close_all(struct primaries *all)
{
	for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) {
		for (struct primary *p = all->buckets[i]; p != NULL; p = p->chain) {
			assert(p->unsent[0].first == NULL && p->unsent[1].first == NULL);
			while (p->conns != NULL) {
				conn_close(p->conns);
			}
		}
	}
}

/* ---- what happens ---- */

static void conn_connected(struct conn *c, struct io_socket socket)
{
	struct request *r;

	c->socket = socket;
	c->answered_ns = conn_now(c);
	primary_connected(c->primary, conn_now(c) - c->opened_ns);
	io_recv(c->io, &c->recv, c->socket);
	conn_move(c, CONN_BUSY);
	for (r = c->requests; r != NULL; r = r->next) {
		r->connected = true;
	}
	for (r = c->requests; r != NULL;) {
		struct request *next = r->next;
		enum err e = conn_compose(c, r);

		if (e != ERR_OK) {
			conn_detach(c, r);
			request_end(r, e);
		}
		r = next;
	}
	if (c->requests == NULL) {
		conn_close(c); /* all were abandoned meanwhile */
		return;
	}
	conn_flush(c);
}

static void conn_on_write(struct io_op *op, struct io_done done)
{
	struct conn *c = container_of(op, struct conn, write);

	if (c->state == CONN_CLOSING) {
		conn_free_if_ended(c);
	} else if (done.err != ERR_OK) {
		struct primaries *all = c->primary->all;

		conn_break(c, done.err);
		conns_flush(all);
	} else if (c->state == CONN_CONNECTING) {
		conn_connected(c, done.socket);
	} else {
		conn_flush(c);
	}
}

/* An answer is over: the connection serves others, waits for some, or ends. */
static void conn_rest(struct conn *c)
{
	struct primary *p = c->primary;

	if (!c->retired && quota_let_go(p->quota)) {
		c->retired = true; /* another shard has none */
	}
	if (c->count > 0) {
		return;
	}
	if (c->retired || p->ability == ABILITY_SINGLE || c->orphan_count == CONN_ORPHANS_MAX ||
	    p->all->idle_conns >= CONN_IDLE_MAX) {
		conn_close(c);
	} else {
		conn_move(c, CONN_IDLE);
	}
}

static struct request *conn_find(const struct conn *c, uint16_t id)
{
	struct request *r = c->requests;

	while (r != NULL && r->id != id) {
		r = r->next;
	}
	return r;
}

static bool conn_is_orphan(const struct conn *c, uint16_t id)
{
	for (unsigned i = 0; i < c->orphan_count; i++) {
		if (c->orphans[i] == id) {
			return true;
		}
	}
	return false;
}

/* Whose is the message? NULL if nobody's, and the connection may be gone then. */
static struct request *conn_whose(struct conn *c, struct bytes message)
{
	uint16_t id = message.len < 2 ? 0 : load_u16(message.at);
	struct request *r = conn_find(c, id);

	if (r == NULL && conn_is_orphan(c, id)) {
		return NULL;
	}
	if (c->count == 0) {
		conn_break(c, ERR_PEER_MISMATCH); /* nothing was asked */
		return NULL;
	}
	if (c->count == 1) {
		/* An answer gone wrong: its own check of id and question will say so. */
		return c->requests;
	}
	if (r == NULL || !r->ops->fits(r, message)) {
		conn_unable(c, true);
		return NULL;
	}
	return r;
}

static void conn_message(struct conn *c, struct bytes message)
{
	struct request *r = conn_whose(c, message);

	if (r == NULL) {
		return;
	}
	c->heard_ns = conn_now(c);
	c->messages++;
	if (r->first_ns == 0) {
		conn_note_answer(c, r);
	}
	switch (r->ops->message(r, message)) {
	case REQUEST_MORE:
		return;
	case REQUEST_OVER:
		conn_note_served(c, r);
		conn_detach(c, r);
		conn_rest(c);
		break;
	case REQUEST_BROKEN:
		conn_note_served(c, r);
		conn_detach(c, r);
		conn_scatter(c, ERR_PEER_CLOSED);
		break;
	}
	request_end(r, ERR_OK);
}

static void conn_take(struct conn *c, struct bytes data)
{
	struct bytes message;

	stream_feed(&c->stream, data);
	while (c->state != CONN_CLOSING && stream_next(&c->stream, &message)) {
		conn_message(c, message);
	}
	/* Part of a message is a sign of life, unless it may be of an answer that nobody waits for. */
	if (stream_partial(&c->stream) && c->orphan_count == 0) {
		c->heard_ns = conn_now(c);
	}
	if (c->state != CONN_CLOSING && unsent(c->primary)) {
		conns_assign(c->primary);
	}
}

static void conn_on_recv(struct io_op *op, struct io_done done)
{
	struct conn *c = container_of(op, struct conn, recv);
	struct primaries *all;

	if (c->state == CONN_CLOSING) {
		io_return(c->io, done.lease);
		conn_free_if_ended(c);
		return;
	}
	all = c->primary->all;
	if (done.err != ERR_OK || done.end) {
		conn_break(c, done.end ? ERR_PEER_CLOSED : done.err);
	} else {
		c->pins++;
		conn_take(c, done.data);
		io_return(c->io, done.lease);
		c->pins--;
		conn_free_if_ended(c);
	}
	conns_flush(all);
}

/* What is urgent and waits behind something else is asked again over another connection, if one takes
 * it; the answer that comes here is passed over. */
static void conn_rescue(struct conn *c)
{
	struct primary *p = c->primary;
	struct request *r = c->requests == NULL ? NULL : c->requests->next;

	while (r != NULL && c->orphan_count < CONN_ORPHANS_MAX) {
		struct request *next = r->next;
		bool late = conn_now(c) - r->sent_ns >= CONN_LOOK_MS * NS_PER_MS;

		if (r->urgent && late && may_repeat(r)) {
			struct conn *to = conn_for(p, true);

			if (to == NULL || to == c || to->count > 0) {
				return;
			}
			c->orphans[c->orphan_count++] = r->id;
			conn_detach(c, r);
			conn_give(to, r);
		}
		r = next;
	}
}

static void conn_look_busy(struct conn *c)
{
	if (conn_dropped(c)) {
		conn_unable(c, false);
		return;
	}
	if (conn_occupied(c) || (c->requests != NULL && c->requests->first_ns == 0)) {
		conn_rescue(c);
	}
	io_timer_set(c->io, &c->timer,
	             conn_now(c) + (c->count > 1 ? CONN_LOOK_MS * NS_PER_MS : NS_PER_S));
}

static void conn_look_idle(struct conn *c)
{
	if (conn_now(c) - c->answered_ns >= CONN_IDLE_S * NS_PER_S ||
	    quota_let_go(c->primary->quota)) {
		conn_close(c);
	} else {
		io_timer_set(c->io, &c->timer, conn_now(c) + CONN_LOOK_MS * NS_PER_MS);
	}
}

static void conn_on_timer(struct io_timer *timer)
{
	struct conn *c = container_of(timer, struct conn, timer);
	struct primaries *all = c->primary->all;

	assert(c->state != CONN_CLOSING);
	switch (c->state) {
	case CONN_CONNECTING:
		conn_break(c, ERR_PEER_TIMEOUT);
		break;
	case CONN_IDLE:
		conn_look_idle(c);
		break;
	case CONN_BUSY:
		conn_look_busy(c);
		break;
	case CONN_CLOSING:
	case CONN_STATES:
		break;
	}
	conns_flush(all);
}
