/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/notify_in_test.c — which NOTIFYs count, and what they tell. */
#include "base/arena.h"
#include "dns/rdata.h"
#include "tests/test.h"
#include "tests/transfer/world.h"

struct notify {
	const char *apex;
	uint16_t type;
	uint16_t flags;
	const char *answer; /* a record; NULL: none */
};

static struct bytes compose(const struct notify *n, uint8_t *at, size_t cap)
{
	static struct rr_scratch scratch;
	struct name_buf apex = script_name(n->apex);
	struct composer c;
	struct rr rr;

	composer_init(&c, at, cap);
	cr_assert(composer_question(&c, name_of(&apex), n->type, CLASS_IN));
	if (n->answer != NULL) {
		cr_assert(
			eq(int, rr_parse(bytes_str(n->answer), NULL, 300, &scratch, &rr), ERR_OK));
		cr_assert(composer_rr(&c, SECTION_ANSWER, &rr));
	}
	return composer_finish(&c, 99, n->flags);
}

#define NOTIFY_FLAGS (OPCODE_NOTIFY << 11 | FLAG_AA)

static const struct {
	const char *name;
	struct notify notify;
	const char *from;
	enum err want;
	bool has_serial;
} cases[] = {
	{ "plain", { "example.", TYPE_SOA, NOTIFY_FLAGS, NULL }, "192.0.2.1@4000", ERR_OK, false },
	{ "case of letters",
	  { "EXAMPLE.", TYPE_SOA, NOTIFY_FLAGS, NULL },
	  "192.0.2.1@4000",
	  ERR_OK,
	  false },
	{ "with the serial",
	  { "example.", TYPE_SOA, NOTIFY_FLAGS, "example. 1 IN SOA a. b. 1234 1 1 1 1" },
	  "192.0.2.1@4000",
	  ERR_OK,
	  true },
	{ "with the SOA of another zone",
	  { "example.", TYPE_SOA, NOTIFY_FLAGS, "other. 1 IN SOA a. b. 1234 1 1 1 1" },
	  "192.0.2.1@4000",
	  ERR_OK,
	  false },
	{ "with something else",
	  { "example.", TYPE_SOA, NOTIFY_FLAGS, "example. 1 IN A 10.0.0.1" },
	  "192.0.2.1@4000",
	  ERR_OK,
	  false },
	{ "from a stranger",
	  { "example.", TYPE_SOA, NOTIFY_FLAGS, NULL },
	  "203.0.113.1@53",
	  ERR_NOT_ALLOWED,
	  false },
	{ "for another zone",
	  { "other.", TYPE_SOA, NOTIFY_FLAGS, NULL },
	  "192.0.2.1@53",
	  ERR_PEER_MISMATCH,
	  false },
	{ "of another type",
	  { "example.", TYPE_A, NOTIFY_FLAGS, NULL },
	  "192.0.2.1@53",
	  ERR_PEER_MISMATCH,
	  false },
	{ "an answer",
	  { "example.", TYPE_SOA, NOTIFY_FLAGS | FLAG_QR, NULL },
	  "192.0.2.1@53",
	  ERR_WIRE_HEADER,
	  false },
	{ "a query", { "example.", TYPE_SOA, 0, NULL }, "192.0.2.1@53", ERR_WIRE_HEADER, false },
};

TEST(notify_in, judges_every_message)
{
	struct world w;

	world_init(&w, 1, 1, false);
	world_start(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t at[512];
		struct bytes message = compose(&cases[i].notify, at, sizeof(at));
		struct transfer_notice notice = { 0 };
		struct addr from;

		cr_assert(eq(int, addr_parse(cases[i].from, 53, &from), ERR_OK));
		cr_expect(eq(int, transfer_notify_judge(w.zone, &from, NULL, message, &notice),
		             cases[i].want),
		          "%s", cases[i].name);
		cr_expect(eq(int, notice.has_serial, cases[i].has_serial), "%s", cases[i].name);
		cr_expect(eq(u32, notice.serial.n, cases[i].has_serial ? 1234 : 0), "%s",
		          cases[i].name);
		for (size_t len = 0; len < message.len && cases[i].notify.answer == NULL; len++) {
			message.len = len;
			cr_expect(ne(int,
			             transfer_notify_judge(w.zone, &from, NULL, message, &notice),
			             ERR_OK));
		}
	}
	world_fini(&w);
}

/* Of listed addresses; primaries may notify unsigned. */
TEST(notify_in, wants_the_key_that_is_named)
{
	static const struct notify plain = { "example.", TYPE_SOA, NOTIFY_FLAGS, NULL };
	struct world w;
	uint8_t at[512];
	struct transfer_notice notice;
	struct tsig_key *other = script_key("other", "another secret");
	struct bytes message = compose(&plain, at, sizeof(at));
	struct addr listed;

	world_init(&w, 2, 1, true);
	cr_assert(eq(int, addr_parse("203.0.113.7", 53, &listed), ERR_OK));
	w.policy->allow_notify_count = 1;
	w.policy->allow_notify = mem_zero(1, sizeof(*w.policy->allow_notify));
	w.policy->allow_notify[0].range = (struct addr_range){ listed, listed };
	w.policy->allow_notify[0].key = tsig_key_ref(w.key);
	world_start(&w);
	cr_expect(eq(int, transfer_notify_judge(w.zone, &listed, w.key, message, &notice), ERR_OK));
	cr_expect(eq(int, transfer_notify_judge(w.zone, &listed, NULL, message, &notice),
	             ERR_NOT_ALLOWED));
	cr_expect(eq(int, transfer_notify_judge(w.zone, &listed, other, message, &notice),
	             ERR_NOT_ALLOWED));
	cr_expect(eq(int,
	             transfer_notify_judge(w.zone, &w.primaries[0]->at, NULL, message, &notice),
	             ERR_OK));
	tsig_key_unref(other);
	world_fini(&w);
}
