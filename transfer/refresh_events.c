/* SPDX-License-Identifier: MIT
 *
 * transfer/refresh_events.c — what the log is told of a zone's life. */
#include "transfer/refresh_events_p.h"

#include "transfer/guard_p.h"

#define FIELDS_MAX 12

/* The key's name goes last and only if there is one. */
static size_t add_key(const struct session *s, struct event_field *f, size_t count)
{
	assert(count < FIELDS_MAX);
	if (s->options.key != NULL) {
		f[count++] = F_NAME("key", name_bytes(tsig_key_name(s->options.key)));
	}
	return count;
}

static struct bytes apex_of(const struct refresh *z)
{
	return name_bytes(zone_apex(refresh_zone(z)));
}

void refresh_event_started(const struct refresh *z, const struct session *s)
{
	struct event_field f[FIELDS_MAX] = { F_NAME("zone", apex_of(z)),
		                             F_ADDR("primary", &s->options.primary),
		                             F_STR("kind", session_kind_print(s)) };

	event_emit(refresh_engine(z)->events, EVENT_TRANSFER_STARTED, f, add_key(s, f, 3));
}

void refresh_event_done(const struct refresh *z, const struct pull *p)
{
	const struct session *s = &p->session;
	double secs = (double)(p->ended_ns - s->started_ns) / (double)NS_PER_S;
	struct event_field f[FIELDS_MAX] = {
		F_NAME("zone", apex_of(z)),
		F_ADDR("primary", &s->options.primary),
		F_STR("kind", session_kind_print(s)),
		F_UINT("messages", s->messages),
		F_UINT("records", s->records),
		F_UINT("bytes", s->bytes),
		F_REAL("secs", secs),
		F_UINT("rate", secs > 0 ? (uint64_t)((double)s->bytes / secs) : s->bytes),
		F_UINT("serial", session_serial(s).n),
	};

	event_emit(refresh_engine(z)->events, EVENT_TRANSFER_DONE, f, add_key(s, f, 9));
	if (s->outside > 0) {
		EVENT(refresh_engine(z)->events, EVENT_TRANSFER_OUTSIDE, F_NAME("zone", apex_of(z)),
		      F_ADDR("primary", &s->options.primary), F_UINT("ignored", s->outside));
	}
}

void refresh_event_pull_failed(const struct refresh *z, const struct session *s, enum err e)
{
	struct event_field f[FIELDS_MAX] = { F_NAME("zone", apex_of(z)),
		                             F_ADDR("primary", &s->options.primary),
		                             F_STR("kind", session_kind_print(s)),
		                             F_ERR("error", e), F_STR("code", err_code(e)) };

	event_emit(refresh_engine(z)->events, EVENT_TRANSFER_FAILED, f, add_key(s, f, 5));
}

void refresh_event_fallback(const struct refresh *z, const struct addr *primary, enum err e)
{
	EVENT(refresh_engine(z)->events, EVENT_TRANSFER_FALLBACK, F_NAME("zone", apex_of(z)),
	      F_ADDR("primary", primary), F_ERR("error", e));
}

void refresh_event_failed(const struct refresh *z, const struct addr *primary, enum err e)
{
	EVENT(refresh_engine(z)->events, EVENT_REFRESH_FAILED, F_NAME("zone", apex_of(z)),
	      F_ADDR("primary", primary), F_ERR("error", e), F_STR("code", err_code(e)));
}

void refresh_event_current(const struct refresh *z, const struct addr *primary,
                           struct serial serial)
{
	EVENT(refresh_engine(z)->events, EVENT_REFRESH_CURRENT, F_NAME("zone", apex_of(z)),
	      F_ADDR("primary", primary), F_UINT("serial", serial.n));
}

void refresh_event_lower(const struct refresh *z, enum event_kind kind, const struct addr *primary,
                         struct serial serial)
{
	EVENT(refresh_engine(z)->events, kind, F_NAME("zone", apex_of(z)),
	      F_ADDR("primary", primary), F_UINT("serial", serial.n),
	      F_UINT("ours", snapshot_source_serial(zone_have(refresh_zone(z))).n));
}

void refresh_event_differs(const struct refresh *z, const struct addr *primary,
                           struct serial serial)
{
	struct snapshot_facts ours;

	snapshot_facts(zone_have(refresh_zone(z)), &ours);
	EVENT(refresh_engine(z)->events, EVENT_CONTENT_DIFFERS, F_NAME("zone", apex_of(z)),
	      F_ADDR("primary", primary), F_UINT("serial", serial.n),
	      F_ADDR("ours", &ours.primary));
}

void refresh_event_known(const struct refresh *z, struct serial serial, struct serial kept)
{
	EVENT(refresh_engine(z)->events, EVENT_CONTENT_KNOWN, F_NAME("zone", apex_of(z)),
	      F_UINT("serial", serial.n), F_UINT("kept", kept.n));
}

void refresh_event_passed(const struct refresh *z, struct serial serial, enum hold_reason why)
{
	EVENT(refresh_engine(z)->events, EVENT_GUARD_PASSED, F_NAME("zone", apex_of(z)),
	      F_UINT("serial", serial.n), F_STR("reason", guard_reason_print(why)));
}

void refresh_event_held(const struct refresh *z)
{
	const struct snapshot *served = zone_borrow(refresh_zone(z));
	struct snapshot_facts held, now = { 0 };

	snapshot_facts(zone_have(refresh_zone(z)), &held);
	if (served != NULL) {
		snapshot_facts(served, &now);
	}
	EVENT(refresh_engine(z)->events, EVENT_VERSION_HELD, F_NAME("zone", apex_of(z)),
	      F_ADDR("primary", &held.primary), F_UINT("serial", held.source_serial.n),
	      F_STR("reason", guard_reason_print(zone_hold(refresh_zone(z)))),
	      F_UINT("records", held.records), F_UINT("served", now.records));
}

void refresh_event_expired(const struct refresh *z, struct serial serial)
{
	EVENT(refresh_engine(z)->events, EVENT_ZONE_EXPIRED, F_NAME("zone", apex_of(z)),
	      F_UINT("serial", serial.n));
}

void refresh_event_recovered(const struct refresh *z)
{
	const struct snapshot *snap = zone_newest(refresh_zone(z));

	EVENT(refresh_engine(z)->events, EVENT_ZONE_RECOVERED, F_NAME("zone", apex_of(z)),
	      F_UINT("serial", snap == NULL ? 0 : snapshot_serial(snap).n));
}
