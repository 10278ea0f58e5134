/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/journal_memory_test.c — the journal in memory, and that its faults are faults. */
#include "zonestore/journal_memory.h"

#include "tests/test.h"
#include "tests/zonestore/journal_cases.h"

TEST(journal_memory, keeps_tables_apart_and_in_order)
{
	struct memory_disk *disk = memory_disk_new();
	struct journal *j = journal_memory_new(disk);

	journal_case_tables(j);
	j->ops->free(j);
	j = journal_memory_new(disk);
	journal_case_tables_check(j);
	j->ops->free(j);
	memory_disk_free(disk);
}

TEST(journal_memory, forgets_what_was_aborted)
{
	struct memory_disk *disk = memory_disk_new();
	struct journal *j = journal_memory_new(disk);

	journal_case_abort(j);
	j->ops->free(j);
	memory_disk_free(disk);
}

TEST(journal_memory, reads_while_it_scans)
{
	struct memory_disk *disk = memory_disk_new();
	struct journal *j = journal_memory_new(disk);

	journal_case_scan(j);
	j->ops->free(j);
	memory_disk_free(disk);
}

/* Two puts and a commit: the first error of the transaction, or OK. */
static enum err put_two(struct journal *j, uint64_t seq)
{
	enum err e;

	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	e = j->ops->put_node(j, seq, bytes_str("value"));
	if (e == ERR_OK) {
		e = j->ops->put_zone(j, seq, bytes_str("value"));
	}
	if (e != ERR_OK) {
		j->ops->abort(j);
		return e;
	}
	return j->ops->commit(j);
}

TEST(journal_memory, fails_the_write_it_was_told_to_and_all_after_it)
{
	for (unsigned nth = 1; nth <= 9; nth++) {
		struct memory_disk *disk = memory_disk_new();
		struct journal *j = journal_memory_new(disk);
		struct memory_record r;
		unsigned good = 0;

		memory_disk_fail(disk, nth, ERR_DISK_FULL);
		for (unsigned seq = 1; seq <= 5; seq++) {
			enum err e = put_two(j, seq);
			good += e == ERR_OK;
			cr_expect(e == ERR_OK || e == ERR_DISK_FULL);
		}
		cr_expect(eq(uint, good, (nth - 1) / 3));
		cr_expect(eq(u64, memory_disk_commits(disk), good));
		cr_expect(eq(int, memory_disk_node(disk, good, &r), false));
		memory_disk_heal(disk);
		cr_expect(eq(int, put_two(j, 9), ERR_OK));
		cr_assert(memory_disk_node(disk, good, &r));
		cr_expect(eq(u64, r.key, 9));
		j->ops->free(j);
		memory_disk_free(disk);
	}
}

TEST(journal_memory, fails_a_single_write)
{
	struct memory_disk *disk = memory_disk_new();
	struct journal *j = journal_memory_new(disk);

	memory_disk_fail_once(disk, 2, ERR_DISK);
	cr_expect(eq(int, put_two(j, 1), ERR_DISK));
	cr_expect(eq(int, put_two(j, 1), ERR_OK));
	j->ops->free(j);
	memory_disk_free(disk);
}

TEST(journal_memory, loses_an_open_transaction_when_it_is_thrown_away)
{
	struct memory_disk *disk = memory_disk_new();
	struct journal *j = journal_memory_new(disk);
	struct memory_record r;

	cr_expect(eq(int, put_two(j, 1), ERR_OK));
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	cr_assert(eq(int, j->ops->put_node(j, 2, bytes_str("lost")), ERR_OK));
	j->ops->free(j);
	cr_expect(memory_disk_node(disk, 0, &r));
	cr_expect(not(memory_disk_node(disk, 1, &r)));
	memory_disk_lose_node(disk, 1);
	cr_expect(not(memory_disk_node(disk, 0, &r)));
	memory_disk_free(disk);
}

TEST(journal_memory, a_copy_has_what_is_durable_and_goes_its_own_way)
{
	struct memory_disk *disk = memory_disk_new();
	struct journal *j = journal_memory_new(disk);
	struct memory_disk *copy;
	struct journal *other;
	struct memory_record r;

	cr_expect(eq(int, put_two(j, 1), ERR_OK));
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	cr_assert(eq(int, j->ops->put_node(j, 2, bytes_str("not yet")), ERR_OK));
	memory_disk_fail(disk, 1, ERR_DISK_FULL);
	copy = memory_disk_copy(disk);
	j->ops->free(j);
	memory_disk_free(disk);
	cr_assert(memory_disk_node(copy, 0, &r));
	cr_expect(eq(u64, r.key, 1));
	cr_expect(not(memory_disk_node(copy, 1, &r)));
	other = journal_memory_new(copy);
	cr_expect(eq(int, put_two(other, 3), ERR_OK));
	cr_expect(memory_disk_node(copy, 1, &r));
	other->ops->free(other);
	memory_disk_free(copy);
}
