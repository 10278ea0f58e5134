/* SPDX-License-Identifier: MIT
 *
 * control/http_p.h — the parts of the control socket.
 *
 * control.c owns the listening socket and libmicrohttpd's threads, one thread a connection, so that
 * an answer may wait for the daemon. http.c finds out what a request asks for, http_versions.c,
 * http_primaries.c and http_store.c what it asks of versions, primaries and the store; http_zones.c and http_stream.c make the
 * answers that have no bound, piece by piece; json.c makes JSON. */
#pragma once

#include <microhttpd.h>
#include <stdatomic.h>

#include "control/control.h"

#define HTTP_MEMORY_BYTES 32768 /* of a connection: header lines and one block of answer */
#define HTTP_STACK_BYTES  (1U << 20)
#define HTTP_LINGER_MS    250   /* requests under way when control_stop() comes */
#define HTTP_PAGE_ZONES   128   /* asked of the daemon at once */
#define STREAM_LOOK_MS    100   /* between looks whether we are stopping, where no text comes */
#define STREAM_BYTES      65536 /* of text between its maker and its reader */
#define JSON_ZONE_MAX     4096  /* one zone as JSON, the longest name escaped twice */

struct control {
	const struct control_ops *ops;
	struct events *events;
	struct MHD_Daemon *http;
	_Atomic unsigned requests; /* under way */
	_Atomic bool stopping;     /* who waits for text, waits no longer */
	int fd;                    /* listening; -1 after it was closed */
	char path[108];
	uint64_t path_dev, path_ino; /* of the socket file that we made */
};

/* One request, from its first header line to the last octet of its answer. */
struct request {
	struct control *control;
	size_t body_len;
	bool stop; /* end the daemon once the answer is out */
};

/* control_socket.c */

/* Binds and listens at c->path, mode 0660. ERR_BUSY if somebody does already. */
MUST_USE enum err socket_listen(struct control *c, char why[static CONTROL_WHY_MAX]);
/* Removes the socket file if it is still the one that we made. */
void socket_remove(struct control *c);

/* http.c: callbacks of libmicrohttpd. */
enum MHD_Result http_answer(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *data, size_t *len,
                            void **request);
void http_completed(void *cls, struct MHD_Connection *connection, void **request,
                    enum MHD_RequestTerminationCode why);
size_t http_unescape_nothing(void *cls, struct MHD_Connection *connection, char *text);

/* Answers with JSON text, which is copied. */
enum MHD_Result http_json(struct MHD_Connection *connection, unsigned status, const char *text);
enum MHD_Result http_error(struct MHD_Connection *connection, unsigned status, const char *code,
                           const char *text);
/* As http_json(), with a text that is freed. */
enum MHD_Result http_text(struct MHD_Connection *connection, unsigned status, char *text);
/* Answers with the error, as the status that fits; `why` in place of its own sentence, if not empty. */
enum MHD_Result http_fail(struct MHD_Connection *connection, enum err e, const char *why);
/* The argument of the query; NULL if it is not there. */
const char *http_argument(struct MHD_Connection *connection, const char *name);
bool http_number(const char *text, uint64_t max, uint64_t *out);

/* http_zones.c */
enum MHD_Result http_zones(struct control *c, struct MHD_Connection *connection);

/* http_stream.c: the answer is what `make` writes; an error before its first octet has a status of
 * its own, a later one cuts the answer short. */
struct stream_request {
	struct control *control;
	const char *type; /* Content-Type */
	enum err (*make)(const struct stream_request *r, const struct control_sink *sink);
	struct name_buf name;
	struct control_pick pick[2];
	bool any_state; /* of primaries */
	enum control_primary_state state;
	uint64_t limit;
};

enum MHD_Result http_stream(struct MHD_Connection *connection,
                            const struct stream_request *request);

/* http_versions.c: what is asked of a zone's versions. NULL: there is no such action. */
struct version_action {
	const char *name;
	bool post;
	enum MHD_Result (*answer)(struct control *c, struct MHD_Connection *connection,
	                          struct name name, const struct version_action *action);
	enum control_act act;
};

const struct version_action *http_version_action(const char *name);

/* http_primaries.c */
enum MHD_Result http_primaries(struct control *c, struct MHD_Connection *connection);

/* http_store.c */
enum MHD_Result http_store_stats(struct control *c, struct MHD_Connection *connection);
enum MHD_Result http_store_check(struct control *c, struct MHD_Connection *connection);

/* json.c: text is the caller's to free(). */
char *json_status(const struct control_status *s);
char *json_reload(const struct control_reload *r);
char *json_action(struct name zone, const char *action);
char *json_error(const char *code, const char *text);
char *json_of_zone(const struct control_zone *z);
/* Writes into a buffer instead; returns the length. */
size_t json_zone(const struct control_zone *z, char out[static JSON_ZONE_MAX]);
const char *json_state_name(enum control_zone_state state);
bool json_state_parse(const char *text, enum control_zone_state *out);
char *json_history(struct name zone, const struct control_version *versions, size_t count);
char *json_acted(struct name zone, const char *action, const struct control_zone *now);
char *json_store(const struct control_store *s);
char *json_primary(const struct control_primary *p);
bool json_primary_state_parse(const char *text, enum control_primary_state *out);
