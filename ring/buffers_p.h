/* SPDX-License-Identifier: MIT
 *
 * ring/buffers_p.h — one group of buffers that the kernel receives into.
 *
 * All of them are the kernel's except those that completions brought and nobody has given back. */
#pragma once

#include <liburing.h>

#include "base/bytes.h"

struct buffers {
	struct io_uring_buf_ring *ring;
	size_t ring_len;
	uint8_t *base;
	unsigned count; /* a power of two */
	unsigned len;   /* octets each */
	uint16_t group;
};

/* Makes `count` buffers, a power of two, of `len` octets and registers them. Returns 0 or a negative
 * errno, -ENOMEM where `ulimit -l` is too small. */
int buffers_init(struct buffers *b, struct io_uring *ring, unsigned count, unsigned len);

/* After the end of the ring. {0} is the zero state. */
void buffers_fini(struct buffers *b);

/* The buffer that a completion with these flags brought. */
uint8_t *buffers_at(const struct buffers *b, uint32_t cqe_flags);
void buffers_give(struct buffers *b, const void *at);

static inline bool buffers_have(const struct buffers *b, const void *at)
{
	uintptr_t base = (uintptr_t)b->base;

	return (uintptr_t)at >= base && (uintptr_t)at - base < (size_t)b->count * b->len;
}
