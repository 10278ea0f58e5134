/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_error_test.c — near misses and printed errors. */
#include "control/config_p.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

TEST(config_error, suggests_only_what_is_near)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "primarys", " (did you mean primaries?)" },
		{ "priamries", " (did you mean primaries?)" },
		{ "zone", " (did you mean zones?)" },
		{ "key", " (did you mean keys?)" },
		{ "foo", "" },
		{ "", "" },
		{ "z", "" },
	};
	static const char *const known[] = { "keys", "primaries", "zones", "log" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct suggestion s = { .for_text = cases[i].text };
		char text[CONFIG_QUOTE_MAX];

		for (size_t k = 0; k < ARRAY_LEN(known); k++) {
			suggestion_try(&s, known[k]);
		}
		cr_expect(eq(str, (char *)suggestion_print(&s, text), (char *)cases[i].want));
	}
}

TEST(config_error, quotes_are_cut_and_harmless)
{
	char text[200], out[CONFIG_QUOTE_MAX];

	memset(text, 'x', sizeof(text));
	cr_expect(eq(sz, strlen(quote(text, sizeof(text), out)), CONFIG_QUOTE_MAX - 2));
	cr_expect(eq(str, out + CONFIG_QUOTE_MAX - 6, "...\""));
	cr_expect(eq(str, (char *)quote("a\x1b[2Jb\n", 7, out), "\"a?[2Jb?\""));
	cr_expect(eq(str, (char *)quote("", 0, out), "\"\""));
}

TEST(config_error, prints_a_line_for_each)
{
	struct config_errors errors = { .error_count = 1, .warning_count = 1, .more = true };
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	strcpy(errors.errors[0], "a:1: b");
	strcpy(errors.warnings[0], "c: d");
	config_errors_print(&errors, f);
	fclose(f);
	cr_expect(eq(str, text,
	             "error: a:1: b\nerror: more errors were found; these are the first 10\n"
	             "warning: c: d\n"));
	free(text);
}

TEST(config_error, messages_never_overrun)
{
	struct config_errors errors = { 0 };
	struct config_load *l = mem_zero(1, sizeof(*l));
	char *path = mem_zero(1, 5000), *long_text = mem_zero(1, 5000);

	memset(path, 'p', 4999);
	memset(long_text, 't', 4999);
	l->errors = &errors;
	l->file = path;
	for (size_t i = 0; i < 100; i++) {
		setting_enter(l, "setting");
	}
	load_error(l, UINT32_MAX, "%s", long_text);
	load_warning(l, "%s", long_text);
	cr_expect(eq(sz, strlen(errors.errors[0]), CONFIG_MESSAGE_MAX - 1));
	cr_expect(eq(sz, strlen(errors.warnings[0]), CONFIG_MESSAGE_MAX - 1));
	free(long_text);
	free(path);
	free(l);
}
