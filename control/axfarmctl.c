/* SPDX-License-Identifier: MIT
 *
 * control/axfarmctl.c — the command line of axfarmctl(1). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/ctl_p.h"

static const char usage[] =
	"usage: axfarmctl [-s SOCKET | -c FILE] [--json] COMMAND\n"
	"\n"
	"  status                        the daemon: zones, store, transfers\n"
	"  zone list [--state STATE]     all zones, or those new, ok, refreshing, failing, "
	"expired\n"
	"  zone status NAME...           one zone in detail\n"
	"  zone refresh NAME...          ask the primaries now\n"
	"  zone retransfer NAME...       fetch the whole zone now\n"
	"  zone export NAME              the served version as a zone file\n"
	"\n"
	"  zone history NAME             the versions that are kept\n"
	"  zone show NAME [--serial V]   a version as a zone file\n"
	"  zone diff NAME V V            what differs between two: 0 if nothing does, 1, or 2 for "
	"trouble\n"
	"  zone rollback NAME SERIAL [--same-serial]\n"
	"                                serve that version again, until the zone is released\n"
	"  zone pin NAME...              go on serving this version, whatever comes\n"
	"  zone release NAME...          serve what comes, and what has come meanwhile\n"
	"  zone held                     zones with a version that is not served, and why\n"
	"  zone accept NAME...           serve that version all the same\n"
	"  zone reject NAME...           never serve that version\n"
	"                                (V: a serial, \"current\" or \"held\")\n"
	"\n"
	"  primary list [--state STATE]  all primaries, what is wrong first, or those down, up, "
	"unused\n"
	"\n"
	"  store stats                   what is stored, what sharing saves, how commits fare\n"
	"  store check [--offline]       verify all of it: 0 if it is clean, 1, or 2 for trouble\n"
	"  reload                        apply the configuration file again\n"
	"  stop                          end the daemon\n"
	"  help                          this\n"
	"\n"
	"  -s, --socket SOCKET   the control socket (default " CTL_SOCKET_DEFAULT ")\n"
	"  -c, --config FILE     the daemon's configuration, to find the socket\n"
	"      --json            JSON instead of tables\n"
	"      --version, --help\n"
	"\n"
	"Exit status: 0, 1 for no (not found, refused, no daemon), 2 for misuse.\n";

static enum ctl_exit misuse(const struct ctl *ctl, const char *text, const char *what)
{
	fprintf(ctl->err, "axfarmctl: %s%s%s (see axfarmctl --help)\n", text,
	        what[0] != '\0' ? ": " : "", what);
	return CTL_MISUSE;
}

enum zone_words { WORDS_NONE, WORDS_NAME, WORDS_NAMES, WORDS_SERIAL, WORDS_VERSIONS };

/* The commands of "zone", and which words they take. */
static const struct zone_command {
	const char *name;
	enum zone_words words;
} zone_commands[] = {
	{ "list", WORDS_NONE },       { "held", WORDS_NONE },        { "status", WORDS_NAMES },
	{ "refresh", WORDS_NAMES },   { "retransfer", WORDS_NAMES }, { "export", WORDS_NAME },
	{ "show", WORDS_NAME },       { "history", WORDS_NAME },     { "diff", WORDS_VERSIONS },
	{ "rollback", WORDS_SERIAL }, { "pin", WORDS_NAMES },        { "release", WORDS_NAMES },
	{ "accept", WORDS_NAMES },    { "reject", WORDS_NAMES },
};

static enum ctl_exit one_name(const struct ctl *ctl, const char *name, const char *action)
{
	if (strcmp(action, "status") == 0) {
		return ctl_zone_status(ctl, name);
	}
	if (strcmp(action, "refresh") == 0 || strcmp(action, "retransfer") == 0) {
		return ctl_zone_act(ctl, name, action);
	}
	return ctl_zone_decide(ctl, name, action);
}

/* All names, whatever becomes of the first. */
static enum ctl_exit each_name(const struct ctl *ctl, char *const *names, const char *action)
{
	enum ctl_exit result = CTL_YES;

	for (; *names != NULL; names++) {
		enum ctl_exit one = one_name(ctl, *names, action);

		result = one == CTL_YES ? result : one;
	}
	return result;
}

static enum ctl_exit run_zone_command(const struct ctl *ctl, const char *action,
                                      enum zone_words takes, char *const *words)
{
	switch (takes) {
	case WORDS_NONE:
		return strcmp(action, "held") == 0 ? ctl_zone_held(ctl) : ctl_zone_list(ctl);
	case WORDS_NAMES:
		return each_name(ctl, words, action);
	case WORDS_SERIAL:
		return ctl_zone_rollback(ctl, words[0], words[1]);
	case WORDS_VERSIONS:
		return ctl_zone_diff(ctl, words);
	case WORDS_NAME:
		break;
	}
	return strcmp(action, "history") == 0 ? ctl_zone_history(ctl, words[0])
	                                      : ctl_zone_show(ctl, words[0]);
}

static const struct zone_command *zone_command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(zone_commands); i++) {
		if (strcmp(zone_commands[i].name, name) == 0) {
			return &zone_commands[i];
		}
	}
	return NULL;
}

/* Words before the end of the list; no more than `cap` are counted. */
static size_t words_count(char *const *words, size_t cap)
{
	size_t count = 0;

	while (count < cap && words[count] != NULL) {
		count++;
	}
	return count;
}

static enum ctl_exit run_zone(const struct ctl *ctl, char *const *words)
{
	static const struct {
		size_t min;
		size_t max;
		const char *wrong;
	} rules[] = {
		[WORDS_NONE] = { 0, 0, "takes no names" },
		[WORDS_NAME] = { 1, 1, "takes one name" },
		[WORDS_NAMES] = { 1, SIZE_MAX, "" },
		[WORDS_SERIAL] = { 2, 2, "takes a name and a serial" },
		[WORDS_VERSIONS] = { 3, 3, "takes a name and two versions" },
	};
	const char *action = words[0] == NULL ? "" : words[0];
	const struct zone_command *command = zone_command_find(action);
	char text[96];
	size_t count;

	if (command == NULL) {
		return misuse(ctl,
		              "zone needs list, status, refresh, retransfer, export, history, "
		              "show, diff, rollback, pin, release, held, accept or reject",
		              action);
	}
	count = words_count(words + 1, 4);
	if (count == 0 && rules[command->words].min > 0) {
		return misuse(ctl, "the name of a zone is missing after", action);
	}
	if (count < rules[command->words].min || count > rules[command->words].max) {
		snprintf(text, sizeof(text), "zone %.20s %s", action, rules[command->words].wrong);
		return misuse(ctl, text, words[count]);
	}
	return run_zone_command(ctl, action, command->words, words + 1);
}

static enum ctl_exit run_store(const struct ctl *ctl, char *const *words)
{
	const char *action = words[0] == NULL ? "" : words[0];

	if (action[0] != '\0' && words[1] != NULL) {
		return misuse(ctl, "this is one word too many", words[1]);
	}
	if (strcmp(action, "stats") == 0) {
		return ctl_store_stats(ctl);
	}
	return strcmp(action, "check") == 0 ? ctl_store_check(ctl)
	                                    : misuse(ctl, "store needs stats or check", action);
}

static enum ctl_exit run_primary(const struct ctl *ctl, char *const *words)
{
	const char *action = words[0] == NULL ? "" : words[0];

	if (strcmp(action, "list") != 0) {
		return misuse(ctl, "primary needs list", action);
	}
	return words[1] != NULL ? misuse(ctl, "this is one word too many", words[1])
	                        : ctl_primary_list(ctl);
}

static bool state_known(const char *const *states, const char *state)
{
	while (*states != NULL && strcmp(*states, state) != 0) {
		states++;
	}
	return *states != NULL;
}

/* What is wrong about --state. */
static const char *state_stray(const char *state, const char *command, const char *action)
{
	static const char *const of_zones[] = { "new",     "ok",      "refreshing",
		                                "failing", "expired", NULL };
	static const char *const of_primaries[] = { "down", "up", "unused", NULL };
	bool list = strcmp(action, "list") == 0;

	if (list && strcmp(command, "zone") == 0) {
		return state_known(of_zones, state)
		               ? NULL
		               : "--state is one of new, ok, refreshing, failing, expired";
	}
	if (list && strcmp(command, "primary") == 0) {
		return state_known(of_primaries, state) ? NULL
		                                        : "--state is one of down, up, unused";
	}
	return "--state goes with zone list and primary list only";
}

/* Options that go with one command only. */
static const char *option_stray(const struct ctl *ctl, const char *command, const char *action)
{
	bool zone = strcmp(command, "zone") == 0;
	const char *stray = ctl->state == NULL ? NULL : state_stray(ctl->state, command, action);

	if (stray != NULL) {
		return stray;
	}
	if (ctl->serial != NULL && !(zone && strcmp(action, "show") == 0)) {
		return "--serial goes with zone show only";
	}
	if (ctl->same_serial && !(zone && strcmp(action, "rollback") == 0)) {
		return "--same-serial goes with zone rollback only";
	}
	if (ctl->offline && !(strcmp(command, "store") == 0 && strcmp(action, "check") == 0)) {
		return "--offline goes with store check only";
	}
	return NULL;
}

static enum ctl_exit run(const struct ctl *ctl, char *const *words)
{
	const char *command = words[0] == NULL ? "" : words[0];
	const char *action = command[0] == '\0' || words[1] == NULL ? "" : words[1];
	const char *stray = option_stray(ctl, command, action);

	if (stray != NULL) {
		return misuse(ctl, stray, "");
	}
	if (strcmp(command, "zone") == 0) {
		return run_zone(ctl, words + 1);
	}
	if (strcmp(command, "primary") == 0) {
		return run_primary(ctl, words + 1);
	}
	if (strcmp(command, "store") == 0) {
		return run_store(ctl, words + 1);
	}
	if (action[0] != '\0') {
		return misuse(ctl, "this is one word too many", action);
	}
	if (strcmp(command, "status") == 0) {
		return ctl_status(ctl);
	}
	if (strcmp(command, "reload") == 0) {
		return ctl_reload(ctl);
	}
	if (strcmp(command, "stop") == 0) {
		return ctl_stop(ctl);
	}
	if (strcmp(command, "help") == 0) {
		fputs(usage, ctl->out);
		return CTL_YES;
	}
	return command[0] == '\0' ? misuse(ctl, "a command is missing", "")
	                          : misuse(ctl, "there is no such command", command);
}

struct options {
	const char *socket_path;
	const char *config_path;
	bool done; /* --help or --version was all */
};

enum {
	OPTION_JSON = 256,
	OPTION_STATE,
	OPTION_SERIAL,
	OPTION_SAME_SERIAL,
	OPTION_OFFLINE,
	OPTION_VERSION,
	OPTION_HELP,
};

/* One option; false after a complaint. */
static bool option_take(struct ctl *ctl, struct options *o, int option)
{
	switch (option) {
	case 's':
		o->socket_path = optarg;
		return true;
	case 'c':
		o->config_path = optarg;
		ctl->config_path = optarg;
		return true;
	case OPTION_JSON:
		ctl->json = true;
		return true;
	case OPTION_STATE:
		ctl->state = optarg;
		return true;
	case OPTION_SERIAL:
		ctl->serial = optarg;
		return true;
	case OPTION_SAME_SERIAL:
		ctl->same_serial = true;
		return true;
	case OPTION_OFFLINE:
		ctl->offline = true;
		return true;
	case OPTION_VERSION:
		fprintf(ctl->out, "axfarmctl %s\n", AXFARM_VERSION);
		o->done = true;
		return true;
	case OPTION_HELP:
		fputs(usage, ctl->out);
		o->done = true;
		return true;
	default:
		fputs("axfarmctl: see axfarmctl --help\n", ctl->err);
		return false;
	}
}

/* Finds the socket that the options name. */
static enum ctl_exit find_socket(struct ctl *ctl, const struct options *o)
{
	char why[256] = "";

	if (o->socket_path != NULL && o->config_path != NULL) {
		return misuse(ctl, "-s and -c both name a socket; one is enough", "");
	}
	if (o->config_path != NULL) {
		if (!ctl_config_socket(o->config_path, ctl->socket_path, why)) {
			ctl_complain(ctl, "", "config", why);
			return CTL_NO;
		}
		return CTL_YES;
	}
	if (strlen(o->socket_path == NULL ? "" : o->socket_path) >= sizeof(ctl->socket_path)) {
		return misuse(ctl, "the path of the socket is longer than 107 octets", "");
	}
	snprintf(ctl->socket_path, sizeof(ctl->socket_path), "%s",
	         o->socket_path == NULL ? CTL_SOCKET_DEFAULT : o->socket_path);
	return CTL_YES;
}

/* Colours where a terminal shows them and nobody minds (no-color.org). */
static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) == 1 && (no_color == NULL || no_color[0] == '\0') &&
	       term != NULL && strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "state", required_argument, NULL, OPTION_STATE },
		{ "serial", required_argument, NULL, OPTION_SERIAL },
		{ "same-serial", no_argument, NULL, OPTION_SAME_SERIAL },
		{ "offline", no_argument, NULL, OPTION_OFFLINE },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ 0 },
	};
	struct ctl ctl = { .env = env_system(), .out = stdout, .err = stderr };
	struct options o = { 0 };
	enum ctl_exit result;
	int option;

	while ((option = getopt_long(argc, argv, "s:c:", options, NULL)) != -1) {
		if (!option_take(&ctl, &o, option)) {
			return CTL_MISUSE;
		}
	}
	if (o.done) {
		return CTL_YES;
	}
	ctl.colour = wants_colour();
	result = find_socket(&ctl, &o);
	if (result == CTL_YES) {
		result = run(&ctl, argv + optind);
	}
	if (fflush(stdout) != 0 && result == CTL_YES) {
		fputs("axfarmctl: cannot write to standard output\n", stderr);
		result = CTL_NO;
	}
	return (int)result;
}
