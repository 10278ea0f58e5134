/* SPDX-License-Identifier: MIT
 *
 * tests/dns/rdata_vectors.h — the cases of tests/vectors/rdata.txt, one at a time. */
#pragma once

#include "dns/rdata.h"

enum rdata_case_kind { RDATA_CASE_OK, RDATA_CASE_WIRE, RDATA_CASE_TEXT };

#define RDATA_CASE_TEXTS_MAX 8

struct rdata_case {
	enum rdata_case_kind kind;
	unsigned line;
	uint16_t type;
	struct bytes wire;                        /* of OK and WIRE */
	unsigned text_count;                      /* of OK and TEXT */
	struct bytes texts[RDATA_CASE_TEXTS_MAX]; /* the first is how it is printed */
};

/* Calls `fn` for every case; fails the test if the file cannot be read. Returns how many. */
unsigned rdata_cases_each(void (*fn)(const struct rdata_case *c, void *arg), void *arg);
