/* SPDX-License-Identifier: MIT
 *
 * control/control.c — the control socket's life (door to libmicrohttpd, with http*.c). */
#include "control/control.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "control/http_p.h"

#define LINGER_STEP_MS 5

/* Starts the threads with every signal blocked: signals are the daemon's own. */
static struct MHD_Daemon *http_start(struct control *c)
{
	struct MHD_OptionItem options[] = {
		{ MHD_OPTION_LISTEN_SOCKET, c->fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, CONTROL_CONNECTIONS_MAX, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, CONTROL_IDLE_S, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_MEMORY_BYTES, NULL },
		{ MHD_OPTION_THREAD_STACK_SIZE, HTTP_STACK_BYTES, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_Daemon *http;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	http = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
	                                MHD_USE_POLL | MHD_USE_ITC,
	                        0, NULL, NULL, http_answer, c, MHD_OPTION_NOTIFY_COMPLETED,
	                        http_completed, c, MHD_OPTION_UNESCAPE_CALLBACK,
	                        http_unescape_nothing, NULL, MHD_OPTION_ARRAY, options,
	                        MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return http;
}

enum err control_start(const struct control_options *options, struct control **out,
                       char why[static CONTROL_WHY_MAX])
{
	struct control *c = mem_zero(1, sizeof(*c));
	enum err e;

	c->ops = options->ops;
	c->events = options->events;
	c->fd = -1;
	if (strlen(options->socket_path) >= sizeof(c->path)) {
		snprintf(why, CONTROL_WHY_MAX, "control socket: the path is longer than %zu octets",
		         sizeof(c->path) - 1);
		free(c);
		return ERR_CONFIG;
	}
	memcpy(c->path, options->socket_path, strlen(options->socket_path) + 1);
	e = socket_listen(c, why);
	if (e != ERR_OK) {
		free(c);
		return e;
	}
	c->http = http_start(c);
	if (c->http == NULL) {
		snprintf(why, CONTROL_WHY_MAX, "control socket %s: its threads cannot be started",
		         c->path);
		socket_remove(c);
		close(c->fd);
		free(c);
		return ERR_SYSTEM;
	}
	EVENT(c->events, EVENT_LISTENING, F_STR("address", c->path));
	*out = c;
	return ERR_OK;
}

void control_stop(struct control *c)
{
	MHD_socket fd;

	if (c == NULL) {
		return;
	}
	socket_remove(c);
	fd = MHD_quiesce_daemon(c->http);
	/* An answer that is all but out shall get out: the one to "stop" is. */
	for (unsigned i = 0; i < HTTP_LINGER_MS / LINGER_STEP_MS && c->requests > 0; i++) {
		poll(NULL, 0, LINGER_STEP_MS);
	}
	atomic_store(&c->stopping, true);
	MHD_stop_daemon(c->http);
	if (fd != MHD_INVALID_SOCKET) {
		close(fd);
	}
	free(c);
}
