/* SPDX-License-Identifier: MIT
 *
 * transfer/refresh_events_p.h — what the log is told of a zone's life.
 *
 * Ownership: all is borrowed for the call. */
#pragma once

#include "transfer/refresh_p.h"

void refresh_event_started(const struct refresh *z, const struct session *s);
void refresh_event_done(const struct refresh *z, const struct pull *p);
void refresh_event_pull_failed(const struct refresh *z, const struct session *s, enum err e);
void refresh_event_fallback(const struct refresh *z, const struct addr *primary, enum err e);
void refresh_event_failed(const struct refresh *z, const struct addr *primary, enum err e);
void refresh_event_current(const struct refresh *z, const struct addr *primary,
                           struct serial serial);
/* `kind` is one of the events about a serial that is lower than ours. */
void refresh_event_lower(const struct refresh *z, enum event_kind kind, const struct addr *primary,
                         struct serial serial);
void refresh_event_differs(const struct refresh *z, const struct addr *primary,
                           struct serial serial);
void refresh_event_known(const struct refresh *z, struct serial serial, struct serial kept);
void refresh_event_passed(const struct refresh *z, struct serial serial, enum hold_reason why);
void refresh_event_held(const struct refresh *z);
void refresh_event_expired(const struct refresh *z, struct serial serial);
void refresh_event_recovered(const struct refresh *z);
