/* SPDX-License-Identifier: MIT
 *
 * bench/figures.c — rows and JSON. */
#include "bench/figures.h"

#include <stdio.h>
#include <stdlib.h>

void figure(struct figures *f, const char *what, double value, const char *unit, double at_most)
{
	struct figure *new = &f->at[f->count];
	char text[64] = "";

	if (f->count == FIGURES_MAX) {
		abort();
	}
	f->count++;
	*new = (struct figure){ .unit = unit, .value = value, .at_most = at_most };
	snprintf(new->what, sizeof(new->what), "%s", what);
	if (at_most > 0) {
		snprintf(text, sizeof(text), "at most %.10g%s", at_most,
		         value <= at_most ? "" : "  MISSED");
	}
	printf("%-60s %12.2f %-12s %s\n", what, value, unit, text);
	fflush(stdout);
}

int figures_write(const struct figures *f, const char *benchmark, const char *path)
{
	FILE *out = fopen(path, "w");

	if (out == NULL) {
		return 0;
	}
	fprintf(out, "{\n  \"benchmark\": \"%s\",\n  \"figures\": [\n", benchmark);
	for (size_t i = 0; i < f->count; i++) {
		const struct figure *at = &f->at[i];
		fprintf(out, "    {\"what\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", at->what,
		        at->value, at->unit);
		if (at->at_most > 0) {
			fprintf(out, ", \"at_most\": %.10g, \"met\": %s", at->at_most,
			        at->value <= at->at_most ? "true" : "false");
		}
		fprintf(out, "}%s\n", i + 1 == f->count ? "" : ",");
	}
	fprintf(out, "  ]\n}\n");
	return fclose(out) == 0;
}
