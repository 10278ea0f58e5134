/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_words.c — the words of presentation form: tokens, escapes, numbers, addresses, names.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "dns/rdata_p.h"

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A token ends at white space or at a quote; a quoted one at the closing quote. A missing closing
 * quote is no token: the text that is left then shows that not all was read. */
bool token_next(struct parser *p, struct token *out)
{
	size_t begin, at;

	while (p->pos < p->text.len && is_space(p->text.at[p->pos])) {
		p->pos++;
	}
	if (p->pos >= p->text.len) {
		return false;
	}
	out->quoted = p->text.at[p->pos] == '"';
	begin = out->quoted ? p->pos + 1 : p->pos;
	for (at = begin; at < p->text.len; at++) {
		uint8_t c = p->text.at[at];
		if (c == '"' || (!out->quoted && is_space(c))) {
			break;
		}
		if (c == '\\' && at + 1 < p->text.len) {
			at++;
		}
	}
	if (out->quoted && at >= p->text.len) {
		return false;
	}
	out->text = bytes_of(p->text.at + begin, at - begin);
	p->pos = out->quoted ? at + 1 : at;
	return true;
}

bool text_is(struct bytes text, const char *word)
{
	if (strlen(word) != text.len) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (octet_lower(text.at[i]) != octet_lower((uint8_t)word[i])) {
			return false;
		}
	}
	return true;
}

bool print_gap(struct printer *p)
{
	return p->out->len == p->start || writer_u8(p->out, ' ');
}

bool print_word(struct printer *p, const char *word)
{
	return print_gap(p) && writer_str(p->out, word);
}

bool print_number(struct printer *p, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return print_word(p, text);
}

static bool is_plain(uint8_t c, bool escape_space)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && !(c == ' ' && escape_space);
}

bool print_escaped(struct bytes octets, bool escape_space, struct writer *out)
{
	size_t i = 0;

	while (i < octets.len) {
		size_t run = i;
		while (run < octets.len && is_plain(octets.at[run], escape_space)) {
			run++;
		}
		if (!writer_put(out, bytes_of(octets.at + i, run - i))) {
			return false;
		}
		if (run < octets.len) {
			uint8_t c = octets.at[run++];
			char text[8];
			(void)snprintf(text, sizeof(text),
			               c == '"' || c == '\\' ? "\\%c" : "\\%03u", c);
			if (!writer_str(out, text)) {
				return false;
			}
		}
		i = run;
	}
	return true;
}

bool print_quoted(struct printer *p, struct bytes octets)
{
	return print_gap(p) && writer_u8(p->out, '"') && print_escaped(octets, false, p->out) &&
	       writer_u8(p->out, '"');
}

/* Reads what follows a backslash at `*i` (RFC 1035 §5.1): \X is X, but a digit begins \DDD, which
 * has three. Moves *i to the last octet read. */
static bool escape_parse(struct bytes text, size_t *i, uint32_t *out)
{
	size_t at = *i + 1;

	if (at >= text.len) {
		return false;
	}
	if (!is_digit(text.at[at])) {
		*i = at;
		*out = text.at[at];
		return true;
	}
	*i = at + 2;
	return text.len - at >= 3 && number_parse(bytes_of(text.at + at, 3), UINT8_MAX, out);
}

enum err text_unescape(struct bytes text, struct writer *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint32_t c = text.at[i];
		if (c == '\\' && !escape_parse(text, &i, &c)) {
			return ERR_TEXT;
		}
		TRY(put_err(writer_u8(out, (uint8_t)c)));
	}
	return ERR_OK;
}

bool number_parse(struct bytes text, uint32_t max, uint32_t *out)
{
	uint64_t n = 0;

	if (text.len == 0) {
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.at[i])) {
			return false;
		}
		n = n * 10 + (unsigned)(text.at[i] - '0');
		if (n > max) {
			return false;
		}
	}
	*out = (uint32_t)n;
	return true;
}

static uint32_t unit_seconds(uint8_t unit)
{
	switch (octet_lower(unit)) {
	case 'w':
		return 604800;
	case 'd':
		return 86400;
	case 'h':
		return 3600;
	case 'm':
		return 60;
	case 's':
		return 1;
	default:
		return 0;
	}
}

bool period_parse(struct bytes text, uint32_t *out)
{
	uint64_t total = 0;
	size_t i = 0;

	if (number_parse(text, UINT32_MAX, out)) {
		return true;
	}
	while (i < text.len) {
		size_t begin = i;
		uint32_t n;
		while (i < text.len && is_digit(text.at[i])) {
			i++;
		}
		if (i >= text.len || unit_seconds(text.at[i]) == 0 ||
		    !number_parse(bytes_of(text.at + begin, i - begin), UINT32_MAX, &n)) {
			return false;
		}
		total += (uint64_t)n * unit_seconds(text.at[i++]);
		if (total > UINT32_MAX) {
			return false;
		}
	}
	*out = (uint32_t)total;
	return text.len > 0;
}

enum err parse_number(struct parser *p, uint32_t max, uint32_t *out)
{
	struct token t;

	return token_next(p, &t) && !t.quoted && number_parse(t.text, max, out) ? ERR_OK : ERR_TEXT;
}

/* Longest text of octets: base16 of the longest rdata, white space left out. */
#define OCTETS_TEXT_MAX (2 * RDATA_MAX_LEN)

enum err parse_octets(struct parser *p, enum err (*decode)(struct bytes, struct writer *))
{
	uint8_t joined[OCTETS_TEXT_MAX];
	struct writer w = writer_of(joined, sizeof(joined));
	struct token t;

	while (token_next(p, &t)) {
		if (t.quoted || !writer_put(&w, t.text)) {
			return ERR_TEXT;
		}
	}
	return decode(writer_bytes(&w), p->out);
}

enum err parse_name(struct parser *p)
{
	struct token t;
	struct name_buf name;

	if (!token_next(p, &t) || t.quoted) {
		return ERR_TEXT;
	}
	TRY(name_parse(t.text, p->origin, &name));
	return put_err(writer_put(p->out, name_bytes(name_of(&name))));
}

bool print_name(struct printer *p)
{
	struct bytes rest = { p->in.whole.at + p->in.pos, reader_left(&p->in) };
	struct name name;

	if (name_view(rest, &name) != ERR_OK) {
		return false;
	}
	p->in.pos += name.len;
	return print_gap(p) && name_print(name, p->out);
}

enum err ip_parse(struct bytes text, int family, uint8_t out[static 16])
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(copy)) {
		return ERR_TEXT;
	}
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return strlen(copy) == text.len && inet_pton(family, copy, out) == 1 ? ERR_OK : ERR_TEXT;
}

enum err parse_ip(struct parser *p, int family)
{
	uint8_t ip[16];
	struct token t;

	if (!token_next(p, &t) || t.quoted) {
		return ERR_TEXT;
	}
	TRY(ip_parse(t.text, family, ip));
	return put_err(writer_put(p->out, bytes_of(ip, family == AF_INET ? 4 : 16)));
}

bool print_ip(struct printer *p, int family)
{
	char text[INET6_ADDRSTRLEN];
	struct bytes ip;

	if (!reader_take(&p->in, family == AF_INET ? 4 : 16, &ip) ||
	    inet_ntop(family, ip.at, text, sizeof(text)) == NULL) {
		return false;
	}
	return print_word(p, text);
}
