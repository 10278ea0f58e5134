/* SPDX-License-Identifier: MIT
 *
 * control/http_zones.c — the list of zones, made page by page while it is being sent. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "control/http_p.h"

#define BLOCK_BYTES 16384

struct listing {
	struct control *control;
	bool any_state;
	enum control_zone_state state;
	bool held;       /* only zones that have a version aside */
	uint64_t left;   /* zones that may still be told */
	uint64_t cursor; /* of the next page */
	bool ended;      /* there is no next page */
	bool begun;      /* a zone was told: the next needs a comma */
	bool closed;     /* the last octets are in `text` */
	size_t count;    /* zones in the page */
	size_t index;    /* the next of them */
	size_t len;      /* octets in `text` */
	size_t at;       /* the next of them */
	char text[JSON_ZONE_MAX + 64];
	struct control_zone page[HTTP_PAGE_ZONES];
};

/* Asks for the next page. Never for more zones than may be told, so that the cursor fits. */
static enum err listing_page(struct listing *l)
{
	size_t cap = l->left < HTTP_PAGE_ZONES ? (size_t)l->left : HTTP_PAGE_ZONES;
	const struct control_ops *ops = l->control->ops;

	static_assert(HTTP_PAGE_ZONES <= CONTROL_PAGE, "what the daemon gives at once");
	l->index = 0;
	l->count = 0;
	TRY(ops->zone_page(ops->self, &l->cursor, l->page, cap, &l->count));
	assert(l->count <= cap);
	l->ended = l->count == 0;
	return ERR_OK;
}

static void listing_put_zone(struct listing *l, const struct control_zone *z)
{
	char zone[JSON_ZONE_MAX];
	size_t len = json_zone(z, zone);

	memcpy(l->text, l->begun ? ",\n" : "\n", 2);
	l->len = l->begun ? 2 : 1;
	memcpy(l->text + l->len, zone, len);
	l->len += len;
	l->begun = true;
	l->left--;
}

static void listing_close(struct listing *l)
{
	if (l->ended) {
		l->len = (size_t)snprintf(l->text, sizeof(l->text), "\n],\"cursor\":null}\n");
	} else {
		l->len = (size_t)snprintf(l->text, sizeof(l->text), "\n],\"cursor\":\"%llu\"}\n",
		                          (unsigned long long)l->cursor);
	}
	l->closed = true;
}

static bool listing_wants(const struct listing *l, const struct control_zone *z)
{
	return (l->any_state || z->state == l->state) && (!l->held || z->held != CONTROL_HOLD_NONE);
}

/* Makes the next piece of text: a zone, or the end. */
static enum err listing_next(struct listing *l)
{
	l->at = 0;
	l->len = 0;
	for (;;) {
		while (l->index < l->count) {
			const struct control_zone *z = &l->page[l->index++];

			if (listing_wants(l, z)) {
				listing_put_zone(l, z);
				return ERR_OK;
			}
		}
		if (l->ended || l->left == 0) {
			listing_close(l);
			return ERR_OK;
		}
		TRY(listing_page(l));
	}
}

static ssize_t listing_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct listing *l = cls;
	size_t done = 0;

	(void)pos;
	while (done < max) {
		size_t part = l->len - l->at < max - done ? l->len - l->at : max - done;

		memcpy(out + done, l->text + l->at, part);
		l->at += part;
		done += part;
		if (l->at < l->len) {
			break;
		}
		if (l->closed) {
			return done > 0 ? (ssize_t)done : MHD_CONTENT_READER_END_OF_STREAM;
		}
		if (listing_next(l) != ERR_OK) {
			/* The answer ends in the middle, which its reader sees. */
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
	}
	return (ssize_t)done;
}

/* Reads what the query asks for; NULL, or what is wrong about it. */
static const char *listing_query(struct listing *l, struct MHD_Connection *connection)
{
	const char *state = http_argument(connection, "state");
	const char *cursor = http_argument(connection, "cursor");
	const char *limit = http_argument(connection, "limit");
	const char *held = http_argument(connection, "held");

	l->any_state = state == NULL || state[0] == '\0';
	l->left = UINT64_MAX;
	if (!l->any_state && !json_state_parse(state, &l->state)) {
		return "state is one of new, ok, refreshing, failing, expired";
	}
	if (cursor != NULL && !http_number(cursor, UINT64_MAX, &l->cursor)) {
		return "cursor is not one that was given out";
	}
	if (limit != NULL && (!http_number(limit, UINT64_MAX, &l->left) || l->left == 0)) {
		return "limit is a number above 0";
	}
	l->held = held != NULL && strcmp(held, "1") == 0;
	if (held != NULL && !l->held) {
		return "held is 1, or not there";
	}
	return NULL;
}

static enum MHD_Result listing_queue(struct listing *l, struct MHD_Connection *connection)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK_BYTES, listing_read, l, free);
	enum MHD_Result result;

	if (response == NULL) {
		free(l);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", "application/json");
	result = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response); /* frees the listing once the last octet is out */
	return result;
}

enum MHD_Result http_zones(struct control *c, struct MHD_Connection *connection)
{
	struct listing *l = mem_zero(1, sizeof(*l));
	enum MHD_Result result;
	const char *wrong;
	enum err e;

	l->control = c;
	wrong = listing_query(l, connection);
	if (wrong != NULL) {
		free(l);
		return http_error(connection, MHD_HTTP_BAD_REQUEST, "bad-request", wrong);
	}
	/* The first page before the status line: what fails at once has a status of its own. */
	e = listing_page(l);
	if (e != ERR_OK) {
		result = http_fail(connection, e, "");
		free(l);
		return result;
	}
	l->len = (size_t)snprintf(l->text, sizeof(l->text), "{\"zones\":[");
	return listing_queue(l, connection);
}
