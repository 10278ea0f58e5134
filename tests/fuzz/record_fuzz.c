/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/record_fuzz.c — the journal's record of a zone: refused, or every version in it read and
 * restored. The check value at the end is put right first, which would else refuse everything. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/hash.h"
#include "tests/fuzz/fuzz.h"
#include "zonestore/record_p.h"

#define NUMBER    9
#define CHECK_LEN 8

/* Nothing is there, or an empty tree. */
static struct node_handle find_none(const void *self, uint64_t number)
{
	(void)self;
	(void)number;
	return (struct node_handle){ 0 };
}

static void restore(struct pool *pool, struct zone_value v)
{
	struct node_source nodes = { find_none, NULL };
	unsigned count = v.version_count;
	struct restored r;

	if (zone_restore(pool, &v, &nodes, &r) != ERR_OK) {
		versions_free(r.more); /* the line of serials, if there was one */
		return;
	}
	if (r.lost > count || (r.more != NULL && r.more->count > VERSIONS_KEPT_MAX)) {
		abort();
	}
	versions_free(r.more);
	snapshot_unref(r.served);
}

static void read_versions(struct zone_value v)
{
	unsigned count = v.version_count;
	struct zone_version version;
	uint64_t last;
	unsigned read = 0;

	(void)!zone_value_last_root(&v, &last);
	while (zone_value_version(&v, &version) == ERR_OK) {
		read++;
	}
	if (read > count || count > VERSIONS_KEPT_MAX + 2) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *octets = mem_new(size + 1);
	struct epoch *epoch = epoch_new();
	struct zone_value v;
	struct env_fake dice;
	struct pool *pool;

	memcpy(octets, data, size);
	if (size >= CHECK_LEN) {
		struct bytes checked = bytes_of(octets, size - CHECK_LEN);
		store_u64(octets + checked.len,
		          hash_check(checked) ^ NUMBER * 0x9e3779b97f4a7c15ULL);
	}
	env_fake_init(&dice, 1);
	if (pool_new(&(struct pool_options){ .env = &dice.env,
	                                     .epoch = epoch,
	                                     .parts = 1,
	                                     .span_bytes = (size_t)256 << 20 },
	             &pool) != ERR_OK) {
		abort();
	}
	if (zone_value_read(NUMBER, bytes_of(octets, size), &v) == ERR_OK) {
		read_versions(v);
		restore(pool, v);
	}
	while (epoch_collect(epoch) > 0) {
	}
	epoch_free(epoch);
	pool_free(pool);
	free(octets);
	return 0;
}
