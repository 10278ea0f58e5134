/* SPDX-License-Identifier: MIT
 *
 * bench/figures.h — what a benchmark measured: rows on the screen, and the same as JSON. */
#pragma once

#include <stddef.h>

#define FIGURES_MAX 64

struct figure {
	char what[64];
	const char *unit;
	double value;
	double at_most; /* 0: nothing was promised */
};

struct figures {
	struct figure at[FIGURES_MAX];
	size_t count;
};

/* Prints the row and keeps it. Aborts beyond FIGURES_MAX. */
void figure(struct figures *f, const char *what, double value, const char *unit, double at_most);

/* Writes them to a file; false if that failed. */
int figures_write(const struct figures *f, const char *benchmark, const char *path);
