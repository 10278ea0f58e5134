/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_yaml_test.c — YAML as YAML goes. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

TEST(config_yaml, errors_of_syntax_have_a_line)
{
	static const struct error_case cases[] = {
		{ "", "1: the configuration is empty" },
		{ "# nothing\n", "1: the configuration is empty" },
		{ "[a]",
		  "1: the configuration has to be a map of sections: server, database, control, "
		  "log, keys, primaries, templates, zones" },
		{ "server: {}\nlog: [\n",
		  "3: this is not YAML: did not find expected node content while parsing a flow "
		  "node" },
		{ "server: {listen: [127.0.0.1, ::1]}\n",
		  "1: this is not YAML: did not find expected node content while parsing a flow "
		  "node (an IPv6 address needs quotes: \"::1@53\")" },
		{ "server: {}\n\tlog: {}\n",
		  "2: this is not YAML: found character that cannot start any token while "
		  "scanning for the next token" },
		{ "server: \"\\xzz\"\n",
		  "1: this is not YAML: did not find expected hexdecimal number while parsing a "
		  "quoted scalar" },
		{ "server: {}\n---\nlog: {}\n", "2: a second YAML document; one is enough" },
		{ "server: *none\n", "1: no anchor \"none\" stands before this alias" },
		{ "? [a]\n: b\n", "1: the name of a setting is expected here" },
		{ "log: [[[[[[[[[[[]]]]]]]]]]]\n",
		  "1: lists and maps stand in each other too deeply" },
		{ "zones: [[[[[[[[[[[]]]]]]]]]]]\n",
		  "1: lists and maps stand in each other too deeply" },
		{ "~: a\n", "1: a setting without a name" },
		{ "{\"\": a}\n",
		  "1: unknown setting \"\"; known are server, database, control, log, keys, "
		  "primaries, templates, zones" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

TEST(config_yaml, aliases_name_what_stood_before)
{
	struct config c;

	load_good("primaries:\n"
	          "  - {name: p, addresses: &a [192.0.2.1, 192.0.2.2]}\n"
	          "  - {name: q, addresses: *a}\n"
	          "templates:\n"
	          "  - {name: t, primaries: &both [p, q], allow-transfer: &acl [192.0.2.0/24]}\n"
	          "zones:\n"
	          "  - {name: x, primaries: *both}\n"
	          "  - {name: y, template: t, allow-notify: *acl, limits: &limits {idle-time: 3}}\n"
	          "  - {name: z, template: t, limits: *limits}\n",
	          &c);
	cr_expect(eq(sz, c.primaries[1].address_count, 2));
	cr_expect(eq(sz, c.settings[c.zones[0].settings].primary_count, 2));
	cr_expect(eq(sz, c.settings[c.zones[1].settings].allow_notify_count, 1));
	cr_expect(eq(u32, c.settings[c.zones[2].settings].limits.idle_time_s, 3));
	config_fini(&c);
}

/* Lists of aliases of lists of aliases: only what the tables ask for is ever walked. */
TEST(config_yaml, aliases_of_aliases_cost_nothing)
{
	static const struct error_case bomb[] = {
		{ "keys: &a [x, x, x, x, x, x, x, x, x]\n"
		  "primaries: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
		  "templates: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
		  "server: {listen: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]}\n"
		  "log: {level: [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d, *d]}\n",
		  "3: server.listen: is a list; write 192.0.2.1, 192.0.2.1@5300 or "
		  "\"2001:db8::1@5300\"" },
	};

	expect_errors(bomb, 1);
}
