/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_grammar_p.h — the order of records in a transfer, and what each of them means.
 *
 * The grammar sees kinds of records only: an SOA of the apex with its serial, or any other. It
 * knows both answers to IXFR (differences, RFC 1995 §4, and the whole zone, its §2) and the one to
 * AXFR (RFC 5936 §2.2). {0} with `have` set is the beginning of an answer to IXFR.
 *
 *	START --SOA--> FIRST --other-------------------> WHOLE --SOA target--> END
 *	                 |                                  \__other__/
 *	                 +--SOA have--> DELETING --SOA newer--> ADDING --SOA target--> END
 *	                                   ^ \__other__/          | \__other__/
 *	                                   +------SOA reached-----+ */
#pragma once

#include "base/err.h"
#include "dns/serial.h"

enum xfr_state {
	XFR_START,    /* nothing seen */
	XFR_FIRST,    /* the SOA of the new version; what follows says which form it is */
	XFR_WHOLE,    /* records of the whole zone */
	XFR_DELETING, /* records of the older version that go */
	XFR_ADDING,   /* records of the newer version that come */
	XFR_END,      /* complete */
	XFR_STATES,
};

/* What the record just seen is for. */
enum xfr_act {
	XFR_HOLD,   /* the first SOA: of the zone, if it turns out to come whole */
	XFR_ADD,    /* add it */
	XFR_DELETE, /* delete it */
	XFR_MARK,   /* the SOA that ends the transfer: nothing to do */
};

struct xfr_grammar {
	bool axfr;            /* AXFR was asked for: there are no differences */
	struct serial have;   /* IXFR: the serial that was told to the primary */
	enum xfr_state state; /* moved by xfr_grammar_step() alone, as are those below */
	enum xfr_act act;
	struct serial target; /* serial of the new version */
	struct serial at;     /* differences: the serial reached by the part being read */
};

/* Takes the next record. ERR_XFR_ORDER where it may not stand (the state stays), ERR_XFR_TRAILING
 * after the end. */
MUST_USE enum err xfr_grammar_step(struct xfr_grammar *g, bool soa, struct serial serial);
