/* SPDX-License-Identifier: MIT
 *
 * control/http_store.c — what is asked of the store. */
#include <stdlib.h>

#include "base/arena.h"
#include "control/http_p.h"

enum MHD_Result http_store_stats(struct control *c, struct MHD_Connection *connection)
{
	struct control_store *stats = mem_zero(1, sizeof(*stats));
	enum err e = c->ops->store_stats(c->ops->self, stats);
	enum MHD_Result result = e != ERR_OK
	                                 ? http_fail(connection, e, "")
	                                 : http_text(connection, MHD_HTTP_OK, json_store(stats));

	free(stats);
	return result;
}

static enum err make_check(const struct stream_request *r, const struct control_sink *sink)
{
	const struct control_ops *ops = r->control->ops;

	return ops->store_check(ops->self, sink);
}

enum MHD_Result http_store_check(struct control *c, struct MHD_Connection *connection)
{
	struct stream_request r = { .control = c, .type = "text/plain", .make = make_check };

	return http_stream(connection, &r);
}
