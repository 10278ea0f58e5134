/* SPDX-License-Identifier: MIT
 *
 * zonestore/tally.c — counting what trees have. */
#include "zonestore/tally_p.h"

#include "zonestore/stored_p.h"

#define RECORD_FIXED_LEN 10U /* type, class, TTL and length of rdata */

void tally_add(struct tally *sum, const struct tally *more)
{
	sum->records += more->records;
	sum->octets += more->octets;
	sum->apexes += more->apexes;
}

static void tally_set(const uint8_t *body, uint64_t owner_len, struct tally *out)
{
	uint64_t count = body_count(body);
	uint64_t one = body_wire_len(body, 1);
	uint64_t more = body_wire_len(body, 2) - one; /* for each octet of the apex */

	out->records += count;
	out->octets += one - more + count * (owner_len + RECORD_FIXED_LEN);
	out->apexes += more + count;
}

void tally_leaf(const struct pool *pool, struct node_handle leaf, struct tally *out)
{
	struct leaf_walk walk = leaf_walk(node_at(pool, leaf));
	const uint32_t *links;
	struct leaf_entry e;
	uint8_t key[KEY_MAX];

	*out = (struct tally){ 0 };
	while (leaf_next(&walk, &e, &links)) {
		uint64_t owner_len;

		memcpy(key + e.shared, e.rest.at, e.rest.len);
		owner_len = key_wire_len(bytes_of(key, e.shared + e.rest.len));
		for (unsigned i = 0; i < e.sets; i++) {
			tally_set(pool_body(pool, (struct body_handle){ links[i] }), owner_len,
			          out);
		}
	}
}

uint64_t tally_bytes(const struct tally *sum, unsigned apex_len, struct bytes soa)
{
	return sum->octets + sum->apexes * apex_len + apex_len + RECORD_FIXED_LEN +
	       stored_wire_len(TYPE_SOA, soa, apex_len);
}
