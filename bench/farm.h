/* SPDX-License-Identifier: MIT
 *
 * bench/farm.h — zones that exist only as numbers: names and records computed from a seed.
 *
 * A zone is a number below `zones`, and a generation: how often it was bumped. It consists of units,
 * whose records come as octets that stand in any message whose question is the zone's apex: every
 * name that ends in the apex ends in a pointer to it. A small zone is one unit; the large one has a
 * unit for each delegation. A unit's records are the same in every generation that did not change
 * it, so a real difference is what two generations do not share.
 *
 *	hosting      12 records; addresses, SPF and DMARC of their own
 *	parked       4 records; zones differ in name and serial alone
 *	dkim         hosting, and a 2048-bit key of its own
 *	delegations  one zone: NS for each, DS for three in ten, glue for one in five (2.7 records)
 *
 * Ownership: init/fini. One thread. */
#pragma once

#include "dns/message.h"

#define FARM_UNIT_MAX_LEN     1400
#define FARM_UNIT_MAX_RECORDS 16
#define FARM_SERIAL           2026010100U

enum farm_kind { FARM_HOSTING, FARM_PARKED, FARM_DKIM, FARM_DELEGATIONS };

struct farm {
	enum farm_kind kind;
	uint32_t zones;
	uint32_t delegations; /* in the one zone of that kind */
	uint32_t churn;       /* units of a thousand that a bump changes */
	uint64_t seed;
	const char *tail; /* NULL, or a label below which all names are: farms beside each other */
	uint16_t *bumps;  /* of each zone */
};

/* Records one after the other, in wire form. */
struct farm_unit {
	unsigned count;
	size_t ends[FARM_UNIT_MAX_RECORDS];
	struct writer w;
	uint8_t octets[FARM_UNIT_MAX_LEN];
};

void farm_init(struct farm *f); /* the caller has set all but `bumps` */
void farm_fini(struct farm *f);

/* The name of a zone, and the zone of a name, whatever the case. */
void farm_name(const struct farm *f, uint32_t zone, struct name_buf *out);
MUST_USE bool farm_find(const struct farm *f, struct name name, uint32_t *zone);

void farm_bump(struct farm *f, uint32_t zone);
uint16_t farm_generation(const struct farm *f, uint32_t zone);
uint32_t farm_serial(const struct farm *f, uint32_t zone, uint16_t generation);

/* The generation with that serial; false: there has been none. */
MUST_USE bool farm_generation_of(const struct farm *f, uint32_t zone, uint32_t serial,
                                 uint16_t *generation);

void farm_soa(const struct farm *f, uint32_t zone, uint16_t generation, struct farm_unit *out);

/* Units are numbered in canonical order. Two generations' units are equal unless farm_changed(). */
uint32_t farm_units(const struct farm *f);
bool farm_changed(const struct farm *f, uint32_t zone, uint32_t unit, uint16_t from, uint16_t to);
void farm_records(const struct farm *f, uint32_t zone, uint32_t unit, uint16_t generation,
                  struct farm_unit *out);
