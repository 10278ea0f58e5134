/* SPDX-License-Identifier: MIT
 *
 * ring/uring.h — struct io on the kernel's io_uring. */
#pragma once

#include "ring/io.h"

struct uring_options {
	const struct env *env;
	unsigned entries;    /* submission queue; 0: 4096 */
	unsigned buffers;    /* receive buffers of the ring, a power of two; 0: 256 */
	unsigned buffer_len; /* octets each; 0: 16 KiB */
	unsigned mails_max;  /* 0: IO_MAILS_MAX */
	struct io_hooks hooks;
};

/* Makes a ring. To be called on the thread that will run it. On failure `why` (of `why_cap` octets)
 * has one sentence that names the setting to change (kernel.io_uring_disabled, seccomp, ulimit -l).
 */
MUST_USE enum err uring_new(const struct uring_options *options, struct io **out, char *why,
                            size_t why_cap);

/* Says whether this kernel and its settings allow what uring_new() needs, without keeping anything.
 */
MUST_USE enum err uring_probe(char *why, size_t why_cap);
