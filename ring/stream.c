/* SPDX-License-Identifier: MIT
 *
 * ring/stream.c — frames out of octets, in place where they lie whole. */
#include "ring/stream.h"

#include <stdlib.h>

#include "base/arena.h"

#define PREFIX_LEN   2   /* RFC 1035 §4.2.2 */
#define HELD_MIN_LEN 512 /* the smallest buffer worth asking for */

/* Octets that the held message has in all, as far as is known. */
static size_t held_wants(const struct stream *s)
{
	return s->held_len < PREFIX_LEN ? PREFIX_LEN : (size_t)PREFIX_LEN + load_u16(s->held);
}

static bool held_whole(const struct stream *s)
{
	return s->held_len >= PREFIX_LEN && s->held_len == held_wants(s);
}

static void held_drop(struct stream *s)
{
	free(s->held);
	s->held = NULL;
	s->held_len = 0;
	s->held_cap = 0;
}

/* Moves octets from what was fed until `want` are held or nothing is left. */
static void hold(struct stream *s, size_t want)
{
	size_t len = want - s->held_len;

	assert(want >= s->held_len);
	assert(want <= PREFIX_LEN + STREAM_FRAME_MAX_LEN);
	if (len > s->fed.len) {
		len = s->fed.len;
	}
	if (want > s->held_cap) {
		size_t cap = HELD_MIN_LEN;
		while (cap < want) {
			cap *= 2;
		}
		s->held = mem_grow(s->held, cap);
		s->held_cap = cap;
	}
	if (len > 0) {
		memcpy(s->held + s->held_len, s->fed.at, len);
		s->held_len += len;
		s->fed = bytes_of(s->fed.at + len, s->fed.len - len);
	}
}

void stream_fini(struct stream *s)
{
	held_drop(s);
	*s = (struct stream){ 0 };
}

void stream_feed(struct stream *s, struct bytes b)
{
	assert(s->fed.len == 0); /* stream_next() has returned false */
	s->fed = b;
}

static bool next_in_place(struct stream *s, struct bytes *frame)
{
	size_t len;

	if (s->fed.len < PREFIX_LEN) {
		return false;
	}
	len = load_u16(s->fed.at);
	if (s->fed.len - PREFIX_LEN < len) {
		return false;
	}
	*frame = bytes_of(s->fed.at + PREFIX_LEN, len);
	s->fed = bytes_of(s->fed.at + PREFIX_LEN + len, s->fed.len - PREFIX_LEN - len);
	return true;
}

bool stream_next(struct stream *s, struct bytes *frame)
{
	if (held_whole(s)) {
		s->held_len = 0; /* the caller had it last time */
	}
	if (s->held_len == 0 && next_in_place(s, frame)) {
		return true;
	}
	if (s->held_len == 0 && s->fed.len == 0) {
		held_drop(s); /* idle: many streams are, most of the time */
		return false;
	}
	if (s->held_len < PREFIX_LEN) {
		hold(s, PREFIX_LEN);
	}
	if (s->held_len >= PREFIX_LEN) {
		hold(s, held_wants(s));
	}
	if (!held_whole(s)) {
		assert(s->fed.len == 0);
		return false;
	}
	*frame = bytes_of(s->held + PREFIX_LEN, s->held_len - PREFIX_LEN);
	return true;
}

bool stream_partial(const struct stream *s)
{
	return s->fed.len > 0 || (s->held_len > 0 && !held_whole(s));
}
