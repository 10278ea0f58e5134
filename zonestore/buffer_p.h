/* SPDX-License-Identifier: MIT
 *
 * zonestore/buffer_p.h — octets that grow.
 *
 * Ownership: {0} is the zero state; fini of it is safe. Views into a buffer die with the next put.
 */
#pragma once

#include "base/arena.h"

struct buffer {
	uint8_t *at;
	size_t len;
	size_t cap;
};

void buffer_fini(struct buffer *b);

void buffer_grow(struct buffer *b, size_t len); /* what buffer_room() does when it must */

/* Makes room for `len` more octets and returns where they go; buffer.len is the caller's to move. */
static inline uint8_t *buffer_room(struct buffer *b, size_t len)
{
	if (len > b->cap - b->len) {
		buffer_grow(b, len);
	}
	return b->at + b->len;
}

static inline void buffer_put(struct buffer *b, struct bytes octets)
{
	if (octets.len > 0) {
		memcpy(buffer_room(b, octets.len), octets.at, octets.len);
		b->len += octets.len;
	}
}

static inline void buffer_u8(struct buffer *b, uint8_t v)
{
	*buffer_room(b, 1) = v;
	b->len += 1;
}

static inline void buffer_u16(struct buffer *b, uint16_t v)
{
	store_u16(buffer_room(b, 2), v);
	b->len += 2;
}

static inline void buffer_u32(struct buffer *b, uint32_t v)
{
	store_u32(buffer_room(b, 4), v);
	b->len += 4;
}

static inline void buffer_u64(struct buffer *b, uint64_t v)
{
	store_u64(buffer_room(b, 8), v);
	b->len += 8;
}

static inline struct bytes buffer_bytes(const struct buffer *b)
{
	return (struct bytes){ b->at, b->len };
}
