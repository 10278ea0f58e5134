/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_written_p.h — octets that transactions gave to write(), as the system counts them for
 * the thread that runs them.
 *
 * Ownership: init/fini. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct lmdb_written {
	uint64_t bytes; /* by all transactions; 0 where the system does not count */
	uint64_t last;  /* what the thread had written then */
	pid_t thread;   /* whose count `fd` reads */
	int fd;         /* -1: none is open */
};

void lmdb_written_init(struct lmdb_written *w);
void lmdb_written_fini(struct lmdb_written *w);
void lmdb_written_begin(struct lmdb_written *w); /* a transaction begins */
void lmdb_written_look(struct lmdb_written *w);  /* it was committed */
