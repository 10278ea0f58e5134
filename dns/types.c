/* SPDX-License-Identifier: MIT
 *
 * dns/types.c — mnemonics of types and classes (RFC 6895 §3, IANA's registry). */
#include <stdio.h>

#include "dns/rdata_p.h"

#define TYPE_DENSE 263 /* types below this stand in the array */
#define TYPE_TA    32768
#define TYPE_DLV   32769

static const char *const type_names[TYPE_DENSE] = {
	[1] = "A",         [2] = "NS",         [3] = "MD",          [4] = "MF",
	[5] = "CNAME",     [6] = "SOA",        [7] = "MB",          [8] = "MG",
	[9] = "MR",        [10] = "NULL",      [11] = "WKS",        [12] = "PTR",
	[13] = "HINFO",    [14] = "MINFO",     [15] = "MX",         [16] = "TXT",
	[17] = "RP",       [18] = "AFSDB",     [19] = "X25",        [20] = "ISDN",
	[21] = "RT",       [22] = "NSAP",      [23] = "NSAP-PTR",   [24] = "SIG",
	[25] = "KEY",      [26] = "PX",        [27] = "GPOS",       [28] = "AAAA",
	[29] = "LOC",      [30] = "NXT",       [31] = "EID",        [32] = "NIMLOC",
	[33] = "SRV",      [34] = "ATMA",      [35] = "NAPTR",      [36] = "KX",
	[37] = "CERT",     [38] = "A6",        [39] = "DNAME",      [40] = "SINK",
	[41] = "OPT",      [42] = "APL",       [43] = "DS",         [44] = "SSHFP",
	[45] = "IPSECKEY", [46] = "RRSIG",     [47] = "NSEC",       [48] = "DNSKEY",
	[49] = "DHCID",    [50] = "NSEC3",     [51] = "NSEC3PARAM", [52] = "TLSA",
	[53] = "SMIMEA",   [55] = "HIP",       [56] = "NINFO",      [57] = "RKEY",
	[58] = "TALINK",   [59] = "CDS",       [60] = "CDNSKEY",    [61] = "OPENPGPKEY",
	[62] = "CSYNC",    [63] = "ZONEMD",    [64] = "SVCB",       [65] = "HTTPS",
	[66] = "DSYNC",    [67] = "HHIT",      [68] = "BRID",       [99] = "SPF",
	[100] = "UINFO",   [101] = "UID",      [102] = "GID",       [103] = "UNSPEC",
	[104] = "NID",     [105] = "L32",      [106] = "L64",       [107] = "LP",
	[108] = "EUI48",   [109] = "EUI64",    [249] = "TKEY",      [250] = "TSIG",
	[251] = "IXFR",    [252] = "AXFR",     [253] = "MAILB",     [254] = "MAILA",
	[255] = "ANY",     [256] = "URI",      [257] = "CAA",       [258] = "AVC",
	[259] = "DOA",     [260] = "AMTRELAY", [261] = "RESINFO",   [262] = "WALLET",
};

static const struct {
	const char *name;
	uint16_t n;
} class_names[] = {
	{ "IN", CLASS_IN },   { "CH", CLASS_CH },    { "HS", 4 },     { "NONE", CLASS_NONE },
	{ "ANY", CLASS_ANY }, { "CHAOS", CLASS_CH }, { "HESIOD", 4 },
};

/* Reads "<prefix><number>" (RFC 3597 §5). */
static enum err numbered_parse(struct bytes text, const char *prefix, uint16_t *out)
{
	size_t skip = strlen(prefix);
	uint32_t n;

	if (text.len <= skip || !text_is(bytes_of(text.at, skip), prefix) ||
	    !number_parse(bytes_of(text.at + skip, text.len - skip), UINT16_MAX, &n)) {
		return ERR_TEXT;
	}
	*out = (uint16_t)n;
	return ERR_OK;
}

const char *type_print(uint16_t type, char buf[static TYPE_TEXT_MAX])
{
	if (type < TYPE_DENSE && type_names[type] != NULL) {
		return type_names[type];
	}
	if (type == TYPE_TA || type == TYPE_DLV) {
		return type == TYPE_TA ? "TA" : "DLV";
	}
	(void)snprintf(buf, TYPE_TEXT_MAX, "TYPE%u", (unsigned)type);
	return buf;
}

enum err type_parse(struct bytes text, uint16_t *out)
{
	for (uint16_t type = 0; type < TYPE_DENSE; type++) {
		if (type_names[type] != NULL && text_is(text, type_names[type])) {
			*out = type;
			return ERR_OK;
		}
	}
	if (text_is(text, "TA") || text_is(text, "DLV")) {
		*out = text.len == 2 ? TYPE_TA : TYPE_DLV;
		return ERR_OK;
	}
	return numbered_parse(text, "TYPE", out);
}

const char *class_print(uint16_t class, char buf[static TYPE_TEXT_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(class_names); i++) {
		if (class_names[i].n == class) {
			return class_names[i].name;
		}
	}
	(void)snprintf(buf, TYPE_TEXT_MAX, "CLASS%u", (unsigned)class);
	return buf;
}

enum err class_parse(struct bytes text, uint16_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(class_names); i++) {
		if (text_is(text, class_names[i].name)) {
			*out = class_names[i].n;
			return ERR_OK;
		}
	}
	return numbered_parse(text, "CLASS", out);
}

bool type_is_meta(uint16_t type)
{
	return type == 0 || type == TYPE_OPT || (type >= 128 && type <= 255);
}
