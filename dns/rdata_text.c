/* SPDX-License-Identifier: MIT
 *
 * dns/rdata_text.c — walks over a layout: print and parse; and the generic form of RFC 3597 §5. */
#include "base/codec.h"
#include "dns/rdata_p.h"

/* Types of which some rdata has no presentation form of its own. */
#define TYPE_LOC      29
#define TYPE_ATMA     34
#define TYPE_APL      42
#define TYPE_AMTRELAY 260

#define APL_AFI_MAX        2
#define ATMA_FORMAT_MAX    1
#define AMTRELAY_KIND_MAX  3
#define AMTRELAY_KIND_MASK 0x7f

static bool apl_is_foreign(struct bytes rdata)
{
	struct reader r = reader_of(rdata);
	struct bytes address;
	uint16_t afi;
	uint8_t prefix, len;

	while (reader_u16(&r, &afi) && reader_u8(&r, &prefix) && reader_u8(&r, &len) &&
	       reader_take(&r, len & 0x7f, &address)) {
		if (afi == 0 || afi > APL_AFI_MAX) {
			return true;
		}
	}
	return false;
}

/* Checked rdata that only the generic form can say: versions and address families to come. */
static bool rdata_is_foreign(uint16_t type, struct bytes rdata)
{
	switch (type) {
	case TYPE_LOC:
		return rdata.len > 0 && rdata.at[0] != 0;
	case TYPE_ATMA:
		return rdata.len > 0 && rdata.at[0] > ATMA_FORMAT_MAX;
	case TYPE_APL:
		return apl_is_foreign(rdata);
	case TYPE_AMTRELAY:
		return rdata.len > 1 && (rdata.at[1] & AMTRELAY_KIND_MASK) > AMTRELAY_KIND_MAX;
	default:
		return false;
	}
}

bool generic_print(struct bytes rdata, struct writer *out)
{
	struct printer p = { reader_of(rdata), out, out->len };
	size_t keep = out->len;

	if (print_word(&p, "\\#") && print_number(&p, rdata.len) &&
	    (rdata.len == 0 || (print_gap(&p) && base16_encode(rdata, out)))) {
		return true;
	}
	out->len = keep;
	return false;
}

bool rdata_print(uint16_t type, struct bytes rdata, struct writer *out)
{
	const struct layout *l = layout_of(type);
	struct printer p = { reader_of(rdata), out, out->len };

	if (l == NULL || rdata_is_foreign(type, rdata)) {
		return generic_print(rdata, out);
	}
	for (const uint8_t *f = l->fields; *f != FIELD_END; f++) {
		if (!field_kinds[*f].print(&p)) {
			out->len = p.start;
			return false;
		}
	}
	return true;
}

/* True and past it if the text begins with the word `\#`. */
static bool generic_begins(struct parser *p)
{
	size_t keep = p->pos;
	struct token t;

	if (token_next(p, &t) && !t.quoted && text_is(t.text, "\\#")) {
		return true;
	}
	p->pos = keep;
	return false;
}

static enum err generic_parse(struct parser *p)
{
	uint32_t len;

	TRY(parse_number(p, RDATA_MAX_LEN, &len));
	TRY(parse_octets(p, base16_decode));
	return p->out->len - p->start == len ? ERR_OK : ERR_TEXT;
}

static enum err layout_parse(const struct layout *l, struct parser *p)
{
	if (l == NULL) {
		return ERR_TEXT;
	}
	for (const uint8_t *f = l->fields; *f != FIELD_END; f++) {
		TRY(field_kinds[*f].parse(p));
	}
	return ERR_OK;
}

static bool text_is_read(const struct parser *p)
{
	for (size_t i = p->pos; i < p->text.len; i++) {
		if (strchr(" \t\r\n", p->text.at[i]) == NULL || p->text.at[i] == '\0') {
			return false;
		}
	}
	return true;
}

enum err rdata_parse_in(const struct layout *l, struct bytes text, const struct name *origin,
                        struct writer *out)
{
	struct parser p = { text, 0, origin, out, out->len };
	enum err e = generic_begins(&p) ? generic_parse(&p) : layout_parse(l, &p);

	if (e == ERR_OK && !text_is_read(&p)) {
		e = ERR_TEXT;
	}
	if (e == ERR_OK &&
	    layout_check(l, bytes_of(out->at + p.start, out->len - p.start)) != ERR_OK) {
		e = ERR_TEXT;
	}
	if (e != ERR_OK) {
		out->len = p.start;
	}
	return e;
}

enum err rdata_parse(uint16_t type, struct bytes text, const struct name *origin,
                     struct writer *out)
{
	return rdata_parse_in(layout_of(type), text, origin, out);
}
