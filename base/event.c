/* SPDX-License-Identifier: MIT
 *
 * base/event.c — the table of events, and how a line is made of one. */
#include "base/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LEN 4096

static const char transfer_done[] =
	"zone {zone}: {kind} from {primary}: Transfer completed: {messages} messages, {records} "
	"records, {bytes} bytes, {secs} secs ({rate} bytes/sec) (serial {serial})";
static const char xfr_out_done[] =
	"zone {zone}: {kind} to {to}: Transfer completed: {messages} messages, {records} records, "
	"{bytes} bytes, {secs} secs ({rate} bytes/sec) (serial {serial})";

static const struct {
	const char *name;
	enum event_level level;
	const char *text;
} kinds[EVENT_COUNT] = {
	[EVENT_STARTED] = { "started", LEVEL_INFO,
	                    "axfarm {version} started: {workers} workers, {zones} zones" },
	[EVENT_STOPPING] = { "stopping", LEVEL_INFO, "stopping: {reason}" },
	[EVENT_STOPPED] = { "stopped", LEVEL_INFO, "stopped" },
	[EVENT_LISTENING] = { "listening", LEVEL_INFO, "listening on {address}" },
	[EVENT_CONFIG_LOADED] = { "config-loaded", LEVEL_INFO,
	                          "configuration {path}: {zones} zones ({added} added, {removed} "
	                          "removed, {changed} changed)" },
	[EVENT_CONFIG_FAILED] = { "config-failed", LEVEL_ERROR,
	                          "configuration not applied: {error}" },
	[EVENT_RESTART_NEEDED] = { "restart-needed", LEVEL_WARNING,
	                           "configuration {path}: server, database and control settings "
	                           "changed; they take effect at the next start" },
	[EVENT_SYSTEM_FAILED] = { "system-failed", LEVEL_ERROR, "{what}: {error}" },
	[EVENT_TRANSFER_STARTED] = { "transfer-started", LEVEL_DEBUG,
	                             "zone {zone}: {kind} from {primary} started" },
	[EVENT_TRANSFER_DONE] = { "transfer-done", LEVEL_INFO, transfer_done },
	[EVENT_TRANSFER_FAILED] = { "transfer-failed", LEVEL_WARNING,
	                            "zone {zone}: {kind} from {primary} failed: {error}" },
	[EVENT_TRANSFER_FALLBACK] = { "transfer-fallback", LEVEL_INFO,
	                              "zone {zone}: IXFR from {primary} failed, asking for AXFR: "
	                              "{error}" },
	[EVENT_TRANSFER_OUTSIDE] = { "transfer-outside", LEVEL_WARNING,
	                             "zone {zone}: {ignored} records from {primary} lie outside of "
	                             "the zone and were ignored" },
	[EVENT_REFRESH_CURRENT] = { "refresh-current", LEVEL_DEBUG,
	                            "zone {zone}: {primary} has no news (serial {serial})" },
	[EVENT_REFRESH_FAILED] = { "refresh-failed", LEVEL_WARNING,
	                           "zone {zone}: refresh from {primary} failed: {error}" },
	[EVENT_PRIMARY_DOWN] = { "primary-down", LEVEL_ERROR,
	                         "primary {primary} is cut off: {error}; its zones wait for it" },
	[EVENT_PRIMARY_UP] = { "primary-up", LEVEL_INFO,
	                       "primary {primary} answers again; its zones catch up" },
	[EVENT_PRIMARY_ABILITY] = { "primary-ability", LEVEL_WARNING,
	                            "primary {primary} is asked for less at once from now on: "
	                            "{ability}" },
	[EVENT_SERIAL_LOWER] = { "serial-lower", LEVEL_WARNING,
	                         "zone {zone}: {primary} has serial {serial}, older than our "
	                         "{ours}" },
	[EVENT_SERIAL_BACK] = { "serial-back", LEVEL_WARNING,
	                        "zone {zone}: {primary} went back from serial {ours} to {serial}, "
	                        "a version that is kept" },
	[EVENT_SERIAL_FOLLOWED] = { "serial-followed", LEVEL_WARNING,
	                            "zone {zone}: following {primary} from serial {ours} back to "
	                            "{serial}" },
	[EVENT_CONTENT_KNOWN] = { "content-known", LEVEL_INFO,
	                          "zone {zone}: serial {serial} has the very content of serial "
	                          "{kept}, which is kept" },
	[EVENT_CONTENT_DIFFERS] = { "content-differs", LEVEL_WARNING,
	                            "zone {zone}: serial {serial} of {primary} is not what {ours} "
	                            "sent under the same serial" },
	[EVENT_VERSION_HELD] = { "version-held", LEVEL_WARNING,
	                         "zone {zone}: serial {serial} from {primary} is not served but "
	                         "held: {reason} "
	                         "({records} records, {served} are served)" },
	[EVENT_GUARD_PASSED] = { "guard-passed", LEVEL_WARNING,
	                         "zone {zone}: serial {serial} would be held, had the zone not "
	                         "expired: {reason}" },
	[EVENT_ZONE_EXPIRED] = { "zone-expired", LEVEL_ERROR,
	                         "zone {zone}: expired at serial {serial}" },
	[EVENT_ZONE_RECOVERED] = { "zone-recovered", LEVEL_INFO,
	                           "zone {zone}: in step again (serial {serial})" },
	[EVENT_ZONE_PUBLISHED] = { "zone-published", LEVEL_DEBUG,
	                           "zone {zone}: serial {serial} is served ({records} records, "
	                           "root "
	                           "{root})" },
	[EVENT_NOTIFY_IN] = { "notify-in", LEVEL_DEBUG, "zone {zone}: NOTIFY from {from}" },
	[EVENT_NOTIFY_REFUSED] = { "notify-refused", LEVEL_INFO,
	                           "zone {zone}: NOTIFY from {from} refused: {error}" },
	[EVENT_NOTIFY_OUT] = { "notify-out", LEVEL_DEBUG,
	                       "zone {zone}: NOTIFY to {to} answered (serial {serial})" },
	[EVENT_NOTIFY_OUT_FAILED] = { "notify-out-failed", LEVEL_WARNING,
	                              "zone {zone}: NOTIFY to {to} failed: {error}" },
	[EVENT_NOTIFY_SILENT] = { "notify-silent", LEVEL_WARNING,
	                          "NOTIFY to {to}: no answer; {zones} zones wait until there is "
	                          "one" },
	[EVENT_NOTIFY_ANSWERED] = { "notify-answered", LEVEL_INFO,
	                            "NOTIFY to {to}: answered after {secs} secs; {zones} zones "
	                            "are told now, {dropped} were dropped" },
	[EVENT_NOTIFY_GIVEN_UP] = { "notify-given-up", LEVEL_WARNING,
	                            "NOTIFY to {to}: no answer for {secs} secs; {zones} zones are "
	                            "dropped" },
	[EVENT_XFR_OUT_DONE] = { "xfr-out-done", LEVEL_INFO, xfr_out_done },
	[EVENT_XFR_OUT_REFUSED] = { "xfr-out-refused", LEVEL_INFO,
	                            "zone {zone}: transfer to {to} refused: {error}" },
	[EVENT_XFR_OUT_FAILED] = { "xfr-out-failed", LEVEL_WARNING,
	                           "zone {zone}: transfer to {to} failed: {error}" },
	[EVENT_STORE_LOADED] = { "store-loaded", LEVEL_INFO,
	                         "store: {zones} zones loaded ({nodes} nodes, {bytes} bytes) in "
	                         "{secs} secs" },
	[EVENT_STORE_FAILED] = { "store-failed", LEVEL_ERROR,
	                         "store: new versions cannot be made durable and are not served: "
	                         "{error}" },
	[EVENT_STORE_RECOVERED] = { "store-recovered", LEVEL_INFO, "store: writing works again" },
	[EVENT_STORE_CORRUPT] = { "store-corrupt", LEVEL_ERROR,
	                          "zone {zone}: stored data is damaged ({what}); fetching it "
	                          "again" },
	[EVENT_STORE_SET_ASIDE] = { "store-set-aside", LEVEL_ERROR,
	                            "store: the database is damaged and was set aside as {path}; "
	                            "zones that are not in memory are fetched again" },
	[EVENT_TSIG_FAILED] = { "tsig-failed", LEVEL_INFO,
	                        "message from {from} with key {key}: {error}" },
};

static const char *const level_names[] = { "error", "warning", "info", "debug" };

const char *event_name(enum event_kind kind)
{
	assert(kind < EVENT_COUNT);
	return kinds[kind].name;
}

enum event_level event_level(enum event_kind kind)
{
	assert(kind < EVENT_COUNT);
	return kinds[kind].level;
}

/* A line under construction; what does not fit is cut, the end is always kept for "\n". */
struct line {
	char *at;
	size_t cap;
	size_t len;
};

static void line_put(struct line *l, const char *s, size_t len)
{
	size_t room = l->cap - l->len;

	len = len < room ? len : room;
	memcpy(l->at + l->len, s, len);
	l->len += len;
}

__attribute__((format(printf, 2, 3))) static void line_printf(struct line *l, const char *format,
                                                              ...)
{
	char part[320];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(part, sizeof(part), format, args);
	va_end(args);
	if (len > 0) {
		line_put(l, part, (size_t)len < sizeof(part) ? (size_t)len : sizeof(part) - 1);
	}
}

size_t event_print_name(struct bytes wire, char *out, size_t cap)
{
	struct line l = { out, cap - 1, 0 };
	size_t pos = 0;

	assert(cap > 0);
	while (pos < wire.len && wire.at[pos] != 0) {
		size_t len = wire.at[pos++];
		for (size_t i = 0; i < len && pos < wire.len; i++, pos++) {
			uint8_t c = wire.at[pos];
			if (c <= ' ' || c >= 0x7f) {
				line_printf(&l, "\\%03u", (unsigned)c);
			} else if (strchr(".;\\\"()@$", c) != NULL) {
				line_printf(&l, "\\%c", c);
			} else {
				line_put(&l, (const char *)&c, 1);
			}
		}
		line_put(&l, ".", 1);
	}
	if (l.len == 0) {
		line_put(&l, ".", 1);
	}
	out[l.len] = '\0';
	return l.len;
}

/* Escapes what is not printable ASCII, and quotes and backslashes, in a way that is also JSON. */
static void line_escaped(struct line *l, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c < ' ' || c >= 0x7f) {
			line_printf(l, "\\u%04x", (unsigned)c);
		} else {
			if (c == '"' || c == '\\') {
				line_put(l, "\\", 1);
			}
			line_put(l, s + i, 1);
		}
	}
}

static void line_value(struct line *l, const struct event_field *f, bool json)
{
	char text[EVENT_NAME_MAX];

	switch (f->type) {
	case FIELD_UINT:
		line_printf(l, "%llu", (unsigned long long)f->uint);
		return;
	case FIELD_INT:
		line_printf(l, "%lld", (long long)f->sint);
		return;
	case FIELD_REAL:
		line_printf(l, "%.3f", f->real);
		return;
	case FIELD_STR:
		snprintf(text, sizeof(text), "%s", f->str == NULL ? "" : f->str);
		break;
	case FIELD_TEXT:
		if (json) {
			line_put(l, "\"", 1);
		}
		line_escaped(l, (const char *)f->bytes.at, f->bytes.len);
		if (json) {
			line_put(l, "\"", 1);
		}
		return;
	case FIELD_NAME:
		event_print_name(f->bytes, text, sizeof(text));
		break;
	case FIELD_ADDR:
		addr_print(f->addr, text);
		break;
	case FIELD_ERR:
		snprintf(text, sizeof(text), "%s", json ? err_code(f->err) : err_text(f->err));
		break;
	}
	if (json) {
		line_put(l, "\"", 1);
		line_escaped(l, text, strlen(text));
		line_put(l, "\"", 1);
	} else {
		line_put(l, text, strlen(text));
	}
}

static const struct event_field *field_find(const struct event_field *fields, size_t count,
                                            const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(fields[i].name) == len && memcmp(fields[i].name, name, len) == 0) {
			return &fields[i];
		}
	}
	return NULL;
}

static void line_text(struct line *l, enum event_kind kind, const struct event_field *fields,
                      size_t count)
{
	uint64_t named = 0;

	for (const char *s = kinds[kind].text; *s != '\0';) {
		const char *end = strchr(s, '}');
		const struct event_field *f;
		if (*s != '{' || end == NULL) {
			line_put(l, s++, 1);
			continue;
		}
		f = field_find(fields, count, s + 1, (size_t)(end - s - 1));
		if (f != NULL) {
			line_value(l, f, false);
			named |= 1ULL << (f - fields);
		}
		s = end + 1;
	}
	for (size_t i = 0; i < count; i++) {
		bool empty = fields[i].type == FIELD_STR &&
		             (fields[i].str == NULL || fields[i].str[0] == '\0');
		if ((named >> i & 1) == 0 && !empty) {
			line_printf(l, " %s=", fields[i].name);
			line_value(l, &fields[i], false);
		}
	}
}

/* What a JSON line keeps free for its end, so that it stays an object however long its fields are.
 */
#define LINE_CUT     ",\"cut\":true"
#define LINE_CUT_LEN (sizeof(LINE_CUT) - 1)

static void line_json(struct line *l, enum event_kind kind, const struct event_field *fields,
                      size_t count)
{
	line_printf(l, "\"level\":\"%s\",\"event\":\"%s\"", level_names[kinds[kind].level],
	            kinds[kind].name);
	l->cap -= LINE_CUT_LEN;
	for (size_t i = 0; i < count; i++) {
		size_t before = l->len;
		line_printf(l, ",\"%s\":", fields[i].name);
		line_value(l, &fields[i], true);
		if (l->len == l->cap) {
			/* It may be incomplete: leave it and the rest out, and say so. */
			l->len = before;
			l->cap += LINE_CUT_LEN;
			line_put(l, LINE_CUT, LINE_CUT_LEN);
			return;
		}
	}
	l->cap += LINE_CUT_LEN;
}

static void line_time(struct line *l, const struct events *ev)
{
	int64_t wall = env_wall_s(ev->env);
	time_t t = (time_t)wall;
	struct tm tm;
	char text[32];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	line_put(l, text, strlen(text));
}

void event_emit(struct events *ev, enum event_kind kind, const struct event_field *fields,
                size_t count)
{
	char buffer[LINE_MAX_LEN];
	struct line l = { buffer, sizeof(buffer) - 2, 0 };

	assert(kind < EVENT_COUNT && count < 64);
	if (ev->watch_fn != NULL) {
		ev->watch_fn(ev->self, kind, fields, count);
	}
	if ((int)kinds[kind].level > atomic_load_explicit(&ev->level, memory_order_relaxed) ||
	    ev->write_fn == NULL) {
		return;
	}
	if (atomic_load_explicit(&ev->format, memory_order_relaxed) == EVENT_FORMAT_JSON) {
		line_put(&l, "{", 1);
		if (ev->timestamps) {
			line_put(&l, "\"time\":\"", 8);
			line_time(&l, ev);
			line_put(&l, "\",", 2);
		}
		line_json(&l, kind, fields, count);
		buffer[l.len++] = '}'; /* room was kept */
	} else {
		if (ev->timestamps) {
			line_time(&l, ev);
			line_put(&l, " ", 1);
		}
		line_printf(&l, "%s: ", level_names[kinds[kind].level]);
		line_text(&l, kind, fields, count);
	}
	buffer[l.len++] = '\n';
	ev->write_fn(ev->self, buffer, l.len);
}

static void write_fd(void *self, const char *line, size_t len)
{
	/* A log that cannot be written is not worth stopping for, and must never block a shard for
	 * long: one try. */
	if (write((int)(intptr_t)self, line, len) < 0) {
		return;
	}
}

void events_init(struct events *ev, const struct env *env, int fd)
{
	*ev = (struct events){ .level = LEVEL_INFO,
		               .timestamps = true,
		               .env = env,
		               .self = (void *)(intptr_t)fd,
		               .write_fn = write_fd };
}
