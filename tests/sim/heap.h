/* SPDX-License-Identifier: MIT
 *
 * tests/sim/heap.h — how many blocks of memory the program has taken and not given back.
 *
 * The linker leads every call of malloc() and its like through here (-Wl,--wrap); what libraries take
 * for themselves is not counted. */
#pragma once

#include <stddef.h>

size_t heap_blocks(void);
