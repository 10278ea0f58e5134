/* SPDX-License-Identifier: MIT
 *
 * ring/uring_p.h — the parts of the io_uring implementation.
 *
 * uring.c has the turn, refusal.c the reasons why there is no ring, buffers.c what the kernel
 * receives into, sockets.c the table of sockets, tcp.c and udp.c the operations on them.
 *
 * What a completion is for stands in its user_data: a pointer whose low bits are a tag. */
#pragma once

#include <liburing.h>
#include <netinet/in.h>
#include <stdatomic.h>

#include "ring/buffers_p.h"
#include "ring/mailbox_p.h"
#include "ring/uring.h"
#include "ring/wheel_p.h"

#define SOCKET_INDEX_BITS 20
#define SOCKETS_MAX       (1U << SOCKET_INDEX_BITS) /* open at once at one shard */
#define SOCKET_USES_MAX   (1U << (31 - SOCKET_INDEX_BITS))
#define SOCKET_CHUNK      256U /* sockets allocated together; they never move */
#define SOCKET_NO_INDEX   UINT32_MAX

#define PAUSE_NS         (100 * NS_PER_MS) /* after running out of descriptors or kernel memory */
#define DRAIN_TURNS_MAX  10000             /* turns in which uring_free() ends what waits */
#define UDP_SOCKET_BYTES (4 << 20) /* asked for as kernel buffer; the kernel may give less */
#define UDP_NAME_LEN     32        /* sockaddr_in6, rounded up to keep what follows aligned */
#define UDP_CONTROL_LEN  64        /* room for one pktinfo of either family */

enum tag {
	TAG_OP,       /* struct io_op */
	TAG_NONE,     /* nothing to do: a failed cancel or close */
	TAG_DATAGRAM, /* struct datagram: sent */
	TAG_POKE,     /* struct uring that a MSG_RING could not reach */
	TAG_POKED,    /* another ring woke us */
	TAG_EVENTFD,  /* another thread woke us */
};
#define TAG_MASK 7U

enum op_kind {
	OP_ACCEPT = 1,
	OP_CONNECT,
	OP_RECV,
	OP_SEND,
	OP_UDP_RECV,
};
#define OP_KIND_MASK 0x0f
#define OP_PARKED    0x40 /* not with the kernel: failed, starved or paused; on a list by `next` */
#define OP_CANCELLED 0x80 /* ends with ERR_STOPPING whatever the kernel says */

enum buffer_group {
	GROUP_STREAM,
	GROUP_DATAGRAM,
	GROUP_COUNT,
};

struct sock {
	int fd;             /* -1: free */
	uint16_t use;       /* how often the slot was used before; part of the socket's number */
	bool closing;       /* closed by its owner, waits for its operations */
	bool any;           /* UDP: bound to no address, so the kernel must be told which */
	struct addr bound;  /* UDP: where it is bound */
	struct io_op *in;   /* accept, recv, udp_recv */
	struct io_op *out;  /* connect, send */
	uint32_t index;     /* of this slot */
	uint32_t next_free; /* index */
	struct sockaddr_storage to; /* connect */
};

/* A datagram being sent. */
struct datagram {
	_Alignas(8) struct msghdr msg;
	struct iovec iov;
	struct sockaddr_storage to;
	_Alignas(8) uint8_t control[UDP_CONTROL_LEN];
	uint8_t data[IO_DATAGRAM_MAX_LEN];
};

struct completion {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

struct op_list {
	struct io_op *first;
	struct io_op *last;
};

struct uring {
	struct io io;
	struct env env; /* the caller's, with the time of the turn */
	const struct env *base;
	uint64_t now_ns;
	int64_t wall_s;
	uint64_t wall_turn; /* the turn in which wall_s was asked */

	struct io_uring ring;
	struct completion *ready; /* of this turn */
	unsigned ready_max;
	struct uring_info info;
	unsigned ops_waiting;
	struct wheel wheel;

	struct op_list failed;  /* complete with the error in `len` in the next turn */
	struct op_list starved; /* receives to be armed when buffers are back */
	struct op_list paused;  /* accepts and udp_recvs to be armed when the pause is over */
	bool parked_cancelled;  /* one of those lists has an op to end */
	struct io_timer pause;

	struct buffers buffers[GROUP_COUNT];
	void *leased; /* the buffer that the running handler has to return */

	struct sock *chunks[SOCKETS_MAX / SOCKET_CHUNK];
	uint32_t sockets_made;
	uint32_t socket_free; /* index of the first free slot */

	struct datagram *datagrams;
	uint16_t *datagram_free; /* a stack of indices */
	unsigned datagram_free_count;
	unsigned datagram_count;
	struct msghdr udp_any; /* what recvmsg may fill in, for sockets bound to no address */
	struct msghdr udp_bound;

	int eventfd;
	uint64_t eventfd_value;
	struct mailbox mails;
	_Atomic bool asleep; /* a sender must wake us */
	_Atomic bool stop;
};

static inline struct uring *uring_of(const struct io *io)
{
	return container_of(io, struct uring, io);
}

static inline uint64_t tagged(const void *at, enum tag tag)
{
	assert(((uintptr_t)at & TAG_MASK) == 0);
	return (uint64_t)(uintptr_t)at | tag;
}

/* uring.c */
struct io_uring_sqe *uring_sqe(struct uring *u); /* never NULL: submits early when full */
void op_begin(struct uring *u, struct io_op *op, enum op_kind kind, struct sock *s);
void op_finish(struct uring *u, struct io_op *op, struct io_done done);
void op_fail_later(struct uring *u, struct io_op *op, enum err e);
void op_park(struct op_list *list, struct io_op *op);
void op_pause(struct uring *u, struct io_op *op); /* armed again after PAUSE_NS */
void op_cancel(struct uring *u, struct io_op *op);

static inline enum op_kind op_kind_of(const struct io_op *op)
{
	return (enum op_kind)(op->kind & OP_KIND_MASK);
}

static inline bool op_unwanted(const struct io_op *op)
{
	return (op->kind & OP_CANCELLED) != 0;
}

/* sockets.c */
struct sock *sock_new(struct uring *u, int fd); /* NULL: too many */
struct sock *sock_at(const struct uring *u, uint32_t index);
struct sock *sock_of(const struct uring *u, struct io_socket s); /* asserts that it is open */
struct io_socket sock_number(const struct sock *s);
void sock_shut(struct uring *u, struct sock *s);
void sock_settle(struct uring *u, struct sock *s); /* closes for good once nothing waits */
void sockets_fini(struct uring *u);
enum err uring_listen(struct io *io, const struct addr *at, struct io_socket *out);
enum err uring_udp_open(struct io *io, const struct addr *at, struct io_socket *out);
void uring_close(struct io *io, struct io_socket s);

/* tcp.c */
void uring_accept(struct io *io, struct io_op *op, struct io_socket s);
void uring_connect(struct io *io, struct io_op *op, const struct addr *to, const struct addr *from);
void uring_recv(struct io *io, struct io_op *op, struct io_socket s);
void uring_send(struct io *io, struct io_op *op, struct io_socket s, struct bytes b);
void tcp_arm(struct uring *u, struct io_op *op); /* accept and recv, again */
void accept_done(struct uring *u, struct io_op *op, const struct completion *c);
void connect_done(struct uring *u, struct io_op *op, const struct completion *c);
void recv_done(struct uring *u, struct io_op *op, const struct completion *c);
void send_done(struct uring *u, struct io_op *op, const struct completion *c);

/* udp.c */
void datagrams_init(struct uring *u, unsigned count);
void datagrams_fini(struct uring *u);
void datagram_done(struct uring *u, struct datagram *d, int res);
void uring_udp_recv(struct io *io, struct io_op *op, struct io_socket s);
enum err uring_udp_send(struct io *io, struct io_socket s, const struct addr *to,
                        const struct addr *from, struct bytes b);
void udp_arm(struct uring *u, struct io_op *op);
void udp_recv_done(struct uring *u, struct io_op *op, const struct completion *c);
