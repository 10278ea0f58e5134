/* SPDX-License-Identifier: MIT
 *
 * control/ctl_http.c — as much of an HTTP/1.1 client as the control socket needs (RFC 9112). */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/ctl_p.h"

#define WHY_MAX  256
#define LINE_CAP 128 /* of a chunk's size */

static bool explain(char why[static WHY_MAX], const char *path, int errnum)
{
	if (errnum == ENOENT || errnum == ECONNREFUSED) {
		snprintf(
			why, WHY_MAX,
			"no daemon listens on %.120s (is axfarmd running? -s names another socket)",
			path);
	} else {
		snprintf(why, WHY_MAX, "cannot talk to the daemon on %.120s: %s", path,
		         strerror(errnum));
	}
	return false;
}

static bool call_connect(struct ctl_call *call, const char *path, char why[static WHY_MAX])
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(path);

	if (len >= sizeof(sun.sun_path)) {
		return explain(why, path, ENAMETOOLONG);
	}
	memcpy(sun.sun_path, path, len + 1);
	call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (call->fd < 0 || connect(call->fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		return explain(why, path, errno);
	}
	return true;
}

static bool call_write(struct ctl_call *call, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t done = send(call->fd, text, len, MSG_NOSIGNAL);

		if (done < 0 && errno != EINTR) {
			return false;
		}
		text += done < 0 ? 0 : done;
		len -= done < 0 ? 0 : (size_t)done;
	}
	return true;
}

/* Reads more octets behind those in the buffer; false at the end, on failure, and after a long
 * wait (errno says which; 0 is the end). */
static bool call_fill(struct ctl_call *call)
{
	struct pollfd p = { .fd = call->fd, .events = POLLIN };
	ssize_t got;

	if (call->at == call->len) {
		call->at = 0;
		call->len = 0;
	}
	if (call->len == sizeof(call->buffer)) {
		memmove(call->buffer, call->buffer + call->at, call->len - call->at);
		call->len -= call->at;
		call->at = 0;
	}
	if (call->len == sizeof(call->buffer)) {
		errno = EMSGSIZE;
		return false;
	}
	do {
		if (poll(&p, 1, CTL_WAIT_MS) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
		got = read(call->fd, call->buffer + call->len, sizeof(call->buffer) - call->len);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		errno = got == 0 ? 0 : errno;
		return false;
	}
	call->len += (size_t)got;
	return true;
}

/* Cuts a line (without CRLF) of at most cap - 1 octets out of what arrives. */
static bool call_line(struct ctl_call *call, char *out, size_t cap)
{
	for (;;) {
		const char *from = call->buffer + call->at;
		const char *end = memchr(from, '\n', call->len - call->at);
		size_t len;

		if (end == NULL) {
			if (!call_fill(call)) {
				return false;
			}
			continue;
		}
		len = (size_t)(end - from);
		call->at += len + 1;
		len -= len > 0 && from[len - 1] == '\r';
		if (len >= cap) {
			errno = EMSGSIZE;
			return false;
		}
		memcpy(out, from, len);
		out[len] = '\0';
		return true;
	}
}

/* Reads the status line and the header lines. */
static bool call_head(struct ctl_call *call)
{
	char line[1024];

	if (!call_line(call, line, sizeof(line))) {
		return false;
	}
	if (strncmp(line, "HTTP/1.", 7) != 0 || strlen(line) < 12) {
		errno = EPROTO;
		return false;
	}
	call->status = (unsigned)strtoul(line + 9, NULL, 10);
	call->left = UINT64_MAX;
	for (;;) {
		if (!call_line(call, line, sizeof(line))) {
			return false;
		}
		if (line[0] == '\0') {
			return true;
		}
		if (strncasecmp(line, "Content-Length:", 15) == 0) {
			call->left = strtoull(line + 15, NULL, 10);
		} else if (strcasecmp(line, "Transfer-Encoding: chunked") == 0) {
			call->chunked = true;
		}
	}
}

bool call_begin(struct ctl_call *call, const char *socket_path, const char *method,
                const char *target, char why[static WHY_MAX])
{
	char request[CTL_TARGET_MAX + 256];
	int len;

	*call = (struct ctl_call){ .fd = -1 };
	len = snprintf(request, sizeof(request),
	               "%s %s HTTP/1.1\r\nHost: axfarmd\r\nContent-Length: 0\r\n"
	               "Connection: close\r\n\r\n",
	               method, target);
	if (!call_connect(call, socket_path, why)) {
		return false;
	}
	if (!call_write(call, request, (size_t)len) || !call_head(call)) {
		return explain(why, socket_path, errno == 0 ? ECONNRESET : errno);
	}
	if (call->chunked) {
		call->left = 0;
	}
	return true;
}

/* Reads the line before a chunk; a size of 0 is the last. */
static bool call_chunk(struct ctl_call *call)
{
	char line[LINE_CAP];
	char *end;

	if (!call_line(call, line, sizeof(line)) ||
	    /* The line end after the chunk before. */
	    (line[0] == '\0' && !call_line(call, line, sizeof(line)))) {
		return false;
	}
	call->left = strtoull(line, &end, 16);
	if (end == line) {
		errno = EPROTO;
		return false;
	}
	call->ended = call->left == 0;
	return true;
}

size_t call_read(struct ctl_call *call, char *out, size_t cap)
{
	size_t part;

	if (call->chunked && call->left == 0 && !call->ended && !call->broken) {
		call->broken = !call_chunk(call);
	}
	if (call->left == 0 || call->ended || call->broken) {
		call->ended = !call->broken;
		return 0;
	}
	if (call->at == call->len && !call_fill(call)) {
		call->ended = call->left == UINT64_MAX && errno == 0;
		call->broken = !call->ended;
		return 0;
	}
	part = call->len - call->at;
	part = part < cap ? part : cap;
	part = part < call->left ? part : (size_t)call->left;
	memcpy(out, call->buffer + call->at, part);
	call->at += part;
	call->left -= call->left == UINT64_MAX ? 0 : part;
	return part;
}

void call_end(struct ctl_call *call)
{
	if (call->fd >= 0) {
		close(call->fd);
	}
	call->fd = -1;
}

bool target_add(char *target, size_t cap, const char *segment)
{
	size_t len = strlen(target);

	for (const char *p = segment; *p != '\0'; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		             (*p >= '0' && *p <= '9') || strchr("-._~", *p) != NULL;

		if (len + 4 > cap) {
			return false;
		}
		len += (size_t)snprintf(target + len, cap - len, plain ? "%c" : "%%%02X",
		                        (unsigned char)*p);
	}
	return true;
}
