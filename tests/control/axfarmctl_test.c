/* SPDX-License-Identifier: MIT
 *
 * tests/control/axfarmctl_test.c — axfarmctl as a program, against a socket that answers. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

#define WORDS_MAX 8

struct run {
	int status;
	char *out;
	char *err;
};

static char *file_text(FILE *f)
{
	size_t len = (size_t)lseek(fileno(f), 0, SEEK_END);
	char *text = mem_zero(1, len + 1);

	cr_assert(pread(fileno(f), text, len, 0) == (ssize_t)len);
	fclose(f);
	return text;
}

/* Runs axfarmctl -s SOCKET with the words (cut at spaces). */
static struct run ctl(const struct fake_daemon *d, const char *words)
{
	FILE *out = tmpfile(), *err = tmpfile();
	char copy[256], *argv[WORDS_MAX + 4] = { "axfarmctl", "-s", (char *)(uintptr_t)d->path };
	char *save;
	size_t n = 3;
	struct run r;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		argv[n++] = w;
	}
	pid = fork();
	if (pid == 0) {
		dup2(fileno(out), 1);
		dup2(fileno(err), 2);
		execv(TEST_AXFARMCTL, argv);
		_exit(127);
	}
	cr_assert(waitpid(pid, &r.status, 0) == pid);
	cr_assert(eq(int, WIFEXITED(r.status) ? 1 : 0, 1));
	r.status = WEXITSTATUS(r.status);
	r.out = file_text(out);
	r.err = file_text(err);
	return r;
}

static void run_fini(struct run *r)
{
	free(r->out);
	free(r->err);
}

/* Nothing begins with nothing only. */
static bool begins(const char *text, const char *with)
{
	return with[0] == '\0' ? text[0] == '\0' : strncmp(text, with, strlen(with)) == 0;
}

TEST(axfarmctl, exits_with_what_the_answer_is)
{
	static const struct {
		const char *words;
		int status;
		const char *out; /* how it begins */
		const char *err;
	} cases[] = {
		{ "status", 0, "axfarmd     0.1.0, started ", "" },
		{ "zone list", 0, "ZONE  ", "" },
		{ "zone list --state ok", 0, "ZONE  ", "" },
		{ "zone status zone1.example", 0, "zone1.example.  ok\n  serial      4294967291\n",
		  "" },
		{ "zone status 0/25.2.0.192.in-addr.arpa", 0, "0/25.2.0.192.in-addr.arpa.  new\n",
		  "" },
		{ "zone status none.example", 1, "", "axfarmctl: none.example: " },
		{ "zone status none.example zone1.example", 1, "zone1.example.  ok\n",
		  "axfarmctl: none.example: " },
		{ "zone status a..b", 1, "", "axfarmctl: a..b: this is not a domain name\n" },
		{ "zone refresh zone1.example", 0, "zone1.example.: refresh begun\n", "" },
		{ "zone retransfer zone1.example", 0, "zone1.example.: retransfer begun\n", "" },
		{ "zone refresh none.example", 1, "",
		  "axfarmctl: none.example: there is no such zone\n" },
		{ "zone export zone1.example", 0, "abcdefghijklmnopqrstuvwabc", "" },
		{ "zone export none.example", 1, "",
		  "axfarmctl: none.example: there is no such zone, or nothing of it is served\n" },
		{ "reload", 0, "reloaded: 10 zones, 3 added, 2 removed, 1 changed\n", "" },
		{ "stop", 0, "the daemon is stopping\n", "" },
		{ "--version", 0, "axfarmctl " AXFARM_VERSION "\n", "" },
		{ "--help", 0, "usage: axfarmctl ", "" },
		{ "help", 0, "usage: axfarmctl ", "" },
		{ "", 2, "", "axfarmctl: a command is missing (see axfarmctl --help)\n" },
		{ "zones", 2, "", "axfarmctl: there is no such command: zones" },
		{ "zone", 2, "", "axfarmctl: zone needs list, status, refresh," },
		{ "zone status", 2, "", "axfarmctl: the name of a zone is missing after: status" },
		{ "zone list a", 2, "", "axfarmctl: zone list takes no names: a" },
		{ "zone export a b", 2, "", "axfarmctl: zone export takes one name: b" },
		{ "zone list --state good", 2, "", "axfarmctl: --state is one of new, ok, " },
		{ "status --state ok", 2, "", "axfarmctl: --state goes with zone list only" },
		{ "status now", 2, "", "axfarmctl: this is one word too many: now" },
		{ "--nonsense", 2, "", "axfarmctl: unrecognized option '--nonsense'\n" },
		{ "-c /none status", 2, "", "axfarmctl: -s and -c both name a socket" },
	};
	struct fake_daemon d = { .zones = 10, .export_bytes = 100 };

	fake_start(&d);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct run r = ctl(&d, cases[i].words);

		cr_expect(eq(int, r.status, cases[i].status), "%s: %s", cases[i].words, r.err);
		cr_expect(begins(r.out, cases[i].out), "%s: %s", cases[i].words, r.out);
		cr_expect(begins(r.err, cases[i].err), "%s: %s", cases[i].words, r.err);
		run_fini(&r);
	}
	fake_stop(&d);
	cr_expect(eq(uint, d.refreshes, 1));
	cr_expect(eq(uint, d.retransfers, 1));
	cr_expect(eq(uint, d.stops, 1));
}

TEST(axfarmctl, lists_more_zones_than_a_page)
{
	struct fake_daemon d = { .zones = 2500 };
	struct run r;
	json_t *all;
	size_t lines = 0;

	fake_start(&d);
	r = ctl(&d, "zone list");
	cr_expect(eq(int, r.status, 0), "%s", r.err);
	for (const char *p = r.out; *p != '\0'; p++) {
		lines += *p == '\n';
	}
	cr_expect(eq(sz, lines, 2501));
	cr_expect(strchr(r.out, '\033') == NULL, "no colours but on a terminal");
	cr_expect(strstr(r.out,
	                 "\nzone3.example.              failing     4294967293       12  ") != NULL,
	          "%.600s", r.out);
	run_fini(&r);
	r = ctl(&d, "zone list --json");
	all = json_loads(r.out, 0, NULL);
	cr_assert(all != NULL);
	cr_expect(eq(sz, json_array_size(json_object_get(all, "zones")), 2500));
	json_decref(all);
	run_fini(&r);
	fake_stop(&d);
}

TEST(axfarmctl, speaks_json_in_failure_too)
{
	struct fake_daemon d = { .zones = 2, .reload = ERR_CONFIG };
	struct run r;

	fake_start(&d);
	r = ctl(&d, "--json reload");
	cr_expect(eq(int, r.status, 1));
	cr_expect(eq(str, r.out,
	             "{\"error\":{\"code\":\"config\",\"text\":"
	             "\"axfarm.yaml:3: zones: nothing \\\"good\\\"\"}}\n"));
	cr_expect(eq(str, r.err, ""));
	run_fini(&r);
	fake_stop(&d);
	r = ctl(&d, "--json status");
	cr_expect(eq(int, r.status, 1));
	cr_expect(strncmp(r.out, "{\"error\":{\"code\":\"unreachable\"", 30) == 0, "%s", r.out);
	run_fini(&r);
	r = ctl(&d, "status");
	cr_expect(eq(int, r.status, 1));
	cr_expect(strncmp(r.err, "axfarmctl: no daemon listens on ", 32) == 0, "%s", r.err);
	run_fini(&r);
}

TEST(axfarmctl, an_export_that_is_cut_short_is_a_failure)
{
	struct fake_daemon d = { .zones = 2, .export_bytes = 200000, .export_end = ERR_STOPPING };
	struct run r;

	fake_start(&d);
	r = ctl(&d, "zone export zone1.example");
	cr_expect(eq(int, r.status, 1));
	cr_expect(eq(str, r.err, "axfarmctl: zone1.example: the zone file is cut short\n"));
	run_fini(&r);
	fake_stop(&d);
}
