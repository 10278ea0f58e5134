/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_loc.c — LOC (RFC 1876): places on Earth, to the millisecond of arc and the centimetre.
 */
#include <stdio.h>

#include "dns/rdata_fields_p.h"

#define LOC_LEN       16
#define LOC_EQUATOR   0x80000000U
#define MS_PER_DEGREE 3600000U
#define LATITUDE_MAX  90U
#define LONGITUDE_MAX 180U
#define ALTITUDE_ZERO 10000000 /* centimetres below the spheroid where counting begins */
#define SIZE_MAX_CM   9000000000ULL
#define SIZE_DEFAULT  0x12 /* 1 m */
#define HORIZ_DEFAULT 0x16 /* 10 km */
#define VERT_DEFAULT  0x13 /* 10 m */

/* §2: four bits each of digit and power of ten, in centimetres. Zero has one form. */
static bool size_is_valid(uint8_t size)
{
	return size >> 4 <= 9 && (size & 15) <= 9 && (size == 0 || size >> 4 != 0);
}

static bool angle_is_valid(uint32_t angle, uint32_t degrees)
{
	uint32_t off = angle < LOC_EQUATOR ? LOC_EQUATOR - angle : angle - LOC_EQUATOR;

	return off <= degrees * MS_PER_DEGREE;
}

enum err loc_check(struct reader *r)
{
	struct bytes b = { r->whole.at + r->pos, reader_left(r) };

	if (b.len == 0) {
		return ERR_WIRE_RDATA;
	}
	r->pos += b.len;
	if (b.at[0] != 0) {
		return ERR_OK; /* another version: opaque */
	}
	return b.len == LOC_LEN && size_is_valid(b.at[1]) && size_is_valid(b.at[2]) &&
	                       size_is_valid(b.at[3]) &&
	                       angle_is_valid(load_u32(b.at + 4), LATITUDE_MAX) &&
	                       angle_is_valid(load_u32(b.at + 8), LONGITUDE_MAX)
	               ? ERR_OK
	               : ERR_WIRE_RDATA;
}

static bool print_angle(struct printer *p, uint32_t angle, char plus, char minus)
{
	bool negative = angle < LOC_EQUATOR;
	uint32_t ms = negative ? LOC_EQUATOR - angle : angle - LOC_EQUATOR;
	char text[40];

	(void)snprintf(text, sizeof(text), "%u %u %u.%03u %c", ms / MS_PER_DEGREE, ms / 60000 % 60,
	               ms / 1000 % 60, ms % 1000, negative ? minus : plus);
	return print_word(p, text);
}

static bool print_size(struct printer *p, uint8_t size)
{
	static const uint32_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000 };
	unsigned digit = size >> 4;
	unsigned power = size & 15;
	char text[24];

	if (!size_is_valid(size)) {
		return false;
	}
	if (power < 2) {
		unsigned cm = digit * powers[power];
		(void)snprintf(text, sizeof(text), "0.%02um", cm);
	} else {
		(void)snprintf(text, sizeof(text), "%um", digit * powers[power - 2]);
	}
	return print_word(p, text);
}

bool loc_print(struct printer *p)
{
	struct bytes b;
	char text[24];

	if (!reader_take(&p->in, LOC_LEN, &b)) {
		return false;
	}
	int64_t cm = (int64_t)load_u32(b.at + 12) - ALTITUDE_ZERO;
	uint64_t off = (uint64_t)(cm < 0 ? -cm : cm);
	(void)snprintf(text, sizeof(text), "%s%llu.%02llum", cm < 0 ? "-" : "",
	               (unsigned long long)(off / 100), (unsigned long long)(off % 100));
	return print_angle(p, load_u32(b.at + 4), 'N', 'S') &&
	       print_angle(p, load_u32(b.at + 8), 'E', 'W') && print_word(p, text) &&
	       print_size(p, b.at[1]) && print_size(p, b.at[2]) && print_size(p, b.at[3]);
}

/* Reads a decimal number of at most `scale` decimals as an integer of 10^-scale. */
static bool decimal_parse(struct bytes text, unsigned scale, uint64_t max, uint64_t *out)
{
	unsigned decimals = 0;
	bool point = false;
	uint64_t n = 0;

	if (text.len == 0 || (text.len == 1 && text.at[0] == '.')) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (text.at[i] < '0' || text.at[i] > '9' || (point && ++decimals > scale)) {
			return false;
		}
		n = n * 10 + (unsigned)(text.at[i] - '0');
		if (n > max) {
			return false;
		}
	}
	for (; decimals < scale; decimals++) {
		n *= 10;
	}
	*out = n;
	return n <= max;
}

/* The sign if the token is the letter of a direction; 0 otherwise. */
static int direction(struct bytes text, char plus, char minus)
{
	if (text.len != 1) {
		return 0;
	}
	return text.at[0] == plus ? 1 : text.at[0] == minus ? -1 : 0;
}

/* §3: d [m [s[.fff]]] and a direction. */
static enum err parse_angle(struct parser *p, uint32_t max_degrees, const char *letters)
{
	static const uint64_t units[] = { MS_PER_DEGREE, 60000, 1 };
	uint64_t ms = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct token t;
		uint64_t n;
		if (!token_next(p, &t)) {
			return ERR_TEXT;
		}
		int sign = i == 0 ? 0 : direction(t.text, letters[0], letters[1]);
		if (sign != 0) {
			if (ms > (uint64_t)max_degrees * MS_PER_DEGREE) {
				return ERR_TEXT;
			}
			uint32_t off = (uint32_t)ms;
			return put_err(writer_u32(p->out, sign > 0 ? LOC_EQUATOR + off
			                                           : LOC_EQUATOR - off));
		}
		if (i == 3 || !decimal_parse(t.text, i == 2 ? 3 : 0,
		                             i == 0   ? max_degrees
		                             : i == 1 ? 59
		                                      : 59999,
		                             &n)) {
			return ERR_TEXT;
		}
		ms += n * units[i];
	}
	return ERR_TEXT;
}

static struct bytes without_metres(struct bytes text)
{
	if (text.len > 0 && text.at[text.len - 1] == 'm') {
		text.len--;
	}
	return text;
}

static enum err parse_altitude(struct parser *p)
{
	struct token t;
	uint64_t cm;

	if (!token_next(p, &t)) {
		return ERR_TEXT;
	}
	bool negative = t.text.len > 0 && t.text.at[0] == '-';
	struct bytes digits = without_metres(bytes_of(t.text.at + negative, t.text.len - negative));
	if (!decimal_parse(digits, 2, negative ? ALTITUDE_ZERO : UINT32_MAX - ALTITUDE_ZERO, &cm)) {
		return ERR_TEXT;
	}
	return put_err(
		writer_u32(p->out, (uint32_t)(negative ? ALTITUDE_ZERO - cm : ALTITUDE_ZERO + cm)));
}

/* Reads a size if there is one; what does not fit one digit is cut. */
static enum err parse_size(struct parser *p, uint8_t *size)
{
	struct token t;
	uint64_t cm;
	uint8_t power = 0;

	if (!token_next(p, &t)) {
		return ERR_OK;
	}
	if (!decimal_parse(without_metres(t.text), 2, SIZE_MAX_CM, &cm)) {
		return ERR_TEXT;
	}
	while (cm >= 10) {
		cm /= 10;
		power++;
	}
	*size = (uint8_t)(cm << 4 | (cm == 0 ? 0 : power));
	return ERR_OK;
}

enum err loc_parse(struct parser *p)
{
	uint8_t sizes[3] = { SIZE_DEFAULT, HORIZ_DEFAULT, VERT_DEFAULT };
	size_t head = p->out->len;

	/* The sizes stand first on the wire and last in the text. */
	TRY(put_err(writer_u32(p->out, 0)));
	TRY(parse_angle(p, LATITUDE_MAX, "NS"));
	TRY(parse_angle(p, LONGITUDE_MAX, "EW"));
	TRY(parse_altitude(p));
	for (unsigned i = 0; i < 3; i++) {
		TRY(parse_size(p, &sizes[i]));
	}
	memcpy(p->out->at + head + 1, sizes, sizeof(sizes));
	return ERR_OK;
}
