/* SPDX-License-Identifier: MIT
 *
 * control/control_socket.c — the unix socket's file: made, replaced when stale, removed. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/http_p.h"

#define SOCKET_MODE    0660
#define SOCKET_BACKLOG 64

static enum err fail(char why[static CONTROL_WHY_MAX], const char *path, const char *what,
                     int errnum)
{
	snprintf(why, CONTROL_WHY_MAX, "control socket %s: %s%s%s", path, what,
	         errnum != 0 ? ": " : "", errnum != 0 ? strerror(errnum) : "");
	return errnum != 0 ? err_from_errno(errnum) : ERR_CONFIG;
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memcpy(sun.sun_path, path, strlen(path) + 1);
	return sun;
}

/* Does anyone listen there? A full backlog is someone, too. */
static bool socket_alive(const struct sockaddr_un *sun)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive;

	if (fd < 0) {
		return true; /* not known: leave it alone */
	}
	alive = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	        errno != ECONNREFUSED;
	close(fd);
	return alive;
}

/* Removes a socket file that nobody listens on. */
static enum err remove_stale(const struct sockaddr_un *sun, char why[static CONTROL_WHY_MAX])
{
	struct stat st;

	if (lstat(sun->sun_path, &st) != 0) {
		return errno == ENOENT ? ERR_OK
		                       : fail(why, sun->sun_path, "cannot be looked at", errno);
	}
	if (!S_ISSOCK(st.st_mode)) {
		return fail(why, sun->sun_path, "the path is taken by something else", 0);
	}
	if (socket_alive(sun)) {
		fail(why, sun->sun_path, "another process listens there", 0);
		return ERR_BUSY;
	}
	if (unlink(sun->sun_path) != 0) {
		return fail(why, sun->sun_path, "the stale socket cannot be removed", errno);
	}
	return ERR_OK;
}

/* Nobody can connect between bind() and listen(), so the mode is right from the first moment. */
static enum err socket_open(struct control *c, int fd, const struct sockaddr_un *sun,
                            char why[static CONTROL_WHY_MAX])
{
	struct stat st;

	if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0) {
		return fail(why, c->path, "cannot be made", errno);
	}
	if (chmod(c->path, SOCKET_MODE) != 0 || lstat(c->path, &st) != 0) {
		return fail(why, c->path, "its mode cannot be set", errno);
	}
	c->path_dev = st.st_dev;
	c->path_ino = st.st_ino;
	if (listen(fd, SOCKET_BACKLOG) != 0) {
		return fail(why, c->path, "cannot listen", errno);
	}
	return ERR_OK;
}

enum err socket_listen(struct control *c, char why[static CONTROL_WHY_MAX])
{
	struct sockaddr_un sun;
	enum err e;
	int fd;

	static_assert(sizeof(c->path) == sizeof(sun.sun_path), "a path that fits fits");
	sun = address_of(c->path);
	TRY(remove_stale(&sun, why));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return fail(why, c->path, "no socket", errno);
	}
	e = socket_open(c, fd, &sun, why);
	if (e != ERR_OK) {
		socket_remove(c);
		close(fd);
		return e;
	}
	c->fd = fd;
	return ERR_OK;
}

void socket_remove(struct control *c)
{
	struct stat st;

	if (c->path_ino != 0 && lstat(c->path, &st) == 0 && st.st_dev == c->path_dev &&
	    st.st_ino == c->path_ino) {
		unlink(c->path);
	}
}
