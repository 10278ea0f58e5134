/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_view.c — a database that is only read (door to LMDB). */
#include "zonestore/journal_view.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "zonestore/guard_p.h"
#include "zonestore/lmdb_walk_p.h"
#include "zonestore/lmdb_zones_p.h"

struct journal_view {
	struct journal journal;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi nodes;
	struct lmdb_zones zones;
	bool empty; /* no table was ever made */
};

static struct journal_view *view_of(struct journal *j)
{
	return container_of(j, struct journal_view, journal);
}

static enum err err_of(int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
	case ENOENT:
		return ERR_NOT_FOUND;
	case MDB_READERS_FULL:
		return ERR_BUSY;
	case ENOMEM:
		return ERR_NO_MEMORY;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_CURSOR_FULL:
	case MDB_BAD_VALSIZE:
		return ERR_STORE_CORRUPT;
	default:
		return ERR_DISK;
	}
}

static enum err table_get(struct journal_view *v, MDB_dbi dbi, uint64_t number, struct bytes *out)
{
	MDB_val key = { sizeof(number), &number };
	MDB_val value;
	int rc = v->empty ? MDB_NOTFOUND : mdb_get(v->txn, dbi, &key, &value);

	if (rc == 0 && dbi == v->zones.dbi) {
		rc = lmdb_zones_value(&v->zones, v->txn, number, &value);
	}
	if (rc == 0) {
		*out = bytes_of(value.mv_data, value.mv_size);
	}
	return err_of(rc);
}

static enum err table_scan(struct journal_view *v, MDB_dbi dbi, journal_visit visit, void *self)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	struct walk walk;
	enum err e = ERR_OK;
	bool zones = dbi == v->zones.dbi;
	int rc;

	if (v->empty) {
		return ERR_OK;
	}
	if ((rc = walk_begin(&walk, v->txn, dbi)) != 0 ||
	    (rc = mdb_cursor_open(v->txn, dbi, &cursor)) != 0) {
		return err_of(rc);
	}
	while (e == ERR_OK && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 &&
	       (rc = walk_next(&walk, &key)) == 0 &&
	       (!zones || (rc = lmdb_zones_value(&v->zones, v->txn, walk.last, &value)) == 0)) {
		e = visit(self, walk.last, bytes_of(value.mv_data, value.mv_size));
	}
	mdb_cursor_close(cursor);
	if (e != ERR_OK) {
		return e;
	}
	if (rc == MDB_NOTFOUND) {
		rc = walk.left == 0 ? 0 : MDB_CORRUPTED;
	}
	return err_of(rc);
}

static enum err view_get_node(struct journal *j, uint64_t seq, struct bytes *out)
{
	return table_get(view_of(j), view_of(j)->nodes, seq, out);
}

static enum err view_get_zone(struct journal *j, uint64_t number, struct bytes *out)
{
	return table_get(view_of(j), view_of(j)->zones.dbi, number, out);
}

static enum err view_scan_nodes(struct journal *j, journal_visit visit, void *self)
{
	return table_scan(view_of(j), view_of(j)->nodes, visit, self);
}

static enum err view_scan_zones(struct journal *j, journal_visit visit, void *self)
{
	return table_scan(view_of(j), view_of(j)->zones.dbi, visit, self);
}

static void view_stats(struct journal *j, struct journal_stats *out)
{
	struct journal_view *v = view_of(j);
	MDB_envinfo info;
	MDB_stat s;

	*out = (struct journal_stats){ 0 };
	if (mdb_env_info(v->env, &info) == 0 && mdb_env_stat(v->env, &s) == 0) {
		out->size_bytes = ((uint64_t)info.me_last_pgno + 1) * s.ms_psize;
	}
}

static void view_free(struct journal *j)
{
	struct journal_view *v = view_of(j);

	if (v->txn != NULL) {
		mdb_txn_abort(v->txn);
	}
	if (v->env != NULL) {
		mdb_env_close(v->env);
	}
	lmdb_zones_fini(&v->zones);
	free(v);
}

static const struct journal_ops view_ops = {
	.get_node = view_get_node,
	.get_zone = view_get_zone,
	.scan_nodes = view_scan_nodes,
	.scan_zones = view_scan_zones,
	.stats = view_stats,
	.free = view_free,
};

static bool file_is_there(const char *path, const char *name)
{
	char file[PATH_MAX];

	return (size_t)snprintf(file, sizeof(file), "%s/%s", path, name) < sizeof(file) &&
	       access(file, F_OK) == 0;
}

static int tables_open(struct journal_view *v)
{
	MDB_dbi zones;
	MDB_dbi log;
	MDB_stat s;
	int rc = mdb_stat(v->txn, LMDB_MAIN_TABLE, &s);

	v->empty = rc == 0 && s.ms_entries == 0;
	if (rc != 0 || v->empty) {
		return rc;
	}
	if ((rc = mdb_dbi_open(v->txn, "nodes", MDB_INTEGERKEY, &v->nodes)) == 0) {
		rc = mdb_dbi_open(v->txn, "zones", MDB_INTEGERKEY, &zones);
	}
	if (rc == 0) {
		rc = mdb_dbi_open(v->txn, LMDB_LOG_NAME, MDB_INTEGERKEY, &log);
	}
	if (rc == 0) {
		rc = lmdb_zones_load(&v->zones, v->txn, zones, log);
	}
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static int view_open(struct journal_view *v, const char *path)
{
	/* Whoever has it open made the file of locks, and leaves it there. */
	unsigned locks = file_is_there(path, "lock.mdb") ? 0 : MDB_NOLOCK;
	int dead;
	int rc;

	if ((rc = mdb_env_create(&v->env)) != 0) {
		v->env = NULL;
		return rc;
	}
	if ((rc = mdb_env_set_maxdbs(v->env, LMDB_TABLES)) != 0 ||
	    (rc = mdb_env_open(v->env, path, MDB_RDONLY | MDB_NOTLS | locks, 0600)) != 0) {
		return rc;
	}
	if (locks == 0) {
		(void)mdb_reader_check(v->env, &dead); /* of those that died on the way */
	}
	rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &v->txn);
	if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(v->env, 0)) == 0) {
		rc = mdb_txn_begin(v->env, NULL, MDB_RDONLY, &v->txn);
	}
	if (rc != 0) {
		v->txn = NULL;
		return rc;
	}
	rc = walk_free_list(v->txn);
	return rc != 0 ? rc : tables_open(v);
}

enum err journal_view_new(const char *path, struct journal **out, char *why, size_t why_cap)
{
	struct journal_view *v = mem_zero(1, sizeof(*v));
	enum err e;
	int rc;

	v->journal.ops = &view_ops;
	rc = file_is_there(path, GUARD_FILE) ? view_open(v, path) : ENOENT;
	if (rc == 0) {
		*out = &v->journal;
		return ERR_OK;
	}
	e = err_of(rc);
	snprintf(why, why_cap, "database %s %s: %s", path,
	         e == ERR_STORE_CORRUPT ? "is damaged" : "cannot be read", mdb_strerror(rc));
	view_free(&v->journal);
	return e;
}
