/* SPDX-License-Identifier: MIT
 *
 * tests/ring/world.h — two ends to talk to each other, on either implementation of struct io.
 *
 * On the ring both ends are the same shard and talk over loopback; in the simulator they are two
 * nodes. The cases of io_suite.c know no difference. */
#pragma once

#include "ring/io.h"

struct world {
	struct io *a;     /* runs; the end that connects */
	struct io *b;     /* the end that listens; may be `a` */
	struct addr at;   /* of `b`, with a port of this world's own */
	struct addr from; /* of `a` */
	bool timed_out;
	struct io_timer guard;
};

#define WORLD_LIMIT_NS (20 * NS_PER_S)

/* Runs until world_end(); fails the test if that takes longer than WORLD_LIMIT_NS. */
void world_run(struct world *w);
void world_end(struct world *w);

/* One behaviour that every struct io has. */
struct io_case {
	const char *name;
	void (*run)(struct world *w);
};
extern const struct io_case io_cases[];
extern const size_t io_cases_count;
