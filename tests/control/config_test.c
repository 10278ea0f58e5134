/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_test.c — whole configurations. */
#include <string.h>

#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

static const char whole[] =
	"server:    {listen: [127.0.0.1@5300, \"::1@5300\"], workers: 0, user: axfarm}\n"
	"database:  {path: /var/lib/axfarm}\n"
	"control:   {socket: /run/axfarm/axfarm.sock}\n"
	"log:       {level: info, format: text}                 # or json\n"
	"keys:\n"
	"  - {name: test_key, algorithm: hmac-sha256, secret: \"c2VjcmV0LXNlY3JldC1zZWNyZXQ=\"}\n"
	"  - {file: Kother.+163+64252.key}\n"
	"primaries:\n"
	"  - {name: idc, addresses: [192.0.2.1@53, \"2001:db8::1\"], key: test_key}\n"
	"templates:\n"
	"  - name: hosted\n"
	"    primaries: [idc]\n"
	"    allow-notify: [198.51.100.0/24, 203.0.113.5-203.0.113.9,"
	" {address: 203.0.113.20, key: test_key}]\n"
	"    allow-transfer: [127.0.0.0/8, {key: test_key}]\n"
	"    notify: [192.0.2.53@53, {address: 192.0.2.54@5353, key: other}]\n"
	"    limits: {transfer-bytes: 1G, transfer-time: 2h, idle-time: 30s, min-refresh: 60s,\n"
	"             max-refresh: 1d, min-retry: 10s, max-retry: 1h, min-expire: 1h}\n"
	"zones:\n"
	"  - {name: example.com, template: hosted, limits: {idle-time: 5s}}\n"
	"  - {file: zones.txt, template: hosted}\n";

static const struct fake_file files[] = {
	{ "etc/axfarm.yaml", whole, true },
	{ "etc/Kother.+163+64252.key", "other. IN KEY 512 3 163 AAECAwQFBgcICQoLDA0ODw==\n", true },
	{ "etc/zones.txt", "example.net\n\n# none\nexample.org. # with a dot\n", true },
};

static void expect_addr(const struct addr *a, const char *want)
{
	char text[ADDR_TEXT_MAX];

	cr_expect(eq(str, (char *)addr_print(a, text), (char *)want));
}

static void expect_template(const struct config *c)
{
	const struct config_settings *s = &c->settings[c->zones[1].settings];

	cr_assert(eq(sz, s->primary_count, 1));
	cr_expect(eq(u32, s->primaries[0], 0));
	cr_assert(eq(sz, s->allow_notify_count, 3));
	expect_addr(&s->allow_notify[0].range.lo, "198.51.100.0");
	expect_addr(&s->allow_notify[0].range.hi, "198.51.100.255");
	expect_addr(&s->allow_notify[1].range.hi, "203.0.113.9");
	cr_expect(eq(u32, s->allow_notify[1].key, CONFIG_NO_KEY));
	cr_expect(eq(u32, s->allow_notify[2].key, 0));
	cr_expect(not(s->allow_notify[2].any_addr));
	cr_assert(eq(sz, s->allow_transfer_count, 2));
	cr_expect(s->allow_transfer[1].any_addr);
	cr_assert(eq(sz, s->notify_count, 2));
	expect_addr(&s->notify[0].addr, "192.0.2.53@53");
	expect_addr(&s->notify[1].addr, "192.0.2.54@5353");
	cr_expect(eq(u32, s->notify[1].key, 1));
	cr_expect(eq(u64, s->limits.transfer_bytes, 1ULL << 30));
	cr_expect(eq(u32, s->limits.transfer_time_s, 7200));
	cr_expect(eq(u32, s->limits.max_refresh_s, 86400));
}

static void expect_zone(const struct config *c, size_t zone, const char *want)
{
	char text[NAME_TEXT_MAX] = "";
	struct writer w = writer_of(text, sizeof(text) - 1);
	size_t found = SIZE_MAX;

	cr_assert(name_print(config_zone_name(c, zone), &w));
	cr_expect(eq(str, text, (char *)want));
	cr_expect(config_zone_find(c, config_zone_name(c, zone), &found));
	cr_expect(eq(sz, found, zone));
}

TEST(config, reads_every_setting_of_the_manual)
{
	struct fake_disk disk = { files, ARRAY_LEN(files) };
	struct config_errors errors;
	struct config c;

	cr_assert(eq(int, disk_load(&disk, &c, &errors), ERR_OK), "%s", errors.errors[0]);
	cr_assert(eq(sz, c.listen_count, 2));
	expect_addr(&c.listen[0], "127.0.0.1@5300");
	expect_addr(&c.listen[1], "::1@5300");
	cr_expect(eq(uint, c.workers, 0));
	cr_expect(eq(str, c.user, "axfarm"));
	cr_expect(eq(str, c.database_path, "/var/lib/axfarm"));
	cr_expect(eq(str, c.socket_path, "/run/axfarm/axfarm.sock"));
	cr_assert(eq(sz, c.key_count, 2));
	cr_expect(eq(int, c.keys[0].algorithm, TSIG_HMAC_SHA256));
	cr_expect(eq(uint, c.keys[0].secret_len, 20));
	cr_expect(eq(int, memcmp(c.keys[0].secret, "secret-secret-secret", 20), 0));
	cr_expect(eq(uint, c.keys[1].secret_len, 16));
	cr_assert(eq(sz, c.primary_count, 1));
	cr_expect(eq(str, c.primaries[0].name, "idc"));
	cr_assert(eq(sz, c.primaries[0].address_count, 2));
	expect_addr(&c.primaries[0].addresses[1], "2001:db8::1@53");
	cr_expect(eq(u32, c.primaries[0].key, 0));
	cr_assert(eq(sz, c.zone_count, 3));
	expect_zone(&c, 0, "example.com.");
	expect_zone(&c, 1, "example.net.");
	expect_zone(&c, 2, "example.org.");
	cr_expect(eq(sz, c.settings_count, 2));
	cr_expect(eq(u32, c.zones[1].settings, c.zones[2].settings));
	cr_expect(eq(u32, c.settings[c.zones[0].settings].limits.idle_time_s, 5));
	cr_expect(eq(u32, c.settings[c.zones[0].settings].limits.max_retry_s, 3600));
	expect_template(&c);
	config_fini(&c);
}

TEST(config, warns_about_secrets_that_everyone_may_read)
{
	struct fake_disk disk = { files, ARRAY_LEN(files) };
	struct config_errors errors;
	struct config c;

	cr_assert(eq(int, disk_load(&disk, &c, &errors), ERR_OK), "%s", errors.errors[0]);
	cr_assert(eq(sz, errors.warning_count, 2));
	cr_expect(eq(str, errors.warnings[0],
	             "etc/Kother.+163+64252.key: everyone may read this key; chmod o-r it"));
	cr_expect(eq(str, errors.warnings[1],
	             "etc/axfarm.yaml: everyone may read this file, and it holds secrets; "
	             "chmod o-r it"));
	config_fini(&c);
}

TEST(config, has_defaults_for_all_but_the_zones)
{
	struct config c;

	load_good("zones:\n", &c);
	cr_assert(eq(sz, c.listen_count, 2));
	expect_addr(&c.listen[0], "0.0.0.0@53");
	expect_addr(&c.listen[1], "::@53");
	cr_expect(eq(str, c.user, ""));
	cr_expect(eq(str, c.database_path, "/var/lib/axfarm"));
	cr_expect(eq(u64, c.database_size_bytes, 0));
	cr_expect(eq(str, c.socket_path, "/run/axfarm/axfarm.sock"));
	cr_expect(eq(int, c.log_level, LEVEL_INFO));
	cr_expect(eq(int, c.log_format, EVENT_FORMAT_TEXT));
	cr_expect(eq(sz, c.zone_count, 0));
	config_fini(&c);
}

TEST(config, reads_json)
{
	struct config c;

	load_good("{\"server\": {\"listen\": [\"127.0.0.1@5300\"], \"workers\": 3},\n"
	          " \"primaries\": [{\"name\": \"p\", \"addresses\": [\"192.0.2.1\"]}],\n"
	          " \"zones\": [{\"name\": \"a.example\", \"primaries\": [\"p\"]}]}\n",
	          &c);
	cr_expect(eq(uint, c.workers, 3));
	cr_expect(eq(sz, c.zone_count, 1));
	config_fini(&c);
}

TEST(config, forgets_its_zones_and_nothing_else)
{
	struct config c;
	struct name_buf name;
	size_t at;

	load_good("primaries: [{name: p, addresses: [192.0.2.1]}]\n"
	          "zones: [{name: a.example, primaries: [p]}]\n",
	          &c);
	cr_assert(eq(int, name_parse(bytes_str("a.example."), NULL, &name), ERR_OK));
	cr_expect(config_zone_find(&c, name_of(&name), &at));
	config_forget_zones(&c);
	cr_expect(not(config_zone_find(&c, name_of(&name), &at)));
	cr_expect(eq(sz, c.zone_count, 0));
	cr_expect(eq(sz, c.primary_count, 1));
	config_fini(&c);
}

TEST(config, takes_sections_in_any_order)
{
	struct config c;

	load_good("zones: [{name: a.example, template: t}]\n"
	          "templates: [{name: t, primaries: [p]}]\n"
	          "primaries: [{name: p, addresses: [192.0.2.1], key: k}]\n"
	          "keys: [{name: k, algorithm: hmac-sha1, secret: AAAA}]\n",
	          &c);
	cr_expect(eq(sz, c.zone_count, 1));
	cr_expect(eq(u32, c.primaries[0].key, 0));
	config_fini(&c);
}

TEST(config, names_unknown_sections_and_wrong_kinds)
{
	static const struct error_case cases[] = {
		{ "severs: {}\n", "1: unknown setting \"severs\" (did you mean server?)" },
		{ "\nfoo: 1\n",
		  "2: unknown setting \"foo\"; known are server, database, control, log, keys, "
		  "primaries, templates, zones" },
		{ "server: {}\nserver: {}\n", "2: server: is given twice, first at line 1" },
		{ "server: 5\n",
		  "1: server: a map of settings is expected, such as {listen: ...}" },
		{ "keys: {a: b}\n", "1: keys: a list is expected: [ ... ]" },
		{ "zones: {a: b}\n", "1: zones: a list is expected: [ ... ]" },
		{ "zones: a\n", "1: zones: a list is expected: [ ... ]" },
		{ "zones: [a]\n", "1: zones: a map of settings is expected, such as {name: ...}" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

TEST(config, tells_that_the_file_is_missing)
{
	struct fake_disk disk = { NULL, 0 };
	struct config_errors errors;
	struct config c;

	cr_expect(eq(int, disk_load(&disk, &c, &errors), ERR_CONFIG));
	cr_expect(eq(str, errors.errors[0],
	             "etc/axfarm.yaml: cannot be read: No such file or directory"));
}

TEST(config, tells_ten_errors_and_that_there_are_more)
{
	struct config_errors errors;
	struct config c;

	cr_expect(eq(int,
	             text_load("{a1: , a2: , a3: , a4: , a5: , a6: , a7: , a8: , a9: , b1: , b2: }",
	                       &c, &errors),
	             ERR_CONFIG));
	cr_expect(eq(sz, errors.error_count, 10));
	cr_expect(errors.more);
}

TEST(config, fini_of_nothing_is_nothing)
{
	struct config c = { 0 };

	config_fini(&c);
	config_fini(&c);
}
