/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_walk.c — what LMDB does not check about its own pages. */
#include "zonestore/lmdb_walk_p.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zonestore/lmdb_zones_p.h"

#define META_PAGES 2

int walk_begin(struct walk *o, MDB_txn *txn, MDB_dbi dbi)
{
	MDB_stat s;
	int rc = mdb_stat(txn, dbi, &s);

	*o = (struct walk){ .left = rc == 0 ? s.ms_entries : 0 };
	return rc;
}

int walk_next(struct walk *o, const MDB_val *key)
{
	uint64_t number;

	if (key->mv_size != sizeof(number) || o->left == 0) {
		return MDB_CORRUPTED;
	}
	memcpy(&number, key->mv_data, sizeof(number));
	if (o->begun && number <= o->last) {
		return MDB_CORRUPTED;
	}
	o->begun = true;
	o->last = number;
	o->left--;
	return 0;
}

/* A list of free pages: their count, and their numbers from high to low. */
static int free_list_check(MDB_val value, uint64_t pages)
{
	const uint8_t *at = value.mv_data;
	size_t words = value.mv_size / sizeof(size_t);
	size_t count = 0;
	size_t above = pages;

	if (words > 0) {
		memcpy(&count, at, sizeof(count));
	}
	if (words == 0 || count > words - 1) {
		return MDB_CORRUPTED;
	}
	for (size_t i = 1; i <= count; i++) {
		size_t page;
		memcpy(&page, at + i * sizeof(page), sizeof(page));
		if (page >= above || page < META_PAGES) {
			return MDB_CORRUPTED;
		}
		above = page;
	}
	return 0;
}

/* Octets of a value are read so that a page that is not there is found here. */
static int value_read(MDB_val value, uint64_t pages)
{
	const volatile uint8_t *at = value.mv_data;

	(void)pages;
	for (size_t i = 0; i < value.mv_size; i++) {
		(void)at[i];
	}
	return 0;
}

static int table_walk(MDB_txn *txn, MDB_dbi dbi, uint64_t pages,
                      int (*look)(MDB_val value, uint64_t pages))
{
	struct walk walk;
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	int rc;

	if ((rc = walk_begin(&walk, txn, dbi)) != 0 ||
	    (rc = mdb_cursor_open(txn, dbi, &cursor)) != 0) {
		return rc;
	}
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 &&
	       (rc = walk_next(&walk, &key)) == 0 && (rc = look(value, pages)) == 0) {
	}
	mdb_cursor_close(cursor);
	if (rc != MDB_NOTFOUND) {
		return rc;
	}
	return walk.left == 0 ? 0 : MDB_CORRUPTED;
}

int walk_free_list(MDB_txn *txn)
{
	MDB_envinfo info;
	int rc = mdb_env_info(mdb_txn_env(txn), &info);

	/* Another process may have added pages since: then more of them could be free. */
	return rc != 0 ? rc
	               : table_walk(txn, LMDB_FREE_TABLE, (uint64_t)info.me_last_pgno + 1,
	                            free_list_check);
}

int walk_free_pages(MDB_env *env)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (rc != 0) {
		return rc;
	}
	rc = walk_free_list(txn);
	mdb_txn_abort(txn);
	return rc;
}

/* Metadata: few, by name. */
static int meta_walk(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	MDB_stat s;
	size_t count = 0;
	int rc;

	if ((rc = mdb_stat(txn, dbi, &s)) != 0 || (rc = mdb_cursor_open(txn, dbi, &cursor)) != 0) {
		return rc;
	}
	while (count <= s.ms_entries &&
	       (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		(void)value_read(key, 0);
		(void)value_read(value, 0);
		count++;
	}
	mdb_cursor_close(cursor);
	if (rc != 0 && rc != MDB_NOTFOUND) {
		return rc;
	}
	return count == s.ms_entries ? 0 : MDB_CORRUPTED;
}

int walk_tables(MDB_env *env)
{
	static const char *const names[LMDB_TABLES] = { "nodes", "zones", "meta", LMDB_LOG_NAME };
	struct lmdb_zones records = { 0 };
	MDB_stat s = { 0 };
	MDB_txn *txn;
	MDB_dbi dbi = 0; /* in the end, the log */
	MDB_dbi zones = 0;
	int rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);

	if (rc != 0) {
		return rc;
	}
	rc = mdb_stat(txn, LMDB_MAIN_TABLE, &s);
	for (size_t i = 0; i < LMDB_TABLES && rc == 0 && s.ms_entries != 0; i++) {
		rc = mdb_dbi_open(txn, names[i], 0, &dbi);
		if (rc == 0) {
			rc = i == 2 ? meta_walk(txn, dbi) : table_walk(txn, dbi, 0, value_read);
			zones = i == 1 ? dbi : zones;
		} else if (rc == MDB_NOTFOUND) {
			rc = MDB_CORRUPTED;
		}
	}
	if (rc == 0 && s.ms_entries != 0) {
		rc = lmdb_zones_load(&records, txn, zones, dbi);
		lmdb_zones_fini(&records);
	}
	mdb_txn_abort(txn);
	return rc;
}

/* Counts the free pages from `first` on, in LMDB's own list: a count, then page numbers. */
static int free_pages_from(MDB_txn *txn, uint64_t first, uint64_t *count)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	int rc = mdb_cursor_open(txn, LMDB_FREE_TABLE, &cursor);

	*count = 0;
	if (rc != 0) {
		return rc;
	}
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		const size_t *pages = value.mv_data;
		size_t len = value.mv_size / sizeof(*pages);
		for (size_t i = 1; i < len && i <= pages[0]; i++) {
			*count += pages[i] >= first;
		}
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int walk_file(MDB_env *env, uint64_t *map_bytes)
{
	MDB_envinfo info;
	MDB_stat stat_out;
	MDB_txn *txn;
	struct stat st;
	mdb_filehandle_t fd;
	uint64_t pages;
	uint64_t have;
	uint64_t unused;
	int rc;

	if (mdb_env_info(env, &info) != 0 || mdb_env_stat(env, &stat_out) != 0 ||
	    mdb_env_get_fd(env, &fd) != 0 || fstat(fd, &st) != 0) {
		return EIO;
	}
	*map_bytes = info.me_mapsize;
	pages = (uint64_t)info.me_last_pgno + 1;
	have = (uint64_t)st.st_size / stat_out.ms_psize;
	if (have >= pages) {
		return 0;
	}
	if (ftruncate(fd, (off_t)(pages * stat_out.ms_psize)) != 0) {
		return errno;
	}
	if ((rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn)) == 0) {
		rc = free_pages_from(txn, have, &unused);
		mdb_txn_abort(txn);
	}
	if (rc == 0 && unused != pages - have) {
		rc = MDB_CORRUPTED;
	}
	if (rc != 0 && ftruncate(fd, st.st_size) != 0) {
		return errno;
	}
	return rc;
}
