/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/content.h — zones whose content follows from their number and serial.
 *
 * "serial TXT" says the serial, "count TXT" how many records of filling there are, so that any
 * version found anywhere can be checked to be whole. Without Criterion: also for plain programs. */
#pragma once

#include "zonestore/builder.h"

#define CONTENT_RECORDS 4 /* besides the filling */

void content_apex(unsigned index, struct name_buf *out);

/* A version with `filling` more records. Aborts if it cannot be built. */
struct snapshot *content_version(struct pool *pool, unsigned index, uint32_t serial,
                                 unsigned filling);

/* True if the version's content fits it and its zone. */
bool content_whole(const struct snapshot *snap, unsigned index);
