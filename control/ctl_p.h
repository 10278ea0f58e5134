/* SPDX-License-Identifier: MIT
 *
 * control/ctl_p.h — axfarmctl: a command line for the control socket.
 *
 * It speaks the HTTP and JSON of control/control.h and knows nothing else of the daemon. Tables for
 * people go to standard output, as does JSON for programs; complaints go to standard error. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "base/env.h"

#define CTL_SOCKET_DEFAULT "/run/axfarm/axfarm.sock"
#define CTL_CONFIG_DEFAULT "/etc/axfarm/axfarm.yaml"
#define CTL_PATH_MAX       108
#define CTL_HEAD_MAX       16384 /* status line and header lines of an answer */
#define CTL_TARGET_MAX     8192
#define CTL_WAIT_MS        60000 /* for the next octets of an answer */
#define CTL_PAGE_ZONES     1000
#define CTL_COLUMNS_MAX    14

/* Exit statuses. */
enum ctl_exit {
	CTL_YES = 0,
	CTL_NO = 1,      /* not found, refused, or no daemon there */
	CTL_MISUSE = 2,  /* the command line is wrong */
	CTL_TROUBLE = 2, /* of diffs and checks, as of diff(1): it could not be found out */
};

struct ctl {
	char socket_path[CTL_PATH_MAX];
	bool json;
	bool colour;
	const char *state;       /* of --state; NULL: all */
	const char *serial;      /* of --serial; NULL: what is served */
	const char *config_path; /* of -c */
	bool same_serial;
	bool offline;
	const struct env *env;
	FILE *out;
	FILE *err;
};

/* ctl_http.c: one request and its answer, over a connection of its own. */
struct ctl_call {
	int fd;
	unsigned status;
	bool chunked;
	bool broken;   /* the answer ended too early */
	bool ended;    /* ... or where it should */
	uint64_t left; /* of the body, or of the chunk; UINT64_MAX: until the connection closes */
	size_t at;     /* of what was read and not yet used */
	size_t len;
	char buffer[CTL_HEAD_MAX];
};

/* Sends the request and reads the answer's head. On failure a sentence is in `why`. */
bool call_begin(struct ctl_call *call, const char *socket_path, const char *method,
                const char *target, char why[static 256]);
/* Reads octets of the body: 0 at its end, and where call->broken says so. */
size_t call_read(struct ctl_call *call, char *out, size_t cap);
void call_end(struct ctl_call *call);
/* Appends a path segment to a target, escaped. False where it does not fit. */
bool target_add(char *target, size_t cap, const char *segment);

/* ctl_config.c: the setting control.socket of a configuration file, and nothing else of it. */
bool ctl_config_socket(const char *path, char out[static CTL_PATH_MAX], char why[static 256]);

/* ctl_table.c */
enum ctl_colour {
	COLOUR_NONE,
	COLOUR_GOOD,
	COLOUR_BUSY,
	COLOUR_BAD,
	COLOUR_DIM,
};

struct table {
	const char *const *heads;
	size_t columns;
	unsigned right; /* bits: columns aligned to the right */
	size_t widths[CTL_COLUMNS_MAX];
	char *(*rows)[CTL_COLUMNS_MAX];
	enum ctl_colour *colours; /* of the second column of a row */
	size_t count;
	size_t cap;
	bool headed;
};

/* Copies the cells. */
void table_add(struct table *t, const char *const cells[], enum ctl_colour colour);
/* Prints the rows so far and forgets them; widths only grow, so that pages go together. */
void table_flush(struct table *t, const struct ctl *ctl);
void table_fini(struct table *t);

#define CTL_TIME_MAX 64
/* "3 s ago", "in 42 min"; "-" for a time that is none. */
const char *time_relative(const char *rfc3339, int64_t now_s, char out[static CTL_TIME_MAX]);
/* "42 s", "3 h" */
const char *time_span(int64_t seconds, char out[static CTL_TIME_MAX]);
const char *number_short(uint64_t bytes, char out[static CTL_TIME_MAX]);
/* "42 us", "1.3 ms" */
const char *micros_short(uint64_t us, char out[static CTL_TIME_MAX]);
void colour_begin(const struct ctl *ctl, enum ctl_colour colour);
void colour_end(const struct ctl *ctl, enum ctl_colour colour);
/* Prints text with control characters made harmless, padded to `width` (negative: to the left). */
void text_print(const struct ctl *ctl, const char *text, int width);

/* ctl_call.c: calls that are answered with one JSON value. */

/* Returns the value, or NULL after telling why; *result then is the exit status. */
json_t *ctl_get(const struct ctl *ctl, const char *method, const char *target, const char *about,
                enum ctl_exit *result);
/* Tells that something failed: as JSON on standard output, or as a sentence on standard error. */
void ctl_complain(const struct ctl *ctl, const char *about, const char *code, const char *text);
/* Tells what the daemon said in an answer that is no success. */
void ctl_refused(const struct ctl *ctl, const char *about, unsigned status, const json_t *body);
/* What was copied of an answer. */
struct ctl_copied {
	uint64_t octets;
	bool ended; /* the last line did */
	size_t line_len;
	char line[16]; /* how it begins */
};

/* Copies the body of an answer to standard output as it comes. What is cut short is told, and a
 * failure. */
enum ctl_exit ctl_copy(const struct ctl *ctl, const char *method, const char *target,
                       const char *about, struct ctl_copied *out);

/* Members of a JSON object; "" and 0 where there is none. */
const char *member_text(const json_t *object, const char *name);
uint64_t member_count(const json_t *object, const char *name);
void json_print(const struct ctl *ctl, const json_t *value);

/* A number, or "-" where there is none; a text likewise. */
const char *count_text(const json_t *object, const char *name, char out[static CTL_TIME_MAX]);
const char *text_or_dash(const json_t *object, const char *name);

/* ctl_zone.c: the target of what is asked of a zone. False after telling that it is no name. */
bool zone_target(const struct ctl *ctl, const char *name, const char *action,
                 char target[static CTL_TARGET_MAX]);

/* ctl_versions.c: the sentence for a code of why a version is held. */
const char *hold_text(const char *why);

/* ctl_status.c, ctl_zone.c, ctl_versions.c, ctl_primary.c, ctl_store.c: commands. */
enum ctl_exit ctl_status(const struct ctl *ctl);
enum ctl_exit ctl_reload(const struct ctl *ctl);
enum ctl_exit ctl_stop(const struct ctl *ctl);
enum ctl_exit ctl_zone_list(const struct ctl *ctl);
enum ctl_exit ctl_zone_status(const struct ctl *ctl, const char *name);
enum ctl_exit ctl_zone_act(const struct ctl *ctl, const char *name, const char *action);
enum ctl_exit ctl_zone_held(const struct ctl *ctl);
enum ctl_exit ctl_zone_show(const struct ctl *ctl, const char *name);
enum ctl_exit ctl_zone_history(const struct ctl *ctl, const char *name);
/* NAME A B */
enum ctl_exit ctl_zone_diff(const struct ctl *ctl, char *const words[static 3]);
enum ctl_exit ctl_zone_rollback(const struct ctl *ctl, const char *name, const char *serial);
/* pin, release, accept, reject */
enum ctl_exit ctl_zone_decide(const struct ctl *ctl, const char *name, const char *action);
enum ctl_exit ctl_primary_list(const struct ctl *ctl);
enum ctl_exit ctl_store_stats(const struct ctl *ctl);
enum ctl_exit ctl_store_check(const struct ctl *ctl);
