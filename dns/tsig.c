/* SPDX-License-Identifier: MIT
 *
 * dns/tsig.c — transaction signatures (RFC 8945).
 *
 * A stream's HMAC always stands after "the MAC before", so that a message is digested as it comes,
 * whether or not it turns out to be signed. */
#include "dns/tsig.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <strings.h>

#include "base/arena.h"
#include "base/digest.h"
#include "dns/hmac_p.h"

/* RFC 8945 §3 */
#define ERROR_BADSIG   16
#define ERROR_BADKEY   17
#define ERROR_BADTIME  18
#define ERROR_BADTRUNC 22

#define TIME_LEN            6  /* octets of a time, and of BADTIME's other data */
#define RR_FIXED_LEN        10 /* type, class, TTL and length of a record */
#define RDATA_FIXED_LEN     16 /* rdata without algorithm name, MAC and other data */
#define TRUNCATED_LEAST_LEN 10 /* RFC 8945 §5.2.2.1 */
#define ARCOUNT_AT          10

#define WIRE(s)                                                                                    \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s)                                                    \
	}

static const struct {
	const char *text;
	const char *alias; /* also understood in configurations */
	struct bytes wire;
	uint8_t labels;
} algorithms[TSIG_ALGORITHMS] = {
	[TSIG_HMAC_MD5] = { "hmac-md5.sig-alg.reg.int", "hmac-md5",
	                    WIRE("\x08hmac-md5\x07sig-alg\x03reg\x03int"), 4 },
	[TSIG_HMAC_SHA1] = { "hmac-sha1", NULL, WIRE("\x09hmac-sha1"), 1 },
	[TSIG_HMAC_SHA224] = { "hmac-sha224", NULL, WIRE("\x0bhmac-sha224"), 1 },
	[TSIG_HMAC_SHA256] = { "hmac-sha256", NULL, WIRE("\x0bhmac-sha256"), 1 },
	[TSIG_HMAC_SHA384] = { "hmac-sha384", NULL, WIRE("\x0bhmac-sha384"), 1 },
	[TSIG_HMAC_SHA512] = { "hmac-sha512", NULL, WIRE("\x0bhmac-sha512"), 1 },
};

struct tsig_key {
	_Atomic unsigned refs;
	enum tsig_algorithm algorithm;
	uint8_t mac_len;     /* the full one */
	uint8_t min_mac_len; /* the shortest that is accepted */
	struct name_buf name;
	struct name_buf lower; /* as it is digested (RFC 8945 §4.3.3) */
	struct hmac *pattern;
	size_t secret_len;
	uint8_t secret[TSIG_SECRET_MAX_LEN];
};

/* What a TSIG record says besides names, MAC and id. */
struct tsig_variables {
	uint64_t time_s;
	uint16_t fudge_s;
	uint16_t error;
	struct bytes other;
};

static struct name algorithm_name(enum tsig_algorithm a)
{
	return (struct name){ algorithms[a].wire.at, (uint8_t)algorithms[a].wire.len,
		              algorithms[a].labels };
}

/* RFC 8945 §5.2.2.1: no policy may allow less than this. */
static size_t mac_least_len(enum tsig_algorithm a)
{
	size_t half = hmac_len(a) / 2;

	return half > TRUNCATED_LEAST_LEN ? half : TRUNCATED_LEAST_LEN;
}

enum err tsig_key_new(const struct tsig_key_options *options, struct tsig_key **out)
{
	size_t full = hmac_len(options->algorithm);
	size_t least = options->min_mac_len == 0 ? full : options->min_mac_len;
	struct tsig_key *key;

	assert(options->algorithm < TSIG_ALGORITHMS);
	if (options->secret.len == 0 || options->secret.len > TSIG_SECRET_MAX_LEN || least > full ||
	    least < mac_least_len(options->algorithm)) {
		return ERR_CONFIG;
	}
	key = mem_zero(1, sizeof(*key));
	atomic_init(&key->refs, 1);
	key->algorithm = options->algorithm;
	key->mac_len = (uint8_t)full;
	key->min_mac_len = (uint8_t)least;
	name_copy(options->name, &key->name);
	name_lower(options->name, &key->lower);
	key->pattern = hmac_new(options->algorithm, options->secret);
	key->secret_len = options->secret.len;
	memcpy(key->secret, options->secret.at, options->secret.len);
	*out = key;
	return ERR_OK;
}

struct tsig_key *tsig_key_ref(struct tsig_key *key)
{
	unsigned before = atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);

	assert(before > 0);
	return key;
}

void tsig_key_unref(struct tsig_key *key)
{
	unsigned before;

	if (key == NULL) {
		return;
	}
	before = atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel);
	assert(before > 0);
	if (before == 1) {
		hmac_free(key->pattern);
		secret_wipe(key, sizeof(*key));
		free(key);
	}
}

struct name tsig_key_name(const struct tsig_key *key)
{
	return name_of(&key->name);
}

enum tsig_algorithm tsig_key_algorithm(const struct tsig_key *key)
{
	return key->algorithm;
}

bool tsig_key_equal(const struct tsig_key *a, const struct tsig_key *b)
{
	return a->algorithm == b->algorithm && a->min_mac_len == b->min_mac_len &&
	       a->secret_len == b->secret_len && name_equal(name_of(&a->name), name_of(&b->name)) &&
	       secret_equal(a->secret, b->secret, a->secret_len);
}

const char *tsig_algorithm_print(enum tsig_algorithm a)
{
	assert(a < TSIG_ALGORITHMS);
	return algorithms[a].text;
}

static bool text_is(struct bytes text, const char *word)
{
	return word != NULL && text.len == strlen(word) &&
	       strncasecmp((const char *)text.at, word, text.len) == 0;
}

enum err tsig_algorithm_parse(struct bytes text, enum tsig_algorithm *out)
{
	if (text.len > 0 && text.at[text.len - 1] == '.') {
		text.len--;
	}
	for (unsigned i = 0; i < TSIG_ALGORITHMS; i++) {
		if (text_is(text, algorithms[i].text) || text_is(text, algorithms[i].alias)) {
			*out = (enum tsig_algorithm)i;
			return ERR_OK;
		}
	}
	return ERR_TEXT;
}

/* Reads 48 bits (RFC 8945 §4.2). */
static bool reader_time(struct reader *r, uint64_t *out)
{
	struct bytes b;

	if (!reader_take(r, TIME_LEN, &b)) {
		return false;
	}
	*out = (uint64_t)load_u16(b.at) << 32 | load_u32(b.at + 2);
	return true;
}

static void store_time(uint8_t *at, uint64_t time_s)
{
	store_u16(at, (uint16_t)(time_s >> 32));
	store_u32(at + 2, (uint32_t)time_s);
}

static void algorithm_find(struct tsig_record *record)
{
	record->algorithm_known = false;
	for (unsigned i = 0; i < TSIG_ALGORITHMS; i++) {
		enum tsig_algorithm a = (enum tsig_algorithm)i;

		if (name_equal(name_of(&record->algorithm_name), algorithm_name(a))) {
			record->algorithm = a;
			record->algorithm_known = true;
		}
	}
}

enum err tsig_record_read(struct bytes message, size_t at, struct tsig_record *out)
{
	struct reader r = reader_of(message);
	uint16_t type, class, rdata_len, mac_len, other_len;
	uint32_t ttl;

	if (at < MESSAGE_HEADER_LEN || at > message.len) {
		return ERR_WIRE_TSIG;
	}
	r.pos = at;
	TRY(name_read(&r, &out->key_name));
	if (!reader_u16(&r, &type) || !reader_u16(&r, &class) || !reader_u32(&r, &ttl) ||
	    !reader_u16(&r, &rdata_len)) {
		return ERR_WIRE_SHORT;
	}
	/* RFC 8945 §4.2 fixes class and TTL, §5.1 the place at the end of the message. */
	if (type != TYPE_TSIG || class != CLASS_ANY || ttl != 0 || reader_left(&r) != rdata_len) {
		return ERR_WIRE_TSIG;
	}
	TRY(name_read(&r, &out->algorithm_name));
	if (!reader_time(&r, &out->time_signed_s) || !reader_u16(&r, &out->fudge_s) ||
	    !reader_u16(&r, &mac_len) || !reader_take(&r, mac_len, &out->mac) ||
	    !reader_u16(&r, &out->original_id) || !reader_u16(&r, &out->error) ||
	    !reader_u16(&r, &other_len) || !reader_take(&r, other_len, &out->other) ||
	    reader_left(&r) != 0) {
		return ERR_WIRE_RDATA;
	}
	algorithm_find(out);
	return ERR_OK;
}

/* Begins the digest of the next MAC with the one before (RFC 8945 §4.3.1, §5.3.1). */
static void stream_restart(struct tsig_stream *s)
{
	uint8_t len[2];

	hmac_begin(s->hmac, s->key->pattern);
	if (s->prior_len > 0) {
		store_u16(len, s->prior_len);
		hmac_add(s->hmac, bytes_of(len, sizeof(len)));
		hmac_add(s->hmac, bytes_of(s->prior, s->prior_len));
	}
	s->unsigned_count = 0;
}

static void stream_advance(struct tsig_stream *s, struct bytes mac)
{
	assert(mac.len <= sizeof(s->prior));
	memcpy(s->prior, mac.at, mac.len);
	s->prior_len = (uint8_t)mac.len;
	stream_restart(s);
}

/* Forgets the conversation, keeps the memory. */
static void stream_reset(struct tsig_stream *s, struct tsig_key *key)
{
	struct hmac *hmac = s->hmac;

	tsig_key_unref(s->key);
	*s = (struct tsig_stream){ .hmac = hmac, .first = true };
	if (key != NULL) {
		s->key = tsig_key_ref(key);
		if (s->hmac == NULL) {
			s->hmac = hmac_new_empty();
		}
		stream_restart(s);
	}
}

void tsig_stream_init(struct tsig_stream *s, struct tsig_key *key)
{
	*s = (struct tsig_stream){ 0 };
	stream_reset(s, key);
}

void tsig_stream_fini(struct tsig_stream *s)
{
	tsig_key_unref(s->key);
	hmac_free(s->hmac);
	*s = (struct tsig_stream){ 0 };
}

size_t tsig_len(const struct tsig_key *key)
{
	return key->name.len + RR_FIXED_LEN + algorithms[key->algorithm].wire.len +
	       RDATA_FIXED_LEN + key->mac_len + TIME_LEN;
}

/* Digests `message`, which holds no TSIG, as it was when it was signed (RFC 8945 §4.3.2). */
static void message_digest(struct hmac *h, struct bytes message, uint16_t id, uint16_t arcount)
{
	uint8_t header[MESSAGE_HEADER_LEN];

	assert(message.len >= sizeof(header));
	memcpy(header, message.at, sizeof(header));
	store_u16(header, id);
	store_u16(header + ARCOUNT_AT, arcount);
	hmac_add(h, bytes_of(header, sizeof(header)));
	hmac_add(h, bytes_of(message.at + sizeof(header), message.len - sizeof(header)));
}

/* Digests the record itself: all of its variables (RFC 8945 §4.3.3), or its timers after the first
 * answer of a stream (§5.3.1). */
static void variables_digest(struct tsig_stream *s, const struct tsig_variables *v,
                             bool timers_only)
{
	static const uint8_t class_and_ttl[] = { 0, CLASS_ANY, 0, 0, 0, 0 };
	uint8_t timers[TIME_LEN + 2];
	uint8_t ends[4];

	store_time(timers, v->time_s);
	store_u16(timers + TIME_LEN, v->fudge_s);
	if (timers_only) {
		hmac_add(s->hmac, bytes_of(timers, sizeof(timers)));
		return;
	}
	store_u16(ends, v->error);
	store_u16(ends + 2, (uint16_t)v->other.len);
	hmac_add(s->hmac, name_bytes(name_of(&s->key->lower)));
	hmac_add(s->hmac, bytes_of(class_and_ttl, sizeof(class_and_ttl)));
	hmac_add(s->hmac, algorithms[s->key->algorithm].wire);
	hmac_add(s->hmac, bytes_of(timers, sizeof(timers)));
	hmac_add(s->hmac, bytes_of(ends, sizeof(ends)));
	hmac_add(s->hmac, v->other);
}

/* Appends a TSIG record and counts it in the header. */
static enum err record_append(struct writer *message, struct name key, struct name algorithm,
                              const struct tsig_variables *v, struct bytes mac)
{
	struct writer w = *message;
	uint16_t arcount = load_u16(w.at + ARCOUNT_AT);
	size_t rdata_len = algorithm.len + RDATA_FIXED_LEN + mac.len + v->other.len;
	uint8_t timers[TIME_LEN + 2];

	assert(arcount < UINT16_MAX);
	assert(rdata_len <= RDATA_MAX_LEN);
	store_time(timers, v->time_s);
	store_u16(timers + TIME_LEN, v->fudge_s);
	if (!writer_put(&w, name_bytes(key)) || !writer_u16(&w, TYPE_TSIG) ||
	    !writer_u16(&w, CLASS_ANY) || !writer_u32(&w, 0) ||
	    !writer_u16(&w, (uint16_t)rdata_len) || !writer_put(&w, name_bytes(algorithm)) ||
	    !writer_put(&w, bytes_of(timers, sizeof(timers))) ||
	    !writer_u16(&w, (uint16_t)mac.len) || !writer_put(&w, mac) ||
	    !writer_u16(&w, load_u16(w.at)) || !writer_u16(&w, v->error) ||
	    !writer_u16(&w, (uint16_t)v->other.len) || !writer_put(&w, v->other)) {
		return ERR_BUDGET;
	}
	store_u16(w.at + ARCOUNT_AT, (uint16_t)(arcount + 1));
	*message = w;
	return ERR_OK;
}

/* Signs `message` and appends the record. Nothing has changed if it does not fit. */
static enum err stream_sign(struct tsig_stream *s, struct writer *message,
                            const struct tsig_variables *v, bool timers_only)
{
	struct bytes whole = writer_bytes(message);
	uint8_t mac[TSIG_MAC_MAX_LEN];
	size_t mac_len;

	if (writer_left(message) < tsig_len(s->key) - TIME_LEN + v->other.len) {
		return ERR_BUDGET;
	}
	message_digest(s->hmac, whole, load_u16(whole.at), load_u16(whole.at + ARCOUNT_AT));
	variables_digest(s, v, timers_only);
	mac_len = hmac_end(s->hmac, mac);
	assert(mac_len == s->key->mac_len);
	stream_advance(s, bytes_of(mac, mac_len));
	return record_append(message, tsig_key_name(s->key), algorithm_name(s->key->algorithm), v,
	                     bytes_of(mac, mac_len));
}

enum err tsig_sign_request(struct tsig_stream *s, struct writer *message, uint64_t now_s)
{
	struct tsig_variables v = { .time_s = now_s, .fudge_s = TSIG_FUDGE_S };

	assert(s->first);
	if (s->key == NULL) {
		return ERR_OK;
	}
	s->prior_len = 0; /* a request repeated on another address begins anew */
	stream_restart(s);
	return stream_sign(s, message, &v, false);
}

enum err tsig_sign_answer(struct tsig_stream *s, struct writer *message, bool last, uint64_t now_s)
{
	struct tsig_variables v = { .time_s = now_s, .fudge_s = TSIG_FUDGE_S };

	if (s->key == NULL) {
		return ERR_OK;
	}
	if (!s->first && !last && s->unsigned_count < TSIG_UNSIGNED_MAX) {
		hmac_add(s->hmac, writer_bytes(message));
		s->unsigned_count++;
		return ERR_OK;
	}
	if (v.time_s < s->last_time_s) {
		v.time_s = s->last_time_s; /* our clock was set back; the receiver's need not be */
	}
	TRY(stream_sign(s, message, &v, !s->first));
	s->first = false;
	s->last_time_s = v.time_s;
	return ERR_OK;
}

/* Checks the MAC of `record`, which stands at `at` (RFC 8945 §5.2.2). The digest is used up. */
static enum err stream_check_mac(struct tsig_stream *s, struct bytes message, size_t at,
                                 const struct tsig_record *record, bool timers_only)
{
	struct tsig_variables v = { record->time_signed_s, record->fudge_s, record->error,
		                    record->other };
	uint8_t mac[TSIG_MAC_MAX_LEN];
	uint16_t arcount = load_u16(message.at + ARCOUNT_AT);

	if (record->mac.len > s->key->mac_len ||
	    record->mac.len < mac_least_len(s->key->algorithm) || arcount == 0) {
		return ERR_WIRE_TSIG;
	}
	message_digest(s->hmac, bytes_of(message.at, at), record->original_id,
	               (uint16_t)(arcount - 1));
	variables_digest(s, &v, timers_only);
	hmac_end(s->hmac, mac);
	return secret_equal(mac, record->mac.at, record->mac.len) ? ERR_OK : ERR_TSIG_BADSIG;
}

/* What is to be checked once the MAC is known to be good (RFC 8945 §5.2.3, §5.2.4). */
static enum err record_check(const struct tsig_stream *s, const struct tsig_record *record,
                             uint64_t now_s)
{
	uint64_t apart = now_s > record->time_signed_s ? now_s - record->time_signed_s
	                                               : record->time_signed_s - now_s;

	if (apart > record->fudge_s || record->time_signed_s < s->last_time_s) {
		return ERR_TSIG_BADTIME;
	}
	return record->mac.len < s->key->min_mac_len ? ERR_TSIG_BADTRUNC : ERR_OK;
}

enum err tsig_verify_request(struct tsig_stream *s, const struct tsig_keyring *ring,
                             const struct tsig_request *request, struct tsig_record *out_error)
{
	struct tsig_key *key = NULL;
	enum err e;

	stream_reset(s, NULL);
	if (request->tsig_at == 0) {
		return ERR_OK;
	}
	TRY(tsig_record_read(request->message, request->tsig_at, out_error));
	if (out_error->algorithm_known) {
		key = ring->find_fn(ring->self, name_of(&out_error->key_name),
		                    out_error->algorithm);
	}
	if (key == NULL) {
		return ERR_TSIG_BADKEY;
	}
	stream_reset(s, key);
	e = stream_check_mac(s, request->message, request->tsig_at, out_error, false);
	if (e != ERR_OK) {
		stream_reset(s, NULL); /* the answer goes unsigned */
		return e;
	}
	stream_advance(s, out_error->mac);
	return record_check(s, out_error, request->now_s);
}

/* The error that the peer reports in a TSIG record. */
static enum err record_error(const struct tsig_record *record)
{
	switch (record->error) {
	case 0:
		return ERR_OK;
	case ERROR_BADSIG:
		return ERR_TSIG_BADSIG;
	case ERROR_BADKEY:
		return ERR_TSIG_BADKEY;
	case ERROR_BADTIME:
		return ERR_TSIG_BADTIME;
	case ERROR_BADTRUNC:
		return ERR_TSIG_BADTRUNC;
	default:
		return ERR_WIRE_TSIG;
	}
}

/* Verifies a signed answer; the digest is used up. */
static enum err answer_check(struct tsig_stream *s, struct bytes message, size_t tsig_at,
                             struct tsig_record *record, uint64_t now_s)
{
	if (!record->algorithm_known || record->algorithm != s->key->algorithm ||
	    !name_equal(name_of(&record->key_name), tsig_key_name(s->key))) {
		return ERR_TSIG_BADKEY;
	}
	if (record->mac.len == 0 && record->error != 0) {
		return record_error(record); /* RFC 8945 §5.3.2: unsigned where we share no key */
	}
	TRY(stream_check_mac(s, message, tsig_at, record, !s->first));
	TRY(record_error(record));
	return record_check(s, record, now_s);
}

enum err tsig_verify_answer(struct tsig_stream *s, struct bytes message, size_t tsig_at,
                            uint64_t now_s)
{
	struct tsig_record record;
	enum err e;

	if (s->key == NULL) {
		return tsig_at == 0 ? ERR_OK : ERR_WIRE_TSIG; /* nobody asked for it */
	}
	if (s->broken) {
		return ERR_TSIG_BADSIG;
	}
	if (tsig_at == 0) {
		if (s->first || s->unsigned_count >= TSIG_UNSIGNED_MAX) {
			return ERR_TSIG_MISSING;
		}
		hmac_add(s->hmac, message);
		s->unsigned_count++;
		return ERR_OK;
	}
	TRY(tsig_record_read(message, tsig_at, &record));
	e = answer_check(s, message, tsig_at, &record, now_s);
	if (e == ERR_OK) {
		stream_advance(s, record.mac);
		s->first = false;
		s->last_time_s = record.time_signed_s;
	} else if (s->unsigned_count == 0) {
		stream_restart(s); /* as if this message had not come */
	} else {
		s->broken = true;
	}
	return e;
}

bool tsig_stream_complete(const struct tsig_stream *s)
{
	return s->key == NULL || (!s->first && !s->broken && s->unsigned_count == 0);
}

enum err tsig_error_answer(struct tsig_stream *s, const struct tsig_record *request, enum err e,
                           struct writer *message, uint64_t now_s)
{
	uint8_t ours[TIME_LEN];
	struct tsig_variables v = { .time_s = request->time_signed_s, .fudge_s = request->fudge_s };

	assert(e == ERR_TSIG_BADKEY || e == ERR_TSIG_BADSIG || e == ERR_TSIG_BADTIME ||
	       e == ERR_TSIG_BADTRUNC);
	if (e == ERR_TSIG_BADKEY || e == ERR_TSIG_BADSIG) {
		v.error = e == ERR_TSIG_BADKEY ? ERROR_BADKEY : ERROR_BADSIG;
		return record_append(message, name_of(&request->key_name),
		                     name_of(&request->algorithm_name), &v, (struct bytes){ 0 });
	}
	assert(s->key != NULL);
	if (e == ERR_TSIG_BADTIME) {
		/* With the asker's own time, so that it does not refuse our answer for its time. */
		store_time(ours, now_s);
		v.error = ERROR_BADTIME;
		v.other = bytes_of(ours, sizeof(ours));
	} else {
		v.error = ERROR_BADTRUNC;
		v.time_s = now_s;
		v.fudge_s = TSIG_FUDGE_S;
	}
	return stream_sign(s, message, &v, false);
}
