/* SPDX-License-Identifier: MIT */
#include "ring/uring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/ring/world.h"
#include "tests/test.h"

#define PORT        21000 /* and the next ones: each case takes two */
#define PORTS       24    /* of a run of the suite */
#define PORT_BLOCKS 20

static struct addr addr_of(const char *ip, unsigned port)
{
	struct addr a;

	cr_assert(eq(int, addr_parse(ip, (uint16_t)port, &a), ERR_OK));
	return a;
}

/* Listeners share their ports, so two runs of the tests at once would take each other's
 * connections: each process has a loopback address of its own. */
static struct addr own_addr(unsigned port)
{
	struct addr a = { .family = 4, .port = (uint16_t)port };
	uint32_t pid = (uint32_t)getpid();

	store_u32(a.ip, 127U << 24 | (64 + (pid >> 16 & 0x3f)) << 16 | (pid & 0xffff));
	return a;
}

/* IPv6 has one loopback address: takes a block of ports for this process. Returns the socket that
 * holds it. */
static int own_ports(unsigned *first)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	for (unsigned i = 0; i < PORT_BLOCKS; i++) {
		struct addr at = addr_of("::1", PORT + i * PORTS);
		struct sockaddr_storage ss;
		socklen_t len = addr_to_sockaddr(&at, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) == 0) {
			*first = at.port + 1U;
			return fd;
		}
	}
	cr_fatal("all ports are taken");
	return -1;
}

static struct io *ring_new(struct uring_options options)
{
	char why[300] = "";
	struct io *io = NULL;

	options.env = env_system();
	cr_assert(eq(int, uring_new(&options, &io, why, sizeof(why)), ERR_OK), "%s", why);
	return io;
}

static void run_suite(struct addr to, const char *from, struct uring_options o)
{
	for (size_t i = 0; i < io_cases_count; i++) {
		struct io *io = ring_new(o);
		struct world w = { .a = io, .b = io, .at = to, .from = addr_of(from, 0) };

		cr_log_info("%s", io_cases[i].name);
		io_cases[i].run(&w);
		io_free(io);
		to.port = (uint16_t)(to.port + 2);
	}
}

TEST(uring, behaves_over_ipv4)
{
	run_suite(own_addr(PORT), "127.0.0.1", (struct uring_options){ .mails_max = 8 });
}

TEST(uring, behaves_over_ipv6)
{
	unsigned port = 0;
	int hold = own_ports(&port);

	run_suite(addr_of("::1", port), "::1", (struct uring_options){ .mails_max = 8 });
	close(hold);
}

/* Few entries, few small buffers: the queues overflow, the buffers are used up all the time. */
TEST(uring, behaves_when_everything_is_short)
{
	run_suite(own_addr(PORT), "127.0.0.1",
	          (struct uring_options){ .entries = 4,
	                                  .buffers = 2,
	                                  .buffer_len = 512,
	                                  .datagrams = 2,
	                                  .mails_max = 8 });
}

/* --- Against plain sockets ------------------------------------------------------------------ */

struct own {
	struct io *io;
	struct io_socket listener, s;
	struct io_op accept, recv, send;
	char got[64];
	size_t got_len;
	size_t accepted;
	int ends, stops;
	enum err err;
};

static void own_on_send(struct io_op *op, struct io_done done)
{
	struct own *o = container_of(op, struct own, send);

	cr_assert(eq(int, done.err, ERR_OK));
	io_close(o->io, o->s);
	io_stop(o->io);
}

static void own_on_recv(struct io_op *op, struct io_done done)
{
	struct own *o = container_of(op, struct own, recv);

	if (done.more) {
		memcpy(o->got + o->got_len, done.data.at, done.data.len);
		o->got_len += done.data.len;
		io_return(o->io, done.lease);
		return;
	}
	o->err = done.err;
	o->ends++;
	if (done.end) {
		io_send(o->io, &o->send, o->s, bytes_of(o->got, o->got_len));
	} else {
		io_stop(o->io);
	}
}

static void own_on_accept(struct io_op *op, struct io_done done)
{
	struct own *o = container_of(op, struct own, accept);

	if (!done.more) {
		cr_assert(eq(int, done.err, ERR_STOPPING));
		o->stops++;
		return;
	}
	o->accepted++;
	o->s = done.socket;
	io_recv(o->io, &o->recv, o->s);
}

static void own_open(struct own *o)
{
	struct addr at = own_addr(PORT);

	*o = (struct own){ .io = ring_new((struct uring_options){ 0 }), .s = IO_SOCKET_NONE };
	o->accept.fn = own_on_accept;
	o->recv.fn = own_on_recv;
	o->send.fn = own_on_send;
	cr_assert(eq(int, io_listen(o->io, &at, &o->listener), ERR_OK));
	io_accept(o->io, &o->accept, o->listener);
}

static int plain_connect(void)
{
	struct addr at = own_addr(PORT);
	struct sockaddr_storage to;
	socklen_t len = addr_to_sockaddr(&at, &to);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(connect(fd, (struct sockaddr *)&to, len) == 0);
	return fd;
}

TEST(uring, answers_a_peer_that_has_closed_its_side)
{
	struct own o;
	char back[8] = "";
	int fd;

	own_open(&o);
	fd = plain_connect();
	cr_assert(write(fd, "hello", 5) == 5);
	cr_assert(shutdown(fd, SHUT_WR) == 0);
	io_run(o.io);
	cr_expect(eq(int, o.ends, 1));
	io_free(o.io); /* the close is submitted at the latest here */
	cr_expect(recv(fd, back, sizeof(back), MSG_WAITALL) == 5);
	cr_expect(eq(str, back, "hello"));
	cr_expect(eq(int, o.stops, 1), "io_free() ended what waited");
	close(fd);
}

struct alarm {
	struct io_timer timer;
	struct io *io;
	uint64_t seen_ns;
};

static void own_on_timer(struct io_timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	a->seen_ns = io_now_ns(a->io);
	usleep(2000);
	cr_expect(eq(u64, io_now_ns(a->io), a->seen_ns), "time stands still in a turn");
	io_stop(a->io);
}

static void run_for(struct io *io, uint64_t ns)
{
	struct alarm a = { .timer.fn = own_on_timer, .io = io };

	io_timer_set(io, &a.timer, io_now_ns(io) + ns);
	io_run(io);
}

TEST(uring, tells_a_reset_from_an_end)
{
	struct linger now = { 1, 0 };
	struct own o;
	int fd;

	own_open(&o);
	fd = plain_connect();
	run_for(o.io, 5 * NS_PER_MS);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
	io_run(o.io);
	cr_expect(o.ends == 1 && o.err == ERR_PEER_CLOSED);
	io_free(o.io);
}

#define CONNS 40

static void own_on_count(struct io_op *op, struct io_done done)
{
	container_of(op, struct own, accept)->accepted += done.more;
}

/* Without descriptors accepting pauses and goes on by itself, and does not spin meanwhile. */
TEST(uring, goes_on_accepting_when_descriptors_are_free_again)
{
	struct rlimit limit;
	struct rlimit small;
	struct own o;
	int fds[CONNS];
	int spare;
	uint64_t turns;

	own_open(&o);
	for (int i = 0; i < CONNS; i++) {
		fds[i] = plain_connect();
	}
	spare = dup(0);
	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	small = limit;
	small.rlim_cur = (rlim_t)spare + 10;
	close(spare);
	setrlimit(RLIMIT_NOFILE, &small);
	o.accept.fn = own_on_count;
	run_for(o.io, 20 * NS_PER_MS);
	cr_expect(o.accepted < CONNS, "%zu accepted", o.accepted);
	cr_expect(uring_info(o.io).pauses > 0);
	turns = uring_info(o.io).turns;
	run_for(o.io, 350 * NS_PER_MS);
	cr_expect(uring_info(o.io).turns - turns < 20, "%lu turns", uring_info(o.io).turns - turns);
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 200 && o.accepted < CONNS; i++) {
		run_for(o.io, 20 * NS_PER_MS);
	}
	cr_expect(eq(sz, o.accepted, CONNS));
	io_free(o.io);
	for (int i = 0; i < CONNS; i++) {
		close(fds[i]);
	}
}

static void on_datagram(struct io_op *op, struct io_done done)
{
	struct own *o = container_of(op, struct own, recv);

	if (done.more) {
		o->got_len += done.data.len;
		io_return(o->io, done.lease);
		io_stop(o->io);
	}
}

TEST(uring, drops_datagrams_that_are_too_long)
{
	static uint8_t octets[IO_DATAGRAM_MAX_LEN + 1000];
	struct sockaddr_storage to;
	struct own o = { .io = ring_new((struct uring_options){ 0 }), .recv.fn = on_datagram };
	struct addr at = own_addr(PORT);
	socklen_t len = addr_to_sockaddr(&at, &to);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	cr_assert(eq(int, io_udp_open(o.io, &at, &o.s), ERR_OK));
	io_udp_recv(o.io, &o.recv, o.s);
	sendto(fd, octets, sizeof(octets), 0, (struct sockaddr *)&to, len);
	sendto(fd, octets, IO_DATAGRAM_MAX_LEN + 1, 0, (struct sockaddr *)&to, len);
	sendto(fd, octets, IO_DATAGRAM_MAX_LEN, 0, (struct sockaddr *)&to, len);
	io_run(o.io);
	cr_expect(eq(sz, o.got_len, IO_DATAGRAM_MAX_LEN));
	cr_expect(eq(u64, uring_info(o.io).datagrams_long, 2));
	close(fd);
	io_free(o.io);
}

TEST(uring, says_when_too_many_datagrams_are_under_way)
{
	struct own o = { .io = ring_new((struct uring_options){ .datagrams = 8 }) };
	struct addr at = addr_of("127.0.0.1", 0);
	struct addr to = own_addr(PORT);
	int sent = 0;

	cr_assert(eq(int, io_udp_open(o.io, &at, &o.s), ERR_OK));
	while (io_udp_send(o.io, o.s, &to, NULL, bytes_str("x")) == ERR_OK) {
		sent++;
	}
	cr_expect(eq(int, sent, 8));
	run_for(o.io, 2 * NS_PER_MS);
	cr_expect(eq(int, io_udp_send(o.io, o.s, &to, NULL, bytes_str("x")), ERR_OK));
	io_close(o.io, o.s);
	io_free(o.io);
}

/* --- Hooks ---------------------------------------------------------------------------------- */

struct hooks_seen {
	int turn_ends, sleeps, wakes;
	bool asleep;
};

static void on_turn_end(void *self)
{
	struct hooks_seen *h = self;

	cr_assert(not(h->asleep));
	h->turn_ends++;
}

static void on_sleep(void *self)
{
	struct hooks_seen *h = self;

	cr_assert(not(h->asleep));
	h->asleep = true;
	h->sleeps++;
}

static void on_wake(void *self)
{
	struct hooks_seen *h = self;

	cr_assert(h->asleep);
	h->asleep = false;
	h->wakes++;
}

TEST(uring, calls_its_hooks)
{
	struct hooks_seen h = { 0 };
	struct io *io =
		ring_new((struct uring_options){ .hooks = { &h, on_turn_end, on_sleep, on_wake } });

	run_for(io, 5 * NS_PER_MS);
	cr_expect(h.turn_ends >= 1 && h.sleeps >= 1);
	cr_expect(eq(int, h.sleeps, h.wakes));
	io_free(io);
}

/* --- Between threads ------------------------------------------------------------------------ */

#define BALLS      32
#define PASSES     600 /* of each ball */
#define RINGS      3
#define RING_MAILS 4 /* fewer than balls, so that mailboxes are full all the time */

struct game {
	struct io *rings[RINGS];
	pthread_barrier_t made;
	pthread_barrier_t done;
	_Atomic unsigned over; /* balls at rest */
	_Atomic unsigned refused;
};

struct ball {
	struct io_mail mail;
	struct io_timer again; /* the mailbox was full */
	struct game *game;
	unsigned passes;
	unsigned at; /* which ring */
};

static void ball_pass(struct ball *b)
{
	unsigned to = (b->at + 1) % RINGS;
	struct io *here = b->game->rings[b->at];

	b->at = to;
	if (io_post(b->game->rings[to], &b->mail) != ERR_OK) {
		b->at = (to + RINGS - 1) % RINGS;
		atomic_fetch_add(&b->game->refused, 1);
		io_timer_set(here, &b->again, 1);
	}
}

static void on_again(struct io_timer *t)
{
	ball_pass(container_of(t, struct ball, again));
}

static void on_ball(struct io_mail *mail)
{
	struct ball *b = container_of(mail, struct ball, mail);

	if (++b->passes < PASSES) {
		ball_pass(b);
	} else if (atomic_fetch_add(&b->game->over, 1) + 1 == BALLS) {
		for (int i = 0; i < RINGS; i++) {
			io_stop(b->game->rings[i]);
		}
	}
}

struct seat {
	struct game *game;
	unsigned number;
	pthread_t thread;
};

static void *seat_run(void *arg)
{
	struct seat *s = arg;
	struct uring_options o = { .env = env_system(),
		                   .entries = 64,
		                   .buffers = 8,
		                   .datagrams = 8,
		                   .mails_max = RING_MAILS };
	char why[300];

	cr_assert(eq(int, uring_new(&o, &s->game->rings[s->number], why, sizeof(why)), ERR_OK));
	pthread_barrier_wait(&s->game->made);
	io_run(s->game->rings[s->number]);
	pthread_barrier_wait(&s->game->done);
	io_free(s->game->rings[s->number]);
	return NULL;
}

TEST(uring, passes_mails_between_rings_and_loses_none)
{
	static struct game g;
	static struct ball balls[BALLS];
	struct seat seats[RINGS];

	pthread_barrier_init(&g.made, NULL, RINGS + 1);
	pthread_barrier_init(&g.done, NULL, RINGS + 1);
	for (unsigned i = 0; i < RINGS; i++) {
		seats[i] = (struct seat){ .game = &g, .number = i };
		pthread_create(&seats[i].thread, NULL, seat_run, &seats[i]);
	}
	pthread_barrier_wait(&g.made);
	for (unsigned i = 0; i < BALLS; i++) {
		struct ball *b = &balls[i];
		*b = (struct ball){ .mail.fn = on_ball, .again.fn = on_again, .game = &g };
		b->at = i % RINGS;
		/* From a thread without a ring: wakes by another way. */
		while (io_post(g.rings[b->at], &b->mail) != ERR_OK) {
			usleep(50);
		}
	}
	pthread_barrier_wait(&g.done); /* all have stopped: it came round BALLS * PASSES times */
	for (unsigned i = 0; i < RINGS; i++) {
		pthread_join(seats[i].thread, NULL);
	}
	for (unsigned i = 0; i < BALLS; i++) {
		cr_expect(eq(u32, balls[i].passes, PASSES));
	}
	cr_expect(atomic_load(&g.refused) > 0, "the mailboxes were never full");
}

static void *stop_later(void *arg)
{
	usleep(20000);
	io_stop(arg);
	return NULL;
}

TEST(uring, is_stopped_by_any_thread)
{
	struct io *io = ring_new((struct uring_options){ 0 });
	pthread_t thread;

	for (int i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, stop_later, io);
		io_run(io);
		pthread_join(thread, NULL);
	}
	io_stop(io);
	io_run(io); /* returns at once */
	io_free(io);
	io_free(ring_new((struct uring_options){ 0 }));
}

TEST(uring, finds_an_address_taken)
{
	struct io *io = ring_new((struct uring_options){ 0 });
	struct addr at = own_addr(PORT);
	struct addr foreign = addr_of("192.0.2.1", PORT);
	struct io_socket s;
	char why[100] = "";

	cr_expect(eq(int, uring_probe_address(&at, why, sizeof(why)), ERR_OK));
	cr_assert(eq(int, io_listen(io, &at, &s), ERR_OK));
	cr_expect(ne(int, uring_probe_address(&at, why, sizeof(why)), ERR_OK));
	cr_expect(eq(str, why, "Address already in use"));
	cr_expect(ne(int, uring_probe_address(&foreign, why, sizeof(why)), ERR_OK));
	cr_expect(eq(str, why, "Cannot assign requested address"));
	io_close(io, s);
	io_free(io);
}
