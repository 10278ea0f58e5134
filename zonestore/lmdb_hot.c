/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_hot.c — records of zones beside the roots of LMDB's tables. */
#include "zonestore/lmdb_hot_p.h"

#include "zonestore/lmdb_walk_p.h"

#define PREFIX     "hot"
#define PREFIX_LEN 3U
#define KEY_LEN    (PREFIX_LEN + 8U)
#define NODE_BYTES 12U /* of LMDB, for each, with padding */

struct hot_key {
	uint8_t octets[KEY_LEN];
};

static struct hot_key key_of(uint64_t number)
{
	struct hot_key key;

	memcpy(key.octets, PREFIX, PREFIX_LEN);
	store_u64(key.octets + PREFIX_LEN, number);
	return key;
}

static size_t bytes_in_page(size_t len)
{
	return KEY_LEN + NODE_BYTES + len;
}

/* Is there a record in the table that this one is newer than? */
static int hot_check(MDB_txn *txn, MDB_dbi zones, uint64_t number, MDB_val value)
{
	MDB_val key = { sizeof(number), &number };
	MDB_val older;
	int rc;

	if (value.mv_size > LMDB_HOT_VALUE_MAX) {
		return MDB_CORRUPTED;
	}
	rc = mdb_get(txn, zones, &key, &older);
	return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
}

static int main_key_check(struct bytes before, MDB_val key)
{
	struct bytes now = bytes_of(key.mv_data, key.mv_size);

	return now.len == 0 || bytes_compare(before, now) >= 0 ? MDB_CORRUPTED : 0;
}

static int hot_visit(MDB_txn *txn, struct lmdb_hot *hot, MDB_val key, MDB_val value)
{
	const uint8_t *octets = key.mv_data;
	uint64_t number;

	if (key.mv_size != KEY_LEN || memcmp(octets, PREFIX, PREFIX_LEN) != 0) {
		return 0; /* a root */
	}
	if (hot->count == LMDB_HOT_MAX) {
		return MDB_CORRUPTED;
	}
	number = load_u64(octets + PREFIX_LEN);
	hot->at[hot->count].number = number;
	hot->at[hot->count].bytes = bytes_in_page(value.mv_size);
	hot->count++;
	return hot_check(txn, hot->zones, number, value);
}

/* A record that was lost would go unnoticed, as an older one is in the table: so all keys are looked
 * at, and there are as many as there should be. */
int lmdb_hot_load(MDB_txn *txn, MDB_dbi zones, struct lmdb_hot *hot)
{
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	struct bytes before = { 0 };
	size_t count = 0;
	MDB_stat s;
	int rc;

	*hot = (struct lmdb_hot){ .zones = zones };
	if ((rc = mdb_stat(txn, LMDB_MAIN_TABLE, &s)) != 0 ||
	    (rc = mdb_cursor_open(txn, LMDB_MAIN_TABLE, &cursor)) != 0) {
		return rc;
	}
	while (count <= s.ms_entries &&
	       (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0 &&
	       (rc = main_key_check(before, key)) == 0 &&
	       (rc = hot_visit(txn, hot, key, value)) == 0) {
		before = bytes_of(key.mv_data, key.mv_size);
		count++;
	}
	mdb_cursor_close(cursor);
	if (rc != 0 && rc != MDB_NOTFOUND) {
		return rc;
	}
	return count == s.ms_entries && count == LMDB_TABLES + hot->count ? 0 : MDB_CORRUPTED;
}

static unsigned hot_index(const struct lmdb_hot *hot, uint64_t number)
{
	unsigned i = 0;

	while (i < hot->count && hot->at[i].number != number) {
		i++;
	}
	return i;
}

static size_t hot_bytes(const struct lmdb_hot *hot)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < hot->count; i++) {
		bytes += hot->at[i].bytes;
	}
	return bytes;
}

static int hot_delete(struct lmdb_hot *hot, MDB_txn *txn, unsigned index)
{
	struct hot_key octets = key_of(hot->at[index].number);
	MDB_val key = { KEY_LEN, octets.octets };
	int rc = mdb_del(txn, LMDB_MAIN_TABLE, &key, NULL);

	if (rc != 0) {
		return rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	}
	hot->count--;
	memmove(&hot->at[index], &hot->at[index + 1], (hot->count - index) * sizeof(hot->at[0]));
	return 0;
}

/* Moves the oldest record into the log. */
static int hot_leave(struct lmdb_hot *hot, MDB_txn *txn, struct lmdb_log *log)
{
	uint64_t number = hot->at[0].number;
	struct hot_key octets = key_of(number);
	MDB_val key = { KEY_LEN, octets.octets };
	uint8_t copy[LMDB_HOT_VALUE_MAX];
	MDB_val value;
	int rc = mdb_get(txn, LMDB_MAIN_TABLE, &key, &value);

	if (rc != 0 || value.mv_size > sizeof(copy)) {
		return rc == 0 || rc == MDB_NOTFOUND ? MDB_CORRUPTED : rc;
	}
	memcpy(copy, value.mv_data, value.mv_size); /* pages move when one is written */
	if ((rc = lmdb_log_put(log, txn, number, bytes_of(copy, value.mv_size))) != 0) {
		return rc;
	}
	return hot_delete(hot, txn, 0);
}

static int hot_add(struct lmdb_hot *hot, MDB_txn *txn, uint64_t number, struct bytes value)
{
	struct hot_key octets = key_of(number);
	MDB_val key = { KEY_LEN, octets.octets };
	MDB_val v = { value.len, (void *)(uintptr_t)value.at }; /* LMDB only reads it */
	int rc = mdb_put(txn, LMDB_MAIN_TABLE, &key, &v, 0);

	if (rc == 0) {
		hot->at[hot->count].number = number;
		hot->at[hot->count].bytes = bytes_in_page(value.len);
		hot->count++;
	}
	return rc;
}

int lmdb_hot_drop(struct lmdb_hot *hot, MDB_txn *txn, uint64_t number)
{
	unsigned index = hot_index(hot, number);

	return index == hot->count ? 0 : hot_delete(hot, txn, index);
}

int lmdb_hot_put(struct lmdb_hot *hot, MDB_txn *txn, uint64_t number, struct bytes value,
                 struct lmdb_log *log)
{
	int rc = lmdb_hot_drop(hot, txn, number); /* it becomes the youngest */

	assert(value.len <= LMDB_HOT_VALUE_MAX);
	while (rc == 0 && hot->count > 0 &&
	       (hot->count == LMDB_HOT_MAX ||
	        hot_bytes(hot) + bytes_in_page(value.len) > LMDB_HOT_BYTES)) {
		rc = hot_leave(hot, txn, log);
	}
	return rc == 0 ? hot_add(hot, txn, number, value) : rc;
}

int lmdb_hot_value(MDB_txn *txn, uint64_t number, MDB_val *value)
{
	struct hot_key octets = key_of(number);
	MDB_val key = { KEY_LEN, octets.octets };
	MDB_val newer;
	int rc = mdb_get(txn, LMDB_MAIN_TABLE, &key, &newer);

	if (rc == 0) {
		*value = newer;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}
