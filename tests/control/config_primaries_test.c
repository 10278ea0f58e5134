/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_primaries_test.c — the section primaries. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

TEST(config_primaries, reads_sources_of_both_families)
{
	struct config c;

	load_good("primaries:\n"
	          "- {name: a, addresses: [192.0.2.1, \"2001:db8::1\"],"
	          " source: [192.0.2.9, \"2001:db8::9\"]}\n"
	          "- {name: b, addresses: [192.0.2.1], source: 192.0.2.9}\n",
	          &c);
	cr_assert(eq(sz, c.primary_count, 2));
	cr_expect(eq(uint, c.primaries[0].source4.family, 4));
	cr_expect(eq(uint, c.primaries[0].source6.family, 6));
	cr_expect(eq(uint, c.primaries[1].source4.family, 4));
	cr_expect(eq(uint, c.primaries[1].source6.family, 0));
	cr_expect(eq(uint, c.primaries[1].source4.port, 0));
	config_fini(&c);
}

TEST(config_primaries, reads_what_a_primary_bears)
{
	struct config c;

	load_good("primaries:\n"
	          "- {name: a, addresses: [192.0.2.1], max-connections: 2, max-transfers: 100,"
	          " queries-per-second: 50}\n"
	          "- {name: b, addresses: [192.0.2.2]}\n",
	          &c);
	cr_expect(eq(u32, c.primaries[0].max_connections, 2));
	cr_expect(eq(u32, c.primaries[0].max_transfers, 100));
	cr_expect(eq(u32, c.primaries[0].queries_per_s, 50));
	cr_expect(eq(u32, c.primaries[1].max_connections, 0));
	cr_expect(eq(u32, c.primaries[1].max_transfers, 0));
	cr_expect(eq(u32, c.primaries[1].queries_per_s, 0));
	config_fini(&c);
}

TEST(config_primaries, refuses_bad_primaries)
{
	static const struct error_case cases[] = {
		{ "primaries: [{addresses: [192.0.2.1]}]", "1: primaries: a primary needs a name" },
		{ "primaries: [{name: p}]", "1: primaries: a primary needs addresses" },
		{ "primaries: [{name: p, addresses: []}]",
		  "1: primaries.addresses: has 0 addresses; list 1 to 64" },
		{ "primaries:\n- {name: p, addresses: [192.0.2.1]}\n"
		  "- {name: p, addresses: [192.0.2.2]}\n",
		  "3: primaries: a second primary with the name p" },
		{ "primaries: [{name: p, addresses: [192.0.2.1], source: 192.0.2.9@53}]",
		  "1: primaries.source: \"192.0.2.9@53\" is not an address; write 192.0.2.1 or "
		  "\"2001:db8::1\" (no port)" },
		{ "primaries: [{name: p, addresses: [192.0.2.1], source: [192.0.2.8, 192.0.2.9]}]",
		  "1: primaries.source: a second source for IPv4" },
		{ "primaries: [{name: p, address: [192.0.2.1]}]",
		  "1: primaries: unknown setting \"address\" (did you mean addresses?)" },
		{ "primaries: [{name: idc, addresses: [192.0.2.1]}]\n"
		  "templates: [{name: t, primaries: [idcc]}]",
		  "2: templates.primaries: there is no primary \"idcc\" in the section primaries "
		  "(did you mean idc?)" },
		{ "primaries: [{name: p, addresses: [192.0.2.1], max-connections: 0}]",
		  "1: primaries.max-connections: \"0\" is too small; write a whole "
		  "number from 1 to 1024" },
		{ "primaries: [{name: p, addresses: [192.0.2.1], queries-per-second: many}]",
		  "1: primaries.queries-per-second: \"many\" is not a whole number; write "
		  "a whole number from 1 to 1000000" },
		{ "templates: [{name: t, primaries: [192.0.2.1]}]",
		  "1: templates.primaries: there is no primary \"192.0.2.1\" in the section "
		  "primaries" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}
