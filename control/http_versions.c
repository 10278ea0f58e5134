/* SPDX-License-Identifier: MIT
 *
 * control/http_versions.c — what is asked of a zone's versions, and done about them. */
#include <stdlib.h>

#include "base/arena.h"
#include "control/http_p.h"

#define PICK_IS "a serial, \"current\" or \"held\""

/* Reads which version is meant; false if the text is none. */
static bool pick_read(const char *text, struct control_pick *out)
{
	uint64_t serial = 0;

	*out = (struct control_pick){ CONTROL_PICK_CURRENT, 0 };
	if (text == NULL || strcmp(text, "current") == 0) {
		return true;
	}
	if (strcmp(text, "held") == 0) {
		out->kind = CONTROL_PICK_HELD;
		return true;
	}
	if (!http_number(text, UINT32_MAX, &serial)) {
		return false;
	}
	*out = (struct control_pick){ CONTROL_PICK_SERIAL, (uint32_t)serial };
	return true;
}

static enum MHD_Result bad_request(struct MHD_Connection *connection, const char *text)
{
	return http_error(connection, MHD_HTTP_BAD_REQUEST, "bad-request", text);
}

/* ---- text of any length ---- */

static enum err make_export(const struct stream_request *r, const struct control_sink *sink)
{
	const struct control_ops *ops = r->control->ops;

	return ops->zone_export(ops->self, name_of(&r->name), &r->pick[0], sink);
}

static enum err make_diff(const struct stream_request *r, const struct control_sink *sink)
{
	const struct control_ops *ops = r->control->ops;

	return ops->zone_diff(ops->self, name_of(&r->name), r->pick, sink);
}

static enum MHD_Result answer_export(struct control *c, struct MHD_Connection *connection,
                                     struct name name, const struct version_action *action)
{
	struct stream_request r = { .control = c,
		                    .type = "text/dns", /* RFC 4027 */
		                    .make = make_export };

	(void)action;
	name_copy(name, &r.name);
	if (!pick_read(http_argument(connection, "serial"), &r.pick[0])) {
		return bad_request(connection, "serial is " PICK_IS);
	}
	return http_stream(connection, &r);
}

static enum MHD_Result answer_diff(struct control *c, struct MHD_Connection *connection,
                                   struct name name, const struct version_action *action)
{
	struct stream_request r = { .control = c, .type = "text/plain", .make = make_diff };
	const char *a = http_argument(connection, "a");
	const char *b = http_argument(connection, "b");

	(void)action;
	name_copy(name, &r.name);
	if (a == NULL || b == NULL || !pick_read(a, &r.pick[0]) || !pick_read(b, &r.pick[1])) {
		return bad_request(connection, "a and b are each " PICK_IS);
	}
	return http_stream(connection, &r);
}

/* ---- the list ---- */

static enum MHD_Result answer_history(struct control *c, struct MHD_Connection *connection,
                                      struct name name, const struct version_action *action)
{
	struct control_version *versions = mem_zero(CONTROL_VERSIONS_MAX, sizeof(*versions));
	size_t count = 0;
	enum MHD_Result result;
	enum err e =
		c->ops->zone_history(c->ops->self, name, versions, CONTROL_VERSIONS_MAX, &count);

	(void)action;
	if (e != ERR_OK) {
		result = http_fail(connection, e, "");
	} else {
		count = count < CONTROL_VERSIONS_MAX ? count : CONTROL_VERSIONS_MAX;
		result = http_text(connection, MHD_HTTP_OK, json_history(name, versions, count));
	}
	free(versions);
	return result;
}

/* ---- acts ---- */

/* The zone as it is now, after the act. */
static enum MHD_Result answer_done(struct control *c, struct MHD_Connection *connection,
                                   struct name name, const char *action)
{
	struct control_zone *zone = mem_zero(1, sizeof(*zone));
	enum err e = c->ops->zone_get(c->ops->self, name, zone);
	enum MHD_Result result =
		e != ERR_OK ? http_fail(connection, e, "")
			    : http_text(connection, MHD_HTTP_OK, json_acted(name, action, zone));

	free(zone);
	return result;
}

/* What the query says of a rollback; NULL, or what is wrong about it. */
static const char *rollback_query(struct MHD_Connection *connection,
                                  struct control_version_act *act)
{
	const char *serial = http_argument(connection, "serial");
	const char *same = http_argument(connection, "same_serial");
	uint64_t n = 0;

	if (serial == NULL || !http_number(serial, UINT32_MAX, &n)) {
		return "serial is that of a version that is kept";
	}
	if (same != NULL && strcmp(same, "0") != 0 && strcmp(same, "1") != 0) {
		return "same_serial is 0 or 1";
	}
	act->serial = (uint32_t)n;
	act->same_serial = same != NULL && same[0] == '1';
	return NULL;
}

static enum MHD_Result answer_act(struct control *c, struct MHD_Connection *connection,
                                  struct name name, const struct version_action *action)
{
	struct control_version_act act = { .act = action->act };
	char why[CONTROL_REASON_MAX] = "";
	const char *wrong = act.act == CONTROL_ROLLBACK ? rollback_query(connection, &act) : NULL;
	enum err e;

	if (wrong != NULL) {
		return bad_request(connection, wrong);
	}
	e = c->ops->zone_act(c->ops->self, name, &act, why);
	if (e == ERR_NOT_FOUND && why[0] != '\0') {
		return http_error(connection, MHD_HTTP_CONFLICT, "refused", why);
	}
	return e != ERR_OK ? http_fail(connection, e, why)
	                   : answer_done(c, connection, name, action->name);
}

const struct version_action *http_version_action(const char *name)
{
	static const struct version_action actions[] = {
		{ "export", false, answer_export, 0 },
		{ "history", false, answer_history, 0 },
		{ "diff", false, answer_diff, 0 },
		{ "rollback", true, answer_act, CONTROL_ROLLBACK },
		{ "pin", true, answer_act, CONTROL_PIN },
		{ "release", true, answer_act, CONTROL_RELEASE },
		{ "accept", true, answer_act, CONTROL_ACCEPT },
		{ "reject", true, answer_act, CONTROL_REJECT },
	};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i].name, name) == 0) {
			return &actions[i];
		}
	}
	return NULL;
}
