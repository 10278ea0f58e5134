/* SPDX-License-Identifier: MIT
 *
 * tests/control/http_store_test.c — what is asked of the store. */
#include <stdlib.h>
#include <string.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

TEST(http_store, tells_how_it_fares)
{
	struct fake_daemon d = { .zones = 10 };
	const json_t *wait;
	json_t *stats;
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/store/stats", &body), 200));
	stats = json_loads(body, 0, NULL);
	cr_assert(stats != NULL, "%s", body);
	free(body);
	cr_expect(eq(u64, member_count(stats, "versions"), 20));
	cr_expect(eq(u64, member_count(stats, "updates"), 300));
	wait = json_object_get(stats, "commit_wait");
	cr_expect(eq(u64, member_count(wait, "count"), 100));
	cr_expect(ge(u64, member_count(wait, "p50_us"), 1000));
	cr_expect(le(u64, member_count(wait, "p50_us"), 1250));
	cr_expect(ge(u64, member_count(wait, "p99_us"), 8000));
	cr_expect(eq(u64, member_count(wait, "max_us"), 8000));
	cr_expect(eq(u64, member_count(json_object_get(stats, "transactions"), "max_us"), 0));
	json_decref(stats);
	cr_expect(eq(uint, fake_call(&d, "POST", "/v1/store/stats", &body), 405));
	free(body);
	fake_stop(&d);
}

TEST(http_store, streams_a_check)
{
	struct fake_daemon d = { .zones = 1, .check_lines = "one\ndamaged: 1 finding\n" };
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "POST", "/v1/store/check", &body), 200));
	cr_expect(eq(str, body, "one\ndamaged: 1 finding\n"));
	free(body);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/store/check", &body), 405));
	free(body);
	d.check_end = ERR_STOPPING;
	cr_expect(eq(uint, fake_call(&d, "POST", "/v1/store/check", &body), 0), "cut short");
	free(body);
	d.check_lines = NULL;
	cr_expect(eq(uint, fake_call(&d, "POST", "/v1/store/check", &body), 500));
	free(body);
	fake_stop(&d);
}
