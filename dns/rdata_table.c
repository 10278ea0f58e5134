/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_table.c — every type as a list of fields.
 *
 * ROW: flags, least and most octets (what LAYOUT_SIZED checks; 0 where the fields decide), fields.
 * Where an RFC and BIND disagree on what is well-formed, BIND's reading stands: a zone that BIND
 * serves must be transferable. */
#include "dns/rdata_p.h"

#define LAYOUT_DENSE 263
#define ANY_LEN      UINT16_MAX

#define ROW(flag, min, max, ...)                                                                   \
	{                                                                                          \
		.flags = (flag), .min_len = (min), .max_len = (max), .fields = { __VA_ARGS__ }     \
	}
#define SIZED    LAYOUT_SIZED
#define IN       LAYOUT_IN
#define PACKED   (LAYOUT_PACKED | LAYOUT_CASELESS | LAYOUT_UNPACK)
#define OLD      (LAYOUT_CASELESS | LAYOUT_UNPACK)
#define CASELESS LAYOUT_CASELESS

#define ROW_NAME    ROW(PACKED, 0, 0, FIELD_NAME_PACKED)
#define ROW_STRINGS ROW(0, 0, 0, FIELD_STRINGS)
#define ROW_DS      ROW(0, 0, 0, FIELD_U16, FIELD_ALGORITHM, FIELD_DIGEST_TYPE, FIELD_DS_DIGEST)
#define ROW_DNSKEY  ROW(SIZED, 5, ANY_LEN, FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64)
#define ROW_TLSA    ROW(SIZED, 4, ANY_LEN, FIELD_U8, FIELD_U8, FIELD_U8, FIELD_HEX)
#define ROW_SVCB    ROW(IN, 0, 0, FIELD_U16, FIELD_NAME, FIELD_SVCB)
#define SIG_FIELDS                                                                                 \
	FIELD_TYPE, FIELD_ALGORITHM, FIELD_U8, FIELD_U32, FIELD_TIME, FIELD_TIME, FIELD_U16

static const struct layout layouts[LAYOUT_DENSE] = {
	[TYPE_A] = ROW(IN | SIZED, 4, 4, FIELD_IP4),
	[TYPE_NS] = ROW_NAME,
	[3] = ROW_NAME, /* MD */
	[4] = ROW_NAME, /* MF */
	[TYPE_CNAME] = ROW_NAME,
	[TYPE_SOA] = ROW(PACKED, 0, 0, FIELD_NAME_PACKED, FIELD_NAME_PACKED, FIELD_U32,
	                 FIELD_PERIOD, FIELD_PERIOD, FIELD_PERIOD, FIELD_PERIOD),
	[7] = ROW_NAME, /* MB */
	[8] = ROW_NAME, /* MG */
	[9] = ROW_NAME, /* MR */
	[11] = ROW(IN, 0, 0, FIELD_WKS),
	[TYPE_PTR] = ROW_NAME,
	[13] = ROW(0, 0, 0, FIELD_STRING, FIELD_STRING),                /* HINFO */
	[14] = ROW(PACKED, 0, 0, FIELD_NAME_PACKED, FIELD_NAME_PACKED), /* MINFO */
	[TYPE_MX] = ROW(PACKED, 0, 0, FIELD_U16, FIELD_NAME_PACKED),
	[TYPE_TXT] = ROW_STRINGS,
	[17] = ROW(OLD, 0, 0, FIELD_NAME_OLD, FIELD_NAME_OLD), /* RP */
	[18] = ROW(OLD, 0, 0, FIELD_U16, FIELD_NAME_OLD),      /* AFSDB */
	[19] = ROW(0, 0, 0, FIELD_DIGITS),                     /* X25 */
	[20] = ROW(0, 0, 0, FIELD_STRING, FIELD_STRING_OPT),   /* ISDN */
	[21] = ROW(OLD, 0, 0, FIELD_U16, FIELD_NAME_OLD),      /* RT */
	[22] = ROW(IN | SIZED, 1, ANY_LEN, FIELD_NSAP),
	[23] = ROW(IN | CASELESS, 0, 0, FIELD_NAME_CASELESS), /* NSAP-PTR */
	[TYPE_SIG] = ROW(OLD, 0, 0, SIG_FIELDS, FIELD_NAME_OLD, FIELD_BASE64),
	[25] = ROW(0, 0, 0, FIELD_U16, FIELD_U8, FIELD_ALGORITHM, FIELD_KEY),
	[26] = ROW(IN | OLD, 0, 0, FIELD_U16, FIELD_NAME_OLD, FIELD_NAME_OLD), /* PX */
	[27] = ROW(0, 0, 0, FIELD_STRING, FIELD_STRING, FIELD_STRING),         /* GPOS */
	[TYPE_AAAA] = ROW(IN | SIZED, 16, 16, FIELD_IP6),
	[29] = ROW(0, 0, 0, FIELD_LOC),
	[30] = ROW(OLD, 0, 0, FIELD_NAME_OLD, FIELD_NXT_BITMAP), /* NXT */
	[31] = ROW(IN | SIZED, 1, ANY_LEN, FIELD_HEX),           /* EID */
	[32] = ROW(IN | SIZED, 1, ANY_LEN, FIELD_HEX),           /* NIMLOC */
	[TYPE_SRV] = ROW(IN | OLD, 0, 0, FIELD_U16, FIELD_U16, FIELD_U16, FIELD_NAME_OLD),
	[34] = ROW(IN, 0, 0, FIELD_ATMA),
	[35] = ROW(OLD, 0, 0, FIELD_U16, FIELD_U16, FIELD_STRING, FIELD_STRING, FIELD_STRING,
	           FIELD_NAME_OLD),                                      /* NAPTR */
	[36] = ROW(IN | CASELESS, 0, 0, FIELD_U16, FIELD_NAME_CASELESS), /* KX */
	[37] = ROW(SIZED, 6, ANY_LEN, FIELD_CERT_TYPE, FIELD_U16, FIELD_ALGORITHM_NAME,
	           FIELD_BASE64), /* CERT */
	[38] = ROW(IN | CASELESS, 0, 0, FIELD_A6),
	[TYPE_DNAME] = ROW(CASELESS, 0, 0, FIELD_NAME_CASELESS),
	[40] = ROW(SIZED, 3, ANY_LEN, FIELD_U8, FIELD_U8, FIELD_U8, FIELD_BASE64_OPT), /* SINK */
	[42] = ROW(IN, 0, 0, FIELD_APL),
	[TYPE_DS] = ROW_DS,
	[44] = ROW(0, 0, 0, FIELD_U8, FIELD_U8, FIELD_SSHFP_DIGEST),
	[45] = ROW(0, 0, 0, FIELD_U8, FIELD_U8, FIELD_U8, FIELD_GATEWAY, FIELD_BASE64),
	[TYPE_RRSIG] = ROW(CASELESS, 0, 0, SIG_FIELDS, FIELD_NAME_CASELESS, FIELD_BASE64),
	[TYPE_NSEC] = ROW(0, 0, 0, FIELD_NAME, FIELD_BITMAP),
	[TYPE_DNSKEY] = ROW_DNSKEY,
	[49] = ROW(IN | SIZED, 1, ANY_LEN, FIELD_BASE64), /* DHCID */
	[TYPE_NSEC3] = ROW(0, 0, 0, FIELD_U8, FIELD_U8, FIELD_U16, FIELD_SALT, FIELD_HASH,
	                   FIELD_BITMAP_OPT),
	[TYPE_NSEC3PARAM] = ROW(0, 0, 0, FIELD_U8, FIELD_U8, FIELD_U16, FIELD_SALT),
	[52] = ROW_TLSA,
	[53] = ROW_TLSA, /* SMIMEA */
	[55] = ROW(0, 0, 0, FIELD_HIP),
	[56] = ROW_STRINGS,                                                         /* NINFO */
	[57] = ROW(0, 0, 0, FIELD_ZERO16, FIELD_U8, FIELD_ALGORITHM, FIELD_BASE64), /* RKEY */
	[58] = ROW(0, 0, 0, FIELD_NAME, FIELD_NAME),                                /* TALINK */
	[TYPE_CDS] = ROW_DS,
	[TYPE_CDNSKEY] = ROW_DNSKEY,
	[61] = ROW(SIZED, 1, ANY_LEN, FIELD_BASE64),                 /* OPENPGPKEY */
	[62] = ROW(0, 0, 0, FIELD_U32, FIELD_U16, FIELD_BITMAP_OPT), /* CSYNC */
	[TYPE_ZONEMD] = ROW(0, 0, 0, FIELD_U32, FIELD_U8, FIELD_U8, FIELD_ZONEMD_DIGEST),
	[64] = ROW_SVCB,
	[65] = ROW_SVCB,                                                      /* HTTPS */
	[66] = ROW(0, 0, 0, FIELD_TYPE, FIELD_SCHEME, FIELD_U16, FIELD_NAME), /* DSYNC */
	[67] = ROW(SIZED, 1, ANY_LEN, FIELD_BASE64),                          /* HHIT */
	[68] = ROW(SIZED, 1, ANY_LEN, FIELD_BASE64),                          /* BRID */
	[99] = ROW_STRINGS,                                                   /* SPF */
	[104] = ROW(SIZED, 10, 10, FIELD_U16, FIELD_LOCATOR),                 /* NID */
	[105] = ROW(SIZED, 6, 6, FIELD_U16, FIELD_IP4),                       /* L32 */
	[106] = ROW(SIZED, 10, 10, FIELD_U16, FIELD_LOCATOR),                 /* L64 */
	[107] = ROW(0, 0, 0, FIELD_U16, FIELD_NAME),                          /* LP */
	[108] = ROW(SIZED, 6, 6, FIELD_EUI48),
	[109] = ROW(SIZED, 8, 8, FIELD_EUI64),
	[256] = ROW(SIZED, 4, ANY_LEN, FIELD_U16, FIELD_U16, FIELD_TEXT), /* URI */
	[257] = ROW(0, 0, 0, FIELD_U8, FIELD_TAG, FIELD_TEXT),            /* CAA */
	[258] = ROW_STRINGS,                                              /* AVC */
	[259] = ROW(0, 0, 0, FIELD_U32, FIELD_U32, FIELD_U8, FIELD_STRING, FIELD_BASE64_DASH),
	[260] = ROW(0, 0, 0, FIELD_U8, FIELD_RELAY),
	[261] = ROW_STRINGS, /* RESINFO */
	[262] = ROW_STRINGS, /* WALLET */
};

static const struct layout layout_ds = ROW_DS;

const struct layout *layout_of(uint16_t type)
{
	if (type < LAYOUT_DENSE) {
		return layouts[type].fields[0] == FIELD_END ? NULL : &layouts[type];
	}
	/* TA and DLV have DS's form (RFC 4431 §3). */
	return type == 32768 || type == 32769 ? &layout_ds : NULL;
}
