/* SPDX-License-Identifier: MIT
 *
 * base/addr.c — reading, printing and matching addresses. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define IP_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

static size_t addr_ip_len(const struct addr *a)
{
	return a->family == 4 ? 4 : 16;
}

static void addr_unmap(struct addr *a)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (a->family == 6 && memcmp(a->ip, mapped, sizeof(mapped)) == 0) {
		memmove(a->ip, a->ip + 12, 4);
		memset(a->ip + 4, 0, 12);
		a->family = 4;
	}
}

static enum err addr_parse_ip(const char *text, struct addr *out)
{
	struct addr a = { 0 };

	if (inet_pton(AF_INET, text, a.ip) == 1) {
		a.family = 4;
	} else if (inet_pton(AF_INET6, text, a.ip) == 1) {
		a.family = 6;
		addr_unmap(&a);
	} else {
		return ERR_TEXT;
	}
	*out = a;
	return ERR_OK;
}

/* Reads a decimal number of at most `max` that fills the whole text. */
static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;
	unsigned long v;

	if (text[0] < '0' || text[0] > '9') {
		return false;
	}
	v = strtoul(text, &end, 10);
	if (*end != '\0' || v > max) {
		return false;
	}
	*out = v;
	return true;
}

/* Copies the part of `text` before `end` (or all of it if NULL) as a string. */
static bool copy_part(const char *text, const char *end, char out[static IP_TEXT_MAX])
{
	size_t len = end == NULL ? strlen(text) : (size_t)(end - text);

	if (len == 0 || len >= IP_TEXT_MAX) {
		return false;
	}
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

enum err addr_parse(const char *text, uint16_t default_port, struct addr *out)
{
	const char *at = strchr(text, '@');
	unsigned long port = default_port;
	char ip[IP_TEXT_MAX];
	struct addr a;

	if (!copy_part(text, at, ip)) {
		return ERR_TEXT;
	}
	TRY(addr_parse_ip(ip, &a));
	if (at != NULL && (!parse_number(at + 1, UINT16_MAX, &port) || port == 0)) {
		return ERR_TEXT;
	}
	a.port = (uint16_t)port;
	*out = a;
	return ERR_OK;
}

static enum err range_from_prefix(const struct addr *a, unsigned long bits, struct addr_range *out)
{
	struct addr_range r = { *a, *a };

	for (unsigned long i = bits; i < addr_ip_len(a) * 8; i++) {
		uint8_t bit = (uint8_t)(0x80 >> (i & 7));
		r.lo.ip[i / 8] = (uint8_t)(r.lo.ip[i / 8] & ~bit);
		r.hi.ip[i / 8] |= bit;
	}
	if (!addr_same_ip(&r.lo, a)) {
		return ERR_TEXT; /* host bits set: the operator meant something else */
	}
	*out = r;
	return ERR_OK;
}

enum err addr_range_parse(const char *text, struct addr_range *out)
{
	const char *slash = strchr(text, '/');
	const char *dash = strchr(text, '-');
	struct addr_range r;
	char ip[IP_TEXT_MAX];
	unsigned long bits;

	if (!copy_part(text, slash != NULL ? slash : dash, ip)) {
		return ERR_TEXT;
	}
	TRY(addr_parse_ip(ip, &r.lo));
	if (slash != NULL) {
		if (!parse_number(slash + 1, addr_ip_len(&r.lo) * 8, &bits)) {
			return ERR_TEXT;
		}
		return range_from_prefix(&r.lo, bits, out);
	}
	r.hi = r.lo;
	if (dash != NULL) {
		TRY(addr_parse_ip(dash + 1, &r.hi));
		if (r.lo.family != r.hi.family || memcmp(r.lo.ip, r.hi.ip, 16) > 0) {
			return ERR_TEXT;
		}
	}
	*out = r;
	return ERR_OK;
}

const char *addr_print(const struct addr *a, char out[static ADDR_TEXT_MAX])
{
	char ip[IP_TEXT_MAX];

	if (a->family == 0) {
		snprintf(out, ADDR_TEXT_MAX, "none");
		return out;
	}
	if (inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, ip, sizeof(ip)) == NULL) {
		ip[0] = '\0';
	}
	if (a->port == 0) {
		snprintf(out, ADDR_TEXT_MAX, "%s", ip);
	} else {
		snprintf(out, ADDR_TEXT_MAX, "%s@%u", ip, (unsigned)a->port);
	}
	return out;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->port == b->port && addr_same_ip(a, b);
}

bool addr_range_has(const struct addr_range *range, const struct addr *a)
{
	return a->family == range->lo.family && memcmp(a->ip, range->lo.ip, sizeof(a->ip)) >= 0 &&
	       memcmp(a->ip, range->hi.ip, sizeof(a->ip)) <= 0;
}

bool addr_is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	assert(a->family == 4 || a->family == 6);
	memset(out, 0, sizeof(*out));
	if (a->family == 4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(a->port);
		memcpy(&in4->sin_addr, a->ip, 4);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(a->port);
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

enum err addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
	struct addr a = { 0 };

	if (sa->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in4 = (const struct sockaddr_in *)sa;
		a.family = 4;
		a.port = ntohs(in4->sin_port);
		memcpy(a.ip, &in4->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		a.family = 6;
		a.port = ntohs(in6->sin6_port);
		memcpy(a.ip, &in6->sin6_addr, 16);
		addr_unmap(&a);
	} else {
		return ERR_SYSTEM;
	}
	*out = a;
	return ERR_OK;
}
