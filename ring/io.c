/* SPDX-License-Identifier: MIT
 *
 * ring/io.c — the part of struct io that is the same everywhere. */
#include "ring/io.h"

void io_post_reply(struct io *io, struct io_mail *mail)
{
	enum err e = io->ops->post(io, mail, true);

	assert(e == ERR_OK); /* replies are never refused */
	(void)e;
}
