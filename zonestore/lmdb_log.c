/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_log.c — records of zones in the order in which they came. */
#include "zonestore/lmdb_log_p.h"

#include <stdlib.h>

#include "base/arena.h"

#define HEAD_LEN     16U   /* the zone's number and its complement */
#define PAGE_LEAST   2U    /* entries that a page has at least */
#define SLOTS_LEAST  64U   /* of the index */
#define MOVE_LEAST   16U   /* zones moved with a transaction that appends any ... */
#define MOVE_EACH    2U    /* ... and so many for each that it appends */
#define REMOVE_LEAST 1024U /* entries removed with one, many at a time: they share pages ... */
#define REMOVE_EACH  4U    /* ... and at least so many for each appended */

/* ---- the index ---- */

static size_t slot_home(const struct lmdb_log *log, uint64_t number)
{
	return (size_t)(number * 0x9E3779B97F4A7C15ULL >> 32) & (log->slot_count - 1);
}

/* The slot of a zone, or the free one where it would be. There is one. */
static struct log_slot *slot_of(const struct lmdb_log *log, uint64_t number)
{
	size_t at = slot_home(log, number);

	while (log->slots[at].entry != 0 && log->slots[at].number != number) {
		at = (at + 1) & (log->slot_count - 1);
	}
	return &log->slots[at];
}

static void slots_grow(struct lmdb_log *log)
{
	struct log_slot *before = log->slots;
	size_t count = log->slot_count;

	log->slot_count = count == 0 ? SLOTS_LEAST : 2 * count;
	log->slots = mem_zero(log->slot_count, sizeof(*log->slots));
	for (size_t i = 0; i < count; i++) {
		if (before[i].entry != 0) {
			*slot_of(log, before[i].number) = before[i];
		}
	}
	free(before);
}

static void slot_set(struct lmdb_log *log, uint64_t number, uint64_t entry)
{
	struct log_slot *slot;

	if (2 * log->used >= log->slot_count) {
		slots_grow(log);
	}
	slot = slot_of(log, number);
	log->used += slot->entry == 0;
	*slot = (struct log_slot){ number, entry };
}

/* Frees a slot; those behind it that it kept from their homes move up. */
static void slot_clear(struct lmdb_log *log, struct log_slot *slot)
{
	size_t mask = log->slot_count - 1;
	size_t hole = (size_t)(slot - log->slots);

	for (size_t at = (hole + 1) & mask; log->slots[at].entry != 0; at = (at + 1) & mask) {
		size_t home = slot_home(log, log->slots[at].number);
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			log->slots[hole] = log->slots[at];
			hole = at;
		}
	}
	log->slots[hole].entry = 0;
	log->used--;
}

/* The newest entry of a zone; 0: it has none. */
static uint64_t entry_of(const struct lmdb_log *log, uint64_t number)
{
	return log->used == 0 ? 0 : slot_of(log, number)->entry;
}

bool lmdb_log_has(const struct lmdb_log *log, uint64_t number)
{
	return entry_of(log, number) != 0;
}

/* ---- entries ---- */

static int entry_read(MDB_val value, uint64_t *number, MDB_val *record)
{
	uint8_t *octets = value.mv_data;

	if (value.mv_size < HEAD_LEN || value.mv_size > HEAD_LEN + LMDB_LOG_VALUE_MAX) {
		return MDB_CORRUPTED;
	}
	*number = load_u64(octets);
	*record = (MDB_val){ value.mv_size - HEAD_LEN, octets + HEAD_LEN };
	return load_u64(octets + 8) == ~*number ? 0 : MDB_CORRUPTED;
}

static int entry_get(const struct lmdb_log *log, MDB_txn *txn, uint64_t entry, uint64_t number,
                     MDB_val *record)
{
	MDB_val key = { sizeof(entry), &entry };
	uint64_t found;
	MDB_val value;
	int rc = mdb_get(txn, log->dbi, &key, &value);

	if (rc == 0) {
		rc = entry_read(value, &found, record);
	}
	if (rc == MDB_NOTFOUND || (rc == 0 && found != number)) {
		return MDB_CORRUPTED;
	}
	return rc;
}

int lmdb_log_value(const struct lmdb_log *log, MDB_txn *txn, uint64_t number, MDB_val *value)
{
	uint64_t entry = entry_of(log, number);
	MDB_val record;
	int rc;

	if (entry == 0) {
		return 0;
	}
	rc = entry_get(log, txn, entry, number, &record);
	if (rc == 0 && record.mv_size > 0) {
		*value = record;
	}
	return rc;
}

int lmdb_log_put(struct lmdb_log *log, MDB_txn *txn, uint64_t number, struct bytes value)
{
	uint64_t entry = log->next;
	MDB_val key = { sizeof(entry), &entry };
	MDB_val room = { HEAD_LEN + value.len, NULL };
	int rc;

	assert(value.len <= LMDB_LOG_VALUE_MAX);
	rc = mdb_put(txn, log->dbi, &key, &room, MDB_APPEND | MDB_RESERVE);
	if (rc != 0) {
		return rc;
	}
	store_u64(room.mv_data, number);
	store_u64((uint8_t *)room.mv_data + 8, ~number);
	if (value.len > 0) {
		memcpy((uint8_t *)room.mv_data + HEAD_LEN, value.at, value.len);
	}
	slot_set(log, number, entry);
	log->next++;
	log->appended++;
	return 0;
}

/* ---- loading ---- */

void lmdb_log_fini(struct lmdb_log *log)
{
	free(log->slots);
	free(log->moving);
	*log = (struct lmdb_log){ .most = log->most };
}

static int load_entry(struct lmdb_log *log, MDB_val key, MDB_val value)
{
	uint64_t entry;
	uint64_t number;
	MDB_val record;
	int rc = entry_read(value, &number, &record);

	if (rc != 0 || key.mv_size != sizeof(entry)) {
		return MDB_CORRUPTED;
	}
	memcpy(&entry, key.mv_data, sizeof(entry));
	if (log->first == log->next) {
		log->first = entry;
		log->next = entry;
	}
	if (entry == 0 || entry == UINT64_MAX || entry != log->next) {
		return MDB_CORRUPTED;
	}
	slot_set(log, number, entry);
	log->next++;
	return 0;
}

/* An entry that was lost would go unnoticed, as there are older ones: so all are looked at. */
int lmdb_log_load(struct lmdb_log *log, MDB_txn *txn, MDB_dbi dbi, MDB_dbi zones)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	MDB_stat s;
	int rc;

	lmdb_log_fini(log);
	log->dbi = dbi;
	log->zones = zones;
	log->first = 1;
	log->next = 1;
	if ((rc = mdb_stat(txn, dbi, &s)) != 0 || (rc = mdb_cursor_open(txn, dbi, &cursor)) != 0) {
		return rc;
	}
	while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 &&
	       (rc = load_entry(log, key, value)) == 0) {
	}
	mdb_cursor_close(cursor);
	log->touched = (log->next - log->first) / PAGE_LEAST;
	if (rc != MDB_NOTFOUND) {
		return rc;
	}
	return log->next - log->first == s.ms_entries ? 0 : MDB_CORRUPTED;
}

/* ---- moving ---- */

static int number_compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return (*x > *y) - (*x < *y);
}

/* All zones that have entries now. */
static void moving_begin(struct lmdb_log *log)
{
	log->moving = mem_grow(log->moving, log->used * sizeof(*log->moving));
	log->moving_count = 0;
	log->moving_at = 0;
	log->moving_end = log->next;
	for (size_t i = 0; i < log->slot_count; i++) {
		if (log->slots[i].entry != 0) {
			log->moving[log->moving_count++] = log->slots[i].number;
		}
	}
	qsort(log->moving, log->moving_count, sizeof(*log->moving), number_compare);
}

/* Moves a zone's newest record, unless a newer one came meanwhile, which is moved next time. */
static int move_one(struct lmdb_log *log, MDB_txn *txn, MDB_cursor *zones, uint64_t number)
{
	uint64_t entry = entry_of(log, number);
	MDB_val key = { sizeof(number), &number };
	uint8_t copy[LMDB_LOG_VALUE_MAX];
	MDB_val record;
	int rc;

	if (entry >= log->moving_end) {
		return 0;
	}
	rc = entry_get(log, txn, entry, number, &record);
	if (rc != 0 || record.mv_size == 0) {
		return rc; /* the table has it, or nobody */
	}
	log->touched += 2;
	memcpy(copy, record.mv_data, record.mv_size); /* pages move when one is written */
	record.mv_data = copy;
	return mdb_cursor_put(zones, &key, &record, 0);
}

static int move_some(struct lmdb_log *log, MDB_txn *txn, size_t most)
{
	MDB_cursor *zones;
	int rc = mdb_cursor_open(txn, log->zones, &zones);

	if (rc != 0) {
		return rc;
	}
	for (; rc == 0 && most > 0 && log->moving_at < log->moving_count; most--) {
		rc = move_one(log, txn, zones, log->moving[log->moving_at++]);
	}
	mdb_cursor_close(zones);
	if (log->moving_at == log->moving_count) {
		log->moving_count = 0;
		log->moving_at = 0;
		log->moved_below = log->moving_end;
	}
	return rc;
}

/* Removes entries from the front whose zones' records are in the table, or in newer entries. */
static int remove_some(struct lmdb_log *log, MDB_txn *txn, size_t most)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	MDB_val record;
	uint64_t number;
	int rc = mdb_cursor_open(txn, log->dbi, &cursor);

	if (rc != 0) {
		return rc;
	}
	for (; most > 0 && log->first < log->moved_below; most--) {
		if ((rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST)) != 0 ||
		    (rc = entry_read(value, &number, &record)) != 0 ||
		    (rc = mdb_cursor_del(cursor, 0)) != 0) {
			break;
		}
		if (entry_of(log, number) == log->first) {
			slot_clear(log, slot_of(log, number));
		}
		log->first++;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

int lmdb_log_tend(struct lmdb_log *log, MDB_txn *txn)
{
	size_t appended = log->appended;

	log->appended = 0;
	if (appended == 0) {
		return 0; /* nothing grows */
	}
	if (log->first < log->moved_below) {
		return remove_some(log, txn, REMOVE_LEAST + REMOVE_EACH * appended);
	}
	if (log->moving_count > 0) {
		return move_some(log, txn, MOVE_LEAST + MOVE_EACH * appended);
	}
	if (log->next - log->first >= (log->most == 0 ? LMDB_LOG_MOST : log->most)) {
		moving_begin(log);
	}
	return 0;
}
