/* SPDX-License-Identifier: MIT
 *
 * tests/control/control_fixture.c — a daemon that is none. */
#include "tests/control/control_fixture.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

static const struct control_version versions[] = {
	{ .kind = CONTROL_VERSION_ASIDE,
	  .why = CONTROL_HOLD_SHRUNK,
	  .serial = FAKE_SOURCE + 2,
	  .source_serial = FAKE_SOURCE + 2,
	  .received_at_s = FAKE_NOW_S - 30,
	  .records = 2,
	  .deleted = 10 },
	{ .kind = CONTROL_VERSION_SERVED,
	  .origin = CONTROL_BY_ROLLBACK,
	  .serial = 4294967291U,
	  .source_serial = FAKE_SOURCE,
	  .received_at_s = FAKE_NOW_S - 90,
	  .records = 12,
	  .added = 1 },
	{ .kind = CONTROL_VERSION_OLDER,
	  .origin = CONTROL_BY_IXFR,
	  .serial = 42,
	  .source_serial = 42,
	  .received_at_s = FAKE_NOW_S - 9000,
	  .records = 11 },
};

void fake_zone(const struct fake_daemon *d, size_t i, struct control_zone *out)
{
	char text[64] = "0/25.2.0.192.in-addr.arpa";

	(void)d;
	*out = (struct control_zone){ .state = (enum control_zone_state)(i % CONTROL_ZONE_STATES) };
	if (i > 0) {
		snprintf(text, sizeof(text), "zone%zu.example", i);
	}
	cr_assert(eq(int, name_parse(bytes_str(text), NULL, &out->name), ERR_OK));
	out->refresh_at_s = FAKE_NOW_S + 3600;
	if (out->state == CONTROL_ZONE_NEW) {
		return;
	}
	out->served = true;
	out->serial = (uint32_t)(4294967290U + i);
	out->source_serial = out->serial;
	out->versions = 1;
	if (i == FAKE_HELD) {
		out->source_serial = FAKE_SOURCE;
		out->pinned = true;
		out->held = CONTROL_HOLD_SHRUNK;
		out->held_serial = FAKE_SOURCE + 2;
		out->held_received_at_s = FAKE_NOW_S - 30;
		out->versions = ARRAY_LEN(versions);
	}
	memset(out->root.octets, 0xab, sizeof(out->root.octets));
	out->records = 12;
	out->bytes = 3456;
	cr_assert(eq(int, addr_parse("192.0.2.1@53", 53, &out->primary), ERR_OK));
	if (i == FAKE_HELD) {
		out->differs = out->primary;
	}
	out->received_at_s = FAKE_NOW_S - 90;
	out->expire_at_s = FAKE_NOW_S + 86400 * 7;
	if (out->state == CONTROL_ZONE_FAILING) {
		out->failing_since_s = FAKE_NOW_S - 300;
		out->last_error = ERR_TSIG_BADSIG;
		out->last_error_primary = out->primary;
		out->last_error_at_s = FAKE_NOW_S - 5;
	}
}

static enum err op_status(void *self, struct control_status *out)
{
	struct fake_daemon *d = self;

	*out = (struct control_status){ .version = "0.1.0",
		                        .started_at_s = FAKE_NOW_S - 7200,
		                        .workers = 2,
		                        .zones = d->zones,
		                        .zones_by_state = { 1, 2, 3, 4, 5 },
		                        .zones_held = 2,
		                        .zones_pinned = 1,
		                        .zones_differ = 4,
		                        .primaries = d->primaries,
		                        .primaries_down = d->primaries > 0,
		                        .store_failing = true,
		                        .store_error = ERR_DISK_FULL,
		                        .bytes_in = 123456789,
		                        .notifies_owed = 7 };
	return ERR_OK;
}

static enum err op_zone_page(void *self, uint64_t *cursor, struct control_zone *out, size_t cap,
                             size_t *count)
{
	struct fake_daemon *d = self;

	*count = 0;
	if (d->fail_page_at > 0 && *cursor >= d->fail_page_at) {
		return ERR_BUSY;
	}
	for (; *cursor < d->zones && *count < cap; ++*cursor) {
		fake_zone(d, *cursor, &out[(*count)++]);
	}
	return ERR_OK;
}

static bool find(const struct fake_daemon *d, struct name name, size_t *out)
{
	for (size_t i = 0; i < d->zones; i++) {
		struct control_zone z;

		fake_zone(d, i, &z);
		if (name_equal(name_of(&z.name), name)) {
			*out = i;
			return true;
		}
	}
	return false;
}

static enum err op_zone_get(void *self, struct name name, struct control_zone *out)
{
	size_t i;

	if (!find(self, name, &i)) {
		return ERR_NOT_FOUND;
	}
	fake_zone(self, i, out);
	return ERR_OK;
}

static enum err op_refresh(void *self, struct name name)
{
	struct fake_daemon *d = self;
	size_t i;

	if (!find(d, name, &i)) {
		return ERR_NOT_FOUND;
	}
	atomic_fetch_add(&d->refreshes, 1);
	return ERR_OK;
}

static enum err op_retransfer(void *self, struct name name)
{
	struct fake_daemon *d = self;
	size_t i;

	if (!find(d, name, &i)) {
		return ERR_NOT_FOUND;
	}
	atomic_fetch_add(&d->retransfers, 1);
	return ERR_OK;
}

char fake_export_octet(size_t pos)
{
	return pos % 60 == 59 ? '\n' : (char)('a' + pos % 23);
}

/* Which of the versions; its number, or that of all if there is none. */
static size_t find_version(const struct control_pick *pick, char *why)
{
	size_t i = 0;

	while (i < ARRAY_LEN(versions) &&
	       !(pick->kind == CONTROL_PICK_SERIAL ? versions[i].serial == pick->serial
	         : pick->kind == CONTROL_PICK_CURRENT
	                 ? versions[i].kind == CONTROL_VERSION_SERVED
	                 : versions[i].kind == CONTROL_VERSION_ASIDE)) {
		i++;
	}
	if (i == ARRAY_LEN(versions)) {
		snprintf(why, CONTROL_REASON_MAX, "serial %u is not kept; kept are 4294967291, 42",
		         pick->serial);
	}
	return i;
}

static enum err op_export(void *self, struct name name, const struct control_pick *pick,
                          const struct control_sink *sink)
{
	struct fake_daemon *d = self;
	size_t i;

	if (!find(d, name, &i)) {
		return ERR_NOT_FOUND;
	}
	if (i == 0) {
		snprintf(sink->why, CONTROL_REASON_MAX, "nothing of the zone is served");
		return ERR_NOT_FOUND;
	}
	i = find_version(pick, sink->why);
	if (i == ARRAY_LEN(versions)) {
		return ERR_NOT_FOUND;
	}
	if (versions[i].kind != CONTROL_VERSION_SERVED) {
		char text[64];
		int len = snprintf(text, sizeof(text), "version %u\n", versions[i].serial);

		sink->put(sink->to, bytes_of(text, (size_t)len));
		return ERR_OK;
	}
	for (size_t pos = 0; pos < d->export_bytes;) {
		char piece[977];
		size_t len = 0;

		while (len < sizeof(piece) && pos < d->export_bytes) {
			piece[len++] = fake_export_octet(pos++);
		}
		if (!sink->put(sink->to, bytes_of(piece, len))) {
			d->export_stopped = true;
			return ERR_OK;
		}
	}
	return d->export_end;
}

static enum err op_history(void *self, struct name name, struct control_version *out, size_t cap,
                           size_t *count)
{
	size_t i;

	if (!find(self, name, &i)) {
		return ERR_NOT_FOUND;
	}
	*count = i == FAKE_HELD ? ARRAY_LEN(versions) : 0;
	cr_assert(cap >= ARRAY_LEN(versions));
	for (size_t v = 0; v < *count; v++) {
		out[v] = versions[v];
	}
	return ERR_OK;
}

static enum err op_diff(void *self, struct name name, const struct control_pick pick[2],
                        const struct control_sink *sink)
{
	size_t i, a, b;
	char text[64];
	int len;

	if (!find(self, name, &i)) {
		return ERR_NOT_FOUND;
	}
	a = find_version(&pick[0], sink->why);
	b = find_version(&pick[1], sink->why);
	if (a == ARRAY_LEN(versions) || b == ARRAY_LEN(versions)) {
		return ERR_NOT_FOUND;
	}
	len = a == b ? 0
	             : snprintf(text, sizeof(text), "-%u\n+%u\n", versions[a].serial,
	                        versions[b].serial);
	sink->put(sink->to, bytes_of(text, (size_t)len));
	return ERR_OK;
}

static enum err op_act(void *self, struct name name, const struct control_version_act *act,
                       char why[CONTROL_REASON_MAX])
{
	struct control_pick pick = { CONTROL_PICK_SERIAL, act->serial };
	struct fake_daemon *d = self;
	size_t i;

	if (!find(d, name, &i)) {
		return ERR_NOT_FOUND;
	}
	if (i != FAKE_HELD) {
		snprintf(why, CONTROL_REASON_MAX, "nothing is held");
		return ERR_NOT_FOUND;
	}
	if (act->act == CONTROL_ROLLBACK && find_version(&pick, why) == ARRAY_LEN(versions)) {
		return ERR_NOT_FOUND;
	}
	d->act = *act;
	atomic_fetch_add(&d->acts, 1);
	return ERR_OK;
}

void fake_primary(size_t i, struct control_primary *out)
{
	*out = (struct control_primary){
		.addr = { .family = 4, .port = 53, .ip = { 10, 0, (uint8_t)(i >> 8), (uint8_t)i } },
		.name_count = i == 0 ? 2 : 1,
		.state = i == 0   ? CONTROL_PRIMARY_DOWN
		         : i == 3 ? CONTROL_PRIMARY_UNUSED
		                  : CONTROL_PRIMARY_UP,
		.max_connections = 8,
		.max_transfers = 512,
	};
	snprintf(out->names[0], sizeof(out->names[0]), "p%zu", i);
	if (out->state == CONTROL_PRIMARY_UNUSED) {
		return;
	}
	out->workers = 2;
	out->connections = i;
	out->window = 16;
	out->asks_window = 8;
	if (i == 0) {
		snprintf(out->names[1], sizeof(out->names[1]), "other");
		out->trying = true;
		out->workers_down = 1;
		out->down_since_s = FAKE_NOW_S - 300;
		out->next_try_at_s = FAKE_NOW_S + 4;
		out->last_error = ERR_PEER_REFUSED;
		out->last_error_at_s = FAKE_NOW_S - 5;
		out->parked = 1234;
		return;
	}
	out->running[CONTROL_LANE_DUE] = 5;
	out->running[CONTROL_LANE_FIRST] = 3;
	out->waiting[CONTROL_LANE_NOTIFY] = 2;
	out->waiting[CONTROL_LANE_FIRST] = 100000;
	out->asks_running = 4;
	out->asks_waiting = 6;
	out->connect_ns = 250 * 1000;
	out->answer_ns = 1500 * 1000;
	out->rest_ns = 900 * 1000;
	if (i == 1) {
		out->waiting_rough = true;
		out->connections_borne = 2;
		out->ability = CONTROL_CAN_SERIAL;
		out->silent_udp = true;
		out->queries_per_s = 50;
	} else {
		out->ask_ns = 700 * 1000;
	}
}

static enum err op_primaries(void *self, struct control_primaries *out)
{
	struct fake_daemon *d = self;

	if (d->primaries_fail) {
		return ERR_BUSY;
	}
	*out = (struct control_primaries){ .rows = mem_new((d->primaries + 1) * sizeof(*out->rows)),
		                           .count = d->primaries,
		                           .left_out = d->primaries_left_out };
	for (size_t i = 0; i < d->primaries; i++) {
		fake_primary(i, &out->rows[i]);
	}
	return ERR_OK;
}

static enum err op_store_stats(void *self, struct control_store *out)
{
	struct fake_daemon *d = self;

	*out = (struct control_store){ .zones = d->zones,
		                       .versions = 2 * d->zones,
		                       .nodes = 7,
		                       .bodies = 9,
		                       .node_bytes = 1000,
		                       .body_bytes = 500,
		                       .snapshot_bytes = 548,
		                       .wire_bytes = 5120,
		                       .commits = 100,
		                       .updates = 300 };
	for (unsigned i = 0; i < 100; i++) {
		durations_add(&out->wait, (i < 95 ? 1 : 8) * NS_PER_MS);
	}
	return ERR_OK;
}

static enum err op_store_check(void *self, const struct control_sink *sink)
{
	struct fake_daemon *d = self;

	if (d->check_lines == NULL) {
		return ERR_DISK;
	}
	sink->put(sink->to, bytes_str(d->check_lines));
	while (d->check_thinks && !d->check_stopped) {
		poll(NULL, 0, 1);
		d->check_stopped = !sink->put(sink->to, bytes_of(NULL, 0));
	}
	return d->check_end;
}

static enum err op_reload(void *self, struct control_reload *out, char *why, size_t why_cap)
{
	struct fake_daemon *d = self;

	atomic_fetch_add(&d->reloads, 1);
	if (d->reload != ERR_OK) {
		snprintf(why, why_cap, "axfarm.yaml:3: zones: nothing \"good\"");
		return d->reload;
	}
	*out = (struct control_reload){ d->zones, 3, 2, 1 };
	return ERR_OK;
}

static void op_stop(void *self)
{
	struct fake_daemon *d = self;

	atomic_fetch_add(&d->stops, 1);
}

static void write_nothing(void *self, const char *line, size_t len)
{
	(void)self;
	(void)line;
	(void)len;
}

void fake_start(struct fake_daemon *d)
{
	struct control_options options = { .ops = &d->ops, .events = &d->events };
	char why[CONTROL_WHY_MAX] = "";
	enum err e;

	d->ops = (struct control_ops){ .self = d,
		                       .status = op_status,
		                       .zone_page = op_zone_page,
		                       .zone_get = op_zone_get,
		                       .zone_refresh = op_refresh,
		                       .zone_retransfer = op_retransfer,
		                       .zone_export = op_export,
		                       .zone_history = op_history,
		                       .zone_diff = op_diff,
		                       .zone_act = op_act,
		                       .primaries = op_primaries,
		                       .store_stats = op_store_stats,
		                       .store_check = op_store_check,
		                       .reload = op_reload,
		                       .stop = op_stop };
	d->events.env = env_system();
	d->events.write_fn = write_nothing;
	snprintf(d->folder, sizeof(d->folder), "/tmp/axfarm-test-XXXXXX");
	cr_assert(mkdtemp(d->folder) != NULL);
	snprintf(d->path, sizeof(d->path), "%s/sock", d->folder);
	options.socket_path = d->path;
	options.env = env_system();
	e = control_start(&options, &d->control, why);
	cr_assert(eq(int, e, ERR_OK), "%s", why);
}

void fake_stop(struct fake_daemon *d)
{
	control_stop(d->control);
	cr_expect(eq(int, access(d->path, F_OK), -1));
	cr_expect(eq(int, rmdir(d->folder), 0));
}

unsigned fake_call(const struct fake_daemon *d, const char *method, const char *target, char **body)
{
	struct ctl_call call;
	char why[256];
	unsigned status = 0;
	FILE *to;
	size_t body_len;

	*body = NULL;
	if (call_begin(&call, d->path, method, target, why)) {
		char block[1000];
		size_t len;

		to = open_memstream(body, &body_len);
		while ((len = call_read(&call, block, sizeof(block))) > 0) {
			fwrite(block, 1, len, to);
		}
		fclose(to);
		status = call.broken ? 0 : call.status;
	}
	call_end(&call);
	return status;
}
