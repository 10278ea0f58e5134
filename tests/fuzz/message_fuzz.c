/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/message_fuzz.c — messages: records that can be read are composed again, and are then
 * read as what they were. */
#include "dns/message.h"

#include "tests/fuzz/fuzz.h"

static struct rr_scratch scratch, again_scratch;
static struct composer composer;
static uint8_t again[MESSAGE_MAX_LEN];

static bool rr_same(const struct rr *a, const struct rr *b)
{
	return bytes_equal(name_bytes(a->owner), name_bytes(b->owner)) && a->type == b->type &&
	       a->class == b->class && a->ttl == b->ttl && bytes_equal(a->rdata, b->rdata);
}

/* Reads `r` to its end, with the message composed of its records beside it. */
static void compare(struct reader r, struct bytes composed, unsigned count)
{
	struct reader c = reader_of(composed);
	struct header h;
	struct rr x, y;

	assert(header_read(&c, &h) == ERR_OK && h.arcount == count);
	for (unsigned i = 0; i < count; i++) {
		assert(rr_read(&r, &scratch, &x) == ERR_OK);
		assert(rr_read(&c, &again_scratch, &y) == ERR_OK);
		assert(rr_same(&x, &y));
	}
	assert(reader_left(&c) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(bytes_of(data, size));
	struct message_tail tail;
	struct reader records;
	struct header h;
	struct question q;
	unsigned count = 0;
	struct rr rr;

	if (header_read(&r, &h) != ERR_OK || (h.qdcount > 0 && question_read(&r, &q) != ERR_OK)) {
		return 0;
	}
	if (message_tail_read(&r, &h, &tail) == ERR_OK) {
		assert(tail.tsig_at < size);
	}
	records = r;
	composer_init(&composer, again, sizeof(again));
	composer.keep_case = true;
	while (reader_left(&r) > 0 && rr_read(&r, &scratch, &rr) == ERR_OK &&
	       composer_rr(&composer, SECTION_ADDITIONAL, &rr)) {
		count++;
	}
	compare(records, composer_finish(&composer, h.id, h.flags), count);
	return 0;
}
