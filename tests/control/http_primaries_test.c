/* SPDX-License-Identifier: MIT
 *
 * tests/control/http_primaries_test.c — the list of primaries. */
#include <stdlib.h>
#include <string.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

static json_t *list_of(const struct fake_daemon *d, const char *target)
{
	json_t *list;
	char *body;

	cr_expect(eq(uint, fake_call(d, "GET", target, &body), 200), "%s", target);
	list = json_loads(body, 0, NULL);
	cr_assert(list != NULL, "%s: %s", target, body);
	free(body);
	return list;
}

static size_t count_of(const struct fake_daemon *d, const char *target)
{
	json_t *list = list_of(d, target);
	size_t count = json_array_size(json_object_get(list, "primaries"));

	json_decref(list);
	return count;
}

TEST(http_primaries, lists_them_all_in_the_order_of_the_daemon)
{
	struct fake_daemon d = { .primaries = 10000, .primaries_left_out = 7 };
	const json_t *rows;
	json_t *list;

	fake_start(&d);
	list = list_of(&d, "/v1/primaries");
	rows = json_object_get(list, "primaries");
	cr_expect(eq(sz, json_array_size(rows), 10000));
	cr_expect(eq(u64, member_count(list, "left_out"), 7));
	cr_expect(
		eq(str, (char *)(uintptr_t)member_text(json_array_get(rows, 0), "state"), "down"));
	cr_expect(eq(str, (char *)(uintptr_t)member_text(json_array_get(rows, 9999), "address"),
	             "10.0.39.15@53"));
	json_decref(list);
	fake_stop(&d);
}

TEST(http_primaries, lists_some)
{
	struct fake_daemon d = { .primaries = 10 };

	fake_start(&d);
	cr_expect(eq(sz, count_of(&d, "/v1/primaries?state=down"), 1));
	cr_expect(eq(sz, count_of(&d, "/v1/primaries?state=up"), 8));
	cr_expect(eq(sz, count_of(&d, "/v1/primaries?state=unused"), 1));
	cr_expect(eq(sz, count_of(&d, "/v1/primaries?state="), 10));
	cr_expect(eq(sz, count_of(&d, "/v1/primaries?limit=3"), 3));
	cr_expect(eq(sz, count_of(&d, "/v1/primaries?limit=3&state=up"), 3));
	d.primaries = 0;
	cr_expect(eq(sz, count_of(&d, "/v1/primaries"), 0));
	fake_stop(&d);
}

TEST(http_primaries, refuses_what_makes_no_sense)
{
	static const struct {
		const char *method;
		const char *target;
		unsigned status;
	} cases[] = {
		{ "GET", "/v1/primaries?state=ok", 400 }, { "GET", "/v1/primaries?limit=0", 400 },
		{ "GET", "/v1/primaries?limit=x", 400 },  { "POST", "/v1/primaries", 405 },
		{ "GET", "/v1/primaries/p1", 404 },
	};
	struct fake_daemon d = { .primaries = 1 };
	char *body;

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_expect(eq(uint, fake_call(&d, cases[i].method, cases[i].target, &body),
		             cases[i].status),
		          "%s", cases[i].target);
		free(body);
	}
	d.primaries_fail = true;
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/primaries", &body), 503));
	free(body);
	fake_stop(&d);
}
