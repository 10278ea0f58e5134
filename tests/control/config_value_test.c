/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_value_test.c — numbers, sizes, times, words and addresses. */
#include "control/config.h"

#include "tests/control/config_fixture.h"
#include "tests/test.h"

TEST(config_value, reads_sizes_and_times)
{
	static const struct {
		const char *text;
		uint64_t bytes;
		uint32_t seconds;
	} cases[] = {
		{ "transfer-bytes: 2048, idle-time: 1", 2048, 1 },
		{ "transfer-bytes: 64K, idle-time: 30s", 65536, 30 },
		{ "transfer-bytes: 64M, idle-time: 5m", 64 << 20, 300 },
		{ "transfer-bytes: 3G, idle-time: 2h", 3ULL << 30, 7200 },
		{ "transfer-bytes: 1024T, idle-time: 1d", 1ULL << 50, 86400 },
		{ "transfer-bytes: 1M, idle-time: 1w", 1 << 20, 604800 },
		{ "transfer-bytes: \"1M\", idle-time: 2147483647", 1 << 20, 2147483647 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[256];
		struct config c;

		snprintf(text, sizeof(text),
		         "primaries: [{name: p, addresses: [192.0.2.1]}]\n"
		         "zones: [{name: a, primaries: [p], limits: {%s}}]\n",
		         cases[i].text);
		load_good(text, &c);
		cr_expect(eq(u64, c.settings[0].limits.transfer_bytes, cases[i].bytes), "%s", text);
		cr_expect(eq(u32, c.settings[0].limits.idle_time_s, cases[i].seconds), "%s", text);
		config_fini(&c);
	}
}

TEST(config_value, refuses_what_is_no_number_size_or_time)
{
	static const struct error_case cases[] = {
		{ "server: {workers: two}", "1: server.workers: \"two\" is not a whole number; "
		                            "write a whole number from 0 to "
		                            "256" },
		{ "server: {workers: -1}",
		  "1: server.workers: \"-1\" is not a whole number; write a whole number from 0 to "
		  "256" },
		{ "server: {workers: 1.5}",
		  "1: server.workers: \"1.5\" is not a whole number; write a whole number from 0 "
		  "to 256" },
		{ "server: {workers: 257}",
		  "1: server.workers: \"257\" is too large; write a whole number from 0 to 256" },
		{ "server: {workers: 99999999999999999999999999}",
		  "1: server.workers: \"99999999999999999999999999\" is too large; write a whole "
		  "number from 0 to 256" },
		{ "server: {workers: }",
		  "1: server.workers: has no value; write a whole number from 0 to 256" },
		{ "server: {workers: [1]}",
		  "1: server.workers: is a list; write a whole number from 0 to 256" },
		{ "server: {workers: {a: 1}}",
		  "1: server.workers: is a map; write a whole number from 0 to 256" },
		{ "database: {max-size: 1X}",
		  "1: database.max-size: \"1X\" is not a size; write octets from 1M to 1024T, such "
		  "as 64M or 1G" },
		{ "database: {max-size: 1MB}", "1: database.max-size: \"1MB\" is not a size; write "
		                               "octets from 1M to 1024T, such "
		                               "as 64M or 1G" },
		{ "database: {max-size: 99999999999T}",
		  "1: database.max-size: \"99999999999T\" is too large; write octets from 1M to "
		  "1024T, such as 64M or 1G" },
		{ "database: {max-size: 1}", "1: database.max-size: \"1\" is too small; write "
		                             "octets from 1M to 1024T, such as "
		                             "64M or 1G" },
		{ "templates: [{name: t, limits: {idle-time: 0}}]",
		  "1: templates.limits.idle-time: \"0\" is too small; write a time from 1s to "
		  "2147483647s, such as 30s, 5m, 2h or 1d" },
		{ "templates: [{name: t, limits: {idle-time: 1 h}}]",
		  "1: templates.limits.idle-time: \"1 h\" is not a time; write a time from 1s to "
		  "2147483647s, such as 30s, 5m, 2h or 1d" },
		{ "templates: [{name: t, limits: {idle-time: soon}}]",
		  "1: templates.limits.idle-time: \"soon\" is not a time; write a time from 1s to "
		  "2147483647s, such as 30s, 5m, 2h or 1d" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

TEST(config_value, refuses_what_is_no_address_word_or_choice)
{
	static const struct error_case cases[] = {
		{ "server: {listen: [192.0.2.1@0]}",
		  "1: server.listen: \"192.0.2.1@0\" is not an address; write 192.0.2.1, "
		  "192.0.2.1@5300 or \"2001:db8::1@5300\" (ports are 1 to 65535)" },
		{ "server: {listen: [\"192.0.2.1:53\"]}",
		  "1: server.listen: \"192.0.2.1:53\" is not an address; write 192.0.2.1, "
		  "192.0.2.1@5300 or \"2001:db8::1@5300\"" },
		{ "server: {listen: [localhost]}",
		  "1: server.listen: \"localhost\" is not an address; write 192.0.2.1, "
		  "192.0.2.1@5300 or \"2001:db8::1@5300\"" },
		{ "server: {listen: [192.0.2.1@65536]}",
		  "1: server.listen: \"192.0.2.1@65536\" is not an address; write 192.0.2.1, "
		  "192.0.2.1@5300 or \"2001:db8::1@5300\"" },
		{ "server:\n  listen:\n    - 2001:db8::\n",
		  "3: server.listen: is a map; write 192.0.2.1, 192.0.2.1@5300 or "
		  "\"2001:db8::1@5300\" (an IPv6 address needs its quotes)" },
		{ "server: {user: a b}", "1: server.user: \"a b\" cannot be used here; write 1 to "
		                         "32 letters, digits, '-', "
		                         "'_' or '.'" },
		{ "server: {user: \"a\\tb\"}", "1: server.user: \"a?b\" cannot be used here; write "
		                               "1 to 32 letters, digits, '-', "
		                               "'_' or '.'" },
		{ "server: {user: \"a\\0b\"}",
		  "1: server.user: holds a NUL character; write 1 to 32 letters, digits, '-', '_' "
		  "or '.'" },
		{ "log: {level: loud}",
		  "1: log.level: \"loud\" is not known; write error, warning, info or debug" },
		{ "log: {format: xml}", "1: log.format: \"xml\" is not known; write text or json" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}
