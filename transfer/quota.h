/* SPDX-License-Identifier: MIT
 *
 * transfer/quota.h — what all shards together may ask of one primary.
 *
 * A shard has its own connections to a primary, but the limits an operator sets are the primary's:
 * they are counted here, by address. Counting takes no lock; a shard that is refused tries again a
 * little later, and marks that it wants, so that others let go of a connection or leave transfers to it.
 *
 * Ownership: new/free by the daemon, before and after the shards; a shard gets and puts. Any thread. */
#pragma once

#include "base/addr.h"

struct quotas;
struct quota;

struct quotas *quotas_new(void);
void quotas_free(struct quotas *all); /* nobody has a quota any more (asserted); NULL is a no-op */

/* The quota of the primary at `addr`. Takes a lock: once for each shard and primary. */
struct quota *quota_get(struct quotas *all, const struct addr *addr);
void quota_put(struct quotas *all, struct quota *q);

/* One more connection / transfer, if there are fewer than `max` by now. */
bool quota_conn_take(struct quota *q, uint32_t max);
void quota_conn_give(struct quota *q);
bool quota_transfer_take(struct quota *q, uint32_t max);
void quota_transfer_give(struct quota *q);

/* A shard without any connection wants one; said again as long as that is so. Who has some asks whether
 * to let go of one: true once for each time that it was said. */
void quota_want(struct quota *q);
bool quota_let_go(struct quota *q);

/* The same of transfers: what is urgent was refused one, and what is not gives way for a while. */
void quota_hurry(struct quota *q, uint64_t until_ns);
bool quota_hurried(const struct quota *q, uint64_t now_ns);

/* One more query, of at most `per_s` a second (0: no limit); 0 if it may be sent now, else when to ask
 * again. A tenth of a second's worth may come at once. */
uint64_t quota_query(struct quota *q, uint32_t per_s, uint64_t now_ns);

/* A shard finds the primary down, or up again. True if it is the first to, or the last. */
bool quota_down(struct quota *q, bool down);

/* For reports. */
uint32_t quota_conns(const struct quota *q);
uint32_t quota_transfers(const struct quota *q);
