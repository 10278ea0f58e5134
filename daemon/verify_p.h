/* SPDX-License-Identifier: MIT
 *
 * daemon/verify_p.h — a database verified by another process, which may die of what it finds. */
#pragma once

#include "control/ops.h"

/* What that other process does: tells on standard output what it finds. Returns its exit status. */
int verify_database(const char *path);

/* Starts it and passes on what it tells. Ends with ERR_OK, ERR_STORE_CORRUPT if something is wrong
 * (it was told), ERR_STOPPING if nobody listens, or what else kept it from being found out. */
MUST_USE enum err verify_elsewhere(const char *path, const struct control_sink *sink);

/* The last line of a check: whether something is wrong. False: nobody listens. */
bool verify_conclude(bool damaged, const struct control_sink *sink);

/* `axfarmd --check-store`: all of it on standard output. Returns the exit status: 0 clean, 1 damaged,
 * 2 it could not be found out. */
int verify_alone(const char *path);
