/* SPDX-License-Identifier: MIT
 *
 * zonestore/change.c — sorting changes: by eight octets of the key at a time, in radix passes. */
#include "zonestore/change_p.h"

#include "zonestore/stored_p.h"

#define RADIX_FROM 256U /* fewer are sorted by comparing */
#define FEW        12U  /* and that few by insertion */

/* Order within one owner. */
static int record_compare(const struct change *a, const struct change *b)
{
	if (a->kind.n != b->kind.n) {
		return a->kind.n < b->kind.n ? -1 : 1;
	}
	return stored_compare(kind_type(a->kind), change_rdata(a), change_rdata(b));
}

/* Order of changes whose keys agree before `from`; from == SIZE_MAX: keys are equal. */
static int change_compare(const struct change *a, const struct change *b, size_t from)
{
	if (from != SIZE_MAX) {
		struct bytes x = bytes_of(a->octets + from, a->key_len - from);
		struct bytes y = bytes_of(b->octets + from, b->key_len - from);
		int c = bytes_compare(x, y);
		if (c != 0) {
			return c;
		}
	}
	return record_compare(a, b);
}

static void sort_few(struct change_slot *s, size_t count, size_t from)
{
	for (size_t i = 1; i < count; i++) {
		struct change_slot x = s[i];
		size_t j = i;
		while (j > 0 && change_compare(s[j - 1].change, x.change, from) > 0) {
			s[j] = s[j - 1];
			j--;
		}
		s[j] = x;
	}
}

/* Merge sort, bottom up: runs of FEW, then pairs of runs. */
static void sort_compare(struct change_slot *s, struct change_slot *spare, size_t count,
                         size_t from)
{
	struct change_slot *in = s;
	struct change_slot *out = spare;

	for (size_t i = 0; i < count; i += FEW) {
		sort_few(s + i, count - i < FEW ? count - i : FEW, from);
	}
	for (size_t run = FEW; run < count; run *= 2) {
		struct change_slot *swap = in;
		for (size_t i = 0; i < count; i += 2 * run) {
			size_t a = i;
			size_t a_end = count - i < run ? count : i + run;
			size_t b = a_end;
			size_t b_end = count - i < 2 * run ? count : i + 2 * run;
			for (size_t o = i; o < b_end; o++) {
				bool take_a =
					a < a_end &&
					(b == b_end ||
				         change_compare(in[a].change, in[b].change, from) <= 0);
				out[o] = in[take_a ? a++ : b++];
			}
		}
		in = out;
		out = swap;
	}
	if (in != s) {
		memcpy(s, in, count * sizeof(*s));
	}
}

void owner_changes_sort(struct change_slot *slots, struct change_slot *spare, size_t count)
{
	if (count <= FEW) {
		sort_few(slots, count, SIZE_MAX);
	} else {
		sort_compare(slots, spare, count, SIZE_MAX);
	}
}

/* Eight octets of the key from `from`, the first highest. A key that ends is filled with zeros,
 * which sorts it before what goes on: no label begins with a zero. */
static uint64_t key_part(const struct change *c, size_t from)
{
	uint8_t octets[8] = { 0 };
	size_t len = c->key_len > from ? c->key_len - from : 0;

	if (len >= 8) {
		return load_u64(c->octets + from);
	}
	memcpy(octets, c->octets + from, len);
	return load_u64(octets);
}

/* One stable pass per octet that is not the same in all, lowest octet first. */
static void radix_sort(struct change_slot *s, struct change_slot *spare, size_t count)
{
	static const unsigned digits = 8;
	uint32_t counts[8][256] = { 0 };
	struct change_slot *in = s;
	struct change_slot *out = spare;

	for (size_t i = 0; i < count; i++) {
		for (unsigned d = 0; d < digits; d++) {
			counts[d][s[i].part >> (8 * d) & 255]++;
		}
	}
	for (unsigned d = 0; d < digits; d++) {
		uint32_t *at = counts[d];
		uint32_t sum = 0;
		struct change_slot *swap = in;
		if (at[in[0].part >> (8 * d) & 255] == count) {
			continue;
		}
		for (unsigned v = 0; v < 256; v++) {
			uint32_t n = at[v];
			at[v] = sum;
			sum += n;
		}
		for (size_t i = 0; i < count; i++) {
			out[at[in[i].part >> (8 * d) & 255]++] = in[i];
		}
		in = out;
		out = swap;
	}
	if (in != s) {
		memcpy(s, in, count * sizeof(*s));
	}
}

static void sort_from(struct change_slot *s, struct change_slot *spare, size_t count, size_t from)
{
	size_t run;

	if (count < RADIX_FROM) {
		sort_compare(s, spare, count, from);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (i + CHANGES_AHEAD < count) {
			change_fetch(s[i + CHANGES_AHEAD].change);
		}
		s[i].part = key_part(s[i].change, from);
	}
	radix_sort(s, spare, count);
	for (size_t i = 0; i < count; i += run) {
		for (run = 1; i + run < count && s[i + run].part == s[i].part; run++) {
		}
		if (run == 1) {
			continue;
		}
		if (s[i].change->key_len < from + 8) {
			owner_changes_sort(s + i, spare, run); /* filled up, so ended: one owner */
		} else {
			sort_from(s + i, spare, run, from + 8); /* KEY_MAX / 8 deep at most */
		}
	}
}

void changes_sort(struct change_slot *slots, struct change_slot *spare, size_t count)
{
	assert(count < UINT32_MAX);
	sort_from(slots, spare, count, 0);
}
