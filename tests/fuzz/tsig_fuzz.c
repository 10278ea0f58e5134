/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/tsig_fuzz.c — a message as a request, as an answer, and signed by ourselves: no octets
 * that were not signed verify, all that were do. */
#include "dns/tsig.h"

#include "tests/fuzz/fuzz.h"

#define NOW 1700000000U

static uint8_t signed_message[MESSAGE_MAX_LEN];

static struct tsig_key *find(const void *self, struct name name, enum tsig_algorithm algorithm)
{
	struct tsig_key *const *key = self;

	return tsig_key_algorithm(*key) == algorithm && name_equal(name, tsig_key_name(*key))
	               ? *key
	               : NULL;
}

/* Signs what is no TSIG of the message, and verifies it. */
static void sign(struct tsig_key *key, const struct tsig_keyring *ring, struct bytes message)
{
	struct writer w = writer_of(signed_message, sizeof(signed_message));
	struct tsig_stream client, server;
	struct tsig_record record;
	size_t at = message.len;

	tsig_stream_init(&client, key);
	tsig_stream_init(&server, NULL);
	if (writer_put(&w, message) && load_u16(w.at + 10) < UINT16_MAX &&
	    tsig_sign_request(&client, &w, NOW) == ERR_OK) {
		struct tsig_request request = { writer_bytes(&w), at, NOW };

		assert(tsig_verify_request(&server, ring, &request, &record) == ERR_OK);
		assert(server.key == key);
		w.len = at; /* the answer is the same octets without the record */
		store_u16(w.at + 10, load_u16(message.at + 10));
		assert(tsig_sign_answer(&server, &w, true, NOW) == ERR_OK);
		assert(tsig_verify_answer(&client, writer_bytes(&w), at, NOW) == ERR_OK);
		assert(tsig_stream_complete(&client));
	}
	tsig_stream_fini(&client);
	tsig_stream_fini(&server);
}

/* Makes the answer that the error asks for. */
static void report(struct tsig_stream *s, const struct tsig_record *record, enum err e)
{
	struct writer w = writer_of(signed_message, sizeof(signed_message));

	memset(signed_message, 0, MESSAGE_HEADER_LEN);
	w.len = MESSAGE_HEADER_LEN;
	assert(tsig_error_answer(s, record, e, &w, NOW) == ERR_OK);
	assert(tsig_record_read(writer_bytes(&w), MESSAGE_HEADER_LEN, &(struct tsig_record){ 0 }) ==
	       ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tsig_key_options options = { { (const uint8_t *)"\12key-sha256\7example", 20, 2 },
		                            TSIG_HMAC_SHA256,
		                            bytes_str("secret-secret-secret"),
		                            16 };
	struct bytes message = { data, size };
	struct reader r = reader_of(message);
	struct tsig_key *key;
	struct tsig_keyring ring = { &key, find };
	struct tsig_stream s;
	struct tsig_record record;
	struct message_tail tail;
	struct header h;
	struct question q;
	enum err e;

	if (header_read(&r, &h) != ERR_OK || (h.qdcount > 0 && question_read(&r, &q) != ERR_OK) ||
	    message_tail_read(&r, &h, &tail) != ERR_OK) {
		return 0;
	}
	assert(tsig_key_new(&options, &key) == ERR_OK);
	tsig_stream_init(&s, key);
	assert(tsig_verify_answer(&s, message, tail.tsig_at, NOW) != ERR_OK);
	assert(!tsig_stream_complete(&s));
	e = tsig_verify_request(&s, &ring, &(struct tsig_request){ message, tail.tsig_at, NOW },
	                        &record);
	if (err_class(e) == ERR_CLASS_PEER) {
		report(&s, &record, e);
	}
	tsig_stream_fini(&s);
	if (tail.tsig_at == 0) {
		sign(key, &ring, message);
	}
	tsig_key_unref(key);
	return 0;
}
