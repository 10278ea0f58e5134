/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_forms.c — forms that one type each has: addresses behind a kind (IPSECKEY, AMTRELAY,
 * A6, APL), WKS, HIP, NSAP and ATMA. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/codec.h"
#include "dns/rdata_fields_p.h"

#define IP4_LEN 4
#define IP6_LEN 16

/* ---- IPSECKEY (RFC 4025 §2.3) and AMTRELAY (RFC 8777 §4.2): none, IPv4, IPv6 or a name ---- */

enum gateway { GATEWAY_NONE, GATEWAY_IP4, GATEWAY_IP6, GATEWAY_NAME, GATEWAY_KINDS };

#define RELAY_DISCOVERY 0x80U

static enum err gateway_skip(struct reader *r, unsigned kind)
{
	struct bytes b;

	switch ((enum gateway)kind) {
	case GATEWAY_NONE:
		return ERR_OK;
	case GATEWAY_IP4:
		return reader_take(r, IP4_LEN, &b) ? ERR_OK : ERR_WIRE_RDATA;
	case GATEWAY_IP6:
		return reader_take(r, IP6_LEN, &b) ? ERR_OK : ERR_WIRE_RDATA;
	case GATEWAY_NAME:
		return field_check(FIELD_NAME, r);
	case GATEWAY_KINDS:
		break;
	}
	return ERR_WIRE_RDATA;
}

static bool gateway_put(struct printer *p, unsigned kind)
{
	switch ((enum gateway)kind) {
	case GATEWAY_NONE:
		return print_word(p, ".");
	case GATEWAY_IP4:
		return print_ip(p, AF_INET);
	case GATEWAY_IP6:
		return print_ip(p, AF_INET6);
	case GATEWAY_NAME:
		return print_name(p);
	case GATEWAY_KINDS:
		break;
	}
	return false;
}

static enum err gateway_take(struct parser *p, unsigned kind)
{
	struct token t;

	switch ((enum gateway)kind) {
	case GATEWAY_NONE:
		return token_next(p, &t) && text_is(t.text, ".") ? ERR_OK : ERR_TEXT;
	case GATEWAY_IP4:
		return parse_ip(p, AF_INET);
	case GATEWAY_IP6:
		return parse_ip(p, AF_INET6);
	case GATEWAY_NAME:
		return parse_name(p);
	case GATEWAY_KINDS:
		break;
	}
	return ERR_TEXT;
}

enum err gateway_check(struct reader *r)
{
	return r->pos == 3 ? gateway_skip(r, r->whole.at[1]) : ERR_WIRE_RDATA;
}

bool gateway_print(struct printer *p)
{
	return gateway_put(p, p->in.whole.at[1]);
}

enum err gateway_parse(struct parser *p)
{
	return gateway_take(p, p->out->at[p->start + 1]);
}

enum err relay_check(struct reader *r)
{
	uint8_t kind;

	if (!reader_u8(r, &kind)) {
		return ERR_WIRE_RDATA;
	}
	kind &= (uint8_t)~RELAY_DISCOVERY;
	if (kind >= GATEWAY_KINDS) {
		r->pos = r->whole.len; /* kinds to come: opaque */
		return ERR_OK;
	}
	return gateway_skip(r, kind);
}

bool relay_print(struct printer *p)
{
	uint8_t kind;

	return reader_u8(&p->in, &kind) && print_number(p, kind >= RELAY_DISCOVERY) &&
	       print_number(p, kind & ~RELAY_DISCOVERY) && gateway_put(p, kind & ~RELAY_DISCOVERY);
}

enum err relay_parse(struct parser *p)
{
	uint32_t discovery, kind;

	TRY(parse_number(p, 1, &discovery));
	TRY(parse_number(p, GATEWAY_KINDS - 1, &kind));
	TRY(put_err(writer_u8(p->out, (uint8_t)(discovery << 7 | kind))));
	return gateway_take(p, kind);
}

/* ---- A6 (RFC 2874 §3.1): prefix length, the suffix's octets, and a name if there is a prefix ----
 */

#define A6_PREFIX_MAX 128

static size_t a6_suffix_len(uint8_t prefix)
{
	return IP6_LEN - prefix / 8U;
}

enum err a6_check(struct reader *r)
{
	struct bytes suffix;
	uint8_t prefix;

	if (!reader_u8(r, &prefix) || prefix > A6_PREFIX_MAX ||
	    !reader_take(r, a6_suffix_len(prefix), &suffix)) {
		return ERR_WIRE_RDATA;
	}
	/* Bits of the prefix in the suffix's first octet are zero. */
	if (prefix % 8 != 0 && suffix.at[0] >> (8 - prefix % 8) != 0) {
		return ERR_WIRE_RDATA;
	}
	return prefix == 0 ? ERR_OK : field_check(FIELD_NAME_CASELESS, r);
}

bool a6_print(struct printer *p)
{
	uint8_t ip[IP6_LEN] = { 0 };
	char text[INET6_ADDRSTRLEN];
	struct bytes suffix;
	uint8_t prefix;

	if (!reader_u8(&p->in, &prefix) || prefix > A6_PREFIX_MAX ||
	    !reader_take(&p->in, a6_suffix_len(prefix), &suffix) || !print_number(p, prefix)) {
		return false;
	}
	if (suffix.len > 0) {
		memcpy(ip + IP6_LEN - suffix.len, suffix.at, suffix.len);
		if (inet_ntop(AF_INET6, ip, text, sizeof(text)) == NULL || !print_word(p, text)) {
			return false;
		}
	}
	return prefix == 0 || print_name(p);
}

enum err a6_parse(struct parser *p)
{
	uint8_t ip[IP6_LEN];
	uint32_t prefix;
	struct token t;

	TRY(parse_number(p, A6_PREFIX_MAX, &prefix));
	TRY(put_err(writer_u8(p->out, (uint8_t)prefix)));
	if (prefix < A6_PREFIX_MAX) {
		size_t len = a6_suffix_len((uint8_t)prefix);
		if (!token_next(p, &t)) {
			return ERR_TEXT;
		}
		TRY(ip_parse(t.text, AF_INET6, ip));
		ip[IP6_LEN - len] &= (uint8_t)(0xffU >> prefix % 8);
		TRY(put_err(writer_put(p->out, bytes_of(ip + IP6_LEN - len, len))));
	}
	return prefix == 0 ? ERR_OK : parse_name(p);
}

/* ---- APL (RFC 3123): [!]afi:address/prefix ... ---- */

#define APL_NEGATED 0x80U
#define APL_IP4     1
#define APL_IP6     2

struct apl_item {
	uint16_t afi;
	uint8_t prefix;
	bool negated;
	struct bytes address; /* without the zeros at its end */
};

static bool apl_next(struct reader *r, struct apl_item *out)
{
	uint8_t len;

	if (!reader_u16(r, &out->afi) || !reader_u8(r, &out->prefix) || !reader_u8(r, &len) ||
	    !reader_take(r, len & ~APL_NEGATED, &out->address)) {
		return false;
	}
	out->negated = len >= APL_NEGATED;
	return true;
}

static bool apl_fits(const struct apl_item *item, unsigned address_len)
{
	return item->prefix <= address_len * 8 && item->address.len <= address_len;
}

enum err apl_check(struct reader *r)
{
	while (reader_left(r) > 0) {
		struct apl_item item;
		if (!apl_next(r, &item) ||
		    (item.address.len > 0 && item.address.at[item.address.len - 1] == 0) ||
		    (item.afi == APL_IP4 && !apl_fits(&item, IP4_LEN)) ||
		    (item.afi == APL_IP6 && !apl_fits(&item, IP6_LEN))) {
			return ERR_WIRE_RDATA;
		}
	}
	return ERR_OK;
}

bool apl_print(struct printer *p)
{
	while (reader_left(&p->in) > 0) {
		struct apl_item item;
		uint8_t ip[IP6_LEN] = { 0 };
		char address[INET6_ADDRSTRLEN];
		char text[INET6_ADDRSTRLEN + 16];
		if (!apl_next(&p->in, &item) || item.address.len > sizeof(ip)) {
			return false;
		}
		if (item.address.len > 0) {
			memcpy(ip, item.address.at, item.address.len);
		}
		if (inet_ntop(item.afi == APL_IP4 ? AF_INET : AF_INET6, ip, address,
		              sizeof(address)) == NULL) {
			return false;
		}
		(void)snprintf(text, sizeof(text), "%s%u:%s/%u", item.negated ? "!" : "", item.afi,
		               address, item.prefix);
		if (!print_word(p, text)) {
			return false;
		}
	}
	return true;
}

static enum err apl_item_parse(struct bytes text, struct writer *out)
{
	bool negated = text.len > 0 && text.at[0] == '!';
	struct bytes rest = { text.at + negated, text.len - negated };
	const uint8_t *colon = memchr(rest.at, ':', rest.len);
	const uint8_t *slash = memchr(rest.at, '/', rest.len);
	uint8_t ip[IP6_LEN];
	uint32_t afi, prefix;

	if (colon == NULL || slash == NULL || slash < colon ||
	    !number_parse(bytes_of(rest.at, (size_t)(colon - rest.at)), APL_IP6, &afi) ||
	    afi == 0) {
		return ERR_TEXT;
	}
	size_t len = afi == APL_IP4 ? IP4_LEN : IP6_LEN;
	size_t slash_at = (size_t)(slash - rest.at);
	if (!number_parse(bytes_of(slash + 1, rest.len - slash_at - 1), (uint32_t)len * 8,
	                  &prefix)) {
		return ERR_TEXT;
	}
	TRY(ip_parse(bytes_of(colon + 1, (size_t)(slash - colon - 1)),
	             afi == APL_IP4 ? AF_INET : AF_INET6, ip));
	while (len > 0 && ip[len - 1] == 0) {
		len--;
	}
	return put_err(writer_u16(out, (uint16_t)afi) && writer_u8(out, (uint8_t)prefix) &&
	               writer_u8(out, (uint8_t)(len | (negated ? APL_NEGATED : 0))) &&
	               writer_put(out, bytes_of(ip, len)));
}

enum err apl_parse(struct parser *p)
{
	struct token t;

	while (token_next(p, &t)) {
		TRY(apl_item_parse(t.text, p->out));
	}
	return ERR_OK;
}

/* ---- WKS (RFC 1035 §3.4.2): address, protocol, bit map of ports ---- */

#define WKS_MAP_MAX  8192
#define WKS_PORT_MAX 65535

enum err wks_check(struct reader *r)
{
	struct bytes map;
	struct bytes head;

	if (!reader_take(r, IP4_LEN + 1, &head) || reader_left(r) > WKS_MAP_MAX ||
	    !reader_take(r, reader_left(r), &map)) {
		return ERR_WIRE_RDATA;
	}
	return map.len == 0 || map.at[map.len - 1] != 0 ? ERR_OK : ERR_WIRE_RDATA;
}

bool wks_print(struct printer *p)
{
	struct bytes map;
	uint8_t protocol;

	if (!print_ip(p, AF_INET) || !reader_u8(&p->in, &protocol) || !print_number(p, protocol) ||
	    !reader_take(&p->in, reader_left(&p->in), &map)) {
		return false;
	}
	for (unsigned i = 0; i < map.len * 8; i++) {
		if ((map.at[i / 8] & 0x80U >> i % 8) != 0 && !print_number(p, i)) {
			return false;
		}
	}
	return true;
}

/* The names that WKS records were written with; everything else is a number. */
static bool wks_number(struct bytes text, uint32_t max, uint32_t *out)
{
	static const struct {
		const char *name;
		uint16_t n;
		bool protocol;
	} words[] = {
		{ "icmp", 1, true },       { "tcp", 6, true },     { "udp", 17, true },
		{ "ftp-data", 20, false }, { "ftp", 21, false },   { "ssh", 22, false },
		{ "telnet", 23, false },   { "smtp", 25, false },  { "time", 37, false },
		{ "domain", 53, false },   { "tftp", 69, false },  { "finger", 79, false },
		{ "http", 80, false },     { "pop3", 110, false }, { "sunrpc", 111, false },
		{ "nntp", 119, false },    { "ntp", 123, false },  { "snmp", 161, false },
		{ "https", 443, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i].protocol == (max == UINT8_MAX) && text_is(text, words[i].name)) {
			*out = words[i].n;
			return true;
		}
	}
	return number_parse(text, max, out);
}

enum err wks_parse(struct parser *p)
{
	uint8_t map[WKS_MAP_MAX] = { 0 };
	size_t len = 0;
	struct token t;
	uint32_t n;

	TRY(parse_ip(p, AF_INET));
	if (!token_next(p, &t) || !wks_number(t.text, UINT8_MAX, &n)) {
		return ERR_TEXT;
	}
	TRY(put_err(writer_u8(p->out, (uint8_t)n)));
	while (token_next(p, &t)) {
		if (!wks_number(t.text, WKS_PORT_MAX, &n)) {
			return ERR_TEXT;
		}
		map[n / 8] |= (uint8_t)(0x80U >> n % 8);
		len = n / 8 + 1 > len ? n / 8 + 1 : len;
	}
	return put_err(writer_put(p->out, bytes_of(map, len)));
}

/* ---- HIP (RFC 8005 §5): lengths first, then tag, key, and rendezvous servers ---- */

enum err hip_check(struct reader *r)
{
	struct bytes tag, key;
	uint8_t tag_len, algorithm;
	uint16_t key_len;

	if (!reader_u8(r, &tag_len) || !reader_u8(r, &algorithm) || !reader_u16(r, &key_len) ||
	    tag_len == 0 || key_len == 0 || !reader_take(r, tag_len, &tag) ||
	    !reader_take(r, key_len, &key)) {
		return ERR_WIRE_RDATA;
	}
	while (reader_left(r) > 0) {
		TRY(field_check(FIELD_NAME, r));
	}
	return ERR_OK;
}

bool hip_print(struct printer *p)
{
	struct bytes tag, key;
	uint8_t tag_len, algorithm;
	uint16_t key_len;

	if (!reader_u8(&p->in, &tag_len) || !reader_u8(&p->in, &algorithm) ||
	    !reader_u16(&p->in, &key_len) || !reader_take(&p->in, tag_len, &tag) ||
	    !reader_take(&p->in, key_len, &key) || !print_number(p, algorithm) || !print_gap(p) ||
	    !base16_encode(tag, p->out) || !print_gap(p) || !base64_encode(key, p->out)) {
		return false;
	}
	while (reader_left(&p->in) > 0) {
		if (!print_name(p)) {
			return false;
		}
	}
	return true;
}

enum err hip_parse(struct parser *p)
{
	struct token tag, key;
	uint32_t algorithm;
	size_t head = p->out->len;

	TRY(parse_number(p, UINT8_MAX, &algorithm));
	if (!token_next(p, &tag) || !token_next(p, &key)) {
		return ERR_TEXT;
	}
	TRY(put_err(writer_u32(p->out, 0)));
	TRY(base16_decode(tag.text, p->out));
	size_t tag_len = p->out->len - head - 4;
	TRY(base64_decode(key.text, p->out));
	size_t key_len = p->out->len - head - 4 - tag_len;
	if (tag_len > UINT8_MAX || key_len > UINT16_MAX) {
		return ERR_TEXT;
	}
	p->out->at[head] = (uint8_t)tag_len;
	p->out->at[head + 1] = (uint8_t)algorithm;
	store_u16(p->out->at + head + 2, (uint16_t)key_len);
	while (p->pos < p->text.len) {
		size_t before = p->pos;
		struct token t;
		if (!token_next(p, &t)) {
			break;
		}
		p->pos = before;
		TRY(parse_name(p));
	}
	return ERR_OK;
}

/* ---- NSAP (RFC 1706) and ATMA (ATM Forum af-saa-0069): hex with dots, or a telephone number ----
 */

#define ATMA_AESA 0
#define ATMA_E164 1

static bool print_lower_hex(struct printer *p, struct bytes octets)
{
	size_t begin = p->out->len;

	if (!base16_encode(octets, p->out)) {
		return false;
	}
	for (size_t i = begin; i < p->out->len; i++) {
		p->out->at[i] = octet_lower(p->out->at[i]);
	}
	return true;
}

/* Decodes hex, leaving dots out. */
static enum err dotted_hex_decode(struct bytes text, struct writer *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t pair[2];
		if (text.at[i] == '.') {
			continue;
		}
		pair[0] = text.at[i];
		do {
			i++;
		} while (i < text.len && text.at[i] == '.');
		if (i >= text.len) {
			return ERR_TEXT;
		}
		pair[1] = text.at[i];
		TRY(base16_decode(bytes_of(pair, 2), out));
	}
	return ERR_OK;
}

enum err nsap_check(struct reader *r)
{
	struct bytes b;

	return reader_left(r) > 0 && reader_take(r, reader_left(r), &b) ? ERR_OK : ERR_WIRE_RDATA;
}

bool nsap_print(struct printer *p)
{
	struct bytes b;

	return reader_take(&p->in, reader_left(&p->in), &b) && print_word(p, "0x") &&
	       print_lower_hex(p, b);
}

enum err nsap_parse(struct parser *p)
{
	struct token t;

	if (!token_next(p, &t) || t.text.len < 2 || !text_is(bytes_of(t.text.at, 2), "0x")) {
		return ERR_TEXT;
	}
	return dotted_hex_decode(bytes_of(t.text.at + 2, t.text.len - 2), p->out);
}

enum err atma_check(struct reader *r)
{
	struct bytes address;
	uint8_t format;

	if (!reader_u8(r, &format) || reader_left(r) == 0 ||
	    !reader_take(r, reader_left(r), &address)) {
		return ERR_WIRE_RDATA;
	}
	for (size_t i = 0; format == ATMA_E164 && i < address.len; i++) {
		if (address.at[i] < '0' || address.at[i] > '9') {
			return ERR_WIRE_RDATA;
		}
	}
	return ERR_OK;
}

bool atma_print(struct printer *p)
{
	struct bytes address;
	uint8_t format;

	if (!reader_u8(&p->in, &format) || !reader_take(&p->in, reader_left(&p->in), &address) ||
	    !print_gap(p)) {
		return false;
	}
	return format == ATMA_E164 ? writer_u8(p->out, '+') && writer_put(p->out, address)
	                           : print_lower_hex(p, address);
}

enum err atma_parse(struct parser *p)
{
	struct token t;

	if (!token_next(p, &t) || t.text.len == 0) {
		return ERR_TEXT;
	}
	if (t.text.at[0] == '+') {
		TRY(put_err(writer_u8(p->out, ATMA_E164)));
		return put_err(writer_put(p->out, bytes_of(t.text.at + 1, t.text.len - 1)));
	}
	TRY(put_err(writer_u8(p->out, ATMA_AESA)));
	return dotted_hex_decode(t.text, p->out);
}
