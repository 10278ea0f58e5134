/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/name_fuzz.c — names from messages and from text: what is accepted, prints and is read
 * back as what it was.
 *
 * Input: an octet that says where to read, then a message; the same octets are also taken as text.
 */
#include "dns/name.h"

#include "tests/fuzz/fuzz.h"

static void judge(struct name n)
{
	char text[NAME_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text));
	struct name_buf again, lower;
	struct name view;

	assert(n.len <= NAME_MAX_LEN && n.labels < NAME_MAX_LABELS);
	assert(name_view(name_bytes(n), &view) == ERR_OK);
	assert(view.len == n.len && view.labels == n.labels);
	assert(name_print(n, &w));
	assert(name_parse(writer_bytes(&w), NULL, &again) == ERR_OK);
	assert(bytes_equal(name_bytes(name_of(&again)), name_bytes(n)));
	name_lower(n, &lower);
	assert(name_compare(n, name_of(&lower)) == 0 && name_equal(n, name_of(&lower)));
	assert(name_hash(1, n) == name_hash(1, name_of(&lower)));
	assert(name_common(n, name_of(&lower)) == n.labels);
	for (unsigned i = 0; i < n.labels; i++) {
		struct name parent = name_strip(n, i + 1);

		assert(name_within(n, parent) && !name_within(parent, n));
		assert(name_compare(parent, n) < 0 && name_common(parent, n) == parent.labels);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name_buf buf;

	if (size < 2) {
		return 0;
	}
	struct bytes rest = { data + 1, size - 1 };
	struct reader r = { rest, data[0] < rest.len ? data[0] : 0 };
	struct reader skip = r;

	if (name_read(&r, &buf) == ERR_OK) {
		judge(name_of(&buf));
		assert(name_skip(&skip) == ERR_OK && skip.pos == r.pos);
	}
	if (name_parse(rest, NULL, &buf) == ERR_OK) {
		judge(name_of(&buf));
	}
	return 0;
}
