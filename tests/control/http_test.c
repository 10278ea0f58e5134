/* SPDX-License-Identifier: MIT
 *
 * tests/control/http_test.c — requests and what they are answered. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

static const char no_zone[] = "{\"error\":{\"code\":\"not-found\"";

TEST(http, answers_each_request)
{
	static const struct {
		const char *method;
		const char *target;
		unsigned status;
		const char *begins;
	} cases[] = {
		{ "GET", "/v1/status", 200, "{\"version\":\"0.1.0\"" },
		{ "GET", "/v1/zones/zone1.example", 200, "{\"name\":\"zone1.example.\"" },
		{ "GET", "/v1/zones/ZONE1.example.", 200, "{\"name\":\"zone1.example.\"" },
		{ "GET", "/v1/zones/0%2F25.2.0.192.in-addr.arpa", 200,
		  "{\"name\":\"0/25.2.0.192.in-addr.arpa.\",\"state\":\"new\",\"serial\":null" },
		{ "GET", "/v1/zones/zone%31.example", 200, "{\"name\":\"zone1.example.\"" },
		{ "GET", "/v1/zones/none.example", 404, no_zone },
		{ "GET", "/v1/zones/..", 400, "{\"error\":{\"code\":\"bad-name\"" },
		{ "GET", "/v1/zones/a%zz", 400, "{\"error\":{\"code\":\"bad-name\"" },
		{ "GET", "/v1/zones/a%4", 400, "{\"error\":{\"code\":\"bad-name\"" },
		{ "GET", "/v1/zones/", 400, "{\"error\":{\"code\":\"bad-name\"" },
		{ "GET", "/v1/zones/a/b", 404, no_zone },
		{ "POST", "/v1/zones/zone1.example/refresh", 202,
		  "{\"zone\":\"zone1.example.\",\"action\":\"refresh\"}" },
		{ "POST", "/v1/zones/zone1.example/retransfer", 202,
		  "{\"zone\":\"zone1.example.\",\"action\":\"retransfer\"}" },
		{ "POST", "/v1/zones/none.example/refresh", 404, no_zone },
		{ "POST", "/v1/zones/none.example/retransfer", 404, no_zone },
		{ "GET", "/v1/zones/zone1.example/refresh", 405, "{\"error\":{\"code\":\"method" },
		{ "POST", "/v1/zones/zone1.example", 405, "{\"error\":{\"code\":\"method" },
		{ "POST", "/v1/reload", 200,
		  "{\"zones\":10,\"added\":3,\"removed\":2,\"changed\":1}" },
		{ "GET", "/v1/reload", 405, "{\"error\":{\"code\":\"method" },
		{ "GET", "/v1/stop", 405, "{\"error\":{\"code\":\"method" },
		{ "PUT", "/v1/status", 405, "{\"error\":{\"code\":\"method" },
		{ "GET", "/", 404, no_zone },
		{ "GET", "/v2/status", 404, no_zone },
		{ "GET", "/v1/zonesx", 404, no_zone },
	};
	struct fake_daemon d = { .zones = 10 };

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *body;
		unsigned status = fake_call(&d, cases[i].method, cases[i].target, &body);

		cr_expect(eq(uint, status, cases[i].status), "%s", cases[i].target);
		cr_expect(body != NULL &&
		                  strncmp(body, cases[i].begins, strlen(cases[i].begins)) == 0,
		          "%s: %s", cases[i].target, body);
		free(body);
	}
	fake_stop(&d);
	cr_expect(eq(uint, d.refreshes, 1));
	cr_expect(eq(uint, d.retransfers, 1));
	cr_expect(eq(uint, d.reloads, 1));
	cr_expect(eq(uint, d.stops, 0));
}

TEST(http, tells_why_a_reload_failed)
{
	struct fake_daemon d = { .zones = 1, .reload = ERR_CONFIG };
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "POST", "/v1/reload", &body), 400));
	cr_expect(eq(str, body,
	             "{\"error\":{\"code\":\"config\",\"text\":"
	             "\"axfarm.yaml:3: zones: nothing \\\"good\\\"\"}}"));
	free(body);
	fake_stop(&d);
}

/* Sends octets and reads up to the end; returns the status, 0 if there was none. */
static unsigned raw_call(const struct fake_daemon *d, const char *head, size_t body_len)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char answer[4096] = "", octets[1024] = "";
	unsigned status = 0;

	strcpy(sun.sun_path, d->path);
	cr_assert(eq(int, connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0));
	cr_assert(send(fd, head, strlen(head), MSG_NOSIGNAL) == (ssize_t)strlen(head));
	while (body_len > 0 && send(fd, octets, sizeof(octets), MSG_NOSIGNAL) > 0) {
		body_len -= body_len < sizeof(octets) ? body_len : sizeof(octets);
	}
	if (recv(fd, answer, sizeof(answer) - 1, 0) > 12) {
		status = (unsigned)strtoul(answer + 9, NULL, 10);
	}
	close(fd);
	return status;
}

TEST(http, bounds_bodies_and_header_lines)
{
	struct fake_daemon d = { .zones = 1 };
	char *head = mem_zero(1, 70000), *body;

	fake_start(&d);
	cr_expect(
		eq(uint,
	           raw_call(&d,
	                    "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
	                    0),
	           413));
	cr_expect(eq(uint,
	             raw_call(&d,
	                      "POST /v1/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	                      "Transfer-Encoding: chunked\r\n\r\n100000\r\n",
	                      0x100000),
	             0));
	strcpy(head, "GET /v1/status HTTP/1.1\r\nHost: x\r\nX: ");
	memset(head + strlen(head), 'x', 60000);
	strcat(head, "\r\n\r\n");
	cr_expect(ne(uint, raw_call(&d, head, 0), 200));
	cr_expect(eq(uint, d.reloads, 0));
	/* And it still answers. */
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/status", &body), 200));
	free(body);
	free(head);
	fake_stop(&d);
}
