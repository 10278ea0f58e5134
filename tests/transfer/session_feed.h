/* SPDX-License-Identifier: MIT
 *
 * tests/transfer/session_feed.h — messages of any content, fed to a session. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The first octet chooses AXFR or IXFR; messages follow with their length before them, as in a
 * stream. Id, QR and opcode are put right so that what comes after them is reached. Aborts on what
 * must not be. */
void session_feed(const uint8_t *data, size_t size);
