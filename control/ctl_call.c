/* SPDX-License-Identifier: MIT
 *
 * control/ctl_call.c — calls that are answered with one JSON value. */
#include <inttypes.h>
#include <string.h>

#include "control/ctl_p.h"

const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

uint64_t member_count(const json_t *object, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(object, name));

	return v < 0 ? 0 : (uint64_t)v;
}

const char *count_text(const json_t *object, const char *name, char out[static CTL_TIME_MAX])
{
	if (!json_is_integer(json_object_get(object, name))) {
		return "-";
	}
	snprintf(out, CTL_TIME_MAX, "%" PRIu64, member_count(object, name));
	return out;
}

const char *text_or_dash(const json_t *object, const char *name)
{
	const char *text = member_text(object, name);

	return text[0] == '\0' ? "-" : text;
}

void json_print(const struct ctl *ctl, const json_t *value)
{
	json_dumpf(value, ctl->out, JSON_COMPACT);
	fputc('\n', ctl->out);
}

void ctl_complain(const struct ctl *ctl, const char *about, const char *code, const char *text)
{
	json_t *value;

	if (ctl->json) {
		value = json_pack("{s:{s:s,s:s}}", "error", "code", code, "text", text);
		if (value != NULL) {
			json_print(ctl, value);
		}
		json_decref(value);
		return;
	}
	fprintf(ctl->err, "axfarmctl: %s%s%s\n", about, about[0] != '\0' ? ": " : "", text);
}

void ctl_refused(const struct ctl *ctl, const char *about, unsigned status, const json_t *body)
{
	const json_t *error = json_object_get(body, "error");
	char text[64];

	snprintf(text, sizeof(text), "the daemon answered with HTTP status %u", status);
	if (error == NULL) {
		ctl_complain(ctl, about, "http", text);
	} else {
		ctl_complain(ctl, about, member_text(error, "code"), member_text(error, "text"));
	}
}

static size_t read_json(void *buffer, size_t len, void *call)
{
	return call_read(call, buffer, len);
}

json_t *ctl_get(const struct ctl *ctl, const char *method, const char *target, const char *about,
                enum ctl_exit *result)
{
	struct ctl_call call;
	char why[256] = "";
	json_t *body = NULL;

	*result = CTL_NO;
	if (!call_begin(&call, ctl->socket_path, method, target, why)) {
		ctl_complain(ctl, "", "unreachable", why);
		call_end(&call);
		return NULL;
	}
	body = json_load_callback(read_json, &call, 0, NULL);
	if (call.broken) {
		ctl_complain(ctl, about, "broken", "the daemon's answer ended too early");
		json_decref(body);
		body = NULL;
	} else if (call.status < 200 || call.status > 299) {
		ctl_refused(ctl, about, call.status, body);
		json_decref(body);
		body = NULL;
	} else if (body == NULL) {
		ctl_complain(ctl, about, "broken", "the daemon's answer is not JSON");
	}
	call_end(&call);
	*result = body == NULL ? CTL_NO : CTL_YES;
	return body;
}

/* Keeps how the last line begins. */
static void copied_add(struct ctl_copied *c, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			c->ended = true;
			continue;
		}
		if (c->ended) {
			c->line_len = 0;
			c->ended = false;
		}
		if (c->line_len + 1 < sizeof(c->line)) {
			c->line[c->line_len++] = text[i];
			c->line[c->line_len] = '\0';
		}
	}
	c->octets += len;
}

static enum ctl_exit body_copy(const struct ctl *ctl, struct ctl_call *call, const char *about,
                               struct ctl_copied *out)
{
	const char *gap = about[0] != '\0' ? ": " : "";
	char block[16384];
	size_t len = call_read(call, block, sizeof(block));

	while (len > 0 && fwrite(block, 1, len, ctl->out) == len) {
		copied_add(out, block, len);
		fflush(ctl->out); /* who waits for a long answer sees how it grows */
		len = call_read(call, block, sizeof(block));
	}
	if (call->broken) {
		fprintf(ctl->err, "axfarmctl: %s%sthe answer is cut short\n", about, gap);
		return CTL_NO;
	}
	if (len > 0 || fflush(ctl->out) != 0) {
		fprintf(ctl->err, "axfarmctl: %s%scannot write to standard output\n", about, gap);
		return CTL_NO;
	}
	return CTL_YES;
}

enum ctl_exit ctl_copy(const struct ctl *ctl, const char *method, const char *target,
                       const char *about, struct ctl_copied *out)
{
	enum ctl_exit result = CTL_NO;
	struct ctl_call call;
	char why[256] = "";

	*out = (struct ctl_copied){ 0 };
	if (!call_begin(&call, ctl->socket_path, method, target, why)) {
		ctl_complain(ctl, "", "unreachable", why);
	} else if (call.status != 200) {
		json_t *body = json_load_callback(read_json, &call, 0, NULL);

		ctl_refused(ctl, about, call.status, body);
		json_decref(body);
	} else {
		result = body_copy(ctl, &call, about, out);
	}
	call_end(&call);
	return result;
}
