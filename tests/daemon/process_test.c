/* SPDX-License-Identifier: MIT */
#include "daemon/process_p.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/test.h"

TEST(process, makes_every_folder_of_a_path)
{
	char base[] = "/tmp/axfarm-test-XXXXXX";
	char path[128];
	char why[256];
	struct stat st;

	cr_assert(ne(ptr, mkdtemp(base), NULL));
	snprintf(path, sizeof(path), "%s/a/b/c", base);
	cr_expect(eq(int, process_make_dir(path, "", why, sizeof(why)), ERR_OK));
	cr_expect(eq(int, stat(path, &st), 0));
	cr_expect(eq(int, process_make_dir(path, "", why, sizeof(why)), ERR_OK), "twice is fine");
	for (int i = 0; i < 3; i++) {
		rmdir(path);
		*strrchr(path, '/') = '\0';
	}
	rmdir(base);
}

TEST(process, says_which_folder_cannot_be_made)
{
	char why[256] = "";

	cr_expect(ne(int, process_make_dir("/proc/axfarm/db", "", why, sizeof(why)), ERR_OK));
	cr_expect(ne(ptr, strstr(why, "/proc/axfarm"), NULL), "%s", why);
}

TEST(process, says_which_user_is_missing)
{
	char why[256] = "";

	if (geteuid() != 0) {
		cr_skip("needs root");
	}
	cr_expect(eq(int, process_drop("no-such-user-here", why, sizeof(why)), ERR_CONFIG));
	cr_expect(ne(ptr, strstr(why, "no-such-user-here"), NULL), "%s", why);
	cr_expect(eq(int, process_drop("", why, sizeof(why)), ERR_OK));
	cr_expect(eq(uint, geteuid(), 0), "no user named: nothing changes");
}

TEST(process, tells_the_service_manager)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char base[] = "/tmp/axfarm-test-XXXXXX";
	char got[64] = "";
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	cr_assert(ne(ptr, mkdtemp(base), NULL));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/notify", base);
	cr_assert(eq(int, bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0));
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	process_notify("READY=1");
	cr_expect(eq(int, (int)recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7));
	cr_expect(eq(str, got, "READY=1"));
	close(fd);
	unlink(sun.sun_path);
	rmdir(base);
	unsetenv("NOTIFY_SOCKET");
	process_notify("READY=1"); /* nobody to tell: no effect */
}
