/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/node_fuzz.c — serialised nodes and records of versions, as disks and peers hand them
 * over: refused, or written back octet for octet. */
#include <stdlib.h>

#include "base/env.h"
#include "tests/fuzz/fuzz.h"
#include "zonestore/node_p.h"

static void read_node(struct pool *pool, struct bytes octets)
{
	struct node_handle node;
	struct buffer again = { 0 };

	if (node_decode(pool, octets, NULL, 0, &node) != ERR_OK) {
		return;
	}
	node_encode(pool, node, &again);
	if (!bytes_equal(buffer_bytes(&again), octets)) {
		abort();
	}
	node_unref(pool, node);
	buffer_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes octets = bytes_of(data, size);
	struct id ids[NODE_CHILDREN_MAX];
	struct epoch *epoch = epoch_new();
	struct env_fake dice;
	struct pool *pool;
	unsigned count;

	env_fake_init(&dice, 1);
	if (pool_new(&(struct pool_options){ .env = &dice.env,
	                                     .epoch = epoch,
	                                     .parts = 1,
	                                     .span_bytes = (size_t)256 << 20 },
	             &pool) != ERR_OK) {
		abort();
	}
	if (node_child_ids(octets, ids, &count) == ERR_OK && count > NODE_CHILDREN_MAX) {
		abort();
	}
	(void)!snapshot_root_ids(octets, ids);
	read_node(pool, octets);
	pool_free(pool);
	epoch_free(epoch);
	return 0;
}
