/* SPDX-License-Identifier: MIT
 *
 * zonestore/stored.c — rdata between wire form and stored form. */
#include "zonestore/stored_p.h"

/* Octets of a name up to and without its final 0x00 or 0xC0. */
static size_t labels_len(const uint8_t *name)
{
	size_t len = 0;

	while (name[len] != 0 && name[len] != STORED_APEX) {
		len += 1U + name[len];
	}
	return len;
}

/* The labels of `name` that stand before the apex; SIZE_MAX if it is not at or below it. */
static size_t labels_below(const uint8_t *name, size_t len, struct name apex)
{
	size_t below = 0;

	if (len + 1 < apex.len) {
		return SIZE_MAX;
	}
	while (below + apex.len < len + 1) {
		below += 1U + name[below];
	}
	if (below + apex.len != len + 1) {
		return SIZE_MAX;
	}
	for (size_t i = 0; i < apex.len; i++) {
		if (octet_lower(name[below + i]) != octet_lower(apex.at[i])) {
			return SIZE_MAX;
		}
	}
	return below;
}

void stored_put(uint16_t type, struct bytes rdata, struct name apex, struct buffer *out)
{
	struct stored_layout layout = stored_layout(type);
	size_t at = layout.skip;

	if (!stored_is_relative(type)) {
		buffer_put(out, rdata);
		return;
	}
	buffer_put(out, bytes_of(rdata.at, at));
	for (unsigned i = 0; i < layout.names; i++) {
		size_t len = labels_len(rdata.at + at);
		size_t below = labels_below(rdata.at + at, len, apex);
		if (below == SIZE_MAX) {
			buffer_put(out, bytes_of(rdata.at + at, len + 1));
		} else {
			buffer_put(out, bytes_of(rdata.at + at, below));
			buffer_u8(out, STORED_APEX);
		}
		at += len + 1;
	}
	assert(at <= rdata.len);
	buffer_put(out, bytes_of(rdata.at + at, rdata.len - at));
}

struct bytes stored_wire(uint16_t type, struct bytes stored, struct name apex, uint8_t *out)
{
	struct stored_layout layout = stored_layout(type);
	struct writer w = writer_of(out, RDATA_MAX_LEN);
	size_t at = layout.skip;
	bool relative = false;
	bool fits;

	if (!stored_is_relative(type)) {
		return stored;
	}
	fits = writer_put(&w, bytes_of(stored.at, at));
	for (unsigned i = 0; i < layout.names && fits; i++) {
		size_t len = labels_len(stored.at + at);
		bool below = stored.at[at + len] == STORED_APEX;
		struct bytes end = below ? name_bytes(apex) : bytes_of(stored.at + at + len, 1);
		fits = writer_put(&w, bytes_of(stored.at + at, len)) && writer_put(&w, end);
		relative = relative || below;
		at += len + 1;
	}
	fits = fits && writer_put(&w, bytes_of(stored.at + at, stored.len - at));
	assert(fits); /* two names of 255 octets and 22 more at most: node_name_max() is checked */
	return relative ? writer_bytes(&w) : stored;
}

size_t stored_wire_len(uint16_t type, struct bytes stored, unsigned apex_len)
{
	struct stored_layout layout = stored_layout(type);
	size_t at = layout.skip;
	size_t len = stored.len;

	if (!stored_is_relative(type)) {
		return len;
	}
	for (unsigned i = 0; i < layout.names; i++) {
		at += labels_len(stored.at + at);
		len += stored.at[at] == STORED_APEX ? apex_len - 1 : 0;
		at++;
	}
	return len;
}

unsigned stored_name_max(uint16_t type, struct bytes stored)
{
	struct stored_layout layout = stored_layout(type);
	size_t at = layout.skip;
	size_t longest = 0;

	if (!stored_is_relative(type)) {
		return 0;
	}
	for (unsigned i = 0; i < layout.names; i++) {
		size_t len = labels_len(stored.at + at);
		if (stored.at[at + len] == STORED_APEX && len > longest) {
			longest = len;
		}
		at += len + 1;
	}
	return (unsigned)longest;
}

/* Other types whose names compare without case (RFC 4034 §6.2, RFC 6840 §5.1). */
static bool type_is_caseless(uint16_t type)
{
	static const uint64_t below_64 = 1ULL << 17 | 1ULL << 18 | 1ULL << 21 | 1ULL << 24 |
	                                 1ULL << 26 | 1ULL << 30 | 1ULL << 33 | 1ULL << 35 |
	                                 1ULL << 36 | 1ULL << 38 | 1ULL << 39 | 1ULL << 46;

	return type < 64 && (below_64 >> type & 1) != 0;
}

/* Where to fold case in rdata `a`, and as well in any that has the same octets before the first
 * difference, since what stands there says where names begin and end. */
static unsigned fold_ranges(uint16_t type, struct bytes a, struct rdata_name out[RDATA_NAMES_MAX])
{
	if (!stored_is_relative(type)) {
		return rdata_caseless_names(type, a, out);
	}
	/* All that follows the first name's beginning is names; but an SOA never stands in a set. */
	out[0].offset = (uint16_t)stored_layout(type).skip;
	return 1;
}

static bool fold_here(const struct rdata_name *ranges, unsigned count, bool to_end, size_t at)
{
	for (unsigned i = 0; i < count; i++) {
		if (at >= ranges[i].offset &&
		    (to_end || at < (size_t)ranges[i].offset + ranges[i].len)) {
			return true;
		}
	}
	return false;
}

int stored_compare(uint16_t type, struct bytes a, struct bytes b)
{
	struct rdata_name ranges[RDATA_NAMES_MAX];
	bool relative = stored_is_relative(type);
	size_t len = a.len < b.len ? a.len : b.len;
	size_t at = 0;
	unsigned count;

	if (!relative && !type_is_caseless(type)) {
		return bytes_compare(a, b);
	}
	while (at < len && a.at[at] == b.at[at]) {
		at++;
	}
	if (at == len) {
		return (a.len > b.len) - (a.len < b.len);
	}
	count = fold_ranges(type, a, ranges);
	for (; at < len; at++) {
		uint8_t x = a.at[at];
		uint8_t y = b.at[at];
		if (x != y && fold_here(ranges, count, relative, at)) {
			x = octet_lower(x);
			y = octet_lower(y);
		}
		if (x != y) {
			return x < y ? -1 : 1;
		}
	}
	return (a.len > b.len) - (a.len < b.len);
}

/* Reads one stored name; false if it is none. */
static bool name_check(struct reader *r)
{
	size_t len = 1;
	uint8_t label;
	struct bytes octets;

	for (;;) {
		if (!reader_u8(r, &label)) {
			return false;
		}
		if (label == 0 || label == STORED_APEX) {
			return len <= NAME_MAX_LEN;
		}
		len += 1U + label;
		if (label > LABEL_MAX_LEN || len > NAME_MAX_LEN ||
		    !reader_take(r, label, &octets)) {
			return false;
		}
	}
}

bool stored_check(uint16_t type, struct bytes stored)
{
	struct stored_layout layout = stored_layout(type);
	struct reader r = reader_of(stored);
	struct bytes skipped;

	if (stored.len > RDATA_MAX_LEN) {
		return false;
	}
	if (!stored_is_relative(type)) {
		return rdata_check(type, stored) == ERR_OK;
	}
	if (!reader_take(&r, layout.skip, &skipped)) {
		return false;
	}
	for (unsigned i = 0; i < layout.names; i++) {
		if (!name_check(&r)) {
			return false;
		}
	}
	return reader_left(&r) == (type == TYPE_SOA ? 20 : 0);
}
