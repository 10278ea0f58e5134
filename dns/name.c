/* SPDX-License-Identifier: MIT
 *
 * dns/name.c — names in wire form: reading, comparing, printing.
 *
 * Length octets are at most 63 and thus below 'A', so a whole name may be brought to lower case, or
 * compared, without regard to where its labels begin. */
#include "dns/name.h"

#include "base/hash.h"
#include "dns/octets_p.h"

#define POINTER_BITS 0xc0U /* RFC 1035 §4.1.4 */
#define POINTERS_MAX 128   /* of one name: each but the first follows a label, or is pointless */

static void octets_copy_lower(uint8_t *to, const uint8_t *from, size_t len)
{
	for (; len >= 8; to += 8, from += 8, len -= 8) {
		store_u64(to, octets_lower(load_u64(from)));
	}
	for (size_t i = 0; i < len; i++) {
		to[i] = octet_lower(from[i]);
	}
}

/* Labels that stand one after the other, up to the root label or a pointer. */
struct label_run {
	size_t len;      /* octets of the labels, without what ended the run */
	unsigned labels; /* how many */
	uint8_t end;     /* the octet that ended it: 0 or the first of a pointer */
};

/* Scans a run of labels of at most `max` octets at the beginning of `b`. */
static inline enum err label_run_scan(struct bytes b, size_t max, struct label_run *out)
{
	size_t at = 0;
	unsigned labels = 0;

	for (;;) {
		uint8_t len;

		if (at >= b.len) {
			return ERR_WIRE_SHORT;
		}
		len = b.at[at];
		if (len == 0 || len >= POINTER_BITS) {
			*out = (struct label_run){ at, labels, len };
			return ERR_OK;
		}
		if (len > LABEL_MAX_LEN) {
			return ERR_WIRE_NAME; /* RFC 6891 §5: the 01 label type is dead */
		}
		at += 1U + len;
		labels++;
		if (at > max) {
			return ERR_WIRE_NAME;
		}
	}
}

enum err name_read(struct reader *r, struct name_buf *out)
{
	size_t at = r->pos;
	size_t end = 0; /* where the reader goes on; 0 until the first pointer */
	size_t len = 0;
	unsigned labels = 0;

	for (unsigned pointers = 0; pointers <= POINTERS_MAX; pointers++) {
		struct bytes rest = { r->whole.at + at, r->whole.len - at };
		struct label_run run;
		size_t target;

		/* One octet is kept for the root label. */
		TRY(label_run_scan(rest, NAME_MAX_LEN - 1 - len, &run));
		memcpy(out->octets + len, rest.at, run.len);
		len += run.len;
		labels += run.labels;
		if (run.end == 0) {
			out->octets[len] = 0;
			out->len = (uint8_t)(len + 1);
			out->labels = (uint8_t)labels;
			r->pos = end != 0 ? end : at + run.len + 1;
			return ERR_OK;
		}
		if (rest.len - run.len < 2) {
			return ERR_WIRE_SHORT;
		}
		end = end != 0 ? end : at + run.len + 2;
		target = load_u16(rest.at + run.len) & 0x3fffU;
		/* A pointer into or after its own run would lead to itself. Before it, every step
		 * goes further back, so there are no loops. */
		if (target >= at) {
			return ERR_WIRE_NAME;
		}
		at = target;
	}
	return ERR_WIRE_NAME;
}

enum err name_skip(struct reader *r)
{
	struct bytes rest = { r->whole.at + r->pos, reader_left(r) };
	struct label_run run;
	size_t len;

	TRY(label_run_scan(rest, NAME_MAX_LEN - 1, &run));
	len = run.len + (run.end == 0 ? 1 : 2);
	if (len > rest.len) {
		return ERR_WIRE_SHORT;
	}
	r->pos += len;
	return ERR_OK;
}

enum err name_view(struct bytes b, struct name *out)
{
	struct label_run run;

	TRY(label_run_scan(b, NAME_MAX_LEN - 1, &run));
	if (run.end != 0) {
		return ERR_WIRE_NAME;
	}
	*out = (struct name){ b.at, (uint8_t)(run.len + 1), (uint8_t)run.labels };
	return ERR_OK;
}

/* Reads the octet after a backslash at text.at[*at]: \DDD or the octet itself (RFC 1035 §5.1). */
static bool escape_parse(struct bytes text, size_t *at, uint8_t *out)
{
	unsigned value = 0;

	if (*at >= text.len) {
		return false;
	}
	if (text.at[*at] < '0' || text.at[*at] > '9') {
		*out = text.at[(*at)++];
		return true;
	}
	if (text.len - *at < 3) {
		return false;
	}
	for (unsigned i = 0; i < 3; i++) {
		uint8_t c = text.at[(*at)++];

		if (c < '0' || c > '9') {
			return false;
		}
		value = value * 10 + (unsigned)(c - '0');
	}
	*out = (uint8_t)value;
	return value <= 255;
}

/* Reads one label and the dot after it, if there is one, into `to` (its length first). */
static bool label_parse(struct bytes text, size_t *at, uint8_t to[static LABEL_MAX_LEN + 1],
                        bool *dot)
{
	uint8_t len = 0;

	*dot = false;
	while (*at < text.len && !*dot) {
		uint8_t c = text.at[(*at)++];

		if (c == '.') {
			*dot = true;
			continue;
		}
		if (c == '\\' ? !escape_parse(text, at, &c) : c <= ' ' || c == 0x7f) {
			return false; /* white space and control characters need an escape */
		}
		if (len == LABEL_MAX_LEN) {
			return false;
		}
		to[++len] = c;
	}
	to[0] = len;
	return len > 0;
}

enum err name_parse(struct bytes text, const struct name *origin, struct name_buf *out)
{
	static const uint8_t root_octets[] = { 0 };
	struct name root = { root_octets, 1, 0 };
	struct name tail = origin != NULL ? *origin : root;
	bool is_origin = bytes_equal(text, bytes_str("@"));
	bool is_root = bytes_equal(text, bytes_str("."));
	uint8_t octets[NAME_MAX_LEN];
	size_t len = 0;
	unsigned labels = 0;
	bool dot = is_root;

	if (text.len == 0) {
		return ERR_TEXT;
	}
	for (size_t at = is_origin || is_root ? 1 : 0; at < text.len; labels++) {
		uint8_t label[LABEL_MAX_LEN + 1];

		if (!label_parse(text, &at, label, &dot) || len + 1 + label[0] >= NAME_MAX_LEN) {
			return ERR_TEXT;
		}
		memcpy(octets + len, label, 1U + label[0]);
		len += 1U + label[0];
	}
	if (dot) {
		tail = root;
	}
	if (len + tail.len > NAME_MAX_LEN) {
		return ERR_TEXT;
	}
	memcpy(octets + len, tail.at, tail.len);
	name_copy(
		(struct name){ octets, (uint8_t)(len + tail.len), (uint8_t)(labels + tail.labels) },
		out);
	return ERR_OK;
}

/* Writes one octet of a label; what means something in a zone file is escaped. */
static bool octet_print(uint8_t c, struct writer *w)
{
	if (c <= ' ' || c >= 0x7f) {
		return writer_u8(w, '\\') && writer_u8(w, (uint8_t)('0' + c / 100)) &&
		       writer_u8(w, (uint8_t)('0' + c / 10 % 10)) &&
		       writer_u8(w, (uint8_t)('0' + c % 10));
	}
	if (strchr(".\\\"();@$", c) != NULL && !writer_u8(w, '\\')) {
		return false;
	}
	return writer_u8(w, c);
}

bool name_print(struct name n, struct writer *out)
{
	struct writer w = *out;
	size_t at = 0;

	if (n.labels == 0) {
		return writer_u8(out, '.');
	}
	while (n.at[at] != 0) {
		size_t end = at + 1 + n.at[at];

		for (at++; at < end; at++) {
			if (!octet_print(n.at[at], &w)) {
				return false;
			}
		}
		if (!writer_u8(&w, '.')) {
			return false;
		}
	}
	*out = w;
	return true;
}

void name_copy(struct name n, struct name_buf *out)
{
	out->len = n.len;
	out->labels = n.labels;
	memmove(out->octets, n.at, n.len);
}

bool name_equal(struct name a, struct name b)
{
	return a.len == b.len && a.labels == b.labels && octets_compare(a.at, b.at, a.len) == 0;
}

/* Orders two labels, given with their length octet (RFC 4034 §6.1: as octet strings in lower case,
 * the absence of an octet before a zero octet). */
static inline int label_compare(const uint8_t *a, const uint8_t *b)
{
	size_t len = a[0] < b[0] ? a[0] : b[0];
	int order = octets_compare(a + 1, b + 1, len);

	return order != 0 ? order : (a[0] > b[0]) - (a[0] < b[0]);
}

int name_compare(struct name a, struct name b)
{
	uint8_t a_at[NAME_MAX_LABELS], b_at[NAME_MAX_LABELS];
	unsigned common = a.labels < b.labels ? a.labels : b.labels;

	name_offsets(a, a_at);
	name_offsets(b, b_at);
	for (unsigned i = 1; i <= common; i++) {
		int order = label_compare(a.at + a_at[a.labels - i], b.at + b_at[b.labels - i]);

		if (order != 0) {
			return order;
		}
	}
	return (a.labels > b.labels) - (a.labels < b.labels);
}

bool name_within(struct name n, struct name apex)
{
	return n.labels >= apex.labels && n.len >= apex.len &&
	       name_equal(name_strip(n, (unsigned)(n.labels - apex.labels)), apex);
}

struct name name_strip(struct name n, unsigned count)
{
	unsigned at = 0;

	assert(count <= n.labels);
	for (unsigned i = 0; i < count; i++) {
		at += 1U + n.at[at];
	}
	assert(at < n.len);
	return (struct name){ n.at + at, (uint8_t)(n.len - at), (uint8_t)(n.labels - count) };
}

unsigned name_common(struct name a, struct name b)
{
	uint8_t a_at[NAME_MAX_LABELS], b_at[NAME_MAX_LABELS];
	unsigned least = a.labels < b.labels ? a.labels : b.labels;
	unsigned common = 0;

	name_offsets(a, a_at);
	name_offsets(b, b_at);
	while (common < least && label_compare(a.at + a_at[a.labels - common - 1],
	                                       b.at + b_at[b.labels - common - 1]) == 0) {
		common++;
	}
	return common;
}

uint64_t name_hash(uint64_t seed, struct name n)
{
	uint8_t lower[NAME_MAX_LEN];

	octets_copy_lower(lower, n.at, n.len);
	return hash_bytes(seed, bytes_of(lower, n.len));
}

void name_lower(struct name n, struct name_buf *out)
{
	out->len = n.len;
	out->labels = n.labels;
	octets_copy_lower(out->octets, n.at, n.len);
}
