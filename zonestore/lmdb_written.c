/* SPDX-License-Identifier: MIT
 *
 * zonestore/lmdb_written.c — octets given to write().
 *
 * The file of counts stays open, and it is read once a transaction: with hundreds of those a second,
 * opening it would be a part of what each costs. What else the thread writes counts as well, which is
 * next to nothing. */
#include "zonestore/lmdb_written_p.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lmdb_written_init(struct lmdb_written *w)
{
	*w = (struct lmdb_written){ .fd = -1 };
}

void lmdb_written_fini(struct lmdb_written *w)
{
	if (w->fd >= 0) {
		close(w->fd);
	}
	w->fd = -1;
}

/* The second line is "wchar: " and a number. */
static uint64_t count_read(int fd)
{
	char text[256];
	ssize_t len = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, 0);
	const char *at;

	text[len > 0 ? len : 0] = '\0';
	at = strstr(text, "wchar: ");
	return at == NULL ? 0 : strtoull(at + strlen("wchar: "), NULL, 10);
}

void lmdb_written_begin(struct lmdb_written *w)
{
	pid_t here = gettid();

	if (here == w->thread) {
		return;
	}
	lmdb_written_fini(w);
	w->thread = here;
	w->fd = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
	w->last = count_read(w->fd);
}

void lmdb_written_look(struct lmdb_written *w)
{
	uint64_t now = count_read(w->fd);

	w->bytes += now > w->last ? now - w->last : 0;
	w->last = now > w->last ? now : w->last;
}
