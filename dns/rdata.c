/* SPDX-License-Identifier: MIT
 *
 * dns/rdata.c — walks over a layout: check, read, find names, compare. */
#include "dns/rdata_p.h"

enum err field_check(enum field f, struct reader *r)
{
	const struct field_kind *kind = &field_kinds[f];
	struct bytes b;

	assert(f > FIELD_END && f < FIELD_KINDS);
	if (kind->fixed_len > 0) {
		return reader_take(r, kind->fixed_len, &b) ? ERR_OK : ERR_WIRE_RDATA;
	}
	return kind->check(r);
}

enum err layout_check(const struct layout *l, struct bytes rdata)
{
	struct reader r = reader_of(rdata);

	if (l == NULL) {
		return rdata.len <= RDATA_MAX_LEN ? ERR_OK : ERR_WIRE_RDATA;
	}
	if ((l->flags & LAYOUT_SIZED) != 0) {
		return rdata.len >= l->min_len && rdata.len <= l->max_len ? ERR_OK : ERR_WIRE_RDATA;
	}
	if (rdata.len > RDATA_MAX_LEN) {
		return ERR_WIRE_RDATA;
	}
	for (const uint8_t *f = l->fields; *f != FIELD_END; f++) {
		TRY(field_check(*f, &r));
	}
	return reader_left(&r) == 0 ? ERR_OK : ERR_WIRE_RDATA;
}

enum err rdata_check(uint16_t type, struct bytes rdata)
{
	return layout_check(layout_of(type), rdata);
}

/* Decompresses one name; `message` stands at it and ends with the rdata. */
static enum err name_unpack(struct reader *message, struct writer *out)
{
	struct name_buf name;

	TRY(name_read(message, &name));
	return writer_put(out, name_bytes(name_of(&name))) ? ERR_OK : ERR_WIRE_RDATA;
}

/* Reads rdata whose names may be compressed. `message` ends with the rdata. */
static enum err layout_read(const struct layout *l, struct reader *message, size_t begin,
                            struct writer *out)
{
	struct reader fields =
		reader_of(bytes_of(message->whole.at + begin, message->whole.len - begin));

	for (const uint8_t *f = l->fields; *f != FIELD_END; f++) {
		size_t at = fields.pos;

		if (*f == FIELD_NAME_PACKED || *f == FIELD_NAME_OLD) {
			message->pos = begin + at;
			TRY(name_unpack(message, out));
			fields.pos = message->pos - begin;
			continue;
		}
		TRY(field_check(*f, &fields));
		if (!writer_put(out, bytes_of(fields.whole.at + at, fields.pos - at))) {
			return ERR_WIRE_RDATA;
		}
	}
	message->pos = begin + fields.pos;
	return reader_left(message) == 0 ? ERR_OK : ERR_WIRE_RDATA;
}

enum err rdata_read(struct reader *r, uint16_t type, size_t len, struct writer *out)
{
	const struct layout *l = layout_of(type);
	struct bytes rdata;
	size_t begin = r->pos;
	size_t keep = out->len;
	enum err e;

	if (!reader_take(r, len, &rdata)) {
		return ERR_WIRE_SHORT;
	}
	if (l == NULL || (l->flags & LAYOUT_UNPACK) == 0) {
		TRY(layout_check(l, rdata));
		return writer_put(out, rdata) ? ERR_OK : ERR_WIRE_RDATA;
	}
	/* A name must not run past its rdata, but may point anywhere before itself. */
	struct reader message = { bytes_of(r->whole.at, begin + len), begin };
	e = layout_read(l, &message, begin, out);
	if (e == ERR_OK && out->len - keep > RDATA_MAX_LEN) {
		e = ERR_WIRE_RDATA;
	}
	if (e != ERR_OK) {
		out->len = keep;
	}
	return e;
}

/* Length of the uncompressed name at `pos`; 0 if there is none. */
static size_t name_extent(struct bytes rdata, size_t pos)
{
	size_t at = pos;

	while (at < rdata.len && rdata.at[at] != 0) {
		if (rdata.at[at] > LABEL_MAX_LEN) {
			return 0;
		}
		at += 1U + rdata.at[at];
	}
	return at < rdata.len && at + 1 - pos <= NAME_MAX_LEN ? at + 1 - pos : 0;
}

/* The name in A6 rdata, RFC 2874 §3.1: behind the prefix length and the suffix's octets. */
static unsigned a6_names(struct bytes rdata, struct rdata_name out[static RDATA_NAMES_MAX])
{
	size_t at = rdata.len == 0 || rdata.at[0] > 128 ? 0 : 1U + 16U - rdata.at[0] / 8U;

	if (at == 0 || at >= rdata.len || rdata.len - at > NAME_MAX_LEN) {
		return 0;
	}
	out[0] = (struct rdata_name){ (uint16_t)at, (uint8_t)(rdata.len - at) };
	return 1;
}

static bool field_is_caseless(uint8_t f)
{
	return f == FIELD_NAME_PACKED || f == FIELD_NAME_OLD || f == FIELD_NAME_CASELESS;
}

/* Lists the names of a layout whose names are all of the kinds that compare without case. */
static unsigned names_list(const struct layout *l, struct bytes rdata,
                           struct rdata_name out[static RDATA_NAMES_MAX])
{
	struct reader r = reader_of(rdata);
	unsigned count = 0;

	/* Nearly all are one name alone, or behind one number: no octet need be looked at. */
	size_t lead = l->fields[0] == FIELD_U16 ? 2 : 0;
	const uint8_t *first = &l->fields[lead / 2];
	if (field_is_caseless(first[0]) && first[1] == FIELD_END) {
		if (rdata.len <= lead || rdata.len - lead > NAME_MAX_LEN) {
			return 0;
		}
		out[0] = (struct rdata_name){ (uint16_t)lead, (uint8_t)(rdata.len - lead) };
		return 1;
	}
	if (l->fields[0] == FIELD_A6) {
		return a6_names(rdata, out);
	}
	for (const uint8_t *f = l->fields; *f != FIELD_END && count < RDATA_NAMES_MAX; f++) {
		if (!field_is_caseless(*f)) {
			if (field_check(*f, &r) != ERR_OK) {
				return 0;
			}
			continue;
		}
		size_t len = name_extent(rdata, r.pos);
		if (len == 0 || r.pos > UINT16_MAX) {
			return 0;
		}
		out[count++] = (struct rdata_name){ (uint16_t)r.pos, (uint8_t)len };
		r.pos += len;
	}
	return count;
}

unsigned rdata_compressible_names(uint16_t type, struct bytes rdata,
                                  struct rdata_name out[static RDATA_NAMES_MAX])
{
	const struct layout *l = layout_of(type);

	return l == NULL || (l->flags & LAYOUT_PACKED) == 0 ? 0 : names_list(l, rdata, out);
}

unsigned rdata_caseless_names(uint16_t type, struct bytes rdata,
                              struct rdata_name out[static RDATA_NAMES_MAX])
{
	const struct layout *l = layout_of(type);

	return l == NULL || (l->flags & LAYOUT_CASELESS) == 0 ? 0 : names_list(l, rdata, out);
}

/* Compares octets [from, to) of both, lower-casing; both are at least `to` long. */
static int compare_lower(struct bytes a, struct bytes b, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		int d = octet_lower(a.at[i]) - octet_lower(b.at[i]);
		if (d != 0) {
			return d;
		}
	}
	return 0;
}

int rdata_compare(uint16_t type, struct bytes a, struct bytes b)
{
	struct rdata_name names[RDATA_NAMES_MAX];
	size_t common = a.len < b.len ? a.len : b.len;
	size_t pos = 0;

	if (bytes_equal(a, b)) {
		return 0; /* by far the most frequent */
	}
	unsigned count = rdata_caseless_names(type, a, names);
	/* The names of `a` serve for both: as long as all octets before are equal, a name begins at
	 * the same place in both; a length octet is no letter, so a name that ends earlier differs
	 * there. */
	for (unsigned i = 0; i < count && pos < common; i++) {
		size_t from = names[i].offset;
		size_t to = from + names[i].len;
		from = from < common ? from : common;
		to = to < common ? to : common;
		int c = memcmp(a.at + pos, b.at + pos, from - pos);
		if (c == 0) {
			c = compare_lower(a, b, from, to);
		}
		if (c != 0) {
			return c;
		}
		pos = to;
	}
	return bytes_compare(bytes_of(a.at + pos, a.len - pos), bytes_of(b.at + pos, b.len - pos));
}
