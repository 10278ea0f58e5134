/* SPDX-License-Identifier: MIT
 *
 * zonestore/snapshot_codec.c — the record of a version, without its nodes.
 *
 *	format (1)  origin (1)  apex length (1)  apex  serial (4)  SOA TTL (4)  SOA length (2)  SOA
 *	root ids (16, 16)  records (4)  bytes (8)  received at (8)  primary: family (1) port (2)
 *	address (16) */
#include "zonestore/snapshot_p.h"
#include "zonestore/stored_p.h"

#define SNAPSHOT_FORMAT 1

static void root_put(const struct snapshot *snap, unsigned i, struct buffer *out)
{
	struct id id = { 0 };

	if (snap->roots[i].n != 0) {
		id = *node_id(snap->pool, snap->roots[i]);
	}
	buffer_put(out, bytes_of(id.octets, sizeof(id.octets)));
}

void snapshot_encode(const struct snapshot *snap, struct buffer *out)
{
	const uint8_t *soa = pool_body(snap->pool, snap->soa);

	buffer_u8(out, SNAPSHOT_FORMAT);
	buffer_u8(out, snap->origin);
	buffer_u8(out, snap->apex_len);
	buffer_put(out, bytes_of(snap->apex, snap->apex_len));
	buffer_u32(out, snap->serial.n);
	buffer_u32(out, body_ttl(soa));
	buffer_u16(out, (uint16_t)body_rdatas(soa).len);
	buffer_put(out, body_rdatas(soa));
	root_put(snap, 0, out);
	root_put(snap, 1, out);
	buffer_u32(out, snap->records);
	buffer_u64(out, snap->bytes);
	buffer_u64(out, (uint64_t)snap->received_at_s);
	buffer_put(out, body_rdatas(pool_body(snap->pool, snap->primary)));
}

/* A record being read; views into the octets. */
struct snapshot_input {
	struct snapshot_parts parts;
	struct id roots[2];
	uint32_t soa_ttl;
	struct bytes soa;
};

static bool primary_read(struct reader *r, struct addr *out)
{
	struct bytes ip;

	*out = (struct addr){ 0 };
	if (!reader_u8(r, &out->family) || !reader_u16(r, &out->port) ||
	    !reader_take(r, sizeof(out->ip), &ip)) {
		return false;
	}
	memcpy(out->ip, ip.at, ip.len);
	return out->family == 0 || out->family == 4 || out->family == 6;
}

static bool head_read(struct reader *r, struct snapshot_input *in)
{
	struct bytes apex;
	uint16_t soa_len;
	uint8_t format;
	uint8_t origin;
	uint8_t len;

	if (!reader_u8(r, &format) || format != SNAPSHOT_FORMAT || !reader_u8(r, &origin) ||
	    (origin != SNAPSHOT_BY_AXFR && origin != SNAPSHOT_BY_IXFR) || !reader_u8(r, &len) ||
	    !reader_take(r, len, &apex) || !reader_u32(r, &in->parts.serial.n) ||
	    !reader_u32(r, &in->soa_ttl) || !reader_u16(r, &soa_len) ||
	    !reader_take(r, soa_len, &in->soa)) {
		return false;
	}
	in->parts.origin = origin;
	return name_view(apex, &in->parts.apex) == ERR_OK && in->parts.apex.len == len &&
	       in->soa_ttl <= TTL_MAX && stored_check(TYPE_SOA, in->soa) &&
	       soa_stored_serial(in->soa).n == 0;
}

static enum err snapshot_read(struct bytes octets, struct snapshot_input *in)
{
	struct reader r = reader_of(octets);
	struct bytes ids[2];
	uint64_t received;

	*in = (struct snapshot_input){ 0 };
	if (!head_read(&r, in) || !reader_take(&r, sizeof(struct id), &ids[0]) ||
	    !reader_take(&r, sizeof(struct id), &ids[1]) || !reader_u32(&r, &in->parts.records) ||
	    !reader_u64(&r, &in->parts.bytes) || !reader_u64(&r, &received) ||
	    !primary_read(&r, &in->parts.primary) || reader_left(&r) > 0 ||
	    in->parts.records < SNAPSHOT_RECORDS_MIN || in->parts.bytes > SNAPSHOT_BYTES_MAX) {
		return ERR_STORE_CORRUPT;
	}
	in->parts.received_at_s = (int64_t)received;
	memcpy(in->roots[0].octets, ids[0].at, sizeof(struct id));
	memcpy(in->roots[1].octets, ids[1].at, sizeof(struct id));
	return ERR_OK;
}

enum err snapshot_root_ids(struct bytes octets, struct id out[static 2])
{
	struct snapshot_input in;

	TRY(snapshot_read(octets, &in));
	out[0] = in.roots[0];
	out[1] = in.roots[1];
	return ERR_OK;
}

static bool root_fits(const struct pool *pool, struct node_handle root, const struct id *want)
{
	static const struct id none;

	return id_equal(want, root.n == 0 ? &none : node_id(pool, root));
}

enum err snapshot_decode(struct pool *pool, struct bytes octets,
                         const struct node_handle roots[static 2], struct snapshot **out)
{
	struct snapshot_input in;

	TRY(snapshot_read(octets, &in));
	if (!root_fits(pool, roots[0], &in.roots[0]) || !root_fits(pool, roots[1], &in.roots[1])) {
		return ERR_STORE_CORRUPT;
	}
	in.parts.soa = soa_intern(pool, in.soa_ttl, in.soa);
	if (!snapshot_names_fit(pool, roots, in.parts.soa, in.parts.apex.len)) {
		pool_body_unref(pool, in.parts.soa);
		return ERR_STORE_CORRUPT;
	}
	in.parts.roots[0] = node_ref(pool, roots[0]);
	in.parts.roots[1] = node_ref(pool, roots[1]);
	*out = snapshot_new(pool, &in.parts);
	return ERR_OK;
}
