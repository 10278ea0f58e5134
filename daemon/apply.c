/* SPDX-License-Identifier: MIT
 *
 * daemon/apply.c — puts a configuration in force: keys, policies, zones.
 *
 * The new `struct applied` is made whole first; then each shard is given the changes of its own
 * zones. Keys and policies that did not change are taken over, so that their zones see no change at
 * all. The old one is freed when every shard has applied its part and no turn can still see it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "daemon/daemon_p.h"
#include "daemon/dispatch_p.h"
#include "daemon/job_p.h"
#include "zonestore/versions.h"

#define BATCH_CHANGES 512 /* in one turn of a shard: others are answered in between */

struct change {
	struct zone *zone;
	struct zone_policy *policy; /* NULL: remove the zone */
};

/* The changes for one shard. */
struct batch {
	struct shard_job job;
	struct change *changes;
	size_t count;
	size_t cap;
	size_t next; /* of the changes */
	struct io_mail go_on;
	size_t stopping; /* zones whose engines have not let go yet, and one for the loop itself */
};

void applied_free(struct applied *a)
{
	if (a == NULL) {
		return;
	}
	for (size_t i = 0; i < a->policy_count; i++) {
		zone_policy_unref(a->policies[i]);
	}
	for (size_t i = 0; i < a->key_count; i++) {
		tsig_key_unref(a->keys[i]);
	}
	free(a->policies);
	free(a->keys);
	free(a->zones);
	if (a->config != NULL) {
		config_fini(a->config);
		free(a->config);
	}
	free(a);
}

static void applied_retired(struct epoch_item *item)
{
	applied_free(container_of(item, struct applied, retire));
}

/* ---- keys and policies ---- */

static struct tsig_key *key_same(const struct applied *old, const struct tsig_key *key)
{
	for (size_t i = 0; old != NULL && i < old->key_count; i++) {
		if (tsig_key_equal(old->keys[i], key)) {
			return old->keys[i];
		}
	}
	return NULL;
}

static enum err make_keys(struct applied *a, const struct applied *old)
{
	const struct config *c = a->config;

	a->keys = mem_zero(c->key_count, sizeof(*a->keys));
	for (size_t i = 0; i < c->key_count; i++) {
		const struct config_key *k = &c->keys[i];
		struct tsig_key_options options = {
			.name = name_of(&k->name),
			.algorithm = k->algorithm,
			.secret = bytes_of(k->secret, k->secret_len),
			.min_mac_len = k->min_mac_len,
		};
		struct tsig_key *key;
		struct tsig_key *same;

		TRY(tsig_key_new(&options, &key));
		same = key_same(old, key);
		if (same != NULL) {
			tsig_key_unref(key);
			key = tsig_key_ref(same);
		}
		a->keys[a->key_count++] = key;
	}
	return ERR_OK;
}

static struct tsig_key *key_at(const struct applied *a, uint32_t index)
{
	if (index == CONFIG_NO_KEY) {
		return NULL;
	}
	assert(index < a->key_count);
	return tsig_key_ref(a->keys[index]);
}

static void make_primaries(struct zone_policy *p, const struct applied *a,
                           const struct config_settings *s)
{
	const struct config *c = a->config;

	for (size_t i = 0; i < s->primary_count; i++) {
		p->primary_count += c->primaries[s->primaries[i]].address_count;
	}
	p->primaries = mem_zero(p->primary_count, sizeof(*p->primaries));
	p->primary_count = 0;
	for (size_t i = 0; i < s->primary_count; i++) {
		const struct config_primary *from = &c->primaries[s->primaries[i]];
		for (size_t k = 0; k < from->address_count; k++) {
			struct policy_primary *to = &p->primaries[p->primary_count++];
			to->addr = from->addresses[k];
			to->source = to->addr.family == 4 ? from->source4 : from->source6;
			to->key = key_at(a, from->key);
			to->pace = (struct policy_pace){ from->max_connections, from->max_transfers,
				                         from->queries_per_s };
			snprintf(to->name, sizeof(to->name), "%s", from->name);
		}
	}
}

static struct policy_access *make_access(const struct applied *a, const struct config_access *from,
                                         size_t count)
{
	struct policy_access *to = mem_zero(count, sizeof(*to));

	for (size_t i = 0; i < count; i++) {
		to[i] = (struct policy_access){ from[i].any_addr, from[i].range,
			                        key_at(a, from[i].key) };
	}
	return to;
}

static_assert((int)CONFIG_OFF == (int)GUARD_OFF && (int)CONFIG_HOLD == (int)GUARD_HOLD &&
                      (int)CONFIG_REFUSE == (int)GUARD_REFUSE,
              "the same acts");
static_assert(CONFIG_VERSIONS_MAX <= VERSIONS_KEPT_MAX, "the store keeps as many");

static void make_guard(struct zone_policy *p, const struct config_settings *s)
{
	p->guard = (struct policy_guard){
		.no_ns = (enum guard_act)s->guard.no_ns,
		.shrunk = (enum guard_act)s->guard.shrink,
		.shrink_percent = (uint8_t)s->guard.shrink_percent,
		.shrink_records = s->guard.shrink_records,
		.zonemd = (enum guard_act)s->guard.zonemd,
		.limit = (enum guard_act)s->guard.size,
		.records_max = s->guard.max_records,
		.bytes_max = s->guard.max_bytes,
		.follow_lower = s->follow_lower,
	};
	p->history = (struct version_limits){
		.count = s->history.versions,
		.age_s = s->history.age_s,
		.bytes = s->history.bytes,
	};
}

static struct zone_policy *make_policy(const struct applied *a, const struct config_settings *s)
{
	struct zone_policy *p = zone_policy_new();

	make_primaries(p, a, s);
	p->allow_notify = make_access(a, s->allow_notify, s->allow_notify_count);
	p->allow_notify_count = s->allow_notify_count;
	p->allow_transfer = make_access(a, s->allow_transfer, s->allow_transfer_count);
	p->allow_transfer_count = s->allow_transfer_count;
	p->notify = mem_zero(s->notify_count, sizeof(*p->notify));
	p->notify_count = s->notify_count;
	for (size_t i = 0; i < s->notify_count; i++) {
		p->notify[i] = (struct policy_target){ s->notify[i].addr, s->notify[i].source,
			                               key_at(a, s->notify[i].key) };
	}
	p->limits = (struct policy_limits){
		.transfer_bytes = s->limits.transfer_bytes,
		.transfer_records = s->limits.transfer_records,
		.transfer_time_s = s->limits.transfer_time_s,
		.idle_time_s = s->limits.idle_time_s,
		.min_refresh_s = s->limits.min_refresh_s,
		.max_refresh_s = s->limits.max_refresh_s,
		.min_retry_s = s->limits.min_retry_s,
		.max_retry_s = s->limits.max_retry_s,
		.min_expire_s = s->limits.min_expire_s,
		.max_expire_s = s->limits.max_expire_s,
	};
	make_guard(p, s);
	p->newest = s->newest;
	p->compare_s = s->compare_s;
	return p;
}

/* Takes over the old policy where it is equal: then pointers tell whether a zone's settings
 * changed. Settings are few (one per template and per set of overrides). */
static struct zone_policy *policy_same(const struct applied *old, const struct zone_policy *p,
                                       size_t hint)
{
	if (old == NULL) {
		return NULL;
	}
	if (hint < old->policy_count && zone_policy_equal(old->policies[hint], p)) {
		return old->policies[hint];
	}
	for (size_t i = 0; i < old->policy_count; i++) {
		if (zone_policy_equal(old->policies[i], p)) {
			return old->policies[i];
		}
	}
	return NULL;
}

static void make_policies(struct applied *a, const struct applied *old)
{
	const struct config *c = a->config;

	a->policies = mem_zero(c->settings_count, sizeof(*a->policies));
	for (size_t i = 0; i < c->settings_count; i++) {
		struct zone_policy *p = make_policy(a, &c->settings[i]);
		struct zone_policy *same = policy_same(old, p, i);
		if (same != NULL) {
			zone_policy_unref(p);
			p = zone_policy_ref(same);
		}
		a->policies[a->policy_count++] = p;
	}
}

/* ---- changes on the shards ---- */

static void batch_free(struct shard_job *job)
{
	struct batch *b = container_of(job, struct batch, job);

	free(b->changes);
	free(b);
}

static void batch_settle(struct batch *b)
{
	assert(b->stopping > 0);
	if (--b->stopping == 0) {
		job_finish(&b->job, ERR_OK);
	}
}

static void zone_stopped(void *self, struct zone *zone)
{
	struct batch *b = self;

	store_remove(b->job.shard->d->store, zone);
	batch_settle(b);
}

static void change_run(struct batch *b, const struct change *c)
{
	struct transfer *t = b->job.shard->transfer;

	if (c->policy == NULL) {
		b->stopping++;
		if (zone_engine(c->zone) != NULL) {
			transfer_zone_stop(t, c->zone, zone_stopped, b);
		} else {
			zone_stopped(b, c->zone);
		}
	} else if (zone_engine(c->zone) != NULL) {
		transfer_zone_change(t, c->zone, c->policy);
	} else {
		transfer_zone_start(t, c->zone, c->policy);
	}
}

/* Runs some of the changes, and the others in turns to come. */
static void batch_go_on(struct io_mail *mail)
{
	struct batch *b = container_of(mail, struct batch, go_on);
	struct shard *s = b->job.shard;
	size_t left = b->count - b->next;

	for (size_t i = 0; i < (left < BATCH_CHANGES ? left : BATCH_CHANGES); i++) {
		change_run(b, &b->changes[b->next + i]);
	}
	if (left > BATCH_CHANGES) {
		b->next += BATCH_CHANGES;
		io_post_reply(s->io, &b->go_on);
		return;
	}
	if (!s->engines_run) {
		dispatch_engines_run(s);
	}
	batch_settle(b);
}

/* Done when the last removed zone is gone, so that the next configuration may add it again. */
static enum err batch_run(struct shard *s, struct shard_job *job)
{
	struct batch *b = container_of(job, struct batch, job);

	(void)s;
	job->later = true;
	b->stopping = 1;
	b->go_on.fn = batch_go_on;
	batch_go_on(&b->go_on);
	return ERR_OK;
}

static struct batch *batch_new(void)
{
	struct batch *b = mem_zero(1, sizeof(*b));

	job_init(&b->job, batch_run, batch_free);
	return b;
}

/* Without batches changes are for later (daemon_start_engines()). */
static void batch_add(struct batch **batches, struct zone *zone, struct zone_policy *policy)
{
	struct batch **at = batches == NULL ? NULL : &batches[zone_shard(zone)];

	if (at == NULL) {
		return;
	}
	if (*at == NULL) {
		*at = batch_new();
	}
	if ((*at)->count == (*at)->cap) {
		(*at)->cap = (*at)->cap == 0 ? 64 : (*at)->cap * 2;
		(*at)->changes = mem_grow((*at)->changes, (*at)->cap * sizeof((*at)->changes[0]));
	}
	(*at)->changes[(*at)->count++] = (struct change){ zone, policy };
}

/* Sends every shard its batch and waits until all are done. */
static enum err batches_run(struct daemon *d, struct batch **batches)
{
	enum err e = ERR_OK;

	for (unsigned i = 0; i < d->shard_count; i++) {
		if (batches[i] != NULL) {
			job_send_always(&batches[i]->job, &d->shards[i]);
		}
	}
	for (unsigned i = 0; i < d->shard_count; i++) {
		if (batches[i] != NULL) {
			enum err ran = job_wait(&batches[i]->job, APPLY_DEADLINE_S);
			e = e == ERR_OK ? ran : e;
			job_release(&batches[i]->job);
		}
	}
	return e;
}

/* ---- zones ---- */

/* Adds what is new, notes what changed. Zones that are there keep their object. */
static enum err add_zones(struct daemon *d, struct applied *a, struct batch **batches,
                          struct control_reload *count)
{
	const struct config *c = a->config;
	bool all_new = store_zone_count(d->store) == 0;

	a->zones = mem_zero(c->zone_count, sizeof(*a->zones));
	store_reserve(d->store, c->zone_count);
	for (size_t i = 0; i < c->zone_count; i++) {
		struct name apex = config_zone_name(c, i);
		struct zone_policy *policy = a->policies[c->zones[i].settings];
		struct zone *zone = all_new ? NULL : store_find(d->store, apex);

		if (zone == NULL) {
			TRY(store_add(d->store, apex, &zone));
			/* The zone's reference; its engine takes it over. */
			zone_set_policy(zone, zone_policy_ref(policy));
			count->added++;
			batch_add(batches, zone, policy);
		} else if (zone_policy(zone) != policy) {
			count->changed++;
			batch_add(batches, zone, policy);
		}
		a->zones[a->zone_count++] = store_place(d->store, zone);
	}
	count->zones = c->zone_count;
	return ERR_OK;
}

/* What the old configuration had and the new one has not. */
static void remove_zones(const struct daemon *d, const struct applied *old, const struct applied *a,
                         struct batch **batches, struct control_reload *count)
{
	for (size_t i = 0; old != NULL && i < old->zone_count; i++) {
		struct zone *zone = store_zone_at(d->store, old->zones[i]);
		size_t index;
		if (!config_zone_find(a->config, zone_apex(zone), &index)) {
			count->removed++;
			batch_add(batches, zone, NULL);
		}
	}
}

static enum err apply_zones(struct daemon *d, struct applied *a, struct applied *old,
                            struct control_reload *count)
{
	struct batch *batches[SHARDS_MAX] = { 0 };
	bool loaded = atomic_load(&d->loaded);
	enum err e;

	epoch_quiet(d->epoch, d->apply_slot);
	e = add_zones(d, a, loaded ? batches : NULL, count);
	remove_zones(d, old, a, loaded ? batches : NULL, count);
	config_forget_zones(a->config); /* the store has them, with their policies */
	epoch_offline(d->epoch, d->apply_slot);
	atomic_store_explicit(&d->applied, a, memory_order_release);
	if (loaded) {
		enum err ran = batches_run(d, batches);
		return e == ERR_OK ? ran : e;
	}
	return e; /* daemon_start_engines() will start them */
}

static enum err applied_make(struct config *config, const struct applied *old, struct applied **out,
                             char *why, size_t why_cap)
{
	struct applied *a = mem_zero(1, sizeof(*a));
	enum err e;

	a->config = config;
	e = make_keys(a, old);
	if (e != ERR_OK) {
		snprintf(why, why_cap, "keys: %s", err_text(e));
		applied_free(a);
		return e;
	}
	make_policies(a, old);
	*out = a;
	return ERR_OK;
}

enum err daemon_prepare(struct daemon *d, struct config *config, char *why, size_t why_cap)
{
	struct applied *a;

	assert(atomic_load(&d->applied) == NULL);
	TRY(applied_make(config, NULL, &a, why, why_cap));
	atomic_store(&d->applied, a);
	return ERR_OK;
}

static bool listens_alike(const struct config *a, const struct config *b)
{
	bool alike = a->listen_count == b->listen_count;

	for (size_t i = 0; alike && i < a->listen_count; i++) {
		alike = addr_equal(&a->listen[i], &b->listen[i]);
	}
	return alike;
}

/* Settings that are read at the start only. */
static bool needs_restart(const struct config *was, const struct config *is)
{
	return was->workers != is->workers || !listens_alike(was, is) ||
	       strcmp(was->user, is->user) != 0 ||
	       strcmp(was->database_path, is->database_path) != 0 ||
	       strcmp(was->socket_path, is->socket_path) != 0;
}

static enum err apply_locked(struct daemon *d, struct config *config, struct control_reload *out,
                             char *why, size_t why_cap)
{
	struct applied *old = atomic_load(&d->applied);
	struct applied *a;
	enum err e;

	if (!atomic_load(&d->loaded)) {
		snprintf(why, why_cap, "the store is still being loaded; try again");
		config_fini(config);
		free(config);
		return ERR_BUSY;
	}
	TRY(applied_make(config, old, &a, why, why_cap));
	if (needs_restart(old->config, config)) {
		EVENT(&d->events, EVENT_RESTART_NEEDED, F_STR("path", config->path));
	}
	atomic_store(&d->events.level, (int)config->log_level);
	atomic_store(&d->events.format, (int)config->log_format);
	for (unsigned i = 0; i < d->shard_count; i++) {
		shard_notify_rate(&d->shards[i], config);
	}
	*out = (struct control_reload){ 0 };
	e = apply_zones(d, a, old, out);
	if (e != ERR_OK) {
		snprintf(why, why_cap, "zones: %s", err_text(e));
	}
	epoch_retire(d->epoch, &old->retire, applied_retired);
	return e;
}

/* Reads the file into a configuration on the heap; `why` has the first error. */
static struct config *config_read(const char *path, char *why, size_t why_cap)
{
	struct config_errors *errors = mem_zero(1, sizeof(*errors));
	struct config *config = mem_zero(1, sizeof(*config));

	if (config_load(path, config, errors) != ERR_OK) {
		snprintf(why, why_cap, "%s", errors->errors[0]);
		free(config);
		config = NULL;
	}
	free(errors);
	return config;
}

enum err daemon_reload(struct daemon *d, struct control_reload *out, char *why, size_t why_cap)
{
	struct config *config;
	enum err e = ERR_CONFIG;

	/* Read under the lock: of two reloads, the one that applies last has read last. */
	pthread_rwlock_wrlock(&d->apply_lock);
	config = config_read(d->config_path, why, why_cap);
	if (config != NULL) {
		e = apply_locked(d, config, out, why, why_cap);
	}
	pthread_rwlock_unlock(&d->apply_lock);
	if (e == ERR_OK) {
		EVENT(&d->events, EVENT_CONFIG_LOADED, F_STR("path", d->config_path),
		      F_UINT("zones", out->zones), F_UINT("added", out->added),
		      F_UINT("removed", out->removed), F_UINT("changed", out->changed));
	} else {
		EVENT(&d->events, EVENT_CONFIG_FAILED, F_STR("error", why));
	}
	return e;
}

static bool policy_drop(void *self, struct zone *zone)
{
	(void)self;
	zone_policy_unref((struct zone_policy *)zone_policy(zone));
	zone_set_policy(zone, NULL);
	return true;
}

void daemon_drop_policies(struct daemon *d)
{
	store_each(d->store, policy_drop, NULL);
}

enum err daemon_first_zones(struct daemon *d, char *why, size_t why_cap)
{
	struct control_reload count = { 0 };
	enum err e;

	pthread_rwlock_wrlock(&d->apply_lock);
	e = apply_zones(d, atomic_load(&d->applied), NULL, &count);
	pthread_rwlock_unlock(&d->apply_lock);
	if (e != ERR_OK) {
		snprintf(why, why_cap, "zones: %s", err_text(e));
	}
	return e;
}

enum err daemon_start_engines(struct daemon *d)
{
	struct batch *batches[SHARDS_MAX] = { 0 };
	const struct applied *a;
	enum err e;

	pthread_rwlock_wrlock(&d->apply_lock);
	atomic_store(&d->loaded, true);
	a = atomic_load(&d->applied);
	for (unsigned i = 0; i < d->shard_count; i++) {
		batches[i] = batch_new(); /* also for a shard without zones: some may come */
	}
	for (size_t i = 0; i < a->zone_count; i++) {
		struct zone *zone = store_zone_at(d->store, a->zones[i]);
		batch_add(batches, zone, (struct zone_policy *)zone_policy(zone));
	}
	e = batches_run(d, batches);
	pthread_rwlock_unlock(&d->apply_lock);
	return e;
}
