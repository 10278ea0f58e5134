/* SPDX-License-Identifier: MIT
 *
 * control/json.c — what the control interface tells, as JSON (door to jansson).
 *
 * Names have a final dot, times are RFC 3339 in UTC, and what is not known is null. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/http_p.h"

#define TIME_TEXT_MAX 32

static const char *const states[CONTROL_ZONE_STATES] = {
	[CONTROL_ZONE_NEW] = "new",
	[CONTROL_ZONE_OK] = "ok",
	[CONTROL_ZONE_REFRESHING] = "refreshing",
	[CONTROL_ZONE_FAILING] = "failing",
	[CONTROL_ZONE_EXPIRED] = "expired",
};

/* Why a version is kept aside. */
static const char *const holds[CONTROL_HOLDS] = {
	[CONTROL_HOLD_NONE] = "",
	[CONTROL_HOLD_PINNED] = "pinned",
	[CONTROL_HOLD_REJECTED] = "rejected",
	[CONTROL_HOLD_NO_NS] = "no-ns",
	[CONTROL_HOLD_SHRUNK] = "shrunk",
	[CONTROL_HOLD_ZONEMD] = "zonemd",
	[CONTROL_HOLD_LIMIT] = "limit",
};

static const char *const origins[CONTROL_ORIGINS] = {
	[CONTROL_BY_AXFR] = "AXFR",
	[CONTROL_BY_IXFR] = "IXFR",
	[CONTROL_BY_ROLLBACK] = "ROLLBACK",
};

static const char *const kinds[CONTROL_VERSION_KINDS] = {
	[CONTROL_VERSION_SERVED] = "served",
	[CONTROL_VERSION_ASIDE] = "held",
	[CONTROL_VERSION_OLDER] = "older",
};

const char *json_state_name(enum control_zone_state state)
{
	assert(state < CONTROL_ZONE_STATES);
	return states[state];
}

bool json_state_parse(const char *text, enum control_zone_state *out)
{
	for (unsigned i = 0; i < CONTROL_ZONE_STATES; i++) {
		if (strcmp(states[i], text) == 0) {
			*out = (enum control_zone_state)i;
			return true;
		}
	}
	return false;
}

/* Sets a member; the value's reference is taken. Memory that fails aborts, as everywhere. */
static void put(json_t *object, const char *name, json_t *value)
{
	int result = json_object_set_new_nocheck(object, name, value);

	assert(result == 0);
	(void)result;
}

static void put_text(json_t *object, const char *name, const char *text)
{
	put(object, name, json_string_nocheck(text));
}

static void put_count(json_t *object, const char *name, uint64_t v)
{
	put(object, name, json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v));
}

static void put_time(json_t *object, const char *name, int64_t at_s)
{
	char text[TIME_TEXT_MAX];
	time_t t = (time_t)at_s;
	struct tm tm;

	if (at_s == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
		put(object, name, json_null());
	} else {
		put_text(object, name, text);
	}
}

static void put_addr(json_t *object, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	if (a->family == 0) {
		put(object, name, json_null());
	} else {
		put_text(object, name, addr_print(a, text));
	}
}

/* A name in presentation form is ASCII: everything else stands there escaped. */
static void put_name(json_t *object, const char *member, struct name name)
{
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text) - 1);
	bool fits = name_print(name, &w);

	assert(fits);
	(void)fits;
	text[w.len] = '\0';
	put_text(object, member, text);
}

static void put_id(json_t *object, const char *name, const struct id *id)
{
	char text[sizeof(id->octets) * 2 + 1];

	for (size_t i = 0; i < sizeof(id->octets); i++) {
		snprintf(text + 2 * i, 3, "%02x", id->octets[i]);
	}
	put_text(object, name, text);
}

static json_t *object_new(void)
{
	json_t *object = json_object();

	assert(object != NULL);
	return object;
}

/* The object as text; drops the object. */
static char *object_text(json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);

	assert(text != NULL);
	json_decref(object);
	return text;
}

static json_t *last_error(const struct control_zone *z)
{
	json_t *object;

	if (z->last_error == ERR_OK) {
		return json_null();
	}
	object = object_new();
	put_text(object, "code", err_code(z->last_error));
	put_text(object, "text", err_text(z->last_error));
	put_addr(object, "primary", &z->last_error_primary);
	put_time(object, "at", z->last_error_at_s);
	return object;
}

static json_t *held_version(const struct control_zone *z)
{
	json_t *object;

	if (z->held == CONTROL_HOLD_NONE) {
		return json_null();
	}
	assert(z->held < CONTROL_HOLDS);
	object = object_new();
	put_text(object, "why", holds[z->held]);
	put_count(object, "serial", z->held_serial);
	put_time(object, "received_at", z->held_received_at_s);
	return object;
}

static json_t *zone_object(const struct control_zone *z)
{
	json_t *object = object_new();

	put_name(object, "name", name_of(&z->name));
	put_text(object, "state", json_state_name(z->state));
	if (z->served) {
		assert(z->origin < CONTROL_ORIGINS);
		put_count(object, "serial", z->serial);
		put_count(object, "source_serial", z->source_serial);
		put_id(object, "root", &z->root);
		put_count(object, "records", z->records);
		put_count(object, "bytes", z->bytes);
		put_addr(object, "primary", &z->primary);
		put_text(object, "received_by", origins[z->origin]);
		put_time(object, "received_at", z->received_at_s);
	} else {
		static const char *const nothing[] = { "serial",      "source_serial", "root",
			                               "records",     "bytes",         "primary",
			                               "received_by", "received_at" };

		for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
			put(object, nothing[i], json_null());
		}
	}
	put_time(object, "refreshed_at", z->refreshed_at_s);
	put_time(object, "refresh_at", z->refresh_at_s);
	put_time(object, "expire_at", z->expire_at_s);
	put_time(object, "failing_since", z->failing_since_s);
	put(object, "last_error", last_error(z));
	if (z->differs.family == 0) {
		put(object, "differs", json_null());
	} else {
		put_addr(object, "differs", &z->differs);
	}
	put(object, "pinned", json_boolean(z->pinned));
	put(object, "held", held_version(z));
	put_count(object, "versions", z->versions);
	return object;
}

size_t json_zone(const struct control_zone *z, char out[static JSON_ZONE_MAX])
{
	json_t *object = zone_object(z);
	size_t len = json_dumpb(object, out, JSON_ZONE_MAX, JSON_COMPACT);

	assert(len > 0 && len <= JSON_ZONE_MAX);
	json_decref(object);
	return len;
}

char *json_of_zone(const struct control_zone *z)
{
	return object_text(zone_object(z));
}

char *json_status(const struct control_status *s)
{
	json_t *object = object_new();
	json_t *by_state = object_new();

	put_text(object, "version", s->version);
	put_time(object, "started_at", s->started_at_s);
	put_count(object, "workers", s->workers);
	put(object, "loading", json_boolean(s->loading));
	put_count(object, "zones", s->zones);
	for (unsigned i = 0; i < CONTROL_ZONE_STATES; i++) {
		put_count(by_state, states[i], s->zones_by_state[i]);
	}
	put(object, "zones_by_state", by_state);
	put_count(object, "zones_held", s->zones_held);
	put_count(object, "zones_pinned", s->zones_pinned);
	put_count(object, "zones_differ", s->zones_differ);
	put_count(object, "primaries", s->primaries);
	put_count(object, "primaries_down", s->primaries_down);
	put_text(object, "store", s->store_failing ? "failing" : "ok");
	if (s->store_failing) {
		put(object, "store_error",
		    json_pack("{s:s,s:s}", "code", err_code(s->store_error), "text",
		              err_text(s->store_error)));
	} else {
		put(object, "store_error", json_null());
	}
	put_count(object, "store_bytes", s->store_bytes);
	put_count(object, "bodies", s->bodies);
	put_count(object, "nodes", s->nodes);
	put_count(object, "memory_bytes", s->memory_bytes);
	put_count(object, "queries", s->queries);
	put_count(object, "transfers_running", s->transfers_running);
	put_count(object, "transfers_done", s->transfers_done);
	put_count(object, "transfers_failed", s->transfers_failed);
	put_count(object, "bytes_in", s->bytes_in);
	put_count(object, "soa_queries", s->soa_queries);
	put_count(object, "notifies_in", s->notifies_in);
	put_count(object, "notifies_out", s->notifies_out);
	put_count(object, "notifies_limited", s->notifies_limited);
	put_count(object, "notifies_owed", s->notifies_owed);
	put_count(object, "notifies_dropped", s->notifies_dropped);
	put_count(object, "notify_silent", s->notify_silent);
	put_count(object, "compared", s->compared);
	put_count(object, "compared_differ", s->compared_differ);
	put_count(object, "transfers_out", s->transfers_out);
	put_count(object, "transfers_out_ixfr", s->transfers_out_ixfr);
	put_count(object, "transfers_out_axfr", s->transfers_out_axfr);
	put_count(object, "bytes_out", s->bytes_out);
	return object_text(object);
}

char *json_reload(const struct control_reload *r)
{
	json_t *object = object_new();

	put_count(object, "zones", r->zones);
	put_count(object, "added", r->added);
	put_count(object, "removed", r->removed);
	put_count(object, "changed", r->changed);
	return object_text(object);
}

char *json_action(struct name zone, const char *action)
{
	json_t *object = object_new();

	put_name(object, "zone", zone);
	put_text(object, "action", action);
	return object_text(object);
}

char *json_acted(struct name zone, const char *action, const struct control_zone *now)
{
	json_t *object = object_new();

	put_name(object, "zone", zone);
	put_text(object, "action", action);
	put(object, "now", zone_object(now));
	return object_text(object);
}

static json_t *version_object(const struct control_version *v)
{
	json_t *object = object_new();

	assert(v->kind < CONTROL_VERSION_KINDS && v->why < CONTROL_HOLDS &&
	       v->origin < CONTROL_ORIGINS);
	put_text(object, "state", kinds[v->kind]);
	put(object, "why",
	    v->why == CONTROL_HOLD_NONE ? json_null() : json_string_nocheck(holds[v->why]));
	put_count(object, "serial", v->serial);
	put_count(object, "source_serial", v->source_serial);
	put_id(object, "root", &v->root);
	put_time(object, "received_at", v->received_at_s);
	put_addr(object, "primary", &v->primary);
	put_text(object, "received_by", origins[v->origin]);
	put_count(object, "records", v->records);
	put_count(object, "added", v->added);
	put_count(object, "deleted", v->deleted);
	return object;
}

char *json_history(struct name zone, const struct control_version *versions, size_t count)
{
	json_t *object = object_new();
	json_t *array = json_array();

	assert(array != NULL);
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(array, version_object(&versions[i]));
	}
	put_name(object, "zone", zone);
	put(object, "versions", array);
	return object_text(object);
}

static json_t *durations_object(const struct durations *d)
{
	json_t *object = object_new();

	put_count(object, "count", d->count);
	put_count(object, "p50_us", durations_quantile(d, 500) / 1000);
	put_count(object, "p99_us", durations_quantile(d, 990) / 1000);
	put_count(object, "max_us", d->max_ns / 1000);
	return object;
}

char *json_store(const struct control_store *s)
{
	json_t *object = object_new();

	put_count(object, "zones", s->zones);
	put_count(object, "versions", s->versions);
	put_count(object, "nodes", s->nodes);
	put_count(object, "bodies", s->bodies);
	put_count(object, "node_bytes", s->node_bytes);
	put_count(object, "body_bytes", s->body_bytes);
	put_count(object, "table_bytes", s->table_bytes);
	put_count(object, "snapshot_bytes", s->snapshot_bytes);
	put_count(object, "mapped_bytes", s->mapped_bytes);
	put_count(object, "wire_bytes", s->wire_bytes);
	put_count(object, "disk_used_bytes", s->disk_used_bytes);
	put_count(object, "disk_size_bytes", s->disk_size_bytes);
	put_count(object, "commits", s->commits);
	put_count(object, "updates", s->updates);
	put_count(object, "notes", s->notes);
	put_count(object, "failures", s->failures);
	put_count(object, "nodes_written", s->nodes_written);
	put_count(object, "nodes_dropped", s->nodes_dropped);
	put_count(object, "value_bytes", s->value_bytes);
	put_count(object, "written_bytes", s->written_bytes);
	put_count(object, "commits_waiting", s->commits_waiting);
	put_count(object, "drops_waiting", s->drops_waiting);
	put(object, "commit_wait", durations_object(&s->wait));
	put(object, "commit_durable", durations_object(&s->durable));
	put(object, "transactions", durations_object(&s->transactions));
	return object_text(object);
}

/* ---- primaries ---- */

static const char *const primary_states[CONTROL_PRIMARY_STATES] = {
	[CONTROL_PRIMARY_DOWN] = "down",
	[CONTROL_PRIMARY_UP] = "up",
	[CONTROL_PRIMARY_UNUSED] = "unused",
};

bool json_primary_state_parse(const char *text, enum control_primary_state *out)
{
	for (unsigned i = 0; i < CONTROL_PRIMARY_STATES; i++) {
		if (strcmp(primary_states[i], text) == 0) {
			*out = (enum control_primary_state)i;
			return true;
		}
	}
	return false;
}

/* A number of which 0 says that there is none. */
static void put_known(json_t *object, const char *name, uint64_t v)
{
	if (v == 0) {
		put(object, name, json_null());
	} else {
		put_count(object, name, v);
	}
}

static void put_latency(json_t *object, const char *name, uint64_t ns)
{
	put_known(object, name, (ns + 999) / 1000);
}

static json_t *lanes_object(const uint64_t counts[static CONTROL_LANES])
{
	static const char *const lanes[CONTROL_LANES] = {
		[CONTROL_LANE_OPERATOR] = "operator", [CONTROL_LANE_NOTIFY] = "notify",
		[CONTROL_LANE_EXPIRING] = "expiring", [CONTROL_LANE_DUE] = "due",
		[CONTROL_LANE_FIRST] = "first",
	};
	json_t *object = object_new();

	for (unsigned i = 0; i < CONTROL_LANES; i++) {
		put_count(object, lanes[i], counts[i]);
	}
	return object;
}

static void put_names(json_t *object, const struct control_primary *p)
{
	json_t *names = json_array();

	assert(names != NULL);
	for (unsigned i = 0; i < p->name_count && i < CONTROL_PRIMARY_NAMES; i++) {
		json_array_append_new(names, json_string(p->names[i]));
	}
	put(object, "names", names);
}

static json_t *primary_error(const struct control_primary *p)
{
	json_t *object;

	if (p->last_error == ERR_OK) {
		return json_null();
	}
	object = object_new();
	put_text(object, "code", err_code(p->last_error));
	put_text(object, "text", err_text(p->last_error));
	put_time(object, "at", p->last_error_at_s);
	return object;
}

char *json_primary(const struct control_primary *p)
{
	static const char *const abilities[CONTROL_ABILITIES] = {
		[CONTROL_CAN_PIPELINE] = "pipeline",
		[CONTROL_CAN_SERIAL] = "serial",
		[CONTROL_CAN_SINGLE] = "single",
	};
	json_t *object = object_new();

	assert(p->state < CONTROL_PRIMARY_STATES && p->ability < CONTROL_ABILITIES);
	put_addr(object, "address", &p->addr);
	put_names(object, p);
	put_text(object, "state", primary_states[p->state]);
	put(object, "trying", json_boolean(p->trying));
	put_time(object, "down_since", p->down_since_s);
	put_time(object, "next_try_at", p->next_try_at_s);
	put_count(object, "workers", p->workers);
	put_count(object, "workers_down", p->workers_down);
	put(object, "last_error", primary_error(p));
	put_count(object, "connections", p->connections);
	put_known(object, "connections_borne", p->connections_borne);
	put(object, "running", lanes_object(p->running));
	put(object, "waiting", lanes_object(p->waiting));
	put(object, "waiting_exact", json_boolean(!p->waiting_rough));
	put_count(object, "parked", p->parked);
	put_known(object, "window", p->window);
	put_count(object, "asks_running", p->asks_running);
	put_count(object, "asks_waiting", p->asks_waiting);
	put_known(object, "asks_window", p->asks_window);
	put(object, "ability",
	    p->state == CONTROL_PRIMARY_UNUSED ? json_null()
	                                       : json_string_nocheck(abilities[p->ability]));
	put(object, "silent_udp", json_boolean(p->silent_udp));
	put_latency(object, "connect_us", p->connect_ns);
	put_latency(object, "answer_us", p->answer_ns);
	put_latency(object, "rest_us", p->rest_ns);
	put_latency(object, "ask_us", p->ask_ns);
	put_count(object, "max_connections", p->max_connections);
	put_count(object, "max_transfers", p->max_transfers);
	put_known(object, "queries_per_second", p->queries_per_s);
	return object_text(object);
}

char *json_error(const char *code, const char *text)
{
	json_t *object = object_new();
	json_t *error = object_new();
	json_t *sentence = json_string(text); /* may hold octets of a file: checked */

	put_text(error, "code", code);
	put(error, "text", sentence != NULL ? sentence : json_string("(not UTF-8)"));
	put(object, "error", error);
	return object_text(object);
}
