/* SPDX-License-Identifier: MIT
 *
 * bench/primary_p.h — the generator primary's parts: what arrives, what goes out, and when.
 *
 * primary.c has the options, the commands and the loop; primary_messages.c makes answers of
 * requests; primary_conn.c has the connections and how the primary behaves on them;
 * primary_notify.c tells a secondary of all zones; primary_rate.c changes zones at a rate and
 * measures when the secondary serves them. One thread, everything belongs to `struct primary`. */
#pragma once

#include "base/addr.h"
#include "bench/farm.h"
#include "dns/tsig.h"

#define LISTENERS_MAX   4096
#define MESSAGE_LEN     16384U /* of a transfer */
#define QUESTION_MAX    (NAME_MAX_LEN + 4U)
#define DATAGRAM_LEN    2048U
#define WHEEL_SLOTS     4096U /* of a millisecond */
#define NS_PER_MS       1000000LL
#define NS_PER_S        1000000000LL
#define NOTIFY_AGAIN_MS 1000

enum source_kind { SOURCE_TCP, SOURCE_UDP, SOURCE_CONN, SOURCE_INPUT, SOURCE_NOTIFY, SOURCE_RATE };

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
	uint32_t zone;
	uint32_t unit;
	uint32_t record; /* of the unit: those before it went into the message before */
	uint16_t from;   /* generations */
	uint16_t to;
};

enum job_kind { JOB_TRANSFER, JOB_SOA, JOB_REFUSAL };

/* A request that is to be answered. */
struct job {
	struct job *next;
	enum job_kind kind;
	uint16_t id;
	uint16_t flags; /* of the request */
	enum rcode rcode;
	struct transfer_out transfer;
	int64_t due_ns; /* not before that */
	struct tsig_stream tsig;
	uint16_t question_len;
	uint8_t question[QUESTION_MAX]; /* as it came */
};

struct conn;

/* How the primary treats those who ask over TCP. */
struct behaviour {
	bool out_of_order;
	bool one_per_connection;
	bool serial;
	uint32_t trickle_ms;
	uint32_t delay_ms;
	uint32_t refuse_over; /* 0: never */
	uint32_t message_records;
};

enum death { DEATH_NONE, DEATH_CLOSE, DEATH_SILENT };

struct counts {
	int64_t first_ns; /* when the first request of any kind came */
	uint64_t connections;
	uint64_t datagrams;
	uint64_t requests; /* over TCP */
	uint64_t soas;     /* over TCP */
	uint64_t transfers;
	uint64_t refused;
	uint64_t dropped;
	uint64_t bad_signatures;
	uint32_t conns_open;
	uint32_t conns_open_max;
	uint32_t open; /* transfers asked for and not at their end */
	uint32_t open_max;
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

struct rate;

struct primary {
	struct farm farm;
	struct behaviour how;
	enum death death;
	bool close_all; /* connections, at the end of this turn */
	bool sign_notify;
	uint32_t samples_per_s; /* changes whose arrival is measured */
	struct tsig_key *key;   /* NULL: nothing is signed */
	int epoll;
	int64_t now_ns; /* of this turn; of the wall clock in seconds: */
	uint64_t now_s;
	uint64_t dice;
	unsigned listener_count;
	struct addr addresses[LISTENERS_MAX];
	struct source sources[2 * LISTENERS_MAX];
	struct conn *conns;
	struct conn *wheel[WHEEL_SLOTS];
	int64_t wheel_ms; /* all before it was woken */
	uint32_t waiting;
	struct job *jobs_free; /* with what TSIG has allocated for them */
	struct writer out;     /* what one connection writes in one go */
	struct source input;
	struct notifier notifier;
	struct rate *rate; /* NULL: idle */
	struct counts counts;
	bool stop;
};

/* ---- primary.c ---- */
_Noreturn void fail(const char *what);
void must(bool good, const char *what);
void watch(const struct primary *p, int op, struct source *s, uint32_t events);
int64_t clock_ns(void);
uint32_t dice_throw(struct primary *p, uint32_t sides);
/* A datagram socket from an address of the primary's, connected to `to`. */
int socket_to(const struct primary *p, const struct addr *to);

/* ---- primary_messages.c ---- */
/* Reads a request into a job whose transfer may begin; false: it is no request that can be
 * answered. A signature that does not verify is answered with NOTAUTH. */
MUST_USE bool job_read(struct primary *p, struct bytes message, struct job *out);

/* Writes the next message of the answer; true if it was the last. `w` has MESSAGE_LEN octets. */
bool job_write(struct primary *p, struct job *j, struct writer *w);

struct job *job_new(struct primary *p);
void job_free(struct primary *p, struct job *j);

/* NOTIFY with the SOA in it, signed if so told; or an SOA query. */
void notify_write(const struct primary *p, uint16_t id, uint32_t zone, struct writer *w);
void query_write(const struct primary *p, uint16_t id, uint32_t zone, struct writer *w);

/* An answer of a secondary: for which zone, and the serial if there is one. */
struct told {
	enum opcode opcode;
	uint16_t id;
	enum rcode rcode;
	uint32_t zone;
	bool has_serial;
	uint32_t serial;
};
MUST_USE bool told_read(const struct primary *p, struct bytes message, struct told *out);

/* ---- primary_conn.c ---- */
void conn_accept(struct primary *p, int fd);
void conn_event(struct primary *p, struct source *s, uint32_t events);
void conns_close(struct primary *p);
void wheel_turn(struct primary *p);
void datagrams_answer(struct primary *p, int fd);

/* ---- primary_notify.c ---- */
void notify_begin(struct primary *p, const struct addr *to, uint32_t first, uint32_t last);
void notify_hear(struct primary *p);
void notify_tick(struct primary *p);

/* ---- primary_rate.c ---- */
struct rate_options {
	struct addr to;
	uint32_t per_s;
	uint32_t seconds; /* 0: nothing is changed, all zones are asked for */
	uint32_t first;
	uint32_t last;
};
void rate_begin(struct primary *p, const struct rate_options *options);
void rate_hear(struct primary *p, int fd);
void rate_turn(struct primary *p);
/* When it wants its next turn. */
int64_t rate_due_ns(const struct primary *p);
