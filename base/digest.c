/* SPDX-License-Identifier: MIT
 *
 * base/digest.c — the door to BoringSSL's digests. */
#include "base/digest.h"

#include <openssl/crypto.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#ifndef OPENSSL_IS_BORINGSSL
#error "these are OpenSSL's headers; axfarm needs BoringSSL's (android-libboringssl-dev)"
#endif

static_assert(sizeof(SHA256_CTX) <= sizeof(struct digest), "struct digest holds a SHA256_CTX");
static_assert(sizeof(SHA512_CTX) <= sizeof(((struct digest_long *)0)->opaque),
              "struct digest_long holds a SHA512_CTX");
static_assert(SHA384_LEN == SHA384_DIGEST_LENGTH && SHA512_LEN == SHA512_DIGEST_LENGTH,
              "the lengths are BoringSSL's");

void digest_init(struct digest *d)
{
	SHA256_Init((SHA256_CTX *)d->opaque);
}

void digest_update(struct digest *d, struct bytes b)
{
	SHA256_Update((SHA256_CTX *)d->opaque, b.at, b.len);
}

void digest_final(struct digest *d, uint8_t out[static 32])
{
	SHA256_Final(out, (SHA256_CTX *)d->opaque);
}

void digest_long_init(struct digest_long *d, enum digest_long_kind kind)
{
	d->kind = kind;
	if (kind == DIGEST_SHA384) {
		SHA384_Init((SHA512_CTX *)d->opaque);
	} else {
		SHA512_Init((SHA512_CTX *)d->opaque);
	}
}

void digest_long_update(struct digest_long *d, struct bytes b)
{
	SHA512_Update((SHA512_CTX *)d->opaque, b.at, b.len); /* SHA-384 is it, too */
}

size_t digest_long_final(struct digest_long *d, uint8_t out[static DIGEST_LONG_MAX])
{
	if (d->kind == DIGEST_SHA384) {
		SHA384_Final(out, (SHA512_CTX *)d->opaque);
		return SHA384_LEN;
	}
	SHA512_Final(out, (SHA512_CTX *)d->opaque);
	return SHA512_LEN;
}

void id_of(struct bytes b, struct id *out)
{
	uint8_t full[SHA256_DIGEST_LENGTH];

	SHA256(b.at, b.len, full);
	memcpy(out->octets, full, sizeof(out->octets));
}

void secret_wipe(void *at, size_t len)
{
	OPENSSL_cleanse(at, len);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
