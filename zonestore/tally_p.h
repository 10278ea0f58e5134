/* SPDX-License-Identifier: MIT
 *
 * zonestore/tally_p.h — how much a tree has, counted anew, for those who check.
 *
 * Trees know no apex, so octets in wire form are a number and another for each octet of the apex.
 *
 * Ownership: plain values. */
#pragma once

#include "zonestore/leaf_p.h"

struct tally {
	uint64_t records;
	uint64_t octets; /* of the records in wire form, under an apex of no octets */
	uint64_t apexes; /* how often the apex stands in them */
};

void tally_add(struct tally *sum, const struct tally *more);

/* Counts a leaf in memory. */
void tally_leaf(const struct pool *pool, struct node_handle leaf, struct tally *out);

/* Octets of a version whose trees have `sum`, with its SOA of stored rdata. */
uint64_t tally_bytes(const struct tally *sum, unsigned apex_len, struct bytes soa);
