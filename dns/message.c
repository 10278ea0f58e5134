/* SPDX-License-Identifier: MIT
 *
 * dns/message.c — reading messages: header, question, and what stands at their end. */
#include "dns/message.h"

#define OPT_DO 0x8000U /* RFC 6891 §6.1.4 */

enum err header_read(struct reader *r, struct header *out)
{
	struct bytes b;

	if (!reader_take(r, MESSAGE_HEADER_LEN, &b)) {
		return ERR_WIRE_SHORT;
	}
	*out = (struct header){
		.id = load_u16(b.at),
		.flags = load_u16(b.at + 2),
		.qdcount = load_u16(b.at + 4),
		.ancount = load_u16(b.at + 6),
		.nscount = load_u16(b.at + 8),
		.arcount = load_u16(b.at + 10),
	};
	return ERR_OK;
}

enum err question_read(struct reader *r, struct question *out)
{
	TRY(name_read(r, &out->name));
	if (!reader_u16(r, &out->type) || !reader_u16(r, &out->class)) {
		return ERR_WIRE_SHORT;
	}
	return ERR_OK;
}

/* The fixed part of a record and its rdata, neither decompressed nor checked. */
struct record {
	size_t at; /* offset of the owner */
	bool root; /* the owner is the root */
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	struct bytes rdata;
};

static inline enum err record_skip(struct reader *r, struct record *out)
{
	struct bytes fixed;

	out->at = r->pos;
	TRY(name_skip(r));
	out->root = r->pos - out->at == 1;
	if (!reader_take(r, 10, &fixed)) {
		return ERR_WIRE_SHORT;
	}
	out->type = load_u16(fixed.at);
	out->class = load_u16(fixed.at + 2);
	out->ttl = load_u32(fixed.at + 4);
	return reader_take(r, load_u16(fixed.at + 8), &out->rdata) ? ERR_OK : ERR_WIRE_SHORT;
}

/* RFC 6891 §6.1.2: options are (code, length, octets) up to the end of the rdata. */
static enum err edns_options_check(struct bytes options)
{
	struct reader r = reader_of(options);

	while (reader_left(&r) > 0) {
		uint16_t code, len;
		struct bytes value;

		if (!reader_u16(&r, &code) || !reader_u16(&r, &len) ||
		    !reader_take(&r, len, &value)) {
			return ERR_WIRE_RDATA;
		}
	}
	return ERR_OK;
}

static enum err edns_view(const struct record *opt, struct edns *out)
{
	if (out->present || !opt->root) {
		return ERR_WIRE_TSIG; /* RFC 6891 §6.1.1: one OPT, of the root */
	}
	*out = (struct edns){
		.present = true,
		.version = (uint8_t)(opt->ttl >> 16),
		.extended_rcode = (uint8_t)(opt->ttl >> 24),
		.dnssec_ok = (opt->ttl & OPT_DO) != 0,
		.udp_size = opt->class,
		.options = opt->rdata,
	};
	return edns_options_check(opt->rdata);
}

/* Takes one record: `additional` says whether it stands in that section, `last` whether no other
 * follows. */
static enum err message_tail_take(const struct record *record, bool additional, bool last,
                                  struct message_tail *out)
{
	if (record->type == TYPE_OPT) {
		return additional ? edns_view(record, &out->edns) : ERR_WIRE_TSIG;
	}
	if (record->type == TYPE_TSIG) {
		if (!additional || !last) {
			return ERR_WIRE_TSIG; /* RFC 8945 §5.1: the last additional record */
		}
		out->tsig_at = record->at;
	}
	return ERR_OK;
}

enum err message_tail_read(const struct reader *after_question, const struct header *h,
                           struct message_tail *out)
{
	struct reader r = *after_question;
	uint32_t before = (uint32_t)h->ancount + h->nscount;
	uint32_t count = before + h->arcount;

	*out = (struct message_tail){ 0 };
	for (uint32_t i = 0; i < count; i++) {
		struct record record;

		TRY(record_skip(&r, &record));
		if (record.type == TYPE_OPT || record.type == TYPE_TSIG) {
			TRY(message_tail_take(&record, i >= before, i + 1 == count, out));
		}
	}
	return reader_left(&r) == 0 ? ERR_OK : ERR_WIRE_TRAILING;
}
