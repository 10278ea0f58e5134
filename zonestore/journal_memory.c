/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_memory.c — three sorted arrays and a list of what the open transaction does.
 *
 * Nothing is applied before commit(), so a crash needs no undoing. */
#include "zonestore/journal_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

struct record {
	uint64_t key;
	uint8_t *at;
	size_t len;
};

struct record_table {
	struct record *rows; /* ascending by key */
	size_t count;
	size_t cap;
};

struct meta_row {
	struct meta_row *next;
	char *name;
	uint8_t *at;
	size_t len;
};

/* One change of the open transaction. */
struct change {
	struct change *next;
	struct record_table *table; /* NULL: metadata */
	bool drop;
	uint64_t key;
	char *name;
	uint8_t *at;
	size_t len;
};

struct memory_disk {
	struct record_table nodes;
	struct record_table zones;
	struct meta_row *meta;
	uint64_t writes;
	uint64_t commits;
	uint64_t fail_at; /* the number of the write that fails; 0: none */
	bool fail_on;     /* and all after it */
	enum err fail_err;
	enum err scan_err; /* ERR_OK: scans are whole */
	size_t scan_count;
};

struct journal_memory {
	struct journal journal;
	struct memory_disk *disk;
	bool open;
	struct change *first;
	struct change **last;
};

static struct journal_memory *memory_of(struct journal *j)
{
	return container_of(j, struct journal_memory, journal);
}

static uint8_t *octets_copy(struct bytes b)
{
	uint8_t *at = mem_new(b.len + 1); /* never of no length */

	if (b.len > 0) {
		memcpy(at, b.at, b.len);
	}
	return at;
}

/* ---- the disk ---- */

/* The place of `key`, or where it would be. */
static size_t table_place(const struct record_table *t, uint64_t key)
{
	size_t lo = 0;
	size_t hi = t->count;

	if (hi > 0 && t->rows[hi - 1].key < key) {
		return hi;
	}
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (t->rows[mid].key < key) {
			lo = mid + 1;
		} else {
			hi = mid;
		}
	}
	return lo;
}

static bool table_has(const struct record_table *t, size_t place, uint64_t key)
{
	return place < t->count && t->rows[place].key == key;
}

static void table_drop(struct record_table *t, uint64_t key)
{
	size_t place = table_place(t, key);

	if (!table_has(t, place, key)) {
		return;
	}
	free(t->rows[place].at);
	memmove(t->rows + place, t->rows + place + 1, (t->count - place - 1) * sizeof(*t->rows));
	t->count--;
}

/* Takes `at`. */
static void table_put(struct record_table *t, uint64_t key, uint8_t *at, size_t len)
{
	size_t place = table_place(t, key);

	if (table_has(t, place, key)) {
		free(t->rows[place].at);
	} else {
		if (t->count == t->cap) {
			t->cap = t->cap == 0 ? 64 : 2 * t->cap;
			t->rows = mem_grow(t->rows, t->cap * sizeof(*t->rows));
		}
		memmove(t->rows + place + 1, t->rows + place,
		        (t->count - place) * sizeof(*t->rows));
		t->count++;
	}
	t->rows[place] = (struct record){ key, at, len };
}

static void table_fini(struct record_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->rows[i].at);
	}
	free(t->rows);
	*t = (struct record_table){ 0 };
}

static struct meta_row *meta_find(struct memory_disk *disk, const char *name)
{
	struct meta_row *row = disk->meta;

	while (row != NULL && strcmp(row->name, name) != 0) {
		row = row->next;
	}
	return row;
}

/* Takes `at`. */
static void meta_put(struct memory_disk *disk, const char *name, uint8_t *at, size_t len)
{
	struct meta_row *row = meta_find(disk, name);

	if (row == NULL) {
		row = mem_zero(1, sizeof(*row));
		row->name = (char *)octets_copy(bytes_of(name, strlen(name) + 1));
		row->next = disk->meta;
		disk->meta = row;
	}
	free(row->at);
	row->at = at;
	row->len = len;
}

struct memory_disk *memory_disk_new(void)
{
	return mem_zero(1, sizeof(struct memory_disk));
}

static void tables_clear(struct memory_disk *disk)
{
	table_fini(&disk->nodes);
	table_fini(&disk->zones);
	while (disk->meta != NULL) {
		struct meta_row *row = disk->meta;
		disk->meta = row->next;
		free(row->name);
		free(row->at);
		free(row);
	}
}

void memory_disk_free(struct memory_disk *disk)
{
	if (disk == NULL) {
		return;
	}
	tables_clear(disk);
	free(disk);
}

static void table_copy(const struct record_table *from, struct record_table *to)
{
	to->rows = mem_new((from->count + 1) * sizeof(*to->rows));
	to->cap = from->count + 1;
	to->count = from->count;
	for (size_t i = 0; i < from->count; i++) {
		const struct record *r = &from->rows[i];

		to->rows[i] =
			(struct record){ r->key, octets_copy(bytes_of(r->at, r->len)), r->len };
	}
}

struct memory_disk *memory_disk_copy(const struct memory_disk *disk)
{
	struct memory_disk *copy = memory_disk_new();

	table_copy(&disk->nodes, &copy->nodes);
	table_copy(&disk->zones, &copy->zones);
	for (const struct meta_row *row = disk->meta; row != NULL; row = row->next) {
		meta_put(copy, row->name, octets_copy(bytes_of(row->at, row->len)), row->len);
	}
	return copy;
}

void memory_disk_fail(struct memory_disk *disk, uint64_t nth, enum err e)
{
	disk->fail_at = nth == 0 ? 0 : disk->writes + nth;
	disk->fail_err = e;
	disk->fail_on = true;
}

void memory_disk_fail_once(struct memory_disk *disk, uint64_t nth, enum err e)
{
	memory_disk_fail(disk, nth, e);
	disk->fail_on = false;
}

void memory_disk_heal(struct memory_disk *disk)
{
	disk->fail_at = 0;
	disk->scan_err = ERR_OK;
}

void memory_disk_fail_scan(struct memory_disk *disk, size_t count, enum err e)
{
	disk->scan_count = count;
	disk->scan_err = e;
}

uint64_t memory_disk_writes(const struct memory_disk *disk)
{
	return disk->writes;
}

uint64_t memory_disk_commits(const struct memory_disk *disk)
{
	return disk->commits;
}

static bool table_record(struct record_table *t, size_t index, struct memory_record *out)
{
	if (index >= t->count) {
		return false;
	}
	*out = (struct memory_record){ t->rows[index].key, t->rows[index].at, t->rows[index].len };
	return true;
}

bool memory_disk_node(struct memory_disk *disk, size_t index, struct memory_record *out)
{
	return table_record(&disk->nodes, index, out);
}

bool memory_disk_zone(struct memory_disk *disk, size_t index, struct memory_record *out)
{
	return table_record(&disk->zones, index, out);
}

void memory_disk_lose_node(struct memory_disk *disk, uint64_t seq)
{
	table_drop(&disk->nodes, seq);
}

/* Counts a write; the error that it is to fail with. */
static enum err disk_write(struct memory_disk *disk)
{
	disk->writes++;
	if (disk->fail_at == 0 || disk->writes < disk->fail_at ||
	    (disk->writes > disk->fail_at && !disk->fail_on)) {
		return ERR_OK;
	}
	return disk->fail_err;
}

/* ---- the journal ---- */

static void changes_forget(struct journal_memory *m)
{
	while (m->first != NULL) {
		struct change *c = m->first;
		m->first = c->next;
		free(c->name);
		free(c->at);
		free(c);
	}
	m->last = &m->first;
	m->open = false;
}

static enum err memory_begin(struct journal *j)
{
	struct journal_memory *m = memory_of(j);

	assert(!m->open);
	m->open = true;
	return ERR_OK;
}

static enum err memory_commit(struct journal *j)
{
	struct journal_memory *m = memory_of(j);
	enum err e = disk_write(m->disk);

	assert(m->open);
	for (struct change *c = m->first; c != NULL && e == ERR_OK; c = c->next) {
		if (c->drop) {
			table_drop(c->table, c->key);
			continue;
		}
		if (c->table != NULL) {
			table_put(c->table, c->key, c->at, c->len);
		} else {
			meta_put(m->disk, c->name, c->at, c->len);
		}
		c->at = NULL;
	}
	m->disk->commits += e == ERR_OK;
	changes_forget(m);
	return e;
}

static void memory_abort(struct journal *j)
{
	assert(memory_of(j)->open);
	changes_forget(memory_of(j));
}

/* Takes what `c` points to. */
static enum err change_add(struct journal_memory *m, struct change c)
{
	struct change *copy;
	enum err e = disk_write(m->disk);

	assert(m->open);
	if (e != ERR_OK) {
		free(c.name);
		free(c.at);
		return e;
	}
	copy = mem_new(sizeof(*copy));
	*copy = c;
	*m->last = copy;
	m->last = &copy->next;
	return ERR_OK;
}

static enum err memory_put_node(struct journal *j, uint64_t seq, struct bytes value)
{
	struct journal_memory *m = memory_of(j);

	return change_add(m, (struct change){ .table = &m->disk->nodes,
	                                      .key = seq,
	                                      .at = octets_copy(value),
	                                      .len = value.len });
}

static enum err memory_drop_node(struct journal *j, uint64_t seq)
{
	struct journal_memory *m = memory_of(j);

	return change_add(m, (struct change){ .table = &m->disk->nodes, .key = seq, .drop = true });
}

static enum err memory_put_zone(struct journal *j, uint64_t number, struct bytes value)
{
	struct journal_memory *m = memory_of(j);

	return change_add(m, (struct change){ .table = &m->disk->zones,
	                                      .key = number,
	                                      .at = octets_copy(value),
	                                      .len = value.len });
}

static enum err memory_drop_zone(struct journal *j, uint64_t number)
{
	struct journal_memory *m = memory_of(j);

	return change_add(m,
	                  (struct change){ .table = &m->disk->zones, .key = number, .drop = true });
}

static enum err memory_put_meta(struct journal *j, const char *name, struct bytes value)
{
	return change_add(memory_of(j), (struct change){ .name = (char *)octets_copy(
								 bytes_of(name, strlen(name) + 1)),
	                                                 .at = octets_copy(value),
	                                                 .len = value.len });
}

static enum err record_get(const struct record_table *t, uint64_t key, struct bytes *out)
{
	size_t place = table_place(t, key);

	if (!table_has(t, place, key)) {
		return ERR_NOT_FOUND;
	}
	*out = bytes_of(t->rows[place].at, t->rows[place].len);
	return ERR_OK;
}

static enum err memory_get_node(struct journal *j, uint64_t seq, struct bytes *out)
{
	assert(!memory_of(j)->open);
	return record_get(&memory_of(j)->disk->nodes, seq, out);
}

static enum err memory_get_zone(struct journal *j, uint64_t number, struct bytes *out)
{
	assert(!memory_of(j)->open);
	return record_get(&memory_of(j)->disk->zones, number, out);
}

static enum err memory_get_meta(struct journal *j, const char *name, struct bytes *out)
{
	struct meta_row *row = meta_find(memory_of(j)->disk, name);

	assert(!memory_of(j)->open);
	if (row == NULL) {
		return ERR_NOT_FOUND;
	}
	*out = bytes_of(row->at, row->len);
	return ERR_OK;
}

static enum err table_scan(const struct memory_disk *disk, const struct record_table *t,
                           journal_visit visit, void *self)
{
	for (size_t i = 0; i < t->count; i++) {
		if (disk->scan_err != ERR_OK && i >= disk->scan_count) {
			return disk->scan_err;
		}
		TRY(visit(self, t->rows[i].key, bytes_of(t->rows[i].at, t->rows[i].len)));
	}
	return ERR_OK;
}

static enum err memory_scan_nodes(struct journal *j, journal_visit visit, void *self)
{
	const struct memory_disk *disk = memory_of(j)->disk;

	assert(!memory_of(j)->open);
	return table_scan(disk, &disk->nodes, visit, self);
}

static enum err memory_scan_zones(struct journal *j, journal_visit visit, void *self)
{
	const struct memory_disk *disk = memory_of(j)->disk;

	assert(!memory_of(j)->open);
	return table_scan(disk, &disk->zones, visit, self);
}

static struct journal_range table_range(const struct record_table *t)
{
	if (t->count == 0) {
		return (struct journal_range){ 0 };
	}
	return (struct journal_range){ t->rows[0].key, t->rows[t->count - 1].key, t->count };
}

static enum err memory_zones_range(struct journal *j, struct journal_range *out)
{
	*out = table_range(&memory_of(j)->disk->zones);
	return ERR_OK;
}

static enum err memory_nodes_range(struct journal *j, struct journal_range *out)
{
	*out = table_range(&memory_of(j)->disk->nodes);
	return ERR_OK;
}

/* ---- readers ---- */

struct memory_reader {
	struct journal_reader reader;
	const struct memory_disk *disk;
};

static const struct memory_disk *disk_of(struct journal_reader *r)
{
	return container_of(r, struct memory_reader, reader)->disk;
}

static enum err reader_get_node(struct journal_reader *r, uint64_t seq, struct bytes *out)
{
	return record_get(&disk_of(r)->nodes, seq, out);
}

static enum err reader_get_zone(struct journal_reader *r, uint64_t number, struct bytes *out)
{
	return record_get(&disk_of(r)->zones, number, out);
}

static enum err reader_scan_zones(struct journal_reader *r, struct journal_range range,
                                  journal_visit visit, void *self)
{
	const struct memory_disk *disk = disk_of(r);
	const struct record_table *t = &disk->zones;

	for (size_t i = table_place(t, range.first); i < t->count; i++) {
		if (t->rows[i].key > range.last) {
			break;
		}
		if (disk->scan_err != ERR_OK && i >= disk->scan_count) {
			return disk->scan_err;
		}
		TRY(visit(self, t->rows[i].key, bytes_of(t->rows[i].at, t->rows[i].len)));
	}
	return ERR_OK;
}

static enum err reader_scan_nodes(struct journal_reader *r, journal_visit visit, void *self)
{
	return table_scan(disk_of(r), &disk_of(r)->nodes, visit, self);
}

static void reader_free(struct journal_reader *r)
{
	free(container_of(r, struct memory_reader, reader));
}

static const struct journal_reader_ops reader_ops = { .get_node = reader_get_node,
	                                              .get_zone = reader_get_zone,
	                                              .scan_zones = reader_scan_zones,
	                                              .scan_nodes = reader_scan_nodes,
	                                              .free = reader_free };

static enum err memory_reader_new(struct journal *j, struct journal_reader **out)
{
	struct memory_reader *r = mem_new(sizeof(*r));

	assert(!memory_of(j)->open);
	*r = (struct memory_reader){ { &reader_ops }, memory_of(j)->disk };
	*out = &r->reader;
	return ERR_OK;
}

static void memory_loaded(struct journal *j)
{
	assert(!memory_of(j)->open);
}

/* A disk that fails otherwise than by damage fails this, too. */
static enum err memory_reset(struct journal *j, char *where, size_t where_cap)
{
	struct memory_disk *disk = memory_of(j)->disk;

	assert(!memory_of(j)->open);
	disk->writes++;
	if (disk->fail_at != 0 && disk->writes >= disk->fail_at &&
	    disk->fail_err != ERR_STORE_CORRUPT) {
		return disk->fail_err;
	}
	tables_clear(disk);
	memory_disk_heal(disk);
	snprintf(where, where_cap, "nowhere");
	return ERR_OK;
}

static void memory_stats(struct journal *j, struct journal_stats *out)
{
	struct memory_disk *disk = memory_of(j)->disk;

	*out = (struct journal_stats){ .commits = disk->commits };
	for (size_t i = 0; i < disk->nodes.count; i++) {
		out->used_bytes += disk->nodes.rows[i].len;
	}
	for (size_t i = 0; i < disk->zones.count; i++) {
		out->used_bytes += disk->zones.rows[i].len;
	}
	out->size_bytes = out->used_bytes;
}

static void memory_free(struct journal *j)
{
	changes_forget(memory_of(j));
	free(memory_of(j));
}

static const struct journal_ops memory_ops = {
	.begin = memory_begin,
	.commit = memory_commit,
	.abort = memory_abort,
	.put_node = memory_put_node,
	.drop_node = memory_drop_node,
	.get_node = memory_get_node,
	.put_zone = memory_put_zone,
	.drop_zone = memory_drop_zone,
	.get_zone = memory_get_zone,
	.put_meta = memory_put_meta,
	.get_meta = memory_get_meta,
	.scan_nodes = memory_scan_nodes,
	.scan_zones = memory_scan_zones,
	.zones_range = memory_zones_range,
	.nodes_range = memory_nodes_range,
	.reader_new = memory_reader_new,
	.loaded = memory_loaded,
	.reset = memory_reset,
	.stats = memory_stats,
	.free = memory_free,
};

struct journal *journal_memory_new(struct memory_disk *disk)
{
	struct journal_memory *m = mem_zero(1, sizeof(*m));

	m->journal.ops = &memory_ops;
	m->disk = disk;
	m->last = &m->first;
	return &m->journal;
}
