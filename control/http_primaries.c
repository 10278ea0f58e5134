/* SPDX-License-Identifier: MIT
 *
 * control/http_primaries.c — the list of primaries. */
#include <stdio.h>
#include <stdlib.h>

#include "control/http_p.h"

static bool put(const struct control_sink *sink, const char *text)
{
	return sink->put(sink->to, bytes_str(text));
}

static bool put_rows(const struct stream_request *r, const struct control_primaries *list,
                     const struct control_sink *sink)
{
	uint64_t told = 0;

	for (size_t i = 0; i < list->count && told < r->limit; i++) {
		bool wanted = r->any_state || list->rows[i].state == r->state;
		bool listens = true;

		if (wanted) {
			char *text = json_primary(&list->rows[i]);

			listens = put(sink, told == 0 ? "\n" : ",\n") && put(sink, text);
			free(text);
			told++;
		}
		if (!listens) {
			return false;
		}
	}
	return true;
}

static enum err make_list(const struct stream_request *r, const struct control_sink *sink)
{
	const struct control_ops *ops = r->control->ops;
	struct control_primaries list = { 0 };
	char end[64];
	bool listens;

	TRY(ops->primaries(ops->self, &list));
	snprintf(end, sizeof(end), "\n],\"left_out\":%llu}\n", (unsigned long long)list.left_out);
	listens = put(sink, "{\"primaries\":[") && put_rows(r, &list, sink) && put(sink, end);
	free(list.rows);
	return listens ? ERR_OK : ERR_STOPPING;
}

enum MHD_Result http_primaries(struct control *c, struct MHD_Connection *connection)
{
	struct stream_request r = {
		.control = c, .type = "application/json", .make = make_list, .limit = UINT64_MAX
	};
	const char *state = http_argument(connection, "state");
	const char *limit = http_argument(connection, "limit");
	const char *wrong = NULL;

	r.any_state = state == NULL || state[0] == '\0';
	if (!r.any_state && !json_primary_state_parse(state, &r.state)) {
		wrong = "state is one of down, up, unused";
	} else if (limit != NULL && (!http_number(limit, UINT64_MAX, &r.limit) || r.limit == 0)) {
		wrong = "limit is a number above 0";
	}
	return wrong != NULL ? http_error(connection, MHD_HTTP_BAD_REQUEST, "bad-request", wrong)
	                     : http_stream(connection, &r);
}
