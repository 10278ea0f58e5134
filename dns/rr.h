/* SPDX-License-Identifier: MIT
 *
 * dns/rr.h — one resource record as a borrowed view, and the numbers of types and classes.
 *
 * In a `struct rr` the rdata is in uncompressed wire form and has the form of its type
 * (rdata_check() passed). What could be read in place points into the message; names that had to be
 * decompressed stand in the caller's `struct rr_scratch`, which the next rr_read() overwrites. */
#pragma once

#include "dns/name.h"

#define CLASS_IN      1
#define CLASS_CH      3
#define CLASS_NONE    254
#define CLASS_ANY     255
#define TTL_MAX       0x7fffffffU /* RFC 2181 §8 */
#define RDATA_MAX_LEN 65535

/* Types that code names; every other one is known to dns/rdata.h by its table. */
enum {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_SIG = 24,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_DS = 43,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_DNSKEY = 48,
	TYPE_NSEC3 = 50,
	TYPE_NSEC3PARAM = 51,
	TYPE_CDS = 59,
	TYPE_CDNSKEY = 60,
	TYPE_ZONEMD = 63,
	TYPE_TKEY = 249,
	TYPE_TSIG = 250,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_MAILB = 253,
	TYPE_MAILA = 254,
	TYPE_ANY = 255,
};

struct rr {
	struct name owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	struct bytes rdata;
};

struct rr_scratch {
	struct name_buf owner;
	uint8_t rdata[RDATA_MAX_LEN];
};

/* Reads the resource record at the reader (RFC 1035 §4.1.3), decompresses the names of its rdata
 * where RFC 3597 §4 allows compression, and checks the rdata's form. A TTL with its top bit set
 * becomes 0 (RFC 2181 §8), except that of OPT, which is no TTL. On failure *out is unspecified and
 * the caller drops the whole message. */
MUST_USE enum err rr_read(struct reader *r, struct rr_scratch *scratch, struct rr *out);

/* The two numbers of an SOA that zones run on, and its timers (RFC 1035 §3.3.13). */
struct soa {
	struct name mname;
	struct name rname;
	uint32_t serial;
	uint32_t refresh_s;
	uint32_t retry_s;
	uint32_t expire_s;
	uint32_t minimum_s;
};

/* Views checked SOA rdata. */
MUST_USE enum err soa_view(struct bytes rdata, struct soa *out);

/* True for query and meta types, which never stand in a zone (RFC 6895 §3.1: 128-255, OPT, 0). */
bool type_is_meta(uint16_t type);
