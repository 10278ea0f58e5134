/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/world.c — an engine with a real store, in simulated time. */
#include "tests/transfer/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"

#define APEX "example."

uint64_t world_now_ns(const struct world *w)
{
	return env_mono_ns(sim_env(w->sim));
}

static void on_turn_end(void *self)
{
	struct world *w = self;

	if (w->store == NULL) {
		return;
	}
	epoch_quiet(w->epoch, w->epoch_slot);
	if (!w->disk_stands) {
		while (store_step(w->store)) {
		}
	}
	epoch_offline(w->epoch, w->epoch_slot);
}

static void task_run(struct io_mail *mail)
{
	struct store_task *task = container_of((void **)(void *)mail, struct store_task, link[0]);

	task->fn(task);
}

static void on_post(void *self, unsigned shard, struct store_task *task)
{
	struct world *w = self;
	struct io_mail *mail = (struct io_mail *)(void *)task->link;

	cr_assert(eq(uint, shard, 0));
	mail->fn = task_run;
	io_post_reply(w->io, mail);
}

static void on_event(void *self, enum event_kind kind, const struct event_field *fields,
                     size_t count)
{
	struct world *w = self;

	w->happened[kind]++;
	for (size_t i = 0; i < count; i++) {
		if (fields[i].type == FIELD_ERR) {
			w->last_error = fields[i].err;
			w->last_with_error = kind;
		}
		if (kind == EVENT_TRANSFER_DONE && strcmp(fields[i].name, "kind") == 0) {
			snprintf(w->last_kind, sizeof(w->last_kind), "%s", fields[i].str);
		}
		if (kind == EVENT_VERSION_HELD && strcmp(fields[i].name, "reason") == 0) {
			snprintf(w->held_for, sizeof(w->held_for), "%s", fields[i].str);
		}
		if (kind == EVENT_TRANSFER_DONE && strcmp(fields[i].name, "records") == 0) {
			w->last_records = fields[i].uint;
		}
	}
}

/* Kept silent unless a test is looked into. */
static void on_line(void *self, const char *line, size_t len)
{
	if (getenv("TEST_LOG") != NULL) {
		fprintf(stderr, "%.6f %.*s", (double)world_now_ns(self) / (double)NS_PER_S,
		        (int)len, line);
	}
}

static struct id root_of(const struct snapshot *snap)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	return facts.root;
}

static void on_publish(void *self, struct publish_event event)
{
	struct world *w = self;
	uint32_t serial = snapshot_serial(event.snap).n;
	uint32_t source = snapshot_source_serial(event.snap).n;
	struct snapshot *want = script_build(&w->primaries[0]->script, source, w->pool);
	struct id a = root_of(event.snap), b = root_of(want);

	cr_assert(w->unchecked || id_equal(&a, &b), "served: what the primary has at serial %u",
	          source);
	snapshot_unref(want);
	if (event.old != NULL && !w->may_go_back) {
		cr_assert(serial_newer((struct serial){ serial }, snapshot_serial(event.old)));
	}
	w->published++;
	w->published_serial = serial;
	w->published_at_ns = world_now_ns(w);
	if (w->transfer != NULL) {
		transfer_on_publish(w->transfer, event);
	}
}

static void engine_new(struct world *w)
{
	struct store_options store = { .env = w->io->env,
		                       .events = &w->events,
		                       .epoch = w->epoch,
		                       .pool = w->pool,
		                       .journal = journal_memory_new(w->disk),
		                       .shard_count = 1,
		                       .engine_bytes = transfer_zone_bytes(),
		                       .post = on_post,
		                       .post_self = w };
	struct transfer_options options = {
		.io = w->io, .events = &w->events, .pool = w->pool, .epoch = w->epoch
	};

	cr_assert(eq(int, store_new(&store, &w->store), ERR_OK));
	store_subscribe(w->store, (struct subscriber){ w, on_publish });
	options.store = w->store;
	cr_assert(eq(int, transfer_new(&options, &w->transfer), ERR_OK));
}

static void engine_free(struct world *w)
{
	transfer_free(w->transfer);
	w->transfer = NULL;
	w->zone = NULL;
	sim_run_for(w->sim, NS_PER_S); /* what is in flight ends */
	store_stop(w->store);
	store_free(w->store);
	w->store = NULL;
}

static void policy_init(struct world *w)
{
	struct zone_policy *p = zone_policy_new();

	p->primary_count = w->primary_count;
	p->primaries = mem_zero(w->primary_count, sizeof(*p->primaries));
	for (unsigned i = 0; i < w->primary_count; i++) {
		struct policy_primary *to = &p->primaries[i];

		to->addr = w->primaries[i]->at;
		to->key = w->key == NULL ? NULL : tsig_key_ref(w->key);
		snprintf(to->name, sizeof(to->name), "p%u", i);
	}
	p->compare_s = 0; /* a test of nothing else is to be disturbed by it */
	w->policy = p;
}

void world_init(struct world *w, uint64_t seed, unsigned primaries, bool signed_)
{
	struct addr here;
	struct sim_node_options node = { .addrs = &here, .addr_count = 1 };
	struct pool_options pool;

	*w = (struct world){ .sim = sim_new(seed), .epoch = epoch_new() };
	printf("seed %llu\n", (unsigned long long)seed);
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &here), ERR_OK));
	node.hooks = (struct io_hooks){ .self = w, .turn_end = on_turn_end };
	w->io = sim_node(w->sim, &node);
	w->epoch_slot = epoch_join(w->epoch);
	pool = (struct pool_options){
		.env = w->io->env, .epoch = w->epoch, .parts = 4, .span_bytes = 1U << 30
	};
	cr_assert(eq(int, pool_new(&pool, &w->pool), ERR_OK));
	w->disk = memory_disk_new();
	w->events = (struct events){ .level = LEVEL_DEBUG,
		                     .env = w->io->env,
		                     .self = w,
		                     .write_fn = on_line,
		                     .watch_fn = on_event };
	w->key = signed_ ? script_key("k", "a secret of the test") : NULL;
	w->primary_count = primaries;
	for (unsigned i = 0; i < primaries; i++) {
		char addr[ADDR_TEXT_MAX];

		snprintf(addr, sizeof(addr), "192.0.2.%u", i + 1);
		w->primaries[i] = script_node_new(w->sim, addr, APEX, w->key);
	}
	policy_init(w);
	engine_new(w);
}

void world_fini(struct world *w)
{
	engine_free(w);
	zone_policy_unref(w->policy);
	for (unsigned i = 0; i < w->primary_count; i++) {
		script_node_down(w->primaries[i]);
	}
	sim_free(w->sim);
	for (unsigned i = 0; i < w->primary_count; i++) {
		script_node_free(w->primaries[i]);
	}
	tsig_key_unref(w->key);
	epoch_leave(w->epoch, w->epoch_slot);
	epoch_free(w->epoch);
	pool_free(w->pool);
	memory_disk_free(w->disk);
}

void world_start(struct world *w)
{
	struct name_buf apex = script_name(APEX);

	cr_assert(eq(int, store_add(w->store, name_of(&apex), &w->zone), ERR_OK));
	cr_assert(eq(int, store_load(w->store), ERR_OK));
	transfer_zone_start(w->transfer, w->zone, w->policy);
}

struct zone *world_add(struct world *w, const char *apex)
{
	struct name_buf name = script_name(apex);
	struct zone *zone;

	cr_assert(eq(int, store_add(w->store, name_of(&name), &zone), ERR_OK));
	transfer_zone_start(w->transfer, zone, w->policy);
	return zone;
}

void world_restart(struct world *w)
{
	engine_free(w);
	epoch_collect(w->epoch);
	engine_new(w);
	world_start(w);
}

void world_run_s(struct world *w, uint64_t seconds)
{
	sim_run_for(w->sim, seconds * NS_PER_S);
}

void world_disk_go(struct world *w)
{
	w->disk_stands = false;
	on_turn_end(w);
}

uint32_t world_serial(const struct world *w)
{
	const struct snapshot *snap = zone_borrow(w->zone);

	return snap == NULL ? 0 : snapshot_serial(snap).n;
}

uint64_t world_run_until(struct world *w, uint32_t serial, uint64_t limit_s)
{
	uint64_t from = world_now_ns(w);

	while (world_serial(w) != serial) {
		sim_run_for(w->sim, NS_PER_MS);
		cr_assert(lt(u64, world_now_ns(w) - from, limit_s * NS_PER_S),
		          "serial %u in %llu s", serial, (unsigned long long)limit_s);
	}
	return w->published_at_ns > from ? w->published_at_ns - from : 0;
}

enum transfer_zone_state world_state(struct world *w)
{
	struct transfer_zone_report report;

	transfer_zone_report(w->transfer, w->zone, &report);
	return report.state;
}

void world_bump(struct world *w, uint32_t serial)
{
	for (unsigned i = 0; i < w->primary_count; i++) {
		w->primaries[i]->script.serial = serial;
	}
}

void world_notify(struct world *w, unsigned index, bool hint)
{
	struct transfer_notice notice = { .from = w->primaries[index]->at,
		                          .has_serial = hint,
		                          .serial = { w->primaries[index]->script.serial } };

	notice.from.port = 40000;
	transfer_zone_notified(w->transfer, w->zone, &notice);
}
