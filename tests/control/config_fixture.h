/* SPDX-License-Identifier: MIT
 *
 * tests/control/config_fixture.h — configurations out of strings, and tables of what is said about
 * them. */
#pragma once

#include "control/config.h"

/* A disk in memory. */
struct fake_file {
	const char *path;
	const char *text;
	bool world_readable;
};

struct fake_disk {
	const struct fake_file *files;
	size_t count;
};

/* Loads "etc/axfarm.yaml" of the disk. */
MUST_USE enum err disk_load(const struct fake_disk *disk, struct config *out,
                            struct config_errors *errors);

/* Loads a text as etc/axfarm.yaml of an otherwise empty disk. */
MUST_USE enum err text_load(const char *text, struct config *out, struct config_errors *errors);

/* A text, and the first error about it without the path ("etc/axfarm.yaml:") before the line. */
struct error_case {
	const char *text;
	const char *error;
};

/* Expects each text to fail with just this first error. */
void expect_errors(const struct error_case *cases, size_t count);

/* Loads a text that has to be right. */
void load_good(const char *text, struct config *out);
