/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/soa_query_test.c — questions for serials over the simulated network. */
#include "transfer/soa_query_p.h"

#include <limits.h>

#include "tests/test.h"
#include "tests/transfer/script_node.h"

struct asker {
	struct sim *sim;
	struct io *io;
	struct script_node *primary;
	struct asks asks;
	struct tsig_key *key;
	struct soa_query query;
	struct soa_answer answer;
	unsigned answers;
	uint64_t answered_ns;
};

static void on_done(struct soa_query *q, struct soa_answer answer)
{
	struct asker *a = container_of(q, struct asker, query);

	a->answer = answer;
	a->answers++;
	a->answered_ns = io_now_ns(a->io);
}

static void asker_init(struct asker *a, uint64_t seed, bool signed_)
{
	struct addr here;
	struct sim_node_options node = { .addrs = &here, .addr_count = 1 };

	*a = (struct asker){ .sim = sim_new(seed) };
	cr_assert(eq(int, addr_parse("198.51.100.1", 0, &here), ERR_OK));
	a->io = sim_node(a->sim, &node);
	a->key = signed_ ? script_key("k", "a secret of the test") : NULL;
	a->primary = script_node_new(a->sim, "192.0.2.1", "example.", a->key);
	a->primary->script.serial = 77;
	asks_init(&a->asks, a->io);
}

static void asker_fini(struct asker *a)
{
	asks_fini(&a->asks);
	script_node_down(a->primary);
	sim_free(a->sim);
	script_node_free(a->primary);
	tsig_key_unref(a->key);
}

/* Asks, and runs until there is an answer; returns the time that it took. */
static uint64_t ask(struct asker *a)
{
	struct soa_query_options options = { .to = a->primary->at,
		                             .apex = name_of(&a->primary->script.apex),
		                             .key = a->key,
		                             .done = on_done };
	uint64_t from = io_now_ns(a->io);

	a->answers = 0;
	cr_assert(eq(int, soa_query_begin(&a->asks, &a->query, &options), ERR_OK));
	sim_run_for(a->sim, 20 * NS_PER_S);
	cr_assert(eq(uint, a->answers, 1), "one word, and only one");
	cr_assert(eq(uint, a->asks.count, 0));
	return a->answered_ns - from;
}

TEST(soa_query, reads_the_serial)
{
	for (unsigned s = 0; s < 2; s++) {
		struct asker a;

		asker_init(&a, 1 + s, s == 1);
		for (unsigned i = 0; i < 20; i++) {
			cr_expect(lt(u64, ask(&a), NS_PER_MS));
			cr_expect(eq(int, a.answer.verdict, SOA_SERIAL));
			cr_expect(eq(u32, a.answer.serial.n, 77));
		}
		asker_fini(&a);
	}
}

TEST(soa_query, repeats_itself_and_gives_up)
{
	struct asker a;
	uint64_t took;

	asker_init(&a, 3, true);
	for (unsigned lost = 0; lost < 3; lost++) {
		static const uint64_t waited_s[] = { 0, 1, 3 };

		script_fail(&a.primary->script, SCRIPT_SILENT, SCRIPT_SOA, lost);
		took = ask(&a);
		cr_expect(eq(int, a.answer.verdict, SOA_SERIAL), "%u lost", lost);
		cr_expect(eq(u64, took / NS_PER_S, waited_s[lost]), "%u lost", lost);
	}
	script_fail(&a.primary->script, SCRIPT_SILENT, SCRIPT_SOA, UINT_MAX);
	took = ask(&a);
	cr_expect(eq(int, a.answer.verdict, SOA_SILENT));
	cr_expect(eq(u64, took, 7 * NS_PER_S), "1 + 2 + 4");
	asker_fini(&a);
}

TEST(soa_query, ignores_what_does_not_fit)
{
	static const struct {
		enum script_fault fault;
		bool signed_;
	} cases[] = {
		{ SCRIPT_BAD_ID, false },     { SCRIPT_BAD_QUESTION, false },
		{ SCRIPT_BAD_OPCODE, false }, { SCRIPT_NOT_ANSWER, false },
		{ SCRIPT_CUT, false },        { SCRIPT_UNSIGNED, true },
		{ SCRIPT_BAD_MAC, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asker a;

		asker_init(&a, 10 + i, cases[i].signed_);
		script_fail(&a.primary->script, cases[i].fault, SCRIPT_SOA, 2);
		cr_expect(eq(u64, ask(&a) / NS_PER_S, 3), "case %zu: the third answer", i);
		cr_expect(eq(int, a.answer.verdict, SOA_SERIAL), "case %zu", i);
		asker_fini(&a);
	}
}

TEST(soa_query, says_what_the_primary_answered)
{
	static const struct {
		enum script_fault fault;
		unsigned arg;
		enum soa_verdict verdict;
		enum err err;
	} cases[] = {
		{ SCRIPT_RCODE, RCODE_REFUSED, SOA_FAILED, ERR_PEER_REFUSED_QUERY },
		{ SCRIPT_RCODE, RCODE_SERVFAIL, SOA_FAILED, ERR_PEER_SERVFAIL },
		{ SCRIPT_NO_AA, 0, SOA_FAILED, ERR_PEER_NOTAUTH },
		{ SCRIPT_EMPTY, 0, SOA_FAILED, ERR_ZONE_NO_SOA },
		{ SCRIPT_TRUNCATED, 0, SOA_TRUNCATED, ERR_OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct asker a;

		asker_init(&a, 30 + i, i % 2 == 0);
		a.primary->script.fault_arg = cases[i].arg;
		script_fail(&a.primary->script, cases[i].fault, SCRIPT_SOA, 1);
		ask(&a);
		cr_expect(eq(int, a.answer.verdict, cases[i].verdict), "case %zu", i);
		cr_expect(eq(int, a.answer.err, cases[i].err), "case %zu", i);
		asker_fini(&a);
	}
}

TEST(soa_query, takes_a_late_answer_to_an_earlier_try)
{
	struct asker a;
	struct sim_link slow = sim_link_calm;

	asker_init(&a, 40, true);
	slow.delay_min_ns = slow.delay_max_ns = 900 * NS_PER_MS; /* back after 1.8 s */
	sim_link_default(a.sim, &slow);
	cr_expect(eq(u64, ask(&a) / NS_PER_MS, 1800), "the answer to the first try");
	cr_expect(eq(int, a.answer.verdict, SOA_SERIAL));
	asker_fini(&a);
}

TEST(soa_query, can_be_ended)
{
	struct asker a;
	struct soa_query_options options;

	asker_init(&a, 50, true);
	options = (struct soa_query_options){ .to = a.primary->at,
		                              .apex = name_of(&a.primary->script.apex),
		                              .key = a.key,
		                              .done = on_done };
	cr_assert(eq(int, soa_query_begin(&a.asks, &a.query, &options), ERR_OK));
	soa_query_end(&a.query);
	soa_query_end(&a.query);
	sim_run_for(a.sim, 10 * NS_PER_S);
	cr_expect(eq(uint, a.answers, 0));
	asker_fini(&a);
}
