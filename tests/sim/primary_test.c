/* SPDX-License-Identifier: MIT
 *
 * tests/sim/primary_test.c — a client that sends many requests at once to a scripted primary. */
#include "tests/sim/primary.h"

#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"

#define REQUESTS 12
#define FIRST_ID 100

struct client {
	struct sim *sim;
	struct truth truth;
	struct tsig_key *key;
	struct primary_peer *p;
	struct io *io;
	struct io_op connect;
	struct io_op send;
	struct io_op recv;
	struct stream stream;
	uint8_t out[4096];
	size_t out_len;
	unsigned messages;
	unsigned of_id[REQUESTS]; /* messages that came with that id */
	unsigned switches;        /* messages with another id than the one before */
	uint16_t last_id;
	bool ended;
};

static void on_recv(struct io_op *op, struct io_done done)
{
	struct client *c = container_of(op, struct client, recv);
	struct bytes message;

	if (done.err == ERR_OK && !done.end) {
		stream_feed(&c->stream, done.data);
		while (stream_next(&c->stream, &message)) {
			uint16_t id = load_u16(message.at);

			cr_assert(id >= FIRST_ID && id < FIRST_ID + REQUESTS);
			c->of_id[id - FIRST_ID]++;
			c->switches += c->messages > 0 && id != c->last_id;
			c->last_id = id;
			c->messages++;
		}
	}
	c->ended = c->ended || !done.more;
	io_return(c->io, done.lease);
}

static void on_nothing(struct io_op *op, struct io_done done)
{
	(void)op;
	(void)done;
}

static void on_connect(struct io_op *op, struct io_done done)
{
	struct client *c = container_of(op, struct client, connect);

	cr_assert(eq(int, done.err, ERR_OK));
	io_recv(c->io, &c->recv, done.socket);
	io_send(c->io, &c->send, done.socket, bytes_of(c->out, c->out_len));
}

/* AXFR of zones in turn, unsigned or signed, all in one piece. */
static void compose(struct client *c)
{
	struct composer *m = mem_new(sizeof(*m));

	for (unsigned i = 0; i < REQUESTS; i++) {
		struct name apex = name_of(&c->truth.zones[i % c->truth.zone_count].apex);
		struct tsig_stream tsig;
		uint8_t at[512];

		composer_init(m, at, sizeof(at));
		cr_assert(composer_question(m, apex, TYPE_AXFR, CLASS_IN));
		composer_finish(m, (uint16_t)(FIRST_ID + i), 0);
		tsig_stream_init(&tsig, c->key);
		cr_assert(eq(int, tsig_sign_request(&tsig, &m->w, (uint64_t)env_wall_s(c->io->env)),
		             ERR_OK));
		tsig_stream_fini(&tsig);
		store_u16(c->out + c->out_len, (uint16_t)m->w.len);
		memcpy(c->out + c->out_len + 2, at, m->w.len);
		c->out_len += 2 + m->w.len;
		cr_assert(c->out_len < sizeof(c->out) - sizeof(at));
	}
	free(m);
}

/* Asks a primary with these habits everything at once; runs until all is over. */
static struct client *client_run(uint64_t seed, const struct primary_habits *habits, bool signed_)
{
	struct client *c = mem_zero(1, sizeof(*c));
	struct addr here;
	struct sim_node_options node = { .addrs = &here, .addr_count = 1 };

	c->sim = sim_new(seed);
	truth_init(&c->truth, seed, 4);
	c->key = signed_ ? script_key("k", "a secret of the test") : NULL;
	c->p = primary_peer_new(c->sim, &c->truth, 0, c->key);
	c->p->habits = *habits;
	c->p->script.per_message = habits->per_message;
	for (unsigned z = 0; z < c->truth.zone_count; z++) {
		primary_peer_hold(c->p, z, 0);
	}
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &here), ERR_OK));
	c->io = sim_node(c->sim, &node);
	c->connect.fn = on_connect;
	c->recv.fn = on_recv;
	c->send.fn = on_nothing;
	compose(c);
	io_connect(c->io, &c->connect, &c->p->at, NULL);
	sim_run_for(c->sim, 300 * NS_PER_S);
	return c;
}

static void client_free(struct client *c)
{
	primary_peer_down(c->p);
	sim_free(c->sim);
	primary_peer_free(c->p);
	stream_fini(&c->stream);
	tsig_key_unref(c->key);
	truth_fini(&c->truth);
	free(c);
}

static unsigned answered(const struct client *c)
{
	unsigned count = 0;

	for (unsigned i = 0; i < REQUESTS; i++) {
		count += c->of_id[i] > 0;
	}
	return count;
}

TEST(sim_primary, answers_all_requests_of_a_connection_in_their_order)
{
	static const struct primary_habits habits = { .per_message = 3, .think_ms = 20 };
	struct client *c = client_run(1, &habits, true);

	cr_expect(eq(uint, answered(c), REQUESTS));
	cr_expect(eq(uint, c->switches, REQUESTS - 1));
	cr_expect(eq(uint, c->last_id, FIRST_ID + REQUESTS - 1));
	cr_expect(not(c->ended));
	client_free(c);
}

TEST(sim_primary, sends_messages_of_several_answers_in_turn)
{
	static const struct primary_habits habits = {
		.any_order = true, .per_message = 3, .think_ms = 20, .gap_ms = 5
	};
	struct client *c = client_run(2, &habits, true);

	cr_expect(eq(uint, answered(c), REQUESTS));
	cr_expect(gt(uint, c->switches, 2 * REQUESTS));
	client_free(c);
}

TEST(sim_primary, closes_after_an_answer)
{
	static const struct primary_habits habits = { .closes = true, .think_ms = 20 };
	struct client *c = client_run(3, &habits, false);

	cr_expect(eq(uint, answered(c), 1));
	cr_expect(c->ended);
	client_free(c);
}

TEST(sim_primary, drops_what_comes_while_it_answers)
{
	static const struct primary_habits habits = { .second = SECOND_DROPPED, .think_ms = 20 };
	struct client *c = client_run(4, &habits, false);

	cr_expect(lt(uint, answered(c), REQUESTS));
	cr_expect(not(c->ended));
	client_free(c);
}

TEST(sim_primary, closes_at_a_second_request)
{
	static const struct primary_habits habits = { .second = SECOND_CLOSES, .think_ms = 20 };
	struct client *c = client_run(5, &habits, false);

	cr_expect(lt(uint, answered(c), REQUESTS));
	cr_expect(c->ended);
	client_free(c);
}

TEST(sim_primary, mixes_ids_up)
{
	static const struct primary_habits plain = { .per_message = 3, .think_ms = 20 };
	static const struct primary_habits mixing = { .second = SECOND_MIXES,
		                                      .per_message = 3,
		                                      .think_ms = 20 };
	struct client *a = client_run(6, &plain, false), *b = client_run(6, &mixing, false);

	cr_expect(eq(uint, a->messages, b->messages));
	cr_expect(ne(int, memcmp(a->of_id, b->of_id, sizeof(a->of_id)), 0));
	client_free(a);
	client_free(b);
}

TEST(sim_primary, closes_when_idle)
{
	static const struct primary_habits habits = { .idle_s = 7 };
	struct client *c = client_run(7, &habits, false);

	cr_expect(eq(uint, answered(c), REQUESTS));
	cr_expect(c->ended);
	client_free(c);
}
