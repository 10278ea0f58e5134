/* SPDX-License-Identifier: MIT
 *
 * control/http.c — what a request asks for, and who answers it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "control/http_p.h"

#define ZONES_PATH "/v1/zones"
#define RELOAD_WHY 1024

enum MHD_Result http_json(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result;

	if (response == NULL) {
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
		MHD_add_response_header(response, "Allow", "GET, POST");
	}
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result http_text(struct MHD_Connection *connection, unsigned status, char *text)
{
	enum MHD_Result result = http_json(connection, status, text);

	free(text);
	return result;
}

enum MHD_Result http_error(struct MHD_Connection *connection, unsigned status, const char *code,
                           const char *text)
{
	return http_text(connection, status, json_error(code, text));
}

static unsigned status_of(enum err e)
{
	switch (e) {
	case ERR_NOT_FOUND:
		return MHD_HTTP_NOT_FOUND;
	case ERR_BUSY:
	case ERR_STOPPING:
		return MHD_HTTP_SERVICE_UNAVAILABLE;
	case ERR_TEXT:
	case ERR_CONFIG:
		return MHD_HTTP_BAD_REQUEST;
	case ERR_NOT_ALLOWED:
		return MHD_HTTP_FORBIDDEN;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

enum MHD_Result http_fail(struct MHD_Connection *connection, enum err e, const char *why)
{
	const char *text = e == ERR_NOT_FOUND ? "there is no such zone" : err_text(e);

	return http_error(connection, status_of(e), err_code(e), why[0] != '\0' ? why : text);
}

const char *http_argument(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

bool http_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (text[0] < '0' || text[0] > '9') {
		return false;
	}
	errno = 0;
	*out = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0 && *out <= max;
}

/* Paths are cut before they are unescaped: a zone's name may hold a "/" (RFC 2317). */
size_t http_unescape_nothing(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads %XX in `text`; false where that is malformed or does not fit. */
static bool unescape(struct bytes text, struct writer *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.at[i];

		if (c == '%') {
			int hi = text.len - i > 2 ? hex_value((char)text.at[i + 1]) : -1;
			int lo = text.len - i > 2 ? hex_value((char)text.at[i + 2]) : -1;

			if (hi < 0 || lo < 0) {
				return false;
			}
			c = (uint8_t)(hi * 16 + lo);
			i += 2;
		}
		if (!writer_u8(out, c)) {
			return false;
		}
	}
	return true;
}

typedef enum err (*zone_act)(void *self, struct name name);

static enum MHD_Result zone_act_answer(struct control *c, struct MHD_Connection *connection,
                                       struct name name, const char *action)
{
	zone_act act =
		strcmp(action, "refresh") == 0 ? c->ops->zone_refresh : c->ops->zone_retransfer;
	enum err e = act(c->ops->self, name);

	if (e != ERR_OK) {
		return http_fail(connection, e, "");
	}
	return http_text(connection, MHD_HTTP_ACCEPTED, json_action(name, action));
}

static enum MHD_Result zone_get(struct control *c, struct MHD_Connection *connection,
                                struct name name)
{
	struct control_zone *zone = mem_zero(1, sizeof(*zone));
	enum err e = c->ops->zone_get(c->ops->self, name, zone);
	enum MHD_Result result = e != ERR_OK
	                                 ? http_fail(connection, e, "")
	                                 : http_text(connection, MHD_HTTP_OK, json_of_zone(zone));

	free(zone);
	return result;
}

static enum MHD_Result not_found(struct MHD_Connection *connection)
{
	return http_error(connection, MHD_HTTP_NOT_FOUND, "not-found", "there is no such path");
}

static enum MHD_Result wrong_method(struct MHD_Connection *connection)
{
	return http_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method-not-allowed",
	                  "this path does not go with this method");
}

/* What is asked of one zone: `action` is "" for the zone itself. */
static enum MHD_Result zone_action(struct control *c, struct MHD_Connection *connection,
                                   struct name name, const char *action, bool post)
{
	const struct version_action *of_versions = http_version_action(action);
	bool act = strcmp(action, "refresh") == 0 || strcmp(action, "retransfer") == 0;

	if ((of_versions != NULL ? of_versions->post : act) != post) {
		return wrong_method(connection);
	}
	if (of_versions != NULL) {
		return of_versions->answer(c, connection, name, of_versions);
	}
	return act ? zone_act_answer(c, connection, name, action) : zone_get(c, connection, name);
}

static bool action_known(const char *action)
{
	return action[0] == '\0' || strcmp(action, "refresh") == 0 ||
	       strcmp(action, "retransfer") == 0 || http_version_action(action) != NULL;
}

/* "NAME" or "NAME/ACTION", after the slash of "/v1/zones/". */
static enum MHD_Result zone_answer(struct control *c, struct MHD_Connection *connection,
                                   const char *path, bool post)
{
	const char *slash = strchr(path, '/');
	const char *action = slash == NULL ? "" : slash + 1;
	size_t len = slash == NULL ? strlen(path) : (size_t)(slash - path);
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text));
	struct name_buf name;

	if (!action_known(action)) {
		return not_found(connection);
	}
	if (len == 0 || !unescape(bytes_of(path, len), &w) ||
	    name_parse(writer_bytes(&w), NULL, &name) != ERR_OK) {
		return http_error(connection, MHD_HTTP_BAD_REQUEST, "bad-name",
		                  "this is not a domain name");
	}
	return zone_action(c, connection, name_of(&name), action, post);
}

static enum MHD_Result status_answer(struct control *c, struct MHD_Connection *connection)
{
	struct control_status status = { 0 };
	enum err e = c->ops->status(c->ops->self, &status);

	if (e != ERR_OK) {
		return http_fail(connection, e, "");
	}
	return http_text(connection, MHD_HTTP_OK, json_status(&status));
}

static enum MHD_Result reload_answer(struct control *c, struct MHD_Connection *connection)
{
	struct control_reload done = { 0 };
	char why[RELOAD_WHY] = "";
	enum err e = c->ops->reload(c->ops->self, &done, why, sizeof(why));

	if (e != ERR_OK) {
		return http_fail(connection, e, why);
	}
	return http_text(connection, MHD_HTTP_OK, json_reload(&done));
}

static enum MHD_Result stop_answer(struct control *c, struct MHD_Connection *connection)
{
	(void)c; /* the daemon is told once the answer is out */
	return http_json(connection, MHD_HTTP_ACCEPTED, "{\"stopping\":true}");
}

/* Paths that are not about one zone. */
static const struct {
	const char *path;
	bool post;
	enum MHD_Result (*answer)(struct control *c, struct MHD_Connection *connection);
} paths[] = {
	{ "/v1/status", false, status_answer },
	{ ZONES_PATH, false, http_zones },
	{ "/v1/primaries", false, http_primaries },
	{ "/v1/store/stats", false, http_store_stats },
	{ "/v1/store/check", true, http_store_check },
	{ "/v1/reload", true, reload_answer },
	{ "/v1/stop", true, stop_answer },
};

static enum MHD_Result route(struct request *r, struct MHD_Connection *connection, const char *url,
                             const char *method)
{
	static const char zones[] = ZONES_PATH "/";
	bool post = strcmp(method, "POST") == 0;

	if (!post && strcmp(method, "GET") != 0) {
		return wrong_method(connection);
	}
	if (strncmp(url, zones, sizeof(zones) - 1) == 0) {
		return zone_answer(r->control, connection, url + sizeof(zones) - 1, post);
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (strcmp(url, paths[i].path) != 0) {
			continue;
		}
		if (paths[i].post != post) {
			return wrong_method(connection);
		}
		r->stop = paths[i].answer == stop_answer;
		return paths[i].answer(r->control, connection);
	}
	return not_found(connection);
}

/* The first call for a request: its header lines are there. */
static enum MHD_Result begin(struct control *c, struct MHD_Connection *connection, void **request)
{
	const char *length =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
	struct request *r = mem_zero(1, sizeof(*r));

	r->control = c;
	atomic_fetch_add(&c->requests, 1);
	*request = r;
	if (length != NULL && strtoull(length, NULL, 10) > CONTROL_BODY_MAX_BYTES) {
		return http_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "too-large",
		                  "a request has no use for such a body");
	}
	return MHD_YES;
}

enum MHD_Result http_answer(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *data, size_t *len,
                            void **request)
{
	struct request *r = *request;

	(void)version;
	(void)data;
	if (r == NULL) {
		return begin(cls, connection, request);
	}
	if (*len > 0) {
		r->body_len += *len;
		*len = 0;
		return r->body_len > CONTROL_BODY_MAX_BYTES ? MHD_NO : MHD_YES;
	}
	return route(r, connection, url, method);
}

void http_completed(void *cls, struct MHD_Connection *connection, void **request,
                    enum MHD_RequestTerminationCode why)
{
	struct request *r = *request;
	struct control *c = cls;

	(void)connection;
	(void)why;
	if (r == NULL) {
		return;
	}
	if (r->stop) {
		c->ops->stop(c->ops->self);
	}
	free(r);
	*request = NULL;
	atomic_fetch_sub(&c->requests, 1);
}
