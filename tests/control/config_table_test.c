/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_table_test.c — zones with equal settings share them. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

#define BEGIN                                                                                      \
	"keys: [{name: k, algorithm: hmac-sha256, secret: AAAA},"                                  \
	" {name: k2, algorithm: hmac-sha256, secret: AAAA}]\n"                                     \
	"primaries: [{name: p, addresses: [192.0.2.1]}, {name: q, addresses: [192.0.2.2]}]\n"

static size_t settings_of(const char *first, const char *second)
{
	char text[1024];
	struct config c;
	size_t count;

	snprintf(text, sizeof(text), BEGIN "zones:\n- {name: a, %s}\n- {name: b, %s}\n", first,
	         second);
	load_good(text, &c);
	count = c.settings_count;
	config_fini(&c);
	return count;
}

TEST(config_table, shares_equal_settings_however_written)
{
	cr_expect(eq(sz, settings_of("primaries: [p]", "primaries: [p]"), 1));
	cr_expect(eq(sz,
	             settings_of("primaries: [p], limits: {idle-time: 60}",
	                         "limits: {idle-time: 1m}, primaries: [p]"),
	             1));
	cr_expect(eq(sz,
	             settings_of("primaries: [p], allow-notify: [192.0.2.0/31]",
	                         "primaries: [p], allow-notify: [192.0.2.0-192.0.2.1]"),
	             1));
}

/* One difference each, in every field there is. */
TEST(config_table, keeps_different_settings_apart)
{
	static const char *const more[] = {
		"primaries: [q]",
		"primaries: [p, q]",
		"primaries: [p], allow-notify: [192.0.2.1]",
		"primaries: [p], allow-notify: [192.0.2.1, 192.0.2.1]",
		"primaries: [p], allow-notify: [192.0.2.2]",
		"primaries: [p], allow-notify: [{address: 192.0.2.1, key: k}]",
		"primaries: [p], allow-notify: [{key: k}]",
		"primaries: [p], allow-notify: [{key: k2}]",
		"primaries: [p], allow-transfer: [192.0.2.1]",
		"primaries: [p], notify: [192.0.2.1]",
		"primaries: [p], notify: [192.0.2.1@54]",
		"primaries: [p], notify: [{address: 192.0.2.1, key: k}]",
		"primaries: [p], notify: [{address: 192.0.2.1, source: 192.0.2.9}]",
		"primaries: [p], limits: {transfer-bytes: 1M}",
		"primaries: [p], limits: {transfer-records: 1}",
		"primaries: [p], limits: {transfer-time: 1m}",
		"primaries: [p], limits: {idle-time: 1m}",
		"primaries: [p], limits: {min-refresh: 2m}",
		"primaries: [p], limits: {max-refresh: 2m}",
		"primaries: [p], limits: {min-retry: 2m}",
		"primaries: [p], limits: {max-retry: 2m}",
		"primaries: [p], limits: {min-expire: 2m}",
		"primaries: [p], limits: {max-expire: 2d}",
		"primaries: [p], history: {versions: 2}",
		"primaries: [p], history: {age: 2d}",
		"primaries: [p], history: {bytes: 2M}",
		"primaries: [p], guard: {no-ns: hold}",
		"primaries: [p], guard: {shrink: refuse}",
		"primaries: [p], guard: {shrink: off}",
		"primaries: [p], guard: {shrink-percent: 80}",
		"primaries: [p], guard: {shrink-records: 80}",
		"primaries: [p], guard: {zonemd: refuse}",
		"primaries: [p], guard: {zonemd: off}",
		"primaries: [p], guard: {size: hold}",
		"primaries: [p], guard: {max-records: 80}",
		"primaries: [p], guard: {max-bytes: 80}",
		"primaries: [p], on-lower-serial: follow",
		"primaries: [p], primary-policy: newest",
		"primaries: [p], compare-primaries: off",
		"primaries: [p], compare-primaries: 2d",
		"primaries: [p]",
	};

	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		for (size_t k = 0; k < ARRAY_LEN(more); k++) {
			cr_expect(eq(sz, settings_of(more[i], more[k]), i == k ? 1 : 2), "%s | %s",
			          more[i], more[k]);
		}
	}
}
