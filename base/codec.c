/* SPDX-License-Identifier: MIT
 *
 * base/codec.c — RFC 4648 over one bit-packing loop. */
#include "base/codec.h"

static const char digits16[] = "0123456789ABCDEF";
static const char digits32[] = "0123456789abcdefghijklmnopqrstuv";
static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Encodes `bits` bits a digit, most significant first; pads with '=' to `group` digits if not 0. */
static bool encode(struct bytes in, unsigned bits, const char *digits, size_t group,
                   struct writer *out)
{
	size_t need = (in.len * 8 + bits - 1) / bits;
	size_t pad = group == 0 ? 0 : (group - need % group) % group;
	uint32_t held = 0;
	unsigned count = 0;

	if (need + pad > writer_left(out)) {
		return false;
	}
	for (size_t i = 0; i < in.len; i++) {
		held = held << 8 | in.at[i];
		count += 8;
		while (count >= bits) {
			count -= bits;
			out->at[out->len++] = (uint8_t)digits[held >> count & ((1U << bits) - 1)];
		}
	}
	if (count > 0) {
		out->at[out->len++] = (uint8_t)digits[held << (bits - count) & ((1U << bits) - 1)];
	}
	for (size_t i = 0; i < pad; i++) {
		out->at[out->len++] = '=';
	}
	return true;
}

bool base16_encode(struct bytes in, struct writer *out)
{
	return encode(in, 4, digits16, 0, out);
}

bool base32hex_encode(struct bytes in, struct writer *out)
{
	return encode(in, 5, digits32, 0, out);
}

bool base64_encode(struct bytes in, struct writer *out)
{
	return encode(in, 6, digits64, 4, out);
}

static int digit16(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int digit32(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

static int digit64(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum err decode(struct bytes text, unsigned bits, int (*digit)(uint8_t), struct writer *out)
{
	size_t need = text.len * bits / 8;
	uint32_t held = 0;
	unsigned count = 0;

	/* What is left over must be less than one digit and zero: one spelling for each value. */
	if (text.len * bits % 8 >= bits) {
		return ERR_TEXT;
	}
	if (need > writer_left(out)) {
		return ERR_BUDGET;
	}
	for (size_t i = 0; i < text.len; i++) {
		int d = digit(text.at[i]);
		if (d < 0) {
			return ERR_TEXT;
		}
		held = held << bits | (uint32_t)d;
		count += bits;
		if (count >= 8) {
			count -= 8;
			out->at[out->len++] = (uint8_t)(held >> count);
		}
	}
	return (held & ((1U << count) - 1)) == 0 ? ERR_OK : ERR_TEXT;
}

enum err base16_decode(struct bytes text, struct writer *out)
{
	return decode(text, 4, digit16, out);
}

enum err base32hex_decode(struct bytes text, struct writer *out)
{
	return decode(text, 5, digit32, out);
}

enum err base64_decode(struct bytes text, struct writer *out)
{
	if (text.len % 4 != 0) {
		return ERR_TEXT;
	}
	for (int pad = 0; pad < 2 && text.len > 0 && text.at[text.len - 1] == '='; pad++) {
		text.len--;
	}
	return decode(text, 6, digit64, out);
}
