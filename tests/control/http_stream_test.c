/* SPDX-License-Identifier: MIT
 *
 * tests/control/http_stream_test.c — zone files through the socket. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

#define TARGET "/v1/zones/zone1.example/export"

TEST(http_stream, sends_zone_files_of_any_size)
{
	static const size_t sizes[] = { 0, 1, 976, 977, 65536, 65537, 3000000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct fake_daemon d = { .zones = 2, .export_bytes = sizes[i] };
		char *body;

		fake_start(&d);
		cr_expect(eq(uint, fake_call(&d, "GET", TARGET, &body), 200));
		cr_assert(eq(sz, strlen(body), sizes[i]));
		for (size_t at = 0; at < sizes[i]; at++) {
			cr_assert(body[at] == fake_export_octet(at));
		}
		free(body);
		fake_stop(&d);
	}
}

TEST(http_stream, tells_failures_as_far_as_it_can)
{
	struct fake_daemon d = { .zones = 2, .export_end = ERR_STOPPING };
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/zones/none.example/export", &body), 404));
	free(body);
	cr_expect(eq(uint, fake_call(&d, "GET", TARGET, &body), 503), "before the first octet");
	free(body);
	d.export_bytes = 200000;
	cr_expect(eq(uint, fake_call(&d, "GET", TARGET, &body), 0), "later: cut short");
	free(body);
	fake_stop(&d);
}

TEST(http_stream, stops_when_nobody_reads)
{
	struct fake_daemon d = { .zones = 2, .export_bytes = 1ULL << 40 };
	struct ctl_call call;
	char why[256];

	fake_start(&d);
	cr_assert(call_begin(&call, d.path, "GET", TARGET, why), "%s", why);
	call_end(&call);
	for (unsigned i = 0; i < 1000 && !d.export_stopped; i++) {
		poll(NULL, 0, 5);
	}
	cr_expect(d.export_stopped);
	fake_stop(&d);
}

TEST(http_stream, stopping_does_not_wait_for_a_maker_that_thinks)
{
	struct fake_daemon d = { .zones = 2, .check_lines = "so far\n", .check_thinks = true };
	struct ctl_call call;
	char why[256], text[16];

	fake_start(&d);
	cr_assert(call_begin(&call, d.path, "POST", "/v1/store/check", why), "%s", why);
	cr_expect(eq(sz, call_read(&call, text, sizeof(text)), 7));
	fake_stop(&d);
	cr_expect(d.check_stopped);
	cr_expect(eq(sz, call_read(&call, text, sizeof(text)), 0));
	cr_expect(call.broken);
	call_end(&call);
}

TEST(http_stream, stopping_does_not_wait_for_a_reader_that_sleeps)
{
	struct fake_daemon d = { .zones = 2, .export_bytes = 1ULL << 40 };
	struct ctl_call call;
	char why[256];

	fake_start(&d);
	cr_assert(call_begin(&call, d.path, "GET", TARGET, why), "%s", why);
	fake_stop(&d);
	cr_expect(d.export_stopped);
	call_end(&call);
}
