/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_templates_test.c — the section templates. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

TEST(config_templates, refuses_bad_templates)
{
	static const struct error_case cases[] = {
		{ "templates: [{primaries: []}]", "1: templates: a template needs a name" },
		{ "templates:\n- {name: t}\n- {name: t}",
		  "3: templates.name: a second template with the name t" },
		{ "templates: [{name: t, template: t}]",
		  "1: templates: unknown setting \"template\"; known are name, primaries, "
		  "allow-notify, allow-transfer, notify, limits, history, guard, on-lower-serial, "
		  "primary-policy, "
		  "compare-primaries" },
		{ "templates: [{name: hosted}]\nzones: [{name: a, template: hostet}]",
		  "2: zones.template: there is no template \"hostet\" (did you mean hosted?)" },
		{ "zones: [{name: a, template: }]",
		  "1: zones.template: has no value; write the name of a template" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

TEST(config_templates, a_template_that_no_zone_uses_may_lack_primaries)
{
	struct config c;

	load_good("templates: [{name: t, limits: {idle-time: 9}}]\n", &c);
	cr_expect(eq(sz, c.settings_count, 0));
	config_fini(&c);
}

TEST(config_templates, a_zone_overrides_one_limit_and_whole_lists)
{
	struct config c;
	const struct config_settings *s;

	load_good("primaries: [{name: p, addresses: [192.0.2.1]}]\n"
	          "templates: [{name: t, primaries: [p], allow-transfer: [192.0.2.1, 192.0.2.2],\n"
	          "             limits: {idle-time: 9, min-retry: 9}}]\n"
	          "zones: [{limits: {idle-time: 5}, allow-transfer: [], name: a, template: t}]\n",
	          &c);
	s = &c.settings[c.zones[0].settings];
	cr_expect(eq(sz, s->primary_count, 1));
	cr_expect(eq(sz, s->allow_transfer_count, 0));
	cr_expect(eq(u32, s->limits.idle_time_s, 5));
	cr_expect(eq(u32, s->limits.min_retry_s, 9));
	config_fini(&c);
}

TEST(config_templates, a_zone_overrides_single_settings_of_history_and_guard)
{
	struct config c;
	const struct config_settings *s;

	load_good(
		"primaries: [{name: p, addresses: [192.0.2.1]}]\n"
		"templates: [{name: t, primaries: [p], history: {versions: 5, age: 1d},\n"
		"             guard: {shrink: refuse, max-records: 7}, on-lower-serial: follow}]\n"
		"zones: [{history: {age: 2d}, guard: {shrink: off}, name: a, template: t}]\n",
		&c);
	s = &c.settings[c.zones[0].settings];
	cr_expect(eq(u32, s->history.versions, 5));
	cr_expect(eq(u32, s->history.age_s, 2 * 86400));
	cr_expect(eq(int, s->guard.shrink, CONFIG_OFF));
	cr_expect(eq(u32, s->guard.max_records, 7));
	cr_expect(s->follow_lower);
	config_fini(&c);
}
