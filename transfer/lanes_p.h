/* SPDX-License-Identifier: MIT
 *
 * transfer/lanes_p.h — lanes in which work waits, and the shares that are kept for each.
 *
 * Of a limit each lane has a share kept free for it, also while it is empty: what comes there finds
 * room at once, however much waits elsewhere. The rest goes to whoever is first in the order of
 * lanes. Of a limit below LANE_SHARED_MIN nothing can be kept, and the order alone counts. */
#pragma once

#include "base/bytes.h"

enum lane {
	LANE_OPERATOR,
	LANE_NOTIFY,
	LANE_EXPIRING,
	LANE_DUE,
	LANE_FIRST,
	LANES,
};

#define LANE_SHARED_MIN 4U  /* of such a limit, one is kept for NOTIFY */
#define LANE_REST_EVERY 16U /* takes after which the last lane goes first for once */

/* What is urgent goes over connections on which nothing bulky runs. */
static inline bool lane_urgent(enum lane lane)
{
	return lane < LANE_DUE;
}

/* Of a limit, what is kept for a lane. */
static inline uint32_t lane_share(uint32_t limit, enum lane lane)
{
	uint32_t parts = lane == LANE_NOTIFY ? 8 : 16;

	if (lane == LANE_NOTIFY && limit >= LANE_SHARED_MIN && limit < parts) {
		return 1;
	}
	return limit / parts;
}

/* What runs of a limit. */
struct slots {
	uint32_t running;
	uint32_t in_lane[LANES];
};

/* May one more of `lane` run? */
static inline bool slots_open(const struct slots *s, uint32_t limit, enum lane lane)
{
	uint32_t kept = 0;

	for (enum lane l = 0; l < LANES; l++) {
		uint32_t share = l == lane ? 0 : lane_share(limit, l);

		kept += share > s->in_lane[l] ? share - s->in_lane[l] : 0;
	}
	return s->running + kept < limit;
}

static inline void slots_take(struct slots *s, enum lane lane)
{
	s->running++;
	s->in_lane[lane]++;
}

static inline void slots_give(struct slots *s, enum lane lane)
{
	assert(s->running > 0 && s->in_lane[lane] > 0);
	s->running--;
	s->in_lane[lane]--;
}

/* A place in a circular list, or its head. */
struct link {
	struct link *next;
	struct link *prev;
};

static inline void link_init(struct link *l)
{
	l->next = l->prev = l;
}

static inline bool link_alone(const struct link *l)
{
	return l->next == l;
}

static inline void link_append(struct link *head, struct link *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void link_remove(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	link_init(l);
}
