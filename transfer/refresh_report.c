/* SPDX-License-Identifier: MIT
 *
 * transfer/refresh_report.c — what an operator is told of a zone. */
#include "transfer/refresh_p.h"

void refresh_report(const struct refresh *z, struct transfer_zone_report *out)
{
	const struct zone_policy *policy = refresh_policy(z);
	const struct snapshot *snap = zone_newest(refresh_zone(z));
	struct zone_timers timers = zone_timers(refresh_zone(z));

	*out = (struct transfer_zone_report){ .busy = z->state != REFRESH_IDLE &&
		                                      z->state != REFRESH_PARKED };
	if ((z->marks & ZONE_DIFFERS) != 0 && z->differs < policy->primary_count) {
		out->differs = policy->primaries[z->differs].addr;
	}
	if (z->last < policy->primary_count) {
		const struct policy_primary *p = &policy->primaries[z->last];

		out->primary = p->addr;
		memcpy(out->primary_name, p->name, sizeof(out->primary_name));
	} else if (snap != NULL) {
		struct snapshot_facts facts;

		snapshot_facts(snap, &facts);
		out->primary = facts.primary;
	}
	if (zone_expired(refresh_zone(z))) {
		out->state = TRANSFER_ZONE_EXPIRED;
	} else if (timers.failing_since_s != 0) {
		out->state = TRANSFER_ZONE_FAILING;
	} else if (snap == NULL) {
		out->state = TRANSFER_ZONE_NEW;
	} else {
		out->state = out->busy ? TRANSFER_ZONE_REFRESHING : TRANSFER_ZONE_OK;
	}
}
