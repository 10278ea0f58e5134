/* SPDX-License-Identifier: MIT
 *
 * zonestore/body.c — bodies made of rdatas, and measured. */
#include "zonestore/body_p.h"

#include "zonestore/stored_p.h"

uint64_t body_wire_len(const uint8_t *body, unsigned apex_len)
{
	uint16_t type = body_type(body);
	struct body_reader r = body_read(body);
	struct bytes rdata;
	uint64_t len = 0;

	if (!stored_is_relative(type)) {
		uint32_t count = body_count(body);
		return body_rdatas(body).len - (count > 1 ? 2ULL * count : 0);
	}
	while (body_next(&r, &rdata)) {
		len += stored_wire_len(type, rdata, apex_len);
	}
	return len;
}

unsigned body_name_max(const uint8_t *body)
{
	uint16_t type = body_type(body);
	struct body_reader r = body_read(body);
	struct bytes rdata;
	unsigned longest = 0;

	while (stored_is_relative(type) && body_next(&r, &rdata)) {
		unsigned len = stored_name_max(type, rdata);
		longest = len > longest ? len : longest;
	}
	return longest;
}

struct body_maker body_begin(struct buffer *out, uint16_t type)
{
	struct body_maker m = { .out = out, .start = out->len };

	buffer_u32(out, 0);
	buffer_u16(out, type);
	buffer_u16(out, 0);
	buffer_u32(out, 0);
	return m;
}

void body_add(struct body_maker *m, struct bytes rdata)
{
	assert(rdata.len <= RDATA_MAX_LEN);
	buffer_u16(m->out, (uint16_t)rdata.len);
	buffer_put(m->out, rdata);
	m->count++;
}

enum err body_end(struct body_maker *m, uint32_t ttl)
{
	uint8_t *body = m->out->at + m->start;
	size_t len = m->out->len - m->start - BODY_HEAD_MANY;

	assert(m->count > 0 && ttl <= TTL_MAX);
	store_u32(body, ttl);
	if (m->count == 1 && len - 2 < BODY_MANY) {
		store_u16(body + 6, (uint16_t)(len - 2));
		memmove(body + BODY_HEAD, body + BODY_HEAD_MANY + 2, len - 2);
		m->out->len = m->start + BODY_HEAD + len - 2;
		return ERR_OK;
	}
	if (body_over(m)) {
		return ERR_LIMIT_BYTES;
	}
	store_u16(body + 6, (uint16_t)(BODY_MANY | m->count >> 8));
	store_u32(body + 8, (uint32_t)((m->count & 255) << 24 | len));
	return ERR_OK;
}

/* Checks the rdatas of a body whose outer form is right. */
static bool rdatas_check(uint16_t type, const uint8_t *body)
{
	struct body_reader r = body_read(body);
	struct set_kind kind = body_kind(body);
	struct bytes last = { 0 };
	struct bytes rdata;
	bool first = true;

	while (body_next(&r, &rdata)) {
		if (!stored_check(type, rdata) || set_kind_of(type, rdata).n != kind.n) {
			return false;
		}
		if (!first && stored_compare(type, last, rdata) >= 0) {
			return false;
		}
		last = rdata;
		first = false;
	}
	return true;
}

/* Checks that `count` rdatas with their lengths fill `octets`. */
static bool lengths_check(struct bytes octets, uint32_t count)
{
	struct reader r = reader_of(octets);
	struct bytes rdata;
	uint16_t len;

	for (uint32_t i = 0; i < count; i++) {
		if (!reader_u16(&r, &len) || !reader_take(&r, len, &rdata)) {
			return false;
		}
	}
	return reader_left(&r) == 0;
}

enum err body_check(struct bytes octets, struct bytes *out)
{
	const uint8_t *body = octets.at;
	uint16_t type;

	if (octets.len < BODY_HEAD || (body_is_many(body) && octets.len < BODY_HEAD_MANY) ||
	    octets.len < body_len(body)) {
		return ERR_STORE_CORRUPT;
	}
	type = body_type(body);
	if (body_ttl(body) > TTL_MAX || type_is_meta(type) || type == TYPE_SOA) {
		return ERR_STORE_CORRUPT;
	}
	if (body_is_many(body)) {
		struct bytes rest =
			bytes_of(body + BODY_HEAD_MANY, body_len(body) - BODY_HEAD_MANY);
		uint32_t count = body_count(body);
		if (count == 0 || (count == 1 && rest.len < 2 + BODY_MANY) ||
		    (body[6] & 0x7f) != 0 || !lengths_check(rest, count)) {
			return ERR_STORE_CORRUPT;
		}
	}
	if (!rdatas_check(type, body)) {
		return ERR_STORE_CORRUPT;
	}
	*out = bytes_of(body, body_len(body));
	return ERR_OK;
}
