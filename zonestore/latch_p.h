/* SPDX-License-Identifier: MIT
 *
 * zonestore/latch_p.h — a lock of four octets for sections of some ten instructions.
 *
 * Waiting spins a little and then yields; nothing that blocks may be done while holding one.
 *
 * Ownership: a field of what it protects; zero is free. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct latch {
	_Atomic uint32_t taken;
};

void latch_wait(struct latch *l);

static inline void latch_take(struct latch *l)
{
	if (atomic_exchange_explicit(&l->taken, 1, memory_order_acquire) != 0) {
		latch_wait(l);
	}
}

static inline void latch_give(struct latch *l)
{
	atomic_store_explicit(&l->taken, 0, memory_order_release);
}
