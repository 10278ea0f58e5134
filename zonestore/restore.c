/* SPDX-License-Identifier: MIT
 *
 * zonestore/restore.c — a zone's versions from its record in the journal and from nodes. */
#include "zonestore/record_p.h"

/* Makes one version. `like` is what the version before it in the record became, or NULL. */
static enum err version_restore(struct pool *pool, const struct zone_version *version,
                                const struct node_source *nodes, const struct snapshot *like,
                                struct snapshot **out)
{
	struct node_handle roots[2] = { { 0 }, { 0 } };

	for (unsigned i = 0; i < 2; i++) {
		if (version->roots[i] == 0) {
			continue;
		}
		roots[i] = nodes->find(nodes->self, version->roots[i]);
		if (roots[i].n == 0) {
			return ERR_NOT_FOUND;
		}
	}
	return snapshot_record_make(pool, &version->record, roots, like, out);
}

static void restored_add(struct restored *r, const struct zone_version *version,
                         struct snapshot *snap)
{
	switch (version->kind) {
	case VERSION_SERVED:
		r->served = snap;
		r->more->served = snap;
		break;
	case VERSION_ASIDE:
		r->more->aside = snap;
		r->more->why = version->why;
		break;
	case VERSION_OLDER:
		r->more->older[r->more->count++] =
			(struct version_older){ .snap = snap,
			                        .bytes = version->bytes,
			                        .replaced_at_s = version->replaced_at_s };
		break;
	}
}

static enum err restore_all(struct pool *pool, struct zone_value *v,
                            const struct node_source *nodes, struct restored *r)
{
	const struct snapshot *like = NULL;
	struct zone_version version;
	enum err e;

	while ((e = zone_value_version(v, &version)) == ERR_OK) {
		struct snapshot *snap = NULL;
		e = version_restore(pool, &version, nodes, like, &snap);
		like = snap;
		if (e == ERR_OK) {
			restored_add(r, &version, snap);
		} else if (version.kind == VERSION_SERVED) {
			return e;
		} else {
			r->lost++;
		}
	}
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* What is known of a zone without its versions: what comes is to go out above what was served. */
static struct versions *line_alone(const struct zone_value *v)
{
	struct versions *more;

	if (!v->line.known) {
		return NULL;
	}
	more = versions_new(0);
	more->line = v->line;
	return more;
}

enum err zone_restore(struct pool *pool, struct zone_value *v, const struct node_source *nodes,
                      struct restored *out)
{
	struct restored r = { .more = versions_new(v->older) };
	enum err e;

	r.more->pinned = v->pinned;
	r.more->line = v->line;
	e = restore_all(pool, v, nodes, &r);
	if (e != ERR_OK) {
		versions_free(r.more);
		snapshot_unref(r.served);
		*out = (struct restored){ .more = line_alone(v) };
		return e;
	}
	if (versions_empty(r.more)) {
		versions_free(r.more);
		r.more = NULL;
	}
	*out = r;
	return ERR_OK;
}
