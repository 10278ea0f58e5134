/* SPDX-License-Identifier: MIT
 *
 * tests/sim/primary.c — a primary on the simulated network. */
#include "tests/sim/primary.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"

#define PPM         1000000U
#define GARBAGE_MAX 400
#define STALL_S     90 /* then it closes what it does not go on with */
#define HISTORY_MAX 20

/* What follows what is sent of an answer. */
enum after { AFTER_NEXT, AFTER_CLOSE, AFTER_STALL };

struct answer {
	struct answer *next;
	uint8_t *at; /* messages, each after its length */
	size_t len;
	size_t pos;
	uint64_t ready_ns; /* when its next message may go */
	uint64_t gap_ns;
	uint16_t id;
	enum after after;
};

struct primary_conn {
	struct primary_peer *p;
	struct primary_conn *next;
	struct io_socket socket;
	struct io_op recv;
	struct io_op send;
	struct io_timer timer;
	struct stream stream;
	struct answer *answers; /* in the order of their requests */
	struct answer *sending;
	size_t sending_len;
	bool closed;
};

static void must(enum err e)
{
	assert(e == ERR_OK);
	(void)e;
}

static uint32_t dice(struct primary_peer *p, uint32_t below)
{
	return env_random_below(p->io->env, below);
}

static bool chance(struct primary_peer *p, uint32_t ppm)
{
	return ppm > 0 && dice(p, PPM) < ppm;
}

static struct truth_zone *zone_at_hand(const struct primary_peer *p)
{
	return &p->truth->zones[p->zone];
}

/* ---- content ---- */

static bool content_choose(struct script *s, struct name apex)
{
	struct primary_peer *p = container_of(s, struct primary_peer, script);
	const struct truth_zone *z;

	p->zone = truth_zone_of(p->truth, apex);
	if (p->zone < 0 || p->held[p->zone] == TRUTH_NONE) {
		return false;
	}
	z = zone_at_hand(p);
	s->apex = z->apex;
	s->serial = z->versions[p->held[p->zone]].serial;
	s->refresh_s = z->refresh_s;
	s->retry_s = z->retry_s;
	s->expire_s = z->expire_s;
	return true;
}

static void put_foreign(const struct primary_peer *p, struct script_sink *sink)
{
	static const uint8_t text[] = "\x07"
				      "foreign";
	struct rr rr = { .owner = name_of(&p->script.apex),
		         .type = TYPE_TXT,
		         .class = CLASS_IN,
		         .ttl = 300,
		         .rdata = { text, sizeof(text) - 1 } };

	if (p->foreign || p->forges) {
		sink->put(sink, &rr);
	}
}

static void content_records(const struct script *s, struct script_sink *sink)
{
	const struct primary_peer *p = container_of(s, struct primary_peer, script);

	truth_records(zone_at_hand(p), p->held[p->zone], sink);
	put_foreign(p, sink);
}

/* The versions from the one with serial `have` to the one held, newest first; 0: it is not known. */
static size_t path_from(const struct primary_peer *p, uint32_t have, int out[HISTORY_MAX + 1])
{
	const struct truth_zone *z = zone_at_hand(p);
	int v = p->held[p->zone];

	for (size_t i = 0; i <= p->habits.history && v != TRUTH_NONE; i++) {
		out[i] = v;
		if (z->versions[v].serial == have) {
			return i + 1;
		}
		v = z->versions[v].parent;
	}
	return 0;
}

static bool content_knows(const struct script *s, uint32_t have)
{
	const struct primary_peer *p = container_of(s, struct primary_peer, script);
	int path[HISTORY_MAX + 1];

	return p->habits.ixfr != IXFR_WHOLE && path_from(p, have, path) > 1;
}

static void content_changes(const struct script *s, uint32_t have, struct script_sink *sink)
{
	const struct primary_peer *p = container_of(s, struct primary_peer, script);
	const struct truth_zone *z = zone_at_hand(p);
	int path[HISTORY_MAX + 1];
	size_t count = path_from(p, have, path);

	if (p->habits.ixfr == IXFR_CONDENSED) {
		path[1] = path[count - 1];
		count = 2;
	}
	for (size_t i = count - 1; i > 0; i--) {
		int from = path[i], to = path[i - 1];

		sink->step(sink, false, z->versions[from].serial);
		truth_difference(z, from, to, true, sink);
		sink->step(sink, true, z->versions[to].serial);
		truth_difference(z, from, to, false, sink);
		put_foreign(p, sink);
	}
}

static const struct script_content content = { content_choose, content_records, content_knows,
	                                       content_changes };

/* ---- faults ---- */

/* Beyond those of scripts: octets that are no answer. */
#define FAULT_GARBAGE ((enum script_fault)100)
#define FAULT_TRICKLE ((enum script_fault)101)

static enum script_fault fault_pick(struct primary_peer *p)
{
	static const enum script_fault faults[] = {
		SCRIPT_RCODE,   SCRIPT_RCODE,        SCRIPT_RCODE,          SCRIPT_NO_AA,
		SCRIPT_BAD_ID,  SCRIPT_BAD_QUESTION, SCRIPT_BAD_OPCODE,     SCRIPT_NOT_ANSWER,
		SCRIPT_EMPTY,   SCRIPT_TRAILING,     SCRIPT_LATE_SOA,       SCRIPT_NO_END,
		SCRIPT_OUTSIDE, SCRIPT_KNOWN_ADD,    SCRIPT_UNKNOWN_DELETE, SCRIPT_CLASS,
		SCRIPT_META,    SCRIPT_NO_NS,        SCRIPT_CNAME,          SCRIPT_CUT,
		SCRIPT_BAD_MAC, SCRIPT_UNSIGNED,     SCRIPT_UNSIGNED_LAST,  SCRIPT_WHOLE,
		SCRIPT_SILENT,  SCRIPT_SILENT,       SCRIPT_CLOSE,          SCRIPT_CLOSE,
		SCRIPT_STALL,   SCRIPT_STALL,        SCRIPT_TRUNCATED,      FAULT_GARBAGE,
		FAULT_GARBAGE,  FAULT_TRICKLE,
	};

	return faults[dice(p, ARRAY_LEN(faults))];
}

/* Octets of an unsigned answer cannot be changed unnoticed by anyone: all of them are replaced. Of a
 * signed one a bit will do. */
static void garble(struct primary_peer *p, struct script_answer *answer)
{
	if (answer->len < 2) {
		return;
	}
	if (p->script.key != NULL && dice(p, 2) == 0) {
		answer->at[dice(p, (uint32_t)answer->len)] ^= (uint8_t)(1U << dice(p, 8));
		return;
	}
	answer->len = 2 + 1 + dice(p, GARBAGE_MAX);
	answer->at = mem_grow(answer->at, answer->len);
	p->io->env->random(p->io->env->self, answer->at, answer->len);
	if (dice(p, 2) == 0) {
		store_u16(answer->at, (uint16_t)(answer->len - 2));
	}
}

/* Answers a request as habits and chance have it. Returns the fault. */
static enum script_fault make(struct primary_peer *p, struct bytes request, bool udp,
                              struct script_answer *out)
{
	static const uint16_t rcodes[] = { RCODE_REFUSED, RCODE_SERVFAIL, RCODE_NOTAUTH,
		                           RCODE_FORMERR, RCODE_NOTIMP };
	struct script *s = &p->script;
	enum script_fault fault = chance(p, p->fault_ppm) ? fault_pick(p) : SCRIPT_FINE;

	p->answers++;
	p->faults += fault != SCRIPT_FINE;
	/* What is not signed as it must be is not believed, whatever it says. */
	p->forges = s->key != NULL && (fault == SCRIPT_BAD_MAC || fault == SCRIPT_UNSIGNED ||
	                               fault == SCRIPT_UNSIGNED_LAST);
	s->wall_s = (uint64_t)env_wall_s(p->io->env);
	s->fault_times = 0;
	if (fault != SCRIPT_FINE && fault < FAULT_GARBAGE) {
		script_fail(s, fault, SCRIPT_ALL, 1);
		s->fault_arg =
			fault == SCRIPT_RCODE ? rcodes[dice(p, ARRAY_LEN(rcodes))] : dice(p, 2000);
	} else if (udp && p->habits.truncates) {
		script_fail(s, SCRIPT_TRUNCATED, SCRIPT_SOA, 1);
	} else if (p->habits.ixfr == IXFR_REFUSED) {
		script_fail(s, SCRIPT_RCODE, SCRIPT_IXFR, 1);
		s->fault_arg = RCODE_NOTIMP;
	}
	*out = script_ask(s, request, udp);
	if (fault == FAULT_GARBAGE) {
		garble(p, out);
	}
	return fault >= FAULT_GARBAGE ? fault : s->now;
}

/* ---- connections ---- */

static void answer_free(struct answer *a)
{
	free(a->at);
	free(a);
}

static void conn_free_if_ended(struct primary_conn *c)
{
	struct primary_conn **at = &c->p->conns;

	if (!c->closed || c->recv.waiting || c->send.waiting) {
		return;
	}
	while (*at != c) {
		at = &(*at)->next;
	}
	*at = c->next;
	while (c->answers != NULL) {
		struct answer *a = c->answers;

		c->answers = a->next;
		answer_free(a);
	}
	stream_fini(&c->stream);
	free(c);
}

static void conn_close(struct primary_conn *c)
{
	if (!c->closed) {
		c->closed = true;
		c->p->conn_count--;
		io_timer_clear(c->p->io, &c->timer);
		io_close(c->p->io, c->socket);
	}
	conn_free_if_ended(c);
}

/* The answer whose turn is next; NULL: none is ready, and `*wait_ns` says when one will be. */
static struct answer *answer_pick(struct primary_conn *c, uint64_t *wait_ns)
{
	uint64_t now = io_now_ns(c->p->io);
	struct answer *picked = NULL;
	uint32_t ready = 0;

	*wait_ns = UINT64_MAX;
	for (struct answer *a = c->answers; a != NULL; a = a->next) {
		if (a->ready_ns <= now && dice(c->p, ++ready) == 0) {
			picked = a;
		}
		*wait_ns = a->ready_ns < *wait_ns ? a->ready_ns : *wait_ns;
		if (!c->p->habits.any_order) {
			break;
		}
	}
	return picked;
}

static void answer_drop(struct primary_conn *c, struct answer *a)
{
	struct answer **at = &c->answers;

	while (*at != a) {
		at = &(*at)->next;
	}
	*at = a->next;
	answer_free(a);
}

/* All that is to be sent of an answer has been. False: the connection is no more. */
static bool answer_end(struct primary_conn *c, struct answer *a)
{
	bool closes = a->after == AFTER_CLOSE || c->p->habits.closes;

	if (a->after == AFTER_STALL) {
		a->after = AFTER_CLOSE;
		a->ready_ns = io_now_ns(c->p->io) + STALL_S * NS_PER_S;
		return true;
	}
	answer_drop(c, a);
	if (closes) {
		conn_close(c);
	}
	return !closes;
}

/* Sends what may be sent now, or waits for the time. */
static void conn_go(struct primary_conn *c)
{
	struct io *io = c->p->io;
	uint64_t wait_ns;
	struct answer *a;

	while (c->sending == NULL) {
		a = answer_pick(c, &wait_ns);
		if (a == NULL) {
			if (c->answers == NULL && c->p->habits.idle_s != 0) {
				wait_ns = io_now_ns(io) + c->p->habits.idle_s * NS_PER_S;
			}
			if (wait_ns != UINT64_MAX) {
				io_timer_set(io, &c->timer, wait_ns);
			}
			return;
		}
		if (a->pos == a->len) {
			if (!answer_end(c, a)) {
				return;
			}
			continue;
		}
		c->sending = a;
		c->sending_len = a->len - a->pos;
		if (c->sending_len > 2 && 2U + load_u16(a->at + a->pos) < c->sending_len) {
			c->sending_len = 2U + load_u16(a->at + a->pos);
		}
		io_send(io, &c->send, c->socket, bytes_of(a->at + a->pos, c->sending_len));
	}
}

static void on_timer(struct io_timer *timer)
{
	struct primary_conn *c = container_of(timer, struct primary_conn, timer);

	if (c->answers == NULL) {
		conn_close(c); /* idle for long */
	} else {
		conn_go(c);
	}
}

static void on_send(struct io_op *op, struct io_done done)
{
	struct primary_conn *c = container_of(op, struct primary_conn, send);
	struct answer *a = c->sending;

	if (c->closed) {
		conn_free_if_ended(c);
		return;
	}
	if (done.err != ERR_OK) {
		conn_close(c);
		return;
	}
	c->sending = NULL;
	a->pos += c->sending_len;
	a->ready_ns = a->pos == a->len ? 0 : io_now_ns(c->p->io) + a->gap_ns;
	conn_go(c);
}

/* Gives the messages of an answer that are not sent yet another id. */
static void answer_id(struct answer *a, uint16_t id)
{
	size_t pos = a->pos;

	while (a->len - pos > 4) {
		store_u16(a->at + pos + 2, id);
		pos += 2U + load_u16(a->at + pos);
		if (pos > a->len) {
			break;
		}
	}
}

static void conn_answer(struct primary_conn *c, struct bytes request)
{
	struct primary_peer *p = c->p;
	struct answer *a = mem_zero(1, sizeof(*a)), **last = &c->answers;
	struct script_answer made;
	enum script_fault fault = make(p, request, false, &made);

	*a = (struct answer){ .at = made.at, .len = made.len, .id = load_u16(request.at) };
	a->ready_ns = io_now_ns(p->io) + dice(p, p->habits.think_ms + 1) * NS_PER_MS;
	a->gap_ns = p->habits.gap_ms * NS_PER_MS;
	if (fault == SCRIPT_SILENT) {
		answer_free(a);
		return;
	}
	if (fault == SCRIPT_CLOSE || fault == SCRIPT_STALL) {
		a->len = p->script.fault_arg < a->len ? p->script.fault_arg : a->len;
		a->after = fault == SCRIPT_CLOSE ? AFTER_CLOSE : AFTER_STALL;
	} else if (fault == FAULT_TRICKLE) {
		a->gap_ns = (200 + dice(p, 4000)) * NS_PER_MS;
	} else if (fault == SCRIPT_NO_END && dice(p, 2) == 0) {
		a->after = AFTER_STALL;
	}
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = a;
	if (p->habits.second == SECOND_MIXES && a != c->answers) {
		answer_id(a, c->answers->id);
		answer_id(c->answers, a->id);
	}
	if (io_timer_is_set(&c->timer)) {
		io_timer_clear(p->io, &c->timer);
	}
	conn_go(c);
}

static void conn_request(struct primary_conn *c, struct bytes request)
{
	if (c->p->silent) {
		return;
	}
	if (c->answers == NULL) {
		conn_answer(c, request);
		return;
	}
	switch (c->p->habits.second) {
	case SECOND_DROPPED:
		break;
	case SECOND_CLOSES:
		conn_close(c);
		break;
	case SECOND_SERVED:
	case SECOND_MIXES:
	case SECOND_KINDS:
		conn_answer(c, request);
		break;
	}
}

static void on_recv(struct io_op *op, struct io_done done)
{
	struct primary_conn *c = container_of(op, struct primary_conn, recv);
	struct io *io = c->p->io;
	struct bytes request;

	if (!c->closed && done.err == ERR_OK && !done.end) {
		stream_feed(&c->stream, done.data);
		while (!c->closed && stream_next(&c->stream, &request)) {
			conn_request(c, request); /* frees nothing: this operation goes on */
		}
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
	struct primary_peer *p = container_of(op, struct primary_peer, accept);
	struct primary_conn *c;

	if (done.err != ERR_OK) {
		return;
	}
	if (p->habits.conns_max != 0 && p->conn_count >= p->habits.conns_max) {
		io_close(p->io, done.socket);
		return;
	}
	c = mem_zero(1, sizeof(*c));
	c->p = p;
	c->socket = done.socket;
	c->recv.fn = on_recv;
	c->send.fn = on_send;
	c->timer.fn = on_timer;
	c->next = p->conns;
	p->conns = c;
	p->conn_count++;
	io_recv(p->io, &c->recv, c->socket);
	conn_go(c);
}

/* ---- datagrams ---- */

/* Takes a NOTIFY (RFC 1996 §3.7), and answers it or not. */
static void take_notify(struct primary_peer *p, const struct io_done *done)
{
	struct reader r = reader_of(done->data);
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct composer *c = mem_new(sizeof(*c));
	struct question q;
	struct header h;
	struct soa soa;
	struct rr rr;
	uint8_t at[512];

	must(header_read(&r, &h));
	must(question_read(&r, &q));
	if (h.ancount > 0) {
		must(rr_read(&r, scratch, &rr));
		must(soa_view(rr.rdata, &soa));
		p->on_notify(p->on_notify_self, truth_zone_of(p->truth, name_of(&q.name)),
		             soa.serial);
	}
	if (dice(p, 4) != 0) {
		bool fits;

		composer_init(c, at, sizeof(at));
		fits = composer_question(c, name_of(&q.name), q.type, q.class);
		assert(fits);
		(void)fits;
		(void)!io_udp_send(
			p->io, p->udp, &done->peer, &done->local,
			composer_finish(c, h.id, FLAG_QR | FLAG_AA | OPCODE_NOTIFY << 11));
	}
	free(c);
	free(scratch);
}

static void take_question(struct primary_peer *p, const struct io_done *done)
{
	struct script_answer answer;
	enum script_fault fault = make(p, done->data, true, &answer);
	bool silent = fault == SCRIPT_SILENT || fault == SCRIPT_CLOSE || fault == SCRIPT_STALL;

	if (!silent && answer.len > 2 && answer.len - 2 <= IO_DATAGRAM_MAX_LEN) {
		(void)!io_udp_send(p->io, p->udp, &done->peer, &done->local,
		                   bytes_of(answer.at + 2, answer.len - 2));
	}
	free(answer.at);
}

static void on_datagram(struct io_op *op, struct io_done done)
{
	struct primary_peer *p = container_of(op, struct primary_peer, datagrams);
	struct reader r = reader_of(done.data);
	struct header h;

	if (done.err == ERR_OK && header_read(&r, &h) == ERR_OK && (h.flags & FLAG_QR) == 0) {
		if (header_opcode(&h) == OPCODE_NOTIFY) {
			take_notify(p, &done);
		} else if (!p->habits.deaf_to_udp && !p->silent) {
			take_question(p, &done);
		}
	}
	io_return(p->io, done.lease);
}

void primary_peer_notify(struct primary_peer *p, unsigned zone, const struct addr *to,
                         const uint32_t *serial)
{
	const struct truth_zone *z = &p->truth->zones[zone];
	struct composer *c = mem_new(sizeof(*c));
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct name apex = name_of(&z->apex);
	struct tsig_stream tsig;
	uint8_t at[1024];
	char line[120];
	struct rr rr;
	bool fits;

	composer_init(c, at, sizeof(at));
	fits = composer_question(c, apex, TYPE_SOA, CLASS_IN);
	if (serial != NULL) {
		snprintf(line, sizeof(line), "@ 300 IN SOA ns hostmaster.ns %u %u %u %u 60",
		         *serial, z->refresh_s, z->retry_s, z->expire_s);
		must(rr_parse(bytes_str(line), &apex, 300, scratch, &rr));
		fits = fits && composer_rr(c, SECTION_ANSWER, &rr);
	}
	assert(fits);
	(void)fits;
	composer_finish(c, (uint16_t)dice(p, 65536), FLAG_AA | OPCODE_NOTIFY << 11);
	tsig_stream_init(&tsig, p->habits.signs_notify ? p->script.key : NULL);
	must(tsig_sign_request(&tsig, &c->w, (uint64_t)env_wall_s(p->io->env)));
	(void)!io_udp_send(p->io, p->udp, to, &p->at, writer_bytes(&c->w));
	tsig_stream_fini(&tsig);
	free(scratch);
	free(c);
}

/* ---- life ---- */

void primary_peer_hold(struct primary_peer *p, unsigned zone, int version)
{
	p->held[zone] = version;
	p->truth->zones[zone].versions[version].holders |= 1U << p->index;
}

void primary_peer_up(struct primary_peer *p)
{
	if (p->up || p->accept.waiting || p->datagrams.waiting) {
		return;
	}
	p->up = true;
	must(io_listen(p->io, &p->at, &p->tcp));
	must(io_udp_open(p->io, &p->at, &p->udp));
	io_accept(p->io, &p->accept, p->tcp);
	io_udp_recv(p->io, &p->datagrams, p->udp);
}

void primary_peer_down(struct primary_peer *p)
{
	struct primary_conn *c = p->conns;

	if (!p->up) {
		return;
	}
	p->up = false;
	io_close(p->io, p->tcp);
	io_close(p->io, p->udp);
	while (c != NULL) {
		struct primary_conn *next = c->next;

		conn_close(c);
		c = next;
	}
}

static void habits_init(struct primary_peer *p)
{
	struct primary_habits *h = &p->habits;

	*h = (struct primary_habits){
		.any_order = dice(p, 2) == 0,
		.second = dice(p, 2) == 0 ? SECOND_SERVED
		                          : (enum primary_second)dice(p, SECOND_KINDS),
		.ixfr = dice(p, 2) == 0 ? IXFR_STEPS : (enum primary_ixfr)dice(p, IXFR_KINDS),
		.closes = dice(p, 5) == 0,
		.idle_s = dice(p, 2) == 0 ? 0 : 1 + dice(p, 20),
		.conns_max = dice(p, 6) == 0 ? 2 + dice(p, 10) : 0,
		.history = 1 + dice(p, HISTORY_MAX),
		.think_ms = dice(p, 3) == 0 ? dice(p, 60) : 0,
		.gap_ms = dice(p, 5) == 0 ? 1 + dice(p, 30) : 0,
		.per_message = dice(p, 2) == 0 ? 0 : 3 + dice(p, 100),
		.signed_every = dice(p, 3) == 0 ? 1 + dice(p, 50) : 0,
		.deaf_to_udp = dice(p, 10) == 0,
		.truncates = dice(p, 10) == 0,
		.signs_notify = dice(p, 2) == 0,
	};
	p->script.per_message = h->per_message;
	p->script.signed_every = h->signed_every;
}

struct primary_peer *primary_peer_new(struct sim *sim, struct truth *truth, unsigned index,
                                      struct tsig_key *key)
{
	struct primary_peer *p = mem_zero(1, sizeof(*p));
	struct sim_node_options options = { .addrs = &p->at, .addr_count = 1 };
	char addr[ADDR_TEXT_MAX];

	snprintf(addr, sizeof(addr), "192.0.2.%u", index + 1);
	must(addr_parse(addr, 53, &p->at));
	script_init(&p->script, "example.", key);
	p->script.content = &content;
	p->truth = truth;
	p->index = index;
	for (unsigned i = 0; i < TRUTH_ZONES_MAX; i++) {
		p->held[i] = TRUTH_NONE;
	}
	p->io = sim_node(sim, &options);
	p->accept.fn = on_accept;
	p->datagrams.fn = on_datagram;
	habits_init(p);
	primary_peer_up(p);
	return p;
}

void primary_peer_free(struct primary_peer *p)
{
	assert(p->conns == NULL); /* they have ended */
	script_fini(&p->script);
	free(p);
}

void primary_peer_print(const struct primary_peer *p, char *out, size_t cap)
{
	static const char *const second[SECOND_KINDS] = { "served", "dropped", "closes",
		                                          "mixed up" };
	static const char *const ixfr[IXFR_KINDS] = { "in steps", "condensed", "whole zone",
		                                      "refused" };
	const struct primary_habits *h = &p->habits;

	snprintf(out, cap,
	         "%s; second request %s%s; IXFR %s, %u versions back; idle %u s, at most %u "
	         "connections; thinks %u ms, pauses %u ms%s%s; %s",
	         h->any_order ? "any order" : "in order", second[h->second],
	         h->closes ? ", closes after each answer" : "", ixfr[h->ixfr], h->history,
	         h->idle_s, h->conns_max, h->think_ms, h->gap_ms,
	         h->deaf_to_udp ? ", deaf to UDP" : "", h->truncates ? ", truncates" : "",
	         p->script.key == NULL ? "unsigned" : "signed");
}
