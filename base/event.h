/* SPDX-License-Identifier: MIT
 *
 * base/event.h — what happened, as one typed event per outcome.
 *
 * Every event stands in the table of event.c with its name, level and sentence; `docs/events.md`
 * is made of the same table. Code emits values; text is made by the sink, as a line for people or as
 * a JSON object. A sentence names fields in braces: "zone {zone}: held at serial {serial}". Fields
 * that the sentence does not name follow it as `key=value`. Octets from outside are escaped by the
 * sink.
 *
 * Ownership: fields are borrowed for the duration of the call. */
#pragma once

#include <stdatomic.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/env.h"

enum event_level {
	LEVEL_ERROR,
	LEVEL_WARNING,
	LEVEL_INFO,
	LEVEL_DEBUG,
};

enum event_kind {
	EVENT_STARTED,           /* version, workers, zones */
	EVENT_STOPPING,          /* reason */
	EVENT_STOPPED,           /* */
	EVENT_LISTENING,         /* address */
	EVENT_CONFIG_LOADED,     /* path, zones, added, removed, changed */
	EVENT_CONFIG_FAILED,     /* error */
	EVENT_RESTART_NEEDED,    /* path */
	EVENT_SYSTEM_FAILED,     /* what, error */
	EVENT_TRANSFER_STARTED,  /* zone, primary, kind, key */
	EVENT_TRANSFER_DONE,     /* zone, primary, kind, key, messages, records, bytes, secs, rate,
	                            serial */
	EVENT_TRANSFER_FAILED,   /* zone, primary, kind, key, error, code */
	EVENT_TRANSFER_FALLBACK, /* zone, primary, error */
	EVENT_TRANSFER_OUTSIDE,  /* zone, primary, ignored */
	EVENT_REFRESH_CURRENT,   /* zone, primary, serial */
	EVENT_REFRESH_FAILED,    /* zone, primary, error, code */
	EVENT_PRIMARY_DOWN,      /* primary, error */
	EVENT_PRIMARY_UP,        /* primary */
	EVENT_PRIMARY_ABILITY,   /* primary, ability */
	EVENT_SERIAL_LOWER,      /* zone, primary, serial, ours */
	EVENT_SERIAL_BACK,       /* zone, primary, serial, ours */
	EVENT_SERIAL_FOLLOWED,   /* zone, primary, serial, ours */
	EVENT_CONTENT_KNOWN,     /* zone, serial, kept */
	EVENT_CONTENT_DIFFERS,   /* zone, primary, serial, ours */
	EVENT_VERSION_HELD,      /* zone, primary, serial, reason, records, served */
	EVENT_GUARD_PASSED,      /* zone, serial, reason */
	EVENT_ZONE_EXPIRED,      /* zone, serial */
	EVENT_ZONE_RECOVERED,    /* zone, serial */
	EVENT_ZONE_PUBLISHED,    /* zone, serial, root, records */
	EVENT_NOTIFY_IN,         /* zone, from, serial */
	EVENT_NOTIFY_REFUSED,    /* zone, from, error */
	EVENT_NOTIFY_OUT,        /* zone, to, serial */
	EVENT_NOTIFY_OUT_FAILED, /* zone, to, error */
	EVENT_NOTIFY_SILENT,     /* to, zones */
	EVENT_NOTIFY_ANSWERED,   /* to, secs, zones, dropped */
	EVENT_NOTIFY_GIVEN_UP,   /* to, zones, secs */
	EVENT_XFR_OUT_DONE, /* zone, to, kind, key, messages, records, bytes, secs, rate, serial */
	EVENT_XFR_OUT_REFUSED, /* zone, to, error */
	EVENT_XFR_OUT_FAILED,  /* zone, to, error */
	EVENT_STORE_LOADED,    /* zones, nodes, bytes, secs */
	EVENT_STORE_FAILED,    /* error */
	EVENT_STORE_RECOVERED, /* */
	EVENT_STORE_CORRUPT,   /* zone, what */
	EVENT_STORE_SET_ASIDE, /* path */
	EVENT_TSIG_FAILED,     /* from, key, error */
	EVENT_COUNT,
};

enum event_type {
	FIELD_STR,  /* NUL-terminated, printed as it is (ours) */
	FIELD_TEXT, /* octets from outside, escaped */
	FIELD_NAME, /* an uncompressed name in wire form */
	FIELD_UINT,
	FIELD_INT,
	FIELD_REAL, /* three decimals */
	FIELD_ADDR,
	FIELD_ERR, /* the sentence; JSON has the code */
};

struct event_field {
	const char *name;
	enum event_type type;
	union {
		const char *str;
		struct bytes bytes;
		uint64_t uint;
		int64_t sint;
		double real;
		const struct addr *addr;
		enum err err;
	};
};

#define F_STR(n, v)  ((struct event_field){ .name = (n), .type = FIELD_STR, .str = (v) })
#define F_TEXT(n, v) ((struct event_field){ .name = (n), .type = FIELD_TEXT, .bytes = (v) })
#define F_NAME(n, v) ((struct event_field){ .name = (n), .type = FIELD_NAME, .bytes = (v) })
#define F_UINT(n, v) ((struct event_field){ .name = (n), .type = FIELD_UINT, .uint = (v) })
#define F_INT(n, v)  ((struct event_field){ .name = (n), .type = FIELD_INT, .sint = (v) })
#define F_REAL(n, v) ((struct event_field){ .name = (n), .type = FIELD_REAL, .real = (v) })
#define F_ADDR(n, v) ((struct event_field){ .name = (n), .type = FIELD_ADDR, .addr = (v) })
#define F_ERR(n, v)  ((struct event_field){ .name = (n), .type = FIELD_ERR, .err = (v) })

enum event_format {
	EVENT_FORMAT_TEXT,
	EVENT_FORMAT_JSON,
};

/* A sink. One per process, shared by all threads: a line is made on the caller's stack and written
 * with one call of `write_fn`. Tests pass their own. */
struct events {
	_Atomic int level;  /* enum event_level: what is less urgent is dropped */
	_Atomic int format; /* enum event_format */
	bool timestamps;    /* off where the journal adds its own */
	const struct env *env;
	void *self;
	void (*write_fn)(void *self, const char *line, size_t len);
	/* Also told of every event above the level, before it is made into text; may be NULL. */
	void (*watch_fn)(void *self, enum event_kind kind, const struct event_field *fields,
	                 size_t count);
};

/* A sink that writes to a file descriptor. */
void events_init(struct events *ev, const struct env *env, int fd);

const char *event_name(enum event_kind kind);
enum event_level event_level(enum event_kind kind);

void event_emit(struct events *ev, enum event_kind kind, const struct event_field *fields,
                size_t count);

/* EVENT(ev, EVENT_X, F_NAME("zone", apex), F_UINT("serial", 5)); */
#define EVENT(ev, kind, ...)                                                                       \
	event_emit((ev), (kind), (const struct event_field[]){ __VA_ARGS__ },                      \
	           sizeof((const struct event_field[]){ __VA_ARGS__ }) /                           \
	                   sizeof(struct event_field))

/* Prints an uncompressed wire name with RFC 1035 §5.1 escapes and a trailing dot; cuts rather than
 * overruns. `cap` of EVENT_NAME_MAX holds any name. Returns the length without the NUL. */
#define EVENT_NAME_MAX 1025
size_t event_print_name(struct bytes wire, char *out, size_t cap);
