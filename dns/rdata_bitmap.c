/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_bitmap.c — lists of types: windows of NSEC, NSEC3 and CSYNC (RFC 4034 §4.1.2), and
 * NXT's one small map (RFC 2535 §5.2). */
#include "dns/rdata_fields_p.h"

#define WINDOW_MAX_LEN 32
#define WINDOWS        256
#define NXT_MAX_LEN    16
#define NXT_TYPE_MAX   127

enum err bitmap_opt_check(struct reader *r)
{
	int last = -1;

	while (reader_left(r) > 0) {
		uint8_t window, len;
		struct bytes map;
		if (!reader_u8(r, &window) || !reader_u8(r, &len) || !reader_take(r, len, &map) ||
		    len == 0 || len > WINDOW_MAX_LEN || window <= last || map.at[len - 1] == 0) {
			return ERR_WIRE_RDATA;
		}
		last = window;
	}
	return ERR_OK;
}

enum err bitmap_check(struct reader *r)
{
	return reader_left(r) == 0 ? ERR_WIRE_RDATA : bitmap_opt_check(r);
}

/* RFC 2535 §5.2: bit 0 says that the map has another form, which nobody defined. */
enum err nxt_bitmap_check(struct reader *r)
{
	struct bytes map = { r->whole.at + r->pos, reader_left(r) };

	if (map.len > NXT_MAX_LEN ||
	    (map.len > 0 && (map.at[0] >= 0x80 || map.at[map.len - 1] == 0))) {
		return ERR_WIRE_RDATA;
	}
	r->pos += map.len;
	return ERR_OK;
}

static bool print_types(struct printer *p, unsigned first, struct bytes map)
{
	char buf[TYPE_TEXT_MAX];

	for (unsigned i = 0; i < map.len * 8; i++) {
		if ((map.at[i / 8] & 0x80U >> i % 8) != 0 &&
		    !print_word(p, type_print((uint16_t)(first + i), buf))) {
			return false;
		}
	}
	return true;
}

bool bitmap_opt_print(struct printer *p)
{
	uint8_t window, len;
	struct bytes map;

	while (reader_u8(&p->in, &window) && reader_u8(&p->in, &len) &&
	       reader_take(&p->in, len, &map)) {
		if (!print_types(p, window * 256U, map)) {
			return false;
		}
	}
	return true;
}

bool nxt_bitmap_print(struct printer *p)
{
	struct bytes map;

	return reader_take(&p->in, reader_left(&p->in), &map) && print_types(p, 0, map);
}

/* Reads types up to the end of the text into `map`, one bit each. */
static enum err parse_types(struct parser *p, uint16_t max, uint8_t *map)
{
	struct token t;

	while (token_next(p, &t)) {
		uint32_t n;
		uint16_t type;
		if (t.quoted) {
			return ERR_TEXT;
		}
		if (number_parse(t.text, UINT16_MAX, &n)) {
			type = (uint16_t)n; /* BIND writes NXT's unknown types so */
		} else {
			TRY(type_parse(t.text, &type));
		}
		if (type > max) {
			return ERR_TEXT;
		}
		map[type / 8] |= (uint8_t)(0x80U >> type % 8);
	}
	return ERR_OK;
}

/* Octets of `map` up to the last that is not zero. */
static size_t map_len(const uint8_t *map, size_t len)
{
	while (len > 0 && map[len - 1] == 0) {
		len--;
	}
	return len;
}

/* An empty list where one type is needed is refused by the check that follows. */
enum err bitmap_opt_parse(struct parser *p)
{
	uint8_t map[WINDOWS * WINDOW_MAX_LEN] = { 0 };

	TRY(parse_types(p, UINT16_MAX, map));
	for (unsigned window = 0; window < WINDOWS; window++) {
		const uint8_t *at = &map[window * WINDOW_MAX_LEN];
		size_t len = map_len(at, WINDOW_MAX_LEN);
		if (len > 0 &&
		    (!writer_u8(p->out, (uint8_t)window) || !writer_u8(p->out, (uint8_t)len) ||
		     !writer_put(p->out, bytes_of(at, len)))) {
			return ERR_BUDGET;
		}
	}
	return ERR_OK;
}

enum err nxt_bitmap_parse(struct parser *p)
{
	uint8_t map[NXT_MAX_LEN] = { 0 };

	TRY(parse_types(p, NXT_TYPE_MAX, map));
	return put_err(writer_put(p->out, bytes_of(map, map_len(map, NXT_MAX_LEN))));
}
