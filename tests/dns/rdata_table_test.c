/* SPDX-License-Identifier: MIT */
#include "dns/rdata_p.h"
#include "tests/test.h"

static uint8_t flags_of(const struct layout *l)
{
	uint8_t flags = 0;

	for (const uint8_t *f = l->fields; *f != FIELD_END; f++) {
		flags |= *f == FIELD_NAME_PACKED ? LAYOUT_PACKED : 0;
		flags |= *f == FIELD_NAME_PACKED || *f == FIELD_NAME_OLD ? LAYOUT_UNPACK : 0;
		flags |= *f == FIELD_NAME_PACKED || *f == FIELD_NAME_OLD ||
		                         *f == FIELD_NAME_CASELESS || *f == FIELD_A6
		                 ? LAYOUT_CASELESS
		                 : 0;
	}
	return flags;
}

TEST(rdata_table, flags_say_what_the_fields_are)
{
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		const struct layout *l = layout_of((uint16_t)type);
		if (l == NULL) {
			continue;
		}
		uint8_t names = LAYOUT_PACKED | LAYOUT_UNPACK | LAYOUT_CASELESS;
		cr_expect(eq(u8, l->flags & names, flags_of(l)), "type %u", type);
		cr_expect(eq(u8, l->fields[LAYOUT_FIELDS_MAX - 1], FIELD_END), "type %u", type);
	}
}

TEST(rdata_table, every_kind_of_field_is_complete)
{
	for (unsigned f = FIELD_END + 1; f < FIELD_KINDS; f++) {
		bool fixed = field_kinds[f].fixed_len > 0;
		cr_expect(ne(int, fixed, field_kinds[f].check != NULL), "%u", f);
		cr_expect(field_kinds[f].print != NULL && field_kinds[f].parse != NULL, "%u", f);
	}
}

/* Where the length alone decides, walking the fields must give the same answer. */
TEST(rdata_table, lengths_agree_with_the_fields)
{
	static const uint8_t zeros[64];

	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		const struct layout *l = layout_of((uint16_t)type);
		if (l == NULL || (l->flags & LAYOUT_SIZED) == 0) {
			continue;
		}
		struct layout walk = *l;
		walk.flags &= (uint8_t)~LAYOUT_SIZED;
		for (size_t len = 0; len <= sizeof(zeros); len++) {
			cr_expect(eq(int, layout_check(l, bytes_of(zeros, len)),
			             layout_check(&walk, bytes_of(zeros, len))),
			          "type %u, %zu octets", type, len);
		}
	}
}

TEST(rdata_table, types_of_class_in_are_opaque_elsewhere)
{
	static const uint16_t in_only[] = {
		TYPE_A, TYPE_AAAA, TYPE_SRV, 11, 22, 36, 42, 49, 64, 65
	};

	for (size_t i = 0; i < ARRAY_LEN(in_only); i++) {
		cr_expect(layout_in(in_only[i], CLASS_IN) != NULL);
		cr_expect(layout_in(in_only[i], CLASS_CH) == NULL);
	}
	cr_expect(layout_in(TYPE_MX, CLASS_CH) != NULL);
}
