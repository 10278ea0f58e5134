/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/journal_cases.c — the contract of journal.h as assertions. */
#include "tests/zonestore/journal_cases.h"

#include "tests/test.h"

#define COUNT 300U

static void value_of(uint64_t key, uint8_t out[static 8])
{
	store_u64(out, key * 0x9e3779b97f4a7c15ULL);
}

static void begin(struct journal *j)
{
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
}

static void commit(struct journal *j)
{
	cr_assert(eq(int, j->ops->commit(j), ERR_OK));
}

static void put_node(struct journal *j, uint64_t seq)
{
	uint8_t v[8];

	value_of(seq, v);
	cr_assert(eq(int, j->ops->put_node(j, seq, bytes_of(v, 8)), ERR_OK));
}

static void put_zone(struct journal *j, uint64_t number)
{
	uint8_t v[8];

	value_of(number + 1000000, v);
	cr_assert(eq(int, j->ops->put_zone(j, number, bytes_of(v, 8)), ERR_OK));
}

void journal_case_tables(struct journal *j)
{
	begin(j);
	for (uint64_t i = 1; i <= COUNT; i++) {
		put_node(j, i * 3); /* ascending, with gaps */
	}
	for (uint64_t i = COUNT; i >= 1; i--) {
		put_zone(j, i * 257); /* descending, and more than one octet of key */
	}
	cr_assert(eq(int, j->ops->put_meta(j, "name", bytes_str("first")), ERR_OK));
	commit(j);
	begin(j);
	cr_assert(eq(int, j->ops->put_meta(j, "name", bytes_str("second")), ERR_OK));
	for (uint64_t i = 2; i <= COUNT; i += 2) {
		cr_assert(eq(int, j->ops->drop_node(j, i * 3), ERR_OK));
		cr_assert(eq(int, j->ops->drop_zone(j, i * 257), ERR_OK));
	}
	cr_assert(eq(int, j->ops->drop_node(j, 1), ERR_OK)); /* absent */
	cr_assert(eq(int, j->ops->drop_zone(j, 1), ERR_OK));
	put_node(j, 4); /* below the last one */
	put_node(j, 4); /* again */
	commit(j);
	journal_case_tables_check(j);
}

struct seen {
	uint64_t last;
	unsigned count;
	uint64_t shift;
	bool good;
};

static enum err see(void *self, uint64_t key, struct bytes value)
{
	struct seen *s = self;
	uint8_t v[8];

	value_of(key + s->shift, v);
	s->good = s->good && key > s->last && bytes_equal(value, bytes_of(v, 8));
	s->last = key;
	s->count++;
	return ERR_OK;
}

/* Two readers at once see the same as the journal. */
static void readers_check(struct journal *j)
{
	struct seen all = { .good = true };
	struct seen first = { .good = true, .shift = 1000000 };
	struct seen rest = { .good = true, .shift = 1000000 };
	struct journal_range range;
	struct journal_reader *r[2];
	uint64_t middle;
	uint8_t v[8];
	struct bytes node;
	struct bytes zone;

	cr_assert(eq(int, j->ops->nodes_range(j, &range), ERR_OK));
	cr_expect(eq(u64, range.count, COUNT / 2 + 1));
	cr_assert(eq(int, j->ops->zones_range(j, &range), ERR_OK));
	cr_expect(eq(u64, range.count, COUNT / 2));
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(eq(int, j->ops->reader_new(j, &r[i]), ERR_OK));
	}
	cr_expect(eq(int, r[0]->ops->get_node(r[0], 3, &node), ERR_OK));
	cr_expect(eq(int, r[0]->ops->get_zone(r[0], 257, &zone), ERR_OK));
	cr_expect(eq(int, r[0]->ops->get_node(r[0], 6, &node), ERR_NOT_FOUND));
	cr_expect(eq(int, r[1]->ops->get_zone(r[1], 514, &zone), ERR_NOT_FOUND));
	cr_expect(eq(int, r[1]->ops->scan_nodes(r[1], see, &all), ERR_OK));
	cr_expect(all.good);
	cr_expect(eq(uint, all.count, COUNT / 2 + 1));
	middle = (range.first + range.last) / 2;
	cr_expect(
		eq(int,
	           r[0]->ops->scan_zones(r[0], (struct journal_range){ 0, middle, 1 }, see, &first),
	           ERR_OK));
	cr_expect(eq(int,
	             r[1]->ops->scan_zones(
			     r[1], (struct journal_range){ middle + 1, UINT64_MAX, 1 }, see, &rest),
	             ERR_OK));
	cr_expect(first.good && rest.good);
	cr_expect(first.last <= middle && first.count > 0 && rest.count > 0);
	cr_expect(eq(u64, rest.last, range.last));
	cr_expect(eq(uint, first.count + rest.count, COUNT / 2));
	/* Octets stay until the reader is freed. */
	value_of(3, v);
	cr_expect(bytes_equal(node, bytes_of(v, 8)));
	value_of(257 + 1000000, v);
	cr_expect(bytes_equal(zone, bytes_of(v, 8)));
	for (unsigned i = 0; i < 2; i++) {
		r[i]->ops->free(r[i]);
	}
}

void journal_case_tables_check(struct journal *j)
{
	struct seen nodes = { .good = true };
	struct seen zones = { .good = true, .shift = 1000000 };
	struct bytes b;

	cr_assert(eq(int, j->ops->scan_nodes(j, see, &nodes), ERR_OK));
	cr_expect(nodes.good);
	cr_expect(eq(uint, nodes.count, COUNT / 2 + 1));
	cr_expect(eq(u64, nodes.last, (COUNT - 1) * 3));
	cr_assert(eq(int, j->ops->scan_zones(j, see, &zones), ERR_OK));
	cr_expect(zones.good);
	cr_expect(eq(uint, zones.count, COUNT / 2));
	cr_expect(eq(int, j->ops->get_node(j, 3, &b), ERR_OK));
	cr_expect(eq(int, j->ops->get_node(j, 6, &b), ERR_NOT_FOUND));
	cr_expect(eq(int, j->ops->get_zone(j, 257, &b), ERR_OK));
	cr_expect(eq(int, j->ops->get_zone(j, 514, &b), ERR_NOT_FOUND));
	cr_expect(eq(int, j->ops->get_meta(j, "nam", &b), ERR_NOT_FOUND));
	cr_assert(eq(int, j->ops->get_meta(j, "name", &b), ERR_OK));
	cr_expect(bytes_equal(b, bytes_str("second")));
	readers_check(j);
}

void journal_case_abort(struct journal *j)
{
	struct journal_stats before;
	struct journal_stats after;
	struct bytes b;

	begin(j);
	put_node(j, 1);
	put_node(j, 2);
	put_zone(j, 1);
	commit(j);
	j->ops->stats(j, &before);
	begin(j);
	put_node(j, 3);
	put_zone(j, 2);
	cr_assert(eq(int, j->ops->drop_node(j, 1), ERR_OK));
	cr_assert(eq(int, j->ops->put_meta(j, "name", bytes_str("x")), ERR_OK));
	j->ops->abort(j);
	cr_expect(eq(int, j->ops->get_node(j, 1, &b), ERR_OK));
	cr_expect(eq(int, j->ops->get_node(j, 3, &b), ERR_NOT_FOUND));
	cr_expect(eq(int, j->ops->get_zone(j, 2, &b), ERR_NOT_FOUND));
	cr_expect(eq(int, j->ops->get_meta(j, "name", &b), ERR_NOT_FOUND));
	j->ops->stats(j, &after);
	cr_expect(eq(u64, before.commits, after.commits));
	cr_expect(eq(u64, before.used_bytes, after.used_bytes));
	begin(j);
	put_node(j, 3); /* the number is free again */
	commit(j);
	cr_expect(eq(int, j->ops->get_node(j, 3, &b), ERR_OK));
}

struct nested {
	struct journal *j;
	unsigned count;
	bool good;
};

static enum err see_nested(void *self, uint64_t key, struct bytes value)
{
	struct nested *n = self;
	struct bytes other;
	uint8_t v[8];

	if (n->j->ops->get_zone(n->j, key + 1, &other) != ERR_OK ||
	    n->j->ops->get_node(n->j, key, &other) != ERR_OK) {
		n->good = false;
	}
	value_of(key, v); /* still there after the others were read */
	n->good = n->good && bytes_equal(value, bytes_of(v, 8));
	return ++n->count == 50 ? ERR_STOPPING : ERR_OK;
}

void journal_case_scan(struct journal *j)
{
	struct nested n = { .j = j, .good = true };
	struct bytes b;

	begin(j);
	for (uint64_t i = 1; i <= 100; i++) {
		put_node(j, i);
		put_zone(j, i + 1);
	}
	commit(j);
	cr_assert(eq(int, j->ops->scan_nodes(j, see_nested, &n), ERR_STOPPING));
	cr_expect(n.good);
	cr_expect(eq(uint, n.count, 50));
	cr_expect(eq(int, j->ops->get_node(j, 100, &b), ERR_OK));
	begin(j); /* nothing is left open */
	put_node(j, 101);
	commit(j);
}
