/* SPDX-License-Identifier: MIT
 *
 * control/http_stream.c — text of any length, sent while it is being made.
 *
 * The daemon pushes text (struct control_sink), libmicrohttpd pulls it: a thread of the stream's own
 * writes into a buffer of STREAM_BYTES and waits while that is full, so that a zone of any size
 * takes no more memory than a small one. */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "control/http_p.h"

struct stream {
	struct stream_request request;
	pthread_t maker;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of the fields below */
	size_t begin;           /* of what is in the buffer; it goes round */
	size_t len;
	bool done;     /* the maker is through, with `result` */
	bool unwanted; /* the reader is gone */
	enum err result;
	char why[CONTROL_REASON_MAX];
	uint8_t buffer[STREAM_BYTES];
};

/* Copies as much as fits; returns how much. */
static size_t buffer_put(struct stream *s, struct bytes text)
{
	size_t at = (s->begin + s->len) % STREAM_BYTES;
	size_t room = STREAM_BYTES - s->len;
	size_t part = STREAM_BYTES - at;

	part = part < room ? part : room;
	part = part < text.len ? part : text.len;
	memcpy(s->buffer + at, text.at, part);
	s->len += part;
	return part;
}

static size_t buffer_take(struct stream *s, char *out, size_t max)
{
	size_t part = STREAM_BYTES - s->begin;

	part = part < s->len ? part : s->len;
	part = part < max ? part : max;
	memcpy(out, s->buffer + s->begin, part);
	s->begin = (s->begin + part) % STREAM_BYTES;
	s->len -= part;
	return part;
}

/* Called by the daemon; waits for room. False: stop. */
static bool stream_put(void *to, struct bytes text)
{
	struct stream *s = to;
	bool wanted;

	pthread_mutex_lock(&s->lock);
	while (text.len > 0 && !s->unwanted) {
		size_t part = buffer_put(s, text);

		text = bytes_of(text.at + part, text.len - part);
		pthread_cond_broadcast(&s->changed);
		while (s->len == STREAM_BYTES && !s->unwanted) {
			pthread_cond_wait(&s->changed, &s->lock);
		}
	}
	wanted = !s->unwanted;
	pthread_mutex_unlock(&s->lock);
	return wanted;
}

static void *stream_run(void *arg)
{
	struct stream *s = arg;
	struct control_sink sink = { .put = stream_put, .to = s, .why = s->why };
	enum err e = s->request.make(&s->request, &sink);

	pthread_mutex_lock(&s->lock);
	s->done = true;
	s->result = e;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* Waits until there is text, or the maker is through. False: we are stopping. The lock is held. */
static bool stream_wait(struct stream *s)
{
	while (s->len == 0 && !s->done) {
		uint64_t until = env_mono_ns(env_system()) + STREAM_LOOK_MS * NS_PER_MS;
		struct timespec ts = { (time_t)(until / NS_PER_S), (long)(until % NS_PER_S) };

		if (atomic_load(&s->request.control->stopping)) {
			return false;
		}
		pthread_cond_timedwait(&s->changed, &s->lock, &ts);
	}
	return true;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct stream *s = cls;
	ssize_t got;

	(void)pos;
	pthread_mutex_lock(&s->lock);
	if (!stream_wait(s)) {
		got = MHD_CONTENT_READER_END_WITH_ERROR;
	} else if (s->len > 0) {
		got = (ssize_t)buffer_take(s, out, max);
		pthread_cond_broadcast(&s->changed);
	} else {
		got = s->result == ERR_OK ? MHD_CONTENT_READER_END_OF_STREAM
		                          : MHD_CONTENT_READER_END_WITH_ERROR;
	}
	pthread_mutex_unlock(&s->lock);
	return got;
}

/* The answer is out, or nobody wants it any more. */
static void stream_free(void *cls)
{
	struct stream *s = cls;

	pthread_mutex_lock(&s->lock);
	s->unwanted = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->maker, NULL);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* Waits until there is text to send or the maker gave up; its error if there is none to send. */
static enum err stream_begun(struct stream *s)
{
	enum err e;

	pthread_mutex_lock(&s->lock);
	e = !stream_wait(s) ? ERR_STOPPING : s->len > 0 ? ERR_OK : s->result;
	pthread_mutex_unlock(&s->lock);
	return e;
}

static enum MHD_Result stream_queue(struct stream *s, struct MHD_Connection *connection)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BYTES / 4, stream_read, s, stream_free);
	enum MHD_Result result;

	if (response == NULL) {
		stream_free(s);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", s->request.type);
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result http_stream(struct MHD_Connection *connection, const struct stream_request *request)
{
	struct stream *s = mem_zero(1, sizeof(*s));
	pthread_condattr_t attr;
	enum MHD_Result result;
	enum err e;

	s->request = *request;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals stay blocked, as in the thread that starts this one. */
	if (pthread_create(&s->maker, NULL, stream_run, s) != 0) {
		pthread_cond_destroy(&s->changed);
		pthread_mutex_destroy(&s->lock);
		free(s);
		return http_fail(connection, ERR_BUSY, "");
	}
	e = stream_begun(s);
	if (e != ERR_OK) {
		/* While stopping the maker may still be at it. */
		result = http_fail(connection, e, e == ERR_STOPPING ? "" : s->why);
		stream_free(s);
		return result;
	}
	return stream_queue(s, connection);
}
