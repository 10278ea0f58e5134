/* SPDX-License-Identifier: MIT
 *
 * ring/sockets.c — the table of sockets, and those that are opened without waiting.
 *
 * A socket's number is the index of its slot and how often the slot was used before, so that a
 * number kept too long is noticed. Slots never move: the kernel reads addresses in them. */
#include "ring/uring_p.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"

#define UNSENT_MAX_BYTES (128 * 1024) /* in the kernel, of an accepted connection */

struct sock *sock_at(const struct uring *u, uint32_t index)
{
	assert(index < u->sockets_made);
	return &u->chunks[index / SOCKET_CHUNK][index % SOCKET_CHUNK];
}

struct io_socket sock_number(const struct sock *s)
{
	return (struct io_socket){ (int32_t)((uint32_t)s->use << SOCKET_INDEX_BITS | s->index) };
}

struct sock *sock_of(const struct uring *u, struct io_socket n)
{
	struct sock *s;

	assert(n.n >= 0);
	s = sock_at(u, (uint32_t)n.n & (SOCKETS_MAX - 1));
	assert(sock_number(s).n == n.n); /* not closed before */
	assert(s->fd >= 0 && !s->closing);
	return s;
}

static bool sockets_grow(struct uring *u)
{
	struct sock *chunk;

	if (u->sockets_made == SOCKETS_MAX) {
		return false;
	}
	chunk = mem_zero(SOCKET_CHUNK, sizeof(*chunk));
	u->chunks[u->sockets_made / SOCKET_CHUNK] = chunk;
	for (uint32_t i = SOCKET_CHUNK; i-- > 0;) {
		chunk[i].fd = -1;
		chunk[i].index = u->sockets_made + i;
		chunk[i].next_free = u->socket_free;
		u->socket_free = chunk[i].index;
	}
	u->sockets_made += SOCKET_CHUNK;
	return true;
}

struct sock *sock_new(struct uring *u, int fd)
{
	struct sock *s;

	assert(fd >= 0);
	if (u->socket_free == SOCKET_NO_INDEX && !sockets_grow(u)) {
		return NULL;
	}
	s = sock_at(u, u->socket_free);
	assert(s->fd < 0 && s->in == NULL && s->out == NULL);
	u->socket_free = s->next_free;
	s->fd = fd;
	s->closing = false;
	s->any = false;
	return s;
}

void sock_settle(struct uring *u, struct sock *s)
{
	struct io_uring_sqe *sqe;

	if (!s->closing || s->in != NULL || s->out != NULL) {
		return;
	}
	sqe = uring_sqe(u);
	io_uring_prep_close(sqe, s->fd);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, TAG_NONE);
	s->fd = -1;
	s->use = (uint16_t)((s->use + 1) % SOCKET_USES_MAX);
	s->next_free = u->socket_free;
	u->socket_free = s->index;
}

void sock_shut(struct uring *u, struct sock *s)
{
	assert(!s->closing);
	s->closing = true;
	if (s->in != NULL) {
		op_cancel(u, s->in);
	}
	if (s->out != NULL) {
		op_cancel(u, s->out);
	}
	sock_settle(u, s);
}

void uring_close(struct io *io, struct io_socket n)
{
	struct uring *u = uring_of(io);

	sock_shut(u, sock_of(u, n));
}

void sockets_fini(struct uring *u)
{
	for (uint32_t i = 0; i < u->sockets_made; i++) {
		struct sock *s = sock_at(u, i);
		if (s->fd >= 0) {
			close(s->fd);
		}
	}
	for (uint32_t i = 0; i < u->sockets_made / SOCKET_CHUNK; i++) {
		free(u->chunks[i]);
	}
}

static bool turn_on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one)) == 0;
}

/* Opens a socket bound to `at`, not shared between IPv4 and IPv6. Returns it or a negative errno.
 */
static int bound_socket(const struct addr *at, int type, bool shared)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(at, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);
	bool ok;
	int e;

	if (fd < 0) {
		return -errno;
	}
	ok = ss.ss_family != AF_INET6 || turn_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (type == SOCK_STREAM) {
		ok = ok && turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
	}
	if (shared) {
		ok = ok && turn_on(fd, SOL_SOCKET, SO_REUSEPORT);
	}
	if (ok && bind(fd, (const struct sockaddr *)&ss, len) == 0) {
		return fd;
	}
	e = errno;
	close(fd);
	return -e;
}

static enum err own_socket(struct uring *u, int fd, struct sock **out)
{
	struct sock *s = sock_new(u, fd);

	if (s == NULL) {
		close(fd);
		return ERR_BUSY;
	}
	*out = s;
	return ERR_OK;
}

enum err uring_probe_address(const struct addr *at, char *why, size_t why_cap)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		int fd = bound_socket(at, types[i], false);
		if (fd < 0) {
			snprintf(why, why_cap, "%s", strerror(-fd));
			return err_from_errno(-fd);
		}
		close(fd);
	}
	return ERR_OK;
}

enum err uring_listen(struct io *io, const struct addr *at, struct io_socket *out)
{
	int unsent = UNSENT_MAX_BYTES;
	struct sock *s;
	int fd;
	int e;

	assert(at->port != 0);
	fd = bound_socket(at, SOCK_STREAM, true);
	if (fd < 0) {
		return err_from_errno(-fd);
	}
	/* A client that takes little keeps that much of ours in the kernel, not the megabytes that
	 * buffers grow to; what is on its way does not count. Accepted sockets inherit this and
	 * TCP_NODELAY, which saves calls for each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	if (!turn_on(fd, IPPROTO_TCP, TCP_NODELAY) || listen(fd, IO_LISTEN_BACKLOG) != 0) {
		e = errno;
		close(fd);
		return err_from_errno(e);
	}
	TRY(own_socket(uring_of(io), fd, &s));
	*out = sock_number(s);
	return ERR_OK;
}

/* Settings of a UDP socket that are worth having and no reason to fail. */
static void udp_tune(int fd, uint8_t family)
{
	int bytes = UDP_SOCKET_BYTES;
	int omit = family == 4 ? IP_PMTUDISC_OMIT : IPV6_PMTUDISC_OMIT;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	/* Path MTUs told by forged ICMP messages would have answers fragmented, and poisoned. */
	if (family == 4) {
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &omit, sizeof(omit));
	} else {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &omit, sizeof(omit));
	}
}

/* Learns where the socket is bound, and asks for the destination of datagrams if that says little.
 */
static bool udp_learn(int fd, struct addr *bound, bool *any)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0 ||
	    addr_from_sockaddr((const struct sockaddr *)&ss, len, bound) != ERR_OK) {
		return false;
	}
	*any = addr_is_any(bound);
	if (!*any) {
		return true;
	}
	return bound->family == 4 ? turn_on(fd, IPPROTO_IP, IP_PKTINFO)
	                          : turn_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
}

enum err uring_udp_open(struct io *io, const struct addr *at, struct io_socket *out)
{
	int fd = bound_socket(at, SOCK_DGRAM, at->port != 0);
	struct addr bound;
	struct sock *s;
	bool any;

	if (fd < 0) {
		return err_from_errno(-fd);
	}
	if (!udp_learn(fd, &bound, &any)) {
		close(fd);
		return ERR_SYSTEM;
	}
	udp_tune(fd, at->family);
	TRY(own_socket(uring_of(io), fd, &s));
	s->bound = bound;
	s->any = any;
	*out = sock_number(s);
	return ERR_OK;
}
