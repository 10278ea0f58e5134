/* SPDX-License-Identifier: MIT
 *
 * transfer/rounds_p.h — which of a zone's primaries is asked, when there are several.
 *
 * Ordered: a round begins with the primary that worked last, and goes on with the others in their
 * order. Where that is not the first, the first is tried again after ROUND_RETURN_S on average: by
 * dice, so that a primary that is back is not asked by all zones at once.
 *
 * Newest: a round asks all for their serials, one after the other, and then the one with the newest
 * for the content; among equals the one that worked last. A round for a NOTIFY that tells where the
 * news are goes there. It is a round of elections (ROUND_ELECTS) until that is decided:
 *
 *	QUEUED/ASKING each primary -> elected: QUEUED for IXFR or AXFR, or confirmed, or lower
 *
 * A lower serial is followed only of the primary that worked last, or when the zone has expired:
 * while that one is merely down, another one with an older zone does not take its place.
 *
 * Comparing: now and then, after a primary has confirmed our serial, another one than the sender of
 * our content is asked for its serial and, if that is the same, for the whole zone, which is built,
 * compared by its root id and dropped. It waits behind everything else, ends when anything is wanted
 * or due, and so many run at once.
 *
 * Ownership: none of its own; struct refresh has the state. */
#pragma once

#include "transfer/refresh_p.h"

#define ROUND_RETURN_S  3600U /* on average, until the first primary is tried again */
#define ROUND_AGAIN_MS  100U  /* to the next round of elections, after one that was cut short */
#define COMPARISONS_MAX 16U   /* waiting or under way, of one shard */
#define ROUND_OF_NOBODY UINT8_MAX

/* Readies the round: its first primary, and whether it elects. `count` primaries. */
void round_init(struct refresh *z, unsigned count);

/* The primary that sent what we have; ROUND_OF_NOBODY if it is none of the zone's. */
uint8_t round_sender(const struct refresh *z);

/* A primary told its serial. True: it was taken up here, and the zone went on; false: it is the
 * caller's to judge. */
MUST_USE bool round_heard(struct refresh *z, struct serial serial);

/* An attempt failed that was none of the zone's refresh: true, and the zone is IDLE. */
MUST_USE bool round_compare_failed(struct refresh *z);

/* All were tried; true if that decides an election, and the zone went on. */
MUST_USE bool round_elected(struct refresh *z);

/* May the primary, whose serial is lower than ours, be followed? */
bool round_may_follow(const struct refresh *z, unsigned index);

/* The zone, IDLE, was confirmed after `elapsed_s`: true if a comparison began. */
MUST_USE bool round_compare(struct refresh *z, uint64_t elapsed_s);

/* A version came for a comparison (taken). The zone is IDLE afterwards. */
void round_compared(struct refresh *z, struct snapshot *snap);

/* Forgets what only the round knew; of a round that ends, however. */
void round_end(struct refresh *z);

/* ---- of refresh.c, for rounds.c and attempt.c ---- */

/* Waits as the timers say. */
void refresh_wait_on(struct refresh *z);

/* Ends what runs, and returns what it was for to what is wanted; IDLE or COMMITTING afterwards. */
void refresh_give_up(struct refresh *z);

/* A primary has what we have: the zone is in step. IDLE. */
void refresh_confirmed(struct refresh *z);

/* Every primary was tried: follows one with a lower serial, or ends the round. */
void refresh_round_over(struct refresh *z);

/* Says that the primary has a lower serial, and returns what that is (attempt.c). */
enum err attempt_note_lower(const struct refresh *z, const struct addr *primary,
                            struct serial serial);

/* ---- */

static inline bool round_compares(const struct refresh *z)
{
	return (z->marks & ROUND_COMPARES) != 0;
}

/* What comes to be wanted meanwhile is of another round: some were asked before it was. */
static inline bool round_takes_wants(const struct refresh *z)
{
	return (z->marks & ROUND_ELECTED) == 0 || ((z->marks & ROUND_ELECTS) != 0 && z->tried == 0);
}

static inline bool round_elects(const struct refresh *z)
{
	return (z->marks & ROUND_ELECTS) != 0;
}
