/* SPDX-License-Identifier: MIT
 *
 * dns/rdata.h — what the rdata of each type consists of, from one table.
 *
 * Every type is a list of fields (numbers, names, addresses, strings, ...). Checking octets from
 * the wire, finding the names inside, comparing, printing and reading presentation form are walks
 * over that list, so that a type is added in one place. Types without an entry are opaque and print
 * as RFC 3597 §5. The functions here mean class IN; in other classes, the types that exist in IN alone
 * (A, AAAA, SRV, ...) are opaque too, which rr_read(), rr_print() and rr_parse() see to.
 *
 * What is well-formed, and how it is written, is what BIND 9.18 says, but for what
 * tests/vectors/rdata.txt lists; long base64 and base16 stand in one piece. */
#pragma once

#include "dns/rr.h"

#define RDATA_NAMES_MAX                                                                            \
	2 /* most names that one rdata of a compressible type holds (SOA, RP, MINFO) */
#define RDATA_TEXT_MAX (10 * 65536 + NAME_TEXT_MAX) /* longest text: NSEC of every type */

/* Checks that uncompressed rdata has the form of its type. ERR_WIRE_RDATA or ERR_WIRE_NAME. */
MUST_USE enum err rdata_check(uint16_t type, struct bytes rdata);

/* Copies rdata at the reader (`len` octets of a message) into `out`, decompressing the names of
 * types that RFC 3597 §4 lists (and, liberally, those that RFC 1183/2782-era senders compress: RP,
 * AFSDB, RT, SIG, PX, NXT, NAPTR, SRV), and checks it. On failure nothing is appended, and the
 * reader may stand anywhere. */
MUST_USE enum err rdata_read(struct reader *r, uint16_t type, size_t len, struct writer *out);

/* Where the names stand inside checked, uncompressed rdata. */
struct rdata_name {
	uint16_t offset;
	uint8_t len;
};

/* Lists the names in rdata of types whose names may be compressed (RFC 3597 §4: the types of
 * RFC 1035 — NS MD MF CNAME SOA MB MG MR PTR MINFO MX). These are stored relative to the apex and
 * written with compression. Returns how many; 0 for all other types. O(length). */
unsigned rdata_compressible_names(uint16_t type, struct bytes rdata,
                                  struct rdata_name out[static RDATA_NAMES_MAX]);

/* The same for every type whose rdata compares with its names in lower case (RFC 4034 §6.2 as
 * corrected by RFC 6840 §5.1): the above and RP AFSDB RT SIG PX NXT NAPTR KX SRV DNAME A6 RRSIG. */
unsigned rdata_caseless_names(uint16_t type, struct bytes rdata,
                              struct rdata_name out[static RDATA_NAMES_MAX]);

/* Order of two checked rdatas of one type: canonical form as octet strings (RFC 4034 §6.3). */
int rdata_compare(uint16_t type, struct bytes a, struct bytes b);

/* Writes the presentation form of checked rdata, names absolute. False where the writer is full. */
MUST_USE bool rdata_print(uint16_t type, struct bytes rdata, struct writer *out);

/* Reads presentation form: the fields after the type, white space between them, quotes and escapes
 * as RFC 1035 §5.1; parentheses and comments are already gone. `\#` (RFC 3597 §5) is taken for
 * every type. Appends checked rdata to `out`. ERR_TEXT. */
MUST_USE enum err rdata_parse(uint16_t type, struct bytes text, const struct name *origin,
                              struct writer *out);

/* Mnemonics: "MX", "TYPE65280"; "IN", "CLASS32". Printing yields a static string for known numbers
 * and otherwise fills `buf`. */
#define TYPE_TEXT_MAX 12
const char *type_print(uint16_t type, char buf[static TYPE_TEXT_MAX]);
const char *class_print(uint16_t class, char buf[static TYPE_TEXT_MAX]);
MUST_USE enum err type_parse(struct bytes text, uint16_t *out);
MUST_USE enum err class_parse(struct bytes text, uint16_t *out);

/* Writes "owner TTL CLASS TYPE rdata\n" in presentation form, tabs between. */
MUST_USE bool rr_print(const struct rr *rr, struct writer *out);

/* Reads one record line "owner [TTL] [CLASS] TYPE rdata" (either order of TTL and class); owner and
 * rdata are stored in `scratch`. */
MUST_USE enum err rr_parse(struct bytes line, const struct name *origin, uint32_t default_ttl,
                           struct rr_scratch *scratch, struct rr *out);
