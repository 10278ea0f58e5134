/* SPDX-License-Identifier: MIT
 *
 * ring/sim_udp.c — datagrams of the simulator: lost, late, twice, out of order. */
#include "ring/sim_p.h"

#include <stdlib.h>

#include "base/arena.h"

enum err sim_udp_open(struct io *io, const struct addr *at, struct io_socket *out)
{
	struct sim_node *node = sim_node_of(io);
	struct sim_sock *s;

	if (!addr_is_any(at) && !sim_node_owns(node, at)) {
		return ERR_PEER_UNREACHABLE;
	}
	s = sim_sock_new(node, SIM_SOCK_DATAGRAM);
	s->bound = *at;
	if (at->port == 0) {
		s->bound.port = node->next_port++;
		if (node->next_port == 0) {
			node->next_port = SIM_PORT_FIRST;
		}
	}
	*out = sim_sock_number(s);
	return ERR_OK;
}

static void udp_deliver(struct sim_sock *s, const struct sim_datagram *d)
{
	struct io_done done = { .more = true, .peer = d->from, .local = d->to };

	done.lease = sim_lease_new(s->node, bytes_of(d->data, d->len), &done.data);
	sim_op_complete(s->node, s->in, done);
}

static void udp_deliver_unread(struct sim_sock *s)
{
	while (s->unread != NULL && sim_op_wants(s->in)) {
		struct sim_datagram *d = s->unread;
		s->unread = d->next;
		s->unread_count--;
		udp_deliver(s, d);
		free(d);
	}
}

void sim_udp_recv(struct io *io, struct io_op *op, struct io_socket n)
{
	struct sim_sock *s = sim_sock_of(sim_node_of(io), n);

	assert(s->kind == SIM_SOCK_DATAGRAM);
	sim_op_begin(s, op, SIM_UDP_RECV);
	udp_deliver_unread(s);
}

static void udp_launch(struct sim *sim, const struct sim_link *link, const struct addr *from,
                       const struct addr *to, struct bytes b)
{
	struct sim_datagram *d = mem_new(sizeof(*d) + b.len);

	*d = (struct sim_datagram){ NULL, *from, *to, b.len };
	if (b.len > 0) {
		memcpy(d->data, b.at, b.len);
	}
	sim_after(sim, sim_delay(sim, link),
	          (struct sim_event){ .kind = SIM_EVENT_DATAGRAM, .datagram = d });
}

enum err sim_udp_send(struct io *io, struct io_socket n, const struct addr *to,
                      const struct addr *from, struct bytes b)
{
	struct sim_node *node = sim_node_of(io);
	struct sim_sock *s = sim_sock_of(node, n);
	struct addr source = s->bound;
	struct sim_link link;

	assert(s->kind == SIM_SOCK_DATAGRAM);
	assert(b.len <= IO_DATAGRAM_MAX_LEN);
	if (to->family != s->bound.family) {
		return ERR_PEER_UNREACHABLE;
	}
	if (addr_is_any(&source)) {
		const struct addr *own = sim_node_addr(node, to->family);
		if (from != NULL && !addr_is_any(from) && sim_node_owns(node, from)) {
			own = from;
		}
		if (own == NULL) {
			return ERR_PEER_UNREACHABLE;
		}
		source = *own;
		source.port = s->bound.port;
	}
	link = sim_link_between(node->sim, &source, to);
	if (link.cut || sim_chance(node->sim, link.loss_ppm)) {
		return ERR_OK; /* nobody learns of it */
	}
	udp_launch(node->sim, &link, &source, to, b);
	if (sim_chance(node->sim, link.duplicate_ppm)) {
		udp_launch(node->sim, &link, &source, to, b);
	}
	return ERR_OK;
}

void sim_udp_close(struct sim_sock *s)
{
	while (s->unread != NULL) {
		struct sim_datagram *d = s->unread;
		s->unread = d->next;
		free(d);
	}
}

void sim_udp_event(struct sim *sim, const struct sim_event *event)
{
	struct sim_datagram *d = event->datagram;
	struct sim_sock *s = sim_find(sim, SIM_SOCK_DATAGRAM, &d->to);
	struct sim_datagram **last;

	if (s == NULL || s->unread_count >= SIM_DATAGRAMS_MAX) {
		free(d);
		return;
	}
	d->next = NULL;
	last = &s->unread;
	while (*last != NULL) {
		last = &(*last)->next;
	}
	*last = d;
	s->unread_count++;
	udp_deliver_unread(s);
}
