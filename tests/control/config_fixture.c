/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_fixture.c — configurations out of strings. */
#include "tests/control/config_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static enum err disk_read(void *self, const char *path, struct config_file *out, const char **why)
{
	const struct fake_disk *disk = self;

	for (size_t i = 0; i < disk->count; i++) {
		const struct fake_file *f = &disk->files[i];

		if (strcmp(f->path, path) == 0) {
			out->text = strdup(f->text);
			out->len = strlen(f->text);
			out->world_readable = f->world_readable;
			return ERR_OK;
		}
	}
	*why = "No such file or directory";
	return ERR_NOT_FOUND;
}

enum err disk_load(const struct fake_disk *disk, struct config *out, struct config_errors *errors)
{
	struct fake_disk copy = *disk;
	struct config_host host = { &copy, env_system(), disk_read };

	return config_load_from(&host, "etc/axfarm.yaml", out, errors);
}

enum err text_load(const char *text, struct config *out, struct config_errors *errors)
{
	struct fake_file file = { "etc/axfarm.yaml", text, false };
	struct fake_disk disk = { &file, 1 };

	return disk_load(&disk, out, errors);
}

void expect_errors(const struct error_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct config_errors errors;
		struct config c = { 0 };
		enum err e = text_load(cases[i].text, &c, &errors);
		char want[CONFIG_MESSAGE_MAX];

		snprintf(want, sizeof(want), "etc/axfarm.yaml:%s", cases[i].error);
		cr_expect(eq(int, e, ERR_CONFIG), "%s", cases[i].text);
		cr_expect(eq(str, errors.errors[0], want), "%s", cases[i].text);
		if (e == ERR_OK) {
			config_fini(&c);
		}
	}
}

void load_good(const char *text, struct config *out)
{
	struct config_errors errors;
	enum err e = text_load(text, out, &errors);

	cr_assert(eq(int, e, ERR_OK), "%s", errors.errors[0]);
}
