/* SPDX-License-Identifier: MIT
 *
 * tests/dns/rdata_vectors.c — reads tests/vectors/rdata.txt. */
#include "tests/dns/rdata_vectors.h"

#include <stdio.h>

#include "base/codec.h"
#include "tests/test.h"

#define LINE_MAX_LEN 8192

/* Cuts the field before the next tab off `line`. */
static struct bytes field_next(char **line)
{
	char *begin = strsep(line, "\t");

	cr_assert(begin != NULL, "field missing");
	return strcmp(begin, "-") == 0 ? bytes_str("") : bytes_str(begin);
}

static void case_read(char *line, struct writer *wire, struct rdata_case *out)
{
	struct bytes kind = field_next(&line);

	out->kind = bytes_equal(kind, bytes_str("ok"))     ? RDATA_CASE_OK
	            : bytes_equal(kind, bytes_str("wire")) ? RDATA_CASE_WIRE
	                                                   : RDATA_CASE_TEXT;
	cr_assert(eq(int, type_parse(field_next(&line), &out->type), ERR_OK), "line %u", out->line);
	if (out->kind != RDATA_CASE_TEXT) {
		cr_assert(eq(int, base16_decode(field_next(&line), wire), ERR_OK), "line %u",
		          out->line);
		out->wire = writer_bytes(wire);
	}
	while (line != NULL) {
		cr_assert(lt(uint, out->text_count, RDATA_CASE_TEXTS_MAX));
		out->texts[out->text_count++] = field_next(&line);
	}
}

unsigned rdata_cases_each(void (*fn)(const struct rdata_case *c, void *arg), void *arg)
{
	FILE *f = fopen(TEST_VECTORS "/rdata.txt", "r");
	char line[LINE_MAX_LEN];
	uint8_t octets[LINE_MAX_LEN];
	unsigned count = 0;
	unsigned number = 0;

	cr_assert(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		struct rdata_case c = { .line = ++number };
		struct writer wire = writer_of(octets, sizeof(octets));
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0') {
			continue;
		}
		case_read(line, &wire, &c);
		fn(&c, arg);
		count++;
	}
	fclose(f);
	return count;
}
