/* SPDX-License-Identifier: MIT
 *
 * control/http_export.c — a zone file, sent while it is being made.
 *
 * The daemon pushes text (struct control_ops), libmicrohttpd pulls it: a thread of the export's own
 * writes into a buffer of EXPORT_BYTES and waits while that is full, so that a zone of any size
 * takes no more memory than a small one. */
#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "control/http_p.h"

struct zone_export {
	struct control *control;
	struct name_buf name;
	pthread_t maker;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of the fields below */
	size_t begin;           /* of what is in the buffer; it goes round */
	size_t len;
	bool done;     /* the maker is through, with `result` */
	bool unwanted; /* the reader is gone */
	enum err result;
	uint8_t buffer[EXPORT_BYTES];
};

/* Copies as much as fits; returns how much. */
static size_t buffer_put(struct zone_export *x, struct bytes text)
{
	size_t at = (x->begin + x->len) % EXPORT_BYTES;
	size_t room = EXPORT_BYTES - x->len;
	size_t part = EXPORT_BYTES - at;

	part = part < room ? part : room;
	part = part < text.len ? part : text.len;
	memcpy(x->buffer + at, text.at, part);
	x->len += part;
	return part;
}

static size_t buffer_take(struct zone_export *x, char *out, size_t max)
{
	size_t part = EXPORT_BYTES - x->begin;

	part = part < x->len ? part : x->len;
	part = part < max ? part : max;
	memcpy(out, x->buffer + x->begin, part);
	x->begin = (x->begin + part) % EXPORT_BYTES;
	x->len -= part;
	return part;
}

/* Called by the daemon; waits for room. False: stop. */
static bool export_put(void *to, struct bytes text)
{
	struct zone_export *x = to;
	bool wanted;

	pthread_mutex_lock(&x->lock);
	while (text.len > 0 && !x->unwanted) {
		size_t part = buffer_put(x, text);

		text = bytes_of(text.at + part, text.len - part);
		pthread_cond_broadcast(&x->changed);
		while (x->len == EXPORT_BYTES && !x->unwanted) {
			pthread_cond_wait(&x->changed, &x->lock);
		}
	}
	wanted = !x->unwanted;
	pthread_mutex_unlock(&x->lock);
	return wanted;
}

static void *export_make(void *arg)
{
	struct zone_export *x = arg;
	const struct control_ops *ops = x->control->ops;
	enum err e = ops->zone_export(ops->self, name_of(&x->name), export_put, x);

	pthread_mutex_lock(&x->lock);
	x->done = true;
	x->result = e;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->lock);
	return NULL;
}

static ssize_t export_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct zone_export *x = cls;
	ssize_t got;

	(void)pos;
	pthread_mutex_lock(&x->lock);
	while (x->len == 0 && !x->done) {
		pthread_cond_wait(&x->changed, &x->lock);
	}
	if (x->len > 0) {
		got = (ssize_t)buffer_take(x, out, max);
		pthread_cond_broadcast(&x->changed);
	} else {
		got = x->result == ERR_OK ? MHD_CONTENT_READER_END_OF_STREAM
		                          : MHD_CONTENT_READER_END_WITH_ERROR;
	}
	pthread_mutex_unlock(&x->lock);
	return got;
}

/* The answer is out, or nobody wants it any more. */
static void export_free(void *cls)
{
	struct zone_export *x = cls;

	pthread_mutex_lock(&x->lock);
	x->unwanted = true;
	pthread_cond_broadcast(&x->changed);
	pthread_mutex_unlock(&x->lock);
	pthread_join(x->maker, NULL);
	pthread_cond_destroy(&x->changed);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

/* Waits until there is text to send or the maker gave up; its error if there is none to send. */
static enum err export_begun(struct zone_export *x)
{
	enum err e;

	pthread_mutex_lock(&x->lock);
	while (x->len == 0 && !x->done) {
		pthread_cond_wait(&x->changed, &x->lock);
	}
	e = x->len > 0 ? ERR_OK : x->result;
	pthread_mutex_unlock(&x->lock);
	return e;
}

static enum MHD_Result export_queue(struct zone_export *x, struct MHD_Connection *connection)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, EXPORT_BYTES / 4, export_read, x, export_free);
	enum MHD_Result result;

	if (response == NULL) {
		export_free(x);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "text/dns"); /* RFC 4027 */
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result http_export(struct control *c, struct MHD_Connection *connection, struct name name)
{
	struct zone_export *x = mem_zero(1, sizeof(*x));
	enum err e;

	x->control = c;
	name_copy(name, &x->name);
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->changed, NULL);
	/* Signals stay blocked, as in the thread that starts this one. */
	if (pthread_create(&x->maker, NULL, export_make, x) != 0) {
		pthread_cond_destroy(&x->changed);
		pthread_mutex_destroy(&x->lock);
		free(x);
		return http_fail(connection, ERR_BUSY);
	}
	e = export_begun(x);
	if (e != ERR_OK) {
		export_free(x);
		return e == ERR_NOT_FOUND
		               ? http_error(connection, MHD_HTTP_NOT_FOUND, err_code(e),
		                            "there is no such zone, or nothing of it is served")
		               : http_fail(connection, e);
	}
	return export_queue(x, connection);
}
