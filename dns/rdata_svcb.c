/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_svcb.c — parameters of SVCB and HTTPS records (RFC 9460 §2.1, §2.2, Appendix A). */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/codec.h"
#include "dns/rdata_fields_p.h"

enum svcb_key {
	SVCB_MANDATORY,
	SVCB_ALPN,
	SVCB_NO_DEFAULT_ALPN,
	SVCB_PORT,
	SVCB_IPV4HINT,
	SVCB_ECH,
	SVCB_IPV6HINT,
	SVCB_NAMED, /* keys below this are printed by name */
};

#define SVCB_DOHPATH 7
#define SVCB_OHTTP   8

static const char *const key_names[] = {
	[SVCB_MANDATORY] = "mandatory",
	[SVCB_ALPN] = "alpn",
	[SVCB_NO_DEFAULT_ALPN] = "no-default-alpn",
	[SVCB_PORT] = "port",
	[SVCB_IPV4HINT] = "ipv4hint",
	[SVCB_ECH] = "ech",
	[SVCB_IPV6HINT] = "ipv6hint",
	/* Read, but printed as keyN: BIND 9.18 would not read the names (RFC 9461, RFC 9540). */
	[SVCB_DOHPATH] = "dohpath",
	[SVCB_OHTTP] = "ohttp",
};

/* ---- wire ---- */

static bool alpn_is_valid(struct bytes value)
{
	struct reader r = reader_of(value);
	struct bytes id;
	uint8_t len;

	while (reader_u8(&r, &len)) {
		if (len == 0 || !reader_take(&r, len, &id)) {
			return false;
		}
	}
	return value.len > 0;
}

static bool mandatory_is_valid(struct bytes value)
{
	if (value.len == 0 || value.len % 2 != 0 || load_u16(value.at) == SVCB_MANDATORY) {
		return false;
	}
	for (size_t i = 2; i < value.len; i += 2) {
		if (load_u16(value.at + i) <= load_u16(value.at + i - 2)) {
			return false;
		}
	}
	return true;
}

static bool value_is_valid(uint16_t key, struct bytes value)
{
	switch (key) {
	case SVCB_MANDATORY:
		return mandatory_is_valid(value);
	case SVCB_ALPN:
		return alpn_is_valid(value);
	case SVCB_NO_DEFAULT_ALPN:
		return value.len == 0;
	case SVCB_PORT:
		return value.len == 2;
	case SVCB_IPV4HINT:
		return value.len > 0 && value.len % 4 == 0;
	case SVCB_IPV6HINT:
		return value.len > 0 && value.len % 16 == 0;
	default:
		return true;
	}
}

static bool param_next(struct reader *r, uint16_t *key, struct bytes *value)
{
	uint16_t len;

	return reader_u16(r, key) && reader_u16(r, &len) && reader_take(r, len, value);
}

/* §2.2: keys ascend; §7.1.1: no-default-alpn needs alpn; §8: what is mandatory is there. */
enum err svcb_check(struct reader *r)
{
	struct bytes awaited = { NULL, 0 };
	int32_t last = -1;
	bool alpn = false;

	while (reader_left(r) > 0) {
		struct bytes value;
		uint16_t key;
		if (!param_next(r, &key, &value) || key <= last || !value_is_valid(key, value)) {
			return ERR_WIRE_RDATA;
		}
		last = key;
		if (key == SVCB_MANDATORY) {
			awaited = value;
		} else if (awaited.len > 0 && load_u16(awaited.at) == key) {
			awaited = bytes_of(awaited.at + 2, awaited.len - 2);
		}
		alpn |= key == SVCB_ALPN;
		if (key == SVCB_NO_DEFAULT_ALPN && !alpn) {
			return ERR_WIRE_RDATA;
		}
	}
	return awaited.len == 0 ? ERR_OK : ERR_WIRE_RDATA;
}

/* ---- to text ---- */

static const char *key_print(uint16_t key, char buf[static 12])
{
	if (key < SVCB_NAMED) {
		return key_names[key];
	}
	(void)snprintf(buf, 12, "key%u", (unsigned)key);
	return buf;
}

static bool print_keys(struct bytes value, struct writer *out)
{
	char buf[12];

	for (size_t i = 0; i < value.len; i += 2) {
		if ((i > 0 && !writer_u8(out, ',')) ||
		    !writer_str(out, key_print(load_u16(value.at + i), buf))) {
			return false;
		}
	}
	return true;
}

/* Appendix A.1: commas and backslashes of a list's item are escaped once more. */
static bool print_item(struct bytes item, struct writer *out)
{
	for (size_t i = 0; i < item.len; i++) {
		bool special = item.at[i] == ',' || item.at[i] == '\\';
		if ((special && !writer_str(out, "\\\\")) ||
		    !print_escaped(bytes_of(item.at + i, 1), true, out)) {
			return false;
		}
	}
	return true;
}

static bool print_alpn(struct bytes value, struct writer *out)
{
	struct reader r = reader_of(value);
	struct bytes id;
	uint8_t len;

	if (!writer_u8(out, '"')) {
		return false;
	}
	while (reader_u8(&r, &len) && reader_take(&r, len, &id)) {
		if (!print_item(id, out) || (reader_left(&r) > 0 && !writer_u8(out, ','))) {
			return false;
		}
	}
	return writer_u8(out, '"');
}

static bool print_addresses(int family, struct bytes value, struct writer *out)
{
	size_t len = family == AF_INET ? 4 : 16;
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < value.len; i += len) {
		if ((i > 0 && !writer_u8(out, ',')) ||
		    inet_ntop(family, value.at + i, text, sizeof(text)) == NULL ||
		    !writer_str(out, text)) {
			return false;
		}
	}
	return true;
}

static bool print_value(uint16_t key, struct bytes value, struct writer *out)
{
	char text[8];

	switch (key) {
	case SVCB_MANDATORY:
		return print_keys(value, out);
	case SVCB_ALPN:
		return print_alpn(value, out);
	case SVCB_PORT:
		(void)snprintf(text, sizeof(text), "%u", (unsigned)load_u16(value.at));
		return writer_str(out, text);
	case SVCB_IPV4HINT:
		return print_addresses(AF_INET, value, out);
	case SVCB_IPV6HINT:
		return print_addresses(AF_INET6, value, out);
	case SVCB_ECH:
		return base64_encode(value, out);
	default:
		return writer_u8(out, '"') && print_escaped(value, false, out) &&
		       writer_u8(out, '"');
	}
}

bool svcb_print(struct printer *p)
{
	char buf[12];

	while (reader_left(&p->in) > 0) {
		struct bytes value;
		uint16_t key;
		if (!param_next(&p->in, &key, &value) || !print_word(p, key_print(key, buf))) {
			return false;
		}
		if (value.len > 0 &&
		    (!writer_u8(p->out, '=') || !print_value(key, value, p->out))) {
			return false;
		}
	}
	return true;
}

/* ---- from text ---- */

static enum err key_parse(struct bytes text, uint16_t *out)
{
	uint32_t n;

	for (uint16_t i = 0; i < ARRAY_LEN(key_names); i++) {
		if (text_is(text, key_names[i])) {
			*out = i;
			return ERR_OK;
		}
	}
	/* §2.1: no leading zeros, so that a key has one spelling. */
	if (text.len < 4 || !text_is(bytes_of(text.at, 3), "key") ||
	    (text.at[3] == '0' && text.len > 4) ||
	    !number_parse(bytes_of(text.at + 3, text.len - 3), UINT16_MAX, &n)) {
		return ERR_TEXT;
	}
	*out = (uint16_t)n;
	return ERR_OK;
}

/* Cuts the item before the next comma off `list`; false when nothing is left. */
static bool item_next(struct bytes *list, struct bytes *item)
{
	const uint8_t *comma;

	if (list->at == NULL) {
		return false;
	}
	comma = list->len == 0 ? NULL : memchr(list->at, ',', list->len);
	if (comma == NULL) {
		*item = *list;
		*list = bytes_of(NULL, 0);
		return true;
	}
	*item = bytes_of(list->at, (size_t)(comma - list->at));
	*list = bytes_of(comma + 1, list->len - item->len - 1);
	return true;
}

static enum err parse_keys(struct bytes list, struct writer *out)
{
	size_t begin = out->len;
	struct bytes item;
	uint16_t key;

	while (item_next(&list, &item)) {
		size_t at = out->len;
		TRY(key_parse(item, &key));
		TRY(put_err(writer_u16(out, key)));
		/* Insertion into ascending order; the check refuses duplicates. */
		for (; at > begin && load_u16(out->at + at - 2) > key; at -= 2) {
			store_u16(out->at + at, load_u16(out->at + at - 2));
		}
		store_u16(out->at + at, key);
	}
	return ERR_OK;
}

/* Appendix A.1, the value already unescaped once: a comma ends an item, \, and \\ do not. */
static enum err parse_alpn(struct bytes list, struct writer *out)
{
	size_t head = out->len;

	TRY(put_err(writer_u8(out, 0)));
	for (size_t i = 0; i <= list.len; i++) {
		if (i == list.len || list.at[i] == ',') {
			size_t len = out->len - head - 1;
			if (len == 0 || len > UINT8_MAX) {
				return ERR_TEXT;
			}
			out->at[head] = (uint8_t)len;
			head = out->len;
			TRY(i == list.len ? ERR_OK : put_err(writer_u8(out, 0)));
			continue;
		}
		if (list.at[i] == '\\' && ++i >= list.len) {
			return ERR_TEXT;
		}
		TRY(put_err(writer_u8(out, list.at[i])));
	}
	return ERR_OK;
}

static enum err parse_addresses(int family, struct bytes list, struct writer *out)
{
	uint8_t ip[16];
	struct bytes item;

	while (item_next(&list, &item)) {
		TRY(ip_parse(item, family, ip));
		TRY(put_err(writer_put(out, bytes_of(ip, family == AF_INET ? 4 : 16))));
	}
	return ERR_OK;
}

/* Reads the value of a key that was given by its name. */
static enum err parse_value(uint16_t key, struct bytes value, struct writer *out)
{
	uint32_t port;

	switch (key) {
	case SVCB_MANDATORY:
		return parse_keys(value, out);
	case SVCB_ALPN:
		return parse_alpn(value, out);
	case SVCB_PORT:
		return number_parse(value, UINT16_MAX, &port)
		               ? put_err(writer_u16(out, (uint16_t)port))
		               : ERR_TEXT;
	case SVCB_IPV4HINT:
		return parse_addresses(AF_INET, value, out);
	case SVCB_IPV6HINT:
		return parse_addresses(AF_INET6, value, out);
	case SVCB_ECH:
		return base64_decode(value, out);
	default:
		return put_err(writer_put(out, value));
	}
}

/* Puts a parameter among those from `begin` on, which ascend by key. */
static enum err param_insert(struct writer *out, size_t begin, struct bytes param)
{
	struct reader r = { writer_bytes(out), begin };
	struct bytes value;
	uint16_t key;
	size_t at = begin;

	while (param_next(&r, &key, &value) && key < load_u16(param.at)) {
		at = r.pos;
	}
	if (param.len > writer_left(out)) {
		return ERR_BUDGET;
	}
	memmove(out->at + at + param.len, out->at + at, out->len - at);
	memcpy(out->at + at, param.at, param.len);
	out->len += param.len;
	return ERR_OK;
}

/* Reads `key` or `key=value`, where the value may be quoted, into one parameter. */
static enum err param_parse(struct parser *p, struct token t, struct writer *param)
{
	uint8_t octets[RDATA_MAX_LEN];
	struct writer plain = writer_of(octets, sizeof(octets));
	const uint8_t *equals = memchr(t.text.at, '=', t.text.len);
	size_t key_len = equals == NULL ? t.text.len : (size_t)(equals - t.text.at);
	struct token quoted;
	uint16_t key;

	TRY(key_parse(bytes_of(t.text.at, key_len), &key));
	if (equals != NULL) {
		struct bytes value = { equals + 1, t.text.len - key_len - 1 };
		/* key="value": the quote ended the token at the equals sign. */
		if (value.len == 0 && p->pos < p->text.len && p->text.at[p->pos] == '"') {
			if (!token_next(p, &quoted)) {
				return ERR_TEXT;
			}
			value = quoted.text;
		}
		TRY(text_unescape(value, &plain));
	}
	TRY(put_err(writer_u16(param, key) && writer_u16(param, 0)));
	/* keyN says its octets as they are. What must not be empty is refused by the check. */
	if (plain.len > 0) {
		TRY(octet_lower(t.text.at[0]) == 'k'
		            ? put_err(writer_put(param, writer_bytes(&plain)))
		            : parse_value(key, writer_bytes(&plain), param));
	}
	if (param->len - 4 > UINT16_MAX) {
		return ERR_TEXT;
	}
	store_u16(param->at + 2, (uint16_t)(param->len - 4));
	return ERR_OK;
}

enum err svcb_parse(struct parser *p)
{
	uint8_t octets[RDATA_MAX_LEN];
	size_t begin = p->out->len;
	struct token t;

	while (token_next(p, &t)) {
		struct writer param = writer_of(octets, sizeof(octets));
		if (t.quoted) {
			return ERR_TEXT;
		}
		TRY(param_parse(p, t, &param));
		TRY(param_insert(p->out, begin, writer_bytes(&param)));
	}
	return ERR_OK;
}
