/* SPDX-License-Identifier: MIT
 *
 * ring/uring.h — struct io on the kernel's io_uring (Linux 6.1 or newer). */
#pragma once

#include "ring/io.h"

struct uring_options {
	const struct env *env;
	unsigned entries;    /* submission queue; 0: 2048 */
	unsigned buffers;    /* receive buffers of the ring, a power of two; 0: 128 */
	unsigned buffer_len; /* octets each; 0: 16 KiB */
	unsigned
		datagrams; /* datagrams in each direction at once, a power of two; 0: 512 out, 128 in */
	unsigned mails_max; /* 0: IO_MAILS_MAX */
	struct io_hooks hooks;
};

/* What the ring got, and what it has counted. */
struct uring_info {
	unsigned entries;
	unsigned buffers;
	unsigned datagrams;
	bool reduced;         /* less than asked for: `ulimit -l` is too small */
	uint64_t turns;       /* turns run */
	uint64_t sleeps;      /* turns that waited for the kernel */
	uint64_t completions; /* completions seen */
	uint64_t starved;     /* receives that found no buffer and were armed again */
	uint64_t pauses; /* accepts and UDP receives that paused for lack of kernel resources */
	uint64_t datagrams_long;  /* received and dropped: longer than IO_DATAGRAM_MAX_LEN */
	uint64_t datagrams_busy;  /* not sent: too many under way */
	uint64_t datagrams_error; /* not sent: the kernel refused */
};

/* Makes a ring. To be called on the thread that will run and free it. On failure `why` (of
 * `why_cap` octets) has one sentence that names the setting to change (kernel.io_uring_disabled,
 * seccomp, ulimit -l). */
MUST_USE enum err uring_new(const struct uring_options *options, struct io **out, char *why,
                            size_t why_cap);

/* Says whether this kernel and its settings allow what uring_new() needs, without keeping anything.
 */
MUST_USE enum err uring_probe(char *why, size_t why_cap);

/* Says whether `at` can be listened on, and nobody does yet, over TCP or UDP; `why` is the system's
 * reason if not, and ERR_BUSY says that somebody does. io_listen() would not notice another process of the same user: its sockets share
 * their address. */
MUST_USE enum err uring_probe_address(const struct addr *at, char *why, size_t why_cap);

/* The thread of the ring only. */
struct uring_info uring_info(const struct io *io);
