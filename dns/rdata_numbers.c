/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_numbers.c — fields of fixed width: numbers, times, mnemonics, addresses. */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/codec.h"
#include "dns/rdata_fields_p.h"

/* ---- numbers ---- */

bool u8_print(struct printer *p)
{
	uint8_t n;

	return reader_u8(&p->in, &n) && print_number(p, n);
}

bool u16_print(struct printer *p)
{
	uint16_t n;

	return reader_u16(&p->in, &n) && print_number(p, n);
}

bool u32_print(struct printer *p)
{
	uint32_t n;

	return reader_u32(&p->in, &n) && print_number(p, n);
}

enum err u8_parse(struct parser *p)
{
	uint32_t n;

	TRY(parse_number(p, UINT8_MAX, &n));
	return put_err(writer_u8(p->out, (uint8_t)n));
}

enum err u16_parse(struct parser *p)
{
	uint32_t n;

	TRY(parse_number(p, UINT16_MAX, &n));
	return put_err(writer_u16(p->out, (uint16_t)n));
}

enum err u32_parse(struct parser *p)
{
	uint32_t n;

	TRY(parse_number(p, UINT32_MAX, &n));
	return put_err(writer_u32(p->out, n));
}

enum err zero16_check(struct reader *r)
{
	uint16_t n;

	return reader_u16(r, &n) && n == 0 ? ERR_OK : ERR_WIRE_RDATA;
}

enum err period_field_parse(struct parser *p)
{
	struct token t;
	uint32_t n;

	if (!token_next(p, &t) || t.quoted || !period_parse(t.text, &n)) {
		return ERR_TEXT;
	}
	return put_err(writer_u32(p->out, n));
}

/* ---- times: RFC 4034 §3.2, in the proleptic Gregorian calendar without leap seconds ---- */

#define DAY_S          86400
#define DAYS_0_TO_1970 719468 /* from 1 March of year 0 */
#define ERA_DAYS       146097 /* 400 years */

/* Days since 1970. Years are counted from March, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_0_TO_1970;
}

bool time_print(struct printer *p)
{
	uint32_t t;
	char text[40];

	if (!reader_u32(&p->in, &t)) {
		return false;
	}
	unsigned days = t / DAY_S + DAYS_0_TO_1970;
	unsigned of_day = t % DAY_S;
	unsigned era = days / ERA_DAYS;
	unsigned d = days % ERA_DAYS;
	unsigned y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	unsigned of_year = d - (365 * y + y / 4 - y / 100);
	unsigned m = (5 * of_year + 2) / 153;
	(void)snprintf(text, sizeof(text), "%04u%02u%02u%02u%02u%02u", y + era * 400 + (m >= 10),
	               m < 10 ? m + 3 : m - 9, of_year - (153 * m + 2) / 5 + 1, of_day / 3600,
	               of_day / 60 % 60, of_day % 60);
	return print_word(p, text);
}

static bool digits_at(struct bytes text, size_t at, size_t len, uint32_t max, uint32_t *out)
{
	return number_parse(bytes_of(text.at + at, len), max, out);
}

static bool year_is_leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

enum err time_parse(struct parser *p)
{
	static const uint8_t month_days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	uint32_t year, month, day, hour, minute, second;
	struct token t;

	if (!token_next(p, &t) || t.quoted) {
		return ERR_TEXT;
	}
	if (t.text.len != 14) {
		return number_parse(t.text, UINT32_MAX, &second)
		               ? put_err(writer_u32(p->out, second))
		               : ERR_TEXT;
	}
	if (!digits_at(t.text, 0, 4, 9999, &year) || !digits_at(t.text, 4, 2, 12, &month) ||
	    month == 0 || !digits_at(t.text, 6, 2, month_days[month - 1], &day) || day == 0 ||
	    (month == 2 && day == 29 && !year_is_leap(year)) ||
	    !digits_at(t.text, 8, 2, 23, &hour) || !digits_at(t.text, 10, 2, 59, &minute) ||
	    !digits_at(t.text, 12, 2, 60, &second)) {
		return ERR_TEXT;
	}
	/* Serial arithmetic: only the low 32 bits count. */
	int64_t s = days_of(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
	return put_err(writer_u32(p->out, (uint32_t)s));
}

/* ---- mnemonics ---- */

struct word {
	const char *name;
	uint16_t n;
};

static const struct word algorithms[] = {
	{ "RSAMD5", 1 },
	{ "DH", 2 },
	{ "DSA", 3 },
	{ "RSASHA1", 5 },
	{ "NSEC3DSA", 6 },
	{ "NSEC3RSASHA1", 7 },
	{ "RSASHA256", 8 },
	{ "RSASHA512", 10 },
	{ "ECCGOST", 12 },
	{ "ECDSAP256SHA256", 13 },
	{ "ECDSAP384SHA384", 14 },
	{ "ED25519", 15 },
	{ "ED448", 16 },
	{ "INDIRECT", 252 },
	{ "PRIVATEDNS", 253 },
	{ "PRIVATEOID", 254 },
	{ NULL, 0 },
};

static const struct word digest_types[] = {
	{ "SHA-1", 1 }, { "SHA1", 1 },    { "SHA-256", 2 }, { "SHA256", 2 },
	{ "GOST", 3 },  { "SHA-384", 4 }, { "SHA384", 4 },  { NULL, 0 },
};

static const struct word cert_types[] = {
	{ "PKIX", 1 },  { "SPKI", 2 },  { "PGP", 3 },    { "IPKIX", 4 },
	{ "ISPKI", 5 }, { "IPGP", 6 },  { "ACPKIX", 7 }, { "IACPKIX", 8 },
	{ "URI", 253 }, { "OID", 254 }, { NULL, 0 },
};

static const struct word schemes[] = { { "NOTIFY", 1 }, { NULL, 0 } };

static bool word_print(struct printer *p, const struct word *words, uint16_t n)
{
	for (; words->name != NULL; words++) {
		if (words->n == n) {
			return print_word(p, words->name);
		}
	}
	return print_number(p, n);
}

static enum err word_parse(struct parser *p, const struct word *words, uint32_t max, uint32_t *out)
{
	struct token t;

	if (!token_next(p, &t) || t.quoted) {
		return ERR_TEXT;
	}
	for (; words->name != NULL; words++) {
		if (text_is(t.text, words->name)) {
			*out = words->n;
			return ERR_OK;
		}
	}
	return number_parse(t.text, max, out) ? ERR_OK : ERR_TEXT;
}

static enum err word8_parse(struct parser *p, const struct word *words)
{
	uint32_t n;

	TRY(word_parse(p, words, UINT8_MAX, &n));
	return put_err(writer_u8(p->out, (uint8_t)n));
}

bool algorithm_name_print(struct printer *p)
{
	uint8_t n;

	return reader_u8(&p->in, &n) && word_print(p, algorithms, n);
}

enum err algorithm_parse(struct parser *p)
{
	return word8_parse(p, algorithms);
}

enum err digest_type_parse(struct parser *p)
{
	return word8_parse(p, digest_types);
}

bool cert_type_print(struct printer *p)
{
	uint16_t n;

	return reader_u16(&p->in, &n) && word_print(p, cert_types, n);
}

enum err cert_type_parse(struct parser *p)
{
	uint32_t n;

	TRY(word_parse(p, cert_types, UINT16_MAX, &n));
	return put_err(writer_u16(p->out, (uint16_t)n));
}

bool scheme_print(struct printer *p)
{
	uint8_t n;

	return reader_u8(&p->in, &n) && word_print(p, schemes, n);
}

enum err scheme_parse(struct parser *p)
{
	return word8_parse(p, schemes);
}

bool type_field_print(struct printer *p)
{
	char buf[TYPE_TEXT_MAX];
	uint16_t type;

	return reader_u16(&p->in, &type) && print_word(p, type_print(type, buf));
}

enum err type_field_parse(struct parser *p)
{
	struct token t;
	uint32_t n;
	uint16_t type;

	if (!token_next(p, &t) || t.quoted) {
		return ERR_TEXT;
	}
	if (number_parse(t.text, UINT16_MAX, &n)) {
		type = (uint16_t)n;
	} else {
		TRY(type_parse(t.text, &type));
	}
	return put_err(writer_u16(p->out, type));
}

/* ---- addresses ---- */

bool ip4_print(struct printer *p)
{
	return print_ip(p, AF_INET);
}

bool ip6_print(struct printer *p)
{
	return print_ip(p, AF_INET6);
}

enum err ip4_parse(struct parser *p)
{
	return parse_ip(p, AF_INET);
}

enum err ip6_parse(struct parser *p)
{
	return parse_ip(p, AF_INET6);
}

bool locator_print(struct printer *p)
{
	struct bytes b;
	char text[24];

	if (!reader_take(&p->in, 8, &b)) {
		return false;
	}
	(void)snprintf(text, sizeof(text), "%x:%x:%x:%x", load_u16(b.at), load_u16(b.at + 2),
	               load_u16(b.at + 4), load_u16(b.at + 6));
	return print_word(p, text);
}

/* Four groups are the first half of an IPv6 address, whose reader knows the digits. */
enum err locator_parse(struct parser *p)
{
	char text[24 + 8];
	uint8_t ip[16];
	struct token t;

	if (!token_next(p, &t) || t.quoted || t.text.len > 24) {
		return ERR_TEXT;
	}
	for (size_t i = 1; i < t.text.len; i++) {
		if (t.text.at[i] == ':' && t.text.at[i - 1] == ':') {
			return ERR_TEXT;
		}
	}
	(void)snprintf(text, sizeof(text), "%.*s:0:0:0:0", (int)t.text.len,
	               (const char *)t.text.at);
	TRY(ip_parse(bytes_str(text), AF_INET6, ip));
	return put_err(writer_put(p->out, bytes_of(ip, 8)));
}

static bool eui_print(struct printer *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	struct bytes b;

	if (!reader_take(&p->in, len, &b) || !print_gap(p)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if ((i > 0 && !writer_u8(p->out, '-')) ||
		    !writer_u8(p->out, (uint8_t)digits[b.at[i] >> 4]) ||
		    !writer_u8(p->out, (uint8_t)digits[b.at[i] & 15])) {
			return false;
		}
	}
	return true;
}

static enum err eui_parse(struct parser *p, size_t len)
{
	struct token t;

	if (!token_next(p, &t) || t.quoted || t.text.len != len * 3 - 1) {
		return ERR_TEXT;
	}
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && t.text.at[i * 3 - 1] != '-') {
			return ERR_TEXT;
		}
		TRY(base16_decode(bytes_of(t.text.at + i * 3, 2), p->out));
	}
	return ERR_OK;
}

bool eui48_print(struct printer *p)
{
	return eui_print(p, 6);
}

bool eui64_print(struct printer *p)
{
	return eui_print(p, 8);
}

enum err eui48_parse(struct parser *p)
{
	return eui_parse(p, 6);
}

enum err eui64_parse(struct parser *p)
{
	return eui_parse(p, 8);
}
