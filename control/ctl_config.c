/* SPDX-License-Identifier: MIT
 *
 * control/ctl_config.c — where the socket of a configuration is.
 *
 * The rest of the file is not looked at: its keys may lie in files that are not ours to read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "control/ctl_p.h"

#define WHY_MAX 256

struct finder {
	unsigned depth;   /* of maps and lists */
	bool in_control;  /* the map is the section `control` */
	bool key_next;    /* the next scalar of the map is a key */
	char key[16];     /* the last one */
	const char *path; /* of the file */
};

/* Keeps the key, or takes the value that we look for. True when it was found. */
static bool finder_scalar(struct finder *f, const char *text, char out[static CTL_PATH_MAX])
{
	bool map = f->depth == 1 || (f->depth == 2 && f->in_control);
	const char *slash = strrchr(f->path, '/');
	int folder = text[0] == '/' || slash == NULL ? 0 : (int)(slash - f->path) + 1;

	if (!map) {
		return false;
	}
	f->key_next = !f->key_next;
	if (!f->key_next) {
		snprintf(f->key, sizeof(f->key), "%s", text);
		return false;
	}
	return f->depth == 2 && strcmp(f->key, "socket") == 0 &&
	       snprintf(out, CTL_PATH_MAX, "%.*s%s", folder, f->path, text) < CTL_PATH_MAX;
}

static bool finder_event(struct finder *f, const yaml_event_t *e, char out[static CTL_PATH_MAX])
{
	switch (e->type) {
	case YAML_MAPPING_START_EVENT:
		f->depth++;
		if (f->depth <= 2) {
			f->in_control = f->depth == 2 && strcmp(f->key, "control") == 0;
			f->key_next = true;
		}
		return false;
	case YAML_SEQUENCE_START_EVENT:
		f->depth++;
		return false;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		f->depth--;
		/* Back in a map that we follow, a key is next. */
		f->key_next = f->depth <= 2 ? true : f->key_next;
		f->in_control = f->in_control && f->depth >= 2;
		return false;
	case YAML_SCALAR_EVENT:
		return finder_scalar(f, (const char *)e->data.scalar.value, out);
	default:
		return false;
	}
}

/* Follows the events of the file; false without a socket, with `why` if it is not readable. */
static bool find_socket(yaml_parser_t *parser, struct finder *f, char out[static CTL_PATH_MAX],
                        char why[static WHY_MAX])
{
	bool found = false, ended = false;

	while (!found && !ended) {
		yaml_event_t e;

		if (yaml_parser_parse(parser, &e) == 0) {
			snprintf(why, WHY_MAX, "%.120s:%zu: this is not YAML: %.80s", f->path,
			         parser->problem_mark.line + 1,
			         parser->problem != NULL ? parser->problem : "unreadable");
			return false;
		}
		found = finder_event(f, &e, out);
		ended = e.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&e);
	}
	if (!found) {
		snprintf(out, CTL_PATH_MAX, "%s", CTL_SOCKET_DEFAULT);
	}
	return true;
}

bool ctl_config_socket(const char *path, char out[static CTL_PATH_MAX], char why[static WHY_MAX])
{
	struct finder f = { .path = path };
	yaml_parser_t parser;
	FILE *in = fopen(path, "re");
	bool good;

	if (in == NULL) {
		snprintf(why, WHY_MAX, "%.120s cannot be read: %s", path, strerror(errno));
		return false;
	}
	if (yaml_parser_initialize(&parser) == 0) {
		snprintf(why, WHY_MAX, "no memory");
		fclose(in);
		return false;
	}
	yaml_parser_set_input_file(&parser, in);
	good = find_socket(&parser, &f, out, why);
	yaml_parser_delete(&parser);
	fclose(in);
	return good;
}
