/* SPDX-License-Identifier: MIT
 *
 * zonestore/journal_lmdb.c — the door to LMDB.
 *
 * What LMDB asks of its caller, and how it is met: the map may only be resized outside of
 * transactions, so begin() makes room for a transaction of usual size beforehand and a put that
 * meets the end of the map asks for a repetition (ERR_BUSY). A meta page that could not be written
 * makes the environment unusable (MDB_PANIC), so it is closed after every failed commit. Reading
 * holds a read transaction only until the next call, so that no old page is kept from reuse. */
#include "zonestore/journal_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "zonestore/guard_p.h"
#include "zonestore/lmdb_read_p.h"
#include "zonestore/lmdb_walk_p.h"
#include "zonestore/lmdb_written_p.h"
#include "zonestore/lmdb_zones_p.h"

/* 1: no kept versions, and branches had their children's ids. 2: no records beside the roots. 3: no
 * log of records. */
#define FORMAT_VERSION 4
#define FORMAT_KEY     "format"
#define HEADROOM_BYTES (32ULL * 1024 * 1024) /* free part of the map before a transaction */
#define MAP_STEP_BYTES (16ULL << 30)         /* the map doubles up to this, then adds it */
#define DISK_LOW_BYTES (1ULL << 20)          /* a short write with less space left: full */
#define TABLES_MAX     LMDB_TABLES
#define TOUCHED_MAX    256U /* records read or written before the map is let go of */
#define TOUCHED_ENDS                                                                               \
	16U /* by each transaction: where tables end, and what the system maps around */
#define FILE_MODE 0600

/* A table keyed by numbers. */
struct table {
	MDB_dbi dbi;
	uint64_t last;        /* highest number ever put: above it, MDB_APPEND fills pages */
	uint64_t last_before; /* the same when the transaction began */
};

struct journal_lmdb {
	struct journal journal;
	MDB_env *env;   /* NULL after a failed commit, until the next begin() */
	MDB_txn *write; /* between begin() and commit() */
	MDB_txn *read;  /* kept for reuse; live while `reading` */
	bool reading;
	bool scanning;
	struct table nodes;
	struct lmdb_zones zones;
	MDB_dbi meta;
	uint64_t map_bytes;
	uint64_t map_max_bytes;
	bool grow; /* the last transaction met the end of the map */
	bool full; /* the last one that failed had no room left */
	uint64_t commits;
	struct lmdb_written written;
	uint64_t touched; /* records, since the map was last let go of */
	int lock_fd;
	const struct env *env_of_time; /* for the names of what is set aside */
	bool guarded;
	char path[];
};

/* Where a sentence for the operator goes. */
struct why {
	char *text;
	size_t cap;
};

static struct journal_lmdb *lmdb_of(struct journal *j)
{
	return container_of(j, struct journal_lmdb, journal);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* LMDB reports a write that the disk took only in part as EIO. */
static enum err err_from_io(const struct journal_lmdb *l)
{
	struct statvfs fs;

	if (statvfs(l->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < DISK_LOW_BYTES) {
		return ERR_DISK_FULL;
	}
	return ERR_DISK;
}

static enum err err_from_lmdb(const struct journal_lmdb *l, int rc)
{
	switch (rc) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_PAGE_NOTFOUND:
	case MDB_CORRUPTED:
	case MDB_VERSION_MISMATCH:
	case MDB_INVALID:
	case MDB_INCOMPATIBLE:
	case MDB_CURSOR_FULL:
	case MDB_PAGE_FULL:
	case MDB_KEYEXIST:
		return ERR_STORE_CORRUPT;
	case MDB_MAP_FULL:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return ERR_DISK_FULL;
	case EROFS:
	case EACCES:
	case EPERM:
		return ERR_DISK_READONLY;
	case ENOMEM:
		return ERR_NO_MEMORY;
	case EIO:
		return err_from_io(l);
	default:
		return ERR_DISK;
	}
}

/* ---- opening ---- */

static int file_in_folder(const char *folder, const char *name, int flags)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC, FILE_MODE);
}

/* Held until the journal is freed; the kernel lets go of it when the process dies. */
static int lock_take(struct journal_lmdb *l)
{
	l->lock_fd = file_in_folder(l->path, "axfarmd.lock", O_RDWR | O_CREAT);
	if (l->lock_fd < 0) {
		return errno;
	}
	return flock(l->lock_fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

static int table_open(MDB_txn *txn, const char *name, struct table *out)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	int rc;

	if ((rc = mdb_dbi_open(txn, name, MDB_CREATE | MDB_INTEGERKEY, &out->dbi)) != 0 ||
	    (rc = mdb_cursor_open(txn, out->dbi, &cursor)) != 0) {
		return rc;
	}
	rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
	if (rc == 0 && key.mv_size == sizeof(uint64_t)) {
		uint64_t number;
		memcpy(&number, key.mv_data, sizeof(number));
		out->last = number > out->last ? number : out->last;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int tables_open(struct journal_lmdb *l, MDB_txn *txn)
{
	struct table zones = { .last = l->zones.last };
	MDB_dbi log;
	int rc;

	if ((rc = table_open(txn, "nodes", &l->nodes)) != 0 ||
	    (rc = table_open(txn, "zones", &zones)) != 0 ||
	    (rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &l->meta)) != 0 ||
	    (rc = mdb_dbi_open(txn, LMDB_LOG_NAME, MDB_CREATE | MDB_INTEGERKEY, &log)) != 0) {
		return rc;
	}
	l->zones.last = zones.last;
	return lmdb_zones_load(&l->zones, txn, zones.dbi, log);
}

/* A number and, from format 2 on, its complement: one that is damaged does not pass for another
 * format. */
static int format_read(struct bytes value, uint32_t *found)
{
	if ((value.len != 4 && value.len != 8) ||
	    (value.len == 8 && load_u32(value.at) != ~load_u32(value.at + 4))) {
		return MDB_CORRUPTED;
	}
	*found = load_u32(value.at);
	return *found == FORMAT_VERSION ? 0 : MDB_VERSION_MISMATCH;
}

static int format_write(struct journal_lmdb *l, MDB_txn *txn)
{
	uint8_t octets[8];
	MDB_val key = { sizeof(FORMAT_KEY) - 1, FORMAT_KEY };
	MDB_val value = { sizeof(octets), octets };

	store_u32(octets, FORMAT_VERSION);
	store_u32(octets + 4, ~(uint32_t)FORMAT_VERSION);
	return mdb_put(txn, l->meta, &key, &value, 0);
}

/* Checks the format, or writes it into a new database. `*found` is what stands there. */
static int format_check(struct journal_lmdb *l, MDB_txn *txn, uint32_t *found)
{
	MDB_val key = { sizeof(FORMAT_KEY) - 1, FORMAT_KEY };
	MDB_val value;
	int rc = mdb_get(txn, l->meta, &key, &value);

	if (rc == 0) {
		return format_read(bytes_of(value.mv_data, value.mv_size), found);
	}
	if (rc != MDB_NOTFOUND) {
		return rc;
	}
	*found = FORMAT_VERSION;
	return format_write(l, txn);
}

static void env_close(struct journal_lmdb *l)
{
	if (l->read != NULL) {
		mdb_txn_abort(l->read);
	}
	if (l->env != NULL) {
		mdb_env_close(l->env);
	}
	l->env = NULL;
	l->read = NULL;
	l->reading = false;
}

/* Opens the environment; `*format` is the format found, where it got that far. */
static int env_open(struct journal_lmdb *l, uint32_t *format)
{
	MDB_txn *txn = NULL;
	int rc;

	*format = 0;
	if ((rc = mdb_env_create(&l->env)) != 0) {
		l->env = NULL;
		return rc;
	}
	if ((rc = mdb_env_set_maxdbs(l->env, TABLES_MAX)) != 0 ||
	    (rc = mdb_env_set_mapsize(l->env, l->map_bytes)) != 0 ||
	    (rc = mdb_env_open(l->env, l->path, MDB_NOTLS, FILE_MODE)) != 0 ||
	    (rc = walk_file(l->env, &l->map_bytes)) != 0 ||
	    (rc = mdb_txn_begin(l->env, NULL, 0, &txn)) != 0) {
		env_close(l);
		return rc;
	}
	if ((rc = tables_open(l, txn)) != 0 || (rc = format_check(l, txn, format)) != 0) {
		mdb_txn_abort(txn);
		env_close(l);
		return rc;
	}
	rc = mdb_txn_commit(txn); /* writes nothing if nothing was made */
	if (rc != 0) {
		env_close(l);
	}
	return rc;
}

static enum err open_failed(struct journal_lmdb *l, int rc, uint32_t format, struct why why)
{
	enum err e = err_from_lmdb(l, rc);

	if (rc == MDB_VERSION_MISMATCH && format != 0) {
		snprintf(why.text, why.cap,
		         "database %s has format %u, this program knows format %u", l->path,
		         (unsigned)format, FORMAT_VERSION);
		return ERR_DISK;
	}
	if (rc == EWOULDBLOCK) {
		snprintf(why.text, why.cap, "database %s is in use by another process", l->path);
		return ERR_BUSY;
	}
	if (e == ERR_STORE_CORRUPT) {
		snprintf(why.text, why.cap,
		         "database %s is damaged (%s); move it away to have all zones fetched "
		         "again",
		         l->path, mdb_strerror(rc));
		return e;
	}
	snprintf(why.text, why.cap, "database %s cannot be opened: %s", l->path, mdb_strerror(rc));
	return e;
}

/* ---- transactions ---- */

static void read_end(struct journal_lmdb *l)
{
	if (l->reading && !l->scanning) {
		mdb_txn_reset(l->read);
		l->reading = false;
	}
}

static int read_begin(struct journal_lmdb *l)
{
	uint32_t format;
	int rc;

	assert(l->write == NULL);
	read_end(l);
	if (l->reading) {
		return 0; /* inside of a scan: its transaction serves */
	}
	if (l->env == NULL && (rc = env_open(l, &format)) != 0) {
		return rc;
	}
	rc = l->read == NULL ? mdb_txn_begin(l->env, NULL, MDB_RDONLY, &l->read)
	                     : mdb_txn_renew(l->read);
	l->reading = rc == 0;
	if (rc == 0 && (rc = lmdb_zones_refresh(&l->zones, l->read)) != 0) {
		read_end(l);
	}
	return rc;
}

/* Maps the file anew. Pages of it that were read no longer count as this process's memory; the
 * system keeps those that it has room for. No transaction is open. */
static int map_set(struct journal_lmdb *l, uint64_t want)
{
	int rc = mdb_env_set_mapsize(l->env, want);

	if (rc == 0) {
		l->map_bytes = want;
		l->touched = 0;
		l->zones.touched = 0;
	}
	return rc;
}

/* Lets go of the map if much of it may have been touched. No transaction is open. */
static void map_forget(struct journal_lmdb *l)
{
	if (l->touched + l->zones.touched >= TOUCHED_MAX && map_set(l, l->map_bytes) != 0) {
		env_close(l); /* the next begin() opens it again */
	}
}

/* Grows the map if the next transaction may not fit. No transaction is open. */
static int map_make_room(struct journal_lmdb *l)
{
	MDB_envinfo info;
	MDB_stat stat_out;
	uint64_t used;
	uint64_t want = l->map_bytes;
	int rc;

	if ((rc = mdb_env_info(l->env, &info)) != 0 ||
	    (rc = mdb_env_stat(l->env, &stat_out)) != 0) {
		return rc;
	}
	used = ((uint64_t)info.me_last_pgno + 1) * stat_out.ms_psize;
	while ((l->grow || want < used + HEADROOM_BYTES) && want < l->map_max_bytes) {
		want = min_u64(want + min_u64(want, MAP_STEP_BYTES), l->map_max_bytes);
		l->grow = false;
	}
	l->grow = false;
	return want == l->map_bytes ? 0 : map_set(l, want);
}

static enum err lmdb_begin(struct journal *j)
{
	struct journal_lmdb *l = lmdb_of(j);
	uint32_t format;
	int dead;
	int rc;

	assert(l->write == NULL && !l->scanning);
	read_end(l);
	if (l->env == NULL && (rc = env_open(l, &format)) != 0) {
		return err_from_lmdb(l, rc);
	}
	/* A check that was killed keeps no page from reuse. */
	if ((rc = mdb_reader_check(l->env, &dead)) != 0 || (rc = map_make_room(l)) != 0) {
		return err_from_lmdb(l, rc);
	}
	rc = mdb_txn_begin(l->env, NULL, 0, &l->write);
	if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(l->env, 0)) == 0) {
		/* A tool of the operator made the map larger: adopt its size. */
		rc = mdb_txn_begin(l->env, NULL, 0, &l->write);
	}
	if (rc == 0 && (rc = lmdb_zones_begin(&l->zones, l->write)) != 0) {
		mdb_txn_abort(l->write);
	}
	if (rc != 0) {
		l->write = NULL;
		env_close(l);
		return err_from_lmdb(l, rc);
	}
	l->nodes.last_before = l->nodes.last;
	l->touched += TOUCHED_ENDS;
	lmdb_written_begin(&l->written);
	return ERR_OK;
}

/* The end of the map: asks for the transaction again if the map may still grow. */
static enum err write_failed(struct journal_lmdb *l, int rc)
{
	enum err e;

	if (rc == MDB_MAP_FULL && l->map_bytes < l->map_max_bytes) {
		l->grow = true;
		return ERR_BUSY;
	}
	e = err_from_lmdb(l, rc);
	l->full |= e == ERR_DISK_FULL;
	return e;
}

/* Nothing was put after all. */
static void tables_undo(struct journal_lmdb *l)
{
	l->nodes.last = l->nodes.last_before;
	lmdb_zones_undo(&l->zones);
}

/* Pages that a transaction frees are used by the second one after it, and one that finds no room does
 * not count. So once there was none, another one follows that writes next to nothing. */
static void pages_age(struct journal_lmdb *l)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(l->env, NULL, 0, &txn);

	if (rc != 0) {
		return;
	}
	if ((rc = format_write(l, txn)) != 0) {
		mdb_txn_abort(txn);
	} else if ((rc = mdb_txn_commit(txn)) != 0) {
		env_close(l);
	}
	l->full = rc != 0;
}

static void lmdb_abort(struct journal *j)
{
	struct journal_lmdb *l = lmdb_of(j);

	assert(l->write != NULL);
	mdb_txn_abort(l->write);
	l->write = NULL;
	tables_undo(l);
}

static enum err lmdb_commit(struct journal *j)
{
	struct journal_lmdb *l = lmdb_of(j);
	int rc;

	assert(l->write != NULL);
	/* What can wait takes no room while there is none. */
	if ((rc = lmdb_zones_end(&l->zones, l->write, !l->full)) != 0) {
		lmdb_abort(j);
		return write_failed(l, rc);
	}
	rc = mdb_txn_commit(l->write);
	lmdb_written_look(&l->written);
	l->write = NULL;
	if (rc != 0) {
		enum err e = write_failed(l, rc);
		tables_undo(l);
		env_close(l);
		return e;
	}
	l->commits++;
	if (l->full) {
		pages_age(l);
	}
	if (l->env != NULL) {
		map_forget(l);
	}
	return ERR_OK;
}

/* ---- tables ---- */

static enum err table_put(struct journal_lmdb *l, MDB_dbi dbi, MDB_val key, struct bytes value,
                          unsigned flags)
{
	MDB_val v = { value.len, (void *)(uintptr_t)value.at }; /* LMDB only reads it */
	int rc;

	assert(l->write != NULL);
	l->touched += flags != MDB_APPEND; /* that writes to pages that are not the map's */
	rc = mdb_put(l->write, dbi, &key, &v, flags);
	return rc == 0 ? ERR_OK : write_failed(l, rc);
}

static enum err number_put(struct journal_lmdb *l, struct table *t, uint64_t number,
                           struct bytes value)
{
	MDB_val key = { sizeof(number), &number };

	if (number <= t->last) {
		return table_put(l, t->dbi, key, value, 0);
	}
	TRY(table_put(l, t->dbi, key, value, MDB_APPEND));
	t->last = number;
	return ERR_OK;
}

static enum err number_drop(struct journal_lmdb *l, MDB_dbi dbi, uint64_t number)
{
	MDB_val key = { sizeof(number), &number };
	int rc;

	assert(l->write != NULL);
	l->touched++;
	rc = mdb_del(l->write, dbi, &key, NULL);
	return rc == 0 || rc == MDB_NOTFOUND ? ERR_OK : write_failed(l, rc);
}

static enum err table_get(struct journal_lmdb *l, MDB_dbi dbi, MDB_val key, struct bytes *out)
{
	MDB_val value;
	int rc = read_begin(l);

	l->touched++;
	if (rc == 0) {
		rc = mdb_get(l->read, dbi, &key, &value);
	}
	if (rc == 0) {
		*out = bytes_of(value.mv_data, value.mv_size);
	}
	return err_from_lmdb(l, rc);
}

static enum err table_scan(struct journal_lmdb *l, MDB_dbi dbi, journal_visit visit, void *self)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	enum err e = ERR_OK;
	struct walk walk = { 0 };
	bool zones = dbi == l->zones.dbi;
	int rc;

	assert(!l->scanning);
	if ((rc = read_begin(l)) != 0 || (rc = walk_begin(&walk, l->read, dbi)) != 0 ||
	    (rc = mdb_cursor_open(l->read, dbi, &cursor)) != 0) {
		return err_from_lmdb(l, rc);
	}
	l->scanning = true;
	rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
	while (rc == 0 && e == ERR_OK) {
		if ((rc = walk_next(&walk, &key)) != 0 ||
		    (zones &&
		     (rc = lmdb_zones_value(&l->zones, l->read, walk.last, &value)) != 0)) {
			break;
		}
		l->touched++;
		e = visit(self, walk.last, bytes_of(value.mv_data, value.mv_size));
		rc = e == ERR_OK ? mdb_cursor_get(cursor, &key, &value, MDB_NEXT) : 0;
	}
	if (rc == MDB_NOTFOUND && walk.left != 0) {
		rc = MDB_CORRUPTED;
	}
	mdb_cursor_close(cursor);
	l->scanning = false;
	read_end(l);
	(void)map_set(l, l->map_bytes); /* the whole table was read: see there */
	return e != ERR_OK || rc == MDB_NOTFOUND ? e : err_from_lmdb(l, rc);
}

static enum err lmdb_put_node(struct journal *j, uint64_t seq, struct bytes value)
{
	return number_put(lmdb_of(j), &lmdb_of(j)->nodes, seq, value);
}

static enum err lmdb_drop_node(struct journal *j, uint64_t seq)
{
	return number_drop(lmdb_of(j), lmdb_of(j)->nodes.dbi, seq);
}

static enum err lmdb_get_node(struct journal *j, uint64_t seq, struct bytes *out)
{
	return table_get(lmdb_of(j), lmdb_of(j)->nodes.dbi, (MDB_val){ sizeof(seq), &seq }, out);
}

static enum err lmdb_put_zone(struct journal *j, uint64_t number, struct bytes value)
{
	struct journal_lmdb *l = lmdb_of(j);
	int rc;

	assert(l->write != NULL);
	rc = lmdb_zones_put(&l->zones, l->write, number, value);
	return rc == 0 ? ERR_OK : write_failed(l, rc);
}

static enum err lmdb_drop_zone(struct journal *j, uint64_t number)
{
	struct journal_lmdb *l = lmdb_of(j);
	int rc;

	assert(l->write != NULL);
	rc = lmdb_zones_drop(&l->zones, l->write, number);
	return rc == 0 ? ERR_OK : write_failed(l, rc);
}

static enum err lmdb_get_zone(struct journal *j, uint64_t number, struct bytes *out)
{
	struct journal_lmdb *l = lmdb_of(j);
	MDB_val value;

	TRY(table_get(l, l->zones.dbi, (MDB_val){ sizeof(number), &number }, out));
	value = (MDB_val){ out->len, (void *)(uintptr_t)out->at };
	TRY(err_from_lmdb(l, lmdb_zones_value(&l->zones, l->read, number, &value)));
	*out = bytes_of(value.mv_data, value.mv_size);
	return ERR_OK;
}

static MDB_val name_key(const char *name)
{
	return (MDB_val){ strlen(name), (void *)(uintptr_t)name };
}

static enum err lmdb_put_meta(struct journal *j, const char *name, struct bytes value)
{
	return table_put(lmdb_of(j), lmdb_of(j)->meta, name_key(name), value, 0);
}

static enum err lmdb_get_meta(struct journal *j, const char *name, struct bytes *out)
{
	return table_get(lmdb_of(j), lmdb_of(j)->meta, name_key(name), out);
}

static enum err lmdb_scan_nodes(struct journal *j, journal_visit visit, void *self)
{
	return table_scan(lmdb_of(j), lmdb_of(j)->nodes.dbi, visit, self);
}

static enum err lmdb_scan_zones(struct journal *j, journal_visit visit, void *self)
{
	return table_scan(lmdb_of(j), lmdb_of(j)->zones.dbi, visit, self);
}

static enum err table_range(struct journal_lmdb *l, MDB_dbi dbi, struct journal_range *out)
{
	int rc = read_begin(l);

	if (rc == 0) {
		rc = lmdb_table_range(l->read, dbi, out);
	}
	read_end(l);
	return err_from_lmdb(l, rc);
}

static enum err lmdb_zones_range(struct journal *j, struct journal_range *out)
{
	return table_range(lmdb_of(j), lmdb_of(j)->zones.dbi, out);
}

static enum err lmdb_nodes_range(struct journal *j, struct journal_range *out)
{
	return table_range(lmdb_of(j), lmdb_of(j)->nodes.dbi, out);
}

static enum err lmdb_reader_new(struct journal *j, struct journal_reader **out)
{
	struct journal_lmdb *l = lmdb_of(j);
	uint32_t format;

	assert(l->write == NULL && !l->scanning);
	if (l->env == NULL) {
		TRY(err_from_lmdb(l, env_open(l, &format)));
	}
	if (l->zones.undone) {
		TRY(err_from_lmdb(l, read_begin(l)));
		read_end(l);
	}
	return err_from_lmdb(l, lmdb_read_new(l->env, l->nodes.dbi, &l->zones, out));
}

static void lmdb_stats(struct journal *j, struct journal_stats *out)
{
	struct journal_lmdb *l = lmdb_of(j);
	const MDB_dbi tables[] = { LMDB_FREE_TABLE, LMDB_MAIN_TABLE, l->nodes.dbi,
		                   l->zones.dbi,    l->meta,         l->zones.log.dbi };
	MDB_envinfo info;
	MDB_stat s = { 0 };

	*out = (struct journal_stats){ .commits = l->commits,
		                       .limit_bytes = l->map_max_bytes,
		                       .written_bytes = l->written.bytes };
	if (read_begin(l) != 0) {
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		if (mdb_stat(l->read, tables[i], &s) == 0) {
			out->used_bytes +=
				s.ms_psize * (uint64_t)(s.ms_branch_pages + s.ms_leaf_pages +
			                                s.ms_overflow_pages);
		}
	}
	if (mdb_env_info(l->env, &info) == 0) {
		out->size_bytes = ((uint64_t)info.me_last_pgno + 1) * s.ms_psize;
	}
	read_end(l);
}

static void lmdb_free(struct journal *j)
{
	struct journal_lmdb *l = lmdb_of(j);

	assert(l->write == NULL);
	env_close(l);
	lmdb_zones_fini(&l->zones);
	lmdb_written_fini(&l->written);
	if (l->lock_fd >= 0) {
		if (l->guarded) {
			guard_unmark(l->path); /* under the lock: an end in order */
		}
		close(l->lock_fd);
	}
	free(l);
}

static void lmdb_loaded(struct journal *j)
{
	struct journal_lmdb *l = lmdb_of(j);

	if (l->guarded) {
		guard_unmark(l->path);
	}
	read_end(l);
	if (l->env != NULL) {
		map_forget(l);
	}
}

static enum err lmdb_reset(struct journal *j, char *where, size_t where_cap)
{
	struct journal_lmdb *l = lmdb_of(j);
	uint32_t format;

	assert(l->write == NULL && !l->scanning);
	if (!l->guarded) {
		return ERR_STORE_CORRUPT;
	}
	env_close(l);
	TRY(guard_set_aside(l->path, env_wall_s(l->env_of_time), where, where_cap));
	l->nodes = (struct table){ 0 };
	lmdb_zones_fini(&l->zones);
	/* If it cannot be made now, the next begin() tries again. */
	(void)env_open(l, &format);
	guard_sync(l->path);
	return ERR_OK;
}

static const struct journal_ops lmdb_ops = {
	.begin = lmdb_begin,
	.commit = lmdb_commit,
	.abort = lmdb_abort,
	.put_node = lmdb_put_node,
	.drop_node = lmdb_drop_node,
	.get_node = lmdb_get_node,
	.put_zone = lmdb_put_zone,
	.drop_zone = lmdb_drop_zone,
	.get_zone = lmdb_get_zone,
	.put_meta = lmdb_put_meta,
	.get_meta = lmdb_get_meta,
	.scan_nodes = lmdb_scan_nodes,
	.scan_zones = lmdb_scan_zones,
	.zones_range = lmdb_zones_range,
	.nodes_range = lmdb_nodes_range,
	.reader_new = lmdb_reader_new,
	.loaded = lmdb_loaded,
	.reset = lmdb_reset,
	.stats = lmdb_stats,
	.free = lmdb_free,
};

/* Opens the database, after a look at it if the last start died. One that is damaged is set aside
 * if that is wanted. */
static int open_guarded(struct journal_lmdb *l, const struct journal_lmdb_options *options,
                        uint32_t *format, struct why why)
{
	bool died = guard_marked(l->path);
	int rc;

	guard_mark(l->path);
	if (died && options->check(options->check_self, l->path) == ERR_STORE_CORRUPT) {
		rc = MDB_CORRUPTED;
	} else if ((rc = env_open(l, format)) == 0) {
		rc = walk_free_pages(l->env);
	}
	if (rc == MDB_VERSION_MISMATCH && *format == 0 && guard_versions_differ(l->path)) {
		rc = MDB_CORRUPTED;
	}
	if (err_from_lmdb(l, rc) != ERR_STORE_CORRUPT || rc == MDB_VERSION_MISMATCH) {
		return rc;
	}
	env_close(l);
	if (guard_set_aside(l->path, env_wall_s(options->env), why.text, why.cap) != ERR_OK) {
		return rc;
	}
	l->nodes = (struct table){ 0 };
	lmdb_zones_fini(&l->zones);
	return env_open(l, format);
}

enum err journal_lmdb_new(const struct journal_lmdb_options *options, struct journal **out,
                          char *why, size_t why_cap)
{
	size_t len = strlen(options->path);
	struct journal_lmdb *l = mem_zero(1, sizeof(*l) + len + 1);
	uint64_t max = options->size_max_bytes;
	uint64_t start = options->size_start_bytes;
	struct why w = { why, why_cap };
	uint32_t format = 0;
	int rc;

	assert(options->check == NULL || options->env != NULL);
	memcpy(l->path, options->path, len + 1);
	l->journal.ops = &lmdb_ops;
	l->lock_fd = -1;
	lmdb_written_init(&l->written);
	l->guarded = options->check != NULL;
	l->env_of_time = options->env;
	l->zones.log.most = options->log_most;
	l->map_max_bytes = max != 0 ? max : JOURNAL_MAX_BYTES;
	l->map_bytes = min_u64(start != 0 ? start : JOURNAL_START_BYTES, l->map_max_bytes);
	if (why_cap > 0) {
		why[0] = '\0';
	}
	if ((rc = guard_folder(l->path)) == 0 && (rc = lock_take(l)) == 0) {
		rc = l->guarded ? open_guarded(l, options, &format, w) : env_open(l, &format);
	}
	if (rc != 0) {
		enum err e = open_failed(l, rc, format, w);
		if (rc == EWOULDBLOCK) {
			l->guarded = false; /* the mark is that of the process that has it */
		}
		lmdb_free(&l->journal);
		return e;
	}
	guard_sync(l->path);
	*out = &l->journal;
	return ERR_OK;
}

enum err journal_lmdb_check(const char *path)
{
	size_t len = strlen(path);
	struct journal_lmdb *l = mem_zero(1, sizeof(*l) + len + 1);
	enum err e;
	int rc;

	memcpy(l->path, path, len + 1);
	if ((rc = mdb_env_create(&l->env)) == 0) {
		/* Whoever asked holds the lock. Written is nothing but the missing end of a file. */
		if ((rc = mdb_env_set_maxdbs(l->env, TABLES_MAX)) == 0 &&
		    (rc = mdb_env_open(l->env, path, MDB_NOTLS | MDB_NOLOCK, FILE_MODE)) == 0 &&
		    (rc = walk_file(l->env, &l->map_bytes)) == 0 &&
		    (rc = walk_free_pages(l->env)) == 0) {
			rc = walk_tables(l->env);
		}
		mdb_env_close(l->env);
	}
	e = rc == MDB_VERSION_MISMATCH ? ERR_DISK : err_from_lmdb(l, rc);
	free(l);
	return e;
}
