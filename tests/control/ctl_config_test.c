/* SPDX-License-Identifier: MIT
 *
 * tests/control/ctl_config_test.c — the socket of a configuration. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

TEST(ctl_config, finds_the_socket_and_nothing_else)
{
	static const struct {
		const char *text;
		const char *want; /* %: the folder of the file */
	} cases[] = {
		{ "control: {socket: /run/x.sock}\n", "/run/x.sock" },
		{ "control:\n  socket: x.sock\n", "%/x.sock" },
		{ "server: {listen: [a, {socket: no}], socket: no}\nlog: {socket: no}\n"
		  "zones: [{socket: no}, [control, {socket: no}]]\ncontrol: {socket: /s}\n",
		  "/s" },
		{ "server: {control: {socket: no}}\n", "/run/axfarm/axfarm.sock" },
		{ "control: {other: {socket: no}}\n", "/run/axfarm/axfarm.sock" },
		{ "control: {other: [socket, no], socket: /s}\n", "/s" },
		{ "socket: no\n", "/run/axfarm/axfarm.sock" },
		{ "control: {a: [b\n", NULL },
	};
	char folder[] = "/tmp/axfarm-test-XXXXXX", path[64], want[128];
	char got[CTL_PATH_MAX], why[256];

	cr_assert(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/axfarm.yaml", folder);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		FILE *f = fopen(path, "w");
		bool relative = cases[i].want != NULL && cases[i].want[0] == '%';

		fputs(cases[i].text, f);
		fclose(f);
		cr_expect(eq(int, ctl_config_socket(path, got, why), cases[i].want != NULL), "%s",
		          cases[i].text);
		if (cases[i].want != NULL) {
			snprintf(want, sizeof(want), "%s%s", relative ? folder : "",
			         cases[i].want + relative);
			cr_expect(eq(str, got, want), "%s", cases[i].text);
		}
	}
	unlink(path);
	cr_expect(not(ctl_config_socket(path, got, why)));
	cr_expect(strstr(why, "No such file or directory") != NULL);
	rmdir(folder);
}
