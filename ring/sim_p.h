/* SPDX-License-Identifier: MIT
 *
 * ring/sim_p.h — the parts of the simulator.
 *
 * sim.c has the clock, the queue of events and the links; sim_node.c the turns of a node and its
 * sockets; sim_tcp.c streams; sim_udp.c datagrams. */
#pragma once

#include "ring/mailbox_p.h"
#include "ring/sim.h"
#include "ring/wheel_p.h"

#define SIM_SOCKET_INDEX_BITS 20
#define SIM_SOCKETS_MAX       (1U << SIM_SOCKET_INDEX_BITS)
#define SIM_SOCKET_USES_MAX   (1U << (31 - SIM_SOCKET_INDEX_BITS))
#define SIM_PORT_FIRST        32768 /* of those that are chosen by the node */

enum sim_op_kind {
	SIM_ACCEPT = 1,
	SIM_CONNECT,
	SIM_RECV,
	SIM_SEND,
	SIM_UDP_RECV,
};
#define SIM_KIND_MASK 0x0f
#define SIM_FINAL     0x40 /* its last completion is queued */
#define SIM_CANCELLED 0x80 /* that one says ERR_STOPPING */

enum sim_sock_kind {
	SIM_SOCK_LISTENER,
	SIM_SOCK_STREAM,
	SIM_SOCK_DATAGRAM,
};

/* What a handler gets: octets of exactly their length, so that a read beyond is noticed. */
struct sim_lease {
	struct sim_node *node;
	size_t len;
	uint8_t data[];
};

struct sim_completion {
	struct sim_completion *next;
	struct io_op *op;
	struct io_done done;
};

struct sim_datagram {
	struct sim_datagram *next;
	struct addr from;
	struct addr to;
	size_t len;
	uint8_t data[];
};

struct sim_sock {
	struct sim_node *node;
	enum sim_sock_kind kind;
	uint32_t index;
	bool closing;
	struct io_op *in;
	struct io_op *out;
	struct addr bound;
	struct sim_end *end;      /* of a stream */
	struct sim_conn *backlog; /* of a listener: connections not yet accepted */
	unsigned backlog_count;
	struct sim_datagram *unread;
	unsigned unread_count;
};

/* One side of a connection and what it has sent. */
struct sim_end {
	struct sim_conn *conn;
	struct sim_sock *sock; /* NULL before accept and after close */
	struct addr addr;
	uint8_t *sent; /* octets that the peer has not read yet */
	size_t sent_len;
	bool fin;       /* nothing more will be sent */
	bool fin_seen;  /* the peer has been told */
	bool flowing;   /* an event will bring the next piece to the peer */
	bool arrived;   /* it is there; the peer does not receive */
	bool gone;      /* closed by its owner */
	unsigned tries; /* in vain, since the last piece arrived */
	enum err fault; /* the connection is broken as seen from here */
};

struct sim_conn {
	struct sim_end ends[2]; /* who connected, who accepted */
	unsigned refs;          /* events, and ends in use */
	struct sim_conn *next;  /* in a backlog */
	bool waiting;           /* in a backlog */
	unsigned tries;         /* to connect */
};

enum sim_event_kind {
	SIM_EVENT_CONNECT,   /* a request arrives */
	SIM_EVENT_CONNECTED, /* its answer arrives */
	SIM_EVENT_PIECE,     /* a piece of what `end` sent arrives */
	SIM_EVENT_RESET,     /* `end` hears that the connection is no more */
	SIM_EVENT_DATAGRAM,
};

struct sim_event {
	uint64_t at_ns;
	uint64_t number; /* decides between equal times */
	enum sim_event_kind kind;
	struct sim_end *end; /* the conn of which is referenced */
	enum err err;
	struct sim_datagram *datagram;
};

struct sim_node {
	struct io io;
	struct env env; /* the sim's clock, dice of its own */
	struct env_fake dice;
	struct sim *sim;
	struct addr *addrs;
	size_t addr_count;
	struct wheel wheel;
	struct mailbox mails;
	struct sim_completion *first;
	struct sim_completion *last;
	struct sim_lease *leased; /* the running handler has to return it */
	struct sim_sock **socks;  /* NULL: free */
	uint16_t *uses;
	uint32_t sock_cap;
	uint16_t next_port;
	unsigned ops_waiting;
	bool asleep;
	bool stop;
};

struct sim_pair {
	struct addr a;
	struct addr b;
	struct sim_link link;
};

struct sim {
	struct env_fake clock; /* time, and the dice of the network */
	struct sim_node *nodes[SIM_NODES_MAX];
	size_t node_count;
	struct sim_event *events; /* a heap */
	size_t event_count;
	size_t event_cap;
	uint64_t event_number;
	struct sim_link link;
	struct sim_pair *pairs;
	size_t pair_count;
	uint64_t trace;
};

static inline struct sim_node *sim_node_of(const struct io *io)
{
	return container_of(io, struct sim_node, io);
}

/* sim.c */
struct sim_link sim_link_between(const struct sim *sim, const struct addr *a, const struct addr *b);
bool sim_chance(struct sim *sim, uint32_t ppm);
uint64_t sim_delay(struct sim *sim, const struct sim_link *link);
void sim_after(struct sim *sim, uint64_t ns, struct sim_event event);
struct sim_sock *sim_find(struct sim *sim, enum sim_sock_kind kind, const struct addr *at);
bool sim_has_address(const struct sim *sim, const struct addr *a);
void sim_note(struct sim *sim, uint64_t what);

/* sim_node.c */
bool sim_node_ready(const struct sim_node *node);
void sim_node_turn(struct sim_node *node, bool timers);
void sim_node_free(struct io *io);
bool sim_node_owns(const struct sim_node *node, const struct addr *a);
const struct addr *sim_node_addr(const struct sim_node *node, uint8_t family);
struct sim_sock *sim_sock_new(struct sim_node *node, enum sim_sock_kind kind);
struct sim_sock *sim_sock_of(const struct sim_node *node, struct io_socket s);
struct io_socket sim_sock_number(const struct sim_sock *s);
void sim_sock_shut(struct sim_sock *s);
void sim_op_begin(struct sim_sock *s, struct io_op *op, enum sim_op_kind kind);
bool sim_op_wants(const struct io_op *op); /* NULL does not */
void sim_op_complete(struct sim_node *node, struct io_op *op, struct io_done done);
struct io_lease sim_lease_new(struct sim_node *node, struct bytes b, struct bytes *data);

/* sim_tcp.c */
enum err sim_listen(struct io *io, const struct addr *at, struct io_socket *out);
void sim_accept(struct io *io, struct io_op *op, struct io_socket s);
void sim_connect(struct io *io, struct io_op *op, const struct addr *to, const struct addr *from);
void sim_recv(struct io *io, struct io_op *op, struct io_socket s);
void sim_send(struct io *io, struct io_op *op, struct io_socket s, struct bytes b);
void sim_end_close(struct sim_end *end);
void sim_listener_close(struct sim_sock *s);
void sim_tcp_event(struct sim *sim, const struct sim_event *event);
void sim_conn_unref(struct sim_conn *conn);

/* sim_udp.c */
enum err sim_udp_open(struct io *io, const struct addr *at, struct io_socket *out);
void sim_udp_recv(struct io *io, struct io_op *op, struct io_socket s);
enum err sim_udp_send(struct io *io, struct io_socket s, const struct addr *to,
                      const struct addr *from, struct bytes b);
void sim_udp_close(struct sim_sock *s);
void sim_udp_event(struct sim *sim, const struct sim_event *event);
