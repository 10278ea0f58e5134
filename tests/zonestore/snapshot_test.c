/* SPDX-License-Identifier: MIT */
#include "zonestore/snapshot_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/zonestore/model.h"

static uint64_t versions(const struct world *w)
{
	struct pool_stats stats;

	pool_stats(w->pool, &stats);
	return stats.snapshot_bytes;
}

/* A borrower may make a reference after the last one was given up, until its turn ends. */
TEST(snapshot, a_reference_made_in_time_keeps_it_alive)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	struct snapshot *kept;
	unsigned reader;

	world_init(&w, 1);
	model_init(&m, "example.");
	snap = model_build(&m, w.pool, NULL);
	reader = epoch_join(w.epoch);
	epoch_quiet(w.epoch, reader);
	snapshot_unref(snap);
	(void)epoch_collect(w.epoch);
	cr_assert(versions(&w) > 0, "the reader may still borrow it");
	model_check(&m, snap);
	kept = snapshot_ref(snap);
	epoch_quiet(w.epoch, reader);
	(void)epoch_collect(w.epoch);
	model_check(&m, kept);
	snapshot_unref(kept);
	(void)epoch_collect(w.epoch);
	cr_assert(versions(&w) > 0, "once more only at the end of the turn");
	epoch_quiet(w.epoch, reader);
	(void)epoch_collect(w.epoch);
	cr_assert(eq(u64, versions(&w), 0));
	epoch_leave(w.epoch, reader);
	snapshot_unref(NULL);
	model_fini(&m);
	world_fini(&w);
}

/* A reference made and given back while the snapshot waits to be freed changes nothing. */
TEST(snapshot, is_freed_once_however_often_it_is_given_up)
{
	struct world w;
	struct model m;
	struct snapshot *snap;
	unsigned reader;

	world_init(&w, 2);
	model_init(&m, "example.");
	snap = model_build(&m, w.pool, NULL);
	reader = epoch_join(w.epoch);
	epoch_quiet(w.epoch, reader);
	snapshot_unref(snap);
	snapshot_unref(snapshot_ref(snap));
	snapshot_unref(snapshot_ref(snap));
	epoch_quiet(w.epoch, reader);
	cr_expect(eq(sz, epoch_collect(w.epoch), 1));
	cr_expect(eq(u64, versions(&w), 0));
	epoch_leave(w.epoch, reader);
	model_fini(&m);
	world_fini(&w);
}

TEST(snapshot, tells_where_it_came_from)
{
	struct world w;
	struct model m;
	struct rr_scratch *scratch = mem_new(sizeof(*scratch));
	struct rr rr;
	struct builder *b;
	struct snapshot *snap;
	struct snapshot_facts facts;
	struct builder_origin origin = { SNAPSHOT_BY_IXFR,
		                         { .family = 6, .port = 5353 },
		                         3000000000 };

	world_init(&w, 3);
	model_init(&m, "Example.ORG.");
	m.serial = 0xfffffffe;
	b = builder_new(&(struct builder_options){ .pool = w.pool, .apex = name_of(&m.apex) });
	model_soa(&m, scratch, &rr);
	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	rr = model_view(&m.rrs[0]);
	cr_assert(eq(int, builder_add(b, &rr), ERR_OK));
	origin.primary.ip[15] = 1;
	cr_assert(eq(int, builder_freeze(b, &origin, &snap), ERR_OK));
	builder_free(b);
	snapshot_facts(snap, &facts);
	cr_expect(eq(u32, facts.serial.n, 0xfffffffe));
	cr_expect(eq(u32, snapshot_serial(snap).n, 0xfffffffe));
	cr_expect(eq(int, facts.origin, SNAPSHOT_BY_IXFR));
	cr_expect(addr_equal(&facts.primary, &origin.primary));
	cr_expect(eq(i64, facts.received_at_s, 3000000000));
	cr_expect(eq(u32, facts.records, 2));
	cr_expect(bytes_equal(name_bytes(snapshot_apex(snap)), name_bytes(name_of(&m.apex))));
	snapshot_unref(snap);
	free(scratch);
	model_fini(&m);
	world_fini(&w);
}

TEST(snapshot, is_small)
{
	cr_expect(sizeof(struct snapshot) <= 80, "%zu", sizeof(struct snapshot));
}
