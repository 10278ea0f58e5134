/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_fields_p.h — what the table of kinds of fields takes from other files.
 *
 * Each function is one column of struct field_kind (rdata_p.h): check moves the reader over the
 * field, print writes it after a space, parse appends it. */
#pragma once

#include "dns/rdata_p.h"

#define FIELD_CHECK(name) MUST_USE enum err name##_check(struct reader *r)
#define FIELD_PRINT(name) MUST_USE bool name##_print(struct printer *p)
#define FIELD_PARSE(name) MUST_USE enum err name##_parse(struct parser *p)
#define FIELD_TEXT_FORM(name)                                                                      \
	FIELD_PRINT(name);                                                                         \
	FIELD_PARSE(name)
#define FIELD_FORM(name)                                                                           \
	FIELD_CHECK(name);                                                                         \
	FIELD_TEXT_FORM(name)

/* rdata_numbers.c: fixed widths. */
FIELD_TEXT_FORM(u8);
FIELD_TEXT_FORM(u16);
FIELD_TEXT_FORM(u32);
FIELD_CHECK(zero16);
FIELD_PARSE(period_field);
FIELD_TEXT_FORM(time);
FIELD_TEXT_FORM(type_field);
FIELD_PARSE(algorithm);
FIELD_PRINT(algorithm_name);
FIELD_PARSE(digest_type);
FIELD_TEXT_FORM(cert_type);
FIELD_TEXT_FORM(scheme);
FIELD_TEXT_FORM(locator);
FIELD_TEXT_FORM(eui48);
FIELD_TEXT_FORM(eui64);
FIELD_TEXT_FORM(ip4);
FIELD_TEXT_FORM(ip6);

/* rdata_bitmap.c */
FIELD_CHECK(bitmap);
FIELD_FORM(bitmap_opt);
FIELD_FORM(nxt_bitmap);

/* rdata_loc.c, rdata_svcb.c */
FIELD_FORM(loc);
FIELD_FORM(svcb);

/* rdata_forms.c */
FIELD_FORM(gateway);
FIELD_FORM(relay);
FIELD_FORM(a6);
FIELD_FORM(apl);
FIELD_FORM(wks);
FIELD_FORM(hip);
FIELD_FORM(nsap);
FIELD_FORM(atma);
