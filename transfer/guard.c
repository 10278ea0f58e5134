/* SPDX-License-Identifier: MIT
 *
 * transfer/guard.c — whether a new version may be served. */
#include "transfer/guard_p.h"

#include <assert.h>

/* Adds an objection: the first refusal stands, else the first reason to hold. */
static void object(struct guard_verdict *v, enum guard_act act, enum hold_reason why, enum err e)
{
	if (act > v->act) {
		*v = (struct guard_verdict){ act, why, e };
	}
}

static void judge_ns(const struct guard_case *c, struct guard_verdict *v)
{
	if (!snapshot_has_ns(c->fresh)) {
		object(v, c->guard->no_ns, HOLD_NO_NS, ERR_ZONE_NO_NS);
	}
}

static void judge_size(const struct guard_case *c, struct guard_verdict *v)
{
	const struct policy_guard *g = c->guard;
	struct snapshot_facts facts;

	snapshot_facts(c->fresh, &facts);
	if (g->records_max != 0 && facts.records > g->records_max) {
		object(v, g->limit, HOLD_LIMIT, ERR_GUARD_RECORDS);
	}
	if (g->bytes_max != 0 && facts.bytes > g->bytes_max) {
		object(v, g->limit, HOLD_LIMIT, ERR_GUARD_BYTES);
	}
}

static void judge_shrunk(const struct guard_case *c, struct guard_verdict *v)
{
	const struct policy_guard *g = c->guard;
	struct snapshot_facts fresh, served;
	uint64_t lost;

	if (c->served == NULL) {
		return;
	}
	snapshot_facts(c->fresh, &fresh);
	snapshot_facts(c->served, &served);
	lost = served.records > fresh.records ? served.records - fresh.records : 0;
	if (served.records > g->shrink_records &&
	    lost * 100 > (uint64_t)served.records * g->shrink_percent) {
		object(v, g->shrunk, HOLD_SHRUNK, ERR_GUARD_SHRUNK);
	}
}

/* All but the digest. */
static struct guard_verdict judge_rest(const struct guard_case *c)
{
	struct guard_verdict v = { GUARD_OFF, HOLD_NONE, ERR_OK };

	static_assert(GUARD_OFF < GUARD_HOLD && GUARD_HOLD < GUARD_REFUSE, "in order of severity");
	assert(!c->expired || c->served == NULL);
	judge_ns(c, &v);
	judge_size(c, &v);
	judge_shrunk(c, &v);
	return v;
}

bool guard_wants_zonemd(const struct guard_case *c)
{
	return c->guard->zonemd > judge_rest(c).act;
}

struct guard_verdict guard_judge(const struct guard_case *c)
{
	struct guard_verdict v = judge_rest(c);

	if (c->zonemd == ZONEMD_BAD) {
		object(&v, c->guard->zonemd, HOLD_ZONEMD, ERR_GUARD_ZONEMD);
	}
	if (v.act == GUARD_HOLD && c->expired) {
		v.act = GUARD_OFF;
	}
	return v;
}

const char *guard_reason_print(enum hold_reason why)
{
	static const char *const texts[HOLD_REASONS] = {
		[HOLD_NONE] = "nothing is wrong with it",
		[HOLD_PINNED] = "the zone is pinned",
		[HOLD_REJECTED] = "it was rejected",
		[HOLD_NO_NS] = "no NS at the apex",
		[HOLD_SHRUNK] = "it lost too many of its records",
		[HOLD_ZONEMD] = "it does not fit its ZONEMD digest",
		[HOLD_LIMIT] = "it is larger than the zone may be",
	};

	assert(why < HOLD_REASONS);
	return texts[why];
}
