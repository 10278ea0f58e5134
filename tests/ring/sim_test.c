/* SPDX-License-Identifier: MIT */
#include "ring/sim.h"

#include <signal.h>
#include <stdlib.h>

#include "tests/ring/world.h"
#include "tests/test.h"

#define SEED 4711
#define PORT 53

struct two {
	struct sim *sim;
	struct io *a;
	struct io *b;
	struct addr at_a;
	struct addr at_b;
};

static struct addr addr_of(const char *text)
{
	struct addr a;

	cr_assert(eq(int, addr_parse(text, 0, &a), ERR_OK));
	return a;
}

static struct two two_new(uint64_t seed, const struct sim_link *link, const char *a, const char *b)
{
	struct two t = { .sim = sim_new(seed), .at_a = addr_of(a), .at_b = addr_of(b) };
	struct sim_node_options o = { .addr_count = 1, .mails_max = 8 };

	if (link != NULL) {
		sim_link_default(t.sim, link);
	}
	o.addrs = &t.at_a;
	t.a = sim_node(t.sim, &o);
	o.addrs = &t.at_b;
	t.b = sim_node(t.sim, &o);
	return t;
}

static void run_suite(const struct sim_link *link, const char *a, const char *b)
{
	for (size_t i = 0; i < io_cases_count; i++) {
		struct two t = two_new(SEED + i, link, a, b);
		struct world w = { .a = t.a, .b = t.b, .at = t.at_b, .from = t.at_a };

		w.at.port = PORT;
		cr_log_info("%s", io_cases[i].name);
		io_cases[i].run(&w);
		sim_free(t.sim);
	}
}

TEST(sim, behaves_on_a_calm_link)
{
	run_suite(NULL, "192.0.2.1", "198.51.100.1");
	run_suite(NULL, "2001:db8::1", "2001:db8::2");
}

TEST(sim, behaves_on_a_slow_link_in_small_pieces)
{
	static const struct sim_link slow = {
		.delay_min_ns = 100,
		.delay_max_ns = 5 * NS_PER_MS,
		.piece_max_len = 1300,
		.window_len = 3000,
		.rate_bytes_s = 20000000,
	};

	run_suite(&slow, "192.0.2.1", "198.51.100.1");
}

/* --- A sender and a receiver ---------------------------------------------------------------- */

#define FLOW_LEN 300000

struct flow {
	struct two t;
	struct io_socket listener, near, far;
	struct io_op accept, connect, send, recv, recv_near;
	uint8_t *octets;
	size_t got;
	bool got_end;
	enum err connected, sent, received;
	uint64_t connected_ns, sent_ns;
};

static void flow_on_accept(struct io_op *op, struct io_done done)
{
	struct flow *f = container_of(op, struct flow, accept);

	if (done.more) {
		f->far = done.socket;
		io_recv(f->t.b, &f->recv, f->far);
	}
}

static void flow_on_connect(struct io_op *op, struct io_done done)
{
	struct flow *f = container_of(op, struct flow, connect);

	f->connected = done.err;
	f->connected_ns = io_now_ns(f->t.a);
	if (done.err == ERR_OK) {
		f->near = done.socket;
		io_send(f->t.a, &f->send, f->near, bytes_of(f->octets, FLOW_LEN));
	}
}

static void flow_on_send(struct io_op *op, struct io_done done)
{
	struct flow *f = container_of(op, struct flow, send);

	f->sent = done.err;
	f->sent_ns = io_now_ns(f->t.a);
	if (done.err == ERR_OK) {
		sim_shutdown(f->t.a, f->near);
		io_recv(f->t.a, &f->recv_near, f->near);
	}
}

static void flow_on_recv(struct io_op *op, struct io_done done)
{
	struct flow *f = container_of(op, struct flow, recv);

	cr_assert(f->got + done.data.len <= FLOW_LEN);
	cr_assert(done.data.len == 0 ||
	          memcmp(done.data.at, f->octets + f->got, done.data.len) == 0);
	f->got += done.data.len;
	io_return(f->t.b, done.lease);
	if (!done.more) {
		f->received = done.err;
		f->got_end = done.end;
	}
}

static void flow_on_nothing(struct io_op *op, struct io_done done)
{
	(void)op;
	cr_assert(not(done.more));
}

static struct flow *flow_new(uint64_t seed, const struct sim_link *link)
{
	struct flow *f = calloc(1, sizeof(*f));
	struct addr at;

	f->t = two_new(seed, link, "192.0.2.1", "198.51.100.1");
	f->near = f->far = IO_SOCKET_NONE;
	f->accept.fn = flow_on_accept;
	f->connect.fn = flow_on_connect;
	f->send.fn = flow_on_send;
	f->recv.fn = flow_on_recv;
	f->recv_near.fn = flow_on_nothing;
	f->octets = malloc(FLOW_LEN);
	for (size_t i = 0; i < FLOW_LEN; i++) {
		f->octets[i] = (uint8_t)(i * 17 + i / 253);
	}
	at = f->t.at_b;
	at.port = PORT;
	cr_assert(eq(int, io_listen(f->t.b, &at, &f->listener), ERR_OK));
	io_accept(f->t.b, &f->accept, f->listener);
	io_connect(f->t.a, &f->connect, &at, NULL);
	return f;
}

static uint64_t flow_free(struct flow *f)
{
	uint64_t trace = sim_trace(f->t.sim);

	sim_free(f->t.sim);
	free(f->octets);
	free(f);
	return trace;
}

/* Whatever the link does, what arrives is a beginning of what was sent, and without a fault all. */
TEST(sim, streams_stay_whole_under_every_fault)
{
	size_t whole = 0;
	size_t broken = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		struct flow *f = flow_new(seed, &sim_link_rough);
		sim_run_until_idle(f->t.sim);
		cr_assert(f->recv.waiting == false || f->connected != ERR_OK);
		if (f->connected == ERR_OK && f->received == ERR_OK) {
			cr_assert(f->got_end && f->got == FLOW_LEN, "seed %lu", seed);
			whole++;
		} else {
			cr_assert(f->connected != ERR_OK || f->received == ERR_PEER_CLOSED);
			broken++;
		}
		flow_free(f);
	}
	cr_expect(whole > 10 && broken > 2, "%zu whole, %zu broken", whole, broken);
}

TEST(sim, a_run_is_a_function_of_its_seed)
{
	uint64_t traces[3];

	for (int i = 0; i < 3; i++) {
		struct flow *f = flow_new(i == 2 ? 6 : 5, &sim_link_rough);
		sim_run_until_idle(f->t.sim);
		traces[i] = flow_free(f);
	}
	cr_expect(eq(u64, traces[0], traces[1]));
	cr_expect(ne(u64, traces[0], traces[2]));
}

TEST(sim, a_short_partition_only_delays)
{
	struct flow *f = flow_new(SEED, NULL);

	while (f->got < FLOW_LEN / 4) {
		cr_assert(sim_step(f->t.sim));
	}
	sim_cut(f->t.sim, &f->t.at_b, &f->t.at_a, true);
	sim_run_for(f->t.sim, 5 * NS_PER_S);
	cr_expect(f->got < FLOW_LEN && f->recv.waiting);
	sim_cut(f->t.sim, &f->t.at_a, &f->t.at_b, false);
	sim_run_until_idle(f->t.sim);
	cr_expect(f->got == FLOW_LEN && f->got_end);
	flow_free(f);
}

static const struct sim_link narrow = { .piece_max_len = 1000, .window_len = 10000 };

TEST(sim, a_long_partition_breaks_one_side_and_leaves_the_other_in_the_dark)
{
	struct flow *f =
		flow_new(SEED, &(struct sim_link){ .piece_max_len = 1000, .window_len = 10000 });

	while (f->got < FLOW_LEN / 4) {
		cr_assert(sim_step(f->t.sim));
	}
	sim_cut(f->t.sim, &f->t.at_b, &f->t.at_a, true);
	sim_run_until_idle(f->t.sim);
	cr_expect(eq(int, f->sent, ERR_PEER_TIMEOUT));
	cr_expect(f->recv.waiting, "no octet has told it");
	cr_expect(f->sent_ns > 60 * NS_PER_S && f->sent_ns < 1800 * NS_PER_S, "at %lu", f->sent_ns);
	flow_free(f);
}

TEST(sim, connecting_takes_as_long_as_it_does)
{
	struct flow *f = flow_new(SEED, NULL);
	struct addr nobody = addr_of("203.0.113.77@53");
	uint64_t start = io_now_ns(f->t.a);

	sim_cut(f->t.sim, &f->t.at_a, &f->t.at_b, true);
	sim_run_until_idle(f->t.sim);
	cr_expect(eq(int, f->connected, ERR_PEER_TIMEOUT));
	cr_expect(eq(u64, (f->connected_ns - start) / NS_PER_S, 127));
	start = f->connected_ns;
	io_connect(f->t.a, &f->connect, &nobody, NULL);
	sim_run_until_idle(f->t.sim);
	cr_expect(eq(int, f->connected, ERR_PEER_UNREACHABLE));
	cr_expect(eq(u64, (f->connected_ns - start) / SIM_UNREACHABLE_NS, 1));
	flow_free(f);
}

TEST(sim, freeing_a_node_ends_what_waits_and_tells_the_peer)
{
	struct flow *f = flow_new(SEED, &narrow);

	while (f->got < FLOW_LEN / 4) {
		cr_assert(sim_step(f->t.sim));
	}
	io_free(f->t.a);
	cr_expect(f->send.waiting == false && f->recv_near.waiting == false);
	sim_run_until_idle(f->t.sim);
	cr_expect(f->recv.waiting == false && f->got < FLOW_LEN);
	flow_free(f);
}

/* --- Datagrams ------------------------------------------------------------------------------ */

#define SHOTS 20000

struct range {
	struct two t;
	struct io_socket gun, target;
	struct io_op recv;
	uint32_t last;
	size_t hits, twice, late;
	uint8_t seen[SHOTS];
};

static void on_hit(struct io_op *op, struct io_done done)
{
	struct range *r = container_of(op, struct range, recv);

	if (done.more) {
		uint32_t n = load_u32(done.data.at);
		r->hits++;
		r->twice += r->seen[n];
		r->late += n < r->last;
		r->seen[n] = 1;
		r->last = n;
		io_return(r->t.b, done.lease);
	}
}

TEST(sim, datagrams_are_lost_late_and_doubled_as_often_as_asked)
{
	static struct range r;
	struct sim_link link = sim_link_calm;
	struct addr to;
	uint8_t shot[4];

	link.loss_ppm = 100000;
	link.duplicate_ppm = 50000;
	r.t = two_new(SEED, &link, "192.0.2.1", "198.51.100.1");
	to = r.t.at_b;
	to.port = PORT;
	r.recv.fn = on_hit;
	cr_assert(eq(int, io_udp_open(r.t.a, &r.t.at_a, &r.gun), ERR_OK));
	cr_assert(eq(int, io_udp_open(r.t.b, &to, &r.target), ERR_OK));
	io_udp_recv(r.t.b, &r.recv, r.target);
	for (uint32_t n = 0; n < SHOTS; n++) {
		store_u32(shot, n);
		cr_assert(io_udp_send(r.t.a, r.gun, &to, NULL, bytes_of(shot, 4)) == ERR_OK);
		sim_run_for(r.t.sim, 10000);
	}
	sim_run_until_idle(r.t.sim);
	cr_expect(r.hits - r.twice > SHOTS * 88 / 100 && r.hits - r.twice < SHOTS * 92 / 100);
	cr_expect(r.twice > SHOTS * 4 / 100 && r.twice < SHOTS * 5 / 100, "%zu", r.twice);
	cr_expect(r.late > SHOTS / 10, "%zu", r.late);
	sim_cut(r.t.sim, &r.t.at_a, &r.t.at_b, true);
	r.hits = 0;
	cr_assert(io_udp_send(r.t.a, r.gun, &to, NULL, bytes_of(shot, 4)) == ERR_OK);
	sim_run_until_idle(r.t.sim);
	cr_expect(eq(sz, r.hits, 0));
	sim_free(r.t.sim);
}

/* --- Time ----------------------------------------------------------------------------------- */

static void on_timer(struct io_timer *t)
{
	t->fn = NULL;
}

TEST(sim, a_month_passes_in_no_time)
{
	struct two t = two_new(SEED, NULL, "192.0.2.1", "198.51.100.1");
	struct io_timer timer = { .fn = on_timer };
	uint64_t month = 30ULL * 86400 * NS_PER_S;
	uint64_t start = io_now_ns(t.a);
	int64_t wall = env_wall_s(t.a->env);

	io_timer_set(t.b, &timer, start + month);
	sim_run_until_idle(t.sim);
	cr_expect(io_timer_is_set(&timer) && io_now_ns(t.a) == start, "timers do not count");
	sim_run_for(t.sim, month - NS_PER_MS);
	cr_expect(io_timer_is_set(&timer));
	sim_run_for(t.sim, NS_PER_MS);
	cr_expect(not(io_timer_is_set(&timer)));
	cr_expect(eq(i64, env_wall_s(t.a->env) - wall, 30 * 86400));
	sim_free(t.sim);
}

/* --- What the contract forbids -------------------------------------------------------------- */

static void on_keep(struct io_op *op, struct io_done done)
{
	(void)op;
	(void)done; /* does not return the lease */
}

TEST(sim, sockets_are_counted_until_their_last_completion)
{
	struct flow *f = flow_new(SEED, NULL);
	struct sim *sim = f->t.sim;

	sim_run_until_idle(sim);
	cr_expect(eq(sz, sim_sockets(f->t.a), 1));
	cr_expect(eq(sz, sim_connections(f->t.a, &f->t.at_b), 1));
	cr_expect(eq(sz, sim_connections(f->t.a, &f->t.at_a), 0));
	cr_expect(eq(sz, sim_connections(f->t.b, &f->t.at_a), 0), "it was accepted");
	io_close(f->t.a, f->near);
	cr_expect(eq(sz, sim_connections(f->t.a, &f->t.at_b), 0));
	sim_run_until_idle(sim);
	cr_expect(eq(sz, sim_sockets(f->t.a), 0));
	flow_free(f);
}

Test(sim, a_kept_lease_is_caught, .signal = SIGABRT)
{
	struct flow *f = flow_new(SEED, NULL);

	f->recv.fn = on_keep;
	sim_run_until_idle(f->t.sim);
}

Test(sim, an_op_used_twice_is_caught, .signal = SIGABRT)
{
	struct flow *f = flow_new(SEED, NULL);
	struct addr at = f->t.at_b;

	at.port = PORT;
	io_connect(f->t.a, &f->connect, &at, NULL);
}

Test(sim, a_socket_used_after_its_close_is_caught, .signal = SIGABRT)
{
	struct flow *f = flow_new(SEED, NULL);

	sim_run_until_idle(f->t.sim);
	io_close(f->t.a, f->near);
	io_close(f->t.a, f->near);
}
