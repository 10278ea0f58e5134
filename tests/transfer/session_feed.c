/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/session_feed.c — messages of any content, fed to a session. */
#include "tests/transfer/session_feed.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/env.h"
#include "dns/rdata.h"
#include "transfer/session_p.h"

#define ID 0x4242

static const char *const zone_lines[] = {
	"example. 300 IN SOA ns.example. h.example. 3 100 100 1000 60",
	"example. 300 IN NS ns.example.",
	"h1.example. 300 IN A 10.0.0.1",
	"h2.example. 300 IN A 10.0.0.2",
};

static struct snapshot *zone_new(struct pool *pool, struct name apex)
{
	static struct rr_scratch scratch;
	struct builder_options options = { .pool = pool, .apex = apex };
	struct builder_origin origin = { .origin = SNAPSHOT_BY_AXFR };
	struct builder *b = builder_new(&options);
	struct snapshot *snap = NULL;
	struct rr rr;

	for (size_t i = 0; i < ARRAY_LEN(zone_lines); i++) {
		if (rr_parse(bytes_str(zone_lines[i]), NULL, 300, &scratch, &rr) != ERR_OK ||
		    builder_add(b, &rr) != ERR_OK) {
			abort();
		}
	}
	if (builder_freeze(b, &origin, &snap) != ERR_OK) {
		abort();
	}
	builder_free(b);
	return snap;
}

/* Feeds the messages until the session has ended or there are no more. */
static void feed(struct session *s, const uint8_t *data, size_t size)
{
	static struct rr_scratch scratch;
	struct session_clock now = { NS_PER_S, 1000 };

	while (size >= 2 && (s->state == SESSION_ASKED || s->state == SESSION_RECEIVING)) {
		size_t len = load_u16(data) < size - 2 ? load_u16(data) : size - 2;
		uint8_t *message = mem_new(len + 1); /* on the heap: overruns are seen */

		memcpy(message, data + 2, len);
		if (len >= 4) {
			store_u16(message, ID);
			message[2] = (uint8_t)((message[2] & 0x07) | 0x84); /* QR, QUERY, AA */
		}
		session_message(s, bytes_of(message, len), now, &scratch);
		free(message);
		data += 2 + len;
		size -= 2 + len;
	}
}

void session_feed(const uint8_t *data, size_t size)
{
	static struct env_fake fake;
	struct session_options options = { .kind = SESSION_AXFR, .id = ID };
	struct policy_limits limits = { .transfer_bytes = 1 << 20,
		                        .transfer_records = 10000,
		                        .transfer_time_s = 10,
		                        .idle_time_s = 10 };
	struct epoch *epoch = epoch_new();
	struct pool_options pool = {
		.env = &fake.env, .epoch = epoch, .parts = 1, .span_bytes = 1U << 26
	};
	uint8_t at[SESSION_REQUEST_MAX_LEN];
	struct snapshot *have;
	struct session session;
	struct name_buf apex;
	struct bytes request;

	env_fake_init(&fake, 1);
	if (name_parse(bytes_str("example."), NULL, &apex) != ERR_OK ||
	    pool_new(&pool, &options.pool) != ERR_OK) {
		abort();
	}
	have = zone_new(options.pool, name_of(&apex));
	options.apex = name_of(&apex);
	options.limits = &limits;
	if (size > 0 && data[0] % 2 == 1) {
		options.kind = SESSION_IXFR;
		options.have = have;
	}
	session_init(&session, &options);
	if (session_request(&session, (struct session_clock){ NS_PER_S, 1000 }, at, &request) !=
	    ERR_OK) {
		abort();
	}
	if (size > 0) {
		feed(&session, data + 1, size - 1);
	}
	session_fini(&session);
	snapshot_unref(have);
	epoch_free(epoch);
	pool_free(options.pool);
}
