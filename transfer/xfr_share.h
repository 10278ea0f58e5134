/* SPDX-License-Identifier: MIT
 *
 * transfer/xfr_share.h — the records of whole zones as they stand in messages, made once for all
 * clients that are sent the same version at the same time.
 *
 * A page is what one message holds of a version from some record on: the same for every client whose
 * messages begin alike. While two or more are in a run, pages are kept for those who come after, as
 * many as there is room for: the longest unused goes first, so clients that are far apart each make
 * their own. One shard's. Those in a run hold its version.
 *
 * Ownership: new/free; whoever joined leaves; pages are borrowed until the next call. */
#pragma once

#include "zonestore/render.h"

#define XFR_PAGE_MAX_LEN     (16U * 1024) /* octets of records in a message */
#define XFR_SHARE_FROM_BYTES (1U << 20)   /* smaller versions are made each time */
#define XFR_SHARE_RUNS_MAX   4U           /* versions at once */
#define XFR_SHARE_WAYS       4U           /* pages for one place */
#define XFR_SHARE_PLACES     128U         /* in all 9 MB a version */

struct xfr_share;
struct xfr_run;

/* Where a page stands: the message's number, and that of its first record. */
struct xfr_place {
	uint64_t message;
	uint64_t record;
};

struct xfr_page {
	struct xfr_place place;
	uint64_t used;                /* private */
	struct snapshot_render after; /* the walk, where the next one begins */
	unsigned count;               /* records */
	size_t len;
	uint8_t octets[];
};

struct xfr_share *xfr_share_new(void);
void xfr_share_free(struct xfr_share *share); /* all have left (asserted); NULL is a no-op */

/* Joins those who are sent this version; NULL if there is nothing to share. `share` may be NULL. */
struct xfr_run *xfr_share_join(struct xfr_share *share, const struct snapshot *snap);
void xfr_run_leave(struct xfr_run *run); /* NULL is a no-op */

/* Finds a page; NULL if it is not there. */
const struct xfr_page *xfr_run_find(struct xfr_run *run, struct xfr_place place);

/* Keeps a copy of `records`, at most XFR_PAGE_MAX_LEN octets (else of nothing), if anybody may come
 * after. */
void xfr_run_keep(struct xfr_run *run, struct xfr_place place, struct bytes records, unsigned count,
                  const struct snapshot_render *after);
