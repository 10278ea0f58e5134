/* SPDX-License-Identifier: MIT
 *
 * ring/sim_node.c — the nodes of the simulator: turns, sockets, timers, mails. */
#include "ring/sim_p.h"

#include <stdlib.h>

#include "base/arena.h"

/* --- Operations and their completions ------------------------------------------------------- */

void sim_op_begin(struct sim_sock *s, struct io_op *op, enum sim_op_kind kind)
{
	bool outward = kind == SIM_CONNECT || kind == SIM_SEND;
	struct io_op **place = outward ? &s->out : &s->in;

	assert(op->fn != NULL);
	assert(!op->waiting);   /* an op waits for one thing at a time */
	assert(*place == NULL); /* and a socket has one op in each direction */
	*place = op;
	op->waiting = true;
	op->kind = (uint8_t)kind;
	op->extra = s;
	s->node->ops_waiting++;
}

bool sim_op_wants(const struct io_op *op)
{
	return op != NULL && (op->kind & (SIM_FINAL | SIM_CANCELLED)) == 0;
}

void sim_op_complete(struct sim_node *node, struct io_op *op, struct io_done done)
{
	struct sim_completion *c = mem_zero(1, sizeof(*c));

	assert(op->waiting);
	assert((op->kind & SIM_FINAL) == 0);
	if (!done.more) {
		op->kind |= SIM_FINAL;
	}
	*c = (struct sim_completion){ NULL, op, done };
	if (node->first == NULL) {
		node->first = c;
	} else {
		node->last->next = c;
	}
	node->last = c;
}

static void op_cancel(struct sim_node *node, struct io_op *op)
{
	if (!op->waiting || (op->kind & SIM_CANCELLED) != 0) {
		return;
	}
	op->kind |= SIM_CANCELLED;
	if ((op->kind & SIM_FINAL) == 0) {
		sim_op_complete(node, op, (struct io_done){ .err = ERR_STOPPING });
	}
}

static void sock_settle(struct sim_sock *s);

static void op_finish(struct sim_node *node, struct io_op *op, struct io_done done)
{
	struct sim_sock *s = op->extra;
	bool connecting = (op->kind & SIM_KIND_MASK) == SIM_CONNECT;

	assert(op->waiting && node->ops_waiting > 0);
	op->waiting = false;
	node->ops_waiting--;
	if (s->in == op) {
		s->in = NULL;
	} else {
		assert(s->out == op);
		s->out = NULL;
	}
	op->extra = NULL;
	if (connecting && done.err != ERR_OK && !s->closing) {
		sim_sock_shut(s); /* nobody has heard of this socket */
	} else {
		sock_settle(s);
	}
	if (!connecting || done.err != ERR_OK) {
		done.socket = IO_SOCKET_NONE;
	}
	op->fn(op, done);
}

/* What a cancelled operation had got is undone. */
static void completion_undo(struct sim_node *node, uint8_t kind, const struct io_done *done)
{
	bool made = (kind == SIM_ACCEPT && done->more) || (kind == SIM_CONNECT && !done->err);

	io_return(&node->io, done->lease);
	if (made) {
		sim_sock_shut(sim_sock_of(node, done->socket));
	}
}

static void completion_run(struct sim_node *node, struct sim_completion *c)
{
	bool cancelled = (c->op->kind & SIM_CANCELLED) != 0;

	sim_note(node->sim, c->done.err);
	sim_note(node->sim, c->done.data.len);
	node->leased = c->done.lease.at;
	if (cancelled) {
		completion_undo(node, c->op->kind & SIM_KIND_MASK, &c->done);
		if (!c->done.more) {
			op_finish(node, c->op, (struct io_done){ .err = ERR_STOPPING });
		}
	} else if (c->done.more) {
		c->op->fn(c->op, c->done);
	} else {
		op_finish(node, c->op, c->done);
	}
	assert(node->leased == NULL); /* a handler returns what it got */
	free(c);
}

struct io_lease sim_lease_new(struct sim_node *node, struct bytes b, struct bytes *data)
{
	struct sim_lease *lease = mem_new(sizeof(*lease) + b.len);

	lease->node = node;
	lease->len = b.len;
	if (b.len > 0) {
		memcpy(lease->data, b.at, b.len);
	}
	*data = bytes_of(lease->data, b.len);
	return (struct io_lease){ lease };
}

static void node_give_back(struct io *io, struct io_lease given)
{
	struct sim_node *node = sim_node_of(io);
	struct sim_lease *lease = given.at;

	if (lease == NULL) {
		return;
	}
	assert(lease->node == node);
	assert(lease == node->leased); /* once, in the handler that got it */
	node->leased = NULL;
	free(lease);
}

static void node_cancel(struct io *io, struct io_op *op)
{
	op_cancel(sim_node_of(io), op);
}

/* --- Sockets -------------------------------------------------------------------------------- */

struct sim_sock *sim_sock_new(struct sim_node *node, enum sim_sock_kind kind)
{
	struct sim_sock *s = mem_zero(1, sizeof(*s));
	uint32_t i = 0;

	while (i < node->sock_cap && node->socks[i] != NULL) {
		i++;
	}
	if (i == node->sock_cap) {
		uint32_t cap = node->sock_cap + 64;
		assert(cap <= SIM_SOCKETS_MAX);
		node->socks = mem_grow(node->socks, cap * sizeof(*node->socks));
		node->uses = mem_grow(node->uses, cap * sizeof(*node->uses));
		memset(node->socks + node->sock_cap, 0, 64 * sizeof(*node->socks));
		memset(node->uses + node->sock_cap, 0, 64 * sizeof(*node->uses));
		node->sock_cap = cap;
	}
	*s = (struct sim_sock){ .node = node, .kind = kind, .index = i };
	node->socks[i] = s;
	return s;
}

struct io_socket sim_sock_number(const struct sim_sock *s)
{
	uint32_t use = s->node->uses[s->index];

	return (struct io_socket){ (int32_t)(use << SIM_SOCKET_INDEX_BITS | s->index) };
}

struct sim_sock *sim_sock_of(const struct sim_node *node, struct io_socket n)
{
	uint32_t i = (uint32_t)n.n & (SIM_SOCKETS_MAX - 1);

	assert(n.n >= 0 && i < node->sock_cap);
	assert(node->socks[i] != NULL); /* not closed before */
	assert(sim_sock_number(node->socks[i]).n == n.n && !node->socks[i]->closing);
	return node->socks[i];
}

static void sock_settle(struct sim_sock *s)
{
	struct sim_node *node = s->node;

	if (!s->closing || s->in != NULL || s->out != NULL) {
		return;
	}
	node->socks[s->index] = NULL;
	node->uses[s->index] = (uint16_t)((node->uses[s->index] + 1) % SIM_SOCKET_USES_MAX);
	free(s);
}

void sim_sock_shut(struct sim_sock *s)
{
	assert(!s->closing);
	s->closing = true;
	switch (s->kind) {
	case SIM_SOCK_LISTENER:
		sim_listener_close(s);
		break;
	case SIM_SOCK_STREAM:
		sim_end_close(s->end);
		break;
	case SIM_SOCK_DATAGRAM:
		sim_udp_close(s);
		break;
	}
	if (s->in != NULL) {
		op_cancel(s->node, s->in);
	}
	if (s->out != NULL) {
		op_cancel(s->node, s->out);
	}
	sock_settle(s);
}

size_t sim_sockets(const struct io *io)
{
	const struct sim_node *node = sim_node_of(io);
	size_t count = 0;

	for (uint32_t i = 0; i < node->sock_cap; i++) {
		count += node->socks[i] != NULL;
	}
	return count;
}

size_t sim_connections(const struct io *io, const struct addr *to)
{
	const struct sim_node *node = sim_node_of(io);
	size_t count = 0;

	for (uint32_t i = 0; i < node->sock_cap; i++) {
		const struct sim_sock *s = node->socks[i];
		bool given_up = s != NULL && s->out != NULL && (s->out->kind & SIM_CANCELLED) != 0;

		count += s != NULL && s->kind == SIM_SOCK_STREAM && !s->closing && !given_up &&
		         s->end == &s->end->conn->ends[0] &&
		         addr_same_ip(&s->end->conn->ends[1].addr, to);
	}
	return count;
}

static void node_close(struct io *io, struct io_socket n)
{
	sim_sock_shut(sim_sock_of(sim_node_of(io), n));
}

/* --- Turns ---------------------------------------------------------------------------------- */

bool sim_node_ready(const struct sim_node *node)
{
	return node->first != NULL || !mailbox_empty(&node->mails) ||
	       wheel_next_ns(&node->wheel) <= node->sim->clock.now_ns;
}

void sim_node_turn(struct sim_node *node, bool timers)
{
	struct sim_completion *c = node->first;
	struct io_hooks *hooks = &node->io.hooks;

	if (node->asleep && hooks->wake != NULL) {
		hooks->wake(hooks->self);
	}
	node->asleep = false;
	node->first = NULL;
	node->last = NULL;
	while (c != NULL) {
		struct sim_completion *next = c->next;
		completion_run(node, c);
		c = next;
	}
	mailbox_run(&node->mails);
	if (timers) {
		wheel_run(&node->wheel, node->sim->clock.now_ns); /* last, as in uring.c */
	}
	if (hooks->turn_end != NULL) {
		hooks->turn_end(hooks->self);
	}
	if (!sim_node_ready(node)) {
		node->asleep = true;
		if (hooks->sleep != NULL) {
			hooks->sleep(hooks->self);
		}
	}
}

static void node_run(struct io *io)
{
	struct sim_node *node = sim_node_of(io);

	while (!node->stop && sim_step(node->sim)) {
	}
	node->stop = false;
}

static void node_stop(struct io *io)
{
	sim_node_of(io)->stop = true;
}

static enum err node_post(struct io *io, struct io_mail *mail, bool reply)
{
	assert(mail->fn != NULL);
	return mailbox_put(&sim_node_of(io)->mails, mail, reply) ? ERR_OK : ERR_BUSY;
}

static void node_timer_set(struct io *io, struct io_timer *t, uint64_t at_ns)
{
	wheel_set(&sim_node_of(io)->wheel, t, at_ns);
}

static void node_timer_clear(struct io *io, struct io_timer *t)
{
	wheel_clear(&sim_node_of(io)->wheel, t);
}

/* --- Clock and addresses -------------------------------------------------------------------- */

static uint64_t node_mono_ns(void *self)
{
	return env_mono_ns(&((struct sim_node *)self)->sim->clock.env);
}

static int64_t node_wall_s(void *self)
{
	return env_wall_s(&((struct sim_node *)self)->sim->clock.env);
}

/* Dice of its own, so that what a node draws does not change what the network does. */
static void node_random(void *self, void *out, size_t len)
{
	struct env *dice = &((struct sim_node *)self)->dice.env;

	dice->random(dice->self, out, len);
}

bool sim_node_owns(const struct sim_node *node, const struct addr *a)
{
	for (size_t i = 0; i < node->addr_count; i++) {
		if (addr_same_ip(&node->addrs[i], a)) {
			return true;
		}
	}
	return false;
}

const struct addr *sim_node_addr(const struct sim_node *node, uint8_t family)
{
	for (size_t i = 0; i < node->addr_count; i++) {
		if (node->addrs[i].family == family) {
			return &node->addrs[i];
		}
	}
	return NULL;
}

/* --- Life ----------------------------------------------------------------------------------- */

static void node_remove(struct sim_node *node)
{
	struct sim *sim = node->sim;
	size_t i = 0;

	while (sim->nodes[i] != node) {
		i++;
		assert(i < sim->node_count);
	}
	sim->node_count--;
	memmove(&sim->nodes[i], &sim->nodes[i + 1], (sim->node_count - i) * sizeof(sim->nodes[0]));
}

void sim_node_free(struct io *io)
{
	struct sim_node *node;

	if (io == NULL) {
		return;
	}
	node = sim_node_of(io);
	do {
		for (uint32_t i = 0; i < node->sock_cap; i++) {
			if (node->socks[i] != NULL && !node->socks[i]->closing) {
				sim_sock_shut(node->socks[i]);
			}
		}
		sim_node_turn(node, false);
	} while (node->ops_waiting > 0 || node->first != NULL || !mailbox_empty(&node->mails));
	node_remove(node);
	wheel_fini(&node->wheel);
	free(node->addrs);
	free(node->socks);
	free(node->uses);
	free(node);
}

static const struct io_ops sim_ops = {
	.listen = sim_listen,
	.accept = sim_accept,
	.connect = sim_connect,
	.recv = sim_recv,
	.send = sim_send,
	.udp_open = sim_udp_open,
	.udp_recv = sim_udp_recv,
	.udp_send = sim_udp_send,
	.give_back = node_give_back,
	.cancel = node_cancel,
	.close = node_close,
	.timer_set = node_timer_set,
	.timer_clear = node_timer_clear,
	.post = node_post,
	.run = node_run,
	.stop = node_stop,
	.free = sim_node_free,
};

struct io *sim_node(struct sim *sim, const struct sim_node_options *options)
{
	struct sim_node *node = mem_zero(1, sizeof(*node));
	size_t addrs_len = options->addr_count * sizeof(*node->addrs);

	assert(options->addr_count > 0);
	assert(sim->node_count < SIM_NODES_MAX);
	node->io = (struct io){ &sim_ops, &node->env, options->hooks };
	node->env = (struct env){ node, node_mono_ns, node_wall_s, node_random };
	node->sim = sim;
	node->addrs = mem_new(addrs_len);
	memcpy(node->addrs, options->addrs, addrs_len);
	node->addr_count = options->addr_count;
	node->mails.max = options->mails_max == 0 ? IO_MAILS_MAX : options->mails_max;
	node->next_port = SIM_PORT_FIRST;
	env_fake_init(&node->dice, env_random_u64(&sim->clock.env));
	wheel_init(&node->wheel, sim->clock.now_ns);
	sim->nodes[sim->node_count++] = node;
	return &node->io;
}
