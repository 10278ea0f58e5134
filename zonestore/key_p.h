/* SPDX-License-Identifier: MIT
 *
 * zonestore/key_p.h — owner names as keys, so that memcmp() orders them canonically.
 *
 * A key is the part of a name below the apex: its labels from right to left in lower case, each
 * closed by a 0x00; 0x00 and 0x01 inside of labels are written 0x01 0x01 and 0x01 0x02. So keys
 * order as RFC 4034 §6.1 orders names, the key of a name begins with the keys of all names above
 * it, and the apex has the empty key. Which letters were in upper case stands in a bitmap with a
 * bit for each octet of the key, highest bit first.
 *
 * Ownership: plain values. */
#pragma once

#include "dns/name.h"

#define KEY_MAX       512 /* 254 octets, each written as two at worst */
#define KEY_CASES_MAX (KEY_MAX / 8)

struct key {
	uint16_t len;
	bool cased; /* has letters in upper case: `cases` is filled */
	uint8_t octets[KEY_MAX];
	uint8_t cases[KEY_CASES_MAX];
};

static inline size_t key_cases_len(size_t key_len)
{
	return (key_len + 7) / 8;
}

static inline struct bytes key_bytes(const struct key *k)
{
	return (struct bytes){ k->octets, k->len };
}

/* The key of `name`, which is at or below an apex of `apex_labels` labels (the labels asserted). */
void key_of_name(struct name name, unsigned apex_labels, struct key *out);

/* The name of a key under `apex`, with the case of `cases` (NULL: lower). False if it would be
 * longer than a name can be. */
MUST_USE bool key_name(struct bytes key, const uint8_t *cases, struct name apex,
                       struct name_buf *out);

/* True for octets that key_of_name() makes of some name; case bitmaps likewise. */
bool key_check(struct bytes key);
bool key_cases_check(struct bytes key, const uint8_t *cases);

/* Labels of a key. */
unsigned key_labels(struct bytes key);

/* Octets of the name that a key stands for, without apex and root. */
unsigned key_wire_len(struct bytes key);

/* Of two spellings of one key the one that sorts first octet by octet (upper case before lower);
 * NULL is all lower case. True if `a` sorts before `b`. */
bool key_cases_before(size_t key_len, const uint8_t *a, const uint8_t *b);

/* True if `len` octets are the same: for so few that a call would cost more. */
static inline bool octets_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		if (load_u64(a + i) != load_u64(b + i)) {
			return false;
		}
	}
	for (; i < len; i++) {
		if (a[i] != b[i]) {
			return false;
		}
	}
	return true;
}

/* Octets that both begin with. */
static inline size_t key_common(struct bytes a, struct bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	size_t i = 0;

	while (i < len && a.at[i] == b.at[i]) {
		i++;
	}
	return i;
}
