/* SPDX-License-Identifier: MIT
 *
 * base/addr.h — IP addresses with ports, and ranges of addresses.
 *
 * Text forms: "192.0.2.1", "192.0.2.1@5300", "2001:db8::1@53", "fe80::1%eth0" is refused (scopes
 * are a matter of one host). Ranges: one address, CIDR ("198.51.100.0/24"), or "a-b" inclusive. An
 * IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) is turned into IPv4, so that both compare equal. */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"

#define ADDR_TEXT_MAX 56 /* "address@port" with NUL */

struct addr {
	uint8_t family; /* 4 or 6; 0 is no address */
	uint16_t port;  /* host order; 0 is unset */
	uint8_t ip[16]; /* network order; IPv4 in the first four, the rest zero */
};

struct addr_range {
	struct addr lo; /* ports unused */
	struct addr hi;
};

/* Reads "ip" or "ip@port"; without a port it becomes `default_port`. */
MUST_USE enum err addr_parse(const char *text, uint16_t default_port, struct addr *out);
MUST_USE enum err addr_range_parse(const char *text, struct addr_range *out);

/* Writes "ip@port" (or "ip" where the port is 0) and a NUL; returns `out`. */
const char *addr_print(const struct addr *a, char out[static ADDR_TEXT_MAX]);

/* Equality of the IP alone, and of IP and port. */
bool addr_same_ip(const struct addr *a, const struct addr *b);
bool addr_equal(const struct addr *a, const struct addr *b);

bool addr_range_has(const struct addr_range *range, const struct addr *a);
bool addr_is_any(const struct addr *a);

/* Conversions at the socket's door. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *out);
MUST_USE enum err addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out);
