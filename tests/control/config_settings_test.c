/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_settings_test.c — what templates and zones have in common. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

#define BEGIN                                                                                      \
	"keys: [{name: k, algorithm: hmac-sha256, secret: AAAA}]\n"                                \
	"primaries: [{name: p, addresses: [192.0.2.1]}]\n"
#define ZONE(settings) BEGIN "zones: [{name: a, primaries: [p], " settings "}]\n"

TEST(config_settings, has_the_limits_of_the_manual)
{
	struct config c;
	const struct config_limits *m;

	load_good(ZONE("allow-notify: []"), &c);
	m = &c.settings[0].limits;
	cr_expect(eq(u64, m->transfer_bytes, 1ULL << 30));
	cr_expect(eq(u32, m->transfer_records, 0));
	cr_expect(eq(u32, m->transfer_time_s, 7200));
	cr_expect(eq(u32, m->idle_time_s, 30));
	cr_expect(eq(u32, m->min_refresh_s, 60));
	cr_expect(eq(u32, m->max_refresh_s, 86400));
	cr_expect(eq(u32, m->min_retry_s, 10));
	cr_expect(eq(u32, m->max_retry_s, 3600));
	cr_expect(eq(u32, m->min_expire_s, 3600));
	cr_expect(eq(u32, m->max_expire_s, 0));
	config_fini(&c);
}

TEST(config_settings, reads_each_limit_into_its_place)
{
	struct config c;
	const struct config_limits *m;

	load_good(ZONE("limits: {transfer-bytes: 1M, transfer-records: 5, transfer-time: 2, "
	               "idle-time: 3, min-refresh: 4, max-refresh: 5, min-retry: 6, max-retry: 7, "
	               "min-expire: 8, max-expire: 9}"),
	          &c);
	m = &c.settings[0].limits;
	cr_expect(eq(u64, m->transfer_bytes, 1 << 20));
	cr_expect(eq(u32, m->transfer_records, 5));
	cr_expect(eq(u32, m->transfer_time_s, 2));
	cr_expect(eq(u32, m->idle_time_s, 3));
	cr_expect(eq(u32, m->min_refresh_s, 4));
	cr_expect(eq(u32, m->max_refresh_s, 5));
	cr_expect(eq(u32, m->min_retry_s, 6));
	cr_expect(eq(u32, m->max_retry_s, 7));
	cr_expect(eq(u32, m->min_expire_s, 8));
	cr_expect(eq(u32, m->max_expire_s, 9));
	config_fini(&c);
}

TEST(config_settings, reads_targets_with_key_and_source)
{
	struct config c;
	const struct config_target *t;

	load_good(ZONE("notify: [{address: 192.0.2.5, key: k, source: 192.0.2.9}]"), &c);
	cr_assert(eq(sz, c.settings[0].notify_count, 1));
	t = &c.settings[0].notify[0];
	cr_expect(eq(uint, t->addr.port, 53));
	cr_expect(eq(uint, t->source.family, 4));
	cr_expect(eq(u32, t->key, 0));
	config_fini(&c);
}

TEST(config_settings, refuses_bad_entries_and_limits)
{
	static const struct error_case cases[] = {
		{ ZONE("allow-transfer: [192.0.2.1/24]"),
		  "3: zones.allow-transfer: \"192.0.2.1/24\" is not an address or range; write "
		  "192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9 or \"2001:db8::/32\" (with no bits "
		  "set after the prefix)" },
		{ ZONE("allow-notify: [192.0.2.9-192.0.2.1]"),
		  "3: zones.allow-notify: \"192.0.2.9-192.0.2.1\" is not an address or range; "
		  "write "
		  "192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9 or \"2001:db8::/32\"" },
		{ ZONE("allow-notify: [{}]"),
		  "3: zones.allow-notify: an entry needs an address, a key, or both" },
		{ ZONE("allow-notify: [{address: 192.0.2.1, key: nope}]"),
		  "3: zones.allow-notify.key: there is no key \"nope\"" },
		{ ZONE("notify: [{key: k}]"), "3: zones.notify: a target needs an address" },
		{ ZONE("notify: [192.0.2.0/24]"),
		  "3: zones.notify: \"192.0.2.0/24\" is not an address; write 192.0.2.1, "
		  "192.0.2.1@5300 or \"2001:db8::1@5300\"" },
		{ ZONE("notify: [{address: 192.0.2.1, source: \"::1\"}]"),
		  "3: zones.notify: the source has to be of the address's family, IPv4" },
		{ ZONE("limits: {min-refresh: 2d}"),
		  "3: zones.limits: min-refresh (172800s) is above max-refresh (86400s)" },
		{ ZONE("limits: {max-retry: 5}"),
		  "3: zones.limits: min-retry (10s) is above max-retry (5s)" },
		{ ZONE("limits: {max-expire: 5}"),
		  "3: zones.limits: min-expire (3600s) is above max-expire (5s)" },
		{ ZONE("limits: {transfer-byte: 5}"),
		  "3: zones.limits: unknown setting \"transfer-byte\" (did you mean "
		  "transfer-bytes?)" },
		{ BEGIN "zones: [{name: a, primaries: [p, p]}]",
		  "3: zones.primaries: p is listed twice" },
		{ BEGIN "zones: [{name: a, primaries: p}]",
		  "3: zones.primaries: a list is expected: [ ... ]" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}
