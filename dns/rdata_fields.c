/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_fields.c — names, strings and octets in rdata, and the table of all kinds of fields. */
#include "base/codec.h"
#include "dns/rdata_fields_p.h"

#define DIGITS_MIN     4 /* RFC 1183 §3.1: an X.25 address has a network code at least */
#define SHA1_LEN       20
#define SHA256_LEN     32
#define SHA384_LEN     48
#define SHA512_LEN     64
#define ZONEMD_MIN_LEN 12      /* RFC 8976 §2.2.4 */
#define KEY_ABSENT     0xc000U /* RFC 2535 §3.1.2: both flags, no key */
#define NSEC3_SHA1     1

static struct bytes rest_of(const struct reader *r)
{
	return bytes_of(r->whole.at + r->pos, reader_left(r));
}

static struct bytes rest_take(struct reader *r)
{
	struct bytes rest = rest_of(r);

	r->pos = r->whole.len;
	return rest;
}

/* ---- names ---- */

static enum err name_check(struct reader *r)
{
	struct name name;

	TRY(name_view(rest_of(r), &name));
	r->pos += name.len;
	return ERR_OK;
}

/* ---- strings: RFC 1035 §3.3 <character-string> ---- */

static bool string_take(struct reader *r, struct bytes *out)
{
	uint8_t len;

	return reader_u8(r, &len) && reader_take(r, len, out);
}

static enum err string_check(struct reader *r)
{
	struct bytes b;

	return string_take(r, &b) ? ERR_OK : ERR_WIRE_RDATA;
}

static enum err strings_check(struct reader *r)
{
	const uint8_t *at = r->whole.at;
	size_t len = r->whole.len;
	size_t pos = r->pos;

	if (pos >= len) {
		return ERR_WIRE_RDATA;
	}
	while (pos < len) {
		pos += 1U + at[pos];
	}
	r->pos = len;
	return pos == len ? ERR_OK : ERR_WIRE_RDATA;
}

static enum err string_opt_check(struct reader *r)
{
	return reader_left(r) == 0 ? ERR_OK : string_check(r);
}

static enum err digits_check(struct reader *r)
{
	struct bytes b;

	if (!string_take(r, &b) || b.len < DIGITS_MIN) {
		return ERR_WIRE_RDATA;
	}
	for (size_t i = 0; i < b.len; i++) {
		if (b.at[i] < '0' || b.at[i] > '9') {
			return ERR_WIRE_RDATA;
		}
	}
	return ERR_OK;
}

static bool octet_is_alnum(uint8_t c)
{
	uint8_t lower = octet_lower(c);

	return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

static enum err tag_check(struct reader *r)
{
	struct bytes b;

	if (!string_take(r, &b) || b.len == 0) {
		return ERR_WIRE_RDATA;
	}
	for (size_t i = 0; i < b.len; i++) {
		if (!octet_is_alnum(b.at[i])) {
			return ERR_WIRE_RDATA;
		}
	}
	return ERR_OK;
}

static bool string_print(struct printer *p)
{
	struct bytes b;

	return string_take(&p->in, &b) && print_quoted(p, b);
}

static bool strings_print(struct printer *p)
{
	while (reader_left(&p->in) > 0) {
		if (!string_print(p)) {
			return false;
		}
	}
	return true;
}

static bool tag_print(struct printer *p)
{
	struct bytes b;

	return string_take(&p->in, &b) && print_gap(p) && writer_put(p->out, b);
}

static bool text_print(struct printer *p)
{
	return print_quoted(p, rest_take(&p->in));
}

static enum err string_put(struct parser *p, struct bytes text)
{
	size_t head = p->out->len;

	TRY(put_err(writer_u8(p->out, 0)));
	TRY(text_unescape(text, p->out));
	size_t len = p->out->len - head - 1;
	if (len > UINT8_MAX) {
		return ERR_TEXT;
	}
	p->out->at[head] = (uint8_t)len;
	return ERR_OK;
}

static enum err string_parse(struct parser *p)
{
	struct token t;

	return token_next(p, &t) ? string_put(p, t.text) : ERR_TEXT;
}

static enum err strings_parse(struct parser *p)
{
	struct token t;

	while (token_next(p, &t)) {
		TRY(string_put(p, t.text));
	}
	return ERR_OK;
}

static enum err string_opt_parse(struct parser *p)
{
	struct token t;

	return token_next(p, &t) ? string_put(p, t.text) : ERR_OK;
}

static enum err text_parse(struct parser *p)
{
	struct token t;

	return token_next(p, &t) ? text_unescape(t.text, p->out) : ERR_TEXT;
}

/* ---- octets up to the end ---- */

static enum err rest_check(struct reader *r)
{
	(void)rest_take(r);
	return ERR_OK;
}

static enum err rest_some_check(struct reader *r)
{
	return rest_take(r).len > 0 ? ERR_OK : ERR_WIRE_RDATA;
}

/* The octet before the field: the type of the digest. */
static unsigned octet_before(const struct reader *r)
{
	assert(r->pos > 0 && r->pos <= r->whole.len);
	return r->whole.at[r->pos - 1];
}

static enum err digest_check(struct reader *r, size_t known_len, size_t min_len)
{
	size_t len = rest_take(r).len;

	return len >= min_len && (known_len == 0 || len == known_len) ? ERR_OK : ERR_WIRE_RDATA;
}

static enum err ds_digest_check(struct reader *r)
{
	/* SHA-1, SHA-256, (GOST), SHA-384. Lengths of others are their business. */
	static const uint8_t lens[] = { 0, SHA1_LEN, SHA256_LEN, 0, SHA384_LEN };
	unsigned type = octet_before(r);

	return digest_check(r, type < ARRAY_LEN(lens) ? lens[type] : 0, 1);
}

static enum err sshfp_digest_check(struct reader *r)
{
	static const uint8_t lens[] = { 0, SHA1_LEN, SHA256_LEN };
	unsigned type = octet_before(r);

	return digest_check(r, type < ARRAY_LEN(lens) ? lens[type] : 0, 0);
}

static enum err zonemd_digest_check(struct reader *r)
{
	static const uint8_t lens[] = { 0, SHA384_LEN, SHA512_LEN };
	unsigned type = octet_before(r);

	return digest_check(r, type < ARRAY_LEN(lens) ? lens[type] : 0, ZONEMD_MIN_LEN);
}

static enum err key_check(struct reader *r)
{
	bool absent;

	assert(r->pos >= 4);
	absent = (load_u16(r->whole.at) & KEY_ABSENT) == KEY_ABSENT;
	return absent == (rest_take(r).len == 0) ? ERR_OK : ERR_WIRE_RDATA;
}

static bool base64_rest_print(struct printer *p)
{
	struct bytes b = rest_take(&p->in);

	return b.len == 0 || (print_gap(p) && base64_encode(b, p->out));
}

static bool base64_dash_print(struct printer *p)
{
	return reader_left(&p->in) == 0 ? print_word(p, "-") : base64_rest_print(p);
}

static bool hex_rest_print(struct printer *p)
{
	struct bytes b = rest_take(&p->in);

	return b.len == 0 || (print_gap(p) && base16_encode(b, p->out));
}

static enum err base64_rest_parse(struct parser *p)
{
	return parse_octets(p, base64_decode);
}

static enum err base64_dash_parse(struct parser *p)
{
	size_t keep = p->pos;
	struct token t;

	if (!token_next(p, &t)) {
		return ERR_TEXT;
	}
	if (text_is(t.text, "-")) {
		return ERR_OK;
	}
	p->pos = keep;
	return parse_octets(p, base64_decode);
}

static enum err hex_rest_parse(struct parser *p)
{
	return parse_octets(p, base16_decode);
}

/* ---- octets with their length before them ---- */

/* RFC 5155 §3.3: SHA-1 is the only algorithm, and the hash has its length. */
static enum err hash_check(struct reader *r)
{
	struct bytes b;

	if (!string_take(r, &b) || b.len == 0) {
		return ERR_WIRE_RDATA;
	}
	return r->whole.at[0] != NSEC3_SHA1 || b.len == SHA1_LEN ? ERR_OK : ERR_WIRE_RDATA;
}

static bool salt_print(struct printer *p)
{
	struct bytes b;

	if (!string_take(&p->in, &b)) {
		return false;
	}
	return b.len == 0 ? print_word(p, "-") : print_gap(p) && base16_encode(b, p->out);
}

static bool hash_print(struct printer *p)
{
	struct bytes b;

	if (!string_take(&p->in, &b) || !print_gap(p)) {
		return false;
	}
	size_t begin = p->out->len;
	if (!base32hex_encode(b, p->out)) {
		return false;
	}
	for (size_t i = begin; i < p->out->len; i++) {
		if (p->out->at[i] >= 'a') {
			p->out->at[i] = (uint8_t)(p->out->at[i] - 'a' + 'A');
		}
	}
	return true;
}

/* Appends the decoded text with its length before it. */
static enum err counted_put(struct parser *p, struct bytes text,
                            enum err (*decode)(struct bytes, struct writer *))
{
	size_t head = p->out->len;

	TRY(put_err(writer_u8(p->out, 0)));
	TRY(decode(text, p->out));
	size_t len = p->out->len - head - 1;
	if (len > UINT8_MAX) {
		return ERR_TEXT;
	}
	p->out->at[head] = (uint8_t)len;
	return ERR_OK;
}

static enum err salt_parse(struct parser *p)
{
	struct token t;

	if (!token_next(p, &t) || t.text.len == 0) {
		return ERR_TEXT;
	}
	return text_is(t.text, "-") ? put_err(writer_u8(p->out, 0))
	                            : counted_put(p, t.text, base16_decode);
}

static enum err hash_parse(struct parser *p)
{
	struct token t;

	return token_next(p, &t) ? counted_put(p, t.text, base32hex_decode) : ERR_TEXT;
}

/* ---- the table ---- */

const struct field_kind field_kinds[FIELD_KINDS] = {
	[FIELD_U8] = { 1, NULL, u8_print, u8_parse },
	[FIELD_U16] = { 2, NULL, u16_print, u16_parse },
	[FIELD_U32] = { 4, NULL, u32_print, u32_parse },
	[FIELD_ZERO16] = { 0, zero16_check, u16_print, u16_parse },
	[FIELD_PERIOD] = { 4, NULL, u32_print, period_field_parse },
	[FIELD_TIME] = { 4, NULL, time_print, time_parse },
	[FIELD_TYPE] = { 2, NULL, type_field_print, type_field_parse },
	[FIELD_ALGORITHM] = { 1, NULL, u8_print, algorithm_parse },
	[FIELD_ALGORITHM_NAME] = { 1, NULL, algorithm_name_print, algorithm_parse },
	[FIELD_DIGEST_TYPE] = { 1, NULL, u8_print, digest_type_parse },
	[FIELD_CERT_TYPE] = { 2, NULL, cert_type_print, cert_type_parse },
	[FIELD_SCHEME] = { 1, NULL, scheme_print, scheme_parse },
	[FIELD_LOCATOR] = { 8, NULL, locator_print, locator_parse },
	[FIELD_EUI48] = { 6, NULL, eui48_print, eui48_parse },
	[FIELD_EUI64] = { 8, NULL, eui64_print, eui64_parse },
	[FIELD_IP4] = { 4, NULL, ip4_print, ip4_parse },
	[FIELD_IP6] = { 16, NULL, ip6_print, ip6_parse },
	[FIELD_NAME_PACKED] = { 0, name_check, print_name, parse_name },
	[FIELD_NAME_OLD] = { 0, name_check, print_name, parse_name },
	[FIELD_NAME_CASELESS] = { 0, name_check, print_name, parse_name },
	[FIELD_NAME] = { 0, name_check, print_name, parse_name },
	[FIELD_STRING] = { 0, string_check, string_print, string_parse },
	[FIELD_STRINGS] = { 0, strings_check, strings_print, strings_parse },
	[FIELD_STRING_OPT] = { 0, string_opt_check, strings_print, string_opt_parse },
	[FIELD_DIGITS] = { 0, digits_check, string_print, string_parse },
	[FIELD_TAG] = { 0, tag_check, tag_print, string_parse },
	[FIELD_TEXT] = { 0, rest_check, text_print, text_parse },
	[FIELD_BASE64] = { 0, rest_some_check, base64_rest_print, base64_rest_parse },
	[FIELD_BASE64_OPT] = { 0, rest_check, base64_rest_print, base64_rest_parse },
	[FIELD_BASE64_DASH] = { 0, rest_check, base64_dash_print, base64_dash_parse },
	[FIELD_KEY] = { 0, key_check, base64_rest_print, base64_rest_parse },
	[FIELD_HEX] = { 0, rest_some_check, hex_rest_print, hex_rest_parse },
	[FIELD_DS_DIGEST] = { 0, ds_digest_check, hex_rest_print, hex_rest_parse },
	[FIELD_SSHFP_DIGEST] = { 0, sshfp_digest_check, hex_rest_print, hex_rest_parse },
	[FIELD_ZONEMD_DIGEST] = { 0, zonemd_digest_check, hex_rest_print, hex_rest_parse },
	[FIELD_NSAP] = { 0, nsap_check, nsap_print, nsap_parse },
	[FIELD_ATMA] = { 0, atma_check, atma_print, atma_parse },
	[FIELD_SALT] = { 0, string_check, salt_print, salt_parse },
	[FIELD_HASH] = { 0, hash_check, hash_print, hash_parse },
	[FIELD_BITMAP] = { 0, bitmap_check, bitmap_opt_print, bitmap_opt_parse },
	[FIELD_BITMAP_OPT] = { 0, bitmap_opt_check, bitmap_opt_print, bitmap_opt_parse },
	[FIELD_NXT_BITMAP] = { 0, nxt_bitmap_check, nxt_bitmap_print, nxt_bitmap_parse },
	[FIELD_LOC] = { 0, loc_check, loc_print, loc_parse },
	[FIELD_APL] = { 0, apl_check, apl_print, apl_parse },
	[FIELD_WKS] = { 0, wks_check, wks_print, wks_parse },
	[FIELD_A6] = { 0, a6_check, a6_print, a6_parse },
	[FIELD_GATEWAY] = { 0, gateway_check, gateway_print, gateway_parse },
	[FIELD_RELAY] = { 0, relay_check, relay_print, relay_parse },
	[FIELD_HIP] = { 0, hip_check, hip_print, hip_parse },
	[FIELD_SVCB] = { 0, svcb_check, svcb_print, svcb_parse },
};
