/* SPDX-License-Identifier: MIT
 *
 * zonestore/snapshot_codec.c — the record of a version, without its nodes.
 *
 *	format (1)  flags (1): origin (2 bits), what is as in the record before, what there is
 *	[apex length (1)  apex]  serial (4)  [source serial (4)]  [SOA TTL (4)  its length (2)  SOA]
 *	root id (16; zeros: no tree)  [id of the NSEC3 root (16)]  records  bytes  received at  [added  deleted]
 *	[primary: family (1)  port (2)  address (4 or 16)]
 *
 * Counts and times are varints; integers are big-endian. A record that stands alone leaves nothing
 * to the one before. */
#include "zonestore/snapshot_p.h"
#include "zonestore/stored_p.h"
#include "zonestore/varint_p.h"

#define SNAPSHOT_FORMAT 2

#define FLAG_ORIGIN     0x03U
#define FLAG_LIKE_APEX  0x04U /* these are as in the record before */
#define FLAG_LIKE_SOA   0x08U
#define FLAG_LIKE_FROM  0x10U
#define FLAG_OWN_SERIAL 0x20U /* the source serial is another */
#define FLAG_NSEC3      0x40U
#define FLAG_COUNTED    0x80U

static unsigned flags_of(const struct snapshot *snap, const struct snapshot *like)
{
	unsigned flags = snap->origin;

	flags |= snap->roots[1].n != 0 ? FLAG_NSEC3 : 0;
	flags |= snap->counted ? FLAG_COUNTED : 0;
	flags |= serial_equal(snap->serial, snap->source_serial) ? 0 : FLAG_OWN_SERIAL;
	if (like != NULL) {
		flags |= like->soa.n == snap->soa.n ? FLAG_LIKE_SOA : 0;
		flags |= like->primary.n == snap->primary.n ? FLAG_LIKE_FROM : 0;
		flags |= bytes_equal(bytes_of(like->apex, like->apex_len),
		                     bytes_of(snap->apex, snap->apex_len))
		                 ? FLAG_LIKE_APEX
		                 : 0;
	}
	return flags;
}

static void soa_put(const struct snapshot *snap, struct buffer *out)
{
	const uint8_t *soa = pool_body(snapshot_pool(snap), snap->soa);

	buffer_u32(out, body_ttl(soa));
	buffer_u16(out, (uint16_t)body_rdatas(soa).len);
	buffer_put(out, body_rdatas(soa));
}

static size_t address_len(uint8_t family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

/* What is stored of a primary is its family, port and room for any address. */
static void from_put(const struct snapshot *snap, struct buffer *out)
{
	struct bytes from = body_rdatas(pool_body(snapshot_pool(snap), snap->primary));

	buffer_put(out, bytes_of(from.at, 3 + address_len(from.at[0])));
}

static void root_put(const struct snapshot *snap, unsigned i, struct buffer *out)
{
	struct id id = { 0 };

	if (snap->roots[i].n != 0) {
		id = *node_id(snapshot_pool(snap), snap->roots[i]);
	}
	buffer_put(out, bytes_of(id.octets, sizeof(id.octets)));
}

void snapshot_encode_after(const struct snapshot *snap, const struct snapshot *like,
                           struct buffer *out)
{
	unsigned flags = flags_of(snap, like);

	buffer_u8(out, SNAPSHOT_FORMAT);
	buffer_u8(out, (uint8_t)flags);
	if ((flags & FLAG_LIKE_APEX) == 0) {
		buffer_u8(out, snap->apex_len);
		buffer_put(out, bytes_of(snap->apex, snap->apex_len));
	}
	buffer_u32(out, snap->serial.n);
	if ((flags & FLAG_OWN_SERIAL) != 0) {
		buffer_u32(out, snap->source_serial.n);
	}
	if ((flags & FLAG_LIKE_SOA) == 0) {
		soa_put(snap, out);
	}
	root_put(snap, 0, out);
	if ((flags & FLAG_NSEC3) != 0) {
		root_put(snap, 1, out);
	}
	buffer_varint(out, snap->records);
	buffer_varint(out, snap->bytes);
	buffer_varint(out, snap->received_at_s);
	if ((flags & FLAG_COUNTED) != 0) {
		buffer_varint(out, snapshot_counts(snap).added);
		buffer_varint(out, snapshot_counts(snap).deleted);
	}
	if ((flags & FLAG_LIKE_FROM) == 0) {
		from_put(snap, out);
	}
}

void snapshot_encode(const struct snapshot *snap, struct buffer *out)
{
	snapshot_encode_after(snap, NULL, out);
}

/* ---- reading ---- */

static bool apex_read(struct reader *r, struct name *out)
{
	struct bytes apex;
	uint8_t len;

	return reader_u8(r, &len) && reader_take(r, len, &apex) && name_view(apex, out) == ERR_OK &&
	       out->len == len;
}

static bool soa_read(struct reader *r, struct snapshot_record *out)
{
	uint16_t len;

	return reader_u32(r, &out->soa_ttl) && reader_u16(r, &len) &&
	       reader_take(r, len, &out->soa) && out->soa_ttl <= TTL_MAX &&
	       stored_check(TYPE_SOA, out->soa) && soa_stored_serial(out->soa).n == 0;
}

static bool from_read(struct reader *r, struct addr *out)
{
	struct bytes ip;

	*out = (struct addr){ 0 };
	if (!reader_u8(r, &out->family) || !reader_u16(r, &out->port) ||
	    !reader_take(r, address_len(out->family), &ip)) {
		return false;
	}
	if (ip.len > 0) {
		memcpy(out->ip, ip.at, ip.len);
	}
	return out->family == 0 || out->family == 4 || out->family == 6;
}

static bool id_read(struct reader *r, struct id *out)
{
	struct bytes octets;

	if (!reader_take(r, sizeof(out->octets), &octets)) {
		return false;
	}
	memcpy(out->octets, octets.at, octets.len);
	return true;
}

static bool count_read(struct reader *r, uint32_t *out)
{
	uint64_t v;

	if (!reader_varint(r, &v) || v > UINT32_MAX) {
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

/* What is said in words that depend on the record before. */
static bool head_read(struct reader *r, unsigned flags, struct snapshot_record *out)
{
	struct snapshot_parts *p = &out->parts;

	if (((flags & FLAG_LIKE_APEX) == 0 && !apex_read(r, &p->apex)) ||
	    !reader_u32(r, &p->serial.n)) {
		return false;
	}
	p->source_serial = p->serial;
	if ((flags & FLAG_OWN_SERIAL) != 0 && !reader_u32(r, &p->source_serial.n)) {
		return false;
	}
	return (flags & FLAG_LIKE_SOA) != 0 || soa_read(r, out);
}

static bool facts_read(struct reader *r, unsigned flags, struct snapshot_record *out)
{
	struct snapshot_parts *p = &out->parts;
	uint64_t received;

	p->counted = (flags & FLAG_COUNTED) != 0;
	if (!id_read(r, &out->roots[0]) ||
	    ((flags & FLAG_NSEC3) != 0 && !id_read(r, &out->roots[1])) ||
	    !count_read(r, &p->records) || !reader_varint(r, &p->bytes) ||
	    !reader_varint(r, &received) ||
	    (p->counted &&
	     (!count_read(r, &p->counts.added) || !count_read(r, &p->counts.deleted)))) {
		return false;
	}
	p->received_at_s = (int64_t)received;
	return p->records >= SNAPSHOT_RECORDS_MIN && p->bytes <= SNAPSHOT_BYTES_MAX;
}

enum err snapshot_record_read(struct bytes octets, const struct snapshot_record *before,
                              struct snapshot_record *out)
{
	const unsigned like = FLAG_LIKE_APEX | FLAG_LIKE_SOA | FLAG_LIKE_FROM;
	struct reader r = reader_of(octets);
	struct snapshot_record record = { 0 };
	uint8_t format;
	uint8_t flags;

	if (!reader_u8(&r, &format) || format != SNAPSHOT_FORMAT || !reader_u8(&r, &flags) ||
	    (flags & FLAG_ORIGIN) == 0 || ((flags & like) != 0 && before == NULL)) {
		return ERR_STORE_CORRUPT;
	}
	if (before != NULL) {
		record.parts.apex = before->parts.apex;
		record.parts.primary = before->parts.primary;
		record.soa_ttl = before->soa_ttl;
		record.soa = before->soa;
	}
	record.parts.origin = flags & FLAG_ORIGIN;
	record.like_soa = (flags & FLAG_LIKE_SOA) != 0;
	record.like_from = (flags & FLAG_LIKE_FROM) != 0;
	if (!head_read(&r, flags, &record) || !facts_read(&r, flags, &record) ||
	    (!record.like_from && !from_read(&r, &record.parts.primary)) || reader_left(&r) > 0) {
		return ERR_STORE_CORRUPT;
	}
	*out = record;
	return ERR_OK;
}

enum err snapshot_root_ids(struct bytes octets, struct id out[static 2])
{
	struct snapshot_record record;

	TRY(snapshot_record_read(octets, NULL, &record));
	out[0] = record.roots[0];
	out[1] = record.roots[1];
	return ERR_OK;
}

/* ---- making ---- */

static bool root_fits(const struct pool *pool, struct node_handle root, const struct id *want)
{
	static const struct id none;

	return id_equal(want, root.n == 0 ? &none : node_id(pool, root));
}

enum err snapshot_record_make(struct pool *pool, const struct snapshot_record *record,
                              const struct node_handle roots[static 2], const struct snapshot *like,
                              struct snapshot **out)
{
	struct snapshot_parts parts = record->parts;

	if (!root_fits(pool, roots[0], &record->roots[0]) ||
	    !root_fits(pool, roots[1], &record->roots[1])) {
		return ERR_STORE_CORRUPT;
	}
	if (like != NULL && record->like_soa) {
		parts.soa = like->soa;
		pool_body_ref(pool, parts.soa);
	} else {
		parts.soa = soa_intern(pool, record->soa_ttl, record->soa);
	}
	if (!snapshot_names_fit(pool, roots, parts.soa, parts.apex.len)) {
		pool_body_unref(pool, parts.soa);
		return ERR_STORE_CORRUPT;
	}
	if (like != NULL && record->like_from) {
		parts.from = like->primary;
		pool_body_ref(pool, parts.from);
	}
	parts.roots[0] = node_ref(pool, roots[0]);
	parts.roots[1] = node_ref(pool, roots[1]);
	*out = snapshot_new(pool, &parts);
	return ERR_OK;
}

enum err snapshot_decode(struct pool *pool, struct bytes octets,
                         const struct node_handle roots[static 2], struct snapshot **out)
{
	struct snapshot_record record;

	TRY(snapshot_record_read(octets, NULL, &record));
	return snapshot_record_make(pool, &record, roots, NULL, out);
}
