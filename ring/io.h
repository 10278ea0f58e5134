/* SPDX-License-Identifier: MIT
 *
 * ring/io.h — what one shard may ask of the network and the clock.
 *
 * A shard has one `struct io`, driven by one thread. Work happens in turns: all completions are
 * collected, then their functions run one after the other, then everything new is submitted at
 * once. There are two implementations: io_uring (ring/uring.h) and a simulated network and clock
 * (ring/sim.h). Code above sees data, end, or fault; interrupted calls, short writes, exhausted
 * buffer rings and re-arming of single-shot operations stay in here.
 *
 * Ownership: a `struct io_op` is a field of what waits for it and must live until its last
 * completion (`more == false`); cancelling does not end an operation, its completion does. An op
 * waits for one thing at a time, and a socket has at most one op that receives (or accepts) and one
 * that sends. Received octets are leased: io_return() gives them back, on every path, in the
 * handler that got them (asserted). Sockets are numbers owned by whoever opened them, until
 * io_close(). No io_...() calls a handler: all of them run from the turn. */
#pragma once

#include "base/addr.h"
#include "base/env.h"

struct io;
struct io_op;

#define IO_LISTEN_BACKLOG   4096
#define IO_DATAGRAM_MAX_LEN 4096 /* EDNS sizes beyond are of no use; longer ones are dropped */
#define IO_SEND_MAX_LEN     (1U << 30)
#define IO_MAILS_MAX        65536 /* mails waiting at one shard, default */

struct io_socket {
	int32_t n; /* -1: none */
};

#define IO_SOCKET_NONE ((struct io_socket){ -1 })

static inline bool io_socket_open(struct io_socket s)
{
	return s.n >= 0;
}

/* A buffer of the ring on loan. The zero value is no lease. */
struct io_lease {
	void *at;
};

/* One completion. Fields beyond `err` and `more` depend on the operation. */
struct io_done {
	enum err err;            /* ERR_OK; a fault of peer or system; ERR_STOPPING if cancelled */
	bool more;               /* the op goes on and completes again */
	bool end;                /* recv: the peer closed its side; no data */
	struct io_socket socket; /* accept, connect: the new connection */
	struct bytes data;       /* recv: what arrived, in the lease */
	struct io_lease lease;
	struct addr peer;  /* accept, datagram: who */
	struct addr local; /* datagram: the address it was sent to */
};

typedef void (*io_fn)(struct io_op *op, struct io_done done);

struct io_op {
	io_fn fn;
	bool waiting; /* from the call until the completion with more == false */
	uint8_t kind; /* private to the implementation, as is what follows */
	int32_t socket;
	const uint8_t *at;
	size_t len;
	void *extra;
	struct io_op *next;
};

/* Fires once, at or shortly after its time; resolution is IO_TIMER_TICK_NS. */
#define IO_TIMER_TICK_NS (1 * NS_PER_MS)

struct io_timer {
	void (*fn)(struct io_timer *timer);
	uint64_t at_ns; /* monotonic; 0 while not set */
	struct io_timer *next;
	struct io_timer **back;
};

/* A message between threads; a field of what is sent. */
struct io_mail {
	void (*fn)(struct io_mail *mail); /* runs on the receiving shard, in its turn */
	struct io_mail *next;
};

/* Called by the implementation around turns; any may be NULL. */
struct io_hooks {
	void *self;
	void (*turn_end)(void *self); /* all functions of the turn have run, nothing is borrowed */
	void (*sleep)(void *self);    /* about to wait */
	void (*wake)(void *self);     /* waited */
};

struct io_ops {
	enum err (*listen)(struct io *io, const struct addr *at, struct io_socket *out);
	void (*accept)(struct io *io, struct io_op *op, struct io_socket s);
	void (*connect)(struct io *io, struct io_op *op, const struct addr *to,
	                const struct addr *from);
	void (*recv)(struct io *io, struct io_op *op, struct io_socket s);
	void (*send)(struct io *io, struct io_op *op, struct io_socket s, struct bytes b);
	enum err (*udp_open)(struct io *io, const struct addr *at, struct io_socket *out);
	void (*udp_recv)(struct io *io, struct io_op *op, struct io_socket s);
	enum err (*udp_send)(struct io *io, struct io_socket s, const struct addr *to,
	                     const struct addr *from, struct bytes b);
	void (*give_back)(struct io *io, struct io_lease lease);
	void (*cancel)(struct io *io, struct io_op *op);
	void (*close)(struct io *io, struct io_socket s);
	void (*timer_set)(struct io *io, struct io_timer *t, uint64_t at_ns);
	void (*timer_clear)(struct io *io, struct io_timer *t);
	enum err (*post)(struct io *io, struct io_mail *mail, bool reply);
	void (*run)(struct io *io);
	void (*stop)(struct io *io);
	void (*free)(struct io *io);
};

struct io {
	const struct io_ops *ops;
	const struct env *env;
	struct io_hooks hooks;
};

/* Monotonic time, taken once a turn. */
static inline uint64_t io_now_ns(const struct io *io)
{
	return env_mono_ns(io->env);
}

/* Opens a TCP socket that listens on `at` (shared among shards by SO_REUSEPORT). Port 0 is not
 * allowed. The socket is the caller's. */
MUST_USE static inline enum err io_listen(struct io *io, const struct addr *at,
                                          struct io_socket *out)
{
	return io->ops->listen(io, at, out);
}

/* Accepts connections until cancelled: each completes with `socket` and `peer`. */
static inline void io_accept(struct io *io, struct io_op *op, struct io_socket s)
{
	io->ops->accept(io, op, s);
}

/* Opens a TCP connection (TCP_NODELAY) from `from` (its port is ignored; NULL: any). */
static inline void io_connect(struct io *io, struct io_op *op, const struct addr *to,
                              const struct addr *from)
{
	io->ops->connect(io, op, to, from);
}

/* Receives until end, fault or cancel: each completion has leased data, or `end`. */
static inline void io_recv(struct io *io, struct io_op *op, struct io_socket s)
{
	io->ops->recv(io, op, s);
}

/* Sends all of `b` (not empty), which stays valid until the completion. One send a socket at a
 * time. */
static inline void io_send(struct io *io, struct io_op *op, struct io_socket s, struct bytes b)
{
	io->ops->send(io, op, s, b);
}

/* Opens a UDP socket; port 0 takes a free one. */
MUST_USE static inline enum err io_udp_open(struct io *io, const struct addr *at,
                                            struct io_socket *out)
{
	return io->ops->udp_open(io, at, out);
}

/* Receives datagrams until cancelled: data, peer, local. */
static inline void io_udp_recv(struct io *io, struct io_op *op, struct io_socket s)
{
	io->ops->udp_recv(io, op, s);
}

/* Queues a copy of `b`, at most IO_DATAGRAM_MAX_LEN (asserted), to `to`, from the local address
 * `from` (NULL: the kernel's choice; its port is the socket's). Datagrams may be lost anyway;
 * ERR_BUSY says that it was lost here, ERR_PEER_UNREACHABLE that `to` is of the other family. */
MUST_USE static inline enum err io_udp_send(struct io *io, struct io_socket s,
                                            const struct addr *to, const struct addr *from,
                                            struct bytes b)
{
	return io->ops->udp_send(io, s, to, from, b);
}

/* Gives a lease back; no lease is a no-op. */
static inline void io_return(struct io *io, struct io_lease lease)
{
	io->ops->give_back(io, lease);
}

/* Asks for the end of an operation; a no-op if it does not wait. From here on the op completes once
 * more, with ERR_STOPPING; what arrived meanwhile is dropped, a connection made or accepted is
 * closed. */
static inline void io_cancel(struct io *io, struct io_op *op)
{
	io->ops->cancel(io, op);
}

/* Closes a socket. Operations that still wait on it are cancelled, and complete with ERR_STOPPING
 * in a later turn. */
static inline void io_close(struct io *io, struct io_socket s)
{
	io->ops->close(io, s);
}

/* Sets or moves a timer; a time in the past fires at the end of this turn, after all completions and
 * mails, or in the next one if a timer's function sets it. O(1). */
static inline void io_timer_set(struct io *io, struct io_timer *t, uint64_t at_ns)
{
	io->ops->timer_set(io, t, at_ns);
}

static inline void io_timer_clear(struct io *io, struct io_timer *t)
{
	io->ops->timer_clear(io, t);
}

static inline bool io_timer_is_set(const struct io_timer *t)
{
	return t->at_ns != 0;
}

/* Sends `mail` to the shard of `io`, from any thread. ERR_BUSY, and the mail stays the caller's, if
 * too many wait there: the caller keeps it and tries later. */
MUST_USE static inline enum err io_post(struct io *io, struct io_mail *mail)
{
	return io->ops->post(io, mail, false);
}

/* Sends a mail back to whoever posted it or asked for it: never refused, since its number is
 * bounded by the requests. */
void io_post_reply(struct io *io, struct io_mail *mail);

/* Runs turns until io_stop(), which any thread may call. */
static inline void io_run(struct io *io)
{
	io->ops->run(io);
}

static inline void io_stop(struct io *io)
{
	io->ops->stop(io);
}

/* Frees the ring; no operation may wait any more (the implementation cancels and drains what does).
 */
static inline void io_free(struct io *io)
{
	io->ops->free(io);
}
