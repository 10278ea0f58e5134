/* SPDX-License-Identifier: MIT
 *
 * transfer/quota.c — what all shards together may ask of one primary. */
#include "transfer/quota.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"

#define QUOTA_BUCKETS 1024U
#define BURST_PARTS   10U /* of a second's queries */

struct quota {
	struct quota *chain;
	struct addr addr;
	uint32_t users; /* under the lock */
	_Atomic uint32_t conns;
	_Atomic uint32_t transfers;
	_Atomic uint32_t down; /* shards that find it so */
	_Atomic bool wanted;
	_Atomic uint64_t hurried_until_ns;
	_Atomic uint64_t next_ns; /* when a query would be due, were they sent evenly */
};

struct quotas {
	pthread_mutex_t lock;
	struct quota *buckets[QUOTA_BUCKETS];
};

struct quotas *quotas_new(void)
{
	struct quotas *all = mem_zero(1, sizeof(*all));

	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void quotas_free(struct quotas *all)
{
	if (all == NULL) {
		return;
	}
	for (unsigned i = 0; i < QUOTA_BUCKETS; i++) {
		assert(all->buckets[i] == NULL);
	}
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* Addresses come from the configuration: a hash that anybody can guess does no harm. */
static struct quota **bucket_of(struct quotas *all, const struct addr *addr)
{
	uint32_t h = addr->port;

	for (size_t i = 0; i < sizeof(addr->ip); i++) {
		h = h * 31 + addr->ip[i];
	}
	return &all->buckets[h % QUOTA_BUCKETS];
}

struct quota *quota_get(struct quotas *all, const struct addr *addr)
{
	struct quota **bucket = bucket_of(all, addr);
	struct quota *q;

	pthread_mutex_lock(&all->lock);
	q = *bucket;
	while (q != NULL && !addr_equal(&q->addr, addr)) {
		q = q->chain;
	}
	if (q == NULL) {
		q = mem_zero(1, sizeof(*q));
		q->addr = *addr;
		q->chain = *bucket;
		*bucket = q;
	}
	q->users++;
	pthread_mutex_unlock(&all->lock);
	return q;
}

void quota_put(struct quotas *all, struct quota *q)
{
	struct quota **at = bucket_of(all, &q->addr);

	pthread_mutex_lock(&all->lock);
	assert(q->users > 0);
	if (--q->users == 0) {
		assert(atomic_load(&q->conns) == 0 && atomic_load(&q->transfers) == 0);
		while (*at != q) {
			at = &(*at)->chain;
		}
		*at = q->chain;
		free(q);
	}
	pthread_mutex_unlock(&all->lock);
}

static bool take(_Atomic uint32_t *count, uint32_t max)
{
	uint32_t n = atomic_load_explicit(count, memory_order_relaxed);

	while (n < max) {
		if (atomic_compare_exchange_weak_explicit(count, &n, n + 1, memory_order_relaxed,
		                                          memory_order_relaxed)) {
			return true;
		}
	}
	return false;
}

static void give(_Atomic uint32_t *count)
{
	uint32_t before = atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);

	assert(before > 0);
}

bool quota_conn_take(struct quota *q, uint32_t max)
{
	return take(&q->conns, max);
}

void quota_conn_give(struct quota *q)
{
	give(&q->conns);
}

bool quota_transfer_take(struct quota *q, uint32_t max)
{
	return take(&q->transfers, max);
}

void quota_transfer_give(struct quota *q)
{
	give(&q->transfers);
}

void quota_want(struct quota *q)
{
	atomic_store_explicit(&q->wanted, true, memory_order_relaxed);
}

bool quota_let_go(struct quota *q)
{
	return atomic_load_explicit(&q->wanted, memory_order_relaxed) &&
	       atomic_exchange_explicit(&q->wanted, false, memory_order_relaxed);
}

void quota_hurry(struct quota *q, uint64_t until_ns)
{
	atomic_store_explicit(&q->hurried_until_ns, until_ns, memory_order_relaxed);
}

bool quota_hurried(const struct quota *q, uint64_t now_ns)
{
	return atomic_load_explicit(&q->hurried_until_ns, memory_order_relaxed) > now_ns;
}

uint64_t quota_query(struct quota *q, uint32_t per_s, uint64_t now_ns)
{
	uint64_t each_ns = per_s == 0 ? 0 : NS_PER_S / per_s;
	uint64_t burst_ns = NS_PER_S / BURST_PARTS;
	uint64_t next = atomic_load_explicit(&q->next_ns, memory_order_relaxed);
	uint64_t from;

	if (per_s == 0) {
		return 0;
	}
	do {
		from = next + burst_ns > now_ns ? next : now_ns - burst_ns;
		if (from > now_ns) {
			return from;
		}
	} while (!atomic_compare_exchange_weak_explicit(
		&q->next_ns, &next, from + each_ns, memory_order_relaxed, memory_order_relaxed));
	return 0;
}

bool quota_down(struct quota *q, bool down)
{
	if (down) {
		return atomic_fetch_add_explicit(&q->down, 1, memory_order_relaxed) == 0;
	}
	return atomic_fetch_sub_explicit(&q->down, 1, memory_order_relaxed) == 1;
}

uint32_t quota_conns(const struct quota *q)
{
	return atomic_load_explicit(&q->conns, memory_order_relaxed);
}

uint32_t quota_transfers(const struct quota *q)
{
	return atomic_load_explicit(&q->transfers, memory_order_relaxed);
}
