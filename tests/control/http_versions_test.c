/* SPDX-License-Identifier: MIT
 *
 * tests/control/http_versions_test.c — what is asked of versions, and done about them. */
#include <stdlib.h>
#include <string.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

#define ZONE    "/v1/zones/zone1.example/"
#define REFUSED "{\"error\":{\"code\":\"refused\",\"text\":\""
#define BAD     "{\"error\":{\"code\":\"bad-request\",\"text\":\""
#define NONE    "{\"error\":{\"code\":\"not-found\",\"text\":\""
#define NOT_42  "serial 43 is not kept; kept are 4294967291, 42\"}}"

TEST(http_versions, answers_each_request)
{
	static const struct {
		const char *method;
		const char *target;
		unsigned status;
		const char *begins;
	} cases[] = {
		{ "GET", ZONE "history", 200,
		  "{\"zone\":\"zone1.example.\",\"versions\":[{\"state\":\"held\",\"why\":"
		  "\"shrunk\","
		  "\"serial\":4294967283,\"source_serial\":4294967283,\"root\":\"" },
		{ "GET", "/v1/zones/zone2.example/history", 200,
		  "{\"zone\":\"zone2.example.\",\"versions\":[]}" },
		{ "GET", "/v1/zones/none.example/history", 404, NONE "there is no such zone\"}}" },
		{ "POST", ZONE "history", 405, "" },
		{ "GET", ZONE "export?serial=42", 200, "version 42\n" },
		{ "GET", ZONE "export?serial=held", 200, "version 4294967283\n" },
		{ "GET", ZONE "export?serial=current", 200, "abc" },
		{ "GET", ZONE "export?serial=43", 404, NONE NOT_42 },
		{ "GET", ZONE "export?serial=4294967296", 400, BAD "serial is a serial, " },
		{ "GET", ZONE "export?serial=-1", 400, BAD },
		{ "GET", ZONE "export?serial=", 400, BAD },
		{ "GET", "/v1/zones/0%2F25.2.0.192.in-addr.arpa/export", 404,
		  NONE "nothing of the zone is served\"}}" },
		{ "GET", ZONE "diff?a=42&b=current", 200, "-42\n+4294967291\n" },
		{ "GET", ZONE "diff?a=current&b=held", 200, "-4294967291\n+4294967283\n" },
		{ "GET", ZONE "diff?a=42&b=42", 200, "" },
		{ "GET", ZONE "diff?a=42&b=43", 404, NONE NOT_42 },
		{ "GET", ZONE "diff?a=42", 400, BAD "a and b are each " },
		{ "GET", ZONE "diff?a=42&b=x", 400, BAD "a and b are each " },
		{ "GET", ZONE "diff", 400, BAD },
		{ "POST", ZONE "diff?a=42&b=42", 405, "" },
		{ "POST", ZONE "rollback?serial=42", 200,
		  "{\"zone\":\"zone1.example.\",\"action\":\"rollback\",\"now\":{\"name\":" },
		{ "POST", ZONE "rollback?serial=43", 409, REFUSED NOT_42 },
		{ "POST", ZONE "rollback", 400, BAD "serial is that of a version" },
		{ "POST", ZONE "rollback?serial=held", 400, BAD },
		{ "POST", ZONE "rollback?serial=42&same_serial=yes", 400, BAD "same_serial is " },
		{ "POST", "/v1/zones/none.example/rollback?serial=42", 404, NONE },
		{ "POST", ZONE "pin", 200, "{\"zone\":\"zone1.example.\",\"action\":\"pin\"" },
		{ "POST", ZONE "release", 200, "{\"zone\"" },
		{ "POST", ZONE "accept", 200, "{\"zone\"" },
		{ "POST", ZONE "reject", 200, "{\"zone\"" },
		{ "POST", "/v1/zones/zone2.example/reject", 409, REFUSED "nothing is held\"}}" },
		{ "GET", ZONE "reject", 405, "" },
		{ "GET", ZONE "rejec", 404, NONE "there is no such path" },
	};
	struct fake_daemon d = { .zones = 10, .export_bytes = 10 };

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *body;
		unsigned status = fake_call(&d, cases[i].method, cases[i].target, &body);

		cr_expect(eq(uint, status, cases[i].status), "%s: %s", cases[i].target, body);
		cr_expect(body != NULL &&
		                  strncmp(body, cases[i].begins, strlen(cases[i].begins)) == 0,
		          "%s: %s", cases[i].target, body);
		free(body);
	}
	fake_stop(&d);
	cr_expect(eq(uint, d.acts, 5));
}

TEST(http_versions, says_what_is_to_be_done)
{
	static const struct {
		const char *target;
		struct control_version_act act;
	} cases[] = {
		{ ZONE "rollback?serial=42", { CONTROL_ROLLBACK, 42, false } },
		{ ZONE "rollback?serial=42&same_serial=0", { CONTROL_ROLLBACK, 42, false } },
		{ ZONE "rollback?same_serial=1&serial=42", { CONTROL_ROLLBACK, 42, true } },
		{ ZONE "pin", { CONTROL_PIN, 0, false } },
		{ ZONE "release", { CONTROL_RELEASE, 0, false } },
		{ ZONE "accept", { CONTROL_ACCEPT, 0, false } },
		{ ZONE "reject", { CONTROL_REJECT, 0, false } },
	};
	struct fake_daemon d = { .zones = 10 };

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *body;

		cr_expect(eq(uint, fake_call(&d, "POST", cases[i].target, &body), 200));
		free(body);
		cr_expect(eq(uint, d.act.act, cases[i].act.act), "%s", cases[i].target);
		cr_expect(eq(u32, d.act.serial, cases[i].act.serial), "%s", cases[i].target);
		cr_expect(eq(int, d.act.same_serial, cases[i].act.same_serial), "%s",
		          cases[i].target);
	}
	fake_stop(&d);
}
