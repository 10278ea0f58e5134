/* SPDX-License-Identifier: MIT
 *
 * bench/primary_conn.c — connections and datagrams, answered as the primary is told to behave.
 *
 * Requests become jobs as they are read. In order, only the oldest job of a connection writes;
 * out of order, any that is due, a message at a time. What cannot be written yet because of its
 * time makes the connection wait on a wheel of milliseconds. All connections write through one
 * buffer; a connection owns octets only while its socket takes no more. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/arena.h"
#include "bench/primary_p.h"

#define IN_BYTES     16384U
#define JOBS_MAX     4096U /* of one connection */
#define BATCHES_MAX  64U   /* buffers that a connection writes in a row */
#define CHOICES_MAX  16U   /* jobs from which the next message may come, out of order */
#define UDP_TURN_MAX 256U

struct conn {
	struct source source;
	struct conn *all_next; /* of all connections */
	struct conn *all_prev;
	struct conn *wheel_next; /* of those that wait for the same millisecond */
	struct conn *wheel_prev;
	int64_t wakes_ms; /* 0: does not wait */
	struct job *jobs; /* in the order of arrival */
	struct job *jobs_last;
	uint32_t job_count;
	uint32_t waits_for; /* epoll's events */
	bool ended;
	bool asked;    /* once, which is enough with --one-per-connection */
	uint8_t *rest; /* owned; what the socket did not take yet */
	size_t rest_at;
	size_t rest_len;
	size_t in_len;
	uint8_t in[IN_BYTES];
};

/* ---- the wheel ---- */

static void wheel_remove(struct primary *p, struct conn *c)
{
	struct conn **slot = &p->wheel[(uint64_t)c->wakes_ms % WHEEL_SLOTS];

	if (c->wakes_ms == 0) {
		return;
	}
	if (c->wheel_prev != NULL) {
		c->wheel_prev->wheel_next = c->wheel_next;
	} else {
		*slot = c->wheel_next;
	}
	if (c->wheel_next != NULL) {
		c->wheel_next->wheel_prev = c->wheel_prev;
	}
	c->wakes_ms = 0;
	p->waiting--;
}

static void wheel_add(struct primary *p, struct conn *c, int64_t due_ns)
{
	int64_t ms = (due_ns + NS_PER_MS - 1) / NS_PER_MS;
	struct conn **slot;

	ms = ms > p->wheel_ms ? ms : p->wheel_ms + 1;
	if (c->wakes_ms == ms) {
		return;
	}
	wheel_remove(p, c);
	slot = &p->wheel[(uint64_t)ms % WHEEL_SLOTS];
	c->wakes_ms = ms;
	c->wheel_prev = NULL;
	c->wheel_next = *slot;
	if (*slot != NULL) {
		(*slot)->wheel_prev = c;
	}
	*slot = c;
	p->waiting++;
}

/* ---- life ---- */

void conn_accept(struct primary *p, int fd)
{
	for (;;) {
		int on = 1;
		int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s < 0) {
			return;
		}
		p->counts.connections++;
		if (p->death == DEATH_CLOSE) {
			const struct linger hard = { 1, 0 };
			setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			close(s);
			continue;
		}
		struct conn *c = mem_new(sizeof(*c));
		memset(c, 0, offsetof(struct conn, in));
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c->source = (struct source){ SOURCE_CONN, s };
		c->all_next = p->conns;
		if (p->conns != NULL) {
			p->conns->all_prev = c;
		}
		p->conns = c;
		c->waits_for = EPOLLIN;
		watch(p, EPOLL_CTL_ADD, &c->source, EPOLLIN);
		p->counts.conns_open++;
		if (p->counts.conns_open > p->counts.conns_open_max) {
			p->counts.conns_open_max = p->counts.conns_open;
		}
	}
}

static void job_end(struct primary *p, struct conn *c, struct job *j)
{
	c->job_count--;
	p->counts.open -= j->kind == JOB_TRANSFER;
	job_free(p, j);
}

static void conn_close(struct primary *p, struct conn *c)
{
	while (c->jobs != NULL) {
		struct job *j = c->jobs;
		c->jobs = j->next;
		job_end(p, c, j);
	}
	wheel_remove(p, c);
	if (c->all_prev != NULL) {
		c->all_prev->all_next = c->all_next;
	} else {
		p->conns = c->all_next;
	}
	if (c->all_next != NULL) {
		c->all_next->all_prev = c->all_prev;
	}
	p->counts.conns_open--;
	close(c->source.fd);
	free(c->rest);
	free(c);
}

void conns_close(struct primary *p)
{
	while (p->conns != NULL) {
		conn_close(p, p->conns);
	}
}

/* ---- what comes in ---- */

static bool conn_read(struct conn *c)
{
	ssize_t n = read(c->source.fd, c->in + c->in_len, sizeof(c->in) - c->in_len);

	if (n > 0) {
		c->in_len += (size_t)n;
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Counts the first request of all. */
static void first_seen(struct primary *p)
{
	p->counts.first_ns = p->counts.first_ns != 0 ? p->counts.first_ns : p->now_ns;
}

static void conn_take(struct primary *p, struct conn *c, struct bytes message)
{
	struct job *j = job_new(p);

	p->counts.requests++;
	first_seen(p);
	if (!job_read(p, message, j)) {
		job_free(p, j);
		c->ended = true;
		return;
	}
	if (j->kind == JOB_TRANSFER && p->how.refuse_over > 0 &&
	    p->counts.open >= p->how.refuse_over) {
		j->kind = JOB_REFUSAL;
		j->rcode = RCODE_REFUSED;
		p->counts.refused++;
	}
	p->counts.soas += j->kind == JOB_SOA;
	p->counts.open += j->kind == JOB_TRANSFER;
	if (p->counts.open > p->counts.open_max) {
		p->counts.open_max = p->counts.open;
	}
	j->due_ns = p->now_ns + p->how.delay_ms * NS_PER_MS;
	if (c->jobs == NULL) {
		c->jobs = j;
	} else {
		c->jobs_last->next = j;
	}
	c->jobs_last = j;
	c->job_count++;
	c->asked = true;
}

/* Makes jobs of what was read; true if there was one. */
static bool conn_parse(struct primary *p, struct conn *c)
{
	bool one = p->how.serial || p->how.one_per_connection;
	size_t at = 0;
	bool found = false;

	while (!c->ended && c->job_count < JOBS_MAX) {
		size_t len = c->in_len - at < 2 ? 0 : load_u16(c->in + at);
		if (c->in_len - at < 2 || c->in_len - at - 2 < len) {
			c->ended = c->ended || len > sizeof(c->in) - 2;
			break;
		}
		if (p->death != DEATH_NONE) {
			p->counts.requests++; /* heard, and not answered */
			p->counts.dropped++;
		} else if (one && (c->job_count > 0 || (p->how.one_per_connection && c->asked))) {
			p->counts.dropped++;
		} else {
			conn_take(p, c, bytes_of(c->in + at + 2, len));
			found = true;
		}
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
	return found;
}

/* ---- what goes out ---- */

/* The job whose message is next; NULL: none is due, and *due_ns says when one is. `*link` points
 * at it. */
static struct job *job_next(struct primary *p, struct conn *c, struct job ***link, int64_t *due_ns)
{
	struct job **choices[CHOICES_MAX];
	uint32_t count = 0;

	*due_ns = INT64_MAX;
	for (struct job **at = &c->jobs; *at != NULL && count < CHOICES_MAX; at = &(*at)->next) {
		if ((*at)->due_ns <= p->now_ns) {
			choices[count++] = at;
		} else if ((*at)->due_ns < *due_ns) {
			*due_ns = (*at)->due_ns;
		}
		if (!p->how.out_of_order) {
			break;
		}
	}
	if (count == 0) {
		return NULL;
	}
	*link = choices[count > 1 ? dice_throw(p, count) : 0];
	return **link;
}

static void job_unlink(struct conn *c, struct job **link)
{
	struct job *j = *link;

	*link = j->next;
	if (c->jobs_last == j) {
		c->jobs_last = c->jobs;
		while (c->jobs_last != NULL && c->jobs_last->next != NULL) {
			c->jobs_last = c->jobs_last->next;
		}
	}
}

/* Fills the buffer with messages; returns whether one was written. */
static bool conn_produce(struct primary *p, struct conn *c, int64_t *due_ns)
{
	bool found = false;
	struct job **link;
	struct job *j;

	while (writer_left(&p->out) >= MESSAGE_LEN + 2 &&
	       (j = job_next(p, c, &link, due_ns)) != NULL) {
		uint8_t *at = p->out.at + p->out.len;
		struct writer w = writer_of(at + 2, MESSAGE_LEN);
		bool last = job_write(p, j, &w);
		store_u16(at, (uint16_t)w.len);
		p->out.len += 2 + w.len;
		found = true;
		if (last) {
			p->counts.transfers += j->kind == JOB_TRANSFER;
			job_unlink(c, link);
			job_end(p, c, j);
		} else if (p->how.trickle_ms > 0) {
			j->due_ns = p->now_ns + p->how.trickle_ms * NS_PER_MS;
		}
	}
	return found;
}

/* Writes `b` and keeps what the socket does not take; false if the other side is gone. */
static bool conn_write(struct conn *c, struct bytes b)
{
	ssize_t n = 0;

	while (b.len > 0) {
		n = write(c->source.fd, b.at, b.len);
		if (n < 0 && errno != EINTR) {
			break;
		}
		b.at += n > 0 ? n : 0;
		b.len -= n > 0 ? (size_t)n : 0;
	}
	if (b.len > 0) {
		c->rest = mem_new(b.len);
		memcpy(c->rest, b.at, b.len);
		c->rest_at = 0;
		c->rest_len = b.len;
	}
	return n >= 0 || errno == EAGAIN;
}

static bool conn_flush_rest(struct conn *c)
{
	while (c->rest != NULL) {
		ssize_t n = write(c->source.fd, c->rest + c->rest_at, c->rest_len - c->rest_at);
		if (n < 0) {
			return errno == EAGAIN || errno == EINTR;
		}
		c->rest_at += (size_t)n;
		if (c->rest_at == c->rest_len) {
			free(c->rest);
			c->rest = NULL;
		}
	}
	return true;
}

/* Whether it is over: asked once, answered, and all of it taken. */
static bool conn_done(const struct primary *p, struct conn *c)
{
	if (!p->how.one_per_connection || !c->asked || c->jobs != NULL || c->rest != NULL) {
		return false;
	}
	/* Octets that were not read would make the close a reset, and the answer be lost. */
	while (recv(c->source.fd, c->in, sizeof(c->in), MSG_DONTWAIT) > 0) {
	}
	return true;
}

/* Works until nothing is due or the socket is full; false: the connection is to be closed. */
static bool conn_work(struct primary *p, struct conn *c)
{
	int64_t due_ns = INT64_MAX;
	bool more = true;
	uint32_t wants;

	if (!conn_flush_rest(c)) {
		return false;
	}
	for (unsigned i = 0; i < BATCHES_MAX && more && c->rest == NULL; i++) {
		p->out.len = 0;
		more = conn_parse(p, c);
		more = conn_produce(p, c, &due_ns) || more;
		if (!conn_write(c, writer_bytes(&p->out)) || c->ended || conn_done(p, c)) {
			return false;
		}
	}
	/* While something waits to go out, nothing more is read. */
	wants = c->rest != NULL || more ? EPOLLOUT : c->in_len < sizeof(c->in) ? EPOLLIN : 0;
	if (wants != c->waits_for) {
		c->waits_for = wants;
		watch(p, EPOLL_CTL_MOD, &c->source, wants);
	}
	if (c->rest == NULL && !more && due_ns != INT64_MAX) {
		wheel_add(p, c, due_ns);
	}
	return true;
}

void conn_event(struct primary *p, struct source *s, uint32_t events)
{
	struct conn *c = container_of(s, struct conn, source);

	if ((events & (EPOLLHUP | EPOLLERR)) != 0 ||
	    ((events & ~(uint32_t)EPOLLOUT) != 0 && c->in_len < sizeof(c->in) && !conn_read(c)) ||
	    !conn_work(p, c)) {
		conn_close(p, c);
	}
}

/* Wakes those of one slot whose time has come; others wait for a later round. */
static void wheel_wake(struct primary *p, struct conn *c)
{
	while (c != NULL) {
		struct conn *next = c->wheel_next;
		if (c->wakes_ms <= p->wheel_ms) {
			wheel_remove(p, c);
			if (!conn_work(p, c)) {
				conn_close(p, c);
			}
		}
		c = next;
	}
}

void wheel_turn(struct primary *p)
{
	int64_t until = p->now_ns / NS_PER_MS;

	if (p->waiting == 0) {
		p->wheel_ms = until;
	}
	while (p->wheel_ms < until) {
		p->wheel_ms++;
		wheel_wake(p, p->wheel[(uint64_t)p->wheel_ms % WHEEL_SLOTS]);
	}
}

/* ---- datagrams ---- */

/* Answers to the address from which it was asked, which a wildcard socket must be told. */
static void datagram_send(int fd, struct msghdr *m, const struct writer *answer)
{
	struct iovec part = { answer->at, answer->len };

	m->msg_iov = &part;
	m->msg_flags = 0;
	(void)sendmsg(fd, m, MSG_DONTWAIT);
}

void datagrams_answer(struct primary *p, int fd)
{
	uint8_t in[DATAGRAM_LEN];
	uint8_t out[MESSAGE_LEN];
	uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct job *j = job_new(p);

	for (unsigned i = 0; i < UDP_TURN_MAX; i++) {
		struct sockaddr_storage from;
		struct iovec part = { in, sizeof(in) };
		struct msghdr m = { .msg_name = &from,
			            .msg_namelen = sizeof(from),
			            .msg_iov = &part,
			            .msg_iovlen = 1,
			            .msg_control = control,
			            .msg_controllen = sizeof(control) };
		struct writer w = writer_of(out, sizeof(out));
		ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
		if (n < 0) {
			break;
		}
		p->counts.datagrams++;
		first_seen(p);
		if (p->death != DEATH_NONE || !job_read(p, bytes_of(in, (size_t)n), j)) {
			continue;
		}
		/* IXFR as well: the SOA alone says that TCP is to be used (RFC 1995 §2). */
		if (j->kind == JOB_TRANSFER) {
			j->kind = JOB_SOA;
		}
		(void)job_write(p, j, &w);
		datagram_send(fd, &m, &w);
	}
	job_free(p, j);
}
