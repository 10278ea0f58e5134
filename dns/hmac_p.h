/* SPDX-License-Identifier: MIT
 *
 * dns/hmac_p.h — HMAC (RFC 2104), the only door of dns/ to BoringSSL.
 *
 * A `struct hmac` is a computation: one with its key absorbed serves as a pattern from which others
 * are begun without touching the key again. Beginning one that already ran with the same algorithm
 * allocates nothing.
 *
 * Ownership: new/free; freeing wipes. */
#pragma once

#include "dns/tsig.h"

struct hmac;

/* Octets that an algorithm yields. */
size_t hmac_len(enum tsig_algorithm algorithm);

/* A computation with `secret` absorbed. */
struct hmac *hmac_new(enum tsig_algorithm algorithm, struct bytes secret);

/* One that hmac_begin() has yet to give something to compute. */
struct hmac *hmac_new_empty(void);
void hmac_free(struct hmac *h);

/* Makes `h` a copy of `pattern`, to which nothing was added since hmac_new(). The pattern may be
 * used by several threads at once. */
void hmac_begin(struct hmac *h, const struct hmac *pattern);
void hmac_add(struct hmac *h, struct bytes b);

/* Ends the computation; returns the length. `h` has to be begun again. */
size_t hmac_end(struct hmac *h, uint8_t out[static TSIG_MAC_MAX_LEN]);
