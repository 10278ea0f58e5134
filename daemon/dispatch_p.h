/* SPDX-License-Identifier: MIT
 *
 * daemon/dispatch_p.h — from an inbound message to an answer, and the sockets it came through.
 *
 * Ownership: a struct server is its shard's, as is the scratch in which replies stand until the next
 * message. */
#pragma once

#include "daemon/daemon_p.h"

struct inbound {
	struct bytes message;
	struct addr peer;
	bool udp;
	bool waited; /* for its zone to be read, or as long as anything does: is answered now */
};

enum dispatch {
	DISPATCH_DROP,     /* no answer */
	DISPATCH_REPLY,    /* the answer is *reply, in the shard's scratch */
	DISPATCH_WAIT,     /* *unread is still to be read from the database: ask again when it is */
	DISPATCH_TRANSFER, /* *transfer answers in many messages; the caller's to free */
};

#define EARLY_NOTICES_MAX 65536 /* kept per shard while the store is being loaded */

struct xfr_out;

enum dispatch dispatch_message(struct shard *s, const struct inbound *in, struct bytes *reply,
                               struct xfr_out **transfer, struct zone **unread);

/* The shard's engines run now: gives them the NOTIFYs that came before. */
void dispatch_engines_run(struct shard *s);

/* Forgets what still waits; no mail comes any more. */
void dispatch_fini(struct shard *s);

/* Logs how a transfer out ended; `zone` was kept by the caller. */
void dispatch_transfer_ended(struct shard *s, const struct xfr_out *x, const struct addr *to,
                             uint64_t started_ns, enum err e);

/* Binds the sockets of one shard; *out is to be closed and freed also on failure. */
MUST_USE enum err server_new(struct shard *s, struct server **out, char *why, size_t why_cap);
void server_go(struct server *sv);

/* Ends everything; the ring still has completions of it, so it is freed after io_free(). */
void server_close(struct server *sv);
void server_free(struct server *sv);
