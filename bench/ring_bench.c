/* SPDX-License-Identifier: MIT
 *
 * bench/ring_bench.c — what the ring costs: TCP and UDP pairs, connections, mails, over loopback.
 *
 * Two shards on two threads, a server and a client. CPU is that of the client's thread alone. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "ring/uring.h"

#define SECONDS   2
#define PORT      21400
#define LANES     64 /* pairs under way at once */
#define ASK_LEN   50
#define REPLY_LEN 500

static const uint8_t octets[REPLY_LEN];

struct bench {
	struct io *server;
	struct io *client;
	struct addr at;
	pthread_barrier_t made;
	pthread_barrier_t done;
	uint64_t pairs;
	bool reconnect; /* a connection for each pair */
	_Atomic bool over;
};

/* --- Server: answers ASK_LEN octets with REPLY_LEN ------------------------------------------- */

struct session {
	struct bench *bench;
	struct io_socket s;
	struct io_op recv, send;
	bool over;
};

static void session_close(struct session *s)
{
	if (s->over && !s->send.waiting) {
		io_close(s->bench->server, s->s);
		free(s);
	}
}

static void session_on_send(struct io_op *op, struct io_done done)
{
	(void)done;
	session_close(container_of(op, struct session, send));
}

static void session_on_recv(struct io_op *op, struct io_done done)
{
	struct session *s = container_of(op, struct session, recv);

	io_return(s->bench->server, done.lease);
	if (!done.more) {
		s->over = true;
		session_close(s);
	} else if (!s->send.waiting) {
		io_send(s->bench->server, &s->send, s->s, bytes_of(octets, REPLY_LEN));
	}
}

struct server {
	struct bench *bench;
	struct io_socket listener, udp;
	struct io_op accept, udp_recv;
};

static void server_on_accept(struct io_op *op, struct io_done done)
{
	struct server *sv = container_of(op, struct server, accept);
	struct session *s;

	if (!done.more) {
		return;
	}
	s = calloc(1, sizeof(*s));
	s->bench = sv->bench;
	s->s = done.socket;
	s->recv.fn = session_on_recv;
	s->send.fn = session_on_send;
	io_recv(sv->bench->server, &s->recv, s->s);
}

static void server_on_datagram(struct io_op *op, struct io_done done)
{
	struct server *sv = container_of(op, struct server, udp_recv);

	if (done.more) {
		(void)!io_udp_send(sv->bench->server, sv->udp, &done.peer, &done.local,
		                   bytes_of(octets, REPLY_LEN));
		io_return(sv->bench->server, done.lease);
	}
}

static struct io *ring_new(void)
{
	struct uring_options o = { .env = env_system() };
	char why[300];
	struct io *io;

	if (uring_new(&o, &io, why, sizeof(why)) != ERR_OK) {
		fprintf(stderr, "%s\n", why);
		exit(1);
	}
	return io;
}

static void *server_run(void *arg)
{
	struct bench *b = arg;
	struct server sv = { .bench = b };

	b->server = ring_new();
	sv.accept.fn = server_on_accept;
	sv.udp_recv.fn = server_on_datagram;
	if (io_listen(b->server, &b->at, &sv.listener) != ERR_OK ||
	    io_udp_open(b->server, &b->at, &sv.udp) != ERR_OK) {
		fprintf(stderr, "port %u is taken\n", PORT);
		exit(1);
	}
	io_accept(b->server, &sv.accept, sv.listener);
	io_udp_recv(b->server, &sv.udp_recv, sv.udp);
	pthread_barrier_wait(&b->made);
	io_run(b->server);
	pthread_barrier_wait(&b->done);
	io_free(b->server);
	return NULL;
}

/* --- Client ---------------------------------------------------------------------------------- */

struct lane {
	struct bench *bench;
	struct io_op connect, recv, send;
	struct io_socket s;
	size_t got;
	struct io_mail mail;
	bool away;
};

static void lane_connect(struct lane *l)
{
	struct addr to = l->bench->at;

	to.ip[3] = (uint8_t)(1 + (size_t)l / sizeof(*l) % 16); /* spreads the ports */
	io_connect(l->bench->client, &l->connect, &to, NULL);
}

static void lane_ask(struct lane *l)
{
	l->got = 0;
	io_send(l->bench->client, &l->send, l->s, bytes_of(octets, ASK_LEN));
}

static void lane_on_connect(struct io_op *op, struct io_done done)
{
	struct lane *l = container_of(op, struct lane, connect);

	if (done.err != ERR_OK) {
		return;
	}
	l->s = done.socket;
	io_recv(l->bench->client, &l->recv, l->s);
	lane_ask(l);
}

static void lane_on_recv(struct io_op *op, struct io_done done)
{
	struct lane *l = container_of(op, struct lane, recv);

	l->got += done.data.len;
	io_return(l->bench->client, done.lease);
	if (!done.more) {
		if (l->bench->reconnect && done.err == ERR_STOPPING) {
			lane_connect(l);
		}
	} else if (l->got == REPLY_LEN) {
		l->bench->pairs++;
		if (l->bench->reconnect) {
			io_close(l->bench->client, l->s);
		} else if (!l->send.waiting) {
			lane_ask(l);
		}
	}
}

static void lane_on_send(struct io_op *op, struct io_done done)
{
	(void)op;
	(void)done;
}

struct udp_client {
	struct bench *bench;
	struct io_socket s;
	struct io_op recv;
};

static void udp_on_recv(struct io_op *op, struct io_done done)
{
	struct udp_client *u = container_of(op, struct udp_client, recv);

	if (done.more) {
		u->bench->pairs++;
		io_return(u->bench->client, done.lease);
		(void)!io_udp_send(u->bench->client, u->s, &u->bench->at, NULL,
		                   bytes_of(octets, ASK_LEN));
	}
}

/* A mail goes to the server's shard and back. */
static void mail_on_arrival(struct io_mail *mail)
{
	struct lane *l = container_of(mail, struct lane, mail);

	if (atomic_load(&l->bench->over)) {
		return;
	}
	l->away = !l->away;
	if (!l->away) {
		l->bench->pairs++;
	}
	io_post_reply(l->away ? l->bench->client : l->bench->server, mail);
}

/* --- Measuring -------------------------------------------------------------------------------- */

static double cpu_s(void)
{
	struct rusage r;

	getrusage(RUSAGE_THREAD, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

struct clock {
	struct io_timer timer;
	struct io *io;
};

static void on_time_up(struct io_timer *t)
{
	io_stop(container_of(t, struct clock, timer)->io);
}

static void measure(struct bench *b, const char *what)
{
	struct clock c = { .timer.fn = on_time_up, .io = b->client };
	struct uring_info before = uring_info(b->client);
	struct uring_info after;
	double cpu = cpu_s();

	b->pairs = 0;
	io_timer_set(b->client, &c.timer, io_now_ns(b->client) + SECONDS * NS_PER_S);
	io_run(b->client);
	cpu = cpu_s() - cpu;
	after = uring_info(b->client);
	printf("%-28s %9.0f /s   %6.2f us of CPU each   %5.1f completions a turn\n", what,
	       (double)b->pairs / SECONDS, cpu * 1e6 / (double)b->pairs,
	       (double)(after.completions - before.completions) /
	               (double)(after.turns - before.turns));
}

static void measure_tcp(struct bench *b, const char *what, bool reconnect)
{
	struct lane *lanes = calloc(LANES, sizeof(*lanes));

	b->client = ring_new();
	b->reconnect = reconnect;
	for (int i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){ .bench = b, .connect.fn = lane_on_connect };
		lanes[i].recv.fn = lane_on_recv;
		lanes[i].send.fn = lane_on_send;
		lane_connect(&lanes[i]);
	}
	measure(b, what);
	b->reconnect = false;
	io_free(b->client);
	free(lanes);
}

static void measure_udp(struct bench *b, const char *what)
{
	struct udp_client u = { .bench = b, .recv.fn = udp_on_recv };
	struct addr own = b->at;

	b->client = ring_new();
	own.port = 0;
	own.ip[3] = 1;
	if (io_udp_open(b->client, &own, &u.s) != ERR_OK) {
		return;
	}
	io_udp_recv(b->client, &u.recv, u.s);
	for (int i = 0; i < LANES; i++) {
		(void)!io_udp_send(b->client, u.s, &b->at, NULL, bytes_of(octets, ASK_LEN));
	}
	measure(b, what);
	io_free(b->client);
}

int main(void)
{
	static struct bench b;
	static struct lane lanes[LANES];
	pthread_t thread;
	struct addr any;

	if (addr_parse("127.0.0.1", PORT, &b.at) != ERR_OK ||
	    addr_parse("0.0.0.0", PORT, &any) != ERR_OK) {
		return 1;
	}
	b.at = any;
	pthread_barrier_init(&b.made, NULL, 2);
	pthread_barrier_init(&b.done, NULL, 2);
	pthread_create(&thread, NULL, server_run, &b);
	pthread_barrier_wait(&b.made);
	b.at.ip[0] = 127;
	b.at.ip[3] = 1;
	printf("ring: 2 shards, loopback, %d at once, %d octets asked, %d answered\n", LANES,
	       ASK_LEN, REPLY_LEN);
	measure_tcp(&b, "TCP pairs", false);
	measure_tcp(&b, "TCP connect, pair, close", true);
	measure_udp(&b, "UDP pairs");
	b.client = ring_new();
	for (int i = 0; i < LANES; i++) {
		lanes[i] = (struct lane){ .bench = &b, .mail.fn = mail_on_arrival };
		io_post_reply(b.server, &lanes[i].mail);
	}
	measure(&b, "mails there and back");
	atomic_store(&b.over, true);
	io_stop(b.server);
	pthread_barrier_wait(&b.done);
	io_free(b.client);
	pthread_join(thread, NULL);
	return 0;
}
