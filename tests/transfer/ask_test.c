/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/ask_test.c — the sockets and ids of questions over UDP. What becomes of answers
 * is in soa_query_test.c. */
#include "transfer/ask_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "ring/sim.h"
#include "tests/test.h"
#include "tests/transfer/script.h"

#define QUESTIONS 600

/* A host that writes down where questions come from and answers none. */
struct ear {
	struct io *io;
	struct io_socket socket;
	struct io_op op;
	uint8_t *ids_seen; /* by id */
	unsigned ids;
	uint8_t *ports_seen;
	unsigned ports;
	unsigned heard;
};

static void on_heard(struct io_op *op, struct io_done done)
{
	struct ear *e = container_of(op, struct ear, op);

	if (done.err == ERR_OK) {
		uint16_t id = load_u16(done.data.at);

		e->heard++;
		e->ids += e->ids_seen[id] == 0;
		e->ids_seen[id] = 1;
		e->ports += e->ports_seen[done.peer.port] == 0;
		e->ports_seen[done.peer.port] = 1;
	}
	io_return(e->io, done.lease);
}

static const struct ask_rule once = { .opcode = OPCODE_QUERY, .tries = 1, .wait_s = { 5 } };

static void on_done(struct ask *a, enum err e, const struct ask_answer *answer)
{
	cr_assert(eq(int, e, ERR_PEER_TIMEOUT));
	cr_assert(eq(ptr, (void *)answer, NULL));
	cr_assert(eq(ptr, a->all, NULL), "over before it says so");
}

TEST(ask, has_unpredictable_ids_and_ports)
{
	struct sim *sim = sim_new(8);
	struct addr here = { .family = 4, .ip = { 10, 0, 0, 1 } };
	struct addr there = { .family = 4, .port = 53, .ip = { 10, 0, 0, 2 } };
	struct sim_node_options node = { .addrs = &here, .addr_count = 1 };
	struct io *io = sim_node(sim, &node);
	struct ear ear = { .op = { .fn = on_heard },
		           .ids_seen = mem_zero(65536, 1),
		           .ports_seen = mem_zero(65536, 1) };
	struct ask *asks = mem_zero(QUESTIONS, sizeof(*asks));
	struct name_buf apex = script_name("example.");
	struct ask_options options = {
		.rule = &once, .to = there, .apex = name_of(&apex), .done = on_done
	};
	struct asks all;

	node.addrs = &there;
	ear.io = sim_node(sim, &node);
	cr_assert(eq(int, io_udp_open(ear.io, &there, &ear.socket), ERR_OK));
	io_udp_recv(ear.io, &ear.op, ear.socket);
	asks_init(&all, io);
	for (unsigned round = 0; round < 10; round++) {
		for (unsigned i = 0; i < QUESTIONS; i++) {
			cr_assert(eq(int, ask_begin(&all, &asks[i], &options), ERR_OK));
			if (i % 100 == 99) {
				sim_run_for(sim, NS_PER_MS); /* sockets hold so many */
			}
		}
		cr_assert(eq(uint, all.count, QUESTIONS));
		sim_run_for(sim, 6 * NS_PER_S);
		cr_assert(eq(uint, all.count, 0));
	}
	cr_expect(eq(uint, ear.heard, 10 * QUESTIONS));
	cr_expect(gt(uint, ear.ids, 5000), "of 6000");
	cr_expect(ge(uint, ear.ports, ASK_SOCKETS + 2), "sockets are replaced");
	asks_fini(&all);
	io_close(ear.io, ear.socket);
	sim_free(sim);
	free(ear.ids_seen);
	free(ear.ports_seen);
	free(asks);
}
