/* SPDX-License-Identifier: MIT
 *
 * zonestore/owner.c — an owner's sets, before and after changes. */
#include <stdlib.h>

#include "zonestore/change_p.h"
#include "zonestore/stored_p.h"

#define OWNER_FIXED_LEN 10U /* type, class, TTL and length of rdata */

void owner_maker_fini(struct owner_maker *m)
{
	free(m->items);
	free(m->places);
	buffer_fini(&m->bodies);
	*m = (struct owner_maker){ 0 };
}

static size_t item_new(struct owner_maker *m)
{
	if (m->item_count == m->item_cap) {
		m->item_cap = m->item_cap == 0 ? 16 : 2 * m->item_cap;
		m->items = mem_grow(m->items, m->item_cap * sizeof(*m->items));
		m->places = mem_grow(m->places, m->item_cap * sizeof(*m->places));
	}
	return m->item_count++;
}

static void item_keep(struct owner_maker *m, uint32_t link)
{
	size_t i = item_new(m);
	const uint8_t *body = pool_body(m->pool, (struct body_handle){ link });

	m->items[i] = (struct set_item){ bytes_of(body, body_len(body)), { link } };
	m->places[i] = SIZE_MAX;
}

void owner_keep(struct owner_maker *m, struct owner_old old)
{
	m->item_count = 0;
	m->cases = old.cases;
	for (unsigned i = 0; i < old.sets; i++) {
		item_keep(m, old.links[i]);
	}
}

/* What the changes of one record come to. */
struct verdict {
	bool present;
	struct bytes rdata;
};

/* Applies changes to a record, of which *v says how it was before. */
static enum err record_apply(const struct owner_maker *m, struct verdict *v,
                             const struct change_slot *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct change *c = changes[i].change;
		if (!m->over_base) {
			assert(!c->deletes);
			if (!v->present || bytes_compare(change_rdata(c), v->rdata) < 0) {
				v->rdata = change_rdata(c);
			}
			v->present = true;
			continue;
		}
		if (c->deletes != v->present) {
			return ERR_XFR_MISMATCH;
		}
		v->present = !c->deletes;
		v->rdata = change_rdata(c);
	}
	return ERR_OK;
}

/* The TTL after changes: the smallest without a base, else that of the last difference that added
 * something. `old` is NULL for a new set. */
static uint32_t set_ttl(const struct owner_maker *m, const uint8_t *old,
                        const struct change_slot *changes, size_t count)
{
	uint32_t ttl = old == NULL ? TTL_MAX : body_ttl(old);
	uint32_t difference = 0;
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		const struct change *c = changes[i].change;
		if (c->deletes) {
			continue;
		}
		if (m->over_base && (!any || c->difference > difference)) {
			ttl = c->ttl;
			difference = c->difference;
		} else if ((!m->over_base || c->difference == difference) && c->ttl < ttl) {
			ttl = c->ttl;
		}
		any = true;
	}
	return ttl;
}

/* Who decides how the owner is spelled. */
struct spelling {
	bool decided;
	const uint8_t *cases;
};

static void spelling_note(struct spelling *s, const uint8_t *cases, size_t key_len)
{
	if (!s->decided || key_cases_before(key_len, cases, s->cases)) {
		s->cases = cases;
		s->decided = true;
	}
}

/* The run of changes that concern one record: equal rdata. */
static size_t record_run(const struct change_slot *changes, size_t count)
{
	const struct change *first = changes[0].change;
	size_t run = 1;

	while (run < count && stored_compare(kind_type(first->kind), change_rdata(first),
	                                     change_rdata(changes[run].change)) == 0) {
		run++;
	}
	return run;
}

/* A set on its way from old to new. */
struct set_work {
	struct owner_maker *m;
	struct body_maker body;
	struct spelling *spelling;
	struct owner_old owner;
	const uint8_t *old; /* body; NULL: none */
	struct body_reader reader;
	struct bytes rdata; /* next of the old */
	bool more;          /* there is one */
};

static void work_keep(struct set_work *w, size_t key_len)
{
	body_add(&w->body, w->rdata);
	spelling_note(w->spelling, w->owner.cases, key_len);
	w->more = body_next(&w->reader, &w->rdata);
}

/* Merges the old rdatas with the changes, both sorted. */
static enum err set_merge(struct set_work *w, const struct change_slot *changes, size_t count)
{
	size_t key_len = changes[0].change->key_len;
	uint16_t type = kind_type(changes[0].change->kind);
	size_t run;

	for (size_t i = 0; i < count; i += run) {
		const struct change *c = changes[i].change;
		struct verdict v = { 0 };
		int order = 1;
		while (w->more && (order = stored_compare(type, w->rdata, change_rdata(c))) < 0) {
			work_keep(w, key_len);
		}
		if (w->more && order == 0) {
			v = (struct verdict){ .present = true, .rdata = w->rdata };
			w->more = body_next(&w->reader, &w->rdata);
		}
		run = record_run(changes + i, count - i);
		if (v.present && !w->m->over_base) {
			spelling_note(w->spelling, w->owner.cases, key_len);
		}
		TRY(record_apply(w->m, &v, changes + i, run));
		if (!v.present) {
			continue;
		}
		body_add(&w->body, v.rdata);
		if (body_over(&w->body)) {
			return ERR_LIMIT_BYTES; /* here, so that scratch memory is bounded */
		}
		for (size_t j = w->m->over_base ? run - 1 : 0; j < run; j++) {
			spelling_note(w->spelling, change_cases(changes[i + j].change), key_len);
		}
	}
	while (w->more) {
		work_keep(w, key_len);
	}
	return ERR_OK;
}

static void count_set(struct owner_maker *m, const uint8_t *body, size_t owner_len, int sign)
{
	int64_t count = body_count(body);
	int64_t bytes = (int64_t)body_wire_len(body, m->apex_len) +
	                count * (int64_t)(owner_len + OWNER_FIXED_LEN);

	m->records += sign * count;
	m->bytes += sign * bytes;
}

struct change_run {
	const struct change_slot *at;
	size_t count;
};

/* Makes the set that `old` (0: none) becomes; adds it to the result unless it is empty. */
static enum err set_apply(struct owner_maker *m, struct owner_old owner, uint32_t old,
                          struct change_run run, struct spelling *spelling)
{
	const struct change *first = run.at[0].change;
	size_t owner_len = key_wire_len(change_key(first)) + m->apex_len;
	struct set_work w = { .m = m, .spelling = spelling, .owner = owner };
	size_t at = m->bodies.len;
	size_t i;

	if (old != 0) {
		w.old = pool_body(m->pool, (struct body_handle){ old });
		w.reader = body_read(w.old);
		w.more = body_next(&w.reader, &w.rdata);
		count_set(m, w.old, owner_len, -1);
	}
	w.body = body_begin(&m->bodies, kind_type(first->kind));
	if (old == 0 && run.count == 1 && !first->deletes) { /* most sets of a new zone */
		body_add(&w.body, change_rdata(first));
		spelling_note(spelling, change_cases(first), first->key_len);
	} else {
		TRY(set_merge(&w, run.at, run.count));
	}
	if (w.body.count == 0) {
		m->bodies.len = at;
		return ERR_OK;
	}
	TRY(body_end(&w.body, set_ttl(m, w.old, run.at, run.count)));
	count_set(m, m->bodies.at + at, owner_len, 1);
	i = item_new(m);
	m->items[i] = (struct set_item){ .octets = { NULL, m->bodies.len - at } };
	m->places[i] = at;
	return ERR_OK;
}

/* RFC 1034 §3.6.2, RFC 4034 §2.5, RFC 2181 §10.1, RFC 6672 §2.4: no CNAME beside other data, one
 * of CNAME and of DNAME. */
static enum err owner_check(const struct owner_maker *m)
{
	bool cname = false;
	bool other = false;

	for (size_t i = 0; i < m->item_count; i++) {
		const uint8_t *body = m->items[i].octets.at;
		uint16_t type = body_type(body);
		if ((type == TYPE_CNAME || type == TYPE_DNAME) && body_count(body) > 1) {
			return ERR_ZONE_CNAME;
		}
		cname = cname || type == TYPE_CNAME;
		other = other || (type != TYPE_CNAME && type != TYPE_RRSIG && type != TYPE_NSEC);
	}
	if (cname && other) {
		return ERR_ZONE_CNAME;
	}
	return m->item_count > OWNER_SETS_MAX ? ERR_LIMIT_RECORDS : ERR_OK;
}

/* The changes of one set. */
static struct change_run set_run(const struct change_slot *changes, size_t count)
{
	struct change_run run = { changes, 1 };

	while (run.count < count &&
	       changes[run.count].change->kind.n == changes[0].change->kind.n) {
		run.count++;
	}
	return run;
}

enum err owner_apply(struct owner_maker *m, struct owner_old old, const struct change_slot *changes,
                     size_t count)
{
	struct spelling spelling = { 0 };
	size_t key_len = changes[0].change->key_len;
	unsigned s = 0;
	size_t i = 0;

	if (heap_is_low(&m->pool->heap)) {
		return ERR_NO_MEMORY; /* while there is room for what is begun */
	}
	m->item_count = 0;
	m->bodies.len = 0;
	while (s < old.sets || i < count) {
		uint32_t set_kind = UINT32_MAX;
		uint32_t change_kind = i < count ? changes[i].change->kind.n : UINT32_MAX;
		if (s < old.sets) {
			set_kind =
				body_kind(pool_body(m->pool, (struct body_handle){ old.links[s] }))
					.n;
		}
		if (set_kind < change_kind) {
			spelling_note(&spelling, old.cases, key_len);
			item_keep(m, old.links[s++]);
			continue;
		}
		struct change_run run = set_run(changes + i, count - i);
		uint32_t link = set_kind == change_kind ? old.links[s++] : 0;
		TRY(set_apply(m, old, link, run, &spelling));
		i += run.count;
	}
	for (size_t j = 0; j < m->item_count; j++) {
		if (m->places[j] != SIZE_MAX) {
			m->items[j].octets.at = m->bodies.at + m->places[j];
		}
	}
	m->cases = spelling.cases;
	return owner_check(m);
}
