/* SPDX-License-Identifier: MIT */
#include "dns/tsig.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"

#define NOW     1700000000ULL
#define SECRET  "secret-secret-secret"
#define BUF_LEN 1024

static struct tsig_key *key_with(const char *name, enum tsig_algorithm a, const char *secret,
                                 uint8_t min_mac_len)
{
	struct tsig_key *key = NULL;
	struct name_buf buf;

	cr_assert(eq(int, name_parse(bytes_str(name), NULL, &buf), ERR_OK));
	cr_assert(eq(int,
	             tsig_key_new(&(struct tsig_key_options){ name_of(&buf), a, bytes_str(secret),
	                                                      min_mac_len },
	                          &key),
	             ERR_OK));
	return key;
}

static struct tsig_key *key_new(enum tsig_algorithm a)
{
	char name[64];

	snprintf(name, sizeof(name), "key-%s.example.",
	         a == TSIG_HMAC_MD5 ? "md5" : tsig_algorithm_print(a) + strlen("hmac-"));
	return key_with(name, a, SECRET, 0);
}

/* A ring of one key. */
static struct tsig_key *ring_find(const void *self, struct name name, enum tsig_algorithm a)
{
	struct tsig_key *const *key = self;

	return tsig_key_algorithm(*key) == a && name_equal(tsig_key_name(*key), name) ? *key : NULL;
}

static struct tsig_keyring ring_of(struct tsig_key *const *key)
{
	return (struct tsig_keyring){ key, ring_find };
}

/* Composes a message with one question in `buf`. */
static struct writer message_in(uint8_t buf[static BUF_LEN], uint16_t id, uint16_t flags)
{
	struct composer *c = mem_new(sizeof(*c));
	struct writer w;

	composer_init(c, buf, BUF_LEN);
	cr_assert(composer_question(c, (struct name){ (const uint8_t *)"\5small\7example", 15, 2 },
	                            TYPE_SOA, CLASS_IN));
	composer_finish(c, id, flags);
	w = c->w;
	free(c);
	return w;
}

/* Where the TSIG record stands; 0: there is none. */
static size_t tsig_at(struct bytes message)
{
	struct reader r = reader_of(message);
	struct message_tail tail;
	struct question q;
	struct header h;

	cr_assert(eq(int, header_read(&r, &h), ERR_OK));
	for (unsigned i = 0; i < h.qdcount; i++) {
		cr_assert(eq(int, question_read(&r, &q), ERR_OK));
	}
	cr_assert(eq(int, message_tail_read(&r, &h, &tail), ERR_OK));
	return tail.tsig_at;
}

static enum err verify_answer(struct tsig_stream *s, struct bytes message, uint64_t now_s)
{
	return tsig_verify_answer(s, message, tsig_at(message), now_s);
}

static enum err verify_request(struct tsig_stream *s, struct tsig_key *key, struct bytes message,
                               uint64_t now_s, struct tsig_record *record)
{
	struct tsig_keyring ring = ring_of(&key);

	struct tsig_request request = { message, tsig_at(message), now_s };

	return tsig_verify_request(s, &ring, &request, record);
}

/* A file of tests/vectors/tsig: a time, then messages with their lengths. */
struct capture {
	uint8_t *at;
	struct reader r;
	uint64_t time_s;
};

static void capture_open(struct capture *c, const char *name)
{
	char path[512];
	FILE *f;
	size_t len;

	snprintf(path, sizeof(path), "%s/tsig/%s.bin", TEST_VECTORS, name);
	f = fopen(path, "rb");
	cr_assert(ne(ptr, f, NULL), "%s", path);
	c->at = mem_new(1 << 17);
	len = fread(c->at, 1, 1 << 17, f);
	fclose(f);
	c->r = reader_of(bytes_of(c->at, len));
	cr_assert(reader_u64(&c->r, &c->time_s));
}

static bool capture_next(struct capture *c, struct bytes *out)
{
	uint16_t len;

	return reader_u16(&c->r, &len) && reader_take(&c->r, len, out);
}

/* The stream of a captured request. Its MAC is what our own signing yields. */
static void capture_request(struct capture *c, struct tsig_stream *s)
{
	struct bytes request;
	struct writer w;
	size_t at;
	uint8_t buf[BUF_LEN];

	cr_assert(capture_next(c, &request));
	at = tsig_at(request);
	cr_assert(ne(sz, at, 0));
	w = writer_of(buf, sizeof(buf));
	cr_assert(writer_put(&w, bytes_of(request.at, at)));
	store_u16(buf + 10, (uint16_t)(load_u16(buf + 10) - 1));
	cr_assert(eq(int, tsig_sign_request(s, &w, c->time_s), ERR_OK));
	cr_expect(eq(sz, w.len, request.len));
	cr_expect(eq(int, memcmp(buf, request.at, request.len), 0), "not the octets of the other");
}

static void expect_transfer(const char *name, enum tsig_algorithm a, unsigned messages,
                            unsigned unsigned_messages)
{
	struct tsig_key *key = key_new(a);
	struct capture c;
	struct tsig_stream s;
	struct bytes message;

	capture_open(&c, name);
	tsig_stream_init(&s, key);
	capture_request(&c, &s);
	cr_expect(not(tsig_stream_complete(&s)));
	while (capture_next(&c, &message)) {
		size_t at = tsig_at(message);

		cr_expect(eq(int, verify_answer(&s, message, c.time_s + 3), ERR_OK), "%s", name);
		cr_expect(eq(int, tsig_stream_complete(&s), at != 0));
		messages--;
		unsigned_messages -= at == 0;
	}
	cr_expect(eq(uint, messages, 0), "%s", name);
	cr_expect(eq(uint, unsigned_messages, 0), "%s", name);
	cr_expect(tsig_stream_complete(&s));
	tsig_stream_fini(&s);
	tsig_key_unref(key);
	free(c.at);
}

TEST(tsig, verifies_transfers_of_other_servers)
{
	for (enum tsig_algorithm a = 0; a < TSIG_ALGORITHMS; a++) {
		const char *word = a == TSIG_HMAC_MD5 ? "md5" : tsig_algorithm_print(a) + 5;
		char name[32];

		snprintf(name, sizeof(name), "bind-%s", word);
		expect_transfer(name, a, 1, 0);
		snprintf(name, sizeof(name), "knot-%s", word);
		expect_transfer(name, a, 1, 0);
	}
	expect_transfer("bind-big", TSIG_HMAC_SHA256, 3, 0);
	expect_transfer("knot-big", TSIG_HMAC_SHA256, 4, 0);
	expect_transfer("nsd-big", TSIG_HMAC_SHA256, 4, 0);
	expect_transfer("python-unsigned", TSIG_HMAC_SHA256, 106, 102);
}

TEST(tsig, verifies_requests_of_other_programs)
{
	for (unsigned i = 0; i < 2U * TSIG_ALGORITHMS; i++) {
		enum tsig_algorithm a = (enum tsig_algorithm)(i / 2);
		struct tsig_key *key = key_new(a);
		struct tsig_record record;
		struct tsig_stream s;
		struct bytes request;
		struct capture c;
		char name[32];

		snprintf(name, sizeof(name), "%s-%s", i % 2 == 0 ? "dig" : "kdig",
		         a == TSIG_HMAC_MD5 ? "md5" : tsig_algorithm_print(a) + 5);
		capture_open(&c, name);
		cr_assert(capture_next(&c, &request));
		tsig_stream_init(&s, NULL);
		cr_expect(eq(int, verify_request(&s, key, request, c.time_s, &record), ERR_OK),
		          "%s", name);
		cr_expect(eq(ptr, s.key, key), "%s", name);
		tsig_stream_fini(&s);
		tsig_key_unref(key);
		free(c.at);
	}
}

static const struct {
	const char *name;
	enum err client; /* what their answer tells the one who asked */
	enum err server; /* what we make of the request */
	bool same;       /* our answer has the octets of theirs */
	uint64_t late_s; /* how much later than the request says it was received */
} reports[] = {
	{ "bind-badkey", ERR_TSIG_BADKEY, ERR_TSIG_BADKEY, true, 0 },
	{ "knot-badkey", ERR_TSIG_BADKEY, ERR_TSIG_BADKEY, true, 0 },
	{ "bind-badsig", ERR_TSIG_BADSIG, ERR_TSIG_BADSIG, true, 0 },
	{ "knot-badsig", ERR_TSIG_BADSIG, ERR_TSIG_BADSIG, true, 0 },
	{ "bind-badtime", ERR_TSIG_BADTIME, ERR_TSIG_BADTIME, true, 4000 },
	{ "knot-badtime", ERR_TSIG_BADTIME, ERR_TSIG_BADTIME, true, 4000 },
	{ "bind-badtrunc", ERR_TSIG_BADTRUNC, ERR_TSIG_BADTRUNC, true, 0 },
	{ "knot-badtrunc", ERR_TSIG_BADSIG, ERR_TSIG_BADTRUNC, false, 0 },
	{ "bind-soa", ERR_OK, ERR_OK, false, 0 },
	{ "knot-soa", ERR_OK, ERR_OK, false, 0 },
};

/* Takes the MAC of a captured request as that of our stream, whatever it is worth. */
static void stream_follow(struct tsig_stream *s, struct tsig_key *key, struct bytes request)
{
	struct tsig_record record;
	struct writer w;
	uint8_t buf[BUF_LEN];

	tsig_stream_init(s, key);
	w = message_in(buf, 0x4242, 0);
	cr_assert(eq(int, tsig_record_read(request, tsig_at(request), &record), ERR_OK));
	cr_assert(eq(int, tsig_sign_request(s, &w, record.time_signed_s), ERR_OK));
}

TEST(tsig, reports_errors_as_other_servers_do)
{
	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		bool other = strstr(reports[i].name, "badkey") != NULL;
		struct tsig_key *key = key_new(TSIG_HMAC_SHA256);
		struct tsig_key *asker =
			other ? key_with("other.example.", TSIG_HMAC_SHA256, SECRET, 0)
			      : tsig_key_ref(key);
		struct bytes request, answer;
		struct tsig_record record;
		struct tsig_stream s;
		struct capture c;
		uint64_t now_s;
		enum err e;

		capture_open(&c, reports[i].name);
		now_s = c.time_s + reports[i].late_s;
		cr_assert(capture_next(&c, &request));
		cr_assert(capture_next(&c, &answer));
		tsig_stream_init(&s, NULL);
		e = verify_request(&s, key, request, now_s, &record);
		cr_expect(eq(int, e, reports[i].server), "%s", reports[i].name);
		if (reports[i].same) {
			uint8_t buf[BUF_LEN];
			struct writer w = message_in(buf, 0x4242, FLAG_QR | RCODE_NOTAUTH);

			cr_assert(eq(int, tsig_error_answer(&s, &record, e, &w, now_s), ERR_OK));
			cr_expect(eq(sz, w.len, answer.len), "%s", reports[i].name);
			cr_expect(eq(int, memcmp(buf, answer.at, answer.len), 0), "%s",
			          reports[i].name);
		}
		tsig_stream_fini(&s);
		if (reports[i].client != ERR_TSIG_BADTRUNC) {
			stream_follow(&s, asker, request);
			cr_expect(eq(int, verify_answer(&s, answer, c.time_s), reports[i].client),
			          "%s", reports[i].name);
			cr_expect(eq(int, tsig_stream_complete(&s), e == ERR_OK), "%s",
			          reports[i].name);
			tsig_stream_fini(&s);
		}
		tsig_key_unref(asker);
		tsig_key_unref(key);
		free(c.at);
	}
}

/* Two ends with one key; `buf` has room for one message. */
struct pair {
	struct tsig_key *key;
	struct tsig_stream client;
	struct tsig_stream server;
	uint8_t buf[BUF_LEN];
};

/* The client has asked and the server has verified. */
static void pair_begin(struct pair *p, enum tsig_algorithm a)
{
	struct tsig_record record;
	struct writer w;

	p->key = key_new(a);
	tsig_stream_init(&p->client, p->key);
	tsig_stream_init(&p->server, NULL);
	w = message_in(p->buf, 5, 0);
	cr_assert(eq(int, tsig_sign_request(&p->client, &w, NOW), ERR_OK));
	cr_assert(eq(int, verify_request(&p->server, p->key, writer_bytes(&w), NOW, &record),
	             ERR_OK));
}

static void pair_end(struct pair *p)
{
	tsig_stream_fini(&p->client);
	tsig_stream_fini(&p->server);
	tsig_key_unref(p->key);
}

static struct bytes pair_answer(struct pair *p, bool last, uint64_t now_s)
{
	struct writer w = message_in(p->buf, 5, FLAG_QR);

	cr_assert(eq(int, tsig_sign_answer(&p->server, &w, last, now_s), ERR_OK));
	return writer_bytes(&w);
}

TEST(tsig, signs_the_first_the_last_and_every_hundredth)
{
	for (enum tsig_algorithm a = 0; a < TSIG_ALGORITHMS; a++) {
		struct pair p;

		pair_begin(&p, a);
		for (unsigned i = 0; i < 351; i++) {
			struct bytes m = pair_answer(&p, i == 350, NOW + i);

			cr_expect(eq(int, tsig_at(m) != 0, i % 100 == 0 || i == 350), "%u", i);
			cr_assert(eq(int, verify_answer(&p.client, m, NOW + i), ERR_OK), "%u", i);
			cr_expect(eq(int, tsig_stream_complete(&p.client), tsig_at(m) != 0));
		}
		pair_end(&p);
	}
}

TEST(tsig, bears_99_unsigned_messages)
{
	struct pair p;
	struct writer w;

	pair_begin(&p, TSIG_HMAC_SHA1);
	w = message_in(p.buf, 5, FLAG_QR);
	cr_expect(eq(int, verify_answer(&p.client, writer_bytes(&w), NOW), ERR_TSIG_MISSING));
	cr_assert(eq(int, verify_answer(&p.client, pair_answer(&p, false, NOW), NOW), ERR_OK));
	w = message_in(p.buf, 5, FLAG_QR);
	for (unsigned i = 0; i < 99; i++) {
		cr_assert(eq(int, verify_answer(&p.client, writer_bytes(&w), NOW), ERR_OK));
		cr_expect(not(tsig_stream_complete(&p.client)));
	}
	cr_expect(eq(int, verify_answer(&p.client, writer_bytes(&w), NOW), ERR_TSIG_MISSING));
	pair_end(&p);
}

/* True where a letter of a name of the record stands: its case means nothing. */
static bool is_caseless(struct bytes m, size_t at, size_t i)
{
	struct reader r = reader_of(m);
	size_t owner_end;

	r.pos = at;
	cr_assert(eq(int, name_skip(&r), ERR_OK));
	owner_end = r.pos;
	r.pos += 10;
	cr_assert(eq(int, name_skip(&r), ERR_OK));
	return ((i >= at && i < owner_end) || (i >= owner_end + 10 && i < r.pos)) &&
	       octet_lower(m.at[i]) >= 'a' && octet_lower(m.at[i]) <= 'z';
}

/* Of the octets of a signed answer only the id may change, since the original one is digested
 * (RFC 8945 §4.3.2). The true answer counts even after a false one. */
TEST(tsig, notices_every_changed_octet)
{
	size_t len = 1;

	for (size_t i = 0; i < len; i++) {
		struct pair p;
		struct bytes m;
		size_t at;
		bool same;

		pair_begin(&p, TSIG_HMAC_SHA256);
		m = pair_answer(&p, true, NOW);
		len = m.len;
		at = tsig_at(m);
		same = i < 2 || is_caseless(m, at, i);
		p.buf[i] ^= 0x20;
		cr_expect(eq(int, tsig_verify_answer(&p.client, m, at, NOW) == ERR_OK, same),
		          "octet %zu", i);
		p.buf[i] ^= 0x20;
		if (!same) {
			cr_expect(not(tsig_stream_complete(&p.client)));
			cr_expect(eq(int, verify_answer(&p.client, m, NOW), ERR_OK), "octet %zu",
			          i);
		}
		pair_end(&p);
	}
}

TEST(tsig, notices_changes_in_unsigned_messages)
{
	for (size_t i = 0; i < 31; i++) {
		struct pair p;
		struct bytes m;

		pair_begin(&p, TSIG_HMAC_SHA512);
		cr_assert(eq(int, verify_answer(&p.client, pair_answer(&p, false, NOW), NOW),
		             ERR_OK));
		m = pair_answer(&p, false, NOW);
		p.buf[i] ^= 1;
		cr_expect(eq(int, tsig_verify_answer(&p.client, m, 0, NOW), ERR_OK));
		p.buf[i] ^= 1;
		m = pair_answer(&p, true, NOW);
		cr_expect(eq(int, verify_answer(&p.client, m, NOW), ERR_TSIG_BADSIG), "octet %zu",
		          i);
		cr_expect(eq(int, verify_answer(&p.client, m, NOW), ERR_TSIG_BADSIG),
		          "and for good");
		cr_expect(not(tsig_stream_complete(&p.client)));
		pair_end(&p);
	}
}

/* A message left out, repeated, or in another place. */
TEST(tsig, notices_the_order_of_messages)
{
	for (unsigned wrong = 0; wrong < 3; wrong++) {
		struct pair p;
		struct bytes first, second;
		uint8_t kept[BUF_LEN];
		struct writer w = writer_of(kept, sizeof(kept));

		pair_begin(&p, TSIG_HMAC_SHA256);
		first = pair_answer(&p, true, NOW);
		cr_assert(writer_put(&w, first));
		if (wrong != 0) {
			cr_assert(eq(int, verify_answer(&p.client, first, NOW), ERR_OK));
		}
		second = pair_answer(&p, true, NOW);
		if (wrong == 2) {
			second = pair_answer(&p, true, NOW);
		}
		if (wrong == 1) {
			second = writer_bytes(&w);
		}
		cr_expect(eq(int, verify_answer(&p.client, second, NOW), ERR_TSIG_BADSIG), "%u",
		          wrong);
		pair_end(&p);
	}
}

static const struct {
	int64_t off; /* of the verifier's clock */
	enum err want;
} clocks[] = {
	{ 0, ERR_OK },
	{ 300, ERR_OK },
	{ -300, ERR_OK },
	{ 301, ERR_TSIG_BADTIME },
	{ -301, ERR_TSIG_BADTIME },
	{ INT64_MAX / 2, ERR_TSIG_BADTIME },
	{ -(int64_t)NOW, ERR_TSIG_BADTIME },
};

TEST(tsig, allows_clocks_to_differ_by_the_fudge)
{
	for (size_t i = 0; i < ARRAY_LEN(clocks); i++) {
		uint64_t now_s = (uint64_t)((int64_t)NOW + clocks[i].off);
		struct tsig_record record;
		struct pair p;
		struct writer w;

		pair_begin(&p, TSIG_HMAC_SHA256);
		cr_expect(eq(int, verify_answer(&p.client, pair_answer(&p, true, NOW), now_s),
		             clocks[i].want));
		w = message_in(p.buf, 6, 0);
		tsig_stream_fini(&p.client);
		tsig_stream_init(&p.client, p.key);
		cr_assert(eq(int, tsig_sign_request(&p.client, &w, NOW), ERR_OK));
		cr_expect(eq(int,
		             verify_request(&p.server, p.key, writer_bytes(&w), now_s, &record),
		             clocks[i].want));
		pair_end(&p);
	}
}

TEST(tsig, time_does_not_go_back_in_a_stream)
{
	struct pair p;
	struct tsig_record record;
	struct bytes m;

	pair_begin(&p, TSIG_HMAC_SHA256);
	m = pair_answer(&p, true, NOW + 10);
	cr_assert(eq(int, verify_answer(&p.client, m, NOW), ERR_OK));
	/* We do not sign with an earlier time even if our clock says so. */
	m = pair_answer(&p, true, NOW + 5);
	cr_assert(eq(int, tsig_record_read(m, tsig_at(m), &record), ERR_OK));
	cr_expect(eq(u64, record.time_signed_s, NOW + 10));
	cr_assert(eq(int, verify_answer(&p.client, m, NOW), ERR_OK));
	/* And do not believe someone who does. */
	p.server.last_time_s = 0;
	m = pair_answer(&p, true, NOW + 9);
	cr_expect(eq(int, verify_answer(&p.client, m, NOW), ERR_TSIG_BADTIME));
	pair_end(&p);
}

/* Cuts the MAC of a signed message down to `len` octets. */
static struct bytes truncate_mac(uint8_t buf[static BUF_LEN], struct bytes m, size_t full,
                                 size_t len)
{
	size_t at = tsig_at(m);
	size_t mac_at = m.len - 6 - full;
	struct reader r = reader_of(m);

	r.pos = at;
	cr_assert(eq(int, name_skip(&r), ERR_OK));
	store_u16(buf + r.pos + 8, (uint16_t)(load_u16(buf + r.pos + 8) - full + len));
	store_u16(buf + mac_at - 2, (uint16_t)len);
	memmove(buf + mac_at + len, buf + mac_at + full, 6);
	return bytes_of(buf, m.len - full + len);
}

static const struct {
	enum tsig_algorithm algorithm;
	uint8_t full;
	uint8_t min; /* of the verifier's policy; 0: only the full MAC */
	uint8_t len; /* that arrives */
	enum err want;
} truncations[] = {
	{ TSIG_HMAC_SHA256, 32, 0, 32, ERR_OK },
	{ TSIG_HMAC_SHA256, 32, 0, 31, ERR_TSIG_BADTRUNC },
	{ TSIG_HMAC_SHA256, 32, 0, 16, ERR_TSIG_BADTRUNC },
	{ TSIG_HMAC_SHA256, 32, 0, 15, ERR_WIRE_TSIG },
	{ TSIG_HMAC_SHA256, 32, 16, 16, ERR_OK },
	{ TSIG_HMAC_SHA256, 32, 20, 19, ERR_TSIG_BADTRUNC },
	{ TSIG_HMAC_SHA256, 32, 20, 20, ERR_OK },
	{ TSIG_HMAC_SHA256, 32, 16, 0, ERR_WIRE_TSIG },
	{ TSIG_HMAC_MD5, 16, 10, 10, ERR_OK },
	{ TSIG_HMAC_MD5, 16, 10, 9, ERR_WIRE_TSIG },
	{ TSIG_HMAC_SHA1, 20, 10, 10, ERR_OK },
	{ TSIG_HMAC_SHA1, 20, 10, 9, ERR_WIRE_TSIG },
	{ TSIG_HMAC_SHA384, 48, 24, 23, ERR_WIRE_TSIG },
	{ TSIG_HMAC_SHA512, 64, 32, 32, ERR_OK },
	{ TSIG_HMAC_SHA512, 64, 32, 31, ERR_WIRE_TSIG },
};

TEST(tsig, takes_truncated_macs_by_permission_only)
{
	for (size_t i = 0; i < ARRAY_LEN(truncations); i++) {
		struct tsig_key *full = key_with("k.", truncations[i].algorithm, SECRET, 0);
		struct tsig_key *strict =
			key_with("k.", truncations[i].algorithm, SECRET, truncations[i].min);
		struct tsig_stream client, server;
		struct tsig_record record;
		uint8_t buf[BUF_LEN];
		struct writer w = message_in(buf, 5, 0);
		struct bytes m;

		tsig_stream_init(&client, full);
		tsig_stream_init(&server, NULL);
		cr_assert(eq(int, tsig_sign_request(&client, &w, NOW), ERR_OK));
		m = truncate_mac(buf, writer_bytes(&w), truncations[i].full, truncations[i].len);
		cr_expect(eq(int, verify_request(&server, strict, m, NOW, &record),
		             truncations[i].want),
		          "%zu", i);
		tsig_stream_fini(&client);
		tsig_stream_fini(&server);
		tsig_key_unref(full);
		tsig_key_unref(strict);
	}
}

/* Records of a strange form; `at` counts from the end of the owner name. */
static const struct {
	const char *title;
	size_t at;
	uint8_t value;
	enum err want;
} forms[] = {
	{ "another type", 1, 251, ERR_WIRE_TSIG },
	{ "class IN", 3, 1, ERR_WIRE_TSIG },
	{ "a TTL", 7, 1, ERR_WIRE_TSIG },
	{ "rdata beyond the end", 9, 255, ERR_WIRE_TSIG },
	{ "rdata that ends early", 9, 20, ERR_WIRE_TSIG },
	{ "algorithm name with a pointer to nowhere", 10, 0xff, ERR_WIRE_NAME },
	{ "MAC beyond the end", 10 + 13 + 8, 1, ERR_WIRE_RDATA },
	{ "MAC that ends early", 10 + 13 + 9, 31, ERR_WIRE_RDATA },
	{ "other data beyond the end", 10 + 13 + 10 + 32 + 5, 1, ERR_WIRE_RDATA },
};

TEST(tsig, refuses_records_of_another_form)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct pair p;
		struct bytes m;
		struct tsig_record record;
		struct reader r;
		size_t at;

		pair_begin(&p, TSIG_HMAC_SHA256);
		m = pair_answer(&p, true, NOW);
		at = tsig_at(m);
		r = reader_of(m);
		r.pos = at;
		cr_assert(eq(int, name_skip(&r), ERR_OK));
		p.buf[r.pos + forms[i].at] = forms[i].value;
		cr_expect(eq(int, tsig_record_read(m, at, &record), forms[i].want), "%s",
		          forms[i].title);
		pair_end(&p);
	}
	cr_expect(eq(int, tsig_record_read(bytes_str("short"), 0, &(struct tsig_record){ 0 }),
	             ERR_WIRE_TSIG));
}

/* No octet after the cut is looked at, and no cut of a message passes for it. */
TEST(tsig, refuses_every_cut_message)
{
	struct pair p;
	struct bytes m;
	size_t at;

	pair_begin(&p, TSIG_HMAC_SHA256);
	m = pair_answer(&p, true, NOW);
	at = tsig_at(m);
	for (size_t len = 0; len < m.len; len++) {
		uint8_t *exact = mem_new(len + 1);
		struct tsig_record record;

		memcpy(exact, m.at, len);
		cr_expect(ne(int, tsig_record_read(bytes_of(exact, len), at, &record), ERR_OK));
		cr_expect(ne(int, tsig_verify_answer(&p.client, bytes_of(exact, len), at, NOW),
		             ERR_OK));
		free(exact);
	}
	pair_end(&p);
}

TEST(tsig, refuses_other_keys)
{
	static const struct {
		const char *name;
		enum tsig_algorithm algorithm;
		const char *secret;
		enum err want;
	} keys[] = {
		{ "key-sha256.example.", TSIG_HMAC_SHA256, SECRET, ERR_OK },
		{ "KEY-sha256.EXAMPLE.", TSIG_HMAC_SHA256, SECRET, ERR_OK },
		{ "key-sha256.example.", TSIG_HMAC_SHA256, SECRET "x", ERR_TSIG_BADSIG },
		{ "key-sha256.example.", TSIG_HMAC_SHA512, SECRET, ERR_TSIG_BADKEY },
		{ "other.example.", TSIG_HMAC_SHA256, SECRET, ERR_TSIG_BADKEY },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct tsig_key *other =
			key_with(keys[i].name, keys[i].algorithm, keys[i].secret, 0);
		struct tsig_record record;
		struct tsig_stream s;
		struct pair p;
		struct writer w;

		pair_begin(&p, TSIG_HMAC_SHA256);
		w = message_in(p.buf, 5, 0);
		tsig_stream_init(&s, other);
		cr_assert(eq(int, tsig_sign_request(&s, &w, NOW), ERR_OK));
		cr_expect(eq(int, verify_request(&p.server, p.key, writer_bytes(&w), NOW, &record),
		             keys[i].want),
		          "%zu", i);
		cr_expect(eq(int, p.server.key != NULL, keys[i].want == ERR_OK));
		tsig_stream_fini(&s);
		pair_end(&p);

		pair_begin(&p, TSIG_HMAC_SHA256);
		tsig_stream_init(&s, other);
		w = message_in(p.buf, 6, 0); /* the answer is to another request */
		cr_assert(eq(int, tsig_sign_request(&s, &w, NOW), ERR_OK));
		cr_expect(eq(int, verify_answer(&s, pair_answer(&p, true, NOW), NOW),
		             keys[i].want == ERR_OK ? ERR_TSIG_BADSIG : keys[i].want),
		          "%zu", i);
		tsig_stream_fini(&s);
		pair_end(&p);
		tsig_key_unref(other);
	}
}

TEST(tsig, passes_unsigned_conversations)
{
	struct tsig_stream s;
	struct tsig_record record;
	uint8_t buf[BUF_LEN];
	struct writer w = message_in(buf, 5, 0);
	size_t len = w.len;
	struct pair p;

	tsig_stream_init(&s, NULL);
	cr_expect(eq(int, tsig_sign_request(&s, &w, NOW), ERR_OK));
	cr_expect(eq(sz, w.len, len));
	cr_expect(eq(int, verify_request(&s, NULL, writer_bytes(&w), NOW, &record), ERR_OK));
	cr_expect(eq(ptr, s.key, NULL));
	cr_expect(eq(int, tsig_sign_answer(&s, &w, true, NOW), ERR_OK));
	cr_expect(eq(sz, w.len, len));
	cr_expect(eq(int, verify_answer(&s, writer_bytes(&w), NOW), ERR_OK));
	cr_expect(tsig_stream_complete(&s));
	pair_begin(&p, TSIG_HMAC_SHA256);
	cr_expect(eq(int, verify_answer(&s, pair_answer(&p, true, NOW), NOW), ERR_WIRE_TSIG));
	pair_end(&p);
	tsig_stream_fini(&s);
	tsig_stream_fini(&s); /* the zero state */
}

/* Where the record does not fit nothing has changed, and tsig_len() is what it takes. */
TEST(tsig, fits_or_changes_nothing)
{
	for (enum tsig_algorithm a = 0; a < TSIG_ALGORITHMS; a++) {
		struct tsig_key *key = key_new(a);
		struct tsig_stream s;
		uint8_t buf[BUF_LEN], before[BUF_LEN];
		struct writer w = message_in(buf, 5, 0);
		struct tsig_record record;
		size_t len = w.len;

		tsig_stream_init(&s, key);
		memcpy(before, buf, sizeof(before));
		for (w.cap = len; w.cap < len + tsig_len(key) - 6; w.cap++) {
			cr_assert(eq(int, tsig_sign_request(&s, &w, NOW), ERR_BUDGET));
		}
		cr_expect(eq(sz, w.len, len));
		cr_expect(eq(int, memcmp(before, buf, sizeof(before)), 0));
		cr_expect(eq(int, tsig_sign_request(&s, &w, NOW), ERR_OK));
		cr_expect(eq(sz, w.len, w.cap));
		/* BADTIME has six octets more. */
		tsig_stream_fini(&s);
		tsig_stream_init(&s, NULL);
		cr_expect(eq(int, verify_request(&s, key, writer_bytes(&w), NOW + 400, &record),
		             ERR_TSIG_BADTIME));
		w = message_in(before, 5, FLAG_QR);
		w.cap = w.len + tsig_len(key);
		cr_expect(
			eq(int, tsig_error_answer(&s, &record, ERR_TSIG_BADTIME, &w, NOW), ERR_OK));
		cr_expect(eq(sz, w.len, w.cap));
		tsig_stream_fini(&s);
		tsig_key_unref(key);
	}
}

TEST(tsig, keys_refuse_what_cannot_be_meant)
{
	static const struct {
		enum tsig_algorithm algorithm;
		size_t secret_len;
		uint8_t min;
		enum err want;
	} options[] = {
		{ TSIG_HMAC_SHA256, 0, 0, ERR_CONFIG },   { TSIG_HMAC_SHA256, 1, 0, ERR_OK },
		{ TSIG_HMAC_SHA256, 512, 0, ERR_OK },     { TSIG_HMAC_SHA256, 513, 0, ERR_CONFIG },
		{ TSIG_HMAC_SHA256, 32, 16, ERR_OK },     { TSIG_HMAC_SHA256, 32, 15, ERR_CONFIG },
		{ TSIG_HMAC_SHA256, 32, 33, ERR_CONFIG }, { TSIG_HMAC_MD5, 32, 9, ERR_CONFIG },
		{ TSIG_HMAC_MD5, 32, 10, ERR_OK },        { TSIG_HMAC_SHA512, 32, 31, ERR_CONFIG },
	};
	static const uint8_t secret[513] = { 1 };

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		struct tsig_key_options o = { { (const uint8_t *)"\1k", 3, 1 },
			                      options[i].algorithm,
			                      { secret, options[i].secret_len },
			                      options[i].min };
		struct tsig_key *key = NULL;

		cr_expect(eq(int, tsig_key_new(&o, &key), options[i].want), "%zu", i);
		tsig_key_unref(key);
	}
}

TEST(tsig, keys_compare_by_all_that_matters)
{
	struct tsig_key *key = key_with("k.", TSIG_HMAC_SHA256, SECRET, 0);
	struct tsig_key *others[] = {
		key_with("K.", TSIG_HMAC_SHA256, SECRET, 0),
		key_with("l.", TSIG_HMAC_SHA256, SECRET, 0),
		key_with("k.", TSIG_HMAC_SHA1, SECRET, 0),
		key_with("k.", TSIG_HMAC_SHA256, "Secret-secret-secret", 0),
		key_with("k.", TSIG_HMAC_SHA256, SECRET "x", 0),
		key_with("k.", TSIG_HMAC_SHA256, SECRET, 16),
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		cr_expect(eq(int, tsig_key_equal(key, others[i]), i == 0), "%zu", i);
		tsig_key_unref(others[i]);
	}
	tsig_key_unref(key);
	tsig_key_unref(NULL);
}

TEST(tsig, algorithms_have_names)
{
	static const struct {
		const char *text;
		enum err want;
		enum tsig_algorithm algorithm;
	} names[] = {
		{ "hmac-md5", ERR_OK, TSIG_HMAC_MD5 },
		{ "HMAC-MD5.SIG-ALG.REG.INT.", ERR_OK, TSIG_HMAC_MD5 },
		{ "hmac-sha1", ERR_OK, TSIG_HMAC_SHA1 },
		{ "hmac-sha224", ERR_OK, TSIG_HMAC_SHA224 },
		{ "hmac-SHA256", ERR_OK, TSIG_HMAC_SHA256 },
		{ "hmac-sha384.", ERR_OK, TSIG_HMAC_SHA384 },
		{ "hmac-sha512", ERR_OK, TSIG_HMAC_SHA512 },
		{ "hmac-sha", ERR_TEXT, 0 },
		{ "sha256", ERR_TEXT, 0 },
		{ "", ERR_TEXT, 0 },
		{ ".", ERR_TEXT, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		enum tsig_algorithm a = 0;

		cr_expect(
			eq(int, tsig_algorithm_parse(bytes_str(names[i].text), &a), names[i].want),
			"%s", names[i].text);
		cr_expect(eq(int, a, names[i].algorithm));
	}
	for (enum tsig_algorithm a = 0; a < TSIG_ALGORITHMS; a++) {
		enum tsig_algorithm again;

		cr_expect(eq(int, tsig_algorithm_parse(bytes_str(tsig_algorithm_print(a)), &again),
		             ERR_OK));
		cr_expect(eq(int, again, a));
	}
}
