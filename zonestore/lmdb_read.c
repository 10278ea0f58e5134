/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_read.c — readers of an LMDB database.
 *
 * What is read is mapped, and counts as this process's memory for as long as it is. So a reader lets
 * go of what it touched now and then; the system keeps it for as long as it has room. */
#include "zonestore/lmdb_read_p.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "zonestore/lmdb_walk_p.h"

#define TOUCHED_MAX  256U        /* parts of the map, before it is let go of: 16 MB */
#define TOUCHED_PART (64U << 10) /* what the system maps around a page that is read */

struct lmdb_reader {
	struct journal_reader reader;
	MDB_txn *txn;
	MDB_cursor *nodes;
	MDB_cursor *zones;
	const struct lmdb_zones *records; /* of zones */
	uintptr_t page_bytes;
	uintptr_t lowest; /* touched of the map since it was let go of; equal: nothing */
	uintptr_t highest;
	uintptr_t part; /* of the map, that was touched last */
	unsigned parts; /* touched since then, one after the other */
};

static struct lmdb_reader *lmdb_reader_of(struct journal_reader *r)
{
	return container_of(r, struct lmdb_reader, reader);
}

static enum err err_of(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_CURSOR_FULL:
		return ERR_STORE_CORRUPT;
	default:
		return ERR_DISK;
	}
}

/* Pages that were read and not changed: they come back from the system when they are read again. */
static void map_let_go(struct lmdb_reader *o)
{
	uintptr_t from = o->lowest & ~(o->page_bytes - 1);
	uintptr_t to = (o->highest + o->page_bytes - 1) & ~(o->page_bytes - 1);

	if (from < to) {
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
	}
	o->lowest = 0;
	o->highest = 0;
	o->parts = 0;
}

static struct bytes value_touched(struct lmdb_reader *o, MDB_val value)
{
	uintptr_t at = (uintptr_t)value.mv_data;

	if (o->lowest == o->highest) {
		o->lowest = at;
		o->highest = at;
	}
	o->lowest = at < o->lowest ? at : o->lowest;
	o->highest = at + value.mv_size > o->highest ? at + value.mv_size : o->highest;
	o->parts += at / TOUCHED_PART != o->part;
	o->part = at / TOUCHED_PART;
	if (o->parts > TOUCHED_MAX) {
		map_let_go(o);
	}
	return bytes_of(value.mv_data, value.mv_size);
}

static enum err number_get(struct lmdb_reader *o, MDB_cursor *cursor, uint64_t number,
                           struct bytes *out)
{
	MDB_val key = { sizeof(number), &number };
	MDB_val value;
	int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET);

	if (rc == 0) {
		*out = value_touched(o, value);
	}
	return err_of(rc);
}

static enum err read_node(struct journal_reader *r, uint64_t seq, struct bytes *out)
{
	return number_get(lmdb_reader_of(r), lmdb_reader_of(r)->nodes, seq, out);
}

static enum err read_zone(struct journal_reader *r, uint64_t number, struct bytes *out)
{
	struct lmdb_reader *o = lmdb_reader_of(r);
	MDB_val value;

	TRY(number_get(o, o->zones, number, out));
	value = (MDB_val){ out->len, (void *)(uintptr_t)out->at };
	TRY(err_of(lmdb_zones_value(o->records, o->txn, number, &value)));
	*out = value_touched(o, value);
	return ERR_OK;
}

static bool key_number(MDB_val key, uint64_t *out)
{
	if (key.mv_size != sizeof(*out)) {
		return false;
	}
	memcpy(out, key.mv_data, sizeof(*out));
	return true;
}

static enum err read_zones(struct journal_reader *r, struct journal_range range,
                           journal_visit visit, void *self)
{
	struct lmdb_reader *o = lmdb_reader_of(r);
	uint64_t number = range.first;
	uint64_t least = range.first;
	MDB_val key = { sizeof(number), &number };
	MDB_val value;
	int rc = mdb_cursor_get(o->zones, &key, &value, MDB_SET_RANGE);

	for (; rc == 0; rc = mdb_cursor_get(o->zones, &key, &value, MDB_NEXT)) {
		if (!key_number(key, &number) || number < least) {
			return ERR_STORE_CORRUPT;
		}
		if (number > range.last) {
			return ERR_OK;
		}
		TRY(err_of(lmdb_zones_value(o->records, o->txn, number, &value)));
		TRY(visit(self, number, value_touched(o, value)));
		if (number == UINT64_MAX) {
			return ERR_OK;
		}
		least = number + 1;
	}
	return rc == MDB_NOTFOUND ? ERR_OK : err_of(rc);
}

static enum err read_nodes(struct journal_reader *r, journal_visit visit, void *self)
{
	struct lmdb_reader *o = lmdb_reader_of(r);
	struct walk walk;
	MDB_val key;
	MDB_val value;
	int rc = walk_begin(&walk, o->txn, mdb_cursor_dbi(o->nodes));

	if (rc == 0) {
		rc = mdb_cursor_get(o->nodes, &key, &value, MDB_FIRST);
	}
	while (rc == 0 && (rc = walk_next(&walk, &key)) == 0) {
		TRY(visit(self, walk.last, value_touched(o, value)));
		rc = mdb_cursor_get(o->nodes, &key, &value, MDB_NEXT);
	}
	if (rc == MDB_NOTFOUND) {
		return walk.left == 0 ? ERR_OK : ERR_STORE_CORRUPT;
	}
	return err_of(rc);
}

static void read_free(struct journal_reader *r)
{
	struct lmdb_reader *o = lmdb_reader_of(r);

	map_let_go(o);
	if (o->nodes != NULL) {
		mdb_cursor_close(o->nodes);
	}
	if (o->zones != NULL) {
		mdb_cursor_close(o->zones);
	}
	mdb_txn_abort(o->txn);
	free(o);
}

static const struct journal_reader_ops reader_ops = {
	.get_node = read_node,
	.get_zone = read_zone,
	.scan_zones = read_zones,
	.scan_nodes = read_nodes,
	.free = read_free,
};

int lmdb_read_new(MDB_env *env, MDB_dbi nodes, const struct lmdb_zones *zones,
                  struct journal_reader **out)
{
	struct lmdb_reader *o = mem_zero(1, sizeof(*o));
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &o->txn);

	if (rc != 0) {
		free(o);
		return rc;
	}
	o->reader.ops = &reader_ops;
	o->records = zones;
	o->page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	if ((rc = mdb_cursor_open(o->txn, nodes, &o->nodes)) != 0 ||
	    (rc = mdb_cursor_open(o->txn, zones->dbi, &o->zones)) != 0) {
		read_free(&o->reader);
		return rc;
	}
	*out = &o->reader;
	return 0;
}

int lmdb_table_range(MDB_txn *txn, MDB_dbi dbi, struct journal_range *out)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	MDB_stat s;
	int rc;

	*out = (struct journal_range){ 0 };
	if ((rc = mdb_stat(txn, dbi, &s)) != 0 || (rc = mdb_cursor_open(txn, dbi, &cursor)) != 0) {
		return rc;
	}
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	if (rc == 0 && !key_number(key, &out->first)) {
		rc = MDB_CORRUPTED;
	}
	if (rc == 0) {
		rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	}
	if (rc == 0 && (!key_number(key, &out->last) || out->last < out->first)) {
		rc = MDB_CORRUPTED;
	}
	mdb_cursor_close(cursor);
	if (rc == MDB_NOTFOUND) {
		return s.ms_entries == 0 ? 0 : MDB_CORRUPTED;
	}
	out->count = s.ms_entries;
	return rc;
}
