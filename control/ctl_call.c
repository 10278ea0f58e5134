/* SPDX-License-Identifier: MIT
 *
 * control/ctl_call.c — calls that are answered with one JSON value. */
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
