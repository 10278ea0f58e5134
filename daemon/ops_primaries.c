/* SPDX-License-Identifier: MIT
 *
 * daemon/ops_primaries.c — what the control interface asks of primaries.
 *
 * A row for each address of the configuration, sorted by address; then each shard tells what it knows,
 * page by page, and that is added to the rows. What a shard still knows of addresses that were taken
 * out of the configuration is not told. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "daemon/job_p.h"
#include "daemon/ops_p.h"
#include "transfer/policy.h"

static_assert(CONTROL_PRIMARY_NAME == CONFIG_NAME_MAX_LEN + 1, "a name fits");
static_assert((unsigned)CONTROL_LANES == (unsigned)TRANSFER_LANES &&
                      (unsigned)CONTROL_LANE_NOTIFY == (unsigned)TRANSFER_LANE_NOTIFY &&
                      (unsigned)CONTROL_LANE_EXPIRING == (unsigned)TRANSFER_LANE_EXPIRING &&
                      (unsigned)CONTROL_LANE_DUE == (unsigned)TRANSFER_LANE_DUE &&
                      (unsigned)CONTROL_LANE_FIRST == (unsigned)TRANSFER_LANE_FIRST,
              "the same lanes");

/* ---- rows ---- */

static int addr_order(const struct addr *a, const struct addr *b)
{
	int order = (a->family > b->family) - (a->family < b->family);

	order = order != 0 ? order : memcmp(a->ip, b->ip, sizeof(a->ip));
	return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

static int by_addr(const void *a, const void *b)
{
	return addr_order(&((const struct control_primary *)a)->addr,
	                  &((const struct control_primary *)b)->addr);
}

static int by_addr_and_name(const void *a, const void *b)
{
	int order = by_addr(a, b);

	return order != 0 ? order
	                  : strcmp(((const struct control_primary *)a)->names[0],
	                           ((const struct control_primary *)b)->names[0]);
}

static void row_of_config(const struct config_primary *p, size_t address,
                          struct control_primary *out)
{
	*out = (struct control_primary){
		.addr = p->addresses[address],
		.name_count = 1,
		.state = CONTROL_PRIMARY_UNUSED,
		.max_connections =
			p->max_connections == 0 ? POLICY_CONNECTIONS : p->max_connections,
		.max_transfers = p->max_transfers == 0 ? POLICY_TRANSFERS : p->max_transfers,
		.queries_per_s = p->queries_per_s,
	};
	memcpy(out->names[0], p->name, sizeof(out->names[0]));
}

/* Makes one row of those with the same address, which stand side by side. */
static void rows_fold(struct control_primaries *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct control_primary *row = &list->rows[i];
		struct control_primary *to = count == 0 ? NULL : &list->rows[count - 1];

		if (to == NULL || !addr_equal(&to->addr, &row->addr)) {
			list->rows[count++] = *row;
		} else if (to->name_count < CONTROL_PRIMARY_NAMES) {
			memcpy(to->names[to->name_count++], row->names[0], sizeof(row->names[0]));
		}
	}
	list->count = count;
}

static void rows_of_config(const struct config *c, struct control_primaries *out)
{
	size_t cap = 0;

	for (size_t i = 0; i < c->primary_count; i++) {
		cap += c->primaries[i].address_count;
	}
	out->left_out = cap > CONTROL_PRIMARIES_MAX ? cap - CONTROL_PRIMARIES_MAX : 0;
	cap -= (size_t)out->left_out;
	out->rows = mem_new((cap + 1) * sizeof(*out->rows));
	for (size_t i = 0; i < c->primary_count; i++) {
		const struct config_primary *p = &c->primaries[i];

		for (size_t k = 0; k < p->address_count && out->count < cap; k++) {
			row_of_config(p, k, &out->rows[out->count++]);
		}
	}
	qsort(out->rows, out->count, sizeof(*out->rows), by_addr_and_name);
	rows_fold(out);
}

/* ---- what a shard knows ---- */

struct known_job {
	struct shard_job job;
	uint32_t place;
	bool more;
	struct transfer_primary_report *rows;
	size_t count;
	size_t cap;
};

static void known_add(void *self, const struct transfer_primary_report *report)
{
	struct known_job *j = self;

	if (j->count == j->cap) {
		j->cap = j->cap == 0 ? TRANSFER_PRIMARIES_PAGE : 2 * j->cap;
		j->rows = mem_grow(j->rows, j->cap * sizeof(*j->rows));
	}
	j->rows[j->count++] = *report;
}

static enum err known_job_run(struct shard *s, struct shard_job *job)
{
	struct known_job *j = container_of(job, struct known_job, job);

	if (s->transfer == NULL) {
		return ERR_STOPPING;
	}
	j->more = transfer_primaries(s->transfer, &j->place, known_add, j);
	return ERR_OK;
}

static void known_job_free(struct shard_job *job)
{
	struct known_job *j = container_of(job, struct known_job, job);

	free(j->rows);
	free(j);
}

static enum control_ability ability_of(enum transfer_ability ability)
{
	static const enum control_ability abilities[] = {
		[TRANSFER_PIPELINED] = CONTROL_CAN_PIPELINE,
		[TRANSFER_SERIAL] = CONTROL_CAN_SERIAL,
		[TRANSFER_SINGLE] = CONTROL_CAN_SINGLE,
	};

	return abilities[ability];
}

static int64_t ago_s(int64_t wall_s, uint64_t ago_ns)
{
	return wall_s - (int64_t)(ago_ns / NS_PER_S);
}

static uint64_t more_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void add_health(struct control_primary *to, const struct transfer_primary_report *r,
                       int64_t wall_s)
{
	int64_t failed_s = ago_s(wall_s, r->failed_ns);
	int64_t since_s = ago_s(wall_s, r->down_ns);

	if (r->last_error != ERR_OK && failed_s > to->last_error_at_s) {
		to->last_error = r->last_error;
		to->last_error_at_s = failed_s;
	}
	to->workers++;
	if (!r->down) {
		to->state = to->state == CONTROL_PRIMARY_UNUSED ? CONTROL_PRIMARY_UP : to->state;
		return;
	}
	to->state = CONTROL_PRIMARY_DOWN;
	to->workers_down++;
	to->trying = to->trying || r->trying;
	if (to->down_since_s == 0 || since_s < to->down_since_s) {
		to->down_since_s = since_s;
	}
	if (r->next_try_ns != UINT64_MAX) {
		int64_t try_s = wall_s + (int64_t)((r->next_try_ns + NS_PER_S - 1) / NS_PER_S);

		if (to->next_try_at_s == 0 || try_s < to->next_try_at_s) {
			to->next_try_at_s = try_s;
		}
	}
}

/* Adds what one shard knows: what can be summed is, of the rest the worst counts. */
static void row_add(struct control_primary *to, const struct transfer_primary_report *r,
                    int64_t wall_s)
{
	add_health(to, r, wall_s);
	to->connections += r->connections;
	to->connections_borne += r->connections_borne;
	for (unsigned lane = 0; lane < CONTROL_LANES; lane++) {
		to->running[lane] += r->running[lane];
		to->waiting[lane] += r->waiting[lane];
	}
	to->waiting_rough = to->waiting_rough || r->waiting_rough;
	to->parked += r->parked;
	to->asks_running += r->asks_running;
	to->asks_waiting += r->asks_waiting;
	to->window += r->window;
	to->asks_window += r->asks_window;
	to->ability = ability_of(r->ability) > to->ability ? ability_of(r->ability) : to->ability;
	to->silent_udp = to->silent_udp || r->deaf;
	to->connect_ns = more_of(to->connect_ns, r->connect_ns);
	to->answer_ns = more_of(to->answer_ns, r->answer_ns);
	to->rest_ns = more_of(to->rest_ns, r->rest_ns);
	to->ask_ns = more_of(to->ask_ns, r->ask_ns);
	to->max_connections = r->pace.connections;
	to->max_transfers = r->pace.transfers;
	to->queries_per_s = r->pace.queries_per_s;
}

static void rows_add(struct control_primaries *list, const struct known_job *j, int64_t wall_s)
{
	for (size_t i = 0; i < j->count; i++) {
		struct control_primary like = { .addr = j->rows[i].addr };
		struct control_primary *row =
			list->count == 0
				? NULL
				: bsearch(&like, list->rows, list->count, sizeof(like), by_addr);

		if (row != NULL) {
			row_add(row, &j->rows[i], wall_s);
		}
	}
}

static enum err shard_collect(struct daemon *d, struct shard *s, struct control_primaries *list)
{
	int64_t wall_s = env_wall_s(d->env);
	uint32_t place = 0;
	bool more = true;
	enum err e = ERR_OK;

	while (more && e == ERR_OK) {
		struct known_job *j = mem_zero(1, sizeof(*j));

		job_init(&j->job, known_job_run, known_job_free);
		j->place = place;
		e = job_send(&j->job, s);
		if (e == ERR_OK) {
			e = job_wait(&j->job, CALL_DEADLINE_S);
		}
		if (e == ERR_OK) {
			rows_add(list, j, wall_s);
			place = j->place;
			more = j->more;
		}
		job_release(&j->job);
	}
	return e;
}

/* Rows in the order of addresses. */
static enum err collect(struct daemon *d, struct control_primaries *out)
{
	struct control_primaries list = { 0 };
	enum err e = ERR_OK;

	pthread_rwlock_rdlock(&d->apply_lock);
	rows_of_config(((const struct applied *)atomic_load(&d->applied))->config, &list);
	for (unsigned i = 0; i < d->shard_count && e == ERR_OK; i++) {
		e = shard_collect(d, &d->shards[i], &list);
	}
	pthread_rwlock_unlock(&d->apply_lock);
	if (e != ERR_OK) {
		free(list.rows);
		return e;
	}
	*out = list;
	return ERR_OK;
}

/* ---- what is asked ---- */

/* How much is wrong; less is worse. */
static int rank(const struct control_primary *p)
{
	if (p->state == CONTROL_PRIMARY_DOWN) {
		return 0;
	}
	if (p->state == CONTROL_PRIMARY_UNUSED) {
		return 3;
	}
	return p->ability != CONTROL_CAN_PIPELINE || p->silent_udp || p->connections_borne > 0 ? 1
	                                                                                       : 2;
}

static uint64_t held_up(const struct control_primary *p)
{
	uint64_t sum = p->parked + p->asks_waiting;

	for (unsigned lane = 0; lane < CONTROL_LANES; lane++) {
		sum += p->waiting[lane];
	}
	return sum;
}

static int by_what_is_wrong(const void *a, const void *b)
{
	int order = rank(a) - rank(b);
	uint64_t waits[2] = { held_up(a), held_up(b) };

	if (order == 0) {
		order = (waits[0] < waits[1]) - (waits[0] > waits[1]);
	}
	return order != 0 ? order : by_addr(a, b);
}

enum err ops_primaries(void *self, struct control_primaries *out)
{
	TRY(collect(self, out));
	qsort(out->rows, out->count, sizeof(*out->rows), by_what_is_wrong);
	return ERR_OK;
}

enum err ops_count_primaries(struct daemon *d, struct control_status *out)
{
	struct control_primaries list;

	TRY(collect(d, &list));
	out->primaries = list.count + list.left_out;
	out->primaries_down = 0;
	for (size_t i = 0; i < list.count; i++) {
		out->primaries_down += list.rows[i].state == CONTROL_PRIMARY_DOWN;
	}
	free(list.rows);
	return ERR_OK;
}
