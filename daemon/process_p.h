/* SPDX-License-Identifier: MIT
 *
 * daemon/process_p.h — the process as the system sees it: whom it runs as, and who watches it. */
#pragma once

#include "base/bytes.h"

/* Gives up root for `user` (a name); a no-op if not root or no user. */
MUST_USE enum err process_drop(const char *user, char *why, size_t why_cap);

/* Makes a directory (and its parents) that `user` may write. */
MUST_USE enum err process_make_dir(const char *path, const char *user, char *why, size_t why_cap);

/* Takes as many file descriptors as the hard limit allows. */
void process_raise_limits(void);

/* Tells the service manager ("READY=1", "STOPPING=1", ...) if there is one (sd_notify(3)). */
void process_notify(const char *state);
