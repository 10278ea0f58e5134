/* SPDX-License-Identifier: MIT */
#include "ring/stream.h"

#include <stdlib.h>

#include "base/env.h"
#include "tests/test.h"

#define SEED         20261120
#define FRAMES_COUNT 200

/* Lengths around the borders, and anything. */
static size_t frame_len(const struct env *env, size_t i)
{
	static const size_t borders[] = { 0, 1, 2, 509, 510, 511, 512, 65534, 65535 };

	return i < ARRAY_LEN(borders) ? borders[i] : env_random_below(env, 3000);
}

static uint8_t octet(size_t frame, size_t i)
{
	return (uint8_t)(frame * 31 + i * 7 + i / 256);
}

static void expect_frame(struct bytes got, size_t n, size_t want_len)
{
	cr_assert(eq(sz, got.len, want_len), "frame %zu", n);
	for (size_t i = 0; i < got.len; i++) {
		cr_assert(got.at[i] == octet(n, i), "octet %zu of frame %zu", i, n);
	}
}

/* Feeds the same frames cut at random places, at most `cut_max` octets at a time. */
static void feed_all(struct env_fake *dice, size_t cut_max)
{
	static uint8_t wire[FRAMES_COUNT * 3002 + 4 * 65537];
	size_t lens[FRAMES_COUNT];
	struct writer w = writer_of(wire, sizeof(wire));
	struct stream s = { 0 };
	struct bytes frame;
	size_t seen = 0;

	for (size_t n = 0; n < FRAMES_COUNT; n++) {
		lens[n] = frame_len(&dice->env, n);
		cr_assert(writer_u16(&w, (uint16_t)lens[n]));
		for (size_t i = 0; i < lens[n]; i++) {
			cr_assert(writer_u8(&w, octet(n, i)));
		}
	}
	for (size_t at = 0; at < w.len;) {
		size_t len = 1 + env_random_below(&dice->env, (uint32_t)cut_max);
		uint8_t *piece;

		if (len > w.len - at) {
			len = w.len - at;
		}
		piece = malloc(len); /* of its own, so that reading past it is noticed */
		memcpy(piece, wire + at, len);
		stream_feed(&s, bytes_of(piece, len));
		while (stream_next(&s, &frame)) {
			cr_assert(seen < FRAMES_COUNT);
			expect_frame(frame, seen, lens[seen]);
			seen++;
		}
		free(piece);
		at += len;
	}
	cr_expect(eq(sz, seen, FRAMES_COUNT));
	cr_expect(not(stream_partial(&s)));
	cr_expect(eq(ptr, s.held, NULL), "an idle stream holds no memory");
	stream_fini(&s);
}

TEST(stream, yields_the_same_frames_however_the_octets_are_cut)
{
	static const size_t cuts[] = { 1, 2, 3, 17, 600, 16384, 100000, 900000 };
	struct env_fake dice;

	env_fake_init(&dice, SEED);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		feed_all(&dice, cuts[i]);
	}
}

TEST(stream, yields_whole_frames_in_place)
{
	static const uint8_t two[] = { 0, 2, 'a', 'b', 0, 1, 'c' };
	struct stream s = { 0 };
	struct bytes frame;

	stream_feed(&s, bytes_of(two, sizeof(two)));
	cr_assert(stream_next(&s, &frame));
	cr_expect(frame.at == two + 2 && frame.len == 2);
	cr_assert(stream_next(&s, &frame));
	cr_expect(frame.at == two + 6 && frame.len == 1);
	cr_expect(not(stream_next(&s, &frame)));
	stream_fini(&s);
}

TEST(stream, knows_when_it_is_in_the_middle)
{
	static const uint8_t one[] = { 0, 3, 'a', 'b', 'c' };
	struct bytes frame;

	for (size_t len = 0; len <= sizeof(one); len++) {
		struct stream s = { 0 };
		bool whole = len == sizeof(one);

		stream_feed(&s, bytes_of(one, len));
		cr_expect(eq(int, stream_next(&s, &frame), whole), "%zu octets", len);
		cr_expect(eq(int, stream_partial(&s), len > 0 && !whole), "%zu octets", len);
		stream_fini(&s);
		stream_fini(&s); /* harmless */
	}
}
