/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/check_test.c — a check finds what is wrong, and nothing where all is well. */
#include "zonestore/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "tests/test.h"
#include "tests/zonestore/farm.h"
#include "zonestore/record_p.h"
#include "zonestore/tally_p.h"

#define ZONES    4
#define VERSIONS 3
#define TOLD_MAX 65536

/* Sizes that make a leaf, a few leaves, and two levels of branches. */
static const unsigned filling_of[ZONES] = { 0, 40, 700, 5000 };

/* What was told, in one string. */
struct told {
	char text[TOLD_MAX];
	size_t len;
	bool deaf;
};

static bool tell(void *self, const char *line)
{
	struct told *t = self;

	if (line == NULL) {
		return !t->deaf;
	}
	if (t->len + strlen(line) + 2 < sizeof(t->text)) {
		t->len +=
			(size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%s\n", line);
	}
	return !t->deaf;
}

static struct check_sink sink_of(struct told *t)
{
	t->len = 0;
	t->text[0] = '\0';
	return (struct check_sink){ .tell = tell, .self = t, .env = env_system() };
}

static void publish(struct farm *f, unsigned index, uint32_t serial, unsigned filling)
{
	struct farm_commit c;
	struct zone_timers timers = farm_timers(serial);
	struct snapshot *snap = content_version(f->pool, index, serial, filling);

	farm_commit_init(f, &c);
	c.commit.keep = (struct version_limits){ .count = 10, .bytes = 1 << 24 };
	f->outstanding++;
	cr_assert(eq(int, store_commit(f->st, farm_zone(f, index), snap, &timers, &c.commit),
	             ERR_OK));
	farm_settle(f);
	cr_assert(eq(int, c.err, ERR_OK));
}

/* A farm with a few versions of every zone. */
static void plant(struct farm *f, struct journal *journal)
{
	farm_start(f, journal, ZONES);
	for (uint32_t v = 0; v < VERSIONS; v++) {
		for (unsigned i = 0; i < ZONES; i++) {
			publish(f, i, 10 * (v + 1) + i, filling_of[i] + v);
		}
	}
}

static struct memory_disk *disk_of_farm(void)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;

	plant(&f, journal_memory_new(disk));
	farm_fini(&f);
	return disk;
}

static enum err check_disk(struct memory_disk *disk, struct told *t)
{
	struct check_sink sink = sink_of(t);
	struct journal *j = journal_memory_new(disk);
	enum err e = check_journal(j, &sink);

	j->ops->free(j);
	return e;
}

/* ---- the disk ---- */

TEST(check, a_disk_is_clean)
{
	struct told *t = mem_zero(1, sizeof(*t));
	struct memory_disk *disk = memory_disk_new();

	cr_expect(eq(int, check_disk(disk, t), ERR_OK), "%s", t->text);
	cr_expect(strstr(t->text, "0 zones, 0 versions, 0 nodes, 0 octets: 0 findings") != NULL,
	          "%s", t->text);
	memory_disk_free(disk);
	disk = disk_of_farm();
	cr_expect(eq(int, check_disk(disk, t), ERR_OK), "%s", t->text);
	cr_expect(strstr(t->text, "4 zones, 12 versions, ") != NULL, "%s", t->text);
	cr_expect(strstr(t->text, "needed by no version") == NULL, "%s", t->text);
	cr_expect(strstr(t->text, "more than once") == NULL, "%s", t->text);
	memory_disk_free(disk);
	free(t);
}

/* Every octet of every node and record is looked at. */
static void flip_each(struct memory_disk *disk, struct told *t,
                      bool (*record)(struct memory_disk *disk, size_t index,
                                     struct memory_record *out),
                      size_t stride)
{
	struct memory_record r;
	size_t step = 0;

	for (size_t i = 0; record(disk, i, &r); i++) {
		for (size_t at = step % stride; at < r.len; at += stride) {
			uint8_t bit = (uint8_t)(1U << (step++ + at) % 8);
			r.at[at] ^= bit;
			cr_expect(eq(int, check_disk(disk, t), ERR_STORE_CORRUPT),
			          "record %zu, octet %zu of %zu", i, at, r.len);
			r.at[at] ^= bit;
		}
	}
	cr_expect(eq(int, check_disk(disk, t), ERR_OK), "%s", t->text);
}

TEST(check, every_octet_on_the_disk_counts)
{
	struct told *t = mem_zero(1, sizeof(*t));
	struct memory_disk *disk = memory_disk_new();
	struct farm f;

	farm_start(&f, journal_memory_new(disk), 2);
	publish(&f, 0, 1, 0);
	publish(&f, 0, 2, 1);
	publish(&f, 1, 3, 60);
	farm_fini(&f);
	flip_each(disk, t, memory_disk_zone, 1);
	flip_each(disk, t, memory_disk_node, 7);
	memory_disk_free(disk);
	free(t);
}

TEST(check, finds_what_is_missing)
{
	struct told *t = mem_zero(1, sizeof(*t));
	struct memory_disk *disk = disk_of_farm();
	struct memory_record r;
	size_t missing = 0;

	for (size_t i = 0; memory_disk_node(disk, i, &r); i += 9) {
		memory_disk_lose_node(disk, r.key);
		missing++;
		cr_expect(eq(int, check_disk(disk, t), ERR_STORE_CORRUPT), "node %lu",
		          (unsigned long)r.key);
	}
	cr_expect(gt(sz, missing, 10));
	cr_expect(strstr(t->text, "a child is missing") != NULL, "%s", t->text);
	cr_expect(strstr(t->text, "a child is damaged") != NULL, "%s", t->text);
	cr_expect(strstr(t->text, "zone ") != NULL, "%s", t->text);
	memory_disk_free(disk);
	free(t);
}

/* Nodes that stand there again, and no version needs. */
TEST(check, what_nobody_needs_is_no_damage)
{
	struct told *t = mem_zero(1, sizeof(*t));
	struct memory_disk *disk = disk_of_farm();
	struct journal *j = journal_memory_new(disk);
	struct memory_record r;
	uint64_t last = 0;
	struct bytes value;

	for (size_t i = 0; memory_disk_node(disk, i, &r); i++) {
		last = r.key;
	}
	cr_assert(memory_disk_node(disk, 0, &r));
	value = bytes_of(memcpy(mem_new(r.len), r.at, r.len), r.len);
	cr_assert(eq(int, j->ops->begin(j), ERR_OK));
	cr_assert(eq(int, j->ops->put_node(j, last + 1, value), ERR_OK));
	cr_assert(eq(int, j->ops->put_node(j, last + 5, value), ERR_OK));
	cr_assert(eq(int, j->ops->commit(j), ERR_OK));
	j->ops->free(j);
	free((void *)(uintptr_t)value.at);
	cr_expect(eq(int, check_disk(disk, t), ERR_OK), "%s", t->text);
	cr_expect(strstr(t->text, "disk: 2 nodes are needed by no version") != NULL, "%s", t->text);
	cr_expect(strstr(t->text, "disk: 2 nodes are there more than once") != NULL, "%s", t->text);
	memory_disk_free(disk);
	free(t);
}

/* What a version says of itself that its trees do not bear out. */
TEST(check, counts_again_on_the_disk)
{
	static const struct {
		int records;
		int bytes;
		const char *told;
	} cases[] = {
		{ 1, 0, "disk: zone z0.example.: serial 7: it has another number of records" },
		{ 0, 1, "disk: zone z0.example.: serial 7: it has another number of octets" },
	};
	struct told *t = mem_zero(1, sizeof(*t));

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct memory_disk *disk = memory_disk_new();
		struct farm_commit c;
		struct zone_timers timers = farm_timers(7);
		struct snapshot *snap;
		struct farm f;

		farm_start(&f, journal_memory_new(disk), 1);
		snap = content_version(f.pool, 0, 7, 3);
		snap->records += (uint32_t)cases[i].records;
		snap->bytes += (uint64_t)cases[i].bytes;
		farm_commit_init(&f, &c);
		f.outstanding++;
		cr_assert(eq(int, store_commit(f.st, farm_zone(&f, 0), snap, &timers, &c.commit),
		             ERR_OK));
		farm_settle(&f);
		farm_fini(&f);
		cr_expect(eq(int, check_disk(disk, t), ERR_STORE_CORRUPT));
		cr_expect(strstr(t->text, "another number of") != NULL, "%s", t->text);
		cr_expect(strstr(t->text, cases[i].told + sizeof("disk: zone z0.example.") - 1) !=
		                  NULL,
		          "%s", t->text);
		memory_disk_free(disk);
	}
	free(t);
}

TEST(check, a_table_that_cannot_be_read_is_a_finding)
{
	struct told *t = mem_zero(1, sizeof(*t));
	struct memory_disk *disk = disk_of_farm();

	memory_disk_fail_scan(disk, 5, ERR_STORE_CORRUPT);
	cr_expect(eq(int, check_disk(disk, t), ERR_STORE_CORRUPT));
	cr_expect(strstr(t->text, "disk: the table of nodes is damaged in itself") != NULL, "%s",
	          t->text);
	memory_disk_heal(disk);
	memory_disk_fail_scan(disk, 5, ERR_DISK);
	cr_expect(eq(int, check_disk(disk, t), ERR_DISK));
	memory_disk_free(disk);
	free(t);
}

TEST(check, stops_where_nobody_listens)
{
	struct told *t = mem_zero(1, sizeof(*t));
	struct memory_disk *disk = disk_of_farm();

	t->deaf = true;
	cr_expect(eq(int, check_disk(disk, t), ERR_STOPPING));
	memory_disk_free(disk);
	free(t);
}

/* ---- memory ---- */

/* All versions of a farm, with a reference each. */
static size_t versions_of(struct farm *f, const struct snapshot **out, size_t cap)
{
	size_t count = 0;

	for (unsigned i = 0; i < ZONES; i++) {
		struct version_view views[16];
		size_t n = zone_versions(farm_zone(f, i), views, ARRAY_LEN(views));

		for (size_t k = 0; k < n; k++) {
			cr_assert(lt(sz, count, cap));
			out[count++] = views[k].snap;
		}
	}
	return count;
}

struct memory_case {
	struct farm *f;
	const struct snapshot *snaps[64];
	size_t count;
	struct told *t;
};

static void expect_found(struct memory_case *c, const char *what)
{
	struct check_sink sink = sink_of(c->t);

	cr_expect(eq(int, check_memory(c->f->pool, c->snaps, c->count, &sink),
	             what == NULL ? ERR_OK : ERR_STORE_CORRUPT),
	          "%s: %s", what, c->t->text);
	cr_expect(what == NULL || strstr(c->t->text, what) != NULL, "%s: %s", what, c->t->text);
}

static struct node *child_of(struct memory_case *c, const struct node *n, unsigned i)
{
	return node_at(c->f->pool, (struct node_handle){ n->links[i] });
}

static void damage_versions(struct memory_case *c)
{
	struct snapshot *snap = (struct snapshot *)(uintptr_t)c->snaps[2];

	snap->records++;
	expect_found(c, "it has another number of records");
	snap->records--;
	snap->bytes--;
	expect_found(c, "it has another number of octets");
	snap->bytes++;
}

/* In the largest zone, whose versions share most nodes. */
static void damage_nodes(struct memory_case *c)
{
	struct node *root = node_at(c->f->pool, c->snaps[c->count - 1]->roots[0]);
	struct node *node = child_of(c, root, 0);
	struct node *leaf = root;
	uint32_t refs;
	uint8_t *body;

	for (unsigned i = 1; atomic_load(&node->refs) < 2; i++) {
		cr_assert(i < shape_count(root));
		node = child_of(c, root, i);
	}
	refs = atomic_exchange(&node->refs, 1);
	expect_found(c, "fewer references than there are");
	atomic_store(&node->refs, refs);
	while (shape_level(leaf) > 0) {
		leaf = child_of(c, leaf, 1);
	}
	body = (uint8_t *)(uintptr_t)pool_body(c->f->pool, (struct body_handle){ leaf->links[0] });
	body[3] ^= 1; /* its TTL */
	expect_found(c, "its content is not what its id says");
	expect_found(c, "its table does not lead to it");
	body[3] ^= 1;
	leaf->id.octets[5] ^= 1;
	expect_found(c, "its content is not what its id says");
	leaf->id.octets[5] ^= 1;
}

TEST(check, finds_what_is_wrong_in_memory)
{
	struct memory_disk *disk = memory_disk_new();
	struct farm f;
	struct memory_case c = { .f = &f, .t = mem_zero(1, sizeof(*c.t)) };

	plant(&f, journal_memory_new(disk));
	c.count = versions_of(&f, c.snaps, ARRAY_LEN(c.snaps));
	cr_expect(eq(sz, c.count, ZONES * VERSIONS));
	expect_found(&c, NULL);
	cr_expect(strstr(c.t->text, "memory: 12 versions, ") != NULL, "%s", c.t->text);
	damage_versions(&c);
	damage_nodes(&c);
	expect_found(&c, NULL);
	for (size_t i = 0; i < c.count; i++) {
		snapshot_unref((struct snapshot *)(uintptr_t)c.snaps[i]);
	}
	farm_fini(&f);
	memory_disk_free(disk);
	free(c.t);
}
