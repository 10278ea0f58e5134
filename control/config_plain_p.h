/* SPDX-License-Identifier: MIT
 *
 * control/config_plain_p.h — entries of the list of zones that need no YAML.
 *
 * plain_find() looks for runs of entries that differ in their names alone, and makes a text for
 * libyaml in which all of a run but the first and the last entry is blank. Whoever reads that text asks
 * plain_next() at each entry, and reads the rest of the run with plain_each() after it.
 *
 * Ownership: runs are views of the text that was looked through. */
#pragma once

#include "base/bytes.h"

struct plain_run {
	uint32_t line;  /* of its first entry */
	uint32_t lines; /* of each entry */
	uint32_t count; /* of entries made blank */
	const char *from;
	const char *to;
	struct bytes head;
	struct bytes tail;
};

struct plain {
	struct plain_run *runs;
	size_t run_count;
	size_t run_cap;
	size_t run_next;
	char *reduced;
	size_t reduced_len;
};

/* False if there is no such run; fini in any case. */
bool plain_find(struct plain *p, struct bytes text);

/* The run whose first entry stands on this line, if it is the next. */
bool plain_next(struct plain *p, uint32_t line, const struct plain_run **out);

void plain_each(const struct plain_run *run, void *self,
                void (*name_fn)(void *self, uint32_t line, struct bytes name));

/* Every run was met. */
bool plain_all_read(const struct plain *p);
void plain_fini(struct plain *p);
