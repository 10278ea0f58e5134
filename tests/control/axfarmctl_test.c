/* SPDX-License-Identifier: MIT
 *
 * tests/control/axfarmctl_test.c — axfarmctl as a program, against a socket that answers. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/control/control_fixture.h"
#include "tests/test.h"

#define WORDS_MAX 12

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

struct exit_case {
	const char *words;
	int status;
	const char *out; /* how it begins */
	const char *err;
};

static void expect_exits(const struct fake_daemon *d, const struct exit_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct run r = ctl(d, cases[i].words);

		cr_expect(eq(int, r.status, cases[i].status), "%s: %s", cases[i].words, r.err);
		cr_expect(begins(r.out, cases[i].out), "%s: %s", cases[i].words, r.out);
		cr_expect(begins(r.err, cases[i].err), "%s: %s", cases[i].words, r.err);
		run_fini(&r);
	}
}

TEST(axfarmctl, exits_with_what_the_answer_is)
{
	static const struct exit_case cases[] = {
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
		  "axfarmctl: none.example: there is no such zone\n" },
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
		{ "status --state ok", 2, "", "axfarmctl: --state goes with zone list " },
		{ "primary list --state ok", 2, "", "axfarmctl: --state is one of down, up, un" },
		{ "zone list --state down", 2, "", "axfarmctl: --state is one of new, ok, " },
		{ "primary list", 0, "PRIMARY ", "" },
		{ "primary list --state unused", 0, "PRIMARY ", "" },
		{ "primary", 2, "", "axfarmctl: primary needs list" },
		{ "primary list a", 2, "", "axfarmctl: this is one word too many: a" },
		{ "status now", 2, "", "axfarmctl: this is one word too many: now" },
		{ "--nonsense", 2, "", "axfarmctl: unrecognized option '--nonsense'\n" },
		{ "-c /none status", 2, "", "axfarmctl: -s and -c both name a socket" },
	};
	struct fake_daemon d = { .zones = 10, .export_bytes = 100, .primaries = 4 };

	fake_start(&d);
	expect_exits(&d, cases, ARRAY_LEN(cases));
	fake_stop(&d);
	cr_expect(eq(uint, d.refreshes, 1));
	cr_expect(eq(uint, d.retransfers, 1));
	cr_expect(eq(uint, d.stops, 1));
}

TEST(axfarmctl, exits_with_what_versions_are)
{
	static const struct exit_case cases[] = {
		{ "zone show zone1.example", 0, "abcdefghijklmnopqrstuvwabc", "" },
		{ "zone show zone1.example --serial 42", 0, "version 42\n", "" },
		{ "zone show zone1.example --serial held", 0, "version 4294967283\n", "" },
		{ "zone show zone1.example --serial 43", 1, "",
		  "axfarmctl: zone1.example: serial 43 is not kept; kept are 4294967291, 42\n" },
		{ "zone show zone1.example --serial a&b", 1, "", "axfarmctl: zone1.example: " },
		{ "zone history none.example", 1, "", "axfarmctl: none.example: " },
		{ "zone diff zone1.example 42 current", 1, "-42\n+4294967291\n", "" },
		{ "zone diff zone1.example 42 42", 0, "", "" },
		{ "zone diff zone1.example 42 43", 2, "",
		  "axfarmctl: zone1.example: serial 43 is" },
		{ "zone diff none.example 42 43", 2, "", "axfarmctl: none.example: there is no " },
		{ "zone diff a..b 42 43", 2, "", "axfarmctl: a..b: " },
		{ "zone diff zone1.example 42", 2, "",
		  "axfarmctl: zone diff takes a name and two versions" },
		{ "zone rollback zone1.example 42 --same-serial", 0,
		  "zone1.example.: rolled back; serves serial 4294967291 (the primary's "
		  "4294967281); "
		  "serial 4294967283 is held: lost too many of its records\n",
		  "" },
		{ "zone rollback zone1.example 43", 1, "",
		  "axfarmctl: zone1.example: serial 43 is" },
		{ "zone rollback zone1.example", 2, "",
		  "axfarmctl: zone rollback takes a name and a serial" },
		{ "zone pin zone1.example", 0, "zone1.example.: pinned; serves ", "" },
		{ "zone release zone1.example", 0, "zone1.example.: released; ", "" },
		{ "zone accept zone1.example", 0, "zone1.example.: accepted; ", "" },
		{ "zone reject zone1.example", 0, "zone1.example.: rejected; ", "" },
		{ "zone reject zone1.example zone2.example", 1, "zone1.example.: rejected; ",
		  "axfarmctl: zone2.example: nothing is held\n" },
		{ "zone held a", 2, "", "axfarmctl: zone held takes no names: a" },
		{ "store stats", 0, "zones         10, with 20 versions\n", "" },
		{ "store check", 0, "clean: all of it\n", "" },
		{ "store", 2, "", "axfarmctl: store needs stats or check" },
		{ "store check now", 2, "", "axfarmctl: this is one word too many: now" },
		{ "zone status a --serial 4", 2, "",
		  "axfarmctl: --serial goes with zone show only" },
		{ "zone pin a --same-serial", 2, "", "axfarmctl: --same-serial goes with zone " },
		{ "store stats --offline", 2, "", "axfarmctl: --offline goes with store check" },
	};
	struct fake_daemon d = { .zones = 10,
		                 .export_bytes = 100,
		                 .check_lines = "clean: all of it\n" };

	fake_start(&d);
	expect_exits(&d, cases, ARRAY_LEN(cases));
	fake_stop(&d);
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

TEST(axfarmctl, shows_versions)
{
	struct fake_daemon d = { .zones = 400 };
	struct run r;
	json_t *all;

	fake_start(&d);
	r = ctl(&d, "status");
	cr_expect(strstr(r.out, " expired; 2 held, 1 pinned; 4 whose primaries differ\n") != NULL,
	          "%s", r.out);
	run_fini(&r);
	r = ctl(&d, "zone status zone1.example");
	cr_expect(strstr(r.out, "  serial      4294967291\n  primary's   4294967281\n") != NULL,
	          "%s", r.out);
	cr_expect(strstr(r.out, "  pinned      yes\n  held        serial 4294967283: lost too many "
	                        "of its records\n") != NULL,
	          "%s", r.out);
	cr_expect(strstr(r.out, "  versions    3\n  differs     192.0.2.1@53 has this serial with "
	                        "other content\n") != NULL,
	          "%s", r.out);
	run_fini(&r);
	r = ctl(&d, "zone history zone1.example");
	cr_expect(eq(int, r.status, 0));
	cr_expect(begins(r.out,
	                 "    SERIAL  STATE                                PRIMARY'S  RECORDS  "
	                 "ADDED  DELETED  BY        RECEIVED"),
	          "%s", r.out);
	cr_expect(strstr(r.out, "\n4294967283  held: lost too many of its records  4294967283  "
	                        "      2      0       10  AXFR ") != NULL,
	          "%s", r.out);
	cr_expect(strstr(r.out, "\n4294967291  served ") != NULL, "%s", r.out);
	run_fini(&r);
	r = ctl(&d, "zone held");
	cr_expect(begins(r.out, "ZONE            WHY                                 HELD  "), "%s",
	          r.out);
	cr_expect(strstr(r.out, "\nzone1.example.  lost too many of its records  4294967283  ") !=
	                  NULL,
	          "%s", r.out);
	run_fini(&r);
	r = ctl(&d, "zone held --json");
	all = json_loads(r.out, 0, NULL);
	cr_expect(eq(sz, json_array_size(json_object_get(all, "zones")), 1));
	json_decref(all);
	run_fini(&r);
	fake_stop(&d);
}

/* The line of the table that begins with these words, spaces between cells made one. */
static void expect_line(const char *table, const char *want)
{
	char *text = mem_new(strlen(table) + 1);
	size_t len = 0;

	for (const char *p = table; *p != '\0'; p++) {
		if (*p != ' ' || p[1] != ' ') {
			text[len++] = *p;
		}
	}
	text[len] = '\0';
	cr_expect(strstr(text, want) != NULL, "%s\nis not in\n%s", want, text);
	free(text);
}

TEST(axfarmctl, shows_primaries)
{
	struct fake_daemon d = { .zones = 3, .primaries = 4, .primaries_left_out = 2 };
	struct run r;
	json_t *all;

	fake_start(&d);
	r = ctl(&d, "status");
	cr_expect(strstr(r.out, "\nprimaries   4: 1 down\n") != NULL, "%s", r.out);
	run_fini(&r);
	r = ctl(&d, "primary list");
	cr_expect(eq(int, r.status, 0));
	expect_line(r.out, "PRIMARY STATE NAME DOWN NEXT TRY PARKED RUNNING WAITING CONNECTIONS "
	                   "CAN CONNECTS IN ANSWERS IN AT REST LAST ERROR\n");
	expect_line(r.out, "\n10.0.0.0@53 down for 1 of 2 workers, being tried p0, other in ");
	expect_line(r.out, " 1234 0 of 16 - 0 of 8 - - - - connection refused (in ");
	expect_line(r.out, "\n10.0.0.1@53 up p1 - - 0 8 of 16 about 2 notify, 100000 first "
	                   "1 of 8, bears 2 one at a time, no UDP 250 us 1.5 ms 900 us -\n");
	expect_line(r.out, "\n10.0.0.2@53 up p2 - - 0 8 of 16 2 notify, 100000 first 2 of 8 "
	                   "pipelines 250 us 1.5 ms 900 us -\n");
	expect_line(r.out, "\n10.0.0.3@53 unused p3 - - 0 - - 0 of 8 - - - - -\nand 2 more\n");
	run_fini(&r);
	r = ctl(&d, "primary list --state down --json");
	all = json_loads(r.out, 0, NULL);
	cr_expect(eq(sz, json_array_size(json_object_get(all, "primaries")), 1), "%s", r.out);
	json_decref(all);
	run_fini(&r);
	fake_stop(&d);
}

TEST(axfarmctl, tells_what_a_check_found)
{
	static const struct {
		const char *lines;
		enum err end;
		int status;
	} cases[] = {
		{ "clean: 1 node\n", ERR_OK, 0 },
		{ "node 3: wrong\ndamaged: 1 finding\n", ERR_OK, 1 },
		{ "clean: no, there is more\nthe daemon\n", ERR_OK, 2 },
		{ "clean: 1 node\n", ERR_STOPPING, 2 },
		{ NULL, ERR_OK, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fake_daemon d = { .zones = 1,
			                 .check_lines = cases[i].lines,
			                 .check_end = cases[i].end };
		struct run r;

		fake_start(&d);
		r = ctl(&d, "store check");
		cr_expect(eq(int, r.status, cases[i].status), "%s", cases[i].lines);
		run_fini(&r);
		fake_stop(&d);
	}
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
	cr_expect(eq(str, r.err, "axfarmctl: zone1.example: the answer is cut short\n"));
	run_fini(&r);
	fake_stop(&d);
}
