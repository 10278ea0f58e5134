/* SPDX-License-Identifier: MIT
 *
 * base/err.h — every way in which something can fail, and whose fault it is.
 *
 * An error is one enum. Its class says who is to blame, which is all that most callers ask: a local
 * fault is retried here, a wire or peer fault moves on to the next primary, a policy fault is shown
 * to the operator. `errno` and `-cqe.res` become an enum err at the door and go no further. */
#pragma once

#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))

enum err {
	ERR_OK = 0,

	/* Local: this machine. */
	ERR_NO_MEMORY = 1, /* the system refused memory */
	ERR_DISK_FULL,     /* no space left for the database */
	ERR_DISK_READONLY, /* the database may not be written */
	ERR_DISK,          /* any other failure of the database's files */
	ERR_STORE_CORRUPT, /* a stored node or record fails its check */
	ERR_SYSTEM,        /* any other failed system call */
	ERR_BUSY,          /* a bounded queue is full; try again later */
	ERR_STOPPING,      /* the daemon is going down */

	/* Wire: malformed octets. */
	ERR_WIRE_SHORT = 32, /* the message ends inside a field */
	ERR_WIRE_NAME, /* label, pointer or length of a name is invalid (RFC 1035 §3.1, §4.1.4) */
	ERR_WIRE_RDATA,    /* rdata does not have the form of its type */
	ERR_WIRE_TRAILING, /* octets after the end of a message */
	ERR_WIRE_HEADER,   /* header counts or flags that cannot be */
	ERR_WIRE_TSIG, /* TSIG or OPT where it must not stand (RFC 8945 §5.1, RFC 6891 §6.1.1) */

	/* Peer: what the other side did, or did not do. */
	ERR_PEER_REFUSED = 64,  /* connection refused */
	ERR_PEER_UNREACHABLE,   /* no route, network or host down */
	ERR_PEER_CLOSED,        /* closed or reset before the end */
	ERR_PEER_TIMEOUT,       /* no answer, or no progress, in time */
	ERR_PEER_FORMERR,       /* answered with RCODE FORMERR */
	ERR_PEER_SERVFAIL,      /* answered with RCODE SERVFAIL */
	ERR_PEER_NXDOMAIN,      /* answered with RCODE NXDOMAIN */
	ERR_PEER_NOTIMP,        /* answered with RCODE NOTIMP */
	ERR_PEER_REFUSED_QUERY, /* answered with RCODE REFUSED */
	ERR_PEER_NOTAUTH,       /* answered with RCODE NOTAUTH, or without AA */
	ERR_PEER_RCODE,         /* answered with another RCODE */
	ERR_PEER_MISMATCH,      /* id, question, opcode or QR do not fit what was asked */
	ERR_TSIG_BADKEY,        /* unknown key, on our side or theirs (RFC 8945 §5.2.1) */
	ERR_TSIG_BADSIG,        /* MAC does not fit (RFC 8945 §5.2.2) */
	ERR_TSIG_BADTIME,       /* clock outside of fudge (RFC 8945 §5.2.3) */
	ERR_TSIG_BADTRUNC,      /* MAC truncated below what is allowed (RFC 8945 §5.2.4) */
	ERR_TSIG_MISSING,       /* an answer that had to be signed is not */
	ERR_XFR_ORDER,          /* records out of the order of RFC 5936 §2.2 or RFC 1995 §4 */
	ERR_XFR_TRAILING,       /* records after the final SOA */
	ERR_XFR_EMPTY,          /* a message of a transfer without any record */
	ERR_XFR_MISMATCH,       /* a difference deletes what we lack or adds what we have */

	/* Policy: well-formed but unwanted. */
	ERR_BUDGET = 128,  /* more memory than this job may take */
	ERR_LIMIT_BYTES,   /* transfer-bytes exceeded */
	ERR_LIMIT_RECORDS, /* transfer-records exceeded */
	ERR_LIMIT_TIME,    /* transfer-time exceeded */
	ERR_LIMIT_IDLE,    /* idle-time exceeded */
	ERR_ZONE_NO_SOA,   /* no SOA at the apex, or more than one */
	ERR_ZONE_NO_NS,    /* no NS at the apex */
	ERR_ZONE_CNAME,    /* CNAME beside other data, or several */
	ERR_ZONE_OUTSIDE,  /* owner name outside of the zone */
	ERR_ZONE_CLASS,    /* class other than the zone's */
	ERR_ZONE_TYPE,     /* a type that cannot stand in a zone (meta or query type) */
	ERR_SERIAL_OLD,    /* the primary's serial is older than ours (RFC 1982) */
	ERR_NOT_ALLOWED,   /* not on the access list */
	ERR_NOT_FOUND,     /* no such zone, key or record */
	ERR_CONFIG,        /* a setting is wrong */
	ERR_TEXT,          /* presentation form that cannot be read */
	ERR_SERIAL_BACK,   /* the primary's serial is that of an older version that is kept */
	ERR_GUARD_SHRUNK,  /* lost more of its records than shrink-percent */
	ERR_GUARD_ZONEMD,  /* has a ZONEMD, and its digest is wrong (RFC 8976) */
	ERR_GUARD_RECORDS, /* max-records exceeded */
	ERR_GUARD_BYTES,   /* max-bytes exceeded */
	ERR_COUNT,
};

enum err_class {
	ERR_CLASS_NONE,
	ERR_CLASS_LOCAL,
	ERR_CLASS_WIRE,
	ERR_CLASS_PEER,
	ERR_CLASS_POLICY,
};

/* Returns early with the error of `expr`. Only where nothing needs releasing. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		enum err try_err_ = (expr);                                                        \
		if (try_err_ != ERR_OK) {                                                          \
			return try_err_;                                                           \
		}                                                                                  \
	} while (0)

enum err_class err_class(enum err e);

/* A short fixed code for programs ("tsig-badsig"), and a sentence for people. Static strings. */
const char *err_code(enum err e);
const char *err_text(enum err e);

/* Turns a positive errno into an enum err. */
enum err err_from_errno(int errnum);

/* Turns an RCODE of an answer (RFC 6895 §2.3) into an enum err; NOERROR is ERR_OK. */
enum err err_from_rcode(uint16_t rcode);
