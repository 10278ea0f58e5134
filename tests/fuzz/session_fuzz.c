/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/session_fuzz.c — messages of any content fed to a session, as a primary could send
 * them. */
#include "tests/fuzz/fuzz.h"
#include "tests/transfer/session_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	session_feed(data, size);
	return 0;
}
