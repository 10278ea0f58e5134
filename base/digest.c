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
