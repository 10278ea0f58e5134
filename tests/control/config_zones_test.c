/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_zones_test.c — zones in the configuration and in files. */
#include "control/config.h"

#include <string.h>

#include "tests/control/config_fixture.h"
#include "tests/test.h"

#define BEGIN                                                                                      \
	"primaries: [{name: p, addresses: [192.0.2.1]}]\ntemplates: [{name: t, primaries: [p]}]\n"

TEST(config_zones, refuses_bad_zones)
{
	static const struct error_case cases[] = {
		{ BEGIN "zones:\n- {name: a}\n",
		  "4: zones: the zone has no primaries, and neither has it a template" },
		{ "templates: [{name: t}]\nzones: [{name: a, template: t}]",
		  "2: zones: the zone has no primaries, and neither has its template" },
		{ BEGIN "zones: [{template: t}]",
		  "3: zones: a zone needs a name, a list of zones a file: here is neither" },
		{ BEGIN "zones: [{template: t, name: a, file: b}]",
		  "3: zones: a zone needs a name, a list of zones a file: here are both" },
		{ BEGIN "zones:\n- {name: a.example, template: t}\n- {name: b, template: t}\n"
		        "- {name: A.EXAMPLE., template: t}\n",
		  "6: zones.name: zone A.EXAMPLE. is listed twice, first at etc/axfarm.yaml:4" },
		{ BEGIN "zones: [{name: \"@\", template: t}]",
		  "3: zones.name: \"@\" is not a domain name: labels have 1 to 63 octets, names at "
		  "most 255" },
		{ BEGIN "zones: [{name: a..b, template: t}]",
		  "3: zones.name: \"a..b\" is not a domain name: labels have 1 to 63 octets, names "
		  "at most 255" },
		{ BEGIN "zones: [{name: b\xc3\xbc.example, template: t}]",
		  "3: zones.name: \"b\xc3\xbc.example\" has characters beyond ASCII; write its "
		  "A-labels (xn--...)" },
		{ BEGIN "zones: [{name: a b, template: t}]",
		  "3: zones.name: \"a b\" is not a domain name: it holds a space" },
		{ BEGIN "zones: [{file: zones.txt, template: t}]",
		  "3: zones.file: cannot read etc/zones.txt: No such file or directory" },
		{ BEGIN "zones: [{name: a, templat: t}]",
		  "3: zones: unknown setting \"templat\" (did you mean template?)" },
	};

	expect_errors(cases, ARRAY_LEN(cases));
}

static enum err list_load(const char *list, struct config *out, struct config_errors *errors)
{
	struct fake_file files[] = {
		{ "etc/axfarm.yaml",
		  BEGIN
		  "zones: [{name: first.example, template: t}, {file: zones.txt, template: t}]",
		  false },
		{ "etc/zones.txt", list, true },
	};
	struct fake_disk disk = { files, ARRAY_LEN(files) };

	return disk_load(&disk, out, errors);
}

TEST(config_zones, files_have_one_name_a_line)
{
	static const struct {
		const char *text;
		size_t zones; /* besides the first */
		const char *error;
	} cases[] = {
		{ "", 0, NULL },
		{ "a.example\nb.example", 2, NULL },
		{ "\xef\xbb\xbf"
		  "a.example\r\n\r\n  b.example.\t# why\n#c.example\n",
		  2, NULL },
		{ "a.example b.example\n", 0,
		  "etc/zones.txt:1: zones.file: \"a.example b.example\" is not a domain name: it "
		  "holds a space" },
		{ "a.example\n\nA.example.\n", 0,
		  "etc/zones.txt:3: zones.file: zone A.example. is listed twice, first at "
		  "etc/zones.txt:1" },
		{ "a\nfirst.example\n", 0,
		  "etc/zones.txt:2: zones.file: zone first.example. is listed twice, first at "
		  "etc/axfarm.yaml:3" },
		{ "a\n..\n", 0,
		  "etc/zones.txt:2: zones.file: \"..\" is not a domain name: labels have 1 to 63 "
		  "octets, names at most 255" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_errors errors;
		struct config c = { 0 };
		enum err e = list_load(cases[i].text, &c, &errors);

		cr_expect(eq(int, e, cases[i].error == NULL ? ERR_OK : ERR_CONFIG), "%s",
		          cases[i].text);
		if (cases[i].error != NULL) {
			cr_expect(eq(str, errors.errors[0], (char *)cases[i].error));
		} else {
			cr_expect(eq(sz, c.zone_count, cases[i].zones + 1), "%s", cases[i].text);
			cr_expect(eq(sz, c.settings_count, 1));
			cr_expect(eq(sz, errors.warning_count, 0));
			config_fini(&c);
		}
	}
}

TEST(config_zones, finds_every_one_of_many_and_no_other)
{
	enum { ZONES = 20000 };
	char *list = mem_new(ZONES * 24);
	struct config_errors errors;
	struct config c;
	size_t len = 0, at;

	for (unsigned i = 0; i < ZONES; i++) {
		len += (size_t)snprintf(list + len, 24, "Zone%u.Example\n", i);
	}
	cr_assert(eq(int, list_load(list, &c, &errors), ERR_OK), "%s", errors.errors[0]);
	cr_expect(eq(sz, c.zone_count, ZONES + 1));
	for (unsigned i = 0; i < ZONES + 10; i++) {
		char text[24];
		struct name_buf name;
		bool found;

		snprintf(text, sizeof(text), "zONE%u.eXAMPLE.", i);
		cr_assert(eq(int, name_parse(bytes_str(text), NULL, &name), ERR_OK));
		found = config_zone_find(&c, name_of(&name), &at);
		cr_assert(found == (i < ZONES), "%s", text);
		cr_assert(eq(sz, found ? at : i + 1, i + 1));
	}
	config_fini(&c);
	free(list);
}
