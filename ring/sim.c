/* SPDX-License-Identifier: MIT
 *
 * ring/sim.c — time, events and links of the simulator. */
#include "ring/sim_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"

#define PPM 1000000U

const struct sim_link sim_link_calm = {
	.delay_min_ns = 100000,
	.delay_max_ns = 300000,
	.piece_max_len = 16384,
	.window_len = 262144,
};

const struct sim_link sim_link_rough = {
	.delay_min_ns = 1 * NS_PER_MS,
	.delay_max_ns = 150 * NS_PER_MS,
	.loss_ppm = 50000,
	.duplicate_ppm = 20000,
	.reset_ppm = 500,
	.piece_max_len = 2000,
	.window_len = 16384,
	.rate_bytes_s = 2000000,
};

/* --- Events: a binary heap, earliest first ------------------------------------------------- */

static bool event_before(const struct sim_event *a, const struct sim_event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static void event_swap(struct sim_event *a, struct sim_event *b)
{
	struct sim_event t = *a;

	*a = *b;
	*b = t;
}

void sim_after(struct sim *sim, uint64_t ns, struct sim_event event)
{
	size_t i = sim->event_count++;

	if (sim->event_count > sim->event_cap) {
		sim->event_cap = sim->event_cap == 0 ? 64 : sim->event_cap * 2;
		sim->events = mem_grow(sim->events, sim->event_cap * sizeof(*sim->events));
	}
	event.at_ns = sim->clock.now_ns + ns;
	event.number = sim->event_number++;
	if (event.end != NULL) {
		event.end->conn->refs++;
	}
	sim->events[i] = event;
	while (i > 0 && event_before(&sim->events[i], &sim->events[(i - 1) / 2])) {
		event_swap(&sim->events[i], &sim->events[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static struct sim_event event_take(struct sim *sim)
{
	struct sim_event first = sim->events[0];
	size_t i = 0;

	assert(sim->event_count > 0);
	sim->events[0] = sim->events[--sim->event_count];
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= sim->event_count) {
			break;
		}
		if (child + 1 < sim->event_count &&
		    event_before(&sim->events[child + 1], &sim->events[child])) {
			child++;
		}
		if (!event_before(&sim->events[child], &sim->events[i])) {
			break;
		}
		event_swap(&sim->events[child], &sim->events[i]);
		i = child;
	}
	return first;
}

static void event_run(struct sim *sim, const struct sim_event *event)
{
	sim_note(sim, event->at_ns);
	sim_note(sim, event->kind);
	if (event->kind == SIM_EVENT_DATAGRAM) {
		sim_udp_event(sim, event);
		return;
	}
	sim_tcp_event(sim, event);
	sim_conn_unref(event->end->conn);
}

/* --- Links ---------------------------------------------------------------------------------- */

static struct sim_pair *pair_find(const struct sim *sim, const struct addr *a, const struct addr *b)
{
	for (size_t i = 0; i < sim->pair_count; i++) {
		struct sim_pair *p = &sim->pairs[i];
		if ((addr_same_ip(&p->a, a) && addr_same_ip(&p->b, b)) ||
		    (addr_same_ip(&p->a, b) && addr_same_ip(&p->b, a))) {
			return p;
		}
	}
	return NULL;
}

struct sim_link sim_link_between(const struct sim *sim, const struct addr *a, const struct addr *b)
{
	const struct sim_pair *p = pair_find(sim, a, b);

	return p != NULL ? p->link : sim->link;
}

static void link_check(const struct sim_link *link)
{
	assert(link->delay_min_ns <= link->delay_max_ns);
	assert(link->delay_max_ns - link->delay_min_ns < UINT32_MAX);
	assert(link->loss_ppm < PPM); /* `cut` says that nothing passes */
	assert(link->piece_max_len > 0 && link->window_len > 0);
}

void sim_link_default(struct sim *sim, const struct sim_link *link)
{
	link_check(link);
	sim->link = *link;
}

void sim_link_set(struct sim *sim, const struct addr *a, const struct addr *b,
                  const struct sim_link *link)
{
	struct sim_pair *p = pair_find(sim, a, b);

	link_check(link);
	if (p == NULL) {
		sim->pairs = mem_grow(sim->pairs, (sim->pair_count + 1) * sizeof(*sim->pairs));
		p = &sim->pairs[sim->pair_count++];
	}
	*p = (struct sim_pair){ *a, *b, *link };
}

void sim_cut(struct sim *sim, const struct addr *a, const struct addr *b, bool cut)
{
	struct sim_link link = sim_link_between(sim, a, b);

	link.cut = cut;
	sim_link_set(sim, a, b, &link);
}

bool sim_chance(struct sim *sim, uint32_t ppm)
{
	return ppm > 0 && env_random_below(&sim->clock.env, PPM) < ppm;
}

uint64_t sim_delay(struct sim *sim, const struct sim_link *link)
{
	uint32_t spread = (uint32_t)(link->delay_max_ns - link->delay_min_ns);

	return link->delay_min_ns + env_random_below(&sim->clock.env, spread + 1);
}

bool sim_has_address(const struct sim *sim, const struct addr *a)
{
	for (size_t i = 0; i < sim->node_count; i++) {
		if (sim_node_owns(sim->nodes[i], a)) {
			return true;
		}
	}
	return false;
}

/* How well a socket fits an address: 0 not, 1 by its wildcard, 2 by its very address. */
static int fits(const struct sim_sock *s, enum sim_sock_kind kind, const struct addr *at)
{
	if (s == NULL || s->kind != kind || s->closing || s->bound.port != at->port ||
	    s->bound.family != at->family) {
		return 0;
	}
	if (addr_same_ip(&s->bound, at)) {
		return 2;
	}
	return addr_is_any(&s->bound) && sim_node_owns(s->node, at) ? 1 : 0;
}

/* Finds who listens at an address; among equals (SO_REUSEPORT) the dice choose. */
struct sim_sock *sim_find(struct sim *sim, enum sim_sock_kind kind, const struct addr *at)
{
	struct sim_sock *best = NULL;
	uint32_t equals = 0;
	int best_fit = 1;

	for (size_t n = 0; n < sim->node_count; n++) {
		for (uint32_t i = 0; i < sim->nodes[n]->sock_cap; i++) {
			struct sim_sock *s = sim->nodes[n]->socks[i];
			int fit = fits(s, kind, at);
			if (fit < best_fit) {
				continue;
			}
			equals = fit > best_fit ? 1 : equals + 1;
			best_fit = fit;
			if (equals == 1 || env_random_below(&sim->clock.env, equals) == 0) {
				best = s;
			}
		}
	}
	return best;
}

/* --- Running -------------------------------------------------------------------------------- */

void sim_note(struct sim *sim, uint64_t what)
{
	uint8_t octets[16];

	store_u64(octets, sim->trace);
	store_u64(octets + 8, what);
	sim->trace = hash_fixed(bytes_of(octets, sizeof(octets)));
}

uint64_t sim_trace(const struct sim *sim)
{
	return sim->trace;
}

/* Lets one of the nodes that have something to do take its turn. */
static bool run_node(struct sim *sim)
{
	struct sim_node *chosen = NULL;
	uint32_t ready = 0;

	for (size_t i = 0; i < sim->node_count; i++) {
		if (sim_node_ready(sim->nodes[i]) &&
		    env_random_below(&sim->clock.env, ++ready) == 0) {
			chosen = sim->nodes[i];
		}
	}
	if (chosen != NULL) {
		sim_node_turn(chosen, true);
	}
	return chosen != NULL;
}

/* When the earliest timer of all nodes needs attention. */
static uint64_t next_timer_ns(const struct sim *sim)
{
	uint64_t next = WHEEL_NEVER_NS;

	for (size_t i = 0; i < sim->node_count; i++) {
		uint64_t at = wheel_next_ns(&sim->nodes[i]->wheel);
		next = at < next ? at : next;
	}
	return next;
}

static uint64_t next_ns(const struct sim *sim)
{
	uint64_t at = next_timer_ns(sim);

	return sim->event_count > 0 && sim->events[0].at_ns < at ? sim->events[0].at_ns : at;
}

bool sim_step(struct sim *sim)
{
	uint64_t at;

	if (run_node(sim)) {
		return true;
	}
	at = next_ns(sim);
	if (at == WHEEL_NEVER_NS) {
		return false;
	}
	if (at > sim->clock.now_ns) {
		sim->clock.now_ns = at;
	}
	if (sim->event_count > 0 && sim->events[0].at_ns <= at) {
		struct sim_event event = event_take(sim);
		event_run(sim, &event);
	}
	return true;
}

void sim_run_until_idle(struct sim *sim)
{
	do {
		while (run_node(sim)) {
		}
	} while (sim->event_count > 0 && sim_step(sim));
}

void sim_run_for(struct sim *sim, uint64_t ns)
{
	uint64_t end = sim->clock.now_ns + ns;

	for (;;) {
		while (run_node(sim)) {
		}
		if (next_ns(sim) > end) {
			break;
		}
		(void)sim_step(sim);
	}
	sim->clock.now_ns = end;
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *sim = mem_zero(1, sizeof(*sim));

	env_fake_init(&sim->clock, seed);
	sim->clock.now_ns = NS_PER_S; /* not 0, which for a timer is "not set" */
	sim->link = sim_link_calm;
	return sim;
}

void sim_free(struct sim *sim)
{
	if (sim == NULL) {
		return;
	}
	while (sim->node_count > 0) {
		sim_node_free(&sim->nodes[sim->node_count - 1]->io);
	}
	while (sim->event_count > 0) {
		struct sim_event event = event_take(sim);
		free(event.datagram);
		if (event.end != NULL) {
			sim_conn_unref(event.end->conn);
		}
	}
	free(sim->events);
	free(sim->pairs);
	free(sim);
}

const struct env *sim_env(struct sim *sim)
{
	return &sim->clock.env;
}
