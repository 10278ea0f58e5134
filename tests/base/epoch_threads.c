/* SPDX-License-Identifier: MIT
 *
 * tests/base/epoch_threads.c — readers without locks against a writer that retires.
 *
 * A plain program, since Criterion and ThreadSanitizer do not go together. Readers borrow the
 * current node for a turn and check it; the writer replaces it and retires the old one, which is
 * scribbled over before it is freed. A node freed too early is a failed check here, and a data race
 * or a use after free under the sanitizers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/epoch.h"

#define READERS 3
#define UPDATES 20000
#define SPOILT  0xdeadULL

struct node {
	struct epoch_item retire;
	uint64_t n;
	uint64_t twice; /* always 2n while anyone may look */
};

struct world {
	struct epoch *epoch;
	_Atomic(struct node *) current;
	_Atomic bool stop;
	_Atomic uint64_t turns;
	_Atomic uint64_t faults;
	uint64_t freed; /* by the writer alone, which is the only one that collects */
};

static void node_free(struct epoch_item *item)
{
	struct node *node = container_of(item, struct node, retire);

	node->n = SPOILT;
	node->twice = 0;
	free(node);
}

static struct node *node_new(uint64_t n)
{
	struct node *node = mem_zero(1, sizeof(*node));

	node->n = n;
	node->twice = 2 * n;
	return node;
}

static void *reader_run(void *arg)
{
	struct world *w = arg;
	unsigned me = epoch_join(w->epoch);
	uint64_t last = 0;

	for (uint64_t turn = 0; !atomic_load(&w->stop); turn++) {
		struct node *node;
		epoch_quiet(w->epoch, me);
		node = atomic_load_explicit(&w->current, memory_order_acquire);
		for (int look = 0; look < 8; look++) {
			if (node->twice != 2 * node->n || node->n < last) {
				atomic_fetch_add(&w->faults, 1);
			}
		}
		last = node->n;
		if (turn % 64 == 0) {
			epoch_offline(w->epoch, me);
		}
		atomic_fetch_add_explicit(&w->turns, 1, memory_order_relaxed);
	}
	epoch_leave(w->epoch, me);
	return NULL;
}

/* Publishes UPDATES nodes; goes on until readers have had a turn for each thousand of them. */
static void writer_run(struct world *w)
{
	for (uint64_t n = 1; n <= UPDATES || atomic_load(&w->turns) < UPDATES / 1000; n++) {
		struct node *old = atomic_exchange(&w->current, node_new(n));
		epoch_retire(w->epoch, &old->retire, node_free);
		if (n % 16 == 0) {
			w->freed += epoch_collect(w->epoch);
		}
	}
}

int main(void)
{
	struct world w = { .epoch = epoch_new() };
	pthread_t threads[READERS];

	atomic_store(&w.current, node_new(0));
	for (int i = 0; i < READERS; i++) {
		if (pthread_create(&threads[i], NULL, reader_run, &w) != 0) {
			perror("pthread_create");
			return 1;
		}
	}
	writer_run(&w);
	atomic_store(&w.stop, true);
	for (int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
	}
	w.freed += epoch_collect(w.epoch);
	free(atomic_load(&w.current));
	epoch_free(w.epoch);
	printf("%llu turns, %llu freed, %llu faults\n", (unsigned long long)w.turns,
	       (unsigned long long)w.freed, (unsigned long long)w.faults);
	return w.faults == 0 && w.freed >= UPDATES ? 0 : 1;
}
