/* SPDX-License-Identifier: MIT
 *
 * zonestore/key.c — names to keys and back. */
#include "zonestore/key_p.h"

#define ESCAPE 0x01

/* Copies a label into the key; notes letters in upper case. */
static bool key_put_label(struct key *k, const uint8_t *label, unsigned len)
{
	unsigned at = k->len;
	bool cased = false;

	for (unsigned i = 0; i < len; i++) {
		uint8_t c = label[i];
		bool upper = (unsigned)c - 'A' < 26;
		cased |= upper;
		if (c <= ESCAPE) {
			k->octets[at++] = ESCAPE;
			c++;
		}
		k->octets[at++] = (uint8_t)(c + (upper ? 0x20 : 0));
	}
	k->octets[at++] = 0;
	k->len = (uint16_t)at;
	return cased;
}

static void key_note_cases(struct key *k, const uint8_t *wire, const uint8_t *starts,
                           unsigned labels)
{
	unsigned at = 0;

	memset(k->cases, 0, sizeof(k->cases));
	while (labels-- > 0) {
		const uint8_t *label = wire + starts[labels];
		for (unsigned i = 1; i <= label[0]; i++, at++) {
			if ((unsigned)label[i] - 'A' < 26) {
				k->cases[at / 8] |= (uint8_t)(0x80 >> at % 8);
			}
			at += label[i] <= ESCAPE;
		}
		at++;
	}
	k->cased = true;
}

void key_of_name(struct name name, unsigned apex_labels, struct key *out)
{
	uint8_t starts[NAME_MAX_LABELS];
	unsigned labels;
	unsigned at = 0;
	bool cased = false;

	assert(name.labels >= apex_labels);
	labels = name.labels - apex_labels;
	for (unsigned i = 0; i < labels; i++) {
		starts[i] = (uint8_t)at;
		at += 1U + name.at[at];
	}
	assert(at < name.len);
	out->len = 0;
	for (unsigned i = labels; i-- > 0;) {
		const uint8_t *label = name.at + starts[i];
		cased |= key_put_label(out, label + 1, label[0]);
	}
	assert(out->len <= KEY_MAX);
	out->cased = false;
	if (cased) {
		key_note_cases(out, name.at, starts, labels);
	}
}

/* Copies the label that ends at key octet `to` into the wire form, and returns where it begins;
 * SIZE_MAX if there is no room. */
static size_t key_take_label(struct bytes key, const uint8_t *cases, size_t to, struct writer *out)
{
	size_t from = to;
	size_t head = out->len;
	bool fits = writer_u8(out, 0);

	while (from > 0 && key.at[from - 1] != 0) {
		from--;
	}
	for (size_t i = from; i < to && fits; i++) {
		uint8_t c = key.at[i];
		if (cases != NULL && (cases[i / 8] & 0x80 >> i % 8) != 0) {
			c = (uint8_t)(c - 0x20);
		}
		if (c == ESCAPE) {
			c = (uint8_t)(key.at[++i] - 1);
		}
		fits = writer_u8(out, c);
	}
	if (fits) {
		out->at[head] = (uint8_t)(out->len - head - 1);
	}
	return fits ? from : SIZE_MAX;
}

bool key_name(struct bytes key, const uint8_t *cases, struct name apex, struct name_buf *out)
{
	struct writer w = writer_of(out->octets, sizeof(out->octets));
	size_t at = key.len;
	unsigned labels = apex.labels;

	while (at > 0) {
		assert(key.at[at - 1] == 0);
		at = key_take_label(key, cases, at - 1, &w);
		if (at == SIZE_MAX) {
			return false;
		}
		labels++;
	}
	if (!writer_put(&w, name_bytes(apex))) {
		return false;
	}
	out->len = (uint8_t)w.len;
	out->labels = (uint8_t)labels;
	return true;
}

bool key_check(struct bytes key)
{
	unsigned label = 0;
	unsigned wire = 0;

	for (size_t i = 0; i < key.len; i++) {
		if (key.at[i] == 0) {
			if (label == 0 || label > LABEL_MAX_LEN) {
				return false;
			}
			wire += label + 1;
			label = 0;
			continue;
		}
		if (key.at[i] == ESCAPE) {
			i++;
			if (i == key.len || key.at[i] < 1 || key.at[i] > 2) {
				return false;
			}
		} else if ((unsigned)key.at[i] - 'A' < 26) {
			return false;
		}
		label++;
	}
	return label == 0 && key.len <= KEY_MAX && wire < NAME_MAX_LEN;
}

bool key_cases_check(struct bytes key, const uint8_t *cases)
{
	unsigned bits = 0;

	for (size_t i = 0; i < 8 * key_cases_len(key.len); i++) {
		if ((cases[i / 8] & 0x80 >> i % 8) == 0) {
			continue;
		}
		if (i >= key.len || (unsigned)key.at[i] - 'a' >= 26) {
			return false;
		}
		bits++;
	}
	return bits > 0;
}

unsigned key_labels(struct bytes key)
{
	unsigned labels = 0;

	for (size_t i = 0; i < key.len; i++) {
		labels += key.at[i] == 0;
	}
	return labels;
}

unsigned key_wire_len(struct bytes key)
{
	size_t len = key.len;

	if (key.len == 0 || memchr(key.at, ESCAPE, key.len) == NULL) {
		return (unsigned)len;
	}
	for (size_t i = 0; i < key.len; i++) {
		if (key.at[i] == ESCAPE) {
			i++; /* what follows may be 0x01 itself */
			len--;
		}
	}
	return (unsigned)len;
}

bool key_cases_before(size_t key_len, const uint8_t *a, const uint8_t *b)
{
	if (a == NULL || b == NULL) {
		return a != NULL;
	}
	return memcmp(a, b, key_cases_len(key_len)) > 0;
}
