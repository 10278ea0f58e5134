/* SPDX-License-Identifier: MIT
 *
 * tests/control/ctl_table_test.c — tables, spans and sizes for people. */
#include <stdlib.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

TEST(ctl_table, tells_times_as_people_do)
{
	static const struct {
		const char *at;
		const char *want;
	} cases[] = {
		{ "2027-01-15T08:00:00Z", "0 s ago" },
		{ "2027-01-15T07:59:57Z", "3 s ago" },
		{ "2027-01-15T08:01:59Z", "in 119 s" },
		{ "2027-01-15T08:42:10Z", "in 42 min" },
		{ "2027-01-15T10:30:00Z", "in 2 h" },
		{ "2027-01-10T08:00:00Z", "5 d ago" },
		{ "", "-" },
		{ "yesterday", "-" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CTL_TIME_MAX];

		cr_expect(eq(str, (char *)time_relative(cases[i].at, FAKE_NOW_S, text),
		             (char *)cases[i].want));
	}
}

TEST(ctl_table, shortens_sizes)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1536, "1.5 KiB" },
		{ 200 << 20, "200 MiB" },
		{ 5ULL << 40, "5.0 TiB" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CTL_TIME_MAX];

		cr_expect(
			eq(str, (char *)number_short(cases[i].bytes, text), (char *)cases[i].want));
	}
}

TEST(ctl_table, aligns_pages_and_prints_heads_once)
{
	static const char *const heads[] = { "NAME", "STATE", "N" };
	static const char *const rows[][3] = { { "a", "ok", "1" },
		                               { "longer", "expired", "12345" },
		                               { "\x1b[2J", "-", "" } };
	struct table t = { .heads = heads, .columns = 3, .right = 1 << 2 };
	struct ctl ctl = { 0 };
	char *text = NULL;
	size_t len = 0;

	ctl.out = open_memstream(&text, &len);
	table_flush(&t, &ctl);
	table_add(&t, rows[0], COLOUR_GOOD);
	table_flush(&t, &ctl);
	table_add(&t, rows[1], COLOUR_BAD);
	table_add(&t, rows[2], COLOUR_NONE);
	ctl.colour = true;
	table_flush(&t, &ctl);
	table_fini(&t);
	fclose(ctl.out);
	cr_expect(eq(str, text,
	             "NAME  STATE  N\n"
	             "a     ok     1\n"
	             "longer  \033[1;31mexpired\033[0m  12345\n"
	             "?[2J    -             \n"));
	free(text);
}
