/* SPDX-License-Identifier: MIT
 *
 * transfer/notify_out.c — tells others of new versions. */
#include "transfer/notify_out_p.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/hash.h"
#include "transfer/transfer_p.h"

/* A target, with what waits for it. It is there while there are notices to it. */
struct notify_peer {
	struct addr addr;
	struct notify_peer *chain;
	struct link waiting;
	unsigned users; /* notices */
	unsigned running;
	bool silent; /* the last notice had no answer */
};

struct notice_out {
	struct notifier *n;
	struct notice_out *chain;
	struct notify_peer *peer;
	struct link link; /* in the queue of the peer, while it waits */
	struct zone *zone;
	struct policy_target target;
	struct ask ask;
};

static const struct ask_rule patient = {
	.opcode = OPCODE_NOTIFY, .flags = FLAG_AA, .tries = 5, .wait_s = { 2, 4, 8, 16, 30 }
};
static const struct ask_rule brief = {
	.opcode = OPCODE_NOTIFY, .flags = FLAG_AA, .tries = 2, .wait_s = { 1, 2 }
};

static void notice_over(struct notice_out *o);

void notifier_init(struct notifier *n, struct transfer *t)
{
	*n = (struct notifier){ .t = t, .seed = env_random_u64(t->io->env) };
}

static struct notify_peer **peer_bucket(struct notifier *n, const struct addr *addr)
{
	uint64_t hash = hash_bytes(n->seed, bytes_of(addr->ip, sizeof(addr->ip))) + addr->port;

	return &n->peers[hash % NOTIFY_PEERS_BUCKETS];
}

static struct notify_peer *peer_get(struct notifier *n, const struct addr *addr)
{
	struct notify_peer **bucket = peer_bucket(n, addr);
	struct notify_peer *p = *bucket;

	while (p != NULL && !addr_equal(&p->addr, addr)) {
		p = p->chain;
	}
	if (p == NULL) {
		p = mem_zero(1, sizeof(*p));
		p->addr = *addr;
		link_init(&p->waiting);
		p->chain = *bucket;
		*bucket = p;
	}
	p->users++;
	return p;
}

static void peer_put(struct notifier *n, struct notify_peer *p)
{
	struct notify_peer **at = peer_bucket(n, &p->addr);

	assert(p->users > 0);
	if (--p->users > 0) {
		return;
	}
	while (*at != p) {
		at = &(*at)->chain;
	}
	*at = p->chain;
	free(p);
}

static struct notice_out **notice_bucket(struct notifier *n, const struct zone *zone)
{
	return &n->buckets[name_hash(n->seed, zone_apex(zone)) % NOTIFY_BUCKETS];
}

/* Our SOA, so that the secondary knows at once whether it is news (RFC 1996 §3.7). */
static bool on_compose(struct ask *a, struct composer *c)
{
	struct notice_out *o = container_of(a, struct notice_out, ask);
	const struct snapshot *snap = zone_newest(o->zone);
	struct rr soa;

	if (snap == NULL) {
		return true;
	}
	snapshot_soa(snap, &o->n->t->scratch, &soa);
	return composer_rr(c, SECTION_ANSWER, &soa);
}

static void report(const struct notice_out *o, enum err e)
{
	struct events *ev = o->n->t->events;
	struct bytes apex = name_bytes(zone_apex(o->zone));
	const struct snapshot *snap = zone_newest(o->zone);

	if (e == ERR_OK) {
		EVENT(ev, EVENT_NOTIFY_OUT, F_NAME("zone", apex), F_ADDR("to", &o->target.addr),
		      F_UINT("serial", snap == NULL ? 0 : snapshot_serial(snap).n));
	} else {
		EVENT(ev, EVENT_NOTIFY_OUT_FAILED, F_NAME("zone", apex),
		      F_ADDR("to", &o->target.addr), F_ERR("error", e));
	}
}

static void on_done(struct ask *a, enum err e, const struct ask_answer *answer)
{
	struct notice_out *o = container_of(a, struct notice_out, ask);

	o->peer->silent = e == ERR_PEER_TIMEOUT;
	report(o, e == ERR_OK ? err_from_rcode(header_rcode(&answer->header)) : e);
	o->peer->running--;
	notice_over(o);
}

/* Sends a notice; false, and it is over, if that cannot be. */
static bool notice_send(struct notice_out *o)
{
	struct ask_options options = { .rule = o->peer->silent ? &brief : &patient,
		                       .to = o->target.addr,
		                       .from = o->target.source,
		                       .apex = zone_apex(o->zone),
		                       .key = o->target.key,
		                       .compose = on_compose,
		                       .done = on_done };
	enum err e = ask_begin(&o->n->t->asks, &o->ask, &options);

	if (e != ERR_OK) {
		report(o, e);
		return false;
	}
	transfer_count(&o->n->t->counts.notifies_out, 1);
	o->peer->running++;
	return true;
}

static void notice_free(struct notice_out *o)
{
	struct notice_out **at = notice_bucket(o->n, o->zone);

	assert(o->ask.all == NULL && link_alone(&o->link));
	while (*at != o) {
		at = &(*at)->chain;
	}
	*at = o->chain;
	o->n->count--;
	peer_put(o->n, o->peer);
	tsig_key_unref(o->target.key);
	free(o);
}

/* Sends what waits for a target, as far as it may. The target may be gone afterwards. */
static void peer_go(struct notifier *n, struct notify_peer *p)
{
	p->users++;
	while (p->running < NOTICES_RUNNING_MAX && !link_alone(&p->waiting)) {
		struct notice_out *o = container_of(p->waiting.next, struct notice_out, link);

		link_remove(&o->link);
		if (!notice_send(o)) {
			notice_free(o);
		}
	}
	peer_put(n, p);
}

/* A notice that neither waits nor is under way goes; its target has room for another. */
static void notice_over(struct notice_out *o)
{
	struct notifier *n = o->n;
	struct notify_peer *p = o->peer;

	p->users++;
	notice_free(o);
	peer_go(n, p);
	peer_put(n, p);
}

static bool notice_is(const struct notice_out *o, const struct zone *zone,
                      const struct policy_target *target)
{
	const struct tsig_key *a = o->target.key, *b = target->key;

	return o->zone == zone && addr_equal(&o->target.addr, &target->addr) &&
	       (a == b || (a != NULL && b != NULL && tsig_key_equal(a, b)));
}

void notifier_tell(struct notifier *n, struct zone *zone, const struct policy_target *target)
{
	struct notice_out **bucket = notice_bucket(n, zone);
	struct notice_out *o = *bucket;

	while (o != NULL && !notice_is(o, zone, target)) {
		o = o->chain;
	}
	if (o != NULL && !link_alone(&o->link)) {
		return; /* waits, and will tell of the newest */
	}
	if (o == NULL && n->count >= NOTICES_MAX) {
		EVENT(n->t->events, EVENT_NOTIFY_OUT_FAILED,
		      F_NAME("zone", name_bytes(zone_apex(zone))), F_ADDR("to", &target->addr),
		      F_ERR("error", ERR_BUSY));
		return;
	}
	if (o == NULL) {
		o = mem_zero(1, sizeof(*o));
		o->n = n;
		o->zone = zone;
		o->target = *target;
		o->target.key = target->key == NULL ? NULL : tsig_key_ref(target->key);
		o->peer = peer_get(n, &target->addr);
		link_init(&o->link);
		o->chain = *bucket;
		*bucket = o;
		n->count++;
	} else {
		ask_end(&o->ask); /* of an older version */
		o->peer->running--;
	}
	link_append(&o->peer->waiting, &o->link);
	peer_go(n, o->peer);
}

static void notice_drop(struct notice_out *o)
{
	if (link_alone(&o->link)) {
		ask_end(&o->ask);
		o->peer->running--;
	} else {
		link_remove(&o->link);
	}
}

static struct notice_out *find_of(struct notifier *n, const struct zone *zone)
{
	struct notice_out *o = *notice_bucket(n, zone);

	while (o != NULL && o->zone != zone) {
		o = o->chain;
	}
	return o;
}

void notifier_forget(struct notifier *n, struct zone *zone)
{
	for (struct notice_out *o = find_of(n, zone); o != NULL; o = find_of(n, zone)) {
		notice_drop(o);
		notice_over(o);
	}
}

void notifier_fini(struct notifier *n)
{
	for (unsigned i = 0; i < NOTIFY_BUCKETS; i++) {
		while (n->buckets[i] != NULL) {
			notice_drop(n->buckets[i]);
			notice_free(n->buckets[i]);
		}
	}
	assert(n->count == 0);
}
