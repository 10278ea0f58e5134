/* SPDX-License-Identifier: MIT
 *
 * bench/primary.c — a primary of zones that exist only as numbers (farm.h).
 *
 * usage: primary [OPTION VALUE | FLAG]...
 *
 *	--kind hosting|parked|dkim|delegations
 *	--zones N, --delegations N, --seed N
 *	--tail LABEL               all names end in it
 *	--churn PER-MILLE          units that a bump changes
 *	--names FILE               where the zones' names go
 *	--listen ADDRESS@PORT      may be repeated; also FIRST..LAST@PORT, and 0.0.0.0@PORT
 *	--key NAME:ALGORITHM:SECRET  answers what is signed with it, refuses what is not signed
 *	--sign-notify              signs NOTIFY as well
 *
 * and how it behaves to those who ask over TCP; without any of these, it answers what is pipelined
 * in its order, as fast as it can:
 *
 *	--out-of-order             answers of one connection in any order, their messages mixed
 *	--one-per-connection       closes after each answer
 *	--serial                   drops what comes before a request was answered
 *	--delay MS                 before an answer begins; many at once
 *	--trickle MS               between messages of a transfer; with --out-of-order, all of a
 *	                           connection's go on at once
 *	--message-records N        at most so many in a message
 *	--refuse-over N            transfers at once
 *
 *	--samples N                changes in a second whose arrival "rate" measures (250)
 *
 * Writes the zones' names, says "ready", and answers SOA, AXFR and IXFR over TCP and SOA over UDP,
 * until its input ends. Lines of input are commands, each answered with "ok" (or "error"):
 *
 *	bump ZONE|all                    raises the serial; units change as --churn says
 *	notify ADDRESS@PORT ZONE|all     sends NOTIFY until each was answered
 *	rate N SECONDS ADDRESS@PORT [FIRST LAST]
 *	                                 changes zones N times a second, tells, and measures when they
 *	                                 are served (primary_rate.c): one line of JSON
 *	check ADDRESS@PORT [FIRST LAST]  asks until all zones have their serials: the same line
 *	name ZONE                        tells its name, then "ok"
 *	count                            tells how many transfers were sent whole, then "ok"
 *	stats                            tells all counts as one line of JSON
 *	set OPTION VALUE                 changes how it behaves (flags: 0 or 1)
 *	death none|close|silent          closes connections at once, or hears and says nothing
 *
 * One thread: it computes records faster than a secondary reads them. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/codec.h"
#include "bench/primary_p.h"

#define OUT_BYTES     (16U * MESSAGE_LEN)
#define EVENTS_MAX    256
#define BACKLOG       4096
#define LINE_LEN      256
#define IDLE_NS       (NOTIFY_AGAIN_MS / 4 * NS_PER_MS)
#define SECRET_MAX    512
#define DELAY_MAX_MS  3600000U
#define SAMPLES_PER_S 250U
#define TAIL_MAX      16 /* octets of a label */
#define RATE_MAX      1000000U
#define SECONDS_MAX   86400U

struct input {
	char line[LINE_LEN];
	size_t len;
};

_Noreturn void fail(const char *what)
{
	fprintf(stderr, "primary: %s: %s\n", what, strerror(errno));
	exit(1);
}

void must(bool good, const char *what)
{
	if (!good) {
		fail(what);
	}
}

int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Marsaglia: xorshift. */
uint32_t dice_throw(struct primary *p, uint32_t sides)
{
	p->dice ^= p->dice << 13;
	p->dice ^= p->dice >> 7;
	p->dice ^= p->dice << 17;
	return (uint32_t)((p->dice >> 32) * sides >> 32);
}

void watch(const struct primary *p, int op, struct source *s, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = s };

	must(epoll_ctl(p->epoll, op, s->fd, &event) == 0, "epoll");
}

/* ---- sockets ---- */

static int socket_open(const struct addr *at, int type)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(at, &sa);
	int fd = socket(sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	int room = 8 << 20;

	must(fd >= 0, "a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (type == SOCK_DGRAM) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	}
	if (type == SOCK_DGRAM && addr_is_any(at)) {
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	}
	must(bind(fd, (void *)&sa, len) == 0, "binding");
	must(type == SOCK_DGRAM || listen(fd, BACKLOG) == 0, "listening");
	return fd;
}

int socket_to(const struct primary *p, const struct addr *to)
{
	struct addr from = p->addresses[0];
	struct sockaddr_storage sa;
	socklen_t len;
	int fd;

	from.port = 0;
	fd = socket_open(&from, SOCK_DGRAM);
	len = addr_to_sockaddr(to, &sa);
	must(connect(fd, (void *)&sa, len) == 0, "a socket to the secondary");
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

/* ---- options ---- */

static _Noreturn void usage(void)
{
	fprintf(stderr, "usage: primary [--kind hosting|parked|dkim|delegations] [--zones N] "
	                "[--delegations N] [--seed N] [--churn PER-MILLE] [--names FILE] "
	                "[--listen ADDRESS@PORT]... and more, at the top of bench/primary.c\n");
	exit(2);
}

static bool number_parse(const char *text, uint32_t max, uint32_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n > max) {
		return false;
	}
	*out = (uint32_t)n;
	return true;
}

static uint32_t number(const char *text, uint32_t max)
{
	uint32_t n;

	if (!number_parse(text, max, &n)) {
		usage();
	}
	return n;
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

static void key_parse(struct primary *p, const char *text)
{
	size_t name_len = strcspn(text, ":");
	const char *algorithm = text + name_len + (text[name_len] != '\0');
	size_t algorithm_len = strcspn(algorithm, ":");
	const char *secret = algorithm + algorithm_len + (algorithm[algorithm_len] != '\0');
	uint8_t octets[SECRET_MAX];
	struct writer w = writer_of(octets, sizeof(octets));
	struct name_buf name;
	struct tsig_key_options o = { .min_mac_len = 0 };

	if (name_parse(bytes_of(text, name_len), NULL, &name) != ERR_OK ||
	    tsig_algorithm_parse(bytes_of(algorithm, algorithm_len), &o.algorithm) != ERR_OK ||
	    base64_decode(bytes_str(secret), &w) != ERR_OK) {
		usage();
	}
	o.name = name_of(&name);
	o.secret = writer_bytes(&w);
	tsig_key_unref(p->key);
	p->key = NULL;
	if (tsig_key_new(&o, &p->key) != ERR_OK) {
		usage();
	}
}

static void listen_add(struct primary *p, const struct addr *at)
{
	if (p->listener_count == LISTENERS_MAX) {
		usage();
	}
	p->addresses[p->listener_count++] = *at;
}

/* "ADDRESS@PORT", or "FIRST..LAST@PORT" for IPv4. */
static void listen_parse(struct primary *p, const char *text)
{
	const char *dots = strstr(text, "..");
	char first[ADDR_TEXT_MAX];
	struct addr from;
	struct addr to;

	if (addr_parse(dots == NULL ? text : dots + 2, 53, &to) != ERR_OK) {
		usage();
	}
	if (dots == NULL) {
		listen_add(p, &to);
		return;
	}
	snprintf(first, sizeof(first), "%.*s", (int)(dots - text), text);
	if (addr_parse(first, 53, &from) != ERR_OK || from.family != 4 || to.family != 4) {
		usage();
	}
	for (uint32_t ip = load_u32(from.ip); ip <= load_u32(to.ip); ip++) {
		from = to;
		store_u32(from.ip, ip);
		listen_add(p, &from);
	}
}

static bool behave(struct primary *p, const char *name, const char *value)
{
	const struct {
		const char *name;
		bool *flag;
		uint32_t *number;
	} options[] = {
		{ "--out-of-order", &p->how.out_of_order, NULL },
		{ "--one-per-connection", &p->how.one_per_connection, NULL },
		{ "--serial", &p->how.serial, NULL },
		{ "--sign-notify", &p->sign_notify, NULL },
		{ "--delay", NULL, &p->how.delay_ms },
		{ "--trickle", NULL, &p->how.trickle_ms },
		{ "--message-records", NULL, &p->how.message_records },
		{ "--refuse-over", NULL, &p->how.refuse_over },
		{ "--samples", NULL, &p->samples_per_s },
	};
	uint32_t n;

	for (unsigned i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(options[i].name, name) != 0 || !number_parse(value, DELAY_MAX_MS, &n)) {
			continue;
		}
		if (options[i].flag != NULL) {
			*options[i].flag = n != 0;
		} else {
			*options[i].number = n;
		}
		return true;
	}
	return false;
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
	} else if (strcmp(name, "--tail") == 0 && strlen(value) <= TAIL_MAX) {
		p->farm.tail = value;
	} else if (strcmp(name, "--listen") == 0) {
		listen_parse(p, value);
	} else if (strcmp(name, "--key") == 0) {
		key_parse(p, value);
	} else if (!behave(p, name, value)) {
		usage();
	}
}

/* ---- commands ---- */

static bool zones_parse(const struct primary *p, const char *text, uint32_t *first, uint32_t *last)
{
	*first = 0;
	*last = p->farm.zones - 1;
	if (strcmp(text, "all") == 0) {
		return true;
	}
	if (!number_parse(text, p->farm.zones - 1, first)) {
		return false;
	}
	*last = *first;
	return true;
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

static void names_write(const struct primary *p, const char *path)
{
	FILE *f = fopen(path, "w");

	must(f != NULL, path);
	for (uint32_t i = 0; i < p->farm.zones; i++) {
		name_tell(p, i, f);
	}
	must(fclose(f) == 0, path);
}

static void stats_tell(const struct primary *p)
{
	const struct counts *c = &p->counts;
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("{\"connections\": %" PRIu64 ", \"datagrams\": %" PRIu64 ", \"requests\": %" PRIu64
	       ", \"first_ns\": %" PRId64 ", \"soas\": %" PRIu64 ", \"transfers\": %" PRIu64
	       ", \"refused\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"bad_signatures\": %" PRIu64
	       ", \"connections_open\": %u, \"connections_open_max\": %u, \"open\": %u, "
	       "\"open_max\": %u, \"cpu_us\": %.0f}\n",
	       c->connections, c->datagrams, c->requests, c->first_ns, c->soas, c->transfers,
	       c->refused, c->dropped, c->bad_signatures, c->conns_open, c->conns_open_max, c->open,
	       c->open_max,
	       (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec));
}

static bool death_set(struct primary *p, const char *text)
{
	static const char *const deaths[] = {
		[DEATH_NONE] = "none",
		[DEATH_CLOSE] = "close",
		[DEATH_SILENT] = "silent",
	};

	for (unsigned i = 0; i < ARRAY_LEN(deaths); i++) {
		if (strcmp(deaths[i], text) == 0) {
			p->death = (enum death)i;
			p->close_all = true;
			return true;
		}
	}
	return false;
}

/* Behind "N SECONDS": "ADDRESS@PORT [FIRST LAST]". */
static bool rate_parse(struct primary *p, struct rate_options *o, char *const args[3])
{
	o->first = 0;
	o->last = p->farm.zones - 1;
	if (p->rate != NULL || args[0] == NULL || addr_parse(args[0], 53, &o->to) != ERR_OK ||
	    (args[1] != NULL && !number_parse(args[1], o->last, &o->first)) ||
	    (args[2] != NULL && !number_parse(args[2], o->last, &o->last)) || o->last < o->first) {
		return false;
	}
	rate_begin(p, o);
	return true;
}

static bool rate_command(struct primary *p, char *const args[5])
{
	struct rate_options o;

	return args[1] != NULL && number_parse(args[0], RATE_MAX, &o.per_s) &&
	       number_parse(args[1], SECONDS_MAX, &o.seconds) && o.per_s > 0 && o.seconds > 0 &&
	       rate_parse(p, &o, args + 2);
}

enum outcome { OUTCOME_OK, OUTCOME_ERROR, OUTCOME_LATER };

static enum outcome verb_run(struct primary *p, const char *verb, char *const args[5])
{
	uint32_t first = 0;
	uint32_t last = 0;
	struct addr to;

	if (strcmp(verb, "count") == 0) {
		printf("%" PRIu64 "\n", p->counts.transfers);
	} else if (strcmp(verb, "stats") == 0) {
		stats_tell(p);
	} else if (args[0] == NULL) {
		return OUTCOME_ERROR;
	} else if (strcmp(verb, "bump") == 0 && zones_parse(p, args[0], &first, &last)) {
		for (uint32_t i = first; i <= last; i++) {
			farm_bump(&p->farm, i);
		}
	} else if (strcmp(verb, "name") == 0 && zones_parse(p, args[0], &first, &last)) {
		name_tell(p, first, stdout);
	} else if (strcmp(verb, "check") == 0) {
		struct rate_options o = { .per_s = 1 };
		return rate_parse(p, &o, args) ? OUTCOME_LATER : OUTCOME_ERROR;
	} else if (strcmp(verb, "death") == 0 && death_set(p, args[0])) {
		return OUTCOME_OK;
	} else if (args[1] == NULL) {
		return OUTCOME_ERROR;
	} else if (strcmp(verb, "set") == 0 && behave(p, args[0], args[1])) {
		return OUTCOME_OK;
	} else if (strcmp(verb, "notify") == 0 && p->notifier.source.fd < 0 &&
	           addr_parse(args[0], 53, &to) == ERR_OK &&
	           zones_parse(p, args[1], &first, &last)) {
		notify_begin(p, &to, first, last);
		return OUTCOME_LATER;
	} else if (strcmp(verb, "rate") == 0 && rate_command(p, args)) {
		return OUTCOME_LATER;
	} else {
		return OUTCOME_ERROR;
	}
	return OUTCOME_OK;
}

static void command(struct primary *p, char *line)
{
	static const char *const words[] = { "ok\n", "error\n", "" };
	char *rest = NULL;
	const char *verb = strtok_r(line, " ", &rest);
	char *args[5];

	for (unsigned i = 0; i < ARRAY_LEN(args); i++) {
		args[i] = strtok_r(NULL, " ", &rest);
	}
	fputs(words[verb == NULL ? OUTCOME_ERROR : verb_run(p, verb, args)], stdout);
}

static void input_read(struct primary *p, struct input *in)
{
	ssize_t n = read(STDIN_FILENO, in->line + in->len, sizeof(in->line) - 1 - in->len);
	char *end;

	if (n <= 0) {
		p->stop = n == 0 || errno != EINTR;
		return;
	}
	in->len += (size_t)n;
	in->line[in->len] = '\0';
	while ((end = strchr(in->line, '\n')) != NULL) {
		*end = '\0';
		command(p, in->line);
		in->len -= (size_t)(end + 1 - in->line);
		memmove(in->line, end + 1, in->len + 1);
	}
}

/* ---- the loop ---- */

static void clocks_read(struct primary *p)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	p->now_s = (uint64_t)ts.tv_sec;
	p->now_ns = clock_ns();
}

static void event(struct primary *p, struct input *in, const struct epoll_event *e)
{
	struct source *s = e->data.ptr;

	switch (s->kind) {
	case SOURCE_TCP:
		conn_accept(p, s->fd);
		break;
	case SOURCE_UDP:
		datagrams_answer(p, s->fd);
		break;
	case SOURCE_CONN:
		conn_event(p, s, e->events);
		break;
	case SOURCE_INPUT:
		input_read(p, in);
		break;
	case SOURCE_NOTIFY:
		notify_hear(p);
		break;
	case SOURCE_RATE:
		rate_hear(p, s->fd);
		break;
	}
}

static struct timespec pause_until_due(const struct primary *p)
{
	int64_t due_ns = rate_due_ns(p) - p->now_ns;

	if (p->waiting > 0) {
		int64_t wake_ns = (p->wheel_ms + 1) * NS_PER_MS - p->now_ns;
		due_ns = wake_ns < due_ns ? wake_ns : due_ns;
	}
	due_ns = due_ns < 0 ? 0 : due_ns > IDLE_NS ? IDLE_NS : due_ns;
	return (struct timespec){ .tv_nsec = due_ns };
}

static void primary_run(struct primary *p)
{
	struct epoll_event events[EVENTS_MAX];
	struct input in = { .len = 0 };

	clocks_read(p);
	p->wheel_ms = p->now_ns / NS_PER_MS;
	while (!p->stop) {
		struct timespec pause = pause_until_due(p);
		int n = epoll_pwait2(p->epoll, events, EVENTS_MAX, &pause, NULL);
		must(n >= 0 || errno == EINTR, "epoll");
		clocks_read(p);
		for (int i = 0; i < n; i++) {
			event(p, &in, &events[i]);
		}
		if (p->close_all) {
			conns_close(p);
			p->close_all = false;
		}
		wheel_turn(p);
		notify_tick(p);
		rate_turn(p);
		fflush(stdout);
	}
}

static void primary_free(struct primary *p)
{
	conns_close(p);
	while (p->jobs_free != NULL) {
		struct job *j = p->jobs_free;
		p->jobs_free = j->next;
		tsig_stream_fini(&j->tsig);
		free(j);
	}
	tsig_key_unref(p->key);
	farm_fini(&p->farm);
	free(p->out.at);
	free(p);
}

static bool is_flag(const char *text)
{
	return strcmp(text, "--out-of-order") == 0 || strcmp(text, "--one-per-connection") == 0 ||
	       strcmp(text, "--serial") == 0 || strcmp(text, "--sign-notify") == 0;
}

int main(int argc, char **argv)
{
	struct primary *p = mem_zero(1, sizeof(*p));
	const char *names_path = NULL;
	struct rlimit files;

	p->farm =
		(struct farm){ .zones = 1000, .delegations = 100000, .churn = 1000, .seed = 2026 };
	p->samples_per_s = SAMPLES_PER_S;
	p->dice = 0x9e3779b97f4a7c15ULL;
	p->out = writer_of(mem_new(OUT_BYTES), OUT_BYTES);
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		const char *value = is_flag(name) ? "1" : argv[++i];
		if (value == NULL) {
			usage();
		}
		if (strcmp(name, "--names") == 0) {
			names_path = value;
		} else {
			option(p, name, value);
		}
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)prctl(PR_SET_TIMERSLACK, 1UL); /* probes are a fraction of a millisecond apart */
	farm_init(&p->farm);
	primary_open(p);
	if (names_path != NULL) {
		names_write(p, names_path);
	}
	printf("ready\n");
	fflush(stdout);
	primary_run(p);
	primary_free(p);
	return 0;
}
