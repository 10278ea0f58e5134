/* SPDX-License-Identifier: MIT
 *
 * control/config_key_file.c — key files as BIND's tools write them.
 *
 *	Kname.+163+64252.key       name. IN KEY 512 3 163 c2Vj...      (a KEY record, RFC 2535 §3)
 *	Kname.+163+64252.private   Algorithm: 163 (HMAC_SHA256) / Key: c2Vj...
 *	tsig-keygen, named.conf    key "name" { algorithm hmac-sha256; secret "c2Vj..."; };
 *
 * Messages name the line and never what stands on it. */
#include "base/digest.h"
#include "control/config_p.h"

#define KEY_TEXT_MAX (TSIG_SECRET_MAX_LEN * 2) /* a secret in base64 */

/* The numbers that dnssec-keygen gives to HMAC algorithms. */
static const struct {
	unsigned long number;
	enum tsig_algorithm algorithm;
} numbers[] = {
	{ 157, TSIG_HMAC_MD5 },    { 161, TSIG_HMAC_SHA1 },   { 162, TSIG_HMAC_SHA224 },
	{ 163, TSIG_HMAC_SHA256 }, { 164, TSIG_HMAC_SHA384 }, { 165, TSIG_HMAC_SHA512 },
};

struct scanner {
	const char *at;
	const char *end;
	uint32_t line;
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_line(struct scanner *s)
{
	while (s->at < s->end && *s->at != '\n') {
		s->at++;
	}
}

static void skip_comment(struct scanner *s)
{
	s->at += 2;
	while (s->at < s->end && !(s->at[0] == '*' && s->end - s->at > 1 && s->at[1] == '/')) {
		s->line += *s->at++ == '\n';
	}
	s->at = s->end - s->at < 2 ? s->end : s->at + 2;
}

/* Passes over white space and the comments of named.conf. */
static void skip_blanks(struct scanner *s)
{
	while (s->at < s->end) {
		char next = s->end - s->at > 1 ? s->at[1] : '\0';

		if (is_space(*s->at)) {
			s->line += *s->at++ == '\n';
		} else if (*s->at == '#' || (*s->at == '/' && next == '/')) {
			skip_line(s);
		} else if (*s->at == '/' && next == '*') {
			skip_comment(s);
		} else {
			return;
		}
	}
}

/* The next word, string (without its quotes) or one of "{};". Empty at the end; an unfinished
 * string ends the text. */
static struct bytes next_token(struct scanner *s)
{
	const char *from;
	struct bytes token;

	skip_blanks(s);
	from = s->at;
	if (s->at == s->end) {
		return (struct bytes){ 0 };
	}
	if (strchr("{};", *s->at) != NULL) {
		return bytes_of(s->at++, 1);
	}
	if (*s->at == '"') {
		for (from = ++s->at; s->at < s->end && *s->at != '"' && *s->at != '\n';) {
			s->at++;
		}
		token = bytes_of(from, (size_t)(s->at - from));
		s->at += s->at < s->end && *s->at == '"';
		return token;
	}
	while (s->at < s->end && !is_space(*s->at) && strchr("{};\"", *s->at) == NULL) {
		s->at++;
	}
	return bytes_of(from, (size_t)(s->at - from));
}

static bool token_is(struct bytes token, const char *text)
{
	return bytes_equal(token, bytes_str(text));
}

static bool expect(struct key_sink *sink, struct scanner *s, const char *text)
{
	if (!token_is(next_token(s), text)) {
		load_error(sink->l, s->line,
		           "\"%s\" is expected here, as in key \"name\" { algorithm ...; secret "
		           "\"...\"; };",
		           text);
		return false;
	}
	return true;
}

/* Reads one statement in the braces of a clause. */
static bool clause_statement(struct key_sink *sink, struct scanner *s, struct bytes word,
                             struct config_key *key)
{
	struct bytes value = next_token(s);
	bool good;

	if (token_is(word, "algorithm")) {
		good = key_algorithm(sink->l, s->line, value, &key->algorithm);
	} else if (token_is(word, "secret")) {
		good = key_secret(sink->l, s->line, value, key);
	} else {
		load_error(sink->l, s->line, "a key clause has algorithm and secret, nothing else");
		return false;
	}
	return good && expect(sink, s, ";");
}

static bool read_clause(struct key_sink *sink, struct scanner *s, struct config_key *key)
{
	bool algorithm = false;
	uint32_t line;
	struct bytes token = next_token(s);

	line = s->line;
	if (!value_name(sink->l, s->line, token, &key->name) || !expect(sink, s, "{")) {
		return false;
	}
	for (token = next_token(s); !token_is(token, "}"); token = next_token(s)) {
		if (!clause_statement(sink, s, token, key)) {
			return false;
		}
		algorithm = algorithm || token_is(token, "algorithm");
	}
	if (!algorithm || key->secret_len == 0) {
		load_error(sink->l, s->line, "the key clause has no %s",
		           algorithm ? "secret" : "algorithm");
		return false;
	}
	return expect(sink, s, ";") && key_add(sink->l, line, key, sink->truncated_mac);
}

static bool read_clauses(struct key_sink *sink, struct scanner *s)
{
	struct bytes token = next_token(s);
	bool good = token.len > 0;

	if (!good) {
		load_error(sink->l, s->line, "the key file has no key");
	}
	while (good && token.len > 0) {
		struct config_key key = { 0 };

		if (!token_is(token, "key")) {
			load_error(sink->l, s->line, "only key clauses may stand in this file");
			return false;
		}
		good = read_clause(sink, s, &key);
		secret_wipe(&key, sizeof(key));
		token = next_token(s);
	}
	return good;
}

static bool number_algorithm(struct key_sink *sink, uint32_t line, struct bytes text,
                             enum tsig_algorithm *out)
{
	unsigned long v = 0;

	for (size_t i = 0; i < text.len && i < 4; i++) {
		v = text.at[i] >= '0' && text.at[i] <= '9' ? v * 10 + (text.at[i] - '0') : 10000;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers) && text.len == 3; i++) {
		if (numbers[i].number == v) {
			*out = numbers[i].algorithm;
			return true;
		}
	}
	load_error(sink->l, line,
	           "not an HMAC key: its algorithm has to be 157, 161, 162, 163, 164 or 165");
	return false;
}

/* A word up to white space; quotes and braces mean nothing. */
static struct bytes next_word(struct scanner *s)
{
	const char *from;

	while (s->at < s->end && is_space(*s->at) && *s->at != '\n') {
		s->at++;
	}
	from = s->at;
	while (s->at < s->end && !is_space(*s->at)) {
		s->at++;
	}
	return bytes_of(from, (size_t)(s->at - from));
}

/* Puts the words up to the end of the line together: base64 may be written in groups. */
static bool rest_secret(struct key_sink *sink, struct scanner *s, struct config_key *key)
{
	char text[KEY_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text));
	struct bytes word = next_word(s);
	bool good = true;

	while (word.len > 0 && good) {
		good = writer_put(&w, word);
		word = next_word(s);
	}
	good = key_secret(sink->l, s->line, good ? writer_bytes(&w) : bytes_of("", 0), key);
	secret_wipe(text, sizeof(text));
	return good;
}

/* name. [TTL] [IN] KEY flags protocol algorithm key */
static bool read_record(struct key_sink *sink, struct scanner *s, struct config_key *key)
{
	struct bytes word;

	while (s->at < s->end && (*s->at == ';' || is_space(*s->at))) {
		if (*s->at == ';') {
			skip_line(s);
		}
		s->line += s->at < s->end && *s->at == '\n';
		s->at += s->at < s->end;
	}
	if (!value_name(sink->l, s->line, next_word(s), &key->name)) {
		return false;
	}
	do {
		word = next_word(s);
	} while (word.len > 0 && !token_is(word, "KEY"));
	if (word.len == 0) {
		load_error(sink->l, s->line,
		           "neither a KEY record, nor a private key, nor a key clause");
		return false;
	}
	next_word(s); /* flags and protocol say nothing about an HMAC key */
	next_word(s);
	return number_algorithm(sink, s->line, next_word(s), &key->algorithm) &&
	       rest_secret(sink, s, key) && key_add(sink->l, s->line, key, sink->truncated_mac);
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* The name in "Kname.+163+64252.private"; octets beyond letters and digits stand there as %xx. */
static bool name_of_path(struct key_sink *sink, const char *path, struct name_buf *out)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	const char *plus = strchr(base, '+');
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text));
	bool good = base[0] == 'K' && plus != NULL;

	for (const char *p = base + 1; good && p < plus; p++) {
		bool escaped = p[0] == '%' && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0;
		uint8_t c =
			escaped ? (uint8_t)(hex_value(p[1]) * 16 + hex_value(p[2])) : (uint8_t)*p;

		p += escaped ? 2 : 0;
		good = writer_u8(&w, c);
	}
	if (!good) {
		load_error(
			sink->l, 0,
			"a private key file has to keep its name Kname.+163+12345.private, since "
			"the key's name is only there; or use its .key file");
		return false;
	}
	return value_name(sink->l, 0, writer_bytes(&w), out);
}

static bool read_private(struct key_sink *sink, struct scanner *s, struct config_key *key)
{
	bool algorithm = false;

	for (; s->at < s->end; s->at++, s->line++) {
		struct bytes word = next_word(s);

		if (token_is(word, "Algorithm:")) {
			if (!number_algorithm(sink, s->line, next_word(s), &key->algorithm)) {
				return false;
			}
			algorithm = true;
		} else if (token_is(word, "Key:") && !rest_secret(sink, s, key)) {
			return false;
		}
		skip_line(s);
	}
	if (!algorithm || key->secret_len == 0) {
		load_error(sink->l, 0, "the private key file has no line \"%s\"",
		           algorithm ? "Key:" : "Algorithm:");
		return false;
	}
	return key_add(sink->l, 0, key, sink->truncated_mac);
}

bool key_file_read(struct key_sink *sink, struct bytes text, const char *path)
{
	static const char private_begin[] = "Private-key-format:";
	const char *at = (const char *)text.at;
	struct scanner s = { at, at + text.len, 1 };
	struct config_key key = { 0 };
	bool good;

	if (text.len == 0 || text.len > CONFIG_KEY_FILE_MAX) {
		load_error(sink->l, 0,
		           text.len == 0 ? "the key file is empty" : "too large for a key file");
		return false;
	}
	if (memchr(at, '{', text.len) != NULL) {
		good = read_clauses(sink, &s);
	} else if (text.len > sizeof(private_begin) &&
	           memcmp(at, private_begin, sizeof(private_begin) - 1) == 0) {
		good = name_of_path(sink, path, &key.name) && read_private(sink, &s, &key);
	} else {
		good = read_record(sink, &s, &key);
	}
	secret_wipe(&key, sizeof(key));
	return good;
}
