/* SPDX-License-Identifier: MIT
 *
 * tests/fuzz/fuzz.h — what every fuzz entry defines: libFuzzer calls it with octets of its own
 * making, tests/fuzz/replay.c with the files of the entry's corpus. It aborts on what must not be.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
