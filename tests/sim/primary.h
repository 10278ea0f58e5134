/* SPDX-License-Identifier: MIT
 *
 * tests/sim/primary.h — a primary on the simulated network, with habits of its own and, at times,
 * faults.
 *
 * It holds some version of each zone and answers over any number of connections, many requests of
 * one at a time: messages of several answers may be sent in turn. Habits stay for a whole run and
 * have to be borne; faults befall answers while `fault_ppm` says so. It also takes NOTIFYs, as a
 * secondary would.
 *
 * Ownership: new/free; the io node is the sim's. Free it after the sim. */
#pragma once

#include "ring/sim.h"
#include "ring/stream.h"
#include "tests/sim/truth.h"

#define PRIMARIES_MAX 6

/* What becomes of a request that comes while another on its connection is being answered. */
enum primary_second {
	SECOND_SERVED,
	SECOND_DROPPED, /* no answer, ever */
	SECOND_CLOSES,  /* the connection is closed */
	SECOND_MIXES,   /* both are answered, each with the other's id */
	SECOND_KINDS,
};

enum primary_ixfr {
	IXFR_STEPS, /* one difference for each version */
	IXFR_CONDENSED,
	IXFR_WHOLE,   /* the whole zone instead */
	IXFR_REFUSED, /* NOTIMP */
	IXFR_KINDS,
};

struct primary_habits {
	bool any_order; /* answers and their messages in turn; else one after the other */
	enum primary_second second;
	enum primary_ixfr ixfr;
	bool closes;        /* the connection after an answer */
	unsigned idle_s;    /* before it closes a connection; 0: never */
	unsigned conns_max; /* more are closed at once; 0: no limit */
	unsigned history;   /* versions back from which it sends differences */
	uint32_t think_ms;  /* up to so long before an answer */
	uint32_t gap_ms;    /* between messages */
	unsigned per_message;
	unsigned signed_every;
	bool deaf_to_udp;
	bool truncates; /* over UDP */
	bool signs_notify;
};

struct primary_peer {
	struct script script;
	struct primary_habits habits;
	struct truth *truth;
	struct io *io;
	struct addr at;
	unsigned index;
	int zone;                  /* of the answer at hand */
	int held[TRUTH_ZONES_MAX]; /* version; TRUTH_NONE: not served */
	uint32_t fault_ppm;
	bool silent;  /* takes requests and answers none */
	bool forges;  /* the answer at hand has a record that no version has */
	bool foreign; /* planted: answers have a record that no version has */
	bool up;
	struct io_socket tcp;
	struct io_socket udp;
	struct io_op accept;
	struct io_op datagrams;
	struct primary_conn *conns;
	unsigned conn_count;
	uint64_t answers;
	uint64_t faults;
	/* Somebody was told of a version by NOTIFY. */
	void (*on_notify)(void *self, int zone, uint32_t serial);
	void *on_notify_self;
};

struct primary_peer *primary_peer_new(struct sim *sim, struct truth *truth, unsigned index,
                                      struct tsig_key *key);
void primary_peer_free(struct primary_peer *p);

/* Has it hold a version from now on. */
void primary_peer_hold(struct primary_peer *p, unsigned zone, int version);

/* Stops listening and ends all connections / listens again, but in the turn after at the earliest. */
void primary_peer_down(struct primary_peer *p);
void primary_peer_up(struct primary_peer *p);

/* Sends a NOTIFY with `serial` (NULL: without one). */
void primary_peer_notify(struct primary_peer *p, unsigned zone, const struct addr *to,
                         const uint32_t *serial);

/* For people: what its habits are. */
void primary_peer_print(const struct primary_peer *p, char *out, size_t cap);
