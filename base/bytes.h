/* SPDX-License-Identifier: MIT
 *
 * base/bytes.h — the only way this program looks at bytes it did not write, and writes bytes that
 * others read.
 *
 * A reader borrows a message and moves forward over it. Every read either yields a value and
 * advances, or returns false and leaves the reader where it was; the compiler refuses a read whose
 * result is not looked at. A writer fills a caller's buffer and never goes past its end: a put that
 * does not fit returns false and leaves the writer where it was. Integers are big-endian (RFC 1035
 * §2.3.2). */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Borrowed octets; dies with what it points into. {NULL, 0} is the empty view. */
struct bytes {
	const uint8_t *at;
	size_t len;
};

static inline struct bytes bytes_of(const void *at, size_t len)
{
	return (struct bytes){ at, len };
}

static inline struct bytes bytes_str(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Orders octet strings as memcmp does; a prefix sorts before what it begins. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int c = len == 0 ? 0 : memcmp(a.at, b.at, len);

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static inline uint16_t load_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t load_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t load_u64(const uint8_t *at)
{
	return (uint64_t)load_u32(at) << 32 | load_u32(at + 4);
}

static inline void store_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void store_u32(uint8_t *at, uint32_t v)
{
	store_u16(at, (uint16_t)(v >> 16));
	store_u16(at + 2, (uint16_t)v);
}

static inline void store_u64(uint8_t *at, uint64_t v)
{
	store_u32(at, (uint32_t)(v >> 32));
	store_u32(at + 4, (uint32_t)v);
}

struct reader {
	struct bytes whole; /* the message, kept for compression pointers */
	size_t pos;         /* octets consumed; always <= whole.len */
};

static inline struct reader reader_of(struct bytes whole)
{
	return (struct reader){ whole, 0 };
}

static inline size_t reader_left(const struct reader *r)
{
	return r->whole.len - r->pos;
}

MUST_USE static inline bool reader_take(struct reader *r, size_t len, struct bytes *out)
{
	if (len > reader_left(r)) {
		return false;
	}
	*out = (struct bytes){ r->whole.at + r->pos, len };
	r->pos += len;
	return true;
}

MUST_USE static inline bool reader_u8(struct reader *r, uint8_t *out)
{
	if (reader_left(r) < 1) {
		return false;
	}
	*out = r->whole.at[r->pos++];
	return true;
}

MUST_USE static inline bool reader_u16(struct reader *r, uint16_t *out)
{
	if (reader_left(r) < 2) {
		return false;
	}
	*out = load_u16(r->whole.at + r->pos);
	r->pos += 2;
	return true;
}

MUST_USE static inline bool reader_u32(struct reader *r, uint32_t *out)
{
	if (reader_left(r) < 4) {
		return false;
	}
	*out = load_u32(r->whole.at + r->pos);
	r->pos += 4;
	return true;
}

MUST_USE static inline bool reader_u64(struct reader *r, uint64_t *out)
{
	if (reader_left(r) < 8) {
		return false;
	}
	*out = load_u64(r->whole.at + r->pos);
	r->pos += 8;
	return true;
}

struct writer {
	uint8_t *at; /* the caller's buffer */
	size_t cap;  /* its size */
	size_t len;  /* octets written; always <= cap */
};

static inline struct writer writer_of(void *at, size_t cap)
{
	return (struct writer){ at, cap, 0 };
}

static inline size_t writer_left(const struct writer *w)
{
	return w->cap - w->len;
}

static inline struct bytes writer_bytes(const struct writer *w)
{
	return (struct bytes){ w->at, w->len };
}

MUST_USE static inline bool writer_put(struct writer *w, struct bytes b)
{
	if (b.len > writer_left(w)) {
		return false;
	}
	if (b.len > 0) {
		memcpy(w->at + w->len, b.at, b.len);
	}
	w->len += b.len;
	return true;
}

MUST_USE static inline bool writer_u8(struct writer *w, uint8_t v)
{
	if (writer_left(w) < 1) {
		return false;
	}
	w->at[w->len++] = v;
	return true;
}

MUST_USE static inline bool writer_u16(struct writer *w, uint16_t v)
{
	if (writer_left(w) < 2) {
		return false;
	}
	store_u16(w->at + w->len, v);
	w->len += 2;
	return true;
}

MUST_USE static inline bool writer_u32(struct writer *w, uint32_t v)
{
	if (writer_left(w) < 4) {
		return false;
	}
	store_u32(w->at + w->len, v);
	w->len += 4;
	return true;
}

MUST_USE static inline bool writer_u64(struct writer *w, uint64_t v)
{
	if (writer_left(w) < 8) {
		return false;
	}
	store_u64(w->at + w->len, v);
	w->len += 8;
	return true;
}

/* Appends a NUL-terminated string without its NUL. */
MUST_USE static inline bool writer_str(struct writer *w, const char *s)
{
	return writer_put(w, bytes_str(s));
}
