/* SPDX-License-Identifier: MIT
 *
 * bench/primary.c — a primary of zones that exist only as numbers (farm.h).
 *
 * usage: primary [--kind hosting|parked|dkim|delegations] [--zones N] [--delegations N]
 *                [--seed N] [--churn PER-MILLE] [--names FILE] [--listen ADDRESS@PORT]...
 *
 * Writes the zones' names to FILE, says "ready", and answers SOA, AXFR and IXFR over TCP (many
 * requests on a connection, one answered after the other) and SOA over UDP, until its input ends.
 * Lines of input are commands, each answered with "ok":
 *
 *	bump ZONE|all                    raises the serial; units change as --churn says
 *	notify ADDRESS@PORT ZONE|all     sends NOTIFY until each was answered
 *	name ZONE                        tells its name, then "ok"
 *	count                            tells how many transfers were sent whole, then "ok"
 *
 * One thread: it computes records faster than a secondary reads them. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/arena.h"
#include "bench/farm.h"

#define LISTENERS_MAX    64
#define EVENTS_MAX       256
#define BACKLOG          4096
#define MESSAGE_LEN      16384U /* of a transfer */
#define OUT_BYTES        262144U
#define IN_BYTES         (2U + MESSAGE_MAX_LEN)
#define UDP_TURN_MAX     256
#define NOTIFY_WINDOW    512U
#define NOTIFY_AGAIN_MS  1000
#define LINE_LEN         256
#define IXFR_CHURN_MAX   500  /* a difference of that much is sent as a whole zone */
#define TRANSFER_BATCHES 1000 /* messages of one connection in a row */

enum source_kind { SOURCE_TCP, SOURCE_UDP, SOURCE_CONN, SOURCE_INPUT, SOURCE_NOTIFY };

/* What epoll tells about; the first field of each. */
struct source {
	enum source_kind kind;
	int fd;
};

/* What a transfer sends next. */
enum part {
	PART_FIRST_SOA,
	PART_OLD_SOA,
	PART_DELETED,
	PART_NEW_SOA,
	PART_ADDED,
	PART_LAST_SOA,
	PART_END,
};

struct transfer_out {
	enum part part;
	bool whole; /* AXFR, or an IXFR answered so */
	uint16_t id;
	uint16_t type;
	uint32_t zone;
	uint32_t unit;
	uint16_t from; /* generations */
	uint16_t to;
};

struct conn {
	struct source source;
	struct transfer_out transfer;
	bool transferring;
	bool ended;
	uint32_t waits_for; /* epoll's events */
	size_t in_len;
	size_t out_at;
	struct writer out;
	uint8_t in[IN_BYTES];
	uint8_t octets[OUT_BYTES];
};

struct notifier {
	struct source source; /* fd < 0: idle */
	uint8_t *answered;
	uint32_t first; /* zones from `first` to `last` are told */
	uint32_t last;
	uint32_t next;
	uint32_t left; /* not answered */
	uint32_t in_flight;
	int64_t heard_ms;
};

struct primary {
	struct farm farm;
	int epoll;
	struct addr addresses[LISTENERS_MAX];
	struct source sources[2 * LISTENERS_MAX];
	unsigned listener_count;
	struct source input;
	char line[LINE_LEN];
	size_t line_len;
	struct notifier notifier;
	uint64_t transfers;
	const char *names_path;
	bool stop;
};

/* A request, as far as it matters. */
struct request {
	struct header h;
	struct question q;
	size_t question_end;
	uint32_t serial; /* IXFR: what the secondary has */
	bool has_serial;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "primary: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(bool good, const char *what)
{
	if (!good) {
		fail(what);
	}
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- messages ---- */

static bool soa_serial(struct reader *r, uint32_t *serial)
{
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	uint16_t len;

	return name_skip(r) == ERR_OK && reader_u16(r, &type) && reader_u16(r, &class) &&
	       reader_u32(r, &ttl) && reader_u16(r, &len) && type == TYPE_SOA &&
	       name_skip(r) == ERR_OK && name_skip(r) == ERR_OK && reader_u32(r, serial);
}

static bool request_read(struct bytes message, struct request *out)
{
	struct reader r = reader_of(message);

	if (header_read(&r, &out->h) != ERR_OK || out->h.qdcount != 1 ||
	    question_read(&r, &out->q) != ERR_OK) {
		return false;
	}
	out->question_end = r.pos;
	out->has_serial =
		out->q.type == TYPE_IXFR && out->h.nscount == 1 && soa_serial(&r, &out->serial);
	return true;
}

/* Begins a message with the question of `zone`, by its name as it is spelled. */
static void put_head(const struct primary *p, struct writer *w, struct transfer_out t)
{
	struct name_buf name;
	const uint16_t head[6] = { t.id, FLAG_QR | FLAG_AA, 1 };
	bool fits = true;

	farm_name(&p->farm, t.zone, &name);
	for (unsigned i = 0; i < ARRAY_LEN(head); i++) {
		fits = fits && writer_u16(w, head[i]);
	}
	fits = fits && writer_put(w, name_bytes(name_of(&name))) && writer_u16(w, t.type) &&
	       writer_u16(w, CLASS_IN);
	must(fits, "a message's head");
}

static void put_answer_count(struct writer *w, size_t message_at, unsigned count)
{
	store_u16(w->at + message_at + 6, (uint16_t)count);
}

/* Answers with the SOA alone. */
static void put_soa(const struct primary *p, struct writer *w, struct transfer_out t)
{
	size_t at = w->len;
	struct farm_unit soa;

	put_head(p, w, t);
	farm_soa(&p->farm, t.zone, farm_generation(&p->farm, t.zone), &soa);
	must(writer_put(w, writer_bytes(&soa.w)), "an SOA");
	put_answer_count(w, at, 1);
}

/* Answers with a response code, and the question as it came. */
static void put_refusal(struct writer *w, struct bytes message, const struct request *q)
{
	size_t at = w->len;

	must(writer_put(w, bytes_of(message.at, q->question_end)), "a refusal");
	store_u16(w->at + at + 2, FLAG_QR | RCODE_REFUSED | (q->h.flags & 0x7900U));
	memset(w->at + at + 6, 0, 6);
}

/* ---- transfers ---- */

static void transfer_begin(struct primary *p, struct transfer_out *t, const struct request *q)
{
	t->to = farm_generation(&p->farm, t->zone);
	t->part = PART_FIRST_SOA;
	t->unit = 0;
	t->whole = q->q.type == TYPE_AXFR || !q->has_serial || p->farm.churn >= IXFR_CHURN_MAX ||
	           !farm_generation_of(&p->farm, t->zone, q->serial, &t->from);
}

static enum part part_after(const struct transfer_out *t)
{
	if (t->part == PART_FIRST_SOA) {
		return t->whole ? PART_ADDED : t->from == t->to ? PART_END : PART_OLD_SOA;
	}
	return t->part + 1;
}

/* Makes what comes next; false at the end. A unit may be empty. */
static bool transfer_next(const struct primary *p, struct transfer_out *t, struct farm_unit *unit)
{
	const struct farm *f = &p->farm;
	uint16_t generation = t->part == PART_OLD_SOA || t->part == PART_DELETED ? t->from : t->to;

	if (t->part == PART_END) {
		return false;
	}
	if (t->part != PART_DELETED && t->part != PART_ADDED) {
		farm_soa(f, t->zone, generation, unit);
		t->part = part_after(t);
		return true;
	}
	while (!t->whole && t->unit < farm_units(f) &&
	       !farm_changed(f, t->zone, t->unit, t->from, t->to)) {
		t->unit++;
	}
	if (t->unit == farm_units(f)) {
		t->unit = 0;
		t->part = part_after(t);
		return transfer_next(p, t, unit);
	}
	farm_records(f, t->zone, t->unit++, generation, unit);
	return true;
}

/* Writes one message of a transfer, with its length before it. */
static void conn_put_message(struct primary *p, struct conn *c)
{
	struct transfer_out *t = &c->transfer;
	struct writer *w = &c->out;
	size_t length_at = w->len;
	unsigned count = 0;
	struct farm_unit unit;

	must(writer_u16(w, 0), "a message's length");
	put_head(p, w, *t);
	while (w->len - length_at < MESSAGE_LEN - FARM_UNIT_MAX_LEN && transfer_next(p, t, &unit)) {
		must(writer_put(w, writer_bytes(&unit.w)), "a message");
		count += unit.count;
	}
	put_answer_count(w, length_at + 2, count);
	store_u16(w->at + length_at, (uint16_t)(w->len - length_at - 2));
	if (t->part == PART_END) {
		c->transferring = false;
		p->transfers++;
	}
}

static void conn_answer(struct primary *p, struct conn *c, struct bytes message)
{
	struct transfer_out t = { 0 };
	size_t length_at = c->out.len;
	struct request q;

	if (!request_read(message, &q)) {
		c->ended = true;
		return;
	}
	t.id = q.h.id;
	t.type = q.q.type;
	if (header_opcode(&q.h) == OPCODE_QUERY &&
	    farm_find(&p->farm, name_of(&q.q.name), &t.zone)) {
		if (t.type == TYPE_AXFR || t.type == TYPE_IXFR) {
			transfer_begin(p, &t, &q);
			c->transfer = t;
			c->transferring = true;
			return;
		}
		if (t.type == TYPE_SOA) {
			must(writer_u16(&c->out, 0), "an answer's length");
			put_soa(p, &c->out, t);
		}
	}
	if (c->out.len == length_at) {
		must(writer_u16(&c->out, 0), "an answer's length");
		put_refusal(&c->out, message, &q);
	}
	store_u16(c->out.at + length_at, (uint16_t)(c->out.len - length_at - 2));
}

/* ---- connections ---- */

static void watch(const struct primary *p, int op, struct source *s, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = s };

	must(epoll_ctl(p->epoll, op, s->fd, &event) == 0, "epoll");
}

static void conn_close(struct conn *c)
{
	close(c->source.fd);
	free(c);
}

static bool conn_has_room(const struct conn *c)
{
	return writer_left(&c->out) >= MESSAGE_LEN + MESSAGE_MAX_LEN;
}

/* Answers what was read, as long as there is room. */
static void conn_work(struct primary *p, struct conn *c)
{
	size_t at = 0;

	while (conn_has_room(c) && !c->ended) {
		if (c->transferring) {
			conn_put_message(p, c);
			continue;
		}
		size_t len = c->in_len - at < 2 ? 0 : load_u16(c->in + at);
		if (c->in_len - at < 2 || c->in_len - at - 2 < len) {
			break;
		}
		conn_answer(p, c, bytes_of(c->in + at + 2, len));
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

/* Writes what there is; false if the other side is gone. */
static bool conn_flush(struct conn *c)
{
	while (c->out_at < c->out.len) {
		ssize_t n = write(c->source.fd, c->octets + c->out_at, c->out.len - c->out_at);
		if (n < 0) {
			return errno == EAGAIN || errno == EINTR;
		}
		c->out_at += (size_t)n;
	}
	c->out.len = 0;
	c->out_at = 0;
	return true;
}

static bool conn_read(struct conn *c)
{
	ssize_t n = read(c->source.fd, c->in + c->in_len, sizeof(c->in) - c->in_len);

	if (n > 0) {
		c->in_len += (size_t)n;
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void conn_event(struct primary *p, struct conn *c, uint32_t events)
{
	uint32_t wants;

	if ((events & ~(uint32_t)EPOLLOUT) != 0 && c->in_len < sizeof(c->in) && !conn_read(c)) {
		conn_close(c);
		return;
	}
	for (unsigned i = 0; i < TRANSFER_BATCHES; i++) {
		conn_work(p, c);
		if (!conn_flush(c) || c->ended) {
			conn_close(c);
			return;
		}
		if (c->out.len > 0 || !c->transferring) {
			break;
		}
	}
	/* While something waits to go out, nothing more is read. */
	wants = c->out.len > 0 || c->transferring ? EPOLLOUT : EPOLLIN;
	if (wants != c->waits_for) {
		c->waits_for = wants;
		watch(p, EPOLL_CTL_MOD, &c->source, wants);
	}
}

static void accept_all(struct primary *p, int fd)
{
	for (;;) {
		int on = 1;
		int s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s < 0) {
			return;
		}
		struct conn *c = mem_new(sizeof(*c));
		setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c->source = (struct source){ SOURCE_CONN, s };
		c->transferring = false;
		c->ended = false;
		c->in_len = 0;
		c->out_at = 0;
		c->out = writer_of(c->octets, sizeof(c->octets));
		c->waits_for = EPOLLIN;
		watch(p, EPOLL_CTL_ADD, &c->source, EPOLLIN);
	}
}

/* ---- datagrams ---- */

static void udp_answer(struct primary *p, int fd)
{
	uint8_t in[MESSAGE_UDP_MIN_LEN * 4];
	uint8_t out[MESSAGE_UDP_MIN_LEN * 4];

	for (unsigned i = 0; i < UDP_TURN_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(fd, in, sizeof(in), MSG_DONTWAIT, (void *)&from, &from_len);
		struct writer w = writer_of(out, sizeof(out));
		struct transfer_out t = { 0 };
		struct request q;
		if (n < 0) {
			return;
		}
		if (!request_read(bytes_of(in, (size_t)n), &q)) {
			continue;
		}
		t.id = q.h.id;
		t.type = q.q.type;
		/* IXFR as well: the SOA alone says that TCP is to be used (RFC 1995 §2). */
		if (farm_find(&p->farm, name_of(&q.q.name), &t.zone) &&
		    (t.type == TYPE_SOA || t.type == TYPE_IXFR)) {
			put_soa(p, &w, t);
		} else {
			put_refusal(&w, bytes_of(in, (size_t)n), &q);
		}
		(void)sendto(fd, out, w.len, MSG_DONTWAIT, (void *)&from, from_len);
	}
}

/* ---- NOTIFY ---- */

static bool notify_send(const struct primary *p, uint32_t zone)
{
	uint8_t octets[MESSAGE_UDP_MIN_LEN];
	struct writer w = writer_of(octets, sizeof(octets));
	struct transfer_out t = { .id = (uint16_t)zone, .type = TYPE_SOA, .zone = zone };

	put_soa(p, &w, t);
	store_u16(octets + 2, OPCODE_NOTIFY << 11 | FLAG_AA);
	return send(p->notifier.source.fd, octets, w.len, MSG_DONTWAIT) > 0;
}

static void notify_end(struct notifier *n)
{
	close(n->source.fd);
	n->source.fd = -1;
	free(n->answered);
	n->answered = NULL;
	printf("ok\n");
}

/* Keeps the window full; after the last zone it begins again with those that did not answer. */
static void notify_more(struct primary *p)
{
	struct notifier *n = &p->notifier;

	while (n->left > 0 && n->in_flight < NOTIFY_WINDOW && n->in_flight < n->left) {
		if (n->next > n->last) {
			if (n->in_flight > 0) {
				return;
			}
			n->next = n->first;
		}
		if (n->answered[n->next - n->first] == 0) {
			if (!notify_send(p, n->next)) {
				return;
			}
			n->in_flight++;
		}
		n->next++;
	}
	if (n->left == 0) {
		notify_end(n);
	}
}

static void notify_hear(struct primary *p)
{
	struct notifier *n = &p->notifier;
	uint8_t in[MESSAGE_UDP_MIN_LEN * 4];
	ssize_t len;

	while ((len = recv(n->source.fd, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		struct request q;
		uint32_t zone;
		if (request_read(bytes_of(in, (size_t)len), &q) && header_rcode(&q.h) == 0 &&
		    farm_find(&p->farm, name_of(&q.q.name), &zone) && zone >= n->first &&
		    zone <= n->last && n->answered[zone - n->first] == 0) {
			n->answered[zone - n->first] = 1;
			n->left--;
			n->in_flight -= n->in_flight > 0;
			n->heard_ms = now_ms();
		}
	}
	notify_more(p);
}

/* What was not answered for a while is lost. */
static void notify_tick(struct primary *p)
{
	struct notifier *n = &p->notifier;

	if (n->source.fd >= 0 && now_ms() - n->heard_ms > NOTIFY_AGAIN_MS) {
		n->heard_ms = now_ms();
		n->in_flight = 0;
		notify_more(p);
	}
}

static void notify_begin(struct primary *p, const struct addr *to, uint32_t first, uint32_t last)
{
	struct notifier *n = &p->notifier;
	struct sockaddr_storage sa;
	struct sockaddr_storage from;
	socklen_t len = addr_to_sockaddr(to, &sa);
	struct addr any = p->addresses[0];

	any.port = 0; /* from an address of the primary's */
	n->source = (struct source){ SOURCE_NOTIFY,
		                     socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0) };
	must(n->source.fd >= 0 &&
	             bind(n->source.fd, (void *)&from, addr_to_sockaddr(&any, &from)) == 0 &&
	             connect(n->source.fd, (void *)&sa, len) == 0,
	     "a socket for NOTIFY");
	n->first = first;
	n->last = last;
	n->next = first;
	n->left = last - first + 1;
	n->in_flight = 0;
	n->answered = mem_zero(n->left, 1);
	n->heard_ms = now_ms();
	watch(p, EPOLL_CTL_ADD, &n->source, EPOLLIN);
	notify_more(p);
}

/* ---- commands ---- */

static bool zones_parse(const struct primary *p, const char *text, uint32_t *first, uint32_t *last)
{
	char *end;

	*first = 0;
	*last = p->farm.zones - 1;
	if (strcmp(text, "all") == 0) {
		return true;
	}
	*first = (uint32_t)strtoul(text, &end, 10);
	*last = *first;
	return *text != '\0' && *end == '\0' && *first < p->farm.zones;
}

static void name_tell(const struct primary *p, uint32_t zone, FILE *to)
{
	char octets[NAME_TEXT_MAX];
	struct writer w = writer_of(octets, sizeof(octets));
	struct name_buf name;

	farm_name(&p->farm, zone, &name);
	must(name_print(name_of(&name), &w), "a name");
	fprintf(to, "%.*s\n", (int)w.len, octets);
}

static void command(struct primary *p, char *line)
{
	char *rest = NULL;
	const char *verb = strtok_r(line, " ", &rest);
	const char *arg = strtok_r(NULL, " ", &rest);
	const char *zones = strtok_r(NULL, " ", &rest);
	uint32_t first = 0;
	uint32_t last = 0;
	struct addr to;

	if (verb != NULL && strcmp(verb, "count") == 0) {
		printf("%" PRIu64 "\nok\n", p->transfers);
	} else if (verb != NULL && strcmp(verb, "bump") == 0 && arg != NULL &&
	           zones_parse(p, arg, &first, &last)) {
		for (uint32_t i = first; i <= last; i++) {
			farm_bump(&p->farm, i);
		}
		printf("ok\n");
	} else if (verb != NULL && strcmp(verb, "name") == 0 && arg != NULL &&
	           zones_parse(p, arg, &first, &last)) {
		name_tell(p, first, stdout);
		printf("ok\n");
	} else if (verb != NULL && strcmp(verb, "notify") == 0 && zones != NULL &&
	           p->notifier.source.fd < 0 && addr_parse(arg, 53, &to) == ERR_OK &&
	           zones_parse(p, zones, &first, &last)) {
		notify_begin(p, &to, first, last); /* says ok at its end */
	} else {
		printf("error\n");
	}
}

static void input_read(struct primary *p)
{
	ssize_t n = read(STDIN_FILENO, p->line + p->line_len, sizeof(p->line) - 1 - p->line_len);
	char *end;

	if (n <= 0) {
		p->stop = n == 0 || errno != EINTR;
		return;
	}
	p->line_len += (size_t)n;
	p->line[p->line_len] = '\0';
	while ((end = strchr(p->line, '\n')) != NULL) {
		*end = '\0';
		command(p, p->line);
		p->line_len -= (size_t)(end + 1 - p->line);
		memmove(p->line, end + 1, p->line_len + 1);
	}
	fflush(stdout);
}

/* ---- life ---- */

static int socket_open(const struct addr *at, int type)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int room = 8 << 20;

	must(fd >= 0, "a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	must(bind(fd, (void *)&sa, len) == 0, "binding");
	must(type == SOCK_DGRAM || listen(fd, BACKLOG) == 0, "listening");
	return fd;
}

static void primary_open(struct primary *p)
{
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	must(p->epoll >= 0, "epoll");
	for (unsigned i = 0; i < p->listener_count; i++) {
		struct source *tcp = &p->sources[2 * i];
		*tcp = (struct source){ SOURCE_TCP, socket_open(&p->addresses[i], SOCK_STREAM) };
		tcp[1] = (struct source){ SOURCE_UDP, socket_open(&p->addresses[i], SOCK_DGRAM) };
		watch(p, EPOLL_CTL_ADD, &tcp[0], EPOLLIN);
		watch(p, EPOLL_CTL_ADD, &tcp[1], EPOLLIN);
	}
	p->notifier.source.fd = -1;
	p->input = (struct source){ SOURCE_INPUT, STDIN_FILENO };
	watch(p, EPOLL_CTL_ADD, &p->input, EPOLLIN);
}

static void primary_run(struct primary *p)
{
	struct epoll_event events[EVENTS_MAX];

	while (!p->stop) {
		int n = epoll_wait(p->epoll, events, EVENTS_MAX, NOTIFY_AGAIN_MS / 4);
		must(n >= 0 || errno == EINTR, "epoll");
		for (int i = 0; i < n; i++) {
			struct source *s = events[i].data.ptr;
			switch (s->kind) {
			case SOURCE_TCP:
				accept_all(p, s->fd);
				break;
			case SOURCE_UDP:
				udp_answer(p, s->fd);
				break;
			case SOURCE_CONN:
				conn_event(p, container_of(s, struct conn, source),
				           events[i].events);
				break;
			case SOURCE_INPUT:
				input_read(p);
				break;
			case SOURCE_NOTIFY:
				notify_hear(p);
				fflush(stdout);
				break;
			}
		}
		notify_tick(p);
	}
}

static void names_write(const struct primary *p)
{
	FILE *f = fopen(p->names_path, "w");

	must(f != NULL, p->names_path);
	for (uint32_t i = 0; i < p->farm.zones; i++) {
		name_tell(p, i, f);
	}
	must(fclose(f) == 0, p->names_path);
}

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: primary [--kind hosting|parked|dkim|delegations] [--zones N] "
	                "[--delegations N] [--seed N] [--churn PER-MILLE] [--names FILE] "
	                "[--listen ADDRESS@PORT]...\n");
	exit(2);
}

static uint32_t number(const char *text, uint32_t max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n > max) {
		usage();
	}
	return (uint32_t)n;
}

static enum farm_kind kind_parse(const char *text)
{
	static const char *const kinds[] = {
		[FARM_HOSTING] = "hosting",
		[FARM_PARKED] = "parked",
		[FARM_DKIM] = "dkim",
		[FARM_DELEGATIONS] = "delegations",
	};

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i], text) == 0) {
			return (enum farm_kind)i;
		}
	}
	usage();
}

static void option(struct primary *p, const char *name, const char *value)
{
	if (strcmp(name, "--kind") == 0) {
		p->farm.kind = kind_parse(value);
	} else if (strcmp(name, "--zones") == 0) {
		p->farm.zones = number(value, 16U << 20);
	} else if (strcmp(name, "--delegations") == 0) {
		p->farm.delegations = number(value, 10U << 20);
	} else if (strcmp(name, "--seed") == 0) {
		p->farm.seed = number(value, UINT32_MAX);
	} else if (strcmp(name, "--churn") == 0) {
		p->farm.churn = number(value, 1000);
	} else if (strcmp(name, "--names") == 0) {
		p->names_path = value;
	} else if (strcmp(name, "--listen") != 0 || p->listener_count == LISTENERS_MAX ||
	           addr_parse(value, 53, &p->addresses[p->listener_count++]) != ERR_OK) {
		usage();
	}
}

int main(int argc, char **argv)
{
	struct primary *p = mem_zero(1, sizeof(*p));
	struct rlimit files;

	p->farm =
		(struct farm){ .zones = 1000, .delegations = 100000, .churn = 1000, .seed = 2026 };
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc) {
			usage();
		}
		option(p, argv[i], argv[i + 1]);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	farm_init(&p->farm);
	primary_open(p);
	if (p->names_path != NULL) {
		names_write(p);
	}
	printf("ready\n");
	fflush(stdout);
	primary_run(p);
	farm_fini(&p->farm);
	free(p);
	return 0;
}
