/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_zones.c — records of zones, wherever they stand. */
#include "zonestore/lmdb_zones_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define KNOWN_MOST (1U << 26) /* numbers that there are bits for: 8 MB */

/* ---- what the table is known to have ---- */

static bool known_get(const struct lmdb_zones *z, uint64_t number)
{
	size_t word = (size_t)(number / 64);

	return word < z->known_words && (z->known[word] >> number % 64 & 1) != 0;
}

static void known_set(struct lmdb_zones *z, uint64_t number, bool known)
{
	size_t word = (size_t)(number / 64);
	size_t words = z->known_words;

	if (number >= KNOWN_MOST || (word >= words && !known)) {
		return;
	}
	if (word >= words) {
		z->known_words = word + word / 4 + 16;
		z->known = mem_grow(z->known, z->known_words * sizeof(*z->known));
		memset(z->known + words, 0, (z->known_words - words) * sizeof(*z->known));
	}
	z->known[word] &= ~(1ULL << number % 64);
	z->known[word] |= (uint64_t)known << number % 64;
}

static void known_forget(struct lmdb_zones *z)
{
	free(z->known);
	z->known = NULL;
	z->known_words = 0;
}

/* Has the table a record of that zone, be it an old one? */
static int zone_is_there(struct lmdb_zones *z, MDB_txn *txn, uint64_t number, bool *is)
{
	MDB_val key = { sizeof(number), &number };
	MDB_val value;
	int rc;

	*is = number <= z->last && known_get(z, number);
	if (number > z->last || *is) {
		return 0;
	}
	z->touched++;
	rc = mdb_get(txn, z->dbi, &key, &value);
	*is = rc == 0;
	known_set(z, number, *is);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* ---- life ---- */

void lmdb_zones_fini(struct lmdb_zones *z)
{
	lmdb_log_fini(&z->log);
	known_forget(z);
	*z = (struct lmdb_zones){ .log = z->log };
}

int lmdb_zones_load(struct lmdb_zones *z, MDB_txn *txn, MDB_dbi dbi, MDB_dbi log)
{
	int rc;

	z->dbi = dbi;
	known_forget(z);
	rc = lmdb_log_load(&z->log, txn, log, dbi);
	z->undone = rc != 0;
	z->touched += z->log.touched;
	return rc != 0 ? rc : lmdb_hot_load(txn, dbi, &z->hot);
}

int lmdb_zones_refresh(struct lmdb_zones *z, MDB_txn *txn)
{
	int rc = z->undone ? lmdb_log_load(&z->log, txn, z->log.dbi, z->dbi) : 0;

	z->undone = rc != 0;
	return rc;
}

int lmdb_zones_begin(struct lmdb_zones *z, MDB_txn *txn)
{
	z->shared = false;
	z->waiting_count = 0;
	z->last_before = z->last;
	z->hot_before = z->hot;
	return lmdb_zones_refresh(z, txn);
}

void lmdb_zones_undo(struct lmdb_zones *z)
{
	z->last = z->last_before;
	z->hot = z->hot_before;
	z->undone = true;
	known_forget(z);
}

/* ---- records ---- */

static int table_put(struct lmdb_zones *z, MDB_txn *txn, uint64_t number, struct bytes value)
{
	MDB_val key = { sizeof(number), &number };
	MDB_val v = { value.len, (void *)(uintptr_t)value.at }; /* LMDB only reads it */
	bool new = number > z->last;
	int rc = mdb_put(txn, z->dbi, &key, &v, new ? MDB_APPEND : 0);

	if (rc != 0) {
		return rc;
	}
	z->touched += !new; /* appending writes to pages that are not the map's */
	z->last = new ? number : z->last;
	known_set(z, number, true);
	return 0;
}

/* ---- what waits ---- */

/* Of a zone that is neither in the log nor beside the roots any more, or again. */
static void waiting_drop(struct lmdb_zones *z, uint64_t number)
{
	for (unsigned i = 0; i < z->waiting_count; i++) {
		if (z->waiting[i].number == number) {
			z->waiting[i] = z->waiting[--z->waiting_count];
			return;
		}
	}
}

static bool waiting_add(struct lmdb_zones *z, uint64_t number, struct bytes value)
{
	struct zone_waiting *w = &z->waiting[z->waiting_count];

	if (z->shared || z->waiting_count == LMDB_ZONES_ALONE || value.len > sizeof(w->octets) ||
	    lmdb_log_has(&z->log, number)) {
		return false;
	}
	w->number = number;
	w->len = value.len;
	memcpy(w->octets, value.at, value.len);
	z->waiting_count++;
	return true;
}

/* Puts the record of a zone that the table has already into the log; `*put` is false if it is too
 * long for that. */
static int log_put(struct lmdb_zones *z, MDB_txn *txn, uint64_t number, struct bytes value,
                   bool *put)
{
	int rc = lmdb_hot_drop(&z->hot, txn, number);

	*put = value.len <= LMDB_LOG_VALUE_MAX;
	if (rc != 0 || (!*put && !lmdb_log_has(&z->log, number))) {
		return rc;
	}
	return lmdb_log_put(&z->log, txn, number, *put ? value : (struct bytes){ 0 });
}

/* Those that waited are not alone. */
static int waiting_share(struct lmdb_zones *z, MDB_txn *txn)
{
	bool put;
	int rc = 0;

	z->shared = true;
	while (rc == 0 && z->waiting_count > 0) {
		struct zone_waiting *w = &z->waiting[--z->waiting_count];
		rc = log_put(z, txn, w->number, bytes_of(w->octets, w->len), &put);
	}
	return rc;
}

int lmdb_zones_end(struct lmdb_zones *z, MDB_txn *txn, bool tend)
{
	int rc = 0;

	/* Those that are there leave first: none may go into the log while a newer one waits. */
	for (unsigned i = 0; rc == 0 && i < z->waiting_count; i++) {
		rc = lmdb_hot_drop(&z->hot, txn, z->waiting[i].number);
	}
	for (unsigned i = 0; rc == 0 && i < z->waiting_count; i++) {
		struct zone_waiting *w = &z->waiting[i];
		rc = lmdb_hot_put(&z->hot, txn, w->number, bytes_of(w->octets, w->len), &z->log);
	}
	z->waiting_count = 0;
	z->log.touched = 0;
	rc = rc == 0 && tend ? lmdb_log_tend(&z->log, txn) : rc;
	z->touched += z->log.touched;
	return rc;
}

/* ---- putting and dropping ---- */

int lmdb_zones_put(struct lmdb_zones *z, MDB_txn *txn, uint64_t number, struct bytes value)
{
	bool put = false;
	bool is;
	int rc;

	waiting_drop(z, number);
	rc = zone_is_there(z, txn, number, &is);
	if (rc != 0 || !is) {
		return rc != 0 ? rc : table_put(z, txn, number, value);
	}
	if (waiting_add(z, number, value)) {
		return 0;
	}
	if (!z->shared) {
		rc = waiting_share(z, txn);
	}
	if (rc == 0) {
		rc = log_put(z, txn, number, value, &put);
	}
	return rc != 0 || put ? rc : table_put(z, txn, number, value);
}

int lmdb_zones_drop(struct lmdb_zones *z, MDB_txn *txn, uint64_t number)
{
	MDB_val key = { sizeof(number), &number };
	int rc;

	waiting_drop(z, number);
	rc = lmdb_hot_drop(&z->hot, txn, number);
	if (rc == 0 && lmdb_log_has(&z->log, number)) {
		rc = lmdb_log_put(&z->log, txn, number, (struct bytes){ 0 });
	}
	if (rc != 0) {
		return rc;
	}
	z->touched++;
	known_set(z, number, false);
	rc = mdb_del(txn, z->dbi, &key, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int lmdb_zones_value(const struct lmdb_zones *z, MDB_txn *txn, uint64_t number, MDB_val *value)
{
	int rc = z->hot.count == 0 ? 0 : lmdb_hot_value(txn, number, value);

	return rc == 0 ? lmdb_log_value(&z->log, txn, number, value) : rc;
}
