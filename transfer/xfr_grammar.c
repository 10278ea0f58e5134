/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_grammar.c — the order of records in a transfer. */
#include "transfer/xfr_grammar_p.h"

#include "base/bytes.h"

#define MAY(state) (1U << (state))

static const unsigned edges[XFR_STATES] = {
	[XFR_START] = MAY(XFR_FIRST),
	[XFR_FIRST] = MAY(XFR_WHOLE) | MAY(XFR_DELETING) | MAY(XFR_END),
	[XFR_WHOLE] = MAY(XFR_WHOLE) | MAY(XFR_END),
	[XFR_DELETING] = MAY(XFR_DELETING) | MAY(XFR_ADDING),
	[XFR_ADDING] = MAY(XFR_ADDING) | MAY(XFR_DELETING) | MAY(XFR_END),
	[XFR_END] = 0,
};

static enum err grammar_move(struct xfr_grammar *g, enum xfr_state to, enum xfr_act act)
{
	assert(to < XFR_STATES);
	assert((edges[g->state] & MAY(to)) != 0);
	g->state = to;
	g->act = act;
	return ERR_OK;
}

/* RFC 5936 §2.2: the SOA stands first and last, and nowhere else. */
static enum err grammar_whole(struct xfr_grammar *g, bool soa, struct serial serial)
{
	if (!soa) {
		return grammar_move(g, XFR_WHOLE, XFR_ADD);
	}
	if (serial_equal(serial, g->target)) {
		return grammar_move(g, XFR_END, XFR_MARK);
	}
	return ERR_XFR_ORDER; /* the zone changed under the transfer */
}

/* RFC 1995 §4: the second record of differences is the SOA that the client has. */
static enum err grammar_first(struct xfr_grammar *g, bool soa, struct serial serial)
{
	if (!g->axfr && soa && serial_equal(serial, g->have) && !serial_equal(serial, g->target)) {
		g->at = serial;
		return grammar_move(g, XFR_DELETING, XFR_DELETE);
	}
	return grammar_whole(g, soa, serial);
}

/* The SOA that ends the deletions is of a newer version, at most the one announced. */
static enum err grammar_deleting(struct xfr_grammar *g, bool soa, struct serial serial)
{
	if (!soa) {
		return grammar_move(g, XFR_DELETING, XFR_DELETE);
	}
	if (!serial_newer(serial, g->at) || serial_newer(serial, g->target)) {
		return ERR_XFR_ORDER;
	}
	g->at = serial;
	return grammar_move(g, XFR_ADDING, XFR_ADD);
}

/* The next difference begins where this one ended; the last ends at the version announced. */
static enum err grammar_adding(struct xfr_grammar *g, bool soa, struct serial serial)
{
	if (!soa) {
		return grammar_move(g, XFR_ADDING, XFR_ADD);
	}
	if (!serial_equal(serial, g->at)) {
		return ERR_XFR_ORDER;
	}
	if (serial_equal(serial, g->target)) {
		return grammar_move(g, XFR_END, XFR_MARK);
	}
	return grammar_move(g, XFR_DELETING, XFR_DELETE);
}

enum err xfr_grammar_step(struct xfr_grammar *g, bool soa, struct serial serial)
{
	switch (g->state) {
	case XFR_START:
		if (!soa) {
			return ERR_XFR_ORDER;
		}
		g->target = serial;
		return grammar_move(g, XFR_FIRST, XFR_HOLD);
	case XFR_FIRST:
		return grammar_first(g, soa, serial);
	case XFR_WHOLE:
		return grammar_whole(g, soa, serial);
	case XFR_DELETING:
		return grammar_deleting(g, soa, serial);
	case XFR_ADDING:
		return grammar_adding(g, soa, serial);
	case XFR_END:
		return ERR_XFR_TRAILING;
	case XFR_STATES:
		break;
	}
	assert(false);
	return ERR_XFR_ORDER;
}
