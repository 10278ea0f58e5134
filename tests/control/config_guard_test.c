/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_guard_test.c — which versions are kept, and which are not served. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

#define BEGIN          "primaries: [{name: p, addresses: [192.0.2.1]}]\n"
#define ZONE(settings) BEGIN "zones: [{name: a, primaries: [p], " settings "}]\n"

TEST(config_guard, has_the_defaults_of_the_manual)
{
	struct config c;
	const struct config_settings *s;

	load_good(ZONE("allow-notify: []"), &c);
	s = &c.settings[0];
	cr_expect(eq(u32, s->history.versions, 20));
	cr_expect(eq(u32, s->history.age_s, 7 * 86400));
	cr_expect(eq(u64, s->history.bytes, 0));
	cr_expect(eq(int, s->guard.no_ns, CONFIG_REFUSE));
	cr_expect(eq(int, s->guard.shrink, CONFIG_HOLD));
	cr_expect(eq(u32, s->guard.shrink_percent, 90));
	cr_expect(eq(u32, s->guard.shrink_records, 1000));
	cr_expect(eq(int, s->guard.zonemd, CONFIG_HOLD));
	cr_expect(eq(int, s->guard.size, CONFIG_REFUSE));
	cr_expect(eq(u32, s->guard.max_records, 0));
	cr_expect(eq(u64, s->guard.max_bytes, 0));
	cr_expect(not(s->follow_lower));
	cr_expect(not(s->newest));
	cr_expect(eq(u32, s->compare_s, 86400));
	config_fini(&c);
}

TEST(config_guard, reads_each_setting_into_its_place)
{
	struct config c;
	const struct config_settings *s;

	load_good(ZONE("history: {versions: 1000, age: 0, bytes: 1M}, "
	               "guard: {no-ns: hold, shrink: refuse, shrink-percent: 50, "
	               "shrink-records: 10, zonemd: off, size: hold, max-records: 7, "
	               "max-bytes: 1K}, on-lower-serial: follow, "
	               "primary-policy: newest, compare-primaries: 2h"),
	          &c);
	s = &c.settings[0];
	cr_expect(eq(u32, s->history.versions, 1000));
	cr_expect(eq(u32, s->history.age_s, 0));
	cr_expect(eq(u64, s->history.bytes, 1 << 20));
	cr_expect(eq(int, s->guard.no_ns, CONFIG_HOLD));
	cr_expect(eq(int, s->guard.shrink, CONFIG_REFUSE));
	cr_expect(eq(u32, s->guard.shrink_percent, 50));
	cr_expect(eq(u32, s->guard.shrink_records, 10));
	cr_expect(eq(int, s->guard.zonemd, CONFIG_OFF));
	cr_expect(eq(int, s->guard.size, CONFIG_HOLD));
	cr_expect(eq(u32, s->guard.max_records, 7));
	cr_expect(eq(u64, s->guard.max_bytes, 1024));
	cr_expect(s->follow_lower);
	cr_expect(s->newest);
	cr_expect(eq(u32, s->compare_s, 7200));
	config_fini(&c);
}

TEST(config_guard, reads_auto_and_no_versions_at_all)
{
	struct config c;

	load_good(ZONE("history: {versions: 0, bytes: auto}, on-lower-serial: ignore, "
	               "primary-policy: ordered, compare-primaries: off"),
	          &c);
	cr_expect(eq(u32, c.settings[0].compare_s, 0));
	cr_expect(not(c.settings[0].newest));
	cr_expect(eq(u32, c.settings[0].history.versions, 0));
	cr_expect(eq(u64, c.settings[0].history.bytes, 0));
	cr_expect(not(c.settings[0].follow_lower));
	config_fini(&c);
}

TEST(config_guard, refuses_what_is_not_known)
{
	static const struct error_case cases[] = {
		{ ZONE("history: 20"),
		  "2: zones.history: a map of settings is expected, such as {versions: ...}" },
		{ ZONE("history: {versions: 1001}"), "2: zones.history.versions: \"1001\" is too "
		                                     "large; write a whole number from 0 to "
		                                     "1000" },
		{ ZONE("history: {version: 5}"),
		  "2: zones.history: unknown setting \"version\" (did you mean versions?)" },
		{ ZONE("history: {age: soon}"),
		  "2: zones.history.age: \"soon\" is not a time; write a time from 0s to "
		  "2147483647s, such as 30s, 5m, 2h or 1d" },
		{ ZONE("history: {bytes: all}"), "2: zones.history.bytes: \"all\" is not a size; "
		                                 "write auto, or octets such as 64M" },
		{ ZONE("history: {bytes: 5}"),
		  "2: zones.history.bytes: \"5\" is too small; write octets from 1K to 1024T, such "
		  "as 64M or 1G" },
		{ ZONE("history: {bytes: [5]}"), "2: zones.history.bytes: is a list; write octets "
		                                 "from 1K to 1024T, such as 64M or "
		                                 "1G" },
		{ ZONE("guard: {no-ns: off}"),
		  "2: zones.guard.no-ns: \"off\" is not known; write refuse or hold" },
		{ ZONE("guard: {size: off}"),
		  "2: zones.guard.size: \"off\" is not known; write refuse or hold" },
		{ ZONE("guard: {shrink: warn}"),
		  "2: zones.guard.shrink: \"warn\" is not known; write refuse, hold or off" },
		{ ZONE("guard: {shrink-percent: 100}"), "2: zones.guard.shrink-percent: \"100\" is "
		                                        "too large; write a whole number from 1 "
		                                        "to 99" },
		{ ZONE("guard: {shrink-percent: 90%}"),
		  "2: zones.guard.shrink-percent: \"90%\" is not a whole number; write a whole "
		  "number from 1 to 99" },
		{ ZONE("guard: {shrinks: off}"),
		  "2: zones.guard: unknown setting \"shrinks\" (did you mean shrink?)" },
		{ ZONE("guard: {zonemd: }"),
		  "2: zones.guard.zonemd: has no value; write refuse, hold or off" },
		{ ZONE("on-lower-serial: refuse"),
		  "2: zones.on-lower-serial: \"refuse\" is not known; write ignore or follow" },
		{ ZONE("primary-policy: first"),
		  "2: zones.primary-policy: \"first\" is not known; write ordered or newest" },
		{ ZONE("compare-primaries: 0"),
		  "2: zones.compare-primaries: \"0\" is too small; write a time from 1s to "
		  "2147483647s, such as 30s, 5m, 2h or 1d" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}
