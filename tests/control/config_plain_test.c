/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_plain_test.c — long lists of zones say the same with and without YAML. */
#include "control/config_p.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"

#define HEAD                                                                                       \
	"primaries: [{name: p, addresses: [192.0.2.1]}]\n"                                         \
	"templates: [{name: t, primaries: [p]}, {name: u, primaries: [p], allow-notify: "          \
	"[192.0.2.9]}]\n"
#define TEXT_MAX 65536

/* A text that grows. */
struct draft {
	char text[TEXT_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void put(struct draft *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	d->len += (size_t)vsnprintf(d->text + d->len, TEXT_MAX - d->len, format, args);
	va_end(args);
	cr_assert(lt(sz, d->len, TEXT_MAX));
}

struct loaded {
	enum err err;
	struct config c;
	struct config_errors errors;
};

static enum err text_read(void *self, const char *path, struct config_file *out, const char **why)
{
	size_t len = strlen(self);

	(void)path;
	(void)why;
	*out = (struct config_file){ .text = mem_new(len + 1), .len = len };
	memcpy(out->text, self, len + 1);
	return ERR_OK;
}

static struct config_host host_of(struct draft *d)
{
	return (struct config_host){ .env = env_system(), .self = d->text, .read_fn = text_read };
}

static void load(struct draft *d, bool plain_allowed, struct loaded *out)
{
	struct config_host host = host_of(d);

	*out = (struct loaded){ 0 };
	out->err = config_load_once(&host, "axfarm.yaml", plain_allowed, &out->c, &out->errors);
}

/* Both ways give the same zones; whatever is wrong is found without YAML to be read with it. Returns
 * whether all was read in the short way. */
static bool same_both_ways(struct draft *d)
{
	const char *text = d->text;
	struct loaded *plain = mem_new(sizeof(*plain));
	struct loaded *yaml = mem_new(sizeof(*yaml));
	bool fast;

	load(d, true, plain);
	load(d, false, yaml);
	fast = plain->err == ERR_OK;
	cr_expect(ne(int, yaml->err, ERR_BUSY));
	if (yaml->err != ERR_OK) {
		cr_expect(ne(int, plain->err, ERR_OK), "%.300s", text);
	} else if (plain->err == ERR_OK) {
		cr_assert(eq(sz, plain->c.zone_count, yaml->c.zone_count), "%.2000s", text);
		cr_assert(eq(sz, plain->c.settings_count, yaml->c.settings_count));
		for (size_t i = 0; i < yaml->c.zone_count; i++) {
			cr_assert(name_equal(config_zone_name(&plain->c, i),
			                     config_zone_name(&yaml->c, i)),
			          "zone %zu of %.2000s", i, text);
			cr_assert(eq(u32, plain->c.zones[i].settings, yaml->c.zones[i].settings));
		}
	} else {
		cr_expect(eq(int, plain->err, ERR_BUSY));
	}
	config_fini(&plain->c);
	config_fini(&yaml->c);
	free(plain);
	free(yaml);
	return fast;
}

static const char *const entries[] = {
	"  - {name: z%u.example, template: %s}\n",
	"- {name: z%u.example, template: %s}\n",
	"  - {name: \"z%u.example.\", template: %s}\n",
	"  - {\"name\": \"z%u.example\", \"template\": \"%s\"}\n",
	"  - name: z%u.example\n    template: %s\n",
	"- name: z%u.example\n  template: %s\n",
};

TEST(config_plain, reads_every_form)
{
	for (size_t form = 0; form < ARRAY_LEN(entries); form++) {
		struct draft d = { .len = 0 };

		put(&d, HEAD "zones:\n");
		for (unsigned i = 0; i < 100; i++) {
			put(&d, entries[form], i, i < 60 ? "t" : "u");
		}
		put(&d, "log: {level: debug}\n");
		cr_expect(same_both_ways(&d), "form %zu", form);
	}
}

TEST(config_plain, reads_json)
{
	struct draft d = { .len = 0 };

	put(&d, "{\"primaries\": [{\"name\": \"p\", \"addresses\": [\"192.0.2.1\"]}],\n"
	        "\"templates\": [{\"name\": \"t\", \"primaries\": [\"p\"]}],\n\"zones\": [\n");
	for (unsigned i = 0; i < 100; i++) {
		put(&d, " {\"name\": \"z%u.example\", \"template\": \"t\"}%s\n", i,
		    i < 99 ? "," : "");
	}
	put(&d, "]}\n");
	cr_expect(same_both_ways(&d));
}

/* What stands below the last entry of a run belongs to it, not to the first. */
TEST(config_plain, leaves_settings_where_they_are)
{
	for (unsigned at = 0; at < 30; at++) {
		struct draft d = { .len = 0 };

		put(&d, HEAD "zones:\n");
		for (unsigned i = 0; i < 30; i++) {
			put(&d, "  - name: z%u.example\n    template: t\n", i);
			if (i == at) {
				put(&d, "    limits: {max-refresh: 10m}\n");
			}
		}
		cr_expect(same_both_ways(&d), "at %u", at);
	}
}

/* Each of these lines, anywhere in a run, or a list elsewhere. */
static const char *const strange[] = {
	"  - {name: z5.example, template: t}\n", /* again */
	"  - {name: -bad-, template: t}\n",
	"  - {name: null, template: t}\n",
	"  - {name: ~, template: t}\n",
	"  - {name: a..b, template: t}\n",
	"  - {name: x.example, template: none}\n",
	"  - {name: x.example, template: u}\n",
	"  - {name: x.example, template: t} # why\n",
	"  - {name: x.example, template: t, limits: {idle-time: 5s}}\n",
	"  - {name: x.example, template: t\n",
	"  - {name: x.example,\n     template: t}\n",
	"   - {name: x.example, template: t}\n",
	" - {name: x.example, template: t}\n",
	"  - {name: x.example, primaries: [p]}\n",
	"  - {name: \"x.example\n",
	"  - [{name: x.example, template: t}]\n",
	"  - |\n",
	"  -\n",
	"  # nothing\n",
	"\n",
	"\r\n",
	"\t\n",
	"---\n",
	"...\n",
	"zones:\n",
	"log:\n",
	"other: |\n",
	"log: {level: \"\n",
	"  - {name: &a x.example, template: t}\n",
	"  - &a {name: x.example, template: t}\n",
	"  - *a\n",
};

static void put_run(struct draft *d, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		put(d, "  - {name: z%u.example, template: t}\n", i);
	}
}

TEST(config_plain, says_what_yaml_says)
{
	for (size_t s = 0; s < ARRAY_LEN(strange); s++) {
		for (unsigned at = 0; at <= 24; at++) {
			struct draft d = { .len = 0 };

			put(&d, HEAD "zones:\n");
			put_run(&d, 0, at);
			put(&d, "%s", strange[s]);
			put_run(&d, at, 24);
			same_both_ways(&d);
		}
	}
}

/* Lines of all kinds in any order. */
TEST(config_plain, says_what_yaml_says_of_anything)
{
	struct env_fake env;

	env_fake_init(&env, 20260101);
	for (unsigned round = 0; round < 2000; round++) {
		struct draft d = { .len = 0 };
		unsigned number = 0;

		put(&d, HEAD "%s", env_random_u32(&env.env) % 8 == 0 ? "" : "zones:\n");
		for (unsigned part = 0; part < 4; part++) {
			unsigned form = env_random_u32(&env.env) % ARRAY_LEN(entries);
			unsigned count = env_random_u32(&env.env) % 14;

			form = env_random_u32(&env.env) % 4 == 0 ? form : 0;
			for (unsigned i = 0; i < count; i++) {
				put(&d, entries[form], number++, part % 2 == 0 ? "t" : "u");
			}
			if (env_random_u32(&env.env) % 3 == 0) {
				put(&d, "%s",
				    strange[env_random_u32(&env.env) % ARRAY_LEN(strange)]);
			}
		}
		same_both_ways(&d);
	}
}

/* Errors in a long list have the lines that they stand on. */
TEST(config_plain, keeps_the_lines_of_errors)
{
	struct draft d = { .len = 0 };
	struct config_host host = host_of(&d);
	struct config_errors *errors = mem_new(sizeof(*errors));
	struct config c = { 0 };

	put(&d, HEAD "zones:\n");
	for (unsigned i = 0; i < 100; i++) {
		put(&d, "  - {name: z%u.example, template: t}\n", i == 70 ? 20 : i);
	}
	cr_expect(eq(int, config_load_from(&host, "axfarm.yaml", &c, errors), ERR_CONFIG));
	cr_assert(eq(sz, errors->error_count, 1));
	cr_expect(strstr(errors->errors[0], "axfarm.yaml:74") != NULL, "%s", errors->errors[0]);
	cr_expect(strstr(errors->errors[0], ":24") != NULL, "%s", errors->errors[0]);
	free(errors);
}
