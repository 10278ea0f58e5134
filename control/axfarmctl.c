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

/* All names, whatever becomes of the first. */
static enum ctl_exit each_name(const struct ctl *ctl, char *const *names, const char *action)
{
	enum ctl_exit result = CTL_YES;

	for (; *names != NULL; names++) {
		enum ctl_exit one = strcmp(action, "status") == 0
		                            ? ctl_zone_status(ctl, *names)
		                            : ctl_zone_act(ctl, *names, action);

		result = one == CTL_YES ? result : one;
	}
	return result;
}

static enum ctl_exit run_zone(const struct ctl *ctl, char *const *words)
{
	const char *action = words[0] == NULL ? "" : words[0];
	bool named = strcmp(action, "status") == 0 || strcmp(action, "refresh") == 0 ||
	             strcmp(action, "retransfer") == 0 || strcmp(action, "export") == 0;

	if (strcmp(action, "list") == 0) {
		return words[1] == NULL ? ctl_zone_list(ctl)
		                        : misuse(ctl, "zone list takes no names", words[1]);
	}
	if (!named) {
		return misuse(ctl, "zone needs list, status, refresh, retransfer or export",
		              action);
	}
	if (words[1] == NULL) {
		return misuse(ctl, "the name of a zone is missing after", action);
	}
	if (strcmp(action, "export") != 0) {
		return each_name(ctl, words + 1, action);
	}
	return words[2] == NULL ? ctl_zone_export(ctl, words[1])
	                        : misuse(ctl, "zone export takes one name", words[2]);
}

static enum ctl_exit run(const struct ctl *ctl, char *const *words)
{
	const char *command = words[0] == NULL ? "" : words[0];

	if (ctl->state != NULL &&
	    (strcmp(command, "zone") != 0 || words[1] == NULL || strcmp(words[1], "list") != 0)) {
		return misuse(ctl, "--state goes with zone list only", "");
	}
	if (strcmp(command, "zone") == 0) {
		return run_zone(ctl, words + 1);
	}
	if (command[0] != '\0' && words[1] != NULL) {
		return misuse(ctl, "this is one word too many", words[1]);
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

static bool state_known(const char *state)
{
	static const char *const states[] = { "new", "ok", "refreshing", "failing", "expired" };

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(states[i], state) == 0) {
			return true;
		}
	}
	return false;
}

struct options {
	const char *socket_path;
	const char *config_path;
	bool done; /* --help or --version was all */
};

enum { OPTION_JSON = 256, OPTION_STATE, OPTION_VERSION, OPTION_HELP };

/* One option; false after a complaint. */
static bool option_take(struct ctl *ctl, struct options *o, int option)
{
	switch (option) {
	case 's':
		o->socket_path = optarg;
		return true;
	case 'c':
		o->config_path = optarg;
		return true;
	case OPTION_JSON:
		ctl->json = true;
		return true;
	case OPTION_STATE:
		ctl->state = optarg;
		if (!state_known(optarg)) {
			misuse(ctl, "--state is one of new, ok, refreshing, failing, expired",
			       optarg);
			return false;
		}
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
