/* SPDX-License-Identifier: MIT */
#include "base/event.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/test.h"

/* A sink that keeps what it is given. */
struct catcher {
	struct env_fake fake;
	struct events ev;
	char text[16384];
	size_t len;
	unsigned lines;
	unsigned watched;
	enum event_kind last;
};

static void catch_line(void *self, const char *line, size_t len)
{
	struct catcher *c = self;

	cr_assert(len < sizeof(c->text) - c->len);
	memcpy(c->text + c->len, line, len);
	c->len += len;
	c->text[c->len] = '\0';
	c->lines++;
}

static void catch_watch(void *self, enum event_kind kind, const struct event_field *fields,
                        size_t count)
{
	struct catcher *c = self;

	cr_expect(count == 0 || fields != NULL);
	c->watched++;
	c->last = kind;
}

static struct catcher *catcher_new(enum event_format format)
{
	struct catcher *c = calloc(1, sizeof(*c));

	cr_assert(c != NULL);
	env_fake_init(&c->fake, 1);
	c->ev = (struct events){ .level = LEVEL_DEBUG,
		                 .format = format,
		                 .env = &c->fake.env,
		                 .self = c,
		                 .write_fn = catch_line };
	return c;
}

/* example.com in wire form. */
static const struct bytes apex = { (const uint8_t *)"\7example\3com", 13 };

TEST(event, each_kind_has_a_name_of_its_own)
{
	for (int k = 0; k < EVENT_COUNT; k++) {
		const char *name = event_name(k);
		cr_assert(name != NULL && name[0] != '\0', "event %d", k);
		cr_expect(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name), "'%s'",
		          name);
		cr_expect(event_level(k) <= LEVEL_DEBUG);
		for (int j = 0; j < k; j++) {
			cr_expect(strcmp(name, event_name(j)) != 0, "'%s' twice", name);
		}
	}
}

TEST(event, a_transfer_is_told_in_the_words_people_parse)
{
	struct catcher *c = catcher_new(EVENT_FORMAT_TEXT);
	struct addr primary;

	cr_assert(eq(int, addr_parse("192.0.2.1@53", 0, &primary), ERR_OK));
	EVENT(&c->ev, EVENT_TRANSFER_DONE, F_NAME("zone", apex), F_ADDR("primary", &primary),
	      F_STR("kind", "AXFR"), F_STR("key", "test_key."), F_UINT("messages", 83),
	      F_UINT("records", 22752), F_UINT("bytes", 1056385), F_REAL("secs", 0.824),
	      F_UINT("rate", 1282020), F_UINT("serial", 2024010101));
	cr_expect(
		eq(str, c->text,
	           "info: zone example.com.: AXFR from 192.0.2.1@53: Transfer completed: 83 "
	           "messages, 22752 records, 1056385 bytes, 0.824 secs (1282020 bytes/sec) (serial "
	           "2024010101) key=test_key.\n"));
	free(c);
}

TEST(event, json_has_the_same_fields)
{
	struct catcher *c = catcher_new(EVENT_FORMAT_JSON);
	struct addr primary;

	cr_assert(eq(int, addr_parse("2001:db8::1@53", 0, &primary), ERR_OK));
	c->ev.timestamps = true;
	EVENT(&c->ev, EVENT_TRANSFER_FAILED, F_NAME("zone", apex), F_ADDR("primary", &primary),
	      F_STR("kind", "IXFR"), F_ERR("error", ERR_TSIG_BADSIG), F_INT("skew", -3),
	      F_REAL("secs", 1.5), F_UINT("messages", UINT64_MAX));
	cr_expect(eq(str, c->text,
	             "{\"time\":\"2023-11-14T22:13:20Z\",\"level\":\"warning\",\"event\":"
	             "\"transfer-failed\",\"zone\":\"example.com.\",\"primary\":\"2001:db8::1@53\","
	             "\"kind\":\"IXFR\",\"error\":\"tsig-badsig\",\"skew\":-3,\"secs\":1.500,"
	             "\"messages\":18446744073709551615}\n"));
	free(c);
}

TEST(event, text_has_the_sentence_of_an_error_and_a_time)
{
	struct catcher *c = catcher_new(EVENT_FORMAT_TEXT);
	struct addr primary;

	cr_assert(eq(int, addr_parse("192.0.2.1@53", 0, &primary), ERR_OK));
	c->ev.timestamps = true;
	EVENT(&c->ev, EVENT_REFRESH_FAILED, F_NAME("zone", apex), F_ADDR("primary", &primary),
	      F_ERR("error", ERR_PEER_TIMEOUT), F_STR("code", "timeout"), F_STR("none", NULL),
	      F_STR("empty", ""));
	cr_expect(eq(str, c->text,
	             "2023-11-14T22:13:20Z warning: zone example.com.: refresh from 192.0.2.1@53 "
	             "failed: no answer in time code=timeout\n"));
	free(c);
}

/* What a peer can choose must not be able to forge a line, a field or a terminal's colours. */
TEST(event, octets_from_outside_are_escaped)
{
	static const uint8_t nasty[] = "a\n2023 info: forged\"\\\x1b[31m\xff\x7f";
	static const uint8_t name[] = "\5a\nb\"\\\3.\x1b\xc3";
	struct bytes text = bytes_of(nasty, sizeof(nasty) - 1);
	struct catcher *c = catcher_new(EVENT_FORMAT_TEXT);

	EVENT(&c->ev, EVENT_STORE_CORRUPT, F_NAME("zone", bytes_of(name, sizeof(name))),
	      F_TEXT("what", text));
	cr_expect(eq(str, c->text,
	             "error: zone a\\010b\\\"\\\\.\\.\\027\\195.: stored data is damaged "
	             "(a\\u000a2023 info: forged\\\"\\\\\\u001b[31m\\u00ff\\u007f); fetching it "
	             "again\n"));
	free(c);
	c = catcher_new(EVENT_FORMAT_JSON);
	EVENT(&c->ev, EVENT_STORE_CORRUPT, F_NAME("zone", bytes_of(name, sizeof(name))),
	      F_TEXT("what", text));
	cr_expect(eq(str, c->text,
	             "{\"level\":\"error\",\"event\":\"store-corrupt\",\"zone\":"
	             "\"a\\\\010b\\\\\\\"\\\\\\\\.\\\\.\\\\027\\\\195.\",\"what\":"
	             "\"a\\u000a2023 info: forged\\\"\\\\\\u001b[31m\\u00ff\\u007f\"}\n"));
	free(c);
}

TEST(event, less_urgent_events_are_dropped)
{
	for (int level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++) {
		struct catcher *c = catcher_new(EVENT_FORMAT_TEXT);
		unsigned want = 0;
		c->ev.level = level;
		c->ev.watch_fn = catch_watch;
		for (int k = 0; k < EVENT_COUNT; k++) {
			event_emit(&c->ev, k, NULL, 0);
			want += (int)event_level(k) <= level;
			cr_expect(eq(int, (int)c->last, k));
		}
		cr_expect(eq(uint, c->lines, want));
		cr_expect(want > 0 && (level == LEVEL_DEBUG || want < EVENT_COUNT));
		free(c);
	}
}

TEST(event, a_text_line_that_is_too_long_is_cut)
{
	static uint8_t big[9000];
	struct catcher *c = catcher_new(EVENT_FORMAT_TEXT);

	memset(big, 'x', sizeof(big));
	EVENT(&c->ev, EVENT_SYSTEM_FAILED, F_TEXT("what", bytes_of(big, sizeof(big))),
	      F_ERR("error", ERR_SYSTEM));
	cr_expect(eq(uint, c->lines, 1));
	cr_expect(c->len <= 4096 && c->len > 4000);
	cr_expect(eq(chr, c->text[c->len - 1], '\n'));
	cr_expect(strchr(c->text, '\n') == c->text + c->len - 1);
	free(c);
}

/* Cutting must leave a JSON object: fields that do not fit are left out, and that is said. */
TEST(event, a_json_line_that_is_too_long_stays_an_object)
{
	static uint8_t big[9000];

	memset(big, '\n', sizeof(big));
	for (size_t len = 640; len < 700; len++) {
		struct catcher *c = catcher_new(EVENT_FORMAT_JSON);
		bool cut;
		EVENT(&c->ev, EVENT_SYSTEM_FAILED, F_UINT("first", 1),
		      F_TEXT("what", bytes_of(big, len)), F_ERR("error", ERR_SYSTEM));
		cut = strstr(c->text, ",\"cut\":true}\n") != NULL;
		cr_expect(c->len <= 4096);
		cr_expect(strncmp(c->text, "{\"level\":\"error\",", 17) == 0);
		cr_expect(strstr(c->text, "\"first\":1") != NULL);
		cr_expect(cut || strstr(c->text, "\",\"error\":\"system\"}\n") != NULL,
		          "%zu: ...%s", len, c->text + c->len - 60);
		cr_expect(len < 690 || cut, "%zu fits?", len);
		cr_expect(len > 650 || !cut, "%zu does not fit?", len);
		free(c);
	}
}

TEST(event, names_print_with_escapes)
{
	static const struct {
		const char *wire;
		size_t len;
		const char *want;
	} cases[] = {
		{ "\0", 1, "." },
		{ "\7example\3com\0", 13, "example.com." },
		{ "\1*\3a.b\0", 7, "*.a\\.b." },
		{ "\4\0 ;@\2\"$\0", 9, "\\000\\032\\;\\@.\\\"\\$." },
		{ "\1\xe9\0", 3, "\\233." },
	};
	char out[EVENT_NAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len =
			event_print_name(bytes_of(cases[i].wire, cases[i].len), out, sizeof(out));
		cr_expect(eq(str, out, (char *)cases[i].want));
		cr_expect(eq(sz, len, strlen(out)));
	}
}

TEST(event, the_longest_name_fits_and_smaller_buffers_cut)
{
	uint8_t wire[255] = { 0 };
	char out[EVENT_NAME_MAX];
	size_t pos = 0;

	for (int label = 0; label < 4; label++) {
		size_t len = label < 3 ? 63 : 61;
		wire[pos++] = (uint8_t)len;
		pos += len; /* octets of zero: four characters each */
	}
	cr_assert(eq(sz, pos, 254));
	cr_expect(eq(sz, event_print_name(bytes_of(wire, sizeof(wire)), out, sizeof(out)), 1004));
	for (size_t cap = 1; cap < 20; cap++) {
		memset(out, 'x', sizeof(out));
		cr_expect(event_print_name(bytes_of(wire, sizeof(wire)), out, cap) < cap);
		cr_expect(eq(chr, out[cap], 'x'));
	}
}

TEST(event, the_sink_of_a_descriptor_writes_one_line)
{
	struct events ev;
	struct env_fake f;
	char got[256] = { 0 };
	int fds[2];

	cr_assert(eq(int, pipe(fds), 0));
	env_fake_init(&f, 1);
	events_init(&ev, &f.env, fds[1]);
	EVENT(&ev, EVENT_STOPPING, F_STR("reason", "SIGTERM"));
	EVENT(&ev, EVENT_NOTIFY_IN, F_NAME("zone", apex)); /* debug: dropped by default */
	close(fds[1]);
	cr_assert(read(fds[0], got, sizeof(got) - 1) > 0);
	cr_expect(eq(str, got, "2023-11-14T22:13:20Z info: stopping: SIGTERM\n"));
	cr_expect(eq(int, (int)read(fds[0], got, sizeof(got)), 0));
	close(fds[0]);
}
