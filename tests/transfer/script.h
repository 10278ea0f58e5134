/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/script.h — a primary that does as it is told, without a network.
 *
 * Its zone at serial n has an apex NS and `size` addresses named h<n> to h<n + size - 1>, so that
 * every serial's content is known, and one step deletes the first name and adds one at the end.
 * From serial `small_from` to `small_to` it has `small_size` addresses only. Other zones come from
 * a `struct script_content`. It answers SOA, AXFR and IXFR, over its whole history, signed where the request was. Faults are
 * asked for by kind of request and so many times.
 *
 * Ownership: init/fini. */
#pragma once

#include "dns/message.h"
#include "dns/serial.h"
#include "dns/tsig.h"
#include "zonestore/builder.h"

#define SCRIPT_SIZE 20 /* addresses of the zone, unless told otherwise */

enum script_fault {
	SCRIPT_FINE,
	SCRIPT_RCODE,          /* answers with RCODE `arg` */
	SCRIPT_NO_AA,          /* without authority */
	SCRIPT_BAD_ID,         /* with another id */
	SCRIPT_BAD_QUESTION,   /* to another question */
	SCRIPT_BAD_OPCODE,     /* with another opcode */
	SCRIPT_NOT_ANSWER,     /* without QR */
	SCRIPT_EMPTY,          /* without records */
	SCRIPT_TRUNCATED,      /* with TC, over UDP */
	SCRIPT_TRAILING,       /* with a record after the end */
	SCRIPT_LATE_SOA,       /* its last SOA is of another version */
	SCRIPT_NO_END,         /* without the last SOA, and then nothing */
	SCRIPT_UNKNOWN_DELETE, /* differences delete what nobody has */
	SCRIPT_KNOWN_ADD,      /* differences add what is there */
	SCRIPT_OUTSIDE,        /* with a record outside of the zone */
	SCRIPT_CLASS,          /* with a record of class CH */
	SCRIPT_META,           /* with a record of a type that no zone has */
	SCRIPT_NO_NS,          /* a zone without NS */
	SCRIPT_CNAME,          /* a zone with CNAME beside other data */
	SCRIPT_CUT,            /* messages end inside the last record */
	SCRIPT_BAD_MAC,        /* a bit of the last MAC is wrong */
	SCRIPT_UNSIGNED,       /* no TSIG at all */
	SCRIPT_UNSIGNED_LAST,  /* no TSIG in the last message */
	SCRIPT_WHOLE,          /* IXFR is answered with the whole zone */
	/* Of the network (script_node.h). */
	SCRIPT_SILENT, /* no answer */
	SCRIPT_CLOSE,  /* closes after `arg` octets of the answer */
	SCRIPT_STALL,  /* sends nothing more after `arg` octets of it */
	/* Of zones that are well-formed. */
	SCRIPT_ZONEMD, /* a ZONEMD that is wrong */
};

enum script_kind {
	SCRIPT_SOA = 1, /* bits */
	SCRIPT_IXFR = 2,
	SCRIPT_AXFR = 4,
	SCRIPT_ALL = 7,
};

struct script;

/* What content is put into; begin each step of the differences with its deletions. */
struct script_sink {
	void (*put)(struct script_sink *sink, const struct rr *rr);
	void (*step)(struct script_sink *sink, bool adding, uint32_t serial);
};

/* Content in place of that of the one zone above. */
struct script_content {
	/* Sets apex, serial and timers of the script for a zone; false: it is refused. */
	bool (*choose)(struct script *s, struct name apex);
	/* All records but the SOA and the NS of the apex. */
	void (*records)(const struct script *s, struct script_sink *sink);
	/* Whether differences from that serial are to be had; if not, the whole zone is sent. */
	bool (*knows)(const struct script *s, uint32_t have);
	void (*changes)(const struct script *s, uint32_t have, struct script_sink *sink);
};

struct script {
	const struct script_content *content; /* NULL: the zone above */
	struct name_buf apex;
	bool any_apex; /* answers for whatever zone it is asked */
	uint32_t serial;
	uint32_t size;
	uint32_t small_from, small_to, small_size; /* to 0: at no serial */
	uint32_t refresh_s, retry_s, expire_s;     /* of the SOA */
	unsigned per_message;  /* records in a message; 0: as many as fit 16 KiB */
	unsigned signed_every; /* sign every so many messages and the last; 0: all */
	struct tsig_key *key;
	uint64_t wall_s; /* when it signs */
	/* The fault at hand. */
	enum script_fault fault;
	unsigned fault_kinds;
	unsigned fault_times; /* left; UINT_MAX: always */
	unsigned fault_arg;
	/* What was asked. */
	unsigned asked[SCRIPT_ALL + 1];
	enum script_fault now; /* of the answer just made */
};

/* Messages, each after its length of two octets. */
struct script_answer {
	uint8_t *at;
	size_t len;
};

/* A zone at serial 1, refresh 1000, retry 100, expire 10000. `key` is referenced. */
void script_init(struct script *s, const char *apex, struct tsig_key *key);
void script_fini(struct script *s);

/* Asks for a fault of so many answers to requests of `kinds`. */
void script_fail(struct script *s, enum script_fault fault, unsigned kinds, unsigned times);

/* Answers a request; the messages are the caller's to free(). Nothing where it stays silent. */
struct script_answer script_ask(struct script *s, struct bytes request, bool udp);

/* The version of `serial`, built apart from any transfer. */
struct snapshot *script_build(const struct script *s, uint32_t serial, struct pool *pool);

/* A key of its own for tests. */
struct tsig_key *script_key(const char *name, const char *secret);

/* A name from text; fails the test if it is none. */
struct name_buf script_name(const char *text);
