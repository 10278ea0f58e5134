/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_server_test.c — the sections server, database, control and log. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

TEST(config_server, paths_are_relative_to_the_file)
{
	struct config c;

	load_good("database: {path: db, max-size: 10G}\ncontrol: {socket: run/sock}\n"
	          "log: {level: debug, format: json}\n",
	          &c);
	cr_expect(eq(str, c.database_path, "etc/db"));
	cr_expect(eq(u64, c.database_size_bytes, 10ULL << 30));
	cr_expect(eq(str, c.socket_path, "etc/run/sock"));
	cr_expect(eq(int, c.log_level, LEVEL_DEBUG));
	cr_expect(eq(int, c.log_format, EVENT_FORMAT_JSON));
	config_fini(&c);
}

TEST(config_server, reads_the_rates_of_notify)
{
	struct config c;

	load_good("zones: []", &c);
	cr_expect(eq(u32, c.notify_rate, 10000));
	cr_expect(eq(u32, c.notify_in_rate, 100000));
	cr_expect(eq(u32, c.notify_refused_rate, 50));
	config_fini(&c);
	load_good("server: {notify-rate: 0, notify-in-rate: 20, notify-refused-rate: 100000000}",
	          &c);
	cr_expect(eq(u32, c.notify_rate, 0));
	cr_expect(eq(u32, c.notify_in_rate, 20));
	cr_expect(eq(u32, c.notify_refused_rate, 100000000));
	config_fini(&c);
}

TEST(config_server, refuses_bad_lists_and_paths)
{
	static const struct error_case cases[] = {
		{ "server: {listen: []}", "1: server.listen: has 0 addresses; list 1 to 256" },
		{ "server: {listen: 127.0.0.1}", "1: server.listen: a list is expected: [ ... ]" },
		{ "server: {listen: [127.0.0.1, 127.0.0.1@53]}",
		  "1: server.listen: 127.0.0.1@53 is listed twice" },
		{ "server: {worker: 1}",
		  "1: server: unknown setting \"worker\" (did you mean workers?)" },
		{ "server: {notify-rate: 100000001}", "1: server.notify-rate: \"100000001\" is too "
		                                      "large; write a whole number from 0 to "
		                                      "100000000" },
		{ "database: {path: }", "1: database.path: has no value; write a path" },
		{ "control: {socket: /xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}",
		  "1: control.socket: the path is longer than 107 octets" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}
