/* SPDX-License-Identifier: MIT
 *
 * dns/rr.c — resource records: from messages, and whole lines of presentation form. */
#include "dns/rdata_p.h"

enum err rr_read(struct reader *r, struct rr_scratch *scratch, struct rr *out)
{
	uint16_t len;

	TRY(name_read(r, &scratch->owner));
	if (!reader_u16(r, &out->type) || !reader_u16(r, &out->class) ||
	    !reader_u32(r, &out->ttl) || !reader_u16(r, &len)) {
		return ERR_WIRE_SHORT;
	}
	out->owner = name_of(&scratch->owner);
	if (out->ttl > TTL_MAX && out->type != TYPE_OPT) {
		out->ttl = 0; /* RFC 2181 §8 */
	}
	const struct layout *l = layout_in(out->type, out->class);
	if (l != NULL && (l->flags & LAYOUT_UNPACK) != 0) {
		struct writer w = writer_of(scratch->rdata, sizeof(scratch->rdata));
		TRY(rdata_read(r, out->type, len, &w));
		out->rdata = writer_bytes(&w);
		return ERR_OK;
	}
	if (!reader_take(r, len, &out->rdata)) {
		return ERR_WIRE_SHORT;
	}
	return layout_check(l, out->rdata);
}

enum err soa_view(struct bytes rdata, struct soa *out)
{
	TRY(name_view(rdata, &out->mname));
	rdata = bytes_of(rdata.at + out->mname.len, rdata.len - out->mname.len);
	TRY(name_view(rdata, &out->rname));
	struct reader r = { rdata, out->rname.len };
	if (!reader_u32(&r, &out->serial) || !reader_u32(&r, &out->refresh_s) ||
	    !reader_u32(&r, &out->retry_s) || !reader_u32(&r, &out->expire_s) ||
	    !reader_u32(&r, &out->minimum_s) || reader_left(&r) != 0) {
		return ERR_WIRE_RDATA;
	}
	return ERR_OK;
}

static bool print_rdata(const struct rr *rr, struct writer *out)
{
	return layout_in(rr->type, rr->class) == NULL ? generic_print(rr->rdata, out)
	                                              : rdata_print(rr->type, rr->rdata, out);
}

bool rr_print(const struct rr *rr, struct writer *out)
{
	char class[TYPE_TEXT_MAX];
	char type[TYPE_TEXT_MAX];
	size_t keep = out->len;
	struct printer p = { .out = out, .start = 0 };

	if (name_print(rr->owner, out) && writer_u8(out, '\t')) {
		p.start = out->len;
		if (print_number(&p, rr->ttl) && writer_u8(out, '\t') &&
		    writer_str(out, class_print(rr->class, class)) && writer_u8(out, '\t') &&
		    writer_str(out, type_print(rr->type, type)) && writer_u8(out, '\t') &&
		    print_rdata(rr, out) && writer_u8(out, '\n')) {
			return true;
		}
	}
	out->len = keep;
	return false;
}

/* Reads TTL and class, both optional and in either order, and the type (RFC 1035 §5.1). No mnemonic
 * begins with a digit; ANY is taken for the class if none came before. */
static enum err head_parse(struct parser *p, struct rr *out)
{
	bool has_ttl = false;
	bool has_class = false;
	struct token t;

	while (token_next(p, &t) && !t.quoted) {
		if (!has_ttl && period_parse(t.text, &out->ttl)) {
			has_ttl = true;
		} else if (!has_class && class_parse(t.text, &out->class) == ERR_OK) {
			has_class = true;
		} else {
			return type_parse(t.text, &out->type);
		}
	}
	return ERR_TEXT;
}

enum err rr_parse(struct bytes line, const struct name *origin, uint32_t default_ttl,
                  struct rr_scratch *scratch, struct rr *out)
{
	struct parser p = { .text = line };
	struct writer w = writer_of(scratch->rdata, sizeof(scratch->rdata));
	struct token owner;

	if (!token_next(&p, &owner) || owner.quoted) {
		return ERR_TEXT;
	}
	TRY(name_parse(owner.text, origin, &scratch->owner));
	*out = (struct rr){ .owner = name_of(&scratch->owner),
		            .class = CLASS_IN,
		            .ttl = default_ttl };
	TRY(head_parse(&p, out));
	if (out->ttl > TTL_MAX) {
		return ERR_TEXT;
	}
	TRY(rdata_parse_in(layout_in(out->type, out->class),
	                   bytes_of(line.at + p.pos, line.len - p.pos), origin, &w));
	out->rdata = writer_bytes(&w);
	return ERR_OK;
}
