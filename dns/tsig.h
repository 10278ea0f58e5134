/* SPDX-License-Identifier: MIT
 *
 * dns/tsig.h — transaction signatures (RFC 8945), for single messages and for streams of them.
 *
 * A key is immutable and shared; its HMAC contexts are computed once. A `struct tsig_stream` is the
 * state of one conversation: the previous MAC and the octets since it. The same stream verifies (or
 * signs) the request, the first answer, and the following messages of a transfer (§5.3.1: at most
 * 99 unsigned messages in between). No clock here: times are passed in.
 *
 * Ownership: keys new/ref/unref (atomic). Streams init/fini, storage is the caller's. Secrets are
 * wiped when freed and are printed by nothing. */
#pragma once

#include "dns/message.h"

#define TSIG_FUDGE_S        300
#define TSIG_MAC_MAX_LEN    64
#define TSIG_UNSIGNED_MAX   99 /* RFC 8945 §5.3.1 */
#define TSIG_SECRET_MAX_LEN 512

enum tsig_algorithm {
	TSIG_HMAC_MD5,
	TSIG_HMAC_SHA1,
	TSIG_HMAC_SHA224,
	TSIG_HMAC_SHA256,
	TSIG_HMAC_SHA384,
	TSIG_HMAC_SHA512,
	TSIG_ALGORITHMS,
};

struct tsig_key;

struct tsig_key_options {
	struct name name;
	enum tsig_algorithm algorithm;
	struct bytes secret; /* raw octets; copied, the caller wipes its own */
	uint8_t min_mac_len; /* shortest MAC accepted; 0: the full one only (RFC 8945 §5.2.2.1) */
};

/* ERR_CONFIG where the secret is empty or too long, or min_mac_len is more than the full length or
 * less than max(10, half of it). */
MUST_USE enum err tsig_key_new(const struct tsig_key_options *options, struct tsig_key **out);
struct tsig_key *tsig_key_ref(struct tsig_key *key);
void tsig_key_unref(struct tsig_key *key);
struct name tsig_key_name(const struct tsig_key *key);
enum tsig_algorithm tsig_key_algorithm(const struct tsig_key *key);
/* True if name, algorithm, secret and truncation are the same (constant time in the secret). */
bool tsig_key_equal(const struct tsig_key *a, const struct tsig_key *b);

/* "hmac-sha256", and with the .sig-alg.reg.int suffix for MD5; case ignored. */
const char *tsig_algorithm_print(enum tsig_algorithm a);
MUST_USE enum err tsig_algorithm_parse(struct bytes text, enum tsig_algorithm *out);

/* Finds keys by name and algorithm. */
struct tsig_keyring {
	const void *self;
	/* The key, borrowed; NULL if there is none. */
	struct tsig_key *(*find_fn)(const void *self, struct name name,
	                            enum tsig_algorithm algorithm);
};

/* A TSIG record as it stands in a message (§4.2). */
struct tsig_record {
	struct name_buf key_name;
	struct name_buf algorithm_name;
	bool algorithm_known;
	enum tsig_algorithm algorithm;
	uint64_t time_signed_s; /* 48 bits */
	uint16_t fudge_s;
	struct bytes mac; /* borrowed */
	uint16_t original_id;
	uint16_t error; /* 16 BADSIG, 17 BADKEY, 18 BADTIME, 22 BADTRUNC */
	struct bytes other;
};

/* Reads the TSIG record at offset `at` of `message` (from message_tail_read()). */
MUST_USE enum err tsig_record_read(struct bytes message, size_t at, struct tsig_record *out);

struct hmac;

struct tsig_stream {
	struct tsig_key *key;    /* referenced; NULL: the conversation is unsigned */
	struct hmac *hmac;       /* in progress over what the next MAC will cover (dns/hmac.c) */
	uint64_t last_time_s;    /* time signed may not go back (RFC 8945 §5.3.1) */
	uint32_t unsigned_count; /* messages since the last TSIG */
	bool first;              /* the next message is the first answer (§5.3) */
	bool broken; /* octets were digested that did not verify: nothing will any more */
	uint8_t prior_len;
	uint8_t prior[TSIG_MAC_MAX_LEN]; /* MAC of the message before */
};

/* References `key`, which may be NULL. Allocates; nothing after it does as long as the algorithm
 * stays the same, so a stream that verifies requests is best kept and used again. */
void tsig_stream_init(struct tsig_stream *s, struct tsig_key *key);
void tsig_stream_fini(struct tsig_stream *s);

/* Most octets that a TSIG record of this key takes in a message (for composer_reserve()). */
size_t tsig_len(const struct tsig_key *key);

/* Signs the composed request and appends the TSIG record; remembers the MAC for the answers. Without
 * a key nothing is done. ERR_BUDGET if the record does not fit. */
MUST_USE enum err tsig_sign_request(struct tsig_stream *s, struct writer *message, uint64_t now_s);

/* Signs an answer, or the next message of a stream of answers. `last` or every 100th message gets a
 * TSIG, as does the first; the others are only digested. ERR_BUDGET if the record does not fit. */
MUST_USE enum err tsig_sign_answer(struct tsig_stream *s, struct writer *message, bool last,
                                   uint64_t now_s);

/* A request as it was received. */
struct tsig_request {
	struct bytes message;
	size_t tsig_at; /* offset of the TSIG record; 0 if there is none */
	uint64_t now_s;
};

/* Verifies a request. `s` is initialised; what it was used for before is forgotten. On success it is
 * ready to sign answers with the request's key. A message without TSIG is success with
 * s->key NULL. ERR_WIRE_TSIG and other wire faults: answer FORMERR (§5.2.2.1). ERR_TSIG_*: answer
 * NOTAUTH with tsig_error_answer(), which needs `out_error`, and the same stream. */
MUST_USE enum err tsig_verify_request(struct tsig_stream *s, const struct tsig_keyring *ring,
                                      const struct tsig_request *request,
                                      struct tsig_record *out_error);

/* Verifies an answer or the next message of a stream. `tsig_at` 0: the message carries none, which
 * is allowed between signed messages; whether the last one was signed says tsig_stream_complete().
 * ERR_TSIG_BADKEY/BADSIG/BADTIME/BADTRUNC also when the peer reports that error. After a failure on
 * the first answer the stream stands where it stood, so that a forged datagram does not end the
 * wait for the true one. */
MUST_USE enum err tsig_verify_answer(struct tsig_stream *s, struct bytes message, size_t tsig_at,
                                     uint64_t now_s);

/* True if nothing is unproven: the last message verified was signed, or the stream has no key. Ask
 * at the end of a transfer (§5.3.1: its last message must be signed). */
bool tsig_stream_complete(const struct tsig_stream *s);

/* Appends the TSIG record that reports `e` (one of ERR_TSIG_*) for the request's record: unsigned
 * for BADKEY and BADSIG, signed for BADTRUNC and, with our time in `other`, for BADTIME (§5.2.3,
 * §5.3.2). ERR_BUDGET if the record does not fit. */
MUST_USE enum err tsig_error_answer(struct tsig_stream *s, const struct tsig_record *request,
                                    enum err e, struct writer *message, uint64_t now_s);
