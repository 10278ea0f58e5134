/* SPDX-License-Identifier: MIT
 *
 * tests/sim/secondary.c — the node under test. */
#include "tests/sim/secondary.h"

#include <stdlib.h>

#include "base/arena.h"

#define DISK_POLL_MS 1000 /* a look at what may wait: retries, above all */
#define PORT         53

static void must(enum err e)
{
	assert(e == ERR_OK);
	(void)e;
}

static uint64_t after_ms(const struct secondary *s, uint32_t ms)
{
	return io_now_ns(s->io) + env_random_below(s->io->env, ms + 1) * NS_PER_MS + 1;
}

/* ---- the disk thread ---- */

/* Nobody borrows anything at the end of a turn. */
static bool disk_step(struct secondary *s)
{
	bool worked;

	epoch_quiet(s->epoch, s->epoch_slot);
	worked = store_step(s->store);
	epoch_offline(s->epoch, s->epoch_slot);
	return worked;
}

static void on_disk_timer(struct io_timer *timer)
{
	container_of(timer, struct secondary, disk_timer)->disk_due = true;
}

static void disk_turn(struct secondary *s)
{
	if (s->write_ms == 0 || s->disk_due) {
		while (disk_step(s) && s->write_ms == 0) {
		}
		s->disk_due = false;
	}
	if (!io_timer_is_set(&s->disk_timer)) {
		io_timer_set(s->io, &s->disk_timer,
		             s->write_ms == 0 ? io_now_ns(s->io) + DISK_POLL_MS * NS_PER_MS
		                              : after_ms(s, s->write_ms));
	}
}

static void on_post(void *self, unsigned shard, struct store_task *task)
{
	struct secondary *s = self;

	assert(shard == 0);
	(void)shard;
	task->link[0] = NULL;
	*s->last = task;
	s->last = (struct store_task **)&task->link[0];
	if (s->up && !io_timer_is_set(&s->answer_timer)) {
		io_timer_set(s->io, &s->answer_timer, after_ms(s, s->answer_ms));
	}
}

static void answers_run(struct secondary *s)
{
	struct store_task *task = s->first;

	s->first = NULL;
	s->last = &s->first;
	while (task != NULL) {
		struct store_task *next = task->link[0];

		task->fn(task);
		task = next;
	}
}

static void on_answer_timer(struct io_timer *timer)
{
	answers_run(container_of(timer, struct secondary, answer_timer));
}

static void on_turn_end(void *self)
{
	struct secondary *s = self;

	if (s->up) {
		disk_turn(s);
		s->hooks.turn(s->hooks.self);
	}
}

/* ---- events ---- */

static void on_event(void *self, enum event_kind kind, const struct event_field *fields,
                     size_t count)
{
	const struct secondary *s = self;

	s->hooks.event(s->hooks.self, kind, fields, count);
}

static void on_line(void *self, const char *line, size_t len)
{
	const struct secondary *s = self;

	s->hooks.line(s->hooks.self, line, len);
}

static void on_publish(void *self, struct publish_event event)
{
	struct secondary *s = self;

	if (s->transfer != NULL) {
		transfer_on_publish(s->transfer, event);
		s->hooks.publish(s->hooks.self, event);
	}
}

/* ---- NOTIFY ---- */

static struct tsig_key *find_key(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	const struct secondary *s = self;

	return s->key != NULL && name_equal(tsig_key_name(s->key), name) &&
	                       tsig_key_algorithm(s->key) == algorithm
	               ? s->key
	               : NULL;
}

/* As the daemon's dispatcher does, in short. */
static enum err take_notify(struct secondary *s, const struct io_done *done, struct question *q)
{
	struct tsig_request request = { .message = done->data,
		                        .now_s = (uint64_t)env_wall_s(s->io->env) };
	struct tsig_keyring ring = { s, find_key };
	struct reader r = reader_of(done->data);
	struct tsig_stream tsig = { 0 };
	struct transfer_notice notice;
	struct message_tail tail;
	struct tsig_record bad;
	struct zone *zone;
	struct header h;
	enum err e;

	TRY(header_read(&r, &h));
	if (header_opcode(&h) != OPCODE_NOTIFY || (h.flags & FLAG_QR) != 0) {
		return ERR_WIRE_HEADER;
	}
	TRY(question_read(&r, q));
	TRY(message_tail_read(&r, &h, &tail));
	zone = store_find(s->store, name_of(&q->name));
	if (zone == NULL || zone_engine(zone) == NULL) {
		return ERR_NOT_FOUND;
	}
	tsig_stream_init(&tsig, NULL);
	request.tsig_at = tail.tsig_at;
	e = tsig_verify_request(&tsig, &ring, &request, &bad);
	if (e == ERR_OK) {
		e = transfer_notify_judge(zone, &done->peer, tsig.key, done->data, &notice);
	}
	tsig_stream_fini(&tsig);
	if (e == ERR_OK) {
		s->notifies++;
		transfer_zone_notified(s->transfer, zone, &notice);
	}
	return e;
}

static void on_datagram(struct io_op *op, struct io_done done)
{
	struct secondary *s = container_of(op, struct secondary, datagrams);
	uint8_t at[MESSAGE_UDP_MIN_LEN];
	struct composer *c;
	struct question q;

	if (s->up && done.err == ERR_OK && take_notify(s, &done, &q) == ERR_OK) {
		c = mem_new(sizeof(*c));
		composer_init(c, at, sizeof(at));
		if (composer_question(c, name_of(&q.name), q.type, q.class)) {
			(void)!io_udp_send(
				s->io, s->udp, &done.peer, &done.local,
				composer_finish(c, load_u16(done.data.at),
			                        FLAG_QR | FLAG_AA | OPCODE_NOTIFY << 11));
		}
		free(c);
	}
	io_return(s->io, done.lease);
}

/* ---- beginning and end ---- */

void secondary_init(struct secondary *s, const struct secondary_options *options)
{
	struct sim_node_options node = { .addrs = &s->at, .addr_count = 1 };

	*s = (struct secondary){ .sim = options->sim,
		                 .truth = options->truth,
		                 .key = options->key,
		                 .hooks = options->hooks,
		                 .disk = memory_disk_new(),
		                 .udp = IO_SOCKET_NONE };
	must(addr_parse("198.51.100.1", PORT, &s->at));
	node.hooks = (struct io_hooks){ .self = s, .turn_end = on_turn_end };
	s->io = sim_node(s->sim, &node);
	s->events = (struct events){ .level = (int)options->level,
		                     .env = s->io->env,
		                     .self = s,
		                     .write_fn = on_line,
		                     .watch_fn = on_event };
	s->disk_timer.fn = on_disk_timer;
	s->answer_timer.fn = on_answer_timer;
	s->datagrams.fn = on_datagram;
	s->last = &s->first;
}

void secondary_fini(struct secondary *s)
{
	assert(!s->up);
	for (unsigned i = 0; i < TRUTH_ZONES_MAX; i++) {
		zone_policy_unref(s->zones[i].policy);
	}
	memory_disk_free(s->disk);
}

/* A store and all that it needs, on `disk`. */
struct life {
	struct epoch *epoch;
	unsigned slot;
	struct pool *pool;
	struct store *store;
};

static void life_begin(struct life *l, struct secondary *s, struct memory_disk *disk,
                       unsigned engine_bytes)
{
	struct pool_options pool;
	struct store_options store;

	l->epoch = epoch_new();
	l->slot = epoch_join(l->epoch);
	pool = (struct pool_options){
		.env = s->io->env, .epoch = l->epoch, .parts = 1, .span_bytes = 1U << 28
	};
	must(pool_new(&pool, &l->pool));
	store = (struct store_options){ .env = s->io->env,
		                        .events = &s->events,
		                        .epoch = l->epoch,
		                        .pool = l->pool,
		                        .journal = journal_memory_new(disk),
		                        .shard_count = 1,
		                        .engine_bytes = engine_bytes,
		                        .post = on_post,
		                        .post_self = s };
	must(store_new(&store, &l->store));
}

static void life_end(struct life *l, struct pool_stats *left)
{
	store_free(l->store);
	while (epoch_collect(l->epoch) > 0) {
	}
	pool_stats(l->pool, left);
	if (left->bodies > 0 || left->nodes > 0 || left->snapshot_bytes > 0) {
		return; /* pool_free() would not have it; the run is over */
	}
	epoch_leave(l->epoch, l->slot);
	epoch_free(l->epoch);
	pool_free(l->pool);
}

void secondary_start(struct secondary *s)
{
	struct transfer_options options = {
		.io = s->io,
		.events = &s->events,
	};
	struct life l;

	assert(!s->up && !s->datagrams.waiting);
	life_begin(&l, s, s->disk, transfer_zone_bytes());
	s->epoch = options.epoch = l.epoch;
	s->epoch_slot = l.slot;
	s->pool = options.pool = l.pool;
	s->store = options.store = l.store;
	store_subscribe(s->store, (struct subscriber){ s, on_publish });
	must(transfer_new(&options, &s->transfer));
	s->up = true;
	for (unsigned i = 0; i < s->truth->zone_count; i++) {
		if (s->zones[i].life != ZONE_ABSENT) {
			must(store_add(s->store, name_of(&s->truth->zones[i].apex),
			               &s->zones[i].zone));
		}
	}
	must(store_load(s->store));
	for (unsigned i = 0; i < s->truth->zone_count; i++) {
		if (s->zones[i].life == ZONE_RUNNING) {
			transfer_zone_start(s->transfer, s->zones[i].zone, s->zones[i].policy);
		}
	}
	must(io_udp_open(s->io, &s->at, &s->udp));
	io_udp_recv(s->io, &s->datagrams, s->udp);
}

/* The engine goes first; what it had given to the store comes back, done or not. */
static void end(struct secondary *s, struct pool_stats *left)
{
	struct life l = { s->epoch, s->epoch_slot, s->pool, s->store };
	struct transfer *t = s->transfer;

	io_close(s->io, s->udp);
	io_timer_clear(s->io, &s->disk_timer);
	io_timer_clear(s->io, &s->answer_timer);
	s->up = false;
	s->transfer = NULL;
	transfer_free(t);
	do {
		answers_run(s);
		while (disk_step(s)) {
		}
	} while (s->first != NULL);
	for (unsigned i = 0; i < s->truth->zone_count; i++) {
		struct secondary_zone *z = &s->zones[i];

		assert(z->acts == 0);
		z->zone = NULL;
		if (z->life == ZONE_STOPPING) {
			z->life = z->goes ? ZONE_ABSENT : ZONE_STOPPED;
		}
		if (z->life == ZONE_ABSENT) {
			zone_policy_unref(z->policy);
			z->policy = NULL;
		}
	}
	life_end(&l, left);
}

void secondary_stop(struct secondary *s, struct pool_stats *left)
{
	end(s, left);
}

void secondary_crash(struct secondary *s, uint64_t writes, struct pool_stats *left)
{
	memory_disk_fail(s->disk, writes + 1, ERR_DISK);
	end(s, left);
	memory_disk_heal(s->disk);
}

/* ---- zones ---- */

void secondary_add(struct secondary *s, unsigned zone, struct zone_policy *policy)
{
	struct secondary_zone *z = &s->zones[zone];

	assert(z->life == ZONE_ABSENT && z->policy == NULL);
	z->policy = zone_policy_ref(policy);
	z->life = ZONE_RUNNING;
	z->goes = false;
	if (s->up) {
		must(store_add(s->store, name_of(&s->truth->zones[zone].apex), &z->zone));
		transfer_zone_start(s->transfer, z->zone, policy);
	}
}

void secondary_change(struct secondary *s, unsigned zone, struct zone_policy *policy)
{
	struct secondary_zone *z = &s->zones[zone];
	struct zone_policy *old = z->policy;

	assert(z->life == ZONE_RUNNING || z->life == ZONE_STOPPED);
	z->policy = zone_policy_ref(policy);
	if (s->up && z->life == ZONE_RUNNING) {
		transfer_zone_change(s->transfer, z->zone, policy);
	}
	zone_policy_unref(old);
}

static void on_stopped(void *self, struct zone *zone)
{
	struct secondary *s = self;
	struct secondary_zone *z = s->zones;

	while (z->zone != zone) {
		z++;
	}
	assert(z->life == ZONE_STOPPING);
	z->life = ZONE_STOPPED;
	if (z->goes) {
		store_remove(s->store, zone);
		z->life = ZONE_ABSENT;
		z->zone = NULL;
		zone_policy_unref(z->policy);
		z->policy = NULL;
	}
}

void secondary_zone_stop(struct secondary *s, unsigned zone, bool goes)
{
	struct secondary_zone *z = &s->zones[zone];

	assert(s->up && z->life == ZONE_RUNNING);
	z->life = ZONE_STOPPING;
	z->goes = goes;
	transfer_zone_stop(s->transfer, z->zone, on_stopped, s);
}

void secondary_zone_go(struct secondary *s, unsigned zone)
{
	struct secondary_zone *z = &s->zones[zone];

	assert(z->life == ZONE_STOPPED);
	z->life = ZONE_RUNNING;
	if (s->up) {
		transfer_zone_start(s->transfer, z->zone, z->policy);
	}
}

/* ---- operators ---- */

struct act {
	struct commit commit;
	struct secondary *s;
	unsigned zone;
};

static void on_act(struct commit *c, enum err e)
{
	struct act *a = container_of(c, struct act, commit);

	(void)e;
	a->s->zones[a->zone].acts--;
	free(a);
}

bool secondary_act(struct secondary *s, unsigned zone, enum secondary_act act, uint32_t serial)
{
	struct secondary_zone *z = &s->zones[zone];
	struct act *a = mem_zero(1, sizeof(*a));
	enum err e = ERR_NOT_FOUND;

	a->commit.done = on_act;
	a->commit.keep = z->policy->history;
	a->s = s;
	a->zone = zone;
	z->acts++;
	switch (act) {
	case ACT_ROLLBACK:
	case ACT_ROLLBACK_SAME:
		e = store_rollback(s->store, z->zone, (struct serial){ serial },
		                   act == ACT_ROLLBACK_SAME, &a->commit);
		break;
	case ACT_PIN:
		e = store_pin(s->store, z->zone, &a->commit);
		break;
	case ACT_RELEASE:
		e = store_release(s->store, z->zone, &a->commit);
		break;
	case ACT_ACCEPT:
		e = store_accept(s->store, z->zone, &a->commit);
		break;
	case ACT_REJECT:
		e = store_reject(s->store, z->zone, &a->commit);
		break;
	}
	if (e != ERR_OK) {
		on_act(&a->commit, e);
	}
	return e == ERR_OK;
}

/* ---- what is durable ---- */

static void post_nothing(void *self, unsigned shard, struct store_task *task)
{
	(void)self;
	(void)shard;
	(void)task;
	assert(false); /* nothing is committed there */
}

bool secondary_durable(const struct secondary *s, unsigned zone, struct snapshot_facts *out)
{
	struct memory_disk *disk = memory_disk_copy(s->disk);
	struct env_fake env;
	struct events events = { .level = LEVEL_ERROR, .env = &env.env };
	struct epoch *epoch = epoch_new();
	struct pool_options po = {
		.env = &env.env, .epoch = epoch, .parts = 1, .span_bytes = 1U << 28
	};
	struct store_options so = { .env = &env.env,
		                    .events = &events,
		                    .epoch = epoch,
		                    .shard_count = 1,
		                    .post = post_nothing };
	const struct snapshot *snap;
	struct store *st;
	struct zone *z;
	bool found;

	env_fake_init(&env, 1);
	must(pool_new(&po, &so.pool));
	so.journal = journal_memory_new(disk);
	must(store_new(&so, &st));
	must(store_add(st, name_of(&s->truth->zones[zone].apex), &z));
	must(store_load(st));
	snap = zone_newest(z);
	found = snap != NULL;
	if (found) {
		snapshot_facts(snap, out);
	}
	store_free(st);
	epoch_free(epoch);
	pool_free(so.pool);
	memory_disk_free(disk);
	return found;
}
