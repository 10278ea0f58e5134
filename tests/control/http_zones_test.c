/* SPDX-License-Identifier: MIT
 *
 * tests/control/http_zones_test.c — lists of zones, whole and in pages. */
#include <stdlib.h>
#include <string.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

/* Calls, and parses what came with the status wanted. */
static json_t *list(const struct fake_daemon *d, const char *query)
{
	char target[128], *body;
	json_t *got;

	snprintf(target, sizeof(target), "/v1/zones%s", query);
	cr_assert(eq(uint, fake_call(d, "GET", target, &body), 200), "%s", query);
	got = json_loads(body, 0, NULL);
	cr_assert(got != NULL, "%s", body);
	free(body);
	return got;
}

static size_t list_count(const json_t *page)
{
	return json_array_size(json_object_get(page, "zones"));
}

TEST(http_zones, streams_all_of_them)
{
	struct fake_daemon d = { .zones = 5000 };
	json_t *all;

	fake_start(&d);
	all = list(&d, "");
	cr_assert(eq(sz, list_count(all), 5000));
	cr_expect(eq(str, (char *)(uintptr_t)member_text(all, "cursor"), ""));
	for (size_t i = 1; i < 5000; i++) {
		const json_t *zone = json_array_get(json_object_get(all, "zones"), i);
		char want[64];

		snprintf(want, sizeof(want), "zone%zu.example.", i);
		cr_assert(eq(str, (char *)(uintptr_t)member_text(zone, "name"), want));
	}
	json_decref(all);
	fake_stop(&d);
}

TEST(http_zones, none_is_an_empty_list)
{
	struct fake_daemon d = { .zones = 0 };
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/zones", &body), 200));
	cr_expect(eq(str, body, "{\"zones\":[\n],\"cursor\":null}\n"));
	free(body);
	fake_stop(&d);
}

/* Pages of any size give every zone once, and of a state those of it. */
TEST(http_zones, pages_fit_together)
{
	static const struct {
		const char *query;
		size_t want;
	} cases[] = {
		{ "limit=1", 333 },
		{ "limit=7", 333 },
		{ "limit=128", 333 },
		{ "limit=1000", 333 },
		{ "state=failing&limit=7", 66 },
		{ "state=new&limit=1", 67 },
	};
	struct fake_daemon d = { .zones = 333 };

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char cursor[32] = "0";
		size_t count = 0;

		while (cursor[0] != '\0') {
			char query[96];
			json_t *page;

			snprintf(query, sizeof(query), "?%s&cursor=%s", cases[i].query, cursor);
			page = list(&d, query);
			count += list_count(page);
			snprintf(cursor, sizeof(cursor), "%s", member_text(page, "cursor"));
			json_decref(page);
		}
		cr_expect(eq(sz, count, cases[i].want), "%s", cases[i].query);
	}
	fake_stop(&d);
}

TEST(http_zones, refuses_queries_that_mean_nothing)
{
	static const char *const targets[] = {
		"/v1/zones?state=good", "/v1/zones?limit=0",
		"/v1/zones?limit=x",    "/v1/zones?limit=-1",
		"/v1/zones?cursor=x",   "/v1/zones?limit=99999999999999999999",
	};
	struct fake_daemon d = { .zones = 3 };

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		char *body;

		cr_expect(eq(uint, fake_call(&d, "GET", targets[i], &body), 400), "%s", targets[i]);
		free(body);
	}
	fake_stop(&d);
}

TEST(http_zones, a_list_that_fails_is_no_whole_list)
{
	struct fake_daemon d = { .zones = 1000, .fail_page_at = 500 };
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/zones?cursor=600", &body), 503));
	free(body);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/zones", &body), 0));
	free(body);
	fake_stop(&d);
}
