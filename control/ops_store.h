/* SPDX-License-Identifier: MIT
 *
 * control/ops_store.h — what the control interface tells of the store (control/ops.h). */
#pragma once

#include "base/durations.h"

struct control_store {
	uint64_t zones, versions, nodes, bodies;
	uint64_t node_bytes, body_bytes, table_bytes, snapshot_bytes, mapped_bytes;
	uint64_t wire_bytes; /* of all versions of all zones, each by itself, uncompressed */
	uint64_t disk_used_bytes, disk_size_bytes;
	uint64_t commits, updates, notes, nodes_written, nodes_dropped, failures;
	uint64_t value_bytes, written_bytes; /* given to the journal; and what it made of them */
	uint64_t commits_waiting, drops_waiting;
	struct durations wait;    /* of an update, until the transaction that has it begins */
	struct durations durable; /* of an update, until it would survive a crash */
	struct durations transactions;
};

/* How the last line of a check begins. */
#define CONTROL_CHECK_CLEAN   "clean: "
#define CONTROL_CHECK_DAMAGED "damaged: "
