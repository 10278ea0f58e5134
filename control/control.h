/* SPDX-License-Identifier: MIT
 *
 * control/control.h — the control socket: HTTP and JSON over a unix socket.
 *
 * The command line, scripts and later the network speak one interface. It runs in threads of its
 * own and touches no zone: everything goes through struct control_ops (control/ops.h). Whoever may
 * open the socket (mode 0660) may do everything.
 *
 *	GET  /v1/status                      counters and health
 *	GET  /v1/zones?state=&held=&cursor=&limit=
 *	                                     zones; streamed, with a cursor for the next page
 *	GET  /v1/zones/NAME                  one zone
 *	GET  /v1/zones/NAME/export?serial=   a version as a zone file (text/dns), streamed
 *	GET  /v1/zones/NAME/history          the versions that are kept
 *	GET  /v1/zones/NAME/diff?a=&b=       what differs between two of them (text/plain), streamed
 *	POST /v1/zones/NAME/refresh          ask the primaries now
 *	POST /v1/zones/NAME/retransfer       fetch the whole zone now
 *	POST /v1/zones/NAME/rollback?serial=&same_serial=
 *	POST /v1/zones/NAME/pin, release, accept, reject
 *	                                     what is served; answered when durable and visible
 *	GET  /v1/primaries?state=&limit=     primaries, what is wrong first; streamed
 *	GET  /v1/store/stats                 what is stored, and how fast
 *	POST /v1/store/check                 verify all of it; a line a finding, then a summary
 *	POST /v1/reload                      apply the configuration file again
 *	POST /v1/stop                        end the daemon; answered first
 *
 * Errors are {"error": {"code": "...", "text": "..."}} with a fitting status. Everything is
 * bounded: connections, the time a connection may idle, and request bodies (none is read).
 *
 * Ownership: control_start() makes it, control_stop() ends every connection and frees it. */
#pragma once

#include "base/env.h"
#include "base/event.h"
#include "control/ops.h"

#define CONTROL_CONNECTIONS_MAX 64
#define CONTROL_IDLE_S          30 /* without progress on a connection */
#define CONTROL_BODY_MAX_BYTES  4096
#define CONTROL_WHY_MAX         256

struct control;

struct control_options {
	const char *socket_path;       /* at most 107 octets */
	const struct control_ops *ops; /* borrowed until control_stop() returned */
	struct events *events;         /* borrowed likewise */
	const struct env *env;
};

/* Listens on the socket and answers. A socket file that nobody listens on is replaced; one that
 * somebody does is ERR_BUSY. On failure `why` has one sentence for people. */
MUST_USE enum err control_start(const struct control_options *options, struct control **out,
                                char why[static CONTROL_WHY_MAX]);

/* Stops listening, lets requests under way end for at most a quarter of a second, and removes the
 * socket file. Not on a control thread. NULL is a no-op. */
void control_stop(struct control *c);
