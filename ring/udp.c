/* SPDX-License-Identifier: MIT
 *
 * ring/udp.c — datagrams.
 *
 * A socket bound to no address (a wildcard) learns from the kernel to which address each datagram
 * was sent, and says from which one to answer: a resolver drops answers from any other. */
#include "ring/uring_p.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"

static_assert(CMSG_SPACE(sizeof(struct in6_pktinfo)) <= UDP_CONTROL_LEN, "pktinfo fits");
static_assert(CMSG_SPACE(sizeof(struct in_pktinfo)) <= UDP_CONTROL_LEN, "pktinfo fits");
static_assert(sizeof(struct sockaddr_in6) <= UDP_NAME_LEN, "an address fits");
static_assert((sizeof(struct io_uring_recvmsg_out) + UDP_NAME_LEN) % _Alignof(struct cmsghdr) == 0,
              "control data is aligned");
static_assert(sizeof(struct datagram) % (TAG_MASK + 1) == 0, "room for the tag");

void datagrams_init(struct uring *u, unsigned count)
{
	assert(count > 0 && count <= UINT16_MAX);
	u->datagrams = mem_new(count * sizeof(*u->datagrams));
	u->datagram_free = mem_new(count * sizeof(*u->datagram_free));
	u->datagram_count = count;
	u->datagram_free_count = count;
	for (unsigned i = 0; i < count; i++) {
		u->datagram_free[i] = (uint16_t)(count - 1 - i);
	}
	u->udp_bound = (struct msghdr){ .msg_namelen = UDP_NAME_LEN };
	u->udp_any = u->udp_bound;
	u->udp_any.msg_controllen = UDP_CONTROL_LEN;
}

void datagrams_fini(struct uring *u)
{
	free(u->datagrams);
	free(u->datagram_free);
}

/* --- Receive ------------------------------------------------------------------------------ */

static struct msghdr *recv_form(struct uring *u, const struct sock *s)
{
	return s->any ? &u->udp_any : &u->udp_bound;
}

void udp_arm(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe = uring_sqe(u);
	const struct sock *s = sock_at(u, (uint32_t)op->socket);

	io_uring_prep_recvmsg_multishot(sqe, s->fd, recv_form(u, s), 0);
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = GROUP_DATAGRAM;
	io_uring_sqe_set_data64(sqe, tagged(op, TAG_OP));
}

void uring_udp_recv(struct io *io, struct io_op *op, struct io_socket n)
{
	struct uring *u = uring_of(io);

	op_begin(u, op, OP_UDP_RECV, sock_of(u, n));
	udp_arm(u, op);
}

/* Reads the destination out of the control data. */
static void read_pktinfo(struct io_uring_recvmsg_out *o, struct msghdr *form, struct addr *local)
{
	struct cmsghdr *c = io_uring_recvmsg_cmsg_firsthdr(o, form);

	for (; c != NULL; c = io_uring_recvmsg_cmsg_nexthdr(o, form, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			/* ipi_spec_dst is what an answer may come from, for broadcasts as well. */
			memcpy(local->ip, &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;
			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(local->ip, &info.ipi6_addr, sizeof(info.ipi6_addr));
		}
	}
}

/* Turns a filled buffer into a completion; false if nobody wants to hear of it. */
static bool datagram_read(struct uring *u, const struct sock *s, struct bytes b,
                          struct io_done *done)
{
	struct msghdr *form = recv_form(u, s);
	struct io_uring_recvmsg_out *o =
		io_uring_recvmsg_validate((void *)(uintptr_t)b.at, (int)b.len, form);
	size_t len;

	if (o == NULL) {
		return false;
	}
	len = io_uring_recvmsg_payload_length(o, (int)b.len, form);
	if ((o->flags & MSG_TRUNC) != 0 || len > IO_DATAGRAM_MAX_LEN) {
		u->info.datagrams_long++;
		return false;
	}
	if (addr_from_sockaddr(io_uring_recvmsg_name(o), o->namelen, &done->peer) != ERR_OK) {
		return false;
	}
	done->local = s->bound;
	if (s->any) {
		read_pktinfo(o, form, &done->local);
	}
	done->data = bytes_of(io_uring_recvmsg_payload(o, form), len);
	return true;
}

/* The kernel has given up on a receive: arms it again, now or later, unless that is of no use. */
static void udp_recv_again(struct uring *u, struct io_op *op, int res)
{
	if (op_unwanted(op) || res == -ECANCELED) {
		op_finish(u, op, (struct io_done){ .err = ERR_STOPPING });
	} else if (res == -EBADF || res == -EINVAL) {
		op_finish(u, op, (struct io_done){ .err = err_from_errno(-res) });
	} else if (res == -ENOBUFS) {
		op_park(&u->starved, op);
	} else if (res >= 0 || res == -EINTR || res == -EAGAIN) {
		udp_arm(u, op);
	} else {
		op_pause(u, op);
	}
}

void udp_recv_done(struct uring *u, struct io_op *op, const struct completion *c)
{
	struct buffers *b = &u->buffers[GROUP_DATAGRAM];
	const struct sock *s = sock_at(u, (uint32_t)op->socket);
	bool armed = (c->flags & IORING_CQE_F_MORE) != 0;
	uint8_t *at = (c->flags & IORING_CQE_F_BUFFER) != 0 ? buffers_at(b, c->flags) : NULL;
	struct io_done done = { .more = true, .lease = { at } };
	bool read = false;

	if (c->res >= 0 && at != NULL && !op_unwanted(op)) {
		read = datagram_read(u, s, bytes_of(at, (size_t)c->res), &done);
	}
	if (at != NULL && !read) {
		buffers_give(b, at);
	}
	if (!armed) {
		udp_recv_again(u, op, c->res);
	}
	if (read) {
		u->leased = at;
		op->fn(op, done);
	}
}

/* --- Send --------------------------------------------------------------------------------- */

/* Says from which address the datagram goes out. */
static void write_pktinfo(struct datagram *d, const struct addr *from)
{
	struct cmsghdr *c = (struct cmsghdr *)d->control;

	memset(d->control, 0, sizeof(d->control));
	d->msg.msg_control = d->control;
	if (from->family == 4) {
		struct in_pktinfo info = { 0 };
		memcpy(&info.ipi_spec_dst, from->ip, sizeof(info.ipi_spec_dst));
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		d->msg.msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { 0 };
		memcpy(&info.ipi6_addr, from->ip, sizeof(info.ipi6_addr));
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		d->msg.msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

enum err uring_udp_send(struct io *io, struct io_socket n, const struct addr *to,
                        const struct addr *from, struct bytes b)
{
	struct uring *u = uring_of(io);
	const struct sock *s = sock_of(u, n);
	struct io_uring_sqe *sqe;
	struct datagram *d;

	assert(b.len <= IO_DATAGRAM_MAX_LEN);
	if (to->family != s->bound.family) {
		return ERR_PEER_UNREACHABLE;
	}
	if (u->datagram_free_count == 0) {
		u->info.datagrams_busy++;
		return ERR_BUSY;
	}
	d = &u->datagrams[u->datagram_free[--u->datagram_free_count]];
	if (b.len > 0) {
		memcpy(d->data, b.at, b.len);
	}
	d->iov = (struct iovec){ d->data, b.len };
	d->msg = (struct msghdr){ .msg_name = &d->to, .msg_iov = &d->iov, .msg_iovlen = 1 };
	d->msg.msg_namelen = addr_to_sockaddr(to, &d->to);
	if (s->any && from != NULL && from->family == to->family && !addr_is_any(from)) {
		write_pktinfo(d, from);
	}
	sqe = uring_sqe(u);
	io_uring_prep_sendmsg(sqe, s->fd, &d->msg, MSG_NOSIGNAL);
	io_uring_sqe_set_data64(sqe, tagged(d, TAG_DATAGRAM));
	return ERR_OK;
}

void datagram_done(struct uring *u, struct datagram *d, int res)
{
	size_t n = (size_t)(d - u->datagrams);

	assert(n < u->datagram_count);
	assert(u->datagram_free_count < u->datagram_count);
	u->datagram_free[u->datagram_free_count++] = (uint16_t)n;
	if (res < 0) {
		u->info.datagrams_error++;
	}
}
