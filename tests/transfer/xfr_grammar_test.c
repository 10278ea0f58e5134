/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/xfr_grammar_test.c — streams of records as rows of a table.
 *
 * A number is an SOA with that serial, R any other record, and 0 ends the row. */
#include "transfer/xfr_grammar_p.h"

#include "base/bytes.h"
#include "tests/test.h"

#define R UINT32_MAX

struct stream_case {
	const char *name;
	uint32_t have;
	uint32_t stream[14];
	enum err want;
	enum xfr_state state;
};

/* Runs a stream up to its end or its first error. */
static void check(const struct stream_case *c, bool axfr)
{
	struct xfr_grammar g = { .axfr = axfr, .have = { c->have } };
	enum err got = ERR_OK;

	for (const uint32_t *rr = c->stream; *rr != 0 && got == ERR_OK; rr++) {
		got = xfr_grammar_step(&g, *rr != R, (struct serial){ *rr });
	}
	cr_expect(eq(int, got, c->want), "%s: error", c->name);
	cr_expect(eq(int, g.state, c->state), "%s: state", c->name);
	if (c->stream[0] != R) {
		cr_expect(eq(u32, g.target.n, c->stream[0]), "%s: target", c->name);
	}
}

/* RFC 1995 §4, and the whole zone of its §2. */
static const struct stream_case ixfr_cases[] = {
	{ "one difference", 3, { 5, 3, R, 5, R, 5 }, ERR_OK, XFR_END },
	{ "many records", 3, { 5, 3, R, R, R, 5, R, R, 5 }, ERR_OK, XFR_END },
	{ "two differences", 3, { 5, 3, R, 4, R, 4, R, 5, R, 5 }, ERR_OK, XFR_END },
	{ "three", 3, { 6, 3, R, 4, 4, 5, R, 5, R, 6, 6 }, ERR_OK, XFR_END },
	{ "nothing added or deleted", 3, { 5, 3, 5, 5 }, ERR_OK, XFR_END },
	{ "only added", 3, { 5, 3, 5, R, 5 }, ERR_OK, XFR_END },
	{ "only deleted", 3, { 5, 3, R, 5, 5 }, ERR_OK, XFR_END },
	{ "serials jump", 3, { 900, 3, R, 700, R, 700, R, 900, R, 900 }, ERR_OK, XFR_END },
	{ "serial wraps",
	  0xfffffff0U,
	  { 5, 0xfffffff0U, R, 0xfffffffeU, R, 0xfffffffeU, R, 5, R, 5 },
	  ERR_OK,
	  XFR_END },
	{ "no news", 3, { 3 }, ERR_OK, XFR_FIRST },
	{ "not ended", 3, { 5, 3, R, 5, R }, ERR_OK, XFR_ADDING },
	{ "not ended before the next", 3, { 5, 3, R, 4, R }, ERR_OK, XFR_ADDING },
	{ "ended in deletions", 3, { 5, 3, R }, ERR_OK, XFR_DELETING },
	{ "begins with a record", 3, { R, 5 }, ERR_XFR_ORDER, XFR_START },
	{ "begins elsewhere", 3, { 5, 4, R, 5, R, 5 }, ERR_XFR_ORDER, XFR_FIRST },
	{ "second difference skips", 3, { 9, 3, R, 4, R, 5 }, ERR_XFR_ORDER, XFR_ADDING },
	{ "difference goes backward", 3, { 5, 3, R, 2 }, ERR_XFR_ORDER, XFR_DELETING },
	{ "difference stands still", 3, { 5, 3, R, 3 }, ERR_XFR_ORDER, XFR_DELETING },
	{ "difference goes too far", 3, { 5, 3, R, 6 }, ERR_XFR_ORDER, XFR_DELETING },
	{ "ends early", 3, { 5, 3, R, 4, R, 5 }, ERR_XFR_ORDER, XFR_ADDING },
	{ "record after the end", 3, { 5, 3, R, 5, R, 5, R }, ERR_XFR_TRAILING, XFR_END },
	{ "SOA after the end", 3, { 5, 3, R, 5, R, 5, 5 }, ERR_XFR_TRAILING, XFR_END },
	{ "whole zone instead", 3, { 5, R, R, 5 }, ERR_OK, XFR_END },
	{ "whole zone, one SOA inside", 3, { 5, R, 3, R, 5 }, ERR_XFR_ORDER, XFR_WHOLE },
	{ "whole zone, trailing", 3, { 5, R, 5, R }, ERR_XFR_TRAILING, XFR_END },
	{ "whole zone of an SOA", 3, { 5, 5 }, ERR_OK, XFR_END },
	{ "whole zone, same serial", 3, { 3, R, 3 }, ERR_OK, XFR_END },
	{ "SOA twice, same serial", 3, { 3, 3 }, ERR_OK, XFR_END },
	{ "whole zone, older serial", 3, { 2, R, 2 }, ERR_OK, XFR_END },
};

/* RFC 5936 §2.2. */
static const struct stream_case axfr_cases[] = {
	{ "a zone", 0, { 5, R, R, R, 5 }, ERR_OK, XFR_END },
	{ "an SOA alone", 0, { 5 }, ERR_OK, XFR_FIRST },
	{ "SOA twice", 0, { 5, 5 }, ERR_OK, XFR_END },
	{ "not ended", 0, { 5, R, R }, ERR_OK, XFR_WHOLE },
	{ "no SOA", 0, { R }, ERR_XFR_ORDER, XFR_START },
	{ "ends with another SOA", 0, { 5, R, 6 }, ERR_XFR_ORDER, XFR_WHOLE },
	{ "record after the end", 0, { 5, R, 5, R }, ERR_XFR_TRAILING, XFR_END },
	{ "the zone again", 0, { 5, R, 5, 5 }, ERR_XFR_TRAILING, XFR_END },
	{ "differences", 3, { 5, 3, R, 5, R, 5 }, ERR_XFR_ORDER, XFR_FIRST },
	{ "serial that we have", 5, { 5, R, 5 }, ERR_OK, XFR_END },
};

TEST(xfr_grammar, judges_every_ixfr_stream)
{
	for (size_t i = 0; i < ARRAY_LEN(ixfr_cases); i++) {
		check(&ixfr_cases[i], false);
	}
}

TEST(xfr_grammar, judges_every_axfr_stream)
{
	for (size_t i = 0; i < ARRAY_LEN(axfr_cases); i++) {
		check(&axfr_cases[i], true);
	}
}

TEST(xfr_grammar, says_what_each_record_is_for)
{
	static const struct {
		uint32_t rr;
		enum xfr_act act;
	} rows[] = { { 5, XFR_HOLD }, { 3, XFR_DELETE }, { R, XFR_DELETE }, { 4, XFR_ADD },
		     { R, XFR_ADD },  { 4, XFR_DELETE }, { R, XFR_DELETE }, { 5, XFR_ADD },
		     { R, XFR_ADD },  { 5, XFR_MARK } };
	struct xfr_grammar g = { .have = { 3 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_assert(eq(int,
		             xfr_grammar_step(&g, rows[i].rr != R, (struct serial){ rows[i].rr }),
		             ERR_OK));
		cr_expect(eq(int, g.act, rows[i].act), "record %zu", i);
	}
}
