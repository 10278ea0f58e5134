/* SPDX-License-Identifier: MIT
 *
 * zonestore/buffer.c — octets that grow, by doubling. */
#include "zonestore/buffer_p.h"

#include <stdlib.h>

#define BUFFER_FIRST_BYTES 256

void buffer_fini(struct buffer *b)
{
	free(b->at);
	*b = (struct buffer){ 0 };
}

void buffer_grow(struct buffer *b, size_t len)
{
	size_t cap = b->cap == 0 ? BUFFER_FIRST_BYTES : b->cap;

	assert(b->len <= b->cap);
	while (cap - b->len < len) {
		cap *= 2;
	}
	b->at = mem_grow(b->at, cap);
	b->cap = cap;
}
