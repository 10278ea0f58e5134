/* SPDX-License-Identifier: MIT
 *
 * dns/name.h — owner names and names in rdata, uncompressed (RFC 1035 §3.1).
 *
 * A `struct name` is a borrowed view of a valid uncompressed name in wire form: labels, each with
 * its length before it, and the root's empty label at the end. Views are made only by the functions
 * here, so every struct name in the program is valid. Case is kept; comparison ignores the case of
 * ASCII letters (RFC 4343). */
#pragma once

#include "base/bytes.h"

#define NAME_MAX_LEN    255 /* octets, RFC 1035 §3.1 */
#define LABEL_MAX_LEN   63
#define NAME_MAX_LABELS 128  /* the root label counted */
#define NAME_TEXT_MAX   1025 /* every octet as \DDD, dots, final NUL */

struct name {
	const uint8_t *at;
	uint8_t len;    /* octets, the root label included; at least 1 */
	uint8_t labels; /* labels, the root label not counted: 0 for the root */
};

/* Storage for one name. */
struct name_buf {
	uint8_t len; /* 0: nothing stored */
	uint8_t labels;
	uint8_t octets[NAME_MAX_LEN];
};

static inline struct name name_of(const struct name_buf *buf)
{
	return (struct name){ buf->octets, buf->len, buf->labels };
}

static inline struct bytes name_bytes(struct name n)
{
	return (struct bytes){ n.at, n.len };
}

/* Reads a name from a message, following compression pointers, which must point before themselves
 * (RFC 1035 §4.1.4), at most 128 of them. The result is copied into *out. ERR_WIRE_NAME or
 * ERR_WIRE_SHORT. */
MUST_USE enum err name_read(struct reader *r, struct name_buf *out);

/* Moves past a name without looking where its pointer leads, for walks that need no owner names.
 * ERR_WIRE_NAME or ERR_WIRE_SHORT. */
MUST_USE enum err name_skip(struct reader *r);

/* Views an uncompressed name at the beginning of `b`, which may go on after it. Pointers are
 * refused. */
MUST_USE enum err name_view(struct bytes b, struct name *out);

/* Reads presentation form (RFC 1035 §5.1: \. \DDD). A name without a final dot is made absolute by
 * appending `origin` (the root if NULL). "@" alone is the origin. ERR_TEXT. */
MUST_USE enum err name_parse(struct bytes text, const struct name *origin, struct name_buf *out);

/* Writes presentation form with a final dot; false where the writer is full. */
MUST_USE bool name_print(struct name n, struct writer *out);

void name_copy(struct name n, struct name_buf *out);

bool name_equal(struct name a, struct name b);

/* Canonical order (RFC 4034 §6.1): negative, zero, positive. */
int name_compare(struct name a, struct name b);

/* True if `n` is `apex` or below it. */
bool name_within(struct name n, struct name apex);

/* The name without its first `count` labels; count <= n.labels (asserted). */
struct name name_strip(struct name n, unsigned count);

/* Labels that `a` and `b` share, counted from the root. */
unsigned name_common(struct name a, struct name b);

/* Seeded hash that ignores case. */
uint64_t name_hash(uint64_t seed, struct name n);

/* Copies `n` with its ASCII letters in lower case. */
void name_lower(struct name n, struct name_buf *out);

static inline uint8_t octet_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static inline bool name_is_wildcard(struct name n)
{
	return n.len >= 2 && n.at[0] == 1 && n.at[1] == '*';
}
