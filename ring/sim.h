/* SPDX-License-Identifier: MIT
 *
 * ring/sim.h — struct io on a simulated network and clock, for tests.
 *
 * One sim holds many nodes in one thread. Each node is a `struct io` with addresses of its own and
 * takes turns as a shard does. Time stands still while anything can run and then jumps to the next
 * event, so days pass in no time and nothing ever sleeps. Every choice (delays, losses, where a
 * stream is cut, which node goes first) comes from one seed: a run is a function of it.
 *
 * TCP is reliable and in order; what would be lost arrives later. The sim asserts what the contract
 * of ring/io.h asks of its users: leases returned in their handler, operations not reused while
 * they wait, sockets not used after their close.
 *
 * Ownership: nodes are freed with io_free(), or with their sim. */
#pragma once

#include "ring/io.h"

struct sim;

/* How the network between two addresses behaves, in each direction. Probabilities are in parts per
 * million, of datagrams and of pieces of a stream. */
struct sim_link {
	uint64_t delay_min_ns;
	uint64_t delay_max_ns; /* different delays put datagrams out of order */
	uint32_t loss_ppm; /* a datagram is gone; a piece of a stream comes SIM_RESEND_NS later */
	uint32_t duplicate_ppm; /* a datagram comes twice */
	uint32_t reset_ppm;     /* the connection is reset where a piece would arrive */
	uint32_t piece_max_len; /* a stream arrives in pieces of 1 to as many octets */
	uint32_t window_len;    /* octets under way or unread before a sender waits */
	uint64_t rate_bytes_s;  /* of a stream; 0: no limit */
	bool cut;               /* nothing passes */
};

#define SIM_RESEND_NS      (200 * NS_PER_MS) /* first retransmission; doubles each time */
#define SIM_RESENDS_MAX    12                /* then the sender gives up: ERR_PEER_TIMEOUT */
#define SIM_CONNECT_TRIES  7                 /* at 0, 1, 3, 7 ... 63 s; given up after 127 s */
#define SIM_UNREACHABLE_NS (3 * NS_PER_S)    /* until nobody answers for an address */
#define SIM_DATAGRAMS_MAX  256               /* unread at one socket; more are dropped */
#define SIM_NODES_MAX      1024

extern const struct sim_link sim_link_calm;  /* the default: short even delays, no faults */
extern const struct sim_link sim_link_rough; /* every fault now and then */

struct sim_node_options {
	const struct addr *addrs; /* ports unused; copied */
	size_t addr_count;
	unsigned mails_max; /* 0: IO_MAILS_MAX */
	struct io_hooks hooks;
};

struct sim *sim_new(uint64_t seed);

/* Frees the nodes that are left as well; their operations hear ERR_STOPPING. */
void sim_free(struct sim *sim);

/* Adds a node. Nodes may share an address: as shards of one machine do. */
struct io *sim_node(struct sim *sim, const struct sim_node_options *options);

/* The clock of the sim, and randomness for those who drive it. */
const struct env *sim_env(struct sim *sim);

/* Sets how all links are that have no setting of their own. */
void sim_link_default(struct sim *sim, const struct sim_link *link);

/* Sets how two addresses (ports do not matter) reach each other. */
void sim_link_set(struct sim *sim, const struct addr *a, const struct addr *b,
                  const struct sim_link *link);

/* Cuts or mends what two addresses have between them; all else of the link stays. */
void sim_cut(struct sim *sim, const struct addr *a, const struct addr *b, bool cut);

/* Does one thing: the turn of one node, or the next event. False if nothing will ever happen. */
bool sim_step(struct sim *sim);

/* Runs until nothing is under way and no node has anything to do; timers that are not due do not
 * count. */
void sim_run_until_idle(struct sim *sim);

/* Runs all that happens in the next `ns`, and leaves the clock there. */
void sim_run_for(struct sim *sim, uint64_t ns);

/* Ends the sending side of a connection as shutdown(SHUT_WR) does, for peers that do so. */
void sim_shutdown(struct io *io, struct io_socket s);

/* Sockets that a node has, also those that were closed and wait for a last completion. */
size_t sim_sockets(const struct io *io);

/* Connections that a node made to an address (ports do not matter) and has not closed. */
size_t sim_connections(const struct io *io, const struct addr *to);

/* A sum over all that has happened: equal for equal seeds and equal programs. */
uint64_t sim_trace(const struct sim *sim);
