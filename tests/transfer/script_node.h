/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/script_node.h — a scripted primary on the simulated network, which also takes
 * NOTIFYs as a secondary would.
 *
 * Ownership: new/free; the io node is the sim's. Free it after the sim has run out or been freed. */
#pragma once

#include "ring/sim.h"
#include "ring/stream.h"
#include "tests/transfer/script.h"

struct script_conn;

/* What it does with requests that come before it has answered others. */
enum script_manner {
	SCRIPT_IN_ORDER,
	SCRIPT_REVERSED, /* answers what came together, the last first */
	SCRIPT_DROPS,    /* does not see them */
	SCRIPT_HANGS_UP, /* closes the connection without an answer */
	SCRIPT_MIXES_UP, /* gives the answers wrong ids */
};

struct script_node {
	struct script script;
	struct io *io;
	struct addr at;
	bool closes; /* each connection after an answer */
	enum script_manner manner;
	unsigned conns_max; /* refuses more at once; 0: any number */
	bool deaf_to_udp;   /* takes no datagrams */
	bool ignores_notify;
	struct io_socket tcp;
	struct io_socket udp;
	struct io_op accept;
	struct io_op datagrams;
	struct script_conn *conns;
	unsigned connections; /* ever */
	unsigned notifies;
	uint32_t notified_serial;
	bool notify_signed;
};

struct script_node *script_node_new(struct sim *sim, const char *addr, const char *apex,
                                    struct tsig_key *key);
void script_node_free(struct script_node *n);

/* Stops listening, so that connections are refused, and ends those there are / listens again. */
void script_node_down(struct script_node *n);
void script_node_up(struct script_node *n);
