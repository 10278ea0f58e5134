/* SPDX-License-Identifier: MIT
 *
 * ring/tcp.c — connections: accept, connect, receive, send.
 *
 * Once an operation is cancelled, its owner hears one more thing of it, ERR_STOPPING: what the
 * kernel had done already is undone here. */
#include "ring/uring_p.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

static enum err err_of(int res)
{
	assert(res < 0);
	return res == -ECANCELED ? ERR_STOPPING : err_from_errno(-res);
}

void tcp_arm(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe = uring_sqe(u);
	int fd = sock_at(u, (uint32_t)op->socket)->fd;

	if (op_kind_of(op) == OP_ACCEPT) {
		io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	} else {
		assert(op_kind_of(op) == OP_RECV);
		io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
		io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
		sqe->buf_group = GROUP_STREAM;
	}
	io_uring_sqe_set_data64(sqe, tagged(op, TAG_OP));
}

/* --- Accept ------------------------------------------------------------------------------- */

void uring_accept(struct io *io, struct io_op *op, struct io_socket n)
{
	struct uring *u = uring_of(io);

	op_begin(u, op, OP_ACCEPT, sock_of(u, n));
	tcp_arm(u, op);
}

static void accept_one(struct uring *u, struct io_op *op, int fd)
{
	struct io_done done = { .more = true };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct sock *s = NULL;

	/* A multishot accept has one place for all the addresses, so it has to be asked for; this
	 * fails if the peer is gone again. */
	if (getpeername(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    addr_from_sockaddr((const struct sockaddr *)&ss, len, &done.peer) == ERR_OK) {
		s = sock_new(u, fd);
	}
	if (s == NULL) {
		close(fd);
		return;
	}
	done.socket = sock_number(s);
	op->fn(op, done);
}

void accept_done(struct uring *u, struct io_op *op, const struct completion *c)
{
	bool armed = (c->flags & IORING_CQE_F_MORE) != 0;

	if (op_unwanted(op)) {
		if (c->res >= 0) {
			close(c->res);
		}
		if (!armed) {
			op_finish(u, op, (struct io_done){ .err = ERR_STOPPING });
		}
		return;
	}
	if (c->res == -EBADF || c->res == -EINVAL || c->res == -ECANCELED) {
		op_finish(u, op, (struct io_done){ .err = err_of(c->res) });
		return;
	}
	/* A connection may die in the queue, and the next one live. Out of descriptors or memory,
	 * accepting again at once would fail at once: the connection is still there. */
	if (c->res < 0 && c->res != -ECONNABORTED && c->res != -EINTR && c->res != -EAGAIN) {
		op_pause(u, op);
		return;
	}
	if (!armed) {
		tcp_arm(u, op);
	}
	if (c->res >= 0) {
		accept_one(u, op, c->res);
	}
}

/* --- Connect ------------------------------------------------------------------------------ */

static bool connect_prepare(int fd, const struct addr *to, const struct addr *from)
{
	struct sockaddr_storage ss;
	struct addr source;
	socklen_t len;
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0) {
		return false;
	}
	if (from == NULL || addr_is_any(from)) {
		return true;
	}
	if (from->family != to->family) {
		errno = EADDRNOTAVAIL;
		return false;
	}
	source = *from;
	source.port = 0;
	len = addr_to_sockaddr(&source, &ss);
	/* The port is chosen when the destination is known: as many connections from one address as
	 * there are ports to each destination, not in all. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, (const struct sockaddr *)&ss, len) == 0;
}

/* Opens the socket of a connection. Returns it or a negative errno. */
static int connect_socket(const struct addr *to, const struct addr *from)
{
	int family = to->family == 4 ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int e;

	if (fd < 0) {
		return -errno;
	}
	if (connect_prepare(fd, to, from)) {
		return fd;
	}
	e = errno;
	close(fd);
	return -e;
}

/* Ends an operation that never got a socket. */
static void connect_refuse(struct uring *u, struct io_op *op, enum err e)
{
	assert(op->fn != NULL);
	assert(!op->waiting);
	op->waiting = true;
	op->kind = OP_CONNECT;
	op->socket = -1;
	u->ops_waiting++;
	op_fail_later(u, op, e);
}

void uring_connect(struct io *io, struct io_op *op, const struct addr *to, const struct addr *from)
{
	struct uring *u = uring_of(io);
	int fd = connect_socket(to, from);
	struct io_uring_sqe *sqe;
	struct sock *s;
	socklen_t len;

	if (fd < 0) {
		connect_refuse(u, op, err_from_errno(-fd));
		return;
	}
	s = sock_new(u, fd);
	if (s == NULL) {
		close(fd);
		connect_refuse(u, op, ERR_BUSY);
		return;
	}
	op_begin(u, op, OP_CONNECT, s);
	len = addr_to_sockaddr(to, &s->to);
	sqe = uring_sqe(u);
	io_uring_prep_connect(sqe, s->fd, (const struct sockaddr *)&s->to, len);
	io_uring_sqe_set_data64(sqe, tagged(op, TAG_OP));
}

void connect_done(struct uring *u, struct io_op *op, const struct completion *c)
{
	struct sock *s = sock_at(u, (uint32_t)op->socket);
	struct io_done done = { .err = ERR_OK, .socket = sock_number(s) };

	if (op_unwanted(op) || c->res < 0) {
		done.err = op_unwanted(op) ? ERR_STOPPING : err_of(c->res);
		if (!s->closing) {
			sock_shut(u, s); /* goes when op_finish() takes the op off it */
		}
	}
	op_finish(u, op, done);
}

/* --- Receive ------------------------------------------------------------------------------ */

void uring_recv(struct io *io, struct io_op *op, struct io_socket n)
{
	struct uring *u = uring_of(io);

	op_begin(u, op, OP_RECV, sock_of(u, n));
	tcp_arm(u, op);
}

void recv_done(struct uring *u, struct io_op *op, const struct completion *c)
{
	struct buffers *b = &u->buffers[GROUP_STREAM];
	bool armed = (c->flags & IORING_CQE_F_MORE) != 0;
	bool wanted = !op_unwanted(op);
	uint8_t *at = (c->flags & IORING_CQE_F_BUFFER) != 0 ? buffers_at(b, c->flags) : NULL;

	if (at != NULL && (c->res <= 0 || !wanted)) {
		buffers_give(b, at);
	}
	if (!wanted) {
		if (!armed) {
			op_finish(u, op, (struct io_done){ .err = ERR_STOPPING });
		}
	} else if (c->res > 0) {
		assert(at != NULL && (size_t)c->res <= b->len);
		if (!armed) {
			tcp_arm(u, op);
		}
		u->leased = at;
		op->fn(op, (struct io_done){ .more = true,
		                             .data = bytes_of(at, (size_t)c->res),
		                             .lease = { at } });
	} else if (c->res == -ENOBUFS) {
		op_park(&u->starved, op);
	} else if (c->res == -EINTR || c->res == -EAGAIN) {
		tcp_arm(u, op);
	} else {
		op_finish(u, op,
		          (struct io_done){ .end = c->res == 0,
		                            .err = c->res == 0 ? ERR_OK : err_of(c->res) });
	}
}

/* --- Send --------------------------------------------------------------------------------- */

static void send_arm(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe = uring_sqe(u);
	int fd = sock_at(u, (uint32_t)op->socket)->fd;

	/* MSG_WAITALL: the kernel goes on after a short write by itself, where it can. */
	io_uring_prep_send(sqe, fd, op->at, op->len, MSG_NOSIGNAL | MSG_WAITALL);
	io_uring_sqe_set_data64(sqe, tagged(op, TAG_OP));
}

void uring_send(struct io *io, struct io_op *op, struct io_socket n, struct bytes b)
{
	struct uring *u = uring_of(io);

	assert(b.len > 0 && b.len <= IO_SEND_MAX_LEN);
	op_begin(u, op, OP_SEND, sock_of(u, n));
	op->at = b.at;
	op->len = b.len;
	send_arm(u, op);
}

void send_done(struct uring *u, struct io_op *op, const struct completion *c)
{
	if (op_unwanted(op)) {
		op_finish(u, op, (struct io_done){ .err = ERR_STOPPING });
	} else if (c->res == -EINTR || c->res == -EAGAIN) {
		send_arm(u, op);
	} else if (c->res < 0) {
		op_finish(u, op, (struct io_done){ .err = err_of(c->res) });
	} else {
		assert((size_t)c->res <= op->len);
		op->at += c->res;
		op->len -= (size_t)c->res;
		if (op->len > 0) {
			send_arm(u, op);
		} else {
			op_finish(u, op, (struct io_done){ .err = ERR_OK });
		}
	}
}
