/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/pool_threads.c — one pool, four shards that build, one thread that frees.
 *
 * A plain program, since Criterion and ThreadSanitizer do not go together. Each shard builds
 * versions of zones out of a few contents, so that bodies and nodes are shared, made, found and
 * dropped at the same moment on all of them; publishes each in a slot that all shards borrow from
 * and refer to; and unrefs what it replaced. In the end equal contents must have had equal ids all
 * the time, and nothing may be left. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "zonestore/builder.h"

#define SHARDS   4
#define ROUNDS   400
#define SLOTS    8
#define CONTENTS 6
#define RECORDS  150

struct world {
	struct epoch *epoch;
	struct pool *pool;
	_Atomic(struct snapshot *) slots[SLOTS];
	_Atomic unsigned running;
	_Atomic uint64_t faults;
	pthread_mutex_t lock;
	struct id ids[CONTENTS];
	bool known[CONTENTS];
};

struct shard {
	struct world *w;
	unsigned number;
	pthread_t thread;
	struct env_fake dice;
};

static void put_label(struct name_buf *n, const char *text)
{
	size_t len = strlen(text);

	n->octets[n->len++] = (uint8_t)len;
	memcpy(n->octets + n->len, text, len);
	n->len = (uint8_t)(n->len + len);
	n->labels++;
}

static struct name_buf make_name(const char *label)
{
	struct name_buf n = { 0 };

	if (label != NULL) {
		put_label(&n, label);
	}
	put_label(&n, "example");
	n.octets[n.len++] = 0;
	return n;
}

static void add(struct builder *b, const char *label, uint16_t type, struct bytes rdata)
{
	struct name_buf owner = make_name(label);
	struct rr rr = { name_of(&owner), type, CLASS_IN, 300, rdata };

	if (builder_add(b, &rr) != ERR_OK) {
		abort();
	}
}

/* Content `n`: each shares most of its records with the others. */
static struct snapshot *build(struct shard *s, unsigned n)
{
	struct name_buf apex = make_name(NULL);
	struct builder *b = builder_new(
		&(struct builder_options){ .pool = s->w->pool, .apex = name_of(&apex) });
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct snapshot *out = NULL;
	uint8_t soa[22] = { 0 };

	add(b, NULL, TYPE_SOA, bytes_of(soa, sizeof(soa)));
	add(b, NULL, TYPE_NS, name_bytes(name_of(&apex)));
	for (unsigned i = 0; i < RECORDS; i++) {
		char label[16];
		uint8_t address[4] = { 192, 0, 2, (uint8_t)(i % 40 == n ? 200 + n : i) };
		snprintf(label, sizeof(label), "h%04u", i);
		add(b, label, TYPE_A, bytes_of(address, sizeof(address)));
	}
	if (builder_freeze(b, &origin, &out) != ERR_OK) {
		abort();
	}
	builder_free(b);
	return out;
}

static void check_id(struct world *w, unsigned n, const struct snapshot *snap)
{
	struct snapshot_facts facts;

	snapshot_facts(snap, &facts);
	pthread_mutex_lock(&w->lock);
	if (!w->known[n]) {
		w->ids[n] = facts.root;
		w->known[n] = true;
	} else if (!id_equal(&w->ids[n], &facts.root)) {
		atomic_fetch_add(&w->faults, 1);
	}
	pthread_mutex_unlock(&w->lock);
}

/* Walks a version that another shard may be replacing. */
static void read_slot(struct shard *s, const struct snapshot *snap)
{
	struct snapshot_cursor c;
	struct rrset set;
	unsigned sets = 0;

	snapshot_cursor_init(&c, snap);
	while (snapshot_cursor_next(&c, &set)) {
		sets++;
	}
	if (sets != RECORDS + 1) {
		atomic_fetch_add(&s->w->faults, 1);
	}
}

static void *shard_run(void *arg)
{
	struct shard *s = arg;
	struct world *w = s->w;
	unsigned me = epoch_join(w->epoch);
	struct snapshot *held = NULL;

	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned n = env_random_below(&s->dice.env, CONTENTS);
		unsigned slot = env_random_below(&s->dice.env, SLOTS);
		struct snapshot *snap = build(s, n);
		const struct snapshot *seen;
		epoch_quiet(w->epoch, me);
		check_id(w, n, snap);
		snapshot_unref(atomic_exchange(&w->slots[slot], snap));
		seen = atomic_load(&w->slots[env_random_below(&s->dice.env, SLOTS)]);
		if (seen != NULL) {
			read_slot(s, seen);
			if (round % 3 == 0) { /* may be retired already, and lives on */
				snapshot_unref(held);
				held = snapshot_ref(seen);
			}
		}
		if (round % 16 == 0) {
			epoch_offline(w->epoch, me);
		}
	}
	snapshot_unref(held);
	epoch_leave(w->epoch, me);
	atomic_fetch_sub(&w->running, 1);
	return NULL;
}

static void finish(struct world *w)
{
	struct pool_stats stats;

	for (unsigned i = 0; i < SLOTS; i++) {
		snapshot_unref(atomic_exchange(&w->slots[i], NULL));
	}
	(void)epoch_collect(w->epoch);
	pool_stats(w->pool, &stats);
	printf("%llu faults, %llu bodies and %llu nodes left\n", (unsigned long long)w->faults,
	       (unsigned long long)stats.bodies, (unsigned long long)stats.nodes);
	w->faults += stats.bodies + stats.nodes;
	if (w->faults == 0) {
		pool_free(w->pool);
		epoch_free(w->epoch);
	}
}

int main(void)
{
	struct world w = { .epoch = epoch_new(), .lock = PTHREAD_MUTEX_INITIALIZER };
	struct shard *shards = mem_zero(SHARDS, sizeof(*shards));
	struct env_fake dice;

	env_fake_init(&dice, 1);
	if (pool_new(&(struct pool_options){ .env = &dice.env, .epoch = w.epoch, .parts = 4 },
	             &w.pool) != ERR_OK) {
		return 1;
	}
	atomic_store(&w.running, SHARDS);
	for (unsigned i = 0; i < SHARDS; i++) {
		shards[i].w = &w;
		shards[i].number = i;
		env_fake_init(&shards[i].dice, 100 + i);
		if (pthread_create(&shards[i].thread, NULL, shard_run, &shards[i]) != 0) {
			return 1;
		}
	}
	while (atomic_load(&w.running) > 0) {
		(void)epoch_collect(w.epoch);
	}
	for (unsigned i = 0; i < SHARDS; i++) {
		pthread_join(shards[i].thread, NULL);
	}
	finish(&w);
	free(shards);
	return w.faults == 0 ? 0 : 1;
}
