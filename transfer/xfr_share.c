/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_share.c — pages of the versions that are being sent to several clients. */
#include "transfer/xfr_share.h"

#include <stdlib.h>

#include "base/arena.h"

struct xfr_run {
	const struct snapshot *snap; /* NULL: free */
	unsigned users;
	uint64_t clock; /* of uses */
	struct xfr_page *pages[XFR_SHARE_PLACES][XFR_SHARE_WAYS];
};

struct xfr_share {
	struct xfr_run runs[XFR_SHARE_RUNS_MAX];
};

struct xfr_share *xfr_share_new(void)
{
	return mem_zero(1, sizeof(struct xfr_share));
}

void xfr_share_free(struct xfr_share *share)
{
	for (unsigned i = 0; share != NULL && i < XFR_SHARE_RUNS_MAX; i++) {
		assert(share->runs[i].users == 0);
	}
	free(share);
}

struct xfr_run *xfr_share_join(struct xfr_share *share, const struct snapshot *snap)
{
	struct xfr_run *run = NULL;
	struct snapshot_facts facts;

	for (unsigned i = 0; share != NULL && i < XFR_SHARE_RUNS_MAX; i++) {
		if (share->runs[i].snap == snap) {
			run = &share->runs[i];
			break;
		}
		if (run == NULL && share->runs[i].users == 0) {
			run = &share->runs[i];
		}
	}
	if (run == NULL) {
		return NULL;
	}
	snapshot_facts(snap, &facts);
	if (facts.bytes < XFR_SHARE_FROM_BYTES) {
		return NULL;
	}
	run->snap = snap;
	run->users++;
	return run;
}

void xfr_run_leave(struct xfr_run *run)
{
	if (run == NULL) {
		return;
	}
	assert(run->users > 0);
	if (--run->users > 0) {
		return;
	}
	for (unsigned p = 0; p < XFR_SHARE_PLACES; p++) {
		for (unsigned w = 0; w < XFR_SHARE_WAYS; w++) {
			free(run->pages[p][w]);
		}
	}
	*run = (struct xfr_run){ 0 };
}

const struct xfr_page *xfr_run_find(struct xfr_run *run, struct xfr_place place)
{
	struct xfr_page **ways = run->pages[place.message % XFR_SHARE_PLACES];

	for (unsigned w = 0; w < XFR_SHARE_WAYS && ways[w] != NULL; w++) {
		if (ways[w]->place.message == place.message &&
		    ways[w]->place.record == place.record) {
			ways[w]->used = ++run->clock;
			return ways[w];
		}
	}
	return NULL;
}

void xfr_run_keep(struct xfr_run *run, struct xfr_place place, struct bytes records, unsigned count,
                  const struct snapshot_render *after)
{
	struct xfr_page **ways = run->pages[place.message % XFR_SHARE_PLACES];
	struct xfr_page **oldest = &ways[0];

	if (run->users < 2 || records.len > XFR_PAGE_MAX_LEN) {
		return;
	}
	for (unsigned w = 0; w < XFR_SHARE_WAYS && *oldest != NULL; w++) {
		if (ways[w] == NULL || ways[w]->used < (*oldest)->used) {
			oldest = &ways[w];
		}
	}
	if (*oldest == NULL) {
		*oldest = mem_new(sizeof(**oldest) + XFR_PAGE_MAX_LEN);
	}
	(*oldest)->place = place;
	(*oldest)->used = ++run->clock;
	(*oldest)->after = *after;
	(*oldest)->count = count;
	(*oldest)->len = records.len;
	memcpy((*oldest)->octets, records.at, records.len);
}
