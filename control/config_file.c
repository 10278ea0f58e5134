/* SPDX-License-Identifier: MIT
 *
 * control/config_file.c — reads whole files from the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "control/config_p.h"

#define READ_PIECE_BYTES 65536

/* Reads up to the end; a file that grows meanwhile is read as far as it was when opened. */
static enum err fd_read(int fd, char *text, size_t cap, size_t *len)
{
	*len = 0;
	while (*len < cap) {
		ssize_t got = read(fd, text + *len, cap - *len);
		if (got == 0) {
			break;
		}
		if (got > 0) {
			*len += (size_t)got;
		} else if (errno != EINTR) {
			return err_from_errno(errno);
		}
	}
	return ERR_OK;
}

static enum err fd_take(int fd, struct config_file *out, const char **why)
{
	struct config_file f = { 0 };
	struct stat st;
	enum err e;

	if (fstat(fd, &st) != 0) {
		*why = strerror(errno);
		return err_from_errno(errno);
	}
	if (!S_ISREG(st.st_mode)) {
		*why = "it is not a file";
		return ERR_CONFIG;
	}
	if (st.st_size > CONFIG_FILE_MAX_BYTES) {
		*why = "it is larger than 512M";
		return ERR_CONFIG;
	}
	f.text = mem_new((size_t)st.st_size + 1);
	e = fd_read(fd, f.text, (size_t)st.st_size, &f.len);
	if (e != ERR_OK) {
		*why = "reading it failed";
		secret_wipe(f.text, (size_t)st.st_size);
		free(f.text);
		return e;
	}
	f.text[f.len] = '\0';
	f.world_readable = (st.st_mode & S_IROTH) != 0;
	*out = f;
	return ERR_OK;
}

enum err config_file_read(void *self, const char *path, struct config_file *out, const char **why)
{
	/* Opening a FIFO or a device must not wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum err e;

	(void)self;
	if (fd < 0) {
		*why = strerror(errno);
		return errno == ENOENT ? ERR_NOT_FOUND : err_from_errno(errno);
	}
	e = fd_take(fd, out, why);
	close(fd);
	return e;
}
