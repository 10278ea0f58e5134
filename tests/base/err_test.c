/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>

#include "base/bytes.h"
#include "tests/test.h"

/* The numbers of enum err have gaps between the classes; these are the ends. */
static const struct {
	enum err first;
	enum err last;
	enum err_class class;
} ranges[] = {
	{ ERR_OK, ERR_OK, ERR_CLASS_NONE },
	{ ERR_NO_MEMORY, ERR_STOPPING, ERR_CLASS_LOCAL },
	{ ERR_WIRE_SHORT, ERR_WIRE_TSIG, ERR_CLASS_WIRE },
	{ ERR_PEER_REFUSED, ERR_XFR_MISMATCH, ERR_CLASS_PEER },
	{ ERR_BUDGET, ERR_COUNT - 1, ERR_CLASS_POLICY },
};

static bool is_code(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && s[0] != '-' && s[len - 1] != '-' &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

TEST(err, each_has_a_class_a_code_and_a_sentence)
{
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		for (int e = (int)ranges[i].first; e <= (int)ranges[i].last; e++) {
			cr_expect(eq(int, err_class(e), ranges[i].class), "error %d", e);
			cr_expect(is_code(err_code(e)), "error %d: '%s'", e, err_code(e));
			cr_expect(strlen(err_text(e)) > 3, "error %d: '%s'", e, err_text(e));
		}
	}
}

TEST(err, codes_are_unique)
{
	const char *seen[ERR_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		for (int e = (int)ranges[i].first; e <= (int)ranges[i].last; e++) {
			for (size_t k = 0; k < count; k++) {
				cr_expect(strcmp(seen[k], err_code(e)) != 0, "'%s' twice", seen[k]);
			}
			seen[count++] = err_code(e);
		}
	}
}

TEST(err, errno_is_translated_at_the_door)
{
	static const struct {
		int errnum;
		enum err want;
	} cases[] = {
		{ 0, ERR_OK },
		{ ENOMEM, ERR_NO_MEMORY },
		{ ENOSPC, ERR_DISK_FULL },
		{ EDQUOT, ERR_DISK_FULL },
		{ EROFS, ERR_DISK_READONLY },
		{ ECONNREFUSED, ERR_PEER_REFUSED },
		{ EHOSTUNREACH, ERR_PEER_UNREACHABLE },
		{ ECONNRESET, ERR_PEER_CLOSED },
		{ EPIPE, ERR_PEER_CLOSED },
		{ ETIMEDOUT, ERR_PEER_TIMEOUT },
		{ EAGAIN, ERR_BUSY },
		{ EINVAL, ERR_SYSTEM },
		{ 99999, ERR_SYSTEM },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(eq(int, err_from_errno(cases[i].errnum), cases[i].want), "errno %d",
		          cases[i].errnum);
	}
}

TEST(err, rcodes_are_the_peers_fault)
{
	static const struct {
		uint16_t rcode;
		enum err want;
	} cases[] = {
		{ 1, ERR_PEER_FORMERR },        { 2, ERR_PEER_SERVFAIL },
		{ 3, ERR_PEER_NXDOMAIN },       { 4, ERR_PEER_NOTIMP },
		{ 5, ERR_PEER_REFUSED_QUERY },  { 6, ERR_PEER_RCODE },
		{ 9, ERR_PEER_NOTAUTH },        { 10, ERR_PEER_RCODE },
		{ UINT16_MAX, ERR_PEER_RCODE },
	};

	cr_expect(eq(int, err_from_rcode(0), ERR_OK));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum err e = err_from_rcode(cases[i].rcode);
		cr_expect(eq(int, e, cases[i].want), "rcode %u", cases[i].rcode);
		cr_expect(eq(int, err_class(e), ERR_CLASS_PEER), "rcode %u", cases[i].rcode);
	}
}
