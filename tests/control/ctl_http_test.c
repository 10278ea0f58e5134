/* SPDX-License-Identifier: MIT
 *
 * tests/control/ctl_http_test.c — answers, good and bad, in one piece and octet by octet. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

/* Answers one connection with octets, `step` at a time. */
struct server {
	int fd;
	const char *answer;
	size_t step;
	pthread_t thread;
	char folder[32];
	char path[48];
};

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	char request[1024];
	size_t left = strlen(s->answer);

	(void)!read(fd, request, sizeof(request));
	for (const char *at = s->answer; left > 0;) {
		ssize_t done = send(fd, at, left < s->step ? left : s->step, MSG_NOSIGNAL);

		if (done <= 0) {
			break;
		}
		at += done;
		left -= (size_t)done;
	}
	close(fd);
	return NULL;
}

static void server_start(struct server *s, const char *answer, size_t step)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	*s = (struct server){ .answer = answer, .step = step };
	snprintf(s->folder, sizeof(s->folder), "/tmp/axfarm-test-XXXXXX");
	cr_assert(mkdtemp(s->folder) != NULL);
	snprintf(s->path, sizeof(s->path), "%s/sock", s->folder);
	strcpy(sun.sun_path, s->path);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert(eq(int, bind(s->fd, (struct sockaddr *)&sun, sizeof(sun)), 0));
	cr_assert(eq(int, listen(s->fd, 1), 0));
	cr_assert(eq(int, pthread_create(&s->thread, NULL, serve, s), 0));
}

static void server_stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->fd);
	unlink(s->path);
	rmdir(s->folder);
}

struct answer_case {
	const char *answer;
	unsigned status; /* 0: no answer */
	const char *body;
	bool broken;
};

static void expect_answer(const struct answer_case *c, size_t step)
{
	struct server s;
	struct ctl_call call;
	char why[256], body[256] = "";
	size_t len = 0, got;
	bool begun;

	server_start(&s, c->answer, step);
	begun = call_begin(&call, s.path, "GET", "/", why);
	cr_expect(eq(uint, begun ? call.status : 0, c->status), "%s", c->answer);
	while (begun && (got = call_read(&call, body + len, step)) > 0) {
		len += got;
	}
	if (begun) {
		cr_expect(eq(str, body, (char *)c->body), "%s", c->answer);
		cr_expect(eq(int, call.broken, c->broken), "%s", c->answer);
	}
	call_end(&call);
	server_stop(&s);
}

TEST(ctl_http, reads_answers_however_they_come)
{
	static const struct answer_case cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false },
		{ "HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", 404, "", false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, "hel", true },
		{ "HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
		  "7;x=y\r\n, world\r\n0\r\n\r\n",
		  200, "hello, world", false },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "",
		  false },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 200,
		  "hello", true },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, "hel",
		  true },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", 200, "",
		  true },
		{ "HTTP/1.1 200 OK\r\n", 0, "", false },
		{ "", 0, "", false },
		{ "SSH-2.0-x\r\n\r\n", 0, "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		expect_answer(&cases[i], 1);
		expect_answer(&cases[i], 100);
	}
}

TEST(ctl_http, refuses_endless_lines)
{
	char *answer = mem_zero(1, 100000);
	struct answer_case c = { answer, 0, "", false };

	strcpy(answer, "HTTP/1.1 200 OK\r\nX: ");
	memset(answer + strlen(answer), 'x', 99000);
	expect_answer(&c, 4096);
	free(answer);
}

TEST(ctl_http, escapes_what_a_path_segment_cannot_hold)
{
	char target[64] = "/z/";

	cr_expect(target_add(target, sizeof(target), "0/25.a_b\\032%?\xff"));
	cr_expect(eq(str, target, "/z/0%2F25.a_b%5C032%25%3F%FF"));
	cr_expect(not(target_add(target, 20, "xxxxxxxxxxxxxxxxxxxxxxxx")));
}
