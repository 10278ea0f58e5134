/* SPDX-License-Identifier: MIT
 *
 * dns/serial.h — zone serials, which wrap (RFC 1982).
 *
 * A serial is a type of its own so that `a < b` does not compile. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct serial {
	uint32_t n;
};

static inline bool serial_equal(struct serial a, struct serial b)
{
	return a.n == b.n;
}

/* True if `a` is newer than `b` (RFC 1982 §3.2). Serials exactly 2^31 apart have no order there; we
 * call neither newer. */
static inline bool serial_newer(struct serial a, struct serial b)
{
	uint32_t ahead = a.n - b.n;

	return ahead != 0 && ahead < 0x80000000U;
}
