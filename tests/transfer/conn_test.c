/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/conn_test.c — connections to primaries: made, shared, broken, given up. */
#include "transfer/conn_p.h"

#include <limits.h>

#include "tests/test.h"
#include "tests/transfer/script_node.h"

struct client {
	struct sim *sim;
	struct io *io;
	struct script_node *primary;
	struct primaries all;
	struct primary *p;
};

struct probe {
	struct request request;
	struct client *client;
	unsigned composed;
	unsigned messages;
	unsigned dones;
	enum err err;
	uint64_t done_ns;
	enum request_next says;
};

static enum err on_compose(struct request *r, uint8_t *at, struct bytes *out)
{
	struct probe *p = container_of(r, struct probe, request);
	struct composer c;

	p->composed++;
	composer_init(&c, at, REQUEST_MAX_LEN);
	cr_assert(composer_question(&c, name_of(&p->client->primary->script.apex), TYPE_SOA,
	                            CLASS_IN));
	*out = composer_finish(&c, r->id, 0);
	return ERR_OK;
}

static enum request_next on_message(struct request *r, struct bytes message)
{
	struct probe *p = container_of(r, struct probe, request);

	cr_assert(eq(int, load_u16(message.at), r->id));
	p->messages++;
	return p->says;
}

static void on_done(struct request *r, enum err e)
{
	struct probe *p = container_of(r, struct probe, request);

	cr_assert(eq(ptr, r->conn, NULL));
	p->dones++;
	p->err = e;
	p->done_ns = io_now_ns(p->client->io);
}

static bool on_fits(const struct request *r, struct bytes message)
{
	return message.len >= 2 && load_u16(message.at) == r->id;
}

static const struct request_ops ops = { on_compose, on_fits, on_message, on_done };

static void client_init(struct client *c, uint64_t seed)
{
	struct policy_primary like = { 0 };
	struct addr here;
	struct sim_node_options node = { .addrs = &here, .addr_count = 1 };

	*c = (struct client){ .sim = sim_new(seed) };
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &here), ERR_OK));
	c->io = sim_node(c->sim, &node);
	c->primary = script_node_new(c->sim, "192.0.2.1", "example.", NULL);
	primaries_init(&c->all, c->io, NULL);
	like.addr = c->primary->at;
	c->p = primary_get(&c->all, &like);
}

static void client_fini(struct client *c)
{
	conn_close_all(&c->all);
	primary_put(c->p);
	primaries_fini(&c->all);
	sim_run_for(c->sim, NS_PER_S);
	script_node_down(c->primary);
	sim_free(c->sim);
	script_node_free(c->primary);
}

static void probe(struct client *c, struct probe *p)
{
	*p = (struct probe){ .request = { .ops = &ops }, .client = c, .says = REQUEST_OVER };
	conn_request(c->p, &p->request);
	conns_flush(&c->all);
}

TEST(conn, serves_several_requests_and_ends_when_idle)
{
	struct client c;
	struct probe p;

	client_init(&c, 1);
	for (unsigned i = 0; i < 5; i++) {
		probe(&c, &p);
		sim_run_for(c.sim, 2 * NS_PER_S);
		cr_expect(eq(uint, p.messages, 1));
		cr_expect(eq(uint, p.dones, 1));
		cr_expect(eq(int, p.err, ERR_OK));
	}
	cr_expect(eq(uint, c.primary->connections, 1));
	cr_expect(eq(uint, c.p->conn_count, 1));
	cr_expect(gt(u64, c.p->latency_ns, 0));
	sim_run_for(c.sim, (CONN_IDLE_S - 2) * NS_PER_S + NS_PER_MS);
	cr_expect(eq(uint, c.p->conn_count, 0));
	cr_expect(eq(uint, c.all.idle_conns, 0));
	client_fini(&c);
}

TEST(conn, gives_each_of_several_at_once_its_own)
{
	struct client c;
	struct probe p[4];

	client_init(&c, 2);
	for (unsigned i = 0; i < 4; i++) {
		probe(&c, &p[i]);
	}
	sim_run_for(c.sim, NS_PER_S);
	for (unsigned i = 0; i < 4; i++) {
		cr_expect(eq(uint, p[i].dones, 1));
	}
	cr_expect(eq(uint, c.primary->connections, 1), "as long as it was not heard");
	probe(&c, &p[0]);
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(uint, c.primary->connections, 1));
	client_fini(&c);
}

TEST(conn, sends_again_where_an_idle_connection_had_died)
{
	struct client c;
	struct probe p;

	client_init(&c, 3);
	probe(&c, &p);
	sim_run_for(c.sim, NS_PER_S);
	c.primary->script.fault_arg = 0;
	script_fail(&c.primary->script, SCRIPT_CLOSE, SCRIPT_SOA, 1);
	probe(&c, &p);
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(uint, p.composed, 2));
	cr_expect(eq(uint, p.dones, 1));
	cr_expect(eq(int, p.err, ERR_OK));
	/* A new connection that is closed is a failure. */
	sim_run_for(c.sim, 10 * NS_PER_S);
	script_fail(&c.primary->script, SCRIPT_CLOSE, SCRIPT_SOA, 1);
	probe(&c, &p);
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(uint, p.composed, 1));
	cr_expect(eq(int, p.err, ERR_PEER_CLOSED));
	client_fini(&c);
}

TEST(conn, says_when_a_primary_cannot_be_reached)
{
	struct client c;
	struct probe p;
	struct addr here;

	client_init(&c, 4);
	script_node_down(c.primary);
	probe(&c, &p);
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(int, p.err, ERR_PEER_REFUSED));
	cr_expect(not(p.request.connected));
	cr_expect(eq(uint, c.p->failures, 1));
	script_node_up(c.primary);
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &here), ERR_OK));
	sim_cut(c.sim, &here, &c.primary->at, true);
	sim_run_for(c.sim, 20 * NS_PER_S);
	probe(&c, &p);
	p.done_ns = 0;
	{
		uint64_t from = io_now_ns(c.io);

		sim_run_for(c.sim, 10 * NS_PER_S);
		cr_expect(eq(int, p.err, ERR_PEER_TIMEOUT));
		cr_expect(eq(u64, p.done_ns - from, CONN_CONNECT_S * NS_PER_S));
	}
	cr_expect(eq(uint, c.p->failures, 2));
	client_fini(&c);
}

TEST(conn, ends_where_more_may_come)
{
	struct client c;
	struct probe p;

	client_init(&c, 5);
	probe(&c, &p);
	p.says = REQUEST_BROKEN;
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(uint, p.dones, 1));
	cr_expect(eq(int, p.err, ERR_OK));
	cr_expect(eq(uint, c.p->conn_count, 0));
	client_fini(&c);
}

TEST(conn, a_request_can_be_abandoned_at_any_time)
{
	for (unsigned step = 0; step < 30; step++) {
		struct client c;
		struct probe p;

		client_init(&c, 100 + step);
		script_fail(&c.primary->script, SCRIPT_SILENT, SCRIPT_SOA, step % 2 * UINT_MAX);
		probe(&c, &p);
		sim_run_for(c.sim, step * 40000);
		conn_abandon(&p.request);
		conn_abandon(&p.request);
		sim_run_for(c.sim, NS_PER_S);
		cr_expect(le(uint, p.dones, 1));
		cr_expect(eq(ptr, p.request.conn, NULL));
		client_fini(&c);
	}
}

/* Asks so many at once, and waits. */
static void probe_many(struct client *c, struct probe *p, unsigned count, uint64_t seconds)
{
	for (unsigned i = 0; i < count; i++) {
		p[i] = (struct probe){ .request = { .ops = &ops },
			               .client = c,
			               .says = REQUEST_OVER };
		conn_request(c->p, &p[i].request);
	}
	conns_flush(&c->all);
	sim_run_for(c->sim, seconds * NS_PER_S);
}

static unsigned answered(const struct probe *p, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		n += p[i].dones == 1 && p[i].err == ERR_OK;
	}
	return n;
}

#define MANY 200

TEST(conn, pipelines_many_over_few_connections)
{
	static const enum script_manner manners[] = { SCRIPT_IN_ORDER, SCRIPT_REVERSED };

	for (size_t i = 0; i < ARRAY_LEN(manners); i++) {
		struct probe p[MANY];
		struct client c;

		client_init(&c, 10 + i);
		c.primary->manner = manners[i];
		probe_many(&c, p, 2 * CONN_DEPTH_MAX, 1);
		cr_expect(eq(uint, answered(p, 2 * CONN_DEPTH_MAX), 2 * CONN_DEPTH_MAX));
		probe_many(&c, p, MANY, 1);
		cr_expect(eq(uint, answered(p, MANY), MANY));
		for (unsigned k = 0; k < MANY; k++) {
			cr_expect(eq(uint, p[k].composed, 1), "asked once");
		}
		cr_expect(eq(uint, c.primary->connections, POLICY_CONNECTIONS - 1),
		          "one is left to what is urgent");
		cr_expect(eq(int, c.p->ability, ABILITY_PIPELINE));
		client_fini(&c);
	}
}

/* Whatever a primary does with many requests at once, all have their answers, and it is found out what
 * it can do; then it works without a loss. */
TEST(conn, finds_out_what_a_primary_can_do)
{
	static const struct {
		enum script_manner manner;
		bool closes;
		enum primary_ability ability;
	} cases[] = {
		{ SCRIPT_DROPS, false, ABILITY_SERIAL },
		{ SCRIPT_HANGS_UP, false, ABILITY_SERIAL },
		{ SCRIPT_MIXES_UP, false, ABILITY_SERIAL },
		{ SCRIPT_IN_ORDER, true, ABILITY_SINGLE },
		{ SCRIPT_DROPS, true, ABILITY_SINGLE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct probe p[MANY];
		struct client c;
		unsigned composed = 0;

		client_init(&c, 20 + i);
		c.primary->manner = cases[i].manner;
		c.primary->closes = cases[i].closes;
		for (unsigned round = 0; round < 4; round++) {
			probe_many(&c, p, MANY / 4, 30);
			cr_expect(eq(uint, answered(p, MANY / 4), MANY / 4), "case %zu, round %u",
			          i, round);
		}
		cr_expect(eq(int, c.p->ability, cases[i].ability), "case %zu", i);
		probe_many(&c, p, MANY, 30);
		cr_expect(eq(uint, answered(p, MANY), MANY), "case %zu", i);
		for (unsigned k = 0; k < MANY; k++) {
			composed += p[k].composed;
		}
		cr_expect(le(uint, composed, MANY), "case %zu: nothing is lost any more", i);
		cr_expect(eq(uint, c.p->failures, 0), "it was never taken to be down");
		client_fini(&c);
	}
}

TEST(conn, makes_do_with_as_many_connections_as_there_may_be)
{
	struct probe p[MANY];
	struct client c;

	client_init(&c, 30);
	c.p->pace.connections = 1;
	probe_many(&c, p, MANY, 1);
	cr_expect(eq(uint, answered(p, MANY), MANY));
	cr_expect(eq(uint, c.primary->connections, MANY / CONN_DEPTH_MAX / MANY + 1));
	client_fini(&c);
}

TEST(conn, what_is_urgent_does_not_wait_behind_what_is_not)
{
	struct probe p[MANY], urgent, first;
	struct client c;

	client_init(&c, 31);
	probe(&c, &first);
	sim_run_for(c.sim, NS_PER_S);
	cr_assert(eq(uint, first.dones, 1));
	script_fail(&c.primary->script, SCRIPT_SILENT, SCRIPT_SOA, MANY);
	probe_many(&c, p, MANY, 1);
	script_fail(&c.primary->script, SCRIPT_FINE, 0, 0);
	urgent = (struct probe){ .request = { .ops = &ops, .urgent = true },
		                 .client = &c,
		                 .says = REQUEST_OVER };
	conn_request(c.p, &urgent.request);
	conns_flush(&c.all);
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(uint, urgent.dones, 1));
	cr_expect(eq(int, urgent.err, ERR_OK));
	for (unsigned i = 0; i < MANY; i++) {
		conn_abandon(&p[i].request);
	}
	client_fini(&c);
}

/* The answer to a request that was given up comes, and is passed over. */
TEST(conn, passes_over_answers_nobody_waits_for)
{
	struct probe p[4];
	struct client c;

	client_init(&c, 32);
	c.p->pace.connections = 1;
	probe_many(&c, p, 4, 0);
	sim_run_for(c.sim, 700 * 1000); /* connected and asked, perhaps */
	for (unsigned step = 0; step < 20 && p[1].request.sent_ns == 0; step++) {
		sim_run_for(c.sim, 10 * 1000);
	}
	cr_assert(ne(u64, p[1].request.sent_ns, 0));
	cr_assert(eq(u64, p[1].request.first_ns, 0));
	conn_abandon(&p[1].request);
	sim_run_for(c.sim, NS_PER_S);
	cr_expect(eq(uint, p[1].dones, 0));
	cr_expect(eq(uint, p[0].dones + p[2].dones + p[3].dones, 3));
	cr_expect(eq(uint, c.primary->connections, 1), "it lives on");
	client_fini(&c);
}

TEST(conn, a_primary_that_limits_connections_is_not_down)
{
	struct probe p[MANY];
	struct client c;

	client_init(&c, 33);
	c.primary->conns_max = 2;
	for (unsigned round = 0; round < 3; round++) {
		probe_many(&c, p, MANY, 20);
		cr_expect(eq(uint, answered(p, MANY), MANY), "round %u", round);
	}
	cr_expect(eq(uint, c.p->failures, 0));
	client_fini(&c);
}

/* Found by the simulator: what was dropped was waited for as long as others had their answers. */
TEST(conn, misses_what_was_dropped_among_others_that_are_answered)
{
	struct probe p[MANY];
	struct client c;

	client_init(&c, 34);
	c.p->pace.connections = 1;
	c.primary->manner = SCRIPT_DROPS;
	for (unsigned i = 0; i < MANY; i += 2) { /* the second of two is dropped */
		probe_many(&c, &p[i], 2, 0);
		sim_run_for(c.sim, 300 * NS_PER_MS);
	}
	sim_run_for(c.sim, 2 * CONN_SILENCE_S * NS_PER_S);
	cr_expect(eq(uint, answered(p, MANY), MANY));
	cr_expect(lt(u64, p[1].done_ns - p[0].done_ns, 3 * CONN_SILENCE_S * NS_PER_S));
	cr_expect(eq(int, c.p->ability, ABILITY_SERIAL));
	client_fini(&c);
}
