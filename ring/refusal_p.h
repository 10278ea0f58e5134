/* SPDX-License-Identifier: MIT
 *
 * ring/refusal_p.h — why there is no ring, in one sentence that names the setting to change. */
#pragma once

#include "ring/io.h"

/* What is known about a ring that was not given. */
struct refusal {
	int errnum;          /* positive */
	int disabled;        /* kernel.io_uring_disabled; -1: no such setting */
	const char *release; /* of the kernel */
	size_t memlock_kib;  /* ulimit -l; SIZE_MAX: unlimited */
};

/* Writes the sentence; returns the error that stands for it. */
enum err refusal_explain(const struct refusal *r, char *why, size_t why_cap);

/* The same, with the facts of this system. */
enum err refusal_now(int errnum, char *why, size_t why_cap);
