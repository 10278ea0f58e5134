/* SPDX-License-Identifier: MIT
 *
 * ring/stream.h — cuts length-prefixed DNS messages out of a TCP stream (RFC 1035 §4.2.2).
 *
 * Octets are fed as they arrive. A message that lies whole in what was fed is yielded in place,
 * without a copy; only a message split across feeds is collected in the stream's own buffer, which
 * grows to what is needed, at most 64 KiB, and is freed when a while is idle.
 *
 * Ownership: init/fini; storage is the caller's; {0} is the zero state. Yielded frames are borrowed
 * from the fed octets or from the stream, until the next call. */
#pragma once

#include "base/bytes.h"

#define STREAM_FRAME_MAX_LEN 65535

struct stream {
	uint8_t *held; /* an unfinished message with its prefix */
	size_t held_len;
	size_t held_cap;
	struct bytes fed; /* what is left of the last feed */
};

void stream_fini(struct stream *s);

/* Gives the stream the next octets, borrowed until stream_next() has returned false. */
void stream_feed(struct stream *s, struct bytes b);

/* Yields the next whole message without its prefix; false when more octets are needed. */
MUST_USE bool stream_next(struct stream *s, struct bytes *frame);

/* True if octets of an unfinished message are held: an end now is in the middle of something. */
bool stream_partial(const struct stream *s);
