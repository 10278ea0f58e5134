/* SPDX-License-Identifier: MIT
 *
 * ring/uring.c — the ring and its turn.
 *
 * DEFER_TASKRUN leaves completion work to the moment at which we enter the kernel, so every turn
 * enters it exactly once: with what the last turn queued, to wait where there is nothing to do, or
 * just to look. Times to wait are given with the call, so that setting a timer costs no entry of
 * the queue. */
#include "ring/uring_p.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "ring/refusal_p.h"

#define ENTRIES_DEFAULT    2048U
#define ENTRIES_MIN        64U
#define COMPLETIONS_FACTOR 4U /* a multishot operation completes more than once */
#define BUFFERS_DEFAULT    128U
#define BUFFERS_MIN        8U
#define BUFFER_DEFAULT_LEN (16U * 1024)
#define DATAGRAMS_DEFAULT  512U
#define ARRIVALS_DEFAULT   128U /* more wait in the socket */
#define SUBMIT_TRIES_MAX   1000

/* The ring that runs on this thread: mails are sent from ring to ring where both ends have one. A
 * fact of the thread, not a state of the program. */
static struct uring **running_here(void)
{
	static _Thread_local struct uring *running;

	return &running;
}

/* --- Operations --------------------------------------------------------------------------- */

struct io_uring_sqe *uring_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	for (int i = 0; sqe == NULL; i++) {
		/* Full: the rest of this turn's work goes with a second call. */
		int res = io_uring_submit(&u->ring);
		assert(res >= 0 || res == -EINTR || res == -EAGAIN || res == -EBUSY);
		assert(i < SUBMIT_TRIES_MAX); /* the kernel is out of memory for good */
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

static void list_append(struct op_list *list, struct io_op *op)
{
	op->next = NULL;
	if (list->first == NULL) {
		list->first = op;
	} else {
		list->last->next = op;
	}
	list->last = op;
}

static struct op_list list_take(struct op_list *list)
{
	struct op_list taken = *list;

	*list = (struct op_list){ 0 };
	return taken;
}

void op_begin(struct uring *u, struct io_op *op, enum op_kind kind, struct sock *s)
{
	bool outward = kind == OP_CONNECT || kind == OP_SEND;
	struct io_op **place = outward ? &s->out : &s->in;

	assert(op->fn != NULL);
	assert(!op->waiting);   /* an op waits for one thing at a time */
	assert(*place == NULL); /* and a socket has one op in each direction */
	*place = op;
	op->waiting = true;
	op->kind = (uint8_t)kind;
	op->socket = (int32_t)s->index;
	op->next = NULL;
	u->ops_waiting++;
}

void op_finish(struct uring *u, struct io_op *op, struct io_done done)
{
	struct sock *s = op->socket < 0 ? NULL : sock_at(u, (uint32_t)op->socket);

	assert(op->waiting);
	assert(u->ops_waiting > 0);
	op->waiting = false;
	u->ops_waiting--;
	if (s != NULL) {
		if (s->in == op) {
			s->in = NULL;
		} else {
			assert(s->out == op);
			s->out = NULL;
		}
		sock_settle(u, s);
	}
	if (op_kind_of(op) != OP_CONNECT || done.err != ERR_OK) {
		done.socket = IO_SOCKET_NONE;
	}
	done.more = false;
	op->fn(op, done);
}

void op_park(struct op_list *list, struct io_op *op)
{
	assert((op->kind & OP_PARKED) == 0);
	op->kind |= OP_PARKED;
	list_append(list, op);
}

void op_fail_later(struct uring *u, struct io_op *op, enum err e)
{
	op->len = (size_t)e;
	op_park(&u->failed, op);
}

void op_pause(struct uring *u, struct io_op *op)
{
	u->info.pauses++;
	op_park(&u->paused, op);
	if (!io_timer_is_set(&u->pause)) {
		wheel_set(&u->wheel, &u->pause, u->now_ns + PAUSE_NS);
	}
}

void op_cancel(struct uring *u, struct io_op *op)
{
	struct io_uring_sqe *sqe;

	if (!op->waiting || op_unwanted(op)) {
		return;
	}
	op->kind |= OP_CANCELLED;
	if ((op->kind & OP_PARKED) != 0) {
		u->parked_cancelled = true;
		return;
	}
	sqe = uring_sqe(u);
	io_uring_prep_cancel64(sqe, tagged(op, TAG_OP), 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, TAG_NONE);
}

static void uring_give_back(struct io *io, struct io_lease lease)
{
	struct uring *u = uring_of(io);
	struct buffers *b = &u->buffers[GROUP_STREAM];

	if (lease.at == NULL) {
		return;
	}
	assert(lease.at == u->leased); /* once, in the handler that got it */
	u->leased = NULL;
	buffers_give(buffers_have(b, lease.at) ? b : &u->buffers[GROUP_DATAGRAM], lease.at);
}

static void uring_cancel(struct io *io, struct io_op *op)
{
	op_cancel(uring_of(io), op);
}

/* Ends the cancelled ones of a list; the others stay in their order. */
static void list_end_cancelled(struct uring *u, struct op_list *list)
{
	struct op_list all = list_take(list);

	while (all.first != NULL) {
		struct io_op *op = all.first;
		all.first = op->next;
		if (op_unwanted(op)) {
			op_finish(u, op, (struct io_done){ .err = ERR_STOPPING });
		} else {
			list_append(list, op);
		}
	}
}

static void run_failed(struct uring *u)
{
	struct op_list all = list_take(&u->failed);

	while (all.first != NULL) {
		struct io_op *op = all.first;
		enum err e = op_unwanted(op) ? ERR_STOPPING : (enum err)op->len;
		all.first = op->next;
		op_finish(u, op, (struct io_done){ .err = e });
	}
}

/* --- Turn --------------------------------------------------------------------------------- */

static void eventfd_arm(struct uring *u)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	io_uring_prep_read(sqe, u->eventfd, &u->eventfd_value, sizeof(u->eventfd_value), 0);
	io_uring_sqe_set_data64(sqe, TAG_EVENTFD);
}

static void op_done(struct uring *u, struct io_op *op, const struct completion *c)
{
	assert(op->waiting);
	assert((op->kind & OP_PARKED) == 0);
	switch (op_kind_of(op)) {
	case OP_ACCEPT:
		accept_done(u, op, c);
		break;
	case OP_CONNECT:
		connect_done(u, op, c);
		break;
	case OP_RECV:
		recv_done(u, op, c);
		break;
	case OP_SEND:
		send_done(u, op, c);
		break;
	case OP_UDP_RECV:
		udp_recv_done(u, op, c);
		break;
	}
}

static void eventfd_poke(struct uring *u)
{
	uint64_t one = 1;

	while (write(u->eventfd, &one, sizeof(one)) < 0 && errno == EINTR) {
	}
}

static void run_completion(struct uring *u, const struct completion *c)
{
	void *at = (void *)(uintptr_t)(c->user_data & ~(uint64_t)TAG_MASK);

	switch ((enum tag)(c->user_data & TAG_MASK)) {
	case TAG_OP:
		op_done(u, at, c);
		assert(u->leased == NULL); /* a handler returns what it got */
		break;
	case TAG_DATAGRAM:
		datagram_done(u, at, c->res);
		break;
	case TAG_POKE:
		eventfd_poke(at);
		break;
	case TAG_EVENTFD:
		eventfd_arm(u);
		break;
	case TAG_NONE:
	case TAG_POKED:
		break;
	}
}

/* Copies what the kernel completed out of its queue: handlers may submit, and the kernel needs the
 * room. */
static unsigned drain(struct uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	unsigned count = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		if (count == u->ready_max) {
			break;
		}
		u->ready[count++] = (struct completion){ cqe->user_data, cqe->res, cqe->flags };
	}
	io_uring_cq_advance(&u->ring, count);
	return count;
}

/* Takes a parked op up again. */
static void rearm(struct uring *u, struct io_op *op)
{
	op->kind &= (uint8_t)~OP_PARKED;
	if (op_unwanted(op)) {
		op_fail_later(u, op, ERR_STOPPING);
	} else if (op_kind_of(op) == OP_UDP_RECV) {
		udp_arm(u, op);
	} else {
		tcp_arm(u, op);
	}
}

static void on_pause_over(struct io_timer *timer)
{
	struct uring *u = container_of(timer, struct uring, pause);
	struct op_list all = list_take(&u->paused);

	while (all.first != NULL) {
		struct io_op *op = all.first;
		all.first = op->next;
		rearm(u, op);
	}
}

/* All buffers are back at the end of a turn, so the starved may try again: in their order, as many
 * as there are buffers. Whoever is left is no reason to sleep, since those armed may have nothing
 * to receive. */
static void rearm_starved(struct uring *u)
{
	unsigned budget = u->buffers[GROUP_STREAM].count;

	for (; u->starved.first != NULL && budget > 0; budget--) {
		struct io_op *op = u->starved.first;
		u->starved.first = op->next;
		u->info.starved++;
		rearm(u, op);
	}
}

static void clock_take(struct uring *u)
{
	u->now_ns = env_mono_ns(u->base);
}

static void run_turn(struct uring *u, bool timers)
{
	unsigned count = drain(u);

	u->info.turns++;
	u->info.completions += count;
	run_failed(u);
	for (unsigned i = 0; i < count; i++) {
		run_completion(u, &u->ready[i]);
	}
	if (u->parked_cancelled) {
		u->parked_cancelled = false;
		list_end_cancelled(u, &u->starved);
		list_end_cancelled(u, &u->paused);
	}
	mailbox_run(&u->mails);
	if (timers) {
		wheel_run(&u->wheel,
		          u->now_ns); /* last: what is to be done once a turn is a timer */
	}
	rearm_starved(u);
	if (u->io.hooks.turn_end != NULL) {
		u->io.hooks.turn_end(u->io.hooks.self);
	}
}

/* --- Waiting ------------------------------------------------------------------------------ */

static void enter_check(int res)
{
	/* A time-out is an end of waiting like any other, and so is a signal. EAGAIN and EBUSY are
	 * the kernel short of memory or of room for completions: what was not submitted stays. */
	assert(res >= 0 || res == -ETIME || res == -EINTR || res == -EAGAIN || res == -EBUSY);
}

static void enter_and_look(struct uring *u)
{
	enter_check(io_uring_submit_and_get_events(&u->ring));
}

static void enter_and_wait(struct uring *u, uint64_t until_ns)
{
	struct io_uring_cqe *cqe; /* may be NULL whatever is returned: drain() looks by itself */
	struct __kernel_timespec ts;
	uint64_t now;

	if (until_ns == WHEEL_NEVER_NS) {
		enter_check(io_uring_submit_and_wait(&u->ring, 1));
		return;
	}
	now = env_mono_ns(u->base);
	if (until_ns <= now) {
		enter_and_look(u);
		return;
	}
	ts.tv_sec = (int64_t)((until_ns - now) / NS_PER_S);
	ts.tv_nsec = (long long)((until_ns - now) % NS_PER_S);
	enter_check(io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL));
}

static bool has_work(const struct uring *u)
{
	return u->failed.first != NULL || u->starved.first != NULL || u->parked_cancelled ||
	       !mailbox_empty(&u->mails) || atomic_load(&u->stop);
}

static void enter(struct uring *u)
{
	uint64_t until_ns = wheel_next_ns(&u->wheel);
	struct io_hooks *hooks = &u->io.hooks;

	atomic_store(&u->asleep, true); /* before the mailbox is looked at: see mailbox_put() */
	if (until_ns == 0 || has_work(u)) {
		atomic_store_explicit(&u->asleep, false, memory_order_relaxed);
		enter_and_look(u);
	} else {
		u->info.sleeps++;
		if (hooks->sleep != NULL) {
			hooks->sleep(hooks->self);
		}
		enter_and_wait(u, until_ns);
		atomic_store_explicit(&u->asleep, false, memory_order_relaxed);
		if (hooks->wake != NULL) {
			hooks->wake(hooks->self);
		}
	}
	clock_take(u);
}

static void uring_run(struct io *io)
{
	struct uring *u = uring_of(io);
	struct uring **running = running_here();
	struct uring *before = *running;

	*running = u;
	clock_take(u);
	while (!atomic_load(&u->stop)) {
		enter(u);
		run_turn(u, true);
	}
	atomic_store(&u->stop, false);
	enter_and_look(u); /* others may wait for a wake-up that the last turn queued */
	*running = before;
}

/* Wakes the thread of `u` if it waits; one of several senders does it. */
static void uring_poke(struct uring *u)
{
	struct uring *here = *running_here();
	struct io_uring_sqe *sqe;

	if (here == u || !atomic_load(&u->asleep) || !atomic_exchange(&u->asleep, false)) {
		return;
	}
	if (here == NULL) {
		eventfd_poke(u);
		return;
	}
	sqe = uring_sqe(here);
	io_uring_prep_msg_ring(sqe, u->ring.ring_fd, 0, TAG_POKED, 0);
	io_uring_sqe_set_flags(sqe, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(sqe, tagged(u, TAG_POKE));
}

static void uring_stop(struct io *io)
{
	struct uring *u = uring_of(io);

	atomic_store(&u->stop, true);
	uring_poke(u);
}

static enum err uring_post(struct io *io, struct io_mail *mail, bool reply)
{
	struct uring *u = uring_of(io);

	assert(mail->fn != NULL);
	if (!mailbox_put(&u->mails, mail, reply)) {
		return ERR_BUSY;
	}
	uring_poke(u);
	return ERR_OK;
}

static void uring_timer_set(struct io *io, struct io_timer *t, uint64_t at_ns)
{
	wheel_set(&uring_of(io)->wheel, t, at_ns);
}

static void uring_timer_clear(struct io *io, struct io_timer *t)
{
	wheel_clear(&uring_of(io)->wheel, t);
}

/* --- Clock -------------------------------------------------------------------------------- */

static uint64_t turn_mono_ns(void *self)
{
	return ((struct uring *)self)->now_ns;
}

static int64_t turn_wall_s(void *self)
{
	struct uring *u = self;

	if (u->wall_turn != u->info.turns) {
		u->wall_turn = u->info.turns;
		u->wall_s = env_wall_s(u->base);
	}
	return u->wall_s;
}

static void turn_random(void *self, void *out, size_t len)
{
	struct uring *u = self;

	u->base->random(u->base->self, out, len);
}

/* --- Life --------------------------------------------------------------------------------- */

/* Ends everything that waits: each operation gets its ERR_STOPPING. */
static void drain_all(struct uring *u)
{
	enter_and_look(u);
	for (int i = 0; i < DRAIN_TURNS_MAX; i++) {
		for (uint32_t n = 0; n < u->sockets_made; n++) {
			struct sock *s = sock_at(u, n);
			if (s->fd >= 0 && !s->closing) {
				sock_shut(u, s);
			}
		}
		if (u->ops_waiting == 0 && !has_work(u)) {
			break;
		}
		enter_and_look(u);
		run_turn(u, false);
	}
	assert(u->ops_waiting == 0);
	enter_and_look(u); /* the last closes */
}

static void uring_fini(struct uring *u)
{
	if (u->ready != NULL) {
		io_uring_queue_exit(&u->ring);
	}
	for (int g = 0; g < GROUP_COUNT; g++) {
		buffers_fini(&u->buffers[g]);
	}
	sockets_fini(u);
	datagrams_fini(u);
	wheel_fini(&u->wheel);
	if (u->eventfd >= 0) {
		close(u->eventfd);
	}
	free(u->ready);
	free(u);
}

static void uring_free(struct io *io)
{
	struct uring *u;

	if (io == NULL) {
		return;
	}
	u = uring_of(io);
	atomic_store(&u->stop, false);
	drain_all(u);
	uring_fini(u);
}

static const struct io_ops uring_ops = {
	.listen = uring_listen,
	.accept = uring_accept,
	.connect = uring_connect,
	.recv = uring_recv,
	.send = uring_send,
	.udp_open = uring_udp_open,
	.udp_recv = uring_udp_recv,
	.udp_send = uring_udp_send,
	.give_back = uring_give_back,
	.cancel = uring_cancel,
	.close = uring_close,
	.timer_set = uring_timer_set,
	.timer_clear = uring_timer_clear,
	.post = uring_post,
	.run = uring_run,
	.stop = uring_stop,
	.free = uring_free,
};

/* Makes the ring, smaller where lockable memory is short. Returns 0 or a negative errno. */
static int ring_init(struct uring *u, unsigned entries)
{
	struct io_uring_params p;
	int res;

	for (;; entries /= 2) {
		p = (struct io_uring_params){
			.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			         IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = entries * COMPLETIONS_FACTOR,
		};
		res = io_uring_queue_init_params(entries, &u->ring, &p);
		if (res != -ENOMEM || entries / 2 < ENTRIES_MIN) {
			break;
		}
		u->info.reduced = true;
	}
	if (res < 0) {
		return res;
	}
	u->ready_max = p.cq_entries;
	u->ready = mem_new(p.cq_entries * sizeof(*u->ready));
	u->info.entries = p.sq_entries;
	/* Saves the look-up of the descriptor on every entry; not to have it does no harm. */
	(void)io_uring_register_ring_fd(&u->ring);
	return 0;
}

/* Goes once through submission and completion, which a filter may forbid on its own. */
static int ring_try(struct uring *u)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
	int res;

	assert(sqe != NULL);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data64(sqe, TAG_NONE);
	res = io_uring_submit_and_wait(&u->ring, 1);
	if (res < 0) {
		return res;
	}
	res = io_uring_peek_cqe(&u->ring, &cqe);
	if (res == 0) {
		io_uring_cqe_seen(&u->ring, cqe);
	}
	return res;
}

static int buffers_fit(struct uring *u, enum buffer_group group, unsigned count, unsigned len)
{
	struct buffers *b = &u->buffers[group];
	int res;

	b->group = (uint16_t)group;
	res = buffers_init(b, &u->ring, count, len);

	while (res == -ENOMEM && count / 2 >= BUFFERS_MIN) {
		count /= 2;
		u->info.reduced = true;
		res = buffers_init(b, &u->ring, count, len);
	}
	return res;
}

static unsigned or_default(unsigned v, unsigned otherwise)
{
	return v == 0 ? otherwise : v;
}

static int uring_init(struct uring *u, const struct uring_options *o)
{
	unsigned datagrams = or_default(o->datagrams, DATAGRAMS_DEFAULT);
	int res = ring_init(u, or_default(o->entries, ENTRIES_DEFAULT));

	if (res == 0) {
		res = ring_try(u);
	}
	if (res == 0) {
		res = buffers_fit(u, GROUP_STREAM, or_default(o->buffers, BUFFERS_DEFAULT),
		                  or_default(o->buffer_len, BUFFER_DEFAULT_LEN));
	}
	if (res == 0) {
		res = buffers_fit(u, GROUP_DATAGRAM, or_default(o->datagrams, ARRIVALS_DEFAULT),
		                  sizeof(struct io_uring_recvmsg_out) + UDP_NAME_LEN +
		                          UDP_CONTROL_LEN + IO_DATAGRAM_MAX_LEN);
	}
	if (res < 0) {
		return res;
	}
	u->info.buffers = u->buffers[GROUP_STREAM].count;
	u->info.datagrams = u->buffers[GROUP_DATAGRAM].count;
	datagrams_init(u, datagrams);
	u->eventfd = eventfd(0, EFD_CLOEXEC);
	if (u->eventfd < 0) {
		return -errno;
	}
	eventfd_arm(u);
	return 0;
}

enum err uring_new(const struct uring_options *options, struct io **out, char *why, size_t why_cap)
{
	struct uring *u = mem_zero(1, sizeof(*u));
	int res;

	assert(options->env != NULL);
	u->io = (struct io){ &uring_ops, &u->env, options->hooks };
	u->env = (struct env){ u, turn_mono_ns, turn_wall_s, turn_random };
	u->base = options->env;
	u->wall_turn = UINT64_MAX;
	u->eventfd = -1;
	u->socket_free = SOCKET_NO_INDEX;
	u->mails.max = or_default(options->mails_max, IO_MAILS_MAX);
	u->pause.fn = on_pause_over;
	clock_take(u);
	wheel_init(&u->wheel, u->now_ns);
	res = uring_init(u, options);
	if (res < 0) {
		uring_fini(u);
		return refusal_now(-res, why, why_cap);
	}
	*out = &u->io;
	return ERR_OK;
}

enum err uring_probe(char *why, size_t why_cap)
{
	const struct uring_options small = {
		.env = env_system(),
		.entries = ENTRIES_MIN,
		.buffers = BUFFERS_MIN,
		.buffer_len = 1024,
		.datagrams = BUFFERS_MIN,
	};
	struct io *io;

	TRY(uring_new(&small, &io, why, why_cap));
	io_free(io);
	return ERR_OK;
}

struct uring_info uring_info(const struct io *io)
{
	return uring_of(io)->info;
}
