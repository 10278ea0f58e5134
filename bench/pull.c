/* SPDX-License-Identifier: MIT
 *
 * bench/pull.c — clients that pull a zone by AXFR, as many at once as wanted, and count.
 *
 * usage: pull --to ADDRESS@PORT --zone NAME [--clients N] [--threads N] [--check]
 *             [--key NAME:ALGORITHM:SECRET] [--slow N] [--slow-bytes N] [--queries]
 *             [--seconds S]
 *
 * Each client asks once, closes its side, and reads until the server closes: messages, records (by
 * the headers' counts) and octets are counted, nothing else is looked at, so that the clients cost
 * little of the machine that they share with the server. With --check every record is read, every
 * signature verified, and a sum over all records made that does not depend on their order.
 *
 * --slow N: so many other clients ask first and then take --slow-bytes a second each. Once every one
 * of them has had something or was refused, "ready" is said, and a line of input waited for.
 * --queries: meanwhile an SOA is asked for by UDP, one question after the other, a millisecond
 * between them. --seconds: without clients, that is all for so long. The last line is JSON. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/arena.h"
#include "dns/tsig.h"

#define CLIENTS_MAX   4096U
#define SLOW_MAX      65536U
#define THREADS_MAX   64U
#define READ_BYTES    (256U * 1024)
#define FRAME_BYTES   (2U + MESSAGE_MAX_LEN)
#define SLOW_RCVBUF   32768
#define SLOW_TICK_MS  100
#define QUERIES_MAX   1000000U
#define QUERY_EVERY   1000000 /* ns */
#define QUERY_WAIT_MS 1000
#define REQUEST_ID    4711
#define DEADLINE_S    600

struct options {
	struct addr to;
	struct name_buf zone;
	unsigned clients;
	unsigned threads;
	unsigned slow;
	unsigned slow_bytes; /* a second, each */
	unsigned seconds;
	bool check;
	bool queries;
	struct tsig_key *key;
};

struct client {
	int fd;
	uint64_t octets; /* of messages, their lengths not counted */
	uint64_t messages;
	uint64_t records;
	uint64_t sum;  /* with --check */
	uint64_t wire; /* with --check: octets of the records without compression */
	double took_s;
	size_t need; /* octets of the message under way still to come */
	uint8_t head[10];
	size_t head_len; /* of the message's length and header */
	size_t in_len;   /* with --check: of the message in `in` */
	uint8_t *in;     /* with --check */
	struct tsig_stream tsig;
};

struct puller {
	const struct options *o;
	pthread_t thread;
	struct client *clients;
	unsigned count;
	double began_s;
	uint8_t buffer[READ_BYTES];
	struct rr_scratch scratch;
};

struct asker {
	const struct options *o;
	pthread_t thread;
	_Atomic bool stop;
	unsigned count;
	unsigned lost;
	uint32_t ns[QUERIES_MAX];
};

struct slowers {
	const struct options *o;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic unsigned begun;
	_Atomic unsigned refused;
	int *fds;
	bool *had; /* something came */
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "pull: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(bool good, const char *what)
{
	if (!good) {
		fail(what);
	}
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- asking ---- */

static struct bytes question(const struct options *o, uint16_t type, struct tsig_stream *tsig,
                             uint8_t *at, size_t cap)
{
	static const uint16_t head[] = { REQUEST_ID, 0, 1, 0, 0, 0 };
	struct writer w = writer_of(at, cap);
	bool fits = true;

	for (unsigned i = 0; i < ARRAY_LEN(head); i++) {
		fits = fits && writer_u16(&w, head[i]);
	}
	fits = fits && writer_put(&w, name_bytes(name_of(&o->zone))) && writer_u16(&w, type) &&
	       writer_u16(&w, CLASS_IN);
	must(fits && (tsig == NULL || tsig_sign_request(tsig, &w, (uint64_t)time(NULL)) == ERR_OK),
	     "a request");
	return writer_bytes(&w);
}

static int connected(const struct options *o, int rcvbuf)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&o->to, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0, "socket");
	if (rcvbuf > 0) {
		must(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) == 0, "rcvbuf");
	}
	must(connect(fd, (struct sockaddr *)&ss, len) == 0, "connect");
	return fd;
}

/* False if the server is gone already. */
static bool ask(const struct options *o, int fd, struct tsig_stream *tsig)
{
	uint8_t at[2 + 1024];
	struct bytes message = question(o, TYPE_AXFR, tsig, at + 2, sizeof(at) - 2);

	store_u16(at, (uint16_t)message.len);
	return send(fd, at, 2 + message.len, MSG_NOSIGNAL) == (ssize_t)(2 + message.len);
}

/* ---- clients ---- */

static uint64_t sum_octets(uint64_t h, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		h = (h ^ at[i]) * 0x100000001b3ULL; /* FNV-1a */
	}
	return h;
}

static uint64_t sum_record(const struct rr *rr)
{
	uint8_t fixed[8];
	uint64_t h = 0xcbf29ce484222325ULL;

	store_u16(fixed, rr->type);
	store_u16(fixed + 2, rr->class);
	store_u32(fixed + 4, rr->ttl);
	h = sum_octets(h, rr->owner.at, rr->owner.len);
	h = sum_octets(h, fixed, sizeof(fixed));
	return sum_octets(h, rr->rdata.at, rr->rdata.len);
}

/* Reads a message whole. */
static void message_check(struct puller *p, struct client *c, struct bytes message)
{
	struct reader r = reader_of(message);
	struct message_tail tail;
	struct question q;
	struct header h;
	struct rr rr;

	must(header_read(&r, &h) == ERR_OK && (h.flags & 15) == 0 && h.id == REQUEST_ID, "header");
	must(h.qdcount == 0 || question_read(&r, &q) == ERR_OK, "question");
	must(message_tail_read(&r, &h, &tail) == ERR_OK, "records");
	for (unsigned i = 0; i < h.ancount; i++) {
		must(rr_read(&r, &p->scratch, &rr) == ERR_OK, "a record");
		c->sum += sum_record(&rr);
		c->wire += rr.owner.len + 10U + rr.rdata.len;
	}
	if (p->o->key != NULL) {
		must(tsig_verify_answer(&c->tsig, message, tail.tsig_at, (uint64_t)time(NULL)) ==
		             ERR_OK,
		     "a signature");
	}
}

/* Takes octets of the stream: looks at each message's length and header only, or gathers it. */
static void client_take(struct puller *p, struct client *c, const uint8_t *at, size_t len)
{
	while (len > 0) {
		size_t n;
		if (c->head_len < sizeof(c->head)) {
			n = sizeof(c->head) - c->head_len;
			n = n < len ? n : len;
			memcpy(c->head + c->head_len, at, n);
			c->head_len += n;
			if (c->head_len == sizeof(c->head)) {
				must(load_u16(c->head) >= MESSAGE_HEADER_LEN, "a message's length");
				c->need = load_u16(c->head) - (sizeof(c->head) - 2);
				c->octets += load_u16(c->head);
				c->records += load_u16(c->head + 8);
				c->messages++;
			}
		} else {
			n = c->need < len ? c->need : len;
			c->need -= n;
		}
		if (p->o->check) {
			memcpy(c->in + c->in_len, at, n);
			c->in_len += n;
		}
		at += n;
		len -= n;
		if (c->head_len == sizeof(c->head) && c->need == 0) {
			c->head_len = 0;
			if (p->o->check) {
				message_check(p, c, bytes_of(c->in + 2, c->in_len - 2));
			}
			c->in_len = 0;
		}
	}
}

/* False at the end. */
static bool client_read(struct puller *p, struct client *c)
{
	ssize_t n = recv(c->fd, p->buffer, sizeof(p->buffer), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return true;
	}
	must(n >= 0, "receiving");
	if (n > 0) {
		client_take(p, c, p->buffer, (size_t)n);
		return true;
	}
	must(c->head_len == 0 && c->messages > 0, "the stream ended early");
	must(!p->o->check || tsig_stream_complete(&c->tsig), "the last signature");
	c->took_s = seconds() - p->began_s;
	close(c->fd);
	c->fd = -1;
	return false;
}

static void *puller_main(void *arg)
{
	struct puller *p = arg;
	struct epoll_event events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned left = p->count;

	must(epoll >= 0, "epoll");
	for (unsigned i = 0; i < p->count; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &p->clients[i] };
		must(epoll_ctl(epoll, EPOLL_CTL_ADD, p->clients[i].fd, &ev) == 0, "epoll");
		must(ask(p->o, p->clients[i].fd, &p->clients[i].tsig), "asking");
		must(shutdown(p->clients[i].fd, SHUT_WR) == 0, "shutdown");
	}
	while (left > 0) {
		int n = epoll_wait(epoll, events, ARRAY_LEN(events), DEADLINE_S * 1000);
		must(n > 0 || (n < 0 && errno == EINTR), "waiting");
		for (int i = 0; i < n; i++) {
			left -= client_read(p, events[i].data.ptr) ? 0 : 1;
		}
	}
	close(epoll);
	return NULL;
}

/* ---- slow clients ---- */

static void *slowers_main(void *arg)
{
	struct slowers *s = arg;
	unsigned tick = 1 + s->o->slow_bytes * SLOW_TICK_MS / 1000;
	uint8_t *at = mem_new(tick);

	for (unsigned round = 0; !atomic_load(&s->stop); round++) {
		for (unsigned i = 0; i < s->o->slow; i++) {
			ssize_t n = s->fds[i] < 0 ? -1 : recv(s->fds[i], at, tick, MSG_DONTWAIT);
			if (n > 0 && !s->had[i]) {
				s->had[i] = true;
				atomic_fetch_add(&s->begun, 1);
			} else if (n == 0 || (n < 0 && s->fds[i] >= 0 && errno != EAGAIN)) {
				close(s->fds[i]);
				s->fds[i] = -1;
				atomic_fetch_add(&s->refused, 1);
			}
		}
		(void)poll(NULL, 0, SLOW_TICK_MS);
	}
	free(at);
	return NULL;
}

static void slowers_start(struct slowers *s)
{
	s->fds = mem_new(s->o->slow * sizeof(*s->fds));
	s->had = mem_zero(s->o->slow, sizeof(*s->had));
	for (unsigned i = 0; i < s->o->slow; i++) {
		struct tsig_stream tsig = { 0 };
		tsig_stream_init(&tsig, s->o->key);
		s->fds[i] = connected(s->o, SLOW_RCVBUF);
		if (!ask(s->o, s->fds[i], &tsig)) {
			close(s->fds[i]);
			s->fds[i] = -1;
			atomic_fetch_add(&s->refused, 1);
		}
		tsig_stream_fini(&tsig);
	}
	must(pthread_create(&s->thread, NULL, slowers_main, s) == 0, "a thread");
	for (unsigned i = 0; atomic_load(&s->begun) + atomic_load(&s->refused) < s->o->slow; i++) {
		must(i < DEADLINE_S * 10, "slow clients wait in vain");
		(void)poll(NULL, 0, 100);
	}
	printf("ready\n");
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin)) {
	}
}

static void slowers_stop(struct slowers *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < s->o->slow; i++) {
		if (s->fds[i] >= 0) {
			close(s->fds[i]);
		}
	}
	free(s->fds);
	free(s->had);
}

/* ---- questions ---- */

static void *asker_main(void *arg)
{
	struct asker *a = arg;
	struct timespec pause = { 0, QUERY_EVERY };
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a->o->to, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t at[4096];
	struct bytes message = question(a->o, TYPE_SOA, NULL, at, sizeof(at));
	uint8_t answer[4096];

	must(fd >= 0 && connect(fd, (struct sockaddr *)&ss, len) == 0, "udp");
	while (!atomic_load(&a->stop) && a->count < QUERIES_MAX) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		double began = seconds();
		must(send(fd, message.at, message.len, 0) == (ssize_t)message.len, "asking");
		if (poll(&pfd, 1, QUERY_WAIT_MS) == 1 && recv(fd, answer, sizeof(answer), 0) > 0) {
			a->ns[a->count++] = (uint32_t)((seconds() - began) * 1e9);
		} else {
			a->lost++;
		}
		(void)nanosleep(&pause, NULL);
	}
	close(fd);
	return NULL;
}

static int order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double asker_at(const struct asker *a, double share)
{
	return a->count == 0 ? 0 : a->ns[(size_t)((a->count - 1) * share)] / 1e3;
}

/* ---- the whole ---- */

static double pull(const struct options *o, struct client *clients)
{
	struct puller *pullers = mem_zero(o->threads, sizeof(*pullers));
	double began = seconds();

	for (unsigned i = 0, at = 0; i < o->threads; i++) {
		struct puller *p = &pullers[i];
		p->o = o;
		p->clients = clients + at;
		p->count = o->clients / o->threads + (i < o->clients % o->threads ? 1 : 0);
		p->began_s = began;
		at += p->count;
		must(pthread_create(&p->thread, NULL, puller_main, p) == 0, "a thread");
	}
	for (unsigned i = 0; i < o->threads; i++) {
		pthread_join(pullers[i].thread, NULL);
	}
	free(pullers);
	return seconds() - began;
}

static void report(const struct options *o, const struct client *clients, double took)
{
	uint64_t octets = 0;
	uint64_t messages = 0;
	double slowest = 0;
	double fastest = took;

	for (unsigned i = 0; i < o->clients; i++) {
		const struct client *c = &clients[i];
		must(c->records == clients[0].records && c->sum == clients[0].sum,
		     "clients do not agree");
		octets += c->octets;
		messages += c->messages;
		slowest = c->took_s > slowest ? c->took_s : slowest;
		fastest = c->took_s < fastest ? c->took_s : fastest;
	}
	printf("\"clients\": %u, \"seconds\": %.6f, \"octets\": %" PRIu64 ", \"messages\": %" PRIu64
	       ", \"records\": %" PRIu64 ", \"fastest\": %.6f, \"slowest\": %.6f",
	       o->clients, took, octets, messages, clients[0].records, fastest, slowest);
	if (o->check) {
		printf(", \"sum\": \"%016" PRIx64 "\", \"wire\": %" PRIu64, clients[0].sum,
		       clients[0].wire);
	}
}

static void report_queries(struct asker *a)
{
	qsort(a->ns, a->count, sizeof(a->ns[0]), order);
	printf(", \"queries\": %u, \"lost\": %u, \"p50_us\": %.1f, \"p99_us\": %.1f, "
	       "\"longest_us\": %.1f",
	       a->count, a->lost, asker_at(a, 0.5), asker_at(a, 0.99), asker_at(a, 1));
}

static void run(const struct options *o)
{
	struct client *clients = mem_zero(o->clients + 1, sizeof(*clients));
	struct asker *asker = mem_zero(1, sizeof(*asker));
	struct slowers slowers = { .o = o };
	double took = 0;

	if (o->slow > 0) {
		slowers_start(&slowers);
	}
	for (unsigned i = 0; i < o->clients; i++) {
		clients[i].fd = connected(o, 0);
		clients[i].in = o->check ? mem_new(FRAME_BYTES) : NULL;
		tsig_stream_init(&clients[i].tsig, o->key);
	}
	asker->o = o;
	must(!o->queries || pthread_create(&asker->thread, NULL, asker_main, asker) == 0, "thread");
	if (o->clients > 0) {
		took = pull(o, clients);
	} else {
		(void)poll(NULL, 0, (int)o->seconds * 1000);
	}
	printf("{");
	report(o, clients, took);
	if (o->queries) {
		atomic_store(&asker->stop, true);
		pthread_join(asker->thread, NULL);
		report_queries(asker);
	}
	if (o->slow > 0) {
		printf(", \"slow_begun\": %u, \"slow_refused\": %u", atomic_load(&slowers.begun),
		       atomic_load(&slowers.refused));
		slowers_stop(&slowers);
	}
	printf("}\n");
	for (unsigned i = 0; i < o->clients; i++) {
		tsig_stream_fini(&clients[i].tsig);
		free(clients[i].in);
	}
	free(asker);
	free(clients);
}

static bool key_parse(char *text, struct tsig_key **out)
{
	char *algorithm = strchr(text, ':');
	char *secret = algorithm == NULL ? NULL : strchr(algorithm + 1, ':');
	struct tsig_key_options k = { 0 };
	struct name_buf name;

	if (secret == NULL) {
		return false;
	}
	*algorithm++ = '\0';
	*secret++ = '\0';
	k.secret = bytes_str(secret);
	if (name_parse(bytes_str(text), NULL, &name) != ERR_OK ||
	    tsig_algorithm_parse(bytes_str(algorithm), &k.algorithm) != ERR_OK) {
		return false;
	}
	k.name = name_of(&name);
	return tsig_key_new(&k, out) == ERR_OK;
}

static bool number_parse(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (unsigned)n;
	return *text != '\0' && *end == '\0' && n <= max;
}

static bool option_parse(struct options *o, const char *name, char *value)
{
	if (strcmp(name, "--to") == 0) {
		return addr_parse(value, 53, &o->to) == ERR_OK;
	}
	if (strcmp(name, "--zone") == 0) {
		return name_parse(bytes_str(value), NULL, &o->zone) == ERR_OK;
	}
	if (strcmp(name, "--key") == 0) {
		return key_parse(value, &o->key);
	}
	return (strcmp(name, "--clients") == 0 && number_parse(value, CLIENTS_MAX, &o->clients)) ||
	       (strcmp(name, "--threads") == 0 && number_parse(value, THREADS_MAX, &o->threads) &&
	        o->threads > 0) ||
	       (strcmp(name, "--slow") == 0 && number_parse(value, SLOW_MAX, &o->slow)) ||
	       (strcmp(name, "--slow-bytes") == 0 &&
	        number_parse(value, 1U << 30, &o->slow_bytes)) ||
	       (strcmp(name, "--seconds") == 0 && number_parse(value, DEADLINE_S, &o->seconds));
}

int main(int argc, char **argv)
{
	struct options o = { .clients = 1, .threads = 1, .slow_bytes = 16384, .seconds = 1 };
	struct rlimit files;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--check") == 0) {
			o.check = true;
		} else if (strcmp(argv[i], "--queries") == 0) {
			o.queries = true;
		} else if (i + 1 == argc || !option_parse(&o, argv[i], argv[i + 1])) {
			fprintf(stderr, "pull: bad option: %s\n", argv[i]);
			return 2;
		} else {
			i++;
		}
	}
	if (o.to.family == 0 || o.zone.len == 0) {
		fprintf(stderr, "pull: --to and --zone are needed\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	run(&o);
	tsig_key_unref(o.key);
	return 0;
}
