/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/rdata_fuzz.c — rdata from the wire and from text: what is accepted, prints and is read
 * back as what it was.
 *
 * Input: an octet (even: wire, odd: text), two of type, then the rdata or its text. */
#include "dns/rdata.h"

#include "tests/fuzz/fuzz.h"

static uint8_t wire[RDATA_MAX_LEN + NAME_MAX_LEN];
static uint8_t again[RDATA_MAX_LEN + NAME_MAX_LEN];
static uint8_t text[RDATA_TEXT_MAX];

static void judge(uint16_t type, struct bytes rdata)
{
	struct writer printed = writer_of(text, sizeof(text));
	struct writer back = writer_of(again, sizeof(again));
	struct rdata_name names[RDATA_NAMES_MAX];

	assert(rdata_check(type, rdata) == ERR_OK);
	assert(rdata_print(type, rdata, &printed));
	assert(rdata_parse(type, writer_bytes(&printed), NULL, &back) == ERR_OK);
	assert(bytes_equal(writer_bytes(&back), rdata));
	assert(rdata_compare(type, rdata, writer_bytes(&back)) == 0);
	assert(rdata_caseless_names(type, rdata, names) >=
	       rdata_compressible_names(type, rdata, names));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct writer out = writer_of(wire, sizeof(wire));

	if (size < 3) {
		return 0;
	}
	struct reader r = { bytes_of(data, size), 3 };
	uint16_t type = load_u16(data + 1);
	enum err e = data[0] % 2 == 0 ? rdata_read(&r, type, size - 3, &out)
	                              : rdata_parse(type, bytes_of(data + 3, size - 3), NULL, &out);
	if (e == ERR_OK) {
		judge(type, writer_bytes(&out));
	}
	return 0;
}
