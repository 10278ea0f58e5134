/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_p.h — the two tables behind dns/rdata.h: types as lists of fields, and kinds of fields
 * as three functions each.
 *
 * A layout says which fields an rdata has. A kind of field knows how to check itself in wire form,
 * to print itself, and to read itself from text. Adding a type is a row in rdata_table.c; a new
 * kind of field is a row in rdata_fields.c. */
#pragma once

#include "dns/rdata.h"

enum field {
	FIELD_END,
	/* Numbers of fixed width. */
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_ZERO16,         /* 16 bits that must be zero */
	FIELD_PERIOD,         /* 32 bits of seconds; text may say 1h30m */
	FIELD_TIME,           /* 32 bits since 1970, text YYYYMMDDHHmmSS (RFC 4034 §3.2) */
	FIELD_TYPE,           /* 16 bits, a type's mnemonic */
	FIELD_ALGORITHM,      /* 8 bits of DNSSEC algorithm; number written, mnemonic read too */
	FIELD_ALGORITHM_NAME, /* the same, mnemonic written (RFC 4398 §2.2) */
	FIELD_DIGEST_TYPE,    /* 8 bits; number written, mnemonic read too */
	FIELD_CERT_TYPE,      /* 16 bits, mnemonic (RFC 4398 §2.1) */
	FIELD_SCHEME,         /* 8 bits, mnemonic (RFC 9859 §2.1) */
	FIELD_LOCATOR,        /* 64 bits as four groups of hex (RFC 6742 §2.1.2) */
	FIELD_EUI48,
	FIELD_EUI64,
	FIELD_IP4,
	FIELD_IP6,
	/* Names. Only the first two may arrive compressed; only the last keeps its case when
	 * compared. */
	FIELD_NAME_PACKED,   /* compressed by us and by others (RFC 3597 §4, types of RFC 1035) */
	FIELD_NAME_OLD,      /* not compressed by us, but by old senders (RFC 3597 §4) */
	FIELD_NAME_CASELESS, /* never compressed, lower case in canonical form (RFC 4034 §6.2) */
	FIELD_NAME,
	/* Text. */
	FIELD_STRING,     /* <character-string> */
	FIELD_STRINGS,    /* one or more, up to the end */
	FIELD_STRING_OPT, /* none or one, up to the end */
	FIELD_DIGITS,     /* <character-string> of four digits or more (RFC 1183 §3.1) */
	FIELD_TAG,        /* length and letters or digits (RFC 8659 §4.1) */
	FIELD_TEXT,       /* quoted text up to the end, without length */
	/* Octets up to the end. */
	FIELD_BASE64, /* at least one */
	FIELD_BASE64_OPT,
	FIELD_BASE64_DASH, /* none is "-" */
	FIELD_KEY,         /* base64, none if the flags say so (RFC 2535 §3.1.2) */
	FIELD_HEX,         /* at least one */
	FIELD_DS_DIGEST,   /* hex; the digest type before it may fix the length */
	FIELD_SSHFP_DIGEST,
	FIELD_ZONEMD_DIGEST,
	FIELD_NSAP, /* 0x and hex */
	FIELD_ATMA,
	/* Octets with their length before them. */
	FIELD_SALT, /* hex or "-" (RFC 5155 §3.3) */
	FIELD_HASH, /* base32hex (RFC 5155 §3.3); 20 octets for SHA-1 */
	/* Lists of types up to the end. */
	FIELD_BITMAP, /* at least one type (RFC 4034 §4.1.2) */
	FIELD_BITMAP_OPT,
	FIELD_NXT_BITMAP, /* RFC 2535 §5.2 */
	/* Forms of one type each. */
	FIELD_LOC,
	FIELD_APL,
	FIELD_WKS,
	FIELD_A6,
	FIELD_GATEWAY, /* IPSECKEY's, of the kind that the second octet names */
	FIELD_RELAY,   /* AMTRELAY's discovery bit, kind and relay */
	FIELD_HIP,
	FIELD_SVCB, /* parameters up to the end */
	FIELD_KINDS,
};

#define LAYOUT_FIELDS_MAX 10

#define LAYOUT_IN       1  /* has this form in class IN only */
#define LAYOUT_SIZED    2  /* is well-formed if its length is between min_len and max_len */
#define LAYOUT_PACKED   4  /* has FIELD_NAME_PACKED */
#define LAYOUT_CASELESS 8  /* has names that compare in lower case */
#define LAYOUT_UNPACK   16 /* has names that may arrive compressed */

struct layout {
	uint16_t min_len;
	uint16_t max_len;
	uint8_t flags;
	uint8_t fields[LAYOUT_FIELDS_MAX]; /* enum field, FIELD_END after the last */
};

/* The layout of a type; NULL for types that are opaque. */
const struct layout *layout_of(uint16_t type);

/* The same in a class: types that only exist in class IN are opaque elsewhere. */
static inline const struct layout *layout_in(uint16_t type, uint16_t class)
{
	const struct layout *l = layout_of(type);

	return l != NULL && class != CLASS_IN && (l->flags & LAYOUT_IN) != 0 ? NULL : l;
}

/* Prints fields of one rdata, a space between each two. */
struct printer {
	struct reader in; /* the rdata, at the next field */
	struct writer *out;
	size_t start; /* where in `out` the rdata's text begins */
};

/* Reads fields from text. */
struct token {
	struct bytes text; /* escapes not yet decoded, quotes gone */
	bool quoted;
};

struct parser {
	struct bytes text;
	size_t pos;
	const struct name *origin; /* NULL: the root */
	struct writer *out;
	size_t start; /* where in `out` the rdata begins */
};

/* What a kind of field can do. `check` moves over the field; `fixed_len` stands for it where the
 * length is always the same. */
struct field_kind {
	uint8_t fixed_len;
	enum err (*check)(struct reader *r);
	bool (*print)(struct printer *p);
	enum err (*parse)(struct parser *p);
};

extern const struct field_kind field_kinds[FIELD_KINDS];

/* Moves over one field. */
MUST_USE enum err field_check(enum field f, struct reader *r);

MUST_USE enum err layout_check(const struct layout *l, struct bytes rdata); /* NULL is opaque */

/* rdata_text.c: text by layout rather than by type; RFC 3597 §5's form alone. */
MUST_USE enum err rdata_parse_in(const struct layout *l, struct bytes text,
                                 const struct name *origin, struct writer *out);
MUST_USE bool generic_print(struct bytes rdata, struct writer *out);

/* rdata_words.c: the words that text is made of. */
MUST_USE bool token_next(struct parser *p, struct token *out); /* false at the end */
MUST_USE bool print_word(struct printer *p, const char *word); /* with a space before */
MUST_USE bool print_number(struct printer *p, uint64_t n);
MUST_USE bool print_gap(struct printer *p);
MUST_USE bool print_escaped(struct bytes octets, bool escape_space, struct writer *out);
MUST_USE bool print_quoted(struct printer *p, struct bytes octets);
MUST_USE enum err text_unescape(struct bytes text, struct writer *out);
bool text_is(struct bytes text, const char *word); /* case ignored */
MUST_USE bool number_parse(struct bytes text, uint32_t max, uint32_t *out);
MUST_USE bool period_parse(struct bytes text, uint32_t *out); /* "3600", "1h30m" */
MUST_USE enum err parse_number(struct parser *p, uint32_t max, uint32_t *out);
/* Decodes all tokens up to the end of the text as one. */
MUST_USE enum err parse_octets(struct parser *p, enum err (*decode)(struct bytes, struct writer *));
MUST_USE enum err parse_name(struct parser *p);
MUST_USE enum err parse_ip(struct parser *p, int family);
MUST_USE enum err ip_parse(struct bytes text, int family, uint8_t out[static 16]);
MUST_USE bool print_ip(struct printer *p, int family);
MUST_USE bool print_name(struct printer *p);
/* ERR_BUDGET where a put did not fit. */
static inline enum err put_err(bool fitted)
{
	return fitted ? ERR_OK : ERR_BUDGET;
}
