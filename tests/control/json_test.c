/* SPDX-License-Identifier: MIT
 *
 * tests/control/json_test.c — JSON, octet for octet. */
#include <stdlib.h>
#include <string.h>

#include "control/http_p.h"

#include "tests/control/control_fixture.h"
#include "tests/test.h"

static void expect_text(char *got, const char *want)
{
	cr_expect(eq(str, got, (char *)want));
	free(got);
}

TEST(json, tells_a_zone)
{
	struct control_zone z;

	fake_zone(NULL, 3, &z);
	expect_text(
		json_of_zone(&z),
		"{\"name\":\"zone3.example.\",\"state\":\"failing\",\"serial\":4294967293,"
		"\"source_serial\":4294967293,\"root\":\"abababababababababababababababab\","
		"\"records\":12,\"bytes\":3456,"
		"\"primary\":\"192.0.2.1@53\",\"received_by\":\"AXFR\","
		"\"received_at\":\"2027-01-15T07:58:30Z\",\"refreshed_at\":null,"
		"\"refresh_at\":\"2027-01-15T09:00:00Z\",\"expire_at\":\"2027-01-22T08:00:00Z\","
		"\"failing_since\":\"2027-01-15T07:55:00Z\",\"last_error\":{\"code\":"
		"\"tsig-badsig\",\"text\":\"TSIG signature does not verify (BADSIG)\","
		"\"primary\":\"192.0.2.1@53\",\"at\":\"2027-01-15T07:59:55Z\"},"
		"\"differs\":null,\"pinned\":false,\"held\":null,\"versions\":1}");
}

TEST(json, tells_what_is_held)
{
	static const char *const whys[] = { "pinned", "rejected", "no-ns",
		                            "shrunk", "zonemd",   "limit" };
	char *text;

	for (unsigned i = 0; i < ARRAY_LEN(whys); i++) {
		struct control_zone z;
		char want[128];

		fake_zone(NULL, FAKE_HELD, &z);
		z.held = (enum control_hold)(CONTROL_HOLD_NONE + 1 + i);
		snprintf(want, sizeof(want),
		         "\"differs\":\"192.0.2.1@53\",\"pinned\":true,\"held\":{\"why\":\"%s\","
		         "\"serial\":4294967283,"
		         "\"received_at\":\"2027-01-15T07:59:30Z\"},\"versions\":3}",
		         whys[i]);
		text = json_of_zone(&z);
		cr_expect(strstr(text, want) != NULL, "%s", text);
		free(text);
	}
}

TEST(json, tells_a_zone_of_which_nothing_is_known)
{
	struct control_zone z;

	fake_zone(NULL, 0, &z);
	z.refresh_at_s = 0;
	expect_text(json_of_zone(&z),
	            "{\"name\":\"0/25.2.0.192.in-addr.arpa.\",\"state\":\"new\",\"serial\":null,"
	            "\"source_serial\":null,\"root\":null,\"records\":null,\"bytes\":null,"
	            "\"primary\":null,"
	            "\"received_by\":null,\"received_at\":null,\"refreshed_at\":null,"
	            "\"refresh_at\":null,\"expire_at\":null,\"failing_since\":null,"
	            "\"last_error\":null,\"differs\":null,\"pinned\":false,\"held\":null,"
	            "\"versions\":0}");
}

/* The longest name, every octet of it escaped twice, in a zone with everything. */
TEST(json, the_longest_zone_fits)
{
	char *out = mem_new(JSON_ZONE_MAX);
	struct control_zone z;
	size_t at = 0, len;

	fake_zone(NULL, 3, &z);
	for (unsigned label = 0; label < 4; label++) {
		uint8_t octets = label < 3 ? 63 : 61;

		z.name.octets[at++] = octets;
		memset(z.name.octets + at, 0xff, octets);
		at += octets;
	}
	z.name.octets[at++] = 0;
	z.name.len = (uint8_t)at;
	z.name.labels = 4;
	len = json_zone(&z, out);
	cr_expect(len > 1250 && len <= JSON_ZONE_MAX);
	free(out);
}

TEST(json, tells_a_primary)
{
	struct control_primary p;

	fake_primary(0, &p);
	expect_text(
		json_primary(&p),
		"{\"address\":\"10.0.0.0@53\",\"names\":[\"p0\",\"other\"],\"state\":\"down\","
		"\"trying\":true,\"down_since\":\"2027-01-15T07:55:00Z\","
		"\"next_try_at\":\"2027-01-15T08:00:04Z\",\"workers\":2,\"workers_down\":1,"
		"\"last_error\":{\"code\":\"connection-refused\",\"text\":\"connection refused\","
		"\"at\":\"2027-01-15T07:59:55Z\"},\"connections\":0,\"connections_borne\":null,"
		"\"running\":{\"operator\":0,\"notify\":0,\"expiring\":0,\"due\":0,\"first\":0},"
		"\"waiting\":{\"operator\":0,\"notify\":0,\"expiring\":0,\"due\":0,\"first\":0},"
		"\"waiting_exact\":true,\"parked\":1234,\"window\":16,\"asks_running\":0,"
		"\"asks_waiting\":0,\"asks_window\":8,\"ability\":\"pipeline\","
		"\"silent_udp\":false,\"connect_us\":null,\"answer_us\":null,\"rest_us\":null,"
		"\"ask_us\":null,\"max_connections\":8,\"max_transfers\":512,"
		"\"queries_per_second\":null}");
	fake_primary(1, &p);
	expect_text(
		json_primary(&p),
		"{\"address\":\"10.0.0.1@53\",\"names\":[\"p1\"],\"state\":\"up\","
		"\"trying\":false,\"down_since\":null,\"next_try_at\":null,\"workers\":2,"
		"\"workers_down\":0,\"last_error\":null,\"connections\":1,"
		"\"connections_borne\":2,"
		"\"running\":{\"operator\":0,\"notify\":0,\"expiring\":0,\"due\":5,\"first\":3},"
		"\"waiting\":{\"operator\":0,\"notify\":2,\"expiring\":0,\"due\":0,"
		"\"first\":100000},"
		"\"waiting_exact\":false,\"parked\":0,\"window\":16,\"asks_running\":4,"
		"\"asks_waiting\":6,\"asks_window\":8,\"ability\":\"serial\","
		"\"silent_udp\":true,\"connect_us\":250,\"answer_us\":1500,\"rest_us\":900,"
		"\"ask_us\":null,\"max_connections\":8,\"max_transfers\":512,"
		"\"queries_per_second\":50}");
}

TEST(json, tells_errors_even_with_octets_that_are_no_text)
{
	expect_text(json_error("config", "a \"b\"\n"),
	            "{\"error\":{\"code\":\"config\",\"text\":\"a \\\"b\\\"\\n\"}}");
	expect_text(json_error("config", "\xff"),
	            "{\"error\":{\"code\":\"config\",\"text\":\"(not UTF-8)\"}}");
}

TEST(json, names_of_states_read_back)
{
	for (unsigned i = 0; i < CONTROL_ZONE_STATES; i++) {
		enum control_zone_state state;

		cr_assert(json_state_parse(json_state_name((enum control_zone_state)i), &state));
		cr_expect(eq(uint, state, i));
	}
	cr_expect(not(json_state_parse("OK", &(enum control_zone_state){ 0 })));
}
