/* SPDX-License-Identifier: MIT
 *
 * dns/hmac.c — the door to BoringSSL's HMAC. */
#include "dns/hmac_p.h"

#include <stdlib.h>

#include <openssl/digest.h>
#include <openssl/hmac.h>

#include "base/arena.h"

#ifndef OPENSSL_IS_BORINGSSL
#error "these are OpenSSL's headers; axfarm needs BoringSSL's (android-libboringssl-dev)"
#endif

static_assert(EVP_MAX_MD_SIZE <= TSIG_MAC_MAX_LEN, "every digest fits a MAC");

struct hmac {
	HMAC_CTX ctx;
};

/* BoringSSL reports failure only where memory ran out or a digest is unknown: neither is survivable
 * within a budget (STYLE 2.7). */
static void must(int ok)
{
	if (!ok) {
		abort();
	}
}

static const EVP_MD *digest_of(enum tsig_algorithm algorithm)
{
	switch (algorithm) {
	case TSIG_HMAC_MD5:
		return EVP_md5();
	case TSIG_HMAC_SHA1:
		return EVP_sha1();
	case TSIG_HMAC_SHA224:
		return EVP_sha224();
	case TSIG_HMAC_SHA256:
		return EVP_sha256();
	case TSIG_HMAC_SHA384:
		return EVP_sha384();
	case TSIG_HMAC_SHA512:
		return EVP_sha512();
	case TSIG_ALGORITHMS:
		break;
	}
	abort();
}

size_t hmac_len(enum tsig_algorithm algorithm)
{
	return EVP_MD_size(digest_of(algorithm));
}

struct hmac *hmac_new_empty(void)
{
	struct hmac *h = mem_new(sizeof(*h));

	HMAC_CTX_init(&h->ctx);
	return h;
}

struct hmac *hmac_new(enum tsig_algorithm algorithm, struct bytes secret)
{
	struct hmac *h = hmac_new_empty();

	must(HMAC_Init_ex(&h->ctx, secret.at, secret.len, digest_of(algorithm), NULL));
	return h;
}

void hmac_free(struct hmac *h)
{
	if (h == NULL) {
		return;
	}
	HMAC_CTX_cleanse(&h->ctx);
	free(h);
}

void hmac_begin(struct hmac *h, const struct hmac *pattern)
{
	must(HMAC_CTX_copy_ex(&h->ctx, &pattern->ctx));
}

void hmac_add(struct hmac *h, struct bytes b)
{
	must(HMAC_Update(&h->ctx, b.at, b.len));
}

size_t hmac_end(struct hmac *h, uint8_t out[static TSIG_MAC_MAX_LEN])
{
	unsigned len = 0;

	must(HMAC_Final(&h->ctx, out, &len));
	return len;
}
