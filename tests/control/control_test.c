/* SPDX-License-Identifier: MIT
 *
 * tests/control/control_test.c — the control socket's life, and its file. */
#include "control/control.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

static int unix_socket(const char *path, bool listening)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(sun.sun_path, path);
	if (listening) {
		cr_assert(eq(int, bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0));
		cr_assert(eq(int, listen(fd, 5), 0));
	} else {
		cr_assert(eq(int, connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0));
	}
	return fd;
}

/* Starts at the path of a fake daemon that does not run. */
static enum err start_at(struct fake_daemon *d, const char *path, char why[static CONTROL_WHY_MAX])
{
	struct control_options options = { path, &d->ops, &d->events, env_system() };

	return control_start(&options, &d->control, why);
}

TEST(control, starts_and_stops_again_and_again)
{
	for (unsigned i = 0; i < 3; i++) {
		struct fake_daemon d = { .zones = 1 };
		struct stat st;

		fake_start(&d);
		cr_assert(eq(int, stat(d.path, &st), 0));
		cr_expect(eq(uint, st.st_mode & 0777, 0660));
		fake_stop(&d);
	}
}

TEST(control, replaces_a_socket_that_nobody_listens_on)
{
	struct fake_daemon d = { .zones = 1 };
	char why[CONTROL_WHY_MAX] = "", *body;

	fake_start(&d);
	control_stop(d.control);
	close(unix_socket(d.path, true));
	cr_assert(eq(int, access(d.path, F_OK), 0));
	cr_assert(eq(int, start_at(&d, d.path, why), ERR_OK), "%s", why);
	cr_expect(eq(uint, fake_call(&d, "GET", "/v1/status", &body), 200));
	free(body);
	fake_stop(&d);
}

TEST(control, leaves_alone_what_is_not_its)
{
	struct fake_daemon d = { .zones = 1 };
	struct control *first;
	char why[CONTROL_WHY_MAX] = "", path[128], want[256];

	fake_start(&d);
	first = d.control;
	cr_expect(eq(int, start_at(&d, d.path, why), ERR_BUSY));
	snprintf(want, sizeof(want), "control socket %s: another process listens there", d.path);
	cr_expect(eq(str, why, want));
	snprintf(path, sizeof(path), "%s/file", d.folder);
	fclose(fopen(path, "w"));
	cr_expect(eq(int, start_at(&d, path, why), ERR_CONFIG));
	snprintf(want, sizeof(want), "control socket %s: the path is taken by something else",
	         path);
	cr_expect(eq(str, why, want));
	unlink(path);
	snprintf(path, sizeof(path), "%s/none/sock", d.folder);
	cr_expect(ne(int, start_at(&d, path, why), ERR_OK));
	snprintf(want, sizeof(want), "control socket %s: cannot be made: No such file or directory",
	         path);
	cr_expect(eq(str, why, want));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	cr_expect(eq(int, start_at(&d, path, why), ERR_CONFIG));
	d.control = first;
	fake_stop(&d);
}

/* Another daemon took the path meanwhile: the file is its. */
TEST(control, removes_only_its_own_socket)
{
	struct fake_daemon d = { .zones = 1 };
	int fd;

	fake_start(&d);
	unlink(d.path);
	fd = unix_socket(d.path, true);
	control_stop(d.control);
	cr_expect(eq(int, access(d.path, F_OK), 0));
	close(fd);
	unlink(d.path);
	rmdir(d.folder);
}

TEST(control, stops_though_a_connection_says_nothing)
{
	struct fake_daemon d = { .zones = 1 };
	int idle, half;

	fake_start(&d);
	idle = unix_socket(d.path, false);
	half = unix_socket(d.path, false);
	cr_assert(eq(sz, (size_t)write(half, "GET /v1/sta", 11), 11));
	fake_stop(&d);
	close(idle);
	close(half);
}

TEST(control, answers_the_stop_before_it_stops)
{
	struct fake_daemon d = { .zones = 1 };
	char *body;

	fake_start(&d);
	cr_expect(eq(uint, fake_call(&d, "POST", "/v1/stop", &body), 202));
	cr_expect(eq(str, body, "{\"stopping\":true}"));
	free(body);
	fake_stop(&d);
	cr_expect(eq(uint, d.stops, 1));
}
