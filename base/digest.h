/* SPDX-License-Identifier: MIT
 *
 * base/digest.h — SHA-256, the 128-bit ids made of it, and SHA-384 and SHA-512 (door to BoringSSL).
 *
 * An id crosses machines and is compared instead of content, so it is cryptographic. */
#pragma once

#include "base/bytes.h"

struct id {
	uint8_t octets[16]; /* the first 128 bits of a SHA-256 */
};

static inline bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

/* A SHA-256 in the making; a value that may be copied. */
struct digest {
	uint64_t opaque[16];
};

void digest_init(struct digest *d);
void digest_update(struct digest *d, struct bytes b);
void digest_final(struct digest *d, uint8_t out[static 32]);

/* A SHA-384 or SHA-512 in the making, likewise. */
enum digest_long_kind { DIGEST_SHA384, DIGEST_SHA512 };

#define SHA384_LEN      48U
#define SHA512_LEN      64U
#define DIGEST_LONG_MAX SHA512_LEN

struct digest_long {
	enum digest_long_kind kind;
	uint64_t opaque[27];
};

void digest_long_init(struct digest_long *d, enum digest_long_kind kind);
void digest_long_update(struct digest_long *d, struct bytes b);

/* Returns how many octets of `out` it has filled. */
size_t digest_long_final(struct digest_long *d, uint8_t out[static DIGEST_LONG_MAX]);

/* The id of `b`. */
void id_of(struct bytes b, struct id *out);

/* Overwrites secrets in a way that the compiler keeps. */
void secret_wipe(void *at, size_t len);

/* Compares in a time that does not depend on the content. */
bool secret_equal(const void *a, const void *b, size_t len);
