/* SPDX-License-Identifier: MIT
 *
 * transfer/policy.c — the settings of a zone that transfers look at. */
#include "transfer/policy.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"

static const struct policy_limits limits_default = {
	.transfer_bytes = 1ULL << 30,
	.transfer_time_s = 2 * 3600,
	.idle_time_s = 30,
	.min_refresh_s = 60,
	.max_refresh_s = 24 * 3600,
	.min_retry_s = 10,
	.max_retry_s = 3600,
	.min_expire_s = 3600,
};

static const struct policy_guard guard_default = {
	.no_ns = GUARD_REFUSE,
	.shrunk = GUARD_HOLD,
	.shrink_percent = 90,
	.shrink_records = 1000,
	.zonemd = GUARD_HOLD,
	.limit = GUARD_REFUSE,
};

static const struct version_limits history_default = { .count = 20, .age_s = 7 * 86400 };

struct zone_policy *zone_policy_new(void)
{
	struct zone_policy *p = mem_zero(1, sizeof(*p));

	atomic_init(&p->refs, 1);
	p->limits = limits_default;
	p->guard = guard_default;
	p->history = history_default;
	p->compare_s = 24 * 3600;
	return p;
}

struct zone_policy *zone_policy_ref(struct zone_policy *p)
{
	uint32_t before = atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);

	assert(before > 0 && before < UINT32_MAX);
	(void)before;
	return p;
}

static void access_free(struct policy_access *a, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		tsig_key_unref(a[i].key);
	}
	free(a);
}

void zone_policy_unref(struct zone_policy *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) {
		return;
	}
	for (size_t i = 0; i < p->primary_count; i++) {
		tsig_key_unref(p->primaries[i].key);
	}
	for (size_t i = 0; i < p->notify_count; i++) {
		tsig_key_unref(p->notify[i].key);
	}
	access_free(p->allow_notify, p->allow_notify_count);
	access_free(p->allow_transfer, p->allow_transfer_count);
	free(p->primaries);
	free(p->notify);
	free(p);
}

static bool keys_equal(const struct tsig_key *a, const struct tsig_key *b)
{
	if (a == NULL || b == NULL) {
		return a == b;
	}
	return a == b || tsig_key_equal(a, b);
}

static bool source_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && (a->family == 0 || addr_same_ip(a, b));
}

bool zone_policy_refetch(const struct zone_policy *a, const struct zone_policy *b)
{
	if (a->primary_count != b->primary_count) {
		return true;
	}
	for (size_t i = 0; i < a->primary_count; i++) {
		if (!addr_equal(&a->primaries[i].addr, &b->primaries[i].addr) ||
		    !keys_equal(a->primaries[i].key, b->primaries[i].key)) {
			return true;
		}
	}
	return false;
}

static bool access_equal(const struct policy_access *a, const struct policy_access *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (a[i].any_addr != b[i].any_addr || !keys_equal(a[i].key, b[i].key)) {
			return false;
		}
		if (!a[i].any_addr && (!addr_same_ip(&a[i].range.lo, &b[i].range.lo) ||
		                       !addr_same_ip(&a[i].range.hi, &b[i].range.hi))) {
			return false;
		}
	}
	return true;
}

static bool targets_equal(const struct policy_target *a, const struct policy_target *b,
                          size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!addr_equal(&a[i].addr, &b[i].addr) ||
		    !source_equal(&a[i].source, &b[i].source) || !keys_equal(a[i].key, b[i].key)) {
			return false;
		}
	}
	return true;
}

static bool pace_equal(const struct policy_pace *a, const struct policy_pace *b)
{
	return a->connections == b->connections && a->transfers == b->transfers &&
	       a->queries_per_s == b->queries_per_s;
}

static bool primaries_look_equal(const struct zone_policy *a, const struct zone_policy *b)
{
	for (size_t i = 0; i < a->primary_count; i++) {
		if (!source_equal(&a->primaries[i].source, &b->primaries[i].source) ||
		    !pace_equal(&a->primaries[i].pace, &b->primaries[i].pace) ||
		    strcmp(a->primaries[i].name, b->primaries[i].name) != 0) {
			return false;
		}
	}
	return true;
}

static bool limits_equal(const struct policy_limits *a, const struct policy_limits *b)
{
	return a->transfer_bytes == b->transfer_bytes &&
	       a->transfer_records == b->transfer_records &&
	       a->transfer_time_s == b->transfer_time_s && a->idle_time_s == b->idle_time_s &&
	       a->min_refresh_s == b->min_refresh_s && a->max_refresh_s == b->max_refresh_s &&
	       a->min_retry_s == b->min_retry_s && a->max_retry_s == b->max_retry_s &&
	       a->min_expire_s == b->min_expire_s && a->max_expire_s == b->max_expire_s;
}

static bool guards_equal(const struct policy_guard *a, const struct policy_guard *b)
{
	return a->no_ns == b->no_ns && a->shrunk == b->shrunk &&
	       a->shrink_percent == b->shrink_percent && a->shrink_records == b->shrink_records &&
	       a->zonemd == b->zonemd && a->limit == b->limit && a->records_max == b->records_max &&
	       a->bytes_max == b->bytes_max && a->follow_lower == b->follow_lower;
}

static bool histories_equal(const struct version_limits *a, const struct version_limits *b)
{
	return a->count == b->count && a->age_s == b->age_s && a->bytes == b->bytes;
}

bool zone_policy_equal(const struct zone_policy *a, const struct zone_policy *b)
{
	return !zone_policy_refetch(a, b) && primaries_look_equal(a, b) &&
	       a->allow_notify_count == b->allow_notify_count &&
	       a->allow_transfer_count == b->allow_transfer_count &&
	       a->notify_count == b->notify_count &&
	       access_equal(a->allow_notify, b->allow_notify, a->allow_notify_count) &&
	       access_equal(a->allow_transfer, b->allow_transfer, a->allow_transfer_count) &&
	       targets_equal(a->notify, b->notify, a->notify_count) &&
	       limits_equal(&a->limits, &b->limits) && guards_equal(&a->guard, &b->guard) &&
	       histories_equal(&a->history, &b->history) && a->newest == b->newest &&
	       a->compare_s == b->compare_s;
}

/* Where a key is named, the message was signed with that very key. */
static bool key_serves(const struct tsig_key *wanted, const struct tsig_key *used)
{
	return wanted == NULL || (used != NULL && keys_equal(wanted, used));
}

static bool access_allows(const struct policy_access *a, size_t count, const struct addr *from,
                          const struct tsig_key *key)
{
	for (size_t i = 0; i < count; i++) {
		if ((a[i].any_addr || addr_range_has(&a[i].range, from)) &&
		    key_serves(a[i].key, key)) {
			return true;
		}
	}
	return false;
}

bool policy_may_notify(const struct zone_policy *p, const struct addr *from,
                       const struct tsig_key *key)
{
	/* Primaries that sign transfers seldom sign NOTIFY. It only makes us ask, so the address will do. */
	for (size_t i = 0; i < p->primary_count; i++) {
		if (addr_same_ip(&p->primaries[i].addr, from)) {
			return true;
		}
	}
	return access_allows(p->allow_notify, p->allow_notify_count, from, key);
}

bool policy_may_transfer(const struct zone_policy *p, const struct addr *from,
                         const struct tsig_key *key)
{
	return access_allows(p->allow_transfer, p->allow_transfer_count, from, key);
}
