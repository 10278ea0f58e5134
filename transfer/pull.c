/* SPDX-License-Identifier: MIT
 *
 * transfer/pull.c — a session on the network: its request, its deadline, its commit. */
#include "transfer/pull_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "transfer/transfer_p.h"
#include "zonestore/zonemd.h"

static_assert(REQUEST_MAX_LEN == SESSION_REQUEST_MAX_LEN, "a connection sends what sessions make");

static struct session_clock clock_now(const struct pull *p)
{
	return (struct session_clock){ io_now_ns(p->io), env_wall_s(p->io->env) };
}

static enum err on_compose(struct request *r, uint8_t *at, struct bytes *out)
{
	struct pull *p = container_of(r, struct pull, request);

	p->session.options.id = r->id;
	TRY(session_request(&p->session, clock_now(p), at, out));
	io_timer_set(p->io, &p->timer, session_deadline_ns(&p->session));
	return ERR_OK;
}

static bool on_fits(const struct request *r, struct bytes message)
{
	return session_fits(&container_of(r, struct pull, request)->session, message);
}

static enum request_next on_message(struct request *r, struct bytes message)
{
	struct pull *p = container_of(r, struct pull, request);

	transfer_count(&p->t->counts.bytes_in, message.len);
	switch (session_message(&p->session, message, clock_now(p), &p->t->scratch)) {
	case SESSION_READY:
	case SESSION_ASKED:
	case SESSION_RECEIVING:
		return REQUEST_MORE;
	case SESSION_DONE:
	case SESSION_CURRENT:
	case SESSION_FAILED:
	case SESSION_STATES:
		break;
	}
	return p->session.in_step ? REQUEST_OVER : REQUEST_BROKEN;
}

static void pull_ended(struct pull *p)
{
	io_timer_clear(p->io, &p->timer);
	p->ended_ns = io_now_ns(p->io);
	p->done(p);
}

static void on_done(struct request *r, enum err e)
{
	struct pull *p = container_of(r, struct pull, request);

	if (e != ERR_OK) {
		session_fail(&p->session, e);
	}
	pull_ended(p);
}

static const struct request_ops ops = { on_compose, on_fits, on_message, on_done };

/* The timer is not moved with every receive: it looks when it fires. */
static void on_timer(struct io_timer *timer)
{
	struct pull *p = container_of(timer, struct pull, timer);
	uint64_t now = io_now_ns(p->io), heard_ns = request_heard_ns(&p->request);
	uint64_t until = 0;

	if (heard_ns > p->session.progress_ns) {
		session_touch(&p->session, heard_ns);
	}
	if (request_waits(&p->request)) {
		until = p->request.queued_ns + PULL_WAIT_S * NS_PER_S;
		if (now >= until) {
			session_fail(&p->session, ERR_BUSY); /* for no fault of the primary's */
		}
	} else if (p->request.sent_ns == 0) {
		until = now + CONN_CONNECT_S * NS_PER_S; /* the connection has a deadline */
	} else if (session_late(&p->session, now) != SESSION_FAILED) {
		until = session_deadline_ns(&p->session);
	}
	if (p->session.state != SESSION_FAILED) {
		io_timer_set(p->io, timer, until);
		return;
	}
	conn_abandon(&p->request);
	pull_ended(p);
}

struct pull *pull_new(struct transfer *t, const struct session_options *options,
                      void (*done)(struct pull *p), struct refresh *owner)
{
	struct pull *p = mem_zero(1, sizeof(*p));

	p->t = t;
	p->io = t->io;
	p->owner = owner;
	p->done = done;
	p->timer.fn = on_timer;
	p->request.ops = &ops;
	session_init(&p->session, options);
	return p;
}

void pull_begin(struct pull *p, struct primary *primary, bool urgent)
{
	io_timer_set(p->io, &p->timer, io_now_ns(p->io) + PULL_WAIT_S * NS_PER_S); /* until sent */
	p->request.urgent = urgent;
	conn_request(primary, &p->request);
}

void pull_free(struct pull *p)
{
	if (p == NULL) {
		return;
	}
	conn_abandon(&p->request);
	io_timer_clear(p->io, &p->timer);
	session_fini(&p->session);
	zonemd_check_free(p->check);
	snapshot_unref(p->snap);
	free(p);
}
