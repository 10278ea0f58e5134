/* SPDX-License-Identifier: MIT
 *
 * tests/zonestore/journal_cases.h — what every journal must do, whatever it stands on. */
#pragma once

#include "zonestore/journal.h"

/* Fills all three tables over several transactions; the other one checks what must stand there
 * (also after the journal was opened again). */
void journal_case_tables(struct journal *j);
void journal_case_tables_check(struct journal *j);

void journal_case_abort(struct journal *j);

/* Reading inside of a visitor, and ending a scan early. */
void journal_case_scan(struct journal *j);
